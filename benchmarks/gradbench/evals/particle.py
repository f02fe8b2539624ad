"""A charged particle, and where to put one of two fixed charges for it to pass through the origin."""

from __future__ import annotations

import numpy as np
from evals.descent import MODES, argmin
from evals.function import Function

import wengert as wg

DT = 0.1


def potential(x, w):
    """Of charges at (10, 10 - w) and (10, 0)."""
    moving = np.stack([x[0] - 10.0, x[1] - 10.0 + w])
    fixed = x - np.array([10.0, 0.0])
    return 1.0 / np.sqrt(np.sum(moving**2)) + 1.0 / np.sqrt(np.sum(fixed**2))


def miss(w, gradient):
    """The squared distance from the origin at which the path meets the axis, by Euler's method."""
    force = gradient(lambda x: potential(x, w[0]))

    def step(state):
        x, v, _ = state
        return x + DT * v, v - DT * force(x), v

    x, _, v = wg.while_loop(lambda state: state[0][1] > 0.0, step, (np.array([0.0, 8.0]), np.array([0.75, 0.0]), np.zeros(2)))
    return (x[0] - x[1] / v[1] * v[0]) ** 2


def search(outer, inner):
    """The search with the outer and the inner derivative in these modes."""
    return wg.jit(lambda w: argmin(lambda w: miss(w, inner), w, outer)[0])


def prepare(data):
    return (np.array([data["w"]]),)


FUNCTIONS = {a + b: Function(prepare, search(MODES[a], MODES[b])) for a in MODES for b in MODES}
