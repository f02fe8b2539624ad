"""A step of training of small models of `wengert.nn` beside the same models in PyTorch, eager and compiled, on one core.

    python benchmarks/layers.py [names]     # by a Python that has torch; with --eager, without `torch.compile`

Loss, gradient and a step of Adam, in float32; the best of seven runs in processor time.
"""

import sys
import time

import numpy as np
import torch

import wengert as wg
from wengert import nn, optim

RNG = np.random.default_rng(0)
LABELS = RNG.integers(10, size=128)
IMAGES = RNG.random((64, 1, 28, 28), dtype=np.float32)
COLOURS = RNG.random((64, 3, 28, 28), dtype=np.float32)


def best(f, n=7):
    f()
    seconds = []
    for _ in range(n):  # of this thread alone: idle threads of NumPy's OpenBLAS go on spinning for a while, and would count
        begin = time.thread_time()
        f()
        seconds.append(time.thread_time() - begin)
    return 1e3 * min(seconds)


def perceptron(m):
    return m.Sequential(m.Linear(784, 512), m.ReLU(), m.Linear(512, 256), m.ReLU(), m.Linear(256, 10))


def convolutional(m):
    first = m.Conv2d(1, 16, 3, padding=1), m.ReLU(), m.MaxPool2d(2)
    return m.Sequential(*first, m.Conv2d(16, 32, 3, padding=1), m.ReLU(), m.MaxPool2d(2), m.Flatten(), m.Linear(1568, 10))


def normalised(m):
    first = m.Conv2d(1, 16, 3, padding=1), m.BatchNorm2d(16), m.ReLU(), m.MaxPool2d(2)
    second = m.Conv2d(16, 32, 3, padding=1), m.BatchNorm2d(32), m.ReLU(), m.AdaptiveAvgPool2d(1), m.Flatten()
    return m.Sequential(*first, *second, m.Dropout(0.1), m.Linear(32, 10))


def strided(m):
    first = m.Conv2d(3, 16, 3, stride=2, padding=1), m.ReLU(), m.Conv2d(16, 32, 3, stride=2, padding=1), m.ReLU()
    return m.Sequential(*first, m.Flatten(), m.Linear(32 * 49, 10))


def depthwise(m):
    first = m.Conv2d(3, 16, 1), m.ReLU(), m.Conv2d(16, 16, 3, padding=1, groups=16), m.ReLU()
    return m.Sequential(*first, m.AdaptiveAvgPool2d(1), m.Flatten(), m.Linear(16, 10))


def transposed(m):
    first = m.Conv2d(3, 32, 3, stride=2, padding=1), m.ReLU(), m.ConvTranspose2d(32, 16, 4, stride=2, padding=1), m.ReLU()
    return m.Sequential(*first, m.ConvTranspose2d(16, 3, 3, padding=1))


def pooled(m):
    first = m.Conv2d(3, 16, 5, padding=2), m.ReLU(), m.MaxPool2d(3, 2, padding=1), m.Conv2d(16, 32, 3, dilation=2, padding=2), m.ReLU()
    return m.Sequential(*first, m.AvgPool2d(3, 2), m.Flatten(), m.Linear(32 * 36, 10))


def grouped(m):
    first = m.Conv2d(3, 32, 3, padding=1), m.ReLU(), m.Conv2d(32, 32, 3, padding=1, groups=4), m.ReLU()
    return m.Sequential(*first, m.AdaptiveAvgPool2d(1), m.Flatten(), m.Linear(32, 10))


def classified(m):
    entropy = nn.cross_entropy if m is nn else torch.nn.functional.cross_entropy
    return lambda model, x, y: entropy(model(x), y)


def squared(m):
    return lambda model, x: (model(x) ** 2).mean()


def squared_states(m):
    return lambda model, x: (model(x)[0] ** 2).mean()


CASES = {
    "MLP 784-512-256-10, batch 128": (perceptron, classified, (RNG.random((128, 784), dtype=np.float32), LABELS)),
    "CNN 16 and 32 channels, 64 images of 28 x 28": (convolutional, classified, (IMAGES, LABELS[:64])),
    "CNN with BatchNorm and Dropout": (normalised, classified, (IMAGES, LABELS[:64])),
    "CNN with stride 2": (strided, classified, (COLOURS, LABELS[:64])),
    "CNN by channels (depthwise)": (depthwise, classified, (COLOURS, LABELS[:64])),
    "CNN with groups of channels": (grouped, classified, (COLOURS, LABELS[:64])),
    "CNN with transposed convolutions": (transposed, squared, (COLOURS,)),
    "CNN with dilation and windows that overlap": (pooled, classified, (COLOURS, LABELS[:64])),
    "transformer layer of 128, 8 texts of 128": (
        lambda m: m.TransformerEncoderLayer(128, 4, 512, 0.0, batch_first=True, norm_first=True), squared,
        (RNG.random((8, 128, 128), dtype=np.float32),)),
    "LSTM 32-64, 16 sequences of 64": (lambda m: m.LSTM(32, 64), squared_states, (RNG.random((64, 16, 32), dtype=np.float32),)),
    "GRU 32-64, 16 sequences of 64": (lambda m: m.GRU(32, 64), squared_states, (RNG.random((64, 16, 32), dtype=np.float32),)),
}  # fmt: skip


def by_wengert(make, loss, arguments):
    model, optimiser = make(nn), optim.Adam()
    held = [model, optimiser.init(model)]

    @wg.jit
    def step(model, state, *arguments):
        (value, model), gradient = nn.value_and_grad(nn.with_updates(loss(nn)), has_aux=True)(model, *arguments)
        return value, *optimiser.update(model, gradient, state)

    def run():
        _, held[0], held[1] = step(*held, *arguments)

    return run


def by_torch(make, loss, arguments, *, compiled=False):
    model, tensors = make(torch.nn), [torch.tensor(a) for a in arguments]
    optimiser = torch.optim.Adam(model.parameters())
    value = torch.compile(loss(torch.nn)) if compiled else loss(torch.nn)

    def run():
        optimiser.zero_grad()
        value(model, *tensors).backward()
        optimiser.step()

    return run


def main(names, *, compiles):
    print("| a step of training | wengert | torch eager | torch.compile |\n|---|---|---|---|")
    for name, case in CASES.items():
        if all(word in name for word in names):
            ours, eager = best(by_wengert(*case)), best(by_torch(*case))
            cells = [f"{ours:.2f} ms", f"{eager / ours:.2f}"]
            if compiles:
                torch.compiler.reset()
                cells.append(f"{best(by_torch(*case, compiled=True)) / ours:.2f}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    wg.set_threads(1)
    torch.set_num_threads(1)
    words = sys.argv[1:]
    main([word for word in words if word != "--eager"], compiles="--eager" not in words)
