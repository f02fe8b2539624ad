"""Sorting, selecting by rank, and reading along axes at positions that the values decide.

The derivative of a sorted array follows the stable permutation that sorts it: equal entries keep their order.
Positions themselves (`argsort`, `argmax`, `searchsorted`) are plain integers without a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from wengert.core.array import Array, implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import lowest, peek
from wengert.primitives.align import NOT_GIVEN, all_batched, as_array
from wengert.primitives.families import discrete, of_nobody, smooth
from wengert.primitives.index import ARRAY, assign, deposit, index, replace
from wengert.primitives.rearranging import from_end
from wengert.primitives.shaping import flatten, into, to_dtype
from wengert.primitives.structure import reshape

# --- reading along an axis -------------------------------------------------------------------------------------------------


def positions_along(indices: Any, shape: Sequence[int], axis: int) -> Any:
    """Places in an array of `shape`, laid end to end, of the entries at `indices` along an axis and of its own place
    along the others.
    """
    n = shape[axis]
    if peek(lambda value: np.any((value < -n) | (value >= n)), indices):
        plain = lowest(indices)
        wrong = plain.min() if plain.min() < -n else plain.max()
        msg = f"index {wrong} is out of bounds for axis {axis} with size {n}"
        raise IndexError(msg)
    indices = np.where(indices < 0, indices + n, indices)
    if len(shape) == 1:
        return indices
    steps = [int(np.prod(shape[k + 1 :], dtype=int)) for k in range(len(shape))]
    grid = np.ix_(*[np.arange(1 if k == axis else length) * step for k, (length, step) in enumerate(zip(shape, steps, strict=True))])
    return indices * steps[axis] + sum(grid)


def along(x: Any, indices: Any, axis: int) -> Any:
    """`np.take_along_axis(x, indices, axis)`, for positions known to be right."""
    shape = tuple(x.shape)
    return index(flatten(x), positions_along(indices, shape, axis % len(shape)), layout=(ARRAY,))


def put_back(ct: Any, indices: Any, axis: int) -> Any:
    """The adjoint of `along` for a permutation."""
    shape = tuple(ct.shape)
    where = positions_along(indices, shape, axis % len(shape))
    n = int(np.prod(shape, dtype=int))
    return reshape(deposit(ct, where, layout=(ARRAY,), shape=(n,)), shape=shape)


def _checked(arr: Any, indices: Any, axis: Any) -> tuple[tuple[int, ...], Any, int]:
    """The shape read along, the positions as an array, and the axis; NumPy's errors where they do not fit."""
    indices = as_array(indices)
    if indices.dtype.kind not in "iu":
        msg = "`indices` must be an integer array"
        raise IndexError(msg)
    if axis is None:
        if len(indices.shape) != 1:
            msg = "when axis=None, `indices` must have a single dimension."
            raise ValueError(msg)
        return (int(np.prod(arr.shape, dtype=int)),), indices, 0
    axis = normalize_axis_index(axis, len(arr.shape))
    if len(indices.shape) != len(arr.shape):
        msg = "`indices` and `arr` must have the same number of dimensions"
        raise ValueError(msg)
    others = [tuple([n for k, n in enumerate(v.shape) if k != axis]) for v in (arr, indices)]
    try:
        np.broadcast_shapes(*others)
    except ValueError:
        msg = f"shape mismatch: indices of shape {tuple(indices.shape)} cannot be broadcast against {tuple(arr.shape)}"
        raise IndexError(msg) from None
    return tuple(arr.shape), indices, axis


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """The entries of each line along an axis at positions of its own."""
    arr = as_array(arr)
    shape, indices, axis = _checked(arr, indices, axis)
    return index(flatten(arr), positions_along(indices, shape, axis), layout=(ARRAY,))


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    """Write into each line along an axis at positions of its own."""
    shape, indices, axis = _checked(arr, indices, axis)
    where = positions_along(indices, shape, axis)
    values = np.broadcast_to(as_array(values), tuple(where.shape))
    if not isinstance(arr, Array):
        arr.flat[where] = values  # raises, with advice, for traced values
        return
    new = assign(flatten(arr), to_dtype(values, arr.dtype), where, layout=(ARRAY,))
    replace(arr, reshape(new, shape=tuple(arr.shape)))


# --- positions -------------------------------------------------------------------------------------------------------------


