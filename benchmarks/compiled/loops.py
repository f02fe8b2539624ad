"""Loops: gradients through `scan` and `while_loop`, their schedules, and the memory that they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from peers import Case, has, jax, jax_step, read_with

import wengert as wg

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "gradbench"))
from evals.lstm import objective  # noqa: E402 - found by the line above

scan = wg.scan  # JAX's, where JAX reads these functions
STRIDE = 32  # steps between two states that are kept, about the root of a thousand


# --- Lorenz-96 -----------------------------------------------------------------------------------------------------------


def lorenz(x):
    """The rate of change of 96, here 100, quantities on a circle (E. N. Lorenz, 1996)."""
    return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0


def energy(x, steps, **schedule):
    """After steps of Euler's method."""
    final, _ = scan(lambda s, h: (s + h * lorenz(s), None), x, steps, **schedule)
    return np.sum(final**2)


def lorenz_case(scale):
    x, steps = 8.0 + 0.01 * np.random.default_rng(0).standard_normal(100), np.full(1_000, 0.002)
    schedules = {"wengert": None, f"wengert, every {STRIDE}th state": STRIDE, "wengert, recursive": "recursive"}
    ours = {name: wg.jit(wg.grad(lambda x, h, c=c: energy(x, h, checkpoint=c))) for name, c in schedules.items()}
    steps_of = {name: lambda f=f: f(x, steps) for name, f in ours.items()}
    if has("jax"):
        steps_of["jax"] = jax_step(jax().grad, energy, (x, steps))
    notes = [f"{name}: the loops hold {loop_memory(f, x, steps) / 1024:.0f} KiB" for name, f in ours.items()]
    longer = np.full(4_000, 0.0005)
    notes.append(f"wengert, four times as many steps: {loop_memory(ours['wengert'], x, longer) / 1024:.0f} KiB")
    return Case("Lorenz-96, 100 states, 1,000 steps, gradient", steps_of, seconds=3 * scale, notes=notes)


def loop_memory(f, *arguments):
    """The bytes that a compiled function holds between its steps."""
    report = f.report(*arguments)
    return report.temporary + sum(loop.states for loop in report.loops)


# --- recurrences ---------------------------------------------------------------------------------------------------------


def tanh_recurrence(w, xs):
    return scan(lambda s, x: (np.tanh(w * s + x), None), 0.1 * w, xs)[0]


def growth(r, xs):
    """Logistic growth by Euler's method."""
    return scan(lambda s, x: (s + 1e-3 * r * s * (1.0 - s) + x, None), 0.1 * r, xs)[0]


def recurrence_cases(scale):
    """With derivatives that do not fade away: JAX takes the smallest numbers for 0, on which processors spend most of the time."""
    xs = 1e-5 * np.random.default_rng(0).standard_normal(10_000)
    for title, f, w in (("s = tanh(w s + x)", tanh_recurrence, 1.0), ("s = s + h r s (1 - s) + x", growth, 1.1)):
        ours = wg.jit(wg.grad(f, (0, 1)))
        steps = {"wengert": lambda ours=ours, w=w: ours(w, xs)}
        if has("jax"):
            steps["jax"] = jax_step(lambda f: jax().grad(f, (0, 1)), f, (w, xs))
        yield Case(f"{title}, 10,000 steps, gradient", steps, seconds=2 * scale)


# --- Newton's method -----------------------------------------------------------------------------------------------------

FEW = 200  # members that a loop of Python goes through one by one


def root(a):
    """The cube root of `a`, from `a` on, by as many steps as it takes."""
    return wg.while_loop(lambda x: is_far(x, a), lambda x: closer(x, a), a)


def is_far(x, a):
    return np.abs(x * x * x - a) > 1e-13 * a


def closer(x, a):
    return x - (x * x * x - a) / (3.0 * x * x)


def by_python(a):
    """The same as a loop of Python over one member."""
    x = a
    while is_far(x, a):
        x = closer(x, a)
    return x


def trips(a):
    """How many steps each member takes."""
    x, n = np.array(a), np.zeros(a.shape, int)
    while np.any(far := is_far(x, a)):
        x, n = np.where(far, closer(x, a), x), n + far
    return n


