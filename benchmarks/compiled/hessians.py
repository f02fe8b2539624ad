"""Second derivatives: a Hessian with 50 parameters, and a product with 100,000."""

from __future__ import annotations

import numpy as np
from peers import Case, autograd_step, has, jax_step

import wengert as wg


def logistic(w, x, y):
    return np.sum(np.log(1.0 + np.exp(-y * (x @ w))))


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def product_by_jax(f):
    import jax

    return lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1]


def closed_form(w, x, y):
    p = 1.0 / (1.0 + np.exp(-(x @ w)))
    return x.T @ (x * (p * (1.0 - p))[:, None])


def cases(scale=1.0):
    rng = np.random.default_rng(0)
    arguments = rng.standard_normal(50) / 7, rng.standard_normal((1_000, 50)), rng.choice([-1.0, 1.0], 1_000)
    hessian = wg.jit(wg.hessian(logistic))
    steps = {"wengert": lambda: hessian(*arguments)}
    if has("jax"):
        import jax

        steps["jax"] = jax_step(jax.hessian, logistic, arguments)
    if has("autograd"):
        steps["autograd"] = autograd_step(lambda lib: lib.hessian, logistic, arguments)
    steps["closed form in NumPy"] = lambda: closed_form(*arguments)
    yield Case("Hessian of logistic regression, 1,000 x 50", steps, seconds=3 * scale)

    x, v = rng.standard_normal((2, 100_000))
    product = wg.jit(lambda x, v: wg.hvp(rosenbrock, x, v))
    steps = {"wengert": lambda: product(x, v)}
    if has("jax"):
        steps["jax"] = jax_step(product_by_jax, rosenbrock, (x, v))
    yield Case("Hessian-vector product, Rosenbrock in 100,000", steps, seconds=3 * scale)
