"""Loop nests: what the compiler makes of elementwise chains, index maps, and reductions.

A nest runs over a rectangular space of indices, its *letters*.  In its body scalars are loaded from buffers at affine positions,
combined by scalar code, and stored, added into memory, or reduced.  Positions are counted in elements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from wengert.core.immutable import immutable

Shape = tuple[int, ...]
ALIGNED = 8  # bytes, of every pointer that a step is given


@cache
def dtype_name(dtype: np.dtype[Any]) -> str:
    """`dtype.name`, which NumPy works out anew each time."""
    return dtype.name


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
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """How much memory it takes."""
        return self.size * self.dtype.itemsize


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
        expected = contiguous(self.shape)
        return all(s == e for s, e, n in zip(self.strides, expected, self.shape, strict=True) if n != 1)

    @property
    def is_whole(self) -> bool:
        """Whether it is a buffer under its own shape or another one."""
        return self.offset == 0 and self.is_contiguous and math.prod(self.shape) == self.buffer.size


def contiguous(shape: Shape) -> Shape:
    """The strides, in elements, of an array in C order; 0 for axes of length 1."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step if n != 1 else 0)
        step *= n
    return tuple(reversed(strides))


@immutable(frozen=True, slots=True)
class Place:
    """Where a nest touches a buffer: at `offset + sum(strides * letters) + sum(steps * values of the ops at `gathers`)`."""

    buffer: Buffer
    strides: Shape
    offset: int = 0
    steps: Shape = ()


@immutable(frozen=True, eq=False, slots=True)
class Op:
    """One scalar instruction of a body: code, the places of its operands, and the dtype of its result."""

    code: str  # "working dtype:scalar code" (`wengert.compiler.scalar`), "load", "number", or "letter"
    operands: tuple[int, ...]
    dtype: np.dtype[Any]
    place: Place | None = None  # of a load; its operands are the indices that go with the place's steps
    literal: Any = None  # of a number; which letter


@immutable(frozen=True, eq=False, slots=True)
class Store:
    """The value of an op goes to memory; with `adds` it is added to what is there."""

    op: int
    place: Place
    gathers: tuple[int, ...] = ()
    adds: bool = False


@immutable(frozen=True, eq=False, slots=True)
class Reduction:
    """The values of an op over some letters become one: `place` has stride 0 along those."""

    op: int
    letters: tuple[int, ...]
    place: Place
    combine: str = "sum"  # "sum", "prod", "max", "min"


@dataclass(eq=False)
class LoopNest:
    """A body over a space: ops in order, stores, and reductions."""

    space: Shape
    level: int
    ops: list[Op] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    reductions: list[Reduction] = field(default_factory=list)

    def reads(self) -> list[Buffer]:
        """The buffers that it loads from, each once."""
        return list(dict.fromkeys(op.place.buffer for op in self.ops if op.place is not None))

    def writes(self) -> list[Buffer]:
        """The buffers that it stores to, adds to, or reduces into, each once."""
        places = [store.place for store in self.stores] + [reduction.place for reduction in self.reductions]
        return list(dict.fromkeys(place.buffer for place in places))

    def updates(self) -> list[Buffer]:
        """The buffers whose former content it needs."""
        return list(dict.fromkeys(store.place.buffer for store in self.stores if store.adds))

    def buffers(self) -> list[Buffer]:
        """Every buffer that the nest touches, each once."""
        return list(dict.fromkeys([*self.reads(), *self.writes()]))

    def starts(self) -> dict[Buffer, int]:
        """The least offset at which it touches each buffer that it neither reduces into nor finds places in by value.

        Counted from there, nests that do the same at `y[0]`, at `y[1]` and so on are the same.
        """
        reduced = {reduction.place.buffer for reduction in self.reductions}
        places = [op.place for op in self.ops if op.place is not None] + [store.place for store in self.stores]
        found: dict[Buffer, int] = {}
        for place in places:
            found[place.buffer] = min(found.get(place.buffer, place.offset), place.offset)
        return {b: k for b, k in found.items() if k > 0 and k * b.dtype.itemsize % ALIGNED == 0 and b not in reduced}


@dataclass(eq=False)
class Fill:
    """A buffer is set to zero."""

    buffer: Buffer
    level: int

    def reads(self) -> list[Buffer]:
        return []

    def writes(self) -> list[Buffer]:
        return [self.buffer]

    updates = reads

    def buffers(self) -> list[Buffer]:
        return [self.buffer]


