"""Looking at programs: the two walks as tables, and the graph as a picture."""

from wengert.viz.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
