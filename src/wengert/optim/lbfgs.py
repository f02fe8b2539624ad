"""Whole-batch minimisation of containers of parameters, by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import wengert as wg
from wengert._optional import load
from wengert.optim.base import Leaves


def lbfgs(
    f: Callable[..., Any], params: Any, *args: Any, max_iterations: int = 200, history: int = 10, tolerance: float = 1e-8, jit: bool = True
) -> tuple[Any, Any]:
    """`argmin_p f(p, ...)` by limited-memory BFGS with a line search, for losses without noise.

    Args:
        f: a function of a model, or any container of arrays, and of `args`, that returns a real scalar.
        params: where to begin; buffers stay as they are.
        args: what else `f` takes.
        max_iterations, history: how many steps at most, and how many pairs of vectors are remembered.
        tolerance: stop where no entry of the gradient is larger.
        jit: whether loss and gradient are compiled.

    Returns:
        The best parameters, in their own dtypes, and SciPy's `OptimizeResult`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> rosenbrock = lambda p: (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2
        >>> best, result = wg.optim.lbfgs(rosenbrock, {"x": np.array(-1.0), "y": np.array(2.0)}, jit=False)
        >>> round(float(best["x"]), 4), round(float(best["y"]), 4)
        (1.0, 1.0)

    Source: D. C. Liu and J. Nocedal, On the limited memory BFGS method (1989); SciPy's L-BFGS-B.
    """
    optimize = load("scipy.optimize", "L-BFGS", "scipy")
    leaves = Leaves(params)
    values = leaves.parameters()
    objective = wg.nn.value_and_grad(f)
    objective = wg.jit(objective) if jit else objective

    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, grads = objective(leaves.replaced(_parts(x, values)), *args)
        found = Leaves(params).like(grads)
        return float(value), np.concatenate([np.ravel(found[path]).astype(np.float64) for path in values])

    start = np.concatenate([np.ravel(p).astype(np.float64) for p in values.values()])
    options = {"maxiter": max_iterations, "maxcor": history, "gtol": tolerance, "ftol": 0.0}
    result = optimize.minimize(flat, start, jac=True, method="L-BFGS-B", options=options)
    return leaves.replaced(_parts(result.x, values)), result


def _parts(x: np.ndarray, values: dict[str, Any]) -> dict[str, Any]:
    ends = np.cumsum([p.size for p in values.values()])
    pieces = zip(values.items(), np.split(x, ends[:-1]), strict=True)
    return {path: piece.reshape(p.shape).astype(p.dtype) for (path, p), piece in pieces}
