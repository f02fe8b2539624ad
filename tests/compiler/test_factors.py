"""What is the same for all terms of a sum of derivatives is taken out: the sums of plain NumPy, and fewer products."""

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.simplify import Simplifier
from wengert.core.check import check
from wengert.core.primitive import REGISTRY

product, scale = REGISTRY["matmul_of_derivatives"], REGISTRY["scale"]
rng = np.random.default_rng(0)
A, B = rng.normal(size=(5, 40, 9)), rng.normal(size=(5, 9, 30))
X, V = rng.normal(size=(40, 6, 7)), rng.normal(size=(6, 7))

CASES = {
    "rows": (lambda a, b: np.sum(product(a, b), axis=1), (A, B), lambda a, b: np.sum(a @ b, 1)),
    "columns": (lambda a, b: np.sum(product(a, b), axis=2), (A, B), lambda a, b: np.sum(a @ b, 2)),
    "rows, moved": (lambda a, b: np.sum(-np.transpose(product(a, b), (1, 2, 0)), axis=0), (A, B), lambda a, b: -np.sum(a @ b, 1).T),
    "columns, moved and kept": (
        lambda a, b: np.sum(np.transpose(product(a, b), (2, 0, 1)), axis=0, keepdims=True), (A, B), lambda a, b: np.sum(a @ b, 2)[None],
    ),
    "rows and a rest": (lambda a, b: np.sum(np.sin(a @ b) - product(a, b), axis=1), (A, B), lambda a, b: np.sum(np.sin(a @ b) - a @ b, 1)),
    "scaled": (lambda x, v: np.sum(scale(x, np.broadcast_to(v, x.shape)), axis=0), (X, V), lambda x, v: np.sum(x, 0) * v),
    "scaled from the left": (lambda x, v: np.sum(scale(np.broadcast_to(v, x.shape), x), axis=0), (X, V), lambda x, v: np.sum(x, 0) * v),
    "scaled, two axes": (
        lambda x, v: np.sum(scale(np.broadcast_to(v[:, :1], x.shape), x), axis=(0, 2)), (X, V), lambda x, v: np.sum(x, (0, 2)) * v[:, 0],
    ),
    "small products": (
        lambda x, v: np.sum(np.sum(scale(np.broadcast_to(x[:, :, None], (40, 6, 7, 7)), np.broadcast_to(np.outer(v[0], v[1]), (40, 6, 7, 7))), axis=3), axis=0),
        (X, V), lambda x, v: np.sum(x[:, :, None] * np.outer(v[0], v[1]), (0, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_sums_of_products(name):
    program, operands, wanted = CASES[name]
    graph = wg.trace(program)(*operands)
    simplifier = Simplifier(graph)
    found = check(simplifier.run())
    assert simplifier.applied["a sum of a product"]
    np.testing.assert_allclose(found(*operands)[0], wanted(*operands), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wg.jit(program)(*operands), wanted(*operands), rtol=1e-12, atol=1e-12)


def test_what_is_not_the_same_for_all_terms_stays():
    for program in (
        lambda x, v: np.sum(scale(x, np.broadcast_to(v, x.shape)), axis=1),
        lambda x, v: np.sum(x * v, axis=0),  # which is no derivative: 1e308 * 1e-10 may be summed, 1e308 may not
        lambda x, v: np.sum(np.sin(product(x, v.T)), axis=1),
    ):
        simplifier = Simplifier(wg.trace(program)(X, V))
        simplifier.run()
        assert "a sum of a product" not in simplifier.applied


def test_the_gradient_of_a_bias_below_a_layer_takes_no_product_of_all_rows():
    x, w, bias = rng.normal(size=(300, 20)), rng.normal(size=(20, 30)), rng.normal(size=20)

    def loss(bias):
        return np.sum(np.tanh((x + bias) @ w))

    graph = Simplifier(wg.trace(wg.grad(loss))(bias)).run()
    products = [node.outputs[0].type.shape for node in graph.nodes if node.primitive.name.startswith("matmul")]
    assert products.count((300, 20)) == 0
    slopes = 1 - np.tanh((x + bias) @ w) ** 2
    np.testing.assert_allclose(wg.jit(wg.grad(loss))(bias), np.sum(slopes, 0) @ w.T, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_strong_zeros_stay_strong():
    ct, w = rng.normal(size=(50, 12)), rng.normal(size=(12, 20))
    ct[:, 3], w[3, 4] = 0.0, np.inf
    found = wg.jit(lambda ct, w: np.sum(product(ct, w), axis=0))(ct, w)
    np.testing.assert_allclose(found, np.sum(ct, 0) @ np.where(np.isinf(w), 0, w), rtol=1e-12)
