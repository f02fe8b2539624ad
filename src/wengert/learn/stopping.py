"""Which epoch was the best, and when waiting for a better one ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from wengert.learn import mistakes
from wengert.learn.history import Row


@dataclass
class Watch:
    """The best value of a column of the history, and the model that had it.

    L. Prechelt, Early stopping — but when?, in Neural Networks: Tricks of the Trade (1998).
    """

    monitor: str | None
    mode: str = "min"
    patience: int | None = None
    min_delta: float = 0.0
    best: float = math.nan
    best_epoch: int = 0
    waiting: int = 0
    leaves: Any = None

    @property
    def is_over(self) -> bool:
        """Whether patience is at an end."""
        return self.patience is not None and self.waiting >= self.patience

    def look(self, row: Row, leaves: Any) -> None:
        """An epoch has ended with these figures and this model."""
        if self.monitor is None:
            return
        if self.monitor not in row:
            raise mistakes.no_monitor(self.monitor, list(row))
        value = row[self.monitor]
        gain = self.best - value if self.mode == "min" else value - self.best
        if math.isnan(self.best) or gain > self.min_delta:
            self.best, self.best_epoch, self.waiting, self.leaves = value, int(row["epoch"]), 0, leaves
        else:
            self.waiting += 1
