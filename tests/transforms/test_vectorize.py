import collections
import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

import wengert as wg
from wengert.errors import BatchError, LeakError

X = np.arange(6.0).reshape(2, 3) + 0.5
W = np.array([1.0, -2.0, 0.5])


def test_axes_in_and_out():
    f = lambda x, w: np.sin(x) * w
    expected = np.sin(X) * W
    np.testing.assert_allclose(wg.vmap(f, in_axes=(0, None))(X, W), expected)
    np.testing.assert_allclose(wg.vmap(f, in_axes=[1, 0])(X, W), expected.T)
    np.testing.assert_allclose(wg.vmap(f, in_axes=(-1, -1), out_axes=1)(X, W), expected)
    np.testing.assert_allclose(wg.vmap(f, in_axes=(0, None), out_axes=-1)(X, W), expected.T)
    np.testing.assert_allclose(wg.vmap(np.dot, in_axes=(0, None))(X, W), X @ W)


def test_nested():
    outer = wg.vmap(wg.vmap(lambda a, b: a * np.exp(b), in_axes=(None, 0)), in_axes=(0, None))
    np.testing.assert_allclose(outer(W, W), np.multiply.outer(W, np.exp(W)))
    cube = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_allclose(wg.vmap(wg.vmap(np.sum, in_axes=1), in_axes=2)(cube), cube.sum(0).T)
    np.testing.assert_allclose(wg.vmap(wg.vmap(wg.vmap(np.square)))(cube), cube**2)


class Pair(NamedTuple):
    a: object
    b: object


@dataclasses.dataclass(frozen=True)
class Model:
    w: object
    b: object
    name: str = "model"


def test_containers_of_axes():
    f = lambda d, m: {"y": np.sum(d["x"]) * m.w + m.b, "pair": Pair(d["x"], m.b)}
    d = {"x": X, "unused": [W, None]}
    b = np.arange(3.0)
    out = wg.vmap(f, in_axes=({"x": 1, "unused": 0}, Model(0, None)), out_axes={"y": 0, "pair": Pair(1, None)})(d, Model(W, b))
    np.testing.assert_allclose(out["y"], np.add.outer(X.sum(0) * W, b))
    np.testing.assert_allclose(out["pair"].a, X)
    np.testing.assert_allclose(out["pair"].b, b)


def test_ordered_dictionaries_keep_their_axes():
    d = collections.OrderedDict(z=X, a=np.ones((3, 2)))
    out = wg.vmap(lambda d: d["z"] @ np.ones(3) + d["a"] @ np.ones(3), in_axes=(collections.OrderedDict(z=0, a=1),))(d)
    np.testing.assert_allclose(out, X.sum(1) + 3)
    mixed = {1: X, "a": W}
    np.testing.assert_allclose(wg.vmap(lambda d: d[1] * d["a"], in_axes=({1: 1, "a": 0},))(mixed), (X * W).T)


def test_keyword_arguments():
    f = lambda x, *, scale, shift=0.0, power=1, name="": (x * scale + shift) ** power
    np.testing.assert_allclose(wg.vmap(f)(W, scale=W, power=2, name="text"), W**4)
    np.testing.assert_allclose(wg.vmap(f)(W, scale=np.ones(3), shift=2.0), W + 2)


def test_numbers_that_members_share_stay_weak():
    x = W.astype(np.float32)
    assert wg.vmap(lambda x, c: x * c, in_axes=(0, None))(x, 2.0).dtype == np.float32
    assert wg.vmap(lambda x, n: x ** (n if n > 1 else 1), in_axes=(0, None))(x, 2).dtype == np.float32


def test_results_that_do_not_depend_on_the_batch():
    out = wg.vmap(lambda x: (3.0, np.arange(2), True))(W)
    np.testing.assert_array_equal(out[0], [3.0, 3.0, 3.0])
    np.testing.assert_array_equal(out[1], [[0, 1]] * 3)
    np.testing.assert_array_equal(out[2], [True] * 3)
    assert all(part.flags.writeable and part.base is None for part in out)
    out[1][0, 0] = 7
    assert out[1][1, 0] == 0


def test_a_batched_value_written_into_what_members_share():
    def f(x, w):
        y = np.zeros_like(w)
        y[1] = x
        y[2:] += x * w[0]
        return y

    expected = np.stack([np.zeros(3), W, W * W[0]], axis=1)
    np.testing.assert_allclose(wg.vmap(f, in_axes=(0, None))(W, W), expected)
    by_x, by_w = wg.jacobian(wg.vmap(f, in_axes=(0, None)), argnums=(0, 1))(W, W)
    np.testing.assert_allclose(by_x[:, 2, :], W[0] * np.eye(3))
    np.testing.assert_allclose(by_w[:, 2, 0], W)
    np.testing.assert_allclose(wg.vmap(wg.grad(lambda x, w: f(x, w) @ w), in_axes=(0, None))(W, W), [W[1] + W[0] * W[2]] * 3)


def test_what_members_share_is_plain_enough_for_python():
    def f(x, w):
        scale = float(w[0]) if w[1] < 0 else 0.0
        return x * scale * np.asarray(w)[2]

    np.testing.assert_allclose(wg.vmap(f, in_axes=(0, None))(W, W), W * 0.5)


def test_empty_batches():
    assert wg.vmap(lambda x: np.sin(x) @ W)(np.ones((0, 3))).shape == (0,)
    assert wg.vmap(wg.grad(lambda x: np.sin(x) @ W))(np.ones((0, 3))).shape == (0, 3)


def test_derivatives_in_a_batch_equal_a_loop():
    f = lambda x, w: np.sum(np.tanh(x * w) ** 2) / (1 + np.sum(x**2))
    for derivative in (wg.grad(f), wg.hessian(f), wg.jacobian(wg.grad(f), mode="reverse"), wg.grad(f, argnums=(0, 1))):
        batched = wg.vmap(derivative, in_axes=(0, None))(X, W)
        single = [derivative(x, W) for x in X]
        for part, rows in zip(batched, zip(*single, strict=True), strict=True) if isinstance(batched, tuple) else [(batched, single)]:
            np.testing.assert_allclose(part, rows, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wg.vmap(np.sin)(1.0), "no axis 0"),
        (lambda: wg.vmap(np.sin, in_axes=2)(X), "no axis 2"),
        (lambda: wg.vmap(np.add)(X, W), "different lengths"),
        (lambda: wg.vmap(np.add, in_axes=None)(X, W), "nothing to batch"),
        (lambda: wg.vmap(np.add, in_axes=(0,))(X, W), "does not fit"),
        (lambda: wg.vmap(lambda d: d["a"], in_axes=({"b": 0},))({"a": X}), "does not fit"),
        (lambda: wg.vmap(np.sin, out_axes=None)(X), "differs between members"),
        (lambda: wg.vmap(np.sin, out_axes=2)(X), "out_axes=2"),
        (lambda: wg.vmap(lambda x: (x, x), out_axes=(0, 0, 0))(X), "does not fit"),
        (lambda: wg.vmap(lambda x: x if x[0] > 0 else -x)(X), "truth value"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(BatchError, match=message):
        call()


def test_a_leak_is_noticed():
    kept = []
    wg.vmap(lambda x: (kept.append(x), x)[1])(X)
    with pytest.raises(LeakError):
        kept[0] + 1


def test_arguments_written_into():
    def f(x):
        x[0] = x[1] * 2
        return x @ x

    x = X.copy()
    np.testing.assert_allclose(wg.vmap(f)(x), [4 * r[1] ** 2 + r[1] ** 2 + r[2] ** 2 for r in X])
    np.testing.assert_array_equal(x, X)
