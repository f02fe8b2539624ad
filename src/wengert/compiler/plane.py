"""Scalar code read in the complex plane: a complex number is a pair of real ones.

The code of a card (`wengert.compiler.scalar`) has a second meaning there, which is worked out once and written as real scalar code for
each part of the result:

::

    a * b     ->   fmuladd(a, c, -(b * d))                                and   fmuladd(a, d, b * c)
    exp(a)    ->   ... e = exp(a); cos(b) * e                             and   ... sin(b) * e

Operands that are complex take two letters, the others one.  Arithmetic is NumPy's, whose product rounds once less where
processors can, and whose quotient is R. L. Smith's (CACM 5, 1962); a real number beside a complex one is a pair with the imaginary part 0.  Functions have the special values of C99's Annex G.  Roots and
inverse functions follow W. Kahan (Branch cuts for complex elementary functions, 1987), `log` takes `x² + y² - 1` in twice the digits
where it is small.  Functions work in double precision for single precision, too.
"""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from wengert.compiler.scalar import CONSTANTS, IN_DOUBLE, ScalarCodeError, parse

Value = str | tuple[str, str]  # real scalar code; or that of the two parts

# Three more functions than real code has: the parts of a number, and the number of two parts.
PARTS = {"real": 0, "imag": 1}

_LIMIT, _AT_LIMIT = 708.0, math.exp(708.0)  # of exp; what is beyond is taken in two steps
_LOW, _HIGH, _SHIFT = 2.0**-600, 2.0**600, 600 * math.log(2)

