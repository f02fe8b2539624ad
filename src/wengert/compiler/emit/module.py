"""A program as one module of LLVM text: a function for each step, and `i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace)`.

What the entry may rely on, and the tables `@hosts` and `@constants`, are described in `wengert.compiler.runtime`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wengert.compiler.bands import PARALLEL, work_of
from wengert.compiler.emit.band import write_band
from wengert.compiler.emit.lanes import lanes_declarations
from wengert.compiler.emit.native import native_declarations, write_native
from wengert.compiler.emit.nest import write_nest
from wengert.compiler.emit.products import product_buffers, product_declarations, write_product
from wengert.compiler.emit.sorting import SHARED, write_sorting
from wengert.compiler.loops import (
    Band,
    Buffer,
    Check,
    Fill,
    HostCall,
    LoopNest,
    MatrixProduct,
    NativeCall,
    Program,
    Sorting,
    Step,
    dtype_name,
)
from wengert.compiler.memory import Plan
from wengert.compiler.scalar import INTRINSICS
from wengert.compiler.vector_math import VectorMath

CHECKED = 16  # the status of a program that its first check stops; the others follow


@dataclass
class ModuleText:
    """The text, and the host calls in the order of their table."""

    text: str
    hosts: list[HostCall]
    products: frozenset[str] = frozenset()  # dtypes of matrix products
    specials: Sequence[str] = ()  # functions of SciPy
    natives: Sequence[str] = ()  # functions of LAPACK


def write_module(program: Program, plan: Plan, vector_bits: int) -> ModuleText:
    """The text of a program for vectors of so many bits."""
    functions_of_libm = VectorMath(vector_bits)
    functions: list[str] = []
    hosts = [step for step in program.steps if isinstance(step, HostCall)]
    for k, step in enumerate(program.steps):
        functions += write_step(step, f"step{k}", functions_of_libm)
    functions.append(write_entry(program, plan))
    every = [part for step in program.steps for part in (step.steps if isinstance(step, Band) else [step])]
    turned = {part: None for band in program.steps if isinstance(band, Band) and band.is_turned for part in band.steps}
    in_lanes = [part for part in turned if isinstance(part, MatrixProduct)]
    products = frozenset([dtype_name(step.result.dtype) for step in every if isinstance(step, MatrixProduct) and step not in turned])
    declared = declarations() + (product_declarations() if products else []) + lanes_declarations(in_lanes, vector_bits)
    natives = {step.function: len(step.arguments) for step in every if isinstance(step, NativeCall)}
    declared += native_declarations(natives)
    if any(isinstance(step, Sorting) for step in program.steps):
        declared += SHARED
    tables = [f"@hosts = global [{len(hosts)} x ptr] zeroinitializer"] if hosts else []
    tables += [f"@constants = global [{len(plan.constants)} x ptr] zeroinitializer"] if plan.constants else []
    text = "\n".join([*tables, *declared, *functions, *functions_of_libm.declarations(), *attributes(vector_bits)])
    return ModuleText(text, hosts, products, functions_of_libm.specials(), sorted(natives))


def write_step(step: Step, name: str, library: VectorMath) -> list[str]:
    """The functions of a step."""
    if isinstance(step, LoopNest):
        return [write_nest(step, name, library)]
    if isinstance(step, MatrixProduct):
        return [write_product(step, name, is_shared=True)]
    if isinstance(step, NativeCall):
        return [write_native(step, name)]
    if isinstance(step, Band):
        return write_band(step, name, library)
    if isinstance(step, Sorting):
        return [write_sorting(step, name)]
    return []


class EntryWriter:
    """The function that runs all steps in turn."""

    def __init__(self, program: Program, plan: Plan) -> None:
        self.program, self.plan = program, plan
        self.names = {buffer: f"%b{k}" for k, buffer in enumerate(plan.lives)}
        self.lines = ["define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace) #0 {", "entry:"]
        self.n_hosts = 0
        self.stops: list[str] = []  # statuses with the blocks that they come from
        self.n_checks = 0

    def text(self) -> str:
        """The function."""
        hosts = [step for step in self.program.steps if isinstance(step, HostCall)]
        most = max([len(step.buffers()) for step in hosts], default=0)
        if hosts:
            self.lines.append(f"  %pointers = alloca [{max(1, most)} x ptr]")
        for buffer, name in self.names.items():
            self.locate(buffer, name)
        for j, step in enumerate(self.program.steps):
            self.run(j, step)
        self.lines.append("  ret i32 0")
        if self.stops:
            self.lines += ["stop:", f"  %status = phi i32 {', '.join(self.stops)}", "  ret i32 %status"]
        return "\n".join([*self.lines, "}"])

    def locate(self, buffer: Buffer, name: str) -> None:
        """The address of a buffer."""
        where, number = self.plan.places[buffer]
        if where == "workspace":
            self.lines.append(f"  {name} = getelementptr inbounds i8, ptr %workspace, i64 {number}")
            return
        table = "@constants" if where == "constants" else f"%{where}"
        self.lines.append(f"  {name}.at = getelementptr inbounds ptr, ptr {table}, i64 {number}")
        self.lines.append(f"  {name} = load ptr, ptr {name}.at, !invariant.load !9")

    def run(self, j: int, step: Step) -> None:
        """One step."""
        if isinstance(step, HostCall):
            self.call_host(step)
        elif isinstance(step, Band):
            self.call_band(j, step)
        elif isinstance(step, Check):
            self.check(j, step)
        elif isinstance(step, Fill):
            pointer = self.names[step.buffer]
            self.lines.append(f"  call void @llvm.memset.p0.i64(ptr {pointer}, i8 0, i64 {step.buffer.n_bytes}, i1 false)")
        else:
            touched = product_buffers(step) if isinstance(step, MatrixProduct) else step.buffers()
            self.lines.append(f"  call void @step{j}({', '.join(f'ptr {self.names[b]}' for b in touched)})")

    def check(self, j: int, step: Check) -> None:
        """The program stops if a bool is true."""
        self.lines += [
            f"  br label %check{j}",
            f"check{j}:",
            f"  %bad{j} = load i8, ptr {self.names[step.buffer]}",
            f"  %stops{j} = icmp ne i8 %bad{j}, 0",
            f"  br i1 %stops{j}, label %stop, label %goes{j}",
            f"goes{j}:",
        ]
        self.stops.append(f"[{CHECKED + self.n_checks}, %check{j}]")
        self.n_checks += 1

    def call_band(self, j: int, band: Band) -> None:
        """All chunks of a band, on several threads if there is enough to do."""
        buffers = band.buffers()
        self.lines.insert(2, f"  %table{j} = alloca [{max(1, len(buffers))} x ptr]")
        for number, buffer in enumerate(buffers):
            self.lines.append(f"  %t{j}.{number} = getelementptr inbounds ptr, ptr %table{j}, i64 {number}")
            self.lines.append(f"  store ptr {self.names[buffer]}, ptr %t{j}.{number}")
        if work_of(band.steps) < PARALLEL:
            self.lines.append(f"  call void @step{j}(ptr %table{j}, i64 0, i64 {band.n_chunks})")
        else:
            self.lines.append(f"  call void @wg_parallel(ptr @step{j}, ptr %table{j}, i64 {band.n_chunks}, i64 1)")

    def call_host(self, step: HostCall) -> None:
        """Python is called back, where there is a doubt if that is asked; the program stops if it raised."""
        k, self.n_hosts = self.n_hosts, self.n_hosts + 1
        if step.doubt is not None:
            self.lines += [
                f"  %doubt{k} = load i8, ptr {self.names[step.doubt]}",
                f"  %is_doubtful{k} = icmp ne i8 %doubt{k}, 0",
                f"  br i1 %is_doubtful{k}, label %host{k}, label %on{k}",
                f"host{k}:",
            ]
        else:
            self.lines += [f"  br label %host{k}", f"host{k}:"]
        for number, buffer in enumerate(step.buffers()):
            self.lines.append(f"  %h{k}.{number} = getelementptr inbounds ptr, ptr %pointers, i64 {number}")
            self.lines.append(f"  store ptr {self.names[buffer]}, ptr %h{k}.{number}")
        self.lines += [
            f"  %h{k}.at = getelementptr inbounds ptr, ptr @hosts, i64 {k}",
            f"  %h{k}.call = load ptr, ptr %h{k}.at",
            f"  %status{k} = call i32 %h{k}.call(ptr %pointers)",
            f"  %fine{k} = icmp eq i32 %status{k}, 0",
            f"  br i1 %fine{k}, label %on{k}, label %stop",
            f"on{k}:",
        ]
        self.stops.append(f"[%status{k}, %host{k}]")


def write_entry(program: Program, plan: Plan) -> str:
    """The steps of a program, one after the other."""
    return EntryWriter(program, plan).text()


def declarations() -> list[str]:
    """What every module declares."""
    lines = [
        "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
        "declare void @wg_parallel(ptr, ptr, i64, i64)",
        "declare ptr @wg_take(i64)",
        "declare void @wg_give(ptr)",
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
        "attributes #3 = { nounwind noinline optnone }",
        "attributes #1 = { nounwind willreturn memory(none) }",
        "!0 = distinct !{!0, !1}",
        '!1 = !{!"llvm.loop.mustprogress"}',
        "!9 = !{}",
    ]
