"""Linear algebra of complex matrices, and eigenvalues of general ones, said by LAPACK's functions on arrays of parts.

::

    x = solve a b   ->   lu, p, info = lu_factor a'; x' = lu_solve lu p b'; x = checked x' (any (info ≠ 0))

The primes are arrays of parts as they lie in memory, which are LAPACK's complex numbers.  Eigenvalues of real matrices are real or complex as
the values decide: a program is made for what they were, and where they are otherwise the card is asked, and says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, Shape, constant
from wengert.compiler.decompositions import (
    BOOL,
    FLOATS,
    anywhere,
    checked,
    close_neighbours,
    either,
    failed,
    info_type,
    is_served,
    swapped,
    triangular_part,
)
from wengert.compiler.gauges import in_dtype
from wengert.compiler.general import DOUBLE, eps_of, finite_or_zero, general_eigenvalues, is_somewhere, meet
from wengert.compiler.loops import dtype_name
from wengert.compiler.pairs import PART, Pairing, called, flags_of, is_complex
from wengert.compiler.placed import doubted
from wengert.compiler.routines import (
    INT,
    Routine,
    cholesky_factor,
    complex_eigen,
    lu_factor,
    lu_solve,
    of_parts,
    qr_columns,
    qr_factor,
    singular_values,
    symmetric_eigen,
)
from wengert.core.graph import Atom, Node, Var
from wengert.core.primitive import primitive_named
from wengert.core.types import ArrayType


def is_native(node: Node) -> bool:
    """Whether all operands are matrices of one precision, some complex, with something in them."""
    kinds = {PART.get(a.type.dtype, a.type.dtype) for a in node.operands}
    return len(kinds) == 1 and dtype_name(kinds.pop()) in FLOATS and all(0 not in a.type.shape for a in node.operands) and any(map(is_complex, node.operands))


def whole(pairing: Pairing, atom: Atom, head: Shape | None = None) -> Atom:
    """A value as an array of parts, for each member of a batch."""
    if is_complex(atom):
        found = pairing.together(atom)
    else:
        found = pairing.side_by_side(pairing.pair(atom, np.result_type(atom.type.dtype, np.complex64)))
    return found if head is None else pairing.builder.spread(found, (*head, *found.type.shape[-3:]))


def give(pairing: Pairing, node: Node, *values: Atom) -> bool:
    """The results of a node, complex ones as arrays of parts."""
    for var, value in zip(node.outputs, values, strict=True):
        (pairing.joined if is_complex(var) else pairing.same)[var] = value
    return True


def run(pairing: Pairing, routine: Routine, operands: tuple[Atom, ...], params: Any, *shapes: tuple[Shape, Any], head: Shape) -> tuple[Atom, ...]:
    """The results of a function of LAPACK."""
    types = [*[ArrayType((*head, *shape), dtype) for shape, dtype in shapes], info_type(head)]
    return tuple(pairing.builder.emit_several(of_parts(routine), operands, params, types))


def doubtful(pairing: Pairing, node: Node, doubt: Atom, *values: Atom) -> bool:
    """The results, unless there is a doubt: then the card is asked."""
    builder = pairing.builder
    flags, found = flags_of(node)
    operands = pairing.given(node, flags)
    card = doubted(called(node.primitive, flags, found))
    if len(values) == 1:
        return give(pairing, node, builder.emit(card, (doubt, *values, *operands), node.params, values[0].type))
    return give(pairing, node, *builder.emit_several(card, (doubt, *values, *operands), node.params, [v.type for v in values]))


def factors(pairing: Pairing, a: Atom) -> tuple[Atom, Atom, Atom]:
    """`a = p l u`."""
    *head, n, _ = a.type.shape
    parts = whole(pairing, a)
    lu, pivots, info = run(pairing, lu_factor, (parts,), {}, ((n, n, 2), parts.type.dtype), ((n,), INT), head=tuple(head))
    return lu, pivots, info


def solved(pairing: Pairing, a: Atom, b: Atom) -> tuple[Atom, Atom]:
    """`a⁻¹ b`, and whether the matrix is singular for one of the batch."""
    n, k = b.type.shape[-2:]
    head = tuple(np.broadcast_shapes(a.type.shape[:-2], b.type.shape[:-2]))
    lu, pivots, info = factors(pairing, a)
    right = whole(pairing, b, head)
    x, _ = run(pairing, lu_solve, (lu, pivots, right), {"turned": False}, ((n, k, 2), right.type.dtype), head=head)
    return x, failed(pairing.builder, info)


def solve(pairing: Pairing, node: Node) -> bool:
    """`solve a b`."""
    if not is_native(node):
        return False
    x, bad = solved(pairing, *node.operands)
    return give(pairing, node, checked(pairing.builder, x, bad, "singular"))


def solve_again(pairing: Pairing, node: Node) -> bool:
    """`solve_again a b`, which is zero where all of `b` is, whatever `a` is."""
    if not is_native(node):
        return False
    builder, (_, b) = pairing.builder, node.operands
    x, bad = solved(pairing, *node.operands)
    right = whole(pairing, b)
    none = constant(right.type.dtype.type(0))
    some = is_somewhere(builder, right)
    kept = builder.elementwise("where", builder.spread(some, tuple(x.type.shape)), x, none, dtype=x.type.dtype)
    return give(pairing, node, checked(builder, kept, builder.elementwise("logical_and", some, bad, dtype=BOOL), "singular"))


def identity(a: Atom) -> Atom:
    """The unit matrix of parts."""
    return constant(np.eye(a.type.shape[-1], dtype=a.type.dtype))


def inverse(pairing: Pairing, node: Node) -> bool:
    """`inv a  ->  solve a 1`."""
    if not is_native(node):
        return False
    x, bad = solved(pairing, node.operands[0], identity(node.operands[0]))
    return give(pairing, node, checked(pairing.builder, x, bad, "singular"))


def inverse_or_infinite(pairing: Pairing, node: Node) -> bool:
    """The same; the card is asked where it is singular."""
    if not is_native(node):
        return False
    x, bad = solved(pairing, node.operands[0], identity(node.operands[0]))
    return doubtful(pairing, node, bad, x)


# --- determinants -------------------------------------------------------------------------------------------------------


def step(pairing: Pairing, name: str, operands: tuple[Atom, ...], type_: ArrayType, **params: Any) -> Var:
    """The result of a card of complex numbers."""
    out = Var(type_)
    pairing.place(Node(primitive_named(name), operands, params, (out,), pairing.builder.location))
    return out


def phase_and_log(pairing: Pairing, a: Atom) -> tuple[Var, Atom]:
    """The phase of the determinant, and the logarithm of its absolute value; 0 and -inf of singular matrices."""
    builder, (*head, n, _), dtype = pairing.builder, a.type.shape, a.type.dtype
    real = PART[dtype]
    lu, pivots, info = factors(pairing, a)
    matrix = Var(a.type)
    pairing.joined[matrix] = lu
    mask = constant(np.eye(n, dtype=bool))
    on_diagonal = builder.spread(mask, tuple(a.type.shape))
    line_type = ArrayType((*head, n), dtype)
    picked = step(pairing, "where", (on_diagonal, matrix, constant(dtype.type(0))), a.type)
    line = step(pairing, "sum", (picked,), line_type, axis=(-1,), keepdims=False)
    size = builder.elementwise("hypot", *pairing.pair(line))
    places = constant(np.arange(1, n + 1, dtype=INT))
    is_turned = builder.elementwise("not_equal", pivots, builder.spread(places, tuple(pivots.type.shape)), dtype=BOOL)
    signed = builder.elementwise("where", is_turned, builder.elementwise("negative", size), size, dtype=real)
    phases = step(pairing, "divide", (line, signed), line_type)
    phase = step(pairing, "prod", (phases,), ArrayType(tuple(head), dtype), axis=(-1,), keepdims=False)
    is_bad = builder.elementwise("not_equal", info, constant(INT.type(0)), dtype=BOOL)
    phase = step(pairing, "where", (is_bad, constant(dtype.type(0)), phase), ArrayType(tuple(head), dtype))
    log = builder.sum(builder.elementwise("log", size), (len(head),))
    log = builder.elementwise("where", is_bad, constant(real.type(-np.inf)), log, dtype=real)
    return phase, log


def sign_and_logarithm(pairing: Pairing, node: Node) -> bool:
    """`slogdet a`."""
    if not is_native(node):
        return False
    phase, log = phase_and_log(pairing, node.operands[0])
    pairing.parts[node.outputs[0]], pairing.same[node.outputs[1]] = pairing.pair(phase), log
    return True


def determinant(pairing: Pairing, node: Node) -> bool:
    """`det a`, as NumPy takes it."""
    if not is_native(node):
        return False
    phase, log = phase_and_log(pairing, node.operands[0])
    size = pairing.builder.elementwise("exp", log)
    return pairing.give(node, *[pairing.builder.elementwise("multiply", part, size) for part in pairing.pair(phase)])


def adjugate(pairing: Pairing, node: Node) -> bool:
    """`adj a  ->  det(a) a⁻¹`, where that is finite; else the card is asked."""
    if not is_native(node):
        return False
    (a,), builder, dtype = node.operands, pairing.builder, PART[node.operands[0].type.dtype]
    phase, log = phase_and_log(pairing, a)
    size = builder.elementwise("exp", log)
    x, _ = solved(pairing, a, identity(a))
    inverse_of_a, det = Var(a.type), Var(phase.type)
    pairing.joined[inverse_of_a] = x
    re, im = pairing.pair(phase)
    pairing.parts[det] = (builder.elementwise("multiply", re, size), builder.elementwise("multiply", im, size))
    product = step(pairing, "multiply", (step(pairing, "spread", (stacked(pairing, det),), a.type, shape=tuple(a.type.shape)), inverse_of_a), a.type)
    parts = pairing.together(product)
    is_large = builder.elementwise("greater", size, constant(np.finfo(dtype).tiny), dtype=BOOL)
    usable = builder.elementwise("logical_and", builder.elementwise("isfinite", size, dtype=BOOL), is_large, dtype=BOOL)
    fine = builder.elementwise("isfinite", parts, dtype=BOOL)
    doubts = [anywhere(builder, builder.elementwise("logical_not", truth, dtype=BOOL)) for truth in (usable, fine)]
    return doubtful(pairing, node, either(builder, *doubts), parts)


def stacked(pairing: Pairing, x: Var) -> Var:
    """Numbers as matrices with one entry."""
    shape = (*x.type.shape, 1, 1)
    return step(pairing, "reshape", (x,), ArrayType(shape, x.type.dtype), shape=shape)


# --- Cholesky and QR ----------------------------------------------------------------------------------------------------


def adjoint(pairing: Pairing, a: Atom) -> tuple[Atom, Atom]:
    """The parts of the conjugate transpose."""
    builder = pairing.builder
    re, im = (swapped(builder, part) for part in pairing.pair(a))
    return re, builder.elementwise("negative", im)


def hermitian_part(pairing: Pairing, a: Atom) -> Atom:
    """`(a + aᴴ) / 2` as an array of parts."""
    builder = pairing.builder
    half = constant(PART[a.type.dtype].type(0.5))
    sums = [builder.elementwise("add", x, y) for x, y in zip(pairing.pair(a), adjoint(pairing, a), strict=True)]
    re, im = (builder.elementwise("multiply", half, total, dtype=total.type.dtype) for total in sums)
    return pairing.side_by_side((re, im))


def triangle(pairing: Pairing, parts: Atom, type_: ArrayType, *, lower: bool) -> tuple[Atom, Atom]:
    """The parts of one triangle of each matrix, and zeros."""
    matrix = Var(type_)
    pairing.joined[matrix] = parts
    re, im = (triangular_part(pairing.builder, part, lower=lower) for part in pairing.pair(matrix))
    return re, im


def cholesky(pairing: Pairing, node: Node) -> bool:
    """`cholesky a`: the lower factor, or its conjugate transpose."""
    if not is_native(node):
        return False
    (a,), out, builder = node.operands, node.outputs[0], pairing.builder
    *head, n, _ = a.type.shape
    part = hermitian_part(pairing, a)
    l, info = run(pairing, cholesky_factor, (part,), {}, ((n, n, 2), part.type.dtype), head=tuple(head))
    l = checked(builder, l, failed(builder, info), "indefinite")
    factor = Var(a.type)
    pairing.parts[factor] = triangle(pairing, l, a.type, lower=True)
    pairing.parts[out] = adjoint(pairing, factor) if node.params["upper"] else pairing.parts[factor]
    return True


def qr(pairing: Pairing, node: Node) -> bool:
    """`qr a`: `r` is what lies on and above the diagonal of LAPACK's result, `q` is made of the rest."""
    if not is_native(node):
        return False
    (a,), builder = node.operands, pairing.builder
    *head, m, n = a.type.shape
    k, parts, every = min(m, n), whole(pairing, a), [slice(None)] * len(head)
    dtype = parts.type.dtype
    h, scales, _ = run(pairing, qr_factor, (parts,), {}, ((m, n, 2), dtype), ((k, 2), dtype), head=tuple(head))
    columns, rows = (m, m) if node.params["complete"] else (k, k)
    if columns <= n:
        part = builder.index(h, (*every, slice(None), slice(0, columns), slice(None)))
    else:
        part = builder.deposit(h, (*every, slice(None), slice(0, n), slice(None)), (*head, m, columns, 2))
    q, _ = run(pairing, qr_columns, (part, scales), {"columns": columns}, ((m, columns, 2), dtype), head=tuple(head))
    top = builder.index(h, (*every, slice(0, rows), slice(None), slice(None)))
    pairing.joined[node.outputs[0]] = q
    pairing.parts[node.outputs[1]] = triangle(pairing, top, node.outputs[1].type, lower=False)  # type: ignore[arg-type]  # results are arrays
    return True


