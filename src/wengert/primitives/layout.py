"""The order in memory of arrays: which reshapes are views, and which are copies, depends on it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.core.trace import Tracer, beneath

Strides = tuple[int, ...]


def laid_like(x: Any, new: Any) -> Any:
    """`new` in the order in memory that `x` has: writing into an array does not move it, and views depend on that."""
    old, value = beneath(x), beneath(new)
    rank = len(x.shape)
    if not rank or not isinstance(value, np.ndarray):
        return new
    strides = old.strides[-rank:]
    if old.itemsize != value.itemsize:
        strides = tuple([step // old.itemsize * value.itemsize for step in strides])
    return new if strides == value.strides[-rank:] else _with_value(new, laid_as(value, strides))


def laid_in_rows(x: Any) -> Any:
    """`x` in the order in memory of a new array, where NumPy makes one to fill it."""
    value = beneath(x)
    if not isinstance(value, np.ndarray) or value.flags.c_contiguous:
        return x
    return _with_value(x, np.ascontiguousarray(value))


def laid_as(value: Any, strides: Strides) -> Any:
    """A copy in which, as in an array of these strides, the same axes come first, run backwards and have gaps.

    The strides are those of the last axes; axes of batches come before them.
    """
    sizes = [abs(step) * n for step, n in zip(strides, value.shape[value.ndim - len(strides) :], strict=True)]
    outer = max([*sizes, value.itemsize])
    lead = value.shape[: value.ndim - len(strides)]
    strides = (*[outer * math.prod(lead[k + 1 :]) for k in range(len(lead))], *strides)
    if not value.size:
        return value.copy()
    steps, size, reached = [0] * value.ndim, value.itemsize, 0
    for k in sorted(range(value.ndim), key=lambda k: (abs(strides[k]), -k)):
        step = abs(strides[k])
        if value.shape[k] > 1 and step != reached and (reached or step != value.itemsize):
            size += value.itemsize  # a gap of one entry
        steps[k] = -size if strides[k] < 0 else size
        size, reached = size * value.shape[k], step * value.shape[k] if value.shape[k] > 1 else reached
    start = -sum(min(step, 0) * (n - 1) for step, n in zip(steps, value.shape, strict=True))
    copy = np.ndarray(value.shape, value.dtype, np.empty(size, np.uint8), start, steps)
    copy[...] = value
    return copy


def _with_value(x: Any, plain: Any) -> Any:
    """The same tracers around another copy of the same numbers."""
    return type(x)(_with_value(x.value, plain), x.watcher, x.extra) if isinstance(x, Tracer) else plain
