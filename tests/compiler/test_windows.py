"""Convolutions by windows, and their gradients, against sums written out."""

from itertools import product

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from test_fuse import agree

import wengert as wg
from wengert.compiler.loops import MatrixProduct
from wengert.compiler.runtime.threads import get_threads, set_threads

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


def padded(x, w, margin):
    return convolved(np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0))), w)


def products_of(found):
    return [step for step in found.program.steps if isinstance(step, MatrixProduct)]


@pytest.mark.parametrize("margin", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_gradient_of_a_convolution_gathers(margin, dtype):
    """Of an input with a margin of zeros, only what is inside is computed, by a product of windows."""
    rng = np.random.default_rng(margin)
    x, w = rng.normal(size=(3, 9, 11, 16)), rng.normal(size=(16, 3, 3, 24))
    ct = rng.normal(size=(3, 7 + 2 * margin, 9 + 2 * margin, 24))
    whole = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    _, x_bar, w_bar = written_out(whole, w, ct)
    expected = x_bar[:, margin : margin + 9, margin : margin + 11], w_bar
    x, w, ct = (z.astype(dtype) for z in (x, w, ct))
    found = agree(wg.grad(lambda x, w, ct: np.sum(ct * padded(x, w, margin)), argnums=(0, 1)), x, w, ct, rtol=1e-3 if dtype == np.float32 else 1e-9)
    for one, other in zip(found([x, w, ct]), expected, strict=True):
        assert np.max(np.abs(one - other)) <= 200 * np.finfo(dtype).eps * np.max(np.abs(other))
    of_windows = [step for step in products_of(found) if max(step.counts) > 1]
    assert len(of_windows) == 2  # of the weights, and of the input
    assert {step.result.size for step in of_windows} == {w.size, x.size}


@pytest.mark.parametrize(
    ("shape", "window", "new"),
    [((4, 40, 8), (5,), 16), ((2, 6, 7, 8, 8), (2, 3, 2), 9), ((2, 9, 9, 3), (3, 3), 16), ((2, 3, 3, 16), (3, 3), 200)],
)
def test_gradients_of_convolutions_along_any_axes(shape, window, new):
    """One axis, three, few channels, whose windows are added up, and windows as large as the image, for which zeros would be most of the work."""
    rng = np.random.default_rng(0)
    axes = tuple(range(1, 1 + len(window)))
    x, w = rng.normal(size=shape), rng.normal(size=(shape[-1], *window, new))
    seen = sliding_window_view(x, window, axis=axes)
    ct = rng.normal(size=(*seen.shape[: len(shape) - 1], new))
    expected = np.zeros(shape)
    for offset in product(*map(range, window)):
        part = (slice(None), *[slice(u, u + n) for u, n in zip(offset, ct.shape[1:-1], strict=True)])
        expected[part] += ct @ w[(slice(None), *offset)].T
    found = wg.jit(wg.grad(lambda x: np.sum(ct * np.tensordot(sliding_window_view(x, window, axis=axes), w, len(window) + 1))))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def test_the_axes_of_a_convolution_in_another_order():
    """Channels before places, as networks have them; two readers of the gradient; and a part that cuts channels."""
    rng = np.random.default_rng(0)
    x, w, ct = rng.normal(size=(3, 16, 8, 9)), rng.normal(size=(24, 16, 3, 3)), rng.normal(size=(3, 24, 8, 9))

    def loss(x, w):
        seen = sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
        return np.sum(ct * np.moveaxis(np.tensordot(seen, w, ((1, 4, 5), (1, 2, 3))), -1, 1))

    for program in (
        wg.grad(loss, argnums=(0, 1)),
        lambda x, w: (wg.grad(loss)(x, w)[:, 2:5, 1:-1], np.sin(wg.grad(loss)(x, w))),
        lambda x, w: wg.grad(loss)(x, w)[:, :, ::2, 3],
    ):
        agree(program, x, w, rtol=1e-10)
    expected = np.zeros((3, 16, 10, 11))
    for u, v in product(range(3), range(3)):
        expected[:, :, u : u + 8, v : v + 9] += np.einsum("noij,oc->ncij", ct, w[:, :, u, v])
    np.testing.assert_allclose(wg.jit(wg.grad(loss))(x, w), expected[:, :, 1:-1, 1:-1], rtol=1e-11, atol=1e-11)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_zeros_of_a_gradient_absorb_infinite_weights():
    """Where the cotangent is 0, and among the zeros that are put around it, an infinite weight adds nothing."""
    rng = np.random.default_rng(0)
    x, w, ct = rng.normal(size=(2, 9, 9, 16)), rng.normal(size=(16, 3, 3, 16)), rng.normal(size=(2, 9, 9, 16))
    w[:, 0, 0, 3], w[:, 2, 2, 5] = np.inf, np.nan
    ct[..., 5] = 0
    ct[:, :, :4, 3] = 0
    x_bar = np.zeros((2, 11, 11, 16))
    with np.errstate(all="ignore"):
        for u, v in product(range(3), range(3)):
            terms = ct[..., None, :] * w[:, u, v]
            x_bar[:, u : u + 9, v : v + 9] += np.where(ct[..., None, :] == 0, 0, terms).sum(-1)
        found = wg.jit(wg.grad(lambda x: np.sum(ct * padded(x, w, 1))))(x)
    np.testing.assert_allclose(found, x_bar[:, 1:-1, 1:-1], rtol=1e-10, atol=1e-10)
    assert np.isfinite(found).any()
    assert np.isinf(found).any()


def test_convolutions_have_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, w, ct = (rng.normal(size=s).astype(np.float32) for s in ((16, 12, 12, 16), (16, 3, 3, 32), (16, 12, 12, 32)))
    step = wg.jit(wg.value_and_grad(lambda x, w: np.sum(ct * padded(x, w, 1)), argnums=(0, 1)))
    before, results = get_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            set_threads(threads)
            value, (x_bar, w_bar) = step(x, w)
            results.append((value, x_bar, w_bar))
    finally:
        set_threads(before)
    for result in results[1:]:
        assert all(np.array_equal(one, other) for one, other in zip(result, results[0], strict=True))
