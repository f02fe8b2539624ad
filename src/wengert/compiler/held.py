"""What loops hold for the way back, and what they compute again: the account of their memory.

A loop with a length puts what it keeps on stacks, which lie in the memory between steps.  A way back by way of states
(`wengert.compiler.emit.adjoint`) takes memory of its own while it runs: so many records as its schedule keeps at one time.
"""

from __future__ import annotations

from dataclasses import dataclass

from wengert.compiler.emit.adjoint import record_of
from wengert.compiler.loops import Control, Program, all_steps
from wengert.primitives.schedules import account

LOOPS = {"scan": "scan", "while": "while", "loop_adjoint": "way back by states"}


@dataclass(frozen=True)
class LoopAccount:
    """What one loop holds.

    `stacks` are the bytes that it puts out step by step, a part of the memory between steps and of the results; `states` those of the
    states that it holds at one time besides, or for each step where values decide about the number of steps (`n_steps` is `None`).
    `runs` says how often the body runs again on average, from one state to the next, and once more within each step back.
    """

    kind: str
    location: str
    n_steps: int | None
    checkpoint: int | str | None
    stacks: int
    states: int
    runs: float

    @property
    def at_once(self) -> int:
        """The bytes of both, if the number of steps is known; else of one step."""
        return self.stacks + self.states


def loops_of(program: Program) -> list[LoopAccount]:
    """The loops of a program, and those inside of them."""
    return [account_of_loop(step) for step in all_steps(program) if isinstance(step, Control) and step.kind in LOOPS]


def account_of_loop(step: Control) -> LoopAccount:
    """One loop."""
    params = step.params
    n, n_carry = params.get("length"), params["n_carry"]
    if step.kind != "loop_adjoint":
        stacks = sum(buffer.n_bytes for buffer in step.results[n_carry:])
        return LoopAccount(LOOPS[step.kind], step.location, n, None, stacks, 0, 0.0)
    n = n if n is not None and n >= 0 else None
    first = params.get("n_test", 0) + params["n_consts"]
    _, record = record_of([view.buffer for view in step.operands[first : first + n_carry]])
    flags = params["flags"]
    n_moving = sum(flags[: params["n_consts"] + n_carry])
    stacks = sum(buffer.n_bytes for buffer in step.results[n_moving:])
    schedule = params["checkpoint"]
    if n is None:
        return LoopAccount(LOOPS[step.kind], step.location, None, schedule, stacks, record, 2.0 if schedule in (None, 1) else 3.0)
    kept, ahead = account(n, schedule)
    return LoopAccount(LOOPS[step.kind], step.location, n, schedule, stacks, kept * record, ahead / n + 1)
