"""Linear systems, inverses and determinants."""

import mpmath
import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg
A = r(3, 3) + 3 * np.eye(3)
AC = r(3, 3, kind="c") + 3 * np.eye(3)
S = r(2, 3, 3) + 3 * np.eye(3)

case("solve", L.solve, A, r(3, 2))
case("solve vec", L.solve, A, r(3))
case("solve stack vec", L.solve, S, r(3))
case("solve stack", L.solve, S, r(3, 2))
case("solve c", L.solve, AC, r(3, 2))
case("solve cc", L.solve, AC, r(3, 2, kind="c"))
case("solve bb", L.solve, A, r(2, 3, 2))
case("solve empty", L.solve, r(0, 0), r(0, 2))
case("solve empty stack", L.solve, r(0, 3, 3), r(3, 2))
case("inv", L.inv, A)
case("inv c", L.inv, AC)
case("inv stack", L.inv, S)
case("inv 0x0", L.inv, r(0, 0))
case("inv 0stack", L.inv, r(0, 2, 2))
case("det", L.det, A)
case("det c", L.det, AC)
case("det s", L.det, S)
case("det 0", L.det, r(0, 0))
case("det 0stack", L.det, r(0, 2, 2))
case("det1", L.det, r(1, 1))
case("slogdet", L.slogdet, A)
case("slogdet c", L.slogdet, AC)
case("slogdet s", L.slogdet, S)
case("slogdet 0", L.slogdet, r(0, 0))
case("slogdet field", lambda a: L.slogdet(a).logabsdet, S)
case("tensorinv", lambda a: L.tensorinv(a, 1), np.eye(6).reshape(6, 2, 3) + 0.1 * r(6, 2, 3))
case("tensorinv2", lambda a: L.tensorinv(a), np.eye(6).reshape(2, 3, 3, 2) + 0.1 * r(2, 3, 3, 2))
case("tensorsolve", lambda a, b: L.tensorsolve(a, b), np.eye(6).reshape(2, 3, 6) + 0.1 * r(2, 3, 6), r(2, 3))
case("tensorsolve axes", lambda a, b: L.tensorsolve(a, b, axes=(0, 2)), r(2, 6, 3).reshape(2, 6, 3), r(6))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- the determinant of singular matrices -----------------------------------------------------------------------------------

rng = np.random.default_rng(2)
U, V = (np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2))
SINGULAR = {
    "regular": [2.0, 1.0, 0.5, 0.3],
    "rank 3": [2.0, 1.0, 0.5, 0.0],
    "nearly rank 3": [2.0, 2.0, 1.0, 1e-14],
    "rank 2": [2.0, 1.0, 0.0, 0.0],
    "rank 1": [1.0, 0.0, 0.0, 0.0],
    "zero": [0.0, 0.0, 0.0, 0.0],
}


def mixed(a, *directions):
    """The mixed derivative of `det` along directions, in 40 digits."""
    with mpmath.workdps(40):
        matrices = [mpmath.matrix(x.tolist()) for x in (a, *directions)]

        def f(*ts):
            return mpmath.det(sum((t * m for t, m in zip(ts, matrices[1:], strict=True)), matrices[0]))

        return float(mpmath.diff(f, (0,) * len(directions), (1,) * len(directions)))


@pytest.mark.parametrize("name", SINGULAR)
def test_determinant_to_third_order(name):
    a = (U * SINGULAR[name]) @ V.T
    h, k, m = rng.standard_normal((3, 4, 4))
    gradient, hessian = wg.grad(L.det), wg.hessian(L.det)
    units = np.eye(16).reshape(16, 4, 4)
    np.testing.assert_allclose(gradient(a).ravel(), [mixed(a, e) for e in units], atol=1e-14)
    second = mixed(a, h, k)
    assert np.einsum("ijkl,ij,kl", hessian(a), h, k) == pytest.approx(second, abs=1e-12)
    assert np.sum(wg.grad(lambda x: np.sum(gradient(x) * h))(a) * k) == pytest.approx(second, abs=1e-12)
    assert wg.jvp(lambda x: wg.jvp(L.det, (x,), (h,))[1], (a,), (k,))[1] == pytest.approx(second, abs=1e-12)
    third = mixed(a, h, k, m)
    _, found = wg.jvp(lambda x: np.einsum("ijkl,ij,kl", hessian(x), h, k), (a,), (m,))
    assert found == pytest.approx(third, abs=1e-11)
    inner = wg.grad(lambda x: np.sum(gradient(x) * h))
    assert np.sum(wg.grad(lambda x: np.sum(inner(x) * k))(a) * m) == pytest.approx(third, abs=1e-11)


def test_determinant_of_complex_singular_matrix():
    a = (U * [2.0, 1.0, 0.5, 0.0]) @ np.exp(1j * np.diag([0.3, 1.0, 2.0, 0.0])) @ V.T
    h = rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4))
    np.testing.assert_allclose(wg.jvp(L.det, (a,), (h,))[1], (L.det(a + 1e-6 * h) - L.det(a - 1e-6 * h)) / 2e-6, rtol=1e-8)


def test_slope_of_slogdet_at_a_singular_matrix_is_that_of_the_logarithm_at_zero():
    a = np.diag([1.0, 2.0, 0.0])
    with np.errstate(divide="ignore"):
        by_formula = wg.grad(lambda a: np.log(np.abs(L.det(a))))(a)
    g = wg.grad(lambda a: L.slogdet(a)[1])(a)
    np.testing.assert_array_equal(g, np.diag([0.0, 0.0, np.inf]))
    assert not np.isnan(by_formula).any()


# --- conventions of NumPy ------------------------------------------------------------------------------------------------------


def test_results_are_numpys_named_tuples():
    seen = []
    wg.grad(lambda a: (seen.append(L.slogdet(a)), np.sum(a))[1])(np.eye(2))
    assert type(seen[0]) is type(L.slogdet(np.eye(2)))
    assert float(seen[0].logabsdet.value) == 0.0


def test_right_hand_side_with_one_axis_is_a_vector_and_any_other_a_stack_of_matrices():
    a, b = r(2, 3, 3) + 3 * np.eye(3), r(2, 3)
    assert wg.jvp(lambda b: L.solve(a, b), (b[0],), (b[0],))[0].shape == (2, 3)
    with pytest.raises(ValueError):  # two axes are a matrix of two rows
        wg.jvp(lambda b: L.solve(a, b), (b,), (b,))


def test_integer_operands_are_read_as_double():
    a = np.array([[2, 1], [1, 3]])
    x, dx = wg.jvp(lambda b: L.solve(a, b), (np.float32([1, 2]),), (np.float32([1, 0]),))
    assert x.dtype == L.solve(a, np.float32([1, 2])).dtype
    np.testing.assert_allclose(dx, L.solve(a, [1.0, 0.0]), rtol=1e-6)


def test_a_matrix_is_factored_once_more_only_for_what_needs_it():
    a = r(3, 3) + 3 * np.eye(3)
    assert wg.grad(lambda b: np.sum(L.solve(a, b)))(r(3)).shape == (3,)
    np.testing.assert_allclose(wg.jacobian(lambda b: L.solve(a, b))(r(3)), L.inv(a), rtol=1e-12)
