"""Linear algebra said by LAPACK's functions, and by the entries themselves where matrices are small.

::

    x = solve a b   ->   lu, p, info = lu_factor a; y = lu_solve lu p b; x = checked y (any (info ≠ 0))

A matrix that is solved with several times, itself or its transpose, forwards and in the derivative, is factored once: equal nodes are
one.  A triangular one is not factored at all.  Where LAPACK reports a failure the program stops with NumPy's error, or the card itself
is asked.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, Shape, constant
from wengert.compiler.loops import dtype_name
from wengert.compiler.placed import CHECKED, LOWER, doubted
from wengert.compiler.reductions import extreme
from wengert.compiler.routines import (
    INT,
    cholesky_factor,
    least_squares,
    lu_factor,
    lu_solve,
    qr_columns,
    qr_factor,
    singular_values,
    symmetric_eigen,
    triangular_solve,
)
from wengert.compiler.small import (
    SMALL,
    SMALL_TRIANGLE,
    Arithmetic,
    cholesky_entries,
    cofactors,
    columns_of,
    eliminate,
    entries_of,
    matrix_of,
    matrix_of_columns,
    substitute,
)
from wengert.compiler.structure import Rewrite
from wengert.core.graph import Atom, Const, Node
from wengert.core.types import ArrayType
from wengert.primitives.symmetric import values_and_marker

FLOATS = ("float64", "float32")
BOOL = np.dtype(bool)


def is_served(node: Node) -> bool:
    """Whether all operands are matrices of one real dtype with something in them."""
    dtypes = {a.type.dtype for a in node.operands}
    return len(dtypes) == 1 and dtype_name(dtypes.pop()) in FLOATS and all(0 not in a.type.shape for a in node.operands)


def head_of(a: Atom) -> Shape:
    """The batch of a stack of matrices."""
    return tuple(a.type.shape[:-2])


def swapped(builder: Builder, x: Atom) -> Atom:
    """The transpose of each matrix."""
    rank = len(x.type.shape)
    return builder.permute(x, (*range(rank - 2), rank - 1, rank - 2))


def identity(n: int, dtype: np.dtype[Any]) -> Const:
    """The unit matrix."""
    return constant(np.eye(n, dtype=dtype))


def anywhere(builder: Builder, truth: Atom) -> Atom:
    """Whether one of an array of truth values is true."""
    rank = len(truth.type.shape)
    return extreme(builder, "max", truth, tuple(range(rank)), keepdims=False) if rank else truth


def failed(builder: Builder, info: Atom) -> Atom:
    """Whether LAPACK reports anything, for one of a batch."""
    return anywhere(builder, builder.elementwise("not_equal", info, constant(INT.type(0)), dtype=BOOL))


def checked(builder: Builder, x: Atom, bad: Atom, reason: str) -> Atom:
    """`x`, and the program stops where something is bad."""
    return builder.emit(CHECKED, (x, anywhere(builder, bad)), {"reason": reason}, x.type)


def info_type(batch: Shape) -> ArrayType:
    """The type of LAPACK's reports."""
    return ArrayType(batch, INT)


# --- what a matrix is known to be ---------------------------------------------------------------------------------------


def transposed(builder: Builder, a: Atom) -> Atom | None:
    """The matrix that `a` is the transpose of, if a node says so."""
    node = builder.maker.get(a)
    if node is None or node.primitive.name != "permute":
        return None
    rank = len(a.type.shape)
    return node.operands[0] if tuple(node.params["axes"]) == (*range(rank - 2), rank - 1, rank - 2) else None


def triangle_of(builder: Builder, a: Atom) -> tuple[Atom, bool, bool] | None:
    """A matrix one of whose triangles is all of `a`, whether it is the lower one, and whether `a` is its transpose."""
    turned = transposed(builder, a)
    if turned is not None:
        found = triangle_of(builder, turned)
        return None if found is None else (found[0], found[1], not found[2])
    node = builder.maker.get(a)
    if node is None:
        return None
    if node.primitive is LOWER:
        return node.operands[0], True, False
    if node.primitive.name == "where" and is_zero(node.operands[2]):
        lower = lower_mask(builder, node.operands[0])
        if lower is not None and node.operands[1].type == a.type:
            return node.operands[1], lower, False
    return None


def is_zero(atom: Atom) -> bool:
    """Whether a constant is the number 0."""
    return isinstance(atom, Const) and np.ndim(atom.value) == 0 and bool(atom.value == 0)


