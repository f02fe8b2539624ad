"""All at once: threads, many signatures, children of forks, and somebody who spoils the cache."""

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import wengert as wg


def loss(w, x):
    return np.sum(np.tanh(x @ w) ** 2) + 0.5 * np.sum(w * w)


def expected(w, x):
    y = np.tanh(x @ w)
    return 2 * x.T @ (y * (1 - y * y)) + w


def spoil(folder, stop):
    """Truncate, overwrite and delete what lies in the cache."""
    rng = random.Random(0)
    while not stop.wait(0.01):
        try:
            name = os.path.join(folder, rng.choice(os.listdir(folder)))
            kind = rng.randrange(3)
            if kind == 0:
                os.truncate(name, rng.randrange(1, 500))
            elif kind == 1:
                with open(name, "r+b") as file:
                    file.seek(rng.randrange(500))
                    file.write(b"spoilt")
            else:
                os.remove(name)
        except (OSError, IndexError):  # nothing there yet, or gone already
            continue


def work(seed, n_calls):
    """Calls of one jitted function with many signatures, and of fresh ones; how many were wrong."""
    rng = np.random.default_rng(seed)
    gradient = wg.jit(wg.grad(loss))
    wrong = 0
    for call in range(n_calls):
        n, m = rng.integers(1, 4), rng.integers(1, 30)
        w, x = rng.normal(size=n), rng.normal(size=(m, n))
        f = gradient if call % 4 else wg.jit(wg.grad(loss))
        wrong += not np.allclose(f(w, x), expected(w, x), rtol=1e-12, atol=1e-12)
    return wrong


@pytest.fixture
def spoilt_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = str(tmp_path / "wengert")
    os.makedirs(folder, mode=0o700)
    stop = threading.Event()
    saboteur = threading.Thread(target=spoil, args=(folder, stop))
    saboteur.start()
    yield folder
    stop.set()
    saboteur.join()


def test_threads_with_a_spoilt_cache(spoilt_cache):
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4), [25] * 4)) == [0] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_forks_in_the_middle(spoilt_cache):
    stop = threading.Event()
    wrong = []

    def busy(seed):
        while not stop.is_set():
            wrong.append(work(seed, 4))

    threads = [threading.Thread(target=busy, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    try:
        statuses = []
        for seed in range(4):
            child = os.fork()
            if child == 0:
                signal.alarm(100)
                os._exit(work(100 + seed, 6))
            statuses.append(os.waitpid(child, 0)[1])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == [0] * 4
    assert sum(wrong) == 0


def test_large_results_among_threads():
    double = wg.jit(lambda x: (x * 2, np.sum(x)))

    def hammer(seed):
        x = np.full(50_000, float(seed))
        kept, wrong = [], 0
        for call in range(100):
            y, total = double(x)
            kept = [*kept[-call % 5 :], y]
            wrong += not ((y == 2 * seed).all() and total == 50_000 * seed)
        return wrong + sum(not (y == 2 * seed).all() for y in kept)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(hammer, range(1, 7))) == [0] * 6
