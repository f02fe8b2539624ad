"""Shape, dtype, and the parts of complex numbers: linear maps whose adjoints are one another."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.primitives.blank import blank_of_reduced
from wengert.primitives.families import linear
from wengert.primitives.pattern import copies, one_to_one


def _sum(x: Any, axis: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Any:
    dtype = x.dtype if dtype is None else dtype
    if type(x) is np.ndarray:  # half the time of `np.sum`, which ends here too
        return np.add.reduce(x, axis, dtype, None, keepdims)  # type: ignore[call-overload]  # by position, which takes less time
    return np.sum(x, axis=axis, keepdims=keepdims, dtype=dtype)


def _sum_adjoint(ct: Any, x: Any, axis: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Any:
    if dtype is not None:
        ct = _cast_adjoint(ct, x, dtype)
    if isinstance(ct, np.generic):  # of a sum of everything
        piece = np.empty(x.shape, ct.dtype)
        if piece.size <= _FILLED:
            piece.fill(ct)
            return piece
    elif not keepdims and ct.shape:
        kept = list(x.shape)
        for k in axis:
            kept[k] = 1
        ct = reshape(ct, shape=tuple(kept))
    if isinstance(ct, (np.ndarray, np.generic)):  # nobody is watching: without the calls that would find out
        return _repeat(ct, x.shape)
    return spread(ct, shape=x.shape)


_FILLED = 1024  # entries: filling so many is quicker than a view that repeats one
_NO_STEPS = (0,) * 64


def _repeat(x: Any, shape: tuple[int, ...]) -> Any:
    """`np.broadcast_to`, whose checks in Python would cost more than all else in a small operation."""
    extra = len(shape) - x.ndim
    if extra == len(shape) and isinstance(x, (np.ndarray, np.generic)):
        repeated = np.ndarray(shape, x.dtype, x, 0, _NO_STEPS[:extra])
        repeated.flags.writeable = False
        return repeated
    if extra < 0 or not isinstance(x, (np.ndarray, np.generic)) or x.ndim and not x.flags.c_contiguous:
        return np.broadcast_to(x, shape)
    strides = [0] * extra
    for n, m, stride in zip(x.shape, shape[extra:], x.strides, strict=True):
        if n not in (m, 1):
            return np.broadcast_to(x, shape)  # which says what is wrong
        strides.append(stride if n == m else 0)
    repeated = np.ndarray(shape, x.dtype, x, 0, strides)  # type: ignore[arg-type]
    repeated.flags.writeable = False
    return repeated


def sum_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    """A result of a reduction depends on all entries that were put together in it."""
    shape = np.shape(xs[0])
    kept = [1 if k - len(shape) in params["axis"] else n for k, n in enumerate(shape)]
    outputs = np.broadcast_to(np.arange(np.size(y)).reshape(kept), shape)
    return Pattern(outputs, np.arange(np.size(xs[0])), (np.size(y), np.size(xs[0])))


def _spread_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    (x,), shape = xs, params["shape"]
    missing = len(shape) - (len(x.shape) - 1)
    x = reshape(x, shape=(x.shape[0],) + (1,) * missing + tuple(x.shape[1:]))
    return spread(x, shape=(x.shape[0], *shape))


def _cast_adjoint(ct: Any, x: Any, dtype: Any) -> Any:
    if ct.dtype.kind == "c" and x.dtype.kind != "c":
        ct = real(ct)
    return ct if ct.dtype == x.dtype else cast(ct, dtype=x.dtype)


def sum_to(ct: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of `spread`: sum over the axes along which `shape` was repeated."""
    if ct.shape == shape:
        return ct
    axes = _repeated_axes(tuple(ct.shape), tuple(shape))
    if axes:
        plain = type(ct) is np.ndarray  # nobody is watching: without the calls that would find out
        ct = _sum(ct, axes, False) if plain else sum_(ct, axis=axes, keepdims=False)
    return ct if ct.shape == shape else reshape(ct, shape=shape)


