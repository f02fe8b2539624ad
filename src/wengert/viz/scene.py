"""What is to be drawn: boxes with lines of text, and labelled edges, laid out but not yet in any format."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from wengert.core.graph import Var
from wengert.viz.chain import describe_contribution
from wengert.viz.explanation import Explanation
from wengert.viz.layout import Edge, Layout, place
from wengert.viz.notation import bar, brief, compact, cut, terse, width
from wengert.viz.walks import Contribution, Step

LETTER, LINE = 7.83, 19.0  # of the text in boxes: 13 px, monospaced
SMALL = 6.63  # a letter on an edge: 11 px
_MOST = 240  # of a longer program the first and last steps are drawn
WIDEST = 44  # letters in a box
_MORE = "…"
_LONGEST_SLOPE = 12  # letters of a formula on an edge


@dataclass(frozen=True, slots=True)
class Box:
    """One variable: `kind` is input, step, output, mention or more; lines are `(text, kind of text)`."""

    name: str
    kind: str
    lines: tuple[tuple[str, str], ...]
    x: float
    y: float
    width: float
    height: float
    hover: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """From operand to result, with the local partial derivative."""

    source: str
    target: str
    points: tuple[tuple[float, float], ...]
    label: str
    at: tuple[float, float]
    hover: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Boxes and arrows with their places, and the words around them."""

    title: str
    point: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


def build_scene(explanation: Explanation) -> Scene:
    """Lay out the graph of an explanation."""
    steps = explanation.steps
    n_hidden = max(0, len(steps) - _MOST)
    shown = steps if not n_hidden else [*steps[: _MOST // 2], *steps[-(_MOST // 2) :]]
    inside = {step.name: step for step in shown}
    ends = set(explanation.outputs)
    lines = {step.name: lines_of(step) for step in shown}
    links = [
        (operand, step, slot) for step in shown for slot, operand in _parents(step, inside)
    ]
    edges = [Edge(source, step.name, SMALL * width(label_of(step, slot)) + 10, 18.0) for source, step, slot in links]
    sizes = {name: _size(texts) for name, texts in lines.items()}
    if n_hidden:
        sizes, edges = _with_hidden(sizes, edges, shown, n_hidden)
        lines[_MORE] = ((f"{_MORE} {n_hidden} more steps {_MORE}", "faint"),)
    mentions = {name: (LETTER * width(name) + 16, 24.0) for name in sizes}
    layout = place(sizes, edges, mentions)
    boxes = [_box(name, lines[name], inside.get(name), ends, layout, sizes[name]) for name in sizes]
    arrows = []
    for k, edge in enumerate(edges):
        route = layout.routes[k]
        label, hover = (label_of(*links[k][1:]), _hover_of(*links[k][1:])) if k < len(links) else ("", "")
        arrows.append(Arrow(edge.source, edge.target, route.points, label, route.label, hover))
        if route.is_cut:
            size = mentions[edge.source]
            x, y = route.points[0][0], route.points[0][1] - size[1] / 2
            boxes.append(Box(edge.source, "mention", ((edge.source, "name"),), x, y, *size, hover=f"{edge.source}, from above"))
    return Scene(explanation.title, explanation.point, tuple(boxes), tuple(arrows), layout.width, layout.height)


def _with_hidden(
    sizes: dict[str, tuple[float, float]], edges: list[Edge], shown: list[Step], n_hidden: int
) -> tuple[dict[str, tuple[float, float]], list[Edge]]:
    """A box for the steps left out, between the first ones and the last."""
    head, tail = shown[: _MOST // 2], shown[_MOST // 2 :]
    reached = {edge.target for edge in edges}
    used = {edge.source for edge in edges}
    size = (LETTER * 24, LINE + 14)
    sizes = {**{s.name: sizes[s.name] for s in head}, _MORE: size, **{s.name: sizes[s.name] for s in tail}}
    above = [s.name for s in head if s.name not in used] or [head[-1].name]
    below = [s.name for s in tail if s.name not in reached]
    return sizes, [*edges, *(Edge(name, _MORE) for name in above), *(Edge(_MORE, name) for name in below)]


def _parents(step: Step, inside: dict[str, Step]) -> list[tuple[int, str]]:
    if step.node is None:
        return []
    pairs = zip(step.node.operands, step.operands, strict=True)
    return [(slot, name) for slot, (atom, name) in enumerate(pairs) if isinstance(atom, Var) and name in inside]


def _contribution(step: Step, slot: int) -> Contribution | None:
    return next((c for c in step.contributions if c.slot == slot), None)


def label_of(step: Step, slot: int) -> str:
    """The local partial derivative on an edge, in short; empty where no derivative came back along it."""
    found = _contribution(step, slot)
    if found is None:
        return ""
    slope, value = f"∂{step.name}/∂{step.operands[slot]}", found.partial
    if _is_large(found):
        shape = (*np.shape(step.value), *np.shape(found.value))
        return f"{slope}: {'×'.join(map(str, shape))} {'matrix' if len(shape) == 2 else 'numbers'}"
    short = found.slope if width(found.slope) <= _LONGEST_SLOPE else ""
    number = terse(value)
    is_norm = number.startswith("norm")
    said = ", ".join(filter(None, (short, number))) if is_norm else " = ".join(filter(None, (short, number)))
    return f"{slope}{': ' if is_norm and not short else ' = '}{said}"


def _hover_of(step: Step, slot: int) -> str:
    """The same in full, with the term that it makes."""
    found = _contribution(step, slot)
    if found is None:
        return f"{step.operands[slot]} → {step.name}"
    if _is_large(found):
        return describe_contribution(found)
    said = [f"∂{step.name}/∂{step.operands[slot]}", found.slope, brief(found.partial)]
    return f"{' = '.join(filter(None, said))}\n{describe_contribution(found)}"


def _is_large(found: Contribution) -> bool:
    """Whether a derivative is a matrix that no label has room for."""
    return found.partial is None or (not found.is_elementwise and np.size(found.partial) > 4)


def barred(text: str) -> tuple[str, str]:
    """The line of an adjoint as what has a bar, without it, and the rest: every renderer draws its own bar."""
    name, equals, rest = text.partition(" = ")
    letters = unicodedata.normalize("NFD", name)
    n = max((k + 1 for k, c in enumerate(letters) if unicodedata.combining(c)), default=len(letters))
    plain = "".join(c for c in letters[:n] if not unicodedata.combining(c))
    return plain, letters[n:] + equals + rest


def lines_of(step: Step) -> tuple[tuple[str, str], ...]:
    """What stands in the box of a step: its formula, its value, its adjoint."""
    head = step.name if step.is_input else f"{step.name} = {step.formula}"
    lines = [(cut(head, WIDEST), "name"), (cut(compact(step.value), WIDEST), "value")]
    if step.adjoint is not None:
        lines.append((cut(f"{bar(step.name)} = {compact(step.adjoint)}", WIDEST), "adjoint"))
    return tuple(lines)


def _size(lines: tuple[tuple[str, str], ...]) -> tuple[float, float]:
    return LETTER * max(width(text) for text, _ in lines) + 24, LINE * len(lines) + 14


def _box(
    name: str, lines: tuple[tuple[str, str], ...], step: Step | None, ends: set[str], layout: Layout, size: tuple[float, float]
) -> Box:
    kind = "more" if step is None else "output" if name in ends else "input" if step.is_input else "step"
    hover = "" if step is None else "\n".join([*(text for text, _ in lines), *([step.location] if step.location else [])])
    x, y = layout.positions[name]
    return Box(name, kind, lines, x, y, *size, hover=hover)