# fmt: off - a table: the functions of a complex number, by those of real numbers
FUNCTIONS = {
    "exp": f"""x = real(a); y = imag(a); t = x > {_LIMIT}; s = {_AT_LIMIT} if t else 1; e = exp(x - {_LIMIT} if t else x); wild = y - y != 0;
        c = cos(y) * s * e; d = sin(y) * s * e;
        pair(inf if x == inf and wild else 0 if x == -inf and wild else c, y if y == 0 else copysign(0, y) if x == -inf and wild else d)""",
    "log": f"""x = abs(real(a)); y = abs(imag(a)); m = x if x > y else y; n = y if x > y else x;
        s = {_LOW} if m > {1 / _LOW**0.75} else {_HIGH} if m < {_LOW**0.75} else 1; k = {_SHIFT} if s < 1 else {-_SHIFT} if s > 1 else 0;
        p = m * m; e = fma(m, m, -p); q = n * n; f = fma(n, n, -q);
        u = p - 1; g = p - (u + 1); v = u + q; r = v - u; j = (u - (v - r)) + (q - r);
        near = m < 2 and p + q > 0.5;
        pair(0.5 * log1p(v + (g + j + e + f)) if near else log(hypot(m * s, n * s)) + k, atan2(imag(a), real(a)))""",
    "sqrt": f"""x = real(a); y = imag(a); p = abs(x); q = abs(y); m = p if p > q else q; big = m > {2.0**1000}; small = m < {2.0**-900};
        s = {2.0**-60} if big else {2.0**120} if small else 1; v = {2.0**30} if big else {2.0**-60} if small else 1;
        r = sqrt(0.5 * (hypot(p * s, q * s) + p * s)); t = 0 if p == 0 and q == 0 else 0.5 * (q * s) / r * v; w = r * v;
        pair(inf if q == inf else (inf if x > 0 else y - y if y != y else 0) if p == inf else w if x >= 0 else t,
             y if q == inf else copysign(y - y if x > 0 else inf, y) if p == inf else copysign(t if x >= 0 else w, y))""",
    "sinh": f"""x = real(a); y = imag(a); p = abs(x); big = p > {_LIMIT}; e = expm1(p - {_LIMIT} if big else p); h = 0.5 * (e + 1); g = e / (e + 1);
        s = copysign(h if big else 0.5 * (e + g), x); c = h if big else 1 + 0.5 * e * g; k = {_AT_LIMIT} if big else 1; wild = y - y != 0;
        pair(x if p == 0 and wild else inf if p == inf and wild else cos(y) * k * s, y if y == 0 else sin(y) * k * c)""",
    "cosh": f"""x = real(a); y = imag(a); p = abs(x); big = p > {_LIMIT}; e = expm1(p - {_LIMIT} if big else p); h = 0.5 * (e + 1); g = e / (e + 1);
        s = copysign(h if big else 0.5 * (e + g), x); c = h if big else 1 + 0.5 * e * g; k = {_AT_LIMIT} if big else 1; wild = y - y != 0;
        pair(inf if p == inf and wild else cos(y) * k * c, y * copysign(1, x) if y == 0 else 0 if p == 0 and wild else sin(y) * k * s)""",
    "tanh": """x = real(a); y = imag(a); p = abs(x); far = p > 22; e = expm1(p if p < 700 else p - p + 700 if p < inf else 700 if p == inf else p);
        r = 1 / (e + 1); g = e * r; s = 0.5 * (e + g); c = 1 + 0.5 * e * g; u = cos(y); v = sin(y); wild = y - y != 0; d = s * s + u * u;
        pair((x if p == 0 else nan) if wild and p != inf else copysign(1 if far else s * c / d, x),
             y if y == 0 else copysign(0, y) if p == inf and wild else 4 * v * u * r * r if far else v * u / d)""",
    "asin": """x = real(a); y = imag(a); u = sqrt(pair(1 - x, -y)); v = sqrt(pair(1 + x, y)); big = abs(x) > 1e300 or abs(y) > 1e300;
        k = 0.25 if big else 1; p = real(u) * k; q = -imag(u) * k; r = real(v); s = imag(v); h = p * s + q * r; g = p * r + q * s;
        left = abs(x) == inf; up = abs(y) == inf;
        pair(x if x == 0 and y != y else atan2(copysign(1, x) if left else copysign(0, x) if up and x == x else x * k,
                 1 if up else y if y != y else 0 if left else g),
             copysign(inf, y) if left or up else asinh(h) + copysign(1.3862943611198906 if big else 0, h))""",
    "acos": """x = real(a); y = imag(a); w = asin(a); u = sqrt(pair(1 - x, -y)); v = sqrt(pair(1 + x, y));
        pair(2 * atan2(real(u), real(v)) if abs(x) < inf and abs(y) < inf else pi / 2 - real(w), -imag(w))""",
    "atanh": """x = real(a); y = imag(a); p = abs(x); q = abs(y); k = hypot(1 - p, y); near = k < 1e-18; wild = p == inf or q == inf;
        m = 2 / k if near else p / k * 4 / k; half = copysign(1.5707963267948966, y);
        pair(copysign(0, x) if wild else x if x == 0 and y != y else copysign((0.5 if near else 0.25) * log1p(m), x),
             (half if y == y else y) if wild else x + y if x != x or y != y else half if p > 1e18 or q > 1e18 else 0.5 * atan2(2 * y, (1 - p) * (1 + p) - y * y))""",
    "expm1": """x = real(a); y = imag(a); s = sin(0.5 * y); e = exp(x); f = expm1(x);
        pair(f - 2 * e * s * s if x < 0 else f * cos(y) - 2 * s * s, e * sin(y))""",
    "log1p": """x = real(a); y = imag(a); w = log(pair(1 + x, y));
        pair(0.5 * log1p(x * (2 + x) + y * y) if abs(x) < 0.5 and abs(y) < 0.5 else real(w), imag(w))""",
    "sin": "w = sinh(pair(-imag(a), real(a))); pair(imag(w), -real(w))",
    "cos": "cosh(pair(-imag(a), real(a)))",
    "tan": "w = tanh(pair(-imag(a), real(a))); pair(imag(w), -real(w))",
    "asinh": "w = asin(pair(-imag(a), real(a))); pair(imag(w), -real(w))",
    "acosh": "w = acos(a); pair(abs(imag(w)), copysign(real(w), imag(a)))",
    "atan": "w = atanh(pair(-imag(a), real(a))); pair(imag(w), -real(w))",
    "exp2": f"exp(pair(real(a) * {math.log(2)}, imag(a) * {math.log(2)}))",
    "log2": f"w = log(a); pair(real(w) * {1 / math.log(2)}, imag(w) * {1 / math.log(2)})",
    "log10": f"w = log(a); pair(real(w) * {1 / math.log(10)}, imag(w) * {1 / math.log(10)})",
    "abs": "hypot(real(a), imag(a))",
    "single": "pair(single(real(a)), single(imag(a)))",
}
# fmt: on

