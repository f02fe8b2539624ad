"""Angles of complex numbers, angles without jumps, and complex numbers that are real after all."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.trace import Tracer, lowest
from wengert.primitives.align import as_array
from wengert.primitives.families import discrete
from wengert.primitives.rearranging import concrete, from_end
from wengert.primitives.shaping import to_dtype
from wengert.primitives.structure import imag, real


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """`atan2(imag z, real z)`, in degrees if `deg`."""
    z = as_array(z)
    turn = np.arctan2(imag(z), real(z)) if z.dtype.kind == "c" else np.arctan2(np.zeros((), z.dtype), z)
    return turn * (180 / np.pi) if deg else turn


turns_of = discrete(
    "turns",
    lambda p, period, discont, axis: np.rint((np.unwrap(p, discont, axis, period=period) - p) / period),
    formula="whole turns that make a continuous",
    laws=lambda make: [((make(5) * 8,), {"period": 6.0, "discont": None, "axis": -1})],
)


@turns_of.spell
def _spell_turns(p: Any, period: Any, discont: Any, axis: int) -> Any:
    """As NumPy unwraps: steps are brought into half a period on both sides, and what that took is added up."""
    if p.dtype.kind != "f" or p.shape[axis] < 2:
        return NotImplemented
    step, high = np.diff(p, axis=axis), period / 2
    inside = np.remainder(step + high, period) - high
    inside = np.where(np.logical_and(np.equal(inside, -high), np.greater(step, 0)), p.dtype.type(high), inside)
    change = np.where(np.less(np.abs(step), high if discont is None else discont), p.dtype.type(0), inside - step)
    first = np.zeros([1 if k == axis % len(p.shape) else n for k, n in enumerate(p.shape)], p.dtype)
    whole = p + np.concatenate([first, np.cumsum(change, axis=axis)], axis=axis)
    return np.rint((whole - p) / period)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """`p` plus as many whole periods at each place as make it continuous along an axis."""
    p = as_array(p)
    plain = [lowest(x) if isinstance(x, Tracer) else x for x in (period, discont)]
    turns = turns_of(p, period=plain[0], discont=plain[1], axis=from_end(axis, len(p.shape)))
    dtype = np.result_type(p.dtype, period.dtype if isinstance(period, Tracer) else period)
    return to_dtype(p + turns * period, dtype)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part, if the imaginary part is within `tol` machine epsilons of zero everywhere."""
    a = as_array(a)
    if a.dtype.kind != "c":
        return a
    smallest = np.finfo(a.dtype).eps * tol if tol > 1 else tol
    value = concrete(a, "np.real_if_close")
    return real(a) if np.all(np.abs(value.imag) < smallest) else a
