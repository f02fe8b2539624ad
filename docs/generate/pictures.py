"""Draw the pictures of the manual: `python docs/generate/pictures.py` (`--check` only compares)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import wengert as wg

FOLDER = Path(__file__).parents[1] / "pictures"


def f(x: Any, y: Any) -> Any:
    """The example of the textbooks."""
    a = x + y
    b = x - y
    return a * b


def loss(params: Any, x: Any, y: Any) -> Any:
    """The mean square of a layer's errors."""
    h = np.tanh(x @ params["w"] + params["b"])
    return np.mean((h - y) ** 2)


def pictures() -> Iterator[tuple[str, str]]:
    """The name and the text of each picture."""
    yield "graph.svg", wg.draw(f)(3, 2).svg
    params = {"w": np.linspace(-1, 1, 5), "b": 0.1}
    yield "loss.svg", wg.draw(loss)(params, np.sin(np.arange(100.0)).reshape(20, 5), np.cos(np.arange(20.0))).svg


def main(check: bool) -> int:
    """Write the pictures, or say which are not those of now."""
    stale = [name for name, text in pictures() if not _is(FOLDER / name, text)]
    for name, text in pictures():
        if not check:
            (FOLDER / name).write_text(text, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"not the pictures of now: {', '.join(stale)}; run python docs/generate/pictures.py\n")
    return int(check and bool(stale))


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
