"""The explorer: a call's graph, both walks, its other programs and its Jacobian as one HTML page that needs no network.

The page is put together from the files in `static/`, the layout library in `vendor/`, and the data of the call as JSON.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from wengert.compiler.collector import collector_at_rest
from wengert.viz.contents import contents
from wengert.viz.explanation import Explanation
from wengert.viz.notation import cut
from wengert.viz.tables import STYLE, html_tables

# In this order in the page; those before `dom` need no document.
PURE_SCRIPTS = ("fold", "place", "search", "walk")
LONGEST_TITLE = 100
SCRIPTS = (*PURE_SCRIPTS, "dom", "pane", "details", "walkbar", "compare", "jacobian", "export", "keys", "main")


def html_document(explanation: Explanation) -> str:
    """The page of a call."""
    with collector_at_rest():  # of the many small boxes of a page none is garbage
        return _document(explanation)


def _document(explanation: Explanation) -> str:
    tables = html_tables(explanation)
    data = contents(explanation)
    first, *others = data["views"]
    scripts = [_data_script("data", {**data, "views": [first, *(_without_boxes(view) for view in others)]})]
    scripts += [_data_script(f"data-{view['id']}", view) for view in others]  # read when they are asked for
    return Template(shipped("static/page.html")).substitute(
        title=escape(short_title(explanation)), point=escape(cut(f"at {explanation.point}", 300) if explanation.point else ""),
        style=f"{STYLE}{shipped('static/explorer.css')}", tables=tables, data="\n".join(scripts), script=script(),
    )  # fmt: skip


def _data_script(name: str, data: object) -> str:
    return f'<script type="application/json" id="{name}">{embedded(data)}</script>'


def _without_boxes(view: dict[str, Any]) -> dict[str, Any]:
    return {"id": view["id"], "says": view["says"], "error": view.get("error", ""), "size": len(view["nodes"])}


def short_title(explanation: Explanation) -> str:
    """The function with its formula, if that is short; else with its arguments, and not with every array in them."""
    if len(explanation.title) <= LONGEST_TITLE:
        return explanation.title
    arguments = dict.fromkeys(re.split(r"[.\[]", name, maxsplit=1)[0] for name in explanation.inputs)
    return f"{explanation.graph.name}({', '.join(arguments)})"


def embedded(data: object) -> str:
    """JSON that no text in it can end or change: HTML reads on to `</script`, and to `<!--`."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


@cache
def script() -> str:
    """The layout library and our own files, which share one scope."""
    ours = "\n".join(shipped(f"static/{name}.js") for name in SCRIPTS)
    return f'{shipped("vendor/dagre.min.js")}\n(() => {{\n"use strict";\n{ours}\nstart();\n}})();\n'


@cache
def shipped(path: str) -> str:
    """A text file of this room."""
    return files("wengert.viz").joinpath(path).read_text(encoding="utf-8")
