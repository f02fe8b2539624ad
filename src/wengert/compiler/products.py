"""Matrix products: which are steps of their own, with which operands, and what they take in on their way.

A product waits as long as its only reader is something that the kernel does along with it::

    c = matmul a b; s = sum c over the stack     ->  one product, with a longer sum
    y = multiply 0.1 c; z = subtract p y         ->  one product, onto p

Of a product that equals its transpose, half is computed, and so it is with triangles (`wengert.compiler.triangles`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wengert.compiler.builder import repeated_number
from wengert.compiler.homes import is_move
from wengert.compiler.indices import reshape_groups
from wengert.compiler.loops import Buffer, MatrixProduct, Shape, View, contiguous, dtype_name
from wengert.compiler.places import Places
from wengert.compiler.spaces import axes_of
from wengert.compiler.symmetry import is_symmetric
from wengert.compiler.triangles import kept_of, triangle_of
from wengert.core.graph import Atom, Const, Node, Var

LARGE = 8192  # multiplications for which a step of its own pays
VECTOR = 16  # numbers that the columns of a product fill vectors with
WIDE = 64  # entries of the smallest of the three matrices for which it does
FEW = 3  # rows for which it does if columns fill vectors


def pays(m: int, k: int, n: int) -> bool:
    """Whether a product `[m, k] @ [k, n]` is a step of its own: enough work, and each entry used often."""
    least = WIDE if max(m, n) < VECTOR or min(m, n) < FEW else VECTOR * FEW
    return m * k * n >= LARGE and min(m * k, k * n, m * n) >= least and min(m, k, n) > 1


def is_large_product(node: Node) -> bool:
    """Whether a `matmul` of two stacks of matrices is a step of its own."""
    a, b = node.operands
    if a.type.dtype != b.type.dtype or dtype_name(a.type.dtype) not in ("float64", "float32"):
        return False
    m, k = a.type.shape[-2:]
    return pays(m, k, b.type.shape[-1])


@dataclass(frozen=True, eq=False)
class Waiting:
    """`base + alpha * (sum over some axes of a stack of left @ right)`, not yet a step."""

    left: Atom
    right: Atom
    stack: Shape
    is_strong: bool
    summed: tuple[int, ...] = ()
    alpha: float = 1.0
    base: Atom | None = None
    kept: str = ""


class Products(Places):
    """Homes for products."""

    users: dict[Atom, list[Node]]
    makers: dict[Atom, Node]

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[Atom, Waiting] = {}

    def as_product(self, node: Node) -> bool:
        """A large matrix product."""
        if not is_large_product(node):
            return False
        (out,), (a, b) = node.outputs, node.operands
        stack = tuple(out.type.shape[:-2])
        self.settle_product(out, Waiting(a, b, stack, node.primitive.name == "matmul_of_derivatives"))
        return True

    def taken_in(self, node: Node) -> bool:
        """Whether a node is done by the product that it reads."""
        for slot, atom in enumerate(node.operands):
            if atom in self.waiting:
                more = self.with_more(node, slot)
                assert more is not None
                del self.waiting[atom]
                self.settle_product(node.outputs[0], more)
                return True
        return False

    def settle_product(self, var: Var, product: Waiting) -> None:
        """A product waits for its only reader if it can take that in; else it becomes a step."""
        self.waiting[var] = product
        users = self.users.get(var, [])
        if len(users) == 1 and self.uses[var] == 1 and self.with_more(users[0], users[0].operands.index(var)) is not None:
            return
        del self.waiting[var]
        self.multiply(var, product)

    def with_more(self, node: Node, slot: int) -> Waiting | None:
        """The product that waits at a slot of a node together with the node; `None` if it cannot take it in."""
        product = self.waiting[node.operands[slot]]
        source, out = node.operands[slot].type, node.outputs[0].type
        if source.dtype != out.dtype:
            return None
        if node.primitive.name == "sum":
            axes = axes_of(node)
            is_of_stack = product.base is None and not product.summed and product.alpha == 1.0 and max(axes, default=99) < len(product.stack)
            return replace(product, summed=axes) if is_of_stack and not node.params["keepdims"] else None
        if source.shape != out.shape or product.base is not None or product.kept:
            return None
        kept = "" if product.stack else kept_of(node, slot)
        if kept:
            return replace(product, kept=kept)
        if node.primitive.name == "negative":
            return replace(product, alpha=-product.alpha)
        if node.primitive.name == "multiply":
            number = number_of(node.operands[1 - slot], out.dtype)
            return None if number is None else replace(product, alpha=product.alpha * number)
        return self.onto(node, slot, product)

    def onto(self, node: Node, slot: int, product: Waiting) -> Waiting | None:
        """A product added to, or subtracted from, an array that is there already."""
        name = node.primitive.name
        if name not in ("add", "subtract") or (name == "subtract" and slot == 0):
            return None
        base, out = node.operands[1 - slot], node.outputs[0].type
        if isinstance(base, Const) or base.type != out or base not in self.values:
            return None
        view = self.values[base].view
        if view is None or not view.is_contiguous:
            return None
        return replace(product, base=base, alpha=-product.alpha if name == "subtract" else product.alpha)

    def multiply(self, var: Var, product: Waiting) -> None:
        """The step of a product."""
        (left, ready), (right, later), counts = self.factors(product)
        level = max(ready, later)
        shape = tuple(var.type.shape)
        is_half = product.base is None and not product.kept and not product.stack and is_symmetric(self.makers, product.left, product.right)
        order = None if product.base is not None or is_half else self.wanted_order(var)
        if counts[2] > 1 and product.base is None:
            order = (1, 0)  # windows are better read as rows, and what is a column is a row of the result's transpose
        order = order or tuple(range(len(shape)))
        result = Buffer(tuple([shape[k] for k in order]), var.type.dtype, "temporary")
        strides = contiguous(result.shape)
        whole = View(result, shape, tuple([strides[order.index(k)] for k in range(len(shape))]))
        base = None
        if product.base is not None:
            base, later = self.in_memory(product.base)
            level = max(level, later)
        into = whole
        if not product.stack:
            into = cut_axis(cut_axis(whole, 1, right.shape[counts[1] :]), 0, left.shape[: counts[0]])
        kept = [k for k in range(len(product.stack)) if k not in product.summed]
        n = len(product.stack)
        if n:
            left = permuted(batched(left, product.stack), (*kept, n, *product.summed, n + 1))
            right = permuted(batched(right, product.stack), (*kept, *product.summed, n, n + 1))
            counts = (1, 1 + len(product.summed), 1)
        is_matrix = not product.stack and counts == (1, 1, 1)
        triangle = self.triangle(product) if is_matrix and not is_half else ""
        step = MatrixProduct(left, right, result, into, product.is_strong, level, counts, is_half, product.alpha, base, triangle, product.kept)
        self.steps.append(step)
        value = self.in_buffer(var, result, level + 1)
        value.view = whole

    def triangle(self, product: Waiting) -> str:
        """Which factor is 0 beyond its diagonal, if one is."""
        for side, factor in (("left", product.left), ("right", product.right)):
            half = triangle_of(self.makers, factor)
            if half:
                return f"{side} {half}"
        return ""

    def factors(self, product: Waiting) -> tuple[tuple[View, int], tuple[View, int], tuple[int, int, int]]:
        """Both factors in memory, and how many axes rows, inner letters and columns are: windows are read where they lie."""
        left, right = self.unfolded(product.left), self.unfolded(product.right)
        if product.stack or product.base is not None or (left is None) == (right is None):
            return self.in_memory(product.left), self.in_memory(product.right), (1, 1, 1)
        if left is not None:
            view, ready, n_rows = left
            other, later = self.in_memory(product.right)
            inner = view.shape[n_rows:]
            return (view, ready), (cut_axis(other, 0, inner), later), (n_rows, len(inner), 1)
        assert right is not None
        view, ready, n_inner = right
        other, later = self.in_memory(product.left)
        return (cut_axis(other, 1, view.shape[:n_inner]), later), (view, ready), (1, n_inner, len(view.shape) - n_inner)

    def unfolded(self, atom: Atom) -> tuple[View, int, int] | None:
        """A matrix of windows with all its axes, the level from which on it can be read, and how many of them are its rows."""
        node = self.makers.get(atom)
        if node is None or self.value(atom).view is not None:
            return None
        if node.primitive.name == "permute" and tuple(node.params["axes"]) == (1, 0):
            found = self.unfolded(node.operands[0])
            if found is None:
                return None
            view, ready, n = found
            rank = len(view.shape)
            return permuted(view, (*range(n, rank), *range(n))), ready, rank - n
        (source,) = node.operands[:1]
        if node.primitive.name != "reshape" or len(atom.type.shape) != 2 or not self.is_of_windows(source):
            return None
        groups = reshape_groups(tuple(source.type.shape), tuple(atom.type.shape))
        if [news for _, news in groups] != [[0], [1]]:
            return None
        view, ready = self.in_memory(source)
        return view, ready, len(groups[0][0])

    def is_of_windows(self, atom: Atom) -> bool:
        """Whether an array is a permutation of windows, or of some of them."""
        node = self.makers.get(atom)
        while node is not None and (node.primitive.name == "permute" or (node.primitive.name == "index" and is_move(node))):
            node = self.makers.get(node.operands[0])
        return node is not None and node.primitive.name == "windows"

    def wanted_order(self, var: Var) -> Shape | None:
        """The order of axes in which the only reader of a product wants it, if rows or columns stay next to one another."""
        users = self.users.get(var, [])
        if len(users) != 1:
            return None
        node = users[0]
        if node.primitive.name == "reshape" and 1 not in var.type.shape:
            split = node.outputs[0]
            return None if tuple(split.type.shape) != tuple(var.type.shape) else self.wanted_order(split)
        if node.primitive.name != "permute":
            return None
        order = tuple(node.params["axes"])
        return order if order[-1] >= len(order) - 2 else None


def number_of(atom: Atom, dtype: np.dtype[Any]) -> float | None:
    """The finite number that a constant is throughout, in a dtype."""
    if not isinstance(atom, Const):
        return None
    number = repeated_number(atom.value)
    if number is None or isinstance(number, complex) or not np.isfinite(number) or number == 0:
        return None
    return float(dtype.type(number))


def cut_axis(view: View, axis: int, lengths: Shape) -> View:
    """A view with one axis as several."""
    strides = [view.strides[axis] * math.prod(lengths[k + 1 :]) for k in range(len(lengths))]
    return View(view.buffer, (*view.shape[:axis], *lengths, *view.shape[axis + 1 :]),
                (*view.strides[:axis], *strides, *view.strides[axis + 1 :]), view.offset)  # fmt: skip


def permuted(view: View, axes: Shape) -> View:
    """A view with its axes in another order."""
    return View(view.buffer, tuple([view.shape[k] for k in axes]), tuple([view.strides[k] for k in axes]), view.offset)


def batched(view: View, batch: tuple[int, ...]) -> View:
    """A stack of matrices repeated to the shape of a batch."""
    extra = len(batch) + 2 - len(view.shape)
    head = (0,) * extra + tuple([s if n != 1 else 0 for s, n in zip(view.strides[:-2], view.shape[:-2], strict=True)])
    return View(view.buffer, (*batch, *view.shape[-2:]), (*head, *view.strides[-2:]), view.offset)
