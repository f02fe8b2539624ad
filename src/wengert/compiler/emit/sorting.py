"""Stable orders of lines: keys that sort as whole numbers, then one digit of 8 bits after the other, from the last to the first.

A digit that all keys share is passed over, so narrow dtypes take few passes; lines of few entries are sorted by insertion.  (D. E. Knuth,
The Art of Computer Programming, volume 3, 5.2.5 and 5.2.1.)  NaN comes last, and the two zeros are equal, as in NumPy.
"""

from __future__ import annotations

import numpy as np

from wengert.compiler.emit.text import Text
from wengert.compiler.loops import Sorting, dtype_name
from wengert.compiler.scalar import FLOATS, MEMORY

FEW = 24  # entries that are sorted by insertion

# The keys become sorted, and the places go with them; %k1 and %p1 are room for as many, %counts for 8 * 256 numbers.
ORDER = """\
define internal void @wg.order(ptr noalias %k0, ptr noalias %p0, ptr noalias %k1, ptr noalias %p1, ptr noalias %counts, i64 %n) #2 {
entry:
  %is_short = icmp sle i64 %n, FEW
  br i1 %is_short, label %insert, label %radix
insert:
  %i = phi i64 [1, %entry], [%i.next, %placed]
  %i.more = icmp slt i64 %i, %n
  br i1 %i.more, label %take, label %done
take:
  %key.at = getelementptr i64, ptr %k0, i64 %i
  %place.at = getelementptr i64, ptr %p0, i64 %i
  %key = load i64, ptr %key.at
  %place = load i64, ptr %place.at
  br label %shift
shift:
  %j = phi i64 [%i, %take], [%j.before, %move]
  %is_front = icmp eq i64 %j, 0
  br i1 %is_front, label %placed, label %look
look:
  %j.before = sub i64 %j, 1
  %other.at = getelementptr i64, ptr %k0, i64 %j.before
  %other = load i64, ptr %other.at
  %is_larger = icmp ugt i64 %other, %key
  br i1 %is_larger, label %move, label %placed
move:
  %other.place.at = getelementptr i64, ptr %p0, i64 %j.before
  %other.place = load i64, ptr %other.place.at
  %to.key = getelementptr i64, ptr %k0, i64 %j
  %to.place = getelementptr i64, ptr %p0, i64 %j
  store i64 %other, ptr %to.key
  store i64 %other.place, ptr %to.place
  br label %shift
placed:
  %in.key = getelementptr i64, ptr %k0, i64 %j
  %in.place = getelementptr i64, ptr %p0, i64 %j
  store i64 %key, ptr %in.key
  store i64 %place, ptr %in.place
  %i.next = add i64 %i, 1
  br label %insert
radix:
  call void @llvm.memset.p0.i64(ptr %counts, i8 0, i64 16384, i1 false)
  br label %count
count:
  %c = phi i64 [0, %radix], [%c.next, %counted]
  %c.at = getelementptr i64, ptr %k0, i64 %c
  %c.key = load i64, ptr %c.at
  br label %count.digit
count.digit:
  %cd = phi i64 [0, %count], [%cd.next, %count.digit]
  %cd.shift = shl i64 %cd, 3
  %cd.high = lshr i64 %c.key, %cd.shift
  %cd.digit = and i64 %cd.high, 255
  %cd.row = shl i64 %cd, 8
  %cd.index = or i64 %cd.row, %cd.digit
  %cd.at = getelementptr i64, ptr %counts, i64 %cd.index
  %cd.old = load i64, ptr %cd.at
  %cd.new = add i64 %cd.old, 1
  store i64 %cd.new, ptr %cd.at
  %cd.next = add i64 %cd, 1
  %cd.more = icmp slt i64 %cd.next, 8
  br i1 %cd.more, label %count.digit, label %counted
counted:
  %c.next = add i64 %c, 1
  %c.more = icmp slt i64 %c.next, %n
  br i1 %c.more, label %count, label %pass
pass:
  %d = phi i64 [0, %counted], [%d.next, %passed]
  %from.k = phi ptr [%k0, %counted], [%next.from.k, %passed]
  %from.p = phi ptr [%p0, %counted], [%next.from.p, %passed]
  %to.k = phi ptr [%k1, %counted], [%next.to.k, %passed]
  %to.p = phi ptr [%p1, %counted], [%next.to.p, %passed]
  %d.shift = shl i64 %d, 3
  %d.row = shl i64 %d, 8
  %table = getelementptr i64, ptr %counts, i64 %d.row
  %first = load i64, ptr %from.k
  %first.high = lshr i64 %first, %d.shift
  %first.digit = and i64 %first.high, 255
  %first.at = getelementptr i64, ptr %table, i64 %first.digit
  %first.count = load i64, ptr %first.at
  %is_shared = icmp eq i64 %first.count, %n
  br i1 %is_shared, label %passed, label %start
start:
  %b = phi i64 [0, %pass], [%b.next, %start]
  %total = phi i64 [0, %pass], [%total.next, %start]
  %b.at = getelementptr i64, ptr %table, i64 %b
  %b.count = load i64, ptr %b.at
  store i64 %total, ptr %b.at
  %total.next = add i64 %total, %b.count
  %b.next = add i64 %b, 1
  %b.more = icmp slt i64 %b.next, 256
  br i1 %b.more, label %start, label %scatter
scatter:
  %s = phi i64 [0, %start], [%s.next, %scatter]
  %s.key.at = getelementptr i64, ptr %from.k, i64 %s
  %s.place.at = getelementptr i64, ptr %from.p, i64 %s
  %s.key = load i64, ptr %s.key.at
  %s.place = load i64, ptr %s.place.at
  %s.high = lshr i64 %s.key, %d.shift
  %s.digit = and i64 %s.high, 255
  %s.count.at = getelementptr i64, ptr %table, i64 %s.digit
  %s.to = load i64, ptr %s.count.at
  %s.after = add i64 %s.to, 1
  store i64 %s.after, ptr %s.count.at
  %s.to.key = getelementptr i64, ptr %to.k, i64 %s.to
  %s.to.place = getelementptr i64, ptr %to.p, i64 %s.to
  store i64 %s.key, ptr %s.to.key
  store i64 %s.place, ptr %s.to.place
  %s.next = add i64 %s, 1
  %s.more = icmp slt i64 %s.next, %n
  br i1 %s.more, label %scatter, label %passed
passed:
  %next.from.k = phi ptr [%from.k, %pass], [%to.k, %scatter]
  %next.from.p = phi ptr [%from.p, %pass], [%to.p, %scatter]
  %next.to.k = phi ptr [%to.k, %pass], [%from.k, %scatter]
  %next.to.p = phi ptr [%to.p, %pass], [%from.p, %scatter]
  %d.next = add i64 %d, 1
  %d.more = icmp slt i64 %d.next, 8
  br i1 %d.more, label %pass, label %sorted
sorted:
  %is_home = icmp eq ptr %next.from.p, %p0
  br i1 %is_home, label %done, label %bring
bring:
  %n.bytes = shl i64 %n, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %p0, ptr %next.from.p, i64 %n.bytes, i1 false)
  br label %done
done:
  ret void
}""".replace("FEW", str(FEW))

