"""From a graph to steps: index maps become strides, elementwise chains and their reductions become loop nests.

Every value has a home: the nest of its space at the first level at which all that it is made of can be had.  Values of one home share
a body, so several outputs over the same indices take one pass over memory.  A reader elsewhere computes a cheap value once more, at the
index that it needs; a costly one is stored, and may be read one level later.  Moves are nobody's work: readers look through them.
"""
from __future__ import annotations

import math
from typing import Any

from wengert.compiler.bodies import WORST, Value, is_native, place_of
from wengert.compiler.homes import CHEAP, is_move
from wengert.compiler.indices import spread_index
from wengert.compiler.inner import Controls, Inner
from wengert.compiler.lines import Lines
from wengert.compiler.loops import Buffer, HostCall, LoopNest, Place, Program, Reduction, Shape, Store, View, contiguous
from wengert.compiler.native import cost_of
from wengert.compiler.placed import Placed, same_as
from wengert.compiler.products import Products
from wengert.compiler.spaces import UNROLLED, VECTOR, Spaces, axes_of, indices_of, reduced_index
from wengert.core.graph import Atom, Graph, Node

DEEPEST = 20  # moves that a reader looks through


class Fuser(Products, Lines, Controls):
    """Walks the nodes of a graph once, and puts each where it belongs."""

    def __init__(self, graph: Graph, inner: Inner) -> None:
        super().__init__()
        self.graph, self.inner = graph, inner
        self.spaces = Spaces(graph, self.codes.is_map, same_as)
        self.makers.update((var, node) for node in graph.nodes for var in node.outputs)
        self.users: dict[Atom, list[Node]] = {}
        for node in graph.nodes:
            for atom in node.operands:
                self.users.setdefault(atom, []).append(node)
        for atom in [*(a for node in graph.nodes for a in node.operands), *graph.outputs]:
            self.uses[atom] = self.uses.get(atom, 0) + 1

    def program(self) -> Program:
        """The steps of the whole graph."""
        inputs = []
        for var in self.graph.inputs:
            buffer = Buffer(tuple(var.type.shape), var.type.dtype, "input", None, var.hint)
            self.in_buffer(var, buffer, 0)
            inputs.append(buffer)
        for node in self.graph.nodes:
            self.place(node)
        taken: set[Buffer] = set()
        outputs = [self.output(atom, taken) for atom in self.graph.outputs]
        for nest in self.nests.values():
            remove_unused(nest)
        steps = [*self.steps, *[nest for nest in self.nests.values() if nest.stores or nest.reductions]]
        steps.sort(key=lambda step: step.level)
        return Program(inputs, steps, outputs)

    def place(self, node: Node) -> None:
        """Find out what a node is, and put it there."""
        name, outputs = node.primitive.name, node.outputs
        if self.waiting and self.taken_in(node):
            return
        if len(outputs) == 1 and not outputs[0].type.shape and self.codes.is_map(node):  # the usual node of a long program
            self.makers[outputs[0]] = node
            self.as_scalar(node)
            return
        self.makers.update(dict.fromkeys(outputs, node))
        if all(0 in var.type.shape for var in outputs):
            for var in outputs:
                self.in_buffer(var, Buffer(tuple(var.type.shape), var.type.dtype, "temporary"), 0)
        elif isinstance(node.primitive, Placed):
            node.primitive.place(self, node)
        elif is_move(node):
            self.as_move(node)
        elif name in PLACES and all(is_native(a.type.dtype) for a in [*node.operands, *outputs]) and PLACES[name](self, node):
            return
        elif self.codes.is_map(node):
            self.as_map(node)
        elif self.along_axis(node) or self.as_control(node):
            return
        else:
            self.as_host_call(node)

    def as_move(self, node: Node) -> None:
        """A move is looked through; many in a row are taken together."""
        value = self.values[node.outputs[0]] = Value(node)
        value.depth = self.value(node.operands[0]).depth + 1
        if value.depth > DEEPEST:
            self.in_memory(node.outputs[0])
            value.depth = 0

    def as_map(self, node: Node) -> None:
        """An elementwise node joins the nest of its space."""
        if node.primitive.name == "add" and self.as_more_deposits(node):
            return
        shape = node.outputs[0].type.shape
        self.at_home(node, lambda index, atom: spread_index(index, atom.type.shape, shape), cost_of(node.primitive))

    def as_scalar(self, node: Node) -> None:
        """An elementwise node of single numbers: there is one index, and one space."""
        out = node.outputs[0]
        value = Value(node)
        value.level, operands_cost = self.settle([self.reach(atom, (), ()) for atom in node.operands])
        self.values[out] = value
        value.cost = self.cost_once(out, (), (), min(WORST, operands_cost + cost_of(node.primitive)))
        self.evaluate(self.nest((), value.level), out, ())

    def at_home(self, node: Node, operand_index: Any, cost: int, times: int = 1) -> None:
        """A node is computed in the nest of its space, from operands at `operand_index(index, atom)` and so many like it."""
        out = node.outputs[0]
        shape, loops = tuple(out.type.shape), self.spaces.loops(out)
        space = tuple([shape[k] for k in loops])
        value = Value(node, loops, space)
        components = list(indices_of(shape, loops))
        found = []
        for atom in node.operands:
            found.append(self.reach_all(atom, [operand_index(index, atom) for index in components], space))
        value.level, operands_cost = self.settle(found)
        self.values[out] = value
        value.cost = min(WORST, operands_cost + cost)
        if len(components) == 1:
            value.cost = self.cost_once(out, components[0], space, min(WORST, times * operands_cost + cost))
        draft = self.nest(space, value.level)
        for index in components:
            self.evaluate(draft, out, index)

    def as_reduction(self, node: Node) -> bool:
        """A reduction: of unrolled axes a row of scalar instructions, of loops a total that is kept beside them."""
        (source,), out = node.operands, node.outputs[0]
        if 0 in source.type.shape:
            neutral = {"sum": 0, "prod": 1}.get(node.primitive.name)
            return neutral is not None and self.as_number(out, neutral)
        axes, keepdims = axes_of(node), node.params["keepdims"]
        if not axes:
            return False
        shape = tuple(source.type.shape)
        terms = math.prod(shape[k] for k in axes)
        if terms <= UNROLLED and self.is_loose(source, axes):
            rank = len(self.spaces.loops(out)) + 1
            inner = tuple([(0,) * rank] * len(axes))
            times = terms if terms >= VECTOR else 1  # mixtures in two dimensions take 1.15 times as long if a row of two is stored
            self.at_home(node, lambda index, atom: reduced_index(index, len(shape), axes, keepdims, inner), terms, times)
        else:
            self.as_total(node, axes, self.home_loops(source))
        return True

    def is_loose(self, source: Atom, axes: tuple[int, ...]) -> bool:
        """Whether entries along these axes can be had one by one."""
        value = self.realised(source)
        if value.view is not None or value.number is not None:
            return True
        if is_move(value.node):
            beneath = value
            while beneath.view is None and beneath.node is not None and is_move(beneath.node):
                beneath = self.realised(beneath.node.operands[0])
            return beneath.view is not None or beneath.number is not None or beneath.cost <= CHEAP
        return not set(axes) & set(value.loops)

    def home_loops(self, source: Atom) -> tuple[int, ...]:
        """The loops over which a value is best walked: its own, where it is computed in a nest."""
        value = self.realised(source)
        if value.view is None and value.node is not None and not is_move(value.node):
            return value.loops
        return tuple(range(len(source.type.shape)))

    def as_total(self, node: Node, axes: tuple[int, ...], loops: tuple[int, ...]) -> None:
        (source,), out = node.operands, node.outputs[0]
        shape = tuple(source.type.shape)
        space = tuple([shape[k] for k in loops])
        components = list(indices_of(shape, loops))
        level, _ = self.settle([self.reach_all(source, components, space)])
        draft = self.nest(space, level)
        buffer = Buffer(tuple(out.type.shape), out.type.dtype, "temporary")
        letters = tuple([j for j, k in enumerate(loops) if k in axes])
        groups: dict[Place, list[int]] = {}
        kept = View(buffer, shape, without(axes, shape))
        for index in components:
            groups.setdefault(place_of(kept, index, len(space)), []).append(self.evaluate(draft, source, index))
        for place, terms in groups.items():
            draft.reductions.append(Reduction(self.combined(draft, node, terms), letters, place, node.primitive.name))
        self.in_buffer(out, buffer, level + 1)

    def as_pair(self, node: Node) -> bool:
        """Numbers side by side along a new last axis, each stored where it is at home."""
        out, ready = node.outputs[0], 0
        buffer = Buffer(tuple(out.type.shape), out.type.dtype, "temporary")
        *strides, _ = contiguous(buffer.shape)
        for k, atom in enumerate(node.operands):
            ready = max(ready, self.store(atom, View(buffer, tuple(atom.type.shape), tuple(strides), k)) + 1)
        self.in_buffer(out, buffer, ready)
        return True

    def as_host_call(self, node: Node) -> None:
        """Python is called back, on arrays in memory."""
        operands, level = self.for_python(node.operands)
        results = [Buffer(tuple(var.type.shape), var.type.dtype, "temporary") for var in node.outputs]
        views = [View.whole(buffer) for buffer in results]
        self.steps.append(HostCall(node.primitive, operands, node.params, views, level, node.location))
        for var, buffer in zip(node.outputs, results, strict=True):
            self.in_buffer(var, buffer, level + 1)


