"""What optimisers share: a step for every parameter, with what is remembered of it, and a rate that may follow a schedule."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import wengert as wg
from wengert import trees

Rate = float | Callable[[Any], Any]
Slots = dict[str, Any]
Named = dict[str, Any]  # by the path to a parameter


class State(NamedTuple):
    """How many steps were taken, and for each name of a running quantity its array for each parameter, by path."""

    step: Any
    slots: dict[str, dict[str, Any]]


@functools.lru_cache(maxsize=256)
def _names_in(structure: Any) -> tuple[str, ...]:
    return tuple([path.removeprefix(".") for path in trees.paths_in(structure)])


class Leaves:
    """The leaves of a container, the paths to them, and which are parameters."""

    def __init__(self, params: Any) -> None:
        self.values, self.structure = trees.flatten(params)
        self.names = _names_in(self.structure)
        self.flags = wg.nn.parameter_flags(params)

    def parameters(self) -> dict[str, Any]:
        """The parameters by path."""
        return {name: value for name, value, flag in zip(self.names, self.values, self.flags, strict=True) if flag}

    def like(self, tree: Any) -> dict[str, Any]:
        """What another container has in the places of parameters; those where it has `None` are left out."""
        found = zip(self.names, trees.flatten_up_to(self.structure, tree), self.flags, strict=True)
        return {name: value for name, value, flag in found if flag and value is not None}

    def replaced(self, new: dict[str, Any]) -> Any:
        """The container with new values at some paths."""
        values = [new.get(name, value) for name, value in zip(self.names, self.values, strict=True)]
        return trees.unflatten(self.structure, values)


def as_scalar(value: Any, like: Any) -> Any:
    """A number in the dtype of an array, so that it does not change that of the result."""
    return value if type(value) in (int, float) else value.astype(like.dtype)  # NumPy's numbers are float as well


class Optimiser:
    """`(params, gradients, state) ↦ (params, state)`: one step, on any container of arrays.

    A subclass is a dataclass of its settings with `lr` among them.  It says what it remembers of a parameter, and moves one parameter.
    All is plain NumPy arithmetic, so that a step of training, gradient and all, is one program of `wg.jit`.
    """

    lr: Rate

    def slots(self, p: Any) -> Slots:
        """What is remembered of a parameter, before the first step."""
        return {}

    def move(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        """`(new parameter, new slots)` from the gradient; `step` counts from 1."""
        raise NotImplementedError

    def init(self, params: Any) -> Any:
        """The state before the first step."""
        return self.start(Leaves(params).parameters())

    def update(self, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        """`(new params, new state)`; what has `None` for its gradient, and what is no parameter, stays as it is.

        Args:
            params: a container of arrays, such as a model.
            grads: the same container of gradients, from `wg.grad` or `nn.grad`.
            state: from `init`, or from the last step.
        """
        leaves = Leaves(params)
        new, state = self.advance(leaves.parameters(), leaves.like(grads), state)
        return leaves.replaced(new), state

    def start(self, values: Named) -> Any:
        """The state for parameters by path."""
        held: dict[str, Named] = {}
        for name, p in values.items():
            for slot, value in self.slots(p).items():
                held.setdefault(slot, {})[name] = value
        return State(np.array(0), held)

    def advance(self, values: Named, gradients: Named, state: Any) -> tuple[Named, Any]:
        """`update` for parameters and gradients by path; returns those that have moved."""
        step, rate = state.step + 1, self.rate(state)
        new: Named = {}
        held = {slot: dict(by_name) for slot, by_name in state.slots.items()}
        for name, g in gradients.items():
            p = values[name]
            before = {slot: by_name[name] for slot, by_name in state.slots.items() if name in by_name}
            new[name], after = self.move(p, g, before, as_scalar(rate, p), step)
            for slot, value in after.items():
                held[slot][name] = value
        return new, State(step, held)

    def rate(self, state: Any) -> Any:
        """The learning rate of the next step."""
        return self.lr(state.step) if callable(self.lr) else self.lr
