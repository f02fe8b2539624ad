"""Selections said by moves: where every entry of the result comes from is found by running the card on positions.

::

    y = roll x {shift=(1,)}   ->   a = index x {layout=(slice(n-1, n),)}; b = index x {layout=(slice(0, n-1),)}; y = concatenate a b

Where each axis goes its own way, the runs of an axis are slices that are put side by side, repeated entries, or zeros around one
window; otherwise entries are picked by an array of positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.compiler.bodies import is_native
from wengert.compiler.builder import Builder, Shape, constant
from wengert.core.graph import Atom, Node
from wengert.core.types import ArrayType
from wengert.primitives.index import ARRAY

MOST_RUNS = 8  # of one axis that are put side by side

Run = tuple[int, int, int]  # where it begins in the source (-1: zeros), its step, its length


def selected(node: Node, builder: Builder) -> Atom | None:
    """See the module."""
    (x,), out = node.operands, node.outputs[0].type
    if node.primitive.sources is None or 0 in (*x.type.shape, *out.shape) or not is_native(x.type.dtype):
        return None
    where = node.primitive.sources(tuple(x.type.shape), node.params) - 1
    return picked(builder, x, where)


def picked(builder: Builder, x: Atom, where: Any) -> Atom:
    """The entries of `x` at places counted through all of it; zeros where a place is negative."""
    shape = tuple(x.type.shape)
    maps = maps_of(where, shape)
    if maps is not None:
        runs = [runs_of(places) for places in maps]
        if all(len(found) <= MOST_RUNS or places.min() >= 0 for found, places in zip(runs, maps, strict=True)):
            return along_axes(builder, x, runs, maps)
    flat = builder.reshape(x, (math.prod(shape),))
    if where.min() >= 0:
        return gathered(builder, flat, where, 0)
    return deposited(builder, flat, where)


def deposited(builder: Builder, flat: Atom, where: Any) -> Atom:
    """The chosen entries put into zeros."""
    targets = np.flatnonzero(where >= 0)
    chosen = gathered(builder, flat, where.reshape(-1)[targets], 0)
    type_ = ArrayType((where.size,), flat.type.dtype)
    found = builder.emit("deposit", (chosen, constant(targets)), {"layout": (ARRAY,), "shape": (where.size,)}, type_)
    return builder.reshape(found, tuple(where.shape))


def maps_of(where: Any, shape: Shape) -> list[Any] | None:
    """For each axis the place that every entry along it comes from, -1 for nowhere; `None` where axes do not go their own ways."""
    if where.ndim != len(shape) or where.max() < 0:
        return None
    maps: list[Any] = []
    rest = np.maximum(where, 0)
    for k in reversed(range(where.ndim)):
        rest, along = np.divmod(rest, shape[k])
        others = tuple([j for j in range(where.ndim) if j != k])
        maps.insert(0, np.where(where >= 0, along, -1).max(axis=others))
    grid = np.ix_(*maps)
    inside = np.ones((), bool)
    total = np.zeros((), np.int64)
    for places, n in zip(grid, shape, strict=True):
        inside, total = inside & (places >= 0), total * n + places
    return maps if np.array_equal(np.where(inside, total, -1), where) else None


def runs_of(places: Any) -> list[Run]:
    """A row of places cut into slices, repetitions, and stretches of nothing."""
    found: list[Run] = []
    for place in places.tolist():
        if found:
            start, step, n = found[-1]
            here = -1 if start < 0 else place - (start + step * (n - 1))
            if start < 0 and place < 0 or start >= 0 and place >= 0 and (n == 1 and abs(here) <= 1 or n > 1 and here == step):
                found[-1] = (start, 0 if start < 0 else here, n + 1)
                continue
        found.append((max(place, -1), 1, 1))
    return found


def along_axes(builder: Builder, x: Atom, runs: Sequence[list[Run]], maps: Sequence[Any]) -> Atom:
    """Each axis in turn; a single window into zeros waits for the others."""
    layout: list[slice] = []
    shape: list[int] = []
    for axis, found in enumerate(runs):
        kept = [run for run in found if run[0] >= 0]
        if len(kept) == 1:
            x = taken(builder, x, axis, kept[0])
            before = found[0][2] if found[0][0] < 0 else 0
        else:
            parts = [taken(builder, x, axis, run) for run in found]
            x = gathered(builder, x, maps[axis], axis) if len(found) > MOST_RUNS else joined(builder, parts, axis)
            before = 0
        layout.append(slice(before, before + x.type.shape[axis]))
        shape.append(len(maps[axis]))
    return builder.deposit(x, tuple(layout), tuple(shape))


def taken(builder: Builder, x: Atom, axis: int, run: Run) -> Atom:
    """One run along an axis."""
    start, step, n = run
    shape = (*x.type.shape[:axis], n, *x.type.shape[axis + 1 :])
    if start < 0:
        return builder.spread(constant(x.type.dtype.type(0)), shape)
    if step == 0:
        return builder.spread(taken(builder, x, axis, (start, 1, 1)), shape)
    stop = start + step * n
    part = slice(start, None if stop < 0 else stop, step)
    return builder.index(x, tuple([part if k == axis else slice(None) for k in range(len(shape))]))


def joined(builder: Builder, parts: Sequence[Atom], axis: int) -> Atom:
    """Parts side by side."""
    shape = list(parts[0].type.shape)
    shape[axis] = sum(part.type.shape[axis] for part in parts)
    type_ = ArrayType(tuple(shape), parts[0].type.dtype)
    return builder.emit("concatenate", tuple(parts), {"axis": axis - len(shape)}, type_)


def gathered(builder: Builder, x: Atom, places: Any, axis: int) -> Atom:
    """The entries at places along an axis."""
    shape = (*x.type.shape[:axis], *places.shape, *x.type.shape[axis + 1 :])
    layout = (*[slice(None)] * axis, ARRAY)
    return builder.emit("index", (x, constant(places)), {"layout": layout}, ArrayType(shape, x.type.dtype))
