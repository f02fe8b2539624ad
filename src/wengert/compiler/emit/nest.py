"""One nest as one function."""

from __future__ import annotations

import re

from wengert.compiler.emit.order import order_loops
from wengert.compiler.emit.totals import BLOCK, STEP, Total
from wengert.compiler.loops import LoopNest, Op, Place, Shape, dtype_name
from wengert.compiler.scalar import FLOATS, LLVM, MEMORY, Scalars, Value, literal
from wengert.compiler.templates import emit
from wengert.compiler.vector_math import VectorMath

SHORT = 64  # steps of a loop whose rest is worth a thought
FOLDED = 2  # the number of what LLVM is told of it
CALLS = re.compile(r"\w\(")
INLINED = 100  # ops of a nest that may become part of its caller
STRONG = "0 if a == 0 else 0 if b == 0 else a * b"  # the code of `scale`
LONG_LINE = 200  # ops without a loop round them from which on no pass is worth its time (`wengert.compiler.engine.plan`)


class NestWriter:
    """Writes `void @name(ptr %b0, ptr %b1, ...)`, with a pointer for each buffer of the nest, to where it starts.

    Of the letter `rows` it runs a range; in a turned band `lanes` of them at most.  Totals along the innermost loops are kept in registers, over blocks; all others are added up in memory.
    """

    def __init__(self, nest: LoopNest, name: str, math: VectorMath, rows: int | None = None, lanes: int = 0) -> None:
        self.nest, self.name = nest, name
        self.lines: list[str] = []
        self.scalars, self.templates = Scalars(self.lines, math.call, "%v" if nest.space else "%"), math.templates
        self.pointers = {buffer: f"%b{k}" for k, buffer in enumerate(nest.buffers())}
        self.starts = nest.starts() if rows is None else {}
        self.loops = order_loops(nest, rows, lanes > 0)
        self.rows, self.lanes = rows, lanes
        self.is_repeated = False
        self.letters: list[str] = []
        self.block = "entry"
        self.count = 0
        n = len(self.loops.lengths)
        self.totals = [Total(self, k, r, self.loops.letters(r.letters), n) for k, r in enumerate(nest.reductions)]

    def function(self) -> str:
        """The text."""
        header = ", ".join(f"ptr noalias nocapture align 8 {p}" for p in self.pointers.values())
        n_ops = len(self.nest.ops)
        runs_once = not self.loops.lengths and not self.is_repeated
        group = "#0" if n_ops < INLINED else "#3" if runs_once and n_ops >= LONG_LINE else "#2"
        if self.rows is not None:
            header += ", i64 %start, i64 %stop, i1 %first"
        self.lines += [f"define internal void @{self.name}({header}) {group} {{", "entry:"]
        if self.loops.scale > 1:
            self.lines += [f"  %from = mul nuw nsw i64 %start, {self.loops.scale}", f"  %past = mul nuw nsw i64 %stop, {self.loops.scale}"]
        for total in self.totals:
            total.declare()
        for total in self.totals:
            total.clear()
        self.depth(0)
        self.lines += ["  ret void", "}"]
        return "\n".join(self.lines)

    # --- loops ------------------------------------------------------------------------------------------------------

    def depth(self, d: int) -> None:
        """The loops from number `d` on."""
        lengths = self.loops.lengths
        for total in self.totals:
            if total.depth == d:
                total.start()
        if d == len(lengths):
            self.body()
        elif d == len(lengths) - 1:
            self.innermost(d)
        else:
            start, stop = self.bounds(d)
            letter, label = self.open_loop(start)
            self.letters.append(letter)
            self.depth(d + 1)
            self.letters.pop()
            self.close_loop(letter, stop, label)
        for total in self.totals:
            if total.depth == d:
                total.finish()

    def open_loop(self, start: str) -> tuple[str, str]:
        """Begin a loop; its letter and its label."""
        label = self.fresh("loop")
        letter = f"%i_{label}"
        self.lines += [f"  br label %{label}", f"{label}:"]
        self.lines.append(f"  {letter} = phi i64 [{start}, %{self.block}], [{letter}_next, %{label}_end]")
        self.block = label
        return letter, label

    def close_loop(self, letter: str, stop: str, label: str, *, is_folded: bool = False) -> None:
        """Go round again while the letter is below `stop`; folded, the rest of a vector runs as a vector, too."""
        self.lines += [f"  br label %{label}_end", f"{label}_end:"]
        self.lines.append(f"  {letter}_next = add nuw nsw i64 {letter}, 1")
        self.lines.append(f"  {letter}_more = icmp slt i64 {letter}_next, {stop}")
        self.lines.append(f"  br i1 {letter}_more, label %{label}, label %{label}_exit, !llvm.loop !{FOLDED if is_folded else 0}")
        self.lines.append(f"{label}_exit:")
        self.block = f"{label}_exit"

    def bounds(self, d: int) -> tuple[str, str]:
        """Where loop `d` begins and ends."""
        if d != self.loops.ranged:
            return "0", str(self.loops.lengths[d])
        return ("%start", "%stop") if self.loops.scale == 1 else ("%from", "%past")

    def innermost(self, d: int) -> None:
        """The last loop, in blocks where totals run along it."""
        running = [total for total in self.totals if total.is_running]
        first, past = self.bounds(d)
        if not running or self.longest(d) <= BLOCK:
            self.whole_run(d, running)
            return
        new = self.scalars.new
        length = new(f"sub nuw nsw i64 {past}, {first}")
        n_blocks = new(f"udiv i64 {new(f'add nuw nsw i64 {length}, {BLOCK - 1}')}, {BLOCK}")
        outer, label = self.open_loop("0")
        start = new(f"add nuw nsw i64 {first}, {new(f'mul nuw nsw i64 {outer}, {BLOCK}')}")
        last = new(f"add nuw nsw i64 {start}, {BLOCK}")
        stop = new(f"select i1 {new(f'icmp slt i64 {last}, {past}')}, i64 {last}, i64 {past}")
        self.run(start, stop, running)
        self.close_loop(outer, n_blocks, label)

    def whole_run(self, d: int, running: list[Total]) -> None:
        """The last loop in one run; what is left of a long one after whole steps of vectors has totals of its own.

        LLVM would add that one by one to totals that are finished, and round each of them every time.
        """
        first, past = self.bounds(d)
        n = self.loops.lengths[d]
        middle = n - n % STEP
        if d != self.loops.ranged and STEP < middle < n and any(total.is_exact for total in running):
            self.run(first, str(middle), running)
            first = str(middle)
        self.run(first, past, running)

    def is_folded(self) -> bool:
        """Whether the innermost loop is short, and calls functions, of which a vector costs as much as one number."""
        return self.is_repeated and self.loops.lengths[-1] <= SHORT and any(CALLS.search(op.code) for op in self.nest.ops)

    def longest(self, d: int) -> int:
        """The most steps that loop `d` runs."""
        return self.lanes if self.lanes and d == self.loops.ranged else self.loops.lengths[d]

    def run(self, start: str, stop: str, running: list[Total]) -> None:
        """The innermost loop from `start` to `stop`, with a register for each running total."""
        before = self.block
        letter, label = self.open_loop(start)
        for total in running:
            total.enter(before, label)
        self.letters.append(letter)
        self.body()
        self.letters.pop()
        self.close_loop(letter, stop, label, is_folded=self.is_folded())
        for total in running:
            total.leave()

    def fresh(self, stem: str) -> str:
        """A new label."""
        self.count += 1
        return f"{stem}{self.count}"

    # --- memory -----------------------------------------------------------------------------------------------------

    def address(self, place: Place, gathers: list[Value] = []) -> str:  # noqa: B006 - never written to
        """Where a place is, at the present letters."""
        index = str(place.offset - self.starts.get(place.buffer, 0))
        terms = [(letter, s) for letter, s in zip(self.letters, self.loops.strides(place), strict=False) if s]
        terms += [(self.scalars.convert(v, "int64"), s) for v, s in zip(gathers, place.steps, strict=True)]
        for letter, stride in terms:
            product = letter if stride == 1 else self.scalars.new(f"mul nsw i64 {letter}, {stride}")
            index = product if index == "0" else self.scalars.new(f"add nsw i64 {product}, {index}")
        kind = MEMORY[dtype_name(place.buffer.dtype)]
        return self.scalars.new(f"getelementptr inbounds {kind}, ptr {self.pointers[place.buffer]}, i64 {index}")

    def read(self, dtype: str, address: str) -> str:
        """A scalar from memory; a bool takes a byte there."""
        value = self.scalars.new(f"load {MEMORY[dtype]}, ptr {address}")
        return self.scalars.new(f"trunc i8 {value} to i1") if dtype == "bool" else value

    def write(self, value: str, dtype: str, address: str) -> None:
        """A scalar goes to memory."""
        if dtype == "bool":
            value = self.scalars.new(f"zext i1 {value} to i8")
        self.lines.append(f"  store {MEMORY[dtype]} {value}, ptr {address}")

    # --- the body ---------------------------------------------------------------------------------------------------

    def body(self) -> None:
        """Ops in their order, then stores and totals that live in memory."""
        values: list[Value] = []
        for op in self.nest.ops:
            values.append((self.op(op, values), dtype_name(op.dtype)))
        for store in self.nest.stores:
            dtype = dtype_name(store.place.buffer.dtype)
            value = self.scalars.convert(values[store.op], dtype)
            address = self.address(store.place, [values[g] for g in store.gathers])
            if store.adds:
                value = self.scalars.emit("a + b", [(self.read(dtype, address), dtype), (value, dtype)], dtype)[0]
            self.write(value, dtype, address)
        for total in self.totals:
            total.take(self.scalars.convert(values[total.reduction.op], total.dtype))

    def op(self, op: Op, values: list[Value]) -> str:
        """The name of an op's result."""
        name = dtype_name(op.dtype)
        if op.code == "load":
            assert op.place is not None
            return self.read(name, self.address(op.place, [values[p] for p in op.operands]))
        if op.code == "number":
            return literal(op.literal, name)
        working, _, code = op.code.partition(":")
        if code == STRONG and self.is_repeated and not self.loops.lengths and working in FLOATS:
            return self.scalars.convert((self.strong(*[self.scalars.convert(values[p], working) for p in op.operands], working), working), name)
        return self.scalars.convert(emit(self.scalars, self.templates, code, [values[p] for p in op.operands], working), name)

    def strong(self, a: str, b: str, working: str) -> str:
        """A strong product of two numbers, on which the next step of a loop may wait: factors are looked at only if it is NaN."""
        kind, zero, new = LLVM[working], literal(0, working), self.scalars.new
        plain = new(f"fmul {kind} {a}, {b}")
        label, before = self.fresh("strong"), self.block
        self.lines += [f"  br i1 {new(f'fcmp uno {kind} {plain}, {plain}')}, label %{label}, label %{label}_end, !prof !8", f"{label}:"]
        none = new(f"or i1 {new(f'fcmp oeq {kind} {a}, {zero}')}, {new(f'fcmp oeq {kind} {b}, {zero}')}")
        chosen = new(f"select i1 {none}, {kind} {zero}, {kind} {plain}")
        self.lines += [f"  br label %{label}_end", f"{label}_end:"]
        self.block = f"{label}_end"
        return new(f"phi {kind} [{plain}, %{before}], [{chosen}, %{label}]")


def write_nest(
    nest: LoopNest, name: str, math: VectorMath, rows: int | None = None, lanes: int = 0, *, is_repeated: bool = False
) -> str:
    """The text of one function, which a loop may call at every step."""
    writer = NestWriter(nest, name, math, rows, lanes)
    writer.is_repeated = is_repeated
    return writer.function()


__all__ = ["NestWriter", "Shape", "write_nest"]
