"""Degenerate eigenvalues and singular values: clusters, and the freedom that a factorization leaves inside them.

Inside a cluster of equal values the vectors are determined up to a rotation (and in the complex case every
vector up to a phase): the *gauge*.  A function that is the same in every gauge has a derivative, in which what
happens inside the cluster cancels; any other has none.  So the differentials here move nothing along the gauge,
and the pullbacks ask that the cotangent has no part along it, or else raise `DegenerateError`.

Values are equal when they differ by less than a small multiple of the rounding error of the factorization;
a cotangent has no part along the gauge when that part is below the square root of the machine precision,
relative to the cotangent itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer, peek
from wengert.errors import DegenerateError, page
from wengert.primitives.align import equalize_ranks
from wengert.primitives.contraction import adjoint_matrix, strong_matmul
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import all_batched, discrete, linear, smooth
from wengert.primitives.structure import real, spread, sum_


def row(x: Any) -> Any:
    """Vectors as stacks of matrices with one row."""
    return x[..., None, :]


def col(x: Any) -> Any:
    """Vectors as stacks of matrices with one column."""
    return x[..., :, None]


def diagonal(x: Any) -> Any:
    """The diagonal of square matrices."""
    return sum_(scaled(np.eye(x.shape[-1], dtype=x.dtype), x), axis=(-1,), keepdims=False)


def on_diagonal(x: Any) -> Any:
    """Vectors as diagonal matrices."""
    return scaled(np.eye(x.shape[-1], dtype=x.dtype), col(x))


def hermitian_part(x: Any) -> Any:
    """`(x + xᴴ) / 2`."""
    return 0.5 * (x + adjoint_matrix(x))


def skew_part(x: Any) -> Any:
    """`(x - xᴴ) / 2`: for `x = vᴴ dv`, how `v` turns inside its own span."""
    return 0.5 * (x - adjoint_matrix(x))


# --- clusters: discrete facts about the values ------------------------------------------------------------------------


def _linked(close: Any) -> Any:
    """The transitive closure of a relation: equal to a neighbour's neighbour is equal."""
    for _ in range(int(np.ceil(np.log2(max(close.shape[-1], 2))))):
        close = np.matmul(close, close) > 0
    return close


def _same_cluster(w: Any, scale: Any) -> Any:
    """1 where two values belong to the same cluster, as a matrix; always 1 on the diagonal."""
    eps = np.finfo(w.dtype).eps
    gaps = np.abs(w[..., :, None] - w[..., None, :])
    close = (gaps <= 10 * w.shape[-1] * eps * scale) | np.eye(w.shape[-1], dtype=bool)
    return _linked(close).astype(w.real.dtype)


def _near_cluster(w: Any, scale: Any) -> Any:
    """The same, and 1 too where values agree in two thirds of their digits: their quotient of differences has few."""
    size = np.maximum(np.abs(w[..., :, None]), np.abs(w[..., None, :]))
    close = np.abs(w[..., :, None] - w[..., None, :]) <= np.finfo(w.dtype).eps ** (2 / 3) * size
    return _linked(close | (_same_cluster(w, scale) > 0)).astype(w.real.dtype)


near_cluster: Primitive = discrete(
    "near_cluster",
    _near_cluster,
    laws=lambda make: [((np.array([0.0, 0.0, 1.0]), np.ones((1, 1))), {})],
)
same_cluster: Primitive = discrete(
    "same_cluster",
    _same_cluster,
    laws=lambda make: [((np.array([0.0, 0.0, 1.0]), np.ones((1, 1))), {})],
)
is_null = discrete(
    "is_null",
    lambda s, size: (s <= size * np.finfo(s.dtype).eps * s[..., :1]).astype(s.dtype),
    laws=lambda make: [((np.array([1.0, 0.5, 0.0]),), {"size": 3})],
)
largest = discrete(
    "largest_modulus",
    lambda x: np.abs(x).max(axis=(-2, -1), keepdims=True, initial=0),
    laws=lambda make: [((make(2, 3),), {}), ((make(2, 2, 2, kind="c"),), {})],
    is_held=True,
)


column_scale = discrete(
    "column_scale",
    lambda x: _column_scale(x),
    laws=lambda make: [((make(2, 2),), {}), ((make(2, 2, 2, kind="c"),), {})],
    is_held=True,
)


def _column_scale(x: Any) -> Any:
    """For each entry of square matrices the larger of the lengths of its column and of its transposed one."""
    lengths = np.sqrt(np.sum(np.square(np.abs(x)), axis=-2))
    return np.maximum(row(lengths), col(lengths))


def cluster_mean(x: Any, same: Any) -> Any:
    """The mean over the cluster of each entry; exactly `x` where all clusters are single."""
    weights = same / sum_(same, axis=(-1,), keepdims=True)
    return strong_matmul(weights, col(x))[..., 0]


