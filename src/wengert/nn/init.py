"""Initial weights: arrays drawn from the distributions that layers use, `[out, in, ...]` as PyTorch orders them.

Each takes a shape, `rng` (a seed, a `numpy.random.Generator`, or `None` for the stream of `nn.manual_seed`) and a dtype.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.nn.streams import Seed, generator

Shape = Sequence[int]
_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2.0), "selu": 0.75}


def gain(activation: str, slope: float = 0.01) -> float:
    """By what the deviation of weights grows for an activation to keep the variance of its inputs.

    Args:
        activation: `"linear"`, `"sigmoid"`, `"tanh"`, `"relu"`, `"leaky_relu"` or `"selu"`.
        slope: that of `"leaky_relu"` for negative numbers.

    Example:
        >>> from wengert import nn
        >>> round(nn.init.gain("relu"), 4)
        1.4142

    Source: K. He et al., Delving deep into rectifiers (ICCV 2015).
    """
    if activation == "leaky_relu":
        return math.sqrt(2.0 / (1 + slope**2))
    if activation not in _GAINS:
        msg = f"no gain is known for {activation!r}: choose one of {', '.join(sorted([*_GAINS, 'leaky_relu']))}"
        raise ValueError(msg)
    return _GAINS[activation]


def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs an output has, and how many outputs an input has, of weights `[out, in, ...]`."""
    if len(shape) < 2:
        msg = f"weights of shape {list(shape)} have neither inputs nor outputs: two axes are needed"
        raise ValueError(msg)
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def zeros(shape: Shape, dtype: Any = np.float32) -> Any:
    """All 0."""
    return np.zeros(shape, dtype)


def ones(shape: Shape, dtype: Any = np.float32) -> Any:
    """All 1."""
    return np.ones(shape, dtype)


def uniform(shape: Shape, low: float = 0.0, high: float = 1.0, rng: Seed = None, dtype: Any = np.float32) -> Any:
    """Uniform between two numbers."""
    return generator(rng).uniform(low, high, tuple(shape)).astype(dtype)


def normal(shape: Shape, mean: float = 0.0, std: float = 1.0, rng: Seed = None, dtype: Any = np.float32) -> Any:
    """Normal with a mean and a standard deviation."""
    return generator(rng).normal(mean, std, tuple(shape)).astype(dtype)


def truncated_normal(
    shape: Shape, mean: float = 0.0, std: float = 1.0, low: float = -2.0, high: float = 2.0, rng: Seed = None, dtype: Any = np.float32
) -> Any:
    """Normal, and drawn again where a number lies outside of `[low, high]`."""
    random = generator(rng)
    drawn = random.normal(mean, std, tuple(shape))
    is_outside = (drawn < low) | (drawn > high)
    while is_outside.any():
        drawn[is_outside] = random.normal(mean, std, int(is_outside.sum()))
        is_outside = (drawn < low) | (drawn > high)
    return drawn.astype(dtype)


def xavier_uniform(shape: Shape, gain: float = 1.0, rng: Seed = None, dtype: Any = np.float32) -> Any:
    """Uniform in `±gain sqrt(6 / (inputs + outputs))`.

    Source: X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural networks (AISTATS 2010).
    """
    bound = gain * math.sqrt(6.0 / sum(fans(shape)))
    return uniform(shape, -bound, bound, rng, dtype)


def xavier_normal(shape: Shape, gain: float = 1.0, rng: Seed = None, dtype: Any = np.float32) -> Any:
    """Normal with the deviation `gain sqrt(2 / (inputs + outputs))`."""
    return normal(shape, 0.0, gain * math.sqrt(2.0 / sum(fans(shape))), rng, dtype)


def kaiming_uniform(shape: Shape, gain: float = math.sqrt(2.0), rng: Seed = None, dtype: Any = np.float32, *, mode: str = "fan_in") -> Any:
    """Uniform in `±gain sqrt(3 / inputs)`, or outputs with `mode="fan_out"`.

    Source: K. He et al., Delving deep into rectifiers (ICCV 2015).
    """
    bound = gain * math.sqrt(3.0 / _fan(shape, mode))
    return uniform(shape, -bound, bound, rng, dtype)


def kaiming_normal(shape: Shape, gain: float = math.sqrt(2.0), rng: Seed = None, dtype: Any = np.float32, *, mode: str = "fan_in") -> Any:
    """Normal with the deviation `gain / sqrt(inputs)`, or outputs with `mode="fan_out"`."""
    return normal(shape, 0.0, gain / math.sqrt(_fan(shape, mode)), rng, dtype)


def _fan(shape: Shape, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        msg = f"mode={mode!r} is neither 'fan_in' nor 'fan_out'"
        raise ValueError(msg)
    return fans(shape)[mode == "fan_out"]


def orthogonal(shape: Shape, gain: float = 1.0, rng: Seed = None, dtype: Any = np.float32) -> Any:
    """`gain Q` with orthonormal rows or columns, whichever are fewer, of `Q` as a matrix `[out, the rest]`.

    Source: A. M. Saxe, J. L. McClelland and S. Ganguli, Exact solutions to the nonlinear dynamics of learning (ICLR 2014).
    """
    n_rows, n_columns = shape[0], math.prod(shape[1:])
    drawn = generator(rng).normal(size=(max(n_rows, n_columns), min(n_rows, n_columns)))
    q, r = np.linalg.qr(drawn)
    q = q * np.sign(np.diagonal(r))  # each orthogonal matrix equally likely
    return (gain * (q if n_rows >= n_columns else q.T)).reshape(tuple(shape)).astype(dtype)


def of_inputs(shape: Shape, n_inputs: int, rng: Seed = None, dtype: Any = np.float32) -> Any:
    """Uniform in `±1/sqrt(inputs)`: what layers draw weights and biases from, as PyTorch's do."""
    bound = 1 / math.sqrt(n_inputs) if n_inputs else 0.0
    return uniform(shape, -bound, bound, rng, dtype)
