"""Calls of functions of a library, as LLVM text: a loop over the members of a batch, and pointers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from wengert.compiler.loops import NativeCall, Shape, View, dtype_name
from wengert.compiler.scalar import LLVM, literal

_CALL = """\
define internal void @{name}({parameters}) #0 {{
entry:
  br label %loop
loop:
  %r = phi i64 [0, %entry], [%r_next, %loop]
{offsets}
  call void @{function}({arguments})
  %r_next = add i64 %r, 1
  %more = icmp slt i64 %r_next, {members}
  br i1 %more, label %loop, label %done
done:
  ret void
}}"""


def write_native(step: NativeCall, name: str) -> str:
    """The text of `void @name(ptr, ...)`, which takes the buffers of the step in their order."""
    buffers = {buffer: f"%b{k}" for k, buffer in enumerate(step.buffers())}
    offsets: list[str] = []
    constants: dict[str, str] = {}
    arguments = []
    for k, argument in enumerate(step.arguments):
        if not isinstance(argument, View):
            symbol, text = constant_of(name, argument)
            constants[symbol] = text
            arguments.append(f"ptr {symbol}")
            continue
        offsets += member_offset(f"a{k}", argument, step.batch)
        offsets.append(f"  %p{k} = getelementptr [{argument.buffer.dtype.itemsize} x i8], ptr {buffers[argument.buffer]}, i64 %a{k}_at")
        arguments.append(f"ptr %p{k}")
    call = _CALL.format(
        name=name, parameters=", ".join(f"ptr {b}" for b in buffers.values()), offsets="\n".join(offsets), function=step.function,
        arguments=", ".join(arguments), members=math.prod(step.batch),
    )  # fmt: skip
    return "\n".join([*constants.values(), call])


def member_offset(name: str, view: View, batch: Shape) -> list[str]:
    """Where member `%r` of a batch begins, counted in elements."""
    lines, total, rest = [], str(view.offset), "%r"
    for axis in reversed(range(len(batch))):
        part = f"%{name}_i{axis}"
        lines += [
            f"  {part} = urem i64 {rest}, {batch[axis]}",
            f"  {part}_rest = udiv i64 {rest}, {batch[axis]}",
            f"  {part}_far = mul i64 {part}, {view.strides[axis]}",
            f"  {part}_sum = add i64 {total}, {part}_far",
        ]
        total, rest = f"{part}_sum", f"{part}_rest"
    return [*lines, f"  %{name}_at = add i64 {total}, 0"]


def constant_of(name: str, value: Any) -> tuple[str, str]:
    """The symbol and the text of a number or letter that is passed by pointer."""
    if isinstance(value, str):
        symbol = f"@{name}.{value}"
        return symbol, f"{symbol} = internal constant i8 {ord(value)}"
    if isinstance(value, np.floating):
        dtype = dtype_name(value.dtype)
        bits = literal(value, dtype)
        symbol = f"@{name}.r{bits}"
        return symbol, f"{symbol} = internal constant {LLVM[dtype]} {bits}"
    symbol = f"@{name}.i{value}"
    return symbol, f"{symbol} = internal constant i32 {value}"


def native_declarations(functions: Mapping[str, int]) -> list[str]:
    """The functions, each with so many pointers."""
    return [f"declare void @{function}({', '.join(['ptr'] * n)})" for function, n in functions.items()]
