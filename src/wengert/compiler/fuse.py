"""From a graph to steps: index maps become strides, elementwise chains and their sums become loop nests.

A value is either a place in the body of a nest or a view of a buffer.  A node over the same space as the nest that made
its operands joins that nest; any other reader waits until the nest has run, one level later.  Nodes of one space and
level share a nest, so that several outputs over the same indices take one pass over memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wengert.compiler.codes import CODES
from wengert.compiler.loops import Buffer, HostCall, LoopNest, Op, Program, Shape, View, contiguous
from wengert.compiler.scalar import LLVM
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.types import ArrayType


class Lane:
    """A value in the body of a nest; `view` is set once somebody needs it in memory."""

    __slots__ = ("nest", "place", "view")

    def __init__(self, nest: LoopNest, place: int) -> None:
        self.nest, self.place = nest, place
        self.view: View | None = None


Home = Any  # Lane | View | a plain number


class Fuser:
    """Walks the nodes of a graph once, and puts each where it belongs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.homes: dict[Atom, Home] = {}
        self.ready: dict[Buffer, int] = {}  # the level from which on a buffer may be read
        self.nests: dict[tuple[Shape, int], LoopNest] = {}
        self.calls: list[HostCall] = []

    def program(self) -> Program:
        """The steps of the whole graph."""
        inputs = []
        for var in self.graph.inputs:
            buffer = self.buffer(var.type, "input")
            self.homes[var] = View.whole(buffer)
            self.ready[buffer] = 0
            inputs.append(buffer)
        for node in self.graph.nodes:
            self.place(node)
        outputs = [self.output(atom) for atom in self.graph.outputs]
        steps: list[Any] = [*self.nests.values(), *self.calls]
        steps.sort(key=lambda step: step.level)
        return Program(inputs, steps, outputs)

    def buffer(self, type_: ArrayType, kind: str, value: Any = None) -> Buffer:
        return Buffer(tuple(type_.shape), type_.dtype, kind, value)

    # --- where a value is -------------------------------------------------------------------------------------------

    def home(self, atom: Atom) -> Home:
        if atom not in self.homes:
            assert isinstance(atom, Const)
            value = atom.value
            if np.ndim(value) == 0:
                self.homes[atom] = np.asarray(value)[()] if isinstance(value, (np.ndarray, np.generic)) else value
            elif value.size and (value == value.flat[0]).all():  # one number, repeated
                self.homes[atom] = value.flat[0]
            else:
                buffer = Buffer(np.shape(value), value.dtype, "constant", np.ascontiguousarray(value))
                self.ready[buffer] = 0
                self.homes[atom] = View.whole(buffer)
        return self.homes[atom]

    def in_memory(self, atom: Atom) -> Any:
        """The view of a value, stored if it was in a nest only; a plain number stays one."""
        home = self.home(atom)
        if not isinstance(home, Lane):
            return home
        if home.view is None:
            op = home.nest.ops[home.place]
            buffer = Buffer(home.nest.space, op.dtype, "temporary")
            home.nest.stores.append((home.place, buffer))
            self.ready[buffer] = home.nest.level + 1
            home.view = View.whole(buffer)
        return home.view

    def output(self, atom: Atom) -> Any:
        if isinstance(atom, Const):
            return atom.value
        home = self.in_memory(atom)
        if isinstance(home, View) and not (home.is_contiguous and home.offset == 0 and home.buffer.kind == "temporary"):
            return home
        if isinstance(home, View):
            home.buffer.kind = "output"
        return home

    # --- where a node goes ------------------------------------------------------------------------------------------

    def place(self, node: Node) -> None:
        name = node.primitive.name
        if name in VIEWS and self.as_view(node):
            return
        if name == "sum" and self.as_sum(node):
            return
        if name in ("cast", "conjugate", "real") and self.as_map(node, "a"):
            return
        if node.primitive.family in ("elementwise", "discrete") and name in CODES and self.as_map(node, CODES[name]):
            return
        self.as_host_call(node)

    def as_view(self, node: Node) -> bool:
        view = self.in_memory(node.operands[0])
        if not isinstance(view, View) or len(node.operands) > 1:
            return False
        moved = VIEWS[node.primitive.name](view, node.params)
        if moved is None:
            return False
        self.homes[node.outputs[0]] = moved
        return True

    def as_map(self, node: Node, code: str) -> bool:
        out = node.outputs[0].type
        if len(node.outputs) != 1 or not all(is_native(a.type.dtype) for a in [*node.operands, node.outputs[0]]):
            return False
        working = working_dtype(node)
        if working is None:
            return False
        nest = self.nest_for(out.shape, node.operands)
        places = tuple(self.operand(nest, atom, out.shape) for atom in node.operands)
        op = Op(f"{working}:{code}", places, out.dtype)
        self.homes[node.outputs[0]] = Lane(nest, nest.add(op, op))
        return True

    def as_sum(self, node: Node) -> bool:
        (atom,), out = node.operands, node.outputs[0].type
        shape = atom.type.shape
        if out.dtype.name not in ("float64", "float32") or atom.type.dtype != out.dtype or 0 in shape:
            return False
        axes = tuple(sorted(k % len(shape) for k in node.params["axis"]))
        nest = self.nest_for(shape, node.operands)
        buffer = Buffer(tuple(out.shape), out.dtype, "temporary")
        nest.sums.append((self.operand(nest, atom, shape), axes, buffer))
        self.ready[buffer] = nest.level + 1
        self.homes[node.outputs[0]] = View.whole(buffer)
        return True

    def as_host_call(self, node: Node) -> None:
        operands = [atom.value if isinstance(atom, Const) else self.in_memory(atom) for atom in node.operands]
        results = [self.buffer(var.type, "temporary") for var in node.outputs]
        level = max((self.ready[v.buffer] for v in operands if isinstance(v, View)), default=0)
        self.calls.append(HostCall(node.primitive, operands, node.params, results, level, node.location))
        for var, buffer in zip(node.outputs, results, strict=True):
            self.ready[buffer] = level + 1
            self.homes[var] = View.whole(buffer)

    # --- nests ---------------------------------------------------------------------------------------------------------

    def nest_for(self, space: Shape, operands: tuple[Atom, ...]) -> LoopNest:
        """The nest of this space at the first level at which all operands can be had."""
        level = 0
        for atom in operands:
            home = self.home(atom)
            if isinstance(home, Lane):
                level = max(level, home.nest.level + (home.nest.space != tuple(space)))
            elif isinstance(home, View):
                level = max(level, self.ready[home.buffer])
        key = (tuple(space), level)
        if key not in self.nests:
            self.nests[key] = LoopNest(*key)
        return self.nests[key]

    def operand(self, nest: LoopNest, atom: Atom, shape: Shape) -> int:
        """The place of an operand in a nest: where it was computed, a number, or a load."""
        home = self.home(atom)
        if isinstance(home, Lane) and home.nest is nest:
            return home.place
        home = self.in_memory(atom)
        if isinstance(home, View):
            extra = len(shape) - len(home.shape)
            strides = (0,) * extra + tuple(
                s if n == m else 0 for s, n, m in zip(home.strides, home.shape, shape[extra:], strict=True)
            )
            return nest.load(home.along(strides, tuple(shape)))
        dtype = np.asarray(home).dtype
        return nest.add(Op("number", (), dtype, None, home), ("number", type(home), repr(home)))


