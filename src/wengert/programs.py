"""Flat functions of arrays as compiled programs, and as operations whose derivatives are compiled programs in turn.

A program is compiled for each list of types of its operands, once for each path that Python's control flow takes.  Met
by traced values it is one operation; its readings (push, pull, batch) are programs made from it, kept beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.compiler.collector import collector_at_ease, collector_at_rest
from wengert.compiler.engine import COMPILING
from wengert.compiler.pipeline import Compiled
from wengert.compiler.runtime.host import TypeChangedError
from wengert.compiler.runtime.launcher import Input, Output, conform, launcher_behind
from wengert.core.graph import Graph
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer, bind
from wengert.core.types import ArrayType, in_native_order, type_of
from wengert.errors import CompileError
from wengert.transforms.batch import batch_call
from wengert.transforms.forward import push_forward
from wengert.transforms.inner_programs import without_calls
from wengert.transforms.linearize import Linearization, finish, snapshot
from wengert.transforms.record_graph import GraphTrace
from wengert.transforms.record_path import Path, record_path
from wengert.transforms.sparsity import pattern_of

Flat = Callable[..., tuple[list[Any], Any]]  # arrays -> arrays, and what else is to be known of the output

MOST_PATHS = 32


class CompiledPath:
    """A recorded path as native code, for operands of the types that it was recorded with."""

    def __init__(self, path: Path, values: Sequence[Any], *, cache: bool = True) -> None:
        self.path = path
        self.compiled = Compiled(without_calls(path.graph), cache=cache)
        self.keys = [_key_of(seen) for seen in path.seen]
        self.types = host_types(path.graph)
        self.inputs = [input_of(x) for x in values]
        self.outputs = outputs_of(path)
        self.launch = launcher_behind(self.compiled.launch_of(self.inputs, self.outputs))

    def run(self, values: Sequence[Any]) -> tuple[list[Any], int | None]:
        """The results, or the first guard that does not hold."""
        found = self.launch(*conform(self.inputs, values))
        return ([], found) if isinstance(found, int) else (self.path.finish(found), None)


def host_types(graph: Graph) -> list[ArrayType]:
    """The types that may follow values: those of results that only Python can compute."""
    return [var.type for node in graph.nodes if node.primitive.family == "smooth" for var in node.outputs]


def input_of(x: Any) -> Input:
    """What the launcher is to expect in the place of an operand like this one."""
    if isinstance(x, np.ndarray):
        return Input(ArrayType(x.shape, x.dtype))
    return Input(None, "number", type(x))


def outputs_of(path: Path) -> list[Output]:
    """What the launcher is to make of the outputs of a path's graph."""
    types = [atom.type for atom in path.graph.outputs]
    n = len(types) - len(path.seen)
    numbers = [flag for flag, present in zip(path.is_number, path.present, strict=True) if present]
    results = [Output(t, "scalar" if flag else "array") for t, flag in zip(types[:n], numbers, strict=True)]
    return results + [Output(t, "guard") for t in types[n:]]


def _key_of(seen: Any) -> Any:
    seen = np.asarray(seen)
    return (seen.shape, str(seen.dtype), seen.tobytes())


def _type_key(x: Any) -> Any:
    """What a version is compiled for.  The order in memory decides which views of an argument share memory with it."""
    if isinstance(x, np.ndarray):
        return (x.shape, x.dtype, None if x.flags.c_contiguous else x.strides)
    return type(x)


