"""Loops and branches as the Python that they stand for, so that every operation of every step is seen by itself.

They mean the same as `wengert.transforms.constructs`; where members of a batch would go different ways, those are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.array import FRONT
from wengert.core.trace import Tracer
from wengert.transforms import constructs
from wengert.transforms.batch import BatchArray
from wengert.transforms.constructs import as_sequence, length_of
from wengert.transforms.selection import layers
from wengert.transforms.watch import rounds

Function = Callable[..., Any]


@contextmanager
def round_of(construct: str, k: int) -> Iterator[None]:
    """Within this context operations belong to this step of a loop."""
    token = rounds.set((*rounds.get(), f"step {k} of {construct}"))
    try:
        yield
    finally:
        rounds.reset(token)


def is_of_members(x: Any) -> bool:
    """Whether each member of a batch has its own value."""
    return any(isinstance(layer, BatchArray) for layer in layers(x))


def scan(function: Function, init: Any, xs: Any, length: Any, reverse: bool, checkpoint: Any) -> tuple[Any, Any]:
    """See `wengert.scan`."""
    entries, structure = trees.flatten(xs)
    n = length_of([as_sequence(x, "wg.scan") for x in entries], length, "wg.scan")
    if n == 0:
        return constructs.scan(function, init, xs, length, reverse, checkpoint)
    state, rows = init, [None] * n
    for k in reversed(range(n)) if reverse else range(n):
        with round_of("wg.scan", k):
            state, rows[k] = function(state, trees.unflatten(structure, [x[k] for x in entries]))
    columns = zip(*[trees.flatten(row)[0] for row in rows], strict=True)
    return state, trees.unflatten(trees.flatten(rows[0])[1], [_stacked(column) for column in columns])


def _stacked(column: Sequence[Any]) -> Any:
    return FRONT[np.stack](column) if any(isinstance(y, Tracer) for y in column) else np.stack(column)


def while_loop(test: Function, function: Function, init: Any, checkpoint: Any) -> Any:
    """See `wengert.while_loop`."""
    state, k = init, 0
    while True:
        answer = test(state)
        if is_of_members(answer):
            return constructs.while_loop(test, function, state, checkpoint)
        if not answer:
            return state
        with round_of("wg.while_loop", k):
            state = function(state)
        k += 1


def fori_loop(lower: Any, upper: Any, function: Function, init: Any, checkpoint: Any) -> Any:
    """See `wengert.fori_loop`."""
    if is_of_members(lower) or is_of_members(upper):
        return constructs.fori_loop(lower, upper, function, init, checkpoint)
    state = init
    for k in range(int(lower), int(upper)):
        with round_of("wg.fori_loop", k):
            state = function(np.int64(k), state)
    return state


def cond(predicate: Any, true: Function, false: Function, operands: Sequence[Any]) -> Any:
    """See `wengert.cond`."""
    if is_of_members(predicate):
        return constructs.cond(predicate, true, false, operands)
    return true(*operands) if predicate else false(*operands)
