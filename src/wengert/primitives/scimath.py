"""The functions of `np.emath`, which turn complex where the real function ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.trace import peek
from wengert.primitives.align import as_operand
from wengert.primitives.shaping import to_dtype


def _extended(name: str, function: Any, is_outside: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def front(x: Any) -> Any:
        return function(_complex_if(x, is_outside))

    front.__name__ = name
    implements(getattr(np.emath, name))(front)
    return front


def _complex_if(x: Any, is_outside: Callable[[Any], Any]) -> Any:
    x = as_operand(x)
    x = x if hasattr(x, "dtype") else np.asarray(x)
    if x.dtype.kind == "c" or not peek(lambda value: np.any(is_outside(value)), x):
        return x
    return to_dtype(x, np.result_type(x.dtype, np.complex64))


def _is_negative(x: Any) -> Any:
    return x < 0


def _is_beyond_one(x: Any) -> Any:
    return np.abs(x) > 1


sqrt = _extended("sqrt", np.sqrt, _is_negative)
log = _extended("log", np.log, _is_negative)
log2 = _extended("log2", np.log2, _is_negative)
log10 = _extended("log10", np.log10, _is_negative)
arccos = _extended("arccos", np.arccos, _is_beyond_one)
arcsin = _extended("arcsin", np.arcsin, _is_beyond_one)
arctanh = _extended("arctanh", np.arctanh, _is_beyond_one)


@implements(np.emath.logn)
def logn(n: Any, x: Any) -> Any:
    """The logarithm to the base `n`."""
    return np.log(_complex_if(x, _is_negative)) / np.log(_complex_if(n, _is_negative))


@implements(np.emath.power)
def power(x: Any, p: Any) -> Any:
    """`x ** p`, complex for a negative base."""
    p = as_operand(p)
    p = p if hasattr(p, "dtype") else np.asarray(p)
    if p.dtype.kind in "iu" and peek(lambda value: np.any(value < 0), p):
        p = to_dtype(p, float)
    return np.power(_complex_if(x, _is_negative), p)
