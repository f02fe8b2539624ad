"""What `report` says of loops: what they hold, and what they compute again."""

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.loops import LoopNest, all_steps
from wengert.primitives.schedules import account
from wengert.transforms.journeys import Journey
from wengert.transforms.loop import Loop

START, XS = np.array([0.5, -0.25, 1.0]), np.linspace(0.1, 1.0, 200)


def loss(checkpoint):
    return lambda s, xs: np.sum(wg.scan(lambda s, x: (np.sin(s) * x, None), s, xs, checkpoint=checkpoint)[0])


class Counting(Journey):
    """A journey that counts its steps."""

    n = 0

    def step(self, carry, k):
        self.n += 1
        return super().step(carry, k)


@pytest.mark.parametrize("schedule", [1, 2, 7, 100, 5000, "recursive"])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 128, 1000, 4096, 4097])
def test_steps_are_those_that_are_taken(schedule, n):
    loop = Loop(None, 0, 1, n, checkpoint=schedule)
    parts = {key: [] for key in ("tests", "consts", "xs", "totals", "ct_ys")} | {"start": [0.0], "cts": [1.0]}
    counting = Counting(lambda values: values, lambda values: values[:1], None, parts, loop)
    counting.run()
    held, ahead = account(n, schedule)
    assert ahead == counting.n
    assert held <= (n + 3 if schedule == 1 else n // schedule + schedule + 6 if schedule != "recursive" else 3 * 66)


def test_recursive_memory_grows_with_the_logarithm():
    held = [account(64**k, "recursive")[0] for k in range(1, 5)]
    assert len(set(np.diff(held))) == 1


@pytest.mark.parametrize("checkpoint", [None, 1, 16, "recursive"])
def test_report(checkpoint):
    f = wg.jit(wg.grad(loss(checkpoint)))
    loops = f.report(START, XS).loops
    assert all(loop.n_steps == 200 for loop in loops)
    text = str(f.report(START, XS))
    if checkpoint is None:
        assert loops[0].stacks == 200 * 3 * 8  # the states, of which the way back makes the slopes
        assert "computes nothing again" in text
    else:
        record = 8 * len(START)
        assert loops[-1].states == account(200, checkpoint)[0] * record
        assert f"checkpoint={checkpoint!r}" in text
        assert loops[-1].runs == pytest.approx(1 + account(200, checkpoint)[1] / 200)


def test_report_of_while():
    f = wg.jit(wg.grad(lambda a: wg.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)))
    (loop,) = f.report(4.0).loops
    assert (loop.n_steps, loop.states) == (None, 8)
    assert "8 B for each state that is kept" in str(f.report(4.0))


def test_short_rows_of_functions_are_vectors():
    weights = np.linspace(0.1, 1.0, 28).reshape(2, 14)

    def f(w, s):
        def step(s, _):
            return np.tanh(w[0] * s + w[1]), None

        return np.sum(wg.scan(step, s, None, 5)[0])

    compiled = wg.jit(wg.grad(f))
    np.testing.assert_allclose(compiled(weights, np.ones(14)), wg.grad(f)(weights, np.ones(14)), rtol=1e-13)
    program = compiled._path_of((weights, np.ones(14)), {})[0].compiled.program
    called = [step for step in all_steps(program) if isinstance(step, LoopNest) and any("tanh" in op.code for op in step.ops)]
    assert called
    assert all(14 in step.space for step in called)


@pytest.mark.parametrize("s", [0.0, 1.0, -1.0, np.inf, np.nan])
def test_strong_zeros_of_numbers_in_loops(s):
    def f(s, w):
        def step(s, x):
            return np.where(s > 0, np.sqrt(s) * x, 0.0 * s) + w * s * np.log(np.abs(s)) * 0.0, s

        final, seen = wg.scan(step, s, np.array([1.0, 2.0, 0.0, 3.0]))
        return final + np.sum(seen)

    with np.errstate(all="ignore"):
        expected = wg.grad(f, (0, 1))(s, 2.0)
    np.testing.assert_allclose(wg.jit(wg.grad(f, (0, 1)))(s, 2.0), expected, rtol=1e-13, equal_nan=True)
