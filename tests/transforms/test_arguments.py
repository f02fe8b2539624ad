"""Which arguments, which dtypes, whose memory, and what is said when nothing arrives."""

import functools
import threading
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.errors import (
    ArgumentError,
    DisconnectedError,
    DisconnectedWarning,
    LeakError,
    NotDifferentiableError,
    NotScalarError,
    TreeError,
)

X = np.array([0.3, -1.2, 2.0])


def f(x, y=4.0, *, k=5.0):
    return x * y * k


@pytest.mark.parametrize(
    ("argnums", "args", "kwargs", "expected"),
    [
        (0, (2.0, 3.0), {}, 15.0),
        (1, (2.0, 3.0), {}, 10.0),
        (-1, (2.0, 3.0), {}, 10.0),
        ("x", (2.0, 3.0), {}, 15.0),
        ("y", (2.0, 3.0), {}, 10.0),
        ("k", (2.0, 3.0), {"k": 7.0}, 6.0),
        (0, (), {"x": 2.0, "y": 3.0}, 15.0),
        (1, (2.0,), {"y": 3.0}, 10.0),
        (0, (2.0,), {}, 20.0),
        ("y", (2.0,), {}, 10.0),  # left out, with a default
        (1, (2.0,), {}, 10.0),
        ("k", (2.0, 3.0), {}, 6.0),
        ((1, 0), (2.0, 3.0), {}, (10.0, 15.0)),
        (["k", "x"], (2.0, 3.0), {}, (6.0, 15.0)),
        ((), (2.0, 3.0), {}, ()),
    ],
)
def test_argnums(argnums, args, kwargs, expected):
    assert wg.grad(f, argnums)(*args, **kwargs) == expected
    value, gradient = wg.value_and_grad(f, argnums)(*args, **kwargs)
    assert (value, gradient) == (f(*args, **kwargs), expected)
    assert wg.jacobian(f, argnums)(*args, **kwargs) == expected


@pytest.mark.parametrize("argnums", [2, -3, "z", (0, 0), ("x", 0)])
def test_argnums_that_name_nothing_or_something_twice(argnums):
    with pytest.raises(ArgumentError, match="argnums"):
        wg.grad(f, argnums)(2.0, 3.0)


def test_callables_of_every_kind():
    class Scale:
        k = 3.0

        def method(self, x):
            return self.k * x

        def __call__(self, x):
            return self.k * x

        @staticmethod
        def static(x):
            return 3 * x

        @classmethod
        def cls(cls, x):
            return cls.k * x

    for g in (Scale().method, Scale(), Scale.static, Scale.cls, functools.partial(f, y=3.0, k=1.0), lambda *a, **k: 3 * a[0]):
        assert wg.grad(g)(2.0) == 3.0
        assert wg.jvp(g, (2.0,), (1.0,))[1] == 3.0
        assert wg.vmap(g)(np.ones(2)).tolist() == [3.0, 3.0]
    assert wg.grad(np.sin)(0.0) == 1.0
    assert wg.grad(abs)(-2.0) == -1.0
    np.testing.assert_allclose(wg.grad(np.dot)(X, 2 * X), 2 * X)
    np.testing.assert_allclose(wg.grad(sum)([1.0, 2.0]), [1.0, 1.0])


def test_gradients_have_the_dtype_of_their_inputs():
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        gradient = wg.grad(lambda x: np.sum(np.sin(x) * np.arange(3.0)))(X.astype(dtype))
        assert gradient.dtype == dtype and type(gradient) is np.ndarray
        assert type(wg.grad(np.sin)(dtype(0.5))) is dtype
    mixed = {"a": X.astype(np.float32), "b": X, "c": X.astype(np.complex64)}
    gradient = wg.grad(lambda d: np.real((d["a"] * d["b"]) @ d["c"]))(mixed)
    assert [gradient[k].dtype for k in "abc"] == [np.float32, np.float64, np.complex64]
    assert type(wg.grad(np.sin)(0.5)) is np.float64
    zero_d = wg.grad(np.sin)(np.array(0.5))
    assert type(zero_d) is np.ndarray and zero_d.shape == ()


