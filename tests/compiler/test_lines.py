"""What goes along an axis under `jit`: recurrences, orders, searches, and what cards spell out by them, all without a call of Python."""

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.ranges import Ranges
from wengert.core.graph import Const, Node, Var
from wengert.core.primitive import primitive_named
from wengert.core.types import ArrayType, type_of

pytestmark = pytest.mark.filterwarnings("ignore:All-NaN slice")
RNG = np.random.default_rng(0)
TABLE, VECTOR, CUBE = RNG.standard_normal((4, 5)), RNG.standard_normal(37), RNG.standard_normal((2, 3, 40))
TIES = np.array([2.0, 1, np.nan, 2, 1, -0.0, 0.0, np.inf, -np.inf, np.nan, 1])
WHOLE = RNG.integers(-5, 5, (3, 40))
KNOTS = np.sort(VECTOR)

EXACT = {  # NumPy's own bits
    "cumsum": (lambda x: np.cumsum(x, 0), TABLE),
    "cumsum of rows": (lambda x: np.cumsum(x, -1), CUBE),
    "cumsum in the middle": (lambda x: np.cumsum(x, 1), CUBE),
    "cumsum of single precision": (lambda x: np.cumsum(x), VECTOR.astype(np.float32)),
    "cumprod": (lambda x: np.cumprod(x, 1), TABLE),
    "cumsum of whole numbers": (lambda x: np.cumsum(x, 1), WHOLE),
    "running maximum": (lambda x: np.maximum.accumulate(x), TIES),
    "running minimum": (lambda x: np.minimum.accumulate(x, 1), TABLE),
    "running difference": (lambda x: np.subtract.accumulate(x), VECTOR),
    "one entry": (lambda x: np.cumsum(x, 0), TABLE[:1]),
    "argmax": (lambda x: np.argmax(x, 0), TABLE),
    "argmin": (lambda x: np.argmin(x, -1, keepdims=True), CUBE),
    "argmax of ties": (lambda x: np.argmax(x, 1), WHOLE),
    "argmin of nan": (lambda x: np.argmin(x), TIES),
    "argmax without nan": (lambda x: np.argmax(x), TIES[3:9]),
    "sort": (lambda x: np.sort(x, 0), TABLE),
    "sort of long rows": (lambda x: np.sort(x), CUBE),
    "sort with nan": (lambda x: np.sort(x), TIES),
    "argsort": (lambda x: np.argsort(x, kind="stable"), TIES),
    "argsort of single precision": (lambda x: np.argsort(x, 1, kind="stable"), CUBE.astype(np.float32)),
    "argsort of whole numbers": (lambda x: np.argsort(x, axis=1, kind="stable"), WHOLE),
    "argsort of bytes": (lambda x: np.argsort(x, axis=0, kind="stable"), WHOLE.astype(np.int8)),
    "argsort of naturals": (lambda x: np.argsort(x, axis=1, kind="stable"), (WHOLE + 5).astype(np.uint16)),
    "argsort of truth values": (lambda x: np.argsort(x > 0, axis=1, kind="stable"), TABLE),
    "take along": (lambda x: np.take_along_axis(x, np.argsort(x, 1), 1), TABLE),
    "searchsorted": (lambda x: np.searchsorted(KNOTS, x), VECTOR[:7]),
    "searchsorted from the right": (lambda x: np.searchsorted(KNOTS, x, side="right"), KNOTS[:9]),
    "searchsorted of nan": (lambda x: np.searchsorted(np.sort(TIES), x), TIES),
    "median": (lambda x: np.median(x, 1), TABLE),
    "median of an even number": (lambda x: np.median(x, 0), TABLE),
    "nanmedian": (lambda x: np.nanmedian(x), TIES),
    "median of nan": (lambda x: np.median(x), TIES),
    "quantiles": (lambda x: np.quantile(x, [0.1, 0.7], axis=1), TABLE),
    "quantile of Hazen": (lambda x: np.quantile(x, 0.3, method="hazen"), VECTOR),
    "nanquantile": (lambda x: np.nanquantile(x, [0.2, 0.5, 1.0]), TIES[:7]),
    "interpolation": (lambda x: np.interp(x, KNOTS, VECTOR), np.append(TABLE, [np.nan, 9.0, -9.0, KNOTS[3]])),
    "whole numbers of floats": (lambda x: (9 * x).astype(int), VECTOR),
    "rounding": (lambda x: np.round(x, 2) + np.round(x * 900, -2), TABLE),
    "isclose": (lambda x: np.isclose(x, x[0], rtol=0.5, equal_nan=True), TIES.reshape(-1, 1) * np.ones(2)),
    "isneginf": (lambda x: np.isneginf(x) | np.isposinf(x), TIES),
    "nanmax": (lambda x: np.nanmax(x), TIES),
    "nanmin of columns": (lambda x: np.nanmin(x.reshape(1, -1), 0), TIES),
}
CLOSE = {  # to rounding
    "running sum of exponentials": (lambda x: np.logaddexp.accumulate(x), VECTOR),
    "convolution": (lambda x: np.convolve(x, VECTOR[:4]), VECTOR),
    "correlation": (lambda x: np.correlate(x, VECTOR[:9], mode="same"), VECTOR),
    "convolution with itself": (lambda x: np.convolve(x, x), VECTOR),
    "histogram": (lambda w: np.histogram(VECTOR, np.linspace(-2, 2, 6), weights=w)[0], VECTOR),
    "sum where": (lambda x: np.sum(x, 1, where=TABLE > 0, initial=3.0), TABLE),
    "product where": (lambda x: np.prod(x, 0, where=TABLE > 0), TABLE),
    "power mean": (lambda x: np.linalg.norm(x, 3, axis=1), TABLE),
    "unwrapped": (lambda x: np.unwrap(x * 9), VECTOR),
    "log of sum": (lambda x: np.logaddexp.reduce(x) + np.logaddexp2.reduce(x), VECTOR),
    "length": (lambda x: np.hypot.reduce(x), VECTOR),
    "sums of parts": (lambda x: np.add.reduceat(x, [0, 5, 3, 9]), VECTOR),
    "correlations": (np.corrcoef, TABLE),
}