# --- eigenvalues and singular values --------------------------------------------------------------------------------------


def eigen_of(pairing: Pairing, a: Atom, *, vectors: bool, uplo: str) -> tuple[Atom, ...]:
    """LAPACK's function for Hermitian matrices."""
    *head, n, _ = a.type.shape
    part = hermitian_part(pairing, a)
    return run(
        pairing, symmetric_eigen, (part,), {"vectors": vectors, "uplo": uplo}, ((n,), part.type.dtype), ((n, n, 2), part.type.dtype),
        head=tuple(head),
    )  # fmt: skip


def eigh(pairing: Pairing, node: Node) -> bool:
    """`eigh a`; where values meet and a basis has to be chosen, the card is asked."""
    if not is_native(node):
        return False
    a, *direction = node.operands
    w, v, info = eigen_of(pairing, a, vectors=True, uplo=node.params["uplo"])
    builder = pairing.builder
    return doubtful(pairing, node, either(builder, failed(builder, info), close_neighbours(builder, w) if direction else None), w, v)


def eigvalsh(pairing: Pairing, node: Node) -> bool:
    """`eigvalsh a`."""
    if not is_native(node):
        return False
    w, _, info = eigen_of(pairing, node.operands[0], vectors=False, uplo=node.params["uplo"])
    return doubtful(pairing, node, failed(pairing.builder, info), w)


