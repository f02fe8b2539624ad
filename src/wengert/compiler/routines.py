"""LAPACK's functions as primitives of the compiler: what they take and return, and how they are called.

Complex matrices are arrays of parts with a last axis of length 2, as they lie in memory (`of_parts`): distances are counted in parts.
Matrices lie column by column; what is overwritten is written so by whoever computes it, and readers see results through strides, so
that nothing is copied only to be turned.  The last result of each is LAPACK's `info`, one for every member of a batch.

    lu, pivots, info = lu_factor a                     a = p l u, with rows exchanged
    x, info = lu_solve lu pivots b {turned}            a x = b, or aᵀ x = b
    x, info = triangular_solve t b {lower, turned}     t x = b, or tᵀ x = b
    l, info = cholesky_factor a                        a = l lᵀ; what lies above the diagonal stays
    h, scales, info = qr_factor a                      reflections below the diagonal, r on and above it
    q, info = qr_columns h scales {columns}            the first columns of q
    w, v, info = symmetric_eigen a {vectors, uplo}     a = v diag(w) vᵀ
    u, s, vt, info = singular_values a {job}           a = u diag(s) vt
    x, s, info = least_squares a b {rcond}             |a x - b| smallest
    re, im, v, info = general_eigen a {vectors}        eigenvalues and packed eigenvectors of a real matrix
    w, v, info = complex_eigen a {vectors}             a v = v diag(w) of a complex one
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from wengert import _optional
from wengert.compiler.homes import Homes
from wengert.compiler.lapack import name_of, workspace
from wengert.compiler.loops import Buffer, NativeCall, Shape, View, contiguous
from wengert.compiler.placed import Placed
from wengert.core.graph import Node

INFO = "info"
INT = np.dtype(np.int32)


class Site:
    """One place where a routine is called: its operands and results in memory."""

    def __init__(self, homes: Homes, node: Node, unit: int = 1) -> None:
        self.homes, self.node, self.params = homes, node, node.params
        self.unit = unit  # parts of a number
        self.real = node.operands[0].type.dtype
        self.dtype = np.dtype(np.result_type(self.real, np.complex64)) if unit == 2 else self.real
        self.batch: Shape = tuple(node.outputs[-1].type.shape)
        self.info = self.room((), INT, is_shared=False)
        self.level = 0
        self.read_only: set[Buffer] = set()
        self.filled: set[Buffer] = set()

    def shape(self, k: int) -> Shape:
        """The shape of a member of an operand, without the batch."""
        shape = tuple(self.node.operands[k].type.shape)
        return shape[-2:] if self.unit == 1 else shape[-3:-1]

    def room(self, shape: Shape, dtype: Any, *, is_shared: bool = True, unit: int = 1) -> View:
        """New memory, the same for all members or for each its own; matrices lie column by column."""
        batch = () if is_shared else self.batch
        buffer = Buffer((*batch, *shape[::-1], *[2] * (unit - 1)), np.dtype(dtype), "temporary")
        strides = contiguous(buffer.shape)[: len(batch) + len(shape)]
        head = (0,) * len(self.batch) if is_shared else strides[: len(batch)]
        return View(buffer, (*self.batch, *shape), (*head, *strides[len(batch) :][::-1]))

    def result(self, k: int, unit: int = 1) -> View:
        """Memory for a result, of numbers with so many parts."""
        type_ = self.node.outputs[k].type
        shape = tuple(type_.shape[len(self.batch) : len(type_.shape) - (unit - 1)])
        return self.room(shape, type_.dtype, is_shared=False, unit=unit)

    def overwritten(self, k: int, rows: int = 0) -> View:
        """A copy of an operand; matrices have room for so many rows."""
        atom = self.node.operands[k]
        m, n = self.shape(k)
        whole = self.room((max(m, rows), n), atom.type.dtype, is_shared=False, unit=self.unit)
        view = View(whole.buffer, (*self.batch, m, n), whole.strides)
        self.level = max(self.level, self.homes.store(atom, in_parts(view, self.unit)) + 1)
        self.filled.add(view.buffer)
        return view

    def read(self, k: int, rank: int = 2, *, either: bool = False, unit: int = 1) -> View:
        """An operand; matrices lie column by column, or row by row if either will do."""
        view, ready = self.homes.in_memory(self.node.operands[k])
        if unit == 2:
            view, ready = self.numbers(view, ready)
        if rank == 2 and not (by_columns(view, unit) or (either and by_rows(view))):
            view, ready = self.turned_copy(view, ready, unit)
        elif rank == 1 and view.strides[-1] != unit and view.shape[-1] != 1:
            view, ready = self.homes.copied(in_parts(view, unit), ready)
            view, ready = self.numbers(view, ready) if unit == 2 else (view, ready)
        self.level = max(self.level, ready)
        self.read_only.add(view.buffer)
        head = (0,) * (len(self.batch) + rank - len(view.shape))
        strides = tuple([s if n != 1 else 0 for s, n in zip(view.strides[:-rank], view.shape[:-rank], strict=True)])
        return View(view.buffer, (*self.batch, *view.shape[-rank:]), (*head, *strides, *view.strides[-rank:]), view.offset)

    def numbers(self, view: View, ready: int) -> tuple[View, int]:
        """Complex numbers whose parts lie side by side."""
        if view.strides[-1] != 1:
            view, ready = self.homes.copied(view, ready)
        return View(view.buffer, view.shape[:-1], view.strides[:-1], view.offset), ready

    def turned_copy(self, view: View, ready: int, unit: int) -> tuple[View, int]:
        """A stack of matrices laid out column by column."""
        turned = View(view.buffer, (*view.shape[:-2], *view.shape[:-3:-1]), (*view.strides[:-2], *view.strides[:-3:-1]), view.offset)
        copy, ready = self.homes.copied(in_parts(turned, unit), ready)
        strides = copy.strides[: len(view.shape)]
        return View(copy.buffer, view.shape, (*strides[:-2], *strides[:-3:-1])), ready

    def apart(self, view: View) -> int:
        """How far apart the columns of a matrix are."""
        return max(view.strides[-1] // self.unit, view.shape[-2], 1)

    def call(self, function: str, *arguments: Any, flops: float) -> None:
        """One function more; "work", "iwork", "rwork" and their lengths stand for what it wants for its own use."""
        symbol = name_of(function, self.dtype)
        values = [self.info if x is INFO else x for x in arguments]
        if "work" in arguments:
            sizes = workspace(symbol, tuple([None if isinstance(x, View) else x for x in values]), self.dtype)
            room = {"work": self.room((sizes[0],), self.real, unit=self.unit), "lwork": sizes[0], "liwork": sizes[1], "lrwork": sizes[2]}
            for name, size, dtype in (("iwork", sizes[1], INT), ("rwork", sizes[2], self.real)):
                if name in arguments:
                    room[name] = self.room((max(1, size),), dtype)
            values = [room.get(x, x) if isinstance(x, str) else x for x in values]
        touched = dict.fromkeys(x.buffer for x in values if isinstance(x, View))
        written = [b for b in touched if b not in self.read_only]
        updated = [b for b in written if b in self.filled]
        step = NativeCall(symbol, self.batch, values, written, updated, int(flops * self.unit**2) + 1, self.level)
        self.homes.steps.append(step)
        self.filled.update(written)
        self.level += 1

    def returns(self, *views: View) -> None:
        """The results, but for `info`."""
        for var, view in zip(self.node.outputs, [*views, self.info], strict=True):
            whole = in_parts(view, 1 + len(var.type.shape) - len(view.shape))
            self.homes.in_buffer(var, view.buffer, self.level).view = View(view.buffer, tuple(var.type.shape), whole.strides, view.offset)


def in_parts(view: View, unit: int) -> View:
    """Numbers of two parts as an array of parts."""
    return view if unit == 1 else View(view.buffer, (*view.shape, 2), (*view.strides, 1), view.offset)


def by_columns(view: View, unit: int = 1) -> bool:
    """Whether LAPACK can read the matrices of a stack as they lie."""
    (m, n), (down, along) = view.shape[-2:], view.strides[-2:]
    return (down == unit or m == 1) and (along >= m * unit or n == 1)


def by_rows(view: View) -> bool:
    """Whether it can read their transposes."""
    (m, n), (down, along) = view.shape[-2:], view.strides[-2:]
    return (along == 1 or n == 1) and (down >= n or m == 1)


class Routine(Placed):
    """A function of LAPACK; `one` is its value for a single member."""

    __slots__ = ("one", "perform", "ranks", "unit")

    def __init__(self, perform: Callable[[Site], None], one: Callable[..., Any], ranks: Shape, n_outputs: int, unit: int = 1) -> None:
        self.perform, self.one, self.ranks, self.unit = perform, one, ranks, unit
        super().__init__(perform.__name__, over_batch(one, ranks), n_outputs=n_outputs)

    def place(self, homes: Homes, node: Node) -> None:
        self.perform(Site(homes, node, self.unit))


@cache
def of_parts(routine: Routine) -> Routine:
    """The same function for complex matrices, which are arrays of parts."""

    def one(*xs: Any, **params: Any) -> Any:
        given = [np.ascontiguousarray(x).view(np.result_type(x.dtype, np.complex64))[..., 0] if x.dtype.kind == "f" else x for x in xs]
        found = routine.one(*given, **params)
        return tuple([np.stack([y.real, y.imag], -1) if np.iscomplexobj(y) else y for y in found])

    ranks = routine.ranks if routine is not lu_solve else (2, 0, 2)
    return Routine(routine.perform, one, tuple([r + 1 for r in ranks]), routine.n_outputs or 1, unit=2)


def over_batch(one: Callable[..., Any], ranks: Shape) -> Callable[..., Any]:
    """A function of single members, of so many axes, for all members of a batch."""

    def evaluate(*xs: Any, **params: Any) -> Any:
        batch = np.broadcast_shapes(*[np.shape(x)[: np.ndim(x) - r] for x, r in zip(xs, ranks, strict=True)])
        whole = [np.broadcast_to(x, (*batch, *np.shape(x)[np.ndim(x) - r :])) for x, r in zip(xs, ranks, strict=True)]
        found = [one(*[x[k] for x in whole], **params) for k in np.ndindex(batch)]
        return tuple([np.reshape(np.stack(parts), (*batch, *np.shape(parts[0]))) for parts in zip(*found, strict=True)])

    return evaluate


def routine(one: Callable[..., Any], ranks: Shape, n_outputs: int) -> Callable[[Callable[[Site], None]], Routine]:
    """How a routine is written at a site, as a primitive."""
    return lambda perform: Routine(perform, one, ranks, n_outputs)


def scipy_lapack(name: str, *arrays: Any) -> Any:
    """SciPy's own wrapper of a function, for the dtype of the arrays."""
    return _optional.load("scipy.linalg", "wg.jit", "jit").get_lapack_funcs(name, arrays)


