"""Calls of ufuncs with NumPy's keywords: `out`, `where`, `dtype`, `casting`, `signature`, `axes`, `axis`, `keepdims`.

A call without keywords goes straight to its front and never comes here.  Which loop NumPy would run, and
whether it may cast, is asked of the ufunc itself, so the answers and the errors are NumPy's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.array import FRONT, UFUNC_METHODS, Array
from wengert.core.trace import Tracer, beneath
from wengert.errors import AssignmentError, UnsupportedFunctionError
from wengert.primitives.align import as_operand
from wengert.primitives.index import replace
from wengert.primitives.shaping import to_dtype
from wengert.primitives.special import meet
from wengert.primitives.structure import spread

_GROUP = re.compile(r"\(([^)]*)\)")
_NUMBERS = (int, float, complex)


def front_of(ufunc: Any) -> Callable[..., Any]:
    """What the ufunc means on traced arrays; raises `UnsupportedFunctionError` if nobody has said."""
    front = FRONT.get(ufunc) or meet(ufunc)
    if front is None:
        raise UnsupportedFunctionError.of_function(ufunc)
    return front


def call_ufunc(
    ufunc: Any, /, *inputs: Any, out: Sequence[Any] | None = None, where: Any = True, dtype: Any = None,
    casting: str = "same_kind", signature: Any = None, order: str = "K", subok: bool = True,
    axes: Any = None, axis: Any = None, keepdims: bool = False,
) -> Any:  # fmt: skip
    """`ufunc(*inputs)` with any of NumPy's keywords; `order` and `subok` say nothing about values."""
    front = front_of(ufunc)
    operands = [as_operand(x) for x in inputs]
    outs = list(out) if out is not None else [None] * ufunc.nout
    if dtype is not None:
        signature = (*[None] * ufunc.nin, *[dtype] * ufunc.nout)
    loop = _loop_dtypes(ufunc, operands, outs, signature, casting)
    if signature is not None:
        operands = [_converted(x, kind) for x, kind in zip(operands, loop, strict=False)]
    if ufunc.signature is not None:
        result = _along_axes(front, ufunc, operands, axes, axis, keepdims)
    elif where is True:
        result = front(*operands)
    else:
        with np.errstate(all="ignore"):  # NumPy does not compute where the mask is false
            result = front(*operands)
    results = list(result) if ufunc.nout > 1 else [result]
    if signature is not None:
        results = [_converted(y, kind) for y, kind in zip(results, loop[ufunc.nin :], strict=True)]
    if where is not True:
        results = [_chosen(y, target, where) for y, target in zip(results, outs, strict=True)]
    written = [y if target is None else _write(ufunc, target, y) for y, target in zip(results, outs, strict=True)]
    return tuple(written) if ufunc.nout > 1 else written[0]


UFUNC_METHODS["__call__"] = call_ufunc


# --- dtypes -------------------------------------------------------------------------------------------------------------


def _loop_dtypes(ufunc: Any, operands: Sequence[Any], outs: Sequence[Any], signature: Any, casting: str) -> Any:
    """The dtypes of NumPy's loop; raises its `TypeError` where an operand or the output cannot be cast."""
    given = [type(x) if type(x) in _NUMBERS else np.dtype(bool) if type(x) is bool else x.dtype for x in operands]
    wanted = [None if target is None else target.dtype for target in outs]
    chosen = {} if signature is None else {"signature": signature}
    return ufunc.resolve_dtypes((*given, *wanted), casting=casting, **chosen)


def _converted(x: Any, dtype: Any) -> Any:
    if dtype is None:
        return x
    return to_dtype(x, dtype) if isinstance(x, Tracer) else np.asarray(x).astype(dtype)[()]


# --- where and out ----------------------------------------------------------------------------------------------------------


def _chosen(result: Any, target: Any, where: Any) -> Any:
    """The result where the mask holds; elsewhere what `out` has, and zeros where NumPy leaves memory as it is."""
    mask = as_operand(where)
    mask = mask if hasattr(mask, "dtype") else np.asarray(mask)
    if mask.dtype.kind != "b":
        msg = f"Cannot cast array data from {mask.dtype!r} to dtype('bool') according to the rule 'safe'"
        raise TypeError(msg)
    return np.where(mask, result, result.dtype.type(0) if target is None else target)


def _write(ufunc: Any, target: Any, result: Any) -> Any:
    """Let `target`, an array, take the result; it is what the call returns."""
    if isinstance(beneath(target), np.generic):
        msg = "return arrays must be of ArrayType"
        raise TypeError(msg)
    shape = tuple(target.shape)
    if np.broadcast_shapes(tuple(result.shape), shape) != shape:
        msg = f"non-broadcastable output operand with shape {shape} doesn't match the broadcast shape {result.shape}"
        raise ValueError(msg)
    if isinstance(target, Array):
        replace(target, to_dtype(spread(result, shape=shape), target.dtype))
    elif isinstance(result, Tracer):
        raise AssignmentError.of_output(f"np.{ufunc.__name__}", result)
    else:
        target[...] = result
    return target


# --- generalized ufuncs: matmul, vecdot, matvec, vecmat -----------------------------------------------------------------------


def _along_axes(
    front: Callable[..., Any], ufunc: Any, operands: Sequence[Any], axes: Any, axis: Any, keepdims: bool
) -> Any:
    """Bring the axes that a generalized ufunc works on to the end, call it, and put those of the result in place."""
    inner = [len(part.split(",")) if part.strip() else 0 for part in _GROUP.findall(ufunc.signature)]
    if axis is not None:
        axes = [(axis,)] * ufunc.nin + [(axis,) if keepdims else ()]
    if axes is None:
        axes = [tuple(range(-n, 0)) for n in inner]
        if keepdims:
            axes[-1] = axes[0]
    places = [(k,) if isinstance(k, int) else tuple(k) for k in axes]
    if len(places) == ufunc.nin:
        places.append(places[0] if keepdims else ())
    moved = [_moved(x, at, tuple(range(-len(at), 0))) for x, at in zip(operands, places, strict=False)]
    result = front(*moved)
    if keepdims:
        result = np.expand_dims(result, -1)
    return _moved(result, tuple(range(-len(places[-1]), 0)), places[-1])


def _moved(x: Any, source: tuple[int, ...], destination: tuple[int, ...]) -> Any:
    return x if source == destination or len(x.shape) < len(source) else np.moveaxis(x, source, destination)
