"""Algebra of polynomial series in any basis, with traced coefficients, and the classes `Polynomial`, `Chebyshev`, ...

What NumPy's functions do to the basis itself says everything: products of two basis polynomials are the entries of a
bilinear form, and the companion matrix is affine in the ratios of the coefficients.  Both are read off NumPy's own
functions on unit vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.primitives.align import as_operand, contains_tracer
from wengert.primitives.polynomials import coefficients, counts
from wengert.primitives.shaping import to_dtype

Front = Callable[..., Any]


def trimmed(c: Any) -> Any:
    """Without zeros at the end."""
    found = counts(c)
    return c[: int(found[-1]) + 1] if found.size else c[:1]


def inexact(c: Any) -> Any:
    """A vector of coefficients, as floats if they are integers."""
    c = coefficients(c)
    return c if c.dtype.kind in "fc" else to_dtype(c, float)


def unit(k: int, n: int) -> Any:
    """The `k`-th basis polynomial among `n`."""
    return np.eye(n)[k]


@lru_cache(maxsize=256)
def _products(multiply: Front, m: int, n: int) -> Any:
    """`[k, i, j]`: the share of basis polynomial `k` in the product of the `i`-th and the `j`-th."""
    result = np.zeros((m + n - 1, m, n))
    for i, j in np.ndindex(m, n):
        product = multiply(unit(i, m), unit(j, n))
        result[: len(product), i, j] = product
    return result


@lru_cache(maxsize=256)
def _companions(companion: Front, n: int) -> tuple[Any, Any]:
    """The companion matrix of the last of `n` basis polynomials, and what each ratio of coefficients adds to it."""
    last = unit(n - 1, n)
    base = companion(last)
    return base, np.stack([companion(last + unit(k, n)) - base for k in range(n - 1)])


class Series:
    """The functions of one module of `numpy.polynomial`, `chebmul` and so on, for traced coefficients."""

    def __init__(self, plain: Any, word: str) -> None:
        self.plain, self.word = plain, word

    def __getitem__(self, name: str) -> Front:
        """NumPy's function of that name."""
        return getattr(self.plain, self.word + name)  # type: ignore[no-any-return]

    def mul(self, c1: Any, c2: Any) -> Any:
        """The product of two series."""
        c1, c2 = trimmed(inexact(c1)), trimmed(inexact(c2))
        table = _products(self["mul"], c1.shape[0], c2.shape[0]).astype(np.result_type(c1.dtype, c2.dtype))
        return trimmed(np.einsum("kij,i,j->k", table, c1, c2))

    def mulx(self, c: Any) -> Any:
        """The series times its variable."""
        c = inexact(c)
        return self.mul(c, self["line"](0.0, 1.0).astype(c.dtype))

    def line(self, off: Any, scl: Any) -> Any:
        """The series `off + scl x`."""
        constant, slope = self["line"](1.0, 0.0), self["line"](0.0, 1.0)
        constant = np.concatenate([constant, np.zeros(len(slope) - len(constant))])
        kind = np.result_type(*[as_operand(v).dtype if hasattr(v, "dtype") else type(v) for v in (off, scl)])
        return trimmed(off * constant.astype(kind) + scl * slope.astype(kind))

    def pow(self, c: Any, pow: int, maxpower: int | None = 16) -> Any:
        """The series multiplied by itself."""
        power = int(pow)
        if power != pow or power < 0:
            msg = "Power must be a non-negative integer."
            raise ValueError(msg)
        if maxpower is not None and power > maxpower:
            msg = "Power is too large"
            raise ValueError(msg)
        c = trimmed(inexact(c))
        result = c if power else np.ones(1, c.dtype)
        for _ in range(power - 1):
            result = self.mul(result, c)
        return result

    def div(self, c1: Any, c2: Any) -> tuple[Any, Any]:
        """Quotient and remainder, by taking multiples of the divisor off from the highest degree downwards."""
        c1, c2 = trimmed(inexact(c1)), trimmed(inexact(c2))
        n, m = c1.shape[0], c2.shape[0]
        if n < m:
            return c1[:1] * 0, c1
        if m == 1:
            return c1 / c2[-1], c1[:1] * 0
        kind = c2.dtype if self.word in {"poly", "cheb"} else np.result_type(c2.dtype, float)  # as in NumPy
        quotient, rest = [], c1
        for k in range(n - m, -1, -1):
            shifted = _products(self["mul"], k + 1, m)[:, k].astype(kind) @ c2
            quotient.append(rest[-1] / shifted[-1])
            rest = rest[:-1] - quotient[-1] * shifted[:-1]
        return to_dtype(np.stack(quotient[::-1]), c1.dtype), trimmed(rest)

    def fromroots(self, roots: Any) -> Any:
        """The monic series with these roots, which NumPy multiplies in sorted order."""
        roots = np.sort(inexact(roots))
        result = np.ones(1, roots.dtype)
        for k in range(roots.shape[0]):
            result = self.mul(result, self.line(-roots[k], 1))
        return result

    def companion(self, c: Any) -> Any:
        """The matrix whose eigenvalues are the roots."""
        c = trimmed(inexact(c))
        if c.shape[0] < 2:
            msg = "Series must have maximum degree of at least 1."
            raise ValueError(msg)
        base, slopes = (part.astype(c.dtype) for part in _companions(self["companion"], c.shape[0]))
        return base + np.einsum("kij,k->ij", slopes, c[:-1] / c[-1])

    def roots(self, c: Any) -> Any:
        """The zeros, in ascending order."""
        c = trimmed(inexact(c))
        if c.shape[0] < 2:
            return np.array([], c.dtype)
        return np.sort(np.linalg.eigvals(self.companion(c)[::-1, ::-1]))

    def trim(self, c: Any, tol: float = 0) -> Any:
        """Without small coefficients at the end."""
        if tol < 0:
            msg = "tol must be non-negative"
            raise ValueError(msg)
        c = coefficients(c)
        found = counts(c, lambda value: np.abs(value) <= tol)
        return c[: int(found[-1]) + 1] if found.size else c[:1] * 0


def class_of(plain: Any, functions: dict[str, Front]) -> Any:
    """`numpy.polynomial.Chebyshev` and its like, with traced coefficients and at traced points.

    `functions` are those that NumPy's class has as `_add`, `_val` and so on.
    """

    class Series(plain):  # type: ignore[misc]
        __doc__ = plain.__doc__

        def __init__(self, coef: Any, domain: Any = None, window: Any = None, symbol: str = "x") -> None:
            is_traced = contains_tracer(coef)
            coef = coefficients(coef) if is_traced else coef
            super().__init__(np.zeros(coef.shape) if is_traced else coef, domain, window, symbol)
            if is_traced:
                self.coef = coef

        def __call__(self, arg: Any) -> Any:
            off, scl = np.polynomial.polyutils.mapparms(self.domain, self.window)
            return self._val(off + scl * as_operand(arg), self.coef)

        def roots(self) -> Any:
            off, scl = np.polynomial.polyutils.mapparms(self.window, self.domain)
            return off + scl * self._roots(self.coef)

    for name in ("add", "sub", "mul", "div", "pow", "val", "int", "der", "fit", "line", "roots", "fromroots"):
        setattr(Series, f"_{name}", staticmethod(functions[name]))
    Series.__name__ = Series.__qualname__ = plain.__name__
    return Series
