"""Polynomials by their coefficients, highest power first, and the families of orthogonal polynomials."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.trace import peek
from wengert.primitives.align import as_operand
from wengert.primitives.joining import build_array, concatenate
from wengert.primitives.products import convolve
from wengert.primitives.shaping import to_dtype


def coefficients(p: Any) -> Any:
    """A vector of coefficients."""
    p = as_operand(p)
    p = p if hasattr(p, "shape") else np.asarray(p)
    return np.atleast_1d(p)


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """`p[0] x^(n-1) + ... + p[n-1]`, by Horner's scheme."""
    p, x = coefficients(p), as_operand(x)
    y = np.zeros_like(x)
    for k in range(p.shape[0]):
        y = y * x + p[k]
    return y


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of `x`, a row for each entry."""
    x = coefficients(x)
    if len(x.shape) != 1:
        msg = "x must be a one-dimensional array or sequence."
        raise ValueError(msg)
    x = to_dtype(x, np.promote_types(x.dtype, int))
    n = x.shape[0] if N is None else int(N)
    columns = [np.ones_like(x)]
    for _ in range(n - 1):
        columns.append(columns[-1] * x)
    columns = columns[:n]
    if not columns:
        return np.zeros_like(x, shape=(x.shape[0], 0))
    return np.stack(columns if increasing else columns[::-1], axis=1)


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """The polynomial of degree `deg` with the least sum of squared residuals, through `lstsq`."""
    n_terms = int(deg) + 1
    x, y = coefficients(x) + 0.0, coefficients(y) + 0.0
    if deg < 0:
        msg = "expected deg >= 0"
        raise ValueError(msg)
    if len(x.shape) != 1 or not x.shape[0] or len(y.shape) not in {1, 2} or x.shape[0] != y.shape[0]:
        msg = "expected a non-empty vector x, and y a vector or matrix with as many rows"
        raise TypeError(msg)
    rcond = x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    left, right = np.vander(x, n_terms), y
    if w is not None:
        if np.shape(w) != x.shape:
            msg = "expected a 1-d array for weights, of the length of x"
            raise TypeError(msg)
        weights = np.reshape(coefficients(w) + 0.0, (-1, 1))
        left = left * weights
        right = right * (weights if len(y.shape) == 2 else weights[:, 0])
    length = np.sqrt(np.sum(left * left, axis=0))
    left = left / length
    c, residuals, rank, s = np.linalg.lstsq(left, right, rcond)
    c = np.transpose(np.transpose(c) / length)
    if not full and peek(lambda found: np.any(found != n_terms), rank):
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=3)
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    base = np.linalg.inv(np.dot(np.transpose(left), left)) / np.outer(length, length)
    if isinstance(cov, str) and cov == "unscaled":
        factor: Any = 1
    elif x.shape[0] <= n_terms:
        msg = "the number of data points must exceed order to scale the covariance matrix"
        raise ValueError(msg)
    else:
        factor = residuals / (x.shape[0] - n_terms)
    return c, base * factor if len(y.shape) == 1 else base[:, :, None] * factor


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """The coefficients of the `m`-th derivative."""
    p = coefficients(p)
    if m < 0:
        msg = "Order of derivative must be positive (see polyint)"
        raise ValueError(msg)
    for _ in range(int(m)):
        n = p.shape[0] - 1
        p = p[:-1] * np.arange(n, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The coefficients of the `m`-th antiderivative, with integration constants `k`."""
    p = coefficients(p)
    if m < 0:
        msg = "Order of integral must be positive (see polyder)"
        raise ValueError(msg)
    constants = np.zeros(m) if k is None else coefficients(k)
    if constants.shape[0] == 1 and m > 1:
        constants = constants[0] * np.ones(m)
    if constants.shape[0] < m:
        msg = "k must be a scalar or a rank-1 array of length 1 or >m."
        raise ValueError(msg)
    for j in range(int(m)):
        n = p.shape[0]
        p = concatenate([p / np.arange(n, 0, -1), constants[j : j + 1]])
    return p


