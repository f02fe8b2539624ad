"""Reductions: sums, products and extremes along axes.

A card made by `reduction` states its value and its slope, an array that spreads to the shape of `x`.  Forward, `dy = sum(slope dx)`; in
reverse each cotangent spreads back over the entries that it was made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from wengert.core.array import implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer, bind, is_guarded, lowest
from wengert.primitives.align import NOT_GIVEN, as_array
from wengert.primitives.blank import blank_of_reduced
from wengert.primitives.cumulative import accumulating_dtype, backwards, behind, running_product
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import of_nobody, smooth
from wengert.primitives.pattern import dense_pattern
from wengert.primitives.shaping import into, to_dtype
from wengert.primitives.strong import has_nan
from wengert.primitives.structure import conjugate, permute, real, reshape, spread, sum_, sum_pattern

# --- axes ----------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096, typed=True)
def trailing(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes by their negative numbers, which a leading batch axis does not change; all of them for `None`."""
    axes = range(rank) if axis is None else normalize_axis_tuple(axis, rank)
    return tuple([int(k) - rank for k in axes])


@lru_cache(maxsize=4096, typed=True)
def reduction_params(axis: Any, rank: int, keepdims: Any, *, is_ufunc: bool = True) -> Params:
    """The params of a reduction over NumPy's `axis`; ufuncs reduce numbers, too, along an axis 0 that they have not."""
    if is_ufunc and rank == 0 and axis in {0, -1}:
        axis = None
    return {"axis": trailing(axis, rank), "keepdims": keepdims is not NOT_GIVEN and bool(keepdims)}


def restored(y: Any, axis: tuple[int, ...], keepdims: bool = False) -> Any:
    """A reduced array with its axes put back, of length 1."""
    if keepdims or not axis:
        return y
    rank = len(y.shape) + len(axis)
    rest = iter(y.shape)
    shape = tuple([1 if k - rank in axis else next(rest) for k in range(rank)])
    return y.reshape(shape) if type(y) is np.ndarray else reshape(y, shape=shape)


