"""Means, variances and spreads, weighted and masked ones too, and covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.trace import bind, lowest
from wengert.primitives.align import NOT_GIVEN, as_array
from wengert.primitives.families import linear
from wengert.primitives.reductions import (
    cases,
    count_along,
    is_usual,
    reduction,
    reduction_params,
    restored,
    trailing,
)
from wengert.primitives.shaping import into, to_dtype
from wengert.primitives.structure import conjugate, imag, real, spread

# --- means and spreads ----------------------------------------------------------------------------------------------------


def _mean(x: Any, axis: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Any:
    if dtype is None and type(x) is np.ndarray and x.size and x.dtype.char in "dD":
        return np.add.reduce(x, axis=axis, keepdims=keepdims) / count_along(x.shape, axis)  # type: ignore[call-overload]
    return np.mean(x, axis=axis, keepdims=keepdims, dtype=dtype)


def _mean_adjoint(ct: Any, x: Any, axis: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Any:
    ct = restored(ct, axis, keepdims) / max(count_along(x.shape, axis), 1)
    ct = real(ct) if ct.dtype.kind == "c" and x.dtype.kind != "c" else ct
    return spread(to_dtype(ct, x.dtype), shape=tuple(x.shape))


average_of = linear("mean", _mean, _mean_adjoint, laws=cases(), formula="mean(a)")


def _deviation(x: Any, axis: tuple[int, ...]) -> Any:
    deviation = x - average_of(x, axis=axis, keepdims=True)
    return conjugate(deviation) if deviation.dtype.kind == "c" else deviation


def _variance_slope(y: Any, x: Any, axis: tuple[int, ...], ddof: float) -> Any:
    n = max(count_along(x.shape, axis) - ddof, 0)
    return _deviation(x, axis) * np.divide(2.0, n, dtype=y.dtype)


def _spread_slope(y: Any, x: Any, axis: tuple[int, ...], ddof: float) -> Any:
    """`(x - mean) / (n y)`, and 0 at the kink `y = 0`: the mean over all directions."""
    n = max(count_along(x.shape, axis) - ddof, 0)
    is_zero = y == 0
    return np.where(is_zero, 0.0, _deviation(x, axis) / np.where(is_zero, 1.0, y * y.dtype.type(n)))


variance = reduction(
    "var",
    lambda x, axis, keepdims, ddof: np.var(x, axis=axis, keepdims=keepdims, ddof=ddof),
    _variance_slope,
    formula="var(a)",
    laws=cases(ddof=1),
)
deviation = reduction(
    "std",
    lambda x, axis, keepdims, ddof: np.std(x, axis=axis, keepdims=keepdims, ddof=ddof),
    _spread_slope,
    formula="std(a)",
    laws=cases(ddof=0),
)



# --- NumPy's functions -----------------------------------------------------------------------------------------------------


def mean_dtype(x: Any, dtype: Any = None) -> Any:
    """The dtype of a mean."""
    if dtype is not None:
        return np.dtype(dtype)
    return np.dtype(float) if x.dtype.kind in "biu" else np.dtype(x.dtype)


@implements(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN, *, where: Any = NOT_GIVEN
) -> Any:
    """The sum over the number of entries."""
    if is_usual(a, dtype, out, NOT_GIVEN, where):
        return bind(average_of, (a,), reduction_params(axis, len(a.shape), keepdims))
    a = as_array(a)
    dtype = out.dtype if dtype is None and out is not None else dtype
    if where is NOT_GIVEN or where is True:
        params = reduction_params(axis, len(a.shape), keepdims)
        return into(out, average_of(a, dtype=None if dtype is None else np.dtype(dtype), **params))
    accumulated = np.dtype(np.float32) if dtype is None and a.dtype == np.float16 else mean_dtype(a, dtype)
    top = np.sum(a, axis, accumulated, None, keepdims, where=where)
    return into(out, to_dtype(top / _count(a, axis, keepdims, where), mean_dtype(a, dtype)))


def _count(a: Any, axis: Any, keepdims: Any, where: Any) -> Any:
    """How many entries the mask lets in."""
    return np.sum(np.broadcast_to(where, tuple(a.shape)), axis, int, None, keepdims)


def _spread_front(card: Any, finish: Any) -> Any:
    def front(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = NOT_GIVEN, *,
        where: Any = NOT_GIVEN, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        if correction is not NOT_GIVEN:
            if ddof != 0:
                msg = "ddof and correction can't be provided simultaneously."
                raise ValueError(msg)
            ddof = correction
        a = as_array(a)
        dtype = out.dtype if dtype is None and out is not None else dtype
        if (where is NOT_GIVEN or where is True) and mean is NOT_GIVEN:
            a = a if dtype is None else to_dtype(a, dtype)
            return into(out, card(a, ddof=ddof, **reduction_params(axis, len(a.shape), keepdims)))
        return into(out, finish(_masked_variance(a, axis, mean_dtype(a, dtype), ddof, keepdims, where, mean)))

    return front


def _masked_variance(
    a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, mean: Any
) -> Any:
    where = True if where is NOT_GIVEN else where
    if mean is NOT_GIVEN:
        top = np.sum(a, axis, dtype, None, True, where=where)
        mean = to_dtype(top / _count(a, axis, True, where), dtype)
    x = np.subtract(a, mean)
    square = np.square(real(x)) + np.square(imag(x)) if x.dtype.kind == "c" else np.square(x)
    dtype = np.empty((), dtype).real.dtype
    top = np.sum(square, axis, dtype, None, keepdims, where=where)
    return to_dtype(top / np.maximum(_count(a, axis, keepdims, where) - ddof, 0), dtype)


def _root(v: Any) -> Any:
    """`√v`, with slope 0 at the kink 0."""
    is_zero = v == 0
    return np.where(is_zero, v, np.sqrt(np.where(is_zero, 1, v)))


var = implements(np.var)(_spread_front(variance, lambda v: v))
std = implements(np.std)(_spread_front(deviation, _root))


@implements(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = NOT_GIVEN
) -> Any:
    """`sum(w a) / sum(w)`; with `returned`, also `sum(w)`."""
    a = as_array(a)
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        scale = np.full(result.shape, count_along(a.shape, trailing(axis, len(a.shape))), result.dtype)[()]
        return (result, scale) if returned else result
    w = weights_like(a, axis, as_array(weights))
    if a.dtype.kind in "biu":
        dtype = np.result_type(a.dtype, w.dtype, "f8")
    else:
        dtype = np.result_type(a.dtype, w.dtype)
    scale = np.sum(w, axis, dtype, keepdims=keepdims)
    if np.any(lowest(scale) == 0.0):
        msg = "Weights sum to zero, can't be normalized"
        raise ZeroDivisionError(msg)
    result = np.sum(to_dtype(np.multiply(to_dtype(a, dtype), w), dtype), axis, keepdims=keepdims) / scale
    if not returned:
        return result
    return result, scale if scale.shape == result.shape else np.broadcast_to(scale, result.shape)


def weights_like(a: Any, axis: Any, w: Any) -> Any:
    """The weights in an order of axes that spreads to the shape of `a`."""
    if tuple(a.shape) == tuple(w.shape):
        return w
    if axis is None:
        msg = "Axis must be specified when shapes of a and weights differ."
        raise TypeError(msg)
    axes = trailing(axis, len(a.shape))
    if tuple(w.shape) != tuple([a.shape[k] for k in axes]):
        msg = "Shape of weights must be consistent with shape of a along specified axis."
        raise ValueError(msg)
    order = sorted(range(len(axes)), key=lambda k: axes[k])
    return np.reshape(np.transpose(w, order), tuple([n if k - len(a.shape) in axes else 1 for k, n in enumerate(a.shape)]))
