"""Decompositions of complex matrices and eigenvalues of general ones: native, and NumPy's and eager code's results, types and errors."""

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.routines import complex_eigen, general_eigen, lu_factor, lu_solve, of_parts

RNG = np.random.default_rng(0)
COMPLEX = (np.complex128, np.complex64)


def random(*shape, dtype=np.complex128):
    return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(dtype)


def positive(*shape, dtype=np.complex128):
    x = random(*shape, shape[-1], dtype=dtype)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + shape[-1] * np.eye(shape[-1], dtype=dtype)


def general(*shape, dtype=np.complex128):
    return random(*shape, dtype=dtype).real.copy()


def nearly_symmetric(n, dtype=np.complex128):
    """A real matrix with real eigenvalues, which is not symmetric."""
    part = positive(n, dtype=dtype).real
    return part + 0.1 * np.triu(part)


FUNCTIONS = {
    "a system": (np.linalg.solve, lambda dtype: (random(5, 5, dtype=dtype), random(5, 3, dtype=dtype))),
    "a system with a vector": (np.linalg.solve, lambda dtype: (random(5, 5, dtype=dtype), random(5, dtype=dtype))),
    "systems": (np.linalg.solve, lambda dtype: (random(4, 5, 5, dtype=dtype), random(4, 5, 2, dtype=dtype))),
    "one matrix, several sides": (np.linalg.solve, lambda dtype: (random(5, 5, dtype=dtype), random(3, 5, 2, dtype=dtype))),
    "a real side": (np.linalg.solve, lambda dtype: (random(5, 5, dtype=dtype), general(5, 2, dtype=dtype))),
    "a real matrix": (np.linalg.solve, lambda dtype: (general(5, 5, dtype=dtype), random(5, 2, dtype=dtype))),
    "inverses": (np.linalg.inv, lambda dtype: (random(2, 4, 4, dtype=dtype),)),
    "of one number": (np.linalg.inv, lambda dtype: (random(1, 1, dtype=dtype),)),
    "of what does not lie together": (lambda a: np.linalg.inv(a[::2, ::2].T), lambda dtype: (random(8, 8, dtype=dtype),)),
    "determinants": (np.linalg.det, lambda dtype: (random(3, 5, 5, dtype=dtype),)),
    "their logarithms": (np.linalg.slogdet, lambda dtype: (random(5, 5, dtype=dtype),)),
    "cholesky": (np.linalg.cholesky, lambda dtype: (positive(2, 5, dtype=dtype),)),
    "qr, tall": (np.linalg.qr, lambda dtype: (random(5, 3, dtype=dtype),)),
    "qr, wide": (np.linalg.qr, lambda dtype: (random(3, 5, dtype=dtype),)),
    "qr, complete": (lambda a: np.linalg.qr(a, mode="complete"), lambda dtype: (random(2, 5, 3, dtype=dtype),)),
    "svd": (lambda a: np.linalg.svd(a, full_matrices=False), lambda dtype: (random(2, 5, 3, dtype=dtype),)),
    "svd, full": (np.linalg.svd, lambda dtype: (random(3, 5, dtype=dtype),)),
    "singular values": (lambda a: np.linalg.svd(a, compute_uv=False), lambda dtype: (random(4, 5, dtype=dtype),)),
    "eigh": (np.linalg.eigh, lambda dtype: (positive(5, dtype=dtype),)),
    "eigh, upper": (lambda a: np.linalg.eigh(a, "U"), lambda dtype: (random(2, 5, 5, dtype=dtype),)),
    "eigvalsh": (np.linalg.eigvalsh, lambda dtype: (random(5, 5, dtype=dtype),)),
    "eigvals": (np.linalg.eigvals, lambda dtype: (random(5, 5, dtype=dtype),)),
    "eig": (np.linalg.eig, lambda dtype: (random(2, 5, 5, dtype=dtype),)),
    "complex eigenvalues": (np.linalg.eigvals, lambda dtype: (general(6, 6, dtype=dtype),)),
    "complex eigenvectors": (np.linalg.eig, lambda dtype: (general(3, 6, 6, dtype=dtype),)),
    "real eigenvalues": (np.linalg.eigvals, lambda dtype: (nearly_symmetric(5, dtype=dtype),)),
    "real eigenvectors": (np.linalg.eig, lambda dtype: (nearly_symmetric(5, dtype=dtype),)),
}


def parts(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_results_are_numpys_without_a_call_of_python(name, dtype):
    f, make = FUNCTIONS[name]
    arguments = make(dtype)
    compiled = wg.jit(f)
    tolerance = 1e-13 if dtype == np.complex128 else 2e-5
    for found, expected in zip(parts(compiled(*arguments)), parts(f(*arguments)), strict=True):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=tolerance * np.max(np.abs(expected)), rtol=0)
    assert compiled.report(*arguments).host_calls == ()


def size(x):
    """A number that all entries have a part in, whatever the phases of vectors are."""
    return np.sum(np.abs(x) ** 2 * np.arange(1, 1 + np.size(x)).reshape(np.shape(x)))


