"""Plain arrays that a record refers to, kept as they were when they were used.

A program may use a plain array and write into it afterwards, as in a loop that refills a buffer.  The walk back
needs the old values.  So a record keeps a copy of every plain array that it needs; of one that is large it keeps
a fingerprint instead, and says so when the array has changed.  A read-only array is taken at its word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.trace import Tracer
from wengert.errors import AssignmentError, describe, page

SMALL = 2**12  # bytes: copied without asking whether there is a copy already
LARGE = 2**20  # bytes: more than these are not copied
_WEIGHTS = np.random.default_rng(0).uniform(1.0, 2.0, 1024)


class Preserved:
    """The copies and the fingerprints of one record."""

    __slots__ = ("copies", "fingerprints")

    def __init__(self) -> None:
        self.copies: dict[int, tuple[Any, Any]] = {}
        self.fingerprints: dict[int, tuple[Any, bytes]] = {}

    def keep(self, value: Any) -> Any:
        """The same value, which nobody else can change unnoticed."""
        if isinstance(value, Tracer):
            return type(value)(value.value, value.watcher, value.extra)
        if type(value) is not np.ndarray:
            return value
        if not value.flags.writeable:
            return _copy_of_view(value) if _has_writeable_base(value) else value
        if value.nbytes <= SMALL:
            return value.copy(order="K")
        if value.nbytes > LARGE and value.dtype.kind == "f" and (value.flags.c_contiguous or value.flags.f_contiguous):
            if id(value) not in self.fingerprints:
                self.fingerprints[id(value)] = (value, fingerprint(value))
            return value
        _, copy = self.copies.get(id(value), (None, None))
        if copy is None or not np.array_equal(copy, value):
            copy = value.copy(order="K")
            self.copies[id(value)] = (value, copy)
        return copy

    def verify(self) -> None:
        """Raise `AssignmentError` if a large array has changed since it was used."""
        for array, before in self.fingerprints.values():
            if fingerprint(array) != before:
                raise AssignmentError(
                    page(
                        f"a plain array of type {describe(array)} was written into after the function had used it.",
                        "The way back needs the values that it had then, and arrays of this size are not copied.",
                        "table = table.copy()   # before writing into it",
                        "assignment",
                    )
                )


def _has_writeable_base(view: Any) -> bool:
    base = view.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return False


def _copy_of_view(view: Any) -> Any:
    """A copy of a read-only view, such as `np.broadcast_to` gives, in which repeated entries are stored once."""
    once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in view.strides)
    return np.broadcast_to(view[once].copy(), view.shape)


def fingerprint(array: Any) -> bytes:
    """Weighted sums of blocks of a contiguous array of floating-point numbers: the same for the same numbers.

    Every entry has another weight within its block, so exchanged entries show too.
    """
    flat = array.ravel(order="K")
    n = flat.size // _WEIGHTS.size * _WEIGHTS.size
    weights = _WEIGHTS.astype(flat.dtype)
    with np.errstate(all="ignore"):
        blocks = flat[:n].reshape(-1, _WEIGHTS.size) @ weights
    return bytes(blocks.tobytes()) + bytes(flat[n:].tobytes())
