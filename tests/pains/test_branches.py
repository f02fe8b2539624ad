"""Pain 1: NaN through the branch not taken, as users of other libraries met it.

Each case is a program, points at which a branch that is not taken has an infinite or undefined slope, and the
first and second derivative of the branch that is taken, in closed form.  Every way of asking for a derivative
must give them.
"""

import numpy as np
import pytest

import wengert as wg

INF, NAN = np.inf, np.nan


def fill(x, mask, f):
    y = np.zeros_like(x)
    y[mask] = f(x[mask])
    return y


def written_in_place(x):
    y = np.sqrt(x)
    y[x <= 0] = 0.0
    return y


def looped(x):
    y = np.zeros_like(x)
    for k in range(x.shape[0]):
        y[k] = np.where(x[k] > 0, np.log(x[k]), 2 * x[k])
    return y


# name (and thread): program, points, first derivative, second derivative
CASES = {
    "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), [0, -1, 4], [0, 0, 0.25], [0, 0, -1 / 32]),
    "jax 5798": (lambda x: np.where(x < 1.0, x, np.sqrt(x)), [1e-9, 0, 4], [1, 1, 0.25], [0, 0, -1 / 32]),
    "pytorch 187297": (lambda x: np.where(x > 0, np.sqrt(x), x), [-1, -4], [1, 1], [0, 0]),
    "autograd 802": (lambda x: np.where(x >= 0, x, np.sqrt(-x)), [1, 0, -4], [1, 1, -0.25], [0, 0, -1 / 32]),
    "tinygrad 12409": (lambda x: np.where(x == 0, 0, x * np.sqrt(x)), [0, 4], [0, 3], [0, 0.375]),
    "log": (lambda x: np.where(x > 0, np.log(x), 0.0), [0, -1, 2], [0, 0, 0.5], [0, 0, -0.25]),
    "entropy": (lambda x: np.where(x > 0, x * np.log(x), 0.0), [0, 1, 2], [0, 1, 1 + np.log(2)], [0, 1, 0.5]),
    "division": (lambda x: np.where(x != 0, 1 / x, 0.0), [0, 2], [0, -0.25], [0, 0.25]),
    "0 / 0": (lambda x: np.where(x == 0, 1.0, (1 - np.cos(x)) / x), [0], [0], [0]),
    "power": (lambda x: np.where(x > 0, x**0.5, -x), [0, -1, 4], [-1, -1, 0.25], [0, 0, -1 / 32]),
    "negative power": (lambda x: np.where(x > 0, x**-1.5, 0.0), [0, -2, 1], [0, 0, -1.5], [0, 0, 3.75]),
    "tensorflow 38349": (lambda x: np.where(x < 15.0, x, np.power(10.0, np.exp(x))), [10.0, 3.0], [1, 1], [0, 0]),
    "pytorch 68425": (lambda x: np.where(x <= 0, np.exp(x), 1 + x), [100, 1000, -1], [1, 1, np.exp(-1)], [0, 0, np.exp(-1)]),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), [1000, -1], [1, np.exp(-1)], [0, np.exp(-1)]),
    "softplus": (lambda x: np.where(x > 30, x, np.log1p(np.exp(x))), [1000, 0], [1, 0.5], [0, 0.25]),
    "jax 1052": (lambda x: np.where(x == 0, 0.0, np.arctan2(x, x)), [3, 0, -5], [0, 0, 0], [0, 0, 0]),
    "arctan2": (lambda x: np.where(x != 0, np.arctan2(x, 2 * x**2), 0.0), [0, 1], [0, -0.4], [0, 16 / 25]),
    "arccos": (lambda x: np.where(abs(x) < 1, np.arccos(x), 0.0), [1, -1, 2, 0], [0, 0, 0, -1], [0, 0, 0, 0]),
    "arctanh": (lambda x: np.where(abs(x) < 1, np.arctanh(x), x), [1, -1, 3, 0], [1, 1, 1, 1], [0, 0, 0, 0]),
    "tan": (lambda x: np.where(x > 0, x**2, np.log(-x) ** -1), [0.0001, 2], [0.0002, 4], [2, 2]),
    "overflow": (lambda x: np.where(x > 1, x, np.exp(np.exp(x**3))), [20, 0], [1, 0], [0, 0]),
    "where of where": (
        lambda x: np.where(x > 0, np.where(x > 1, np.log(x - 1), np.sqrt(x)), 0.0),
        [-1, 0, 1, 2], [0, 0, 0.5, 1], [0, 0, -0.25, -1],
    ),
    "chain after the branch": (lambda x: np.sin(np.where(x > 0, np.sqrt(x), x)), [0, -1], [1, np.cos(1)], [0, np.sin(1)]),
    "chain before the branch": (lambda x: np.where(x > 2, np.sqrt(x - 2), x) ** 2, [2, 1], [4, 2], [2, 2]),
    "both branches used": (lambda x: np.where(x > 0, np.log(x), 0.0) + np.where(x > 0, 0.0, x**2), [0, -1], [0, -2], [2, 2]),
    "select": (
        lambda x: np.select([x < 0, x < 1], [0 * x, np.sqrt(x) * x], np.log(x)),
        [-1, 0, 4], [0, 0, 0.25], [0, INF, -1 / 16],
    ),
    "piecewise": (lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda t: -t, lambda t: t**2]), [-1, 3], [-1, 6], [0, 2]),
    "boolean assignment": (lambda x: fill(x, x > 0, np.sqrt), [0, -1, 4], [0, 0, 0.25], [0, 0, -1 / 32]),
    "overwritten": (written_in_place, [0, -1, 4], [0, 0, 0.25], [0, 0, -1 / 32]),
    "loop": (looped, [0, -1, 4], [2, 2, 0.25], [0, 0, -1 / 16]),
    "guard by maximum": (lambda x: np.sqrt(np.maximum(x, 0.0)), [-1, 4], [0, 0.25], [0, -1 / 32]),
    "guard by clip": (lambda x: np.log(np.clip(x, 0.0, 9.0)) * (x > 0), [-1, 2], [0, 0.5], [0, -0.25]),
    "mask by product": (lambda x: np.where(x > 0, x, 1.0) ** 0.5 * (x > 0), [0, -1, 4], [0, 0, 0.25], [0, 0, -1 / 32]),
    "double where": (
        lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0), [0, -1, 4], [0, 0, 0.25], [0, 0, -1 / 32],
    ),
    "x over |x|": (lambda x: np.where(x == 0, 0.0, x / np.abs(x)), [0, -2, 2], [0, 0, 0], [0, 0, 0]),
    "x over sqrt(x²)": (lambda x: np.where(x == 0, 0.0, x / np.sqrt(x**2)), [0, -2, 2], [0, 0, 0], [0, 0, 0]),
    "copysign": (lambda x: np.where(x > 0, np.copysign(np.sqrt(x), 1.0), 0.0), [0, 4], [0, 0.25], [0, -1 / 32]),
    "cbrt": (lambda x: np.where(x != 0, np.cbrt(x), 0.0), [0, 8], [0, 1 / 12], [0, -1 / 144]),
    "minimum of branches": (lambda x: np.minimum(x, np.where(x > 0, np.log(x), INF)), [-1, 0, 1], [1, 1, 1], [0, 0, -1]),
    "nan branch": (lambda x: np.where(x > 0, x**2, x * NAN), [1, 2], [2, 4], [2, 2]),
    "inf branch": (lambda x: np.where(x > 0, x**2, x * INF), [1, 2], [2, 4], [2, 2]),
}  # fmt: skip


