"""The saddle of x1² + x2² - y1² - y2²: the least over x of the greatest over y, each by gradient descent."""

from __future__ import annotations

import numpy as np
from evals.descent import MODES, argmax, argmin
from evals.function import Function

import wengert as wg


def height(x, y):
    return np.sum(x**2) - np.sum(y**2)


def saddle(outer, inner):
    """The search with the outer and the inner derivative in these modes."""

    def find(start):
        def greatest(x):
            return height(x, argmax(lambda y: height(x, y), start, inner))

        x = argmin(greatest, start, outer)
        y = argmax(lambda y: height(x, y), start, outer)
        return np.concatenate([x, y])

    return wg.jit(find)


def prepare(data):
    return (np.array(data["start"]),)


FUNCTIONS = {a + b: Function(prepare, saddle(MODES[a], MODES[b])) for a in MODES for b in MODES}
