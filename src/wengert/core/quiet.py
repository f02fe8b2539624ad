"""NumPy's warnings of floating-point numbers, switched off while a derivative is computed.

The slope of a branch that is not taken may be infinite or NaN, and nobody needs to hear of it.  `np.errstate` costs as much as several
small operations, so the state that it would set is found once, where NumPy keeps it: in a context variable.
"""

from __future__ import annotations

import contextvars
from contextvars import Context, ContextVar
from types import TracebackType
from typing import Any

import numpy as np


def _state_of_silence() -> tuple[ContextVar[Any], Any] | None:
    """NumPy's context variable and its value when everything is ignored; `None` for a NumPy that keeps it elsewhere."""
    before = contextvars.copy_context()
    after: Context = before.copy()
    after.run(np.seterr, all="ignore")
    changed = [variable for variable, value in after.items() if before.get(variable) is not value]
    return (changed[0], after[changed[0]]) if len(changed) == 1 else None


SILENCE = _state_of_silence()  # for those to whom even `quiet` would cost too much


class _Quiet:
    """`with quiet():` is `with np.errstate(all="ignore"):`."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        assert SILENCE is not None
        self._token = SILENCE[0].set(SILENCE[1])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert SILENCE is not None
        SILENCE[0].reset(self._token)


def _usual() -> Any:
    return np.errstate(all="ignore")


quiet: Any = _usual if SILENCE is None else _Quiet
