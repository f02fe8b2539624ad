"""The Jacobian of a call: its numbers where it is small, and its sparsity pattern, coarsened where it is large."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wengert.core.graph import Atom, Graph, Node, Var
from wengert.core.pattern import Pattern
from wengert.transforms.colouring import colour_columns
from wengert.viz.explanation import Explanation
from wengert.viz.notation import number
from wengert.viz.passes import MOST_ROWS, Pass
from wengert.viz.walks import Walks

MOST_COLOURED = 20_000  # entries of a pattern whose columns are coloured
FINEST = 128  # cells along each side of a pattern
MOST_WORK = 4_000_000  # elements of all values together, times what one of them may depend on


def jacobian_numbers(explanation: Explanation, forward: Sequence[Pass], n: int, m: int) -> dict[str, Any] | None:
    """The entries of a small Jacobian, as the forward walks found them: rows are outputs, columns inputs."""
    if n != len(forward) or any(one.label.endswith("·1") for one in forward) or not 0 < m <= MOST_ROWS:
        return None
    by_name = {step.name: step for step in explanation.steps}
    rows, labels = [], []
    for name in dict.fromkeys(explanation.outputs):
        step = by_name.get(name)
        if step is None or step.value.dtype.kind not in "fc":
            continue
        tangents = [one.values.get(name) for one in forward]
        for position in np.ndindex(*np.shape(step.value)):
            labels.append(f"{name}[{','.join(map(str, position))}]" if position else name)
            rows.append([number(0.0 if t is None else np.asarray(t)[position], 5) for t in tangents])
    return {"rows": labels, "columns": [one.label.removeprefix("d/d") for one in forward], "entries": rows}


def jacobian_pattern(walks: Walks) -> dict[str, Any]:
    """Which outputs depend on which inputs: `cells` are `[row, column, share of entries]` of a grid, or `why` there is none."""
    graph = walks.graph
    inputs = [v for v in graph.inputs if v.type.is_inexact]
    sizes = [_size(v) for v in inputs]
    n = sum(sizes)
    work = sum(_size(y) for node in graph.nodes for y in node.outputs) * max(n, 1)
    if work > MOST_WORK:
        return {"why": f"the program is large, and {n} inputs make its pattern long to find: wg.sparsity(f)(...) gives it"}
    try:
        pattern = _composed(graph, walks, inputs, sizes)
    except Exception as error:  # the page has much else to show
        return {"why": f"{type(error).__name__}: {error}"}
    names = [walks.names[v] for v in inputs]
    outputs = [walks.text(a) for a in graph.outputs]
    return {**coarse(pattern), **colours(pattern), "columns": _spans(names, sizes), "rows": _spans(outputs, [_size(a) for a in graph.outputs])}


def colours(pattern: Pattern) -> dict[str, Any]:
    """How many passes give the entries of a sparse Jacobian: forward ones for groups of columns, reverse ones for groups of rows."""
    if not 0 < pattern.nnz <= MOST_COLOURED:
        return {}
    return {"colours": {"columns": int(colour_columns(pattern).max()) + 1, "rows": int(colour_columns(pattern.T).max()) + 1}}


def _composed(graph: Graph, walks: Walks, inputs: Sequence[Var], sizes: Sequence[int]) -> Pattern:
    """The patterns of the operations along the graph, whose values are known, composed; as `wg.sparsity` does while a program runs."""
    n = sum(sizes)
    known: dict[Atom, Pattern] = {}
    for var, size, end in zip(inputs, sizes, np.cumsum(sizes), strict=True):
        here = np.arange(size)
        known[var] = Pattern(here, here + end - size, (size, n), is_sorted=True)
    for node in graph.nodes:
        found = _of_node(node, walks, known)
        if found is not None:
            ends = np.cumsum([_size(y) for y in node.outputs])
            for y, end in zip(node.outputs, ends, strict=True):
                if y.type.is_inexact:
                    known[y] = found if len(ends) == 1 else found.block(slice(int(end) - _size(y), int(end)), slice(0, n))
    parts = [known.get(a) or Pattern.empty((_size(a), n)) for a in graph.outputs]
    offsets = np.cumsum([0, *(part.shape[0] for part in parts)])
    rows = [part.rows + offset for part, offset in zip(parts, offsets, strict=False)]
    return Pattern(np.concatenate(rows), np.concatenate([part.columns for part in parts]), (int(offsets[-1]), n), is_sorted=True)


def _of_node(node: Node, walks: Walks, known: Mapping[Atom, Pattern]) -> Pattern | None:
    """On which inputs the results of one operation depend; `None` if on none."""
    if node.primitive.is_discrete:
        return None
    results = [walks.values[y] for y in node.outputs]
    y = results[0] if node.primitive.n_outputs is None else tuple(results)
    xs = [walks.value(a) for a in node.operands]
    pieces = [node.primitive.pattern(slot, y, xs, node.params) @ known[a] for slot, a in enumerate(node.operands) if a in known]
    return functools.reduce(operator.or_, pieces) if pieces else None


def _size(atom: Atom) -> int:
    return int(np.prod(atom.type.shape, dtype=int))


def _spans(names: list[str], sizes: list[int]) -> list[list[Any]]:
    ends = np.cumsum([0, *sizes])
    return [[name, int(a), int(b)] for name, a, b in zip(names, ends, ends[1:], strict=False)]


def coarse(pattern: Pattern) -> dict[str, Any]:
    """A pattern on a grid of at most `FINEST` cells along each side, each with the share of its entries that may be other than zero."""
    m, n = pattern.shape
    height, width = min(m, FINEST), min(n, FINEST)
    found: dict[str, Any] = {"shape": [m, n], "grid": [height, width], "entries": len(pattern.rows), "cells": []}
    if len(pattern.rows) and m and n:
        rows, columns = pattern.rows * height // m, pattern.columns * width // n
        counts = np.zeros((height, width))
        np.add.at(counts, (rows, columns), 1)
        area = np.outer(np.diff(_bounds(m, height)), np.diff(_bounds(n, width)))
        found["cells"] = [[int(i), int(j), round(float(counts[i, j] / area[i, j]), 3)] for i, j in zip(*np.nonzero(counts), strict=True)]
    return found


def _bounds(n: int, cells: int) -> Any:
    """The first index of each cell, as `k * cells // n` assigns them, and `n`."""
    return -(-np.arange(cells + 1) * n // cells)
