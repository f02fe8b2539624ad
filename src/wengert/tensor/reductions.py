"""Sums and their relatives along axes, as PyTorch spells them: `dim`, `keepdim`, and pairs of values and places."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from wengert.core.array import FRONT
from wengert.errors import ArgumentError, page
from wengert.primitives import softmax as shares
from wengert.primitives.structure import sum_
from wengert.tensor import arithmetic
from wengert.tensor.axes import Dim, axes_of, axis_of
from wengert.tensor.dtypes import int64
from wengert.tensor.traced import TAPE, Tensor, as_dtype, method, operand, plain


class Extremes(NamedTuple):
    """What `max`, `min`, `sort`, `topk`, `median`, `mode` and the like give along an axis."""

    values: Any
    indices: Any


def _dims(dim: Dim, axis: Dim) -> Dim:
    return axis if dim is None else dim


def sum(input: Any, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, axis: Dim = None) -> Any:
    """`Σ x` along axes; whole numbers are summed as int64."""
    if dim is None and axis is None and dtype is None and type(input) is Tensor and input.value.dtype.kind in "fc" and not keepdim:
        return _total(input)
    x = input if type(input) is Tensor else operand(input)
    if dtype is not None:
        x = as_dtype(x, np.dtype(dtype))
    elif x.dtype.kind in "iub":
        x = as_dtype(x, int64)
    return sum_(x, axis=axes_of(x, _dims(dim, axis)), keepdims=keepdim)


def _total(x: Any) -> Any:
    """The sum of all entries, without ado."""
    return TAPE.one(sum_, x, _ALL[x.value.ndim])


_ALL = [{"axis": tuple(range(-rank, 0)), "keepdims": False} for rank in range(65)]


def mean(input: Any, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, axis: Dim = None) -> Any:
    """`Σ x / n` along axes."""
    if dim is None and axis is None and dtype is None and type(input) is Tensor and input.value.dtype.kind in "fc" and not keepdim:
        return arithmetic.true_divide(_total(input), float(input.value.size))
    x = operand(input) if dtype is None else as_dtype(operand(input), np.dtype(dtype))
    if x.dtype.kind in "iub":
        raise ArgumentError(
            page(
                f"mean of a tensor of dtype {x.dtype}.",
                "A mean of whole numbers is none, and which floating dtype it should have is yours to say.",
                "t.double().mean()",
                "argument",
            )
        )
    dims = axes_of(x, _dims(dim, axis))
    n = math.prod([x.shape[k] for k in dims])
    return arithmetic.true_divide(sum_(x, axis=dims, keepdims=keepdim), float(n))


def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product along an axis, or of all entries."""
    x = operand(input)
    kind = np.dtype(dtype) if dtype is not None else int64 if x.dtype.kind in "iub" else x.dtype
    return FRONT[np.prod](as_dtype(x, kind), axis=dim, keepdims=keepdim)


def _spread_of(x: Any, dim: Dim, correction: float, keepdim: bool) -> Any:
    dims = axes_of(x, dim)
    n = math.prod([x.shape[k] for k in dims])
    away = arithmetic.sub(x, mean(x, dims, keepdim=True) if dims else x)
    square = arithmetic.square(away) if x.dtype.kind == "f" else arithmetic.square(arithmetic.abs(away))
    freedom = n - correction if n > correction else 0
    total = sum_(square, axis=dims, keepdims=keepdim)
    with np.errstate(all="ignore"):
        return arithmetic.mul(total, total.dtype.type(1) / total.dtype.type(freedom))


