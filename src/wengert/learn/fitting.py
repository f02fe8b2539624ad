"""`fit`: the call that trains."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import wengert as wg
from wengert.errors import ArgumentError, DivergedError
from wengert.learn import checkpoints, mistakes
from wengert.learn.data import Arrays, Limited, Settings, Source, source_of
from wengert.learn.history import History
from wengert.learn.loop import Moment, Plan, Trainer
from wengert.learn.progress import progress_of
from wengert.learn.step import Evaluation, Step, as_arrays, dtype_of, in_mode, of_model
from wengert.learn.stopping import Watch

Function = Callable[..., Any]
Metrics = Mapping[str, Function] | Sequence[Function] | Function


@dataclass
class Result:
    """What training came to.

    `model` is ready for use: the best one where `monitor` chooses, else the latest; averaged if the optimiser averages.
    `latest` is the model after the latest step, in training mode, and `state` is the optimiser's, which belongs to it.
    `steps` were made in all, those before a resumption included.  `stopped` says why training ended early:
    "patience", "Ctrl-C", "a callback"; or it is empty.
    """

    model: Any
    state: Any = field(repr=False)
    history: History
    steps: int
    stopped: str
    latest: Any = field(repr=False)

    def _repr_html_(self) -> str:
        return self.history._repr_html_()


def fit(
    model: Any,
    loss: Function,
    data: Any = None,
    optimiser: Any = None,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = 32,
    epoch_steps: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    validation: Any = None,
    metrics: Metrics = (),
    monitor: str | None = None,
    mode: Literal["min", "max"] = "min",
    patience: int | None = None,
    min_delta: float = 0.0,
    callbacks: Sequence[Callable[[Moment], Any]] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_steps: int | None = None,
    keep: int = 3,
    resume: bool = False,
    progress: bool | None = None,
    on_disconnected: Literal["warn", "raise", "zero"] = "raise",
    compiled: bool = True,
) -> Result:
    """`min_θ E[L(θ, batch)]` by the optimiser's steps on minibatches; each step is one compiled program.

    Args:
        model: an `nn.Module`, or any container of arrays; its floating-point arrays are learnt.
        loss: `loss(model, *batch)`, one number, the mean over the rows.  A loss of `nn` is a function of output and
            target, and is taken of `model(x)`: `wg.fit(model, nn.cross_entropy, (x, y), ...)`.
        data: what batches are made of.  A tuple, dict or other container of arrays with one row for each example; an
            iterable of batches (a list, too), or a function that makes one for each epoch, of nothing or of a random generator; a
            `torch.utils.data` dataset or loader, or what acts like one; the name of a Parquet or CSV file, or
            `wg.learn.table(...)`; `None` where the loss has no data.  A batch that is a tuple is several arguments.
            Floating-point arrays take the dtype of the model's parameters, if these have one in common.
        optimiser: one of `wg.optim`, or anything with its `init` and `update`; `wg.optim.Adam()` if left out.
        epochs, steps: walks through the data, and updates in all; training ends with the first that is reached.
        batch_size: rows of a step; `None` for all, which data of fewer rows are too.  The last batch of an epoch has what is left.
        epoch_steps: at most so many steps are an epoch; for data without end.
        shuffle, seed: whether rows are drawn in a random order, which the seed and the epoch's number choose.
        validation: held-out data of any kind that `data` may be, or the fraction of rows to hold out.
        metrics: functions like the loss, by name or as they are called, averaged over the validation data (or the
            training data, without).  Those of `wg.learn` are functions of output and target.
        monitor, mode: a column of the history, the lowest ("min") or highest ("max") value of which chooses
            `result.model`; "val_loss" if there is patience.
        patience, min_delta: training stops when the monitored value has not improved by more than `min_delta` for
            so many epochs.
        callbacks: functions of a `Moment`, called after each epoch; `wg.learn.every(100)(f)` after each hundred steps.
        checkpoint: a folder for checkpoints, one after each epoch, and one when training stops in the middle of one.
        checkpoint_steps: a checkpoint after each so many steps, as well.
        keep: how many of them stay.
        resume: go on from the latest checkpoint in the folder, if there is one: with the same data the result has
            the same bits as that of a run that never stopped.
        progress: a bar on the standard error stream; left out, where it is a terminal and `CI` is not set.
        on_disconnected: what to do about parameters that the loss does not depend on; as in `grad`.
        compiled: whether steps are compiled; without, they run line by line, for a debugger.

    Returns:
        `Result`: `model`, `state`, `history`, `steps`, `stopped`.  After Ctrl-C, too: with what was learnt so far.

    Raises:
        TrainingError: the data are empty, differ in length or are fewer than a batch; the loss is not one number.
        DisconnectedError: the loss does not depend on one of the parameters.
        DivergedError: the loss became infinite or NaN; the message names the operation that made it so, and
            `error.result` is what was learnt before.

    Example:
        >>> import numpy as np, wengert as wg
        >>> x = np.linspace(-1, 1, 64); y = 3 * x - 1
        >>> loss = lambda model, x, y: np.mean((model["a"] * x + model["b"] - y) ** 2)
        >>> result = wg.fit({"a": 0.0, "b": 0.0}, loss, (x, y), wg.optim.Adam(0.1), epochs=100)
        >>> round(float(result.model["a"]), 3), round(float(result.model["b"]), 3)
        (3.0, -1.0)

    Source: H. Robbins and S. Monro, A stochastic approximation method, Ann. Math. Statist. 22 (1951).
    """
    if epochs is None and steps is None:
        raise mistakes.no_end()
    if mode not in ("min", "max"):
        raise ArgumentError.of_choice("mode", mode, ("min", "max"))
    model = in_mode(as_arrays(model), "train")
    loss, optimiser = of_model(loss), wg.optim.Adam() if optimiser is None else optimiser
    settings = Settings(batch_size, shuffle, seed, dtype_of(model))
    source, held = sources(data, validation, settings, epoch_steps)
    named = name_metrics(metrics)
    evaluation = Evaluation(loss, named, compiled=compiled) if held is not None or named else None
    monitor = "val_loss" if monitor is None and patience is not None else monitor
    check_monitor(monitor, named, is_held=held is not None)
    folder = None if checkpoint is None else os.fspath(checkpoint)
    told = {
        "seed": seed,
        "shuffle": shuffle,
        "batch_size": batch_size,
        "epoch_steps": epoch_steps,
        "rows": source.n_rows,
    }
    plan = Plan(
        loss, optimiser, source, held, evaluation, epochs, steps, callbacks, folder,
        checkpoint_steps if folder else None, keep, on_disconnected, told,
    )  # fmt: skip
    trainer = Trainer(plan, Step(loss, optimiser, model, compiled=compiled), Watch(monitor, mode, patience, min_delta))
    if folder is not None:
        begin_in(folder, trainer, resume=resume)
    return trained(trainer, progress)


def trained(trainer: Trainer, progress: bool | None) -> Result:
    """Run to the end, or to a loss that is no number."""
    plan, per_epoch = trainer.plan, trainer.plan.source.n_steps
    n_steps = plan.steps if plan.steps is not None or per_epoch is None or plan.epochs is None else plan.epochs * per_epoch
    try:
        trainer.run(progress_of(progress, plan.epochs, n_steps, trainer.n_steps))
    except DivergedError as error:
        error.result = result_of(trainer)
        raise
    return result_of(trainer)


def sources(data: Any, validation: Any, settings: Settings, epoch_steps: int | None) -> tuple[Source, Source | None]:
    """What is learnt from, and what is held out."""
    source = source_of(data, settings)
    held: Source | None = None
    if isinstance(validation, float):
        if not isinstance(source, Arrays):
            raise mistakes.no_fraction(validation)
        source, held = source.split(validation)
    elif validation is not None:
        held = source_of(validation, settings.for_evaluation())
    return (source if epoch_steps is None else Limited(source, epoch_steps)), held


def name_metrics(metrics: Metrics) -> dict[str, Function]:
    """Metrics by name."""
    if isinstance(metrics, Mapping):
        return dict(metrics)
    functions = [metrics] if callable(metrics) else list(metrics)
    return {getattr(function, "__name__", type(function).__name__): function for function in functions}


def check_monitor(monitor: str | None, metrics: Mapping[str, Any], *, is_held: bool) -> None:
    """Say at once that a column will not be there."""
    prefix = "val_" if is_held else ""
    known = ["loss", *(["val_loss"] if is_held else []), *[prefix + name for name in metrics]]
    if monitor is not None and monitor not in known:
        raise mistakes.no_monitor(monitor, known)


def begin_in(folder: str, trainer: Trainer, *, resume: bool) -> None:
    """Take up the run in this folder, or see that there is none."""
    if resume:
        trainer.resume()
    elif checkpoints.names(folder):
        raise mistakes.is_taken(folder)
    else:
        checkpoints.sweep(folder)


def result_of(trainer: Trainer) -> Result:
    """What the user gets."""
    chosen = trainer.now if trainer.watch.leaves is None else trainer.watch.leaves
    return Result(
        model=trainer.usable(*chosen[1:]),
        state=trainer.step.state.build(trainer.now[2]),
        history=trainer.history,
        steps=trainer.n_steps,
        stopped=trainer.stopped,
        latest=trainer.step.model.build(trainer.now[1]),
    )


def every(n_steps: int) -> Callable[[Function], Function]:
    """Make a callback one that is called after each so many steps, and not after epochs.

    Example:
        >>> import numpy as np, wengert as wg
        >>> seen = []
        >>> watch = wg.learn.every(2)(lambda moment: seen.append(moment.step))
        >>> _ = wg.fit({"w": 1.0}, lambda m: m["w"] ** 2, steps=5, callbacks=[watch])
        >>> seen
        [2, 4]
    """

    def mark(callback: Function) -> Function:
        def called(moment: Moment) -> Any:
            return callback(moment)

        called.every_steps = n_steps  # type: ignore[attr-defined]  # functions may carry attributes
        return called

    return mark
