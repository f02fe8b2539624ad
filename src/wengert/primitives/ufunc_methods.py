"""The methods of ufuncs: `reduce`, `accumulate`, `reduceat`, `outer` and `at`.

Sums, products and extremes are NumPy functions of their own.  For any other elementwise ufunc, the derivative of
`y[k] = ufunc(y[k-1], x[k])` is a linear recurrence in its two slopes, so that one card serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from wengert.core.array import FRONT, UFUNC_METHODS, Array
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer, peek
from wengert.errors import AssignmentError
from wengert.primitives.align import NOT_GIVEN, as_array
from wengert.primitives.cumulative import recurrence
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import discrete, linear, smooth
from wengert.primitives.index import (
    ARRAY,
    assign,
    chosen_shape,
    deposit,
    index,
    positions,
    replace,
    split_index,
)
from wengert.primitives.layout import laid_in_rows
from wengert.primitives.rearranging import concrete
from wengert.primitives.reductions import (
    as_rows,
    cases,
    highest_of,
    lowest_of,
    reduction,
    trailing,
)
from wengert.primitives.shaping import into, on_axis, size_of, to_dtype
from wengert.primitives.structure import spread
from wengert.primitives.ufuncs import front_of

_NUMPY: dict[Any, Any] = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
_TRUTH: dict[Any, Any] = {np.logical_and: np.all, np.logical_or: np.any}
_RUNNING = {np.add: np.cumsum, np.multiply: np.cumprod}


def first_of(out: Any) -> Any:
    """The one output: NumPy hands it over in a tuple."""
    return out[0] if isinstance(out, tuple) else out


# --- cards ---------------------------------------------------------------------------------------------------------------


def _weight(y: Any, x: Any, power: Callable[[Any], Any]) -> Any:
    """`power(x - y)`, the share of one term; of infinite terms those that reach the total, all with the same share."""
    gap = np.where(np.equal(x, y), 0.0, x - y)
    return to_dtype(power(gap), x.dtype)


def _logaddexp_slope(y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    return _weight(y, x, np.exp)


def _logaddexp2_slope(y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    return _weight(y, x, np.exp2)


def _hypot_slope(y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """`x / y`, and 0 at the origin: the mean over all directions."""
    return np.where(np.equal(y, 0), 0.0, x / np.where(np.equal(y, 0), 1.0, y))


def _reduced_by(ufunc: Any) -> Callable[..., Any]:
    return lambda x, axis, keepdims: ufunc.reduce(x, axis=axis, keepdims=keepdims)


_CARDS = {
    np.logaddexp: reduction("logaddexp_reduce", _reduced_by(np.logaddexp), _logaddexp_slope, laws=cases(), formula="log Σ exp a"),
    np.logaddexp2: reduction("logaddexp2_reduce", _reduced_by(np.logaddexp2), _logaddexp2_slope, laws=cases(), formula="log₂ Σ 2ᵃ"),
    np.hypot: reduction("hypot_reduce", _reduced_by(np.hypot), _hypot_slope, laws=cases(), formula="√(Σ a²)"),
}  # fmt: skip

def _spell_log_sum(card: Primitive, exp: Callable[..., Any], log: Callable[..., Any]) -> None:
    """Measured from the largest term."""

    @card.spell
    def value(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        top = np.max(x, axis=axis, keepdims=True)
        shift = np.where(np.isfinite(top), top, x.dtype.type(0))
        found = log(np.sum(exp(x - shift), axis=axis, keepdims=True)) + shift
        return found if keepdims else np.squeeze(found, axis)


_spell_log_sum(_CARDS[np.logaddexp], np.exp, np.log)
_spell_log_sum(_CARDS[np.logaddexp2], np.exp2, np.log2)


@_CARDS[np.hypot].spell
def _spell_hypot_reduce(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Measured by the largest entry, so that no square overflows."""
    one = x.dtype.type(1)
    top = np.max(np.abs(x), axis=axis, keepdims=True)
    scale = np.where(np.logical_and(np.isfinite(top), np.greater(top, 0)), top, one)
    found = np.sqrt(np.sum(np.square(x / scale), axis=axis, keepdims=True)) * scale
    found = np.where(np.any(np.isinf(x), axis=axis, keepdims=True), x.dtype.type(np.inf), found)
    return found if keepdims else np.squeeze(found, axis)


