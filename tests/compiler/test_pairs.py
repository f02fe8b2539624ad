"""Complex programs under `jit`: pairs of real numbers, no calls of Python, and the values and derivatives of eager code."""

import numpy as np
import pytest
from agreeing import agree
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import chained

import wengert as wg
from wengert.compiler.pairs import PART, in_pairs
from wengert.core.check import check

rng = np.random.default_rng(0)


def numbers(*shape, dtype=np.complex128):
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


Z, W, X = numbers(6, 5), numbers(6, 5), rng.standard_normal((6, 5))
PROGRAMS = {
    "arithmetic": lambda z, w, x: (z * w + x / w - 2j * z) / (1 + z * np.conj(z)),
    "functions": lambda z, w, x: np.exp(1j * x) * np.tanh(z) + np.sqrt(w) ** 3 - np.log(z) / np.sin(w),
    "powers": lambda z, w, x: (z**2, z**-1, z**0.5, z**w, x**z, z**3),
    "parts": lambda z, w, x: (z.real * w.imag, np.abs(z), np.angle(w), np.conj(z), np.real(x), np.imag(x) + x),
    "casts": lambda z, w, x: (x.astype(complex), z.astype(np.complex64), (z != 0) & (w == w), z.real.astype(np.int32)),
    "numbers": lambda z, w, x: (z * 2, 1j + x, z - (1 + 2j), np.complex64(1j) * z, x * np.float32(2) + 1j),
    "choices": lambda z, w, x: (np.where(x > 0, z, w), np.where(x > 0, z, 1.0), np.maximum(z, w), z < w, np.isfinite(z)),
    "sums": lambda z, w, x: (np.sum(z), np.sum(z * w, axis=0), np.mean(z, axis=1, keepdims=True), np.sum(x, dtype=complex)),
    "folds": lambda z, w, x: (np.prod(z), np.prod(w, axis=0), np.max(z, axis=1), np.min(z), np.prod(z[:0], axis=0).shape),
    "spread out": lambda z, w, x: (np.var(z, axis=0), np.std(z), np.linalg.norm(z[0]), np.any(z), np.all(w, axis=0)),
    "moves": lambda z, w, x: (z.T[::-1], z.reshape(10, 3)[1:, ::2], np.concatenate([z, w, x], 1), np.stack([z, w]), z[None, 2], np.tril(z[:5])),
    "places": lambda z, w, x: (z[[0, 2, 2], 1], np.roll(z, 2, 1), np.pad(z, 1), np.repeat(z, 2, 0), np.flip(w), np.take(z, [1, 3], 1)),
    "products": lambda z, w, x: (z @ w.T, x @ w.T, z @ x.T, np.vdot(z, w), np.einsum("ij,ij->i", z, np.conj(w)), np.outer(z[0], x[0])),
    "sentences": lambda z, w, x: (np.einsum("ij,kj,kl->il", z, w, x), np.einsum("ij->j", z), np.trace(z[:5]), np.cross(z[:, :3], w[:, :3])),
    "inner numbers": lambda z, w, x: z[0, 0] * w[1, 1] + np.exp(z[2, 2]),
    "the same": lambda z, w, x: (z, z[0], 1 + 2j, np.zeros(3, complex)),
}


@pytest.mark.parametrize("dtype", list(PART), ids=str)
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_native_and_right(name, dtype):
    function = wg.jit(PROGRAMS[name])
    z, w, x = Z.astype(dtype), W.astype(dtype), X.astype(PART[dtype])
    agree(function(z, w, x), PROGRAMS[name](z, w, x))
    agree(function(2 * w, z, -x), PROGRAMS[name](2 * w, z, -x))
    assert not function.report(z, w, x).host_calls
    assert check(in_pairs(function.stages(z, w, x)["simplified"]))


def test_nothing_is_complex_afterwards():
    z = numbers(4)
    graph = in_pairs(wg.jit(lambda z: np.exp(z) * 2j).stages(z)["recorded"])
    atoms = [*graph.inputs, *graph.outputs, *[a for node in graph.nodes for a in (*node.operands, *node.outputs)]]
    assert not [a for a in atoms if a.type.dtype.kind == "c"]
    assert [str(v.type) for v in graph.inputs] == ["float64[4,2]"]
    real = wg.jit(lambda x: x + 1).stages(np.ones(3))["recorded"]
    assert in_pairs(real) is real


@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 2), (40, 30, 50)])
def test_products_of_matrices(m, k, n):
    a, b, c = numbers(m, k), numbers(k, n), numbers(7, k, n)
    for program in (lambda a, b, c: a @ b, lambda a, b, c: a @ c, lambda a, b, c: (a.real @ b, np.conj(b.T) @ np.conj(a.T))):
        function = wg.jit(program)
        agree(function(a, b, c), program(a, b, c))
        assert not function.report(a, b, c).host_calls


def test_a_large_product_is_four_of_parts():
    z = numbers(256, 256)
    kernels = wg.jit(lambda z: z @ z).report(z).kernels
    assert [" @ " in kernel.text for kernel in kernels] == [True] * 4 + [False]


