"""Cards: eigenvalues, singular values and their vectors.

Conventions, all of them explained in `wengert.primitives.gauge`:

* `eigh` and `eigvalsh` read one triangle.  The derivative is that of the Hermitian matrix which it stands for,
  with respect to the Hermitian part of the argument: gradients come out Hermitian.
* Vectors move orthogonally to their gauge.  In reverse mode a cotangent with a part along the gauge raises
  `DegenerateError`, which names the cluster.  Forward mode cannot see what will be made of the vectors.
* `eigvalsh`, `eigvals` and `svdvals` are continuous, and kinked where values meet.  There each value moves with
  the mean of its cluster: so ties share equally (`eigvalsh(a).max()` at the identity has the gradient `eye / n`),
  and for a pair this is the mean of the one-sided derivatives.  Singular values that are zero do not move, as
  `abs` at 0.
* `eigh` chooses the basis inside a cluster, where any is as good: under `jvp` the one along which the vectors move
  smoothly, so that forward mode is exact for every function `v f(w) vᴴ`; else one in general position, in which the
  cotangents of values and vectors tell the derivative of `f` at the repeated value: see `inside_clusters`.  Where they
  leave it open, and where a linear map is pushed along a direction that splits a cluster, the error says so.  In
  `v f(w) v⁻¹` through `eig` the cotangents tell less, so that there more is refused.
* Second derivatives of functions that treat equal values alike exist, and are right, through `eigvalsh` and `svdvals`:
  see `wengert.primitives.symmetric`.  Those of functions of the vectors exist here along directions that move each
  cluster as a whole; otherwise they raise `DegenerateError`, as do third derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.record import is_absent
from wengert.primitives.align import equalize_ranks
from wengert.primitives.contraction import adjoint_matrix
from wengert.primitives.families import all_batched, discrete, smooth
from wengert.primitives.gauge import (
    chosen_direction,
    cluster_mean,
    col,
    column_scale,
    depth_of,
    diagonal,
    has_clusters,
    held,
    hermitian_part,
    inside_clusters,
    keeps_vectors,
    largest,
    may_meet,
    near_cluster,
    on_diagonal,
    plain_hermitian_part,
    real_diagonal,
    reciprocal_gaps,
    rotation,
    row,
    same_cluster,
    skew_part,
    without_gauge,
)
from wengert.primitives.solving import as_matrices, assert_square, resolve
from wengert.primitives.structure import real
from wengert.primitives.symmetric import BASES, HOLDS, Basis, values_and_marker

EigResult: Any = type(np.linalg.eig(np.eye(1)))
EighResult: Any = type(np.linalg.eigh(np.eye(1)))


def _symmetric(make: Any, *shape: int, kind: str = "f") -> Any:
    """A random Hermitian matrix, for the laws."""
    x = make(*shape, shape[-1], kind=kind)
    return x + np.conjugate(np.swapaxes(x, -1, -2))


# --- Hermitian matrices -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _lower(n: int) -> Any:
    return np.tri(n, dtype=bool)


def _read_triangle(a: Any, uplo: str) -> Any:
    turned = a.swapaxes(-1, -2)
    below = _lower(a.shape[-1])
    mask = below if uplo == "L" else below.T
    if a.dtype.kind != "c":
        return np.where(mask, a, turned)
    whole = np.where(mask, a, turned.conj())
    index = np.arange(a.shape[-1])
    whole[..., index, index] = whole[..., index, index].real
    return whole


read_triangle: Primitive = smooth("read_triangle", _read_triangle, lambda dxs, y, a, uplo: dxs[0], laws=lambda make: [
    ((make(3, 3, kind=kind),), {"uplo": uplo}, None, lambda x: (x + np.conjugate(np.swapaxes(x, -1, -2)),))
    for kind, uplo in (("f", "L"), ("f", "U"), ("c", "L"), ("c", "U"))
])  # fmt: skip


def hermitian_operand(a: Any, uplo: str) -> Any:
    """The Hermitian matrix that a triangle of each matrix stands for; see the conventions above."""
    (a,) = as_matrices(a)
    assert_square(a)
    if uplo.upper() not in ("L", "U"):
        msg = "UPLO argument must be 'L' or 'U'"
        raise ValueError(msg)
    return read_triangle(a, uplo=uplo.upper())


def _eigenbasis(w: Any) -> tuple[Any, Any]:
    same = same_cluster(w, largest(row(w)))
    return same, reciprocal_gaps(w, same)


def _eigh(a: Any, *direction: Any, uplo: Any) -> tuple[Any, Any]:
    w, v = np.linalg.eigh(plain_hermitian_part(a), uplo)
    if direction and may_meet(w):
        same = same_cluster(w, largest(row(w)))
        if has_clusters(same):
            v = v @ rotation(adjoint_matrix(v) @ hermitian_part(direction[0]) @ v, same)
    return w, v


def _eigh_differential(dxs: Sequence[Any], y: Any, a: Any, *direction: Any, uplo: str) -> tuple[Any, Any]:
    if dxs[0] is None:
        return None, None
    w, v = y
    same, gaps = _eigenbasis(w)
    m = keeps_vectors(adjoint_matrix(v) @ hermitian_part(dxs[0]) @ v, same, row(w))
    m = held(m, a, v, v, same, row(w), symmetric=True)
    return real_diagonal(m), v @ (gaps * m)


def _eigh_pullback(ct: Any, y: Any, a: Any, *direction: Any, uplo: str) -> tuple[Any, Any]:
    (ct_w, ct_v), (w, v) = ct, y
    same, gaps = _eigenbasis(w)
    if is_absent(ct_v):
        core = on_diagonal(cluster_mean(ct_w, same))
    else:
        turn = adjoint_matrix(v) @ ct_v
        turn = without_gauge(turn, skew_part(turn), column_scale(turn), same, row(w), what="vectors")
        core = gaps * skew_part(turn)
        if not is_absent(ct_w):
            core = core + inside_clusters(ct_w, turn, same, row(w))
    return hermitian_part(v @ held(core, a, v, v, same, row(w), symmetric=True) @ adjoint_matrix(v)), None


eigh_card: Primitive = smooth(
    "eigh",
    _eigh,
    _eigh_differential,
    pullback=_eigh_pullback,
    n_outputs=2,
    batch=lambda xs, is_batched, params: eigh_card(*all_batched(xs, is_batched), **params),
    formula="a = v w vᴴ",
    laws=lambda make: [((_symmetric(make, 3),), {"uplo": "L"}), ((_symmetric(make, 2, 3),), {"uplo": "U"})],
)


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues in ascending order and orthonormal eigenvectors of Hermitian matrices."""
    a = hermitian_operand(a, UPLO)
    return EighResult(*eigh_card(a, *chosen_direction(a), uplo=UPLO.upper()))


