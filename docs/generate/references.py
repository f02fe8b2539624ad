"""What the elementwise cards are measured against: each function once more in mpmath, and the points to try.

Only the function itself is written here.  Its derivatives are central differences of it in arithmetic of many hundred
digits, so nothing is compared with a formula that somebody derived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
import scipy.special
from mpmath import mp

INF = float("inf")


@dataclass(frozen=True)
class Reference:
    """A card's function in mpmath, and where it is tried."""

    function: Callable[..., Any]
    points: Callable[[], list[tuple[float, ...]]]
    domain: str
    digits: int = 1100  # of the arithmetic: 40 for the step, doubled, beside the widest range of float64
    complex_points: bool = False
    complex_size: float = INF  # of the largest complex operand, where the function's own error grows with it
    constant: tuple[int, ...] = ()  # operands without a derivative
    kinds: dict[int, type] = field(default_factory=dict)  # operands that are no floats
    # operands -> the magnitudes that cancel in a partial, for those that are sums with a zero inside the domain
    terms: dict[tuple[int, ...], Callable[..., Any]] = field(default_factory=dict)
    bounds: tuple[float, float, float] = (4, 8, 16)  # of the value, the slopes and the second derivatives, in eps
    complex_bounds: tuple[float, float, float] = (INF, 8, 16)  # in the complex plane, where the values are not ours
    reason: str = ""  # why one of them is wider


# --- points -------------------------------------------------------------------------------------------------------

TINY, HUGE = np.finfo(float).smallest_normal, np.finfo(float).max


_POWERS = np.arange(-322, 308, 7.0)
_FEWER_POWERS = np.arange(-60, 100, 8.0)


def middle(low: float = -INF, high: float = INF, near: Sequence[float] = ()) -> list[tuple[float, ...]]:
    """The same, for functions that cost mpmath much: magnitudes from 1e-60 to 1e100."""
    return line(low, high, near, _FEWER_POWERS)


def line(low: float = -INF, high: float = INF, near: Sequence[float] = (), powers: Any = _POWERS) -> list[tuple[float, ...]]:
    """Both signs of all magnitudes within an open interval, and the neighbourhoods of the points `near`."""
    rng = np.random.default_rng(0)
    powers = np.concatenate([powers, np.arange(-8, 4, 0.25)])
    sizes = 10.0**powers * (1 + rng.random(powers.size))
    extremes = [5e-324, TINY, HUGE, -HUGE] if powers is _POWERS else []
    found = [*sizes, *-sizes, *extremes, *rng.uniform(-4, 4, 40)]
    ends = [end for end in (low, high) if np.isfinite(end)]
    for center in {*near, *ends}:
        steps = np.abs(center or 1.0) * 10.0 ** -np.arange(1, 17)
        found += [center, np.nextafter(center, INF), np.nextafter(center, -INF), *(center + steps), *(center - steps)]
    return [(float(x),) for x in dict.fromkeys(found) if low < x < high and x != 0]


def plane(
    rows: Sequence[float], columns: Sequence[float], near: Callable[[float, float], bool] = lambda a, b: True, seed: int = 1
) -> list[tuple[float, ...]]:
    """Every pair of the given sizes, each nudged, and those that `near` admits."""
    rng = np.random.default_rng(seed)
    pairs = [(a * (1 + rng.random() / 8), b * (1 + rng.random() / 8)) for a in rows for b in columns]
    return [(float(a), float(b)) for a, b in pairs if near(a, b)]


SIZES = (1e-300, 1e-160, 1e-17, 1e-5, 0.3, 1.0, 2.5, 37.0, 1e9, 1e155, 1e300)
SIGNED = (*SIZES, *(-s for s in SIZES[::2]))
DIAGONAL = [(1.5, 1.5 + 10.0**-k) for k in range(1, 16)] + [(-3e200, 3e200 * (1 + 10.0**-k)) for k in range(1, 16)]


def quotients() -> list[tuple[float, ...]]:
    """Pairs whose quotient is within range."""
    return plane(SIGNED, SIGNED, lambda a, b: 1e-300 < abs(a / b) < 1e300)


