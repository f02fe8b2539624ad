"""Arrays made `like=` a traced one."""

import numpy as np
import pytest

import wengert as wg
from wengert.core.array import Array
from wengert.errors import LostDerivativeError

X = np.array([1.5, -0.5, 2.0])


def test_arrays_that_keep_what_is_written_into_them():
    def f(x):
        y = np.zeros(4, like=x)
        y[1:] = x**2
        z = np.ones((2, 3), like=x)
        z[0] *= x
        w = np.full(3, x[0], like=x) + np.full((3,), 2.0, like=x)
        return np.sum(y) + np.sum(z) + np.sum(w * np.arange(3.0, like=x)) + np.trace(np.eye(3, like=x) @ z.T[:, :1] * x[1])

    right = 2 * X + 1
    right[0] += 3.0 + X[1]
    right[1] += X[0]
    value, gradient = wg.value_and_grad(f)(X)
    np.testing.assert_allclose(gradient, wg.jacobian(f, mode="forward")(X), rtol=1e-14)
    step = 1e-6
    for k, unit in enumerate(np.eye(3)):
        np.testing.assert_allclose((f(X + step * unit) - f(X - step * unit)) / (2 * step), gradient[k], rtol=1e-8)


def test_arrays_of_traced_entries():
    def f(x):
        a = np.array([x[0], 2.0, x[1] * 3], like=x)
        b = np.asarray([[x[2], 1.0], [0.0, x[0]]], like=x)
        c = np.array([1.0, 2.0, 3.0], like=x)
        assert isinstance(c, Array)
        assert np.asarray(x, like=x) is x
        assert np.array(x, like=x) is not x
        assert np.asarray(x, np.float32, like=x).dtype == np.float32
        assert np.require(x, like=x) is x
        c[1] = x[2]
        return np.sum(a * c) + np.linalg.det(b)

    # x0 + 2 x2 + 9 x1 + x2 x0
    np.testing.assert_allclose(wg.grad(f)(X), [1 + X[2], 9.0, 2 + X[0]])


def test_values_and_dtypes_are_numpys():
    def f(x):
        for make in (
            lambda **like: np.zeros((2, 3), np.float32, **like),
            lambda **like: np.ones(3, complex, **like),
            lambda **like: np.eye(3, 4, k=1, **like),
            lambda **like: np.identity(2, **like),
            lambda **like: np.tri(3, **like),
            lambda **like: np.arange(1, 2, 0.25, **like),
            lambda **like: np.full((2, 2), 3.5, **like),
            lambda **like: np.array([[1, 2.5]], ndmin=3, **like),
            lambda **like: np.fromiter(iter([1.0, 2.0]), float, **like),
            lambda **like: np.ascontiguousarray([1.5], **like),
        ):
            found, right = make(like=x), make()
            assert isinstance(found, Array)
            assert (found.shape, found.dtype) == (right.shape, right.dtype)
            np.testing.assert_array_equal(np.asarray(found), right)  # it depends on nothing
        assert type(np.zeros(3, int, like=x)) is np.ndarray
        return np.sum(x)

    wg.grad(f)(X)
    wg.jvp(f, (X,), (X,))


def test_a_plain_table_may_be_indexed_by_each_member_of_a_batch():
    table = np.array([10.0, 20.0, 30.0])
    k = np.array([2, 0, 1, 1])
    with pytest.raises(LostDerivativeError, match=r"np\.asarray\(table, like=k\)\[k\]"):
        wg.vmap(lambda k: table[k])(k)
    np.testing.assert_array_equal(wg.vmap(lambda k: np.asarray(table, like=k)[k])(k), table[k])


def test_settings_must_be_plain():
    with pytest.raises(LostDerivativeError):
        wg.grad(lambda x: np.sum(np.arange(x[0], 3.0, like=x)))(X)


def test_integers_and_masks_of_a_batch_are_written_into_new_arrays():
    k = np.array([[1, 2, 0], [2, 2, 1]])

    def counts(k):
        y = np.zeros_like(k)
        y[0] = k[1]
        y[k] += 1
        np.add.at(y, k, k)
        return y, np.bincount([0, 2]) + y

    def mask(k):
        m = np.zeros_like(k, bool)
        m[k] = True
        return m

    def table(k):
        return np.asarray(np.array([10, 20, 30]), like=k)[k]

    for f in (mask, lambda k: counts(k)[0], lambda k: counts(k)[1]):
        np.testing.assert_array_equal(wg.vmap(f)(k), [f(row) for row in k])
        np.testing.assert_array_equal(wg.vmap(wg.vmap(f))(k[None]), [[f(row) for row in k]])
    np.testing.assert_array_equal(wg.vmap(table)(k), np.array([10, 20, 30])[k])
