"""One training step in float32: loss, gradient, descent."""

from __future__ import annotations

import numpy as np
from peers import Case, has, jax_step, read_with, tensors, torch_names

import wengert as wg

RATE = 0.01
WIDTH, HEADS, LAYERS, LENGTH, BATCH, WORDS = 128, 4, 4, 128, 8, 256


def perceptron(params, images, labels):
    """784-512-256-10 with ReLU; the mean cross entropy."""
    h = images
    for w, b in params[:-1]:
        h = np.maximum(h @ w + b, 0.0)
    w, b = params[-1]
    return cross_entropy(h @ w + b, labels)


def cross_entropy(scores, labels):
    """`labels` are one-hot rows."""
    shifted = scores - np.amax(scores, -1, keepdims=True)
    log_total = np.log(np.sum(np.exp(shifted), axis=-1))
    return np.mean(log_total - np.sum(shifted * labels, axis=-1))


def transformer(params, inputs, labels):
    """A decoder of 4 layers on one-hot words; what comes next, at every place."""
    embedding, places, layers, last = params
    hot, mask = inputs
    h = hot @ embedding + places
    for layer in layers:
        h = h + attention(normalised(h), layer["qkv"], layer["out"], mask)
        h = h + np.maximum(normalised(h) @ layer["up"], 0.0) @ layer["down"]
    return cross_entropy(normalised(h) @ last, labels)


def normalised(h):
    centred = h - np.mean(h, axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5)


def attention(h, qkv, out, mask):
    n, length, width = h.shape
    q, k, v = (np.swapaxes((h @ w).reshape(n, length, HEADS, -1), 1, 2) for w in qkv)
    scores = q @ np.swapaxes(k, 2, 3) * (HEADS / width) ** 0.5 + mask
    weights = np.exp(scores - np.amax(scores, -1, keepdims=True))
    weights = weights / np.sum(weights, axis=-1, keepdims=True)
    return np.swapaxes(weights @ v, 1, 2).reshape(n, length, width) @ out


def mapped(f, params, gradient):
    """`f` on corresponding leaves."""
    if isinstance(params, dict):
        return {name: mapped(f, params[name], gradient[name]) for name in params}
    if isinstance(params, (list, tuple)):
        return type(params)(mapped(f, p, g) for p, g in zip(params, gradient, strict=True))
    return f(params, gradient)


def training(value_and_grad, objective):
    """A step of gradient descent with a library's `value_and_grad`."""
    derivative = value_and_grad(objective)

    def step(params, inputs, labels):
        loss, gradient = derivative(params, inputs, labels)
        return loss, mapped(lambda p, g: p - RATE * g, params, gradient)

    return step


def by_torch(objective, arguments, *, compiled):
    names = torch_names()
    value_and_grad = lambda f: lambda *a: tuple(reversed(names.torch.func.grad_and_value(f)(*a)))
    step = training(value_and_grad, read_with(objective, names))
    placed = tensors(arguments)
    if compiled:
        step = names.torch.compile(step, dynamic=False)
    return lambda: step(*placed)


def perceptron_data(rng):
    widths = (784, 512, 256, 10)
    params = [
        ((rng.standard_normal((a, b)) / a**0.5).astype(np.float32), np.zeros(b, np.float32))
        for a, b in zip(widths[:-1], widths[1:], strict=True)
    ]
    labels = np.eye(10, dtype=np.float32)[rng.integers(10, size=128)]
    return params, rng.random((128, 784), dtype=np.float32), labels


def transformer_data(rng):
    def matrix(*shape):
        return (rng.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32)

    layers = [
        {"qkv": [matrix(WIDTH, WIDTH) for _ in range(3)], "out": matrix(WIDTH, WIDTH),
         "up": matrix(WIDTH, 4 * WIDTH), "down": matrix(4 * WIDTH, WIDTH)}
        for _ in range(LAYERS)
    ]  # fmt: skip
    words = rng.integers(WORDS, size=(BATCH, LENGTH + 1))
    hot = np.eye(WORDS, dtype=np.float32)[words]
    params = (matrix(WORDS, WIDTH), matrix(LENGTH, WIDTH), layers, matrix(WIDTH, WORDS))
    mask = np.where(np.tri(LENGTH) > 0, 0.0, -1e9).astype(np.float32)
    return params, (np.ascontiguousarray(hot[:, :-1]), mask), np.ascontiguousarray(hot[:, 1:])


def cases(scale=1.0):
    work = (
        ("MLP 784-512-256-10, batch 128, training step", perceptron, perceptron_data),
        ("transformer, 4 layers of 128, training step", transformer, transformer_data),
    )
    for title, objective, make_data in work:
        arguments = make_data(np.random.default_rng(0))
        ours = wg.jit(training(wg.value_and_grad, objective))
        steps = {"wengert": lambda ours=ours, a=arguments: ours(*a)}
        if has("jax"):
            import jax

            steps["jax"] = jax_step(lambda f: training(jax.value_and_grad, f), objective, arguments)
        if has("torch"):
            steps["torch"] = by_torch(objective, arguments, compiled=False)
            steps["torch.compile"] = by_torch(objective, arguments, compiled=True)
        yield Case(title, steps, seconds=5 * scale, tolerance=1e-3)
