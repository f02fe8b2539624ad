"""Patterns of whole programs, colourings, and sparse Jacobians and Hessians against the dense ones."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import wengert as wg
from wengert.core.pattern import Pattern
from wengert.errors import ArgumentError, LostDerivativeError
from wengert.transforms.colouring import colour_columns, colour_symmetric, read_rows, read_symmetric, seeds_of

rng = np.random.default_rng(3)


@st.composite
def matrices(draw, symmetric=False):
    n, m = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    if symmetric:
        m = n
    bits = draw(st.lists(st.booleans(), min_size=n * m, max_size=n * m))
    matrix = np.array(bits, bool).reshape(n, m)
    return matrix | matrix.T if symmetric else matrix


# --- patterns ---------------------------------------------------------------------------------------------------------


@given(matrices(), st.data())
def test_patterns_compose_like_boolean_matrices(a, data):
    b = np.array(data.draw(st.lists(st.booleans(), min_size=a.shape[1] * 5, max_size=a.shape[1] * 5)), bool)
    b = b.reshape(a.shape[1], 5)
    p, q = Pattern.of_array(a), Pattern.of_array(b)
    np.testing.assert_array_equal((p @ q).toarray(), (a.astype(int) @ b.astype(int)) > 0)
    np.testing.assert_array_equal((p | Pattern.of_array(np.roll(a, 1))).toarray(), a | np.roll(a, 1))
    np.testing.assert_array_equal(p.T.toarray(), a.T)
    assert p == Pattern.of_array(a) and hash(p) == hash(Pattern.of_array(a))


def test_pattern_of_a_stencil_and_its_picture():
    def stencil(u):
        y = np.zeros_like(u)
        y[1:-1] = u[2:] - 2 * u[1:-1] + u[:-2] + np.sin(u[1:-1])
        return y

    pattern = wg.sparsity(stencil)(np.ones(5))
    assert str(pattern).splitlines()[1:] == ["· · · · ·", "■ ■ ■ · ·", "· ■ ■ ■ ·", "· · ■ ■ ■", "· · · · ·"]
    assert pattern.nnz == 9


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: x.reshape(2, 3).sum(axis=0) * x[:3], np.arange(6.0) + 1),
        (lambda x: np.concatenate([x[::-1], x[:2] ** 2]), np.arange(4.0) + 1),
        (lambda x: np.outer(x[:2], x[2:]).ravel(), np.arange(5.0) + 1),
        (lambda x: x.reshape(3, 3) @ x[:3], np.arange(9.0) + 1),
        (lambda x: np.cumsum(x), np.arange(4.0) + 1),
        (lambda x: np.exp(x[[0, 0, 2]]) * np.floor(x), np.arange(3.0) + 1.5),
        (lambda x: wg.checkpoint(lambda v: np.sin(v) * v)(x), np.arange(3.0) + 0.5),
        (lambda x: np.take(np.repeat(x, 2), [1, 5]) + np.stack([x, x])[:, 0], np.arange(3.0) + 0.5),
        (lambda x: np.roll(x, 1).clip(0.1, 9.0) ** 3, np.arange(5.0) + 0.5),
    ],
)
def test_pattern_is_that_of_the_dense_jacobian(f, x):
    """At a point without accidental zeros the pattern is exactly where differences of the values are."""
    dense = np.stack([(f(x + 1e-6 * e) - f(x - 1e-6 * e)) / 2e-6 for e in np.eye(x.size)], axis=1)
    np.testing.assert_array_equal(wg.sparsity(f)(x).toarray(), np.abs(dense) > 1e-6)


def test_the_pattern_does_not_depend_on_accidental_zeros():
    assert wg.sparsity(lambda x: x**2)(np.zeros(3)) == Pattern.identity(3)
    assert wg.sparsity(lambda x: np.where(x > 0, x, x[::-1]))(np.ones(3)).nnz == 5


def test_patterns_of_containers_and_of_nothing():
    patterns = wg.sparsity(lambda p: {"u": np.sin(p["a"]), "v": p["b"][:1] * 2.0})({"a": np.ones(3), "b": np.ones(2)})
    assert patterns["u"]["a"] == Pattern.identity(3)
    assert patterns["u"]["b"].nnz == 0
    assert patterns["v"]["b"].nnz == 1
    assert wg.sparsity(lambda x: np.floor(x))(np.ones(2)).nnz == 0
    assert wg.sparsity(lambda x: x[:0])(np.ones(2)).shape == (0, 2)


# --- colouring ----------------------------------------------------------------------------------------------------------


@given(matrices())
def test_columns_of_one_colour_share_no_row_and_are_read_back(matrix):
    pattern = Pattern.of_array(matrix)
    colours = colour_columns(pattern)
    for colour in range(int(colours.max(initial=-1)) + 1):
        assert matrix[:, colours == colour].sum(axis=1).max(initial=0) <= 1
    values = rng.standard_normal(matrix.shape) * matrix
    if pattern.nnz:
        compressed = (values @ seeds_of(colours).T).T
        np.testing.assert_allclose(read_rows(pattern, colours, compressed), values[pattern.rows, pattern.columns])


@given(matrices(symmetric=True))
def test_symmetric_matrices_are_read_back_from_a_star_colouring(matrix):
    pattern = Pattern.of_array(matrix)
    if not pattern.nnz:
        return
    colours = colour_symmetric(pattern)
    values = rng.standard_normal(matrix.shape)
    values = (values + values.T) * matrix
    compressed = (values @ seeds_of(colours).T).T
    np.testing.assert_allclose(read_symmetric(pattern, colours, compressed), values[pattern.rows, pattern.columns])


def test_numbers_of_colours():
    tridiagonal = Pattern.of_array(np.eye(50) + np.eye(50, k=1) + np.eye(50, k=-1))
    assert colour_columns(tridiagonal).max() + 1 == 3
    arrow = np.eye(50)
    arrow[0] = arrow[:, 0] = 1
    assert colour_symmetric(Pattern.of_array(arrow)).max() + 1 == 2
    assert colour_columns(Pattern.full((3, 4))).max() + 1 == 4


# --- sparse derivatives ----------------------------------------------------------------------------------------------------


def brusselator(u):
    y = np.zeros_like(u)
    y[1:-1] = u[2:] - 2 * u[1:-1] + u[:-2] + u[1:-1] ** 2
    y[0], y[-1] = u[0], u[-1] ** 3
    return y


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("mode", [None, "forward", "reverse"])
@pytest.mark.parametrize("chunk", [None, 1])
def test_sparse_jacobian_is_the_dense_one(mode, chunk):
    x = rng.standard_normal(12)
    found = wg.jacobian(brusselator, mode=mode, chunk_size=chunk, sparse=True)(x)
    assert isinstance(found, scipy.sparse.csr_array)
    expected = np.diag(-2 + 2 * x) + np.eye(12, k=1) + np.eye(12, k=-1)
    expected[0], expected[-1] = np.eye(12)[0], np.eye(12)[-1] * 3 * x[-1] ** 2
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-13)
    assert found.dtype == np.float64


def test_a_known_pattern_saves_finding_it():
    x = rng.standard_normal(12)
    pattern = wg.sparsity(brusselator)(x)
    found = wg.jacobian(brusselator, sparse=pattern)(x)
    np.testing.assert_array_equal(found.toarray(), wg.jacobian(brusselator, sparse=True)(x).toarray())
    with pytest.raises(ArgumentError, match="the pattern has shape"):
        wg.jacobian(brusselator, sparse=pattern)(rng.standard_normal(11))


def test_one_dense_row_is_found_in_the_other_direction():
    """The sum of all entries meets every column: 200 colours forwards, few backwards."""
    f = lambda x: np.concatenate([np.sum(x**2, keepdims=True), x[:3] ** 3])
    x = rng.standard_normal(200)
    found = wg.jacobian(f, sparse=True)(x)
    np.testing.assert_allclose(found.toarray(), wg.jacobian(f)(x), rtol=1e-14)


def test_sparse_jacobian_of_containers_with_aux_and_complex_numbers():
    f = lambda p, k: ({"y": k * np.sin(p["a"]), "z": p["b"] * p["a"][:2]}, p["a"].sum())
    p = {"a": np.array([0.3, 0.5, 0.7]), "b": np.array([1.0, 2.0])}
    found, aux = wg.jacobian(f, has_aux=True, sparse=True)(p, 2.0)
    dense, _ = wg.jacobian(f, has_aux=True)(p, 2.0)
    assert aux == p["a"].sum()
    for y in ("y", "z"):
        for x in ("a", "b"):
            np.testing.assert_allclose(found[y][x].toarray(), dense[y][x], rtol=1e-14)
    z = np.array([1 + 1j, 2 - 1j])
    np.testing.assert_allclose(wg.jacobian(np.exp, sparse=True)(z).toarray(), np.diag(np.exp(z)), rtol=1e-14)


def test_sparse_hessians_are_the_dense_ones():
    x = rng.standard_normal(30)
    arrow = lambda x: np.sum(x[0] * x[1:] ** 2) + np.sum(x**4)
    for f in (rosenbrock, arrow, lambda x: np.prod(x[:4]) + np.sum(x)):
        found = wg.hessian(f, sparse=True)(x)
        np.testing.assert_allclose(found.toarray(), wg.hessian(f)(x), rtol=1e-12, atol=1e-12)
    blocks = wg.hessian(lambda p: np.sum(p["a"] ** 2 * p["b"]), sparse=True)({"a": x[:3], "b": x[3:6]})
    np.testing.assert_allclose(blocks["a"]["b"].toarray(), np.diag(2 * x[:3]))
    assert blocks["b"]["b"].nnz == 0


def test_a_traced_sparse_matrix_says_so():
    with pytest.raises(LostDerivativeError, match="sparse Jacobian was made of traced values"):
        wg.grad(lambda x: wg.jacobian(brusselator, sparse=True)(x).sum())(np.ones(5))


def test_sum_of_products_of_nothing():
    pattern = wg.sparsity(lambda x, y: np.einsum("ij,ij->", x, y), (0, 1))(np.zeros((2, 0)), np.ones((1, 1)))
    assert [p.shape for p in pattern] == [(1, 0), (1, 1)]
