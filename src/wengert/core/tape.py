"""A record without an end: every operation is a node that its results hold, and that holds those it came from.

A `Record` is the list of one call, thrown away as a whole.  Here a program has no first and no last line: what nobody
can reach any more is forgotten, by reference counting alone.  To walk back from some values, the nodes that
lead to them are put in order, and `walk_entries` walks them as the entries of a record (`core/walk.py`): it is the same list.

Values are never written in place (writing lets a name stand for another value), so a node keeps what was true when it ran.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from itertools import count
from typing import Any

import numpy as np

from wengert._source import Instruction, running_instruction
from wengert.core.array import Array
from wengert.core.primitive import Params, Primitive
from wengert.core.record import Entry, absent
from wengert.core.trace import NO_PARAMS, Trace, Tracer
from wengert.core.types import type_of

_numbers = count(1)
_NONE: tuple[int, ...] = ()
_FIRST, _SECOND, _BOTH = (0,), (1,), (0, 1)  # slots
NOTED = "noted"  # in the place of `True`: nodes remember besides what met there, and on which line
is_recording: ContextVar[Any] = ContextVar("is_recording", default=True)


class Node:
    """One operation of the program, or an input (whose entry is `None`).

    `entry` is that of a record, `(primitive, operands, params, result, slots, parents)`, with nodes for places; once a walk
    has let go what the operation kept, the operands are `None`.
    `replay` is what it takes to run once more an operation that was run so as to give more than its results.
    """

    __slots__ = ("__weakref__", "entry", "hooks", "note", "number", "owner", "replay", "variable")
    owner: tuple[Node, int]
    note: tuple[Primitive, tuple[Any, ...], Params, tuple[Any, ...], Instruction]  # with operands and results as they were
    replay: tuple[Sequence[Any], Params] | None
    variable: Any  # of an input: what the owner of the tape knows about it

    def __init__(self, entry: Entry | None) -> None:
        self.entry = entry
        self.number = next(_numbers)
        self.hooks: dict[int, Callable[[Any], Any]] | None = None  # each may replace the cotangent that arrives

    @property
    def is_input(self) -> bool:
        """Whether no operation made it."""
        return self.entry is None


class Part(Node):
    """One of several results of an operation: `owner` is its node, and its place."""

    __slots__ = ()

    def __init__(self, owner: Node, place: int) -> None:
        self.entry = ()
        self.number = owner.number
        self.hooks = None
        self.owner = owner, place


class Tape(Trace):
    """Watch every operation on tracers of `kind`, below all transformations of functions."""

    __slots__ = ("kind",)

    def __init__(self, kind: type[Array]) -> None:
        self.level = self.lowest_level
        self.kind = kind

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        if len(operands) == 1:
            return self.one(primitive, operands[0], params)
        values = tuple([x.value if isinstance(x, Tracer) else _unchanging(x) for x in operands])
        slots = tuple([k for k, x in enumerate(operands) if isinstance(x, Tracer) and x.extra is not None])
        parents = tuple([operands[k].extra for k in slots])
        if is_recording.get() is not True:
            return self._aside(primitive, values, params, slots, parents)
        return self._recorded(primitive, values, params, slots, parents)

    def one(self, primitive: Primitive, x: Any, params: Mapping[str, Any] = NO_PARAMS, rest: tuple[Any, ...] = ()) -> Any:
        """`process` of one tracer, and of plain values that stay as they are: a small operation costs no more than this."""
        parent = x.extra
        values = (x.value, *rest) if rest else (x.value,)
        if parent is None or primitive.pull is None or is_recording.get() is not True:
            return self._aside(primitive, values, params, _NONE if parent is None else _FIRST, (parent,))
        if primitive.augment is not None or primitive.n_outputs is not None:
            return self._process_many(primitive, values, params, _FIRST, (parent,))
        result = needed = primitive.eval(*values, **params)
        if primitive.kept is not None:
            values, params, needed = primitive.kept(values, params, result)
        return self.kind(result, self, Node((primitive, values, params, needed, _FIRST, (parent,))))

    def two(self, primitive: Primitive, a: Any, b: Any, first: Node | None, second: Node | None) -> Any:
        """`process` of two plain values, and the nodes that they came from, by a primitive without params."""
        slots: tuple[int, ...]
        parents: tuple[Any, ...]
        if first is None:
            slots, parents = (_NONE, ()) if second is None else (_SECOND, (second,))
        else:
            slots, parents = (_FIRST, (first,)) if second is None else (_BOTH, (first, second))
        if not slots or primitive.pull is None or is_recording.get() is not True:
            return self._aside(primitive, (a, b), NO_PARAMS, slots, parents)
        if primitive.augment is not None or primitive.n_outputs is not None:
            return self._process_many(primitive, (a, b), NO_PARAMS, slots, parents)
        result = needed = primitive.eval(a, b)
        values: tuple[Any, ...] = (a, b)
        params = NO_PARAMS
        if primitive.kept is not None:
            values, params, needed = primitive.kept(values, params, result)
        return self.kind(result, self, Node((primitive, values, params, needed, slots, parents)))

    def _recorded(self, primitive: Primitive, values: tuple[Any, ...], params: Params, slots: tuple[int, ...], parents: tuple[Any, ...]) -> Any:
        if not slots or primitive.pull is None:
            return self._without_slope(primitive, values, params, slots, parents)
        if primitive.augment is not None or primitive.n_outputs is not None:
            return self._process_many(primitive, values, params, slots, parents)
        result = needed = primitive.eval(*values, **params)
        if primitive.kept is not None:
            values, params, needed = primitive.kept(values, params, result)
        return self.kind(result, self, Node((primitive, values, params, needed, slots, parents)))

    def _aside(self, primitive: Primitive, values: tuple[Any, ...], params: Params, slots: tuple[int, ...], parents: tuple[Any, ...]) -> Any:
        """Where nothing is recorded, or more than usual."""
        if not slots or is_recording.get() is not NOTED:
            return self._without_slope(primitive, values, params, slots, parents)
        token = is_recording.set(True)
        try:
            result = self._recorded(primitive, values, params, slots, parents)
        finally:
            is_recording.reset(token)
        results = (result,) if primitive.n_outputs is None else tuple(result)
        node = next((y.extra for y in results if y.extra is not None), None)
        if node is not None:
            owner = node.owner[0] if type(node) is Part else node
            owner.note = primitive, values, params, tuple([y.value for y in results]), running_instruction()
        return result

    def _without_slope(
        self,
        primitive: Primitive,
        values: Sequence[Any],
        params: Params,
        slots: tuple[int, ...],
        parents: tuple[Node, ...],
    ) -> Any:
        """Results that depend on nothing; those of steps, as `floor`, do depend on their operand, by a slope of zero."""
        result = primitive.eval(*values, **params)
        if primitive.n_outputs is None and (not slots or primitive.pull is not None):
            return self.kind(result, self, None)
        if primitive.n_outputs is not None:
            return tuple([self.kind(part, self, None) for part in result])
        if not slots or primitive.is_held or result.dtype.kind not in "fc" or not is_recording.get():
            return self.kind(result, self, None)
        types = tuple([type_of(x) if k in slots else None for k, x in enumerate(values)])
        return self.kind(result, self, Node((_flat(primitive), types, params, None, slots, parents)))

    def _process_many(
        self, primitive: Primitive, values: tuple[Any, ...], params: Params, slots: tuple[int, ...], parents: tuple[Node, ...]
    ) -> Any:
        run_params, kept_params, n_results = params, params, None
        if primitive.augment is not None:
            run_params, kept_params, n_results = primitive.augment(slots, values, params)
        result = primitive.eval(*values, **run_params)
        kept_values, needed = values, result
        if primitive.kept is not None:
            kept_values, kept_params, needed = primitive.kept(values, kept_params, result)
        node = Node((primitive, tuple(kept_values), kept_params, needed, slots, parents))
        if primitive.augment is not None:
            node.replay = values, params
        if primitive.n_outputs is None:
            return self.kind(result, self, node)
        return self.results(node, result[:n_results])

    def results(self, node: Node, values: Sequence[Any]) -> tuple[Any, ...]:
        """Several results of one node; those that are integers depend on nothing."""
        return tuple([self.kind(y, self, Part(node, k) if y.dtype.kind in "fc" else None) for k, y in enumerate(values)])

    def input(self, value: Any) -> Any:
        """A value to differentiate with respect to."""
        return self.kind(value, self, Node(None))

    def constant(self, value: Any, like: Any) -> Any:
        return self.kind(value, self, None)

    def is_constant(self, tracer: Tracer) -> bool:
        return tracer.extra is None

    def written(self, x: Any, new: Any) -> Any:
        """Where nothing is recorded only values change: what is written into keeps its history."""
        if not is_recording.get() or new.extra is x.extra:
            return x.extra
        return new.extra


@functools.cache
def _flat(primitive: Primitive) -> Primitive:
    """The same function with the slope zero said out loud: a cotangent of zeros arrives, and not none."""
    return Primitive(
        primitive.name, primitive.eval, family=primitive.family, batch=primitive.batch, pattern=primitive.pattern, register=False,
        push=lambda dxs, y, xs, params: None,
        pull=lambda ct, slots, y, xs, params: [absent(xs[slot]) for slot in slots],
    )  # fmt: skip


def _unchanging(x: Any) -> Any:
    """An operand as it is now: a plain array may be written into later, which values of tracers are not."""
    return x.copy(order="K") if type(x) is np.ndarray and x.flags.writeable else x