def var(input: Any, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float = 1) -> Any:
    """`Σ (x - mean)² / (n - correction)`; the correction is 1 unless it is given."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return _spread_of(operand(input), dim, correction if unbiased is None else float(unbiased), keepdim)


def std(input: Any, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float = 1) -> Any:
    """The square root of `var`."""
    return arithmetic.sqrt(var(input, dim, unbiased, keepdim, correction=correction))


def var_mean(input: Any, dim: Dim = None, *, correction: float = 1, keepdim: bool = False) -> tuple[Any, Any]:
    """`var` and `mean`."""
    return var(input, dim, correction=correction, keepdim=keepdim), mean(input, dim, keepdim)


def std_mean(input: Any, dim: Dim = None, *, correction: float = 1, keepdim: bool = False) -> tuple[Any, Any]:
    """`std` and `mean`."""
    return std(input, dim, correction=correction, keepdim=keepdim), mean(input, dim, keepdim)


# --- the largest and the smallest -------------------------------------------------------------------------------------------


def along(x: Any, places: Any, dim: int) -> Any:
    """The entries at these places along an axis."""
    return np.take_along_axis(x, places, axis_of(dim, len(x.shape))) if x.shape else x


def _extreme(function: Any, place: Any, pairwise: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def extreme(input: Any, dim: Any = None, keepdim: bool = False, *, axis: Any = None) -> Any:
        x = operand(input)
        dim = _dims(dim, axis)
        if dim is None:
            return FRONT[function](x)
        if not isinstance(dim, int):
            return pairwise(x, dim)
        axis_of(dim, len(x.shape))
        places = np.argmax(x, dim, keepdims=True) if place is np.argmax else np.argmin(x, dim, keepdims=True)
        values = along(x, places, dim)
        return Extremes(*((values, places) if keepdim or not x.shape else (np.squeeze(y, dim) for y in (values, places))))

    return extreme


max, min = _extreme(np.max, np.argmax, arithmetic.maximum), _extreme(np.min, np.argmin, arithmetic.minimum)


def amax(input: Any, dim: Dim = (), keepdim: bool = False) -> Any:
    """The largest entry along axes; ties share the derivative equally."""
    x = operand(input)
    return FRONT[np.max](x, axis=axes_of(x, dim), keepdims=keepdim)


def amin(input: Any, dim: Dim = (), keepdim: bool = False) -> Any:
    """The smallest entry along axes; ties share the derivative equally."""
    x = operand(input)
    return FRONT[np.min](x, axis=axes_of(x, dim), keepdims=keepdim)


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the largest entry is."""
    return FRONT[np.argmax](operand(input), dim, keepdims=keepdim and dim is not None)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Where the smallest entry is."""
    return FRONT[np.argmin](operand(input), dim, keepdims=keepdim and dim is not None)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The order that sorts an axis."""
    values = input.detach().numpy()
    if not values.ndim:
        return plain(np.zeros((), int64))
    if not descending:
        return plain(np.argsort(values, dim, kind="stable"))
    reverse = np.flip(np.argsort(np.flip(values, dim), dim, kind="stable"), dim)  # equal ones stay in their order
    return plain(values.shape[dim] - 1 - reverse)


def sort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Extremes:
    """An axis in order, and where its entries were; equal ones stay in their order."""
    order = argsort(input, dim, descending)
    return Extremes(along(input, order, dim), order)


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Extremes:
    """The `k` largest (smallest) entries along an axis, in order, and where they were."""
    order = argsort(input, dim, descending=largest).value
    first = plain(np.take(order, range(k), axis_of(dim, order.ndim)) if order.ndim else order)
    return Extremes(along(input, first, dim), first)


def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Extremes:
    """The `k`-th smallest entry along an axis, counted from 1."""
    return _one(input, argsort(input, dim).value, k - 1, dim, keepdim)


def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle entry; of two, the smaller one."""
    if dim is None:
        flat = input.reshape(-1)
        if flat.dtype.kind not in "fc":
            return median(flat, 0).values
        return mean(flat[arithmetic.eq(flat, median(flat.detach(), 0).values)])  # equal ones share the derivative
    return _one(input, argsort(input, dim).value, (input.shape[dim] - 1) // 2, dim, keepdim)


def _one(x: Any, order: Any, k: int, dim: int, keepdim: bool) -> Extremes:
    places = plain(np.take(order, [k], dim))
    pair = along(x, places, dim), places
    return Extremes(*(pair if keepdim else (np.squeeze(y, dim) for y in pair)))


# --- running totals, and the rest -------------------------------------------------------------------------------------------------


def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Running sums along an axis."""
    x = operand(input)
    kind = np.dtype(dtype) if dtype is not None else int64 if x.dtype.kind in "iub" else x.dtype
    return FRONT[np.cumsum](as_dtype(x, kind), axis=dim) if x.shape else as_dtype(x, kind)


