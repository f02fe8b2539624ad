"""`jit`: a function, or any derivative of one, as native code.

A call is laid end to end: its arrays and floating-point numbers are inputs, everything else belongs to the signature.
For each signature there is a flat function of the inputs, and for each list of the inputs' types a set of recorded
paths, each compiled.  What a flat function does when it meets traced values is one operation, whose derivatives are
flat functions in their turn; so `grad(jit(f))` runs compiled, as `jit(grad(f))` does.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.compiler.pipeline import Compiled
from wengert.core.trace import Tracer
from wengert.errors import ArgumentError, page, reveal
from wengert.transforms.record_graph import GraphTrace, leaf_names, name_of
from wengert.transforms.record_path import ARRAY, NUMBER, SCALAR, Path, is_array, record_path

MOST_PATHS = 32


class CompiledPath:
    """A recorded path as native code."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.compiled = Compiled(path.graph)
        self.n_results = len(path.graph.outputs) - len(path.seen)
        self.keys = [_key_of(seen) for seen in path.seen]

    def run(self, values: Sequence[Any]) -> tuple[list[Any], int | None]:
        """The results, and the first guard that does not hold."""
        outputs = self.compiled(values)
        guards = outputs[self.n_results :]
        failed = next((k for k, holds in enumerate(guards) if not holds), None)
        return _own_memory(outputs[: self.n_results], values), failed


def _key_of(seen: Any) -> Any:
    seen = np.asarray(seen)
    return (seen.shape, str(seen.dtype), seen.tobytes())


def _own_memory(results: list[Any], values: Sequence[Any]) -> list[Any]:
    """Results that share memory neither with an input nor with one another."""
    taken = {id(x) for x in values}
    fresh = []
    for y in results:
        if isinstance(y, np.ndarray) and (id(y) in taken or y.base is not None or not y.flags.writeable):
            y = y.copy()
        taken.add(id(y))
        fresh.append(y)
    return fresh


class Version:
    """The paths that were recorded for inputs of certain types."""

    def __init__(self, program: FlatProgram) -> None:
        self.program = program
        self.paths: list[CompiledPath] = []
        self.lock = threading.RLock()

    def run(self, values: Sequence[Any]) -> tuple[list[Any], Path]:
        """Run the path that fits these values, recording it if it is new."""
        candidates = list(self.paths)
        while candidates:
            tried = candidates.pop(0)
            try:
                results, failed = tried.run(values)
            except Exception:
                if not tried.keys:
                    raise
                break  # perhaps the path does not fit; if it does, the error comes again
            if failed is None:
                return results, tried.path
            candidates = [c for c in candidates if differs_at(c.keys, tried.keys, failed)]
        return self._record(values)

    def _record(self, values: Sequence[Any]) -> tuple[list[Any], Path]:
        path = self.program.record(values)
        results, path.results = path.results, None
        assert results is not None
        keys = [_key_of(seen) for seen in path.seen]
        with self.lock:
            if any(known.keys == keys for known in self.paths):
                return results, path  # rounding: the compiled program saw another answer
            if len(self.paths) >= MOST_PATHS:
                raise too_many_paths(self.program.name)
            new = CompiledPath(path)
            self.paths.insert(0, new)
        found, failed = new.run(values)
        return (found if failed is None else results), path


def differs_at(keys: list[Any], tried: list[Any], k: int) -> bool:
    """Whether a path asks the same questions as another up to `k`, and there saw something else."""
    return len(keys) > k and keys[:k] == tried[:k] and keys[k] != tried[k]


def too_many_paths(name: str) -> ArgumentError:
    """More different answers than can be meant."""
    return ArgumentError(
        page(
            f"jit has compiled {MOST_PATHS} paths through {name}, and this call takes another.",
            "Each outcome of `if`, `int()` or an index that depends on values is a path of its own.",
            "np.where(condition, a, b)   # both branches in one program, where the outcomes are many\n"
            f"{name}(...)   # without jit, where the control flow is the work",
            "argument",
        )
    )


