"""Values of a recording that nobody has looked at, and were not computed; and how they are computed when somebody does.

::

    y = exp x; s = sum y      y and s stand for arrays of their types, without their numbers
    if s > 0                  somebody looks: exp and sum are done on the values of the inputs, by what was written down

What lies between is let go after its last use, so that a look takes no more memory than it has to.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from wengert.core.trace import Tracer
from wengert.transforms.record_graph import Draft, Place

ENOUGH = 256  # operations that are repeated for any program


class Unseen:
    """The places whose values were not computed; `values` holds those that were computed since, and `None` for the others.

    `sources` are values that are not computed again: those of the inputs, and what Python's functions gave.
    """

    __slots__ = ("_alive", "_drafts", "_makers", "_n_indexed", "n_repeated", "sources", "values")

    def __init__(self, drafts: list[Draft]) -> None:
        self.values: dict[Place, Any] = {}
        self.sources: dict[Place, Any] = {}
        self.n_repeated = 0
        self._drafts = drafts
        self._makers: dict[Place, int] = {}
        self._n_indexed = 0
        self._alive: list[weakref.ref[Tracer]] = []

    def add(self, arrays: Iterable[Tracer]) -> None:
        """These tracers stand for values that were not computed."""
        for x in arrays:
            self.values[x.extra] = None
            self._alive.append(weakref.ref(x))

    def is_unknown(self, atom: Any) -> bool:
        """Whether an operand's value was not computed."""
        return type(atom) is Place and atom in self.values and self.values[atom] is None

    def is_too_much(self) -> bool:
        """Whether computing values once they are looked at takes more than computing them all."""
        return self.n_repeated > 2 * len(self._drafts) + ENOUGH

    def value_of(self, place: Place) -> Any:
        """The value of a place."""
        if self.values[place] is None:
            self.compute([place])
        return self.values[place]

    def compute_all(self) -> None:
        """Compute what the program may still use."""
        tracers = [x for x in (reference() for reference in self._alive) if x is not None]
        self._alive = []
        self.compute([place for place in dict.fromkeys([x.extra for x in tracers]) if self.is_unknown(place)])

    def compute(self, places: Sequence[Place]) -> None:
        """Compute the values of some places from what is known."""
        for k in range(self._n_indexed, len(self._drafts)):
            self._makers.update(dict.fromkeys(self._drafts[k].outputs, k))
        self._n_indexed = len(self._drafts)
        values, chosen = self._needed(places)
        self.n_repeated += len(chosen)
        uses = Counter([*places, *(a for k in chosen for a in self._drafts[k].operands if type(a) is Place)])
        for k in chosen:
            draft = self._drafts[k]
            xs = [values[a] if type(a) is Place else a.value for a in draft.operands]
            result = draft.primitive.eval(*xs, **draft.params)
            values.update(zip(draft.outputs, [result] if draft.primitive.n_outputs is None else result, strict=True))
            del result, xs
            read = [a for a in draft.operands if type(a) is Place]
            uses.subtract(read)
            for place in (*read, *draft.outputs):
                if uses[place] <= 0:
                    values.pop(place, None)
        self.values.update((place, values[place]) for place in places)

    def _needed(self, places: Sequence[Place]) -> tuple[dict[Place, Any], list[int]]:
        """The values to start from, and the operations that lead from there."""
        values: dict[Place, Any] = {}
        chosen: set[int] = set()
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            known = self.sources.get(place)
            if known is None:
                known = self.values.get(place)
            if known is not None:
                values[place] = known
            elif self._makers[place] not in chosen:
                chosen.add(self._makers[place])
                waiting += [a for a in self._drafts[self._makers[place]].operands if type(a) is Place]
        return values, sorted(chosen)
