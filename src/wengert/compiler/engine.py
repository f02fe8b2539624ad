"""LLVM text to machine code, through llvmlite.

| step     | from, to                  |                                                                          |
|----------|---------------------------|--------------------------------------------------------------------------|
| plan     | text to `Effort`          | how much optimisation a text of this size is worth                       |
| compile  | text to an object file    | its content depends on text, effort, versions and processor only: cached |
| load     | object file to addresses  | in an engine of its own, which goes when the module goes                 |
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

from wengert import _optional
from wengert.compiler.cache import Cache, default_cache, fingerprint

COMPILING = threading.RLock()
_OF_LLVMLITE: list[Any] = []  # its own lock, once it is loaded: what it makes is given back by whoever's garbage it is, without ours


def _take_locks() -> None:
    """Before a fork: a child must not inherit a lock that another thread holds, as nobody would let go of it there."""
    COMPILING.acquire()
    for lock in _OF_LLVMLITE:
        lock.__enter__()


def _leave_locks() -> None:
    for lock in _OF_LLVMLITE:
        lock.__exit__(None, None, None)
    COMPILING.release()


if hasattr(os, "register_at_fork"):  # at once: the first compilation holds our lock before llvmlite is loaded
    os.register_at_fork(before=_take_locks, after_in_parent=_leave_locks, after_in_child=_leave_locks)


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
    with COMPILING:
        _OF_LLVMLITE[:] = [llvm.ffi.lib._lock]
    return llvm


# --- this machine --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Processor:
    """What code is made for."""

    triple: str
    name: str
    features: str


@cache
def _features() -> Any:
    """What this processor can do: a dictionary that LLVM takes half a millisecond to fill."""
    return binding().get_host_cpu_features()


@cache
def processor() -> Processor:
    """The processor that this process runs on."""
    llvm = binding()
    return Processor(llvm.get_process_triple(), llvm.get_host_cpu_name(), _features().flatten())


@cache
def vector_abi() -> tuple[str, int]:
    """The letter and the width in bits of the vector functions that this machine can call (`_ZGVdN4v_exp`: d, 256); 0 if none."""
    llvm = binding()
    if llvm.address_of_symbol("_ZGVnN2v_exp") is not None:
        return "n", 128
    if llvm.address_of_symbol("_ZGVbN2v_exp") is None:
        return "", 0
    features = _features()
    if features.get("avx512f"):
        return "e", 512
    return ("d", 256) if features.get("avx2") else ("b", 128)


def vector_bits() -> int:
    """How wide the vector functions are that this machine can call; 0 where there are none."""
    return vector_abi()[1]


def has_symbol(name: str) -> bool:
    """Whether compiled programs can call a function of this name."""
    return binding().address_of_symbol(name) is not None


def define_symbol(name: str, address: int) -> None:
    """Programs that are loaded from now on find a function or an object of this process under a name."""
    binding().add_symbol(name, address)


# --- plan ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effort:
    """How hard to try: in the passes, in making instructions; whether straight-line code is packed into vectors, loops interleaved."""

    passes: int = 2
    instructions: int = 2
    packs: bool = False
    interleaves: bool = True


KEPT = "llvm.compiler.used"  # the list of what LLVM may not drop while its passes run
LONG_LINE = 1_000  # lines of straight-line code from which on no pass is worth its time


def plan(text: str) -> Effort:
    """What pays, by measurement.

    Level 3 takes up to twice as long as level 2 and makes the same code; packing straight-line code into vectors is quadratic in its
    length; from some 50,000 instructions on, even linear passes cost more than they save.  Two vectors side by side in a loop hide the
    latency of arithmetic (14% less time), but round a call of the vector library, which keeps no vector register, they are spilled:
    without, tanh, exp and log1p of 1,000 numbers take 5.8 microseconds instead of 8.2.

    Long code without a loop is simplified already, and runs once: the gradient of 1,000 scalar operations takes 0.32 s to compile with
    all passes, and 2.0 microseconds to run; without any, and with instructions chosen one by one, 0.04 s and 2.2 microseconds.
    """
    interleaves = "@_ZGV" not in text
    lines = text.count("\n")
    is_line = " = phi " not in text and "label %loop" not in text
    if lines > 200_000 or (is_line and lines > LONG_LINE):
        return Effort(0, 0, interleaves=interleaves)
    if lines > 50_000:
        return Effort(1, 0, interleaves=interleaves)
    return Effort(packs=lines < 400, interleaves=interleaves)


# --- compile -------------------------------------------------------------------------------------------------------


def target_machine(effort: Effort) -> Any:
    """Code for this very processor; each engine owns its own."""
    host = processor()
    target = binding().Target.from_triple(host.triple)
    return target.create_target_machine(cpu=host.name, features=host.features, opt=effort.instructions)


def optimise(text: str, machine: Any, effort: Effort) -> Any:
    """The module of a text, verified, after LLVM's passes."""
    llvm = binding()
    module = llvm.parse_assembly(text, llvm.create_context())  # what LLVM keeps for a text goes with its context
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=effort.passes)
    options.loop_vectorization = effort.passes > 0
    options.slp_vectorization = effort.packs
    options.loop_interleaving = effort.interleaves
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    passes.run(module, builder)
    dispose(passes)
    if f"@{KEPT} " in text:
        leave_unused(module, builder)
    return module


