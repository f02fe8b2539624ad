"""Scalar code: the language, and the code of every card against its value in NumPy."""

import ast
import math
import warnings

import numpy as np
import pytest
from code_loop import compile_code, floats, special_floats, units_apart
from hypothesis import given, settings
from hypothesis import strategies as st

import wengert as wg
from wengert.compiler.native import code_of, cost_of, has_meaning
from wengert.compiler.scalar import FLOATS, HALF, IN_DOUBLE, LLVM, ScalarCodeError, Scalars, parse
from wengert.compiler.vector_math import FUNCTIONS
from wengert.core.primitive import REGISTRY
from wengert.primitives.elementwise import elementwise

ELEMENTWISE = {n: p for n, p in REGISTRY.items() if p.family == "elementwise" or (p.family == "discrete" and p.domain is not None)}
WITHOUT_CODE = {
    "gcd": "a loop whose length depends on the numbers",
    "lcm": "a loop whose length depends on the numbers",
    "hazard_excess": "a continued fraction of an order that is an operand",
    "polygamma": "of an order that is an operand",
    "polygamma_rise": "of an order that is an operand",
    "spherical_quotient": "of an order that is an operand",
    "bessel_quotient": "of an order that is an operand",
}
# Differences of logarithms, or of a sum and its terms, which cancel: the size beside which they are exact.
CANCELS = {
    "log_ratio": lambda a, b: np.abs(np.log(np.abs(a))) + np.abs(np.log(np.abs(b))),
    "kl_div": lambda a, b: np.abs(a) + np.abs(b),
    "rel_entr": lambda a, b: np.abs(a) * (np.abs(np.log(np.abs(a))) + np.abs(np.log(np.abs(b)))),
    "logaddexp": np.maximum,
    "logaddexp2": np.maximum,
}
# Where SciPy and NumPy are less exact: far to the right the erfc of SciPy is 400 units off, exp10 has no subnormal numbers,
# and NumPy's i0 of single precision overflows in between.
EXACT = {"erfc": np.vectorize(math.erfc, otypes=["float64"])}
FLUSHES = {"exp10": 1e-300}
OVERFLOWS = {"i0"}
# Made of several functions, each with its 4 units.
COMPOSED = {name for name, card in ELEMENTWISE.items() if sum(card.code.count(f"{f}(") for f in FUNCTIONS) > 1} | {"expit", "sech", "i0"}
# Of two zeros of different sign NumPy takes one or the other, depending on where they stand in the array; and a zero
# that absorbs has the sign of the product or none, depending on whether there is a NaN somewhere in the array.
ZEROS = {"maximum", "minimum", "fmax", "fmin", "scale"}
NUMBERS = [dtype for dtype in LLVM if dtype != HALF]  # half precision is in memory only
WHOLE_ONLY = {"bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift", "bitwise_count"}
OPERANDS = {"where": ("bool", "", ""), "ldexp": ("", "int32"), "lower_power": ("", "", "")}


def operands_of(name, dtype):
    """The dtypes of a card's operands when its numbers are of `dtype`."""
    names = [node for node in ast.walk(ast.parse(code_of(REGISTRY[name]).removeprefix(IN_DOUBLE))) if isinstance(node, ast.Name)]
    assigned = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    kinds = OPERANDS.get(name, [""] * len({node.id for node in names} & set("abc") - assigned))
    return [kind or dtype for kind in kinds]


def values_of(dtype, rng, n=800):
    kind = np.dtype(dtype).kind
    if kind == "f":
        return special_floats(dtype), floats(dtype, rng, n)
    if kind == "b":
        return np.array([False, True]), rng.integers(0, 2, n).astype(bool)
    limits = np.iinfo(dtype)
    near = [0, 1, 2, 3, 5, 7, 8, 31, limits.max, limits.max - 1, limits.min, limits.min + 1, *([-1, -2, -3, -7] if limits.min else [4])]
    return np.array(near, dtype), np.concatenate([rng.integers(limits.min, limits.max, n, dtype, endpoint=True), rng.integers(0, 9, n, dtype)])