def lower_mask(builder: Builder, mask: Atom) -> bool | None:
    """Whether a constant mask is the lower triangle, diagonal included (true), or the upper one (false)."""
    node = builder.maker.get(mask)
    if node is not None and node.primitive.name == "spread":
        mask = node.operands[0]
    if not isinstance(mask, Const) or np.ndim(mask.value) != 2 or mask.value.shape[0] != mask.value.shape[1]:
        return None
    below = np.tri(mask.value.shape[0], dtype=bool)
    return True if np.array_equal(mask.value, below) else False if np.array_equal(mask.value, below.T) else None


# --- systems of equations -----------------------------------------------------------------------------------------------


def solution(builder: Builder, a: Atom, b: Atom) -> tuple[Atom, Atom]:
    """`a⁻¹ b`, and whether the matrix is singular for one of the batch."""
    n, k = b.type.shape[-2:]
    head = np.broadcast_shapes(head_of(a), head_of(b))
    triangle = triangle_of(builder, a)
    if n <= (SMALL if triangle is None else SMALL_TRIANGLE):
        return small_solution(builder, a, b, head)
    if math.prod(head_of(a)) == 1 and math.prod(head) > 1:  # one matrix: all right-hand sides at once
        return side_by_side(builder, builder.reshape(a, (n, n)), b, head)
    whole = builder.spread(b, (*head, n, k))
    types = [ArrayType((*head, n, k), b.type.dtype), info_type(head)]
    if triangle is not None:
        t, lower, turned = triangle
        x, info = builder.emit_several(triangular_solve, (t, whole), {"lower": lower, "turned": turned}, types)
        return x, failed(builder, info)
    lu, pivots, info, turned = factored(builder, a)
    x, _ = builder.emit_several(lu_solve, (lu, pivots, whole), {"turned": turned}, types)
    return x, failed(builder, info)


def factored(builder: Builder, a: Atom) -> tuple[Atom, Atom, Atom, bool]:
    """The factors of a matrix, or of the one that it is the transpose of."""
    source = transposed(builder, a)
    turned = source is not None
    a = a if source is None else source
    head, n = head_of(a), a.type.shape[-1]
    types = [a.type, ArrayType((*head, n), INT), info_type(head)]
    lu, pivots, info = builder.emit_several(lu_factor, (a,), {}, types)
    return lu, pivots, info, turned


def side_by_side(builder: Builder, a: Atom, b: Atom, head: Shape) -> tuple[Atom, Atom]:
    """A batch of right-hand sides as the columns of one."""
    n, k = b.type.shape[-2:]
    rank = len(head)
    b = builder.spread(b, (*head, n, k))
    front = builder.permute(b, (rank, *range(rank), rank + 1))
    x, bad = solution(builder, a, builder.reshape(front, (n, math.prod(head) * k)))
    x = builder.reshape(x, (n, *head, k))
    return builder.permute(x, (*range(1, rank + 1), 0, rank + 1)), bad


def small_solution(builder: Builder, a: Atom, b: Atom, head: Shape) -> tuple[Atom, Atom]:
    """The same entry by entry."""
    n, k = b.type.shape[-2:]
    do = Arithmetic(builder)
    triangle = triangle_of(builder, a)
    whole = builder.spread(a, (*head, n, n))
    entries, columns = entries_of(builder, whole), columns_of(builder, builder.spread(b, (*head, n, k)))
    if triangle is None:
        found = eliminate(builder, entries, columns)
        solved, bad = substitute(builder, found.upper, found.columns, lower=False), found.bad
    else:
        _, lower, turned = triangle
        zero = constant(a.type.dtype.type(0))
        solved = substitute(builder, entries, columns, lower=lower != turned)
        bad = do.any([do("equal", entries[i][i], zero, dtype=bool) for i in range(n)])
    return matrix_of_columns(builder, solved, (*head, n, k)), anywhere(builder, bad)


def solve(node: Node, builder: Builder) -> Atom | None:
    """`solve a b`, by factors of `a`."""
    if not is_served(node):
        return None
    x, bad = solution(builder, *node.operands)
    return checked(builder, x, bad, "singular")


