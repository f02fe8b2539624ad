"""Long loops for several threads: a nest that is on its own is cut into parts that do not need one another.

::

    for i < 8, j < 4, k < 128, l < 128: ...     ->     for 16 chunks of 256 of 4096 rows:  for k < 256, l < 128: ...

Loops that every access walks as one become one first, so that there are enough rows.  The number of parts follows from the lengths
alone: a total over the rows has the same bits for any number of threads.
"""

from __future__ import annotations

from wengert.compiler.bands import CHUNKS, PARALLEL, Group, banded, work_of
from wengert.compiler.emit.order import order_loops
from wengert.compiler.loops import LoopNest, Place, Program, Reduction, Step
from wengert.compiler.rows import along, stays_in_row

RUN = 1024  # steps of an innermost loop that a part has at least
SUMMED = 2**14  # bytes of totals over the rows of which each part has its own


def share_loops(program: Program) -> Program:
    """See the module."""
    steps: list[Step] = []
    for step in program.steps:
        steps += shared(step) if isinstance(step, LoopNest) and work_of([step]) >= PARALLEL else [step]
    return Program(program.inputs, steps, program.outputs)


def shared(nest: LoopNest) -> list[Step]:
    """The parts of one nest, and what puts its totals together; the nest itself where it cannot be cut."""
    if any(store.adds or store.place.steps for store in nest.stores) or any(op.code == "letter" for op in nest.ops):
        return [nest]
    merged = along(nest, order_loops(nest))
    n = len(merged.space)
    cuts = [k for k in range(n) if can_be_cut(merged, k)]
    parts = {k: min(CHUNKS, merged.space[k] // (RUN if k == n - 1 else 1)) for k in cuts}
    best = max(cuts, key=lambda k: (parts[k], not totals_over(merged, k), -k), default=None)
    if best is None or parts[best] < 2:
        return [nest]
    length = merged.space[best]
    tile = -(-length // parts[best])
    group = Group(length, totals={total.place.buffer for total in totals_over(merged, best)})
    group.steps, group.rows = [merged], [best]
    return banded(group, [], -(-tile // RUN) * RUN if best == n - 1 else tile, is_turned=False)


def totals_over(nest: LoopNest, letter: int) -> list[Reduction]:
    """The totals that every part would have a share of."""
    return [total for total in nest.reductions if letter in total.letters]


def can_be_cut(nest: LoopNest, letter: int) -> bool:
    """Whether parts along a letter write different entries, read no entry that another part writes, and have few totals to put together."""
    written = {place.buffer: place for place in [store.place for store in nest.stores] + [total.place for total in nest.reductions]}
    if not all(tells_apart(store.place, nest, letter) for store in nest.stores):
        return False
    if any(op.place is not None and op.place.buffer in written and op.place != written[op.place.buffer] for op in nest.ops):
        return False
    over = totals_over(nest, letter)
    if sum({total.place.buffer: total.place.buffer.n_bytes for total in over}.values()) > SUMMED:
        return False
    return all(is_apart(total, nest, letter) for total in nest.reductions if total not in over)


def tells_apart(place: Place, nest: LoopNest, letter: int) -> bool:
    """Whether a place moves along a letter, and no two values of all its letters are the same place."""
    steps = sorted((abs(s), n) for s, n in zip(place.strides, nest.space, strict=True) if s)
    reached = 0
    for stride, n in steps:
        if stride <= reached:
            return False
        reached += stride * (n - 1)
    return place.strides[letter] != 0


def is_apart(total: Reduction, nest: LoopNest, letter: int) -> bool:
    """Whether the parts of a total belong to different rows: what a part clears and adds up is its own."""
    trailing = tuple(range(len(nest.space) - len(total.letters), len(nest.space)))
    if tuple(sorted(total.letters)) == trailing:
        return tells_apart(total.place, nest, letter)
    return stays_in_row(total.place.strides, total.place.offset, nest.space, letter, total.place.buffer.size // nest.space[letter]) and tells_apart(total.place, nest, letter)
