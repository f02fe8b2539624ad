"""The two walks as tables: in a terminal through rich, and as HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from wengert import _optional
from wengert.viz.blocks import Block, Table
from wengert.viz.rows import FORWARD, REVERSE, REVERSE_HEAD, Rows, filled, forward_head

_BAR = "\u0305"
_BARRED = re.compile(f"(?:\\w{_BAR})+")
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
.wengert .gap, .wengert details { margin: 0.4em 0 0.4em 1.2em; } .wengert summary { cursor: pointer; } .wengert details.inside > summary { font-weight: 600; }
.wengert .program { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap; margin-left: 1.2em; color: var(--ink); }
@media (prefers-color-scheme: dark) { .wengert { --ink: #e6edf3; --soft: #9aa6b2; --line: #3d444d; --paper: #10151b;
  --value: #6cc0f5; --adjoint: #f2a65a; } }
"""


def rich_tables(explanation: Any) -> Any:
    """A group of rich tables."""
    text, group = _rich("text").Text, _rich("console").Group
    head = text(explanation.title, style="bold")
    point = text(f"at {explanation.point}\n" if explanation.point else "")
    notes = [text(note, style="dim") for note in explanation.forward_notes]
    note = [text(explanation.note, style="dim")] if explanation.note else []
    forward = [forward_head(explanation.columns), *explanation.forward_rows]
    reverse = [REVERSE_HEAD, *explanation.reverse_rows]
    tail = text("\n".join(["Both walks give", *(f"  {line}" for line in explanation.summary())]), style="bold")
    return group(
        head, point, text(FORWARD, style="italic"), *notes, _rich_table(forward), *_rich_blocks(explanation.forward_blocks, 2),
        text(REVERSE, style="italic"), *note, _rich_table(reverse), *_rich_blocks(explanation.reverse_blocks, 2), tail,
    )  # fmt: skip


def _rich(module: str) -> Any:
    return _optional.load(f"rich.{module}", "coloured tables", "viz")


def _rich_table(rows: Rows) -> Any:
    """A walk in colours; of the reverse one the columns in which nothing stands are left out."""
    found = _rich("table").Table(box=_rich("box").SIMPLE_HEAD, pad_edge=False)
    is_reverse = tuple(rows[0]) == REVERSE_HEAD
    kept = filled(rows) if is_reverse else list(range(len(rows[0])))
    last = len(rows[0]) - 1
    for k in kept:
        style = {0: "bold", last: "yellow"} if is_reverse else {0: "bold", 1: "", 2: "cyan", last: "dim"}
        is_number = k == last if is_reverse else 1 < k < last
        found.add_column(_rich("text").Text(rows[0][k]), style=style.get(k, "" if is_reverse else "green"), justify="right" if is_number else "left")
    for row in rows[1:]:
        found.add_row(*(_rich("text").Text(row[k]) for k in kept))
    return found


def _rich_blocks(blocks: Sequence[Block], margin: int) -> list[Any]:
    """What is inside of steps, further to the right."""
    text, padding = _rich("text").Text, _rich("padding").Padding
    found = []
    for block in blocks:
        found.append(padding(text(block.title, style="bold italic"), (0, 0, 0, margin)))
        found.append(padding(text("\n".join([*block.lines, ""])), (0, 0, 0, margin + 2)))
        for table in block.tables:
            found.append(padding(text(table.caption, style="italic"), (0, 0, 0, margin + 2)))
            if table.rows:
                found.append(padding(_rich_table(table.rows), (0, 0, 0, margin + 2)))
            found += _rich_blocks(table.inner, margin + 4)
    return found


def html_tables(explanation: Any) -> str:
    """The two tables, and folded below them what is inside of their steps; without their style sheet."""
    summary = "".join(f"<div>{escape(line)}</div>" for line in explanation.summary())
    forward = [forward_head(explanation.columns), *explanation.forward_rows]
    reverse = [REVERSE_HEAD, *explanation.reverse_rows]
    return (
        f"{_heading(FORWARD, explanation.forward_notes)}{_html_table(forward)}{_html_blocks(explanation.forward_blocks)}"
        f"{_heading(REVERSE, [explanation.note] if explanation.note else [])}{_html_table(reverse)}{_html_blocks(explanation.reverse_blocks)}"
        f"<h3>Both walks give</h3><div class='adjoint result'>{summary}</div>"
    )


def _html_table(rows: Rows, *, is_inner: bool = False) -> str:
    if tuple(rows[0]) != REVERSE_HEAD:
        kinds = ["name", "", "number value", *["number"] * (len(rows[0]) - 4), "faint"]
        return _table(rows[0], kinds, rows[1:], is_inner=is_inner)
    kept = filled(rows)
    styles = ["name", "", "", "", "number adjoint"]
    head, *body = [[row[k] for k in kept] for row in rows]
    return _table(head, [styles[k] for k in kept], body, is_inner=is_inner)


def _html_blocks(blocks: Sequence[Block]) -> str:
    """What is inside of steps; a click opens it."""
    return "".join(
        f"<details class='inside'><summary>{marked(block.title)}</summary>"
        f"{''.join(f'<p class=program>{marked(line)}</p>' for line in block.lines)}{''.join(map(_html_pass, block.tables))}</details>"
        for block in blocks
    )  # fmt: skip


def _html_pass(table: Table) -> str:
    if not table.rows:
        return f"<p class='gap'>{escape(table.caption)}</p>"
    inner = f"{_html_table(table.rows, is_inner=True)}{_html_blocks(table.inner)}"
    return f"<details open><summary>{escape(table.caption)}</summary>{inner}</details>"


def _heading(title: str, notes: Sequence[str]) -> str:
    head, _, rest = title.partition(": ")
    said = [rest[0].upper() + rest[1:] + ".", *notes]
    return f"<h3>{head}</h3>" + "".join(f"<p>{escape(line)}</p>" for line in said)


def html_page(explanation: Any) -> str:
    """The tables with their style sheet, for a notebook cell."""
    title = f"<h3>{escape(explanation.title)}</h3><p>at {escape(explanation.point)}</p>"
    return f"<div class='wengert'><style>{STYLE}</style>{title}{html_tables(explanation)}</div>"


def marked(text: str) -> str:
    """A text as HTML; names with a bar over each letter get one bar, which every font draws well."""
    return _BARRED.sub(lambda match: f"<span class='bar'>{match[0].replace(_BAR, '')}</span>", escape(text))


def _table(head: Sequence[str], kinds: Sequence[str], rows: Rows, *, is_inner: bool = False) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        pairs = zip(cells, [f' class="{kind}"' if kind else "" for kind in kinds], strict=True)
        return "".join(f"<{tag}{kind}>{marked(cell)}</{tag}>" for cell, kind in pairs)

    steps = ["" if is_inner else f' data-step="{escape(cells[0])}"' for cells in rows]
    body = "".join(f"<tr{step}>{row(cells, 'td')}</tr>" for step, cells in zip(steps, rows, strict=True))
    table = f"<thead><tr>{row(head, 'th')}</tr></thead><tbody>{body}</tbody>"
    return f"<div class='scroll'><table>{table}</table></div>"
