"""Jacobians: push or pull a basis through one linearization, in chunks so that memory is bounded.

For real numbers the Jacobian is the matrix of partial derivatives.  For a complex input `z = x + iy` it is the
row `∂f/∂x - i ∂f/∂y` of a real output, whose conjugate is the gradient, and the complex derivative of a complex
output, which must be holomorphic.  Both modes give the same matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.array import Array
from wengert.core.trace import Tracer, peek
from wengert.errors import ArgumentError, HolomorphicError, page
from wengert.primitives.structure import cast, move_axis, real, reshape
from wengert.transforms.batch import batch_call
from wengert.transforms.linearize import Linearization, finish, is_inexact
from wengert.transforms.selection import Selection, location_of

Apply = Callable[[Sequence[Any]], list[Any]]
CHUNK_ELEMENTS = 2**22  # recorded elements times batch members held at once: 32 MiB of float64


def size_of(value: Any) -> int:
    """The number of elements of an array, plain or traced."""
    return int(np.prod(tuple(value.shape), dtype=int))


def flat_size(values: Sequence[Any]) -> int:
    """The number of elements in all arrays together."""
    return sum(map(size_of, values))


def is_complex(x: Any) -> bool:
    """Whether the numbers of `x` are complex."""
    return bool(x.dtype.kind == "c")


# --- the complex matrix that a linear map stands for -------------------------------------------------------------------


def matrix_action(apply: Apply, domain: Sequence[Any], target: Sequence[Any]) -> Apply:
    """`v ↦ K v` for the complex matrix `K` of a linear map that takes and gives real numbers where primals are real.

    Where the target is real and the domain complex the map gives `Re(K v)`, and `K v = Re(K v) - i Re(K iv)`.
    Where the domain is real and `v` complex, the real and the imaginary part are mapped one after the other.
    """
    is_extended = any(map(is_complex, domain)) and not all(map(is_complex, target))

    def extended(vectors: Sequence[Any]) -> list[Any]:
        results = [finish(y, like) for y, like in zip(apply(vectors), target, strict=True)]
        if not is_extended:
            return results
        turned = apply([1j * v if is_complex(like) else np.zeros_like(v) for v, like in zip(vectors, domain, strict=True)])
        return [y if is_complex(like) else y - 1j * finish(q, like)
                for y, q, like in zip(results, turned, target, strict=True)]  # fmt: skip

    def act(vectors: Sequence[Any]) -> list[Any]:
        split = [is_complex(v) and not is_complex(like) for v, like in zip(vectors, domain, strict=True)]
        if not any(split):
            return extended(vectors)
        first = extended([np.real(v) if s else v for v, s in zip(vectors, split, strict=True)])
        second = extended([np.imag(v) if s else np.zeros_like(v) for v, s in zip(vectors, split, strict=True)])
        return [a + 1j * b for a, b in zip(first, second, strict=True)]

    return act


def require_holomorphic(linear: Linearization, function: Callable[..., Any]) -> None:
    """Raise `HolomorphicError` where a complex output is not complex-linear in the complex inputs.

    One random direction tells: `J(iv) = i J(v)` for a complex-linear map, and almost never for another.
    """
    if not (any(map(is_complex, linear.inputs)) and any(map(is_complex, linear.values))):
        return
    random = np.random.default_rng(0)
    directions = [_random_direction(random, x) for x in linear.inputs]
    straight = linear.push(directions)
    turned = linear.push([1j * v if is_complex(v) else v for v in directions])
    for y, p, q in zip(linear.values, straight, turned, strict=True):
        if not is_complex(y) or p is None or q is None:
            continue
        if peek(_is_turned_otherwise, p, q):
            raise HolomorphicError(
                page(
                    f"{location_of(function)} is not complex-differentiable here, so one complex matrix is not its derivative.",
                    "The derivative along i v is not i times that along v: abs, real, imag or conj is at work.",
                    "wg.wirtinger(f)   # both derivatives; or the function of x and y, with z = x + 1j * y",
                    "holomorphic",
                )
            )


def _is_turned_otherwise(p: Any, q: Any) -> Any:
    """Whether `q` is not `i p`, up to rounding."""
    scale = np.max(np.abs(p), initial=0) + np.max(np.abs(q), initial=0)
    return np.any(np.abs(q - 1j * p) > np.sqrt(np.finfo(p.dtype).eps) * scale)


def _random_direction(random: np.random.Generator, x: Any) -> Any:
    if not is_complex(x):
        return np.zeros(tuple(x.shape), x.dtype)
    v = random.standard_normal(tuple(x.shape)) + 1j * random.standard_normal(tuple(x.shape))
    return np.asarray(v, x.dtype)


# --- all columns or rows -------------------------------------------------------------------------------------------------


def seeds(values: Sequence[Any], start: int, stop: int) -> list[Any]:
    """Rows `start:stop` of the identity on all elements of `values`, cut into arrays of their shapes."""
    pieces, offset = [], 0
    for v in values:
        n = size_of(v)
        block = np.zeros((stop - start, n), v.dtype if is_inexact(v) else float)
        rows = np.arange(max(start, offset), min(stop, offset + n))
        block[rows - start, rows - offset] = 1
        pieces.append(block.reshape(stop - start, *v.shape))
        offset += n
    return pieces


class Stack:
    """An array `[*shape, n]` or `[n, *shape]` that is filled chunk by chunk; traced chunks are joined at the end."""

    def __init__(self, n: int, at_end: bool) -> None:
        self.n, self.axis = n, -1 if at_end else 0
        self.whole: Any = None
        self.parts: list[Any] = []

    def add(self, start: int, chunk: Any) -> None:
        """Take the results of the basis vectors from `start` on, which `chunk` has in front."""
        n_rows = chunk.shape[0]
        chunk = move_axis(chunk, 0, -1) if self.axis else chunk
        if isinstance(chunk, Tracer) or self.parts:
            self.parts.append(chunk)
            return
        if self.whole is None:
            shape = (*chunk.shape[:-1], self.n) if self.axis else (self.n, *chunk.shape[1:])
            self.whole = np.empty(shape, chunk.dtype)
        place = (Ellipsis, slice(start, start + n_rows)) if self.axis else slice(start, start + n_rows)
        self.whole[place] = chunk

    def array(self) -> Any:
        """The stacked results."""
        if not self.parts:
            return self.whole
        return self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts, axis=self.axis)


def apply_to_basis(apply: Apply, basis: Sequence[Any], n_results: int, chunk: int, *, at_end: bool) -> list[Any]:
    """Apply a linear map to every unit vector of `basis`: arrays `[*result.shape, n]` (`at_end`) or `[n, *result.shape]`."""
    n = flat_size(basis)
    stacks = [Stack(n, at_end) for _ in range(n_results)]
    for start in range(0, n, chunk):
        stop = min(n, start + chunk)
        outs = batch_call(lambda *vectors: apply(vectors), seeds(basis, start, stop), [0] * len(basis), stop - start)
        for stack, out in zip(stacks, outs, strict=True):
            stack.add(start, out)
    return [stack.array() for stack in stacks]


def chunk_size(linear: Linearization, chunk: int | None) -> int:
    """How many basis vectors to carry at once."""
    if chunk is not None:
        return max(1, chunk)
    held = linear.n_elements() + flat_size(linear.inputs) + flat_size(linear.values)
    return max(1, CHUNK_ELEMENTS // max(1, held))


def is_forward(linear: Linearization, mode: str | None) -> bool:
    """Whether to push the columns or to pull the rows: fewer passes, unless the user chose."""
    if mode is None:
        return flat_size(linear.inputs) <= flat_size(linear.values)
    if mode not in ("forward", "reverse"):
        raise ArgumentError(
            page(
                f"there is no mode {mode!r}.",
                "A Jacobian is found column by column (forward) or row by row (reverse).",
                'mode="forward"   # or "reverse", or no mode, to choose by shape',
                "argument",
            )
        )
    return mode == "forward"


Blocks = list[list[Any]]


def jacobian_blocks(linear: Linearization, mode: str | None, chunk: int | None) -> Blocks:
    """`blocks[output][input]` of shape `output.shape + input.shape`."""
    xs, ys = linear.inputs, linear.values
    forward = is_forward(linear, mode)
    if not (flat_size(xs) and flat_size(ys)):
        return [[_as_block(np.zeros((*y.shape, *x.shape)), y, x) for x in xs] for y in ys]
    if forward:
        columns = apply_to_basis(matrix_action(linear.push, xs, ys), xs, len(ys), chunk_size(linear, chunk), at_end=True)
        return cut_columns(columns, xs, ys)
    rows = apply_to_basis(matrix_action(linear.pull, ys, xs), ys, len(xs), chunk_size(linear, chunk), at_end=False)
    return cut_rows([np.conjugate(r) if is_complex(r) else r for r in rows], xs, ys)


def cut_columns(columns: Sequence[Any], xs: Sequence[Any], ys: Sequence[Any]) -> Blocks:
    """The blocks of `[*y.shape, n]` for each output."""
    blocks: Blocks = []
    for y, stacked in zip(ys, columns, strict=True):
        ends = np.cumsum([0, *map(size_of, xs)])
        blocks.append([_as_block(stacked[..., a:b], y, x) for x, a, b in zip(xs, ends, ends[1:], strict=False)])
    return blocks


def cut_rows(rows: Sequence[Any], xs: Sequence[Any], ys: Sequence[Any]) -> Blocks:
    """The blocks of `[n, *x.shape]` for each input."""
    ends = np.cumsum([0, *map(size_of, ys)])
    return [[_as_block(stacked[a:b], y, x) for x, stacked in zip(xs, rows, strict=True)]
            for y, a, b in zip(ys, ends, ends[1:], strict=False)]  # fmt: skip


def _as_block(piece: Any, y: Any, x: Any) -> Any:
    """One block with its own shape, dtype and memory: the dtype is the input's, complex if either end is."""
    dtype = np.result_type(x.dtype, np.complex64) if is_complex(x) or is_complex(y) else x.dtype
    if is_complex(piece) and dtype.kind != "c":
        piece = real(piece)
    if piece.dtype != dtype:
        piece = cast(piece, dtype=dtype)
    shape = (*y.shape, *x.shape)
    block = reshape(piece, shape=shape) if isinstance(piece, Tracer) else np.ascontiguousarray(piece).reshape(shape)
    is_number = x.is_scalar if isinstance(x, Array) else isinstance(x, np.generic)
    return block[()] if is_number and not shape else block


