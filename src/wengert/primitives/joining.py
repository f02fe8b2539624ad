"""Cards and functions that put several arrays into one, and arrays built from nested lists of traced values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from wengert.core.array import implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params
from wengert.core.trace import Tracer
from wengert.primitives.align import as_array, contains_tracer
from wengert.primitives.blank import blank_of_joined
from wengert.primitives.families import smooth
from wengert.primitives.index import get_item, index
from wengert.primitives.shaping import duplicate, expand_dims, flatten, into, named, on_axis, reshape_to, to_dtype
from wengert.primitives.structure import permute, spread


def _joining(name: str, join: Callable[..., Any], part: Callable[..., list[tuple[Any, ...]]], laws: Any) -> Any:
    """A card for several operands side by side; `part(k, xs, axis)` is the index at which operand `k` stands."""

    def differential(dxs: Sequence[Any], y: Any, *xs: Any, axis: int) -> Any:
        return card(
            *[np.zeros(x.shape, y.dtype) if dx is None else dx for x, dx in zip(xs, dxs, strict=True)], axis=axis
        )

    def pullback(ct: Any, y: Any, *xs: Any, axis: int) -> list[Any]:
        places = part(xs, axis % len(ct.shape))
        return [index(ct, layout=layout) for layout in places]

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        n = next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
        return card(
            *[x if b else spread(x, shape=(n, *x.shape)) for x, b in zip(xs, is_batched, strict=True)], **params
        )

    def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
        n = np.size(xs[slot])
        marked = [np.zeros(np.shape(x), int) for x in xs]
        marked[slot] = np.arange(1, n + 1).reshape(np.shape(xs[slot]))
        return Pattern.of_positions(join(marked, **params) - 1, n)

    card = smooth(
        name, lambda *xs, axis: join(xs, axis), differential, pullback=pullback, batch=batch, pattern=pattern, laws=laws
    )
    card.blank, card.is_shaped = blank_of_joined(join), True
    return card


def _ranges(xs: Sequence[Any], axis: int) -> list[tuple[Any, ...]]:
    ends = np.cumsum([0] + [x.shape[axis] for x in xs]).tolist()
    return [on_axis(axis, slice(a, b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]


joined = _joining(
    "concatenate",
    np.concatenate,
    _ranges,
    lambda make: [((make(2, 3), make(1, 3)), {"axis": -2}), ((make(2), make(0), make(3)), {"axis": -1})],
)
stacked = _joining(
    "stack",
    np.stack,
    lambda xs, axis: [on_axis(axis, k) for k in range(len(xs))],
    lambda make: [((make(2, 3), make(2, 3)), {"axis": -2}), ((make(), make(), make()), {"axis": -1})],
)


def _common(arrays: Sequence[Any], dtype: Any, casting: str) -> list[Any]:
    """The arrays with the traced ones under the common dtype, and the others too if it was asked for."""
    target = np.dtype(dtype) if dtype is not None else np.result_type(*[a.dtype for a in arrays])
    if dtype is not None:
        for a in arrays:
            if not np.can_cast(a.dtype, target, casting):  # type: ignore[arg-type]
                msg = f"Cannot cast array data from {a.dtype!r} to {target!r} according to the rule {casting!r}"
                raise TypeError(msg)
    return [to_dtype(a, target) if isinstance(a, Tracer) or dtype is not None else a for a in arrays]


@implements(*named("concatenate", "concat"))
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Arrays one after another along an axis."""
    parts = [as_array(a) for a in arrays]
    if axis is None:
        parts, axis = [flatten(a) for a in parts], 0
    rank = len(parts[0].shape)
    if any(len(a.shape) != rank for a in parts) or not rank:
        msg = "all the input array dimensions except for the concatenation axis must match exactly; ranks differ"
        raise ValueError(msg if rank else "zero-dimensional arrays cannot be concatenated")
    dtype = out.dtype if out is not None and dtype is None else dtype
    axis = normalize_axis_index(axis, rank)
    return into(out, joined(*_common(parts, dtype, casting), axis=axis - rank))


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays of one shape side by side along a new axis."""
    parts = [as_array(a) for a in arrays]
    if any(tuple(a.shape) != tuple(parts[0].shape) for a in parts):
        msg = "all input arrays must have the same shape"
        raise ValueError(msg)
    rank = len(parts[0].shape) + 1
    axis = normalize_axis_index(axis, rank)
    return into(out, stacked(*_common(parts, dtype, casting), axis=axis - rank))


def _raised(rank: int, arrays: Any) -> list[Any]:
    grow = (np.atleast_1d, np.atleast_2d, np.atleast_3d)[rank - 1]
    return [grow(as_array(a)) for a in arrays]


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Along the second axis; vectors along their only one."""
    parts = _raised(1, tup)
    return concatenate(parts, 0 if len(parts[0].shape) == 1 else 1, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Along the first axis; vectors are rows."""
    return concatenate(_raised(2, tup), 0, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """Along the third axis."""
    return concatenate(_raised(3, tup), 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Along the second axis; vectors are columns."""
    parts = [as_array(a) for a in tup]
    return concatenate([reshape_to(a, (-1, 1)) if len(a.shape) < 2 else a for a in parts], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`values` after `arr`."""
    return concatenate((arr, values), axis)


@implements(np.block)
def block(arrays: Any) -> Any:
    """A block matrix: the innermost lists go along the last axis, the next ones along the one before."""
    depth = _depth(arrays)
    if _has_empty(arrays):
        msg = "List depths are mismatched: a list of blocks is empty"
        raise ValueError(msg)
    rank = max([depth] + [len(as_array(a).shape) for a in _leaves(arrays)])

    def build(part: Any, level: int) -> Any:
        if level == depth:
            a = as_array(part)
            return reshape_to(a, (1,) * (rank - len(a.shape)) + tuple(a.shape))
        return concatenate([build(inner, level + 1) for inner in part], level - depth)

    result = build(arrays, 0)
    return duplicate(result) if depth == 0 else result


def _depth(nested: Any) -> int:
    return 1 + max(map(_depth, nested), default=0) if isinstance(nested, list) else 0


def _has_empty(nested: Any) -> bool:
    return isinstance(nested, list) and (not nested or any(map(_has_empty, nested)))


def _leaves(nested: Any) -> list[Any]:
    return [leaf for part in nested for leaf in _leaves(part)] if isinstance(nested, list) else [nested]


# --- nested lists ------------------------------------------------------------------------------------------------


@implements(np.array)
def build_array(
    object: Any,
    dtype: Any = None, *, copy: bool | None = True, order: str = "K", subok: bool = False, ndmin: int = 0,
    ndmax: int = 0, like: Any = None,
) -> Any:  # fmt: skip
    """The array of a nested list with traced values in it, by stacking."""
    result = _stack_nested(object)
    if dtype is not None:
        result = to_dtype(result, dtype)
    if len(result.shape) < ndmin:
        result = reshape_to(result, (1,) * (ndmin - len(result.shape)) + tuple(result.shape))
    return duplicate(result) if copy and result is object else result


def _stack_nested(nested: Any) -> Any:
    if isinstance(nested, (list, tuple)):
        if contains_tracer(nested):
            return stack([_stack_nested(part) for part in nested])
        return np.asarray(nested)
    return as_array(nested)


# --- functions of slices ------------------------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """`func1d` of each vector along an axis; what it returns takes the place of that axis."""
    rank = len(arr.shape)
    axis = normalize_axis_index(axis, rank)
    last = permute(arr, axes=tuple(k for k in range(rank) if k != axis) + (axis,))
    outer = tuple(last.shape[:-1])
    results = [as_array(func1d(get_item(last, place), *args, **kwargs)) for place in np.ndindex(outer)]
    if not results:
        msg = "Cannot apply_along_axis when any iteration dimensions are 0"
        raise ValueError(msg)
    inner = tuple(results[0].shape)
    joined_up = reshape_to(stack(results), outer + inner)
    return np.moveaxis(joined_up, range(rank - 1, rank - 1 + len(inner)), range(axis, axis + len(inner)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: Any) -> Any:
    """`func(a, axis)` for one axis after another, each kept with length 1."""
    for axis in normalize_axis_tuple(axes, len(a.shape)):
        result = func(a, axis)
        a = result if len(result.shape) == len(a.shape) else expand_dims(result, axis)
    return a
