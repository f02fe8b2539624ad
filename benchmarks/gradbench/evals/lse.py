"""The logarithm of a sum of exponentials, with the largest taken out first."""

from __future__ import annotations

import numpy as np
from evals.function import Function

import wengert as wg


def log_sum_exp(x):
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def prepare(data):
    return (np.array(data["x"]),)


FUNCTIONS = {"primal": Function(prepare, wg.jit(log_sum_exp)), "gradient": Function(prepare, wg.jit(wg.grad(log_sum_exp)))}
