"""Calls without a line of Python: launches in turn, bound inputs, watched places; the builtin and its plain twin side by side."""

import gc
import sys
import threading

import numpy as np
import pytest

from wengert.compiler.engine import Module
from wengert.compiler.runtime import launcher as launching
from wengert.compiler.runtime.launcher import Input, Launch, Output, Watch, dispatcher
from wengert.core.types import ArrayType

FIRST_TIMES_SECOND = """
define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace) {
  %a.at = load ptr, ptr %inputs
  %b.place = getelementptr ptr, ptr %inputs, i64 1
  %b.at = load ptr, ptr %b.place
  %a = load double, ptr %a.at
  %b = load double, ptr %b.at
  %c = fmul double %a, %b
  %out = load ptr, ptr %outputs
  store double %c, ptr %out
  %guard.place = getelementptr ptr, ptr %outputs, i64 1
  %guard = load ptr, ptr %guard.place
  %positive = fcmp ogt double %a, 0.0
  %byte = zext i1 %positive to i8
  store i8 %byte, ptr %guard
  ret i32 0
}
"""
VECTOR = Input(ArrayType((2,), np.dtype(float)))
OUTPUTS = [Output(ArrayType((), np.dtype(float)), "scalar"), Output(ArrayType((), np.dtype(bool)), "guard")]


