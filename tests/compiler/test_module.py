"""The module of a program: its functions, and what its entry calls."""

import re

import numpy as np

import wengert as wg

SIDE = 30


def layers(x, weights):
    for w in weights:
        x = np.tanh(x @ w)
    return np.sum(x**2)


def counted(n):
    rng = np.random.default_rng(n)
    x, weights = rng.standard_normal((40, SIDE)), [0.1 * rng.standard_normal((SIDE, SIDE)) for _ in range(n)]
    gradient = wg.jit(wg.grad(layers, argnums=(0, 1)))
    dx, dw = gradient(x, weights)
    want_x, want_w = wg.grad(layers, argnums=(0, 1))(x, weights)
    np.testing.assert_allclose(dx, want_x, rtol=1e-11, atol=1e-12)
    for found, want in zip(dw, want_w, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-11)
    text = gradient.llvm(x, weights)
    entry = text.partition("define i32 @entry")[2].partition("\n}")[0]
    return len(re.findall(r"^define internal void @step", text, re.M)), len(re.findall(r"@step\d+\b", entry))


def test_steps_of_equal_layers_share_their_functions():
    few, fewer_calls = counted(4)
    many, more_calls = counted(12)
    assert many == few
    assert more_calls > fewer_calls


def test_every_function_that_is_called_is_there():
    text = wg.jit(wg.grad(layers, argnums=(0, 1))).llvm(np.ones((40, SIDE)), [np.ones((SIDE, SIDE))] * 5)
    defined = set(re.findall(r"^define internal void @(step\w+)", text, re.M))
    assert set(re.findall(r"@(step\d+)\b(?!\.)", text)) <= defined


def long_line(x):
    for k in range(60):
        x = np.sin(x) * x + 0.01 * k
        x = x / (1 + x * x)
    return x


def groups(text, pattern):
    return set(re.findall(rf"^define internal void @{pattern}\([^)]*\) (#\d)", text, re.M))


def test_a_long_line_is_optimised_where_a_loop_repeats_it():
    once = wg.jit(lambda x: long_line(x[0]) * x[1] + np.sum(x)).llvm(np.ones(4))
    assert groups(once, r"step\d+") >= {"#3"}
    often = wg.jit(lambda x: wg.fori_loop(0, 5, lambda k, y: long_line(y), x)).llvm(0.5)
    assert groups(often, r"step[\w.]+") == {"#2"}


def recurrence(x, entries):
    total = x
    for k in range(len(entries)):
        total = np.tanh(total @ np.diag(np.cos(entries[k] + total)))
    return np.sum(total)


def test_steps_at_other_entries_share_their_functions():
    """The steps of a loop over the entries of an array are the same step, begun elsewhere; a long program calls them."""
    gradient = wg.jit(wg.grad(recurrence))
    x = np.linspace(-0.5, 0.4, 3)
    counts = []
    for n in (20, 60):
        entries = np.cos(np.arange(3.0 * n)).reshape(n, 3)
        np.testing.assert_allclose(gradient(x, entries), wg.grad(recurrence)(x, entries), rtol=1e-12, atol=1e-14)
        text = gradient.llvm(x, entries)
        counts.append((len(re.findall(r"^define internal void @step", text, re.M)), len(re.findall(r"call void @step", text))))
    assert counts[1][0] <= counts[0][0] + 2
    assert counts[1][1] > 2.5 * counts[0][1]
