"""The regression corpus of pains: what users of neighbouring libraries were hurt by, with the right values.

The rows are those of the project's list of pains; the issue threads that a row comes from are named there.

| row | pain | where it is tested |
|---|---|---|
| 1 | NaN through the branch not taken | `test_branches.py`, `test_singular_points.py` (masks and reductions) |
| 2 | norm(0), sqrt(0), x / |x| | `test_singular_points.py` |
| 3 | ties and kinks | `test_singular_points.py` |
| 4 | degenerate eigh, svd, qr | here; `tests/primitives` in depth |
| 5 | complex convention | here |
| 6 | in-place assignment | `test_mutation.py` |
| 7 | a wrapped numpy, lists, methods | `test_mutation.py` |
| 8 | loops of unknown length | `test_mutation.py` (eager; compiled loops are the compiler's) |
| 9 | loop memory | here: segments by hand; automatic schedules belong to the compiler |
| 10 | checkpoints and forward mode | here |
| 11, 12, 17, 29, 31 | compile time, cold start, compiled higher orders, export, jitted code | the compiler's |
| 13 | sparse Jacobians | the pattern of every card in `tests/laws`; sparse results are a later room's |
| 14 | memory of dense Jacobians | here, and `tests/transforms/test_jacobian.py` |
| 15 | Laplacians, Hessian diagonals | here, without a dense Hessian |
| 16 | cost per operation | `benchmarks/` |
| 18 | custom reverse rules and forward mode | here, and `tests/transforms/test_custom.py` |
| 19 | missing or silently wrong second and forward derivatives | here, `test_singular_points.py`, and `tests/laws` |
| 20 | special functions | `tests/primitives` (scipy.special of priority 1) and the table of accuracy |
| 21 | origin of a NaN | here, and tests/transforms/test_diagnose.py |
| 22 | silent zeros | here |
| 23 | shapes that depend on data | `test_mutation.py` |
| 24 | not deterministic | here |
| 25, 26 | sparse solves, implicit differentiation | later rooms of SciPy |
| 27 | upgrades of NumPy | `tests/coverage` |
| 28 | 32 bits by default | here |
| 30 | platform and weight | `tests/house` |
"""

import threading
import tracemalloc

import numpy as np
import pytest

import wengert as wg
from wengert.errors import DegenerateError, DisconnectedError, DisconnectedWarning, HolomorphicError
from wengert.transforms import jacobian as jacobian_module

RANDOM = np.random.default_rng(0)

# --- 4: degenerate factorizations ------------------------------------------------------------------------------------------


def test_4_functions_of_all_eigenvalues_are_smooth_where_eigenvalues_meet():
    for a in (np.eye(3), np.diag([1.0, 1.0, 2.0])):
        np.testing.assert_allclose(wg.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 3))(a), 3 * a @ a, atol=1e-12)
        np.testing.assert_allclose(wg.grad(lambda a: np.sum(np.linalg.svd(a, compute_uv=False) ** 2))(a), 2 * a, atol=1e-12)
    # jax 8732: the nuclear norm of a matrix with equal singular values
    np.testing.assert_allclose(wg.grad(lambda a: np.linalg.norm(a, "nuc"))(np.eye(3)), np.eye(3), atol=1e-12)


def test_4_a_projector_on_a_cluster_has_a_derivative_and_one_of_its_vectors_has_none():
    a = np.diag([1.0, 1.0, 3.0])
    direction = np.array([[0.0, 0, 1], [0, 0, 2], [1, 2, 0]])

    def projector(a):
        v = np.linalg.eigh(a)[1][:, :2]
        return v @ v.T

    # first order perturbation: dP = sum over the two clusters of u uᵀ dA w wᵀ / (λ - μ) + its transpose
    expected = np.zeros((3, 3))
    expected[:2, 2] = direction[:2, 2] / (1 - 3)
    expected += expected.T
    np.testing.assert_allclose(wg.jvp(projector, (a,), (direction,))[1], expected, atol=1e-12)
    weights = RANDOM.standard_normal((3, 3))
    gradient = wg.grad(lambda a: np.sum(projector(a) * weights))(a)
    np.testing.assert_allclose(np.sum(gradient * direction), np.sum(expected * weights), atol=1e-12)
    with pytest.raises(DegenerateError):
        wg.grad(lambda a: np.linalg.eigh(a)[1][0, 0])(a)


# --- 5: the complex convention -----------------------------------------------------------------------------------------------


