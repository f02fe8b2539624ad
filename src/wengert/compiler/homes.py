"""Where values are, and how a reader comes to have them: at home, once more, or through memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wengert.compiler.bodies import WORST, Bodies, Draft, NotAffineError, Value, is_native, move_index, place_of
from wengert.compiler.builder import repeated_number
from wengert.compiler.indices import MOVES, Index, is_basic
from wengert.compiler.loops import Buffer, HostCall, Shape, Step, Store, View, contiguous
from wengert.compiler.native import cost_of_code
from wengert.compiler.spaces import indices_of, is_aligned
from wengert.core.graph import Atom, Const, Node

CHEAP = 32  # instructions that are rather taken again than stored and loaded
ALONG = 16  # steps of an innermost loop from which on what stays the same along it costs next to nothing
STREAMS, LARGE = 3, 2**14  # arrays of so many entries that are read once more rather than one that is written and read



@dataclass(frozen=True)
class Copy:
    """An array of its own: for outputs of dtypes that no nest can copy."""

    name: str = "copy"
    n_outputs: None = None

    @staticmethod
    def eval(x: Any) -> Any:
        """A copy."""
        return np.array(x)

class Homes(Bodies):
    """The values of a graph, the nests that are being written, and the other steps."""

    def __init__(self) -> None:
        super().__init__()
        self.nests: dict[tuple[Shape, int], Draft] = {}
        self.steps: list[Step] = []
        self.uses: dict[Atom, int] = {}  # how often each is read

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
        value = self.values.get(atom)
        if value is None or value.pending is not None:
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
        if value.cost > CHEAP or not self.can_be_had(atom, index, space) or self.reads_much(atom):
            return self.in_memory(atom)[1], None, 1
        stays = bool(space) and space[-1] >= ALONG and all(place[-1] == 0 for place in index)
        return value.level, None, max(1, value.cost // space[-1]) if stays else value.cost

    def reads_much(self, atom: Atom) -> bool:
        """Whether a large value is made of more large arrays than are worth reading again."""
        size = math.prod(atom.type.shape)
        found: set[Buffer] = set()
        waiting, seen = [atom], {atom}
        while waiting and size >= LARGE and len(found) <= STREAMS:
            value = self.realised(waiting.pop())
            if value.view is not None:
                found.update([value.view.buffer] if value.view.buffer.size >= size else [])
            elif value.node is not None:
                waiting += [part for part in value.node.operands if part not in seen]
                seen.update(value.node.operands)
        return len(found) > STREAMS

    def can_be_had(self, atom: Atom, index: Index, space: Shape) -> bool:
        """Whether every move below a value can be said at an index."""
        try:
            self.evaluate(Draft(space, self.values[atom].level), atom, index)
        except NotAffineError:
            return False
        return True

    def cost_once(self, atom: Atom, index: Index, space: Shape, cost: int) -> int:
        """The cost of a value that takes each of its parts once, and parts that stay the same along the last loop never:
        sums over operands count what they share several times.
        """
        if not CHEAP < cost <= 3 * CHEAP:
            return cost
        draft = Draft(space, self.values[atom].level)
        self.evaluate(draft, atom, index)
        moves: list[bool] = []  # along the last loop; what does not is taken before it
        total = 0
        for op in draft.ops:
            is_met = op.place is not None and (not space or space[-1] < ALONG or op.place.strides[-1] != 0)
            moves.append(is_met or any(moves[p] for p in op.operands))
            if moves[-1]:
                total += cost_of_code(op.code.partition(":")[2]) if op.place is None else 1
        return min(cost, total)

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
        level, total = at_least, 0
        for its_level, _, cost in found:
            total += cost
            level = max(level, its_level)
        for _, value, cost in found:
            if value is not None and value.level < level:
                assert value.node is not None
                (atom,) = value.node.outputs
                if cost > CHEAP or self.reads_much(atom):
                    self.in_memory(atom)
        return level, min(WORST, total)

    def nest(self, space: Shape, level: int) -> Draft:
        """The nest of a space and level."""
        key = (space, level)
        found = self.nests.get(key)
        if found is None:
            found = self.nests[key] = Draft(space, level)
        return found

    def for_python(self, atoms: Iterable[Atom]) -> tuple[list[Any], int]:
        """Operands of a call of Python, constants or views, and the level from which on they can be read."""
        operands: list[Any] = []
        level = 0
        for atom in atoms:
            if isinstance(atom, Const):
                operands.append(atom.value)
                continue
            view, ready = self.in_memory(atom)
            operands.append(view)
            level = max(level, ready)
        return operands, level

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
            self.steps.append(HostCall(Copy(), [view], {}, [View.whole(buffer)], ready))
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

    def add_deposits(self, atom: Atom, value: Value) -> None:
        """All deposits of a sum go to one buffer, one after the other."""
        raise NotImplementedError


def is_move(node: Node | None) -> bool:
    """Whether a node only says where entries are found."""
    if node is None or node.primitive.name not in MOVES:
        return False
    return node.primitive.name != "index" or (len(node.operands) == 1 and is_basic(node.params["layout"]))
