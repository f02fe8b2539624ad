"""A second process recognises a graph before it is lowered."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import wengert as wg
from wengert.compiler import pipeline
from wengert.compiler.cache import Cache
from wengert.compiler.pipeline import Compiled
from wengert.compiler.warm import Facts, name_of_graph
from wengert.core.graph import Const

X = np.linspace(0.1, 1.0, 6)
TABLE = np.arange(12.0).reshape(4, 3)


def recurrence(x):
    for k in range(30):
        x = np.tanh(x * np.cos(k + x)) + TABLE[k % 4].sum() * 1e-3
    return np.sum(x)


def looks_up(x):
    x = np.reshape(x, (2, 3))
    for k in range(30):
        x = np.sin(x) + TABLE[[k % 4, 0]]
    return np.linalg.solve(np.eye(3) * 5 + x.T @ x, x[0])


def goes_round(x):
    for _ in range(20):
        x = wg.fori_loop(0, 3, lambda k, x: np.sin(x) * 2, x) + np.cos(x)
    return x


def transforms(x):
    for _ in range(40):
        x = np.sin(np.abs(np.fft.fft(x)))
    return x


@pytest.fixture
def lowerings(monkeypatch):
    """The graphs that were lowered."""
    seen = []

    class Counted(pipeline.Lowered):
        def __init__(self, graph):
            seen.append(graph)
            super().__init__(graph)

    monkeypatch.setattr(pipeline, "Lowered", Counted)
    return seen


@pytest.mark.parametrize("f", [recurrence, wg.grad(recurrence), looks_up, goes_round])
def test_the_second_one_is_not_lowered(lowerings, tmp_path, f):
    store = Cache(str(tmp_path / "objects"))
    first, second = (Compiled(wg.trace(f)(X), cache=store) for _ in range(2))
    assert len(lowerings) == 1
    np.testing.assert_array_equal(first([X])[0], second([X])[0])
    np.testing.assert_allclose(second([X])[0], f(X), rtol=1e-12)
    assert second.text == first.text  # lowered now that somebody looks
    assert len(lowerings) == 2


def test_calls_of_python_are_made_anew(lowerings, tmp_path):
    store = Cache(str(tmp_path / "objects"))
    for n in (1, 2):
        np.testing.assert_allclose(Compiled(wg.trace(transforms)(X), cache=store)([X])[0], transforms(X), rtol=1e-4)
        assert len(lowerings) == n


def test_an_object_file_that_is_gone_is_made_again(lowerings, tmp_path):
    store = Cache(str(tmp_path / "objects"))
    first = Compiled(wg.trace(recurrence)(X), cache=store)
    store._remove(f"{store.folder}/{first.facts.code}")
    np.testing.assert_array_equal(Compiled(wg.trace(recurrence)(X), cache=store)([X])[0], first([X])[0])
    assert len(lowerings) == 2


def test_errors_keep_their_places(tmp_path):
    store = Cache(str(tmp_path / "objects"))
    graph = wg.trace(lambda x: looks_up(x) + np.linalg.cholesky(np.eye(3) * x[0])[0])(X)
    for _ in range(2):
        compiled = Compiled(graph, cache=store)
        with pytest.raises(np.linalg.LinAlgError) as caught:
            compiled([-X])
        assert "test_warm.py:" in caught.value.__notes__[0]


def test_what_differs_has_another_name():
    graph = wg.trace(recurrence)(X)
    name = name_of_graph(graph)
    assert name == name_of_graph(wg.trace(recurrence)(X + 1))  # inputs are no part of it

    def scaled(factor):
        return wg.trace(lambda x: recurrence(x) * factor)(X)

    others = [wg.trace(recurrence)(X[:3]), wg.trace(recurrence)(np.float32(X)), scaled(2.0), scaled(3.0), scaled(np.float64(2.0)), scaled(2)]
    others += [wg.trace(lambda x, table=table: recurrence(x) * table)(X) for table in (TABLE[:, :1], TABLE[:, 1:2], np.float32(TABLE[:, :1]))]
    others.append(replace(graph, nodes=tuple([replace(node, location="elsewhere:1") for node in graph.nodes])))
    others.append(replace(graph, outputs=(Const(1.0, graph.outputs[0].type),)))
    names = [name, *map(name_of_graph, others)]
    assert None not in names
    assert len(set(names)) == len(names)


def test_a_graph_that_calls_a_function_of_the_user_has_no_name():
    @wg.custom_rule
    def own(x):
        return np.sin(x)

    @own.forward
    def rule(primals, tangents):
        return np.sin(primals[0]), np.cos(primals[0]) * tangents[0]

    assert name_of_graph(wg.trace(own)(X)) is None


def test_facts_as_a_record():
    constants = [TABLE, np.array([True, False]), np.float32(3), np.zeros((0, 3), np.complex128)]
    facts = Facts("f" * 64, 128, 1e-3, ["float64"], ["erf"], ["dgetrf"], True, False, [("outside", "a.py:3")], constants)
    again = Facts.from_bytes(facts.to_bytes())
    assert replace(again, constants=[]) == replace(facts, constants=[])
    for a, b in zip(again.constants, constants, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


PROCESS = """
import sys, numpy as np, wengert as wg
from wengert.compiler import pipeline
sys.path.insert(0, sys.argv[1])
import test_warm
seen = []
real = pipeline.Lowered.__init__
pipeline.Lowered.__init__ = lambda self, graph: (seen.append(graph), real(self, graph))[1]
gradient = wg.jit(wg.grad(test_warm.recurrence))
print(len(seen), gradient(test_warm.X).tobytes().hex(), len(seen))
"""


def test_two_processes(tmp_path):
    """The public way: nothing is lowered by the second one, and its bits are those of the first."""
    folder = __file__.rpartition("/")[0]
    found = [
        subprocess.run(
            [sys.executable, "-c", PROCESS, folder], capture_output=True, text=True, check=True, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        ).stdout.split()
        for _ in range(2)
    ]
    assert [int(words[2]) for words in found] == [1, 0]
    assert found[0][1] == found[1][1]
