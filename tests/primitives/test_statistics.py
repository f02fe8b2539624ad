"""Means, variances, averages, covariances and correlations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import wengert as wg
from wengert.testing.programs import check_bits, check_derivatives, check_program

RNG = np.random.default_rng(3)
CUBE = RNG.standard_normal((2, 3, 4))
COMPLEX = CUBE + 1j * RNG.standard_normal(CUBE.shape)
MASK = RNG.random((2, 3, 4)) < 0.7
MASK[:, :2] = True
FUNCTIONS = [np.mean, np.var, np.std]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-2, 0)], ids=str)
def test_axes(function, axis):
    check_program(lambda x: function(x, axis=axis), CUBE)
    check_program(lambda x: function(x, axis=axis, keepdims=True), COMPLEX)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_value_is_numpy_s(data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))
    function = data.draw(st.sampled_from(FUNCTIONS))
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), max_size=len(shape))) if shape else set()
    axis = data.draw(st.sampled_from([None, tuple(axes)]))
    x = (np.random.default_rng(1).standard_normal(shape) * 3).astype(data.draw(st.sampled_from("efdFD")))
    more = {"keepdims": data.draw(st.booleans()), "where": np.broadcast_to(True, shape)}
    check_bits(lambda x: function(x, axis=axis, keepdims=more["keepdims"]), x)
    check_bits(lambda x: function(x, axis=axis, **more), x)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_long_arrays(function):
    for dtype in "efdF":
        check_bits(lambda x: function(x), np.linspace(-1, 3, 30000).astype(dtype))
    check_bits(lambda x: np.mean(x, dtype=float), np.linspace(-1, 3, 30000).astype("float32"))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [None, 1, (1, 2)], ids=str)
def test_where(function, axis):
    check_program(lambda x: function(x, axis=axis, where=MASK), CUBE)
    check_bits(lambda x: function(x, axis=axis, where=MASK, keepdims=True), COMPLEX)
    for dtype in "ef":
        check_bits(lambda x: function(x, axis=axis, where=MASK), CUBE.astype(dtype))
    found = wg.vmap(lambda x, m: function(x, axis=0, where=m))(CUBE, MASK)
    np.testing.assert_allclose(found, [function(x, axis=0, where=m) for x, m in zip(CUBE, MASK)], rtol=1e-14)


@pytest.mark.parametrize("function", [np.var, np.std], ids=lambda f: f.__name__)
def test_degrees_of_freedom(function):
    for more in ({"ddof": 1}, {"ddof": 0.5}, {"correction": 1}, {"correction": 1, "where": MASK}):
        check_program(lambda x, more=more: function(x, axis=1, **more), CUBE)
    with pytest.raises(ValueError, match="simultaneously"):
        wg.grad(lambda x: function(x, ddof=1, correction=1))(CUBE)


@pytest.mark.parametrize("function", [np.var, np.std], ids=lambda f: f.__name__)
def test_given_mean(function):
    check_program(lambda x, m: function(x, axis=1, mean=m), CUBE, np.mean(CUBE, 1, keepdims=True) + 0.1)
    check_bits(lambda x: function(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)), COMPLEX)


@pytest.mark.parametrize("x", [np.full(4, 1.5), np.zeros((2, 3)), np.array(7.0), np.full(3, 1 + 2j)], ids=str)
def test_standard_deviation_of_a_constant(x):
    assert np.array_equal(wg.grad(np.std)(x), np.zeros_like(x))
    assert wg.jvp(np.std, (x,), (np.ones_like(x),))[1] == 0
    assert np.array_equal(wg.grad(lambda x: np.sum(np.std(x, axis=-1)) if x.ndim else np.std(x))(x), np.zeros_like(x))
    assert np.array_equal(wg.grad(lambda x: np.std(x, where=np.ones(x.shape, bool)))(x), np.zeros_like(x))


def test_variance_of_a_constant_curves():
    hessian = wg.hessian(np.var)(np.full(3, 2.0))
    np.testing.assert_allclose(hessian, 2 / 3 * (np.eye(3) - 1 / 3), rtol=1e-14)


def test_variance_far_from_zero():
    x = 1e8 + np.array([1.0, 2, 4])
    np.testing.assert_allclose(wg.grad(np.var)(x), 2 / 3 * np.array([-4, -1, 5]) / 3, rtol=1e-7)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_integers_in_a_batch(function):
    for dtype in ("bool", "int8", "uint64"):
        x = (np.abs(CUBE) * 2).astype(dtype)
        np.testing.assert_array_equal(wg.vmap(lambda x: function(x, axis=-1))(x), np.stack([function(v, axis=-1) for v in x]), strict=True)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_dtype_and_out(function):
    x = CUBE.astype("float32")
    check_bits(lambda x: function(x, axis=1, dtype=np.float64), x)
    assert wg.grad(lambda x: np.sum(function(x, dtype="float64")))(x).dtype == "float32"

    def program(x):
        out = np.zeros_like(x, shape=(2, 4))
        row = out[1]
        function(x, axis=1, out=out)
        return out * 2, row

    check_program(program, CUBE)


def test_mean_of_nothing():
    with pytest.warns(RuntimeWarning):
        value, gradient = wg.value_and_grad(np.mean)(np.zeros(0))
    assert np.isnan(value) and gradient.shape == (0,)
    with pytest.warns(RuntimeWarning):
        assert np.isnan(wg.value_and_grad(lambda x: np.var(x, ddof=1))(np.ones(1))[0])
    assert wg.jacobian(lambda x: np.mean(x, axis=1))(np.zeros((0, 3))).shape == (0, 0, 3)
    for function, words in ((np.mean, "empty slice"), (np.var, "Degrees of freedom"), (np.std, "Degrees of freedom")):
        with pytest.warns(RuntimeWarning, match=words), np.errstate(invalid="ignore"):
            value, gradient = wg.value_and_grad(lambda x: function(x, where=x > 5))(np.ones(3))
        assert np.isnan(value) and gradient.shape == (3,)


# --- averages --------------------------------------------------------------------------------------------------------------------


def test_average():
    weights = RNG.random((2, 3, 4))
    check_program(lambda x, w: np.average(x, weights=w), CUBE, weights)
    check_program(lambda x, w: np.average(x, axis=1, weights=w, returned=True), CUBE, weights)
    check_program(lambda x, w: np.average(x, axis=-1, weights=w), CUBE, weights[0, 0])
    check_program(lambda x, w: np.average(x, axis=(2, 0), weights=w, keepdims=True), CUBE, weights[:, 0].T.copy())
    check_bits(lambda x: np.average(x, axis=0), CUBE)
    check_bits(lambda x: np.average(x, axis=0, returned=True), CUBE)
    check_bits(lambda w: np.average(np.arange(24).reshape(2, 3, 4), weights=w), weights)
    check_bits(lambda w: np.average(np.arange(3), weights=w), weights[0, :, 0].astype("float32"))


def test_average_errors():
    for wrong, error in ((np.ones(3), TypeError), (np.zeros((2, 3, 4)), ZeroDivisionError)):
        with pytest.raises(error):
            wg.grad(lambda x: np.average(x, weights=wrong))(CUBE)
    with pytest.raises(ValueError, match="consistent"):
        wg.grad(lambda x: np.sum(np.average(x, axis=0, weights=np.ones(3))))(CUBE)


# --- covariances -------------------------------------------------------------------------------------------------------------------

X, Y = RNG.standard_normal((3, 6)), RNG.standard_normal((2, 6))
COUNTS, IMPORTANCE = np.array([1, 2, 1, 3, 1, 1]), RNG.random(6)
SETTINGS = [
    {}, {"bias": True}, {"ddof": 0}, {"rowvar": False}, {"fweights": COUNTS}, {"aweights": IMPORTANCE},
    {"fweights": COUNTS, "aweights": IMPORTANCE, "ddof": 2},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_cov(settings):
    samples = X.T.copy() if "rowvar" in settings else X
    check_program(lambda x: np.cov(x, **settings), samples)
    check_bits(lambda x: np.cov(x, **settings), samples + 1j * samples[::-1])
    check_bits(lambda x: np.cov(x, dtype=np.float32, **settings), samples)


def test_cov_of_two():
    check_program(lambda x, y: np.cov(x, y), X, Y)
    check_program(lambda x, y: np.cov(x, y, rowvar=False), X.T.copy(), Y.T.copy())
    check_program(lambda x: np.cov(x), X[0])
    check_program(lambda w: np.cov(X, aweights=w), IMPORTANCE)


def test_cov_errors():
    for more, error in (({"ddof": 0.5}, ValueError), ({"fweights": IMPORTANCE}, TypeError), ({"aweights": -IMPORTANCE}, ValueError),
                        ({"aweights": np.ones(5)}, RuntimeError), ({"fweights": np.ones((2, 3), int)}, RuntimeError)):  # fmt: skip
        with pytest.raises(error):
            wg.grad(lambda x, more=more: np.sum(np.cov(x, **more)))(X)
    with pytest.raises(ValueError, match="2 dimensions"):
        wg.grad(lambda x: np.sum(np.cov(x)))(CUBE)
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"), np.errstate(all="ignore"):
        wg.vjp(lambda x: np.cov(x), X[:, :1])


def test_corrcoef():
    check_program(lambda x: np.corrcoef(x), X)
    check_program(lambda x, y: np.corrcoef(x, y), X, Y)
    check_bits(lambda x: np.corrcoef(x), X + 1j * X[::-1])
    check_derivatives(lambda x: np.corrcoef(x), X + 1j * RNG.standard_normal(X.shape), rtol=1e-5)
    check_bits(lambda x: np.corrcoef(x), X[0])
    check_bits(lambda x: np.corrcoef(x, rowvar=False, dtype=np.float32), X)


def test_perfect_correlation_is_a_maximum():
    x = np.array([1.0, 2, 4])
    curvature = wg.hessian(lambda y: np.corrcoef(x, y)[0, 1])(2 * x)
    assert np.abs(wg.grad(lambda y: np.corrcoef(x, y)[0, 1])(2 * x)).max() < 1e-15
    centred = x - x.mean()
    norm = centred @ centred
    right = -(np.eye(3) - 1 / 3 - np.outer(centred, centred) / norm) / (4 * norm)
    np.testing.assert_allclose(curvature, right, rtol=1e-10, atol=1e-15)