def total(f, weights):
    return lambda x: np.sum(f(x) * weights)


@pytest.fixture(params=CASES)
def case(request):
    f, points, first, second = CASES[request.param]
    with np.errstate(all="ignore"):
        yield f, np.array(points, float), np.array(first, float), np.array(second, float)


def test_first_derivatives(case):
    f, x, first, _ = case
    w = np.arange(1.0, x.size + 1)
    np.testing.assert_allclose(wg.grad(total(f, w))(x), w * first, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.grad(total(wg.checkpoint(f), w))(x), w * first, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.jvp(f, (x,), (w,))[1], w * first, rtol=1e-12, atol=1e-12)
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(wg.jacobian(f, mode=mode)(x), np.diag(first), rtol=1e-12, atol=1e-12)
    _, J = wg.linearize(f, x)
    np.testing.assert_allclose(J.T @ w, w * first, rtol=1e-12, atol=1e-12)
    one = lambda t: f(t[None])[0]
    np.testing.assert_allclose(wg.vmap(wg.grad(one))(x), first, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.vmap(lambda t: wg.jvp(one, (t,), (1.0,))[1])(x), first, rtol=1e-12, atol=1e-12)


def test_second_derivatives(case):
    f, x, _, second = case
    w = np.arange(1.0, x.size + 1)
    loss = total(f, w)
    expected = w * second
    np.testing.assert_allclose(wg.hessian(loss)(x), np.diag(expected), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.jacobian(wg.grad(loss), mode="reverse")(x), np.diag(expected), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.jacobian(wg.jacobian(loss, mode="forward"), mode="forward")(x), np.diag(expected), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.jacobian(wg.jacobian(loss, mode="forward"), mode="reverse")(x), np.diag(expected), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.hvp(loss, x, np.ones_like(x)), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.hessian(total(wg.checkpoint(f), w))(x), np.diag(expected), rtol=1e-12, atol=1e-12)
    one = lambda t: f(t[None])[0]
    np.testing.assert_allclose(wg.vmap(wg.grad(wg.grad(one, on_disconnected="zero"), on_disconnected="zero"))(x), second, rtol=1e-12, atol=1e-12)


MATRIX_FUNCTIONS = {
    "logdet": lambda a: np.linalg.slogdet(a)[1],
    "inverse": lambda a: np.sum(np.linalg.inv(a)),
    "solve": lambda a: np.sum(np.linalg.solve(a, np.ones(3))),
    "det": np.linalg.det,
    "norm": np.linalg.norm,
}


@pytest.mark.parametrize("name", MATRIX_FUNCTIONS)
def test_a_function_of_a_matrix_of_nan_that_was_not_taken(name):
    """A zero never meets the slopes of a function of matrices, so that they may be NaN."""

    def f(a):
        return np.where(np.array(False), MATRIX_FUNCTIONS[name](a), 2.0 * np.sum(np.where(np.isnan(a), 0.0, a)))

    with np.errstate(all="ignore"):
        a = np.full((3, 3), np.nan)
        np.testing.assert_array_equal(wg.grad(f)(a), np.zeros((3, 3)))
        assert wg.jvp(f, (a,), (np.zeros((3, 3)),))[1] == 0.0
        np.testing.assert_array_equal(wg.hvp(f, a, np.zeros((3, 3))), np.zeros((3, 3)))
