"""The function that runs the steps of a program in turn: the entry of a module, and the programs inside of loops and branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wengert.compiler.bands import PARALLEL, work_of
from wengert.compiler.emit.products import product_buffers
from wengert.compiler.inner import REGISTERS
from wengert.compiler.loops import (
    Band,
    Buffer,
    Check,
    Control,
    Fill,
    HostCall,
    LoopNest,
    MatrixProduct,
    Program,
    Step,
    dtype_name,
)
from wengert.compiler.memory import Plan
from wengert.compiler.scalar import MEMORY

CHECKED = 16  # the status of a program that its first check stops; the others follow


class EntryWriter:
    """The function that runs all steps in turn."""

    def __init__(self, program: Program, plan: Plan, numbers: Mapping[HostCall | Check, int], functions: Sequence[str]) -> None:
        self.program, self.plan, self.numbers, self.functions = program, plan, numbers, functions
        self.names = {buffer: f"%b{k}" for k, buffer in enumerate(plan.lives)}
        self.lines = [f"{self.head()} {{", "entry:"]
        self.stops: list[str] = []  # what each step that may stop the program hands on

    def step_name(self, j: int) -> str:
        """The function of a step."""
        return self.functions[j]

    def head(self) -> str:
        """The first line of the function."""
        return "define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace) #0"

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
        elif isinstance(step, Control):
            self.call_control(j, step)
        elif isinstance(step, LoopNest):
            self.call_nest(j, step)
        else:
            touched = product_buffers(step) if isinstance(step, MatrixProduct) else step.buffers()
            self.lines.append(f"  call void @{self.step_name(j)}({', '.join(f'ptr {self.names[b]}' for b in touched)})")

    def call_nest(self, j: int, nest: LoopNest) -> None:
        """A nest, which is told where it starts in each buffer."""
        pointers = {b: self.names[b] for b in nest.buffers()}
        for number, (buffer, start) in enumerate(nest.starts().items()):
            pointers[buffer] = f"%start{j}.{number}"
            n_bytes = start * buffer.dtype.itemsize
            self.lines.append(f"  {pointers[buffer]} = getelementptr inbounds i8, ptr {self.names[buffer]}, i64 {n_bytes}")
        self.lines.append(f"  call void @{self.step_name(j)}({', '.join(f'ptr {pointers[b]}' for b in nest.buffers())})")

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
        self.stops.append(f"[{CHECKED + self.numbers[step]}, %check{j}]")

    def call_band(self, j: int, band: Band) -> None:
        """All chunks of a band, on several threads if there is enough to do."""
        buffers = band.buffers()
        self.lines.insert(2, f"  %table{j} = alloca [{max(1, len(buffers))} x ptr]")
        for number, buffer in enumerate(buffers):
            self.lines.append(f"  %t{j}.{number} = getelementptr inbounds ptr, ptr %table{j}, i64 {number}")
            self.lines.append(f"  store ptr {self.names[buffer]}, ptr %t{j}.{number}")
        if work_of(band.steps) < PARALLEL:
            self.lines.append(f"  call void @{self.step_name(j)}(ptr %table{j}, i64 0, i64 {band.n_chunks})")
        else:
            self.lines.append(f"  call void @wg_parallel(ptr @{self.step_name(j)}, ptr %table{j}, i64 {band.n_chunks}, i64 1)")

    def call_control(self, j: int, step: Control) -> None:
        """A loop or a branch, which may stop the program, too."""
        pointers = ", ".join(f"ptr {self.names[b]}" for b in step.buffers())
        self.lines += [
            f"  br label %control{j}",
            f"control{j}:",
            f"  %ended{j} = call i32 @{self.step_name(j)}({pointers})",
            f"  %well{j} = icmp eq i32 %ended{j}, 0",
            f"  br i1 %well{j}, label %behind{j}, label %stop",
            f"behind{j}:",
        ]
        self.stops.append(f"[%ended{j}, %control{j}]")

    def call_host(self, step: HostCall) -> None:
        """Python is called back, where there is a doubt if that is asked; the program stops if it raised."""
        k = self.numbers[step]
        self.stops.append(f"[%status{k}, %host{k}]")
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


def write_entry(program: Program, plan: Plan, numbers: Mapping[HostCall | Check, int], functions: Sequence[str]) -> str:
    """The steps of a program, one after the other; `functions` are their names."""
    return EntryWriter(program, plan, numbers, functions).text()


class InnerWriter(EntryWriter):
    """`i32 @name(inputs..., outputs..., constants..., workspace)`: one pointer each, so that numbers need no memory."""

    def __init__(self, program: Program, plan: Plan, numbers: Mapping[HostCall | Check, int], name: str) -> None:
        self.name = name
        super().__init__(program, plan, numbers, [f"{name}.{j}" for j in range(len(program.steps))])

    def head(self) -> str:
        """The first line of the function."""
        program, plan = self.program, self.plan
        names = [*[f"%in{k}" for k in range(len(program.inputs))], *[f"%out{k}" for k in range(len(program.outputs))]]
        names += [f"%constant{k}" for k in range(len(plan.constants))]
        return f"define internal i32 @{self.name}({', '.join(f'ptr {name}' for name in [*names, '%workspace'])}) #6"

    def locate(self, buffer: Buffer, name: str) -> None:
        """A few numbers get registers, if all goes well; all else is where the caller says."""
        where, number = self.plan.places[buffer]
        if where == "workspace" and 0 < buffer.size <= REGISTERS:
            self.lines.append(f"  {name} = alloca [{buffer.size} x {MEMORY[dtype_name(buffer.dtype)]}], align 64")
            return
        stem = {"inputs": "in", "outputs": "out", "constants": "constant"}.get(where)
        source, offset = ("%workspace", number) if stem is None else (f"%{stem}{number}", 0)
        self.lines.append(f"  {name} = getelementptr inbounds i8, ptr {source}, i64 {offset}")


def write_inner(program: Program, plan: Plan, name: str, numbers: Mapping[HostCall | Check, int]) -> str:
    """A program inside of a loop or a branch."""
    return InnerWriter(program, plan, numbers, name).text()