def bases() -> list[tuple[float, ...]]:
    """A positive base and an exponent: large, small, near 0 and 1, with bases near 1.

    An exponent within 1e-100 of 0 meets no base beyond 1e130: `a^(p-2)` would be out of range, and `p` times it not.
    """
    exponents = (0.1, 0.3, 0.49999, 0.7, 1.3, 2.0, 2.5, 3.0, 17.2, 1e-9, 1e-300, -1e-12, -0.3, -1.0, -2.7, 0.9999999)
    tries = plane((1e-300, 1e-17, 0.2, 0.9, 1.0, 3.7, 1e6, 1e90, 1e300), exponents)
    tries += [(1 + sign * 10.0**-k, p) for sign in (1, -1) for k in range(1, 16) for p in (0.3, 1e5, -1e5, 1e-30)]
    inside = [(a, p) for a, p in tries if abs(p * np.log(a)) < 700]
    return [(a, p) for a, p in inside if abs(p) > 1e-100 or abs(np.log(a)) < 300]


def linear_points() -> list[tuple[float, ...]]:
    """Pairs of any magnitudes."""
    return [*plane(SIGNED, SIGNED), *DIAGONAL]


def log_sums() -> list[tuple[float, ...]]:
    """Pairs whose difference is up to the whole range of exp, and far beyond."""
    sizes = (-1e300, -1e5, -700.3, -36.7, -1.1, -1e-9, 1e-30, 0.1, 1.0, 17.3, 700.1, 745.0, 1e10, 1e300)
    return [*plane(sizes, sizes), *[(1e10 + d, 1e10) for d in (0.1, 3.7, 300.3)], *DIAGONAL[:15]]


def angles() -> list[tuple[float, ...]]:
    """Pairs on the cut of no branch, of all magnitudes, with both near the diagonals."""
    return [*plane(SIGNED, SIGNED, lambda a, b: 1e-300 < abs(a / b) < 1e300), *DIAGONAL]


def away_from_steps() -> list[tuple[float, ...]]:
    """Pairs whose quotient is no integer, and not so large that it has no fractional part."""
    return plane(SIGNED, SIGNED, lambda a, b: abs(a / b) < 1e15)


# --- functions that mpmath lacks ------------------------------------------------------------------------------------


def _sign(x: Any) -> Any:
    return mpmath.sign(x)


def _fmod(a: Any, b: Any) -> Any:
    quotient = a / b
    whole = mpmath.floor(quotient) if quotient > 0 else mpmath.ceil(quotient)
    return a - whole * b


def _logaddexp(a: Any, b: Any) -> Any:
    high, low = (a, b) if a > b else (b, a)
    return high + mpmath.log1p(mpmath.exp(low - high))


def _logaddexp2(a: Any, b: Any) -> Any:
    two = mpmath.log(2)
    return _logaddexp(a * two, b * two) / two


def _part(a: Any, b: Any) -> Any:
    return a / mpmath.hypot(a, b)


def _expm1(x: Any) -> Any:
    return mpmath.expm1(x)


def _cbrt(x: Any) -> Any:
    return mpmath.cbrt(x) if x > 0 else -mpmath.cbrt(-x)


# `∂²(a^p)/∂a∂p = a^(p-1) (1 + p log a)`, which vanishes where `p log a = -1`.
_POWER_TERMS: dict[tuple[int, ...], Callable[..., Any]] = dict.fromkeys(
    [(0, 1), (1, 0)], lambda a, p: abs(a ** (p - 1)) * (1 + abs(p * mpmath.log(a)))
)


def _sinc(x: Any) -> Any:
    return mpmath.sin(mpmath.pi * x) / (mpmath.pi * x)


def _spherical_quotient(x: Any, n: Any) -> Any:
    z = mpmath.pi * x
    return _sinc(x) if n == 0 else (mpmath.sin(z) / z - mpmath.cos(z)) / z**2


def _envelope(order: int) -> Callable[..., Any]:
    """The amplitude of an oscillation that falls off as `1 / x^order`, and of its derivatives."""
    return lambda x, n=0: abs(x) ** -(order + int(n)) if abs(x) >= 1 else mp.mpf(0)


