"""Cards of functions with a removable singularity: `sinc` and the Bessel function `i0`.

Their derivatives are quotients that become 0/0 at the origin.  Each belongs to a family that differentiation
does not leave, and whose members are computed as a whole, without cancellation:

    s_n(x) = j_n(πx) / (πx)ⁿ   spherical Bessel functions   s_n' = -π² x s_{n+1}   sinc = s_0
    g_n(x) = I_n(x) / xⁿ       modified Bessel functions    g_n' = x g_{n+1}       i0   = g_0

(NIST Digital Library of Mathematical Functions, 10.51(ii), 10.53, 10.25, 10.29(ii), 10.40(i).)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.elementwise import elementwise
from wengert.primitives.special import only_order

_MOST = 4  # the highest order that compiled programs write out
_EPS = np.finfo(float).eps


def _for_each_order(function: Callable[[Any, int], Any], kinds: str) -> Callable[[Any, Any], Any]:
    """`function(x, n)` for an integer `n` as a function that takes an array of orders as well, in the precision of `x`."""

    def evaluate(x: Any, n: Any) -> Any:
        x, n = np.broadcast_arrays(x, n)
        if x.dtype.kind == "c" and "c" not in kinds:
            msg = "not supported for complex values"
            raise TypeError(msg)
        wide = np.asarray(x, complex if x.dtype.kind == "c" else float)
        out = np.zeros(x.shape, wide.dtype)
        for order in np.unique(n):
            chosen = n == order
            out[chosen] = function(wide[chosen], int(order))
        return out.astype(x.dtype if x.dtype.kind in kinds else float)[()]

    return evaluate


def _series(x: Any, first: float, ratio: Callable[[int], Any]) -> Any:
    """`first (1 + r_1 (1 + r_2 (1 + ...)))`, until the terms are below the rounding of the sum."""
    term = np.full_like(x, first)
    total = term.copy()
    k = 0
    while np.any(np.abs(term) > 0.01 * _EPS * np.abs(total)):
        k += 1
        term = term * ratio(k)
        total += term
    return total


# --- spherical Bessel functions -----------------------------------------------------------------------------------------------


def _sine_and_cosine(x: Any) -> tuple[Any, Any]:
    """`sin πx` and `cos πx`, from the exact distance of `x` to the nearest multiple of a half."""
    quarter = np.rint(2 * x.real)
    angle = np.pi * (x - quarter / 2)
    sine, cosine = np.sin(angle), np.cos(angle)
    turn = quarter % 4
    swapped = turn % 2 == 1
    s, c = np.where(swapped, cosine, sine), np.where(swapped, -sine, cosine)
    sign = np.where(turn < 2, 1.0, -1.0)
    return s * sign, c * sign


def _spherical(x: Any, n: int) -> Any:
    z = np.pi * x
    out = np.zeros_like(z)
    near = np.abs(z) < n + 1.75
    first = 1.0 / float(np.prod(np.arange(1, 2 * n + 2, 2)))
    square = np.square(z[near]) / 2
    out[near] = _series(square, first, lambda k: -square / (k * (2 * n + 2 * k + 1)))
    far = z[~near]
    sine, cosine = _sine_and_cosine(x[~near])
    lower, here = cosine, sine / far  # s_{-1} x² and s_0
    for m in range(n):
        lower, here = here, ((2 * m + 1) * here - lower) / np.square(far)
    out[~near] = here
    return out


def _terms(x: Any, n: int, first: float, ratio: Callable[[int], Any]) -> Any:
    """So many terms of `first (1 + r_1 (1 + r_2 (1 + ...)))`."""
    total = np.ones_like(x)
    for k in range(n, 0, -1):
        total = 1 + ratio(k) * total
    return first * total


def _spherical_spelled(x: Any, n: Any) -> Any:
    """For one order: so many terms near 0, the recurrence elsewhere."""
    order = only_order(n)
    if order is None or not 0 <= order <= _MOST:
        return NotImplemented
    wide = x.astype(np.float64)
    z = np.pi * wide
    near = np.abs(z) < order + 1.75
    first = 1.0 / float(np.prod(np.arange(1, 2 * order + 2, 2)))
    square = np.square(np.where(near, z, 0)) / 2
    series = _terms(square, 8 + 3 * order, first, lambda k: -square / (k * (2 * order + 2 * k + 1)))
    far = np.where(near, 1, z)
    sine, cosine = _sine_and_cosine(wide)
    lower, here = cosine, sine / far
    for m in range(order):
        lower, here = here, ((2 * m + 1) * here - lower) / np.square(far)
    return np.where(near, series, here).astype(x.dtype)


spherical_quotient: Primitive = elementwise(
    "spherical_quotient",
    _for_each_order(_spherical, "fc"),
    lambda y, x, n: -(np.pi**2) * x * spherical_quotient(x, n + 1),
    None,
    domain=((-3.0, 3.0), (0, 3)),
    formula="j_b(π a) / (π a)ᵇ",
)
sinc = elementwise(
    "sinc", np.sinc, lambda y, x: -(np.pi**2) * x * spherical_quotient(x, 1),
    domain=(-3.0, 3.0), formula="sin(π a) / (π a)", numpy=(np.sinc,), code="y = pi * (1e-20 if a == 0 else a); sin(y) / y",
)  # fmt: skip


# --- modified Bessel functions ---------------------------------------------------------------------------------------------------

_LARGE = 30.0  # from here on the asymptotic series has more than double precision


def _modified(x: Any, n: int) -> Any:
    size = np.abs(x)
    out = np.zeros_like(size)
    near = size <= _LARGE
    square = np.square(size[near]) / 4
    first = 1.0 / float(np.prod(2.0 * np.arange(1, n + 1)))
    out[near] = _series(square, first, lambda k: square / (k * (n + k)))
    far = size[~near]
    total = _series(far, 1.0, lambda k: -(4 * n * n - (2 * k - 1) ** 2) / (8 * k * far))
    half = np.exp(far / 2)  # exp(x) would overflow before I_n does
    out[~near] = half * (total / np.sqrt(2 * np.pi * far) / far**n) * half
    return out


def _modified_spelled(x: Any, n: Any) -> Any:
    """For one order: so many terms of the series near 0, and of the asymptotic one far away."""
    order = only_order(n)
    if order is None or not 0 <= order <= _MOST:
        return NotImplemented
    size = np.abs(x.astype(np.float64))
    near = size <= _LARGE
    square = np.square(np.where(near, size, 0)) / 4
    first = 1.0 / float(np.prod(2.0 * np.arange(1, order + 1)))
    series = _terms(square, 60, first, lambda k: square / (k * (order + k)))
    far = np.where(near, _LARGE, size)
    total = _terms(far, 30, 1.0, lambda k: -(4 * order * order - (2 * k - 1) ** 2) / (8 * k * far))
    half = np.exp(far / 2)
    return np.where(near, series, half * (total / np.sqrt(2 * np.pi * far) / far**order) * half).astype(x.dtype)


bessel_quotient: Primitive = elementwise(
    "bessel_quotient",
    _for_each_order(_modified, "f"),
    lambda y, x, n: x * bessel_quotient(x, n + 1),
    None,
    domain=((-5.0, 5.0), (0, 3)),
    formula="I_b(a) / aᵇ",
)
i0 = elementwise(
    "i0", np.i0, lambda y, x: x * bessel_quotient(x, 1), domain=(-5.0, 5.0), formula="I₀(a)", numpy=(np.i0,), code="i0(a)"
)
spherical_quotient.spell(_spherical_spelled)
bessel_quotient.spell(_modified_spelled)