HERMITIAN = lambda a: a + np.conj(a.T)
GRADIENTS = {
    "det": (lambda a: size(np.linalg.det(a)), random(4, 4)),
    "inv": (lambda a: size(np.linalg.inv(a)), random(4, 4)),
    "solve": (lambda a: size(np.linalg.solve(a, a[:, :2] ** 2)), random(4, 4)),
    "cholesky": (lambda a: size(np.linalg.cholesky(a @ np.conj(a.T) + np.eye(4))), random(4, 4)),
    "svd": (lambda a: size(np.linalg.svd(a)[1]), random(4, 3)),
    "eigh": (lambda a: size(np.linalg.eigh(HERMITIAN(a))[1]) + size(np.linalg.eigh(HERMITIAN(a))[0]), random(4, 4)),
    "eigvals": (lambda a: size(np.linalg.eigvals(a)), random(4, 4)),
    "eig": (lambda a: size(np.linalg.eig(a)[1]), random(4, 4)),
    "eigvals of real matrices": (lambda a: size(np.linalg.eigvals(a)), general(5, 5)),
    "eig of real matrices": (lambda a: size(np.linalg.eig(a)[1]), general(5, 5)),
    "eig, real": (lambda a: size(np.linalg.eig(a)[1]), nearly_symmetric(4)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_differences(name):
    f, a = GRADIENTS[name]
    compiled = wg.jit(wg.grad(f))
    gradient = compiled(a)
    assert compiled.report(a).host_calls == ()
    direction = random(*a.shape) if np.iscomplexobj(a) else general(*a.shape)
    step = 1e-6
    slope = (f(a + step * direction) - f(a - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum((np.conj(gradient) * direction).real), slope, rtol=1e-5, atol=1e-7 * abs(f(a)))


MESSAGES = {
    np.linalg.inv: (np.ones((3, 3)) + 0j, "Singular matrix"),
    np.linalg.cholesky: (-np.eye(3) + 0j, "Matrix is not positive definite"),
    np.linalg.eigvals: (np.full((3, 3), np.nan + 0j), "Array must not contain infs or NaNs"),
    np.linalg.eig: (np.full((3, 3), np.inf + 0j), "Array must not contain infs or NaNs"),
    np.linalg.svd: (np.full((3, 3), np.nan + 0j), "SVD did not converge"),
    np.linalg.eigvalsh: (np.full((3, 3), np.nan + 0j), "Eigenvalues did not converge"),
}


@pytest.mark.parametrize("f", MESSAGES)
def test_what_has_no_answer_raises_numpys_error(f):
    bad, message = MESSAGES[f]
    compiled = wg.jit(f)
    compiled(positive(3))
    for function in (f, compiled):
        with pytest.raises(np.linalg.LinAlgError, match=message):
            function(bad)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_real_matrices_that_are_not_finite(bad):
    compiled = wg.jit(np.linalg.eigvals)
    compiled(nearly_symmetric(3))
    with pytest.raises(np.linalg.LinAlgError, match="infs or NaNs"):
        compiled(np.full((3, 3), bad))


@pytest.mark.parametrize("f", [np.linalg.eigvals, lambda a: np.linalg.eig(a)[0]])
def test_values_decide_whether_eigenvalues_are_real(f):
    turn, scale = np.array([[0.0, 1.0], [-1.0, 0.5]]), np.array([[2.0, 1.0], [0.0, 3.0]])
    compiled = wg.jit(f)
    for a in (turn, scale, turn, 2 * scale, np.eye(2)):
        found, expected = compiled(a), f(a)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, atol=1e-15)


def test_determinants_of_singular_matrices():
    for a in (np.ones((4, 4)) + 0j, np.zeros((4, 4), complex)):
        assert wg.jit(np.linalg.det)(a) == np.linalg.det(a) == 0
        sign, log = wg.jit(np.linalg.slogdet)(a)
        assert (sign, log) == (0, -np.inf)
    gradient = wg.jit(wg.grad(lambda a: np.linalg.det(a).real))
    a = np.diag([0, 2, 3j])
    np.testing.assert_allclose(gradient(a), wg.grad(lambda a: np.linalg.det(a).real)(a), atol=1e-14)


def test_values_that_meet_are_left_to_the_cards():
    """A derivative along a direction that splits equal eigenvalues, and one that no phase leaves alone."""
    push = wg.jit(lambda a, da: wg.jvp(lambda a: np.linalg.eigh(a)[0], (a,), (da,))[1])
    direction = HERMITIAN(random(3, 3))
    np.testing.assert_allclose(push(np.eye(3) + 0j, direction), np.linalg.eigvalsh(direction), atol=1e-13)
    phase = wg.jit(wg.grad(lambda a: np.sum(np.linalg.eigh(HERMITIAN(a))[1].real)))
    with pytest.raises(wg.errors.DegenerateError, match="phase"):
        phase(random(3, 3))
    defective = wg.jit(wg.grad(lambda a: np.sum(np.abs(np.linalg.eigvals(a)) ** 2)))
    defective(np.array([[2.0, 1.0], [0.0, 3.0]]))
    with pytest.raises(wg.errors.DegenerateError, match="defective"):
        defective(np.array([[2.0, 1.0], [0.0, 2.0]]))


def test_the_routines_say_what_they_do_in_numpys_words():
    """Their values for single members, which programs of graphs are interpreted with."""
    a, b = random(2, 4, 4), random(2, 4, 2)
    flat = lambda x: np.stack([x.real, x.imag], -1)
    whole = lambda x: x[..., 0] + 1j * x[..., 1]
    lu, pivots, info = of_parts(lu_factor).eval(flat(a))
    x, _ = of_parts(lu_solve).eval(lu, pivots, flat(b), turned=False)
    np.testing.assert_allclose(a @ whole(x), b, atol=1e-12)
    assert not info.any()
    w, v, _ = of_parts(complex_eigen).eval(flat(a), vectors=True)
    np.testing.assert_allclose(a @ whole(v), whole(v) * whole(w)[:, None, :], atol=1e-12)
    re, im, _, _ = general_eigen.eval(a.real, vectors=False)
    np.testing.assert_allclose(re + 1j * im, np.linalg.eigvals(a.real), atol=1e-13)
