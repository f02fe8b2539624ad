"""Scalar code: what an elementwise primitive does to single numbers, as text that becomes LLVM.

The text is a Python expression in the operands `a`, `b`, `c`, `d`, after assignments to further names if need be:

    u = exp(-abs(a)); 2 * u / (1 + u * u)


    arithmetic       + - * / // % & | ^ ~ << >>       of NumPy's meaning: whole numbers wrap around, and divide to 0 by 0
    comparisons      == != < <= > >=                  a truth value
    choices          x if p else y, and, or, not      both sides are evaluated
    constants        0.5, inf, nan, pi, tiny (the smallest normal number of double precision)
    functions        those of `INTRINSICS`, `WHOLE`, and `wengert.compiler.vector_math`

It is compiled for one *working* dtype, to which operands are converted where they take part in arithmetic.  Code that begins
with `in double:` works in double precision for single precision too.
"""

from __future__ import annotations

import ast
import math
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

FLOATS = {"float64": "double", "float32": "float"}
SIGNED = {"int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64"}
UNSIGNED = {"uint8": "i8", "uint16": "i16", "uint32": "i32", "uint64": "i64"}
HALF = "float16"  # which numbers have in memory only
LLVM = {**FLOATS, HALF: "half", "bool": "i1", **SIGNED, **UNSIGNED}
MEMORY = {**LLVM, "bool": "i8"}
INTRINSICS = {"sqrt": 1, "fabs": 1, "floor": 1, "ceil": 1, "trunc": 1, "rint": 1, "copysign": 2, "fma": 3, "fmuladd": 3}  # the last rounds once where processors can
FLOAT_ONLY = {"single": 1, "half": 1, "ldexp": 2, "exponent": 1}  # rounded to that precision, a 2^b, the exponent of `frexp`
WHOLE = frozenset(["abs", "floor", "ceil", "trunc", "fmod", "count_bits"])  # functions that whole numbers have too
CONSTANTS = {"inf": math.inf, "nan": math.nan, "pi": math.pi, "tiny": 2.0**-1022}

OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "//", ast.Mod: "%",
    ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip
COMPARISONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
TRUTHS = {"add": "or", "sub": "xor", "mul": "and", "and": "and", "or": "or", "xor": "xor"}  # arithmetic of truth values

# NumPy's division with a remainder that has the divisor's sign (npy_divmod).
_REST = "m = fmod(a, b); is_off = m != 0 and (b < 0) != (m < 0); "
REMAINDER = f"{_REST} copysign(0, b) if m == 0 else m + b if is_off else m"
FLOOR_DIVIDE = (
    f"{_REST} q = (a - m) / b - (1 if is_off else 0); f = floor(q); "
    "a / b if b == 0 else copysign(0, a / b) if q == 0 else f + 1 if q - f > 0.5 else f"
)
# The remainder of whole numbers with the sign of the dividend.
FMOD = "m = a % b; m - b if m != 0 and (m < 0) != (a < 0) else m"
# Powers by a number that NumPy does not leave to pow either, or that products give to rounding.
POWERS = {
    0.0: "1", 1.0: "a", 2.0: "a * a", 3.0: "a * a * a", 4.0: "u = a * a; u * u", 0.5: "sqrt(a)",
    -1.0: "1 / a", -2.0: "u = 1 / a; u * u", -3.0: "u = 1 / a; u * u * u",
}  # fmt: skip

# Below these numbers, of float64 and float32, a function is 0.  Glibc's leave their vectors there, one number after the other.
VANISHES = {"exp": (-746.0, -104.0), "exp2": (-1076.0, -151.0)}
IN_DOUBLE = "in double: "

Value = tuple[str, str]  # an SSA name or a literal, and the name of its dtype


class ScalarCodeError(ValueError):
    """A piece of text that is no scalar code, or not for this dtype."""


@lru_cache(maxsize=4096)
def parse(code: str) -> tuple[tuple[tuple[str, ast.expr], ...], ast.expr]:
    """The assignments and the expression that a piece of scalar code is."""
    try:
        *first, last = ast.parse(code.removeprefix(IN_DOUBLE)).body
    except (SyntaxError, ValueError) as error:
        msg = f"scalar code {code!r} is no expression: {error}"
        raise ScalarCodeError(msg) from None
    named = []
    for statement in first:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                named.append((name, value))
            case _:
                msg = f"scalar code has no {ast.unparse(statement)!r}"
                raise ScalarCodeError(msg)
    if not isinstance(last, ast.Expr):
        msg = f"scalar code {code!r} ends without a value"
        raise ScalarCodeError(msg)
    return tuple(named), last.value


