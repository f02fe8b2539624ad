"""Questions about traced values get NumPy's answers."""

import io

import numpy as np
import pytest

import wengert as wg
from wengert.errors import BatchError, UnsupportedFunctionError

X = np.array([[0.0, 1.5, -2.0], [3.0, 0.0, np.inf]])
Z = np.array([1.0 + 0j, 2.0 - 1j, 0j])

QUESTIONS = {
    "all": lambda x: np.all(x),
    "all by axis": lambda x: np.all(x, axis=0, keepdims=True),
    "all where": lambda x: np.all(x, where=x != 0),
    "any": lambda x: np.any(x > 2, axis=(0, 1)),
    "any where": lambda x: np.any(x, axis=1, where=[[True, False, False]]),
    "allclose": lambda x: np.allclose(x, x + 1e-12),
    "isclose": lambda x: np.isclose(x, [1e-9, 1.5, 2.0], atol=1e-8, equal_nan=True),
    "isclose with a row": lambda x: np.isclose(1.5, x, rtol=np.array([0.1, 1e-9, 1.0])),
    "array_equal": lambda x: (np.array_equal(x, x), np.array_equal(x, x[0]), np.array_equal(x / x, x / x, equal_nan=True)),
    "array_equiv": lambda x: (np.array_equiv(x, x[:1]), np.array_equiv(x[:1], np.stack([x[0], x[0]])), np.array_equiv(x, np.ones(4))),
    "count_nonzero": lambda x: (np.count_nonzero(x), np.count_nonzero(x, axis=1), np.count_nonzero(x, keepdims=True)),
    "nonzero": lambda x: np.nonzero(x),
    "flatnonzero": lambda x: np.flatnonzero(x > 1),
    "argwhere": lambda x: np.argwhere(x),
    "where": lambda x: np.where(x > 1),
    "iscomplexobj": lambda x: (np.iscomplexobj(x), np.isrealobj(x)),
    "iscomplex": lambda x: (np.iscomplex(x), np.isreal(x)),
    "infinities": lambda x: (np.isneginf(-x), np.isposinf(x), np.isinf(x), np.isnan(x), np.isfinite(x), np.signbit(x)),
    "result_type": lambda x: np.result_type(x, np.float32, 3),
    "can_cast": lambda x: (np.can_cast(x, np.float32), np.can_cast(x, np.float32, "same_kind")),
    "common_type": lambda x: np.common_type(x, np.float32(1)),
    "min_scalar_type": lambda x: np.min_scalar_type(x),
    "einsum_path": lambda x: np.einsum_path("ij,kj->ik", x, x)[1],
    "diag_indices_from": lambda x: np.diag_indices_from(x[:, :2]),
    "tril_indices_from": lambda x: np.tril_indices_from(x, k=-1),
    "triu_indices_from": lambda x: np.triu_indices_from(x),
    "ix_": lambda x: np.ix_(x[0] > 1, [0, 2]),
    "isscalar": lambda x: np.isscalar(x),
    "iterable": lambda x: (np.iterable(x), np.iterable(x[0, 0])),
    "shape": lambda x: (np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)),
    "isfortran": lambda x: (np.isfortran(x), np.isfortran(x.T)),
    "array_repr": lambda x: (np.array_repr(x), np.array_str(x), np.array2string(x, precision=2)),
    "comparisons": lambda x: (x > 1, x >= 0, x < x.T[:1].T, x <= 0, x == 1.5, x != 0, np.equal(x, 1.5), np.not_equal(x, 0)),
    "logic": lambda x: (np.logical_and(x, x > 1), np.logical_or(x, 0), np.logical_not(x), np.logical_xor(x, 1)),
    "bits": lambda x: ((x > 0) & (x < 2), (x > 0) | (x < -1), ~(x > 0), (x > 0) ^ (x > 1)),
    "broadcast_shapes": lambda x: np.broadcast_shapes(x.shape, (1,)),
    "issubdtype": lambda x: np.issubdtype(x.dtype, np.floating),
    "typename": lambda x: np.typename(x.dtype.char),
}


def _same(found, right):
    if isinstance(right, tuple):
        assert type(found) is tuple
        assert len(found) == len(right)
        for a, b in zip(found, right):
            _same(a, b)
        return
    assert type(found) is type(right)
    np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_answers_are_numpys(name):
    question = QUESTIONS[name]
    right = question(X)
    answers = []

    def f(x):
        answers.append(question(x))
        return np.sum(x[0])

    wg.grad(f)(X)
    wg.jvp(f, (X,), (X,))
    wg.hvp(f, (X,), (X,))
    assert len(answers) >= 3
    for answer in answers:
        _same(answer, right)


def test_complex_values():
    def f(z):
        np.testing.assert_array_equal(np.iscomplex(z), [False, True, False])
        np.testing.assert_array_equal(np.isreal(z), [True, False, True])
        assert np.iscomplexobj(z) is True
        assert np.isrealobj(z) is False
        with pytest.raises(TypeError):
            np.isposinf(z)
        return np.sum(np.abs(z[:2]))

    wg.grad(f)(Z)


