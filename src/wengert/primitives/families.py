"""The families: each turns what a card says into every reading of its derivative.

| family      | derivative                                | the card says                              |
|-------------|-------------------------------------------|--------------------------------------------|
| elementwise | diagonal of slopes                        | value, slope of `(y, *xs)` for each operand |
| contraction | product rule over itself                  | index sentence, value                      |
| selection   | itself; transposing deposits at the index | value                                      |
| smooth      | an expression, linear in `dx`             | value, differential                        |
| discrete    | zero                                      | value                                      |

Params are *trailing*: axes are negative and shapes exclude leading batch axes, so that an operation on
operands with one more leading axis is the same operation.  The public front (`wengert.numpy`) sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Params, Primitive
from wengert.core.record import Record, absent
from wengert.core.types import type_of
from wengert.primitives.pattern import dense_pattern, no_pattern, probe_pattern


def all_batched(xs: Sequence[Any], is_batched: Sequence[bool]) -> Sequence[Any]:
    """The operands of a batch, those that its members share repeated: then all leading axes meet, at every level."""
    if len(xs) == 1 or all(is_batched):
        return xs
    n = next(x.shape[0] for x, flag in zip(xs, is_batched, strict=True) if flag)
    return [x if flag or not hasattr(x, "shape") else np.broadcast_to(x, (n, *x.shape))
            for x, flag in zip(xs, is_batched, strict=True)]  # fmt: skip


def of_nobody(card: Primitive, xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    """The results of a batch without members, where they cannot be had at once: of the shape of one who might have been."""
    member = [np.ones(tuple(x.shape[b:]), x.dtype) if hasattr(x, "shape") else x for x, b in zip(xs, is_batched, strict=True)]
    y = np.asarray(card.eval(*member, **params))
    return np.zeros((0, *y.shape), y.dtype)


# --- linear: one active operand, and the adjoint written out -------------------------------------------------


def linear(
    name: str,
    evaluate: Callable[..., Any],
    adjoint: Callable[..., Any],
    *,
    batch: Callable[..., Any] | None = None,
    numpy: tuple[Any, ...] = (),
    pattern: Callable[..., Any] | None = None,
    laws: Any = None,
    align: Callable[..., Any] | None = None,
    formula: str = "",
) -> Primitive:
    """`y = L x` for a linear map `L` that further operands and params choose; `adjoint(ct, x, *rest, **params)`.

    Forward it is itself; reverse it is `adjoint`, written in primitives; so it has every order.
    """

    def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> Any:
        return None if dxs[0] is None else primitive(dxs[0], *xs[1:], **params)

    def pull(ct: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        if slots == (0,):
            return [adjoint(ct, *xs, **params)]
        return [adjoint(ct, *xs, **params) if slot == 0 else None for slot in slots]

    def batch_front(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        return primitive(*all_batched(xs, is_batched), **params)

    def probe(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Any:
        if slot:
            return no_pattern(slot, y, xs, params)
        return probe_pattern(lambda x: evaluate(x, *xs[1:], **params), xs[0], y)

    def kept(xs: Sequence[Any], params: Params, y: Any) -> tuple[Any, Params, Any]:
        types = (type_of(xs[0]),)  # of the active operand only its type
        return types if len(xs) == 1 else (*types, *xs[1:]), params, None

    primitive = Primitive(
        name, evaluate, family="selection", push=push, pull=pull, batch=batch or batch_front,
        pattern=pattern or probe, numpy=numpy, laws=laws, align=align, formula=formula,
    )  # fmt: skip
    primitive.kept, primitive.is_shaped = kept, True
    return primitive


# --- multilinear: linear in each operand -------------------------------------------------------------------


def multilinear(
    name: str,
    evaluate: Callable[..., Any],
    adjoint: Callable[..., Any],
    *,
    batch: Callable[..., Any],
    pattern: Callable[..., Any],
    align: Callable[..., Any] | None = None,
    numpy: tuple[Any, ...] = (),
    derivative: Callable[..., Any] | None = None,
    laws: Any = None,
    formula: str = "",
) -> Primitive:
    """`y` is linear in each operand: the product rule over itself; `adjoint(slot, ct, *xs, **params)`.

    `derivative` is the same product with strong zeros, where that is a primitive of its own.
    """

    def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> Any:
        product = derivative or primitive
        total = None
        for slot, dx in enumerate(dxs):
            if dx is not None:
                term = product(*xs[:slot], dx, *xs[slot + 1 :], **params)
                total = term if total is None else total + term
        return total

    def pull(ct: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        if len(slots) == 1:
            return [adjoint(slots[0], ct, *xs, **params)]
        return [adjoint(slot, ct, *xs, **params) for slot in slots]

    primitive = Primitive(
        name, evaluate, family="contraction", push=push, pull=pull, batch=batch, pattern=pattern,
        align=align, numpy=numpy, laws=laws, formula=formula,
    )  # fmt: skip
    primitive.is_shaped = True
    return primitive


# --- smooth: the differential is an expression ----------------------------------------------------------------


def smooth(
    name: str,
    evaluate: Callable[..., Any],
    differential: Callable[..., Any],
    *,
    pullback: Callable[..., Any] | None = None,
    n_outputs: int | None = None,
    batch: Callable[..., Any] | None = None,
    pattern: Callable[..., Any] | None = None,
    align: Callable[..., Any] | None = None,
    numpy: tuple[Any, ...] = (),
    laws: Any = None,
    formula: str = "",
) -> Primitive:
    """`dy = differential(dxs, y, *xs, **params)`, linear in the list `dxs` and written in primitives.

    An inactive entry of `dxs` is `None`.  The reverse reading transposes that expression.  With several
    outputs, `y` and the result are tuples.  Where a check on the cotangent is part of the mathematics (the
    gauge of an eigenvector), `pullback(ct, y, *xs, **params)` states the transpose itself.  Neither is asked about
    a zero, which contributes nothing even where the function has no derivative.
    """

    def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> Any:
        if all(map(_is_zero, dxs)):
            return absent(y) if n_outputs is None else tuple(map(absent, y))
        return differential(dxs, y, *xs, **params)

    def pull(ct: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        if all(map(_is_zero, ct if n_outputs is not None else (ct,))):
            return [absent(xs[slot]) for slot in slots]
        if pullback is not None:
            pieces = pullback(ct, y, *xs, **params)
            return [pieces[slot] for slot in slots]
        return transpose_expression(differential, ct, slots, y, xs, params)

    def batch_front(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        return primitive(*all_batched(xs, is_batched), **params)

    primitive = Primitive(
        name, evaluate, family="smooth", push=push, pull=pull, batch=batch or batch_front,
        pattern=pattern or dense_pattern, n_outputs=n_outputs, numpy=numpy, laws=laws, align=align,
        formula=formula,
    )  # fmt: skip
    return primitive


def _is_zero(derivative: Any) -> bool:
    """Whether a tangent or cotangent is inactive or plainly zero."""
    if derivative is None:
        return True
    return isinstance(derivative, (np.ndarray, np.generic)) and not derivative.any()


def transpose_expression(
    differential: Callable[..., Any], ct: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params
) -> list[Any]:
    """The adjoint of a linear expression in primitives: record it once on zeros, walk it backwards."""
    record = Record()
    dxs = [record.input(np.zeros(xs[slot].shape, xs[slot].dtype)) for slot in slots]
    dy = differential(_spread_slots(dxs, slots, len(xs)), y, *xs, **params)
    return record.pull_back(dy, ct, consume=True)


def _spread_slots(dxs: Sequence[Any], slots: Sequence[int], n: int) -> list[Any]:
    full: list[Any] = [None] * n
    for slot, dx in zip(slots, dxs, strict=True):
        full[slot] = dx
    return full


# --- discrete: the derivative is zero ---------------------------------------------------------------------------


def discrete(
    name: str,
    evaluate: Callable[..., Any],
    *,
    batch: Callable[..., Any] | None = None,
    n_outputs: int | None = None,
    numpy: tuple[Any, ...] = (),
    align: Callable[..., Any] | None = None,
    laws: Any = None,
    formula: str = "",
    code: str = "",
    is_held: bool = False,
) -> Primitive:
    """A piecewise constant function: no derivative flows through it.

    `is_held` says that it is not constant and is to be treated as if it were: a scale that something is measured by.
    """

    def batch_front(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
        return primitive(*all_batched(xs, is_batched), **params)

    primitive = Primitive(
        name, evaluate, family="discrete", push=None, pull=None, batch=batch or batch_front,
        pattern=no_pattern,
        n_outputs=n_outputs, numpy=numpy, align=align, laws=laws, formula=formula, code=code, is_held=is_held,
    )  # fmt: skip
    primitive.is_shaped = bool(code)
    return primitive
