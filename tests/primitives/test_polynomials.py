"""Polynomials by their coefficients."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
xs = np.linspace(-1, 1, 7)


def sym(a):
    return a + np.conj(np.swapaxes(a, -1, -2))


case("polyval", np.polyval, r(4), r(2, 3))
case("polyval s", np.polyval, r(4), r())
case("polyval c", np.polyval, r(3, kind="c"), r(3))
case("polyval1", np.polyval, r(1), r(3))
case("vander", np.vander, r(3))
case("vander4", lambda x: np.vander(x, 4, True), r(3))
case("vander0", lambda x: np.vander(x, 0), r(3))
case("vander1", lambda x: np.vander(x, 1), r(3))
case("polyfit", lambda x, y: np.polyfit(x, y, 2), xs + 0.05 * r(7), r(7))
case("polyfit m", lambda x, y: np.polyfit(x, y, 2), xs + 0.05 * r(7), r(7, 2))
case("polyfit w", lambda x, y, w: np.polyfit(x, y, 2, w=w), xs, r(7), 1 + r(7) ** 2)
case("polyfit cov", lambda x, y: np.polyfit(x, y, 1, cov=True), xs, r(7))
case("polyfit cov2", lambda x, y: np.polyfit(x, y, 1, cov="unscaled"), xs, r(7, 2))
case("polyfit full", lambda x, y: np.polyfit(x, y, 2, full=True), xs, r(7))
for m in (0, 1, 2):
    case(f"polyder{m}", lambda p, m=m: np.polyder(p, m), r(5))
    case(f"polyint{m}", lambda p, m=m: np.polyint(p, m), r(3))
case("polyint k", lambda p, k: np.polyint(p, 2, k), r(3), r(2))
case("polyint k1", lambda p, k: np.polyint(p, 2, k), r(3), r())
case("polyder all", lambda p: np.polyder(p, 5), r(3))
case("polyadd", np.polyadd, r(2), r(4))
case("polysub", np.polysub, r(4), r(2))
case("polymul", np.polymul, r(3), r(2))
case("polydiv", np.polydiv, r(5), r(3))
case("polydiv short", np.polydiv, r(2), r(3))
case("polydiv c", np.polydiv, r(4, kind="c"), r(2))
case("poly", np.poly, r(3))
case("poly c", np.poly, r(3, kind="c"))
case("poly m", np.poly, sym(r(3, 3)))
case("poly conj", lambda x: np.poly(np.stack([x[0] + 1j * x[1], x[0] - 1j * x[1]])), r(2))
case("roots", np.roots, np.poly([1.0, 2.5, -3.0]))
case("roots c", np.roots, np.array([1.0, 0.3, 2.0]))
case("roots z", lambda p: np.roots(np.concatenate([p, [0.0, 0.0]])), np.poly([1.0, 2.5]))
case("roots lead", lambda p: np.roots(np.concatenate([[0.0], p])), np.poly([1.0, 2.5]))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
