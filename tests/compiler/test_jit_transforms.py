"""`jit` around every transformation, and every transformation around `jit`, of any order."""

import math

import numpy as np
import pytest
from agreeing import agree

import wengert as wg

rng = np.random.default_rng(3)
W = rng.normal(size=(3, 3))
X = rng.normal(size=3)
V = rng.normal(size=3)
BATCH = rng.normal(size=(4, 3))


def scalar(x):
    return np.sum(np.tanh(W @ x) * np.exp(-(x**2)))


def vector(x):
    return np.tanh(W @ x) * x


TRANSFORMED = {
    "grad": lambda s, v: (wg.grad(s), (X,)),
    "value_and_grad": lambda s, v: (wg.value_and_grad(s), (X,)),
    "jacobian": lambda s, v: (wg.jacobian(v), (X,)),
    "jacobian forward": lambda s, v: (wg.jacobian(v, mode="forward"), (X,)),
    "jacobian reverse": lambda s, v: (wg.jacobian(v, mode="reverse"), (X,)),
    "hessian": lambda s, v: (wg.hessian(s), (X,)),
    "third": lambda s, v: (wg.jacobian(wg.hessian(s)), (X,)),
    "hvp": lambda s, v: (lambda x, d: wg.hvp(s, x, d), (X, V)),
    "jvp": lambda s, v: (lambda x, d: wg.jvp(v, (x,), (d,)), (X, V)),
    "vjp": lambda s, v: (lambda x, ct: wg.vjp(v, x)[1](ct), (X, V)),
    "linearize": lambda s, v: (lambda x, d: wg.linearize(v, x)[1](d), (X, V)),
    "adjoint": lambda s, v: (lambda x, d: wg.linearize(v, x)[1].T @ d, (X, V)),
    "vmap": lambda s, v: (wg.vmap(v), (BATCH,)),
    "vmap of grad": lambda s, v: (wg.vmap(wg.grad(s)), (BATCH,)),
    "vmap of jacobian": lambda s, v: (wg.vmap(wg.jacobian(v)), (BATCH,)),
    "grad of vmap": lambda s, v: (wg.grad(lambda B: np.sum(wg.vmap(s)(B) ** 2)), (BATCH,)),
    "vmap of hessian": lambda s, v: (wg.vmap(wg.hessian(s)), (BATCH,)),
    "vmap of vmap": lambda s, v: (wg.vmap(wg.vmap(lambda x: v(np.stack([x, x + 1, x * x])))), (BATCH,)),
    "checkpoint": lambda s, v: (wg.grad(wg.checkpoint(s)), (X,)),
    "wirtinger": lambda s, v: (wg.wirtinger(lambda z: s(np.real(z)) + s(np.imag(z))), (X + 1j * V,)),
    "holomorphic": lambda s, v: (wg.grad(lambda z: np.sum(np.sin(z) * z), holomorphic=True), (X + 1j * V,)),
}


@pytest.mark.parametrize("name", TRANSFORMED)
@pytest.mark.parametrize("where", ["outside", "inside", "both"])
def test_transformation(name, where):
    plain, args = TRANSFORMED[name](scalar, vector)
    inner = (scalar, vector) if where == "outside" else (wg.jit(scalar), wg.jit(vector))
    function, _ = TRANSFORMED[name](*inner)
    function = function if where == "inside" else wg.jit(function)
    for _ in range(2):
        agree(function(*args), plain(*args), rtol=1e-10)
    moved = tuple(a * 1.1 for a in args)
    agree(function(*moved), plain(*moved), rtol=1e-10)


def test_a_transformation_of_a_jitted_function_is_one_program():
    jitted = wg.jit(scalar)
    for made in (wg.grad(jitted), wg.value_and_grad(jitted), wg.jacobian(jitted), wg.hessian(jitted), wg.vmap(jitted)):
        assert type(made) is type(jitted)
    slope = wg.grad(wg.jit(lambda x, n: np.sum(x**n), static_argnums=1))
    agree(slope(X, 3), 3 * X**2)
    assert len(wg.grad(jitted).report(X).kernels) >= 1


