"""The line that moves while training runs: at a terminal, and nowhere else."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from typing import Any, Self

from wengert import _optional

_PERIOD = 0.1  # seconds between two pictures


class Quiet:
    """No progress is shown."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def move(self, step: int, loss: float) -> None:
        """A step was made."""

    def turn(self, row: dict[str, float]) -> None:
        """An epoch has ended."""

    def say(self, text: str) -> None:
        """Something that the user should know now."""


class Bar(Quiet):
    """Rich's progress bar: epoch, loss, steps a second, time left; and a line for each epoch's figures."""

    def __init__(self, n_epochs: int | None, n_steps: int | None, first: int, console: Any = None) -> None:
        rich = _optional.load("rich.progress", "the progress bar", "learn")
        self.n_epochs, self.first, self.latest = n_epochs, first, 0.0
        columns = (
            rich.TextColumn("{task.fields[epoch]}"), rich.BarColumn(), rich.MofNCompleteColumn(),
            rich.TextColumn("loss {task.fields[loss]:.4g}  {task.fields[measures]}  {task.fields[rate]:.0f} steps/s"),
            rich.TimeRemainingColumn(),
        )  # fmt: skip
        self.progress = rich.Progress(*columns, console=console, auto_refresh=False)
        self.task = self.progress.add_task(
            "", total=n_steps, completed=first, epoch=self._epoch(0), loss=float("nan"), measures="", rate=0.0
        )

    def _epoch(self, done: int) -> str:
        return f"epoch {done + 1}" if self.n_epochs is None else f"epoch {min(done + 1, self.n_epochs)}/{self.n_epochs}"

    def __enter__(self) -> Self:
        self.progress.__enter__()
        self.begin = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.refresh()
        self.progress.__exit__(None, None, None)

    def move(self, step: int, loss: float) -> None:
        """Draw it anew, but not more often than an eye can follow."""
        now = time.perf_counter()
        if now - self.latest < _PERIOD:
            return
        self.latest = now
        rate = (step - self.first) / max(now - self.begin, 1e-9)
        self.progress.update(self.task, completed=step, loss=loss, rate=rate, refresh=True)

    def turn(self, row: dict[str, float]) -> None:
        """Show the figures that were measured."""
        known = ("epoch", "step", "loss", "rate", "seconds")
        measures = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name not in known)
        done = int(row["epoch"])
        self.progress.update(
            self.task, completed=row["step"], epoch=self._epoch(done), loss=row["loss"], measures=measures, refresh=True
        )

    def say(self, text: str) -> None:
        """A line above the bar."""
        self.progress.console.print(text)


def progress_of(wanted: bool | None, n_epochs: int | None, n_steps: int | None, first: int) -> Quiet:
    """The bar if it is wanted; left open, where a person is looking: at a terminal, outside CI, with Rich installed."""
    if wanted is None:
        is_watched = sys.stderr.isatty() and not os.environ.get("CI")
        wanted = is_watched and importlib.util.find_spec("rich") is not None
    if not wanted:
        return Quiet()
    console = _optional.load("rich.console", "the progress bar", "learn").Console(stderr=True)
    return Bar(n_epochs, n_steps, first, console)
