"""Small matrices written out: each entry is an array over the batch, so that many matrices are one vectorised loop.

[[a b], [c d]]  ->  elimination with exchange of rows by `where`, entry by entry
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wengert.compiler.builder import Builder, Shape, constant
from wengert.core.graph import Atom
from wengert.core.types import ArrayType

SMALL = 3  # rows of a matrix that is eliminated in this way
SMALL_TRIANGLE = 4  # of a triangle, which exchanges no rows
FEW = 4  # right-hand sides that are taken one by one

Entries = list[list[Atom]]


def entries_of(builder: Builder, a: Atom) -> Entries:
    """The entries of a matrix, each over the batch."""
    m, n = a.type.shape[-2:]
    head = tuple([slice(None)] * (len(a.type.shape) - 2))
    return [[builder.index(a, (*head, i, j)) for j in range(n)] for i in range(m)]


def columns_of(builder: Builder, b: Atom) -> Entries:
    """The right-hand sides: for each of a few columns its entries; more of them are one, whose entries are whole rows."""
    n, k = b.type.shape[-2:]
    if k <= FEW:
        return [list(column) for column in zip(*entries_of(builder, b), strict=True)]
    head = tuple([slice(None)] * (len(b.type.shape) - 2))
    return [[builder.index(b, (*head, i, slice(None))) for i in range(n)]]


def matrix_of(builder: Builder, entries: Entries, shape: Shape) -> Atom:
    """The matrix of such entries."""
    dtype = entries[0][0].type.dtype
    flat = [builder.spread(x, shape[:-2]) for line in entries for x in line]
    stack = builder.emit("stack", tuple(flat), {"axis": -1}, ArrayType((*shape[:-2], len(flat)), dtype))
    return builder.reshape(stack, shape)


def matrix_of_columns(builder: Builder, columns: Entries, shape: Shape) -> Atom:
    """The matrix of solutions, given as right-hand sides are."""
    if shape[-1] <= FEW:
        return matrix_of(builder, [list(line) for line in zip(*columns, strict=True)], shape)
    rows = [builder.spread(x, (*shape[:-2], shape[-1])) for x in columns[0]]
    return builder.emit("stack", tuple(rows), {"axis": -2}, ArrayType(shape, rows[0].type.dtype))


class Arithmetic:
    """Elementwise operations on entries, some of which are whole rows."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def __call__(self, name: str, *xs: Atom, dtype: type | None = None) -> Atom:
        longest = max([x.type.shape for x in xs], key=len)
        same = [self.fitted(x, longest) for x in xs]
        return self.builder.elementwise(name, *same, dtype=dtype or same[-1].type.dtype)

    def fitted(self, x: Atom, shape: Shape) -> Atom:
        """An entry over the batch beside a row."""
        if len(x.type.shape) == len(shape) or not x.type.shape and not shape:
            return x
        return self.builder.spread(self.builder.reshape(x, (*x.type.shape, 1)), shape)

    def less_product(self, x: Atom, factor: Atom, y: Atom) -> Atom:
        """`x - factor y`."""
        return self("subtract", x, self("multiply", factor, y))

    def any(self, truths: Sequence[Atom]) -> Atom:
        """Whether one of them is true."""
        found = truths[0]
        for truth in truths[1:]:
            found = self("logical_or", found, truth, dtype=bool)
        return found


@dataclass
class Elimination:
    """`a` by rows that were exchanged, upper triangular; the right-hand sides after the same steps."""

    upper: Entries
    columns: Entries
    is_turned: list[Atom]  # the exchanges, each of which turns the sign of the determinant
    bad: Atom  # whether a pivot is 0


def eliminate(builder: Builder, entries: Entries, columns: Entries, *, stays_finite: bool = False) -> Elimination:
    """Gauss's elimination; the pivot is the largest entry of what is left of a column, as in LAPACK.

    If it has to stay finite, a column of zeros is left as it is.
    """
    do, n = Arithmetic(builder), len(entries)
    rows = [[*line, *[column[i] for column in columns]] for i, line in enumerate(entries)]
    turned, bad = [], []
    zero = constant(entries[0][0].type.dtype.type(0))
    for k in range(n):
        for i in range(k + 1, n):
            is_larger = do("greater", do("absolute", rows[i][k]), do("absolute", rows[k][k]), dtype=bool)
            turned.append(is_larger)
            for j in range(k, len(rows[k])):
                x, y = rows[k][j], rows[i][j]
                rows[k][j], rows[i][j] = do("where", is_larger, y, x), do("where", is_larger, x, y)
        bad.append(do("equal", rows[k][k], zero, dtype=bool))
        for i in range(k + 1, n):
            factor = do("divide", rows[i][k], rows[k][k])
            if stays_finite:
                factor = do("where", bad[k], zero, factor)
            rows[i][k + 1 :] = [do.less_product(x, factor, y) for x, y in zip(rows[i][k + 1 :], rows[k][k + 1 :], strict=True)]
    upper = [line[:n] for line in rows]
    return Elimination(upper, [[line[n + c] for line in rows] for c in range(len(columns))], turned, do.any(bad))


def substitute(builder: Builder, entries: Entries, columns: Entries, *, lower: bool) -> Entries:
    """The solutions of a triangular system."""
    do, n = Arithmetic(builder), len(entries)
    order = list(range(n)) if lower else list(range(n))[::-1]
    solved = []
    for column in columns:
        x = list(column)
        for place, i in enumerate(order):
            for j in order[:place]:
                x[i] = do.less_product(x[i], entries[i][j], x[j])
            x[i] = do("divide", x[i], entries[i][i])
        solved.append(x)
    return solved


def cholesky_entries(builder: Builder, a: Entries) -> tuple[Entries, Atom]:
    """The lower factor, and whether the matrix is not positive definite."""
    do, n = Arithmetic(builder), len(a)
    zero = constant(a[0][0].type.dtype.type(0))
    l: Entries = [[zero] * n for _ in range(n)]
    bad = []
    for j in range(n):
        pivot = a[j][j]
        for k in range(j):
            pivot = do.less_product(pivot, l[j][k], l[j][k])
        bad.append(do("logical_not", do("greater", pivot, zero, dtype=bool), dtype=bool))
        l[j][j] = do("sqrt", pivot)
        for i in range(j + 1, n):
            x = a[i][j]
            for k in range(j):
                x = do.less_product(x, l[i][k], l[j][k])
            l[i][j] = do("divide", x, l[j][j])
    return l, do.any(bad)


def cofactors(builder: Builder, a: Entries) -> Entries:
    """The adjugate of a matrix of up to three rows: minors, with the signs of a chessboard, of the transpose."""
    do, n = Arithmetic(builder), len(a)
    if n == 1:
        return [[constant(a[0][0].type.dtype.type(1))]]
    if n == 2:
        return [[a[1][1], do("negative", a[0][1])], [do("negative", a[1][0]), a[0][0]]]
    turn = [[a[(i + 1) % 3][(j + 1) % 3] for j in range(3)] for i in range(3)]
    ahead = [[a[(i + 2) % 3][(j + 2) % 3] for j in range(3)] for i in range(3)]
    across = [[a[(i + 1) % 3][(j + 2) % 3] for j in range(3)] for i in range(3)]
    counter = [[a[(i + 2) % 3][(j + 1) % 3] for j in range(3)] for i in range(3)]
    return [[do.less_product(do("multiply", turn[j][i], ahead[j][i]), across[j][i], counter[j][i]) for j in range(3)] for i in range(3)]
