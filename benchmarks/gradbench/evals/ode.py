"""A chain of equations, y'_0 = x_0 and y'_i = x_i y_(i-1), by Runge and Kutta's method with s steps."""

from __future__ import annotations

import numpy as np
from evals.function import Function

import wengert as wg

END = 2.0


def solution(x, steps):
    h = END / steps

    def rate(y):
        return x * np.concatenate([np.ones(1), y[:-1]])

    def step(y, _):
        k1 = rate(y)
        k2 = rate(y + h / 2 * k1)
        k3 = rate(y + h / 2 * k2)
        k4 = rate(y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return wg.scan(step, np.zeros_like(x), None, length=steps)[0]


def prepare(data):
    return np.array(data["x"]), data["s"]


FUNCTIONS = {
    "primal": Function(prepare, wg.jit(solution, static_argnums=1)),
    "gradient": Function(prepare, wg.jit(wg.grad(lambda x, steps: solution(x, steps)[-1]), static_argnums=1)),
}
