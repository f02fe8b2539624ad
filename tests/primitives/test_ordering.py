"""Sorting, partitions, positions, and reading and writing along axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import wengert as wg
from wengert.primitives.ordering import SHORT, entries_of_rank, stable_order
from wengert.testing.programs import check_batch, check_bits, check_derivatives, check_program

RNG = np.random.default_rng(2)
CUBE = (RNG.permutation(24) / 7 + 0.05 * RNG.random(24) - 1.7).reshape(2, 3, 4)  # no two are near each other
COMPLEX = CUBE + 1j * CUBE[::-1]
TIED = np.array([2.0, 1, 2, 1, np.nan, -0.0, 0.0])


@pytest.mark.parametrize("axis", [None, 0, 1, -1], ids=str)
def test_sort(axis):
    check_program(lambda x: np.sort(x, axis) ** 2, CUBE)
    check_bits(lambda x: np.sort(x, axis, kind="heapsort"), CUBE)
    check_bits(lambda x: np.sort(x, axis, stable=True), CUBE)
    check_program(lambda x: np.sort(x, axis), COMPLEX)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_sorted_values_are_numpy_s(data):
    shape = data.draw(array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
    axis = data.draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    x = np.random.default_rng(1).integers(-2, 3, shape).astype(data.draw(st.sampled_from("efdFD")))
    check_bits(lambda x: np.sort(x, axis), x)
    check_bits(lambda x: (np.argsort(x, axis), np.sort_complex(x)), x)
    if x.size:
        check_bits(lambda x: (np.partition(x, 0, axis), np.argmax(x, axis), np.argmin(x, axis)), x)


def test_sort_follows_its_stable_permutation():
    jacobian = wg.jacobian(np.sort)(TIED)
    np.testing.assert_array_equal(jacobian.argmax(1), np.argsort(TIED, kind="stable"))
    np.testing.assert_array_equal(jacobian.sum(1), 1)
    np.testing.assert_array_equal(wg.jacobian(np.sort, mode="forward")(TIED), jacobian)
    assert not wg.jacobian(wg.jacobian(np.sort))(TIED).any()


@pytest.mark.parametrize("kind", ["different", "ties", "nan", "one nan", "zeros"])
def test_long_rows_are_ordered_stably_too(kind):
    x = RNG.permutation(3 * (SHORT + 50)).reshape(3, -1) / 7 - 40
    if kind == "ties":
        x = np.round(x / 30)
    elif kind == "zeros":
        x = np.where(x < 0, -0.0, 0.0)
    elif "nan" in kind:
        x[:, 5 if kind == "one nan" else slice(3, 90, 7)] = np.nan
    right = np.argsort(x, axis=-1, kind="stable")
    np.testing.assert_array_equal(stable_order(x, axis=-1), right)
    np.testing.assert_array_equal(stable_order(x.T.copy(), axis=0), right.T)
    ranks = np.array([[0, 17, SHORT], [1, 2, 3], [SHORT + 49, SHORT + 48, 500]])
    np.testing.assert_array_equal(entries_of_rank(x, ranks), np.take_along_axis(right, ranks, -1))


@pytest.mark.parametrize("kth", [0, 2, (0, 2), -1], ids=str)
@pytest.mark.parametrize("axis", [1, None], ids=str)
def test_partition(kth, axis):
    check_program(lambda x: np.partition(x, kth, axis), CUBE)
    x = np.tile(TIED, 3)
    jacobian = wg.jacobian(lambda x: np.partition(x, kth))(x)
    assert np.all((jacobian == 0) | (jacobian == 1)) and np.all(jacobian.sum(0) == 1) and np.all(jacobian.sum(1) == 1)
    np.testing.assert_array_equal(x[jacobian.argmax(1)], np.partition(x, kth))


def test_sort_complex():
    check_program(lambda x: np.sort_complex(x), CUBE)
    check_program(lambda x: np.sort_complex(x), COMPLEX)


POSITIONS = {
    "argsort": lambda x: np.argsort(x, 0, kind="stable"),
    "argsort of all": lambda x: np.argsort(x, None, stable=True),
    "argpartition": lambda x: np.sort(np.argpartition(x, 2)[..., :2]),
    "argmax": lambda x: np.argmax(x),
    "argmax along": lambda x: np.argmax(x, axis=-1, keepdims=True),
    "argmin": lambda x: np.argmin(x, 0),
    "argmin of all": lambda x: np.argmin(x, keepdims=True),
    "nanargmax": lambda x: np.nanargmax(np.where([False, True, False, False], np.nan, x), -1),
    "nanargmin": lambda x: np.nanargmin(np.where(x < -1, np.nan, x)),
    "searchsorted": lambda x: np.searchsorted(np.sort(x[0]), x, side="right"),
    "searchsorted with sorter": lambda x: np.searchsorted(x[0], x[1], sorter=np.argsort(x[0])),
    "digitize": lambda x: np.digitize(x, np.sort(x[1])),
    "digitize right": lambda x: np.digitize(x, [-0.5, 0, 0.5], right=True),
    "lexsort": lambda x: np.lexsort((x[0], np.round(x[1]))),
    "lexsort of rows": lambda x: np.lexsort(np.round(x)),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_positions_are_plain_and_batched(name):
    function = POSITIONS[name]
    matrix = CUBE[0]
    seen = []

    def program(x):
        seen.append(function(x))
        return np.sum(x)

    wg.grad(program)(matrix)
    assert isinstance(seen[0], (np.ndarray, np.integer))
    np.testing.assert_array_equal(seen[0], function(matrix), strict=True)
    np.testing.assert_array_equal(wg.vmap(function)(CUBE), np.stack([function(x) for x in CUBE]), strict=True)
    nested = wg.vmap(wg.vmap(function))(np.stack([CUBE, -CUBE]))
    np.testing.assert_array_equal(nested, [[function(x) for x in rows] for rows in (CUBE, -CUBE)])


def test_shared_positions_in_a_batch():
    bins = np.array([-0.5, 0, 0.5])
    found = wg.vmap(lambda v, b: np.searchsorted(b, v), (None, 0))(CUBE[0], np.stack([bins, bins + 1]))
    np.testing.assert_array_equal(found, [np.searchsorted(b, CUBE[0]) for b in (bins, bins + 1)])
    found = wg.vmap(lambda a, b: np.lexsort((a, b)), (0, None))(CUBE[0], np.zeros(4))
    np.testing.assert_array_equal(found, np.argsort(CUBE[0], axis=-1))


# --- along axes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_along_axis(axis):
    places = RNG.integers(-2, 2, (2, 3, 4))
    check_program(lambda x: np.take_along_axis(x, places, axis) ** 2, CUBE)
    check_program(lambda x: np.take_along_axis(x, np.argsort(x, axis), axis), CUBE)
    check_program(lambda x: np.take_along_axis(x, np.argmax(x, axis, keepdims=True), axis), CUBE)


def test_take_along_axis_spreads():
    places = np.array([[[1, 0, 1, 1, 0]]])
    check_program(lambda x: np.take_along_axis(x, places, 2), CUBE)
    check_program(lambda x: np.take_along_axis(x[:1], np.array([[[0, 3]], [[1, 1]]]), 2), CUBE)
    check_program(lambda x: np.take_along_axis(x, np.array([5, -1, 5]), None), CUBE)


@pytest.mark.parametrize("axis", [0, -1, None], ids=str)
def test_put_along_axis(axis):
    places = np.array([[1, 0, 1]]) if axis == 0 else np.array([[1], [-1]]) if axis == -1 else np.array([4, 0, 4])

    def program(x, v):
        y = x * 1.0
        row = y[0]
        np.put_along_axis(y, places, v[: places.size].reshape(places.shape), axis)
        np.put_along_axis(y, np.argmax(y, 1, keepdims=True), 7.0, 1)
        return y, row * 2

    check_program(program, CUBE[:, 0, :3], RNG.standard_normal(4))


def test_put_along_axis_into_a_plain_array():
    with pytest.raises(TypeError, match="traced"):
        wg.grad(lambda x: np.put_along_axis(np.zeros(3), np.array([1]), x[:1], 0))(np.ones(3))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.sort(x, 4),
        lambda x: np.argmax(x, 4),
        lambda x: np.argsort(x, -4),
        lambda x: np.partition(x, 9),
        lambda x: np.partition(x, 0.5),
        lambda x: np.sort(x, order="f"),
        lambda x: np.sort(x, kind="quick", stable=True),
        lambda x: np.take_along_axis(x, np.zeros((2, 2), int), 0),
        lambda x: np.take_along_axis(x, np.zeros((2, 3, 4)), 0),
        lambda x: np.take_along_axis(x, np.full((2, 3, 4), 5), 0),
        lambda x: np.take_along_axis(x, np.zeros((2, 2, 4), int), 0),
        lambda x: np.take_along_axis(x, np.zeros((2, 2), int), None),
        lambda x: np.nanargmax(x * np.nan),
        lambda x: np.argmax(x[:0]),
        lambda x: np.searchsorted(x[0, 0], x, side="middle"),
        lambda x: np.digitize(x, [0, 1, 0]),
    ],
)
def test_numpy_s_errors(call):
    with pytest.raises((ValueError, IndexError, TypeError)) as plain:
        call(CUBE)
    with pytest.raises(plain.type):
        wg.grad(lambda x: np.sum(call(x) * x[0, 0, 0]))(CUBE)


def test_derivatives_of_a_median_filter():
    def smooth(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, 3)
        return np.sort(windows, -1)[:, 1]

    check_derivatives(smooth, RNG.standard_normal(8))
    check_batch(smooth, RNG.standard_normal(8))


def test_out_of_positions():
    out = np.zeros(3, int)
    assert wg.grad(lambda x: (np.argmax(x, axis=0, out=out), np.sum(x))[1])(CUBE[0, :, :3]).all()
    np.testing.assert_array_equal(out, np.argmax(CUBE[0, :, :3], axis=0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sparse_jacobian(axis):
    for function in (lambda x: np.sort(x, axis), lambda x: np.partition(x, 1, axis)):
        sparse = wg.jacobian(function, sparse=True)(CUBE)
        assert sparse.nnz == CUBE.size * CUBE.shape[axis]
        np.testing.assert_array_equal(sparse.toarray(), wg.jacobian(function)(CUBE).reshape(24, 24))
