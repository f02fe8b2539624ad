"""Reductions that leave NaN out."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import wengert as wg
from wengert.testing.programs import check_bits, check_program

RNG = np.random.default_rng(5)
CUBE = RNG.standard_normal((2, 3, 4))
IS_GAP = np.zeros(CUBE.shape, bool)
IS_GAP[0, 1, 2] = IS_GAP[1, 2, 0] = IS_GAP[1, 0, 0] = True
GAPS = np.where(IS_GAP, np.nan, CUBE)
MASK = RNG.random(CUBE.shape) < 0.7
MASK[:, :2] = True
FUNCTIONS = [np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd]
MEANS = [np.nanmean, np.nanvar, np.nanstd]


def quietly(program):
    """The same without NumPy's warnings of NaN."""

    def run(*args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return program(*args)

    return run


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [None, 1, -1, (0, 2)], ids=str)
def test_axes(function, axis):
    check_program(lambda x: function(np.where(IS_GAP, np.nan, x), axis=axis, keepdims=True), CUBE)
    check_bits(lambda x: function(x, axis=axis), GAPS)


@pytest.mark.parametrize("function", [np.nansum, np.nanprod, *MEANS], ids=lambda f: f.__name__)
def test_complex(function):
    z = CUBE + 1j * RNG.standard_normal(CUBE.shape)
    check_program(lambda x: function(np.where(IS_GAP, np.nan, x), axis=1), z)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_value_is_numpy_s(data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))
    function = data.draw(st.sampled_from(FUNCTIONS))
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1), max_size=len(shape))) if shape else set()
    axis = data.draw(st.sampled_from([None, tuple(axes)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    x = (rng.standard_normal(shape) * 3).astype(data.draw(st.sampled_from("efdFD")))
    x = np.where(rng.random(shape) < data.draw(st.sampled_from([0.3, 1])), x.dtype.type(np.nan), x)
    more = {"keepdims": data.draw(st.booleans())}
    if data.draw(st.booleans()):
        more["where"] = rng.random(shape) < 0.7
        if function in (np.nanmax, np.nanmin):
            more["initial"] = 0.5
    check_bits(quietly(lambda x: function(x, axis=axis, **more)), x)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_gaps_have_gradient_zero(function):
    for axis in (None, 1):
        gradient = wg.grad(lambda x, axis=axis: np.sum(function(x, axis=axis)))(GAPS)
        right = wg.grad(lambda x, axis=axis: np.sum(function(np.where(IS_GAP, np.nan, x), axis=axis)))(CUBE)
        np.testing.assert_array_equal(gradient, right)
        assert not gradient[IS_GAP].any() and np.isfinite(gradient).all()
        assert np.isfinite(wg.hessian(lambda x, axis=axis: np.sum(function(x, axis=axis)))(GAPS)).all()


@pytest.mark.parametrize("function", [np.nancumsum, np.nancumprod], ids=lambda f: f.__name__)
def test_running(function):
    check_program(lambda x: function(np.where(IS_GAP, np.nan, x), axis=2), CUBE)
    check_program(lambda x: function(np.where(IS_GAP, np.nan, x)), CUBE)


@pytest.mark.parametrize("function", [np.nanmax, np.nanmin], ids=lambda f: f.__name__)
def test_extremes(function):
    tied = np.array([2.0, np.nan, 2, 2])
    np.testing.assert_array_equal(wg.grad(function)(tied), np.array([1, 0, 1, 1]) / 3)
    check_program(lambda x: function(np.where(IS_GAP, np.nan, x), axis=1, initial=0.1, where=MASK), CUBE)
    with pytest.raises(ValueError, match="initial"):
        wg.grad(lambda x: np.sum(function(x, axis=1, where=MASK)))(CUBE)
    x = (np.abs(CUBE) * 3).astype("int16")
    for more in ({}, {"initial": 2, "where": MASK[0]}):
        found = wg.vmap(lambda x: function(x, axis=1, **more))(x)
        np.testing.assert_array_equal(found, [function(v, axis=1, **more) for v in x], strict=True)


@pytest.mark.parametrize("function", MEANS, ids=lambda f: f.__name__)
def test_where_dtype_out(function):
    check_program(lambda x: function(np.where(IS_GAP, np.nan, x), axis=1, where=MASK), CUBE)
    check_bits(lambda x: function(x, axis=0, dtype=np.float64), np.where(GAPS > 1, np.nan, CUBE)[:, :1].astype("float32") * 0)
    check_bits(lambda x: function(x.astype("float32"), dtype="float64") if isinstance(x, np.ndarray) else function(x, dtype="float64"), GAPS.astype("float32"))

    def program(x):
        out = np.zeros_like(x, shape=(2, 4))
        row = out[1]
        function(np.where(IS_GAP, np.nan, x), axis=1, out=out)
        return out * 2, row

    check_program(program, CUBE)
    for more in ({"dtype": int}, {"out": np.zeros((), int)}):
        with pytest.raises(TypeError, match="inexact"):
            wg.grad(lambda x, more=more: function(x, **more))(GAPS)


@pytest.mark.parametrize("function", [np.nanvar, np.nanstd], ids=lambda f: f.__name__)
def test_degrees_of_freedom(function):
    for more in ({"ddof": 1}, {"correction": 1}, {"ddof": 0.5, "where": MASK}):
        check_program(lambda x, more=more: function(np.where(IS_GAP, np.nan, x), axis=-1, **more), CUBE + 3)
    check_program(lambda x, m: function(np.where(IS_GAP, np.nan, x), axis=1, mean=m), CUBE, np.nanmean(GAPS, 1, keepdims=True) + 0.1)
    with pytest.raises(ValueError, match="simultaneously"):
        wg.grad(lambda x: function(x, ddof=1, correction=1))(CUBE)
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isnan(wg.value_and_grad(lambda x: function(x, ddof=3))(np.array([1.0, np.nan, 2]))[0])


def test_standard_deviation_of_a_constant():
    x = np.array([2.0, np.nan, 2, 2])
    assert not wg.grad(np.nanstd)(x).any()
    assert wg.jvp(np.nanstd, (x,), (np.ones(4),))[1] == 0


@pytest.mark.parametrize("function", [np.nanmean, np.nanmax, np.nanmin], ids=lambda f: f.__name__)
def test_nothing_but_nan_warns_as_numpy_does(function):
    with pytest.warns(RuntimeWarning):
        value, gradient = wg.value_and_grad(lambda x: function(x))(np.full(3, np.nan))
    assert np.isnan(value) and gradient.shape == (3,)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_integers_in_a_batch(function):
    x = (np.abs(CUBE) * 3).astype("uint8")
    np.testing.assert_array_equal(wg.vmap(lambda x: function(x, axis=0))(x), np.stack([function(v, axis=0) for v in x]), strict=True)
