"""Printing a graph in the grammar that stands in `wengert.core.graph`."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np


def format_literal(value: Any) -> str:
    """A Python literal that `wengert.core.parse` turns back into the same value."""
    if isinstance(value, np.ndarray):
        return f"array({value.tolist()!r}, {value.dtype.name})"
    if isinstance(value, np.generic):
        return f"array({value.item()!r}, {value.dtype.name})"
    if isinstance(value, np.dtype):
        return f"dtype({value.name})"
    if isinstance(value, tuple):
        inside = ", ".join(map(format_literal, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, list):
        return f"[{', '.join(map(format_literal, value))}]"
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop}, {value.step})"
    return repr(value)


def _letters() -> Any:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for n in count():
        yield from (letter if n == 0 else f"{letter}{n}" for letter in alphabet)


def name_atoms(graph: Any) -> dict[Any, str]:
    """One name for every variable and constant: the user's own name where the graph knows it, else a letter."""
    names: dict[Any, str] = {}
    taken = {var.hint for var in graph.vars() if var.hint}
    letters = (letter for letter in _letters() if letter not in taken)
    used: set[str] = set()
    for var in graph.vars():
        fresh = var.hint and var.hint not in used
        names[var] = var.hint if fresh else next(letters)
        used.add(names[var])
    constants = count()
    for atom in [a for node in graph.nodes for a in node.operands] + list(graph.outputs):
        if atom not in names:
            names[atom] = f"_{next(constants)}"
    return names


def format_graph(graph: Any) -> str:
    """The text form of a graph."""
    names = name_atoms(graph)

    def declare(atom: Any) -> str:
        return f"{names[atom]}:{atom.type}"

    lines = [f"graph({', '.join(map(declare, graph.inputs))}) {{"]
    defined = set(graph.vars())
    lines += [f"  const {declare(a)} = {format_literal(a.value)}" for a in names if a not in defined]
    for node in graph.nodes:
        left = ", ".join(map(declare, node.outputs))
        words = [node.primitive.name, *(names[a] for a in node.operands)]
        params = ", ".join(f"{key}={format_literal(value)}" for key, value in node.params.items())
        comment = f"  # {node.location}" if node.location else ""
        lines.append(f"  {left} = {' '.join(words)}{f' {{{params}}}' if params else ''}{comment}")
    lines.append(f"  return {' '.join(names[a] for a in graph.outputs)}")
    return "\n".join([*lines, "}"])