def columns(name, dtypes):
    """Every combination of special values, and many others."""
    rng = np.random.default_rng(7)
    pairs = [values_of(dtype, rng) for dtype in dtypes]
    if name == "lower_power":  # in single precision a large exponent loses whether it is even
        pairs[1] = tuple(np.where(np.abs(x) < 1000, x, 0.5).astype(dtypes[1]) for x in pairs[1])
        pairs[2] = (np.array([1, 2, 3], dtypes[2]), rng.integers(1, 4, 800).astype(dtypes[2]))
    step = 3 if len(dtypes) > 2 else 1
    grid = np.meshgrid(*[special[::step] if len(special) > 9 else special for special, _ in pairs])
    n = max(len(others) for _, others in pairs)
    return [np.concatenate([g.ravel(), rng.permutation(np.resize(others, n))]) for g, (_, others) in zip(grid, pairs, strict=True)]


def test_every_elementwise_card_has_code_or_a_reason():
    assert {name for name, card in ELEMENTWISE.items() if not card.code} == set(WITHOUT_CODE)


def loop_of(name, dtype):
    """The dtypes of NumPy's result and of its loop, if NumPy and the code both have one."""
    card, dtypes = REGISTRY[name], operands_of(name, dtype)
    try:
        with np.errstate(all="ignore"):
            out = card.eval(*[np.ones(1, d) for d in dtypes]).dtype.name
    except TypeError:
        return None
    working = out if out in FLOATS else dtype
    return (out, working) if out in NUMBERS and has_meaning(name, card.code, working, len(dtypes)) else None


CASES = [
    (name, dtype)
    for name, card in ELEMENTWISE.items()
    for dtype in (NUMBERS if isinstance(card.eval, np.ufunc) or name == "where" else FLOATS)
    if card.code and loop_of(name, dtype)
]


def test_floats_have_every_code_and_whole_numbers_theirs():
    assert {name for name, dtype in CASES if dtype == "float32"} == {name for name, card in ELEMENTWISE.items() if card.code} - WHOLE_ONLY
    assert {name for name, dtype in CASES if dtype == "int32"} >= {"add", "floor_divide", "remainder", "fmod", "maximum", *WHOLE_ONLY}


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_code_is_the_value(name, dtype):
    card, dtypes = REGISTRY[name], operands_of(name, dtype)
    xs = columns(name, dtypes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = EXACT[name](*xs).astype(dtype) if name in EXACT else card.eval(*xs)
    out, working = loop_of(name, dtype)
    compare(name, compile_code(card.code, dtypes, out, working)(*xs), wanted, xs)


def compare(name, found, wanted, xs):
    """Within 4 units in the last place, and zeros of the same sign; anything else exactly."""
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
        return
    apart = units_apart(found, wanted)
    with np.errstate(all="ignore"):
        if name in CANCELS:
            error = np.abs(found - wanted)
            apart = np.where(error <= 4 * np.finfo(wanted.dtype).eps * np.abs(CANCELS[name](*xs)), 0, apart)
        if name in FLUSHES:
            apart = np.where((wanted == 0) & (np.abs(found) < FLUSHES[name]), 0, apart)
        if name in OVERFLOWS:
            apart = np.where(np.isinf(wanted) & (found > np.finfo(wanted.dtype).max / 1e3), 0, apart)
    worst = int(np.argmax(apart))
    assert apart[worst] <= (8 if name in COMPOSED else 4), (apart[worst], [x[worst] for x in xs], found[worst], wanted[worst])
    if name not in ZEROS:
        signs = (found == 0) & (wanted == 0) & (np.signbit(found) != np.signbit(wanted))
        assert not signs.any(), [x[np.argmax(signs)] for x in xs]


# --- conversions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", LLVM)
@pytest.mark.parametrize("target", LLVM)
def test_casts_are_numpys(source, target):
    if source == HALF:
        x = np.arange(2**16, dtype=np.uint16).view(source)  # all of them
    else:
        x = np.concatenate(values_of(source, np.random.default_rng(1)))
    if target == HALF and source in FLOATS:  # and what lies in the middle of two, or next to that
        with np.errstate(over="ignore"):
            middle = np.arange(2**11 + 1, 2**16, 2) * np.exp2(np.random.default_rng(2).integers(-41, 3, 2**15 - 2**10))
            x = np.concatenate([x, *[np.nextafter(middle.astype(source), source_end) for source_end in (0, np.inf)], middle]).astype(source)
    if np.dtype(source).kind == "f" and np.dtype(target).kind in "iu":  # of what does not fit, NumPy warns, and the result is the processor's
        limits = np.iinfo(target)
        with np.errstate(invalid="ignore"):
            whole = np.trunc(x.astype(np.longdouble))
        x = x[(whole >= limits.min) & (whole <= limits.max)]
    with np.errstate(all="ignore"):
        wanted = x.astype(target)
    np.testing.assert_array_equal(compile_code("a", [source], target, "float32" if source == HALF else source)(x), wanted)


@pytest.mark.parametrize("target", [d for d in NUMBERS if d not in (*FLOATS, "bool")])
def test_casts_of_what_does_not_fit_are_the_same_everywhere(target):
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30] * 13)
    cast = compile_code("a", ["float64"], target, "float64")
    np.testing.assert_array_equal(cast(x), [cast(x[k : k + 1])[0] for k in range(len(x))])


