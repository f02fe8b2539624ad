"""Single precision where it is enough.

Truth values and Python's numbers are doubles beside one another, and what is computed with them is rounded to single precision in the end:

::

    a = cast x {dtype=float64}; b = multiply m a; c = cast b {dtype=float32}   ->   m' = cast m {dtype=float32}; c = multiply m' x

If both operands are numbers of single precision, so that they lose nothing, then one operation `+ - * / sqrt` in double precision, rounded
again, has the very bits of the operation in single precision: 53 bits are 2 more than twice 24 (S. A. Figueroa, When is double rounding
innocuous?, SIGNUM Newsletter 30, 1995).  Sums and products of few truth values and dyadic fractions are exact in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wengert.compiler.builder import Builder, constant, repeated_number
from wengert.core.graph import Atom, Const, Node

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
ROUNDED = frozenset(["add", "subtract", "multiply", "scale", "divide", "sqrt"])
BITS = 24  # of single precision
MOVES = frozenset(["reshape", "spread", "permute"])
DEPTH = 8  # operations that are looked at


@dataclass(frozen=True)
class Grain:
    """A number is a whole multiple of `step`, a power of 2, and at most `bound` in absolute value."""

    step: float
    bound: float

    @property
    def is_single(self) -> bool:
        return self.bound / self.step <= 2.0**BITS and self.step >= 2.0**-100


def grain_of(builder: Builder, atom: Atom, depth: int = DEPTH) -> Grain | None:
    """What is known of a number by its type and by what made it."""
    if atom.type.dtype.kind == "b":
        return Grain(1.0, 1.0)
    if isinstance(atom, Const):
        return grain_of_number(repeated_number(atom.value))
    maker = builder.maker.get(atom)
    if maker is None or not depth:
        return None
    name = maker.primitive.name
    found = [grain_of(builder, operand, depth - 1) for operand in maker.operands]
    parts = [grain for grain in found if grain is not None]
    if len(parts) < len(found):
        return None
    if name in MOVES or name == "cast":
        return parts[0]
    if name in ("add", "subtract"):
        return Grain(min(p.step for p in parts), sum(p.bound for p in parts))
    if name in ("multiply", "scale"):
        return Grain(parts[0].step * parts[1].step, parts[0].bound * parts[1].bound)
    if name == "sum":
        count = math.prod(maker.operands[0].type.shape) // max(math.prod(maker.outputs[0].type.shape), 1)
        return Grain(parts[0].step, parts[0].bound * max(count, 1))
    return None


def grain_of_number(value: object) -> Grain | None:
    """A dyadic fraction."""
    if not isinstance(value, (int, float, np.integer, np.floating)) or not math.isfinite(value) or abs(value) > 2.0**BITS:
        return None
    step = 1.0 / float(value).as_integer_ratio()[1]
    return Grain(step, max(abs(float(value)), step))


def single(builder: Builder, atom: Atom) -> Atom | None:
    """A number in single precision that is the very number `atom`; `None` if it may need more."""
    if atom.type.dtype == SINGLE:
        return atom
    grain = grain_of(builder, atom)
    if isinstance(atom, Const):
        number = repeated_number(atom.value)
        return None if grain is None or not grain.is_single else constant(np.broadcast_to(SINGLE.type(number), atom.type.shape)[()])
    maker = builder.maker.get(atom)
    name = maker.primitive.name if maker is not None else ""
    if maker is not None and name == "cast" and maker.operands[0].type.dtype == SINGLE:
        return maker.operands[0]
    if maker is not None and name == "spread":
        inner = single(builder, maker.operands[0])
        return None if inner is None else builder.spread(inner, tuple(atom.type.shape))
    if grain is None or not grain.is_single:
        return None
    if maker is not None and atom.type.dtype == DOUBLE and name in ("add", "subtract", "multiply"):
        parts = [single(builder, operand) for operand in maker.operands]
        if all(part is not None for part in parts):
            return builder.elementwise(name, *[part for part in parts if part is not None], dtype=SINGLE)
    return builder.emit("cast", (atom,), {"dtype": SINGLE}, type(atom.type)(atom.type.shape, SINGLE))


def rounded(builder: Builder, atom: Atom) -> Atom | None:
    """A number in double precision, rounded to single precision by operations in single precision; `None` if these might differ."""
    maker = builder.maker.get(atom)
    if maker is not None and maker.primitive.name == "where":
        chosen = [rounded(builder, part) for part in maker.operands[1:]]
        known = [part for part in chosen if part is not None]
        return builder.elementwise("where", maker.operands[0], *known, dtype=SINGLE) if len(known) == len(chosen) else None
    if maker is None or atom.type.dtype != DOUBLE or maker.primitive.name not in ROUNDED:
        return single(builder, atom)
    parts = [single(builder, operand) for operand in maker.operands]
    if any(part is None for part in parts):
        return None
    return builder.elementwise(maker.primitive.name, *[part for part in parts if part is not None], dtype=SINGLE)


def narrowed(node: Node, builder: Builder) -> Atom | None:
    """See the module."""
    (x,), out = node.operands, node.outputs[0].type
    maker = builder.maker.get(x)
    if out.dtype != SINGLE or x.type.dtype != DOUBLE or maker is None or maker.primitive.name not in ROUNDED | {"where"}:
        return None
    return rounded(builder, x)
