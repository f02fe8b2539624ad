"""Value and gradient of an elementwise chain under a sum: one pass over memory, or many."""

from __future__ import annotations

import by_hand
import numpy as np
from peers import Case, autograd_step, has, jax_step, torch_compiled_gradient, torch_gradient

import wengert as wg


def objective(x):
    return np.sum(np.tanh(x) * np.exp(-(x**2)) + np.log1p(x**2))


def cases(scale=1.0):
    for n in (1_000, 100_000, 10_000_000):
        for dtype in (np.float64, np.float32):
            x = np.random.default_rng(0).standard_normal(n).astype(dtype)
            ours = wg.jit(wg.value_and_grad(objective))
            steps = {"wengert": lambda ours=ours, x=x: ours(x)}
            if has("jax"):
                import jax

                steps["jax"] = jax_step(jax.value_and_grad, objective, (x,))
            if has("torch"):
                steps["torch"] = torch_gradient(objective, (x,))
                steps["torch.compile"] = torch_compiled_gradient(objective, (x,))
            if has("autograd") and n <= 100_000:
                steps["autograd"] = autograd_step(lambda lib: lib.value_and_grad, objective, (x,))
            if by_hand.has_compiler():
                steps["C++ by hand"] = by_hand.chain(x)
            title = f"chain, value and gradient, {n:,} x {np.dtype(dtype).name}"
            yield Case(title, steps, seconds=3 * scale, tolerance=1e-10 if dtype is np.float64 else 1e-4)
