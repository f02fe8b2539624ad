"""What the site adds to the pages: the example programs and the reference of whole rooms, and links that lead there."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LINK = re.compile(r"\]\(\.\./examples/(\w+)\.py\)")
FOLDER = re.compile(r"\]\(\.\./examples/?\)")
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([\w./-]+)\)")  # a file of the repository that is no page
ROOMS = {  # room -> the title of its page, and its first sentence
    "nn": ("Networks", "Layers, activations, losses and initial weights: `wg.nn`."),
    "optim": ("Optimisers", "Rules that turn gradients into steps, and what goes around them: `wg.optim`."),
    "learn": ("Training", "`wg.fit`, and what it reads, writes and returns: `wg.learn`."),
    "tensor": ("Tensors", "PyTorch's face of wengert: `import wengert.tensor as torch`."),
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the example programs into the navigation."""
    config.nav = [written(entry) for entry in config.nav or []]
    pages = [{title_of(path): f"examples/{path.stem}.md"} for path in programs()]
    config.nav = [*config.nav, {"Examples": [{"All of them": "examples/index.md"}, *pages]}]
    return config


def reference_of(room: str) -> str:
    """The page of a room: an entry for each public name, made from its docstring."""
    title, sentence = ROOMS[room]
    module = importlib.import_module(f"wengert.{room}")
    rows, seen = [f"# {title}\n\n{sentence}\n"], set()
    for name in public_names(module):
        value = getattr(module, name)
        home = getattr(value, "__module__", None)
        if not (inspect.isclass(value) or inspect.isfunction(value)) or not str(home).startswith("wengert.") or value in seen:
            continue
        seen.add(value)
        if inspect.getdoc(value):
            rows.append(f"::: {home}.{value.__qualname__}")
    return "\n".join(rows) + "\n"


def public_names(module: Any) -> list[str]:
    """What a room offers, in order; classes first."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    return sorted(names, key=lambda name: (not inspect.isclass(getattr(module, name)), name.lower()))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """One page for each program, made of its docstring and its source."""
    for room in ROOMS:
        files.append(File.generated(config, f"reference/{room}.md", content=reference_of(room)))
    rows = ["# Examples\n", "Short programs on real data. Each prints what it found next to a reference.\n", "| program | |\n|---|---|"]
    for path in programs():
        source = path.read_text(encoding="utf-8")
        first, _, rest = (ast.get_docstring(ast.parse(source)) or path.stem).partition("\n")
        text = f"# {title_of(path)}\n\n{first}\n\n{rest.strip()}\n\n    python examples/{path.name}\n\n```python\n{source.rstrip()}\n```\n"
        files.append(File.generated(config, f"examples/{path.stem}.md", content=text))
        rows.append(f"| [`{path.name}`]({path.stem}.md) | {first} |")
    files.append(File.generated(config, "examples/index.md", content="\n".join(rows) + "\n"))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links into the repository's examples lead to their pages; to other files of it there is only the name."""
    if "/" in page.file.src_uri:
        return markdown
    markdown = FOLDER.sub("](examples/index.md)", LINK.sub(r"](examples/\1.md)", markdown))
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)


def written(entry: Any) -> Any:
    """A part of the navigation without pages that nobody has written."""
    if isinstance(entry, str):
        return entry if is_page(entry) else None
    ((title, inside),) = entry.items()
    if isinstance(inside, str):
        return entry if is_page(inside) else None
    return {title: [part for part in map(written, inside) if part is not None]}


def is_page(name: str) -> bool:
    """Whether a page exists, or is made by these hooks."""
    return (ROOT / "docs" / name).exists() or Path(name).stem in ROOMS


def programs() -> list[Path]:
    """The example programs."""
    return sorted(EXAMPLES.glob("*.py"))


def title_of(path: Path) -> str:
    """`least_squares.py` as a title."""
    return path.stem.replace("_", " ").capitalize()