def _eigvalsh_differential(dxs: Sequence[Any], y: Any, a: Any, uplo: str) -> Any:
    _, v = eigh_card(a, uplo=uplo)
    same = same_cluster(y, largest(row(y)))
    m = adjoint_matrix(v) @ hermitian_part(dxs[0]) @ v
    return cluster_mean(real_diagonal(held(m, a, v, v, same, row(y), symmetric=True)), same)


def _eigvalsh_pullback(ct: Any, y: Any, a: Any, uplo: str) -> tuple[Any]:
    _, v = eigh_card(a, uplo=uplo)
    same = same_cluster(y, largest(row(y)))
    core = held(on_diagonal(cluster_mean(ct, same)), a, v, v, same, row(y), symmetric=True)
    return (hermitian_part(v @ core @ adjoint_matrix(v)),)


eigvalsh_card: Primitive = smooth(
    "eigvalsh",
    lambda a, uplo: np.linalg.eigvalsh(plain_hermitian_part(a), uplo),
    _eigvalsh_differential,
    pullback=_eigvalsh_pullback,
    formula="a = v w vᴴ",
    laws=lambda make: [
        ((_symmetric(make, 3),), {"uplo": "L"}),
        ((_symmetric(make, 2, 2, kind="c"),), {"uplo": "U"}),
    ],
)


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues of Hermitian matrices, in ascending order; values that meet move with their mean."""
    a = hermitian_operand(a, UPLO)
    if depth_of(a) > 1:
        return values_and_marker(a, kind="hermitian")[0]
    return eigvalsh_card(a, uplo=UPLO.upper())


def _hermitian_basis(a: Any, w: Any) -> Basis:
    _, v = eigh_card(a, uplo="L")
    same = near_cluster(w, largest(row(w)))
    return Basis(v, v, w, same, reciprocal_gaps(w, same))


def _hold_hermitian(x: Any, a: Any, at: Basis) -> Any:
    return held(x, a, at.left, at.right, at.same, row(at.values), symmetric=True)


BASES["hermitian"], HOLDS["hermitian"] = _hermitian_basis, _hold_hermitian


# --- general matrices ---------------------------------------------------------------------------------------------------


def _defect(v: Any, same: Any) -> Any:
    """1 inside clusters whose eigenvectors are parallel up to rounding."""
    stack = np.broadcast_shapes(v.shape[:-2], same.shape[:-2])
    v, same = (np.broadcast_to(x, stack + x.shape[-2:]) for x in (v, same))
    result = np.zeros(same.shape, same.dtype)
    tolerance = np.finfo(v.dtype).eps ** 0.375
    for place in np.argwhere((same.sum(-1) > 1).any(-1)):
        block = same[tuple(place)]
        for members in {tuple(np.nonzero(line)[0]) for line in block if line.sum() > 1}:
            if np.linalg.svd(v[tuple(place)][:, members], compute_uv=False)[-1] < tolerance:
                result[tuple(place)][np.ix_(members, members)] = 1
    return result


defect: Primitive = discrete(
    "defect",
    _defect,
    batch=lambda xs, is_batched, params: defect(*equalize_ranks(xs, is_batched)),
    laws=lambda make: [((make(2, 2), np.eye(2)), {}), ((np.array([[1.0, 1.0], [0.0, 0.0]]), np.ones((2, 2))), {})],
)


def _general_basis(w: Any, v: Any, a: Any) -> tuple[Any, Any, Any]:
    same = same_cluster(w, largest(a))
    parallel = defect(v, same)
    v = without_gauge(v, parallel, 0.5 * parallel, same, row(w), what="defective")
    return v, same, reciprocal_gaps(w, same)


def _hold(core: Any, a: Any, v: Any, same: Any, w: Any) -> Any:
    return held(core, a, adjoint_matrix(np.linalg.inv(v)), v, same, row(w), symmetric=False)


def _eig(a: Any) -> tuple[Any, Any]:
    """Eigenvectors of a cluster are mixed into general position, where cotangents of values show what they depend on."""
    w, v = np.linalg.eig(a)
    same = same_cluster(w, largest(a))
    if has_clusters(same):
        change = np.random.default_rng(0).standard_normal(a.shape[-2:]).astype(v.real.dtype)
        v = v @ rotation(change + change.T, np.maximum(same - _defect(v, same), np.eye(a.shape[-1])))
        v = v / np.linalg.norm(v, axis=-2, keepdims=True)
    return w, v


def _eig_differential(dxs: Sequence[Any], y: Any, a: Any) -> tuple[Any, Any]:
    w, v = y
    v, same, gaps = _general_basis(w, v, a)
    m = resolve(v, dxs[0] @ v)
    if has_clusters(same):
        m = without_gauge(m, m - on_diagonal(diagonal(m)), largest(m), same, row(w), what="split")
    m = _hold(m, a, v, same, w)
    turn = v @ (gaps * m)
    along = diagonal(adjoint_matrix(v) @ turn)
    return cluster_mean(diagonal(m), same), turn - v * row(along)


def _eig_pullback(ct: Any, y: Any, a: Any) -> tuple[Any]:
    (ct_w, ct_v), (w, v) = ct, y
    v, same, gaps = _general_basis(w, v, a)
    if is_absent(ct_v):
        return (_general_cotangent(on_diagonal(cluster_mean(ct_w, same)), a, v, same, w),)
    along = diagonal(adjoint_matrix(v) @ ct_v)
    turn = adjoint_matrix(v) @ (ct_v - v * row(along))
    offence = turn + on_diagonal(along - real(along))
    scale = column_scale(adjoint_matrix(v) @ ct_v)
    turn = without_gauge(turn, offence, scale, same, row(w), what="vectors")
    differences = row(ct_w) - col(ct_w)
    ct_w = without_gauge(row(ct_w), differences, largest(row(ct_w)), same, row(w), what="values")[..., 0, :]
    return (_general_cotangent(on_diagonal(ct_w) + np.conjugate(gaps) * turn, a, v, same, w),)


def _general_cotangent(core: Any, a: Any, v: Any, same: Any, w: Any) -> Any:
    ct_a = resolve(adjoint_matrix(v), _hold(core, a, v, same, w) @ adjoint_matrix(v))
    return ct_a if a.dtype.kind == "c" else real(ct_a)


eig_card: Primitive = smooth(
    "eig",
    _eig,
    _eig_differential,
    pullback=_eig_pullback,
    n_outputs=2,
    formula="a v = v w",
    laws=lambda make: [((_symmetric(make, 3) + np.diag([1.0, 5.0, 9.0]),), {})],
)


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and eigenvectors of length 1, real where all eigenvalues are."""
    (a,) = as_matrices(a)
    return EigResult(*eig_card(a))


