"""Read and run the pages of `tests/errors/mistakes`; run this file itself to write the messages as they are now.

A page is a mistake as a user makes it, what wengert says, and a program that follows the advice:

    # Title
    ```python            the mistake, a file called model.py
    ```text              the exception's name and its message, or the warning's
    ```python            the program put right; it defines `result` and `expected`

The messages are checked in, so that every change of one is seen and read: `python tests/errors/golden.py`, then `git diff`.
"""

from __future__ import annotations

import linecache
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

MISTAKES = Path(__file__).parent / "mistakes"
BLOCK = re.compile(r"```(?:python|text)\n(.*?)```", re.DOTALL)


class Page(NamedTuple):
    """The three blocks of a page."""

    mistake: str
    message: str
    fixed: str


def read(path: Path) -> Page:
    """A page as its blocks."""
    return Page(*BLOCK.findall(path.read_text(encoding="utf-8")))


def run(source: str, filename: str = "model.py", *, has_source: bool = True) -> dict[str, Any]:
    """Run a program as if it stood in a file of that name."""
    lines = source.splitlines(keepends=True)
    if has_source:
        linecache.cache[filename] = (len(source), None, lines, filename)
    else:
        linecache.cache.pop(filename, None)
    room: dict[str, Any] = {"__name__": "model"}
    exec(compile(source, filename, "exec"), room)
    return room


def message_of(source: str, **how: Any) -> str:
    """The name and text of the exception that a program ends with, or else of the one warning that it gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            run(source, **how)
        except Exception as error:
            return f"{type(error).__name__}: {error}\n"
    (warning,) = caught
    return f"{warning.category.__name__}: {warning.message}\n"


def advice(message: str) -> list[str]:
    """The lines of code that a message tells to write, without their comments."""
    block = message.partition("\n  Write   ")[2].partition("\n  Read    ")[0]
    return [line.partition("   #")[0].strip() for line in block.splitlines()]


def main() -> None:
    """Write the messages as they are now into all pages."""
    for path in sorted(MISTAKES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        page = read(path)
        found = f"```text\n{message_of(page.mistake)}```"
        path.write_text(text.replace(f"```text\n{page.message}```", found), encoding="utf-8")


if __name__ == "__main__":
    main()
