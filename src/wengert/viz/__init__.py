"""Looking at programs: the two walks as tables, and the graph as a picture."""

from wengert.viz.drawing import Drawing, draw
from wengert.viz.explanation import Explanation, explain

__all__ = ["Drawing", "Explanation", "draw", "explain"]
