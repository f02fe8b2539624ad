"""Sliding windows, and their adjoint: the sum of windows that overlap.

`windows` reads `y[..., i, ..., u] = x[..., i + u, ...]`, which is a view; `overlap` adds every entry of every window to the place that
it was read from, one offset `u` at a time, so that whole slices are added.  Each is the adjoint of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from wengert.core.array import implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.primitives.families import linear
from wengert.primitives.pattern import no_pattern
from wengert.primitives.rearranging import from_end, read_view
from wengert.primitives.shaping import gather

Lengths = tuple[int, ...]


def shifts(shape: Sequence[int], axis: Lengths, lengths: Lengths) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Every offset in a window, and the part of an array of `shape` that the windows have there."""
    for offset in product(*map(range, lengths)):
        parts = [slice(None)] * len(shape)
        for k, u, n in zip(axis, offset, lengths, strict=True):
            parts[k] = slice(u, u + shape[k] - n + 1)
        yield offset, tuple(parts)


def _windows(x: Any, axis: Lengths, lengths: Lengths) -> Any:
    if type(x) is np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(x, lengths, axis)  # type: ignore[call-overload]
    parts = [x[part] for _, part in shifts(x.shape, axis, lengths)]
    return np.stack(parts, -1).reshape(*parts[0].shape, *lengths)


def _overlap(y: Any, axis: Lengths, lengths: Lengths) -> Any:
    shape = whole_shape(y.shape, axis, lengths)
    places = list(shifts(shape, axis, lengths))
    if not isinstance(y, np.ndarray):
        return sum(np.pad(_at(y, offset), _around(part, shape)) for offset, part in places)
    out = np.zeros(shape, y.dtype)
    for offset, part in places:
        out[part] += _at(y, offset)
    return out


def _at(y: Any, offset: tuple[int, ...]) -> Any:
    """The entry at an offset of every window."""
    place: tuple[Any, ...] = (..., *offset)
    return y[place]


def whole_shape(shape: Sequence[int], axis: Lengths, lengths: Lengths) -> tuple[int, ...]:
    """The shape of the array whose windows have `shape`."""
    found = list(shape[: len(shape) - len(axis)])
    for k, n in zip(axis, lengths, strict=True):
        found[k] += n - 1
    return tuple(found)


def _around(part: Sequence[slice], shape: Sequence[int]) -> list[tuple[int, int]]:
    """How much lies before and behind a part."""
    return [(start, n - stop) for (start, stop, _), n in ((p.indices(n), n) for p, n in zip(part, shape, strict=True))]


def _sources(shape: Sequence[int], params: Params) -> Any:
    """The place that each entry of each window is read from, in an array of `shape` laid end to end."""
    return _windows(np.arange(int(np.prod(shape, dtype=int))).reshape(shape), **params)


def _windows_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    if slot:
        return no_pattern(slot, y, xs, params)
    return Pattern.of_positions(_sources(np.shape(xs[0]), params), np.size(xs[0]))


def _overlap_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    if slot:
        return no_pattern(slot, y, xs, params)
    targets = _sources(np.shape(y), params).reshape(-1)
    return Pattern(targets, np.arange(targets.size), (np.size(y), targets.size))


windows: Primitive = linear(
    "windows",
    _windows,
    lambda ct, x, axis, lengths: overlap(ct, axis=axis, lengths=lengths),
    pattern=_windows_pattern,
    formula="windows of a, {lengths}",
    laws=lambda make: [
        ((make(5),), {"axis": (-1,), "lengths": (2,)}),
        ((make(4, 5, 2),), {"axis": (-2, -3), "lengths": (3, 2)}),
        ((make(3),), {"axis": (-1,), "lengths": (3,)}),
    ],
)
overlap: Primitive = linear(
    "overlap",
    _overlap,
    lambda ct, y, axis, lengths: windows(ct, axis=axis, lengths=lengths),
    pattern=_overlap_pattern,
    formula="Σ of windows a, {lengths}",
    laws=lambda make: [
        ((make(4, 2),), {"axis": (-1,), "lengths": (2,)}),
        ((make(2, 4, 2, 2, 3),), {"axis": (-3, -2), "lengths": (2, 3)}),
    ],
)


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """All windows of a shape, along new last axes."""
    rank = len(x.shape)
    example = np.lib.stride_tricks.sliding_window_view(np.broadcast_to(np.empty(()), tuple(x.shape)), window_shape, axis)
    lengths = tuple([int(n) for n in example.shape[rank:]])
    places = normalize_axis_tuple(range(rank) if axis is None else axis, rank, allow_duplicate=True)
    if not places or len(set(places)) < len(places):
        return read_view(x, lambda a: gather(a, lambda p: np.lib.stride_tricks.sliding_window_view(p, window_shape, axis)))
    trailing = tuple([from_end(k, rank) for k in places])
    return read_view(x, lambda a: windows(a, axis=trailing, lengths=lengths))
