"""Functions of single numbers are taken for all steps at once, where no step waits for them."""

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.loops import LoopNest

XS = np.linspace(-0.5, 1.0, 6)


def from_entries(s, xs):
    return wg.scan(lambda s, x: (s * np.exp(x) + 0.5 * np.sin(x), s + np.cos(x)), s, xs)


def for_results(s, xs):
    return wg.scan(lambda s, x: (0.5 * s + x, (np.exp(s * x), np.exp(s * x) * np.sin(s), x, s)), s, xs)


def with_constants(s, xs):
    w = np.sqrt(s * s + 1.0)
    return wg.scan(lambda s, x: (s * w, np.tanh(s + w) * np.log1p(x * x * w)), s, xs, reverse=True)


def of_few(s, xs):
    def step(pair, x):
        v, k = pair
        return (v * x + k[:1], k * np.sin(x)), np.exp(v) * 2.0

    return wg.scan(step, (s * np.array([1.0, 2.0, 3.0]), np.stack([s, s])), xs)


def nothing_to_move(s, xs):
    return wg.scan(lambda s, x: (np.sin(s) * x, None), s, xs)


@pytest.mark.parametrize("f", [from_entries, for_results, with_constants, of_few, nothing_to_move])
def test_same_values_and_derivatives(f):
    total = lambda s, xs: sum(np.sum(y) for y in wg.trees.flatten(f(s, xs))[0])
    for transformed in (f, wg.grad(total, (0, 1)), wg.grad(lambda s, xs: np.sum(wg.grad(total, 1)(s, xs) ** 2), (0, 1))):
        expected, found = transformed(0.7, XS), wg.jit(transformed)(0.7, XS)
        for a, b in zip(wg.trees.flatten(found)[0], wg.trees.flatten(expected)[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("f", "left"), [(from_entries, 0), (for_results, 0), (with_constants, 0), (nothing_to_move, 1)])
def test_which_functions_are_left_in_the_loop(f, left):
    program = wg.jit(f)._path_of((0.7, XS), {})[0].compiled.program
    (loop,) = [step for step in program.steps if getattr(step, "kind", "") == "scan"]
    found = [op.code for step in loop.programs["body"].steps if isinstance(step, LoopNest) for op in step.ops
             if any(name in op.code for name in ("exp", "sin", "cos", "tanh", "log1p", "sqrt"))]  # fmt: skip
    assert len(found) == left
