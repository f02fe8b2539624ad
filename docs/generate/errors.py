"""Write `docs/errors.md` from the docstrings of the errors: `python docs/generate/errors.py` (`--check` only compares)."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from wengert import errors

DOCUMENT = Path(__file__).parents[1] / "errors.md"
SAMPLE = Path(__file__).parents[2] / "tests" / "errors" / "mistakes" / "assign_part.md"


def document() -> str:
    """The whole page: the tree, then a section for each class."""
    parts = [
        "# Errors\n",
        "Every message says what happened, where in your code, why, and what to write instead; its last line points to a\n"
        "section of this page.  All are importable from `wengert.errors`.  (This page is made by `python docs/generate/errors.py`.)\n",
        sample(),
        f"```text\n{tree()}\n```\n",
    ]
    for anchor, kind in errors.ANCHORS.items():
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
        parts.append(f'<a id="{anchor}"></a>\n\n## {kind.__name__}\n\n*a* {bases}\n')
        parts.append(section(inspect.getdoc(kind)) + "\n")
    return "\n".join(parts)


def tree() -> str:
    """The tree of exceptions, as the module draws it."""
    drawn = inspect.getdoc(errors).partition("::\n\n")[2].partition("\n\nEvery message")[0]
    return inspect.cleandoc(drawn)


def sample() -> str:
    """A whole message, for a program with a mistake."""
    text = SAMPLE.read_text(encoding="utf-8")
    mistake, message, _ = re.findall(r"```(?:python|text)\n(.*?)```", text, re.DOTALL)
    return f"For example, this program\n\n```text\n{mistake}```\n\nends with\n\n```text\n{message}```\n"


def section(text: str) -> str:
    """A docstring as Markdown: its examples are fenced, and their doctest directives left out."""
    blocks = []
    for block in re.sub(r" +# doctest: .*", "", text).split("\n\n"):
        blocks.append(f"```python\n{block}\n```" if block.startswith(">>> ") else block)
    return "\n\n".join(blocks)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(DOCUMENT.read_text(encoding="utf-8") != document())
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document(), encoding="utf-8")
