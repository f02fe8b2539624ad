"""Running sums, products and linear recurrences, and differences: the functions that go along an axis in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from wengert.core.array import implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import NOT_GIVEN, all_batched, as_array
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import linear, smooth
from wengert.primitives.joining import concatenate
from wengert.primitives.rearranging import from_end
from wengert.primitives.shaping import flatten, flip, into, named, on_axis, to_dtype
from wengert.primitives.structure import conjugate, move_axis

# --- cards -------------------------------------------------------------------------------------------------------------


def backwards(x: Any, axis: int = -1) -> Any:
    """The entries in reversed order along an axis."""
    return flip(x, axis) if isinstance(x, Tracer) else np.flip(x, axis)


def behind(x: Any, first: Any) -> Any:
    """Each entry moved on by one place along the last axis: `first` comes in and the last falls out."""
    if x.shape[-1] == 0:
        return x
    edge = np.full((*x.shape[:-1], 1), first, x.dtype)
    return np.concatenate([edge, x[..., :-1]], -1)


def _running_sum_adjoint(ct: Any, x: Any, axis: int) -> Any:
    return backwards(running_sum(backwards(ct, axis), axis=axis), axis)


def _lower_triangle(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """An entry depends on those before it on its line along the axis, and on its own."""
    n = np.size(y)
    lines = np.moveaxis(np.arange(n).reshape(np.shape(y)), params["axis"], -1)
    later, earlier = np.tril_indices(lines.shape[-1])
    return Pattern(lines[..., later], lines[..., earlier], (n, n))


running_sum: Primitive = linear(
    "cumsum",
    lambda x, axis: np.cumsum(x, axis=axis, dtype=x.dtype),
    _running_sum_adjoint,
    pattern=_lower_triangle,
    laws=lambda make: [((make(4),), {"axis": -1}), ((make(3, 4),), {"axis": -2}), ((make(2, 0),), {"axis": -1})],
)

running_sum.step = lambda params: ("b", "a + b", params["axis"])

LONGEST = 128  # a recurrence of more steps than this goes by blocks, whose steps are taken side by side


def _recur(a: Any, b: Any) -> Any:
    """`s[k] = a[k] s[k-1] + b[k]` along the last axis, with `s[-1] = 0`."""
    with np.errstate(all="ignore"):
        return np.moveaxis(_run(np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)), 0, -1)


def _run(a: Any, b: Any) -> Any:
    """The same along the first axis, where each step finds its numbers next to one another."""
    n, times = len(b), _product_for(a)
    s = np.array(b, order="C")
    if n <= LONGEST or n * n <= s.size:
        for k in range(1, n):
            s[k] += times(a[k], s[k - 1])
        return s
    width = int(np.sqrt(n))
    whole = n - n % width
    blocks = (whole // width, width, *b.shape[1:])
    factors = np.ascontiguousarray(a[:whole].reshape(blocks).swapaxes(0, 1))
    inside = _run(factors, s[:whole].reshape(blocks).swapaxes(0, 1))
    reach = np.cumprod(factors, 0)  # how much of what comes into a block is left at each of its places
    ends = _run(reach[-1], inside[-1])
    inside[:, 1:] += _product_for(reach)(reach[:, 1:], ends[:-1])
    s[:whole] = inside.swapaxes(0, 1).reshape((whole, *b.shape[1:]))
    for k in range(whole, n):
        s[k] += times(a[k], s[k - 1])
    return s


def _product_for(a: Any) -> Callable[[Any, Any], Any]:
    """`a s`, and 0 where `s` is 0, however infinite `a`: the derivative of a step that nothing came into."""
    return np.multiply if np.isfinite(a).all() else lambda a, s: np.where(s == 0, 0, a * s)


def _recur_differential(dxs: Sequence[Any], y: Any, a: Any, b: Any) -> Any:
    da, db = dxs
    if da is None:
        return recurrence(a, db)
    change = scaled(behind(y, 0), da)
    return recurrence(a, change if db is None else db + change)


def _adjoint_of(a: Any) -> Any:
    return conjugate(a) if a.dtype.kind == "c" else a


def _recur_back(ct: Any, a: Any) -> Any:
    """The cotangent of `b`: the same recurrence from the end."""
    return backwards(recurrence(behind(backwards(_adjoint_of(a)), 0), backwards(ct)))


def _recur_pullback(ct: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    ct_b = _recur_back(ct, a)
    return scaled(_adjoint_of(behind(y, 0)), ct_b), ct_b


recurrence: Primitive = smooth(
    "recurrence",
    _recur,
    _recur_differential,
    pullback=_recur_pullback,
    batch=lambda xs, is_batched, params: recurrence(*all_batched(xs, is_batched)),
    formula="s with sₖ = aₖ sₖ₋₁ + bₖ",
    laws=lambda make: [((make(4), make(4)), {}), ((make(2, 3), make(2, 3)), {})],
)


recurrence.is_shaped = True
recurrence.step = lambda params: ("c", "(0 if a == 0 else b * a) + c", -1)


def _running_product_differential(dxs: Sequence[Any], y: Any, x: Any, axis: int) -> Any:
    """`dyₖ = xₖ dyₖ₋₁ + yₖ₋₁ dxₖ`, which divides by nothing."""
    x, y, dx = (move_axis(v, axis, -1) for v in (x, y, dxs[0]))
    return move_axis(recurrence(x, scaled(behind(y, 1), dx)), -1, axis)


def _running_product_pullback(ct: Any, y: Any, x: Any, axis: int) -> tuple[Any]:
    x, y, ct = (move_axis(v, axis, -1) for v in (x, y, ct))
    return (move_axis(scaled(_adjoint_of(behind(y, 1)), _recur_back(ct, x)), -1, axis),)


running_product: Primitive = smooth(
    "cumprod",
    lambda x, axis: np.cumprod(x, axis=axis, dtype=x.dtype),
    _running_product_differential,
    pullback=_running_product_pullback,
    pattern=_lower_triangle,
    laws=lambda make: [
        ((make(4),), {"axis": -1}),
        ((make(3, 4),), {"axis": -2}),
        ((make(4) * np.array([1, 0, 1, 0]),), {"axis": -1}),
    ],
)


running_product.is_shaped = True
running_product.step = lambda params: ("b", "a * b", params["axis"])


# --- NumPy's functions -----------------------------------------------------------------------------------------------------


def accumulating_dtype(dtype: Any, out: Any, x: Any) -> Any:
    """In which dtype NumPy adds or multiplies: small integers as wide ones."""
    if dtype is not None:
        return np.dtype(dtype)
    if out is not None:
        return np.dtype(out.dtype)
    if x.dtype.kind in "biu" and x.dtype.itemsize < np.dtype(int).itemsize:
        return np.dtype(np.uint) if x.dtype.kind == "u" else np.dtype(int)
    return np.dtype(x.dtype)


def _along_axis(a: Any, axis: Any) -> tuple[Any, int]:
    """An array and a trailing axis of it; all entries as a vector for `None`."""
    if axis is None or not a.shape:
        normalize_axis_index(axis or 0, max(len(a.shape), 1))
        return flatten(a), -1
    return a, from_end(axis, len(a.shape))


def _running_front(card: Primitive) -> Callable[..., Any]:
    def front(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        a = as_array(a)
        x, axis = _along_axis(a, axis)
        return into(out, card(to_dtype(x, accumulating_dtype(dtype, out, a)), axis=axis))

    return front


cumsum = implements(np.cumsum)(_running_front(running_sum))
cumprod = implements(np.cumprod)(_running_front(running_product))


def _running_from(card: Primitive, identity: int) -> Callable[..., Any]:
    def front(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
    ) -> Any:
        x = as_array(x)
        if axis is None and len(x.shape) > 1:
            msg = "For arrays which have more than one dimension ``axis`` argument is required."
            raise ValueError(msg)
        rows, axis = _along_axis(x, axis)
        result = card(to_dtype(rows, accumulating_dtype(dtype, out, x)), axis=axis)
        if include_initial:
            shape = list(result.shape)
            shape[axis] = 1
            result = concatenate([np.full(shape, identity, result.dtype), result], axis)
        return into(out, result)

    return front


for _function, _front in ((named("cumulative_sum"), _running_from(running_sum, 0)),
                          (named("cumulative_prod"), _running_from(running_product, 1))):  # fmt: skip
    implements(*_function)(_front)


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = NOT_GIVEN, append: Any = NOT_GIVEN) -> Any:
    """Each entry less the one before it, `n` times over."""
    if n == 0:
        return a
    if n < 0:
        msg = f"order must be non-negative but got {n!r}"
        raise ValueError(msg)
    a = as_array(a)
    if not a.shape:
        msg = "diff requires input that is at least one dimensional"
        raise ValueError(msg)
    axis = normalize_axis_index(axis, len(a.shape))
    edge = tuple([1 if k == axis else length for k, length in enumerate(a.shape)])
    ends = [None if v is NOT_GIVEN else as_array(v) for v in (prepend, append)]
    before, after = [v if v is None or v.shape else np.broadcast_to(v, edge) for v in ends]
    parts = [v for v in (before, a, after) if v is not None]
    a = concatenate(parts, axis) if len(parts) > 1 else a
    minus = np.not_equal if a.dtype.kind == "b" else np.subtract
    for _ in range(n):
        a = minus(a[on_axis(axis, slice(1, None))], a[on_axis(axis, slice(None, -1))])
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of all entries in a row, with more entries in front and behind."""
    ary = flatten(as_array(ary))
    parts = [ary[1:] - ary[:-1]]
    for name, edge, place in (("to_begin", to_begin, 0), ("to_end", to_end, 2)):
        if edge is not None:
            edge = as_array(edge)
            if not np.can_cast(edge.dtype, ary.dtype, "same_kind"):
                msg = f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule."
                raise TypeError(msg)
            parts.insert(place, to_dtype(flatten(edge), ary.dtype))
    return concatenate(parts) if len(parts) > 1 else parts[0]
