"""Sparse Jacobians and Hessians: find the pattern, colour it, carry one direction a colour, read the entries off.

The number of passes is that of the colours and not of the inputs: 3 for a tridiagonal matrix of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert import _optional, trees
from wengert.core.pattern import Pattern
from wengert.core.trace import Tracer
from wengert.errors import ArgumentError, LostDerivativeError, page
from wengert.transforms.batch import batch_call
from wengert.transforms.colouring import colour_columns, colour_symmetric, read_rows, read_symmetric, seeds_of
from wengert.transforms.jacobian import Apply, chunk_size, matrix_action, require_holomorphic, size_of
from wengert.transforms.linearize import Linearization
from wengert.transforms.selection import Selection
from wengert.transforms.sparsity import pattern_of


def pattern_blocks(selection: Selection) -> Any:
    """The pattern of each block, in the structure of the output and in each leaf that of the inputs."""
    whole, values = pattern_of(selection.flat, selection.primals)
    return _as_blocks(selection, selection.primals, values, lambda rows, columns: whole.block(rows, columns))


def sparse_jacobian_of(
    selection: Selection, mode: str | None, chunk: int | None, known: Pattern | None, *, is_symmetric: bool = False
) -> tuple[Any, Linearization]:
    """The Jacobian as `scipy.sparse.csr_array`s in a container, and the linearization that it was read from."""
    sparse = _optional.load("scipy.sparse", "a sparse Jacobian", "scipy")
    pattern = pattern_of(selection.flat, selection.primals)[0] if known is None else known
    linear = Linearization(selection.flat, selection.primals, selection.label)
    require_holomorphic(linear, selection.function)
    xs, ys = linear.inputs, linear.values
    shape = (sum(map(size_of, ys)), sum(map(size_of, xs)))
    if pattern.shape != shape:
        raise ArgumentError(
            page(
                f"the pattern has shape {pattern.shape}, and the Jacobian {shape}.",
                "A pattern has a row for each element of the output, and a column for each of the inputs.",
                "wg.sparsity(f)(x) for the pattern of this very function; sparse=True to have it found",
                "argument",
            )
        )
    entries = _entries(linear, pattern, mode, chunk_size(linear, chunk), is_symmetric=is_symmetric)
    if isinstance(entries, Tracer):
        raise LostDerivativeError(
            page(
                "a sparse Jacobian was made of traced values.",
                "A matrix of SciPy holds plain numbers, and the derivative of its entries would be lost.",
                "sparse=False inside a function that is differentiated; or the sparse Jacobian of the derivative",
                "lost-derivative",
            )
        )
    whole = sparse.csr_array((entries, pattern.columns, pattern.starts()), shape=shape)
    return _as_blocks(selection, xs, ys, lambda rows, columns: whole[rows, columns]), linear


def _entries(linear: Linearization, pattern: Pattern, mode: str | None, chunk: int, *, is_symmetric: bool) -> Any:
    """The entries at the pairs of the pattern, by whichever direction needs fewer colours."""
    xs, ys = linear.inputs, linear.values
    dtype = np.result_type(*[v.dtype for v in [*xs, *ys]])
    if pattern.nnz == 0:
        return np.zeros(0, dtype)
    if is_symmetric:
        colours = colour_symmetric(pattern)
        return read_symmetric(pattern, colours, _compress(matrix_action(linear.push, xs, ys), xs, colours, chunk))
    by_columns = None if mode == "reverse" else colour_columns(pattern)
    by_rows = None if mode == "forward" else colour_columns(pattern.T)
    if by_rows is None or (by_columns is not None and by_columns.max() <= by_rows.max()):
        return read_rows(pattern, by_columns, _compress(matrix_action(linear.push, xs, ys), xs, by_columns, chunk))
    compressed = np.conjugate(_compress(matrix_action(linear.pull, ys, xs), ys, by_rows, chunk))
    return compressed[by_rows[pattern.rows], pattern.columns]


def _compress(apply: Apply, domain: Sequence[Any], colours: Any, chunk: int) -> Any:
    """`[n colours, all results end to end]`: the linear map at the sum of the unit vectors of each colour."""
    seeds = seeds_of(colours)
    ends = np.cumsum([0, *map(size_of, domain)])
    pieces = []
    for start in range(0, len(seeds), chunk):
        rows = seeds[start : start + chunk]
        vectors = [
            rows[:, a:b].reshape(len(rows), *v.shape).astype(v.dtype)
            for v, a, b in zip(domain, ends, ends[1:], strict=False)
        ]
        found = batch_call(lambda *vs: apply(vs), vectors, [0] * len(vectors), len(rows))
        pieces.append(np.concatenate([np.reshape(y, (len(rows), -1)) for y in found], axis=1))
    return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]


def _as_blocks(selection: Selection, xs: Sequence[Any], ys: Sequence[Any], cut: Any) -> Any:
    """What `cut(rows, columns)` gives for each output and each input, in their containers."""
    rows, columns = (_slices(values) for values in (ys, xs))
    blocks = [selection.container([cut(r, c) for c in columns]) for r in rows]
    return trees.unflatten(selection.out_structure, blocks)


def _slices(values: Sequence[Any]) -> list[slice]:
    ends = np.cumsum([0, *map(size_of, values)])
    return [slice(int(a), int(b)) for a, b in zip(ends, ends[1:], strict=False)]
