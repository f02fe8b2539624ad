"""The elementwise family: `y[i] = f(x[i], ...)`, whose derivative is the diagonal of its slopes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer
from wengert.core.types import type_of
from wengert.primitives.align import align_beside, align_elementwise, align_to_loop, equalize_ranks
from wengert.primitives.blank import blank_of_elements
from wengert.primitives.families import discrete
from wengert.primitives.pattern import no_pattern
from wengert.primitives.strong import strong_product
from wengert.primitives.structure import cast, spread, sum_to

Slope = Callable[..., Any] | float | None
_REALS = {np.float64, np.float32}


def elementwise(
    name: str,
    evaluate: Callable[..., Any],
    *slopes: Slope,
    domain: Any = (-2.0, 2.0),
    formula: str = "",
    code: str = "",
    numpy: tuple[Any, ...] | None = None,
    align: Callable[..., Any] | None = None,
    laws: Any = None,
) -> Primitive:
    """A slope is a function of `(y, *xs)`, the number that it always is, or `None`.

    `None` marks an operand without a derivative (a condition, an integer exponent).  Slopes are written with
    plain NumPy functions, so they run at NumPy's speed on arrays and differentiate again on traced ones.
    `domain` bounds the operands on which the laws are swept: one interval, or one for each operand.
    `code` is the value for single numbers `a`, `b`, `c`, ... as the compiler reads it (`wengert.compiler.scalar`).
    """

    def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> Any:
        total = None
        for slope, dx in zip(slopes, dxs, strict=True):
            if dx is None or slope is None:
                continue
            term = scaled(slope(y, *xs), dx) if callable(slope) else _times_number(slope, dx)
            total = term if total is None else total + term
        return total

    def pull(ct: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> Sequence[Any]:
        if len(slots) == 1:
            return (adjoints[slots[0]](ct, y, xs),)
        return [adjoints[slot](ct, y, xs) for slot in slots]

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        return primitive(*equalize_ranks(xs, is_batched))

    def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
        if slopes[slot] is None:
            return no_pattern(slot, y, xs, params)
        positions = np.arange(np.size(xs[slot])).reshape(np.shape(xs[slot]))
        return Pattern.of_positions(np.broadcast_to(positions, np.shape(y)), positions.size)

    adjoints = [_adjoint_of(slope) for slope in slopes]
    if numpy is None:
        numpy = (evaluate,) if isinstance(evaluate, np.ufunc) else ()
    primitive = Primitive(
        name, evaluate, family="elementwise", push=push, pull=pull, batch=batch, pattern=pattern,
        align=align or _align_for(evaluate, slopes),
        domain=domain, formula=formula, code=code, numpy=numpy, slopes=slopes, laws=laws,
    )  # fmt: skip
    primitive.blank, primitive.is_shaped = blank_of_elements(evaluate), True
    if not any(map(callable, slopes)):
        primitive.kept = lambda xs, params, y: ((None,) * len(slopes), params, None)
    return primitive


def step(
    name: str,
    evaluate: Callable[..., Any],
    *,
    n_outputs: int | None = None,
    domain: Any = (-2.5, 2.5),
    formula: str = "",
    code: str = "",
    numpy: tuple[Any, ...] | None = None,
    laws: Any = None,
) -> Primitive:
    """An elementwise function that is constant almost everywhere: a comparison, a rounding, a sign."""
    if numpy is None:
        numpy = (evaluate,) if isinstance(evaluate, np.ufunc) else ()
    primitive = discrete(
        name, evaluate, n_outputs=n_outputs, numpy=numpy, formula=formula, code=code, laws=laws,
        batch=lambda xs, is_batched, params: primitive(*equalize_ranks(xs, is_batched), **params),
    )  # fmt: skip
    primitive.domain = domain
    return primitive


@functools.cache
def broadcasting(card: Primitive) -> Primitive:
    """An elementwise card for operands of several shapes, each of which takes the sum of the cotangents of its copies.

    It is one operation where `spread` and the card are two, for a tape, on which nobody but the walk back reads.
    """

    def pull(ct: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> Sequence[Any]:
        if is_sum:  # a sign can wait until there is less to change
            return [_times_number(card.slopes[slot], sum_to(ct, xs[slot].shape)) for slot in slots]
        pieces = card.pull(ct, slots, y, xs, params)  # type: ignore[misc]  # cards of this family have a pull
        return [piece if piece is None else sum_to(piece, xs[slot].shape) for slot, piece in zip(slots, pieces, strict=True)]

    def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> Any:
        dy = card.push(dxs, y, xs, params)  # type: ignore[misc]  # as above
        return dy if dy is None or dy.shape == y.shape else spread(dy, shape=tuple(y.shape))

    is_sum = all(slope in (1, -1) for slope in card.slopes)
    primitive = Primitive(
        card.name, card.eval, family=card.family, push=push, pull=pull, batch=card.batch, pattern=card.pattern,
        align=card.align, slopes=card.slopes, register=False,
    )  # fmt: skip
    if card.kept is not None:  # no value is needed, but the shapes
        primitive.kept = lambda xs, params, y: (tuple([x if type(x) is float else type_of(x) for x in xs]), params, type_of(y))
    return primitive


def _align_for(evaluate: Callable[..., Any], slopes: Sequence[Slope]) -> Callable[..., Any] | None:
    """How operands meet: at their common dtype; where a ufunc has loops of a kind of its own, as it chooses.

    In a card of our own an operand without a slope is an order or a count, which has no part in the dtype.
    """
    n = len(slopes)
    if isinstance(evaluate, np.ufunc) and not all(f"{char * n}->{char}" in evaluate.types for char in "efd"):
        return lambda operands: align_to_loop(evaluate, operands)
    inert = [slot for slot, slope in enumerate(slopes) if slope is None]
    if inert and not isinstance(evaluate, np.ufunc):
        return lambda operands: align_beside(operands, inert)
    return align_elementwise if n > 1 else None


def scaled(slope: Any, tangent: Any) -> Any:
    """`slope * tangent` with strong zeros, in the tangent's precision; the short way when nobody is watching."""
    if isinstance(slope, Tracer) or isinstance(tangent, Tracer):
        product = scale(slope, tangent)
    else:
        product = strong_product(slope, tangent)
    is_kept = product.dtype == tangent.dtype or product.dtype.kind != tangent.dtype.kind
    return product if is_kept else cast(product, dtype=tangent.dtype)


