"""Long programs let other threads of Python run; short ones do not pay for that."""

import threading
import time

import numpy as np

import wengert as wg
from wengert.compiler.cost import seconds_of
from wengert.compiler.pipeline import Compiled
from wengert.compiler.runtime.launcher import FREELY


def seconds(f, *args):
    return seconds_of(Compiled(wg.trace(f)(*args)).program)


def test_estimates_grow_with_the_work():
    small, large = np.ones(10), np.ones(100_000)
    assert seconds(np.sin, small) < FREELY < seconds(np.sin, large)
    assert seconds(lambda A: A @ A, np.ones((4, 4))) < FREELY < seconds(lambda A: A @ A, np.ones((300, 300)))
    assert seconds(np.linalg.eigvalsh, np.eye(2)) < FREELY < seconds(np.fft.rfft, np.ones(4))  # LAPACK, and a call of Python


def test_estimates_are_of_the_right_order():
    x = np.linspace(0, 1, 300_000)
    program = Compiled(wg.trace(lambda x: np.sum(np.exp(x) * np.sin(x)))(x))
    program([x])
    start = time.perf_counter()
    for _ in range(5):
        program([x])
    measured = (time.perf_counter() - start) / 5
    assert 0.05 < seconds_of(program.program) / measured < 50


def test_another_thread_runs_meanwhile():
    x = np.linspace(0, 1, 3_000_000)
    f = wg.jit(lambda x: np.sum(np.exp(np.sin(x)) * np.tanh(x)))
    f(x)
    f(x)
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    inside = 0
    for _ in range(20):
        start = time.perf_counter()
        f(x)
        end = time.perf_counter()
        inside += sum(start < t < end for t in list(ticks))
    stop.set()
    thread.join()
    assert inside >= 10
