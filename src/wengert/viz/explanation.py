"""`explain`: the two walks of a textbook for any function, as plain text, as a terminal table, and as HTML."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert import _optional
from wengert.api import grad
from wengert.core.graph import Graph, Var
from wengert.transforms.record_graph import trace
from wengert.viz.notation import bar, brief, expression, pad, width
from wengert.viz.polynomial import closed_forms
from wengert.viz.tables import html_page, rich_tables
from wengert.viz.walks import Contribution, Step, Walks, as_floats

LONGEST = 60  # a longer program shows its first and last steps


class Explanation:
    """What a function does at a point, step by step, and how its derivatives come about.

    `str()` is plain text, a notebook shows tables, and `.show()` prints colours in a terminal.  For programs:
    `steps` (each with `name`, `formula`, `value`, `tangents`, `adjoint`, `contributions`), `columns` (the
    directions of the tangents), `gradients` and `graph`.
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        walks = Walks(function, args, kwargs)
        self.graph: Graph = walks.graph
        self.steps: list[Step] = walks.steps
        self.columns = walks.columns
        self.inputs = {step.name: step.value for step in self.steps if step.is_input}
        self.gradients = {
            s.name: np.zeros_like(s.value) if s.adjoint is None else s.adjoint
            for s in self.steps
            if s.is_input and s.value.dtype.kind in "fc"
        }
        self.outputs = [walks.text(atom) for atom in self.graph.outputs]
        producers = {var: node for node in self.graph.nodes for var in node.outputs}
        self.expression = expression(self.graph.outputs, producers, walks.text, 72) if len(self.outputs) == 1 else ""
        self.closed_forms = self._closed_forms(function, args, kwargs)

    def _closed_forms(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, str]:
        """`{"x": "2x"}` for a polynomial of few scalars: its gradient's own program, in closed form."""
        if len(self.gradients) > 4 or len(self.steps) > 40 or not all(v.shape == () for v in self.inputs.values()):
            return {}
        if kwargs or len(self.inputs) != len(args) or len(self.outputs) != 1:
            return {}
        args, _ = as_floats(tuple(args), {})
        every = tuple(range(len(args)))
        try:
            forms = closed_forms(trace(grad(function, argnums=every, on_disconnected="zero"))(*args), list(self.inputs))
        except (TypeError, ValueError):  # not a scalar function of floats
            return {}
        return {} if forms is None else dict(zip(self.inputs, forms, strict=True))

    # --- sentences -----------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """`f(x, y) = (x + y)·(x - y)`."""
        head = f"{self.graph.name}({', '.join(self.inputs)})"
        return f"{head} = {self.expression}" if self.expression else head

    @property
    def point(self) -> str:
        """`x = 3, y = 2`."""
        return ", ".join(f"{name} = {brief(value)}" for name, value in self.inputs.items())

    @property
    def note(self) -> str:
        """What the reverse walk starts from, where that is not simply 1."""
        outputs = [a for a in self.graph.outputs if isinstance(a, Var) and a.type.is_inexact]
        if len(outputs) == 1 and outputs[0].type.shape == ():
            return ""
        return "The output is not one number: the reverse walk starts from ones, and gives the gradient of the sum of all outputs."

    def summary(self) -> list[str]:
        """`df/dx = 2x = 6`, one line for each input."""
        f = self.outputs[0] if len(self.outputs) == 1 and not self.note else "sum"
        lines = []
        for name, gradient in self.gradients.items():
            closed = self.closed_forms.get(name, "")
            middle = f"{closed} = " if closed and closed != brief(gradient) else ""
            lines.append(f"d{f}/d{name} = {middle}{brief(gradient)}")
        return lines

    def disagreement(self) -> float:
        """The largest relative difference between the forward walk's derivatives and the reverse walk's."""
        outputs = [s for s in self.steps if s.name in set(self.outputs) and s.adjoint is not None]
        worst = 0.0
        for k, column in enumerate(self.columns):
            forward = sum(np.sum(s.tangents[k]) * self.outputs.count(s.name) for s in outputs if s.tangents[k] is not None)
            backward = np.vdot(self.gradients[column.input], column.seed)
            if np.isfinite(forward) and np.isfinite(backward):
                worst = max(worst, float(np.abs(forward - np.conj(backward)) / max(1.0, float(np.abs(backward)))))
        return worst

    def shown(self) -> list[Step | None]:
        """The steps that a reader gets to see; `None` stands for those left out of a long program."""
        if len(self.steps) <= LONGEST:
            return list(self.steps)
        half = LONGEST // 2
        return [*self.steps[:half], None, *self.steps[-half:]]

    # --- plain text ------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        lines = [self.title, f"at {self.point}" if self.point else "", ""]
        lines += ["Forward walk: the value of each step, and how fast it changes with each input", ""]
        lines += _columns([forward_head(self), *forward_rows(self)], numbers=2)
        lines += ["", "Reverse walk: how fast the output changes with each step, from the last to the first"]
        lines += [self.note, ""] if self.note else [""]
        lines += _columns([["step", "adjoint", "adds to the adjoints of its operands"], *reverse_rows(self)])
        lines += ["", "Both walks give" if self.columns else "", *(f"  {line}" for line in self.summary())]
        return "\n".join(lines).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_page(self, forward_rows(self), reverse_rows(self))

    @property
    def html(self) -> str:
        """The tables as HTML, to embed in a page."""
        return self._repr_html_()

    def __rich__(self) -> Any:
        return rich_tables(self, forward_rows(self), reverse_rows(self))

    def show(self) -> None:
        """Print it: with colours in a terminal if rich is installed, else as plain text."""
        if not sys.stdout.isatty():
            sys.stdout.write(f"{self}\n")
            return
        try:
            console = _optional.load("rich.console", "coloured tables", "viz").Console()
        except ImportError:
            sys.stdout.write(f"{self}\n")
        else:
            console.print(self.__rich__())


