import numpy as np
import pytest

from wengert.core.array import Array
from wengert.transforms.differentiate import gradient


def grad(f):
    def run(*args):
        return gradient(f, 0, args, {}, has_aux=False, holomorphic=False, on_disconnected="zero")[2]

    return run


def test_orders_of_a_mixed_chain():
    f = lambda x: np.sin(x) * x + np.exp(x)
    x = 1.3
    assert grad(f)(x) == pytest.approx(np.cos(x) * x + np.sin(x) + np.exp(x), rel=1e-14)
    assert grad(grad(f))(x) == pytest.approx(-np.sin(x) * x + 2 * np.cos(x) + np.exp(x), rel=1e-14)
    assert grad(grad(grad(f)))(x) == pytest.approx(-np.cos(x) * x - 3 * np.sin(x) + np.exp(x), rel=1e-13)


def test_perturbations_are_not_confused():
    assert grad(lambda x: x * grad(lambda y: x + y)(2.0))(1.0) == 1.0


def test_assignment_through_views():
    def h(x):
        y = x * 0.0
        view = y[1:]
        y[0] = x[1] ** 2
        view[0] = x[0] * 3
        view += 1.0
        assert isinstance(y, Array)
        return (y * y) @ x

    np.testing.assert_allclose(grad(h)(np.array([1.0, 2.0])), [64.0, 48.0], rtol=1e-14)


def test_branch_not_taken_contributes_nothing():
    f = lambda x: np.where(x > 0, np.sqrt(x), 0.0)
    with np.errstate(all="ignore"):
        assert grad(f)(0.0) == 0.0
        assert grad(f)(-1.0) == 0.0


def test_many_reads_of_one_array_accumulate():
    x = np.random.default_rng(0).standard_normal(40)
    picks = np.array([0, 3, 3])

    def f(x):
        total = 0.0
        for k in range(40):
            total = total + x[k] * x[k] * k
        return total + x[picks] @ np.array([1.0, 2.0, 4.0]) + x[1:4] @ np.ones(3)

    expected = 2 * x * np.arange(40)
    expected[[0, 3]] += [1.0, 6.0]
    expected[1:4] += 1.0
    np.testing.assert_allclose(grad(f)(x), expected, rtol=1e-14)


def test_a_cotangent_shared_by_two_parents_is_not_added_to_in_place():
    def f(x, y=None):
        a, b = x * 1.0, x * 1.0
        return np.sin(a + b) @ np.ones(3) + a @ np.arange(3.0) + b @ np.ones(3)

    x = np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(grad(f)(x), 2 * np.cos(2 * x) + np.arange(3.0) + 1, rtol=1e-14)


def test_a_long_chain_neither_recurses_nor_slows_down():
    def chain(x):
        for _ in range(20_000):
            x = x * 1.00001
        return x

    assert grad(chain)(1.0) == pytest.approx(1.00001**20_000, rel=1e-9)
