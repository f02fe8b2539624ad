"""Cholesky and QR factorizations, pseudoinverses and least squares."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg


def sym(a):
    return a + np.conj(np.swapaxes(a, -1, -2))


def pos(n, kind="f", *stack):
    x = r(*stack, n, n, kind=kind)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + n * np.eye(n)


AC = r(3, 3, kind="c") + 3 * np.eye(3)
S = r(2, 3, 3) + 3 * np.eye(3)
case("cholesky", lambda a: L.cholesky(sym(a)), pos(3))
case("cholesky c", lambda a: L.cholesky(sym(a)), pos(3, "c"))
case("cholesky up", lambda a: L.cholesky(sym(a), upper=True), pos(3, "c", 2))
case("chol raw", lambda a: L.cholesky(a @ a.T + 3 * np.eye(3)), r(3, 3))
case("chol 0", L.cholesky, r(0, 0))
case("chol 0s", L.cholesky, r(0, 2, 2))
for m, n in ((4, 3), (3, 3), (2, 4)):
    for k in "fc":
        for mode in ("reduced", "complete", "r"):
            f = lambda a, mode=mode: L.qr(a, mode)
            if mode == "complete" and m > n:
                f = lambda a: (lambda q, r_: (q[:, :3], q[:, 3:] @ np.conj(q[:, 3:]).T, r_))(*L.qr(a, "complete"))
            case(f"qr {m}{n}{k} {mode}", f, r(m, n, kind=k))
case("qr stack", L.qr, r(2, 3, 2))
case("qr empty", L.qr, r(0, 2))
case("qr empty2", L.qr, r(2, 0))
case("qr 0stack", L.qr, r(0, 2, 2))
case("pinv rcond", lambda a: L.pinv(a, rcond=1e-05), r(3, 2))
case("pinv herm", lambda a: L.pinv(sym(a), hermitian=True), r(3, 3))
case("pinv rtol", lambda a: L.pinv(a, rtol=1e-05), r(2, 3, 2))
case("pinv empty", L.pinv, r(0, 3))
case("pinv herm c", lambda a: L.pinv(sym(a), hermitian=True), r(3, 3, kind="c"))
case("lstsq", lambda a, b: L.lstsq(a, b), r(4, 2), r(4, 3))
case("lstsq v", lambda a, b: L.lstsq(a, b), r(4, 2), r(4))
case("lstsq wide", lambda a, b: L.lstsq(a, b), r(2, 4), r(2))
case("lstsq c", lambda a, b: L.lstsq(a, b, None), r(4, 2, kind="c"), r(4, kind="c"))
case("lstsq rc", lambda a, b: L.lstsq(a, b, 0.001), r(4, 2), r(4, kind="c"))
case("rank", lambda a: a * L.matrix_rank(a)[..., None, None] if a.ndim == 3 else a * L.matrix_rank(a), r(2, 3, 3))
case("rank2", lambda a: a * L.matrix_rank(a, tol=0.1), r(3, 2))
for m, n in ((4, 3), (3, 3), (2, 4)):
    for k in "fc":
        case(f"pinv {m}{n}{k}", L.pinv, r(m, n, kind=k))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
