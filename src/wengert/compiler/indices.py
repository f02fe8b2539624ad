"""Index maps: which entry of an operand an entry of the result comes from.

The place along one axis is an affine function of the letters of a nest, `c[0] + c[1] i + c[2] j + ...`, written as the tuple `c`.
The index of an entry has one such function for each axis.  Moves (permute, spread, reshape, slices) take an index of their result to
an index of their operand; a move that cannot be said so returns `None`, and its operand is laid out in memory first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from wengert.compiler.loops import Shape

Affine = tuple[int, ...]
Index = tuple[Affine, ...]
Move = Callable[[Index, Shape, Shape, Mapping[str, Any], Shape], Index | None]


def constant(value: int, n: int) -> Affine:
    """A place that no letter changes."""
    return (value, *[0] * n)


def letter(k: int, n: int) -> Affine:
    """The letter number `k` of `n`."""
    return (0, *[int(j == k) for j in range(n)])


def is_constant(place: Affine) -> bool:
    """Whether no letter takes part."""
    return not any(place[1:])


def times(place: Affine, factor: int) -> Affine:
    """A multiple of a place."""
    return tuple([c * factor for c in place])


def plus(a: Affine, b: Affine) -> Affine:
    """The sum of two places."""
    return tuple([x + y for x, y in zip(a, b, strict=True)])


def spread_index(index: Index, source: Shape, shape: Shape) -> Index:
    """Where a repeated array is read: at 0 along the axes on which it was repeated."""
    extra = len(shape) - len(source)
    rest = index[extra:]
    if source == shape[extra:]:
        return rest
    return tuple([i if n == m else (0,) * len(i) for i, n, m in zip(rest, source, shape[extra:], strict=True)])


def _spread(index: Index, source: Shape, shape: Shape, params: Mapping[str, Any], space: Shape) -> Index:
    return spread_index(index, source, shape)


def _permute(index: Index, source: Shape, shape: Shape, params: Mapping[str, Any], space: Shape) -> Index:
    found: list[Any] = [None] * len(source)
    for place, axis in zip(index, params["axes"], strict=True):
        found[axis] = place
    return tuple(found)


def _reshape(index: Index, source: Shape, shape: Shape, params: Mapping[str, Any], space: Shape) -> Index | None:
    """Axes that lie in the same group are one long axis, which is cut again."""
    n = len(space) + 1
    result: list[Affine] = []
    for olds, news in reshape_groups(source, shape):
        total: Affine = (0,) * n
        for axis in news:
            total = plus(times(total, shape[axis]), index[axis])
        parts = cut(total, [source[axis] for axis in olds], space)
        if parts is None:
            return None
        result += parts
    return tuple(result)


def reshape_groups(source: Shape, shape: Shape) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of one size in the smallest groups of equal products, in order."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(source) or j < len(shape):
        olds, news = list(range(i, len(source))[:1]), list(range(j, len(shape))[:1])
        while (a := math.prod(source[k] for k in olds)) != (b := math.prod(shape[k] for k in news)):
            if a < b:
                olds.append(i + len(olds))
            else:
                news.append(j + len(news))
        groups.append((olds, news))
        i, j = i + len(olds), j + len(news)
    return groups


def cut(place: Affine, lengths: list[int], space: Shape) -> list[Affine] | None:
    """A place along one long axis as places along axes of these lengths; `None` where that is not affine."""
    parts: list[Affine] = []
    for n in reversed(lengths[1:]):
        low = tuple([c % n for c in place])
        largest = low[0] + sum(c * (m - 1) for c, m in zip(low[1:], space, strict=True))
        if largest >= n:
            return None
        parts.append(low)
        place = tuple([(c - r) // n for c, r in zip(place, low, strict=True)])
    return [*([place] if lengths else []), *reversed(parts)]


def basic_parts(layout: Any, rank: int) -> list[Any]:
    """The parts of an index without ellipsis, with a full slice for every axis that it does not name."""
    parts = list(layout) if isinstance(layout, tuple) else [layout]
    used = sum(part is not None and part is not Ellipsis for part in parts)
    rest = [slice(None)] * (rank - used)
    for k, part in enumerate(parts):
        if part is Ellipsis:
            return parts[:k] + rest + parts[k + 1 :]
    return parts + rest


def is_basic(layout: Any) -> bool:
    """Whether an index consists of slices, numbers, new axes and an ellipsis."""
    parts = layout if isinstance(layout, tuple) else (layout,)
    return not any(isinstance(part, (str, bool)) for part in parts)


def _index(index: Index, source: Shape, shape: Shape, params: Mapping[str, Any], space: Shape) -> Index:
    n = len(space)
    rest = iter(index)
    found: list[Affine] = []
    for part in basic_parts(params["layout"], len(source)):
        if part is None:
            next(rest)
            continue
        length = source[len(found)]
        if isinstance(part, slice):
            start, _, step = part.indices(length)
            place = next(rest)
            found.append(plus(times(place, step), constant(start, n)) if (start, step) != (0, 1) else place)
        else:
            found.append(constant(int(part) % length, n))
    return tuple(found)


def _windows(index: Index, source: Shape, shape: Shape, params: Mapping[str, Any], space: Shape) -> Index:
    """The place of a window, and the place in it, are added."""
    found = list(index[: len(source)])
    for axis, place in zip(params["axis"], index[len(source) :], strict=True):
        found[axis] = plus(found[axis], place)
    return tuple(found)


def _part(index: Index, source: Shape, shape: Shape, params: Mapping[str, Any], space: Shape) -> Index:
    """One of the numbers that lie side by side along the last axis."""
    return (*index, constant(params["k"], len(space)))


MOVES: dict[str, Move] = {
    "spread": _spread, "permute": _permute, "reshape": _reshape, "index": _index, "windows": _windows, "part": _part,
}  # fmt: skip
