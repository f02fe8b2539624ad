"""Loops and branches as native code, beside the eager ones and beside Python's own."""

import numpy as np
import pytest

import wengert as wg

RNG = np.random.default_rng(0)
W, X, H = RNG.standard_normal((3, 3)) * 0.5, RNG.standard_normal((6, 3)), RNG.standard_normal(3)
BIG = RNG.standard_normal((20, 20)) * 0.2


def native(jitted, *args):
    """Whether no line of Python runs in a call."""
    return not jitted.report(*args).host_calls


def recurrent(w, x, h, reverse=False):
    def step(state, entry):
        new = {"h": np.tanh(w @ state["h"] + entry), "n": state["n"] + 1}
        return new, (np.sum(new["h"] ** 2), {"h": new["h"]})

    state, (norms, more) = wg.scan(step, {"h": h, "n": 0}, x, reverse=reverse)
    return np.sum(state["h"]) * state["n"] + norms @ np.arange(1.0, 7.0) + np.sum(more["h"][::2])


def close(found, wanted, rtol=1e-12):
    for a, b in zip(found, wanted, strict=True) if isinstance(found, tuple) else [(found, wanted)]:
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("transform", [lambda f: f, lambda f: wg.grad(f, (0, 1, 2)), lambda f: wg.hessian(f, 2)])
def test_scan(transform, reverse):
    f = transform(lambda w, x, h: recurrent(w, x, h, reverse))
    compiled = wg.jit(f)
    for scale in (1.0, 0.5):
        close(compiled(W, scale * X, H), f(W, scale * X, H))
    assert native(compiled, W, X, H)


def test_large_states_change_places():
    for n in (1, 2, 5):
        f = lambda w, s, n=n: wg.scan(lambda s, _: (np.sin(w @ s) + s[::-1], s[:3]), s, length=n)
        compiled = wg.jit(f)
        close(compiled(BIG, np.arange(20.0)), f(BIG, np.arange(20.0)))
        assert native(compiled, BIG, np.arange(20.0))
        value = lambda w, s, f=f: np.sum(f(w, s)[0]) + np.sum(f(w, s)[1])
        close(wg.jit(wg.grad(value, (0, 1)))(BIG, np.arange(20.0)), wg.grad(value, (0, 1))(BIG, np.arange(20.0)))


def newton(a):
    return wg.while_loop(lambda s: np.abs(s * s - a) > 1e-13 * a, lambda s: 0.5 * (s + a / s), a)


NUMBERS = np.array([0.5, 1.0, 2.0, 3e4])


def test_while():
    compiled, batch = wg.jit(newton), wg.jit(wg.vmap(newton))
    for a in NUMBERS:
        close(compiled(a), newton(a))
    close(batch(NUMBERS), np.array([newton(a) for a in NUMBERS]))
    assert native(compiled, 2.0) and native(batch, NUMBERS)
    assert compiled.report(2.0).n_paths == 1


def test_while_with_a_large_state():
    f = lambda s: wg.while_loop(lambda s: np.sum(s * s) > 1.0, lambda s: 0.9 * np.roll(s, 1), s)
    compiled = wg.jit(f)
    for scale in (0.01, 1.0, 1.3, 5.0):  # no step, an odd number, an even one
        close(compiled(scale * np.arange(1.0, 21.0)), f(scale * np.arange(1.0, 21.0)))


def test_while_goes_back():
    for transform, points in [(wg.grad, NUMBERS), (lambda f: wg.grad(wg.grad(f)), NUMBERS), (lambda f: wg.vmap(wg.grad(f)), [NUMBERS])]:
        compiled = wg.jit(transform(newton))
        for a in points:
            close(compiled(a), transform(newton)(a))


def test_cond():
    f = lambda x: wg.cond(x > 0, np.sqrt, lambda x: x * x * 3, x)
    for transform in (lambda f: f, wg.grad, wg.hessian):
        compiled = wg.jit(transform(f))
        for x in (4.0, -4.0):
            close(compiled(x), transform(f)(x))
        assert native(compiled, 4.0) and compiled.report(4.0).n_paths == 1


def nested(w, xs):
    def step(s, x):
        t = wg.fori_loop(0, 3, lambda k, t: np.sin(t * w + x), s)
        r = wg.while_loop(lambda t: np.sum(t * t) > 0.5, lambda t: t * 0.7 * w, t)
        return wg.cond(np.sum(r) > 0, lambda r: r * 2.0, lambda r: r - w, r), r

    s, ys = wg.scan(step, np.ones(2), xs)
    return np.sum(s) + np.sum(ys**2)


def test_nested_loops_are_one_program():
    for transform in (lambda f: f, wg.grad, lambda f: wg.grad(wg.grad(f)), lambda f: wg.hessian(f, 1)):
        compiled = wg.jit(transform(nested))
        close(compiled(1.1, X[:, :2]), transform(nested)(1.1, X[:, :2]), 1e-10)
    assert native(wg.jit(wg.grad(nested)), 1.1, X[:, :2])


