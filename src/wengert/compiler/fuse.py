"""From a graph to steps: index maps become strides, elementwise chains and their reductions become loop nests.

Every value has a home: the nest of its space at the first level at which all that it is made of can be had.  Values of one home share
a body, so several outputs over the same indices take one pass over memory.  A reader elsewhere computes a cheap value once more, at the
index that it needs; a costly one is stored, and may be read one level later.  Moves are nobody's work: readers look through them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from wengert.compiler.bodies import (
    WORST,
    Bodies,
    Draft,
    NotAffineError,
    Value,
    is_native,
    move_index,
    place_of,
    window_shape,
)
from wengert.compiler.builder import repeated_number
from wengert.compiler.indices import MOVES, Index, basic_parts, is_basic, spread_index
from wengert.compiler.loops import (
    Buffer,
    Fill,
    HostCall,
    LoopNest,
    Place,
    Program,
    Reduction,
    Shape,
    Step,
    Store,
    View,
    contiguous,
)
from wengert.compiler.native import cost_of, scalar_code
from wengert.compiler.products import matrix_product
from wengert.compiler.spaces import UNROLLED, Spaces, axes_of, indices_of, is_aligned, reduced_index
from wengert.core.graph import Atom, Const, Graph, Node, Var

CHEAP = 8  # instructions that are rather taken again than stored and loaded



@dataclass(frozen=True)
class Copy:
    """An array of its own: for outputs of dtypes that no nest can copy."""

    name: str = "copy"
    n_outputs: None = None

    @staticmethod
    def eval(x: Any) -> Any:
        """A copy."""
        return np.array(x)


class Fuser(Bodies):
    """Walks the nodes of a graph once, and puts each where it belongs."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.spaces = Spaces(graph, is_map)
        self.nests: dict[tuple[Shape, int], Draft] = {}
        self.steps: list[Step] = []
        self.users: dict[Atom, list[Node]] = {}
        for node in graph.nodes:
            for atom in node.operands:
                self.users.setdefault(atom, []).append(node)
        self.uses: dict[Atom, int] = {}
        for atom in [*(a for node in graph.nodes for a in node.operands), *graph.outputs]:
            self.uses[atom] = self.uses.get(atom, 0) + 1

    def program(self) -> Program:
        """The steps of the whole graph."""
        inputs = []
        for var in self.graph.inputs:
            buffer = Buffer(tuple(var.type.shape), var.type.dtype, "input", None, var.hint)
            self.in_buffer(var, buffer, 0)
            inputs.append(buffer)
        for node in self.graph.nodes:
            self.place(node)
        taken: set[Buffer] = set()
        outputs = [self.output(atom, taken) for atom in self.graph.outputs]
        for nest in self.nests.values():
            remove_unused(nest)
        steps = [*self.steps, *[nest for nest in self.nests.values() if nest.stores or nest.reductions]]
        steps.sort(key=lambda step: step.level)
        return Program(inputs, steps, outputs)

    # --- where values are -------------------------------------------------------------------------------------------

    def in_buffer(self, atom: Atom, buffer: Buffer, ready: int) -> Value:
        """Note that an atom fills a buffer, which may be read from a level on."""
        value = self.values[atom] = Value(None)
        value.view, value.ready = View.whole(buffer), ready
        return value

    def value(self, atom: Atom) -> Value:
        """Where an atom is; constants are found when they are asked for."""
        if atom in self.values:
            return self.values[atom]
        assert isinstance(atom, Const)
        repeated = repeated_number(atom.value)
        if repeated is None:
            array = np.ascontiguousarray(atom.value).reshape(np.shape(atom.value))
            return self.in_buffer(atom, Buffer(array.shape, array.dtype, "constant", array), 0)
        value = self.values[atom] = Value(None)
        value.number = repeated
        return value

    def reach(self, atom: Atom, index: Index, space: Shape) -> tuple[int, Value | None, int]:
        """The level from which on `atom[index]` can be had in nests over `space`, the value whose home this has to be
        for that, and the cost of having it there.  What is neither at home there nor cheap is put into memory.
        """
        value = self.realised(atom)
        if value.number is not None:
            return 0, None, 0
        if value.view is not None:
            return value.ready, None, 1
        node = value.node
        assert node is not None
        if is_move(node):
            found = move_index(node, index, space)
            if found is not None:
                return self.reach(node.operands[0], found, space)
            return self.in_memory(atom)[1], None, 1
        if value.space == space and is_aligned(index, value.loops):
            return value.level, value, value.cost
        if value.cost > CHEAP or not self.can_be_had(atom, index, space):
            return self.in_memory(atom)[1], None, 1
        return value.level, None, value.cost

    def can_be_had(self, atom: Atom, index: Index, space: Shape) -> bool:
        """Whether every move below a value can be said at an index."""
        try:
            self.evaluate(Draft(space, self.values[atom].level), atom, index)
        except NotAffineError:
            return False
        return True

    def reach_all(self, atom: Atom, indices: list[Index], space: Shape) -> tuple[int, Value | None, int]:
        """The same for several components: one that cannot be said through a move brings the whole value into memory."""
        found = self.reach(atom, indices[0], space)
        if is_move(self.value(atom).node):
            for index in indices[1:]:
                found = self.reach(atom, index, space)
        return found

    def realised(self, atom: Atom) -> Value:
        """The value of an atom, with its deposits added up."""
        value = self.value(atom)
        if value.pending is not None:
            self.add_deposits(atom, value)
        return value

    def settle(self, found: list[tuple[int, Value | None, int]], at_least: int = 0) -> tuple[int, int]:
        """The level of a reader, and its operands' cost; what is at home there at an earlier level is stored."""
        level = max([at_least, *[level for level, _, _ in found]])
        for _, value, cost in found:
            if value is not None and value.level < level and cost > CHEAP:
                assert value.node is not None
                self.in_memory(value.node.outputs[0])
        return level, min(WORST, sum(cost for _, _, cost in found))

    def nest(self, space: Shape, level: int) -> Draft:
        """The nest of a space and level."""
        key = (space, level)
        if key not in self.nests:
            self.nests[key] = Draft(space, level)
        return self.nests[key]

    def in_memory(self, atom: Atom) -> tuple[View, int]:
        """The view of a value, stored if it was in a nest only, and the level from which on it can be read."""
        value = self.realised(atom)
        if value.view is not None:
            return value.view, value.ready
        shape = tuple(atom.type.shape)
        if value.number is None and is_move(value.node):
            value.view, value.ready = self.moved_view(value.node)
            return value.view, value.ready
        buffer = Buffer(shape, atom.type.dtype, "temporary")
        if value.number is not None:
            buffer.kind, buffer.value = "constant", np.full(shape, value.number, atom.type.dtype)
            value.ready = 0
        else:
            value.ready = self.store(atom, View.whole(buffer)) + 1
        value.view = View.whole(buffer)
        return value.view, value.ready

    def moved_view(self, node: Any) -> tuple[View, int]:
        """The view that a move makes of its operand's."""
        source, shape = node.operands[0], tuple(node.outputs[0].type.shape)
        view, ready = self.in_memory(source)
        if node.primitive.name == "reshape" and view.is_contiguous:
            return View(view.buffer, shape, contiguous(shape), view.offset), ready
        (identity,) = indices_of(shape, tuple(range(len(shape))))
        found = move_index(node, identity, shape)
        if found is None:
            copy = Buffer(view.shape, view.buffer.dtype, "temporary")
            ready = self.copy(view, copy, ready)
            return View(copy, shape, contiguous(shape)), ready
        place = place_of(view, found, len(shape))
        return View(place.buffer, shape, place.strides, place.offset), ready

    def copy(self, view: View, buffer: Buffer, ready: int) -> int:
        """A view is laid out in a buffer; the level from which on that can be read."""
        if not buffer.size:
            return ready
        if not is_native(buffer.dtype):
            self.steps.append(HostCall(Copy(), [view], {}, [buffer], ready))
            return ready + 1
        draft = self.nest(view.shape, ready)
        (identity,) = indices_of(view.shape, tuple(range(len(view.shape))))
        draft.stores.append(Store(draft.load(view, identity), place_of(View.whole(buffer), identity, len(view.shape))))
        return ready + 1

    def copied(self, view: View, ready: int) -> tuple[View, int]:
        """A view laid out in a buffer of its own."""
        buffer = Buffer(view.shape, view.buffer.dtype, "temporary")
        ready = self.copy(view, buffer, ready)
        return View.whole(buffer), ready

    def store(self, atom: Atom, view: View, at_least: int = 0) -> int:
        """Every entry of an atom goes to its place in a view; the level at which that happens."""
        value = self.realised(atom)
        shape = tuple(atom.type.shape)
        is_home = value.view is None and value.number is None and not is_move(value.node) and value.level >= at_least
        loops, space = (value.loops, value.space) if is_home else (tuple(range(len(shape))), shape)
        level = value.level
        if not is_home:
            (identity,) = indices_of(shape, loops)
            level, _ = self.settle([self.reach(atom, identity, space)], at_least)
        draft = self.nest(space, level)
        for index in indices_of(shape, loops):
            draft.stores.append(Store(self.evaluate(draft, atom, index), place_of(view, index, len(space))))
        return level

    def output(self, atom: Atom, taken: set[Buffer]) -> View:
        """A buffer of its own for an output."""
        shape = tuple(atom.type.shape)
        value = self.realised(atom)
        if value.view is None and (value.number is not None or is_move(value.node)) and is_native(atom.type.dtype):
            buffer = Buffer(shape, atom.type.dtype, "output")
            if buffer.size:
                self.store(atom, View.whole(buffer))
            return View.whole(buffer)
        view, ready = self.in_memory(atom)
        buffer = view.buffer
        if buffer.kind != "temporary" or not view.is_whole or buffer in taken:
            buffer = Buffer(shape, atom.type.dtype, "output")
            self.copy(view, buffer, ready)
        buffer.kind = "output"
        taken.add(buffer)
        return View(buffer, shape, contiguous(shape))

    # --- where a node goes ------------------------------------------------------------------------------------------

    def place(self, node: Node) -> None:
        """Find out what a node is, and put it there."""
        name, outputs = node.primitive.name, node.outputs
        if all(0 in var.type.shape for var in outputs):
            for var in outputs:
                self.in_buffer(var, Buffer(tuple(var.type.shape), var.type.dtype, "temporary"), 0)
        elif is_move(node):
            self.values[outputs[0]] = Value(node)
        elif name in PLACES and all(is_native(a.type.dtype) for a in [*node.operands, *outputs]) and PLACES[name](self, node):
            return
        elif is_map(node):
            self.as_map(node)
        else:
            self.as_host_call(node)

    def as_map(self, node: Node) -> None:
        """An elementwise node joins the nest of its space."""
        if node.primitive.name == "add" and self.as_more_deposits(node):
            return
        out = node.outputs[0]
        shape = out.type.shape
        self.at_home(node, lambda index, atom: spread_index(index, atom.type.shape, shape), cost_of(node.primitive))

    def at_home(self, node: Node, operand_index: Any, cost: int) -> None:
        """A node is computed in the nest of its space, from operands at `operand_index(index, atom)`."""
        out = node.outputs[0]
        shape, loops = tuple(out.type.shape), self.spaces.loops(out)
        space = tuple([shape[k] for k in loops])
        value = Value(node, loops, space)
        components = list(indices_of(shape, loops))
        found = []
        for atom in node.operands:
            found.append(self.reach_all(atom, [operand_index(index, atom) for index in components], space))
        value.level, operands_cost = self.settle(found)
        value.cost = min(WORST, operands_cost + cost)
        self.values[out] = value
        draft = self.nest(space, value.level)
        for index in components:
            self.evaluate(draft, out, index)

    def as_reduction(self, node: Node) -> bool:
        """A reduction: of unrolled axes a row of scalar instructions, of loops a total that is kept beside them."""
        (source,), out = node.operands, node.outputs[0]
        if 0 in source.type.shape:
            return node.primitive.name == "sum" and self.as_number(out, 0)
        axes, keepdims = axes_of(node), node.params["keepdims"]
        if not axes:
            return False
        shape = tuple(source.type.shape)
        terms = math.prod(shape[k] for k in axes)
        if terms <= UNROLLED and self.is_loose(source, axes):
            rank = len(self.spaces.loops(out)) + 1
            inner = tuple([(0,) * rank] * len(axes))
            self.at_home(node, lambda index, atom: reduced_index(index, len(shape), axes, keepdims, inner), terms)
        else:
            self.as_total(node, axes, self.home_loops(source))
        return True

    def is_loose(self, source: Atom, axes: tuple[int, ...]) -> bool:
        """Whether entries along these axes can be had one by one."""
        value = self.realised(source)
        if value.view is not None or value.number is not None:
            return True
        return not is_move(value.node) and not set(axes) & set(value.loops)

    def home_loops(self, source: Atom) -> tuple[int, ...]:
        """The loops over which a value is best walked: its own, where it is computed in a nest."""
        value = self.realised(source)
        if value.view is None and value.node is not None and not is_move(value.node):
            return value.loops
        return tuple(range(len(source.type.shape)))

    def as_total(self, node: Node, axes: tuple[int, ...], loops: tuple[int, ...]) -> None:
        (source,), out = node.operands, node.outputs[0]
        shape = tuple(source.type.shape)
        space = tuple([shape[k] for k in loops])
        components = list(indices_of(shape, loops))
        level, _ = self.settle([self.reach_all(source, components, space)])
        draft = self.nest(space, level)
        buffer = Buffer(tuple(out.type.shape), out.type.dtype, "temporary")
        letters = tuple([j for j, k in enumerate(loops) if k in axes])
        groups: dict[Place, list[int]] = {}
        kept = View(buffer, shape, without(axes, shape))
        for index in components:
            groups.setdefault(place_of(kept, index, len(space)), []).append(self.evaluate(draft, source, index))
        for place, terms in groups.items():
            draft.reductions.append(Reduction(self.combined(draft, node, terms), letters, place, node.primitive.name))
        self.in_buffer(out, buffer, level + 1)

    def as_number(self, var: Var, number: Any) -> bool:
        """A value that is one number throughout."""
        value = self.values[var] = Value(None)
        value.number = var.type.dtype.type(number)
        return True

    def as_index(self, node: Node) -> bool:
        """Entries at places that constant arrays say; the array is in memory."""
        source, *arrays = node.operands
        layout = node.params["layout"]
        if not all(isinstance(a, Const) for a in arrays) or any(isinstance(part, bool) for part in layout):
            return False
        self.wrap(node, source.type.shape, arrays)
        self.in_memory(source)
        out = node.outputs[0]
        shape = tuple(out.type.shape)
        loops = tuple(range(len(shape)))
        value = Value(node, loops, shape)
        value.level, _ = self.settle([(self.in_memory(a)[1], None, 1) for a in node.operands])
        value.cost = 1 + 2 * len(arrays)
        self.values[out] = value
        (identity,) = indices_of(shape, loops)
        self.evaluate(self.nest(shape, value.level), out, identity)
        return True

    def wrap(self, node: Node, shape: Shape, arrays: list[Any]) -> None:
        """Constant indices, counted from the front."""
        lengths = []
        axis = 0
        for part in basic_parts(node.params["layout"], len(shape)):
            if isinstance(part, str):
                lengths.append(shape[axis])
            axis += part is not None
        for atom, n in zip(arrays, lengths, strict=True):
            index = np.asarray(atom.value)
            found = np.where(index < 0, index + n, index).astype(np.int64)
            value = self.values.get(atom)
            if value is None or value.view is None or not np.array_equal(value.view.buffer.value, found):
                self.in_buffer(atom, Buffer(found.shape, found.dtype, "constant", found), 0)

    def as_joined(self, node: Node) -> bool:
        """Parts side by side: unrolled ones are chosen, others are stored each into its window of one buffer."""
        out = node.outputs[0]
        shape = tuple(out.type.shape)
        axis = node.params["axis"] % len(shape)
        if axis not in self.spaces.loops(out):
            return self.as_chosen(node)
        buffer = Buffer(shape, out.type.dtype, "temporary")
        strides, start, ready = contiguous(shape), 0, 0
        for atom in node.operands:
            part = tuple(atom.type.shape)
            inner = strides if node.primitive.name == "concatenate" else strides[:axis] + strides[axis + 1 :]
            if 0 not in part:
                inner = tuple([s if n != 1 else 0 for s, n in zip(inner, part, strict=True)])
                ready = max(ready, self.store(atom, View(buffer, part, inner, start * strides[axis])) + 1)
            start += part[axis] if node.primitive.name == "concatenate" else 1
        self.in_buffer(out, buffer, ready)
        return True

    def as_chosen(self, node: Node) -> bool:
        """A node whose every component is one of its operands' or a number."""
        out = node.outputs[0]
        shape, loops = tuple(out.type.shape), self.spaces.loops(out)
        space = tuple([shape[k] for k in loops])
        found, indices = [], list(indices_of(shape, loops))
        for k, atom in enumerate(node.operands):
            for index in indices:
                there = self.spaces.operand_index(node, k, index, space)
                if there is not None:
                    found.append(self.reach(atom, there, space))
        value = Value(node, loops, space)
        value.level, value.cost = self.settle(found)
        value.cost += 1
        self.values[out] = value
        draft = self.nest(space, value.level)
        for index in indices:
            self.evaluate(draft, out, index)
        return True

    # --- deposits -----------------------------------------------------------------------------------------------------

    def as_deposit(self, node: Node) -> bool:
        """Entries put into zeros: chosen where unrolled; else kept waiting for others that are added to the same array."""
        source, *arrays = node.operands
        out = node.outputs[0]
        layout, shape = node.params["layout"], tuple(out.type.shape)
        if 0 in source.type.shape:
            return self.as_number(out, 0)
        if any(isinstance(part, bool) for part in layout) or not all(isinstance(a, Const) for a in arrays):
            return False
        if not arrays:
            loops = self.spaces.loops(out)
            parts = [p for p in basic_parts(layout, len(shape)) if p is not None]
            if all(k not in loops or is_full(part, shape[k]) for k, part in enumerate(parts)):
                return self.as_chosen(node)
        value = self.values[out] = Value(node)
        value.pending = [(node, source)]
        return True

    def as_more_deposits(self, node: Node) -> bool:
        """A sum with a deposit that nobody else reads is another deposit into the same array."""
        out = node.outputs[0]
        terms: list[tuple[Node | None, Atom]] = []
        shape = tuple(out.type.shape)
        values = [self.value(atom) for atom in node.operands]
        if not any(v.pending is not None and self.uses[a] == 1 for v, a in zip(values, node.operands, strict=True)):
            return False
        if any(tuple(a.type.shape) != shape or a.type.dtype != out.type.dtype for a in node.operands):
            return False
        for value, atom in zip(values, node.operands, strict=True):
            terms += value.pending if value.pending is not None and self.uses[atom] == 1 else [(None, atom)]
        terms.sort(key=lambda term: term[0] is not None)
        value = self.values[out] = Value(node)
        value.pending = terms
        return True

    def add_deposits(self, atom: Atom, value: Value) -> None:
        """All deposits of a sum go to one buffer, one after the other."""
        terms, value.pending = value.pending or [], None
        buffer = Buffer(tuple(atom.type.shape), atom.type.dtype, "temporary")
        ready = 1
        first = terms[0]
        if first[0] is None:
            ready = self.store(first[1], View.whole(buffer)) + 1
        else:
            self.steps.append(Fill(buffer, 0))
        adds, was_single = first[0] is None or len(first[0].operands) > 1, False
        for node, source in terms[first[0] is None :]:
            is_single = not source.type.shape
            at_least = ready - 1 if is_single and was_single else ready  # single numbers follow one another in one body
            ready = max(ready, self.deposit(node, source, View.whole(buffer), at_least, adds))
            adds, was_single = True, is_single
        value.view, value.ready = View.whole(buffer), ready

    def deposit(self, node: Node | None, source: Atom, target: View, ready: int, adds: bool) -> int:
        """One deposit; the level from which on the target can be touched again."""
        shape = tuple(source.type.shape)
        loops = tuple(range(len(shape)))
        (identity,) = indices_of(shape, loops)
        arrays = list(node.operands[1:]) if node is not None else []
        if arrays:
            assert node is not None
            self.wrap(node, target.shape, arrays)
        readers = [self.reach(a, spread_index(identity, a.type.shape, shape), shape) for a in [source][:1]]
        level, _ = self.settle(readers, ready)
        draft = self.nest(shape, level)
        op = self.evaluate(draft, source, identity)
        gathers: tuple[int, ...] = ()
        if node is None:
            place = place_of(target, identity, len(shape))
        elif arrays:
            place, gathers = self.gather_place(draft, target, node, arrays, identity)
        else:
            place = place_of(window(target, node.params["layout"]), identity, len(shape))
        draft.stores.append(Store(op, place, gathers, adds))
        return level + 1

    def as_assigned(self, node: Node) -> bool:
        """`x` with a window replaced: both parts are stored, or chosen where unrolled."""
        target, source, *arrays = node.operands
        if arrays or not is_basic(node.params["layout"]):
            return False
        out = node.outputs[0]
        shape = tuple(out.type.shape)
        layout = node.params["layout"]
        chosen = window_shape(shape, layout)
        if len(source.type.shape) > len(chosen) or {a.type.dtype for a in node.operands} != {out.type.dtype}:
            return False
        buffer = Buffer(shape, out.type.dtype, "temporary")
        ready = self.store(target, View.whole(buffer)) + 1
        if 0 not in chosen:
            (identity,) = indices_of(chosen, tuple(range(len(chosen))))
            index = spread_index(identity, source.type.shape, chosen)
            level, _ = self.settle([self.reach(source, index, chosen)], ready)
            draft = self.nest(chosen, level)
            place = place_of(window(View.whole(buffer), layout), identity, len(chosen))
            draft.stores.append(Store(self.evaluate(draft, source, index), place))
            ready = level + 1
        self.in_buffer(out, buffer, ready)
        return True

    def as_product(self, node: Node) -> bool:
        """A large matrix product, by BLAS."""
        out = node.outputs[0]
        found = matrix_product(node, self.in_memory, self.copied, self.wanted_order(out))
        if found is None:
            return False
        self.steps.append(found)
        value = self.in_buffer(out, found.result, found.level + 1)
        value.view = found.into
        return True

    def wanted_order(self, var: Var) -> Shape | None:
        """The order of axes in which the only reader of a product wants it, if the last axis stays the last."""
        users = self.users.get(var, [])
        if len(users) != 1:
            return None
        node = users[0]
        if node.primitive.name == "reshape" and 1 not in var.type.shape:
            split = node.outputs[0]
            return None if tuple(split.type.shape) != tuple(var.type.shape) else self.wanted_order(split)
        if node.primitive.name != "permute":
            return None
        order = tuple(node.params["axes"])
        return order if order[-1] == len(order) - 1 else None

    def as_host_call(self, node: Node) -> None:
        """Python is called back, on arrays in memory."""
        operands, level = [], 0
        for atom in node.operands:
            if isinstance(atom, Const):
                operands.append(atom.value)
                continue
            view, ready = self.in_memory(atom)
            operands.append(view)
            level = max(level, ready)
        results = [Buffer(tuple(var.type.shape), var.type.dtype, "temporary") for var in node.outputs]
        self.steps.append(HostCall(node.primitive, operands, node.params, results, level, node.location))
        for var, buffer in zip(node.outputs, results, strict=True):
            self.in_buffer(var, buffer, level + 1)


