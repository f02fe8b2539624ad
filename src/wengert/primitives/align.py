"""Broadcasting and dtype change as operations.

Below this line every *traced* operand of an elementwise primitive has the shape and dtype of the result, because
a `spread` and a `cast` were inserted here.  Their adjoints (a sum, a cast back, the real part) then exist once.
Plain operands are left as they are: no derivative flows into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import FRONT, Array
from wengert.core.trace import Tracer
from wengert.errors import NotDifferentiableError, ShapeError
from wengert.primitives.structure import cast, reshape, spread

NOT_GIVEN: Any = np._NoValue  # type: ignore[attr-defined]

DIRECT: set[type] = {Array}  # kinds of tracers that have the shape, the dtype and the promotion of their values
_ARRAYS = (Tracer, np.ndarray, np.generic)
_OPERANDS = (Tracer, int, float, complex, np.ndarray, np.generic)
_REAL = (int, float)
_WEAK = (int, float, complex)
_WEAK_WITH = {"f": (int, float), "c": (int, float, complex)}  # numbers that leave a dtype of this kind as it is


def align_elementwise(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Spread and cast the traced operands to the common shape and dtype."""
    if len(operands) == 2:  # the usual cases first: a small operation costs no more than this
        a, b = operands
        if type(a) in DIRECT:
            x = a.value
            if type(b) in DIRECT:
                b = b.value
            if type(b) in _REAL:
                if x.dtype.kind in "fc":
                    return operands
            elif isinstance(b, _ARRAYS) and x.shape == b.shape and x.dtype is b.dtype:
                return operands
        elif type(b) in DIRECT:
            y = b.value
            if type(a) in _REAL:
                if y.dtype.kind in "fc":
                    return operands
            elif isinstance(a, _ARRAYS) and a.shape == y.shape and a.dtype is y.dtype:
                return operands
    return _align(operands)


def align_to_loop(ufunc: Any, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Spread the traced operands to the common shape, and cast each to what the ufunc's own loop takes there."""
    operands = tuple(map(as_operand, operands))
    if not any(isinstance(x, Tracer) for x in operands):
        return operands
    shape = common_shape(operands)
    kinds = [promotes_as(x) for x in operands]
    dtypes = ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout))
    pairs = zip(operands, dtypes[: len(operands)], strict=True)
    return tuple([conform(x, shape, dtype) if isinstance(x, Tracer) else x for x, dtype in pairs])


def align_beside(operands: tuple[Any, ...], inert: Sequence[int]) -> tuple[Any, ...]:
    """Spread the traced operands to the common shape; the `inert` ones (an order, a count) keep and give no dtype."""
    operands = tuple(map(as_operand, operands))
    if not any(isinstance(x, Tracer) for x in operands):
        return operands
    shape = common_shape(operands)
    dtype = common_dtype([x for slot, x in enumerate(operands) if slot not in inert])
    return tuple(
        conform(x, shape, x.dtype if slot in inert else dtype) if isinstance(x, Tracer) else x
        for slot, x in enumerate(operands)
    )


