"""`x[mask]` with a mask for each member of a batch."""

import operator

import numpy as np
import pytest

import wengert as wg
from wengert.errors import BatchError
from wengert.testing.programs import check_program

RNG = np.random.default_rng(7)


def masked_write(x):
    y = x * 1.0
    y[x > 0] = 2.0
    y[x < -1] += x[0, 0]
    y[x < 0] *= -3.0
    return y


def masked_functions(x):
    y = x * 1.0
    mask = x > 0
    y[mask] = np.sqrt(y[mask]) + np.log(x[mask]) * 2.0
    y[~mask] = 1.0 / (1.0 - y[x <= 0])
    y[mask] **= 2
    return y


def masked_rows(x):
    y = x * 1.0
    rows = x[:, 0] > 0
    y[rows] = x[0] * 2.0
    y[rows] -= 0.5
    return y


def masked_reductions(x):
    mask = x > 0
    return np.sum(x[mask]), x[mask].sum() * np.mean(np.abs(x)[mask]), np.any(x[mask] > 1), np.prod(x[x > 0.2])


@pytest.mark.parametrize("program", [masked_write, masked_functions, masked_rows, masked_reductions])
def test_masks_of_a_batch(program):
    check_program(program, RNG.standard_normal((3, 4)) + 0.1)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x[x > 0] + x[:1],
        lambda x: len(x[x > 0]),
        lambda x: x[x > 0].shape,
        lambda x: x[x > 0].size,
        lambda x: x[x > 0][0],
        lambda x: list(x[x > 0]),
        lambda x: x[x > 0] + x[x < 0],
        lambda x: np.sort(x[x > 0]),
        lambda x: np.asarray(x[x > 0]),
        lambda x: x[None, :][:, x > 0],
        lambda x: np.add.reduce(x[x > 0]),
        lambda x: operator.setitem(x * 1.0, x > 0, x),
        lambda x: x[np.nonzero(x)],
    ],
)
def test_masks_of_a_batch_that_need_a_shape(use):
    with pytest.raises(BatchError, match="batch"):
        wg.vmap(use)(np.array([[1.0, -1.0, 2.0], [1.0, 1.0, -3.0]]))


def test_masks_of_the_wrong_shape():
    with pytest.raises(IndexError):
        wg.vmap(lambda x: operator.setitem(x, x[:2] > 0, 1.0))(np.ones((2, 3)))


def test_an_array_that_all_members_share_until_they_write_into_it():
    weights = RNG.standard_normal(4)

    def program(x, w):
        y = np.zeros_like(w)
        y[x > 0] = 1.0
        y[x > 0.5] += w[1]
        y[x < 0] *= 2.0
        v = w * 1.0
        v[x > 0] = x[x > 0] * 3.0
        v[x < 0] -= y[x < 0] * w[0]
        return y, v

    xs = RNG.standard_normal((5, 4))
    for found, right in zip(wg.vmap(program, (0, None))(xs, weights), zip(*[program(x, weights) for x in xs])):
        np.testing.assert_allclose(found, right, rtol=1e-14)
    loss = lambda w, x: sum(np.sum(part**2) for part in program(x, w))
    total = wg.grad(lambda w: np.sum(wg.vmap(lambda x: loss(w, x))(xs)))(weights)
    np.testing.assert_allclose(total, sum(wg.grad(loss)(weights, x) for x in xs), rtol=1e-13)


@pytest.mark.parametrize("use", [lambda part: part.ravel(), lambda part: part.clip(0.0), lambda part: part.T])
def test_methods_of_members_of_different_lengths_are_refused(use):
    with pytest.raises(wg.errors.BatchError, match="depends on the values of a batch"):
        wg.vmap(lambda x: use(x[x > 0]))(np.array([[1.0, -1.0], [2.0, 3.0]]))


@pytest.mark.parametrize(
    "program",
    [
        lambda x: (lambda v: v @ v)(x[x > 0]),
        lambda x: (lambda v: np.dot(v, np.sin(v)))(x[x > 0]),
        lambda x: (lambda v: np.vdot(v * 1j, v).imag)(x[x > 0]),
        lambda x: np.sum(x[x > 0], axis=0) + x[x > 0].mean(axis=-1),
        lambda x: x[x[:, 0] > 0].sum(axis=0),
        lambda x: x[x[:, 0] > 0].sum(),
    ],
)
def test_products_and_sums_of_what_a_mask_chooses(program):
    xs = RNG.standard_normal((4, 3, 3))
    np.testing.assert_allclose(wg.vmap(program)(xs), [program(x) for x in xs], rtol=1e-14)
    slope = wg.grad(lambda x: np.sum(program(x)))
    np.testing.assert_allclose(wg.vmap(slope)(xs), [slope(x) for x in xs], rtol=1e-14)


@pytest.mark.parametrize("use", [lambda v, x: x @ v, lambda v, x: v @ v, lambda v, x: v @ x[0], lambda v, x: v * x[x[:, 0] > 0, 0]])
def test_rows_that_a_mask_chooses_do_not_mix(use):
    with pytest.raises(BatchError, match="batch"):
        wg.vmap(lambda x: np.sum(use(x[x[:, 0] > 0], x)))(RNG.standard_normal((4, 3, 3)))
