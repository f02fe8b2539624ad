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
    assert (blank.shape, blank.dtype) == (real.shape, real.dtype)
    strides = [(s, t) for s, t, n in zip(blank.strides, real.strides, real.shape, strict=True) if n > 1]
    assert all(s == t for s, t in strides)


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


@pytest.mark.parametrize(("name", "axes"), [("concatenate", (-1, -2, -3)), ("stack", (-1, -2, -3, -4))])
def test_joined(name, axes):
    primitive = REGISTRY[name]
    for (a, b), axis in itertools.product(itertools.product(arrays(SHAPE), repeat=2), axes):
        xs = [a, b.astype(np.float32), a]
        looks_like(primitive.blank(xs, {"axis": axis}), primitive.eval(*xs, axis=axis))
    x = RNG.standard_normal(SHAPE)
    assert primitive.blank([x, x[:3, :3]], {"axis": axes[0]}) is None  # which is for NumPy to refuse


def test_joined_along_an_axis_of_different_lengths():
    primitive = REGISTRY["concatenate"]
    for axis, name in itertools.product((-1, -2, -3), ("C", "F")):
        x = np.asarray(RNG.standard_normal(SHAPE), order=name)
        xs = [x, x[tuple([slice(1 if k - 3 == axis else None) for k in range(3)])], x]
        looks_like(primitive.blank(xs, {"axis": axis}), primitive.eval(*xs, axis=axis))


@pytest.mark.parametrize("name", ["cross", "cross_of_derivatives"])
def test_products_of_vectors(name):
    primitive = REGISTRY[name]
    for a, b in itertools.product(arrays((40, 600, 3)), repeat=2):
        looks_like(primitive.blank([a, b], {}), primitive.eval(a, b))
        looks_like(primitive.blank([a, b[:1]], {}), primitive.eval(a, b[:1]))
        looks_like(primitive.blank([a[0], b], {}), primitive.eval(a[0], b))
    assert primitive.blank([a, a[:3]], {}) is None  # which is for NumPy to refuse


def test_deposits():
    x, where = RNG.standard_normal((LARGE, 2)), RNG.integers(0, LARGE, LARGE)
    for xs, shape in (([x, where], (LARGE, 2)), ([x[:, 0], where], (LARGE,)), ([x.astype(np.float32), where], (LARGE, 2))):
        params = {"layout": ("array",), "shape": shape}
        looks_like(REGISTRY["deposit"].blank(xs, params), REGISTRY["deposit"].eval(*xs, **params))


@pytest.mark.parametrize("name", ["sum", "max", "min", "prod"])
@pytest.mark.parametrize("axis", [(-1,), (-2,), (-3,), (-3, -1), (-2, -1)])
def test_reductions(name, axis):
    primitive = REGISTRY[name]
    for x, keepdims in itertools.product(arrays(SHAPE), (False, True)):
        params = {"axis": axis, "keepdims": keepdims}
        looks_like(primitive.blank([x], params), primitive.eval(x, **params))
    one = primitive.blank([x], {"axis": (-3, -2, -1), "keepdims": False})
    assert type(one) is np.float64
