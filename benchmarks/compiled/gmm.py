"""Gaussian mixture: the gradient of the log likelihood with a Wishart prior, as ADBench states it."""

from __future__ import annotations

import math

import by_hand
import numpy as np
from peers import Case, autograd_step, has, jax, jax_step, read_with, torch_gradient

import wengert as wg

SHAPES = ((2, 5), (2, 25), (2, 200), (10, 5), (10, 25), (10, 200), (32, 25), (32, 200), (64, 5), (64, 50), (64, 200))  # dimensions, components
SIZES = [(n, d, k) for n in (1_000, 10_000) for d, k in SHAPES]
LARGEST = 64_000_000  # numbers `n d k` up to which NumPy and C++ are waited for
GAMMA, M = 1.0, 0


def objective(alphas, means, icf, x, lower, below):
    """`icf` holds log-diagonals and the rest of lower triangular roots `Q` of the inverse covariances."""
    n, d = x.shape
    log_diagonal = icf[:, :d]
    diagonal = np.exp(log_diagonal)
    roots = np.where(below, icf[:, lower], 0.0)
    centred = x[:, None, :] - means
    scaled = diagonal * centred + np.einsum("kij,nkj->nki", roots, centred)
    terms = alphas + np.sum(log_diagonal, axis=1) - 0.5 * np.sum(scaled**2, axis=2)
    likelihood = np.sum(log_sum_exp(terms)) - n * log_sum_exp(alphas)
    return likelihood - 0.5 * n * d * np.log(2 * np.pi) + wishart(log_diagonal, diagonal, icf[:, d:])


def log_sum_exp(v):
    top = np.amax(v, -1, keepdims=True)
    return top[..., 0] + np.log(np.sum(np.exp(v - top), axis=-1))


def wishart(log_diagonal, diagonal, rest):
    k, d = log_diagonal.shape
    degrees = d + M + 1
    multigamma = sum(math.lgamma(0.5 * (degrees - j)) for j in range(d)) + 0.25 * d * (d - 1) * math.log(math.pi)
    constant = degrees * d * (math.log(GAMMA) - 0.5 * math.log(2)) - multigamma
    squares = np.sum(diagonal**2) + np.sum(rest**2)
    return 0.5 * GAMMA**2 * squares - M * np.sum(log_diagonal) - k * constant


def data(n, d, k):
    """Random parameters and points, and where the entries below the diagonals stand in a row of `icf`."""
    rng = np.random.default_rng(0)
    row, column = np.indices((d, d))
    place = d + column * d - column * (column + 1) // 2 + row - column - 1
    below = row > column
    icf = 0.3 * rng.standard_normal((k, d * (d + 1) // 2))
    return rng.standard_normal(k), rng.random((k, d)), icf, rng.standard_normal((n, d)), np.where(below, place, 0), below


def cases(scale=1.0):
    for n, d, k in SIZES:
        arguments = data(n, d, k)
        ours = wg.jit(wg.grad(objective, argnums=(0, 1, 2)))
        value = wg.jit(objective)
        steps = {"wengert": lambda ours=ours, a=arguments: ours(*a)}
        if has("jax"):
            steps["jax"] = jax_step(gradient_by_jax, objective, arguments)
        if by_hand.has_compiler() and n * d * k <= LARGEST:
            steps["C++ by hand"] = by_hand.gmm(*arguments[:4], GAMMA, M)
        steps["wengert, value"] = lambda value=value, a=arguments: value(*a)
        if n * d * k <= LARGEST:
            steps["numpy, value"] = lambda a=arguments: objective(*a)
        if n * d * k <= 1_000_000:
            if has("torch"):
                steps["torch, value too"] = torch_gradient(objective, arguments, 3)
            if has("autograd"):
                steps["autograd"] = autograd_step(lambda lib: lambda f: lib.grad(f, (0, 1, 2)), objective, arguments)
        others = frozenset({"wengert, value", "numpy, value", "torch, value too"})
        yield Case(f"GMM gradient, n={n} d={d} k={k}", steps, seconds=4 * scale, unlike=others, notes=[memory(ours, arguments)])


def memory(ours, arguments):
    """What a call takes beside its arguments, by each compiler's own account."""
    report = ours.report(*arguments)
    mine = report.temporary + report.in_hand * wg.get_threads() + report.outputs
    text = f"memory: wengert {mine / 1e6:.3g} MB"
    if has("jax"):
        found = jax().jit(gradient_by_jax(read_with(objective, jax().numpy))).lower(*arguments).compile().memory_analysis()
        text += f"   jax {(found.temp_size_in_bytes + found.output_size_in_bytes) / 1e6:.3g} MB"
    return text


def gradient_by_jax(f):
    import jax

    return jax.grad(f, (0, 1, 2))
