"""How the compiler's stages look: a program of loop nests as text, and the account of what it does.

The text of a nest reads like the loops that it becomes::

    for i < 1000:                                # 3 flops, 8 bytes read
      v0 = x[i]
      v1 = float64: sin(a)  of v0
      s += v1  over i
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wengert.compiler.loops import (
    REASONS,
    Band,
    Buffer,
    Check,
    Control,
    Fill,
    HostCall,
    LoopNest,
    MatrixProduct,
    NativeCall,
    Place,
    Program,
    Sorting,
    Step,
    View,
)

LETTERS = "ijklmnpq"
LIBRARY_FLOPS = 20  # what a call of a function of libm counts for
_CALL = re.compile(r"\w\(")  # and not a parenthesis


class Names:
    """A short name for every buffer, in the order in which they are met."""

    def __init__(self, program: Program, inputs: Sequence[str]) -> None:
        self.found: dict[Buffer, str] = {}
        taken: set[str] = set()
        for k, buffer in enumerate(program.inputs):
            name = inputs[k] if k < len(inputs) and inputs[k] and inputs[k] not in taken else f"in{k}"
            self.found[buffer] = name
            taken.add(name)

    def __getitem__(self, buffer: Buffer) -> str:
        if buffer not in self.found:
            stem = {"constant": "c", "output": "out"}.get(buffer.kind, "t")
            self.found[buffer] = f"{stem}{len(self.found)}"
        return self.found[buffer]


def letter(k: int) -> str:
    """The name of a loop's index."""
    return LETTERS[k] if k < len(LETTERS) else f"i{k}"


def described(buffer: Buffer) -> str:
    """`float64[3,4]`."""
    return f"{buffer.dtype}[{','.join(map(str, buffer.shape))}]"


def list_program(program: Program, inputs: Sequence[str] = ()) -> str:
    """A program as text; `inputs` are the names of its inputs."""
    names = Names(program, inputs)
    lines = [f"input {names[buffer]}: {described(buffer)}" for buffer in program.inputs]
    for step in program.steps:
        lines += ["", *list_step(step, names)]
    lines += ["", "return " + ", ".join(_output(view, names) for view in program.outputs)]
    return "\n".join(lines)


def list_step(step: Step, names: Names) -> Iterator[str]:
    """The lines of one step."""
    if isinstance(step, LoopNest):
        yield from _list_nest(step, names)
    elif isinstance(step, MatrixProduct):
        yield f"{names[step.result]} = {_product(step, names)}"
    elif isinstance(step, Fill):
        yield f"{names[step.buffer]}[...] = 0"
    elif isinstance(step, HostCall):
        left = ", ".join(names[buffer] for buffer in step.writes())
        right = " ".join(_output(operand, names) for operand in step.operands)
        where = f", {step.location}" if step.location else ""
        asked = f", only if {names[step.doubt]}" if step.doubt is not None else ""
        yield f"{left} = {step.primitive.name} {right}   # a call of Python{where}{asked}".removeprefix(" = ")
    elif isinstance(step, Sorting):
        yield f"{names[step.result]} = order of {names[step.source.buffer]}:{'x'.join(map(str, step.source.shape))} along axis {step.axis}"
    elif isinstance(step, NativeCall):
        shown = ", ".join(names[v.buffer] if isinstance(v, View) else repr(v) for v in step.arguments)
        times = f"for {math.prod(step.batch)} matrices: " if step.batch else ""
        yield f"{times}{step.function}({shown})"
    elif isinstance(step, Control):
        yield from _list_control(step, names)
    elif isinstance(step, Check):
        yield f"stop if {names[step.buffer]}   # {REASONS[step.reason][1]}, {step.location}"
    else:
        yield f"for {step.n_chunks} chunks of {step.chunk} tiles of {step.tile} of {step.n_rows} rows:"
        for part in step.steps:
            yield from (f"  {line}" for line in list_step(part, names))


def _list_control(step: Control, names: Names) -> Iterator[str]:
    results = ", ".join(names[buffer] for buffer in step.results)
    operands = " ".join(_output(view, names) for view in step.operands)
    steps = f" in {step.params['length']:,} steps" if step.params.get("length", -1) >= 0 else ""
    yield f"{results} = {step.kind} {operands}{steps}:"
    for key, inner in step.programs.items():
        yield f"  {key}({', '.join(f'{names[buffer]}: {described(buffer)}' for buffer in inner.inputs)}):"
        for part in inner.steps:
            yield from (f"    {line}" for line in list_step(part, names))
        yield f"    return {', '.join(_output(view, names) for view in inner.outputs)}"