# --- systems of equations ---------------------------------------------------------------------------------------------


def _lu_of(a: Any) -> Any:
    lu, pivots, info = scipy_lapack("getrf", a)(a)
    return lu, (pivots + 1).astype(INT), INT.type(info)


@routine(_lu_of, (2,), 3)
def lu_factor(at: Site) -> None:
    """`a = p l u`."""
    a, (m, n) = at.overwritten(0), at.shape(0)
    pivots = at.result(1)
    at.call("getrf", m, n, a, at.apart(a), pivots, INFO, flops=2 / 3 * n**3)
    at.returns(a, pivots)


def _solve_by_lu(lu: Any, pivots: Any, b: Any, turned: bool) -> Any:
    x, info = scipy_lapack("getrs", lu, b)(lu, pivots - 1, b, trans=turned)
    return x, INT.type(info)


@routine(_solve_by_lu, (2, 1, 2), 2)
def lu_solve(at: Site) -> None:
    """`a x = b`, or with the transpose of `a`."""
    n, k = at.shape(2)
    lu, pivots, x = at.read(0, unit=at.unit), at.read(1, 1), at.overwritten(2)
    at.call("getrs", "NT"[at.params["turned"]], n, k, lu, at.apart(lu), pivots, x, at.apart(x), INFO, flops=2 * n * n * k)
    at.returns(x)


