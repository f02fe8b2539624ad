"""Arrays stay in the order of axes in which a product has written them.

A convolution is a product whose columns are channels, so that channels are neighbours in memory; the program moves them before the
places of the image.  That move is made last, and not first: what is computed on the way is computed in the order in which its operands
lie, so that neighbours are read and written together.

::

    p = matmul a b; q = reshape p {shape=(n, h, w, c)}; r = permute q {axes=(0, 3, 1, 2)}; s = exp r; t = sum s over h, w
    ->   p = matmul a b; q = reshape p {shape=(n, h, w, c)}; s = exp q; t = sum s over h, w

Where an operand is made of inputs alone, as the state of an optimiser beside a gradient, the order of inputs stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, Shape, constant
from wengert.compiler.indices import basic_parts, is_basic, reshape_groups
from wengert.compiler.native import scalar_code
from wengert.compiler.spaces import axes_of
from wengert.core.graph import Atom, Const, Graph, Node
from wengert.core.types import ArrayType
from wengert.primitives.shaping import inverse_of

PRODUCTS = frozenset(["matmul", "matmul_of_derivatives"])
NEIGHBOURS = 16  # entries of the last axis from which on its order is kept
LARGE = 4096  # entries of an array for which it is


def in_written_order(graph: Graph) -> Graph:
    """See the module."""
    makers: dict[Atom, Node] = {var: node for node in graph.nodes for var in node.outputs}
    if not any(begins(node, makers) for node in graph.nodes):
        return graph
    return Layouts(graph, makers).run()


def begins(node: Node, makers: dict[Atom, Node]) -> bool:
    """Whether a node moves the columns of a product away from the last place."""
    if node.primitive.name != "permute":
        return False
    (x,), axes = node.operands, node.params["axes"]
    maker = makers.get(x)
    if maker is None or maker.primitive.name != "reshape" or axes[-1] == len(axes) - 1:
        return False
    product = makers.get(maker.operands[0])
    return product is not None and product.primitive.name in PRODUCTS and x.type.shape[-1] >= NEIGHBOURS and math.prod(x.type.shape) >= LARGE


class Layouts:
    """A graph that is written anew, and which of its values are there in another order: `y = permute x axes`."""

    def __init__(self, graph: Graph, makers: dict[Atom, Node]) -> None:
        self.graph, self.makers = graph, makers
        self.builder = Builder()
        self.same: dict[Atom, Atom] = {}  # what stands for a value in its own order
        self.other: dict[Atom, tuple[Atom, Shape]] = {}  # `x` and `axes`
        self.turned: dict[tuple[Atom, Shape], Atom] = {}  # values brought into the order of others
        self.given: set[Atom] = set(graph.inputs)  # what is made of inputs of its own shape, entry by entry

    def run(self) -> Graph:
        """The graph with moves as late as can be."""
        for node in self.graph.nodes:
            self.builder.location = node.location
            if not self.moved(node):
                self.keep(node)
        outputs = tuple([self.own(atom) for atom in self.graph.outputs])
        return replace(self.graph, nodes=tuple(self.builder.nodes), outputs=outputs)

    def keep(self, node: Node) -> None:
        """A node on values in their own order."""
        operands = tuple([self.own(atom) for atom in node.operands])
        self.builder.append(replace(node, operands=operands) if operands != node.operands else node)

    def own(self, atom: Atom) -> Atom:
        """A value in its own order."""
        if atom in self.other and atom not in self.same:
            x, axes = self.other[atom]
            self.same[atom] = self.builder.permute(x, axes)
        return self.same.get(atom, atom)

    def settle(self, node: Node, x: Atom, axes: Shape) -> bool:
        """The result of a node is `permute x axes`."""
        (out,) = node.outputs
        if axes == tuple(range(len(axes))):
            self.same[out] = x
        else:
            self.other[out] = (x, axes)
        return True

    def moved(self, node: Node) -> bool:
        """Whether a node was written on values in another order."""
        name = node.primitive.name
        if begins(node, self.makers):
            return self.settle(node, self.own(node.operands[0]), tuple(node.params["axes"]))
        if len(node.outputs) == 1 and scalar_code(node) is not None:
            return self.elementwise(node)
        if name in MOVES and len(node.operands) == 1 and node.operands[0] in self.other:
            return MOVES[name](self, node, *self.other[node.operands[0]])
        return False

    def elementwise(self, node: Node) -> bool:
        """An elementwise node, in the order of its first operand that has another one."""
        shape = tuple(node.outputs[0].type.shape)
        large = [atom for atom in node.operands if tuple(atom.type.shape) == shape]
        if any(atom in self.given for atom in large):
            self.given.add(node.outputs[0])
            return False
        first = next((self.other[atom] for atom in large if atom in self.other), None)
        if first is None:
            return False
        axes = first[1]
        operands = tuple([self.ordered(atom, axes) if atom.type.shape else atom for atom in node.operands])
        type_ = ArrayType(tuple(first[0].type.shape), node.outputs[0].type.dtype)
        return self.settle(node, self.builder.emit(node.primitive, operands, node.params, type_), axes)

    def ordered(self, atom: Atom, axes: Shape) -> Atom:
        """`x` with `atom = permute x axes`; of something with fewer axes, those in front are of length 1."""
        if atom in self.other and self.other[atom][1] == axes:
            return self.other[atom][0]
        key = (atom, axes)
        if key not in self.turned:
            self.turned[key] = self.turn(atom, inverse_of(axes))
        return self.turned[key]

    def turn(self, atom: Atom, back: Shape) -> Atom:
        """`permute atom back`; of something repeated, what is repeated is turned."""
        maker, shape = self.makers.get(atom), tuple(atom.type.shape)
        is_spread = maker is not None and maker.primitive.name == "spread"
        source = self.own(maker.operands[0] if is_spread and maker is not None else atom)
        whole = (1,) * (len(back) - len(source.type.shape)) + tuple(source.type.shape)
        small: Atom
        if isinstance(source, Const):
            small = constant(np.asarray(source.value).reshape(whole).transpose(back))
        else:
            small = self.builder.permute(self.builder.reshape(source, whole), back)
        shape = (1,) * (len(back) - len(shape)) + shape
        return self.builder.spread(small, tuple([shape[k] for k in back]))

    # --- moves and sums: `x` and `axes` are of their operand ------------------------------------------------------------

    def permute(self, node: Node, x: Atom, axes: Shape) -> bool:
        """One order after another."""
        return self.settle(node, x, tuple([axes[k] for k in node.params["axes"]]))

    def spread(self, node: Node, x: Atom, axes: Shape) -> bool:
        """Repeated along axes that were there."""
        shape = tuple(node.outputs[0].type.shape)
        if len(shape) != len(axes):
            return False
        return self.settle(node, self.builder.spread(x, tuple([shape[k] for k in inverse_of(axes)])), axes)

    def reduction(self, node: Node, x: Atom, axes: Shape) -> bool:
        """A sum, or its like."""
        summed, rank = {axes[k] for k in axes_of(node)}, len(axes)
        keepdims = node.params["keepdims"]
        shape = tuple([1 if k in summed else n for k, n in enumerate(x.type.shape) if keepdims or k not in summed])
        params = {**node.params, "axis": tuple(sorted(k - rank for k in summed))}
        out = self.builder.emit(node.primitive, (x,), params, ArrayType(shape, node.outputs[0].type.dtype))
        kept = [k for k in range(rank) if keepdims or k not in summed]
        return self.settle(node, out, tuple([kept.index(k) for k in axes if k in kept]))

    def index(self, node: Node, x: Atom, axes: Shape) -> bool:
        """Slices of every axis."""
        layout = slices(node, len(axes))
        if layout is None:
            return False
        back, shape = inverse_of(axes), node.outputs[0].type.shape
        params = {"layout": tuple([layout[k] for k in back])}
        return self.settle(node, self.builder.emit("index", (x,), params, ArrayType(tuple([shape[k] for k in back]), x.type.dtype)), axes)

    def deposit(self, node: Node, x: Atom, axes: Shape) -> bool:
        """Put among zeros."""
        shape = tuple(node.params["shape"])
        layout = slices(node, len(shape))
        if layout is None or len(shape) != len(axes):
            return False
        back = inverse_of(axes)
        whole = tuple([shape[k] for k in back])
        params = {"layout": tuple([layout[k] for k in back]), "shape": whole}
        return self.settle(node, self.builder.emit("deposit", (x,), params, ArrayType(whole, x.type.dtype)), axes)

    def windows(self, node: Node, x: Atom, axes: Shape) -> bool:
        """Windows along axes that are elsewhere."""
        rank, n = len(axes), len(node.params["axis"])
        places = tuple([axes[k % rank] - rank for k in node.params["axis"]])
        shape = node.outputs[0].type.shape
        whole = (*[shape[k] for k in inverse_of(axes)], *shape[rank:])
        params = {**node.params, "axis": places}
        found = self.builder.emit("windows", (x,), params, ArrayType(whole, x.type.dtype))
        return self.settle(node, found, (*axes, *range(rank, rank + n)))

    def reshape(self, node: Node, x: Atom, axes: Shape) -> bool:
        """Axes that become several, and neighbours that become one."""
        old, new = tuple(node.operands[0].type.shape), tuple(node.outputs[0].type.shape)
        if 0 in old:
            return False
        parts: list[list[int]] = [[] for _ in axes]  # of each axis of `x`, the new ones that it becomes
        loose: list[int] = []
        for olds, news in reshape_groups(old, new):
            long = [axes[k] for k in olds if old[k] != 1] or [axes[k] for k in olds[:1]]
            if long != list(range(min(long, default=0), min(long, default=0) + len(long))):
                return False
            (parts[long[0]] if long else loose).extend(news)
        order = [*[k for part in parts for k in part], *loose]
        whole = self.builder.reshape(x, tuple([new[k] for k in order]))
        return self.settle(node, whole, inverse_of(tuple(order)))


MOVES: dict[str, Callable[[Layouts, Node, Atom, Shape], bool]] = {
    "permute": Layouts.permute, "spread": Layouts.spread, "index": Layouts.index, "deposit": Layouts.deposit, "windows": Layouts.windows,
    "reshape": Layouts.reshape, **dict.fromkeys(("sum", "prod", "max", "min"), Layouts.reduction),
}  # fmt: skip


def slices(node: Node, rank: int) -> list[Any] | None:
    """The slices that a basic index takes of every axis; `None` if it is anything else."""
    layout = node.params["layout"]
    parts = basic_parts(layout, rank) if is_basic(layout) else []
    return parts if len(parts) == rank and all(isinstance(part, slice) for part in parts) else None
