"""Scalar code in the complex plane: every card with a loop of complex numbers under `jit`, against NumPy and against more digits."""

import functools
import itertools

import mpmath
import numpy as np
import pytest

import wengert as wg
from wengert.compiler.native import code_of
from wengert.compiler.plane import CODES, FUNCTIONS, OF_REAL_NUMBERS, plane_code
from wengert.compiler.scalar import ScalarCodeError, parse
from wengert.core.primitive import REGISTRY

DTYPES = [np.dtype(np.complex128), np.dtype(np.complex64)]
HOST = {"absolute", "sign", "hazard", "erf", "erfc", "erfcx", "ndtr", "log_ndtr", "gamma", "psi"}  # no code, or SciPy's
ELSEWHERE = {"cast", "real", "conjugate", "where", "stop_gradient"}  # `wengert.compiler.pairs` says them itself
# Where an error of an operand's rounding counts more than once, and by how much: exponentials of something large.
COUNTS = {
    "power": lambda a, b: 1 + np.abs(b) * (np.abs(np.log(a)) + 1),
    "float_power": lambda a, b: 1 + np.abs(b) * (np.abs(np.log(a)) + 1),
    "exp_share": lambda a, b: 1 + np.abs(a - b),
    "exp2_share": lambda a, b: 1 + np.abs(a - b),
}
CANCELS = {"log1p"}  # NumPy's has no correct digits near 0
COMPOSED = {"sech", "arcsin_slope", "arcsinh_slope", "arccosh_slope", "expm1", "exp_share", "exp2_share"}


def pairs(re, im, dtype):
    z = np.empty(len(re), dtype)
    z.real, z.imag = re, im
    return z


def arity_of(name):
    card, z = REGISTRY[name], np.array([0.3 + 0.4j])
    for n in (1, 2):
        try:
            card.eval(*[z] * n)
        except (TypeError, ValueError, AttributeError):
            continue
        return n
    return 0


ARITY = {name: arity_of(name) for name, card in REGISTRY.items() if code_of(card) and name not in ELSEWHERE}
CARDS = [name for name, n in ARITY.items() if n and name not in HOST]


def special(dtype):
    limits = np.finfo(dtype)
    edge = 710.0 if dtype == DTYPES[0] else 89.0
    values = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, np.inf, -np.inf, np.nan, limits.tiny * 4, limits.max, -limits.max * 0.9, edge, 3.0, 100.0]
    return pairs(*np.array(list(itertools.product(values, values))).T, dtype)


def usual(dtype):
    rng = np.random.default_rng(0)
    angle, n = rng.uniform(0, 7, 500), 500
    parts = [
        rng.standard_normal((2, n)), np.exp(rng.uniform(-20, 20, (2, n))) * rng.choice([-1, 1], (2, n)), rng.uniform(-40, 40, (2, n)),
        np.array([np.cos(angle), np.sin(angle)]) * (1 + rng.uniform(-1e-6, 1e-6, n)), np.array([1 + 1e-5 * rng.standard_normal(n), 1e-5 * angle]),
    ]  # fmt: skip
    return pairs(*np.concatenate(parts, axis=1), dtype)


def operands(name, z):
    """The numbers, and for cards of two the same in another order."""
    if ARITY[name] == 1:
        return (z,)
    if len(z) < 300:  # every special number with others
        i, j = np.divmod(np.random.default_rng(1).permutation(len(z) ** 2)[:4000], len(z))
        return z[i], z[j]
    other = np.random.default_rng(2).permutation(z)
    return z, np.where(np.abs(other) < 30, other, 1.5) if "power" in name else other


@functools.cache
def run(name, dtype):
    """Operands, results, and NumPy's results: at special numbers, and at usual ones."""
    card, parts = REGISTRY[name], [operands(name, special(dtype)), operands(name, usual(dtype))]
    xs = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    function = wg.jit(lambda *a: card(*a))
    with np.errstate(all="ignore"):
        wanted, found = card.eval(*xs), function(*xs)
    assert not function.report(*xs).host_calls
    assert found.dtype == wanted.dtype
    n = len(parts[0][0])
    return [tuple([tuple([x[part] for x in xs]), found[part], wanted[part]]) for part in (slice(n), slice(n, None))]


