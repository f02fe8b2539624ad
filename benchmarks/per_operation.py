"""What one operation costs, forwards and backwards, on small arrays: wengert, PyTorch eager and HIPS autograd.

    python benchmarks/per_operation.py

A chain of mixed operations `x = sin(x) * x + x - 0.5 * x` (5 operations, 25 times over), in one process, in turn, as
medians of many runs.  Peers that are not installed are left out.
"""

from __future__ import annotations

import importlib.util
import statistics
import time

import numpy as np

import wengert as wg

REPEATS, LENGTH = 25, 5 * 25
ROUNDS = 60


def chain(x, sin):
    for _ in range(REPEATS):
        x = sin(x) * x + x - 0.5 * x
    return x


def wengert_step(n):
    x = np.full(n, 1.3)
    ones = np.ones(n)
    function = lambda v: chain(v, np.sin)
    return lambda: wg.vjp(function, x)[1](ones)


def wengert_gradient_step(n):
    x = np.full(n, 1.3)
    gradient = wg.grad(lambda v: np.sum(chain(v, np.sin)))
    return lambda: gradient(x)


def torch_step(n):
    import torch

    torch.set_num_threads(1)
    x = torch.full((n,), 1.3, dtype=torch.float64, requires_grad=True)

    def step():
        x.grad = None
        chain(x, torch.sin).sum().backward()

    return step


def autograd_step(n):
    import autograd
    import autograd.numpy as anp

    x = np.full(n, 1.3)
    gradient = autograd.grad(lambda v: anp.sum(chain(v, anp.sin)))
    return lambda: gradient(x)


def numpy_step(n):
    x = np.full(n, 1.3)
    return lambda: chain(x, np.sin)


def measure(steps):
    times = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            step()
            step()
            times[name].append((time.perf_counter() - start) / 3 / LENGTH * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    makers = {"numpy forward only": numpy_step, "wengert grad": wengert_gradient_step, "wengert vjp": wengert_step}
    for module, maker in (("torch", torch_step), ("autograd", autograd_step)):
        if importlib.util.find_spec(module):
            makers[module] = maker
    for n in (1, 100):
        found = measure({name: maker(n) for name, maker in makers.items()})
        for name, value in found.items():
            ratio = f"{value / found['wengert grad']:.2f} x wengert"
            print(f"n = {n:4d}  {name:20s} {value:6.2f} µs per operation   {ratio}")


if __name__ == "__main__":
    main()
