"""The square of a number, and its derivative."""

from __future__ import annotations

from evals.function import Function

import wengert as wg


def square(x):
    return x * x


def prepare(x):
    return (float(x),)


FUNCTIONS = {"square": Function(prepare, wg.jit(square)), "double": Function(prepare, wg.jit(wg.grad(square)))}
