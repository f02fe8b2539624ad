"""Cards: the bell curve.  Error functions, the normal distribution, and their inverses.

Every slope has full relative precision in both tails, where the functions themselves are as small as 1e-300.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.align import align_to_inexact
from wengert.primitives.elementwise import elementwise
from wengert.primitives.special import in_double, of_order, of_scipy, only_order, special

_ROOT_PI = math.sqrt(math.pi)
_ROOT_TWO = math.sqrt(2)
_erfcx, _erfinv, _erfcinv = map(of_scipy, ("erfcx", "erfinv", "erfcinv"))
_ndtr, _log_ndtr, _ndtri = map(of_scipy, ("ndtr", "log_ndtr", "ndtri"))


def _exp_of_square(x: Any, scale: float) -> Any:
    """`exp(-scale x²)`, for which the rounding of `x²` would count `x²` times.

    So the square is taken in two parts, `x² = t² + (x - t)(x + t)`, with `t` the nearest number of half the digits,
    whose square is exact (as in W. J. Cody, Math. Comp. 23, 1969).
    """
    if x.dtype.kind == "c":
        return np.exp(-scale * x * x)
    x = np.clip(x, -50, 50)
    top = x.astype(np.float32).astype(np.float64)
    return np.exp(-scale * top * top) * np.exp(-scale * (x - top) * (x + top))


def _density(x: Any) -> Any:
    return _exp_of_square(x, 0.5) / math.sqrt(2 * math.pi)


def _hazard(x: Any) -> Any:
    """`φ(x) / Φ(x)`; on the left by erfcx, so that neither is 0."""
    if x.dtype.kind == "c":
        return np.exp(-0.5 * x * x - _log_ndtr(x)) / math.sqrt(2 * math.pi)
    left = math.sqrt(2) / _ROOT_PI / _erfcx(np.minimum(x, 1) * -math.sqrt(0.5))
    return np.where(x > 1, _density(x) / _ndtr(np.maximum(x, 1)), left)


def _hazard_excess(t: Any, k: int) -> Any:
    """`k / (t + (k+1) / (t + (k+2) / ...))`, Laplace's fraction; for `k = 1` it is `φ(t) / Φ(-t) - t`.

    Below 1 the fraction converges slowly, and there the differences that define it cancel little.
    """
    if t.dtype.kind == "c":
        msg = "hazard_excess is a function of real numbers"
        raise TypeError(msg)
    large, small = np.maximum(t, 1.0), np.minimum(t, 1.0)
    nearest = np.min(large, initial=np.inf, where=t > 1)
    depth = 8 + int(300 / nearest**2)  # terms enough for full precision at the slowest of the points
    fraction = (np.sqrt(large * large + 4 * (k + depth)) - large) / 2  # where a fraction of equal terms would end
    for j in range(k + depth - 1, k - 1, -1):
        fraction = j / (large + fraction)
    excess = _hazard(-small) - small
    for j in range(1, k):
        excess = j / excess - small
    return np.where(t > 1, fraction, excess)


_FRACTIONS = {1: (3.0, 42), 2: (2.0, 83)}  # for each order: from where on, so many terms of the fraction are enough


def _hazard_excess_spelled(t: Any, k: Any) -> Any:
    """For one order: so many terms of the fraction on the right, and else the differences."""
    order = only_order(k)
    if order not in _FRACTIONS:
        return NotImplemented
    (start, terms), x = _FRACTIONS[order], t.astype(np.float64)
    large, small = np.maximum(x, start), np.minimum(x, start)
    fraction = (np.sqrt(large * large + 4 * (order + terms)) - large) / 2
    for j in range(order + terms - 1, order - 1, -1):
        fraction = j / (large + fraction)
    excess = hazard(-small) - small
    for j in range(1, order):
        excess = j / excess - small
    return np.where(x > start, fraction, excess).astype(t.dtype)


def _over_tail(distance: Any, tail: Any) -> Any:
    """`exp(u²) = erfcx(u) / erfc(u)`, where `erfc(u)` is the tail that was asked for; infinite at its end."""
    is_end = np.isinf(distance)
    return np.where(is_end, np.inf, _erfcx(np.abs(distance)) / np.where(is_end, 1, tail))


def _quantile_slope(p: Any) -> Any:
    return math.sqrt(math.pi / 2) * _over_tail(_ndtri(p) * math.sqrt(0.5), np.minimum(p, 1 - p))


def _erfcx_slope(y: Any, x: Any) -> Any:
    """`2 x y - 2/√π`, which cancels far on the right of the real axis, as the product that it is there."""
    if x.dtype.kind == "c":
        return 2 * x * y - 2 / _ROOT_PI
    return -_ROOT_TWO * hazard_excess(_ROOT_TWO * x, 1) * y


def _in_plane(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function computed in double precision on the real line, and as it is in the complex plane."""
    on_line = in_double(function)
    return lambda x: function(x) if x.dtype.kind == "c" else on_line(x)


