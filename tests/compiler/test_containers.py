"""Containers and keywords through the builtin: no line of Python between a call and its result, and the same result."""

import dataclasses
import gc
import sys
import threading
from collections import OrderedDict, namedtuple
from typing import NamedTuple

import numpy as np
import pytest

import wengert as wg
from wengert import trees
from wengert.compiler.runtime.containers import NotNative, result_nodes, shape_of
from wengert.compiler.runtime.launcher import is_builtin_possible

Pair = namedtuple("Pair", "b a")  # noqa: PYI024  (the older spelling is one, too)


class Layer(NamedTuple):
    w: object
    b: object


@dataclasses.dataclass(frozen=True)
class Frozen:
    w: object
    b: object
    n: int = 1_000_000
    name: str = "layer"


@dataclasses.dataclass(slots=True)
class Slotted:
    w: object
    parts: list


@dataclasses.dataclass
class Watched:
    """Its attribute is a property, which is code of the user's."""

    hidden: object

    @property
    def w(self):
        return self.hidden


class Own:
    def __init__(self, w):
        self.w = w


trees.register(Own, lambda x: ((x.w,), None), lambda _, children: Own(*children))
X, Y = np.array([1.0, 2.0]), np.array([3.0, -4.0])
CALLS = {
    "dict": ((lambda p: {"sum": p["b"] + p["a"], "a": p["a"] * 2}), ({"b": X, "a": Y},), {}),
    "dict of dicts": (lambda p: {"out": {"z": p["l"]["w"] * 2, "y": p["l"]["b"]}}, ({"l": {"w": X, "b": 2.0}},), {}),
    "whole keys": (lambda p: {k: 2 * v for k, v in p.items()}, ({3: X, 1: Y},), {}),
    "list": (lambda p: [y * 2 for y in p], ([X, Y],), {}),
    "tuple in a list": (lambda p: [(p[0][0], None, "text", p[0][1] * 2)], ([(X, Y)],), {}),
    "keywords": (lambda x, y, z: (x * y - z,), (X,), {"z": Y, "y": 2.0}),
    "keywords alone": (lambda **named: named["x"] - named["y"], (), {"y": Y, "x": X}),
    "named tuple": (lambda p: Pair(p.a * 2, p.b), (Pair(X, Y),), {}),
    "NamedTuple": (lambda p: Layer(p.w * 2, p.b), (Layer(X, 1.5),), {}),
    "dataclass": (lambda p: Frozen(p.w * p.n, p.b + 1), (Frozen(X, Y),), {}),
    "slots": (lambda p: Slotted(p.w + p.parts[0], [p.w, *p.parts]), (Slotted(X, [Y, 2.0]),), {}),
    "property": (lambda p: Watched(p.w * 2), (Watched(X),), {}),
    "registered": (lambda p: Own(p.w * 2), (Own(X),), {}),
    "ordered": (lambda p: OrderedDict((k, 2 * v) for k, v in p.items()), (OrderedDict(b=X, a=Y),), {}),
    "settings": (lambda p, n, kind: {"y": p["x"] * n, "kind": kind, "n": n}, ({"x": X}, 10**9), {"kind": ("a", 3)}),
    "nothing": (lambda p: ({}, [], (), None, p), (X,), {}),
    "keys of two kinds": (lambda p: {**p}, ({"a": X, 1: Y},), {}),
}
SLOW = {"registered", "ordered", "keys of two kinds"}  # which only Python can take apart


def alike(found, wanted):
    left, structure = trees.flatten(found)
    right, expected = trees.flatten(wanted)
    assert structure == expected
    assert str(structure) == str(expected)  # the order of keys, too
    for a, b in zip(left, right, strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b)


def is_direct(jitted):
    return bool(jitted._launches)


def moved(tree):
    return trees.map_leaves(lambda x: x + 1 if isinstance(x, (np.ndarray, float)) else x, tree)


@pytest.mark.parametrize("name", CALLS)
def test_results_are_those_of_the_function(name):
    function, args, kwargs = CALLS[name]
    jitted = wg.jit(function)
    for values in (args, moved(args), args, moved(args)):
        alike(jitted(*values, **kwargs), function(*values, **kwargs))
    assert is_direct(jitted) == (name not in SLOW)


@pytest.mark.parametrize("name", sorted(set(CALLS) - SLOW))
def test_no_line_of_python_runs(name):
    function, args, kwargs = CALLS[name]
    jitted = wg.jit(function)
    jitted(*args, **kwargs)
    assert is_builtin_possible()
    seen = []
    sys.setprofile(lambda frame, event, what: seen.append((event, frame.f_code.co_name)))
    try:
        jitted(*args, **kwargs)
    finally:
        sys.setprofile(None)
    lines = [name for event, name in seen if event == "call"]
    assert set(lines) <= {"<lambda>", "_make"}  # `_make` of a named tuple is Python's own


