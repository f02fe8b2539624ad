"""Loops as operations: `scan` over sequences, `while` as long as a test says so, and the way back through either.

Both own the graph of their body, and every derivative of a loop is a loop whose body is the derivative of that one:

| reading      | of a loop whose body is `(c, s, x) -> (s', y)`                                                                      |
|--------------|---------------------------------------------------------------------------------------------------------------------|
| push         | a loop with the state `(s, ds)`                                                                                     |
| pull         | of `scan`: the body keeps what its adjoint needs, and a second `scan` runs it from the last step to the first        |
| pull         | of `while`, and with checkpoints: `loop_adjoint`, which goes there with a stack of states that grows, and comes back |
| batch        | a loop over the whole batch; where members end at different times, those that have ended keep their state            |
| push, pull   | of `loop_adjoint`: the adjoint is the gradient of `⟨ct, y⟩`, so its derivative along `dz` is that of `⟨ct, J dz⟩`: the |
|              | adjoint of the loop with `(s, ds)`                                                                                  |

Source: A. Griewank and A. Walther, Evaluating Derivatives (SIAM, 2008), chapters 3, 5 and 12.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.core.check import output_types
from wengert.core.graph import Graph, Var
from wengert.core.parse import parse
from wengert.core.primitive import VARIOUS, Params, Primitive
from wengert.core.trace import bind
from wengert.core.types import ArrayType, type_of
from wengert.primitives.structure import move_axis, spread
from wengert.transforms.derived_programs import (
    Flags,
    Groups,
    Reversal,
    batched,
    chosen,
    closed,
    interleave,
    keeping,
    of_batch,
    pushed,
    recomputing,
    separate,
)
from wengert.transforms.inner_programs import Runner, apply, derive, reached
from wengert.transforms.journeys import Journey, goes_on, stacked
from wengert.transforms.linearize import finish, zeros_like
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
        return scan if self.test is None else while_

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


# --- running -----------------------------------------------------------------------------------------------------------------


def steps_of(loop: Loop) -> Iterator[int]:
    """The positions in the sequences, in the order in which they are taken."""
    return iter(range(loop.length)[:: -1 if loop.reverse else 1])


def run_scan(*operands: Any, **params: Any) -> tuple[Any, ...]:
    """The final state, and the results of all steps, each stacked in the order of the sequences."""
    loop = Loop.of(params)
    run = runner_of(loop.body)
    _, consts, carry, xs = loop.parts(operands)
    given = list(carry)
    stacks: list[Any] = [None] * loop.results[1]
    for k in steps_of(loop):
        found = run([*consts, *carry, *[x[k] for x in xs]])
        carry = found[: loop.n_carry]
        for j, y in enumerate(found[loop.n_carry :]):
            put(stacks, j, k, y, loop.length)
    return (*[own(s, [*given, *consts, *xs]) for s in carry], *filled_stacks(loop, operands, stacks))


def put(stacks: list[Any], j: int, k: int, y: Any, length: int) -> None:
    """Entry `k` of stack `j`; a stack of plain arrays is allocated once, with the first entry."""
    is_array = isinstance(y, (np.ndarray, np.generic))
    if stacks[j] is None:
        stacks[j] = np.empty((length, *y.shape), y.dtype) if is_array else [None] * length
    elif not is_array and not isinstance(stacks[j], list):
        stacks[j] = list(stacks[j])
    stacks[j][k] = y


def filled_stacks(loop: Loop, operands: Sequence[Any], stacks: list[Any]) -> list[Any]:
    """The stacks as arrays, those of no step too."""
    if not loop.length:
        types = output_types(loop.body, loop.inner_types(operands))[loop.n_carry :]
        return [np.zeros((0, *t.shape), t.dtype) for t in types]
    return [FRONT[np.stack](ys) if isinstance(ys, list) else ys for ys in stacks]


def own(value: Any, given: Sequence[Any]) -> Any:
    """A state in memory of its own, not the caller's."""
    if isinstance(value, np.ndarray) and (value.base is not None or any(value is x for x in given)):
        return value.copy()
    return value


def run_while(*operands: Any, **params: Any) -> tuple[Any, ...]:
    """The first state for which the test fails."""
    loop = Loop.of(params)
    assert loop.test is not None
    test, body = runner_of(loop.test), runner_of(loop.body)
    tests, consts, carry, _ = loop.parts(operands)
    given = list(carry)
    while goes_on(test([*tests, *carry])[0]):
        carry = body([*consts, *carry])
    return tuple([own(s, [*given, *consts]) for s in carry])


