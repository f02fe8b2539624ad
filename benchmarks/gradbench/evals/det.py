"""The determinant by expansion along the first row, again and again.

The minors of the last m rows are told apart by their columns: there are `n over m` of them, and each is needed by many of the next
size.  All of one size are computed at once from all of the size before, and none twice.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from evals.function import Function

import wengert as wg


@cache
def minors(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """For each choice of m of n columns: the columns, and which minor of size m - 1 is left without each of them."""
    place = {columns: k for k, columns in enumerate(combinations(range(n), m - 1))}
    chosen = list(combinations(range(n), m))
    rest = [[place[columns[:j] + columns[j + 1 :]] for j in range(m)] for columns in chosen]
    return np.array(chosen), np.array(rest)


def determinant(a):
    n = len(a)
    found = a[-1]
    for m in range(2, n + 1):
        columns, rest = minors(n, m)
        signs = np.where(np.arange(m) % 2 == 0, 1.0, -1.0)
        found = np.sum(signs * a[n - m, columns] * found[rest], axis=1)
    return found[0]


def prepare(data):
    return (np.array(data["A"]).reshape(data["ell"], data["ell"]),)


FUNCTIONS = {
    "primal": Function(prepare, wg.jit(determinant)),
    "gradient": Function(prepare, wg.jit(wg.grad(determinant)), lambda slope: slope.ravel().tolist()),
}
