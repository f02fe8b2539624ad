"""Cholesky and QR factorizations, pseudoinverses and least squares."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import DegenerateError, UnsupportedFunctionError
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


# --- hard points -------------------------------------------------------------------------------------------------------------


def test_cholesky_reads_one_triangle_and_its_gradient_is_hermitian():
    a = pos(3)
    for upper, triangle in ((False, np.tril(a)), (True, np.triu(a))):
        factor = L.cholesky(a, upper=upper)
        y, _ = wg.jvp(lambda a, upper=upper: L.cholesky(a, upper=upper), (triangle,), (triangle,))
        np.testing.assert_array_equal(y, factor)
        g = wg.grad(lambda a, upper=upper: np.sum(L.cholesky(a, upper=upper) ** 3))(triangle)
        np.testing.assert_allclose(g, g.T, rtol=1e-14)


@pytest.mark.parametrize("kind", ["f", "c"])
def test_cholesky_gradient_of_log_determinant(kind):
    a = pos(3, kind)
    g = wg.grad(lambda a: 2 * np.sum(np.log(np.real(np.diagonal(L.cholesky(a))))))(a)
    np.testing.assert_allclose(g, np.conj(L.inv(a)).T, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (3, 3), (2, 4)])
def test_what_does_not_depend_on_signs_of_qr(shape):
    a = r(*shape)
    g = wg.grad(lambda a: np.sum(L.qr(a)[1] ** 2))(a)  # ‖r‖² = ‖a‖²
    np.testing.assert_allclose(g, 2 * a, rtol=1e-12, atol=1e-12)


def test_qr_of_dependent_columns_is_an_error_that_names_the_column():
    for a in (np.ones((3, 2)), np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0]])):
        with pytest.raises(DegenerateError, match="column 1 depends"):
            wg.grad(lambda a: np.sum(L.qr(a)[1]))(a)


def test_qr_raw_mode_is_refused_with_advice():
    with pytest.raises(UnsupportedFunctionError, match="raw"):
        wg.grad(lambda a: np.sum(L.qr(a, "raw")[0]))(r(3, 3))


def test_pseudoinverse_of_low_rank_moves_at_constant_rank():
    a = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 1.0])
    left, right = r(3, 3), r(2 + 1, 3)
    h = left @ a + a @ right  # a direction of constant rank to first order
    _, dy = wg.jvp(L.pinv, (a,), (h,))
    turn = [np.eye(3) + t * left for t in (1e-6, -1e-6)], [np.eye(3) + t * right for t in (1e-6, -1e-6)]
    after, before = (L.pinv(p @ a @ q, rcond=1e-9) for p, q in zip(*turn, strict=True))
    np.testing.assert_allclose(dy, (after - before) / 2e-6, rtol=1e-7, atol=1e-8)


def test_least_squares_of_low_rank():
    a = np.outer([1.0, 2.0, 3.0], [1.0, 1.0])
    b = r(3)
    np.testing.assert_allclose(wg.jacobian(lambda b: L.lstsq(a, b)[0])(b), L.pinv(a), atol=1e-14)
    _, residuals, rank, s = L.lstsq(a, b)
    seen = []
    wg.grad(lambda a: (seen.append(L.lstsq(a, b)), np.sum(a))[1])(a)
    assert seen[0][1].shape == residuals.shape
    assert seen[0][2] == rank
    np.testing.assert_allclose(seen[0][3].value, s)


def test_residuals_of_least_squares_have_the_gradient_of_the_minimum():
    a, b = r(5, 2), r(5)
    g = wg.grad(lambda b: L.lstsq(a, b)[1][0])(b)
    np.testing.assert_allclose(g, 2 * (b - a @ L.lstsq(a, b)[0]), rtol=1e-12)


def test_results_are_numpys_named_tuples():
    seen = []
    wg.grad(lambda a: (seen.append(L.qr(a)), np.sum(a))[1])(np.eye(2))
    assert type(seen[0]) is type(L.qr(np.eye(2)))