@pytest.mark.parametrize("name", [*EXACT, *CLOSE])
def test_values(name):
    f, x = {**EXACT, **CLOSE}[name]
    compiled = wg.jit(f)
    for argument in (x, x[::-1] if x.ndim == 1 else x[:, ::-1]):
        found, expected = compiled(argument), f(argument)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=0 if name in EXACT else 1e-13, atol=0 if name in EXACT else 1e-13)
    assert not compiled.report(x).host_calls


DIFFERENTIABLE = [
    "cumsum in the middle", "cumprod", "running maximum", "running difference", "sort", "take along", "median of an even number", "quantiles",
    *[name for name in CLOSE if name != "histogram"],
]  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives_against_differences(name):
    f, x = {**EXACT, **CLOSE}[name]
    x = VECTOR if x is TIES else x
    weights = np.cos(np.arange(np.size(f(x)))).reshape(np.shape(f(x)))
    loss = lambda x: np.sum(weights * np.sin(f(x)))
    direction = np.sin(1 + np.arange(x.size)).reshape(x.shape)
    gradient, product = wg.jit(wg.grad(loss)), wg.jit(lambda x: wg.hvp(loss, x, direction))
    h = 1e-6
    change = (loss(x + h * direction) - loss(x - h * direction)) / (2 * h)
    np.testing.assert_allclose(np.vdot(gradient(x), direction), change, rtol=1e-6, atol=1e-8)
    bend = (wg.grad(loss)(x + h * direction) - wg.grad(loss)(x - h * direction)) / (2 * h)
    np.testing.assert_allclose(product(x), bend, rtol=1e-5, atol=1e-6 * (1 + np.abs(bend).max()))
    assert not gradient.report(x).host_calls
    assert not product.report(x).host_calls


