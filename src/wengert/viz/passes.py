"""Single walks for the explorer: a forward one for each direction of the inputs, a reverse one for each output.

A forward walk gives a column of the Jacobian, a reverse walk a row: `n` of the former, or `m` of the latter, give all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wengert.core.graph import Var
from wengert.viz.explanation import Explanation
from wengert.viz.walks import MOST_COLUMNS, Column, Walks, make_columns, push

MOST_ROWS = 6
SUM = "d(sum of outputs)"
LONGEST = 600  # steps of a program whose every term is computed
MOST_LONG = 2  # directions of a longer one


@dataclass
class Pass:
    """`values` are tangents or adjoints by the names of steps; `events` are `(step, slot, term, sum after it)`, in order."""

    label: str
    seed: str
    values: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, int, Any, Any]] = field(default_factory=list)

    @property
    def is_sum(self) -> bool:
        """Whether it gives no column or row, but the sum of several."""
        return self.label.endswith("·1") or self.label == SUM


def forward_passes(explanation: Explanation) -> list[Pass]:
    """A walk for each input number, if there are few; else one for each column of the forward table."""
    walks, steps = explanation.walks, explanation.steps
    if len(steps) > LONGEST or walks.most_columns < MOST_COLUMNS:
        tangents = [{step.name: step.tangents[k] for step in steps} for k in range(min(MOST_LONG, len(explanation.columns)))]
        return [Pass(c.label, _moves(c), values) for c, values in zip(explanation.columns, tangents, strict=False)]
    columns = make_columns([(walks.names[v], walks.values[v]) for v in walks.graph.inputs], MOST_ROWS)[: walks.most_columns]
    return [_forward(walks, column) for column in columns]


def _moves(column: Column) -> str:
    return f"{column.input} moves" + (", all elements together" if column.label.endswith("·1") else "")


def _forward(walks: Walks, column: Column) -> Pass:
    """A walk forwards, with what each operand that moves adds to a tangent."""
    one = Pass(column.label, _moves(column), {column.input: column.seed})
    for node in walks.graph.nodes:
        results = [walks.values[y] for y in node.outputs]
        y = results[0] if node.primitive.n_outputs is None else tuple(results)
        xs = [walks.value(a) for a in node.operands]
        for slot, atom in enumerate(node.operands):
            dx = one.values.get(walks.names[atom]) if isinstance(atom, Var) else None
            if dx is None:
                continue
            dxs = [dx if k == slot else None for k in range(len(node.operands))]
            for var, term in zip(node.outputs, push(node, dxs, y, xs) or (), strict=False):
                if term is not None:
                    name = walks.names[var]
                    one.values[name] = one.values[name] + term if name in one.values else term
                    one.events.append((name, slot, term, one.values[name]))
    return one


def reverse_passes(explanation: Explanation) -> list[Pass]:
    """A walk for each output, if there are few; else the one of the reverse table."""
    outputs = [a for a in explanation.graph.outputs if isinstance(a, Var) and a.type.is_inexact]
    size = sum(int(np.prod(a.type.shape, dtype=int)) for a in outputs)
    name = explanation.walks.names
    if len(outputs) == 1 and size == 1 or size > MOST_ROWS or len(explanation.steps) > LONGEST:
        label = f"d{name[outputs[0]]}" if len(outputs) == 1 and size == 1 else SUM
        return [_walked(explanation, label, outputs)] if outputs else []
    found = []
    for output in dict.fromkeys(outputs):
        for position in np.ndindex(*output.type.shape):
            seed = np.zeros(output.type.shape, output.type.dtype)
            seed[position] = 1
            where = f"[{','.join(map(str, position))}]" if position else ""
            found.append(_reverse(explanation, f"d{name[output]}{where}", {output: seed[()]}))
    return found


def _walked(explanation: Explanation, label: str, outputs: list[Var]) -> Pass:
    """The walk back of the explanation itself."""
    names = explanation.walks.names
    values = {step.name: step.adjoint for step in explanation.steps if step.adjoint is not None}
    one = Pass(label, _starts(names[v] for v in dict.fromkeys(outputs)), values)
    by_name = {step.name: step for step in explanation.steps}
    for node in reversed(explanation.graph.nodes):
        first = names[node.outputs[0]]
        one.events += [(first, c.slot, c.value, c.total) for c in by_name[first].contributions]
    return one


def _starts(names: Iterable[str]) -> str:
    names = list(names)
    return f"starts from {' and '.join(names[:3])}{' …' if len(names) > 3 else ''}"


def _reverse(explanation: Explanation, label: str, seed: dict[Var, Any]) -> Pass:
    walks = explanation.walks
    adjoints = dict(seed)
    one = Pass(label, _starts(walks.names[v] for v in seed))
    for node, slot, piece in walks.pull_back(adjoints):
        one.events.append((walks.names[node.outputs[0]], slot, piece, adjoints[node.operands[slot]]))  # type: ignore[index]  # slots that are pulled are variables
    one.values = {walks.names[var]: adjoint for var, adjoint in adjoints.items()}
    return one
