"""Methods and attributes of np.ndarray on traced arrays."""

import copy
import io
import operator
import pickle

import numpy as np
import pytest

import wengert as wg
from wengert.core.array import Array
from wengert.errors import LostDerivativeError, UnsupportedFunctionError
from wengert.testing.programs import check_program

X = np.array([[0.3, -1.7, 2.6], [1.2, 0.43, -0.8]])
SQUARE = np.array([[0.3, -1.7, 2.6], [1.2, 0.43, -0.8], [0.9, 1.1, -0.2]])
Z = np.array([0.3 + 0.4j, -1.2 - 0.5j, 0.7j, -2.0 + 1.0j])

MEMBERS = {
    "T": lambda x: x.T * x.T,
    "mT": lambda x: np.stack([x, x * x]).mT,
    "real": lambda x: x.real * x,
    "imag": lambda x: x.imag + x,
    "astype": lambda x: (x.astype(complex), x.astype("f8"), x.astype(float, "C", "safe", True, False)),
    "choose": lambda x: (np.array([0, 1, 1]).choose([x[0] * 1.0, x[1]]) if isinstance(x, np.ndarray) else np.choose(np.array([0, 1, 1]), [x[0] * 1.0, x[1]])),
    "clip": lambda x: x.clip(-1, 1),
    "compress": lambda x: (x.compress([True, False, True], axis=1), x.compress([False, True])),
    "conj": lambda x: (x.conj(), x.conjugate()),
    "copy": lambda x: x.copy(),
    "cumprod": lambda x: (x.cumprod(), x.cumprod(axis=0)),
    "cumsum": lambda x: (x.cumsum(), x.cumsum(1)),
    "diagonal": lambda x: (x.diagonal(), x.diagonal(1), x.diagonal(0, 1, 0)),
    "dot": lambda x: (x.dot(x.T), x.dot(x[0]), x[0].dot(x[0])),
    "flatten": lambda x: (x.flatten(), x.flatten("F")),
    "max": lambda x: (x.max(), x.max(axis=0), x.max(1, keepdims=True), x.max(initial=5.0)),
    "min": lambda x: (x.min(), x.min(axis=0), x.min(where=X > 0, initial=9.0)),
    "mean": lambda x: (x.mean(), x.mean(0), x.mean(axis=1, keepdims=True), x.mean(where=X > 0)),
    "prod": lambda x: (x.prod(), x.prod(axis=(0, 1)), x.prod(0)),
    "ravel": lambda x: (x.ravel(), x.ravel("F"), x.T.ravel("K")),
    "repeat": lambda x: (x.repeat(2), x.repeat([1, 2], axis=0)),
    "reshape": lambda x: (x.reshape(3, 2), x.reshape((6,)), x.reshape(-1, order="F"), x.reshape(2, -1, 1, copy=True)),
    "round": lambda x: x.round(1) * x,
    "squeeze": lambda x: (x[None].squeeze(), x[:, None].squeeze(axis=1)),
    "std": lambda x: (x.std(), x.std(axis=0, ddof=1), x.std(1, keepdims=True)),
    "sum": lambda x: (x.sum(), x.sum(0), x.sum(axis=1, keepdims=True), x.sum(initial=2.0), x.sum(where=X > 0)),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: (x.take([0, 5]), x.take([2, 0, 0], axis=1), x.take(7, mode="wrap")),
    "trace": lambda x: (x.trace(), x.trace(1)),
    "transpose": lambda x: (x.transpose(), x.transpose(1, 0), x.transpose((0, 1)), x[None].transpose(2, 0, -2), x.transpose(None)),
    "var": lambda x: (x.var(), x.var(axis=1), x.var(0, ddof=1, mean=x.mean(0, keepdims=True))),
    "flat": lambda x: (x.flat[3], x.flat[1:4], x.flat[[0, 5]], np.stack(list(x.flat)), x.flat.copy()),
    "iteration": lambda x: [row * 2 for row in x],
    "unpacking": lambda x: operator.sub(*x),
    "copying": lambda x: (copy.copy(x), copy.deepcopy(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
def test_members(name):
    check_program(MEMBERS[name], X)


def fills(x):
    y = x * 1.0
    y.fill(3.0)
    z = x * 1.0
    z.fill(x[0, 0])
    return y * x, z


def sorts(x):
    y, z, w = x * 1.0, x * 1.0, x * 1.0
    assert y.sort() is None
    z.sort(axis=0)
    w.sort(0, kind="stable")
    v = x[0] * 1.0
    v[::-1].sort()
    return y, z * w, v


def partitions(x):
    y = np.ravel(x) * 1.0
    assert y.partition(2) is None
    return y[2], np.sum(y[:2] ** 2), np.prod(y[3:])


def puts(x):
    y = x * 1.0
    y.put([0, -1], x[1, :2])
    y.put([1, 2, 3], 5.0)
    return y


def sets_flat(x):
    y, z = x * 1.0, x * 1.0
    y.flat[[0, 4]] = x[0, :2] * 2
    y.flat[-1] = 1.5
    z.T.flat[1:3] = x[1, 0]
    z.flat = x[0, :2] * z.flat[2]
    return y, z


def sets_shape(x):
    y = x * 1.0
    view = y[1]
    y.shape = 3, 2
    part = y[0]
    y *= 2.0
    part += x[0, 0]
    view[0] = -1.0
    y.shape = -1
    y[5] = x[0, 1]
    return y, view, part


def sets_shape_of_a_view(x):
    y = x * 1.0
    view = y[:, 1:2]
    row = y[0]
    view.shape = (2,)
    view += x[0, :2]
    row[1] *= 3.0
    return y, view


def resizes(x):
    y, z = x * 1.0, x * 1.0
    y.resize(2, 2)
    z.resize((3, 3))
    z[2] = 7.0 * z[0]
    return y, z


def in_place_parts(x):
    z = x + 1j * x[::-1]
    z.real *= 2.0
    z.imag[0] = x[1]
    z.real[1, :2] += x[0, 0]
    z.imag = z.imag - 1.0
    y = x * 1.0
    y.real += 1.0
    y.real = y * 2.0
    return z, y, z.real, z.imag


def viewed(x):
    z = x + 1j * x[::-1]
    pairs = z.view(x.dtype)
    pairs[:, 0] *= 3.0
    y = x.repeat(2, axis=1) * 1.0
    joined = y.view(z.dtype)
    joined[0] *= 1j
    same = y.view()
    same[1, 0] = 9.0
    other = y.view(y.dtype)
    other[1, 1] = x[0, 0]
    return z, pairs, y, joined


@pytest.mark.parametrize(
    "program",
    [fills, sorts, partitions, puts, sets_flat, sets_shape, sets_shape_of_a_view, resizes, in_place_parts, viewed],
)
def test_members_that_write(program):
    check_program(program, X)


def test_complex_members():
    check_program(
        lambda z: (z.real, z.imag, z.conj(), z.T, z.sum(), z.mean(), z.prod(), z.cumsum(), z.view(z.real.dtype), z.std(), z.dot(z), z.ravel()), Z
    )


def test_item_and_tolist_keep_the_derivative():
    assert wg.grad(lambda x: x.item(0) * x.item(1, 2) + x[0, :1].item())(X)[1, 2] == X[0, 0]
    gradient = wg.grad(lambda x: sum(a * b for row in x.tolist() for a, b in zip(row, row[1:])))(X)
    np.testing.assert_allclose(gradient[:, 0], X[:, 1])
    wg.grad(lambda x: x.item((0, 1)))(X)
    with pytest.raises(ValueError, match="size 1"):
        wg.grad(lambda x: x.item())(X)


def test_methods_of_queries():
    def f(x):
        for name in ("all", "any", "argmax", "argmin", "argsort", "nonzero"):
            np.testing.assert_array_equal(getattr(x, name)(), getattr(X, name)())
        np.testing.assert_array_equal(x.argmax(axis=1, keepdims=True), X.argmax(axis=1, keepdims=True))
        np.testing.assert_array_equal(x[0].argpartition(1)[1], X[0].argpartition(1)[1])
        np.testing.assert_array_equal(np.sort(x[0]).searchsorted([0.0, 9.0], side="right"), np.sort(X[0]).searchsorted([0.0, 9.0], side="right"))
        assert (x.itemsize, x.nbytes, x.strides, x.ndim, x.size, x.shape, x.dtype) == (8, 48, (24, 8), 2, 6, (2, 3), X.dtype)
        assert (x.T.strides, x.T.flags.f_contiguous, x.flags.c_contiguous) == ((8, 24), True, True)
        assert len(x) == 2
        assert 1.2 in x
        assert 7.0 not in x
        assert x.device == "cpu"
        assert x.to_device("cpu") is x
        assert x.__array_namespace__() is np
        assert x.base is None
        y = x * 1.0
        assert y[0].base is y
        assert bool(x[0, 0])
        assert isinstance(x.item(0), Array)
        return x.sum()

    wg.grad(f)(X)


def test_strides_of_a_batch():
    def f(x):
        assert (x.strides, x.nbytes, x.shape, len(x)) == ((24, 8), 48, (2, 3), 2)
        return x.sum()

    wg.vmap(wg.grad(f))(np.stack([X, X]))


@pytest.mark.parametrize(
    "use",
    [
        float, int, complex, operator.index, np.asarray, np.array, pickle.dumps, np.from_dlpack, memoryview,
        lambda x: x.tobytes(), lambda x: x.data, lambda x: x.ctypes, lambda x: x.dump("f"), lambda x: x.dumps(),
        lambda x: x.tofile("f"), lambda x: x.__dlpack__(), lambda x: x.byteswap(), lambda x: x.getfield("f4"),
        lambda x: x.view("i8"), lambda x: [1, 2, 3][x], lambda x: np.ones(3)[x], lambda x: x.__array__(),
    ],
)  # fmt: skip
def test_what_would_lose_the_derivative(use):
    with pytest.raises((LostDerivativeError, TypeError)) as caught:
        wg.grad(lambda x: use(x))(1.5)
    assert use is memoryview or isinstance(caught.value, LostDerivativeError)


def test_what_depends_on_nothing_may_become_plain():
    def f(x):
        c = wg.stop_gradient(x) * 1.0
        assert float(c) == 1.5
        assert c.tobytes() == np.float64(1.5).tobytes()
        return x

    assert wg.grad(f)(1.5) == 1.0


def test_hash_and_pickle_and_setflags():
    def f(x):
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        x.setflags(write=True)
        with pytest.raises(UnsupportedFunctionError):
            x.setflags(write=False)
        x.setfield(2.0, float)
        with pytest.raises(LostDerivativeError):
            x.setfield(2.0, np.float32)
        return x.sum()

    np.testing.assert_array_equal(wg.grad(f, on_disconnected="zero")(X), np.zeros_like(X))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.reshape(4), ValueError),
        (lambda x: x.transpose(0), ValueError),
        (lambda x: x.transpose(0, 0), ValueError),
        (lambda x: x.astype(int, casting="safe"), TypeError),
        (lambda x: x.fill(np.ones(3)), ValueError),
        (lambda x: x.put(99, 1.0), IndexError),
        (lambda x: setattr(x, "shape", (4, 4)), ValueError),
        (lambda x: setattr(x.T, "shape", (6,)), AttributeError),
        (lambda x: setattr(x, "imag", 1.0), TypeError),
        (lambda x: setattr(x, "dtype", int), AttributeError),
        (lambda x: x.resize(9) if x[0] is None else [_ := x[0], x.resize(9)], ValueError),
        (lambda x: x.item(99), IndexError),
        (lambda x: x.view("V3"), (ValueError, TypeError)),
        (lambda x: x.to_device("gpu"), ValueError),
        (lambda x: x.swapaxes(0, 5), ValueError),
        (lambda x: x.squeeze(0), ValueError),
        (lambda x: len(x[0, 0]), TypeError),
        (lambda x: iter(x[0, 0]), TypeError),
        (lambda x: x.unknown, AttributeError),
        (lambda x: operator.setitem(np.broadcast_to(x, (2, 2, 3)), 0, 1.0), ValueError),
        (lambda x: operator.setitem(x.diagonal(), 0, 1.0), ValueError),
    ],
)  # fmt: skip
def test_errors_are_numpys(call, error):
    with pytest.raises(error):
        call(X.copy() if "dtype" not in call.__code__.co_consts else 1.0)
    with pytest.raises(error):
        wg.grad(lambda x: np.sum(call(x * 1.0)))(X)