def test_a_jitted_function_inside_a_program_that_is_differentiated():
    """Here it is one operation of a record, whose derivatives are compiled programs of their own."""
    f, g = wg.jit(vector), wg.jit(scalar)

    def program(x, f=f, g=g):
        y = f(np.sin(x)) + x
        return g(y) * np.sum(f(y))

    def plain(x):
        return program(x, vector, scalar)

    agree(wg.grad(program)(X), wg.grad(plain)(X), rtol=1e-10)
    agree(wg.hessian(program)(X), wg.hessian(plain)(X), rtol=1e-9)
    agree(wg.jacobian(wg.hessian(program))(X), wg.jacobian(wg.hessian(plain))(X), rtol=1e-8)
    agree(wg.vmap(wg.grad(program))(BATCH), wg.vmap(wg.grad(plain))(BATCH), rtol=1e-10)
    agree(wg.grad(lambda B: np.sum(wg.vmap(program)(B)))(BATCH), wg.grad(lambda B: np.sum(wg.vmap(plain)(B)))(BATCH), rtol=1e-10)
    agree(wg.jvp(program, (X,), (V,)), wg.jvp(plain, (X,), (V,)), rtol=1e-10)
    agree(wg.vmap(wg.jacobian(f))(BATCH), wg.vmap(wg.jacobian(vector))(BATCH), rtol=1e-10)
    assert len(f._signatures) >= 1


def test_sparse():
    x = np.arange(5.0)
    found = wg.jacobian(wg.jit(np.diff), sparse=True)(x)
    np.testing.assert_array_equal(found.toarray(), wg.jacobian(np.diff)(x))
    assert (wg.sparsity(wg.jit(np.diff))(x).toarray() == wg.sparsity(np.diff)(x).toarray()).all()


def test_jit_of_jit():
    agree(wg.jit(wg.jit(scalar))(X), scalar(X))
    inner = wg.jit(vector)
    outer = wg.jit(lambda x: inner(inner(x)) + inner(x))
    agree(outer(X), vector(vector(X)) + vector(X))
    graph = outer.stages(X)["recorded"]
    assert not any(node.primitive.name == "jit" for node in graph.nodes)


def test_a_pullback_may_be_compiled():
    for f in (vector, wg.jit(vector)):
        _, pull = wg.vjp(f, X)
        agree(wg.jit(pull)(V), wg.vjp(vector, X)[1](V))


def test_trace_of_jit():
    graph = wg.trace(wg.jit(scalar))(X)
    agree(graph(X)[0], scalar(X))
    assert not any(node.primitive.name == "jit" for node in graph.nodes)


def test_custom_rules():
    @wg.custom_rule
    def cube(x):
        return x**3

    @cube.reverse
    def cube_reverse(x):
        return x**3, lambda ct: (100 * ct,)

    f = lambda x: np.sum(cube(x))
    agree(wg.jit(wg.grad(f))(X), np.full(3, 100.0))
    agree(wg.grad(wg.jit(f))(X), np.full(3, 100.0))


def test_several_arguments_and_containers():
    def loss(params, x, scale=1.0):
        return np.sum(np.tanh(params["w"] @ x + params["b"]) * scale)

    params = {"w": W, "b": V}
    for function in (wg.jit(wg.grad(loss)), wg.grad(wg.jit(loss))):
        agree(function(params, X), wg.grad(loss)(params, X))
        agree(function(params, X, scale=2.0), wg.grad(loss)(params, X, scale=2.0))
    for function in (wg.jit(wg.grad(loss, argnums=(0, 1))), wg.grad(wg.jit(loss), argnums=(0, 1))):
        agree(function(params, X), wg.grad(loss, argnums=(0, 1))(params, X))


def test_auxiliary_output():
    def f(x):
        return np.sum(x**2), {"twice": x * 2, "n": 3}

    for function in (wg.jit(wg.grad(f, has_aux=True)), wg.grad(wg.jit(f), has_aux=True)):
        agree(function(X), wg.grad(f, has_aux=True)(X))


def test_a_number_differentiated():
    for function in (wg.jit(wg.grad(np.sin)), wg.grad(wg.jit(np.sin)), wg.grad(wg.grad(wg.grad(wg.jit(lambda s: s**4))))):
        function(0.3)
    agree(wg.jit(wg.grad(np.sin))(0.3), wg.grad(np.sin)(0.3))
    agree(wg.grad(wg.jit(np.sin))(0.3), wg.grad(np.sin)(0.3))
    agree(wg.grad(wg.grad(wg.jit(lambda s: s**4)))(0.3), wg.grad(wg.grad(lambda s: s**4))(0.3))


