"""Convolutions of one, two and three axes, and their transposes, on `[n, channels, ...]` with weights as PyTorch orders them.

All windows of the input are one view; the convolution is the product of windows and weights.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from wengert.nn import init
from wengert.nn.module import Module
from wengert.nn.streams import Seed, generator

Sizes = int | Sequence[int]
Pads = tuple[tuple[int, int], ...]
_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def per_axis(sizes: Sizes, n: int) -> tuple[int, ...]:
    """A size for each of `n` axes."""
    if isinstance(sizes, int):
        return (sizes,) * n
    if len(sizes) != n:
        msg = f"{sizes!r} has {len(sizes)} sizes, and the layer has {n} axes: give one number or {n}"
        raise ValueError(msg)
    return tuple(sizes)


def _reach(x: Any, lengths: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """How many places of the last axes a window spans."""
    reach = tuple([(k - 1) * d + 1 for k, d in zip(lengths, dilation, strict=True)])
    short = [(size, r) for size, r in zip(x.shape[-len(reach) :], reach, strict=True) if size < r]
    if short:
        msg = f"a window of {short[0][1]} does not fit into {short[0][0]} places of an input of shape {list(x.shape)}, padding included"
        raise ValueError(msg)
    return reach


def windows(x: Any, lengths: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Any:
    """`[n, channels, ...places, ...offsets]`: the windows of the last axes, a view."""
    reach = _reach(x, lengths, dilation)
    found = np.lib.stride_tricks.sliding_window_view(x, reach, axis=tuple(range(-len(reach), 0)))
    if all(step == 1 for step in (*stride, *dilation)):
        return found
    steps: tuple[Any, ...] = (..., *[slice(None, None, step) for step in (*stride, *dilation)])
    return found[steps]


def _shifted(x: Any, lengths: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[Any]:
    """For each offset in a window, in order, what all windows have there: `[n, channels, ...places]`."""
    counts = [(size - r) // s + 1 for size, r, s in zip(x.shape[2:], _reach(x, lengths, dilation), stride, strict=True)]
    found = []
    for offset in itertools.product(*map(range, lengths)):
        begins = [u * d for u, d in zip(offset, dilation, strict=True)]
        parts = [slice(b, b + s * (count - 1) + 1, s) for b, s, count in zip(begins, stride, counts, strict=True)]
        found.append(x[(slice(None), slice(None), *parts)])
    return found


def padded(x: Any, pads: Pads, padding_mode: str = "zeros") -> Any:
    """The input with a margin along its last axes."""
    if not any(map(any, pads)):
        return x
    if padding_mode not in _MODES:
        msg = f"padding_mode={padding_mode!r} is none of {', '.join(map(repr, _MODES))}"
        raise ValueError(msg)
    return np.pad(x, ((0, 0),) * (x.ndim - len(pads)) + pads, mode=_MODES[padding_mode])  # type: ignore[call-overload]  # the mode is a text


def margins(padding: Sizes | str, lengths: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Pads:
    """How much lies before and behind the input along each axis."""
    if padding == "valid":
        return ((0, 0),) * len(lengths)
    if padding == "same":
        if any(step != 1 for step in stride):
            msg = "padding='same' keeps sizes, and needs stride=1"
            raise ValueError(msg)
        totals = [(k - 1) * d for k, d in zip(lengths, dilation, strict=True)]
        return tuple([(total // 2, total - total // 2) for total in totals])
    if isinstance(padding, str):
        msg = f"padding={padding!r} is neither 'same' nor 'valid' nor a number"
        raise ValueError(msg)  # noqa: TRY004 - a text, and the wrong one
    return tuple([(p, p) for p in per_axis(padding, len(lengths))])


def conv(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Any:
    """`y[n, o, i] = b[o] + Σ_{c, u} w[o, c, u] x[n, c, s i + d u]` along as many axes as the weights have.

    Args:
        x: `[n, channels, ...]`.
        weight: `[new channels, channels / groups, ...]`.
        bias: `[new channels]`.
        stride, padding, dilation: a number, or one for each axis; padding may be `"same"` or `"valid"`.
        groups: how many parts of the channels are convolved apart.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.conv(np.arange(5.0).reshape(1, 1, 5), np.array([[[1.0, 0.0, -1.0]]]))
        array([[[-2., -2., -2.]]])
    """
    n = weight.ndim - 2
    if x.ndim != n + 2:
        msg = f"weights of shape {list(weight.shape)} take an input [n, channels{', size' * n}], not one of shape {list(x.shape)}"
        raise ValueError(msg)
    if x.shape[1] != weight.shape[1] * groups:
        msg = f"the input has {x.shape[1]} channels, and weights of shape {list(weight.shape)} in {groups} groups take {weight.shape[1] * groups}"
        raise ValueError(msg)
    lengths, stride, dilation = weight.shape[2:], per_axis(stride, n), per_axis(dilation, n)
    x = padded(x, margins(padding, lengths, stride, dilation), padding_mode)
    if groups > 1 and weight.shape[1] == 1:
        y = _depthwise_product(_shifted(x, lengths, stride, dilation), weight, groups)
    elif groups > 1:
        y = _grouped_product(x, weight, groups, stride, dilation)
    elif any(step > 1 for step in stride):
        y = _packed_product(_shifted(x, lengths, stride, dilation), weight)
    else:
        y = _product(windows(x, lengths, stride, dilation), weight)
    return _with_bias(y, bias)


def _product(seen: Any, weight: Any) -> Any:
    n = weight.ndim - 2
    axes = (1, *range(2 + n, 2 + 2 * n)), tuple(range(1, 2 + n))
    return np.moveaxis(np.tensordot(seen, weight, axes), -1, 1)


def _packed_product(shifted: Sequence[Any], weight: Any) -> Any:
    """The same for windows that hardly overlap: their entries are laid side by side first, and the way back is one write for each."""
    columns = np.stack(shifted, axis=2)
    kernels = weight.reshape((*weight.shape[:2], len(shifted)))
    return np.moveaxis(np.tensordot(columns, kernels, ((1, 2), (1, 2))), -1, 1)


def _depthwise_product(shifted: Sequence[Any], weight: Any, groups: int) -> Any:
    """The same where each channel is a group: no sum over channels, so that nothing is gained by a product of matrices."""
    n = weight.ndim - 2
    kernels = weight.reshape((groups, -1, len(shifted), *(1,) * n))
    y = sum(np.expand_dims(part, 2) * kernels[:, :, k] for k, part in enumerate(shifted))
    return np.reshape(y, (y.shape[0], weight.shape[0], *y.shape[3:]))


def _grouped_product(x: Any, weight: Any, groups: int, stride: Sequence[int], dilation: Sequence[int]) -> Any:
    """The same for every group, whose new channels stand side by side."""
    n, m, lengths = weight.shape[1], weight.shape[0] // groups, weight.shape[2:]
    parts = [windows(x[:, g * n : (g + 1) * n], lengths, stride, dilation) for g in range(groups)]
    return np.concatenate([_product(seen, weight[g * m : (g + 1) * m]) for g, seen in enumerate(parts)], axis=1)


def _with_bias(y: Any, bias: Any) -> Any:
    return y if bias is None else y + bias.reshape((-1,) + (1,) * (y.ndim - 2))


def conv_transpose(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Any:
    """The transpose of `conv`: `y[n, o, s i + d u - p] += w[c, o, u] x[n, c, i]`, from `[n, channels, ...]`, with weights `[channels, new channels / groups, ...]`.

    Entries of the result that are a stride apart read the same entries of `x`, by weights of their own: they are computed as channels of a
    convolution with a stride of 1, and put in their places (W. Shi et al., Real-time single image and video super-resolution, CVPR 2016).
    With both a stride and a dilation there are `stride - 1` zeros between the entries of `x` instead.
    """
    n = weight.ndim - 2
    lengths, stride, dilation = weight.shape[2:], per_axis(stride, n), per_axis(dilation, n)
    padding, extra = per_axis(padding, n), per_axis(output_padding, n)
    if all(step == 1 for step in stride) or any(step > 1 for step in dilation):
        margin = [(k - 1) * d - p for k, d, p in zip(lengths, dilation, padding, strict=True)]
        return _adjoint(_spaced(x, stride), weight, bias, margin, extra, groups, dilation)
    taps = [-(-k // s) for k, s in zip(lengths, stride, strict=True)]
    whole = np.pad(weight, ((0, 0), (0, 0), *[(0, t * s - k) for t, s, k in zip(taps, stride, lengths, strict=True)]))
    apart = whole.reshape((*weight.shape[:2], *[size for pair in zip(taps, stride, strict=True) for size in pair]))
    shares = np.transpose(apart, (0, 1, *range(3, 3 + 2 * n, 2), *range(2, 2 + 2 * n, 2)))
    y = _adjoint(x, shares.reshape((weight.shape[0], -1, *taps)), None, [t - 1 for t in taps], (0,) * n, groups, dilation)
    sizes = [(size - 1) * s + k - 2 * p + e for size, s, k, p, e in zip(x.shape[2:], stride, lengths, padding, extra, strict=True)]
    return _with_bias(_taken(_interleaved(y, stride), padding, sizes), bias)


def _adjoint(x: Any, weight: Any, bias: Any, margin: Sequence[int], extra: Sequence[int], groups: int, dilation: Sequence[int]) -> Any:
    """The transpose with a stride of 1: the convolution by the reversed weights of `x` with a margin, which is cut off if it is negative."""
    n = weight.ndim - 2
    kept = (slice(None),) * 2 + tuple([slice(max(0, -m), min(size, size + m + e)) for m, e, size in zip(margin, extra, x.shape[2:], strict=True)])
    wide = padded(x[kept], tuple([(max(0, m), max(0, m + e)) for m, e in zip(margin, extra, strict=True)]))
    reverse = weight[(slice(None),) * 2 + (slice(None, None, -1),) * n]
    grouped = reverse.reshape((groups, -1, *reverse.shape[1:]))
    swapped = np.swapaxes(grouped, 1, 2).reshape((groups * weight.shape[1], -1, *weight.shape[2:]))
    return conv(wide, swapped, bias, dilation=dilation, groups=groups)


def _interleaved(y: Any, stride: Sequence[int]) -> Any:
    """`[n, channels steps, ...sizes]` as `[n, channels, ...sizes * steps]`."""
    n, sizes = len(stride), y.shape[2:]
    apart = y.reshape((y.shape[0], -1, *stride, *sizes))
    pairs = [k for axis in range(n) for k in (2 + n + axis, 2 + axis)]
    return np.transpose(apart, (0, 1, *pairs)).reshape((*apart.shape[:2], *[a * b for a, b in zip(sizes, stride, strict=True)]))


def _taken(y: Any, starts: Sequence[int], sizes: Sequence[int]) -> Any:
    """Parts of the last axes, with zeros behind the end."""
    found = y[(slice(None),) * 2 + tuple([slice(start, start + size) for start, size in zip(starts, sizes, strict=True)])]
    missing = tuple([(0, max(0, size - have)) for size, have in zip(sizes, found.shape[2:], strict=True)])
    return padded(found, missing)


def _spaced(x: Any, stride: Sequence[int]) -> Any:
    """`stride - 1` zeros between the entries along the last axes."""
    for k, step in enumerate(stride, x.ndim - len(stride)):
        if step > 1:
            size = x.shape[k]
            apart = np.pad(x.reshape((*x.shape[: k + 1], 1, *x.shape[k + 1 :])), ((0, 0),) * (k + 1) + ((0, step - 1),) + ((0, 0),) * (x.ndim - k - 1))
            x = apart.reshape((*x.shape[:k], size * step, *x.shape[k + 1 :]))
            x = x[(slice(None),) * k + (slice(0, (size - 1) * step + 1),)]
    return x


def check_groups(n_in: int, n_out: int, groups: int) -> None:
    """Refuse channels that cannot be shared out equally."""
    if n_in % groups or n_out % groups:
        msg = f"{n_in} and {n_out} channels do not make {groups} groups of equal size"
        raise ValueError(msg)


class _Conv(Module):
    weight: Any
    bias: Any
    n_axes: ClassVar[int]

    def __init__(
        self, n_in: int, n_out: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1,
        bias: bool = True, padding_mode: str = "zeros", *, rng: Seed = None, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        check_groups(n_in, n_out, groups)
        rng, n = generator(rng), self.n_axes
        lengths = per_axis(kernel_size, n)
        self.stride, self.dilation, self.groups, self.padding_mode = per_axis(stride, n), per_axis(dilation, n), groups, padding_mode
        self.padding = padding if isinstance(padding, str) else per_axis(padding, n)
        margins(self.padding, lengths, self.stride, self.dilation)  # says now what does not fit
        n_inputs = n_in // groups * math.prod(lengths)
        self.weight = init.of_inputs((n_out, n_in // groups, *lengths), n_inputs, rng, dtype)
        self.bias = init.of_inputs((n_out,), n_inputs, rng, dtype) if bias else None

    def __call__(self, x: Any) -> Any:
        return conv(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups, self.padding_mode)


class Conv1d(_Conv):
    """`y[n, o, i] = b[o] + Σ w[o, c, u] x[n, c, s i + d u - p]`, from `[n, channels, length]`; see `nn.conv`.

    Args:
        n_in, n_out: channels that come in and go out.
        kernel_size: the length of the window.
        stride, padding, dilation, groups, padding_mode: as for `nn.conv`.
        bias: whether there is a `b`.
        rng, dtype: as for `nn.Linear`; weights are uniform in `±1/sqrt(numbers that a window reads)`.
    """

    n_axes: ClassVar[int] = 1


class Conv2d(_Conv):
    """`y[n, o, i, j] = b[o] + Σ w[o, c, u, v] x[n, c, s i + d u - p, s j + d v - p]`, from `[n, channels, height, width]`; see `nn.Conv1d`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.Conv2d(3, 8, kernel_size=3, padding="same", rng=0)(np.zeros((2, 3, 28, 28), np.float32)).shape
        (2, 8, 28, 28)
    """

    n_axes: ClassVar[int] = 2


class Conv3d(_Conv):
    """The same along three axes, from `[n, channels, depth, height, width]`; see `nn.Conv1d`."""

    n_axes: ClassVar[int] = 3


class _ConvTranspose(Module):
    weight: Any
    bias: Any
    n_axes: ClassVar[int]

    def __init__(
        self, n_in: int, n_out: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1,
        bias: bool = True, dilation: Sizes = 1, *, rng: Seed = None, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        check_groups(n_in, n_out, groups)
        rng, n = generator(rng), self.n_axes
        lengths = per_axis(kernel_size, n)
        self.stride, self.dilation, self.groups = per_axis(stride, n), per_axis(dilation, n), groups
        self.padding, self.output_padding = per_axis(padding, n), per_axis(output_padding, n)
        n_inputs = n_out // groups * math.prod(lengths)
        self.weight = init.of_inputs((n_in, n_out // groups, *lengths), n_inputs, rng, dtype)
        self.bias = init.of_inputs((n_out,), n_inputs, rng, dtype) if bias else None

    def __call__(self, x: Any) -> Any:
        return conv_transpose(x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation)


class ConvTranspose1d(_ConvTranspose):
    """The transpose of `Conv1d`: `y[n, o, s i + d u - p] += w[c, o, u] x[n, c, i]`; see `nn.conv_transpose`."""

    n_axes: ClassVar[int] = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of `Conv2d`; see `nn.conv_transpose`."""

    n_axes: ClassVar[int] = 2


class ConvTranspose3d(_ConvTranspose):
    """The transpose of `Conv3d`; see `nn.conv_transpose`."""

    n_axes: ClassVar[int] = 3
