"""Windows that overlap are added up axis by axis: slices put into zeros.

::

    x = overlap y {axis=(-1,), lengths=(2,)}   ->   z = permute y, windows first
                                                    a = deposit (z[0]) at [:-1]; b = deposit (z[1]) at [1:]; x = add a b

So neighbours in `x` are neighbours in what is added.  Where a product makes the windows, its columns are put in that order: those of the
gradient of a convolution are `[place in the window, channel]`, and not `[channel, place]`.
"""

from __future__ import annotations

import math

from wengert.compiler.bodies import is_native
from wengert.compiler.builder import Builder
from wengert.core.graph import Atom, Node
from wengert.core.types import ArrayType

PRODUCTS = ("matmul", "matmul_of_derivatives")


def overlap(node: Node, builder: Builder) -> Atom | None:
    """The last axis of a window first."""
    (y,), out = node.operands, node.outputs[0].type
    if 0 in (*y.type.shape, *out.shape) or not is_native(out.dtype):
        return None
    axis, lengths = node.params["axis"], node.params["lengths"]
    rank, n = len(out.shape), len(axis)
    y = windows_first(builder, y, n)
    for j in reversed(range(n)):
        y = added(builder, y, j + axis[j] % rank, lengths[j])
    return y


def windows_first(builder: Builder, y: Atom, n: int) -> Atom:
    """The last `n` axes come first, the last of them foremost."""
    rank = len(y.type.shape)
    order = (*reversed(range(rank - n, rank)), *range(rank - n))
    maker = builder.maker.get(y)
    product = builder.maker.get(maker.operands[0]) if maker is not None and maker.primitive.name == "reshape" else None
    if product is None or product.primitive.name not in PRODUCTS or len(product.outputs[0].type.shape) != 2:
        return builder.permute(y, order)
    left, right = product.operands
    columns = product.outputs[0].type.shape[1]
    first = next((k for k in range(rank - n) if math.prod(y.type.shape[k:]) == columns), None)
    if first is None:
        return builder.permute(y, order)
    # The columns are [others..., windows...]; now they are [windows..., others...].
    others, windows = y.type.shape[first : rank - n], y.type.shape[rank - n :]
    k, m = right.type.shape[0], len(others)
    apart = builder.reshape(right, (k, *others, *windows))
    turned = builder.reshape(builder.permute(apart, (0, *range(m + 1, m + n + 1), *range(1, m + 1))), (k, columns))
    whole = builder.emit(product.primitive, (left, turned), product.params, ArrayType((left.type.shape[0], columns), y.type.dtype))
    parts = builder.reshape(whole, (*y.type.shape[:first], *windows, *others))
    return builder.permute(parts, (*reversed(range(first, first + n)), *range(first), *range(first + n, rank)))


def added(builder: Builder, y: Atom, axis: int, n: int) -> Atom:
    """The windows along the first axis of `y`, which lie along another one of those behind it, added up."""
    _, *kept = y.type.shape
    size = kept[axis]
    shape = list(kept)
    shape[axis] += n - 1
    total: Atom | None = None
    for u in range(n):
        part = builder.index(y, (u, *[slice(None)] * len(kept)))
        where = tuple([slice(u, u + size) if k == axis else slice(0, m) for k, m in enumerate(kept)])
        term = builder.deposit(part, where, tuple(shape))
        total = term if total is None else builder.elementwise("add", total, term)
    assert total is not None
    return total
