"""`numpy.polynomial`, whose functions NumPy cannot pass on to traced arrays: values, bases, calculus and fits.

Six families share one recurrence; what is linear in the coefficients is a matrix, found by running NumPy's function
on unit vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from wengert.numpy.series import Series, class_of, trimmed
from wengert.primitives.align import as_operand, contains_tracer
from wengert.primitives.polynomials import basis_values, coefficients, series_value
from wengert.primitives.products import convolve, dot

FAMILIES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
}


def __getattr__(name: str) -> Any:
    return getattr(np.polynomial, name)


class _Family(SimpleNamespace):
    """A module of `numpy.polynomial` with some of its functions replaced."""

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(np.polynomial, self.family), name)


def _either(plain: Callable[..., Any], traced: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function for plain arguments, ours when one is traced."""

    def front(*args: Any, **kwargs: Any) -> Any:
        return (traced if contains_tracer([*args, *kwargs.values()]) else plain)(*args, **kwargs)

    front.__name__ = plain.__name__
    front.__doc__ = f"`{plain.__module__}.{plain.__name__}`, also of traced values."
    return front


def _linear(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is affine in the coefficients `c`: its matrix and its value at 0 come from NumPy."""

    def traced(c: Any, *args: Any, axis: int = 0, **kwargs: Any) -> Any:
        c = np.moveaxis(coefficients(c), axis, 0)
        n = c.shape[0]
        constant = plain(np.zeros(n), *args, **kwargs)
        matrix = np.stack([_to_length(plain(unit, *args, **kwargs), len(constant), n) for unit in np.eye(n)], 1)
        constant = _to_length(constant, len(matrix), n)
        kind = c.dtype if c.dtype.kind in "fc" else np.dtype(float)
        matrix, constant = matrix.astype(kind), constant.astype(kind)
        result = dot(matrix - constant[:, None], c) + constant.reshape((-1,) + (1,) * (c.ndim - 1))
        return np.moveaxis(result, 0, axis)

    return traced


def _to_length(values: Any, n: int, least: int) -> Any:
    return np.concatenate([values, np.zeros(max(0, n - len(values)))])


def _fit(family: str) -> Callable[..., Any]:
    def traced(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None) -> Any:
        x, y = coefficients(x) + 0.0, coefficients(y) + 0.0
        terms = np.arange(deg + 1) if np.ndim(deg) == 0 else np.sort(deg)
        left, right = basis_values(family, x, int(terms[-1]))[:, terms], y
        if w is not None:
            weights = np.reshape(as_operand(w) + 0.0, (-1, 1))
            left, right = left * weights, right * (weights if len(y.shape) == 2 else weights[:, 0])
        length = np.sqrt(np.sum(np.square(left), axis=0))
        c, residuals, rank, s = np.linalg.lstsq(
            left / length, right, x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
        )
        c = np.transpose(np.transpose(c) / length)
        if np.ndim(deg):
            whole = np.zeros_like(c, shape=(int(terms[-1]) + 1, *c.shape[1:]))
            whole[terms] = c
            c = whole
        return (c, [residuals, rank, s, rcond]) if full else c

    return traced


def _value_on(family: str, *, grid: bool) -> Callable[..., Any]:
    """Values of series in two or three variables, at points or on a grid."""

    def traced(*args: Any) -> Any:
        *points, c = args
        for k, x in enumerate(points):
            c = series_value(family, x, c, tensor=grid or k == 0)
        return c

    return traced


def _vander_of(family: str) -> Callable[..., Any]:
    def traced(*args: Any) -> Any:
        *points, degrees = args
        bases = [basis_values(family, x, deg) for x, deg in zip(points, degrees, strict=True)]
        result = bases[0]
        for basis in bases[1:]:
            result = result[..., :, None] * basis[..., None, :]
            result = np.reshape(result, (*result.shape[:-2], -1))
        return result

    return traced


def _functions(family: str, word: str) -> dict[str, Callable[..., Any]]:
    """The functions of one family by the second part of their names."""
    plain = getattr(np.polynomial, family)
    series = Series(plain, word)
    traced: dict[str, Callable[..., Any]] = {
        "val": lambda x, c, tensor=True: series_value(family, x, c, tensor),
        "vander": lambda x, deg: basis_values(family, x, deg),
        "der": _linear(series["der"]),
        "int": _linear(series["int"]),
        "fit": _fit(family),
        "add": lambda c1, c2: _sum(c1, c2, 1),
        "sub": lambda c1, c2: _sum(c1, c2, -1),
        "val2d": _value_on(family, grid=False),
        "val3d": _value_on(family, grid=False),
        "grid2d": _value_on(family, grid=True),
        "grid3d": _value_on(family, grid=True),
        "vander2d": _vander_of(family),
        "vander3d": _vander_of(family),
    }
    for name in ("mul", "mulx", "div", "pow", "fromroots", "companion", "roots", "line", "trim"):
        traced[name] = getattr(series, name)
    if family == "polynomial":
        traced |= {"mul": lambda c1, c2: trimmed(convolve(c1, c2)), "valfromroots": _value_from_roots}
    return {name: _either(series[name], piece) for name, piece in traced.items()}


def _module(family: str, word: str) -> _Family:
    functions = _functions(family, word)
    named = {word + name: front for name, front in functions.items()}
    plain = getattr(np.polynomial, _class_name(family))
    return _Family(family=family, **named, **{_class_name(family): class_of(plain, functions)})


def _class_name(family: str) -> str:
    return "HermiteE" if family == "hermite_e" else family.capitalize()


def _sum(c1: Any, c2: Any, sign: int) -> Any:
    c1, c2 = coefficients(c1), coefficients(c2)
    n = max(c1.shape[0], c2.shape[0])
    a, b = (c if c.shape[0] == n else np.concatenate([c, np.zeros(n - c.shape[0], c.dtype)]) for c in (c1, c2))
    return trimmed(a + sign * b)


def _value_from_roots(x: Any, r: Any, tensor: bool = True) -> Any:
    r, x = coefficients(r), as_operand(x)
    if tensor and np.ndim(x):
        r = np.reshape(r, tuple(r.shape) + (1,) * np.ndim(x))
    return np.prod(x - r, axis=0)


polynomial, chebyshev, legendre, hermite, hermite_e, laguerre = (
    _module(family, word) for family, word in FAMILIES.items()
)
Polynomial, Chebyshev, Legendre, Hermite, HermiteE, Laguerre = (
    getattr(module, _class_name(module.family))
    for module in (polynomial, chebyshev, legendre, hermite, hermite_e, laguerre)
)