def test_a_running_product_with_zeros_and_infinities():
    f = lambda x: np.sum(np.cumprod(x) * np.array([1.0, 2, 3, 4]))
    for x in ([2.0, 0, 3, 0], [0.0, 1, 0, 2], [1.0, 2, 3, 4]):
        np.testing.assert_array_equal(wg.jit(wg.grad(f))(np.array(x)), wg.grad(f)(np.array(x)))


@pytest.mark.parametrize("n", [1, 2, 24, 25, 300, 5000])
def test_orders_of_every_length_keep_ties(n):
    x = RNG.integers(-3, 3, n) * 1e5 ** RNG.integers(-2, 3, n)
    np.testing.assert_array_equal(wg.jit(lambda x: np.argsort(x, kind="stable"))(x), np.argsort(x, kind="stable"))


def test_signs_of_zeros_and_nans_are_kept_by_sorting():
    x = np.array([0.0, -0.0, np.nan, -np.nan, -1.0, 0.0, -0.0])
    found = wg.jit(np.sort)(x)
    np.testing.assert_array_equal(np.signbit(found[:5]), [True, False, True, False, True])
    assert np.isnan(found[5:]).all()


# --- places ------------------------------------------------------------------------------------------------------------


def written(x, at):
    y = np.zeros(5) + 0 * x[0]
    y[at] = x
    return y


def test_of_values_written_to_one_place_the_last_stays():
    x, at = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 2, 2, -1])
    compiled, slope = wg.jit(written), wg.jit(wg.grad(lambda x, at: np.sum(written(x, at) * np.arange(1.0, 6))))
    np.testing.assert_array_equal(compiled(x, at), [1, 0, 3, 0, 4])
    np.testing.assert_array_equal(slope(x, at), [1, 0, 3, 5])
    assert not compiled.report(x, at).host_calls + slope.report(x, at).host_calls
    np.testing.assert_array_equal(compiled(x, at[::-1]), written(x, at[::-1]))
    with pytest.raises(IndexError):
        compiled(x, np.array([0, 1, 2, 5]))


def test_rows_written_in_the_order_of_a_table_of_places():
    def f(x):
        y = x * 1.0
        y[np.array([[0, 1], [1, 0]])] = np.stack([x[:2], 2 * x[2:4]])
        return y

    np.testing.assert_array_equal(wg.jit(f)(TABLE), f(TABLE))


def test_put_along_axis():
    def f(x):
        y = x * 1.0
        np.put_along_axis(y, np.argsort(x, 1)[:, :2], 3 * x[:, :2], 1)
        return y

    compiled = wg.jit(f)
    np.testing.assert_array_equal(compiled(TABLE), f(TABLE))
    np.testing.assert_array_equal(wg.jit(wg.grad(lambda x: np.sum(f(x) ** 2)))(TABLE), wg.grad(lambda x: np.sum(f(x) ** 2))(TABLE))
    assert not compiled.report(TABLE).host_calls


def test_indices_that_are_known_to_be_inside_are_not_checked():
    search = wg.jit(lambda x: np.interp(x, KNOTS, VECTOR))
    assert "out of bounds" not in search.stages(VECTOR)["fused"]
    assert "out of bounds" in wg.jit(lambda x, k: x[k]).stages(VECTOR, np.array([1, 2]))["fused"]


def test_bounds_of_whole_numbers():
    integers = ArrayType((3,), np.dtype(np.int64))
    x, makers = Var(integers), {}

    def made(name, *operands, **params):
        out = Var(integers)
        makers[out] = Node(primitive_named(name), operands, params, (out,))
        return out

    number = lambda n: Const(np.int64(n), type_of(np.int64(n)))
    clipped = made("minimum", made("maximum", x, number(2)), number(9))
    below = made("subtract", clipped, number(3))
    large = made("multiply", made("minimum", x, number(2**40)), number(2**40))
    bounds = Ranges(makers)
    assert bounds.of(clipped) == (2, 9)
    assert bounds.of(below) == (-1, 6)
    assert bounds.of(made("multiply", below, below)) == (-6, 36)
    assert bounds.of(made("where", Var(ArrayType((3,), np.dtype(bool))), below, number(7))) == (-1, 7)
    assert bounds.of(x) is None
    assert bounds.of(large) is None
