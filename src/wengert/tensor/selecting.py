"""Entries picked by places and by conditions, and written there."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.core.trace import Tracer
from wengert.primitives.index import as_view, assign, deposit, index, set_item, split_index
from wengert.tensor import arithmetic
from wengert.tensor.axes import axis_of
from wengert.tensor.dtypes import result_type
from wengert.tensor.traced import TAPE, Tensor, as_dtype, method, operand, plain, refuse_traced


def _plain_key(key: Any) -> Any:
    """An index without tensors in it."""
    kind = type(key)
    if kind is int or kind is slice or key is None or key is Ellipsis:
        return key
    if kind is tuple:
        return tuple(map(_plain_key, key))
    if kind is Tensor:
        if not key.value.ndim and key.value.dtype.kind in "iu":
            return int(key.value)
        return key.value
    if kind is list:
        return np.array(key) if not any(isinstance(part, Tensor) for part in key) else np.array([part.item() for part in key])
    return key


_ONE_ARRAY = {"layout": ("array",)}
_TWO_ARRAYS = {"layout": ("array", "array")}


def _is_places(part: Any) -> bool:
    """Whether a part of an index is a tensor of whole numbers with axes, which can be taken as it is."""
    return type(part) is Tensor and part.value.dtype.kind in "iu" and part.value.ndim > 0


def _get_item(self: Any, key: Any) -> Any:
    """`x[key]`; by slices and single places it is a view."""
    kind = type(key)
    layout: Any = (key,)
    arrays: list[Any] = []
    if kind is Tensor and _is_places(key):
        return TAPE.one(index, self, _ONE_ARRAY, (key.value,))
    if kind is tuple and len(key) == 2 and _is_places(key[0]) and _is_places(key[1]):
        return TAPE.one(index, self, _TWO_ARRAYS, (key[0].value, key[1].value))
    if kind is not int and kind is not slice:
        layout, arrays = split_index(_plain_key(key), self)
    if arrays or any(type(part) is bool for part in layout):
        return index(self, *arrays, layout=layout)
    return as_view(
        index(self, layout=layout), self,
        lambda base: index(base, layout=layout),
        lambda base, new: assign(base, new, layout=layout),
    )  # fmt: skip


def _set_item(self: Any, key: Any, value: Any) -> None:
    """`x[key] = value`: this tensor, what it is a view of and all views of it stand for the new values."""
    refuse_traced(value)
    set_item(self, _plain_key(key), value if type(value) in (int, float) else as_dtype(operand(value), self.dtype))


Tensor.__getitem__ = _get_item  # type: ignore[method-assign]
Tensor.__setitem__ = _set_item  # type: ignore[method-assign]


# --- by conditions ---------------------------------------------------------------------------------------------------------


def where(condition: Any, *branches: Any) -> Any:
    """`input` where the condition holds and `other` elsewhere; the condition alone: where it holds."""
    if not branches:
        return nonzero(condition, as_tuple=True)
    x, y = arithmetic.met(*branches)
    condition = operand(condition)
    if not isinstance(x, Tracer) and not isinstance(y, Tracer):
        dtype = result_type(branches)
        x, y = dtype.type(x), dtype.type(y)
    return FRONT[np.where](condition, x, y)


@method("where")
def _where(self: Any, condition: Any, other: Any) -> Any:
    """`self` where the condition holds and `other` elsewhere."""
    return where(condition, self, other)


@method()
def masked_fill(self: Any, mask: Any, value: Any) -> Any:
    """`value` where the mask holds."""
    value = value if type(value) in (int, float, bool) else operand(value)
    return where(mask, as_dtype(operand(value), self.dtype), self)


@method()
def masked_scatter(self: Any, mask: Any, source: Any) -> Any:
    """The entries of `source` in order where the mask holds."""
    places = np.nonzero(np.broadcast_to(mask.value, self.shape))
    return assign(self, source.reshape(-1)[: len(places[0])], *places, layout=("array",) * len(places))


def masked_select(input: Any, mask: Any) -> Any:
    """The entries where the mask holds, as a vector."""
    shape = np.broadcast_shapes(input.shape, mask.shape)
    return np.broadcast_to(input, shape)[plain(np.broadcast_to(mask.value, shape))]


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The places of what is not zero: a row for each, or an array for each axis."""
    found = np.nonzero(operand(input).value)
    return tuple(map(plain, found)) if as_tuple else plain(np.stack(found, 1))


argwhere = nonzero


