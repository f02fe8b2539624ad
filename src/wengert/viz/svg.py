"""A scene as SVG and as DOT text."""

from __future__ import annotations

from html import escape

from wengert.viz.notation import width
from wengert.viz.scene import LINE, SMALL, Arrow, Box, Scene, barred

Point = tuple[float, float]
Points = tuple[Point, ...]
MARGIN = 24.0
HEAD = 68.0
FONT = "'DejaVu Sans Mono', Menlo, Consolas, ui-monospace, monospace"
# Blue and vermilion of Okabe and Ito's palette, darkened or lightened to be readable on each ground.
LIGHT = {"paper": "#ffffff", "box": "#f6f8fa", "line": "#8c959f", "ink": "#1b1f24", "soft": "#59636e",
         "value": "#0065a0", "adjoint": "#a84300", "input": "#007a5a", "output": "#1b1f24"}  # fmt: skip
DARK = {"paper": "#10151b", "box": "#1b222b", "line": "#768390", "ink": "#e6edf3", "soft": "#9aa6b2",
        "value": "#6cc0f5", "adjoint": "#f2a65a", "input": "#4cc9a0", "output": "#e6edf3"}  # fmt: skip


def style(colours: dict[str, str]) -> str:
    """The rules of one colour scheme."""
    c = colours
    return (
        f".wg-paper{{fill:{c['paper']}}} .wg-box{{fill:{c['box']};stroke:{c['line']};stroke-width:1.2}}"
        f".wg-input .wg-box{{stroke:{c['input']};stroke-width:1.8}} .wg-output .wg-box{{stroke:{c['output']};stroke-width:2.2}}"
        f".wg-name{{fill:{c['ink']};font-weight:600}} .wg-value{{fill:{c['value']}}} .wg-adjoint{{fill:{c['adjoint']}}}"
        f".wg-faint,.wg-label{{fill:{c['soft']}}} .wg-under{{fill:{c['paper']};opacity:0.88}}"
        f".wg-edge{{fill:none;stroke:{c['line']};stroke-width:1.3}} .wg-tip{{fill:{c['line']}}}"
        f".wg-lit .wg-box{{stroke:{c['value']};stroke-width:3}} .wg-lit .wg-edge{{stroke:{c['value']};stroke-width:2.6}}"
        f".wg-lit .wg-label{{fill:{c['value']}}}"
    )


def to_svg(scene: Scene) -> str:
    """The picture as SVG that needs nothing else, light or dark as the reader has it."""
    words = scene.title if len(scene.title) <= 90 else scene.title[:89] + "…"
    legend = 13 * 0.602 * 66
    inner = max(scene.width, 15 * 0.602 * width(words), 13 * 0.602 * (width(scene.point[:90]) + 3), legend)
    total, height = inner + 2 * MARGIN, scene.height + HEAD + 2 * MARGIN
    shift = MARGIN + (inner - scene.width) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.0f} {height:.0f}" width="{total:.0f}" height="{height:.0f}"'
        f' font-family="{FONT}" font-size="13" role="img" class="wg-svg">',
        f"<title>{escape(scene.title)}</title>",
        f"<style>{style(LIGHT)}@media (prefers-color-scheme: dark){{{style(DARK)}}}</style>",
        f'<rect class="wg-paper" width="{total:.0f}" height="{height:.0f}"/>',
        f'<text class="wg-name" x="{MARGIN}" y="{MARGIN + 10}" font-size="15">{escape(words)}</text>',
        _legend(scene.point),
        f'<g transform="translate({shift:.1f} {MARGIN + HEAD})">',
        *map(_arrow, scene.arrows),
        *map(_label, scene.arrows),
        *map(_box, scene.boxes),
        "</g></svg>",
    ]
    return "\n".join(part for part in parts if part)


def _legend(point: str) -> str:
    point = point if len(point) <= 90 else point[:89] + "…"
    y = MARGIN + 31
    said = f'<text class="wg-faint" x="{MARGIN}" y="{y}">at {escape(point)}</text>' if point else ""
    return (
        f'{said}<text x="{MARGIN}" y="{y + 20}" font-size="12"><tspan class="wg-value">value</tspan>'
        '<tspan class="wg-faint"> (forward walk)  ·  </tspan><tspan class="wg-adjoint">adjoint</tspan>'
        '<tspan class="wg-faint"> (reverse walk)  ·  on edges: local derivative</tspan></text>'
    )


