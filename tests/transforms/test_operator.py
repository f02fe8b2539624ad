import numpy as np
import pytest
import scipy.sparse as sparse_arrays
import scipy.sparse.linalg as sparse

import wengert as wg
from wengert.core.check import check
from wengert.core.parse import parse
from wengert.errors import HolomorphicError, TreeError

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal(4)
A = RANDOM.standard_normal((6, 4))


def tall(x):
    return np.sin(A @ x)


def jacobian_of_tall(x):
    return np.cos(A @ x)[:, None] * A


@pytest.fixture
def operator():
    y, J = wg.linearize(tall, X)
    np.testing.assert_allclose(y, tall(X))
    return J


def test_products_and_the_matrix(operator):
    matrix = jacobian_of_tall(X)
    v, w, V = RANDOM.standard_normal(4), RANDOM.standard_normal(6), RANDOM.standard_normal((4, 5))
    np.testing.assert_allclose(operator.toarray(), matrix, rtol=1e-14)
    np.testing.assert_allclose(operator @ v, matrix @ v, rtol=1e-13)
    np.testing.assert_allclose(operator @ V, matrix @ V, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(operator.T @ w, matrix.T @ w, rtol=1e-13)
    np.testing.assert_allclose(operator.H.toarray(), matrix.T, rtol=1e-14)
    np.testing.assert_allclose(w @ operator, w @ matrix, rtol=1e-13)
    np.testing.assert_allclose(operator.matvec(v[:, None]), (matrix @ v)[:, None], rtol=1e-13)
    np.testing.assert_allclose(operator.rmatmat(matrix), matrix.T @ matrix, rtol=1e-13)
    np.testing.assert_allclose(operator(v), operator @ v)
    np.testing.assert_allclose(operator.H(w), operator.H @ w)
    assert operator.shape == (6, 4) and operator.T.shape == (4, 6) and operator.dtype == float and operator.ndim == 2


def test_arithmetic_of_operators(operator):
    matrix = jacobian_of_tall(X)
    gram = operator.H @ operator
    np.testing.assert_allclose(gram.toarray(), matrix.T @ matrix, rtol=1e-13)
    np.testing.assert_allclose((2 * gram - gram * 0.5 + (-gram)).toarray(), 0.5 * matrix.T @ matrix, rtol=1e-12)
    np.testing.assert_allclose((gram**3).toarray(), np.linalg.matrix_power(matrix.T @ matrix, 3), rtol=1e-12)
    np.testing.assert_allclose((2j * operator).H.toarray(), -2j * matrix.T, rtol=1e-13)
    np.testing.assert_allclose((2j * operator).T.toarray(), 2j * matrix.T, rtol=1e-13)
    for wrong in (lambda: operator @ operator, lambda: operator + operator.T, lambda: operator @ np.ones(5)):
        with pytest.raises(TreeError, match="shape"):
            wrong()


MATRICES = {
    "array": lambda m: m,
    "nested list": lambda m: m.tolist(),
    "sparse array": sparse_arrays.csr_array,
    "sparse matrix": sparse_arrays.csc_matrix,
    "operator of SciPy's": sparse.aslinearoperator,
}


@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.parametrize("dtype", [float, complex])
def test_arithmetic_with_matrices_of_every_kind(operator, kind, dtype):
    square, other = RANDOM.standard_normal((2, 4, 4)) + (1j if dtype is complex else 0)
    matrix = jacobian_of_tall(X).T @ jacobian_of_tall(X)
    gram, given = operator.H @ operator, MATRICES[kind](square)
    v = RANDOM.standard_normal(4)
    cases = {"+": (gram + given, matrix + square), "-": (gram - given, matrix - square)}
    if kind != "nested list":
        cases |= {"r+": (given + gram, square + matrix), "r-": (given - gram, square - matrix)}
    if kind in ("sparse array", "sparse matrix"):  # a product with an array is an array, and SciPy's operators refuse ours
        cases["r@"] = given @ gram, square @ matrix
    if kind not in ("array", "nested list"):
        cases["@"] = gram @ given, matrix @ square
    for name, (found, expected) in cases.items():
        np.testing.assert_allclose(found @ v, expected @ v, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(found @ other, expected @ other, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(found.toarray(), expected, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(found.T.toarray(), expected.T, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(found.H @ v, expected.conj().T @ v, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(found.conj() @ v, expected.conj() @ v, rtol=1e-12, err_msg=name)
    for wrong in (lambda: operator + given, lambda: operator - given):
        with pytest.raises(TreeError, match="shape"):
            wrong()


def test_operators_take_part_in_no_sum_with_a_number(operator):
    np.testing.assert_allclose((operator / 4).toarray(), jacobian_of_tall(X) / 4, rtol=1e-14)
    for wrong in (lambda: operator + 1, lambda: 1 + operator, lambda: operator - np.ones(4), lambda: operator / operator):
        with pytest.raises(TypeError):
            wrong()


def test_damped_least_squares_without_the_matrix(operator):
    damped = operator.H @ operator + 0.1 * sparse_arrays.eye_array(4)
    b = RANDOM.standard_normal(4)
    expected = np.linalg.solve(jacobian_of_tall(X).T @ jacobian_of_tall(X) + 0.1 * np.eye(4), b)
    np.testing.assert_allclose(sparse.cg(damped, b, rtol=1e-12)[0], expected, rtol=1e-8)


def test_scipy_takes_it_as_it_is():
    S = A.T @ A + np.eye(4)
    y, J = wg.linearize(lambda x: S @ x + 0.1 * np.tanh(x), X)
    matrix = S + np.diag(0.1 / np.cosh(X) ** 2)
    b = RANDOM.standard_normal(4)
    solution = np.linalg.solve(matrix, b)
    for found in (
        sparse.cg(J, b, rtol=1e-12)[0],
        sparse.cg(sparse.aslinearoperator(J), b, rtol=1e-12)[0],
        sparse.gmres(J, b, rtol=1e-12)[0],
        sparse.lsqr(J, b, atol=1e-13, btol=1e-13)[0],
        sparse.lsmr(J, b, atol=1e-13, btol=1e-13)[0],
    ):
        np.testing.assert_allclose(found, solution, rtol=1e-7)
    _, tall_map = wg.linearize(tall, X)
    np.testing.assert_allclose(
        np.sort(sparse.svds(tall_map, k=2)[1]), np.linalg.svd(jacobian_of_tall(X))[1][1::-1], rtol=1e-9
    )
    np.testing.assert_allclose(sparse.eigsh(J, k=1)[0], np.linalg.eigvalsh(matrix)[-1:], rtol=1e-9)
    summed = sparse.aslinearoperator(J) + sparse.aslinearoperator(np.eye(4))
    np.testing.assert_allclose(summed @ b, matrix @ b + b, rtol=1e-12)


def test_the_graph_is_a_linear_program(operator):
    for op, columns in ((operator, 4), (operator.T, 6)):
        graph = op.graph
        check(graph)
        assert str(parse(str(graph))) == str(graph)
        unit = np.eye(columns)[1]
        np.testing.assert_allclose(graph(unit)[0] if isinstance(graph(unit), (list, tuple)) else graph(unit), op @ unit)
    assert "sin" not in str(operator.graph)  # the values are constants of the linear program


def test_containers():
    def f(a, d):
        return {"s": a * d["u"], "t": np.sum(d["u"] ** 2)}

    u = np.array([1.0, -2.0])
    y, J = wg.linearize(f, 3.0, {"u": u})
    matrix = np.array([[1, 3, 0], [-2, 0, 3], [0, 2, -4.0]])
    np.testing.assert_allclose(J.toarray(), matrix)
    np.testing.assert_allclose(J.T @ np.array([1.0, 2, 3]), matrix.T @ [1, 2, 3])
    out = J((1.0, {"u": np.zeros(2)}))
    np.testing.assert_allclose(out["s"], u)
    assert out["t"] == 0
    by_a, by_d = J.H({"s": np.zeros(2), "t": 1.0})
    assert by_a == 0
    np.testing.assert_allclose(by_d["u"], 2 * u)
    with pytest.raises(TreeError):
        J({"u": u})


def test_settings_among_the_primals_stay_settings():
    y, J = wg.linearize(lambda x, n: x**n, X, 3)
    np.testing.assert_allclose(J.toarray(), np.diag(3 * X**2), rtol=1e-13)


class TestComplex:
    Z = np.array([1 + 2j, -0.5j])

    def test_holomorphic(self):
        _, J = wg.linearize(lambda z: 1j * z * z[::-1], self.Z)
        matrix = 1j * np.array([[self.Z[1], self.Z[0]], [self.Z[1], self.Z[0]]])
        np.testing.assert_allclose(J.toarray(), matrix)
        np.testing.assert_allclose(J.T.toarray(), matrix.T)
        np.testing.assert_allclose(J.H.toarray(), matrix.conj().T)
        np.testing.assert_allclose(J.conj().toarray(), matrix.conj())
        np.testing.assert_allclose(J.conj().T.toarray(), matrix.conj().T)

    @pytest.mark.parametrize(
        ("f", "x", "matrix"),
        [
            (lambda x: x * np.array([1j, 2 - 1j]), np.array([0.5, 2.0]), np.diag([1j, 2 - 1j])),  # real to complex
            (lambda z: np.real(z * np.array([1j, 2 - 1j])), Z, np.diag([1j, 2 - 1j])),  # complex to real
            (lambda x: x * np.array([3.0, 4.0]), np.array([0.5, 2.0]), np.diag([3.0, 4.0])),  # real, complex vectors
        ],
    )
    def test_the_matrix_of_mixed_ends(self, f, x, matrix):
        _, J = wg.linearize(f, x)
        v = np.array([1 + 1j, 2 - 3j])
        np.testing.assert_allclose(J.toarray(), matrix)
        np.testing.assert_allclose(J @ v, matrix @ v)
        np.testing.assert_allclose(J.T @ v, matrix.T @ v)
        np.testing.assert_allclose(J.H @ v, matrix.conj().T @ v)
        np.testing.assert_allclose(J.conj() @ v, matrix.conj() @ v)
        np.testing.assert_allclose(J.toarray(), wg.jacobian(f)(x))

    def test_a_call_is_the_pushforward_and_the_pullback(self):
        _, J = wg.linearize(np.real, self.Z)
        assert np.isrealobj(J(self.Z))
        np.testing.assert_allclose(J(self.Z), self.Z.real)
        np.testing.assert_allclose(J.H(np.array([1.0, 2.0])), [1, 2])

    def test_no_matrix_where_there_is_none(self):
        _, J = wg.linearize(np.conj, self.Z)
        np.testing.assert_allclose(J(self.Z), np.conj(self.Z))
        with pytest.raises(HolomorphicError):
            J.toarray()


def test_it_is_independent_of_later_writes():
    x = X.copy()
    y, J = wg.linearize(lambda x: np.exp(x), x)
    x += 100.0
    y += 100.0
    np.testing.assert_allclose(J.toarray(), np.diag(np.exp(X)))


def test_it_differentiates_in_a_nested_derivative():
    def f(x):
        _, J = wg.linearize(lambda y: y**3, x)
        return np.sum(J @ x) + np.sum(J.T @ x)

    np.testing.assert_allclose(wg.grad(f)(X), 18 * X**2, rtol=1e-13)
    np.testing.assert_allclose(wg.vmap(f)(np.stack([X, 2 * X])), [6 * np.sum(X**3), 48 * np.sum(X**3)], rtol=1e-13)


def test_aux():
    y, J, aux = wg.linearize(lambda x: (x * 2, {"seen": x + 1}), X, has_aux=True)
    np.testing.assert_allclose(aux["seen"], X + 1)
    assert type(aux["seen"]) is np.ndarray
