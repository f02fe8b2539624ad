"""What the functions of a product tell one another: numbers in tables, by name."""

from __future__ import annotations

from wengert.compiler.emit.text import Text

STRONG, SYMMETRIC, SHARED = 1, 2, 4  # flags: zeros absorb; the result equals its transpose; threads may help
TRIANGLES = {"left lower": 8, "left upper": 16, "right lower": 32, "right upper": 64}  # the factor that has zeros beyond its diagonal
KEPT = {"lower": 128, "upper": 256}  # the part of the result that is wanted; the rest is 0
LOOKS = 512  # zeros of a triangle are passed over only if the other factor is finite
RANGES = {"": 0, "m": 1, "k": 2, "n": 3}  # which letter's outermost axis is run from start to stop only
FIELDS = (  # of a specification, as i64
    "flags", "range", "m", "k", "n", "members", "left", "right", "into", "base", "alpha", "batch_axes", "row_axes", "inner_axes", "column_axes",
)  # fmt: skip
AXIS = 4  # numbers of an axis: its length, and the strides of left, right and result
# What the threads of a product know: the numbers of this call, and where its tables are.
CONTEXT = (
    "left", "right", "result", "base", "alpha", "m", "k", "n", "members", "flags", "step",
    "batch_left", "batch_right", "batch_into", "row_left", "row_into", "inner_left", "inner_right", "column_right", "column_into",
    "row_tasks", "column_tasks", "packed", "panels", "left_runs", "right_runs", "into_runs", "direct", "ragged", "left_apart", "walks",
)  # fmt: skip

class Numbers:
    """The fields of a table of numbers, by name."""

    def __init__(self, text: Text, pointer: str, names: tuple[str, ...]) -> None:
        self.text, self.pointer, self.names = text, pointer, names

    def get(self, name: str, kind: str = "i64") -> str:
        return self.text.load(self.pointer, self.names.index(name), kind, of="i64")

    def set(self, name: str, value: str | int, kind: str = "i64") -> None:
        self.text.store(str(value), self.pointer, self.names.index(name), kind, of="i64")