PLACES: dict[str, Any] = {
    "sum": Fuser.as_reduction,
    "max": Fuser.as_reduction,
    "min": Fuser.as_reduction,
    "index": Fuser.as_index,
    "deposit": Fuser.as_deposit,
    "assign": Fuser.as_assigned,
    "concatenate": Fuser.as_joined,
    "stack": Fuser.as_joined,
    "matmul": Fuser.as_product,
    "matmul_of_derivatives": Fuser.as_product,
}


def is_map(node: Node) -> bool:
    """Whether a node is elementwise, with native code for its dtypes."""
    return len(node.outputs) == 1 and scalar_code(node) is not None


def is_move(node: Node | None) -> bool:
    """Whether a node only says where entries are found."""
    if node is None or node.primitive.name not in MOVES:
        return False
    return node.primitive.name != "index" or (len(node.operands) == 1 and is_basic(node.params["layout"]))


def is_full(part: Any, n: int) -> bool:
    """Whether a part of an index takes every entry in order."""
    return isinstance(part, slice) and range(*part.indices(n)) == range(n)


def without(axes: tuple[int, ...], shape: Shape) -> Shape:
    """The strides over `shape` of an array that has lost some axes."""
    kept = contiguous(tuple([1 if k in axes else n for k, n in enumerate(shape)]))
    return tuple([0 if k in axes else s for k, s in enumerate(kept)])


