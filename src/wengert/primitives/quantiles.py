"""Medians, percentiles and quantiles: entries picked by rank, and mixtures of two neighbours in rank.

The values are NumPy's own.  Their derivative needs only the place `p` of the result among the sorted entries: 2.25 is
a quarter of the way from the third to the fourth.  For the continuous methods it is a formula of R. J. Hyndman and
Y. Fan, Sample Quantiles in Statistical Packages (1996); the others jump, and NumPy itself says where they stand: it
is the quantile of 0, 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer, peek
from wengert.primitives.align import NOT_GIVEN, all_batched, as_array
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import discrete, of_nobody, smooth
from wengert.primitives.ordering import along, by_member, entries_of_rank
from wengert.primitives.pattern import dense_pattern
from wengert.primitives.reductions import as_rows, trailing
from wengert.primitives.shaping import boxed, into, to_dtype
from wengert.primitives.statistics import weights_like
from wengert.primitives.structure import sum_

OFFSETS = {  # alpha and beta of Hyndman and Fan: q is at the place alpha - 1 + (n + 1 - alpha - beta) q
    "linear": (1.0, 1.0), "interpolated_inverted_cdf": (0.0, 1.0), "hazen": (0.5, 0.5), "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3), "normal_unbiased": (3 / 8, 3 / 8),
}  # fmt: skip


def _own_row(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """A quantile depends on the entries of its row."""
    if slot:
        return dense_pattern(slot, y, xs, params)
    rows = int(np.prod(np.shape(xs[0])[:-1], dtype=int))
    sizes = np.size(y), np.size(xs[0])
    outputs = np.arange(sizes[0]).reshape(rows, sizes[0] // max(rows, 1), 1)
    inputs = np.arange(sizes[1]).reshape(rows, 1, sizes[1] // max(rows, 1))
    return Pattern(outputs + 0 * inputs, 0 * outputs + inputs, sizes)


def _lines(y: Any, q: Any) -> Any:
    """NumPy puts the axis of `q` first; here it comes last, so that a batch axis of the rows may stand in front."""
    return np.moveaxis(y, 0, -1) if np.ndim(q) else y


def _quantile(rows: Any, q: Any, *weights: Any, method: str, ignore_nan: bool) -> Any:
    function: Any = np.nanquantile if ignore_nan else np.quantile
    more = {"weights": weights[0]} if weights else {}
    return _lines(function(rows, q, axis=-1, method=method, **more), q)


def _counts(rows: Any) -> Any:
    """How many entries of each row are not NaN."""
    return rows.shape[-1] - np.count_nonzero(np.isnan(rows), axis=-1)


def _place(rows: Any, q: Any, *weights: Any, method: str, ignore_nan: bool) -> Any:
    """Where the quantiles stand among the sorted entries of each row; a NaN stands last."""
    n, q = rows.shape[-1], np.asarray(q)
    lead, ones = rows.shape[:-1], (1,) * q.ndim
    if weights:
        y = np.asarray(_quantile(rows, q, *weights, method=method, ignore_nan=ignore_nan))
        below = np.expand_dims(rows, tuple(range(-1 - q.ndim, -1))) < y[..., None]
        return np.where(np.isnan(y), n - 1.0, below.sum(-1))
    counts = _counts(rows).reshape(lead + ones)
    is_whole = (counts == n) | (ignore_nan & (counts > 0))
    if method in OFFSETS:
        alpha, beta = OFFSETS[method]
        places = np.clip(alpha - 1 + (counts + (1 - alpha - beta)) * q, 0, counts - 1)
        return np.where(is_whole, places, n - 1.0)
    places = np.full(lead + q.shape, n - 1.0)
    for m in np.unique(counts[is_whole]):
        place = _quantile(np.arange(float(m)), q, method=method, ignore_nan=False)
        places = np.where(counts == m, place, places)
    return np.where(is_whole, places, n - 1.0)


def _rate(rows: Any, q: Any, *weights: Any, method: str, ignore_nan: bool) -> Any:
    """How fast the places move with `q`: not at all for the methods that jump, nor beyond the first and last entry."""
    q = np.asarray(q)
    counts = np.reshape(_counts(rows), rows.shape[:-1] + (1,) * q.ndim)
    if method not in OFFSETS:
        return np.zeros(counts.shape[: counts.ndim - q.ndim] + q.shape)
    alpha, beta = OFFSETS[method]
    speed = counts + (1 - alpha - beta)
    place = alpha - 1 + speed * q
    is_inside = (place >= 0) & (place <= counts - 1) & ((counts == rows.shape[-1]) | ignore_nan)
    return np.where(is_inside, speed, 0.0)


def _quantile_batch(card: Any) -> Any:
    one_by_one = by_member(card, slice(1, 2))

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        if any(b and not x.shape[0] for x, b in zip(xs, is_batched, strict=True)):
            return of_nobody(card(), xs, is_batched, params)  # NumPy's forget an axis there
        if not is_batched[1]:  # rows and weights go together
            rows, *weights = all_batched([xs[0], *xs[2:]], [is_batched[0], *is_batched[2:]])
            return card()(rows, xs[1], *weights, **params)
        return one_by_one(xs, is_batched, params)

    return batch


def _cases(make: Any) -> list[Any]:
    gaps = np.array([[1, np.nan, 3, 2.5], [2, 1, np.nan, np.nan]])
    return [
        ((make(5), 0.3), {"method": "linear", "ignore_nan": False}),
        ((make(2, 4), np.array([0.2, 0.9])), {"method": "hazen", "ignore_nan": False}),
        ((gaps, np.array([0.2, 0.7])), {"method": "linear", "ignore_nan": True}),
    ]


def _spelled_counts(rows: Any, q: Any) -> Any:
    """How many entries of each row are not NaN, as floats, with an axis for those of `q`."""
    counts = to_dtype(np.sum(np.logical_not(np.isnan(rows)), axis=-1), float)
    return np.reshape(counts, (*counts.shape, *(1,) * np.ndim(q)))


def _spell_place(rows: Any, q: Any, *weights: Any, method: str, ignore_nan: bool) -> Any:
    if weights or method not in OFFSETS or rows.dtype.kind != "f":
        return NotImplemented
    n, counts = rows.shape[-1], _spelled_counts(rows, q)
    alpha, beta = OFFSETS[method]
    places = np.minimum(np.maximum(alpha - 1 + (counts + (1 - alpha - beta)) * q, 0.0), counts - 1)
    is_whole = np.logical_or(np.equal(counts, n), np.logical_and(ignore_nan, np.greater(counts, 0)))
    return np.where(is_whole, places, n - 1.0)


def _spell_rate(rows: Any, q: Any, *weights: Any, method: str, ignore_nan: bool) -> Any:
    if method not in OFFSETS or rows.dtype.kind != "f":
        return NotImplemented
    counts, (alpha, beta) = _spelled_counts(rows, q), OFFSETS[method]
    speed = counts + (1 - alpha - beta)
    at = alpha - 1 + speed * q
    is_inside = np.logical_and(np.logical_and(np.greater_equal(at, 0), np.less_equal(at, counts - 1)),
                               np.logical_or(np.equal(counts, rows.shape[-1]), ignore_nan))  # fmt: skip
    return np.where(is_inside, speed, 0.0)


def _spell_quantile(rows: Any, q: Any, *weights: Any, method: str, ignore_nan: bool) -> Any:
    """NumPy's mixture of two neighbours among the sorted entries, counted from the nearer one."""
    if weights or method not in OFFSETS or rows.dtype != np.float64:
        return NotImplemented
    if np.ndim(q) == 0:
        return _spell_quantile(rows, np.reshape(q, (1,)), method=method, ignore_nan=ignore_nan)[..., 0]
    counts, (alpha, beta) = _spelled_counts(rows, q), OFFSETS[method]
    usable = np.maximum(counts, 1.0)
    at = (usable - 1) * q if method == "linear" else usable * q + (alpha + q * (1 - alpha - beta)) - 1
    low = np.floor(at)
    ends = [to_dtype(np.minimum(np.maximum(k, 0.0), usable - 1), int) for k in (low, low + 1)]
    where = entries_of_rank(rows, np.concatenate(ends, -1))
    picked = along(rows, where, -1)
    a, b = picked[..., : len(q)], picked[..., len(q) :]
    share, gap = at - low, b - a
    y = np.where(np.greater_equal(share, 0.5), b - gap * (1 - share), a + gap * share)
    none = np.equal(counts, 0) if ignore_nan else np.less(counts, rows.shape[-1])
    return np.where(none, np.nan, y)


