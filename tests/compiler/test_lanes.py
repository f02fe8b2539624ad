"""Bands whose rows are lanes: the same results as eager code, whatever the lengths are, and the same bits for any number of threads."""

import numpy as np
import pytest
from test_bands import bands_of
from test_fuse import agree

import wengert as wg
from wengert.compiler.runtime.threads import get_threads, set_threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::wengert.errors.DisconnectedWarning")


def mixture(x, mu, q, a):
    """Distances of every point from every centre, and their softest minimum."""
    y = np.einsum("kij,nkj->nki", q, x[:, None] - mu)
    z = a - 0.5 * np.sum(y * y, axis=2)
    m = np.max(z, 1)
    return np.sum(np.log(np.sum(np.exp(z - m[:, None]), 1)) + m)


def data(n, d, k, dtype=np.float64):
    rng = np.random.default_rng(n + d + k)
    return [rng.normal(size=shape).astype(dtype) for shape in ((n, d), (k, d), (k, d, d), (k,))]


@pytest.mark.parametrize(("n", "d", "k"), [(1003, 2, 30), (700, 3, 7), (515, 9, 11), (300, 17, 5), (130, 33, 6)])
def test_mixtures_of_all_lengths(n, d, k):
    """Blocks of columns and of sums with and without a rest, and rows after the last whole vector."""
    operands = data(n, d, k)
    found = agree(wg.value_and_grad(mixture, (0, 1, 2, 3)), *operands, rtol=1e-9)
    assert any(band.is_turned for band in bands_of(found))


def test_single_precision():
    operands = data(450, 10, 12, np.float32)
    found = agree(wg.grad(mixture, (1, 2, 3)), *operands, rtol=2e-3)
    assert any(band.is_turned for band in bands_of(found))


def test_the_same_bits_for_any_number_of_threads():
    operands = data(2001, 5, 20)
    found = agree(wg.grad(mixture, (1, 2, 3)), *operands, rtol=1e-9)
    before = get_threads()
    try:
        results = []
        for n in (1, 2, 3):
            set_threads(n)
            results.append(found(operands))
    finally:
        set_threads(before)
    for result in results[1:]:
        for y, z in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(y, z)


@pytest.mark.parametrize("d", [3, 10])
def test_zeros_absorb_what_is_infinite(d):
    """A centre out of reach, and a root with an infinite entry that only meets zeros."""
    x, mu, q, a = data(519, d, 9)
    q[4, 1, 2], a[4] = np.inf, -np.inf

    def program(mu, q):
        y = np.einsum("kij,nkj->nki", np.where(np.isinf(q), 0.0, q), x[:, None] - mu)
        z = a - 0.5 * np.sum(y * y, axis=2)
        return np.sum(np.log(np.sum(np.exp(z - np.max(z, 1)[:, None]), 1)))

    found = agree(wg.grad(program, (0, 1)), mu, q, rtol=1e-8)
    assert any(band.is_turned for band in bands_of(found))
    products = wg.jit(lambda t, q: np.sum(wg.jvp(lambda s: np.einsum("kij,nkj->nki", q, s), (x[:, None] - mu,), (t,))[1] ** 2, 2))
    t = np.where(np.arange(d) == 2, 0.0, x[:, None] - mu)
    np.testing.assert_allclose(products(t, q), np.sum(np.einsum("kij,nkj->nki", np.where(np.isinf(q), 0.0, q), t) ** 2, 2), rtol=1e-10)


def test_nan_stays_in_its_row():
    x, mu, q, a = data(519, 4, 9)
    x[518, 1], x[3] = np.nan, np.inf
    agree(lambda x, mu: wg.grad(mixture, 1)(x, mu, q, a), x, mu)
    x[3] = 0.0
    found = wg.jit(wg.grad(mixture, 0))(x, mu, q, a)
    assert np.isnan(found[518]).all()
    assert np.isfinite(found[:518]).all()


ELEMENTWISE = (np.tanh, np.sin, np.square, np.abs, lambda x: x / (1 + x * x), lambda x: np.where(x > 0, x, 0.5 * x))


