"""Loops over programs, and choices between them: one function that runs the programs inside.

The state of a loop lies in two places, one that is read and one that is written, which change their parts after every step; a state of a few
numbers is copied from one to the other instead, so that it can stay in registers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from wengert.compiler.emit.text import Text
from wengert.compiler.inner import REGISTERS
from wengert.compiler.loops import Buffer, Control, View, dtype_name
from wengert.compiler.scalar import MEMORY


class ControlWriter(Text):
    """Writes `i32 @name(ptr %b0, ptr %b1, ...)`, with a pointer for each buffer of the step."""

    def __init__(self, step: Control, name: str) -> None:
        self.step, self.name = step, name
        self.pointers = {buffer: f"%b{k}" for k, buffer in enumerate(step.buffers())}
        self.stops: list[str] = []
        super().__init__(f"internal i32 @{name}({', '.join(f'ptr noalias align 8 {p}' for p in self.pointers.values())}) #2")

    def function(self) -> str:
        """The whole function."""
        if self.stops:
            self.begin("stop")
            self.do(f"%status = phi i32 {', '.join(self.stops)}")
            self.do("ret i32 %status")
        return "\n".join([*self.lines, "}"])

    # --- places -----------------------------------------------------------------------------------------------------

    def operand(self, view: View) -> str:
        """Where an operand begins."""
        return self.behind(self.pointers[view.buffer], view.offset * view.buffer.dtype.itemsize)

    def piece(self, *key: object) -> str:
        """Where a part of the scratch memory begins."""
        if key not in self.step.pieces:
            return "null"
        return self.behind(self.pointers[self.step.scratch], self.step.pieces[key])

    def registers(self, buffer: Buffer, name: str) -> str:
        """Room for a few numbers."""
        self.do(f"{name} = alloca [{buffer.size} x {MEMORY[dtype_name(buffer.dtype)]}], align 64")
        return name

    def copy(self, target: str, source: str, n_bytes: int) -> None:
        """Memory is copied."""
        self.do(f"call void @llvm.memcpy.p0.p0.i64(ptr align 8 {target}, ptr align 8 {source}, i64 {n_bytes}, i1 false)")

    # --- programs ---------------------------------------------------------------------------------------------------

    def run(self, key: str, inputs: Sequence[str], outputs: Sequence[str], workspace: str) -> None:
        """A program inside runs; if it stops, so does everything."""
        constants = [self.pointers[buffer] for buffer in self.step.plans[key].constants]
        pointers = ", ".join(f"ptr {p}" for p in [*inputs, *outputs, *constants, workspace])
        status = self.new(f"call i32 @{self.name}.{key}({pointers})")
        fine = self.new(f"icmp eq i32 {status}, 0")
        self.do(f"br i1 {fine}, label %{key}_done, label %stop")
        self.stops.append(f"[{status}, %{self.block}]")
        self.begin(f"{key}_done")


class LoopWriter(ControlWriter):
    """`scan` and `while`."""

    def __init__(self, step: Control, name: str) -> None:
        super().__init__(step, name)
        params = step.params
        self.n_test, self.n_consts, self.n_carry = params.get("n_test", 0), params["n_consts"], params["n_carry"]
        first = self.n_test + self.n_consts
        operands = [self.operand(view) for view in step.operands]
        self.tests, self.consts = operands[: self.n_test], operands[self.n_test : first]
        self.start, self.xs = operands[first : first + self.n_carry], operands[first + self.n_carry :]
        self.x_views = step.operands[first + self.n_carry :]
        self.states, self.stacks = step.results[: self.n_carry], step.results[self.n_carry :]
        self.workspaces = {key: self.piece("workspace", key) for key in step.programs}
        self.is_small = [buffer.size <= REGISTERS for buffer in self.states]
        self.cells = [self.cell(k, buffer) for k, buffer in enumerate(self.states)]

    def cell(self, k: int, buffer: Buffer) -> tuple[str, str]:
        """The two places of a state: the one that is read first, and the other."""
        if self.is_small[k]:
            pair = self.registers(buffer, f"%s{k}"), self.registers(buffer, f"%t{k}")
        else:
            mine, other = self.pointers[buffer], self.piece("state", k)
            pair = (other, mine) if self.step.params.get("length", 0) % 2 else (mine, other)
        self.copy(pair[0], self.start[k], buffer.n_bytes)
        return pair

    def enter(self, label: str) -> tuple[list[str], list[str]]:
        """The head of the loop: the places that are read, and those that are written, at this step."""
        self.do(f"br label %{label}")
        before = self.block
        self.begin(label)
        read, written = [], []
        for k, (first, second) in enumerate(self.cells):
            if self.is_small[k]:
                read.append(first)
                written.append(second)
                continue
            self.do(f"%s{k} = phi ptr [{first}, %{before}], [%t{k}, %next]")
            self.do(f"%t{k} = phi ptr [{second}, %{before}], [%s{k}, %next]")
            read.append(f"%s{k}")
            written.append(f"%t{k}")
        return read, written

    def turn(self, read: list[str], written: list[str]) -> None:
        """What was written is read next."""
        self.do("br label %next")
        self.begin("next")
        for k, buffer in enumerate(self.states):
            if self.is_small[k]:
                self.copy(read[k], written[k], buffer.n_bytes)

    def leave(self, read: list[str], *, is_placed: bool) -> None:
        """The state goes to the results, where it is not there already."""
        for k, buffer in enumerate(self.states):
            if self.is_small[k]:
                self.copy(self.pointers[buffer], read[k], buffer.n_bytes)
            elif not is_placed:  # both places may be the same one
                self.lines.append(
                    f"  call void @llvm.memmove.p0.p0.i64(ptr {self.pointers[buffer]}, ptr {read[k]}, i64 {buffer.n_bytes}, i1 false)"
                )
        self.do("ret i32 0")


def entry_bytes(shape: tuple[int, ...], itemsize: int) -> int:
    """The bytes of one entry of a sequence."""
    return itemsize * math.prod(shape[1:])


def write_scan(step: Control, name: str) -> str:
    """A loop over sequences."""
    writer = LoopWriter(step, name)
    length = step.params["length"]
    read, written = writer.enter("loop")
    writer.do("%k = phi i64 [0, %entry], [%k_next, %next]")
    place = writer.new(f"sub nuw nsw i64 {length - 1}, %k") if step.params["reverse"] else "%k"

    def entry(pointer: str, n_bytes: int) -> str:
        return writer.behind(pointer, writer.new(f"mul nuw nsw i64 {place}, {n_bytes}"))

    xs = [entry(p, entry_bytes(v.shape, v.buffer.dtype.itemsize)) for p, v in zip(writer.xs, writer.x_views, strict=True)]
    ys = [entry(writer.pointers[b], entry_bytes(b.shape, b.dtype.itemsize)) for b in writer.stacks]
    writer.run("body", [*writer.consts, *read, *xs], [*written, *ys], writer.workspaces["body"])
    writer.turn(read, written)
    writer.lines += [
        "  %k_next = add nuw nsw i64 %k, 1",
        f"  %more = icmp slt i64 %k_next, {length}",
        "  br i1 %more, label %loop, label %done",
    ]
    writer.begin("done")
    writer.leave(read, is_placed=True)
    return writer.function()


def write_while(step: Control, name: str) -> str:
    """A loop that a test ends."""
    writer = LoopWriter(step, name)
    writer.do("%answer = alloca i8")
    read, written = writer.enter("loop")
    writer.run("test", [*writer.tests, *read], ["%answer"], writer.workspaces["test"])
    goes = writer.new(f"icmp ne i8 {writer.new('load i8, ptr %answer')}, 0")
    writer.do(f"br i1 {goes}, label %step, label %done")
    writer.begin("step")
    writer.run("body", [*writer.consts, *read], written, writer.workspaces["body"])
    writer.turn(read, written)
    writer.do("br label %loop")
    writer.begin("done")
    writer.leave(read, is_placed=False)
    return writer.function()


def write_cond(step: Control, name: str) -> str:
    """One of two programs."""
    writer = ControlWriter(step, name)
    predicate, *operands = [writer.operand(view) for view in step.operands]
    results = [writer.pointers[buffer] for buffer in step.results]
    holds = writer.new(f"icmp ne i8 {writer.new(f'load i8, ptr {predicate}')}, 0")
    workspaces = {key: writer.piece("workspace", key) for key in step.programs}
    writer.do(f"br i1 {holds}, label %taken, label %other")
    for label, key in (("taken", "true"), ("other", "false")):
        writer.begin(label)
        writer.run(key, operands, results, workspaces[key])
        writer.do("ret i32 0")
    return writer.function()
