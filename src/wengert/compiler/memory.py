"""Where every buffer lies: inputs, outputs and constants by their number, all else in one workspace that is used again and again.

A temporary lives from the step that first writes it to the last that touches it; two whose lives do not meet may share memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wengert.compiler.loops import Buffer, Fill, Program, Step

ALIGNMENT = 64  # bytes: a line of the cache, and the widest vector
MANY = 3000  # temporaries from which on nothing is reused


@dataclass
class Plan:
    """For each buffer the table or memory that it lies in, and its number or offset there."""

    places: dict[Buffer, tuple[str, int]]  # ("inputs" | "outputs" | "constants", number) or ("workspace", offset in bytes)
    constants: list[Buffer] = field(default_factory=list)
    workspace: int = 0  # bytes
    lives: dict[Buffer, tuple[int, int]] = field(default_factory=dict)  # first and last step


def late_fills(steps: list[Step]) -> list[Step]:
    """Each buffer is set to zero just before something is added to it."""
    waiting = {step.buffer: step for step in steps if isinstance(step, Fill)}
    ordered: list[Step] = []
    for step in steps:
        if isinstance(step, Fill):
            continue
        for buffer in step.buffers():
            if buffer in waiting:
                ordered.append(waiting.pop(buffer))
        ordered.append(step)
    return [*ordered, *waiting.values()]


def plan_memory(program: Program) -> Plan:
    """See the module."""
    plan = Plan({})
    for k, buffer in enumerate(program.inputs):
        plan.places[buffer] = ("inputs", k)
    for k, view in enumerate(program.outputs):
        plan.places[view.buffer] = ("outputs", k)
    for number, step in enumerate(program.steps):
        for buffer in step.buffers():
            first, _ = plan.lives.get(buffer, (number, number))
            plan.lives[buffer] = (first, number)
    temporaries = []
    for buffer in plan.lives:
        if buffer in plan.places:
            continue
        if buffer.kind == "constant":
            plan.places[buffer] = ("constants", len(plan.constants))
            plan.constants.append(buffer)
        else:
            temporaries.append(buffer)
    lay_out(plan, temporaries)
    return plan


def rounded(n_bytes: int) -> int:
    """The next multiple of the alignment."""
    return -(-max(n_bytes, 1) // ALIGNMENT) * ALIGNMENT


def lay_out(plan: Plan, temporaries: list[Buffer]) -> None:
    """The largest first, each as far to the front as those that live at the same time allow."""
    placed: list[tuple[int, int, int, int]] = []  # begin, end, first step, last step
    for buffer in sorted(temporaries, key=lambda b: -b.n_bytes):
        first, last = plan.lives[buffer]
        size, offset = rounded(buffer.n_bytes), 0
        if len(temporaries) > MANY:
            offset = plan.workspace
        else:
            for begin, end, born, died in placed:
                if born <= last and first <= died and begin < offset + size and offset < end:
                    offset = end
            placed.append((offset, offset + size, first, last))
            placed.sort()
        plan.places[buffer] = ("workspace", offset)
        plan.workspace = max(plan.workspace, offset + size)
