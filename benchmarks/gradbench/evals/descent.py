"""Gradient descent with a step that doubles after ten good steps and halves after a bad one, as GradBench prescribes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import wengert as wg

SMALL = 1e-5


class Descent(NamedTuple):
    """Where the search is: point, value, gradient, step, good steps in a row, and whether it is over."""

    x: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    step: np.ndarray
    good: np.ndarray
    is_over: np.ndarray


def argmin(f: Callable, start, gradient: Callable):
    """Where a function of a vector is smallest, from `start`; `gradient` is that of `f` in the mode that is asked for."""
    slope = gradient(f)

    def settle(s: Descent) -> Descent:
        """The end, or a longer step, without having moved."""
        return wg.cond(norm(s.slope) <= SMALL, over, longer, s)

    def advance(s: Descent) -> Descent:
        x = s.x - s.step * s.slope
        return wg.cond(norm(x - s.x) <= SMALL, over, lambda s: judge(s, x), s)

    def judge(s: Descent, x) -> Descent:
        value = f(x)
        return wg.cond(value < s.value, lambda s: moved(s, x, value), shorter, s)

    def moved(s: Descent, x, value) -> Descent:
        return s._replace(x=x, value=value, slope=slope(x), good=s.good + 1)

    def body(s: Descent) -> Descent:
        return wg.cond((norm(s.slope) <= SMALL) | (s.good == 10), settle, advance, s)

    first = Descent(start, f(start), slope(start), np.array(1e-5), np.array(0), np.array(False))
    return wg.while_loop(lambda s: ~s.is_over, body, first).x


def over(s: Descent) -> Descent:
    return s._replace(is_over=np.array(True))


def longer(s: Descent) -> Descent:
    return s._replace(step=s.step * 2, good=np.array(0))


def shorter(s: Descent) -> Descent:
    return s._replace(step=s.step / 2, good=np.array(0))


def argmax(f: Callable, start, gradient: Callable):
    return argmin(lambda x: -f(x), start, gradient)


def norm(v):
    return np.sqrt(np.sum(v**2))


def forward(f: Callable) -> Callable:
    """The gradient by forward mode, one direction after another."""
    return lambda x: wg.vmap(lambda d: wg.jvp(f, (x,), (d,))[1])(np.eye(len(x)))


MODES = {"f": forward, "r": wg.grad}
