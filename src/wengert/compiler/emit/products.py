"""A product as a function of its own: a specification, and a call of the kernel that multiplies (`wengert.compiler.emit.multiply`)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field, replace

from wengert.compiler.emit.context import KEPT, LOOKS, RANGES, SHARED, STRONG, SYMMETRIC, TRIANGLES
from wengert.compiler.loops import Buffer, MatrixProduct, dtype_name

KERNELS = {"float64": "wg_product_f64", "float32": "wg_product_f32"}
LANES = {"float64": 8, "float32": 16}  # of the widest vectors
DEEP = 32  # terms of a sum from which on it pays to have the longer side of a result in vectors

OTHER = {"left": "right", "right": "left", "lower": "upper", "upper": "lower"}

Axis = tuple[int, int, int, int]  # a length, and the strides of left, right and result; 0 where an operand does not move

_STEP = """\
@{name}.spec = internal constant [{n} x i64] [{numbers}]
define internal void @{name}(ptr %left, ptr %right, ptr %result{more}) #0 {{
  call void @{kernel}(ptr @{name}.spec, ptr %{left}, ptr %{right}, ptr %result, ptr {base}, i64 {start}, i64 {stop})
  ret void
}}"""


@dataclass(frozen=True)
class Axes:
    """The axes of a product by their letters, outermost first."""

    batch: list[Axis]
    rows: list[Axis]
    inner: list[Axis]
    columns: list[Axis]
    offsets: tuple[int, int, int, int] = (0, 0, 0, 0)  # of left, right, result and base
    is_turned: bool = field(default=False)

    def turned(self) -> Axes:
        """The transposed product: the factors change places."""

        def swapped(axes: list[Axis]) -> list[Axis]:
            return [(length, right, left, into) for length, left, right, into in axes]

        left, right, *others = self.offsets
        groups = (self.batch, self.columns, self.inner, self.rows)
        return Axes(*map(swapped, groups), (right, left, *others), not self.is_turned)


def axes_of(step: MatrixProduct) -> Axes:
    """The axes of a step, as they stand there."""
    b, (m, k, _) = step.n_batch, step.counts
    left, right, into = step.left.strides, step.right.strides, step.into.strides
    batch = list(zip(step.left.shape[:b], left[:b], right[:b], into[:b], strict=True))
    rows = [(length, left[b + i], 0, into[b + i]) for i, length in enumerate(step.rows)]
    inner = [(length, left[b + m + p], right[b + p], 0) for p, length in enumerate(step.inner)]
    columns = [(length, 0, right[b + k + j], into[b + m + j]) for j, length in enumerate(step.columns)]
    return Axes(batch, rows, inner, columns, (step.left.offset, step.right.offset, step.into.offset, 0 if step.base is None else step.base.offset))


def tidy(axes: Axes, ranged: str) -> Axes:
    """A stack along which one factor repeats is more rows or columns of the other; neighbours that all operands walk as one are one.

    The outermost axis of the letter `ranged` stays what it is.
    """
    batch, rows, columns = [], [], []
    for axis in axes.batch:
        length, left, right, _ = axis
        target = rows if right == 0 else columns if left == 0 else batch
        if length > 1:
            target.append(axis)
    fixed = {"m": axes.rows[:1], "k": axes.inner[:1], "n": axes.columns[:1]}
    fixed = {letter: found if letter == ranged else [] for letter, found in fixed.items()}
    groups = [
        [*fixed[letter], *merged([*extra, *own[len(fixed[letter]) :]])]
        for letter, extra, own in (("m", rows, axes.rows), ("k", [], axes.inner), ("n", columns, axes.columns))
    ]
    return replace(axes, batch=merged(batch), rows=groups[0], inner=groups[1], columns=groups[2])


def merged(axes: list[Axis]) -> list[Axis]:
    """Neighbours as one, without axes of length 1."""
    found: list[Axis] = []
    for axis in axes:
        if axis[0] == 1:
            continue
        if found and found[-1][1:] == tuple([s * axis[0] for s in axis[1:]]):
            axis = (found.pop()[0] * axis[0], *axis[1:])
        found.append(axis)
    return found


def length_of(axes: list[Axis]) -> int:
    """How many entries axes have together."""
    return math.prod([axis[0] for axis in axes])


def is_better_turned(axes: Axes, dtype: str) -> bool:
    """Whether the rows of a result should be in vectors, and not its columns."""

    def used(group: list[Axis]) -> float:
        n, lanes = length_of(group), LANES[dtype]
        return n / (-(-n // lanes) * lanes)

    def is_run(group: list[Axis]) -> bool:
        return bool(group) and group[-1][3] == 1

    if len(axes.rows) > 1 and len(axes.inner) > 1:  # windows, which a left factor has where they lie
        return False
    if len(axes.columns) > 1 and len(axes.inner) > 1:
        return True
    if is_run(axes.columns) != is_run(axes.rows) and length_of(axes.inner) < DEEP:
        return is_run(axes.rows)
    if is_run(axes.rows) and not is_run(axes.columns):
        return used(axes.rows) >= 0.75 * used(axes.columns)
    return used(axes.columns) < 0.75 * used(axes.rows)


def write_product(step: MatrixProduct, name: str, rows: str = "", *, is_shared: bool = False) -> str:
    """The text of `void @name(ptr %left, ptr %right, ptr %result)`, and `ptr %base` if there is one; with `is_shared` threads may help.

    Where the rows of a band are the rows of the product ("m") or are summed over ("k"), it takes a range of them: `i64 %start, i64 %stop`.
    """
    dtype = dtype_name(step.result.dtype)
    axes = tidy(axes_of(step), rows)
    if not step.is_symmetric and is_better_turned(axes, dtype):
        axes = axes.turned()
        rows = {"m": "n"}.get(rows, rows)
    numbers = specification(axes, flags_of(step, is_turned=axes.is_turned) | SHARED * is_shared, rows, step.alpha)
    left, right = ("right", "left") if axes.is_turned else ("left", "right")
    return _STEP.format(
        name=name, n=len(numbers), numbers=", ".join([f"i64 {number}" for number in numbers]), kernel=KERNELS[dtype], left=left, right=right,
        more=(", ptr %base" if step.base else "") + (", i64 %start, i64 %stop" if rows else ""), base="%base" if step.base else "null", start="%start" if rows else 0, stop="%stop" if rows else 0,
    )  # fmt: skip


def flags_of(step: MatrixProduct, *, is_turned: bool) -> int:
    """What the kernel need not compute, and what it looks at; transposed, factors and triangles change places."""
    triangle, kept = step.triangle, step.kept
    if is_turned:
        side, _, half = triangle.partition(" ")
        triangle = f"{OTHER[side]} {OTHER[half]}" if triangle else ""
        kept = OTHER[kept] if kept else ""
    flags = STRONG * step.is_strong | SYMMETRIC * step.is_symmetric | TRIANGLES.get(triangle, 0) | KEPT.get(kept, 0)
    return flags | LOOKS * (triangle != "" and not step.is_strong)


def specification(axes: Axes, flags: int, rows: str, alpha: float = 1.0) -> list[int]:
    """A product as the kernel reads it: `FIELDS`, then the axes."""
    groups = (axes.batch, axes.rows, axes.inner, axes.columns)
    members, m, k, n = map(length_of, groups)
    (bits,) = struct.unpack("<q", struct.pack("<d", alpha))
    return [
        flags, RANGES[rows], m, k, n, members, *axes.offsets, bits, *map(len, groups), *[number for group in groups for axis in group for number in axis],
    ]  # fmt: skip


def product_buffers(step: MatrixProduct) -> list[Buffer]:
    """What the function takes the addresses of."""
    return [step.left.buffer, step.right.buffer, step.result, *([] if step.base is None else [step.base.buffer])]


def product_declarations() -> list[str]:
    """The functions that multiply."""
    return [f"declare void @{kernel}(ptr, ptr, ptr, ptr, ptr, i64, i64)" for kernel in KERNELS.values()]
