"""From a watched program and its walk back to findings: which operation, on which line, with which values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wengert._source import quoted
from wengert.core.graph import Graph
from wengert.core.record import Record
from wengert.core.trace import Tracer
from wengert.transforms.blame import Backwards, History, Origin, Pull, has_nan, is_bad, is_zero, odd_entries
from wengert.transforms.findings import Finding, Kind, Value, entry_of, value_of
from wengert.transforms.watch import Step, Watch, is_watching, without_records

MOST_FINDINGS = 20
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Collection:
    """The findings in derivatives that a function takes while it is diagnosed, and how many walks back there were."""

    findings: list[Finding] = field(default_factory=list)
    n_walks: int = 0


collected: ContextVar[Collection | None] = ContextVar("collected", default=None)


class Report:
    """The findings of one watched program; `cts` are the cotangents of its outputs, if it was walked back."""

    def __init__(self, watch: Watch, outputs: Sequence[Any], names: Sequence[str]) -> None:
        self.watch, self.outputs, self.names = watch, outputs, names
        self.values = [watch.strip(y) for y in outputs]
        self.history = History(watch)
        self.causes: list[Finding] = []  # bad values within the program that spoil a gradient, though the output is fine
        self.totals: dict[int, Any] = {}

    # --- the primal ---------------------------------------------------------------------------------------------------

    def primal(self, values: Sequence[Any] | None = None) -> list[Finding]:
        """Where the outputs (or other values of the program) began to be NaN or infinite."""
        values = self.values if values is None else values
        search = self.history.first_bad(values)
        found = [self._input(k) for k in search.inputs]
        entered = dict(reversed(search.entered))
        for k in sorted({*search.steps, *search.turned, *entered}):
            found.append(self._step(k, entered.get(k)))
        if not found and any(map(is_bad, values)):
            bad = next(v for v in values if is_bad(v))
            index = first_index(odd_entries(bad))
            why = "No watched operation made this output: it was computed by plain NumPy, or it is a constant."
            found.append(Finding(kind_of(bad), "primal", "", "", "", "", why, index=index, result=value_of("result", bad, index)))
        return found[:MOST_FINDINGS]

    def _input(self, k: int) -> Finding:
        value = self.watch.given[k]
        index = first_index(odd_entries(value))
        why = f"The input {self.names[k]} is {entry_of(without_records(value), index)}{at(index)} already."
        return Finding(kind_of(value), "primal", "", "", "", "", why, (self.names[k],), index, result=value_of(self.names[k], value, index))

    def _step(self, k: int, entered: int | None) -> Finding:
        step = self.history.steps[k]
        bad = next((y for y in step.results if is_bad(y)), step.results[0])
        mask = odd_entries(bad)
        if has_nan(bad):
            mask = np.isnan(np.asarray(without_records_all(bad)))
        index = first_index(mask)
        operands = self.operands_of(k, index)
        if entered is not None:
            made = f"the operand {operands[entered].name} was not finite when it came: it is an array that no watched operation has made"
        else:
            made = f"gave {entry_of(without_records_all(bad), index)}{at(index)}{where_operands(operands)}"
        why = f"`{formula_of(step)}` {made}; {int(np.sum(mask))} of {mask.size} entries." if mask.size > 1 else f"`{formula_of(step)}` {made}."
        if entered is not None:
            why = f"In `{formula_of(step)}` {made}."
        inputs = self.names_in(self.history.reach[k])
        return self.finding(kind_of(bad), "primal", k, why, inputs, index, operands, value_of("result", bad, index))

    # --- the gradient -------------------------------------------------------------------------------------------------

    def gradient(self, cts: Sequence[Any], wanted: Sequence[int]) -> list[Finding]:
        """Where cotangents of the wanted inputs became NaN, infinite, or all zero, and why some get none."""
        back = Backwards(self.watch, self.outputs, cts)
        self.totals = back.totals
        found = self._spoilt(back, wanted, is_bad) + self._spoilt(back, wanted, is_zero)
        return (found + self._cut([k for k in wanted if k not in back.totals]))[:MOST_FINDINGS]

    def _spoilt(self, back: Backwards, wanted: Sequence[int], test: Callable[[Any], bool]) -> list[Finding]:
        """One finding for each operation that made such a cotangent, with the inputs that it reaches."""
        pulls: dict[tuple[int, int], tuple[Pull, int, list[int]]] = {}
        sums: dict[int, list[int]] = {}
        for k in wanted:
            if k in back.totals and test(back.totals[k]):
                origin: Origin = back.first(k, test)
                for pull, j in origin.pulls:
                    pulls.setdefault((pull.place, j), (pull, j, []))[2].append(k)
                for place in origin.sums:
                    sums.setdefault(place, []).append(k)
        found = [(place, self._pull(pull, j, inputs, test)) for (place, _), (pull, j, inputs) in pulls.items()]
        found += [(place, self._sum(back, place, inputs, test)) for place, inputs in sums.items()]
        return [finding for _, finding in sorted(found, key=lambda pair: -pair[0])]

    def _pull(self, pull: Pull, j: int, inputs: Sequence[int], test: Callable[[Any], bool]) -> Finding:
        k = self.history.at_place[pull.place]
        step, piece = self.history.steps[k], pull.pieces[j]
        ct = pull.ct[0] if isinstance(pull.ct, tuple) else pull.ct
        letter = letter_of(pull.slots[j])
        concerned = tuple(self.names[i] for i in inputs)
        if test is is_zero:
            operands = self.operands_of(k, None)
            why = (f"Back through `{formula_of(step)}` a cotangent that is not zero became exactly zero for {letter}: "
                   "its slope there is zero in every entry.")  # fmt: skip
            return self.finding("zero", "gradient", k, why, concerned, None, operands, value_of("cotangent", piece))
        lost = [x for x in step.operands if is_bad(x)]
        self.causes += [finding for finding in self.primal(lost) if finding not in self.causes] if lost else []
        mask = odd_entries(piece)
        index = first_index(mask)
        operands = self.operands_of(k, index)
        came = entry_of(without_records_all(ct), index)
        cotangent = "a finite cotangent" if came is None else f"the cotangent {came}"
        why = f"Back through `{formula_of(step)}` {cotangent} became {entry_of(without_records_all(piece), index)} for {letter}{at(index)}{where_operands(operands)}."
        return self.finding(kind_of(piece), "gradient", k, why, concerned, index, operands, value_of("cotangent", piece, index))

    def _sum(self, back: Backwards, place: int, inputs: Sequence[int], test: Callable[[Any], bool]) -> Finding:
        total = back.totals[place]
        n = len(back.pieces.get(place, []))
        concerned = tuple(self.names[i] for i in inputs)
        what = f"the input {self.names[place]}" if place < self.watch.n_inputs else "this result"
        if test is is_zero:
            kind: Kind = "zero"
            why = f"The {n} cotangents that arrive at {what} cancel exactly."
        else:
            kind = kind_of(total)
            why = f"The {n} cotangents that arrive at {what} are finite, and their sum is not."
        result = value_of("cotangent", total)
        if place < self.watch.n_inputs:
            return Finding(kind, "gradient", "", "", "", "", why, concerned, result=result)
        return self.finding(kind, "gradient", self.step_at(place), why, concerned, None, (), result)

    def step_at(self, place: int) -> int:
        """The step that made what stands at a place."""
        while place not in self.history.at_place:  # a further result of the operation before
            place -= 1
        return self.history.at_place[place]

    # --- no gradient at all -------------------------------------------------------------------------------------------

    def _cut(self, missing: Sequence[int]) -> list[Finding]:
        leading = self.history.leading_to(self.values)
        groups: dict[tuple[str, int | None], list[int]] = {}
        for k in missing:
            if self.watch.given[k].size:
                groups.setdefault(self._why_cut(k, leading), []).append(k)
        return [self._disconnected(kind, step, inputs) for (kind, step), inputs in groups.items()]

    def _why_cut(self, k: int, leading: set[int]) -> tuple[str, int | None]:
        using = [n for n, bits in enumerate(self.history.reach) if bits >> k & 1]
        cuts = [n for n in using if self.history.steps[n].primitive.pull is None or self.history.steps[n].primitive.is_discrete]
        on_the_way = [n for n in cuts if n in leading]
        if on_the_way or cuts:
            return "cut", (on_the_way or cuts)[0]
        return ("unused", using[-1]) if using else ("never", None)

    def _disconnected(self, kind: str, k: int | None, inputs: Sequence[int]) -> Finding:
        names = tuple(self.names[i] for i in inputs)
        if k is None:
            return Finding("disconnected", "gradient", "", "", "", "", "No operation uses it.", names)
        step = self.history.steps[k]
        if kind == "unused":
            why = f"What is made of it does not lead to the output; `{formula_of(step)}` is the last operation that uses it."
        elif step.primitive.is_held:
            why = f"`{step.primitive.name}` ends the dependence: it treats its operand as a constant."
        else:
            why = f"The dependence ends in `{step.primitive.name}`, whose derivative is zero everywhere."
        return self.finding("disconnected", "gradient", k, why, names, None, self.operands_of(k, None), None)

    # --- words --------------------------------------------------------------------------------------------------------

    def finding(
        self, kind: Kind, where: Any, k: int, why: str, inputs: tuple[str, ...], index: tuple[int, ...] | None,
        operands: tuple[Value, ...], result: Value | None,
    ) -> Finding:  # fmt: skip
        """A finding at a step, with its place in the user's source."""
        step = self.history.steps[k]
        location, _, line = quoted(*step.instruction).partition("   ")
        rounds = " of ".join(part if n == 0 else f"({part})" for n, part in enumerate(reversed(step.rounds)))
        return Finding(kind, where, step.primitive.name, formula_of(step), location, line, why, inputs, index, operands, result, rounds, _is_closed(step))

    def operands_of(self, k: int, index: tuple[int, ...] | None) -> tuple[Value, ...]:
        """The operands of a step in numbers, with where they come from."""
        step = self.history.steps[k]
        pairs = zip(step.operands, self.history.sources[k], strict=True)
        return tuple(value_of(letter_of(slot), x, index, self._origin(source)) for slot, (x, source) in enumerate(pairs))

    def _origin(self, source: Any) -> str:
        if source is None:
            return ""
        if source[0] == "input":
            return f"input {self.names[source[1]]}"
        step = self.history.steps[source[1]]
        return f"`{step.primitive.name}`, {quoted(*step.instruction).partition('   ')[0]}"

    def names_in(self, bits: int) -> tuple[str, ...]:
        """The names of the inputs in a set of them."""
        return tuple(name for k, name in enumerate(self.names) if bits >> k & 1)


