"""Cards and functions that copy entries to other places: repeat, roll, diagonals, triangles, take, delete, strides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from wengert.core.array import Array, implements
from wengert.core.trace import Tracer, lowest, peek
from wengert.errors import BatchError, page
from wengert.primitives.align import as_operand
from wengert.primitives.index import ARRAY, as_view, index, selection
from wengert.primitives.layout import laid_in_rows
from wengert.primitives.shaping import (
    duplicate,
    flatten,
    gather,
    into,
    on_axis,
    read_only,
    reshape_to,
    size_of,
    to_dtype,
)
from wengert.primitives.structure import permute, reshape

rolled = selection(
    "roll",
    lambda x, shift, axis: np.roll(x, shift, axis),
    inverse=lambda params: {"shift": tuple(-n for n in params["shift"]), "axis": params["axis"]},
    laws=lambda make: [
        ((make(5),), {"shift": (2,), "axis": (-1,)}),
        ((make(3, 4),), {"shift": (1, -1), "axis": (-1, -2)}),
    ],
)
tiled = selection("tile", lambda x, reps: np.tile(x, reps), laws=lambda make: [((make(2, 3),), {"reps": (2, 1)})])
repeated = selection(
    "repeat",
    lambda x, repeats, axis: np.repeat(x, repeats, axis),
    laws=lambda make: [
        ((make(3, 2),), {"repeats": 2, "axis": -1}),
        ((make(3, 2),), {"repeats": (1, 0, 2), "axis": -2}),
    ],
)
lower = selection("tril", lambda x, k: np.tril(x, k), inverse=lambda params: params, laws=lambda make: [((make(3, 4),), {"k": 1})])
upper = selection("triu", lambda x, k: np.triu(x, k), inverse=lambda params: params, laws=lambda make: [((make(3, 4),), {"k": -1})])


def _on_diagonal(x: Any, k: int) -> Any:
    n = x.shape[-1] + abs(k)
    out = np.zeros((*x.shape[:-1], n, n), x.dtype)
    rows = np.arange(x.shape[-1]) + max(-k, 0)
    out[..., rows, rows + k] = x
    return out


on_diagonal = selection(
    "on_diagonal", _on_diagonal, laws=lambda make: [((make(3),), {"k": 0}), ((make(3),), {"k": -1})]
)


def from_end(axis: int, rank: int) -> int:
    """An axis by its negative number, which a leading batch axis does not change."""
    return normalize_axis_index(axis, rank) - rank


def concrete(x: Any, what: str) -> Any:
    """The plain value of `x`, which decides a shape; a batch would decide differently for each member."""
    value = lowest(x)
    if isinstance(x, Tracer) and np.shape(value) != tuple(x.shape):
        raise BatchError(
            page(
                f"{what} depends on the values of a batch.",
                "Each member of the batch could need a shape of its own, and all are computed together.",
                "np.where(condition, a, b)   # keeps the shape\n[f(x) for x in batch]   # instead of vmap",
                "batch",
            )
        )
    return np.asarray(value)


# --- repeat and roll --------------------------------------------------------------------------------------------------


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Entries moved on by `shift`, those that fall off the end coming back at the front."""
    if axis is None:
        return reshape(roll(flatten(a), shift, 0), shape=tuple(a.shape))
    axes = normalize_axis_tuple(axis, len(a.shape), allow_duplicate=True)
    if not axes:
        return duplicate(a)
    pairs = np.broadcast(np.asarray(shift), np.asarray(axes))
    shifts, places = zip(*[(int(s), int(k) - len(a.shape)) for s, k in pairs], strict=True)
    return rolled(a, shift=shifts, axis=places)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """`A` laid side by side, `reps` times along each axis."""
    lengths = tuple(int(n) for n in reps) if np.ndim(reps) else (int(reps),)
    rank = max(len(lengths), len(A.shape))
    A = reshape_to(A, (1,) * (rank - len(A.shape)) + tuple(A.shape))
    return tiled(A, reps=(1,) * (rank - len(lengths)) + lengths)


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each entry (or slice) repeated in place."""
    if axis is None or not a.shape and axis in {0, -1}:
        a, axis = flatten(a), -1
    counts = tuple(int(n) for n in repeats) if np.ndim(repeats) else int(repeats)
    return repeated(a, repeats=counts, axis=from_end(axis, len(a.shape)))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """The entries over and over until the new shape is full."""
    shape = new_shape if isinstance(new_shape, (tuple, list)) else (new_shape,)
    if size_of(a) == 0:
        return np.zeros_like(a, shape=shape)
    return gather(a, lambda p: np.resize(p, shape))


# --- diagonals and triangles ----------------------------------------------------------------------------------------


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The entries whose places on two axes differ by `offset`, along a new last axis."""
    if len(a.shape) < 2:
        msg = "diag requires an array of at least two dimensions"
        raise ValueError(msg)
    i, j = normalize_axis_tuple((axis1, axis2), len(a.shape))
    n_rows, n_columns = a.shape[i], a.shape[j]
    start = max(-offset, 0)
    length = max(0, min(n_rows - start, n_columns - max(offset, 0)))
    rows = np.arange(start, start + length)
    order = tuple(k for k in range(len(a.shape)) if k not in {i, j}) + (i, j)
    layout = (*on_axis(len(order) - 2, ARRAY), ARRAY)
    return read_view(a, lambda x: index(permute(x, axes=order), rows, rows + offset, layout=layout))


