"""Running sums and products, recurrences and differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import wengert as wg
from wengert.primitives.cumulative import recurrence
from wengert.testing.programs import check_bits, check_derivatives, check_program

RNG = np.random.default_rng(1)
MATRIX = RNG.standard_normal((3, 4))
RUNNING = [np.cumsum, np.cumprod]
ZEROS = [[], [1], [0, 2], [1, 2, 3]]


@pytest.mark.parametrize("function", RUNNING, ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [None, 0, 1, -1], ids=str)
def test_running(function, axis):
    check_program(lambda x: function(x, axis=axis), MATRIX)
    check_program(lambda x: function(x, axis=axis), MATRIX + 1j * MATRIX[::-1])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_value_is_numpy_s(data):
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    axis = data.draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    function = data.draw(st.sampled_from([*RUNNING, np.nancumsum, np.nancumprod]))
    x = np.random.default_rng(2).standard_normal(shape).astype(data.draw(st.sampled_from("efdFD")))
    check_bits(lambda x: function(x, axis=axis), x)
    check_bits(lambda x: function(x, axis=axis, dtype="complex128"), x)


@pytest.mark.parametrize("zeros", ZEROS, ids=str)
def test_product_with_zeros_to_third_order(zeros):
    x = np.array([2.0, -3, 5, 0.5])
    x[zeros] = 0

    def exact(k, *places):
        if len(set(places)) < len(places) or max(places) > k:
            return 0.0
        return np.prod(np.delete(x[: k + 1], places))

    n = range(4)
    first, second = wg.jacobian(np.cumprod), wg.jacobian(wg.jacobian(np.cumprod))
    np.testing.assert_allclose(first(x), [[exact(k, i) for i in n] for k in n], rtol=1e-14)
    np.testing.assert_allclose(second(x), [[[exact(k, i, j) for j in n] for i in n] for k in n], rtol=1e-14)
    third = wg.jacobian(second)(x)
    np.testing.assert_allclose(third, [[[[exact(k, *p) for p in ((i, j, m) for m in n)] for j in n] for i in n] for k in n], rtol=1e-14)


def test_long_product_forward_and_reverse():
    x = np.random.default_rng(3).uniform(0.9, 1.1, 1000)
    x[400] = 0
    step = np.cumprod(x + 1e-30j * np.linspace(0.1, 1, 1000)).imag / 1e-30
    np.testing.assert_allclose(wg.jvp(np.cumprod, (x,), (np.linspace(0.1, 1, 1000),))[1], step, rtol=1e-11)
    ct = np.random.default_rng(4).standard_normal(1000)
    pulled = wg.vjp(np.cumprod, x)[1](ct)[0]
    assert abs(pulled @ np.linspace(0.1, 1, 1000) - ct @ step) < 1e-11


@pytest.mark.parametrize("n", [1, 5, 127, 128, 129, 300])
def test_recurrence_is_its_loop(n):
    a, b = RNG.standard_normal((2, 2, n))
    right = b.copy()
    for k in range(1, n):
        right[:, k] += a[:, k] * right[:, k - 1]
    np.testing.assert_allclose(recurrence(a, b), right, rtol=1e-10)
    ct = RNG.standard_normal((2, n))
    pulled = wg.vjp(recurrence, a, b)[1](ct)
    da, db = RNG.standard_normal((2, 2, n)) / 100
    pushed = wg.jvp(recurrence, (a, b), (da, db))[1]
    step = right.astype(complex) * 0
    z, w = a + 1e-30j * da, b + 1e-30j * db
    step[:, 0] = w[:, 0]
    for k in range(1, n):
        step[:, k] = w[:, k] + z[:, k] * step[:, k - 1]
    np.testing.assert_allclose(pushed, step.imag / 1e-30, rtol=1e-8, atol=1e-10 * np.abs(step.imag / 1e-30).max())
    np.testing.assert_allclose(np.sum(ct * pushed), np.sum(pulled[0] * da) + np.sum(pulled[1] * db), rtol=1e-8)


def test_a_zero_stops_an_overflow():
    x = np.array([1e200, 0.0, 1e200, 1e200])
    np.testing.assert_array_equal(wg.jvp(np.cumprod, (x,), (np.array([1.0, 0, 0, 0]),))[1], [1, 0, 0, 0])


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64"])
def test_integers_in_a_batch(dtype):
    x = (np.abs(MATRIX) * 2).astype(dtype)
    for function in RUNNING:
        np.testing.assert_array_equal(wg.vmap(function)(x), np.stack([function(v) for v in x]), strict=True)


# --- the array API's names ---------------------------------------------------------------------------------------------------

NEW = [f for f in ("cumulative_sum", "cumulative_prod") if hasattr(np, f)]


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("include_initial", [False, True])
def test_cumulative(name, include_initial):
    function = getattr(np, name)
    check_program(lambda x: function(x, axis=-2, include_initial=include_initial), MATRIX)
    check_program(lambda x: function(x, include_initial=include_initial), MATRIX[0])
    check_bits(lambda x: function(x[0, 0], include_initial=include_initial), MATRIX)
    with pytest.raises(ValueError, match="axis"):
        wg.grad(lambda x: np.sum(function(x)))(MATRIX)


@pytest.mark.parametrize("function", RUNNING, ids=lambda f: f.__name__)
def test_out(function):
    def program(x):
        out = np.zeros_like(x)
        last = out[-1]
        function(x, axis=1, out=out)
        return last * 2, out

    check_program(program, MATRIX)
    with pytest.raises(np.exceptions.AxisError):
        wg.grad(lambda x: np.sum(function(x, axis=2)))(MATRIX)


# --- differences ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("axis", [0, -1])
def test_diff(n, axis):
    check_bits(lambda x: np.diff(x, n, axis), MATRIX)
    check_derivatives(lambda x: np.diff(x, n, axis) ** 2, MATRIX)


def test_diff_with_ends():
    check_program(lambda x, a, b: np.diff(x, axis=0, prepend=a, append=b), MATRIX, MATRIX[:2], np.float64(0.5))
    check_bits(lambda x: np.diff(x, prepend=0), MATRIX)
    np.testing.assert_array_equal(wg.vmap(np.diff)(MATRIX > 0), np.diff(MATRIX > 0), strict=True)
    for bad in (lambda x: np.diff(x, -1), lambda x: np.diff(x[0, 0]), lambda x: np.diff(x, axis=3)):
        with pytest.raises(ValueError):
            wg.grad(lambda x, bad=bad: np.sum(bad(x)))(MATRIX)


def test_ediff1d():
    check_program(lambda x: np.ediff1d(x), MATRIX)
    check_program(lambda x, end: np.ediff1d(x, to_end=end, to_begin=[1, 2]), MATRIX, np.array([3.0, 4]))
    check_bits(lambda x: np.ediff1d(x, to_begin=7), MATRIX)
    with pytest.raises(TypeError, match="same_kind"):
        wg.grad(lambda x: np.sum(np.ediff1d(x, to_end=1j)))(MATRIX)


@pytest.mark.parametrize("function", RUNNING, ids=lambda f: f.__name__)
def test_sparse_jacobian_is_a_triangle(function):
    jacobian = wg.jacobian(lambda x: function(x, axis=1), sparse=True)(MATRIX)
    assert jacobian.nnz == 3 * (4 * 5 // 2)
    np.testing.assert_allclose(jacobian.toarray(), wg.jacobian(lambda x: function(x, axis=1))(MATRIX).reshape(12, 12), rtol=1e-14)