def reciprocal_gaps(w: Any, same: Any) -> Any:
    """`1 / (w_j - w_i)` between clusters, and 0 inside."""
    return (1 - same) / (row(w) - col(w) + same)


def has_clusters(same: Any) -> bool:
    """Whether any values are equal; where none are, everything about clusters may be left out."""
    return bool(peek(lambda value: np.sum(value != 0) > value.size // max(value.shape[-1], 1), same))


def _rotation(change: Any, same: Any) -> Any:
    """Unitary matrices, mixing within clusters only, that make `change` diagonal there, in ascending order."""
    change, same = np.broadcast_arrays(change, same)
    result = np.zeros(change.shape, change.dtype)
    for place in np.ndindex(change.shape[:-2]):
        for members in {tuple(np.flatnonzero(line)) for line in same[place]}:
            block = np.ix_(members, members)
            result[place][block] = np.linalg.eigh(change[place][block])[1]
    return result


rotation: Primitive = discrete(
    "rotation",
    _rotation,
    batch=lambda xs, is_batched, params: rotation(*equalize_ranks(xs, is_batched)),
    laws=lambda make: [((np.diag([1.0, 2.0]), np.ones((2, 2))), {})],
    is_held=True,
)


def depth_of(x: Any) -> int:
    """How many derivatives are being taken of `x`: levels that know a tangent of it, or its place in a record.

    A batch knows a number too, its axis, but hides that axis; what draws a graph knows neither.
    """
    depth = 0
    while isinstance(x, Tracer):
        is_known = hasattr(x.extra, "shape") or isinstance(x.extra, int)
        depth += is_known and len(x.shape) == len(x.value.shape)
        x = x.value
    return depth


def chosen_direction(a: Any) -> tuple[Any, ...]:
    """The change of `a` that is to be diagonal inside the clusters: its tangent, or a matrix in general position.

    Along a tangent the vectors of a cluster move smoothly when the tangent mixes none of them.  A cotangent is not
    known yet; in general position its diagonal tells enough about it.  Where no derivative is taken there is no need
    of a direction: vectors stay as LAPACK gives them.
    """
    if not depth_of(a):
        return ()
    watched = a
    while isinstance(watched, Tracer):
        if hasattr(watched.extra, "shape"):
            return (watched.extra,)
        watched = watched.value
    return (_in_general_position(*a.shape[-2:]).astype(a.dtype),)


@lru_cache(maxsize=256)
def _in_general_position(m: int, n: int) -> Any:
    return np.random.default_rng(0).standard_normal((m, n))


def may_meet(w: Any) -> bool:
    """Whether values in order, ascending or descending, come so close that it pays to look for clusters."""
    steps = np.abs(w[..., 1:] - w[..., :-1])
    return bool((steps <= 1e-6 * np.abs(w).max(-1, keepdims=True, initial=0)).any())


def plain_hermitian_part(x: Any) -> Any:
    """`(x + xᴴ) / 2` of an array that nobody watches."""
    turned = x.swapaxes(-1, -2)
    return 0.5 * (x + (turned.conj() if x.dtype.kind == "c" else turned))


def keeps_vectors(change: Any, same: Any, values: Any) -> Any:
    """`change`, of the matrix in the basis of its vectors, provided that it mixes no vectors of a cluster."""
    if not has_clusters(same):
        return change
    part = hermitian_part(change)
    return without_gauge(change, part - on_diagonal(diagonal(part)), largest(part), same, values, what="split")


def zeros_stay(x: Any, change: Any, null: Any, values: Any, *, rectangular: bool) -> Any:
    """`x`, provided that `change`, in the basis of the vectors, leaves singular values that are zero where they are."""
    if not peek(np.any, null):
        return x
    if rectangular:  # the complement moves zeros as well: nothing is known of it here
        return without_gauge(x, null * largest(change), 0.5 * largest(change), null, values, what="second")
    return without_gauge(x, change, largest(change), null, values, what="second")


# --- the two questions ------------------------------------------------------------------------------------------------


def real_diagonal(x: Any) -> Any:
    """The real part of the diagonal."""
    return real(diagonal(x))


def _without_gauge(x: Any, offence: Any, scale: Any, same: Any, values: Any, what: str) -> Any:
    tolerance = np.sqrt(np.finfo(x.dtype).eps)
    bad = (np.abs(offence) > tolerance * scale) & (same > 0)
    if bad.any():
        *stack, i, _ = np.argwhere(bad)[0]
        members = np.nonzero(np.broadcast_to(same, bad.shape)[tuple(stack)][i])[0]
        found = np.broadcast_to(values, (*bad.shape[:-2], 1, values.shape[-1]))[(*stack, 0, members)]
        raise _degenerate(what, members.tolist(), found.tolist())
    return x


def batched_judgement(card: Primitive, xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    """Apply a card that returns its first operand; the others only judge it, and may be batched where it is not."""
    n = next(x.shape[0] for x, flag in zip(xs, is_batched, strict=True) if flag)
    first = xs[0] if is_batched[0] else spread(xs[0], shape=(n, *xs[0].shape))
    return card(first, *equalize_ranks(xs[1:], is_batched[1:]), **params)


without_gauge: Primitive = linear(
    "without_gauge",
    _without_gauge,
    lambda ct, *rest, **params: ct,
    batch=lambda xs, is_batched, params: batched_judgement(without_gauge, xs, is_batched, params),
    laws=lambda make: [((make(2, 2),), {"what": "values"}, None, _without_offence)],
)


def _without_offence(x: Any) -> tuple[Any, ...]:
    """Operands that nothing is to be said against, for the laws."""
    return x, np.zeros((2, 2)), np.ones((2, 2)), np.eye(2), np.zeros((1, 2))


def _significance(part: Any, whole: Any, scale: Any, same: Any) -> tuple[Any, Any]:
    """For each value 1 where its cluster's block of `whole` is not zero, and 1 where that of `part` is not either."""
    tolerance = np.sqrt(np.finfo(whole.dtype).eps)
    size = (np.abs(whole) * same).max(-1)
    size = (size[..., None, :] * same).max(-1)
    floor = tolerance * (np.diagonal(scale, 0, -2, -1)[..., None, :] * same).max(-1)
    part_size = (np.abs(part)[..., None, :] * same).max(-1)
    matters = size > floor
    return matters.astype(same.dtype), (matters & (part_size > tolerance * size)).astype(same.dtype)


is_significant: Primitive = discrete(
    "is_significant", _significance, n_outputs=2,
    batch=lambda xs, is_batched, params: is_significant(*all_batched(xs, is_batched)),
    laws=lambda make: [((make(3), make(3, 3), np.ones((3, 3)), np.eye(3)), {})],
)


def inside_clusters(ct_w: Any, turn: Any, same: Any, values: Any) -> Any:
    """The cotangent of the matrix, in the basis of its vectors, inside the clusters; `turn` is that of the vectors.

    Of `x`, the answer, the cotangent of the values is the diagonal, which depends on the basis that came back,
    while the Hermitian part `h` of `turn` is known as a whole.  For a sum over the values `x` is a multiple of the
    identity, for a projector it is 0, and for `tr(b v f(w) vᴴ)` it is `f' / 2f` times `h`: always `x = α + κ h`.
    So `κ` is read off the diagonals; when they do not determine it or do not agree, there is no derivative to be had.
    """
    if not has_clusters(same):
        return on_diagonal(ct_w)
    mean = cluster_mean(ct_w, same)
    part = hermitian_part(turn) * same
    part = part - on_diagonal(cluster_mean(real_diagonal(part), same))
    line = real_diagonal(part)
    matters, is_known = is_significant(line, part, column_scale(turn), same)
    unknown = row(matters * (1 - is_known)) * same
    fit = cluster_mean((ct_w - mean) * line, same) / (cluster_mean(line * line, same) + (1 - is_known)) * is_known
    rest = on_diagonal(ct_w - mean - fit * line)
    ct_w = without_gauge(ct_w, rest, largest(row(ct_w)), same, values, what="values")
    ct_w = without_gauge(ct_w, unknown, 0.5 * unknown, same, values, what="open")
    return on_diagonal(cluster_mean(ct_w, same)) + row(fit) * part


_ANY_BASIS = (
    "v @ v.conj().T   # the projector on the whole cluster, whose vectors are the columns of v\n"
    "np.linalg.eigvalsh(a)   # or eigvals, svdvals, where only the values matter, and symmetric functions of them\n"
    "wg.stop_gradient(v)   # where no derivative of the vectors is wanted"
)
# what happened ({names} and {values} of the cluster), why, what to write
_PAGES = {
    "phase": (
        "the output depends on the phase of vector {names}, which belongs to the value {values}.",
        "A complex eigenvector or pair of singular vectors times any phase is as good, so no derivative exists along it.",
        "v * (abs(v[0]) / v[0])   # the vector with a real first entry\n"
        "np.abs(v)   # or v @ v.conj().T, which no phase changes",
    ),
    "vectors": (
        "the output depends on single vectors of a degenerate cluster: values {names} are equal ({values}).",
        "Any rotation of these vectors among themselves is as good, and the output depends on which came back.",
        _ANY_BASIS,
    ),
    "values": (
        "the output treats the values of a degenerate cluster differently: values {names} are equal ({values}).",
        "Which of them comes first, with which vector, depends on the direction in which the matrix changes.",
        "w, v = np.linalg.eigh(a)   # once more for each function v @ diag(f(w)) @ v.conj().T\n" + _ANY_BASIS,
    ),
    "open": (
        "values and vectors of a degenerate cluster leave the derivative open: values {names} are equal ({values}).",
        "For v @ diag(f(w)) @ v.conj().T it needs the derivative of f at the repeated value, which the cotangents of\n"
        "w and v do not tell when every vector of the cluster has the same share in the output.",
        "np.linalg.inv(a)   # or matrix_power, np.trace: the function without the factorization",
    ),
    "second": (
        "no second derivative can be had in a degenerate cluster: values {names} are equal ({values}).",
        "The first derivative exists here, but the second is asked for along a direction that splits the cluster.",
        "np.linalg.eigvalsh(a)   # or svdvals: functions that treat equal values alike have second derivatives\n"
        "np.linalg.inv(a)   # or np.trace, np.linalg.norm: the function without the factorization",
    ),
    "split": (
        "a linear map was asked for along a direction that splits a degenerate cluster: values {names} are equal ({values}).",
        "The vectors then jump to those that the direction singles out, and the map was made before it was known.",
        "jvp(f, (a,), (da,)), which knows its direction; jacobian(f, mode='reverse'); or eigvalsh for the values alone",
    ),
    "null": (
        "the output depends on the vectors of zero singular values: values {names} are zero ({values}).",
        "The matrix does not determine these vectors, and the output depends on which came back.",
        "u[:, :r], s[:r], vh[:r]   # with the rank r\nnp.linalg.svdvals(a)   # where only the values matter",
    ),
    "defective": (
        "a defective matrix has no derivative of its eigenvalues: values {names} are equal ({values}).",
        "Their eigenvectors are parallel up to rounding, and the values move with a root of the change.",
        "np.trace(a)   # or np.linalg.det, or another function of the matrix itself",
    ),
    "dependent": (
        "the derivative of a QR factorization does not exist: column {names} depends on those before it (r is {values}).",
        "Its direction in q is not determined by the matrix.",
        "np.linalg.pinv(a)   # or np.linalg.svd; or a matrix whose leading columns are independent",
    ),
    "complement": (
        "the output depends on single vectors of a complement: columns {names} may be any basis of it.",
        "The columns that a complete factorization adds are not determined by the matrix.",
        "np.linalg.qr(a, mode='reduced')   # or svd(a, full_matrices=False)\n"
        "v @ v.conj().T   # the projector on all of them, the columns of v",
    ),
}


def _degenerate(what: str, members: list[int], values: list[Any]) -> DegenerateError:
    """The page for one cluster; a cluster of one vector is a phase that the output depends on."""
    if what == "vectors" and len(members) == 1:
        what = "phase"
    headline, reason, write = _PAGES[what]
    names, shown = ", ".join(map(str, members)), ", ".join(f"{value:.6g}" for value in values)
    return DegenerateError(page(headline.format(names=names, values=shown), reason, write, "degenerate"))


def _held_differential(
    dxs: Sequence[Any], y: Any, g: Any, a: Any, left: Any, right: Any, same: Any, values: Any, symmetric: bool
) -> Any:
    if dxs[0] is None or dxs[1] is None:
        return dxs[0]
    return _keeps_cluster(dxs[0], adjoint_matrix(left) @ dxs[1] @ right, same, values, symmetric)


def _keeps_cluster(x: Any, change: Any, same: Any, values: Any, symmetric: bool) -> Any:
    """`x`, provided that `change` (of the matrix, in the basis of its vectors) moves each cluster as a whole."""
    change = hermitian_part(change) if symmetric else change
    split = change - on_diagonal(cluster_mean(diagonal(change), same))
    return without_gauge(x, split, largest(change), same, values, what="second")


def _in_own_basis(g: Any, a: Any) -> tuple[Any, ...]:
    """Operands that are in the basis of their vectors already, for the laws."""
    return g, a, np.eye(2), np.eye(2), np.eye(2), np.zeros((1, 2))


held: Primitive = smooth(
    "held",
    lambda g, *rest, symmetric: g,
    _held_differential,
    pullback=lambda ct, y, g, a, left, right, same, values, symmetric: (
        _keeps_cluster(ct, ct, same, values, symmetric), None, None, None, None, None,
    ),  # fmt: skip
    batch=lambda xs, is_batched, params: batched_judgement(held, xs, is_batched, params),
    laws=lambda make: [((make(2, 2), make(2, 2)), {"symmetric": kind}, None, _in_own_basis) for kind in (False, True)],
)