# --- readings ----------------------------------------------------------------------------------------------------------------


def loop_types(types: Sequence[ArrayType], params: Params) -> tuple[ArrayType, ...]:
    """The types of the results."""
    loop = Loop.of(params)
    _, consts, carry, xs = loop.parts(types)
    entries = [ArrayType(t.shape[1:], t.dtype) for t in xs]
    found = output_types(loop.body, (*consts, *carry, *entries))
    n = max(loop.length, 0)
    state = carry if not n and loop.test is None else found[: loop.n_carry]
    return (*state, *(of_batch(t, n) for t in found[loop.n_carry :]))


def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
    """A loop with tangents."""
    loop = Loop.of(params)
    inner = list(dxs[loop.n_test :])
    flags = tuple(dx is not None and x.dtype.kind in "fc" for dx, x in zip(inner, xs[loop.n_test :], strict=True))
    along, flags, wanted = loop.pushed(xs, flags)
    return separate(loop.results, wanted, along(loop.joined(xs, inner, flags)))[1]


def pull(cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
    """The way back: over what was kept, if something was."""
    loop = Loop.of(params)
    plan: Reversal | None = params.get("plan")
    if plan is None or not loop.length:
        return pull_again(loop, cts, slots, y, xs)
    n_results = len(loop.body.outputs)
    _, consts, _, entries = loop.parts(xs)
    given = cotangents(cts[:n_results], y[:n_results], plan.wanted)
    n_state = sum(plan.wanted[: loop.n_carry])
    totals = [zeros_like(c) for c in chosen(consts, plan.flags[: loop.n_consts])]
    back = Loop(plan.back, loop.n_consts, n_state + len(totals), loop.length, not loop.reverse)
    found = back([*consts, *given[:n_state], *totals, *entries, *y[n_results:], *given[n_state:]])
    return sorted_out(loop, plan.flags, found, slots)


def cotangents(cts: Sequence[Any], y: Sequence[Any], wanted: Flags) -> list[Any]:
    """Those that go back, each of the dtype of its value."""
    return [ct if ct.dtype == part.dtype else finish(ct, part) for ct, part, want in zip(cts, y, wanted, strict=True) if want]


def sorted_out(loop: Loop, flags: Flags, found: Sequence[Any], slots: Sequence[int]) -> list[Any]:
    """The cotangents of the operands asked for, from the results `(state, totals, sequences)` of a way back."""
    pieces = [*[None] * loop.n_test, *by_input(loop, flags, found)]
    return [pieces[slot] for slot in slots]


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


def pull_again(loop: Loop, cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any]) -> list[Any]:
    """The way there once more, with a stack of states, and back."""
    full = [ct if ct.dtype == part.dtype else finish(ct, part) for ct, part in zip(cts, y, strict=False)]
    pieces = adjoint_of(loop, flags_of(loop, slots), xs, full)
    return [pieces[slot - loop.n_test] if slot >= loop.n_test else None for slot in slots]


def augment(slots: Sequence[int], xs: Sequence[Any], params: Params) -> tuple[Params, Params, int | None]:
    """Keep, step by step, what the way back needs."""
    loop = Loop.of(params)
    if loop.checkpoint is not None or not loop.length:
        return params, params, None
    plan = keeping(loop.body, loop.inner_types(xs), loop.n_consts, loop.n_carry, flags_of(loop, slots))
    return {**params, "body": plan.there}, {**params, "plan": plan}, len(loop.body.outputs)


def kept(xs: Sequence[Any], params: Params, y: Any) -> tuple[Any, Params, Any]:
    """Of the results only their types, besides what was kept."""
    n = len(params["body"].outputs)
    return xs, params, (*map(type_of, y[:n]), *y[n:])


def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> tuple[Any, ...]:
    """A loop over the whole batch."""
    loop = Loop.of(params)
    n = next(x.shape[0] for x, flag in zip(xs, is_batched, strict=True) if flag)
    found = loop.batched(xs, is_batched, n)
    final, n_extra = found.final()
    results = final(found.before(found.operands(xs, is_batched)))[n_extra:]
    out = []
    for k, (y, flag) in enumerate(zip(results, found.wanted, strict=True)):
        moved = y if k < loop.n_carry else move_axis(y, 1, 0) if flag else y
        out.append(moved if flag else spread(y, shape=(n, *y.shape)))
    return tuple(out)


