"""Medians, percentiles and quantiles."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import wengert as wg
from wengert.testing.programs import check_bits, check_derivatives, check_program

RNG = np.random.default_rng(4)
CUBE = (RNG.permutation(24) / 7 + 0.05 * RNG.random(24) - 1.7).reshape(2, 3, 4)  # no two are near each other
GAPS = CUBE.copy()
GAPS[0, 1, 2] = GAPS[1, 2, 0] = np.nan
CONTINUOUS = ["interpolated_inverted_cdf", "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased"]
JUMPING = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "lower", "higher", "midpoint", "nearest"]
AXES = [None, 0, -1, (0, 2), ()]


def quietly(program):
    """The same without NumPy's warnings of NaN."""

    def run(*args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return program(*args)

    return run


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_median(axis, keepdims):
    check_program(lambda x: np.median(x, axis, keepdims=keepdims), CUBE)
    check_bits(lambda x: np.median(x, axis, keepdims=keepdims), CUBE + 1j * CUBE[::-1])
    check_bits(quietly(lambda x: np.median(x, axis, keepdims=keepdims)), GAPS)
    check_bits(quietly(lambda x: np.nanmedian(x, axis, keepdims=keepdims)), GAPS)


def test_complex_median():
    z = CUBE + 1j * CUBE[::-1]
    check_program(lambda x: np.median(x, axis=1), z)
    check_program(lambda x: np.nanmedian(x, axis=0), z)


@pytest.mark.parametrize("method", CONTINUOUS + JUMPING)
def test_methods(method):
    q = np.array([0.13, 0.5, 0.77])
    check_derivatives(lambda x: np.quantile(x, q, 1, method=method), CUBE)
    check_derivatives(lambda x: np.nanquantile(np.where(np.isnan(GAPS), np.nan, x), q, 1, method=method), CUBE)
    check_program(lambda x: np.percentile(x, 30, method=method) ** 2, CUBE)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_value_is_numpy_s(data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), max_size=len(shape))) if shape else set()
    axis = data.draw(st.sampled_from([None, tuple(axes)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    x = rng.integers(-3, 4, shape).astype(data.draw(st.sampled_from("efd")))
    x = np.where(rng.random(shape) < data.draw(st.sampled_from([0, 0.2])), x.dtype.type(np.nan), x)
    q = data.draw(st.sampled_from([0.3, 0, 1, 1.0, np.float32(0.25), [0.1, 0.5, 1.0], np.array([0.2], "f"), []]))
    more = {"method": data.draw(st.sampled_from(CONTINUOUS + JUMPING)), "keepdims": data.draw(st.booleans())}
    check_bits(quietly(lambda x: np.quantile(x, q, axis, **more)), x)
    check_bits(quietly(lambda x: np.nanquantile(x, q, axis, **more)), x)
    hundred = 100 * q if isinstance(q, (int, float)) else np.multiply(q, 100)
    check_bits(quietly(lambda x: np.percentile(x, hundred, axis, **more)), x)
    check_bits(quietly(lambda x: np.nanpercentile(x, hundred, axis, **more)), x)


def test_two_axes_of_probabilities():
    q = np.array([[0.1, 0.4], [0.5, 1]])
    check_program(lambda x: np.quantile(x, q, axis=1, keepdims=True), CUBE)
    with pytest.raises(ValueError, match="scalar or 1d"):
        wg.grad(lambda x: np.sum(np.quantile(x, q[None])))(CUBE)


# --- what is picked --------------------------------------------------------------------------------------------------------------


def test_median_picks_and_halves():
    np.testing.assert_array_equal(wg.grad(np.median)(np.array([3.0, 1, 2])), [0, 0, 1])
    np.testing.assert_array_equal(wg.grad(np.median)(np.array([3.0, 1, 2, 9])), [0.5, 0, 0.5, 0])
    np.testing.assert_array_equal(wg.grad(np.median)(np.array([2.0, 2, 2])), [0, 1, 0])  # the stable permutation
    assert wg.grad(np.median)(7.0) == 1
    assert not wg.hessian(np.median)(np.array([2.0, 2, 1, 5])).any()


def test_nan():
    x = np.array([4.0, np.nan, 1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        np.testing.assert_array_equal(wg.grad(np.median)(x), [0, 1, 0, 0])
        np.testing.assert_array_equal(wg.grad(lambda x: np.quantile(x, 0.3))(x), [0, 1, 0, 0])
        np.testing.assert_array_equal(wg.grad(np.nanmedian)(x), [0, 0, 0, 1])
        np.testing.assert_allclose(wg.grad(lambda x: np.nanquantile(x, 0.25))(x), [0, 0, 0.5, 0.5])
        nothing = np.full(3, np.nan)
        np.testing.assert_array_equal(wg.grad(np.nanmedian)(nothing).sum(), 1)


@pytest.mark.parametrize("function", [np.median, np.nanmedian], ids=lambda f: f.__name__)
def test_median_of_nothing(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        value, gradient = wg.value_and_grad(function)(np.zeros(0))
        check_bits(lambda x: function(x, axis=0), np.zeros((0, 3)))
        check_bits(lambda x: np.nanquantile(x, [0.2, 0.5], axis=1), np.zeros((3, 0)))
        with pytest.raises(IndexError):
            wg.vjp(lambda x: np.quantile(x, 0.5, axis=0), np.zeros((0, 3)))
    assert np.isnan(value) and gradient.shape == (0,)


def test_weights():
    w = RNG.random(CUBE.shape) + 0.1
    q = np.array([0.13, 0.5, 0.77])
    for axis in (None, 0, (1, 2)):
        check_program(lambda x: np.quantile(x, q, axis, method="inverted_cdf", weights=w), CUBE, batch=axis is None)
    check_bits(lambda x: np.percentile(x, 40, -1, method="inverted_cdf", weights=w[0, 0]), CUBE)
    check_bits(lambda x: np.nanquantile(x, 0.4, -1, method="inverted_cdf", weights=w), GAPS)
    gradient = wg.grad(lambda w: np.quantile(CUBE, 0.4, method="inverted_cdf", weights=w), on_disconnected="zero")(w)
    assert not gradient.any()
    found = wg.vmap(lambda x, w: np.quantile(x, 0.4, 0, method="inverted_cdf", weights=w))(CUBE, w)
    np.testing.assert_array_equal(found, [np.quantile(x, 0.4, 0, method="inverted_cdf", weights=v) for x, v in zip(CUBE, w)])


# --- the derivative by q -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", CONTINUOUS)
def test_derivative_by_q(method):
    q = np.array([0.31, 0.47, 0.83])
    check_derivatives(lambda q: np.quantile(CUBE, q, axis=1, method=method), q)
    check_derivatives(lambda q: np.quantile(CUBE, q, axis=-1, method=method, keepdims=True), np.array(0.61))
    check_derivatives(lambda q: np.percentile(CUBE, q, axis=1, method=method), 100 * q)
    check_derivatives(lambda x, q: np.nanquantile(np.where(np.isnan(GAPS), np.nan, x), q, axis=2, method=method), CUBE, q)


@pytest.mark.parametrize("method", JUMPING)
def test_methods_that_jump_do_not_move_with_q(method):
    assert wg.grad(lambda q: np.quantile(CUBE, q, method=method), on_disconnected="zero")(0.3) == 0


def test_kinks_in_q_are_means():
    x = np.array([0.0, 1, 3, 7])
    slope = wg.grad(lambda q: np.quantile(x, q))
    np.testing.assert_allclose([slope(q) for q in (0.0, 0.2, 1 / 3, 0.5, 2 / 3, 1.0)], [3, 3, 4.5, 6, 9, 12])
    hazen = wg.grad(lambda q: np.quantile(x, q, method="hazen"))
    np.testing.assert_allclose([hazen(q) for q in (0.0, 0.1, 0.125, 0.2, 0.875, 0.9)], [0, 0, 2, 4, 8, 0])
    mixed = wg.grad(lambda q: wg.grad(lambda x: np.quantile(x, q))(x)[1])
    np.testing.assert_allclose([mixed(q) for q in (0.2, 1 / 3, 0.5)], [3, 0, -3], atol=1e-15)


def test_batched_q():
    q = np.array([0.1, 0.5, 0.9])
    np.testing.assert_array_equal(wg.vmap(lambda q: np.quantile(CUBE, q, 0))(q), np.quantile(CUBE, q, 0))
    rows = CUBE[0]
    np.testing.assert_array_equal(wg.vmap(lambda x, q: np.quantile(x, q))(rows, q), [np.quantile(x, p) for x, p in zip(rows, q)])
    found = wg.vmap(wg.grad(lambda x, q: np.quantile(x, q), (0, 1)))(rows, q)
    right = [wg.grad(lambda x, q: np.quantile(x, q), (0, 1))(x, p) for x, p in zip(rows, q)]
    for k in range(2):
        np.testing.assert_allclose(found[k], [r[k] for r in right], rtol=1e-14)


def test_shift_invariance():
    gradient = wg.grad(lambda x: np.sum(np.quantile(x, [0.05, 0.3, 0.95], axis=0) * np.array([[1.0], [2], [4]])))
    np.testing.assert_allclose(gradient(CUBE[0]).sum(0), 7)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.quantile(x, 1.5),
        lambda x: np.percentile(x, 101),
        lambda x: np.percentile(x, [-1, 50]),
        lambda x: np.quantile(x, 0.5, axis=3),
        lambda x: np.quantile(x, 0.5, method="best"),
        lambda x: np.quantile(x, 0.5, weights=np.ones(24).reshape(x.shape)),
        lambda x: np.quantile(x, 0.5, method="inverted_cdf", weights=-np.ones(24).reshape(x.shape)),
        lambda x: np.quantile(x, 0.5, method="inverted_cdf", weights=np.ones(3)),
        lambda x: np.quantile(x * 1j, 0.5).real,
        lambda x: np.median(x, axis=(0, 0)),
    ],
)
def test_numpy_s_errors(call):
    with pytest.raises((ValueError, TypeError)) as plain:
        call(CUBE)
    with pytest.raises(plain.type):
        wg.grad(lambda x: np.sum(call(x)))(CUBE)


def test_out():
    def program(x):
        out = np.zeros_like(x, shape=(2, 2, 4))
        first = out[0]
        np.quantile(x, [0.2, 0.6], axis=1, out=out)
        middle = np.zeros_like(x, shape=(2, 4))
        np.median(x, axis=1, out=middle)
        return first * 2, out, middle

    check_program(program, CUBE)


def test_integers_in_a_batch():
    x = RNG.integers(0, 9, (3, 5)).astype("int16")
    np.testing.assert_array_equal(wg.vmap(np.median)(x), np.median(x, axis=1), strict=True)
    np.testing.assert_array_equal(wg.vmap(lambda x: np.quantile(x, 0.3))(x), np.quantile(x, 0.3, axis=1), strict=True)