def singular_of(pairing: Pairing, a: Atom, job: str) -> tuple[Atom, ...]:
    """LAPACK's function for singular values."""
    *head, m, n = a.type.shape
    k, parts = min(m, n), whole(pairing, a)
    rows, columns = {"A": (m, n), "S": (k, k), "N": (1, 1)}[job]
    u, vt = ((m, rows, 2), (columns, n, 2)) if job != "N" else ((1, 1, 2),) * 2
    dtype = parts.type.dtype
    return run(pairing, singular_values, (parts,), {"job": job}, (u, dtype), ((k,), dtype), (vt, dtype), head=tuple(head))


def svd(pairing: Pairing, node: Node) -> bool:
    """`svd a`; where values meet and a basis has to be chosen, the card is asked."""
    if not is_native(node):
        return False
    a, *direction = node.operands
    u, s, vt, info = singular_of(pairing, a, "A" if node.params["full"] else "S")
    builder = pairing.builder
    return doubtful(pairing, node, either(builder, failed(builder, info), close_neighbours(builder, s) if direction else None), u, s, vt)


def svdvals(pairing: Pairing, node: Node) -> bool:
    """`svdvals a`."""
    if not is_native(node):
        return False
    _, s, _, info = singular_of(pairing, node.operands[0], "N")
    return doubtful(pairing, node, failed(pairing.builder, info), s)


