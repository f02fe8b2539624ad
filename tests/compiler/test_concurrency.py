"""What may come at once: forks while others compile, several processes with one cache, calls inside calls, interrupts."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import wengert as wg
from wengert import programs

PROCESS = """
import sys
import numpy as np, wengert as wg
rng = np.random.default_rng(int(sys.argv[1]) % 2)
for n in range(1, 9):
    x = rng.normal(size=n)
    f = wg.jit(lambda x: np.sum(np.tanh(x) * x) + x[0] ** 2)
    assert np.isclose(f(x), np.sum(np.tanh(x) * x) + x[0] ** 2, rtol=1e-14)
print("fine")
"""


def test_threads_that_call_first_together_compile_once(monkeypatch):
    made = []
    compiled = programs.Compiled

    def counted(*args, **kwargs):
        made.append(threading.get_ident())
        return compiled(*args, **kwargs)

    monkeypatch.setattr(programs, "Compiled", counted)
    jitted = wg.jit(lambda x: np.sum(np.cos(x) * x))
    start = threading.Barrier(8)

    def work(k):
        start.wait()
        return jitted(np.arange(5.0))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(8)))) == 1
    assert len(made) == 1


def test_forks_while_others_compile(tmp_path, monkeypatch):
    """A child has no thread that could let go of a lock: it must never inherit one that is held."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shared = wg.jit(lambda x: np.sum(np.exp(x) * x))
    stop = threading.Event()

    def compile_on():
        n = 1
        while not stop.is_set():
            n += 1
            shared(np.zeros(n))
            wg.grad(shared)(np.zeros(n))

    threads = [threading.Thread(target=compile_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    statuses = []
    try:
        for k in range(10):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on: forks beside threads
                child = os.fork()
            if child == 0:
                signal.alarm(60)
                x = np.full(1000 + k, 0.5)
                fine = np.isclose(shared(x), np.sum(np.exp(x) * x)) and np.allclose(wg.grad(shared)(x), np.exp(x) * (1 + x))
                os._exit(0 if fine else 1)
            statuses.append(os.waitpid(child, 0)[1])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == [0] * 10


FIRST = """
import os, signal, threading, numpy as np, wengert as wg
f = wg.jit(lambda x: np.sum(np.exp(x) * x))
begun = threading.Event()

def first():
    begun.set()
    f(np.zeros(3))

thread = threading.Thread(target=first)
thread.start()
begun.wait()
statuses = []
for k in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        x = np.full(10 + k, 0.5)
        os._exit(0 if np.isclose(f(x), np.sum(np.exp(x) * x)) else 1)
    statuses.append(os.waitpid(child, 0)[1])
thread.join()
print(sum(statuses))
"""


def test_forks_while_the_very_first_function_is_compiled(tmp_path):
    """In a fresh process: before llvmlite is loaded, and while it is."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    found = subprocess.run([sys.executable, "-c", FIRST], env=environment, capture_output=True, text=True, check=True, timeout=300)
    assert found.stdout == "0\n"


def test_processes_that_share_a_cache(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", PROCESS]
    running = [subprocess.Popen([*command, str(k)], env=environment, stdout=subprocess.PIPE, text=True) for k in range(4)]
    folder = tmp_path / "wengert"
    while any(process.poll() is None for process in running):
        for file in list(folder.glob("*"))[:2]:
            try:
                os.truncate(file, 40)
            except OSError:  # it went, or is another one now
                continue
        time.sleep(0.02)
    assert [process.communicate()[0].strip() for process in running] == ["fine"] * 4
    assert not list(folder.glob("new-*"))


def test_jit_inside_a_call_of_python_from_inside_a_program():
    inner = wg.jit(lambda x: np.sum(np.sin(x)))

    @wg.custom_rule
    def solved(x):
        return np.full(3, float(inner(np.asarray(x, float) * 2)))

    @solved.forward
    def _(primals, tangents):
        raise NotImplementedError

    outer = wg.jit(lambda x: solved(x) * 2 + x)
    x = np.array([0.1, 0.2, 0.3])
    for _ in range(3):
        np.testing.assert_allclose(outer(x), 2 * np.sum(np.sin(2 * x)) + x, rtol=1e-14)
        np.testing.assert_allclose(inner(x), np.sum(np.sin(x)), rtol=1e-14)


class Trouble(BaseException):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, Trouble, MemoryError])
def test_exceptions_inside(error):
    """They come out whole, from the recorded call and from compiled ones, and the next call works."""
    armed = []

    @wg.custom_rule
    def careful(x):
        value = float(x)
        if armed:
            raise error("inside")
        return value * 2

    @careful.forward
    def _(primals, tangents):
        raise NotImplementedError

    jitted = wg.jit(lambda p: {"y": careful(p["x"]) + 1})
    armed.append(True)
    with pytest.raises(error, match="inside"):
        jitted({"x": 2.0})
    armed.clear()
    for _ in range(2):
        assert jitted({"x": 2.0}) == {"y": 5.0}
        armed.append(True)
        with pytest.raises(error, match="inside"):
            jitted({"x": 2.0})
        armed.clear()
    gc.collect()
    assert jitted({"x": 3.0}) == {"y": 7.0}


def test_an_interrupt_in_a_long_call():
    """A signal that comes while native code runs is handled when it has returned."""
    jitted = wg.jit(lambda x: np.sum(np.tanh(x)))
    x = np.linspace(0.0, 1.0, 3_000_000)
    right = jitted(x)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            while True:
                jitted(x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert jitted(x) == right


def test_many_signatures_one_after_the_other():
    jitted = wg.jit(lambda p, n: {k: v * n for k, v in p.items()})
    for n in range(1, 25):
        p = {f"k{k}": np.full(1 + n % 5, float(k)) for k in range(1 + n % 4)}
        for _ in range(2):
            found = jitted(p, n % 3)
            assert list(found) == list(p)
            for key, value in p.items():
                np.testing.assert_array_equal(found[key], value * (n % 3))
