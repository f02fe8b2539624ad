"""Slopes that used to overflow, underflow, cancel or lose a sign, at the points where they did."""

import numpy as np
import pytest
from mpmath import mp

import wengert as wg


def second(f):
    return wg.grad(wg.grad(f))


def test_far_out_nothing_underflows_on_the_way():
    assert second(np.arctan)(1e100) == pytest.approx(-2e-300, rel=1e-15)
    assert second(np.arcsinh)(1e150) == pytest.approx(-1e-300, rel=1e-15)
    assert wg.grad(np.arcsinh)(1e200) == pytest.approx(1e-200, rel=1e-15)
    assert wg.grad(np.tanh)(300.0) == pytest.approx(4 * np.exp(-300.0) * np.exp(-300.0), rel=1e-14)


def test_near_zero_nothing_cancels():
    x = 1e-12
    assert second(np.arctanh)(x) == pytest.approx(2 * x, rel=1e-15)
    assert second(np.arcsin)(x) == pytest.approx(x, rel=1e-15)
    assert second(np.arccos)(x) == pytest.approx(-x, rel=1e-15)


def test_hypot_of_very_different_sides():
    by_a = wg.grad(lambda a: wg.grad(np.hypot)(a, 1e-10))(1.0)
    assert by_a == pytest.approx(1e-20, rel=1e-15)
    assert wg.grad(np.hypot, (0, 1))(1e-300, 1e300) == (0.0, 1.0)
    assert wg.grad(np.hypot, (0, 1))(0.0, 0.0) == (0.0, 0.0)


def test_arctan2_on_the_diagonal():
    """`(a² - b²) / (a² + b²)²`: the difference of nearly equal squares."""
    a, b = 1.0, 1.0 + 2.0**-40
    mixed = wg.grad(lambda b: wg.grad(np.arctan2)(a, b))(b)
    assert mixed == pytest.approx((a - b) * (a + b) / (a * a + b * b) ** 2, rel=1e-14)
    assert wg.grad(np.arctan2, (0, 1))(1e300, 1e300) == (pytest.approx(5e-301), pytest.approx(-5e-301))


def test_logaddexp_knows_what_the_rounding_of_a_difference_lost():
    a, b = 0.1, 700.3  # b - a is rounded, and exp(a - b) would multiply that error by 700
    with np.errstate(all="raise"):
        share = wg.grad(np.logaddexp)(a, b)
    low = (a - (a - b)) - b
    assert share == pytest.approx(np.exp(a - b) * (1 + low), rel=1e-15)
    assert second(lambda x: np.logaddexp(x, 0.0))(0.0) == 0.25


@pytest.mark.parametrize(("a", "p"), [(1e300, 0.1), (1e-300, 0.3), (1e100, -1.1)])
def test_power_whose_exponent_less_one_is_rounded(a, p):
    with mp.workdps(40):
        true = mp.mpf(p) * mp.mpf(a) ** (mp.mpf(p) - 1)
        assert float(abs(wg.grad(np.power)(a, p) / true - 1)) < 1e-15


def test_power_at_the_ends():
    grad = wg.grad(np.power, (0, 1))
    assert wg.grad(np.power)(0.0, 0.3) == np.inf
    assert wg.grad(np.power)(0.0, 0.0) == 0.0
    assert wg.grad(np.power)(np.inf, 0.1) == 0.0
    assert grad(0.0, 2.0) == (0.0, 0.0)
    assert second(lambda x: x**1)(0.0) == 0.0


def test_remainder_of_a_small_number_by_a_large_negative_one():
    """`floor(a / b)` of a quotient that underflows is -1, not -0."""
    assert wg.grad(np.remainder, 1)(1e-300, -1e300) == 1.0
    assert wg.grad(np.fmod, 1)(7.5, 2.0) == -3.0


def test_complex_tangent_far_from_the_real_axis():
    """`1 + tan²` cancels there, and the cosine overflows."""
    z = 0.3 + 300j
    slope = wg.grad(np.tan, holomorphic=True)(z)
    assert slope == pytest.approx(4 * np.exp(-600) * np.exp(0.6j), rel=1e-13)
    assert wg.grad(np.tanh, holomorphic=True)(1000 + 0.5j) == 0.0


@pytest.mark.parametrize("side", [0.0, -0.0])
def test_sides_of_the_cut_of_arcsin(side):
    z = complex(2.0, side)
    sign = np.copysign(1.0, side)
    assert wg.grad(np.arcsin, holomorphic=True)(z) == pytest.approx(sign * 1j / np.sqrt(3.0))