def _times_number(slope: float | None, tangent: Any) -> Any:
    return tangent if slope == 1 else -tangent if slope == -1 else slope * tangent


def _adjoint_of(slope: Slope) -> Callable[[Any, Any, Sequence[Any]], Any]:
    """`(ct, y, xs) -> conj(slope) * ct`, decided once for each card."""
    if slope is None:
        return lambda ct, y, xs: None
    if not callable(slope):
        return lambda ct, y, xs: _times_number(slope, ct)

    def adjoint(ct: Any, y: Any, xs: Sequence[Any]) -> Any:
        value = slope(y, *xs)
        kind = type(ct)
        if kind is np.ndarray:  # the strong product's usual cases, without its calls
            if ct.dtype.kind == "f" and type(value) is np.ndarray:  # arrays of other libraries stay lazy
                product = value * ct
                flat = product.ravel()
                total = flat.dot(flat)
                if total == total and product.dtype is ct.dtype:
                    return product
        elif kind in _REALS and not isinstance(value, Tracer):
            product = value * ct
            if type(product) is kind and product == product:
                return product
        return scaled(np.conjugate(value) if ct.dtype.kind == "c" else value, ct)

    return adjoint


scale = elementwise(
    "scale",
    strong_product,
    lambda y, slope, tangent: tangent,
    lambda y, slope, tangent: slope,
    formula="a b", code="0 if a == 0 else 0 if b == 0 else a * b",
)