def _solve_by_triangle(t: Any, b: Any, lower: bool, turned: bool) -> Any:
    x, info = scipy_lapack("trtrs", t, b)(t, b, lower=lower, trans=turned)
    return x, INT.type(info)


@routine(_solve_by_triangle, (2, 2), 2)
def triangular_solve(at: Site) -> None:
    """`t x = b`, or with the transpose of `t`; a triangle that lies row by row is the other one of its transpose."""
    n, k = at.shape(1)
    t, x = at.read(0, either=True), at.overwritten(1)
    is_turned = not by_columns(t)
    uplo, trans = "UL"[at.params["lower"] != is_turned], "NT"[at.params["turned"] != is_turned]
    distance = max(t.strides[-2], n, 1) if is_turned else at.apart(t)
    at.call("trtrs", uplo, trans, "N", n, k, t, distance, x, at.apart(x), INFO, flops=n * n * k)
    at.returns(x)


def _cholesky_of(a: Any) -> Any:
    l, info = scipy_lapack("potrf", a)(a, lower=True, clean=False)
    return l, INT.type(info)


@routine(_cholesky_of, (2,), 2)
def cholesky_factor(at: Site) -> None:
    """`a = l lᵀ`."""
    a, (n, _) = at.overwritten(0), at.shape(0)
    at.call("potrf", "L", n, a, at.apart(a), INFO, flops=n**3 / 3)
    at.returns(a)


