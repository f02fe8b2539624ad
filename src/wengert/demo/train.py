"""`wengert train digits`: a network learns to read handwritten digits, at the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import wengert as wg
from wengert import _optional
from wengert.demo.digits import draw_misread, nudged

BATCH, EPOCHS = 64, {"mlp": 100, "cnn": 20}


def perceptron(seed: int) -> Any:
    """64 pixels, two hidden layers, ten digits."""
    nn, width = wg.nn, 256
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width, rng=seed), nn.ReLU(), nn.Dropout(0.2, rng=seed + 1),
        nn.Linear(width, width, rng=seed + 2), nn.ReLU(), nn.Dropout(0.2, rng=seed + 3), nn.Linear(width, 10, rng=seed + 4),
    )  # fmt: skip


def convolutional(seed: int) -> Any:
    """Three convolutions, the image halved twice, ten digits."""
    nn, width = wg.nn, 16
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, rng=seed), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, rng=seed + 1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1, rng=seed + 2), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3, rng=seed + 3), nn.Linear(8 * width, 10, rng=seed + 4),
    )  # fmt: skip


MODELS: dict[str, Callable[[int], Any]] = {"mlp": perceptron, "cnn": convolutional}


def make_parser() -> argparse.ArgumentParser:
    """The command line of `wengert train`."""
    parser = argparse.ArgumentParser(prog="wengert train", description="Train a network on data that scikit-learn ships.")
    parser.add_argument("data", choices=["digits"], help="1,797 handwritten digits of 8 by 8 pixels; a fifth is held out")
    parser.add_argument("--model", choices=list(MODELS), default="mlp", help="a multilayer perceptron, or a convolutional network")
    parser.add_argument("--epochs", type=int, help="walks through the data (100, or 20 for a cnn)")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights and the batches")
    parser.add_argument("--output", metavar="DIR", help="write loss curves, the misread digits, and checkpoints there")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints in --output")
    return parser


def run(argv: Sequence[str] = ()) -> int:
    """Train, and say how well it went; returns the exit status."""
    options = make_parser().parse_args(list(argv))
    if options.resume and options.output is None:
        make_parser().error("--resume goes on from the checkpoints in --output, which is missing")
    console = _optional.load("rich.console", "training at the terminal", "demo").Console(highlight=False)
    data = _optional.load("sklearn.datasets", "the digits", "demo").load_digits()
    images, labels = data.images[:, None] / 16, data.target
    held, known = np.split(np.random.default_rng(options.seed).permutation(len(labels)), [len(labels) // 5])
    epochs = options.epochs or EPOCHS[options.model]
    model, n_steps = MODELS[options.model](options.seed), epochs * (len(known) // BATCH)

    def batches(rng: np.random.Generator) -> Iterator[Any]:
        for rows in np.array_split(rng.permutation(known), len(known) // BATCH):
            yield nudged(rng, images[rows]), labels[rows]

    n = wg.nn.count_parameters(model)
    console.print(f"[bold]{options.model}[/bold]: {n:,} parameters; {len(known)} images to learn from, {len(held)} held out")
    console.print(describe(model))
    result = wg.fit(
        model, wg.nn.cross_entropy, batches, wg.optim.AdamW(cosine(2e-3, n_steps), weight_decay=0.01), epochs=epochs,
        seed=options.seed, validation=(images[held], labels[held]), metrics=wg.learn.accuracy, resume=options.resume,
        checkpoint=None if options.output is None else str(Path(options.output) / "checkpoints"),
    )  # fmt: skip
    console.print(as_table(result.history))
    guess = np.argmax(result.model(images[held].astype(np.float32)), axis=1)
    report(console, result, data.images[held], labels[held], guess)
    if options.output is not None:
        write(console, Path(options.output), result, data.images[held], labels[held], guess)
    return 0


def cosine(top: float, n_steps: int) -> Callable[[Any], Any]:
    """A rate that falls from `top` to zero along half a wave."""
    return lambda step: top / 2 * (1 + np.cos(np.pi * step / n_steps))


def open_table(*headings: str, first: str = "") -> Any:
    """A table of columns of numbers, behind one of names if that has a heading."""
    rich = _optional.load("rich.table", "the table", "demo")
    table = rich.Table(box=_optional.load("rich.box", "the table", "demo").SIMPLE_HEAD, pad_edge=False)
    if first:
        table.add_column(first)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def describe(model: Any) -> Any:
    """The layers, with their shapes and the numbers in them."""
    table = open_table("shape", "numbers", first="parameter")
    for path, x in wg.nn.parameters(model).items():
        table.add_row(path, " × ".join(map(str, x.shape)), f"{x.size:,}")
    return table


def as_table(history: Any, n_shown: int = 8) -> Any:
    """Some of the epochs, the last one among them."""
    table = open_table("epoch", "steps", "loss", "held-out loss", "accuracy", "rate")
    chosen = sorted({round(k) for k in np.linspace(0, len(history) - 1, min(n_shown, len(history)))})
    for row in (history.rows[k] for k in chosen):
        figures = [f"{row[name]:.4f}" for name in ("loss", "val_loss")]
        table.add_row(str(row["epoch"]), str(row["step"]), *figures, f"{row['val_accuracy']:.2%}", f"{row['rate']:.1e}")
    return table


def report(console: Any, result: Any, images: Any, labels: Any, guess: Any) -> None:
    """Time, accuracy, and what was taken for what."""
    seconds, is_wrong = sum(result.history["seconds"]), guess != labels
    if result.stopped:
        console.print(f"[yellow]stopped early by {result.stopped}")
    console.print(
        f"{result.steps} steps in {seconds:.1f} s\n"
        f"[bold green]{1 - np.mean(is_wrong):.2%} of {len(labels)} unseen digits are read rightly[/bold green]; {is_wrong.sum()} misread"
    )
    for label, wrong in zip(labels[is_wrong], guess[is_wrong], strict=True):
        console.print(f"  a {label} read as {wrong}")


def write(console: Any, folder: Path, result: Any, images: Any, labels: Any, guess: Any) -> None:
    """The pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    is_wrong = guess != labels
    result.history.plot(str(folder / "loss.png"))
    draw_misread(folder, images[is_wrong], labels[is_wrong], guess[is_wrong])
    console.print(f"wrote {folder / 'loss.png'}, {folder / 'misread.png'} and {folder / 'checkpoints'}")
