"""A band as a function that runs its steps on a range of chunks: `void @name(ptr %table, i64 %begin, i64 %end)`.

The table holds the addresses of the band's outer buffers.  Inner buffers are memory of the call's own; as steps count rows from the
first of all, their addresses are moved back by the rows before the tile.
"""

from __future__ import annotations

from wengert.compiler.emit.lanes import write_lanes_product
from wengert.compiler.emit.nest import write_nest
from wengert.compiler.emit.products import write_product
from wengert.compiler.loops import Band, Buffer, LoopNest, MatrixProduct, dtype_name
from wengert.compiler.memory import rows_in_hand
from wengert.compiler.rows import row_of
from wengert.compiler.scalar import LLVM
from wengert.compiler.vector_math import VectorMath

# The product of a tile is added to that of the tiles before.
_ADD = """\
define internal void @{name}.add(ptr noalias %total, ptr noalias %term, i1 %first) #0 {{
entry:
  br i1 %first, label %copy, label %loop
copy:
  call void @llvm.memset.p0.i64(ptr %total, i8 0, i64 {n_bytes}, i1 false)
  br label %loop
loop:
  %i = phi i64 [0, %entry], [0, %copy], [%i_next, %loop]
  %a = getelementptr inbounds {kind}, ptr %total, i64 %i
  %b = getelementptr inbounds {kind}, ptr %term, i64 %i
  %x = load {kind}, ptr %a
  %y = load {kind}, ptr %b
  %s = fadd {kind} %x, %y
  store {kind} %s, ptr %a
  %i_next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %i_next, {size}
  br i1 %more, label %loop, label %done
done:
  ret void
}}"""


class BandWriter:
    """Writes one band."""

    def __init__(self, band: Band, name: str, math: VectorMath) -> None:
        self.band, self.name, self.math = band, name, math
        self.memory = rows_in_hand(band)
        self.lines: list[str] = []
        self.pointers: dict[Buffer, str] = {}

    def functions(self) -> list[str]:
        """The functions of its steps, and its own."""
        found = []
        for k, (step, rows) in enumerate(zip(self.band.steps, self.band.rows, strict=True)):
            if isinstance(step, LoopNest):
                assert isinstance(rows, int)
                found.append(write_nest(step, f"{self.name}_{k}", self.math, rows, self.band.tile if self.band.is_turned else 0))
            elif self.band.is_turned:
                found.append(write_lanes_product(step, f"{self.name}_{k}", str(rows), self.math.width_bits))
            else:
                found.append(write_product(step, f"{self.name}_{k}", str(rows)))
                if rows == "k":
                    kind = LLVM[dtype_name(step.result.dtype)]
                    found.append(_ADD.format(name=f"{self.name}_{k}", kind=kind, size=step.result.size, n_bytes=step.result.n_bytes))
        return [*found, self.function()]

    def function(self) -> str:
        """The loops over chunks and their tiles."""
        band = self.band
        self.lines = [f"define internal void @{self.name}(ptr %table, i64 %begin, i64 %end) #0 {{", "entry:"]
        for k, buffer in enumerate(band.buffers()):
            self.pointers[buffer] = f"%b{k}"
            self.lines += [f"  %b{k}.at = getelementptr ptr, ptr %table, i64 {k}", f"  %b{k} = load ptr, ptr %b{k}.at"]
        self.lines += [f"  %memory = call ptr @wg_take(i64 {self.memory.n_bytes})", "  br label %chunk", "chunk:"]
        self.lines += [
            "  %c = phi i64 [%begin, %entry], [%c_next, %chunk_end]",
            f"  %t_first = mul nuw nsw i64 %c, {band.chunk}",
            f"  %t_full = add nuw nsw i64 %t_first, {band.chunk}",
            f"  %is_short = icmp slt i64 %t_full, {-(-band.n_rows // band.tile)}",
            f"  %t_end = select i1 %is_short, i64 %t_full, i64 {-(-band.n_rows // band.tile)}",
        ]
        self.place_slots()
        self.lines += ["  br label %loop", "loop:", "  %t = phi i64 [%t_first, %chunk], [%t_next, %loop]", "  %first = icmp eq i64 %t, %t_first"]
        self.lines += [f"  %start = mul nuw nsw i64 %t, {band.tile}", f"  %full = add nuw nsw i64 %start, {band.tile}"]
        self.lines += [f"  %short = icmp slt i64 %full, {band.n_rows}", f"  %stop = select i1 %short, i64 %full, i64 {band.n_rows}"]
        self.place_inner()
        for k, step in enumerate(band.steps):
            self.run(k, step)
        self.lines += ["  %t_next = add nuw nsw i64 %t, 1", "  %more = icmp slt i64 %t_next, %t_end"]
        self.lines += ["  br i1 %more, label %loop, label %chunk_end", "chunk_end:", "  %c_next = add nuw nsw i64 %c, 1"]
        self.lines += ["  %c_more = icmp slt i64 %c_next, %end", "  br i1 %c_more, label %chunk, label %done"]
        self.lines += ["done:", "  call void @wg_give(ptr %memory)", "  ret void", "}"]
        return "\n".join(self.lines)

    def run(self, k: int, step: LoopNest | MatrixProduct) -> None:
        """One step on one tile."""
        if isinstance(step, LoopNest):
            arguments = ", ".join(f"ptr {self.pointers[b]}" for b in step.buffers())
            self.lines.append(f"  call void @{self.name}_{k}({arguments}, i64 %start, i64 %stop, i1 %first)")
            return
        left, right, result = (self.pointers[b] for b in (step.left.buffer, step.right.buffer, step.result))
        if self.band.is_turned:
            self.lines.append(f"  call void @{self.name}_{k}(ptr {left}, ptr {right}, ptr {result}, i64 %start, i64 %stop, i1 %first)")
            return
        if self.band.rows[k] == "m":
            self.lines.append(f"  call void @{self.name}_{k}(ptr {left}, ptr {right}, ptr {result}, i64 %start, i64 %stop)")
            return
        self.lines += [
            f"  %product{k} = getelementptr inbounds i8, ptr %memory, i64 {self.memory.rows}",
            f"  call void @{self.name}_{k}(ptr {left}, ptr {right}, ptr %product{k}, i64 %start, i64 %stop)",
            f"  call void @{self.name}_{k}.add(ptr {result}, ptr %product{k}, i1 %first)",
        ]

    def place_inner(self) -> None:
        """The addresses of inner buffers, as if all rows before the tile were there."""
        for k, (buffer, offset) in enumerate(self.memory.places.items()):
            row = (1 if self.band.is_turned else row_of(buffer, self.band.n_rows)) * buffer.dtype.itemsize
            self.lines += [
                f"  %back{k} = mul nsw i64 %start, {-row}",
                f"  %far{k} = add nsw i64 %back{k}, {offset}",
                f"  %inner{k} = getelementptr i8, ptr %memory, i64 %far{k}",
            ]
            self.pointers[buffer] = f"%inner{k}"

    def place_slots(self) -> None:
        """The addresses of this chunk's totals."""
        for k, (slot, tiles) in enumerate(self.band.slots.items()):
            self.lines += [
                f"  %slot{k}.far = mul nuw nsw i64 %c, {slot.n_bytes}",
                f"  %slot{k} = getelementptr inbounds i8, ptr {self.pointers[tiles]}, i64 %slot{k}.far",
            ]
            self.pointers[slot] = f"%slot{k}"


def write_band(band: Band, name: str, math: VectorMath) -> list[str]:
    """The functions of a band."""
    return BandWriter(band, name, math).functions()
