"""Python's control flow under `jit`: every look at a value is a guard, and another outcome another path."""

import numpy as np
import pytest
from agreeing import agree
from test_jit import compiled_versions

import wengert as wg
from wengert.errors import CompileError

rng = np.random.default_rng(5)


def both_ways(f, points, n_paths=None):
    """Values and gradients agree at all points, in any order, and no path is compiled twice."""
    jitted, slope = wg.jit(f), wg.jit(wg.grad(lambda *args: np.sum(f(*args)), on_disconnected="zero"))
    for args in [*points, *points[::-1], *points]:
        agree(jitted(*args), f(*args))
        agree(slope(*args), wg.grad(lambda *args: np.sum(f(*args)), on_disconnected="zero")(*args))
    if n_paths is not None:
        assert compiled_versions(jitted) == n_paths
        assert compiled_versions(slope) == n_paths


def spread_out(n, size=4):
    return [(rng.normal(size=size),) for _ in range(n)]


def test_if():
    def f(x):
        if x.sum() > 0:
            return np.sin(x)
        return x**2

    both_ways(f, [(np.ones(3),), (-np.ones(3),), (np.full(3, 0.1),)], n_paths=2)


def test_if_of_a_number():
    def f(x):
        return x if x[0] else x * 2

    both_ways(f, [(np.array([0.0, 1.0]),), (np.array([2.0, 1.0]),), (np.array([np.nan, 1.0]),)], n_paths=2)


def test_nested_ifs_and_elif():
    def f(x):
        if x[0] > 0:
            if x[1] > 0:
                return x * 2
            return x * 3
        if x[1] > 0.5:
            return x * 4
        return x[:2] * 5

    corners = [np.array([a, b, 0.5, 1.0]) for a in (1.0, -1.0) for b in (1.0, -1.0)]
    both_ways(f, [(corner,) for corner in corners], n_paths=4)


def test_while_and_for():
    def f(x):
        total = x[0]
        while np.abs(total) < 4:
            total = total * 1.7 + 0.1
        for k in range(int(np.sum(x > 0))):
            total = total + x[k] * k
        return total

    both_ways(f, spread_out(6))


def test_a_while_loop_in_newtons_method():
    def root(a):
        x = a
        while np.abs(x * x - a) > 1e-10:
            x = (x + a / x) / 2
        return x

    both_ways(root, [(np.float64(a),) for a in (2.0, 2.5, 100.0)])


def test_conditional_expressions_and_boolean_operators():
    def f(x):
        y = x if x[0] > 0 and x[1] > 0 else -x
        return y if not x[2] > 0 else y + 1

    both_ways(f, spread_out(10))


def test_lengths_and_indices_by_value():
    def f(x):
        k = np.argmax(x)
        return x[k] * x[: int(k) + 1]

    both_ways(f, spread_out(8))


def test_masks():
    def f(x):
        y = x.copy()
        y[x < 0] = 0.5
        return np.sum(x[x > 0] ** 2) + np.sum(y)

    both_ways(f, spread_out(6))


def test_selections_without_guards():
    """What picks by value inside an operation is computed again, and takes no path of its own."""

    def f(x):
        order = np.argsort(x)
        return np.sort(x)[:2] * np.max(x) + x[order][1] + np.where(x > 0, x, -x)[0] + np.median(x)

    both_ways(f, spread_out(6), n_paths=1)


def test_membership_and_comparison_chains():
    def f(x):
        if 0 < x[0] < 1:
            return x * 2
        if any(part > 2 for part in x):
            return x * 3
        return x

    both_ways(f, spread_out(6) + [(np.array([3.0, 1, 1, 1]),)])


def test_assertions_and_exceptions():
    def f(x):
        if x[0] < 0:
            msg = "negative"
            raise ValueError(msg)
        return np.sqrt(x)

    jitted = wg.jit(f)
    agree(jitted(np.ones(2)), np.ones(2))
    with pytest.raises(ValueError, match="negative"):
        jitted(-np.ones(2))
    agree(jitted(np.ones(2) * 4), np.ones(2) * 2)


