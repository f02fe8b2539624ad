"""Jacobians: push or pull a basis through one linearization, in chunks so that memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.trace import Tracer
from wengert.primitives.structure import move_axis, reshape
from wengert.transforms.batch import batch_call
from wengert.transforms.linearize import Linearization
from wengert.transforms.selection import Selection

CHUNK_ELEMENTS = 2**22  # recorded elements times batch members held at once: 32 MiB of float64


def flat_size(values: Sequence[Any]) -> int:
    """The number of elements in all arrays together."""
    return sum(int(np.prod(v.shape, dtype=int)) for v in values)


def seeds(values: Sequence[Any], start: int, stop: int) -> list[Any]:
    """Rows `start:stop` of the identity on all elements of `values`, cut into arrays of their shapes."""
    cuts, offset = [], 0
    for v in values:
        n = int(np.prod(v.shape, dtype=int))
        block = np.zeros((stop - start, n), v.dtype)
        rows = np.arange(max(start, offset), min(stop, offset + n))
        block[rows - start, rows - offset] = 1
        cuts.append(block.reshape(stop - start, *v.shape))
        offset += n
    return cuts


def dense_rows(
    apply: Callable[[Sequence[Any]], list[Any]],
    basis: Sequence[Any],
    results: Sequence[Any],
    chunk: int,
) -> list[Any]:
    """Apply a linear map to every unit vector of `basis`; arrays `[n, *result.shape]`, one for each result."""
    n = flat_size(basis)
    parts: list[list[Any]] = [[] for _ in results]
    for start in range(0, n, chunk):
        stop = min(n, start + chunk)

        def member(*vectors: Any) -> list[Any]:
            found = apply(vectors)
            return [np.zeros(tuple(r.shape), r.dtype) if y is None else y for y, r in zip(found, results, strict=True)]

        outs = batch_call(member, seeds(basis, start, stop), [0] * len(basis), stop - start)
        for part, out in zip(parts, outs, strict=True):
            part.append(out)
    empty = [np.zeros((0, *r.shape), r.dtype) for r in results]
    return [_joined(part, none) for part, none in zip(parts, empty, strict=True)]


def _joined(parts: list[Any], none: Any) -> Any:
    if not parts:
        return none
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=0)


def chunk_size(linear: Linearization, n: int, chunk: int | None) -> int:
    """How many basis vectors to carry at once."""
    if chunk is not None:
        return max(1, chunk)
    return max(1, min(n, CHUNK_ELEMENTS // linear.n_elements()))


def jacobian_blocks(linear: Linearization, mode: str | None, chunk: int | None) -> list[list[Any]]:
    """`blocks[output][input]` of shape `output.shape + input.shape`."""
    xs, ys = linear.inputs, linear.values
    n, m = flat_size(xs), flat_size(ys)
    if mode is None:
        mode = "forward" if n <= m else "reverse"
    if mode == "forward":
        columns = dense_rows(linear.push, xs, ys, chunk_size(linear, n, chunk))
        return [_split(move_axis(c, 0, -1), c.shape[1:], xs, axis=-1) for c in columns]
    if mode != "reverse":
        msg = f'mode is {mode!r}; write mode="forward", mode="reverse", or leave it out to choose by shape'
        raise ValueError(msg)
    rows = dense_rows(linear.pull, ys, xs, chunk_size(linear, m, chunk))
    rows = [np.conjugate(r) if r.dtype.kind == "c" else r for r in rows]
    by_input = [_split(r, x.shape, ys, axis=0) for r, x in zip(rows, xs, strict=True)]
    return [[by_input[k][j] for k in range(len(xs))] for j in range(len(ys))]


def _split(stacked: Any, shape: Sequence[int], parts: Sequence[Any], axis: int) -> list[Any]:
    """Cut the basis axis of a block row into the parts it stands for, and give it their shapes."""
    cuts, offset = [], 0
    for part in parts:
        size = int(np.prod(part.shape, dtype=int))
        piece = stacked[..., offset : offset + size] if axis == -1 else stacked[offset : offset + size]
        full = (*shape, *part.shape) if axis == -1 else (*part.shape, *shape)
        piece = reshape(piece, shape=full)
        if not isinstance(piece, Tracer):
            piece = np.ascontiguousarray(piece).reshape(full)
        cuts.append(piece.astype(part.dtype) if axis == -1 and part.dtype.kind != "c" and piece.dtype.kind == "c" else piece)
        offset += size
    return cuts


def jacobian_of(selection: Selection, mode: str | None, chunk: int | None) -> Any:
    """The Jacobian as a container: the structure of the output, and in each leaf that of the inputs."""
    linear = Linearization(selection.flat, selection.primals, selection.label)
    blocks = jacobian_blocks(linear, mode, chunk)
    rows = [trees.unflatten(selection.structure, row) for row in blocks]
    return trees.unflatten(selection.out_structure, rows), linear
