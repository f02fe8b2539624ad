"""The way back through a loop by way of a stack of its states: `loop_adjoint`.

It goes there once more, keeps the states that a schedule wants, and comes back; what a step needs besides is computed again from
the state before it.  So it has no array whose length depends on values, and is an operation like any other: the adjoint is the
gradient of `⟨ct, y⟩`, and its derivative along `dz` that of `⟨ct, J dz⟩`, the adjoint of the loop with tangents.

Source: A. Griewank and A. Walther, Evaluating Derivatives (SIAM, 2008), chapter 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wengert.core.primitive import Params
from wengert.core.trace import bind
from wengert.core.types import ArrayType, type_of
from wengert.primitives.structure import move_axis, spread
from wengert.transforms.derived_programs import Flags, Groups, chosen, closed, interleave, recomputing, separate
from wengert.transforms.journeys import Journey, stacked
from wengert.transforms.linearize import finish, zeros_like
from wengert.transforms.loop import Loop, by_input, control, flags_of, loop_types, own, runner_of
from wengert.transforms.loop_cases import laws_of_scan, laws_of_while


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


loop_adjoint = control("loop_adjoint", run_adjoint, (push_adjoint, pull_adjoint, batch_adjoint), adjoint_types, laws_of_adjoint)