def test_every_card_of_complex_numbers_is_swept_or_named():
    assert {name for name, n in ARITY.items() if n} == {*CARDS, *HOST}
    assert set(CODES) <= set(CARDS)
    for name in FUNCTIONS:
        parse(" ".join(FUNCTIONS[name].split()))
    for name in HOST:
        assert name in OF_REAL_NUMBERS or plane_code(name, code_of(REGISTRY[name]), (True,) * max(1, ARITY[name])) is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CARDS)
def test_special_values_are_numpys(name, dtype):
    xs, found, wanted = run(name, dtype)[0]
    if wanted.dtype.kind == "b":
        np.testing.assert_array_equal(found, wanted)
        return
    limits = np.finfo(wanted.dtype)
    unlike = np.zeros(found.shape, bool)
    for a, b in ((found.real, wanted.real), (found.imag, wanted.imag)):
        with np.errstate(all="ignore"):
            near = (a == b) | (np.abs(a - b) <= 1e-5 * np.abs(b) + 1e3 * limits.tiny) | ((np.abs(a - b) <= 30 * limits.eps * np.abs(wanted)) & np.isfinite(wanted))
        unlike |= ~(near | (np.isnan(a) & np.isnan(b)))
    if name in COUNTS:  # an angle or a power so large that no digit of it is known, and overflow on the way
        with np.errstate(all="ignore"):
            size = COUNTS[name](*[x.astype(complex) for x in xs]) * np.finfo(xs[0].dtype).eps
        unlike &= (size < 1e-6) & ~((np.abs(xs[0].real) > 1e30) | (np.abs(xs[0].imag) > 1e30)) & np.isfinite(size)
    assert not unlike.any(), [(x[unlike][0]) for x in (*xs, found, wanted)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", [name for name in CARDS if name not in CANCELS])
def test_values_are_numpys_to_rounding(name, dtype):
    xs, found, wanted = run(name, dtype)[1]
    if wanted.dtype.kind == "b":
        np.testing.assert_array_equal(found, wanted)
        return
    limits = np.finfo(wanted.dtype)
    size = np.abs(wanted)
    known = np.isfinite(wanted) & np.isfinite(found) & (size > 1e3 * limits.tiny) & (size < limits.max / 4)
    assert known.mean() > 0.5
    with np.errstate(all="ignore"):
        times = COUNTS[name](*[x.astype(complex) for x in xs]) if name in COUNTS else 1.0
        units = np.where(known, np.abs(found - wanted) / (size * limits.eps * times), 0)
    worst = int(np.argmax(units))
    assert units[worst] <= (8 if name in COMPOSED or name in COUNTS else 4), (units[worst], [x[worst] for x in xs], found[worst], wanted[worst])


EXACT = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "sqrt": mpmath.sqrt, "sin": mpmath.sin, "cos": mpmath.cos,
    "tan": mpmath.tan, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "arcsin": mpmath.asin, "arccos": mpmath.acos,
    "arctan": mpmath.atan, "arcsinh": mpmath.asinh, "arccosh": mpmath.acosh, "arctanh": mpmath.atanh,
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_functions_are_near_the_truth(name, dtype):
    (z,), found, _ = run(name, dtype)[1]
    limits = np.finfo(dtype)
    known = np.flatnonzero(np.isfinite(found) & (np.abs(found) > 1e3 * limits.tiny))[::11]
    z, found = z[known], found[known]
    assert len(z) > 150
    with mpmath.workdps(60):
        exact = [EXACT[name](mpmath.mpc(x.real, x.imag)) for x in z.astype(complex)]
        units = [float(abs(mpmath.mpc(y.real, y.imag) - e) / abs(e)) / np.finfo(dtype).eps for y, e in zip(found.astype(complex), exact, strict=True)]
    assert np.max(units) <= 4, (np.max(units), z[int(np.argmax(units))])


def test_real_operands_take_one_letter():
    assert plane_code("add", "a + b", (True, False)) == ("(a + c)", "(b + 0.0)")
    assert plane_code("multiply", "a * b", (True, True)) == ("fmuladd(a, c, -(b * d))", "fmuladd(a, d, (b * c))")
    assert plane_code("exp", "exp(a)", (True,))[0].startswith("in double: ")


def test_code_that_has_no_meaning_for_complex_numbers_is_none():
    assert plane_code("floor", "floor(a)", (True,)) is None
    assert plane_code("remainder", "a % b", (True, True)) is None
    with pytest.raises(ScalarCodeError):
        parse("a = ")
