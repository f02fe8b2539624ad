"""Batching: one more axis that the program does not know about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from wengert.core.array import FRONT, Array
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer
from wengert.errors import BatchError
from wengert.primitives.structure import move_axis, spread


class BatchArray(Array):
    """A traced array whose value has the batch axis in front, hidden from the program."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape[1:])

    @shape.setter
    def shape(self, shape: Any) -> None:
        FRONT[np.ndarray.shape](self, shape)

    @property
    def is_scalar(self) -> bool:
        return not self.shape  # the values of numbers are an array here, too

    def __bool__(self) -> NoReturn:
        raise BatchError.of_truth(self)


class Batch(Trace):
    """Apply each operation to a whole batch; tracers are `BatchArray`s."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        is_batched = [isinstance(x, Tracer) and x.watcher is self for x in operands]
        values = [x.value if b else x for x, b in zip(operands, is_batched, strict=True)]
        result = primitive.batch(values, is_batched, params)
        if primitive.n_outputs is None:
            return BatchArray(result, self, 0)
        return tuple([BatchArray(part, self, 0) for part in result])

    def constant(self, value: Any, like: Any) -> Any:
        return BatchArray(spread(value, shape=(like.value.shape[0], *value.shape)), self, 0)


def batch_call(function: Any, values: Sequence[Any], axes: Sequence[int | None], n: int) -> list[Any]:
    """Call a function of flat lists on batched `values`; outputs have their batch axis in front."""
    trace = Batch()
    moved = [x if axis is None else BatchArray(move_axis(x, axis, 0), trace, 0)
             for x, axis in zip(values, axes, strict=True)]  # fmt: skip
    outputs = []
    for y in function(*moved):
        if isinstance(y, Tracer) and y.watcher is trace:
            outputs.append(y.value)
        else:
            outputs.append(spread(y, shape=(n, *y.shape)))
    return outputs


