"""Rows in hand: steps that walk the same rows, taken together a few rows at a time.

::

    for i < 10000, j < 200:  e[i, j] = exp(x[i, j])            for each tile of 64 rows:
    for i < 10000:           s[i] = sum of e[i, j] over j  ->      for i < 64, j < 200:  e[i, j] = exp(x[t + i, j])
    for i < 10000, j < 200:  y[i, j] = e[i, j] / s[i]              for i < 64:           s[i] = sum of e[i, j] over j
                                                                   for i < 64, j < 200:  y[t + i, j] = e[i, j] / s[i]

What the steps hand to one another stays in the cache, and takes the memory of one tile.  Totals over all rows are taken for each of a
fixed number of chunks, and put together afterwards in their order, so that they do not depend on who ran which.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from operator import mul

from wengert.compiler.lanes import is_better_turned, turned
from wengert.compiler.loops import (
    Band,
    Buffer,
    LoopNest,
    MatrixProduct,
    Op,
    Place,
    Program,
    Reduction,
    Step,
    View,
)
from wengert.compiler.memory import lives_in, overlaid
from wengert.compiler.rows import row_of, rows_in

LEAST = 2**16  # bytes handed on from which on a band pays
AGAIN = 2**19  # or bytes that are read again
IN_HAND = 2**17  # bytes of rows in hand
LONGEST = 2**19  # bytes of a single row that stay in the cache
FEWEST, MOST = 32, 4096  # rows of a tile
FEW = 16  # rows of a band without products, whose rows may be long
SUMMED = 64  # the fewest where products are summed over rows
PARTS = 4  # tiles of a turned band at least, where there are enough rows
BLOCK = 1024  # and the most of a turned band: what totals add up at once
CHUNKS = 16  # parts that threads may share
SMALL, MANY_CHUNKS = 2**15, 128  # bytes of totals up to which there are more, as they are added up more exactly
PARALLEL = 30_000  # scalar instructions of vector loops from which on threads pay
SMALLEST = 2**12  # entries of a nest whose rows may be a band's
IN_LANES, LANES = 2**20, 64  # bytes of rows in hand of a turned band, and of how many rows at least


@dataclass
class Group:
    """A band being collected."""

    n: int
    given: list[Step] = field(default_factory=list)
    steps: list[LoopNest | MatrixProduct] = field(default_factory=list)  # the same, with letters for the rows
    rows: list[int | str] = field(default_factory=list)
    written: set[Buffer] = field(default_factory=set)  # row by row
    totals: set[Buffer] = field(default_factory=set)  # over all rows
    whole: set[Buffer] = field(default_factory=set)  # read, and not written before

    def take(self, given: Step, step: LoopNest | MatrixProduct, rows: int | str) -> None:
        """One step more."""
        self.given.append(given)
        self.steps.append(step)
        self.rows.append(rows)
        self.whole.update(buffer for buffer in step.reads() if buffer not in self.written)
        if isinstance(step, MatrixProduct):
            (self.totals if rows == "k" else self.written).add(step.result)
            return
        self.written.update(store.place.buffer for store in step.stores)
        for total in step.reductions:
            (self.totals if rows in total.letters else self.written).add(total.place.buffer)


class Sweep:
    """Walks the steps and collects bands of `n` rows that hand something on; without `n`, bands for threads of as many rows as there are."""

    def __init__(self, steps: Sequence[Step], n: int | None = None) -> None:
        self.n = n
        self.steps: list[Step] = []
        self.gain = 0  # bytes that need not go through memory
        self.group: Group | None = None
        self.touched = Counter(buffer for step in steps for buffer in step.buffers())
        waiting = list(steps)
        while waiting:
            waiting = self.round(waiting)
            self.close()

    def round(self, waiting: list[Step]) -> list[Step]:
        """One band and what comes before it; the steps that come after it."""
        later: list[Step] = []
        written: set[Buffer] = set()  # by steps that come after the band
        read: set[Buffer] = set()
        for step in waiting:
            writes, needed = step.writes(), {*step.reads(), *step.updates(), *step.writes()}
            waits = not needed.isdisjoint(written) or not read.isdisjoint(writes)
            if waits or not self.place(step, needed, writes):
                later.append(step)
                written.update(writes)
                read.update(needed)
        return later

    def place(self, step: Step, needed: set[Buffer], writes: list[Buffer]) -> bool:
        """A step joins the band, goes before it, or begins one; false if it has to wait until the band is done."""
        group = self.group
        if group is None:
            self.begin(step)
            return True
        is_free = group.whole.isdisjoint(writes)
        found = fitted(step, group) if is_free and group.totals.isdisjoint(needed) else None
        if found is not None:
            group.take(step, *found)
            return True
        if not is_free or not (group.written | group.totals).isdisjoint(needed):
            return False
        self.steps.append(step)
        return True

    def begin(self, step: Step) -> None:
        """A step with many rows begins a band; any other is on its own."""
        n = self.n or most_rows(step)
        group = Group(n)
        found = fitted(step, group)
        if found is None:
            self.steps.append(step)
            return
        self.group = group
        group.take(step, *found)

    def close(self) -> None:
        """The band is complete."""
        group, self.group = self.group, None
        if group is None:
            return
        inner = self.handed_on(group)
        saved = sum(buffer.n_bytes for buffer in inner)
        again = read_again(group)
        if self.n is not None:
            group = shorter(group) if tile_of(group, inner, is_turned=False) < FEWEST else group
            is_turned = is_better_turned(group.steps, group.rows, group.n, inner)
            tile = tile_of(group, inner, is_turned)
            pays = (saved >= LEAST or again >= AGAIN) and row_bytes(group, inner) <= LONGEST
        else:
            inner, is_turned, tile = [], False, -(-group.n // (CHUNKS * 1024)) * 1024
            pays = work_of(group.steps) >= PARALLEL
        if not pays or tile >= group.n:
            self.steps += group.given
            return
        self.gain += saved + again
        self.steps += banded(group, inner, tile, is_turned)

    def handed_on(self, group: Group) -> list[Buffer]:
        """What nobody outside of the band reads or writes."""
        inside = Counter(buffer for step in group.steps for buffer in step.buffers())
        return [b for b in inside if b in group.written and b.kind == "temporary" and self.touched[b] == inside[b]]


def fitted(step: Step, group: Group) -> tuple[LoopNest | MatrixProduct, int | str] | None:
    """A step as the group would take it, and what its rows are."""
    if group.n < (FEW if isinstance(step, LoopNest) else 2 * FEWEST):
        return None
    return rows_in(step, group.n, group.written)


def most_rows(step: Step) -> int:
    """How many rows a step has that begins a band for threads."""
    if isinstance(step, LoopNest) and step.space:
        return step.space[0]
    return step.left.shape[-2] if isinstance(step, MatrixProduct) and step.is_matrix else 0


def lengths_of(step: Step) -> Iterator[int]:
    """How many rows a step may have."""
    if isinstance(step, LoopNest):
        if math.prod(step.space) >= SMALLEST:
            yield from step.space
            yield from {n for buffer in step.writes() for n in accumulate(buffer.shape[:-1], mul)}
    elif isinstance(step, MatrixProduct) and step.is_matrix:
        yield from step.left.shape[-2:]


def work_of(steps: Sequence[LoopNest | MatrixProduct]) -> float:
    """About how long steps take, in the time of one scalar instruction of a vector loop."""
    total = 0.0
    for step in steps:
        if isinstance(step, LoopNest):
            total += sum(instructions(op) for op in step.ops) * math.prod(step.space) / 8
        else:
            total += step.work / 16
    return total


def instructions(op: Op) -> int:
    """About how many instructions an op takes."""
    return 1 if op.place is not None or "(" not in op.code else 15


def read_again(group: Group) -> int:
    """The bytes of rows that are in the cache when a step reads them, as another step has had them."""
    found, met = 0, set(group.totals)
    for step in group.steps:
        for buffer in step.buffers():
            if row_of(buffer, group.n):
                found += buffer.n_bytes if buffer in met else 0
                met.add(buffer)
    return found


def row_bytes(group: Group, inner: list[Buffer]) -> int:
    """The bytes of a row of everything that the steps touch."""
    touched = {b for step in group.steps for b in step.buffers() if row_of(b, group.n)}
    return sum(b.n_bytes // group.n for b in touched | set(inner))


def shorter(group: Group) -> Group:
    """The same steps with the shortest rows that all of them can take."""
    shapes = {buffer.shape for buffer in group.written}
    lengths = {n for shape in shapes for n in accumulate(shape, mul) if n > group.n and n % group.n == 0}
    for n in sorted(lengths, reverse=True):
        other = Group(n)
        for step in group.given:
            found = fitted(step, other)
            if found is None or not other.whole.isdisjoint(step.writes()) or not other.totals.isdisjoint(step.reads()):
                break
            other.take(step, *found)
        else:
            return other
    return group


def tile_of(group: Group, inner: list[Buffer], is_turned: bool) -> int:
    """How many rows are in hand: as many as stay in the cache."""
    if is_turned:
        lives = lives_in(group.steps, inner)
        _, some = overlaid([(b.n_bytes // group.n * LANES, *lives[b]) for b in inner])
        return max(1, min(BLOCK // LANES, IN_LANES // max(some, 1), group.n // PARTS // LANES)) * LANES
    fit = IN_HAND // max(row_bytes(group, inner), 1)
    if all(isinstance(step, LoopNest) for step in group.steps):  # long rows are worth a loop of their own
        return max(1, fit) if fit < FEWEST else min(MOST, fit // 16 * 16)
    return max(SUMMED if "k" in group.rows else FEWEST, min(MOST, fit // 16 * 16))


def banded(group: Group, inner: list[Buffer], tile: int, is_turned: bool) -> list[Step]:
    """A band, and the steps that put its totals together."""
    level = min(step.level for step in group.steps)
    summed = sum(b.n_bytes for b in group.totals)
    chunk = -(-group.n // (tile * (CHUNKS if summed > SMALL else MANY_CHUNKS)))
    band = Band([], group.rows, group.n, tile, sorted(inner, key=lambda b: -b.n_bytes), {}, level, chunk)
    after: list[Step] = []
    slots: dict[Buffer, Buffer] = {}
    combines: dict[Buffer, str] = {}
    for step, rows in zip(group.steps, group.rows, strict=True):
        if isinstance(step, MatrixProduct):
            if rows == "k":
                slot = slots.setdefault(step.result, Buffer(step.result.shape, step.result.dtype, "temporary"))
                combines[step.result] = "sum"
                into = View(slot, step.into.shape, step.into.strides, step.into.offset)
                step = replace(step, result=slot, into=into)
            band.steps.append(step)
            continue
        totals = []
        for total in step.reductions:
            if rows in total.letters:
                buffer = total.place.buffer
                slot = slots.setdefault(buffer, Buffer(buffer.shape, buffer.dtype, "temporary"))
                combines[buffer] = total.combine
                total = replace(total, place=replace(total.place, buffer=slot))
            totals.append(total)
        band.steps.append(LoopNest(step.space, step.level, step.ops, step.stores, totals))
    for buffer, slot in slots.items():
        tiles = Buffer((band.n_chunks, buffer.size), buffer.dtype, "temporary")
        band.slots[slot] = tiles
        after.append(put_together(tiles, buffer, combines[buffer], level + 1))
    return [turned(band) if is_turned else band, *after]


def put_together(tiles: Buffer, total: Buffer, combine: str, level: int) -> LoopNest:
    """`total[j] = sum of tiles[t, j] over t`."""
    nest = LoopNest((total.size, tiles.shape[0]), level)
    nest.ops.append(Op("load", (), tiles.dtype, Place(tiles, (1, total.size))))
    nest.reductions.append(Reduction(0, (1,), Place(total, (1, 0)), combine))
    return nest


def group_rows(program: Program) -> Program:
    """The rows of which most would go through memory come first; see the module."""
    steps = program.steps
    lengths = {n for step in steps for n in lengths_of(step) if n >= FEW}
    gains = {n: Sweep(steps, n).gain for n in lengths}
    for n in sorted(lengths, key=lambda n: (-gains[n], -n)):
        if gains[n]:
            steps = Sweep(steps, n).steps
    return Program(program.inputs, Sweep(steps).steps, program.outputs)
