"""Jitted functions from several threads at once, and from inside themselves."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from agreeing import agree
from test_jit import compiled_versions

import wengert as wg


def test_the_first_call_from_many_threads():
    def f(x):
        return np.sum(np.sin(x)) if x[0] > 0 else np.sum(x**2)

    jitted = wg.jit(wg.grad(f))
    start = threading.Barrier(8)

    def work(k):
        start.wait()
        for n in range(20):
            x = np.arange(1.0, 4 + (k + n) % 3) * (-1) ** n
            agree(jitted(x), wg.grad(f)(x))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert compiled_versions(jitted) == 6


def test_results_are_not_shared_between_threads():
    jitted = wg.jit(lambda x, n: x * n + np.sum(x))
    x = np.arange(1000.0)

    def work(k):
        for _ in range(200):
            y = jitted(x, np.float64(k))
            np.testing.assert_array_equal(y, x * k + np.sum(x))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))


class Model:
    def __init__(self):
        self.w, self.b = np.ones(3), np.zeros(3)

    def inner(self, x):
        return self.w * x + self.b

    def loss(self, x):
        return np.sum(self.inner(x) ** 2)


def test_objects_that_change_while_others_call():
    model = Model()
    jitted = wg.jit(model.loss)
    x = np.arange(3.0)

    def work(k):
        for n in range(50):
            if k == 0:
                model.w = np.full(3, 1.0 + n % 2)
            y = jitted(x)
            assert min(abs(y - 5.0), abs(y - 20.0)) < 1e-12

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_errors_belong_to_their_threads():
    jitted = wg.jit(np.linalg.inv)
    good, bad = np.eye(3) * 2, np.zeros((3, 3))

    def work(k):
        for _ in range(50):
            try:
                agree(jitted(bad if k % 2 else good), good / 4)
                assert k % 2 == 0
            except np.linalg.LinAlgError:
                assert k % 2 == 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_recursion_through_the_jitted_name():
    @wg.jit
    def power(x, n):
        return x if n == 0 else power(x, n - 1) * x

    agree(power(np.array([2.0, 3.0]), 3), np.array([2.0, 3.0]) ** 4)
    agree(wg.grad(lambda x: np.sum(power(x, 2)))(np.array([2.0, 3.0])), 3 * np.array([2.0, 3.0]) ** 2)


def test_a_jitted_function_called_while_another_is_recorded():
    inner = wg.jit(lambda x: x * 3)
    plain = np.ones(2)

    def f(x):
        return x + inner(plain)  # a call that has nothing to do with x

    agree(wg.jit(f)(np.zeros(2)), np.full(2, 3.0))
