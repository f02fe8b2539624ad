"""Sums, products and extremes along axes."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import wengert as wg
from wengert.testing.programs import check_bits, check_derivatives, check_program

RNG = np.random.default_rng(0)
CUBE = RNG.standard_normal((2, 3, 4))
MASK = RNG.random((2, 3, 4)) < 0.6
REDUCTIONS = [np.sum, np.prod, np.max, np.min]
AXES = [None, 0, -1, (0, 2), (-1, 1), ()]


@pytest.mark.parametrize("function", [*REDUCTIONS, np.ptp], ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_axes(function, axis):
    check_program(lambda x: function(x, axis=axis) ** 2, CUBE)


@pytest.mark.parametrize("function", [np.sum, np.prod], ids=lambda f: f.__name__)
def test_complex(function):
    z = CUBE + 1j * RNG.standard_normal(CUBE.shape)
    check_program(lambda x: function(x, axis=1), z)
    check_program(lambda x: function(x, axis=(0, 1), initial=2j, where=MASK), z)


@pytest.mark.parametrize("function", [np.max, np.min], ids=lambda f: f.__name__)
def test_complex_extremes_are_ordered_by_their_parts(function):
    z = CUBE + 1j * RNG.standard_normal(CUBE.shape)
    check_program(lambda x: function(x, axis=1) ** 2, z)
    check_program(lambda x: function(x, axis=(0, 1), initial=0.1 + 1j, where=MASK), z)
    tied = np.array([1 + 2j, 1 + 1j, 1 + 2j, 1 + 1j])
    picked = [0.5, 0, 0.5, 0] if function is np.max else [0, 0.5, 0, 0.5]
    np.testing.assert_array_equal(wg.grad(lambda x: function(x).real)(tied), picked)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_value_is_numpy_s(data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    function = data.draw(st.sampled_from(REDUCTIONS))
    keepdims = data.draw(st.booleans())
    axes = data.draw(st.sets(st.integers(0, max(len(shape) - 1, 0)), max_size=len(shape))) if shape else set()
    axis = data.draw(st.sampled_from([None, tuple(axes), tuple(k - len(shape) for k in axes)]))
    dtype = data.draw(st.sampled_from("efdFD"))
    x = (np.random.default_rng(1).standard_normal(shape) * 3).astype(dtype)
    with np.errstate(over="ignore"):  # a product of 64 numbers of half precision may be too large, and NumPy says so
        if function in (np.max, np.min) and 0 in shape:
            check_bits(lambda x: function(x, axis=axis, keepdims=keepdims, initial=1), x)
        else:
            check_bits(lambda x: function(x, axis=axis, keepdims=keepdims), x)


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [None, 1, (0, -1)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_initial_and_where(function, axis, keepdims):
    check_bits(lambda x: function(x, axis=axis, initial=0.5, keepdims=keepdims), CUBE)
    check_program(lambda x: function(x, axis=axis, initial=0.5, where=MASK, keepdims=keepdims), CUBE)
    check_program(lambda x, first: function(x, axis=axis, initial=first, where=MASK[0]), CUBE, np.float64(0.3))


@pytest.mark.parametrize("function", [np.sum, np.prod], ids=lambda f: f.__name__)
def test_where_alone(function):
    check_program(lambda x: function(x, axis=1, where=MASK), CUBE)
    check_bits(lambda x: function(x, where=MASK[0, 0]), CUBE)


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda f: f.__name__)
def test_batched_mask(function):
    found = wg.vmap(lambda x, m: function(x, axis=0, initial=0.5, where=m))(CUBE, MASK)
    np.testing.assert_array_equal(found, [function(x, axis=0, initial=0.5, where=m) for x, m in zip(CUBE, MASK)])


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64"])
def test_dtype(dtype):
    x = np.linspace(0.1, 2, 20000).astype("float32")
    check_bits(lambda x: np.sum(x, dtype=dtype), x)
    check_bits(lambda x: np.prod(x[:20], dtype=dtype), x)
    if dtype != "int64":
        gradient = wg.grad(lambda x: np.sum(np.sum(np.sqrt(x), dtype=dtype).real))(x)
        assert gradient.dtype == "float32"
        np.testing.assert_allclose(gradient, 0.5 / np.sqrt(x), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "float16"])
@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda f: f.__name__)
def test_integers_in_a_batch(function, dtype):
    x = (np.abs(CUBE) * 2).astype(dtype)
    for more in ({}, {"initial": 1, "where": MASK[0]}):
        found = wg.vmap(lambda x: function(x, axis=-1, **more))(x)
        np.testing.assert_array_equal(found, np.stack([function(v, axis=-1, **more) for v in x]), strict=True)


# --- ties, zeros, NaN ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "sign"), [(np.max, 1), (np.min, -1)])
def test_ties_share_equally(function, sign):
    x = sign * np.array([[3.0, 1, 3], [0, 3, 2]])
    np.testing.assert_array_equal(wg.grad(function)(x), np.array([[1, 0, 1], [0, 1, 0]]) / 3)
    np.testing.assert_array_equal(wg.jvp(function, (x,), (np.ones((2, 3)),))[1], 1)
    rows = wg.grad(lambda x: np.sum(function(x, axis=1) * np.array([2.0, 1])))(x)
    np.testing.assert_array_equal(rows, [[1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(wg.grad(lambda x: function(x, axis=(0, 1), initial=sign * 3.0))(x), np.array([[1, 0, 1], [0, 1, 0]]) / 4)
    assert wg.grad(lambda x, first: function(x, initial=first), (0, 1))(x, sign * 3.0)[1] == 0.25
    assert not wg.hessian(function)(x).any()


@pytest.mark.parametrize("function", [np.max, np.min], ids=lambda f: f.__name__)
def test_nan_gets_the_gradient(function):
    x = np.array([1.0, np.nan, 3, np.nan])
    np.testing.assert_array_equal(wg.grad(function)(x), [0, 0.5, 0, 0.5])
    rows = np.array([[1.0, 5], [np.nan, 2]])
    picked = [[0, 1], [1, 0]] if function is np.max else [[1, 0], [1, 0]]
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(function(x, axis=1)))(rows), picked)


def _product_derivative(x, *places):
    """The derivative of the product by entries, all of them different: the product of the others."""
    return np.prod(np.delete(x, places)) if len(set(places)) == len(places) else 0.0


@pytest.mark.parametrize("zeros", [[], [1], [0, 2], [0, 1, 3]], ids=str)
def test_product_with_zeros_to_third_order(zeros):
    x = np.array([2.0, -3, 5, 7, 0.5])
    x[zeros] = 0
    n = range(5)
    np.testing.assert_allclose(wg.grad(np.prod)(x), [_product_derivative(x, i) for i in n], rtol=1e-14)
    np.testing.assert_allclose(wg.hessian(np.prod)(x), [[_product_derivative(x, i, j) for j in n] for i in n], rtol=1e-14)
    third = wg.jacobian(wg.hessian(np.prod))(x)
    np.testing.assert_allclose(third, [[[_product_derivative(x, i, j, k) for k in n] for j in n] for i in n], rtol=1e-14)


def test_product_over_axes_with_zeros():
    x = CUBE.copy()
    x[0, 1, 2] = x[1, 0, 0] = x[1, 2, 0] = 0
    check_derivatives(lambda x: np.prod(x, axis=(0, 2)), x)
    check_derivatives(lambda x: np.prod(x, axis=1, where=MASK, initial=0.5), x)


def test_long_product():
    x = np.ones(5000)
    x[1234] = 0
    gradient = wg.grad(np.prod)(x)
    assert gradient[1234] == 1
    assert np.count_nonzero(gradient) == 1


def test_sum_of_a_list():
    assert wg.grad(lambda x: np.sum(np.array(x, like=x) if isinstance(x, list) else x))(np.ones(2)).tolist() == [1, 1]


# --- shapes, out, errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda f: f.__name__)
def test_scalars_and_empty_arrays(function):
    assert wg.grad(lambda x: function(x) ** 2)(3.0) == 6
    assert wg.grad(lambda x: np.sum(function(x, axis=0)))(np.zeros((3, 0))).shape == (3, 0)
    assert wg.grad(lambda x: function(x, initial=2.0))(np.zeros(0)).shape == (0,)


def test_empty_sum_and_product():
    assert np.array_equal(wg.jacobian(lambda x: np.sum(x, axis=1))(np.zeros((2, 0))), np.zeros((2, 2, 0)))
    assert wg.value_and_grad(np.prod)(np.zeros(0))[0] == 1


@pytest.mark.parametrize("function", [*REDUCTIONS, np.ptp], ids=lambda f: f.__name__)
def test_out(function):
    def program(x):
        out = np.zeros_like(x, shape=(2, 4))
        view = out[0]
        result = function(x, axis=1, out=out)
        assert operator.is_(result, out)
        return view * 1.0, result * 2

    check_program(program, CUBE)


def test_out_into_a_plain_array():
    with pytest.raises(TypeError, match="traced"):
        wg.grad(lambda x: np.sum(np.sum(x, axis=0, out=np.zeros(3))))(np.ones((2, 3)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sum(x, axis=3),
        lambda x: np.max(x, axis=(0, 0)),
        lambda x: np.prod(x, axis=-4),
        lambda x: np.max(x[:0]),
        lambda x: np.min(x, axis=0, where=MASK),
        lambda x: np.sum(x, axis=0, where=np.ones((9, 9), bool)),
        lambda x: np.sum(x, axis=0, out=np.zeros_like(x, shape=7)),
    ],
)
def test_numpy_s_errors(call):
    with pytest.raises(ValueError):
        call(CUBE)
    with pytest.raises(ValueError):
        wg.grad(lambda x: np.sum(call(x)))(CUBE)


def test_nested_batches():
    x = RNG.standard_normal((2, 3, 4))
    for function in REDUCTIONS:
        found = wg.vmap(wg.vmap(wg.grad(lambda v: function(v) ** 3)))(x)
        np.testing.assert_allclose(found, [[wg.grad(lambda v: function(v) ** 3)(v) for v in rows] for rows in x], rtol=1e-13)


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda f: f.__name__)
def test_jacobian_of_rows(function):
    jacobian = wg.jacobian(lambda x: function(x, axis=-1))(CUBE)
    assert jacobian.shape == (2, 3, 2, 3, 4)
    own = np.einsum("ijijk->ijk", jacobian)
    assert np.count_nonzero(jacobian) == np.count_nonzero(own)
    np.testing.assert_allclose(own, wg.grad(lambda x: np.sum(function(x, axis=-1)))(CUBE), rtol=1e-14)


@pytest.mark.parametrize("function", [*REDUCTIONS, np.mean, np.median], ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [0, 1, (0, 2), -1], ids=str)
def test_sparse_jacobian(function, axis):
    sparse = wg.jacobian(lambda x: function(x, axis=axis) ** 2, sparse=True)(CUBE)
    dense = wg.jacobian(lambda x: function(x, axis=axis) ** 2)(CUBE)
    assert sparse.nnz == CUBE.size
    np.testing.assert_allclose(sparse.toarray(), dense.reshape(-1, CUBE.size), rtol=1e-14)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "ptp", "any", "all", "nansum", "nanmean", "nanvar", "mean", "std", "sort", "argsort", "median"])
def test_numbers_have_an_axis_for_ufuncs_only(name, axis):
    """NumPy reduces a number along an axis that it has not, where the reduction is one of a ufunc."""

    def program(x):
        return getattr(np, name)(x * 1.0, axis=axis)

    x = np.float64(2.5)
    try:
        wanted = program(x)
    except np.exceptions.AxisError:
        with pytest.raises(np.exceptions.AxisError):
            wg.jvp(program, (x,), (x,))
        return
    np.testing.assert_array_equal(wg.jvp(program, (x,), (x,))[0], wanted, strict=True)
