"""A program as one module of LLVM text: a function for each step, and `i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace)`.

What the entry may rely on, and the tables `@hosts` and `@constants`, are described in `wengert.compiler.runtime`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wengert.compiler.emit.entry import write_entry
from wengert.compiler.emit.lanes import lanes_declarations
from wengert.compiler.emit.native import native_declarations
from wengert.compiler.emit.products import product_declarations
from wengert.compiler.emit.sorting import SHARED
from wengert.compiler.emit.steps import write_step
from wengert.compiler.loops import (
    Band,
    Check,
    HostCall,
    MatrixProduct,
    NativeCall,
    Program,
    Sorting,
    all_steps,
    dtype_name,
)
from wengert.compiler.memory import Plan
from wengert.compiler.scalar import INTRINSICS
from wengert.compiler.vector_math import VectorMath

RUNTIME = {  # what a program may call of `wengert.compiler.runtime`
    "wg_parallel": "void @wg_parallel(ptr, ptr, i64, i64)", "wg_take": "ptr @wg_take(i64)", "wg_give": "void @wg_give(ptr)",
}  # fmt: skip
INLINED_LINES = 4000  # lines of LLVM text of all steps from which on those that repeat are called


@dataclass
class ModuleText:
    """The text, and what its tables and its statuses stand for."""

    text: str
    hosts: list[HostCall]
    checks: list[Check]  # in the order of their statuses
    products: frozenset[str] = frozenset()  # dtypes of matrix products
    specials: Sequence[str] = ()  # functions of SciPy
    natives: Sequence[str] = ()  # functions of LAPACK
    needs_runtime: bool = False  # whether it calls for threads or memory


def write_module(program: Program, plan: Plan, vector_bits: int) -> ModuleText:
    """The text of a program for vectors of so many bits."""
    functions_of_libm = VectorMath(vector_bits)
    steps = list(all_steps(program))
    hosts = [step for step in steps if isinstance(step, HostCall)]
    checks = [step for step in steps if isinstance(step, Check)]
    numbers: dict[HostCall | Check, int] = dict(zip(hosts, range(len(hosts)), strict=True))
    numbers.update(zip(checks, range(len(checks)), strict=True))
    functions, names = write_steps(program, functions_of_libm, numbers)
    functions.append(write_entry(program, plan, numbers, names))
    every = [part for step in steps for part in (step.steps if isinstance(step, Band) else [step])]
    turned = {part: None for band in steps if isinstance(band, Band) and band.is_turned for part in band.steps}
    in_lanes = [part for part in turned if isinstance(part, MatrixProduct)]
    products = frozenset([dtype_name(step.result.dtype) for step in every if isinstance(step, MatrixProduct) and step not in turned])
    declared = declarations() + (product_declarations() if products else []) + lanes_declarations(in_lanes, vector_bits)
    natives = {step.function: len(step.arguments) for step in every if isinstance(step, NativeCall)}
    declared += native_declarations(natives)
    if any(isinstance(step, Sorting) for step in steps):
        declared += SHARED
    tables = [f"@hosts = global [{len(hosts)} x ptr] zeroinitializer"] if hosts else []
    tables += [f"@constants = global [{len(plan.constants)} x ptr] zeroinitializer"] if plan.constants else []
    text = "\n".join([*tables, *declared, *functions, *functions_of_libm.declarations(), *attributes(vector_bits)])
    needs_runtime = any(f"@{name}(" in text for name in RUNTIME)
    text = "\n".join([*[f"declare {signature}" for signature in RUNTIME.values()], text])
    return ModuleText(text, hosts, checks, products, functions_of_libm.specials(), sorted(natives), needs_runtime)


def write_steps(program: Program, library: VectorMath, numbers: Mapping[HostCall | Check, int]) -> tuple[list[str], list[str]]:
    """The functions of all steps, and the name of each step's own.  Steps that do the same with other arrays, as those of equal layers
    of a network, share their functions.
    """
    functions: dict[str, list[str]] = {}
    names: list[str] = []
    known: dict[str, str] = {}
    for k, step in enumerate(program.steps):
        name = f"step{k}"
        own = write_step(step, name, library, numbers)
        text = re.sub(rf"@{name}(?!\d)", "@step", "\n".join(own))
        names.append(known.setdefault(text, name))
        if names[-1] == name:
            functions[name] = own
    keep_apart(functions, names)
    return [text for own in functions.values() for text in own], names


def keep_apart(functions: dict[str, list[str]], names: Sequence[str]) -> None:
    """Of a program that repeats itself, functions stay functions: with all of them inside the entry, LLVM would meet every repetition anew.

    A call costs two nanoseconds, and a line of LLVM text about a tenth of a millisecond.
    """
    uses = Counter(names)
    lines = {name: sum(text.count("\n") for text in own) for name, own in functions.items()}
    if sum(lines[name] * n for name, n in uses.items()) > INLINED_LINES:
        for name, n in uses.items():
            if n > 1:
                functions[name] = [text.replace(") #0 {", ") #2 {", 1) for text in functions[name]]


def declarations() -> list[str]:
    """What every module declares."""
    lines = [
        "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
        "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
        "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)",
    ]
    for name, arity in {**INTRINSICS, "maximum": 2, "minimum": 2}.items():
        for suffix, kind in (("f64", "double"), ("f32", "float")):
            lines.append(f"declare {kind} @llvm.{name}.{suffix}({', '.join([kind] * arity)})")
    return lines


def attributes(vector_bits: int) -> list[str]:
    """Of functions and loops."""
    width = max(vector_bits, 128)
    return [
        f'attributes #0 = {{ nounwind "prefer-vector-width"="{width}" }}',
        f'attributes #2 = {{ nounwind noinline "prefer-vector-width"="{width}" }}',
        f'attributes #6 = {{ nounwind alwaysinline "prefer-vector-width"="{width}" }}',
        "attributes #3 = { nounwind noinline optnone }",
        "attributes #1 = { nounwind willreturn memory(none) }",
        "!0 = distinct !{!0, !1}",
        '!1 = !{!"llvm.loop.mustprogress"}',
        "!2 = distinct !{!2, !1, !3}",
        '!3 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}',
        '!8 = !{!"branch_weights", i32 1, i32 100000}',
        "!9 = !{}",
    ]
