"""Part 2: a small neural network, written in plain NumPy, learns to read 1,797 handwritten digits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wengert import _optional
from wengert.api import value_and_grad

GOAL = 0.97
EPOCHS, BATCH, RATE, MOMENTUM, DECAY = 50, 32, 0.1, 0.9, 1e-4
NUDGE = 0.7  # of a pixel, at most
Params = dict[str, Any]


def initial_network(rng: np.random.Generator, sizes: Sequence[int]) -> list[Params]:
    """Weights of variance `1/n`, biases of zero, for layers of these sizes."""
    return [
        {"w": rng.standard_normal((n, m)) / np.sqrt(n), "b": np.zeros(m)}
        for n, m in zip(sizes[:-1], sizes[1:], strict=True)
    ]


def each_weight(function: Callable[..., Any], *networks: Sequence[Params]) -> list[Params]:
    """The network of `function(weights, ...)` for the weights of networks that look alike."""
    return [{name: function(*(layer[name] for layer in layers)) for name in layers[0]} for layers in zip(*networks, strict=True)]


def logits(network: Sequence[Params], images: Any) -> Any:
    """A multilayer perceptron."""
    h = images
    for layer in network[:-1]:
        h = np.tanh(h @ layer["w"] + layer["b"])
    return h @ network[-1]["w"] + network[-1]["b"]


def loss(network: Sequence[Params], images: Any, labels: Any) -> Any:
    """The mean of `-log p(label)`, with `log p = z - log Σ exp z` taken stably, and a little weight decay."""
    z = logits(network, images)
    top = np.max(z, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(z - top), axis=1)) + top[:, 0]
    decay = sum(np.sum(layer["w"] ** 2) for layer in network)
    return np.mean(log_total - z[np.arange(len(labels)), labels]) + 0.5 * DECAY * decay


def nudged(rng: np.random.Generator, images: Any) -> Any:
    """Each image moved by a random part of a pixel, so that what is learned does not hang on the exact place."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    down, right = rng.uniform(-NUDGE, NUDGE, (2, len(images), 1, 1))
    moved = 0.0
    for y in (-1, 0, 1):
        for x in (-1, 0, 1):
            weight = np.maximum(0, 1 - np.abs(down - y)) * np.maximum(0, 1 - np.abs(right - x))
            moved = moved + weight * padded[:, 1 + y : 9 + y, 1 + x : 9 + x]
    return np.reshape(moved, images.shape)


def train_digits(console: Any, folder: Path, seed: int) -> bool:
    """Minibatch SGD with momentum on four fifths of the images; the rest is held out."""
    data = _optional.load("sklearn.datasets", "the digits", "demo").load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.target))
    test, train = np.split(order, [len(order) // 5])
    images, labels = data.data / 16.0, data.target
    network = initial_network(rng, (64, 128, 10))
    size = sum(weights.size for layer in network for weights in layer.values())
    console.print(f"{len(train)} images to learn from, {len(test)} held out; 64-128-10 tanh network, {size} weights")
    begin = time.perf_counter()
    network, losses = minibatch_sgd(console, network, images[train], labels[train], rng)
    seconds = time.perf_counter() - begin
    guess = np.argmax(logits(network, images[test]), axis=1)
    is_wrong = guess != labels[test]
    accuracy = 1 - np.mean(is_wrong)
    console.print(
        f"{len(losses)} gradient steps in {seconds:.1f} s ({1e3 * seconds / len(losses):.2f} ms each)\n"
        f"[bold]held-out accuracy {accuracy:.2%}[/bold]: {is_wrong.sum()} of {len(test)} digits misread; goal {GOAL:.0%}"
    )
    wrong = test[is_wrong]
    draw_training(folder, losses, accuracy)
    draw_misread(folder, data.images[wrong], labels[wrong], guess[is_wrong])
    return bool(accuracy >= GOAL)


def minibatch_sgd(
    console: Any, network: list[Params], images: Any, labels: Any, rng: np.random.Generator
) -> tuple[list[Params], list[float]]:
    """`v ← μ v - η ∇L`, `w ← w + v` over shuffled batches of nudged images; η falls linearly to 0."""
    progress = _optional.load("rich.progress", "the progress bar", "demo")
    step = value_and_grad(loss)
    velocity = each_weight(np.zeros_like, network)
    losses: list[float] = []
    n_batches = len(labels) // BATCH
    columns = (
        progress.TextColumn("training"), progress.BarColumn(), progress.TaskProgressColumn(),
        progress.TextColumn("loss {task.fields[loss]:.4f}"), progress.TimeElapsedColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=EPOCHS * n_batches, loss=float("nan"))
        for epoch in range(EPOCHS):
            rate = RATE * (1 - epoch / EPOCHS)
            for batch in np.array_split(rng.permutation(len(labels)), n_batches):
                value, gradient = step(network, nudged(rng, images[batch]), labels[batch])
                velocity = each_weight(lambda v, g: MOMENTUM * v - rate * g, velocity, gradient)
                network = each_weight(np.add, network, velocity)
                losses.append(float(value))
                bar.update(task, advance=1, loss=losses[-1])
    return network, losses


def draw_training(folder: Path, losses: Sequence[float], accuracy: float) -> None:
    """The loss of each step, and its running mean."""
    figure = _optional.load("matplotlib.figure", "pictures", "demo").Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.semilogy(losses, linewidth=0.4, alpha=0.4, color="#0072b2", label="each batch")
    window = max(1, len(losses) // EPOCHS)
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.semilogy(np.arange(len(smooth)) + window // 2, smooth, color="#d55e00", label="mean over an epoch")
    axes.set(xlabel="gradient step", ylabel="cross-entropy + weight decay", title=f"Learning to read digits: {accuracy:.2%} on unseen images")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "loss.png", dpi=150)


def draw_misread(folder: Path, images: Any, labels: Any, guesses: Any) -> None:
    """The digits that were misread, with what they are and what the network took them for."""
    n_columns = min(8, max(1, len(images)))
    n_rows = max(1, -(-len(images) // n_columns))
    figure = _optional.load("matplotlib.figure", "pictures", "demo").Figure(
        figsize=(max(4.0, 1.2 * n_columns), 1.5 * n_rows + 0.4), layout="constrained"
    )
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, label, guess in zip(grid, images, labels, guesses, strict=False):
        axes.imshow(image, cmap="gray_r")
        axes.set_title(f"{label}, read as {guess}", fontsize=8)
    figure.suptitle(f"The {len(images)} misread digits" if len(images) else "No digit was misread", fontsize=10)
    figure.savefig(folder / "misread.png", dpi=150)