def is_native(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this dtype have instructions of their own."""
    return dtype.name in LLVM


def working_dtype(node: Node) -> str | None:
    """The dtype in which the scalar code of a node is evaluated."""
    out = node.outputs[0].type.dtype
    if out.name in ("float64", "float32"):
        return out.name
    kinds = [type(a.value) if isinstance(a, Const) and type(a.value) in (int, float) else a.type.dtype for a in node.operands]
    common = np.result_type(*kinds)
    if out.kind == "b":
        return common.name if common.name in LLVM else None
    return out.name if node.primitive.name in ("add", "subtract", "multiply", "negative", "where", "cast") else None


# --- index maps ------------------------------------------------------------------------------------------------------------


def _permuted(view: View, params: Mapping[str, Any]) -> View:
    axes = params["axes"]
    return View(view.buffer, tuple(view.shape[k] for k in axes), tuple(view.strides[k] for k in axes), view.offset)


def _spread(view: View, params: Mapping[str, Any]) -> View:
    shape = tuple(params["shape"])
    extra = len(shape) - len(view.shape)
    strides = tuple(s if n == m else 0 for s, n, m in zip(view.strides, view.shape, shape[extra:], strict=True))
    return View(view.buffer, shape, (0,) * extra + strides, view.offset)


def _reshaped(view: View, params: Mapping[str, Any]) -> View | None:
    shape = tuple(params["shape"])
    if view.is_contiguous:
        return View(view.buffer, shape, contiguous(shape), view.offset)
    kept = [(n, s) for n, s in zip(view.shape, view.strides, strict=True) if n != 1]
    if [n for n, _ in kept] != [n for n in shape if n != 1]:
        return None
    strides = iter([s for _, s in kept])
    return View(view.buffer, shape, tuple(next(strides) if n != 1 else 0 for n in shape), view.offset)


def _indexed(view: View, params: Mapping[str, Any]) -> View | None:
    layout = params["layout"]
    layout = layout if isinstance(layout, tuple) else (layout,)
    if Ellipsis in layout:
        cut = layout.index(Ellipsis)
        used = sum(part is not None and part is not Ellipsis for part in layout)
        layout = layout[:cut] + (slice(None),) * (len(view.shape) - used) + layout[cut + 1 :]
    shape, strides, offset, axis = [], [], view.offset, 0
    for part in layout:
        if part is None:
            shape.append(1)
            strides.append(0)
            continue
        if isinstance(part, str):
            return None
        n, step = view.shape[axis], view.strides[axis]
        axis += 1
        if isinstance(part, slice):
            start, stop, stride = part.indices(n)
            length = len(range(start, stop, stride))
            shape.append(length)
            strides.append(step * stride if length != 1 else 0)
            offset += start * step if length else 0
        else:
            offset += (int(part) % n) * step
    return View(view.buffer, (*shape, *view.shape[axis:]), (*strides, *view.strides[axis:]), offset)


VIEWS = {"permute": _permuted, "spread": _spread, "reshape": _reshaped, "index": _indexed}


def fuse(graph: Graph) -> Program:
    """See the module."""
    return Fuser(graph).program()


__all__ = ["Var", "fuse"]
