"""A compiled program as a C function in this process: for SciPy's integrators and filters, for ctypes, Numba and cffi.

| signature                        | the program                                              |
|----------------------------------|----------------------------------------------------------|
| `double (double)`                | one number in, one number out                            |
| `double (double, void *)`        | the same, for `scipy.integrate.quad`                     |
| `double (int, double *)`         | numbers and vectors, one after the other; one number out |
| `double (int, double *, void *)` | the same                                                 |
| `pointers`                       | `int (in_0 *, ..., out_0 *, ...)`: arrays of any dtype   |
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wengert import _optional
from wengert.compiler.engine import Module
from wengert.compiler.runtime.library import library
from wengert.compiler.wrappers import Wrapping, size_of, write_flat, write_pointers, write_scalar
from wengert.core.types import ArrayType
from wengert.errors import ArgumentError, page

_DOUBLE, _INT, _POINTER = ctypes.c_double, ctypes.c_int, ctypes.c_void_p
SIGNATURES: dict[str, tuple[Any, ...]] = {  # result and parameters, as ctypes (and SciPy, by way of it) has them
    "double (double)": (_DOUBLE, _DOUBLE),
    "double (double, void *)": (_DOUBLE, _DOUBLE, _POINTER),
    "double (int, double *)": (_DOUBLE, _INT, ctypes.POINTER(_DOUBLE)),
    "double (int, double *, void *)": (_DOUBLE, _INT, ctypes.POINTER(_DOUBLE), _POINTER),
}
_TABLES = """\
@program = global [1 x ptr] zeroinitializer
declare ptr @wg_take(i64)
declare void @wg_give(ptr)
"""


class LowerCallable:
    """A C function in native code; it may be called as long as this object lives.

    `address` is where it begins, `pointer` what ctypes calls, and `for_scipy()` the `scipy.LowLevelCallable`.
    """

    def __init__(self, module: Module, name: str, signature: str, pointer: Any, keep: Sequence[Any]) -> None:
        self.module, self.name, self.signature, self.pointer = module, name, signature, pointer
        self.address = module.address(name)
        self._keep = keep

    def __call__(self, *arguments: Any) -> Any:
        return self.pointer(*arguments)

    def for_scipy(self) -> Any:
        """What `scipy.integrate.quad` and others call without Python."""
        scipy = _optional.load("scipy", "lower_callable", "scipy")
        callable_ = scipy.LowLevelCallable(self.pointer)
        self.pointer.owner = self  # SciPy keeps the pointer, and so all of it
        return callable_

    def __repr__(self) -> str:
        return f"<C function {self.name}, {self.signature}, at {self.address:#x}>"


def lower_callable(
    program: tuple[int, int], inputs: Sequence[ArrayType], outputs: Sequence[ArrayType], signature: str,
    *, bound: Mapping[int, Any] | None = None, name: str = "f", keep: Any = None,
) -> LowerCallable:  # fmt: skip
    """The C function for a program, given as (address of its entry, bytes of workspace).

    `bound` are inputs with values of their own: arrays that the function has captured.
    """
    values = {k: np.require(x, inputs[k].dtype, ("C", "A")) for k, x in (bound or {}).items()}
    entry, workspace = program
    what = Wrapping(
        "wrapper", inputs, outputs, workspace, bound=tuple(values),
        call=["  %entry.point = load ptr, ptr @program"],
        take=[f"  %block = call ptr @wg_take(i64 {workspace})"], give=["  call void @wg_give(ptr %block)"],
    )  # fmt: skip
    text = _write(what, signature, name)
    library()
    module = Module(f"{_TABLES}@bound = global [{max(1, len(values))} x ptr] zeroinitializer\n{text}")
    module.fill("program", [entry])
    module.fill("bound", [x.ctypes.data for x in values.values()])
    types = SIGNATURES.get(signature) or (_INT, *[_POINTER] * (len(what.free) + len(outputs)))
    pointer = ctypes.CFUNCTYPE(*types)(module.address("wrapper"))
    return LowerCallable(module, "wrapper", signature, pointer, [keep, values])


def _write(what: Wrapping, signature: str, name: str) -> str:
    if signature == "pointers":
        return write_pointers(what)
    if signature not in SIGNATURES:
        known = "\n".join([*SIGNATURES, "pointers"])
        raise ArgumentError(page(f"lower_callable knows no signature {signature!r}.", "It makes functions of these kinds.", known, "argument"))
    types = [what.inputs[k] for k in what.free]
    is_number = [type_.dtype == np.float64 and not type_.shape for type_ in what.outputs] == [True]
    if not is_number or any(type_.dtype != np.float64 for type_ in types):
        raise _unfit(name, signature, "takes float64 and returns one float64 number", what)
    has_data = signature.endswith("void *)")
    if "int" in signature:
        return write_flat(what, has_data=has_data)
    if [size_of(type_) for type_ in types] != [1]:
        raise _unfit(name, signature, "takes one number", what)
    return write_scalar(what, has_data=has_data)


def _unfit(name: str, signature: str, wanted: str, what: Wrapping) -> ArgumentError:
    types = ", ".join(str(what.inputs[k]) for k in what.free)
    results = ", ".join(map(str, what.outputs))
    return ArgumentError(
        page(
            f"{name} cannot be a C function {signature}.",
            f"Such a function {wanted}; {name} takes {types or 'nothing'} and returns {results or 'nothing'}.",
            'jitted.lower_callable(..., signature="pointers")   # int f(in_0 *, ..., out_0 *, ...)',
            "argument",
        )
    )
