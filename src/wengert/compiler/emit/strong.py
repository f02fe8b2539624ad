"""Strong zeros of a product: entries that came out as NaN are taken again."""

from __future__ import annotations

from collections.abc import Callable

from wengert.compiler.emit.context import CONTEXT, Numbers
from wengert.compiler.emit.text import Text
from wengert.compiler.emit.tiles import Shape


def write_repair(shape: Shape) -> str:
    """Where a sum of products is NaN, it is taken again without the products that have a factor 0."""
    kind = shape.kind
    text = Text(f"internal void @repair.{shape.suffix}(ptr %context, ptr noalias %a, ptr noalias %b, ptr %c, ptr %d, i64 %i0, i64 %i1, i64 %j0, i64 %j1) #0")
    context = Numbers(text, "%context", CONTEXT)
    bare = text.new("icmp eq ptr %d, null")
    onto = text.choose(bare, "%c", "%d", "ptr")
    row_left, row_into, column_right, column_into = (context.get(name, "ptr") for name in ("row_left", "row_into", "column_right", "column_into"))
    with text.loop("%i0", "%i1") as i:
        row = text.load(row_into, i)
        some = text.new(f"call i1 @has_nan.{shape.suffix}(ptr {text.at('%c', row, kind)}, ptr {column_into}, i64 %j0, i64 %j1)")
        with text.when(some), text.loop("%j0", "%j1") as j:
            place = text.add(row, text.load(column_into, j))
            value = text.load("%c", place, kind)
            with text.when(text.new(f"fcmp uno {kind} {value}, {value}")):
                left, right = text.at("%a", text.load(row_left, i), kind), text.at("%b", text.load(column_right, j), kind)
                before = text.choose(bare, "-0.0", text.load(onto, place, kind), kind)
                again = text.new(f"call {kind} @strong_sum.{shape.suffix}(ptr %context, ptr {left}, ptr {right}, {kind} {before})")
                text.store(again, "%c", place, kind)
    return text.finished()


def write_has_nan(shape: Shape) -> str:
    """Whether an entry of a row is NaN."""
    return write_look(shape, "has_nan", lambda text, value, kind: value)


def write_is_wild(shape: Shape) -> str:
    """Whether an entry of a row is infinite or NaN."""
    return write_look(shape, "is_wild", lambda text, value, kind: text.new(f"fsub {kind} {value}, {value}"))


def write_look(shape: Shape, name: str, seen: Callable[[Text, str, str], str]) -> str:
    """Whether what is seen of an entry of a row is NaN: a vector at a time where the columns lie one after the other."""
    kind, lanes = shape.kind, shape.lanes
    text = Text(f"internal i1 @{name}.{shape.suffix}(ptr %row, ptr noalias %columns, i64 %j0, i64 %j1) #0")
    slot, start = text.new("alloca i1"), text.new("alloca i64")
    text.do(f"store i1 false, ptr {slot}")
    text.store("%j0", start)
    first, last = text.load("%columns", "%j0"), text.load("%columns", text.sub("%j1", 1))
    with text.when(text.test("eq", text.sub(last, first), text.sub(text.sub("%j1", 1), "%j0"))):
        stop = text.sub("%j1", text.rest(text.sub("%j1", "%j0"), lanes))
        text.store(stop, start)
        with text.loop("%j0", stop, lanes) as j:
            values = seen(text, text.load("%row", text.add(first, text.sub(j, "%j0")), shape.vector, of=kind), shape.vector)
            are_nan = text.new(f"fcmp uno {shape.vector} {values}, {values}")
            bits = text.new(f"bitcast <{lanes} x i1> {are_nan} to i{lanes}")
            text.store(text.new(f"or i1 {text.load(slot, 0, 'i1')}, {text.new(f'icmp ne i{lanes} {bits}, 0')}"), slot, 0, "i1")
    with text.loop(text.load(start), "%j1") as j:
        value = seen(text, text.load("%row", text.load("%columns", j), kind), kind)
        before, is_nan = text.load(slot, 0, "i1"), text.new(f"fcmp uno {kind} {value}, {value}")
        bad = text.new(f"or i1 {before}, {is_nan}")
        text.do(f"store i1 {bad}, ptr {slot}")
    return text.finished(f"i1 {text.load(slot, 0, 'i1')}")


def write_strong_sum(shape: Shape) -> str:
    """One entry, onto what was there before, with products that are 0 where a factor is 0."""
    kind, zero = shape.kind, "0.0"
    text = Text(f"internal {kind} @strong_sum.{shape.suffix}(ptr %context, ptr noalias %a, ptr noalias %b, {kind} %before) #0")
    context = Numbers(text, "%context", CONTEXT)
    inner_left, inner_right = context.get("inner_left", "ptr"), context.get("inner_right", "ptr")
    total = text.new(f"alloca {kind}")
    text.store(zero, total, 0, kind)
    with text.loop(0, context.get("k")) as p:
        x, y = text.load("%a", text.load(inner_left, p), kind), text.load("%b", text.load(inner_right, p), kind)
        none = text.new(f"or i1 {text.new(f'fcmp oeq {kind} {x}, {zero}')}, {text.new(f'fcmp oeq {kind} {y}, {zero}')}")
        term = text.choose(none, zero, text.new(f"fmul {kind} {x}, {y}"), kind)
        text.store(text.new(f"fadd {kind} {text.load(total, 0, kind)}, {term}"), total, 0, kind)
    term = text.new(f"fmul {kind} {context.get('alpha', kind)}, {text.load(total, 0, kind)}")
    return text.finished(f"{kind} {text.new(f'fadd {kind} %before, {term}')}")