@pytest.fixture(params=["builtin", "plain"])
def way(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(launching, "_POSSIBLE", [False])
    return request.param


@pytest.fixture(scope="module")
def module():
    return Module(FIRST_TIMES_SECOND)


def product(module, inputs=(VECTOR, VECTOR), **options):
    return Launch(module.address("entry"), list(inputs), OUTPUTS, is_single=True, keep=module, **options)


def otherwise(*args, **kwargs):
    return "otherwise", args, kwargs


def full(x):
    return np.full(2, x)


def test_the_first_that_fits(way, module):
    number = Input(None, "number", float)
    call = dispatcher([product(module), product(module, [VECTOR, number])], otherwise)
    assert call(full(2.0), full(3.0)) == 6.0
    assert call(full(2.0), 5.0) == 10.0
    x, y = full(2.0), np.zeros(3)
    assert call(x, y) == ("otherwise", (x, y), {})
    assert call() == ("otherwise", (), {})


def test_guards_that_fail_go_on(way, module):
    call = dispatcher([product(module)], otherwise)
    x = full(-2.0)
    assert call(x, x)[0] == "otherwise"
    assert call(full(2.0), x) == -4.0


def test_keywords_go_the_long_way(way, module):
    call = dispatcher([product(module)], otherwise)
    x = full(2.0)
    assert call(x, b=x) == ("otherwise", (x,), {"b": x})
    assert call(a=1, b=2) == ("otherwise", (), {"a": 1, "b": 2})


def test_errors_pass(way, module):
    def fail(*args):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dispatcher([product(module)], fail)(1)


def stopping(module, error, **options):
    def explain(status):
        raise error

    text = "define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace) {\n  ret i32 1\n}"
    broken = Module(text)
    return Launch(broken.address("entry"), [VECTOR, VECTOR], OUTPUTS, is_single=True, on_error=explain, keep=broken, **options)


def test_doubts(way, module):
    x = full(2.0)
    good = product(module)
    with pytest.raises(ZeroDivisionError):
        dispatcher([stopping(module, ZeroDivisionError()), good], otherwise)(x, x)
    assert dispatcher([stopping(module, ZeroDivisionError(), doubts=True), good], otherwise)(x, x) == 4.0
    assert dispatcher([stopping(module, ZeroDivisionError(), doubts=True)], otherwise)(x, x)[0] == "otherwise"
    with pytest.raises(KeyboardInterrupt):
        dispatcher([stopping(module, KeyboardInterrupt(), doubts=True), good], otherwise)(x, x)


def test_results_are_finished(way, module):
    x = full(2.0)
    finished = []

    def finish(result):
        finished.append(sys.getrefcount(result))
        return {"product": result}

    call = dispatcher([product(module, finish=finish)], otherwise)
    assert call(x, x) == {"product": 4.0}
    several = Launch(module.address("entry"), [VECTOR, VECTOR], OUTPUTS, finish=lambda results: list(results), keep=module)
    assert dispatcher([several], otherwise)(x, x) == [4.0]
    assert dispatcher([several], otherwise)(full(-2.0), x)[0] == "otherwise"

    def fail(result):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        dispatcher([product(module, finish=fail)], otherwise)(x, x)


def test_objects_stand_anywhere(way, module):
    setting = "a setting"
    call = dispatcher([product(module, [Input(None, "object", setting), VECTOR, Input(None, "object", None), VECTOR])], otherwise)
    assert call(setting, full(2.0), None, full(3.0)) == 6.0
    assert call("another", full(2.0), None, full(3.0))[0] == "otherwise"
    assert call(setting, full(2.0), 0, full(3.0))[0] == "otherwise"


def test_bound_inputs_are_read_at_each_call(way, module):
    captured = full(2.0)
    call = dispatcher([product(module, bound=[captured])], otherwise)
    assert call(full(3.0)) == 6.0
    captured[:] = 5.0
    assert call(full(3.0)) == 15.0
    assert call(full(3.0), full(3.0))[0] == "otherwise"
    captured.resize((2, 1), refcheck=False)
    assert call(full(3.0))[0] == "otherwise"


def make_cell(value):
    def inner():
        return value

    return inner.__closure__[0]


def test_watched_places(way, module):
    thing, other = object(), object()
    table, cell, items, growing = {"key": thing}, make_cell(thing), [thing, other], [1, 2, 3]
    whole = [thing, other, None]
    watches = [
        Watch.item(table, "key", thing), Watch.cell(cell, thing), Watch.item(items, 0, thing), Watch.length(growing, 3),
        Watch.content(whole, whole),
    ]  # fmt: skip
    call = dispatcher([product(module, watches=watches)], otherwise)
    x = full(2.0)

    def is_direct():
        return call(x, x) == 4.0 if not isinstance(call(x, x), tuple) else False

    def change(act, undo):
        assert is_direct()
        act()
        assert not is_direct()
        undo()
        assert is_direct()

    change(lambda: table.update(key=other), lambda: table.update(key=thing))
    change(lambda: table.pop("key"), lambda: table.update(key=thing))
    change(lambda: setattr(cell, "cell_contents", other), lambda: setattr(cell, "cell_contents", thing))
    change(lambda: items.__setitem__(0, other), lambda: items.__setitem__(0, thing))
    change(items.clear, lambda: items.append(thing))
    change(lambda: growing.append(4), growing.pop)
    change(lambda: whole.append(other), whole.pop)
    change(whole.pop, lambda: whole.append(None))
    change(whole.reverse, whole.reverse)
    change(lambda: whole.__setitem__(2, thing), lambda: whole.__setitem__(2, None))
    del cell.cell_contents
    assert not is_direct()


def test_references_are_counted(way, module):
    captured, thing, setting = full(2.0), object(), "a setting of its own"
    table, cell = {"key": thing}, make_cell(thing)
    launch = product(
        module, [VECTOR, VECTOR, Input(None, "object", setting)], bound=[captured],
        watches=[Watch.item(table, "key", thing), Watch.cell(cell, thing), Watch.length(table, 1)],
    )  # fmt: skip
    call = dispatcher([launch], otherwise)
    x, negative = full(3.0), full(-1.0)
    watched = (captured, thing, setting, x, table, cell, otherwise, None, (), negative)

    def every_path():
        assert call(x, setting) == 6.0
        call(x)
        call(x, setting, key=x)
        table["key"] = setting
        call(x, setting)
        table["key"] = thing

    every_path()
    gc.collect()
    before = [sys.getrefcount(y) for y in watched]
    for _ in range(1000):
        every_path()
    after = [sys.getrefcount(y) for y in watched]
    assert all(abs(b - a) < 300 for a, b in zip(before, after, strict=True)), (before, after)  # one a call would be 1,000


def test_in_a_slot_it_is_how_an_instance_is_called(way, module):
    class Called:
        __slots__ = ("__call__", "__dict__", "__weakref__")

    called, another = Called(), Called()
    called.__call__ = dispatcher([product(module)], otherwise)
    another.__call__ = otherwise
    assert called(full(2.0), full(3.0)) == 6.0
    assert another(1) == ("otherwise", (1,), {})
    assert callable(called)


def test_it_can_be_replaced_while_it_runs(module):
    class Called:
        __slots__ = ("__call__",)

    called = Called()
    called.__call__ = dispatcher([product(module, seconds=1.0)], otherwise)
    x, stop, wrong = full(2.0), threading.Event(), []

    def work():
        while not stop.is_set():
            if called(x, x) != 4.0:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        called.__call__ = dispatcher([product(module, seconds=1.0)], otherwise)
        gc.collect(0)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
