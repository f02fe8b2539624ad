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
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.core.check import output_types
from wengert.core.primitive import Params
from wengert.core.types import type_of
from wengert.primitives.structure import move_axis, spread
from wengert.transforms.derived_programs import Flags, Reversal, chosen, keeping, separate
from wengert.transforms.journeys import goes_on
from wengert.transforms.linearize import finish, zeros_like
from wengert.transforms.loop import Loop, by_input, control, flags_of, loop_types, own, runner_of
from wengert.transforms.loop_adjoints import adjoint_of
from wengert.transforms.loop_cases import laws_of_scan, laws_of_while

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


# --- the cards ---------------------------------------------------------------------------------------------------------------


scan = control("scan", run_scan, (push, pull, batch), loop_types, laws_of_scan)
scan.augment, scan.kept = augment, kept
while_ = control("while", run_while, (push, pull, batch), loop_types, laws_of_while)
while_.kept = kept
