"""The two walks as tables: in a terminal through rich, and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from wengert import _optional

Rows = Sequence[Sequence[str]]
STYLE = """
.wengert { --ink: #1b1f24; --soft: #59636e; --line: #d1d9e0; --paper: #ffffff; --value: #0072b2; --adjoint: #b34e00;
  color: var(--ink); background: var(--paper); font: 14px/1.5 system-ui, sans-serif; padding: 0.5em 1em; }
.wengert h3 { font-size: 1em; margin: 1.2em 0 0.3em; } .wengert p { margin: 0.2em 0; color: var(--soft); }
.wengert table { border-collapse: collapse; font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.wengert th, .wengert td { text-align: left; padding: 0.15em 0.9em 0.15em 0; border-bottom: 1px solid var(--line);
  background: none; color: inherit; white-space: nowrap; }
.wengert th { color: var(--soft); font-weight: 600; } .wengert .number { text-align: right; }
.wengert .value { color: var(--value); } .wengert .adjoint { color: var(--adjoint); }
.wengert .scroll { overflow-x: auto; } .wengert .faint { color: var(--soft); }
.wengert tr.lit td { background: color-mix(in srgb, var(--value) 14%, transparent); }
@media (prefers-color-scheme: dark) { .wengert { --ink: #e6edf3; --soft: #9aa6b2; --line: #3d444d; --paper: #10151b;
  --value: #6cc0f5; --adjoint: #f2a65a; } }
"""


def rich_tables(explanation: Any, forward: Rows, reverse: Rows) -> Any:
    """A group of rich tables."""
    table, text = _optional.load("rich.table", "coloured tables", "viz"), _optional.load("rich.text", "coloured tables", "viz")
    group = _optional.load("rich.console", "coloured tables", "viz").Group

    first = table.Table(title="Forward walk: value of each step, and its change with each input", title_justify="left")
    first.add_column("step", style="bold")
    first.add_column("formula")
    first.add_column("value", justify="right", style="cyan")
    for column in explanation.columns:
        first.add_column(text.Text(column.label), justify="right", style="green")
    first.add_column("line", style="dim")
    for row in forward:
        first.add_row(*map(text.Text, row))
    second = table.Table(title="Reverse walk: change of the output with each step", title_justify="left")
    second.add_column("step", style="bold")
    second.add_column("adjoint", style="yellow")
    second.add_column("adds to the adjoints of its operands")
    for row in reverse:
        second.add_row(*map(text.Text, row))
    head = text.Text(explanation.title, style="bold") + text.Text(f"   at {explanation.point}\n", style="not bold")
    note = [text.Text(explanation.note, style="dim")] if explanation.note else []
    tail = text.Text("\n".join(["Both walks give", *(f"  {line}" for line in explanation.summary())]), style="bold")
    return group(head, first, text.Text(""), second, *note, text.Text(""), tail)


def html_tables(explanation: Any, forward: Rows, reverse: Rows) -> str:
    """The two tables, without their style sheet."""
    n = len(explanation.columns)
    head = ["step", "formula", "value", *(column.label for column in explanation.columns), "line"]
    kinds = ["", "", "number value", *["number"] * n, "faint"]
    note = f"<p>{escape(explanation.note)}</p>" if explanation.note else ""
    summary = "".join(f"<div>{escape(line)}</div>" for line in explanation.summary())
    return (
        f"<h3>Forward walk</h3><p>The value of each step, and how fast it changes with each input.</p>"
        f"{_table(head, kinds, forward)}"
        f"<h3>Reverse walk</h3><p>How fast the output changes with each step, from the last to the first.</p>{note}"
        f"{_table(['step', 'adjoint', 'adds to the adjoints of its operands'], ['', 'adjoint', ''], reverse)}"
        f"<h3>Both walks give</h3><div class='adjoint'>{summary}</div>"
    )


def html_page(explanation: Any, forward: Rows, reverse: Rows) -> str:
    """The tables with their style sheet, for a notebook cell."""
    title = f"<h3>{escape(explanation.title)}</h3><p>at {escape(explanation.point)}</p>"
    return f"<div class='wengert'><style>{STYLE}</style>{title}{html_tables(explanation, forward, reverse)}</div>"


def _table(head: Sequence[str], kinds: Sequence[str], rows: Rows) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        pairs = zip(cells, [f' class="{kind}"' if kind else "" for kind in kinds], strict=True)
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in pairs)

    name = ""
    body = []
    for cells in rows:
        name = cells[0] or name
        body.append(f'<tr data-step="{escape(name)}">{row(cells, "td")}</tr>')
    table = f"<thead><tr>{row(head, 'th')}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f"<div class='scroll'><table>{table}</table></div>"
