"""What the first call costs: recording, compiling, running once; and the calls after it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from peers import Case, has, jax, read_with

import wengert as wg

HERE = Path(__file__).resolve().parent
N_INPUTS = 10
LIMIT = 60  # seconds that a peer may take
FILTER = -50  # instead of a number of operations: a Kalman filter of 50 steps


def straight(n):
    """A program of `n` scalar operations without a loop in it, the same each time; NumPy's names are read when it runs."""
    rng = np.random.default_rng(0)
    plan = [(int(rng.integers(10)), int(rng.integers(max(0, k - 30), k)), int(rng.integers(max(0, k - 30), k)))
            for k in range(N_INPUTS, N_INPUTS + n)]  # fmt: skip
    return lambda x: follow(x, plan)


def follow(x, plan):
    values = [x[k] for k in range(N_INPUTS)]
    for which, a, b in plan:
        left, right = values[a], values[b]
        if which < 3:
            values.append(left + right)
        elif which < 6:
            values.append(left * 0.5 - right)
        elif which < 9:
            values.append(0.3 * left * right)
        else:
            values.append(np.sin(left))
    return values[-1] + values[-2]


def kalman(theta, y):
    """The log likelihood of positions `y` under a model of constant speed; the steps of its loop are alike."""
    q, r = np.exp(theta)
    moves, looks = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    mean, spread, total = np.zeros(2), 10 * np.eye(2), 0.0
    for seen in y:
        mean, spread = moves @ mean, moves @ spread @ moves.T + q * np.eye(2)
        variance = (looks @ spread @ looks.T)[0, 0] + r
        gain, error = (spread @ looks.T)[:, 0] / variance, seen - looks[0] @ mean
        mean, spread = mean + gain * error, spread - np.outer(gain, looks @ spread)
        total = total - 0.5 * (np.log(2 * np.pi * variance) + error**2 / variance)
    return total


def small(x):
    """A small function as one writes it first."""
    return np.sum(np.sin(x) * np.exp(-(x**2)))


def by_jax(function):
    """JAX's gradient of a function of one array, which waits for its result."""
    library = jax()
    compiled = library.jit(library.grad(function))
    return lambda x: library.block_until_ready(compiled(x))


def programs_of_jax(n):
    """The program that `work` calls `n`, with JAX's names."""
    library = jax().numpy
    if n == FILTER:
        likelihood = read_with(kalman, library)
        return lambda theta: likelihood(theta, positions())
    if n == 0:
        return read_with(small, library)
    plan, follow_there = straight(n).__closure__[0].cell_contents, read_with(follow, library)
    return lambda x: follow_there(x, plan)


def positions():
    """What the filter sees."""
    return np.cumsum(np.random.default_rng(0).standard_normal(-FILTER))


def first_and_later(call, x, clock):
    """Seconds of the first call, microseconds of later ones."""
    start = clock()
    call(x)
    first = clock() - start
    for thread in threading.enumerate():  # what is made behind the first call, once on a machine
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    call(x)
    later: list[float] = []
    while len(later) < 200 and sum(later) < 1.0:
        start = time.perf_counter()
        call(x)
        later.append(time.perf_counter() - start)
    return first, float(np.median(later)) * 1e6


def work(name, clock):
    """What one fresh process measures: prints seconds of the first call, and microseconds of later ones."""
    library, _, size = name.partition(":")
    n = int(size)
    x = np.array([-1.0, -0.5]) if n == FILTER else np.linspace(0.1, 1.0, N_INPUTS if n else 1_000)
    if library == "jax":
        call = by_jax(programs_of_jax(n))
    elif n == FILTER:
        y = positions()
        call = wg.jit(wg.grad(lambda theta: kalman(theta, y)))
    else:
        call = wg.jit(wg.grad(straight(n) if n else small))
    if library == "wengert":
        import llvmlite.binding  # noqa: F401 - loading libraries is no part of compiling
    print(*first_and_later(call, x, getattr(time, clock)))


def in_a_process(name, cache, clock):
    """The measurement of a fresh process with its compiled programs in `cache`."""
    environment = {**os.environ, "XDG_CACHE_HOME": cache}
    # no warnings: the programs here are meant to be long
    code = f"import sys; sys.path[:0] = {[str(HERE), str(HERE.parent)]}; import first_calls; first_calls.work({name!r}, {clock.__name__!r})"
    try:
        out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, check=True, env=environment, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return [float(LIMIT), math.inf]  # at least
    return [float(word) for word in out.stdout.split()]


class Measured(Case):
    """A case that has been measured already."""

    def disagreements(self):
        return []

    def measured(self, clock):
        return {name: float(np.median([step(clock) * 1e6 for _ in range(1 if name == "jax" else 3)])) for name, step in self.steps.items()}


def cases(scale=1.0):
    for n in (0, 1_000, 10_000, FILTER):
        title = f"gradient of {n:,} scalar operations" if n > 0 else "gradient of a small function" if n == 0 else f"gradient of a filter of {-n} steps"
        later = {}

        def cold(clock, n=n, later=later):
            with tempfile.TemporaryDirectory() as cache:
                first, later["wengert"] = in_a_process(f"wengert:{n}", cache, clock)
                return first

        def warm(clock, n=n):
            with tempfile.TemporaryDirectory() as cache:
                in_a_process(f"wengert:{n}", cache, clock)
                return in_a_process(f"wengert:{n}", cache, clock)[0]

        def by_peer(clock, n=n, later=later):
            with tempfile.TemporaryDirectory() as cache:
                first, later["jax"] = in_a_process(f"jax:{n}", cache, clock)
                return first

        steps = {"wengert": cold, "wengert, second process": warm}
        if has("jax"):
            steps["jax"] = by_peer
        case = Measured(f"first call, {title}", steps)
        case.notes = Later(later)
        yield case


class Later:
    """The times of later calls, known once the first ones are measured."""

    def __init__(self, found):
        self.found = found

    def __iter__(self):
        ended = {name: time for name, time in self.found.items() if time < math.inf}
        notes = [f"each call after it: {', '.join(f'{name} {time:.3g} µs' for name, time in ended.items())}"]
        return iter(notes + [f"{name} was stopped after {LIMIT} s" for name in self.found if name not in ended])

