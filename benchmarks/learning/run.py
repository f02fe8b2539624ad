"""Training steps of the examples beside PyTorch, eager and compiled, on the processor: `python benchmarks/learning/run.py`.

The models have the same layers and weights, the batches the same numbers; each step is a loss, its gradient and an update by Adam.
The steps are taken in turn, so that a busy moment falls on all alike; the table shows medians, and ratios of medians.
Needs torch; `--only NAME` measures one model, `--threads N` sets both systems to so many threads, and `--cpu` counts the processor's time
instead of the clock's, with one thread, for a machine that others use, too.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn as tnn

import wengert as wg
from wengert import learn, nn, optim

CLOCK = {"now": time.perf_counter}
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RNG = np.random.default_rng(0)


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def images(n=64):
    return RNG.uniform(size=(n, 1, 8, 8)).astype(np.float32), RNG.integers(0, 10, n)


def cross_entropy(model, x, labels):
    return tnn.functional.cross_entropy(model(x), labels)


def mlp():
    theirs = tnn.Sequential(
        tnn.Flatten(), tnn.Linear(64, 256), tnn.ReLU(), tnn.Dropout(0.2), tnn.Linear(256, 256), tnn.ReLU(), tnn.Dropout(0.2), tnn.Linear(256, 10)
    )
    return example("digits").mlp(0), nn.cross_entropy, images(), theirs, cross_entropy


def cnn():
    width = 32
    block = lambda a, b: [tnn.Conv2d(a, b, 3, padding=1), tnn.BatchNorm2d(b), tnn.ReLU()]
    theirs = tnn.Sequential(
        *block(1, width), *block(width, width), tnn.MaxPool2d(2), *block(width, 2 * width), tnn.MaxPool2d(2),
        tnn.Flatten(), tnn.Dropout(0.3), tnn.Linear(8 * width, 10),
    )  # fmt: skip
    return example("digits").cnn(0, width), nn.cross_entropy, images(), theirs, cross_entropy


class Writer(tnn.Module):
    def __init__(self, n_letters, context, width, n_blocks):
        super().__init__()
        self.letters, self.places = tnn.Embedding(n_letters, width), tnn.Embedding(context, width)
        block = lambda: tnn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, "gelu", batch_first=True, norm_first=True)
        self.blocks = tnn.ModuleList([block() for _ in range(n_blocks)])
        self.norm, self.out = tnn.LayerNorm(width), tnn.Linear(width, n_letters)

    def forward(self, text):
        n = text.shape[1]
        x = self.letters(text) + self.places(torch.arange(n))
        mask = tnn.Transformer.generate_square_subsequent_mask(n)
        for block in self.blocks:
            x = block(x, src_mask=mask, is_causal=True)
        return self.out(self.norm(x))


def transformer():
    ours, size = example("transformer"), (103, 96, 128, 3)
    text = RNG.integers(0, 103, (24, 97))
    theirs = lambda model, text: tnn.functional.cross_entropy(model(text[:, :-1]).swapaxes(1, 2), text[:, 1:])
    return ours.Writer(*size), ours.loss, (text,), Writer(*size), theirs


def burgers_loss(model, t, x):
    """As PyTorch's users write it: gradients of sums, with graphs of their own."""
    t, x = t.requires_grad_(), x.requires_grad_()
    u = -torch.sin(np.pi * x) + t * (1 - x**2) * model(torch.stack([t, x], 1))[:, 0]
    u_t, u_x = torch.autograd.grad(u.sum(), (t, x), create_graph=True)
    (u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)
    return torch.mean((u_t + u * u_x - 0.1 / np.pi * u_xx) ** 2)


def burgers():
    width, layers = 32, []
    for n in (2, width, width):
        layers += [(n, width)]
    ours = nn.Sequential(*[part for n, m in layers for part in (nn.Linear(n, m), nn.Tanh())], nn.Linear(width, 1)).astype(np.float64)
    theirs = tnn.Sequential(*[part for n, m in layers for part in (tnn.Linear(n, m), tnn.Tanh())], tnn.Linear(width, 1)).double()
    return ours, example("burgers").loss, (RNG.uniform(0, 1, 512), RNG.uniform(-1, 1, 512)), theirs, burgers_loss


MODELS = {"digits, perceptron": mlp, "digits, convolutional": cnn, "transformer": transformer, "Burgers' equation": burgers}


def our_step(model, loss, batch):
    step = learn.step.Step(learn.step.of_model(loss), optim.Adam(1e-3), model, compiled=True)
    now = [(None, *step.start)]

    def run():
        now[0] = step.run(now[0][1], now[0][2], batch)
        return float(now[0][0])

    return run


def their_step(model, loss, batch, *, compiled):
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    batch = [torch.from_numpy(x) for x in batch]
    value = torch.compile(loss) if compiled else loss

    def run():
        optimiser.zero_grad()
        out = value(model, *batch)
        out.backward()
        optimiser.step()
        return out.item()

    return run


def copied(ours, theirs):
    """Their model with our weights; the loss of both, as they are used, must agree."""
    weights = {name: torch.from_numpy(np.array(x)) for name, x in nn.state_dict(ours).items()}
    known = theirs.state_dict()
    theirs.load_state_dict({name: weights[name].reshape(x.shape) for name, x in known.items()})
    return theirs


def measure(name, rounds):
    ours, loss, batch, theirs, their_loss = MODELS[name]()
    theirs = copied(ours, theirs)
    here = float(learn.step.of_model(loss)(ours.eval(), *batch))
    there = their_loss(theirs.eval(), *[torch.from_numpy(x) for x in batch]).item()
    assert abs(here - there) < 1e-4 * abs(there), (here, there)
    theirs.train()
    steps = {"wengert": our_step(ours, loss, batch), "eager": their_step(theirs, their_loss, batch, compiled=False)}
    if name != "Burgers' equation":  # the code generator of torch 2.13 fails on it (InductorError)
        steps["compile"] = their_step(theirs, their_loss, batch, compiled=True)
    first = {}
    for title, step in steps.items():
        begin = time.perf_counter()
        step()
        first[title] = time.perf_counter() - begin
        step()
    times = {title: [] for title in steps}
    repeats = max(1, int(0.02 / max(min(timed(step) for step in steps.values()), 1e-6)))
    for _ in range(rounds):
        for title, step in steps.items():
            times[title].append(min(timed(step) for _ in range(repeats)) if repeats < 3 else timed(step, repeats))
    return {title: statistics.median(values) for title, values in times.items()}, first


def timed(step, repeats=1):
    begin = CLOCK["now"]()
    for _ in range(repeats):
        step()
    return (CLOCK["now"]() - begin) / repeats


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=list(MODELS))
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    if options.cpu:
        CLOCK["now"], options.threads = time.process_time, 1
    if options.threads:
        wg.set_threads(options.threads)
        torch.set_num_threads(options.threads)
    print("| step of | wengert | torch eager | torch.compile | first step |\n|---|---|---|---|---|")
    for name in [options.only] if options.only else MODELS:
        found, first = measure(name, options.rounds)
        cells = [f"{1e3 * found['wengert']:.3f} ms"]
        for title in ("eager", "compile"):
            cells.append(f"{1e3 * found[title]:.3f} ms, {found[title] / found['wengert']:.2f} times" if title in found else "fails")
        cells.append(", ".join(f"{first[title]:.1f} s" for title in found))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