# NumPy's quotient and reciprocal.
QUOTIENT = """x = real(a); y = imag(a); u = real(b); v = imag(b); first = abs(u) >= abs(v); none = u == 0 and v == 0; p = u if first else v;
    q = v if first else u; r = q / p; s = 1 / (p + q * r);
    pair(x / abs(u) if none else (x + y * r) * s if first else (x * r + y) * s,
         y / abs(u) if none else (y - x * r) * s if first else (y * r - x) * s)"""
RECIPROCAL = """x = real(a); y = imag(a); first = abs(y) <= abs(x); r = y / x if first else x / y; d = x + y * r if first else x * r + y;
    pair((1 if first else r) / d, -(r if first else 1) / d)"""

# The product that C has, where two NaN parts are mended if they stand for an infinity.
_MENDED = """x = real(a); y = imag(a); u = real(b); v = imag(b); s = x * u; t = y * v; p = x * v; q = y * u; re = s - t; im = p + q;
    f = abs(x) == inf or abs(y) == inf; g = abs(u) == inf or abs(v) == inf;
    o = f or g or abs(s) == inf or abs(t) == inf or abs(p) == inf or abs(q) == inf;
    x1 = copysign(1 if abs(x) == inf else 0, x) if f else copysign(0, x) if x != x else x;
    y1 = copysign(1 if abs(y) == inf else 0, y) if f else copysign(0, y) if y != y else y;
    u1 = copysign(1 if abs(u) == inf else 0, u) if g else copysign(0, u) if u != u else u;
    v1 = copysign(1 if abs(v) == inf else 0, v) if g else copysign(0, v) if v != v else v;
    lost = re != re and im != im and o;
    pair(inf * (x1 * u1 - y1 * v1) if lost else re, inf * (x1 * v1 + y1 * u1) if lost else im)"""


def _power() -> str:
    """NumPy's power: whole exponents up to 100 by squaring, others by `exp(b log a)`."""
    lines = ["u = real(b); v = imag(b); m = abs(u); whole = v == 0 and floor(u) == u and m < 100; n = m if whole else 0"]
    lines += ["p0 = a; q = pair(1, 0)"]
    for k in range(7):  # the bits of the exponent, the lowest first
        lines.append(f"h = floor(n * 0.5); q = plain(q, p{k}) if n - 2 * h != 0 else q; n = h; p{k + 1} = plain(p{k}, p{k})")
    lines += ["q = p1 if m == 2 else plain(p1, a) if m == 3 else q; q = pair(1, 0) / q if u < 0 else q; q = a if u == 1 else q"]
    lines += ["w = exp(mended(b, log(a)))"]
    zero = "pair(0, 0) if u > 0 else pair(nan, nan)"
    lines.append(f"pair(1, 0) if u == 0 and v == 0 else ({zero}) if a == 0 else q if whole else w")
    return "; ".join(lines)


_PLAIN = "pair(real(a) * real(b) - imag(a) * imag(b), real(a) * imag(b) + imag(a) * real(b))"  # rounded at every step
FUNCTIONS |= {"mended": _MENDED, "plain": _PLAIN, "pow": _power()}
IN_OWN_PRECISION = frozenset(["abs", "single", "mended", "plain", "pow", "exp2", "expm1"])  # functions that round at every step, as NumPy does

# Cards whose code is for real numbers only: their meaning in the plane, as the values of the cards have it.
CODES = {
    "reciprocal": RECIPROCAL,
    "isinf": "abs(real(a)) == inf or abs(imag(a)) == inf",
    "maximum": "a if a != a or a >= b else b",
    "minimum": "a if a != a or a <= b else b",
    "fmax": "a if a >= b or b != b else b",
    "fmin": "a if a <= b or b != b else b",
    "rint": "pair(rint(real(a)), rint(imag(a)))",
    "sech": """near = abs(real(a)) < 1; u = exp(-(0 if near else -a if real(a) < 0 else a));
        1 / cosh(a if near else 0) if near else 2 * u / (1 + u * u)""",
    "arctan_slope": "z = pair(-imag(a), real(a)); 1 / (z - -1) / -(z - 1)",
    "arcsinh_slope": "z = pair(-imag(a), real(a)); 1 / sqrt(z - -1) / sqrt(-(z - 1))",
    "arcsin_slope": "1 / sqrt(a - -1) / sqrt(-(a - 1))",
    "arccosh_slope": "1 / sqrt(a - 1) / sqrt(a - -1)",
    "xlogy": "0 if a == 0 and b == b else mended(a, log(b))",
    "xlog1py": "0 if a == 0 and b == b else mended(a, log1p(b))",
    "gaussian": "exp(-1.0 * a * a)",
    "normal_density": f"exp(-0.5 * a * a) / {math.sqrt(2 * math.pi)}",
}
OF_REAL_NUMBERS = frozenset(["absolute", "sign", "hazard", "lower_power"])  # whose values for complex numbers are no elementwise code

ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


