"""The inner parts of a matrix product, as LLVM text: tiles that stay in registers, and the laying out of what they read.

A tile of `r` rows and `v` vectors of columns is added up in registers: for every place along the sum, `v` vectors of the right factor
are loaded, and each of `r` numbers of the left one is multiplied with them (K. Goto and R. van de Geijn, Anatomy of high-performance
matrix multiplication, ACM TOMS 34 (2008); F. Van Zee and R. van de Geijn, BLIS, ACM TOMS 41 (2015)).  Each entry is added up in the
same order in tiles of every size.
"""

from __future__ import annotations

from dataclasses import dataclass

from wengert.compiler.emit.text import Text

GROUP = 8  # rows that are turned into columns together


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
        return 14 if self.bits == 512 else 6

    @property
    def width(self) -> int:
        """The columns of a whole tile."""
        return 2 * self.lanes

    @property
    def tall(self) -> int:
        """How far apart the columns of the left factor are laid out."""
        return -(-self.rows // GROUP) * GROUP

    @property
    def vector(self) -> str:
        """The type of a vector."""
        return f"<{self.lanes} x {self.kind}>"


def write_tile(shape: Shape, v: int, r: int) -> str:
    """`c = base + alpha * (sum over k)`, without `base` where that is null: `void @tile(a, as, b, bs, k, c, cs, base, alpha)`.

    Entry `(i, p)` of the left factor is `a[p * as + i]`, `(p, j)` of the right one `b[p * bs + j]`, and `(i, j)` of the result `c[i * cs + j]`.
    """
    kind, vector = shape.kind, shape.vector
    text = Text(
        f"internal void @tile.{v}.{r}.{shape.suffix}(ptr noalias %a, i64 %as, ptr noalias %b, i64 %bs, i64 %k, ptr %c, i64 %cs, ptr %base, {kind} %alpha) #0"
    )
    sums = [f"%s{i}_{j}" for i in range(r) for j in range(v)]
    text.do("br label %loop")
    text.begin("loop")
    text.lines += ["  %p = phi i64 [%k, %entry], [%p_next, %loop]", "  %ap = phi ptr [%a, %entry], [%ap_next, %loop]"]
    text.lines.append("  %bp = phi ptr [%b, %entry], [%bp_next, %loop]")
    text.lines += [f"  {s} = phi {vector} [zeroinitializer, %entry], [{s}_next, %loop]" for s in sums]
    right = [text.load("%bp", j * shape.lanes, vector, of=kind) for j in range(v)]
    for i in range(r):
        left = splat(text, shape, text.load("%ap", i, kind))
        for j in range(v):
            s = f"%s{i}_{j}"
            text.lines.append(f"  {s}_next = call {vector} @llvm.fmuladd.{vector_suffix(shape)}({vector} {left}, {vector} {right[j]}, {vector} {s})")
    text.lines += [
        f"  %ap_next = getelementptr {kind}, ptr %ap, i64 %as", f"  %bp_next = getelementptr {kind}, ptr %bp, i64 %bs",
        "  %p_next = add nsw i64 %p, -1", "  %p_more = icmp ne i64 %p_next, 0", "  br i1 %p_more, label %loop, label %out",
    ]  # fmt: skip
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
    return text.finished()


def splat(text: Text, shape: Shape, number: str) -> str:
    """A vector of one number."""
    first = text.new(f"insertelement {shape.vector} poison, {shape.kind} {number}, i64 0")
    return text.new(f"shufflevector {shape.vector} {first}, {shape.vector} poison, <{shape.lanes} x i32> zeroinitializer")


def vector_suffix(shape: Shape) -> str:
    """What intrinsics of vectors are called."""
    return f"v{shape.lanes}{shape.suffix}"


def write_tiles(shape: Shape) -> str:
    """Tiles of 2, 4, ... rows and one or two vectors, and `@tiles[(v - 1) * rows / 2 + r / 2 - 1]`."""
    heights = [(v, r) for v in (1, 2) for r in range(2, shape.rows + 1, 2)]
    names = ", ".join(f"ptr @tile.{v}.{r}.{shape.suffix}" for v, r in heights)
    return "\n".join([
        f"declare {shape.vector} @llvm.fmuladd.{vector_suffix(shape)}({', '.join([shape.vector] * 3)})",
        *[write_tile(shape, v, r) for v, r in heights],
        f"@tiles.{shape.suffix} = internal constant [{len(heights)} x ptr] [{names}]",
    ])  # fmt: skip


# --- laying out -------------------------------------------------------------------------------------------------------


def write_pack(shape: Shape) -> str:
    """`to[p * far + i] = from[along[i] + across[p]]`: `void @pack(to, far, from, along, n, across, k, i1 is_row)`.

    `far` is a multiple of 8 from `n` on; what is between is filled with anything that is there.  `is_row` says that `across` counts one by one.
    """
    kind = shape.kind
    text = Text(f"internal void @pack.{shape.suffix}(ptr noalias %to, i64 %far, ptr noalias %from, ptr noalias %along, i64 %n, ptr noalias %across, i64 %k, i1 %is_row) #0")
    first = text.load("%along")
    is_run = text.new("call i1 @is_run(ptr %along, i64 %n)")
    whole = text.both(is_run, text.test("eq", "%n", "%far"))
    start = text.at("%from", first, kind)
    with text.when(whole):
        with text.loop(0, "%k") as p:
            row = text.at(start, text.load("%across", p), kind)
            target = text.at("%to", text.mul(p, "%far"), kind)
            with text.loop(0, "%far", GROUP) as i:
                value = text.load(row, i, f"<{GROUP} x {kind}>", of=kind)
                text.store(value, target, i, f"<{GROUP} x {kind}>", of=kind)
        text.leave()
    with text.when("%is_row"):
        with text.loop(0, "%far", GROUP) as i:
            text.do(f"call void @pack_turned.{shape.suffix}(ptr %to, i64 %far, ptr %from, ptr %along, i64 %n, ptr %across, i64 %k, i64 {i})")
        text.leave()
    with text.loop(0, "%k") as p:
        row = text.at("%from", text.load("%across", p), kind)
        target = text.at("%to", text.mul(p, "%far"), kind)
        with text.loop(0, "%far") as i:
            place = text.load("%along", text.smaller(i, text.sub("%n", 1)))
            text.store(text.load(row, place, kind), target, i, kind)
    return text.finished()


def write_pack_turned(shape: Shape) -> str:
    """Eight rows become columns, eight places at a time."""
    kind, eight = shape.kind, f"<{GROUP} x {shape.kind}>"
    text = Text(f"internal void @pack_turned.{shape.suffix}(ptr noalias %to, i64 %far, ptr noalias %from, ptr noalias %along, i64 %n, ptr noalias %across, i64 %k, i64 %i) #0")
    last, begin = text.sub("%n", 1), text.at("%from", text.load("%across"), kind)
    rows = [text.at(begin, text.load("%along", text.smaller(text.add("%i", q), last)), kind) for q in range(GROUP)]
    target = text.at("%to", "%i", kind)
    whole = text.mul(text.div("%k", GROUP), GROUP)
    with text.loop(0, whole, GROUP) as p:
        values = [text.load(row, p, eight, of=kind) for row in rows]
        for _ in range(3):
            values = [half for q in range(4) for half in zipped(text, eight, values[q], values[q + 4])]
        for q, value in enumerate(values):
            text.store(value, target, text.mul(text.add(p, q), "%far"), eight, of=kind)
    with text.loop(whole, "%k") as p:
        for q, row in enumerate(rows):
            text.store(text.load(row, p, kind), target, text.add(text.mul(p, "%far"), q), kind)
    return text.finished()


def zipped(text: Text, kind: str, a: str, b: str) -> list[str]:
    """The entries of two vectors in turn: the first halves, and the second."""
    n = GROUP
    orders = ([k // 2 + (k % 2) * n for k in range(n)], [n // 2 + k // 2 + (k % 2) * n for k in range(n)])
    found = []
    for order in orders:
        mask = ", ".join(f"i32 {k}" for k in order)
        found.append(text.new(f"shufflevector {kind} {a}, {kind} {b}, <{n} x i32> <{mask}>"))
    return found


def write_is_run() -> str:
    """Whether places follow one another."""
    text = Text("internal i1 @is_run(ptr %along, i64 %n) #0")
    first = text.load("%along")
    with text.loop(1, "%n") as i:
        far = text.sub(text.load("%along", i), first)
        bad = text.test("ne", far, i)
        with text.when(bad):
            text.leave("i1 false")
    return text.finished("i1 true")
