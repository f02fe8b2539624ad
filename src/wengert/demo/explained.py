"""Part 1: the example of the textbooks, explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wengert import viz


def f(x: Any, y: Any) -> Any:
    """`(x + y)(x - y)`."""
    a = x + y
    b = x - y
    return a * b


def explain_example(console: Any, folder: Path, seed: int) -> bool:
    """Both walks of the chain rule at (3, 2), as tables, SVG and HTML."""
    explanation = viz.explain(f)(3.0, 2.0)
    console.print(explanation)
    drawing = viz.draw(f)(3.0, 2.0)
    drawing.save(folder / "graph.svg")
    drawing.save(folder / "graph.html")
    return explanation.gradients == {"x": 6.0, "y": -4.0} and explanation.disagreement() == 0
