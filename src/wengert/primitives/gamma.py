"""Cards: the gamma function and its relatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.align import align_to_inexact, inexact_dtype
from wengert.primitives.elementwise import elementwise
from wengert.primitives.special import in_wide, of_order, of_scipy, only_order, special

_scipy_polygamma, _scipy_psi = of_scipy("polygamma"), of_scipy("psi")

# Bernoulli's numbers B_2, B_4, ... of the asymptotic series.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
MOST = 8  # the highest order that compiled programs write out
_SHIFT = 12  # the series is used from here on; below, the function is carried up by its recurrence


def _polygamma(n: Any, x: Any) -> Any:
    return _polygamma_of_order(x, n)


@of_order
def _polygamma_of_order(x: Any, n: int) -> Any:
    """`ψ⁽ⁿ⁾(x) = (-1)ⁿ⁺¹ n! Σ (x + k)⁻ⁿ⁻¹`."""
    return _complex_polygamma(x, n) if x.dtype.kind == "c" else _scipy_polygamma(n, x)


@of_order
def _polygamma_rise(a: Any, b: Any, n: int) -> Any:
    """`ψ⁽ⁿ⁾(a + b) - ψ⁽ⁿ⁾(a)` without cancellation when `b` is small beside `a`.

    With `u = 1/(a+k)` and `v = 1/(a+b+k)` it is `(-1)ⁿ n! Σ (uⁿ⁺¹ - vⁿ⁺¹)`; the sum is taken up to `k = 12`, and the rest
    is the difference of two asymptotic series, term by term (Abramowitz and Stegun, 6.4.10 and 6.4.11).
    """
    outside = (a <= 0) | (a + b <= 0)
    rise = _rise_of_positive(a, b, n)
    return np.where(outside, _rise_between_poles(a, b, n), rise) if np.any(outside) else rise


def _rise_of_positive(a: Any, b: Any, n: int) -> Any:
    total = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for k in range(_SHIFT):
        total = total + _difference_of_powers(a + k, b, n + 1)
    x = a + _SHIFT
    total = total + 0.5 * _difference_of_powers(x, b, n + 1)
    total = total + (np.log1p(b / x) if n == 0 else _difference_of_powers(x, b, n) / n)
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        weight = bernoulli * math.factorial(2 * j + n - 1) / math.factorial(2 * j) / math.factorial(n)
        total = total + weight * _difference_of_powers(x, b, 2 * j + n)
    return (-1) ** n * math.factorial(n) * total


def _rise_between_poles(a: Any, b: Any, n: int) -> Any:
    """The difference as it stands; over a whole step `b` as a finite sum, which is right at a pole of both."""
    rise = _scipy_polygamma(n, a + b) - _scipy_polygamma(n, a)
    whole = (b == np.round(b)) & (b > 0) & (b <= 1000)
    total = np.zeros_like(rise)
    for k in range(int(np.max(b, where=whole, initial=0))):
        total = total + np.where(k < b, 1 / np.where(k < b, a + k, 1) ** (n + 1), 0)
    return np.where(whole, (-1) ** n * math.factorial(n) * total, rise)


def _difference_of_powers(x: Any, b: Any, m: int) -> Any:
    """`u^m - v^m = (u - v) Σ u^i v^(m-1-i)` for `u = 1/x` and `v = 1/(x+b)`."""
    u, v = 1 / x, 1 / (x + b)
    total, power = np.ones_like(v), np.ones_like(v)
    for _ in range(m - 1):
        power = power * u
        total = total * v + power
    return total * u * (b * v)


def _complex_polygamma(z: Any, n: int) -> Any:
    """For complex `z`: the recurrence and the asymptotic series on the right, the reflection on the left."""
    if n == 0:
        return _scipy_psi(z)
    right = np.where(z.real < 0.5, 1 - z, z)
    total = sum((right + k) ** (-n - 1) for k in range(_SHIFT))
    x = right + _SHIFT
    total = total + x**-n / n + 0.5 * x ** (-n - 1)
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        weight = bernoulli * math.factorial(2 * j + n - 1) / math.factorial(2 * j) / math.factorial(n)
        total = total + weight * x ** (-2 * j - n)
    total = (-1) ** (n + 1) * math.factorial(n) * total
    reflected = (-1) ** n * total - _cotangent_derivative(z, n)
    return np.where(z.real < 0.5, reflected, total)


def _cotangent_derivative(z: Any, n: int) -> Any:
    """The derivative of order `n >= 1` of `π cot πz`: `1/sin²` times a polynomial in the cotangent.

    As `c' = -π/sin²` and `(1/sin²)' = -2π c/sin²`, the next polynomial is `-2π c Q - π (1 + c²) Q'`.
    """
    angle = math.pi * (z - np.round(z.real))
    c = np.polynomial.Polynomial([0.0, 1.0])
    polynomial = np.polynomial.Polynomial([-(math.pi**2)])
    for _ in range(n - 1):
        polynomial = -2 * math.pi * c * polynomial - math.pi * (1 + c * c) * polynomial.deriv()
    cotangent = 1 / np.tan(angle)
    value = 0.0 * cotangent
    for coefficient in polynomial.coef[::-1].tolist():
        value = value * cotangent + coefficient
    return value / np.sin(angle) ** 2


def _polygamma_spelled(n: Any, x: Any) -> Any:
    """For one order: the series and the recurrence on the right, the reflection on the left."""
    order = only_order(n)
    if order is None or not 0 <= order <= MOST:
        return NotImplemented
    z = in_wide(x)
    value = psi(z) if order == 0 else np.where((z <= 0) & (z == np.floor(z)), (-1) ** (order + 1) * np.inf, _complex_polygamma(z, order))
    return value.astype(x.dtype)


def _polygamma_rise_spelled(a: Any, b: Any, n: Any) -> Any:
    """For one order: what holds between positive numbers, and where that is not so."""
    order = only_order(n)
    if order is None or not 0 <= order <= MOST:
        return NotImplemented
    dtype = np.result_type(inexact_dtype((a, b)), np.float16)
    a, b = in_wide(a), in_wide(b)
    return _rise_of_positive(a, b, order).astype(dtype), np.logical_not((a > 0) & (a + b > 0))


# fmt: off - a table of cards: name, slope for each operand, or: name, value, slope for each operand
gammaln = special("gammaln", lambda y, x: psi(x),     formula="log |Γ(a)|", domain=(0.3, 4.0), code="gammaln(a)")
gamma   = special("gamma",   lambda y, x: y * psi(x), formula="Γ(a)",       domain=(0.3, 4.0), code="gamma(a)")
psi: Primitive = special("psi",     lambda y, x: polygamma(1, x), formula="ψ(a)",  domain=(0.3, 4.0), code="psi(a)")
betaln  = special("betaln",  lambda y, a, b: -polygamma_rise(a, b, 0), lambda y, a, b: -polygamma_rise(b, a, 0), formula="log B(a, b)", domain=(0.3, 4.0), code="betaln(a, b)")
polygamma: Primitive = elementwise("polygamma", _polygamma, None, lambda y, n, x: polygamma(n + 1, x), formula="ψ⁽ᵃ⁾(b)", domain=((1, 3), (0.3, 4.0)), align=align_to_inexact)
polygamma_rise: Primitive = elementwise("polygamma_rise", _polygamma_rise,
    lambda y, a, b, n: polygamma_rise(a, b, n + 1), lambda y, a, b, n: polygamma(n + 1, a + b), None,
    formula="ψ⁽ᶜ⁾(a + b) - ψ⁽ᶜ⁾(a)", domain=((0.3, 4.0), (0.3, 4.0), (0, 2)), align=align_to_inexact)
# fmt: on
polygamma.spell(_polygamma_spelled)
polygamma_rise.spell(_polygamma_rise_spelled)