def as_container(selection: Selection, blocks: Blocks) -> Any:
    """The structure of the output, and in each leaf that of the inputs."""
    return trees.unflatten(selection.out_structure, [selection.container(row) for row in blocks])


def jacobian_of(selection: Selection, mode: str | None, chunk: int | None) -> tuple[Any, Linearization]:
    """The Jacobian as a container, and the linearization that it was read from."""
    linear = Linearization(selection.flat, selection.primals, selection.label)
    require_holomorphic(linear, selection.function)
    return as_container(selection, jacobian_blocks(linear, mode, chunk)), linear


# --- Wirtinger derivatives --------------------------------------------------------------------------------------------------


def wirtinger_of(selection: Selection) -> tuple[Any, Any]:
    """`(∂f/∂z, ∂f/∂z̄)` as containers; real inputs are taken as complex ones."""
    selection.primals = [x if is_complex(x) else cast(x, dtype=np.result_type(x.dtype, np.complex64)) for x in selection.primals]
    linear = Linearization(selection.flat, selection.primals, selection.label)
    by_z, by_conjugate = _wirtinger_blocks(linear)
    return as_container(selection, by_z), as_container(selection, by_conjugate)


def _wirtinger_blocks(linear: Linearization) -> tuple[Blocks, Blocks]:
    """`df = A dz + B dz̄`: forward `A + B` and `i(A - B)` are found, in reverse `A + B̄` and `i(B̄ - A)`."""
    xs, ys, chunk = linear.inputs, linear.values, chunk_size(linear, None)
    forward = is_forward(linear, None)
    apply, domain, target = (linear.push, xs, ys) if forward else (linear.pull, ys, xs)

    def along(unit: complex) -> Blocks:
        def act(vectors: Sequence[Any]) -> list[Any]:
            turned = [unit * v if is_complex(like) or unit == 1 else np.zeros_like(v) for v, like in zip(vectors, domain, strict=True)]
            return [finish(out, like) for out, like in zip(apply(turned), target, strict=True)]

        found = apply_to_basis(act, domain, len(target), chunk, at_end=forward)
        return cut_columns(found, xs, ys) if forward else cut_rows([np.conjugate(r) for r in found], xs, ys)

    by_z: Blocks = []
    by_conjugate: Blocks = []
    for straight_row, turned_row in zip(along(1), along(1j), strict=True):
        sign = -1j if forward else 1j
        a = [(p + sign * q) / 2 for p, q in zip(straight_row, turned_row, strict=True)]
        by_z.append(a)
        by_conjugate.append([p - b if forward else np.conjugate(p - b) for p, b in zip(straight_row, a, strict=True)])
    return by_z, by_conjugate
