"""A graph in the letters of a terminal: a line for each step, and at its left a lane for each value that is still needed::

    ●      x
    │ ●    y
    ├─┼─●  a = x + y     reads both, which are read again
    ●─╯ │  b = x - y     reads both for the last time
    ●───╯  f = a·b

A lane ends where its value is read for the last time.
"""

from __future__ import annotations

from collections.abc import Sequence

from wengert.viz.explanation import Explanation
from wengert.viz.notation import bar, compact, cut, pad, width
from wengert.viz.walks import Step

WIDEST = 12  # lanes; of a wider graph only the steps are written
_FORMULA = 52


def graph_text(explanation: Explanation) -> str:
    """The title, then the steps with their lanes, values and adjoints."""
    shown = explanation.shown()
    pictures = lanes([step if step is None else (step.name, _read(step)) for step in shown])
    rows = [(picture, *_words(step, len(explanation.steps) - len(shown) + 1)) for picture, step in zip(pictures, shown, strict=True)]
    widths = [max(width(row[k]) for row in rows) for k in range(3)] if rows else []
    lines = [explanation.title, f"at {explanation.point}" if explanation.point else "", ""]
    for picture, formula, value, adjoint in rows:
        lines.append(f"{pad(picture, widths[0])}  {pad(formula, widths[1])}  {pad(value, widths[2])}  {adjoint}".rstrip())
    return "\n".join(lines)


def _read(step: Step) -> tuple[str, ...]:
    """The operands, for the first result of an operation with several."""
    is_first = step.node is None or not step.formula.endswith("]") or len(step.node.outputs) == 1 or step.formula.endswith("[0]")
    return step.operands if is_first else ()


def _words(step: Step | None, n_hidden: int) -> tuple[str, str, str]:
    if step is None:
        return f"… {n_hidden} more steps", "", ""
    head = step.name if step.is_input else f"{step.name} = {step.formula}"
    adjoint = "" if step.adjoint is None else f"{bar(step.name)} = {cut(compact(step.adjoint), 40)}"
    return cut(head, _FORMULA), cut(compact(step.value), 40), adjoint


def lanes(steps: Sequence[tuple[str, Sequence[str]] | None]) -> list[str]:
    """The left margin of each step, given its name and what it reads; `None` stands for steps that are left out."""
    last = {name: k for k, step in enumerate(steps) if step for name in step[1]}
    live: list[str | None] = []
    pictures, n_most = [], 0
    for k, step in enumerate(steps):
        if step is None:
            pictures.append("".join("┊ " if name else "  " for name in live).rstrip())
            continue
        name, operands = step
        sources = [place for place, held in enumerate(live) if held is not None and held in operands]
        ending = [place for place in sources if last[live[place]] == k]  # type: ignore[index]  # sources are lanes in use
        place = ending[0] if ending else _free(live)
        pictures.append(_row(live, sources, set(ending), place))
        for end in ending:
            live[end] = None
        live[place] = name if last.get(name, -1) > k else None
        while live and live[-1] is None:
            live.pop()
        n_most = max(n_most, len(live))
    return pictures if n_most <= WIDEST else ["·" if step else "⋮" for step in steps]


def _free(live: list[str | None]) -> int:
    if None in live:
        return live.index(None)
    live.append(None)
    return len(live) - 1


def _row(live: Sequence[str | None], sources: Sequence[int], ending: set[int], place: int) -> str:
    """One line: `●` at the step, and a branch from each lane that it reads."""
    low, high = min([place, *sources]), max([place, *sources])
    row = ""
    for k, held in enumerate(live):
        inside = low < k < high
        if k == place:
            letter = "●"
        elif k in sources:
            up, stays = ("┴", "┼") if inside else ("╰", "├") if k < place else ("╯", "┤")
            letter = up if k in ending else stays
        else:
            letter = "│" if held is not None else "─" if inside else " "
        row += letter + ("─" if low <= k < high else " ")
    return row.rstrip()
