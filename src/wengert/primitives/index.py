"""The selection family: outputs are copies of inputs; transposing deposits each cotangent where it came from.

`index` reads `x[...]` and `deposit` is its adjoint; `assign` writes.  A card made by `selection` states only its
NumPy value: the index map is found by running that same function on an array of positions.
"""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.array import Array, implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer, beneath, constant_like, lowest
from wengert.core.types import type_of
from wengert.primitives.align import as_array, as_operand, conform, fit
from wengert.primitives.blank import blank_of_deposit
from wengert.primitives.families import discrete, linear, smooth
from wengert.primitives.layout import laid_like
from wengert.primitives.masked import Masked, is_batch_of, refuse, spread_mask
from wengert.primitives.pattern import no_pattern
from wengert.primitives.structure import permute, reshape

ARRAY = "array"  # stands in a layout for the next index array among the operands
Layout = tuple[Any, ...]


def fill(layout: Layout, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The index that a layout and its arrays stand for."""
    if not arrays or len(arrays) == len(layout):
        return tuple(arrays) or layout
    rest = iter(arrays)
    return tuple(next(rest) if isinstance(part, str) else part for part in layout)


# --- positions: an index as places in the array laid end to end -----------------------------------------------------


def positions_of(shape: tuple[int, ...], layout: Layout, arrays: Sequence[Any]) -> Any:
    """The flat position in an array of `shape` that each entry of `x[...]` reads."""
    flat = np.arange(math.prod(shape)).reshape(shape)
    return np.asarray(flat[fill(layout, arrays)])


def _positions_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    """The same question about one array of all members, laid end to end: their number is one more index."""
    layout, shape = params["layout"], params["shape"]
    n = next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
    rank = max(len(x.shape) - b for x, b in zip(xs, is_batched, strict=True))
    member = np.arange(n).reshape((n,) + (1,) * rank)
    arrays = [
        reshape(x, shape=(n,) + (1,) * (rank + 1 - len(x.shape)) + tuple(x.shape[1:])) if b else x
        for x, b in zip(xs, is_batched, strict=True)
    ]
    found = positions(member, *arrays, layout=(ARRAY, *layout), shape=(n, *shape))
    before = _axes_before(layout, len(shape))
    order = (0, *range(1 + rank, 1 + rank + before), *range(1, 1 + rank), *range(1 + rank + before, len(found.shape)))
    size = math.prod(shape)
    return permute(found, axes=order) % max(size, 1)


def _axes_before(layout: Layout, rank: int) -> int:
    """How many axes of `x[...]` come before those of its index arrays: none if something stands between these."""
    advanced = [k for k, part in enumerate(layout) if isinstance(part, (str, int))]
    if advanced[-1] - advanced[0] != len(advanced) - 1:
        return 0
    used = sum(part is not None and part is not Ellipsis for part in layout)
    return sum(rank - used if part is Ellipsis else 1 for part in layout[: advanced[0]])


positions = discrete(
    "positions",
    lambda *arrays, layout, shape: positions_of(shape, layout, arrays),
    batch=_positions_batch,
    formula="positions of [{layout}]",
    laws=lambda make: [((np.array([0, 2, -1]),), {"layout": (ARRAY, slice(1, None)), "shape": (4, 3)})],
)


@positions.spell
def _spell_positions(*arrays: Any, layout: Layout, shape: tuple[int, ...]) -> Any:
    if not all(isinstance(part, str) for part in layout) or len(layout) != len(shape):
        return index(np.arange(math.prod(shape)).reshape(shape), *arrays, layout=layout)
    total: Any = 0
    for array, n in zip(arrays, shape, strict=True):
        total = total * n + np.where(np.less(array, 0), array + n, array)
    return total


def _from_members(found: Any, size: int) -> Any:
    """Positions `[B, ...]` in each member of a batch as positions in all of them laid end to end."""
    n = found.shape[0]
    return found + (np.arange(n) * size).reshape(n, *(1,) * (len(found.shape) - 1))


def _index_adjoint(ct: Any, x: Any, *arrays: Any, layout: Layout) -> Any:
    return (deposit if any(isinstance(v, Tracer) for v in (ct, *arrays)) else _evaluate_deposit)(ct, *arrays, layout=layout, shape=tuple(x.shape))


def _evaluate_deposit(ct: Any, *arrays: Any, layout: Layout, shape: tuple[int, ...]) -> Any:
    plain = isinstance(ct, (np.ndarray, np.generic))
    out = np.zeros(shape, ct.dtype) if plain else np.zeros_like(ct, shape=shape)
    where = fill(layout, arrays)
    if not arrays:
        out[where] = ct
    elif layout == (ARRAY,) and len(shape) == 1 and ct.dtype == np.float64 and ct.size:  # of nothing it counts in integers
        found = np.asarray(arrays[0]).ravel()
        out = np.bincount(np.where(found < 0, found + shape[0], found), ct.ravel(), shape[0])
    else:
        np.add.at(out, where, ct)
    return out


def _batch_positions(xs: Sequence[Any], is_batched: Sequence[bool], layout: Layout, shape: tuple[int, ...]) -> Any:
    """Where a batch of index arrays points in one member, `[B, ...]`; without the batch axis if none is batched."""
    if any(is_batched):
        return _positions_batch(xs, is_batched, {"layout": layout, "shape": shape})
    return positions(*xs, layout=layout, shape=shape)


def _index_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    x, *arrays = xs
    layout = params["layout"]
    if not arrays:
        return index(x, layout=(slice(None), *layout))
    shape = tuple(x.shape[1:]) if is_batched[0] else tuple(x.shape)
    size = math.prod(shape)
    found = _batch_positions(arrays, is_batched[1:], layout, shape)
    if not any(is_batched[1:]):
        result = index(reshape(x, shape=(x.shape[0], size)), found, layout=(slice(None), ARRAY))
        return laid_like(found, result)  # as a member's own would be
    if is_batched[0]:
        found = _from_members(found, size)
    return index(reshape(x, shape=(math.prod(x.shape),)), found, layout=(ARRAY,))


def _deposit_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    ct, *arrays = xs
    layout, shape = params["layout"], params["shape"]
    size = math.prod(shape)
    if not arrays:
        return deposit(ct, layout=(slice(None), *layout), shape=(ct.shape[0], *shape))
    found = _batch_positions(arrays, is_batched[1:], layout, shape)
    if not any(is_batched[1:]):
        n = ct.shape[0]
        out = deposit(ct, found, layout=(slice(None), ARRAY), shape=(n, size))
    else:
        n = found.shape[0]
        if not is_batched[0]:
            ct = conform(ct, (n, *ct.shape), ct.dtype)
        out = deposit(ct, _from_members(found, size), layout=(ARRAY,), shape=(n * size,))
    return reshape(out, shape=(n, *shape))


def _index_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    found = positions_of(np.shape(xs[0]), params["layout"], xs[1:])
    return no_pattern(slot, y, xs, params) if slot else Pattern.of_positions(found, np.size(xs[0]))


def _deposit_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    if slot:
        return no_pattern(slot, y, xs, params)
    targets = positions_of(params["shape"], params["layout"], xs[1:]).reshape(-1)
    return Pattern(targets, np.arange(targets.size), (np.size(y), targets.size))


index = linear(
    "index",
    lambda x, *arrays, layout: x[fill(layout, arrays)],
    _index_adjoint,
    batch=_index_batch,
    pattern=_index_pattern,
    formula="a[{layout}]",
    laws=lambda make: [
        ((make(4, 3),), {"layout": (slice(None, None, -1), 1)}),
        ((make(4, 3), np.array([0, 2, 2])), {"layout": (ARRAY,)}),
        ((make(4), np.zeros(0, int)), {"layout": (ARRAY,)}),
        ((make(2, 4, 3), np.array([0, 1]), np.array([1, 1])), {"layout": (ARRAY, slice(None), ARRAY)}),
    ],
)
def _accumulate_index(total: Any, ct: Any, xs: Sequence[Any], params: Params) -> None:
    if arrays := xs[1:]:
        np.add.at(total, fill(params["layout"], arrays), ct)
    else:
        total[params["layout"]] += ct


deposit = linear(
    "deposit",
    _evaluate_deposit,
    lambda ct, x, *arrays, layout, shape: index(ct, *arrays, layout=layout),
    batch=_deposit_batch,
    pattern=_deposit_pattern,
    formula="zeros({shape}) with [{layout}] += a",
    laws=lambda make: [
        ((make(2),), {"layout": (slice(1, 3),), "shape": (4,)}),
        ((make(3), np.array([0, 2, 2])), {"layout": (ARRAY,), "shape": (4,)}),
        ((make(2, 3), np.array([1, 1])), {"layout": (ARRAY,), "shape": (2, 3)}),
    ],
)
index.accumulate, deposit.blank = _accumulate_index, blank_of_deposit


# --- selection: the index map of any function that only copies ------------------------------------------------


def selection(
    name: str,
    evaluate: Callable[..., Any],
    *,
    numpy: tuple[Any, ...] = (),
    laws: Any = None,
    batch: Callable[..., Any] | None = None,
    inverse: Callable[[Params], Params] | None = None,
    back: Callable[..., Any] | None = None,
) -> Primitive:
    """`y = evaluate(x, **params)`, every entry a copy of an entry of `x` or zero.

    The adjoint adds each cotangent to the position it was copied from: `evaluate` run on positions 1, 2, ...
    says which that is, 0 meaning none.  Where no entry is copied twice and `evaluate` itself can put them back,
    `inverse(params)` are the params for that; what `back(ct, x, **params)` returns, unless it is `None`, goes before both.
    """

    def sources(shape: tuple[int, ...], params: Params) -> Any:
        n = math.prod(shape)
        return np.asarray(evaluate(np.arange(1, n + 1).reshape(shape), **params))

    def adjoint(ct: Any, x: Any, **params: Any) -> Any:
        found = None if back is None else back(ct, x, **params)
        if found is not None:
            return found
        if inverse is not None:
            return primitive(ct, **inverse(params))
        where = sources(tuple(x.shape), params).reshape(-1)
        flat = reshape(ct, shape=(where.size,))
        out = deposit(flat, where, layout=(ARRAY,), shape=(math.prod(x.shape) + 1,))
        return reshape(index(out, layout=(slice(1, None),)), shape=tuple(x.shape))

    def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
        return Pattern.of_positions(sources(np.shape(xs[0]), params) - 1, np.size(xs[0]))

    primitive = linear(name, evaluate, adjoint, numpy=numpy, laws=laws, pattern=pattern, batch=batch)
    primitive.sources = sources
    return primitive


# --- assignment -------------------------------------------------------------------------------------------------


def _evaluate_assign(x: Any, value: Any, *arrays: Any, layout: Layout) -> Any:
    out = np.array(x) if isinstance(x, (np.ndarray, np.generic)) else x.copy()
    out[fill(layout, arrays)] = value
    return out


def _assign_differential(dxs: Sequence[Any], y: Any, x: Any, value: Any, *arrays: Any, layout: Layout) -> Any:
    dx = np.zeros(tuple(x.shape), y.dtype) if dxs[0] is None else dxs[0]
    dvalue = np.zeros((), y.dtype) if dxs[1] is None else dxs[1]
    return assign(dx, dvalue, *arrays, layout=layout)


def _assign_pullback(ct: Any, y: Any, x: Any, value: Any, *arrays: Any, layout: Layout) -> tuple[Any, ...]:
    zero = np.zeros((), ct.dtype)
    ct_value = index(ct, *arrays, layout=layout)
    if arrays:
        found = positions(*arrays, layout=layout, shape=tuple(x.shape))
        ct_value = np.where(last_writers(found, size=math.prod(x.shape)), ct_value, zero)
    shape = np.shape(value) if not hasattr(value, "shape") else tuple(value.shape)
    if shape == () != tuple(ct_value.shape):
        ct_value = np.sum(ct_value)
    return assign(ct, zero, *arrays, layout=layout), ct_value, *[None] * len(arrays)


def _assign_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    x, value, *arrays = xs
    where = positions_of(np.shape(x), params["layout"], arrays)
    writer = np.full(np.size(x), -1)
    if slot == 0:
        writer[:] = np.arange(writer.size)
        writer[where] = -1
    elif slot == 1:
        writer[where] = np.broadcast_to(np.arange(np.size(value)).reshape(np.shape(value)), where.shape)
    return Pattern.of_positions(writer, np.size(xs[slot]))


def _last_writers(found: Any, size: int) -> Any:
    """Whether a written value is the one that stays: not where a later one of the same position overwrites it."""
    order = np.arange(found.size).reshape(found.shape)
    winner = np.zeros(size, int)
    winner[found.reshape(-1)] = order.reshape(-1)
    return winner[found] == order


def _last_writers_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    (found,), size = xs, params["size"]
    return last_writers(_from_members(found, size), size=found.shape[0] * size)


last_writers = discrete(
    "last_writers",
    _last_writers,
    batch=_last_writers_batch,
    laws=lambda make: [((np.array([0, 2, 2]),), {"size": 4})],
)


def _assign_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    x, value, *arrays = xs
    layout = params["layout"]
    n = next(v.shape[0] for v, b in zip(xs, is_batched, strict=True) if b)
    if not is_batched[0]:
        x = conform(x, (n, *x.shape), x.dtype)
    shape = tuple(x.shape[1:])
    size = math.prod(shape)
    found = _batch_positions(arrays, is_batched[2:], layout, shape)
    target = tuple(found.shape) if any(is_batched[2:]) else (n, *found.shape)
    if is_batched[1]:
        value = reshape(value, shape=(n,) + (1,) * (len(target) - len(value.shape)) + tuple(value.shape[1:]))
    value = conform(value, target, x.dtype) if isinstance(value, Tracer) else np.broadcast_to(value, target)
    if not arrays:  # keeps the order in memory, on which views of the result depend
        return assign(x, value, layout=(slice(None), *layout))
    if any(is_batched[2:]):
        out = assign(reshape(x, shape=(n * size,)), value, _from_members(found, size), layout=(ARRAY,))
    else:
        out = assign(reshape(x, shape=(n, size)), value, found, layout=(slice(None), ARRAY))
    return reshape(out, shape=tuple(x.shape))


assign = smooth(
    "assign",
    _evaluate_assign,
    _assign_differential,
    pullback=_assign_pullback,
    batch=_assign_batch,
    pattern=_assign_pattern,
    formula="a with [{layout}] = b",
    laws=lambda make: [
        ((make(4, 3), make(2, 3)), {"layout": (slice(1, 3),)}),
        ((make(4), make(3), np.array([0, 2, 2])), {"layout": (ARRAY,)}),
        ((make(4), make()), {"layout": (2,)}),
    ],
)

assign.is_shaped, assign.kept = True, lambda xs, params, y: ((type_of(xs[0]), type_of(xs[1]), *xs[2:]), params, type_of(y))


@last_writers.spell
def _spell_last_writers(found: Any, size: int) -> Any:
    """Everybody writes their number down, and looks whether it is still there."""
    order = np.arange(math.prod(found.shape)).reshape(found.shape)
    winner = assign(np.zeros(size, int), order, found, layout=(ARRAY,))
    return np.equal(index(winner, found, layout=(ARRAY,)), order)


# --- what x[i] and x[i] = v mean -----------------------------------------------------------------------------------


def split_index(key: Any, x: Any) -> tuple[Layout, list[Any]]:
    """A NumPy index as a layout and the integer arrays that fill it; masks become positions."""
    parts = key if isinstance(key, tuple) else (key,)
    layout: list[Any] = []
    arrays: list[Any] = []
    for part in parts:
        if part is None or part is Ellipsis or (isinstance(part, (int, slice)) and not isinstance(part, bool)):
            layout.append(part)
            continue
        if isinstance(part, np.integer) or not hasattr(part, "shape") and hasattr(part, "__index__") and not isinstance(part, bool):
            layout.append(operator.index(part))
            continue
        chosen = as_array(part)
        if chosen.dtype.kind == "b":
            if is_batch_of(chosen, "b"):
                refuse("a mask as one of several indices")
            mask = lowest(chosen)
            if mask.ndim == 0:
                layout.append(bool(mask))
                continue
            found = np.nonzero(mask)
            arrays += found
            layout += [ARRAY] * len(found)
        elif chosen.dtype.kind in "iu" or chosen.size == 0:
            arrays.append(chosen if chosen.size else chosen.astype(int))
            layout.append(ARRAY)
        else:
            msg = "arrays used as indices must be of integer (or boolean) type"
            raise IndexError(msg)
    return tuple(layout), arrays


@implements(operator.getitem)
def get_item(x: Array, key: Any) -> Any:
    """`x[key]`; a basic index gives a view, as in NumPy."""
    kind = type(key)
    layout: Layout = (key,)
    arrays: list[Any] = []
    if kind is not int and kind is not slice:
        if is_batch_of(key, "b"):
            return Masked(np.copy(x), key)
        layout, arrays = split_index(key, x)
    result = index(x, *arrays, layout=layout)
    if not isinstance(result, Array) or result.shape == () and Ellipsis not in layout or _copies(x, layout, arrays):
        return result
    return as_view(
        result, x,
        lambda base: index(base, *arrays, layout=layout),
        lambda base, new: assign(base, new, *arrays, layout=layout),
    )  # fmt: skip


def _copies(x: Any, layout: Layout, arrays: Sequence[Any]) -> bool:
    """Whether NumPy copies what it reads: from numbers, and by arrays and truth values; not by (traced) integers."""
    if not x.shape and x.is_scalar or any(type(part) is bool for part in layout):
        return True
    return not all(getattr(k, "is_scalar", False) for k in arrays)


@implements(operator.setitem)
def set_item(x: Array, key: Any, value: Any) -> None:
    """`x[key] = value`: this array and all views of the same memory take the new value."""
    kind = type(key)
    layout: Layout = (key,)
    arrays: list[Any] = []
    if kind is not int and kind is not slice:
        if is_batch_of(key, "b"):
            set_masked(x, key, value)
            return
        layout, arrays = split_index(key, x)
    target = chosen_shape(x, layout, arrays)
    value = as_array(value)
    while len(value.shape) > len(target) and value.shape[0] == 1:
        value = reshape(value, shape=tuple(value.shape[1:]))
    if not isinstance(value, Tracer) and value.dtype != x.dtype and value.dtype.kind in "biuf" and x.dtype.kind in "fc":
        value = value.astype(x.dtype)  # compiled code writes numbers of one dtype
    if isinstance(value, Tracer) or value.shape not in ((), target):
        value = fit(value, target, x.dtype)
    replace(x, assign(x, value, *arrays, layout=layout))


def chosen_shape(x: Any, layout: Layout, arrays: Sequence[Any]) -> tuple[int, ...]:
    """The shape of `x[...]`; raises `IndexError` where a plain index is out of bounds."""
    examples = [np.zeros(a.shape, int) if isinstance(a, Tracer) else a for a in arrays]
    value = beneath(x)
    if value.ndim != len(x.shape):  # of a batch
        value = np.broadcast_to(np.empty(()), x.shape)
    return tuple(value[fill(layout, examples)].shape)


def set_masked(x: Array, mask: Any, value: Any) -> None:
    """`x[mask] = value` with a mask for each member of a batch."""
    if tuple(mask.shape) != tuple(x.shape[: len(mask.shape)]):
        msg = f"boolean index of shape {tuple(mask.shape)} did not match indexed array of shape {tuple(x.shape)}"
        raise IndexError(msg)
    new = as_operand(Masked(x, mask).full(value))
    new = conform(new, x.shape, x.dtype) if isinstance(new, Tracer) else new
    replace(x, np.where(spread_mask(mask, len(x.shape)), new, x))


# --- views: several names for the same memory ------------------------------------------------------------------------


def as_view(view: Any, base: Any, take: Callable[[Any], Any], put: Callable[[Any, Any], Any]) -> Any:
    """Mark `view = take(base)` as sharing memory with `base`; writing `new` into it is `base = put(base, new)`."""
    view._base = (base, put)
    try:
        views = base._views
    except AttributeError:
        views = base._views = []
    if len(views) >= 32 and len(views) & (len(views) - 1) == 0:
        views[:] = [entry for entry in views if entry[0]() is not None]
    views.append((_reference(view), take))
    return view


def _reference(view: Any) -> Any:
    return weakref.ref(view)


@implements(operator.iadd)
def replace(x: Any, new: Any) -> Any:
    """Let `x` stand for `new` from now on, and with it the array that it is a view of, and every view of that."""
    if new.dtype is not x.dtype and not np.can_cast(new.dtype, x.dtype, "same_kind"):
        msg = f"cannot write {new.dtype} into {x.dtype} with casting rule 'same_kind'"
        raise TypeError(msg)
    new = fit(new, x.shape, x.dtype)
    if x.shape == () and not x.is_scalar:  # an array without axes does not become a number
        new = assign(x, new, layout=(Ellipsis,))
    owner = getattr(x, "_base", None)
    if owner is not None:
        base, put = owner
        replace(base, put(base, new))
        return x
    adopt(x, laid_like(x, new))
    return x


def adopt(x: Any, new: Any) -> None:
    """Let `x` and the views of it stand for `new`, whatever `x` is a view of."""
    new = new if isinstance(new, Tracer) else constant_like(np.array(new), x)
    extra = new.watcher.written(x, new)
    x.__class__ = new.__class__
    x.value, x.watcher, x.extra = new.value, new.watcher, extra
    for reference, take in getattr(x, "_views", ()):
        view = reference()
        if view is not None:
            adopt(view, take(x))


def hand_over(x: Any, heir: Any) -> None:
    """From now on `heir` is what `x` was to the array that it is a view of, and to its own views."""
    if hasattr(x, "_base"):
        heir._base = x._base
        entries = x._base[0]._views
        entries[:] = [(_reference(heir) if view() is x else view, take) for view, take in entries]
        del x._base
    if hasattr(x, "_views"):
        heir._views = x._views
        del x._views
    for reference, _ in getattr(heir, "_views", ()):
        view = reference()
        if view is not None:
            view._base = (heir, view._base[1])
