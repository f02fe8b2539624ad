"""What is inside of steps, in the form in which text, terminals and pages show it: blocks of tables, with blocks inside of those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wengert.viz.inner_walks import InnerProgram, Run
from wengert.viz.rows import REVERSE_HEAD, aligned, forward_head, forward_rows, reverse_rows
from wengert.viz.walks import Column

LONGEST = 30  # steps of a body; of a longer one the first and last are shown


@dataclass
class Table:
    """One pass: `rows[0]` are the titles of the columns, `right` the columns of numbers; without rows it is a remark."""

    caption: str
    rows: list[list[str]] = field(default_factory=list)
    right: Sequence[int] = ()
    inner: list[Block] = field(default_factory=list)


@dataclass
class Block:
    """One program inside of a step."""

    title: str
    lines: list[str]
    tables: list[Table]


def forward_blocks(programs: Sequence[InnerProgram], columns: Sequence[Column]) -> list[Block]:
    """The walks forward inside of steps."""

    def table(run: Run) -> Table:
        rows = [forward_head(columns), *forward_rows(run.steps, len(columns), LONGEST)]
        return Table(run.says, rows, range(2, 3 + len(columns)), forward_blocks(run.inner, columns))

    found = []
    for program in programs:
        lines = [*program.lines, *([f"({program.why})"] if program.why else [])]
        found.append(Block(program.title, lines, _with_gap(list(map(table, program.runs)), program.n_hidden)))
    return found


def reverse_blocks(programs: Sequence[InnerProgram]) -> list[Block]:
    """The walks back inside of steps; the last pass comes first.  None where a rule of the user's gives the derivative."""

    def table(run: Run) -> Table:
        return Table(run.says, [list(REVERSE_HEAD), *reverse_rows(run.steps, LONGEST)], [len(REVERSE_HEAD) - 1], reverse_blocks(run.inner))

    found = []
    for program in programs:
        reached = [run for run in program.runs if any(step.adjoint is not None for step in run.steps)]
        if program.is_rule and program.runs:
            found.append(Block(program.title, ["(the rule gives the derivative: nothing is walked back inside)"], []))
        elif reached:
            found.append(Block(program.title, [], _with_gap(list(map(table, reached)), program.n_hidden)[::-1]))
    return found


def _with_gap(tables: list[Table], n_hidden: int) -> list[Table]:
    if not n_hidden:
        return tables
    return [*tables[:-1], Table(f"… {n_hidden:,} more pass{'es' if n_hidden > 1 else ''}"), tables[-1]]


def indented(blocks: Sequence[Block], margin: str = "") -> list[str]:
    """As lines of text, what is inside further to the right."""
    lines = []
    for block in blocks:
        lines += ["", f"{margin}{block.title}:", *(f"{margin}  {line}" for line in block.lines)]
        for table in block.tables:
            lines += ["", f"{margin}  {table.caption}"]
            if table.rows:
                lines += ["", *(f"{margin}  {line}" for line in aligned(table.rows, table.right))]
            lines += indented(table.inner, f"{margin}    ")
    return lines