def _is_closed(step: Step) -> bool:
    return step.primitive.family == "call" or any(isinstance(value, Graph) for value in step.params.values())


def letter_of(slot: int) -> str:
    """What formulas call an operand."""
    return _LETTERS[slot] if slot < len(_LETTERS) else f"operand {slot}"


def formula_of(step: Step) -> str:
    """`log a`; the primitive with its operands, where it has no formula."""
    formula = step.primitive.formula
    for key, value in step.params.items():
        formula = formula.replace(f"{{{key}}}", str(value))
    return formula or f"{step.primitive.name}({', '.join(map(letter_of, range(min(len(step.operands), 4))))})"


def kind_of(x: Any) -> Kind:
    """Which of the two kinds of bad values an array holds; NaN is the worse."""
    return "nan" if has_nan(x) else "infinity"


def first_index(mask: Any) -> tuple[int, ...] | None:
    """The index of the first true entry; `None` for a number, which needs none."""
    if not mask.ndim or not mask.any():
        return None
    return tuple(int(i) for i in np.argwhere(mask)[0])


def at(index: tuple[int, ...] | None) -> str:
    """` at [0, 2]`."""
    return "" if index is None else f" at [{', '.join(map(str, index))}]"


def where_operands(operands: Sequence[Value]) -> str:
    """`, where a = -1.0 and b = 2.0`: the entries that met there, as far as they are known."""
    known = [f"{value.name} = {value.at}" for value in operands[:4] if value.at is not None]
    return f", where {' and '.join(known)}" if known else ""


