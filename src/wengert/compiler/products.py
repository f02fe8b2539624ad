"""Matrix products: which are steps of their own, and with which operands."""

from __future__ import annotations

from collections.abc import Callable

from wengert.compiler.loops import Buffer, MatrixProduct, Shape, View, contiguous, dtype_name
from wengert.core.graph import Atom, Node

LARGE = 8192  # multiplications for which a step of its own pays
WIDE = 64  # entries of the smallest of the three matrices for which it does

InMemory = Callable[[Atom], tuple[View, int]]


def pays(m: int, k: int, n: int) -> bool:
    """Whether a product `[m, k] @ [k, n]` is a step of its own: enough work, and each entry used often."""
    return m * k * n >= LARGE and min(m * k, k * n, m * n) >= WIDE and min(m, k, n) > 1


def is_large_product(node: Node) -> bool:
    """Whether a `matmul` of two stacks of matrices is a step of its own."""
    a, b = node.operands
    if a.type.dtype != b.type.dtype or dtype_name(a.type.dtype) not in ("float64", "float32"):
        return False
    m, k = a.type.shape[-2:]
    return pays(m, k, b.type.shape[-1])


def matrix_product(
    node: Node, in_memory: InMemory, order: Shape | None
) -> MatrixProduct | None:
    """The step of a large `matmul`.

    `order` is the permutation in which the result is wanted, if it is.
    """
    if not is_large_product(node):
        return None
    out = node.outputs[0].type
    views, level = [], 0
    for atom in node.operands:
        view, ready = in_memory(atom)
        views.append(batched(view, tuple(out.shape[:-2])))
        level = max(level, ready)
    shape = tuple(out.shape)
    order = order or tuple(range(len(shape)))
    result = Buffer(tuple([shape[k] for k in order]), out.dtype, "temporary")
    strides = contiguous(result.shape)
    into = View(result, shape, tuple([strides[order.index(k)] for k in range(len(shape))]))
    is_strong = node.primitive.name == "matmul_of_derivatives"
    return MatrixProduct(views[0], views[1], result, into, is_strong, level)


def batched(view: View, batch: tuple[int, ...]) -> View:
    """A stack of matrices repeated to the shape of a batch."""
    extra = len(batch) + 2 - len(view.shape)
    head = (0,) * extra + tuple([s if n != 1 else 0 for s, n in zip(view.strides[:-2], view.shape[:-2], strict=True)])
    return View(view.buffer, (*batch, *view.shape[-2:]), (*head, *view.strides[-2:]), view.offset)
