"""Half precision in compiled programs: the bits of NumPy, where NumPy computes in single precision and rounds."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wengert as wg
from wengert.compiler.engine import Module, binding, processor
from wengert.compiler.halves import in_single
from wengert.compiler.native import code_of
from wengert.compiler.soft_half import NAMES, TEXT
from wengert.core.graph import Const
from wengert.core.primitive import REGISTRY

HALF = np.dtype(np.float16)
# NumPy's own loops of half precision do more than one step, or have functions of their own (of which this processor may have vectors).
BITS = [
    "add", "subtract", "multiply", "divide", "negative", "positive", "square", "sqrt", "reciprocal", "absolute", "maximum", "minimum", "fmax",
    "fmin", "remainder", "fmod", "floor_divide", "floor", "ceil", "trunc", "rint", "sign", "copysign", "heaviside", "equal", "not_equal", "less",
    "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_not", "isnan", "isinf", "isfinite", "signbit",
    "deg2rad", "rad2deg", "scale", "nextafter", "spacing",
]  # fmt: skip
FUNCTIONS = [
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan",
    "arcsinh", "arccosh", "arctanh", "cbrt", "power", "hypot", "arctan2", "logaddexp",
]  # fmt: skip


def every_half():
    x = np.arange(2**16, dtype=np.uint16).view(HALF)
    return np.where(np.isnan(x), HALF.type(np.nan), x)


def operands(name):
    x = every_half()
    n = 2 if "b" in {c for c in code_of(REGISTRY[name]) if c in "ab"} and name not in ("absolute", "cbrt") else 1
    try:
        with np.errstate(all="ignore"):
            REGISTRY[name].eval(*[x[:1]] * n)
    except (TypeError, ValueError):
        n = 3 - n
    return [x, *[np.random.default_rng(k).permutation(x) for k in range(1, n)]]


@pytest.mark.parametrize("name", BITS)
def test_bits_are_numpys(name):
    card, xs = REGISTRY[name], operands(name)
    function = wg.jit(lambda *a: card(*a))
    with np.errstate(all="ignore"):
        wanted, found = card.eval(*xs), function(*xs)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    assert bool(function.report(*xs).host_calls) == (name in ("nextafter", "spacing"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_within_one_unit(name):
    card, xs = REGISTRY[name], operands(name)
    with np.errstate(all="ignore"):
        wanted, found = card.eval(*xs), wg.jit(lambda *a: card(*a))(*xs)
    assert found.dtype == wanted.dtype == HALF
    places = [np.where(y.view(np.int16) < 0, -(y.view(np.int16) & 0x7FFF), y.view(np.int16)).astype(int) for y in (found, wanted)]
    both = np.isnan(found) & np.isnan(wanted)
    assert np.abs(np.where(both, 0, places[0] - places[1])).max() <= 1


def test_no_number_in_between_is_of_half_precision():
    x = np.ones(5, HALF)
    graph = in_single(wg.jit(lambda x: np.sum(np.exp(x) * x)).stages(x)["recorded"])
    halves = [node.primitive.name for node in graph.nodes if any(a.type.dtype == HALF and not isinstance(a, Const) for a in node.operands)]
    assert halves == ["cast"]
    assert graph.outputs[0].type.dtype == HALF


def reduced(x):
    return [np.sum(x), np.sum(x, axis=0), np.mean(x, axis=1), np.max(x, axis=0), np.min(x), np.prod(x[:2]), np.argmax(x, axis=1), np.any(x > 1)]


def test_reductions_are_as_exact_as_single_precision():
    x = np.random.default_rng(0).standard_normal((70, 90)).astype(HALF)
    found, exact = wg.jit(reduced)(x), reduced(x.astype(float))
    for y, wanted in zip(found, exact, strict=True):
        assert np.asarray(y).dtype == (HALF if np.asarray(wanted).dtype.kind == "f" else np.asarray(wanted).dtype)
        np.testing.assert_allclose(y, wanted, rtol=2.0**-11, atol=1e-4)


@pytest.mark.parametrize("n", [3, 40])
def test_products_are_numpys(n):
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((2, n, n)).astype(HALF)
    for function in (np.matmul, np.dot, lambda a, b: np.einsum("ij,kj->ik", a, b)):
        found = wg.jit(function)(a, b)
        assert found.dtype == HALF
        np.testing.assert_allclose(found, a.astype(float) @ (b.T if function not in (np.matmul, np.dot) else b).astype(float), rtol=1e-3, atol=2e-3)


def test_moves_numbers_and_other_dtypes():
    rng = np.random.default_rng(4)
    x, k = rng.standard_normal((6, 8)).astype(HALF), np.arange(8, dtype=np.int8)
    programs = [
        lambda x: np.concatenate([x, -x])[::-2, 1:].T,
        lambda x: x[[0, 3, 3], [1, 2, 2]],
        lambda x: np.where(x > 0.1, 0.1 * x, 2),
        lambda x: x + k,
        lambda x: x * np.float32(1.1),
        lambda x: (x.astype(np.float64) * 1.2345678).astype(np.float16),
        lambda x: x.astype(np.complex64) * 2j,
        lambda x: (x * 10).astype(np.int32),
        lambda x: np.pad(np.roll(x, 3, 1), 2),
        lambda x: x == 0.1,
        lambda x: np.linspace(0, 1, 8, dtype=np.float16) * x,
        lambda x: x,
        lambda x: (x[0, 0] * 3, float(2) * x[0]),
    ]
    for program in programs:
        wanted = program(x)
        function = wg.jit(program)
        found = function(x)
        for a, b in zip(found if isinstance(found, tuple) else [found], wanted if isinstance(wanted, tuple) else [wanted], strict=True):
            assert type(a) is type(b)
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        assert not function.report(x).host_calls


def test_gradients_are_the_eager_ones():
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((20, 6)).astype(HALF), rng.standard_normal(6).astype(HALF)

    def loss(w, x):
        return np.mean(np.square(np.tanh(x @ w) - 0.5))

    found, wanted = wg.jit(wg.value_and_grad(loss))(w, x), wg.value_and_grad(loss)(w, x)
    for a, b in zip(found, wanted, strict=True):
        assert np.asarray(a).dtype == HALF
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)


CALLS = """
define void @extend(ptr %p) {{
  {loop}
  %x = load half, ptr %a
  %y = {extend}
  store float %y, ptr %b
  {end}
}}
define void @truncate(ptr %p) {{
  {loop}
  %x = load float, ptr %b
  %y = {truncate}
  store half %y, ptr %a
  {end}
}}
"""
LOOP = """%h = load ptr, ptr %p
  %q = getelementptr ptr, ptr %p, i64 1
  %f = load ptr, ptr %q
  br label %loop
