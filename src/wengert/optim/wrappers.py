"""Optimisers around optimisers: clipping, groups, accumulation, averages, weights of more digits."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert import trees
from wengert.optim.base import Leaves, Named, Optimiser
from wengert.optim.clipping import clip_by_global_norm, clip_by_value

Where = str | Callable[[str, Any], bool]


@dataclasses.dataclass(frozen=True)
class Clipped(Optimiser):
    """The optimiser with its gradients clipped: every number to `[-max_value, max_value]`, then their norm to `max_norm`."""

    optimiser: Optimiser
    max_norm: float | None = None
    max_value: float | None = None

    def start(self, values: Named) -> Any:
        return self.optimiser.start(values)

    def advance(self, values: Named, gradients: Named, state: Any) -> tuple[Named, Any]:
        if self.max_value is not None:
            gradients = clip_by_value(gradients, self.max_value)
        if self.max_norm is not None:
            gradients = clip_by_global_norm(gradients, self.max_norm)[0]
        return self.optimiser.advance(values, gradients, state)

    def rate(self, state: Any) -> Any:
        return self.optimiser.rate(state)


def matches(where: Where, path: str, value: Any) -> bool:
    """Whether a path fits a pattern, in which `*` stands for anything; or whether a function of path and array says so."""
    if callable(where):
        return bool(where(path, value))
    return re.fullmatch(".*".join(map(re.escape, where.split("*"))), path) is not None


@dataclasses.dataclass(frozen=True)
class Grouped(Optimiser):
    """An optimiser for each group of parameters; `None` leaves a group as it is.

    Args:
        groups: pairs of a pattern (`"layers[0].*"`, in which `*` stands for anything), or of a function `(path, array) -> bool`, and an
            optimiser or `None`; the first pair that fits takes a parameter, and each must be taken.

    Example:
        >>> import numpy as np, wengert as wg
        >>> optimiser = wg.optim.Grouped([("*bias", None), ("*", wg.optim.SGD(lr=0.5))])
        >>> layer = wg.nn.Linear(1, 1, rng=0)
        >>> new, _ = optimiser.update(layer, layer, optimiser.init(layer))
        >>> bool(new.bias == layer.bias), bool(new.weight == 0.5 * layer.weight)
        (True, True)
    """

    groups: Sequence[tuple[Where, Optimiser | None]]

    def _members(self, values: Named) -> list[Named]:
        found: list[Named] = [{} for _ in self.groups]
        for path, value in values.items():
            fits = [k for k, (where, _) in enumerate(self.groups) if matches(where, path, value)]
            if not fits:
                patterns = ", ".join(repr(where) for where, _ in self.groups)
                msg = f"no group takes the parameter {path}: the groups are {patterns}. Add ('*', optimiser), or ('*', None), as the last one"
                raise ValueError(msg)
            found[fits[0]][path] = value
        return found

    def start(self, values: Named) -> Any:
        groups = zip(self.groups, self._members(values), strict=True)
        return tuple([None if optimiser is None else optimiser.start(members) for (_, optimiser), members in groups])

    def advance(self, values: Named, gradients: Named, state: Any) -> tuple[Named, Any]:
        new: Named = {}
        states = []
        for (_, optimiser), members, inner in zip(self.groups, self._members(values), state, strict=True):
            if optimiser is not None:
                moved, inner = optimiser.advance(members, {path: g for path, g in gradients.items() if path in members}, inner)
                new |= moved
            states.append(inner)
        return new, tuple(states)

    def rate(self, state: Any) -> Any:
        """That of the first group that moves."""
        moving = [(optimiser, inner) for (_, optimiser), inner in zip(self.groups, state, strict=True) if optimiser is not None]
        return moving[0][0].rate(moving[0][1])


def frozen(optimiser: Optimiser, *where: Where) -> Grouped:
    """The optimiser for all parameters but those that a pattern, or a function of path and array, names; see `optim.Grouped`."""
    return Grouped((*[(pattern, None) for pattern in where], ("*", optimiser)))


class AccumulatedState(NamedTuple):
    """The optimiser's state, how many gradients were gathered, and their sums by path."""

    inner: Any
    count: Any
    sums: Named