def test_tangents_are_cast_and_checked():
    y, dy = wg.jvp(lambda x: x * x, (X.astype(np.float32),), (X,))
    assert y.dtype == dy.dtype == np.float32
    np.testing.assert_allclose(wg.jvp(lambda x: x * x, (X,), (np.ones(3, int),))[1], 2 * X)
    assert wg.jvp(lambda z: z * 1j, (1 + 1j,), (2.0,))[1] == 2j
    for primal, tangent in ((X, X * 1j), (X, X[:2]), (X, [X, X]), (2.0, X)):
        with pytest.raises(TreeError):
            wg.jvp(np.sin, (primal,), (tangent,))
    for ct in (X * 1j, X[:2], (X,)):
        with pytest.raises(TreeError):
            wg.vjp(np.sin, X)[1](ct)


def test_none_is_a_zero_tangent_or_cotangent():
    assert wg.jvp(lambda a, b: a * b, (2.0, 3.0), (1.0, None))[1] == 3.0
    _, pull = wg.vjp(lambda x: (x, {"s": x**2}), X)
    np.testing.assert_allclose(pull((None, {"s": np.ones(3)}))[0], 2 * X)
    np.testing.assert_array_equal(pull((None, {"s": None}))[0], np.zeros(3))


def test_settings_among_the_primals():
    y, dy = wg.jvp(lambda x, n, name: x**n if name == "power" else x, (2.0, 3, "power"), (1.0, 0, None))
    assert (y, dy) == (8.0, 12.0)
    y, pull = wg.vjp(lambda x, n: x**n, 2.0, 3)
    assert pull(1.0) == (12.0, None)
    y, pull = wg.vjp(lambda d: d["x"] * d["n"], {"x": 2.0, "n": np.array(3)})
    assert pull(1.0) == ({"x": 3.0, "n": None},)
    with pytest.raises(NotDifferentiableError):
        wg.jvp(lambda x, n: x**n, (2.0, 3), (1.0, 1.0))
    for x in (3, np.arange(3), "text", True, [1.0, 2]):
        with pytest.raises(NotDifferentiableError):
            wg.grad(lambda x: 1.0)(x)


def test_outputs_without_derivative():
    (y, best), (dy, dbest) = wg.jvp(lambda x: (x * 2, np.argmax(x)), (X,), (X,))
    np.testing.assert_allclose(dy, 2 * X)
    assert best == 2 and dbest == 0.0 and dbest.dtype == float
    y, pull = wg.vjp(lambda x: (x * 2, np.argmax(x), x > 0), X)
    np.testing.assert_allclose(pull((X, 0, None))[0], 2 * X)
    assert wg.jvp(lambda x: 3.0, (X,), (X,)) == (3.0, 0.0)


def test_derivatives_have_memory_of_their_own():
    a, b = wg.grad(lambda a, b: np.sum(a + b), argnums=(0, 1))(X, X)
    assert not np.shares_memory(a, b) and a.flags.writeable and b.flags.writeable
    ct, v = np.ones(3), np.ones(3)
    _, pull = wg.vjp(lambda x: x, X)
    assert not np.shares_memory(pull(ct)[0], ct)
    y, dy = wg.jvp(lambda x: x, (X,), (v,))
    assert not np.shares_memory(dy, v)
    _, dy = wg.jvp(lambda x: np.broadcast_to(x, (2, 3)), (X,), (v,))
    assert dy.flags.writeable and not np.shares_memory(dy, v)
    assert wg.grad(lambda x: np.sum(x))(X).flags.writeable
    first, second = wg.vjp(lambda x: (x, x), X)[0]
    second += 1
    np.testing.assert_array_equal(first, X)


def test_later_writes_do_not_change_a_pullback():
    x = X.copy()
    y, pull = wg.vjp(lambda x: {"y": np.exp(x)}, x)
    x += 100.0
    y["y"] *= 0.0
    np.testing.assert_allclose(pull({"y": np.ones(3)})[0], np.exp(X))

    def f(x):
        y = x * 1.0
        _, pull = wg.vjp(lambda z: z * z, y)
        y[:] = 0.0
        return np.sum(pull(np.ones(3))[0])

    np.testing.assert_allclose(wg.grad(f)(X), [2, 2, 2])


