"""Arrays made of traced values: nested lists, ranges, grids, functions of entries."""

import numpy  # noqa: ICN001 - `np` is the namespace under test here
import pytest

import wengert as wg
import wengert.numpy as np
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
st = np.lib.stride_tricks


case("array", lambda x: np.array([x[0], x[1] ** 2, 3.0]), r(2))
case("array nested", lambda x: np.array([[x[0], 1], [2, x[1] * x[0]]]), r(2))
case("array of rows", lambda x: np.array([x, x * x]), r(3))
case("array same", lambda x: np.array(x) * x, r(3))
case("array dtype", lambda x: np.array([x[0], x[1]], dtype=complex), r(2))
case("array ndmin", lambda x: np.array([x[0], x[1]], ndmin=3), r(2))
case("array int mix", lambda x: np.array([x[0], 1, True]), r(2))
case("array tuple", lambda x: np.array(((x[0],), (x[1],))), r(2))
case("array scalar", lambda x: np.array(x[0] * x[1]), r(2))
case("array kw", lambda x: np.array([x[0]], copy=True, order="C"), r(2))
case("array empty mix", lambda x: np.array([x[:0], x[:0]]), r(2))
for nm in ("asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "asarray_chkfinite", "require"):
    case(nm, lambda x, f=getattr(np, nm): f([x[0], x[1] * x[0]]), r(2))
    case(nm + " arr", lambda x, f=getattr(np, nm): f(x) * 2, r(2, 2))
    case(nm + " dt", lambda x, f=getattr(np, nm): f(x, np.complex128), r(2, 2))
case("full", lambda v: np.full((2, 3), v), r())
case("full arr", lambda v: np.full((2, 3), v), r(3))
case("full dtype", lambda v: np.full(3, v, dtype=complex), r())
case("full list", lambda v: np.full((2, 2), [v[0], v[1]]), r(2))
case("full kw", lambda v: np.full(shape=(2,), fill_value=v), r())
case("arange", lambda a: np.arange(a, a + 3.05), r())
case("arange1", lambda a: np.arange(a), np.array(3.5))
case("arange step", lambda a, s: np.arange(a, a + 10 * s - 0.05, s), r(), np.array(0.7))
case("arange kw", lambda s: np.arange(0, 5 * s - 0.01, step=s), np.array(0.7))
case("arange neg", lambda s: np.arange(1.0, -2 * s, -s), np.array(0.7))
case("arange start kw", lambda s: np.arange(start=s, stop=3), np.array(0.7))
case("arange dtype", lambda s: np.arange(0, 5 * s - 0.01, s, dtype=complex), np.array(0.7))
case(
    "fromiter",
    lambda x: (
        np.fromiter((v * v for v in x), float) if x.dtype != np.float32 else np.fromiter((v * v for v in x), x.dtype)
    ),
    r(3),
)
case("fromiter count", lambda x: np.fromiter(iter([x[0], x[1], x[2]]), x.dtype, 2), r(3))
case("fromfunction", lambda x: np.fromfunction(lambda i, j: x * i + j, (2, 3)), r())
case("vectorize", lambda x: np.vectorize(lambda v: v * v + np.sin(v))(x), r(2, 3))
case("vectorize 2", lambda x, y: np.vectorize(lambda a, b: a * b + 1)(x, y), r(2, 1), r(3))
case("vectorize multi", lambda x: np.vectorize(lambda a: (a * a, a + 1))(x), r(3))
case("vectorize sig", lambda x: np.vectorize(lambda v: np.sum(v * v), signature="(n)->()")(x), r(2, 3))
case(
    "vectorize sig2",
    lambda x, y: np.vectorize(lambda a, b: np.outer(a, b), signature="(n),(m)->(n,m)")(x, y),
    r(2, 3),
    r(2),
)
case("vectorize closure", lambda x: np.vectorize(lambda k: x[0] * k)(np.arange(3)), r(2))
case("vectorize otypes", lambda x: np.vectorize(lambda k: k * 2, otypes=[complex])(x), r(2))
case("vectorize excl", lambda x, p: np.vectorize(lambda v, p: v * p[0] + p[1], excluded={1})(x, p), r(3), r(2))
case("vectorize excl kw", lambda x, p: np.vectorize(lambda v, p: v * p[0] + p[1], excluded={"p"})(x, p=p), r(3), r(2))


@np.vectorize
def dec(v):
    return v**3


case("vectorize deco", lambda x: dec(x), r(3))
case("r_", lambda x: np.r_[x, 1.0, x * x], r(2))
case("r_ str", lambda x: np.r_["0,2", x, x * x], r(2))
case("r_ str3", lambda x: np.r_["0,2,0", x, x * x], r(2))
case("r_ slice", lambda a: np.r_[0:a:5j], r())
case("r_ mixed", lambda a: np.r_[a, 0:3, [1, 2]], r())
case("c_", lambda x: np.c_[x, x * x], r(3))
case("c_ m", lambda x: np.c_[np.ones((3, 2)), x], r(3))
case("r_ -1", lambda x: np.r_["-1", x[None], x[None] * x], r(3))
case("mgrid", lambda a: np.mgrid[0:a:3j, 0:2], np.array(1.3))
case("ogrid", lambda a: np.ogrid[0:a:3j, 0:2.0], np.array(1.3))
case("mgrid1", lambda a: np.mgrid[0:a:4j], np.array(1.3))
case("row_stack", lambda x: np.row_stack([x, x]), r(2))
case("kaiser", lambda b: np.kaiser(5, b * b), np.array(1.7))
case("kaiser1", lambda b: np.kaiser(1, b * b) + 0 * b, np.array(1.7))
case("i0 etc", lambda x: np.sin(x) + np.linalg.norm(x) + np.sum(np.fft.fft(x)).real, r(3))
case(
    "as_strided",
    lambda x: st.as_strided(x, (3, 2), (x.itemsize if hasattr(x, "itemsize") else x.dtype.itemsize, x.dtype.itemsize)),
    r(4),
)
case("swv", lambda x: st.sliding_window_view(x, 2), r(4))
case("poly1d", lambda x: np.poly1d([1.0, 2, 3])(x), r(3))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


def test_plain_values_stay_numpys_own():
    for made, plain in (
        (np.array([1, 2]), numpy.array([1, 2])),
        (np.asarray([1.0], dtype="f4"), numpy.asarray([1.0], dtype="f4")),
        (np.full((2,), 3), numpy.full((2,), 3)),
        (np.arange(3), numpy.arange(3)),
        (np.arange(1, 2, 0.25, dtype="f4"), numpy.arange(1, 2, 0.25, dtype="f4")),
        (np.r_[1:3, 0], numpy.r_[1:3, 0]),
        (np.c_[[1, 2], [3, 4]], numpy.c_[[1, 2], [3, 4]]),
        (np.mgrid[0:2, 0:3], numpy.mgrid[0:2, 0:3]),
        (np.vectorize(lambda v: v + 1)([1, 2]), numpy.vectorize(lambda v: v + 1)([1, 2])),
        (np.fromiter(iter([1, 2]), int), numpy.fromiter(iter([1, 2]), int)),
        (np.fromfunction(lambda i, j: i - j, (2, 2)), numpy.fromfunction(lambda i, j: i - j, (2, 2))),
    ):
        assert type(made) is numpy.ndarray
        assert made.dtype == plain.dtype
        numpy.testing.assert_array_equal(made, plain)


def test_array_of_traced_values_is_a_copy():
    def program(x):
        y = np.array(x)
        y[0] = 5.0
        return np.sum(x * y)

    numpy.testing.assert_array_equal(wg.grad(program)(r(2) * 0 + 2.0), [5.0, 4.0])


def test_asarray_of_a_traced_array_is_itself():
    assert wg.jvp(lambda x: (np.asarray(x) is x) * x, (1.5,), (1.0,))[0] == 1.5


def test_ragged_lists_are_refused_as_in_numpy():
    with pytest.raises(ValueError):
        wg.grad(lambda x: np.sum(np.array([[x[0]], [x[0], x[1]]])))(r(2))
