"""Activations: elementwise functions, those of SciPy's names where it has them, and softmax.

At a kink the derivative is the mean of the slopes on both sides, as everywhere in wengert: that of `relu` at 0 is 1/2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import wengert as wg
from wengert._optional import load
from wengert.nn.module import Module


def _special() -> Any:
    return load("scipy.special", "an activation", "scipy")


def relu(x: Any) -> Any:
    """`max(x, 0)`."""
    return np.maximum(x, 0.0)


def relu6(x: Any) -> Any:
    """`min(max(x, 0), 6)`."""
    return np.clip(x, 0.0, 6.0)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """`max(x, 0) + slope min(x, 0)`."""
    return np.maximum(x, 0.0) + negative_slope * np.minimum(x, 0.0)


def prelu(x: Any, weight: Any) -> Any:
    """`max(x, 0) + w min(x, 0)` with one slope, or one for each channel of `[n, channels, ...]`."""
    if weight.size > 1 and x.ndim > 1:
        weight = weight.reshape((-1,) + (1,) * (x.ndim - 2))
    return np.maximum(x, 0.0) + weight * np.minimum(x, 0.0)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` if `x > 0`, else `α (eˣ - 1)`."""
    return np.maximum(x, 0.0) + alpha * np.expm1(np.minimum(x, 0.0))


def celu(x: Any, alpha: float = 1.0) -> Any:
    """`max(x, 0) + min(α (e^(x/α) - 1), 0)`."""
    return np.maximum(x, 0.0) + alpha * np.expm1(np.minimum(x, 0.0) / alpha)


def selu(x: Any) -> Any:
    """`λ elu(x, α)` with the two constants that keep mean 0 and variance 1.

    Source: G. Klambauer et al., Self-normalizing neural networks (NeurIPS 2017).
    """
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def sigmoid(x: Any) -> Any:
    """`1 / (1 + e⁻ˣ)`."""
    return _special().expit(x)


def logsigmoid(x: Any) -> Any:
    """`log(1 / (1 + e⁻ˣ))`, without overflow."""
    return -np.logaddexp(0.0, -x)


def tanh(x: Any) -> Any:
    """`(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)`."""
    return np.tanh(x)


def silu(x: Any) -> Any:
    """`x sigmoid(x)`, also called swish."""
    return x * sigmoid(x)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """`log(1 + e^(βx)) / β`; `x` where `βx` exceeds the threshold."""
    return np.where(beta * x > threshold, x, np.logaddexp(0.0, beta * x) / beta)


def mish(x: Any) -> Any:
    """`x tanh(log(1 + eˣ))`."""
    return x * np.tanh(softplus(x))


