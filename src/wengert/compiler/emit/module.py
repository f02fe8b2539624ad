"""A program as one module of LLVM text.

Steps between two calls of the host are one entry, `void @entry<k>(ptr %p)`, where `%p` points at a table of the buffers' addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wengert.compiler.emit.nest import write_nest
from wengert.compiler.emit.products import product_declarations, write_product
from wengert.compiler.loops import Buffer, Fill, HostCall, LoopNest, MatrixProduct, Program, Step
from wengert.compiler.scalar import INTRINSICS
from wengert.compiler.vector_math import VectorMath


@dataclass
class ModuleText:
    """The text, what runs in turn (numbers of entries, and host calls), and each buffer's place in the table."""

    text: str
    schedule: list[int | HostCall]
    buffers: dict[Buffer, int]
    n_entries: int = 0
    uses_blas: bool = False
    math: VectorMath | None = field(default=None, repr=False)


def number_buffers(program: Program) -> dict[Buffer, int]:
    """A place in the table for every buffer that a step or the caller touches."""
    found: dict[Buffer, int] = {}
    outputs = [view.buffer for view in program.outputs]
    for buffer in [*program.inputs, *outputs, *(b for step in program.steps for b in step.buffers())]:
        found.setdefault(buffer, len(found))
    return found


def write_module(program: Program, vector_bits: int) -> ModuleText:
    """The text of a program for vectors of so many bits."""
    math = VectorMath(vector_bits)
    buffers = number_buffers(program)
    functions: list[str] = []
    schedule: list[int | HostCall] = []
    run: list[tuple[int, Step]] = []
    n_entries = 0
    for k, step in enumerate([*program.steps, None]):
        if step is not None and not isinstance(step, HostCall):
            functions += write_step(step, f"step{k}", math)
            run.append((k, step))
            continue
        if run:
            functions.append(write_entry(n_entries, run, buffers))
            schedule.append(n_entries)
            n_entries, run = n_entries + 1, []
        if step is not None:
            schedule.append(step)
    uses_blas = any(isinstance(step, MatrixProduct) for step in program.steps)
    declared = declarations() + (product_declarations() if uses_blas else [])
    text = "\n".join([*declared, *functions, *math.declarations(), *attributes(vector_bits)])
    return ModuleText(text, schedule, buffers, n_entries, uses_blas, math)


def write_step(step: Step, name: str, math: VectorMath) -> list[str]:
    """The functions of a step."""
    if isinstance(step, LoopNest):
        return [write_nest(step, name, math)]
    if isinstance(step, MatrixProduct):
        return [write_product(step, name)]
    return []


def write_entry(k: int, run: list[tuple[int, Step]], buffers: dict[Buffer, int]) -> str:
    """The steps of a run, one after the other."""
    lines = [f"define void @entry{k}(ptr %p) #0 {{", "entry:"]
    for buffer in dict.fromkeys(buffer for _, step in run for buffer in step.buffers()):
        n = buffers[buffer]
        lines += [f"  %q{n} = getelementptr ptr, ptr %p, i64 {n}", f"  %b{n} = load ptr, ptr %q{n}"]
    for j, step in run:
        lines.append(f"  {call_of(j, step, buffers)}")
    return "\n".join([*lines, "  ret void", "}"])


def call_of(j: int, step: Step, buffers: dict[Buffer, int]) -> str:
    """How a step is run."""
    if isinstance(step, Fill):
        pointer, size = f"%b{buffers[step.buffer]}", step.buffer.n_bytes
        return f"call void @llvm.memset.p0.i64(ptr {pointer}, i8 0, i64 {size}, i1 false)"
    touched = [step.left.buffer, step.right.buffer, step.result] if isinstance(step, MatrixProduct) else step.buffers()
    return f"call void @step{j}({', '.join(f'ptr %b{buffers[b]}' for b in touched)})"


def declarations() -> list[str]:
    """What every module declares."""
    lines = ["declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"]
    for name, arity in {**INTRINSICS, "maximum": 2, "minimum": 2}.items():
        for suffix, kind in (("f64", "double"), ("f32", "float")):
            lines.append(f"declare {kind} @llvm.{name}.{suffix}({', '.join([kind] * arity)})")
    return lines


def attributes(vector_bits: int) -> list[str]:
    """Of functions and loops."""
    width = max(vector_bits, 128)
    return [
        f'attributes #0 = {{ nounwind "prefer-vector-width"="{width}" }}',
        "attributes #1 = { nounwind willreturn memory(none) }",
        "!0 = distinct !{!0, !1}",
        '!1 = !{!"llvm.loop.mustprogress"}',
    ]