def _product(step: MatrixProduct, names: Names) -> str:
    left, right = (f"{names[v.buffer]}:{'x'.join(map(str, v.shape))}" for v in (step.left, step.right))
    base = "" if step.base is None else f"{names[step.base.buffer]} + "
    factor = "" if step.alpha == 1.0 else f"{step.alpha:.6g} * "
    counts = "" if step.counts == (1, 1, 1) else f", {step.counts[1]} axes summed"
    facts = f"{counts}{', strong zeros' if step.is_strong else ''}{', symmetric' if step.is_symmetric else ''}"
    facts += f"{f', {step.triangle}' if step.triangle else ''}{f', {step.kept} triangle' if step.kept else ''}"
    return f"{base}{factor}{left} @ {right}   # a product of matrices{facts}"


def _list_nest(nest: LoopNest, names: Names) -> Iterator[str]:
    account = account_of(nest)
    loops = ", ".join(f"{letter(k)} < {n}" for k, n in enumerate(nest.space)) or "once"
    yield f"for {loops}:   # {account.flops:,} flops, {account.read:,} bytes read, {account.written:,} written"
    for k, op in enumerate(nest.ops):
        operands = " ".join(f"v{place}" for place in op.operands)
        if op.place is not None:
            yield f"  v{k} = {_place(op.place, names, op.operands)}"
        elif op.code == "number":
            yield f"  v{k} = {op.literal!r}"
        else:
            working, _, code = op.code.partition(":")
            yield f"  v{k} = {working}: {code}  of {operands}" if code else f"  v{k} = {op.code} {op.literal}"
    for store in nest.stores:
        yield f"  {_place(store.place, names, store.gathers)} {'+=' if store.adds else '='} v{store.op}"
    for reduction in nest.reductions:
        over = ", ".join(map(letter, reduction.letters))
        yield f"  {_place(reduction.place, names)} = {reduction.combine} of v{reduction.op} over {over}"


def _place(place: Place, names: Names, gathers: Sequence[int] = ()) -> str:
    terms = [f"{s}*{letter(k)}" if s != 1 else letter(k) for k, s in enumerate(place.strides) if s]
    terms += [f"{s}*v{g}" for s, g in zip(place.steps, gathers, strict=False) if s]
    terms += [str(place.offset)] if place.offset or not terms else []
    return f"{names[place.buffer]}[{' + '.join(terms)}]"


def _output(view: Any, names: Names) -> str:
    if not isinstance(view, View):
        return repr(view) if getattr(view, "size", 1) == 1 else "a constant"
    name = names[view.buffer]
    if view.is_whole:
        return name
    return f"{name}(offset {view.offset}, shape {view.shape}, strides {view.strides})"


# --- the account ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """What a step costs: floating-point operations, and bytes of distinct buffers read and written."""

    flops: int
    read: int
    written: int


def account_of(step: Step) -> Account:
    """The account of one step; of a call of Python only its bytes are known."""
    read = sum(buffer.n_bytes for buffer in [*step.reads(), *step.updates()])
    written = sum(buffer.n_bytes for buffer in step.writes())
    if isinstance(step, LoopNest):
        n = 1
        for length in step.space:
            n *= length
        per_entry = sum(flops_of(op.code) for op in step.ops if op.dtype.kind in "fc") + len(step.reductions)
        return Account(n * per_entry, read, written)
    if isinstance(step, MatrixProduct):
        return Account(2 * step.work, read, written)
    if isinstance(step, NativeCall):
        return Account(math.prod(step.batch) * step.flops, read, written)
    if isinstance(step, Control):
        return Account(step.n_steps * sum(account_of(part).flops for p in step.programs.values() for part in p.steps), read, written)
    if isinstance(step, Band):
        return Account(sum(account_of(part).flops for part in step.steps), read, written)
    return Account(0, read, written)


def flops_of(code: str) -> int:
    """What one scalar instruction counts for."""
    _, _, text = code.partition(":")
    if not text or text == "a":
        return 0
    return sum(text.count(sign) for sign in "+-*/") + LIBRARY_FLOPS * len(_CALL.findall(text)) or 1
