"""Choosing by conditions, and writing into chosen places."""

import numpy as np
import pytest

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
