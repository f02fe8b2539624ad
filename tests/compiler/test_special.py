"""Special functions in compiled programs: native, with the values of eager code, derivatives included."""

import numpy as np
import pytest
import scipy.special as sp

import wengert as wg
from wengert.scipy import special as ws

POSITIVE = np.concatenate([np.linspace(0.01, 30, 301), [1e-8, 1e3, 1e8]])
BETWEEN_POLES = np.linspace(-9.95, 9.93, 301)
LINE = np.linspace(-30, 30, 1201)


def nth(f, n):
    for _ in range(n):
        f = wg.grad(f)
    return wg.vmap(f)


CASES = {
    "digamma": (nth(sp.gammaln, 1), POSITIVE),
    "trigamma": (nth(sp.psi, 1), POSITIVE),
    "tetragamma": (nth(sp.gammaln, 3), POSITIVE),
    "on the left": (lambda x: ws.polygamma(1, x) + ws.polygamma(3, x), BETWEEN_POLES),
    "even order on the left": (lambda x: ws.polygamma(2, x), BETWEEN_POLES),
    "poles": (lambda x: ws.polygamma(1, x), np.array([0.0, -0.0, -1.0, -3.0, np.inf, -np.inf, np.nan])),
    "poles of even order": (lambda x: ws.polygamma(2, x), np.array([0.0, -1.0, -3.0, np.inf, np.nan])),
    "beta": (nth(lambda a: sp.betaln(a, 2.5), 2), POSITIVE),
    "beta on the left": (nth(lambda a: sp.betaln(a, 2.5), 1), BETWEEN_POLES),
    "hazard": (nth(sp.log_ndtr, 2), LINE),
    "hazard's slope": (nth(sp.log_ndtr, 3), LINE),
    "erfcx": (nth(sp.erfcx, 1), LINE[480:]),
    "erfinv": (nth(sp.erfinv, 2), np.linspace(-0.999, 0.999, 101)),
    "sinc": (nth(np.sinc, 1), LINE),
    "sinc's slope": (nth(np.sinc, 2), LINE),
    "i0": (nth(np.i0, 1), 20 * LINE),
    "i0's slope": (nth(np.i0, 2), LINE),
    "ends": (nth(np.i0, 1), np.array([0.0, np.inf, -np.inf, np.nan, 1e-300])),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_values(name):
    f, x = CASES[name]
    jitted = wg.jit(f)
    np.testing.assert_allclose(jitted(x), f(x), rtol=2e-13, atol=1e-300)
    assert not jitted.report(x).host_calls


@pytest.mark.parametrize("name", ["trigamma", "beta", "hazard", "sinc", "i0"])
def test_single_precision(name):
    f, x = CASES[name]
    x = x[(abs(x) > 0.1) & (abs(x) < 20)].astype(np.float32)
    jitted = wg.jit(f)
    found, wanted = jitted(x), f(x)
    assert found.dtype == wanted.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_several_orders_at_once_are_left_to_python():
    x, n = np.linspace(1, 2, 3), np.array([1, 2, 3])
    jitted = wg.jit(lambda x: ws.polygamma(n, x))
    np.testing.assert_allclose(jitted(x), sp.polygamma(n, x), rtol=1e-13)
    assert [call.primitive for call in jitted.report(x).host_calls] == ["polygamma"]
