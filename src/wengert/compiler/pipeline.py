"""The compiler's table of contents.

| pass     | from, to                | afterwards                                                                     |
|----------|-------------------------|--------------------------------------------------------------------------------|
| halves   | graph to graph          | numbers of half precision are inputs and outputs only                           |
| simplify | graph to graph          | no node is dead, none is computed twice, no rule applies                        |
| tidy     | graph to graph          | loops compute nothing that nobody reads, or that is the same at every step       |
| pairs    | graph to graph          | no number is complex                                                            |
| plain    | graph to graph          | strong products test only for zeros that may have something to absorb           |
| layouts  | graph to graph          | values lie in the order of axes in which a product has written them              |
| fuse     | graph to program        | index maps are strides; chains and their reductions share loops                 |
| split    | program to program      | no body is longer than a bound                                                  |
| bands    | program to program      | steps over the same rows share them while they are in the cache                 |
| share    | program to program      | long loops on their own have parts for threads                                   |
| plan     | program to plan         | every buffer has a place, and none that lives at the same time shares it        |
| emit     | program to LLVM text    | one function for each step, one entry that runs them all                        |
| engine   | text to machine code    | addresses                                                                       |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from wengert.compiler.bands import group_rows
from wengert.compiler.cache import Cache
from wengert.compiler.collector import collector_at_rest
from wengert.compiler.complex_gauges import COMPLEX_GAUGES
from wengert.compiler.complex_matrices import MATRICES
from wengert.compiler.cost import seconds_of
from wengert.compiler.emit.entry import CHECKED
from wengert.compiler.emit.module import write_module
from wengert.compiler.engine import Module, binding, store_of, vector_bits
from wengert.compiler.fuse import fuse
from wengert.compiler.halves import in_single
from wengert.compiler.inner import graphs_of
from wengert.compiler.kernels import provide_products
from wengert.compiler.lapack import provide_lapack
from wengert.compiler.layouts import in_written_order
from wengert.compiler.loops import REASONS, Program
from wengert.compiler.memory import Plan, late_fills, plan_memory
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
from wengert.compiler.warm import Facts, name_of_graph, recall, remember
from wengert.core.graph import Graph
from wengert.core.types import ArrayType

LONG = 50  # operations of a graph from which on a second process looks for what the first one found


def passes(graph: Graph) -> tuple[Graph, Graph]:
    """The simplified graph, and the graph of real numbers that it stands for."""
    simplified = tidy(in_single(graph), simplify)
    parts = in_pairs(simplified, {**MATRICES, **COMPLEX_GAUGES})
    if parts is not simplified:
        return simplified, in_written_order(plain_products(simplify(parts)))
    real = plain_products(simplified)
    return real, in_written_order(real)


def lower(graph: Graph) -> Program:
    """The passes between a simplified graph of real numbers and the text."""
    inner = {node: {key: lower(passes(part)[1]) for key, part in graphs_of(node).items()} for node in graph.nodes}
    program = split(fuse(graph, inner))
    program.steps = late_fills(program.steps)
    return share_loops(group_rows(program))


class Lowered:
    """What the passes make of a graph."""

    def __init__(self, graph: Graph) -> None:
        with collector_at_rest():
            self.graph, real = passes(graph)
            self.program = lower(real)
            self.plan = plan_memory(self.program)
            self.emitted = write_module(self.program, self.plan, vector_bits())
        self.text = self.emitted.text

    def facts(self, code: str) -> Facts:
        """What running it takes, with the object file of that name."""
        emitted = self.emitted
        return Facts(
            code, self.plan.workspace, seconds_of(self.program), sorted(emitted.products), list(emitted.specials), list(emitted.natives),
            "half" in self.text, emitted.needs_runtime, [(check.reason, check.location) for check in emitted.checks], [b.value for b in self.plan.constants],
        )  # fmt: skip


class Compiled:
    """A graph as native code: called on arrays of exactly its input types."""

    def __init__(self, graph: Graph, *, cache: Cache | bool = True) -> None:
        self.source, self.name = graph, graph.name
        store = store_of(cache)
        name = name_of_graph(graph) if store is not None and len(graph.nodes) >= LONG else None
        known = None if store is None or name is None else recall(store, name)
        if known is None:
            self.lowered = lowered = Lowered(graph)  # the attribute stands before the property of that name
            provide_all(lowered.facts(""))
            self.module = Module(lowered.text, cache=cache)
            self.facts = lowered.facts(self.module.name)
            if store is not None and name is not None and not lowered.emitted.hosts:
                remember(store, name, self.facts)
        else:
            self.facts, code = known
            provide_all(self.facts)
            self.module = Module.of_code(code)
        self.host = Host()
        if known is None and self.lowered.emitted.hosts:
            self.module.fill("hosts", [self.host.callback(step) for step in self.lowered.emitted.hosts])
        if self.facts.constants:
            self.module.fill("constants", [value.ctypes.data for value in self.facts.constants])
        self.inputs = [Input(ArrayType(tuple(v.type.shape), v.type.dtype)) for v in graph.inputs]
        self.outputs = [output_of(atom.type) for atom in graph.outputs]

    @cached_property
    def launch(self) -> Callable[..., Any]:
        """The way in, for arrays of exactly these types."""
        return launcher(self.launch_of(self.inputs, self.outputs))

    @cached_property
    def lowered(self) -> Lowered:
        """What the passes make of the graph; of a program that came from disk it is made for whoever wants to see it."""
        return Lowered(self.source)

    @property
    def graph(self) -> Graph:
        """The simplified graph."""
        return self.lowered.graph

    @property
    def program(self) -> Program:
        """The loop nests."""
        return self.lowered.program

    @property
    def plan(self) -> Plan:
        """Where arrays lie."""
        return self.lowered.plan

    @property
    def text(self) -> str:
        """The LLVM text."""
        return self.lowered.text

    def launch_of(self, inputs: Sequence[Input], outputs: Sequence[Output], **options: Any) -> Launch:
        """How to call the program with arguments of these kinds, for results of these kinds."""
        return Launch(
            self.module.address("entry"), inputs, outputs, self.facts.workspace, self.facts.seconds,
            on_error=stopped(self.facts.checks, self.name, self.host), name=self.name, keep=[self.module, self.host, self.facts],
            **options,
        )  # fmt: skip

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """The outputs at these inputs."""
        return list(self.launch(*conform(self.inputs, values)))


def provide_all(facts: Facts) -> None:
    """Functions that a program calls are known to LLVM's linker before it is loaded."""
    if facts.needs_runtime:
        library()
    if facts.products:
        provide_products(frozenset(facts.products))
    provide_lapack(facts.natives)
    provide(binding(), facts.specials)
    if facts.has_half:
        provide_half()


def stopped(checks: Sequence[tuple[str, str]], name: str, host: Host) -> Callable[[int], Any]:
    """What raises the exception for which a program has stopped, given its status."""

    def on_error(status: int) -> Any:
        if status < CHECKED:
            return host.on_error(status)
        reason, location = checks[status - CHECKED]
        exception, what = REASONS[reason]
        if exception is IndexError:
            what = f"{what} in the compiled program {name}; indexed at {location or 'an unknown place'}"
        error = exception(what)
        error.add_note(f"in the compiled program {name}, written at {location or 'an unknown place'}")
        raise error

    return on_error


def output_of(type_: ArrayType) -> Output:
    """How a result is handed over."""
    return Output(type_, "array" if type_.shape else "scalar")
