"""Linearize once: the value of a function at a point, and its derivative there as a linear map.

The map is the record of the local linear maps; pushed forwards it is `dx ↦ J dx`, walked backwards it is the
adjoint `ct ↦ Jᴴ ct`.  Neither direction names a primitive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.array import Array
from wengert.core.record import Record, walk_back, walk_forward
from wengert.core.trace import Tracer, beneath
from wengert.core.types import in_native_order
from wengert.errors import NotDifferentiableError
from wengert.primitives.layout import laid_as
from wengert.primitives.structure import cast, real
from wengert.transforms.blame_forward import examine_forward
from wengert.transforms.findings import Finding, anomaly_of
from wengert.transforms.provenance import examine
from wengert.transforms.watch import Watch, is_expanded, is_watching

Flat = Callable[..., Sequence[Any]]
Look = Callable[[Watch, Sequence[Any], Sequence[Any], Sequence[Any]], list[Finding]]  # at what a walk gives


def is_inexact(x: Any) -> bool:
    """Whether `x` is a floating or complex number or array, plain or traced."""
    dtype = getattr(x, "dtype", None)
    return isinstance(x, (float, complex)) if dtype is None else dtype.kind in "fc"


def as_array(leaf: Any) -> Any:
    """A number as a NumPy scalar; arrays and traced arrays as they are."""
    return leaf if isinstance(leaf, Tracer) or hasattr(leaf, "dtype") else np.asarray(leaf)[()]


def as_primal(x: Any, name: Callable[[], str] = lambda: "input") -> Any:
    """An input to differentiate with respect to: a floating or complex array, NumPy scalar or traced array."""
    if type(x) is float or type(x) is complex:
        return np.asarray(x)[()]
    if is_inexact(x):
        is_numpy_like = not isinstance(x, np.ndarray) and hasattr(x, "__array_function__")  # a Dask array
        if getattr(x, "__array_priority__", 0.0) > 0.0 and not is_numpy_like:
            raise NotDifferentiableError.of_subclass(name(), x)
        return in_native_order(as_array(x))
    x = as_array(x) if isinstance(x, (int, bool)) else x
    raise NotDifferentiableError.of_input(name(), x)


def snapshot(x: Any) -> Any:
    """The same value, which writing into `x` does not change."""
    if isinstance(x, np.ndarray):
        return x.copy(order="K") if x.flags.forc or type(x) is not np.ndarray else laid_as(x, x.strides)
    return type(x)(x.value, x.watcher, x.extra) if isinstance(x, Tracer) else x


class Linearization:
    """The record of one call of a flat function, ready to be pushed forwards and pulled backwards.

    Within `wengert.anomaly` the call of a user's function, which has labels for its inputs, is watched.
    """

    __slots__ = ("function", "inputs", "outputs", "record", "values")

    def __init__(self, function: Flat, primals: Sequence[Any], label: Callable[[int], str] | None = None) -> None:
        is_watched = label is not None and is_watching.get()
        self.record = Watch(label) if is_watched else Record(label)
        self.function = function if is_watched else None
        # a traced input is the caller's, who may write into it later
        self.inputs = [snapshot(x) if isinstance(x, Tracer) else x for x in primals]
        try:
            self.outputs = list(function(*[self.record.input(x) for x in self.inputs]))
            self.values = [self.record.strip(y) for y in self.outputs]
        finally:
            self.record.close()

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """`dx ↦ J dx`; `None` for an output that is disconnected."""
        self.record.preserved.verify()
        with np.errstate(all="ignore"):
            pushed = walk_forward(self.record, self.outputs, tangents)
            found = self._examined(self.record, tangents, pushed, examine_forward) if isinstance(self.record, Watch) else []
        if found:
            raise anomaly_of(found)
        return pushed

    def pull(self, cts: Sequence[Any], *, consume: bool = False) -> list[Any]:
        """`ct ↦ Jᴴ ct`; `None` for an input that is disconnected.  `consume` frees the record on the way."""
        self.record.preserved.verify()
        with np.errstate(all="ignore"):
            arrived = [(y, ct) for y, ct in zip(self.outputs, cts, strict=True) if ct is not None]
            arguments = zip(*arrived, strict=True) if arrived else ((), ())
            if not isinstance(self.record, Watch):
                return walk_back(self.record, *arguments, consume=consume)
            pulled = walk_back(self.record, *arguments, consume=False)
            found = self._examined(self.record, cts, pulled)
        if found:
            raise anomaly_of(found)
        return pulled

    def _examined(self, watch: Watch, given: Sequence[Any], results: Sequence[Any], look: Look = examine) -> list[Finding]:
        """What is wrong with a watched call; where it is within a closed box, the call is made once more with all boxes open."""
        found = look(watch, self.outputs, given, results)
        if not any(finding.is_closed for finding in found) or is_expanded.get():
            return found
        token = is_expanded.set(True)
        try:
            with np.errstate(all="ignore"):
                again = Linearization(self.function, self.inputs, watch.namer)  # type: ignore[arg-type]  # watches have names here
                return again._examined(again.record, given, results, look) or found  # type: ignore[arg-type]  # it is watched, too
        finally:
            is_expanded.reset(token)

    def n_elements(self) -> int:
        """How many array elements the record holds: what one more batch member costs in memory."""
        record = self.record
        sizes = [0] * len(record.entries)
        for y in self.outputs:
            if record.owns(y):
                sizes[y.extra] = _n_elements(y)
        for place in range(len(sizes) - 1, record.n_inputs - 1, -1):
            entry = record.entries[place]
            if entry is None:
                continue
            _, values, _, result, slots, parents = entry
            if result is not None:
                sizes[place] = _n_elements(result)
            for slot, parent in zip(slots, parents, strict=True):  # a slot left empty has the shape of the result
                sizes[parent] = sizes[place] if values[slot] is None else _n_elements(values[slot])
        return sum(sizes)


def zeros_like(x: Any) -> Any:
    """Plain zeros of the shape and dtype of `x`, which may be traced; a scalar for a NumPy scalar."""
    out = np.zeros(tuple(x.shape), x.dtype)
    return out[()] if isinstance(x, np.generic) or isinstance(x, Array) and x.is_scalar else out


def finish_all(derivatives: Sequence[Any], primals: Sequence[Any], given: Sequence[Any] = ()) -> list[Any]:
    """Tangents or cotangents as the caller gets them: `finish`ed, and no array among them twice or among those `given`."""
    seen = {id(x) for x in given}
    finished = []
    for derivative, x in zip(derivatives, primals, strict=True):
        done = finish(derivative, x)
        if type(done) is np.ndarray:
            if id(done) in seen:
                done = done.copy()
            seen.add(id(done))
        finished.append(done)
    return finished


def finish(derivative: Any, x: Any) -> Any:
    """A derivative of the dtype of its primal `x`, zeros if nothing arrived, in memory of its own.

    The derivative of an integer or a truth value is the floating-point number zero.
    """
    if not is_inexact(x):
        return np.zeros(tuple(x.shape))[()] if isinstance(x, np.generic) else np.zeros(tuple(x.shape))
    if derivative is None:
        return zeros_like(x)
    if type(derivative) is np.ndarray and (derivative.base is not None or not derivative.flags.writeable):
        derivative = derivative.copy()
    if derivative.dtype != x.dtype:
        is_complex = derivative.dtype.kind == "c" and x.dtype.kind != "c"
        derivative = cast(real(derivative) if is_complex else derivative, dtype=x.dtype)
    if derivative.shape == ():
        return _as_number_or_array(derivative, x)
    return derivative


def _as_number_or_array(derivative: Any, x: Any) -> Any:
    """A derivative without axes as a number where the primal is one, and as an array where that is an array."""
    if not isinstance(x, (np.ndarray, np.generic, Array)):
        return derivative
    is_number = x.is_scalar if isinstance(x, Array) else isinstance(x, np.generic)
    return _as_kind(derivative, is_number) if isinstance(beneath(derivative), np.generic) != is_number else derivative


def _as_kind(value: Any, is_number: bool) -> Any:
    """A value without axes, as a number or as an array; whoever watches it goes on doing so."""
    if isinstance(value, Tracer):
        return type(value)(_as_kind(value.value, is_number), value.watcher, value.extra)
    return np.asarray(value)[()] if is_number else np.asarray(value)


def _n_elements(value: Any) -> int:
    parts = value if isinstance(value, tuple) else (value,)
    return sum(int(np.prod(tuple(part.shape), dtype=int)) for part in parts)
