"""Primitives that own an inner program: the call of a user's function as one operation.

Each call makes a primitive of its own, because what it does is the user's function.  Traced values that the
function closes over become operands, so that their derivatives are not lost; what it writes into its traced
arguments becomes an output, so that the caller sees it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wengert import trees
from wengert.core.array import FRONT, Array
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Trace, Tracer, bind
from wengert.core.types import type_of
from wengert.errors import AssignmentError, LeakError, LostDerivativeError, page
from wengert.primitives.pattern import dense_pattern
from wengert.primitives.structure import sum_
from wengert.transforms.batch import batch_call
from wengert.transforms.closures import Captured, Substitution
from wengert.transforms.linearize import as_array, finish, snapshot
from wengert.transforms.selection import location_of

Flat = Callable[..., list[Any]]


def call(
    name: str, function: Flat, push: Any, pull: Any, operands: Sequence[Any], pattern: Any = dense_pattern
) -> list[Any]:
    """Perform a flat function as one operation with these readings of its derivative."""

    def evaluate(*xs: Any) -> tuple[Any, ...]:
        results = tuple(function(*xs))
        primitive.n_outputs = len(results)  # known once the function has run
        if any(isinstance(y, Tracer) for y in results) and not any(isinstance(x, Tracer) for x in xs):
            raise LostDerivativeError(
                page(
                    f"{name}: the function uses a traced value that is not among its arguments.",
                    "It was reached through an object or a global, where its derivative cannot be followed.",
                    f"{name}(f)(x)   # with that value x as an argument of f",
                    "lost-derivative",
                )
            )
        return results

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> tuple[Any, ...]:
        results = call(name, *_batched_readings(function, push, pull, xs, is_batched), xs)
        primitive.n_outputs = len(results)
        return tuple(results)

    primitive = Primitive(
        name, evaluate, family="call", push=push, pull=pull, batch=batch, pattern=pattern,
        n_outputs=1, register=False,
    )  # fmt: skip
    primitive.kept = lambda xs, params, y: (xs, params, tuple(map(type_of, y)))
    return list(bind(primitive, operands))


def _batched_readings(
    function: Flat, push: Any, pull: Any, xs: Sequence[Any], is_batched: Sequence[bool]
) -> tuple[Flat, Any, Any]:
    """The function and its two readings for a whole batch: the rule of one member, applied to every member."""
    n = next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
    axes = [0 if b else None for b in is_batched]

    def batched_function(*operands: Any) -> list[Any]:
        return batch_call(function, operands, axes, n)

    def batched_push(dxs: Sequence[Any], y: Any, operands: Sequence[Any], params: Params) -> list[Any]:
        active = [k for k, dx in enumerate(dxs) if dx is not None]
        types = [_member_type(part) for part in y]

        def member(*values: Any) -> list[Any]:
            inner_xs, inner_dxs = values[: len(xs)], dict(zip(active, values[len(xs) :], strict=True))
            dys = push([inner_dxs.get(k) for k in range(len(xs))], types, inner_xs, params)
            return [finish(dy, part) for dy, part in zip(dys, types, strict=True)]

        return batch_call(member, [*operands, *(dxs[k] for k in active)], axes + [axes[k] for k in active], n)

    def batched_pull(cts: Any, slots: Sequence[int], y: Any, operands: Sequence[Any], params: Params) -> list[Any]:
        types = [_member_type(part) for part in y]

        def member(*values: Any) -> list[Any]:
            inner_xs, inner_cts = values[: len(xs)], values[len(xs) :]
            pieces = pull(inner_cts, slots, types, inner_xs, params)
            return [finish(c, inner_xs[s]) for c, s in zip(pieces, slots, strict=True)]

        pieces = batch_call(member, [*operands, *cts], axes + [0] * len(cts), n)
        return [piece if is_batched[slot] else sum_(piece, axis=(-len(piece.shape),), keepdims=False)
                for piece, slot in zip(pieces, slots, strict=True)]  # fmt: skip

    return batched_function, batched_push, batched_pull


def _member_type(part: Any) -> Any:
    whole = type_of(part)
    return type(whole)(whole.shape[1:], whole.dtype)


class Inside(Trace):
    """The inner program of a call at work: traced operands stay traced inside, and what is written into them is seen."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        values = [x.value if isinstance(x, Tracer) and x.watcher is self else x for x in operands]
        result = bind(primitive, values, params)
        if primitive.n_outputs is not None:
            return tuple([self.constant(part, None) for part in result])
        return self.constant(result, None)

    def constant(self, value: Any, like: Any) -> Any:
        return Array(value, self, None) if value.dtype.kind in "fc" else value

    def is_constant(self, tracer: Tracer) -> bool:
        """Every value here stands for one of the caller, who knows."""
        return False

    def strip(self, value: Any) -> Any:
        """The caller's value."""
        return value.value if isinstance(value, Tracer) and value.watcher is self else value