# --- general matrices ---------------------------------------------------------------------------------------------------


def unpacked(builder: Builder, packed: Atom, im: Atom) -> tuple[Atom, Atom]:
    """The parts of eigenvectors: a value with a positive imaginary part has them in its own column and the next one, its conjugate the same."""
    *head, n, _ = packed.type.shape
    every, shape, type_ = [slice(None)] * (len(head) + 1), tuple(packed.type.shape), packed.type
    first, last = (builder.index(packed, (*every, taken)) for taken in (slice(0, 1), slice(n - 1, n)))
    behind = builder.emit("concatenate", (first, builder.index(packed, (*every, slice(0, n - 1)))), {"axis": -1}, type_)
    ahead = builder.emit("concatenate", (builder.index(packed, (*every, slice(1, n))), last), {"axis": -1}, type_)
    none = constant(type_.dtype.type(0))
    row = builder.spread(builder.reshape(im, (*head, 1, n)), shape)
    is_first = builder.elementwise("greater", row, none, dtype=BOOL)
    is_second = builder.elementwise("less", row, none, dtype=BOOL)
    re = builder.elementwise("where", is_second, behind, packed, dtype=type_.dtype)
    conjugate = builder.elementwise("where", is_second, builder.elementwise("negative", packed), none, dtype=type_.dtype)
    return re, builder.elementwise("where", is_first, ahead, conjugate, dtype=type_.dtype)


