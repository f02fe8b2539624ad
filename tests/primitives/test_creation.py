"""Arrays like traced ones, ranges between traced ends, grids."""

import numpy as np
import pytest

from wengert.testing.programs import Programs, check_value

case = Programs(seed=3)
r = case.normal

case("zl", lambda a: np.zeros_like(a) + a, r(2))
case("fl", lambda a, b: np.full_like(a, b), r(2, 2), r())
case("fl c", lambda a, b: np.full_like(a, b, dtype=complex), r(2, 2), r())
case("linspace", lambda a, b: np.linspace(a, b, 5), r(), r())
case("linspace a", lambda a, b: np.linspace(a, b, 4, endpoint=False, axis=-1), r(2), r(2))
case("linspace rs", lambda a, b: np.linspace(a, b, 4, retstep=True), r(), r())
case("linspace 1", lambda a, b: np.linspace(a, b, 1), r(), r())
case("linspace 0", lambda a, b: np.linspace(a, b, 0) + 0 * a, r(), r())
case("linspace c", lambda a, b: np.linspace(a, b, 3), r(kind="c"), r())
case("linspace one", lambda a: np.linspace(0, a, 3), r())
case("logspace", lambda a, b: np.logspace(a, b, 4), r(), r())
case("logspace b", lambda a, b: np.logspace(0, 1, 3, base=a * a + b * b), r(), r())
case("logspace bv", lambda a, b: np.logspace(0, b, 3, base=a * a + 1, axis=-1), r(2), r())
case("geomspace", lambda a, b: np.geomspace(a, b, 4), np.array(1.5), np.array(4.0))
case("geomspace n", lambda a, b: np.geomspace(a, b, 4, endpoint=False), np.array(-1.5), np.array(-4.0))
case("geomspace v", lambda a, b: np.geomspace(a, b, 4, axis=1), np.array([1.5, 2]), np.array([4.0, 1]))
case("geomspace c", lambda a, b: np.geomspace(a, b, 4), np.array(1.5 + 1j), np.array(4.0 - 2j))
case("meshgrid", lambda a, b: np.meshgrid(a, b), r(2), r(3))
case("meshgrid ij", lambda a, b: np.meshgrid(a, b, indexing="ij", sparse=True), r(2), r(3))
case("meshgrid3", lambda a, b: np.meshgrid(a, b, a), r(2), r(3))
case("meshgrid1", lambda a: np.meshgrid(a), r(3))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


def test_linspace_of_integers_is_numpys_value():
    check_value(lambda a: np.linspace(a, 10 * a, 5, dtype=int) + a, np.array(1.3))
