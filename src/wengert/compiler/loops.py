"""Loop nests: what the compiler makes of elementwise chains, index maps and sums.

A nest runs over a rectangular space of indices.  In its body, scalars are loaded from buffers at affine positions,
combined by scalar code, and stored or added up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(eq=False)
class Buffer:
    """A contiguous array in memory: an input, a constant, an output, or something in between."""

    shape: Shape
    dtype: np.dtype[Any]
    kind: str  # "input", "constant", "output", "temporary"
    value: Any = None  # of a constant
    name: str = ""

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=int))


@dataclass(frozen=True, eq=False)
class View:
    """The element at index `i` of an array of `shape` is `buffer[offset + sum(strides * i)]`, counted in elements."""

    buffer: Buffer
    shape: Shape
    strides: Shape
    offset: int = 0

    @classmethod
    def whole(cls, buffer: Buffer) -> View:
        """The buffer itself."""
        return cls(buffer, buffer.shape, contiguous(buffer.shape))

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie one after the other."""
        return self.strides == contiguous(self.shape)

    def along(self, strides: Shape, shape: Shape) -> View:
        """The same memory walked in another way."""
        return View(self.buffer, shape, strides, self.offset)


def contiguous(shape: Shape) -> Shape:
    """The strides, in elements, of an array in C order; 0 for axes of length 1."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step if n != 1 else 0)
        step *= n
    return tuple(reversed(strides))


@dataclass(frozen=True)
class Op:
    """One scalar instruction of a body: code, the places of its operands, and the dtype of its result."""

    code: str  # scalar code (`wengert.compiler.scalar`), or "load"
    operands: tuple[int, ...]
    dtype: np.dtype[Any]
    view: View | None = None  # of a load
    literal: Any = None  # of a number


@dataclass(eq=False)
class LoopNest:
    """A body over a space: ops in order; `stores` of `(op, buffer)` and `sums` of `(op, axes, buffer)`."""

    space: Shape
    level: int
    ops: list[Op] = field(default_factory=list)
    stores: list[tuple[int, Buffer]] = field(default_factory=list)
    sums: list[tuple[int, tuple[int, ...], Buffer]] = field(default_factory=list)
    known: dict[Any, int] = field(default_factory=dict)

    def add(self, op: Op, key: Any) -> int:
        """The place of an op, which is taken once if it is asked for again."""
        if key not in self.known:
            self.known[key] = len(self.ops)
            self.ops.append(op)
        return self.known[key]

    def load(self, view: View) -> int:
        """The place of a load."""
        return self.add(Op("load", (), view.buffer.dtype, view), (id(view.buffer), view.strides, view.offset))

    def buffers(self) -> list[Buffer]:
        """Every buffer that the nest touches, each once."""
        found = [op.view.buffer for op in self.ops if op.view is not None]
        found += [buffer for _, buffer in self.stores] + [buffer for *_, buffer in self.sums]
        return list(dict.fromkeys(found))


@dataclass(eq=False)
class HostCall:
    """A primitive without native code: Python is called back."""

    primitive: Any
    operands: list[Any]  # views, or plain values
    params: Any
    results: list[Buffer]
    level: int
    location: str = ""


@dataclass(eq=False)
class Program:
    """Steps in the order in which they run, and where inputs come from and outputs go."""

    inputs: list[Buffer]
    steps: list[LoopNest | HostCall]
    outputs: list[Any]  # views, or plain values
