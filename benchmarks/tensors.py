"""Small steps of tensors beside eager PyTorch's, in one run: `python benchmarks/tensors.py`, by a Python that has both.

The same program runs on both in turn, on one core, by CPU time; printed are medians over rounds, and the median of the ratios.
"""

import statistics
import sys
import time

import numpy as np
import torch

import wengert as wg
import wengert.tensor

ROUNDS, SECONDS = 15, 0.02


def function(torch, n):
    x = torch.tensor(np.linspace(0.1, 1, n), dtype=torch.float32, requires_grad=True)

    def step():
        x.grad = None
        torch.sin(x).sum().backward()

    return step


def product(torch, n):
    x = torch.tensor(np.linspace(0.1, 1, n), dtype=torch.float32, requires_grad=True)

    def step():
        x.grad = None
        (x * x).sum().backward()

    return step


def number(torch):
    x = torch.tensor(0.5, requires_grad=True)

    def step():
        x.grad = None
        torch.sin(x).backward()

    return step


def rosenbrock(torch):
    x = torch.tensor([-1.2, 1.0], requires_grad=True)

    def step():
        x.grad = None
        y = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        y.backward()
        with torch.no_grad():
            x.sub_(1e-4 * x.grad)

    return step


@wg.jit
def compiled_loss(w1, b1, w2, b2, images, labels):
    """The loss of the network in NumPy's words, as one native operation on tensors."""
    return wg.nn.cross_entropy(np.maximum(images @ w1 + b1, 0) @ w2 + b2, labels)


def network(torch, *, compiled=False):
    rng = np.random.RandomState(0)
    w1, b1, w2, b2 = (
        torch.tensor(rng.randn(*shape).astype(np.float32) * 0.1, requires_grad=True) for shape in ((64, 128), (128,), (128, 10), (10,))
    )
    images, labels = torch.tensor(rng.randn(32, 64).astype(np.float32)), torch.tensor(rng.randint(0, 10, 32))
    rows = torch.arange(32)

    def step():
        if compiled and torch is wengert.tensor:
            loss = compiled_loss(w1, b1, w2, b2, images, labels)
        else:
            logits = torch.relu(images @ w1 + b1) @ w2 + b2
            loss = -torch.log_softmax(logits, 1)[rows, labels].mean()
        loss.backward()
        with torch.no_grad():
            for p in (w1, b1, w2, b2):
                p.sub_(0.1 * p.grad)
                p.grad = None

    return step


CASES = {
    "sin of a number": number,
    "sin, sum: 1 entry": lambda torch: function(torch, 1),
    "sin, sum: 100 entries": lambda torch: function(torch, 100),
    "product, sum: 1 entry": lambda torch: product(torch, 1),
    "product, sum: 100 entries": lambda torch: product(torch, 100),
    "Rosenbrock, a step": rosenbrock,
    "network 64-128-10, batch of 32, a step": network,
    "the same, our loss compiled by wg.jit": lambda torch: network(torch, compiled=True),
}


def microseconds(step, n):
    """CPU time of one call, over `n`."""
    start = time.process_time()
    for _ in range(n):
        step()
    return (time.process_time() - start) / n * 1e6


def main():
    torch.set_num_threads(1)
    wg.set_threads(1)
    print(f"{'':40}{'wengert':>10}{'PyTorch':>10}{'ratio':>8}")
    for name, make in CASES.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        ours, theirs = make(wengert.tensor), make(torch)
        n = max(10, int(SECONDS / (microseconds(ours, 50) * 1e-6)))
        pairs = [(microseconds(ours, n), microseconds(theirs, n)) for _ in range(ROUNDS)]
        ratio = statistics.median(a / b for a, b in pairs)
        first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:40}{first:8.1f} µs{second:7.1f} µs{ratio:8.2f}")


if __name__ == "__main__":
    main()
