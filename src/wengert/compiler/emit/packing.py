"""Laying out factors of a product in the order in which its tiles read them, as LLVM text."""

from __future__ import annotations

from wengert.compiler.emit.context import AXIS
from wengert.compiler.emit.text import Text
from wengert.compiler.emit.tiles import Shape

SLACK = 8  # places beyond the end of a table that may be written to


def write_pack(shape: Shape) -> str:
    """`to[p * far + i] = from[along[i] + across[p]]`: `void @pack(to, far, from, along, before, n, used, across, k, i1 is_row)`.

    `far` is one or two vectors, and holds `n`; what is left of it, and what comes after the first `used`, is filled with anything.  There are `before` places before `along` in
    its table.  `is_row` says that `across` counts one by one.
    """
    lanes = shape.lanes
    text = Text(
        f"internal void @pack.{shape.suffix}(ptr noalias %to, i64 %far, ptr noalias %from, ptr noalias %along, i64 %before, i64 %n, i64 %used, ptr noalias %across, i64 %k, i1 %is_row) #0"
    )
    last = text.sub("%n", 1)
    is_used_run = text.new("call i1 @is_run(ptr %along, i64 %used)")
    reaches = text.test("sge", text.sub(text.load("%along", last), text.load("%along")), last)  # so there is something to be read
    with text.when(text.both(text.both(is_used_run, reaches), text.test("sge", "%n", lanes))):
        pack_vectors(text, shape, "0")
        text.leave()
    is_run = text.new("call i1 @is_run(ptr %along, i64 %n)")
    is_after = text.both(is_run, text.test("sge", text.add("%before", "%n"), lanes))
    with text.when(is_after):
        back = text.at("%along", text.sub("%n", lanes))
        with text.when(text.new(f"call i1 @is_run(ptr {back}, i64 {lanes})")):
            pack_entries(text, shape, "0", "1")
            pack_vectors(text, shape, "1")
            text.leave()
    with text.when("%is_row"):
        with text.loop(0, "%far", lanes) as i:
            text.do(f"call void @pack_turned.{shape.suffix}(ptr %to, i64 %far, ptr %from, ptr %along, i64 %n, ptr %across, i64 %k, i64 {i})")
        text.leave()
    with text.loop(0, "%k", lanes) as p:  # a vector's worth of places, which may follow one another
        past = text.smaller(text.add(p, lanes), "%k")
        here, depth = text.at("%across", p), text.sub(past, p)
        is_part = text.both(text.test("eq", depth, lanes), text.new(f"call i1 @is_run(ptr {here}, i64 {depth})"))
        with text.when(is_part):
            target = text.at("%to", text.mul(p, "%far"), shape.kind)
            with text.loop(0, "%far", lanes) as i:
                text.do(f"call void @pack_turned.{shape.suffix}(ptr {target}, i64 %far, ptr %from, ptr %along, i64 %n, ptr {here}, i64 {depth}, i64 {i})")
        with text.when(text.new(f"xor i1 {is_part}, true")):
            pack_entries(text, shape, p, past)
    return text.finished()


def pack_vectors(text: Text, shape: Shape, first: str) -> None:
    """Whole vectors at a time; the last ends where the entries end.

    Where they are fewer than a vector, what comes before them goes to the end of the row before, which nobody reads.
    """
    start = text.at("%from", text.load("%along"), shape.kind)
    shift = text.sub("%n", shape.lanes)
    for is_double in (False, True):
        with text.when(text.test("eq", "%far", shape.width if is_double else shape.lanes)), text.loop(first, "%k") as p:
            row = text.at(start, text.load("%across", p), shape.kind)
            target = text.at("%to", text.mul(p, "%far"), shape.kind)
            if is_double:
                text.store(text.load(row, 0, shape.vector, of=shape.kind), target, 0, shape.vector, of=shape.kind)
            text.store(text.load(row, shift, shape.vector, of=shape.kind), target, shift, shape.vector, of=shape.kind)


def pack_entries(text: Text, shape: Shape, first: str, past: str) -> None:
    """One entry at a time, at some places of the sum."""
    last = text.sub("%n", 1)
    with text.loop(first, past) as p:
        row = text.at("%from", text.load("%across", p), shape.kind)
        target = text.at("%to", text.mul(p, "%far"), shape.kind)
        with text.loop(0, "%far") as i:
            place = text.load("%along", text.smaller(i, last))
            text.store(text.load(row, place, shape.kind), target, i, shape.kind)


def write_pack_turned(shape: Shape) -> str:
    """As many rows as a vector has entries become columns, from row `i` on."""
    kind, lanes = shape.kind, shape.lanes
    text = Text(
        f"internal void @pack_turned.{shape.suffix}(ptr noalias %to, i64 %far, ptr noalias %from, ptr noalias %along, i64 %n, ptr noalias %across, i64 %k, i64 %i) #0"
    )
    last, begin = text.sub("%n", 1), text.at("%from", text.load("%across"), kind)
    rows = [text.at(begin, text.load("%along", text.smaller(text.add("%i", q), last)), kind) for q in range(lanes)]
    target = text.at("%to", "%i", kind)
    whole = text.mul(text.div("%k", lanes), lanes)
    with text.loop(0, whole, lanes) as p:
        values = [text.load(row, p, shape.vector, of=kind) for row in rows]
        for _ in range(lanes.bit_length() - 1):
            half = lanes // 2
            values = [part for q in range(half) for part in zipped(text, shape, values[q], values[q + half])]
        for q, value in enumerate(values):
            text.store(value, target, text.mul(text.add(p, q), "%far"), shape.vector, of=kind)
    with text.loop(whole, "%k") as p:
        for q, row in enumerate(rows):
            text.store(text.load(row, p, kind), target, text.add(text.mul(p, "%far"), q), kind)
    return text.finished()