def test_writing_inside_a_derivative():
    def f(x):
        y = np.zeros_like(x)
        y[1:] = x[:-1] * 2
        y += x
        return np.sum(y * y)

    for function in (wg.jit(wg.grad(f)), wg.grad(wg.jit(f))):
        agree(function(X), wg.grad(f)(X))


def test_writing_into_a_traced_argument():
    def add_into(target, x):
        target += x * x
        return np.sum(target)

    def f(add, x):
        y = x * 2
        total = add(y, x)
        return total + np.sum(y**2)

    agree(wg.grad(lambda x: f(wg.jit(add_into), x))(X), wg.grad(lambda x: f(add_into, x))(X))
    agree(wg.jit(wg.grad(lambda x: f(wg.jit(add_into), x)))(X), wg.grad(lambda x: f(add_into, x))(X))


def test_strong_zeros():
    f = lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0))
    x = np.array([0.0, 4.0])
    for function in (wg.jit(wg.grad(f)), wg.grad(wg.jit(f)), wg.jit(wg.hessian(f)), wg.hessian(wg.jit(f))):
        assert np.isfinite(function(x)).all()
    agree(wg.jit(wg.grad(f))(x), np.array([0.0, 0.25]))


def test_kinks():
    x = np.array([0.0, 0.0, 1.0])
    f = lambda x: np.sum(np.abs(x)) + np.max(x[:2]) + np.maximum(x[0], x[1]) + np.linalg.norm(x[:2])
    agree(wg.jit(wg.grad(f))(x), wg.grad(f)(x))
    agree(wg.grad(wg.jit(f))(x), wg.grad(f)(x))


def test_disconnected_inputs_warn_while_recording():
    with pytest.warns(wg.errors.DisconnectedWarning):
        agree(wg.jit(wg.grad(lambda x: np.sum(np.floor(x))))(X), np.zeros(3))
    agree(wg.grad(wg.jit(lambda x, y: np.sum(x)), argnums=1, on_disconnected="zero")(X, V), np.zeros(3))


def test_single_precision_stays():
    x = np.float32(X)
    for function in (wg.jit(wg.grad(scalar)), wg.grad(wg.jit(scalar))):
        assert function(x).dtype == np.float32


def test_derivatives_of_numbers_are_numbers():
    for transform in (wg.jacobian, wg.hessian, wg.grad):
        found = wg.jit(transform(np.sin))(0.5)
        assert type(found) is np.float64
        assert type(wg.jit(transform(np.sin))(np.array(0.5))) is np.ndarray


def test_numbers_that_members_share_promote_weakly():
    x = np.array([1.0, -2.0, 0.5], np.float32)
    assert wg.jit(wg.vmap(lambda x, c: x * c, in_axes=(0, None)))(x, 2.0).dtype == np.float32
    np.testing.assert_array_equal(wg.jit(wg.vmap(lambda x, *, shift: x + shift))(x, shift=2.0), x + 2, strict=True)


def test_powers_whose_derivative_is_a_constant():
    for p in (0, 1):
        f = wg.grad(lambda x: x ** np.array(float(p)), on_disconnected="zero")
        for x in (0.0, -2.0):
            np.testing.assert_array_equal(wg.jit(f)(x), f(x))
            np.testing.assert_array_equal(wg.jit(wg.hessian(lambda x: x ** float(p)))(x), 0.0)


def test_a_custom_rule_around_code_that_takes_plain_numbers():
    """Such a body is one call of Python in the compiled program; its rule is compiled as anything else."""

    @wg.custom_rule
    def cube(x):
        return math.pow(float(x), 3)

    @cube.forward
    def _(primals, tangents):
        return cube(primals[0]), 3 * primals[0] ** 2 * tangents[0]

    jitted = wg.jit(lambda x: cube(x) + 1)
    assert [jitted(2.0), jitted(3.0)] == [9.0, 28.0]
    assert [call.primitive for call in jitted.report(2.0).host_calls] == ["custom_cube"]
    assert wg.jit(wg.grad(lambda x: 2 * cube(x)))(2.0) == 24.0
    assert wg.jit(wg.grad(wg.grad(cube)))(2.0) == 12.0
    np.testing.assert_array_equal(wg.jit(wg.vmap(wg.grad(cube)))(np.arange(3.0)), [0.0, 3.0, 12.0])
    np.testing.assert_array_equal(wg.jit(wg.vmap(cube))(np.arange(3.0)), [0.0, 1.0, 8.0])
