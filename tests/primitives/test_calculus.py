"""Interpolation, finite differences and quadrature."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal

case("interp", np.interp, np.array([-2.0, -0.3, 0.2, 0.8, 2.0]), np.array([-1.0, 0.0, 0.5, 1.0]), r(4))
case(
    "interp lr",
    lambda x, f: np.interp(x, [0.0, 1, 2], f, left=-1.0, right=3.0),
    np.array([-2.0, -0.3, 0.2, 0.8, 2.5]),
    r(3),
)
case(
    "interp lr tr",
    lambda x, f, l: np.interp(x, [0.0, 1, 2], f, left=l, right=l * 2),
    np.array([-2.0, 0.2, 0.8, 2.5]),
    r(3),
    r(),
)
case("interp per", lambda x, f: np.interp(x, [0.0, 1, 2], f, period=3.0), np.array([-1.9, -0.3, 0.2, 0.8, 2.3]), r(3))
case("interp s", lambda x, f: np.interp(x, [0.0, 1, 2], f), np.array(0.7), r(3))
case("interp c", lambda x, f: np.interp(x, [0.0, 1, 2], f), np.array([0.3, 1.2]), r(3, kind="c"))
case("interp 2d", lambda x, f: np.interp(x, [0.0, 1, 2], f), np.array([[0.3, 1.2]]), r(3))
case("gradient", np.gradient, r(5))
case("gradient2", lambda f: np.gradient(f), r(4, 5))
case("gradient eo", lambda f: np.gradient(f, 0.3, edge_order=2), r(5))
case("gradient x", lambda f, x: np.gradient(f, x), r(5), np.cumsum(1 + r(5) ** 2))
case("gradient x eo", lambda f, x: np.gradient(f, x, edge_order=2), r(5), np.cumsum(1 + r(5) ** 2))
case("gradient h", lambda f, h: np.gradient(f, h, axis=1), r(3, 4), np.array(0.7))
case("gradient hs", lambda f: np.gradient(f, 0.2, [0.0, 1, 3, 4], edge_order=2), r(3, 4))
case("gradient c", np.gradient, r(4, kind="c"))
case("gradient uni", lambda f: np.gradient(f, [0.0, 1.0, 2.0, 3.0]), r(4))
case("trapezoid", np.trapezoid, r(5))
case("trapezoid x", np.trapezoid, r(2, 5), r(5))
case("trapezoid xx", lambda y, x: np.trapezoid(y, x, axis=0), r(5, 2), r(5, 2))
case("trapezoid dx", lambda y, d: np.trapezoid(y, dx=d, axis=0), r(5, 2), r())
case("trap empty", np.trapezoid, r(0))
case("trap 1", np.trapezoid, r(1))
case("trap c", np.trapezoid, r(4, kind="c"), r(4))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- kinks and conventions ----------------------------------------------------------------------------------------------------


def test_slope_of_interpolation_at_a_knot_is_the_mean_and_outside_it_is_zero():
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 0.0])
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0])
    slopes = wg.grad(lambda x: np.sum(np.interp(x, xp, fp)))(x)
    np.testing.assert_array_equal(slopes, [0.0, 1.0, 2.0, 0.5, -1.0, -0.5, 0.0])


def test_interpolation_in_the_values_is_linear():
    xp, x = np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.5, 3.0, 9.0])
    j = wg.jacobian(lambda fp: np.interp(x, xp, fp))(r(3))
    np.testing.assert_allclose(j, [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [0, 0, 1]], atol=1e-15)


def test_gradient_is_exact_on_parabolas():
    x = np.cumsum(1 + r(6) ** 2)
    jacobian = wg.jacobian(lambda f: np.gradient(f, x, edge_order=2))(x**2)
    np.testing.assert_allclose(jacobian @ x**2, 2 * x, rtol=1e-10)


def test_integer_samples():
    y, dy = wg.jvp(
        lambda x: np.trapezoid(np.array([1, 2, 4]), x), (np.array([0.0, 1.0, 3.0]),), (np.array([0.0, 0.0, 1.0]),)
    )
    assert (y, dy) == (7.5, 3.0)
