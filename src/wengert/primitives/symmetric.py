"""Second derivatives of functions that treat equal eigenvalues, or equal singular values, alike.

For `g(w(a))` with a `g` that does not change when equal values are exchanged, the gradient `l diag(g') rᴴ` is the
same in every basis of a cluster, and so is its derivative: between clusters `(g'_j - g'_i) / (w_j - w_i)` times the
change, inside them a multiple of the change and one of its trace (A. S. Lewis and H. S. Sendov, "Twice differentiable
spectral functions", 2001).  The multiples are second derivatives of `g`, which only the program of `g` knows.  They
are found by turning the basis inside each cluster until the change of the matrix is diagonal there: then the values
move along that diagonal, and what `g'` answers is the diagonal of the result.  In reverse the cotangent chooses the
basis, and the `marker` carries it to the place where the values were computed.

The values move linearly only in functions of this kind, so these cards stand in only where a derivative is
differentiated again; a first derivative alone follows the convention that equal values move with their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.record import is_absent
from wengert.primitives.contraction import adjoint_matrix
from wengert.primitives.families import all_batched, smooth, transpose_expression
from wengert.primitives.gauge import (
    cluster_mean,
    col,
    has_clusters,
    hermitian_part,
    largest,
    on_diagonal,
    real_diagonal,
    rotation,
    row,
    same_cluster,
    skew_part,
    without_gauge,
    zeros_stay,
)


@dataclass(frozen=True)
class Basis:
    """`a = left diag(values) rightᴴ` at a point, with the coefficients by which a change of `a` turns it.

    `between` is `1 / (w_j - w_i)`, `across` is `1 / (w_i + w_j)` where left and right turn differently, and `inverse`
    is `1 / w` where there is a complement to turn into; all are 0 where the turning is free.  `moves` is 1 for the
    values that can move, and 0 for singular values that are 0; `null` is 1 among those.
    """

    left: Any
    right: Any
    values: Any
    same: Any
    between: Any
    across: Any = None
    inverse: Any = None
    moves: Any = 1.0
    null: Any = None

    def inside(self, change: Any) -> Any:
        """A change of the matrix in this basis."""
        return adjoint_matrix(self.left) @ change @ self.right

    def turned(self, change: Any) -> Basis:
        """The basis in which `change` is diagonal inside every cluster."""
        if not has_clusters(self.same):
            return self
        turn = rotation(hermitian_part(self.inside(change)), self.same)
        return replace(self, left=self.left @ turn, right=self.right @ turn)


BASES: dict[str, Callable[[Any, Any], Basis]] = {}  # the kinds of decomposition, filled by the rooms of their cards
HOLDS: dict[str, Callable[[Any, Any, Basis], Any]] = {}  # what a further derivative has to keep


def _change_of_gradient(c: Any, at: Basis, change: Any) -> Any:
    """The change of `left diag(c) rightᴴ` with the vectors alone: between clusters, and into the complement."""
    p = at.inside(change)
    if at.null is not None:
        p = zeros_stay(p, p, at.null, row(at.values), rectangular=change.shape[-2] != change.shape[-1])
    core = at.between * (row(c) - col(c)) * hermitian_part(p)
    if at.across is not None:
        core = core + at.across * (row(c) + col(c)) * skew_part(p)
    result = at.left @ core @ adjoint_matrix(at.right)
    if at.inverse is None:
        return result
    m, n = change.shape[-2:]
    if m > n:
        result = result + ((change @ at.right - at.left @ p) * row(c * at.inverse)) @ adjoint_matrix(at.right)
    if n > m:
        outside = adjoint_matrix(change) @ at.left - at.right @ adjoint_matrix(p)
        result = result + at.left @ adjoint_matrix(outside * row(c * at.inverse))
    return result


def _combined(c: Any, at: Basis) -> Any:
    return at.left @ on_diagonal(c) @ adjoint_matrix(at.right)


def _alike(x: Any, c: Any, steps: Any, at: Basis) -> Any:
    """`x`, provided that `c` answers the `steps` of each cluster by a multiple of them and a constant."""
    if not has_clusters(at.same):
        return x
    c, steps = (v - cluster_mean(v, at.same) for v in (c, steps))
    square = cluster_mean(steps * steps, at.same)
    fit = cluster_mean(c * steps, at.same) / np.where(square == 0, 1.0, square)
    rest = on_diagonal(c - fit * steps)
    return without_gauge(x, rest, largest(row(c)) + largest(row(steps)), at.same, row(at.values), what="second")


# --- operands for the laws --------------------------------------------------------------------------------------------------


def _hermitian(x: Any) -> Any:
    return x + adjoint_matrix(x) + np.diag([0.0, 8.0, 16.0]).astype(x.dtype)


def _only_values(w: Any, marker: Any) -> tuple[Any]:
    return (w,)


def _with_direction(x: Any, d: Any) -> tuple[Any, ...]:
    a = _hermitian(x)
    return a, d + adjoint_matrix(d), np.linalg.eigvalsh(a), np.zeros((3, 3), x.dtype)


def _with_slopes(c: Any, x: Any) -> tuple[Any, ...]:
    a = _hermitian(x)
    return c, a, np.linalg.eigvalsh(a), np.zeros((3, 3), x.dtype)


# --- the values, once more differentiable ---------------------------------------------------------------------------------


def _values_differential(dxs: Sequence[Any], y: Any, a: Any, kind: str) -> tuple[Any, Any]:
    return directional(a, dxs[0], *y, kind=kind), None


def _values_pullback(ct: Any, y: Any, a: Any, kind: str) -> tuple[Any]:
    ct_w, ct_marker = ct
    if is_absent(ct_marker):
        return (gradient_of_values(ct_w, a, *y, kind=kind),)
    at = BASES[kind](a, y[0]).turned(ct_marker)
    ct_w = ct_w * at.moves
    steps = real_diagonal(at.inside(ct_marker)) * at.moves
    return (_alike(HOLDS[kind](_combined(ct_w, at), a, at), ct_w, steps, at),)


def _values(a: Any, kind: str) -> tuple[Any, Any]:
    w = np.linalg.eigvalsh(a) if kind == "hermitian" else np.linalg.svd(a, compute_uv=False)
    return w, np.zeros(a.shape, a.dtype)


values_and_marker: Primitive = smooth(
    "values_and_marker",
    _values,
    _values_differential,
    pullback=_values_pullback,
    n_outputs=2,
    laws=lambda make: [
        ((make(3, 3),), {"kind": "hermitian"}, _only_values, lambda x: (_hermitian(x),)),
        ((make(2, 3, 2),), {"kind": "general"}, _only_values),
    ],
)


# --- how they move along a direction --------------------------------------------------------------------------------------


def _directional(a: Any, da: Any, w: Any, marker: Any, kind: str) -> Any:
    at = BASES[kind](a, w).turned(da)
    return real_diagonal(at.inside(da)) * at.moves


def _directional_differential(
    dxs: Sequence[Any], y: Any, a: Any, da: Any, w: Any, marker: Any, kind: str
) -> Any:
    at = BASES[kind](a, w).turned(da)
    parts = []
    if dxs[1] is not None:
        parts.append(real_diagonal(at.inside(HOLDS[kind](dxs[1], a, at))) * at.moves)
    if dxs[0] is not None:
        change = HOLDS[kind](dxs[0], a, at)
        if dxs[2] is not None:
            change = _diagonal_inside(change, dxs[2], at)
        parts.append(_bent(change, at, da, w))
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _bent(change: Any, at: Basis, da: Any, w: Any) -> Any:
    """How the motion of the values along `da` changes with the vectors: the transpose of the change of a gradient."""
    (result,) = transpose_expression(
        lambda cs, *rest: _change_of_gradient(cs[0] * at.moves, at, da), change, (0,), None, (w,), {}
    )
    return result


def _diagonal_inside(change: Any, steps: Any, at: Basis) -> Any:
    """`change`, provided that in this basis it is diagonal inside every cluster, where it moves the values by `steps`."""
    if not has_clusters(at.same):
        return change
    p = hermitian_part(at.inside(change))
    rest = (p - on_diagonal(steps)) * at.same
    return without_gauge(change, rest, largest(p), at.same, row(at.values), what="second")


def _directional_pullback(ct: Any, y: Any, a: Any, da: Any, w: Any, marker: Any, kind: str) -> tuple[Any, ...]:
    at = BASES[kind](a, w).turned(da)
    ct = _equal_inside(ct, real_diagonal(at.inside(da)) * at.moves, at) * at.moves
    return HOLDS[kind](_change_of_gradient(ct, at, da), a, at), _combined(ct, at), None, da


directional: Primitive = smooth(
    "directional",
    _directional,
    _directional_differential,
    pullback=_directional_pullback,
    batch=lambda xs, is_batched, params: directional(*all_batched(xs, is_batched), **params),
    laws=lambda make: [((make(3, 3), make(3, 3)), {"kind": "hermitian"}, None, _with_direction)],
)


# --- the gradient with the slopes `c` along the values ---------------------------------------------------------------------


def _gradient_of_values(c: Any, a: Any, w: Any, marker: Any, kind: str) -> Any:
    at = BASES[kind](a, w)
    return _combined(cluster_mean(c, same_cluster(w, largest(row(w)))) * at.moves, at)


def _gradient_differential(dxs: Sequence[Any], y: Any, c: Any, a: Any, w: Any, marker: Any, kind: str) -> Any:
    at = BASES[kind](a, w)
    if dxs[1] is None:
        return _combined(cluster_mean(dxs[0], at.same) * at.moves, at)
    at = at.turned(dxs[1])
    steps = real_diagonal(at.inside(dxs[1])) * at.moves
    result = _change_of_gradient(_equal_inside(c, steps, at) * at.moves, at, dxs[1])
    if dxs[0] is not None:
        dc = dxs[0] * at.moves
        result = result + _alike(_combined(dc, at), dc, steps, at)
    return HOLDS[kind](result, a, at)


def _equal_inside(c: Any, steps: Any, at: Basis) -> Any:
    """`c`, provided that it is the same inside every cluster that the steps divide."""
    if not has_clusters(at.same):
        return c
    divided = on_diagonal((c - cluster_mean(c, at.same)) * (steps - cluster_mean(steps, at.same)))
    return without_gauge(c, divided, largest(row(c)) * largest(row(steps)), at.same, row(at.values), what="second")


def _gradient_pullback(
    ct: Any, y: Any, c: Any, a: Any, w: Any, marker: Any, kind: str
) -> tuple[Any, ...]:
    at = BASES[kind](a, w).turned(ct)
    steps = real_diagonal(at.inside(ct)) * at.moves
    ct_a = _change_of_gradient(_equal_inside(c, steps, at) * at.moves, at, ct)
    return steps, HOLDS[kind](ct_a, a, at), None, ct


gradient_of_values: Primitive = smooth(
    "gradient_of_values",
    _gradient_of_values,
    _gradient_differential,
    pullback=_gradient_pullback,
    batch=lambda xs, is_batched, params: gradient_of_values(*all_batched(xs, is_batched), **params),
    laws=lambda make: [((make(3), make(3, 3)), {"kind": "hermitian"}, None, _with_slopes)],
)
