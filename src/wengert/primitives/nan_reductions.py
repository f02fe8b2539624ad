"""Reductions that leave NaN out: the entries that are NaN have the derivative zero.

Where nothing but NaN is left, the result is NaN as in NumPy, and so is the warning.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.trace import peek
from wengert.primitives.align import NOT_GIVEN, as_array
from wengert.primitives.cumulative import cumprod, cumsum
from wengert.primitives.reductions import (
    cases,
    extended,
    given_operands,
    highest_of,
    lowest_of,
    prod,
    reduction,
    reduction_params,
    restored,
    share_of_ties,
    total,
)
from wengert.primitives.shaping import into, to_dtype
from wengert.primitives.statistics import count_let_in, degrees_of_freedom, mean, root, var
from wengert.primitives.structure import conjugate, real


def without_nan(a: Any, value: float) -> tuple[Any, Any]:
    """`a` with `value` in place of NaN, and where that was; `None` for integers, which have no NaN."""
    a = as_array(a)
    if a.dtype.kind not in "fc":
        return a, None
    mask = np.isnan(a)
    return np.where(mask, np.asarray(value, a.dtype), a), mask


def _cleared(front: Callable[..., Any], neutral: int) -> Callable[..., Any]:
    """The function of an array whose NaN are replaced by what changes nothing."""

    @functools.wraps(front)
    def cleared(a: Any, *args: Any, **kwargs: Any) -> Any:
        return front(without_nan(a, neutral)[0], *args, **kwargs)

    return cleared


nansum = implements(np.nansum)(_cleared(total, 0))
nanprod = implements(np.nanprod)(_cleared(prod, 1))
nancumsum = implements(np.nancumsum)(_cleared(cumsum, 0))
nancumprod = implements(np.nancumprod)(_cleared(cumprod, 1))


# --- extremes --------------------------------------------------------------------------------------------------------------


nanlargest = reduction(
    "nanmax", lambda x, axis, keepdims: np.nanmax(x, axis=axis, keepdims=keepdims), share_of_ties,
    laws=cases(), formula="max(a) without nan",
)  # fmt: skip
nansmallest = reduction(
    "nanmin", lambda x, axis, keepdims: np.nanmin(x, axis=axis, keepdims=keepdims), share_of_ties,
    laws=cases(), formula="min(a) without nan",
)  # fmt: skip


def _spell_nan_extreme(card: Primitive, extreme: Callable[..., Any], ignored: float) -> None:
    """NaN is worse than anything, and stays where there is nothing else."""

    @card.spell
    def value(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        if x.dtype.kind != "f":
            return NotImplemented
        is_nan = np.isnan(x)
        found = extreme(np.where(is_nan, x.dtype.type(ignored), x), axis=axis, keepdims=keepdims)
        return np.where(np.all(is_nan, axis=axis, keepdims=keepdims), x.dtype.type(np.nan), found)


_spell_nan_extreme(nanlargest, np.max, -np.inf)
_spell_nan_extreme(nansmallest, np.min, np.inf)


def _extreme_front(card: Any, ufunc: str, neutral: Callable[[Any], Any]) -> Callable[..., Any]:
    def front(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN,
        initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        a = as_array(a)
        params = reduction_params(axis, len(a.shape), keepdims)
        given = given_operands(a, initial, where, a.dtype)
        if not given:
            return into(out, card(a, **params))
        if "initial" not in given:
            msg = f"reduction operation '{ufunc}' does not have an identity, so to use a where mask one has to specify 'initial'"
            raise ValueError(msg)
        loses = np.nan if a.dtype.kind in "fc" else neutral(a.dtype)
        rows = extended(a, given["initial"], given.get("where"), loses, params["axis"])
        result = card(rows, axis=(-1,), keepdims=False)
        return into(out, restored(result, params["axis"]) if params["keepdims"] else result)

    return front


nanmax = implements(np.nanmax)(_extreme_front(nanlargest, "fmax", lowest_of))
nanmin = implements(np.nanmin)(_extreme_front(nansmallest, "fmin", highest_of))


# --- means and spreads ---------------------------------------------------------------------------------------------------


def _needs_inexact(dtype: Any, out: Any) -> None:
    for name, kind in (("dtype", dtype), ("out", None if out is None else out.dtype)):
        if kind is not None and np.dtype(kind).kind not in "fc":
            msg = f"If a is inexact, then {name} must be inexact"
            raise TypeError(msg)


def _over(top: Any, count: Any) -> Any:
    """`top / count`, NaN without a warning where there is nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return to_dtype(top / count, top.dtype)


def _present(a: Any, mask: Any, axis: Any, keepdims: Any, where: Any) -> Any:
    """How many entries are let in that are not NaN."""
    let_in = np.logical_not(mask) if where is NOT_GIVEN else np.logical_and(np.logical_not(mask), where)
    return count_let_in(a, axis, keepdims, let_in)


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN, *, where: Any = NOT_GIVEN
) -> Any:
    """The mean of the entries that are not NaN."""
    arr, mask = without_nan(a, 0)
    if mask is None:
        return mean(arr, axis, dtype, out, keepdims, where=where)
    _needs_inexact(dtype, out)
    count = _present(arr, mask, axis, keepdims, where)
    dtype = out.dtype if dtype is None and out is not None else dtype
    result = _over(total(arr, axis, dtype, None, keepdims, where=where), count)
    if peek(lambda n: np.any(n == 0), count):
        warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=2)
    return into(out, result)


@implements(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = NOT_GIVEN, *,
    where: Any = NOT_GIVEN, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
) -> Any:  # fmt: skip
    """The variance of the entries that are not NaN."""
    arr, mask = without_nan(a, 0)
    if mask is None:
        return var(arr, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction)
    _needs_inexact(dtype, out)
    ddof = degrees_of_freedom(ddof, correction)
    dtype = out.dtype if dtype is None and out is not None else dtype
    if mean is NOT_GIVEN:
        mean = _over(total(arr, axis, dtype, None, True, where=where), _present(arr, mask, axis, True, where))
    x = np.where(mask, np.asarray(0, arr.dtype), to_dtype(np.subtract(arr, mean), arr.dtype))
    square = real(x * conjugate(x)) if x.dtype.kind == "c" else x * x
    top = total(square, axis, dtype, None, keepdims, where=where)
    free = _present(arr, mask, axis, keepdims, where) - ddof
    result = _over(top, free)
    if peek(lambda n: np.any(n <= 0), free):
        warnings.warn("Degrees of freedom <= 0 for slice.", RuntimeWarning, stacklevel=2)
        result = np.where(free <= 0, np.asarray(np.nan, result.dtype), result)
    return into(out, result)


@implements(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = NOT_GIVEN, *,
    where: Any = NOT_GIVEN, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
) -> Any:  # fmt: skip
    """The standard deviation of the entries that are not NaN."""
    dtype = out.dtype if dtype is None and out is not None else dtype
    return into(out, root(nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)))
