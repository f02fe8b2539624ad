"""Second derivatives of functions of eigenvalues, singular values and determinants, said by factors and products.

They are those of `wengert.primitives.symmetric` and `wengert.primitives.solving` where values do not meet; else the cards are asked.
"""

from __future__ import annotations

import numpy as np

from wengert.compiler.builder import Builder, constant
from wengert.compiler.decompositions import (
    BOOL,
    anywhere,
    determinant_of,
    diagonal_of,
    eigen_of,
    either,
    failed,
    head_of,
    is_served,
    singular_of,
    swapped,
)
from wengert.compiler.gauges import spread_to
from wengert.compiler.placed import doubted
from wengert.compiler.structure import Rewrite
from wengert.core.graph import Atom, Node
from wengert.core.types import ArrayType

LARGEST = 16  # rows of a matrix whose minors are all written out


def product(builder: Builder, a: Atom, b: Atom) -> Atom:
    """`a @ b`."""
    head = np.broadcast_shapes(head_of(a), head_of(b))
    a, b = (builder.spread(x, (*head, *x.type.shape[-2:])) for x in (a, b))
    return builder.emit("matmul", (a, b), {}, ArrayType((*head, a.type.shape[-2], b.type.shape[-1]), a.type.dtype))


class Basis:
    """`a = left diag(values) rightᵀ`, and whether the card has to be asked about it."""

    def __init__(self, builder: Builder, a: Atom, w: Atom, kind: str) -> None:
        self.builder = builder
        doubts = []
        if kind == "hermitian":
            _, v, info = eigen_of(builder, a, vectors=True)
            self.left = self.right = v
        else:
            self.left, _, vt, info = singular_of(builder, a, "S")
            self.right = swapped(builder, vt)
            null = builder.emit("is_null", (w,), {"size": max(a.type.shape[-2:])}, w.type)
            doubts.append(anywhere(builder, builder.elementwise("not_equal", null, constant(w.type.dtype.type(0)), dtype=BOOL)))
        self.doubt = either(builder, failed(builder, info), meets(builder, w))
        for doubt in doubts:
            self.doubt = either(builder, self.doubt, doubt)

    def inside(self, change: Atom) -> Atom:
        """A change of the matrix in this basis."""
        return product(self.builder, product(self.builder, swapped(self.builder, self.left), change), self.right)


def meets(builder: Builder, w: Atom) -> Atom:
    """Whether values are near to one another, by the card that knows what that means."""
    n, head, dtype = w.type.shape[-1], tuple(w.type.shape[:-1]), w.type.dtype
    row = builder.reshape(w, (*head, 1, n))
    top = builder.emit("largest_modulus", (row,), {}, ArrayType((*head, 1, 1), dtype))
    same = builder.emit("near_cluster", (w, top), {}, ArrayType((*head, n, n), dtype))
    alone = builder.spread(constant(np.eye(n, dtype=dtype)), tuple(same.type.shape))
    return anywhere(builder, builder.elementwise("not_equal", same, alone, dtype=BOOL))


def directional(node: Node, builder: Builder) -> Atom | None:
    """How values move along `da`: the diagonal of `leftᵀ da right`."""
    a, da, w, _ = node.operands
    if not is_served(node):
        return None
    at = Basis(builder, a, w, node.params["kind"])
    moved = diagonal_of(builder, at.inside(da))
    out = node.outputs[0].type
    return builder.emit(doubted(node.primitive), (at.doubt, builder.spread(moved, tuple(out.shape)), *node.operands), node.params, out)


def gradient_of_values(node: Node, builder: Builder) -> Atom | None:
    """`left diag(c) rightᵀ`."""
    c, a, w, _ = node.operands
    if not is_served(node):
        return None
    at, out = Basis(builder, a, w, node.params["kind"]), node.outputs[0].type
    row = builder.reshape(c, (*c.type.shape[:-1], 1, c.type.shape[-1]))
    shape = np.broadcast_shapes(tuple(row.type.shape), tuple(at.left.type.shape))
    scaled = builder.elementwise("multiply", spread_to(builder, at.left, shape), spread_to(builder, row, shape))
    found = builder.spread(product(builder, scaled, swapped(builder, at.right)), tuple(out.shape))
    return builder.emit(doubted(node.primitive), (at.doubt, found, *node.operands), node.params, out)


def adjugate_slope(node: Node, builder: Builder) -> Atom | None:
    """The derivative of the adjugate: products of all singular values but two, in the basis of their vectors."""
    a, da = node.operands
    n, dtype, out = a.type.shape[-1], a.type.dtype, node.outputs[0].type
    if not is_served(node) or n > LARGEST:
        return None
    u, s, vt, info = singular_of(builder, a, "S")
    phase = builder.elementwise("multiply", determinant_of(builder, u), determinant_of(builder, vt))
    keep = (1 - np.eye(n)).astype(bool)
    counted = builder.spread(constant(keep[:, None, :] & keep[None, :, :]), (*head_of(a), n, n, n))
    values = builder.spread(builder.reshape(s, (*head_of(a), 1, 1, n)), tuple(counted.type.shape))
    factors = builder.elementwise("where", counted, values, constant(dtype.type(1)), dtype=dtype)
    pairs = builder.emit("prod", (factors,), {"axis": (-1,), "keepdims": False}, ArrayType((*head_of(a), n, n), dtype))
    zero = constant(dtype.type(0))
    pairs = builder.elementwise("where", builder.spread(constant(keep), tuple(pairs.type.shape)), pairs, zero, dtype=dtype)
    m = product(builder, product(builder, swapped(builder, u), da), swapped(builder, vt))
    shape = tuple(m.type.shape)
    line = builder.reshape(diagonal_of(builder, m), (*shape[:-2], n, 1))
    spread_pairs = spread_to(builder, pairs, shape)
    mixed = builder.reshape(product(builder, pairs, line), (*shape[:-2], n, 1))
    on_diagonal = builder.spread(constant(np.eye(n, dtype=bool)), shape)
    rest = builder.elementwise("multiply", spread_pairs, m)
    core = builder.elementwise("where", on_diagonal, builder.spread(mixed, shape), zero, dtype=dtype)
    core = builder.elementwise("subtract", core, rest)
    turned = product(builder, product(builder, swapped(builder, vt), core), swapped(builder, u))
    scale = builder.spread(builder.reshape(phase, (*phase.type.shape, 1, 1)), tuple(out.shape))
    found = builder.elementwise("multiply", scale, builder.spread(turned, tuple(out.shape)))
    finite = builder.elementwise("isfinite", a, dtype=BOOL)
    doubt = either(builder, failed(builder, info), anywhere(builder, builder.elementwise("logical_not", finite, dtype=BOOL)))
    return builder.emit(doubted(node.primitive), (doubt, found, a, da), {}, out)


SPECTRA: dict[str, tuple[tuple[str, Rewrite], ...]] = {
    "directional": (("values that do not meet", directional),),
    "gradient_of_values": (("values that do not meet", gradient_of_values),),
    "adjugate_slope": (("minors by singular values", adjugate_slope),),
}