def solve_again(node: Node, builder: Builder) -> Atom | None:
    """`solve_again a b`, which is zero where all of `b` is, whatever `a` is."""
    if not is_served(node):
        return None
    _, b = node.operands
    x, bad = solution(builder, *node.operands)
    some = anywhere(builder, builder.elementwise("not_equal", b, constant(b.type.dtype.type(0)), dtype=BOOL))
    bad = builder.elementwise("logical_and", some, bad, dtype=BOOL)
    chosen = builder.spread(some, tuple(x.type.shape))
    kept = builder.elementwise("where", chosen, x, constant(b.type.dtype.type(0)), dtype=x.type.dtype)
    return checked(builder, kept, bad, "singular")


def inverse(node: Node, builder: Builder) -> Atom | None:
    """`inv a  ->  solve a 1`."""
    if not is_served(node):
        return None
    (a,) = node.operands
    x, bad = solution(builder, a, identity(a.type.shape[-1], a.type.dtype))
    return checked(builder, x, bad, "singular")


def inverse_or_infinite(node: Node, builder: Builder) -> Atom | None:
    """The same; the card is asked where it is singular."""
    if not is_served(node):
        return None
    (a,) = node.operands
    x, bad = solution(builder, a, identity(a.type.shape[-1], a.type.dtype))
    return builder.emit(doubted(node.primitive), (bad, x, a), {}, x.type)


# --- determinants -------------------------------------------------------------------------------------------------------


def sign_and_log(builder: Builder, a: Atom) -> tuple[Atom, Atom]:
    """The sign of the determinant and the logarithm of its size: of the factors' diagonal, and the exchanges."""
    do, n, dtype = Arithmetic(builder), a.type.shape[-1], a.type.dtype
    if n <= SMALL:
        sign, sizes = small_pivots(builder, a)
        log = [do("log", size) for size in sizes]
        return sign, reduce(lambda x, y: do("add", x, y), log)
    lu, pivots, _, _ = factored(builder, a)
    line = diagonal_of(builder, lu)
    places = constant(np.arange(1, n + 1, dtype=INT))
    is_turned = builder.elementwise("not_equal", pivots, builder.spread(places, tuple(pivots.type.shape)), dtype=BOOL)
    turns = do("where", is_turned, constant(dtype.type(-1)), constant(dtype.type(1)), dtype=dtype)
    signs = builder.elementwise("multiply", turns, builder.elementwise("sign", line))
    sign = builder.emit("prod", (signs,), {"axis": (-1,), "keepdims": False}, ArrayType(head_of(a), dtype))
    return sign, builder.sum(builder.elementwise("log", builder.elementwise("absolute", line)), (len(lu.type.shape) - 2,))


def small_pivots(builder: Builder, a: Atom) -> tuple[Atom, list[Atom]]:
    """The sign of the determinant of a small matrix, and the sizes of its pivots."""
    do, dtype = Arithmetic(builder), a.type.dtype
    found = eliminate(builder, entries_of(builder, a), [], stays_finite=True)
    signs = [do("where", truth, constant(dtype.type(-1)), constant(dtype.type(1)), dtype=dtype) for truth in found.is_turned]
    pivots = [found.upper[i][i] for i in range(len(found.upper))]
    signs += [do("sign", pivot) for pivot in pivots]
    sign = reduce(lambda x, y: do("multiply", x, y), signs)
    return builder.spread(sign, head_of(a)), [do("absolute", pivot) for pivot in pivots]


def diagonal_of(builder: Builder, x: Atom) -> Atom:
    """The diagonal of each square matrix: a sum of which one term is not zero."""
    on_diagonal = builder.spread(constant(np.eye(x.type.shape[-1], dtype=bool)), tuple(x.type.shape))
    zero = constant(x.type.dtype.type(0))
    return builder.sum(builder.elementwise("where", on_diagonal, x, zero, dtype=x.type.dtype), (len(x.type.shape) - 1,))


def sign_and_logarithm(node: Node, builder: Builder) -> tuple[Atom, ...] | None:
    """`slogdet a`."""
    return sign_and_log(builder, node.operands[0]) if is_served(node) else None


def determinant_of(builder: Builder, a: Atom) -> Atom:
    """The sign times the exponential of the logarithm, as NumPy takes it; of a small matrix the product of its pivots.

    The largest is multiplied by the smallest first, so that nothing overflows that the determinant does not.
    """
    do, n = Arithmetic(builder), a.type.shape[-1]
    if n > SMALL:
        sign, log = sign_and_log(builder, a)
        return builder.elementwise("multiply", sign, builder.elementwise("exp", log))
    sign, sizes = small_pivots(builder, a)
    if n == SMALL:
        x, y, z = sizes
        low, high = do("minimum", x, y), do("maximum", x, y)
        middle = do("maximum", low, do("minimum", high, z))
        sizes = [do("maximum", high, z), do("minimum", low, z), middle]
    return do("multiply", reduce(lambda x, y: do("multiply", x, y), sizes), sign)


