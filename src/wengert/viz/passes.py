"""Single walks for the explorer: a forward one for each direction of the inputs, a reverse one for each output.

A forward walk gives a column of the Jacobian, a reverse walk a row: `n` of the former, or `m` of the latter, give all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wengert.core.graph import Var
from wengert.viz.explanation import Explanation
from wengert.viz.walks import Step, push

MOST_ROWS = 6
LONGEST = 600  # steps of a program whose every term is computed


@dataclass
class Pass:
    """`values` are tangents or adjoints by the names of steps; `events` are `(step, slot, term, sum after it)`, in order."""

    label: str
    seed: str
    values: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, int, Any, Any]] = field(default_factory=list)


def forward_passes(explanation: Explanation) -> list[Pass]:
    """A walk for each column of the forward table."""
    found = []
    for k, column in enumerate(explanation.columns):
        values = {step.name: step.tangents[k] for step in explanation.steps}
        one = Pass(column.label, f"{column.input} moves" + (", all elements together" if column.label.endswith("·1") else ""), values)
        if len(explanation.steps) <= LONGEST:
            one.events = [event for step in explanation.steps for event in _forward_terms(explanation, step, k)]
        found.append(one)
    return found


def _forward_terms(explanation: Explanation, step: Step, column: int) -> list[tuple[str, int, Any, Any]]:
    """What each operand that moves adds to a step's tangent."""
    walks, node = explanation.walks, step.node
    if node is None or node.primitive.push is None:
        return []
    results = [walks.values[y] for y in node.outputs]
    y = results[0] if node.primitive.n_outputs is None else tuple(results)
    xs = [walks.value(a) for a in node.operands]
    here = next(k for k, var in enumerate(node.outputs) if walks.names[var] == step.name)
    events, total = [], None
    moving = [(k, walks.tangent(a, column)) for k, a in enumerate(node.operands) if isinstance(a, Var)]
    for slot, dx in moving:
        if dx is None:
            continue
        dxs = [dx if k == slot else None for k in range(len(node.operands))]
        term = (push(node, dxs, y, xs) or {here: None})[here]
        if term is not None:
            total = term if total is None else total + term
            events.append((step.name, slot, term, total))
    return events


def reverse_passes(explanation: Explanation) -> list[Pass]:
    """A walk for each output, if there are few; else the one of the reverse table."""
    outputs = [a for a in explanation.graph.outputs if isinstance(a, Var) and a.type.is_inexact]
    size = sum(int(np.prod(a.type.shape, dtype=int)) for a in outputs)
    name = explanation.walks.names
    if len(outputs) == 1 and size == 1 or size > MOST_ROWS or len(explanation.steps) > LONGEST:
        label = f"d{name[outputs[0]]}" if len(outputs) == 1 and size == 1 else "d(sum of outputs)"
        return [_reverse(explanation, label, {a: np.ones(a.type.shape, a.type.dtype)[()] for a in outputs})] if outputs else []
    found = []
    for output in dict.fromkeys(outputs):
        for position in np.ndindex(*output.type.shape):
            seed = np.zeros(output.type.shape, output.type.dtype)
            seed[position] = 1
            where = f"[{','.join(map(str, position))}]" if position else ""
            found.append(_reverse(explanation, f"d{name[output]}{where}", {output: seed[()]}))
    return found


def _reverse(explanation: Explanation, label: str, seed: dict[Var, Any]) -> Pass:
    walks = explanation.walks
    adjoints = dict(seed)
    one = Pass(label, f"starts from {' and '.join(walks.names[v] for v in seed)}")
    for node, slot, piece in walks.pull_back(adjoints):
        one.events.append((walks.names[node.outputs[0]], slot, piece, adjoints[node.operands[slot]]))  # type: ignore[index]
    one.values = {walks.names[var]: adjoint for var, adjoint in adjoints.items()}
    return one
