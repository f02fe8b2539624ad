"""What can be wrong with the input of `fit`, each in four sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wengert.errors import DisconnectedError, TrainingError, describe, page


def _error(what: str, why: str, write: str) -> TrainingError:
    return TrainingError(page(what, why, write, "training"))


def empty_data() -> TrainingError:
    """The data have no rows, or yield no batch."""
    return _error(
        "the data of fit are empty.",
        "Without a row there is no loss, and without a loss no gradient.",
        "data = x, y   # with len(x) > 0",
    )


def exhausted_data() -> TrainingError:
    """A generator that had only one epoch in it."""
    return _error(
        "the data of fit are used up, and another epoch was to begin.",
        "A generator can be walked once, and every epoch walks the data anew.",
        "data=lambda: batches()   # a function that makes a generator for each epoch\n"
        "epoch_steps=100   # where it never ends: so many steps are an epoch",
    )


def lengths_differ(names: Sequence[str], lengths: Sequence[int]) -> TrainingError:
    """Arrays whose first axes should count the same rows."""
    found = ", ".join(f"{n} in data{name}" for name, n in zip(names, lengths, strict=True))
    return _error(
        f"the arrays of the data differ in their number of rows: {found}.",
        "The first axis of each array counts the examples, and one row of each makes an example.",
        "n = min(len(x), len(y))\ndata = x[:n], y[:n]",
    )


def no_array(name: str, value: Any) -> TrainingError:
    """A leaf of the data without a first axis."""
    return _error(
        f"data{name} is {describe(value)}, and has no rows.",
        "The first axis of each array counts the examples.",
        "x = np.asarray(x)   # of shape (rows, ...); settings belong into the loss, and not into the data",
    )


def unknown_data(value: Any) -> TrainingError:
    """Something that is no source of batches."""
    return _error(
        f"the data of fit are {describe(value)}.",
        "Data are arrays in a tuple or dict, batches in any iterable, a dataset or a loader, or the name of a table.",
        "data = x, y   # arrays with one row for each example",
    )


def no_loss(out: Any) -> TrainingError:
    """A loss that is not one real number."""
    if out is None:
        returned, why = "None", "A function that ends without a `return` statement returns None."
        write = "return value   # the number, on the last line of the loss"
    else:
        kind = f"a tuple of {len(out)}" if isinstance(out, tuple) else describe(out)
        returned, why = kind, "Training follows the gradient of one real number."
        write = "return np.mean(value)   # over the batch"
    return _error(f"fit needs a loss of one number, and the loss returned {returned}.", why, write)


def no_parameters() -> TrainingError:
    """A model in which nothing can learn."""
    return _error(
        "the model of fit has no floating-point arrays.",
        "They are the parameters: what the gradient is taken of, and what the optimiser moves.",
        'model = {"w": np.zeros(3)}   # any container of floating-point arrays, or an nn.Module',
    )


def no_end() -> TrainingError:
    """Neither `epochs` nor `steps`."""
    return _error(
        "fit was given neither epochs nor steps.",
        "Something must say when training ends.",
        "epochs=10   # walks through the data\nsteps=1000   # updates of the model",
    )


def no_monitor(monitor: str, known: Sequence[str]) -> TrainingError:
    """A column of the history that there is not."""
    return _error(
        f"fit was to watch {monitor!r}, and the history has {', '.join(map(repr, known))}.",
        "Patience counts the epochs in which a column of the history has not improved.",
        "validation=0.2   # a held-out fifth, whose loss is 'val_loss'",
    )


def no_fraction(value: Any) -> TrainingError:
    """A fraction that leaves nothing on one side, or data that cannot be split."""
    return _error(
        f"validation is {value!r}, which does not split the data.",
        "A fraction holds out that part of the rows of arrays; both parts need at least one row.",
        "validation=0.2   # of arrays\nvalidation=(x, y)   # rows of your own, and for data that come as a stream",
    )


def is_taken(folder: str) -> TrainingError:
    """A folder that holds the checkpoints of a run, and no word about resuming it."""
    return _error(
        f"the folder {folder!r} holds the checkpoints of a run.",
        "A new run would overwrite them.",
        'resume=True   # goes on with that run\ncheckpoint="another/folder"   # starts anew',
    )


def does_not_fit(folder: str, what: str) -> TrainingError:
    """A checkpoint of another model, optimiser or data."""
    return _error(
        f"the checkpoint in {folder!r} is of another run: {what}.",
        "A run goes on exactly only with the model, optimiser, data and batch size with which it began.",
        'checkpoint="another/folder"   # starts anew',
    )


def no_file(name: str) -> TrainingError:
    """A table that is not there."""
    return _error(
        f"there is no file {name!r}.",
        "A text given as data is the name of a Parquet or CSV file.",
        'wg.learn.table("train.parquet", target="price")   # a name, relative to the working directory',
    )


def no_checkpoint(path: str, n_broken: int) -> TrainingError:
    """A folder without a checkpoint that is whole."""
    what = (
        f"none of the {n_broken} checkpoints in {path!r} is whole."
        if n_broken
        else f"there is no checkpoint in {path!r}."
    )
    return _error(
        what,
        "A checkpoint is a folder with arrays.safetensors and a run.json that holds the digest of it.",
        'wg.fit(model, loss, data, optimiser, epochs=10, checkpoint="folder")   # writes one after each epoch',
    )


def disconnected(error: DisconnectedError) -> DisconnectedError:
    """What `grad` says about parameters that the loss does not depend on, with what to write in a call of `fit`."""
    said = str(error).partition("\n  Write ")[0]
    write = 'on_disconnected="zero"   # in the call of fit, where a parameter is meant to stay as it is'
    return DisconnectedError(f"{said}\n  Write   {write}\n  Read    docs/errors.md#disconnected")
