"""Losses as objects that hold their settings, in PyTorch's names: `nn.CrossEntropyLoss(label_smoothing=0.1)(logits, labels)`."""

from __future__ import annotations

from typing import Any, ClassVar

from wengert.nn import losses
from wengert.nn.ctc import ctc_loss
from wengert.nn.module import Module


class MSELoss(Module):
    """`(y - t)²`; see `nn.mse_loss`."""

    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.mse_loss(output, target, reduction=self.reduction)


class L1Loss(Module):
    """`|y - t|`; see `nn.l1_loss`."""

    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.l1_loss(output, target, reduction=self.reduction)


class HuberLoss(Module):
    """`d²/2` for small `d = |y - t|`, and `δ (d - δ/2)` for large; see `nn.huber_loss`."""

    delta: float = 1.0
    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.huber_loss(output, target, delta=self.delta, reduction=self.reduction)


class SmoothL1Loss(Module):
    """The Huber loss divided by `β`; see `nn.smooth_l1_loss`."""

    beta: float = 1.0
    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.smooth_l1_loss(output, target, beta=self.beta, reduction=self.reduction)


class KLDivLoss(Module):
    """`t (log t - y)` of logarithms `y` of probabilities; see `nn.kl_div`."""

    log_target: bool = False
    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.kl_div(output, target, log_target=self.log_target, reduction=self.reduction)


class BCELoss(Module):
    """`-(t log p + (1 - t) log(1 - p))` of probabilities; see `nn.binary_cross_entropy`."""

    buffers: ClassVar[tuple[str, ...]] = ("weight",)
    weight: Any = None
    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.binary_cross_entropy(output, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Module):
    """The binary cross entropy from logits; see `nn.binary_cross_entropy_with_logits`."""

    buffers: ClassVar[tuple[str, ...]] = ("weight", "pos_weight")
    weight: Any = None
    pos_weight: Any = None
    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.binary_cross_entropy_with_logits(output, target, weight=self.weight, pos_weight=self.pos_weight, reduction=self.reduction)


class NLLLoss(Module):
    """`-w[t] y[t]` of logarithms of probabilities; see `nn.nll_loss`."""

    buffers: ClassVar[tuple[str, ...]] = ("weight",)
    weight: Any = None
    ignore_index: int = -100
    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.nll_loss(output, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(Module):
    """`-w[t] log softmax(z)[t]` of logits; see `nn.cross_entropy`."""

    buffers: ClassVar[tuple[str, ...]] = ("weight",)
    weight: Any = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    reduction: str = "mean"

    def __call__(self, output: Any, target: Any) -> Any:
        return losses.cross_entropy(output, target, weight=self.weight, ignore_index=self.ignore_index, label_smoothing=self.label_smoothing, reduction=self.reduction)


class CTCLoss(Module):
    """The loss of all ways to spread a text along a sequence; see `nn.ctc_loss`."""

    blank: int = 0
    zero_infinity: bool = False
    reduction: str = "mean"

    def __call__(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
        return ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=self.blank, zero_infinity=self.zero_infinity, reduction=self.reduction)
