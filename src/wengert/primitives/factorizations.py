"""Cards: Cholesky and QR factorizations, the pseudoinverse and least squares.

`cholesky` reads one triangle, and its derivative is that of the Hermitian matrix which this stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.trace import lowest, peek
from wengert.errors import UnsupportedFunctionError, page
from wengert.primitives.align import equalize_ranks
from wengert.primitives.contraction import adjoint_matrix
from wengert.primitives.families import discrete, smooth, transpose_expression
from wengert.primitives.gauge import (
    column_scale,
    hermitian_part,
    plain_hermitian_part,
    real_diagonal,
    row,
    skew_part,
    without_gauge,
)
from wengert.primitives.solving import as_matrices, resolve
from wengert.primitives.spectral import hermitian_operand
from wengert.primitives.structure import imag, real, sum_

QRResult: Any = type(np.linalg.qr(np.eye(1)))


def _positive(make: Any, *shape: int, kind: str = "f") -> Any:
    """A random positive definite matrix, for the laws."""
    x = make(*shape, shape[-1], kind=kind)
    return x @ np.conjugate(np.swapaxes(x, -1, -2)) + 2 * np.eye(shape[-1])


# --- Cholesky -----------------------------------------------------------------------------------------------------------


def _cholesky_differential(dxs: Sequence[Any], y: Any, a: Any, upper: bool) -> Any:
    lower = adjoint_matrix(y) if upper else y
    half = resolve(lower, hermitian_part(dxs[0]))
    whole = resolve(lower, adjoint_matrix(half))  # l⁻¹ da l⁻ᴴ, whose lower half is l⁻¹ dl
    n = a.shape[-1]
    dl = lower @ (whole * (np.tril(np.ones((n, n), lower.dtype), -1) + 0.5 * np.eye(n, dtype=lower.dtype)))
    return adjoint_matrix(dl) if upper else dl


cholesky_card: Primitive = smooth(
    "cholesky",
    lambda a, upper: np.linalg.cholesky(plain_hermitian_part(a), upper=upper),
    _cholesky_differential,
    formula="a = l lᴴ",
    laws=lambda make: [
        ((_positive(make, 3),), {"upper": False}),
        ((_positive(make, 2, 3),), {"upper": True}),
        ((_positive(make, 2, kind="c"),), {"upper": False}),
    ],
)


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """The lower triangular `l` with `a = l lᴴ`, or the upper `u` with `a = uᴴ u`; one triangle of `a` is read."""
    return cholesky_card(hermitian_operand(a, "U" if upper else "L"), upper=upper)


# --- QR -----------------------------------------------------------------------------------------------------------------


def _full_rank(r: Any, n: int) -> Any:
    """`r[:n, :n]`, provided that its columns are independent; the derivative of `q` does not exist otherwise."""
    square = r[..., :n, :n]
    small = np.eye(n) * dependent(square)
    return without_gauge(square, small, 0.5 * small, np.eye(n), row(real_diagonal(square)), what="dependent")


dependent = discrete(
    "dependent",
    lambda r: (
        np.abs(np.diagonal(r, 0, -2, -1)) <= r.shape[-1] * np.finfo(r.dtype).eps * np.abs(r).max((-2, -1), initial=0)[..., None]
    )[..., None, :].astype(r.real.dtype),
    laws=lambda make: [((make(3, 3),), {}), ((np.diag([1.0, 0.0, 2.0]),), {}), ((make(2, 2, 2, kind="c"),), {})],
)  # fmt: skip


def _qr_differential(dxs: Sequence[Any], y: Any, a: Any, complete: bool) -> tuple[Any, Any]:
    q, r = y
    (da,) = dxs
    n = min(a.shape[-2:])
    thin = q[..., :, :n]
    # c = da r⁻¹ for the leading square part: q turns by the skew part of qᴴ c, and leaves its span by the rest
    c = adjoint_matrix(resolve(adjoint_matrix(_full_rank(r, n)), adjoint_matrix(da[..., :, :n])))
    m = adjoint_matrix(thin) @ c
    below = m * np.tril(np.ones((n, n), m.dtype), -1)
    turn = below - adjoint_matrix(below)
    if m.dtype.kind == "c":
        turn = turn + imag(m) * np.eye(n, dtype=imag(m).dtype) * 1j
    dq = thin @ turn + (c - thin @ m)
    dr = adjoint_matrix(thin) @ (da - dq @ r[..., :n, :])
    dr = dr * np.triu(np.ones(dr.shape[-2:], dr.dtype))
    if not complete or q.shape[-1] == n:
        return dq, dr
    rest = q[..., :, n:]
    dq_rest = -(thin @ (adjoint_matrix(dq) @ rest))
    zeros = np.zeros((*da.shape[:-2], q.shape[-1] - n, a.shape[-1]), r.dtype)
    return np.concatenate([dq, dq_rest], -1), np.concatenate([dr, zeros], -2)


def _qr_pullback(ct: Any, y: Any, a: Any, complete: bool) -> list[Any]:
    (ct_q, ct_r), (q, _) = ct, y
    n = min(a.shape[-2:])
    if complete and q.shape[-1] > n:
        ct_q = free_columns(ct_q, q, n)
    return transpose_expression(_qr_differential, (ct_q, ct_r), (0,), y, (a,), {"complete": complete})


def free_columns(ct_q: Any, q: Any, n: int) -> Any:
    """`ct_q`, provided that it does not turn the columns after the `n`-th, which any basis of their span could be."""
    turn = adjoint_matrix(q) @ ct_q
    free = np.zeros(q.shape[-1])
    free[n:] = 1
    block = np.outer(free, free)
    return without_gauge(ct_q, skew_part(turn) * block, column_scale(turn), block, row(0 * free), what="complement")


qr_card: Primitive = smooth(
    "qr",
    lambda a, complete: tuple(np.linalg.qr(a, "complete" if complete else "reduced")),
    _qr_differential,
    pullback=_qr_pullback,
    n_outputs=2,
    formula="a = q r",
    laws=lambda make: [
        ((make(4, 3),), {"complete": False}),
        ((make(2, 3, 3),), {"complete": False}),
        ((make(2, 4),), {"complete": False}),
        ((make(3, 2, kind="c"),), {"complete": False}),
    ],
)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Orthonormal columns `q` and upper triangular `r` with `a = q r`; the leading columns must be independent."""
    if mode == "raw":
        raise UnsupportedFunctionError(
            page(
                'np.linalg.qr(a, mode="raw") has no derivative in wengert.',
                "It returns the reflections by which LAPACK found the factors, and not the factors.",
                'q, r = np.linalg.qr(a)   # or mode="complete", mode="r"',
                "unsupported-function",
            )
        )
    if mode not in ("reduced", "complete", "r"):
        msg = f"Unrecognized mode {mode!r}"
        raise ValueError(msg)
    (a,) = as_matrices(a)
    q, r = qr_card(a, complete=mode == "complete")
    return r if mode == "r" else QRResult(q, r)


