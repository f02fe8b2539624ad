"""Loop nests as LLVM text."""

from __future__ import annotations

from typing import Any

from wengert.compiler.loops import Buffer, LoopNest, Shape, View
from wengert.compiler.scalar import INTRINSICS, LLVM, MEMORY, Scalars, literal
from wengert.compiler.vector_math import VectorMath

BLOCK = 1024  # a sum is taken over blocks of so many terms; the blocks are added with compensation


class NestWriter:
    """One function `void @name(ptr %b0, ptr %b1, ...)` for a nest, a pointer for each of its buffers."""

    def __init__(self, nest: LoopNest, name: str, math: VectorMath) -> None:
        self.nest, self.name = nest, name
        self.lines: list[str] = []
        self.scalars = Scalars(self.lines, math.call)
        self.pointers = {buffer: f"%b{k}" for k, buffer in enumerate(nest.buffers())}
        self.space, self.loads, self.outs = collapse(nest)
        self.count = 0

    def function(self) -> str:
        header = ", ".join(f"ptr noalias nocapture align 8 {p}" for p in self.pointers.values())
        self.lines.append(f"define internal void @{self.name}({header}) #0 {{")
        self.lines.append("entry:")
        self.block = "entry"
        self.letters: list[str] = []
        n = len(self.space)
        # sums over trailing axes keep a running total in a register, from depth `n - len(axes)` on
        self.trailing: dict[int, list[int]] = {}
        self.scattered: list[int] = []
        for k, (_, axes, _) in enumerate(self.nest.sums):
            axes = self.outs[k][1]
            if axes == tuple(range(n - len(axes), n)):
                self.trailing.setdefault(n - len(axes), []).append(k)
            else:
                self.scattered.append(k)
        self.totals = {}
        for ks in self.trailing.values():
            for k in ks:
                kind = LLVM[self.nest.sums[k][2].dtype.name]
                self.lines.append(f"  %s{k} = alloca {kind}")
                self.lines.append(f"  %c{k} = alloca {kind}")
        for k in self.scattered:
            self.clear(k)
        self.depth(0)
        self.lines.append("  ret void")
        self.lines.append("}")
        return "\n".join(self.lines)

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def clear(self, k: int) -> None:
        buffer = self.nest.sums[k][2]
        size = buffer.size * buffer.dtype.itemsize
        self.lines.append(f"  call void @llvm.memset.p0.i64(ptr {self.pointers[buffer]}, i8 0, i64 {size}, i1 false)")

    def depth(self, d: int) -> None:
        """The loops from axis `d` on."""
        for k in self.trailing.get(d, ()):
            kind = LLVM[self.nest.sums[k][2].dtype.name]
            zero = literal(0, self.nest.sums[k][2].dtype.name)
            self.lines += [f"  store {kind} {zero}, ptr %s{k}", f"  store {kind} {zero}, ptr %c{k}"]
        if d == len(self.space):
            self.body({})
        elif d == len(self.space) - 1:
            self.innermost(d)
        else:
            letter, end = self.open_loop("0", str(self.space[d]))
            self.letters.append(letter)
            self.depth(d + 1)
            self.letters.pop()
            self.close_loop(letter, str(self.space[d]), end)
        for k in self.trailing.get(d, ()):
            self.finish(k)

    def open_loop(self, start: str, stop: str, phis: str = "") -> tuple[str, str]:
        label = self.fresh("loop")
        before = self.block
        self.lines.append(f"  br label %{label}")
        self.lines.append(f"{label}:")
        letter = f"%i_{label}"
        self.lines.append(f"  {letter} = phi i64 [{start}, %{before}], [{letter}_next, %{label}_end]")
        self.block = label
        return letter, label

    def close_loop(self, letter: str, stop: str, label: str) -> None:
        self.lines.append(f"  br label %{label}_end")
        self.lines.append(f"{label}_end:")
        self.lines.append(f"  {letter}_next = add nuw nsw i64 {letter}, 1")
        self.lines.append(f"  {letter}_more = icmp slt i64 {letter}_next, {stop}")
        self.lines.append(f"  br i1 {letter}_more, label %{label}, label %{label}_exit, !llvm.loop !0")
        self.lines.append(f"{label}_exit:")
        self.block = f"{label}_exit"

    def innermost(self, d: int) -> None:
        """The last axis: in blocks where sums run along it."""
        n = self.space[d]
        sums = [k for depth, ks in self.trailing.items() for k in ks if depth <= d]
        if not sums or n <= BLOCK:
            self.run("0", str(n), sums)
            return
        outer, end = self.open_loop("0", "")
        start = self.scalars.new(f"mul nuw nsw i64 {outer}, {BLOCK}")
        last = self.scalars.new(f"add nuw nsw i64 {start}, {BLOCK}")
        short = self.scalars.new(f"icmp slt i64 {last}, {n}")
        stop = self.scalars.new(f"select i1 {short}, i64 {last}, i64 {n}")
        self.run(start, stop, sums)
        self.close_loop(outer, str(-(-n // BLOCK)), end)

    def run(self, start: str, stop: str, sums: list[int]) -> None:
        """The innermost loop from `start` to `stop`, with a running total in a register for each sum."""
        label = self.fresh("loop")
        before = self.block
        self.lines += [f"  br label %{label}", f"{label}:"]
        letter = f"%i_{label}"
        self.lines.append(f"  {letter} = phi i64 [{start}, %{before}], [{letter}_next, %{label}]")
        running = {}
        for k in sums:
            name = self.nest.sums[k][2].dtype.name
            running[k] = f"%r{k}_{label}"
            self.lines.append(f"  {running[k]} = phi {LLVM[name]} [{literal(0, name)}, %{before}], [{running[k]}_next, %{label}]")
        self.block = label
        self.letters.append(letter)
        self.body(running)
        self.letters.pop()
        self.lines.append(f"  {letter}_next = add nuw nsw i64 {letter}, 1")
        self.lines.append(f"  {letter}_more = icmp slt i64 {letter}_next, {stop}")
        self.lines.append(f"  br i1 {letter}_more, label %{label}, label %{label}_exit, !llvm.loop !0")
        self.lines.append(f"{label}_exit:")
        self.block = f"{label}_exit"
        for k in sums:
            self.compensate(k, f"{running[k]}_next")

    def compensate(self, k: int, term: str) -> None:
        """`s + term` exactly, as `s` and what rounding lost: A. Neumaier, ZAMM 54 (1974)."""
        kind = LLVM[self.nest.sums[k][2].dtype.name]
        new = self.scalars.new
        s, c = new(f"load {kind}, ptr %s{k}"), new(f"load {kind}, ptr %c{k}")
        t = new(f"fadd {kind} {s}, {term}")
        name = "f64" if kind == "double" else "f32"
        large = new(f"fcmp oge {kind} {new(f'call {kind} @llvm.fabs.{name}({kind} {s})')}, {new(f'call {kind} @llvm.fabs.{name}({kind} {term})')}")
        big, small = new(f"select i1 {large}, {kind} {s}, {kind} {term}"), new(f"select i1 {large}, {kind} {term}, {kind} {s}")
        lost = new(f"fadd {kind} {new(f'fsub {kind} {big}, {t}')}, {small}")
        self.lines += [f"  store {kind} {t}, ptr %s{k}", f"  store {kind} {new(f'fadd {kind} {c}, {lost}')}, ptr %c{k}"]

    def finish(self, k: int) -> None:
        _, _, buffer = self.nest.sums[k]
        kind = LLVM[buffer.dtype.name]
        new = self.scalars.new
        s, c = new(f"load {kind}, ptr %s{k}"), new(f"load {kind}, ptr %c{k}")
        total = new(f"fadd {kind} {s}, {c}")
        broken = new(f"fcmp uno {kind} {total}, {total}")  # an infinite total has a meaningless rounding error
        address = self.address(buffer, self.outs[k][0], 0)
        self.lines.append(f"  store {kind} {new(f'select i1 {broken}, {kind} {s}, {kind} {total}')}, ptr {address}")

    def address(self, buffer: Buffer, strides: Shape, offset: int) -> str:
        terms = [(letter, s) for letter, s in zip(self.letters, strides, strict=False) if s]
        index = str(offset)
        for letter, stride in terms:
            product = letter if stride == 1 else self.scalars.new(f"mul nsw i64 {letter}, {stride}")
            index = product if index == "0" else self.scalars.new(f"add nsw i64 {product}, {index}")
        return self.scalars.new(f"getelementptr inbounds {MEMORY[buffer.dtype.name]}, ptr {self.pointers[buffer]}, i64 {index}")

    def read(self, view: View, strides: Shape) -> str:
        name = view.buffer.dtype.name
        value = self.scalars.new(f"load {MEMORY[name]}, ptr {self.address(view.buffer, strides, view.offset)}")
        return self.scalars.new(f"trunc i8 {value} to i1") if name == "bool" else value

    def write(self, value: str, dtype: str, address: str) -> None:
        if dtype == "bool":
            value = self.scalars.new(f"zext i1 {value} to i8")
        self.lines.append(f"  store {MEMORY[dtype]} {value}, ptr {address}")

    def body(self, running: dict[int, str]) -> None:
        values: list[tuple[str, str]] = []
        for place, op in enumerate(self.nest.ops):
            name = op.dtype.name
            if op.code == "load":
                assert op.view is not None
                values.append((self.read(op.view, self.loads[place]), name))
            elif op.code == "number":
                values.append((literal(op.literal, name), name))
            else:
                working, _, code = op.code.partition(":")
                result = self.scalars.emit(code, [values[p] for p in op.operands], working)
                values.append((self.scalars.convert(result, name), name))
        n = len(self.space)
        for place, buffer in self.nest.stores:
            value = self.scalars.convert(values[place], buffer.dtype.name)
            self.write(value, buffer.dtype.name, self.address(buffer, self.whole, 0))
        for k, (place, _, buffer) in enumerate(self.nest.sums):
            kind = LLVM[buffer.dtype.name]
            value = self.scalars.convert(values[place], buffer.dtype.name)
            if k in running:
                self.lines.append(f"  {running[k]}_next = fadd reassoc {kind} {running[k]}, {value}")
            elif k in self.scattered:
                address = self.address(buffer, self.outs[k][0], 0)
                old = self.scalars.new(f"load {kind}, ptr {address}")
                self.lines.append(f"  store {kind} {self.scalars.new(f'fadd {kind} {old}, {value}')}, ptr {address}")
            else:
                self.compensate(k, value)
        assert n >= 0

    @property
    def whole(self) -> Shape:
        """The strides of a contiguous array over the collapsed space."""
        strides, step = [], 1
        for n in reversed(self.space):
            strides.append(step)
            step *= n
        return tuple(reversed(strides))


def collapse(nest: LoopNest) -> tuple[Shape, dict[int, Shape], dict[int, tuple[Shape, tuple[int, ...]]]]:
    """The space with neighbouring axes made one wherever every access walks them as one; axes of length 1 go.

    Returns the space, the strides of each load, and for each sum the strides of its result and its axes.
    """
    from wengert.compiler.loops import contiguous

    n = len(nest.space)
    rows: list[list[int]] = [list(op.view.strides) for op in nest.ops if op.view is not None]
    places = [place for place, op in enumerate(nest.ops) if op.view is not None]
    results, flags = [], []
    for _, axes, _ in nest.sums:
        kept = tuple(1 if k in axes else m for k, m in enumerate(nest.space))
        results.append([0 if k in axes else s for k, s in enumerate(contiguous(kept))])
        flags.append([int(k in axes) for k in range(n)])
    accesses = [*rows, *results]
    space: list[int] = []
    keep: list[int] = []
    for k in range(n):
        if nest.space[k] == 1:
            continue
        if keep:
            last = keep[-1]
            merged = all(a[last] == a[k] * nest.space[k] for a in accesses) and all(f[last] == f[k] for f in flags)
            if merged:
                space[-1] *= nest.space[k]
                keep[-1] = k
                continue
        keep.append(k)
        space.append(nest.space[k])
    loads = {place: tuple(a[k] for k in keep) for place, a in zip(places, rows, strict=True)}
    sums = {}
    for index, (a, f) in enumerate(zip(results, flags, strict=True)):
        sums[index] = (tuple(a[k] for k in keep), tuple(j for j, k in enumerate(keep) if f[k]))
    return tuple(space), loads, sums


def intrinsic_declarations() -> list[str]:
    """What every module declares."""
    lines = ["declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"]
    for name, arity in INTRINSICS.items():
        for suffix, kind in (("f64", "double"), ("f32", "float")):
            lines.append(f"declare {kind} @llvm.{name}.{suffix}({', '.join([kind] * arity)})")
    return lines


def write_nest(nest: LoopNest, name: str, math: VectorMath) -> str:
    """The text of one function."""
    return NestWriter(nest, name, math).function()


__all__ = ["Any", "intrinsic_declarations", "write_nest"]
