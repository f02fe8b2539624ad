"""Batching: one more axis that the program does not know about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from wengert.core.array import FRONT, Array
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer, bind
from wengert.errors import BatchError, LeakError
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


class SharedArray(Array):
    """A value that all members have in common, watched so that a member's own value can be written into it."""

    __slots__ = ()


class Batch(Trace):
    """Apply each operation to a whole batch; tracers are `BatchArray`s, and `SharedArray`s where members agree."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        is_batched = [type(x) is BatchArray and x.watcher is self for x in operands]
        values = [x.value if isinstance(x, Tracer) and x.watcher is self else x for x in operands]
        if not any(is_batched):
            return self._wrap(bind(primitive, values, params), self.shared)
        return self._wrap(primitive.batch(values, is_batched, params), self.member)

    @staticmethod
    def _wrap(result: Any, wrap: Callable[[Any], Any]) -> Any:
        return tuple(map(wrap, result)) if isinstance(result, tuple) else wrap(result)

    def member(self, value: Any) -> BatchArray:
        """The value of one member; `value` has those of all members along its first axis."""
        return BatchArray(value, self, 0)

    def shared(self, value: Any) -> Any:
        """A value that is the same for all members; integers and truth values need no watching."""
        return SharedArray(value, self, None) if value.dtype.kind in "fc" else value

    def constant(self, value: Any, like: Any) -> Any:
        return SharedArray(value, self, None)  # integers too: a member may write its own into them

    def is_constant(self, tracer: Tracer) -> bool:
        """Whether all members have the same value."""
        return tracer.extra is None


class ClosedBatch(Batch):
    """A batch whose function has returned; a tracer that got out says so when it is used."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


def is_weak(x: Any) -> bool:
    """Whether a traced value is a Python number, which members share as it is."""
    return isinstance(x, Tracer) and x.weak is not None


def batch_outputs(function: Any, values: Sequence[Any], axes: Sequence[int | None]) -> list[tuple[Any, bool]]:
    """Call a function of flat lists on batched `values`; each output, and whether it has a batch axis (in front)."""
    trace = Batch()
    members = [
        trace.member(move_axis(x, axis, 0)) if axis is not None else trace.shared(x) if hasattr(x, "dtype") and not is_weak(x) else x
        for x, axis in zip(values, axes, strict=True)
    ]
    try:
        outputs = function(*members)
    finally:
        trace.__class__ = ClosedBatch
    return [
        (y.value, type(y) is BatchArray) if isinstance(y, Tracer) and y.watcher is trace else (y, False) for y in outputs
    ]


def batch_call(function: Any, values: Sequence[Any], axes: Sequence[int | None], n: int) -> list[Any]:
    """Call a function of flat lists on batched `values`; all outputs have their batch axis in front."""
    outputs = batch_outputs(function, values, axes)
    return [y if is_batched else spread(y, shape=(n, *y.shape)) for y, is_batched in outputs]
