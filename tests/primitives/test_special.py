"""SciPy's special functions on traced arrays: how they are met, and their derivatives against closed forms and mpmath."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import scipy.special
from mpmath import mp

import wengert as wg
from wengert.errors import UnsupportedFunctionError
from wengert.primitives.special import SPECIAL

PRIORITY_1 = ("betaln", "digamma", "erf", "erfc", "expit", "gamma", "gammaln", "log_ndtr", "logit", "ndtr", "ndtri", "xlogy")


def arguments(name, rng, shape=(3,)):
    """Operands in the domain that the card states."""
    card = SPECIAL[name]
    n = len(card.slopes)
    domains = card.domain if isinstance(card.domain[0], tuple) else (card.domain,) * n
    return [rng.uniform(low, high, shape) for low, high in domains]


@pytest.mark.parametrize("name", PRIORITY_1)
def test_everyday_functions_are_known(name):
    ufunc = getattr(scipy.special, name)
    xs = arguments(ufunc.__name__, np.random.default_rng(0))
    assert np.all(np.isfinite(wg.grad(lambda *xs: np.sum(ufunc(*xs)), tuple(range(len(xs))))(*xs)))


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_value_and_dtype_are_scipys(name, dtype):
    ufunc = getattr(scipy.special, name)
    xs = [x.astype(dtype) for x in arguments(name, np.random.default_rng(1), (2, 3))]
    value, pull = wg.vjp(ufunc, *xs)
    np.testing.assert_array_equal(value, ufunc(*xs))
    assert value.dtype == ufunc(*xs).dtype == dtype
    assert all(g.dtype == dtype and g.shape == (2, 3) for g in pull(np.ones((2, 3), dtype)))


@pytest.mark.parametrize("name", SPECIAL)
def test_slopes_are_differences_of_scipys_values(name):
    ufunc = getattr(scipy.special, name)
    xs = arguments(name, np.random.default_rng(2))
    gradients = wg.grad(lambda *xs: np.sum(ufunc(*xs)), tuple(range(len(xs))))(*xs)
    for slot, found in enumerate(gradients):
        step = 1e-5
        ends = [ufunc(*[x + s * step if k == slot else x for k, x in enumerate(xs)]) for s in (1, -1)]
        np.testing.assert_allclose(found, (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-9)


def test_a_ufunc_of_scipy_is_met_when_it_arrives():
    program = (
        "import sys, numpy as np, wengert as wg\n"
        "assert 'scipy' not in sys.modules\n"
        "from scipy.special import erf\n"
        "print(wg.grad(erf)(0.0) == 2 / np.sqrt(np.pi))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.split() == ["True"], done.stderr


def test_ufunc_keywords():
    x = np.array([0.1, 0.4])
    out = wg.grad(lambda x: np.sum(scipy.special.erf(x, where=np.array([True, False]), out=np.zeros_like(x))))(x)
    np.testing.assert_allclose(out, [2 / np.sqrt(np.pi) * np.exp(-0.01), 0.0], rtol=1e-14)
    assert wg.grad(lambda x: np.sum(scipy.special.erf(x, dtype=np.float32)))(x).dtype == np.float64


def test_half_precision_is_computed_in_the_loop_that_scipy_chooses():
    x = np.array([0.25], np.float16)
    assert wg.grad(lambda x: np.sum(scipy.special.erf(x)))(x).dtype == np.float16
    value, _ = wg.jvp(scipy.special.erf, (x,), (x,))
    assert value.dtype == scipy.special.erf(x).dtype


def test_a_function_without_a_card_says_so():
    with pytest.raises(UnsupportedFunctionError, match="airy"):
        wg.grad(lambda x: scipy.special.airy(x)[0])(0.5)


def test_broadcasting_and_batching():
    a, b = np.linspace(0.5, 2.0, 3).reshape(3, 1), np.linspace(0.3, 1.5, 4)
    ga, gb = wg.grad(lambda a, b: np.sum(scipy.special.xlogy(a, b)), (0, 1))(a, b)
    np.testing.assert_allclose(ga, np.log(b).sum() * np.ones((3, 1)), rtol=1e-14)
    np.testing.assert_allclose(gb, a.sum() / b, rtol=1e-14)
    rows = wg.vmap(wg.grad(scipy.special.gammaln))(b)
    np.testing.assert_allclose(rows, scipy.special.psi(b), rtol=1e-14)


# --- any order -------------------------------------------------------------------------------------------------------


def nth_derivative(f, n):
    for _ in range(n):
        f = wg.grad(f)
    return f


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("erf", mpmath.erf), ("expit", lambda x: 1 / (1 + mpmath.exp(-x))), ("gammaln", mpmath.loggamma),
        ("gamma", mpmath.gamma), ("psi", mpmath.digamma), ("ndtr", mpmath.ncdf), ("logit", lambda x: mpmath.log(x / (1 - x))),
        ("log_ndtr", lambda x: mpmath.log(mpmath.ncdf(x))), ("erfcx", lambda x: mpmath.exp(x * x) * mpmath.erfc(x)),
        ("ndtri", lambda x: mpmath.sqrt(2) * mpmath.erfinv(2 * x - 1)), ("erfinv", mpmath.erfinv), ("entr", lambda x: -x * mpmath.log(x)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_orders(name, function, order):
    x = 0.3
    with mp.workdps(60):
        true = float(mpmath.diff(function, mp.mpf(x), order))
    assert nth_derivative(getattr(scipy.special, name), order)(x) == pytest.approx(true, rel=1e-11)


# --- hard points -----------------------------------------------------------------------------------------------------


def test_far_tails():
    log_ndtr, ndtri, erf = scipy.special.log_ndtr, scipy.special.ndtri, scipy.special.erf
    assert wg.grad(log_ndtr)(-1e8) == pytest.approx(1e8, rel=1e-15)
    assert wg.grad(wg.grad(log_ndtr))(-1e8) == pytest.approx(-1.0, rel=1e-15)
    assert wg.grad(log_ndtr)(30.0) == pytest.approx(float(mpmath.npdf(30)), rel=1e-14)
    with mp.workdps(30):
        assert wg.grad(erf)(20.1) == pytest.approx(float(2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(mp.mpf(20.1) ** 2))), rel=1e-15)
    for p in (1e-300, 1e-20, 0.5, 1 - 1e-16):
        slope = wg.grad(ndtri)(p)
        with mp.workdps(40):
            x = mpmath.findroot(lambda x: mpmath.log(mpmath.ncdf(x) / mp.mpf(p)), mp.mpf(float(ndtri(p))))
            assert slope == pytest.approx(float(1 / mpmath.npdf(x)), rel=1e-15)


def test_ends_of_the_domain():
    assert wg.grad(scipy.special.logit)(1 - 2.0**-53) == pytest.approx(2.0**53, rel=1e-15)
    assert wg.grad(scipy.special.ndtri)(0.0) == np.inf
    assert wg.grad(scipy.special.erfinv)(1.0) == np.inf
    assert wg.grad(scipy.special.erfcinv)(2.0) == -np.inf
    assert wg.grad(scipy.special.expit)(-700.0) == pytest.approx(np.exp(-700.0), rel=1e-14)
    assert wg.grad(wg.grad(scipy.special.expit))(0.0) == 0.0


def test_zero_times_log_of_zero():
    gradients = wg.grad(scipy.special.xlogy, (0, 1))
    assert gradients(0.0, 0.0) == (-np.inf, 0.0)
    assert gradients(0.0, 2.0) == (np.log(2.0), 0.0)
    mixed = wg.grad(lambda x: wg.grad(scipy.special.xlogy, 1)(x, 4.0))
    assert mixed(0.0) == 0.25
    assert wg.grad(scipy.special.entr)(0.0) == np.inf
    assert wg.grad(scipy.special.rel_entr, (0, 1))(0.0, 3.0) == (-np.inf, -0.0)


def test_beta_of_very_different_arguments():
    """`ψ(a) - ψ(a + b)` would lose every digit."""
    slope = wg.grad(scipy.special.betaln, 0)(3.0, 1e-20)
    assert slope == pytest.approx(-1e-20 * float(mpmath.psi(1, 3)), rel=1e-15)
    assert wg.grad(scipy.special.betaln, 0)(1e17, 2.0) == pytest.approx(-2e-17, rel=1e-14)
    assert wg.grad(scipy.special.betaln, 0)(-1.0, 1.0) == pytest.approx(1.0)


def test_negative_axis_of_the_gamma_function():
    """The slopes are SciPy's psi there, whose error grows near its zeros, and never beyond 64 eps at these points."""
    x = -np.random.default_rng(0).uniform(0.0, 30.0, 60)
    slopes = wg.grad(lambda x: np.sum(scipy.special.gammaln(x)))(x)
    seconds = wg.grad(lambda x: np.sum(wg.grad(lambda x: np.sum(scipy.special.gammaln(x)))(x)))(x)
    with mp.workdps(40):
        np.testing.assert_allclose(slopes, [float(mpmath.digamma(v)) for v in x], rtol=64 * 2.3e-16)
        np.testing.assert_allclose(seconds, [float(mpmath.psi(1, v)) for v in x], rtol=16 * 2.3e-16)


@pytest.mark.parametrize("name", ["erf", "erfc", "erfcx", "gamma", "psi", "ndtr", "log_ndtr"])
def test_complex_derivatives(name):
    ufunc, z, h = getattr(scipy.special, name), 0.7 - 0.4j, 1e-4
    slope = wg.grad(ufunc, holomorphic=True)
    for f, df in ((ufunc, slope), (slope, wg.grad(slope, holomorphic=True))):
        central = sum(w * f(z + k * h) for k, w in ((-2, 1), (-1, -8), (1, 8), (2, -1))) / (12 * h)
        assert df(z) == pytest.approx(central, rel=1e-10)