def determinant(node: Node, builder: Builder) -> Atom | None:
    """`det a`."""
    return determinant_of(builder, node.operands[0]) if is_served(node) else None


def adjugate(node: Node, builder: Builder) -> Atom | None:
    """`adj a  ->  det(a) a⁻¹`, where that is finite; else the card is asked.  Of small matrices it is made of minors."""
    if not is_served(node):
        return None
    (a,), dtype = node.operands, node.outputs[0].type.dtype
    if a.type.shape[-1] <= SMALL:
        minors = matrix_of(builder, cofactors(builder, entries_of(builder, a)), tuple(a.type.shape))
        doubt = builder.elementwise("logical_not", builder.elementwise("isfinite", minors, dtype=BOOL), dtype=BOOL)
        return builder.emit(doubted(node.primitive), (anywhere(builder, doubt), minors, a), {}, minors.type)
    det = determinant_of(builder, a)
    x, _ = solution(builder, a, identity(a.type.shape[-1], dtype))
    spread = builder.spread(builder.reshape(det, (*det.type.shape, 1, 1)), tuple(a.type.shape))
    product = builder.elementwise("multiply", spread, x)
    is_large = builder.elementwise("greater", builder.elementwise("absolute", det), constant(np.finfo(dtype).tiny), dtype=BOOL)
    usable = builder.elementwise("logical_and", builder.elementwise("isfinite", det, dtype=BOOL), is_large, dtype=BOOL)
    fine = builder.elementwise("isfinite", product, dtype=BOOL)
    doubts = [anywhere(builder, builder.elementwise("logical_not", truth, dtype=BOOL)) for truth in (usable, fine)]
    doubt = builder.elementwise("logical_or", *doubts, dtype=BOOL)
    return builder.emit(doubted(node.primitive), (doubt, product, a), {}, product.type)


# --- Cholesky and QR ----------------------------------------------------------------------------------------------------


def symmetric_part(builder: Builder, a: Atom) -> Atom:
    """`(a + aᵀ) / 2`."""
    total = builder.elementwise("add", a, swapped(builder, a))
    return builder.elementwise("multiply", constant(a.type.dtype.type(0.5)), total, dtype=a.type.dtype)


def triangular_part(builder: Builder, x: Atom, *, lower: bool) -> Atom:
    """One triangle of each matrix, and zeros."""
    mask = np.tri(*x.type.shape[-2:], dtype=bool) if lower else np.triu(np.ones(x.type.shape[-2:], bool))
    chosen = builder.spread(constant(mask), tuple(x.type.shape))
    return builder.elementwise("where", chosen, x, constant(x.type.dtype.type(0)), dtype=x.type.dtype)


def cholesky(node: Node, builder: Builder) -> Atom | None:
    """`cholesky a`: the lower factor, turned for the upper one."""
    if not is_served(node):
        return None
    (a,) = node.operands
    head, n, shape = head_of(a), a.type.shape[-1], tuple(a.type.shape)
    part = symmetric_part(builder, a)
    if n <= SMALL_TRIANGLE:
        entries, bad = cholesky_entries(builder, entries_of(builder, part))
        l = matrix_of(builder, entries, shape)
    else:
        l, info = builder.emit_several(cholesky_factor, (part,), {}, [a.type, info_type(head)])
        l, bad = triangular_part(builder, l, lower=True), failed(builder, info)
    found = builder.emit(LOWER, (checked(builder, l, bad, "indefinite"),), {}, a.type)
    return swapped(builder, found) if node.params["upper"] else found