# --- the pseudoinverse and least squares --------------------------------------------------------------------------------


def _pinv_differential(dxs: Sequence[Any], y: Any, a: Any, rcond: Any, hermitian: bool) -> Any:
    """Of Golub and Pereyra (1973), at constant rank."""
    da = hermitian_part(dxs[0]) if hermitian else dxs[0]
    yh, dah = adjoint_matrix(y), adjoint_matrix(da)
    missed = dah - (dah @ a) @ y
    extra = dah @ (yh @ y)
    return -(y @ da @ y) + y @ (yh @ missed) + (extra - y @ (a @ extra))


pinv_card: Primitive = smooth(
    "pinv",
    lambda a, rcond, hermitian: np.linalg.pinv(hermitian_part(a) if hermitian else a, rcond, hermitian),
    _pinv_differential,
    formula="a⁺",
    laws=lambda make: [
        ((make(3, 2),), {"rcond": 1e-15, "hermitian": False}),
        ((make(2, 2, 3),), {"rcond": 1e-15, "hermitian": False}),
        ((make(3, 2, kind="c"),), {"rcond": 1e-15, "hermitian": False}),
        ((_positive(make, 3),), {"rcond": 1e-15, "hermitian": True}),
    ],
)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """The pseudoinverse of each matrix; its derivative is the one at constant rank."""
    if hermitian:
        a = hermitian_operand(a, "L")
    (a,) = as_matrices(a)
    if rcond is not None and rtol is not np._NoValue:
        msg = "`rtol` and `rcond` can't be both set."
        raise ValueError(msg)
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    return pinv_card(a, rcond=lowest(rcond), hermitian=bool(hermitian))


