"""`import wengert.numpy as np` in an ordinary program: NumPy's whole namespace, plain and traced."""

import numpy  # noqa: ICN001 - `np` is the namespace under test here
import pytest

import wengert as wg
import wengert.numpy as np


@pytest.mark.parametrize("room", ["", "linalg", "fft", "polynomial", "random", "lib", "emath"])
def test_every_public_name_of_numpy_is_there(room):
    theirs, ours = (getattr(m, room) if room else m for m in (numpy, np))
    names = [name for name in getattr(theirs, "__all__", dir(theirs)) if not name.startswith("_")]
    assert not [name for name in names if not hasattr(ours, name)]


@pytest.mark.parametrize("family", ["polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre"])
def test_every_function_of_a_family_is_there(family):
    theirs, ours = getattr(numpy.polynomial, family), getattr(np.polynomial, family)
    assert not [name for name in theirs.__all__ if not hasattr(ours, name)]


def test_what_numpy_dispatches_is_numpys_own_object():
    for name in ("sin", "sum", "where", "concatenate", "linalg", "fft", "float32", "pi", "newaxis", "ndarray"):
        assert getattr(np, name) is getattr(numpy, name)


def test_star_import_and_dir():
    assert {"array", "sin", "linalg"} <= set(dir(np))
    assert set(numpy.__all__) <= set(np.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sine'"):
        np.sine


def heat(u, steps=20):
    """An ordinary program: explicit finite differences, with an array written in place and lists on the way."""
    u = np.asarray(u)
    grid = np.linspace(0.0, 1.0, len(u))
    kernel = np.array([0.25, 0.5, 0.25])
    history = []
    for _ in range(steps):
        new = np.zeros_like(u)
        new[1:-1] = np.convolve(u, kernel, mode="valid")
        new[0], new[-1] = u[0], u[-1]
        u = new
        history.append(np.sum(u * grid))
    table = np.array(history)
    return np.r_[table[-1], np.max(table), np.linalg.norm(u)]


def test_an_ordinary_program_plain_and_traced():
    u = numpy.random.default_rng(0).random(8)
    plain = heat(u)
    assert type(plain) is numpy.ndarray
    y, pull = wg.vjp(heat, u)
    numpy.testing.assert_array_equal(y, plain)
    h, ct = numpy.random.default_rng(1).standard_normal(8), numpy.array([1.0, -2.0, 0.5])
    right = ct @ (heat(u + 1e-6 * h) - heat(u - 1e-6 * h)) / 2e-6
    assert float(pull(ct)[0] @ h) == pytest.approx(right, rel=1e-7)


# --- random numbers ----------------------------------------------------------------------------------------------------------

DRAWS = {
    "normal": lambda g, a, b: g.normal(a, b, 5),
    "uniform": lambda g, a, b: g.uniform(a, a + b, 5),
    "exponential": lambda g, a, b: g.exponential(b, 5),
    "laplace": lambda g, a, b: g.laplace(a, b, 5),
    "gumbel": lambda g, a, b: g.gumbel(a, b, 5),
    "logistic": lambda g, a, b: g.logistic(a, b, 5),
    "lognormal": lambda g, a, b: g.lognormal(a, b, 5),
    "rayleigh": lambda g, a, b: g.rayleigh(b, 5),
    "weibull": lambda g, a, b: g.weibull(b, 5),
    "pareto": lambda g, a, b: g.pareto(b, 5),
    "power": lambda g, a, b: g.power(b, 5),
    "triangular": lambda g, a, b: g.triangular(a, a + 0.3 * b, a + b, 5),
    "size from the parameters": lambda g, a, b: g.normal(np.stack([a, b]), 1.0),
    "one draw": lambda g, a, b: g.normal(a, b),
    "of vectors": lambda g, a, b: g.multivariate_normal(np.stack([a, b]), np.array([[2.0, 0.5], [0.5, 1.0]]) * b, 3),
    "of vectors, by Cholesky": lambda g, a, b: g.multivariate_normal(
        np.stack([a, b]), np.array([[2.0, 0.5], [0.5, 1.0]]) * b, 3, method="cholesky"
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_numpys_and_their_derivatives_those_at_fixed_noise(name):
    def program(a, b, draws=DRAWS[name]):
        return draws(np.random.default_rng(3), a, b)

    a, b = 0.7, 1.3
    y, dy = wg.jvp(program, (a, b), (1.0, -0.5))
    plain = DRAWS[name](numpy.random.default_rng(3), a, b)
    numpy.testing.assert_allclose(y, plain, rtol=1e-13)
    h = 1e-6
    right = (program(a + h, b - 0.5 * h) - program(a - h, b + 0.5 * h)) / (2 * h)
    numpy.testing.assert_allclose(dy, right, rtol=1e-7, atol=1e-8)
    g = wg.grad(lambda a, b: np.sum(program(a, b)), (0, 1), on_disconnected="zero")(a, b)
    assert float(g[0] - 0.5 * g[1]) == pytest.approx(float(numpy.sum(dy)), rel=1e-12)


def test_shuffles_and_choices_carry_derivatives():
    x = numpy.arange(6.0)
    weights = numpy.arange(6.0) ** 2

    def places(name, **options):
        return wg.jacobian(lambda x: getattr(np.random.default_rng(1), name)(x, **options))(x)

    for name in ("permutation", "permuted", "choice"):
        options = {"size": 6, "replace": False} if name == "choice" else {}
        drawn = getattr(numpy.random.default_rng(1), name)(x, **options)
        numpy.testing.assert_array_equal(places(name, **options) @ weights, weights[drawn.astype(int)])

    def shuffled(x):
        y = np.copy(x)
        np.random.default_rng(1).shuffle(y)
        return y

    plain = x.copy()
    numpy.random.default_rng(1).shuffle(plain)
    numpy.testing.assert_array_equal(wg.jacobian(shuffled)(x) @ weights, weights[plain.astype(int)])


def test_covariance_with_equal_eigenvalues_has_a_derivative():
    def program(c):
        return np.random.default_rng(0).multivariate_normal(np.zeros(2), c * np.eye(2), 4)

    y, dy = wg.jvp(program, (2.0,), (1.0,))
    numpy.testing.assert_allclose(y, program(2.0), rtol=1e-13)
    numpy.testing.assert_allclose(dy, y / 4, rtol=1e-12)  # draws go with the square root of c
