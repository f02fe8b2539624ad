"""What the rows are in a step, and whether it can take them one after the other."""

from __future__ import annotations

import math

from wengert.compiler.loops import Buffer, LoopNest, MatrixProduct, Place, Shape, Step, View

MEMBER = 2**18  # bytes of a matrix that every tile reads
SHARED = 2**18  # and of all of them, or as many as the other factor has


def row_of(buffer: Buffer, n: int) -> int:
    """How many elements a row of a buffer has, if its first axis counts rows; 0 if it does not."""
    return buffer.size // n if buffer.shape and buffer.shape[0] == n else 0


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


def rows_in(step: Step, n: int, inside: set[Buffer]) -> int | str | None:
    """What the rows are in a step, given the buffers that the band has written; `None` if it cannot join."""
    if isinstance(step, LoopNest):
        for letter, length in enumerate(step.space):
            if length == n and nest_fits(step, letter, n, inside):
                return letter
    elif isinstance(step, MatrixProduct) and step.is_matrix:
        m, k = step.left.shape[-2:]
        if m == n and product_fits(step, n, inside):
            return "m"
        if k == n and sum_fits(step, n, inside):
            return "k"
    return None


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
