"""BLAS by native pointer: the functions that SciPy's own compiled code calls, under names of ours."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

from wengert import _optional
from wengert.compiler.engine import binding

FUNCTIONS = {"wengert_dgemm": "dgemm", "wengert_sgemm": "sgemm"}


@cache
def register() -> None:
    """Tell LLVM where the functions are."""
    llvm = binding()
    for symbol, address in addresses().items():
        llvm.add_symbol(symbol, address)


@cache
def addresses() -> dict[str, int]:
    """The addresses of the functions."""
    table = _load().__pyx_capi__
    return {symbol: pointer(table[name]) for symbol, name in FUNCTIONS.items()}


def _load() -> Any:
    """SciPy's BLAS.

    OpenBLAS asks which processor it runs on when it is loaded, and takes kernels of half the speed on those with AVX-512 that it does
    not know by name; unless somebody has chosen already, it is told then.
    """
    name = "OPENBLAS_CORETYPE"
    is_free = name not in os.environ and "scipy.linalg" not in sys.modules
    if is_free and binding().get_host_cpu_features().get("avx512f"):
        os.environ[name] = "SkylakeX"
    try:
        return _optional.load("scipy.linalg.cython_blas", "wg.jit", "jit")
    finally:
        if is_free:
            os.environ.pop(name, None)


def pointer(capsule: Any) -> int:
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return int(api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule)))
