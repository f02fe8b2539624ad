"""Cards: linear systems, inverses and determinants of stacks of matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import as_operand, equalize_ranks
from wengert.primitives.contraction import adjoint_matrix
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import smooth
from wengert.primitives.index import index
from wengert.primitives.strong import strong_product
from wengert.primitives.structure import cast, imag, real, reshape, sum_, sum_to, swap_last

SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


def as_matrices(*xs: Any, rank: int = 2) -> list[Any]:
    """Array-likes as operands of one inexact dtype, integers read as float64; the first has `rank` axes or more."""
    operands = [as_operand(x) for x in xs]
    operands = [x if hasattr(x, "dtype") else np.asarray(x) for x in operands]
    if operands[0].ndim < rank:
        msg = f"{operands[0].ndim}-dimensional array given. Array must be at least two-dimensional"
        raise np.linalg.LinAlgError(msg)
    dtype = np.result_type(*[x.dtype if x.dtype.kind in "fc" else np.float64 for x in operands])
    return [cast(x, dtype=dtype) if isinstance(x, Tracer) and x.dtype != dtype else x for x in operands]


def assert_square(a: Any) -> None:
    """Raises NumPy's error for matrices that are not square."""
    if len(a.shape) < 2:
        msg = f"{len(a.shape)}-dimensional array given. Array must be at least two-dimensional"
        raise np.linalg.LinAlgError(msg)
    if a.shape[-1] != a.shape[-2]:
        msg = "Last 2 dimensions of the array must be square"
        raise np.linalg.LinAlgError(msg)


def stacked(card: Callable[[], Primitive]) -> Callable[..., Any]:
    """The batch reading of a card of several stacks of matrices: their leading axes broadcast."""
    return lambda xs, is_batched, params: card()(*equalize_ranks(xs, is_batched), **params)


def matrix_sum(x: Any) -> Any:
    """The sum over the last two axes."""
    return sum_(x, axis=(-2, -1), keepdims=False)


def column(x: Any) -> Any:
    """A stack of numbers as a stack of 1 by 1 matrices."""
    return x[..., None, None]


# --- solve: the one place where a factorization is used, forwards and (adjoint matrix) backwards ----------------------


def _solve_differential(dxs: Sequence[Any], y: Any, a: Any, b: Any) -> Any:
    da, db = dxs
    if da is None:
        return resolve(a, db)
    change = da @ y
    return resolve(a, -change if db is None else db - change)


def _solve_pullback(ct: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    ct_b = resolve(adjoint_matrix(a), ct)
    return sum_to(-ct_b @ adjoint_matrix(y), tuple(a.shape)), sum_to(ct_b, tuple(b.shape))


def _solve_again(a: Any, b: Any) -> Any:
    """Solve with a matrix that is known to be regular: a right-hand side of zeros needs no factorization."""
    if np.any(b):
        return np.linalg.solve(a, b)
    return np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), np.result_type(a, b))


solve_matrices: Primitive = smooth(
    "solve",
    np.linalg.solve,
    _solve_differential,
    pullback=_solve_pullback,
    batch=stacked(lambda: solve_matrices),
    formula="a⁻¹ b",
    laws=lambda make: [
        ((_regular(make, 3), make(3, 2)), {}),
        ((_regular(make, 2, 3), make(3, 2)), {}),
        ((_regular(make, 3), make(2, 3, 1)), {}),
        ((_regular(make, 2, kind="c"), make(2, 2, kind="c")), {}),
        ((make(0, 0), make(0, 2)), {}),
    ],
)
resolve: Primitive = smooth(
    "solve_again",
    _solve_again,
    _solve_differential,
    pullback=_solve_pullback,
    batch=stacked(lambda: resolve),
    formula="a⁻¹ b",
    laws=lambda make: [((_regular(make, 3), make(3, 2)), {}), ((_regular(make, 2, 3), make(3, 2)), {})],
)


