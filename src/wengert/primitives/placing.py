"""Choosing between arrays by conditions, and writing into chosen places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import Array, implements
from wengert.core.trace import Tracer, peek
from wengert.primitives import arithmetic
from wengert.primitives.align import as_array, as_operand, common_dtype
from wengert.primitives.index import replace, set_item
from wengert.primitives.rearranging import concrete, within
from wengert.primitives.shaping import into, size_of, to_dtype


def truth(condition: Any) -> Any:
    """A condition as booleans."""
    condition = as_operand(condition)
    if not hasattr(condition, "dtype"):
        return bool(condition)
    return condition if condition.dtype.kind == "b" else np.not_equal(condition, 0)


@implements(np.where)
def where(condition: Any, *branches: Any) -> Any:
    """`x` where the condition holds and `y` elsewhere; with the condition alone, where it holds."""
    if not branches:
        return np.nonzero(condition)
    if len(branches) != 2:
        msg = "either both or neither of x and y should be given"
        raise ValueError(msg)
    condition, (x, y) = truth(condition), map(as_operand, branches)
    dtype = common_dtype((x, y))
    x, y = (to_dtype(v, dtype) if isinstance(v, Tracer) else v for v in (x, y))
    return arithmetic.where(condition, x, y)


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """At each place the entry of `choices[a]`."""
    a = as_operand(a)
    options = [as_operand(c) for c in choices]
    n = len(options)
    if mode == "raise" and peek(lambda value: np.any((value < 0) | (value >= n)), a):
        msg = "invalid entry in choice array"
        raise ValueError(msg)
    a = within(a, n, mode)
    return into(out, select([np.equal(a, k) for k in range(n)], options))


@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """At each place the entry of the first choice whose condition holds."""
    if len(condlist) != len(choicelist) or not condlist:
        msg = (
            "list of cases must be same length as list of conditions"
            if condlist
            else "select with an empty condition list is not possible"
        )
        raise ValueError(msg)
    choices = [as_operand(c) for c in [*choicelist, default]]
    dtype = common_dtype(choices)
    conditions = [as_operand(c) for c in condlist]
    for k, condition in enumerate(conditions):
        if condition.dtype.kind != "b":
            msg = f"invalid entry {k} in condlist: should be boolean ndarray"
            raise TypeError(msg)
    result = choices[-1]
    for condition, choice in zip(conditions[::-1], choices[-2::-1], strict=True):
        result = where(condition, choice, result)
    return to_dtype(result, dtype)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Each function (or number) where its condition holds; one more function holds elsewhere."""
    x = as_operand(x)
    is_one = not isinstance(condlist, (list, tuple)) and np.ndim(condlist) <= np.ndim(x)
    is_one = is_one or isinstance(condlist, (list, tuple)) and np.ndim(condlist[0]) == 0 and np.ndim(x) > 0
    conditions = [truth(c) for c in ([condlist] if is_one else condlist)]
    if len(funclist) == len(conditions) + 1:
        rest = conditions[0]
        for condition in conditions[1:]:
            rest = np.logical_or(rest, condition)
        conditions.append(np.logical_not(rest))
    elif len(funclist) != len(conditions):
        msg = f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions are expected"
        raise ValueError(msg)
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        y = _piece(y, x, condition, function, args, kw)
    return y


def _piece(y: Any, x: Any, condition: Any, function: Any, args: Any, kw: Any) -> Any:
    if not callable(function):
        return to_dtype(where(condition, function, y), x.dtype)
    if isinstance(condition, Tracer):  # a batch: each member has its own places, so the function sees them all
        return to_dtype(where(condition, function(x, *args, **kw), y), x.dtype)
    if np.any(condition):
        condition = np.asarray(condition)
        y[condition] = function(x[condition], *args, **kw)
    return y


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(target: Any, places: Any, values: Any) -> None:
    """`target.flat[places] = values`."""
    if not isinstance(target, Array):
        target.flat[places] = values  # raises, with advice, for traced values
        return
    if target.shape:
        set_item(target, np.unravel_index(places, tuple(target.shape)), values)
    else:
        set_item(target, ..., values[-1])


def _cycled(values: Any, count: int) -> Any:
    """The first `count` of the values, over and over."""
    values = np.ravel(as_operand(values)) if np.ndim(values) else np.reshape(as_operand(values), (1,))
    return values[np.arange(count) % size_of(values)]


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """`arr[mask] = vals`, taken in order and over again."""
    chosen = concrete(as_operand(mask), "np.place")
    if chosen.size != size_of(arr):
        msg = "place: mask and data must be the same size"
        raise ValueError(msg)
    places = np.flatnonzero(chosen)
    if places.size and not np.size(vals):
        msg = "Cannot insert from an empty array!"
        raise ValueError(msg)
    if places.size:
        _write(arr, places, _cycled(vals, places.size))


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """`a.flat[ind] = v`, taken in order and over again."""
    if not size_of(as_array(v)):
        return
    places = np.ravel(as_array(ind))
    n = size_of(a)
    if mode == "raise" and peek(lambda value: np.any((value < -n) | (value >= n)), places):
        msg = f"index is out of bounds for array of size {n}"
        raise IndexError(msg)
    places = within(places, n, mode) % max(n, 1)
    if size_of(places):
        _write(a, places, _cycled(v, size_of(places)))


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    """`a.flat[n] = values[n]` wherever the mask holds; values over again when they are too few, none if there are none."""
    if not size_of(as_array(values)):
        return
    full = np.reshape(_cycled(values, size_of(a)), tuple(a.shape))
    copyto(a, full, casting="unsafe", where=np.reshape(truth(mask), tuple(a.shape)))


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """`dst[where] = src`."""
    src = as_operand(src)
    kind = src.dtype if hasattr(src, "dtype") else np.result_type(src, dst.dtype)
    if not np.can_cast(kind, dst.dtype, casting):
        msg = f"Cannot cast array data from {kind!r} to {dst.dtype!r} according to the rule {casting!r}"
        raise TypeError(msg)
    if not isinstance(dst, Array):
        dst[...] = src  # raises, with advice, for traced values
        return
    while np.ndim(src) > len(dst.shape) and src.shape[0] == 1:
        src = src[0]
    new = np.broadcast_to(src, tuple(dst.shape))
    new = to_dtype(new, dst.dtype) if isinstance(new, Tracer) else np.asarray(new).astype(dst.dtype)
    replace(dst, new if where is True else np.where(where, new, dst))


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """`a[i, ..., i] = val` for every `i`."""
    shape = tuple(a.shape)
    if len(shape) < 2 or len(shape) > 2 and len(set(shape)) > 1:
        msg = "array must be at least 2-d" if len(shape) < 2 else "All dimensions of input must be of equal length"
        raise ValueError(msg)
    end = None if wrap or len(shape) > 2 else shape[1] * shape[1]
    step = shape[1] + 1 if len(shape) == 2 else 1 + int(np.cumprod(shape[:-1]).sum())
    places = np.arange(size_of(a))[:end:step]
    _write(a, places, _cycled(val, places.size))
