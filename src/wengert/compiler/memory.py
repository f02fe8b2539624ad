"""Where every buffer lies: inputs, outputs and constants by their number, all else in one workspace that is used again and again.

A temporary lives from the step that first writes it to the last that touches it; two whose lives do not meet may share memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wengert.compiler.loops import Band, Buffer, Fill, MatrixProduct, Program, Step
from wengert.compiler.rows import row_of

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
    """All temporaries in the workspace."""
    offsets, plan.workspace = overlaid([(buffer.n_bytes, *plan.lives[buffer]) for buffer in temporaries])
    for buffer, offset in zip(temporaries, offsets, strict=True):
        plan.places[buffer] = ("workspace", offset)


def overlaid(blocks: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """Where blocks of so many bytes lie that live from one step to another, and the memory that they take together.

    The largest first, each as far to the front as those that live at the same time allow.
    """
    offsets, total = [0] * len(blocks), 0
    placed: list[tuple[int, int, int, int]] = []  # begin, end, first step, last step
    for k in sorted(range(len(blocks)), key=lambda k: -blocks[k][0]):
        n_bytes, first, last = blocks[k]
        size, offset = rounded(n_bytes), 0
        if len(blocks) > MANY:
            offset = total
        else:
            for begin, end, born, died in placed:
                if born <= last and first <= died and begin < offset + size and offset < end:
                    offset = end
            placed.append((offset, offset + size, first, last))
            placed.sort()
        offsets[k] = offset
        total = max(total, offset + size)
    return offsets, total


def lives_in(steps: Sequence[Any], buffers: Iterable[Buffer]) -> dict[Buffer, tuple[int, int]]:
    """The first and the last of some steps that touch each buffer."""
    lives: dict[Buffer, tuple[int, int]] = dict.fromkeys(buffers, (len(steps), -1))
    for number, step in enumerate(steps):
        for buffer in step.buffers():
            if buffer in lives:
                lives[buffer] = (min(lives[buffer][0], number), number)
    return lives


@dataclass
class InHand:
    """The memory of a band's own: where the rows in hand of each inner buffer lie, and how many bytes there are.

    Behind the rows there is room for one product that is added up, where a product has no way to add to what is there.
    """

    places: dict[Buffer, int]
    rows: int
    n_bytes: int


def rows_in_hand(band: Band) -> InHand:
    """Buffers that are not needed at the same time share memory."""
    lives = lives_in(band.steps, band.inner)
    blocks = [(row_of(buffer, band.n_rows) * band.tile * buffer.dtype.itemsize, *lives[buffer]) for buffer in band.inner]
    offsets, rows = overlaid(blocks)
    pairs = zip(band.steps, band.rows, strict=True)
    summed = [step.result.n_bytes for step, letter in pairs if isinstance(step, MatrixProduct) and letter == "k" and not band.is_turned]
    return InHand(dict(zip(band.inner, offsets, strict=True)), rows, max(ALIGNMENT, rows + max(summed, default=0)))
