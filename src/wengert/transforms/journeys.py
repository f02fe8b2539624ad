"""There and back: how `loop_adjoint` runs on plain arrays, with the states that a schedule keeps (`wengert.primitives.schedules`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.core.trace import peek
from wengert.primitives.schedules import Schedule, stride_of, within

EVERY_STEP = (None, 1)
Run = Callable[[Sequence[Any]], list[Any]]


def goes_on(answer: Any) -> bool:
    """A truth value, on which the rest depends."""
    return bool(answer) if isinstance(answer, (np.generic, np.ndarray)) else bool(peek(lambda x: x, answer))


class Journey:
    """One way there and back; `body`, `back` and `test` run on lists of values."""

    def __init__(self, body: Run, back: Run, test: Run | None, parts: Mapping[str, list[Any]], loop: Any) -> None:
        self.body, self.back, self.test, self.loop = body, back, test, loop
        self.tests, self.consts, self.start, self.xs = (parts[key] for key in ("tests", "consts", "start", "xs"))
        self.cts, self.totals, self.ct_ys = parts["cts"], parts["totals"], parts["ct_ys"]
        self.stacks: list[list[Any]] = []

    def run(self) -> tuple[list[Any], list[list[Any]]]:
        """The cotangents of the state and the totals; and stacks of those of the entries, the last position first."""
        schedule = self.loop.checkpoint
        if self.test is not None and schedule in EVERY_STEP:
            self.back_over(self.states_to_the_end(), 0)
        else:
            self.back_through(self.start, 0, self.count(), schedule)
        stacks = [list(column) for column in zip(*self.stacks, strict=True)]
        return [*self.cts, *self.totals], [ys[::-1] if self.loop.reverse else ys for ys in stacks]

    def goes_on(self, carry: list[Any]) -> bool:
        """Whether there is another step."""
        assert self.test is not None
        return goes_on(self.test([*self.tests, *carry])[0])

    def step(self, carry: list[Any], k: int) -> list[Any]:
        """The state after step `k`."""
        return self.body([*self.consts, *carry, *self.entry(self.xs, k)])[: len(carry)]

    def entry(self, xs: Sequence[Any], k: int) -> list[Any]:
        """What step `k` takes from sequences."""
        place = self.loop.length - 1 - k if self.loop.reverse else k
        return [x[place] for x in xs]

    def step_back(self, carry: list[Any], k: int) -> None:
        """Cotangents of what went into step `k`."""
        n, m = len(self.cts), len(self.cts) + len(self.totals)
        entries, ct_ys = self.entry(self.xs, k), self.entry(self.ct_ys, k)
        found = self.back([*self.consts, *carry, *entries, *self.cts, *self.totals, *ct_ys])
        self.cts, self.totals = found[:n], found[n:m]
        self.stacks.append(found[m:])

    def count(self) -> int:
        """How many steps there are."""
        if self.test is None:
            return int(self.loop.length)
        carry, n = self.start, 0
        while self.goes_on(carry):
            carry, n = self.step(carry, n), n + 1
        return n

    def states_to_the_end(self) -> list[list[Any]]:
        """The state before each step of a loop that a test ends."""
        carry, states = self.start, []
        while self.goes_on(carry):
            states.append(carry)
            carry = self.step(carry, len(states) - 1)
        return states

    def back_over(self, states: list[list[Any]], first: int) -> None:
        """Back over steps whose states are at hand."""
        while states:
            self.step_back(states.pop(), first + len(states))

    def back_through(self, carry: list[Any], first: int, last: int, schedule: Schedule) -> None:
        """Back through the steps from `first` to `last`, with the states that the schedule keeps."""
        stride = stride_of(schedule, last - first)
        final = first + (last - first - 1) // stride * stride  # the last step whose state is kept
        kept = []
        for k in range(first, last if last == first else final + 1):
            if (k - first) % stride == 0:
                kept.append(carry)
            if k < final:
                carry = self.step(carry, k)
        if stride == 1:
            self.back_over(kept, first)
            return
        while kept:
            start = first + stride * (len(kept) - 1)
            self.back_through(kept.pop(), start, min(start + stride, last), within(schedule))


def stacked(stacks: Sequence[Sequence[Any]]) -> list[Any]:
    """Lists of entries, the last position first, as arrays."""
    return [FRONT[np.stack](list(ys)[::-1]) for ys in stacks]
