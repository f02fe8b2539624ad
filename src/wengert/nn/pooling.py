"""Pooling: the largest number or the mean of each window of `[n, channels, ...]`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from wengert.nn.convolution import Pads, Sizes, per_axis, windows
from wengert.nn.module import Module


def _places(size: int, length: int, step: int, pad: int, gap: int, ceil_mode: bool) -> int:
    """How many windows there are; with `ceil_mode` also one that begins inside, and ends outside."""
    room = size + 2 * pad - gap * (length - 1) - 1
    count = (-(-room // step) if ceil_mode else room // step) + 1
    return count - 1 if ceil_mode and (count - 1) * step >= size + pad else count


def _margins(shape: Sequence[int], lengths: Sequence[int], steps: Sequence[int], pads: Sequence[int], gaps: Sequence[int], ceil_mode: bool) -> Pads:
    found = []
    for size, k, s, p, d in zip(shape, lengths, steps, pads, gaps, strict=True):
        if p > k // 2:
            msg = f"padding={p} is more than half of the window of {k}"
            raise ValueError(msg)
        end = (_places(size, k, s, p, d, ceil_mode) - 1) * s + d * (k - 1) + 1
        found.append((p, max(0, end - size - p)))
    return tuple(found)


def _filled(x: Any, pads: Pads, value: float) -> Any:
    return np.pad(x, ((0, 0), (0, 0), *pads), constant_values=value) if any(map(any, pads)) else x


def _blocks(x: Any, lengths: Sequence[int]) -> tuple[Any, tuple[int, ...]]:
    """`[n, channels, ...places, ...offsets]` for windows that stand side by side."""
    n = len(lengths)
    counts = [size // k for size, k in zip(x.shape[2:], lengths, strict=True)]
    cut = x[(slice(None),) * 2 + tuple([slice(0, count * k) for count, k in zip(counts, lengths, strict=True)])]
    apart = cut.reshape((*x.shape[:2], *[size for pair in zip(counts, lengths, strict=True) for size in pair]))
    return apart, tuple(range(3, 3 + 2 * n, 2))


def _seen(x: Any, lengths: Sequence[int], steps: Sequence[int], gaps: Sequence[int]) -> tuple[Any, tuple[int, ...]]:
    """An array in which each window has axes of its own, and those axes."""
    if tuple(steps) == tuple(lengths) and all(gap == 1 for gap in gaps) and all(size >= k for size, k in zip(x.shape[2:], lengths, strict=True)):
        return _blocks(x, lengths)
    return windows(x, lengths, steps, gaps), tuple(range(-len(lengths), 0))


def max_pool(x: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1, ceil_mode: bool = False) -> Any:
    """`y[n, c, i] = max_u x[n, c, s i + d u - p]` along the axes behind the channels; those that are equal share the gradient.

    Args:
        x: `[n, channels, ...]`.
        kernel_size, stride, padding, dilation: a number, or one for each axis; the stride is that of the window if left out.
        ceil_mode: whether a window may reach beyond the end.
    """
    n = x.ndim - 2
    lengths, gaps = per_axis(kernel_size, n), per_axis(dilation, n)
    steps = lengths if stride is None else per_axis(stride, n)
    pads = _margins(x.shape[2:], lengths, steps, per_axis(padding, n), gaps, ceil_mode)
    seen, axes = _seen(_filled(x, pads, -np.inf), lengths, steps, gaps)
    return np.max(seen, axis=axes)


def avg_pool(
    x: Any, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False, count_include_pad: bool = True
) -> Any:
    """`y[n, c, i] = mean_u x[n, c, s i + u - p]`; see `nn.max_pool`.

    With `count_include_pad` the zeros of the margin count, unless they are there for `ceil_mode` alone.
    """
    n = x.ndim - 2
    lengths, ones = per_axis(kernel_size, n), (1,) * n
    steps = lengths if stride is None else per_axis(stride, n)
    padding = per_axis(padding, n)
    pads = _margins(x.shape[2:], lengths, steps, padding, ones, ceil_mode)
    seen, axes = _seen(_filled(x, pads, 0.0), lengths, steps, ones)
    if not any(map(any, pads)):
        return np.mean(seen, axis=axes)
    inner = tuple([(p, p) for p in padding]) if count_include_pad else ((0, 0),) * n
    outer = tuple([(a - i, max(0, b - j)) for (a, b), (i, j) in zip(pads, inner, strict=True)])
    counted = _filled(np.ones((1, 1, *[size + i + j for size, (i, j) in zip(x.shape[2:], inner, strict=True)]), x.dtype), outer, 0.0)
    counts, count_axes = _seen(counted, lengths, steps, ones)
    return np.sum(seen, axis=axes) / np.sum(counts, axis=count_axes)


def _bounds(size: int, count: int) -> list[tuple[int, int]]:
    """The parts of an axis that `count` windows of nearly equal lengths see."""
    return [(k * size // count, -(-(k + 1) * size // count)) for k in range(count)]


def _sizes_out(x: Any, output_size: Any) -> tuple[int, ...]:
    wanted = (output_size,) * (x.ndim - 2) if output_size is None or isinstance(output_size, int) else tuple(output_size)
    return tuple([size if count is None else count for size, count in zip(x.shape[2:], wanted, strict=True)])


def adaptive_avg_pool(x: Any, output_size: Any) -> Any:
    """The means of as many windows as are wanted: window `k` of `m` is `x[..., floor(k L / m) : ceil((k + 1) L / m)]`."""
    for axis, count in enumerate(_sizes_out(x, output_size), 2):
        shares = np.zeros((count, x.shape[axis]), x.dtype)
        for k, (start, stop) in enumerate(_bounds(x.shape[axis], count)):
            shares[k, start:stop] = 1 / (stop - start)
        x = np.mean(x, axis=axis, keepdims=True) if count == 1 else np.moveaxis(np.tensordot(x, shares, ((axis,), (1,))), -1, axis)
    return x


def adaptive_max_pool(x: Any, output_size: Any) -> Any:
    """The largest numbers of as many windows as are wanted; see `nn.adaptive_avg_pool`."""
    for axis, count in enumerate(_sizes_out(x, output_size), 2):
        before = (slice(None),) * axis
        parts = [np.max(x[(*before, slice(*bounds))], axis=axis) for bounds in _bounds(x.shape[axis], count)]
        x = np.stack(parts, axis=axis)
    return x


def global_avg_pool(x: Any) -> Any:
    """`[n, channels]`: the mean of each channel."""
    return np.mean(x.reshape((*x.shape[:2], math.prod(x.shape[2:]))), axis=-1)


def global_max_pool(x: Any) -> Any:
    """`[n, channels]`: the largest number of each channel."""
    return np.max(x.reshape((*x.shape[:2], math.prod(x.shape[2:]))), axis=-1)


class _Pool(Module):
    n_axes: ClassVar[int]

    def _check(self, x: Any) -> Any:
        if x.ndim != self.n_axes + 2:
            msg = f"{type(self).__name__} takes [n, channels{', size' * self.n_axes}], not an input of shape {list(x.shape)}"
            raise ValueError(msg)
        return x


class _MaxPool(_Pool):
    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1, ceil_mode: bool = False) -> None:
        n = self.n_axes
        self.kernel_size, self.padding, self.dilation = per_axis(kernel_size, n), per_axis(padding, n), per_axis(dilation, n)
        self.stride = self.kernel_size if stride is None else per_axis(stride, n)
        self.ceil_mode = ceil_mode

    def __call__(self, x: Any) -> Any:
        return max_pool(self._check(x), self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class _AvgPool(_Pool):
    def __init__(
        self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        n = self.n_axes
        self.kernel_size, self.padding = per_axis(kernel_size, n), per_axis(padding, n)
        self.stride = self.kernel_size if stride is None else per_axis(stride, n)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def __call__(self, x: Any) -> Any:
        return avg_pool(self._check(x), self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AdaptiveAvgPool(_Pool):
    def __init__(self, output_size: Any) -> None:
        self.output_size = output_size if output_size is None or isinstance(output_size, int) else tuple(output_size)

    def __call__(self, x: Any) -> Any:
        return adaptive_avg_pool(self._check(x), self.output_size)


class _AdaptiveMaxPool(_AdaptiveAvgPool):
    def __call__(self, x: Any) -> Any:
        return adaptive_max_pool(self._check(x), self.output_size)


class MaxPool1d(_MaxPool):
    """`max` over windows of `[n, channels, length]`; see `nn.max_pool`."""

    n_axes: ClassVar[int] = 1


class MaxPool2d(_MaxPool):
    """`max` over windows of `[n, channels, height, width]`; see `nn.max_pool`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
        array([[[[ 5.,  7.],
                 [13., 15.]]]])
    """

    n_axes: ClassVar[int] = 2


class MaxPool3d(_MaxPool):
    """`max` over windows of three axes; see `nn.max_pool`."""

    n_axes: ClassVar[int] = 3


class AvgPool1d(_AvgPool):
    """The mean over windows of `[n, channels, length]`; see `nn.avg_pool`."""

    n_axes: ClassVar[int] = 1


class AvgPool2d(_AvgPool):
    """The mean over windows of `[n, channels, height, width]`; see `nn.avg_pool`."""

    n_axes: ClassVar[int] = 2


class AvgPool3d(_AvgPool):
    """The mean over windows of three axes; see `nn.avg_pool`."""

    n_axes: ClassVar[int] = 3


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of as many windows as are wanted; see `nn.adaptive_avg_pool`."""

    n_axes: ClassVar[int] = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of as many windows as are wanted along two axes; see `nn.adaptive_avg_pool`."""

    n_axes: ClassVar[int] = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of as many windows as are wanted along three axes; see `nn.adaptive_avg_pool`."""

    n_axes: ClassVar[int] = 3


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest numbers of as many windows as are wanted; see `nn.adaptive_max_pool`."""

    n_axes: ClassVar[int] = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest numbers of as many windows as are wanted along two axes; see `nn.adaptive_max_pool`."""

    n_axes: ClassVar[int] = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest numbers of as many windows as are wanted along three axes; see `nn.adaptive_max_pool`."""

    n_axes: ClassVar[int] = 3


class GlobalAvgPool(Module):
    """`[n, channels]`: the mean of each channel of `[n, channels, ...]`."""

    def __call__(self, x: Any) -> Any:
        return global_avg_pool(x)


class GlobalMaxPool(Module):
    """`[n, channels]`: the largest number of each channel of `[n, channels, ...]`."""

    def __call__(self, x: Any) -> Any:
        return global_max_pool(x)