def literal(value: Any, dtype: str) -> str:
    """A number as LLVM writes it, to the bit."""
    if dtype == "float64":
        (bits,) = struct.unpack("<Q", struct.pack("<d", float(value)))
        return f"0x{bits:016X}"
    if dtype == "float32":
        with np.errstate(over="ignore", under="ignore"):
            return literal(np.float64(np.float32(value)), "float64")
    if dtype == HALF:
        with np.errstate(over="ignore", under="ignore"):
            return f"0xH{np.float16(value).view(np.uint16):04X}"
    if dtype == "bool":
        return "true" if value else "false"
    return str(int(value))


def number(name: str, dtype: str) -> Any:
    """The number that a literal is; `None` for anything computed."""
    if name.startswith("%"):
        return None
    if dtype in FLOATS:
        return float(np.uint64(int(name, 16)).view(np.float64))
    if dtype == HALF:
        return float(np.uint16(int(name[3:], 16)).view(np.float16))
    return name == "true" if dtype == "bool" else int(name)


def suffix(dtype: str) -> str:
    """How the names of intrinsics end."""
    return {"float64": "f64", "float32": "f32"}.get(dtype, LLVM[dtype])


class Scalars:
    """Writes scalar instructions into a list of lines; `math` says how a function of the library is called.

    Results are called `stem` and a number.  With the stem `%` they have no names in LLVM, which reads a long text in two thirds of the
    time then, but takes them only in the order in which they stand.
    """

    def __init__(self, lines: list[str], math: Callable[[str, str, list[str]], str], stem: str = "%v") -> None:
        self.lines, self.math, self.stem, self.count = lines, math, stem, 0

    def new(self, text: str) -> str:
        """A fresh name for the result of an instruction."""
        self.count += 1
        name = f"{self.stem}{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def emit(self, code: str, operands: list[Value], working: str) -> Value:
        """The value of a piece of scalar code."""
        if code.startswith(IN_DOUBLE):
            working, code = "float64", code.removeprefix(IN_DOUBLE)
        names = dict(zip("abcd", operands, strict=False))
        assignments, result = parse(code)
        for name, value in assignments:
            names[name] = self.walk(value, names, working)
        return self.walk(result, names, working)

    # --- conversions --------------------------------------------------------------------------------------------------

    def convert(self, value: Value, dtype: str) -> str:
        """A value in another dtype, as NumPy casts."""
        name, have = value
        if have == dtype:
            return name
        if dtype == "bool":
            return self.truth(value)
        known = number(name, have)
        if HALF in (have, dtype):
            return literal(known, HALF) if known is not None and dtype == HALF else self.half(value, dtype)
        if known is not None and (have not in FLOATS or dtype in FLOATS):
            return self.wrapped(known, dtype)
        source, target = LLVM[have], LLVM[dtype]
        if have in FLOATS:
            if dtype in FLOATS:
                return self.new(f"{'fpext' if dtype == 'float64' else 'fptrunc'} {source} {name} to {target}")
            return self.whole(value, dtype)
        is_unsigned = have == "bool" or have in UNSIGNED
        if dtype in FLOATS:
            return self.new(f"{'uitofp' if is_unsigned else 'sitofp'} {source} {name} to {target}")
        if source == target:
            return name
        narrow = have != "bool" and np.dtype(dtype).itemsize < np.dtype(have).itemsize
        return self.new(f"{'trunc' if narrow else 'zext' if is_unsigned else 'sext'} {source} {name} to {target}")

    def half(self, value: Value, dtype: str) -> str:
        """From or to half precision, by way of single precision."""
        if value[1] == HALF:
            return self.convert((self.new(f"fpext half {value[0]} to float"), "float32"), dtype)
        single = self.to_odd(value[0]) if value[1] == "float64" else self.convert(value, "float32")
        return self.new(f"fptrunc float {single} to half")

    def to_odd(self, x: str) -> str:
        """A number of double precision as the next of single precision towards 0, with a last bit of 1 if it is not that number.

        Rounded again, to fewer digits, it is what the number itself is when rounded once (S. Boldo and G. Melquiond, IEEE Trans.
        Computers 57, 2008).
        """
        near = self.new(f"fptrunc double {x} to float")
        back = self.new(f"fpext float {near} to double")
        size, own = (self.new(f"call double @llvm.fabs.f64(double {v})") for v in (back, x))
        beyond, differs = self.new(f"fcmp ogt double {size}, {own}"), self.new(f"fcmp une double {x}, {back}")
        bits = self.new(f"bitcast float {near} to i32")
        less, odd = self.new(f"zext i1 {beyond} to i32"), self.new(f"zext i1 {differs} to i32")
        found = self.new(f"or i32 {self.new(f'sub i32 {bits}, {less}')}, {odd}")
        return self.new(f"bitcast i32 {found} to float")

    @staticmethod
    def wrapped(value: Any, dtype: str) -> str:
        """A literal in another dtype: whole numbers wrap around."""
        return literal(value if dtype in FLOATS else np.array(value).astype(dtype), dtype)

    def whole(self, value: Value, dtype: str) -> str:
        """A float towards zero, as x86 does it: what does not fit becomes the lowest number of 32 or 64 bits."""
        name, have = value
        kind = LLVM[have]
        if dtype == "uint64":
            large = self.new(f"fcmp oge {kind} {name}, {literal(2.0**63, have)}")
            lowered = self.new(f"fsub {kind} {name}, {literal(2.0**63, have)}")
            low, high = self.whole(value, "int64"), self.whole((lowered, have), "int64")
            lifted = self.new(f"xor i64 {high}, {-(2**63)}")
            return self.new(f"select i1 {large}, i64 {lifted}, i64 {low}")
        wide = "int64" if dtype in ("int64", "uint32") else "int32"
        if wide != dtype:
            return self.convert((self.whole(value, wide), wide), dtype)
        bits = 8 * np.dtype(dtype).itemsize
        integral = self.new(f"call {kind} @llvm.trunc.{suffix(have)}({kind} {name})")
        above = self.new(f"fcmp oge {kind} {integral}, {literal(-(2.0 ** (bits - 1)), have)}")
        below = self.new(f"fcmp olt {kind} {integral}, {literal(2.0 ** (bits - 1), have)}")
        fits, result = self.new(f"and i1 {above}, {below}"), self.new(f"fptosi {kind} {integral} to i{bits}")
        return self.new(f"select i1 {fits}, i{bits} {result}, i{bits} {-(2 ** (bits - 1))}")

    def truth(self, value: Value) -> str:
        """Whether a value is not zero; NaN is true."""
        name, dtype = value
        if dtype == "bool":
            return name
        if dtype == HALF:
            return self.truth((self.half(value, "float32"), "float32"))
        if dtype in FLOATS:
            return self.new(f"fcmp une {LLVM[dtype]} {name}, {literal(0, dtype)}")
        return self.new(f"icmp ne {LLVM[dtype]} {name}, 0")

    # --- expressions --------------------------------------------------------------------------------------------------

    def walk(self, node: ast.expr, names: dict[str, Value], working: str) -> Value:
        """The value of an expression."""
        match node:
            case ast.Name(id=name):
                return names[name] if name in names else self.constant(name, working)
            case ast.Constant(value=known):
                return self.constant(known, working)
            case ast.UnaryOp(op=op, operand=x):
                return self.unary(op, self.walk(x, names, working), working)
            case ast.BinOp(left=x, op=op, right=y):
                word = OPERATORS.get(type(op), type(op).__name__)
                return self.arithmetic(word, self.walk(x, names, working), self.walk(y, names, working), working)
            case ast.Compare(left=x, ops=[op], comparators=[y]) if type(op) in COMPARISONS:
                return self.compare(COMPARISONS[type(op)], self.walk(x, names, working), self.walk(y, names, working), working)
            case ast.BoolOp(op=op, values=[x, *rest]):
                word = "and" if isinstance(op, ast.And) else "or"
                result = self.truth(self.walk(x, names, working))
                for y in rest:
                    result = self.new(f"{word} i1 {result}, {self.truth(self.walk(y, names, working))}")
                return (result, "bool")
            case ast.IfExp(test=p, body=x, orelse=y):
                chosen = self.truth(self.walk(p, names, working))
                first, second = (self.convert(self.walk(v, names, working), working) for v in (x, y))
                kind = LLVM[working]
                return (self.new(f"select i1 {chosen}, {kind} {first}, {kind} {second}"), working)
            case ast.Call(func=ast.Name(id=name), args=args):
                values = [self.convert(self.walk(x, names, working), working) for x in args]
                return (self.call(name, values, working), working)
        msg = f"scalar code has no {ast.unparse(node)!r}"
        raise ScalarCodeError(msg)

    @staticmethod
    def constant(value: Any, working: str) -> Value:
        """A number, or the name of one."""
        value = CONSTANTS.get(value, value) if isinstance(value, str) else value
        if isinstance(value, str) or (working not in FLOATS and not float(value).is_integer()):
            msg = f"scalar code of {working} has no operand or constant {value}"
            raise ScalarCodeError(msg)
        return (literal(value, working), working)

    def unary(self, op: ast.unaryop, value: Value, working: str) -> Value:
        """`-x`, `~x`, `not x`."""
        if isinstance(op, ast.Not):
            return (self.new(f"xor i1 {self.truth(value)}, true"), "bool")
        kind, x = LLVM[working], self.convert(value, working)
        if isinstance(op, ast.Invert):
            return (self.new(f"xor {kind} {x}, {'true' if working == 'bool' else -1}"), working)
        if isinstance(op, ast.UAdd):
            return (x, working)
        if number(x, working) is not None and working in FLOATS:
            return (literal(-number(x, working), working), working)
        return (self.new(f"fneg {kind} {x}" if working in FLOATS else f"sub {kind} 0, {x}"), working)

    def arithmetic(self, word: str, left: Value, right: Value, working: str) -> Value:
        """One operation on two values."""
        kind, a, b = LLVM[working], self.convert(left, working), self.convert(right, working)
        if working in FLOATS:
            if word in ("//", "%"):
                return self.emit(FLOOR_DIVIDE if word == "//" else REMAINDER, [(a, working), (b, working)], working)
            if word in ("add", "sub", "mul", "div"):
                return (self.new(f"f{word} {kind} {a}, {b}"), working)
        elif working == "bool":
            if word in TRUTHS:
                return (self.new(f"{TRUTHS[word]} i1 {a}, {b}"), working)
        elif word in ("<<", ">>"):
            return (self.shift(word, a, b, working), working)
        elif word in ("//", "%"):
            return (self.divide(word, a, b, working), working)
        elif word in ("add", "sub", "mul", "and", "or", "xor"):
            return (self.new(f"{word} {kind} {a}, {b}"), working)
        msg = f"scalar code has no operator {word!r} of {working}"
        raise ScalarCodeError(msg)

    def shift(self, word: str, a: str, b: str, working: str) -> str:
        """A shift by as many bits as there are, or by a negative number, shifts everything out."""
        kind, bits = LLVM[working], 8 * np.dtype(working).itemsize
        inside = self.new(f"icmp ult {kind} {b}, {bits}")
        is_signed = working in SIGNED
        if word == ">>" and is_signed:
            by = self.new(f"select i1 {inside}, {kind} {b}, {kind} {bits - 1}")
            return self.new(f"ashr {kind} {a}, {by}")
        by = self.new(f"select i1 {inside}, {kind} {b}, {kind} 0")
        moved = self.new(f"{'shl' if word == '<<' else 'lshr'} {kind} {a}, {by}")
        return self.new(f"select i1 {inside}, {kind} {moved}, {kind} 0")

    def divide(self, word: str, a: str, b: str, working: str) -> str:
        """Whole numbers: rounded down, and 0 when divided by 0.  The division itself never meets 0 or -1."""
        kind, sign = LLVM[working], "s" if working in SIGNED else "u"
        none = self.new(f"icmp eq {kind} {b}, 0")
        by = self.new(f"select i1 {none}, {kind} 1, {kind} {b}")
        turned = None
        if sign == "s":
            turned = self.new(f"icmp eq {kind} {by}, -1")
            by = self.new(f"select i1 {turned}, {kind} 1, {kind} {by}")
        quotient, rest = self.new(f"{sign}div {kind} {a}, {by}"), self.new(f"{sign}rem {kind} {a}, {by}")
        if turned is not None:
            differ = self.new(f"icmp slt {kind} {self.new(f'xor {kind} {rest}, {by}')}, 0")
            uneven = self.new(f"and i1 {differ}, {self.new(f'icmp ne {kind} {rest}, 0')}")
            lower, higher = self.new(f"sub {kind} {quotient}, 1"), self.new(f"add {kind} {rest}, {by}")
            quotient = self.new(f"select i1 {uneven}, {kind} {lower}, {kind} {quotient}")
            rest = self.new(f"select i1 {uneven}, {kind} {higher}, {kind} {rest}")
            opposite = self.new(f"sub {kind} 0, {a}")
            quotient = self.new(f"select i1 {turned}, {kind} {opposite}, {kind} {quotient}")
        return self.new(f"select i1 {none}, {kind} 0, {kind} {quotient if word == '//' else rest}")

    def compare(self, word: str, left: Value, right: Value, working: str) -> Value:
        """A comparison; none holds of NaN but `!=`."""
        if left[1] == right[1] == "bool":
            working = "bool"
        a, b = self.convert(left, working), self.convert(right, working)
        if working in FLOATS:
            return (self.new(f"fcmp {'une' if word == 'ne' else 'o' + word} {LLVM[working]} {a}, {b}"), "bool")
        sign = "" if word in ("eq", "ne") else "s" if working in SIGNED else "u"
        return (self.new(f"icmp {sign}{word} {LLVM[working]} {a}, {b}"), "bool")

    # --- functions ----------------------------------------------------------------------------------------------------

    def call(self, name: str, values: list[str], working: str) -> str:
        """The value of a function."""
        if working not in FLOATS:
            return self.whole_call(name, values, working)
        kind = LLVM[working]
        if name == "pow":
            exponent = number(values[1], working)
            if exponent in POWERS:
                return self.convert(self.emit(POWERS[exponent], [(values[0], working)], working), working)
        name = "fabs" if name == "abs" else name
        if name in FLOAT_ONLY:
            return self.float_call(name, values, working)
        if name in INTRINSICS:
            arguments = ", ".join(f"{kind} {v}" for v in values)
            return self.new(f"call {kind} @llvm.{name}.{suffix(working)}({arguments})")
        if name in VANISHES:
            return self.vanishing(name, values[0], working)
        return self.new(self.math(name, working, values))

    def vanishing(self, name: str, x: str, working: str) -> str:
        """The value of a function that is 0 below some number, where the library is not asked."""
        kind = LLVM[working]
        is_none = self.new(f"fcmp olt {kind} {x}, {literal(VANISHES[name][working == 'float32'], working)}")
        asked = self.new(f"select i1 {is_none}, {kind} {literal(0.5, working)}, {kind} {x}")
        return self.new(f"select i1 {is_none}, {kind} {literal(0, working)}, {kind} {self.new(self.math(name, working, [asked]))}")

    def float_call(self, name: str, values: list[str], working: str) -> str:
        """The value of a function that has to do with how floats are made."""
        kind, x = LLVM[working], values[0]
        if name == "half":
            return self.convert((self.convert((x, working), HALF), HALF), working)
        if name == "single":
            return x if working == "float32" else self.convert((self.convert((x, working), "float32"), "float32"), working)
        if name == "ldexp":
            bounded = self.emit("9999 if a > 9999 else -9999 if a < -9999 else a", [(values[1], working)], working)
            exponent = self.convert(bounded, "int32")
            return self.new(f"call {kind} @llvm.ldexp.{suffix(working)}.i32({kind} {x}, i32 {exponent})")
        parts = self.new(f"call {{ {kind}, i32 }} @llvm.frexp.{suffix(working)}.i32({kind} {x})")
        return self.convert((self.new(f"extractvalue {{ {kind}, i32 }} {parts}, 1"), "int32"), working)

    def whole_call(self, name: str, values: list[str], working: str) -> str:
        """The value of a function of whole numbers."""
        kind, x = LLVM[working], values[0]
        if name in ("floor", "ceil", "trunc") or (name == "abs" and working not in SIGNED):
            return x
        if name == "abs":
            return self.new(f"call {kind} @llvm.abs.{suffix(working)}({kind} {x}, i1 false)")
        if name == "count_bits":
            return self.new(f"call {kind} @llvm.ctpop.{suffix(working)}({kind} {x})")
        if name == "fmod":
            return self.emit(FMOD, [(v, working) for v in values], working)[0]
        msg = f"scalar code has no function {name!r} of {working}"
        raise ScalarCodeError(msg)
