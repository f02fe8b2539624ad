"""Gradients kept small: every number, or their norm as one vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert import trees


def _present(grads: Any) -> tuple[list[Any], Any]:
    return trees.flatten(grads)  # `None` has no leaves


def global_norm(grads: Any) -> Any:
    """`sqrt(Σ |g|²)` over all numbers of a container.

    Example:
        >>> import numpy as np, wengert as wg
        >>> wg.optim.global_norm({"a": np.array([3.0]), "b": np.array([[4.0]])})
        np.float64(5.0)
    """
    return np.sqrt(sum(np.sum(np.square(np.abs(g))) for g in _present(grads)[0]))


def clip_by_global_norm(grads: Any, max_norm: float) -> tuple[Any, Any]:
    """`(g min(1, c / (|g| + 1e-6)), |g|)` with the norm of all gradients as one vector.

    Source: R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks (ICML 2013).
    """
    leaves, structure = _present(grads)
    norm = global_norm(grads)
    factor = np.minimum(max_norm / (norm + 1e-6), 1.0)
    return trees.unflatten(structure, [g * factor.astype(g.dtype) for g in leaves]), norm


def clip_by_value(grads: Any, limit: float) -> Any:
    """Every number of a container kept in `[-limit, limit]`."""
    leaves, structure = _present(grads)
    return trees.unflatten(structure, [np.clip(g, -limit, limit) for g in leaves])