class FlatProgram:
    """A flat function of arrays, compiled for each list of types that it is called with."""

    def __init__(self, function: Callable[..., Sequence[Any]], name: str, hints: Callable[[], Sequence[str]]) -> None:
        self.function, self.name, self.hints = function, name, hints
        self.versions: dict[Any, Version] = {}
        self.lock = threading.RLock()

    def record(self, values: Sequence[Any]) -> Path:
        """The path that these values take."""
        return record_path(self.function, values, self.hints(), self.name)

    def run(self, values: Sequence[Any]) -> tuple[list[Any], Path]:
        """The results for plain values."""
        return self.version(values).run(values)

    def version(self, values: Sequence[Any]) -> Version:
        """The paths for values of these types."""
        key = tuple([(x.shape, x.dtype) if type(x) is np.ndarray else (type(x), getattr(x, "dtype", None)) for x in values])
        found = self.versions.get(key)
        if found is None:
            with self.lock:
                found = self.versions.setdefault(key, Version(self))
        return found


class Call:
    """One signature of a jitted function: the containers of its arguments, and all that is not an input."""

    def __init__(self, jitted: Jitted, structure: Any, leaves: Sequence[Any], is_input: Sequence[bool]) -> None:
        self.function, self.structure = jitted.function, structure
        self.is_input = list(is_input)
        self.settings = [None if flag else x for x, flag in zip(leaves, is_input, strict=True)]
        self.program = FlatProgram(self._flat, name_of(jitted.function), self._hints)

    def arguments(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """`(args, kwargs)` with these inputs."""
        rest = iter(values)
        leaves = [next(rest) if flag else x for x, flag in zip(self.settings, self.is_input, strict=True)]
        args, kwargs = trees.unflatten(self.structure, leaves)
        return tuple(args), kwargs

    def _hints(self) -> list[str]:
        marks = trees.unflatten(self.structure, [0.0] * len(self.is_input))
        names = leaf_names(self.function, marks)
        return [name for name, flag in zip(names, self.is_input, strict=True) if flag]

    def _flat(self, *values: Any) -> tuple[list[Any], Any]:
        args, kwargs = self.arguments(values)
        try:
            out = self.function(*args, **kwargs)
        except ValueError as error:
            reveal(error)
            raise
        return trees.flatten(out)


class Jitted:
    """A function compiled for each signature that it is called with; see `wengert.jit`."""

    def __init__(
        self, function: Callable[..., Any], static_argnums: int | Sequence[int], static_argnames: str | Sequence[str]
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.calls: dict[Any, Call] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(args, kwargs)

    def _call(self, args: Any, kwargs: Any) -> Any:
        leaves, structure = trees.flatten((args, kwargs))
        if any(isinstance(x, Tracer) and is_recorded(x) for x in leaves):
            return self.function(*args, **kwargs)
        is_input = [isinstance(x, (float, complex)) or is_array(x) for x in leaves]
        call = self.call_of(structure, leaves, is_input)
        values = [x for x, flag in zip(leaves, is_input, strict=True) if flag]
        results, path = call.program.run(values)
        return finish(path, results, values)

    def call_of(self, structure: Any, leaves: Sequence[Any], is_input: Sequence[bool]) -> Call:
        """The signature that a call has."""
        key = (structure, tuple([True if flag else (type(x), x) for x, flag in zip(leaves, is_input, strict=True)]))
        found = self.calls.get(key)
        if found is None:
            found = self.calls.setdefault(key, Call(self, structure, leaves, is_input))
        return found


def finish(path: Path, results: Sequence[Any], values: Sequence[Any]) -> Any:
    """The output container; what the function has written into its arguments is written there."""
    rest = iter(results)
    leaves = [_as_kind(next(rest), y) if y in (ARRAY, SCALAR, NUMBER) else y for y in path.leaves]
    for k, new in zip(path.written, rest, strict=True):
        values[k][...] = new
    return trees.unflatten(path.structure, leaves)


def _as_kind(y: Any, kind: Any) -> Any:
    if kind is ARRAY:
        return np.asarray(y)
    return y.item() if kind is NUMBER else np.asarray(y)[()]


def is_recorded(x: Any) -> bool:
    """Whether a recording of a graph is among those that watch `x`; a jitted function becomes a part of that graph."""
    while isinstance(x, Tracer):
        if isinstance(x.watcher, GraphTrace):
            return True
        x = x.value
    return False
