"""Reading and writing parts of arrays, by indices that a batch may choose member by member."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import check_program

RNG = np.random.default_rng(7)
CUBE = RNG.standard_normal((4, 3, 5))
ROW = RNG.standard_normal(5)

INDICES = {
    "integer": 1,
    "negative": -1,
    "numpy integer": np.int8(2),
    "slice": slice(3, 0, -2),
    "tuple": (1, slice(None), -2),
    "ellipsis": (Ellipsis, 0),
    "newaxis": (None, slice(1, 3), None, 1),
    "array": np.array([0, 3, 3]),
    "list": [2, -1],
    "matrix": np.array([[0, 1], [1, -2]]),
    "arrays": (np.array([0, 1, 0]), slice(None), np.array([4, 4, -1])),
    "array and integer": (slice(None), 1, [0, 2, 2]),
    "integer and array apart": (1, slice(None), [0, 2, 2]),
    "array after slice": (slice(1, 3), [0, 2, 2]),
    "array before newaxis": ([0, 0, 2], None, [1, 1, 0]),
    "broadcast arrays": (np.array([[0], [3]]), np.array([0, 2])),
    "ix_": np.ix_([0, 2], [1, 2], [0, 4]),
    "mask": CUBE > 0.3,
    "mask of rows": np.array([True, False, True, True]),
    "mask and slice": (np.array([True, False, True, True]), slice(0, 2)),
    "empty": np.array([], int),
    "true": True,
}


@pytest.mark.parametrize("key", INDICES, ids=str)
def test_read(key):
    check_program(lambda x: x[INDICES[key]] ** 2, CUBE)


@pytest.mark.parametrize("key", INDICES, ids=str)
def test_write(key):
    shape = CUBE[INDICES[key]].shape
    value = RNG.standard_normal(shape)

    def program(x, v):
        y = x * 1.0 + 0.0 * np.sum(v)
        y[INDICES[key]] = v
        z = np.zeros_like(y)
        z[INDICES[key]] = np.sin(x[INDICES[key]])
        z[INDICES[key]] += 0.5
        z[INDICES[key]] *= y[INDICES[key]]
        return y, z

    check_program(program, CUBE, value)


def test_write_broadcasts():
    def program(x, v):
        y = x * 1.0 + 0.0 * np.sum(v)
        y[1:3, 0] = v
        y[[0, 0], 1] = 2.0 * v
        y[3, 2] = v[0]
        y[0, :, 1] = np.array([1.0])
        y[..., 2] = v[:1, None]
        return y

    check_program(program, CUBE, ROW)


def test_a_value_that_is_overwritten_contributes_nothing():
    def f(v):
        y = np.zeros_like(v)
        y[[0, 0, 1]] = v
        return np.sum(np.sqrt(y[:2]))

    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(wg.grad(f)(np.array([4.0, 0.0, 0.25])), [0.0, np.inf, 1.0])
        np.testing.assert_array_equal(wg.jvp(f, (np.array([4.0, 0.0, 0.25]),), (np.array([1.0, 0.0, 2.0]),))[1], 2.0)


# --- indices of a batch -----------------------------------------------------------------------------------------------------

N = 6
BATCHED = {
    "integers": lambda i, j: i[0],
    "array": lambda i, j: i,
    "arrays apart": lambda i, j: (i, slice(None), j),
    "array after slice": lambda i, j: (slice(None), j),
    "arrays after slice": lambda i, j: (slice(None), j % 3, i),
    "one of two": lambda i, j: (i, np.array([2, 0, 1])),
    "integer beside": lambda i, j: (slice(None), 1, j),
    "last": lambda i, j: (Ellipsis, i),
    "newaxis": lambda i, j: (None, i, None),
    "broadcast": lambda i, j: (i[:, None], j % 3),
    "arrays with newaxis between": lambda i, j: (i, None, j),
}


def _pairs(function, x, xs, i, j):
    """Batches in which the array, the indices, or both belong to the members."""
    yield wg.vmap(function, (None, 0, 0))(x, i, j), [function(x, *row) for row in zip(i, j)]
    yield wg.vmap(function)(xs, i, j), [function(*row) for row in zip(xs, i, j)]
    yield wg.vmap(function, (0, None, 0))(xs, i[0], j), [function(a, i[0], b) for a, b in zip(xs, j)]
    nested = wg.vmap(lambda a, b: wg.vmap(lambda c: function(c, a, b))(xs[:2]))(i, j)
    yield nested, [[function(c, a, b) for c in xs[:2]] for a, b in zip(i, j)]
    nested = wg.vmap(lambda b: wg.vmap(lambda c, a: function(c, a, b))(xs, i))(j)
    yield nested, [[function(c, a, b) for c, a in zip(xs, i)] for b in j]


@pytest.mark.parametrize("key", BATCHED, ids=str)
def test_indices_of_a_batch(key):
    xs = RNG.standard_normal((N, 4, 3, 5))
    i, j = RNG.integers(-4, 4, (N, 3)), RNG.integers(-3, 3, (N, 3))
    at = BATCHED[key]

    def read(x, i, j):
        return x[at(i, j)]

    def write(x, i, j):
        y = x * 1.0
        y[at(i, j)] = np.sin(y[at(i, j)])
        y[at(i, j)] += 1.0
        z = np.zeros_like(x)
        z[at(i, j)] = np.cumsum(y[at(i, j)], -1)
        return y * z

    for function in (read, write, wg.grad(lambda x, i, j: np.sum(np.sin(read(x, i, j)))), wg.grad(lambda x, i, j: np.sum(write(x, i, j)))):
        for found, right in _pairs(function, CUBE, xs, i, j):
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12)


def test_second_order_through_indices_of_a_batch():
    xs, i = RNG.standard_normal((N, 5)), RNG.integers(-5, 5, (N, 4))

    def f(x, i):
        y = x**2
        y[i] = y[i] * x[:4]
        return np.sum(y**2)

    found = wg.vmap(wg.hessian(f))(xs, i)
    np.testing.assert_allclose(found, [wg.hessian(f)(x, k) for x, k in zip(xs, i)], rtol=1e-12, atol=1e-12)
    found = wg.vmap(lambda x, i: wg.hvp(lambda x: f(x, i), (x,), (x,))[0])(xs, i)
    np.testing.assert_allclose(found, [wg.hvp(lambda x: f(x, k), (x,), (x,))[0] for x, k in zip(xs, i)], rtol=1e-12)


def test_plain_values_at_indices_of_a_batch():
    def f(x, i):
        y = np.zeros_like(x)
        y[i] = 3.0
        y[i[0]] = x[0]
        return y

    xs, i = RNG.standard_normal((N, 5)), RNG.integers(0, 5, (N, 2))
    np.testing.assert_array_equal(wg.vmap(f)(xs, i), [f(x, k) for x, k in zip(xs, i)])


def test_take_put_and_choose_at_indices_of_a_batch():
    xs, i = RNG.standard_normal((N, 5)), RNG.integers(-5, 5, (N, 4))

    def program(x, i):
        y = x * 1.0
        np.put(y, i, x[:4] * 2)
        return np.take(x, i), np.take(x, i + 9, mode="wrap"), np.take(x, i * 3, mode="clip"), y, np.choose(i % 2, (x[:4], -x[1:]))

    for found, right in zip(wg.vmap(program)(xs, i), zip(*[program(x, k) for x, k in zip(xs, i)])):
        np.testing.assert_allclose(found, right, rtol=1e-13)


def test_an_index_out_of_bounds():
    with pytest.raises(IndexError):
        wg.vmap(lambda x, i: x[i])(np.ones((2, 3)), np.array([0, 3]))
    with pytest.raises(IndexError):
        wg.grad(lambda x: x[7])(np.ones(3))
    with pytest.raises(IndexError):
        wg.grad(lambda x: x[np.array([0, 7])].sum())(np.ones(3))
