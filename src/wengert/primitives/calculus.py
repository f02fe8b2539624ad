"""Interpolation, finite differences and quadrature on samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer, beneath
from wengert.primitives.align import as_array, as_operand
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import discrete, smooth
from wengert.primitives.index import ARRAY, get_item, index
from wengert.primitives.joining import concatenate
from wengert.primitives.ordering import bisected, by_member
from wengert.primitives.shaping import on_axis, to_dtype

# --- interpolation --------------------------------------------------------------------------------------------------


def _segment(x: Any, xp: Any, side: str) -> Any:
    """The segment of the knots `xp` that holds `x`: -1 before the first knot, `n - 1` after the last."""
    return np.searchsorted(xp, x, side=side) - 1  # type: ignore[call-overload]


segment: Primitive = discrete(
    "segment",
    _segment,
    batch=by_member(lambda: segment, slice(1, None)),
    laws=lambda make: [((make(5), np.arange(3.0)), {"side": "right"})],
)


@segment.spell
def _spell_segment(x: Any, xp: Any, side: str) -> Any:
    return bisected(xp, x, side) - 1


def _interp_differential(dxs: Sequence[Any], y: Any, x: Any, xp: Any, fp: Any) -> Any:
    """The mean over the segments on both sides of `x`, which are one except at a knot."""
    sides = [_on_segment(dxs, segment(x, xp, side=side), x, xp, fp) for side in ("left", "right")]
    return to_dtype((sides[0] + sides[1]) / 2, y.dtype)


def _on_segment(dxs: Sequence[Any], k: Any, x: Any, xp: Any, fp: Any) -> Any:
    dx, dxp, dfp = dxs
    n = len(xp)
    here, after = (np.minimum(np.maximum(j, 0), n - 1) for j in (k, k + 1))  # equal outside, where y is constant
    inside = np.not_equal(here, after)
    left, right, low, high = (get_item(v, j) for v in (xp, fp) for j in (here, after))
    width = np.where(inside, right - left, 1.0)
    weight = np.where(inside, (x - left) / width, 0.0)
    slope = np.where(inside, (high - low) / width, 0.0)
    total: Any = 0.0
    if dfp is not None:
        total = total + scaled(1 - weight, get_item(dfp, here)) + scaled(weight, get_item(dfp, after))
    if dxp is not None:
        total = total - scaled(slope, scaled(1 - weight, get_item(dxp, here)) + scaled(weight, get_item(dxp, after)))
    return total if dx is None else total + scaled(slope, dx)


interpolation: Primitive = smooth(
    "interp",
    np.interp,
    _interp_differential,
    batch=by_member(lambda: interpolation, slice(1, None)),
    laws=lambda make: [((make(5), np.linspace(-1.5, 1.5, 4), make(4)), {})],
)


@interpolation.spell
def _spell_interp(x: Any, xp: Any, fp: Any) -> Any:
    """NumPy's own steps: from the left knot, from the right one where that is NaN, and their value where both agree."""
    x, xp, fp = (to_dtype(v, float) for v in (x, xp, fp))
    n = xp.shape[0]
    k = bisected(xp, x, "right") - 1
    here, after = np.minimum(np.maximum(k, 0), n - 1), np.minimum(np.maximum(k + 1, 0), n - 1)
    left, right, low, high = (index(v, j, layout=(ARRAY,)) for v in (xp, fp) for j in (here, after))
    slope = (high - low) / (right - left)
    y = slope * (x - left) + low
    again = slope * (x - right) + high
    again = np.where(np.logical_and(np.isnan(again), np.equal(low, high)), low, again)
    y = np.where(np.isnan(y), again, y)
    y = np.where(np.logical_or(np.equal(here, after), np.equal(x, left)), low, y)
    return np.where(np.isnan(x), x, y)


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """The broken line through the knots `(xp, fp)` at `x`; its derivative at a knot is the mean of both sides."""
    x, xp, fp = (to_dtype(v, float) if isinstance(v, Tracer) and v.dtype.kind != "c" else v
                 for v in (as_array(v) for v in (x, xp, fp)))  # fmt: skip
    if period is not None:
        if period == 0:
            msg = "period must be a non-zero value"
            raise ValueError(msg)
        period = abs(period)
        x, xp = x % period, xp % period
        order = np.argsort(xp)
        xp, fp = np.take(xp, order), np.take(fp, order)
        xp = concatenate((xp[-1:] - period, xp, xp[:1] + period))
        fp = concatenate((fp[-1:], fp, fp[:1]))
        left = right = None
    if beneath(xp).shape[-1:] != beneath(fp).shape[-1:]:
        msg = "fp and xp are not of the same length."
        raise ValueError(msg)
    y = interpolation(x, xp, fp)
    y = y if left is None else np.where(np.less(x, xp[0]), left, y)
    return y if right is None else np.where(np.greater(x, xp[-1]), right, y)


