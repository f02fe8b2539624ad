"""Programs made up at random from moves, elementwise functions, reductions, products, and writing."""

from __future__ import annotations

import numpy as np

UNARY = [np.sin, np.tanh, np.square, np.negative, np.abs, lambda x: 0.5 * x + 1, lambda x: 1 / (1 + x * x), np.exp, lambda x: np.maximum(x, 0)]
BINARY = [np.add, np.subtract, np.multiply, lambda a, b: a / (2 + b * b), np.maximum, lambda a, b: np.where(a > b, a, b * b)]


def chained(moves, steps, *values):
    """The last of a chain of values: each step `(k, i, j)` is `moves[k]` of the i-th and the j-th of those before it, counted round."""
    values = list(values)
    for k, i, j in steps:
        values.append(moves[k](values[i % len(values)], values[j % len(values)]))
    return values[-1]


def _moved(rng, x):
    """A move of `x`."""
    kind = rng.integers(8)
    if x.ndim == 0:
        return x + np.zeros(int(rng.integers(1, 4))) if kind < 4 else x.reshape(1, 1)
    axis = int(rng.integers(x.ndim))
    at = (slice(None),) * axis
    if kind == 0:
        return np.transpose(x, rng.permutation(x.ndim))
    if kind == 1:
        return x[(*at, slice(None, None, -1))]
    if kind == 2:
        return x[(*at, slice(int(rng.integers(0, 2)), None, int(rng.integers(1, 3))))]
    if kind == 3:
        return x[(*at, int(rng.integers(x.shape[axis])))] if x.shape[axis] else x
    if kind == 4:
        return x.reshape(-1)
    if kind == 5:
        return x[(*at, None)]
    if kind == 6:
        return np.broadcast_to(x, (int(rng.integers(1, 4)), *x.shape)) if x.size < 200 else x
    return x.reshape(x.shape[::-1])


def _reduced(rng, x):
    kind = rng.integers(4)
    axis = None if rng.integers(3) == 0 or x.ndim == 0 else int(rng.integers(x.ndim))
    keepdims = bool(rng.integers(2))
    if kind == 0 and x.size:
        return np.max(x, axis=axis, keepdims=keepdims)
    if kind == 1 and x.size:
        return np.min(x, axis=axis, keepdims=keepdims)
    if kind == 2 and x.size:
        return np.mean(x, axis=axis, keepdims=keepdims)
    return np.sum(x, axis=axis, keepdims=keepdims)


def _joined(rng, x, y):
    kind = rng.integers(5)
    if kind == 0 and x.shape == y.shape:
        return np.stack([x, y], int(rng.integers(x.ndim + 1)))
    if kind == 1 and x.ndim and x.shape == y.shape:
        return np.concatenate([x, 2 * y, x], int(rng.integers(x.ndim)))
    if kind == 2 and x.ndim and x.shape[0]:
        places = rng.integers(-x.shape[0], x.shape[0], (int(rng.integers(1, 5)),))
        return x[places]
    if kind == 3 and x.ndim and x.shape[0] > 1:
        z = x * 1.0
        z[1:] = z[1:] * 2 + 1
        z[0] += np.sum(y)
        return z
    if kind == 4 and x.ndim == 2 and y.ndim >= 1 and x.shape[1] == y.shape[0]:
        return x @ y
    return np.outer(x, y) if x.size * y.size < 300 else x


def random_program(seed: int, n_steps: int, n_outputs: int = 1):
    """A function of two arrays; the same choices whenever it is called with arrays of the same shapes."""

    def program(a, b):
        rng = np.random.default_rng(seed)
        values = [a, b]
        for _ in range(n_steps):
            x = values[int(rng.integers(max(0, len(values) - 4), len(values)))]
            y = values[int(rng.integers(len(values)))]
            kind = rng.integers(10)
            if kind < 3:
                z = UNARY[int(rng.integers(len(UNARY)))](x)
            elif kind < 5:
                try:
                    np.broadcast_shapes(x.shape, y.shape)
                except ValueError:
                    y = np.sum(y)
                z = BINARY[int(rng.integers(len(BINARY)))](x, y)
            elif kind < 8:
                z = _moved(rng, x)
            elif kind < 9:
                z = _reduced(rng, x)
            else:
                z = _joined(rng, x, y)
            values.append(z if z.size < 1000 else np.sum(z))
        chosen = values[-n_outputs:]
        return chosen[0] if n_outputs == 1 else tuple(chosen)

    return program
