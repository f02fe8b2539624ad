"""The other programs of a call, and which of its operations each of their parts comes from: the linear one, and the compiled one."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wengert.compiler.fuse import Fuser
from wengert.compiler.inner import graphs_of
from wengert.compiler.listing import Names, list_step
from wengert.compiler.loops import LoopNest, Step
from wengert.compiler.pipeline import lower, passes
from wengert.core.graph import Atom, Graph, Node, Var
from wengert.transforms.inner_programs import without_calls
from wengert.transforms.record_graph import GraphTrace, freeze
from wengert.viz.walks import Walks, push

MOST_LINES = 40  # of a kernel's text


@dataclass(frozen=True)
class Kernel:
    """One step of the compiled program: its text, and the numbers of the nodes that it computes."""

    number: int  # counted from 1
    title: str
    text: str
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class Derived:
    """A program made from another one: for each of its nodes, the numbers of those of the first one that it comes from."""

    graph: Graph
    sources: list[tuple[int, ...]]
    values: Mapping[Var, Any] = field(default_factory=dict)
    kernels: tuple[Kernel, ...] = ()


def linear_program(walks: Walks) -> Derived:
    """`dx ↦ J dx` at the point: each operation's own map, in order.  Its values are those for inputs that all move at the rate 1.

    Before: `a = sin(x); y = a·x`.  After, at x = 1: `da = 0.54·dx; b = 1·da; c = 0.84·dx; dy = b + c`.
    """
    trace = GraphTrace()
    tangents: dict[Atom, Any] = {}
    for var in walks.graph.inputs:
        if var.type.is_inexact:
            tangents[var] = trace.input(np.ones(var.type.shape, var.type.dtype)[()], _moving(walks.names[var]))
    inputs = [tracer.extra for tracer in tangents.values()]
    sources: list[tuple[int, ...]] = []
    for number, node in enumerate(walks.graph.nodes):
        dxs = [tangents.get(atom) for atom in node.operands]
        results = [walks.values[y] for y in node.outputs]
        y = results[0] if node.primitive.n_outputs is None else tuple(results)
        for var, dy in zip(node.outputs, push(node, dxs, y, [walks.value(a) for a in node.operands]) or (), strict=False):
            if trace.owns(dy) and dy.extra is not None:
                tangents[var] = dy
                dy.extra.hint = dy.extra.hint or _moving(walks.names[var])
        for draft in trace.drafts[len(sources) :]:
            draft.location = node.location
            sources.append((number,))
    outputs = [trace.atom_of(tangents[a] if a in tangents else np.zeros(a.type.shape)) for a in walks.graph.outputs]
    graph, values = freeze(trace, inputs, outputs, None, None, f"d{walks.graph.name}")
    return Derived(graph, sources, values)


def _moving(name: str) -> str:
    return f"d{name}"


class WatchedFuser(Fuser):
    """The compiler's own pass, looking on which node is computed in the body of which nest."""

    def __init__(self, graph: Graph, inner: Any) -> None:
        super().__init__(graph, inner)
        self.body_nodes: dict[int, dict[Node, None]] = {}

    def fresh(self, draft: Any, atom: Any, index: Any) -> int:
        value = self.value(atom)
        is_loaded = value.number is not None or (value.view is not None and value.ready <= draft.level)
        place = super().fresh(draft, atom, index)
        if not is_loaded and value.node is not None:
            self.body_nodes.setdefault(id(draft), {})[value.node] = None
        return place

    def node_of_buffer(self) -> dict[Any, Node]:
        """The node whose result lies in a buffer."""
        views = {node: self.values[node.outputs[0]].view for node in self.graph.nodes if node.outputs[0] in self.values}
        return {view.buffer: node for node, view in reversed(views.items()) if view is not None}


def compiled_program(walks: Walks) -> Derived:
    """The graph after the compiler's rules, and the loop nests, products and calls that its nodes become.  Nothing is run."""
    graph = without_calls(walks.graph)
    _, real = passes(graph)
    inner = {node: {key: lower(passes(part)[1]) for key, part in graphs_of(node).items()} for node in real.nodes}
    fuser = WatchedFuser(real, inner)
    program = fuser.program()
    number = {node: k for k, node in enumerate(real.nodes)}
    names, written = Names(program, [var.hint for var in real.inputs]), fuser.node_of_buffer()
    kernels = []
    for k, step in enumerate(program.steps):
        inside = [number[node] for node in fuser.body_nodes.get(id(step), {}) if node in number]
        inside += [number[written[buffer]] for buffer in step.writes() if buffer in written]
        kernels.append(_kernel(k, step, tuple(sorted(set(inside))), names))
    return Derived(real, origins(walks.graph, real), {v: walks.values[v] for v in real.vars() if v in walks.values}, tuple(kernels))


def _kernel(place: int, step: Step, nodes: tuple[int, ...], names: Names) -> Kernel:
    lines = list(list_step(step, names))
    title = lines[0].partition("   #")[0].rstrip(":")
    kind = "loop nest" if isinstance(step, LoopNest) else "step"
    return Kernel(place + 1, f"{kind} {place + 1}: {title}", "\n".join(lines[:MOST_LINES]), nodes)


def origins(before: Graph, after: Graph) -> list[tuple[int, ...]]:
    """Where each node of a rewritten graph comes from: the node with the same result, else one of its line that is gone.

    Of those, the ones that touch an operand of it come first; then the one of its primitive that is nearest to where its operands
    come from (a line may be run many times).
    """
    maker = {var: k for k, node in enumerate(before.nodes) for var in node.outputs}
    kept = {maker[var] for node in after.nodes for var in node.outputs if var in maker}
    touching: dict[tuple[str, Any], list[int]] = {}
    for k, node in enumerate(before.nodes):
        if k not in kept and node.location:
            for what in dict.fromkeys([*node.operands, *node.outputs, node.primitive.name, ""]):
                touching.setdefault((node.location, what), []).append(k)
    place = dict(maker)
    found = []
    for node in after.nodes:
        near = sorted({maker[var] for var in node.outputs if var in maker})
        near = near or sorted({k for a in node.operands if isinstance(a, Var) for k in touching.get((node.location, a), [])})
        if not near:
            anchor = max((place.get(a, 0) for a in node.operands if isinstance(a, Var)), default=0)
            alike = touching.get((node.location, node.primitive.name)) or touching.get((node.location, ""), [])
            at = bisect.bisect(alike, anchor)
            near = sorted(alike[max(0, at - 1) : at + 1], key=lambda k: abs(k - anchor))[:1]
        place.update((var, near[0]) for var in node.outputs if near)
        found.append(tuple(near))
    return found
