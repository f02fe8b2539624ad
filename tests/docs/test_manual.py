"""Every code block of the manual runs and prints what the page says; links lead somewhere; docstrings run."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wengert

SPEC = importlib.util.spec_from_file_location("blocks", Path(__file__).with_name("blocks.py"))
blocks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(blocks)

PAGES = blocks.pages()
WRITTEN = [path for path in PAGES if not blocks.is_generated(path)]
MODULES = sorted(m.name for m in pkgutil.walk_packages(wengert.__path__, "wengert.") if not m.name.endswith("__main__"))


@pytest.fixture(autouse=True)
def cards_are_forgotten():
    with blocks.untouched():
        yield


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_pages_run(path):
    mistakes = blocks.check_page(path)
    assert not mistakes, "\n\n".join(mistakes)


def anchors(path):
    """The anchors that a forge gives to the headings of a page."""
    heads = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads)
    return {*plain, *re.findall(r'<a (?:id|name)="([^"]+)"', path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), f"{path.name} links to {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", [*WRITTEN, blocks.ROOT / "README.md"], ids=lambda path: path.name)
def test_files_that_are_named_exist(path):
    named = re.findall(r"\b((?:benchmarks|core|docs|examples|primitives|src|tests|tools|transforms|viz)/[\w/.-]+\.\w+)", path.read_text(encoding="utf-8"))
    missing = [name for name in named if not ((blocks.ROOT / name).exists() or (blocks.ROOT / "src" / "wengert" / name).exists())]
    assert not missing


def test_pictures_are_those_of_now():
    program = blocks.DOCS / "generate" / "pictures.py"
    done = subprocess.run([sys.executable, str(program), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_page_is_on_the_map():
    text = (blocks.DOCS / "index.md").read_text(encoding="utf-8")
    assert {path.name for path in PAGES} - {"index.md"} <= set(re.findall(r"\]\(([\w-]+\.md)", text))


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_run(name):
    module = importlib.import_module(name)
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    for test in finder.find(module, name):
        for example in test.examples:
            assert not example.options.get(doctest.SKIP), f"{test.name} skips an example"
        runner.run(test, out=sys.stderr.write)
    assert runner.failures == 0


def test_the_instrument_sees_mistakes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n```python\nx = 2\n```\n```pycon\n>>> x + 1\n3\n>>> x + 2\n5\n>>> 1 / 0\nTraceback (most recent call last):\n"
        "  ...\nZeroDivisionError: division by zero\n>>> {}['a']\n1\n>>> x\nTraceback (most recent call last):\n  ...\nKeyError: 1\n```\n",
        encoding="utf-8",
    )
    found = [mistake.splitlines()[0] for mistake in blocks.check_page(page)]
    assert found == ["page.md:8", "page.md:14", "page.md:16"]
    page.write_text(blocks.refreshed(page), encoding="utf-8")
    assert blocks.check_page(page) == []
    assert ">>> x + 2\n4\n" in page.read_text(encoding="utf-8")
