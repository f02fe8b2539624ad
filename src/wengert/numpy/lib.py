"""`numpy.lib`, with the one function of `stride_tricks` that NumPy cannot pass on to a traced array."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from wengert.core.trace import Tracer
from wengert.primitives.rearranging import as_strided as traced_as_strided


def _as_strided(x: Any, shape: Any = None, strides: Any = None, subok: bool = False, writeable: bool = True) -> Any:
    if isinstance(x, Tracer):
        return traced_as_strided(x, shape, strides)
    return np.lib.stride_tricks.as_strided(x, shape, strides, subok, writeable)


stride_tricks = SimpleNamespace(as_strided=_as_strided, sliding_window_view=np.lib.stride_tricks.sliding_window_view)


def __getattr__(name: str) -> Any:
    return getattr(np.lib, name)
