"""LAPACK by native pointer: the functions that SciPy's own compiled code calls, under names of ours, and the workspace that they ask for.

They take pointers only, call no Python, and may run in several threads at once.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from wengert import _optional
from wengert.compiler.engine import binding, define_symbol
from wengert.compiler.runtime.python import capsule_pointer

LETTERS = {"float64": "d", "float32": "s", "complex128": "z", "complex64": "c"}  # how the names of LAPACK begin
COMPLEX = {"orgqr": "ungqr", "syevd": "heevd"}  # what functions of real matrices are called for complex ones
PREFIX = "wengert_"


def name_of(function: str, dtype: Any) -> str:
    """The symbol of a function for a dtype: `getrf` of float64 is `wengert_dgetrf`."""
    return f"{PREFIX}{LETTERS[dtype.name]}{COMPLEX.get(function, function) if dtype.kind == 'c' else function}"


@cache
def address(symbol: str) -> int:
    """Where a function begins."""
    return capsule_pointer(_load().__pyx_capi__[symbol.removeprefix(PREFIX)])


@cache
def _load() -> Any:
    """SciPy's LAPACK.

    OpenBLAS asks which processor it runs on when it is loaded, and takes kernels of half the speed on those with AVX-512 that it does
    not know by name; unless somebody has chosen already, it is told then.
    """
    name = "OPENBLAS_CORETYPE"
    is_free = name not in os.environ and "scipy.linalg" not in sys.modules
    if is_free and binding().get_host_cpu_features().get("avx512f"):
        os.environ[name] = "SkylakeX"
    try:
        return _optional.load("scipy.linalg.cython_lapack", "wg.jit", "jit")
    finally:
        if is_free:
            os.environ.pop(name, None)


def provide_lapack(symbols: Iterable[str]) -> None:
    """Tell LLVM where functions are."""
    for symbol in symbols:
        define_symbol(symbol, address(symbol))


@cache
def workspace(symbol: str, arguments: Sequence[Any], dtype: Any) -> tuple[int, int, int]:
    """How many numbers, how many whole numbers, and beside complex ones how many real numbers a function wants for its own use.

    `arguments` are whole numbers, letters and floats; "work", "iwork" and "rwork" for the arrays, "lwork", "liwork" and "lrwork" for their
    lengths (as -1 they make it answer), and `None` for other arrays, which it does not look at then.
    """
    work, iwork = np.zeros(8, dtype), np.zeros(8, np.int32)
    rwork = np.zeros(8, work.real.dtype)
    arrays: dict[Any, Any] = {name: np.array(-1, np.int32) for name in ("lwork", "liwork", "lrwork")}
    arrays.update({"work": work, "iwork": iwork, "rwork": rwork, None: np.zeros(8, dtype)})
    values = [arrays[x] if x in arrays else plain(x) for x in arguments]
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(values))(address(symbol))
    function(*[value.ctypes.data for value in values])
    numbers, real = (int(np.ceil(np.nextafter(x, np.inf, dtype=rwork.dtype))) for x in (work.real[0], rwork[0]))
    return numbers, int(iwork[0]), real


def plain(value: Any) -> Any:
    """A number or letter in memory."""
    if isinstance(value, str):
        return np.array(ord(value), np.uint8)
    return np.array(value, np.int32) if isinstance(value, int) else np.array(value)