def count_along(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
    """How many entries one result is made of."""
    n = 1
    for k in axis:
        n *= shape[k]
    return n


def as_rows(x: Any, axis: tuple[int, ...]) -> Any:
    """`x` with these axes taken together as the last one."""
    if axis == (-1,):
        return x
    rank = len(x.shape)
    rest = [k for k in range(-rank, 0) if k not in axis]
    moved = x if list(axis) == [*range(-len(axis), 0)] else permute(x, axes=tuple([k + rank for k in (*rest, *axis)]))
    return reshape(moved, shape=(*[x.shape[k] for k in rest], count_along(x.shape, axis)))


def from_rows(rows: Any, shape: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    """An array made by `as_rows` back in its shape."""
    rank = len(shape)
    order = [*[k for k in range(-rank, 0) if k not in axis], *axis]
    moved = reshape(rows, shape=tuple([shape[k] for k in order]))
    return moved if order == [*range(-rank, 0)] else permute(moved, axes=tuple(np.argsort(order).tolist()))


# --- reductions of a slope ----------------------------------------------------------------------------------------------------------


def reduction(
    name: str, evaluate: Callable[..., Any], slope: Callable[..., Any], *, laws: Any = None, formula: str = ""
) -> Primitive:
    """`y = evaluate(x, axis, keepdims, **params)` with `dy = sum(slope(y, x, axis, **params) dx)` over `axis`.

    In the slope, `y` has its axes back.  A real `y` of a complex `x` has `dy = real(sum(slope dx))`.
    """

    def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> Any:
        dy = sum_(scaled(_slope(y, xs, **params), dxs[0]), axis=params["axis"], keepdims=params["keepdims"])
        return real(dy) if dy.dtype.kind == "c" and y.dtype.kind != "c" else dy

    def pull(ct: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        factor = _slope(y, xs, **params)
        factor = conjugate(factor) if factor.dtype.kind == "c" else factor
        return [scaled(factor, restored(ct, params["axis"], params["keepdims"]))]

    def _slope(y: Any, xs: Sequence[Any], axis: tuple[int, ...], keepdims: bool, **params: Any) -> Any:
        return slope(restored(y, axis, keepdims), xs[0], axis, **params)

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        return primitive(*xs, **params)

    primitive = Primitive(
        name, evaluate, family="smooth", push=push, pull=pull, batch=batch, pattern=sum_pattern,
        formula=formula, laws=laws,
    )  # fmt: skip
    primitive.blank, primitive.is_shaped = blank_of_reduced(evaluate), True
    return primitive


def cases(**params: Any) -> Callable[..., Any]:
    """Cases for the laws of a reduction: a vector, axes in the middle, and everything."""
    return lambda make: [
        ((make(4),), {"axis": (-1,), "keepdims": False, **params}),
        ((make(2, 3, 2),), {"axis": (-3, -1), "keepdims": True, **params}),
        ((make(3, 2),), {"axis": (-2, -1), "keepdims": False, **params}),
    ]


_INTEGER = np.dtype(int)

# --- extremes ------------------------------------------------------------------------------------------------------------


def share_of_ties(y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """Entries that tie for the extreme share it equally; where it is NaN, the NaN entries do."""
    hit = np.equal(x, y)
    if is_guarded(y) or has_nan(lowest(y)):
        hit = np.logical_or(hit, np.logical_and(np.isnan(x), np.isnan(y)))
    elif type(hit) is np.ndarray and np.count_nonzero(hit) == y.size:  # the usual case: there are no ties
        return hit.astype(x.dtype)
    share = hit / sum_(hit, axis=axis, keepdims=True, dtype=_INTEGER)
    return share if share.dtype == x.dtype else to_dtype(share, np.finfo(x.dtype).dtype)


def _extreme(ufunc: Any, function: Any) -> Callable[..., Any]:
    def evaluate(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        if type(x) is np.ndarray:
            return ufunc.reduce(x, axis=axis, keepdims=keepdims)
        return function(x, axis=axis, keepdims=keepdims)

    return evaluate


largest = reduction("max", _extreme(np.maximum, np.max), share_of_ties, laws=cases(), formula="max(a)")
smallest = reduction("min", _extreme(np.minimum, np.min), share_of_ties, laws=cases(), formula="min(a)")


# --- products --------------------------------------------------------------------------------------------------------------


def others(x: Any) -> Any:
    """`prod(x[k] for k != i)` along the last axis: what comes before times what comes after, dividing by nothing."""
    before = running_product(behind(x, 1), axis=-1)
    after = backwards(running_product(behind(backwards(x), 1), axis=-1))
    return scaled(before, after)


def _product_slope(y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    return from_rows(others(as_rows(x, axis)), tuple(x.shape), axis)


product = reduction(
    "prod",
    lambda x, axis, keepdims: np.prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype),
    _product_slope,
    formula="∏ a",
    laws=lambda make: [
        *cases()(make),
        ((make(4) * np.array([1, 0, 1, 1]),), {"axis": (-1,), "keepdims": False}),
        ((make(4) * np.array([1, 0, 0, 1]),), {"axis": (-1,), "keepdims": False}),
    ],
)


# --- with a first value and a mask -------------------------------------------------------------------------------------------


def extended(x: Any, initial: Any, where: Any, neutral: Any, axis: tuple[int, ...]) -> Any:
    """The rows that are reduced: `neutral` in place of entries left out, and the initial value as one entry more."""
    if where is not None:
        x = np.where(where, x, np.asarray(neutral, x.dtype))
    rows = as_rows(x, axis)
    if initial is None:
        return rows
    first = spread(to_dtype(as_array(initial), x.dtype), shape=(*rows.shape[:-1], 1))
    return np.concatenate([rows, first], -1)


def _from_card(name: str, ufunc: Any, neutral: int, slope: Callable[[Any], Any] | None, laws: Any) -> Primitive:
    """A ufunc's `reduce` with some of `initial` and `where` given: the further operands, named by the param `given`."""

    def evaluate(x: Any, *rest: Any, axis: tuple[int, ...], keepdims: bool, dtype: Any, given: tuple[str, ...]) -> Any:
        return ufunc.reduce(x, axis=axis, keepdims=keepdims, dtype=dtype, **dict(zip(given, rest, strict=True)))

    def differential(
        dxs: Sequence[Any], y: Any, x: Any, *rest: Any,
        axis: tuple[int, ...], keepdims: bool, dtype: Any, given: tuple[str, ...],
    ) -> Any:  # fmt: skip
        known = dict(zip(given, rest, strict=True))
        initial, where = known.get("initial"), known.get("where")
        x, dx = to_dtype(x, dtype), np.zeros(tuple(x.shape), dtype) if dxs[0] is None else to_dtype(dxs[0], dtype)
        first = None if initial is None or dxs[1] is None else dxs[1]
        if initial is not None and first is None:
            first = np.zeros((), dtype)
        rows = extended(dx, first, where, 0, axis)
        if slope is not None:
            rows = scaled(slope(extended(x, initial, where, neutral, axis)), rows)
        dy = sum_(rows, axis=(-1,), keepdims=False)
        return restored(dy, axis) if keepdims else dy

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        given, n = params["given"], next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
        if "initial" in given and is_batched[1 + given.index("initial")]:  # NumPy takes one number only
            if n == 0:
                return of_nobody(primitive, xs, is_batched, params)
            members = [[x[k] if b else x for x, b in zip(xs, is_batched, strict=True)] for k in range(n)]
            return np.stack([primitive(*member, **params) for member in members])
        x = xs[0] if is_batched[0] else spread(xs[0], shape=(n, *xs[0].shape))
        return primitive(x, *xs[1:], **params)

    def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
        return (dense_pattern if slot else sum_pattern)(slot, y, xs, params)

    primitive = smooth(name, evaluate, differential, batch=batch, pattern=pattern, laws=laws)
    return primitive


def _from_cases(make: Any) -> list[Any]:
    mask = np.array([[True, False, True], [True, True, False]])
    params = {"dtype": np.dtype(float), "keepdims": False}
    return [
        ((make(3), make()), {"axis": (-1,), "given": ("initial",), **params}),
        ((make(2, 3), mask), {"axis": (-2,), "given": ("where",), **params}),
        ((make(2, 3), make(), mask), {"axis": (-2, -1), "given": ("initial", "where"), **params, "keepdims": True}),
    ]


sum_from = _from_card("sum_from", np.add, 0, None, _from_cases)
product_from = _from_card("prod_from", np.multiply, 1, others, _from_cases)


def _spell_from(card: Primitive, reduce: Callable[..., Any], combine: Any, neutral: int) -> None:
    """What is left out counts as nothing, and the first value is joined at the end."""

    @card.spell
    def value(x: Any, *rest: Any, axis: tuple[int, ...], dtype: Any, keepdims: bool, given: tuple[str, ...]) -> Any:
        x, known = to_dtype(x, dtype), dict(zip(given, rest, strict=True))
        if "where" in known:
            x = np.where(known["where"], x, x.dtype.type(neutral))
        total = reduce(x, axis=axis, keepdims=keepdims)
        return combine(known["initial"], total) if "initial" in known else total


_spell_from(sum_from, np.sum, np.add, 0)
_spell_from(product_from, np.prod, np.multiply, 1)


# --- NumPy's functions -----------------------------------------------------------------------------------------------------


def given_operands(x: Any, initial: Any, where: Any, dtype: Any) -> dict[str, Any]:
    """Which of `initial` and `where` there are, as operands."""
    given: dict[str, Any] = {}
    if initial is not NOT_GIVEN:
        given["initial"] = to_dtype(as_array(initial), dtype)
    if where is not NOT_GIVEN and where is not True:
        mask = to_dtype(as_array(where), bool)
        given["where"] = mask if mask.shape == x.shape else spread(mask, shape=tuple(x.shape))
    return given


def is_usual(a: Any, dtype: Any, out: Any, initial: Any, where: Any) -> bool:
    """Whether nothing but an axis was asked for, of floating-point numbers."""
    return (
        isinstance(a, Tracer)
        and out is None
        and dtype is None
        and initial is NOT_GIVEN
        and where is NOT_GIVEN
        and a.dtype.kind in "fc"
    )


@implements(np.sum)
def total(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN,
    initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
) -> Any:  # fmt: skip
    """The sum along axes."""
    if is_usual(a, dtype, out, initial, where):
        return bind(sum_, (a,), reduction_params(axis, len(a.shape), keepdims))
    a = as_array(a)
    dtype = accumulating_dtype(dtype, out, a)
    params, given = reduction_params(axis, len(a.shape), keepdims), given_operands(a, initial, where, dtype)
    if given:
        return into(out, sum_from(a, *given.values(), dtype=dtype, given=tuple(given), **params))
    return into(out, sum_(a, dtype=dtype, **params))


@implements(np.prod)
def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN,
    initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
) -> Any:  # fmt: skip
    """The product along axes; exact with zeros, in every order."""
    if is_usual(a, dtype, out, initial, where):
        return bind(product, (a,), reduction_params(axis, len(a.shape), keepdims))
    a = as_array(a)
    dtype = accumulating_dtype(dtype, out, a)
    params, given = reduction_params(axis, len(a.shape), keepdims), given_operands(a, initial, where, dtype)
    if given:
        return into(out, product_from(a, *given.values(), dtype=dtype, given=tuple(given), **params))
    return into(out, product(to_dtype(a, dtype), **params))


def lowest_of(dtype: Any) -> Any:
    """What loses against every other value of the dtype in a maximum."""
    if dtype.kind == "c":
        return complex(-np.inf, -np.inf)
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def highest_of(dtype: Any) -> Any:
    """What loses against every other value of the dtype in a minimum."""
    if dtype.kind == "c":
        return complex(np.inf, np.inf)
    return np.inf if dtype.kind == "f" else True if dtype.kind == "b" else np.iinfo(dtype).max


def _extreme_front(card: Primitive, ufunc: str, neutral: Callable[[Any], Any]) -> Callable[..., Any]:
    def front(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN,
        initial: Any = NOT_GIVEN, where: Any = NOT_GIVEN,
    ) -> Any:  # fmt: skip
        if initial is NOT_GIVEN and where is NOT_GIVEN and out is None and isinstance(a, Tracer):
            return bind(card, (a,), reduction_params(axis, len(a.shape), keepdims))
        a = as_array(a)
        params = reduction_params(axis, len(a.shape), keepdims)
        given = given_operands(a, initial, where, a.dtype)
        if not given:
            return into(out, card(a, **params))
        if "initial" not in given:
            msg = f"reduction operation '{ufunc}' does not have an identity, so to use a where mask one has to specify 'initial'"
            raise ValueError(msg)
        rows = extended(a, given["initial"], given.get("where"), neutral(a.dtype), params["axis"])
        result = card(rows, axis=(-1,), keepdims=False)
        return into(out, restored(result, params["axis"]) if params["keepdims"] else result)

    return front


amax = implements(np.max, np.amax)(_extreme_front(largest, "maximum", lowest_of))
amin = implements(np.min, np.amin)(_extreme_front(smallest, "minimum", highest_of))


@implements(np.ptp)
def peak_to_peak(a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN) -> Any:
    """The largest less the smallest."""
    return into(out, np.subtract(amax(a, axis, None, keepdims), amin(a, axis, None, keepdims)))
