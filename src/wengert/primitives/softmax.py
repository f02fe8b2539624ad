"""The logarithm of a sum of exponentials, and the shares of its terms."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.types import type_of
from wengert.primitives.families import discrete, smooth
from wengert.primitives.reductions import count_along, restored
from wengert.primitives.special import of_scipy
from wengert.primitives.stop import stop
from wengert.primitives.structure import sum_

_scipy_logsumexp, _scipy_softmax = of_scipy("logsumexp"), of_scipy("softmax")


def _softmax_differential(dxs: Sequence[Any], y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """`dy = y (dx - Σ y dx)`, with `dx` measured from that of the largest entry.

    As `y` tends to 1 there, `dx - Σ y dx` would be a difference of equals; measured so, it is a sum of what is small.
    """
    largest = np.equal(x, np.max(x, axis=axis, keepdims=True)).astype(dxs[0].dtype)
    dx = dxs[0] - sum_(dxs[0] * (largest / np.sum(largest, axis=axis, keepdims=True)), axis=axis, keepdims=True)
    return y * (dx - sum_(y * dx, axis=axis, keepdims=True))


softmax: Primitive = smooth(
    "softmax",
    lambda x, axis: _scipy_softmax(x, axis=axis),
    _softmax_differential,
    formula="softmax(a)",
    laws=lambda make: [((make(4),), {"axis": (-1,)}), ((make(2, 3, 2),), {"axis": (-3, -1)})],
)


def _value(a: Any, *weights: Any, axis: tuple[int, ...]) -> Any:
    """`log |Σ b eᵃ|`, and for complex numbers `log Σ b eᵃ`."""
    if not np.size(a):
        return np.sum(a, axis=axis) - np.inf  # SciPy's own fails on empty stacks
    if not weights:
        return _scipy_logsumexp(a, axis=axis)
    if np.result_type(a, *weights).kind == "c":
        return _scipy_logsumexp(a, axis=axis, b=weights[0])
    return _scipy_logsumexp(a, axis=axis, b=weights[0], return_sign=True)[0]


def _sign(a: Any, *weights: Any, axis: tuple[int, ...]) -> Any:
    if not np.size(a):
        return np.sum(a, axis=axis)
    return _scipy_logsumexp(a, axis=axis, b=weights[0] if weights else None, return_sign=True)[1]


def _terms(y: Any, a: Any, axis: tuple[int, ...]) -> Any:
    """`e^(a - y)`; where the sum is infinite, or every term 0, those that are equal to it have the same share.

    No derivative is taken through `y`: a common factor changes no share.
    """
    total = restored(stop(y), axis)
    equal = np.isinf(total) & np.equal(a, total)
    return np.exp(np.where(equal, 0.0, a - total))


def _differential(dxs: Sequence[Any], y: Any, a: Any, *weights: Any, axis: tuple[int, ...]) -> Any:
    """`dy = Σ softmax(a) da`."""
    if weights:
        return _weighted_differential(dxs, y, a, weights[0], axis)
    if not count_along(tuple(a.shape), axis):
        return sum_(dxs[0], axis=axis, keepdims=False)
    terms = _terms(y, a, axis)
    limit = terms / sum_(terms, axis=axis, keepdims=True)
    shares = np.where(np.isfinite(restored(y, axis)), softmax(a, axis=axis), limit)
    return sum_(shares * dxs[0], axis=axis, keepdims=False)


def _weighted_differential(dxs: Sequence[Any], y: Any, a: Any, b: Any, axis: tuple[int, ...]) -> Any:
    """`dy = Σ (b w da + w db) / Σ b w` with `w = e^(a - y)`; a weight of 0 makes a term 0, however large `a`."""
    terms = _terms(y, a, axis)
    absent = np.logical_and(np.equal(b, 0), np.logical_not(np.isfinite(a)))
    shares = np.where(absent, 0.0, b * terms)
    change: Any = 0.0
    if dxs[0] is not None:
        change = change + shares * dxs[0]
    if dxs[1] is not None:
        change = change + terms * dxs[1]
    numerator = sum_(change, axis=axis, keepdims=False)
    return numerator / sum_(shares, axis=axis, keepdims=False) if count_along(tuple(shares.shape), axis) else numerator


def _cases(make: Any) -> list[Any]:
    return [
        ((make(4),), {"axis": (-1,)}),
        ((make(2, 3, 2),), {"axis": (-3, -1)}),
        ((make(3, 2), np.array([[1.0, 2.0], [0.5, 1.5], [0.0, 3.0]])), {"axis": (-2,)}),
    ]


logsumexp: Primitive = smooth("logsumexp", _value, _differential, formula="log Σ exp a", laws=_cases)
softmax.is_shaped = logsumexp.is_shaped = True
sign_of_sum = discrete("sign_of_sum", _sign, formula="sign Σ exp a", laws=_cases)


def _rows(x: Any, axis: tuple[int, ...]) -> bool:
    """Whether rows of a matrix are so short that NumPy's reductions take most of their time between them."""
    return axis == (-1,) and x.ndim == 2 and 0 < x.shape[1] <= _SHORT and x.flags.c_contiguous and x.dtype.kind == "f"


_SHORT = 64  # entries


@functools.lru_cache(maxsize=64)
def _starts(n: int, m: int) -> Any:
    return np.arange(0, n * m, m)


@functools.lru_cache(maxsize=64)
def _ones(m: int, dtype: Any) -> Any:
    return np.ones((m, 1), dtype)


def _log_shares(x: Any, axis: tuple[int, ...]) -> Any:
    if type(x) is not np.ndarray:
        away = x - np.max(x, axis=axis, keepdims=True)
        return away - np.log(np.sum(np.exp(away), axis=axis, keepdims=True))
    if _rows(x, axis):
        n, m = x.shape
        away = x - x.take(x.argmax(1) + _starts(n, m)).reshape(n, 1)
        return away - np.log(np.exp(away) @ _ones(m, x.dtype))
    away = x - np.maximum.reduce(x, axis, keepdims=True)  # the functions above end here too, after half of the time
    return away - np.log(np.add.reduce(np.exp(away), axis, keepdims=True))


def _total(x: Any, axis: tuple[int, ...]) -> Any:
    if type(x) is not np.ndarray:
        return sum_(x, axis=axis, keepdims=True)
    return x @ _ones(x.shape[1], x.dtype) if _rows(x, axis) else np.add.reduce(x, axis, None, None, True)  # type: ignore[call-overload]  # by position, which takes less time


def _log_shares_differential(dxs: Sequence[Any], y: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """`dy = dx - Σ softmax(x) dx`."""
    return dxs[0] - sum_(np.exp(y) * dxs[0], axis=axis, keepdims=True)


def _log_shares_pullback(ct: Any, y: Any, x: Any, axis: tuple[int, ...]) -> tuple[Any]:
    """`ct_x = ct - softmax(x) Σ ct`."""
    return (ct - np.exp(y) * _total(ct, axis),)


log_softmax: Primitive = smooth(
    "log_softmax",
    _log_shares,
    _log_shares_differential,
    pullback=_log_shares_pullback,
    formula="a - log Σ exp a",
    laws=lambda make: [((make(4),), {"axis": (-1,)}), ((make(2, 3, 2),), {"axis": (-3, -1)})],
)
log_softmax.kept = lambda xs, params, y: ((type_of(xs[0]),), params, y)


@log_softmax.spell
def _spell_log_softmax(x: Any, axis: tuple[int, ...]) -> Any:
    away = x - np.max(x, axis=axis, keepdims=True)
    return away - np.log(sum_(np.exp(away), axis=axis, keepdims=True))
