import tracemalloc

import numpy as np
import pytest

import wengert as wg
from wengert.errors import AssignmentError, LeakError, LostDerivativeError

X = np.array([0.3, -1.2, 2.0])
GENERATOR = np.random.default_rng(7)


def block(x, p, *, k=2.0):
    return {"y": np.sin(x) * p["a"] * k, "z": p["b"] @ x, "name": "text", "n": 3, "best": np.argmax(x), "none": None}


def loss_with(block):
    def loss(x, p):
        out = block(x, p, k=3.0)
        assert out["name"] == "text" and out["none"] is None
        return out["y"] @ out["y"] + out["z"] * out["n"]

    return loss


P = {"a": 2.0, "b": np.array([1.0, 2.0, -1.0])}


@pytest.mark.parametrize("wrap", [wg.checkpoint, lambda f: wg.checkpoint(wg.checkpoint(f))])
def test_containers_keywords_and_every_mode(wrap):
    plain, saved = loss_with(block), loss_with(wrap(block))
    np.testing.assert_allclose(saved(X, P), plain(X, P))
    for a, b in zip(wg.grad(saved, (0, 1))(X, P), wg.grad(plain, (0, 1))(X, P), strict=True):
        np.testing.assert_allclose(a if isinstance(a, np.ndarray) else a["b"], b if isinstance(b, np.ndarray) else b["b"])
    np.testing.assert_allclose(wg.hessian(saved)(X, P), wg.hessian(plain)(X, P), rtol=1e-13)
    np.testing.assert_allclose(wg.jvp(lambda x: saved(x, P), (X,), (X,)), wg.jvp(lambda x: plain(x, P), (X,), (X,)))
    np.testing.assert_allclose(wg.hvp(lambda x: saved(x, P), X, X), wg.hessian(plain)(X, P) @ X, rtol=1e-13)
    batch = np.stack([X, 2 * X + 0.1])
    both = wg.vmap(wg.grad(lambda x: saved(x, P)))(batch), wg.vmap(wg.grad(lambda x: plain(x, P)))(batch)
    np.testing.assert_allclose(*both, rtol=1e-13)


def test_values_reached_through_closures_defaults_partials_and_objects():
    class Layer:
        def __init__(self, w):
            self.w = w

        def __call__(self, x):
            return self.w @ x

        def apply(self, x):
            return self.w @ x

    by_closure = lambda w: wg.checkpoint(lambda x: w @ x)(X)
    by_default = lambda w: wg.checkpoint(lambda x, w=w: w @ x)(X)
    by_call = lambda w: wg.checkpoint(Layer(w))(X)
    by_method = lambda w: wg.checkpoint(Layer(w).apply)(X)
    by_container = lambda w: (lambda d: wg.checkpoint(lambda x: d["w"][0] @ x)(X))({"w": [w]})
    for f in (by_closure, by_default, by_call, by_method, by_container):
        np.testing.assert_allclose(wg.grad(lambda w, f=f: f(w) ** 2)(P["b"]), 2 * (P["b"] @ X) * X)


def test_a_closure_over_itself():
    def power(x, n):
        def go(y, n):
            return y if n == 0 else x * go(y, n - 1)

        return wg.checkpoint(go)(x, n)

    assert wg.grad(power)(2.0, 3) == 4 * 2.0**3


def test_nonlocal_names_go_on_working():
    def f(x):
        calls = 0

        def inner(y):
            nonlocal calls
            calls += 1
            return y * x

        y = wg.checkpoint(inner)(x)
        return y * calls

    assert wg.grad(f)(2.0) == 4.0


