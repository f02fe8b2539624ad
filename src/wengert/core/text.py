"""Printing a graph in the grammar that stands in `wengert.core.graph`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[(?:-?\d+|'[\w .+-]*')\])*"
LONGEST = 1000  # a constant of more elements is left out of `str(graph)`; `graph.text()` has it
_IS_NAME = re.compile(NAME)
_ELIDED = "array(...)"


def format_literal(value: Any, longest: int | None = None) -> str:
    """A Python literal that `wengert.core.parse` turns back into the same value."""
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, np.ndarray):
        return _format_array(value, longest)
    if isinstance(value, np.generic):
        return f"{_dtype_name(value.dtype)}({_format_items(value.item())})"
    if isinstance(value, complex):
        return f"complex({value.real!r}, {value.imag!r})"
    if isinstance(value, np.dtype):
        return f"dtype({_dtype_name(value)})"
    if isinstance(value, type) and issubclass(value, np.generic):
        return f"type({_dtype_name(np.dtype(value))})"
    if isinstance(value, tuple):
        inside = ", ".join(format_literal(part, longest) for part in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, list):
        return f"[{', '.join(format_literal(part, longest) for part in value)}]"
    if isinstance(value, dict):
        items = (f"{format_literal(key)}: {format_literal(part, longest)}" for key, part in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, slice):
        return f"slice({', '.join(format_literal(part) for part in (value.start, value.stop, value.step))})"
    if hasattr(value, "nodes"):  # a graph
        return format_graph(value, longest).replace("\n", "\n  ")
    return "..." if value is Ellipsis else repr(value)


def _format_array(value: Any, longest: int | None) -> str:
    if longest is not None and value.size > longest:
        return _ELIDED
    shape = "" if value.size else f", {value.shape}"
    return f"array({_format_items(value.tolist())}, {_dtype_name(value.dtype)}{shape})"


def _dtype_name(dtype: Any) -> str:
    return dtype.name if dtype.isnative and dtype.kind in "biufc" else repr(dtype.str)


def _format_items(items: Any) -> str:
    """Nested lists of numbers; those wider than Python's as strings."""
    if isinstance(items, list):
        return f"[{', '.join(map(_format_items, items))}]"
    if isinstance(items, np.generic):
        return repr(str(items))
    return format_literal(items)


def _letters() -> Iterator[str]:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for n in count():
        yield from (f"{letter}{n or ''}" for letter in alphabet)


def is_name(text: str) -> bool:
    """Whether the grammar accepts `text` as a name: `x`, `params['w']`, `layers[0].bias`."""
    return _IS_NAME.fullmatch(text) is not None


def name_atoms(graph: Any) -> dict[Any, str]:
    """One name for every variable and constant: the user's own name where the graph knows it, else a letter.

    A name that the user gave several times (in a loop) is counted: `s`, `s1`, `s2`.
    """
    names: dict[Any, str] = {}
    used = {var.hint for var in graph.vars()} - {""}
    letters = (letter for letter in _letters() if letter not in used)
    given: set[str] = set()
    counters: dict[str, Iterator[int]] = {}
    for var in dict.fromkeys(graph.vars()):
        name = var.hint if is_name(var.hint) else next(letters)
        if name in given:
            counter = counters.setdefault(name, count(1))
            name = next(new for k in counter if (new := f"{name}{k}" if name[-1] != "]" else f"{name}._{k}") not in used)
        used.add(name)
        given.add(name)
        names[var] = name
    constants = (name for k in count() if (name := f"_{k}") not in used)
    for atom in [a for node in graph.nodes for a in node.operands] + list(graph.outputs):
        if atom not in names:
            names[atom] = getattr(atom, "hint", "") or next(constants)
    return names


def format_graph(graph: Any, longest: int | None = None) -> str:
    """The text form of a graph; arrays of more than `longest` elements are left out, if that is a number."""
    names = name_atoms(graph)

    def declare(atom: Any) -> str:
        return f"{names[atom]}:{atom.type}"

    lines = [f"graph({', '.join(map(declare, graph.inputs))}) {{"]
    defined = set(graph.vars())
    lines += [f"  const {declare(a)} = {format_literal(a.value, longest)}" for a in names if a not in defined]
    for node in graph.nodes:
        left = ", ".join(map(declare, node.outputs))
        words = [node.primitive.name, *(names[a] for a in node.operands)]
        params = ", ".join(f"{key}={format_literal(value, longest)}" for key, value in node.params.items())
        comment = f"  # {node.location}" if node.location else ""
        lines.append(f"  {left} = {' '.join(words)}{f' {{{params}}}' if params else ''}{comment}")
    lines.append(" ".join(["  return", *(names[a] for a in graph.outputs)]))
    return "\n".join([*lines, "}"])
