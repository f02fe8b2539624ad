"""Every loop and branch, under every schedule, in every mode and order: eager and compiled, against a loop of NumPy's and its complex step."""

import numpy as np
import pytest

import wengert as wg

A, STEPS = np.array([0.7, 0.4]), 5
SCHEDULES = (None, 1, 2, "recursive")


def body(a, s):
    """Works for complex numbers, too."""
    return np.stack([np.sin(s[0]) * a[0] + s[1], s[1] * s[0] * a[1] + 0.1 * a[0]])


def by_numpy(a):
    s = np.array([a[0] + 0.0 * a[1], 0.3 + 0.0 * a[1]])
    for _ in range(STEPS):
        s = body(a, s)
    return s[0] * s[1] + a[1] * s[0]


def finished(a, s):
    return s[0] * s[1] + a[1] * s[0]


def start(a):
    return np.stack([a[0] + 0.0 * a[1], 0.3 + 0.0 * a[1]])


def scanned(a, checkpoint):
    return finished(a, wg.scan(lambda s, x: (body(a, s), x * s[0]), start(a), np.ones(STEPS), checkpoint=checkpoint)[0])


def scanned_back(a, checkpoint):
    return finished(a, wg.scan(lambda s, _: (body(a, s), None), start(a), None, STEPS, reverse=True, checkpoint=checkpoint)[0])


def counted(a, checkpoint):
    return finished(a, wg.fori_loop(2, 2 + STEPS, lambda _, s: body(a, s), start(a), checkpoint=checkpoint))


def while_it_holds(a, checkpoint):
    state = wg.while_loop(lambda s: s[1] < STEPS, lambda s: (body(a, s[0]), s[1] + 1.0), (start(a), 0.0), checkpoint=checkpoint)
    return finished(a, state[0])


def chosen(a, checkpoint):
    """Each step by the branch that it takes; the other one would give something else."""
    step = lambda s, k: (wg.cond(k > -1, lambda s: body(a, s), lambda s: s * np.nan, s), None)
    return finished(a, wg.scan(step, start(a), np.arange(float(STEPS)), checkpoint=checkpoint)[0])


def nested(a, checkpoint):
    """Loops in a branch in a loop: two steps at once, and one more."""
    twice = lambda s: wg.fori_loop(0, 2, lambda _, s: body(a, s), s, checkpoint=checkpoint)
    s = wg.scan(lambda s, k: (wg.cond(k < 9, twice, lambda s: s, s), None), start(a), np.arange(2.0), checkpoint=checkpoint)[0]
    return finished(a, body(a, s))


LOOPS = (scanned, scanned_back, counted, while_it_holds, chosen, nested)
MODES = {
    "value": lambda f: f,
    "grad": wg.grad,
    "jvp": lambda f: lambda a: np.stack([wg.jvp(f, (a,), (e,))[1] for e in np.eye(2)]),
    "forward over reverse": lambda f: lambda a: np.stack([wg.jvp(wg.grad(f), (a,), (e,))[1] for e in np.eye(2)]),
    "reverse over reverse": lambda f: wg.jacobian(wg.grad(f)),
    "reverse over forward": lambda f: wg.jacobian(lambda a: wg.jvp(f, (a,), (np.array([1.0, -2.0]),))[1]),
    "third order": lambda f: wg.grad(lambda a: np.sum(wg.grad(lambda a: np.sum(wg.grad(f)(a) ** 2))(a) * a)),
    "a batch": lambda f: lambda a: wg.vmap(wg.grad(f))(np.stack([a, 0.5 * a])),
}


def unrolled(a):
    """The same by a loop of Python's."""
    s = start(a)
    for _ in range(STEPS):
        s = body(a, s)
    return finished(a, s)


EXPECTED = {name: transform(unrolled)(A) for name, transform in MODES.items()}


def test_the_expected_values():
    """By complex steps, and differences of these."""
    slope = lambda a: np.array([by_numpy(a + 1e-30j * e).imag / 1e-30 for e in np.eye(2)])
    np.testing.assert_allclose(EXPECTED["value"], by_numpy(A), rtol=1e-14)
    np.testing.assert_allclose(EXPECTED["grad"], slope(A), rtol=1e-13)
    np.testing.assert_allclose(EXPECTED["a batch"], [slope(A), slope(0.5 * A)], rtol=1e-13)
    hessian = np.array([(slope(A + 1e-6 * e) - slope(A - 1e-6 * e)) / 2e-6 for e in np.eye(2)])
    np.testing.assert_allclose(EXPECTED["reverse over reverse"], hessian, rtol=1e-7)
    np.testing.assert_allclose(EXPECTED["reverse over forward"], hessian @ [1.0, -2.0], rtol=1e-7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loop", LOOPS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("checkpoint", SCHEDULES, ids=str)
def test_eager(loop, mode, checkpoint):
    np.testing.assert_allclose(MODES[mode](lambda a: loop(a, checkpoint))(A), EXPECTED[mode], rtol=1e-11)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loop", LOOPS, ids=lambda f: f.__name__)
def test_compiled(loop, mode):
    checkpoint = SCHEDULES[(LOOPS.index(loop) + list(MODES).index(mode)) % len(SCHEDULES)]
    f = wg.jit(MODES[mode](lambda a: loop(a, checkpoint)))
    np.testing.assert_allclose(f(A), EXPECTED[mode], rtol=1e-11)
    assert not f.report(A).host_calls


def test_forward_mode_takes_no_notice_of_schedules():
    for checkpoint in SCHEDULES:
        f = wg.jit(lambda a, c=checkpoint: wg.jvp(lambda a: scanned(a, c), (a,), (np.ones(2),))[1])
        assert all(loop.states == 0 and loop.runs == 0 for loop in f.report(A).loops)


# --- a gradient inside a step of an equation inside an argmin --------------------------------------------------------------


def arrives(k, x):
    """Steps down the gradient of `k q²/2 + q⁴/4`."""
    potential = lambda q: k * np.sum(q**2) / 2 + np.sum(q**4) / 4
    return wg.fori_loop(0, 10, lambda _, q: q - 0.05 * wg.grad(potential)(q), x)


def best(target):
    """The `k` for which the equation arrives nearest to a target, by Newton's method on the derivative of the misfit."""
    misfit = lambda k: (arrives(k, 1.0) - target) ** 2
    slope = wg.grad(misfit)
    return wg.while_loop(lambda k: np.abs(slope(k)) > 1e-13, lambda k: k - slope(k) / wg.grad(slope)(k), 1.0)


def test_a_gradient_in_an_equation_in_an_argmin_is_one_program():
    target = arrives(0.8, 1.0)
    f = wg.jit(wg.value_and_grad(best))
    k, slope = f(target)
    np.testing.assert_allclose(k, 0.8, rtol=1e-9)
    np.testing.assert_allclose(slope, 1 / wg.grad(lambda k: arrives(k, 1.0))(0.8), rtol=1e-6)  # the implicit function theorem
    report = f.report(target)
    assert report.n_paths == 1
    assert not report.host_calls
