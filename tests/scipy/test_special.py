"""`wengert.scipy.special`: SciPy's namespace, with those functions that do not pass traced arrays on."""

import mpmath
import numpy as np
import pytest
import scipy.special
from mpmath import mp

import wengert as wg
from wengert.errors import LostDerivativeError
from wengert.scipy import special

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4))
B = RNG.standard_normal((3, 4))
INF = np.inf


def traced(f, *xs):
    """The value of `f` on traced arrays."""
    return wg.vjp(f, *xs)[0]


def differences(f, x, step=1e-6):
    """Central differences of a scalar function of plain arrays."""
    out = np.zeros(x.shape)
    for k in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[k] += sign * step
            ends.append(f(moved))
        out[k] = (ends[0] - ends[1]) / (2 * step)
    return out


# --- the namespace ------------------------------------------------------------------------------------------------------


def test_every_name_of_scipy_is_there():
    ours = {"log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax"}
    assert set(special.__all__) == set(scipy.special.__all__)
    assert all(getattr(special, name) is getattr(scipy.special, name) for name in special.__all__ if name not in ours)
    assert set(special.__all__) <= set(dir(special))


def test_plain_arguments_give_scipys_own_results():
    assert special.logsumexp([1, 2]) == scipy.special.logsumexp([1, 2])
    np.testing.assert_array_equal(special.softmax([1.0, 2.0]), scipy.special.softmax([1.0, 2.0]))
    np.testing.assert_array_equal(special.log_softmax(A, axis=1), scipy.special.log_softmax(A, axis=1))
    np.testing.assert_array_equal(special.polygamma([0, 1], 2.0), scipy.special.polygamma([0, 1], 2.0))
    assert special.multigammaln(5.0, 3) == scipy.special.multigammaln(5.0, 3)


def test_scipys_own_functions_advise_ours():
    for name, call in (
        ("logsumexp", lambda x: scipy.special.logsumexp(x)),
        ("softmax", lambda x: np.sum(scipy.special.softmax(x, axis=0))),
        ("log_softmax", lambda x: np.sum(scipy.special.log_softmax(x))),
        ("polygamma", lambda x: np.sum(scipy.special.polygamma(1, x))),
        ("multigammaln", lambda x: np.sum(scipy.special.multigammaln(x, 1))),
    ):
        with pytest.raises(LostDerivativeError, match=f"from wengert.scipy.special import {name}"):
            wg.grad(call)(np.ones(3))


# --- logsumexp ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1), (1, 0)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("weights", [None, np.abs(B), B[0]])
@pytest.mark.parametrize("return_sign", [False, True])
def test_logsumexp_values_and_gradients(axis, keepdims, weights, return_sign):
    def ours(a, b=weights):
        return special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)

    plain = scipy.special.logsumexp(A, axis=axis, b=weights, keepdims=keepdims, return_sign=return_sign)
    found = traced(ours, A)
    for got, true in zip(found if return_sign else [found], plain if return_sign else [plain]):
        np.testing.assert_array_equal(got, true)
        assert got.dtype == true.dtype
        assert np.shape(got) == np.shape(true)
    if np.any(np.isnan(plain)):
        return

    def total(f):
        return lambda *xs: np.sum(np.sin(f(*xs)[0] if return_sign else f(*xs)))

    def reference(a, b=weights):
        return scipy.special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)

    np.testing.assert_allclose(wg.grad(total(ours))(A), differences(total(reference), A), rtol=1e-6, atol=1e-9)
    if weights is not None:
        found = wg.grad(total(ours), 1)(A, weights)
        np.testing.assert_allclose(found, differences(lambda b: total(reference)(A, b), weights), rtol=1e-6, atol=1e-8)


def test_logsumexp_of_one_number_and_of_nothing():
    assert wg.grad(special.logsumexp)(3.0) == 1.0
    value, pull = wg.vjp(lambda x: special.logsumexp(x, axis=0), np.zeros((0, 2)))
    np.testing.assert_array_equal(value, [-INF, -INF])
    assert pull(np.ones(2))[0].shape == (0, 2)