def forward_head(explanation: Explanation) -> list[str]:
    """The column titles of the forward walk."""
    return ["step", "formula", "value", *(column.label for column in explanation.columns), "line"]


def forward_rows(explanation: Explanation) -> list[list[str]]:
    """The forward walk as text, one row for each step."""
    rows = []
    for step in explanation.shown():
        if step is None:
            rows.append(["…", f"{len(explanation.steps) - LONGEST} more steps", *[""] * (len(explanation.columns) + 2)])
        else:
            rows.append([step.name, step.formula, brief(step.value), *map(brief, step.tangents), step.location])
    return rows


def reverse_rows(explanation: Explanation) -> list[list[str]]:
    """The reverse walk as text, from the last step to the first; a row for each contribution."""
    rows = []
    for step in reversed(explanation.shown()):
        if step is None:
            rows.append(["…", "", f"{len(explanation.steps) - LONGEST} more steps"])
            continue
        adjoint = f"{bar(step.name)} = {brief(step.adjoint)}" if step.adjoint is not None else "not reached"
        said = [describe_contribution(step, c) for c in step.contributions]
        rows.append([step.name, adjoint, said[0] if said else ""])
        rows += [["", "", line] for line in said[1:]]
    return rows


def describe_contribution(step: Step, c: Contribution) -> str:
    """`x̄ += ā·∂a/∂x = 1·1 = 1`."""
    left, ct, slope = bar(c.operand), bar(step.name), f"∂{step.name}/∂{c.operand}"
    if np.ndim(step.value) == 0 and np.ndim(c.value) == 0 and c.partial is not None:
        factors = [brief(step.adjoint), brief(c.partial)]
        work = "·".join(f"({x})" if x.startswith("-") and k else x for k, x in enumerate(factors))
        return f"{left} += {ct}·{slope} = {work} = {brief(c.value)}"
    is_slope = step.node is not None and step.node.primitive.family == "elementwise"
    product = f"{ct}·{slope}" if is_slope else f"({slope})ᵀ {ct}"
    return f"{left} += {product} = {brief(c.value)}"


def _columns(rows: Sequence[Sequence[str]], numbers: int | None = None) -> list[str]:
    """Rows of text as aligned columns; from column `numbers` on, but for the last, on the right."""
    widths = [max(width(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            pad(cell, widths[k], right=numbers is not None and numbers <= k < len(row) - 1) for k, cell in enumerate(row)
        ]
        lines.append(("  " + "   ".join(cells)).rstrip())
    return lines
