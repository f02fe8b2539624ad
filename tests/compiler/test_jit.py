"""`wg.jit`: calls, containers, dtypes, settings, memory."""

import functools
from dataclasses import dataclass

import numpy as np
import pytest
from agreeing import agree

import wengert as wg
from wengert.errors import ArgumentError, CompileError

X = np.array([0.3, -0.7, 1.9])


def compiled_versions(jitted):
    """How many paths a jitted function has compiled in all."""
    return sum(len(v.paths) for s in jitted._signatures.values() for v in s.program.versions.values())


PROGRAMS = {
    "chain": (lambda x: np.sum(np.tanh(x) * np.exp(-(x**2)) + np.log1p(x**2)), (X,)),
    "two arguments": (lambda x, y: x @ y + np.sum(x), (np.eye(3) + 0.5, X)),
    "dictionary": (lambda p: {"y": p["w"] * 2, "rest": [p["b"], "text", None, 3, True]}, ({"w": X, "b": 1.5},)),
    "nothing": (lambda x: None, (X,)),
    "empty": (lambda x: x * 2, (np.zeros((0, 3)),)),
    "strided": (lambda x: x * 2, (np.arange(10.0)[::3],)),
    "Fortran order": (lambda x: x * 2, (np.arange(6.0).reshape(2, 3).T,)),
    "reversed": (lambda x: x - x[::-1], (np.arange(6.0)[::-1],)),
    "number": (lambda s: s * 2 + 1, (2.0,)),
    "sine of a number": (np.sin, (2.0,)),
    "complex number": (lambda z: abs(z) * z, (1 + 2j,)),
    "single": (lambda x: np.sin(x) * 2.0, (np.float32([1, 2]),)),
    "single and a number": (lambda x, s: x * s * 2.0 + s, (np.float32([1, 2]), 2.0)),
    "where with a number": (lambda x, s: np.where(x > 1, x, s), (np.float32([1, 2]), 0.5)),
    "half": (lambda x: x * 2, (np.float16([1, 2]),)),
    "long double": (lambda x: x * 2, (np.longdouble([1, 2]),)),
    "integers": (lambda k: k // 2 + 1, (np.arange(4),)),
    "truth values": (lambda x: x > 0, (X,)),
    "no axes": (lambda x: np.copy(x), (np.array(2.0),)),
    "a scalar": (lambda x: x * 3, (np.float64(2.0),)),
    "no operand": (lambda: np.ones(2), ()),
    "a function as argument": (lambda f, x: f(x), (np.cos, X)),
    "item": (lambda x, y: x.item(1) * y + y * 2, (X, np.float32([1, 2]))),
    "items": (lambda x: [x.tolist(), x[0].item()], (np.float32([1.5, 2]),)),
    "matrices": (lambda A: np.linalg.inv(A) @ A.T + np.linalg.det(A), (np.eye(3) + 0.1,)),
    "partial": (functools.partial(lambda a, x: a * x, X), (X,)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_those_of_eager_evaluation(name):
    function, args = PROGRAMS[name]
    jitted = wg.jit(function)
    for _ in range(2):
        agree(jitted(*args), function(*args))
    assert compiled_versions(jitted) == 1


def test_keywords_and_defaults():
    def f(x, *, scale=1.0, n=2):
        return x * scale + n

    jitted = wg.jit(f)
    for kwargs in ({}, {"scale": 3.0}, {"n": 5}, {"n": 4, "scale": np.float64(0.5)}):
        agree(jitted(X, **kwargs), f(X, **kwargs))


def test_decorator_with_and_without_arguments():
    @wg.jit
    def double(x):
        """Twice."""
        return x * 2

    @wg.jit(static_argnums=1)
    def power(x, n):
        return x**n

    assert double.__doc__ == "Twice."
    assert double.__name__ == "double"
    agree(double(X), X * 2)
    agree(power(X, 3), X**3)
    agree(power(X, 2.0), X**2.0)


@dataclass
class Scale:
    factor: float
    settings: tuple = (1,)


def test_settings_that_are_equal_in_python_are_not_the_same_settings():
    whole = np.arange(3)
    times = wg.jit(lambda x, s: x * s[0], static_argnums=1)
    assert [times(whole, s).dtype.kind for s in ((2,), (2.0,), (2,), (True,), ((2,)[0], 3))] == ["i", "f", "i", "i", "i"]
    signed = wg.jit(lambda x, s: np.copysign(x, s), static_argnums=1)
    assert [signed(1.5, s) for s in (0.0, -0.0, 0.0)] == [1.5, -1.5, 1.5]
    told = wg.jit(lambda model: [model.factor * (type(k) is bool) for k in model.settings])
    assert [told(Scale(2.0, k)) for k in ((1,), (True,), (1,), (1, True))] == [[0.0], [2.0], [0.0], [0.0, 2.0]]


def test_static_arguments():
    seen = []

    def f(x, mode, scale=1.0):
        seen.append(type(scale))
        return x * scale if mode == "scaled" else x

    jitted = wg.jit(f, static_argnums=1, static_argnames="scale")
    agree(jitted(X, "scaled", scale=2.0), X * 2.0)
    agree(jitted(X, "plain", scale=2.0), X * 1.0)
    agree(jitted(X, "scaled", scale=3.0), X * 3.0)
    agree(jitted(X, "scaled", 3.0), X * 3.0)
    assert set(seen) == {float}
    with pytest.raises(CompileError, match="hashable"):
        jitted(X, ["scaled"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"static_argnames": "mod"}, "static_argnames has 'mod', which is no argument of f"),
        ({"static_argnums": (0, 7)}, "static_argnums has 7, which is no argument of f"),
    ],
)
def test_static_arguments_that_a_function_does_not_have(settings, message):
    def f(x, mode):
        return x

    with pytest.raises(ArgumentError, match=message) as error:
        wg.jit(f, **settings)
    assert "wg.jit(f, static_argnames='mode')" in str(error.value)
    wg.jit(lambda x, **settings: x, static_argnames="mod")
    wg.jit(lambda *xs: xs[0], static_argnums=7)


def test_one_version_for_each_type():
    jitted = wg.jit(lambda x: x * 2)
    for x in (X, X + 1, np.float32(X), X[:2], X[::-1]):
        agree(jitted(x), x * 2)
    assert compiled_versions(jitted) == 4


def test_views_of_arguments_are_those_of_their_order_in_memory():
    def f(x):
        x.reshape(-1)[0] = 9.0  # a view of an array in C order, a copy of another
        return x * 1

    jitted = wg.jit(f)
    for make in (np.ascontiguousarray, np.asfortranarray):
        compiled, eager = make(np.ones((2, 3))), make(np.ones((2, 3)))
        agree(jitted(compiled), f(eager))
        agree(compiled, eager)


def test_a_path_for_another_order_in_memory_is_not_taken_for_rows():
    def flattened(a):
        v = a.reshape(-1)  # a view of rows, and a copy of what runs backwards
        v[0] = 5.0
        return a * 1.0

    compiled, rows = wg.jit(flattened), np.arange(6.0).reshape(2, 3)
    for make in (lambda: rows.copy()[:, ::-1], rows.copy, lambda: np.asfortranarray(rows), rows.copy, lambda: rows.copy()[:, ::-1]):
        found, right = make(), make()
        np.testing.assert_array_equal(compiled(found), flattened(right))
        np.testing.assert_array_equal(found, right)


def test_numbers_in_the_byte_order_of_other_machines():
    swapped, x = np.array([1.0, 2.0, 3.0], ">f8"), np.array([0.5, 1.5, 2.5])

    def f(x, at):
        return np.sum(np.sin(x[at]) * swapped[:2] * np.array([1.0, 4.0], ">f4")) + np.sum(x.astype(">f4"))

    for given in (x, x.astype(">f8")):
        at = np.array([2, 0], ">i4")
        compiled = wg.jit(f)
        for _ in range(3):
            np.testing.assert_allclose(compiled(given, at), f(x, at), rtol=1e-15)
        np.testing.assert_allclose(wg.jit(wg.grad(f))(given, at), wg.grad(f)(x, at), rtol=1e-15)
        np.testing.assert_allclose(wg.grad(compiled)(given, at), wg.grad(f)(x, at), rtol=1e-15)
        swapped[:] = 7.0
        np.testing.assert_allclose(compiled(given, at), f(x, at), rtol=1e-15)

    def write(x):
        x[0] = 7.0
        return x * 1

    given = np.array([1.0, 2.0], ">f8")
    np.testing.assert_array_equal(wg.jit(write)(given), [7.0, 2.0])
    np.testing.assert_array_equal(given, [7.0, 2.0])


def test_integers_are_settings():
    jitted = wg.jit(lambda x, n: x**n + n)
    for n in (2, 3, 2):
        agree(jitted(X, n), X**n + n)
    assert compiled_versions(jitted) == 2
    agree(wg.jit(lambda x, flag: x if flag else -x)(X, True), X)


def test_arrays_that_are_more_than_their_numbers_are_refused():
    class WithUnit(np.ndarray):
        pass

    for x in (np.ma.masked_array(X, [True, False, False]), X.view(WithUnit)):
        with pytest.raises(CompileError, match=type(x).__name__):
            wg.jit(lambda x: x * 2)(x)


def test_arrays_of_texts_are_settings():
    names = np.array(["b", "a"])
    jitted = wg.jit(lambda x, names: x[np.argsort(names)])
    x = np.array([1.0, 2.0])
    agree(jitted(x, names), x[[1, 0]])
    names[:] = ["a", "b"]
    agree(jitted(x, names), x)


def test_many_settings_are_worth_a_warning():
    jitted = wg.jit(lambda x, n: x + n)
    for n in range(63):
        jitted(X, n)
    with pytest.warns(RuntimeWarning, match="64 signatures"):
        jitted(X, 63)


def test_a_number_of_numpy_is_an_operand():
    jitted = wg.jit(lambda x, n: x * n)
    for n in range(5):
        agree(jitted(X, np.int64(n)), X * np.int64(n))
    assert compiled_versions(jitted) == 1


@pytest.mark.parametrize("f", [lambda x: (2 * v for v in x), lambda x: map(np.sin, x), lambda x: zip(x, x), lambda x: {"a": x}.values()])
def test_results_that_come_later_are_refused(f):
    compiled = wg.jit(f)
    for _ in range(2):
        with pytest.raises(CompileError, match=r"returned a (generator|map|zip|dict_values), and a compiled program"):
            compiled(X)
    assert len(wg.jit(lambda x: list(f(x)))(X)) in (1, len(X))


def test_results_are_fresh():
    jitted = wg.jit(lambda x: (x, x, x[1:], np.ones(3), x.reshape(3, 1)))
    x = X.copy()
    results = jitted(x)
    for k, y in enumerate(results):
        assert y.flags.writeable
        assert not np.shares_memory(x, y)
        assert not any(np.shares_memory(y, z) for z in results[:k])
    results[3][0] = 9
    agree(jitted(x)[3], np.ones(3))


def test_writing_into_an_argument_is_seen_by_the_caller():
    def f(x, y):
        x[0] = 5
        y += x
        return x.sum()

    eager, compiled = [X.copy(), X.copy()], [X.copy(), X.copy()]
    jitted = wg.jit(f)
    for _ in range(2):
        agree(jitted(*compiled), f(*eager))
        agree(compiled, eager)


def test_arguments_that_share_memory_with_what_is_written():
    kept = np.arange(3.0)

    def f(a, b):
        a[1:] *= 2.0
        return a + 10 * b + kept

    compiled = wg.jit(f)
    for same in (lambda x: (x, x), lambda x: (x[1:4], x[:3]), lambda x: (x[:3], x[3:]), lambda x: (kept, x[:3])):
        results = []
        for function in (compiled, compiled, f):
            x, kept[:] = np.arange(6.0), np.arange(3.0)
            operands = same(x[:3]) if same(x)[0] is x else same(x)
            results.append([function(*operands), x, kept.copy()])
        for found in results[:2]:
            for y, right in zip(found, results[2]):
                np.testing.assert_array_equal(y, right)


def test_a_temporary_that_is_refilled_afterwards():
    table = np.ones(3)

    def f(x):
        table_of_now = table * 1
        y = x * table_of_now
        table_of_now[:] = 7
        return y + table_of_now

    agree(wg.jit(f)(X), f(X))


def test_the_same_bits_again():
    jitted = wg.jit(lambda x: np.sum(np.sin(x) * np.exp(x)))
    x = np.random.default_rng(0).normal(size=5000)
    assert len({jitted(x).tobytes() for _ in range(5)}) == 1


def test_what_cannot_be_called():
    with pytest.raises(wg.errors.ArgumentError):
        wg.jit(3)


def test_random_numbers_are_refused():
    rng = np.random.default_rng(0)
    for draw in (np.random.normal, rng.normal):
        with pytest.raises(CompileError, match="draws random numbers"):
            wg.jit(lambda x: x * draw())(X)
    with pytest.raises(CompileError, match="draws random numbers"):
        wg.jit(lambda x, generator: x * generator.normal())(X, rng)
    noise = wg.jit(lambda x: x * np.random.default_rng(3).normal())  # a seed of its own: the same numbers each time
    agree(noise(X), noise(X))


def test_an_error_leaves_no_state():
    def f(x, fail):
        y = np.sin(x)
        if fail:
            raise RuntimeError("as asked")
        return y

    jitted = wg.jit(f)
    with pytest.raises(RuntimeError, match="as asked"):
        jitted(X, True)
    agree(jitted(X, False), np.sin(X))
    agree(wg.grad(lambda x: np.sum(np.sin(x)))(X), np.cos(X))


def test_errors_of_numpy_come_through():
    jitted = wg.jit(np.linalg.inv)
    agree(jitted(np.eye(2) * 2), np.eye(2) / 2)
    with pytest.raises(np.linalg.LinAlgError):
        jitted(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="broadcast"):
        wg.jit(lambda x, y: x + y)(np.ones(3), np.ones(4))


def test_a_lost_value_is_an_error():
    with pytest.raises(wg.errors.LostDerivativeError, match="float"):
        wg.jit(lambda x: float(x[0]) * x)(X)


def test_leaking_is_an_error():
    kept = []
    wg.jit(lambda x: kept.append(x) or x)(X)
    with pytest.raises(wg.errors.LeakError):
        kept[0] + 1
