"""The compiler's table of contents.

| pass     | from, to                | afterwards                                                              |
|----------|-------------------------|-------------------------------------------------------------------------|
| simplify | graph to graph          | no node is dead, none is computed twice                                  |
| fuse     | graph to program        | index maps are strides; elementwise chains and their sums share loops    |
| emit     | program to LLVM text    | one function for each nest, one entry that runs all native steps in turn |
| engine   | text to machine code    | addresses                                                                |
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.compiler.emit import intrinsic_declarations, write_nest
from wengert.compiler.engine import Module, vector_bits
from wengert.compiler.fuse import fuse
from wengert.compiler.loops import Buffer, HostCall, LoopNest, Program, View
from wengert.compiler.simplify import simplify
from wengert.compiler.vector_math import VectorMath
from wengert.core.graph import Graph


class Compiled:
    """A graph as native code: called on arrays of exactly its input types."""

    def __init__(self, graph: Graph) -> None:
        self.graph = simplify(graph)
        self.program: Program = fuse(self.graph)
        self.buffers = self._number_buffers()
        self.text = self._text()
        self.module = Module(self.text) if self.groups else None
        self.entries = [self.module.function(f"entry{k}") for k in range(len(self.groups))] if self.module else []
        self.pointers = (ctypes.c_void_p * max(1, len(self.buffers)))()

    def _number_buffers(self) -> dict[Buffer, int]:
        found: dict[Buffer, int] = {}
        for step in self.program.steps:
            buffers = step.buffers() if isinstance(step, LoopNest) else [*step.results, *(v.buffer for v in step.operands if isinstance(v, View))]
            for buffer in buffers:
                found.setdefault(buffer, len(found))
        for buffer in self.program.inputs:
            found.setdefault(buffer, len(found))
        return found

    def _text(self) -> str:
        """All nests, and an entry for each run of native steps between host calls."""
        math = VectorMath(vector_bits())
        functions, self.groups = [], []
        for k, step in enumerate(self.program.steps):
            if isinstance(step, HostCall):
                self.groups.append(step) if False else None
                continue
            functions.append(write_nest(step, f"nest{k}", math))
        entries, run = [], []
        self.schedule: list[Any] = []
        for k, step in enumerate([*self.program.steps, None]):
            if isinstance(step, LoopNest):
                run.append((k, step))
                continue
            if run:
                entries.append(self._entry(len(entries), run))
                self.schedule.append(len(entries) - 1)
                run = []
            if step is not None:
                self.schedule.append(step)
        self.groups = entries
        width = max(vector_bits(), 128)
        attributes = [
            f'attributes #0 = {{ nounwind "prefer-vector-width"="{width}" "no-signed-zeros-fp-math"="false" }}',
            "attributes #1 = { nounwind willreturn memory(none) }",
            "!0 = distinct !{!0, !1}",
            '!1 = !{!"llvm.loop.mustprogress"}',
        ]
        return "\n".join([*intrinsic_declarations(), *functions, *entries, *math.declarations(), *attributes])

    def _entry(self, k: int, run: list[tuple[int, LoopNest]]) -> str:
        lines = [f"define void @entry{k}(ptr %p) #0 {{", "entry:"]
        needed = dict.fromkeys(buffer for _, nest in run for buffer in nest.buffers())
        for buffer in needed:
            n = self.buffers[buffer]
            lines += [f"  %q{n} = getelementptr ptr, ptr %p, i64 {n}", f"  %b{n} = load ptr, ptr %q{n}"]
        for j, nest in run:
            arguments = ", ".join(f"ptr %b{self.buffers[b]}" for b in nest.buffers())
            lines.append(f"  call void @nest{j}({arguments})")
        return "\n".join([*lines, "  ret void", "}"])

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        arrays: dict[Buffer, Any] = {}
        for buffer, value in zip(self.program.inputs, values, strict=True):
            arrays[buffer] = np.ascontiguousarray(value, buffer.dtype).reshape(buffer.shape)
        for buffer in self.buffers:
            if buffer not in arrays:
                arrays[buffer] = buffer.value if buffer.kind == "constant" else np.empty(buffer.shape, buffer.dtype)
        pointers = self.pointers
        for buffer, k in self.buffers.items():
            pointers[k] = arrays[buffer].ctypes.data
        for step in self.schedule:
            if isinstance(step, int):
                self.entries[step](ctypes.addressof(pointers))
            else:
                self._host(step, arrays, pointers)
        return [self._read(v, arrays) for v in self.program.outputs]

    def _host(self, step: HostCall, arrays: dict[Buffer, Any], pointers: Any) -> None:
        operands = [self._read(v, arrays) for v in step.operands]
        result = step.primitive.eval(*operands, **step.params)
        results = [result] if step.primitive.n_outputs is None else list(result)
        for buffer, value in zip(step.results, results, strict=True):
            arrays[buffer] = np.ascontiguousarray(value, buffer.dtype).reshape(buffer.shape)
            if buffer in self.buffers:
                pointers[self.buffers[buffer]] = arrays[buffer].ctypes.data

    @staticmethod
    def _read(view: Any, arrays: dict[Buffer, Any]) -> Any:
        if not isinstance(view, View):
            return view
        array = arrays[view.buffer]
        if view.is_contiguous and view.offset == 0 and view.shape == view.buffer.shape:
            return array[()] if not view.shape else array
        flat, item = array.reshape(-1), array.dtype.itemsize
        shaped = np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, [s * item for s in view.strides])
        return shaped[()] if not view.shape else shaped