# Oscillations have zeros: near those the error is measured by their amplitude.
_SINC_TERMS = {(): _envelope(1), (0,): _envelope(1), (0, 0): _envelope(1)}
_SPHERICAL_TERMS = dict(_SINC_TERMS)

# A card that is the slope of another: its value and slope are a slope and a second derivative, and are held to that.
AS_SLOPE = (8, 16, INF)
# A function whose value is not ours: no bound is put on the error of SciPy's, or NumPy's, own.
OF_SCIPY = (INF, 8, 16)

# fmt: off - a table: card, function, points, domain
REFERENCES: dict[str, Reference] = {
    "add":        Reference(lambda a, b: a + b, linear_points, "all pairs"),
    "subtract":   Reference(lambda a, b: a - b, linear_points, "all pairs"),
    "negative":   Reference(lambda x: -x, line, "all", complex_points=True),
    "positive":   Reference(lambda x: +x, line, "all", complex_points=True),
    "multiply":   Reference(lambda a, b: a * b, linear_points, "all pairs", complex_points=True),
    "scale":      Reference(lambda a, b: a * b, linear_points, "all pairs"),
    "divide":     Reference(lambda a, b: a / b, quotients, "all pairs with a quotient in range", complex_points=True),
    "reciprocal": Reference(lambda x: 1 / x, line, "all but 0", complex_points=True),
    "square":     Reference(lambda x: x * x, line, "all", complex_points=True),
    "sqrt":       Reference(mpmath.sqrt, lambda: line(0), "x > 0", complex_points=True),
    "cbrt":       Reference(_cbrt, line, "all but 0"),
    "fabs":       Reference(abs, line, "all but 0"),
    "absolute":   Reference(abs, line, "all but 0"),
    "where":      Reference(lambda c, a, b: a if c else b, lambda: [(float(k % 2), a, b) for k, (a, b) in enumerate(linear_points())], "all", constant=(0,), kinds={0: bool}),
    "maximum":    Reference(max, linear_points, "all pairs of different numbers"),
    "minimum":    Reference(min, linear_points, "all pairs of different numbers"),
    "fmax":       Reference(max, linear_points, "all pairs of different numbers"),
    "fmin":       Reference(min, linear_points, "all pairs of different numbers"),
    "remainder":  Reference(lambda a, b: a - mpmath.floor(a / b) * b, away_from_steps, "all pairs, between the jumps"),
    "fmod":       Reference(_fmod, away_from_steps, "all pairs, between the jumps"),
    "copysign":   Reference(lambda a, b: abs(a) * _sign(b), linear_points, "all pairs"),
    "ldexp":      Reference(lambda x, n: x * mpmath.mpf(2) ** int(n), lambda: [(x, float(n)) for (x,) in line()[::5] for n in (-1000, -3, 0, 7, 900)], "all, exponents from -1000 to 900", constant=(1,), kinds={1: int}),
    "power":      Reference(lambda a, p: a**p, bases, "a > 0, all exponents", terms=_POWER_TERMS, complex_points=True, complex_size=4, complex_bounds=(INF, 32, 32), reason="in the complex plane NumPy's own is that far off"),
    "float_power": Reference(lambda a, p: a**p, bases, "a > 0, all exponents", terms=_POWER_TERMS),
    "lower_power": Reference(lambda a, p, k: a ** (p - k), lambda: [(a, p, 1.0) for a, p in bases()], "a > 0, all exponents", constant=(2,), bounds=AS_SLOPE),
    "hypot":      Reference(mpmath.hypot, angles, "all pairs"),
    "nextafter":  Reference(lambda a, b: a, linear_points, "all pairs"),
    "sinc":       Reference(_sinc, lambda: line(-1e6, 1e6, near=(1.0, -2.0)), "-1e6 < x < 1e6", terms=_SINC_TERMS, bounds=OF_SCIPY),
    "spherical_quotient": Reference(_spherical_quotient, lambda: [(x, n) for n in (0.0, 1.0) for (x,) in middle(-1e6, 1e6, near=(1.0,))[::2]],
                            "1e-60 < |x| < 1e6, n = 0, 1", constant=(1,), kinds={1: int}, terms=_SPHERICAL_TERMS, bounds=AS_SLOPE),
    "i0":         Reference(lambda x: mpmath.besseli(0, x), lambda: middle(-713, 713, near=(30.0,)), "|x| < 713", digits=500),
    "bessel_quotient": Reference(lambda x, n: mpmath.besseli(int(n), x) / x ** int(n), lambda: [(x, n) for n in (0.0, 1.0) for (x,) in middle(-713, 713, near=(30.0,))[::2]],
                            "|x| < 713, n = 0, 1", constant=(1,), kinds={1: int}, bounds=AS_SLOPE, digits=500),
    "heaviside":  Reference(lambda x, h: mpmath.mpf(x > 0), linear_points, "all but 0", constant=(0,)),
    "exp":        Reference(mpmath.exp, lambda: line(near=(709.7, -745)), "all", complex_points=True),
    "exp2":       Reference(lambda x: mpmath.mpf(2) ** x, lambda: line(near=(1023.9, -1074)), "all", complex_points=True, complex_size=4),
    "expm1":      Reference(_expm1, lambda: line(near=(709.7,)), "all", complex_points=True),
    "log":        Reference(mpmath.log, lambda: line(0, near=(1.0,)), "x > 0", complex_points=True),
    "log2":       Reference(lambda x: mpmath.log(x) / mpmath.log(2), lambda: line(0, near=(1.0,)), "x > 0", complex_points=True),
    "log10":      Reference(lambda x: mpmath.log(x) / mpmath.log(10), lambda: line(0, near=(1.0,)), "x > 0", complex_points=True),
    "log1p":      Reference(mpmath.log1p, lambda: line(-1), "x > -1", complex_points=True),
    "sinh":       Reference(mpmath.sinh, lambda: line(near=(710.4, -710.4)), "all", complex_points=True),
    "cosh":       Reference(mpmath.cosh, lambda: line(near=(710.4, -710.4)), "all", complex_points=True),
    "sech":       Reference(mpmath.sech, lambda: line(near=(300, -708)), "all", complex_points=True),
    "tanh":       Reference(mpmath.tanh, lambda: line(near=(300, -350)), "all", complex_points=True),
    "arcsinh":    Reference(mpmath.asinh, line, "all", complex_points=True),
    "arccosh":    Reference(mpmath.acosh, lambda: line(1), "x > 1", complex_points=True),
    "arctanh":    Reference(mpmath.atanh, lambda: line(-1, 1), "-1 < x < 1", complex_points=True),
    "logaddexp":  Reference(_logaddexp, log_sums, "all pairs"),
    "logaddexp2": Reference(_logaddexp2, log_sums, "all pairs"),
    "arctan_slope": Reference(lambda x: 1 / (1 + x * x), line, "all", complex_points=True, bounds=AS_SLOPE),
    "arcsinh_slope": Reference(lambda x: 1 / mpmath.sqrt(1 + x * x), line, "all", complex_points=True, bounds=AS_SLOPE),
    "arctanh_slope": Reference(lambda x: 1 / (1 - x * x), lambda: line(-1, 1), "-1 < x < 1", complex_points=True, bounds=AS_SLOPE),
    "arcsin_slope": Reference(lambda x: 1 / mpmath.sqrt(1 - x * x), lambda: line(-1, 1), "-1 < x < 1", complex_points=True, bounds=AS_SLOPE),
    "arccosh_slope": Reference(lambda x: 1 / mpmath.sqrt(x - 1) / mpmath.sqrt(x + 1), lambda: line(1), "x > 1", complex_points=True, bounds=AS_SLOPE),
    "cosine_of_sides": Reference(_part, angles, "all pairs", bounds=AS_SLOPE),
    "arctan2_slope": Reference(lambda a, b: b / (a * a + b * b), angles, "all pairs", bounds=AS_SLOPE),
    "exp_share": Reference(lambda a, b: 1 / (1 + mpmath.exp(b - a)), log_sums, "all pairs", bounds=AS_SLOPE),
    "exp2_share": Reference(lambda a, b: 1 / (1 + mpmath.mpf(2) ** (b - a)), log_sums, "all pairs", bounds=AS_SLOPE),
    "sin":        Reference(mpmath.sin, lambda: line(near=(np.pi, np.pi / 2)), "all", complex_points=True),
    "cos":        Reference(mpmath.cos, lambda: line(near=(np.pi, np.pi / 2)), "all", complex_points=True),
    "tan":        Reference(mpmath.tan, lambda: line(near=(np.pi, np.pi / 2)), "all", complex_points=True),
    "arcsin":     Reference(mpmath.asin, lambda: line(-1, 1), "-1 < x < 1", complex_points=True),
    "arccos":     Reference(mpmath.acos, lambda: line(-1, 1), "-1 < x < 1", complex_points=True),
    "arctan":     Reference(mpmath.atan, line, "all", complex_points=True),
    "arctan2":    Reference(mpmath.atan2, angles, "all pairs but 0, 0"),
    "deg2rad":    Reference(lambda x: x * mpmath.pi / 180, line, "all"),
    "radians":    Reference(lambda x: x * mpmath.pi / 180, line, "all"),
    "rad2deg":    Reference(lambda x: x * 180 / mpmath.pi, line, "all"),
    "degrees":    Reference(lambda x: x * 180 / mpmath.pi, line, "all"),
}
# fmt: on