discrete_method = discrete(
    "ufunc_method",
    lambda x, ufunc, method, **params: getattr(getattr(np, ufunc), method)(x, **params),
    formula="{ufunc}.{method}(a)",
    laws=lambda make: [((make(3, 4),), {"ufunc": "logical_xor", "method": "reduce", "axis": -1})],
)


def _step_of(params: Params) -> tuple[str, str, int] | None:
    """The code of `ufunc` between what is there and the next entry."""
    given = params.get("method", "accumulate") == "accumulate" and params.get("dtype") is None
    code = getattr(FRONT[getattr(np, params["ufunc"])], "code", "")
    return ("b", code, params.get("axis", -1)) if given and code else None


discrete_method.step = _step_of


def _accumulated(x: Any, ufunc: str) -> Any:
    return getattr(np, ufunc).accumulate(x, axis=-1, dtype=x.dtype)


def _accumulated_differential(dxs: Sequence[Any], y: Any, x: Any, ufunc: str) -> Any:
    """`dy[k] = slope of the total dy[k-1] + slope of the entry dx[k]`."""
    (dx,) = dxs
    to_total, to_entry = FRONT[getattr(np, ufunc)].slopes  # type: ignore[attr-defined]
    operands = (y[..., 1:], y[..., :-1], x[..., 1:])
    first = np.zeros_like(dx[..., :1])
    factors = np.concatenate([first, _slope_at(to_total, operands)], -1)
    terms = np.concatenate([dx[..., :1], scaled(_slope_at(to_entry, operands), dx[..., 1:])], -1)
    return recurrence(to_dtype(factors, y.dtype), terms)


def _slope_at(slope: Any, operands: tuple[Any, ...]) -> Any:
    """A slope as an array of the operands' shape: a number everywhere, zero where there is none."""
    y = operands[0]
    if callable(slope):
        return to_dtype(slope(*operands), y.dtype)
    return np.zeros(tuple(y.shape), y.dtype) + y.dtype.type(0 if slope is None else slope)


