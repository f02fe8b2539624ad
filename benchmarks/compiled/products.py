"""Matrix products in float32: squares, and those of the networks and of Hessians."""

from __future__ import annotations

import numpy as np
from peers import Case, has, tensors, torch_names

import wengert as wg

SIZES = {  # rows, terms, columns, and whether the factors are transposes
    "64 x 64 x 64": (64, 64, 64, False, False),
    "256 x 256 x 256": (256, 256, 256, False, False),
    "1024 x 1024 x 1024": (1024, 1024, 1024, False, False),
    "128 x 784 x 512": (128, 784, 512, False, False),
    "784 x 128 x 512, left transposed": (784, 128, 512, True, False),
    "128 x 512 x 784, right transposed": (128, 512, 784, False, True),
    "1024 x 128 x 512": (1024, 128, 512, False, False),
    "128 x 1024 x 512, left transposed": (128, 1024, 512, True, False),
    "128 x 32 x 128, right transposed": (128, 32, 128, False, True),
    "128 x 256 x 10": (128, 256, 10, False, False),
    "50 x 1000 x 50, left transposed": (50, 1000, 50, True, False),
}


def product_of(is_left: bool, is_right: bool):
    return lambda a, b: (a.T if is_left else a) @ (b.T if is_right else b)


def cases(scale=1.0):
    rng = np.random.default_rng(0)
    for title, (m, k, n, is_left, is_right) in SIZES.items():
        shapes = ((k, m) if is_left else (m, k), (n, k) if is_right else (k, n))
        a, b = (rng.standard_normal(shape, dtype=np.float32) for shape in shapes)
        f = product_of(is_left, is_right)
        ours = wg.jit(f)
        steps = {"wengert": lambda ours=ours, a=a, b=b: ours(a, b), "NumPy": lambda f=f, a=a, b=b: f(a, b)}
        if has("jax"):
            import jax

            theirs, x, y = jax.jit(f), jax.numpy.asarray(a), jax.numpy.asarray(b)
            steps["jax"] = lambda theirs=theirs, x=x, y=y: theirs(x, y).block_until_ready()
        if has("torch"):
            torch_names()
            u, v = tensors((a, b))
            steps["torch"] = lambda f=f, u=u, v=v: f(u, v)
        yield Case(title, steps, seconds=1 * scale, tolerance=1e-3)
