"""A record that remembers where: each operation with its operands, its results, and the user's line.

`is_watching` asks every reverse walk for such a record, and for a look at what it gives (`wengert.anomaly`); `is_expanded` asks
for a program without closed boxes: loops run in Python, and functions that are compiled, or computed twice, run as they stand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from wengert._source import Instruction, running_instruction
from wengert.core.array import Array
from wengert.core.primitive import Primitive
from wengert.core.record import Record
from wengert.core.trace import Tracer
from wengert.errors import LeakError

is_watching: ContextVar[bool] = ContextVar("is_watching", default=False)
is_expanded: ContextVar[bool] = ContextVar("is_expanded", default=False)
rounds: ContextVar[tuple[str, ...]] = ContextVar("rounds", default=())  # of the loops around: "step 3 of wg.scan"


class Switch:
    """How many contexts of `wengert.anomaly` are open, in all threads, and whom to tell when the first opens and the last closes."""

    def __init__(self) -> None:
        self.n_open = 0
        self.listeners: list[Callable[[], None]] = []
        self.lock = threading.Lock()

    def change(self, by: int) -> None:
        """One more is open, or one less."""
        with self.lock:
            before, self.n_open = self.n_open, self.n_open + by
            if not before or not self.n_open:
                for tell in self.listeners:
                    tell()


WATCHED = Switch()


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation as it ran; `place` is that of its first result in the record, `None` where nothing flows back through it."""

    primitive: Primitive
    operands: tuple[Any, ...]
    params: Mapping[str, Any]
    results: tuple[Any, ...]
    place: int | None
    instruction: Instruction
    rounds: tuple[str, ...]


class Watch(Record):
    """A record with every operation on its tracers, discrete ones too."""

    __slots__ = ("given", "namer", "steps")

    def __init__(self, label: Callable[[int], str] | None = None) -> None:
        super().__init__(label)
        self.namer = label  # stays when the record is closed
        self.given: list[Any] = []
        self.steps: list[Step] = []

    def input(self, value: Any) -> Array:
        self.given.append(value)
        return super().input(value)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        before = tuple([self.strip(x) for x in operands])  # a tracer that is written into has another value afterwards
        n = len(self.entries)
        result = super().process(primitive, operands, params)
        results = (result,) if primitive.n_outputs is None else result
        place = n if len(self.entries) > n else None
        after = tuple([self.strip(y) for y in results])
        self.steps.append(Step(primitive, before, params, after, place, running_instruction(), rounds.get()))
        return result

    def close(self) -> None:
        self.__class__ = ClosedWatch
        self.label = None


class ClosedWatch(Watch):
    """A watch whose transformation has ended."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


def without_records(x: Any) -> Any:
    """The value beneath all records; what a batch watches stays so."""
    while isinstance(x, Tracer) and isinstance(x.watcher, Record):
        x = x.value
    return x
