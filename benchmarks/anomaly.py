"""What `wg.anomaly` costs: a step watched, beside the same step as it is.

    python benchmarks/anomaly.py

Gradients of the programs of `benchmarks/lean.py` and a network, eager and compiled.  A number in brackets is the time as a multiple of
the step as it is.
"""

from __future__ import annotations

import time

import numpy as np
from timing import row, times_in_turn

import wengert as wg


def chain(x):
    for _ in range(25):
        x = np.sin(x) * x + x - 0.5 * x
    return np.sum(x)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def network(w):
    x = DATA
    for weight in w:
        x = np.tanh(x @ weight)
    return np.mean((x[:, 0] - TARGET) ** 2)


RNG = np.random.default_rng(0)
DATA, TARGET = RNG.normal(size=(64, 64)), RNG.normal(size=64)
PROGRAMS = {
    "chain of 125 operations, 1 element": (chain, np.array([1.3])),
    "the same, 1,000 elements": (chain, np.full(1_000, 1.3)),
    "Rosenbrock in 1,000 variables": (rosenbrock, np.linspace(-1.0, 1.0, 1_000)),
    "a network of 3 layers, 64 wide": (network, [RNG.normal(size=(64, 64)) / 8 for _ in range(3)]),
}


def watched(step, x, n):
    """`n` steps within one context, as in a loop of training."""

    def run():
        with wg.anomaly():
            for _ in range(n):
                step(x)

    return run


def plain(step, x, n):
    """`n` steps as they are."""

    def run():
        for _ in range(n):
            step(x)

    return run


if __name__ == "__main__":
    for title, (f, x) in PROGRAMS.items():
        for kind, step, n in (("eager", wg.grad(f), 10), ("compiled", wg.jit(wg.grad(f)), 500)):
            steps = {"as it is": plain(step, x, n), "watched": watched(step, x, n)}
            found = times_in_turn(steps, rounds=40, repeats=1, clock=time.process_time)
            print(row(f"{title}, {kind}", {name: min(values) / n for name, values in found.items()}, ours="as it is"))
