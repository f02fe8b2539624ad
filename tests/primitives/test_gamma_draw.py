"""Draws from gamma distributions and their relatives: values are NumPy's, derivatives those of the quantile."""

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import wengert as wg
import wengert.numpy as wnp
from wengert.errors import UnsupportedFunctionError
from wengert.primitives.gamma_draw import gamma_velocity, moved_draw


def exact_velocity(a, z, n):
    with mp.workdps(60):
        upper = z > a  # where the other one is nearly 1
        part = lambda s: mp.gammainc(s, z, mp.inf) / mp.gamma(s) if upper else mp.gammainc(s, 0, z) / mp.gamma(s)
        density = mp.mpf(z) ** (mp.mpf(a) - 1) * mp.exp(-mp.mpf(z)) / mp.gamma(a)
        return float((1 if upper else -1) * mp.diff(part, mp.mpf(a), n) / density)


@pytest.mark.parametrize("a", [0.05, 0.3, 1.0, 2.5, 10.0, 60.0])
@pytest.mark.parametrize("ratio", [1e-4, 0.1, 0.6, 0.95, 1.05, 1.5, 3.0, 8.0])
def test_velocity(a, ratio):
    z = a * ratio if a > 1 else ratio * (a + 0.2)
    for n in (1, 2, 3):
        assert gamma_velocity(np.float64(a), np.float64(z), order=n) == pytest.approx(exact_velocity(a, z, n), rel=1e-10)


def test_a_draw_that_underflowed_stays():
    assert gamma_velocity(np.float64(1e-4), np.float64(0.0), order=1) == 0.0
    assert wg.grad(lambda a: moved_draw(a, 0.0, 1e-4))(1e-4) == 0.0


def test_large_shapes():
    for ratio in (0.999, 1.0, 1.002):
        z = 2e6 * ratio
        assert gamma_velocity(np.float64(2e6), np.float64(z), order=1) == pytest.approx(exact_velocity(2e6, z, 1), rel=1e-9)


def test_orders_of_a_moved_draw():
    with mp.workdps(40):
        u = mp.gammainc(mp.mpf("1.7"), 0, mp.mpf("1.3"), regularized=True)
        quantile = lambda a: mp.findroot(lambda z: mp.gammainc(a, 0, z, regularized=True) - u, 1.3)
        exact = [float(mp.diff(quantile, mp.mpf("1.7"), n)) for n in (1, 2, 3)]
    derivative = lambda a: moved_draw(a, 1.3, 1.7)
    for expected in exact:
        derivative = wg.grad(derivative)
        assert derivative(1.7) == pytest.approx(expected, rel=1e-9)


DRAWS = {
    "gamma": lambda g, p: g.gamma(p["a"], p["b"], size=(50, 3)),
    "standard_gamma": lambda g, p: g.standard_gamma(p["a"]),
    "chisquare": lambda g, p: g.chisquare(p["a"] * 3, size=(2, 3)),
    "f": lambda g, p: g.f(p["a"] * 2, p["b"] * 3),
    "beta": lambda g, p: g.beta(p["a"] + 0.5, p["b"]),
    "dirichlet": lambda g, p: g.dirichlet(p["a"], size=4),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_those_of_numpy_traced_or_not(name):
    p = {"a": np.array([0.7, 1.5, 3.0]), "b": np.array([1.1, 0.4, 2.0])}
    draw = DRAWS[name]
    expected = draw(np.random.default_rng(5), p)
    np.testing.assert_array_equal(draw(wnp.random.default_rng(5), p), expected)
    traced, _ = wg.vjp(lambda p: draw(wnp.random.default_rng(5), p), p)
    np.testing.assert_allclose(traced, expected, rtol=1e-14)


def test_gradient_of_a_gamma_draw_is_that_of_the_quantile():
    a, b = np.array([0.7, 1.5, 3.0]), np.array([1.1, 0.4, 2.0])
    loss = lambda a, b: np.sum(wnp.random.default_rng(2).gamma(a, b) ** 2)
    z = np.random.default_rng(2).standard_gamma(a)
    u = scipy.special.gammainc(a, z)
    moved = lambda a: scipy.special.gammaincinv(a, u)
    slope = (moved(a + 1e-5) - moved(a - 1e-5)) / 2e-5
    by_a, by_b = wg.grad(loss, argnums=(0, 1))(a, b)
    np.testing.assert_allclose(by_a, 2 * b**2 * z * slope, rtol=1e-7)
    np.testing.assert_allclose(by_b, 2 * b * z**2, rtol=1e-13)


def test_the_mean_of_gradients_is_the_gradient_of_the_mean():
    """`E[z] = a`, so the mean slope of many draws is 1."""
    slope = wg.grad(lambda a: np.mean(wnp.random.default_rng(0).standard_gamma(a, 20_000)))(2.5)
    assert slope == pytest.approx(1.0, abs=0.02)


def test_what_numpy_draws_by_rejection_says_so():
    with pytest.raises(UnsupportedFunctionError):
        wg.grad(lambda a: wnp.random.default_rng(0).beta(a, 0.5))(0.5)
    with pytest.raises(UnsupportedFunctionError):
        wg.grad(lambda a: np.sum(wnp.random.default_rng(0).dirichlet(a)[0]))(np.full(3, 0.05))
