"""Looking at programs: the two walks as tables, and the graph as a picture.

The modules of this room load when they are first used, so that `import wengert` stays fast.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wengert.viz.drawing import Drawing
    from wengert.viz.explanation import Explanation

__all__ = ["Drawing", "Explanation", "draw", "explain"]


def __getattr__(name: str) -> Any:
    if name == "Explanation":
        return importlib.import_module("wengert.viz.explanation").Explanation
    if name == "Drawing":
        return importlib.import_module("wengert.viz.drawing").Drawing
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def explain(f: Callable[..., Any]) -> Callable[..., Explanation]:
    """The forward and the reverse walk of `f`, step by step: `explain(f)(*args)`.

    Print the result, leave it at the end of a notebook's cell, or call its `show()`.  Where no argument is a
    floating-point number, integers count as such.

    >>> explain(lambda x, y: (x + y) * (x - y))(3, 2).summary()
    ['df/dx = 2x = 6', 'df/dy = -2y = -4']
    """
    make = importlib.import_module("wengert.viz.explanation").Explanation

    def explained(*args: Any, **kwargs: Any) -> Explanation:
        return make(f, args, kwargs)  # type: ignore[no-any-return]

    return explained


def draw(f: Callable[..., Any]) -> Callable[..., Drawing]:
    """The computational graph of a call as a picture: `draw(f)(*args)`.

    The result has the picture as `.svg`, `.dot` and `.html`, and `.save("graph.svg")` writes it to a file.

    >>> draw(lambda x, y: (x + y) * (x - y))(3, 2)
    <Drawing of f(x, y) = (x + y)·(x - y): 5 boxes, 6 edges>
    """
    make = importlib.import_module("wengert.viz.drawing").Drawing

    def drawn(*args: Any, **kwargs: Any) -> Drawing:
        return make(explain(f)(*args, **kwargs))  # type: ignore[no-any-return]

    return drawn
