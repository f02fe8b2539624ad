"""Sums of windows: the gradient of `x[1:] - x[:-1]` and its like, as loops that add what they need.

The ends of the windows cut the array into boxes; in each the same windows overlap, and their values are added in one pass.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

from wengert.compiler.indices import Index, basic_parts, constant
from wengert.compiler.loops import Shape
from wengert.core.graph import Node

MOST = 27  # boxes of one sum
SMALLEST = 16  # entries of a window

Box = tuple[range, ...]


def window_of(node: Node | None, shape: Shape) -> Box | None:
    """The places of an array that a deposit touches: a range on every axis; `None` if there are gaps."""
    if node is None:
        return tuple([range(n) for n in shape])
    if len(node.operands) > 1:
        return None
    found: list[range] = []
    for part in basic_parts(node.params["layout"], len(shape)):
        if part is None:
            continue
        n = shape[len(found)]
        taken = range(*part.indices(n)) if isinstance(part, slice) else range(int(part) % n, int(part) % n + 1)
        if taken.step != 1:
            return None
        found.append(taken)
    return tuple(found)


def boxes_of(windows: list[Box], shape: Shape) -> list[Box]:
    """The boxes into which the ends of windows cut an array."""
    axes = []
    for axis, n in enumerate(shape):
        ends = sorted({0, n, *[end for window in windows for end in (window[axis].start, window[axis].stop)]})
        axes.append([range(a, b) for a, b in pairwise(ends)])
    return list(product(*axes))


def covers(window: Box, box: Box) -> bool:
    """Whether a box lies in a window; it is in or out as a whole."""
    return all(part.start in taken for part, taken in zip(box, window, strict=True))


def index_in(node: Node | None, window: Box, box: Box, rank: int) -> Index:
    """The index in what is deposited, from the letters of a box."""
    n = len(box)
    at = [(part.start - taken.start, *[int(j == k) for j in range(n)]) for k, (part, taken) in enumerate(zip(box, window, strict=True))]
    if node is None:
        return tuple(at)
    found: list[Any] = []
    axes = iter(at)
    for part in basic_parts(node.params["layout"], len(window)):
        if part is None:
            found.append(constant(0, n))
        elif isinstance(part, slice):
            found.append(next(axes))
        else:
            next(axes)
    assert len(found) == rank
    return tuple(found)
