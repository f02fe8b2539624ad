"""What the compiler did with a function: every stage of it, and the account of what the result does."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wengert.compiler.engine import assembly, optimised
from wengert.compiler.held import LoopAccount, loops_of
from wengert.compiler.listing import Account, Names, account_of, list_program, list_step
from wengert.compiler.loops import Band, HostCall, Program, all_steps
from wengert.compiler.memory import rows_in_hand
from wengert.errors import ArgumentError, CompileError, page, warn_user
from wengert.programs import CompiledPath

STAGES = ("recorded", "simplified", "fused", "llvm", "optimised", "asm")
SAYS = {
    "recorded": "the graph of the path that this call takes; its last outputs are the guards",
    "simplified": "the graph without what is dead or computed twice",
    "fused": "loop nests, products and calls of Python, in the order in which they run",
    "llvm": "the text that is compiled",
    "optimised": "the text after LLVM's own passes",
    "asm": "the instructions of this processor",
}


class Stages(Mapping[str, Any]):
    """The stages of one compiled path: `stages["fused"]`, `print(stages)`; the first two are graphs, for `wg.draw`."""

    def __init__(self, path: CompiledPath) -> None:
        self._path = path

    def __getitem__(self, name: str) -> Any:
        """The graph, or the text, after a stage."""
        compiled = self._path.compiled
        found: dict[str, Callable[[], Any]] = {
            "recorded": lambda: self._path.path.graph,
            "simplified": lambda: compiled.graph,
            "fused": lambda: list_program(compiled.program, [var.hint for var in compiled.graph.inputs]),
            "llvm": lambda: compiled.text,
            "optimised": lambda: optimised(compiled.text),
            "asm": lambda: assembly(compiled.text),
        }
        return found[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(STAGES)

    def __len__(self) -> int:
        return len(STAGES)

    def __str__(self) -> str:
        return "\n\n".join(f"--- {name}: {SAYS[name]}\n\n{self[name]}" for name in STAGES)

    __repr__ = __str__


@dataclass(frozen=True)
class Kernel:
    """One step of a compiled program."""

    text: str  # its first line
    n_instructions: int  # scalar instructions in the body of a loop nest
    account: Account


@dataclass(frozen=True)
class HostStep:
    """A call of Python from inside the program, and the user's line that asked for it."""

    primitive: str
    location: str


@dataclass(frozen=True)
class Report:
    """What a compiled path does.

    `read` and `written` count the bytes of every distinct array that a step touches, `temporary` the memory between
    steps, `in_hand` the most that a thread has of its own beside it, `outputs` that of the results.  Floating-point operations are counted, a function of libm as 20.
    """

    name: str
    n_nodes: int  # of the recorded graph
    n_simplified: int
    n_guards: int
    n_paths: int
    kernels: tuple[Kernel, ...]
    host_calls: tuple[HostStep, ...]
    temporary: int
    in_hand: int
    outputs: int
    flops: int = field(default=0)
    read: int = field(default=0)
    written: int = field(default=0)
    loops: tuple[LoopAccount, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self.n_nodes} recorded operations, {self.n_simplified} after simplification, "
            f"in {len(self.kernels)} native steps and {len(self.host_calls)} calls of Python",
            f"  {self.flops:,} flops; {bytes_in_words(self.read)} read, {bytes_in_words(self.written)} written",
            f"  memory: {bytes_in_words(self.temporary)} between steps, {bytes_in_words(self.outputs)} of results"
            + (f", {bytes_in_words(self.in_hand)} in hand of each thread" if self.in_hand else ""),
        ]
        if self.n_guards or self.n_paths > 1:
            lines.append(f"  {self.n_guards} guards; path 1 of {self.n_paths} for these types")
        if self.kernels:
            lines += ["", f"  {'flops':>12}  {'read':>10}  {'written':>10}  step"]
        for kernel in self.kernels:
            a = kernel.account
            row = f"  {a.flops:>12,}  {bytes_in_words(a.read):>10}  {bytes_in_words(a.written):>10}  {kernel.text}"
            lines.append(row + (f", {kernel.n_instructions} instructions" if kernel.n_instructions else ""))
        if self.loops:
            lines += ["", "  loops", *(f"    {in_words(loop)}" for loop in self.loops)]
        if self.host_calls:
            lines += ["", "  calls of Python"]
        lines += [f"    {call.primitive}   {call.location}".rstrip() for call in self.host_calls]
        return "\n".join(lines)

    __repr__ = __str__


