"""`checkpoint`: a function whose inner values the reverse walk computes again instead of keeping them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.core.pattern import Pattern
from wengert.core.primitive import Params
from wengert.transforms.calls import Flat, FlatCall, call
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import Linearization
from wengert.transforms.sparsity import pattern_of
from wengert.transforms.watch import is_expanded


def checkpointed(function: Callable[..., Any]) -> Callable[..., Any]:
    """See `wengert.checkpoint`."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        inner = FlatCall(function, args, kwargs)
        if inner.is_plain or is_expanded.get():
            return function(*args, **kwargs)
        chance = RandomState([*inner.generators, *inner.leaves])

        def again(*xs: Any) -> list[Any]:
            with chance.restored():
                return inner.flat(*xs)

        def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
            return push_forward(again, xs, dxs)[1]

        def pull(cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
            found = pull_through(again, xs, slots, cts)
            return [found[slot] for slot in slots]

        def pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
            return pattern_of(lambda x: again(*xs[:slot], x, *xs[slot + 1 :]), [xs[slot]])[0]

        return inner.finish(call("checkpoint", inner.flat, push, pull, inner.operands, pattern))

    return run


def pull_through(flat: Flat, xs: Sequence[Any], slots: Sequence[int], cts: Sequence[Any]) -> dict[int, Any]:
    """Linearize `flat` in the operands `slots` at `xs`, and pull the cotangents of its outputs back."""

    def of_active(*active: Any) -> list[Any]:
        full = list(xs)
        for slot, value in zip(slots, active, strict=True):
            full[slot] = value
        return flat(*full)

    linear = Linearization(of_active, [xs[slot] for slot in slots])
    return dict(zip(slots, linear.pull(cts, consume=True), strict=True))


class RandomState:
    """The states of random generators, so that a function run again draws the same numbers."""

    def __init__(self, candidates: Sequence[Any]) -> None:
        self.generators = [g.bit_generator for g in candidates if isinstance(g, np.random.Generator)]
        self.legacy = [g for g in candidates if isinstance(g, np.random.RandomState)]
        self.state = self._read()

    def _read(self) -> tuple[list[Any], list[Any], Any]:
        shared = np.random.get_state()  # noqa: NPY002 - what np.random.normal() draws from
        return [g.state for g in self.generators], [g.get_state() for g in self.legacy], shared

    def _write(self, state: tuple[list[Any], list[Any], Any]) -> None:
        for generator, kept in zip(self.generators, state[0], strict=True):
            generator.state = kept
        for legacy, kept in zip(self.legacy, state[1], strict=True):
            legacy.set_state(kept)
        np.random.set_state(state[2])  # noqa: NPY002

    def has_moved(self) -> bool:
        """Whether numbers have been drawn since this object was made."""
        return not _is_equal(self._read(), self.state)

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Within this context the generators are as they were when this object was made."""
        now = self._read()
        self._write(self.state)
        try:
            yield
        finally:
            self._write(now)


def _is_equal(a: Any, b: Any) -> bool:
    """Whether two states of generators are the same."""
    if isinstance(a, dict):
        return all(_is_equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return all(map(_is_equal, a, b))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a == b)