def newton_cases(scale):
    a = np.geomspace(1.0 + 1e-9, 1e12, 10_000)
    slopes = wg.vmap(wg.grad(root))
    ours = wg.jit(slopes)
    notes = [f"{trips(a).min()} to {trips(a).max()} steps"]
    if has("jax"):
        notes.append(f"jax: {refusal_by_jax(a)}")
    steps = {"wengert": lambda: ours(a), "wengert, eager": lambda: slopes(a)}
    yield Case("Newton's method by while_loop, 10,000 inputs, slopes by reverse mode", steps, seconds=3 * scale, notes=notes)

    one, some = wg.grad(by_python), a[:: len(a) // FEW]
    ours_again = wg.jit(slopes)
    steps = {"wengert": lambda: ours_again(some), "wengert, eager, loops of Python": lambda: np.array([one(y) for y in some])}
    yield Case(f"the same for {FEW} of them", steps, seconds=scale)


def refusal_by_jax(a):
    """What JAX says about reverse mode through a loop whose length values decide."""
    library = jax()
    far, step = (read_with(f, library.numpy) for f in (is_far, closer))
    root = lambda a: library.lax.while_loop(lambda x: far(x, a), lambda x: step(x, a), a)
    try:
        library.make_jaxpr(library.vmap(library.grad(root)))(a)
    except ValueError as error:
        return str(error).partition(" with ")[0]
    return "has it"


# --- a million steps -----------------------------------------------------------------------------------------------------


def million(schedule):
    """In a process of its own: the time of a call in milliseconds, and the most memory that it ever held beyond that of a small loop, in MB."""
    x = 8.0 + 0.01 * np.random.default_rng(0).standard_normal(100)
    gradients = [wg.jit(wg.grad(lambda x, n=n: moved(x, n, schedule))) for n in (10, 1_000_000)]
    gradients[0](x)
    before = most_memory()
    slope = gradients[1](x)
    more, times = most_memory() - before, []
    for _ in range(5):
        start = time.process_time()
        gradients[1](x)
        times.append(time.process_time() - start)
    print(np.median(times) * 1e3, more / 1e6, float(np.sum(slope)))


def moved(x, n, schedule):
    return np.sum(wg.fori_loop(0, n, lambda k, s: s + 1e-6 * lorenz(s), x, checkpoint=schedule) ** 2)


def most_memory():
    """The most bytes that this process has held at one time."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


class Schedules(Case):
    """A case whose steps are processes of their own."""

    def measured(self, clock):
        found = {}
        for name, schedule in self.steps.items():
            code = f"import sys; sys.path[:0] = {[str(HERE), str(HERE.parent)]}; import loops; loops.million({schedule!r})"
            out = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, env=dict(os.environ))
            milliseconds, megabytes, total = map(float, out.stdout.split())
            self.notes.append(f"{name}: {megabytes:.0f} MB more; the sum of the gradient is {total:.12g}")
            found[name] = milliseconds * 1e3
        return found

    def disagreements(self):
        return []


# --- long short-term memory, as GradBench has it ----------------------------------------------------------------------------------------------


def memory_case(scale, n_layers=4, n_steps=4_096, n=14):
    rng = np.random.default_rng(0)
    arguments = (rng.standard_normal((2 * n_layers, 4 * n)), rng.standard_normal((3, n)), rng.standard_normal((2 * n_layers, n)),
                 rng.integers(0, 2, (n_steps, n)).astype(float))  # fmt: skip
    ours = wg.jit(wg.grad(objective, (0, 1)))
    steps = {"wengert": lambda: ours(*arguments)}
    if has("jax"):
        steps["jax"] = jax_step(lambda f: jax().grad(f, (0, 1)), objective, arguments)
    return Case(f"LSTM gradient, {n_layers} layers of {n}, {n_steps:,} steps", steps, seconds=3 * scale)


def cases(scale=1.0):
    yield lorenz_case(scale)
    yield from recurrence_cases(scale)
    yield from newton_cases(scale)
    yield memory_case(scale)
    schedules = {"wengert": None, "wengert, recursive": "recursive", "wengert, every 1,000th state": 1_000}
    yield Schedules("a million steps of an equation with 100 states, gradient", schedules)
