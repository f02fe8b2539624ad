"""Leanness beyond one operation: fan-out, a long chain, memory of the reverse walk, many reads, import.

    python benchmarks/lean.py

Each line states a ratio or a bound, so that it means the same on another machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import tracemalloc

import numpy as np

import wengert as wg


def median_seconds(step, rounds=15):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fan(x, n):
    total = np.sin(x)
    for _ in range(n - 1):
        total = total + np.sin(x)
    return np.sum(total)


def fan_out():
    """`x` used 1,000 times: the gradient against its own forward pass (traced), and against plain NumPy."""
    for size in (1, 1_000, 10_000):
        x = np.linspace(0.1, 1.0, size)
        plain = median_seconds(lambda: fan(x, 1_000))
        traced = median_seconds(lambda: wg.vjp(lambda v: fan(v, 1_000), x))
        both = median_seconds(lambda: wg.grad(lambda v: fan(v, 1_000))(x))
        print(f"fan-out 1,000, {size:6d} elements: gradient / traced forward {both / traced:.1f}, / plain NumPy {both / plain:.1f}")


def long_chain():
    """A chain of operations ten times as long takes ten times as long."""

    def chain(x, n):
        for _ in range(n // 2):
            x = x * 1.0000001 + 1e-9
        return x

    times = {}
    for n in (10_000, 100_000, 1_000_000):
        start = time.perf_counter()
        wg.grad(lambda x: chain(x, n))(1.0)
        times[n] = (time.perf_counter() - start) / n * 1e6
        print(f"chain of {n:9,d} operations: {times[n]:.2f} µs per operation")
    print(f"  1,000,000 against 10,000, per operation: {times[1_000_000] / times[10_000]:.2f}")


def many_reads():
    """`sum of x[i]**2` with one read for each element: linear in the number of reads."""
    for n in (1_000, 10_000):
        x = np.linspace(0.1, 1.0, n)

        def squares(v):
            total = 0.0
            for k in range(len(v)):
                total = total + v[k] * v[k]
            return total

        print(f"{n:6d} reads of single elements: {median_seconds(lambda: wg.grad(squares)(x), 3) / n * 1e6:.1f} µs per term")


def released_memory():
    """The reverse walk frees what it has passed: the peak stays near that of the forward pass."""
    x = np.ones(100_000)

    def chain(v):
        for _ in range(100):
            v = np.sin(v)
        return np.sum(v)

    tracemalloc.start()
    y, pull = wg.vjp(chain, x)
    after_forward = tracemalloc.get_traced_memory()[0]
    del y, pull
    tracemalloc.reset_peak()
    wg.grad(chain)(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"memory: recorded {after_forward / 1e6:.0f} MB, peak of the whole gradient {peak / 1e6:.0f} MB")


def import_time():
    """`import wengert` beside `import numpy`, in fresh processes."""

    def seconds(module):
        code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
        runs = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(7)]
        return statistics.median(runs)

    print(f"import numpy {seconds('numpy') * 1e3:.0f} ms, import wengert (NumPy included) {seconds('wengert') * 1e3:.0f} ms")


if __name__ == "__main__":
    for part in (fan_out, many_reads, long_chain, released_memory, import_time):
        part()
