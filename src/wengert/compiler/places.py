"""Entries picked from places and put into places: gathers, deposits and their sums, windows that are joined or written."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from wengert.compiler.bodies import Draft, Value, advanced_axis, place_of, window_shape
from wengert.compiler.homes import Homes
from wengert.compiler.indices import Index, basic_parts, is_basic, spread_index
from wengert.compiler.loops import Buffer, Check, Fill, Op, Place, Shape, Store, View, contiguous, dtype_name
from wengert.compiler.ranges import Ranges
from wengert.compiler.spaces import Spaces, indices_of
from wengert.compiler.stencils import MOST, SMALLEST, Box, boxes_of, covers, index_in, window_of
from wengert.core.graph import Atom, Const, Node, Var
from wengert.core.primitive import primitive_named
from wengert.core.types import ArrayType, type_of
from wengert.primitives.index import fill


class Places(Homes):
    """Homes for selections."""

    spaces: Spaces
    uses: dict[Atom, int]

    def __init__(self) -> None:
        super().__init__()
        self.counted: dict[tuple[Atom, int], Atom] = {}  # index arrays, counted from the front of an axis of some length

        self.makers: dict[Atom, Node] = {}
        self.ranges = Ranges(self.makers)

    def place(self, node: Node) -> None:
        """Find out what a node is, and put it there."""
        raise NotImplementedError

    def as_number(self, var: Var, number: Any) -> bool:
        """A value that is one number throughout."""
        value = self.values[var] = Value(None)
        value.number = var.type.dtype.type(number)
        return True

    # --- index arrays ---------------------------------------------------------------------------------------------------

    def with_indices(self, node: Node, shape: Shape) -> Node:
        """The node with index arrays that are counted from the front, and known to be inside."""
        lengths, axis = [], 0
        for part in basic_parts(node.params["layout"], len(shape)):
            if isinstance(part, str):
                lengths.append(shape[axis])
            axis += part is not None
        arrays = [self.inside(atom, n, node.location) for atom, n in zip(node.operands[1:], lengths, strict=True)]
        return replace(node, operands=(node.operands[0], *arrays))

    def inside(self, atom: Atom, n: int, location: str) -> Atom:
        """An index array counted from the front; where it depends on inputs, the program stops if it points outside."""
        key = (atom, n)
        if key not in self.counted:
            if isinstance(atom, Const):
                index = np.asarray(atom.value)
                found = np.where(index < 0, index + n, index).astype(np.int64)
                self.counted[key] = Const(found, type_of(found))
            elif (bounds := self.ranges.of(atom)) is not None and bounds[0] >= 0 and bounds[1] < n:
                self.counted[key] = atom
            else:
                self.counted[key] = self.checked(atom, n, location)
        return self.counted[key]

    def checked(self, atom: Atom, n: int, location: str) -> Atom:
        """`where(bad, 0, where(i < 0, i + n, i))`, and a step that looks whether any is bad."""
        wide, truth = ArrayType(atom.type.shape, np.dtype(np.int64)), ArrayType(atom.type.shape, np.dtype(bool))
        zero, length = Const(np.int64(0), ArrayType((), wide.dtype)), Const(np.int64(n), ArrayType((), wide.dtype))

        def made(name: str, operands: tuple[Atom, ...], type_: ArrayType, **params: Any) -> Var:
            out = Var(type_)
            self.place(Node(primitive_named(name), operands, params, (out,), location))
            return out

        index = atom if atom.type.dtype == wide.dtype else made("cast", (atom,), wide, dtype=wide.dtype)
        front = made("where", (made("less", (index, zero), truth), made("add", (index, length), wide), index), wide)
        low, high = made("less", (front, zero), truth), made("greater_equal", (front, length), truth)
        bad = made("logical_or", (low, high), truth)
        axes = tuple(range(-len(atom.type.shape), 0))
        anywhere = made("max", (bad,), ArrayType((), truth.dtype), axis=axes, keepdims=False) if axes else bad
        view, ready = self.in_memory(anywhere)
        self.steps.append(Check(view.buffer, ready, location))
        return made("where", (bad, zero, front), wide)

    def has_native_indices(self, node: Node) -> bool:
        """Whether all index arrays are whole numbers with something in them."""
        layout = node.params["layout"]
        arrays = node.operands[1:]
        return not any(isinstance(p, bool) for p in layout) and all(a.type.dtype.kind in "iu" and 0 not in a.type.shape for a in arrays)

    def as_index(self, node: Node) -> bool:
        """Entries at places that arrays say; the array that they are picked from is in memory."""
        source, out = node.operands[0], node.outputs[0]
        if not self.has_native_indices(node) or 0 in source.type.shape:
            return False
        node = self.with_indices(node, source.type.shape)
        shape = tuple(out.type.shape)
        loops = tuple(range(len(shape)))
        value = Value(node, loops, shape)
        (identity,) = indices_of(shape, loops)
        ready = self.in_memory(node.operands[0])[1]
        value.level, cost = self.settle(self.reach_indices(node, identity, shape), ready)
        value.cost = 2 + cost
        self.values[out] = value
        self.evaluate(self.nest(shape, value.level), out, identity)
        return True

    def reach_indices(self, node: Node, index: Index, space: Shape) -> list[tuple[int, Value | None, int]]:
        """How the index arrays of a node can be had at an index of its result."""
        arrays = node.operands[1:]
        common = np.broadcast_shapes(*[a.type.shape for a in arrays])
        before = advanced_axis(node.params["layout"], len(node.operands[0].type.shape))
        inner = index[before : before + len(common)]
        return [self.reach(a, spread_index(inner, tuple(a.type.shape), common), space) for a in arrays]

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
        if not self.has_native_indices(node):
            return False
        if not arrays:
            loops = self.spaces.loops(out)
            parts = [p for p in basic_parts(layout, len(shape)) if p is not None]
            if all(k not in loops or is_full(part, shape[k]) for k, part in enumerate(parts)):
                return self.as_chosen(node)
        if arrays:
            node = self.with_indices(node, shape)
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
            more: list[tuple[Node | None, Atom]] = [(None, atom)]
            if value.pending is not None and self.uses[atom] == 1:
                more = value.pending
            terms, more = (terms, more) if len(terms) >= len(more) else (more, terms)
            terms.extend(more)  # the list of an operand goes on in its only reader
        value = self.values[out] = Value(node)
        value.pending = terms
        return True

    def add_deposits(self, atom: Atom, value: Value) -> None:
        """All deposits of a sum go to one buffer, one after the other."""
        terms, value.pending = sorted(value.pending or [], key=lambda term: term[0] is not None), None
        buffer = Buffer(tuple(atom.type.shape), atom.type.dtype, "temporary")
        found = self.add_windows(terms, buffer)
        if found is not None:
            value.view, value.ready = View.whole(buffer), found
            return
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

    def add_windows(self, terms: list[tuple[Node | None, Atom]], buffer: Buffer) -> int | None:
        """Windows that overlap are added box by box; the level from which on the sum can be read, or `None` if there are many boxes."""
        windows = [window_of(node, buffer.shape) for node, _ in terms]
        known = [window for window in windows if window is not None]
        if len(known) < len(terms) or min(math.prod(atom.type.shape) for _, atom in terms) < SMALLEST:
            return None
        boxes = boxes_of(known, buffer.shape)
        if len(boxes) > MOST:
            return None
        return max([self.add_box(terms, known, box, buffer) for box in boxes])

    def add_box(self, terms: list[tuple[Node | None, Atom]], windows: list[Box], box: Box, buffer: Buffer) -> int:
        """The windows that cover a box, added there; the level from which on it can be read."""
        space = tuple([len(part) for part in box])
        there = [
            (atom, index_in(node, window, box, len(atom.type.shape)))
            for (node, atom), window in zip(terms, windows, strict=True)
            if covers(window, box)
        ]
        level, _ = self.settle([self.reach(atom, index, space) for atom, index in there])
        draft = self.nest(space, level)
        parts = [self.evaluate(draft, atom, index) for atom, index in there]
        if len(parts) < len(terms) > 1 or not parts:
            parts.append(draft.number(buffer.dtype.type(0)))  # which decides about the sign of zero
        total = parts[0]
        for part in parts[1:]:
            total = draft.add(Op(f"{dtype_name(buffer.dtype)}:a + b", (total, part), buffer.dtype))
        whole = contiguous(buffer.shape)
        start = sum(step * part.start for step, part in zip(whole, box, strict=True))
        draft.stores.append(Store(total, Place(buffer, whole, start)))
        return level + 1

    def deposit(self, node: Node | None, source: Atom, target: View, ready: int, adds: bool) -> int:
        """One deposit; the level from which on the target can be touched again."""
        shape = tuple(source.type.shape)
        loops = tuple(range(len(shape)))
        (identity,) = indices_of(shape, loops)
        arrays = list(node.operands[1:]) if node is not None else []
        readers = [self.reach(source, identity, shape), *[(self.in_memory(a)[1], None, 1) for a in arrays]]
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
        if arrays:
            return self.as_scattered(node)
        if not is_basic(node.params["layout"]):
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

    def as_scattered(self, node: Node) -> bool:
        """`x` with entries replaced at places that arrays say: the last value of a place stays, so that the order of loops is kept."""
        target, source, *arrays = node.operands
        out = node.outputs[0]
        shape, layout = tuple(out.type.shape), node.params["layout"]
        reader = replace(node, operands=(target, *arrays))
        if not self.has_native_indices(reader) or {target.type.dtype, source.type.dtype} != {out.type.dtype}:
            return False
        reader = self.with_indices(reader, shape)
        chosen = tuple(np.broadcast_to(np.empty(()), shape)[fill(layout, [np.zeros(a.type.shape, int) for a in arrays])].shape)
        if len(source.type.shape) > len(chosen):
            return False
        buffer = Buffer(shape, out.type.dtype, "temporary")
        ready = self.store(target, View.whole(buffer)) + 1
        if 0 not in chosen:
            (identity,) = indices_of(chosen, tuple(range(len(chosen))))
            index = spread_index(identity, tuple(source.type.shape), chosen)
            found = [self.reach(source, index, chosen), *self.reach_indices(reader, identity, chosen)]
            level, _ = self.settle(found, ready)
            draft = Draft(chosen, level)
            value = self.evaluate(draft, source, index)
            place, gathers = self.gather_place(draft, View.whole(buffer), reader, list(reader.operands[1:]), identity)
            draft.stores.append(Store(value, place, gathers))
            self.steps.append(draft)
            ready = level + 1
        self.in_buffer(out, buffer, ready)
        return True


def is_full(part: Any, n: int) -> bool:
    """Whether a part of an index takes every entry in order."""
    return isinstance(part, slice) and range(*part.indices(n)) == range(n)


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