def in_words(loop: LoopAccount) -> str:
    """What a loop keeps, and what it computes again."""
    steps = "" if loop.n_steps is None else f", {loop.n_steps:,} steps"
    schedule = "" if loop.checkpoint is None else f", checkpoint={loop.checkpoint!r}"
    facts = [f"stacks of {bytes_in_words(loop.stacks)}"] if loop.stacks else []
    if loop.states:
        is_open = loop.n_steps is None
        size = bytes_in_words(loop.states)
        facts.append(f"{size} for each state that is kept" if is_open else f"states of {size} at one time")
    again = f"runs the body {loop.runs:.3g} times again" if loop.runs else "computes nothing again"
    where = f"   {loop.location}" if loop.location else ""
    return f"{loop.kind}{steps}{schedule}: {', '.join([*facts, again])}{where}"


def bytes_in_words(n: int) -> str:
    """`3.2 KiB`."""
    size, unit = float(n), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{n} B" if unit == "B" else f"{size:.1f} {unit}"


def report_of(path: CompiledPath, name: str, n_paths: int) -> Report:
    """The account of one compiled path."""
    compiled = path.compiled
    program: Program = compiled.program
    names = Names(program, [var.hint for var in compiled.graph.inputs])
    native = [step for step in program.steps if not isinstance(step, HostCall)]
    accounts = [account_of(step) for step in program.steps]
    kernels = [_kernel(step, names) for step in native]
    calls = [HostStep(s.primitive.name, s.location) for s in all_steps(program) if isinstance(s, HostCall) and s.doubt is None]
    outputs = [view.buffer for view in program.outputs if hasattr(view, "buffer")]
    return Report(
        name, len(path.path.graph.nodes), len(compiled.graph.nodes), len(path.keys), n_paths, tuple(kernels), tuple(calls),
        temporary=compiled.plan.workspace, in_hand=max([rows_in_hand(s).n_bytes for s in all_steps(program) if isinstance(s, Band)], default=0), outputs=sum(b.n_bytes for b in dict.fromkeys(outputs) if b.kind != "input"),
        flops=sum(a.flops for a in accounts), read=sum(a.read for a in accounts), written=sum(a.written for a in accounts),
        loops=tuple(loops_of(program)),
    )  # fmt: skip


def _kernel(step: Any, names: Names) -> Kernel:
    lines = list(list_step(step, names))
    first = lines[0].partition("   #")[0].rstrip(":")
    n_instructions = sum(op.code not in ("load", "number", "letter") for op in getattr(step, "ops", ()))
    return Kernel(first, n_instructions, account_of(step))


# --- what is said of signatures ----------------------------------------------------------------------------------------


def unknown_static(name: str, wrong: int | str, parameters: list[str]) -> ArgumentError:
    """The error for a static argument of `wg.jit` that the function does not have."""
    setting = "static_argnames" if isinstance(wrong, str) else "static_argnums"
    nearest = difflib.get_close_matches(str(wrong), parameters, 1) or parameters[-1:]
    what = f"{setting} has {wrong!r}, which is no argument of {name}."
    write = f"wg.jit({name}, static_argnames={repr(nearest[0]) if nearest else '()'})"
    return ArgumentError(page(what, f"The arguments of {name} are {', '.join(parameters) or 'none'}.", write, "argument"))


def passing_result(name: str, value: Any) -> CompileError:
    """The error for a result whose values come later, or once only."""
    return CompileError(
        page(
            f"jit({name}) returned a {type(value).__name__}, and a compiled program computes its results at once.",
            "Later calls do not run the function again; they would return this very object.",
            "return list(values)   # or a tuple, a dictionary, an array\nreturn np.stack(list(values))",
            "compile",
        )
    )


def warn_many_signatures(name: str, n: int) -> None:
    """Say that a function is compiled again and again for settings that could be operands."""
    message = page(
        f"jit({name}) has compiled {n} signatures.",
        "Python's integers, texts and truth values belong to the signature, and another value is compiled anew.",
        "f(x, np.int64(n))   # a number of NumPy's is an operand\nf(x, float(n))   # and so is a Python float",
        "compile",
    )
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def warn_changes(name: str, what: str) -> None:
    """Say that a function changes what it reaches, and so is compiled at each call."""
    message = page(
        f"jit({name}) changes {what} whenever it is recorded, and is recorded and compiled anew at each call.",
        "What a compiled function reaches belongs to its signature, and each call finds it changed.",
        "return value, new   # and count, append or assign outside\nn[...] += 1   # in an array `n`, which is an input and not a setting",
        "compile",
    )
    warn_user(message, RuntimeWarning)
