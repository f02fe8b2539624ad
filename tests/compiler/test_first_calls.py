"""The path of a first call: what is made behind it, what the collector does meanwhile, what is left when it is over."""

import gc
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.collector import PATIENT, collector_at_ease, collector_at_rest
from wengert.compiler.engine import KEPT, compile_object, plan
from wengert.compiler.fuse import Fuser
from wengert.compiler.loops import Buffer, Op, Place
from wengert.compiler.pipeline import Lowered, passes
from wengert.compiler.runtime import library as runtime
from wengert.compiler.runtime.launcher import Input, Launch, Meanwhile, Output, PlainLauncher
from wengert.core.types import ArrayType
from wengert.errors import CompileError

X = np.linspace(0.1, 1.0, 100)
START = """
import os, sys
import numpy as np, wengert as wg
from wengert.compiler.runtime import library as runtime
x = np.linspace(0.1, 1.0, 100)
f = wg.jit(wg.value_and_grad(lambda x: np.sum(np.sin(x) * x)))
"""
LATER = START + """
first = f(x)
(maker,) = runtime._MAKERS
maker.join()
assert runtime.is_loaded()
second, third = f(x), f(x)
assert type(f.__call__) is type(len), "the third call runs no line of Python"
for a, b in zip(first, second): assert type(a) is type(b) and np.array_equal(a, b), (a, b)
for a, b in zip(first, third): assert type(a) is type(b) and np.array_equal(a, b), (a, b)
print("fine")
"""
NEEDED = START + """
order = wg.jit(lambda x: np.sort(x * -1.0))
assert np.array_equal(order(x), np.sort(-x))
assert runtime.is_loaded() and not runtime._MAKERS
print("fine")
"""
FORKED = START + """
first = f(x)
child = os.fork()
if child == 0:
    os._exit(0 if all(np.array_equal(a, b) for _ in range(3) for a, b in zip(first, f(x))) and runtime.is_loaded() else 1)
assert os.waitpid(child, 0)[1] == 0
print("fine")
"""
STOPPED = START + """
look = wg.jit(lambda x, k: x[k])
if __name__ == "__main__":
    assert look(x, np.array(3)) == x[3]
    try: look(x, np.array(200))
    except IndexError: print("fine")
"""
ENDING = START + "f(x)\nprint('fine')\n"


PROGRAMS = {"later": LATER, "needed": NEEDED, "stopped": STOPPED, "ending": ENDING} | ({"forked": FORKED} if hasattr(os, "fork") else {})


@pytest.mark.parametrize("name", PROGRAMS)
def test_in_a_fresh_process(tmp_path, name):
    program = PROGRAMS[name]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert (found.stdout, found.stderr, found.returncode) == ("fine\n", "", 0)


def test_the_way_in_changes_when_the_runtime_is_there(monkeypatch):
    compiled = wg.jit(lambda x: x * 2.0)
    compiled(X)
    loaded = list(runtime._LOADED)
    assert loaded
    monkeypatch.setattr(runtime, "_LOADED", [])
    monkeypatch.setattr(runtime, "library", lambda: None)
    monkeypatch.setattr(runtime, "_MAKERS", [])
    ((_, _, launch),) = compiled._launches
    way = Meanwhile(Launch(launch.entry, [Input(ArrayType(X.shape, X.dtype))], [Output(ArrayType(X.shape, X.dtype))], keep=launch))
    np.testing.assert_array_equal(way(X)[0], X * 2)
    assert type(way.way) is PlainLauncher
    assert len(runtime._MAKERS) == 1
    assert way(np.zeros(3)) is None
    runtime._MAKERS[0].join()
    runtime._LOADED.extend(loaded)
    np.testing.assert_array_equal(way(X)[0], X * 2)
    assert type(way.way) is type(len)


def test_what_goes_wrong_behind_a_call_is_told_by_the_next(monkeypatch):
    def fails():
        raise CompileError("no runtime here")

    monkeypatch.setattr(runtime, "_LOADED", [])
    monkeypatch.setattr(runtime, "_MAKERS", [])
    monkeypatch.setattr(runtime, "Library", fails)
    assert not runtime.library_behind()
    runtime._MAKERS[0].join()
    with pytest.raises(CompileError, match="no runtime here"):
        runtime.library_behind()


def test_a_system_that_lacks_functions_is_told_at_once(monkeypatch):
    monkeypatch.setattr(runtime, "_LOADED", [])
    monkeypatch.setattr(runtime, "_MAKERS", [])
    monkeypatch.setattr(runtime, "has_symbol", lambda name: not name.startswith("pthread"))
    with pytest.raises(CompileError, match="does not run on"):
        runtime.library_behind()
    assert runtime._MAKERS == []


# --- the collector ------------------------------------------------------------------------------------------------------


def test_the_collector_is_as_it_was():
    before = gc.get_threshold()
    assert gc.isenabled()
    with collector_at_ease():
        assert gc.get_threshold()[0] == max(PATIENT, before[0])
        with collector_at_ease(), collector_at_rest():
            assert not gc.isenabled()
        assert gc.get_threshold()[0] == max(PATIENT, before[0])
        assert gc.isenabled()
    assert gc.get_threshold() == before


def test_what_a_user_says_to_the_collector_meanwhile_stays():
    before = gc.get_threshold()
    try:
        with collector_at_ease():
            gc.set_threshold(123, 4, 5)
        assert gc.get_threshold() == (123, 4, 5)
        gc.set_threshold(0)
        with collector_at_ease():
            assert gc.get_threshold()[0] == 0
        assert gc.get_threshold()[0] == 0
        gc.set_threshold(*before)
        with pytest.raises(ZeroDivisionError), collector_at_ease(), collector_at_rest():
            _ = 1 / 0
        assert gc.get_threshold() == before
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)


def test_what_the_passes_have_made_goes_without_the_collector():
    graph = wg.trace(wg.grad(lambda x: np.sum(np.sin(x[0] * x) * x[1])))(X)
    with collector_at_rest():
        fuser = Fuser(passes(graph)[1], {})
        fuser.program()
        gone = weakref.ref(fuser)
        del fuser
        assert gone() is None


# --- the text -----------------------------------------------------------------------------------------------------------


def test_vector_functions_that_no_loop_calls_are_left_out():
    text = Lowered(wg.trace(lambda x: np.sin(x))(np.zeros(1024))).text
    assert f"@{KEPT} " in text
    assert "@four_sin" in text or "@two_sin" in text
    code = compile_object(text, plan(text))
    assert b"four_sin" not in code
    assert b"two_sin" not in code


def test_single_numbers_have_no_names_in_a_body_without_loops():
    text = Lowered(wg.trace(lambda x: np.sin(x[0]) * x[1] + x[2])(np.zeros(3))).text
    assert "%v" not in text
    assert "  %1 = " in text


# --- immutable records --------------------------------------------------------------------------------------------------


def test_records_are_compared_as_before():
    buffer = Buffer((3,), np.dtype(float), "input")
    assert Place(buffer, (1,)) == Place(buffer, (1,))
    assert hash(Place(buffer, (1,))) == hash(Place(buffer, (1,)))
    assert Place(buffer, (1,)) != Place(buffer, (2,))
    op = Op("load", (), buffer.dtype)
    assert op != Op("load", (), buffer.dtype)
    assert len({op, op}) == 1
    assert not hasattr(op, "__dict__")
