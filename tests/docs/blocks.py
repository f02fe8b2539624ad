"""The code blocks of the manual: reading them, running them, and writing what they print.

A block marked `pycon` shows a session, whose output must be what the page says; a block marked `python` is run;
all blocks of a page share one namespace.  Run this file to write the outputs into the pages: read the difference.
"""

import ast
import contextlib
import dataclasses
import io
import linecache
import re
import sys
import traceback
import warnings
from pathlib import Path

import wengert  # noqa: F401 - registers every card
from wengert.core.array import FRONT
from wengert.core.primitive import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
HEAD = "Traceback (most recent call last):\n  ...\n"
FENCE = re.compile(r"^```(pycon|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PLACE = re.compile(r"[\w-]+\.md:\d+")  # line numbers move when a page is edited


def pages():
    """Every page of the manual."""
    return sorted(DOCS.glob("*.md"))


def is_generated(path):
    """Whether a program in `docs/generate` makes the page, and sees to what is in it."""
    return "made by `python docs/generate" in path.read_text(encoding="utf-8")


@contextlib.contextmanager
def untouched():
    """Cards that are made inside are forgotten afterwards."""
    tables = REGISTRY, FRONT
    before = [dict(table) for table in tables]
    try:
        yield
    finally:
        for table, old in zip(tables, before, strict=True):
            table.clear()
            table.update(old)


def blocks(text):
    """`(kind, code, line of the page on which the code starts)` of each block."""
    for match in FENCE.finditer(text):
        yield match[1], match[2], text.count("\n", 0, match.start()) + 2


def run_source(source, path, line, namespace, mode):
    """What running the source prints, an exception's last lines included; the place of its code is the page."""
    linecache.checkcache(str(path))
    tree = ast.parse(source, str(path), "exec") if mode == "exec" else compile(source, str(path), "single", ast.PyCF_ONLY_AST)
    ast.increment_lineno(tree, line - 1)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            exec(compile(tree, str(path), mode), namespace)
        except Exception as error:
            if mode == "exec":
                raise
            return out.getvalue(), "".join(traceback.format_exception_only(error))
    return out.getvalue(), None


@dataclasses.dataclass
class Example:
    """What is typed, where in its block, and what the page says comes out: blank lines are blank lines."""

    source: str
    row: int
    want: str

    @property
    def raises(self):
        return self.want.startswith("Traceback")


def examples(code):
    """The examples of a session."""
    found = []
    for row, text in enumerate(code.splitlines()):
        if text.startswith(">>>"):
            found.append(Example(text[4:] + "\n", row, ""))
        elif text.startswith("...") and found and not found[-1].want:
            found[-1].source += text[4:] + "\n"
        elif found:
            found[-1].want += text + "\n"
    for example in found:
        example.want = example.want.strip("\n") + "\n" * bool(example.want.strip("\n"))
    return found


def sessions(code, path, line, namespace):
    """Each example of a session with what it prints now, and whether by raising."""
    for example in examples(code):
        got, error = run_source(example.source, path, line + example.row, namespace, "single")
        yield example, (got if error is None else f"{HEAD}{error}"), error is not None


def is_same(want, got):
    """Whether an output is what the page says; `...` stands for anything."""
    want, got = (PLACE.sub("PLACE", "\n".join(row.rstrip() for row in text.strip().splitlines())) for text in (want, got))
    return re.fullmatch(".*".join(map(re.escape, want.split("..."))), got, re.DOTALL) is not None


def check_page(path):
    """Every mistake of a page, as text."""
    namespace, mistakes = {"__name__": "__page__"}, []
    for kind, code, line in blocks(path.read_text(encoding="utf-8")):
        if kind == "python":
            run_source(code, path, line, namespace, "exec")
            continue
        for example, got, raised in sessions(code, path, line, namespace):
            if raised != example.raises or not is_same(example.want, got):
                what = f"{example.source}--- the page says\n{example.want}--- it prints\n{got}"
                mistakes.append(f"{path.name}:{line + example.row}\n{what}")
    return mistakes


def refreshed(path):
    """The page with the outputs of now; one with an ellipsis that still fits stays as it is."""
    text = path.read_text(encoding="utf-8")
    namespace = {"__name__": "__page__"}

    def rewrite(match):
        kind, code = match[1], match[2]
        line = text.count("\n", 0, match.start()) + 2
        if kind == "python":
            run_source(code, path, line, namespace, "exec")
            return match[0]
        parts = []
        for example, got, raised in sessions(code, path, line, namespace):
            parts += [("... " if k else ">>> ") + row for k, row in enumerate(example.source.splitlines())]
            is_pattern = "..." in example.want.removeprefix(HEAD)
            fits = is_pattern and raised == example.raises and is_same(example.want, got)
            parts += (example.want if fits else got).splitlines()
        return "\n".join([f"```{kind}", *(row.rstrip() for row in parts), "```"])

    return FENCE.sub(rewrite, text)


if __name__ == "__main__":
    for page in [Path(name) for name in sys.argv[1:]] or pages():
        for _ in range(0 if is_generated(page) else 2):  # the first time may move the lines that are printed
            with untouched():
                page.write_text(refreshed(page), encoding="utf-8")
