"""Convolutions by windows, and their gradients, against sums written out."""

from itertools import product

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import wengert as wg

# images, height, width, channels, new channels, window: rows that follow one another, channels that fill vectors, and neither
SIZES = [(2, 7, 6, 3, 4, 3, 2), (5, 12, 12, 16, 8, 3, 3), (3, 9, 30, 5, 20, 1, 4), (4, 30, 30, 1, 16, 3, 3), (2, 18, 19, 17, 3, 2, 2)]


def convolved(x, w):
    return np.tensordot(sliding_window_view(x, w.shape[1:3], axis=(1, 2)), w, 3)


def written_out(x, w, ct):
    """Values, and the gradients of `sum(ct * values)`, one place of the window at a time."""
    _, height, width, _ = ct.shape
    y, x_bar, w_bar = np.zeros(ct.shape), np.zeros(x.shape), np.zeros(w.shape)
    for u, v in product(range(w.shape[1]), range(w.shape[2])):
        part = x[:, u : u + height, v : v + width]
        y += part @ w[:, u, v]
        x_bar[:, u : u + height, v : v + width] += ct @ w[:, u, v].T
        w_bar[:, u, v] = np.einsum("nijc,nijo->co", part, ct)
    return y, x_bar, w_bar


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_convolutions(size, dtype):
    n, height, width, channels, new, a, b = size
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, height, width, channels))
    w = rng.normal(size=(channels, a, b, new))
    ct = rng.normal(size=(n, height - a + 1, width - b + 1, new))
    value, *slopes = written_out(x, w, ct)
    x, w, ct = (z.astype(dtype) for z in (x, w, ct))
    found = [wg.jit(convolved)(x, w), *wg.jit(wg.grad(lambda x, w: np.sum(ct * convolved(x, w)), argnums=(0, 1)))(x, w)]
    for one, other in zip(found, (value, *slopes), strict=True):
        assert one.dtype == dtype
        assert np.max(np.abs(one - other)) <= 200 * np.finfo(dtype).eps * np.max(np.abs(other))


@pytest.mark.parametrize(("shape", "window", "axis"), [((40, 50), (3, 5), (0, 1)), ((7, 30), (4,), (1,)), ((20, 3, 9), (5, 2), (0, 2)), ((6, 5), (6, 5), (0, 1))])
def test_windows_that_no_product_makes_are_added_up(shape, window, axis):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    ct = rng.normal(size=sliding_window_view(x, window, axis).shape)
    expected = np.zeros(shape)
    places = sliding_window_view(np.arange(x.size).reshape(shape), window, axis)
    np.add.at(expected.reshape(-1), places.reshape(-1), ct.reshape(-1))
    found = wg.jit(wg.grad(lambda x: np.sum(ct * sliding_window_view(x, window, axis))))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_the_largest_of_windows_in_single_precision():
    """Shares of ties are quotients of whole numbers, and taken in single precision: 1/1, 1/2, 1/3, 1/4 as NumPy rounds them."""
    x = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [2, 2, 2, 0], [3, 3, 3, 3]], np.float32)
    found = wg.jit(wg.grad(lambda x: np.sum(np.max(x, axis=1))))(x)
    expected = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0], [0.25] * 4]).astype(np.float32)
    assert np.array_equal(found, expected)
