"""Cards: singular values and singular vectors.

The conventions where values meet are those of `wengert.primitives.spectral`; here a zero singular value has further
freedom, since its vectors are not tied to one another, and is a kink, as `abs` at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.record import is_absent
from wengert.core.trace import peek
from wengert.primitives.contraction import adjoint_matrix
from wengert.primitives.factorizations import free_columns
from wengert.primitives.families import all_batched, discrete, smooth
from wengert.primitives.gauge import (
    batched_judgement,
    chosen_direction,
    cluster_mean,
    col,
    column_scale,
    depth_of,
    diagonal,
    has_clusters,
    hermitian_part,
    inside_clusters,
    is_null,
    keeps_vectors,
    largest,
    may_meet,
    near_cluster,
    on_diagonal,
    real_diagonal,
    reciprocal_gaps,
    rotation,
    row,
    same_cluster,
    skew_part,
    without_gauge,
    zeros_stay,
)
from wengert.primitives.solving import as_matrices
from wengert.primitives.symmetric import BASES, HOLDS, Basis, values_and_marker

SVDResult: Any = type(np.linalg.svd(np.eye(1)))


# --- second derivatives where values meet ---------------------------------------------------------------------------------


def _moves_together(x: Any, change: Any, same: Any, null: Any, values: Any, *, rectangular: bool) -> Any:
    """`x`, provided that `change` moves each cluster as a whole, and zero singular values not at all."""
    part = hermitian_part(change)
    split = part - on_diagonal(cluster_mean(diagonal(part), same))
    x = without_gauge(x, split, largest(change), same, values, what="second")
    return zeros_stay(x, change, null, values, rectangular=rectangular)


def _still_differential(dxs: Sequence[Any], y: Any, x: Any, a: Any, u: Any, v: Any, *at: Any, rectangular: bool) -> Any:
    if dxs[0] is None or dxs[1] is None:
        return dxs[0]
    return _moves_together(dxs[0], adjoint_matrix(u) @ dxs[1] @ v, *at, rectangular=rectangular)


def _in_own_basis(x: Any, a: Any) -> tuple[Any, ...]:
    """Operands that are in the basis of their vectors already, for the laws."""
    return x, a, np.eye(2), np.eye(2), np.eye(2), np.zeros((2, 2)), np.zeros((1, 2))


still: Primitive = smooth(
    "still",
    lambda x, *rest, rectangular: x,
    _still_differential,
    pullback=lambda ct, y, x, a, u, v, *at, rectangular: (
        _moves_together(ct, ct, *at, rectangular=rectangular), None, None, None, None, None, None,
    ),  # fmt: skip
    batch=lambda xs, is_batched, params: batched_judgement(still, xs, is_batched, params),
    laws=lambda make: [((make(2, 2), make(2, 2)), {"rectangular": False}, None, _in_own_basis)],
)


# --- the decomposition ------------------------------------------------------------------------------------------------------


class _Basis:
    """The thin factors at a point, with the coefficients by which `p = uᴴ da v` turns them.

    With `h` and `k` the Hermitian and skew parts of `p`, `uᴴ du = e h + d k` and `vᴴ dv = e h - d k`, where
    `e = 1 / (s_j - s_i)` and `d = 1 / (s_i + s_j)`: no difference of squares, so small values keep their accuracy.
    """

    def __init__(self, y: Any, shape: Sequence[int]) -> None:
        u, self.s, vh = y
        k = self.s.shape[-1]
        self.u, self.vh = u[..., :, :k], vh[..., :k, :]
        self.v = adjoint_matrix(self.vh)
        self.same = same_cluster(self.s, largest(row(self.s)))
        self.null = is_null(self.s, size=max(shape[-2:]))
        self.both_null = col(self.null) * row(self.null)
        self.same = np.maximum(self.same, self.both_null)
        self.apart = self.same * (1 - self.both_null) + on_diagonal(self.null)  # zeros are no cluster here
        self.e = reciprocal_gaps(self.s, self.same)
        self.d = (1 - self.both_null) / (row(self.s) + col(self.s) + self.both_null)
        self.inverse = (1 - self.null) / (self.s + self.null)

    def hold(self, x: Any, a: Any) -> Any:
        """`x`, provided that the matrix is not differentiated once more along a direction that splits a cluster."""
        rectangular = a.shape[-2] != a.shape[-1]
        if not has_clusters(self.same) and not peek(np.any, self.null):
            return x
        return still(x, a, self.u, self.v, self.same, self.both_null, row(self.s), rectangular=rectangular)

    def values_with_vectors(self, ct_s: Any, turn: Any) -> Any:
        """The part of the cotangent that the singular values contribute when the vectors are used as well."""
        zeros = on_diagonal(ct_s * self.null)
        ct_s = without_gauge(ct_s, zeros, largest(row(ct_s)), self.both_null, row(self.s), what="null")
        return inside_clusters(ct_s, turn, self.apart, row(self.s))


def _svd(a: Any, *direction: Any, full: bool) -> tuple[Any, Any, Any]:
    u, s, vh = np.linalg.svd(a, full)
    if direction and may_meet(s):
        at = _Basis((u, s, vh), a.shape)
        if has_clusters(at.apart):
            turn = rotation(hermitian_part(adjoint_matrix(at.u) @ direction[0] @ at.v), at.apart)
            k = s.shape[-1]
            u = np.concatenate([at.u @ turn, u[..., :, k:]], -1)
            vh = np.concatenate([adjoint_matrix(turn) @ at.vh, vh[..., k:, :]], -2)
    return u, s, vh


def _svd_differential(
    dxs: Sequence[Any], y: Any, a: Any, *direction: Any, full: bool
) -> tuple[Any, Any, Any] | tuple[None, None, None]:
    da = dxs[0]
    if da is None:
        return None, None, None
    at = _Basis(y, a.shape)
    u, v = at.u, at.v
    p = at.hold(keeps_vectors(adjoint_matrix(u) @ da @ v, at.apart, row(at.s)), a)
    symmetric, skew = at.e * hermitian_part(p), at.d * skew_part(p)
    du, dv = u @ (symmetric + skew), v @ (symmetric - skew)
    m, n = a.shape[-2:]
    if m > n:
        du = du + (da @ v - u @ p) * row(at.inverse)
    if n > m:
        dv = dv + (adjoint_matrix(da) @ u - v @ adjoint_matrix(p)) * row(at.inverse)
    ds = real_diagonal(p) * (1 - at.null)
    if full and m > n:
        du = _extended(du, u, y[0][..., :, n:])
    if full and n > m:
        dv = _extended(dv, v, adjoint_matrix(y[2][..., m:, :]))
    return du, ds, adjoint_matrix(dv)


def _extended(du: Any, u: Any, rest: Any) -> Any:
    """The tangent of all columns, when the complement `rest` follows without turning in itself."""
    return np.concatenate([du, -(u @ (adjoint_matrix(du) @ rest))], -1)


def _svd_pullback(ct: Any, y: Any, a: Any, *direction: Any, full: bool) -> tuple[Any, Any]:
    ct_u, ct_s, ct_vh = ct
    at = _Basis(y, a.shape)
    if is_absent(ct_u) and is_absent(ct_vh):
        return _values_cotangent(ct_s, a, at), None
    u, v = at.u, at.v
    k, (m, n) = at.s.shape[-1], a.shape[-2:]
    ct_v = adjoint_matrix(ct_vh)
    if full and m > n:
        ct_u = _thin_cotangent(ct_u, y[0], u)
    if full and n > m:
        ct_v = _thin_cotangent(ct_v, adjoint_matrix(y[2]), v)
    ct_u, ct_v = ct_u[..., :, :k], ct_v[..., :, :k]
    turn_u, turn_v = adjoint_matrix(u) @ ct_u, adjoint_matrix(v) @ ct_v
    outside_u, outside_v = ct_u - u @ turn_u, ct_v - v @ turn_v
    both, counter = turn_u + turn_v, skew_part(turn_u - turn_v)
    lengths = column_length(outside_u) + column_length(outside_v)
    scale = column_scale(turn_u) + column_scale(turn_v) + lengths
    both = without_gauge(both, skew_part(both), scale, at.same, row(at.s), what="vectors")
    lost = np.abs(counter) + on_diagonal(lengths[..., 0, :])
    both = without_gauge(both, lost, scale, at.both_null, row(at.s), what="null")
    core = at.e * skew_part(both) + at.d * counter
    if not is_absent(ct_s):
        core = core + at.values_with_vectors(ct_s, both)
    ct_a = u @ at.hold(core, a) @ at.vh
    if m > n:
        ct_a = ct_a + (outside_u * row(at.inverse)) @ at.vh
    if n > m:
        ct_a = ct_a + u @ adjoint_matrix(outside_v * row(at.inverse))
    return ct_a, None


def _values_cotangent(ct_s: Any, a: Any, at: _Basis) -> Any:
    return at.u @ at.hold(on_diagonal(cluster_mean(ct_s, at.same) * (1 - at.null)), a) @ at.vh


def _thin_cotangent(ct_u: Any, full_u: Any, u: Any) -> Any:
    """What a cotangent of all columns says about the thin ones, the others following."""
    k = u.shape[-1]
    ct_u = free_columns(ct_u, full_u, k)
    return ct_u[..., :, :k] - full_u[..., :, k:] @ (adjoint_matrix(ct_u[..., :, k:]) @ u)


column_length = discrete(
    "column_length",
    lambda x: np.sqrt(np.sum(np.square(np.abs(x)), axis=-2, keepdims=True)),
    laws=lambda make: [((make(3, 2),), {})],
    is_held=True,
)
svd_card: Primitive = smooth(
    "svd",
    _svd,
    _svd_differential,
    pullback=_svd_pullback,
    n_outputs=3,
    batch=lambda xs, is_batched, params: svd_card(*all_batched(xs, is_batched), **params),
    formula="a = u s vᴴ",
    laws=lambda make: [
        ((make(3, 3),), {"full": True}),
        ((make(2, 4, 3),), {"full": False}),
        ((make(2, 4),), {"full": False}),
    ],
)


def _svdvals_differential(dxs: Sequence[Any], y: Any, a: Any) -> Any:
    u, _, vh = svd_card(a, full=False)
    at = _Basis((u, y, vh), a.shape)
    p = at.hold(adjoint_matrix(at.u) @ dxs[0] @ at.v, a)
    return cluster_mean(real_diagonal(p), at.same) * (1 - at.null)


def _svdvals_pullback(ct: Any, y: Any, a: Any) -> tuple[Any]:
    u, _, vh = svd_card(a, full=False)
    at = _Basis((u, y, vh), a.shape)
    return (_values_cotangent(ct, a, at),)


svdvals_card: Primitive = smooth(
    "svdvals",
    lambda a: np.linalg.svd(a, compute_uv=False),
    _svdvals_differential,
    pullback=_svdvals_pullback,
    formula="a = u s vᴴ",
    laws=lambda make: [((make(3, 3),), {}), ((make(2, 4, 3),), {}), ((make(2, 3, kind="c"),), {})],
)


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Singular values in descending order; values that meet move with their mean, zeros do not move."""
    (x,) = as_matrices(x)
    if depth_of(x) > 1:
        return values_and_marker(x, kind="general")[0]
    return svdvals_card(x)