def align_to_inexact(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """As `align_elementwise`, where whole numbers are orders and the like: they have a say in the shape only."""
    operands = tuple(map(as_operand, operands))
    if not any(isinstance(x, Tracer) for x in operands):
        return operands
    shape = common_shape(operands)
    dtype = inexact_dtype(operands)
    return tuple([conform(x, shape, dtype) if isinstance(x, Tracer) else x for x in operands])


def inexact_dtype(operands: Sequence[Any]) -> Any:
    """The common dtype of those operands that are no whole numbers."""
    return common_dtype([x for x in operands if type(x) is not int and (type(x) in _WEAK or x.dtype.kind not in "iu")])


def as_operand(value: Any) -> Any:
    """An array-like as an operand; Python numbers stay weak, as NumPy's promotion wants."""
    if isinstance(value, _OPERANDS):
        return np.bool_(value) if type(value) is bool else value
    if hasattr(value, "__array_function__"):
        return value
    if isinstance(value, (list, tuple)) and contains_tracer(value):
        return FRONT[np.array](value)
    return np.asarray(value)


def as_array(x: Any) -> Any:
    """An array-like as an operand that has a shape and a dtype: here Python numbers are arrays, and not weak."""
    x = as_operand(x)
    return x if hasattr(x, "shape") else np.asarray(x)


def contains_tracer(value: Any) -> bool:
    """Whether a nested list holds a traced value."""
    if isinstance(value, (list, tuple)):
        return any(map(contains_tracer, value))
    return isinstance(value, Tracer)


def _align(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    operands = tuple(map(as_operand, operands))
    if not any(isinstance(x, Tracer) for x in operands):
        return operands
    shape = common_shape(operands)
    dtype = common_dtype(operands)
    return tuple([conform(x, shape, dtype) if isinstance(x, Tracer) else x for x in operands])


def common_shape(operands: Sequence[Any]) -> tuple[int, ...]:
    """The shape that operands have when they are broadcast against each other."""
    shapes = {tuple(x.shape) for x in operands if type(x) not in _WEAK}
    shapes.discard(())
    if len(shapes) == 1:
        return shapes.pop()
    try:
        return np.broadcast_shapes(*shapes) if shapes else ()
    except ValueError:
        raise ShapeError.of_operands([tuple(x.shape) for x in operands if type(x) not in _WEAK]) from None


def common_dtype(operands: Sequence[Any]) -> Any:
    """NumPy's promotion, Python numbers being weak."""
    kinds = [promotes_as(x) for x in operands]
    dtypes = {kind for kind in kinds if not isinstance(kind, type)}
    if len(dtypes) == 1:
        dtype = dtypes.pop()
        weak = _WEAK_WITH.get(dtype.kind, ())
        if all(kind in weak for kind in kinds if isinstance(kind, type)):
            return dtype
    numbers = [kind(1) if isinstance(kind, type) else kind for kind in kinds]
    found = np.result_type(*[x if type(x) in _WEAK else kind for x, kind in zip(operands, numbers, strict=True)])
    if found.kind == "O":
        raise NotDifferentiableError.of_objects(next(x for x in operands if type(x) not in _WEAK and x.dtype.kind == "O"))
    return found


def promotes_as(x: Any) -> Any:
    """The dtype of an operand, or the type of the Python number that it is."""
    kind = type(x)
    if kind in _WEAK:
        return kind
    return (isinstance(x, Tracer) and x.weak) or x.dtype


def conform(x: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`x` spread to `shape`, and cast to `dtype` if both are inexact."""
    if x.dtype != dtype and x.dtype.kind in "fc" and dtype.kind in "fc":
        x = cast(x, dtype=dtype)
    return x if x.shape == shape else spread(x, shape=shape)


def fit(value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`value` as it is written into an array of this shape and dtype."""
    try:
        return conform(value, shape, dtype) if isinstance(value, Tracer) else np.broadcast_to(value, shape)
    except ValueError:
        raise ShapeError.of_assignment(np.shape(value), shape) from None


def all_batched(xs: Sequence[Any], is_batched: Sequence[bool]) -> list[Any]:
    """Every operand with the batch axis, those shared by all members repeated."""
    n = next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
    return [x if b else spread(x, shape=(n, *x.shape)) for x, b in zip(xs, is_batched, strict=True)]


def equalize_ranks(xs: Sequence[Any], is_batched: Sequence[bool]) -> list[Any]:
    """Give batched operands rank enough that their leading batch axes meet when shapes are aligned on the right."""
    ranks = [len(np.shape(x) if not hasattr(x, "shape") else x.shape) - b for x, b in zip(xs, is_batched, strict=True)]
    rank = max(ranks)
    return [
        reshape(x, shape=(x.shape[0],) + (1,) * (rank - r) + x.shape[1:]) if b and r < rank else x
        for x, b, r in zip(xs, is_batched, ranks, strict=True)
    ]