class Version:
    """The paths that were recorded for operands of certain types."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.paths: list[CompiledPath] = []

    def run(self, values: Sequence[Any]) -> tuple[list[Any], CompiledPath]:
        """Run the path that fits these values, recording it if it is new."""
        candidates = list(self.paths)
        while candidates:
            tried = candidates.pop(0)
            try:
                results, failed = tried.run(values)
            except TypeChangedError:
                continue
            except Exception:
                if not tried.keys:
                    raise
                break  # perhaps the path does not fit; if it does, the error comes again
            if failed is None:
                return results, tried
            candidates = [c for c in candidates if _differs_at(c.keys, tried.keys, failed)]
        return self._record(values)

    def _record(self, values: Sequence[Any]) -> tuple[list[Any], CompiledPath]:
        with collector_at_ease():
            path = record_path(self.program.function, values, self.program.hints(), self.program.name)
        results, path.results = path.results, None
        assert results is not None
        keys = [_key_of(seen) for seen in path.seen]
        with COMPILING, collector_at_rest():
            types = host_types(path.graph)
            new = next((known for known in self.paths if known.keys == keys and known.types == types), None)
            if new is None:
                if len(self.paths) >= MOST_PATHS:
                    raise CompileError.of_paths(self.program.name, MOST_PATHS)
                new = CompiledPath(path, values, cache=self.program.cache)
                self.paths.insert(0, new)
        try:
            found, failed = new.run(values)
        except Exception:
            if path.is_guessed:  # NumPy has not met this error yet, and says where it is
                self._results(values)
            raise
        if failed is not None and path.is_guessed:
            results = self._results(values)
        return (results if failed is not None else found), new  # rounding may decide otherwise than it did for NumPy

    def _results(self, values: Sequence[Any]) -> list[Any]:
        """What eager evaluation gives, or its error."""
        program = self.program
        return record_path(program.function, values, program.hints(), program.name, guesses=False).results or []


def _differs_at(keys: list[Any], tried: list[Any], k: int) -> bool:
    """Whether a path asks the same questions as another up to `k`, and there saw something else."""
    return len(keys) > k and keys[:k] == tried[:k] and keys[k] != tried[k]


class Program:
    """A flat function, compiled for the types that it meets; `wengert.programs` says what it does with traced values."""

    def __init__(self, function: Flat, name: str, hints: Callable[[], Sequence[str]] | None = None, *, cache: bool = True) -> None:
        self.function, self.name, self.cache = function, name, cache
        self._hints = hints
        self.versions: dict[Any, Version] = {}
        self.readings: dict[Any, Program] = {}
        self.n_operands = 0

    def hints(self) -> Sequence[str]:
        """What the operands are called."""
        return self._hints() if self._hints is not None else [""] * self.n_operands

    def __call__(self, *operands: Any) -> tuple[list[Any], Any]:
        """Compiled on plain values, one operation on traced ones, and a part of any graph that is being recorded."""
        if not any(isinstance(x, Tracer) for x in operands):
            results, found = self.run(operands)
            return results, found.path.outline
        if any(map(is_recorded, operands)):
            return self.function(*operands)
        return self._bind(operands)

    def run(self, values: Sequence[Any]) -> tuple[list[Any], CompiledPath]:
        """The results for plain values, and the path that was taken."""
        self.n_operands = len(values)
        values = [in_native_order(x) for x in values]
        return self.version(values).run(values)

    def version(self, values: Sequence[Any]) -> Version:
        """The paths for values of these types."""
        key = tuple(map(_type_key, values))
        found = self.versions.get(key)
        if found is None:
            with COMPILING:
                found = self.versions.setdefault(key, Version(self))
        return found

    def reading(self, key: Any, function: Flat) -> Program:
        """A program derived from this one, made when it is first needed."""
        found = self.readings.get(key)
        if found is None:
            with COMPILING:
                found = self.readings.setdefault(key, Program(function, f"{self.name}_{key[0]}", cache=self.cache))
        return found

    # --- as one operation -----------------------------------------------------------------------------------------

    def arrays(self, *operands: Any) -> list[Any]:
        """The flat function for derivatives to look into; the operands are not written into."""
        return self.function(*map(snapshot, operands))[0]

    def _bind(self, operands: Sequence[Any]) -> tuple[list[Any], Any]:
        outlines: list[Any] = []

        def evaluate(*xs: Any) -> tuple[Any, ...]:
            results, outline = self(*xs)
            outlines.append(outline)
            primitive.n_outputs = len(results)  # known once the function has run
            return tuple(results)

        def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> tuple[Any, ...]:
            results, outline = self.batched(tuple(is_batched))(*xs)
            outlines.append(outline)
            primitive.n_outputs = len(results)
            return tuple(results)

        primitive = Primitive(
            "jit", evaluate, family="call", push=self.push, pull=self.pull, batch=batch, pattern=self.pattern,
            n_outputs=1, register=False,
        )  # fmt: skip
        primitive.kept = lambda xs, params, y: (xs, params, tuple(map(type_of, y)))
        results = list(bind(primitive, operands))
        return results, outlines[-1]

    def push(self, dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        """`dx ↦ J dx`, as a program of primals and tangents."""
        active = tuple([k for k, dx in enumerate(dxs) if dx is not None])

        def pushed(*values: Any) -> tuple[list[Any], None]:
            inner, tangents = values[: len(xs)], dict(zip(active, values[len(xs) :], strict=True))
            full = [tangents.get(k) for k in range(len(inner))]
            ys, dys, _ = push_forward(self.arrays, inner, full)
            return [dy if dy is None else finish(dy, y) for y, dy in zip(ys, dys, strict=True)], None

        return self.reading(("push", active), pushed)(*xs, *(dxs[k] for k in active))[0]

    def pull(self, cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        """`ct ↦ Jᴴ ct`, as a program of primals and cotangents."""
        n, slots = len(xs), tuple(slots)

        def pulled(*values: Any) -> tuple[list[Any], None]:
            inner = values[:n]

            def of_active(*active: Any) -> list[Any]:
                full = list(inner)
                for slot, value in zip(slots, active, strict=True):
                    full[slot] = value
                return self.arrays(*full)

            linear = Linearization(of_active, [inner[slot] for slot in slots])
            pieces = linear.pull(values[n:], consume=True)
            return [ct if ct is None else finish(ct, inner[s]) for s, ct in zip(slots, pieces, strict=True)], None

        return self.reading(("pull", slots), pulled)(*xs, *cts)[0]

    def batched(self, is_batched: tuple[bool, ...]) -> Program:
        """The program of a whole batch, whose members lie along the first axis of these operands."""
        axes = [0 if flag else None for flag in is_batched]

        def members(*values: Any) -> tuple[list[Any], Any]:
            outlines: list[Any] = []

            def member(*operands: Any) -> list[Any]:
                arrays, outline = self.function(*map(snapshot, operands))
                outlines.append(outline)
                return arrays

            n = next(x.shape[0] for x, flag in zip(values, is_batched, strict=True) if flag)
            return batch_call(member, values, axes, n), outlines[0]

        return self.reading(("batch", is_batched), members)

    def pattern(self, slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
        """Which outputs may depend on which entries of an operand."""
        return pattern_of(lambda x: self.arrays(*xs[:slot], x, *xs[slot + 1 :]), [xs[slot]])[0]


def is_recorded(x: Any) -> bool:
    """Whether a recording of a graph is among those that watch `x`; a jitted function becomes a part of that graph."""
    while isinstance(x, Tracer):
        if isinstance(x.watcher, GraphTrace):
            return True
        x = x.value
    return False
