"""A program as an object file and a C header, for any target that LLVM knows.

    int f(const double *x, ..., double *out, ...);

Everything is in the file but the functions of the C library's `libm` (and of LAPACK, where there are systems of equations).  It
needs no Python, starts no threads and writes to no global memory; a workspace that is large comes from `malloc`.
"""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wengert.compiler import engine
from wengert.compiler.emit.module import write_module
from wengert.compiler.emit.multiply import write_products
from wengert.compiler.engine import Effort, Processor
from wengert.compiler.lapack import PREFIX
from wengert.compiler.loops import HostCall, Program, all_steps
from wengert.compiler.memory import Plan
from wengert.compiler.vector_math import LIBM
from wengert.compiler.wrappers import Wrapping, write_pointers
from wengert.core.types import ArrayType
from wengert.errors import ArgumentError, page

C_TYPES = {
    "float64": "double", "float32": "float", "complex128": "double", "complex64": "float", "bool": "uint8_t",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
LAPACK = re.compile(rf"@{PREFIX}([a-z0-9]+)\b")

# What the runtime does in this process, for a program that stands alone.
_ALONE = """\
define internal void @wg_parallel(ptr %body, ptr %context, i64 %n, i64 %grain) {
  call void %body(ptr %context, i64 0, i64 %n)
  ret void
}
@wg_threads = internal constant i64 1
define internal ptr @wg_take(i64 %bytes) {
  %more = add i64 %bytes, 128
  SIZED
  %memory = call ptr @malloc(SIZE %size)
  %failed = icmp eq ptr %memory, null
  br i1 %failed, label %no, label %yes
yes:
  %address = ptrtoint ptr %memory to i64
  %past = and i64 %address, 63
  %step = sub i64 128, %past
  %block = getelementptr i8, ptr %memory, i64 %step
  %start = getelementptr i8, ptr %block, i64 -8
  store ptr %memory, ptr %start
  ret ptr %block
no:
  ret ptr null
}
define internal void @wg_give(ptr %block) {
  %start = getelementptr i8, ptr %block, i64 -8
  %memory = load ptr, ptr %start
  call void @free(ptr %memory)
  ret void
}
declare ptr @malloc(SIZE)
declare void @free(ptr)
"""


@dataclass(frozen=True)
class Interface:
    """What the C function is called, and what its arguments are called and are; inputs that are `bound` are none of them."""

    name: str
    inputs: Sequence[ArrayType]
    outputs: Sequence[ArrayType]
    input_names: Sequence[str] = ()
    output_names: Sequence[str] = ()
    bound: Mapping[int, Any] = field(default_factory=dict)

    @property
    def free(self) -> list[int]:
        """The inputs that are arguments."""
        return [k for k in range(len(self.inputs)) if k not in self.bound]

    def names(self) -> list[str]:
        """Names of C for inputs and outputs, each once."""
        every = _padded(self.input_names, len(self.inputs), "x")
        given = [*(every[k] for k in self.free), *_padded(self.output_names, len(self.outputs), "y")]
        found: list[str] = []
        for name in given:
            name = identifier(name)
            while name in found:
                name += "_"
            found.append(name)
        return found


def export(program: Program, plan: Plan, interface: Interface, path: str, *, target: str | None = None, cpu: str = "") -> tuple[str, str]:
    """Write `path`.o and `path`.h; `target` is a triple of LLVM's, `cpu` one of its processors, "native" for this one."""
    _refuse_hosts(program, interface.name)
    place = _place(target, cpu)
    bits = engine.vector_bits() if cpu == "native" else 0
    emitted = write_module(program, plan, bits)
    if emitted.specials:
        raise _not_alone(interface.name, "functions of SciPy", emitted.specials)
    machine = _machine(place)
    kernels = [write_products(dtype, bits) for dtype in sorted(emitted.products)]
    text = stand_alone("\n".join([emitted.text, *kernels]), plan, interface, pointer_bytes(machine))
    code = machine.emit_object(engine.optimise(text, machine, Effort()))
    with open(f"{path}.o", "wb") as file:
        file.write(code)
    with open(f"{path}.h", "w", encoding="utf-8") as file:
        file.write(header(interface, place, libraries(text, bits)))
    return f"{path}.o", f"{path}.h"


def _refuse_hosts(program: Program, name: str) -> None:
    hosts = [step.primitive.name for step in all_steps(program) if isinstance(step, HostCall)]
    if hosts:
        raise _not_alone(name, "primitives that Python evaluates", hosts)


def _not_alone(name: str, what: str, names: Sequence[str]) -> ArgumentError:
    listed = ", ".join(sorted(set(names)))
    return ArgumentError(
        page(
            f"{name} cannot be exported: it uses {what}: {listed}.",
            "An exported program has to run where there is no Python.",
            "another formula for these, or lower_callable(...) for C callers in this process",
            "argument",
        )
    )


def _place(target: str | None, cpu: str) -> Processor:
    host = engine.processor()
    if cpu == "native":
        if target is not None and target != host.triple:
            raise ArgumentError(page(f'cpu="native" is a processor of {host.triple}.', f"The target is {target}.", 'cpu=""', "argument"))
        return host
    return Processor(target or host.triple, cpu, "")


def _machine(place: Processor) -> Any:
    llvm = engine.binding()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        found = llvm.Target.from_triple(place.triple)
    except RuntimeError as error:
        known = "x86_64-unknown-linux-gnu\naarch64-unknown-linux-gnu\narm64-apple-macosx\nwasm32-unknown-unknown"
        raise ArgumentError(page(f"LLVM knows no target {place.triple!r}.", str(error), known, "argument")) from None
    return found.create_target_machine(cpu=place.name, features=place.features, opt=2, reloc="pic", codemodel="default")


def pointer_bytes(machine: Any) -> int:
    """The size of a pointer of the target."""
    module = engine.binding().parse_assembly("@p = external global ptr")
    return int(machine.target_data.get_abi_size(module.get_global_variable("p").type))


def stand_alone(text: str, plan: Plan, interface: Interface, pointer: int) -> str:
    """The text with all that it needs inside, and one function to the outside."""
    size = f"i{8 * pointer}"
    sized = f"%size = {'trunc i64 %more to i32' if pointer == 4 else 'add i64 %more, 0'}"
    alone = _ALONE.replace("SIZED", sized).replace("SIZE", size)
    kept = [line for line in text.splitlines() if not re.match(r"declare .*@wg_\w+\(", line) and not line.startswith("@constants =")]
    body = LAPACK.sub(r"@\1_", "\n".join(kept)).replace("define i32 @entry(", "define internal i32 @entry(")
    what = Wrapping(
        interface.name, interface.inputs, interface.outputs, plan.workspace, bound=tuple(interface.bound),
        call=["  %entry.point = getelementptr i8, ptr @entry, i64 0"],
        take=[f"  %block = call ptr @wg_take(i64 {plan.workspace})"], give=["  call void @wg_give(ptr %block)"],
    )  # fmt: skip
    bound = [np.ascontiguousarray(x, interface.inputs[k].dtype) for k, x in interface.bound.items()]
    tables = [*data("constants", [buffer.value for buffer in plan.constants]), *data("bound", bound)]
    return "\n".join([*tables, alone, body, write_pointers(what)])


def data(name: str, arrays: Sequence[Any]) -> list[str]:
    """A table of arrays inside the file."""
    if not arrays:
        return []
    lines = []
    for k, array in enumerate(arrays):
        content = array.tobytes()
        shown = "".join(f"\\{byte:02x}" for byte in content)
        lines.append(f'@{name}.{k} = internal constant [{len(content)} x i8] c"{shown}", align 64')
    table = ", ".join(f"ptr @{name}.{k}" for k in range(len(arrays)))
    return [*lines, f"@{name} = internal constant [{len(arrays)} x ptr] [{table}]"]


def libraries(text: str, vector_bits: int) -> list[str]:
    """What the file has to be linked with."""
    found = ["-lm"]
    if vector_bits and "_ZGV" in text:
        found.insert(0, "-lmvec")
    if re.search(r"@[sdcz]\w+_\(ptr", text):
        found.append("-llapack")
    return found


# --- the header ----------------------------------------------------------------------------------------------------


def header(interface: Interface, place: Processor, linked: Sequence[str]) -> str:
    """The declaration in C and C++."""
    names = interface.names()
    inputs = [interface.inputs[k] for k in interface.free]
    n = len(inputs)
    arguments = [f"const {C_TYPES[t.dtype.name]} *{name}" for t, name in zip(inputs, names[:n], strict=True)]
    arguments += [f"{C_TYPES[t.dtype.name]} *{name}" for t, name in zip(interface.outputs, names[n:], strict=True)]
    rows = [f" *   {name:<12} {t}{_pairs(t)}" for name, t in zip(names, [*inputs, *interface.outputs], strict=True)]
    guard = f"WENGERT_{identifier(interface.name).upper()}_H"
    return "\n".join([
        f"/* {interface.name}, made by wengert for {place.triple}; link with {' '.join(linked)}", " *", *rows, " *",
        " * Arrays lie row after row; outputs overlap with nothing.  Returns 0; -1 where there is no memory; more than 0 where an index is out of bounds or a matrix is singular.", " */",
        f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "",
        "#ifdef __cplusplus", 'extern "C" {', "#endif", "",
        f"int {interface.name}({', '.join(arguments) or 'void'});", "",
        "#ifdef __cplusplus", "}", "#endif", "#endif", "",
    ])  # fmt: skip


def _pairs(type_: ArrayType) -> str:
    return "   (real and imaginary parts in turn)" if type_.dtype.kind == "c" else ""


def _padded(names: Sequence[str], n: int, letter: str) -> list[str]:
    return [names[k] if k < len(names) and names[k] else f"{letter}{k}" for k in range(n)]


def function_name(path: str) -> str:
    """What the function in a file is called: after the file, but never as a function of C that it may call itself."""
    name = identifier(os.path.basename(path))
    taken = {*LIBM, *(f"{known}f" for known in LIBM), "malloc", "free", "memset", "memcpy", "memmove"}
    return f"{name}_" if name in taken else name


def identifier(name: str) -> str:
    """A name that C and C++ allow."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "f"
    reserved = {"int", "double", "float", "long", "short", "char", "void", "auto", "const", "static", "struct", "union", "enum",
                "register", "signed", "unsigned", "switch", "case", "default", "do", "goto", "sizeof", "typedef", "volatile",
                "new", "delete", "this", "template", "private", "public", "virtual", "operator", "main"}  # fmt: skip
    return f"{plain}_" if plain in reserved or keyword.iskeyword(plain) else f"_{plain}" if plain[0].isdigit() else plain
