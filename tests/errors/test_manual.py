"""The manual: the tree that the module draws, the page of each class, and the document made of them."""

import ast
import doctest
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import wengert
from wengert import _advice, errors

ROOT = Path(__file__).parents[2]
PACKAGE = Path(wengert.__file__).parent
CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, (errors.WengertError, Warning))]

_spec = importlib.util.spec_from_file_location("errors_document", ROOT / "docs" / "generate" / "errors.py")
generator = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generator)


def drawn_tree():
    """Name -> (name of the parent, other bases), as the docstring of the module draws them."""
    found, above = {}, []
    for line in generator.tree().splitlines():
        match = re.match(r"([ │├└─]*)(\w+(?:Error|Warning))(?: \(([\w, ]+)\))?(?: |$)", line)
        if match:
            depth = len(match[1]) // 4
            del above[depth:]
            found[match[2]] = (above[-1] if above else None, set(re.split(r", *", match[3])) if match[3] else set())
            above.append(match[2])
    return found


def test_the_tree_is_the_true_one():
    tree = drawn_tree()
    assert set(tree) == {kind.__name__ for kind in CLASSES}
    for name, (parent, others) in tree.items():
        bases = {base.__name__ for base in getattr(errors, name).__bases__}
        expected = others | ({parent} if parent else set())
        assert bases == (expected or {"Exception"}), name


def test_every_class_has_a_page():
    """What it means, an example that runs, and what to write instead."""
    pages = set(errors.ANCHORS.values())
    branches = {errors.WengertError, errors.DerivativeError, errors.DisconnectedWarning}
    assert set(CLASSES) - branches == pages
    for kind in pages:
        text = inspect.getdoc(kind)
        assert ">>> " in text and "Traceback" in text and "rite " in text, kind


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_examples(kind):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    for test in doctest.DocTestFinder(recurse=False).find(kind, kind.__name__, globs={}):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_the_document_is_up_to_date():
    assert generator.DOCUMENT.read_text(encoding="utf-8") == generator.document(), "python docs/generate/errors.py"


def test_anchors_exist():
    """Every `page(..., "anchor")` in the package points to a section of the document."""
    document = generator.DOCUMENT.read_text(encoding="utf-8")
    sections = set(re.findall(r'<a id="([\w-]+)"></a>', document))
    assert sections == set(errors.ANCHORS)
    used = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "page":
                anchor = node.args[1 if isinstance(node.args[0], ast.Starred) else 3]
                assert isinstance(anchor, ast.Constant), (path, node.lineno)
                used[anchor.value] = (path.name, node.lineno)
    assert len(used) >= 10
    assert {anchor: place for anchor, place in used.items() if anchor not in sections} == {}


def test_promised_functions_exist():
    """What the advice names is really there, and takes traced values."""
    import numpy as np
    import scipy.fft
    import scipy.linalg
    import scipy.special

    import wengert.numpy as wnp
    import wengert.scipy.special as special

    assert all(getattr(special, name) is not getattr(scipy.special, name) for name in _advice.SPECIAL)
    assert all(getattr(wnp, name) is not getattr(np, name) for name in _advice.DROP_IN)
    for room, names in _advice.SCIPY.items():
        twins = [name for name in names if hasattr(getattr(np, room), name)]
        assert all(hasattr(getattr(scipy, room), name) for name in names)
        assert len(twins) >= len(names) - 1
    for family in ("polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre"):
        plain, twin = getattr(np.polynomial, family), getattr(wnp.polynomial, family)
        functions = [name for name in plain.__all__ if callable(getattr(plain, name)) and not name.endswith(("pts1", "pts2", "gauss"))]
        missing = [name for name in functions if getattr(plain, name) is getattr(twin, name)]
        assert missing == [name for name in functions if any(part in name for part in _advice.PLAIN_SERIES)]
    rooms = {"np": np, "scipy": scipy}
    for target in _advice.MATH.values():
        found = rooms[target.partition(".")[0]]
        for part in target.split(".")[1:]:
            found = getattr(found, part)
        assert callable(found)
