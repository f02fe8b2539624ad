"""Cards: the gamma function and its relatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.elementwise import elementwise
from wengert.primitives.special import of_scipy, special

_scipy_polygamma = of_scipy("polygamma")

# Bernoulli's numbers B_2, B_4, ... of the asymptotic series.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_SHIFT = 12  # the series is used from here on; below, the function is carried up by its recurrence


def _polygamma(n: Any, x: Any) -> Any:
    """`ψ⁽ⁿ⁾(x) = (-1)ⁿ⁺¹ n! ζ(n+1, x)`, for an array or number `n`."""
    return _scipy_polygamma(n, x).astype(x.dtype)[()]


def _for_each_order(function: Callable[[Any, Any, int], Any]) -> Callable[[Any, Any, Any], Any]:
    """A function of a number `n`, for an array of them too."""

    def evaluate(a: Any, b: Any, n: Any) -> Any:
        if np.ndim(n) == 0:
            return function(a, b, int(n))
        orders = np.unique(n)
        return np.select([n == m for m in orders], [function(a, b, int(m)) for m in orders])

    return evaluate


@_for_each_order
def _polygamma_rise(a: Any, b: Any, n: int) -> Any:
    """`ψ⁽ⁿ⁾(a + b) - ψ⁽ⁿ⁾(a)` without cancellation when `b` is small beside `a`.

    With `u = 1/(a+k)` and `v = 1/(a+b+k)` it is `(-1)ⁿ n! Σ (uⁿ⁺¹ - vⁿ⁺¹)`; the sum is taken up to `k = 12`, and the rest
    is the difference of two asymptotic series, term by term (Abramowitz and Stegun, 6.4.10 and 6.4.11).
    """
    a, b = np.asarray(a), np.asarray(b)
    dtype = np.result_type(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    total = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    for k in range(_SHIFT):
        total = total + _difference_of_powers(a + k, b, n + 1)
    x = a + _SHIFT
    total = total + 0.5 * _difference_of_powers(x, b, n + 1)
    total = total + (np.log1p(b / x) if n == 0 else _difference_of_powers(x, b, n) / n)
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        weight = bernoulli * math.factorial(2 * j + n - 1) / math.factorial(2 * j) / math.factorial(n)
        total = total + weight * _difference_of_powers(x, b, 2 * j + n)
    rise = (-1) ** n * math.factorial(n) * total
    outside = (a <= 0) | (a + b <= 0)
    if np.any(outside):
        rise = np.where(outside, _polygamma(n, a + b) - _polygamma(n, a), rise)
    return rise.astype(dtype)[()]


def _difference_of_powers(x: Any, b: Any, m: int) -> Any:
    """`u^m - v^m = (u - v) Σ u^i v^(m-1-i)` for `u = 1/x` and `v = 1/(x+b)`."""
    u, v = 1 / x, 1 / (x + b)
    total, power = np.ones_like(v), np.ones_like(v)
    for _ in range(m - 1):
        power = power * u
        total = total * v + power
    return total * u * (b * v)


# fmt: off - a table of cards: name, slope for each operand, or: name, value, slope for each operand
gammaln = special("gammaln", lambda y, x: psi(x),     formula="log |Γ(a)|", domain=(0.3, 4.0))
gamma   = special("gamma",   lambda y, x: y * psi(x), formula="Γ(a)",       domain=(0.3, 4.0))
psi: Primitive = special("psi",     lambda y, x: polygamma(1, x), formula="ψ(a)",  domain=(0.3, 4.0))
betaln  = special("betaln",  lambda y, a, b: -polygamma_rise(a, b, 0), lambda y, a, b: -polygamma_rise(b, a, 0), formula="log B(a, b)", domain=(0.3, 4.0))
polygamma: Primitive = elementwise("polygamma", _polygamma, None, lambda y, n, x: polygamma(n + 1, x), formula="ψ⁽ᵃ⁾(b)", domain=((1, 3), (0.3, 4.0)))
polygamma_rise: Primitive = elementwise("polygamma_rise", _polygamma_rise,
    lambda y, a, b, n: polygamma_rise(a, b, n + 1), lambda y, a, b, n: polygamma(n + 1, a + b), None,
    formula="ψ⁽ᶜ⁾(a + b) - ψ⁽ᶜ⁾(a)", domain=((0.3, 4.0), (0.3, 4.0), (0, 2)))
# fmt: on
