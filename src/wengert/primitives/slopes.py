"""Cards that are slopes of other cards, and whose own slopes lose no digits.

A slope that is an ordinary expression differentiates into a sum, and the sum may cancel: the second derivative of
`artanh a` from `1 / ((1 - a) (1 + a))` is a difference of two numbers near 1, when `a` is near 0.  As a card it states its
slope as a product instead, `2 a y²`, which is exact to rounding, near 0 and near 1 and everywhere between; and the
products are ordered so that none overflows or underflows on the way to a result that does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.primitives.elementwise import elementwise


def _sech(x: Any) -> Any:
    """`1 / cosh x` without overflow, to full relative precision in the tails."""
    if x.dtype.kind == "c":
        return _sech_complex(x)
    u = np.exp(-np.abs(x))
    return 2 * u / (1 + u * u)


def _sech_complex(x: Any) -> Any:
    near = np.abs(x.real) < 1  # where `1 + u²` may cancel, and cosh cannot overflow
    right = np.where(x.real < 0, -x, x)
    u = np.exp(-np.where(near, 0, right))
    return np.where(near, 1 / np.cosh(np.where(near, x, 0)), 2 * u / (1 + u * u))[()]


# `1 + z` and `1 - z` for complex z, keeping the sign of a zero imaginary part, which says on which side of a cut z is:
# in `1 - z` it would be that of `0 - 0`.


def _one_plus(z: Any) -> Any:
    return z - -1


def _one_minus(z: Any) -> Any:
    return -(z - 1) if z.dtype.kind == "c" else 1 - z


def _times_i(z: Any) -> Any:
    turned = np.empty_like(z)
    turned.real, turned.imag = -z.imag, z.real
    return turned[()]


def _over_one_plus_square(x: Any) -> Any:
    """`1 / (1 + x²)`; in the complex plane by its factors, which neither cancel at `±i` nor overflow."""
    if x.dtype.kind != "c":
        return 1 / (1 + x * x)
    z = _times_i(x)
    return 1 / _one_plus(z) / _one_minus(z)


def _over_hypotenuse(x: Any) -> Any:
    """`1 / √(1 + x²)`."""
    return 1 / np.hypot(x, x.dtype.type(1)) if x.dtype.kind != "c" else _over_roots(_times_i(x))


def _over_roots(x: Any) -> Any:
    """`1 / √(1 - x²)`."""
    return 1 / np.sqrt(_one_plus(x)) / np.sqrt(_one_minus(x))


# fmt: off - a table of cards: name, value, slope
sech          = elementwise("sech",          _sech,                  lambda y, x: -y * np.tanh(x),   formula="sech a", code="u = exp(-abs(a)); 2 * u / (1 + u * u)")
arctan_slope  = elementwise("arctan_slope",  _over_one_plus_square,  lambda y, x: -2 * (x * y) * y,  formula="1 / (1 + a²)", code="1 / (1 + a * a)")
arcsinh_slope = elementwise("arcsinh_slope", _over_hypotenuse,       lambda y, x: -(x * y) * y * y,  formula="1 / √(1 + a²)", code="1 / hypot(a, 1)")
arctanh_slope = elementwise("arctanh_slope", lambda x: 1 / (1 - x) / (1 + x), lambda y, x: 2 * (x * y) * y, formula="1 / (1 - a²)", domain=(-0.9, 0.9), code="1 / (1 - a) / (1 + a)")
arcsin_slope  = elementwise("arcsin_slope",  _over_roots,            lambda y, x: (x * y) * y * y,   formula="1 / √(1 - a²)", domain=(-0.9, 0.9), code="1 / sqrt(1 + a) / sqrt(1 - a)")
arccosh_slope = elementwise("arccosh_slope", lambda x: 1 / np.sqrt(x - 1) / np.sqrt(x - -1), lambda y, x: -(x * y) * y * y, formula="1 / √(a² - 1)", domain=(1.2, 4.0), code="1 / sqrt(a - 1) / sqrt(a + 1)")
# fmt: on


# --- sides of a triangle ----------------------------------------------------------------------------------------------


def _cosine(a: Any, b: Any) -> Any:
    """`a / √(a² + b²)`, and 0 at the kink, the origin: the mean over all directions."""
    length = np.hypot(a, b)
    is_kink = length == 0
    return np.where(is_kink, length, a / np.where(is_kink, 1, length))[()] if np.any(is_kink) else a / length


def _over_square(part: Any, a: Any, b: Any) -> Any:
    """`part / (a² + b²)` without overflow, and 0 at the origin, where every direction has an opposite."""
    length = np.hypot(a, b)
    nonzero = np.where(length == 0, 1, length)
    return np.where(length == 0, 0, part / nonzero / nonzero)[()]


def _bend(part: Any, a: Any, b: Any) -> Any:
    """`part / √(a² + b²)`, and 0 at the origin, where a cosine jumps as the sign does."""
    length = np.hypot(a, b)
    return np.where(length == 0, 0.0, part / np.where(length == 0, 1.0, length))


# fmt: off - a table of cards: name, value, slope for each operand
cosine_of_sides: Primitive = elementwise("cosine_of_sides", _cosine,
    lambda y, a, b: cosine_of_sides(b, a) * _bend(cosine_of_sides(b, a), a, b),
    lambda y, a, b: -cosine_of_sides(b, a) * _bend(y, a, b), formula="a / √(a² + b²)", code="h = hypot(a, b); h if h == 0 else a / h")
arctan2_slope: Primitive = elementwise("arctan2_slope", lambda a, b: _over_square(b, a, b),
    lambda y, a, b: -2 * y * arctan2_slope(b, a),
    lambda y, a, b: _over_square(a - b, a, b) * _over_square(a + b, a, b), formula="b / (a² + b²)", code="h = hypot(a, b); 0 if h == 0 else b / h / h")
# fmt: on


# --- shares of a sum of exponentials --------------------------------------------------------------------------------


def _difference(a: Any, b: Any) -> tuple[Any, Any]:
    """`a - b` as a number and what its rounding lost (O. Møller, BIT 5, 1965; D. E. Knuth, TAOCP 2, 4.2.2).

    Equal infinities differ by 0.
    """
    high = np.where(a == b, 0, a - b)
    back = high - a
    low = (a - (high - back)) - (b + back)
    return high, np.where(np.isfinite(low), low, 0)


def _share_of(exponential: Callable[[Any], Any], scale: float) -> Callable[[Any, Any], Any]:
    """`e(a) / (e(a) + e(b))` from `a - b` alone, for which its rounding counts: `e(700)` has a thousand times its error."""

    def evaluate(a: Any, b: Any) -> Any:
        high, low = _difference(a, b)
        u = exponential(-np.abs(high))
        part = np.where(high >= 0, 1, u) / (1 + u)
        return (part * (1 + scale * low * np.where(high >= 0, u, 1) / (1 + u)))[()]

    return evaluate


_SHARE_CODE = (
    "h = 0 if a == b else a - b; v = h - a; r = (a - (h - v)) - (b + v); low = r if r - r == 0 else 0; u = {0}(-abs(h)); "
    "(1 if h >= 0 else u) / (1 + u) * (1 + {1} * low * (u if h >= 0 else 1) / (1 + u))"
)

# fmt: off - a table of cards: name, value, slope for each operand
exp_share: Primitive = elementwise("exp_share", _share_of(np.exp, 1.0),
    lambda y, a, b: y * exp_share(b, a), lambda y, a, b: -y * exp_share(b, a), formula="eᵃ / (eᵃ + eᵇ)", code=_SHARE_CODE.format("exp", "1"))
exp2_share: Primitive = elementwise("exp2_share", _share_of(np.exp2, math.log(2)),
    lambda y, a, b: math.log(2) * y * exp2_share(b, a), lambda y, a, b: -math.log(2) * y * exp2_share(b, a), formula="2ᵃ / (2ᵃ + 2ᵇ)", code=_SHARE_CODE.format("exp2", "log(2)"))
# fmt: on
