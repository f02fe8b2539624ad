"""The recording trace: Wengert's list of what was done, and the walk back along it.

A record is the light form of a program while it runs: one entry for each operation, in order.  The reverse
walk pops entries from the end, so memory is released as it goes, and a long chain needs no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert._source import Instruction, running_instruction
from wengert.core.array import Array
from wengert.core.preserve import Preserved
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer, bind
from wengert.errors import LeakError

Entry = tuple[Any, ...]
_NONE: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
_FIRST, _SECOND, _BOTH = (0,), (1,), (0, 1)  # slots


class Record(Trace):
    """Write down every differentiable operation on this trace's tracers.

    An entry is `(primitive, operands, params, result, slots, places)`: the slots of the operands that are active
    tracers of this trace, and the places where those were made.  An input is an entry of `None`.
    """

    __slots__ = ("cut", "differentiated", "entries", "label", "n_inputs", "preserved")

    def __init__(self, label: Callable[[int], str] | None = None) -> None:
        super().__init__()
        self.entries: list[Entry | None] = []
        self.n_inputs = 0
        self.preserved = Preserved()
        self.label = label  # what to call an input in messages
        self.differentiated: set[int] = set()  # places with respect to which an inner transformation differentiates
        # the first discrete primitive that ended a dependence, and the user's line; truth values give way to numbers
        self.cut: tuple[Primitive, Instruction, bool] | None = None

    def input(self, value: Any) -> Array:
        """A new input of the recorded program; inputs come before all operations."""
        place = len(self.entries)
        self.entries.append(None)
        self.n_inputs = place + 1
        return Array(value, self, place)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        # Tuples, not lists, go into an entry: the garbage collector need not look into tuples of arrays and numbers.
        slots: tuple[int, ...]
        places: tuple[int, ...]
        if len(operands) == 1:
            x = operands[0]
            place, x = x.extra, x.value
            slots, places = _NONE if place is None else (_FIRST, (place,))
            values: Sequence[Any] = (x,)
            is_nested = isinstance(x, Tracer)  # somebody further down is watching too
        elif len(operands) == 2:
            a, b = operands
            place = other = None
            if isinstance(a, Tracer) and a.watcher is self:
                place, a = a.extra, a.value
            if isinstance(b, Tracer) and b.watcher is self:
                other, b = b.extra, b.value
            if other is None:
                slots, places = _NONE if place is None else (_FIRST, (place,))
            else:
                slots, places = (_SECOND, (other,)) if place is None else (_BOTH, (place, other))
            values = (a, b)
            is_nested = isinstance(a, Tracer) or isinstance(b, Tracer)
        else:
            values, slots, places, is_nested = self._unwrap(operands)
        run_params, n_results = params, None
        if primitive.augment is not None and slots:
            run_params, params, n_results = primitive.augment(slots, values, params)
        result = bind(primitive, values, run_params) if is_nested else primitive.eval(*values, **run_params)
        if primitive.pull is None or not slots:
            return self._constant(primitive, result, bool(slots))
        entries = self.entries
        place = len(entries)
        needed = result
        if primitive.kept is not None:
            values, params, needed = primitive.kept(values, params, result)
        if len(slots) < len(values) and (len(values) > 2 or type(values[not slots[0]]) is not float):
            values = tuple([x if k in slots or x is None else self.preserved.keep(x) for k, x in enumerate(values)])
        entries.append((primitive, values, params, needed, slots, places))
        if primitive.n_outputs is None:
            return Array(result, self, place)
        entries.extend([None] * (len(result) - 1))
        results = result[:n_results]
        return tuple([Array(y, self, place + k) if y.dtype.kind in "fc" else y for k, y in enumerate(results)])

    def _unwrap(self, operands: Sequence[Any]) -> tuple[Sequence[Any], tuple[int, ...], tuple[int, ...], bool]:
        """Operands one level down, the slots of the active ones, where those were made, and whether any is traced."""
        mine = [isinstance(x, Tracer) and x.watcher is self for x in operands]
        values = tuple([x.value if flag else x for x, flag in zip(operands, mine, strict=True)])
        slots = tuple([k for k, x in enumerate(operands) if mine[k] and x.extra is not None])
        return values, slots, tuple([operands[k].extra for k in slots]), any(isinstance(x, Tracer) for x in values)

    def _constant(self, primitive: Primitive, result: Any, active: bool) -> Any:
        if active and (self.cut is None or self.cut[2]):
            is_truth = primitive.n_outputs is None and result.dtype.kind == "b"
            if self.cut is None or not is_truth:
                self.cut = (primitive, running_instruction(), is_truth)
        if primitive.n_outputs is not None:
            return tuple([self._inactive(part) for part in result])
        return self._inactive(result)

    def constant(self, value: Any, like: Any) -> Any:
        return self._inactive(value)

    def _inactive(self, value: Any) -> Any:
        """Float results stay tracers, so that traced values can be written into them; bools and ints do not."""
        return Array(value, self, None) if value.dtype.kind in "fc" else value

    def pull_back(self, output: Any, ct: Any, *, consume: bool) -> list[Any]:
        """Cotangents of the inputs for the cotangent `ct` of `output`; `None` where disconnected.

        `consume` releases each entry once it has been walked.
        """
        outputs = output if isinstance(output, (tuple, list)) else (output,)
        cts = ct if isinstance(output, (tuple, list)) else (ct,)
        return walk_back(self, outputs, cts, consume=consume)

    def owns(self, value: Any) -> bool:
        """Whether `value` is a tracer of this trace that depends on an input."""
        return isinstance(value, Tracer) and value.watcher is self and value.extra is not None

    def strip(self, value: Any) -> Any:
        """The value one level down, if it is a tracer of this trace."""
        return value.value if isinstance(value, Tracer) and value.watcher is self else value

    def is_constant(self, tracer: Tracer) -> bool:
        """Whether no operation leads from an input to `tracer`."""
        return tracer.extra is None

    def origins(self, tracer: Tracer) -> list[str]:
        """The labels of the inputs that `tracer` depends on."""
        if self.label is None or tracer.extra is None:
            return []
        needed = {tracer.extra}
        for place in range(tracer.extra, self.n_inputs - 1, -1):
            entry = self.entries[place]
            if entry is None:  # a further output of the operation before
                if place in needed:
                    needed.add(place - 1)
            elif place in needed:
                needed.update(entry[5])
        return [self.label(place) for place in range(self.n_inputs) if place in needed]

    def close(self) -> None:
        """Nothing can be recorded any more; a tracer that got out says so when it is used."""
        self.__class__ = ClosedRecord
        self.label = None  # it holds on to the call


class ClosedRecord(Record):
    """A record whose transformation has ended."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


