"""`explain`: the two walks of a textbook for any function, as plain text, as a terminal table, and as HTML."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from wengert import _optional
from wengert.api import grad
from wengert.core.graph import Graph, Var
from wengert.transforms.record_graph import trace
from wengert.viz.blocks import Block, forward_blocks, indented, reverse_blocks
from wengert.viz.inner_walks import InnerProgram, inner_programs
from wengert.viz.notation import brief, expression
from wengert.viz.polynomial import closed_forms
from wengert.viz.rows import (
    FORWARD,
    REVERSE,
    REVERSE_HEAD,
    Rows,
    abridged,
    aligned,
    forward_head,
    forward_rows,
    reverse_rows,
)
from wengert.viz.tables import html_page, rich_tables
from wengert.viz.walks import Step, Walks, as_floats


class Explanation:
    """What a function does at a point, step by step, and how its derivatives come about.

    `str()` is plain text, a notebook shows tables, and `.show()` prints colours in a terminal.  For programs:
    `steps` (each with `name`, `formula`, `value`, `tangents`, `adjoint`, `contributions`), `columns` (the
    directions of the tangents), `gradients` and `graph`.
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.walks = walks = Walks(function, args, kwargs)
        self.graph: Graph = walks.graph
        self.steps: list[Step] = walks.steps
        self.columns = walks.columns
        self.n_directions = walks.n_directions
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
        if not outputs:
            return "No output is a floating-point number that was computed from an input: nothing is walked back."
        return "The output is not one number: the walk starts from ones, and gives the gradient of the sum of all outputs."

    @property
    def forward_notes(self) -> list[str]:
        """What the columns of the forward walk leave out."""
        notes = []
        if any(column.label.endswith("·1") for column in self.columns):
            notes.append("A column d/dx·1 moves all elements of x together, at the rate 1.")
        if self.n_directions > len(self.columns):
            notes.append(f"The first {len(self.columns)} of {self.n_directions} directions are shown.")
        return notes

    def summary(self) -> list[str]:
        """`df/dx = 2x = 6`, one line for each input."""
        f = self.graph.name if not self.note else "sum"
        lines = []
        for name, gradient in self.gradients.items():
            closed = self.closed_forms.get(name, "")
            middle = f"{closed} = " if closed and closed != brief(gradient) else ""
            lines.append(f"d{f}/d{name} = {middle}{brief(gradient)}")
        return lines

    def disagreement(self) -> float:
        """The largest relative difference between both walks, in the real inner product `Re⟨1, J dx⟩ = Re⟨Jᴴ 1, dx⟩`."""
        outputs = [s for s in self.steps if s.name in set(self.outputs) and s.adjoint is not None]
        worst = 0.0
        for k, column in enumerate(self.columns):
            forward = sum(np.sum(s.tangents[k]) * self.outputs.count(s.name) for s in outputs if s.tangents[k] is not None)
            forward, backward = np.real(forward), np.real(np.vdot(self.gradients[column.input], column.seed))
            if np.isfinite(forward) and np.isfinite(backward):
                worst = max(worst, float(np.abs(forward - backward) / max(1.0, float(np.abs(backward)))))
        return worst

    def shown(self) -> list[Step | None]:
        """The steps that a reader gets to see; `None` stands for those left out of a long program."""
        return abridged(self.steps)

    @cached_property
    def inner(self) -> list[InnerProgram]:
        """The programs inside of the steps that are shown, with the walks through their passes."""
        nodes = dict.fromkeys(step.node for step in self.shown() if step is not None and step.node is not None)
        return inner_programs(self.walks, list(nodes))

    # What the tables of text, terminals and pages are made of.

    @property
    def forward_rows(self) -> Rows:
        """The forward walk, one row for each step."""
        return forward_rows(self.steps, len(self.columns))

    @property
    def reverse_rows(self) -> Rows:
        """The reverse walk, from the last step to the first."""
        return reverse_rows(self.steps)

    @property
    def forward_blocks(self) -> list[Block]:
        """The same inside of loops, branches and calls."""
        return forward_blocks(self.inner, self.columns)

    @property
    def reverse_blocks(self) -> list[Block]:
        """The same on the way back."""
        return reverse_blocks(self.inner)

    # --- plain text ------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        lines = [self.title, f"at {self.point}" if self.point else "", ""]
        lines += [FORWARD, *self.forward_notes, ""]
        lines += aligned([forward_head(self.columns), *self.forward_rows], right=range(2, 3 + len(self.columns)))
        lines += indented(self.forward_blocks)
        lines += ["", REVERSE, *([self.note] if self.note else []), ""]
        lines += aligned([REVERSE_HEAD, *self.reverse_rows], right=[len(REVERSE_HEAD) - 1])
        lines += indented(self.reverse_blocks)
        lines += ["", "Both walks give" if self.columns else "", *(f"  {line}" for line in self.summary())]
        return "\n".join(lines).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_page(self)

    @property
    def html(self) -> str:
        """The tables as HTML, to embed in a page."""
        return self._repr_html_()

    def __rich__(self) -> Any:
        return rich_tables(self)

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
