"""`np.pad`: a selection where the border copies entries, and one axis after another where it computes them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.trace import Tracer
from wengert.primitives.align import as_operand
from wengert.primitives.index import index, selection
from wengert.primitives.joining import concatenate
from wengert.primitives.shaping import boxed, duplicate, on_axis, to_dtype
from wengert.primitives.structure import spread

Pair = tuple[Any, Any]


def _pad(x: Any, widths: tuple[tuple[int, int], ...], mode: str) -> Any:
    return np.pad(x, ((0, 0),) * (np.ndim(x) - len(widths)) + widths, mode=mode)  # type: ignore[call-overload]


def _without_border(ct: Any, x: Any, widths: tuple[tuple[int, int], ...], mode: str) -> Any:
    """Of zeros nothing comes back."""
    if mode != "constant":
        return None
    return index(ct, layout=(..., *[slice(a, a + n) for (a, _), n in zip(widths, x.shape[len(x.shape) - len(widths) :], strict=True)]))


padded = selection(
    "pad",
    _pad,
    back=_without_border,
    laws=lambda make: [
        ((make(3, 2),), {"widths": ((1, 2), (0, 1)), "mode": "constant"}),
        ((make(4),), {"widths": ((2, 3),), "mode": "reflect"}),
        ((make(3),), {"widths": ((4, 1),), "mode": "symmetric"}),
        ((make(2, 3),), {"widths": ((1, 1), (2, 0)), "mode": "wrap"}),
        ((make(2, 3),), {"widths": ((1, 1), (2, 0)), "mode": "edge"}),
    ],
)


def as_pairs(value: Any, rank: int) -> list[Pair]:
    """`(before, after)` for each axis, from a number, a pair, or pairs; a dict names axes."""
    if isinstance(value, dict):
        pairs: list[Pair] = [(0, 0)] * rank
        for axis, width in value.items():
            pairs[axis] = (width, width) if np.ndim(width) == 0 else tuple(width)
        return pairs
    if isinstance(value, (list, tuple)):
        rows = [as_operand(v) for v in value]
        rows = [v if hasattr(v, "shape") else np.asarray(v) for v in rows]
        if all(len(v.shape) == 0 for v in rows):
            return [(value[0], value[-1])] * rank
        pairs = [(row[0], row[-1]) for row in value]
        return pairs * rank if len(pairs) == 1 else pairs
    value = as_operand(value)
    if np.ndim(value) == 0:
        return [(value, value)] * rank
    full = np.broadcast_to(value, (rank, 2)) if rank else value
    return [(full[k, 0], full[k, 1]) for k in range(rank)]


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """`array` with a border."""
    array = as_operand(array)
    rank = len(array.shape)
    widths = tuple((operator.index(a), operator.index(b)) for a, b in as_pairs(pad_width, rank))
    if not rank:
        return duplicate(boxed(array))
    if callable(mode):
        return _pad_by_function(array, widths, mode, kwargs)
    allowed = _OPTIONS.get(mode)
    if allowed is None or set(kwargs) - set(allowed):
        msg = (
            f"mode {mode!r} is not supported"
            if allowed is None
            else f"unsupported keyword arguments for mode {mode!r}: {set(kwargs) - set(allowed)}"
        )
        raise ValueError(msg)
    if _only_copies(mode, kwargs):
        return padded(array, widths=widths, mode="constant" if mode == "empty" else mode)
    side = _SIDES[mode](array, rank, kwargs)
    for axis, (before, after) in enumerate(widths):
        if before or after:
            array = side(array, axis, before, after)
    return array


def _only_copies(mode: str, options: Any) -> bool:
    """Whether every entry of the border is an entry of the array, or zero."""
    if mode == "constant":
        value = options.get("constant_values", 0)
        return isinstance(value, (int, float)) and value == 0
    return (
        mode in {"wrap", "edge", "empty"}
        or mode in {"reflect", "symmetric"}
        and options.get("reflect_type", "even") == "even"
    )


def _bordered(array: Any, axis: int, front: Any, back: Any) -> Any:
    parts = [p for p in (front, array, back) if p.shape[axis]]
    return concatenate([to_dtype(p, array.dtype) for p in parts], axis) if len(parts) > 1 else array


def _repeated(value: Any, array: Any, axis: int, width: int) -> Any:
    shape = (*array.shape[:axis], width, *array.shape[axis + 1 :])
    return (
        spread(to_dtype(value, array.dtype), shape=shape)
        if isinstance(value, Tracer)
        else np.full(shape, value, array.dtype)
    )


def _constants(array: Any, rank: int, options: Any) -> Callable[..., Any]:
    pairs = as_pairs(options.get("constant_values", 0), rank)

    def side(x: Any, axis: int, before: int, after: int) -> Any:
        low, high = pairs[axis]
        return _bordered(x, axis, _repeated(low, x, axis, before), _repeated(high, x, axis, after))

    return side


def _ramps(array: Any, rank: int, options: Any) -> Callable[..., Any]:
    pairs = as_pairs(options.get("end_values", 0), rank)

    def side(x: Any, axis: int, before: int, after: int) -> Any:
        low, high = pairs[axis]
        n = x.shape[axis]
        front = np.linspace(low, x[on_axis(axis, 0)], before, endpoint=False, dtype=x.dtype, axis=axis)
        back = np.linspace(high, x[on_axis(axis, n - 1)], after, endpoint=False, dtype=x.dtype, axis=axis)
        return _bordered(x, axis, front, np.flip(back, axis))

    return side


def _statistics(statistic: Callable[..., Any]) -> Callable[..., Any]:
    def prepare(array: Any, rank: int, options: Any) -> Callable[..., Any]:
        lengths = as_pairs(options.get("stat_length"), rank) if options.get("stat_length") is not None else None

        def side(x: Any, axis: int, before: int, after: int) -> Any:
            n = x.shape[axis]
            low, high = (n, n) if lengths is None else (min(int(k), n) for k in lengths[axis])
            if min(low, high) < 0:
                msg = "index can't contain negative values"
                raise ValueError(msg)
            if min(low, high) == 0 and statistic in {np.max, np.min}:
                msg = "stat_length of 0 yields no value for padding"
                raise ValueError(msg)
            front = statistic(x[on_axis(axis, slice(0, low))], axis=axis, keepdims=True)
            back = statistic(x[on_axis(axis, slice(n - high, n))], axis=axis, keepdims=True)
            if array.dtype.kind in "iu":
                front, back = np.rint(front), np.rint(back)
            return _bordered(x, axis, _repeated(front, x, axis, before), _repeated(back, x, axis, after))

        return side

    return prepare


def _odd(mode: str) -> Callable[..., Any]:
    def prepare(array: Any, rank: int, options: Any) -> Callable[..., Any]:
        def side(x: Any, axis: int, before: int, after: int) -> Any:
            skip = 1 if mode == "reflect" else 0
            if x.shape[axis] == 1 and skip:
                return padded(x, widths=_only(axis, rank, before, after), mode="edge")
            while before or after:
                n = x.shape[axis]
                low, high = min(before, n - skip), min(after, n - skip)
                first, last = x[on_axis(axis, slice(0, 1))], x[on_axis(axis, slice(n - 1, n))]
                front = 2 * first - np.flip(x[on_axis(axis, slice(skip, skip + low))], axis)
                back = 2 * last - np.flip(x[on_axis(axis, slice(n - skip - high, n - skip))], axis)
                x = _bordered(x, axis, front, back)
                before, after = before - low, after - high
            return x

        return side

    return prepare


def _only(axis: int, rank: int, before: int, after: int) -> tuple[tuple[int, int], ...]:
    return tuple((before, after) if k == axis else (0, 0) for k in range(rank))


def _pad_by_function(array: Any, widths: Any, function: Callable[..., Any], kwargs: Any) -> Any:
    """The user's function fills, in place, the border of each vector along each axis."""
    result = padded(array, widths=widths, mode="constant")

    for axis, width in enumerate(widths):

        def fill(vector: Any, width: Any = width, axis: int = axis) -> Any:
            vector = np.copy(vector)
            function(vector, width, axis, kwargs)
            return vector

        result = np.apply_along_axis(fill, axis, result)
    return result


_SIDES: dict[str, Callable[..., Any]] = {
    "constant": _constants, "linear_ramp": _ramps, "reflect": _odd("reflect"), "symmetric": _odd("symmetric"),
    "mean": _statistics(np.mean), "median": _statistics(np.median),
    "maximum": _statistics(np.max), "minimum": _statistics(np.min),
}  # fmt: skip
_OPTIONS: dict[str, tuple[str, ...]] = {
    "empty": (), "edge": (), "wrap": (), "constant": ("constant_values",), "linear_ramp": ("end_values",),
    "maximum": ("stat_length",), "mean": ("stat_length",), "median": ("stat_length",), "minimum": ("stat_length",),
    "reflect": ("reflect_type",), "symmetric": ("reflect_type",),
}  # fmt: skip
