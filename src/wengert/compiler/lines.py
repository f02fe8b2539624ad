"""What goes along an axis in order: recurrences, as two nests, and stable orders of lines.

::

    y = cumsum x   ->   for j:               y[0, j] = x[0, j]
                        for i < n - 1, j:    y[i + 1, j] = y[i, j] + x[i + 1, j]

The second nest reads what it has written, one place before.  It runs upwards along the axis, in whatever order the loops are, so that lines
side by side are vectors; and no band takes its rows along the axis, as they would not be its own.
"""

from __future__ import annotations

import numpy as np

from wengert.compiler.bodies import Draft, is_native, place_of
from wengert.compiler.indices import Index, constant, plus
from wengert.compiler.loops import Buffer, Op, Sorting, Store, View, dtype_name
from wengert.compiler.native import has_meaning
from wengert.compiler.places import Places
from wengert.compiler.spaces import indices_of
from wengert.core.graph import Node
from wengert.core.primitive import Primitive


class Lines(Places):
    """Homes for what goes along an axis."""

    def along_axis(self, node: Node) -> bool:
        """A recurrence or an order joins the steps; false if a node is neither, or has no native code."""
        atoms = [*node.operands, *node.outputs]
        if len(node.outputs) > 1 or any(0 in a.type.shape or not is_native(a.type.dtype) for a in atoms):
            return False
        if node.primitive.name == "stable_order":
            return self.as_order(node)
        return isinstance(node.primitive, Primitive) and node.primitive.step is not None and self.as_recurrence(node)

    def as_recurrence(self, node: Node) -> bool:
        """The first entry of every line, and then each from the one before."""
        assert node.primitive.step is not None
        out = node.outputs[0]
        shape, dtype = tuple(out.type.shape), out.type.dtype
        codes = node.primitive.step(node.params)
        if codes is None or any(tuple(a.type.shape) != shape or a.type.dtype != dtype for a in node.operands):
            return False
        first, step, axis = codes
        name = dtype_name(dtype)
        if not all(has_meaning(node.primitive.name, code, name, len(node.operands) + 1) for code in (first, step)):
            return False
        axis %= len(shape)
        buffer = Buffer(shape, dtype, "temporary")
        level = self.line_nest(node, buffer, axis, first, 0)
        if shape[axis] > 1:
            level = self.line_nest(node, buffer, axis, step, level + 1)
        self.in_buffer(out, buffer, level + 1)
        return True

    def line_nest(self, node: Node, buffer: Buffer, axis: int, code: str, at_least: int) -> int:
        """The entries of all lines at the beginning, or behind it; the level at which they are written."""
        is_first = at_least == 0
        n = 1 if is_first else buffer.shape[axis] - 1
        space = (*buffer.shape[:axis], n, *buffer.shape[axis + 1 :])
        (before,) = indices_of(space, tuple(range(len(space))))
        here = before if is_first else moved_on(before, axis)
        level, _ = self.settle([self.reach(atom, here, space) for atom in node.operands], at_least)
        draft = Draft(space, level)
        whole = View.whole(buffer)
        entries = [self.evaluate(draft, atom, here) for atom in node.operands]
        state = entries[0] if is_first else draft.load(whole, before)
        name = dtype_name(buffer.dtype)
        value = draft.add(Op(f"{name}:{code}", (state, *entries), buffer.dtype))
        draft.stores.append(Store(value, place_of(whole, here, len(space))))
        self.steps.append(draft)
        return level

    def as_order(self, node: Node) -> bool:
        """The places of the entries of each line in ascending order, equal ones in the order in which they stand."""
        (x,), out = node.operands, node.outputs[0]
        if out.type.dtype != np.dtype(np.int64):
            return False
        view, level = self.in_memory(x)
        buffer = Buffer(tuple(out.type.shape), out.type.dtype, "temporary")
        self.steps.append(Sorting(view, buffer, node.params["axis"] % len(view.shape), level))
        self.in_buffer(out, buffer, level + 1)
        return True


def moved_on(index: Index, axis: int) -> Index:
    """One place further along an axis."""
    n = len(index) if not index else len(index[0]) - 1
    return tuple([plus(place, constant(1, n)) if k == axis else place for k, place in enumerate(index)])