def test_an_operation_that_only_works_on_its_own_path():
    def f(a):
        if np.linalg.det(a) == 0:
            return a
        return np.linalg.inv(a)

    jitted = wg.jit(f)
    agree(jitted(np.eye(2) * 2), np.eye(2) / 2)
    agree(jitted(np.zeros((2, 2))), np.zeros((2, 2)))
    agree(jitted(np.eye(2) * 4), np.eye(2) / 4)


def test_indices_out_of_bounds():
    jitted = wg.jit(lambda x, k: x[k])
    x = np.arange(4.0)
    agree(jitted(x, np.array([1, -1])), x[[1, -1]])
    with pytest.raises(IndexError):
        jitted(x, np.array([1, 4]))


def test_outputs_may_differ_between_paths():
    def f(x):
        return {"small": x} if np.max(x) < 1 else (x, "large", 3)

    jitted = wg.jit(f)
    for x in (np.zeros(2), np.ones(2), np.zeros(2), np.full(2, 3.0)):
        agree(jitted(x), f(x))


def test_too_many_paths():
    jitted = wg.jit(lambda x, n: x * int(n))
    for n in range(32):
        agree(jitted(np.ones(2), np.int64(n)), np.ones(2) * n)
    with pytest.raises(CompileError, match="32 paths"):
        jitted(np.ones(2), np.int64(32))
    agree(jitted(np.ones(2), np.int64(7)), np.ones(2) * 7)


def test_an_answer_at_the_edge_of_rounding():
    """The compiled sum may round otherwise than NumPy's; the result is that of one of the two paths, and it ends."""

    def f(x):
        total = np.sum(x * 0.1)
        return total if total == np.float64(np.sum(np.full(1000, 0.1))) else -total

    jitted = wg.jit(f)
    for _ in range(3):
        np.testing.assert_allclose(abs(jitted(np.ones(1000))), 100.0)


def test_under_other_transformations():
    def f(x):
        return np.sum(x * 3) if x[0] > 0 else np.sum(x**2)

    for x in (np.ones(2), -np.ones(2), np.full(2, 0.5)):
        agree(wg.jit(wg.hessian(f))(x), wg.hessian(f)(x))
        agree(wg.grad(wg.jit(f))(x), wg.grad(f)(x))
        agree(wg.jit(lambda x: wg.jvp(f, (x,), (x,)))(x), wg.jvp(f, (x,), (x,)))
    with pytest.raises(wg.errors.BatchError):
        wg.jit(wg.vmap(f))(np.ones((3, 2)))


def test_integer_operands_in_shapes():
    def f(x, n):
        return np.reshape(x, (int(n), -1)) * n

    for n in (1, 2, 3, 6):
        agree(wg.jit(f)(np.arange(6.0), np.int64(n)), f(np.arange(6.0), np.int64(n)))


def test_stop_gradient_may_be_looked_at():
    def f(x):
        scale = float(wg.stop_gradient(np.floor(x[0])))
        return x * scale

    both_ways(f, [(np.array([1.2, 3.0]),), (np.array([2.7, 3.0]),)], n_paths=2)


def test_types_that_follow_the_values():
    """Eigenvalues of real matrices are real or complex, as NumPy has them: each is a program of its own."""
    jitted = wg.jit(lambda a: {"w": np.linalg.eigvals(a)})
    real, turning = np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    for a in (real, turning, real, turning, turning, real):
        np.testing.assert_allclose(jitted(a)["w"], np.linalg.eigvals(a), strict=True)
    jitted = wg.jit(np.linalg.eigvals)
    for a in (turning, real, turning):
        np.testing.assert_allclose(jitted(a), np.linalg.eigvals(a), strict=True)


def test_lists_beside_arrays():
    x = np.array([[0.5, 4.0], [-7.0, 2.0]])
    for f in (lambda x: x // [1.0, 3.0], lambda x: [1.0, 3.0] // x, lambda x: divmod(x, (2.0, 3.0))):
        for found, wanted in zip(wg.jit(f)(x), f(x), strict=True):
            np.testing.assert_array_equal(found, wanted)
