"""The two walks as tables: in a terminal through rich, and as HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from wengert import _optional

Rows = Sequence[Sequence[str]]
_BAR = "\u0305"
_BARRED = re.compile(f"(?:\\w{_BAR})+")
FORWARD = "Forward walk: the value of each step, and how fast it changes with each input"
REVERSE = "Reverse walk: how fast the output changes with each step, from last to first"
REVERSE_HEAD = ("step", "adjoint by the chain rule", "with the slopes", "in numbers", "adjoint")
STYLE = """
.wengert { --ink: #1b1f24; --soft: #59636e; --line: #d1d9e0; --paper: #ffffff; --value: #0072b2; --adjoint: #b34e00;
  color: var(--ink); background: var(--paper); font: 14px/1.5 system-ui, sans-serif; padding: 0.5em 1em; }
.wengert h3 { font-size: 1em; margin: 1.2em 0 0.3em; } .wengert p { margin: 0.2em 0; color: var(--soft); }
.wengert table { border-collapse: collapse; font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.wengert th, .wengert td { text-align: left; padding: 0.15em 0.9em 0.15em 0; border-bottom: 1px solid var(--line);
  background: none; color: inherit; white-space: nowrap; }
.wengert th { color: var(--soft); font-weight: 600; } .wengert .number { text-align: right; }
.wengert .value { color: var(--value); } .wengert .adjoint { color: var(--adjoint); }
.wengert .name, .wengert .result { font-weight: 600; } .wengert .result { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.wengert .bar { text-decoration: overline; }
.wengert .scroll { overflow-x: auto; } .wengert .faint { color: var(--soft); }
.wengert tr.lit td { background: color-mix(in srgb, var(--value) 14%, transparent); }
@media (prefers-color-scheme: dark) { .wengert { --ink: #e6edf3; --soft: #9aa6b2; --line: #3d444d; --paper: #10151b;
  --value: #6cc0f5; --adjoint: #f2a65a; } }
"""


def rich_tables(explanation: Any, forward: Rows, reverse: Rows) -> Any:
    """A group of rich tables."""
    table, text = _optional.load("rich.table", "coloured tables", "viz"), _optional.load("rich.text", "coloured tables", "viz")
    group = _optional.load("rich.console", "coloured tables", "viz").Group

    first = table.Table(box=_optional.load("rich.box", "coloured tables", "viz").SIMPLE_HEAD, pad_edge=False)
    first.add_column("step", style="bold")
    first.add_column("formula")
    first.add_column("value", justify="right", style="cyan")
    for column in explanation.columns:
        first.add_column(text.Text(column.label), justify="right", style="green")
    first.add_column("line", style="dim")
    for row in forward:
        first.add_row(*map(text.Text, row))
    second = table.Table(box=first.box, pad_edge=False)
    kept = [k for k in range(5) if any(row[k] for row in reverse)]
    styles = ["bold", "", "", "", "yellow"]
    for k in kept:
        second.add_column(REVERSE_HEAD[k], style=styles[k])
    for row in reverse:
        second.add_row(*(text.Text(row[k]) for k in kept))
    head = text.Text(explanation.title, style="bold")
    point = text.Text(f"at {explanation.point}\n" if explanation.point else "")
    notes = [text.Text(note, style="dim") for note in explanation.forward_notes]
    note = [text.Text(explanation.note, style="dim")] if explanation.note else []
    tail = text.Text("\n".join(["Both walks give", *(f"  {line}" for line in explanation.summary())]), style="bold")
    titles = [text.Text(title, style="italic") for title in (FORWARD, REVERSE)]
    return group(head, point, titles[0], *notes, first, titles[1], *note, second, tail)


def forward_head(explanation: Any) -> list[str]:
    """The column titles of the forward walk."""
    return ["step", "formula", "value", *(column.label for column in explanation.columns), "line"]


def html_tables(explanation: Any, forward: Rows, reverse: Rows) -> str:
    """The two tables, without their style sheet."""
    kinds = ["name", "", "number value", *["number"] * len(explanation.columns), "faint"]
    summary = "".join(f"<div>{escape(line)}</div>" for line in explanation.summary())
    kept = [k for k in range(len(REVERSE_HEAD)) if any(row[k] for row in reverse)]
    styles = ["name", "", "", "", "number adjoint"]
    reverse_table = _table([REVERSE_HEAD[k] for k in kept], [styles[k] for k in kept], [[row[k] for k in kept] for row in reverse])
    return (
        f"{_heading(FORWARD, explanation.forward_notes)}{_table(forward_head(explanation), kinds, forward)}"
        f"{_heading(REVERSE, [explanation.note] if explanation.note else [])}{reverse_table}"
        f"<h3>Both walks give</h3><div class='adjoint result'>{summary}</div>"
    )


def _heading(title: str, notes: Sequence[str]) -> str:
    head, _, rest = title.partition(": ")
    said = [rest[0].upper() + rest[1:] + ".", *notes]
    return f"<h3>{head}</h3>" + "".join(f"<p>{escape(line)}</p>" for line in said)


def html_page(explanation: Any, forward: Rows, reverse: Rows) -> str:
    """The tables with their style sheet, for a notebook cell."""
    title = f"<h3>{escape(explanation.title)}</h3><p>at {escape(explanation.point)}</p>"
    return f"<div class='wengert'><style>{STYLE}</style>{title}{html_tables(explanation, forward, reverse)}</div>"


def marked(text: str) -> str:
    """A text as HTML; names with a bar over each letter get one bar, which every font draws well."""
    return _BARRED.sub(lambda match: f"<span class='bar'>{match[0].replace(_BAR, '')}</span>", escape(text))


def _table(head: Sequence[str], kinds: Sequence[str], rows: Rows) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        pairs = zip(cells, [f' class="{kind}"' if kind else "" for kind in kinds], strict=True)
        return "".join(f"<{tag}{kind}>{marked(cell)}</{tag}>" for cell, kind in pairs)

    body = "".join(f'<tr data-step="{escape(cells[0])}">{row(cells, "td")}</tr>' for cells in rows)
    table = f"<thead><tr>{row(head, 'th')}</tr></thead><tbody>{body}</tbody>"
    return f"<div class='scroll'><table>{table}</table></div>"