SHARED = [ORDER]  # what a module with orders needs, once


def write_sorting(step: Sorting, name: str) -> str:
    """The text of `void @name(ptr %source, ptr %result)`."""
    text = Text(f"internal void @{name}(ptr %source, ptr %result) #0")
    n = step.source.shape[step.axis]
    memory = text.new(f"call ptr @wg_take(i64 {8 * (4 * n + 8 * 256)})")
    keys, places, more_keys, more_places, counts = (text.at(memory, k * n) for k in range(5))
    lengths = [m for k, m in enumerate(step.source.shape) if k != step.axis]
    strides = [[s for k, s in enumerate(view.strides) if k != step.axis] for view in (step.source, step.into)]
    kind = MEMORY[dtype_name(step.source.buffer.dtype)]

    def line(at: list[str]) -> None:
        source, into = (far(text, at, found, view.offset) for found, view in zip(strides, (step.source, step.into), strict=True))
        with text.loop(0, n) as i:
            value = text.load("%source", text.add(source, text.mul(i, step.source.strides[step.axis])), kind)
            text.store(key_of(text, value, dtype_name(step.source.buffer.dtype)), keys, i)
            text.store(i, places, i)
        text.do(f"call void @wg.order(ptr {keys}, ptr {places}, ptr {more_keys}, ptr {more_places}, ptr {counts}, i64 {n})")
        with text.loop(0, n) as i:
            text.store(text.load(places, i), "%result", text.add(into, text.mul(i, step.into.strides[step.axis])))

    def nested(at: list[str]) -> None:
        if len(at) == len(lengths):
            line(at)
            return
        with text.loop(0, lengths[len(at)]) as i:
            nested([*at, i])

    nested([])
    text.do(f"call void @wg_give(ptr {memory})")
    return text.finished()


def far(text: Text, letters: list[str], strides: list[int], offset: int) -> str:
    """How far a line begins from the first entry of a buffer."""
    total = text.new(f"add i64 0, {offset}")
    for letter, stride in zip(letters, strides, strict=True):
        total = text.add(total, text.mul(letter, stride))
    return total


def key_of(text: Text, value: str, dtype: str) -> str:
    """A whole number without sign that is larger where the value is."""
    if dtype in FLOATS:
        kind = FLOATS[dtype]
        wide = value if dtype == "float64" else text.new(f"fpext float {value} to double")
        bits = text.new(f"bitcast double {text.new(f'fadd double {wide}, 0.0')} to i64")
        flip = text.new(f"or i64 {text.new(f'ashr i64 {bits}, 63')}, {-(2**63)}")
        is_nan = text.new(f"fcmp uno {kind} {value}, {value}")
        return text.choose(is_nan, "-1", text.new(f"xor i64 {bits}, {flip}"))
    size = 8 * np.dtype(dtype).itemsize
    is_signed = np.dtype(dtype).kind == "i"
    wide = value if size == 64 else text.new(f"{'sext' if is_signed else 'zext'} i{size} {value} to i64")
    return text.new(f"xor i64 {wide}, {-(2**63)}") if is_signed else wide