def test_a_call_of_python_inside():
    matrix = lambda a: np.sum(wg.scan(lambda s, _: (np.fft.irfft(np.fft.rfft(s * a, axis=0), len(a), axis=0) + s, None), a, length=3)[0])
    compiled = wg.jit(matrix)
    close(compiled(W), matrix(W))
    assert [call.primitive for call in compiled.report(W).host_calls] == ["complex rfft", "complex irfft"]


def test_errors_inside_come_out():
    def f(x, k):
        return wg.scan(lambda s, j: (s + x[j], None), 0.0, k)[0]

    compiled = wg.jit(f)
    close(compiled(H, np.array([0, 1, 2])), f(H, np.array([0, 1, 2])))
    with pytest.raises(IndexError, match="out of bounds"):
        compiled(H, np.array([0, 7, 2]))
    close(compiled(H, np.array([0, 1, -1])), f(H, np.array([0, 1, -1])))


def test_dtypes_of_states():
    f = lambda x: wg.scan(lambda s, v: ((s[0] + v, s[1] | (v > 1), s[2] + 1), s[1]), (x[0], False, np.int32(0)), x)
    for dtype in (np.float32, np.float64):
        x = np.array([0.5, 2.0, 1.0], dtype)
        for a, b in zip(np.concatenate([np.ravel(p) for p in (*wg.jit(f)(x)[0], wg.jit(f)(x)[1])]),
                        np.concatenate([np.ravel(p) for p in (*f(x)[0], f(x)[1])]), strict=True):  # fmt: skip
            assert a == b
        assert [p.dtype for p in wg.jit(f)(x)[0]] == [p.dtype for p in f(x)[0]]


def test_shown():
    stages = wg.jit(recurrent).stages(W, X, H)
    assert "scan" in stages["fused"] and "in 6 steps" in stages["fused"]
    assert wg.jit(recurrent).report(W, X, H).flops > 6 * 3 * 20


@pytest.mark.parametrize("checkpoint", [1, 4, "recursive"])
def test_schedules(checkpoint):
    def f(w, x, h):
        s, ys = wg.scan(lambda s, v: (np.tanh(w @ s + v), s * v), h, x, checkpoint=checkpoint)
        return np.sum(s) + np.sum(ys**2)

    many = RNG.standard_normal((150, 3))
    for transform in (lambda f: wg.grad(f, (0, 1, 2)), lambda f: wg.hessian(f, 2)):
        compiled = wg.jit(transform(f))
        close(compiled(W, many, H), transform(f)(W, many, H), 1e-10)
        assert native(compiled, W, many, H)


def halvings(a, checkpoint=None):
    return wg.while_loop(lambda s: s[0] > 1.0, lambda s: np.stack([s[0] - 1.0, np.sin(s[1]) + 0.01 * a, s[2] + s[1]]), a * np.ones(3), checkpoint=checkpoint)


@pytest.mark.parametrize("checkpoint", [None, 7, "recursive"])
def test_stacks_grow(checkpoint):
    """More steps than a stack has room for to begin with, and than one level of the recursion."""
    f = lambda a: np.sum(halvings(a, checkpoint) * np.arange(1.0, 4.0))
    compiled, batch = wg.jit(wg.grad(f)), wg.jit(wg.vmap(wg.grad(f)))
    for a in (0.5, 1.5, 64.5, 130.2, 300.7):
        close(compiled(a), wg.grad(f)(a), 1e-9)
    assert native(compiled, 1.5) and compiled.report(1.5).n_paths == 1
    places = np.array([0.5, 2.5, 70.2, 20.0])
    close(batch(places), np.array([wg.grad(f)(a) for a in places]), 1e-9)


def test_loops_are_not_run_while_they_are_recorded():
    f = lambda x: wg.scan(lambda s, _: (np.cos(s * x), None), 0.5, length=10**6)[0]
    assert abs(np.cos(wg.jit(f)(1.0)) - wg.jit(f)(1.0)) < 1e-12


def test_questions_about_the_result_of_a_loop():
    def f(x):
        s = wg.fori_loop(0, 3, lambda k, s: s * x, 1.0)
        return s * 2 if s > 1 else s - 1

    compiled = wg.jit(wg.grad(f))
    for x in (0.5, 2.0):
        close(compiled(x), wg.grad(f)(x))
    assert compiled.report(2.0).n_paths == 2


def test_functions_of_the_users_inside_are_native():
    @wg.custom_rule
    def clipped(x):
        return np.minimum(x, 1.0)

    @clipped.reverse
    def rule(x):
        return np.minimum(x, 1.0), lambda ct: (7.0 * ct,)

    f = lambda x: wg.fori_loop(0, 3, lambda k, s: wg.checkpoint(np.sin)(clipped(s * x)), 0.9)
    compiled = wg.jit(wg.grad(f))
    close(compiled(0.7), wg.grad(f)(0.7))
    assert native(compiled, 0.7)