# --- orthogonal factors -----------------------------------------------------------------------------------------------


def _qr_of(a: Any) -> Any:
    h, scales, _, info = scipy_lapack("geqrf", a)(a)
    return h, scales, INT.type(info)


@routine(_qr_of, (2,), 3)
def qr_factor(at: Site) -> None:
    """`a = q r`, `q` as reflections."""
    a, (m, n) = at.overwritten(0), at.shape(0)
    scales = at.result(1, at.unit)
    at.call("geqrf", m, n, a, at.apart(a), scales, "work", "lwork", INFO, flops=2 * m * n * min(m, n))
    at.returns(a, scales)


def _columns_of(h: Any, scales: Any, columns: int) -> Any:
    padded = np.concatenate([h, np.zeros((h.shape[0], max(0, columns - h.shape[1])), h.dtype)], 1)[:, :columns]
    q, _, info = scipy_lapack("orgqr", h)(padded, scales)
    return q, INT.type(info)


@routine(_columns_of, (2, 1), 2)
def qr_columns(at: Site) -> None:
    """The first columns of the orthogonal factor; `h` has as many."""
    scales, q, (m, n) = at.read(1, 1, unit=at.unit), at.overwritten(0), at.shape(0)
    k = at.node.operands[1].type.shape[-at.unit]
    at.call("orgqr", m, n, k, q, at.apart(q), scales, "work", "lwork", INFO, flops=4 * m * n * k)
    at.returns(q)


# --- eigenvalues and singular values ----------------------------------------------------------------------------------


def _eigen_of(a: Any, vectors: bool, uplo: str) -> Any:
    w, v, info = scipy_lapack("heevd" if np.iscomplexobj(a) else "syevd", a)(a, compute_v=vectors, lower=uplo == "L")
    return (w, v if vectors else a, INT.type(info))


@routine(_eigen_of, (2,), 3)
def symmetric_eigen(at: Site) -> None:
    """`a = v diag(w) vᵀ`, of one triangle, on which signs depend; without vectors the second result is nothing."""
    a, (n, _) = at.overwritten(0), at.shape(0)
    w, vectors = at.result(0), at.params["vectors"]
    more = ("rwork", "lrwork") if at.unit == 2 else ()
    own = ("work", "lwork", *more, "iwork", "liwork")
    at.call("syevd", "NV"[vectors], at.params["uplo"], n, a, at.apart(a), w, *own, INFO, flops=(9 if vectors else 4 / 3) * n**3)
    at.returns(w, a)


def _singular_of(a: Any, job: str) -> Any:
    u, s, vt, info = scipy_lapack("gesdd", a)(a, compute_uv=job != "N", full_matrices=job == "A")
    none = np.zeros((1, 1), a.dtype)
    return none if job == "N" else u, s, none if job == "N" else vt, INT.type(info)


