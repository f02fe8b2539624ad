"""Calls from a compiled program back into Python, for primitives without native code.

A program calls `i32 host(ptr pointers)` with the addresses of the step's buffers.  What goes wrong there is set aside, the
program stops, and its launcher asks `on_error` to raise it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.compiler.loops import Buffer, HostCall, View
from wengert.compiler.runtime.python import address_of

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p))  # takes the GIL for the call
STOPPED = 1  # the status of a program whose host call has raised


class TypeChangedError(RuntimeError):
    """A primitive whose result has other types for other values, as eigenvalues have: another program is needed."""


class Host:
    """The calls of one program, and what went wrong in them, for each thread."""

    def __init__(self) -> None:
        self._callbacks: list[Any] = []
        self._errors = threading.local()

    def callback(self, step: HostCall) -> int:
        """The address of a native function that performs a step; it lives as long as this object."""
        buffers = step.buffers()

        def perform(pointers: Any) -> int:
            try:
                with np.errstate(all="ignore"):  # native steps do not warn either
                    evaluate(step, dict(zip(buffers, pointers[: len(buffers)], strict=True)))
            except BaseException as error:  # an interrupt, too, has to pass through native code
                error.add_note(f"in `{step.primitive.name}` of a compiled program, written at {step.location or 'an unknown place'}")
                self._errors.latest = error
                return STOPPED
            return 0

        function = _CALLBACK(perform)
        self._callbacks.append(function)
        return address_of(function)

    def on_error(self, status: int) -> Any:
        """Raise what this thread's program stopped for."""
        error = self._errors.__dict__.pop("latest", None)
        if error is None:
            msg = f"a compiled program stopped with status {status}"
            raise RuntimeError(msg)
        raise error


def evaluate(step: HostCall, addresses: dict[Buffer, int | None]) -> None:
    """Apply the primitive to copies of its operands (which Python may keep), and write the results down."""
    operands = [_copy(x, addresses[x.buffer]) if isinstance(x, View) else x for x in step.operands]
    result = step.primitive.eval(*operands, **step.params)
    results: Sequence[Any] = [result] if step.primitive.n_outputs is None else list(result)
    for buffer, value in zip(step.results, map(np.asarray, results), strict=True):
        if value.dtype != buffer.dtype or value.size != buffer.size:
            msg = f"{step.primitive.name} gave {value.dtype}{list(value.shape)} where {buffer.dtype}{list(buffer.shape)} was recorded"
            raise TypeChangedError(msg)
        if buffer.size:
            memory(buffer, addresses[buffer])[...] = value.reshape(buffer.shape)


def _copy(view: View, address: int | None) -> Any:
    """The array, or the number, that a view shows."""
    buffer = view.buffer
    if not buffer.size:
        return np.empty(view.shape, buffer.dtype)
    flat, item = memory(buffer, address).reshape(-1), buffer.dtype.itemsize
    strides = [s * item for s in view.strides]
    return np.array(np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, strides))[()]


def memory(buffer: Buffer, address: int | None) -> Any:
    """A buffer as an array without a copy; valid while the program runs."""
    raw: Any = (ctypes.c_char * buffer.n_bytes).from_address(address or 0)
    return np.ndarray(buffer.shape, buffer.dtype, raw)
