import tracemalloc

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError, HolomorphicError
from wengert.transforms import jacobian as module

X = np.array([0.3, -1.2, 2.0])
Z = np.array([0.3 + 1j, -1.2 - 0.5j, 2.0 + 0.1j])
MODES = ["forward", "reverse", None]


@pytest.mark.parametrize("mode", MODES)
def test_real(mode):
    def f(x):
        return np.stack([x[0] * x[1], np.sin(x[2]), x[0] ** 3, x[1] * x[2]])

    a, b, c = X
    expected = [[b, a, 0], [0, 0, np.cos(c)], [3 * a**2, 0, 0], [0, c, b]]
    found = wg.jacobian(f, mode=mode)(X)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert type(found) is np.ndarray and found.flags.writeable and found.dtype == np.float64


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_any_chunk_gives_the_same(mode, chunk):
    a = np.arange(12.0).reshape(4, 3) / 7
    found = wg.jacobian(lambda x: np.tanh(a @ x), mode=mode, chunk_size=chunk)(X)
    np.testing.assert_allclose(found, (1 - np.tanh(a @ X) ** 2)[:, None] * a, rtol=1e-13)


@pytest.mark.parametrize("mode", MODES)
def test_containers_of_inputs_and_outputs(mode):
    def f(d, k):
        return {"p": d["a"] * d["b"] * k, "q": (d["a"] @ d["a"],)}

    found = wg.jacobian(f, argnums=(0, "k"), mode=mode)({"a": X, "b": 2.0}, 3.0)
    (by_d, by_k) = found["p"]
    np.testing.assert_allclose(by_d["a"], 6 * np.eye(3))
    np.testing.assert_allclose(by_d["b"], 3 * X)
    np.testing.assert_allclose(by_k, 2 * X)
    np.testing.assert_allclose(found["q"][0][0]["a"], 2 * X)
    assert found["q"][0][1] == 0


def test_scalars_stay_scalars():
    assert type(wg.jacobian(np.sin)(0.5)) is np.float64
    assert type(wg.hessian(np.sin)(0.5)) is np.float64
    zero_d = wg.jacobian(np.sin)(np.array(0.5))
    assert type(zero_d) is np.ndarray and zero_d.shape == ()


@pytest.mark.parametrize("mode", MODES)
def test_dtype_is_that_of_the_input(mode):
    x = X.astype(np.float32)
    assert wg.jacobian(lambda x: x * np.arange(3.0), mode=mode)(x).dtype == np.float32
    assert wg.jacobian(lambda x: x * 1j, mode=mode)(x).dtype == np.complex64
    assert wg.jacobian(lambda x: np.argsort(x), mode=mode)(x).dtype == np.float32
    assert not wg.jacobian(lambda x: x > 0, mode=mode)(X).any()


@pytest.mark.parametrize("mode", MODES)
def test_empty_ends(mode):
    assert wg.jacobian(lambda x: x[:0], mode=mode)(X).shape == (0, 3)
    assert wg.jacobian(lambda x: np.zeros_like(x, shape=2), mode=mode)(X[:0]).shape == (2, 0)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
class TestComplex:
    def test_holomorphic(self, mode):
        np.testing.assert_allclose(wg.jacobian(lambda z: z**3, mode=mode)(Z), np.diag(3 * Z**2), rtol=1e-13)

    def test_real_to_complex(self, mode):
        np.testing.assert_allclose(wg.jacobian(lambda x: x**2 * 1j, mode=mode)(X), np.diag(2j * X), rtol=1e-13)

    def test_complex_to_real(self, mode):
        # df = Re(J dz): the conjugate of the gradient ∂f/∂x + i ∂f/∂y
        found = wg.jacobian(lambda z: np.abs(z) ** 2, mode=mode)(Z)
        np.testing.assert_allclose(found, np.diag(2 * np.conj(Z)), rtol=1e-13)
        loss = lambda z: np.abs(z[0]) ** 2 * np.real(z[1])
        np.testing.assert_allclose(wg.jacobian(loss, mode=mode)(Z), np.conj(wg.grad(loss)(Z)), rtol=1e-13)

    def test_mixed_containers(self, mode):
        found = wg.jacobian(lambda d: {"u": d["x"] * d["z"], "v": np.imag(d["z"]) * d["x"]}, mode=mode)({"x": 2.0, "z": 3 + 4j})
        np.testing.assert_allclose(found["u"]["x"], 3 + 4j)
        np.testing.assert_allclose(found["u"]["z"], 2.0)
        np.testing.assert_allclose(found["v"]["x"], 4.0)
        np.testing.assert_allclose(found["v"]["z"], -2j)

    def test_a_function_that_is_not_holomorphic_has_no_one_matrix(self, mode):
        with pytest.raises(HolomorphicError, match="wirtinger"):
            wg.jacobian(lambda z: 1j * np.conj(z), mode=mode)(Z)