class ClosedInside(Inside):
    """An inner program that has returned; a tracer that got out says so when it is used."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


class FlatCall:
    """One call of a function as a flat function of its array leaves; captured tracers come first."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.function = function
        reached = Captured(function)
        self.captured, self.generators = reached.tracers, reached.generators
        self.leaves, self.structure = trees.flatten((args, kwargs))
        self.is_array = [isinstance(x, Tracer) or hasattr(x, "dtype") for x in self.leaves]
        self.operands = [*self.captured, *(x for x, flag in zip(self.leaves, self.is_array, strict=True) if flag)]
        self.out_structure: Any = None
        self.out_leaves: list[Any] = []
        self.written: list[int] = []  # operands that the function has written into

    @property
    def is_plain(self) -> bool:
        """Whether nobody watches any operand."""
        return not any(isinstance(x, Tracer) for x in self.operands)

    def arguments(self, operands: Sequence[Any], fill: Callable[[Any], Any] = lambda leaf: leaf) -> tuple[Any, Any]:
        """`(args, kwargs)` with these operands; `fill` gives the leaves that are not arrays."""
        rest = iter(operands[len(self.captured) :])
        leaves = [next(rest) if flag else fill(x) for x, flag in zip(self.leaves, self.is_array, strict=True)]
        args, kwargs = trees.unflatten(self.structure, leaves)
        return tuple(args), kwargs

    def flat(self, *operands: Any) -> list[Any]:
        """The outputs' array leaves, then the new values of the traced operands that the function has written into."""
        inside = Inside()
        guarded = [self._guarded(x, inside) if isinstance(original, Tracer) else x
                   for x, original in zip(operands, self.operands, strict=True)]  # fmt: skip
        before = [(x.value, x.extra) if isinstance(x, Tracer) else (x, None) for x in guarded]
        try:
            ys = [inside.strip(y) for y in self.plain_flat(*guarded)]
        finally:
            inside.__class__ = ClosedInside
        self.written = [
            k for k, (x, (value, extra)) in enumerate(zip(guarded, before, strict=True))
            if isinstance(x, Tracer) and not (x.value is value and x.extra is extra)
        ]  # fmt: skip
        return ys + [inside.strip(guarded[k]) for k in self.written]

    @staticmethod
    def _guarded(x: Any, inside: Inside) -> Any:
        if isinstance(x, Tracer):
            return snapshot(x)
        return Array(x, inside, None) if x.dtype.kind in "fc" else x

    def plain_flat(self, *operands: Any) -> list[Any]:
        """The outputs' array leaves; the function gets the operands as they are."""
        function = self.function
        if self.captured:
            new = dict(zip(map(id, self.captured), operands, strict=False))
            function = Substitution(new).of_callable(function)
        args, kwargs = self.arguments(operands)
        leaves, self.out_structure = trees.flatten(function(*args, **kwargs))
        is_number = (bool, int, float, complex)
        self.out_leaves = [as_array(y) if isinstance(y, is_number) else y for y in leaves]
        return [y for y in self.out_leaves if _is_array(y)]

    def finish(self, results: list[Any]) -> Any:
        """The output container; the caller's arrays take what the function has written into them."""
        rest = iter(results)
        leaves = [next(rest) if _is_array(y) else y for y in self.out_leaves]
        for k, new in zip(self.written, rest, strict=True):
            self._require_alone(k)
            FRONT[operator.iadd](self.operands[k], new)
        return trees.unflatten(self.out_structure, leaves)


    def _require_alone(self, k: int) -> None:
        """An operand that is written into must not share memory with another one, which would not have seen it."""
        root = _root(self.operands[k])
        if sum(_root(x) is root for x in self.operands) > 1:
            raise AssignmentError(
                page(
                    f"{location_of(self.function)} writes into an array of which it reaches two views.",
                    "Inside a checkpoint every array stands for itself, and the other view would have kept its old values.",
                    "y = y.copy()   # in the function, before it writes; and return y",
                    "assignment",
                )
            )


def _root(x: Any) -> Any:
    """The array that owns the memory of `x`."""
    while (base := getattr(x, "_base", None)) is not None:
        x = base[0]
    return x


def _is_array(x: Any) -> bool:
    return isinstance(x, Tracer) or hasattr(x, "dtype")
