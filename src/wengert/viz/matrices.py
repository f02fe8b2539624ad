"""The Jacobian of a call: its numbers where it is small, and its sparsity pattern, coarsened where it is large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.graph import Const, Graph
from wengert.core.pattern import Pattern
from wengert.core.trace import bind
from wengert.transforms.sparsity import pattern_of
from wengert.viz.explanation import Explanation
from wengert.viz.notation import number
from wengert.viz.passes import MOST_ROWS, Pass
from wengert.viz.walks import Walks

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
    sizes = [int(np.prod(v.type.shape, dtype=int)) for v in inputs]
    n = sum(sizes)
    work = sum(int(np.prod(y.type.shape, dtype=int)) for node in graph.nodes for y in node.outputs) * max(n, 1)
    if work > MOST_WORK:
        return {"why": f"the program is large, and {n} inputs make its pattern long to find: wg.sparsity(f)(...) gives it"}
    try:
        pattern, values = pattern_of(lambda *xs: _run(graph, walks, dict(zip(inputs, xs, strict=True))), [walks.values[v] for v in inputs])
    except Exception as error:  # the page has much else to show
        return {"why": f"{type(error).__name__}: {error}"}
    names = [walks.names[v] for v in inputs]
    outputs = [walks.text(a) for a in graph.outputs]
    return {
        **coarse(pattern), "columns": _spans(names, sizes), "rows": _spans(outputs, [int(np.size(v)) for v in values]),
    }  # fmt: skip


def _run(graph: Graph, walks: Walks, places: dict[Any, Any]) -> list[Any]:
    """The outputs; inputs that have no derivative are what they were."""
    places = {**{v: walks.values[v] for v in graph.inputs}, **places}
    for node in graph.nodes:
        result = bind(node.primitive, [a.value if isinstance(a, Const) else places[a] for a in node.operands], node.params)
        places.update(zip(node.outputs, (result,) if node.primitive.n_outputs is None else result, strict=True))
    return [np.asarray(a.value) if isinstance(a, Const) else places[a] for a in graph.outputs]


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