def test_zeros_absorb():
    z = np.array([0j, 1 + 1j, 0j])

    def safe(z):
        return np.sum(np.abs(np.where(z == 0, 0, np.sqrt(z))))

    agree(wg.jit(wg.grad(safe))(z), wg.grad(safe)(z))
    m = np.array([[0j, 1 + 0j], [1j, 0j]])
    agree(wg.jit(wg.grad(lambda m, v: np.sum(np.abs(m @ v) ** 2)))(m, np.array([2j, 3 + 0j])), wg.grad(lambda m, v: np.sum(np.abs(m @ v) ** 2))(m, np.array([2j, 3 + 0j])))


def test_what_has_no_code_is_called_with_complex_arrays():
    z, x = numbers(4, 4), rng.standard_normal((4, 4))
    for name, program in {
        "complex fft": lambda z: np.fft.fft(z, axis=0) * z,
        "complex pinv": lambda z: np.sum(np.abs(np.linalg.pinv(z))),
    }.items():
        function = wg.jit(program)
        agree(function(z), program(z))
        assert [call.primitive for call in function.report(z).host_calls] == [name]
    function = wg.jit(lambda x: np.fft.rfft(x).real)
    agree(function(x), np.fft.rfft(x).real)
    wide = x.astype(np.clongdouble)
    agree(wg.jit(lambda v: v * 2)(wide), wide * 2)


# --- derivatives ------------------------------------------------------------------------------------------------------


def loss(w, x):
    return np.sum(np.abs(np.exp(1j * x) @ w) ** 2)


def test_gradients_are_adjoints():
    x, w = rng.standard_normal((50, 8)), numbers(8)
    jitted = wg.jit(wg.grad(loss))
    e = np.exp(1j * x)
    np.testing.assert_allclose(jitted(w, x), 2 * np.conj(e.T) @ (e @ w), rtol=1e-12)
    assert not jitted.report(w, x).host_calls
    np.testing.assert_allclose(wg.jit(wg.grad(loss, argnums=1))(w, x), wg.grad(loss, argnums=1)(w, x), rtol=1e-11)
    np.testing.assert_allclose(wg.grad(wg.jit(loss))(w, x), jitted(w, x), rtol=1e-12)


def test_holomorphic_second_order_forward_and_batched():
    z, dz = numbers(5), numbers(5)
    f = lambda z: np.sum(np.sin(z) * z**3 / (2 + z))  # noqa: E731
    for derivative in (
        wg.grad(f, holomorphic=True),
        lambda z: wg.jvp(f, (z,), (dz,)),
        lambda z: wg.grad(lambda z: np.sum(np.abs(wg.grad(loss)(z, np.ones((4, 5)))) ** 2))(z),
        wg.vmap(lambda z: np.exp(z) / z),
        lambda z: wg.vjp(lambda z: np.cumprod(z), z)[1](dz),
    ):
        agree(wg.jit(derivative)(z), derivative(z), rtol=1e-11)


def test_every_function_has_its_derivative():
    z = numbers(12) * 0.7 + 0.2
    for f in (np.exp, np.log, np.sqrt, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh, np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arccosh,
              np.arctanh, np.exp2, np.log2, np.log10, np.expm1, np.log1p, np.square, np.reciprocal, lambda z: z**2.5, np.abs, np.angle, np.sign):  # fmt: skip
        slope = wg.grad(lambda z, f=f: np.sum(np.real(f(z) * (1 + 2j))))
        function = wg.jit(slope)
        agree(function(z), slope(z), rtol=1e-11)
        assert not function.report(z).host_calls


# --- random programs --------------------------------------------------------------------------------------------------

STEPS = [
    lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - 2j * b, lambda a, b: a / (3 + b * np.conj(b)), lambda a, b: np.exp(1j * a.real) * b,
    lambda a, b: np.tanh(a), lambda a, b: np.conj(a) * 1j, lambda a, b: a[::-1], lambda a, b: np.sum(a, axis=0) * b, lambda a, b: a.real + b,
    lambda a, b: np.where(np.abs(a) < 1, a, b / (1 + np.abs(b))), lambda a, b: np.sqrt(a), lambda a, b: np.concatenate([a[:2], b[2:]]),
]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=7))
def test_random_programs(steps):
    def program(z, w):
        return chained(STEPS, steps, z, w)

    def size(z, w):
        return np.sum(np.abs(program(z, w)) ** 2)

    z, w = np.random.default_rng(7).standard_normal((2, 5, 3, 2)) @ [1, 1j]
    agree(wg.jit(program)(z, w), program(z, w), rtol=1e-9, atol=1e-9)
    gradient = wg.grad(size, argnums=(0, 1), on_disconnected="zero")
    wanted = gradient(z, w)
    scale = max(1.0, *[float(np.max(np.abs(g))) for g in wanted])
    agree(wg.jit(gradient)(z, w), wanted, rtol=1e-8, atol=1e-8 * scale)