loop:
  %i = phi i64 [0, %0], [%n, %loop]
  %a = getelementptr half, ptr %h, i64 %i
  %b = getelementptr float, ptr %f, i64 %i"""
END = """%n = add i64 %i, 1
  %more = icmp slt i64 %n, 65536
  br i1 %more, label %loop, label %done
done:
  ret void"""


def test_conversions_by_whole_numbers_are_those_of_the_processor():
    words = {"loop": LOOP, "end": END, "extend": "call float @wg_extend(half %x)", "truncate": "call half @wg_truncate(float %x)"}
    module = Module(TEXT + CALLS.format(**words))
    half, single = every_half(), np.zeros(2**16, np.float32)
    pointers = (ctypes.c_void_p * 2)(half.ctypes.data, single.ctypes.data)
    module.function("extend")(ctypes.addressof(pointers))
    np.testing.assert_array_equal(single, half.astype(np.float32))
    rng = np.random.default_rng(8)
    middle = (np.abs(single[: 2**15 - 2**10]) + np.abs(single[1 : 2**15 - 2**10 + 1])) / 2
    single[:] = np.resize(np.concatenate([middle, np.nextafter(middle, 0), -np.nextafter(middle, 9e9), np.exp2(rng.uniform(-40, 40, 9999))]), 2**16)
    single[:4] = np.inf, -np.inf, np.nan, -0.0
    module.function("truncate")(ctypes.addressof(pointers))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(half, single.astype(HALF))


def test_where_there_are_no_instructions_those_are_called():
    words = {"loop": LOOP, "end": END, "extend": "fpext half %x to float", "truncate": "fptrunc float %x to half"}
    host = processor()
    if not host.triple.startswith("x86_64"):
        return
    plain = binding().Target.from_triple(host.triple).create_target_machine(cpu="x86-64", features="", opt=2)
    text = plain.emit_assembly(binding().parse_assembly(CALLS.format(**words)))
    assert {name for name in NAMES if name in text} == set(NAMES)


STEPS = [
    lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - 0.3 * y, lambda x, y: x / (np.abs(y) + 1), lambda x, y: np.sqrt(np.abs(x)),
    lambda x, y: np.maximum(x, y), lambda x, y: np.where(x < y, x, -y), lambda x, y: x[::-1], lambda x, y: np.floor(x) + y,
]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=8))
def test_random_programs_have_numpys_bits(steps):
    def program(x, y):
        values = [x, y]
        for k, i, j in steps:
            values.append(STEPS[k](values[i % len(values)], values[j % len(values)]))
        return values[-1]

    x, y = np.random.default_rng(6).standard_normal((2, 37)).astype(HALF)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wg.jit(program)(x, y), program(x, y))
