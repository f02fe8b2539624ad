"""The body of a nest, written by asking for values: each at an index, each taken once.

`evaluate(draft, atom, index)` is the place in the body of `atom[index]`.  What lies in memory by then is loaded; anything else is
computed there from its operands, at the indices that its own index says.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from wengert.compiler.indices import MOVES, Affine, Index, basic_parts, constant, is_constant, spread_index
from wengert.compiler.loops import LoopNest, Op, Place, Shape, View, dtype_name
from wengert.compiler.native import code_of, scalar_code
from wengert.compiler.scalar import LLVM
from wengert.compiler.spaces import Axes, axes_of, deposited_index, joined_index, reduced_index
from wengert.core.graph import Atom, Node
from wengert.primitives.arithmetic import maximum, minimum

WORST = 1000  # costs stop here


class NotAffineError(Exception):
    """A move cannot be said at an index."""


class Value:
    """Where an atom is: a number, in memory from a level on, or in the nest of its level and space."""

    __slots__ = ("cost", "depth", "level", "loops", "node", "number", "pending", "ready", "space", "view")

    def __init__(self, node: Node | None, loops: Axes = (), space: Shape = ()) -> None:
        self.node, self.loops, self.space = node, loops, space
        self.number: Any = None
        self.depth = 0  # how many moves lie one upon the other
        self.view: View | None = None
        self.ready = 0  # the level from which on the view may be read
        self.level = 0  # of the nest that computes it
        self.cost = 0  # of computing it once more in another nest
        self.pending: list[tuple[Node | None, Atom]] | None = None  # deposits that have not been added up yet


class Draft(LoopNest):
    """A nest being written."""

    def __init__(self, space: Shape, level: int) -> None:
        super().__init__(space, level)
        self.known: dict[Any, int] = {}

    def add(self, op: Op) -> int:
        """The place of a new op."""
        self.ops.append(op)
        return len(self.ops) - 1

    def load(self, view: View, index: Index) -> int:
        """The place of a load of a view at an index."""
        return self.load_at(place_of(view, index, len(self.space)))

    def load_at(self, place: Place, gathers: tuple[int, ...] = ()) -> int:
        """The place of a load."""
        key = (place, gathers)
        if key not in self.known:
            self.known[key] = self.add(Op("load", gathers, place.buffer.dtype, place))
        return self.known[key]

    def number(self, value: Any) -> int:
        """The place of a number."""
        key = (type(value), repr(value))
        if key not in self.known:
            self.known[key] = self.add(Op("number", (), np.asarray(value).dtype, None, value))
        return self.known[key]


def place_of(view: View, index: Index, n: int) -> Place:
    """Where a view is touched at an index."""
    total: Affine = constant(view.offset, n)
    for stride, at in zip(view.strides, index, strict=True):
        if stride:
            total = tuple([t + stride * c for t, c in zip(total, at, strict=True)])
    return Place(view.buffer, total[1:], total[0])


class Codes:
    """The scalar code of each node and the dtype in which it is taken, as it stands in an `Op`; found once."""

    def __init__(self) -> None:
        self.known: dict[Node, str | None] = {}
        self.alike: dict[Any, str | None] = {}  # of floating-point results, by primitive and types

    def of(self, node: Node) -> str | None:
        """The code; `None` for what is left to NumPy."""
        try:
            return self.known[node]
        except KeyError:
            found = self.known[node] = self.fresh(node)
            return found

    def fresh(self, node: Node) -> str | None:
        if not code_of(node.primitive):
            return None
        key = None
        if node.outputs[0].type.dtype.kind == "f":  # then the values of operands have no say in the dtype
            key = (node.primitive, *[a.type.dtype.num for a in node.operands], node.outputs[0].type.dtype.num)
            if key in self.alike:
                return self.alike[key]
        found = scalar_code(node)
        code = None if found is None else f"{found[0]}:{found[1]}"
        if key is not None:
            self.alike[key] = code
        return code

    def is_map(self, node: Node) -> bool:
        """Whether a node is elementwise, with native code for its dtypes."""
        return len(node.outputs) == 1 and self.of(node) is not None


class Bodies:
    """Writes bodies, given where everything is."""

    def __init__(self) -> None:
        self.values: dict[Atom, Value] = {}
        self.codes = Codes()

    def value(self, atom: Atom) -> Value:
        raise NotImplementedError

    def evaluate(self, draft: Draft, atom: Atom, index: Index) -> int:
        """See the module."""
        key = (atom, index)
        found = draft.known.get(key)
        if found is None:
            found = draft.known[key] = self.fresh(draft, atom, index)
        return found

    def fresh(self, draft: Draft, atom: Atom, index: Index) -> int:
        value = self.value(atom)
        if value.number is not None:
            return draft.number(value.number)
        if value.view is not None and value.ready <= draft.level:
            return draft.load(value.view, index)
        node = value.node
        assert node is not None
        name = node.primitive.name
        if name in RULES:
            return int(RULES[name](self, draft, node, index))
        return self.mapped(draft, node, index)

    def mapped(self, draft: Draft, node: Node, index: Index) -> int:
        """One scalar instruction on the operands at their own indices."""
        out = node.outputs[0].type
        if index:
            places = tuple([self.evaluate(draft, atom, spread_index(index, atom.type.shape, out.shape)) for atom in node.operands])
        else:
            places = tuple([self.evaluate(draft, atom, index) for atom in node.operands])
        code = self.codes.of(node)
        assert code is not None
        return draft.add(Op(code, places, out.dtype))

    def moved(self, draft: Draft, node: Node, index: Index) -> int:
        (source,) = node.operands
        found = move_index(node, index, draft.space)
        if found is None:
            raise NotAffineError
        return self.evaluate(draft, source, found)

    def gathered(self, draft: Draft, node: Node, index: Index) -> int:
        """Entries of an array in memory at places that index arrays say."""
        source, *arrays = node.operands
        value = self.value(source)
        if value.number is not None:
            return draft.number(value.number)
        assert value.view is not None
        place, gathers = self.gather_place(draft, value.view, node, arrays, index)
        return draft.load_at(place, gathers)

    def gather_place(
        self, draft: Draft, view: View, node: Node, arrays: list[Atom], index: Index
    ) -> tuple[Place, tuple[int, ...]]:
        """Where `view[layout]` is touched at an index of its result."""
        n = len(draft.space)
        common = np.broadcast_shapes(*[a.type.shape for a in arrays])
        before = advanced_axis(node.params["layout"], len(view.shape))
        inner = index[before : before + len(common)]
        rest = iter(index[:before] + index[before + len(common) :])
        waiting = iter(arrays)
        at: list[Affine] = []
        steps, gathers = [], []
        for part in basic_parts(node.params["layout"], len(view.shape)):
            if part is None:
                next(rest)
                continue
            length, stride = view.shape[len(at)], view.strides[len(at)]
            if isinstance(part, str):
                array = next(waiting)
                gathers.append(self.evaluate(draft, array, spread_index(inner, array.type.shape, common)))
                steps.append(stride)
                at.append(constant(0, n))
            elif isinstance(part, slice):
                start, _, step = part.indices(length)
                along = next(rest)
                at.append((along[0] * step + start, *[c * step for c in along[1:]]))
            else:
                at.append(constant(int(part) % length, n))
        place = place_of(view, tuple(at), n)
        return Place(place.buffer, place.strides, place.offset, tuple(steps)), tuple(gathers)

    def reduced(self, draft: Draft, node: Node, index: Index) -> int:
        """A reduction along unrolled axes: one term after the other."""
        (source,) = node.operands
        axes, shape = axes_of(node), source.type.shape
        terms = []
        for numbers in product(*[range(shape[k]) for k in axes]):
            inner = tuple([constant(c, len(draft.space)) for c in numbers])
            terms.append(self.evaluate(draft, source, reduced_index(index, len(shape), axes, node.params["keepdims"], inner)))
        return self.combined(draft, node, terms)

    def combined(self, draft: Draft, node: Node, terms: list[int]) -> int:
        dtype = node.outputs[0].type.dtype
        code = f"{dtype_name(dtype)}:{COMBINE[node.primitive.name]}"
        total = draft.add(Op(f"{dtype_name(dtype)}:a", (terms[0],), dtype)) if len(terms) == 1 else terms[0]
        for term in terms[1:]:
            total = draft.add(Op(code, (total, term), dtype))
        return total

    def deposited(self, draft: Draft, node: Node, index: Index) -> int:
        (source,) = node.operands
        found = deposited_index(index, source.type.shape, node.outputs[0].type.shape, node.params["layout"])
        if found is None:
            return draft.number(node.outputs[0].type.dtype.type(0))
        if isinstance(found, str):
            raise NotAffineError
        return self.evaluate(draft, source, found)

    def assigned(self, draft: Draft, node: Node, index: Index) -> int:
        target, source = node.operands
        shape = target.type.shape
        chosen = window_shape(shape, node.params["layout"])
        found = deposited_index(index, chosen, shape, node.params["layout"])
        if found is None:
            return self.evaluate(draft, target, index)
        if isinstance(found, str):
            raise NotAffineError
        place = self.evaluate(draft, source, spread_index(found, source.type.shape, chosen))
        return draft.add(Op(f"{dtype_name(node.outputs[0].type.dtype)}:a", (place,), node.outputs[0].type.dtype))

    def joined(self, draft: Draft, node: Node, index: Index) -> int:
        found = joined_index(node, index)
        if found is None:
            raise NotAffineError
        return self.evaluate(draft, node.operands[found[0]], found[1])


COMBINE = {"sum": "a + b", "prod": "a * b", "max": maximum.code, "min": minimum.code}


def _index(bodies: Bodies, draft: Draft, node: Node, index: Index) -> int:
    return (bodies.gathered if len(node.operands) > 1 else bodies.moved)(draft, node, index)


RULES: Mapping[str, Any] = {
    **dict.fromkeys(MOVES, Bodies.moved),
    "index": _index,
    "sum": Bodies.reduced,
    "prod": Bodies.reduced,
    "max": Bodies.reduced,
    "min": Bodies.reduced,
    "deposit": Bodies.deposited,
    "assign": Bodies.assigned,
    "concatenate": Bodies.joined,
    "stack": Bodies.joined,
}


def move_index(node: Node, index: Index, space: Shape) -> Index | None:
    """The index of the operand of a move."""
    return MOVES[node.primitive.name](index, node.operands[0].type.shape, node.outputs[0].type.shape, node.params, space)


def window_shape(shape: Shape, layout: Any) -> Shape:
    """The shape of `x[layout]` for a basic index."""
    found, axis = [], 0
    for part in basic_parts(layout, len(shape)):
        if part is None:
            found.append(1)
            continue
        if isinstance(part, slice):
            found.append(len(range(*part.indices(shape[axis]))))
        axis += 1
    return tuple(found)


def advanced_axis(layout: Any, rank: int) -> int:
    """How many axes of `x[...]` come before those of its index arrays."""
    parts = basic_parts(layout, rank)
    advanced = [k for k, part in enumerate(parts) if not isinstance(part, slice) and part is not None]
    if advanced[-1] - advanced[0] != len(advanced) - 1:
        return 0
    return advanced[0]


def is_native(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this dtype have instructions of their own."""
    return dtype_name(dtype) in LLVM


__all__ = ["is_constant"]
