"""The public functions: their signatures, their texts, and small facts that belong to no other file."""

import gc
import inspect
import tracemalloc
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import wengert as wg
from wengert.errors import NotDifferentiableError

X = np.array([0.3, -1.2, 2.0])

# The parameters that a user of JAX knows, in their order.
SIGNATURES = {
    "grad": ["f", "argnums", "has_aux", "holomorphic"],
    "value_and_grad": ["f", "argnums", "has_aux", "holomorphic"],
    "jvp": ["f", "primals", "tangents", "has_aux"],
    "vjp": ["f", "primals", "has_aux"],
    "linearize": ["f", "primals", "has_aux"],
    "jacobian": ["f", "argnums", "has_aux"],
    "hessian": ["f", "argnums", "has_aux"],
    "hvp": ["f", "primals", "tangents"],
    "vmap": ["f", "in_axes", "out_axes"],
    "checkpoint": ["f"],
    "stop_gradient": ["x"],
    "custom_rule": ["f"],
    "wirtinger": ["f", "argnums"],
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    parameters = inspect.signature(getattr(wg, name)).parameters
    assert list(parameters)[: len(SIGNATURES[name])] == SIGNATURES[name]
    defaults = {"argnums": 0, "has_aux": False, "holomorphic": False, "in_axes": 0, "out_axes": 0}
    for parameter in parameters.values():
        if parameter.name in defaults:
            assert parameter.default == defaults[parameter.name]


@pytest.mark.parametrize("name", wg.__all__)
def test_texts(name):
    text = inspect.getdoc(getattr(wg, name))
    assert text and len(text.splitlines()[0]) > 20
    if name in SIGNATURES:
        assert ">>>" in text


def test_transformed_functions_keep_name_and_text():
    def loss(x):
        """How far off."""
        return np.sum(x**2)

    for transform in (wg.grad, wg.value_and_grad, wg.jacobian, wg.hessian, wg.vmap, wg.checkpoint, wg.custom_rule, wg.wirtinger):
        assert transform(loss).__name__ == "loss"
        assert transform(loss).__doc__ == "How far off."


def test_stop_gradient():
    assert wg.grad(lambda x: x * wg.stop_gradient(x))(3.0) == 3.0
    assert wg.jvp(lambda x: x * wg.stop_gradient(x), (3.0,), (1.0,))[1] == 3.0
    assert wg.hessian(lambda x: x**2 * wg.stop_gradient(x))(3.0) == 6.0
    assert wg.grad(wg.grad(lambda x: wg.stop_gradient(x) * x**2))(3.0) == 6.0
    np.testing.assert_array_equal(wg.vmap(wg.grad(lambda x: x * wg.stop_gradient(x)))(X), X)
    held = wg.stop_gradient({"a": X, "n": 3, "s": "text", "none": None})
    assert held["n"] == 3 and held["s"] == "text" and held["none"] is None
    gradient = wg.grad(lambda d: np.sum(wg.stop_gradient(d)["a"] * d["a"] * d["b"]))({"a": X, "b": 2.0})
    np.testing.assert_array_equal(gradient["a"], 2 * X)
    np.testing.assert_allclose(gradient["b"], X @ X)
    assert wg.stop_gradient(3.0) == 3.0


def test_hvp_of_bare_arguments_and_tuples():
    f = lambda x: np.sum(x**3)
    np.testing.assert_allclose(wg.hvp(f, X, np.ones(3)), 6 * X)
    (found,) = wg.hvp(f, (X,), (np.ones(3),))
    np.testing.assert_allclose(found, 6 * X)
    by_x, by_y = wg.hvp(lambda x, y: x * y**2, (2.0, 3.0), (1.0, 0.5))
    assert (by_x, by_y) == (3.0, 6.0 + 2.0)
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(wg.hvp(f, x, X)))(X), 6 * X)


class Weights(NamedTuple):
    w: np.ndarray
    b: float


@pytest.mark.parametrize(
    ("params", "direction"),
    [
        ([X, 2.0], [np.ones(3), 0.5]),
        ({"w": X, "b": 2.0}, {"w": np.ones(3), "b": 0.5}),
        (Weights(X, 2.0), Weights(np.ones(3), 0.5)),
        ([(X, 2.0)], [(np.ones(3), 0.5)]),
    ],
)
def test_hvp_of_one_container(params, direction):
    def f(params):
        w, b = params.values() if isinstance(params, dict) else params[0] if len(params) == 1 else params
        return np.sum(w**3) * b

    found = wg.hvp(f, params, direction)
    assert type(found) is type(params)
    by_w, by_b = found.values() if isinstance(found, dict) else found[0] if len(found) == 1 else found
    np.testing.assert_allclose(by_w, 12 * X + 1.5 * X**2, rtol=1e-14)
    np.testing.assert_allclose(by_b, 3 * np.sum(X**2), rtol=1e-14)


def test_arrays_with_operators_of_their_own_are_refused():
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0]])
    for x in (matrix, np.ma.array([1.0, 2.0], mask=[0, 1])):
        with pytest.raises(NotDifferentiableError, match="meaning of their own"):
            wg.grad(lambda x: np.sum(x * x))(x)


def test_memory_maps_are_arrays(tmp_path):
    x = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=3)
    x[:] = X
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(x**2))(x), 2 * X)
    _, pull = wg.vjp(lambda x: x**2, x)
    x[:] = 0
    np.testing.assert_allclose(pull(np.ones(3))[0], 2 * X)


def test_read_only_strided_and_fortran_inputs():
    x = np.asfortranarray(np.arange(12.0).reshape(3, 4))[::-1, ::2]
    x.flags.writeable = False
    gradient = wg.grad(lambda x: np.sum(np.sin(x)))(x)
    np.testing.assert_allclose(gradient, np.cos(x))
    assert gradient.flags.writeable


def test_memory_is_released_as_the_walk_goes():
    n, steps = 20_000, 50

    def chain(x):
        for _ in range(steps):
            x = np.sin(x)
        return np.sum(x)

    tracemalloc.start()
    value, pull = wg.vjp(chain, np.linspace(0, 1, n))
    held = tracemalloc.get_traced_memory()[0]  # what the record of the program takes
    tracemalloc.reset_peak()
    pull(1.0)
    kept_peak = tracemalloc.get_traced_memory()[1]
    del value, pull
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    wg.grad(chain)(np.linspace(0, 1, n))
    peak = tracemalloc.get_traced_memory()[1] - before
    after = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    one = 8 * n
    assert held > 0.9 * steps * one  # the record is most of it,
    assert kept_peak < held + 8 * one  # a walk back adds a few arrays, not one for each step,
    assert peak < held + 8 * one  # and so does a gradient,
    assert after < one  # after which nothing is left


def test_nothing_is_left_in_reference_cycles():
    kept = []

    def f(x):
        y = np.sin(x)
        view = y[1:]
        view += 1.0
        kept.append(weakref.ref(y))
        return np.sum(y)

    gc.collect()
    gc.disable()
    try:
        wg.grad(f)(X)
        assert kept[0]() is None
    finally:
        gc.enable()
