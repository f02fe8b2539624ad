"""Windows that overlap are added up axis by axis: slices put into zeros.

::

    x = overlap y {axis=(-1,), lengths=(2,)}   ->   a = deposit (y[:, 0]) at [:-1]; b = deposit (y[:, 1]) at [1:]; x = add a b
"""

from __future__ import annotations

from wengert.compiler.bodies import is_native
from wengert.compiler.builder import Builder
from wengert.core.graph import Atom, Node


def overlap(node: Node, builder: Builder) -> Atom | None:
    """The last axis of a window first."""
    (y,), out = node.operands, node.outputs[0].type
    if 0 in (*y.type.shape, *out.shape) or not is_native(out.dtype):
        return None
    axis, lengths = node.params["axis"], node.params["lengths"]
    rank = len(out.shape)
    for k, n in reversed(list(zip(axis, lengths, strict=True))):
        y = added(builder, y, k % rank, n)
    return y


def added(builder: Builder, y: Atom, axis: int, n: int) -> Atom:
    """The windows along the last axis of `y`, which lie along another one, added up."""
    *kept, _ = y.type.shape
    size = kept[axis]
    shape = list(kept)
    shape[axis] += n - 1
    total: Atom | None = None
    for u in range(n):
        part = builder.index(y, (*[slice(None)] * len(kept), u))
        where = tuple([slice(u, u + size) if k == axis else slice(0, m) for k, m in enumerate(kept)])
        term = builder.deposit(part, where, tuple(shape))
        total = term if total is None else builder.elementwise("add", total, term)
    assert total is not None
    return total