def test_logsumexp_with_infinite_entries():
    grad = wg.grad(special.logsumexp)
    np.testing.assert_array_equal(grad(np.array([0.0, -INF, 0.0])), [0.5, 0.0, 0.5])
    np.testing.assert_array_equal(grad(np.array([0.0, INF, 5.0])), [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(grad(np.array([INF, INF, 5.0, -INF])), [0.5, 0.5, 0.0, 0.0])
    np.testing.assert_array_equal(grad(np.full(4, -INF)), [0.25] * 4)
    hessian = wg.hessian(special.logsumexp)(np.array([0.0, -INF, 0.0]))
    np.testing.assert_allclose(hessian, [[0.25, 0.0, -0.25], [0.0, 0.0, 0.0], [-0.25, 0.0, 0.25]], atol=0)
    rows = np.array([[0.0, -INF], [-INF, -INF]])
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(special.logsumexp(x, axis=1)))(rows), [[1.0, 0.0], [0.5, 0.5]])


def test_logsumexp_of_large_and_of_very_different_entries():
    np.testing.assert_allclose(wg.grad(special.logsumexp)(np.array([1000.0, 1001.0])), [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-14)
    tiny = np.exp(-40.0)
    hessian = wg.hessian(special.logsumexp)(np.array([0.0, -40.0]))
    np.testing.assert_allclose(hessian, [[tiny, -tiny], [-tiny, tiny]], rtol=1e-14)
    hessian = wg.hessian(special.logsumexp)(np.array([0.0, -700.0]))
    np.testing.assert_allclose(hessian, np.exp(-700.0) * np.array([[1, -1], [-1, 1]]), rtol=1e-13)


def test_logsumexp_ignores_what_has_no_weight():
    found = wg.grad(lambda a: special.logsumexp(a, b=[0.0, 1.0]))(np.array([INF, 1.0]))
    np.testing.assert_array_equal(found, [0.0, 1.0])
    a, b = np.array([1.0, 2.0]), np.array([0.0, 3.0])
    by_weight = wg.grad(lambda b: special.logsumexp(a, b=b))(b)
    np.testing.assert_allclose(by_weight, np.exp(a) / (3 * np.exp(2.0)), rtol=1e-14)
    mixed = wg.jacobian(wg.grad(lambda a, b: special.logsumexp(a, b=b)), 1)(a, b)
    share = 1 / (3 * np.e)  # of the term without weight, for each unit of it
    np.testing.assert_allclose(mixed, [[share, 0.0], [-share, 0.0]], rtol=1e-13, atol=1e-16)


def test_a_negative_sum_is_nan_without_its_sign():
    b = np.array([1.0, -2.0])
    value, sign = traced(lambda a: special.logsumexp(a, b=b, return_sign=True), np.zeros(2))
    assert (value, sign) == (0.0, -1.0)
    assert np.isnan(traced(lambda a: special.logsumexp(a, b=b), np.zeros(2)))


def test_logsumexp_third_order_against_mpmath():
    def f(t):
        return special.logsumexp(np.stack([t, 2 * t, -t]))

    with mp.workdps(40):
        true = float(mpmath.diff(lambda t: mpmath.log(mpmath.exp(t) + mpmath.exp(2 * t) + mpmath.exp(-t)), mp.mpf(0.3), 3))
    assert wg.grad(wg.grad(wg.grad(f)))(0.3) == pytest.approx(true, rel=1e-12)


def test_logsumexp_of_complex_numbers():
    z = np.array([1 + 2j, 0.5 - 1j])
    np.testing.assert_allclose(wg.grad(special.logsumexp, holomorphic=True)(z), np.exp(z) / np.sum(np.exp(z)), rtol=1e-14)
    ours = traced(lambda z: special.logsumexp(z, return_sign=True), z)
    for got, true in zip(ours, scipy.special.logsumexp(z, return_sign=True)):
        np.testing.assert_allclose(got, true, rtol=1e-14)
        assert got.dtype == true.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(dtype):
    a = A.astype(dtype)
    for f in (special.logsumexp, special.softmax, special.log_softmax):
        value, pull = wg.vjp(lambda a: f(a, axis=1), a)
        assert value.dtype == dtype
        assert pull(value)[0].dtype == dtype


def test_batches():
    for f in (special.logsumexp, special.softmax, special.log_softmax):
        found = wg.vmap(wg.jacobian(f))(A)
        np.testing.assert_allclose(found, [wg.jacobian(f)(row) for row in A], rtol=1e-14)


# --- softmax ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_softmax_and_its_logarithm(axis):
    for ours, scipys in ((special.softmax, scipy.special.softmax), (special.log_softmax, scipy.special.log_softmax)):
        np.testing.assert_array_equal(traced(lambda x: ours(x, axis=axis), A), scipys(A, axis=axis))
        total = lambda f: lambda x: np.sum(np.cos(f(x, axis=axis)) * B)
        np.testing.assert_allclose(wg.grad(total(ours))(A), differences(total(scipys), A), rtol=1e-6, atol=1e-9)
    assert wg.grad(special.softmax)(3.0) == 0.0
    assert wg.grad(special.log_softmax)(3.0) == 0.0


def test_softmax_with_entries_of_minus_infinity():
    p = scipy.special.softmax([0.0, 1.0])
    x = np.array([0.0, -INF, 1.0])
    jacobian = wg.jacobian(special.softmax)(x)
    np.testing.assert_allclose(jacobian[np.ix_([0, 2], [0, 2])], np.diag(p) - np.outer(p, p), rtol=1e-14)
    assert not jacobian[1].any()
    assert not jacobian[:, 1].any()
    np.testing.assert_allclose(wg.grad(lambda x: special.log_softmax(x)[2])(x), [-p[0], 0.0, 1 - p[1]], rtol=1e-14)


def test_softmax_that_saturates():
    """The derivative `y (1 - y)` of the largest entry is as small as the other entry, and as precise."""
    jacobian = wg.jacobian(special.softmax)(np.array([0.0, -300.0]))
    np.testing.assert_allclose(jacobian, np.exp(-300.0) * np.array([[1, -1], [-1, 1]]), rtol=1e-13)


# --- gamma ----------------------------------------------------------------------------------------------------------------


def test_polygamma():
    x = np.array([0.4, 1.7, 30.0])
    for n in range(4):
        np.testing.assert_allclose(traced(lambda x: special.polygamma(n, x), x), scipy.special.polygamma(n, x), rtol=1e-15)
        found = wg.grad(lambda x: np.sum(special.polygamma(n, x)))(x)
        np.testing.assert_allclose(found, [float(mpmath.psi(n + 1, v)) for v in x], rtol=1e-14)
    orders = np.array([[0], [2]])
    np.testing.assert_allclose(traced(lambda x: special.polygamma(orders, x), x), scipy.special.polygamma(orders, x), rtol=1e-15)


def test_multigammaln():
    a = np.array([3.0, 4.5])
    for d in (1, 2, 3):
        np.testing.assert_allclose(traced(lambda a: special.multigammaln(a, d), a), scipy.special.multigammaln(a, d), rtol=1e-14)
        found = wg.grad(lambda a: np.sum(special.multigammaln(a, d)))(a)
        np.testing.assert_allclose(found, sum(scipy.special.psi(a - j / 2) for j in range(d)), rtol=1e-14)
    with pytest.raises(ValueError, match="positive integer"):
        wg.grad(lambda a: special.multigammaln(a, 1.5))(3.0)
    with pytest.raises(ValueError, match="not met"):
        wg.grad(lambda a: special.multigammaln(a, 3))(0.5)
