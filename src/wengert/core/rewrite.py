"""Small rewritings of graphs.  Each takes a graph and returns a new one; nothing is changed in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wengert.core.graph import Atom, Graph, Node, Var


def remove_dead(graph: Graph) -> Graph:
    """Leave out the nodes that no output needs; the inputs stay.

    ::

        graph(x) { a = sin x; b = cos x; return a }   ->   graph(x) { a = sin x; return a }
    """
    needed = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.operands)
            kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))


def substitute(graph: Graph, atoms: Mapping[Var, Atom]) -> Graph:
    """Read `atoms[v]` wherever `v` was read; what computes `v` stays, and is dead.

    ::

        graph(x) { a = sin x; b = exp a; return b }   with {a: x}   ->   graph(x) { a = sin x; b = exp x; return b }
    """

    def read(atom: Atom) -> Atom:
        return atoms.get(atom, atom) if isinstance(atom, Var) else atom

    nodes = tuple(replace(node, operands=tuple(map(read, node.operands))) for node in graph.nodes)
    return replace(graph, nodes=nodes, outputs=tuple(map(read, graph.outputs)))


def inline(graph: Graph, inputs: tuple[Atom, ...]) -> tuple[tuple[Node, ...], tuple[Atom, ...]]:
    """The nodes of a graph with fresh variables, applied to `inputs`; and what its outputs are there.

    ::

        graph(x) { a = sin x; return a }   on (u,)   ->   a' = sin u, and the outputs (a',)
    """
    places: dict[Atom, Atom] = dict(zip(graph.inputs, inputs, strict=True))
    nodes = []
    for node in graph.nodes:
        outputs = tuple(Var(var.type, var.hint) for var in node.outputs)
        nodes.append(replace(node, operands=tuple(places.get(a, a) for a in node.operands), outputs=outputs))
        places.update(zip(node.outputs, outputs, strict=True))
    return tuple(nodes), tuple(places.get(a, a) for a in graph.outputs)
