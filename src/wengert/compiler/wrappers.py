"""C functions around a program's entry, as LLVM text: for callers that know nothing of tables and workspaces.

pointers    int f(in_0 *, in_1 *, ..., out_0 *, ...)          the status of the entry: 0, or -1 without memory
flat        double f(int n, double *x [, void *])             `x` holds all inputs one after the other; NaN for another n
scalar      double f(double x [, void *])                     one number in, one number out
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wengert.core.types import ArrayType

ON_STACK = 2**14  # bytes of workspace
_NAN = "0x7FF8000000000000"


@dataclass(frozen=True)
class Wrapping:
    """What a wrapper has to know about the program.

    `call` gets hold of the entry as `%entry.point`, `take` of the workspace as `%block`, if it is large, and `give` lets go of it.  Inputs in `bound` are
    read from a table `@bound` instead of being parameters.
    """

    name: str
    inputs: Sequence[ArrayType]
    outputs: Sequence[ArrayType]
    workspace: int
    call: Sequence[str]
    take: Sequence[str]
    give: Sequence[str]
    bound: Sequence[int] = ()

    @property
    def free(self) -> list[int]:
        """The inputs that are parameters."""
        return [k for k in range(len(self.inputs)) if k not in self.bound]


def size_of(type_: ArrayType) -> int:
    """The number of elements."""
    return math.prod(type_.shape)


def write_pointers(what: Wrapping) -> str:
    """`int f(in_0 *, ..., out_0 *, ...)`."""
    ins = {k: f"%x{k}" for k in what.free}
    outs = [f"%y{k}" for k in range(len(what.outputs))]
    parameters = ", ".join(f"ptr {name}" for name in [*ins.values(), *outs])
    return _function(what, f"define i32 @{what.name}({parameters})", ins, outs, [], "i32 %status", "i32 -1")


def write_flat(what: Wrapping, *, has_data: bool) -> str:
    """`double f(int n, double *x)`."""
    ins, lines, start = {}, [], 0
    for k in what.free:
        ins[k] = f"%x{k}"
        lines.append(f"  %x{k} = getelementptr double, ptr %x, i64 {start}")
        start += size_of(what.inputs[k])
    lines += [
        f"  %fits = icmp eq i32 %n, {start}", "  br i1 %fits, label %go, label %misfit",
        "misfit:", f"  ret double {_NAN}", "go:",
    ]  # fmt: skip
    head = f"define double @{what.name}(i32 %n, ptr %x{', ptr %data' if has_data else ''})"
    return _number(what, head, ins, lines)


def write_scalar(what: Wrapping, *, has_data: bool) -> str:
    """`double f(double x)`."""
    (k,) = what.free
    lines = ["  %place = alloca double", "  store double %x, ptr %place"]
    return _number(what, f"define double @{what.name}(double %x{', ptr %data' if has_data else ''})", {k: "%place"}, lines)


def _number(what: Wrapping, head: str, ins: dict[int, str], lines: list[str]) -> str:
    text = _function(what, head, ins, ["%result"], ["  %result = alloca double", *lines], "double %answer", f"double {_NAN}")
    answer = (
        "  %value = load double, ptr %result\n  %fine = icmp eq i32 %status, 0\n"
        f"  %answer = select i1 %fine, double %value, double {_NAN}\n  ret double %answer"
    )
    return text.replace("  ret double %answer", answer)


def _function(what: Wrapping, head: str, ins: dict[int, str], outs: list[str], lines: list[str], result: str, failure: str) -> str:
    """The common part: tables, workspace, call."""
    body = [head + " {", "entry:", *lines]
    body += [f"  %inputs = alloca [{max(1, len(what.inputs))} x ptr]", f"  %outputs = alloca [{max(1, len(outs))} x ptr]"]
    for k in range(len(what.inputs)):
        if k in what.bound:
            number = list(what.bound).index(k)
            body += [f"  %bound{k}.at = getelementptr ptr, ptr @bound, i64 {number}", f"  %bound{k} = load ptr, ptr %bound{k}.at"]
        body += _store("inputs", k, ins.get(k, f"%bound{k}"))
    for k, name in enumerate(outs):
        body += _store("outputs", k, name)
    body += what.call
    is_large = what.workspace > ON_STACK
    if is_large:
        body += [*what.take, "  %none = icmp eq ptr %block, null", "  br i1 %none, label %fail, label %run"]
        body += ["fail:", f"  ret {failure}", "run:"]
    else:
        body.append(f"  %block = alloca [{max(1, what.workspace)} x i8], align 64")
    body.append("  %status = call i32 %entry.point(ptr %inputs, ptr %outputs, ptr %block)")
    body += what.give if is_large else []
    return "\n".join([*body, f"  ret {result}", "}"])


def _store(table: str, k: int, value: str) -> list[str]:
    return [f"  %{table}.{k} = getelementptr ptr, ptr %{table}, i64 {k}", f"  store ptr {value}, ptr %{table}.{k}"]
