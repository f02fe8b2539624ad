"""Larger operations said by smaller ones: the same values, without a call of Python."""

import numpy as np
import pytest

import wengert as wg

SHAPES = (((3,), (3,)), ((4, 3), (3,)), ((3,), (4, 3)), ((2, 1, 3), (4, 3)), ((0, 3), (3,)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_vector_products(left, right, dtype):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(left).astype(dtype), rng.standard_normal(right).astype(dtype)
    compiled = wg.jit(np.cross)
    np.testing.assert_array_equal(compiled(a, b), np.cross(a, b))
    assert not compiled.report(a, b).host_calls
    hessian = wg.hessian(lambda a, b: np.sum(np.sin(np.cross(a, b))))
    tolerance = 1e-12 if dtype is np.float64 else 1e-4
    np.testing.assert_allclose(wg.jit(hessian)(a, b), hessian(a, b), rtol=tolerance, atol=tolerance)


def test_the_derivative_of_a_vector_product_has_strong_zeros():
    a, b, ct = np.array([np.inf, 1.0, 2.0]), np.array([0.5, 0.0, 3.0]), np.array([0.0, 0.0, 1.0])
    pulled = lambda a, b, ct: wg.vjp(np.cross, a, b)[1](ct)
    with np.errstate(invalid="ignore"):
        for got, want in zip(wg.jit(pulled)(a, b, ct), pulled(a, b, ct), strict=True):
            np.testing.assert_array_equal(got, want)
            assert not np.isnan(got).any()
