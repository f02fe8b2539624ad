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
    """The pattern of a linear `function`: push unit vectors through it, one input position at a time.

    A complex position is probed with `1` and with `i`, because a part of a complex number answers to one of them only.
    """
    shape, size = np.shape(x), int(np.prod(np.shape(x), dtype=int))
    columns = np.eye(size).reshape(size, *shape)
    units = (1, 1j) if np.iscomplexobj(x) else (1,)
    rows = [np.any([np.ravel(function(np.asarray(unit * column))) != 0 for unit in units], axis=0) for column in columns]
    return np.stack(rows, 1) if rows else np.zeros((np.size(y), 0), bool)