PLACES: dict[str, Any] = {
    "sum": Fuser.as_reduction,
    "prod": Fuser.as_reduction,
    "max": Fuser.as_reduction,
    "min": Fuser.as_reduction,
    "index": Fuser.as_index,
    "deposit": Fuser.as_deposit,
    "assign": Fuser.as_assigned,
    "concatenate": Fuser.as_joined,
    "stack": Fuser.as_joined,
    "pair": Fuser.as_pair,
    "matmul": Fuser.as_product,
    "matmul_of_derivatives": Fuser.as_product,
}


def without(axes: tuple[int, ...], shape: Shape) -> Shape:
    """The strides over `shape` of an array that has lost some axes."""
    kept = contiguous(tuple([1 if k in axes else n for k, n in enumerate(shape)]))
    return tuple([0 if k in axes else s for k, s in enumerate(kept)])


def remove_unused(nest: LoopNest) -> None:
    """Leave out the ops that nothing needs."""
    needed = {store.op for store in nest.stores} | {r.op for r in nest.reductions}
    for store in nest.stores:
        needed.update(store.gathers)
    for place in reversed(range(len(nest.ops))):
        if place in needed:
            needed.update(nest.ops[place].operands)
    if len(needed) == len(nest.ops):
        return
    order = sorted(needed)
    places = {old: new for new, old in enumerate(order)}
    ops = []
    for old in order:
        op = nest.ops[old]
        ops.append(type(op)(op.code, tuple([places[p] for p in op.operands]), op.dtype, op.place, op.literal))
    nest.ops = ops
    nest.stores = [Store(places[s.op], s.place, tuple([places[g] for g in s.gathers]), s.adds) for s in nest.stores]
    nest.reductions = [Reduction(places[r.op], r.letters, r.place, r.combine) for r in nest.reductions]


def fuse(graph: Graph, inner: Inner | None = None) -> Program:
    """See the module; `inner` are the programs inside of loops and branches."""
    return Fuser(graph, inner or {}).program()