@dataclass(eq=False)
class MatrixProduct:
    """`into[b, i, j] = base[b, i, j] + alpha * sum over p of left[b, i, p] * right[b, p, j]`; without a base that is 0.

    Each letter stands for any number of axes: views have the axes `[batch..., rows..., inner...]`, `[batch..., inner..., columns...]` and
    `[batch..., rows..., columns...]`, and `counts` says how many axes rows, inner letters and columns are.  Strides are free: transposes,
    repeated arrays and windows need no copies.  `into` lies in `result`, and `base` looks like it.  With `is_strong`, entries that come out as NaN are taken again
    with `0 * inf = 0 * nan = 0`; with `is_symmetric` only half of a result is computed that equals its transpose.  `triangle` names a
    factor that is 0 beyond its diagonal ("left lower"), `kept` the triangle outside of which the result is 0.
    """

    left: View
    right: View
    result: Buffer
    into: View
    is_strong: bool
    level: int
    counts: tuple[int, int, int] = (1, 1, 1)
    is_symmetric: bool = False
    alpha: float = 1.0
    base: View | None = None
    triangle: str = ""
    kept: str = ""

    @property
    def n_batch(self) -> int:
        """How many axes the stacks have."""
        return len(self.left.shape) - self.counts[0] - self.counts[1]

    @property
    def rows(self) -> Shape:
        """The lengths of the rows' axes."""
        return self.left.shape[self.n_batch : self.n_batch + self.counts[0]]

    @property
    def inner(self) -> Shape:
        """The lengths of the axes that are summed."""
        return self.left.shape[self.n_batch + self.counts[0] :]

    @property
    def columns(self) -> Shape:
        """The lengths of the columns' axes."""
        return self.right.shape[self.n_batch + self.counts[1] :]

    @property
    def is_matrix(self) -> bool:
        """Whether each letter is one axis, nothing is added, and all of it is computed."""
        return self.counts == (1, 1, 1) and self.base is None and not (self.is_symmetric or self.triangle or self.kept)

    @property
    def work(self) -> int:
        """The number of multiplications."""
        whole = math.prod(self.left.shape) * math.prod(self.columns)
        return whole // 2 if self.triangle or self.kept else whole

    def reads(self) -> list[Buffer]:
        base = [] if self.base is None else [self.base.buffer]
        return list(dict.fromkeys([self.left.buffer, self.right.buffer, *base]))

    def writes(self) -> list[Buffer]:
        return [self.result]

    def updates(self) -> list[Buffer]:
        return []

    def buffers(self) -> list[Buffer]:
        return list(dict.fromkeys([*self.reads(), self.result]))


@dataclass(eq=False)
class NativeCall:
    """A function of a library is called, once for every member of a batch.

    Its arguments are pointers: to the part of an array that belongs to the member (a view whose first axes are the batch), or to a
    number or letter that is the same for all.
    """

    function: str
    batch: Shape
    arguments: list[Any]  # views, whole numbers, letters, and NumPy's floats
    written: list[Buffer]
    updated: list[Buffer]  # among those, the ones whose former content it needs
    flops: int  # of one member, about
    level: int

    def reads(self) -> list[Buffer]:
        written = set(self.written)
        return [b for b in dict.fromkeys(v.buffer for v in self.arguments if isinstance(v, View)) if b not in written]

    def writes(self) -> list[Buffer]:
        return list(self.written)

    def updates(self) -> list[Buffer]:
        return list(self.updated)

    def buffers(self) -> list[Buffer]:
        return [*self.reads(), *self.written]


@dataclass(eq=False)
class HostCall:
    """A primitive without native code: Python is called back; given `doubt`, only where that is true, else the results stand."""

    primitive: Any
    operands: list[Any]  # views, or plain values
    params: Any
    results: list[View]
    level: int
    location: str = ""
    doubt: Buffer | None = None  # one bool

    def reads(self) -> list[Buffer]:
        asked = [] if self.doubt is None else [self.doubt]
        return list(dict.fromkeys([*asked, *[v.buffer for v in self.operands if isinstance(v, View)]]))

    def writes(self) -> list[Buffer]:
        return list(dict.fromkeys(v.buffer for v in self.results))

    def updates(self) -> list[Buffer]:
        return [] if self.doubt is None else self.writes()

    def buffers(self) -> list[Buffer]:
        return list(dict.fromkeys([*self.reads(), *self.writes()]))