def test_other_containers_are_other_calls():
    jitted = wg.jit(lambda p, *more, **named: {"n": trees.flatten((p, more, named))[0]})
    x = np.ones(2)
    calls = [
        (({"a": x},), {}), (({"b": x},), {}), (({"a": x, "b": x},), {}), (([x],), {}), (((x,),), {}), ((Layer(x, x),), {}),
        ((Pair(x, x),), {}), ((x,), {"q": x}), ((x,), {"r": x}), ((x, x), {}), ((None,), {"q": x}), (({"a": x, "b": None},), {}),
        (({"a": [x]},), {}), (({"a": 1.0},), {}), (({"a": np.ones(3)},), {}), (({"a": x.astype("f4")},), {}),
    ]  # fmt: skip
    for _ in range(3):
        for args, kwargs in calls:
            wanted = trees.flatten((args, kwargs))[0]
            found = jitted(*args, **kwargs)["n"]
            assert [getattr(a, "dtype", type(a)) for a in found] == [getattr(b, "dtype", type(b)) for b in wanted]


def test_settings_are_compared_by_type_and_value():
    jitted = wg.jit(lambda p, n: p["x"] * n)
    p = {"x": np.array([1, 2])}
    for n in (2, True, 2, 10**20 // 10**19, 1000, int("1000"), False, 0):
        np.testing.assert_array_equal(jitted(p, n), p["x"] * n, strict=True)


def test_fields_that_are_settings():
    jitted = wg.jit(lambda p: p.w * p.n)
    for n in (2, 3, 2, 10**6, int("1000000")):
        np.testing.assert_array_equal(jitted(Frozen(X, Y, n)), X * n)
    half = Frozen(X, Y, 0.5)  # now it is an input
    np.testing.assert_array_equal(jitted(half), X / 2)


def spelt(*letters):
    """A text that is equal to a literal, and another object."""
    return "".join(letters)


def test_names_that_are_not_interned():
    jitted = wg.jit(lambda p, **named: p["long"] - named["other"])
    for _ in range(3):
        np.testing.assert_array_equal(jitted({spelt("lo", "ng"): X}, **{spelt("oth", "er"): Y}), X - Y)


@pytest.mark.parametrize("name", sorted(set(CALLS) - SLOW))
def test_references_are_counted(name):
    function, args, kwargs = CALLS[name]
    jitted = wg.jit(function)
    other = [Frozen(X, Y, 3), np.ones(7)]  # misfits, which are taken apart in part
    for _ in range(2):
        jitted(*args, **kwargs)
    watched = [x for x in trees.flatten((args, kwargs))[0] if isinstance(x, np.ndarray)] + [Frozen, Slotted, Layer, Pair, dict]
    gc.disable()
    try:
        before = [sys.getrefcount(x) for x in watched]
        for _ in range(500):
            jitted(*args, **kwargs)
        kept = [jitted(*args, **kwargs) for _ in range(3)]
        after = [sys.getrefcount(x) for x in watched]
    finally:
        gc.enable()
    del kept, other
    assert max(b - a for a, b in zip(before, after, strict=True)) <= 60  # that what was kept holds


def test_a_container_that_changes_under_way():
    jitted = wg.jit(lambda p: {"y": p["x"] * 2 + np.sum(np.linalg.inv(p["a"]) @ p["a"])})
    p = {"x": np.ones(50_000), "a": np.eye(3)}
    jitted(p)
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            p["x"] = np.ones(50_000)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(300):
            assert (jitted(p)["y"] == 5.0).all()
    finally:
        stop.set()
        thread.join()


def test_errors_let_go_of_everything():
    jitted = wg.jit(lambda p: {"y": np.linalg.inv(p["a"])})
    good, bad = {"a": np.eye(2)}, {"a": np.zeros((2, 2))}
    jitted(good)
    counts = []
    for _ in range(3):
        with pytest.raises(np.linalg.LinAlgError):
            jitted(bad)
        gc.collect()
        counts.append(sys.getrefcount(bad["a"]))
    assert counts[0] == counts[1] == counts[2]
    np.testing.assert_array_equal(jitted(good)["y"], np.eye(2))


def test_nodes():
    shape, leaves = shape_of(({"b": 1.0, "a": [2.0, None]},), {"z": 3.0, "y": (4.0,)})
    assert leaves == [2.0, 1.0, 4.0, 3.0]
    assert [node.kind for node in shape.nodes] == ["dict", "list", "leaf", "very", "leaf", "tuple", "leaf", "leaf"]
    assert (shape.n_positional, shape.names) == (1, ("y", "z"))
    marks = [np.empty(0), np.empty(0)]
    nodes = result_nodes({"b": marks[1], "a": (marks[0], 7)}, marks)
    assert [(node.kind, node.n) for node in nodes] == [("dict", 2), ("leaf", 1), ("tuple", 2), ("leaf", 0), ("very", 0)]
    with pytest.raises(NotNative):
        shape_of((OrderedDict(a=1.0),), {})
