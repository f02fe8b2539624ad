"""LAPACK by native pointer: the functions that SciPy's own compiled code calls, under names of ours, and the workspace that they ask for.

They take pointers only, call no Python, and may run in several threads at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from wengert import _optional
from wengert.compiler.blas import addresses as addresses_of_blas
from wengert.compiler.blas import pointer
from wengert.compiler.engine import define_symbol

LETTERS = {"float64": "d", "float32": "s"}  # how the names of LAPACK begin
PREFIX = "wengert_"


def name_of(function: str, dtype: Any) -> str:
    """The symbol of a function for a dtype: `getrf` of float64 is `wengert_dgetrf`."""
    return f"{PREFIX}{LETTERS[dtype.name]}{function}"


@cache
def address(symbol: str) -> int:
    """Where a function begins."""
    addresses_of_blas()  # decides how SciPy's library is loaded
    table = _optional.load("scipy.linalg.cython_lapack", "wg.jit", "jit").__pyx_capi__
    return pointer(table[symbol.removeprefix(PREFIX)])


def provide_lapack(symbols: Iterable[str]) -> None:
    """Tell LLVM where functions are."""
    for symbol in symbols:
        define_symbol(symbol, address(symbol))


@cache
def workspace(symbol: str, arguments: Sequence[Any], dtype: Any) -> tuple[int, int]:
    """How many numbers and how many whole numbers a function wants for its own use.

    `arguments` are whole numbers, letters and floats; "work" and "iwork" for the arrays, "lwork" and "liwork" for their lengths (as -1 they
    make it answer), and `None` for other arrays, which it does not look at then.
    """
    work, iwork = np.zeros(8, dtype), np.zeros(8, np.int32)
    arrays = {"work": work, "iwork": iwork, "lwork": np.array(-1, np.int32), "liwork": np.array(-1, np.int32), None: np.zeros(8, dtype)}
    values = [arrays[x] if x in arrays else plain(x) for x in arguments]
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(values))(address(symbol))
    function(*[value.ctypes.data for value in values])
    return int(np.ceil(np.nextafter(work[0], np.inf, dtype=work.dtype))), int(iwork[0])


def plain(value: Any) -> Any:
    """A number or letter in memory."""
    if isinstance(value, str):
        return np.array(ord(value), np.uint8)
    return np.array(value, np.int32) if isinstance(value, int) else np.array(value)
