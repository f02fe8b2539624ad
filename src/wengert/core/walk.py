"""Walking back along a tape: the nodes behind some values, in order, are the entries of a record.

Where nobody looks on, the nodes themselves are the places of the list, and their entries are walked as they are.  Hooks, wishes to
see what arrives on the way, and several results of one operation are written as entries of a list of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from wengert.core.primitive import Params, Primitive
from wengert.core.quiet import quiet
from wengert.core.record import Entry, Record, walk_entries
from wengert.core.tape import Node, Part, Tape
from wengert.core.trace import NO_PARAMS, Tracer
from wengert.core.types import ArrayType
from wengert.errors import BackwardError

_number = attrgetter("number")


def lineage(roots: Sequence[Node]) -> list[Node]:
    """The nodes that lead to `roots`, inputs first, and operations in the order in which they ran."""
    inputs, operations = _behind(roots)
    return inputs + operations


def _behind(roots: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    seen = set(roots)
    stack = list(dict.fromkeys(roots))
    inputs: list[Node] = []
    operations: list[Node] = []
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
    return inputs, operations


def pull_to_inputs(root: Node, ct: Any, *, keep: bool) -> tuple[list[Node], list[Any]]:
    """The inputs behind a node, and the cotangents that arrive there from `ct`: what `Walk` finds, without ado where it can."""
    inputs, operations = _behind((root,))
    if any([node.hooks is not None or node.entry[0].n_outputs is not None for node in operations]):  # type: ignore[index]  # operations have entries  # noqa: C419  (quicker as a list)
        walk = Walk((root,))
        if not keep:
            free(operations)
        return inputs, walk.back((root,), (ct,), inputs)
    entries = [node.entry for node in operations]
    for entry in entries:
        if entry[1] is None:  # type: ignore[index]  # as above
            raise BackwardError.of_second_walk()
    if not keep:
        free(operations)
    totals: dict[Node, Any] = dict.fromkeys(inputs + operations)
    totals[root] = ct
    with quiet():
        walk_entries(entries, 0, totals, consume=True, places=operations)
    return inputs, [_after_hooks(node, totals[node]) for node in inputs]


def free(nodes: Sequence[Node]) -> None:
    """Let nodes go what they kept."""
    for node in nodes:
        entry = node.entry
        if entry and (entry[3] is not None or entry[1] is not None and not _LIGHT.issuperset(map(type, entry[1]))):
            node.entry = (entry[0], None, NO_PARAMS, None, entry[4], entry[5])
            node.replay = None


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
        for node in self.nodes:
            if active is None or node in active:
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
        with quiet():
            walk_entries(self.entries, self.n_inputs, totals, consume=consume)
        if self.captured:
            return [self._arrived(node, totals) for node in wanted]
        cts = [None if (place := self.places.get(node)) is None else totals[place] for node in wanted]
        return [_after_hooks(node, ct) for node, ct in zip(wanted, cts, strict=True)]

    def _arrived(self, node: Node, totals: list[Any]) -> Any:
        if node in self.captured:
            seen = self.captured[node]
            return seen[0] if seen else None
        place = self.places.get(node)
        return None if place is None else _after_hooks(node, totals[place])


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


def _after_hooks(node: Node, ct: Any) -> Any:
    """What has arrived at an input, as its hooks leave it."""
    return ct if ct is None or not node.hooks else _through(node.hooks.values(), ct)


def _through(hooks: Iterable[Callable[[Any], Any]], ct: Any) -> Any:
    for hook in tuple(hooks):
        new = hook(ct)
        ct = ct if new is None else new
    return ct


def _run_hooks(ct: Any, slots: Sequence[int], result: Any, values: Sequence[Any], params: Params) -> tuple[Any]:
    return (_through(params["hooks"], ct),)


hooked = Primitive(
    "hooked", lambda x, hooks: x, family="linear", push=None, pull=_run_hooks, batch=lambda xs, is_batched, params: xs[0],
    pattern=lambda slot, y, xs, params: None, register=False,  # type: ignore[arg-type, return-value]  # nobody asks a tape for patterns
)  # fmt: skip
