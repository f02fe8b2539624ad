"""Which operation made a tangent NaN or infinite: the walk forward once more, and the way back along what is bad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.transforms.blame import is_bad, odd_entries
from wengert.transforms.findings import Finding, entry_of, value_of
from wengert.transforms.provenance import (
    MOST_FINDINGS,
    Report,
    at,
    first_index,
    formula_of,
    kind_of,
    looked_at,
    where_operands,
    without_records_all,
)
from wengert.transforms.watch import Watch, without_records


class Forwards:
    """The tangent of everything in a watched program, by places."""

    def __init__(self, watch: Watch, tangents: Sequence[Any]) -> None:
        self.watch = watch
        self.tangents: dict[int, Any] = {k: without_records(dx) for k, dx in enumerate(tangents) if dx is not None}
        self.parents: dict[int, tuple[int, ...]] = {}  # of those places that have a tangent
        with np.errstate(all="ignore"):
            for place in range(watch.n_inputs, len(watch.entries)):
                self._visit(place)

    def _visit(self, place: int) -> None:
        entry = self.watch.entries[place]
        if entry is None:
            return
        primitive, values, params, result, slots, parents = entry
        dxs: list[Any] = [None] * len(values)
        for slot, parent in zip(slots, parents, strict=True):
            dxs[slot] = self.tangents.get(parent)
        if all(dx is None for dx in dxs):
            return
        values = tuple(map(without_records, values))
        result = tuple(map(without_records, result)) if isinstance(result, tuple) else without_records(result)
        dy = primitive.push(dxs, result, values, params)
        for k, part in enumerate([dy] if primitive.n_outputs is None else dy):
            if part is not None:
                self.tangents[place + k] = part
                self.parents[place + k] = parents

    def first_bad(self, places: Sequence[int]) -> list[int]:
        """Where the tangents at these places began to be bad: inputs, and operations whose operands had fine tangents."""
        origins, seen = set(), set(places)
        stack = list(places)
        while stack:
            place = stack.pop()
            guilty = [p for p in self.parents.get(place, ()) if p in self.tangents and is_bad(self.tangents[p])]
            if not guilty:
                origins.add(place)
            for parent in guilty:
                if parent not in seen:
                    seen.add(parent)
                    stack.append(parent)
        return sorted(origins)


def tangent_findings(report: Report, tangents: Sequence[Any]) -> list[Finding]:
    """Where the outputs, or else their tangents, became NaN or infinite."""
    primal = report.primal()
    if primal:
        return primal
    forwards = Forwards(report.watch, tangents)
    places = [y.extra for y in report.outputs if report.watch.owns(y) and is_bad(forwards.tangents.get(y.extra, 0.0))]
    found = [_finding(report, forwards, place) for place in forwards.first_bad(places)]
    return (report.causes + found)[:MOST_FINDINGS]


def _finding(report: Report, forwards: Forwards, place: int) -> Finding:
    dy = forwards.tangents[place]
    index = first_index(odd_entries(dy))
    became = f"{entry_of(without_records_all(dy), index)}{at(index)}"
    if place < report.watch.n_inputs:
        name = report.names[place]
        why = f"The tangent of the input {name} is {became} already."
        return Finding(kind_of(dy), "tangent", "", "", "", "", why, (name,), index, result=value_of("tangent", dy, index))
    k = report.step_at(place)
    step = report.history.steps[k]
    lost = [x for x in step.operands if is_bad(x)]
    report.causes += [cause for cause in report.primal(lost) if cause not in report.causes] if lost else []
    operands = report.operands_of(k, index)
    why = f"Through `{formula_of(step)}` finite tangents became {became}{where_operands(operands)}."
    inputs = report.names_in(report.history.reach[k])
    return report.finding(kind_of(dy), "tangent", k, why, inputs, index, operands, value_of("tangent", dy, index))


def examine_forward(watch: Watch, outputs: Sequence[Any], tangents: Sequence[Any], pushed: Sequence[Any]) -> list[Finding]:
    """The findings of a walk forward that was made with a watch; none where all is finite."""
    values = [watch.strip(y) for y in outputs]
    return looked_at(watch, outputs, [*values, *pushed], lambda report: tangent_findings(report, tangents), is_walk_back=False)
