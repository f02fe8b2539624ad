"""What the rows are in a step, and whether it can take them one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from operator import mul

from wengert.compiler.emit.order import Loops, order_loops
from wengert.compiler.loops import Buffer, LoopNest, MatrixProduct, Op, Place, Reduction, Shape, Step, Store, View

MEMBER = 2**18  # bytes of a matrix that every tile reads
SHARED = 2**18  # and of all of them, or as many as the other factor has


def row_of(buffer: Buffer, n: int) -> int:
    """How many elements a row of a buffer has, if its first axes together count rows; 0 if they do not."""
    return buffer.size // n if n in accumulate(buffer.shape, mul) else 0


def stays_in_row(strides: Shape, offset: int, lengths: Shape, axis: int, row: int) -> bool:
    """Whether an access at row `i` of its space touches row `i` of its buffer only."""
    if not row or strides[axis] != row:
        return False
    ends = [s * (m - 1) for k, (s, m) in enumerate(zip(strides, lengths, strict=True)) if k != axis]
    low, high = offset + sum(min(e, 0) for e in ends), offset + sum(max(e, 0) for e in ends)
    return low >= 0 and high < row


def place_fits(place: Place, space: Shape, letter: int, n: int) -> bool:
    """The same of a place in a nest."""
    return not place.steps and stays_in_row(place.strides, place.offset, space, letter, row_of(place.buffer, n))


def view_fits(view: View, axis: int, n: int) -> bool:
    """The same of a matrix of a product."""
    return stays_in_row(view.strides, view.offset, view.shape, len(view.shape) + axis, row_of(view.buffer, n))


def rows_in(step: Step, n: int, inside: set[Buffer]) -> tuple[LoopNest | MatrixProduct, int | str] | None:
    """A step with `n` rows and what the rows are in it, given the buffers that the band has written; `None` if it cannot join."""
    if isinstance(step, LoopNest):
        for nest in with_letter(step, n):
            for letter, length in enumerate(nest.space):
                if length == n and nest_fits(nest, letter, n, inside):
                    return nest, letter
    elif isinstance(step, MatrixProduct) and step.is_matrix:
        m, k = step.left.shape[-2:]
        if m == n and product_fits(step, n, inside):
            return step, "m"
        if k == n and sum_fits(step, n, inside):
            return step, "k"
    return None


def with_letter(nest: LoopNest, n: int) -> Iterator[LoopNest]:
    """A nest, and others that do the same and have a letter of length `n`: neighbours that every access walks as one are one, and cut anew."""
    yield nest
    if math.prod(nest.space) % n or any(op.code == "letter" for op in nest.ops):
        return
    merged = along(nest, order_loops(nest, is_kept=True))
    for letter, length in enumerate(merged.space):
        if length == n:
            yield merged
        elif length % n == 0:
            yield cut(merged, letter, n)


def along(nest: LoopNest, loops: Loops) -> LoopNest:
    """The same nest with a letter for each loop that is run."""
    return with_letters(nest, loops.lengths, loops.strides, loops.letters)


def cut(nest: LoopNest, letter: int, n: int) -> LoopNest:
    """The same nest with two letters for one, the first of them of length `n`."""
    inner = nest.space[letter] // n

    def strides(place: Place) -> Shape:
        return (*place.strides[:letter], place.strides[letter] * inner, *place.strides[letter:])

    def letters(old: Shape) -> Shape:
        return tuple([k + (k > letter) for k in old] + ([letter + 1] if letter in old else []))

    return with_letters(nest, (*nest.space[:letter], n, inner, *nest.space[letter + 1 :]), strides, letters)


def with_letters(nest: LoopNest, space: Shape, strides: Callable[[Place], Shape], letters: Callable[[Shape], Shape]) -> LoopNest:
    """The same nest over other letters."""

    def moved(place: Place) -> Place:
        return replace(place, strides=strides(place))

    ops = [op if op.place is None else Op(op.code, op.operands, op.dtype, moved(op.place), op.literal) for op in nest.ops]
    stores = [Store(store.op, moved(store.place), store.gathers, store.adds) for store in nest.stores]
    totals = [Reduction(r.op, letters(r.letters), moved(r.place), r.combine) for r in nest.reductions]
    return LoopNest(space, nest.level, ops, stores, totals)


def sum_fits(step: MatrixProduct, n: int, inside: set[Buffer]) -> bool:
    """Whether a product that sums over the rows can be added up tile by tile, and has a small result for that."""
    factors = ((step.left, -1), (step.right, -2))
    is_small = 4 * step.result.n_bytes <= sum(math.prod(view.shape) * view.buffer.dtype.itemsize for view, _ in factors)
    return is_small and all(view.buffer not in inside or view_fits(view, axis, n) for view, axis in factors)


def nest_fits(nest: LoopNest, letter: int, n: int, inside: set[Buffer]) -> bool:
    """Whether a nest can take the rows of this letter one after the other."""
    if any(store.adds for store in nest.stores):
        return False
    written = [store.place for store in nest.stores] + [r.place for r in nest.reductions if letter not in r.letters]
    known = inside.union(nest.writes())  # what a nest reads of its own results is what it wrote a place before
    read = [op.place for op in nest.ops if op.place is not None and op.place.buffer in known]
    return all(place_fits(place, nest.space, letter, n) for place in written + read)


def product_fits(step: MatrixProduct, n: int, inside: set[Buffer]) -> bool:
    """Whether a product can take the rows of its left factor one after the other."""
    shared, (k, columns) = step.right.buffer, step.right.shape[-2:]
    is_small = k * columns * shared.dtype.itemsize <= MEMBER and shared.n_bytes <= step.left.buffer.n_bytes
    is_few = shared.n_bytes <= SHARED or len(step.left.shape) > 2
    if shared in inside or not is_small or not is_few or not view_fits(step.into, -2, n):
        return False
    return step.left.buffer not in inside or view_fits(step.left, -2, n)
