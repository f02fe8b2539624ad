"""Steps as rows of text: one for each in the forward walk, one in the reverse walk."""

from __future__ import annotations

from collections.abc import Sequence

from wengert.viz.chain import chain_rule
from wengert.viz.notation import brief, cut, pad, terse, width
from wengert.viz.walks import Column, Step

Rows = Sequence[Sequence[str]]
FORWARD = "Forward walk: the value of each step, and how fast it changes with each input"
REVERSE = "Reverse walk: how fast the output changes with each step, from last to first"
REVERSE_HEAD = ("step", "adjoint by the chain rule", "with the slopes", "in numbers", "adjoint")
LONGEST = 60  # a longer program shows its first and last steps


def abridged(steps: Sequence[Step], longest: int = LONGEST) -> list[Step | None]:
    """The steps that a reader gets to see; `None` stands for those left out of a long program."""
    if len(steps) <= longest:
        return list(steps)
    half = longest // 2
    return [*steps[:half], None, *steps[-half:]]


def forward_head(columns: Sequence[Column]) -> list[str]:
    """The column titles of the forward walk."""
    return ["step", "formula", "value", *(column.label for column in columns), "line"]


def forward_rows(steps: Sequence[Step], n_columns: int, longest: int = LONGEST) -> list[list[str]]:
    """The forward walk, one row for each step."""
    rows = []
    for step in abridged(steps, longest):
        if step is None:
            rows.append(["…", f"{len(steps) - longest} more steps", *[""] * (n_columns + 2)])
        else:
            rows.append([step.name, cut(step.formula, 60), brief(step.value), *map(terse, step.tangents), step.location])
    return rows


def reverse_rows(steps: Sequence[Step], longest: int = LONGEST) -> list[list[str]]:
    """The reverse walk from the last step to the first: each adjoint as the sum over the step's uses."""
    rows = []
    for step in reversed(abridged(steps, longest)):
        if step is None:
            rows.append(["…", f"{len(steps) - longest} more steps", "", "", ""])
        elif step.adjoint is None:
            rows.append([step.name, "no derivative reaches it", "", "", ""])
        else:
            rows.append([step.name, *chain_rule(step), brief(step.adjoint)])
    return rows


def filled(rows: Rows) -> list[int]:
    """The numbers of the columns in which anything stands below the title."""
    return [k for k in range(len(rows[0])) if any(row[k] for row in rows[1:])]


def aligned(rows: Rows, right: Sequence[int]) -> list[str]:
    """Rows as lines of text in columns, those of numbers on the right; a column that is empty is left out."""
    kept = filled(rows)
    widths = {k: max(width(row[k]) for row in rows) for k in kept}
    lines = []
    for row in rows:
        cells = [pad(row[k], widths[k], right=k in right) for k in kept]
        lines.append(("  " + "   ".join(cells)).rstrip())
    return lines
