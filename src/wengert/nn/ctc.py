"""Connectionist temporal classification: the probability of a text, over all ways to spread it along a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

import wengert as wg
from wengert.nn.losses import reduced

_NEVER = -1e30  # the logarithm of no probability: finite, so that differences of two are numbers


def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
) -> Any:
    """`-log Σ Π_t p[t, π_t]` over all `π` that give the target when repetitions, and then blanks, are left out.

    Args:
        log_probs: `[length, n, classes]`, logarithms of probabilities, such as of `nn.log_softmax`.
        targets: `[n, longest]`, labels; what lies behind the length of a target does not count.
        input_lengths, target_lengths: `[n]`, how much of each sequence, and of each target, there is.
        blank: the class that stands for no label.
        reduction: `"mean"` divides each loss by the length of its target; `"sum"`; `"none"`.
        zero_infinity: whether targets that do not fit into their sequence count 0, and not infinity.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> uniform = np.log(np.full((2, 1, 2), 0.5))  # one label in two places: three ways of four
        >>> np.exp(-nn.ctc_loss(uniform, np.array([[1]]), np.array([2]), np.array([1])))
        np.float64(0.75)

    Source: A. Graves et al., Connectionist temporal classification (ICML 2006).
    """
    input_lengths, target_lengths = np.asarray(input_lengths), np.asarray(target_lengths)
    length, n, _ = log_probs.shape
    labels = np.full((n, 2 * targets.shape[1] + 1), blank)
    labels[:, 1::2] = targets
    may_skip = np.concatenate([np.zeros((n, 2), bool), (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])], axis=1)
    terms = np.take_along_axis(log_probs, np.broadcast_to(labels, (length, *labels.shape)), axis=2)
    begin = np.where(np.arange(labels.shape[1]) < 2, terms[0], _NEVER)

    def step(sums: Any, at: tuple[Any, Any]) -> tuple[Any, None]:
        """The logarithms of sums over all ways to each place of the text."""
        term, t = at
        skipped = np.where(may_skip, _behind(sums, 2), _NEVER)
        new = np.logaddexp(np.logaddexp(sums, _behind(sums, 1)), skipped) + term
        return np.where((t < input_lengths)[:, None], new, sums), None

    sums, _ = wg.scan(step, begin, (terms[1:], np.arange(1, length)))
    at_blank, at_label = (_at(sums, 2 * target_lengths), _at(sums, np.maximum(2 * target_lengths - 1, 0)))
    total = np.logaddexp(at_blank, np.where(target_lengths > 0, at_label, _NEVER))
    is_possible = total > 0.1 * _NEVER
    losses = np.where(is_possible, -total, 0.0 if zero_infinity else np.inf)
    return reduced(losses / np.maximum(target_lengths, 1).astype(losses.dtype) if reduction == "mean" else losses, reduction)


def _behind(sums: Any, k: int) -> Any:
    """The sums of the places `k` before."""
    return np.concatenate([np.full((sums.shape[0], k), _NEVER, sums.dtype), sums[:, :-k]], axis=1)


def _at(sums: Any, place: Any) -> Any:
    return np.take_along_axis(sums, place[:, None], axis=1)[:, 0]
