"""Normalisation and softmax of stacks of rows: rows are read along, few passes, the same results and the same bits for any number of threads."""

import numpy as np
import pytest
from test_fuse import agree, total

import wengert as wg
from wengert.compiler.emit.order import order_loops
from wengert.compiler.homes import STREAMS
from wengert.compiler.loops import Band, Buffer, LoopNest, Op, Place, Reduction
from wengert.compiler.pipeline import Compiled
from wengert.compiler.rows import cut, row_of, with_letter
from wengert.compiler.runtime.threads import get_threads, set_threads

RNG = np.random.default_rng(0)


def normalised(h):
    centred = h - np.mean(h, axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5)


def shares(x):
    e = np.exp(x - np.amax(x, -1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def masked(x, mask):
    return shares(x + mask)


def nests(found):
    return [part for step in found.program.steps for part in (step.steps if isinstance(step, Band) else [step]) if isinstance(part, LoopNest)]


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_members_of_a_stack_that_share_an_array_are_not_taken_side_by_side(n):
    x, places = RNG.standard_normal((n, 40, 64)), RNG.standard_normal((40, 64))
    program = lambda x, places: normalised(x + places)
    agree(program, x, places)
    found = agree(wg.grad(total(program), argnums=(0, 1)), x, places)
    if n > 4:
        assert max(len(nest.ops) for nest in nests(found)) < 40


def test_rows_of_several_axes_meet_in_one_band():
    x, mask = RNG.standard_normal((8, 4, 64, 64)).astype(np.float32), np.where(np.tri(64) > 0, 0, -1e9).astype(np.float32)
    found = agree(masked, x, mask)
    (band,) = bands(found)
    assert (band.n_rows, len(band.steps)) == (32, 3)  # the mask is the same for all members, so that a row is one of them
    (band,) = bands(agree(shares, x))
    assert band.n_rows == 8 * 4 * 64
    agree(wg.grad(lambda x, mask: np.sum(masked(x, mask) * x)), x, mask)


def bands(found):
    return [step for step in found.program.steps if isinstance(step, Band)]


@pytest.mark.parametrize("program", [normalised, shares])
def test_the_bits_do_not_depend_on_threads(program):
    x = RNG.standard_normal((8, 16, 40, 64)).astype(np.float32)
    step = wg.jit(wg.value_and_grad(lambda x: np.sum(program(x) * np.cos(x))))
    before = get_threads()
    found = []
    for threads in (1, 2, 5):
        set_threads(threads)
        found.append(step(x))
    set_threads(before)
    for value, slope in found[1:]:
        assert value == found[0][0]
        assert np.array_equal(slope, found[0][1])


@pytest.mark.parametrize("width", [64, 128, 1024, 4096])
def test_sums_along_rows_are_as_exact_as_numpys(width):
    x = (1e3 + RNG.standard_normal((1000, width))).astype(np.float32)
    exact = np.mean(x.astype(np.float64), 1)
    ours, numpys = (np.sqrt(np.mean((f(x) - exact) ** 2)) for f in (wg.jit(lambda x: np.mean(x, 1)), lambda x: np.mean(x, 1)))
    assert ours <= 1.05 * numpys


def test_what_is_made_of_many_large_arrays_is_stored_once():
    """Else every reader of a sum of all layers reads all of them again."""
    x, w = RNG.standard_normal((256, 128)), RNG.standard_normal((128, 128)) / 128

    def program(h, w):
        for _ in range(2 * STREAMS):
            h = h + normalised(h) @ w
        return h

    found = agree(program, x, w)
    assert max(sum(b.size == x.size for b in nest.reads()) for nest in nests(found)) <= STREAMS + 1


def test_what_stays_the_same_along_a_row_costs_nothing():
    """The derivative takes `x / sqrt(total)` once more rather than storing another array of that size."""
    x = RNG.standard_normal((512, 128))
    found = Compiled(wg.trace(wg.grad(lambda x: np.sum(np.sin(normalised(x)))))(x))
    assert found.plan.workspace < 2 * x.nbytes


def test_the_innermost_loop_is_the_one_with_the_fewest_accesses():
    """Totals at neighbouring places do not outweigh one array that is read across."""
    array, total = Buffer((64, 64), np.dtype(float), "input"), [Buffer((64,), np.dtype(float), "temporary") for _ in range(3)]
    nest = LoopNest((64, 64), 0)
    nest.ops.append(Op("load", (), array.dtype, Place(array, (64, 1))))
    nest.reductions += [Reduction(0, (1,), Place(buffer, (1, 0))) for buffer in total]
    assert order_loops(nest).last == (0, 1)


def test_letters_are_cut_and_joined():
    x, y = Buffer((4, 6, 10), np.dtype(float), "input"), Buffer((4, 6), np.dtype(float), "temporary")
    nest = LoopNest((4, 6, 10), 0)
    nest.ops.append(Op("load", (), x.dtype, Place(x, (60, 10, 1))))
    nest.reductions.append(Reduction(0, (2,), Place(y, (6, 1, 0))))
    *_, merged = with_letter(nest, 24)
    assert merged.space == (24, 10)
    assert merged.reductions[0].letters == (1,)
    parts = cut(merged, 0, 8)
    assert parts.space == (8, 3, 10)
    assert parts.ops[0].place.strides == (30, 10, 1)
    assert parts.reductions[0].letters == (2,)
    assert cut(merged, 1, 5).reductions[0].letters == (1, 2)
    assert (row_of(x, 24), row_of(x, 4), row_of(x, 8)) == (10, 60, 0)


def test_a_step_that_joins_no_band_stays_as_it_was():
    x = RNG.standard_normal((1024, 256)).astype(np.float32)
    found = agree(lambda x: np.sum(x * 2, 1) + np.sum(np.cos(x[:, :128]), 1), x)
    assert all(len(nest.space) <= 2 for nest in nests(found))


def test_results_that_are_stored_row_by_row_and_summed():
    x, w, b = RNG.standard_normal((8, 32, 128)), RNG.standard_normal(128), RNG.standard_normal(128)
    agree(wg.grad(lambda x, w, b: np.sum(np.tanh(normalised(x) * w + b) ** 2), argnums=(0, 1, 2)), x, w, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [200, 360, 1000, 1023, 1500, 5000])
def test_sums_along_rows_are_as_accurate_as_numpys(n, dtype):
    """A rest that is added one by one to a finished total is rounded with it each time: twice NumPy's error."""
    x = np.random.default_rng(0).random((2000, n)).astype(dtype)
    exact = x.astype(np.longdouble).sum(axis=1)
    errors = [np.sqrt(np.mean(((sums - exact) / exact) ** 2)) for sums in (wg.jit(lambda x: np.sum(x, axis=1))(x), x.sum(axis=1))]
    assert errors[0] < 1.25 * errors[1] + 1e-3 * np.finfo(dtype).eps