# --- SciPy's special functions ---------------------------------------------------------------------------------------


def _ndtr(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def _inverse(function: Callable[[Any], Any], start: Callable[[float], float]) -> Callable[[Any], Any]:
    """The inverse of a monotone function, by Newton's method from SciPy's value, on logarithms in the tails."""

    def inverse(p: Any) -> Any:
        x, step = mp.mpf(float(start(max(float(p), 1e-300)))), mp.mpf(10) ** -(mp.dps // 3)
        for _ in range(40):
            value, above = function(x), function(x + step)
            change = mp.log(value / p) * value * step / (above - value)
            x -= change
            if abs(change) < abs(x) * mp.mpf(10) ** (-mp.dps // 2):
                break
        return x

    return inverse


def _erfinv(x: Any) -> Any:
    return mpmath.sign(x) * _upper_erfcinv(1 - abs(x))


def _erfcinv(x: Any) -> Any:
    return _upper_erfcinv(x) if x <= 1 else -_upper_erfcinv(2 - x)


def _ndtri(p: Any) -> Any:
    return -mpmath.sqrt(2) * _erfcinv(2 * p)


_upper_erfcinv = _inverse(mpmath.erfc, scipy.special.erfcinv)


def _log_ratio(a: Any, b: Any) -> Any:
    return mpmath.log(a / b)


def _huber(d: Any, r: Any) -> Any:
    return r * r / 2 if abs(r) < d else d * (abs(r) - d / 2)


def _psi_rise(a: Any, b: Any, n: Any) -> Any:
    return mpmath.psi(int(n), a + b) - mpmath.psi(int(n), a)


def _fraction(t: Any, k: Any) -> Any:
    """`k (t + ...)⁻¹` by the differences that define it."""
    excess = mpmath.npdf(t) / _ndtr(-t) - t
    for j in range(1, int(k)):
        excess = j / excess - t
    return excess


POSITIVE = (1e-50, 1e-16, 1e-3, 0.4, 1.0, 2.6, 11.0, 160.0, 1e6, 1e17, 1e60)


def positive_pairs() -> list[tuple[float, ...]]:
    """Pairs of positive numbers, near and far from each other."""
    return [*plane(POSITIVE, POSITIVE), *DIAGONAL[:15], *[(b, a) for a, b in DIAGONAL[:15]]]


def _with_order(n: float) -> Callable[[], list[tuple[float, ...]]]:
    return lambda: [(*pair, n) for pair in positive_pairs()]




_GAMMA = "in the complex plane SciPy's own is that far off"
# fmt: off - a table: card, function, points, domain
REFERENCES |= {
    "expit":      Reference(lambda x: 1 / (1 + mpmath.exp(-x)), lambda: line(near=(-700, 700)), "all"),
    "log_expit":  Reference(lambda x: -mpmath.log1p(mpmath.exp(-x)), lambda: line(near=(-700, 700)), "all"),
    "logit":      Reference(lambda x: mpmath.log(x / (1 - x)), lambda: line(0, 1, near=(0.5,)), "0 < x < 1"),
    "logit_slope": Reference(lambda x: 1 / x / (1 - x), lambda: line(0, 1, near=(0.5,)), "0 < x < 1", bounds=AS_SLOPE),
    "erf":        Reference(mpmath.erf, lambda: middle(near=(26,)), "all", complex_points=True, complex_size=2, digits=500),
    "erfc":       Reference(mpmath.erfc, lambda: middle(near=(26,)), "all", complex_points=True, complex_size=2, bounds=OF_SCIPY, digits=500),
    "erfcx":      Reference(lambda x: mpmath.exp(x * x) * mpmath.erfc(x), lambda: middle(-26, 1e9), "-26 < x < 1e9", bounds=(512, 512, 512), reason="the derivatives are multiples of the value, which SciPy computes with the error of exp(x²)", digits=500),
    "erfinv":     Reference(_erfinv, lambda: middle(-1, 1), "-1 < x < 1", digits=500),
    "erfcinv":    Reference(_erfcinv, lambda: middle(0, 2, near=(1.0,)), "0 < x < 2", digits=500),
    "erfinv_slope": Reference(lambda x: mpmath.exp(_erfinv(x) ** 2) * mpmath.sqrt(mpmath.pi) / 2, lambda: middle(-1, 1), "-1 < x < 1", bounds=AS_SLOPE, digits=500),
    "erfcinv_slope": Reference(lambda x: -mpmath.exp(_erfcinv(x) ** 2) * mpmath.sqrt(mpmath.pi) / 2, lambda: middle(0, 2, near=(1.0,)), "0 < x < 2", bounds=AS_SLOPE, digits=500),
    "ndtr":       Reference(_ndtr, lambda: middle(near=(-37,)), "all", bounds=OF_SCIPY, digits=500),
    "log_ndtr":   Reference(lambda x: mpmath.log(_ndtr(x)), lambda: middle(-1e9, INF, near=(-1.0, 37.0)), "x > -1e9", bounds=OF_SCIPY, digits=500),
    "ndtri":      Reference(_ndtri, lambda: middle(0, 1, near=(0.5,)), "0 < x < 1", digits=500),
    "ndtri_slope": Reference(lambda p: mpmath.sqrt(2 * mpmath.pi) * mpmath.exp(_ndtri(p) ** 2 / 2), lambda: middle(0, 1, near=(0.5,)), "0 < x < 1", bounds=AS_SLOPE, digits=500),
    "gaussian":   Reference(lambda x: mpmath.exp(-x * x), lambda: line(near=(26,)), "all", bounds=AS_SLOPE),
    "normal_density": Reference(mpmath.npdf, lambda: line(near=(37,)), "all", bounds=AS_SLOPE),
    "hazard":     Reference(lambda x: mpmath.npdf(x) / _ndtr(x), lambda: middle(-1e9, INF, near=(-1.0, 37.0)), "x > -1e9", bounds=AS_SLOPE, digits=500),
    "hazard_excess": Reference(_fraction, lambda: [(t, k) for k in (1.0,) for (t,) in middle(-37, 1e9, near=(1.0,))], "-37 < x < 1e9, k = 1", constant=(1,), kinds={1: int}, bounds=(8, 1024, INF), reason="its slope is a third derivative, of log Φ", digits=500),
    "gammaln":    Reference(lambda x: mpmath.re(mpmath.loggamma(x)), lambda: middle(0, INF, near=(1, 2, 1.4616321449683622)), "x > 0", bounds=OF_SCIPY, digits=500),
    "gamma":      Reference(mpmath.gamma, lambda: middle(0, 171, near=(1, 2, 1.4616321449683622)), "0 < x < 171", complex_points=True, complex_size=4, complex_bounds=(INF, 64, 64), reason=_GAMMA, digits=500),
    "psi":        Reference(mpmath.digamma, lambda: middle(0, INF, near=(1.4616321449683622,)), "x > 0", complex_points=True, complex_size=4, complex_bounds=(INF, 64, 64), reason=_GAMMA, digits=500),
    "polygamma":  Reference(lambda n, x: mpmath.psi(int(n), x), lambda: [(n, x) for n in (1.0, 2.0) for (x,) in middle(0)[::2]], "x > 0, n = 1, 2", constant=(0,), kinds={0: int}, bounds=AS_SLOPE, digits=500),
    "betaln":     Reference(lambda a, b: mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b), positive_pairs, "positive pairs", bounds=OF_SCIPY, digits=500),
    "polygamma_rise": Reference(_psi_rise, lambda: _with_order(0.0)() + _with_order(1.0)(), "positive pairs, n = 0, 1", constant=(2,), kinds={2: int}, bounds=AS_SLOPE, digits=500),
    "xlogy":      Reference(lambda a, b: a * mpmath.log(b), lambda: plane(SIGNED, SIZES), "b > 0", complex_points=True),
    "xlog1py":    Reference(lambda a, b: a * mpmath.log1p(b), lambda: plane(SIGNED, SIZES), "b > -1", complex_points=True),
    "entr":       Reference(lambda x: -x * mpmath.log(x), lambda: line(0, near=(1.0, 1 / np.e)), "x > 0"),
    "rel_entr":   Reference(lambda a, b: a * _log_ratio(a, b), positive_pairs, "positive pairs", terms={(0,): lambda a, b: 1 + abs(_log_ratio(a, b))}),
    "kl_div":     Reference(lambda a, b: a * _log_ratio(a, b) - a + b, positive_pairs, "positive pairs", bounds=OF_SCIPY),
    "exp10":      Reference(lambda x: mpmath.mpf(10) ** x, lambda: line(near=(308.2,)), "all"),
    "huber":      Reference(_huber, lambda: plane(SIZES, SIGNED), "positive delta, any residual"),
    "ratio":      Reference(lambda a, b: a / b, quotients, "all pairs with a quotient in range", bounds=AS_SLOPE),
    "one_plus_log": Reference(lambda x: 1 + mpmath.log(x), lambda: line(0, near=(1.0, 1 / np.e)), "x > 0", bounds=AS_SLOPE),
    "log_ratio":  Reference(_log_ratio, positive_pairs, "positive pairs", bounds=AS_SLOPE),
    "relative_gap": Reference(lambda a, b: (b - a) / b, positive_pairs, "positive pairs", bounds=AS_SLOPE),
}
# fmt: on


# --- exact derivatives ------------------------------------------------------------------------------------------------


def exact(reference: Reference, point: Sequence[Any]) -> dict[tuple[int, ...], Any]:
    """Value `()`, slopes `(i,)` and second partials `(i, j)` at one point, to far more digits than a float has."""
    slots = [k for k in range(len(point)) if k not in reference.constant]
    with mp.workdps(reference.digits):
        x = [mp.mpmathify(v) for v in point]
        steps = [mp.mpf(10) ** -40 * min(abs(v) or 1, 1) for v in x]

        def at(*moves: tuple[int, int]) -> Any:
            moved = list(x)
            for slot, sign in moves:
                moved[slot] = moved[slot] + sign * steps[slot]
            return reference.function(*moved)

        middle = at()
        result = {(): middle}
        ends = {(i, s): at((i, s)) for i in slots for s in (1, -1)}
        for i in slots:
            result[i,] = (ends[i, 1] - ends[i, -1]) / (2 * steps[i])
            result[i, i] = (ends[i, 1] - 2 * middle + ends[i, -1]) / steps[i] ** 2
        for i in slots:
            for j in slots:
                if i < j:
                    corners = sum(s * t * at((i, s), (j, t)) for s in (1, -1) for t in (1, -1))
                    result[i, j] = result[j, i] = corners / (4 * steps[i] * steps[j])
        return result
