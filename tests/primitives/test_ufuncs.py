"""Calls of ufuncs with NumPy's keywords."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import AssignmentError, UnsupportedFunctionError
from wengert.testing.programs import check_program

X = np.array([[0.3, -1.2, 0.7], [1.4, 0.9, -0.4]])
Y = np.array([1.1, 0.65, -2.3])


def out_of_one(x, y):
    out = np.zeros_like(x)
    result = np.multiply(x, y, out=out)
    assert result is out
    return out + np.sin(x)


def out_in_a_tuple(x, y):
    out = np.ones_like(x)
    np.add(x, y, out=(out,))
    return out * x


def positional_out(x, y):
    out = np.ones_like(x)
    np.subtract(x, y, out)
    return out * x


def out_is_an_operand(x, y):
    z = x * 1.0
    np.exp(z, out=z)
    np.multiply(z, z, out=z)
    return z + y


def out_is_a_view(x, y):
    z = np.zeros_like(x, shape=(3, 3))
    np.multiply(x, y, out=z[::2])
    np.sin(y, out=z[1])
    return z * z


def two_outs(x, y):
    q, r = np.zeros_like(x), np.zeros_like(x)
    np.divmod(x, y, out=(q, r))
    m, _ = np.modf(x * y, out=(q, None))
    return r, m


def where_without_out(x, y):
    return np.multiply(x, y, where=X > 0, out=None) * (X > 0)


def where_with_out(x, y):
    out = np.cos(x)
    np.divide(y, x, out=out, where=X > 0)
    return out


def where_broadcasts(x, y):
    return np.add(x, 1.0, where=np.array([True, False, True]), out=np.zeros_like(x, shape=(2, 2, 3)))


def where_depends_on_the_value(x, y):
    return np.log(x, where=x > 0, out=np.zeros_like(x))


def dtypes(x, y):
    return np.add(x, y, dtype=np.complex128), np.sin(y, dtype=complex), np.multiply(x, 2, signature=(complex,) * 3)


def out_of_a_greater_shape(x, y):
    out = np.zeros_like(x, shape=(4, 3))
    np.add(y, 1.0, out=out)
    return out


def matmul_axes(x, y):
    a = np.reshape(np.outer(y, y), (3, 1, 3)) + np.sin(y)
    return np.matmul(a, x, axes=[(0, 2), (1, 0), (0, 1)]), np.matmul(x, y, axes=[(0, 1), (0,), (0,)])


@pytest.mark.parametrize(
    "program",
    [
        out_of_one, out_in_a_tuple, positional_out, out_is_an_operand, out_is_a_view, two_outs, where_without_out,
        where_with_out, where_broadcasts, where_depends_on_the_value, dtypes, out_of_a_greater_shape, matmul_axes,
    ],
)  # fmt: skip
def test_keywords(program):
    check_program(lambda z: program(z[:2], z[2]), np.vstack([X, Y]))


def test_single_precision():
    f = lambda x: np.multiply(x, x, dtype=np.float32)
    y, dy = wg.jvp(f, (Y,), (np.ones(3),))
    assert y.dtype == dy.dtype == np.float32
    np.testing.assert_array_equal(y, f(Y))
    np.testing.assert_allclose(dy, 2 * Y, rtol=1e-6)
    gradient = wg.grad(lambda x: np.sum(f(x)))(Y)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, 2 * Y, rtol=1e-6)


def test_generalized_ufuncs_along_other_axes():
    vecdot = getattr(np, "vecdot", None)
    if vecdot is not None:  # NumPy 2.0
        check_program(lambda x, y: vecdot(x, x * x, axis=0), X, Y)
        check_program(lambda x, y: vecdot(x, x * x, axis=0, keepdims=True), X, Y)
        check_program(lambda x, y: vecdot(x, x * x, axes=[0, 0, ()]), X, Y)


def test_plain_out_would_lose_the_derivative():
    plain = np.zeros(3)
    for write in (lambda y: np.add(y, 1.0, out=plain), lambda y: np.multiply(plain, y, out=(plain,))):
        with pytest.raises(AssignmentError, match="plain array"):
            wg.grad(lambda y: np.sum(write(y)))(Y)

    def in_place(y):
        table = np.ones(3)
        table += y
        return np.sum(table)

    with pytest.raises(AssignmentError, match=r"table = table \+ y"):
        wg.grad(in_place)(Y)


def test_plain_out_of_a_comparison_is_written():
    mask = np.zeros(3, bool)

    def f(y):
        np.greater(y, 0, out=mask)
        return np.sum(np.where(mask, y, 0.0))

    np.testing.assert_array_equal(wg.grad(f)(Y), [1.0, 1.0, 0.0])
    np.testing.assert_array_equal(mask, Y > 0)


def test_plain_operands_into_a_traced_out():
    def f(y):
        out = y * 1.0
        np.add(np.ones(3), 2.0, out=out)
        return np.sum(out * y)

    np.testing.assert_array_equal(wg.grad(f)(Y), [3.0, 3.0, 3.0])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: np.add(x, np.ones((4, 3)), out=np.zeros_like(x)), ValueError),
        (lambda x: np.add(x, 1j, out=np.zeros_like(x)), TypeError),
        (lambda x: np.add(x, 1.0, dtype=int), TypeError),
        (lambda x: np.add(x, 1.0, casting="nonsense"), ValueError),
        (lambda x: np.add(x, 1.0, where=np.ones(3), out=None), TypeError),
        (lambda x: np.add(x, 1.0, nonsense=3), TypeError),
        (lambda x: np.sin(x, out=x[0, 0]), TypeError),
    ],
)
def test_errors_are_numpys(call, error):
    with pytest.raises(error):
        call(X)
    with pytest.raises(error):
        wg.grad(lambda x: np.sum(call(x)))(X)


def test_unknown_ufunc():
    with pytest.raises(UnsupportedFunctionError):
        wg.grad(lambda x: np.sum(np.isnat(x)))(Y)


def test_what_the_mask_leaves_out_contributes_nothing():
    """Where NumPy does not compute, there is neither a warning nor a derivative, however singular the slope."""
    a, b = np.array([1.0, 2.0, -3.0, 4.0]), np.array([0.0, 4.0, 0.0, -0.5])
    safe = b != 0

    def ratio(a, b):
        out = np.zeros_like(a * b)
        np.divide(a, b, out=out, where=b != 0)
        return np.sum(out**2) + np.sum(np.log(b, where=b > 0, out=np.zeros_like(b))) + np.sum(np.sqrt(b, where=b > 0, out=None) * (b > 0))

    inverse = np.where(safe, 1 / np.where(safe, b, 1.0), 0.0)
    da, db = wg.grad(ratio, (0, 1))(a, b)
    np.testing.assert_allclose(da, 2 * a * inverse**2, rtol=1e-14)
    np.testing.assert_allclose(db, -2 * a**2 * inverse**3 + [0, 1 / 4 + 1 / 4, 0, 0], rtol=1e-14)
    second = wg.hessian(ratio, (0, 1))(a, b)
    np.testing.assert_allclose(np.diag(second[0][0]), 2 * inverse**2, rtol=1e-14)
    np.testing.assert_allclose(np.diag(second[1][1]), 6 * a**2 * inverse**4 + [0, -1 / 16 - 1 / 32, 0, 0], rtol=1e-13)
    value, tangent = wg.jvp(ratio, (a, b), (np.ones(4), np.ones(4)))
    np.testing.assert_allclose(tangent, np.sum(da) + np.sum(db), rtol=1e-14)
