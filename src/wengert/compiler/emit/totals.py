"""Totals of a nest: sums, products and extremes along some of its loops.

Along the innermost loops a total is kept in a register, over blocks of `BLOCK` terms, and the blocks are added with compensation
(A. Neumaier, ZAMM 54 (1974)), which is more accurate than adding by pairs.  Only inside a block may the order of additions change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.compiler.loops import Reduction, dtype_name
from wengert.compiler.scalar import FLOATS, LLVM, MEMORY, literal

BLOCK = 1024
STEP = 64  # terms that one step of a vector loop takes, at most: four vectors of 16 numbers


class Total:
    """One reduction of a nest, while it is being written."""

    def __init__(self, writer: Any, number: int, reduction: Reduction, loops: tuple[int, ...], n: int) -> None:
        self.writer, self.number, self.reduction = writer, number, reduction
        self.dtype = dtype_name(reduction.place.buffer.dtype)
        self.kind = LLVM[self.dtype]
        trailing = 0
        while trailing < n and n - 1 - trailing in loops:
            trailing += 1
        self.is_running = trailing > 0
        self.depth = n - trailing
        self.is_of_rows = writer.rows is not None and writer.rows in reduction.letters
        self.is_whole = trailing == len(loops) and not self.is_of_rows  # the register has it all; otherwise it is added to memory
        self.is_exact = reduction.combine == "sum" and self.dtype in FLOATS  # sums of floats are compensated
        self.is_single = trailing == 1 and writer.longest(n - 1) <= BLOCK  # nothing but one run
        self.value = ""
        self.earlier = ""  # of a run before

    @property
    def start_value(self) -> str:
        """What changes nothing."""
        dtype = np.dtype(self.dtype)
        if self.reduction.combine == "sum":
            return literal(-0.0 if dtype.kind == "f" else 0, self.dtype)
        if self.reduction.combine == "prod":
            return literal(1, self.dtype)
        sign = -1 if self.reduction.combine == "max" else 1
        if dtype.kind == "f":
            return literal(sign * np.inf, self.dtype)
        if dtype.kind == "b":
            return literal(sign > 0, self.dtype)
        limits = np.iinfo(dtype)
        return literal(limits.min if sign < 0 else limits.max, self.dtype)

    def joined(self, a: str, b: str, order: str = "") -> str:
        """Two totals as one."""
        new, combine, kind = self.writer.scalars.new, self.reduction.combine, self.kind
        if combine == "sum":
            return str(new(f"fadd{order} {kind} {a}, {b}" if self.dtype in FLOATS else f"add {kind} {a}, {b}"))
        if combine == "prod":
            return str(new(f"fmul{order} {kind} {a}, {b}" if self.dtype in FLOATS else f"mul {kind} {a}, {b}"))
        if self.dtype in FLOATS:
            suffix = "f64" if self.dtype == "float64" else "f32"
            return str(new(f"call {kind} @llvm.{combine}imum.{suffix}({kind} {a}, {kind} {b})"))
        word = {"max": "gt", "min": "lt"}[combine]
        sign = "s" if np.dtype(self.dtype).kind == "i" else "u"
        return str(new(f"select i1 {new(f'icmp {sign}{word} {kind} {a}, {b}')}, {kind} {a}, {kind} {b}"))

    # --- before and after the loops -----------------------------------------------------------------------------------

    def declare(self) -> None:
        """Room for the total of all blocks, and for what its roundings lost."""
        if self.is_running and not self.is_single:
            self.writer.lines += [f"  %s{self.number} = alloca {self.kind}", f"  %c{self.number} = alloca {self.kind}"]

    def clear(self) -> None:
        """A total in memory starts from nothing."""
        if self.is_whole:
            return
        writer, buffer = self.writer, self.reduction.place.buffer
        start, stop = "0", str(buffer.size)
        label = writer.fresh("clear")
        if self.is_of_rows:  # by the first tile of a chunk
            writer.lines += [f"  br i1 %first, label %{label}, label %{label}_done", f"{label}:"]
            writer.block = label
        elif writer.rows is not None:
            start, stop = self.rows_in_hand()
        letter, loop = writer.open_loop(start)
        kind = MEMORY[self.dtype]
        address = writer.scalars.new(f"getelementptr inbounds {kind}, ptr {writer.pointers[buffer]}, i64 {letter}")
        writer.write(self.start_value, self.dtype, address)
        writer.close_loop(letter, stop, loop)
        if self.is_of_rows:
            writer.lines += [f"  br label %{label}_done", f"{label}_done:"]
            writer.block = f"{label}_done"

    def rows_in_hand(self) -> tuple[str, str]:
        """The entries of a total that belong to the rows of a range."""
        writer, new = self.writer, self.writer.scalars.new
        stride = self.reduction.place.strides[writer.rows]
        row = self.reduction.place.buffer.size // writer.nest.space[writer.rows]
        if stride == row:
            return new(f"mul nuw nsw i64 %start, {row}"), new(f"mul nuw nsw i64 %stop, {row}")
        return "%start", new(f"add nuw nsw i64 %start, {row * writer.lanes}")  # turned

    def start(self) -> None:
        """Before the loops along which the total runs."""
        self.earlier = ""
        if self.is_running and not self.is_single:
            for place in (f"%s{self.number}", f"%c{self.number}"):
                self.writer.lines.append(f"  store {self.kind} {self.start_value}, ptr {place}")

    def finish(self) -> None:
        """After them: the total goes to memory."""
        if not self.is_running:
            return
        if self.is_single:
            self.to_memory(self.value)
            return
        new = self.writer.scalars.new
        value = new(f"load {self.kind}, ptr %s{self.number}")
        if self.is_exact:
            lost = new(f"load {self.kind}, ptr %c{self.number}")
            corrected = new(f"fadd {self.kind} {value}, {lost}")
            none = new(f"fcmp oeq {self.kind} {lost}, {literal(0, self.dtype)}")
            broken = new(f"fcmp uno {self.kind} {corrected}, {corrected}")  # the rounding error of infinity means nothing
            value = new(f"select i1 {new(f'or i1 {none}, {broken}')}, {self.kind} {value}, {self.kind} {corrected}")
        self.to_memory(value)

    def to_memory(self, value: str) -> None:
        """Store a whole total, or add a part of it to what is there."""
        writer = self.writer
        address = writer.address(self.reduction.place)
        if not self.is_whole:
            value = self.joined(writer.read(self.dtype, address), value)
        writer.write(value, self.dtype, address)

    # --- in the innermost loop ----------------------------------------------------------------------------------------

    def enter(self, before: str, label: str) -> None:
        """A register for the total of this run."""
        self.register, self.label = f"%r{self.number}_{label}", label
        self.line = len(self.writer.lines)  # which ends with the register's next value, once that has a name
        self.writer.lines.append(f"  {self.register} = phi {self.kind} [{self.start_value}, %{before}], ")

    def take(self, value: str) -> None:
        """One more term."""
        if not self.is_running:
            self.to_memory(value)
            return
        self.value = self.joined(self.register, value, " reassoc")
        self.writer.lines[self.line] += f"[{self.value}, %{self.label}_end]"

    def leave(self) -> None:
        """After a run its register joins the total."""
        if self.is_single:
            self.earlier = self.value = self.joined(self.earlier, self.value) if self.earlier else self.value
            return
        term = self.value
        new, lines = self.writer.scalars.new, self.writer.lines
        old = new(f"load {self.kind}, ptr %s{self.number}")
        if not self.is_exact:
            lines.append(f"  store {self.kind} {self.joined(old, term)}, ptr %s{self.number}")
            return
        suffix = "f64" if self.dtype == "float64" else "f32"
        size = [new(f"call {self.kind} @llvm.fabs.{suffix}({self.kind} {v})") for v in (old, term)]
        is_first = new(f"fcmp oge {self.kind} {size[0]}, {size[1]}")
        large = new(f"select i1 {is_first}, {self.kind} {old}, {self.kind} {term}")
        small = new(f"select i1 {is_first}, {self.kind} {term}, {self.kind} {old}")
        total = new(f"fadd {self.kind} {old}, {term}")
        lost = new(f"fadd {self.kind} {new(f'fsub {self.kind} {large}, {total}')}, {small}")
        before = new(f"load {self.kind}, ptr %c{self.number}")
        lines.append(f"  store {self.kind} {total}, ptr %s{self.number}")
        lines.append(f"  store {self.kind} {new(f'fadd {self.kind} {before}, {lost}')}, ptr %c{self.number}")
