"""The compiler's table of contents.

| pass     | from, to                | afterwards                                                                     |
|----------|-------------------------|--------------------------------------------------------------------------------|
| halves   | graph to graph          | numbers of half precision are inputs and outputs only                           |
| simplify | graph to graph          | no node is dead, none is computed twice, no rule applies                        |
| tidy     | graph to graph          | loops compute nothing that nobody reads, or that is the same at every step       |
| pairs    | graph to graph          | no number is complex                                                            |
| plain    | graph to graph          | strong products test only for zeros that may have something to absorb           |
| fuse     | graph to program        | index maps are strides; chains and their reductions share loops                 |
| split    | program to program      | no body is longer than a bound                                                  |
| bands    | program to program      | steps over the same rows share them while they are in the cache                 |
| share    | program to program      | long loops on their own have parts for threads                                   |
| plan     | program to plan         | every buffer has a place, and none that lives at the same time shares it        |
| emit     | program to LLVM text    | one function for each step, one entry that runs them all                        |
| engine   | text to machine code    | addresses                                                                       |
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wengert.compiler.bands import group_rows
from wengert.compiler.cost import seconds_of
from wengert.compiler.emit.entry import CHECKED
from wengert.compiler.emit.module import write_module
from wengert.compiler.engine import Module, binding, vector_bits
from wengert.compiler.fuse import fuse
from wengert.compiler.halves import in_single
from wengert.compiler.inner import graphs_of
from wengert.compiler.kernels import provide_products
from wengert.compiler.lapack import provide_lapack
from wengert.compiler.loops import REASONS, Check, Program
from wengert.compiler.memory import late_fills, plan_memory
from wengert.compiler.pairs import in_pairs
from wengert.compiler.plain import plain_products
from wengert.compiler.runtime.host import Host
from wengert.compiler.runtime.launcher import Input, Launch, Output, conform, launcher
from wengert.compiler.runtime.library import library
from wengert.compiler.share import share_loops
from wengert.compiler.simplify import simplify
from wengert.compiler.soft_half import provide_half
from wengert.compiler.split import split
from wengert.compiler.tidy import tidy
from wengert.compiler.vector_math import provide
from wengert.core.graph import Graph
from wengert.core.types import ArrayType


def passes(graph: Graph) -> tuple[Graph, Graph]:
    """The simplified graph, and the graph of real numbers that it stands for."""
    simplified = tidy(in_single(graph), simplify)
    parts = in_pairs(simplified)
    if parts is not simplified:
        return simplified, plain_products(simplify(parts))
    real = plain_products(simplified)
    return real, real


def lower(graph: Graph) -> Program:
    """The passes between a simplified graph of real numbers and the text."""
    inner = {node: {key: lower(passes(part)[1]) for key, part in graphs_of(node).items()} for node in graph.nodes}
    program = split(fuse(graph, inner))
    program.steps = late_fills(program.steps)
    return share_loops(group_rows(program))


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """The passes make very many objects that live to their end: looking for dead rings among them would take a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Compiled:
    """A graph as native code: called on arrays of exactly its input types."""

    def __init__(self, graph: Graph, *, cache: bool = True) -> None:
        with collector_at_rest():
            self.graph, real = passes(graph)
            self.program = lower(real)
            self.plan = plan_memory(self.program)
            emitted = write_module(self.program, self.plan, vector_bits())
        self.text, self.checks = emitted.text, emitted.checks
        library()
        if emitted.products:
            provide_products(emitted.products)
        provide_lapack(emitted.natives)
        provide(binding(), emitted.specials)
        if "half" in self.text:
            provide_half()
        self.module = Module(self.text, cache=cache)
        self.host = Host()
        if emitted.hosts:
            self.module.fill("hosts", [self.host.callback(step) for step in emitted.hosts])
        if self.plan.constants:
            self.module.fill("constants", [buffer.value.ctypes.data for buffer in self.plan.constants])
        self.inputs = [Input(ArrayType(tuple(v.type.shape), v.type.dtype)) for v in graph.inputs]
        self.outputs = [output_of(atom.type) for atom in graph.outputs]
        self.name = graph.name
        self.launch = launcher(self.launch_of(self.inputs, self.outputs))

    def launch_of(self, inputs: Sequence[Input], outputs: Sequence[Output], **options: Any) -> Launch:
        """How to call the program with arguments of these kinds, for results of these kinds."""
        return Launch(
            self.module.address("entry"), inputs, outputs, self.plan.workspace, seconds_of(self.program),
            on_error=stopped(self.checks, self.name, self.host), name=self.name, keep=[self.module, self.host, self.plan],
            **options,
        )  # fmt: skip

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """The outputs at these inputs."""
        return list(self.launch(*conform(self.inputs, values)))


def stopped(checks: Sequence[Check], name: str, host: Host) -> Callable[[int], Any]:
    """What raises the exception for which a program has stopped, given its status."""

    def on_error(status: int) -> Any:
        if status < CHECKED:
            return host.on_error(status)
        check = checks[status - CHECKED]
        exception, what = REASONS[check.reason]
        if exception is IndexError:
            what = f"{what} in the compiled program {name}; indexed at {check.location or 'an unknown place'}"
        error = exception(what)
        error.add_note(f"in the compiled program {name}, written at {check.location or 'an unknown place'}")
        raise error

    return on_error


def output_of(type_: ArrayType) -> Output:
    """How a result is handed over."""
    return Output(type_, "array" if type_.shape else "scalar")
