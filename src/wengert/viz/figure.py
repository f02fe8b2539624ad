"""A scene through matplotlib, for the formats that it writes: PNG and PDF."""

from __future__ import annotations

from typing import Any

from wengert import _optional
from wengert.viz.scene import LETTER, LINE, SMALL, Scene, barred
from wengert.viz.svg import HEAD, LIGHT, MARGIN, bezier

_POINTS = 72 / 96  # of a CSS pixel
LEGEND = (
    ("value", "value"), (" (forward walk) · ", "soft"), ("adjoint", "adjoint"), (" (reverse walk) · on edges: local derivative", "soft"),
)  # fmt: skip


def save_figure(scene: Scene, path: str) -> None:
    """Write the picture to `path`; its ending chooses the format."""
    figures = _optional.load("matplotlib.figure", "PNG and PDF files", "viz")
    words = max(len(scene.title), len(scene.point) + 3, 60) * 8.5
    width, height = max(scene.width, words) + 2 * MARGIN, scene.height + HEAD + 2 * MARGIN
    scale = min(1.0, 30000 / max(width, height))
    figure = figures.Figure(figsize=(width / 96 * scale, height / 96 * scale), dpi=192)
    axes = figure.add_axes((0, 0, 1, 1))
    shift = (width - 2 * MARGIN - scene.width) / 2
    axes.set(xlim=(-MARGIN - shift, width - MARGIN - shift), ylim=(scene.height + MARGIN, -HEAD - MARGIN))
    axes.axis("off")
    _draw_edges(axes, scene, scale)
    _draw_boxes(axes, scene, scale)
    left = -shift
    _write(axes, left, -HEAD - 2, scene.title, 15 * scale, LIGHT["ink"], ha="left", weight="bold")
    _write(axes, left, -HEAD + 19, f"at {scene.point}" if scene.point else "", 12 * scale, LIGHT["soft"], ha="left")
    for text, kind in LEGEND:
        _write(axes, left, -HEAD + 39, text, 11 * scale, LIGHT[kind], ha="left")
        left += SMALL * len(text)
    figure.savefig(path)


def _draw_edges(axes: Any, scene: Scene, scale: float) -> None:
    paths = _optional.load("matplotlib.path", "PNG and PDF files", "viz").Path
    patches = _optional.load("matplotlib.patches", "PNG and PDF files", "viz")
    for arrow in scene.arrows:
        points, codes = [arrow.points[0]], [paths.MOVETO]
        for piece in bezier(arrow.points):
            points += piece
            codes += [paths.CURVE4] * 3
        patch = patches.FancyArrowPatch(
            path=paths(points, codes), arrowstyle="-|>,head_length=5,head_width=2.5", color=LIGHT["line"],
            linewidth=scale, shrinkA=0, shrinkB=0,
        )  # fmt: skip
        axes.add_patch(patch)
    for arrow in scene.arrows:
        _write(axes, *arrow.at, arrow.label, 11 * scale, LIGHT["soft"], backgroundcolor=(1, 1, 1, 0.9))


def _draw_boxes(axes: Any, scene: Scene, scale: float) -> None:
    patches = _optional.load("matplotlib.patches", "PNG and PDF files", "viz")
    colours = {"name": LIGHT["ink"], "value": LIGHT["value"], "adjoint": LIGHT["adjoint"], "faint": LIGHT["soft"]}
    borders = {"input": LIGHT["input"], "output": LIGHT["output"]}
    for box in scene.boxes:
        corner = (box.x - box.width / 2 + 5, box.y - box.height / 2 + 5)
        patch = patches.FancyBboxPatch(
            corner, box.width - 10, box.height - 10, boxstyle="round,pad=5", facecolor=LIGHT["box"],
            edgecolor=borders.get(box.kind, LIGHT["line"]), linewidth=1.6 * scale, zorder=3,
            linestyle="--" if box.kind in {"mention", "more"} else "-",
        )  # fmt: skip
        axes.add_patch(patch)
        first = box.y - LINE * (len(box.lines) - 1) / 2
        for k, (text, kind) in enumerate(box.lines):
            weight = "bold" if kind == "name" else "normal"
            if kind == "adjoint":
                name, rest = barred(text)
                left, up, text = box.x - LETTER * len(name + rest) / 2, first + LINE * k - 8, name + rest
                axes.plot([left, left + LETTER * len(name)], [up, up], color=colours[kind], linewidth=scale, zorder=5)
            _write(axes, box.x, first + LINE * k, text, 13 * scale, colours[kind], weight=weight)


def _write(axes: Any, x: float, y: float, text: str, pixels: float, colour: str, **how: Any) -> None:
    box = {"facecolor": how.pop("backgroundcolor"), "edgecolor": "none", "pad": 1} if "backgroundcolor" in how else None
    settings = {"ha": "center", "va": "center", "family": "DejaVu Sans Mono", "zorder": 4, "parse_math": False, **how}
    axes.text(x, y, text, fontsize=pixels * _POINTS, color=colour, bbox=box, **settings)
