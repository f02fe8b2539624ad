"""The site builds without a warning and without a network, and shows every page and every public name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import wengert

ROOT = Path(__file__).resolve().parents[2]
# a program that refuses every connection, then builds
OFFLINE = """
import runpy, socket, sys
def refuse(*args, **kwargs):
    raise OSError("the site asked for the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
sys.argv = ["mkdocs", "build", "--strict", "--site-dir", sys.argv[1]]
runpy.run_module("mkdocs", run_name="__main__")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, "-c", OFFLINE, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**__import__("os").environ, "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site):
    for page in [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/reference/*.md"), *ROOT.glob("examples/*.py")]:
        folder = page.relative_to(ROOT / "docs").parent if page.suffix == ".md" else Path("examples")
        assert (site / folder / f"{page.stem}.html").exists(), page


def test_every_page_is_in_the_navigation(site):
    front = (site / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'href="([\w/-]+\.html)"', front))
    pages = {str(path.relative_to(ROOT / "docs").with_suffix(".html")) for path in ROOT.glob("docs/*.md")}
    assert pages - {"index.html"} <= linked


def test_every_public_name_is_in_the_reference(site):
    text = "".join(path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html"))
    named = set(re.findall(r'id="wengert(?:\.\w+)*\.(\w+)"', text))
    missing = set(wengert.__all__) - named - {"Array", "autograd"}  # the first is met in messages only, the second is a module
    assert not missing


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"|<link[^>]+rel="(?:stylesheet|preconnect|icon)"[^>]+href="(https?:[^"]+)"', text)
        assert not loaded, path


def test_examples_show_their_source(site):
    text = (site / "examples" / "least_squares.html").read_text(encoding="utf-8")
    assert "curve_fit" in text
    assert "Least squares" in text


def test_what_pages_load_is_there(site):
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img)[^>]+src="([^":#?]+)"|<link[^>]+rel="stylesheet"[^>]+href="([^":#?]+)"', text)
        here = site if path.name == "404.html" else path.parent
        missing = [name for pair in loaded for name in pair if name and not (here / name.lstrip("/")).exists()]
        assert not missing, path


def test_search_works_from_a_folder(site):
    """A browser starts no worker there, and reads no JSON: the index is a script, and the worker runs in a frame."""
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert index.startswith("var __index = {")
    assert "checkpoint" in index
    page = (site / "introduction.html").read_text(encoding="utf-8")
    assert page.index("site/iframe-worker.js") < page.index("assets/javascripts/bundle")