def _ranks(name: str, function: Callable[..., Any], laws: Any) -> Primitive:
    """A card for positions along an axis, which NumPy's own function finds."""
    card = discrete(name, lambda x, axis, **params: function(x, axis=axis, **params), laws=laws)
    card.is_shaped = True
    return card


argsorted = _ranks(
    "argsort",
    np.argsort,
    lambda make: [((make(3, 4),), {"axis": -2, "kind": "stable"}), ((np.array([2.0, 1, 2, 1]),), {"axis": -1, "kind": "stable"})],
)
argpartitioned = _ranks("argpartition", np.argpartition, lambda make: [((make(3, 5),), {"axis": -1, "kth": (2,)})])
argmaximum = _ranks("argmax", np.argmax, lambda make: [((make(3, 4),), {"axis": -1, "keepdims": False})])
argminimum = _ranks("argmin", np.argmin, lambda make: [((make(3, 4),), {"axis": -2, "keepdims": True})])
nanargmaximum = _ranks("nanargmax", np.nanargmax, lambda make: [((np.array([1, np.nan, 3]),), {"axis": -1, "keepdims": False})])
nanargminimum = _ranks("nanargmin", np.nanargmin, lambda make: [((np.array([1, np.nan, 3]),), {"axis": -1, "keepdims": False})])


def _spell_extreme_place(card: Primitive, extreme: Callable[..., Any], ignored: float | None = None) -> None:
    """The first place where the extreme stands; a NaN is the extreme, unless it is ignored."""

    @card.spell
    def place(x: Any, axis: int, keepdims: bool) -> Any:
        if ignored is not None:
            x = np.where(np.isnan(x), ignored, x) if x.dtype.kind == "f" else x
        n = x.shape[axis]
        top = extreme(x, axis=axis, keepdims=True)
        hit = np.equal(x, top) if x.dtype.kind != "f" else np.logical_or(np.equal(x, top), np.logical_and(np.isnan(x), np.isnan(top)))
        places = np.arange(n).reshape(n, *(1,) * (-1 - axis))
        return np.min(np.where(hit, places, n - 1), axis=axis, keepdims=keepdims)


_spell_extreme_place(argmaximum, np.max)
_spell_extreme_place(argminimum, np.min)


def _line(a: Any, axis: Any) -> tuple[Any, int]:
    """An array and a trailing axis of it; all entries as a vector for `None`."""
    return (flatten(a), -1) if axis is None else (a, from_end(axis, len(a.shape)))


def _extreme_place(card: Primitive) -> Callable[..., Any]:
    def front(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = NOT_GIVEN) -> Any:
        a = as_array(a)
        keepdims = keepdims is not NOT_GIVEN and bool(keepdims)
        if axis is None or not a.shape:
            if axis is not None:
                normalize_axis_index(axis, 1)
            result = card(flatten(a), axis=-1, keepdims=False)
            return into(out, np.reshape(result, (1,) * len(a.shape)) if keepdims else result)
        return into(out, card(a, axis=from_end(axis, len(a.shape)), keepdims=keepdims))

    return front


argmax = implements(np.argmax)(_extreme_place(argmaximum))
argmin = implements(np.argmin)(_extreme_place(argminimum))
nanargmax = implements(np.nanargmax)(_extreme_place(nanargmaximum))
nanargmin = implements(np.nanargmin)(_extreme_place(nanargminimum))


def _refuse_fields(order: Any) -> None:
    if order is not None:
        msg = "Cannot specify order when the array has no fields."
        raise ValueError(msg)


def _how(kind: Any, stable: Any) -> dict[str, Any]:
    """The choice of algorithm, as NumPy wants it said: by `kind` or by `stable`."""
    if kind is not None and stable is not None:
        msg = "`kind` and `stable` parameters can't be provided at the same time. Use only one of them."
        raise ValueError(msg)
    return {"stable": bool(stable)} if stable is not None else {"kind": kind}


@implements(np.argsort)
def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """The positions that sort."""
    _refuse_fields(order)
    a = as_array(a)
    x, axis = _line(a, axis if a.shape or axis not in {0, -1} else None)
    return argsorted(x, axis=axis, **_how(kind, stable))


def _ranks_wanted(kth: Any) -> tuple[int, ...]:
    places = np.asarray(lowest(kth))
    if places.dtype.kind not in "iu":
        msg = "Partition index must be integer"
        raise TypeError(msg)
    return tuple([int(k) for k in places.ravel()])