def _general_basis(a: Any, s: Any) -> Basis:
    u, _, vh = svd_card(a, full=False)
    at = _Basis((u, s, vh), a.shape)
    same = np.maximum(near_cluster(s, largest(row(s))), at.both_null)
    return Basis(at.u, at.v, s, same, reciprocal_gaps(s, same), at.d, at.inverse, 1 - at.null, at.both_null)


def _hold_general(x: Any, a: Any, at: Basis) -> Any:
    return _Basis((at.left, at.values, adjoint_matrix(at.right)), a.shape).hold(x, a)


BASES["general"], HOLDS["general"] = _general_basis, _hold_general


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """`a = u diag(s) vᴴ` with `s` descending; through the eigenvalues for `hermitian`."""
    if hermitian:
        return _hermitian_svd(a, compute_uv)
    if not compute_uv:
        return svdvals(a)
    (a,) = as_matrices(a)
    return SVDResult(*svd_card(a, *chosen_direction(a), full=bool(full_matrices)))


def _hermitian_svd(a: Any, compute_uv: bool) -> Any:
    if not compute_uv:
        w = np.linalg.eigvalsh(a)
        return (row(np.abs(w)) @ descending(w))[..., 0, :]
    w, v = np.linalg.eigh(a)
    order = descending(w)
    w, v = (row(w) @ order)[..., 0, :], v @ order
    sign = one_of_sign(w)
    return SVDResult(v, sign * w, adjoint_matrix(v * row(sign)))


one_of_sign = discrete(
    "one_of_sign", lambda w: np.copysign(np.ones((), w.dtype), w), laws=lambda make: [((make(2, 3),), {})], code="copysign(1, a)"
)
descending = discrete(
    "descending", lambda w: np.swapaxes(np.eye(w.shape[-1], dtype=w.dtype)[np.argsort(np.abs(w))[..., ::-1]], -1, -2),
    laws=lambda make: [((make(2, 3),), {})],
)