def test_5_gradients_ascend():
    z = np.array([1 + 2j, -0.5j])
    loss = lambda z: np.sum(np.abs(z - (3 - 1j)) ** 2)
    gradient = wg.grad(loss)(z)
    np.testing.assert_allclose(gradient, 2 * (z - (3 - 1j)))  # ∂L/∂x + i ∂L/∂y
    for _ in range(100):
        z = z - 0.1 * wg.grad(loss)(z)
    np.testing.assert_allclose(z, [3 - 1j] * 2, atol=1e-8)


def test_5_conversion_to_other_conventions():
    z = 0.3 - 0.8j
    loss = lambda z: np.real(z) ** 2 * np.imag(z) + np.real(z * z * (1 + 2j))
    x, y = z.real, z.imag
    # Re((1 + 2i) z²) = x² - y² - 4xy
    by_x, by_y = 2 * x * y + 2 * x - 4 * y, x**2 - 2 * y - 4 * x
    gradient = wg.grad(loss)(z)
    np.testing.assert_allclose(gradient, by_x + 1j * by_y)  # PyTorch's and TensorFlow's
    np.testing.assert_allclose(np.conj(gradient), by_x - 1j * by_y)  # JAX's and autograd's
    by_z, by_conjugate = wg.wirtinger(loss)(z)
    np.testing.assert_allclose(by_z, (by_x - 1j * by_y) / 2)
    np.testing.assert_allclose(by_conjugate, gradient / 2)


def test_5_real_derivatives_of_the_parts_agree():
    f = lambda z: np.sin(z) * np.conj(z) + np.abs(z)
    z = 0.7 + 0.4j
    of_parts = lambda x, y: (np.real(f(x + 1j * y)), np.imag(f(x + 1j * y)))
    (ux, uy), (vx, vy) = wg.jacobian(of_parts, argnums=(0, 1))(z.real, z.imag)
    by_z, by_conjugate = wg.wirtinger(f)(z)
    np.testing.assert_allclose(by_z, (ux + vy + 1j * (vx - uy)) / 2)
    np.testing.assert_allclose(by_conjugate, (ux - vy + 1j * (vx + uy)) / 2)
    np.testing.assert_allclose(wg.jvp(f, (z,), (2 - 3j,))[1], (ux + 1j * vx) * 2 + (uy + 1j * vy) * -3)


def test_5_holomorphic_derivatives_are_asked_for():
    f = lambda z: np.exp(1j * z) / z
    z = 0.5 + 2j
    np.testing.assert_allclose(wg.grad(f, holomorphic=True)(z), np.exp(1j * z) * (1j / z - 1 / z**2))
    np.testing.assert_allclose(wg.jacobian(f)(z), np.exp(1j * z) * (1j / z - 1 / z**2))
    with pytest.raises(HolomorphicError):
        wg.grad(f)(z)
    with wg.check_rules(), pytest.raises(HolomorphicError):
        wg.grad(lambda z: z * np.conj(z) * 1j, holomorphic=True)(z)


# --- 9, 10, 14, 15: memory, checkpoints, large derivatives ----------------------------------------------------------------------


def leapfrog(state):
    q, p = state
    p = p - 0.01 * np.sin(q)
    return q + 0.01 * p, p


