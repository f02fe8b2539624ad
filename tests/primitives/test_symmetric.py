"""Second derivatives of functions that treat equal eigenvalues or singular values alike, against closed forms."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import DegenerateError

rng = np.random.default_rng(0)
Q3, Q4 = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (3, 4))


def sym(x):
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


def skew(x):
    return (x - np.conj(np.swapaxes(x, -1, -2))) / 2


def inner(x, y):
    return np.sum(np.real(np.conj(x) * y))


def nestings(f, a, h, k):
    """The second derivative of `f` along `h` and `k`, in every way of nesting but forward over forward."""
    gradient = wg.grad(f)
    found = {
        "forward over reverse": inner(wg.jvp(gradient, (a,), (h,))[1], k),
        "reverse over reverse": inner(wg.grad(lambda x: inner(gradient(x), k), on_disconnected="zero")(a), h),
        "reverse over forward": inner(wg.grad(lambda x: wg.jvp(f, (x,), (k,))[1], on_disconnected="zero")(a), h),
    }
    if a.dtype.kind == "f":
        found["hessian"] = np.einsum("ijkl,ij,kl", wg.hessian(f)(a), h, k)
        found["hvp"] = inner(wg.hvp(f, (a,), (h,)), k)
    return found


def assert_all(found, right):
    for name, value in found.items():
        assert value == pytest.approx(right, rel=1e-12, abs=1e-12), name


SPECTRA = {
    "identity": np.eye(3),
    "pair": np.diag([1.0, 1.0, 3.0]),
    "upper pair": np.diag([0.5, 2.0, 2.0]),
    "turned pair": sym(Q3 @ np.diag([1.0, 1.0, 3.0]) @ Q3.T),
    "simple": np.diag([1.0, 2.0, 4.0]),
    "two pairs": sym(Q4 @ np.diag([1.0, 1.0, 3.0, 3.0]) @ Q4.T),
}
# name: (function of the matrix, its second derivative along h and k)
FUNCTIONS = {
    "trace": (lambda a: np.sum(np.linalg.eigvalsh(a)), lambda a, h, k: 0.0),
    "sum of squares": (lambda a: np.sum(np.linalg.eigvalsh(a) ** 2), lambda a, h, k: 2 * np.trace(h @ k)),
    "log determinant": (
        lambda a: np.sum(np.log(np.linalg.eigvalsh(a))),
        lambda a, h, k: -np.trace(np.linalg.solve(a, h) @ np.linalg.solve(a, k)),
    ),
    "product": (
        lambda a: np.prod(np.linalg.eigvalsh(a)),
        lambda a, h, k: np.linalg.det(a) * (
            np.trace(np.linalg.solve(a, h)) * np.trace(np.linalg.solve(a, k))
            - np.trace(np.linalg.solve(a, h) @ np.linalg.solve(a, k))
        ),
    ),
    "cubes, and the square of the sum": (
        lambda a: np.sum(np.linalg.eigvalsh(a) ** 3) + np.sum(np.linalg.eigvalsh(a)) ** 2,
        lambda a, h, k: 3 * np.trace(a @ (h @ k + k @ h)) + 2 * np.trace(h) * np.trace(k),
    ),
    "log of the sum of squares": (
        lambda a: np.log(np.sum(np.linalg.eigvalsh(a) ** 2)),
        lambda a, h, k: 2 * np.trace(h @ k) / np.sum(a * a) - 4 * np.sum(a * h) * np.sum(a * k) / np.sum(a * a) ** 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_second_derivatives_of_symmetric_functions_of_eigenvalues(spectrum, function):
    a, (f, second) = SPECTRA[spectrum], FUNCTIONS[function]
    n = len(a)
    h, k = sym(rng.standard_normal((n, n))), sym(rng.standard_normal((n, n)))
    assert_all(nestings(f, a, h, k), second(a, h, k))
    twice = wg.jvp(lambda x: wg.jvp(f, (x,), (h,))[1], (a,), (h,))[1]
    assert twice == pytest.approx(second(a, h, h), rel=1e-12, abs=1e-12)
    off_diagonal = np.zeros((n, n))
    off_diagonal[0, 1] = off_diagonal[1, 0] = 1.0
    assert_all(nestings(f, a, off_diagonal, h), second(a, off_diagonal, h))


def test_complex_hermitian():
    a = np.eye(3) + 0j
    h, k = (sym(rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3))) for _ in range(2))
    f, _ = FUNCTIONS["log determinant"]
    assert_all(nestings(f, a, h, k), -np.trace(h @ k).real)


def test_stack_of_matrices_and_batches():
    f, second = FUNCTIONS["log determinant"]
    stack = np.stack([SPECTRA["identity"], SPECTRA["turned pair"], SPECTRA["simple"]])
    h, k = sym(rng.standard_normal((3, 3))), sym(rng.standard_normal((3, 3)))
    right = [second(a, h, k) for a in stack]
    batched = wg.vmap(lambda a: inner(wg.jvp(wg.grad(f), (a,), (h,))[1], k))(stack)
    np.testing.assert_allclose(batched, right, rtol=1e-12)
    hs, ks = np.stack([h] * 3), np.stack([k] * 3)
    assert inner(wg.grad(lambda x: inner(wg.grad(f)(x), ks))(stack), hs) == pytest.approx(sum(right), rel=1e-12)
    assert inner(wg.jvp(wg.grad(f), (stack,), (hs,))[1], ks) == pytest.approx(sum(right), rel=1e-12)


def test_near_pair_is_as_accurate():
    for gap, accuracy in ((1e-14, 1e-12), (1e-12, 1e-11), (1e-11, 1e-10), (1e-9, 1e-6), (1e-7, 1e-8)):
        a = sym(Q3 @ np.diag([1.0, 1.0 + gap, 2.0]) @ Q3.T)
        h, k = sym(rng.standard_normal((3, 3))), sym(rng.standard_normal((3, 3)))
        f, second = FUNCTIONS["log determinant"]
        np.testing.assert_allclose(wg.grad(f)(a), np.linalg.inv(a), rtol=1e-12, atol=1e-13)
        found = inner(wg.jvp(wg.grad(f), (a,), (h,))[1], k)
        assert found == pytest.approx(second(a, h, k), rel=accuracy)


def test_extreme_value_outside_the_cluster_is_an_ordinary_function():
    a = np.diag([1.0, 1.0, 3.0])
    h, k = sym(rng.standard_normal((3, 3))), sym(rng.standard_normal((3, 3)))
    right = 2 * sum(h[2, j] * k[2, j] / (3 - 1) for j in (0, 1))
    assert_all(nestings(lambda a: np.linalg.eigvalsh(a)[-1], a, h, k), right)


@pytest.mark.parametrize("nesting", ["forward over reverse", "reverse over reverse", "reverse over forward", "hessian"])
def test_one_value_of_a_cluster_has_no_second_derivative(nesting):
    f, a = (lambda a: np.linalg.eigvalsh(a)[0]), np.diag([1.0, 1.0, 3.0])
    h, k = sym(rng.standard_normal((3, 3))), sym(rng.standard_normal((3, 3)))
    ways = {
        "forward over reverse": lambda: wg.jvp(wg.grad(f), (a,), (h,)),
        "reverse over reverse": lambda: wg.grad(lambda x: inner(wg.grad(f)(x), k))(a),
        "reverse over forward": lambda: wg.grad(lambda x: wg.jvp(f, (x,), (k,))[1])(a),
        "hessian": lambda: wg.hessian(f)(a),
    }
    with pytest.raises(DegenerateError, match=r"values 0, 1 are equal \(1, 1\)"):
        ways[nesting]()


def test_different_directions_in_forward_over_forward_are_refused_where_they_split_a_cluster():
    f, a = FUNCTIONS["sum of squares"][0], np.eye(3)
    h, k = sym(rng.standard_normal((3, 3))), sym(rng.standard_normal((3, 3)))
    with pytest.raises(DegenerateError, match="second derivative"):
        wg.jvp(lambda x: wg.jvp(f, (x,), (h,))[1], (a,), (k,))


def test_third_derivative_in_a_cluster_is_refused():
    f, a = FUNCTIONS["log determinant"][0], np.eye(2)
    h = sym(rng.standard_normal((2, 2)))
    with pytest.raises(DegenerateError, match="second derivative"):
        wg.jvp(wg.hessian(f), (a,), (h,))


# --- singular values ------------------------------------------------------------------------------------------------------


def along(sv, m, n):
    s = np.zeros((m, n))
    s[range(len(sv)), range(len(sv))] = sv
    return (Q4 if m == 4 else Q3) @ s @ (Q4 if n == 4 else Q3).T


RECTANGLES = {
    "orthogonal": along([1.0, 1, 1], 3, 3),
    "pair": along([2.0, 2, 1], 3, 3),
    "tall pair": along([2.0, 2, 1], 4, 3),
    "wide pair": along([2.0, 2, 1], 3, 4),
    "tall, all equal": along([2.0, 2, 2], 4, 3),
    "simple": along([3.0, 2, 1], 3, 4),
}


@pytest.mark.parametrize("name", RECTANGLES)
def test_second_derivatives_of_symmetric_functions_of_singular_values(name):
    a = RECTANGLES[name]
    h, k = rng.standard_normal(a.shape), rng.standard_normal(a.shape)
    assert_all(nestings(lambda a: np.sum(np.linalg.svdvals(a) ** 2), a, h, k), 2 * np.sum(h * k))
    quartic = 4 * np.trace(h.T @ k @ a.T @ a + h.T @ a @ k.T @ a + h.T @ a @ a.T @ k)
    assert_all(nestings(lambda a: np.sum(np.linalg.svdvals(a) ** 4), a, h, k), quartic)


def test_nuclear_norm_at_an_orthogonal_matrix():
    h, k = rng.standard_normal((3, 3)), rng.standard_normal((3, 3))
    right = np.sum(skew(Q3.T @ h) * skew(Q3.T @ k))  # tr sqrt((q + h)ᵀ (q + h)) to second order
    assert_all(nestings(lambda a: np.linalg.norm(a, "nuc"), Q3.copy(), h, k), right)


def test_zero_singular_value_is_a_kink():
    a = along([2.0, 1, 0], 3, 3)
    with pytest.raises(DegenerateError, match="second derivative"):
        wg.hessian(lambda a: np.linalg.norm(a, "nuc"))(a)


# --- where values differ, to third order -----------------------------------------------------------------------------------------

SMOOTH = {
    "eigenvalues": (lambda a: np.sum(np.exp(np.linalg.eigvalsh(a)) * [1, 2, 3]), True),
    "eigenvectors": (lambda a: (lambda w, v: np.sum((v[0] * np.exp(w)) @ np.transpose(v)))(*np.linalg.eigh(a)), True),
    "singular values": (lambda a: np.sum(np.exp(np.linalg.svdvals(a)) * [1, 2, 3]), False),
    "singular vectors": (
        lambda a: (lambda u, s, vh: np.sum((u[0] * s**2) @ vh))(*np.linalg.svd(a, full_matrices=False)), False,
    ),
    "qr": (lambda a: np.sum(np.linalg.qr(a)[1] ** 3), False),
    "pseudoinverse": (lambda a: np.sum(np.linalg.pinv(a) ** 3), False),
    "cholesky": (lambda a: np.sum(np.linalg.cholesky(a @ np.transpose(a) + np.eye(4)) ** 3), False),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_third_derivatives(name):
    f, symmetric = SMOOTH[name]
    local = np.random.default_rng(5)
    a, h = (sym(local.standard_normal((3, 3))) if symmetric else local.standard_normal((4, 3)) for _ in range(2))
    hessian = wg.hessian(f)

    def central(step):
        return (hessian(a + step * h) - hessian(a - step * h)) / (2 * step)

    _, found = wg.jvp(hessian, (a,), (h,))
    right = (4 * central(5e-4) - central(1e-3)) / 3
    np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-7 * np.abs(right).max())
    np.testing.assert_allclose(wg.vmap(hessian)(np.stack([a, a + h]))[1], hessian(a + h), rtol=1e-12, atol=1e-12)


def test_graphs_show_the_plain_factorization():
    a = np.diag([1.0, 2.0])
    assert "eigh b {" in str(wg.trace(lambda a: np.linalg.eigh(a)[1])(a))
    assert "svd a {" in str(wg.trace(lambda a: np.linalg.svd(a)[0])(a))
