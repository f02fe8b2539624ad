"""Shape and order of axes: the functions that NumPy answers with a view, here as views of traced arrays.

A view is marked only where NumPy's own value shares memory, so `reshape` of a transposed array is a copy here
as it is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from wengert.core.array import Array, implements
from wengert.core.trace import Tracer, beneath
from wengert.primitives.align import as_operand
from wengert.primitives.families import discrete
from wengert.primitives.index import ARRAY, as_view, get_item, index, set_item
from wengert.primitives.structure import cast, permute, reshape, spread

Axes = int | Sequence[int] | None


def named(*names: str, room: Any = np) -> list[Any]:
    """Those of these functions that the installed NumPy has."""
    return [getattr(room, name) for name in names if hasattr(room, name)]


def viewed(x: Any, take: Callable[[Any], Any], put: Callable[[Any, Any], Any]) -> Any:
    """`take(x)`, marked as a view of `x` where NumPy's value is one; `put(base, new)` writes through it."""
    result = take(x)
    if not isinstance(result, Array) or not isinstance(x, Array) or _is_number(result) or _is_number(x):
        return result
    return as_view(result, x, take, put) if shares_memory(result, x) else result


def _is_number(x: Any) -> bool:
    return not x.shape and x.is_scalar


def shares_memory(x: Any, y: Any) -> bool:
    """Whether NumPy's values have memory in common; values of other libraries say nothing of theirs."""
    plain = beneath(x), beneath(y)
    return all(isinstance(value, (np.ndarray, np.generic)) for value in plain) and np.may_share_memory(*plain)


def boxed(x: Any) -> Any:
    """`x`, which is an array without axes if it was a number: what NumPy's functions of arrays return."""
    return x[...] if getattr(x, "is_scalar", False) else np.asarray(x) if isinstance(x, np.generic) else x


def read_only(base: Any, new: Any) -> NoReturn:
    """The `put` of a view that NumPy does not let anyone write into."""
    msg = "assignment destination is read-only"
    raise ValueError(msg)


def size_of(x: Any) -> int:
    """How many entries `x` has."""
    return math.prod(x.shape)


def flatten(x: Any) -> Any:
    """`x` as a vector, for reading only."""
    return x if len(x.shape) == 1 else reshape(x, shape=(size_of(x),))


def gather(x: Any, rearrange: Callable[[Any], Any]) -> Any:
    """`rearrange(x)`, for any function that only copies entries: run it on their positions, then pick."""
    positions = rearrange(np.arange(size_of(x)).reshape(x.shape))
    return index(flatten(x), positions, layout=(ARRAY,))


def into(out: Any, result: Any) -> Any:
    """`result`, written into `out` if there is one."""
    if out is None:
        return result
    if tuple(out.shape) != tuple(result.shape):
        msg = f"output array has wrong shape: {tuple(out.shape)}, not {tuple(result.shape)}"
        raise ValueError(msg)
    assign_to(out, result)
    return out


def assign_to(target: Any, value: Any) -> None:
    """`target[...] = value`; raises `LostDerivativeError` for a plain target and a traced value."""
    if isinstance(target, Array):
        set_item(target, Ellipsis, value)
    else:
        target[...] = value


# --- shape ------------------------------------------------------------------------------------------------------


@implements(np.shape)
def shape_of(a: Any) -> tuple[int, ...]:
    """The lengths of the axes."""
    return tuple(a.shape)


@implements(np.ndim)
def rank_of(a: Any) -> int:
    """The number of axes."""
    return len(a.shape)


@implements(np.size)
def number_of_entries(a: Any, axis: Axes = None) -> int:
    """The number of entries, all or along some axes."""
    axes = range(len(a.shape)) if axis is None else normalize_axis_tuple(axis, len(a.shape))
    return int(np.prod([a.shape[k] for k in axes], dtype=int))


def complete_shape(shape: Any, size: int) -> tuple[int, ...]:
    """A shape as a tuple, with a length of -1 worked out."""
    lengths = [int(n) for n in shape] if isinstance(shape, (tuple, list, np.ndarray)) else [int(shape)]
    if -1 in lengths:
        known = math.prod([n for n in lengths if n != -1])
        if lengths.count(-1) > 1 or known == 0 or size % known:
            msg = f"cannot reshape array of size {size} into shape {tuple(lengths)}"
            raise ValueError(msg)
        lengths[lengths.index(-1)] = size // known
    return tuple(lengths)


