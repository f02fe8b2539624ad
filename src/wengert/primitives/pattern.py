"""Sparsity patterns: which outputs may depend on which inputs, as a boolean matrix `[y.size, x.size]`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Params


def _sizes(y: Any) -> int:
    parts = y if isinstance(y, tuple) else (y,)
    return sum(int(np.size(part)) for part in parts)


def dense_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Any:
    """Every output may depend on every input."""
    return np.ones((_sizes(y), np.size(xs[slot])), bool)


def probe_pattern(function: Callable[[Any], Any], x: Any, y: Any) -> Any:
    """The pattern of a linear `function`: push unit vectors of ones through it, one input position at a time."""
    shape = np.shape(x)
    columns = np.eye(int(np.prod(shape, dtype=int))).reshape(-1, *shape)
    rows = [np.asarray(function(column)).reshape(-1) != 0 for column in columns]
    return np.stack(rows, 1) if rows else np.zeros((np.size(y), 0), bool)
