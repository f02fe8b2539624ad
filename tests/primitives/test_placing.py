"""Choosing by conditions, and writing into chosen places."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal


def written(f):

    def g(*a):
        y = np.copy(a[0] * 1.0)
        f(y, *a[1:])
        return y * y

    return g


case("where", lambda a, b: np.where([[True], [False]], a, b), r(2, 3), r(3))
case("where s", lambda a: np.where(a > 0, a * a, 0), r(4))
case("choose", lambda a, b: np.choose([0, 1, 1], [a, b]), r(3), r(3))
case("choose w", lambda a, b: np.choose([0, 5, -1], [a, b], mode="wrap"), r(3), r())
case("select", lambda a, b: np.select([[True, False, False], [True, True, False]], [a, b], 9.0), r(3), r(3))
case("select d", lambda a, b: np.select([a > 0, a < -0.5], [a * a, b], default=b * 2), r(3), r(3))
case("piecewise", lambda a: np.piecewise(a, [a < 0, a >= 0], [lambda x: -x * x, lambda x: x**3]), r(5))
case("piecewise d", lambda a: np.piecewise(a, [a < 0], [lambda x: -x * x, 2.0]), r(5))
case("piecewise arg", lambda a: np.piecewise(a, [a < 0], [lambda x, k: -x * k, lambda x, k: x * x], 3.0), r(5))
case("piecewise 0d", lambda a: np.piecewise(a, [a < 0, a >= 0], [lambda x: -x * x, lambda x: x**3]), r())
case("where weak", lambda a: np.where(a > 0, a, 1.0), r(3))
case("where weak2", lambda a: np.where(a > 0, 2, a), r(3))
case("where int", lambda a: np.where(a > 0, a, np.arange(3)), r(3))
case("place", written(lambda y, v: np.place(y, np.array([True, False, True, True]), v)), r(4), r(2))
case("put", written(lambda y, v: np.put(y, [0, -1], v)), r(2, 3), r(2))
case("put cyc", written(lambda y, v: np.put(y, [0, 1, 0], v)), r(4), r(2))
case("put clip", written(lambda y, v: np.put(y, [9, -9], v, mode="clip")), r(4), r(2))
case("put wrap", written(lambda y, v: np.put(y, [9, -9], v, mode="wrap")), r(4), r(2))
case("putmask", written(lambda y, v: np.putmask(y, np.array([True, False, True, True]), v)), r(4), r(3))
case("copyto", written(lambda y, v: np.copyto(y, v)), r(2, 3), r(3))
case("copyto w", written(lambda y, v: np.copyto(y, v, where=[True, False, True])), r(2, 3), r(3))
case("fill_diagonal", written(lambda y, v: np.fill_diagonal(y, v)), r(3, 3), r())
case("fill_diagonal v", written(lambda y, v: np.fill_diagonal(y, v)), r(3, 2), r(2))
case("fill_diagonal w", written(lambda y, v: np.fill_diagonal(y, v, wrap=True)), r(5, 2), r(2))
case("fill_diagonal 3", written(lambda y, v: np.fill_diagonal(y, v)), r(2, 2, 2), r())


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- a branch that is not taken contributes nothing ----------------------------------------------------------------------------

BRANCHES = {
    "where": lambda x: np.where(x > 0, np.sqrt(x), 0.0),
    "where, otherwise": lambda x: np.where(x <= 0, 0.0, np.sqrt(x)),
    "select": lambda x: np.select([x > 0], [np.sqrt(x)], 0.0),
    "choose": lambda x: np.choose((np.asarray([0.0, 4.0]) > 0).astype(int), [np.zeros(2), np.sqrt(x)]),
    "piecewise": lambda x: np.piecewise(x, [x > 0], [np.sqrt, 0.0]),
    "mask": lambda x: np.where(np.array([False, True]), np.log(x), 0.0) * 0.5,
}


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_not_taken_have_no_slope_in_any_mode(name):
    f, x = BRANCHES[name], np.array([0.0, 4.0])
    slope = 0.125 if name == "mask" else 0.25
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(wg.grad(lambda x: np.sum(f(x)))(x), [0.0, slope])
        np.testing.assert_array_equal(wg.jvp(f, (x,), (np.ones(2),))[1], [0.0, slope])
        second = wg.hessian(lambda x: np.sum(f(x)))(x)
    assert np.isfinite(second).all()
    assert second[0, 0] == 0.0


def test_writing_leaves_no_stale_derivative():
    def program(x):
        y = np.copy(x)
        np.fill_diagonal(y, 1.0)
        np.put(y, [1], x[0, 0] * 3)
        np.putmask(y, np.array([[False, False], [True, False]]), x * 2)
        return y

    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(program(x), wg.jvp(program, (x,), (x,))[0])
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(program(x)))(x), [[3.0, 0.0], [2.0, 0.0]])


@pytest.mark.parametrize("write", [
    lambda y, v: np.putmask(y, y > 0, v[:0]),
    lambda y, v: np.put(y, [0, 1], v[:0]),
    lambda y, v: np.copyto(y, v[None, None]),
], ids=["putmask of nothing", "put of nothing", "copyto of more axes"])  # fmt: skip
def test_what_is_written_fits_as_in_numpy(write):
    def program(x, v):
        y = x * 1.0
        write(y, v)
        return y

    x, v = np.array([1.0, -2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    np.testing.assert_array_equal(wg.jvp(program, (x, v), (x, v))[0], program(x, v), strict=True)


@pytest.mark.parametrize("write", [lambda y, v: np.place(y, True, v), lambda y, v: np.put(y, [0, 0], v)])
def test_writing_into_an_array_without_axes(write):
    def program(x, v):
        y = x.copy()
        write(y, v)
        return y

    x, v = np.array(1.0), np.array([4.0, 5.0])
    np.testing.assert_array_equal(wg.jvp(program, (x, v), (x, v))[0], program(x, v), strict=True)