def qr(node: Node, builder: Builder) -> tuple[Atom, ...] | None:
    """`qr a`: `r` is what lies on and above the diagonal of LAPACK's result, `q` is made of the rest."""
    if not is_served(node):
        return None
    (a,) = node.operands
    head, (m, n), dtype = head_of(a), a.type.shape[-2:], a.type.dtype
    k = min(m, n)
    h, scales, _ = builder.emit_several(qr_factor, (a,), {}, [a.type, ArrayType((*head, k), dtype), info_type(head)])
    columns, rows = (m, m) if node.params["complete"] else (k, k)
    every = tuple([slice(None)] * len(head))
    if columns <= n:
        part = builder.index(h, (*every, slice(None), slice(0, columns)))
    else:
        place = (*every, slice(None), slice(0, n))
        part = builder.deposit(h, place, (*head, m, columns))
    q, _ = builder.emit_several(qr_columns, (part, scales), {"columns": columns}, [ArrayType((*head, m, columns), dtype), info_type(head)])
    r = triangular_part(builder, builder.index(h, (*every, slice(0, rows), slice(None))), lower=False)
    return q, r


# --- eigenvalues and singular values --------------------------------------------------------------------------------------


def close_neighbours(builder: Builder, w: Atom) -> Atom | None:
    """Whether values in order come so close that the card has to look for clusters (`wengert.primitives.gauge.may_meet`)."""
    n, rank = w.type.shape[-1], len(w.type.shape)
    if n == 1:
        return None
    every = tuple([slice(None)] * (rank - 1))
    ahead, behind = builder.index(w, (*every, slice(1, None))), builder.index(w, (*every, slice(0, n - 1)))
    steps = builder.elementwise("absolute", builder.elementwise("subtract", ahead, behind))
    size = extreme(builder, "max", builder.elementwise("absolute", w), (rank - 1,), keepdims=True)
    limit = builder.elementwise("multiply", constant(w.type.dtype.type(1e-6)), size, dtype=w.type.dtype)
    close = builder.elementwise("less_equal", steps, builder.spread(limit, tuple(steps.type.shape)), dtype=BOOL)
    return anywhere(builder, close)


def either(builder: Builder, one: Atom, other: Atom | None) -> Atom:
    """Whether one of two is true."""
    return one if other is None else builder.elementwise("logical_or", one, other, dtype=BOOL)


def eigh(node: Node, builder: Builder) -> tuple[Atom, ...] | None:
    """`eigh a`; where values meet and a basis has to be chosen, the card is asked."""
    if not is_served(node):
        return None
    a, *direction = node.operands
    w, v, info = eigen_of(builder, symmetric_part(builder, a), vectors=True, uplo=node.params["uplo"])
    doubt = either(builder, failed(builder, info), close_neighbours(builder, w) if direction else None)
    return builder.emit_several(doubted(node.primitive), (doubt, w, v, *node.operands), node.params, [w.type, v.type])


def eigen_of(builder: Builder, a: Atom, *, vectors: bool, uplo: str = "L") -> tuple[Atom, ...]:
    """LAPACK's function for symmetric matrices."""
    head, n = head_of(a), a.type.shape[-1]
    types = [ArrayType((*head, n), a.type.dtype), a.type, info_type(head)]
    return builder.emit_several(symmetric_eigen, (a,), {"vectors": vectors, "uplo": uplo}, types)


def eigvalsh(node: Node, builder: Builder) -> Atom | None:
    """`eigvalsh a`."""
    if not is_served(node):
        return None
    w, _, info = eigen_of(builder, symmetric_part(builder, node.operands[0]), vectors=False, uplo=node.params["uplo"])
    return builder.emit(doubted(node.primitive), (failed(builder, info), w, *node.operands), node.params, w.type)


def singular_of(builder: Builder, a: Atom, job: str) -> tuple[Atom, ...]:
    """LAPACK's function for singular values."""
    head, (m, n), dtype = head_of(a), a.type.shape[-2:], a.type.dtype
    k = min(m, n)
    rows, columns = {"A": (m, n), "S": (k, k), "N": (1, 1)}[job]
    u, vt = ((*head, m, rows), (*head, columns, n)) if job != "N" else ((*head, 1, 1),) * 2
    return builder.emit_several(singular_values, (a,), {"job": job}, [*[ArrayType(s, dtype) for s in (u, (*head, k), vt)], info_type(head)])


def svd(node: Node, builder: Builder) -> tuple[Atom, ...] | None:
    """`svd a`; where values meet and a basis has to be chosen, the card is asked."""
    if not is_served(node):
        return None
    a, *direction = node.operands
    u, s, vt, info = singular_of(builder, a, "A" if node.params["full"] else "S")
    doubt = either(builder, failed(builder, info), close_neighbours(builder, s) if direction else None)
    return builder.emit_several(doubted(node.primitive), (doubt, u, s, vt, *node.operands), node.params, [u.type, s.type, vt.type])


