"""Which operation is to blame: a search along a watched program, forwards for values, backwards for cotangents.

Forwards: from an output that is not finite along the operands that made it so, to the first operation that made such a
value of finite ones.  An operand is to blame if the result differs when its bad entries are replaced by ones: what `where` did
not choose is innocent.  Backwards: from a cotangent that is bad (or all zero) along the pieces that it is the sum of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from wengert.core.record import absent
from wengert.core.trace import Tracer, beneath, bind
from wengert.transforms.watch import Step, Watch, without_records

Source = tuple[str, int] | None  # ("step", k), ("input", k); nothing watched made it


def is_bad(x: Any) -> bool:
    """Whether a value holds a NaN or an infinity."""
    x = beneath(x)
    if type(x) is np.ndarray and x.dtype.kind in "fc" and isfinite(abs(np.vdot(x, x))):
        return False  # a sum of squares that is finite is one of finite numbers, and found in less time
    return bool(np.any(odd_entries(x)))


def odd_entries(x: Any) -> Any:
    """Where a value is NaN or infinite."""
    x = np.asarray(beneath(x))
    return ~np.isfinite(x) if x.dtype.kind in "fc" else np.zeros(x.shape, bool)


def has_nan(x: Any) -> bool:
    """Whether a value holds a NaN."""
    x = np.asarray(beneath(x))
    return x.dtype.kind in "fc" and bool(np.any(np.isnan(x)))


def is_zero(x: Any) -> bool:
    """Whether a value has entries, and all of them are exactly zero."""
    x = np.asarray(beneath(x))
    return x.size > 0 and not np.any(x)


class History:
    """What was made from what: for each step of a watch the sources of its operands, and the inputs that lead to it."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.steps = watch, watch.steps
        self.known: dict[int, Source] = {id(x): ("input", k) for k, x in enumerate(watch.given)}
        self.sources: list[list[Source]] = []
        self.reach: list[int] = []  # for each step the inputs that it depends on, as the bits of a number
        for k, step in enumerate(self.steps):
            found = [self.known.get(id(x)) for x in step.operands]
            self.sources.append(found)
            self.reach.append(self.inputs_of(found))
            own = {id(x) for x in step.operands}  # an operation may hand an operand through
            self.known.update({id(y): ("step", k) for y in step.results if id(y) not in own})
        self.at_place = {step.place: k for k, step in enumerate(self.steps) if step.place is not None}

    def inputs_of(self, sources: Sequence[Source]) -> int:
        """The inputs that values from these sources depend on."""
        bits = 0
        for source in sources:
            if source is not None:
                bits |= 1 << source[1] if source[0] == "input" else self.reach[source[1]]
        return bits

    def source_of(self, value: Any) -> Source:
        """Where a value, without its tracer, was made."""
        return self.known.get(id(value))

    # --- forwards -------------------------------------------------------------------------------------------------

    def first_bad(self, values: Sequence[Any]) -> Search:
        """Where the values that are not finite began to be so."""
        search = Search()
        stack = [source for v in values if is_bad(v) if (source := self.source_of(v)) is not None]
        seen = set(stack)
        while stack:
            kind, k = stack.pop()
            if kind == "input":
                search.inputs.append(k)
                continue
            step = self.steps[k]
            guilty = guilty_operands(step)
            if not guilty:
                search.steps.append(k)
                continue
            if any(map(has_nan, step.results)) and not any(has_nan(step.operands[slot]) for slot in guilty):
                search.turned.append(k)
            for slot in guilty:
                source = self.sources[k][slot]
                if source is None:
                    search.entered.append((k, slot))
                elif source not in seen:
                    seen.add(source)
                    stack.append(source)
        return search.in_order()

    def leading_to(self, values: Sequence[Any]) -> set[int]:
        """The steps that some of the values were made by, directly or not."""
        stack = [source for v in values if (source := self.source_of(v)) is not None]
        found: set[int] = set()
        while stack:
            kind, k = stack.pop()
            if kind == "step" and k not in found:
                found.add(k)
                stack += [source for source in self.sources[k] if source is not None]
        return found


@dataclass
class Search:
    """What a search forwards has found.

    Inputs; steps that made bad values of finite ones; those that made a NaN of an infinity; and operands (step, slot) that came
    from outside of the watched program.
    """

    inputs: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    turned: list[int] = field(default_factory=list)
    entered: list[tuple[int, int]] = field(default_factory=list)

    def in_order(self) -> Search:
        """The same, each in the order of the program."""
        return Search(sorted(set(self.inputs)), sorted(set(self.steps)), sorted(set(self.turned)), sorted(set(self.entered)))


