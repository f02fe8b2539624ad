"""Eigenvalues and eigenvectors, also where they are degenerate."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import DegenerateError
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg
A = r(3, 3) + 3 * np.eye(3)
AC = r(3, 3, kind="c") + 3 * np.eye(3)
S = r(2, 3, 3) + 3 * np.eye(3)


def sym(a):
    return a + np.conj(np.swapaxes(a, -1, -2))


case("eigh", lambda a: (lambda w, v: (w, v * v))(*L.eigh(sym(a))), r(3, 3))
case("eigh real", lambda a: L.eigh(sym(a)), r(2, 3, 3))
case("eigh U", lambda a: L.eigh(sym(a), "U"), r(3, 3))
case(
    "eigh c",
    lambda a: (lambda w, v: (w, np.abs(v), v * np.exp(w)[..., None, :] @ np.conj(v).swapaxes(-1, -2)))(*L.eigh(sym(a))),
    r(2, 3, 3, kind="c"),
)
case("eigvalsh", lambda a: L.eigvalsh(sym(a)), r(2, 3, 3))
case("eigvalsh c U", lambda a: L.eigvalsh(sym(a), "u"), r(3, 3, kind="c"))
case("eigh 0", lambda a: L.eigh(a), r(0, 0))
case("eigvalsh 0", lambda a: L.eigvalsh(a), r(0, 0))
case("eigvalsh 0s", lambda a: L.eigvalsh(a), r(0, 2, 2))
case("eigvals", L.eigvals, A + np.diag([0, 5, 9.0]))
case("eigvals cplx", L.eigvals, np.array([[1.0, 2, 0], [-2, 1, 0.5], [0.1, 0.3, 4]]))
case("eigvals c", L.eigvals, r(2, 3, 3, kind="c"))
case("eig", lambda a: L.eig(a), A + np.diag([0, 5, 9.0]))
case("eig c", lambda a: (lambda w, v: (w, np.abs(v), v * np.exp(w) @ L.inv(v)))(*L.eig(a)), r(3, 3, kind="c"))
case(
    "eig cplx pair",
    lambda a: (lambda w, v: (w, np.abs(v), np.real(v * np.exp(w) @ L.inv(v))))(*L.eig(a)),
    np.array([[1.0, 2, 0], [-2, 1, 0.5], [0.1, 0.3, 4]]),
)
case("eig 0", L.eigvals, r(0, 0))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- equal eigenvalues ------------------------------------------------------------------------------------------------------

rng = np.random.default_rng(1)
Q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
SPECTRA = {
    "identity": np.eye(3),
    "pair": np.diag([2.0, 2.0, 5.0]),
    "turned pair": (Q * [1.0, 1.0, 3.0]) @ Q.T,
    "simple": (Q * [1.0, 2.0, 3.0]) @ Q.T,
    "complex pair": np.diag([2.0, 2.0, 5.0]) + 0j,
}
MATRIX_FUNCTIONS = {  # name: f and its derivative
    "square root": (np.sqrt, lambda w: 0.5 / np.sqrt(w)),
    "exponential": (np.exp, np.exp),
    "inverse": (lambda w: 1 / w, lambda w: -1 / w**2),
}


def hermitian(x):
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


def random_like(a):
    x = rng.standard_normal(a.shape)
    return x + 1j * rng.standard_normal(a.shape) if a.dtype.kind == "c" else x


def through_eigh(f):
    def program(a):
        w, v = np.linalg.eigh(a)
        return (v * f(w)[..., None, :]) @ np.conj(np.swapaxes(v, -1, -2))

    return program


def frechet(f, slope, a, h):
    """The derivative of a matrix function, by divided differences (Daleckii and Krein, 1951)."""
    w, v = np.linalg.eigh(a)
    apart = w[:, None] - w
    equal = np.abs(apart) < 1e-9
    divided = np.where(equal, slope((w[:, None] + w) / 2), (f(w)[:, None] - f(w)) / np.where(equal, 1, apart))
    return v @ (divided * (v.conj().T @ h @ v)) @ v.conj().T


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("name", MATRIX_FUNCTIONS)
def test_matrix_functions_through_eigh(name, spectrum):
    (f, slope), a = MATRIX_FUNCTIONS[name], hermitian(SPECTRA[spectrum])
    program, h = through_eigh(f), hermitian(random_like(a))
    off_diagonal = np.zeros((3, 3), a.dtype)
    off_diagonal[0, 1] = 1
    for m in (random_like(a), off_diagonal):
        g = wg.grad(lambda x, m=m: np.sum(np.real(np.conj(m) * program(x))))(a)
        np.testing.assert_allclose(g, frechet(f, slope, a, hermitian(m)), rtol=1e-12, atol=1e-12)
    right = frechet(f, slope, a, h)
    np.testing.assert_allclose(wg.jvp(program, (a,), (h,))[1], right, rtol=1e-12, atol=1e-12)
    if a.dtype.kind == "f":
        jacobian = wg.jacobian(program, mode="reverse")(a)
        np.testing.assert_allclose(np.einsum("ijkl,kl", jacobian, h), right, rtol=1e-12, atol=1e-12)


def test_batches_of_matrices_and_of_directions():
    f, slope = MATRIX_FUNCTIONS["square root"]
    program, stack = through_eigh(f), np.stack([hermitian(SPECTRA[n]) for n in ("identity", "turned pair", "simple")])
    m, hs = rng.standard_normal((3, 3)), hermitian(rng.standard_normal((3, 3, 3)))
    g = wg.vmap(wg.grad(lambda a: np.sum(m * program(a))))(stack)
    np.testing.assert_allclose(g, [frechet(f, slope, a, hermitian(m)) for a in stack], atol=1e-12)
    np.testing.assert_allclose(wg.grad(lambda s: np.sum(m * program(s)))(stack), g, atol=1e-12)
    pushed = wg.vmap(lambda h: wg.jvp(program, (stack[1],), (h,))[1])(hs)
    np.testing.assert_allclose(pushed, [frechet(f, slope, stack[1], h) for h in hs], atol=1e-12)
    pushed = wg.vmap(lambda a, h: wg.jvp(program, (a,), (h,))[1])(stack, hs)
    np.testing.assert_allclose(pushed, [frechet(f, slope, a, h) for a, h in zip(stack, hs, strict=True)], atol=1e-12)


def test_projector_onto_a_whole_cluster():
    a, h = hermitian(SPECTRA["turned pair"]), hermitian(rng.standard_normal((3, 3)))

    def projector(a):
        v = np.linalg.eigh(a)[1][:, :2]
        return v @ np.transpose(v)

    inside = Q[:, :2] @ Q[:, :2].T
    outside = np.outer(Q[:, 2], Q[:, 2])
    right = (inside @ h @ outside + outside @ h @ inside) / (1 - 3)  # perturbation theory to first order
    np.testing.assert_allclose(wg.jvp(projector, (a,), (h,))[1], right, atol=1e-12)
    m = hermitian(rng.standard_normal((3, 3)))
    g = wg.grad(lambda x: np.sum(m * projector(x)))(a)
    assert np.sum(g * h) == pytest.approx(np.sum(m * right), abs=1e-12)


def test_what_depends_on_the_basis_of_a_cluster_is_an_error_that_names_it():
    by_place = through_eigh(lambda w: w * np.array([1.0, 2.0, 3.0]))
    for program in (lambda a: np.linalg.eigh(a)[1][0, 0], lambda a: by_place(a)[0, 0]):
        with pytest.raises(DegenerateError, match=r"values 0, 1 are equal \(2, 2\)"):
            wg.grad(program)(SPECTRA["pair"])


def test_phase_of_a_complex_vector_is_an_error():
    a = hermitian(random_like(np.eye(3) + 0j))
    with pytest.raises(DegenerateError, match="phase"):
        wg.grad(lambda a: np.sum(np.real(np.linalg.eigh(a)[1])))(a)


def test_linear_map_along_a_splitting_direction_is_an_error_with_advice():
    program = through_eigh(np.sqrt)
    _, linear = wg.linearize(program, np.eye(2))
    np.testing.assert_allclose(linear(np.eye(2)), np.eye(2) / 2, atol=1e-15)  # moves the cluster as a whole
    with pytest.raises(DegenerateError, match="jacobian"):
        linear(np.array([[1.0, 0.0], [0.0, -1.0]]))


def test_values_that_meet_move_with_their_mean():
    g = wg.jacobian(np.linalg.eigvalsh, mode="reverse")(np.diag([1.0, 1.0, 3.0]))
    np.testing.assert_allclose(g, [np.diag([0.5, 0.5, 0]), np.diag([0.5, 0.5, 0]), np.diag([0.0, 0, 1])], atol=1e-15)
    np.testing.assert_allclose(wg.jacobian(np.linalg.eigvalsh, mode="forward")(np.diag([1.0, 1.0, 3.0])), g, atol=1e-15)
    np.testing.assert_allclose(wg.grad(lambda a: np.max(np.linalg.eigvalsh(a)))(np.eye(3)), np.eye(3) / 3, atol=1e-15)


def test_other_triangle_is_not_read():
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    nan = a.copy()
    nan[0, 1] = np.nan
    for program in (np.linalg.eigvalsh, lambda a: np.linalg.eigh(a)[0]):
        np.testing.assert_array_equal(wg.jacobian(program)(nan), wg.jacobian(program)(a))


def test_results_are_numpys_named_tuples():
    for program in (np.linalg.eigh, np.linalg.eig):
        seen = []
        wg.grad(lambda a, program=program, seen=seen: (seen.append(program(a)), np.sum(a))[1])(np.eye(2))
        assert type(seen[0]) is type(program(np.eye(2)))


def test_eigenvalues_of_general_matrices_that_meet():
    g = wg.grad(lambda a: np.real(np.sum(np.linalg.eigvals(a) ** 2)))
    for a in (np.eye(3), np.array([[1.0, 0, 0], [0, 1, 1], [0, -1, 1]])):
        np.testing.assert_allclose(g(a), 2 * a.T, atol=1e-14)  # the gradient of tr(a²)


def test_functions_through_eig_of_equal_eigenvalues_are_right_or_refused():
    def square(a):
        w, v = np.linalg.eig(a)
        return (v * w**2) @ np.linalg.inv(v)

    a, h = np.diag([1.0, 1.0, 3.0]), rng.standard_normal((3, 3))
    np.testing.assert_allclose(wg.grad(lambda a: np.trace(square(a)))(a), 2 * a, atol=1e-12)
    _, pushed = wg.jvp(square, (a,), (np.eye(3),))
    np.testing.assert_allclose(pushed, 2 * a, atol=1e-12)
    with pytest.raises(DegenerateError, match="values 0, 1 are equal"):
        wg.grad(lambda a: np.sum(square(a)))(a)
    with pytest.raises(DegenerateError, match="splits a degenerate cluster"):
        wg.jvp(square, (a,), (h,))


def test_defective_matrix_is_an_error():
    with pytest.raises(DegenerateError, match="defective"):
        wg.grad(lambda a: np.sum(np.real(np.linalg.eigvals(a))))(np.array([[1.0, 1.0], [0.0, 1.0]]))


def test_near_pair_of_eigenvalues():
    a = hermitian((Q * [1.0, 1.0 + 1e-12, 2.0]) @ Q.T)
    g = wg.grad(lambda a: np.sum(np.log(np.linalg.eigvalsh(a))))(a)
    np.testing.assert_allclose(g, np.linalg.inv(a), rtol=1e-12, atol=1e-13)
    m = hermitian(rng.standard_normal((3, 3)))
    g = wg.grad(lambda a: np.sum(m * through_eigh(np.exp)(a)))(a)
    np.testing.assert_allclose(g, frechet(np.exp, np.exp, a, m), atol=2e-3)  # the gap has four digits


def test_vectors_of_a_cluster_are_numpys_where_no_derivative_is_taken():
    a = np.diag([2.0, 2.0, 5.0])
    for program in (lambda a: np.linalg.eigh(a)[1], lambda a: np.linalg.svd(a)[0]):
        np.testing.assert_array_equal(wg.vmap(program)(a[None])[0], program(a))
        seen = []
        wg.grad(lambda x, program=program, seen=seen: (seen.append(program(wg.stop_gradient(x))), np.sum(x))[1])(a)
        np.testing.assert_array_equal(seen[0].value, program(a))


# --- second derivatives through the vectors: right, or refused ------------------------------------------------------------------


def second_derivatives(f, a, h, k):
    inner, gradient = (lambda x, y: float(np.sum(x * y))), wg.grad(f)
    return {
        "forward over reverse": lambda: inner(wg.jvp(gradient, (a,), (h,))[1], k),
        "reverse over reverse": lambda: inner(wg.grad(lambda x: np.sum(gradient(x) * k))(a), h),
        "reverse over forward": lambda: inner(wg.grad(lambda x: wg.jvp(f, (x,), (k,))[1])(a), h),
        "forward over forward": lambda: float(wg.jvp(lambda x: wg.jvp(f, (x,), (k,))[1], (a,), (h,))[1]),
        "hessian": lambda: float(np.einsum("ijkl,ij,kl", wg.hessian(f)(a), h, k)),
    }


@pytest.mark.parametrize("spectrum", ["identity", "pair", "turned pair", "simple"])
@pytest.mark.parametrize("direction", ["whole", "split"])
def test_no_second_derivative_is_wrong(spectrum, direction):
    a, m = hermitian(SPECTRA[spectrum]), hermitian(rng.standard_normal((3, 3)))
    square = through_eigh(lambda w: w**2)
    h, k = (
        np.eye(3) if direction == "whole" else hermitian(rng.standard_normal((3, 3))),
        hermitian(rng.standard_normal((3, 3))),
    )
    right = float(np.trace(m @ (h @ k + k @ h)))
    answers = 0
    for name, compute in second_derivatives(lambda a: np.sum(m * square(a)), a, h, k).items():
        try:
            found = compute()
        except DegenerateError:
            continue
        answers += 1
        assert found == pytest.approx(right, rel=1e-11, abs=1e-11), name
    assert answers == 5 or spectrum != "simple"
    assert answers > 0 or direction == "split"