# --- by places ---------------------------------------------------------------------------------------------------------------


def _places(x: Any, dim: int, places: Any) -> tuple[Any, ...]:
    """What `x[...]` must be given for entry `i, j, ...` to come from `places[i, j, ...]` along one axis and its own elsewhere."""
    found = np.asarray(places.value if isinstance(places, Tensor) else places)
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in found.shape)])
    grid[axis_of(dim, len(x.shape))] = found
    return tuple(grid)


def gather(input: Any, dim: int, index: Any) -> Any:
    """`y[i, j] = x[index[i, j], j]` along axis 0, and so for each axis."""
    return input[_places(input, dim, index)] if input.shape else input[...].clone()


def take_along_dim(input: Any, indices: Any, dim: int) -> Any:
    """As `gather`, with shapes broadcast."""
    return FRONT[np.take_along_axis](input, indices, dim)


def scatter(input: Any, dim: int, index: Any, src: Any, *, reduce: str | None = None) -> Any:
    """A copy in which `y[index[i, j], j] = src[i, j]` along axis 0, and so for each axis."""
    where_to = _places(input, dim, index)
    value = operand(src)
    if value.shape:
        value = value[tuple(slice(n) for n in index.shape)]
    if reduce is not None:
        return _reduced(input, where_to, value, reduce)
    return assign(input, as_dtype(value, input.dtype), *where_to, layout=("array",) * len(where_to))


def _reduced(x: Any, places: tuple[Any, ...], value: Any, how: str) -> Any:
    if how in ("add", "sum"):
        return arithmetic.add(x, _summed(x, places, value))
    if how in ("multiply", "prod"):
        return FRONT[np.multiply](x, assign(np.ones_like(x.value), as_dtype(value, x.dtype), *places, layout=("array",) * len(places)))
    msg = f'reduce is "add" or "multiply", not {how!r}'
    raise ValueError(msg)


def _summed(x: Any, places: tuple[Any, ...], value: Any) -> Any:
    """Zeros like `x`, to which each value is added at its place."""
    spread = np.broadcast_to(as_dtype(value, x.dtype), np.broadcast_shapes(*[p.shape for p in places]))
    return deposit(spread, *places, layout=("array",) * len(places), shape=tuple(x.shape))


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy to which `src[i, j]` is added at `[index[i, j], j]` along axis 0, and so for each axis."""
    return scatter(input, dim, index, src, reduce="add")


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The entries at these places of an axis."""
    return input[(slice(None),) * axis_of(dim, len(input.shape)) + (index,)]


def _line(x: Any, dim: int, places: Any) -> tuple[Any, ...]:
    return (slice(None),) * axis_of(dim, len(x.shape)) + (_plain_key(places),)


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """A copy to which the entries of `source` are added at these places of an axis."""
    layout, arrays = split_index(_line(input, dim, index), input)
    value = as_dtype(operand(source), input.dtype)
    value = value if alpha == 1 else arithmetic.mul(value, alpha)
    return arithmetic.add(input, deposit(value, *arrays, layout=layout, shape=tuple(input.shape)))


def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """A copy with `source` at these places of an axis."""
    layout, arrays = split_index(_line(input, dim, index), input)
    return assign(input, as_dtype(operand(source), input.dtype), *arrays, layout=layout)


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy with a number at these places of an axis."""
    return index_copy(input, dim, index, operand(value))


@method()
def index_put(self: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy with values written to (or added at) these places."""
    layout, arrays = split_index(_plain_key(tuple(indices)), self)
    value = as_dtype(operand(values), self.dtype)
    if not accumulate:
        return assign(self, value, *arrays, layout=layout)
    shape = np.empty(self.shape)[tuple(_plain_key(tuple(indices)))].shape
    return arithmetic.add(self, deposit(np.broadcast_to(value, shape), *arrays, layout=layout, shape=tuple(self.shape)))


def take(input: Any, index: Any) -> Any:
    """Entries by their places in the tensor laid end to end."""
    return input.reshape(-1)[index]


def searchsorted(sorted_sequence: Any, values: Any, *, right: bool = False) -> Any:
    """Where values belong in a sorted vector."""
    return FRONT[np.searchsorted](sorted_sequence, values, "right" if right else "left")


for _name in ["masked_select", "nonzero", "argwhere", "gather", "take_along_dim", "scatter", "scatter_add", "index_select", "index_add", "index_copy", "index_fill", "take"]:
    method(_name)(globals()[_name])
