"""Sliding windows and their adjoint: values are NumPy's, derivatives are sums of what each entry is read by."""

import numpy as np
import pytest

import wengert as wg
from wengert.primitives.windows import overlap, windows

view = np.lib.stride_tricks.sliding_window_view
CASES = [((7,), 3, None), ((4, 5), (2, 3), None), ((4, 5, 2), 2, 1), ((4, 5, 2), (3, 2), (1, 0)), ((3, 4), (3, 4), (-2, -1)), ((5,), 1, 0)]


@pytest.mark.parametrize(("shape", "window", "axis"), CASES)
def test_windows_are_numpys(shape, window, axis):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    expected = view(x, window, axis)
    value, pullback = wg.vjp(lambda x: view(x, window, axis), x)
    np.testing.assert_array_equal(value, expected)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    places = view(np.arange(x.size).reshape(shape), window, axis)
    np.testing.assert_allclose(pullback(weights)[0].ravel(), np.bincount(places.ravel(), weights.ravel(), x.size), rtol=1e-12, atol=1e-14)


def test_an_axis_taken_twice():
    x = np.arange(6.0)
    pick = lambda x: view(x, (2, 3), (0, 0))
    np.testing.assert_array_equal(wg.vjp(pick, x)[0], pick(x))
    assert wg.grad(lambda x: np.sum(pick(x)))(x).sum() == pick(x).size


@pytest.mark.parametrize(("window", "axis"), [(8, 0), ((2, 2), 0), (0, 0), (2, 3), (-1, 0)])
def test_errors_are_numpys(window, axis):
    x = np.ones(7)
    try:
        view(x, window, axis)
    except Exception as error:
        with pytest.raises(type(error)) as found:
            wg.grad(lambda x: np.sum(view(x, window, axis)))(x)
        assert str(error) in str(found.value)
    else:
        assert wg.grad(lambda x: np.sum(view(x, window, axis)))(x).shape == (7,)


def test_no_windows_and_no_entries():
    assert windows(np.zeros((0, 3)), axis=(-1,), lengths=(2,)).shape == (0, 2, 2)
    assert overlap(np.zeros((0, 2, 2)), axis=(-1,), lengths=(2,)).shape == (0, 3)


def test_each_is_the_adjoint_of_the_other():
    rng = np.random.default_rng(0)
    params = {"axis": (-3, -2), "lengths": (2, 3)}
    x, y = rng.standard_normal((4, 5, 2)), rng.standard_normal((3, 3, 2, 2, 3))
    assert np.vdot(windows(x, **params), y) == pytest.approx(np.vdot(x, overlap(y, **params)), rel=1e-13)


def test_second_derivatives_of_a_moving_average():
    x = np.linspace(0.3, 1.0, 6)
    f = lambda x: np.sum(np.mean(view(x, 3), -1) ** 3)
    means, spread = view(x, 3).mean(-1), view(np.eye(6), 3, 0).transpose(0, 2, 1).mean(1)
    np.testing.assert_allclose(wg.hessian(f)(x), np.einsum("w,wi,wj->ij", 6 * means, spread, spread), rtol=1e-12)


def test_what_is_read_of_an_array_cannot_be_written():
    def f(x):
        view(x, 2)[0, 0] = 1.0
        return np.sum(x)

    with pytest.raises(ValueError, match="read-only"):
        wg.grad(f)(np.ones(3))
