"""Linear algebra by LAPACK's native functions: results and derivatives are eager ones, and Python is not called."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import DegenerateError

L = np.linalg


def turned(x):
    return np.swapaxes(x, -1, -2)


def of_parts(*powers):
    """A number that depends on parts of some results, whatever their signs."""
    return lambda parts: sum(np.sum(part[..., :1] ** p) for part, p in zip(parts, powers, strict=True))


BATCHED = {
    "solve": lambda a, b: np.sum(L.solve(a, b) ** 2),
    "solve with a transposed one": lambda a, b: np.sum(L.solve(turned(a), b) * L.solve(a, b)),
    "solve with a triangle": lambda a, b: np.sum(L.solve(np.tril(a), b) ** 2),
    "inv": lambda a, b: np.sum(L.inv(a) ** 3),
    "det": lambda a, b: np.sum(L.det(a)),
    "slogdet": lambda a, b: np.sum(L.slogdet(a)[1]) + np.sum(L.slogdet(-a)[0]),
    "cholesky": lambda a, b: np.sum(L.cholesky(a @ turned(a)) ** 3),
    "cholesky, upper": lambda a, b: np.sum(L.cholesky(a @ turned(a), upper=True) ** 3),
    "eigh": lambda a, b: of_parts(2, 4)(L.eigh(a)),
    "eigvalsh": lambda a, b: np.sum(L.eigvalsh(a) ** 3),
    "svd": lambda a, b: np.sum(L.svd(a)[0][..., :1] ** 4) + np.sum(L.svd(a)[1] ** 3),
    "svd, tall": lambda a, b: of_parts(4, 3, 4)(L.svd(a[..., :-1], full_matrices=False)),
    "svd, wide": lambda a, b: of_parts(4, 3, 4)(L.svd(a[..., :-1, :], full_matrices=False)),
    "qr": lambda a, b: np.sum(L.qr(a)[0] ** 3) + np.sum(L.qr(a)[1] ** 3),
    "qr, tall": lambda a, b: np.sum(L.qr(a[..., :-1])[1] ** 3),
    "pinv": lambda a, b: np.sum(L.pinv(a[..., :-1]) ** 2),
    "norms": lambda a, b: np.sum(L.norm(a, 2, axis=(-2, -1))) + np.sum(L.norm(a, "nuc", axis=(-2, -1))),
}
SINGLE = {"lstsq": lambda a, b: np.sum(L.lstsq(a[:, :-1], b, rcond=None)[0] ** 2), "rank": lambda a, b: L.matrix_rank(a) * np.sum(a)}


def operands(shape, dtype):
    rng, n = np.random.default_rng(5), shape[-1]
    a = rng.standard_normal((*shape[:-1], n, n))
    a = a @ turned(a) + n * np.eye(n) + 0.1 * a
    b = rng.standard_normal((*shape[:-1], n, 2)) if len(shape) > 1 else rng.standard_normal(n)
    return a.astype(dtype), b.astype(dtype)


def readings(f):
    second = lambda a, b: wg.jvp(lambda a: wg.grad(f)(a, b), (a,), (turned(a) + a * a,))[1]
    return lambda a, b: (f(a, b), wg.grad(f)(a, b), second(a, b))


def assert_native(f, shape, dtype, rtol):
    a, b = operands(shape, dtype)
    jitted = wg.jit(f)
    assert jitted.report(a, b).host_calls == ()
    for found, wanted in zip(jitted(a, b), f(a, b), strict=True):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * np.max(np.abs(wanted)))


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
@pytest.mark.parametrize("name", BATCHED)
def test_derivatives_of_second_order(name, shape):
    assert_native(readings(BATCHED[name]), shape, np.float64, 1e-9)


@pytest.mark.parametrize("name", BATCHED)
def test_single_precision(name):
    f = BATCHED[name]
    assert_native(lambda a, b: (f(a, b), wg.grad(f)(a, b)), (3,), np.float32, 3e-3)


@pytest.mark.parametrize("name", SINGLE)
def test_matrices_alone(name):
    assert_native(readings(SINGLE[name]), (4,), np.float64, 1e-9)


@pytest.mark.parametrize("function", [L.inv, lambda a: L.solve(a, a), L.cholesky])
def test_singular_matrices_are_refused(function):
    jitted = wg.jit(function)
    jitted(np.eye(3))
    with pytest.raises(L.LinAlgError):
        jitted(-np.ones((3, 3)))
    np.testing.assert_array_equal(jitted(np.eye(3)), np.eye(3))


def test_determinants_of_singular_matrices():
    a = np.ones((2, 3, 3))
    np.testing.assert_array_equal(wg.jit(L.det)(a), [0.0, 0.0])
    sign, log = wg.jit(lambda a: tuple(L.slogdet(a)))(a)
    np.testing.assert_array_equal(sign, [0.0, 0.0])
    np.testing.assert_array_equal(log, [-np.inf, -np.inf])


def test_vectors_of_the_upper_triangle_are_numpys():
    a = np.random.default_rng(1).standard_normal((2, 3, 3))
    for found, wanted in zip(wg.jit(lambda a: tuple(L.eigh(a, UPLO="U")))(a), L.eigh(a, UPLO="U"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_empty_and_strided_matrices():
    assert wg.jit(L.inv)(np.zeros((0, 3, 3))).shape == (0, 3, 3)
    a = (np.random.default_rng(2).standard_normal((6, 6)) + 9 * np.eye(6))[::2, ::2].T
    np.testing.assert_allclose(wg.jit(L.inv)(a), L.inv(a), rtol=1e-12)


# --- errors and rare cases ------------------------------------------------------------------------------------------------

ZERO, NAN = np.zeros((5, 5)), np.full((5, 5), np.nan)
RARE = {
    "a small singular system": (lambda a: L.solve(a, np.ones(3)), np.zeros((3, 3))),
    "a singular inverse": (L.inv, ZERO),
    "one of a stack": (L.inv, np.stack([np.eye(5), ZERO])),
    "a singular triangle": (lambda a: L.solve(np.tril(a), np.ones(5)), ZERO),
    "a small indefinite matrix": (L.cholesky, -np.eye(3)),
    "an indefinite matrix": (L.cholesky, -np.eye(5)),
    "nan in eigh": (L.eigh, NAN),
    "nan in svd": (L.svd, NAN),
    "nan in inv": (L.inv, NAN),
    "determinant 0": (L.det, ZERO),
    "small determinant 0": (L.det, np.zeros((3, 3))),
    "logarithm of 0": (L.slogdet, ZERO),
    "small logarithm of 0": (L.slogdet, np.zeros((3, 3))),
    "slope of det at a singular matrix": (wg.grad(L.det), np.diag([1.0, 2, 3, 4, 0])),
    "slope of a small one": (wg.grad(L.det), np.diag([1.0, 2, 0])),
    "slope of log det at a singular matrix": (wg.grad(lambda a: L.slogdet(a)[1]), np.diag([1.0, 2, 0, 1])),
    "vectors of equal values": (wg.grad(lambda a: L.eigh(a)[1][0, 0]), np.eye(4)),
    "equal values": (wg.grad(lambda a: np.sum(L.eigvalsh(a) ** 2)), np.eye(4)),
    "a function of equal values": (wg.grad(lambda a: np.sum((L.eigh(a)[1] * L.eigh(a)[0] ** 2) @ L.eigh(a)[1].T)), np.eye(4)),
    "second derivative at equal values": (wg.hessian(lambda a: np.sum(L.eigvalsh(a) ** 2)), np.eye(3)),
    "singular values 0": (wg.grad(lambda a: L.norm(a, "nuc")), np.zeros((3, 3))),
    "dependent columns": (lambda a: L.lstsq(a, np.ones(5))[0], np.ones((5, 5))),
    "rank": (L.matrix_rank, np.ones((5, 5))),
    "order of equal sizes": (lambda a: L.svd(a, hermitian=True)[1], np.diag([1.0, -1.0, 2.0])),
    "no matrix": (L.inv, np.zeros((0, 3, 3))),
    "no rows": (L.det, np.zeros((0, 0))),
    "one entry": (L.eigh, np.array([[2.0]])),
    "turned": (L.inv, np.random.default_rng(4).standard_normal((6, 6)).T),
    "every other row": (L.svdvals, np.random.default_rng(3).standard_normal((8, 10))[::2, ::-2]),
}


def outcome(f, *args):
    try:
        return f(*args)
    except (L.LinAlgError, DegenerateError) as error:
        return type(error), str(error).partition("\n")[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RARE)
def test_rare_cases(name):
    f, a = RARE[name]
    jitted = wg.jit(f)
    if np.isfinite(a).all() and a.size and a.shape[-1] == a.shape[-2]:
        n = a.shape[-1]
        outcome(jitted, a + np.diag(np.arange(5.0, n + 5)))  # recorded where nothing is rare
    wanted, found = outcome(f, a), outcome(jitted, a)
    wanted, found = (wg.trees.flatten(x)[0] for x in (wanted, found))
    assert len(wanted) == len(found)
    for x, y in zip(wanted, found, strict=True):
        if isinstance(x, str | type):
            assert x == y
        else:
            np.testing.assert_allclose(y, x, rtol=1e-10, atol=1e-12)


def test_an_error_says_where():
    jitted = wg.jit(lambda a: L.inv(a))
    jitted(np.eye(4))
    with pytest.raises(L.LinAlgError) as caught:
        jitted(np.zeros((4, 4)))
    assert any("test_decompositions.py" in note for note in caught.value.__notes__)


def test_small_matrices_are_written_out():
    for function in (L.det, L.inv, L.cholesky, lambda a: L.slogdet(a)[1]):
        a = np.eye(3) + np.zeros((4, 3, 3))
        assert "wengert_" not in str(wg.jit(wg.grad(lambda a, f=function: np.sum(f(a)))).report(a))
