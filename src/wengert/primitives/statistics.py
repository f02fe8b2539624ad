"""Means, variances and spreads, weighted and masked ones too, and covariances."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.trace import bind, peek
from wengert.primitives.align import NOT_GIVEN, as_array
from wengert.primitives.families import linear, smooth
from wengert.primitives.pattern import one_to_one
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
from wengert.primitives.structure import conjugate, imag, real, spread, sum_pattern

# --- means and spreads ----------------------------------------------------------------------------------------------------


def _mean(x: Any, axis: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Any:
    if dtype is None and type(x) is np.ndarray and x.size and x.dtype.char in "dD":
        return np.add.reduce(x, axis=axis, keepdims=keepdims) / count_along(x.shape, axis)  # type: ignore[call-overload]
    return np.mean(x, axis=axis, keepdims=keepdims, dtype=dtype)


def _mean_adjoint(ct: Any, x: Any, axis: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Any:
    ct = restored(ct, axis, keepdims) / max(count_along(x.shape, axis), 1)
    ct = real(ct) if ct.dtype.kind == "c" and x.dtype.kind != "c" else ct
    return spread(to_dtype(ct, x.dtype), shape=tuple(x.shape))


average_of = linear("mean", _mean, _mean_adjoint, pattern=sum_pattern, laws=cases(), formula="mean(a)")


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
        return bind(average_of, (a,), reduction_params(axis, len(a.shape), keepdims, is_ufunc=False))
    a = as_array(a)
    dtype = out.dtype if dtype is None and out is not None else dtype
    if where is NOT_GIVEN or where is True:
        params = reduction_params(axis, len(a.shape), keepdims, is_ufunc=False)
        return into(out, average_of(a, dtype=None if dtype is None else np.dtype(dtype), **params))
    accumulated = np.dtype(np.float32) if dtype is None and a.dtype == np.float16 else mean_dtype(a, dtype)
    count = count_let_in(a, axis, keepdims, where)
    if peek(lambda n: np.any(n == 0), count):
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=2)
    top = np.sum(a, axis, accumulated, None, keepdims, where=where)
    return into(out, to_dtype(top / count, mean_dtype(a, dtype)))


def count_let_in(a: Any, axis: Any, keepdims: Any, where: Any) -> Any:
    """How many entries the mask lets in."""
    return np.sum(np.broadcast_to(where, tuple(a.shape)), axis, int, None, keepdims)


def degrees_of_freedom(ddof: Any, correction: Any) -> Any:
    """What is taken off the number of entries, under the name that was used for it."""
    if correction is NOT_GIVEN:
        return ddof
    if ddof != 0:
        msg = "ddof and correction can't be provided simultaneously."
        raise ValueError(msg)
    return correction


def _spread_front(card: Any, finish: Any) -> Any:
    def front(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = NOT_GIVEN, *,
        where: Any = NOT_GIVEN, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        ddof = degrees_of_freedom(ddof, correction)
        a = as_array(a)
        dtype = out.dtype if dtype is None and out is not None else dtype
        if (where is NOT_GIVEN or where is True) and mean is NOT_GIVEN:
            a = a if dtype is None else to_dtype(a, dtype)
            return into(out, card(a, ddof=ddof, **reduction_params(axis, len(a.shape), keepdims, is_ufunc=False)))
        return into(out, finish(_masked_variance(a, axis, mean_dtype(a, dtype), ddof, keepdims, where, mean)))

    return front


def _masked_variance(a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, mean: Any) -> Any:
    where = True if where is NOT_GIVEN else where
    if mean is NOT_GIVEN:
        top = np.sum(a, axis, dtype, None, True, where=where)
        mean = to_dtype(top / count_let_in(a, axis, True, where), dtype)
    x = np.subtract(a, mean)
    square = np.square(real(x)) + np.square(imag(x)) if x.dtype.kind == "c" else np.square(x)
    dtype = np.empty((), dtype).real.dtype
    top = np.sum(square, axis, dtype, None, keepdims, where=where)
    free = count_let_in(a, axis, keepdims, where) - ddof
    if peek(lambda n: np.any(n <= 0), free):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
    return to_dtype(top / np.maximum(free, 0), dtype)


def root(v: Any) -> Any:
    """`√v`, with slope 0 at the kink 0."""
    is_zero = v == 0
    y = np.where(is_zero, v, np.sqrt(np.where(is_zero, 1, v)))
    return y if y.shape else y[()]


var = implements(np.var)(_spread_front(variance, lambda v: v))
std = implements(np.std)(_spread_front(deviation, root))


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
    if peek(lambda value: np.any(value == 0.0), scale):
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


# --- covariances ---------------------------------------------------------------------------------------------------------


def _variables(m: Any, name: str, rowvar: bool, dtype: Any) -> Any:
    """Samples as a matrix with a row for each variable."""
    if len(m.shape) > 2:
        msg = f"{name} has more than 2 dimensions"
        raise ValueError(msg)
    x = to_dtype(m, dtype)
    x = x if len(x.shape) == 2 else np.reshape(x, (1, -1))
    return x if rowvar or len(m.shape) < 2 else np.transpose(x)


def _sample_weights(weights: Any, name: str, n: int) -> Any:
    weights = to_dtype(as_array(weights), float)
    if name == "fweights" and not peek(lambda value: np.all(value == np.around(value)), weights):
        msg = "fweights must be integer"
        raise TypeError(msg)
    if len(weights.shape) > 1 or weights.shape[0] != n:
        problem = "cannot handle multidimensional" if len(weights.shape) > 1 else "incompatible numbers of samples and"
        msg = f"{problem} {name}"
        raise RuntimeError(msg)
    if peek(lambda value: np.any(value < 0), weights):
        msg = f"{name} cannot be negative"
        raise ValueError(msg)
    return weights


@implements(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    """`(x - mean) (x - mean)ᴴ / (n - ddof)` for the variables in the rows of `x`."""
    if ddof is not None and ddof != int(ddof):
        msg = "ddof must be integer"
        raise ValueError(msg)
    m = as_array(m)
    y = None if y is None else as_array(y)
    if dtype is None:
        dtype = np.result_type(m.dtype, np.float64, *([] if y is None else [y.dtype]))
    x = _variables(m, "m", rowvar, dtype)
    if x.shape[0] == 0:
        return np.array([]).reshape(0, 0)
    if y is not None:
        x = np.concatenate([x, _variables(y, "y", rowvar, dtype)], 0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    f, a = (None if w is None else _sample_weights(w, name, x.shape[1]) for w, name in ((fweights, "fweights"), (aweights, "aweights")))
    w = f if a is None else a if f is None else f * a
    center, scale = average(x, 1, w, True)
    free = _free(x.shape[1], ddof, w, a, scale[0])
    if peek(lambda n: np.any(n <= 0), free):
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=2)
        free = np.where(free <= 0, 0.0, free)
    x = to_dtype(x - center[:, None], x.dtype)
    other = np.transpose(x if w is None else x * w)
    c = np.dot(x, conjugate(other) if other.dtype.kind == "c" else other)
    return np.squeeze(to_dtype(c * np.true_divide(1, free), c.dtype))


def _free(n: int, ddof: Any, w: Any, a: Any, w_sum: Any) -> Any:
    """The divisor of a covariance: the number of samples, or their weight, less the degrees of freedom."""
    if w is None:
        return n - ddof
    if ddof == 0:
        return w_sum
    return w_sum - ddof if a is None else w_sum - ddof * np.sum(w * a) / w_sum


def _within_one(c: Any) -> Any:
    if c.dtype.kind != "c":
        return np.clip(c, -1, 1)
    return (np.clip(c.real, -1, 1) + 1j * np.clip(c.imag, -1, 1)).astype(c.dtype)[()]


within_one = smooth(  # takes rounding off, and so leaves the derivative alone
    "within_one",
    _within_one,
    lambda dxs, y, c: dxs[0],
    pattern=one_to_one,
    laws=lambda make: [((np.tanh(make(3)),), {})],
)


within_one.spell(lambda c: np.minimum(np.maximum(c, c.dtype.type(-1)), c.dtype.type(1)))


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """`cov / (sd sdᵀ)`."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.shape:
        return c / c
    sd = np.sqrt(real(np.diagonal(c)))
    c = c / sd[:, None]
    return within_one(c / sd[None, :])
