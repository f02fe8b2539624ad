"""Optimisers for any container of arrays: plain NumPy arithmetic, so that a whole step is one compiled program."""

from wengert.optim.base import Optimiser, State
from wengert.optim.rules import SGD, Adagrad, Adam, AdamW, Lion, RMSProp

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Lion", "Optimiser", "RMSProp", "State"]
