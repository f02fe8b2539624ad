"""Which results share memory with what they were made from, and which are copies: as in NumPy, to the last case.

Each program writes into one of two names and returns both, so that a copy taken for a view, or a view for a copy, shows
in the values.
"""

import numpy as np
import pytest

import wengert as wg

PROGRAMS = {}
X = np.arange(1.0, 7.0).reshape(2, 3)
GAPS, REVERSED = np.repeat(X, 2, -1)[:, ::2], X[::-1, ::-1]


def program(x):
    def add(f):
        PROGRAMS[f.__name__] = (f, x)
        return f

    return add


@program(X)
def true_copies(x):
    y = x[np.array(True)]
    x *= 2
    return x, y


@program(X)
def numpy_integers_view(x):
    y = x[np.argmax(x[:, 0])]
    y *= 2
    return x, y


@program(X)
def integer_arrays_copy(x):
    y = x[np.array(1)]
    y *= 2
    return x, y


@program(X)
def ellipsis_of_a_number_copies(x):
    s = np.sum(x)
    y = s[...]
    y += 1.0
    return s, y


@program(X)
def numbers_do_not_change(x):
    s = np.sum(x)
    y = np.broadcast_arrays(s, s)[0] * 1
    t = s
    t += 1.0
    return s, t, y


@program(np.array(2.0))
def transpose_without_axes_views(x):
    y = x.T
    y += 1.0
    return x, y


@program(np.ones((1, 1)))
def squeeze_to_no_axes_views(x):
    y = np.squeeze(x)
    y += 1.0
    return x, y


@program(np.array(2.0))
def ravel_without_axes_views(x):
    y = x.ravel(order="F")
    y += 1.0
    return x, y


@program(X)
def ravel_views(x):
    y = x.ravel()
    y[:2] = 0.0
    return x, y


@program(GAPS)
def ravel_of_gaps_copies(x):
    y = x.ravel()
    y[:2] = 0.0
    return x, y


@program(REVERSED)
def ravel_of_reversed_copies(x):
    y = x.ravel()
    y[:2] = 0.0
    return x, y


@program(REVERSED[0])
def ravel_of_a_reversed_vector_copies(x):
    y = x.ravel()
    y[:2] = 0.0
    return x, y


@program(REVERSED)
def reshape_of_reversed_views(x):
    y = x.reshape(-1)
    y[:2] = 0.0
    return x, y


@program(X)
def ravel_of_a_diagonal_copies(x):
    d = np.diagonal(x)
    y = d.ravel()
    y[:1] = 0.0
    return x, d * 1, y


@program(REVERSED)
def writing_does_not_turn_round(x):
    x[x > 2.0] = 0.25
    y = x.ravel()
    y[:2] = 0.0
    return x, y


@program(X)
def picked_rows_lie_in_rows(x):
    y, z = x[[1, 0]], x[:, [2, 0]]
    y.ravel()[:2] = 0.0
    z.ravel()[:2] = 0.0
    return y, z


@program(np.array(2.0))
def borders_of_no_axes_are_copies(x):
    y = np.pad(x, 1)
    x += 1.0
    return x, y


@program(X)
def new_arrays_lie_in_rows(x):
    y = np.delete(x, 0, axis=-1)
    z = np.take(x, [0, 1], axis=1)
    t = np.add.reduceat(x, [0, 1], axis=0)
    for part in (y, z, t):
        part.ravel()[:2] = 0.0
    return y, z, t


def same(found, wanted):
    for y, z in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(y, z, strict=True)


def arranged(x):
    """A copy that lies in memory as `x` does."""
    if x is GAPS:
        return np.repeat(X, 2, -1)[:, ::2]
    turned = tuple([slice(None, None, -1 if step < 0 else 1) for step in x.strides])
    return np.array(x[turned])[turned]


@pytest.mark.parametrize("name", PROGRAMS)
def test_views(name):
    f, x = PROGRAMS[name]
    make = lambda: arranged(x)
    wanted = f(make())
    same(wg.vjp(f, make())[0], wanted)
    same(wg.jvp(f, (make(),), (np.ones_like(x),))[0], wanted)
    same(wg.trace(f)(make())(make()), wanted)


@pytest.mark.parametrize("name", ["true_copies", "numpy_integers_view", "integer_arrays_copy", "ellipsis_of_a_number_copies", "numbers_do_not_change", "ravel_views", "picked_rows_lie_in_rows", "new_arrays_lie_in_rows"])
def test_views_of_members(name):
    f, _ = PROGRAMS[name]
    batch = np.stack([X, X[::-1], X * 2])
    rows = [f(np.array(x)) for x in batch]
    same(wg.vmap(f)(batch), [np.stack(parts) for parts in zip(*rows, strict=True)])
