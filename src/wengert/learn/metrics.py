"""Measures that people read: plain functions of the model's output and the target, means over a batch."""

from __future__ import annotations

from typing import Any

import numpy as np


def accuracy(logits: Any, labels: Any) -> Any:
    """`mean(argmax logits = labels)`: the part of the rows whose largest entry is the right one.

    `logits` has shape `(..., classes)` and `labels` is integer of shape `(...)`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.learn.accuracy(np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0]))
        np.float64(0.5)
    """
    return np.mean(np.argmax(logits, axis=-1) == labels)


def binary_accuracy(logits: Any, labels: Any) -> Any:
    """`mean((logits > 0) = labels)`: the part of the rows on the right side; `labels` are 0 and 1.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.learn.binary_accuracy(np.array([0.5, -2.0]), np.array([1, 1]))
        np.float64(0.5)
    """
    return np.mean((logits > 0) == (labels > 0))


def mean_absolute_error(output: Any, target: Any) -> Any:
    """`mean |output - target|`, both of one shape.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.learn.mean_absolute_error(np.array([1.0, 3.0]), np.array([1.0, 2.0]))
        np.float64(0.5)
    """
    return np.mean(np.abs(output - target))
