"""NumPy's `like=`: arrays made beside a traced one, watched by whoever watches it.

`np.zeros(3, like=x)` depends on nothing, and keeps the derivative of what is written into it later;
`np.array([x[0], 2.0], like=x)` keeps the derivatives of its entries.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.array import CREATORS, FRONT, implements
from wengert.core.trace import Tracer
from wengert.primitives.align import as_operand
from wengert.primitives.creation import full as spread_number
from wengert.primitives.shaping import to_dtype

PLAIN = (
    np.arange, np.empty, np.eye, np.frombuffer, np.fromfile, np.fromfunction, np.fromiter, np.fromstring, np.genfromtxt,
    np.identity, np.loadtxt, np.ones, np.tri, np.zeros,
)  # fmt: skip

for _function in PLAIN:  # these make plain arrays out of plain settings
    implements(_function)(_function)


@implements(np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
def as_traced_array(
    a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: bool | None = None
) -> Any:
    """The array of a nested list with traced values in it."""
    return FRONT[np.array](a, dtype, copy=bool(copy))


@implements(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    """The array itself: how it lies in memory is up to NumPy."""
    return FRONT[np.array](a, dtype, copy=False)


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *, device: Any = None) -> Any:
    """A number everywhere, whose derivative is kept."""
    value = as_operand(fill_value)
    if not isinstance(value, Tracer):
        return np.full(shape, value, dtype, order)
    return spread_number(shape, value if dtype is None else to_dtype(value, dtype))


CREATORS.update((*PLAIN, np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require, np.full))
