"""Forward mode: every primal rides with its tangent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert.core.array import Array
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer, bind
from wengert.errors import LeakError


class Forward(Trace):
    """Push tangents through each operation; a tracer's `extra` is its tangent, `None` where it is zero."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        mine = [isinstance(x, Tracer) and x.watcher is self for x in operands]
        values = [x.value if m else x for x, m in zip(operands, mine, strict=True)]
        result = bind(primitive, values, params)
        if primitive.push is None:
            return self._parts(primitive, result, None)
        tangents = [x.extra if m else None for x, m in zip(operands, mine, strict=True)]
        if all(dx is None for dx in tangents):
            return self._parts(primitive, result, None)
        with np.errstate(all="ignore"):
            tangent = primitive.push(tangents, result, values, params)
        return self._parts(primitive, result, tangent)

    def _parts(self, primitive: Primitive, result: Any, tangent: Any) -> Any:
        if primitive.n_outputs is None:
            return self._wrap(result, tangent)
        tangents = tangent if tangent is not None else [None] * len(result)
        return tuple([self._wrap(y, dy) for y, dy in zip(result, tangents, strict=True)])

    def is_constant(self, tracer: Tracer) -> bool:
        """Whether the tangent is zero."""
        return tracer.extra is None

    def constant(self, value: Any, like: Any) -> Any:
        return self._wrap(value, None)

    def _wrap(self, value: Any, tangent: Any) -> Any:
        return Array(value, self, tangent) if value.dtype.kind in "fc" else value


class ClosedForward(Forward):
    """A forward pass that has ended; a tracer that got out says so when it is used."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


def push_forward(
    function: Any, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any], Callable[[Any], Any]]:
    """`(x, dx) -> (y, J dx)` for a function of flat lists; a zero tangent of an output is `None`.

    The third result takes this pass's tracers off other values.
    """
    trace = Forward()

    def strip(value: Any) -> Any:
        return value.value if isinstance(value, Tracer) and value.watcher is trace else value

    try:
        outputs = list(function(*[Array(x, trace, dx) for x, dx in zip(primals, tangents, strict=True)]))
    finally:
        trace.__class__ = ClosedForward
    ys, dys = [], []
    for y in outputs:
        is_mine = isinstance(y, Tracer) and y.watcher is trace
        ys.append(y.value if is_mine else y)
        dys.append(y.extra if is_mine else None)
    return ys, dys, strip