def _regular(make: Any, *shape: int, kind: str = "f") -> Any:
    """A random well-conditioned matrix, for the laws."""
    return make(*shape[:-1], shape[-1], shape[-1], kind=kind) + 4 * np.eye(shape[-1])


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """`x` with `a x = b`; a `b` with one axis is a vector, any other a stack of matrices."""
    a, b = as_matrices(a, b)
    if b.ndim == 1:
        return index(solve_matrices(a, reshape(b, shape=(b.shape[0], 1))), layout=(Ellipsis, 0))
    if b.ndim == 0:
        msg = "solve: Input operand 1 does not have enough dimensions"
        raise ValueError(msg)
    return solve_matrices(a, b)


inverse: Primitive = smooth(
    "inv",
    np.linalg.inv,
    lambda dxs, y, a: -(y @ dxs[0] @ y),
    formula="a⁻¹",
    laws=lambda make: [((_regular(make, 3),), {}), ((_regular(make, 2, 2, kind="c"),), {}), ((make(0, 0),), {})],
)


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """The inverse of each matrix of a stack."""
    (a,) = as_matrices(a)
    return inverse(a)


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """`x` with `tensordot(a, x, x.ndim) = b`."""
    a, b = as_operand(a), as_operand(b)
    if axes is not None:
        order = list(range(a.ndim))
        for k in axes:
            order.remove(k)
            order.insert(a.ndim, k)
        a = np.transpose(a, order)
    shape = tuple(a.shape[b.ndim - a.ndim :])
    n = int(np.prod(shape, dtype=int))
    if a.size != n**2:
        msg = "tensorsolve needs prod(a.shape[b.ndim:]) equal to prod(a.shape[:b.ndim])"
        raise np.linalg.LinAlgError(msg)
    return np.reshape(np.linalg.solve(np.reshape(a, (n, n)), np.reshape(b, (n,))), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of `tensordot(a, ·)` whose result has the first `ind` axes of `a`."""
    if ind <= 0:
        msg = "Invalid ind argument."
        raise ValueError(msg)
    shape = tuple(a.shape[ind:]) + tuple(a.shape[:ind])
    n = int(np.prod(a.shape[ind:], dtype=int))
    return np.reshape(np.linalg.inv(np.reshape(a, (n, a.size // n if n else 0))), shape)


# --- determinants ---------------------------------------------------------------------------------------------------


def _spectrum_products(s: Any, n_left_out: int) -> Any:
    """Products of all singular values but one (`[..., i]`), or but two (`[..., i, j]`, 0 on the diagonal)."""
    n = s.shape[-1]
    keep = 1 - np.eye(n)
    if n_left_out == 1:
        return np.prod(np.where(keep, s[..., None, :], 1), axis=-1)
    pairs = keep[:, None, :] * keep[None, :, :]
    return np.prod(np.where(pairs, s[..., None, None, :], 1), axis=-1) * keep


def _unitary_parts(a: Any) -> tuple[Any, Any, Any, Any]:
    """`(u, s, v, phase)` with `adj(a) = phase v adj(diag s) uᴴ`; matrices that are not finite stay NaN."""
    finite = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    u, s, vh = np.linalg.svd(np.where(finite, a, 0))
    phase = np.linalg.det(u) * np.linalg.det(vh)
    return u, np.where(finite[..., 0], s, np.nan), np.conjugate(np.swapaxes(vh, -1, -2)), phase[..., None, None]


def _adjugate(a: Any) -> Any:
    """`adj(a) = det(a) a⁻¹` where the elimination gives it, and through singular values for singular matrices.

    The last pivot cancels between `det` and `inv`, so the product is accurate up to an exact zero pivot.
    """
    det = np.linalg.det(a)[..., None, None]
    usable = np.isfinite(det) & (np.abs(det) > np.finfo(det.dtype).tiny)
    product = det * np.linalg.inv(np.where(usable, a, np.eye(a.shape[-1], dtype=a.dtype)))
    if usable.all() and np.isfinite(product).all():
        return product
    u, s, v, phase = _unitary_parts(a)
    through_svd = phase * (v * _spectrum_products(s, 1)[..., None, :]) @ np.conjugate(np.swapaxes(u, -1, -2))
    return np.where(usable & np.isfinite(product), product, through_svd.astype(a.dtype))


def _adjugate_slope(a: Any, da: Any) -> Any:
    """The derivative of `adj` at `a` along `da`, without division, so also where `a` is singular."""
    u, s, v, phase = _unitary_parts(a)
    uh, vh = (np.conjugate(np.swapaxes(x, -1, -2)) for x in (u, v))
    m = uh @ da @ v
    pairs = _spectrum_products(s, 2)
    diagonal = np.einsum("...ij,...jj->...i", pairs, m)
    n = s.shape[-1]
    return (phase * (v @ (diagonal[..., None] * np.eye(n) - pairs * m) @ uh)).astype(np.result_type(a, da))


def _triples(s: Any) -> Any:
    """Products of all singular values but three different ones (`[..., i, j, k]`), and 0 where two are the same."""
    keep = 1 - np.eye(s.shape[-1])
    left_out = keep[:, None, None, :] * keep[None, :, None, :] * keep[None, None, :, :]
    different = keep[:, :, None] * keep[:, None, :] * keep[None, :, :]
    return np.prod(np.where(left_out, s[..., None, None, None, :], 1), axis=-1) * different


def _adjugate_bend(a: Any, da: Any, db: Any) -> Any:
    """The second derivative of `adj` at `a` along `da` and `db`, without division, so also where `a` is singular.

    With `x` and `y` the directions in the basis of singular vectors and `t` the products of the values left over, entry
    `i, i` is `Σ t_ikl (x_kk y_ll - x_kl y_lk)`, and `i, j` is `Σ t_ijk (x_ik y_kj - x_kk y_ij)` and the same with `x`
    and `y` exchanged.
    """
    u, s, v, phase = _unitary_parts(a)
    uh, vh = (np.conjugate(np.swapaxes(w, -1, -2)) for w in (u, v))
    x, y, t = uh @ da @ v, uh @ db @ v, _triples(s)
    pairs = np.einsum("...ikl,...kk,...ll->...i", t, x, y) - np.einsum("...ikl,...kl,...lk->...i", t, x, y)
    chains = sum(
        np.einsum("...ijk,...ik,...kj->...ij", t, p, q) - np.einsum("...ijk,...kk,...ij->...ij", t, p, q)
        for p, q in ((x, y), (y, x))
    )
    return (phase * (v @ (pairs[..., None] * np.eye(s.shape[-1]) + chains) @ uh)).astype(np.result_type(a, da, db))


def _cubic(m: Any) -> Any:
    """The part of `adj(1 + m)` that is cubic in `m`."""
    e1, e2, e3 = (column(trace(p)) for p in (m, m @ m, m @ m @ m))
    second, third = (e1 * e1 - e2) / 2, (e1**3 - 3 * e1 * e2 + 2 * e3) / 6
    identity = np.eye(m.shape[-1], dtype=m.dtype)
    return third * identity - second * m + e1 * (m @ m) - m @ m @ m


def _third_slope(a: Any, *directions: Any) -> Any:
    """The third derivative of `adj`, by polarization; through the inverse, so `a` must be regular."""
    inverse_a = np.linalg.inv(a)
    p, q, r = (inverse_a @ d for d in directions)
    with_r, without = (_cubic(p + q + r), _cubic(p + r), _cubic(q + r)), (_cubic(p + q), _cubic(p), _cubic(q))
    both, first, other = (x - y for x, y in zip(with_r, without, strict=True))  # exactly zero where the last direction is
    total = both - first - other + _cubic(r)
    return column(np.linalg.det(a)) * (total @ inverse_a)


def trace(a: Any) -> Any:
    """The sum of the diagonal of each matrix."""
    return matrix_sum(a * np.eye(a.shape[-1], dtype=a.dtype))


def _sum_of(parts: Sequence[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _slope_differential(dxs: Sequence[Any], y: Any, a: Any, da: Any) -> Any:
    parts = []
    if dxs[0] is not None:
        parts.append(adjugate_bend(a, da, dxs[0]))
    if dxs[1] is not None:
        parts.append(adjugate_slope(a, dxs[1]))
    return _sum_of(parts)


def _slope_pullback(ct: Any, y: Any, a: Any, da: Any) -> tuple[Any, Any]:
    """The derivatives of `det` are symmetric forms: each adjoint is the same form at the adjoint matrices."""
    ah = adjoint_matrix(a)
    ct_a = adjugate_bend(ah, adjoint_matrix(da), ct)
    return sum_to(ct_a, tuple(a.shape)), sum_to(adjugate_slope(ah, ct), tuple(da.shape))


def _bend_differential(dxs: Sequence[Any], y: Any, a: Any, da: Any, db: Any) -> Any:
    parts = []
    if dxs[0] is not None:
        parts.append(_third_slope(a, da, db, dxs[0]))
    if dxs[1] is not None:
        parts.append(adjugate_bend(a, dxs[1], db))
    if dxs[2] is not None:
        parts.append(adjugate_bend(a, da, dxs[2]))
    return _sum_of(parts)


def _bend_pullback(ct: Any, y: Any, a: Any, da: Any, db: Any) -> tuple[Any, Any, Any]:
    ah, dah, dbh = map(adjoint_matrix, (a, da, db))
    ct_a = _third_slope(ah, dah, dbh, ct)
    pieces = ct_a, adjugate_bend(ah, ct, dbh), adjugate_bend(ah, dah, ct)
    return tuple(sum_to(p, tuple(x.shape)) for p, x in zip(pieces, (a, da, db), strict=True))  # type: ignore[return-value]


adjugate_bend: Primitive = smooth(
    "adjugate_bend",
    _adjugate_bend,
    _bend_differential,
    pullback=_bend_pullback,
    batch=stacked(lambda: adjugate_bend),
    laws=lambda make: [((_regular(make, 3), make(3, 3), make(3, 3)), {}), ((_regular(make, 4), make(2, 4, 4), make(4, 4)), {})],
)
adjugate_slope: Primitive = smooth(
    "adjugate_slope",
    _adjugate_slope,
    _slope_differential,
    pullback=_slope_pullback,
    batch=stacked(lambda: adjugate_slope),
    laws=lambda make: [((_regular(make, 3), make(3, 3)), {}), ((_regular(make, 2, 2), make(2, 2)), {})],
)
adjugate: Primitive = smooth(
    "adjugate",
    _adjugate,
    lambda dxs, y, a: adjugate_slope(a, dxs[0]),
    pullback=lambda ct, y, a: (adjugate_slope(adjoint_matrix(a), ct),),
    formula="adj a",
    laws=lambda make: [((make(3, 3),), {}), ((make(2, 2, 2, kind="c"),), {})],
)
determinant: Primitive = smooth(
    "det",
    np.linalg.det,
    lambda dxs, y, a: matrix_sum(scaled(swap_last(adjugate(a)), dxs[0])),
    formula="det a",
    laws=lambda make: [((make(3, 3),), {}), ((np.diag([1.0, 0.0, 0.0]),), {}), ((make(2, 2, 2, kind="c"),), {})],
)


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """The determinant of each matrix; three derivatives are right for singular matrices as well."""
    (a,) = as_matrices(a)
    return determinant(a)


def _slope_of_log(a: Any) -> Any:
    """`a⁻¹`, and `adj(a) / 0` where `a` is singular: as infinite as the slope of the logarithm at 0."""
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        with np.errstate(all="ignore"):
            return strong_product(1 / np.linalg.det(a)[..., None, None], _adjugate(a))


inverse_or_infinite: Primitive = smooth(
    "inverse_or_infinite",
    _slope_of_log,
    lambda dxs, y, a: -(y @ dxs[0] @ y),
    formula="a⁻¹",
    laws=lambda make: [((_regular(make, 3),), {})],
)


def _slogdet_differential(dxs: Sequence[Any], y: Any, a: Any) -> tuple[Any, Any]:
    sign, _ = y
    total = matrix_sum(scaled(swap_last(inverse_or_infinite(a)), dxs[0]))
    if sign.dtype.kind == "c":
        return sign * (imag(total) * 1j), real(total)
    return 0.0 * total, total


sign_and_log: Primitive = smooth(
    "slogdet",
    lambda a: tuple(np.linalg.slogdet(a)),
    _slogdet_differential,
    n_outputs=2,
    formula="log |det a|",
    laws=lambda make: [((_regular(make, 3),), {}), ((_regular(make, 2, 2, kind="c"),), {})],
)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign (or phase) and logarithm of the absolute value of the determinant."""
    (a,) = as_matrices(a)
    return SlogdetResult(*sign_and_log(a))