@functools.lru_cache(maxsize=4096)
def _repeated_axes(large: tuple[int, ...], small: tuple[int, ...]) -> tuple[int, ...]:
    rank, extra = len(large), len(large) - len(small)
    return tuple([k - rank for k in range(rank) if k < extra or small[k - extra] != large[k]])


spread = linear(
    "spread",
    _repeat,
    lambda ct, x, shape: sum_to(ct, x.shape),
    batch=_spread_batch,
    pattern=copies(np.broadcast_to),
    laws=lambda make: [((make(3, 1),), {"shape": (2, 3, 4)}), ((make(),), {"shape": (3,)})],
)
sum_ = linear(
    "sum",
    _sum,
    _sum_adjoint,
    pattern=sum_pattern,
    laws=lambda make: [
        ((make(3, 4),), {"axis": (-1,), "keepdims": False}),
        ((make(2, 3, 4),), {"axis": (-3, -1), "keepdims": True}),
        ((make(0, 3),), {"axis": (-2,), "keepdims": False}),
        ((make(3),), {"axis": (-1,), "keepdims": False, "dtype": np.dtype("float32")}),
    ],
)
sum_.blank = blank_of_reduced(_sum)
reshape: Primitive = linear(
    "reshape",
    lambda x, shape: np.reshape(x, shape),
    lambda ct, x, shape: reshape(ct, shape=x.shape),
    pattern=copies(np.reshape),
    batch=lambda xs, is_batched, params: reshape(xs[0], shape=(xs[0].shape[0], *params["shape"])),
    laws=lambda make: [((make(3, 4),), {"shape": (2, 6)}), ((make(),), {"shape": (1, 1)})],
)
permute: Primitive = linear(
    "permute",
    lambda x, axes: np.transpose(x, axes),
    lambda ct, x, axes: permute(ct, axes=tuple(int(k) for k in np.argsort(axes))),
    pattern=copies(np.transpose),
    batch=lambda xs, is_batched, params: permute(xs[0], axes=(0, *(k + 1 for k in params["axes"]))),
    laws=lambda make: [((make(2, 3, 4),), {"axes": (2, 0, 1)})],
)
cast = linear(
    "cast",
    lambda x, dtype: x.astype(dtype),
    _cast_adjoint,
    pattern=one_to_one,
    laws=lambda make: [((make(3),), {"dtype": np.dtype("complex128")}), ((make(3),), {"dtype": np.dtype("float32")})],
)
real = linear(
    "real",
    np.real,
    lambda ct, x: cast(ct, dtype=x.dtype) if x.dtype.kind == "c" else ct,
    pattern=one_to_one,
    numpy=(np.real,),
    laws=lambda make: [((make(3, kind="c"),), {})],
)
imag = linear(
    "imag",
    np.imag,
    lambda ct, x: cast(ct, dtype=x.dtype) * 1j if x.dtype.kind == "c" else ct * 0.0,
    pattern=one_to_one,
    numpy=(np.imag,),
    laws=lambda make: [((make(3, kind="c"),), {})],
)
conjugate: Primitive = linear(
    "conjugate",
    np.conjugate,
    lambda ct, x: conjugate(ct),
    pattern=one_to_one,
    numpy=(np.conjugate,),
    laws=lambda make: [((make(3, kind="c"),), {}), ((make(3),), {})],
)


def swap_last(x: Any) -> Any:
    """The matrix transpose of each matrix in a stack."""
    n = len(x.shape)
    return permute(x, axes=(*range(n - 2), n - 1, n - 2))


def move_axis(x: Any, source: int, destination: int) -> Any:
    """`x` with one axis moved, the others in their order."""
    n = len(x.shape)
    source, destination = source % n, destination % n
    order = [k for k in range(n) if k != source]
    order.insert(destination, source)
    return permute(x, axes=tuple(order))