def svdvals(node: Node, builder: Builder) -> Atom | None:
    """`svdvals a`."""
    if not is_served(node):
        return None
    _, s, _, info = singular_of(builder, node.operands[0], "N")
    return builder.emit(doubted(node.primitive), (failed(builder, info), s, *node.operands), node.params, s.type)


def values_with_marker(node: Node, builder: Builder) -> tuple[Atom, ...] | None:
    """`values_and_marker a`: the values, and zeros."""
    if not is_served(node):
        return None
    (a,) = node.operands
    if node.params["kind"] == "hermitian":
        w, _, info = eigen_of(builder, a, vectors=False)
    else:
        _, w, _, info = singular_of(builder, a, "N")
    marker = builder.spread(constant(a.type.dtype.type(0)), tuple(a.type.shape))
    doubt = failed(builder, info)
    return builder.emit_several(doubted(values_and_marker), (doubt, w, marker, a), node.params, [w.type, a.type])


# --- the pseudoinverse and least squares ----------------------------------------------------------------------------------


def pseudoinverse(node: Node, builder: Builder) -> Atom | None:
    """`a⁺  ->  v diag(1 / s) uᵀ`, of the singular values that are large enough."""
    rcond = node.params["rcond"]
    if not is_served(node) or np.ndim(rcond):
        return None
    (a,), dtype = node.operands, node.outputs[0].type.dtype
    if node.params["hermitian"]:
        s, v, info = eigen_of(builder, symmetric_part(builder, a), vectors=True)
        u, vt = v, swapped(builder, v)
    else:
        u, s, vt, info = singular_of(builder, a, "S")
    size = builder.elementwise("absolute", s)
    top = extreme(builder, "max", size, (len(s.type.shape) - 1,), keepdims=True)
    limit = builder.elementwise("multiply", constant(dtype.type(rcond)), top, dtype=dtype)
    large = builder.elementwise("greater", size, builder.spread(limit, tuple(s.type.shape)), dtype=BOOL)
    inverted = builder.elementwise("where", large, builder.elementwise("reciprocal", s), constant(dtype.type(0)), dtype=dtype)
    row = builder.reshape(inverted, (*head_of(a), 1, s.type.shape[-1]))
    scaled = builder.elementwise("multiply", swapped(builder, vt), builder.spread(row, tuple(swapped(builder, vt).type.shape)))
    found = builder.emit("matmul", (scaled, swapped(builder, u)), {}, node.outputs[0].type)
    return builder.emit(doubted(node.primitive), (failed(builder, info), found, a), node.params, found.type)


def lstsq(node: Node, builder: Builder) -> tuple[Atom, ...] | None:
    """`lstsq a b`."""
    if not is_served(node):
        return None
    a, b = node.operands
    head = np.broadcast_shapes(head_of(a), head_of(b))
    a, b = (builder.spread(x, (*head, *x.type.shape[-2:])) for x in (a, b))
    x, s = (var.type for var in node.outputs)
    rcond = float(node.params["rcond"])
    found, values, info = builder.emit_several(least_squares, (a, b), {"rcond": rcond}, [x, s, info_type(head)])
    return builder.emit_several(doubted(node.primitive), (failed(builder, info), found, values, *node.operands), node.params, [x, s])


DECOMPOSITIONS: dict[str, tuple[tuple[str, Rewrite], ...]] = {
    "solve": (("a system of equations", solve),),
    "solve_again": (("a system of equations", solve_again),),
    "inv": (("an inverse", inverse),),
    "inverse_or_infinite": (("an inverse", inverse_or_infinite),),
    "det": (("a determinant", determinant),),
    "slogdet": (("a determinant", sign_and_logarithm),),
    "adjugate": (("an adjugate", adjugate),),
    "cholesky": (("a Cholesky factor", cholesky),),
    "qr": (("orthogonal and triangular factors", qr),),
    "eigh": (("eigenvalues", eigh),),
    "eigvalsh": (("eigenvalues", eigvalsh),),
    "svd": (("singular values", svd),),
    "svdvals": (("singular values", svdvals),),
    "values_and_marker": (("eigenvalues", values_with_marker),),
    "pinv": (("a pseudoinverse", pseudoinverse),),
    "lstsq": (("least squares", lstsq),),
}
