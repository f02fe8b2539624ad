"""sinc and i0: full accuracy at the removable singularity, in the tails, and in every order."""

import mpmath
import numpy as np
import pytest

import wengert as wg
from wengert.primitives.removable import bessel_quotient, spherical_quotient
from wengert.testing.programs import check_program

POINTS = [0.0, 1e-300, 1e-8, 1e-3, 0.02, 0.3, 0.77, 1.0, 1.4303, 2.5, 7.3, 30.25, 1000.1, 123456.75]


def _derivatives(f, x, order):
    for k in range(order + 1):
        yield k, f(x)
        f = wg.grad(f)


def _sinc(x, k):
    """The k-th derivative of `sin(πx)/(πx)`: an integral of `cos(πxt)` over `t` in [0, 1]."""
    with mpmath.workdps(60):
        x = mpmath.mpf(x)
        if abs(x) < 2:
            terms = [(-1) ** j * mpmath.pi ** (2 * j) / mpmath.factorial(2 * j + 1) for j in range(40)]
            return mpmath.fsum(c * mpmath.ff(2 * j, k) * x ** (2 * j - k) for j, c in enumerate(terms) if 2 * j >= k)
        return mpmath.diff(lambda t: mpmath.sin(mpmath.pi * t) / (mpmath.pi * t), x, k)


@pytest.mark.parametrize("x", POINTS)
def test_sinc_in_five_orders(x):
    for k, found in _derivatives(np.sinc, x, 4):
        right = _sinc(x, k)
        scale = float(abs(right)) if x < 1 else max(float(abs(right)), np.pi**k / (x + 1))  # relative, but at zeros
        assert abs(float(mpmath.mpf(float(found)) - right)) <= 3e-15 * (1 if k else 1 + 2 * x) * scale + 1e-320
        assert wg.grad(np.sinc)(-x) == -wg.grad(np.sinc)(x)


@pytest.mark.parametrize("x", [0.0, 1e-200, 1e-5, 0.1, 1.0, 4.0, 12.5, 29.9, 30.1, 100.0, 600.0, 705.0])
def test_i0_in_five_orders(x):
    for k, found in _derivatives(np.i0, x, 4):
        with mpmath.workdps(40):
            right = sum(mpmath.binomial(k, j) * mpmath.besseli(2 * j - k, x) for j in range(k + 1)) / mpmath.mpf(2) ** k
        assert abs(float(found) - float(right)) <= 3e-15 * float(abs(right)), (k, found, right)
        assert wg.grad(np.i0)(-x) == -wg.grad(np.i0)(x)


@pytest.mark.parametrize("n", range(6))
def test_the_families(n):
    x = np.array([0.0, 1e-3, 0.5, 1.7, n + 1.74, n + 1.76, 9.0, 29.99, 30.01, 50.0]) / np.pi
    with mpmath.workdps(40):
        series = lambda z: mpmath.hyp0f1(n + mpmath.mpf(3) / 2, -z * z / 4) / mpmath.fac2(2 * n + 1)
        right = [float(series(mpmath.pi * mpmath.mpf(float(t)))) for t in x]
        modified = lambda z: mpmath.hyp0f1(n + 1, z * z / 4) / mpmath.mpf(2) ** n / mpmath.factorial(n)
        grown = [float(modified(mpmath.mpf(float(t)))) for t in x * np.pi]
    np.testing.assert_allclose(spherical_quotient(x, n), right, rtol=1e-14, atol=1e-16 * max(right))
    np.testing.assert_allclose(bessel_quotient(x * np.pi, n), grown, rtol=4e-15)


def test_as_programs():
    x = np.array([[0.0, 0.4, -1.3], [2.2, 1e-9, -0.7]])
    check_program(np.sinc, x)
    check_program(lambda x: np.i0(x) * np.sinc(x), x)
    check_program(lambda z: np.sinc(z) ** 2, x * (1 + 0.3j) + 0.1j)
    with pytest.raises(TypeError):
        wg.grad(lambda z: np.abs(np.i0(z)))(1j)


def test_single_precision_stays():
    x = np.array([0.5, 1.5], np.float32)
    for f in (np.sinc, np.i0):
        gradient = wg.grad(lambda x: np.sum(f(x)))(x)
        assert gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, wg.grad(lambda x: np.sum(f(x)))(x.astype(float)), rtol=1e-6)