class Evaluation:
    """Walks scalar code, and names what it computes on the way."""

    def __init__(self, *, rounds: bool) -> None:
        self.lines: list[tuple[str, str]] = []
        self.fresh = (f"t{k}" for k in itertools.count())
        self.is_wide = False  # whether it needs double precision
        self.rounds = rounds  # whether arithmetic outside of wide functions is rounded to single precision

    def named(self, text: str) -> str:
        """A name for a piece of real code."""
        if text.isidentifier() or text.replace(".", "", 1).isdecimal():
            return text
        name = next(self.fresh)
        self.lines.append((name, text))
        return name

    def run(self, code: str, names: dict[str, Value]) -> Value:
        """The value of a piece of code."""
        if code.startswith(IN_DOUBLE):
            self.is_wide = True
        assignments, result = parse(" ".join(code.split()))
        names = dict(names)
        for name, value in assignments:
            found = self.walk(value, names)
            names[name] = self.named(found) if isinstance(found, str) else (self.named(found[0]), self.named(found[1]))
        return self.walk(result, names)

    def walk(self, node: ast.expr, names: dict[str, Value]) -> Value:
        """The value of an expression."""
        match node:
            case ast.Name(id=name):
                if name not in names and name not in CONSTANTS:
                    msg = f"scalar code has no operand or constant {name}"
                    raise ScalarCodeError(msg)
                return names.get(name, name)
            case ast.Constant(value=value):
                return repr(float(np.float32(value)) if self.rounds and isinstance(value, float) else value)
            case ast.UnaryOp(op=ast.Not(), operand=x):
                return f"(not {self.truth(self.walk(x, names))})"
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=x):
                sign, found = "-" if isinstance(node.op, ast.USub) else "", self.walk(x, names)
                return f"({sign}{found})" if isinstance(found, str) else (f"({sign}{found[0]})", f"({sign}{found[1]})")
            case ast.BinOp(left=x, op=op, right=y) if type(op) in ARITHMETIC:
                return self.arithmetic(ARITHMETIC[type(op)], self.walk(x, names), self.walk(y, names))
            case ast.Compare(left=x, ops=[op], comparators=[y]) if type(op) in COMPARISONS:
                return self.compare(COMPARISONS[type(op)], self.walk(x, names), self.walk(y, names))
            case ast.BoolOp(op=op, values=values):
                word = " and " if isinstance(op, ast.And) else " or "
                return f"({word.join([self.truth(self.walk(x, names)) for x in values])})"
            case ast.IfExp(test=p, body=x, orelse=y):
                return self.choice(self.truth(self.walk(p, names)), self.walk(x, names), self.walk(y, names))
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, [self.walk(x, names) for x in args])
        msg = f"scalar code of complex numbers has no {ast.unparse(node)!r}"
        raise ScalarCodeError(msg)

    @staticmethod
    def truth(value: Value) -> str:
        """Whether a value is not 0."""
        return value if isinstance(value, str) else f"({value[0]} != 0 or {value[1]} != 0)"

    def pair(self, value: Value) -> tuple[str, str]:
        """A value as a complex number, its parts named."""
        re, im = (value, "0.0") if isinstance(value, str) else value
        return self.named(re), self.named(im) if im != "0.0" else im

    def arithmetic(self, word: str, left: Value, right: Value) -> Value:
        """`+ - * /`."""
        if isinstance(left, str) and isinstance(right, str):
            return self.rounded(f"({left} {word} {right})")
        (a, b), (c, d) = self.pair(left), self.pair(right)
        if word in "+-":
            return self.rounded(f"({a} {word} {c})"), self.rounded(f"({b} {word} {d})")
        if word == "*":
            first, second = self.rounded(f"({b} * {d})"), self.rounded(f"({b} * {c})")
            return self.rounded(f"fmuladd({a}, {c}, -{first})"), self.rounded(f"fmuladd({a}, {d}, {second})")
        return self.run(QUOTIENT, {"a": (a, b), "b": (c, d)})

    def rounded(self, text: str) -> str:
        """Arithmetic in the precision of the operands."""
        return f"single({text})" if self.rounds else text

    def compare(self, word: str, left: Value, right: Value) -> str:
        """A comparison: `<` looks at real parts first, and at imaginary parts where those are equal."""
        if isinstance(left, str) and isinstance(right, str):
            return f"({left} {word} {right})"
        (a, b), (c, d) = self.pair(left), self.pair(right)
        if word == "==":
            return f"({a} == {c} and {b} == {d})"
        if word == "!=":
            return f"({a} != {c} or {b} != {d})"
        return f"(({a} {word[0]} {c} and {b} == {b} and {d} == {d}) or ({a} == {c} and {b} {word} {d}))"

    def choice(self, chosen: str, first: Value, second: Value) -> Value:
        """One value or the other."""
        if isinstance(first, str) and isinstance(second, str):
            return f"({first} if {chosen} else {second})"
        chosen, (a, b), (c, d) = self.named(chosen), self.pair(first), self.pair(second)
        return f"({a} if {chosen} else {c})", f"({b} if {chosen} else {d})"

    def call(self, name: str, values: Sequence[Value]) -> Value:
        """The value of a function."""
        if name == "pair":
            return str(values[0]), str(values[1])
        if name in PARTS:
            (value,) = values
            return self.pair(value)[PARTS[name]]
        if all(isinstance(value, str) for value in values):
            return f"{name}({', '.join(map(str, values))})"
        if name not in FUNCTIONS:
            msg = f"scalar code of complex numbers has no function {name!r}"
            raise ScalarCodeError(msg)
        operands: dict[str, Value] = dict(zip("ab", map(self.pair, values), strict=False))
        if name in IN_OWN_PRECISION:
            return self.run(FUNCTIONS[name], operands)
        self.is_wide, rounds, self.rounds = True, self.rounds, False
        found = self.run(FUNCTIONS[name], operands)
        self.rounds = rounds
        return self.rounded(found) if isinstance(found, str) else (self.rounded(found[0]), self.rounded(found[1]))