def test_wirtinger_by_both_walks():
    wide = lambda z: np.sum(z * np.conj(z) ** 2 * np.array([1.0, 2j, 3.0]))  # one output: reverse
    tall = lambda z: np.stack([z, np.conj(z), z * np.abs(z) ** 2, z**2])  # many: forward
    by_z, by_conjugate = wg.wirtinger(wide)(Z)
    weights = np.array([1.0, 2j, 3.0])
    np.testing.assert_allclose(by_z, weights * np.conj(Z) ** 2, rtol=1e-13)
    np.testing.assert_allclose(by_conjugate, weights * 2 * np.abs(Z) ** 2, rtol=1e-13)
    by_z, by_conjugate = wg.wirtinger(tall)(Z[0])
    z = Z[0]
    np.testing.assert_allclose(by_z, [1, 0, 2 * np.abs(z) ** 2, 2 * z], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(by_conjugate, [0, 1, z**2, 0], rtol=1e-13, atol=1e-15)


def test_wirtinger_of_containers_names_and_real_losses():
    by_z, by_conjugate = wg.wirtinger(lambda k, d: np.abs(d["z"]) ** 2 * k, argnums="d")(2.0, {"z": Z[0]})
    np.testing.assert_allclose(by_z["z"], 2 * np.conj(Z[0]))
    np.testing.assert_allclose(by_conjugate["z"], 2 * Z[0])
    np.testing.assert_allclose(2 * by_conjugate["z"], wg.grad(lambda z: 2 * np.abs(z) ** 2)(Z[0]))


def test_holomorphic_derivatives_are_checked_in_check_mode():
    f = lambda k, z: np.sum(k * z**3)
    with wg.check_rules():
        np.testing.assert_allclose(wg.grad(f, argnums=1, holomorphic=True)(2.0, Z), 6 * Z**2, rtol=1e-13)
        with pytest.raises(HolomorphicError):
            wg.grad(lambda k, z: np.sum(k * z * np.conj(z)), argnums="z", holomorphic=True)(2.0, z=Z)
        with pytest.raises(HolomorphicError):
            wg.value_and_grad(lambda z: (z + np.real(z), 1), has_aux=True, holomorphic=True)(Z[0])


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_memory_is_bounded_by_chunks(mode, monkeypatch):
    budget = 2**17  # elements: 1 MiB
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", budget)
    n, m = 400, 300
    a = np.random.default_rng(0).standard_normal((m, 4))

    def f(x):
        y = np.sin(x)
        for _ in range(10):
            y = np.cos(y * 1.1) + 0.5
        return a @ np.stack([y[:100] @ y[100:200], y[200:] @ y[200:], y[0], y[1]])

    def peak(chunk):
        tracemalloc.start()
        jacobian = wg.jacobian(f, mode=mode, chunk_size=chunk)(np.linspace(0, 1, n))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert jacobian.shape == (m, n)
        return found - jacobian.nbytes

    assert peak(None) < 2 * 8 * budget
    if mode == "reverse":  # at once, the arrays of all rows are held together
        assert peak(m) > 2 * 8 * budget


def test_hessian_of_containers_and_aux():
    f = lambda d, k: (d["a"] * d["b"] ** 2 * k, {"seen": d["a"]})
    hessian, aux = wg.hessian(f, has_aux=True)({"a": 2.0, "b": 3.0}, k=1.5)
    np.testing.assert_allclose(
        [[hessian[i][j] for j in "ab"] for i in "ab"], [[0.0, 2 * 3.0 * 1.5], [2 * 3.0 * 1.5, 2 * 2.0 * 1.5]]
    )
    assert aux == {"seen": 2.0} and type(aux["seen"]) is np.float64


def test_hvp_of_containers():
    f = lambda d, x: d["a"] * x @ x
    by_d, by_x = wg.hvp(f, ({"a": 2.0}, X), ({"a": 1.0}, np.zeros(3)))
    assert by_d["a"] == 0
    np.testing.assert_allclose(by_x, 2 * X)


def test_unknown_mode():
    with pytest.raises(ArgumentError, match="sideways"):
        wg.jacobian(np.sin, mode="sideways")(X)
