"""Norms of vectors and matrices, and condition numbers.

At 0 a norm has the gradient 0: the mean over all directions.  Where several entries, rows or singular values tie for
the largest or smallest, they share equally.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import as_operand
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import smooth
from wengert.primitives.solving import inverse_or_infinite
from wengert.primitives.structure import cast, conjugate, real, reshape, sum_

# --- cards: the lengths that powers make -----------------------------------------------------------------------------------


def _two_norm(x: Any, axis: tuple[int, ...]) -> Any:
    if len(axis) == x.ndim:
        return np.linalg.norm(x)
    return np.sqrt(np.add.reduce((x.conj() * x).real, axis=axis))


def _kept(y: Any, axis: tuple[int, ...]) -> Any:
    """A reduced array with its axes put back, of length 1."""
    rank = y.ndim + len(axis)
    rest = iter(y.shape)
    return reshape(y, shape=tuple(1 if k - rank in axis else next(rest) for k in range(rank)))


def _unit(x: Any, y: Any) -> Any:
    """`x / y`, and 0 where the length `y` is 0."""
    is_zero = y == 0
    return np.where(is_zero, 0.0, x / np.where(is_zero, 1.0, y))


def _two_norm_differential(dxs: Sequence[Any], y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    direction = _unit(x, _kept(y, axis))
    if x.dtype.kind == "c":
        return real(sum_(scaled(conjugate(direction), dxs[0]), axis=axis, keepdims=False))
    return sum_(scaled(direction, dxs[0]), axis=axis, keepdims=False)


two_norm: Primitive = smooth(
    "two_norm",
    _two_norm,
    _two_norm_differential,
    formula="‖a‖",
    laws=lambda make: [
        ((make(3, 4),), {"axis": (-2, -1)}),
        ((make(2, 3, 4),), {"axis": (-2,)}),
        ((make(3, kind="c"),), {"axis": (-1,)}),
    ],
)


def _p_norm(a: Any, ord: float, axis: tuple[int, ...]) -> Any:
    total = np.add.reduce(a**ord, axis=axis)
    return total ** np.reciprocal(ord, dtype=total.dtype)


def _p_norm_differential(dxs: Sequence[Any], y: Any, a: Any, ord: float, axis: tuple[int, ...]) -> Any:
    length = _kept(y, axis)
    ratio = a / np.where(length == 0, 1.0, length)
    return sum_(scaled(np.where(length == 0, 0.0, ratio ** (ord - 1)), dxs[0]), axis=axis, keepdims=False)


p_norm: Primitive = smooth(
    "p_norm",
    _p_norm,
    _p_norm_differential,
    formula="‖a‖ₚ",
    laws=lambda make: [
        ((np.abs(make(3, 4)) + 0.1,), {"ord": 3.0, "axis": (-1,)}),
        ((np.abs(make(4)) + 0.1,), {"ord": -1.5, "axis": (-1,)}),
    ],
)


@p_norm.spell
def _spell_p_norm(a: Any, *, axis: tuple[int, ...], **params: float) -> Any:
    order = a.dtype.type(params["ord"])
    return np.sum(a**order, axis=axis) ** (1 / order)


# --- numpy.linalg.norm -------------------------------------------------------------------------------------------------------


def _as_inexact(x: Any) -> Any:
    x = as_operand(x)
    if x.dtype.kind in "fc":
        return x
    return cast(x, dtype=np.dtype(float)) if isinstance(x, Tracer) else np.asarray(x, float)


def _negative_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    axes = axis if isinstance(axis, tuple) else (axis,)
    for k in axes:
        if not -ndim <= k < ndim:
            raise np.exceptions.AxisError(k, ndim)
    return tuple(int(k) - ndim * (k >= 0) for k in axes)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors along one axis or of matrices along two; of everything when neither is said."""
    x = _as_inexact(x)
    ndim = x.ndim
    axes = tuple(range(-ndim, 0)) if axis is None else _negative_axes(axis, ndim)
    if axis is None and (ord is None or (ord in ("f", "fro") and ndim == 2) or (ord == 2 and ndim == 1)):
        result = two_norm(x, axis=axes)
    elif len(axes) == 1:
        result = _vector_norm(x, ord, axes)
    elif len(axes) == 2:
        if axes[0] == axes[1]:
            msg = "Duplicate axes given."
            raise ValueError(msg)
        result = _matrix_norm(x, ord, axes)
    else:
        msg = "Improper number of dimensions to norm."
        raise ValueError(msg)
    return _kept(result, axes) if keepdims else result


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...]) -> Any:
    if ord is None or ord == 2:
        return two_norm(x, axis=axes)
    if isinstance(ord, str):
        msg = f"Invalid norm order '{ord}' for vectors"
        raise ValueError(msg)  # noqa: TRY004 - NumPy's error
    if ord == np.inf:
        return np.max(np.abs(x), axis=axes, initial=0)
    if ord == -np.inf:
        return np.min(np.abs(x), axis=axes)
    if ord == 0:
        return np.sum((x != 0).astype(real(x).dtype), axis=axes)
    if ord == 1:
        return sum_(np.abs(x), axis=axes, keepdims=False)
    return p_norm(np.abs(x), ord=float(ord), axis=axes)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, int]) -> Any:
    if ord is None or ord in ("fro", "f"):
        return two_norm(x, axis=axes)
    if ord in (2, -2, "nuc"):
        s = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
        return np.max(s, axis=-1, initial=0) if ord == 2 else np.min(s, axis=-1) if ord == -2 else np.sum(s, axis=-1)
    rows, columns = axes
    if ord in (np.inf, -np.inf):
        rows, columns = columns, rows
    elif ord not in (1, -1):
        msg = "Invalid norm order for matrices."
        raise ValueError(msg)
    sums = sum_(np.abs(x), axis=(rows,), keepdims=True)
    largest = np.max(sums, axis=columns, keepdims=True, initial=0) if ord > 0 else np.min(sums, axis=columns, keepdims=True)
    return _number(reshape(largest, shape=tuple(n for k, n in enumerate(x.shape, -x.ndim) if k not in axes)))


def _number(y: Any) -> Any:
    """A number in the place of an array without axes."""
    return y if y.shape else y[()]


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm of all entries along any number of axes, taken as one vector."""
    x = as_operand(x)
    axes = tuple(range(-x.ndim, 0)) if axis is None else _negative_axes(axis, x.ndim)
    rest = tuple(k for k in range(-x.ndim, 0) if k not in axes)
    flat = np.transpose(x, (*axes, *rest))
    flat = np.reshape(flat, (-1 if flat.size else int(np.prod([x.shape[k] for k in axes], dtype=int)), *(x.shape[k] for k in rest)))
    result = np.linalg.norm(flat, ord, 0)
    return _kept(result, axes) if keepdims else result


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of each matrix of a stack."""
    return norm(x, ord, (-2, -1), keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """`‖x‖ ‖x⁻¹‖`, infinite for singular matrices."""
    x = _as_inexact(x)
    if x.ndim < 2 or x.size == 0:
        msg = "cond is not defined on empty arrays" if x.size == 0 else "Array must be at least two-dimensional"
        raise np.linalg.LinAlgError(msg)
    with np.errstate(all="ignore"):
        if p in (None, 2, -2):
            s = np.linalg.svdvals(x)
            r = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            r = norm(x, p, (-2, -1)) * norm(inverse_or_infinite(x), p, (-2, -1))
        lost = np.isnan(r) & ~np.any(np.isnan(x), axis=(-2, -1))
    return _number(np.where(lost, np.inf, r))
