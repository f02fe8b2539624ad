"""Norms and condition numbers."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg
A = r(3, 3) + 3 * np.eye(3)
AC = r(3, 3, kind="c") + 3 * np.eye(3)
S = r(2, 3, 3) + 3 * np.eye(3)

for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"):
    case(f"cond {p}", lambda a, p=p: L.cond(a, p), S)
    case(f"norm m {p}", lambda a, p=p: L.norm(a, p), r(3, 4))
    case(f"norm m st {p}", lambda a, p=p: L.norm(a, p, axis=(0, 2), keepdims=True), r(3, 2, 4))
    case(f"norm m c {p}", lambda a, p=p: L.norm(a, p), r(3, 2, kind="c"))
    case(f"matrix_norm {p}", lambda a, p=p: L.matrix_norm(a, ord=p if p is not None else "fro"), r(2, 3, 4))
for p in (None, 2, -2, 1, -1, 0, 3, -1.5, 0.5, np.inf, -np.inf):
    case(f"norm v {p}", lambda a, p=p: L.norm(a, p), r(4))
    case(f"norm v ax {p}", lambda a, p=p: L.norm(a, p, axis=1, keepdims=True), r(2, 3, 2))
    case(f"norm v c {p}", lambda a, p=p: L.norm(a, p, 0), r(4, 2, kind="c"))
    if p is not None:
        case(f"vector_norm {p}", lambda a, p=p: L.vector_norm(a, ord=p, axis=(0, 2)), r(2, 3, 2))
        case(f"vector_norm all {p}", lambda a, p=p: L.vector_norm(a, ord=p, keepdims=True), r(2, 3))
case("norm all", L.norm, r(2, 3, 2))
case("norm empty", L.norm, r(0))
case("norm 0d", L.norm, r())


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- kinks: at 0 the gradient is 0, and ties share ------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [None, 1, 2, 3, 1.5, np.inf, -np.inf])
def test_gradient_at_zero_is_zero_in_both_modes(p):
    for shape in ((3,), (1,)):
        zero, direction = np.zeros(shape), np.ones(shape)
        np.testing.assert_array_equal(wg.grad(lambda x: L.norm(x, p))(zero), zero)
        assert wg.jvp(lambda x: L.norm(x, p), (zero,), (direction,))[1] == 0.0
        np.testing.assert_array_equal(wg.hessian(lambda x: L.norm(x, p))(zero), np.zeros(shape * 2))


def test_zero_rows_among_others():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    g = wg.grad(lambda x: np.sum(L.norm(x, axis=1)))(x)
    np.testing.assert_allclose(g, [[0, 0], [0.6, 0.8]], rtol=1e-15)
    for program in (L.norm, lambda x: L.norm(x, "nuc"), lambda x: L.norm(x, 2), lambda x: L.vector_norm(x)):
        np.testing.assert_array_equal(wg.grad(program)(np.zeros((2, 2))), np.zeros((2, 2)))


def test_complex_zero_and_gradient():
    g = wg.grad(L.norm)(np.zeros(2, complex))
    assert g.dtype == complex
    np.testing.assert_array_equal(g, np.zeros(2))
    z = np.array([3.0 + 4.0j])
    np.testing.assert_allclose(wg.grad(L.norm)(z), z / 5, rtol=1e-15)


def test_ties_share():
    np.testing.assert_array_equal(wg.grad(lambda x: L.norm(x, np.inf))(np.array([2.0, -2.0, 1.0])), [0.5, -0.5, 0.0])
    np.testing.assert_array_equal(wg.grad(lambda x: L.norm(x, -np.inf))(np.array([1.0, -1.0, 2.0])), [0.5, -0.5, 0.0])
    a = np.array([[1.0, -1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(wg.grad(lambda a: L.norm(a, 1))(a), [[0.5, -0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(wg.grad(lambda a: L.norm(a, np.inf))(a), [[0.5, -0.5], [0.5, 0.5]])


def test_extreme_magnitudes():
    x = np.array([3e-200, 4e-200])
    np.testing.assert_allclose(wg.grad(L.norm)(x), np.where(L.norm(x) == 0, 0, [0.6, 0.8]), rtol=1e-14)
    x = np.array([1e150, 2e150])
    np.testing.assert_allclose(wg.grad(L.norm)(x), x / L.norm(x), rtol=1e-14)


def test_condition_number_of_a_singular_matrix_is_infinite():
    a = np.diag([1.0, 0.0])
    for p in (None, 1, "fro"):
        with np.errstate(all="ignore"):
            y, _ = wg.jvp(lambda a: L.cond(a, p), (a,), (a,))
        assert y == np.inf
