"""Sets of values."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import BatchError
from wengert.testing.programs import check_bits

X = np.array([3.0, 1, 2, 1, 3, np.nan, 0, np.nan])
Y = np.array([1.0, 2, 7, 7])
ROWS = np.array([[1.0, 2], [1, 2], [0, 3], [1, -2]])
PLAIN = X[~np.isnan(X)]

SETS = {
    "unique": lambda x: np.unique(x),
    "unique with all": lambda x: np.unique(x, True, True, True),
    "unique with counts": lambda x: np.unique(x, return_counts=True),
    "unique nan": lambda x: np.unique(x, equal_nan=False),
    "intersect1d": lambda x: np.intersect1d(x, Y),
    "intersect1d of plain": lambda x: np.intersect1d(Y, x, return_indices=True),
    "union1d": lambda x: np.union1d(x, Y),
    "setdiff1d": lambda x: np.setdiff1d(x, Y),
    "setdiff1d of plain": lambda x: np.setdiff1d(Y, x),
    "setdiff1d unique": lambda x: np.setdiff1d(x[:3], Y, assume_unique=True),
    "setxor1d": lambda x: np.setxor1d(x[:5], Y),
    "setxor1d unique": lambda x: np.setxor1d(x[:3], Y[:3], assume_unique=True),
    "isin": lambda x: np.isin(x, Y),
    "isin inverted": lambda x: np.isin(Y, x, invert=True),
    **{name: (lambda x, f=getattr(np, name): tuple(f(x))) for name in ("unique_all", "unique_counts", "unique_inverse") if hasattr(np, name)},
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_value_is_numpy_s(name, dtype):
    check_bits(SETS[name], X.astype(dtype))


@pytest.mark.parametrize("axis", [0, 1])
def test_unique_rows(axis):
    check_bits(lambda x: np.unique(x, True, True, True, axis), ROWS)
    jacobian = wg.jacobian(lambda x: np.unique(x, axis=axis))(ROWS)
    np.testing.assert_array_equal(np.tensordot(jacobian, ROWS), np.unique(ROWS, axis=axis))


def test_an_entry_stands_for_those_equal_to_it():
    np.testing.assert_array_equal(wg.jacobian(np.unique)(PLAIN).argmax(1), [5, 1, 2, 0])
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d"):
        function = getattr(np, name)
        jacobian = wg.jacobian(lambda x, function=function: function(x, Y))(PLAIN)
        values = function(PLAIN, Y)
        own = jacobian.sum(1) == 1
        np.testing.assert_array_equal((jacobian @ PLAIN)[own], values[own])
        assert np.isin(values[~own], Y).all() and np.all((jacobian == 0) | (jacobian == 1))
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(np.union1d(x, Y) ** 2))(PLAIN), [6, 2, 4, 0, 0, 0])


def test_unique_values():
    if hasattr(np, "unique_values"):
        np.testing.assert_array_equal(np.sort(np.unique_values(X)), wg.jvp(np.unique_values, (X,), (X * 0,))[0])
        assert wg.jacobian(np.unique_values)(PLAIN).shape == (4, 6)


def test_derivatives_differentiate_again():
    hessian = wg.hessian(lambda x: np.sum(np.unique(x) ** 3))(PLAIN)
    np.testing.assert_allclose(hessian, np.diag([18, 6, 12, 0, 0, 0]))
    assert not wg.jvp(lambda x: wg.grad(lambda x: np.sum(np.setxor1d(x, Y)))(x), (PLAIN,), (PLAIN,))[1].any()


def test_batches():
    rows = np.stack([PLAIN, PLAIN[::-1]])
    np.testing.assert_array_equal(wg.vmap(lambda x: np.isin(x, Y))(rows), np.isin(rows, Y))
    found = wg.vmap(lambda y: np.isin(PLAIN, y))(np.stack([Y, Y + 1]))
    np.testing.assert_array_equal(found, [np.isin(PLAIN, Y), np.isin(PLAIN, Y + 1)])
    for function in (np.unique, lambda x: np.union1d(x, Y), lambda x: np.setdiff1d(x, Y), lambda x: np.intersect1d(x, Y)):
        with pytest.raises(BatchError, match="depends on the values of a batch"):
            wg.vmap(function)(rows)
