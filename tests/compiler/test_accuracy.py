"""Functions of the library: within 4 units in the last place of NumPy everywhere, and of the same bits wherever a number stands."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special
from code_loop import compile_code, floats, special_floats, units_apart

from wengert.compiler.engine import optimised, vector_bits
from wengert.compiler.scalar import FLOATS
from wengert.compiler.vector_math import ARITY, LIBM, SPECIAL, VECTOR, VectorMath, address_of_special

NUMPY = {
    **{name: getattr(np, name) for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt", "hypot", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")},
    "pow": np.power, "fmod": np.fmod, "nextafter": np.nextafter, "erf": scipy.special.erf, "exp10": scipy.special.exp10,
    "erfc": np.vectorize(math.erfc, otypes=["float64"]),  # SciPy's is 400 units off far to the right
}  # fmt: skip
WIDTHS = [bits for bits in (0, 128, 256, 512) if bits <= vector_bits()]
HARD = [22.0, 355.0 / 113, 1e9, math.pi, math.pi / 2, 1.0000000001, 0.9999999999, 1e-8, 1e-300, 5e-324, 0.5, 0.46875, 19.06, 709.78]
MPMATH = {"cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), "exp2": lambda x: mpmath.mpf(2) ** x, "exp10": lambda x: mpmath.mpf(10) ** x,
          "log2": lambda x: mpmath.log(x, 2), "log10": mpmath.log10, "log1p": mpmath.log1p, "expm1": mpmath.expm1}  # fmt: skip


def code_of(name):
    return f"{name}(a, b)" if name in ARITY else f"{name}(a)"


def samples(name, dtype, n=3000):
    """Special values, alone or in all pairs, and others of every magnitude."""
    rng, special = np.random.default_rng(5), special_floats(dtype)
    if name not in ARITY:
        multiples = rng.integers(1, 10**6, n) * (np.pi / 2)
        return [np.concatenate([special, floats(dtype, rng, n), multiples.astype(dtype)])]
    grid = [g.ravel() for g in np.meshgrid(special, special)]
    others = [rng.permutation(floats(dtype, rng, n)) for _ in range(2)]
    others[1][: len(others[1]) // 4] = rng.integers(-20, 20, len(others[1]) // 4)
    return [np.concatenate([g, x]) for g, x in zip(grid, others, strict=True)]


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(LIBM))
def test_within_four_units_of_numpy(name, dtype, bits):
    xs = samples(name, dtype)
    with np.errstate(all="ignore"):
        wanted = NUMPY[name](*xs).astype(dtype)
    found = compile_code(code_of(name), [dtype] * len(xs), dtype, dtype, bits)(*xs)
    apart = units_apart(found, wanted)
    if name == "exp10":  # SciPy's has no subnormal numbers
        apart = np.where((wanted == 0) & (found < np.finfo(dtype).tiny), 0, apart)
    worst = int(np.argmax(apart))
    assert apart[worst] <= 4, (apart[worst], [x[worst] for x in xs], found[worst], wanted[worst])
    signs = (found == 0) & (wanted == 0) & (np.signbit(found) != np.signbit(wanted))
    assert not signs.any(), [x[np.argmax(signs)] for x in xs]


@pytest.mark.parametrize("name", sorted(VECTOR - set(ARITY)))
def test_within_four_units_of_the_truth(name):
    """For moderate numbers: near multiples of pi beyond 1e11 glibc, and NumPy with it, lose digits of sin and cos."""
    rng = np.random.default_rng(11)
    x = np.concatenate([HARD, np.negative(HARD), rng.uniform(-9, 9, 60), rng.uniform(-1, 1, 60), np.exp2(rng.uniform(-60, 30, 60))])
    found = compile_code(code_of(name), ["float64"], "float64", "float64")(x)
    function = MPMATH.get(name) or getattr(mpmath, name)
    with mpmath.workdps(60):
        exact = [function(mpmath.mpf(float(t))) if np.isfinite(y) else None for t, y in zip(x, found, strict=True)]
        for t, y, z in zip(x, found, exact, strict=True):
            if z is not None:
                assert abs(z - float(y)) <= 4 * np.spacing(abs(float(z)) or 1.0), (t, y, float(z))


# --- one number, one image --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(LIBM | SPECIAL))
def test_the_same_bits_wherever_a_number_stands(name, dtype):
    xs = samples(name, dtype, 30)
    call = compile_code(code_of(name), [dtype] * len(xs), dtype, dtype)
    whole = call(*xs)
    n = whole.size
    np.testing.assert_array_equal([call(*[x[k : k + 1] for x in xs])[0] for k in range(n)], whole)
    for shift in (1, 5, 11):  # in another lane, and among other numbers
        np.testing.assert_array_equal(call(*[x[shift:] for x in xs]), whole[shift:])
    order = np.random.default_rng(0).permutation(n)
    np.testing.assert_array_equal(call(*[x[order] for x in xs]), whole[order])


@pytest.mark.skipif(vector_bits() < 128, reason="there is no libmvec on this machine")
@pytest.mark.parametrize("dtype", FLOATS)
def test_loops_call_libmvec(dtype):
    text = optimised(compile_code("exp(a) + log(a)", [dtype], dtype, dtype).text)
    loop = text[text.index("define void @f") : text.index("define linkonce")]
    lanes = vector_bits() // np.dtype(dtype).itemsize // 8
    assert f"call <{lanes} x {FLOATS[dtype]}> @_ZGV" in loop


@pytest.mark.skipif(vector_bits() < 256, reason="single and double precision take the same number of lanes")
def test_single_precision_has_a_form_for_loops_of_doubles():
    math_calls = VectorMath(vector_bits())
    math_calls.call("exp", "float32", ["%x"])
    lanes = vector_bits() // 32
    declared = "\n".join(math_calls.declarations())
    assert f"_ZGV_LLVM_N{lanes // 2}v_one_expf" in declared
    assert f"_ZGV_LLVM_N{lanes}v_one_expf" in declared


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_remainders_are_exact(dtype, bits):
    """Also beside multiples of the divisor, where the rounded quotient is the next whole number."""
    rng, up = np.random.default_rng(3), np.dtype(dtype).type(np.inf)
    b = np.concatenate([floats(dtype, rng, 5000), special_floats(dtype)])
    with np.errstate(all="ignore"):
        multiple = (b * np.floor(np.exp2(rng.uniform(0, 60, b.size)))).astype(dtype)
        near = [multiple, np.nextafter(multiple, up), np.nextafter(multiple, -up), rng.permutation(b)]
        call = compile_code("fmod(a, b)", [dtype, dtype], dtype, dtype, bits)
        for a in near:
            for sign in (1, -1):
                wanted = np.fmod(sign * a, b)
                found = call(sign * a, b)
                np.testing.assert_array_equal(found, wanted)
                np.testing.assert_array_equal(np.signbit(found[wanted == 0]), np.signbit(wanted[wanted == 0]))


def test_without_libmvec_powers_of_ten_are_powers():
    x = np.array([0.0, 2.0, -3.5, 400.0, np.nan])
    found = compile_code("exp10(a) + pow(a, a)", ["float64"], "float64", "float64", 0)(x)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found, 10.0**x + x**x, rtol=1e-15)


@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_scipys_functions_have_an_address(name):
    assert address_of_special(name)
    x = np.array([0.3, 0.7, 0.9])
    xs = [x] * ARITY.get(name, 1)
    wanted = np.array([getattr(scipy.special, name)(*row) for row in zip(*xs, strict=True)])
    np.testing.assert_array_equal(compile_code(code_of(name), ["float64"] * len(xs), "float64", "float64")(*xs), wanted)
