r"""Scalar code as text with gaps: code that comes again and again is walked once, and filled in for the rest.

::

    "a * b + 1" in float64   ->   "  {2} = fmul double {0}, {1}\n  {3} = fadd double {2}, 0x3FF0000000000000",  value {3}

Gaps stand for the operands, then for the results of the instructions.  The text is the one that `Scalars` writes for operands that are no
literals; a number in the place of an operand is as good, it is only not folded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from wengert.compiler.scalar import Scalars, Value

_NAME = re.compile(r"%(operand|v)(\d+)\b")


@dataclass(frozen=True)
class Template:
    """Instructions with gaps; `value` is the gap, or the literal, of the result."""

    text: str
    n_results: int
    value: str
    dtype: str


def template_of(code: str, n: int, working: str, math: Any) -> Template:
    """What `Scalars` writes for `n` operands of the working dtype."""
    lines: list[str] = []
    scalars = Scalars(lines, math)
    value, dtype = scalars.emit(code, [(f"%operand{k}", working) for k in range(n)], working)

    def gap(name: re.Match[str]) -> str:
        number = int(name[2])
        return f"{{{number if name[1] == 'operand' else n + number - 1}}}"

    text, value = (_NAME.sub(gap, part.replace("{", "{{").replace("}", "}}")) for part in ("\n".join(lines), value))
    return Template(text, scalars.count, value, dtype)


def emit(scalars: Scalars, templates: dict[Any, Template], code: str, operands: list[Value], working: str) -> Value:
    """The value of a piece of scalar code, whose instructions go to the lines of `scalars`; `templates` is what is known."""
    for _, dtype in operands:
        if dtype != working:
            return scalars.emit(code, operands, working)
    key = (code, len(operands), working)
    template = templates.get(key)
    if template is None:
        template = templates[key] = template_of(code, len(operands), working, scalars.math)
    start = scalars.count + 1
    scalars.count += template.n_results
    gaps = [name for name, _ in operands]
    gaps += [f"{scalars.stem}{k}" for k in range(start, start + template.n_results)]
    if template.text:
        scalars.lines.append(template.text.format(*gaps))
    return template.value.format(*gaps), template.dtype
