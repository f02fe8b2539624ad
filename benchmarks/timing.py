"""Times of several steps taken in turn, so that a busy moment of the machine falls on all of them alike."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable

Step = Callable[[], object]
Clock = Callable[[], float]
WARM = 0.02  # seconds


def times_in_turn(
    steps: dict[str, Step], rounds: int = 60, repeats: int = 3, clock: Clock = time.perf_counter, pause: float = 0.0
) -> dict[str, list[float]]:
    """The times of each step in microseconds, one for each round.

    Threads of some libraries go on spinning for up to 200 ms after a call, on the cores of whoever comes next: with a `pause` (seconds)
    every step begins when they have gone to sleep, and is run untimed until caches and threads of its own are warm.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            if pause:
                time.sleep(pause)
                warm = time.perf_counter() + WARM
                while time.perf_counter() < warm:
                    step()
            start = clock()
            for _ in range(repeats):
                step()
            times[name].append((clock() - start) / repeats * 1e6)
    return times


def medians(steps: dict[str, Step], rounds: int = 60, repeats: int = 3) -> dict[str, float]:
    """The median time of each step in microseconds."""
    return {name: statistics.median(values) for name, values in times_in_turn(steps, rounds, repeats).items()}


def installed(*modules: str) -> bool:
    """Whether a peer is there to be measured."""
    return all(importlib.util.find_spec(module) for module in modules)


def row(title: str, found: dict[str, float], ours: str = "wengert", unit: str = "µs") -> str:
    """One line: every time, and as a multiple of ours."""
    cells = [f"{name} {value:8.2f} {unit} ({value / found[ours]:.2f})" for name, value in found.items()]
    return f"{title:34s} " + "   ".join(cells)
