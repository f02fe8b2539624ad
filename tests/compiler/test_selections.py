"""Selections, windows and convolutions under `jit`: places are moved, zeros put around, windows read where they lie."""

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.loops import MatrixProduct
from wengert.compiler.pipeline import lower
from wengert.compiler.selections import maps_of, runs_of
from wengert.compiler.simplify import simplify
from wengert.compiler.verify import verify

RNG = np.random.default_rng(0)
TABLE, VECTOR, CUBE = RNG.standard_normal((4, 5)), RNG.standard_normal(7), RNG.standard_normal((2, 3, 4))
view = np.lib.stride_tricks.sliding_window_view
SELECTIONS = {
    "zeros around": (lambda x: np.pad(x, ((1, 2), (0, 3))), TABLE),
    "zeros around one column": (lambda x: np.pad(x, ((0, 0), (1, 1), (0, 0))), RNG.standard_normal((80, 130, 1))),
    "reflected": (lambda x: np.pad(x, ((1, 2), (2, 3)), mode="reflect"), TABLE),
    "symmetric": (lambda x: np.pad(x, ((5, 6), (2, 3)), mode="symmetric"), TABLE),
    "wrapped": (lambda x: np.pad(x, ((5, 6), (2, 3)), mode="wrap"), TABLE),
    "edges": (lambda x: np.pad(x, ((1, 2), (2, 3)), mode="edge"), TABLE),
    "rolled": (lambda x: np.roll(x, (1, -2), (0, 1)), TABLE),
    "rolled flat": (lambda x: np.roll(x, 3), TABLE),
    "tiled": (lambda x: np.tile(x, (3, 2)), TABLE),
    "tiled often": (lambda x: np.tile(x, 20), VECTOR),
    "repeated": (lambda x: np.repeat(x, 3, 0), TABLE),
    "repeated by counts": (lambda x: np.repeat(x, [1, 0, 2, 1], 0), TABLE),
    "on a diagonal": (lambda x: np.diag(x, 1), VECTOR),
    "a diagonal": (lambda x: np.diag(x, -1), TABLE),
    "trace": (lambda x: np.trace(x, 1), TABLE),
    "triangle": (lambda x: np.triu(x, -1), TABLE),
    "flipped": (np.flip, CUBE),
    "turned": (np.rot90, TABLE),
    "shifted": (np.fft.fftshift, CUBE),
    "resized": (lambda x: np.resize(x, (3, 9)), TABLE),
    "differences": (lambda x: np.diff(x, 2, axis=0), TABLE),
    "Kronecker": (lambda x: np.kron(x, TABLE), TABLE[:2]),
    "windows": (lambda x: view(x, 3, axis=1), TABLE),
    "windows of windows": (lambda x: view(view(x, 2, axis=0), 2, axis=1), TABLE),
    "windows of all": (lambda x: view(x, (4, 5)), TABLE),
    "single precision": (lambda x: np.pad(np.roll(x, 1), 1), VECTOR.astype(np.float32)),
    "whole numbers": (lambda x: np.pad(x, 2, mode="reflect"), np.arange(5)),
}  # fmt: skip