def unrolled(primitive: Primitive) -> Any:
    """The pattern of a loop: that of the steps it takes, one after the other."""

    def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Any:
        return pattern_of(lambda x: primitive.eval(*xs[:slot], x, *xs[slot + 1 :], **params), [xs[slot]])[0]

    return pattern




# --- the way there and back ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Adjoint:
    """`(operands, cotangents) -> cotangents of the operands with a flag`, by way of a stack of states."""

    loop: Loop
    flags: Flags  # of the inputs of the body, closed

    @classmethod
    def of(cls, params: Params) -> Adjoint:
        """What the params of a node describe."""
        return cls(Loop.of(params), tuple(params["flags"]))

    @property
    def n_operands(self) -> int:
        """How many operands are those of the loop."""
        return self.loop.n_test + len(self.loop.body.inputs)

    @property
    def wanted(self) -> Flags:
        """Which outputs of the loop have cotangents."""
        return closed(self.loop.body, self.loop.n_consts, self.loop.n_carry, self.flags)[1]

    def results(self, operands: Sequence[Any]) -> list[Any]:
        """The operands that the results are like: state, constants, sequences."""
        _, consts, carry, xs = self.loop.parts(operands[: self.n_operands])
        a, b = self.loop.n_consts, self.loop.n_consts + self.loop.n_carry
        return [*chosen(carry, self.flags[a:b]), *chosen(consts, self.flags[:a]), *chosen(xs, self.flags[b:])]

    def in_order(self, pieces: Sequence[Any]) -> list[Any]:
        """The results from what belongs to each input of the body."""
        a, b = self.loop.n_consts, self.loop.n_consts + self.loop.n_carry
        flags = self.flags
        return [*chosen(pieces[a:b], flags[a:b]), *chosen(pieces[:a], flags[:a]), *chosen(pieces[b:], flags[b:])]

    def by_output(self, cts: Sequence[Any]) -> list[Any]:
        """Cotangents one for each output of the loop, `None` for those that have none."""
        rest = iter(cts)
        return [next(rest) if want else None for want in self.wanted]


