"""Strong products that become plain ones: which, and that no value changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wengert as wg
from wengert.compiler.plain import DEPTH, plain_products
from wengert.core.check import check
from wengert.primitives.elementwise import scale

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -3.25, 1e-300, 5e-324, 1e300, -1e300, 400.0, -800.0, 30.0, np.inf, -np.inf, np.nan]


def names(graph):
    return [node.primitive.name for node in graph.nodes]


def traced(f, *xs):
    graph = wg.trace(f)(*xs)
    plain = plain_products(graph)
    check(plain)
    return graph, plain


def zeros_tested(u, v, x=None):
    """How many factors of `scale(u(x), v(x))` are compared with 0: by the pass, or, where it leaves the product, both."""
    _, plain = traced(lambda t: scale(u(t), v(t)), np.linspace(-1, 1, 100) if x is None else x)
    return 2 if "scale" in names(plain) else names(plain).count("equal")


@pytest.mark.parametrize(
    ("u", "v", "n"),
    [
        (np.tanh, lambda x: np.exp(-x * x), 0),  # bounded, and NaN together
        (np.tanh, lambda x: np.exp(x * x), 1),  # tanh may be 0 where exp is infinite; exp(x²) is never 0, but that is not known
        (lambda x: 1 / (1 + x * x), lambda x: x, 1),  # 0 only at infinity, where it has to absorb that
        (lambda x: 1 / (1 + np.exp(-x)), np.tanh, 0),
        (np.cos, np.sin, 2),  # of infinity both are NaN: the same suspects, but nobody says so
        (lambda x: np.cos(np.tanh(x)), np.tanh, 0),
        (lambda x: np.sqrt(1 + x * x), np.tanh, 1),
        (np.sqrt, np.tanh, 1),  # of what is negative it is NaN alone
        (lambda x: 1.0 * (x > 0), np.tanh, 1),  # a mask absorbs NaN
        (lambda x: 1.0 * (x > 0), lambda x: x, 1),
        (lambda x: np.full(100, 2.0), lambda x: x, 0),
        (lambda x: x, lambda x: 1 / x, 2),
    ],
)
def test_tests_that_are_left(u, v, n):
    assert zeros_tested(u, v) == n


def test_small_products_are_left_alone():
    graph, plain = traced(lambda t: scale(np.tanh(t), np.tanh(t)), np.ones(3))
    assert plain is graph


def test_moves_are_new_suspects_of_the_same_bounds():
    def f(x):
        return scale(np.tanh(x)[::-1], np.tanh(x))

    _, plain = traced(f, np.linspace(-1, 1, 100))
    assert "scale" in names(plain)
    x = np.linspace(-1, 1, 100)
    x[3], x[-4] = np.nan, 0.0
    np.testing.assert_array_equal(plain(x)[0], f(x))


def test_a_long_chain_is_followed_so_far():
    def f(x):
        y = x
        for _ in range(3 * DEPTH):
            y = np.tanh(y)
        return scale(y, np.tanh(x))

    graph, plain = traced(f, np.linspace(-1, 1, 100))
    x = np.resize(SPECIAL, 100)
    np.testing.assert_array_equal(plain(x)[0], graph(x)[0])


# --- no value changes -------------------------------------------------------------------------------------------------

UNARY = [
    np.exp, np.exp2, np.expm1, np.tanh, np.sin, np.cos, np.sqrt, np.log1p, np.abs, np.negative, np.square, np.floor, np.sinh, np.cosh,
    np.arctan, np.cbrt, np.reciprocal, np.sign, np.log, np.arcsinh, lambda x: 1.0 * (x > 0), lambda x: x.astype(np.float32) * 1.0,
]  # fmt: skip
BINARY = [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.hypot, np.copysign, np.power]
# What asks for the sign of a zero: that of one that absorbed something is not determined.
SIGNED = [np.reciprocal, np.divide, np.copysign, np.power]


@st.composite
def expressions(draw, unary_choices, binary_choices, depth=4):
    kind = draw(st.integers(0, 4)) if depth else 0
    if kind == 0:
        place, number = draw(st.integers(0, 3)), draw(st.sampled_from([0.0, 1.0, -2.0, 0.5, 1e20, np.inf]))
        return lambda *xs: xs[place] if place < 2 else number * np.ones_like(xs[0]) if place == 2 else number + 0 * np.sign(xs[0])
    if kind <= 2:
        unary, inner = draw(st.sampled_from(unary_choices)), draw(expressions(unary_choices, binary_choices, depth - 1))
        return lambda *xs: unary(inner(*xs))
    first, second = (draw(expressions(unary_choices, binary_choices, depth - 1)) for _ in range(2))
    if kind == 3:
        return lambda *xs: np.where(xs[0] > xs[1], first(*xs), second(*xs))
    binary = draw(st.sampled_from(binary_choices))
    return lambda *xs: binary(first(*xs), second(*xs))


GRID = [grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL)]


ALL = expressions(UNARY, BINARY)
NESTED = expressions([f for f in UNARY if f not in SIGNED], [f for f in [*BINARY, scale, scale] if f not in SIGNED])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.tuples(ALL, ALL), st.tuples(NESTED, NESTED)), st.sampled_from([np.float64, np.float32]))
def test_no_value_changes(factors, dtype):
    def f(x, y):
        return scale(factors[0](x, y), factors[1](x, y))

    with np.errstate(all="ignore"):
        xs = [x.astype(dtype) for x in GRID]
        graph, plain = traced(f, *xs)
        np.testing.assert_array_equal(plain(*xs)[0], graph(*xs)[0])
