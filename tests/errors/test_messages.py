"""Every mistake gets its message, to the letter, and its advice gives the right derivative."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from wengert import errors

_spec = importlib.util.spec_from_file_location("golden", Path(__file__).with_name("golden.py"))
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)

PAGES = sorted(golden.MISTAKES.glob("*.md"))


def every(name):
    return pytest.mark.parametrize(name, PAGES, ids=[path.stem for path in PAGES])


def test_there_are_enough():
    assert len(PAGES) >= 80


@every("path")
def test_message(path):
    page = golden.read(path)
    assert golden.message_of(page.mistake) == page.message


@every("path")
def test_advice_is_true(path):
    """The program put right holds a line that the message tells to write, and gives the right result."""
    page = golden.read(path)
    advised = golden.advice(page.message)
    fixed = re.sub(r"\s+", " ", page.fixed)
    assert not advised or any(re.sub(r"\s+", " ", line) in fixed for line in advised), advised
    room = golden.run(page.fixed)
    np.testing.assert_allclose(np.asarray(room["result"]), room["expected"], rtol=1e-6, atol=1e-9)


@every("path")
def test_form(path):
    """Four parts: what happened, where, why, what to write; and the address of a page that exists."""
    page = golden.read(path)
    what, _, rest = page.message.partition("\n\n")
    assert "\n" not in what
    assert rest.startswith("  line " if "GraphError" in what else "  model.py:")
    anchor = re.search(r"\n  Read    docs/errors\.md#([\w-]+)\n$", page.message)[1]
    name = what.partition(":")[0]
    kind = getattr(errors, name)
    assert issubclass(kind, errors.ANCHORS[anchor]) or kind is errors.DisconnectedWarning
    assert max(map(len, page.message.splitlines())) <= 140