# --- powers by a number -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, 5, -1, -2, -3, 0.5, -0.5, 1.5, 2.5, 1 / 3, np.inf, np.nan])
def test_powers_by_a_number(dtype, exponent):
    x = np.concatenate([special_floats(dtype), floats(dtype, np.random.default_rng(2), 800)])
    with np.errstate(all="ignore"):
        wanted = np.power(x, exponent)
    assert wanted.dtype == dtype
    name = f"pow(a, {exponent!r})" if np.isfinite(exponent) else f"pow(a, {'inf' if exponent > 0 else 'nan'})"
    compare("power", compile_code(name, [dtype], dtype, dtype)(x), wanted, [x])


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("a +", "is no expression"),
        ("u = a; b = 2", "ends without a value"),
        ("a; b", "has no 'a'"),
        ("a[0]", "has no 'a[0]'"),
        ("a ** b", "has no operator"),
        ("frobnicate(a)", "has no function 'frobnicate'"),
        ("pow(a)", "pow takes 2 numbers, not 1"),
        ("a + c", "no operand or constant c"),
        ("'x'", "no operand or constant x"),
        ("a < b < 2", "has no 'a < b < 2'"),
    ],
)
def test_a_mistake_names_the_card(code, said):
    with pytest.raises(ScalarCodeError, match="the card 'wrong' is wrong") as caught:
        has_meaning("wrong", code, "float64", 2)
    assert said in str(caught.value)


def test_a_mistake_on_a_card_shows_when_it_is_compiled():
    card = elementwise("mistaken", np.sin, lambda y, x: np.cos(x), code="sine(a)", numpy=())
    try:
        with pytest.raises(ScalarCodeError, match="the card 'mistaken' is wrong: scalar code has no function 'sine'"):
            wg.jit(card)(np.ones(3))
    finally:
        del REGISTRY["mistaken"]


def test_code_may_have_a_meaning_for_floats_alone():
    assert has_meaning("half", "a / 2", "float64", 1)
    assert not has_meaning("half", "a / 2", "int64", 1)
    assert not has_meaning("far", "inf", "int8", 1)
    assert not has_meaning("and", "a & b", "float32", 2)


def test_what_has_no_meaning_for_its_dtype_is_left_to_numpy():
    x = np.array([7, -3, 2])
    np.testing.assert_array_equal(wg.jit(np.reciprocal)(x), np.reciprocal(x))
    np.testing.assert_array_equal(wg.jit(lambda a: a**2)(x), x**2)
    assert "reciprocal" in str(wg.jit(np.reciprocal).report(x))