@implements(np.argpartition)
def argpartition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    """The positions that put the entries of these ranks in their places."""
    _refuse_fields(order)
    x, axis = _line(as_array(a), axis)
    return argpartitioned(x, axis=axis, kth=_ranks_wanted(kth), kind=kind)


# --- the stable order, sooner ----------------------------------------------------------------------------------------------

SHORT = 1000  # rows up to this length are simply sorted


def _stable_order(x: Any, axis: int) -> Any:
    """`np.argsort(x, axis, kind="stable")`: NumPy's fastest argsort gives it too where no two entries are equal."""
    if x.shape[axis] > SHORT:
        order = np.argsort(x, axis=axis)
        in_order = np.moveaxis(np.take_along_axis(x, order, axis), axis, -1)
        first, second = in_order[..., :-1], in_order[..., 1:]
        if not np.any((first == second) | (first != first)):
            return order
    return np.argsort(x, axis=axis, kind="stable")


stable_order: Primitive = discrete(
    "stable_order",
    _stable_order,
    laws=lambda make: [((make(3, 4),), {"axis": -2}), ((np.array([2.0, 1, 2, 1]),), {"axis": -1})],
)


@argsorted.spell
def _spell_argsort(x: Any, axis: int, **how: Any) -> Any:
    """Equal entries keep their order, which every kind allows."""
    return stable_order(x, axis=axis)


def _entries_of_rank(rows: Any, ranks: Any) -> Any:
    """`stable_order(rows)` at some ranks alone."""
    if rows.shape[-1] <= SHORT or ranks.shape[-1] > 8 or rows.dtype.kind == "c":
        return np.take_along_axis(_stable_order(rows, -1), ranks, -1)
    found = np.empty(ranks.shape, int)
    for at in np.ndindex(rows.shape[:-1]):
        row = rows[at]
        values = np.partition(row, ranks[at])
        for place, k in enumerate(ranks[at]):
            value = values[k]
            is_it = row == value if value == value else row != row
            below = np.count_nonzero(row < value) if value == value else np.count_nonzero(row == row)
            found[(*at, place)] = np.flatnonzero(is_it)[k - below]
    return found


entries_of_rank: Primitive = discrete(
    "entries_of_rank",
    _entries_of_rank,
    batch=lambda xs, is_batched, params: entries_of_rank(*all_batched(xs, is_batched)),
    laws=lambda make: [((make(2, 5), np.array([[0, 3], [4, 1]])), {})],
)


@entries_of_rank.spell
def _spell_entries_of_rank(rows: Any, ranks: Any) -> Any:
    return along(stable_order(rows, axis=-1), ranks, -1)


# --- sorting ---------------------------------------------------------------------------------------------------------------


