"""Linear systems, inverses and determinants."""

import numpy as np
import pytest

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
