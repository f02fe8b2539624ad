"""Cutting long bodies, so that the time to compile a program grows with its length and not faster.

A nest of many ops becomes several that run one after the other over the same space; what one computes and a later one needs goes
through a scratch array.  Loads and numbers are written again where they are needed.
"""

from __future__ import annotations

from wengert.compiler.loops import Buffer, LoopNest, Op, Place, Program, Reduction, Step, Store, contiguous, dtype_name

LONGEST = 400  # ops in one body of straight-line code, and in each part of a loop: LLVM makes vectors of no more that go through memory
LONGEST_LOOP = 1500  # in a loop that is not cut, as a scratch array is as long as the loop


def is_free(op: Op) -> bool:
    """Whether an op is as well written again as kept."""
    return op.code == "number" or (op.code == "load" and not op.operands)


class Splitter:
    """Cuts one nest."""

    def __init__(self, nest: LoopNest, longest: int) -> None:
        self.nest = nest
        real = [k for k, op in enumerate(nest.ops) if not is_free(op)]
        self.part_of = {op: number // longest for number, op in enumerate(real)}
        self.n_parts = -(-len(real) // longest)
        self.slots: dict[int, Place] = {}
        self.scratch: dict[str, Buffer] = {}
        self.n_slots: dict[str, int] = {}

    def parts(self) -> list[LoopNest]:
        """The nests that take the place of this one."""
        self.find_slots()
        parts = [LoopNest(self.nest.space, self.nest.level) for _ in range(self.n_parts)]
        places: list[dict[int, int]] = [{} for _ in parts]
        for number, op in enumerate(self.nest.ops):
            if number not in self.part_of:  # free
                continue
            k = self.part_of[number]
            known = places[k]
            operands = tuple([known[p] if p in known else self.place(parts[k], known, p, k) for p in op.operands])
            places[k][number] = len(parts[k].ops)
            parts[k].ops.append(Op(op.code, operands, op.dtype, op.place, op.literal))
            if number in self.slots:
                parts[k].stores.append(Store(places[k][number], self.slots[number]))
        for store in self.nest.stores:
            k = max(self.home(store.op), *[self.home(g) for g in store.gathers], 0)
            gathers = tuple([self.place(parts[k], places[k], g, k) for g in store.gathers])
            parts[k].stores.append(Store(self.place(parts[k], places[k], store.op, k), store.place, gathers, store.adds))
        for total in self.nest.reductions:
            k = self.home(total.op)
            op_place = self.place(parts[k], places[k], total.op, k)
            parts[k].reductions.append(Reduction(op_place, total.letters, total.place, total.combine))
        return parts

    def home(self, number: int) -> int:
        """The part that an op belongs to; free ones to the last."""
        return self.part_of.get(number, self.n_parts - 1)

    def find_slots(self) -> None:
        """A place in scratch memory for each value that a later part needs."""
        needed: dict[int, None] = {}
        for number, k in self.part_of.items():
            for p in self.nest.ops[number].operands:
                if self.part_of.get(p, k) < k:
                    needed[p] = None
        for store in self.nest.stores:
            k = max(map(self.home, (store.op, *store.gathers)))
            needed.update(dict.fromkeys(p for p in (store.op, *store.gathers) if self.part_of.get(p, k) < k))
        strides = contiguous(self.nest.space)
        for number in sorted(needed):
            dtype = self.nest.ops[number].dtype
            slot = self.n_slots[dtype_name(dtype)] = self.n_slots.get(dtype_name(dtype), -1) + 1
            buffer = self.scratch.setdefault(dtype_name(dtype), Buffer((), dtype, "temporary"))
            self.slots[number] = Place(buffer, strides, slot)
        for name, buffer in self.scratch.items():
            buffer.shape = (self.n_slots[name] + 1, *self.nest.space)
        size = 1
        for n in self.nest.space:
            size *= n
        self.slots = {k: Place(p.buffer, p.strides, p.offset * size) for k, p in self.slots.items()}

    def place(self, part: LoopNest, places: dict[int, int], number: int, k: int) -> int:
        """Where an op is in part `k`: computed there, written again, or loaded from scratch."""
        if number not in places:
            op = self.nest.ops[number]
            if not is_free(op):
                slot = self.slots[number]
                op = Op("load", (), op.dtype, slot)
            places[number] = len(part.ops)
            part.ops.append(op)
        return places[number]


def split(program: Program) -> Program:
    """No body is longer than a bound; see the module."""
    steps: list[Step] = []
    for step in program.steps:
        if isinstance(step, LoopNest):
            longest = LONGEST_LOOP if any(n > 1 for n in step.space) else LONGEST
            if sum(not is_free(op) for op in step.ops) > longest:
                steps += Splitter(step, LONGEST).parts()
                continue
        steps.append(step)
    return Program(program.inputs, steps, program.outputs)