def test_what_is_written_into_an_argument_is_seen_outside():
    def with_block(block):
        def f(x):
            y = x * 1.0
            total = block(y)
            return total * y[0]

        return f

    def block(y):
        y[0] = y[1] * 5
        return y @ y

    plain, saved = with_block(block), with_block(wg.checkpoint(block))
    assert plain(X) == saved(X)
    np.testing.assert_allclose(wg.grad(saved)(X), wg.grad(plain)(X))
    np.testing.assert_allclose(wg.hessian(saved)(X), wg.hessian(plain)(X))
    np.testing.assert_allclose(wg.jacobian(saved, mode="forward")(X), wg.grad(plain)(X))
    batch = np.stack([X, X + 1])
    np.testing.assert_allclose(wg.vmap(wg.grad(saved))(batch), wg.vmap(wg.grad(plain))(batch))
    x = X.copy()
    wg.grad(wg.checkpoint(block))(x)
    np.testing.assert_array_equal(x, X)


def test_two_views_of_what_is_written_into_are_an_error():
    def f(x):
        y = x * 1.0
        view = y[1:]

        def block():
            y[1] = 5.0
            return view[0] * y[0]

        return wg.checkpoint(block)()

    with pytest.raises(AssignmentError, match="two views"):
        wg.grad(f)(X)

    def only_read(x):
        y = x * 1.0
        view = y[1:]
        return wg.checkpoint(lambda: view[0] * y[0])()

    np.testing.assert_allclose(wg.grad(only_read)(X), [X[1], X[0], 0])


def test_numbers_stay_weak():
    f = wg.checkpoint(lambda x, c: (x * c) @ x)
    value, gradient = wg.value_and_grad(f)(X.astype(np.float32), 2.0)
    assert value.dtype == gradient.dtype == np.float32


@pytest.mark.parametrize(
    "draw",
    [lambda: GENERATOR.standard_normal(3), lambda: np.random.standard_normal(3), None],  # noqa: NPY002
    ids=["generator", "legacy", "argument"],
)
def test_the_same_random_numbers_are_drawn_again(draw):
    def noisy(x, generator):
        noise = generator.standard_normal(3) if draw is None else draw()
        return np.sum(x * noise)

    value, gradient = wg.value_and_grad(wg.checkpoint(noisy))(X, np.random.default_rng(3))
    np.testing.assert_allclose(gradient @ X, value, rtol=1e-13)  # f is linear in x


def test_memory_is_saved():
    def layer(x):
        for _ in range(10):
            x = np.sin(x * 1.01)
        return x

    def program(layer):
        def f(x):
            for _ in range(10):
                x = layer(x)
            return x @ x

        return f

    x = np.linspace(0, 1, 5_000)

    def peak(f):
        tracemalloc.start()
        gradient = wg.grad(f)(x)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, gradient

    kept, gradient = peak(program(layer))
    saved, again = peak(program(wg.checkpoint(layer)))
    np.testing.assert_allclose(again, gradient, rtol=1e-13)
    assert saved < kept / 3, (saved, kept)


def test_traced_values_that_cannot_be_followed_are_an_error():
    class Store:
        pass

    store = Store()

    def f(w):
        store.w = w
        return wg.checkpoint(lambda x: store.w @ x)(w * 2.0)

    with pytest.raises(LostDerivativeError, match="not among its arguments"):
        wg.grad(f)(X)


def test_a_leak_is_noticed():
    kept = []
    wg.grad(wg.checkpoint(lambda x: (kept.append(x), x * x)[1]))(2.0)
    with pytest.raises(LeakError):
        kept[0] + 1


def test_outside_of_transformations_it_is_the_function_itself():
    assert wg.checkpoint(lambda x: x)(3) == 3
    x = X.copy()

    @wg.checkpoint
    def double(x):
        """Twice x, in place."""
        x *= 2

    double(x)
    np.testing.assert_array_equal(x, 2 * X)
    assert double.__doc__ == "Twice x, in place."


def test_exceptions_pass_through():
    def fails(x):
        msg = "mine"
        raise KeyError(msg)

    with pytest.raises(KeyError, match="mine"):
        wg.grad(wg.checkpoint(fails))(1.0)
    assert wg.grad(np.sin)(0.0) == 1.0
