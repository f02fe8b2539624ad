"""Values that stay in the order in which products have written them: the same numbers, and fewer moves."""

import numpy as np
import pytest
from test_fuse import agree

import wengert as wg
from wengert.compiler.layouts import in_written_order
from wengert.compiler.pipeline import passes
from wengert.compiler.simplify import simplify
from wengert.core.check import check

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(320, 24)), RNG.normal(size=(24, 48))


def images(a, b):
    """A product whose columns are moved before the places of images: `[5, 48, 8, 8]`."""
    return np.moveaxis((a @ b).reshape(5, 8, 8, 48), -1, 1)


PROGRAMS = {
    "chains": lambda x: np.exp(-x * x) + np.where(x > 0, x, 0.5 * x),
    "repeated": lambda x: np.maximum(x + np.arange(48.0)[:, None, None], x * np.arange(8.0)),
    "sums": lambda x: (np.sum(x, (0, 2, 3)), np.mean(x, 1, keepdims=True) * x, np.max(x, (2, 3)), np.prod(x, -1)),
    "normalised": lambda x: (x - np.mean(x, (0, 2, 3), keepdims=True)) / np.std(x, (0, 2, 3), keepdims=True),
    "blocks": lambda x: np.max(x.reshape(5, 48, 4, 2, 4, 2), (3, 5)) + np.sin(x[:, :, ::2, 1::2]),
    "margins": lambda x: np.pad(np.sin(x), ((0, 0), (0, 0), (1, 2), (0, 3))) * 2,
    "windows": lambda x: np.sum(np.lib.stride_tricks.sliding_window_view(np.sin(x), (3, 2), (2, 3)), (-1, -2)),
    "backwards": lambda x: np.sin(x)[:, ::-1, 2:, ::-3],
    "one place": lambda x: np.cos(x)[:, 3, :, 2] + np.sum(x[:, 4:5], (1, 2)),
    "another order": lambda x: np.transpose(np.sin(x), (2, 0, 1, 3)) * np.arange(8.0),
    "the order it had": lambda x: np.cos(np.transpose(np.sin(x), (0, 2, 3, 1))),
    "axes apart and together": lambda x: np.sin(np.repeat(x.reshape(5, 48, 4, 2, 8), 2, 3).reshape(5, 48, 16, 8)),
    "merged axes": lambda x: np.sin(x).reshape(5, -1) @ np.ones((48 * 64, 3)),
    "other axes of one": lambda x: np.sin(x.reshape(5, 48, 1, 8, 8, 1)) + x[:, :, None, :, :, None],
    "another value": lambda x: np.sin(x) * np.cos(np.flip(x, 0).reshape(x.shape)) + np.arange(x.size).reshape(x.shape),
    "joined": lambda x: np.concatenate([np.sin(x), x], 1),
    "whole numbers": lambda x: np.sign(x).astype(int) + np.argmax(x, 1)[:, None],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    agree(lambda a, b: PROGRAMS[name](images(a, b)), A, B)


@pytest.mark.parametrize("name", ["chains", "normalised", "blocks", "margins", "windows", "backwards", "merged axes", "another value"])
def test_gradients(name):
    agree(wg.grad(lambda a, b: np.sum(np.sin(PROGRAMS[name](images(a, b)))), (0, 1)), A, B, rtol=1e-9)


def test_a_chain_is_computed_in_the_order_in_which_it_lies():
    graph = simplify(wg.trace(lambda a, b: np.sum(np.exp(images(a, b) + np.arange(48.0)[:, None, None]), (2, 3)))(A, B))
    found = check(in_written_order(graph))
    (exp,) = [node for node in found.nodes if node.primitive.name == "exp"]
    assert exp.outputs[0].type.shape == (5, 8, 8, 48)
    assert found.outputs[0].type.shape == (5, 48)
    np.testing.assert_allclose(found(A, B)[0], graph(A, B)[0], rtol=1e-13)


def test_what_inputs_are_made_of_keeps_its_order():
    """An update of weights by a gradient: the state has its own order, and so have the results."""
    state = RNG.normal(size=(5, 48, 8, 8))
    graph = simplify(wg.trace(lambda a, b, s: 0.9 * s + np.square(images(a, b)))(A, B, state))
    found = in_written_order(graph)
    (add,) = [node for node in found.nodes if node.primitive.name == "add"]
    assert add.outputs[0].type.shape == (5, 48, 8, 8)
    np.testing.assert_array_equal(found(A, B, state)[0], graph(A, B, state)[0])


def test_few_columns_and_small_arrays_are_left_alone():
    for a, b in ((A, B[:, :8]), (A[:64], B)):
        graph = simplify(wg.trace(lambda a, b: np.exp(np.moveaxis((a @ b).reshape(-1, 8, 8, b.shape[1]), -1, 1)))(a, b))
        assert in_written_order(graph) is graph


def test_a_network_has_no_copies_in_another_order():
    """Forwards and back through a convolution, a normalisation and a pooling, each value lies as its neighbours do."""

    def loss(x, w, v):
        def convolved(x, w):
            seen = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))
            return np.moveaxis(np.tensordot(seen, w, ((1, 4, 5), (1, 2, 3))), -1, 1)

        x = np.maximum(convolved(x, w), 0)
        x = np.max(x.reshape(12, 16, 4, 2, 4, 2), (3, 5))
        return np.sum(np.tanh(convolved(x, v)) ** 2)

    x, w, v = (RNG.normal(size=s) for s in ((12, 3, 8, 8), (16, 3, 3, 3), (32, 16, 3, 3)))
    found = agree(wg.grad(loss, (1, 2)), x, w, v, rtol=1e-9)
    _, real = passes(found.source)
    large = [n for n in real.nodes if n.primitive.name in ("maximum", "tanh", "where", "square") and np.prod(n.outputs[0].type.shape) >= 4096]
    assert large
    for node in large:
        assert node.outputs[0].type.shape[-1] in (16, 32)
