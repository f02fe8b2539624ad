"""Matrix products whose rows are lanes, for the tiles of a turned band.

With rows kept, `into[j][i] = sum over p of left[p][i] * right[p][j]` runs over `i` in vectors: some columns `j` at a time are added up in
registers, each entry of `right` meets two vectors of rows.  With rows summed, `total[a][c] += sum over i of left[a][i] * right[c][i]`:
some rows of both factors at a time, lanes added together at the end.  Sums that come out as NaN are taken again with strong zeros.

Numbers below the smallest normal one count as 0 here, and so do products and sums below it: x86 processors take some hundred times as long
for one of those, and `exp` of a large negative number, as in a mixture, makes very many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from wengert.compiler.emit.text import Text
from wengert.compiler.loops import MatrixProduct, View, dtype_name
from wengert.compiler.scalar import LLVM, literal

WIDE = 2  # vectors of rows
X86 = 256  # vectors of so many bits or more are those of x86
FLUSH = 0x8040  # the bits of its control word that say so of operands and of results
SIGN_BIT = {"double": "i64", "float": "i32"}  # whole numbers of the same size


class LanesWriter:
    """Writes `void @name(ptr %left, ptr %right, ptr %result, i64 %start, i64 %stop, i1 %first)` for one product."""

    def __init__(self, step: MatrixProduct, name: str, bits: int) -> None:
        self.step, self.name = step, name
        dtype = dtype_name(step.result.dtype)
        self.kind, self.zero = LLVM[dtype], literal(0, dtype)
        self.suffix = "f64" if dtype == "float64" else "f32"
        self.lanes = max(bits, 128) // (8 * step.result.dtype.itemsize)
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.vectors = f"v{self.lanes}{self.suffix}"
        self.most = 8 if bits >= 512 else 4  # columns that registers hold with their rows in lanes
        self.is_x86 = bits >= X86
        self.sides = (3, 8) if bits >= 512 else (2, min(4, self.lanes))  # rows and columns of a block of sums
        header = f"internal void @{name}(ptr noalias %left, ptr noalias %right, ptr noalias %result, i64 %start, i64 %stop, i1 %first) #2"
        self.text = Text(header)

    def function(self, rows: str) -> str:
        """The function and what it calls."""
        text, step = self.text, self.step
        *batch, m, k = step.left.shape
        n = step.right.shape[-1]
        if self.is_x86:
            self.flush()
        with text.loop(0, math.prod(batch)) as member:
            pairs = (("%left", step.left), ("%right", step.right), ("%result", step.into))
            left, right, into = (self.member(pointer, view, tuple(batch), member) for pointer, view in pairs)
            if rows == "m":
                for begin, count, width in blocks(n, self.most):
                    with text.loop(0, count) as number:
                        self.columns(left, right, into, text.add(text.mul(number, width), begin), width, k)
            else:
                for low, high, tall in blocks(m, self.sides[0]):
                    with text.loop(0, high) as number:
                        top = text.add(text.mul(number, tall), low)
                        for begin, count, width in blocks(n, self.sides[1]):
                            with text.loop(0, count) as other:
                                self.sums(left, right, into, top, tall, text.add(text.mul(other, width), begin), width)
        if self.is_x86:
            text.do("call void @llvm.x86.sse.ldmxcsr(ptr %control)")
        again = [self.again(), *([self.tail()] if rows == "k" else [])]
        return "\n".join([*again, text.finished()])

    def flush(self) -> None:
        """The smallest numbers count as 0, until the control word is put back."""
        self.text.lines[2:2] = ["  %control = alloca i32", "  %flushing = alloca i32"]
        self.text.do("call void @llvm.x86.sse.stmxcsr(ptr %control)")
        self.text.store(self.text.new(f"or i32 {self.text.load('%control', 0, 'i32')}, {FLUSH}"), "%flushing", 0, "i32")
        self.text.do("call void @llvm.x86.sse.ldmxcsr(ptr %flushing)")

    def member(self, pointer: str, view: View, batch: tuple[int, ...], member: str) -> str:
        """The address of a matrix of a member."""
        text, at, rest = self.text, str(view.offset), member
        for axis in reversed(range(len(batch))):
            at = text.add(text.mul(text.rest(rest, batch[axis]), view.strides[axis]), at)
            rest = text.div(rest, batch[axis])
        return text.at(pointer, at, self.kind)

    def strides(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Of the matrices of each factor and of the result."""
        step = self.step
        return step.left.strides[-2:], step.right.strides[-2:], step.into.strides[-2:]  # type: ignore[return-value]

    def splat(self, number: str) -> str:
        """A vector of one number."""
        first = self.text.new(f"insertelement {self.vector} poison, {self.kind} {number}, i64 0")
        return self.text.new(f"shufflevector {self.vector} {first}, {self.vector} poison, <{self.lanes} x i32> zeroinitializer")

    def product(self, name: str, a: str, b: str, c: str) -> str:
        """`a * b + c`."""
        return self.text.named(name, f"call {self.vector} @llvm.fmuladd.{self.vectors}({self.vector} {a}, {self.vector} {b}, {self.vector} {c})")

    # --- rows kept ------------------------------------------------------------------------------------------------------

    def columns(self, left: str, right: str, into: str, first: str, width: int, k: int) -> None:
        """Some columns of the result."""
        text = self.text
        (_, far), (down, across), (_, apart) = self.strides()
        columns = [text.add(first, c) for c in range(width)]
        entries = [text.at(right, text.mul(c, across), self.kind) for c in columns]
        targets = [text.at(into, text.mul(c, apart), self.kind) for c in columns]
        with text.loop("%start", "%stop", WIDE * self.lanes) as row:
            names = [(c, v) for c in range(width) for v in range(WIDE)]
            label, before = f"sum{text.count}", text.block
            text.do(f"br label %{label}")
            text.begin(label)
            text.lines.append(f"  %{label}.p = phi i64 [0, %{before}], [%{label}.next, %{label}]")
            for c, v in names:
                text.lines.append(f"  %{label}.{c}.{v} = phi {self.vector} [zeroinitializer, %{before}], [%{label}.{c}.{v}.next, %{label}]")
            place = text.add(text.mul(f"%{label}.p", far), row)
            factor = [text.load(left, text.add(place, v * self.lanes), self.vector, of=self.kind) for v in range(WIDE)]
            at = text.mul(f"%{label}.p", down)
            for c in range(width):
                number = self.splat(text.load(entries[c], at, self.kind))
                for v in range(WIDE):
                    self.product(f"%{label}.{c}.{v}.next", number, factor[v], f"%{label}.{c}.{v}")
            text.lines += [f"  %{label}.next = add nuw nsw i64 %{label}.p, 1", f"  %{label}.more = icmp slt i64 %{label}.next, {k}"]
            text.do(f"br i1 %{label}.more, label %{label}, label %{label}.done")
            text.begin(f"{label}.done")
            for c, v in names:
                text.store(f"%{label}.{c}.{v}.next", targets[c], text.add(row, v * self.lanes), self.vector, of=self.kind)
            if self.step.is_strong:
                self.mend(left, entries, targets, row, [f"%{label}.{c}.{v}.next" for c, v in names], k)

    def mend(self, left: str, entries: list[str], targets: list[str], row: str, sums: list[str], k: int) -> None:
        """Columns of these rows in which there is a NaN are taken again."""
        text = self.text
        (_, far), (down, _), _ = self.strides()
        with text.when(self.any_nan(sums)), text.loop(0, WIDE * self.lanes) as r:
            i = text.add(row, r)
            for entry, target in zip(entries, targets, strict=True):
                value = text.load(target, i, self.kind)
                found = self.call_again(text.at(left, i, self.kind), far, entry, down, str(k), value)
                text.store(found, target, i, self.kind)

    def any_nan(self, vectors: list[str]) -> str:
        """Whether an entry may be NaN."""
        text, (total, *more) = self.text, vectors
        while more:  # by pairs, which do not wait for one another
            vectors = [total, *more]
            odd = vectors[len(vectors) // 2 * 2 :]
            pairs = zip(vectors[::2], vectors[1::2], strict=False)
            total, *more = [*(text.new(f"fadd {self.vector} {a}, {b}") for a, b in pairs), *odd]
        bad = text.new(f"fcmp uno {self.vector} {total}, {total}")
        return text.new(f"call i1 @llvm.vector.reduce.or.v{self.lanes}i1(<{self.lanes} x i1> {bad})")

    # --- rows summed ----------------------------------------------------------------------------------------------------

    def sums(self, left: str, right: str, into: str, top: str, tall: int, first: str, width: int) -> None:
        """Some entries of the result."""
        text = self.text
        (down, _), (_, across), (far, apart) = self.strides()
        lefts = [text.at(left, text.mul(text.add(top, a), down), self.kind) for a in range(tall)]
        rights = [text.at(right, text.mul(text.add(first, c), across), self.kind) for c in range(width)]
        names = [(a, c) for a in range(tall) for c in range(width)]
        whole = text.mul(text.div(text.sub("%stop", "%start"), self.lanes), self.lanes)
        past = text.add("%start", whole)
        label, before = f"sum{text.count}", text.block
        text.do(f"br label %{label}")
        text.begin(label)
        text.lines.append(f"  %{label}.i = phi i64 [%start, %{before}], [%{label}.next, %{label}.body]")
        for a, c in names:
            text.lines.append(f"  %{label}.{a}.{c} = phi {self.vector} [zeroinitializer, %{before}], [%{label}.{a}.{c}.next, %{label}.body]")
        more = text.test("slt", f"%{label}.i", past)
        text.do(f"br i1 {more}, label %{label}.body, label %{label}.done")
        text.begin(f"{label}.body")
        x = [text.load(pointer, f"%{label}.i", self.vector, of=self.kind) for pointer in lefts]
        y = [text.load(pointer, f"%{label}.i", self.vector, of=self.kind) for pointer in rights]
        for a, c in names:
            self.product(f"%{label}.{a}.{c}.next", x[a], y[c], f"%{label}.{a}.{c}")
        text.lines += [f"  %{label}.next = add nuw nsw i64 %{label}.i, {self.lanes}", f"  br label %{label}"]
        text.begin(f"{label}.done")
        slots = self.slots(tall, width)
        for a in range(tall):
            found = self.totals([f"%{label}.{a}.{c}" for c in range(width)])
            text.store(found, slots, a * self.padded(width), self.totals_kind(width), of=self.kind)
        is_odd = text.test("slt", past, "%stop")
        if self.step.is_strong:
            is_odd = text.new(f"or i1 {is_odd}, {self.any_nan([f'%{label}.{a}.{c}' for a, c in names])}")
        with text.when(is_odd):
            for a, c in names:
                self.complete(slots, a * self.padded(width) + c, lefts[a], rights[c], past)
        for a in range(tall):
            row = text.add(text.mul(text.add(top, a), far), text.mul(first, apart))
            self.add_row(slots, a * self.padded(width), into, row, apart, width)

    def slots(self, tall: int, width: int) -> str:
        """Room for the entries of a block."""
        name = f"%slots{self.text.count}"
        self.text.lines.insert(2, f"  {name} = alloca [{tall * self.padded(width)} x {self.kind}], align 64")
        return name

    def padded(self, width: int) -> int:
        """The power of two that columns are filled up to."""
        return 1 << (width - 1).bit_length()

    def totals_kind(self, width: int) -> str:
        """The vector of the sums of some columns."""
        return f"<{self.padded(width)} x {self.kind}>"

    def totals(self, vectors: list[str]) -> str:
        """The sums over the lanes of some vectors, as the entries of one."""
        text, width, lanes = self.text, self.padded(len(vectors)), self.lanes
        while lanes > width:
            halves = [[self.shuffled(v, v, lanes, range(k, k + lanes // 2)) for k in (0, lanes // 2)] for v in vectors]
            lanes //= 2
            vectors = [text.new(f"fadd <{lanes} x {self.kind}> {low}, {high}") for low, high in halves]
        vectors = [*vectors, *["zeroinitializer"] * (width - len(vectors))]
        block = width
        while block > 1:  # each vector has the lanes of some sums, one block after the other
            block //= 2
            starts = range(0, 2 * width, 2 * block)
            orders = [[start + k + t for start in starts for t in range(block)] for k in (0, block)]
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            halves = [[self.shuffled(a, b, width, order) for order in orders] for a, b in pairs]
            vectors = [text.new(f"fadd <{width} x {self.kind}> {low}, {high}") for low, high in halves]
        return vectors[0]

    def shuffled(self, a: str, b: str, lanes: int, order: Sequence[int]) -> str:
        """Lanes of two vectors."""
        kind, mask = f"<{lanes} x {self.kind}>", ", ".join([f"i32 {k}" for k in order])
        return self.text.new(f"shufflevector {kind} {a}, {kind} {b}, <{len(order)} x i32> <{mask}>")

    def complete(self, slots: str, slot: int, left: str, right: str, past: str) -> None:
        """An entry with the rows after the last whole vector, and with strong zeros."""
        text, kind = self.text, self.kind
        total = text.load(slots, slot, kind)
        total = text.new(f"call {kind} @{self.name}.tail(ptr {left}, ptr {right}, i64 {past}, i64 %stop, {kind} {total})")
        if self.step.is_strong:
            n = text.sub("%stop", "%start")
            total = self.call_again(text.at(left, "%start", kind), 1, text.at(right, "%start", kind), 1, n, total)
        text.store(total, slots, slot, kind)

    def add_row(self, slots: str, slot: int, into: str, place: str, apart: int, width: int) -> None:
        """A row of a block is added to the total."""
        parts = [(width, 0)] if apart == 1 else [(1, c) for c in range(width)]
        for n, c in parts:
            kind = f"<{n} x {self.kind}>"
            at = self.text.add(place, c * apart)
            total, old = self.text.load(slots, slot + c, kind, of=self.kind), self.text.load(into, at, kind, of=self.kind)
            both = self.text.new(f"fadd {kind} {old}, {total}")
            self.text.store(self.text.choose("%first", total, both, kind), into, at, kind, of=self.kind)

    # --- one by one -----------------------------------------------------------------------------------------------------

    def call_again(self, a: str, a_far: int, b: str, b_far: int, n: str, value: str) -> str:
        """A sum of products, taken again with strong zeros if it is NaN."""
        return self.text.new(f"call {self.kind} @{self.name}.again(ptr {a}, i64 {a_far}, ptr {b}, i64 {b_far}, i64 {n}, {self.kind} {value})")

    def tail(self) -> str:
        """The rows after the last whole vector."""
        kind = self.kind
        text = Text(f"internal {kind} @{self.name}.tail(ptr noalias %a, ptr noalias %b, i64 %from, i64 %stop, {kind} %value) alwaysinline")
        total = text.new(f"alloca {kind}")
        text.store("%value", total, 0, kind)
        with text.loop("%from", "%stop") as i:
            term = text.new(f"fmul {kind} {text.load('%a', i, kind)}, {text.load('%b', i, kind)}")
            text.store(text.new(f"fadd {kind} {text.load(total, 0, kind)}, {term}"), total, 0, kind)
        return text.finished(f"{kind} {text.load(total, 0, kind)}")

    def again(self) -> str:
        """Finite parts only, unless a non-finite factor met a partner that is not zero."""
        kind, zero = self.kind, self.zero
        text = Text(f"internal {kind} @{self.name}.again(ptr noalias %a, i64 %as, ptr noalias %b, i64 %bs, i64 %n, {kind} %value) #0")
        total, used = text.new(f"alloca {kind}"), text.new("alloca i1")
        with text.when(text.new(f"fcmp ord {kind} %value, %value")):
            text.leave(f"{kind} %value")
        text.store(zero, total, 0, kind)
        text.store("false", used, 0, "i1")
        with text.loop(0, "%n") as p:
            x, y = text.load("%a", text.mul(p, "%as"), kind), text.load("%b", text.mul(p, "%bs"), kind)
            finite = []
            for one, other in ((x, y), (y, x)):
                difference = text.new(f"fsub {kind} {one}, {one}")
                wild = text.new(f"fcmp uno {kind} {difference}, {difference}")
                meets = text.both(wild, self.is_something(text, other))
                text.store(text.new(f"or i1 {text.load(used, 0, 'i1')}, {meets}"), used, 0, "i1")
                finite.append(text.choose(wild, zero, one, kind))
            term = text.new(f"fmul {kind} {finite[0]}, {finite[1]}")
            text.store(text.new(f"fadd {kind} {text.load(total, 0, kind)}, {term}"), total, 0, kind)
        return text.finished(f"{kind} {text.choose(text.load(used, 0, 'i1'), '%value', text.load(total, 0, kind), kind)}")

    def is_something(self, text: Text, number: str) -> str:
        """Whether a number is not 0, which the smallest ones are not."""
        whole = SIGN_BIT[self.kind]
        bits = text.new(f"bitcast {self.kind} {number} to {whole}")
        return text.new(f"icmp ne {whole} {text.new(f'shl {whole} {bits}, 1')}, 0")


def blocks(n: int, most: int) -> Iterator[tuple[int, int, int]]:
    """`n` in parts of nearly one length: where some begin, how many there are, and their length."""
    count = -(-n // most)
    length, longer = divmod(n, count)
    if longer:
        yield 0, longer, length + 1
    yield longer * (length + 1), count - longer, length


def write_lanes_product(step: MatrixProduct, name: str, rows: str, bits: int) -> str:
    """The text of one product in a turned band."""
    return LanesWriter(step, name, bits).function(rows)


def lanes_declarations(steps: list[MatrixProduct], bits: int) -> list[str]:
    """What the products of turned bands call."""
    lines = dict.fromkeys([f"declare void @llvm.x86.sse.{name}mxcsr(ptr)" for name in ("ld", "st")] if steps and bits >= X86 else [])
    for step in steps:
        writer = LanesWriter(step, "", bits)
        vector, vectors = writer.vector, writer.vectors
        lines[f"declare {vector} @llvm.fmuladd.{vectors}({vector}, {vector}, {vector})"] = None
        lines[f"declare i1 @llvm.vector.reduce.or.v{writer.lanes}i1(<{writer.lanes} x i1>)"] = None
    return list(lines)
