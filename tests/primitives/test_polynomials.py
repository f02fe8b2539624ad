"""Polynomials by their coefficients."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs, check_value

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


# --- closed forms ----------------------------------------------------------------------------------------------------------------


def test_roots_move_by_the_implicit_function_theorem():
    p = np.poly([1.0, 2.5, -3.0])
    roots = np.roots(p)
    right = -np.vander(roots, 4) / np.polyval(np.polyder(p), roots)[:, None]  # ∂r/∂p_k = -r^(3-k) / p'(r)
    np.testing.assert_allclose(wg.jacobian(np.roots)(p), right, rtol=1e-11)


def test_fit_of_exact_data_returns_the_coefficients_and_is_linear_in_the_data():
    x = np.linspace(-1, 1, 6)
    p = r(3)
    np.testing.assert_allclose(wg.jacobian(lambda p: np.polyfit(x, np.polyval(p, x), 2))(p), np.eye(3), atol=1e-13)


def test_zeros_in_front_and_at_the_end_are_dropped_as_in_numpy():
    for p in ([0.0, 1.0, -2.0], [1.0, -2.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0]):
        p = np.array(p)
        check_value(lambda p: np.roots(p) + 0 * p[0], p)
        check_value(lambda p: np.polymul(p, [0.0, 1.0, 2.0]), p)
        check_value(lambda p: np.polydiv(p, [1.0, 2.0]), p)
