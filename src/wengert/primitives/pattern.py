"""The sparsity patterns of families of cards; see `wengert.core.pattern`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.pattern import Pattern
from wengert.core.primitive import Params


def _rows(y: Any) -> int:
    """The number of outputs; several arrays lie end to end."""
    parts = y if isinstance(y, tuple) else (y,)
    return sum(int(np.size(part)) for part in parts)


def dense_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """Every output may depend on every input."""
    return Pattern.full((_rows(y), np.size(xs[slot])))


def no_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """No output depends on any input."""
    return Pattern.empty((_rows(y), np.size(xs[slot])))


def one_to_one(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """Each output depends on the input at its own position."""
    return Pattern.identity(np.size(y))


def copies(evaluate: Callable[..., Any]) -> Callable[..., Pattern]:
    """The pattern of a function whose outputs are copies of inputs: it is run on their positions."""

    def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
        n = int(np.size(xs[0]))
        return Pattern.of_positions(evaluate(np.arange(n).reshape(np.shape(xs[0])), **params), n)

    return pattern


def probe_pattern(function: Callable[[Any], Any], x: Any, y: Any) -> Pattern:
    """The pattern of a linear `function`: push unit vectors through it, one input position at a time.

    A complex position is probed with `1` and with `i`, because a part of a complex number answers to one of them only.
    """
    shape, size = np.shape(x), int(np.prod(np.shape(x), dtype=int))
    columns = np.eye(size).reshape(size, *shape)
    units = (1, 1j) if np.iscomplexobj(x) else (1,)
    met = [np.any([np.ravel(function(np.asarray(unit * column))) != 0 for unit in units], axis=0) for column in columns]
    return Pattern.of_array(np.stack(met, 1)) if met else Pattern.empty((np.size(y), 0))
