"""The picture and the two walks as one HTML page that needs no network."""

from __future__ import annotations

import json
from html import escape

import numpy as np

from wengert.viz.chain import describe_contribution
from wengert.viz.explanation import Explanation, forward_rows, reverse_rows
from wengert.viz.notation import bar, brief
from wengert.viz.tables import STYLE, html_tables, marked

_PAGE_STYLE = """
html { color-scheme: light dark; } body { margin: 0; background: #ffffff; }
.wengert { max-width: 1400px; margin: 0 auto; padding: 1em 1.5em 3em; }
.picture { overflow: auto; max-height: 88vh; border: 1px solid var(--line); border-radius: 8px; }
.picture svg { display: block; margin: 0 auto; max-width: none; }
#details { min-height: 7.5em; max-height: 16em; overflow: auto; margin: 0.6em 0; padding: 0.6em 1em; border-left: 4px solid var(--value);
  font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre; }
@media (prefers-color-scheme: dark) { body { background: #10151b; } }
"""
_SCRIPT = """
const details = JSON.parse(document.getElementById("data").textContent), panel = document.getElementById("details");
function light(name) {
  for (const e of document.querySelectorAll(".wg-lit, tr.lit")) e.classList.remove("wg-lit", "lit");
  for (const e of document.querySelectorAll("[data-step]"))
    if (e.dataset.step === name) e.classList.add(e.tagName === "TR" ? "lit" : "wg-lit");
  for (const e of document.querySelectorAll(".wg-arrow"))
    if (e.dataset.from === name || e.dataset.to === name) e.classList.add("wg-lit");
  if (details[name]) panel.innerHTML = details[name];
}
for (const e of document.querySelectorAll("[data-step]")) {
  e.addEventListener("mouseenter", () => light(e.dataset.step));
  e.addEventListener("click", () => light(e.dataset.step));
}
"""


def html_document(explanation: Explanation, svg: str) -> str:
    """The page: picture, details (as HTML, escaped here) of the step under the pointer, tables."""
    details = {step.name: _details(explanation, k) for k, step in enumerate(explanation.steps)} if len(explanation.steps) <= 400 else {}
    data = json.dumps(details, ensure_ascii=False).replace("<", "\\u003c")
    tables = html_tables(explanation, forward_rows(explanation), reverse_rows(explanation))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(explanation.title)}</title><style>{STYLE}{_PAGE_STYLE}</style></head>
<body><main class="wengert"><div class="picture">{svg}</div>
<div id="details">Point at a step: its value, its adjoint, and what it adds to its operands.</div>
{tables}</main>
<script type="application/json" id="data">{data}</script><script>{_SCRIPT}</script></body></html>
"""


def _details(explanation: Explanation, k: int) -> str:
    step = explanation.steps[k]
    lines = [step.name if step.is_input else f"{step.name} = {step.formula}" + (f"     {step.location}" if step.location else "")]
    lines.append(f"value    {_full(step.value)}")
    pairs = zip(explanation.columns, step.tangents, strict=True)
    lines += [f"{column.label:8} {brief(tangent)}" for column, tangent in pairs]
    if step.adjoint is not None:
        lines.append(f"{bar(step.name)}        {_full(step.adjoint)}")
    return marked("\n".join([*lines, *(describe_contribution(c) for c in step.contributions)]))


def _full(value: object) -> str:
    text = np.array2string(np.asarray(value), threshold=60, precision=6)
    return text if "\n" not in text else brief(value) + "\n" + text
