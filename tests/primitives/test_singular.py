"""Singular values and vectors, also where they are degenerate."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import DegenerateError
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg


def sym(a):
    return a + np.conj(np.swapaxes(a, -1, -2))


for m, n in ((4, 3), (3, 3), (2, 4)):
    for k in "fc":
        case(f"svdvals {m}{n}{k}", L.svdvals, r(m, n, kind=k))
        case(f"svd no uv {m}{n}{k}", lambda a: L.svd(a, compute_uv=False), r(m, n, kind=k))
        case(
            f"svd thin rec {m}{n}{k}",
            lambda a: (lambda u, s, vh: (u * np.exp(s) @ vh, s))(*L.svd(a, full_matrices=False)),
            r(m, n, kind=k),
        )
        case(
            f"svd full {m}{n}{k}",
            lambda a: (
                lambda u, s, vh: (
                    u[:, : len(s)] * np.exp(s) @ vh[: len(s)],
                    s,
                    u[:, len(s) :] @ np.conj(u[:, len(s) :]).T,
                    np.conj(vh[len(s) :]).T @ vh[len(s) :],
                    np.abs(u[:, 0]),
                )
            )(*L.svd(a)),
            r(m, n, kind=k),
        )
case("svd real u", lambda a: L.svd(a, full_matrices=False), r(3, 2))
case("svd stack", lambda a: L.svd(a, full_matrices=False), r(2, 2, 3))
case("svd herm", lambda a: L.svd(sym(a), hermitian=True), r(3, 3))
case("svd herm vals", lambda a: L.svd(sym(a), hermitian=True, compute_uv=False), r(2, 3, 3))
case("svdvals empty", L.svdvals, r(0, 3))
case("svdvals 0st", L.svdvals, r(0, 2, 3))
case("svd empty", lambda a: L.svd(a, full_matrices=False), r(0, 3))
case("svd 0st", lambda a: L.svd(a, full_matrices=False), r(0, 2, 3))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- equal and zero singular values -------------------------------------------------------------------------------------------

rng = np.random.default_rng(2)
Q3, Q4 = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (3, 4))


def with_values(values, m, n):
    s = np.zeros((m, n))
    s[range(len(values)), range(len(values))] = values
    return (Q4 if m == 4 else Q3) @ s @ (Q4 if n == 4 else Q3).T


DEGENERATE = {
    "pair": with_values([2.0, 2, 1], 3, 3),
    "orthogonal": with_values([1.0, 1, 1], 3, 3),
    "identity": np.eye(3),
    "tall": with_values([2.0, 2, 1], 4, 3),
    "wide": with_values([2.0, 1, 1], 3, 4),
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", DEGENERATE)
def test_functions_of_all_factors(name, full):
    a = DEGENERATE[name]
    h, m = rng.standard_normal(a.shape), rng.standard_normal(a.shape)

    def cube(a):
        u, s, vh = L.svd(a, full_matrices=full)
        return (u[:, :3] * s**3) @ vh[:3]

    right = h @ a.T @ a + a @ h.T @ a + a @ a.T @ h  # a aᵀ a by the product rule
    np.testing.assert_allclose(wg.jvp(cube, (a,), (h,))[1], right, atol=1e-11)
    g = wg.grad(lambda a: np.sum(m * cube(a)))(a)
    assert np.sum(g * h) == pytest.approx(np.sum(m * right), abs=1e-11)


def test_polar_factor_of_an_orthogonal_matrix():
    h, m = rng.standard_normal((2, 3, 3))

    def polar(a):
        u, _, vh = L.svd(a)
        return u @ vh

    right = Q3 @ (Q3.T @ h - h.T @ Q3) / 2
    np.testing.assert_allclose(wg.jvp(polar, (Q3,), (h,))[1], right, atol=1e-13)
    g = wg.grad(lambda a: np.sum(m * polar(a)))(Q3)
    assert np.sum(g * h) == pytest.approx(np.sum(m * right), abs=1e-13)


def test_nuclear_norm_of_a_matrix_of_low_rank():
    a = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 1.0])
    u, _, vh = L.svd(a)
    for program in (lambda a: L.norm(a, "nuc"), lambda a: np.sum(L.svdvals(a)), lambda a: np.sum(L.svd(a)[1])):
        np.testing.assert_allclose(wg.grad(program)(a), np.outer(u[:, 0], vh[0]), atol=1e-14)
    np.testing.assert_array_equal(wg.grad(lambda a: L.norm(a, "nuc"))(np.zeros((2, 3))), np.zeros((2, 3)))


def test_spectral_norm_where_values_tie():
    np.testing.assert_allclose(wg.grad(lambda a: L.norm(a, 2))(np.eye(3)), np.eye(3) / 3, atol=1e-15)
    np.testing.assert_allclose(wg.grad(lambda a: L.norm(a, -2))(np.eye(2)), np.eye(2) / 2, atol=1e-15)
    g = wg.grad(lambda a: L.norm(a, 2))(with_values([2.0, 2, 1], 3, 3))
    np.testing.assert_allclose(g, with_values([0.5, 0.5, 0], 3, 3), atol=1e-14)


@pytest.mark.parametrize(
    ("page", "a", "program"),
    [
        ("values 0, 1 are equal", with_values([2.0, 2, 1], 3, 3), lambda a: L.svd(a)[0][0, 0]),
        ("values 1, 2 are equal", with_values([2.0, 0, 0], 3, 3), lambda a: np.sum(L.svd(a)[0] @ L.svd(a)[2])),
        ("columns 2, 3 may be any basis", np.eye(4, 2) + 0.1, lambda a: L.svd(a)[0][0, 2]),
        ("phase", with_values([3.0, 2, 1], 3, 3) + 0.5j, lambda a: np.sum(np.real(L.svd(a)[0]))),
    ],
)
def test_what_depends_on_the_basis_is_an_error_that_names_it(page, a, program):
    with pytest.raises(DegenerateError, match=page):
        wg.grad(program)(a)


def test_results_are_numpys_named_tuples():
    seen = []
    wg.grad(lambda a: (seen.append(L.svd(a)), np.sum(a))[1])(np.eye(2))
    assert type(seen[0]) is type(L.svd(np.eye(2)))


def test_stack_of_regular_and_degenerate_matrices():
    stack = np.stack([DEGENERATE["pair"], DEGENERATE["identity"], rng.standard_normal((3, 3))])
    m = rng.standard_normal((3, 3))

    def square(a):
        u, s, vh = L.svd(a)
        return np.swapaxes(vh, -1, -2) @ (vh * (s**2)[..., :, None])

    right = [a @ (m + m.T) for a in stack]  # the gradient of the sum of m · aᵀ a
    np.testing.assert_allclose(wg.vmap(wg.grad(lambda a: np.sum(m * square(a))))(stack), right, atol=1e-12)
    np.testing.assert_allclose(wg.grad(lambda s: np.sum(m * square(s)))(stack), right, atol=1e-12)
