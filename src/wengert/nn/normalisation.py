"""Normalisation: numbers of mean 0 and variance 1, over a batch, a layer, groups of channels, or by their root mean square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from wengert.nn.module import Module


def _normalised(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    """`((x - μ) / sqrt(σ² + ε), μ, σ²)`."""
    mean = np.mean(x, axis=axes, keepdims=True)
    centred = x - mean
    variance = np.mean(np.square(centred), axis=axes, keepdims=True)
    return centred / np.sqrt(variance + eps), mean, variance


def _by_channel(values: Any, x: Any) -> Any:
    return values.reshape((-1,) + (1,) * (x.ndim - 2))


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def layer_norm(x: Any, shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """`w (x - μ) / sqrt(σ² + ε) + b`, with the mean and variance over the last axes, which have that shape."""
    n = 1 if isinstance(shape, int) else len(shape)
    return _affine(_normalised(x, tuple(range(-n, 0)), eps)[0], weight, bias)


def rms_norm(x: Any, shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """`w x / sqrt(mean x² + ε)` over the last axes, which have that shape; `ε` is that of the dtype if left out.

    Source: B. Zhang and R. Sennrich, Root mean square layer normalization (NeurIPS 2019).
    """
    n = 1 if isinstance(shape, int) else len(shape)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    size = np.mean(np.square(x), axis=tuple(range(-n, 0)), keepdims=True)
    return _affine(x / np.sqrt(size + eps), weight, None)


def group_norm(x: Any, n_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """`w (x - μ) / sqrt(σ² + ε) + b` for each member and group of channels of `[n, channels, ...]`.

    Source: Y. Wu and K. He, Group normalization (ECCV 2018).
    """
    groups = x.reshape((x.shape[0], n_groups, math.prod(x.shape[1:]) // n_groups))
    y = _normalised(groups, (2,), eps)[0].reshape(x.shape)
    return _affine(y, None if weight is None else _by_channel(weight, x), None if bias is None else _by_channel(bias, x))


class LayerNorm(Module):
    """`w (x - μ) / sqrt(σ² + ε) + b` over the last axes.

    Args:
        shape: the length of the last axis, or the shape of the last axes.
        eps: `ε`.
        affine: whether there are `w` and `b`.
        bias: whether there is a `b`.
        dtype: that of the weights.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization (2016).
    """

    weight: Any
    bias: Any

    def __init__(self, shape: int | Sequence[int], eps: float = 1e-5, affine: bool = True, bias: bool = True, *, dtype: Any = np.float32) -> None:
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        self.weight = np.ones(self.shape, dtype) if affine else None
        self.bias = np.zeros(self.shape, dtype) if affine and bias else None

    def __call__(self, x: Any) -> Any:
        return layer_norm(x, self.shape, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    """`w x / sqrt(mean x² + ε)` over the last axes; see `nn.rms_norm`."""

    weight: Any

    def __init__(self, shape: int | Sequence[int], eps: float | None = None, affine: bool = True, *, dtype: Any = np.float32) -> None:
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        self.weight = np.ones(self.shape, dtype) if affine else None

    def __call__(self, x: Any) -> Any:
        return rms_norm(x, self.shape, self.weight, self.eps)


class GroupNorm(Module):
    """`w (x - μ) / sqrt(σ² + ε) + b` for each member and group of channels; see `nn.group_norm`."""

    weight: Any
    bias: Any

    def __init__(self, n_groups: int, n_channels: int, eps: float = 1e-5, affine: bool = True, *, dtype: Any = np.float32) -> None:
        if n_channels % n_groups:
            msg = f"{n_channels} channels do not make {n_groups} groups of equal size"
            raise ValueError(msg)
        self.n_groups, self.eps = n_groups, eps
        self.weight = np.ones(n_channels, dtype) if affine else None
        self.bias = np.zeros(n_channels, dtype) if affine else None

    def __call__(self, x: Any) -> Any:
        return group_norm(x, self.n_groups, self.weight, self.bias, self.eps)


class _BatchNorm(Module):
    """In training: `w (x - μ) / sqrt(σ² + ε) + b` with the mean and variance of each channel over the batch; otherwise with the running ones."""

    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var", "num_batches_tracked")
    ranks: ClassVar[tuple[int, ...]]
    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self, n_channels: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True,
        *, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        self.eps, self.momentum = eps, momentum
        self.weight = np.ones(n_channels, dtype) if affine else None
        self.bias = np.zeros(n_channels, dtype) if affine else None
        self.running_mean = np.zeros(n_channels, dtype) if track_running_stats else None
        self.running_var = np.ones(n_channels, dtype) if track_running_stats else None
        self.num_batches_tracked = np.array(0) if track_running_stats else None

    def _axes(self, x: Any) -> tuple[int, ...]:
        return (0, *range(2, x.ndim))

    def __call__(self, x: Any) -> Any:
        if x.ndim not in self.ranks:
            msg = f"{type(self).__name__} takes an input of {' or '.join(map(str, self.ranks))} axes, not one of shape {list(x.shape)}"
            raise ValueError(msg)
        if self._takes_batch():
            y, mean, variance = _normalised(x, self._axes(x), self.eps)
            self._track(x, mean, variance)
        else:
            y = (x - _by_channel(self.running_mean, x)) / np.sqrt(_by_channel(self.running_var, x) + self.eps)
        scale, shift = (None if v is None else _by_channel(v, x) for v in (self.weight, self.bias))
        return _affine(y, scale, shift)

    def _takes_batch(self) -> bool:
        return self.training or self.running_mean is None

    def _track(self, x: Any, mean: Any, variance: Any) -> None:
        """Running means of the mean and of the unbiased variance: with momentum, or with equal weights if that is `None`."""
        if self.running_mean is None or not self.training:
            return
        count = self.num_batches_tracked + 1
        share: Any = self.momentum if self.momentum is not None else (1.0 / count).astype(x.dtype)
        n = math.prod([x.shape[k] for k in self._axes(x)])
        mean, variance = (np.mean(v, axis=tuple([k for k in range(v.ndim) if k != 1])) for v in (mean, variance))
        self.update(
            running_mean=((1 - share) * self.running_mean + share * mean).astype(self.running_mean.dtype),
            running_var=((1 - share) * self.running_var + share * (variance * (n / max(n - 1, 1)))).astype(self.running_var.dtype),
            num_batches_tracked=count,
        )


class BatchNorm1d(_BatchNorm):
    """`w (x - μ) / sqrt(σ² + ε) + b` for each channel of `[n, channels]` or `[n, channels, length]`.

    In training `μ` and `σ²` are those of the batch, and `nn.with_updates` moves the running ones on by `momentum`;
    a model in the mode `eval` takes the running ones.

    Args:
        n_channels: how many channels there are.
        eps: `ε`.
        momentum: the weight of a batch in the running statistics; `None` weighs all batches equally.
        affine: whether there are `w` and `b`.
        track_running_stats: without, the statistics are those of the batch in both modes.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.BatchNorm1d(1)(np.array([[1.0], [3.0]])).round(3)
        array([[-1.],
               [ 1.]])

    Source: S. Ioffe and C. Szegedy, Batch normalization (ICML 2015).
    """

    ranks: ClassVar[tuple[int, ...]] = (2, 3)


class BatchNorm2d(_BatchNorm):
    """`w (x - μ) / sqrt(σ² + ε) + b` for each channel of `[n, channels, height, width]`; see `nn.BatchNorm1d`."""

    ranks: ClassVar[tuple[int, ...]] = (4,)


class BatchNorm3d(_BatchNorm):
    """`w (x - μ) / sqrt(σ² + ε) + b` for each channel of `[n, channels, depth, height, width]`; see `nn.BatchNorm1d`."""

    ranks: ClassVar[tuple[int, ...]] = (5,)


class _InstanceNorm(_BatchNorm):
    def __init__(
        self, n_channels: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = False, track_running_stats: bool = False,
        *, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        super().__init__(n_channels, eps, momentum, affine, track_running_stats, dtype=dtype)

    def _axes(self, x: Any) -> tuple[int, ...]:
        return tuple(range(2, x.ndim))


class InstanceNorm1d(_InstanceNorm):
    """`(x - μ) / sqrt(σ² + ε)` for each member and channel of `[n, channels, length]`."""

    ranks: ClassVar[tuple[int, ...]] = (3,)


class InstanceNorm2d(_InstanceNorm):
    """`(x - μ) / sqrt(σ² + ε)` for each member and channel of `[n, channels, height, width]`."""

    ranks: ClassVar[tuple[int, ...]] = (4,)


class InstanceNorm3d(_InstanceNorm):
    """`(x - μ) / sqrt(σ² + ε)` for each member and channel of `[n, channels, depth, height, width]`."""

    ranks: ClassVar[tuple[int, ...]] = (5,)
