"""A mixture of Gaussians: the logarithm of the posterior density of its parameters."""

from __future__ import annotations

import math

import numpy as np
from evals.function import Function

import wengert as wg


def log_posterior(independent, x, m, gamma):
    alpha, mu, q, l = (independent[name] for name in ("alpha", "mu", "q", "l"))
    n, d = x.shape
    centred = x[:, None, :] - mu
    scaled = np.exp(q) * centred + np.einsum("kij,nkj->nki", below_diagonal(l, d), centred)
    beta = alpha - 0.5 * np.sum(scaled**2, axis=2) + np.sum(q, axis=1)
    likelihood = np.sum(log_sum_exp(beta)) - n * (0.5 * d * math.log(2 * math.pi) + log_sum_exp(alpha))
    return likelihood + log_prior(q, l, m, gamma)


def below_diagonal(l, d):
    """Matrices with the entries of `l` below their diagonals, column by column."""
    row, column = np.indices((d, d))
    place = column * d - column * (column + 1) // 2 + row - column - 1
    return np.where(row > column, l[:, np.where(row > column, place, 0)], 0.0)


def log_sum_exp(v):
    top = np.max(v, axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.sum(np.exp(v - top), axis=-1))


def log_prior(q, l, m, gamma):
    """Wishart's, of the inverse covariances."""
    k, d = q.shape
    degrees = d + m + 1
    log_gamma = 0.25 * d * (d - 1) * math.log(math.pi) + sum(math.lgamma(0.5 * (degrees - j)) for j in range(d))
    constant = degrees * d * np.log(gamma / math.sqrt(2)) - log_gamma
    squares = np.sum(np.exp(q) ** 2) + np.sum(l**2)
    return k * constant - 0.5 * gamma**2 * squares + m * np.sum(q)


def prepare(data):
    d, k = data["d"], data["k"]
    shapes = {"alpha": (k,), "mu": (k, d), "q": (k, d), "l": (k, d * (d - 1) // 2)}
    independent = {name: np.array(data[name], dtype=float).reshape(shape) for name, shape in shapes.items()}
    return independent, np.array(data["x"]), data["m"], data["gamma"]


FUNCTIONS = {"objective": Function(prepare, wg.jit(log_posterior)), "jacobian": Function(prepare, wg.jit(wg.grad(log_posterior)))}
