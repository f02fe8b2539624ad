"""Colouring: columns of a sparse matrix that can be evaluated together because no entry is met by two of them.

Columns of one colour are added up into one direction; one forward pass along it gives all their entries.  Source:
A. R. Curtis, M. J. D. Powell and J. K. Reid, On the estimation of sparse Jacobian matrices (1974); A. H. Gebremedhin,
F. Manne and A. Pothen, What color is your Jacobian? (SIAM Review 47, 2005).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.pattern import Pattern


@lru_cache(maxsize=64)
def colour_columns(pattern: Pattern) -> Any:
    """A colour for each column such that no row has two entries in columns of one colour; as few as greed finds.

    Columns with many neighbours come first.
    """
    across = pattern.T  # the rows of each column
    row_starts, column_starts = pattern.starts(), across.starts()
    n, n_colours = pattern.shape[1], 0
    crowding = np.bincount(pattern.columns, np.diff(row_starts)[pattern.rows], n)
    colours = np.full(n, -1)
    last_met = np.full(n + 1, -1)  # the column in whose rows a colour was last met; the last place is for no colour
    for column in np.argsort(-crowding, kind="stable"):
        for row in across.columns[column_starts[column] : column_starts[column + 1]]:
            last_met[colours[pattern.columns[row_starts[row] : row_starts[row + 1]]]] = column
        colours[column] = int(np.argmax(last_met[: n_colours + 1] != column))
        n_colours = max(n_colours, colours[column] + 1)
    return colours


@lru_cache(maxsize=64)
def colour_symmetric(pattern: Pattern) -> Any:
    """A star colouring of a symmetric pattern: every entry `(i, j)` can be read off at row `i` or at row `j`.

    Neighbours differ, and no path of four has only two colours; the arrow matrix needs two colours, not `n`.
    """
    starts = pattern.starts()
    neighbours = [
        [int(j) for j in pattern.columns[starts[i] : starts[i + 1]] if j != i] for i in range(pattern.shape[0])
    ]
    colours = [-1] * len(neighbours)
    for v in sorted(range(len(neighbours)), key=lambda i: -len(neighbours[i])):
        taken = set()
        for w in neighbours[v]:
            if colours[w] >= 0:
                taken.add(colours[w])
            for x in neighbours[w]:
                if x == v or colours[x] < 0:
                    continue
                if colours[w] < 0 or any(y != w and colours[y] == colours[w] for y in neighbours[x]):
                    taken.add(colours[x])
        colours[v] = next(c for c in range(len(neighbours) + 1) if c not in taken)
    return np.array(colours, int)


def seeds_of(colours: Any) -> Any:
    """The matrix `[n colours, n columns]` whose row `c` is 1 at the columns of colour `c`."""
    n_colours = int(colours.max(initial=-1)) + 1
    return (np.arange(n_colours)[:, None] == colours).astype(float)


def read_rows(pattern: Pattern, colours: Any, compressed: Any) -> Any:
    """The entries of the matrix at the pairs of the pattern, from `compressed[c] = matrix @ seeds[c]`."""
    return compressed[colours[pattern.columns], pattern.rows]


def read_symmetric(pattern: Pattern, colours: Any, compressed: Any) -> Any:
    """The same for a star colouring: at `(i, j)` from row `i` where colour of `j` is met once in it, else from row `j`."""
    n_colours = compressed.shape[0]
    met = np.zeros((pattern.shape[0], n_colours), int)
    np.add.at(met, (pattern.rows, colours[pattern.columns]), 1)
    direct = met[pattern.rows, colours[pattern.columns]] == 1
    row = np.where(direct, pattern.rows, pattern.columns)
    colour = np.where(direct, colours[pattern.columns], colours[pattern.rows])
    return compressed[colour, row]