@dataclasses.dataclass(frozen=True)
class Accumulated(Optimiser):
    """One step with the mean of every `n` gradients; the others change nothing."""

    optimiser: Optimiser
    n: int

    def start(self, values: Named) -> Any:
        return AccumulatedState(self.optimiser.start(values), np.array(0), {path: np.zeros_like(p) for path, p in values.items()})

    def advance(self, values: Named, gradients: Named, state: Any) -> tuple[Named, Any]:
        sums = state.sums | {path: state.sums[path] + g for path, g in gradients.items()}
        count = state.count + 1
        is_last = np.equal(count, self.n)
        means = {path: sums[path] / self.n for path in gradients}
        moved, inner = self.optimiser.advance(values, means, state.inner)
        new = {path: np.where(is_last, p, values[path]) for path, p in moved.items()}
        inner = trees.map_leaves(lambda after, before: np.where(is_last, after, before), inner, state.inner)
        sums = {path: np.where(is_last, np.zeros_like(total), total) for path, total in sums.items()}
        return new, AccumulatedState(inner, np.where(is_last, 0, count), sums)

    def rate(self, state: Any) -> Any:
        return self.optimiser.rate(state.inner)


class AveragedState(NamedTuple):
    """The optimiser's state, how many steps were taken and averaged, and the averages by path."""

    inner: Any
    step: Any
    count: Any
    averages: Named


@dataclasses.dataclass(frozen=True)
class Averaged(Optimiser):
    """The optimiser, and beside its weights their running average.

    Args:
        optimiser: what moves the weights.
        decay: `a ← d a + (1 - d) p`, an exponential average that begins with the first weights; `None` for equal shares.
        start_step: how many steps are taken before the first that counts.
        every: of how many steps one counts.

    `average(params, state)` is the model of the averages.

    Source: B. T. Polyak and A. B. Juditsky (1992); P. Izmailov et al., Averaging weights leads to wider optima (UAI 2018).
    """

    optimiser: Optimiser
    decay: float | None = 0.999
    start_step: int = 0
    every: int = 1

    def start(self, values: Named) -> Any:
        return AveragedState(self.optimiser.start(values), np.array(0), np.array(0), dict(values))

    def advance(self, values: Named, gradients: Named, state: Any) -> tuple[Named, Any]:
        new, inner = self.optimiser.advance(values, gradients, state.inner)
        step = state.step + 1
        counts = np.logical_and(np.greater(step, self.start_step), np.equal((step - self.start_step - 1) % self.every, 0))
        share = 1.0 / (state.count + 1) if self.decay is None else 1.0 - self.decay
        share = np.where(counts, np.where(np.equal(state.count, 0), 1.0, share), 0.0)
        averages = {path: a + share.astype(a.dtype) * ((values | new)[path] - a) for path, a in state.averages.items()}
        return new, AveragedState(inner, step, state.count + np.where(counts, 1, 0), averages)

    def average(self, params: Any, state: Any) -> Any:
        """The model with the averages in the place of its weights; buffers are those of `params`."""
        return Leaves(params).replaced(state.averages)

    def rate(self, state: Any) -> Any:
        return self.optimiser.rate(state.inner)


class MastersState(NamedTuple):
    """The optimiser's state, and the weights with all their digits by path."""

    inner: Any
    masters: Named


@dataclasses.dataclass(frozen=True)
class Masters(Optimiser):
    """Steps on copies of the weights with more digits, `float64` for a `float32` model: small steps are not lost to rounding.

    The model's own weights are the copies, rounded; the gradients are those of the rounded weights.

    Source: P. Micikevicius et al., Mixed precision training (ICLR 2018).
    """

    optimiser: Optimiser
    dtype: Any = np.float64

    def start(self, values: Named) -> Any:
        masters = {path: p.astype(self.dtype) for path, p in values.items()}
        return MastersState(self.optimiser.start(masters), masters)

    def advance(self, values: Named, gradients: Named, state: Any) -> tuple[Named, Any]:
        precise = {path: g.astype(self.dtype) for path, g in gradients.items()}
        moved, inner = self.optimiser.advance(state.masters, precise, state.inner)
        return {path: p.astype(values[path].dtype) for path, p in moved.items()}, MastersState(inner, state.masters | moved)

    def rate(self, state: Any) -> Any:
        return self.optimiser.rate(state.inner)
