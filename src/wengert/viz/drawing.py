"""`draw`: the computational graph as a picture, with values, local derivatives and adjoints."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from wengert.viz.explanation import Explanation
from wengert.viz.figure import save_figure
from wengert.viz.lanes import graph_text
from wengert.viz.page import html_document
from wengert.viz.scene import Scene, build_scene
from wengert.viz.svg import to_dot, to_svg


class Drawing:
    """The picture of one call of a function: `svg`, `dot` and `html` as text, `save` for files."""

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation

    @cached_property
    def scene(self) -> Scene:
        """The boxes and arrows with their places."""
        return build_scene(self.explanation)

    @cached_property
    def svg(self) -> str:
        """The graph as SVG."""
        return to_svg(self.scene)

    @cached_property
    def dot(self) -> str:
        """The graph in Graphviz's language."""
        return to_dot(self.scene)

    @cached_property
    def html(self) -> str:
        """The explorer: graph, walks, other programs, Jacobian and tables as one page that needs no network."""
        return html_document(self.explanation)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file; its ending says what: .svg, .dot, .html, or (through matplotlib) .png, .pdf."""
        path = Path(path)
        ending = path.suffix.lower()
        if ending in {".png", ".pdf"}:
            save_figure(self.scene, str(path))
        elif ending in {".svg", ".dot", ".gv", ".html", ".htm"}:
            text = {".svg": "svg", ".dot": "dot", ".gv": "dot"}.get(ending, "html")
            path.write_text(getattr(self, text), encoding="utf-8")
        else:
            msg = f"cannot save a drawing as {path.name!r}; endings that say a format are .svg .dot .html .png .pdf"
            raise ValueError(msg)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f"<div style='overflow-x:auto'>{self.svg}</div>"

    def __str__(self) -> str:
        """The graph in letters, for a terminal."""
        return graph_text(self.explanation)

    def __repr__(self) -> str:
        return f"<Drawing of {self.explanation.title}: {len(self.scene.boxes)} boxes, {len(self.scene.arrows)} edges>"