@implements(np.reshape)
def reshape_to(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """The same entries in the same order, under another shape."""
    shape = complete_shape(shape, size_of(a))
    if order not in {"C", "F", "A"}:
        msg = f"order must be one of 'C', 'F' or 'A' (got {order!r})"
        raise ValueError(msg)
    if a.shape and order in {"F", "A"} and (order == "F" or is_fortran(a)):
        turned = np.transpose(reshape_to(np.transpose(a), shape[::-1], copy=copy))
        return duplicate(turned) if copy else turned
    if shape == tuple(a.shape):
        return duplicate(a) if copy else a
    result = viewed(a, lambda x: reshape(x, shape=shape), lambda base, new: reshape(new, shape=tuple(base.shape)))
    if copy is False and not shares_memory(result, a):
        msg = "Unable to avoid creating a copy while reshaping."
        raise ValueError(msg)
    return duplicate(result) if copy else result


def is_fortran(a: Any) -> bool:
    """Whether the value lies in memory column by column, and not row by row."""
    flags = _flags(a)
    return bool(flags.f_contiguous and not flags.c_contiguous)


def _flags(a: Any) -> Any:
    value = beneath(a)
    return value[(0,) * (value.ndim - len(a.shape))].flags if value.size else value.flags  # of one member of a batch


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """`a` as a vector; a view of what lies without gaps and in this order in memory, and a copy of anything else."""
    if order in {"A", "K"}:
        order = "F" if is_fortran(a) else "C"
    flat = reshape_to(a, (size_of(a),), order=order)
    return flat if not isinstance(a, Array) or _lies_in_order(a, order) else duplicate(flat)


def _lies_in_order(a: Any, order: str) -> bool:
    """Whether NumPy hands out the memory of `a` as a vector."""
    flags = _flags(a)
    in_order = flags.f_contiguous if order == "F" else flags.c_contiguous
    return bool(in_order) and getattr(a, "_base", (None, None))[1] is not read_only


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Axes) -> Any:
    """New axes of length 1 at these places of the result."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis or ())
    rank = len(a.shape) + len(axes)
    places = normalize_axis_tuple(axes, rank)
    old = iter(a.shape)
    return reshape_to(a, tuple(1 if k in places else next(old) for k in range(rank)))


@implements(np.squeeze)
def squeeze(a: Any, axis: Axes = None) -> Any:
    """Axes of length 1 taken away."""
    shape = a.shape
    places = [k for k, n in enumerate(shape) if n == 1] if axis is None else normalize_axis_tuple(axis, len(shape))
    if any(shape[k] != 1 for k in places):
        msg = "cannot select an axis to squeeze out which has size not equal to one"
        raise ValueError(msg)
    return reshape_to(a, tuple(n for k, n in enumerate(shape) if k not in places))


def _each(grow: Callable[[Any], Any]) -> Callable[..., Any]:
    def front(*arrays: Any) -> Any:
        results = tuple([grow(as_operand(a)) for a in arrays])
        return results[0] if len(results) == 1 else results

    return front


def _at_least(rank: int) -> Callable[[Any], Any]:
    def grow(a: Any) -> Any:
        if not isinstance(a, Tracer):
            return (np.atleast_1d, np.atleast_2d, np.atleast_3d)[rank - 1](a)
        n = len(a.shape)
        if n >= rank:
            return a
        if rank == 3 and n:
            return reshape_to(a, (*((1,) if n == 1 else ()), *a.shape, 1))
        return reshape_to(a, (1,) * (rank - n) + tuple(a.shape))

    return grow


atleast_1d = implements(np.atleast_1d)(_each(_at_least(1)))
atleast_2d = implements(np.atleast_2d)(_each(_at_least(2)))
atleast_3d = implements(np.atleast_3d)(_each(_at_least(3)))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """`array` repeated along new axes and axes of length 1."""
    shape = tuple(map(int, shape)) if isinstance(shape, (tuple, list)) else (int(shape),)
    if np.broadcast_shapes(array.shape, shape) != shape:
        msg = f"input operand has shape {tuple(array.shape)}, which does not broadcast to {shape}"
        raise ValueError(msg)
    return viewed(array, lambda x: spread(x, shape=shape), read_only)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """All arrays repeated to their common shape."""
    arrays = [as_operand(a) for a in args]
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple([boxed(a) if np.shape(a) == shape else np.broadcast_to(a, shape) for a in arrays])


# --- order of axes --------------------------------------------------------------------------------------------------


@implements(*named("transpose", "permute_dims"))
def transpose(a: Any, axes: Any = None) -> Any:
    """The axes in another order; reversed by default."""
    rank = len(a.shape)
    order = tuple(range(rank - 1, -1, -1))
    if axes is not None:
        order = normalize_axis_tuple(axes, rank)
        if len(order) != rank:
            msg = "axes don't match array"
            raise ValueError(msg)
    result = permute(a, axes=order)
    if not isinstance(result, Array) or not isinstance(a, Array) or _is_number(a):
        return result
    return as_view(result, a, lambda x: permute(x, axes=order), lambda base, new: permute(new, axes=inverse_of(order)))


def inverse_of(order: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes a permutation."""
    return tuple([order.index(k) for k in range(len(order))])


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    if len(x.shape) < 2:
        msg = f"Input array must be at least 2-dimensional, but it is {len(x.shape)}"
        raise ValueError(msg)
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    order = list(range(len(a.shape)))
    i, j = normalize_axis_index(axis1, len(order)), normalize_axis_index(axis2, len(order))
    order[i], order[j] = order[j], order[i]
    return transpose(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Some axes moved to other places, the rest in their order."""
    rank = len(a.shape)
    sources, places = normalize_axis_tuple(source, rank), normalize_axis_tuple(destination, rank)
    if len(sources) != len(places):
        msg = "`source` and `destination` arguments must have the same number of elements"
        raise ValueError(msg)
    order = [k for k in range(rank) if k not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return transpose(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """One axis moved backwards until it stands before the place `start`."""
    rank = len(a.shape)
    axis = normalize_axis_index(axis, rank)
    start = normalize_axis_index(start, rank + 1)
    return moveaxis(a, axis, start - (axis < start))


# --- order along axes -------------------------------------------------------------------------------------------------


def on_axis(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that applies `part` to one axis, counted from the front."""
    return (slice(None),) * axis + (part,)


@implements(np.flip)
def flip(m: Any, axis: Axes = None) -> Any:
    """The entries in reversed order along axes."""
    rank = len(m.shape)
    places = range(rank) if axis is None else normalize_axis_tuple(axis, rank)
    return get_item(m, tuple(slice(None, None, -1 if k in places else None) for k in range(rank)))


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """Columns in reversed order."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """Rows in reversed order."""
    return flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """A plane of axes turned by `k` right angles."""
    i, j = normalize_axis_tuple(axes, len(m.shape))
    turns = k % 4
    if turns == 0:
        return m
    if turns == 2:
        return flip(m, (i, j))
    return swapaxes(flip(m, j), i, j) if turns == 1 else flip(swapaxes(m, i, j), j)


# --- parts ----------------------------------------------------------------------------------------------------------


def _sections(n: int, indices_or_sections: Any, exact: bool) -> list[slice]:
    if np.ndim(indices_or_sections):
        cuts = [None, *[int(k) for k in indices_or_sections], None]
        return [slice(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
    parts = int(indices_or_sections)
    if parts <= 0 or exact and n % parts:
        msg = (
            "array split does not result in an equal division"
            if parts > 0
            else "number sections must be larger than 0."
        )
        raise ValueError(msg)
    ends = np.cumsum([0, *[n // parts + (k < n % parts) for k in range(parts)]])
    return [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]


def _cut(ary: Any, indices_or_sections: Any, axis: int, *, exact: bool) -> list[Any]:
    axis = normalize_axis_index(axis, len(ary.shape))
    parts = _sections(ary.shape[axis], indices_or_sections, exact)
    return [get_item(ary, on_axis(axis, part)) for part in parts]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Consecutive parts along an axis, equal if their number is given."""
    return _cut(ary, indices_or_sections, axis, exact=True)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Consecutive parts along an axis, nearly equal if their number is given."""
    return _cut(ary, indices_or_sections, axis, exact=False)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along the second axis; the first of a vector."""
    return list(split(ary, indices_or_sections, 1 if len(ary.shape) > 1 else 0))


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along the first axis of two or more."""
    _needs_rank(ary, 2, "vsplit")
    return list(split(ary, indices_or_sections, 0))


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along the third axis."""
    _needs_rank(ary, 3, "dsplit")
    return list(split(ary, indices_or_sections, 2))


def _needs_rank(a: Any, rank: int, name: str) -> None:
    if len(a.shape) < rank:
        msg = f"{name} only works on arrays of {rank} or more dimensions"
        raise ValueError(msg)


@implements(*named("unstack"))
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis."""
    axis = normalize_axis_index(axis, len(x.shape))
    return tuple([get_item(x, on_axis(axis, k)) for k in range(x.shape[axis])])


# --- copies and dtypes ------------------------------------------------------------------------------------------------


@implements(np.copy)
def duplicate(a: Any, order: str = "K", subok: bool = False) -> Any:
    """The same value under another name: what is written into one is not seen in the other."""
    # assignment never writes into a value but replaces it, so two names can stand for one value
    return type(a)(a.value, a.watcher, a.extra) if isinstance(a, Array) else np.array(a)


truncated = discrete(
    "truncated",
    lambda x, dtype: x.astype(dtype),
    code="a",
    laws=lambda make: [((make(3),), {"dtype": np.dtype("int64")})],
)


def to_dtype(x: Any, dtype: Any) -> Any:
    """`x` under another dtype; a derivative goes on through floating and complex ones only."""
    dtype = np.dtype(dtype).newbyteorder("=")
    if x.dtype == dtype:
        return x
    return cast(x, dtype=dtype) if dtype.kind in "fc" else truncated(x, dtype=dtype)


@implements(*named("astype"))
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Any:
    """`x` under another dtype."""
    result = to_dtype(x, dtype)
    return duplicate(result) if copy and result is x else result