# --- differences ----------------------------------------------------------------------------------------------------


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Second-order differences inside, one-sided ones of order `edge_order` at the edges, along each axis."""
    f = as_array(f)
    f = f if f.dtype.kind in "fc" else to_dtype(f, float)
    axes = tuple(range(len(f.shape))) if axis is None else normalize_axis_tuple(axis, len(f.shape))
    if len(varargs) not in {0, 1, len(axes)} or len(varargs) == 1 and len(axes) > 1 and np.ndim(varargs[0]):
        msg = "invalid number of arguments"
        raise TypeError(msg)
    if edge_order not in {1, 2}:
        msg = "'edge_order' greater than 2 not supported"
        raise ValueError(msg)
    steps = list(varargs) * len(axes) if len(varargs) == 1 and len(axes) > 1 else list(varargs) or [1.0] * len(axes)
    results = []
    for k, h in zip(axes, steps, strict=True):
        if f.shape[k] < edge_order + 1:
            msg = "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are required."
            raise ValueError(msg)
        results.append(_gradient_along(f, k, _spacing(h, f.shape[k]), edge_order))
    return results[0] if len(axes) == 1 else tuple(results)


def _spacing(h: Any, n: int) -> Any:
    """A step, or the steps between coordinates; equal plain steps are one step, as in NumPy."""
    h = as_operand(h)
    if np.ndim(h) == 0:
        return h
    if np.shape(h) != (n,):
        msg = "when 1d, distances must match the length of the corresponding dimension"
        raise ValueError(msg)
    steps = h[1:] - h[:-1]
    if not isinstance(steps, Tracer):
        steps = steps.astype(float) if steps.dtype.kind in "iu" else steps
        if (steps == steps[0]).all():
            return steps[0]
    return steps


def _gradient_along(f: Any, axis: int, h: Any, edge_order: int) -> Any:
    def part(*ends: int | None) -> Any:
        return f[on_axis(axis, slice(*ends))]

    def at(k: int) -> Any:
        return f[on_axis(axis, slice(k, k + 1 or None))]

    if np.ndim(h) == 0:
        inside = (part(2, None) - part(None, -2)) / (2.0 * h)
        first, last = h, h
        front: Any = (-1.5 / h, 2.0 / h, -0.5 / h)
        back: Any = (0.5 / h, -2.0 / h, 1.5 / h)
    else:
        column = np.reshape(h, tuple(-1 if k == axis else 1 for k in range(len(f.shape))))
        a, b = column[on_axis(axis, slice(None, -1))], column[on_axis(axis, slice(1, None))]
        inside = (
            -b / (a * (a + b)) * part(None, -2) + (b - a) / (a * b) * part(1, -1) + a / (b * (a + b)) * part(2, None)
        )
        first, last = h[0], h[-1]
        if edge_order == 2:
            a, b, c, d = h[0], h[1], h[-2], h[-1]
            front = (-(2.0 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b)))
            back = (d / (c * (c + d)), -(d + c) / (c * d), (2.0 * d + c) / (d * (c + d)))
    if edge_order == 1:
        ends = (at(1) - at(0)) / first, (at(-1) - at(-2)) / last
    else:
        ends = (
            front[0] * at(0) + front[1] * at(1) + front[2] * at(2),
            back[0] * at(-3) + back[1] * at(-2) + back[2] * at(-1),
        )
    return to_dtype(concatenate([ends[0], inside, ends[1]], axis), f.dtype)


# --- quadrature -----------------------------------------------------------------------------------------------------


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The area under the broken line through the samples `y`."""
    y = as_array(y)
    axis = normalize_axis_index(axis, len(y.shape))
    width = as_operand(dx)
    if x is not None:
        x = as_array(x)
        if len(x.shape) == 1:
            width = np.reshape(x[1:] - x[:-1], tuple(-1 if k == axis else 1 for k in range(len(y.shape))))
        else:
            along = normalize_axis_index(axis - len(y.shape), len(x.shape))
            width = x[on_axis(along, slice(1, None))] - x[on_axis(along, slice(None, -1))]
    high, low = y[on_axis(axis, slice(1, None))], y[on_axis(axis, slice(None, -1))]
    return np.sum(width * (high + low) / 2.0, axis=axis)