def test_views_share_memory_as_in_numpy():
    def f(x):
        y = np.zeros_like(x)
        for view, sign in ((y.T, 1), (y.reshape(6), 2), (y.ravel(), 3), (np.squeeze(y[None]), 4), (y.swapaxes(0, 1), 5),
                           (np.atleast_3d(y), 6), (y[None, ::-1], 7), (np.real(y), 8), (y.view(), 9), (np.expand_dims(y, 0), 10),
                           (y.mT, 11), (np.moveaxis(y, 0, 1), 12), (y[..., None], 13), (np.flip(y), 14)):  # fmt: skip
            before = y * 1.0
            view += sign * x[0, 0]
            np.testing.assert_allclose(np.array(wg.stop_gradient(y - before)), sign * 0.3)
        for copied in (y.flatten(), y.copy(), y.T.ravel(), y.T.reshape(6), y[[0, 1]], y[y > -1], y + 0.0, y.astype(float), np.array(wg.stop_gradient(y))):
            before = y * 1.0
            copied *= 2.0
            np.testing.assert_array_equal(np.array(wg.stop_gradient(y)), np.array(wg.stop_gradient(before)))
        return np.sum(y)

    gradient = wg.grad(f)(X)
    np.testing.assert_allclose(gradient[0, 0], 6 * sum(range(1, 15)))
    assert not gradient.ravel()[1:].any()


def test_printing_a_batch_and_nested_tracers():
    file = io.StringIO()
    wg.hessian(lambda x: [print(x.sum(), x[0, 0], file=file), (x**2).sum()][1])(X)
    assert file.getvalue() == f"{X.sum()} {X[0, 0]}\n"


def test_the_conjugate_of_a_real_array_is_that_array():
    def f(x):
        y = x * 1.0
        z = y.conj()
        y[0] = 5.0
        return z * y.conjugate()

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(f(x), [25.0, 4.0])
    np.testing.assert_array_equal(wg.jit(f)(x), f(x))
    np.testing.assert_array_equal(wg.jacobian(f)(x), [[0.0, 0.0], [0.0, 4.0]])
    np.testing.assert_array_equal(wg.jvp(lambda z: z.conj(), (x + 1j,), (1j * x,))[1], -1j * x)