def leave_unused(module: Any, builder: Any) -> None:
    """Vector functions that no loop has come to call are not worth their instructions: what kept them from going is taken away."""
    kept = module.get_global_variable(KEPT)
    kept.name, kept.linkage = "kept", "private"
    passes = binding().create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, builder)
    dispose(passes)


def dispose(passes: Any) -> None:
    """Give back a list of passes with all that they have noted, up to a third of a megabyte for a long text.

    The class of llvmlite 0.50 inherits two ways of doing that, and takes the one that does nothing.
    """
    binding().newpassmanagers.NewPassManager._dispose(passes)
    passes.detach()  # nobody gives it back a second time


def compile_object(text: str, effort: Effort) -> bytes:
    """The object file of a text."""
    machine = target_machine(effort)
    return bytes(machine.emit_object(optimise(text, machine, effort)))


def key_of(text: str, *settings: Any) -> str:
    """What something made from a text is cached under."""
    llvm = binding()
    versions = (str(_optional.load("llvmlite", "wg.jit", "jit").__version__), llvm.llvm_version_info)
    return fingerprint(repr((versions, astuple(processor()), settings)), text)


def optimised(text: str) -> str:
    """The text after LLVM's passes."""
    with COMPILING:
        effort = plan(text)
        return str(optimise(text, target_machine(effort), effort))


def assembly(text: str) -> str:
    """The instructions for a text, as text."""
    with COMPILING:
        effort = plan(text)
        machine = target_machine(effort)
        return str(machine.emit_assembly(optimise(text, machine, effort)))


# --- load ----------------------------------------------------------------------------------------------------------


def store_of(cache: Cache | bool | None) -> Cache | None:
    """The cache of this user, another one, or none."""
    return default_cache() if cache is True else cache or None


class Module:
    """A compiled module: the addresses of its functions, as long as it lives."""

    def __init__(self, text: str, effort: Effort | None = None, *, cache: Cache | bool | None = True) -> None:
        effort = effort or plan(text)
        self.name = key_of(text, astuple(effort))
        store = store_of(cache)
        with COMPILING:
            found = None if store is None else store.get(self.name)
            self.is_from_cache = found is not None
            self.code = compile_object(text, effort) if found is None else found
            if store is not None and found is None:
                store.put(self.name, self.code)
            self._load()

    @classmethod
    def of_code(cls, code: bytes) -> Module:
        """The module of an object file."""
        new = cls.__new__(cls)
        new.code, new.is_from_cache = code, True
        with COMPILING:
            new._load()
        return new

    def _load(self) -> None:
        llvm = binding()
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(Effort()))
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(self.code))
        self.engine.finalize_object()

    def keep_forever(self) -> None:
        """Never unload it, not even when the interpreter ends."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.engine))

    def address(self, name: str) -> int:
        """Where a function or a global begins."""
        with COMPILING:
            return int(self.engine.get_global_value_address(name))

    def fill(self, name: str, addresses: Sequence[int]) -> None:
        """Write addresses into a global table of pointers."""
        table = (ctypes.c_void_p * len(addresses)).from_address(self.address(name))
        table[:] = list(addresses)

    def function(self, name: str) -> Callable[..., Any]:
        """A function `void f(ptr)` for Python."""
        return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.address(name))
