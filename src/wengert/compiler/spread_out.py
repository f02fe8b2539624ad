"""Functions of single numbers that no step of a loop waits for: taken for all steps at once, before the loop or after it.

A function of one number takes as long as that of a vector, so that a loop over numbers had better not call any.

| rewriting             | before, after                                                                                                |
|-----------------------|--------------------------------------------------------------------------------------------------------------|
| from entries alone    | what depends on entries of sequences, and on constants, is computed for whole sequences before the loop      |
| for results alone     | what no next state needs is computed after the loop from what it needs, which the loop puts out instead       |

::

    scan s x {body=body(s, x) { a = exp x; b = multiply a s; c = sin b; return b c }}
    ->   a = exp x; t, b = scan s a {body=body(s, a) { b = multiply a s; return b b }}; c = sin b
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from wengert.compiler.builder import Builder
from wengert.compiler.native import scalar_code
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.rewrite import substitute
from wengert.core.types import ArrayType

FEW = 8  # numbers from which on a vector is full
CALLS = re.compile(r"\w\(")


def spread_out(graph: Graph) -> Graph:
    """See the module."""
    if not any(node.primitive.name == "scan" for node in graph.nodes):
        return graph
    builder, same = Builder(), {}
    for node in graph.nodes:
        if node.primitive.name == "scan" and node.params["length"] > 1:
            same.update(after(before(node, builder), builder))
        else:
            builder.append(node)
    return substitute(replace(graph, nodes=tuple(builder.nodes)), same)


def is_movable(node: Node) -> bool:
    """Whether a node is a function of few numbers, entry by entry."""
    out = node.outputs[0]
    shapes = {tuple(a.type.shape) for a in node.operands if not (isinstance(a, Const) and not a.type.shape)}
    is_plain = len(node.outputs) == 1 and node.primitive.family in ("elementwise", "discrete") and not node.params
    return is_plain and shapes == {tuple(out.type.shape)} and math.prod(out.type.shape) < FEW and scalar_code(node) is not None


def calls(node: Node) -> bool:
    """Whether it calls a function."""
    return CALLS.search(node.primitive.code) is not None


def n_bytes(atoms: Iterable[Atom]) -> int:
    """The memory that values take."""
    return sum(math.prod(a.type.shape) * a.type.dtype.itemsize for a in atoms)


class Whole:
    """Nodes of a body for all steps at once."""

    def __init__(self, node: Node, builder: Builder) -> None:
        self.n, self.builder = int(node.params["length"]), builder
        self.body: Graph = node.params["body"]
        a, b = node.params["n_consts"], node.params["n_consts"] + node.params["n_carry"]
        inputs = self.body.inputs
        self.consts: dict[Atom, Atom] = dict(zip(inputs[:a], node.operands[:a], strict=True))
        self.carry = inputs[a:b]
        self.whole: dict[Atom, Atom] = dict(zip(inputs[b:], node.operands[b:], strict=True))

    def of(self, atom: Atom) -> Atom:
        """A value of all steps."""
        if atom in self.whole:
            return self.whole[atom]
        one, shape = self.consts.get(atom, atom), tuple(atom.type.shape)
        return one if isinstance(one, Const) and not shape else self.builder.spread(self.builder.reshape(one, (1, *shape)), (self.n, *shape))

    def add(self, nodes: Sequence[Node]) -> None:
        """Write nodes down."""
        for node in nodes:
            (out,) = node.outputs
            self.builder.location = node.location
            self.whole[out] = self.builder.emit(node.primitive, tuple(map(self.of, node.operands)), node.params, self.type_of(out))

    def type_of(self, atom: Atom) -> ArrayType:
        """The type of a value of all steps."""
        return ArrayType((self.n, *atom.type.shape), atom.type.dtype)


def before(node: Node, builder: Builder) -> Node:
    """The loop without functions of entries alone, which become sequences."""
    whole = Whole(node, builder)
    body, known = whole.body, {*whole.whole, *whole.consts}
    moved: list[Node] = []
    for part in body.nodes:
        if is_movable(part) and known.issuperset(a for a in part.operands if not isinstance(a, Const)):
            known.update(part.outputs)
            moved.append(part)
    wanted: set[Atom] = set()
    chosen: set[Node] = set()
    for part in reversed(moved):  # functions, and what they are made of
        if calls(part) or not wanted.isdisjoint(part.outputs):
            chosen.add(part)
            wanted.update(part.operands)
    if not chosen:
        return node
    left = tuple([part for part in body.nodes if part not in chosen])
    read = {a for part in left for a in part.operands} | set(body.outputs)
    made = [part.outputs[0] for part in moved if part in chosen and part.outputs[0] in read]
    whole.add([part for part in moved if part in chosen])
    new = replace(body, inputs=(*body.inputs, *made), nodes=left)
    return replace(node, operands=(*node.operands, *map(whole.of, made)), params={**node.params, "body": new})


def after(node: Node, builder: Builder) -> dict[Var, Atom]:
    """The loop without functions for results alone, and then these; what its results are now."""
    whole, n_carry = Whole(node, builder), node.params["n_carry"]
    body = whole.body
    moved: list[Node] = []
    read: set[Atom] = set(body.outputs[:n_carry])
    for part in reversed(body.nodes):
        if is_movable(part) and part.outputs[0] not in read:
            moved.append(part)
        else:
            read.update(part.operands)
    moved.reverse()
    made = {part.outputs[0] for part in moved}
    needed = [a for a in dict.fromkeys(a for part in moved for a in part.operands)
              if isinstance(a, Var) and a not in made and a not in whole.whole and a not in whole.consts]  # fmt: skip
    results = body.outputs[n_carry:]
    gone = [y for y in dict.fromkeys(results) if y in made]
    fresh = [a for a in needed if a not in results]
    if not any(map(calls, moved)) or not gone or n_bytes(fresh) > n_bytes(gone):
        builder.append(node)
        return {}
    kept = [y for y in dict.fromkeys(results) if y not in made] + fresh
    stacks = [Var(whole.type_of(a)) for a in kept]
    nodes = tuple([part for part in body.nodes if part.outputs[0] not in made])
    inner = replace(body, nodes=nodes, outputs=(*body.outputs[:n_carry], *kept))
    builder.append(replace(node, params={**node.params, "body": inner}, outputs=(*node.outputs[:n_carry], *stacks)))
    whole.whole.update(zip(kept, stacks, strict=True))
    whole.add(moved)
    return dict(zip(node.outputs[n_carry:], map(whole.of, results), strict=True))