def test_arguments_of_the_caller_are_not_written_into():
    def f(x):
        x[0] = 3.0
        x += 1.0
        return x @ x

    expected = np.array([0, 2 * (X[1] + 1), 2 * (X[2] + 1)])
    x = X.copy()
    np.testing.assert_allclose(wg.grad(f)(x), expected)
    np.testing.assert_allclose(wg.jacobian(f, mode="forward")(x), expected)
    np.testing.assert_allclose(wg.jvp(f, (x,), (np.ones(3),))[1], expected.sum())
    np.testing.assert_allclose(wg.hessian(f)(x), np.diag([0, 2, 2]))
    np.testing.assert_array_equal(x, X)


def test_auxiliary_values_are_plain():
    def f(x):
        return x @ x, {"y": 2 * x, "n": 3, "s": "text", "none": None, "list": [x[0]]}

    for run in (wg.grad(f, has_aux=True), wg.jacobian(f, has_aux=True)):
        gradient, aux = run(X)
        np.testing.assert_allclose(gradient, 2 * X)
        assert type(aux["y"]) is np.ndarray and type(aux["list"][0]) is np.float64
        assert (aux["n"], aux["s"], aux["none"]) == (3, "text", None)
    (value, aux), gradient = wg.value_and_grad(f, has_aux=True)(X)
    assert value == X @ X and type(aux["y"]) is np.ndarray
    y, dy, aux = wg.jvp(f, (X,), (X,), has_aux=True)
    assert type(aux["y"]) is np.ndarray
    y, pull, aux = wg.vjp(f, X, has_aux=True)
    assert type(aux["y"]) is np.ndarray
    second, aux = wg.grad(wg.grad(lambda x: (x**3, x * 3), has_aux=True), has_aux=True)(2.0)
    assert (second, aux) == (12.0, 6.0) and type(aux) is np.float64


# --- disconnected ---------------------------------------------------------------------------------------------------------


def test_a_disconnected_input_is_distinguished_from_a_zero_gradient():
    g = lambda x, y: np.sum(x**2)
    with pytest.warns(DisconnectedWarning, match="does not depend on y") as caught:
        by_x, by_y = wg.grad(g, argnums=(0, 1))(X, X)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(by_y, np.zeros(3))
    np.testing.assert_array_equal(wg.grad(g, argnums=1, on_disconnected="zero")(X, X), np.zeros(3))
    with pytest.raises(DisconnectedError, match="does not depend on y"):
        wg.grad(g, argnums=1, on_disconnected="raise")(X, X)
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(x - x), on_disconnected="raise")(X), np.zeros(3))
    with pytest.warns(DisconnectedWarning, match="argmax"):
        wg.grad(lambda x: np.argmax(x) * 1.0)(X)


def test_derivatives_of_derivatives_do_not_warn_falsely():
    linear = lambda x: np.sum(3 * x)
    assert wg.grad(wg.grad(lambda x: 3 * x))(2.0) == 0
    assert wg.grad(lambda x: wg.jvp(lambda y: 3 * y, (x,), (1.0,))[1])(2.0) == 0
    assert wg.grad(lambda x: wg.vjp(lambda y: 3 * y, x)[1](1.0)[0])(2.0) == 0
    assert wg.grad(lambda x: np.sum(wg.grad(linear)(x)))(X).tolist() == [0, 0, 0]
    assert wg.hessian(linear)(X).tolist() == np.zeros((3, 3)).tolist()
    assert wg.hvp(linear, X, X).tolist() == [0, 0, 0]
    assert wg.jacobian(wg.grad(linear), mode="reverse")(X).tolist() == np.zeros((3, 3)).tolist()
    assert wg.hessian(lambda a, b: a + b * b, argnums=(0, 1))(1.0, 2.0) == ((0, 0), (0, 2))
    with pytest.warns(DisconnectedWarning, match="does not depend on y"):
        wg.grad(lambda x, y: wg.grad(lambda z: z**2)(x), argnums=(0, 1))(1.0, 2.0)


