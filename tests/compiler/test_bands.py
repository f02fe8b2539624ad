"""Steps over the same rows taken tile by tile: the same results, little memory, the same bits for any number of threads."""

import numpy as np
import pytest
from test_fuse import agree, total

import wengert as wg
from wengert.compiler.loops import Band
from wengert.compiler.runtime.threads import get_threads, set_threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def softmax(x):
    e = np.exp(x - np.max(x, 1, keepdims=True))
    return e / np.sum(e, 1, keepdims=True)


def normalised(x):
    y = x - np.mean(x, 1, keepdims=True)
    return y / np.sqrt(1e-5 + np.mean(y * y, 1, keepdims=True))


def bands_of(found):
    return [step for step in found.program.steps if isinstance(step, Band)]


@pytest.mark.parametrize(("program", "n"), [(softmax, 300), (softmax, 1000), (softmax, 1023), (normalised, 4001)])
def test_rows_stay_in_the_cache(program, n):
    x = np.random.default_rng(n).normal(size=(n, 70))
    found = agree(program, x)
    (band,) = bands_of(found)
    assert band.inner
    assert found.plan.workspace < 4096
    agree(wg.grad(total(program)), x)


def test_an_array_that_is_also_written_outside_of_a_band_is_whole():
    """The zeros of a deposit are there before its column, which waits for a total."""
    x = np.random.default_rng(0).normal(size=(700, 30))

    def program(x):
        y = np.exp(x) / np.sum(np.exp(x), 1, keepdims=True)
        return np.sum(np.sin(np.maximum(np.mean(y[:, 28]), x))) + np.sum(y * y)

    agree(wg.grad(program), x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_mixtures(dtype):
    """Products of each row with small matrices, and sums of products over all rows."""
    rng = np.random.default_rng(0)
    n, d, k = 1500, 8, 11
    x, mu, q = (rng.normal(size=shape).astype(dtype) for shape in ((n, d), (k, d), (k, d, d)))

    def program(x, mu, q):
        y = np.einsum("kij,nkj->nki", q, x[:, None] - mu)
        z = -0.5 * np.sum(y * y, axis=2)
        m = np.max(z, 1)
        return np.sum(np.log(np.sum(np.exp(z - m[:, None]), 1)) + m)

    found = agree(wg.value_and_grad(program, (0, 1, 2)), x, mu, q, rtol=1e-9 if dtype is np.float64 else 2e-3)
    (band,) = bands_of(found)
    assert "m" in band.rows
    assert "k" in band.rows
    assert found.plan.workspace < n * k * d * x.itemsize


def test_totals_along_rows_columns_and_both():
    x = np.random.default_rng(0).normal(size=(2000, 30))

    def program(x):
        e = np.exp(x) / np.sum(np.exp(x), 1, keepdims=True)
        return np.sum(e, 0), np.sum(e * e), np.max(e, 0), np.min(e), e[3], np.sum(e, 1), np.max(e * 2, 1)

    found = agree(program, x)
    assert bands_of(found)
    agree(wg.grad(total(program)), x)


def test_large_loops_are_shared_among_threads_with_the_same_bits():
    x = np.random.default_rng(0).normal(size=1_000_003)
    found = agree(wg.value_and_grad(lambda x: np.sum(np.tanh(x) * np.exp(-x * x))), x)
    assert bands_of(found)
    before = get_threads()
    try:
        results = []
        for n in (1, 2, 3):
            set_threads(n)
            results.append(found([x]))
    finally:
        set_threads(before)
    for result in results[1:]:
        for y, z in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(y, z)


def test_strong_zeros_in_bands():
    rng = np.random.default_rng(0)
    x, w = np.abs(rng.normal(size=(1500, 16))) - 0.3, rng.normal(size=(16, 20))
    w[3, 4] = np.inf

    def program(x, w):
        y = np.where(x > 0, np.sqrt(x), 0.0) @ np.where(np.isinf(w), 0.0, w)
        return np.sum(np.where(y > 0, np.log(y), 0.0))

    agree(wg.grad(program, (0, 1)), x, w, rtol=1e-8)
    agree(lambda x, w: wg.jvp(lambda y: np.exp(y) @ w, (x,), (np.where(x > 0, x, 0.0),))[1] * 2, x, w)


def test_the_rows_of_which_most_would_go_through_memory_come_first():
    """The columns have rows of their own, which come first in the program, and would keep the large steps apart."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2000, 3)), rng.normal(size=(150, 3))

    def program(x, w):
        scales = np.exp(w) / np.sum(np.exp(w), 1, keepdims=True)
        z = np.sum((x[:, None] - scales) ** 2, 2)
        e = np.exp(z - np.max(z, 1, keepdims=True))
        return np.sum(np.log(np.sum(e, 1)))

    found = agree(wg.value_and_grad(program, (0, 1)), x, w, rtol=1e-9)
    assert max(bands_of(found), key=lambda band: len(band.inner)).n_rows == 2000
    assert found.plan.workspace < 2000 * 150 * 8
