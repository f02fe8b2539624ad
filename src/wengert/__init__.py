"""wengert: exact derivatives of the NumPy program you already have.

>>> import numpy as np, wengert as wg
>>> wg.grad(lambda x: np.sum(np.sin(x)))(np.zeros(2))
array([1., 1.])
"""

import importlib as _importlib
from typing import Any as _Any

from wengert import primitives as _primitives  # registers every card
from wengert.api import (
    Diagnosis,
    Finding,
    LinearMap,
    anomaly,
    check_rules,
    checkpoint,
    custom_rule,
    diagnose,
    get_threads,
    grad,
    hessian,
    hvp,
    jacobian,
    jit,
    jvp,
    linearize,
    register_container,
    set_threads,
    sparsity,
    stop_gradient,
    trace,
    value_and_grad,
    vjp,
    vmap,
    wirtinger,
)
from wengert.control import cond, fori_loop, scan, while_loop
from wengert.core.array import Array
from wengert.core.graph import Graph
from wengert.core.pattern import Pattern
from wengert.viz import draw, explain

__version__ = "0.1.0"
__all__ = [
    "Array",
    "Diagnosis",
    "Finding",
    "Graph",
    "LinearMap",
    "Pattern",
    "Tensor",
    "anomaly",
    "autograd",
    "check_rules",
    "checkpoint",
    "cond",
    "custom_rule",
    "diagnose",
    "draw",
    "enable_grad",
    "explain",
    "fit",
    "fori_loop",
    "get_threads",
    "grad",
    "hessian",
    "hvp",
    "inference_mode",
    "jacobian",
    "jit",
    "jvp",
    "linearize",
    "no_grad",
    "register_container",
    "scan",
    "set_grad_enabled",
    "set_threads",
    "sparsity",
    "stop_gradient",
    "trace",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
    "wirtinger",
]
_ROOMS = ("learn", "nn", "optim", "tensor")  # loaded when first used
_LATE = {  # names that a room gives, loaded when first used
    "Tensor": "tensor",
    "autograd": "tensor",
    "enable_grad": "tensor",
    "fit": "learn",
    "inference_mode": "tensor",
    "no_grad": "tensor",
    "set_grad_enabled": "tensor",
}
del _primitives


def __getattr__(name: str) -> _Any:
    if name in _ROOMS:
        return _importlib.import_module(f"wengert.{name}")
    if name in _LATE:
        return getattr(_importlib.import_module(f"wengert.{_LATE[name]}"), name)
    msg = f"module 'wengert' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_LATE})