def general(pairing: Pairing, node: Node) -> bool:
    """Eigenvalues, and vectors, of a matrix that may have complex ones."""
    (a,), builder = node.operands, pairing.builder
    vectors = len(node.outputs) == 2
    if is_complex(a):
        return is_native(node) and general_complex(pairing, node)
    if not is_served(node) or not is_complex(node.outputs[0]):
        return False
    re, im, packed, doubt = general_eigenvalues(builder, pairing.same.get(a, a), vectors=vectors)
    doubt = either(builder, doubt, builder.elementwise("logical_not", is_somewhere(builder, im), dtype=BOOL))
    parts = [(re, im), *([unpacked(builder, packed, im)] if vectors else [])]
    joined = [in_dtype(builder, pairing.side_by_side(pair), PART[node.outputs[0].type.dtype]) for pair in parts]
    return doubtful(pairing, node, doubt, *joined)


def general_complex(pairing: Pairing, node: Node) -> bool:
    """The same of a complex matrix."""
    (a,), builder, vectors = node.operands, pairing.builder, len(node.outputs) == 2
    *head, n, _ = a.type.shape
    parts, doubt = finite_or_zero(builder, in_dtype(builder, whole(pairing, a), DOUBLE))
    v_shape = (n, n, 2) if vectors else (1, 1, 2)
    w, v, info = run(pairing, complex_eigen, (parts,), {"vectors": vectors}, ((n, 2), parts.type.dtype), (v_shape, parts.type.dtype), head=tuple(head))
    doubt = either(builder, doubt, failed(builder, info))
    if vectors:
        values = Var(ArrayType((*head, n), np.dtype(complex)))
        pairing.joined[values] = w
        doubt = either(builder, doubt, meet(builder, *pairing.pair(values), parts, eps_of(a)))
    return doubtful(pairing, node, doubt, *[in_dtype(builder, x, PART[a.type.dtype]) for x in (w, *([v] if vectors else []))])


MATRICES = {
    "solve": solve, "solve_again": solve_again, "inv": inverse, "inverse_or_infinite": inverse_or_infinite, "det": determinant,
    "slogdet": sign_and_logarithm, "adjugate": adjugate, "cholesky": cholesky, "qr": qr, "eigh": eigh, "eigvalsh": eigvalsh, "svd": svd, "svdvals": svdvals,
    "eig": general, "eigvals": general,
}  # fmt: skip
