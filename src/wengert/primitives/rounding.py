"""Values kept within bounds, rounded, or replaced where they are not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.array import Array, implements
from wengert.primitives.align import NOT_GIVEN, as_array
from wengert.primitives.families import discrete
from wengert.primitives.index import replace
from wengert.primitives.shaping import duplicate, into, to_dtype
from wengert.primitives.structure import imag, real


def _bounds(a_min: Any, a_max: Any, lower: Any, upper: Any) -> tuple[Any, Any]:
    """The bounds by either of their names, with NumPy's errors."""
    if a_min is NOT_GIVEN and a_max is NOT_GIVEN:
        return (None if lower is NOT_GIVEN else lower), (None if upper is NOT_GIVEN else upper)
    for name, value in (("a_min", a_min), ("a_max", a_max)):
        if value is NOT_GIVEN:
            msg = f"clip() missing 1 required positional argument: {name!r}"
            raise TypeError(msg)
    if lower is not NOT_GIVEN or upper is not NOT_GIVEN:
        msg = "Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden."
        raise ValueError(msg)
    return a_min, a_max


@implements(np.clip)
def clip(
    a: Any, a_min: Any = NOT_GIVEN, a_max: Any = NOT_GIVEN, out: Any = None, *,
    min: Any = NOT_GIVEN, max: Any = NOT_GIVEN, **kwargs: Any,
) -> Any:  # fmt: skip
    """`min(max(a, a_min), a_max)`; at a bound the slope is a half, the mean of both sides."""
    lower, upper = _bounds(a_min, a_max, min, max)
    a = as_array(a)
    if a.dtype.kind in "iu":  # a Python integer outside the dtype is no bound
        limits = np.iinfo(a.dtype)
        lower = None if type(lower) is int and lower <= limits.min else lower
        upper = None if type(upper) is int and upper >= limits.max else upper
    y = a if lower is None else np.maximum(a, lower)
    y = y if upper is None else np.minimum(y, upper)
    if out is not None or kwargs:
        return np.positive(y, out=out, **kwargs)
    return duplicate(y) if y is a else y


rounded = discrete(
    "round",
    lambda x, decimals: np.round(x, decimals),
    formula="a to {decimals} places",
    laws=lambda make: [((make(3),), {"decimals": 1}), ((make(2, 3) * 100,), {"decimals": -1})],
)


@rounded.spell
def _spell_rounded(x: Any, decimals: int) -> Any:
    """As NumPy does it: the nearest whole number of a multiple."""
    if x.dtype.kind != "f":
        return x if x.dtype.kind == "i" and decimals >= 0 else NotImplemented
    if decimals == 0:
        return np.rint(x)
    power = x.dtype.type(10.0 ** abs(decimals))
    return np.rint(x * power) / power if decimals > 0 else np.rint(x / power) * power


@implements(np.round, np.around)
def round_to(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """The nearest number with so many decimals; of two, the one with an even last digit."""
    return into(out, rounded(as_array(a), decimals=int(decimals)))


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """The nearest whole number towards zero."""
    return into(out, np.trunc(as_array(x)))


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """`x` with numbers in place of NaN and the infinities; there the derivative is that of the number."""
    x = as_array(x)
    if x.dtype.kind not in "fc":
        return duplicate(x) if copy else x
    if x.dtype.kind == "c":
        parts = [_finite(part, nan, posinf, neginf) for part in (real(x), imag(x))]
        y = to_dtype(parts[0] + 1j * parts[1], x.dtype)
    else:
        y = _finite(x, nan, posinf, neginf)
    if copy or not isinstance(x, Array):
        return y
    return replace(x, y)


def _finite(x: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    limits = np.finfo(x.dtype)
    y = np.where(np.isnan(x), nan, x)
    y = np.where(np.isposinf(x), limits.max if posinf is None else posinf, y)
    return to_dtype(np.where(np.isneginf(x), limits.min if neginf is None else neginf, y), x.dtype)[()]
