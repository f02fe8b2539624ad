"""Entries copied to other places."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
sw = np.lib.stride_tricks.sliding_window_view

case("roll", lambda a: np.roll(a, 2), r(2, 3))
case("roll ax", lambda a: np.roll(a, -1, 1), r(2, 3))
case("roll axs", lambda a: np.roll(a, (1, 2), (0, 1)), r(2, 3))
case("roll rep", lambda a: np.roll(a, 1, (0, 0)), r(4))
case("roll empty", lambda a: np.roll(a, 1), r(0, 3))
case("tile", lambda a: np.tile(a, 2), r(2, 3))
case("tile2", lambda a: np.tile(a, (2, 1, 3)), r(2, 3))
case("tile0", lambda a: np.tile(a, 0), r(3))
case("tile s", lambda a: np.tile(a, (2, 2)), r())
case("repeat", lambda a: np.repeat(a, 2), r(2, 3))
case("repeat ax", lambda a: np.repeat(a, [1, 0, 2], axis=1), r(2, 3))
case("repeat1", lambda a: np.repeat(a, [2], axis=1), r(2, 3))
case("repeat s", lambda a: np.repeat(a, 3), r())
case("resize", lambda a: np.resize(a, (3, 3)), r(2, 2))
case("resize0", lambda a: np.resize(a, (2, 2)), r(0))
case("diagonal", np.diagonal, r(3, 4))
case("diagonal o", lambda a: np.diagonal(a, -1, 2, 0), r(3, 2, 4))
case("diag", np.diag, r(3))
case("diag k", lambda a: np.diag(a, -2), r(3))
case("diag m", lambda a: np.diag(a, 1), r(3, 4))
case("diagflat", lambda a: np.diagflat(a, 1), r(2, 2))
case("tril", lambda a: np.tril(a, 1), r(2, 3, 4))
case("triu v", lambda a: np.triu(a, 0), r(3))
case("diagonal far", lambda a: np.diagonal(a, 9), r(3, 4))
for mode in ("raise", "wrap", "clip"):
    case(
        f"take {mode}",
        lambda a, mode=mode: np.take(a, [0, -1, 2] if mode != "clip" else [0, 5, -3], mode=mode),
        r(2, 3),
    )
    case(f"take ax {mode}", lambda a, mode=mode: np.take(a, [[0, 1], [1, 0]], axis=1, mode=mode), r(2, 3))
case("take s", lambda a: np.take(a, 1, axis=0), r(2, 3))
case("compress", lambda a: np.compress([True, False, True], a, axis=1), r(2, 3))
case("compress n", lambda a: np.compress([0, 1, 1], a), r(2, 3))
case("extract", lambda a: np.extract(np.array([[True, False], [True, True]]), a), r(2, 2))
case("trim", lambda a: np.trim_zeros(a * np.array([0, 0, 1.0, 1, 0])), r(5))
case("trim f", lambda a: np.trim_zeros(a * np.array([0, 0, 1.0, 1, 0]), "f"), r(5))
case("trim b", lambda a: np.trim_zeros(a * np.array([0, 0, 1.0, 1, 0]), "b"), r(5))
case("trim all", lambda a: np.trim_zeros(a * 0.0), r(3))
case("delete", lambda a: np.delete(a, 1), r(4))
case("delete ax", lambda a: np.delete(a, [0, -1], axis=1), r(2, 4))
case("delete sl", lambda a: np.delete(a, slice(None, None, 2), 0), r(4, 2))
case("delete mask", lambda a: np.delete(a, [True, False, False, True]), r(4))
case("insert", lambda a, v: np.insert(a, 1, v), r(4), r())
case("insert m", lambda a, v: np.insert(a, [1, 3], v), r(4), r(2))
case("insert ax", lambda a, v: np.insert(a, 1, v, axis=1), r(2, 3), r(2))
case("insert ax2", lambda a, v: np.insert(a, [1], v, axis=1), r(2, 3), r(2, 2))
case("insert neg", lambda a, v: np.insert(a, -1, v), r(4), r(2))
case("insert sl", lambda a, v: np.insert(a, slice(0, 4, 2), v), r(4), r(2))
case("insert const", lambda a: np.insert(a, 2, [1, 2]), r(4))
case("insert mask", lambda a, v: np.insert(a, np.array([True, False, True]), v), r(3), r(2))
case("sw", lambda a: sw(a, 3), r(5))
case("sw2", lambda a: sw(a, (2, 2)), r(3, 4))
case("sw ax", lambda a: sw(a, 2, axis=1), r(3, 4))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


@pytest.mark.parametrize("program", [
    lambda x: np.roll(x, 2, axis=()), lambda x: np.take(x[0, 0], [0, 0], axis=-1), lambda x: np.repeat(x[0, 0], 2, axis=0),
    lambda x: np.pad(x[0, 0], 1), lambda x: np.quantile(x[0, 0], 0.3, keepdims=True), lambda x: np.tensordot(x, x, 2),
    lambda x: np.broadcast_arrays(x[0, 0], x[1, 1])[1], lambda x: np.nan_to_num(x[0, 0]),
], ids=["roll", "take", "repeat", "pad", "quantile", "tensordot", "broadcast_arrays", "nan_to_num"])  # fmt: skip
def test_of_numbers_and_no_axes(program):
    """Value, dtype and whether it is a number or an array without axes are NumPy's."""
    x = np.arange(4.0).reshape(2, 2)
    found, wanted = wg.vjp(program, x)[0], program(x)
    assert type(found) is type(wanted)
    np.testing.assert_array_equal(found, wanted, strict=True)
