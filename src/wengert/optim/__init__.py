"""Optimisers for any container of arrays: plain NumPy arithmetic, so that a whole step is one compiled program."""

from wengert.optim import schedules
from wengert.optim.base import Optimiser, State
from wengert.optim.clipping import clip_by_global_norm, clip_by_value, global_norm
from wengert.optim.lbfgs import lbfgs
from wengert.optim.rules import SGD, Adagrad, Adam, AdamW, Lion, RMSProp
from wengert.optim.wrappers import Accumulated, Averaged, Clipped, Grouped, Masters, frozen

__all__ = [
    "SGD", "Accumulated", "Adagrad", "Adam", "AdamW", "Averaged", "Clipped", "Grouped", "Lion", "Masters", "Optimiser", "RMSProp", "State",
    "clip_by_global_norm", "clip_by_value", "frozen", "global_norm", "lbfgs", "schedules",
]  # fmt: skip
