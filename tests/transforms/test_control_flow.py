"""Loops and branches beside the same program with Python's own, in every mode and order."""

import numpy as np
import pytest

import wengert as wg
from wengert.core.check import check
from wengert.core.parse import parse
from wengert.errors import ControlFlowError, LostDerivativeError
from wengert.testing import check_grads

RNG = np.random.default_rng(0)
W, X, H = RNG.standard_normal((3, 3)) * 0.5, RNG.standard_normal((6, 3)), RNG.standard_normal(3)
SCHEDULES = [None, True, 1, 3, 100, "recursive"]


def recurrent(w, x, h, **how):
    def step(state, entry):
        new = {"h": np.tanh(w @ state["h"] + entry), "n": state["n"] + 1}
        return new, (np.sum(new["h"] ** 2), {"h": new["h"]})

    state, (norms, more) = wg.scan(step, {"h": h, "n": 0}, x, **how)
    return np.sum(state["h"]) * state["n"] + norms @ np.arange(1.0, 7.0) + np.sum(more["h"][::2])


def recurrent_in_python(w, x, h, reverse=False):
    norms, hs, n = [None] * 6, [None] * 6, 0
    for k in range(6)[:: -1 if reverse else 1]:
        h, n = np.tanh(w @ h + x[k]), n + 1
        norms[k], hs[k] = np.sum(h**2), h
    return np.sum(h) * n + np.stack(norms) @ np.arange(1.0, 7.0) + np.sum(np.stack(hs)[::2])