BATCHED = [
    "all", "all by axis", "all where", "any", "any where", "allclose", "isclose", "isclose with a row", "array_equal",
    "array_equiv", "count_nonzero", "iscomplex", "infinities", "comparisons", "logic", "bits",
]  # fmt: skip


@pytest.mark.parametrize("name", BATCHED)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_answers_for_each_member_of_a_batch(name):
    xs = np.stack([X, -X, X + 1, np.zeros_like(X)])
    question = QUESTIONS[name]
    right = [question(x) for x in xs]
    for found in (wg.vmap(question)(xs), wg.vmap(wg.vmap(question))(xs[None])):
        if not isinstance(right[0], tuple):
            np.testing.assert_array_equal(np.squeeze(found), np.squeeze(right))
            continue
        for part, answers in zip(found, zip(*right)):
            np.testing.assert_array_equal(np.squeeze(part), np.squeeze(answers))


@pytest.mark.parametrize("name", ["nonzero", "flatnonzero", "argwhere", "where"])
def test_places_of_a_batch_have_no_shape(name):
    with pytest.raises(BatchError, match="batch"):
        wg.vmap(QUESTIONS[name])(np.stack([X, X]))


def test_positions_of_a_batch():
    k = np.array([[3, 0], [5, 2], [1, 4]])

    def f(k):
        i, j = np.unravel_index(k, (2, 3))
        g, h = np.unravel_index(k, (2, 3), order="F")
        return i, j, g, h, np.ravel_multi_index((i, j), (2, 3)), np.ravel_multi_index((i, j), (2, 3), order="F")

    for found, right in zip(wg.vmap(f)(k), zip(*map(f, k))):
        np.testing.assert_array_equal(found, right)
    wrapped = lambda k: np.ravel_multi_index((k, k), (2, 3), mode=("wrap", "clip"))
    np.testing.assert_array_equal(wg.vmap(wrapped)(k), [wrapped(row) for row in k])
    with pytest.raises(ValueError, match="out of bounds"):
        wg.vmap(lambda k: np.unravel_index(k, (2, 2)))(k)
    with pytest.raises(ValueError, match="invalid entry"):
        wg.vmap(lambda k: np.ravel_multi_index((k, k), (2, 2)))(k)
    table = np.arange(24.0).reshape(4, 6)
    picked = wg.vmap(lambda t, k: t[np.ix_([0, 2], k)], (None, 0))(wg.vmap(lambda t: t)(table), k)
    np.testing.assert_array_equal(picked, [table[np.ix_([0, 2], row)] for row in k])


def test_bits_of_a_batch():
    k = np.random.default_rng(0).integers(0, 256, (3, 2, 4)).astype(np.uint8)
    f = lambda k: (np.unpackbits(k), np.unpackbits(k, axis=0), np.unpackbits(k, 1, 5, "little"), np.unpackbits(k, axis=1, count=3),
                   np.packbits(k > 99), np.packbits(k > 99, axis=0), np.packbits(k > 99, 1, "little"))  # fmt: skip
    for found, right in zip(wg.vmap(f)(k), zip(*map(f, k))):
        np.testing.assert_array_equal(found, right)


def test_memory():
    plain = X.copy()

    def f(x):
        y = x * 1.0
        assert np.shares_memory(y, y[0])
        assert np.shares_memory(y[0], y.T)
        assert not np.shares_memory(y[0], y[1])
        assert np.may_share_memory(y, y.ravel())
        assert not np.shares_memory(y, y.copy())
        assert not np.shares_memory(y, x)
        assert not np.shares_memory(y, plain)
        y[0, 0] = 3.0
        assert np.shares_memory(y, y[:, 1])
        return np.sum(x[0])

    wg.grad(f)(X)


def test_writing_files_keeps_the_value(tmp_path):
    def f(x):
        np.save(tmp_path / "x.npy", x)
        np.savez(tmp_path / "x.npz", x, named=2 * x)
        np.savez_compressed(tmp_path / "c.npz", x=x)
        np.savetxt(tmp_path / "x.txt", x)
        return np.sum(x)

    x = X[:, :2]
    np.testing.assert_array_equal(wg.grad(f)(x), np.ones_like(x))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), x)
    with np.load(tmp_path / "x.npz") as file:
        np.testing.assert_array_equal(file["arr_0"], x)
        np.testing.assert_array_equal(file["named"], 2 * x)
    with np.load(tmp_path / "c.npz") as file:
        np.testing.assert_array_equal(file["x"], x)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "x.txt"), x)


def test_printing():
    file = io.StringIO()

    def f(x):
        print(x, f"{x[0, 1]:.3f}", repr(x[0]), str(x[1, 0]), file=file)
        return np.sum(x)

    wg.grad(f)(X)
    assert file.getvalue() == f"{X} 1.500 Array({X[0]!r}) 3.0\n"


@pytest.mark.parametrize("function", [np.packbits, np.is_busday, np.datetime_as_string])
def test_functions_of_other_types_raise_a_type_error_as_in_numpy(function):
    with pytest.raises(TypeError):
        function(np.ones(3))
    with pytest.raises(UnsupportedFunctionError):
        wg.grad(lambda x: function(x))(np.ones(3))
