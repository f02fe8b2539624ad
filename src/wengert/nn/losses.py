"""Losses: how far an output is from what was wanted, of PyTorch's names, defaults and shapes.

Each ends in `reduction`: `"mean"` (the default), `"sum"`, or `"none"` for the loss of every member.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.nn.activations import log_softmax


def reduced(losses: Any, reduction: str) -> Any:
    """The mean, the sum, or all of them."""
    if reduction == "mean":
        return np.mean(losses)
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "none":
        return losses
    msg = f"reduction={reduction!r} is none of 'mean', 'sum', 'none'"
    raise ValueError(msg)


def mse_loss(output: Any, target: Any, reduction: str = "mean") -> Any:
    """`(y - t)²`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.mse_loss(np.array([1.0, 2.0]), np.array([0.0, 0.0]))
        np.float64(2.5)
    """
    return reduced(np.square(output - target), reduction)


def l1_loss(output: Any, target: Any, reduction: str = "mean") -> Any:
    """`|y - t|`."""
    return reduced(np.abs(output - target), reduction)


def huber_loss(output: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """`d²/2` for `d = |y - t| <= δ`, and `δ (d - δ/2)` beyond.

    Source: P. J. Huber, Robust estimation of a location parameter (1964).
    """
    change = output - target
    near = np.clip(change, -delta, delta)
    return reduced(near * (change - 0.5 * near), reduction)


def smooth_l1_loss(output: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """`d²/(2β)` for `d = |y - t| < β`, and `d - β/2` beyond: the Huber loss divided by `β`."""
    if beta == 0:
        return l1_loss(output, target, reduction)
    return reduced(huber_loss(output, target, "none", beta) / beta, reduction)


def binary_cross_entropy(output: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """`-(t log p + (1 - t) log(1 - p))` of probabilities `p`; logarithms are not below -100."""
    logs = (np.maximum(np.log(output), -100.0), np.maximum(np.log1p(-output), -100.0))
    losses = -(target * logs[0] + (1.0 - target) * logs[1])
    return reduced(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    output: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """The binary cross entropy of `p = sigmoid(z)` from the logits `z`, without overflow: `log(1 + eᶻ) - t z`.

    `pos_weight` multiplies the terms of `t`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.binary_cross_entropy_with_logits(np.array([1000.0, -1000.0]), np.array([1.0, 0.0]))
        np.float64(0.0)
    """
    if pos_weight is None:
        losses = np.logaddexp(0.0, output) - target * output
    else:
        losses = (1.0 - target) * output + (1.0 + (pos_weight - 1.0) * target) * np.logaddexp(0.0, -output)
    return reduced(losses if weight is None else losses * weight, reduction)


def kl_div(output: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """`t (log t - y)` of logarithms `y` of probabilities; `reduction="batchmean"` is the sum divided by the length of the first axis."""
    if log_target:
        losses = np.exp(target) * (target - output)
    else:
        is_positive = target > 0
        losses = np.where(is_positive, target * (np.log(np.where(is_positive, target, 1.0)) - output), 0.0)
    if reduction == "batchmean":
        return np.sum(losses) / output.shape[0]
    return reduced(losses, reduction)


def nll_loss(output: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """`-w[t] y[t]` of logarithms `y` of probabilities, `[n, classes, ...]`, and of labels `[n, ...]`; the mean is divided by `Σ w[t]`.

    Members whose label is `ignore_index` do not count.
    """
    is_member, weights = _weights(output, target, weight, ignore_index)
    picked = _picked(output, np.where(is_member, target, 0))
    return _weighted_mean(-picked * weights, weights, reduction)


def cross_entropy(
    output: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """`-w[t] log softmax(z)[t]` of logits `z`, without overflow.

    Args:
        output: logits `[n, classes, ...]`, or `[classes]`.
        target: labels `[n, ...]`, integers; or probabilities with the shape of the logits.
        weight: a weight for each class; the mean is divided by `Σ w[t]`.
        ignore_index: members with this label do not count.
        reduction: `"mean"`, `"sum"` or `"none"`.
        label_smoothing: `ε` of the target's probability is spread over all classes.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.cross_entropy(np.zeros((2, 4)), np.array([1, 3]))
        np.float64(1.3862943611198906)
    """
    logs = log_softmax(output, axis=_class_axis(output))
    n_classes = output.shape[_class_axis(output)]
    target = target if hasattr(target, "dtype") else np.asarray(target)
    if target.dtype.kind == "f":
        return _of_probabilities(logs, target, weight, reduction, label_smoothing)
    is_member, weights = _weights(output, target, weight, ignore_index)
    losses = -_picked(logs, np.where(is_member, target, 0)) * weights
    if label_smoothing:
        spread = -np.sum(_by_class(logs, weight), axis=_class_axis(logs))
        losses = (1.0 - label_smoothing) * losses + label_smoothing / n_classes * np.where(is_member, spread, 0.0)
    return _weighted_mean(losses, weights, reduction)


def _class_axis(output: Any) -> int:
    return 0 if output.ndim == 1 else 1


def _by_class(values: Any, weight: Any) -> Any:
    """Values times the weight of their class."""
    if weight is None:
        return values
    return values * np.reshape(weight, (-1,) + (1,) * (values.ndim - 1 - _class_axis(values)))


def _of_probabilities(logs: Any, target: Any, weight: Any, reduction: str, smoothing: float) -> Any:
    axis = _class_axis(logs)
    if smoothing:
        target = (1.0 - smoothing) * target + smoothing / logs.shape[axis]
    losses = -np.sum(_by_class(logs, weight) * target, axis=axis)
    return reduced(losses, reduction)


def _weights(output: Any, target: Any, weight: Any, ignore_index: int) -> tuple[Any, Any]:
    """Which members count, and with which weight."""
    is_member = np.not_equal(target, ignore_index)
    weights = is_member.astype(output.dtype)
    if weight is not None:
        weights = weights * np.asarray(weight)[np.where(is_member, target, 0)]
    return is_member, weights


def _picked(values: Any, labels: Any) -> Any:
    """`values[k, labels[k, ...], ...]`."""
    axis = _class_axis(values)
    return np.squeeze(np.take_along_axis(values, np.expand_dims(labels, axis), axis=axis), axis=axis)


def _weighted_mean(losses: Any, weights: Any, reduction: str) -> Any:
    return np.sum(losses) / np.sum(weights) if reduction == "mean" else reduced(losses, reduction)
