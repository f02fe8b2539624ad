"""The loop of training: steps, epochs, checkpoints, and what ends them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wengert.errors import describe
from wengert.learn import checkpoints, mistakes
from wengert.learn.data import Source
from wengert.learn.failure import diverged
from wengert.learn.history import History, Row
from wengert.learn.interrupts import Interrupts
from wengert.learn.progress import Quiet
from wengert.learn.step import Evaluation, Step, as_results, check_loss, in_mode
from wengert.learn.stopping import Watch


@dataclass
class Plan:
    """What was asked for; it does not change while training runs."""

    loss: Callable[..., Any]
    optimiser: Any
    source: Source
    held: Source | None
    evaluation: Evaluation | None
    epochs: int | None
    steps: int | None
    callbacks: Sequence[Callable[[Moment], Any]]
    folder: str | None
    every: int | None
    keep: int
    on_disconnected: Any
    settings: dict[str, Any] = field(default_factory=dict)  # written into checkpoints, and compared


class Moment:
    """Where training is: what a callback is given.

    `epoch` (whole ones), `step`, `loss` (of the latest step), `row` (the latest epoch's figures), `history`, `model`, `state`;
    `stop()` ends the training after this moment.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.epoch, self.step, self.history = trainer.epoch, trainer.n_steps, trainer.history

    @property
    def loss(self) -> float:
        """The latest step's loss."""
        return float(self.history.losses[-1])

    @property
    def row(self) -> Row:
        """The figures of the latest epoch that has ended."""
        return self.history.rows[-1] if self.history.rows else {}

    @property
    def model(self) -> Any:
        """The model as it is now, ready for use."""
        return self._trainer.usable(self._trainer.now[1], self._trainer.now[2])

    @property
    def state(self) -> Any:
        """The optimiser's state."""
        return self._trainer.step.state.build(self._trainer.now[2])

    def stop(self) -> None:
        """End the training."""
        self._trainer.stopped = "a callback"


class Trainer:
    """A run of training; everything that changes is here, and all of it goes into a checkpoint."""

    def __init__(self, plan: Plan, step: Step, watch: Watch) -> None:
        self.plan, self.step, self.watch = plan, step, watch
        self.now: tuple[Any, Any, Any] = (None, *step.start)  # the latest step's loss, model and state
        self.history = History()
        self.n_steps = self.epoch = self.in_epoch = 0
        self.earlier: tuple[Any, Any] = (None, None)  # the model and state before the latest step, and its batch
        self.is_checked = False
        self.stopped = ""  # why
        self.on_step = [(f, f.every_steps) for f in plan.callbacks if hasattr(f, "every_steps")]
        self.on_epoch = [f for f in plan.callbacks if not hasattr(f, "every_steps")]

    # --- running -----------------------------------------------------------------------------------------------------

    def run(self, bar: Quiet) -> None:
        """Train to the end of the plan."""
        with bar, Interrupts() as interrupts:
            if self.watch.is_over:
                self.stopped = "patience"
            while not self.stopped and not self._is_complete():
                self._run_epoch(bar, interrupts)

    def _is_complete(self) -> bool:
        plan = self.plan
        is_last_epoch = plan.epochs is not None and self.epoch >= plan.epochs
        return is_last_epoch or (plan.steps is not None and self.n_steps >= plan.steps)

    def _run_epoch(self, bar: Quiet, interrupts: Interrupts) -> None:
        begin = time.perf_counter()
        is_whole = self._run_steps(bar, interrupts)
        if is_whole and self.in_epoch == 0:
            raise mistakes.exhausted_data() if self.n_steps else mistakes.empty_data()
        if not is_whole and self.plan.folder is not None:
            self.save()  # a longer run goes on from the middle of this epoch
        if interrupts.wanted and not is_whole:
            self.stopped = "Ctrl-C"
            bar.say("stopped; what was learnt so far is kept")
            return
        self._end_epoch(bar, time.perf_counter() - begin, is_whole=is_whole)

    def _run_steps(self, bar: Quiet, interrupts: Interrupts) -> bool:
        """The rest of this epoch's steps; whether it came to its end."""
        run, losses, plan = self.step.run, self.history._losses, self.plan
        limit = plan.steps or math.inf
        for batch in plan.source.batches(self.epoch, self.in_epoch):
            if not self.is_checked:
                check_loss(plan.loss, self.step.model, self.step.model.build(self.now[1]), batch, plan.on_disconnected)
                self.is_checked = True
            before = self.now
            with np.errstate(all="ignore"):  # compiled programs are silent, and so are their first runs
                now = run(before[1], before[2], batch)
            value = float(now[0])
            if not math.isfinite(value):
                raise self._failure(value, batch)
            self.now, self.earlier = now, (before, batch)
            losses.append(value)
            self.n_steps = n = self.n_steps + 1
            self.in_epoch += 1
            bar.move(n, value)
            if self.on_step or plan.every:
                self._between_steps(n)
            if n >= limit or self.stopped or interrupts.wanted:
                return False
        return True

    def _failure(self, value: float, batch: Any) -> Exception:
        """The error for a loss that is no number, with the step before it, as the fault may lie there."""
        before, earlier_batch = self.earlier
        points = [(self.step.model.build(self.now[1]), batch)]
        if before is not None:
            points.append((self.step.model.build(before[1]), earlier_batch))
        return diverged(self.plan.loss, self.step.model, value, self.n_steps + 1, points)

    def _between_steps(self, n: int) -> None:
        for callback, every in self.on_step:
            if n % every == 0:
                callback(Moment(self))
        if self.plan.every and n % self.plan.every == 0:
            self.save()

    def _end_epoch(self, bar: Quiet, seconds: float, *, is_whole: bool) -> None:
        plan, row = self.plan, self._figures()
        self.epoch += 1
        row = {"epoch": self.epoch, "step": self.n_steps, **row, "seconds": seconds}
        self.history.rows.append(row)
        self.watch.look(row, self.now)
        self.in_epoch = 0
        bar.turn(row)
        for callback in self.on_epoch:
            callback(Moment(self))
        if self.watch.is_over:
            self.stopped = "patience"
            bar.say(f"stopped: {self.watch.monitor} was best {self.watch.waiting} epochs ago")
        if plan.folder is not None and is_whole:
            self.save()

    def _figures(self) -> Row:
        """The epoch's mean loss, the held-out loss, the metrics, the learning rate."""
        plan = self.plan
        row: Row = {"loss": float(np.mean(self.history.losses[-self.in_epoch :]))}
        if plan.evaluation is not None:
            prefix = "val_" if plan.held is not None else ""
            figures = plan.evaluation(self.usable(*self.now[1:]), (plan.held or plan.source).batches(0))
            row |= {f"{prefix}{name}": value for name, value in figures.items() if prefix or name != "loss"}
        if hasattr(plan.optimiser, "rate"):
            row["rate"] = float(plan.optimiser.rate(self.step.state.build(self.now[2])))
        return row

    def usable(self, leaves: Any, state: Any) -> Any:
        """The model for use: averaged, if the optimiser averages, and in evaluation mode."""
        model = self.step.model.build(leaves)
        if hasattr(self.plan.optimiser, "average"):
            model = self.plan.optimiser.average(model, self.step.state.build(state))
        return in_mode(model, "eval")

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write all that the rest of the run depends on."""
        plan, watch = self.plan, self.watch
        arrays = self._named(self.now, "model", "state") | {"losses": self.history.losses}
        if watch.leaves is not None:
            arrays |= self._named(watch.leaves, "best.model", "best.state")
        run = {
            "step": self.n_steps, "epoch": self.epoch, "in_epoch": self.in_epoch, "settings": plan.settings, "rows": self.history.rows,
            "watch": {"monitor": watch.monitor, "best": watch.best, "best_epoch": watch.best_epoch, "waiting": watch.waiting},
        }  # fmt: skip
        checkpoints.save(str(plan.folder), self.n_steps, self.epoch, arrays, run, plan.keep)

    def resume(self) -> None:
        """Go on where the latest checkpoint of the folder was written; a folder without one begins a run."""
        folder = str(self.plan.folder)
        checkpoints.sweep(folder)
        if not checkpoints.names(folder):
            return
        saved = checkpoints.read(folder)
        for name, value in self.plan.settings.items():
            then = saved.run["settings"].get(name)
            if then != value:
                raise mistakes.does_not_fit(folder, f"{name} was {then!r} then, and is {value!r} now")
        self.now = self._from_named(saved, "model", "state")
        run, watch = saved.run, self.watch
        self.n_steps, self.epoch, self.in_epoch = run["step"], run["epoch"], run["in_epoch"]
        self.history = History(saved.arrays["losses"], run["rows"])
        if (
            run["watch"]["monitor"] == watch.monitor
            and watch.monitor is not None
            and not math.isnan(run["watch"]["best"])
        ):
            watch.best, watch.best_epoch, watch.waiting = (
                run["watch"][name] for name in ("best", "best_epoch", "waiting")
            )
            watch.leaves = self._from_named(saved, "best.model", "best.state")
        self.plan.source.pass_over(self.n_steps)

    def _names(self, model: str, state: str) -> tuple[list[str], list[str]]:
        return [model + name for name in self.step.model.names], [state + name for name in self.step.state.names]

    def _named(self, now: tuple[Any, Any, Any], model: str, state: str) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        for names, part in zip(self._names(model, state), now[1:], strict=True):
            arrays |= dict(zip(names, map(np.asarray, part), strict=True))
        return arrays

    def _from_named(self, saved: checkpoints.Checkpoint, model: str, state: str) -> tuple[Any, Any, Any]:
        parts = []
        for names, part in zip(self._names(model, state), self.step.start, strict=True):
            for name, x in zip(names, part, strict=True):
                self._compare(saved, name, x)
            parts.append(as_results([saved.arrays[name] for name in names]))
        return None, parts[0], parts[1]

    @staticmethod
    def _compare(saved: checkpoints.Checkpoint, name: str, x: Any) -> None:
        found = saved.arrays.get(name)
        if found is None:
            raise mistakes.does_not_fit(saved.path, f"it has no {name}")
        if found.shape != x.shape or found.dtype != x.dtype:
            kinds = [describe(found), describe(x)]
            raise mistakes.does_not_fit(saved.path, f"{name} was {kinds[0]} then, and is {kinds[1]} now")
