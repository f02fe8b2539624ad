"""Rows in the lanes of vectors: in a band that is turned, the rows in hand are neighbours, entry by entry of a row.

::

    rows first:  e[i, j, c] at (i * 25 + j) * 10 + c            turned, 64 rows in hand:  at (j * 10 + c) * 64 + i

Where short axes are unrolled, a loop over `j` jumps from entry to entry; turned, every step walks the rows one by one, and whatever the
lengths of the other axes are, vectors are full.  What comes from outside is copied first, and what depends on the row alone is taken
before the loops over its entries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wengert.compiler.loops import Band, Buffer, LoopNest, MatrixProduct, Op, Place, Store, View
from wengert.compiler.rows import place_fits, row_of, view_fits

ACROSS = 4  # entries in hand for each one that is copied
SUMMED = 512  # terms along a row that are added up one after the other

FEW = 4  # entries of a row, or instructions, for which nothing is taken beforehand

Part = LoopNest | MatrixProduct


def is_better_turned(steps: Sequence[Part], rows: Sequence[int | str], n: int, inner: Sequence[Buffer]) -> bool:
    """Whether the steps of a band can be turned, and what is copied for it is little beside what is in hand."""
    inside = set(inner)
    ours = {b for step in steps for b in step.writes()} - inside  # written here, and wanted elsewhere: there is nothing to copy before
    if any(not ours.isdisjoint(step.reads()) for step in steps if isinstance(step, MatrixProduct)):
        return False
    if not all(can_turn(step, row, n, inside) for step, row in zip(steps, rows, strict=True)):
        return False
    outer = {b for step in steps for b in step.buffers() if b not in inside and row_of(b, n) > 1}
    return ACROSS * sum(row_of(b, n) for b in outer) <= sum(row_of(b, n) for b in inside)


def can_turn(step: Part, row: int | str, n: int, inside: set[Buffer]) -> bool:
    """Whether one step can run with its rows in lanes."""
    if isinstance(step, LoopNest):
        assert isinstance(row, int)
        lengths = [math.prod(step.space[k] for k in total.letters) for total in step.reductions if row not in total.letters]
        return max(lengths, default=0) <= SUMMED
    if row == "m":
        return step.result in inside and view_fits(step.left, -2, n)
    return view_fits(step.left, -1, n) and view_fits(step.right, -2, n)


class Turner:
    """Turns one band."""

    def __init__(self, band: Band) -> None:
        self.band, self.n, self.tile = band, band.n_rows, band.tile
        self.inner = set(band.inner)
        self.written = {buffer for step in band.steps for buffer in step.writes()}
        self.copies: dict[Buffer, Buffer] = {}
        self.before: dict[Any, Buffer] = {}  # what depends on the row alone
        self.steps: list[Part] = []
        self.rows: list[int | str] = []

    def run(self) -> Band:
        """The band with its rows in lanes."""
        for step, row in zip(self.band.steps, self.band.rows, strict=True):
            self.add(self.step(step, row), row)
        copies = [self.copy(outer, inner) for outer, inner in self.copies.items()]
        return replace(
            self.band, steps=[*copies, *self.steps], rows=[*[0 for _ in copies], *self.rows], is_turned=True,
            inner=[*self.band.inner, *self.copies.values(), *self.before.values()],
        )  # fmt: skip

    def add(self, step: Part, row: int | str) -> None:
        """One step more, and before it what it can do without."""
        if isinstance(step, LoopNest) and isinstance(row, int) and math.prod(step.space) >= FEW * self.n:
            outside = Outside(step, row)
            for number in outside.found():
                key, dtype = outside.key(number), step.ops[number].dtype
                if key not in self.before:
                    self.before[key] = Buffer((self.n,), dtype, "temporary")
                    self.steps.append(outside.taken(number, self.before[key]))
                    self.rows.append(0)
                place = Place(self.before[key], tuple([int(k == row) for k in range(len(step.space))]))
                step.ops[number] = Op("load", (), dtype, place)
        self.steps.append(step)
        self.rows.append(row)

    def copy(self, outer: Buffer, inner: Buffer) -> LoopNest:
        """The rows in hand of what comes from outside."""
        row = row_of(outer, self.n)
        nest = LoopNest((self.n, row), self.band.level)
        nest.ops.append(Op("load", (), outer.dtype, Place(outer, (row, 1))))
        nest.stores.append(Store(0, Place(inner, (1, self.tile))))
        return nest

    def buffer(self, buffer: Buffer) -> Buffer:
        """The buffer in hand that is read instead of one."""
        if buffer in self.inner:
            return buffer
        if buffer not in self.copies:
            self.copies[buffer] = Buffer(buffer.shape, buffer.dtype, "temporary")
        return self.copies[buffer]

    def step(self, step: Part, row: int | str) -> Part:
        """A step that counts along rows."""
        if isinstance(step, LoopNest):
            assert isinstance(row, int)
            ops = [op if op.place is None else Op(op.code, op.operands, op.dtype, self.read(op.place, step, row), op.literal) for op in step.ops]
            stores = [Store(s.op, self.place(s.place, row), s.gathers, s.adds) for s in step.stores]
            totals = [replace(total, place=self.place(total.place, row)) for total in step.reductions]
            return LoopNest(step.space, step.level, ops, stores, totals)
        if row == "m":
            return replace(step, left=self.view(step.left, -2), into=self.view(step.into, -2))
        return replace(step, left=self.view(step.left, -1), right=self.view(step.right, -2))

    def read(self, place: Place, nest: LoopNest, row: int) -> Place:
        """Where a load finds what it reads."""
        is_given = place.buffer not in self.inner and place.buffer not in self.written
        if is_given and row_of(place.buffer, self.n) > 1 and place_fits(place, nest.space, row, self.n):
            return self.turned(replace(place, buffer=self.buffer(place.buffer)), row)
        return self.place(place, row)

    def place(self, place: Place, row: int) -> Place:
        """A place; in hand, it is a turned one."""
        return self.turned(place, row) if place.buffer in self.inner else place

    def turned(self, place: Place, row: int) -> Place:
        """The place of the same entry in the turned buffer."""
        strides = tuple([1 if k == row else s * self.tile for k, s in enumerate(place.strides)])
        return replace(place, strides=strides, offset=place.offset * self.tile)

    def view(self, view: View, axis: int) -> View:
        """The same of a matrix, whose rows are that axis."""
        axis += len(view.shape)
        strides = tuple([1 if k == axis else s * self.tile for k, s in enumerate(view.strides)])
        return View(self.buffer(view.buffer), view.shape, strides, view.offset * self.tile)


class Outside:
    """The ops of a nest that depend on its row alone."""

    def __init__(self, nest: LoopNest, row: int) -> None:
        self.nest, self.row = nest, row
        self.alone: list[bool] = []
        self.keys: dict[int, Any] = {}
        for op in nest.ops:
            strides = op.place.strides if op.place is not None else ()
            within = any(s and n > 1 for k, (s, n) in enumerate(zip(strides, nest.space, strict=bool(strides))) if k != row)
            self.alone.append(not within and op.code != "letter" and all(self.alone[p] for p in op.operands))

    def found(self) -> list[int]:
        """Those that are worth taking before, and that others need."""
        needed = {store.op for store in self.nest.stores} | {total.op for total in self.nest.reductions}
        for number, op in enumerate(self.nest.ops):
            if not self.alone[number]:
                needed.update(op.operands)
        return [number for number in sorted(needed) if self.alone[number] and self.is_costly(number)]

    def cone(self, number: int) -> list[int]:
        """All that an op is made of, in order, itself the last."""
        found, waiting = set(), [number]
        while waiting:
            now = waiting.pop()
            if now not in found:
                found.add(now)
                waiting += self.nest.ops[now].operands
        return sorted(found)

    def is_costly(self, number: int) -> bool:
        """Whether an op depends on the row at all, and takes longer than a load."""
        ops = [self.nest.ops[k] for k in self.cone(number)]
        if not any(op.place is not None and (op.place.strides[self.row] or op.place.steps) for op in ops):
            return False
        real = [op.code for op in ops if op.code not in ("load", "number")]
        return len(real) >= FEW or any("/" in code or "(" in code for code in real)

    def key(self, number: int) -> Any:
        """Equal for ops that compute the same."""
        if number not in self.keys:
            op = self.nest.ops[number]
            place = op.place and (op.place.buffer, op.place.strides[self.row], op.place.offset, op.place.steps)
            self.keys[number] = (op.code, tuple([self.key(p) for p in op.operands]), op.dtype, place, repr(op.literal))
        return self.keys[number]

    def taken(self, number: int, into: Buffer) -> LoopNest:
        """The loop over rows that takes an op."""
        cone = self.cone(number)
        nest = LoopNest((self.nest.space[self.row],), self.nest.level)
        for k in cone:
            op = self.nest.ops[k]
            place = op.place and replace(op.place, strides=(op.place.strides[self.row],))
            nest.ops.append(Op(op.code, tuple([cone.index(p) for p in op.operands]), op.dtype, place, op.literal))
        nest.stores.append(Store(len(cone) - 1, Place(into, (1,))))
        return nest


def turned(band: Band) -> Band:
    """See the module."""
    return Turner(band).run()
