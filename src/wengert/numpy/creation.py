"""The functions of NumPy that make arrays and cannot be told about traced values, with traced values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from wengert.core.trace import Tracer, peek
from wengert.errors import BatchError, page
from wengert.primitives.align import as_operand, common_dtype, contains_tracer
from wengert.primitives.creation import full as traced_full
from wengert.primitives.joining import build_array
from wengert.primitives.shaping import to_dtype


def _or_numpy(function: Callable[..., Any], traced: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for plain values; `traced` as soon as a nested list holds a traced one."""

    def front(object: Any, *args: Any, **kwargs: Any) -> Any:
        return (traced if contains_tracer(object) else function)(object, *args, **kwargs)

    front.__name__ = front.__qualname__ = function.__name__
    front.__doc__ = f"`numpy.{function.__name__}`, also of traced values and nested lists of them."
    return front


def _without_copy(a: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    return build_array(a, dtype, copy=None)


def _contiguous(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
    return build_array(a, dtype, copy=None, ndmin=1)


array = _or_numpy(np.array, build_array)
asarray = _or_numpy(np.asarray, _without_copy)
asanyarray = _or_numpy(np.asanyarray, _without_copy)
asarray_chkfinite = _or_numpy(np.asarray_chkfinite, lambda a, dtype=None, order=None: _finite(_without_copy(a, dtype)))
ascontiguousarray = _or_numpy(np.ascontiguousarray, _contiguous)
asfortranarray = _or_numpy(np.asfortranarray, _contiguous)
require = _or_numpy(np.require, _without_copy)


def _finite(a: Any) -> Any:
    if not peek(lambda value: np.all(np.isfinite(value)), a):
        msg = "array must not contain infs or NaNs"
        raise ValueError(msg)
    return a


def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", **kwargs: Any) -> Any:
    """`numpy.full`, also with a traced `fill_value`."""
    if contains_tracer(fill_value):
        return traced_full(shape, build_array(fill_value, copy=None), dtype)
    return np.full(shape, fill_value, dtype, order, **kwargs)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, **kwargs: Any) -> Any:
    """`numpy.arange`, also between traced ends; how many there are has no derivative."""
    if stop is None:
        start, stop = 0, start
    if not contains_tracer([start, stop, step]):
        return np.arange(start, stop, step, dtype, **kwargs)
    counts = np.unique(peek(lambda a, b, h: np.ceil((b - a) / h), start, stop, step))
    if counts.size != 1:
        raise BatchError(
            page(
                f"np.arange would have between {int(counts[0])} and {int(counts[-1])} entries.",
                "The members of a batch are computed together, and their arrays have one length.",
                "np.linspace(start, stop, num)   # of a given length",
                "batch",
            )
        )
    n = max(0, int(counts[0]))
    kind = np.result_type(int, *[v.dtype if hasattr(v, "dtype") else np.asarray(v).dtype for v in (start, stop, step)])
    second = start + step  # NumPy's step is the difference of its first two entries
    result = np.arange(n).astype(kind) * (second - start) + start
    return result if dtype is None else to_dtype(result, dtype)


def fromiter(iter: Iterable[Any], dtype: Any, count: int = -1, **kwargs: Any) -> Any:
    """`numpy.fromiter`, also of traced values."""
    values = [v for v, _ in zip(iter, range(count), strict=False)] if count >= 0 else list(iter)
    return build_array(values, dtype) if contains_tracer(values) else np.fromiter(values, dtype, count, **kwargs)


def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """`numpy.fromfunction`; the function may use traced values."""
    return function(*np.indices(shape, dtype=dtype), **kwargs)


def row_stack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """`numpy.vstack` by its old name."""
    return np.vstack(tup, dtype=dtype, casting=casting)


def kaiser(M: int, beta: Any) -> Any:
    """`numpy.kaiser`, also with a traced `beta`."""
    if not isinstance(beta, Tracer):
        return np.kaiser(M, beta)
    if M < 2:
        return np.ones_like(beta, np.result_type(beta.dtype, float), shape=(max(M, 0),))
    center = (M - 1) / 2.0
    where = (np.arange(M) - center) / center
    return np.i0(beta * np.sqrt(1 - where**2)) / np.i0(beta)


# --- functions of numbers as functions of arrays ------------------------------------------------------------------


class vectorize:
    """`numpy.vectorize`, also on traced arrays: the function is called with one entry of each, and may use their values.

    With a signature the function is called with the parts of the arrays that it names.
    """

    def __init__(
        self, pyfunc: Any = None, otypes: Any = None, doc: str | None = None, excluded: Any = None,
        cache: bool = False, signature: str | None = None,
    ) -> None:  # fmt: skip
        self.pyfunc, self.otypes, self.cache, self.signature = pyfunc, otypes, cache, signature
        self.excluded = set(excluded or ())
        self.__doc__ = doc or getattr(pyfunc, "__doc__", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.pyfunc is None:  # used as a decorator with arguments
            return vectorize(args[0], self.otypes, None, self.excluded, self.cache, self.signature)
        if not contains_tracer([*args, *kwargs.values()]) and not self._reaches_tracer():
            plain = np.vectorize(self.pyfunc, self.otypes, None, self.excluded, self.cache, self.signature)
            return plain(*args, **kwargs)
        places = [k for k in range(len(args)) if k not in self.excluded]
        names = [name for name in kwargs if name not in self.excluded]
        varying = [build_array(v, copy=None) for v in [*(args[k] for k in places), *(kwargs[n] for n in names)]]
        ranks = self._core_ranks(len(varying))
        outer = [v.shape[: len(v.shape) - r] for v, r in zip(varying, ranks, strict=True)]
        shape = np.broadcast_shapes(*outer)
        spread = [
            np.broadcast_to(v, shape + tuple(v.shape[len(v.shape) - r :])) for v, r in zip(varying, ranks, strict=True)
        ]
        results = []
        for index in np.ndindex(*shape):
            parts = [v[index] for v in spread]
            full = list(args)
            for k, part in zip(places, parts, strict=False):
                full[k] = part
            results.append(self.pyfunc(*full, **{**kwargs, **dict(zip(names, parts[len(places) :], strict=True))}))
        return self._assemble(results, shape)

    def _reaches_tracer(self) -> bool:
        cells = getattr(self.pyfunc, "__closure__", None) or ()
        return contains_tracer([cell.cell_contents for cell in cells])

    def _core_ranks(self, n: int) -> list[int]:
        if self.signature is None:
            return [0] * n
        inputs = self.signature.replace(" ", "").split("->")[0]
        return [len([c for c in part.split(",") if c]) for part in inputs.strip("()").split("),(")]

    def _assemble(self, results: list[Any], shape: tuple[int, ...]) -> Any:
        several = isinstance(results[0], tuple)
        columns = list(zip(*results, strict=True)) if several else [results]
        arrays = []
        for k, column in enumerate(columns):
            stacked = build_array(list(column))
            out = np.reshape(stacked, shape + tuple(stacked.shape[1:]))
            arrays.append(out if self.otypes is None else to_dtype(out, list(self.otypes)[k]))
        return tuple(arrays) if several else arrays[0]


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, **kwargs: Any) -> Callable[..., Any]:
    """`numpy.frompyfunc`, also on traced arrays."""
    plain, traced = np.frompyfunc(func, nin, nout, **kwargs), vectorize(func)

    def call(*args: Any) -> Any:
        return traced(*args) if contains_tracer(args) else plain(*args)

    return call


# --- by indexing -------------------------------------------------------------------------------------------------------


class _Joiner:
    """`numpy.r_` and `numpy.c_`, also with traced entries and traced ends of slices."""

    def __init__(self, plain: Any, axis: int, ndmin: int, trans1d: int) -> None:
        self.plain, self.default = plain, (axis, ndmin, trans1d)

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        flat = [v for p in parts for v in ((p.start, p.stop, p.step) if isinstance(p, slice) else (p,))]
        if not contains_tracer(flat):
            return self.plain[key]
        axis, ndmin, trans1d = self.default
        if isinstance(parts[0], str):
            words = [int(w) for w in parts[0].split(",")]
            axis, ndmin, trans1d = (*words, *self.default[len(words) :])
            parts = parts[1:]
        ranges = [_range(p) if isinstance(p, slice) else p for p in parts]
        dtype = common_dtype([as_operand(p) for p in ranges])  # numbers are weak here
        arrays = [np.atleast_1d(build_array(p, copy=None)) for p in ranges]
        return np.concatenate([_at_rank(to_dtype(a, dtype), ndmin, trans1d) for a in arrays], axis)


def _range(p: slice) -> Any:
    start = 0 if p.start is None else p.start
    if isinstance(p.step, complex):
        return np.linspace(start, p.stop, int(abs(p.step)))
    return arange(start, p.stop, 1 if p.step is None else p.step)


def _at_rank(a: Any, ndmin: int, trans1d: int) -> Any:
    """`a` with at least `ndmin` axes, its own placed where `trans1d` says."""
    missing = ndmin - np.ndim(a)
    if missing <= 0:
        return a
    first = trans1d if trans1d >= 0 else missing + 1 + trans1d
    return np.reshape(a, (1,) * min(first, missing) + tuple(np.shape(a)) + (1,) * (missing - min(first, missing)))


class _Grid:
    """`numpy.mgrid` and `numpy.ogrid`, also with traced ends."""

    def __init__(self, plain: Any, sparse: bool) -> None:
        self.plain, self.sparse = plain, sparse

    def __getitem__(self, key: Any) -> Any:
        parts: Sequence[slice] = key if isinstance(key, tuple) else (key,)
        if not contains_tracer([v for p in parts for v in (p.start, p.stop, p.step)]):
            return self.plain[key]
        ends = [
            0 if v is None else abs(v) if isinstance(v, complex) else v
            for p in parts
            for v in (p.start, p.stop, p.step)
        ]
        kind = common_dtype([as_operand(v) for v in ends])
        axes = [to_dtype(_range(p), kind) for p in parts]
        if not isinstance(key, tuple):
            return axes[0]
        grids = np.meshgrid(*axes, sparse=self.sparse, indexing="ij")
        return grids if self.sparse else np.stack(grids)


r_ = _Joiner(np.r_, 0, 1, -1)
c_ = _Joiner(np.c_, -1, 2, 0)
mgrid = _Grid(np.mgrid, sparse=False)
ogrid = _Grid(np.ogrid, sparse=True)