def without_records_all(x: Any) -> Any:
    """The plain array beneath everybody who watches."""
    while isinstance(x, Tracer):
        x = x.value
    return x


def is_guarded(values: Sequence[Any]) -> bool:
    """Whether a program is being recorded, whose values may be examples."""
    for x in values:
        while isinstance(x, Tracer):
            if not isinstance(x.watcher, Record) and hasattr(x.watcher, "drafts"):
                return True
            x = x.value
    return False


# --- the whole report -------------------------------------------------------------------------------------------------------


def findings_of(report: Report, cts: Sequence[Any], wanted: Sequence[int]) -> list[Finding]:
    """All findings of a program and its walk back, each cause once.

    A gradient that is spoilt by a value which was bad already is told as that value; where the output itself is bad, nothing is
    said of its gradient but what it does not depend on.
    """
    primal = report.primal()
    gradient = report.gradient(cts, wanted)
    if primal:
        return primal + [finding for finding in gradient if finding.kind == "disconnected"]
    return report.causes + gradient


def examine(watch: Watch, outputs: Sequence[Any], cts: Sequence[Any], pulled: Sequence[Any]) -> list[Finding]:
    """The findings of a walk back that was made with a watch; none where all is finite, unless they are collected."""
    values = [watch.strip(y) for y in outputs]
    return looked_at(watch, outputs, [*values, *pulled], lambda report: findings_of(report, cts, range(watch.n_inputs)))


def looked_at(
    watch: Watch, outputs: Sequence[Any], results: Sequence[Any], find: Callable[[Report], list[Finding]], *, is_walk_back: bool = True
) -> list[Finding]:
    """What is found in a watched program where some of the results (`None` is none) are not finite; or in any, where findings of
    walks back are collected, for which it is kept then.
    """
    found = collected.get() if is_walk_back else None
    is_wrong = any(is_bad(x) for x in results if x is not None)
    if not is_wrong and found is None or is_guarded([*watch.given, *[watch.strip(y) for y in outputs]]):
        return []
    names = [_bare(watch.namer(k)) if watch.namer is not None else f"operand {k}" for k in range(watch.n_inputs)]
    token = is_watching.set(False)
    try:
        with np.errstate(all="ignore"):
            findings = find(Report(watch, outputs, names))
    finally:
        is_watching.reset(token)
    if found is not None:
        found.findings += findings
        found.n_walks += 1
        return []
    return [finding for finding in findings if finding.kind in ("nan", "infinity")]


def _bare(label: str) -> str:
    """The path in a label: of "input `params['w']` of grad" the part between the marks."""
    return label.partition("`")[2].rpartition("`")[0] or label