@lru_cache(maxsize=1024)
def plane_code(name: str, code: str, is_complex: tuple[bool, ...], *, rounds: bool = False) -> tuple[str, ...] | None:
    """Real scalar code of a card: of its value, or of the two parts of it; `None` where the card has no such meaning.

    `is_complex` tells which operands are pairs; the letters `a`, `b`, ... go through all their parts in order.  What is computed in double
    precision for the functions' sake, while the numbers are of single precision, is rounded at every other step with `rounds`.
    """
    letters = iter("abcdefgh")
    names: dict[str, Value] = {}
    for letter, flag in zip("abcd", is_complex, strict=False):
        names[letter] = (next(letters), next(letters)) if flag else next(letters)
    if name in OF_REAL_NUMBERS or next(letters) > "e":
        return None
    evaluation = Evaluation(rounds=rounds)
    try:
        value = evaluation.run(CODES.get(name, code), names)
    except ScalarCodeError:
        return None
    parts = [value] if isinstance(value, str) else list(value)
    if rounds and not evaluation.is_wide:
        return plane_code(name, code, is_complex)
    return tuple([_written(evaluation, part) for part in parts])


def _written(evaluation: Evaluation, result: str) -> str:
    """The assignments that a result needs, and the result."""
    needed = set(re.findall(r"\bt\d+\b", result))
    kept = []
    for name, text in reversed(evaluation.lines):
        if name in needed:
            needed.update(re.findall(r"\bt\d+\b", text))
            kept.append(f"{name} = {text}")
    return (IN_DOUBLE if evaluation.is_wide else "") + "; ".join([*reversed(kept), result])
