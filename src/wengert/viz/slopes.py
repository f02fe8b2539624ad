"""Local partial derivatives as formulas: a card's own slope, traced once with the user's names for its operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.graph import Node, Var
from wengert.core.text import is_name
from wengert.core.trace import Tracer
from wengert.transforms.record_graph import GraphTrace, freeze
from wengert.viz.notation import constant, expression

LONGEST = 28


def slope_text(node: Node, slot: int, y: Any, xs: Sequence[Any], names: Sequence[str]) -> str:
    """`cos(x)` for the slope of `sin(x)`: `names` are those of the result and of the operands.

    Empty where the slope is one number, is longer than a reader wants, or is not an elementwise card's.
    """
    slopes = node.primitive.slopes
    if slot >= len(slopes) or not callable(slopes[slot]):
        return ""
    trace = GraphTrace()
    values = [_one_element(value) for value in (y, *xs)]
    tracers = [
        trace.input(value, "") if isinstance(value, np.generic) and is_name(name) else value
        for value, name in zip(values, names, strict=True)
    ]
    try:
        with np.errstate(all="ignore"):
            result = slopes[slot](*tracers)
    except (TypeError, ValueError, ArithmeticError):
        return ""  # a slope that cannot be followed has no formula; its number is shown all the same
    if not isinstance(result, Tracer):
        return ""
    inputs = [(tracer.extra, name) for tracer, name in zip(tracers, names, strict=True) if isinstance(tracer, Tracer)]
    graph, _ = freeze(trace, [place for place, _ in inputs], [trace.atom_of(result)], None, None, "")
    texts = dict(zip(graph.inputs, (name for _, name in inputs), strict=True))
    output = graph.outputs[0]
    if output in texts:
        return texts[output]
    producers = {var: inner for inner in graph.nodes for var in inner.outputs}
    return expression([output], producers, lambda atom: texts[atom] if isinstance(atom, Var) else constant(atom), LONGEST)


def _one_element(value: Any) -> Any:
    """A slope reads the same for every element, so one is enough."""
    if not hasattr(value, "dtype"):
        return value
    return np.ravel(value)[0] if np.size(value) else np.zeros((), value.dtype)[()]