def adjoint_of(loop: Loop, asked: Flags, operands: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
    """Cotangents of the inputs of the body (those asked for at least), for one or `None` for each output of the loop."""
    flags, wanted = closed(loop.body, loop.n_consts, loop.n_carry, asked)
    types = loop_types(list(map(type_of, operands)), loop.params())
    given = [zeros_of(t) if ct is None else ct for ct, t, want in zip(cts, types, wanted, strict=True) if want]
    back, _, _ = recomputing(loop.body, loop.inner_types(operands), loop.n_consts, loop.n_carry, flags)
    found = bind(loop_adjoint, [*operands, *given], {**loop.params(), "back": back, "flags": flags})
    return by_input(loop, flags, found)


def zeros_of(type_: ArrayType) -> Any:
    """Zeros that take no memory."""
    return np.broadcast_to(np.zeros((), type_.dtype), type_.shape) if type_.shape else type_.dtype.type(0)


def adjoint_types(types: Sequence[ArrayType], params: Params) -> tuple[ArrayType, ...]:
    """A cotangent is like its operand."""
    return tuple(Adjoint.of(params).results(types))


def push_adjoint(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
    """The adjoint of the loop with tangents, of `(tangent of the cotangent, cotangent)`."""
    adjoint = Adjoint.of(params)
    n, loop = adjoint.n_operands, adjoint.loop
    tangents = along(adjoint, xs[:n], dxs[loop.n_test : n])
    of_values = [None if d is None else finish(d, ct) for d, ct in zip(dxs[n:], xs[n:], strict=True)]
    pieces = tangents.gradient(adjoint.flags, adjoint.by_output(xs[n:]), adjoint.by_output(of_values))
    return adjoint.in_order(pieces)


def pull_adjoint(cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
    """`⟨u, Jᴴ ct⟩ = ⟨J u, ct⟩`: with respect to `ct` it is `J u`, and else the gradient of the loop with the tangent `u`."""
    adjoint = Adjoint.of(params)
    n, loop = adjoint.n_operands, adjoint.loop
    us = [finish(ct, part) for ct, part in zip(cts, adjoint.results(xs), strict=True)]
    tangents = along(adjoint, xs[:n], by_input(loop, adjoint.flags, us))
    pieces: list[Any] = [None] * len(xs)
    if any(slot >= n for slot in slots):
        pieces[n:] = chosen(tangents.derivative(), adjoint.wanted)
    if any(slot < n for slot in slots):
        nothing = [None] * len(loop.body.outputs)
        asked = flags_of(loop, [slot for slot in slots if slot < n])
        pieces[loop.n_test : n] = tangents.gradient(asked, adjoint.by_output(xs[n:]), nothing)
    return [pieces[slot] for slot in slots]


@dataclass(frozen=True)
class Along:
    """A loop together with its derivative along a tangent: `(z, dz) -> (y, J dz)`."""

    loop: Loop  # without tangents
    together: Loop
    operands: list[Any]
    flags: Flags  # which inputs of the body have a tangent
    wanted: Flags  # and which outputs

    def derivative(self) -> list[Any]:
        """`J dz`, one for each output of the loop, `None` for zero."""
        return separate(self.loop.results, self.wanted, self.together(self.operands))[1]

    def gradient(self, asked: Flags, cts: Sequence[Any], of_values: Sequence[Any]) -> list[Any]:
        """Of `⟨cts, J dz⟩ + ⟨of_values, y⟩` with respect to the inputs of the body that are asked for."""
        loop, together = self.loop, self.together
        full = interleave_all(loop.results, of_values, cts, self.wanted)
        inner = interleave(loop.groups, asked, [False if flag else None for flag in self.flags])
        pieces = adjoint_of(together, tuple(inner), self.operands, full)
        return separate(loop.groups, self.flags, pieces)[0]


def along(adjoint: Adjoint, primals: Sequence[Any], dxs: Sequence[Any]) -> Along:
    """The loop of an adjoint along a tangent."""
    loop = adjoint.loop
    flags = tuple(dx is not None and x.dtype.kind in "fc" for dx, x in zip(dxs, primals[loop.n_test :], strict=True))
    together, flags, wanted = loop.pushed(primals, flags)
    return Along(loop, together, loop.joined(primals, dxs, flags), flags, wanted)


def interleave_all(groups: Groups, values: Sequence[Any], further: Sequence[Any], flags: Flags) -> list[Any]:
    """The values of each group, `None` included, then those further ones that have a flag."""
    found, start = [], 0
    for n in groups:
        part = slice(start, start + n)
        found += [*values[part], *chosen(further[part], flags[part])]
        start += n
    return found


def batch_adjoint(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> tuple[Any, ...]:
    """The adjoint of the loop over a batch; every member has its own cotangents of what all share."""
    adjoint = Adjoint.of(params)
    m, loop = adjoint.n_operands, adjoint.loop
    n = next(x.shape[0] for x, flag in zip(xs, is_batched, strict=True) if flag)
    flags = [flag or k >= loop.n_test and adjoint.flags[k - loop.n_test] for k, flag in enumerate(is_batched[:m])]
    primals = [x if has or not flag else spread(x, shape=(n, *x.shape)) for x, has, flag in zip(xs, is_batched, flags, strict=False)]
    found = loop.batched(primals, flags, n)
    final, n_extra = found.final()
    cts = [ct if flag else spread(ct, shape=(n, *ct.shape)) for ct, flag in zip(xs[m:], is_batched[m:], strict=True)]
    full = [None if ct is None else ct if k < loop.n_carry else move_axis(ct, 0, 1) for k, ct in enumerate(adjoint.by_output(cts))]
    extra = (False,) * n_extra
    before = (False,) * (final.n_consts - loop.n_consts)
    asked = (*before, *adjoint.flags[: loop.n_consts], *extra, *adjoint.flags[loop.n_consts :])
    pieces = adjoint_of(final, asked, found.before(found.operands(primals, flags)), [*[None] * n_extra, *full])
    a, b = len(before), len(before) + loop.n_consts
    mine = [*pieces[a:b], *pieces[b + n_extra :]]
    first = loop.n_consts + loop.n_carry
    return tuple(adjoint.in_order([move_axis(ct, 1, 0) if k >= first and ct is not None else ct for k, ct in enumerate(mine)]))


def run_adjoint(*operands: Any, **params: Any) -> tuple[Any, ...]:
    """There and back; see `wengert.transforms.journeys`."""
    adjoint = Adjoint.of(params)
    loop, n = adjoint.loop, adjoint.n_operands
    tests, consts, start, xs = loop.parts(operands[:n])
    n_state = sum(adjoint.wanted[: loop.n_carry])
    totals = [zeros_like(c) for c in chosen(consts, adjoint.flags[: loop.n_consts])]
    parts = {"tests": tests, "consts": consts, "start": start, "xs": xs, "totals": totals,
             "cts": list(operands[n : n + n_state]), "ct_ys": list(operands[n + n_state :])}  # fmt: skip
    test = None if loop.test is None else runner_of(loop.test)
    state, stacks = Journey(runner_of(loop.body), runner_of(params["back"]), test, parts, loop).run()
    entries = chosen(xs, adjoint.flags[loop.n_consts + loop.n_carry :])
    found = stacked(stacks) if stacks else [np.zeros(x.shape, x.dtype) for x in entries]
    return tuple([own(y, operands) for y in [*state, *found]])


# --- the cards ---------------------------------------------------------------------------------------------------------------


def control(name: str, evaluate: Any, readings: Sequence[Any], types: Any, laws: Any) -> Primitive:
    """A primitive that owns inner programs."""
    push_, pull_, batch_ = readings
    primitive = Primitive(
        name, evaluate, family="control", push=push_, pull=pull_, batch=batch_,
        pattern=lambda slot, y, xs, params: unrolled(primitive)(slot, y, xs, params), n_outputs=VARIOUS, laws=laws,
    )  # fmt: skip
    primitive.types = types
    return primitive


def laws_of_scan(make: Any) -> list[Any]:
    """Cases: a state of two parts with constants and results; the last step first; no state; no step; checkpoints."""
    body = parse("""graph(w:float64[2,2], s:float64[2,1], t:float64[], x:float64[2,1]) {
      a:float64[2,1] = matmul w s
      b:float64[2,1] = multiply a x
      c:float64[2,1] = sin b
      p:float64[2,1] = multiply c x
      d:float64[] = sum p {axis=(-2, -1), keepdims=False}
      u:float64[] = add t d
      return c u p
    }""")
    sums = parse("graph(x:float64[3]) {\n y:float64[3] = multiply x x\n return y\n}")
    operands = (make(2, 2), make(2, 1), make(), make(3, 2, 1))
    params = {"body": body, "n_consts": 1, "n_carry": 2, "checkpoint": None, "length": 3, "reverse": False}
    return [
        (operands, params),
        (operands, {**params, "reverse": True, "checkpoint": 2}),
        ((*operands[:3], make(0, 2, 1)), {**params, "length": 0}),
        ((make(2, 3),), {**params, "body": sums, "n_consts": 0, "n_carry": 0, "length": 2}),
    ]


def laws_of_while(make: Any) -> list[Any]:
    """Cases: a number of trips that depends on the state, with constants; no trip."""
    test = parse("graph(n:float64[], s:float64[2], k:float64[]) {\n g:bool[] = less k n\n return g\n}")
    body = parse("""graph(w:float64[2], s:float64[2], k:float64[]) {
      const one:float64[] = 1.0
      a:float64[2] = multiply w s
      b:float64[2] = sin a
      c:float64[] = add k one
      return b c
    }""")
    params = {"body": body, "n_consts": 1, "n_carry": 2, "checkpoint": None, "test": test, "n_test": 1}
    operands = (np.float64(2.3), make(2), make(2), np.float64(0.4))
    return [(operands, params), ((np.float64(0.0), *operands[1:]), params), (operands, {**params, "checkpoint": "recursive"})]


def laws_of_adjoint(make: Any) -> list[Any]:
    """Cases: the adjoints of loops of both kinds."""
    found = []
    for laws in (laws_of_scan(make)[:2], laws_of_while(make)[:1]):
        for operands, params in laws:
            loop = Loop.of(params)
            flags, wanted = closed(loop.body, loop.n_consts, loop.n_carry, (True,) * len(loop.body.inputs))
            types = loop_types(list(map(type_of, operands)), params)
            cts = [make(*t.shape) for t in chosen(types, wanted)]
            back = recomputing(loop.body, loop.inner_types(operands), loop.n_consts, loop.n_carry, flags)[0]
            found.append(((*operands, *cts), {**loop.params(), "back": back, "flags": flags}))
    return found


scan = control("scan", run_scan, (push, pull, batch), loop_types, laws_of_scan)
scan.augment, scan.kept = augment, kept
while_ = control("while", run_while, (push, pull, batch), loop_types, laws_of_while)
while_.kept = kept
loop_adjoint = control("loop_adjoint", run_adjoint, (push_adjoint, pull_adjoint, batch_adjoint), adjoint_types, laws_of_adjoint)
