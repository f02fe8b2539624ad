"""Other shapes of the same entries, and parts of them; what PyTorch calls a view is one: writing into it writes into its base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.primitives.index import as_view, assign
from wengert.primitives.shaping import inverse_of, shares_memory
from wengert.primitives.structure import permute as permuted
from wengert.primitives.structure import reshape as reshaped
from wengert.tensor.axes import axis_of
from wengert.tensor.dtypes import promoted
from wengert.tensor.traced import Tensor, as_dtype, method, operand


def _lengths(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """`x.view(2, 3)` and `x.view((2, 3))` mean the same."""
    first = shape[0] if len(shape) == 1 else None
    return tuple(map(int, first if isinstance(first, Sequence) else shape))


def _completed(x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with its one length of -1 worked out."""
    n = math.prod(x.shape)
    if -1 in shape:
        rest = -math.prod(shape)
        shape = tuple([n // rest if k == -1 and rest else k for k in shape])
    if math.prod(shape) != n or -1 in shape:
        msg = f"shape '{list(shape)}' is invalid for input of size {n}"
        raise ValueError(msg)
    return shape


def reshape(input: Any, *shape: Any) -> Any:
    """The same entries under another shape; a view, where the order in memory allows it."""
    x = input if type(input) is Tensor else operand(input)
    wanted = _completed(x, _lengths(shape))
    old = x.shape
    result = reshaped(x, shape=wanted)
    if type(x) is not Tensor or not shares_memory(result, x):
        return result
    return as_view(result, x, lambda base: reshaped(base, shape=wanted), lambda base, new: reshaped(new, shape=old))


@method()
def view(self: Any, *shape: Any) -> Any:
    """The same memory under another shape, or under another dtype."""
    if len(shape) == 1 and not isinstance(shape[0], (int, Sequence)):
        return super(Tensor, self).view(shape[0])
    result = reshape(self, *shape)
    if self.value.size and self.value.ndim and result.value.ndim and not shares_memory(result, self):
        msg = "view size is not compatible with input tensor's size and stride: use reshape(...), which may copy"
        raise ValueError(msg)
    return result


def permute(input: Any, *dims: Any) -> Any:
    """The axes in another order."""
    order = tuple([axis_of(k, len(input.shape)) for k in _lengths(dims)])
    return _permuted(input, order)


def _permuted(x: Any, order: tuple[int, ...]) -> Any:
    if sorted(order) != list(range(len(x.shape))):
        msg = f"permute: {list(order)} is no order of {len(x.shape)} axes"
        raise ValueError(msg)
    axes = tuple([k - len(order) for k in order])
    back = tuple([k - len(order) for k in inverse_of(order)])
    result = permuted(x, axes=axes)
    return as_view(result, x, lambda base: permuted(base, axes=axes), lambda base, new: permuted(new, axes=back))


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Two axes exchanged."""
    rank = len(input.shape)
    order = list(range(rank))
    if rank:
        a, b = axis_of(dim0, rank), axis_of(dim1, rank)
        order[a], order[b] = b, a
    return _permuted(input, tuple(order))


swapaxes = swapdims = transpose


def t(input: Any) -> Any:
    """A matrix with rows and columns exchanged."""
    if len(input.shape) > 2:
        msg = f"t() expects a tensor with at most 2 axes, and it has {len(input.shape)}"
        raise ValueError(msg)
    return transpose(input, 0, -1) if len(input.shape) == 2 else _permuted(input, tuple(range(len(input.shape))))


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Axes in other places, the others in their order."""
    return np.moveaxis(input, source, destination)


moveaxis = movedim


def _viewed_as(x: Any, shape: tuple[int, ...]) -> Any:
    """A view of a shape that differs by axes of length 1."""
    old = x.shape
    result = reshaped(x, shape=shape)
    return as_view(result, x, lambda base: reshaped(base, shape=shape), lambda base, new: reshaped(new, shape=old))


def squeeze(input: Any, dim: Any = None) -> Any:
    """Without axes of length 1: all of them, or those named."""
    rank = len(input.shape)
    named = range(rank) if dim is None else [axis_of(k, rank) for k in ((dim,) if isinstance(dim, int) else dim)]
    return _viewed_as(input, tuple([n for k, n in enumerate(input.shape) if k not in named or n != 1]))


def unsqueeze(input: Any, dim: int) -> Any:
    """One more axis, of length 1."""
    k = axis_of(dim, len(input.shape) + 1)
    return _viewed_as(input, (*input.shape[:k], 1, *input.shape[k:]))


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Neighbouring axes as one."""
    rank = len(input.shape)
    first, last = axis_of(start_dim, rank), axis_of(end_dim, rank)
    return reshape(input, (*input.shape[:first], math.prod(input.shape[first : last + 1]), *input.shape[last + 1 :]))


def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """One axis as several."""
    k = axis_of(dim, len(input.shape))
    rest = -math.prod(sizes)
    sizes = [input.shape[k] // rest if n == -1 else n for n in sizes]
    return reshape(input, (*input.shape[:k], *sizes, *input.shape[k + 1 :]))


def ravel(input: Any) -> Any:
    """All entries as a vector."""
    return reshape(input, (-1,))


@method()
def expand(self: Any, *sizes: Any) -> Any:
    """Axes of length 1 repeated without copying, and new axes in front; -1 keeps a length."""
    wanted = _lengths(sizes)
    extra = len(wanted) - len(self.shape)
    return np.broadcast_to(self, tuple([self.shape[k - extra] if n == -1 else n for k, n in enumerate(wanted)]))


def broadcast_to(input: Any, shape: Any) -> Any:
    """Axes of length 1 repeated, and new ones in front."""
    return expand(input, *_lengths((shape,)))


@method()
def repeat(self: Any, *sizes: Any) -> Any:
    """Whole copies side by side along each axis (NumPy's `tile`)."""
    wanted = _lengths(sizes)
    return FRONT[np.tile](self, wanted)


def tile(input: Any, dims: Any) -> Any:
    """Whole copies side by side; axes that are not named stay."""
    return FRONT[np.tile](input, tuple(dims))


def repeat_interleave(input: Any, repeats: Any, dim: int | None = None) -> Any:
    """Each entry several times in a row."""
    counts = repeats.numpy() if isinstance(repeats, Tensor) else repeats
    return FRONT[np.repeat](input, counts, dim)


# --- parts -------------------------------------------------------------------------------------------------------------------


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """Some neighbouring entries along an axis."""
    k = axis_of(dim, len(input.shape))
    return input[(slice(None),) * k + (slice(start, start + length),)]


def select(input: Any, dim: int, index: int) -> Any:
    """The entries at one place of an axis, which goes."""
    return input[(slice(None),) * axis_of(dim, len(input.shape)) + (int(index),)]


def split(input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of a given length along an axis, or of several given ones."""
    n = input.shape[dim]
    sizes = split_size_or_sections
    if isinstance(sizes, int):
        sizes = [min(sizes, n - k) for k in range(0, n, sizes)] or [0]
    elif sum(sizes) != n:
        msg = f"split: the lengths {list(sizes)} do not sum to {n}, that of axis {dim}"
        raise ValueError(msg)
    ends = np.cumsum([0, *sizes]).tolist()
    return tuple([narrow(input, dim, start, stop - start) for start, stop in zip(ends, ends[1:], strict=False)])


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """So many parts along an axis, all but the last of the same length."""
    return split(input, max(1, -(-input.shape[dim] // chunks)), dim)


def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts along an axis, as equal as may be, or cut at given places."""
    return tuple(FRONT[np.array_split](input, indices_or_sections, dim))


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The entries along an axis one by one."""
    return tuple([select(input, dim, k) for k in range(input.shape[dim])])


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonals of matrices, a view."""
    n = min(input.shape[dim1] + min(offset, 0), input.shape[dim2] - max(offset, 0))
    rows, columns = np.arange(n) - min(offset, 0), np.arange(n) + max(offset, 0)

    def put(base: Any, new: Any) -> Any:
        front = np.moveaxis(base, (dim1, dim2), (0, 1))
        written = assign(front, np.moveaxis(new, -1, 0), rows, columns, layout=("array", "array"))
        return np.moveaxis(written, (0, 1), (dim1, dim2))

    def take(base: Any) -> Any:
        return diagonals(base, offset, dim1, dim2)

    return as_view(take(input), input, take, put)


def diagonals(x: Any, offset: int, dim1: int, dim2: int) -> Any:
    """What NumPy's `diagonal` gives, which nobody may write into."""
    result = FRONT[np.diagonal](x, offset, dim1, dim2)
    return Tensor(result.value, result.watcher, result.extra) if type(result) is Tensor else result


def diag(input: Any, diagonal: int = 0) -> Any:
    """A matrix with this diagonal, or the diagonal of a matrix."""
    return FRONT[np.diag](input, diagonal)


def tril(input: Any, diagonal: int = 0) -> Any:
    """What is on and below a diagonal, zeros above."""
    return FRONT[np.tril](input, diagonal)


def triu(input: Any, diagonal: int = 0) -> Any:
    """What is on and above a diagonal, zeros below."""
    return FRONT[np.triu](input, diagonal)


def flip(input: Any, dims: Any) -> Any:
    """Axes in the reverse order."""
    return FRONT[np.flip](input, dims if isinstance(dims, int) else tuple(dims))


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Entries moved on along axes, around the end."""
    return FRONT[np.roll](input, shifts, dims)


# --- together --------------------------------------------------------------------------------------------------------------------


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors one behind the other along an axis."""
    return FRONT[np.concatenate](_alike(tensors), dim)


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors along a new axis."""
    return FRONT[np.stack](_alike(tensors), dim)


def hstack(tensors: Sequence[Any]) -> Any:
    """Tensors side by side."""
    return FRONT[np.hstack](_alike(tensors))


def vstack(tensors: Sequence[Any]) -> Any:
    """Tensors one above the other."""
    return FRONT[np.vstack](_alike(tensors))


concat = concatenate = cat


def _alike(tensors: Sequence[Any]) -> list[Any]:
    found = list(map(operand, tensors))
    if len({x.dtype for x in found}) == 1:
        return found
    kind = found[0].dtype
    for x in found[1:]:
        kind = promoted(kind, x.dtype)
    return [as_dtype(x, kind) for x in found]


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """The coordinates of a grid."""
    return tuple(FRONT[np.meshgrid](*tensors, indexing=indexing))


def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """Tensors repeated to their common shape."""
    return tuple(FRONT[np.broadcast_arrays](*tensors))


for _name in ["reshape", "permute", "transpose", "swapaxes", "swapdims", "t", "movedim", "moveaxis", "squeeze", "unsqueeze", "flatten", "unflatten", "ravel", "broadcast_to", "tile", "repeat_interleave", "narrow", "select", "split", "chunk", "tensor_split", "unbind", "diagonal", "diag", "tril", "triu", "flip", "roll"]:
    method(_name)(globals()[_name])
for _name, _get in (
    ("T", lambda self: _permuted(self, tuple(range(len(self.shape)))[::-1])),
    ("mT", lambda self: transpose(self, -2, -1)),
    ("H", lambda self: FRONT[np.conjugate](transpose(self, -2, -1))),
):
    method(_name)(property(_get))


@method()
def view_as(self: Any, other: Any) -> Any:
    """A view of the shape of another tensor."""
    return view(self, *other.shape)


@method()
def reshape_as(self: Any, other: Any) -> Any:
    """The same entries under the shape of another tensor."""
    return reshape(self, *other.shape)


@method()
def expand_as(self: Any, other: Any) -> Any:
    """Axes repeated to the shape of another tensor."""
    return expand(self, *other.shape)
