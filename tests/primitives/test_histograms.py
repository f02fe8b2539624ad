"""Histograms: linear in their weights; their edges move with the data."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import BatchError
from wengert.testing.programs import check_batch, check_bits, check_derivatives, check_program

RNG = np.random.default_rng(6)
PLACES = np.array([0, 3, 3, 1, 5])
A, W = RNG.standard_normal(20), RNG.standard_normal(20)
POINTS = RNG.standard_normal((20, 3))
UNEVEN = np.array([-1, 0, 0.3, 2])
BINS = [{}, {"bins": 4}, {"bins": UNEVEN}, {"bins": 4, "range": (-1, 1)}, {"density": True}, {"bins": UNEVEN, "density": True}]


def test_bincount():
    check_program(lambda w: np.bincount(PLACES, w), W[:5])
    check_program(lambda w: np.bincount(PLACES, w, minlength=9), W[:5])
    check_bits(lambda w: np.bincount(PLACES, w.astype("float32") if isinstance(w, np.ndarray) else w), W[:5].astype("float32"))
    check_bits(lambda w: np.bincount(np.zeros(0, int), w[:0]), W)
    np.testing.assert_array_equal(wg.grad(lambda w: np.bincount(PLACES, w)[3])(W[:5]), [0, 1, 1, 0, 0])


def test_bincount_in_a_batch():
    rows = np.array([[0, 1, 1], [2, 2, 0]])
    found = wg.vmap(lambda p, w: np.bincount(p, w, 4))(rows, W[:6].reshape(2, 3))
    np.testing.assert_array_equal(found, [np.bincount(p, w, 4) for p, w in zip(rows, W[:6].reshape(2, 3))])
    np.testing.assert_array_equal(wg.vmap(lambda p: np.bincount(p, minlength=4))(rows), [[1, 2, 0, 0], [1, 0, 2, 0]], strict=True)
    with pytest.raises(BatchError, match="bincount"):
        wg.vmap(np.bincount)(rows)


@pytest.mark.parametrize("settings", BINS, ids=str)
def test_weights(settings):
    check_program(lambda w: np.histogram(A, weights=w, **settings), W)
    for dtype in "fFD":
        check_bits(lambda w: np.histogram(A, weights=w, **settings), (W + (1j * W[::-1] if dtype in "FD" else 0)).astype(dtype))
    check_derivatives(lambda w: np.histogram(A, weights=w, **settings)[0], W + 1j * W[::-1])


def test_weights_outside_and_on_edges():
    a = np.array([-2.0, 0, 1, 2, 3, 9, np.nan])
    with np.errstate(invalid="ignore"):
        jacobian = wg.jacobian(lambda w: np.histogram(a, bins=3, range=(0, 3), weights=w)[0])(np.ones(7))
        np.testing.assert_array_equal(jacobian, [[0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0]])
        uneven = wg.jacobian(lambda w: np.histogram(a[:-1], bins=[0, 1, 3], weights=w)[0])(np.ones(6))
        np.testing.assert_array_equal(uneven, [[0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0]])


@pytest.mark.parametrize("settings", [*BINS, {"bins": "auto"}, {"bins": "fd", "density": True}], ids=str)
def test_data(settings):
    check_bits(lambda a: np.histogram(a, **settings), A)
    check_bits(lambda a: np.histogram(a, **settings), A.astype("float32"))
    bins = {k: v for k, v in settings.items() if k != "density"}
    check_bits(lambda a: np.histogram_bin_edges(a, **bins), A)


def test_edges_move_with_the_extremes():
    a = A[:6]
    check_derivatives(lambda a: np.histogram_bin_edges(a, 4), a)
    check_derivatives(lambda a: np.histogram(a, bins=4, density=True)[0], a)
    check_batch(lambda a: np.histogram(a, bins=4), a)
    jacobian = wg.jacobian(lambda a: np.histogram_bin_edges(a, 4))(a)
    np.testing.assert_allclose(jacobian[:, a.argmax()], np.arange(5) / 4)
    check_bits(lambda a: np.histogram(a, 3), np.full(4, 2.0))
    check_bits(lambda a: np.histogram(a, 3), np.zeros(0))


def test_density_by_given_edges():
    check_derivatives(lambda edges: np.histogram(A, bins=edges, density=True)[0], UNEVEN + 0.01, h=1e-4)


def test_counts_in_a_batch():
    rows = A.reshape(2, 10)
    for more in ({"bins": 4, "range": (-1, 1)}, {"bins": UNEVEN}):
        found = wg.vmap(lambda a, more=more: np.histogram(a, **more))(rows)
        np.testing.assert_array_equal(found[0], [np.histogram(a, **more)[0] for a in rows])
    found = wg.vmap(lambda a, w: np.histogram(a, UNEVEN, weights=w)[0])(rows, W.reshape(2, 10))
    np.testing.assert_array_equal(found, [np.histogram(a, UNEVEN, weights=w)[0] for a, w in zip(rows, W.reshape(2, 10))])
    with pytest.raises(BatchError, match="auto"):
        wg.vmap(lambda a: np.histogram(a, "auto")[0])(rows)


GRIDS = [{}, {"bins": 3}, {"bins": (3, UNEVEN, 2)}, {"bins": 2, "range": [(-1, 1), None, (-1, 2)]}, {"density": True, "bins": 2}]


@pytest.mark.parametrize("settings", GRIDS, ids=str)
def test_grids(settings):
    check_program(lambda w: np.histogramdd(POINTS, weights=w, **settings), W)
    check_bits(lambda x: np.histogramdd(x, **settings), POINTS)
    check_bits(lambda x: np.histogramdd(x, **settings), POINTS.astype("float32"))


def test_plane():
    x, y = POINTS[:, 0], POINTS[:, 1]
    for more in ({}, {"bins": 3}, {"bins": UNEVEN}, {"bins": (2, UNEVEN)}, {"bins": 3, "range": [(-1, 1), (-2, 2)]}, {"density": True}):
        check_bits(lambda w, more=more: np.histogram2d(x, y, weights=w, **more), W)
        check_bits(lambda x, more=more: np.histogram2d(x, y, **more), x)
        check_derivatives(lambda w, more=more: np.histogram2d(x, y, weights=w, **more)[0], W)
    check_batch(lambda w: np.histogram2d(x, y, UNEVEN, weights=w)[0], W)
    check_derivatives(lambda x: np.histogram2d(x, y, 3)[1], x)


@pytest.mark.parametrize(
    "call",
    [
        lambda w: np.bincount(PLACES - 1, w[:5]),
        lambda w: np.bincount(PLACES, w),
        lambda w: np.bincount(PLACES / 2, w[:5]),
        lambda w: np.bincount(PLACES, w[:5] * 1j),
        lambda w: np.histogram(A, weights=w[:3])[0],
        lambda w: np.histogram(A, bins=0, weights=w)[0],
        lambda w: np.histogram(A, bins=1.5, weights=w)[0],
        lambda w: np.histogram(A, bins=[1, 0], weights=w)[0],
        lambda w: np.histogram(A, bins="auto", weights=w)[0],
        lambda w: np.histogram(A, range=(1, 0), weights=w)[0],
        lambda w: np.histogram(np.append(A[1:], np.nan), weights=w)[0],
        lambda w: np.histogram(w * np.nan)[1],
        lambda w: np.histogramdd(POINTS, bins=(2, 2), weights=w)[0],
        lambda w: np.histogramdd(POINTS, range=[(0, 1)], weights=w)[0],
        lambda w: np.histogram2d(A, A[1:], weights=w)[0],
    ],
)
def test_numpy_s_errors(call):
    with pytest.raises((ValueError, TypeError)) as plain:
        call(W)
    with pytest.raises(plain.type):
        wg.grad(lambda w: np.sum(np.real(call(w))))(W)
