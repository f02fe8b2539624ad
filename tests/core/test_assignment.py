"""Random programs that write into arrays, views, and views of views, against plain NumPy.

A program is a list of numbers, which an interpreter reads as statements; Hypothesis makes the lists up, and
shortens those that fail.  Values are NumPy's, derivatives are those of the same program on plain arrays by
central differences, forward, reverse, of second order, and in batches.
"""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wengert as wg
from wengert.testing.programs import check_batch, check_derivatives, check_value

SHAPE = (3, 4)
X = np.random.default_rng(5).standard_normal(SHAPE)


class Numbers:
    """The numbers of a program, one after another; zeros at the end."""

    def __init__(self, numbers):
        self.rest = list(numbers)

    def __call__(self, n):
        return self.rest.pop(0) % n if self.rest else 0

    def choice(self, options):
        return options[self(len(options))]

    def value(self):
        return self(17) / 4 - 2


def basic_index(take, shape):
    parts = []
    for n in shape[: take(len(shape) + 1)]:
        start = take(n)
        step = take.choice([1, 2, -1])
        parts.append(take.choice([start, -1 - start, slice(start, None, step), slice(None, start + 1), slice(None, None, step)]))
    return tuple(take.choice([parts, [*parts, Ellipsis], [None, *parts]]))


def any_index(take, shape):
    kind = take(5)
    if not shape or kind < 2:
        return basic_index(take, shape)
    if kind == 2:
        return np.array([take(2) for _ in range(int(np.prod(shape)))], bool).reshape(shape)
    arrays = [take(2 * shape[0]) - shape[0] for _ in range(1 + take(3))]
    if kind == 3 or len(shape) < 2:
        return np.array(arrays)
    return (np.array(arrays), take.choice([slice(None, None, -1), take(shape[1]), np.array([take(shape[1])])]))


def view_of(take, y):
    kind = take(6)
    if kind == 0:
        return y.T
    if kind == 1:
        return y.reshape(-1)
    if kind == 2:
        return np.flip(y)
    if kind == 3:
        return np.expand_dims(y, 0)
    if kind == 4 and y.ndim >= 2:
        return np.swapaxes(y, 0, -1)
    index = basic_index(take, y.shape)
    return y[index] if y[index].ndim else y[...]


def operand(take, x, pool, shape):
    """Something that may be written where `shape` is wanted."""
    kind = take(6)
    if kind == 0:
        return take.value()
    if kind == 1:
        return x[take(3), take(4)]
    if kind == 2:
        return np.sin(np.sum(take.choice(pool)))
    if kind == 3 and shape:
        return np.cos(x[0, take(4)]) * np.arange(1.0, shape[-1] + 1) / 4
    if kind == 4:
        return np.ones(shape) * take.value()
    source = np.ravel(take.choice(pool))
    return np.tanh(np.reshape(source[np.arange(int(np.prod(shape, dtype=int))) % source.size], shape)) if source.size else 1.0


def statement(take, x, pool):
    y = take.choice(pool)
    kind = take(12)
    if kind < 3:
        pool.append(view_of(take, y))
    elif kind < 5:
        index = any_index(take, y.shape)
        y[index] = operand(take, x, pool, y[index].shape)
    elif kind == 5:
        index = any_index(take, y.shape)
        y[index] += operand(take, x, pool, y[index].shape)
    elif kind == 6:
        index = any_index(take, y.shape)
        y[index] *= operand(take, x, pool, y[index].shape)
    elif kind == 7:
        y += operand(take, x, pool, y.shape)
    elif kind == 8:
        np.multiply(np.cos(y), operand(take, x, pool, y.shape), out=y)
    elif kind == 9:
        pool.append(np.zeros_like(x, shape=y.shape))
        pool[-1][...] = np.sin(y)
    elif kind == 10 and y.ndim:
        places = np.array([take(2 * y.shape[0]) - y.shape[0] for _ in range(3)])
        take.choice([np.add, np.subtract, np.multiply]).at(y, places, operand(take, x, pool, y.shape[1:]))
    else:
        mask = np.array([take(2) for _ in range(int(np.prod(y.shape, dtype=int)))], bool).reshape(y.shape)
        np.copyto(y, operand(take, x, pool, y.shape), where=mask)


def program_of(numbers):
    def program(x):
        take = Numbers(numbers)
        pool = [x * 1.0, np.zeros_like(x)]
        for _ in range(1 + take(8)):
            statement(take, x, pool)
        return tuple(np.tanh(y / 4) for y in pool)

    return program


PROGRAMS = st.lists(st.integers(0, 719), min_size=50, max_size=90)
SETTINGS = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=120, **SETTINGS)
@given(PROGRAMS)
def test_values_and_derivatives(numbers):
    program = program_of(numbers)
    check_value(program, X)
    check_derivatives(program, X, rtol=1e-5, atol=1e-6)


@settings(max_examples=40, **SETTINGS)
@given(PROGRAMS)
def test_batches(numbers):
    check_batch(program_of(numbers), X)


@settings(max_examples=40, **SETTINGS)
@given(PROGRAMS)
def test_inputs_are_left_alone(numbers):
    """Writing into an input of `grad` changes the traced array and not the caller's."""
    x = X.copy()

    def loss(x):
        pool = [x]
        take = Numbers(numbers)
        for _ in range(4):
            statement(take, x, pool)
        return np.sum(np.tanh(pool[-1]))

    value, gradient = wg.value_and_grad(loss, on_disconnected="zero")(x)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_allclose(value, loss(X.copy()), rtol=1e-12, atol=1e-14)
    assert gradient.shape == SHAPE


def test_writing_through_a_view_does_not_move_the_array():
    """`y.reshape(-1)` is a view because `y` lies row by row in memory, also after writing by columns."""

    def program(x):
        y = x * 1.0
        columns = y.T
        np.copyto(columns, 2.0 * columns, where=columns > 0)
        columns[...] = np.where(columns > 1, np.sin(columns), columns)
        vector = y.reshape(-1)
        y += 1.0
        z = np.asfortranarray(X) * y
        z.T[...] = z.T * 2.0
        rows = z.T.reshape(-1)
        z *= 3.0
        return vector, rows

    check_value(program, X)
    check_derivatives(program, X)
    check_batch(program, X)