def zipped(text: Text, shape: Shape, a: str, b: str) -> list[str]:
    """The entries of two vectors in turn: the first halves, and the second."""
    n = shape.lanes
    orders = ([k // 2 + (k % 2) * n for k in range(n)], [n // 2 + k // 2 + (k % 2) * n for k in range(n)])
    found = []
    for order in orders:
        mask = ", ".join(f"i32 {k}" for k in order)
        found.append(text.new(f"shufflevector {shape.vector} {a}, {shape.vector} {b}, <{n} x i32> <{mask}>"))
    return found


# --- tables of places -------------------------------------------------------------------------------------------------

_EIGHT = "<8 x i64>"
_COUNT = "<" + ", ".join(f"i64 {k}" for k in range(8)) + ">"


def splat(text: Text, number: str) -> str:
    """A vector of one whole number."""
    first = text.new(f"insertelement {_EIGHT} poison, i64 {number}, i64 0")
    return text.new(f"shufflevector {_EIGHT} {first}, {_EIGHT} poison, <8 x i32> zeroinitializer")


def write_is_run() -> str:
    """Whether places follow one another."""
    text = Text("internal i1 @is_run(ptr %along, i64 %n) #0")
    first = text.load("%along")
    whole = text.mul(text.div("%n", 8), 8)
    start = text.new(f"add {_EIGHT} {splat(text, first)}, {_COUNT}")
    with text.loop(0, whole, 8) as i:
        expected = text.new(f"add {_EIGHT} {start}, {splat(text, i)}")
        bits = text.new(f"icmp ne {_EIGHT} {text.load('%along', i, _EIGHT, of='i64')}, {expected}")
        bits = text.new(f"bitcast <8 x i1> {bits} to i8")
        with text.when(text.new(f"icmp ne i8 {bits}, 0")):
            text.leave("i1 false")
    with text.loop(whole, "%n") as i, text.when(text.test("ne", text.sub(text.load("%along", i), first), i)):
        text.leave("i1 false")
    return text.finished("i1 true")


def write_is_even() -> str:
    """Whether places are equally far apart."""
    text = Text("internal i1 @is_even(ptr %along, i64 %n, i64 %far) #0")
    first = text.load("%along")
    with text.loop(1, "%n") as i, text.when(text.test("ne", text.sub(text.load("%along", i), first), text.mul(i, "%far"))):
        text.leave("i1 false")
    return text.finished("i1 true")


def write_is_run_or() -> str:
    """Whether places follow one another, which may be known."""
    text = Text("internal i1 @is_run_or(i1 %known, ptr %along, i64 %n) #0")
    with text.when("%known"):
        text.leave("i1 true")
    found = text.new("call i1 @is_run(ptr %along, i64 %n)")
    return text.finished(f"i1 {found}")


def write_table() -> str:
    """Where the entries along some axes lie: `void @table(out, axes, n_axes, which, from, to)`; the outermost runs from..to only.

    The innermost axis is written first, then repeated along the others, the last repetition first.  Up to `SLACK` places beyond the end
    are written to as well.
    """
    text = Text("internal void @table(ptr noalias %out, ptr noalias %axes, i64 %n, i64 %which, i64 %from, i64 %to) #0")
    text.store("0", "%out")
    size = text.new("alloca i64")
    text.store("1", size)
    with text.loop(0, "%n") as k:
        axis = text.at("%axes", text.mul(text.sub(text.sub("%n", 1), k), AXIS))
        outermost = text.test("eq", k, text.sub("%n", 1))
        low = text.choose(outermost, "%from", "0")
        high = text.choose(outermost, "%to", text.load(axis))
        stride, now = text.load(axis, "%which"), text.load(size)
        span = text.sub(high, low)
        with text.when(text.test("eq", k, 0)):
            count_up(text, text.mul(low, stride), stride, span)
        with text.when(text.test("ne", k, 0)), text.loop(0, span) as back:
            place = text.sub(text.sub(high, 1), back)
            repeat(text, now, text.mul(text.sub(place, low), now), text.mul(place, stride))
        text.store(text.mul(now, span), size)
    return text.finished()


def count_up(text: Text, first: str, stride: str, n: str) -> None:
    """`out[q] = first + q * stride`."""
    steps = text.new(f"mul {_EIGHT} {splat(text, stride)}, {_COUNT}")
    with text.loop(0, n, 8) as q:
        start = text.add(first, text.mul(q, stride))
        text.store(text.new(f"add {_EIGHT} {steps}, {splat(text, start)}"), "%out", q, _EIGHT, of="i64")


def repeat(text: Text, n: str, at: str, far: str) -> None:
    """`out[at + t] = out[t] + far`; the first repetition lies on what is repeated."""
    target, add = text.at("%out", at), splat(text, far)
    whole = text.mul(text.div(n, 8), 8)
    with text.loop(0, whole, 8) as t:
        value = text.new(f"add {_EIGHT} {text.load('%out', t, _EIGHT, of='i64')}, {add}")
        text.store(value, target, t, _EIGHT, of="i64")
    with text.loop(whole, n) as t:
        text.store(text.add(text.load("%out", t), far), target, t)