def _matching(wanted: Any, found: Any) -> Any:
    """The permutation matrices that bring the eigenvalues `found` into the order of `wanted`."""
    wanted, found = np.broadcast_arrays(wanted, found)
    result = np.zeros((*wanted.shape, wanted.shape[-1]), wanted.real.dtype)
    for place in np.ndindex(wanted.shape[:-1]):
        distance = np.abs(found[place][:, None] - wanted[place][None, :])
        for k in range(wanted.shape[-1]):
            source = int(np.argmin(distance[:, k]))
            result[(*place, source, k)] = 1
            distance[source] = np.inf
    return result


matching: Primitive = discrete(
    "matching",
    _matching,
    batch=lambda xs, is_batched, params: matching(*equalize_ranks(xs, is_batched)),
    laws=lambda make: [((np.array([1.0, 2.0]), np.array([2.0, 1.0])), {})],
)


def _vectors_for(w: Any, a: Any) -> tuple[Any, Any, Any]:
    found, v = eig_card(a)
    v, same, _ = _general_basis(w, v @ matching(w, found), a)
    return v, same, w


def _eigvals_differential(dxs: Sequence[Any], y: Any, a: Any) -> Any:
    v, same, w = _vectors_for(y, a)
    return cluster_mean(diagonal(_hold(resolve(v, dxs[0] @ v), a, v, same, w)), same)


def _eigvals_pullback(ct: Any, y: Any, a: Any) -> tuple[Any]:
    v, same, w = _vectors_for(y, a)
    return (_general_cotangent(on_diagonal(cluster_mean(ct, same)), a, v, same, w),)


eigvals_card: Primitive = smooth(
    "eigvals",
    np.linalg.eigvals,
    _eigvals_differential,
    pullback=_eigvals_pullback,
    laws=lambda make: [((_symmetric(make, 3) + np.diag([1.0, 5.0, 9.0]),), {}), ((make(2, 2, kind="c"),), {})],
)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues, in LAPACK's order; values that meet move with their mean."""
    (a,) = as_matrices(a)
    return eigvals_card(a)
