"""Handwritten digits: a network learns to read 1,797 images of 8 by 8 pixels, and is asked about a fifth that it has not seen.

    python examples/digits.py               # a multilayer perceptron
    python examples/digits.py --model cnn   # a convolutional network
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

import wengert as wg
from wengert import learn, nn, optim

BATCH, SHIFT = 64, 0.7  # of a pixel, at most


def mlp(seed, width=256):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width, rng=seed), nn.ReLU(), nn.Dropout(0.2, rng=seed + 1),
        nn.Linear(width, width, rng=seed + 2), nn.ReLU(), nn.Dropout(0.2, rng=seed + 3), nn.Linear(width, 10, rng=seed + 4),
    )  # fmt: skip


def cnn(seed, width=32):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, rng=seed), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, rng=seed + 1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1, rng=seed + 2), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3, rng=seed + 3), nn.Linear(8 * width, 10, rng=seed + 4),
    )  # fmt: skip


def nudged(images, rng):
    """Each image moved by a random part of a pixel, so that what is learnt does not hang on the exact place."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    down, right = rng.uniform(-SHIFT, SHIFT, (2, len(images), 1, 1, 1)).astype(np.float32)
    moved = np.zeros_like(images)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            weight = np.maximum(0, 1 - np.abs(down - i)) * np.maximum(0, 1 - np.abs(right - j))
            moved += weight * padded[:, :, 1 + i : 9 + i, 1 + j : 9 + j]
    return moved


def main(model=mlp, epochs=120, seed=0, rate=2e-3, **options):
    data = load_digits()
    images, labels = (data.images[:, None] / 16).astype(np.float32), data.target
    order = np.random.default_rng(seed).permutation(len(labels))
    held, known = np.split(order, [len(order) // 5])

    def batches(rng):
        for rows in np.array_split(rng.permutation(known), len(known) // BATCH):
            yield nudged(images[rows], rng), labels[rows]

    n_steps = epochs * (len(known) // BATCH)
    optimiser = optim.AdamW(lambda step: rate / 2 * (1 + np.cos(np.pi * step / n_steps)), weight_decay=0.01)
    result = wg.fit(
        model(seed), nn.cross_entropy, batches, optimiser, epochs=epochs, seed=seed,
        validation=(images[held], labels[held]), metrics=learn.accuracy, **options,
    )  # fmt: skip
    accuracy, seconds = result.history["val_accuracy"][-1], sum(result.history["seconds"])
    print(f"{nn.count_parameters(result.model):,} parameters, {len(known)} images to learn from; {result.steps} steps in {seconds:.1f} s")
    print(f"{accuracy:.2%} of {len(held)} unseen digits are read rightly")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=["mlp", "cnn"], default="mlp")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    epochs = chosen.epochs or {"mlp": 120, "cnn": 30}[chosen.model]
    main({"mlp": mlp, "cnn": cnn}[chosen.model], epochs, chosen.seed)