def _bell_code(scale: str, then: str) -> str:
    """Scalar code of `e = exp(scale a²)`, and what follows."""
    square = f"x = 50 if a > 50 else -50 if a < -50 else a; t = single(x); e = exp({scale} * t * t) * exp({scale} * (x - t) * (x + t))"
    return f"in double: {square}; {then}"


def _tail_code(distance: str, tail: str, factor: str) -> str:
    """Scalar code of `factor exp(distance²)`."""
    return f"in double: d = {distance}; t = {tail}; {factor} * (inf if abs(d) == inf else erfcx(abs(d)) / t)"


# fmt: off - tables of cards: name, value, slope, or: name, slope
gaussian       = elementwise("gaussian",       _in_plane(lambda x: _exp_of_square(x, 1.0)), lambda y, x: -2 * x * y, formula="exp(-a²)", code=_bell_code("-1", "e"))
normal_density = elementwise("normal_density", _in_plane(_density),                        lambda y, x: -x * y,     formula="φ(a)", code=_bell_code("-0.5", "e / sqrt(2 * pi)"))
hazard: Primitive = elementwise("hazard", _in_plane(_hazard), lambda y, x: -y * (x + y if x.dtype.kind == "c" else hazard_excess(-x, 1)), formula="φ(a) / Φ(a)", code=_bell_code("-0.5", "e / sqrt(2 * pi) / ndtr(a) if a > 1 else sqrt(2 / pi) / erfcx((1 if a > 1 else a) * -sqrt(0.5))"))
hazard_excess: Primitive = elementwise("hazard_excess", of_order(_hazard_excess), lambda y, t, k: y * (y - hazard_excess(t, k + 1)), None,
                         formula="b / (a + (b + 1) / (a + ...))", domain=((-2.0, 4.0), (1, 2)), align=align_to_inexact)
erfinv_slope: Primitive = elementwise("erfinv_slope", in_double(lambda x: _ROOT_PI / 2 * _over_tail(_erfinv(x), 1 - np.abs(x))), lambda y, x: 2 * erfinv(x) * y * y,
                         formula="½√π exp((erf⁻¹ a)²)", domain=(-0.9, 0.9), code=_tail_code("erfinv(a)", "1 - abs(a)", "sqrt(pi) / 2"))
erfcinv_slope: Primitive = elementwise("erfcinv_slope", in_double(lambda x: -_ROOT_PI / 2 * _over_tail(_erfcinv(x), np.minimum(x, 2 - x))), lambda y, x: 2 * erfcinv(x) * y * y,
                         formula="-½√π exp((erfc⁻¹ a)²)", domain=(0.1, 1.9), code=_tail_code("erfcinv(a)", "a if a < 2 - a else 2 - a", "-sqrt(pi) / 2"))
ndtri_slope: Primitive = elementwise("ndtri_slope", in_double(_quantile_slope), lambda y, x: ndtri(x) * y * y, formula="1 / φ(Φ⁻¹(a))", domain=(0.1, 0.9), code=_tail_code("ndtri(a) * sqrt(0.5)", "a if a < 1 - a else 1 - a", "sqrt(pi / 2)"))

erf      = special("erf",      lambda y, x: 2 / _ROOT_PI * gaussian(x),    formula="erf a", code="erf(a)")
erfc     = special("erfc",     lambda y, x: -2 / _ROOT_PI * gaussian(x),   formula="erfc a", code="erfc(a)")
erfcx    = special("erfcx",    _erfcx_slope,                      formula="exp(a²) erfc a", code="erfcx(a)")
erfinv: Primitive = special("erfinv",   lambda y, x: erfinv_slope(x),               formula="erf⁻¹ a",  domain=(-0.9, 0.9), code="erfinv(a)")
erfcinv: Primitive = special("erfcinv",  lambda y, x: erfcinv_slope(x),              formula="erfc⁻¹ a", domain=(0.1, 1.9), code="erfcinv(a)")
ndtr     = special("ndtr",     lambda y, x: normal_density(x),             formula="Φ(a)", code="ndtr(a)")
log_ndtr = special("log_ndtr", lambda y, x: hazard(x),                     formula="log Φ(a)", code="log_ndtr(a)")
ndtri: Primitive = special("ndtri",    lambda y, x: ndtri_slope(x),                formula="Φ⁻¹(a)",  domain=(0.1, 0.9), code="ndtri(a)")
# fmt: on
hazard_excess.spell(_hazard_excess_spelled)
