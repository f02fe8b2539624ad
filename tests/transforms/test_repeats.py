"""The note about a loop of Python's that makes a compiled program large: when, once, and with the loop's line."""

import gc
import inspect
import warnings
import weakref

import numpy as np
import pytest

import wengert as wg
from wengert.errors import UnrolledWarning

LARGE, SMALL = 800, 100


def notes_of(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        call()
    return [w for w in found if w.category is UnrolledWarning]


def line_of(function, text):
    """The number of a line of a function's source."""
    lines, start = inspect.getsourcelines(function)
    return start + next(k for k, line in enumerate(lines) if text in line)


def in_place(x, n):
    for _ in range(n):
        x = x + 0.01 * np.sin(x)
    return x


def step(x):
    for _ in range(3):
        x = x - 0.1 * np.cos(x)
    return x


def in_a_caller(x, n):
    y = np.sin(x)
    for _ in range(n // 3):  # this one
        y = step(y)
    return y


def ended_by_a_value(x, n):
    k = 0
    while k < n:
        k, x = k + 1, np.tanh(x) * 1.01 + x
    return x


def comprehended(x, n):
    return sum([np.sin(x * k) for k in range(2 * n)])


@pytest.mark.parametrize(
    ("f", "header", "written"),
    [(in_place, "for _", "wg.scan"), (in_a_caller, "# this one", "wg.scan"), (ended_by_a_value, "while", "wg.while_loop"), (comprehended, "for k", "wg.scan")],
)
def test_the_loop_is_named(f, header, written):
    function = wg.jit(lambda x: f(x, LARGE))
    (note,) = notes_of(lambda: function(0.5))
    assert note.lineno == line_of(f, header)
    assert note.filename == __file__
    assert header in str(note.message)
    assert written in str(note.message)
    assert "docs/errors.md#unrolled" in str(note.message)


def test_small_ones_and_structured_ones_are_not():
    assert not notes_of(lambda: wg.jit(lambda x: in_place(x, SMALL))(0.5))
    assert not notes_of(lambda: wg.jit(lambda x: wg.fori_loop(0, 10 * LARGE, lambda _, x: np.sin(x), x))(0.5))


def test_derivatives_and_once_for_each_place():
    f = wg.jit(wg.grad(lambda x: in_place(x, LARGE // 2)))

    def calls():
        f(0.5)
        f(0.7)
        wg.jit(wg.grad(lambda x: in_place(x, LARGE // 2)))(0.5)

    (note,) = notes_of(calls)
    assert note.lineno == line_of(in_place, "for _")


def test_a_loop_around_the_compiled_call_is_not_meant():
    wide = wg.jit(wg.grad(lambda x: sum(np.sin(x[k]) * x[k] * x[k] for k in range(600))))

    def training():
        x = np.linspace(0.0, 1.0, 600)
        for _ in range(3):
            x = x - 0.1 * wide(x)

    (note,) = notes_of(training)
    assert "for k in range(600)" in str(note.message)


def test_nothing_of_the_users_is_kept_alive():
    class Kept:
        pass

    kept = Kept()
    gone = weakref.ref(kept)

    def f(x, kept):
        return in_place(x, LARGE)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wg.jit(lambda x, kept=kept: f(x, kept))(0.5)
    del kept
    gc.collect()
    assert gone() is None