def same_line(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """An entry may depend on all entries that it shares a line along the axis with."""
    n = np.size(y)
    lines = np.moveaxis(np.arange(n).reshape(np.shape(y)), params["axis"], -1)
    outputs, inputs = np.broadcast_arrays(lines[..., :, None], lines[..., None, :])
    return Pattern(outputs, inputs, (n, n))


def _sort_differential(dxs: Sequence[Any], y: Any, x: Any, axis: int, **params: Any) -> Any:
    return along(dxs[0], stable_order(x, axis=axis), axis)


def _sort_pullback(ct: Any, y: Any, x: Any, axis: int, **params: Any) -> tuple[Any]:
    """Each cotangent goes back to where its entry came from: what transposing the differential comes to, sooner."""
    return (put_back(ct, stable_order(x, axis=axis), axis),)


sorted_ = smooth(
    "sort",
    lambda x, axis, **params: np.sort(x, axis=axis, **params),
    _sort_differential,
    pullback=_sort_pullback,
    pattern=same_line,
    formula="sort(a)",
    laws=lambda make: [
        ((make(5),), {"axis": -1}),
        ((make(3, 4),), {"axis": -2}),
        ((np.array([2.0, 1, 2, 1]),), {"axis": -1}, lambda y: (y[..., 0] + y[..., 1], y[..., 2] + y[..., 3])),  # two ties
    ],
)


@sorted_.spell
def _spell_sort(x: Any, axis: int, **how: Any) -> Any:
    """Read in the stable order, which the derivative follows, too."""
    return along(x, stable_order(x, axis=axis), axis)


def _partition_differential(dxs: Sequence[Any], y: Any, x: Any, axis: int, **params: Any) -> Any:
    """Equal ranks in `x` and `y` are the same entry."""
    in_order = along(dxs[0], stable_order(x, axis=axis), axis)
    ranks = stable_order(stable_order(y, axis=axis), axis=axis)
    return along(in_order, ranks, axis)


partitioned = smooth(
    "partition",
    lambda x, axis, **params: np.partition(x, axis=axis, **params),
    _partition_differential,
    pattern=same_line,
    laws=lambda make: [((make(5),), {"axis": -1, "kth": (2,)}), ((make(4, 3),), {"axis": -2, "kth": (0, 2)})],
)


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """The entries in ascending order along an axis."""
    _refuse_fields(order)
    x, axis = _line(as_array(a), axis)
    return sorted_(x, axis=axis, **_how(kind, stable))


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """The entries in ascending order along the last axis, as complex numbers."""
    result = sort(a)
    if result.dtype.kind == "c":
        return result
    return to_dtype(result, np.complex64 if result.dtype.char in "bhBH" else np.complex128)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    """The entries of these ranks in their places along an axis, smaller ones before them and larger ones behind."""
    _refuse_fields(order)
    x, axis = _line(as_array(a), axis)
    return partitioned(x, axis=axis, kth=_ranks_wanted(kth), kind=kind)


# --- places in sorted arrays ---------------------------------------------------------------------------------------------


def by_member(card: Callable[[], Primitive], rows: slice) -> Callable[..., Any]:
    """The batch reading of a card that takes the operands `rows` for one member only: those of a batch one by one."""

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        if not any(is_batched[rows]):
            return card()(*xs, **params)
        n = next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
        if n == 0:
            return of_nobody(card(), xs, is_batched, params)
        members = [[x[k] if b else x for x, b in zip(xs, is_batched, strict=True)] for k in range(n)]
        return np.stack([card()(*member, **params) for member in members])

    return batch


searched: Primitive = discrete(
    "searchsorted",
    lambda v, a, *sorter, side: np.searchsorted(a, v, side, *sorter),
    batch=by_member(lambda: searched, slice(1, None)),
    laws=lambda make: [((make(4), np.arange(3.0)), {"side": "right"})],
)
digitized: Primitive = discrete(
    "digitize",
    lambda x, bins, right: np.digitize(x, bins, right=right),
    batch=by_member(lambda: digitized, slice(1, None)),
    laws=lambda make: [((make(4), np.arange(3.0)), {"right": False})],
)


def comes_before(a: Any, b: Any) -> Any:
    """`a < b` in the order of `sort`, where NaN comes last."""
    is_less = np.less(a, b)
    return is_less if a.dtype.kind != "f" else np.logical_or(is_less, np.logical_and(np.isnan(b), np.logical_not(np.isnan(a))))


def bisected(a: Any, v: Any, side: str) -> Any:
    """`np.searchsorted(a, v, side)` by halving, the same for every entry of `v`."""
    common = np.promote_types(a.dtype, v.dtype)
    a, v, n = to_dtype(a, common), to_dtype(v, common), a.shape[0]
    place: Any = np.zeros(tuple(v.shape), int)
    step = 1 << n.bit_length() - 1
    while step:
        trial = place + step
        entry = index(a, np.minimum(trial, n) - 1, layout=(ARRAY,))
        is_before = comes_before(entry, v) if side == "left" else np.logical_not(comes_before(v, entry))
        place = np.where(np.logical_and(trial <= n, is_before), trial, place)
        step //= 2
    return place


@searched.spell
def _spell_searched(v: Any, a: Any, *sorter: Any, side: str) -> Any:
    if sorter:
        a = index(a, sorter[0], layout=(ARRAY,))
    return bisected(a, v, side)


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where `v` would go into the sorted `a`."""
    more = () if sorter is None else (as_array(sorter),)
    return searched(as_array(v), as_array(a), *more, side=side)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """In which of the bins each entry falls."""
    return digitized(as_array(x), as_array(bins), right=bool(right))


lexsorted: Primitive = discrete(
    "lexsort",
    lambda *keys, axis: np.lexsort(keys, axis=axis),
    batch=lambda xs, is_batched, params: lexsorted(*all_batched(xs, is_batched), **params),
    laws=lambda make: [((make(4), np.array([1.0, 0, 1, 0])), {"axis": -1})],
)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """The positions that sort by the last key, then by the one before it, and so on."""
    keys = [as_array(key) for key in keys]
    return lexsorted(*keys, axis=from_end(axis, len(keys[0].shape)) if keys and keys[0].shape else axis)