def bezier(points: Points) -> list[tuple[Point, Point, Point]]:
    """Cubic pieces of a smooth curve downwards through the points: upright at both ends, no corner between."""
    slopes = [0.0, *[(c[0] - a[0]) / (c[1] - a[1]) for a, c in zip(points, points[2:], strict=False)], 0.0]
    pieces = []
    for k, ((x, y), (u, v)) in enumerate(zip(points, points[1:], strict=False)):
        third = (v - y) / 3
        pieces.append(((x + slopes[k] * third, y + third), (u - slopes[k + 1] * third, v - third), (u, v)))
    return pieces


def curve(points: Points) -> str:
    """The same as an SVG path."""
    pieces = (" ".join(f"{x:.1f} {y:.1f}" for x, y in piece) for piece in bezier(points))
    return f"M{points[0][0]:.1f} {points[0][1]:.1f}" + "".join(f"C{piece}" for piece in pieces)


def _arrow(arrow: Arrow) -> str:
    (x, y) = arrow.points[-1]
    points = (*arrow.points[:-1], (x, y - 6))
    tip = f"M{x:.1f} {y:.1f}l-4 -8h8z"
    return (
        f'<g class="wg-arrow" data-from="{escape(arrow.source)}" data-to="{escape(arrow.target)}">'
        f'<path class="wg-edge" d="{curve(points)}"/><path class="wg-tip" d="{tip}"/>'
        f"{f'<title>{escape(arrow.hover)}</title>' if arrow.hover else ''}</g>"
    )


def _label(arrow: Arrow) -> str:
    if not arrow.label:
        return ""
    x, y = arrow.at
    length = SMALL * width(arrow.label) + 6
    return (
        f'<g class="wg-arrow" data-from="{escape(arrow.source)}" data-to="{escape(arrow.target)}">'
        f'<rect class="wg-under" x="{x - length / 2:.1f}" y="{y - 9:.1f}" width="{length:.1f}" height="18" rx="4"/>'
        f'<text class="wg-label" x="{x:.1f}" y="{y + 4:.1f}" font-size="11" text-anchor="middle">{escape(arrow.label)}'
        f"<title>{escape(arrow.hover)}</title></text></g>"
    )


def _words(text: str, kind: str) -> str:
    if kind != "adjoint":
        return escape(text)
    name, rest = barred(text)
    return f'<tspan text-decoration="overline">{escape(name)}</tspan>{escape(rest)}'


def _box(box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    first = top + (box.height - LINE * len(box.lines)) / 2 + 14
    lines = "".join(
        f'<text class="wg-{kind}" x="{box.x:.1f}" y="{first + LINE * k:.1f}" text-anchor="middle">{_words(text, kind)}</text>'
        for k, (text, kind) in enumerate(box.lines)
    )
    radius = 12 if box.kind in {"input", "mention"} else 5
    dash = ' stroke-dasharray="4 3"' if box.kind in {"mention", "more"} else ""
    return (
        f'<g class="wg-node wg-{box.kind}" data-step="{escape(box.name)}"><title>{escape(box.hover)}</title>'
        f'<rect class="wg-box" x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="{radius}"{dash}/>'
        f"{lines}</g>"
    )


def to_dot(scene: Scene) -> str:
    """The graph in Graphviz's language."""

    def quote(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    lines = [
        f"digraph {quote(scene.title)} {{",
        f'  graph [label={quote(scene.title)}, labelloc=t, fontname="monospace"];',
        '  node [shape=box, style=rounded, fontname="monospace"];',
        '  edge [fontname="monospace", fontsize=10];',
    ]
    for box in scene.boxes:
        if box.kind != "mention":
            width_ = ", penwidth=2" if box.kind in {"input", "output"} else ""
            lines.append(f"  {quote(box.name)} [label={quote(chr(10).join(text for text, _ in box.lines))}{width_}];")
    lines += [f"  {quote(a.source)} -> {quote(a.target)} [label={quote(a.label)}];" for a in scene.arrows]
    return "\n".join([*lines, "}"]) + "\n"
