"""Leanness: what one operation costs beside PyTorch eager and HIPS autograd, and how cost and memory grow.

    python benchmarks/lean.py

PyTorch (one thread) and autograd are measured in the same process, in turn, where they are installed; a number in
brackets is the time as a multiple of wengert's.  Ratios mean the same on another machine, microseconds do not.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import tracemalloc

import numpy as np
from timing import installed, medians, row

import wengert as wg

LENGTH = 5 * 25  # operations in a chain


def chain(x, sin):
    for _ in range(LENGTH // 5):
        x = sin(x) * x + x - 0.5 * x
    return x


def torch_gradient(f, x):
    """A step of `x.grad` for a function of `(x, torch)`, the tensor made once, as in a training loop."""
    import torch

    torch.set_num_threads(1)
    tensor = torch.tensor(x, requires_grad=True)

    def step():
        tensor.grad = None
        f(tensor, torch).backward()
        return tensor.grad

    return step


def gradients(f, x):
    """The same gradient by wengert and by the peers; `f(x, np)` is given each library's namespace."""
    ours = wg.grad(lambda v: f(v, np))
    steps = {"wengert": lambda: ours(x)}
    if installed("torch"):
        steps["torch"] = torch_gradient(f, x)
    if installed("autograd"):
        import autograd
        import autograd.numpy as anp

        theirs = autograd.grad(lambda v: f(v, anp))
        steps["autograd"] = lambda: theirs(x)
    return steps


def per_operation():
    """Forward and backward, per operation of a chain `x = sin(x) * x + x - 0.5 * x`, 125 operations long."""
    for n in (1, 100):
        x = np.full(n, 1.3)
        steps = gradients(lambda v, lib: lib.sum(chain(v, lib.sin)), x)
        steps["numpy, forward only"] = lambda x=x: chain(x, np.sin)
        found = {name: value / LENGTH for name, value in medians(steps).items()}
        print(row(f"one operation, {n} elements", found))


def small_programs():
    """Gradients of whole small programs, as users write them."""
    rng = np.random.default_rng(0)
    weights, data = rng.standard_normal((20, 20)), rng.standard_normal((50, 20))
    lift = {"torch": lambda a: __import__("torch").tensor(a)}

    def rosenbrock(v, lib):
        return (1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2

    def layer(w, lib):
        h = lift.get(lib.__name__, lambda a: a)(data) @ w
        return lib.sum(lib.tanh(h) ** 2) + lib.mean(lib.exp(-h))

    def neighbours(v, lib):
        total = 0.0
        for k in range(50):
            total = total + v[k] * v[(k + 1) % 50]
        return total

    for f, x in ((rosenbrock, np.array([1.2, 0.7])), (layer, weights), (neighbours, np.linspace(0.1, 1.0, 50))):
        print(row(f.__name__, medians(gradients(f, x))))


def fan_out():
    """`x` used 1,000 times: the gradient against its own forward pass (traced), and against plain NumPy."""

    def fan(x):
        total = np.sin(x)
        for _ in range(999):
            total = total + np.sin(x)
        return np.sum(total)

    gradient = wg.grad(fan)
    for size in (1, 1_000, 10_000):
        x = np.linspace(0.1, 1.0, size)
        steps = {"plain": lambda x=x: fan(x), "traced": lambda x=x: wg.vjp(fan, x), "gradient": lambda x=x: gradient(x)}
        found = medians(steps, rounds=15, repeats=1)
        ratios = (found["gradient"] / found["traced"], found["gradient"] / found["plain"])
        print(f"x used 1,000 times, {size:6d} elements: gradient / traced forward {ratios[0]:.1f}, / plain NumPy {ratios[1]:.1f}")


def long_chain():
    """A chain of operations a hundred times as long takes a hundred times as long, without recursion."""

    def multiply_add(x, n):
        for _ in range(n // 2):
            x = x * 1.0000001 + 1e-9
        return x

    for n in (10_000, 100_000, 1_000_000):
        start = time.perf_counter()
        wg.grad(lambda x, n=n: multiply_add(x, n))(1.0)
        print(f"chain of {n:9,d} operations: {(time.perf_counter() - start) / n * 1e6:.2f} µs per operation")


def many_reads():
    """`sum of x[i]**2` with one read for each element: linear in the number of reads."""

    def squares(v):
        total = 0.0
        for k in range(len(v)):
            total = total + v[k] * v[k]
        return total

    for n in (1_000, 10_000):
        x = np.linspace(0.1, 1.0, n)
        found = medians({"wengert": lambda x=x: wg.grad(squares)(x)}, rounds=3, repeats=1)["wengert"]
        print(f"{n:6d} reads of single elements: {found / n:.1f} µs per term")


def released_memory():
    """The reverse walk frees what it has passed: the peak stays near that of the forward pass."""

    def sines(v):
        for _ in range(100):
            v = np.sin(v)
        return np.sum(v)

    x = np.ones(100_000)
    tracemalloc.start()
    y, pull = wg.vjp(sines, x)
    after_forward = tracemalloc.get_traced_memory()[0]
    del y, pull
    tracemalloc.reset_peak()
    wg.grad(sines)(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"memory: recorded {after_forward / 1e6:.0f} MB, peak of the whole gradient {peak / 1e6:.0f} MB")


def import_time():
    """`import wengert` beside `import numpy`, in fresh processes with their byte code at hand."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def milliseconds(module):
        code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        command = [sys.executable, "-c", code]
        runs = [subprocess.run(command, capture_output=True, check=True, env=environment).stdout for _ in range(16)]
        return statistics.median(map(float, runs[1:])) * 1e3

    print(f"import numpy {milliseconds('numpy'):.0f} ms, import wengert (NumPy included) {milliseconds('wengert'):.0f} ms")


if __name__ == "__main__":
    for part in (per_operation, small_programs, fan_out, many_reads, long_chain, released_memory, import_time):
        part()
