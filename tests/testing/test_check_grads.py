"""`check_grads` passes what is right, and catches what is wrong: in each mode, at each order, in each argument."""

import dataclasses

import numpy as np
import pytest

import wengert as wg
from wengert.errors import CheckError
from wengert.testing import check_grads


def wrong_in(*, forward=1.0, reverse=1.0, second=1.0):
    """`x³` with factors put into its derivative by forward mode, by reverse mode, and into the derivative of that."""
    @wg.custom_rule
    def slope(x):
        return 3 * x**2

    @slope.forward
    def slope_rule(primals, tangents):
        return slope(primals[0]), second * 6 * primals[0] * tangents[0]

    @wg.custom_rule
    def cube(x):
        return x**3

    @cube.forward
    def rule(primals, tangents):
        return cube(primals[0]), forward * slope(primals[0]) * tangents[0]

    @cube.reverse
    def adjoint(x):
        return cube(x), lambda ct: (reverse * slope(x) * ct,)

    return cube


RIGHT = {
    "scalar": (lambda x: np.sin(x) * x, (0.7,)),
    "matrix": (lambda a, b: np.linalg.solve(a, b), (np.array([[3.0, 1.0], [0.5, 2.0]]), np.array([[1.0], [2.0]]))),
    "containers": (lambda p, x: {"y": np.tanh(p["w"] @ x + p["b"][0]), "n": x.sum()}, ({"w": np.eye(2), "b": [np.ones(2)]}, np.arange(2.0))),
    "integers beside": (lambda x, k: x[k] ** 2, (np.arange(1.0, 4.0), np.array([0, 2, 2]))),
    "complex": (lambda z, w: z * np.exp(w), (np.array([1 + 2j, 0.5]), np.array(0.3 - 0.2j))),
    "not holomorphic": (lambda z: np.abs(z) ** 2 + np.conj(z) * z.real, (np.array([1 + 2j, 0.5 - 1j]),)),
    "complex from real": (lambda x: np.exp(1j * x), (np.array([0.2, 1.0]),)),
    "single precision": (lambda x: np.tanh(x).sum(), (np.linspace(-1, 1, 3, dtype=np.float32),)),
    "integer output": (lambda x: (x * 2, np.argmax(x)), (np.array([1.0, 3.0]),)),
    "empty": (lambda x: x * 2, (np.zeros((0, 3)),)),
    "right rules": (wrong_in(), (np.array([0.5, -1.2]),)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    f, args = RIGHT[name]
    check_grads(f, args)


def test_third_order():
    check_grads(lambda x: np.exp(np.sin(x)), (0.4,), order=3, rtol=1e-5, atol=1e-5)


def test_dataclass():
    @dataclasses.dataclass
    class Params:
        w: np.ndarray
        n: int

    check_grads(lambda p: p.w**p.n, (Params(np.array([1.0, 2.0]), 3),))


X = (np.array([0.5, -1.2]),)
WRONG = {
    "forward": (wrong_in(forward=1.01), {"modes": ["fwd"], "order": 1}, "the fwd derivative of .* with respect to x is"),
    "reverse": (wrong_in(reverse=1.01), {"modes": ["rev"], "order": 1}, "the rev derivative of .* with respect to x is"),
    "fwd of fwd": (wrong_in(second=1.01), {"modes": ["fwd"]}, r"the fwd of fwd derivative .*\(order 2\)"),
    "rev of rev": (wrong_in(second=1.01), {"modes": ["rev"]}, r"the rev of rev derivative .*\(order 2\)"),
    "both modes": (wrong_in(reverse=1.01), {}, "the rev derivative"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_caught(name):
    f, options, message = WRONG[name]
    with pytest.raises(CheckError, match=message):
        check_grads(f, X, **options)


def test_a_mode_that_is_not_asked_for_is_not_checked():
    check_grads(wrong_in(reverse=2.0), X, modes=["fwd"])
    check_grads(wrong_in(second=2.0), X, order=1)
    with pytest.raises(CheckError):
        check_grads(wrong_in(reverse=2.0), X, modes=["rev"])


def test_a_conjugate_too_many_is_caught():
    @wg.custom_rule
    def double(z):
        return z * 2j

    @double.reverse
    def rule(z):
        return double(z), lambda ct: (ct * 2j,)  # the adjoint of 2i is -2i

    with pytest.raises(CheckError, match="rev derivative"):
        check_grads(double, (np.array([1 + 1j]),), modes=["rev"], order=1)


def test_a_lost_dependence_is_caught():
    with pytest.raises(CheckError, match=r"derivative of loss with respect to params\['b'\]"):
        def loss(params, x):
            return np.sum(params["w"] * x + wg.stop_gradient(params["b"]))

        check_grads(loss, ({"b": np.ones(2), "w": np.ones(2)}, np.ones(2)))


def test_the_message_has_four_parts_and_both_numbers():
    cube = wrong_in(forward=2.0)
    with pytest.raises(CheckError) as caught:
        check_grads(cube, (np.array([1.0, 2.0]),), modes=["fwd"])
    text = str(caught.value)
    assert "with respect to x is not the limit of differences" in text
    assert "test_check_grads.py" in text
    found, wanted = (float(line.split("(")[1].split(")")[0]) for line in text.splitlines() if "np.float64(" in line)
    assert found == pytest.approx(2 * wanted, rel=1e-6)
    assert "(output entry (" in text
    assert "Write" in text and "docs/errors.md#check" in text


def test_at_a_kink_the_mean_of_both_sides_is_right_and_one_side_is_wrong():
    check_grads(lambda x: np.maximum(x, 3 * x), (0.0,), order=1)
    with pytest.raises(CheckError):
        check_grads(lambda x: np.where(x >= 0, 3 * x, x), (0.0,), order=1)


@pytest.mark.parametrize(("args", "options"), [((3,), {}), ((1.0,), {"modes": ["forward"]}), ((1.0,), {"modes": []})])
def test_bad_input(args, options):
    with pytest.raises(TypeError):
        check_grads(lambda x: x * 2, args, **options)
