"""Eigenvalues of general matrices by LAPACK's function.

NumPy's are real or complex as the values of the matrix decide.  A program is made for what they were when it was recorded; where they are
otherwise, where values come close together, and where LAPACK fails, the card is asked, which says so or raises NumPy's error.

As in NumPy, they are taken in double precision, on which their order and their vectors' signs depend, and rounded.
"""

from __future__ import annotations

import numpy as np

from wengert.compiler.builder import Builder, constant
from wengert.compiler.decompositions import BOOL, anywhere, either, failed, info_type, is_served
from wengert.compiler.gauges import beside, elsewhere, in_dtype
from wengert.compiler.placed import doubted
from wengert.compiler.reductions import extreme
from wengert.compiler.routines import general_eigen
from wengert.compiler.structure import Rewrite
from wengert.core.graph import Atom, Node
from wengert.core.types import ArrayType

DOUBLE = np.dtype(np.float64)


def eps_of(a: Atom) -> float:
    """The distance of 1 from the next number of a matrix's dtype."""
    return float(np.finfo(a.type.dtype).eps)


def is_somewhere(builder: Builder, x: Atom) -> Atom:
    """Whether an array has an entry that is not 0."""
    return anywhere(builder, builder.elementwise("not_equal", x, constant(x.type.dtype.type(0)), dtype=BOOL))


def finite_or_zero(builder: Builder, x: Atom) -> tuple[Atom, Atom]:
    """A matrix that LAPACK may be given, which need not come to an end with infinities or NaN; and whether it is another one."""
    finite = builder.elementwise("isfinite", x, dtype=BOOL)
    kept = builder.elementwise("where", finite, x, constant(x.type.dtype.type(0)), dtype=x.type.dtype)
    return kept, anywhere(builder, builder.elementwise("logical_not", finite, dtype=BOOL))


def meet(builder: Builder, re: Atom, im: Atom, a: Atom, eps: float) -> Atom:
    """Whether two eigenvalues may be so close that the card has to look for clusters (`wengert.primitives.gauge.same_cluster`), or a bit more."""
    n, head, dtype = re.type.shape[-1], tuple(re.type.shape[:-1]), re.type.dtype
    gaps = [builder.elementwise("absolute", builder.elementwise("subtract", *beside(builder, part))) for part in (re, im)]
    axes = tuple(range(len(head), len(a.type.shape)))  # of a matrix, and of its parts
    top = extreme(builder, "max", builder.elementwise("absolute", a), axes, keepdims=False)
    limit = builder.elementwise("multiply", constant(dtype.type(20 * n * eps)), top, dtype=dtype)
    limit = builder.spread(builder.reshape(limit, (*head, 1, 1)), (*head, n, n))
    return elsewhere(builder, builder.elementwise("less_equal", builder.elementwise("maximum", *gaps), limit, dtype=BOOL))


def general_eigenvalues(builder: Builder, a: Atom, *, vectors: bool) -> tuple[Atom, Atom, Atom, Atom]:
    """The parts of the eigenvalues of a real matrix, packed vectors, and whether the card has to be asked."""
    *head, n, _ = a.type.shape
    kept, doubt = finite_or_zero(builder, in_dtype(builder, a, DOUBLE))
    line, packed_type = ArrayType((*head, n), DOUBLE), ArrayType((*head, n, n) if vectors else (*head, 1, 1), DOUBLE)
    re, im, packed, info = builder.emit_several(general_eigen, (kept,), {"vectors": vectors}, [line, line, packed_type, info_type(tuple(head))])
    doubt = either(builder, doubt, failed(builder, info))
    return re, im, packed, either(builder, doubt, meet(builder, re, im, kept, eps_of(a))) if vectors else doubt


def real_values(node: Node, builder: Builder) -> tuple[Atom, ...] | Atom | None:
    """Eigenvalues, and vectors, of a real matrix that had real ones when the program was recorded."""
    if not is_served(node) or any(var.type.dtype.kind == "c" for var in node.outputs):
        return None
    (a,) = node.operands
    vectors = len(node.outputs) == 2
    re, im, packed, doubt = general_eigenvalues(builder, a, vectors=vectors)
    doubt = either(builder, doubt, is_somewhere(builder, im))
    re, packed = (in_dtype(builder, x, a.type.dtype) for x in (re, packed))
    if vectors:
        return builder.emit_several(doubted(node.primitive), (doubt, re, packed, a), node.params, [re.type, packed.type])
    return builder.emit(doubted(node.primitive), (doubt, re, a), node.params, re.type)


GENERAL: dict[str, tuple[tuple[str, Rewrite], ...]] = {
    "eig": (("real eigenvalues", real_values),),
    "eigvals": (("real eigenvalues", real_values),),
}