@pytest.mark.parametrize("checkpoint", SCHEDULES)
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_the_loop(reverse, checkpoint):
    loop = lambda *args: recurrent(*args, reverse=reverse, checkpoint=checkpoint)
    plain = lambda *args: recurrent_in_python(*args, reverse=reverse)
    np.testing.assert_allclose(loop(W, X, H), plain(W, X, H), rtol=1e-14)
    for a, b in zip(wg.grad(loop, (0, 1, 2))(W, X, H), wg.grad(plain, (0, 1, 2))(W, X, H), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(wg.hessian(loop, 2)(W, X, H), wg.hessian(plain, 2)(W, X, H), rtol=1e-10, atol=1e-12)
    dx = RNG.standard_normal(X.shape)
    np.testing.assert_allclose(wg.jvp(lambda x: loop(W, x, H), (X,), (dx,)), wg.jvp(lambda x: plain(W, x, H), (X,), (dx,)))
    np.testing.assert_allclose(
        wg.hvp(lambda x: loop(W, x, H), X, dx), wg.hvp(lambda x: plain(W, x, H), X, dx), rtol=1e-10, atol=1e-12
    )
    many = np.stack([X, -X, 0 * X])
    batch = wg.vmap(wg.grad(loop), (None, 0, None))(W, many, H)
    np.testing.assert_allclose(batch, np.stack([wg.grad(plain)(W, x, H) for x in many]), rtol=1e-11, atol=1e-13)


def test_third_order():
    f = lambda x: wg.scan(lambda s, k: (np.sin(s * x) + k, None), 1.0, np.arange(4.0))[0]

    def plain(x):
        s = 1.0
        for k in range(4):
            s = np.sin(s * x) + float(k)
        return s

    for schedule in (wg.grad(wg.grad(wg.grad(f))), lambda x: wg.jvp(wg.grad(wg.grad(f)), (x,), (1.0,))[1]):
        np.testing.assert_allclose(schedule(0.7), wg.grad(wg.grad(wg.grad(plain)))(0.7), rtol=1e-10)


def test_differences():
    check_grads(lambda w: recurrent(w, X, H), (W,), order=2)
    check_grads(lambda w: recurrent(w, X, H, checkpoint=2), (W,), order=2)


def newton(a, **how):
    return wg.while_loop(lambda s: np.abs(s * s - a) > 1e-13 * a, lambda s: 0.5 * (s + a / s), a, **how)


def newton_in_python(a):
    s = a
    while np.abs(s * s - a) > 1e-13 * a:
        s = 0.5 * (s + a / s)
    return s


NUMBERS = np.array([0.5, 1.0, 2.0, 3e4])  # from no trip to a dozen


@pytest.mark.parametrize("checkpoint", SCHEDULES)
def test_while_goes_back_however_long_it_was(checkpoint):
    f = lambda a: newton(a, checkpoint=checkpoint)
    for a in NUMBERS:
        np.testing.assert_allclose(f(a), np.sqrt(a))
        for order in (wg.grad, lambda f: wg.grad(wg.grad(f)), lambda f: lambda x: wg.jvp(f, (x,), (2.0,))[1]):
            np.testing.assert_allclose(order(f)(a), order(newton_in_python)(a), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(wg.grad(f)(2.0), 0.5 / np.sqrt(2), rtol=1e-6)


def test_members_of_a_batch_end_at_different_times():
    np.testing.assert_allclose(wg.vmap(newton)(NUMBERS), np.sqrt(NUMBERS))
    each = np.array([wg.grad(newton)(a) for a in NUMBERS])
    np.testing.assert_allclose(wg.vmap(wg.grad(newton))(NUMBERS), each, rtol=1e-13)
    each = np.array([wg.grad(wg.grad(newton))(a) for a in NUMBERS])
    np.testing.assert_allclose(wg.vmap(wg.grad(wg.grad(newton)))(NUMBERS), each, rtol=1e-13)
    each = np.diag([wg.grad(newton_in_python)(a) for a in NUMBERS])
    np.testing.assert_allclose(wg.jacobian(wg.vmap(newton))(NUMBERS), each, rtol=1e-12)


def test_counts_differ_between_members():
    power = lambda n, x: wg.fori_loop(0, n, lambda k, s: s * x, 1.0)
    n = np.array([0, 1, 5])
    np.testing.assert_allclose(wg.vmap(power)(n, np.full(3, 2.0)), [1, 2, 32])
    np.testing.assert_allclose(wg.vmap(wg.grad(power, 1))(n, np.full(3, 2.0)), [0, 1, 80])


def test_fori_counts():
    assert wg.fori_loop(2, 5, lambda k, s: s + k, 0) == 9
    assert wg.fori_loop(5, 2, lambda k, s: s + k, 7) == 7
    np.testing.assert_allclose(wg.grad(lambda x: wg.fori_loop(1, 4, lambda k, s: s * x + k, 0.0))(2.0), 2.0 * 1 * 2 + 2)


@pytest.mark.parametrize("x", [4.0, -4.0, 0.0])
def test_cond_takes_one_branch(x):
    f = lambda x: wg.cond(x > 0, np.sqrt, lambda x: x * x * 3, x)
    plain = lambda x: np.sqrt(x) if x > 0 else x * x * 3
    for order in (wg.grad, lambda g: wg.grad(wg.grad(g)), wg.hessian):
        np.testing.assert_allclose(order(f)(x), order(plain)(x))


def test_cond_of_a_batch_takes_both_and_keeps_one():
    f = lambda x: wg.cond(x > 0, np.sqrt, lambda x: x * x * 3, x)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(wg.vmap(wg.grad(f))(np.array([4.0, -4.0, 0.0])), [0.25, -24.0, 0.0])


def test_containers_promotion_and_branches_of_cond():
    both = wg.cond(True, lambda d: {"a": d["x"], "b": 1}, lambda d: {"a": np.float32(2), "b": d["x"]}, {"x": np.float32(3)})
    assert both["a"].dtype == np.float32 and both["b"].dtype == np.float32
    assert wg.cond(1, lambda: 1, lambda: 2.5) == 1.0 and wg.cond(0.0, lambda: 1, lambda: 2.5) == 2.5


def nested(w, xs, scan, fori, while_loop, cond):
    def step(s, x):
        t = fori(0, 3, lambda k, t: np.sin(t * w + x), s)
        r = while_loop(lambda t: np.sum(t * t) > 0.5, lambda t: t * 0.7 * w, t)
        return cond(np.sum(r) > 0, lambda r: r * 2.0, lambda r: r - w, r), r

    s, ys = scan(step, np.ones(2), xs)
    return np.sum(s) + np.sum(ys**2)


def python_scan(step, s, xs):
    ys = []
    for x in xs:
        s, y = step(s, x)
        ys.append(y)
    return s, np.stack(ys)


def python_while(test, body, s):
    while test(s):
        s = body(s)
    return s


def python_fori(first, last, body, s):
    for k in range(first, last):
        s = body(k, s)
    return s


OURS = (wg.scan, wg.fori_loop, wg.while_loop, wg.cond)
PYTHONS = (python_scan, python_fori, python_while, lambda p, f, g, x: f(x) if p else g(x))


def test_nested():
    xs = X[:5, :2]
    ours, plain = (lambda w, xs, c=c: nested(w, xs, *c) for c in (OURS, PYTHONS))
    np.testing.assert_allclose(ours(1.1, xs), plain(1.1, xs))
    for order in (wg.grad, lambda f: wg.grad(wg.grad(f)), lambda f: wg.grad(wg.grad(wg.grad(f))), lambda f: wg.hessian(f, 1)):
        np.testing.assert_allclose(order(ours)(1.1, xs), order(plain)(1.1, xs), rtol=1e-9, atol=1e-10)
    ws = np.array([0.9, 1.1, 1.2])
    np.testing.assert_allclose(wg.vmap(wg.grad(ours), (0, None))(ws, xs), [wg.grad(plain)(w, xs) for w in ws], rtol=1e-10)


def test_a_gradient_inside():
    def descent(p, scan):
        potential = lambda q: np.sum(q**4) * p
        return np.sum(scan(lambda q, _: (q - 0.01 * wg.grad(potential)(q), 0.0), np.ones(3), np.zeros(5))[0])

    for order in (wg.grad, lambda f: wg.grad(wg.grad(f))):
        np.testing.assert_allclose(order(lambda p: descent(p, wg.scan))(0.7), order(lambda p: descent(p, python_scan))(0.7))


def test_no_step_and_no_sequence():
    state, ys = wg.scan(lambda s, x: (s * x, s), H, np.zeros((0, 3)))
    np.testing.assert_array_equal(state, H)
    assert state is not H and ys.shape == (0, 3)
    np.testing.assert_array_equal(wg.grad(lambda h: np.sum(wg.scan(lambda s, x: (s * x, s), h, np.zeros((0, 3)))[0]))(H), 1)
    assert wg.scan(lambda s, _: (s + 1, None), 0, length=4) == (4, None)
    assert wg.scan(lambda s, x: (None, x * 2), None, np.arange(3.0))[1].tolist() == [0, 2, 4]
    assert wg.while_loop(lambda s: s < 0, lambda s: s + 1, 5) == 5
    np.testing.assert_array_equal(wg.grad(lambda h: np.sum(wg.while_loop(lambda s: s[0] > 1e9, lambda s: s * 2, h)))(H), 1)


@pytest.mark.parametrize(("start", "dtype"), [(0.0, "float32"), (0, "float32"), (True, "float32"), (0j, "complex64")])
def test_a_python_number_takes_the_dtype_of_the_loop(start, dtype):
    state, ys = wg.scan(lambda s, x: (s + x, s), start, np.ones(3, np.float32))
    assert state.dtype == dtype and ys.dtype == dtype and state == start + 3


def test_whole_numbers_stay_whole():
    assert wg.scan(lambda s, x: (s + x, s), 0, np.arange(3))[0].dtype == np.arange(3).dtype
    assert wg.while_loop(lambda s: s < 10, lambda s: s + 3, 0).dtype == np.dtype(int)


def test_values_reached_through_closures_are_differentiated():
    def f(a):
        scale = np.exp(a)
        holder = {"scale": [scale]}
        return wg.scan(lambda s, x: (s * holder["scale"][0] + x * a, None), 1.0, X[:, 0])[0]

    def plain(a):
        s = 1.0
        for x in X[:, 0]:
            s = s * np.exp(a) + x * a
        return s

    np.testing.assert_allclose(wg.grad(f)(0.3), wg.grad(plain)(0.3), rtol=1e-12)
    np.testing.assert_allclose(wg.grad(wg.grad(f))(0.3), wg.grad(wg.grad(plain))(0.3), rtol=1e-12)


TABLE = np.arange(6.0)


def test_plain_arrays_may_be_asked_for_an_entry_at_a_traced_place():
    local, places = np.arange(12.0).reshape(6, 2), np.array([5, 0, 3])
    f = lambda x: wg.fori_loop(0, 3, lambda k, s: s * x + TABLE[k] + local[places[k], 1], 1.0)

    def plain(x):
        s = 1.0
        for k in range(3):
            s = s * x + TABLE[k] + local[places[k], 1]
        return s

    for transform in (lambda f: f, wg.grad, lambda f: wg.jit(wg.grad(f))):
        np.testing.assert_allclose(transform(f)(0.7), transform(plain)(0.7))


def test_custom_rules_and_assignments_inside():
    @wg.custom_rule
    def clipped(x):
        return np.minimum(x, 1.0)

    @clipped.reverse
    def rule(x):
        return np.minimum(x, 1.0), lambda ct: (7.0 * ct,)

    def f(x):
        def step(s, k):
            s = s.copy()
            s[0] = clipped(s[0] * x)
            s[1:] += s[0]
            return s, None

        return np.sum(wg.scan(step, np.ones(3), length=2)[0])

    def plain(x):
        s = np.ones(3)
        for _ in range(2):
            first = clipped(s[0] * x)
            s = np.stack([first, s[1] + first, s[2] + first])
        return np.sum(s)

    np.testing.assert_allclose(wg.grad(f)(0.5), wg.grad(plain)(0.5))


def test_complex_states():
    f = lambda z: np.abs(wg.scan(lambda s, x: (s * z + x, None), 0j, X[:, 0])[0]) ** 2

    def plain(z):
        s = 0j
        for x in X[:, 0]:
            s = s * z + x
        return np.abs(s) ** 2

    z = 0.4 + 0.3j
    np.testing.assert_allclose(wg.grad(f)(z), wg.grad(plain)(z), rtol=1e-12)
    checkpointed = lambda z: np.abs(wg.scan(lambda s, x: (s * z + x, None), 0j, X[:, 0], checkpoint=2)[0]) ** 2
    np.testing.assert_allclose(wg.grad(checkpointed)(z), wg.grad(plain)(z), rtol=1e-12)


def test_text_of_inner_programs_reads_back():
    graph = wg.trace(lambda w, xs: nested(w, xs, *OURS))(1.1, X[:5, :2])
    again = check(parse(graph.text()))
    assert again.text() == graph.text()
    np.testing.assert_array_equal(again(np.float64(1.1), X[:5, :2]), graph(np.float64(1.1), X[:5, :2]))


def test_shown():
    pattern = wg.sparsity(lambda x: wg.scan(lambda s, v: (s + v, s * v), 0.0, x)[1])(np.ones(4))
    assert np.array_equal(pattern.toarray(), np.tri(4, dtype=bool))
    assert "scan" in str(wg.explain(lambda w: recurrent(w, X, H))(W)) and "while" in str(wg.explain(newton)(2.0))
    assert "scan" in wg.draw(lambda w: recurrent(w, X, H))(W)._repr_svg_()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: wg.scan(lambda s, x: (s + x, s), np.float32(0), np.ones(3)), "from float32[] to float64[]"),
        (lambda: wg.scan(lambda s, x: (s + x, s), 0.0, np.ones((3, 2))), "from float64[] to float64[2]"),
        (lambda: wg.scan(lambda s, x: s, 0.0, np.ones(3)), "returns a pair"),
        (lambda: wg.scan(lambda s, x: ((s, s), x), 0.0, np.ones(3)), "the same containers"),
        (lambda: wg.scan(lambda s, x: (s if s > 0 else -s, x), 0.0, np.ones(3)), "looks at a value"),
        (lambda: wg.scan(lambda s, k: (s + [1, 2, 3][k], None), 0.0, np.arange(3)), "looks at a value"),
        (lambda: wg.scan(lambda s, x: (s, "text"), 0.0, np.ones(3)), "returned a str"),
        (lambda: wg.scan(lambda s, x: (s, s), 0.0, [1.0, 2.0]), "no axis to walk along"),
        (lambda: wg.scan(lambda s, x: (s, s), 0.0, (np.ones(2), np.ones(3))), "2, 3"),
        (lambda: wg.scan(lambda s, x: (s, s), 0.0), "is not clear: none"),
        (lambda: wg.scan(lambda s, x: (s, s), 0.0, np.ones(2), checkpoint="often"), "no schedule"),
        (lambda: wg.scan(lambda s, x: (s, s), "text", np.ones(2)), "holds a str"),
        (lambda: wg.while_loop(lambda s: np.ones(2) > s, lambda s: s, 1.0), "one truth value"),
        (lambda: wg.fori_loop(0, 1.5, lambda k, s: s, 1.0), "whole numbers"),
        (lambda: wg.cond(True, lambda x: x, lambda x: (x, x), 1.0), "the same containers"),
        (lambda: wg.cond(True, lambda x: x, lambda x: np.zeros(2), 1.0), "the same shapes"),
        (lambda: wg.cond(np.ones(2) > 0, lambda x: x, lambda x: x, 1.0), "one truth value"),
    ],
)
def test_mistakes(wrong, message):
    with pytest.raises(ControlFlowError) as caught:
        wrong()
    assert message in str(caught.value) and "Write" in str(caught.value)


def test_numbers_are_not_taken_out_of_a_body():
    with pytest.raises(LostDerivativeError):
        wg.scan(lambda s, x: (float(s), None), 0.0, np.ones(3))
