"""Matrix products: which go to BLAS, and with which operands."""

from __future__ import annotations

import math
from collections.abc import Callable

from wengert.compiler.loops import Buffer, MatrixProduct, View, contiguous
from wengert.core.graph import Atom, Node

LARGE = 4096  # multiplications for which BLAS pays

InMemory = Callable[[Atom], tuple[View, int]]


def is_large_product(node: Node) -> bool:
    """Whether a `matmul` of two stacks of matrices has enough work in each product."""
    a, b = node.operands
    if a.type.dtype != b.type.dtype or a.type.dtype.name not in ("float64", "float32"):
        return False
    m, k = a.type.shape[-2:]
    n = b.type.shape[-1]
    return m * k * n >= LARGE and min(m, k, n) > 1


def matrix_product(node: Node, in_memory: InMemory) -> MatrixProduct | None:
    """The step of a large `matmul`."""
    if not is_large_product(node):
        return None
    out = node.outputs[0].type
    views, level = [], 0
    for atom in node.operands:
        view, ready = in_memory(atom)
        views.append(batched(view, tuple(out.shape[:-2])))
        level = max(level, ready)
    result = Buffer(tuple(out.shape), out.dtype, "temporary")
    is_strong = node.primitive.name == "matmul_of_derivatives"
    return MatrixProduct(views[0], views[1], result, is_strong, level)


def batched(view: View, batch: tuple[int, ...]) -> View:
    """A stack of matrices repeated to the shape of a batch."""
    extra = len(batch) + 2 - len(view.shape)
    head = (0,) * extra + tuple([s if n != 1 else 0 for s, n in zip(view.strides[:-2], view.shape[:-2], strict=True)])
    return View(view.buffer, (*batch, *view.shape[-2:]), (*head, *view.strides[-2:]), view.offset)


__all__ = ["contiguous", "math"]