def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Running products along an axis."""
    x = operand(input)
    kind = np.dtype(dtype) if dtype is not None else int64 if x.dtype.kind in "iub" else x.dtype
    return FRONT[np.cumprod](as_dtype(x, kind), axis=dim) if x.shape else as_dtype(x, kind)


def logsumexp(input: Any, dim: Dim, keepdim: bool = False) -> Any:
    """`log Σ eˣ`, measured from the largest entry so that nothing overflows."""
    x = arithmetic.floating(input)
    dims = axes_of(x, dim)
    top = np.max(x.value, axis=dims, keepdims=True)
    top = plain(np.where(np.isfinite(top), top, top.dtype.type(0)))
    total = arithmetic.log(sum_(arithmetic.exp(arithmetic.sub(x, top)), axis=dims, keepdims=keepdim))
    return arithmetic.add(total, top if keepdim else plain(np.reshape(top.value, total.shape)))


def log_softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """`x - log Σ eˣ`."""
    x = arithmetic.floating(input) if dtype is None else as_dtype(operand(input), np.dtype(dtype))
    axes = axes_of(x, dim)
    return TAPE.one(shares.log_softmax, x, {"axis": axes}) if type(x) is Tensor else shares.log_softmax(x, axis=axes)


def softmax(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """`eˣ / Σ eˣ`."""
    x = arithmetic.floating(input) if dtype is None else as_dtype(operand(input), np.dtype(dtype))
    powers = arithmetic.exp(_below_top(x, dim))
    return arithmetic.true_divide(powers, sum_(powers, axis=axes_of(x, dim), keepdims=True))


def _below_top(x: Any, dim: int) -> Any:
    """The entries measured from the largest one; a common shift changes no share, so no derivative goes through it."""
    axes = axes_of(x, dim)
    top = x.value.max(axis=axes, keepdims=True) if type(x) is Tensor else FRONT[np.max](x, axis=axes, keepdims=True)
    return arithmetic.sub(x, plain(top) if type(x) is Tensor else top)


def norm(input: Any, p: Any = "fro", dim: Dim = None, keepdim: bool = False) -> Any:
    """`(Σ |x|ᵖ)^(1/p)` along axes; the root of the sum of squares unless `p` is given."""
    x = operand(input)
    axes = axes_of(x, dim)
    order = 2.0 if p == "fro" else float(p)
    return np.linalg.vector_norm(x, axis=axes, keepdims=keepdim, ord=order) if axes else arithmetic.abs(x)


def all(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """Whether all are true."""
    return FRONT[np.all](operand(input), axis=axes_of(input, dim), keepdims=keepdim)


def any(input: Any, dim: Dim = None, keepdim: bool = False) -> Any:
    """Whether one is true."""
    return FRONT[np.any](operand(input), axis=axes_of(input, dim), keepdims=keepdim)


def count_nonzero(input: Any, dim: Dim = None) -> Any:
    """How many are not zero."""
    return sum(as_dtype(arithmetic.ne(input, 0), int64), dim)


def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all entries agree to a tolerance."""
    return bool(np.allclose(input.numpy(force=True), other.numpy(force=True), rtol, atol, equal_nan))


def isclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Which entries agree to a tolerance."""
    return plain(np.isclose(input.numpy(force=True), other.numpy(force=True), rtol, atol, equal_nan))


def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have the same shape and entries."""
    return input.shape == other.shape and bool(np.array_equal(input.numpy(force=True), other.numpy(force=True)))


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each whole number occurs."""
    return FRONT[np.bincount](operand(input), weights, minlength)


def unique(input: Any, sorted: bool = True) -> Any:
    """The distinct entries, in order."""
    return plain(np.unique(input.numpy(force=True)))


for _name in ["sum", "mean", "prod", "var", "std", "max", "min", "amax", "amin", "argmax", "argmin", "argsort", "sort", "topk", "kthvalue", "median", "cumsum", "cumprod", "logsumexp", "log_softmax", "softmax", "norm", "all", "any", "count_nonzero", "allclose", "isclose", "equal", "bincount", "unique"]:
    method(_name)(globals()[_name])
