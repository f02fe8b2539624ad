"""`reduce`, `accumulate`, `reduceat`, `outer`, `at` of ufuncs."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import AssignmentError, BatchError
from wengert.testing.programs import check_program

X = np.array([[0.3, -1.2, 0.7, 2.1], [1.4, 0.9, -0.4, 0.2], [0.8, 1.3, 0.6, -1.7]])
P = np.abs(X) + np.array([[0.31, 0.33, 0.37, 0.29], [0.34, 0.36, 0.28, 0.39], [0.27, 0.41, 0.32, 0.35]])
MASK = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0]], bool)
V = np.array([0.6, -0.8, 1.7, 0.4, -1.1])

REDUCED = [
    np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2,
    np.hypot, np.arctan2, np.power, np.float_power, np.fmod, np.remainder, np.copysign,
]  # fmt: skip


# On some processors NumPy's own `reduce` along rows ends as `ufunc(first, last)`; along columns it is right.
WRONG_IN_NUMPY = (np.arctan2, np.power)


@pytest.mark.parametrize("ufunc", REDUCED, ids=lambda u: u.__name__)
def test_reduce(ufunc):
    check_program(lambda x: ufunc.reduce(x), P, rtol=1e-5, atol=1e-5)
    if ufunc not in WRONG_IN_NUMPY:
        check_program(lambda x: (ufunc.reduce(x, axis=1, keepdims=True), ufunc.reduce(x, 1)), P, rtol=1e-5, atol=1e-5)
        check_program(lambda x: ufunc.reduce(x, axis=-1, initial=0.7), P, rtol=1e-5, atol=1e-5)
    check_program(lambda x: ufunc.reduce(x, axis=0, initial=x[0, 0] * 1.5 + 0.2, where=MASK), P, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ufunc", WRONG_IN_NUMPY, ids=lambda u: u.__name__)
def test_reduce_is_a_fold_along_rows_too(ufunc):
    total = lambda x: np.stack([ufunc(ufunc(ufunc(a, b), c), d) for a, b, c, d in x])
    found = wg.jacobian(lambda x: ufunc.reduce(x, axis=1))(P)
    np.testing.assert_allclose(found, wg.jacobian(total)(P), rtol=1e-13)
    found = wg.jvp(lambda x: ufunc.reduce(x, axis=1), (P,), (P,))[0]
    np.testing.assert_allclose(found, total(P), rtol=1e-14)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.hypot], ids=lambda u: u.__name__)
def test_reduce_over_several_axes(ufunc):
    check_program(lambda x: (ufunc.reduce(x, axis=None), ufunc.reduce(x, axis=(0, 1)), ufunc.reduce(x[None], axis=(0, 2), keepdims=True)), X)


@pytest.mark.parametrize("ufunc", REDUCED, ids=lambda u: u.__name__)
def test_accumulate(ufunc):
    check_program(lambda x: ufunc.accumulate(x), P, rtol=1e-5, atol=1e-5)
    check_program(lambda x: ufunc.accumulate(x, axis=1), P, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.maximum, np.logaddexp], ids=lambda u: u.__name__)
def test_reduceat(ufunc):
    check_program(lambda x: ufunc.reduceat(x, [0, 2, 1, 3]), V)
    check_program(lambda x: ufunc.reduceat(x, [0, 2, 1], axis=1), X)


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.power, np.hypot], ids=lambda u: u.__name__)
def test_outer(ufunc):
    check_program(lambda a, b: ufunc.outer(a, b), P, np.abs(V))
    check_program(lambda a: ufunc.outer(2.0, a), P)


AT = {
    "vector": np.array([0, 3, 0, 0, -1]),
    "one": 2,
    "slice": slice(1, 4),
    "mask": np.array([True, False, True, True, False]),
}


@pytest.mark.parametrize("where", AT, ids=str)
@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.hypot], ids=lambda u: u.__name__)
def test_at(ufunc, where):
    def program(ab):
        y, b = ab[0] * 1.0, ab[1]
        view = y[::-1]
        assert ufunc.at(y, AT[where], b[: y[AT[where]].size] if where != "one" else b[0]) is None
        return y, view

    check_program(program, np.array([V, [0.9, 1.6, -0.5, 1.3, 0.7]]))


def test_at_with_a_number_rows_and_one_operand():
    def program(a):
        y = a * 1.0
        np.multiply.at(y, [0, 0, 2], 2.0)
        np.add.at(y, ([1, 1], slice(None)), a[0])
        np.negative.at(y, ([0, 0, 1], 1))
        np.sin.at(y, (slice(None), 2))
        np.maximum.at(y, (0, [1, 1]), np.array([0.1, 0.2]))
        return y

    check_program(program, X)


def test_at_where_each_member_of_a_batch_names_its_places():
    rng = np.random.default_rng(0)
    places = rng.integers(-5, 5, (4, 6))
    a, b = rng.standard_normal((4, 5)), rng.standard_normal((4, 6)) + 0.2
    for ufunc in (np.add, np.subtract, np.multiply, np.maximum, np.hypot):

        def one(a, i, b):
            y = a * 1.0
            ufunc.at(y, i, b)
            return y

        found = wg.vmap(one)(a, places, b)
        np.testing.assert_allclose(found, [one(*row) for row in zip(a, places, b)], rtol=1e-13)
        loss = lambda a, i, b: np.sum(one(a, i, b) ** 2)
        found = wg.vmap(wg.grad(loss, (0, 2)))(a, places, b)
        loop = [wg.grad(loss, (0, 2))(*row) for row in zip(a, places, b)]
        for k in range(2):
            np.testing.assert_allclose(found[k], [row[k] for row in loop], rtol=1e-12)


def test_ties_share_equally():
    ones = np.ones(3)
    np.testing.assert_allclose(wg.grad(lambda x: np.maximum.reduce(x))(ones), [1 / 3] * 3)
    np.testing.assert_allclose(wg.grad(lambda x: np.minimum.accumulate(x)[2])(ones), [1 / 3] * 3)
    np.testing.assert_allclose(wg.grad(lambda x: np.maximum.accumulate(x)[1])(np.array([1.0, 1.0, 5.0])), [0.5, 0.5, 0])

    def at(b):
        y = np.zeros_like(b, shape=2) + 1.0
        np.maximum.at(y, [0, 0], b)
        return y[0]

    np.testing.assert_allclose(wg.grad(at)(np.ones(2)), [1 / 3] * 2)


def test_infinities_and_origins():
    grad = wg.grad(lambda x: np.logaddexp.reduce(x))
    np.testing.assert_array_equal(grad(np.array([-np.inf, 0.0])), [0.0, 1.0])
    np.testing.assert_array_equal(grad(np.array([800.0, -800.0])), [1.0, 0.0])
    np.testing.assert_array_equal(wg.grad(lambda x: np.hypot.reduce(x))(np.zeros(2)), [0.0, 0.0])
    np.testing.assert_array_equal(wg.grad(lambda x: np.maximum.accumulate(x)[-1])(np.array([-np.inf, 2.0, 1.0])), [0.0, 1.0, 0.0])


def test_large_sums_of_exponentials():
    x = np.random.default_rng(3).standard_normal(50) * 20
    share = np.exp(x - np.logaddexp.reduce(x))
    np.testing.assert_allclose(wg.grad(lambda x: np.logaddexp.reduce(x))(x), share, rtol=1e-13)
    right = np.diag(share) - np.outer(share, share)
    np.testing.assert_allclose(wg.hessian(lambda x: np.logaddexp.reduce(x))(x), right, rtol=1e-12, atol=1e-17)


def test_discrete_ufuncs_give_plain_results():
    def f(x):
        assert type(np.logical_and.reduce(x > 0, axis=1)) is np.ndarray
        assert np.logical_or.reduce(x, axis=None) is np.True_
        np.testing.assert_array_equal(np.logical_xor.reduce(x > 0), np.logical_xor.reduce(X > 0))
        np.testing.assert_array_equal(np.floor_divide.reduce(x), np.floor_divide.reduce(X))
        np.testing.assert_array_equal(np.greater.outer(x[0], x[1]), np.greater.outer(X[0], X[1]))
        np.testing.assert_array_equal(np.equal.accumulate(x > 0), np.equal.accumulate(X > 0))
        return np.sum(x)

    wg.grad(f)(X)


def test_discrete_ufuncs_in_a_batch():
    f = lambda x: (np.logical_and.reduce(x > 0), np.logical_or.accumulate(x > 1), np.bitwise_xor.reduce(x > 0))
    for found, row in zip(wg.vmap(f)(X), zip(*map(f, X)), strict=True):
        np.testing.assert_array_equal(found, row)


def test_out_and_dtype():
    def program(x):
        out = np.zeros_like(x, shape=4)
        assert np.add.reduce(x, out=out) is out
        running = np.zeros_like(x)
        np.multiply.accumulate(x, axis=0, out=running)
        np.logaddexp.accumulate(x, axis=1, out=running[:, ::-1])
        parts = np.zeros_like(x, shape=(2, 4))
        np.add.reduceat(x, [0, 1], out=parts)
        grid = np.zeros_like(x, shape=(4, 4))
        np.multiply.outer(x[0], x[1], out=grid)
        return out, running, parts, grid

    check_program(program, P)
    for call in (
        lambda x, dtype: np.add.reduce(x, dtype=dtype),
        lambda x, dtype: np.maximum.accumulate(x, dtype=dtype),
        lambda x, dtype: np.subtract.reduce(x, dtype=dtype),
        lambda x, dtype: np.logaddexp.accumulate(x, dtype=dtype),
        lambda x, dtype: np.add.reduceat(x, [0, 2], dtype=dtype),
    ):
        y, dy = wg.jvp(lambda x: call(x, np.float32), (P,), (X,))
        assert y.dtype == dy.dtype == np.float32
        np.testing.assert_array_equal(y, call(P, np.float32))
        np.testing.assert_allclose(dy, wg.jvp(lambda x: call(x, None), (P,), (X,))[1], rtol=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.subtract.reduce(x, axis=(0, 1)),
        lambda x: np.maximum.reduce(x[:0]),
        lambda x: np.hypot.reduce(x, axis=3),
        lambda x: np.subtract.reduceat(x, [0, 9]),
        lambda x: np.logaddexp.reduce(x, where=MASK[:2], initial=0.0),
        lambda x: np.sin.reduce(x),
        lambda x: np.arctan2.accumulate(x, axis=5),
        lambda x: np.add.at(x, 99, 1.0),
        lambda x: np.multiply.at(x, [0, 1], np.ones((3, 4))),
    ],
)
def test_errors_are_numpys(call):
    with pytest.raises(Exception) as right:
        call(X.copy())
    kind = next(c for c in (IndexError, ValueError, TypeError) if isinstance(right.value, c))
    with pytest.raises(kind):
        wg.grad(lambda x: np.sum(call(x * 1.0)))(X)


def test_empty():
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(np.hypot.reduce(x, axis=1)) + np.sum(x))(np.ones((2, 0))), np.ones((2, 0)))
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(np.subtract.accumulate(x, axis=1)))(np.ones((2, 0))), np.ones((2, 0)))
    with pytest.raises(ValueError, match="no identity"):
        wg.grad(lambda x: np.sum(np.logaddexp2.reduce(x, axis=1)) if False else np.sum(np.divide.reduce(x, axis=1)))(np.ones((2, 0)))


def test_plain_target_of_at():
    def f(x):
        table = np.zeros(3)
        np.add.at(table, [0, 0, 2, 1], x)
        return table.sum()

    with pytest.raises(AssignmentError, match="plain array"):
        wg.grad(f)(np.ones(4))


def test_reduceat_with_the_indices_of_a_batch():
    with pytest.raises(BatchError):
        wg.vmap(lambda x, i: np.add.reduceat(x, i))(X, np.array([[0, 1], [1, 2], [0, 2]]))


def test_at_of_an_empty_array():
    def program(x):
        y = x * 1.0
        np.multiply.at(y, [0, 1], 1.5)
        return y

    x = np.zeros((3, 0))
    np.testing.assert_array_equal(wg.jvp(program, (x,), (x,))[0], program(x), strict=True)
