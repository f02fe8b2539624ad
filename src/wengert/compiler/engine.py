"""LLVM text to machine code, through llvmlite."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

from wengert import _optional


@cache
def binding() -> Any:
    """The binding of llvmlite, initialized once; glibc's math libraries are loaded where they are."""
    llvm = _optional.load("llvmlite.binding", "wg.jit", "jit")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for library in ("libm.so.6", "libmvec.so.1"):
        try:
            llvm.load_library_permanently(library)
        except RuntimeError:
            continue
    return llvm


def define_symbol(name: str, address: int) -> None:
    """Programs that are loaded from now on find a function or an object of this process under a name."""
    binding().add_symbol(name, address)


@cache
def vector_bits() -> int:
    """How wide the vector functions are that this machine can call; 0 where there are none."""
    llvm = binding()
    if llvm.address_of_symbol("_ZGVbN2v_exp") is None:
        return 0
    features = llvm.get_host_cpu_features()
    return 512 if features.get("avx512f") else 256 if features.get("avx2") else 128


def target_machine() -> Any:
    """Code for this very processor; each engine owns its own."""
    llvm = binding()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3)


class Module:
    """A compiled module: its optimised text, and the addresses of its functions."""

    def __init__(self, text: str, level: int = 3) -> None:
        llvm = binding()
        self.text = text
        module = llvm.parse_assembly(text)
        machine = target_machine()
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization = options.slp_vectorization = True
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        self.optimised = str(module)
        self.engine = llvm.create_mcjit_compiler(module, machine)
        self.engine.finalize_object()

    def keep_forever(self) -> None:
        """Never unload it, not even when the interpreter ends."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.engine))

    def address(self, name: str) -> int:
        """Where a function begins."""
        return int(self.engine.get_function_address(name))

    def fill(self, name: str, addresses: Sequence[int]) -> None:
        """Write addresses into a global table of pointers."""
        table = (ctypes.c_void_p * len(addresses)).from_address(int(self.engine.get_global_value_address(name)))
        table[:] = list(addresses)

    def function(self, name: str) -> Any:
        """A function `void f(ptr)` for Python."""
        return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.address(name))