@dataclass(eq=False)
class Band:
    """Steps that run one after the other on a few rows, and then on the next: what they hand on stays in the cache.

    `rows[k]` says what the rows are in step `k`: the letter of a nest, or "m" or "k" of a product.  The buffers `inner` hold the rows
    in hand only.  Tiles are taken together in `n_chunks` chunks of a fixed number of tiles; a total over all rows is added up in a slot
    of its chunk, and `slots` says in which array those lie.
    """

    steps: list[LoopNest | MatrixProduct]
    rows: list[int | str]
    n_rows: int
    tile: int  # rows in hand
    inner: list[Buffer]
    slots: dict[Buffer, Buffer]
    level: int
    chunk: int = 1  # tiles
    is_turned: bool = False  # entry by entry, rows in hand are neighbours (`wengert.compiler.lanes`)

    @property
    def n_chunks(self) -> int:
        """How many parts there are that do not need one another."""
        return -(-self.n_rows // (self.tile * self.chunk))

    def outer(self, buffers: list[Buffer]) -> list[Buffer]:
        """Those that are seen from outside, each once."""
        inner = set(self.inner)
        return list(dict.fromkeys(self.slots.get(b, b) for b in buffers if b not in inner))

    def writes(self) -> list[Buffer]:
        return self.outer([b for step in self.steps for b in step.writes()])

    def reads(self) -> list[Buffer]:
        written = set(self.writes())
        return [b for b in self.outer([b for step in self.steps for b in step.reads()]) if b not in written]

    def updates(self) -> list[Buffer]:
        return []

    def buffers(self) -> list[Buffer]:
        return list(dict.fromkeys([*self.reads(), *self.writes()]))


REASONS = {  # exception, what it says after the name of the program or alone
    "outside": (IndexError, "an index is out of bounds"),
    "singular": (np.linalg.LinAlgError, "Singular matrix"),
    "indefinite": (np.linalg.LinAlgError, "Matrix is not positive definite"),
}


@dataclass(eq=False)
class Check:
    """The program stops if a bool is true, for one of the reasons in `REASONS`."""

    buffer: Buffer
    level: int
    location: str = ""
    reason: str = "outside"

    def reads(self) -> list[Buffer]:
        return [self.buffer]

    def writes(self) -> list[Buffer]:
        return []

    updates = writes
    buffers = reads


@dataclass(eq=False)
class Sorting:
    """For every line along an axis the places of its entries in ascending order; equal entries keep theirs."""

    source: View
    result: Buffer
    axis: int
    level: int

    @property
    def into(self) -> View:
        """Where the places go."""
        return View.whole(self.result)

    def reads(self) -> list[Buffer]:
        return [self.source.buffer]

    def writes(self) -> list[Buffer]:
        return [self.result]

    def updates(self) -> list[Buffer]:
        return []

    def buffers(self) -> list[Buffer]:
        return [self.source.buffer, self.result]


GUESSED = 10  # steps of a loop that values end


@dataclass(eq=False)
class Control:
    """A loop or a branch: programs inside of this one, run as often as values say.

    `operands` and `results` are those of the node; what one of the programs takes and gives is for `wengert.compiler.emit.control` to
    say.  `scratch` is memory for the states between two steps and for what lies between the steps of the programs.
    """

    kind: str  # the name of the primitive
    params: Any
    programs: dict[str, Program]
    plans: dict[str, Any]
    operands: list[View]
    results: list[Buffer]
    scratch: Buffer
    pieces: dict[Any, int]  # where each part of the scratch memory begins
    level: int
    location: str = ""

    @property
    def n_steps(self) -> int:
        """How often the programs inside run; one may guess only where values decide."""
        return int(self.params.get("length", GUESSED if self.kind != "cond" else 1))

    def constants(self) -> list[Buffer]:
        """The constants of the programs inside."""
        return list(dict.fromkeys(b for plan in self.plans.values() for b in plan.constants))

    def reads(self) -> list[Buffer]:
        return list(dict.fromkeys([*[view.buffer for view in self.operands], *self.constants()]))

    def writes(self) -> list[Buffer]:
        return [*self.results, self.scratch]

    def updates(self) -> list[Buffer]:
        return []

    def buffers(self) -> list[Buffer]:
        return list(dict.fromkeys([*self.reads(), *self.writes()]))


Step = Control | Sorting | Check | LoopNest | Fill | MatrixProduct | NativeCall | HostCall | Band


@dataclass(eq=False)
class Program:
    """Steps in the order in which they run, and where inputs come from and outputs go."""

    inputs: list[Buffer]
    steps: list[Step]
    outputs: list[Any]  # views, or plain values


def all_steps(program: Program) -> Iterator[Step]:
    """The steps of a program, and those of the programs inside of them."""
    for step in program.steps:
        yield step
        if isinstance(step, Control):
            for inner in step.programs.values():
                yield from all_steps(inner)
