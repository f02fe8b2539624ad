"""Optimisers of tensors, as PyTorch spells them: `opt = SGD(params, lr=0.1)`, `opt.zero_grad()`, `opt.step()`.

Each is the pure optimiser of the same name, which `step` gives the values and gradients of its tensors.  A rule is stated once.

>>> import wengert.tensor as torch
>>> from wengert.optim import tensors as optim
>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> opt = optim.SGD([x], lr=0.25)
>>> (x**2).sum().backward()
>>> opt.step()
>>> x
tensor([0.5000, 1.0000], requires_grad=True)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import wengert as wg
from wengert.optim import rules
from wengert.optim.base import Optimiser

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Lion", "RMSprop", "TensorOptimiser"]


class TensorOptimiser:
    """Moves tensors in place along their gradients by a pure rule.

    Args:
        params: tensors that require grad, or groups of them: dicts with `params` and settings of their own.
        settings: those of the rule, first of all `lr`.

    `param_groups` holds the groups with their settings; a setting changed there holds from the next step on.
    """

    rule: ClassVar[type[Optimiser]]

    def __init__(self, params: Iterable[Any], *args: Any, **settings: Any) -> None:
        fields = [field.name for field in dataclasses.fields(self.rule)]  # type: ignore[arg-type]  # every rule is a dataclass
        self.defaults = {**dataclasses.asdict(self.rule(*args, **settings))}  # type: ignore[call-overload]  # as above
        assert set(self.defaults) == set(fields)
        self.param_groups: list[dict[str, Any]] = []
        self.states: list[Any] = []
        given = list(params)
        for group in given if given and isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """More tensors, with settings of their own."""
        tensors = param_group["params"]
        tensors = [tensors] if isinstance(tensors, wg.Tensor) else list(tensors)
        group = {**self.defaults, **param_group, "params": tensors}
        self.param_groups.append(group)
        self.states.append(self._rule_of(group).init(_values(tensors)))

    def _rule_of(self, group: dict[str, Any]) -> Optimiser:
        return self.rule(**{name: group[name] for name in self.defaults})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; with `set_to_none=False` they become zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every tensor that has a gradient; `closure` computes the loss and the gradients first, and its loss is returned."""
        loss = closure() if closure is not None else None
        for k, group in enumerate(self.param_groups):
            tensors = group["params"]
            grads = [None if p.grad is None else p.grad.numpy(force=True) for p in tensors]
            new, self.states[k] = self._rule_of(group).update(_values(tensors), grads, self.states[k])
            for p, value, g in zip(tensors, new, grads, strict=True):
                if g is not None:
                    p.data = value
        return loss

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to go on: the states, and the settings of each group."""
        settings = [{name: value for name, value in group.items() if name != "params"} for group in self.param_groups]
        return {"states": list(self.states), "param_groups": settings}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.states = list(state_dict["states"])
        for group, settings in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update(settings)

    def __repr__(self) -> str:
        lines = [f"group {k}: " + ", ".join(f"{name}={group[name]}" for name in self.defaults) for k, group in enumerate(self.param_groups)]
        return f"{type(self).__name__}(\n    " + "\n    ".join(lines) + "\n)"


def _values(tensors: Iterable[Any]) -> list[Any]:
    return [p.numpy(force=True) for p in tensors]


class SGD(TensorOptimiser):
    """`wengert.optim.SGD` of tensors."""

    rule = rules.SGD


class Adam(TensorOptimiser):
    """`wengert.optim.Adam` of tensors."""

    rule = rules.Adam


class AdamW(TensorOptimiser):
    """`wengert.optim.AdamW` of tensors."""

    rule = rules.AdamW


class RMSprop(TensorOptimiser):
    """`wengert.optim.RMSProp` of tensors."""

    rule = rules.RMSProp


class Adagrad(TensorOptimiser):
    """`wengert.optim.Adagrad` of tensors."""

    rule = rules.Adagrad


class Lion(TensorOptimiser):
    """`wengert.optim.Lion` of tensors."""

    rule = rules.Lion
