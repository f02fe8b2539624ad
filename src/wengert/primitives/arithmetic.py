"""Cards: arithmetic, comparisons, choices, and rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.primitives.align import align_elementwise, align_to_inexact, as_operand, inexact_dtype
from wengert.primitives.elementwise import elementwise, scaled, step
from wengert.primitives.slopes import cosine_of_sides
from wengert.primitives.structure import imag, real

_LOWER_POWER = (
    "in double: e = b - c; d = pow(a, b) / a; d = d / a if c > 1 else d; d = d / a if c > 2 else d; "
    "pow(a, e) if e + c == b or a == 0 or a - a != 0 else d / pow(a, c - 3) if c > 3 else d"
)

# fmt: off - a table of cards: name, value, slope for each operand

add      = elementwise("add",      np.add,         1, 1,                                   formula="a + b", code="a + b")
subtract = elementwise("subtract", np.subtract,    1, -1,                                  formula="a - b", code="a - b")
negative = elementwise("negative", np.negative,    -1,                                     formula="-a", code="-a")
positive = elementwise("positive", np.positive,    1,                                      formula="+a", code="a")
multiply = elementwise("multiply", np.multiply,    lambda y, a, b: b, lambda y, a, b: a,   formula="a b", code="a * b")
divide   = elementwise("divide",   np.true_divide, lambda y, a, b: 1 / b, lambda y, a, b: -y / b, formula="a / b",
                       domain=((-2.0, 2.0), (0.5, 3.0)), code="a / b")
reciprocal = elementwise("reciprocal", np.reciprocal, lambda y, a: -y * y, formula="1 / a", domain=(0.5, 3.0), code="1 / a")
square   = elementwise("square",   np.square,      lambda y, a: 2 * a,                     formula="a²", code="a * a")
sqrt     = elementwise("sqrt",     np.sqrt,        lambda y, a: 0.5 / y,                   formula="√a", domain=(0.1, 4.0), code="sqrt(a)")
cbrt     = elementwise("cbrt",     np.cbrt,        lambda y, a: 1 / (3 * np.square(y)),    formula="∛a", domain=(0.1, 4.0), code="cbrt(a)")
fabs     = elementwise("fabs",     np.fabs,        lambda y, a: np.sign(a),                formula="|a|", code="abs(a)")
absolute_real = elementwise("absolute", np.absolute, lambda y, a: np.sign(a),              formula="|a|", numpy=(), code="abs(a)")
where    = elementwise("where",    np.where,       None, lambda y, c, a, b: c, lambda y, c, a, b: np.logical_not(c),
                       formula="b if a else c", numpy=(np.where,), domain=((0, 2), (-2.0, 2.0), (-2.0, 2.0)), align=lambda operands: _align_choice(*operands), code="b if a else c")

# A tie shares equally: the mean of the one-sided derivatives.
maximum  = elementwise("maximum",  np.maximum,     lambda y, a, b: _first(a > b, a == b), lambda y, a, b: _first(b > a, a == b), formula="max(a, b)", code="a if a != a else a if a > b else b")
minimum  = elementwise("minimum",  np.minimum,     lambda y, a, b: _first(a < b, a == b), lambda y, a, b: _first(b < a, a == b), formula="min(a, b)", code="a if a != a else a if a < b else b")
fmax     = elementwise("fmax",     np.fmax,        lambda y, a, b: _first(_or_nan(a > b, b), a == b), lambda y, a, b: _first(_or_nan(b > a, a), a == b), formula="max(a, b)", code="b if a != a else b if b > a else a")
fmin     = elementwise("fmin",     np.fmin,        lambda y, a, b: _first(_or_nan(a < b, b), a == b), lambda y, a, b: _first(_or_nan(b < a, a), a == b), formula="min(a, b)", code="b if a != a else b if b < a else a")

remainder = elementwise("remainder", np.remainder, 1, lambda y, a, b: -np.floor_divide(a, b), formula="a mod b", domain=((-2.0, 2.0), (2.5, 3.0)), code="a % b")
fmod     = elementwise("fmod",     np.fmod,        1, lambda y, a, b: np.rint((y - a) / b),   formula="fmod(a, b)", domain=((-2.0, 2.0), (2.5, 3.0)), code="fmod(a, b)")
nextafter = elementwise("nextafter", np.nextafter, 1, 0,                                   formula="nextafter(a, b)", code="nextafter(a, b)")
copysign = elementwise("copysign", np.copysign,    lambda y, a, b: np.sign(a) * np.sign(y), 0, formula="|a| sign b", domain=(0.5, 2.0), code="copysign(a, b)")
ldexp    = elementwise("ldexp",    np.ldexp,       lambda y, a, n: np.ldexp(y.dtype.type(1), n), None, formula="a 2ᵇ", domain=((-2.0, 2.0), (-3, 3)), code="ldexp(a, b)")

power    = elementwise("power",    np.power,       lambda y, a, p: _power_base(a, p), lambda y, a, p: _power_exponent(y, a), formula="aᵇ", domain=((0.2, 3.0), (-2.0, 2.0)), code="pow(a, b)")
float_power = elementwise("float_power", np.float_power, lambda y, a, p: _power_base(a, p), lambda y, a, p: _power_exponent(y, a), formula="aᵇ", domain=((0.2, 3.0), (-2.0, 2.0)), code="pow(a, b)")
lower_power: Primitive = elementwise("lower_power", lambda a, p, k: _lower_power(a, p, k), lambda y, a, p, k: np.where(p == k, 0.0, (p - k) * lower_power(a, p, k + 1)),
                       lambda y, a, p, k: _power_exponent(y, a), None, formula="a^(b - c)", domain=((0.2, 3.0), (-2.0, 2.0), (1, 2)), align=align_to_inexact, code=_LOWER_POWER)
hypot    = elementwise("hypot",    np.hypot,       lambda y, a, b: cosine_of_sides(a, b), lambda y, a, b: cosine_of_sides(b, a), formula="√(a² + b²)", code="hypot(a, b)")

_STEPS: dict[np.ufunc, tuple[str, str]] = {  # formula, scalar code
    np.floor: ("⌊a⌋", "floor(a)"), np.ceil: ("⌈a⌉", "ceil(a)"), np.trunc: ("", "trunc(a)"), np.rint: ("", "rint(a)"),
    np.floor_divide: ("a // b", "a // b"), np.spacing: ("", "x = a + 0; nextafter(x, copysign(inf, x)) - x"), np.signbit: ("", "copysign(1, a) < 0"),
    np.equal: ("a == b", "a == b"), np.not_equal: ("a != b", "a != b"),
    np.less: ("a < b", "a < b"), np.less_equal: ("a <= b", "a <= b"), np.greater: ("a > b", "a > b"), np.greater_equal: ("a >= b", "a >= b"),
    np.logical_and: ("a and b", "a and b"), np.logical_or: ("a or b", "a or b"), np.logical_not: ("not a", "not a"), np.logical_xor: ("", "(not a) != (not b)"),
    np.isnan: ("", "a != a"), np.isinf: ("", "a == a and a - a != 0"), np.isfinite: ("", "a - a == 0"),
    np.bitwise_and: ("a & b", "a & b"), np.bitwise_or: ("a | b", "a | b"), np.bitwise_xor: ("a ^ b", "a ^ b"), np.invert: ("~a", "~a"),
    np.left_shift: ("", "a << b"), np.right_shift: ("", "a >> b"), np.gcd: ("", ""), np.lcm: ("", ""), np.bitwise_count: ("", "count_bits(abs(a))"),
}
for _ufunc, (_formula, _code) in _STEPS.items():
    step(_ufunc.__name__, _ufunc, formula=_formula, code=_code)
sign_real = step("sign", np.sign, numpy=(), domain=None, laws=lambda make: [((make(2, 3),), {}), ((make(),), {})], code="a if a != a else (a > 0) - (a < 0)")
heaviside = elementwise("heaviside", np.heaviside, None, lambda y, a, h: a == 0, formula="H(a)", domain=((0.5, 2.0), (0.0, 1.0)), code="b if a == 0 else a if a != a else 1 if a > 0 else 0")
exponent_of = step("exponent_of", lambda a: np.frexp(a)[1], numpy=(), code="exponent(a)")
# fmt: on


def _align_choice(condition: Any, *choices: Any) -> tuple[Any, ...]:
    """A condition is true or false, and has no part in the dtype of what is chosen."""
    condition = as_operand(condition)
    is_truth = not isinstance(condition, (int, float, complex)) and condition.dtype.kind == "b"
    return align_elementwise((condition if is_truth else np.not_equal(condition, 0), *choices))


def _first(wins: Any, ties: Any) -> Any:
    if type(ties) is np.ndarray and not np.count_nonzero(ties):  # a third of the time of `any`
        return wins.astype(np.float32)  # widens no dtype that it is multiplied by, as float64 would
    return wins + 0.5 * ties


def _or_nan(wins: Any, other: Any) -> Any:
    return np.logical_or(wins, np.isnan(other))


def _power_base(a: Any, p: Any) -> Any:
    """`p a^(p-1)`, with 0 where `p = 0` whatever `a` is."""
    if isinstance(p, (int, float)):
        if p in {0, 2}:
            return p * a if p else 0.0
        return p * (np.power(a, p - 1) if p - 1 + 1 == p else lower_power(a, p, 1))
    return np.where(p == 0, 0.0, p * lower_power(a, p, 1))


def _lower_power(a: Any, p: Any, k: Any) -> Any:
    """`a^(p-k)`; where `p - k` is rounded, by `k` divisions: the error of an exponent counts `log a` times."""
    dtype = inexact_dtype((a, p))
    lower = np.subtract(p, k, dtype=dtype)
    direct = np.power(a, lower)
    is_rounded = lower + k != p
    if not np.any(is_rounded):
        return direct
    divided = np.power(a, p, dtype=dtype)
    for done in range(int(np.max(k))):
        divided = np.where(done < k, divided / a, divided)
    return np.where(is_rounded & np.isfinite(a) & (a != 0), divided, direct).astype(dtype)[()]


def _power_exponent(y: Any, a: Any) -> Any:
    """`y log a`, a strong product: 0 where `y = 0`, which is the limit as `a -> 0` for a positive exponent."""
    return scaled(y, np.log(a))


def _safe_ratio(a: Any, y: Any) -> Any:
    """`a / y`, and 0 at the kink `y = 0`: the mean over all directions."""
    return np.where(y == 0, 0.0, a / np.where(y == 0, 1.0, y))


@implements(np.absolute, np.abs)
def absolute(x: Any) -> Any:
    """`|x|`; for complex `x` the length of `(real, imag)`."""
    return hypot(real(x), imag(x)) if x.dtype.kind == "c" else absolute_real(x)


@implements(np.sign)
def sign(x: Any) -> Any:
    """`x / |x|`, and 0 at 0."""
    return _safe_ratio(x, absolute(x)) if x.dtype.kind == "c" else sign_real(x)


@implements(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """The fractional and the integral part."""
    whole = np.trunc(x)
    return np.where(np.isinf(x), np.copysign(0.0, x), x - whole), whole


@implements(np.frexp)
def frexp(x: Any) -> tuple[Any, Any]:
    """Mantissa and exponent, `x = m 2^e`."""
    exponent = exponent_of(x)
    return ldexp(x, -exponent), exponent


@implements(np.divmod)
def divide_with_remainder(a: Any, b: Any) -> tuple[Any, Any]:
    """`(a // b, a mod b)`."""
    return np.floor_divide(a, b), np.remainder(a, b)
