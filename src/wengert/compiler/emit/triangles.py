"""Products with triangles, as LLVM text: what need not be multiplied, and what is 0 of the result.

Of a triangular left factor a panel of rows meets the places of the sum up to its diagonal, or from there on; of a right one, a panel of
columns.  Where the other factor is not finite, zeros beyond the diagonal make NaN of it, as in NumPy, and nothing is passed over.
"""

from __future__ import annotations

from wengert.compiler.emit.context import CONTEXT, KEPT, LOOKS, TRIANGLES, Numbers
from wengert.compiler.emit.text import Text
from wengert.compiler.emit.tiles import Shape


def has(text: Text, flags: str, wanted: int) -> str:
    """Whether one of some flags is set."""
    return text.test("ne", text.new(f"and i64 {flags}, {wanted}"), 0)


def places(text: Text, flags: str, k: str, top: str, bottom: str, first: str, past: str) -> tuple[str, str]:
    """From and up to which places of the sum rows `top..bottom` meet columns `first..past`."""
    low = text.choose(has(text, flags, TRIANGLES["right lower"]), first, text.choose(has(text, flags, TRIANGLES["left upper"]), top, "0"))
    high = text.choose(has(text, flags, TRIANGLES["right upper"]), past, text.choose(has(text, flags, TRIANGLES["left lower"]), bottom, k))
    return low, text.smaller(high, k)


def is_beyond(text: Text, flags: str, top: str, bottom: str, first: str, past: str) -> str:
    """Whether rows and columns meet only where the result is 0."""
    above = text.both(has(text, flags, KEPT["lower"]), text.test("sge", first, bottom))
    below = text.both(has(text, flags, KEPT["upper"]), text.test("sle", past, top))
    return text.new(f"or i1 {above}, {below}")


def write_clear(shape: Shape) -> str:
    """What is beyond the diagonal is 0, in some rows and columns: `void @clear(context, c, i0, i1, j0, j1)`."""
    text = Text(f"internal void @clear.{shape.suffix}(ptr %context, ptr %c, i64 %i0, i64 %i1, i64 %j0, i64 %j1) #0")
    context = Numbers(text, "%context", CONTEXT)
    rows, columns, runs = context.get("row_into", "ptr"), context.get("column_into", "ptr"), text.test("ne", context.get("into_runs"), 0)
    is_lower = has(text, context.get("flags"), KEPT["lower"])
    with text.loop("%i0", "%i1") as i:
        first = text.choose(is_lower, text.larger("%j0", text.add(i, 1)), "%j0")
        past = text.choose(is_lower, "%j1", text.smaller("%j1", i))
        row = text.at("%c", text.load(rows, i), shape.kind)
        with text.when(text.both(runs, text.test("slt", first, past))):
            size = text.mul(text.sub(past, first), shape.item)
            text.do(f"call void @llvm.memset.p0.i64(ptr {text.at(row, text.load(columns, first), shape.kind)}, i8 0, i64 {size}, i1 false)")
        with text.when(text.new(f"xor i1 {runs}, true")), text.loop(first, past) as j:
            text.store("0.0", row, text.load(columns, j), shape.kind)
    return text.finished()


def write_look_at_other(shape: Shape) -> str:
    """The factor beside a triangle: if it is not finite, the context says nothing of the triangle any more: `void @look(context)`."""
    text = Text(f"internal void @look.{shape.suffix}(ptr %context) #0")
    context = Numbers(text, "%context", CONTEXT)
    flags = context.get("flags")
    none = text.new(f"and i64 {flags}, {~sum(TRIANGLES.values())}")
    is_left = has(text, flags, TRIANGLES["left lower"] | TRIANGLES["left upper"])
    other = text.choose(is_left, context.get("right", "ptr"), context.get("left", "ptr"), "ptr")
    along = text.choose(is_left, context.get("column_right", "ptr"), context.get("row_left", "ptr"), "ptr")
    across = text.choose(is_left, context.get("inner_right", "ptr"), context.get("inner_left", "ptr"), "ptr")
    n, k = text.choose(is_left, context.get("n"), context.get("m")), context.get("k")
    is_row = text.test("ne", text.choose(is_left, context.get("right_runs"), context.get("left_runs")), 0)
    lines, line = text.choose(is_row, along, across, "ptr"), text.choose(is_row, across, along, "ptr")
    n_lines, length = text.choose(is_row, n, k), text.choose(is_row, k, n)
    with text.loop(0, n_lines) as q:
        row = text.at(other, text.load(lines, q), shape.kind)
        with text.when(text.new(f"call i1 @is_wild.{shape.suffix}(ptr {row}, ptr {line}, i64 0, i64 {length})")):
            context.set("flags", none)
            text.leave()
    return text.finished()


def look_where_asked(text: Text, shape: Shape, context: Numbers) -> None:
    """The look at the other factor, if the specification asks for it."""
    with text.when(has(text, context.get("flags"), LOOKS)):
        text.do(f"call void @look.{shape.suffix}(ptr {context.pointer})")
