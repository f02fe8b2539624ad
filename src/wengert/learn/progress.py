"""The line that moves while training runs: at a terminal, and nowhere else.

::

    epoch 3/4 ━━━━━━━━━━━━━━━━━━━━━━━━━━  1412/2000  loss 0.06438  val_loss 0.05706  598 steps/s  0:01 left

A narrow terminal has fewer words, and the first ones to go are those that matter least.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import time
from typing import Any, Self

from wengert import _optional

_PERIOD = 0.1  # seconds between two pictures
_SHORTEST, _LONGEST = 8, 40  # letters of the bar itself
_GAP = 2  # between words


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
    """Rich's progress bar, and the words that fit beside it: epoch, steps, loss, the epoch's figures, steps a second, time left."""

    def __init__(self, n_epochs: int | None, n_steps: int | None, first: int, console: Any = None) -> None:
        rich = _optional.load("rich.progress", "the progress bar", "learn")
        self.n_epochs, self.n_steps, self.first = n_epochs, n_steps, first
        self.step, self.epoch, self.loss, self.measures = first, 1, math.nan, list[str]()
        self.began = self.latest = self.counted = 0.0  # times: of the beginning, the last picture, the first step's end
        self.is_over = False
        self.line = rich.BarColumn()
        self.columns = [rich.TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in ("head", "tail")]
        self.progress = rich.Progress(console=console, auto_refresh=False)
        self.task = self.progress.add_task("", total=n_steps, completed=first, head="", tail="")

    def __enter__(self) -> Self:
        self.began = time.perf_counter()
        self.arrange()
        self.progress.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over = error[0] is None
        self.arrange()
        self.progress.refresh()
        self.progress.__exit__(None, None, None)

    def move(self, step: int, loss: float) -> None:
        """Draw it anew, but not more often than an eye can follow."""
        self.step, self.loss = step, loss
        self.draw()

    def turn(self, row: dict[str, float]) -> None:
        """Show the figures that were measured."""
        known = ("epoch", "step", "loss", "rate", "seconds")
        self.measures = [f"{name} {value:.4g}" for name, value in row.items() if name not in known]
        self.loss, self.epoch = row["loss"], int(row["epoch"]) + 1
        if self.n_epochs is not None:
            self.epoch = min(self.epoch, self.n_epochs)
            if self.n_steps is None:  # of a stream; its epochs are taken to be alike
                self.progress.update(self.task, total=round(row["step"] / row["epoch"] * self.n_epochs))
        self.draw()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self.progress.console.print(text, markup=False, highlight=False)

    def draw(self) -> None:
        """A new picture, if the last one is not of just now."""
        now = time.perf_counter()
        self.counted = self.counted or now
        if now - self.latest >= _PERIOD:
            self.latest = now
            self.arrange()
            self.progress.refresh()

    def arrange(self) -> None:
        """Choose the words that the terminal has room for; what is left goes to the bar."""
        head, words = self.head(), self.words()
        room = self.progress.console.width - len(head)
        chosen: list[int] = []
        for place in self.importance(len(words)):
            need = len(words[place]) + _GAP
            if words[place] and room >= need + (_SHORTEST if len(chosen) > 1 else 0):
                room -= need
                chosen.append(place)
        tail = (" " * _GAP).join(words[place] for place in sorted(chosen))
        if room >= _SHORTEST + len(" steps"):
            tail = tail.replace("/s", " steps/s")
        first, last = self.columns
        self.line.bar_width = min(_LONGEST, room - (len(" steps") if " steps/s" in tail else 0))
        self.progress.columns = (first, self.line, last) if room >= _SHORTEST else (first, last)
        self.progress.update(self.task, completed=self.step, head=head, tail=tail if room >= _SHORTEST else f" {tail}")

    @staticmethod
    def importance(n: int) -> list[int]:
        """The places of words, from the one that is shown in any terminal on: loss, speed, figures, steps, time."""
        return [1, n - 2, *range(2, n - 2), 0, n - 1]

    def head(self) -> str:
        """The word before the bar."""
        return f"epoch {self.epoch}" if self.n_epochs is None else f"epoch {self.epoch}/{self.n_epochs}"

    def words(self) -> list[str]:
        """Those behind the bar: steps, loss, the epoch's figures, speed, time."""
        total = self.progress.tasks[0].total
        now, done = time.perf_counter(), self.step - self.first - 1  # the first step compiles, and tells nothing about others
        spent = max(now - self.counted, 1e-9)
        count = f"{self.step} step{'s' if self.step != 1 else ''}" if total is None else f"{self.step}/{total:.0f}"
        loss = "preparing the first step" if math.isnan(self.loss) else f"loss {self.loss:.4g}"
        speed = "" if done <= 0 else f"{done / spent:,.0f}/s" if done >= 10 * spent else f"{done / spent:.2g}/s"
        if self.is_over:
            clock = f"in {_clock(now - self.began)}"
        elif total is None or done <= 0:
            clock = _clock(now - self.began)
        else:
            clock = f"{_clock(spent / done * (total - self.step))} left"
        return [count, loss, *self.measures, speed, clock]


def _clock(seconds: float) -> str:
    """`1:05`, `2:00:09`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def progress_of(wanted: bool | None, n_epochs: int | None, n_steps: int | None, first: int) -> Quiet:
    """The bar if it is wanted; left open, where a person is looking: at a terminal, outside CI, with Rich installed."""
    if wanted is None:
        is_watched = sys.stderr.isatty() and not os.environ.get("CI")
        wanted = is_watched and importlib.util.find_spec("rich") is not None
    if not wanted:
        return Quiet()
    console = _optional.load("rich.console", "the progress bar", "learn").Console(stderr=True)
    return Bar(n_epochs, n_steps, first, console)
