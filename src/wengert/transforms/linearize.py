"""Linearize once: the value of a function at a point, and its derivative there as a linear map.

The map is the record of the local linear maps; pushed forwards it is `dx ↦ J dx`, walked backwards it is the
adjoint `ct ↦ Jᴴ ct`.  Neither direction names a primitive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.record import Record, walk_back, walk_forward
from wengert.core.trace import Tracer
from wengert.errors import NotDifferentiableError, describe, page

Flat = Callable[..., Sequence[Any]]


def as_primal(x: Any, name: str = "input") -> Any:
    """An input to differentiate with respect to: a floating or complex array, NumPy scalar or traced array."""
    if type(x) is float or type(x) is complex:
        return np.asarray(x)[()]
    if isinstance(x, (Tracer, np.ndarray, np.generic)) or hasattr(x, "__array_function__"):
        if x.dtype.kind in "fc":
            return x
    elif isinstance(x, (int, bool)):
        x = np.asarray(x)[()]
    raise NotDifferentiableError(
        page(
            f"{name} has type {describe(x)}, and only floating-point or complex values have derivatives.",
            "An integer cannot change by an infinitesimal amount; text and other objects cannot either.",
            "3.0 instead of 3, x.astype(float), or leave the argument out of argnums",
            "not-differentiable",
        )
    )


class Linearization:
    """The record of one call of a flat function, ready to be pushed forwards and pulled backwards."""

    __slots__ = ("inputs", "outputs", "record", "values")

    def __init__(self, function: Flat, primals: Sequence[Any]) -> None:
        self.record = Record()
        self.inputs = list(primals)
        self.outputs = list(function(*[self.record.input(x) for x in primals]))
        self.values = [self.record.strip(y) for y in self.outputs]
        self.record.close()

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """`dx ↦ J dx`; `None` for an output that is disconnected."""
        with np.errstate(all="ignore"):
            return walk_forward(self.record, self.outputs, tangents)

    def pull(self, cts: Sequence[Any], *, consume: bool = False) -> list[Any]:
        """`ct ↦ Jᴴ ct`; `None` for an input that is disconnected.  `consume` frees the record on the way."""
        with np.errstate(all="ignore"):
            return walk_back(self.record, self.outputs, cts, consume=consume)

    def n_elements(self) -> int:
        """How many array elements the record holds: what one more batch member costs in memory."""
        sizes = (_n_elements(e[3]) for e in self.record.entries if e is not None)
        return sum(sizes, start=1)


def zeros_like(x: Any) -> Any:
    """Plain zeros of the shape and dtype of `x`, which may be traced; a scalar for a NumPy scalar."""
    out = np.zeros(tuple(x.shape), x.dtype)
    return out[()] if isinstance(x, np.generic) else out


def _n_elements(value: Any) -> int:
    parts = value if isinstance(value, tuple) else (value,)
    return sum(int(np.prod(part.shape, dtype=int)) for part in parts if part is not None)
