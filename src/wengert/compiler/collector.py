"""Python's collector of dead rings while programs are recorded and compiled, which make very many objects that live on.

Left to itself it looks through all of them again and again, which takes a tenth of a long program's first call.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

PATIENT = 50_000  # objects more than have died, at which it looks: 1.5 ms of work


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """It does not look: for what makes no rings, as passes, and pages."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def collector_at_ease() -> Iterator[None]:
    """It looks seldom: for recordings, which run code of the user's, and that may make rings."""
    before = gc.get_threshold()
    at_ease = (max(before[0], PATIENT), *before[1:])
    if before[0]:  # 0: it does not look at all
        gc.set_threshold(*at_ease)
    try:
        yield
    finally:
        if gc.get_threshold() == at_ease:
            gc.set_threshold(*before)