def window(view: View, layout: Any) -> View:
    """The part of a view that a basic index takes."""
    shape, strides, offset, axis = [], [], view.offset, 0
    for part in basic_parts(layout, len(view.shape)):
        if part is None:
            shape.append(1)
            strides.append(0)
            continue
        n, step = view.shape[axis], view.strides[axis]
        axis += 1
        if isinstance(part, slice):
            taken = range(*part.indices(n))
            shape.append(len(taken))
            strides.append(step * taken.step)
            offset += taken.start * step if taken else 0
        else:
            offset += int(part) % n * step
    return View(view.buffer, tuple(shape), tuple(strides), offset)


def remove_unused(nest: LoopNest) -> None:
    """Leave out the ops that nothing needs."""
    needed = {store.op for store in nest.stores} | {r.op for r in nest.reductions}
    for store in nest.stores:
        needed.update(store.gathers)
    for place in reversed(range(len(nest.ops))):
        if place in needed:
            needed.update(nest.ops[place].operands)
    order = sorted(needed)
    places = {old: new for new, old in enumerate(order)}
    ops = []
    for old in order:
        op = nest.ops[old]
        ops.append(type(op)(op.code, tuple([places[p] for p in op.operands]), op.dtype, op.place, op.literal))
    nest.ops = ops
    nest.stores = [Store(places[s.op], s.place, tuple([places[g] for g in s.gathers]), s.adds) for s in nest.stores]
    nest.reductions = [Reduction(places[r.op], r.letters, r.place, r.combine) for r in nest.reductions]


def fuse(graph: Graph) -> Program:
    """See the module."""
    return Fuser(graph).program()
