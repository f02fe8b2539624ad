"""The innermost part of a matrix product, as LLVM text: tiles that stay in registers.

A tile of `r` rows and `v` vectors of columns is added up in registers: for every place along the sum, `v` vectors of the right factor
are loaded, and each of `r` numbers of the left one is multiplied with them (K. Goto and R. van de Geijn, Anatomy of high-performance
matrix multiplication, ACM TOMS 34 (2008); F. Van Zee and R. van de Geijn, BLIS, ACM TOMS 41 (2015)).  Each entry is added up in the
same order in tiles of every size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wengert.compiler.emit.text import Text


@dataclass(frozen=True)
class Shape:
    """What the tiles of a dtype look like for vectors of some width."""

    dtype: str
    bits: int

    @property
    def kind(self) -> str:
        """The type of a number."""
        return "double" if self.dtype == "float64" else "float"

    @property
    def suffix(self) -> str:
        """What names of this dtype end with."""
        return "f64" if self.dtype == "float64" else "f32"

    @property
    def item(self) -> int:
        """The bytes of a number."""
        return 8 if self.dtype == "float64" else 4

    @property
    def lanes(self) -> int:
        """The numbers in a vector."""
        return self.bits // (8 * self.item)

    @property
    def rows(self) -> int:
        """The most rows of a tile, an even number: 28 sums, two vectors and a number fill 32 registers; 12 of them 16."""
        return 14 if self.bits == 512 else min(6, 2 * self.lanes)

    @property
    def width(self) -> int:
        """The columns of a whole tile."""
        return 2 * self.lanes

    @property
    def tall(self) -> int:
        """How far apart the columns of the left factor are laid out."""
        return self.lanes if self.rows <= self.lanes else self.width

    @property
    def vector(self) -> str:
        """The type of a vector."""
        return f"<{self.lanes} x {self.kind}>"


def write_tile(shape: Shape, v: int, r: int) -> str:
    """`c = base + alpha * (sum over k)`, without `base` where that is null: `void @tile(a, ar, as, b, bs, k, c, cs, base, alpha, ahead)`.

    Entry `(i, p)` of the left factor is `a[i * ar + p * as]`, `(p, j)` of the right one `b[p * bs + j]`, and `(i, j)` of the result `c[i * cs + j]`.
    """
    kind = shape.kind
    text = Text(
        f"internal void @tile.{v}.{r}.{shape.suffix}(ptr noalias %a, i64 %ar, i64 %as, ptr noalias %b, i64 %bs, i64 %k, ptr %c, i64 %cs, ptr %base, {kind} %alpha, ptr noalias %ahead) #0"
    )
    first, step, jump, often = (text.load("%ahead", k, "ptr" if k == 0 else "i64", of="i64") for k in range(len(AHEAD)))
    begin_sums(text, shape, v, r)
    text.lines += [f"  %np = phi ptr [{first}, %entry], [%np_next, %loop]", f"  %nc = phi i64 [{often}, %entry], [%nc_next, %loop]"]
    text.lines.append("  %ap = phi ptr [%a, %entry], [%ap_next, %loop]")
    add_up(text, shape, v, (text.at("%ap", text.mul("%ar", i), kind) for i in range(r)))
    prefetch(text, "%np", 0, 2)
    text.lines += [
        "  %nc_less = add nsw i64 %nc, -1", "  %nc_ends = icmp eq i64 %nc_less, 0",
        f"  %nc_next = select i1 %nc_ends, i64 {often}, i64 %nc_less", f"  %np_far = select i1 %nc_ends, i64 {jump}, i64 {step}",
        "  %np_next = getelementptr i8, ptr %np, i64 %np_far", f"  %ap_next = getelementptr {kind}, ptr %ap, i64 %as",
    ]  # fmt: skip
    return end_sums(text, shape, v, r)


def write_walk(shape: Shape, v: int, r: int) -> str:
    """The same with a left factor whose places are in tables: `void @walk(a, rows, last, inner, b, bs, k, c, cs, base, alpha)`.

    Entry `(i, p)` of it is `a[rows[min(i, last)] + inner[p]]`.
    """
    kind = shape.kind
    text = Text(
        f"internal void @walk.{v}.{r}.{shape.suffix}(ptr noalias %a, ptr noalias %rows, i64 %last, ptr noalias %inner, ptr noalias %b, i64 %bs, i64 %k, ptr %c, i64 %cs, ptr %base, {kind} %alpha) #0"
    )
    begins = text.new(f"alloca [{r} x ptr]")
    for i in range(r):
        text.store(text.at("%a", text.load("%rows", text.smaller(str(i), "%last")), kind), begins, i, "ptr")
    begin_sums(text, shape, v, r)
    text.lines.append("  %ip = phi ptr [%inner, %entry], [%ip_next, %loop]")
    place = text.load("%ip")
    # Each address is taken from memory when it is needed (volatile): in registers they would drive sums out of others.
    add_up(text, shape, v, (text.at(text.new(f"load volatile ptr, ptr {text.at(begins, i, 'ptr')}"), place, kind) for i in range(r)))
    text.do("%ip_next = getelementptr i64, ptr %ip, i64 1")
    return end_sums(text, shape, v, r)


def begin_sums(text: Text, shape: Shape, v: int, r: int) -> None:
    """The lines of the result are on their way, and the loop over the places of the sum begins."""
    for i in range(r):
        row = text.mul("%cs", i)
        for j in range(v):
            prefetch(text, text.at("%c", text.add(row, j * shape.lanes), shape.kind), 1, 3)
    text.do("br label %loop")
    text.begin("loop")
    text.lines += ["  %p = phi i64 [%k, %entry], [%p_next, %loop]", "  %bp = phi ptr [%b, %entry], [%bp_next, %loop]"]
    text.lines += [f"  %s{i}_{j} = phi {shape.vector} [zeroinitializer, %entry], [%s{i}_{j}_next, %loop]" for i in range(r) for j in range(v)]


def add_up(text: Text, shape: Shape, v: int, places: Iterable[str]) -> None:
    """One place of the sum: numbers of the left factor times vectors of the right one."""
    right = [text.load("%bp", j * shape.lanes, shape.vector, of=shape.kind) for j in range(v)]
    for i, place in enumerate(places):
        left = splat(text, shape, text.load(place, 0, shape.kind))
        for j in range(v):
            s = f"%s{i}_{j}"
            text.do(f"{s}_next = call {shape.vector} @llvm.fmuladd.{vector_suffix(shape)}({shape.vector} {left}, {shape.vector} {right[j]}, {shape.vector} {s})")


def end_sums(text: Text, shape: Shape, v: int, r: int) -> str:
    """The end of the loop, and the results; the whole function."""
    text.lines += [
        f"  %bp_next = getelementptr {shape.kind}, ptr %bp, i64 %bs",
        "  %p_next = add nsw i64 %p, -1", "  %p_more = icmp ne i64 %p_next, 0", "  br i1 %p_more, label %loop, label %out",
    ]  # fmt: skip
    write_results(text, shape, v, r)
    return text.finished()


def write_results(text: Text, shape: Shape, v: int, r: int) -> None:
    """The sums of a tile go to their places."""
    kind, vector = shape.kind, shape.vector
    text.begin("out")
    alpha = splat(text, shape, "%alpha")
    fresh = text.new("icmp eq ptr %base, null")
    text.do(f"br i1 {fresh}, label %alone, label %onto")
    for label in ("alone", "onto"):
        text.begin(label)
        for i in range(r):
            row = text.mul("%cs", i)
            for j in range(v):
                place, s = text.add(row, j * shape.lanes), f"%s{i}_{j}_next"
                if label == "alone":
                    value = text.new(f"fmul {vector} {alpha}, {s}")
                else:
                    before = text.load("%base", place, vector, of=kind)
                    value = text.new(f"call {vector} @llvm.fmuladd.{vector_suffix(shape)}({vector} {alpha}, {vector} {s}, {vector} {before})")
                text.store(value, "%c", place, vector, of=kind)
        if label == "alone":
            text.do("ret void")


AHEAD = ("first", "step", "jump", "often")  # what will be needed next: after `often` steps comes a jump, all in bytes


def prefetch(text: Text, place: str, written: int, near: int) -> None:
    """A line is on its way to the cache while there is something else to do."""
    text.do(f"call void @llvm.prefetch.p0(ptr {place}, i32 {written}, i32 {near}, i32 1)")


def splat(text: Text, shape: Shape, number: str) -> str:
    """A vector of one number."""
    first = text.new(f"insertelement {shape.vector} poison, {shape.kind} {number}, i64 0")
    return text.new(f"shufflevector {shape.vector} {first}, {shape.vector} poison, <{shape.lanes} x i32> zeroinitializer")


def vector_suffix(shape: Shape) -> str:
    """What intrinsics of vectors are called."""
    return f"v{shape.lanes}{shape.suffix}"


def write_tiles(shape: Shape) -> str:
    """Tiles of 2, 4, ... rows and one or two vectors, and `@tiles[(v - 1) * rows / 2 + r / 2 - 1]`; the same for `@walks`."""
    heights = [(v, r) for v in (1, 2) for r in range(2, shape.rows + 1, 2)]
    parts = [
        f"declare {shape.vector} @llvm.fmuladd.{vector_suffix(shape)}({', '.join([shape.vector] * 3)})",
        "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
    ]
    for name, write in (("tile", write_tile), ("walk", write_walk)):
        names = ", ".join(f"ptr @{name}.{v}.{r}.{shape.suffix}" for v, r in heights)
        parts += [write(shape, v, r) for v, r in heights]
        parts.append(f"@{name}s.{shape.suffix} = internal constant [{len(heights)} x ptr] [{names}]")
    return "\n".join(parts)
