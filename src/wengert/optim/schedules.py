"""Schedules: learning rates as functions of the number of steps taken, `0, 1, 2, ...`.

Each is a small dataclass that is called with the step; where PyTorch has the schedule, its rates are the same.  They are plain NumPy
arithmetic, for the step is a traced number where a whole step of training is compiled.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Schedule = Callable[[Any], Any]


def _eased(start: Any, end: Any, share: Any) -> Any:
    """From start to end along half a wave of the cosine."""
    return end + (start - end) / 2.0 * (1.0 + np.cos(math.pi * share))


@dataclasses.dataclass(frozen=True)
class Constant:
    """`η` at every step."""

    lr: float

    def __call__(self, step: Any) -> Any:
        return self.lr


@dataclasses.dataclass(frozen=True)
class Step:
    """`η γ^floor(k / size)`: by a factor after every `size` steps.

    Example:
        >>> import wengert as wg
        >>> rate = wg.optim.schedules.Step(1.0, size=10, gamma=0.5)
        >>> float(rate(0)), float(rate(10)), float(rate(25))
        (1.0, 0.5, 0.25)
    """

    lr: float
    size: int
    gamma: float = 0.1

    def __call__(self, step: Any) -> Any:
        return self.lr * np.power(self.gamma, step // self.size)


@dataclasses.dataclass(frozen=True)
class MultiStep:
    """`η γ^(number of milestones that were reached)`."""

    lr: float
    milestones: tuple[int, ...]
    gamma: float = 0.1

    def __call__(self, step: Any) -> Any:
        reached = sum(np.where(np.greater_equal(step, m), 1.0, 0.0) for m in self.milestones)
        return self.lr * np.power(self.gamma, reached)


@dataclasses.dataclass(frozen=True)
class Exponential:
    """`η γ^k`."""

    lr: float
    gamma: float

    def __call__(self, step: Any) -> Any:
        return self.lr * np.power(self.gamma, step)


@dataclasses.dataclass(frozen=True)
class Cosine:
    """`η_min + (η - η_min) (1 + cos(π k / n)) / 2`.

    Source: I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts (ICLR 2017).
    """

    lr: float
    n: int
    lr_min: float = 0.0

    def __call__(self, step: Any) -> Any:
        return _eased(self.lr, self.lr_min, step / self.n)


@dataclasses.dataclass(frozen=True)
class CosineRestarts:
    """A cosine over `n` steps, and again over `n m`, `n m²`, ... steps."""

    lr: float
    n: int
    multiple: int = 1
    lr_min: float = 0.0

    def __call__(self, step: Any) -> Any:
        if self.multiple == 1:
            return _eased(self.lr, self.lr_min, step % self.n / self.n)
        m = self.multiple
        cycle = np.floor(np.log(step / self.n * (m - 1) + 1) / math.log(m) + 1e-9)
        length = self.n * np.power(float(m), cycle)
        return _eased(self.lr, self.lr_min, (step - self.n * (np.power(float(m), cycle) - 1) / (m - 1)) / length)


@dataclasses.dataclass(frozen=True)
class Linear:
    """`η` times a factor that goes in `n` steps from `start` to `end`, and stays."""

    lr: float
    n: int
    start: float = 1.0
    end: float = 0.0

    def __call__(self, step: Any) -> Any:
        return self.lr * (self.start + (self.end - self.start) * np.minimum(step / self.n, 1.0))


@dataclasses.dataclass(frozen=True)
class Polynomial:
    """`η (1 - min(k, n)/n)^p`."""

    lr: float
    n: int
    power: float = 1.0

    def __call__(self, step: Any) -> Any:
        return self.lr * np.power(1.0 - np.minimum(step / self.n, 1.0), self.power)


@dataclasses.dataclass(frozen=True)
class OneCycle:
    """Up from `η / divisor` to `η` in a share of `n` steps, and down to `η / divisor / final_divisor`, each along half a cosine or a line.

    Source: L. N. Smith and N. Topin, Super-convergence (2017).
    """

    lr: float
    n: int
    share: float = 0.3
    divisor: float = 25.0
    final_divisor: float = 1e4
    shape: str = "cosine"

    def __post_init__(self) -> None:
        if self.shape not in ("cosine", "linear"):
            msg = f"shape={self.shape!r} is neither 'cosine' nor 'linear'"
            raise ValueError(msg)

    def __call__(self, step: Any) -> Any:
        eased = _eased if self.shape == "cosine" else lambda start, end, share: start + (end - start) * share
        top = self.share * self.n - 1
        first = self.lr / self.divisor
        up = eased(first, self.lr, np.minimum(step / top, 1.0) if top else 1.0)
        down = eased(self.lr, first / self.final_divisor, np.clip((step - top) / (self.n - 1 - top), 0.0, 1.0))
        return np.where(np.less_equal(step, top), up, down)


@dataclasses.dataclass(frozen=True)
class Warmup:
    """`schedule(k)` times a factor that grows in `n` steps from `start` to 1; the schedule runs meanwhile."""

    schedule: Schedule
    n: int
    start: float = 0.0

    def __call__(self, step: Any) -> Any:
        return self.schedule(step) * (self.start + (1.0 - self.start) * np.minimum(step / self.n, 1.0))


@dataclasses.dataclass(frozen=True)
class Piecewise:
    """The first schedule up to the first boundary, and from each boundary on the next one, which counts from there.

    Example:
        >>> import wengert as wg
        >>> s = wg.optim.schedules
        >>> rate = s.Piecewise((s.Linear(0.1, 5, start=0.0, end=1.0), s.Cosine(0.1, 10)), (5,))
        >>> float(rate(0)), float(rate(5)), float(rate(15))
        (0.0, 0.1, 0.0)
    """

    schedules: tuple[Schedule, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.schedules) != len(self.boundaries) + 1:
            msg = f"{len(self.schedules)} schedules have {len(self.schedules) - 1} boundaries between them, not {len(self.boundaries)}"
            raise ValueError(msg)

    def __call__(self, step: Any) -> Any:
        rate = self.schedules[0](step)
        for begin, schedule in zip(self.boundaries, self.schedules[1:], strict=True):
            rate = np.where(np.greater_equal(step, begin), schedule(np.maximum(step - begin, 0)), rate)
        return rate
