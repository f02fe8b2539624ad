"""What is large is not computed while a program is recorded, unless somebody looks."""

import subprocess
import sys

import numpy as np
import pytest

import wengert as wg
from wengert.core.trace import lowest
from wengert.primitives.blank import LARGE
from wengert.transforms.record_path import PathTrace

X = np.random.default_rng(0).standard_normal((LARGE // 4, 8))


def pairwise(x):
    apart = x[:, None, :] - x[:50]
    return np.sum(np.exp(-np.sum(apart**2, axis=-1)))


def test_derivatives():
    found = wg.jit(wg.value_and_grad(pairwise))(X)
    np.testing.assert_allclose(found[0], pairwise(X), rtol=1e-12)
    np.testing.assert_allclose(found[1], wg.grad(pairwise)(X), rtol=1e-9, atol=1e-13)


def test_a_branch_on_a_large_array_sees_its_values():
    def f(x):
        y = np.exp(x) * 2
        return y.sum() if y.max() > 100 else -y.sum()

    jitted = wg.jit(f)
    for x in (X - 1, X + 10, X - 2, X + 11):
        np.testing.assert_allclose(jitted(x), f(x), rtol=1e-12)
    assert jitted.report(X).n_paths == 2


def test_what_is_printed_is_what_was_computed(capsys):
    def f(x):
        y = x * 2 + 1
        print(y[0, 0], f"{y[0, 1]:.3f}", repr(y[0, 2]), np.array2string(y[0, 3]))
        return y

    x = X.copy()
    x[0, :4] = 1.0, 2.0, 3.0, 4.0
    np.testing.assert_array_equal(wg.jit(f)(x), x * 2 + 1)
    assert capsys.readouterr().out == "3.0 5.000 Array(np.float64(7.0)) 9.\n"


def test_nobody_is_warned_of_what_was_not_computed():
    y = np.abs(X) + 1
    with np.errstate(all="raise"):
        found = wg.jit(lambda y: np.sum(1 / np.sum(np.log(y), axis=1)))(y)
    np.testing.assert_allclose(found, np.sum(1 / np.sum(np.log(y), axis=1)), rtol=1e-12)


def test_errors_of_values_are_those_of_eager_code():
    def f(x):
        return np.linalg.cholesky((x * 0)[:8] - np.eye(8))

    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        wg.jit(f)(X)
    with pytest.raises(ValueError, match="broadcast"):
        wg.jit(lambda x: (x * 2) + np.ones(7))(X)


def test_places_come_from_values():
    table = np.arange(2.0 * X.size).reshape(2, -1)

    def f(x):
        places = (np.abs(x) * 10).astype(int) % 7
        return table[1][places] * x

    np.testing.assert_array_equal(wg.jit(f)(X), f(X))


def test_places_that_are_found_are_not_looked_at(monkeypatch):
    def f(x):
        nearest = np.argmin(np.sum((x[:, None, :] - x[:20]) ** 2, axis=-1), axis=1)
        chosen = np.concatenate([nearest, nearest[::-1]])
        return np.sum(np.cross(x[:20][chosen][:, :3], x[:20][chosen][:, 3:6]) ** 2)

    looks = []
    monkeypatch.setattr(PathTrace, "value_of", lambda *_: looks.append(1))
    found, slopes = wg.jit(wg.value_and_grad(f))(X)
    assert not looks
    monkeypatch.undo()
    np.testing.assert_allclose(found, f(X), rtol=1e-12)
    np.testing.assert_allclose(slopes, wg.grad(f)(X), rtol=1e-9)


def test_places_outside_of_an_array_are_found_where_nobody_looked():
    table = np.arange(5.0)
    jitted = wg.jit(lambda x: np.sum(table[(x * 0).astype(int) + np.argmax(x, axis=1)[:, None]] * x))
    with pytest.raises(IndexError, match="out of bounds"):
        jitted(X)


def test_views_share_memory_as_they_do_in_numpy():
    def f(x):
        y = x.T * 2
        flat = y.ravel()  # a copy: y lies as x does, the other way round
        flat[0] = 100.0
        rows = y.T.ravel()  # a view
        rows[1] = -50.0
        return y, flat

    for got, want in zip(wg.jit(f)(X), f(X), strict=True):
        np.testing.assert_array_equal(got, want)


def test_types_and_errors_that_follow_values_are_theirs():
    a = np.random.default_rng(1).standard_normal((256, 256))
    assert wg.jit(lambda a: np.linalg.eigvals(a @ a))(a).dtype == complex
    assert wg.jit(lambda a: np.linalg.eigvals(a + a.T))(a).dtype == float

    def f(a):
        try:
            return np.sum(np.linalg.cholesky(a.T @ a + np.eye(256)))
        except np.linalg.LinAlgError:
            return np.float64(0.0)

    np.testing.assert_allclose(wg.jit(f)(a), f(a), rtol=1e-12)


def test_python_is_called_with_values():
    seen = []

    @wg.custom_rule
    def doubled(x):
        plain = np.asarray(x)
        seen.append(plain.sum())
        return plain * 2

    @doubled.forward
    def rule(primals, tangents):
        return doubled(*primals), tangents[0] * 2

    found = wg.jit(lambda x: doubled(np.exp(x)) + 1)(X)
    np.testing.assert_allclose(found, np.exp(X) * 2 + 1, rtol=1e-12)
    np.testing.assert_allclose(seen, np.exp(X).sum(), rtol=1e-12)


def test_what_is_looked_at_is_all_that_is_computed():
    def f(x, n):
        y = x
        for _ in range(n):
            y = np.cos(y) + 1
            if np.max(y) < 0:
                return y
        return y

    calls = []
    for n in (3, 300):  # a few looks compute what they need; many make the rest be computed at once
        trace = PathTrace(guesses=True)
        y = f(trace.input(X, "x"), n)
        assert trace.guesses == (n == 3)
        calls.append(trace.unseen.n_repeated)
        np.testing.assert_array_equal(lowest(y), f(X, n))
    assert calls[1] < 10 * 300


PEAK = """
import resource, numpy as np, wengert as wg
f = wg.jit(wg.grad(lambda x, m: np.sum(np.log(np.sum(np.exp(-np.sum((x[:, None, :] - m) ** 2, axis=-1)), axis=1)))))
x, m = np.ones((20_000, 8)), np.ones((100, 8))
f(x[:10], m)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
f(x, m)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_of_a_first_call():
    """One array of differences has 122 MiB, and eager code holds several."""
    found = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 60


SHORT = """
import resource, numpy as np, wengert as wg
from wengert.compiler.runtime.library import library
def f(x):
    return np.sum(wg.scan(lambda c, _: (np.sin(c) * 1.01, None), x, length=4, checkpoint="recursive")[0] ** 2)
g, x = wg.jit(wg.grad(f)), np.linspace(0, 1, 6_000_000)
library().set_word("wg_pool_limit", 0)  # what a call gave back would do for the next one
g.report(x)
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) << 10
for extra in range(0, 100, 25):
    resource.setrlimit(resource.RLIMIT_AS, (used + (extra << 20), resource.RLIM_INFINITY))
    try:
        g(x)
    except MemoryError:
        print(extra)
"""


def test_a_loop_that_gets_no_memory_says_so():
    found = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0", "25", "50", "75"]
