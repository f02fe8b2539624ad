"""The optimisers: for each, what it remembers of a parameter and how it moves it.

Formulas, defaults and the order of operations are those of PyTorch, so that trajectories agree to rounding.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from wengert.optim.base import Optimiser, Rate, Slots, as_scalar


@dataclasses.dataclass(frozen=True)
class SGD(Optimiser):
    """`v ← μ v + (1 - τ) g`, `p ← p - η v`; with Nesterov's momentum `p ← p - η (g + μ v)`.

    Args:
        lr: `η`, a number or a schedule.
        momentum: `μ`; the first `v` is `g`.
        dampening: `τ`.
        weight_decay: `λ`, for `g + λ p` in the place of `g`.
        nesterov: look ahead; needs momentum and no dampening.

    Example:
        >>> import numpy as np, wengert as wg
        >>> optimiser = wg.optim.SGD(lr=0.1)
        >>> params = {"w": np.array([1.0, 2.0])}
        >>> optimiser.update(params, wg.grad(lambda p: np.sum(p["w"] ** 2))(params), optimiser.init(params))[0]
        {'w': array([0.8, 1.6])}

    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods (1964); Y. E. Nesterov (1983).
    """

    lr: Rate = 1e-3
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and (self.momentum <= 0 or self.dampening):
            msg = "nesterov=True needs momentum > 0 and dampening = 0"
            raise ValueError(msg)

    def slots(self, p: Any) -> Slots:
        return {"momentum": np.zeros_like(p)} if self.momentum else {}

    def move(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        if self.weight_decay:
            g = g + self.weight_decay * p
        if not self.momentum:
            return p - rate * g, {}
        kept = as_scalar(np.where(np.equal(step, 1), 1.0, 1.0 - self.dampening), p) if self.dampening else 1.0
        v = self.momentum * slots["momentum"] + kept * g
        return p - rate * (g + self.momentum * v if self.nesterov else v), {"momentum": v}


@dataclasses.dataclass(frozen=True)
class Adam(Optimiser):
    """`m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`, `p ← p - η m̂ / (sqrt(v̂) + ε)` with `m̂ = m / (1 - β₁ᵗ)`, `v̂ = v / (1 - β₂ᵗ)`.

    Args:
        lr: `η`, a number or a schedule.
        betas: `β₁` and `β₂`.
        eps: `ε`.
        weight_decay: `λ`, for `g + λ p` in the place of `g`.
        amsgrad: divide by the largest `v` so far.

    Source: D. P. Kingma and J. Ba, Adam: a method for stochastic optimization (ICLR 2015); S. J. Reddi et al. (ICLR 2018).
    """

    lr: Rate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def slots(self, p: Any) -> Slots:
        names = ("m", "v", "largest_v") if self.amsgrad else ("m", "v")
        return {name: np.zeros_like(p) for name in names}

    def move(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        if self.weight_decay:
            g = g + self.weight_decay * p
        return self._step(p, g, slots, rate, step)

    def _step(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        first, second = self.betas
        m = slots["m"] + (1 - first) * (g - slots["m"])
        v = second * slots["v"] + (1 - second) * (g * g)
        new = {"m": m, "v": v}
        if self.amsgrad:
            v = new["largest_v"] = np.maximum(slots["largest_v"], v)
        size = rate / as_scalar(1 - np.power(first, step), p)
        return p - size * (m / (np.sqrt(v) / as_scalar(np.sqrt(1 - np.power(second, step)), p) + self.eps)), new


@dataclasses.dataclass(frozen=True)
class AdamW(Adam):
    """Adam with the decay apart from the gradient: `p ← (1 - η λ) p` before the step.

    Source: I. Loshchilov and F. Hutter, Decoupled weight decay regularization (ICLR 2019).
    """

    weight_decay: float = 1e-2

    def move(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        return self._step(p * (1 - rate * self.weight_decay), g, slots, rate, step)


@dataclasses.dataclass(frozen=True)
class RMSProp(Optimiser):
    """`v ← α v + (1 - α) g²`, `p ← p - η g / (sqrt(v) + ε)`.

    Args:
        lr: `η`, a number or a schedule.
        alpha: `α`.
        eps: `ε`.
        weight_decay: `λ`, for `g + λ p` in the place of `g`.
        momentum: `μ`, for `b ← μ b + g / (sqrt(v) + ε)` and `p ← p - η b`.
        centered: `v - ḡ²` in the place of `v`, with the running mean `ḡ` of `g`.

    Source: T. Tieleman and G. Hinton, Lecture 6.5 (2012); A. Graves, arXiv:1308.0850 (2013).
    """

    lr: Rate = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    def slots(self, p: Any) -> Slots:
        names = ["v"] + ["mean"] * self.centered + ["momentum"] * bool(self.momentum)
        return {name: np.zeros_like(p) for name in names}

    def move(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        if self.weight_decay:
            g = g + self.weight_decay * p
        new = {"v": self.alpha * slots["v"] + (1 - self.alpha) * (g * g)}
        spread = new["v"]
        if self.centered:
            new["mean"] = slots["mean"] + (1 - self.alpha) * (g - slots["mean"])
            spread = spread - new["mean"] * new["mean"]
        change = g / (np.sqrt(spread) + self.eps)
        if self.momentum:
            change = new["momentum"] = self.momentum * slots["momentum"] + change
        return p - rate * change, new


@dataclasses.dataclass(frozen=True)
class Adagrad(Optimiser):
    """`s ← s + g²`, `p ← p - η / (1 + (t - 1) δ) g / (sqrt(s) + ε)`.

    Args:
        lr: `η`, a number or a schedule.
        lr_decay: `δ`.
        weight_decay: `λ`, for `g + λ p` in the place of `g`.
        initial_accumulator_value: the first `s`.
        eps: `ε`.

    Source: J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods (JMLR 12, 2011).
    """

    lr: Rate = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def slots(self, p: Any) -> Slots:
        return {"sum": np.full_like(p, self.initial_accumulator_value)}

    def move(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        if self.weight_decay:
            g = g + self.weight_decay * p
        if self.lr_decay:
            rate = rate / as_scalar(1 + (step - 1) * self.lr_decay, p)
        total = slots["sum"] + g * g
        return p - rate * (g / (np.sqrt(total) + self.eps)), {"sum": total}


@dataclasses.dataclass(frozen=True)
class Lion(Optimiser):
    """`p ← (1 - η λ) p - η sign(β₁ m + (1 - β₁) g)`, then `m ← β₂ m + (1 - β₂) g`.

    Args:
        lr: `η`, a number or a schedule.
        betas: `β₁` and `β₂`.
        weight_decay: `λ`.

    Source: X. Chen et al., Symbolic discovery of optimization algorithms (NeurIPS 2023).
    """

    lr: Rate = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0

    def slots(self, p: Any) -> Slots:
        return {"m": np.zeros_like(p)}

    def move(self, p: Any, g: Any, slots: Slots, rate: Any, step: Any) -> tuple[Any, Slots]:
        first, second = self.betas
        direction = np.sign(first * slots["m"] + (1 - first) * g)
        if self.weight_decay:
            p = p * (1 - rate * self.weight_decay)
        return p - rate * direction, {"m": second * slots["m"] + (1 - second) * g}
