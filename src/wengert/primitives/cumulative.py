"""Running sums, products and linear recurrences, and differences: the functions that go along an axis in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import linear, smooth
from wengert.primitives.shaping import flip, to_dtype
from wengert.primitives.structure import conjugate, move_axis, spread

# --- cards -------------------------------------------------------------------------------------------------------------


def backwards(x: Any, axis: int = -1) -> Any:
    """The entries in reversed order along an axis."""
    return flip(x, axis) if isinstance(x, Tracer) else np.flip(x, axis)


def behind(x: Any, first: Any) -> Any:
    """Each entry moved on by one place along the last axis: `first` comes in and the last falls out."""
    edge = np.full((*x.shape[:-1], 1), first, x.dtype)
    return np.concatenate([edge, x[..., :-1]], -1)


def _running_sum_adjoint(ct: Any, x: Any, axis: int, dtype: Any = None) -> Any:
    return to_dtype(backwards(running_sum(backwards(ct, axis), axis=axis), axis), x.dtype)


running_sum: Primitive = linear(
    "cumsum",
    lambda x, axis, dtype=None: np.cumsum(x, axis=axis, dtype=x.dtype if dtype is None else dtype),
    _running_sum_adjoint,
    laws=lambda make: [((make(4),), {"axis": -1}), ((make(3, 4),), {"axis": -2}), ((make(2, 0),), {"axis": -1})],
)

LONGEST = 128  # a recurrence of more steps than this goes by blocks, whose steps are taken side by side


def _recur(a: Any, b: Any) -> Any:
    """`s[k] = a[k] s[k-1] + b[k]` along the last axis, with `s[-1] = 0`."""
    with np.errstate(all="ignore"):
        return _run(a, b)


def _run(a: Any, b: Any) -> Any:
    n = b.shape[-1]
    s = np.array(b)
    if n <= LONGEST:
        for k in range(1, n):
            s[..., k] += _absorbing(a[..., k], s[..., k - 1])
        return s
    width = int(np.sqrt(n))
    whole = n - n % width
    blocks = (*b.shape[:-1], whole // width, width)
    factors = a[..., :whole].reshape(blocks)
    inside = _run(factors, b[..., :whole].reshape(blocks))
    reach = np.cumprod(factors, -1)  # how much of what comes into a block is left at each of its places
    ends = _run(reach[..., -1], inside[..., -1])
    inside[..., 1:, :] += _absorbing(reach[..., 1:, :], ends[..., :-1, None])
    s[..., :whole] = inside.reshape((*b.shape[:-1], whole))
    for k in range(whole, n):
        s[..., k] += _absorbing(a[..., k], s[..., k - 1])
    return s


def _absorbing(a: Any, s: Any) -> Any:
    """`a s`, and 0 where `s` is 0: the derivative of a step that nothing came into."""
    return np.where(s == 0, 0, a * s)


def _recur_differential(dxs: Sequence[Any], y: Any, a: Any, b: Any) -> Any:
    da, db = dxs
    if da is None:
        return recurrence(a, db)
    change = scaled(behind(y, 0), da)
    return recurrence(a, change if db is None else db + change)


def _recur_pullback(ct: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    factors = backwards(conjugate(a) if a.dtype.kind == "c" else a)
    ct_b = backwards(recurrence(behind(factors, 0), backwards(ct)))
    before = behind(y, 0)
    return scaled(conjugate(before) if before.dtype.kind == "c" else before, ct_b), ct_b


def _both_batched(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    n = next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
    return recurrence(*[x if b else spread(x, shape=(n, *x.shape)) for x, b in zip(xs, is_batched, strict=True)])


recurrence: Primitive = smooth(
    "recurrence",
    _recur,
    _recur_differential,
    pullback=_recur_pullback,
    batch=_both_batched,
    formula="s with sₖ = aₖ sₖ₋₁ + bₖ",
    laws=lambda make: [((make(4), make(4)), {}), ((make(2, 3), make(2, 3)), {})],
)


def _running_product_differential(dxs: Sequence[Any], y: Any, x: Any, axis: int) -> Any:
    """`dyₖ = xₖ dyₖ₋₁ + yₖ₋₁ dxₖ`, which divides by nothing."""
    x, y, dx = (move_axis(v, axis, -1) for v in (x, y, dxs[0]))
    return move_axis(recurrence(x, scaled(behind(y, 1), dx)), -1, axis)


def _lower_triangle(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Any:
    """Which entries come before which along the axis."""
    places = np.indices(np.shape(y)).reshape(np.ndim(y), np.size(y))
    axis = params["axis"] % np.ndim(y)
    same = np.ones((np.size(y), np.size(y)), bool)
    for k, place in enumerate(places):
        same &= (place[:, None] >= place) if k == axis else (place[:, None] == place)
    return same


running_product: Primitive = smooth(
    "cumprod",
    lambda x, axis: np.cumprod(x, axis=axis, dtype=x.dtype),
    _running_product_differential,
    pattern=_lower_triangle,
    laws=lambda make: [
        ((make(4),), {"axis": -1}),
        ((make(3, 4),), {"axis": -2}),
        ((make(4) * np.array([1, 0, 1, 0]),), {"axis": -1}),
    ],
)
