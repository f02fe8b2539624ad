"""`x.flat`: an iterator, a vector, and a way to write."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import LostDerivativeError
from wengert.testing.programs import check_program

X = np.array([[0.3, -1.7, 2.6], [1.2, 0.43, -0.8]])


def test_flat():
    def f(x):
        flat = x.flat
        assert len(flat) == 6
        assert (flat.index, flat.coords) == (0, (0, 0))
        first = next(flat)
        assert (flat.index, flat.coords) == (1, (0, 1))
        assert len(list(flat)) == 5
        with pytest.raises(StopIteration):
            next(flat)
        assert flat.base is x
        np.testing.assert_array_equal(x.flat > 0, X.flat > 0)
        np.testing.assert_array_equal(x.flat == 0.3, X.flat == 0.3)
        part = x.flat[:2]
        part[0] = 100.0  # a copy
        with pytest.raises(LostDerivativeError):
            np.asarray(x.flat)
        return np.sum(x.flat) + first * np.dot(x.flat, np.arange(6)) + np.sin(x.flat)[5]

    right = np.ones((2, 3)) + X[0, 0] * np.arange(6.0).reshape(2, 3)
    right[0, 0] += np.dot(X.ravel(), np.arange(6))
    right[1, 2] += np.cos(X[1, 2])
    np.testing.assert_allclose(wg.grad(f)(X), right)


def test_writing():
    def program(x):
        y, z = x * 1.0, x * 1.0
        y.flat[[0, 4]] = x[0, :2] * 2
        y.flat[-1] = 1.5
        y.flat[1:3] *= 2.0
        z.T.flat[1:3] = x[1, 0]
        z.flat = x[0, :2] * z.flat[2]
        return y, z

    check_program(program, X)


def test_comparisons():
    def f(x):
        for compare in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"):
            np.testing.assert_array_equal(getattr(x.flat, compare)(0.3), getattr(X.flat, compare)(0.3))
        with pytest.raises(TypeError, match="unhashable"):
            hash(x.flat)
        return np.sum(x)

    wg.grad(f)(X)