def guilty_operands(step: Step) -> list[int]:
    """The slots whose bad entries make the results bad; none, if the operation makes bad values of the finite ones among them."""
    suspects = [slot for slot, x in enumerate(step.operands) if is_bad(x)]
    if not suspects:
        return []
    before = list(map(odd_entries, step.results))
    guilty = [slot for slot in suspects if _differs(before, _results_without(step, [slot]))]
    if guilty:
        return guilty
    return suspects if _differs(before, _results_without(step, suspects)) else []


def _differs(before: Sequence[Any], results: Sequence[Any] | None) -> bool:
    """Whether fewer entries are bad than before; a step that cannot be run again is taken to depend on all it has got."""
    return results is None or any(np.any(b & ~odd_entries(y)) for b, y in zip(before, results, strict=True))


def _results_without(step: Step, slots: Sequence[int]) -> Sequence[Any] | None:
    operands = [without_records(x) for x in step.operands]
    for slot in slots:
        x = operands[slot]
        if isinstance(x, Tracer):
            return None
        operands[slot] = np.where(odd_entries(x), np.ones((), x.dtype), x)[... if isinstance(x, np.ndarray) else ()]
    try:
        with np.errstate(all="ignore"):
            result = bind(step.primitive, operands, step.params)
    except Exception:  # the operation judges its operands, or runs no more
        return None
    return (result,) if step.primitive.n_outputs is None else tuple(result)[: len(step.results)]


# --- backwards ---------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Pull:
    """One cotangent on its way back through the operation at `place`, and the pieces that it became."""

    place: int
    ct: Any
    parents: tuple[int, ...]
    slots: tuple[int, ...]
    pieces: tuple[Any, ...]

    def arrived(self, test: Callable[[Any], bool]) -> bool:
        """Whether some (all, for zeros) of the cotangents that arrived are such."""
        parts = self.ct if isinstance(self.ct, tuple) else (self.ct,)
        return (all if test is is_zero else any)(map(test, parts))


class Backwards:
    """The walk back once more, with all that arrived anywhere."""

    def __init__(self, watch: Watch, outputs: Sequence[Any], cts: Sequence[Any]) -> None:
        self.totals: dict[int, Any] = {}
        self.pieces: dict[int, list[tuple[Pull, int]]] = {}
        self.given: set[int] = set()
        for y, ct in zip(outputs, cts, strict=True):
            if watch.owns(y) and ct is not None:
                self.given.add(y.extra)
                self._add(y.extra, without_records(ct))
        with np.errstate(all="ignore"):
            for place in reversed(range(watch.n_inputs, len(watch.entries))):
                self._visit(watch, place)

    def _add(self, place: int, piece: Any) -> None:
        known = self.totals.get(place)
        self.totals[place] = piece if known is None else known + piece

    def _visit(self, watch: Watch, place: int) -> None:
        entry = watch.entries[place]
        if entry is None:
            return
        primitive, values, params, result, slots, parents = entry
        values = tuple(map(without_records, values))
        result = tuple(map(without_records, result)) if isinstance(result, tuple) else without_records(result)
        if primitive.n_outputs is None:
            ct = self.totals.get(place)
        else:
            found = [self.totals.get(place + k) for k in range(len(result))]
            ct = None if all(c is None for c in found) else tuple(absent(y) if c is None else c for c, y in zip(found, result, strict=True))
        if ct is None:
            return
        pull = Pull(place, ct, parents, slots, tuple(primitive.pull(ct, slots, result, values, params)))
        for k, (parent, piece) in enumerate(zip(parents, pull.pieces, strict=True)):
            if piece is not None:
                self._add(parent, piece)
                self.pieces.setdefault(parent, []).append((pull, k))

    def first(self, place: int, test: Callable[[Any], bool]) -> Origin:
        """Where on the way to `place` a cotangent first became such."""
        origin = Origin()
        stack, seen = [place], {place}
        while stack:
            here = stack.pop()
            such = [(pull, k) for pull, k in self.pieces.get(here, []) if test(pull.pieces[k])]
            if not such:
                (origin.given if here in self.given else origin.sums).append(here)
            for pull, k in such:
                if not pull.arrived(test):
                    origin.pulls.append((pull, k))
                    continue
                n = len(pull.ct) if isinstance(pull.ct, tuple) else 1
                there = [pull.place + j for j in range(n) if pull.place + j in self.totals and test(self.totals[pull.place + j])]
                stack += [p for p in there if p not in seen]
                seen.update(there)
        return origin


@dataclass
class Origin:
    """What a search backwards has found: pieces that an operation made so, sums that became so, and cotangents given as such."""

    pulls: list[tuple[Pull, int]] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
