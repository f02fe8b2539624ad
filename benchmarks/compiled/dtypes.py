"""Complex numbers and half precision: the gradient of a beam pattern, of an elementwise chain in the plane, and a chain of halves."""

from __future__ import annotations

import numpy as np
from peers import Case, has, jax_step

import wengert as wg


def beam(w, x):
    return np.sum(np.abs(np.exp(1j * x) @ w) ** 2)


def bell(z):
    return np.sum(np.abs(np.tanh(z) * np.exp(-z * z)) ** 2)


def quotient(z):
    return z * z * np.conj(z) / (2 + z * np.conj(z))


def halves(x):
    return np.tanh(x) * x + np.exp(-x * x)


def adjoint_by_jax(f):
    import jax

    return lambda *arguments: jax.numpy.conj(jax.grad(f)(*arguments))


def cases(scale=1.0):
    rng = np.random.default_rng(0)

    def numbers(*shape):
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    z, m = numbers(100_000), numbers(256, 256)
    rows = [
        ("beam pattern, gradient, 500 x 40", beam, wg.grad, adjoint_by_jax, (numbers(40), rng.standard_normal((500, 40)))),
        ("chain of complex128, gradient, 100,000", bell, wg.grad, adjoint_by_jax, (z,)),
        ("quotient of complex128, 100,000", quotient, same, same, (z,)),
        ("quotient of complex64, 100,000", quotient, same, same, (z.astype(np.complex64),)),
        ("product of matrices of complex128, 256", product, same, same, (m, m)),
        ("chain of float16, 100,000", halves, same, same, (z.real.astype(np.float16),)),
    ]
    for title, objective, ours, theirs, arguments in rows:
        jitted = wg.jit(ours(objective))
        steps = {"wengert": lambda jitted=jitted, arguments=arguments: jitted(*arguments)}
        if has("jax"):
            steps["jax"] = jax_step(theirs, objective, arguments)
        if ours is same:
            steps["NumPy"] = lambda objective=objective, arguments=arguments: objective(*arguments)
        yield Case(title, steps, seconds=3 * scale, tolerance=5e-3 if "16" in title else 1e-4 if "64," in title else 1e-10)


def same(f):
    return f


def product(a, b):
    return a @ b