@pytest.mark.parametrize("name", SELECTIONS)
def test_values_are_numpys_and_derivatives_are_exact(name):
    f, x = SELECTIONS[name]
    compiled = wg.jit(f)
    found, expected = compiled(x), f(x)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert not compiled.report(x).host_calls
    if x.dtype.kind != "f":
        return
    weights = np.cos(np.arange(np.size(expected))).reshape(np.shape(expected)).astype(x.dtype)
    direction = np.sin(np.arange(x.size)).reshape(x.shape).astype(x.dtype)
    loss = lambda x: np.sum(weights * f(x) ** 3)
    columns = np.where(np.equal.outer(np.arange(x.size), f(np.arange(1.0, x.size + 1).reshape(x.shape)).ravel() - 1), 1.0, 0.0) if x.size < 100 else None
    gradient, product = wg.jit(wg.grad(loss)), wg.jit(lambda x: wg.hvp(loss, x, direction))
    if columns is not None and name not in ("Kronecker", "differences", "trace"):
        y, w = expected.ravel().astype(float), weights.ravel()
        np.testing.assert_allclose(gradient(x).ravel(), columns @ (w * 3 * y**2), rtol=1e-5 if x.dtype == np.float32 else 1e-12, atol=1e-5 if x.dtype == np.float32 else 1e-13)
        second = columns @ (w * 6 * y * (columns.T @ direction.ravel()))
        np.testing.assert_allclose(product(x).ravel(), second, rtol=1e-4 if x.dtype == np.float32 else 1e-12, atol=1e-5 if x.dtype == np.float32 else 1e-12)
    else:
        np.testing.assert_allclose(gradient(x), wg.grad(loss)(x), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(product(x), wg.hvp(loss, x, direction), rtol=1e-11, atol=1e-12)
    assert not gradient.report(x).host_calls + product.report(x).host_calls


def test_axes_that_go_their_own_ways():
    shape = (3, 4)
    places = np.arange(12).reshape(shape)
    maps = maps_of(np.pad(places[:, ::-1] + 1, ((1, 0), (0, 0))) - 1, shape)
    assert [m.tolist() for m in maps] == [[-1, 0, 1, 2], [3, 2, 1, 0]]
    assert maps_of(places.T, shape) is None
    assert runs_of(np.array([-1, -1, 0, 1, 2, 2, 2, 1, 0])) == [(-1, 0, 2), (0, 1, 3), (2, 0, 2), (1, -1, 2)]


# --- convolutions --------------------------------------------------------------------------------------------------------


def convolved(x, kernel):
    return np.tensordot(view(x, kernel.shape[1:3], axis=(1, 2)), kernel, 3)


def by_hand(x, kernel):
    n, h, w, _ = x.shape
    _, a, b, c = kernel.shape
    y = np.zeros((n, h - a + 1, w - b + 1, c))
    for i, j in np.ndindex(a, b):
        y += x[:, i : i + h - a + 1, j : j + w - b + 1] @ kernel[:, i, j]
    return y


@pytest.mark.parametrize(("shape", "kernel"), [((2, 9, 8, 3), (3, 3, 3, 16)), ((1, 12, 12, 1), (1, 3, 2, 20)), ((3, 5, 6, 8), (8, 1, 1, 9))])
def test_a_convolution_and_its_gradients(shape, kernel):
    x, k = RNG.standard_normal(shape), RNG.standard_normal(kernel)
    expected = by_hand(x, k)
    ct = np.cos(np.arange(expected.size)).reshape(expected.shape)
    everything = wg.jit(lambda x, k, ct: (convolved(x, k), *wg.vjp(convolved, x, k)[1](ct)))
    value, of_x, of_k = everything(x, k, ct)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
    a, b = k.shape[1:3]
    around = np.pad(ct, ((0, 0), (a - 1, a - 1), (b - 1, b - 1), (0, 0)))
    np.testing.assert_allclose(of_x, by_hand(around, k[:, ::-1, ::-1].transpose(3, 1, 2, 0)), rtol=1e-12, atol=1e-11)
    for i, j in np.ndindex(a, b):
        part = x[:, i : i + ct.shape[1], j : j + ct.shape[2]]
        np.testing.assert_allclose(of_k[:, i, j], np.einsum("nhwc,nhwo->co", part, ct), rtol=1e-11, atol=1e-11)
    assert not everything.report(x, k, ct).host_calls


def test_images_with_channels_first():
    x, k = RNG.standard_normal((2, 3, 9, 10)), RNG.standard_normal((16, 3, 3, 3))
    f = lambda x, k: np.einsum("ncijuv,ocuv->noij", view(x, (3, 3), axis=(2, 3)), k)
    expected = by_hand(x.transpose(0, 2, 3, 1), k.transpose(1, 2, 3, 0)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(wg.jit(f)(x, k), expected, rtol=1e-12, atol=1e-12)
    slopes = wg.grad(lambda x, k: np.sum(np.sin(f(x, k))), argnums=(0, 1))
    for got, want in zip(wg.jit(slopes)(x, k), slopes(x, k), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)


def test_windows_are_read_where_they_lie():
    x, k = RNG.standard_normal((2, 9, 9, 8)), RNG.standard_normal((8, 3, 3, 16))
    program = verify(lower(simplify(wg.trace(convolved)(x, k))))
    (product,) = [step for step in program.steps if isinstance(step, MatrixProduct)]
    assert product.left.buffer in program.inputs
    assert product.counts == (3, 3, 1)


def test_second_derivatives_of_a_convolution():
    x, k, dx = RNG.standard_normal((1, 6, 6, 2)), RNG.standard_normal((2, 3, 3, 8)), RNG.standard_normal((1, 6, 6, 2))
    loss = lambda x: np.sum(convolved(x, k) ** 3)
    product = wg.jit(lambda x, dx: wg.hvp(loss, x, dx))(x, dx)
    h = 1e-6
    slope = wg.grad(loss)
    np.testing.assert_allclose(product, (slope(x + h * dx) - slope(x - h * dx)) / (2 * h), rtol=1e-5, atol=1e-4)


def test_the_largest_of_four_shares_ties():
    x = np.array([[1.0, 2, 5, 5], [2, 0, 5, np.nan]])[None, :, :, None]
    pooled = lambda x: np.max(x.reshape(1, 1, 2, 2, 2, 1), axis=(2, 4))
    slope = wg.jit(wg.grad(lambda x: np.sum(pooled(x) * np.array([6.0, 7.0])[:, None])))
    np.testing.assert_array_equal(slope(x)[0, :, :, 0], [[0, 3, 0, 0], [3, 0, 0, 7]])


# --- single precision ------------------------------------------------------------------------------------------------------


def test_rectified_values_of_single_precision_stay_single():
    x = np.array([-1.5, 0.0, 2.5, np.nan, np.inf, -np.inf], np.float32)
    f = lambda x, c: wg.vjp(lambda x: np.maximum(x, 0.0), x)[1](c)[0]
    c = np.array([3.3, 1e-45, 1e-40, 2.0, 0.0, 7.0], np.float32)
    np.testing.assert_array_equal(wg.jit(f)(x, c), f(x, c))
    assert "float64" not in wg.jit(f).stages(x, c)["fused"]


@pytest.mark.parametrize("operation", [np.add, np.subtract, np.multiply, np.divide])
def test_one_operation_in_double_precision_rounded_is_that_of_single(operation):
    x = (RNG.standard_normal(4000) * 2.0 ** RNG.integers(-149, 127, 4000)).astype(np.float32)
    y = RNG.permutation(x)
    f = lambda x, y: operation(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wg.jit(f)(x, y), f(x, y))
        assert "float64" not in wg.jit(f).stages(x, y)["fused"]


def test_two_operations_in_double_precision_stay_double():
    x = RNG.standard_normal(100).astype(np.float32)
    f = lambda x: ((x.astype(np.float64) + 1e-9) * 3.0).astype(np.float32)
    np.testing.assert_array_equal(wg.jit(f)(x), f(x))
