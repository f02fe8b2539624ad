"""What PyTorch keeps in `torch.autograd`: gradients handed out, functions of one's own, checks, Jacobians."""

from __future__ import annotations

from typing import Any

from wengert.tensor import functional
from wengert.tensor.backward import backward, grad
from wengert.tensor.functions import Context, Function, once_differentiable
from wengert.tensor.gradcheck import gradcheck, gradgradcheck
from wengert.tensor.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from wengert.tensor.traced import Tensor

__all__ = [
    "Context", "Function", "Variable", "backward", "enable_grad", "functional", "grad", "gradcheck", "gradgradcheck",
    "inference_mode", "no_grad", "once_differentiable", "set_grad_enabled",
]  # fmt: skip


def Variable(data: Any, requires_grad: bool = False) -> Tensor:
    """The tensor itself, as an old name for it."""
    return data.requires_grad_(requires_grad) if requires_grad else data