def _least_squares(a: Any, b: Any, rcond: float) -> tuple[Any, Any]:
    """`(x, s)` for stacks, which NumPy's own function does not take."""
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*stack, *a.shape[-2:])), np.broadcast_to(b, (*stack, *b.shape[-2:]))
    dtype = np.result_type(a, b)
    x = np.empty((*stack, a.shape[-1], b.shape[-1]), dtype)
    s = np.empty((*stack, min(a.shape[-2:])), dtype.type(0).real.dtype)
    for place in np.ndindex(stack):
        x[place], _, _, s[place] = np.linalg.lstsq(a[place], b[place], rcond)
    return x, s


def _lstsq_differential(dxs: Sequence[Any], y: Any, a: Any, b: Any, rcond: float) -> tuple[Any, Any]:
    (da, db), (x, _) = dxs, y
    inverse = np.linalg.pinv(a, rcond)
    if da is None:
        return inverse @ db, None
    change = inverse @ ((0 if db is None else db) - da @ x)
    dah, ih = adjoint_matrix(da), adjoint_matrix(inverse)
    change = change + inverse @ (ih @ (dah @ (b - a @ x)))
    extra = dah @ (ih @ x)
    return change + (extra - inverse @ (a @ extra)), None


least_squares: Primitive = smooth(
    "lstsq",
    _least_squares,
    _lstsq_differential,
    pullback=lambda ct, y, a, b, rcond: transpose_expression(
        lambda dxs, y, a, b, rcond: _lstsq_differential(dxs, y, a, b, rcond)[:1], ct[:1], (0, 1), y, (a, b), {"rcond": rcond}
    ),
    n_outputs=2,
    batch=lambda xs, is_batched, params: least_squares(*equalize_ranks(xs, is_batched), **params),
    formula="a⁺ b",
    laws=lambda make: [  # the second result is a value only
        ((make(4, 2), make(4, 3)), {"rcond": 1e-15}, lambda x, s: (x,)),
        ((make(2, 3), make(3, 2, 1)), {"rcond": 1e-15}, lambda x, s: (x,)),
    ],
)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """`x` of least length among those that make `|a x - b|` smallest; squared residuals, rank, singular values."""
    a, b = as_matrices(a, b)
    if a.ndim != 2 or b.ndim not in (1, 2):
        msg = "least squares takes one matrix, and one vector or matrix of right-hand sides"
        raise np.linalg.LinAlgError(msg)
    if a.shape[0] != b.shape[0]:
        msg = "Incompatible dimensions"
        raise np.linalg.LinAlgError(msg)
    if rcond is None:
        rcond = max(a.shape) * np.finfo(np.result_type(a.dtype, b.dtype)).eps
    rhs = b[:, None] if b.ndim == 1 else b
    x, found = least_squares(a, rhs, rcond=rcond)
    rank = rank_of(found, rcond=rcond)
    residual = rhs - a @ x
    squares = real(residual) ** 2 + imag(residual) ** 2 if residual.dtype.kind == "c" else residual**2
    squares = sum_(squares, axis=(-2,), keepdims=False)
    if a.shape[0] <= a.shape[1] or peek(lambda found: np.any(found != a.shape[1]), rank):
        squares = squares[:0]
    return (x[:, 0] if b.ndim == 1 else x), squares, rank, np.linalg.svdvals(a)


rank_of = discrete(
    "rank_of", lambda s, rcond: np.asarray((s > rcond * s[..., :1]).sum(-1), np.int32)[()],
    laws=lambda make: [((np.array([2.0, 1.0, 0.0]),), {"rcond": 1e-9})],
)  # fmt: skip


def _matrix_rank(a: Any, tol: Any, hermitian: bool, rtol: Any) -> Any:
    return np.asarray(np.linalg.matrix_rank(a, tol, hermitian, rtol=rtol))[()]


matrix_rank_card = discrete(
    "matrix_rank", _matrix_rank, laws=lambda make: [((make(3, 2),), {"tol": None, "hermitian": False, "rtol": None})]
)


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """The number of singular values above a tolerance."""
    if A.ndim < 2:
        return np.any(A != 0).astype(int)
    return matrix_rank_card(A, tol=lowest(tol), hermitian=hermitian, rtol=lowest(rtol))
