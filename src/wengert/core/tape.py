"""A record without an end: every operation is a node that its results hold, and that holds those it came from.

A `Record` is the list of one call, thrown away as a whole.  Here a program has no first and no last line: what nobody
can reach any more is forgotten, by reference counting alone.  To walk back from some values, the nodes that
lead to them are written in order as the entries of a record, and `walk_entries` walks them: it is the same list.

Values are never written in place (writing lets a name stand for another value), so a node keeps what was true when it ran.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
from typing import Any

import numpy as np

from wengert.core.array import Array
from wengert.core.primitive import Params, Primitive
from wengert.core.record import Entry, Record, absent, walk_entries
from wengert.core.trace import NO_PARAMS, Trace, Tracer
from wengert.core.types import ArrayType, type_of
from wengert.errors import BackwardError

_numbers = count(1)
_FIRST, _SECOND, _BOTH = (0,), (1,), (0, 1)  # slots
_number = attrgetter("number")
is_recording: ContextVar[bool] = ContextVar("is_recording", default=True)


class Node:
    """One operation of the program, or an input (whose entry is `None`).

    `entry` is that of a record, `(primitive, operands, params, result, slots, parents)`, with nodes for places; once a walk
    has let go what the operation kept, the operands are `None`.
    `replay` is what it takes to run once more an operation that was run so as to give more than its results.
    """

    __slots__ = ("__weakref__", "entry", "hooks", "number", "owner", "replay", "variable")
    owner: tuple[Node, int]
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
        kind = self.kind
        slots: tuple[int, ...] = ()
        parents: tuple[Node, ...] = ()
        values: Sequence[Any]
        if len(operands) == 1:  # the usual case first
            x = operands[0]
            if x.extra is not None:
                slots, parents = _FIRST, (x.extra,)
            values = (x.value,)
        elif len(operands) == 2:
            a, b = operands
            parent = other = None
            if isinstance(a, Tracer):
                parent, a = a.extra, a.value
            elif type(a) is np.ndarray:
                a = _unchanging(a)
            if isinstance(b, Tracer):
                other, b = b.extra, b.value
            elif type(b) is np.ndarray:
                b = _unchanging(b)
            if other is None:
                if parent is not None:
                    slots, parents = _FIRST, (parent,)
            else:
                slots, parents = (_SECOND, (other,)) if parent is None else (_BOTH, (parent, other))
            values = (a, b)
        else:
            values = [x.value if isinstance(x, Tracer) else _unchanging(x) for x in operands]
            slots = tuple([k for k, x in enumerate(operands) if isinstance(x, Tracer) and x.extra is not None])
            parents = tuple([operands[k].extra for k in slots])
        if not slots or primitive.pull is None or not is_recording.get():
            return self._without_slope(primitive, values, params, slots, parents)
        if primitive.augment is not None or primitive.n_outputs is not None:
            return self._process_many(primitive, tuple(values), params, slots, parents)
        result = needed = primitive.eval(*values, **params)
        if primitive.kept is not None:
            values, params, needed = primitive.kept(values, params, result)
        return kind(result, self, Node((primitive, tuple(values), params, needed, slots, parents)))

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


# --- walking back ----------------------------------------------------------------------------------------------------


def lineage(roots: Sequence[Node]) -> list[Node]:
    """The nodes that lead to `roots`, inputs first, and operations in the order in which they ran."""
    seen = set(roots)
    stack = list(dict.fromkeys(roots))
    inputs, operations = [], []
    while stack:
        node = stack.pop()
        entry = node.entry
        if entry is None:
            inputs.append(node)
            continue
        if entry:
            operations.append(node)
            found: Sequence[Node] = entry[5]
        else:  # a part, whose operation is its owner
            found = (node.owner[0],)
        for parent in found:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    operations.sort(key=_number)
    return inputs + operations


class Walk:
    """The nodes behind some values, written as entries of a record.

    With `wanted`, nodes that do not lead from one of those are left out.  `tape` asks for a walk that is recorded itself: operands
    are tracers again.  Hooks, and the wish to see what arrives at the result of an operation, become entries of their own behind it.
    """

    __slots__ = ("captured", "entries", "n_inputs", "nodes", "places", "tape")

    def __init__(
        self,
        roots: Sequence[Node],
        wanted: Sequence[Node] | None = None,
        captured: Sequence[Node] = (),
        tape: Tape | None = None,
    ) -> None:
        self.nodes = lineage(roots)
        self.tape = tape
        self.entries: list[Entry | None] = []
        self.places: dict[Node, int | None] = {}
        self.captured: dict[Node, list[Any]] = {node: [] for node in captured} if captured else {}
        self.n_inputs = 0
        active = None if wanted is None else _leading_from(wanted, self.nodes)
        is_plain = tape is None and not captured
        entries, places = self.entries, self.places
        for node in self.nodes:
            if active is not None and node not in active:
                continue
            entry = node.entry
            if entry is not None and is_plain and node.hooks is None and entry[1] is not None and entry[0].n_outputs is None:
                there = tuple(map(places.get, entry[5]))  # the usual case first
                if None not in there:
                    places[node] = len(entries)
                    entries.append((*entry[:5], there))
                    continue
            self._write(node)

    def place_of(self, node: Node) -> int | None:
        """Where a node stands in the list; `None` where it does not."""
        found = self.places.get(node)
        if found is None and type(node) is Part:
            owner = self.places.get(node.owner[0])
            if owner is not None:
                found = self.places[node] = self._hooked(node, owner + node.owner[1])
        return found

    def _hooked(self, node: Node, place: int) -> int:
        hooks = tuple(node.hooks.values()) if node.hooks else ()
        if node in self.captured:
            hooks = (*hooks, self.captured[node].append)
        if not hooks:
            return place
        self.entries.append((hooked, (None,), {"hooks": hooks}, None, (0,), (place,)))
        return len(self.entries) - 1

    def _write(self, node: Node) -> None:
        entries = self.entries
        if node.entry is None:
            self.places[node] = len(entries)
            entries.append(None)
            self.n_inputs += 1
            return
        primitive, values, params, result, slots, parents = node.entry
        if values is None:
            raise BackwardError.of_second_walk()
        places: tuple[Any, ...] = tuple(map(self.places.get, parents))
        if None in places:
            pairs = [(slot, self.place_of(parent)) for slot, parent in zip(slots, parents, strict=True)]
            slots = tuple([slot for slot, there in pairs if there is not None])
            places = tuple([there for _, there in pairs if there is not None])
        if self.tape is not None:
            primitive, values, params, result = _traced(node, self.tape)
        place = len(entries)
        entries.append((primitive, values, params, result, slots, places) if slots else None)
        if primitive.n_outputs is not None:
            entries.extend([None] * (len(result) - 1))
        self.places[node] = self._hooked(node, place) if node.hooks or self.captured else place

    def free(self) -> None:
        """Let the nodes go what they kept; this walk still has it."""
        for node in self.nodes:
            entry = node.entry
            if entry and entry[1] is not None and (entry[3] is not None or not _LIGHT.issuperset(map(type, entry[1]))):
                node.entry = (entry[0], None, NO_PARAMS, None, entry[4], entry[5])
                node.replay = None

    def record(self) -> Record:
        """The list as a record, which can be walked forwards as well."""
        record = Record()
        record.entries, record.n_inputs = self.entries, self.n_inputs
        return record

    def back(self, roots: Sequence[Node], cts: Sequence[Any], wanted: Sequence[Node], *, consume: bool = True) -> list[Any]:
        """The cotangents that arrive at `wanted` from `cts` of `roots`; `None` where none does."""
        found = [self.place_of(node) for node in roots]
        totals: list[Any] = [None] * len(self.entries)
        for place, ct in zip(found, cts, strict=True):
            if place is not None:
                totals[place] = ct if totals[place] is None else totals[place] + ct
        with np.errstate(all="ignore"):
            walk_entries(self.entries, self.n_inputs, totals, consume=consume)
        if self.captured:
            return [self._arrived(node, totals) for node in wanted]
        cts = [None if (place := self.places.get(node)) is None else totals[place] for node in wanted]
        return [ct if ct is None or not node.hooks else _through(node.hooks.values(), ct) for node, ct in zip(wanted, cts, strict=True)]

    def _arrived(self, node: Node, totals: list[Any]) -> Any:
        if node in self.captured:
            seen = self.captured[node]
            return seen[0] if seen else None
        place = self.places.get(node)
        ct = None if place is None else totals[place]
        return ct if ct is None or not node.hooks else _through(node.hooks.values(), ct)


def _leading_from(wanted: Sequence[Node], nodes: Sequence[Node]) -> set[Node]:
    """Of nodes in order, those that are wanted, and the operations to which something leads from one of them."""
    active = {_operation(node) for node in wanted}
    for node in nodes:
        if node.entry and any(_operation(parent) in active for parent in node.entry[5]):
            active.add(node)
    return active


def _operation(node: Node) -> Node:
    return node.owner[0] if type(node) is Part else node


def _traced(node: Node, tape: Tape) -> tuple[Any, ...]:
    """What an entry says, with operands and results that are tracers of the tape, as they were when it ran."""
    assert node.entry
    primitive, values, params, result, slots, parents = node.entry
    replay = getattr(node, "replay", None)
    found = list(values if replay is None else replay[0])
    for slot, parent in zip(slots, parents, strict=True):
        if isinstance(found[slot], (np.ndarray, np.generic)):
            found[slot] = tape.kind(found[slot], tape, parent)
    if replay is not None:
        return _run_again(primitive, found, replay[1])
    if primitive.n_outputs is not None:
        result = tape.results(node, result)
    elif isinstance(result, (np.ndarray, np.generic)):
        result = tape.kind(result, tape, node)
    return primitive, tuple(found), params, result


_LIGHT = frozenset([ArrayType, type(None), float, int, complex])  # kept operands that take no memory to speak of


def _run_again(primitive: Primitive, operands: Sequence[Any], params: Params) -> tuple[Any, ...]:
    """An entry of a record of the operation on traced operands, with all that it gives beyond its results."""
    record = Record()
    primitive(*[record.input(x) if isinstance(x, Tracer) and x.extra is not None else x for x in operands], **params)
    entry = next(entry for entry in record.entries if entry is not None)
    return entry[0], entry[1], entry[2], entry[3]


def _through(hooks: Iterable[Callable[[Any], Any]], ct: Any) -> Any:
    for hook in tuple(hooks):
        new = hook(ct)
        ct = ct if new is None else new
    return ct


def _run_hooks(ct: Any, slots: Sequence[int], result: Any, values: Sequence[Any], params: Params) -> tuple[Any]:
    return (_through(params["hooks"], ct),)


hooked = Primitive(
    "hooked", lambda x, hooks: x, family="linear", push=None, pull=_run_hooks, batch=lambda xs, is_batched, params: xs[0],
    pattern=lambda slot, y, xs, params: None, register=False,  # type: ignore[arg-type, return-value]
)  # fmt: skip
