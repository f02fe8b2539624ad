"""What a loop is, and what becomes of it under a tangent and in a batch: `Loop`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.core.check import output_types
from wengert.core.graph import Graph, Var
from wengert.core.primitive import VARIOUS, Params, Primitive, primitive_named
from wengert.core.trace import bind
from wengert.core.types import ArrayType, type_of
from wengert.primitives.structure import move_axis, spread
from wengert.transforms.derived_programs import Flags, Groups, batched, chosen, closed, interleave, of_batch, pushed
from wengert.transforms.inner_programs import Runner, apply, derive, reached
from wengert.transforms.linearize import zeros_like
from wengert.transforms.sparsity import pattern_of

ENDLESS = -1  # the length of a loop that a test ends
runner_of = lru_cache(maxsize=256)(Runner)


@dataclass(frozen=True)
class Loop:
    """What a loop is: `body(constants, state, entries) -> (state, results)`, `test(constants of its own, state)`.

    Operands are the constants of the test, those of the body, the state, and the sequences.
    """

    body: Graph
    n_consts: int
    n_carry: int
    length: int = ENDLESS
    reverse: bool = False
    checkpoint: int | str | None = None
    test: Graph | None = None
    n_test: int = 0

    # --- forms ------------------------------------------------------------------------------------------------------------

    @classmethod
    def of(cls, params: Params) -> Loop:
        """The loop that the params of a node describe."""
        return cls(**{key: value for key, value in params.items() if key in cls.__dataclass_fields__})

    def params(self) -> dict[str, Any]:
        """How a node describes it."""
        names = ("test", "n_test") if self.test is not None else ("length", "reverse")
        return {key: getattr(self, key) for key in ("body", "n_consts", "n_carry", "checkpoint", *names)}

    @property
    def primitive(self) -> Primitive:
        """The operation that runs it."""
        return primitive_named("scan" if self.test is None else "while")

    def __call__(self, operands: Sequence[Any]) -> tuple[Any, ...]:
        """Bind it, whoever is watching."""
        return tuple(bind(self.primitive, operands, self.params()))

    # --- parts ------------------------------------------------------------------------------------------------------------

    @property
    def groups(self) -> Groups:
        """How many constants, states and sequences there are."""
        return self.n_consts, self.n_carry, len(self.body.inputs) - self.n_consts - self.n_carry

    @property
    def results(self) -> Groups:
        """How many states and results come out."""
        return self.n_carry, len(self.body.outputs) - self.n_carry

    def parts(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """The constants of the test, those of the body, the state, and the sequences."""
        ends = np.cumsum([self.n_test, self.n_consts, self.n_carry])
        return tuple(list(operands[a:b]) for a, b in zip([0, *ends], [*ends, None], strict=True))  # type: ignore[return-value]

    def inner_types(self, operands: Sequence[Any]) -> tuple[ArrayType, ...]:
        """The types of the inputs of the body."""
        _, consts, carry, xs = self.parts(operands)
        entries = [ArrayType(tuple(x.shape[1:]), np.dtype(x.dtype)) for x in xs]
        return (*map(type_of, consts), *map(type_of, carry), *entries)

    # --- forward ----------------------------------------------------------------------------------------------------------

    def pushed(self, operands: Sequence[Any], flags: Flags) -> tuple[Loop, Flags, Flags]:
        """The loop with tangents; which operands of the body and which outputs have one."""
        flags, wanted = closed(self.body, self.n_consts, self.n_carry, flags)
        body = pushed(self.body, self.inner_types(operands), self.groups, self.results, flags, wanted)
        n_carry = self.n_carry + sum(wanted[: self.n_carry])
        test = self.test
        if test is not None:
            types = chosen(self.inner_types(operands)[self.n_consts :], wanted[: self.n_carry])
            test = replace(test, inputs=(*test.inputs, *map(Var, types)))
        n_consts = self.n_consts + sum(flags[: self.n_consts])
        return replace(self, body=body, test=test, n_consts=n_consts, n_carry=n_carry), flags, wanted

    def joined(self, operands: Sequence[Any], dxs: Sequence[Any], flags: Flags) -> list[Any]:
        """Operands with tangents, zeros where the state has none to begin with."""
        rest = list(operands[self.n_test :])
        filled = [dx if dx is not None or not flag else zeros_like(x) for x, dx, flag in zip(rest, dxs, flags, strict=True)]
        return [*operands[: self.n_test], *interleave(self.groups, rest, [dx if flag else None for dx, flag in zip(filled, flags, strict=True)])]

    # --- batches ----------------------------------------------------------------------------------------------------------

    def batched(self, operands: Sequence[Any], is_batched: Sequence[bool], n: int) -> Batched:
        """The loop of a whole batch."""
        types = [of_member(type_of(x)) if flag else type_of(x) for x, flag in zip(operands, is_batched, strict=True)]
        types = [replace(t, shape=t.shape[1:]) if k >= self.n_test + self.n_consts + self.n_carry else t for k, t in enumerate(types)]
        tests, inner = tuple(types[: self.n_test]), tuple(types[self.n_test :])
        flags, wanted = closed(self.body, self.n_consts, self.n_carry, tuple(is_batched[self.n_test :]), discrete=True)
        state = slice(self.n_consts, self.n_consts + self.n_carry)
        is_split = self.test is not None and reached(self.test, (*is_batched[: self.n_test], *flags[state]), discrete=True)[0]
        if is_split:  # members end at different times, so their states are their own
            flags = tuple(flag or state.start <= k < state.stop for k, flag in enumerate(flags))
            wanted = (True,) * self.n_carry
        body = batched(self.body, inner, flags, wanted, n)
        test_flags = (*is_batched[: self.n_test], *flags[state])
        test = None if self.test is None else batched(self.test, (*tests, *inner[state]), test_flags, (is_split,), n)
        return Batched(replace(self, body=body, test=test), tuple(is_batched[: self.n_test]) + flags, wanted, n, is_split)


def of_member(type_: ArrayType) -> ArrayType:
    """The type of a member of a batch."""
    return ArrayType(type_.shape[1:], type_.dtype)


@dataclass(frozen=True)
class Batched:
    """A loop over a batch: which operands have the batch axis, which outputs, and whether members end at different times."""

    loop: Loop
    flags: Flags
    wanted: Flags
    n: int
    is_split: bool

    def operands(self, operands: Sequence[Any], is_batched: Sequence[bool]) -> list[Any]:
        """Operands as the batched loop takes them."""
        full = [x if has or not flag else spread(x, shape=(self.n, *x.shape))
                for x, has, flag in zip(operands, is_batched, self.flags, strict=True)]  # fmt: skip
        first = len(full) - self.loop.groups[2]
        return [move_axis(x, 0, 1) if k >= first and flag else x for k, (x, flag) in enumerate(zip(full, self.flags, strict=True))]

    def final(self) -> tuple[Loop, int]:
        """The loop to run, and how many values of its state are not the user's."""
        return (masked(self.loop, self.n), 1) if self.is_split else (self.loop, 0)

    def before(self, operands: list[Any]) -> list[Any]:
        """Operands of the loop to run."""
        if not self.is_split:
            return operands
        loop = self.loop
        assert loop.test is not None
        tests, consts, carry, _ = loop.parts(operands)
        return [*tests, *consts, apply(loop.test, [*tests, *carry])[0], *carry]


