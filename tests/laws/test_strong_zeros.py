"""Strong zeros of cards that the sweep tries at regular points only."""

import numpy as np

import wengert as wg


def test_interpolation_at_nan_contributes_nothing_along_zero():
    x, xp, fp = np.array([0.5, np.nan]), np.array([0.0, 1.0]), np.array([0.0, 2.0])

    def loss(x, xp, fp):
        return np.sum(np.where(np.isnan(x), 0.0, np.interp(x, xp, fp)))

    for ct, wanted in zip(wg.grad(loss, argnums=(0, 1, 2))(x, xp, fp), ([2.0, 0.0], [-1.0, -1.0], [0.5, 0.5]), strict=True):
        np.testing.assert_allclose(ct, wanted)
    y, dy = wg.jvp(lambda x: np.interp(x, xp, fp), (x,), (np.zeros(2),))
    assert np.isnan(y[1])
    np.testing.assert_array_equal(dy, 0)