def _earlier(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """Entry `k` of the result depends on the entries up to `k` of its row."""
    place = np.arange(np.size(y))
    n = np.shape(y)[-1]
    return Pattern.of_array((place[:, None] // n == place // n) & (place[:, None] >= place))


accumulated = smooth(
    "accumulate",
    _accumulated,
    _accumulated_differential,
    pattern=_earlier,
    formula="{ufunc}.accumulate(a)",
    laws=lambda make: [
        ((make(4),), {"ufunc": "subtract"}),
        ((make(2, 3),), {"ufunc": "arctan2"}),
        ((make(3),), {"ufunc": "logaddexp"}),
    ],
)


accumulated.step = _step_of


def _extreme_differential(dxs: Sequence[Any], y: Any, x: Any, ufunc: str) -> Any:
    """The mean of the tangents of those entries that tie for the extreme so far.

    They all come after the place where the extreme last changed, so the mean is a difference of running sums.
    """
    n = x.shape[-1]
    if n == 0:
        return dxs[0]
    hit = np.logical_or(np.equal(x, y), np.logical_and(np.isnan(x), np.isnan(y)))
    changed = np.not_equal(y[..., 1:], y[..., :-1])
    begins = np.concatenate([np.zeros_like(changed, shape=(*y.shape[:-1], 1)), changed], -1) * np.arange(n)
    since = discrete_method(begins, ufunc="maximum", method="accumulate", axis=-1)
    total = _sums_since(np.where(hit, dxs[0], 0.0), since)
    count = _sums_since(np.where(hit, 1.0, 0.0), since)
    return to_dtype(total / np.maximum(count, 1.0), y.dtype)


def _sums_since(x: Any, start: Any) -> Any:
    """`sum(x[start[k] : k + 1])` for each `k` along the last axis."""
    sums = np.cumsum(x, -1)
    before = np.concatenate([np.zeros_like(sums[..., :1]), sums], -1)
    width = before.shape[-1]
    n_rows = size_of(start) // start.shape[-1]
    places = np.reshape(start, (n_rows, start.shape[-1])) + np.arange(n_rows)[:, None] * width
    return sums - np.reshape(np.take(np.ravel(before), places), start.shape)


running_extreme = smooth(
    "running_extreme",
    _accumulated,
    _extreme_differential,
    pattern=_earlier,
    formula="{ufunc}.accumulate(a)",
    laws=lambda make: [((make(5),), {"ufunc": "maximum"}), ((make(2, 3),), {"ufunc": "minimum"})],
)


running_extreme.step = _step_of


def _occurrence(found: Any) -> Any:
    rows = found.reshape(-1, found.shape[-1])
    flat = (rows + np.arange(len(rows))[:, None] * (rows.max(initial=0) + 1)).ravel()
    order = np.argsort(flat, kind="stable")
    is_new = np.concatenate([[True], flat[order][1:] != flat[order][:-1]])[: flat.size]
    place = np.arange(flat.size)
    rank = np.empty(flat.size, int)
    rank[order] = place - np.maximum.accumulate(np.where(is_new, place, 0))
    return rank.reshape(found.shape)


occurrence = discrete(
    "occurrence",
    _occurrence,
    formula="how often a[k] has come before",
    laws=lambda make: [((np.array([0, 2, 2]),), {})],
)


# --- reduce ----------------------------------------------------------------------------------------------------------------


def reduce(
    ufunc: Any, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = NOT_GIVEN, where: Any = True,
) -> Any:  # fmt: skip
    """`ufunc` between all entries along axes, from the first to the last."""
    x, out, front = as_array(array), first_of(out), front_of(ufunc)
    given = {} if initial is NOT_GIVEN or initial is None else {"initial": initial}
    if where is not True:
        given["where"] = where
    if ufunc in _NUMPY or ufunc in _TRUTH and not given:
        if ufunc not in (np.add, np.multiply):
            x = x if dtype is None else to_dtype(x, dtype)
        else:
            given["dtype"] = dtype
        return FRONT[_NUMPY.get(ufunc) or _TRUTH[ufunc]](x, axis=axis, out=out, keepdims=keepdims, **given)
    kind, shape = _result_of_reduce(ufunc, x, axis, dtype, keepdims, given)
    axes = trailing(axis if x.shape or axis not in {0, -1} else None, len(x.shape))
    if not given and getattr(front, "is_discrete", False):
        params = {"axis": axes, "keepdims": keepdims, "dtype": dtype}
        return into(out, discrete_method(x, ufunc=ufunc.__name__, method="reduce", **params))
    x = to_dtype(x, kind)
    if not given and ufunc in _CARDS:
        return into(out, _CARDS[ufunc](x, axis=axes, keepdims=keepdims))
    return into(out, np.reshape(_fold(ufunc, x, axes, given), shape))


UFUNC_METHODS["reduce"] = reduce


def _example(x: Any) -> Any:
    """Ones of the shape and dtype of `x`, in no memory."""
    return np.broadcast_to(np.ones((), x.dtype), x.shape)


def _result_of_reduce(ufunc: Any, x: Any, axis: Any, dtype: Any, keepdims: bool, given: dict[str, Any]) -> Any:
    """The dtype and shape of NumPy's result; raises NumPy's error where it would."""
    ones = {key: np.ones(np.shape(value), bool) if key == "where" else 1 for key, value in given.items()}
    result = ufunc.reduce(_example(x), axis=axis, dtype=dtype, keepdims=keepdims, **ones)
    return result.dtype, result.shape


def _fold(ufunc: Any, x: Any, axes: tuple[int, ...], given: dict[str, Any]) -> Any:
    rows = as_rows(x, axes)
    start = given.get("initial", ufunc.identity if rows.shape[-1] == 0 or "where" in given else None)
    if start is not None:
        first = spread(to_dtype(as_array(start), x.dtype), shape=(*rows.shape[:-1], 1))
        rows = np.concatenate([first, rows], -1)
    if "where" not in given:
        return _running(ufunc, rows)[..., -1]
    mask = as_rows(np.broadcast_to(given["where"], x.shape), axes)
    total = rows[..., 0]
    for k in range(1, rows.shape[-1]):
        total = np.where(mask[..., k - 1], ufunc(total, rows[..., k]), total)
    return total


# --- accumulate ------------------------------------------------------------------------------------------------------------


def accumulate(ufunc: Any, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    """What `reduce` has come to at each entry."""
    x, out, front = as_array(array), first_of(out), front_of(ufunc)
    if ufunc in _RUNNING:
        return FRONT[_RUNNING[ufunc]](x, axis=axis, dtype=dtype, out=out)
    kind = ufunc.accumulate(_example(x), axis=axis, dtype=dtype).dtype
    axis = normalize_axis_index(axis, len(x.shape))
    if getattr(front, "is_discrete", False):
        params = {"axis": axis - len(x.shape), "dtype": dtype}
        return into(out, discrete_method(x, ufunc=ufunc.__name__, method="accumulate", **params))
    return into(out, np.moveaxis(_running(ufunc, np.moveaxis(to_dtype(x, kind), axis, -1)), -1, axis))


UFUNC_METHODS["accumulate"] = accumulate


def _running(ufunc: Any, x: Any) -> Any:
    """`ufunc.accumulate` along the last axis."""
    if ufunc in (np.maximum, np.minimum):
        return running_extreme(x, ufunc=ufunc.__name__)
    front, name = FRONT[ufunc], ufunc.__name__
    if getattr(np, name, None) is ufunc and isinstance(front, Primitive) and front.slopes:
        return accumulated(x, ufunc=name)
    totals = [x[..., 0]] if x.shape[-1] else []
    for k in range(1, x.shape[-1]):
        totals.append(ufunc(totals[-1], x[..., k]))
    return np.stack(totals, -1) if totals else np.copy(x)


# --- reduceat, outer --------------------------------------------------------------------------------------------------------


def reduceat(ufunc: Any, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    """`reduce` of each part from one index to the next; the entry itself where the next is not greater."""
    x = as_array(array)
    cuts = concrete(as_array(indices), f"np.{ufunc.__name__}.reduceat")
    kind = ufunc.reduceat(_example(x), cuts, axis=axis, dtype=dtype).dtype  # raises NumPy's errors
    axis = normalize_axis_index(axis, len(x.shape))
    if ufunc is np.add:
        x = to_dtype(np.moveaxis(x, axis, -1), kind)
        return into(first_of(out), laid_in_rows(np.moveaxis(sum_parts(x, cuts=tuple(cuts.tolist())), -1, axis)))
    pieces = []
    for start, stop in zip(cuts.tolist(), [*cuts.tolist()[1:], x.shape[axis]], strict=True):
        pieces.append(reduce(ufunc, x[on_axis(axis, slice(start, max(stop, start + 1)))], axis, dtype))
    return into(first_of(out), np.stack(pieces, axis))


UFUNC_METHODS["reduceat"] = reduceat


def _sum_parts_adjoint(ct: Any, x: Any, cuts: tuple[int, ...]) -> Any:
    """Each entry is told the cotangents of all parts that it belongs to."""
    stops = [*cuts[1:], x.shape[-1]]
    lengths = [max(stop - start, 1) for start, stop in zip(cuts, stops, strict=True)]
    members = np.concatenate([np.arange(start, start + n) for start, n in zip(cuts, lengths, strict=True)])
    part = np.repeat(np.arange(len(cuts)), lengths)
    return deposit(index(ct, part, layout=(Ellipsis, ARRAY)), members, layout=(Ellipsis, ARRAY), shape=tuple(x.shape))


sum_parts = linear(
    "sum_parts",
    lambda x, cuts: np.add.reduceat(x, np.array(cuts), axis=-1, dtype=x.dtype),
    _sum_parts_adjoint,
    formula="add.reduceat(a, {cuts})",
    laws=lambda make: [((make(5),), {"cuts": (0, 3, 1, 4)}), ((make(2, 4),), {"cuts": (1, 2)})],
)


MOST_PARTS = 32  # that are summed one by one


@sum_parts.spell
def _spell_sum_parts(x: Any, cuts: tuple[int, ...]) -> Any:
    if len(cuts) > MOST_PARTS:
        return NotImplemented
    stops = [*cuts[1:], x.shape[-1]]
    return np.stack([np.sum(x[..., start : max(stop, start + 1)], axis=-1) for start, stop in zip(cuts, stops, strict=True)], -1)


def outer(ufunc: Any, a: Any, b: Any, /, **kwargs: Any) -> Any:
    """`ufunc(a[i], b[j])` for all `i` and `j`."""
    a, b = as_array(a), as_array(b)
    return ufunc(np.reshape(a, (*a.shape, *(1,) * len(b.shape))), b, **kwargs)


UFUNC_METHODS["outer"] = outer


# --- at ------------------------------------------------------------------------------------------------------------------------


def at(ufunc: Any, a: Any, indices: Any, b: Any = NOT_GIVEN, /) -> None:
    """`a[indices] = ufunc(a[indices], b)`, once more for each time that an index is repeated."""
    if not isinstance(a, Array):
        raise AssignmentError.of_output(f"np.{ufunc.__name__}.at", b if isinstance(b, Tracer) else indices)
    layout, arrays = split_index(indices, a)
    shape = chosen_shape(a, layout, arrays)
    values = [] if b is NOT_GIVEN else [spread(as_array(b), shape=shape)]
    if ufunc in (np.add, np.subtract):
        change = deposit(to_dtype(values[0], a.dtype), *arrays, layout=layout, shape=tuple(a.shape))
        replace(a, ufunc(a, change))
        return
    if not a.size:
        return
    found = np.ravel(positions(*arrays, layout=layout, shape=tuple(a.shape)))
    new = _in_rounds(ufunc, np.ravel(a), found, [np.ravel(v) for v in values])
    replace(a, np.reshape(to_dtype(new, a.dtype), a.shape))


UFUNC_METHODS["at"] = at


def _in_rounds(ufunc: Any, flat: Any, found: Any, values: Sequence[Any]) -> Any:
    """Round `r` does the places that are named for the `r`-th time.

    Where each member of a batch names its own, those that are not due go to one more entry, which is dropped.
    """
    n = flat.shape[0]
    rank = occurrence(found)
    in_batch = isinstance(found, Tracer)
    is_extreme = ufunc in (np.maximum, np.minimum)
    neutral = lowest_of(flat.dtype) if ufunc is np.maximum else highest_of(flat.dtype)
    total = np.concatenate([flat, np.ones_like(flat, shape=(1,))])
    layers = [total]
    with np.errstate(all="ignore") if in_batch else nullcontext():
        for r in range(int(peek(lambda value: np.max(value, initial=-1), rank)) + 1):
            due = rank == r
            places = np.where(due, found, n) if in_batch else found[due]
            chosen = values if in_batch else [v[due] for v in values]
            if is_extreme:  # all at once, so that ties share equally
                layers.append(assign(np.full_like(total, neutral), chosen[0], places, layout=(ARRAY,)))
                continue
            new = ufunc(index(total, places, layout=(ARRAY,)), *chosen)
            total = assign(total, to_dtype(new, total.dtype), places, layout=(ARRAY,))
    if is_extreme:
        total = (np.max if ufunc is np.maximum else np.min)(np.stack(layers), 0)
    return total[:n]
