"""SciPy's whole namespace `scipy.special`, and traced values everywhere.

Most of its functions are ufuncs, which pass traced arrays on; those are SciPy's own objects, and can as well be imported
from SciPy.  The ones defined here are those that turn their arguments into plain arrays first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert._optional import load
from wengert.core.trace import Tracer
from wengert.primitives import gamma as _gamma
from wengert.primitives import softmax as _softmax
from wengert.primitives.align import align_elementwise, as_array, contains_tracer
from wengert.primitives.reductions import restored, trailing
from wengert.primitives.shaping import to_dtype
from wengert.primitives.stop import stop

_plain = load("scipy.special", "wengert.scipy.special", "scipy")

__all__ = ["log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax"]
__all__ += [name for name in _plain.__all__ if name not in __all__]


def __getattr__(name: str) -> Any:
    return getattr(_plain, name)


def __dir__() -> list[str]:
    return sorted({*dir(_plain), *__all__})


def _inexact(x: Any) -> Any:
    x = as_array(x)
    return x if x.dtype.kind in "fc" else to_dtype(x, np.result_type(x.dtype, np.float64))


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """`log Σ b eᵃ`, whose derivative is the shares `b eᵃ / Σ b eᵃ` of the terms; as `scipy.special.logsumexp`.

    Terms of `-inf` have the share 0; if all are `-inf`, or several `+inf`, those share equally.

    Args:
        a: exponents, an array of floating or complex numbers.
        axis: the axis or axes of the sum, all of them for `None`.
        b: weights that broadcast with `a`, of any sign; a term of weight 0 is not there.
        keepdims: keep the summed axes, of length 1.
        return_sign: return `(log |Σ b eᵃ|, sign)`, without which a negative sum gives NaN.

    Example:
        >>> import numpy as np, wengert as wg
        >>> from wengert.scipy.special import logsumexp
        >>> wg.grad(logsumexp)(np.array([1000.0, 1000.0, -np.inf]))
        array([0.5, 0.5, 0. ])

    Source: P. Blanchard, D. J. Higham and N. J. Higham, IMA J. Numer. Anal. 41 (2021).
    """
    if not contains_tracer([a, b]):
        return _plain.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)
    operands = align_elementwise(tuple([np.atleast_1d(_inexact(x)) for x in ((a,) if b is None else (a, b))]))
    shape = np.broadcast_shapes(*[x.shape for x in operands])
    operands = tuple([x if x.shape == shape else np.broadcast_to(x, shape) for x in operands])  # batches need one rank
    axes = trailing(axis, len(shape))
    y = _softmax.logsumexp(*operands, axis=axes)
    sign = _softmax.sign_of_sum(*operands, axis=axes) if b is not None or return_sign else None
    if y.dtype.kind == "c" and return_sign:
        y, sign = np.real(y), np.exp(1j * np.imag(y))
    elif y.dtype.kind == "f" and sign is not None and not return_sign:
        y = np.where(np.less(sign, 0), np.nan, y)
    if keepdims:
        y, sign = restored(y, axes), None if sign is None else restored(sign, axes)
    return (y, sign) if return_sign else y


def softmax(x: Any, axis: Any = None) -> Any:
    """`eˣ / Σ eˣ`, the shares of a sum of exponentials; as `scipy.special.softmax`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> from wengert.scipy.special import softmax
        >>> wg.jacobian(softmax)(np.zeros(2))
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
    """
    if not contains_tracer(x):
        return _plain.softmax(x, axis=axis)
    x = _inexact(x)
    return _softmax.softmax(x, axis=trailing(axis, x.ndim))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """`x - log Σ eˣ`, without the underflow of `log(softmax(x))`; as `scipy.special.log_softmax`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> from wengert.scipy.special import log_softmax
        >>> wg.jacobian(log_softmax)(np.zeros(2))
        array([[ 0.5, -0.5],
               [-0.5,  0.5]])
    """
    if not contains_tracer(x):
        return _plain.log_softmax(x, axis=axis)
    x = _inexact(x)
    largest = stop(np.max(x, axis=axis, keepdims=True))
    shifted = x - np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def polygamma(n: Any, x: Any) -> Any:
    """`ψ⁽ⁿ⁾(x)`, the derivative of order `n` of the digamma function; as `scipy.special.polygamma`.

    Example:
        >>> import wengert as wg
        >>> from wengert.scipy.special import polygamma
        >>> float(wg.grad(lambda x: polygamma(1, x))(1.0))
        -2.404113806319188
    """
    if not isinstance(x, Tracer):
        return _plain.polygamma(n, x)
    return _gamma.polygamma(as_array(n), to_dtype(x, np.float64))


def multigammaln(a: Any, d: int) -> Any:
    """`log Γ_d(a) = d (d - 1) / 4 log π + Σ log Γ(a - j/2)`, `j < d`; as `scipy.special.multigammaln`.

    Example:
        >>> import wengert as wg
        >>> from wengert.scipy.special import multigammaln, psi
        >>> wg.grad(lambda a: multigammaln(a, 2))(3.0) == psi(3.0) + psi(2.5)
        np.True_
    """
    if not isinstance(a, Tracer):
        return _plain.multigammaln(a, d)
    if np.ndim(d) or int(d) != d:
        msg = "d should be a positive integer (dimension)"
        raise ValueError(msg)
    if np.any(a <= 0.5 * (d - 1)):
        msg = f"condition a > 0.5 * (d-1) not met: a = {a}, d = {d}"
        raise ValueError(msg)
    total = d * (d - 1) * 0.25 * math.log(math.pi)
    for j in range(d):
        total = total + _gamma.gammaln(a - j / 2)
    return total
