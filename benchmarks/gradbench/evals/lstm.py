"""Long short-term memory with diagonal weights: how well each character of a text is foretold from those before it."""

from __future__ import annotations

import numpy as np
from evals.function import Function

import wengert as wg

scan = wg.scan  # JAX's, where JAX reads the objective


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def layer(weights, biases, hidden, cell, x):
    """One step of one layer; a row of weights or biases for each of forget, in, out, change."""
    forget = sigmoid(x * weights[0] + biases[0])
    enter = sigmoid(hidden * weights[1] + biases[1])
    leave = sigmoid(x * weights[2] + biases[2])
    change = np.tanh(hidden * weights[3] + biases[3])
    cell = cell * forget + enter * change
    return leave * np.tanh(cell), cell


def objective(main, extra, state, sequence):
    n_layers, n = len(main) // 2, state.shape[1]
    weights, biases = np.reshape(main, (n_layers, 2, 4, n)).transpose(1, 0, 2, 3)

    def step(carry, pair):
        now, following = pair
        hidden, cell = carry
        x, new = now * extra[0], []
        for k in range(n_layers):
            new.append(layer(weights[k], biases[k], hidden[k], cell[k], x))
            x = new[-1][0]
        y = x * extra[1] + extra[2]
        foretold = y - np.log(np.sum(np.exp(y)) + 2.0)
        return (np.stack([h for h, _ in new]), np.stack([c for _, c in new])), np.sum(following * foretold)

    _, terms = scan(step, (state[0::2], state[1::2]), (sequence[:-1], sequence[1:]))
    return -np.sum(terms) / (n * len(terms))


def prepare(data):
    return tuple(np.array(data[name]) for name in ("main_params", "extra_params", "state", "sequence"))


def joined(slopes):
    return np.concatenate([slope.ravel() for slope in slopes]).tolist()


FUNCTIONS = {
    "objective": Function(prepare, wg.jit(objective)),
    "jacobian": Function(prepare, wg.jit(wg.grad(objective, (0, 1))), joined),
}