@lru_cache(maxsize=256)
def masked(loop: Loop, n: int) -> Loop:
    """A loop over a batch that goes on while any member does; those that have ended keep their state.

    ::

        while any(test(s)): s = body(s)     ->     while any(going): s = where(going, body(s), s); going = going and test(s)
    """
    assert loop.test is not None
    test, body = loop.test, loop.body
    n_test, n_consts = loop.n_test, loop.n_consts
    going = ArrayType((n,), np.dtype(bool))
    tests = [var.type for var in test.inputs[:n_test]]
    state = [var.type for var in body.inputs[n_consts:]]

    def step(*values: Any) -> list[Any]:
        of_test, consts, (goes, *s) = values[:n_test], values[n_test : n_test + n_consts], values[n_test + n_consts :]
        new = [where_member(goes, a, b) for a, b in zip(apply(body, [*consts, *s]), s, strict=True)]
        return [FRONT[np.logical_and](goes, apply(test, [*of_test, *new])[0]), *new]

    types = [*tests, *(var.type for var in body.inputs[:n_consts]), going, *state]
    inner = derive(step, types, "masked")
    any_left = derive(lambda goes, *rest: [FRONT[np.any](goes)], [going, *state], "any_left")
    return replace(loop, body=inner, test=any_left, n_consts=n_test + n_consts, n_carry=loop.n_carry + 1, n_test=0)


def where_member(flags: Any, a: Any, b: Any) -> Any:
    """`a` for the members with a flag, `b` for the others."""
    shape = (*flags.shape, *[1] * (len(a.shape) - 1))
    return FRONT[np.where](FRONT[np.reshape](flags, shape), a, b)


def loop_types(types: Sequence[ArrayType], params: Params) -> tuple[ArrayType, ...]:
    """The types of the results."""
    loop = Loop.of(params)
    _, consts, carry, xs = loop.parts(types)
    entries = [ArrayType(t.shape[1:], t.dtype) for t in xs]
    found = output_types(loop.body, (*consts, *carry, *entries))
    n = max(loop.length, 0)
    state = carry if not n and loop.test is None else found[: loop.n_carry]
    return (*state, *(of_batch(t, n) for t in found[loop.n_carry :]))


def by_input(loop: Loop, flags: Flags, found: Sequence[Any]) -> list[Any]:
    """Results `(state, totals, sequences)` of a way back, one for each input of the body, `None` where there is no flag."""
    rest = iter(found)
    a, b = loop.n_consts, loop.n_consts + loop.n_carry
    state = [next(rest) if flag else None for flag in flags[a:b]]
    totals = [next(rest) if flag else None for flag in flags[:a]]
    return [*totals, *state, *[next(rest) if flag else None for flag in flags[b:]]]


def flags_of(loop: Loop, slots: Sequence[int]) -> Flags:
    """Which inputs of the body belong to these operands."""
    return tuple(k + loop.n_test in slots for k in range(len(loop.body.inputs)))


def own(value: Any, given: Sequence[Any]) -> Any:
    """A state in memory of its own, not the caller's; one number is a scalar, as it is after any operation of NumPy's."""
    if type(value) is np.ndarray and not value.shape:
        return value[()]
    if isinstance(value, np.ndarray) and (value.base is not None or any(value is x for x in given)):
        return value.copy()
    return value


# --- primitives that own inner programs ------------------------------------------------------------


def unrolled(primitive: Primitive) -> Any:
    """The pattern of a loop: that of the steps it takes, one after the other."""

    def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Any:
        return pattern_of(lambda x: primitive.eval(*xs[:slot], x, *xs[slot + 1 :], **params), [xs[slot]])[0]

    return pattern


def control(name: str, evaluate: Any, readings: Sequence[Any], types: Any, laws: Any) -> Primitive:
    """A primitive that owns inner programs."""
    push_, pull_, batch_ = readings
    primitive = Primitive(
        name, evaluate, family="control", push=push_, pull=pull_, batch=batch_,
        pattern=lambda slot, y, xs, params: unrolled(primitive)(slot, y, xs, params), n_outputs=VARIOUS, laws=laws,
    )  # fmt: skip
    primitive.types = types
    return primitive