def read_view(a: Any, pick: Callable[[Any], Any]) -> Any:
    """What NumPy shares with `a` for reading only; here a copy that is made again when `a` is written into."""
    result = pick(a)
    if isinstance(result, Array) and isinstance(a, Array) and result.shape:
        return as_view(result, a, pick, read_only)
    return result


@implements(np.linalg.diagonal)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonals of the matrices in the last two axes."""
    return diagonal(x, offset, -2, -1)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """The matrix with the diagonal `v`, or the diagonal of the matrix `v`."""
    if len(v.shape) == 1:
        return on_diagonal(v, k=int(k))
    if len(v.shape) == 2:
        return diagonal(v, k)
    msg = "Input must be 1- or 2-d."
    raise ValueError(msg)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix whose diagonal are all entries of `v`."""
    return on_diagonal(flatten(v), k=int(k))


def _triangle(card: Any) -> Callable[..., Any]:
    def front(m: Any, k: int = 0) -> Any:
        if len(m.shape) == 1:
            m = np.broadcast_to(m, (m.shape[0], m.shape[0]))
        return card(m, k=int(k))

    return front


tril = implements(np.tril)(_triangle(lower))
triu = implements(np.triu)(_triangle(upper))


# --- picking -----------------------------------------------------------------------------------------------------------


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    """The slices of `a` at `indices` along an axis."""
    a, indices = as_operand(a), as_operand(indices)
    if not isinstance(indices, (int, Tracer)):
        indices = np.asarray(indices)
        indices = indices.astype(int) if indices.size == 0 else indices
    if axis is None or not a.shape and axis in {0, -1}:
        a, axis = flatten(a), 0
    axis = normalize_axis_index(axis, len(a.shape))
    indices = within(indices, a.shape[axis], mode)
    if np.ndim(indices) == 0 and not isinstance(indices, Tracer):
        return into(out, index(a, layout=on_axis(axis, int(indices))))
    return into(out, laid_in_rows(index(a, indices, layout=on_axis(axis, ARRAY))))


def within(places: Any, n: int, mode: str) -> Any:
    """Positions as a mode wants them; `"raise"` leaves them to be checked where they are used."""
    if mode not in {"raise", "wrap", "clip"}:
        msg = f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})"
        raise ValueError(msg)
    if mode == "wrap":
        return places % n
    return np.clip(places, 0, n - 1) if mode == "clip" else places


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """The slices along an axis where the condition holds."""
    chosen = concrete(as_operand(condition), "np.compress")
    if chosen.ndim != 1:
        msg = "condition must be a 1-d array"
        raise ValueError(msg)
    return take(a, np.flatnonzero(chosen), axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The entries where the condition holds, as a vector."""
    return compress(np.ravel(concrete(as_operand(condition), "np.extract")), arr)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """The smallest block that holds all non-zero entries."""
    rank = len(filt.shape)
    axes = range(rank) if axis is None else normalize_axis_tuple(axis, rank)
    members = peek(lambda value: value != 0, filt).reshape(-1, *filt.shape)
    blocks = {_block(value, trim.lower(), axes) for value in members}
    if len(blocks) > 1:
        concrete(filt, "np.trim_zeros")  # raises, with advice
    return filt[tuple(slice(*ends) for ends in blocks.pop())]


def _block(value: Any, trim: str, axes: Sequence[int]) -> tuple[tuple[int | None, int | None], ...]:
    found = np.argwhere(value)
    ends: list[tuple[int | None, int | None]] = [(None, None)] * value.ndim
    for k in axes:
        low, high = (found[:, k].min(), found[:, k].max() + 1) if len(found) else (value.shape[k], value.shape[k])
        last = int(high) if len(found) or "f" in trim else 0
        ends[k] = int(low) if "f" in trim else None, last if "b" in trim else None
    return tuple(ends)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """`arr` without the slices that `obj` names."""
    if axis is None:
        arr, axis = flatten(arr), 0
    return take(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """`arr` with `values` put in before the slices that `obj` names."""
    arr, values = as_operand(arr), as_operand(values)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    rank = len(arr.shape)
    axis = normalize_axis_index(axis, rank)
    n = arr.shape[axis]
    places = np.arange(*obj.indices(n)) if isinstance(obj, slice) else np.asarray(obj)
    if places.dtype == bool:
        places = np.flatnonzero(places)
    values = np.reshape(values, (1,) * (rank - np.ndim(values)) + np.shape(values))
    if places.ndim == 0:
        values = np.moveaxis(values, 0, axis)
    count = values.shape[axis] if places.size == 1 else places.size
    values = np.broadcast_to(values, (*arr.shape[:axis], count, *arr.shape[axis + 1 :]))
    at: Any = int(places.reshape(())) if places.size == 1 else places.astype(int)
    order = np.insert(np.arange(n), at, n + np.arange(count))
    return take(np.concatenate([arr, to_dtype(values, arr.dtype)], axis), order, axis)


# --- strides ---------------------------------------------------------------------------------------------------------


def as_strided(x: Any, shape: Sequence[int] | None = None, strides: Sequence[int] | None = None) -> Any:
    """The entries found by walking through the memory of a C-contiguous `x` with strides, in bytes, of one's own."""
    width = x.dtype.itemsize
    shape = tuple(x.shape) if shape is None else tuple(shape)
    steps = None if strides is None else [n // width for n in strides]

    def walk(p: Any) -> Any:
        bytes_of_p = None if steps is None else [n * p.itemsize for n in steps]
        return np.lib.stride_tricks.as_strided(p, shape, bytes_of_p)

    return read_view(x, lambda a: gather(a, walk))
