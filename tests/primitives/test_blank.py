"""Blank results look as those that NumPy computes: shape, dtype, order in memory."""

import itertools

import numpy as np
import pytest

from wengert.core.primitive import REGISTRY
from wengert.primitives.blank import LARGE, blank_of_elements
from wengert.primitives.contraction import contract

RNG = np.random.default_rng(0)
SHAPE = (40, 5, 330)


def looks_like(blank, real):
    assert (blank.shape, blank.dtype, blank.strides) == (real.shape, real.dtype, real.strides)


def arrays(shape):
    """The same numbers in different orders in memory, and in steps of two."""
    for order in itertools.permutations(range(len(shape))):
        x = RNG.standard_normal([shape[k] for k in order])
        yield x.transpose(np.argsort(order))
    yield RNG.standard_normal([2 * n for n in shape])[tuple([slice(None, None, 2)] * len(shape))]


@pytest.mark.parametrize("name", ["multiply", "add", "where"])
def test_elementwise(name):
    primitive = REGISTRY[name]
    for a, b in itertools.product(arrays(SHAPE), [*arrays(SHAPE), RNG.standard_normal(SHAPE[-1]), np.float64(2)]):
        xs = [a < 0, a, b] if name == "where" else [a, b]
        looks_like(primitive.blank(xs, {}), primitive.eval(*xs))


def test_elementwise_dtypes():
    x = RNG.standard_normal((LARGE, 2))
    for kind, name in itertools.product(("e", "f", "d", "F", "D", "g"), ("exp", "absolute", "sqrt")):
        xs = [x.astype(kind)]
        primitive = REGISTRY[name]
        with np.errstate(all="ignore"):
            looks_like(primitive.blank(xs, {}), primitive.eval(*xs))


def test_what_may_be_a_view_is_computed():
    x = RNG.standard_normal((LARGE, 2))
    assert blank_of_elements(np.real)([x], {}) is None
    assert blank_of_elements(np.asarray)([x], {}) is None


@pytest.mark.parametrize(
    "sentence",
    ["nki,kij->nkj", "nki,kij->jkn", "nki,ki->nki", "nki,ki->kin", "nki,nk->nki", "kin,ki->nki", "ki,n->nki", "ki,kin->nki", "nki,nkj->nkij"],
)
def test_products(sentence):
    sizes = {"n": 300, "k": 70, "i": 5, "j": 9}
    words = sentence.split("->")[0].split(",")
    for a, b in itertools.product(*[arrays([sizes[c] for c in word]) for word in words]):
        found = contract.blank([a, b], {"sentence": sentence})
        if found is not None:
            looks_like(found, contract.eval(a, b, sentence=sentence))


def test_a_small_product_is_computed():
    x = RNG.standard_normal((LARGE, 3))
    assert contract.blank([x, x], {"sentence": "ni,nj->ij"}) is None


def test_matrices():
    matmul = REGISTRY["matmul"]
    for a, b in (((300, 40), (40, 500)), ((7, 1, 200, 3), (6, 3, 200))):
        a, b = RNG.standard_normal(a), RNG.standard_normal(b)
        looks_like(matmul.blank([a, b], {}), matmul.eval(a, b))
        looks_like(matmul.blank([a.swapaxes(-1, -2), b.swapaxes(-1, -2)][::-1], {}), matmul.eval(b.swapaxes(-1, -2), a.swapaxes(-1, -2)))