@routine(_singular_of, (2,), 4)
def singular_values(at: Site) -> None:
    """`a = u diag(s) vt`: all columns (`job="A"`), those that belong to a value ("S"), or values alone ("N")."""
    a, (m, n), job = at.overwritten(0), at.shape(0), at.params["job"]
    u, s, vt = (at.result(k, unit) for k, unit in enumerate((at.unit, 1, at.unit)))
    short, long = min(m, n), max(m, n)
    own = [at.room((8 * short,), INT)]
    if at.unit == 2:  # no function tells how many real numbers it wants
        wanted = 7 * short if job == "N" else short * max(5 * short + 7, 2 * long + 2 * short + 1)
        own.insert(0, at.room((wanted,), at.real))
    flops = (4 if job == "N" else 22) * m * n * short
    at.call("gesdd", job, m, n, a, at.apart(a), s, u, at.apart(u), vt, at.apart(vt), "work", "lwork", *own, INFO, flops=flops)
    at.returns(u, s, vt)


def _general_of(a: Any, vectors: bool) -> Any:
    re, im, _, v, info = scipy_lapack("geev", a)(a, compute_vl=False, compute_vr=vectors)
    return re, im, v if vectors else np.zeros((1, 1), a.dtype), INT.type(info)


@routine(_general_of, (2,), 4)
def general_eigen(at: Site) -> None:
    """`a v = v diag(re + i im)`: of a pair of conjugate vectors the first column holds the real part, the second the imaginary one."""
    a, (n, _), vectors = at.overwritten(0), at.shape(0), at.params["vectors"]
    re, im, v = (at.result(k) for k in range(3))
    none = at.room((1, 1), at.real)
    at.call("geev", "N", "NV"[vectors], n, a, at.apart(a), re, im, none, 1, v, at.apart(v), "work", "lwork", INFO, flops=(25 if vectors else 10) * n**3)
    at.returns(re, im, v)


def _complex_of(a: Any, vectors: bool) -> Any:
    w, _, v, info = scipy_lapack("geev", a)(a, compute_vl=False, compute_vr=vectors)
    return w, v if vectors else np.zeros((1, 1), a.dtype), INT.type(info)


@routine(_complex_of, (2,), 3)
def complex_eigen(at: Site) -> None:
    """`a v = v diag(w)` of complex matrices."""
    a, (n, _), vectors = at.overwritten(0), at.shape(0), at.params["vectors"]
    w, v = (at.result(k, at.unit) for k in range(2))
    none, own = at.room((1, 1), at.real, unit=at.unit), at.room((2 * n,), at.real)
    at.call("geev", "N", "NV"[vectors], n, a, at.apart(a), w, none, 1, v, at.apart(v), "work", "lwork", own, INFO, flops=(25 if vectors else 10) * n**3)
    at.returns(w, v)


def _least_squares_of(a: Any, b: Any, rcond: float) -> Any:
    m, n = a.shape
    padded = np.concatenate([b, np.zeros((max(0, n - m), b.shape[1]), b.dtype)])
    work, iwork, _ = scipy_lapack("gelsd_lwork", a)(m, n, b.shape[1], cond=rcond)
    x, s, _, info = scipy_lapack("gelsd", a)(a, padded, int(work), iwork, cond=rcond)
    return x[:n], s, INT.type(info)


@routine(_least_squares_of, (2, 2), 3)
def least_squares(at: Site) -> None:
    """The shortest `x` for which `|a x - b|` is smallest; singular values below `rcond` times the largest count as 0."""
    (m, n), k = at.shape(0), at.shape(1)[1]
    a, b, s = at.overwritten(0), at.overwritten(1, rows=n), at.result(1)
    rcond, rank = at.dtype.type(at.params["rcond"]), at.room((), INT)
    distance = max(m, n)
    at.call("gelsd", m, n, k, a, at.apart(a), b, distance, s, rcond, rank, "work", "lwork", "iwork", INFO, flops=4 * m * n * min(m, n))
    at.returns(View(b.buffer, (*at.batch, n, k), b.strides), s)
