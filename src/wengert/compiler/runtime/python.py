"""What the native runtime has to know about this Python and this NumPy: addresses, and the layout of objects."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np

# Places in the table of NumPy's C API: its ABI keeps them, and a test compares them with NumPy's own header.
NUMPY_API = {"PyArray_DescrFromType": 45, "PyArray_Scalar": 60, "PyArray_NewFromDescr": 94, "PyArray_Empty": 184}

PYTHON_API = (
    "Py_IncRef", "Py_DecRef", "PyTuple_New", "PyTuple_SetItem", "PyLong_FromLong", "PyFloat_FromDouble", "PyComplex_FromDoubles",
    "PyErr_NoMemory", "PyErr_Clear", "PyObject_CallFunctionObjArgs", "PyObject_Vectorcall", "PyEval_SaveThread", "PyEval_RestoreThread",
    "PyDict_GetItemWithError", "PyList_GetItem", "PyCell_Get", "PyObject_Size", "PyErr_ExceptionMatches", "PyExc_Exception",
    "PyTuple_Size", "PyTuple_GetItem", "PyList_Size", "PyList_New", "PyList_SetItem", "PyDict_Size", "PyDict_New", "PyDict_SetItem",
    "PyObject_GetAttr", "PyObject_GenericSetAttr", "PyObject_RichCompareBool", "PyUnicode_Compare",
)  # fmt: skip

NEW_OBJECT = object.__new__  # makes an object of a class without calling anything of it; kept, as native code knows its address
HEAD = object.__basicsize__  # what every object begins with: counts, then its type
ARRAY_FIELDS = {"data": 0, "nd": 8, "dims": 16, "strides": 24, "base": 32, "descr": 40, "flags": 48, "handler": 72}
ARRAY_SIZE = 80  # counted from the head, as the offsets above


def capsule_name(capsule: Any) -> bytes:
    """What a capsule is called; Cython writes the signature of a function there."""
    get = ctypes.pythonapi.PyCapsule_GetName
    get.restype, get.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return bytes(get(capsule))


def capsule_pointer(capsule: Any) -> int:
    """Where what a capsule with a name holds begins."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get(capsule, capsule_name(capsule)))


def address_of(function: Any) -> int:
    """Where a function that ctypes knows begins."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def numpy_api() -> dict[str, int]:
    """The addresses of NumPy's C functions."""
    unwrap = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(address_of(ctypes.pythonapi.PyCapsule_GetPointer))
    capsule = np._core._multiarray_umath._ARRAY_API  # type: ignore[attr-defined]
    table = ctypes.cast(unwrap(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    return {name: table[k] or 0 for name, k in NUMPY_API.items()}


def symbols() -> dict[str, int]:
    """Everything that the native runtime asks for by name."""
    found = {name: address_of(getattr(ctypes.pythonapi, name)) for name in PYTHON_API}
    found.update({f"wg_{name}": address for name, address in numpy_api().items()})
    found["wg_none"], found["wg_ndarray"], found["wg_int"] = id(None), id(np.ndarray), id(int)
    found["wg_new_object"] = id(NEW_OBJECT)
    return found


def _word(address: int, kind: Any = ctypes.c_size_t) -> int:
    return int(kind.from_address(address).value)


def is_array_as_expected() -> bool:
    """Whether an ndarray's fields lie where the launcher looks for them; reads only memory of the array's own.

    Where threads run Python at the same time, what a container lends may be gone before it is counted: no native way there.
    """
    if "t" in getattr(sys, "abiflags", ""):  # as asking `sysconfig` for it, which reads a long file first
        return False
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8 or np.ndarray.__basicsize__ < HEAD + ARRAY_SIZE:
        return False
    x = np.arange(6.0).reshape(2, 3)
    at = {name: id(x) + HEAD + offset for name, offset in ARRAY_FIELDS.items()}
    if _word(id(x) + HEAD - 8) != id(np.ndarray):
        return False
    facts = (
        _word(at["data"]) == x.ctypes.data,
        _word(at["nd"], ctypes.c_int) == x.ndim,
        _word(at["base"]) == id(x.base),
        _word(at["descr"]) == id(x.dtype),
        _word(at["flags"], ctypes.c_int) == x.flags.num,
    )
    if not all(facts) or not _word(at["dims"]) or not _word(at["strides"]):
        return False
    dims, strides = ((ctypes.c_ssize_t * 2).from_address(_word(at[name])) for name in ("dims", "strides"))
    return tuple(dims) == x.shape and tuple(strides) == x.strides


def is_list_as_expected() -> bool:
    """Whether a list's length, and where its items stand, follow its head."""
    x = [object(), object(), None]
    if _word(id(x) + HEAD) != len(x):
        return False
    items = (ctypes.c_size_t * len(x)).from_address(_word(id(x) + HEAD + 8))
    return list(items) == [id(item) for item in x]


def is_number_as_expected() -> bool:
    """Whether the value of a number follows its head."""
    samples = (1.5, 2.5 - 1j, np.float64(3.5), np.float32(4.5), np.complex128(1 + 2j), np.int64(-7), np.uint8(200), np.bool_(True))
    for x in samples:
        value = np.asarray(x)
        if ctypes.string_at(id(x) + HEAD, value.nbytes) != value.tobytes():
            return False
    return True