def random_program(rng, n, k, d):
    """A program over points and centres: differences, functions, sums along some axes and what they are repeated by."""
    choices = rng.integers(0, 6, 5)
    functions = [ELEMENTWISE[rng.integers(len(ELEMENTWISE))] for _ in choices]

    def program(x, mu, w):
        y = x[:, None] - mu
        for choice, function in zip(choices, functions, strict=True):
            y = function(y)
            if choice == 0:
                y = y - np.max(y, 1, keepdims=True)
            elif choice == 1:
                y = y / (1.5 + np.sum(y * y, 2, keepdims=True))
            elif choice == 2:
                y = y[:, :, ::-1] * w
            elif choice == 3:
                y = np.einsum("kij,nkj->nki", w[:, :, None] * mu[:, None], y)
            elif choice == 4:
                y = y + np.mean(y, (1, 2), keepdims=True)
        return np.sum(y), np.sum(y, 0), np.max(y, (1, 2))

    return program


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed):
    rng = np.random.default_rng(seed)
    n, k, d = (int(rng.integers(low, high)) for low, high in ((130, 700), (2, 24), (2, 13)))
    x, mu, w = rng.normal(size=(n, d)), rng.normal(size=(k, d)), rng.normal(size=(k, d)) / d
    program = random_program(rng, n, k, d)
    agree(program, x, mu, w, rtol=1e-9)
    agree(wg.grad(lambda x, mu, w: np.sum(program(x, mu, w)[1] ** 2), (0, 1, 2)), x, mu, w, rtol=1e-7)


def test_the_smallest_numbers_count_as_zero_and_the_processor_forgets_it():
    """Weights of `exp(-700)` and less: what is normal is exact, and what is not is 0 or right; other programs keep small numbers."""
    x, mu, q, a = data(519, 10, 9)
    a[:] = np.linspace(-760.0, 0.0, 9)
    found = wg.jit(wg.grad(mixture, (1, 2, 3)))(x, mu, q, a)
    for y, z in zip(found, wg.grad(mixture, (1, 2, 3))(x, mu, q, a), strict=True):
        np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-290)
    small = np.full(100, 2.0**-1060)
    np.testing.assert_array_equal(wg.jit(lambda x: 0.5 * x)(small), 2.0**-1061)
    np.testing.assert_array_equal(small * 0.5, 2.0**-1061)


def test_infinity_times_the_smallest_number_is_infinite():
    x, mu, q, _ = data(519, 10, 9)
    q[4, 1, 2] = np.inf
    products = wg.jit(lambda t, q: np.sum(wg.jvp(lambda s: np.einsum("kij,nkj->nki", q, s), (x[:, None] - mu,), (t,))[1], 2))
    t = np.where(np.arange(10) == 2, 5e-324, x[:, None] - mu)
    assert np.isinf(products(t, q)[:, 4]).all()


def test_what_a_turned_band_writes_for_others_is_not_copied_before():
    """A convolution's cotangent is written in the band of its normalisation, read there for the bias, and wanted later for the weights."""
    model = wg.nn.Sequential(
        wg.nn.Conv2d(4, 8, 3, padding=1, rng=0, dtype=np.float64), wg.nn.BatchNorm2d(8, dtype=np.float64), wg.nn.ReLU(), wg.nn.MaxPool2d(2)
    )
    x = np.random.default_rng(0).uniform(size=(66, 4, 4, 4))

    def loss(model):
        return np.mean(np.sin(model(x)))

    weight = model.layers[0].weight
    along = 1e-5 * np.random.default_rng(1).normal(size=weight.shape)
    slope = np.sum(wg.jit(wg.nn.grad(loss))(model).layers[0].weight * along)
    values = []
    for moved in (weight + along, weight - along):
        model.layers[0].weight = moved
        values.append(loss(model))
    np.testing.assert_allclose(slope, (values[0] - values[1]) / 2, rtol=1e-5)
