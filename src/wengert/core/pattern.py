"""Sparsity patterns: which outputs may depend on which inputs, as the pairs `(row, column)` of a boolean matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

_WIDEST = 60  # a pattern with more rows or columns is not drawn in text
_FIRST = np.array([True])


class Pattern:
    """A boolean matrix of `shape`, true at the pairs `(rows[k], columns[k])`: sorted by row, then column, each once.

    `P @ Q` is the pattern of a composition (an output depends on an input through something in between), `P | Q` that
    of a sum, `P.T` that of the transpose.

    >>> tridiagonal = Pattern([0, 0, 1, 1, 1, 2, 2], [0, 1, 0, 1, 2, 1, 2], (3, 3))
    >>> print(tridiagonal)
    Pattern of shape (3, 3), 7 entries
    ■ ■ ·
    ■ ■ ■
    · ■ ■
    """

    __slots__ = ("columns", "rows", "shape")

    def __init__(self, rows: Any, columns: Any, shape: tuple[int, int], *, is_sorted: bool = False) -> None:
        self.shape = (int(shape[0]), int(shape[1]))
        rows, columns = np.asarray(rows, np.intp).reshape(-1), np.asarray(columns, np.intp).reshape(-1)
        if not is_sorted:
            keys = np.sort(rows * self.shape[1] + columns)
            if keys.size:
                keys = keys[np.concatenate([_FIRST, keys[1:] != keys[:-1]])]
            rows, columns = np.divmod(keys, max(self.shape[1], 1))
        self.rows, self.columns = rows, columns

    @classmethod
    def identity(cls, n: int) -> Pattern:
        """Each output depends on the input at its own position."""
        here = np.arange(n)
        one = cls(here, here, (n, n), is_sorted=True)
        one.columns = one.rows  # the same array: compositions know it by that
        return one

    @classmethod
    def full(cls, shape: tuple[int, int]) -> Pattern:
        """Every output depends on every input."""
        rows, columns = np.indices(shape).reshape(2, -1)
        return cls(rows, columns, shape, is_sorted=True)

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Pattern:
        """No output depends on any input."""
        return cls((), (), shape, is_sorted=True)

    @classmethod
    def of_positions(cls, positions: Any, n: int) -> Pattern:
        """Output `k` is a copy of input `positions[k]`, of `n`; a negative position means of none."""
        positions = np.asarray(positions).reshape(-1)
        rows = np.flatnonzero(positions >= 0)
        return cls(rows, positions[rows], (positions.size, n), is_sorted=True)

    @classmethod
    def of_array(cls, matrix: Any) -> Pattern:
        """The pattern of the entries of a matrix that are not zero."""
        rows, columns = np.nonzero(matrix)
        return cls(rows, columns, np.shape(matrix), is_sorted=True)

    @property
    def nnz(self) -> int:
        """The number of pairs."""
        return int(self.rows.size)

    @property
    def T(self) -> Pattern:
        """The transpose: inputs and outputs exchanged."""
        return Pattern(self.columns, self.rows, self.shape[::-1])

    def starts(self) -> Any:
        """Where each row begins among the pairs, and the end: the row pointers of compressed sparse rows."""
        return np.searchsorted(self.rows, np.arange(self.shape[0] + 1))

    def __matmul__(self, other: Pattern) -> Pattern:
        shape = (self.shape[0], other.shape[1])
        if self.columns is self.rows and self.nnz == shape[0] == self.shape[1]:
            return other
        if self.nnz == 0 or other.nnz == 0:
            return Pattern.empty(shape)
        starts = other.starts()
        first, counts = starts[self.columns], starts[self.columns + 1] - starts[self.columns]
        rows = np.repeat(self.rows, counts)
        within = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
        is_copy = bool((self.rows[1:] > self.rows[:-1]).all())  # each row is one of the other's, or empty
        return Pattern(rows, other.columns[np.repeat(first, counts) + within], shape, is_sorted=is_copy)

    def __or__(self, other: Pattern) -> Pattern:
        if self.nnz == 0 or other.nnz == 0:
            return other if self.nnz == 0 else self
        rows = np.concatenate([self.rows, other.rows])
        return Pattern(rows, np.concatenate([self.columns, other.columns]), self.shape)

    def block(self, rows: slice, columns: slice) -> Pattern:
        """The part in a range of rows and a range of columns."""
        inside = (self.rows >= rows.start) & (self.rows < rows.stop)
        inside &= (self.columns >= columns.start) & (self.columns < columns.stop)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return Pattern(self.rows[inside] - rows.start, self.columns[inside] - columns.start, shape, is_sorted=True)

    def toarray(self) -> Any:
        """The boolean matrix."""
        matrix = np.zeros(self.shape, bool)
        matrix[self.rows, self.columns] = True
        return matrix

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pattern):
            return NotImplemented
        same = self.shape == other.shape and self.nnz == other.nnz
        return same and bool(np.all(self.rows == other.rows) and np.all(self.columns == other.columns))

    def __hash__(self) -> int:
        return hash((self.shape, self.rows.tobytes(), self.columns.tobytes()))

    def __repr__(self) -> str:
        return f"Pattern of shape {self.shape}, {self.nnz} entries"

    def __str__(self) -> str:
        if max(self.shape) > _WIDEST:
            return repr(self)
        lines = [" ".join("■" if entry else "·" for entry in row) for row in self.toarray()]
        return "\n".join([repr(self), *lines])
