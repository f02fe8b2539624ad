"""Long loops cut into parts for threads: which letters can be cut, the same results, the same bits for any number of threads."""

import numpy as np
import pytest
from test_fuse import agree

import wengert as wg
from wengert.compiler.loops import Band, Buffer, LoopNest, Op, Place, Reduction, Store
from wengert.compiler.runtime.threads import get_threads, set_threads
from wengert.compiler.share import shared

PROGRAMS = {
    "entries, the first axis short": lambda x: np.tanh(x) * np.exp(x),
    "rows": lambda x: np.exp(x) / np.sum(np.exp(x), -1, keepdims=True),
    "another order": lambda x: np.swapaxes(np.tanh(x), 1, 2),
    "a total over the first axes": lambda x: np.sum(np.tanh(x), axis=(0, 1, 2)),
    "a total over the last axes": lambda x: np.sum(np.tanh(x), axis=(1, 2, 3)),
    "a total over axes in the middle": lambda x: np.sum(np.tanh(x), axis=(1, 2)),
    "a total of everything": lambda x: np.sum(np.tanh(x) ** 2),
    "the largest": lambda x: np.max(np.tanh(x), axis=(0, 3)),
    "rows and totals": lambda x: (np.tanh(x), np.sum(np.tanh(x), axis=-1), np.sum(np.tanh(x), axis=0)),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shared_loops_do_the_same_for_any_number_of_threads(name, dtype):
    x = np.random.default_rng(0).normal(size=(3, 5, 30, 64)).astype(dtype)
    found = agree(PROGRAMS[name], x)
    assert any(isinstance(step, Band) for step in found.program.steps)
    compiled, before = wg.jit(PROGRAMS[name]), get_threads()
    results = []
    for n in (1, 2, 3):
        set_threads(n)
        found = compiled(x)
        results.append([np.asarray(y) for y in (found if isinstance(found, tuple) else (found,))])
    set_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def nest_of(space, load, store, reductions=()):
    """`store = tanh(load)`, each the buffer and the strides, with totals."""
    nest = LoopNest(space, 0)
    nest.ops.append(Op("load", (), load[0].dtype, Place(*load)))
    nest.ops.append(Op("float64:tanh(a)", (0,), load[0].dtype))
    if store is not None:
        nest.stores.append(Store(1, Place(*store)))
    nest.reductions += [Reduction(1, letters, Place(*place)) for letters, place in reductions]
    return nest


def array(*shape):
    return Buffer(shape, np.dtype(float), "temporary")


def test_neighbours_become_one_loop():
    x, y = array(4, 8, 8192), array(4, 8, 8192)
    (band,) = shared(nest_of((4, 8, 8192), (x, (65536, 8192, 1)), (y, (65536, 8192, 1))))
    assert isinstance(band, Band)
    assert (band.n_rows, band.steps[0].space, band.n_chunks) == (4 * 8 * 8192, (4 * 8 * 8192,), 16)


def test_a_total_over_the_rows_has_a_share_for_each_part():
    large = array(4096)
    nest = nest_of((64, 4096), (array(64, 4096), (4096, 1)), None, [((0,), (large, (0, 1)))])
    (band,) = shared(nest)  # it has too many entries for that: parts of its own entries
    assert not band.slots
    assert band.rows == [1]
    small = array(4)
    band, after = shared(nest_of((65536, 4), (array(65536, 4), (4, 1)), None, [((0,), (small, (0, 1)))]))
    assert list(band.slots.values())[0].shape == (band.n_chunks, 4)
    assert after.reductions[0].place.buffer is small


@pytest.mark.parametrize("case", ["the same place twice", "a read of another part's entry", "an addition", "a place found by value"])
def test_what_cannot_be_cut_stays_whole(case):
    x, y = array(64, 4096), array(64, 4096)
    nest = nest_of((64, 4096), (x, (4096, 1)), (y, (4096, 1)))
    if case == "the same place twice":
        nest = nest_of((64, 4096), (x, (4096, 1)), (y, (1, 1)))
    elif case == "a read of another part's entry":
        nest = nest_of((63, 4096), (y, (4096, 1)), (y, (4096, 1), 4096))
    elif case == "an addition":
        nest.stores[0] = Store(1, Place(y, (4096, 1)), adds=True)
    else:
        nest.stores[0] = Store(1, Place(y, (4096, 1), 0, (1,)), (0,))
    assert shared(nest) == [nest]
