"""Bounds, rounding, and numbers in place of NaN."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import check_program

X = np.array([[0.3, -1.7, 2.6], [1.2, 0.43, -0.8]])
ROW = np.array([-0.5, 0.1, 0.9])


@pytest.mark.parametrize(
    "program",
    [
        lambda x: np.clip(x, -1, 1),
        lambda x: np.clip(x, -1.0, None),
        lambda x: np.clip(x, None, 0.5),
        lambda x: np.clip(x, a_min=ROW, a_max=1),
        lambda x: np.clip(x, min=-0.25, max=1.5),
        lambda x: np.clip(x, max=x[0] * 2),
        lambda x: np.clip(ROW, x, x + 0.5),
        lambda x: np.clip(x, 1, -1),
        lambda x: np.clip(np.float64(0.2), x, 2.0),
        lambda x: x.clip(-1, 1) + x.clip(max=0.2) + x.clip(min=x[0]),
        lambda x: np.clip(x, 0, 1, out=np.zeros_like(x)),
        lambda x: np.clip(x, 0, 1, out=np.ones_like(x), where=x > 0),
        lambda x: np.clip(x, 0, 1, dtype=complex),
    ],
)  # fmt: skip
def test_clip(program):
    check_program(program, X)


def test_clip_in_place():
    def program(x):
        y = x * 1.0
        assert np.clip(y, 0, 1, out=y) is y
        y.clip(0.1, 0.5, out=y)
        return y

    check_program(program, X)


def test_clip_is_half_at_a_bound():
    gradient = wg.grad(lambda x: np.sum(np.clip(x, 0.0, 1.0)))
    np.testing.assert_array_equal(gradient(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])), [0.0, 0.5, 1.0, 0.5, 0.0])
    lower, upper = wg.grad(lambda lo, hi: np.sum(np.clip(np.array([0.0, 0.5, 1.0]), lo, hi)), (0, 1))(0.0, 1.0)
    assert (lower, upper) == (0.5, 0.5)


def test_clip_without_bounds_copies():
    def f(x):
        y = x * 1.0
        z = np.clip(y, None, None)
        z[0] = 0.0
        return np.sum(y * z)

    np.testing.assert_array_equal(wg.grad(f)(X[0]), [0.0, *2 * X[0, 1:]])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: np.clip(x, 1), TypeError),
        (lambda x: np.clip(x, a_max=1), TypeError),
        (lambda x: np.clip(x, 0, 1, max=1), ValueError),
        (lambda x: np.clip(x, 0, np.ones(7)), ValueError),
    ],
)
def test_errors_are_numpys(call, error):
    with pytest.raises(error):
        call(X)
    with pytest.raises(error):
        wg.grad(lambda x: np.sum(call(x)))(X)


def test_integers_of_a_batch_between_bounds_beyond_their_dtype():
    k = np.array([[3, -7], [120, 0]], np.int8)
    f = lambda k: (np.clip(k, -1000, 5), np.clip(k, 0, 1000), np.clip(k, -2, 2))
    for found, right in zip(wg.vmap(f)(k), zip(*map(f, k))):
        np.testing.assert_array_equal(found, right)
        assert found.dtype == np.int8


@pytest.mark.parametrize(
    "function",
    [np.round, np.around, np.fix, np.rint, np.floor, np.ceil, np.trunc, lambda x: np.round(x * 100, -1), lambda x: x.round(1), lambda x: np.round(x, decimals=2)],
)
def test_rounding_has_no_derivative(function):
    check_program(lambda x: function(x) * x, X)
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(function(x)), on_disconnected="zero")(X), np.zeros_like(X))


def test_rounding_into():
    check_program(lambda x: np.round(x, 1, out=np.zeros_like(x)) * x + np.fix(x, out=np.zeros_like(x)), X)
    check_program(lambda x: np.round(x * (1 + 2j), 1) * x, X)
    assert wg.grad(lambda x: x * round(x, 1))(1.26) == 1.3


HOLES = np.array([1.0, np.nan, np.inf, -np.inf, -2.0])


def test_nan_to_num():
    f = lambda x: np.nan_to_num(x, nan=3.0, posinf=4.0, neginf=-5.0)
    value, gradient = wg.value_and_grad(lambda x: np.sum(f(x) ** 2))(HOLES)
    assert value == np.sum(f(HOLES) ** 2)
    np.testing.assert_array_equal(gradient, [2.0, 0.0, 0.0, 0.0, -4.0])
    np.testing.assert_array_equal(wg.jvp(np.nan_to_num, (HOLES,), (np.ones(5),)), [np.nan_to_num(HOLES), [1, 0, 0, 0, 1]])
    check_program(lambda x: np.nan_to_num(x) * x, X)
    check_program(lambda x: np.nan_to_num(x * (1 + 2j)) * x, X)


def test_nan_to_num_in_place_and_of_replacements():
    def f(x, fill):
        y = x * 1.0
        assert np.nan_to_num(y, copy=False, nan=fill, posinf=2.0, neginf=fill * 3) is y
        return np.sum(y)

    gradients = wg.grad(f, (0, 1))(HOLES, 0.5)
    np.testing.assert_array_equal(gradients[0], [1.0, 0.0, 0.0, 0.0, 1.0])
    assert gradients[1] == 4.0
    z = np.array([complex(a, b) for a, b in zip(HOLES, HOLES[::-1])])
    out, tangent = wg.jvp(np.nan_to_num, (z,), (np.full(5, 1 + 2j),))
    np.testing.assert_array_equal(out, np.nan_to_num(z))
    np.testing.assert_array_equal(tangent, [1 + 2j, 0, 0, 0, 1 + 2j])


def test_nan_to_num_of_integers():
    np.testing.assert_array_equal(wg.vmap(np.nan_to_num)(np.arange(4).reshape(2, 2)), np.arange(4).reshape(2, 2))
