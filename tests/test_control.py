"""`scan`, `while_loop`, `fori_loop` and `cond` as users call them: against plain NumPy, and what they keep in memory."""

import tracemalloc

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ArgumentError

POINTS = np.linspace(0.1, 1.0, 1000)
STEPS = 200


def by_scan(x, checkpoint):
    step = lambda s, _: (np.sin(s) * 1.01 + np.cos(s * s), None)
    return np.sum(wg.scan(step, x, length=STEPS, checkpoint=checkpoint)[0])


def by_while(x, checkpoint):
    step = lambda s: (s[0] + 1, np.sin(s[1]) * 1.01 + np.cos(s[1] * s[1]))
    return np.sum(wg.while_loop(lambda s: s[0] < STEPS, step, (0, x), checkpoint=checkpoint)[1])


def by_count(x, checkpoint):
    step = lambda k, s: np.sin(s) * 1.01 + np.cos(s * s)
    return np.sum(wg.fori_loop(0, STEPS, step, x, checkpoint=checkpoint))


def slope_in_numpy(x):
    slope = np.ones_like(x)
    for _ in range(STEPS):
        slope = slope * (np.cos(x) * 1.01 - 2 * x * np.sin(x * x))
        x = np.sin(x) * 1.01 + np.cos(x * x)
    return slope


def states_kept(f, checkpoint):
    """The most memory that a gradient held at one time, in states; and the gradient."""
    wg.grad(f)(POINTS, checkpoint)  # what is derived once is there
    tracemalloc.start()
    try:
        slope = wg.grad(f)(POINTS, checkpoint)
        return tracemalloc.get_traced_memory()[1] / POINTS.nbytes, slope
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("f", [by_scan, by_while, by_count])
def test_schedules_keep_less_and_give_the_same(f):
    kept, slopes = zip(*[states_kept(f, c) for c in (None, 1, 14, "recursive")], strict=True)
    for slope in slopes:
        np.testing.assert_allclose(slope, slope_in_numpy(POINTS), rtol=1e-9, atol=1e-200)
    assert kept[0] > STEPS and STEPS < kept[1] < STEPS + 50  # every state, and a few at work
    assert kept[2] < 14 + 15 + 50
    assert kept[3] < 2 * 64 + 50


@pytest.mark.parametrize("n", [1, 63, 64, 65, 128, 4096, 4097])
def test_the_recursive_tree_ends_at_any_length(n):
    slope = wg.grad(lambda x: wg.scan(lambda s, k: (s * x, None), 1.0, length=n, checkpoint="recursive")[0])(1.0)
    assert slope == n


def collatz_like(x, cond, while_loop):
    """Branches inside a loop that ends by a value."""
    def step(s):
        return cond(np.sum(s) > 2.0, lambda s: s * np.array([0.5, 0.7]), lambda s: s + s[::-1] ** 2, s)

    state, n = while_loop(lambda s: s[1] < 6 + 4 * (np.sum(s[0]) > 3), lambda s: (step(s[0]), s[1] + 1), (x, 0))
    return np.sum(np.sin(state)) + cond(n > 6, lambda s: s[0] * s[1], lambda s: s[0], state)


def python_cond(predicate, true, false, *operands):
    return true(*operands) if predicate else false(*operands)


def python_while(test, f, state):
    while test(state):
        state = f(state)
    return state


@pytest.mark.parametrize("x", [np.array([0.3, 0.4]), np.array([2.5, 3.1]), np.array([-0.2, 0.9])])
def test_differences_of_plain_numpy(x):
    f = lambda x: collatz_like(x, wg.cond, wg.while_loop)
    plain = lambda x: collatz_like(x, python_cond, python_while)
    h = 1e-5
    differences = [(plain(x + h * e) - plain(x - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(f(x), plain(x), rtol=1e-14)
    np.testing.assert_allclose(wg.grad(f)(x), differences, rtol=1e-7)
    np.testing.assert_allclose(wg.jacobian(f, mode="forward")(x), differences, rtol=1e-7)
    second = [(wg.grad(plain)(x + h * e) - wg.grad(plain)(x - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(wg.hessian(f)(x), second, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(wg.jit(wg.grad(f))(x), differences, rtol=1e-7)
    xs = np.stack([x, -x, 2 * x])
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(xs), [wg.grad(plain)(y) for y in xs], rtol=1e-12)


@pytest.mark.parametrize("f", [
    lambda x: wg.fori_loop(0, 2, lambda k, s: s + np.concatenate([s[1:] ** 2, s[:1] * 0]), x),
    lambda x: wg.scan(lambda s, v: (s * 0.5 + v, s * v), 0.3, x, reverse=True)[1],
    lambda x: wg.while_loop(lambda s: np.sum(s) < 40, lambda s: s * s[::-1] + s, x),
    lambda x: wg.cond(x[0] > 1, lambda x: x[::-1] ** 2, np.sin, x),
])  # fmt: skip
def test_patterns_hold_every_entry_of_the_jacobian(f):
    x = np.array([0.5, 1.5, 2.5, 3.5])
    pattern, jacobian = wg.sparsity(f)(x).toarray(), wg.jacobian(f)(x)
    assert np.any(jacobian) and not np.any(jacobian[~pattern.astype(bool)])


def test_a_loop_of_no_step_has_the_derivative_of_its_start():
    root = lambda a: wg.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)
    assert wg.grad(root)(1.0) == 1.0  # which is its own root: no step is taken
    np.testing.assert_allclose(wg.vmap(wg.grad(root))(np.array([1.0, 4.0, 100.0])), [1.0, 0.25, 0.05], rtol=1e-9)


def test_single_precision_stays():
    x = np.float32(0.5)
    f = lambda x: wg.fori_loop(0, 3, lambda k, s: np.sin(s) * 2, x)
    assert f(x).dtype == np.float32 and wg.grad(f)(x).dtype == np.float32


def test_what_is_no_function():
    for wrong in (lambda: wg.scan(3, 0.0, POINTS), lambda: wg.while_loop(True, np.sin, 1.0), lambda: wg.cond(True, 1.0, np.sin, 2.0)):
        with pytest.raises(ArgumentError):
            wrong()