def gelu(x: Any, approximate: str = "none") -> Any:
    """`x Φ(x)` with the normal distribution function `Φ`; with `approximate="tanh"` by a formula in `tanh`.

    Source: D. Hendrycks and K. Gimpel, Gaussian error linear units (2016).
    """
    if approximate == "tanh":
        return 0.5 * x * (1.0 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    if approximate != "none":
        msg = f"approximate={approximate!r} is neither 'none' nor 'tanh'"
        raise ValueError(msg)
    return 0.5 * x * (1.0 + _special().erf(x * math.sqrt(0.5)))


def hardtanh(x: Any, low: float = -1.0, high: float = 1.0) -> Any:
    """`x` kept between two numbers."""
    return np.clip(x, low, high)


def hardsigmoid(x: Any) -> Any:
    """`min(max(x + 3, 0), 6) / 6`."""
    return np.clip(x + 3.0, 0.0, 6.0) / 6.0


def hardswish(x: Any) -> Any:
    """`x min(max(x + 3, 0), 6) / 6`."""
    return x * np.clip(x + 3.0, 0.0, 6.0) / 6.0


def glu(x: Any, axis: int = -1) -> Any:
    """`a sigmoid(b)`, where `a` and `b` are the halves of `x` along an axis."""
    a, b = np.split(x, 2, axis=axis)
    return a * sigmoid(b)


def softmax(x: Any, axis: int = -1) -> Any:
    """`e^x / Σ e^x` along an axis."""
    terms = np.exp(x - wg.stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return terms / np.sum(terms, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """`x - log Σ e^x` along an axis."""
    shifted = x - wg.stop_gradient(np.max(x, axis=axis, keepdims=True))
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


class ReLU(Module):
    """`max(x, 0)`."""

    def __call__(self, x: Any) -> Any:
        return relu(x)


class ReLU6(Module):
    """`min(max(x, 0), 6)`."""

    def __call__(self, x: Any) -> Any:
        return relu6(x)


class LeakyReLU(Module):
    """`max(x, 0) + slope min(x, 0)`."""

    negative_slope: float = 0.01

    def __call__(self, x: Any) -> Any:
        return leaky_relu(x, self.negative_slope)


class PReLU(Module):
    """`max(x, 0) + w min(x, 0)` with slopes that are learned, one or one for each channel."""

    weight: Any

    def __init__(self, n: int = 1, start: float = 0.25, *, dtype: Any = np.float32) -> None:
        self.weight = np.full(n, start, dtype)

    def __call__(self, x: Any) -> Any:
        return prelu(x, self.weight)


class ELU(Module):
    """`x` if `x > 0`, else `α (eˣ - 1)`."""

    alpha: float = 1.0

    def __call__(self, x: Any) -> Any:
        return elu(x, self.alpha)


class CELU(Module):
    """`max(x, 0) + min(α (e^(x/α) - 1), 0)`."""

    alpha: float = 1.0

    def __call__(self, x: Any) -> Any:
        return celu(x, self.alpha)


class SELU(Module):
    """`λ elu(x, α)` that keeps mean 0 and variance 1."""

    def __call__(self, x: Any) -> Any:
        return selu(x)


class GELU(Module):
    """`x Φ(x)`, or its approximation by `tanh`."""

    approximate: str = "none"

    def __call__(self, x: Any) -> Any:
        return gelu(x, self.approximate)


class SiLU(Module):
    """`x sigmoid(x)`."""

    def __call__(self, x: Any) -> Any:
        return silu(x)


class Mish(Module):
    """`x tanh(softplus(x))`."""

    def __call__(self, x: Any) -> Any:
        return mish(x)


class Softplus(Module):
    """`log(1 + e^(βx)) / β`."""

    beta: float = 1.0
    threshold: float = 20.0

    def __call__(self, x: Any) -> Any:
        return softplus(x, self.beta, self.threshold)


class Sigmoid(Module):
    """`1 / (1 + e⁻ˣ)`."""

    def __call__(self, x: Any) -> Any:
        return sigmoid(x)


class LogSigmoid(Module):
    """`log(1 / (1 + e⁻ˣ))`."""

    def __call__(self, x: Any) -> Any:
        return logsigmoid(x)


class Tanh(Module):
    """`tanh x`."""

    def __call__(self, x: Any) -> Any:
        return np.tanh(x)


class Hardtanh(Module):
    """`x` kept between two numbers."""

    low: float = -1.0
    high: float = 1.0

    def __call__(self, x: Any) -> Any:
        return hardtanh(x, self.low, self.high)


class Hardsigmoid(Module):
    """`min(max(x + 3, 0), 6) / 6`."""

    def __call__(self, x: Any) -> Any:
        return hardsigmoid(x)


class Hardswish(Module):
    """`x min(max(x + 3, 0), 6) / 6`."""

    def __call__(self, x: Any) -> Any:
        return hardswish(x)


class GLU(Module):
    """`a sigmoid(b)` of the halves of `x` along an axis."""

    axis: int = -1

    def __call__(self, x: Any) -> Any:
        return glu(x, self.axis)


class Softmax(Module):
    """`eˣ / Σ eˣ` along an axis."""

    axis: int = -1

    def __call__(self, x: Any) -> Any:
        return softmax(x, self.axis)


class LogSoftmax(Module):
    """`x - log Σ eˣ` along an axis."""

    axis: int = -1

    def __call__(self, x: Any) -> Any:
        return log_softmax(x, self.axis)
