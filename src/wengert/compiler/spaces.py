"""Which axes of a value are loops, and which are unrolled into registers.

An array `[n, 3]` whose rows are summed, crossed, or multiplied by small matrices is best seen as three scalars in one loop over `n`: then
moves and sums along the short axis cost nothing, and the loop over `n` becomes vectors.  So short axes (at most `UNROLLED` entries taken
together) are unrolled wherever something moves or sums along them; where everything runs along them entry by entry they stay loops.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

from wengert.compiler.indices import (
    MOVES,
    Index,
    basic_parts,
    constant,
    is_basic,
    is_constant,
    letter,
    plus,
    spread_index,
)
from wengert.compiler.loops import Shape
from wengert.compiler.native import code_of
from wengert.core.graph import Atom, Graph, Node, Var

UNROLLED = 16
SHORT, MANY = 6, 128  # axes no longer than this are unrolled up to so many entries together
STACKED = 4  # members of a stack of rows that are taken side by side, where they are summed or meet the same row
VECTOR = 8  # numbers for which a function of vectors takes as long as for one
CALLS = re.compile(r"\w\(")
REDUCED = ("sum", "prod", "max", "min")
LARGEST = 4000  # scalars in one region of unrolled values

Axes = tuple[int, ...]


def loop_candidates(shape: Shape) -> Axes:
    """The axes that stay loops if short ones are unrolled, the last axis first."""
    size = 1
    short: set[int] = set()
    for k in reversed(range(len(shape))):
        lengths = [shape[k], *[shape[j] for j in short]]
        if size * shape[k] <= (MANY if max(lengths) <= SHORT else UNROLLED):
            size *= shape[k]
            short.add(k)
    return tuple([k for k in range(len(shape)) if k not in short])


def indices_of(shape: Shape, loops: Axes) -> Iterator[Index]:
    """The index of every component: letters along the loops, numbers along the other axes."""
    n = len(loops)
    letters = {axis: letter(k, n) for k, axis in enumerate(loops)}
    counts = [(None,) if axis in letters else range(shape[axis]) for axis in range(len(shape))]
    for numbers in product(*counts):
        yield tuple([letters[k] if c is None else constant(c, n) for k, c in enumerate(numbers)])


def is_aligned(index: Index, loops: Axes) -> bool:
    """Whether an index has the letters in their order along the loops, and numbers elsewhere."""
    n = len(loops)
    if index and len(index[0]) != n + 1:
        return False
    for axis, place in enumerate(index):
        if axis in loops:
            if place != letter(loops.index(axis), n):
                return False
        elif not is_constant(place):
            return False
    return True


def reduced_index(index: Index, rank: int, axes: Axes, keepdims: bool, inner: Index) -> Index:
    """The index of an operand from that of its reduction, with `inner` along the reduced axes."""
    rest, summed = iter(index), iter(inner)
    found = []
    for k in range(rank):
        if k in axes:
            found.append(next(summed))
            if keepdims:
                next(rest)
        else:
            found.append(next(rest))
    return tuple(found)


def axes_of(node: Node) -> Axes:
    """The reduced axes, counted from the front."""
    rank = len(node.operands[0].type.shape)
    return tuple(sorted(k % rank for k in node.params["axis"]))


def deposited_index(index: Index, source: Shape, shape: Shape, layout: Any) -> Index | str | None:
    """The index in a deposited array; `None` where there is a zero, and "unknown" where letters decide about that."""
    result: list[Any] = []
    places = iter(zip(index, shape, strict=True))
    for part in basic_parts(layout, len(shape)):
        if part is None:
            result.append((0,) * len(index[0]) if index else (0,))
            continue
        place, length = next(places)
        taken = range(*part.indices(length)) if isinstance(part, slice) else range(int(part) % length, int(part) % length + 1)
        if taken != range(length) or not isinstance(part, slice):
            if not is_constant(place):
                return "unknown"
            if place[0] not in taken:
                return None
            place = (taken.index(place[0]), *place[1:])
        if isinstance(part, slice):
            result.append(place)
    return tuple(result)


def joined_index(node: Node, index: Index) -> tuple[int, Index] | None:
    """Which operand of `concatenate` or `stack` an entry comes from, and its index there; `None` if letters decide."""
    shape = node.outputs[0].type.shape
    axis = node.params["axis"] % len(shape)
    place = index[axis]
    if not is_constant(place):
        return None
    if node.primitive.name == "stack":
        return place[0], index[:axis] + index[axis + 1 :]
    start = 0
    for k, atom in enumerate(node.operands):
        length = atom.type.shape[axis]
        if place[0] < start + length:
            return k, (*index[:axis], plus(place, constant(-start, len(place) - 1)), *index[axis + 1 :])
        start += length
    return None


class Spaces:
    """The loops of every variable of a graph; `is_map` tells elementwise nodes with native code, `same_as` second names."""

    def __init__(self, graph: Graph, is_map: Any, same_as: Any) -> None:
        self.is_map, self.same_as = is_map, same_as
        self.parent: dict[Var, Var] = {}
        self.marked: set[Var] = set()
        self.made: set[Var] = set()
        for node in graph.nodes:
            if len(node.outputs) != 1:
                continue
            shape = node.outputs[0].type.shape
            if not shape and is_map(node):
                continue  # single numbers have no loops, and say nothing about those of others
            if 0 not in shape:
                self.join(node)
        self.sizes: dict[Var, int] = {}
        calls = self.calls(graph)
        for var in self.made:
            root = self.root(var)
            loops = loop_candidates(var.type.shape)
            inner = math.prod(n for k, n in enumerate(var.type.shape) if k not in loops)
            self.sizes[root] = self.sizes.get(root, 0) + inner
        self.unrolled = {self.root(var) for var in self.marked} - calls

    def loops(self, var: Atom) -> Axes:
        """The axes of a value that are loops."""
        shape = var.type.shape
        if not shape:
            return ()
        if isinstance(var, Var) and var in self.made:
            root = self.root(var)
            if root in self.unrolled and self.sizes[root] <= LARGEST:
                return loop_candidates(shape)
        return tuple(range(len(shape)))

    def calls(self, graph: Graph) -> set[Var]:
        """The regions that would be numbers alone if they were unrolled, and that are worth vectors: functions of several numbers at once."""
        found = set()
        for node in graph.nodes:
            out, primitive = node.outputs[0], node.primitive
            shape = out.type.shape
            is_worth_it = CALLS.search(code_of(primitive)) or (primitive.name == "scale" and len(shape) == 1)
            is_row = max(shape[-1:], default=0) >= VECTOR and not loop_candidates(shape)
            if is_worth_it and is_row and out in self.made and self.is_map(node):
                found.add(self.root(out))
        return found

    def root(self, var: Var) -> Var:
        """The representative of a region."""
        while (above := self.parent.get(var, var)) is not var:
            self.parent[var] = self.parent.get(above, above)
            var = above
        return var

    def join(self, node: Node) -> None:
        """Put the result of a node into one region with its operands, where they share loops."""
        out = node.outputs[0]
        self.made.add(out)
        if node.primitive.name in ("part", "pair"):
            return  # numbers lie in memory side by side, and have nothing to do with one another
        same = self.same_as(node)
        if same is not None:
            if same in self.made:
                self.parent[self.root(out)] = self.root(same)
            return
        shape = out.type.shape
        loops = loop_candidates(shape)
        components = None
        for k, atom in enumerate(node.operands):
            source = atom.type.shape
            if self.is_map(node) and source == shape:
                if atom in self.made:
                    self.parent[self.root(out)] = self.root(atom)
                continue
            if 0 in source or not (isinstance(atom, Var) or source):
                continue
            components = components or list(indices_of(shape, loops))
            self.compare(node, k, atom, loops, components)

    def compare(self, node: Node, k: int, atom: Atom, loops: Axes, components: list[Index]) -> None:
        """Join the regions of a node and an operand that share their loops; mark them where components move."""
        source, mine = atom.type.shape, loop_candidates(atom.type.shape)
        shape = node.outputs[0].type.shape
        space = tuple(shape[axis] for axis in loops)
        if tuple(source[axis] for axis in mine) != space:
            return
        found = [self.operand_index(node, k, index, space) for index in components]
        known = [index for index in found if index is not None]
        if not known or not all(is_aligned(index, mine) for index in known):
            return
        order = [[place[0] for axis, place in enumerate(index) if axis not in mine] for index in known]
        every = [[place[0] for axis, place in enumerate(index) if axis not in mine] for index in indices_of(source, mine)]
        if atom in self.made:
            self.parent[self.root(node.outputs[0])] = self.root(atom)
        is_moved = order != every or len(known) != len(found)
        if is_moved and not self.is_stack(node, atom):
            self.marked.add(node.outputs[0])

    def is_stack(self, node: Node, atom: Atom) -> bool:
        """Whether what a node moves along is a stack of rows, which are vectors as they lie: nothing is gained by taking many side by side."""
        if not self.is_map(node) and node.primitive.name not in (*REDUCED, "spread"):
            return False
        shape = max(atom.type.shape, node.outputs[0].type.shape, key=math.prod)
        loops = loop_candidates(shape)
        members = [k for k in range(len(shape)) if k not in loops]
        return max(loops, default=-1) > max(members, default=-1) and math.prod(shape[k] for k in members) > STACKED

    def operand_index(self, node: Node, k: int, index: Index, space: Shape) -> Index | None:
        """Some index of operand `k` at an index of the result; `None` for nowhere."""
        name, atom = node.primitive.name, node.operands[k]
        source, shape = atom.type.shape, node.outputs[0].type.shape
        if self.is_map(node):
            return spread_index(index, source, shape)
        if name in MOVES and is_basic(node.params.get("layout", ())):
            return MOVES[name](index, source, shape, node.params, space) if k == 0 else None
        if name in REDUCED:
            inner = (constant(0, len(space)),) * len(node.params["axis"])
            return reduced_index(index, len(source), axes_of(node), node.params["keepdims"], inner)
        if name == "deposit" and is_basic(node.params["layout"]) and k == 0:
            found = deposited_index(index, source, shape, node.params["layout"])
            return found if isinstance(found, tuple) else None
        if name in ("concatenate", "stack"):
            part = joined_index(node, index)
            return part[1] if part is not None and part[0] == k else None
        return None