def walk_back(record: Record, outputs: Sequence[Any], cts: Sequence[Any], *, consume: bool) -> list[Any]:
    """Visit entries from last to first; send each cotangent through the adjoint of its local linear map."""
    entries = record.entries
    totals: list[Any] = [None] * len(entries)
    for output, ct in zip(outputs, cts, strict=True):
        if record.owns(output):
            place = output.extra
            totals[place] = ct if totals[place] is None else totals[place] + ct
    walk_entries(entries, record.n_inputs, totals, consume=consume)
    return totals[: record.n_inputs]


def walk_entries(
    entries: list[Entry | None], n_inputs: int, totals: Any, *, consume: bool, places: Sequence[Any] | None = None
) -> None:
    """The walk itself: `totals` holds the cotangents of the outputs at first, and those of the inputs in the end.

    It is a list, and places are those of the entries; or a dict, and each entry has its place in `places`.
    """
    # 1 where a total is an array that this walk made and may add to in place
    owned: Any = bytearray(len(entries)) if places is None else dict.fromkeys(totals, 0)
    for k in range(len(entries) - 1, n_inputs - 1, -1):
        entry = entries[k]
        if entry is None:
            continue
        place = k if places is None else places[k]
        primitive, values, params, result, slots, parents = entry
        if primitive.n_outputs is None:
            ct = totals[place]
            totals[place] = None
        else:
            ct = _gather_outputs(totals, place, result)
        if consume:
            entries[k] = entry = None
        if ct is None:
            continue
        accumulate = primitive.accumulate
        if accumulate is not None and owned[parents[0]] and not any(isinstance(v, Tracer) for v in (ct, *values[1:])):
            accumulate(totals[parents[0]], ct, values, params)
            continue
        for parent, piece in zip(parents, primitive.pull(ct, slots, result, values, params)):  # noqa: B905  (checking costs)
            if piece is None:
                continue
            total = totals[parent]
            if total is None:
                totals[parent] = piece
                owned[parent] = accumulate is not None and type(piece) is np.ndarray
            elif owned[parent] and type(piece) is np.ndarray and piece.dtype == total.dtype:
                np.add(total, piece, out=total)
            else:
                totals[parent] = total = total + piece
                owned[parent] = type(total) is np.ndarray


def walk_forward(record: Record, outputs: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Push tangents of the inputs through the recorded local linear maps; `None` where disconnected.

    A tangent is let go after its last use.
    """
    places: list[Any] = list(tangents) + [None] * (len(record.entries) - len(tangents))
    uses = _count_uses(record, outputs)
    for place, entry in enumerate(record.entries):
        if entry is None:
            continue
        primitive, values, params, result, slots, parents = entry
        dxs: list[Any] = [None] * len(values)
        for slot, parent in zip(slots, parents, strict=True):
            dxs[slot] = places[parent]
            uses[parent] -= 1
            if not uses[parent]:
                places[parent] = None
        if all(dx is None for dx in dxs):
            continue
        dy = primitive.push(dxs, result, values, params)
        if primitive.n_outputs is None:
            places[place] = dy
        else:
            places[place : place + len(dy)] = dy
    return [places[y.extra] if record.owns(y) else None for y in outputs]


def _count_uses(record: Record, outputs: Sequence[Any]) -> list[int]:
    uses = [0] * len(record.entries)
    for entry in record.entries:
        if entry is not None:
            for parent in entry[5]:
                uses[parent] += 1
    for y in outputs:
        if record.owns(y):
            uses[y.extra] += 1
    return uses


def _gather_outputs(totals: list[Any], place: int, result: Sequence[Any]) -> tuple[Any, ...] | None:
    """The cotangents of one entry's several outputs, zeros where nothing arrived; `None` where none did."""
    found = totals[place : place + len(result)]
    totals[place : place + len(result)] = [None] * len(result)
    if all(ct is None for ct in found):
        return None
    return tuple(absent(part) if ct is None else ct for ct, part in zip(found, result, strict=True))


def absent(part: Any) -> Any:
    """The zero cotangent of an output that nothing depends on: one number, repeated."""
    return np.broadcast_to(np.zeros((), part.dtype), part.shape)


def is_absent(ct: Any) -> bool:
    """Whether a cotangent was made by `absent`: no result of an operation repeats one zero in memory."""
    return type(ct) is np.ndarray and not any(ct.strides) and not ct.any()
