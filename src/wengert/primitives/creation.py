"""New arrays that accompany a traced one, grids, and ranges between traced ends.

`np.zeros_like(x)` of a traced `x` is traced as well, though it depends on nothing: traced values can be
written into it, which a plain array could not keep.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.trace import Tracer, constant_like, peek
from wengert.primitives.align import as_operand, common_dtype
from wengert.primitives.joining import concatenate
from wengert.primitives.shaping import to_dtype
from wengert.primitives.structure import spread


def filled_like(x: Any, value: Any, dtype: Any, shape: Any) -> Any:
    """An array of one number, watched by whoever watches `x`."""
    full = np.full(tuple(x.shape) if shape is None else shape, value, x.dtype if dtype is None else dtype)
    return constant_like(full, x)


@implements(np.zeros_like, np.empty_like)
def zeros_like(
    a: Any, /, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Zeros of the shape and dtype of `a`."""
    return filled_like(a, 0, dtype, shape)


@implements(np.ones_like)
def ones_like(
    a: Any, /, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Ones of the shape and dtype of `a`."""
    return filled_like(a, 1, dtype, shape)


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None,
    *, device: Any = None,
) -> Any:  # fmt: skip
    """`fill_value`, whose derivative is kept, in the shape and dtype of `a`."""
    fill_value = as_operand(fill_value)
    shape = tuple(a.shape) if shape is None else shape
    dtype = a.dtype if dtype is None else np.dtype(dtype)
    if isinstance(fill_value, Tracer):
        return full(shape, fill_value, dtype)
    return constant_like(np.full(shape, fill_value, dtype), a)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A traced `fill_value` everywhere."""
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return spread(fill_value if dtype is None else to_dtype(fill_value, dtype), shape=tuple(map(int, shape)))


# --- ranges -----------------------------------------------------------------------------------------------------


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """`num` equal steps from `start` to `stop`."""
    num = operator.index(num)
    if num < 0:
        msg = f"Number of samples, {num}, must be non-negative."
        raise ValueError(msg)
    intervals = num - 1 if endpoint else num
    start, stop = as_operand(start) * 1.0, as_operand(stop) * 1.0
    delta = np.subtract(stop, start)
    count = np.arange(num).reshape((-1,) + (1,) * np.ndim(delta))
    working = common_dtype((start, stop, float(num)))
    count = count.astype(np.float32 if working in (np.float32, np.complex64) else float)
    step = delta / intervals if intervals > 0 else np.full_like(delta, np.nan)
    y = count * (step if intervals > 0 else delta) + start
    if endpoint and num > 1:
        end = np.broadcast_to(stop if hasattr(stop, "shape") else np.asarray(stop, working), y.shape[1:])
        y = concatenate([y[:-1], end[None]])
    if axis != 0:
        y = np.moveaxis(y, 0, axis)
    if dtype is not None:
        y = to_dtype(np.floor(y) if np.dtype(dtype).kind in "iu" else y, dtype)
    return (y, step) if retstep else y


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    """`base ** linspace(start, stop)`."""
    rank = max(np.ndim(start), np.ndim(stop), np.ndim(base))
    if np.ndim(base):
        start, stop, base = (
            np.reshape(as_operand(v) * 1.0, (1,) * (rank - np.ndim(v)) + np.shape(v)) for v in (start, stop, base)
        )
        base = np.expand_dims(base, axis)
    y = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else to_dtype(y, dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Equal ratios from `start` to `stop`."""
    start, stop = np.broadcast_arrays(as_operand(start) * np.float64(1), as_operand(stop) * np.float64(1))
    if peek(lambda a, b: np.any(a == 0) | np.any(b == 0), start, stop):
        msg = "Geometric sequence cannot include zero"
        raise ValueError(msg)
    sign = np.sign(start)
    start, ratio = start / sign, stop / sign
    if start.dtype.kind != "c" and peek(lambda value: np.any(value < 0), ratio):
        start, ratio = to_dtype(start, complex), to_dtype(ratio, complex)
    y = np.power(10.0, np.linspace(np.log10(start), np.log10(ratio), num, endpoint))
    if num > 0:
        ends = [start[None], y[1:-1], ratio[None]] if endpoint and num > 1 else [start[None], y[1:]]
        y = concatenate(ends)
    y = np.moveaxis(y * sign, 0, axis) if axis != 0 else y * sign
    return y if dtype is None else to_dtype(y, dtype)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """Coordinates of the points of a grid, an array for each axis."""
    rank = len(xi)
    places = list(range(rank))
    if indexing == "xy" and rank > 1:
        places[0], places[1] = 1, 0
    elif indexing not in {"xy", "ij"}:
        msg = "Valid values for `indexing` are 'xy' and 'ij'."
        raise ValueError(msg)
    grids = []
    for x, place in zip(xi, places, strict=True):
        x = as_operand(x)
        x = x if hasattr(x, "shape") else np.asarray(x)
        grids.append(np.reshape(x, tuple(-1 if k == place else 1 for k in range(rank))))
    if not sparse:
        grids = list(np.broadcast_arrays(*grids))
    return tuple(map(np.copy, grids)) if copy else tuple(grids)