@pytest.mark.parametrize("value", [lambda x: x, lambda x: (x[0], x[1]), lambda x: None, lambda x: x[:1]])
def test_only_scalars_have_gradients(value):
    with pytest.raises(NotScalarError):
        wg.grad(value)(X)


# --- runs beside and inside one another ------------------------------------------------------------------------------------


def test_threads():
    results = {}

    def work(k):
        g = lambda x: np.sum(np.sin(x) ** k)
        for _ in range(30):
            results.setdefault(k, []).append((wg.grad(g)(X), wg.hessian(g)(X), wg.vmap(wg.grad(lambda x: x**k))(X)))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(2, 8):
        assert len(results[k]) == 30
        for gradient, hessian, batched in results[k]:
            np.testing.assert_allclose(gradient, k * np.sin(X) ** (k - 1) * np.cos(X), rtol=1e-13)
            second = k * (k - 1) * np.sin(X) ** (k - 2) * np.cos(X) ** 2 - k * np.sin(X) ** k
            np.testing.assert_allclose(np.diag(hessian), second, rtol=1e-12)
            np.testing.assert_allclose(batched, k * X ** (k - 1), rtol=1e-13)


def test_a_traced_value_shared_by_threads():
    def g(x):
        parts = [None, None]

        def work(k):
            parts[k] = np.sin(x * (k + 1))

        threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return parts[0] + parts[1]

    np.testing.assert_allclose(wg.grad(g)(0.3), np.cos(0.3) + 2 * np.cos(0.6))


def test_generators_interleave_transformations():
    def powers(x):
        y = 1.0
        while True:
            y = y * x
            yield y, wg.grad(lambda z, y=y: z * y)(x)

    def g(x):
        first, second = powers(x), powers(2 * x)
        total = 0.0
        for _, (a, da), (b, db) in zip(range(3), first, second, strict=False):
            total = total + a * db + b * da
        return total

    # sum over k of (x^k (2x)^k + (2x)^k x^k) = sum 2^(k+1) x^(2k)
    x = 0.7
    np.testing.assert_allclose(g(x), sum(2 ** (k + 1) * x ** (2 * k) for k in (1, 2, 3)))
    np.testing.assert_allclose(wg.grad(g)(x), sum(2 ** (k + 1) * 2 * k * x ** (2 * k - 1) for k in (1, 2, 3)))


def test_exceptions_leave_nothing_behind():
    def fails(x):
        wg.grad(lambda y: np.sum(y * x))(1.0)
        raise ZeroDivisionError

    for run in (wg.grad(fails), wg.vmap(fails), wg.jacobian(fails), lambda x: wg.jvp(fails, (x,), (x,))):
        with pytest.raises(ZeroDivisionError):
            run(X)
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(x**2))(X), 2 * X)


def test_leaks_are_noticed_in_every_mode():
    kept = []
    keep = lambda x: (kept.append(x * 1.0), x)[1]
    wg.grad(keep)(1.0)
    wg.jvp(keep, (1.0,), (1.0,))
    wg.vmap(keep)(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in kept:
            with pytest.raises(LeakError):
                value + 1.0


def test_a_pullback_may_be_called_again_and_in_any_order():
    _, pull = wg.vjp(lambda x: np.sin(x), X)
    first = pull(np.ones(3))[0]
    second = pull(2 * np.ones(3))[0]
    np.testing.assert_allclose(second, 2 * first)
    np.testing.assert_allclose(wg.jacobian(lambda ct: pull(ct)[0])(np.ones(3)), np.diag(np.cos(X)))


def test_a_chain_of_a_million_operations():
    def chain(x):
        for _ in range(500_000):
            x = x * 1.000001 + 1e-9
        return x

    np.testing.assert_allclose(wg.grad(chain)(1.0), 1.000001**500_000, rtol=1e-8)


def test_gradients_of_numbers_in_the_byte_order_of_other_machines():
    x = np.array([1.0, 2.0, 3.0])
    for f in (np.sum, lambda x: np.sum(np.sin(x) * x), lambda x: x @ x.astype(">f4")):
        found = wg.grad(f)(x.astype(">f8"))
        assert found.dtype == np.dtype("float64")
        np.testing.assert_allclose(found, wg.grad(f)(x), rtol=1e-15)