COMPANY = [0.1, 2, 300, -1, np.float32(0.1), np.float64(0.1), np.int8(5), np.uint64(2**63 + 1), True]
MEETINGS = [np.equal, np.less, np.maximum, np.add, np.multiply, np.divide, np.arctan2, np.logical_and]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "int64", "uint64", "bool"])
def test_numbers_promote_as_in_numpy(dtype):
    x = np.array([0, 1, 0.1, 5, 100, 44], dtype)
    pairs = [(operation, other) for operation in MEETINGS for other in COMPANY if is_defined(operation, x, other)]
    assert len(pairs) > 40

    def program(a):
        return [operation(a, other) for operation, other in pairs]

    for wanted, found in zip(program(x), wg.jit(program)(x), strict=True):
        assert wanted.dtype == found.dtype
        tolerance = {"float32": 1e-6, "float64": 1e-14}.get(wanted.dtype.name, 0)
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=0)


def is_defined(operation, x, other):
    """Whether NumPy has an answer: not for a Python number that its company cannot hold."""
    try:
        operation(x, other)
    except OverflowError:
        return False
    return True


def test_functions_cost_more_than_sums():
    assert cost_of(REGISTRY["add"]) < cost_of(REGISTRY["divide"]) < cost_of(REGISTRY["exp"]) < cost_of(REGISTRY["gaussian"])


# --- random expressions -----------------------------------------------------------------------------------------------

UNARY = ["exp", "sin", "cos", "tanh", "arctan", "absolute", "sign", "negative", "floor", "rint", "sqrt", "log", "expm1", "square", "isnan"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "fmin", "hypot", "arctan2", "less", "equal", "copysign", "remainder"]


@st.composite
def expressions(draw, depth=4):
    """A random program as a function of three arrays."""
    kind = draw(st.integers(0, 5)) if depth else 0
    if kind == 0:
        place = draw(st.integers(0, 3))
        number = draw(st.sampled_from([0.5, -2.0, 3.0, 0.0]))
        return lambda *xs: xs[place] if place < 3 else number
    if kind in (1, 2):
        unary, inner = getattr(np, draw(st.sampled_from(UNARY))), draw(expressions(depth - 1))
        return lambda *xs: unary(1.0 * inner(*xs))
    first, second = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    if kind == 5:
        test = draw(expressions(depth - 1))
        return lambda *xs: np.where(test(*xs) > 0, first(*xs), second(*xs))
    binary = getattr(np, draw(st.sampled_from(BINARY)))
    return lambda *xs: binary(1.0 * first(*xs), 1.0 * second(*xs))  # truth values have no differences


@settings(max_examples=60, deadline=None)
@given(expressions(), st.sampled_from(["float64", "float32"]), st.integers(0, 2**32 - 1), st.sampled_from([(), (3,), (37,), (2, 5)]))
def test_random_expressions_are_the_eager_ones(expression, dtype, seed, shape):
    rng = np.random.default_rng(seed)
    xs = [np.where(rng.random(shape) < 0.2, rng.choice(special_floats(dtype)), rng.uniform(-3, 3, shape)).astype(dtype) for _ in range(3)]
    exact = [np.where(np.abs(x) < 100, np.rint(np.clip(x, -100, 100) * 4) / 4, x) for x in xs]  # without rounding errors to be amplified

    def program(*arrays):
        return expression(*arrays) + 0 * arrays[0] if shape else expression(*arrays) * 1.0

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        wanted = np.asarray(program(*exact))
        found = np.asarray(wg.jit(program)(*exact))
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    if not is_continuous_near(program, exact, wanted):
        return
    tolerance = 1e-9 if dtype == "float64" else 1e-2
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def is_continuous_near(program, xs, wanted):
    """Whether rounding errors of the operands leave the results where they are: floors and comparisons amplify them."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            near = [x * (1 + 8 * np.finfo(x.dtype).eps * rng.choice([-1, 1], x.shape)).astype(x.dtype) for x in xs]
            other = np.asarray(program(*near))
        if not np.allclose(other, wanted, rtol=1e-3, atol=1e-3, equal_nan=True):
            return False
    return True


def test_parse_gives_names_in_order():
    assignments, result = parse("u = a + 1; v = u * u; v - u")
    assert [name for name, _ in assignments] == ["u", "v"]
    assert ast.unparse(result) == "v - u"
    lines = []
    Scalars(lines, lambda *_: "").emit("u = a + a; u * u", [("%a", "float64")], "float64")
    assert [line.split(" = ")[1] for line in lines] == ["fadd double %a, %a", "fmul double %v1, %v1"]
