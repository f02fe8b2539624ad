"""Least squares: a polynomial with coefficients `x` beside the sign of its argument, at n points between -1 and 1."""

from __future__ import annotations

import numpy as np
from evals.function import Function

import wengert as wg


def objective(x, t):
    return 0.5 * np.sum((np.sign(t) - np.polyval(x[::-1], t)) ** 2)


def prepare(data):
    return np.array(data["x"]), np.linspace(-1.0, 1.0, data["n"])


FUNCTIONS = {"primal": Function(prepare, wg.jit(objective)), "gradient": Function(prepare, wg.jit(wg.grad(objective)))}
