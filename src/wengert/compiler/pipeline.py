"""The compiler's table of contents.

| pass     | from, to                | afterwards                                                                     |
|----------|-------------------------|--------------------------------------------------------------------------------|
| simplify | graph to graph          | no node is dead, none is computed twice, no rule applies                        |
| fuse     | graph to program        | index maps are strides; chains and their reductions share loops                 |
| emit     | program to LLVM text    | one function for each step, one entry for each run of steps between host calls  |
| engine   | text to machine code    | addresses                                                                       |
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.compiler.blas import register
from wengert.compiler.emit.module import write_module
from wengert.compiler.engine import Module, vector_bits
from wengert.compiler.fuse import fuse
from wengert.compiler.loops import Buffer, HostCall, Program, View
from wengert.compiler.simplify import simplify
from wengert.core.graph import Graph


class Compiled:
    """A graph as native code: called on arrays of exactly its input types."""

    def __init__(self, graph: Graph) -> None:
        self.graph = simplify(graph)
        self.program: Program = fuse(self.graph)
        emitted = write_module(self.program, vector_bits())
        self.text, self.schedule, self.buffers = emitted.text, emitted.schedule, emitted.buffers
        if emitted.uses_blas:
            register()
        self.module = Module(self.text) if emitted.n_entries else None
        self.entries = [self.module.function(f"entry{k}") for k in range(emitted.n_entries)] if self.module else []

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        arrays: dict[Buffer, Any] = {}
        for buffer, value in zip(self.program.inputs, values, strict=True):
            arrays[buffer] = np.ascontiguousarray(value, buffer.dtype).reshape(buffer.shape)
        pointers = (ctypes.c_void_p * max(1, len(self.buffers)))()
        for buffer, k in self.buffers.items():
            if buffer not in arrays:
                arrays[buffer] = buffer.value if buffer.kind == "constant" else np.empty(buffer.shape, buffer.dtype)
            pointers[k] = arrays[buffer].ctypes.data
        for step in self.schedule:
            if isinstance(step, int):
                self.entries[step](ctypes.addressof(pointers))
            else:
                self._host(step, arrays, pointers)
        return [read(view, arrays) for view in self.program.outputs]

    def _host(self, step: HostCall, arrays: dict[Buffer, Any], pointers: Any) -> None:
        operands = [read(v, arrays) for v in step.operands]
        result = step.primitive.eval(*operands, **step.params)
        results = [result] if step.primitive.n_outputs is None else list(result)
        for buffer, value in zip(step.results, results, strict=True):
            arrays[buffer] = np.array(value, buffer.dtype, order="C").reshape(buffer.shape)
            pointers[self.buffers[buffer]] = arrays[buffer].ctypes.data


def read(view: Any, arrays: dict[Buffer, Any]) -> Any:
    """A view as an array, or the number that an array without axes is; plain values are themselves."""
    if not isinstance(view, View):
        return view
    array = arrays[view.buffer]
    if view.is_whole:
        shaped = array.reshape(view.shape)
    else:
        flat, item = array.reshape(-1), array.dtype.itemsize
        shaped = np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, [s * item for s in view.strides])
    return shaped if view.shape else shaped[()]
