"""Derivatives without differentiation: what the readings of a card, and gradients of users, are compared with.

Central differences are extrapolated to step zero (Richardson); where the function happens to be analytic and
real, one imaginary step is sharper still, because it subtracts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Flat = Callable[..., Sequence[Any]]
_WIDE = {"e": np.float64, "f": np.float64, "F": np.complex128}
_LEVELS = 3
_IMAGINARY_STEP = 1e-30


def widen(x: Any) -> Any:
    """Half and single precision as double; anything else as it is."""
    char = getattr(getattr(x, "dtype", None), "char", "")
    return x.astype(_WIDE[char]) if char in _WIDE else x


def directional(
    f: Flat, xs: Sequence[Any], dxs: Sequence[Any], step: float = 2.0**-12, *, sharpen: bool = True
) -> tuple[list[Any], list[Any]]:
    """`d/dt f(x + t dx)` at `t = 0`, and how far it may be wrong, for each output of the flat function `f`.

    `dxs` has `None` for what stays as it is.  Central differences with steps `h, h/2, h/4` are extrapolated to an
    error of order `h⁶`; `sharpen` tries an imaginary step too, for which `f` must bear complex numbers.

    Source: L. F. Richardson, The deferred approach to the limit (1927); C. J. F. Ridders (1982) for the estimate.
    """
    table = [_central(f, xs, dxs, step / 2**k) for k in range(_LEVELS)]
    previous = table
    for power in range(1, _LEVELS):
        factor = 4.0**power
        previous = table
        table = [
            [(factor * b - a) / (factor - 1) for a, b in zip(coarse, fine, strict=True)]
            for coarse, fine in zip(table[:-1], table[1:], strict=True)
        ]
    errors = [np.abs(a - b) for a, b in zip(table[-1], previous[-1], strict=True)]
    return _sharpened(f, xs, dxs, table[-1], errors) if sharpen else (table[-1], errors)


def _central(f: Flat, xs: Sequence[Any], dxs: Sequence[Any], step: float) -> list[Any]:
    up, down = f(*moved(xs, dxs, step)), f(*moved(xs, dxs, -step))
    return [(widen(np.asarray(a)) - widen(np.asarray(b))) / (2 * step) for a, b in zip(up, down, strict=True)]


def moved(xs: Sequence[Any], dxs: Sequence[Any], t: complex) -> list[Any]:
    """The point `x + t dx`."""
    return [x if dx is None else x + t * dx for x, dx in zip(xs, dxs, strict=True)]


def _sharpened(
    f: Flat, xs: Sequence[Any], dxs: Sequence[Any], slopes: list[Any], errors: list[Any]
) -> tuple[list[Any], list[Any]]:
    """The imaginary step, `Im f(x + i h dx) / h`, for the outputs where it agrees with the differences.

    Source: J. N. Lyness and C. B. Moler, Numerical differentiation of analytic functions (1967).
    """
    if any(np.iscomplexobj(x) for x in xs) or any(np.iscomplexobj(s) for s in slopes):
        return slopes, errors
    try:
        results = [np.asarray(y) for y in f(*moved(xs, dxs, 1j * _IMAGINARY_STEP))]
    except (TypeError, ValueError, np.linalg.LinAlgError):
        return slopes, errors  # not made for complex numbers
    for k, (y, slope, error) in enumerate(zip(results, slopes, errors, strict=True)):
        if np.shape(y) != np.shape(slope):
            continue
        sharp = y.imag / _IMAGINARY_STEP
        agrees = np.abs(sharp - slope) <= 10 * error + 1e-9 * (1 + np.abs(slope))
        if y.dtype == np.complex128 and np.all(agrees):
            slopes[k], errors[k] = sharp, np.zeros_like(error)
    return slopes, errors


_SMALL = (1e-3, 1e-6, 1e-9)


def one_sided(f: Callable[[Any], Any], x: float, sign: int) -> float:
    """The one-sided derivative `lim (f(x ± h) - f(x)) / ±h` of a scalar function; `nan` where there is none.

    It is infinite where the quotients grow without bound, and there is none where `f` jumps or is not defined.
    """
    here = float(f(x))
    there = [float(f(x + sign * h)) for h in _SMALL]
    quotients = [(y - here) / (sign * h) for y, h in zip(there, _SMALL, strict=True)]
    gaps = [abs(y - here) for y in there]
    if not all(np.isfinite(there)) or np.isnan(here):
        return np.nan
    if np.isinf(here):
        return quotients[-1]
    if gaps[-1] > 1e-14 and gaps[-1] > 0.3 * gaps[0]:
        return np.nan  # a jump
    growth = [b - a for a, b in zip(quotients[:-1], quotients[1:], strict=True)]
    if abs(growth[0]) > 1 and growth[1] / growth[0] > 0.9:  # a logarithm grows by equal amounts, a power by more
        return float(np.sign(quotients[-1]) * np.inf)
    return _extrapolated(f, x, sign, here)


def _extrapolated(f: Callable[[Any], Any], x: float, sign: int, here: float) -> float:
    steps = [2.0**-k for k in range(9, 14)]
    table = [(float(f(x + sign * h)) - here) / (sign * h) for h in steps]
    for power in range(1, len(steps)):
        factor = 2.0**power
        table = [(factor * b - a) / (factor - 1) for a, b in zip(table[:-1], table[1:], strict=True)]
    return float(table[0])
