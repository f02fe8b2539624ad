"""Rewriting a graph before it is fused: common subexpressions and dead code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.rewrite import remove_dead


def share_common(graph: Graph) -> Graph:
    """Compute equal nodes once.

    ::

        graph(x) { a = sin x; b = sin x; c = add a b; return c }   ->   graph(x) { a = sin x; c = add a a; return c }
    """
    same: dict[Atom, Atom] = {}
    seen: dict[Any, tuple[Var, ...]] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        operands = tuple(same.get(atom, atom) for atom in node.operands)
        key = _key(node, operands)
        if key is not None and key in seen:
            same.update(zip(node.outputs, seen[key], strict=True))
            continue
        if key is not None:
            seen[key] = node.outputs
        nodes.append(replace(node, operands=operands))
    return replace(graph, nodes=tuple(nodes), outputs=tuple(same.get(atom, atom) for atom in graph.outputs))


def _key(node: Node, operands: tuple[Atom, ...]) -> Any:
    parts = tuple(_constant_key(a) if isinstance(a, Const) else id(a) for a in operands)
    try:
        key = (node.primitive.name, node.primitive, parts, _frozen(node.params))
        hash(key)
    except TypeError:
        return None
    return key


def _constant_key(atom: Const) -> Any:
    value = atom.value
    if isinstance(value, np.ndarray):
        return (value.shape, str(value.dtype), value.tobytes()) if value.size <= 64 else id(value)
    return (type(value), repr(value))


def _frozen(params: Mapping[str, Any]) -> Any:
    return tuple(sorted((key, str(value)) for key, value in params.items()))


def simplify(graph: Graph) -> Graph:
    """The passes in their order."""
    return remove_dead(share_common(graph))
