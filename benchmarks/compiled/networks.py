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


def convolutional(params, images, labels):
    """Two layers of 3 x 3 windows with ReLU and maxima of 2 x 2, and a dense one; images are `[n, height, width, channels]`."""
    (w1, b1), (w2, b2), (w3, b3) = params
    h = largest_of_four(np.maximum(convolved(images, w1) + b1, 0.0))
    h = largest_of_four(np.maximum(convolved(h, w2) + b2, 0.0))
    return cross_entropy(h.reshape(len(h), -1) @ w3 + b3, labels)


def convolved(images, kernel):
    """`kernel` is `[channels, 3, 3, new channels]`; outside of the images there are zeros."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return np.tensordot(np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2)), kernel, 3)


def largest_of_four(h):
    n, height, width, channels = h.shape
    return np.max(h.reshape(n, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


def convolutional_by_jax(params, images, labels):
    """The same in JAX's own words."""
    from jax import lax

    def layer(h, w, b):
        h = lax.conv_general_dilated(h, w, (1, 1), "SAME", dimension_numbers=("NHWC", "IHWO", "NHWC"))
        return lax.reduce_window(np.maximum(h + b, 0.0), -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    (w1, b1), (w2, b2), (w3, b3) = params
    h = layer(layer(images, w1, b1), w2, b2)
    return cross_entropy(h.reshape(len(h), -1) @ w3 + b3, labels)


def convolutional_by_torch(params, images, labels):
    """The same in PyTorch's, whose images are `[n, channels, height, width]` by strides, as it prefers them."""
    nn = np.torch.nn.functional

    def layer(h, w, b):
        h = nn.conv2d(h, w.permute(3, 0, 1, 2), b, padding=1)
        return nn.max_pool2d(nn.relu(h), 2)

    (w1, b1), (w2, b2), (w3, b3) = params
    h = layer(layer(images.permute(0, 3, 1, 2), w1, b1), w2, b2)
    return cross_entropy(h.permute(0, 2, 3, 1).reshape(len(h), -1) @ w3 + b3, labels)


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


def convolutional_data(rng):
    shapes = ((1, 3, 3, 16), (16, 3, 3, 32), (7 * 7 * 32, 10))
    params = [
        ((rng.standard_normal(shape) / np.prod(shape[:-1]) ** 0.5).astype(np.float32), np.zeros(shape[-1], np.float32))
        for shape in shapes
    ]
    labels = np.eye(10, dtype=np.float32)[rng.integers(10, size=64)]
    return params, rng.random((64, 28, 28, 1), dtype=np.float32), labels


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
        ("MLP 784-512-256-10, batch 128, training step", perceptron, perceptron, perceptron, perceptron_data),
        ("CNN 28 x 28, 16 and 32 channels, batch 64, training step",
         convolutional, convolutional_by_jax, convolutional_by_torch, convolutional_data),
        ("transformer, 4 layers of 128, training step", transformer, transformer, transformer, transformer_data),
    )  # fmt: skip
    for title, objective, for_jax, for_torch, make_data in work:
        arguments = make_data(np.random.default_rng(0))
        ours = wg.jit(training(wg.value_and_grad, objective))
        steps = {"wengert": lambda ours=ours, a=arguments: ours(*a)}
        if has("jax"):
            import jax

            steps["jax"] = jax_step(lambda f: training(jax.value_and_grad, f), for_jax, arguments)
        if has("torch"):
            steps["torch"] = by_torch(for_torch, arguments, compiled=False)
            steps["torch.compile"] = by_torch(for_torch, arguments, compiled=True)
        yield Case(title, steps, seconds=5 * scale, tolerance=1e-3)