def _spell_median(rows: Any, ignore_nan: bool) -> Any:
    """The entry in the middle, or the mean of two."""
    if rows.dtype.kind != "f":
        return NotImplemented
    n = rows.shape[-1]
    counts = np.sum(np.logical_not(np.isnan(rows)), axis=-1, keepdims=True)
    usable = np.maximum(counts, 1) if ignore_nan else np.full(tuple(counts.shape), n)
    ends = np.concatenate([(usable - 1) // 2, np.minimum(usable // 2, n - 1)], -1)
    picked = along(rows, entries_of_rank(rows, ends), -1)
    a, b = picked[..., 0], picked[..., 1]
    y = np.where(np.equal(ends[..., 0], ends[..., 1]), a, (a + b) / 2)
    none = np.equal(counts, 0) if ignore_nan else np.less(counts, n)
    return np.where(none[..., 0], rows.dtype.type(np.nan), y)


rate: Primitive = discrete("quantile_rate", _rate, batch=_quantile_batch(lambda: rate), laws=_cases)


def _place_differential(dxs: Sequence[Any], y: Any, rows: Any, q: Any, *weights: Any, **params: Any) -> Any:
    if dxs[1] is None:
        return np.zeros(tuple(y.shape))
    if weights:
        return np.zeros(tuple(y.shape)) * dxs[1]
    return scaled(rate(rows, q, **params), to_dtype(dxs[1], y.dtype))


place: Primitive = smooth(
    "quantile_place", _place, _place_differential, batch=_quantile_batch(lambda: place), laws=_cases
)


# --- the values ------------------------------------------------------------------------------------------------------------


def _segments(p: Any, q: Any) -> list[Any]:
    """Where the neighbours of the place begin: at an entry, where `q` has a kink, to its left and to its right."""
    down, up = np.ceil(p) - 1, np.floor(p)
    return [np.where(q > 0, down, up), np.where(q < 1, up, down)]


def _quantile_differential(
    dxs: Sequence[Any], y: Any, rows: Any, q: Any, *weights: Any, method: str, ignore_nan: bool
) -> Any:
    """`y = (1 - share) s[low] + share s[low + 1]` with `share = p - low`; the mean of both sides at a kink."""
    p = place(rows, q, *weights, method=method, ignore_nan=ignore_nan)
    dp = None if dxs[1] is None or weights else scaled(rate(rows, q, method=method, ignore_nan=ignore_nan), dxs[1])
    lows = [np.floor(p)] if dp is None and not isinstance(q, Tracer) else _segments(p, q)
    return _follow(dxs[0], dp, y, rows, p, lows, ignore_nan)


def _last(rows: Any, ignore_nan: bool) -> Any:
    """The rank of the last entry that counts, with an axis for the ranks; rows of nothing but NaN end as they are."""
    n = rows.shape[-1]
    if not ignore_nan:
        return n - 1
    counts = n - np.sum(np.isnan(rows), axis=-1, keepdims=True)
    return np.where(counts > 0, counts, n) - 1


def _follow(d_rows: Any, dp: Any, y: Any, rows: Any, p: Any, lows: list[Any], ignore_nan: bool) -> Any:
    """The change of the entries around the places `p`, and what moving `p` by `dp` comes to, in the mean of segments."""
    total: Any = np.zeros(tuple(y.shape), y.dtype)
    if rows.shape[-1] == 0:
        return total if d_rows is None else total + sum_(d_rows, axis=(-1,), keepdims=False)  # of nothing
    if len(p.shape) < len(rows.shape):
        lows, dp = [low[..., None] for low in lows], None if dp is None else dp[..., None]
        return _follow(d_rows, dp, y[..., None], rows, p[..., None], lows, ignore_nan)[..., 0]
    ranks = np.concatenate([side for low in lows for side in (low, low + 1)], -1)
    ranks = np.minimum(np.maximum(ranks, 0), _last(rows, ignore_nan))  # the ends stand for what would be beyond
    where = entries_of_rank(rows, to_dtype(ranks, int))
    n = p.shape[-1]
    for k, low in enumerate(lows):
        left, right = (slice(j * n, (j + 1) * n) for j in (2 * k, 2 * k + 1))
        if d_rows is not None:
            share, picked = p - low, along(d_rows, where, -1)
            total = total + (1 - share) * picked[..., left] + share * picked[..., right]
        if dp is not None:
            picked = along(rows, where, -1)
            total = total + scaled(picked[..., right] - picked[..., left], dp)
    return to_dtype(total / len(lows), y.dtype)


quantile_of: Primitive = smooth(
    "quantile", _quantile, _quantile_differential, batch=_quantile_batch(lambda: quantile_of), pattern=_own_row, laws=_cases
)


def _median_differential(dxs: Sequence[Any], y: Any, rows: Any, ignore_nan: bool) -> Any:
    p = place(rows, 0.5, method="linear", ignore_nan=ignore_nan)
    return _follow(dxs[0], None, y, rows, p, [np.floor(p)], ignore_nan)


median_of = smooth(
    "median",
    lambda rows, ignore_nan: (np.nanmedian if ignore_nan else np.median)(rows, axis=-1),
    _median_differential,
    pattern=_own_row,
    formula="median(a)",
    laws=lambda make: [
        ((make(5),), {"ignore_nan": False}),
        ((make(2, 4),), {"ignore_nan": False}),
        ((np.array([2, np.nan, 1.0]),), {"ignore_nan": True}),
    ],
)


rate.spell(_spell_rate)
place.spell(_spell_place)
quantile_of.spell(_spell_quantile)
median_of.spell(_spell_median)


# --- NumPy's functions -----------------------------------------------------------------------------------------------------


def _with_axes(y: Any, axis: tuple[int, ...], rank: int, keepdims: Any, q: Any = 0.0) -> Any:
    """A result of rows as NumPy gives it: the axes of `q` first, and those that were reduced of length 1 if wanted."""
    extra = np.ndim(q)
    if keepdims is not NOT_GIVEN and keepdims:
        rest = iter(y.shape)
        shape = tuple([1 if k in axis else next(rest) for k in range(-rank, 0)])
        y = boxed(np.reshape(y, shape + tuple(rest)))
    return np.moveaxis(y, tuple(range(-extra, 0)), tuple(range(extra))) if extra else y


def _median_front(ignore_nan: bool) -> Any:
    def front(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
        a = as_array(a)
        axes = tuple(sorted(trailing(axis, len(a.shape))))
        return into(out, _with_axes(median_of(as_rows(a, axes), ignore_nan=ignore_nan), axes, len(a.shape), keepdims))

    return front


def _quantile_front(ignore_nan: bool, hundred: int) -> Any:
    def front(
        a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, method: str = "linear",
        keepdims: Any = False, *, weights: Any = None,
    ) -> Any:  # fmt: skip
        a = as_array(a)
        q = _probability(q, hundred)
        if ignore_nan and 0 in a.shape:
            return np.nanmean(a, axis, None, out, keepdims)
        axes = tuple(sorted(trailing(axis, len(a.shape))))
        more = []
        if weights is not None:
            w = np.broadcast_to(weights_like(a, axis, as_array(weights)), tuple(a.shape))
            more.append(as_rows(w, axes))
        flat = np.reshape(q, -1) if np.ndim(q) > 1 else q
        y = quantile_of(as_rows(a, axes), flat, *more, method=method, ignore_nan=ignore_nan)
        if np.ndim(q) > 1:
            if np.ndim(q) > 2:
                msg = "q must be a scalar or 1d"
                raise ValueError(msg)
            y = np.reshape(y, tuple(y.shape[:-1]) + tuple(q.shape))
        return into(out, _with_axes(y, axes, len(a.shape), keepdims, q))

    return front


def _probability(q: Any, hundred: int) -> Any:
    """`q` between 0 and 1; a Python number stays one, as it does not decide the dtype."""
    q = q if type(q) in (int, float) else as_array(q)
    if hundred == 1:
        return q
    q = q / hundred if type(q) in (int, float) else np.true_divide(q, hundred)
    if not peek(lambda value: np.all((value >= 0) & (value <= 1)), q):
        msg = "Percentiles must be in the range [0, 100]"
        raise ValueError(msg)
    return q


median = implements(np.median)(_median_front(False))
nanmedian = implements(np.nanmedian)(_median_front(True))
quantile = implements(np.quantile)(_quantile_front(False, 1))
nanquantile = implements(np.nanquantile)(_quantile_front(True, 1))
percentile = implements(np.percentile)(_quantile_front(False, 100))
nanpercentile = implements(np.nanpercentile)(_quantile_front(True, 100))