def test_9_and_10_a_long_loop_in_segments():
    def simulate(state, segment):
        for _ in range(16):
            state = segment(state)
        return state[0] @ state[0]

    def segment(state):
        for _ in range(25):
            state = leapfrog(state)
        return state

    state = (RANDOM.standard_normal(2000), np.zeros(2000))
    results = {}
    for name, part in (("kept", segment), ("saved", wg.checkpoint(segment))):
        tracemalloc.start()
        gradient = wg.grad(simulate)(state, part)
        results[name] = gradient, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    for a, b in zip(results["kept"][0], results["saved"][0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert results["saved"][1] < results["kept"][1] / 4
    # forward mode passes through checkpoints, and so does forward over reverse
    direction = (np.ones(2000), np.zeros(2000))
    saved = lambda s: simulate(s, wg.checkpoint(segment))
    _, slope = wg.jvp(saved, (state,), (direction,))
    np.testing.assert_allclose(slope, np.sum(results["kept"][0][0]), rtol=1e-10)
    short = lambda q: simulate((q, np.zeros(3)), wg.checkpoint(lambda s: leapfrog(s)))
    plain = lambda q: simulate((q, np.zeros(3)), leapfrog)
    q = np.array([0.3, -1.0, 2.0])
    np.testing.assert_allclose(wg.hessian(short)(q), wg.hessian(plain)(q), rtol=1e-11)


def test_14_a_dense_hessian_takes_little_more_than_itself(monkeypatch):
    budget = 2**18  # elements held at once: 2 MiB
    monkeypatch.setattr(jacobian_module, "CHUNK_ELEMENTS", budget)
    n = 300

    def f(x):
        for _ in range(10):
            x = np.sin(x) + 0.1 * x**2
        return np.sum(x) ** 2

    tracemalloc.start()
    hessian = wg.hessian(f)(np.linspace(0, 1, n))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert hessian.shape == (n, n)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-8, atol=1e-8)
    # all seeds at once: 300 times the 120 arrays of the program and its derivative, 86 MB
    assert peak < hessian.nbytes + 8 * 8 * budget


def test_15_laplacians_and_diagonals_without_a_dense_hessian():
    f = lambda x: np.exp(-np.sum(x**2)) + np.prod(x)
    x = np.array([0.3, -0.7, 1.1])
    units = np.eye(3)
    second = lambda v: wg.jvp(lambda x: wg.jvp(f, (x,), (v,))[1], (x,), (v,))[1]
    diagonal = wg.vmap(second)(units)
    g = np.exp(-np.sum(x**2))
    np.testing.assert_allclose(diagonal, g * (4 * x**2 - 2), rtol=1e-12)
    np.testing.assert_allclose(np.diag(wg.hessian(f)(x)), diagonal, rtol=1e-12)
    np.testing.assert_allclose(wg.vmap(lambda v: wg.hvp(f, x, v) @ v)(units), diagonal, rtol=1e-12)


# --- 18, 19: rules ----------------------------------------------------------------------------------------------------------------


def test_18_a_reverse_rule_serves_forward_mode():
    solve = wg.custom_rule(lambda a, b: np.linalg.solve(a, b))

    @solve.reverse
    def _(a, b):
        x = solve(a, b)

        def pullback(ct):
            ct_b = np.linalg.solve(a.T, ct)
            return -np.outer(ct_b, x), ct_b

        return x, pullback

    a, b = RANDOM.standard_normal((3, 3)) + 3 * np.eye(3), RANDOM.standard_normal(3)
    da, db = RANDOM.standard_normal((3, 3)), RANDOM.standard_normal(3)
    x = np.linalg.solve(a, b)
    np.testing.assert_allclose(wg.jvp(solve, (a, b), (da, db))[1], np.linalg.solve(a, db - da @ x), rtol=1e-12)
    loss = lambda f: lambda b: np.sum(np.sin(f(a, b)))
    np.testing.assert_allclose(wg.hessian(loss(solve))(b), wg.hessian(loss(np.linalg.solve))(b), rtol=1e-11)
    with wg.check_rules():
        solve(a, b)


A = RANDOM.standard_normal((3, 3)) + 3 * np.eye(3)
ONCE_MISSING = {
    "hypot": lambda x: np.hypot(x[0], x[1]),
    "inv": lambda x: np.sum(np.linalg.inv(A + np.diag(x)) ** 2),
    "solve": lambda x: np.sum(np.linalg.solve(A + np.outer(x, x), x) ** 2),
    "slogdet": lambda x: np.linalg.slogdet(A + np.diag(x))[1],
    "cholesky": lambda x: np.sum(np.linalg.cholesky(A @ A.T + np.diag(x**2)) ** 3),
    "svd": lambda x: np.sum(np.linalg.svd(A * x, compute_uv=False) ** 3),
    "eigh": lambda x: np.linalg.eigh(A + A.T + np.diag(x))[0] @ np.arange(3.0),
    "qr": lambda x: np.sum(np.abs(np.diag(np.linalg.qr(A * x)[1]))),
    "fft": lambda x: np.sum(np.abs(np.fft.fft(x**2)) ** 3),
    "rfft": lambda x: np.sum(np.real(np.fft.irfft(np.fft.rfft(x, 8) ** 2, 8)) ** 2),
    "cumprod": lambda x: np.sum(np.cumprod(x) ** 2),
    "var of axes": lambda x: np.var(np.multiply.outer(x, x) ** 2, axis=(0, 1)),
    "std": lambda x: np.std(x**2),
    "median": lambda x: np.median(x**3),
    "sort": lambda x: np.sort(x**2) @ np.arange(3.0),
    "interp": lambda x: np.sum(np.interp(x, [-3.0, 0.1, 3.0], [0.0, 2.0, 1.0]) ** 2),
    "arctan2": lambda x: np.arctan2(x[0], x[1] * x[2]),
    "logaddexp": lambda x: np.logaddexp(x[0], x[1] * x[2]),
    "sinc": lambda x: np.sum(np.sinc(x)),
    "einsum": lambda x: np.einsum("i,ij,j,i->", x, A, x, x),
    "tensordot": lambda x: np.tensordot(np.multiply.outer(x, x), A, 2),
    "kron": lambda x: np.sum(np.kron(x, x) ** 2 * np.arange(9)),
    "convolve": lambda x: np.sum(np.convolve(x, x**2) ** 2),
    "matrix power": lambda x: np.trace(np.linalg.matrix_power(A * x, 3)),
}


def central(f, x, h):
    columns = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(x.size)]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("name", ONCE_MISSING)
