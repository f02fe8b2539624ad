"""Which entries of a Jacobian can be other than zero: every value rides with the pattern of its dependence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert.core.array import Array
from wengert.core.pattern import Pattern
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer, bind

Flat = Callable[..., Sequence[Any]]


class Sparsity(Trace):
    """Compose the patterns of the operations; a tracer's `extra` is its pattern, `None` where it depends on nothing."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        mine = [isinstance(x, Tracer) and x.watcher is self for x in operands]
        values = [x.value if m else x for x, m in zip(operands, mine, strict=True)]
        result = bind(primitive, values, params)
        total: Pattern | None = None
        if not primitive.is_discrete:
            for slot, (x, m) in enumerate(zip(operands, mine, strict=True)):
                if m and x.extra is not None:
                    piece = primitive.pattern(slot, result, values, params) @ x.extra
                    total = piece if total is None else total | piece
        if primitive.n_outputs is None:
            return self._wrap(result, total)
        return tuple(self._parts(result, total))

    def _parts(self, result: Sequence[Any], total: Pattern | None) -> list[Any]:
        """Several outputs lie end to end in the rows of their pattern."""
        if total is None:
            return [self._wrap(part, None) for part in result]
        ends = np.cumsum([int(np.prod(part.shape, dtype=int)) for part in result])
        columns = slice(0, total.shape[1])
        rows = [slice(int(a), int(b)) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        return [self._wrap(part, total.block(inside, columns)) for part, inside in zip(result, rows, strict=True)]

    def constant(self, value: Any, like: Any) -> Any:
        return self._wrap(value, None)

    def _wrap(self, value: Any, pattern: Pattern | None) -> Any:
        return Array(value, self, pattern) if value.dtype.kind in "fc" else value


def pattern_of(function: Flat, primals: Sequence[Any]) -> tuple[Pattern, list[Any]]:
    """The pattern of the Jacobian of a flat function, inputs and outputs laid end to end, and the outputs' values.

    It is that of the path that Python's control flow takes at `primals`, and otherwise independent of their values,
    but for operations that pick by value (`max`, `sort`): they depend on what they pick.
    """
    trace = Sparsity()
    sizes = [int(np.prod(x.shape, dtype=int)) for x in primals]
    n, offset = sum(sizes), 0
    tracers = []
    for x, size in zip(primals, sizes, strict=True):
        here = np.arange(size)
        tracers.append(Array(x, trace, Pattern(here, here + offset, (size, n), is_sorted=True)))
        offset += size
    rows, columns, values, offset = [], [], [], 0
    for y in function(*tracers):
        is_mine = isinstance(y, Tracer) and y.watcher is trace
        value = y.value if is_mine else y
        if is_mine and y.extra is not None:
            rows.append(y.extra.rows + offset)
            columns.append(y.extra.columns)
        offset += int(np.prod(value.shape, dtype=int))
        values.append(value)
    if not rows:
        return Pattern.empty((offset, n)), values
    return Pattern(np.concatenate(rows), np.concatenate(columns), (offset, n), is_sorted=True), values
