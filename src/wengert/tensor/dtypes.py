"""PyTorch's dtypes and its rules of promotion: the kind decides first, then arrays over numbers.

NumPy's functions on a tensor keep NumPy's promotion; what is spelled as in PyTorch keeps PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.errors import ArgumentError, page

float16, float32, float64 = map(np.dtype, ("float16", "float32", "float64"))
half, float_, double = float16, float32, float64
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")
cfloat, cdouble = complex64, complex128
uint8, int8, int16, int32, int64 = map(np.dtype, ("uint8", "int8", "int16", "int32", "int64"))
short, int_, long = int16, int32, int64
bool_ = np.dtype("bool")

_RANKS = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}
_NUMBERS = {bool: bool_, int: int64, float: None, complex: None}
_state = {"default": float32}


def get_default_dtype() -> np.dtype[Any]:
    """The dtype of what is made of Python's floats: float32 at first, as in PyTorch."""
    return _state["default"]


def set_default_dtype(d: Any) -> None:
    """Make another floating dtype the default, for example `wg.tensor.float64`."""
    dtype = np.dtype(d)
    if dtype.kind != "f":
        raise ArgumentError(
            page(
                f"the default dtype cannot be {dtype}.",
                "It is the dtype of Python's floats, so only a floating one can be it.",
                "wg.tensor.set_default_dtype(wg.tensor.float64)",
                "argument",
            )
        )
    _state["default"] = dtype


def complex_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The complex dtype whose parts are of a floating dtype."""
    return dtype if dtype.kind == "c" else complex128 if dtype == float64 else complex64


def of_number(kind: type) -> np.dtype[Any]:
    """The dtype of a tensor of one Python number."""
    found = _NUMBERS[kind]
    return found or (get_default_dtype() if kind is float else complex_of(get_default_dtype()))


def promoted(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype for two arrays: a whole number never widens a floating one."""
    if a is b:
        return a
    if _RANKS[a.kind] < 2 <= _RANKS[b.kind]:
        return b
    if _RANKS[b.kind] < 2 <= _RANKS[a.kind]:
        return a
    if a.kind != b.kind and "c" in (a.kind, b.kind):
        return complex128 if float64 in (a, b) or complex128 in (a, b) else complex64
    return np.promote_types(a, b)


def _over(higher: np.dtype[Any] | None, lower: np.dtype[Any] | None) -> np.dtype[Any] | None:
    """What comes first keeps its dtype, unless the other is of a higher kind."""
    if higher is None or lower is None:
        return higher or lower
    if higher.kind == "c":
        return higher
    if higher.kind == "f":
        return complex_of(higher) if lower.kind == "c" else higher
    return promoted(higher, lower) if higher.kind == "b" or lower.kind in "fc" else higher


def result_type(operands: Sequence[Any]) -> np.dtype[Any]:
    """The common dtype: of those with axes; a tensor without axes, and then a number, counts by its kind alone."""
    found: list[np.dtype[Any] | None] = [None, None, None]
    for x in operands:
        kind = type(x)
        place = 2 if kind in _NUMBERS else 0 if x.shape else 1
        dtype = of_number(kind) if kind in _NUMBERS else x.dtype
        before = found[place]
        found[place] = dtype if before is None else promoted(before, dtype)
    result = _over(found[0], _over(found[1], found[2]))
    assert result is not None
    return result