def test_19_first_and_second_derivatives_in_both_modes(name):
    f = ONCE_MISSING[name]
    x = np.array([0.7, -1.3, 1.9])
    first, second = central(f, x, 1e-5), central(lambda x: wg.grad(f)(x), x, 1e-5)
    np.testing.assert_allclose(wg.grad(f)(x), first, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(wg.jacobian(f, mode="forward")(x), first, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(wg.hessian(f)(x), second, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(wg.jacobian(wg.grad(f), mode="reverse")(x), second, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(wg.jacobian(wg.jacobian(f, mode="forward"), mode="forward")(x), second, rtol=1e-5, atol=1e-6)


# --- 21: where a NaN comes from ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
def test_21_a_nan_in_a_gradient_is_traced_to_its_operation(compiled):
    def loss(p):
        distance = np.sqrt(np.sum((p["a"] - p["b"]) ** 2))
        return np.sum(np.where(distance > 1.0, np.log(distance), 0.0) + distance / (distance * 0.0 + p["scale"]))

    at = {"a": np.ones(2), "b": np.zeros(2), "scale": 0.0}
    slope = wg.jit(wg.grad(loss)) if compiled else wg.grad(loss)
    (found,) = wg.diagnose(slope)(at).bad
    assert (found.kind, found.primitive, [v.at for v in found.operands]) == ("infinity", "divide", [np.sqrt(2.0), 0.0])
    assert "p['scale']" in found.inputs
    with wg.anomaly(), np.errstate(all="ignore"), pytest.raises(wg.errors.AnomalyError, match="by divide"):
        slope(at)


# --- 22, 24, 28: silence, determinism, precision -----------------------------------------------------------------------------------


def test_22_a_gradient_that_is_structurally_zero_is_not_silent():
    x = np.array([1.0, 3.0, 2.0])
    for name, f in {
        "argmax": lambda x: np.argmax(x) * 2.0,
        "round": lambda x: np.sum(np.round(x)),
        "greater": lambda x: np.mean(x > 2.0),
        "floor": lambda x: np.sum(np.floor(x)),
        "sign": lambda x: np.sum(np.sign(x)),
    }.items():
        with pytest.warns(DisconnectedWarning, match=name):
            np.testing.assert_array_equal(wg.grad(f)(x), np.zeros(3))
        with pytest.raises(DisconnectedError, match=name):
            wg.grad(f, on_disconnected="raise")(x)
        np.testing.assert_array_equal(wg.grad(f, on_disconnected="zero")(x), np.zeros(3))
    with pytest.warns(DisconnectedWarning, match="does not depend on b"):
        wg.grad(lambda a, b: a**2, argnums=(0, 1))(1.0, 2.0)


def test_24_the_same_bits_every_time_and_in_every_thread():
    a = RANDOM.standard_normal((200, 200))
    f = lambda x: np.sum(np.tanh(a @ x) ** 2) + np.sum(x[np.array([0, 0, 5, 5, 5])] ** 3)
    x = RANDOM.standard_normal(200)
    first = wg.grad(f)(x).tobytes()
    assert all(wg.grad(f)(x).tobytes() == first for _ in range(5))
    found = []
    threads = [threading.Thread(target=lambda: found.append(wg.grad(f)(x).tobytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [first] * 4


def test_28_double_precision_throughout():
    x = 1.0 + 1e-12
    assert wg.grad(lambda x: (x - 1.0) ** 2)(x) == 2 * (x - 1.0)
    value, gradient = wg.value_and_grad(lambda x: np.sum(x**2))(np.full(3, 1e200, np.float64) * 1e-100)
    assert value.dtype == gradient.dtype == np.float64
    assert wg.grad(lambda x: np.sum(np.sin(x)))(np.zeros(2, np.float32)).dtype == np.float32
