"""Exponentials and logarithms where a guard for infinities must not touch ordinary values."""

import numpy as np
import pytest

import wengert as wg


@pytest.mark.parametrize(("f", "scale"), [(np.logaddexp, 1.0), (np.logaddexp2, np.log(2))])
@pytest.mark.parametrize("x", [-700.0, 0.0, 2.5])
def test_logaddexp_curves_at_a_tie(f, scale, x):
    hessian = wg.hessian(lambda v: f(v[0], v[1]))(np.array([x, x]))
    np.testing.assert_allclose(hessian, scale / 4 * np.array([[1, -1], [-1, 1]]), rtol=1e-15)


@pytest.mark.parametrize(("a", "b", "slope"), [(np.inf, np.inf, 0.5), (-np.inf, -np.inf, 0.5), (-np.inf, 1.0, 1.0), (1.0, -np.inf, 0.0)])
def test_logaddexp_shares_at_infinity(a, b, slope):
    assert wg.grad(lambda x: np.logaddexp(a, x))(b) == slope