def _same_degree(a: Any, b: Any) -> tuple[Any, Any]:
    a, b = coefficients(a), coefficients(b)
    n = max(a.shape[0], b.shape[0])
    return tuple(  # type: ignore[return-value]
        p if p.shape[0] == n else concatenate([np.zeros(n - p.shape[0], p.dtype), p]) for p in (a, b)
    )


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    a, b = _same_degree(a1, a2)
    return a + b


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    a, b = _same_degree(a1, a2)
    return a - b


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials."""
    return convolve(*[_without_leading_zeros(coefficients(p)) for p in (a1, a2)])


def counts(p: Any, is_zero: Callable[[Any], Any] = lambda value: value == 0) -> Any:
    """Positions of the coefficients that are not zero; of a batch, those that are not zero in some member."""
    zeros = peek(is_zero, p)
    return np.flatnonzero(~zeros.reshape(-1, zeros.shape[-1]).all(0))


def _without_leading_zeros(p: Any) -> Any:
    """NumPy's polynomials drop zeros in front when they multiply."""
    found = counts(p)
    return p[int(found[0]) :] if found.size else p[-1:]


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """Quotient and remainder."""
    u, v = coefficients(u) + 0.0, coefficients(v) + 0.0
    m, n = u.shape[0] - 1, v.shape[0] - 1
    kind = np.result_type(u.dtype, v.dtype)
    rest = [u[k] for k in range(m + 1)]
    quotient = []
    scale = 1.0 / v[0]
    for k in range(m - n + 1):
        d = scale * rest[k]
        quotient.append(d)
        for j in range(n + 1):
            rest[k + j] = rest[k + j] - d * v[j]
    q = to_dtype(build_array(quotient), kind) if quotient else np.zeros(max(m - n + 1, 1), kind)
    r = to_dtype(build_array(rest), kind)
    found = counts(r, lambda value: np.isclose(value, 0, rtol=1e-14))
    return q, r[int(found[0]) if found.size else -1 :]


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """The coefficients of the polynomial with these roots, or of a matrix's characteristic polynomial."""
    roots = coefficients(seq_of_zeros)
    if len(roots.shape) == 2:
        roots = np.linalg.eigvals(roots)
    result = np.ones_like(roots, shape=(1,))
    for k in range(roots.shape[0]):
        result = convolve(result, concatenate([np.ones((1,), roots.dtype), -roots[k : k + 1]]))
    if roots.dtype.kind == "c" and peek(lambda z: np.all(np.sort(z) == np.sort(np.conjugate(z))), roots):
        result = np.real(result)
    return result


@implements(np.roots)
def roots(p: Any) -> Any:
    """The zeros of a polynomial: the eigenvalues of its companion matrix."""
    p = coefficients(p)
    found = counts(p)
    if not found.size:
        return np.array([])
    trailing = p.shape[0] - 1 - int(found[-1])
    p = p[int(found[0]) : int(found[-1]) + 1]
    n = p.shape[0]
    zeros = np.zeros(trailing, p.dtype)
    if n == 1:
        return np.zeros(trailing)
    companion = concatenate([np.reshape(-p[1:] / p[0], (1, n - 1)), np.eye(n - 2, n - 1, dtype=p.dtype)])
    values = np.linalg.eigvals(companion)
    return concatenate([values, zeros]) if trailing else values


# --- families with a three-term recurrence ----------------------------------------------------------------------------
#     P[k+1] = (A x + B) P[k] - C P[k-1]


def _recurrence(family: str, k: int) -> tuple[float, float, float]:
    """`(A, B, C)` at `k`.  Source: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 22.7."""
    return {
        "polynomial": (1.0, 0.0, 0.0),
        "chebyshev": (2.0 if k else 1.0, 0.0, 1.0),
        "legendre": ((2 * k + 1) / (k + 1), 0.0, k / (k + 1)),
        "hermite": (2.0, 0.0, 2.0 * k),
        "hermite_e": (1.0, 0.0, float(k)),
        "laguerre": (-1 / (k + 1), (2 * k + 1) / (k + 1), k / (k + 1)),
    }[family]


def series_value(family: str, x: Any, c: Any, tensor: bool = True) -> Any:
    """`Σ c[k] P[k](x)` by Clenshaw's recurrence; further axes of `c` are other series, evaluated at every `x`."""
    c = coefficients(c)
    c = c if c.dtype.kind in "fc" else to_dtype(c, float)
    x = as_operand(x)
    if isinstance(x, (tuple, list)):
        x = np.asarray(x)
    if tensor and np.ndim(x):
        c = np.reshape(c, tuple(c.shape) + (1,) * np.ndim(x))
    n = c.shape[0]
    later: Any = 0.0
    current = c[n - 1] + 0.0 * x
    for k in range(n - 2, -1, -1):
        a, b, _ = _recurrence(family, k)
        _, _, c_next = _recurrence(family, k + 1)
        step = c[k] + (a * x + b) * current if b else c[k] + (a * x if a != 1 else x) * current
        current, later = (step - c_next * later if c_next and k < n - 2 else step), current
    return current


def basis_values(family: str, x: Any, deg: int) -> Any:
    """`P[0](x) ... P[deg](x)` along a new last axis."""
    x = as_operand(x) + 0.0
    x = x if np.ndim(x) else np.reshape(x, (1,))
    columns = [np.ones_like(x)]
    for k in range(int(deg)):
        a, b, c = _recurrence(family, k)
        nxt = (a * x + b) * columns[-1]
        columns.append(nxt - c * columns[-2] if k and c else nxt)
    return np.stack(columns, axis=-1)
