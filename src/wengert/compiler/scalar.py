"""Scalar code: what an elementwise primitive does to single numbers, as text that becomes LLVM.

The text is a Python expression in the operands `a`, `b`, `c`, `d`: arithmetic, comparisons, `x if p else y`, `and`, `or`,
`not`, and calls of the functions below.  It is compiled for one working type, to which operands are converted where they
take part in arithmetic.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

FLOATS = {"float64": "double", "float32": "float"}
LLVM = {**FLOATS, "bool": "i1", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "i8"}
MEMORY = {**LLVM, "bool": "i8"}
LIBM = frozenset(
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh cbrt erf erfc "
    "pow hypot atan2 fmod".split()
)
INTRINSICS = {"sqrt": 1, "fabs": 1, "floor": 1, "ceil": 1, "trunc": 1, "rint": 1, "copysign": 2, "fma": 3}

Value = tuple[str, str]  # an SSA name or a literal, and the name of its dtype


@lru_cache(maxsize=4096)
def parse(code: str) -> ast.expr:
    """The expression that a piece of scalar code is."""
    return ast.parse(code, mode="eval").body


def literal(value: Any, dtype: str) -> str:
    """A number as LLVM writes it, to the bit."""
    if dtype in FLOATS:
        bits = np.float64(np.float32(value)) if dtype == "float32" else np.float64(value)
        return f"0x{bits.view(np.uint64):016X}"
    if dtype == "bool":
        return "true" if value else "false"
    return str(int(value))


class Scalars:
    """Writes scalar instructions into a list of lines; `math` says how a function of libm is called."""

    def __init__(self, lines: list[str], math: Callable[[str, str, list[str]], str]) -> None:
        self.lines, self.math, self.count = lines, math, 0

    def new(self, text: str) -> str:
        """A fresh name for the result of an instruction."""
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def convert(self, value: Value, dtype: str) -> str:
        """A value in another dtype."""
        name, have = value
        if have == dtype:
            return name
        if dtype == "bool":
            return self.truth(value)
        source, target = LLVM[have], LLVM[dtype]
        if have in FLOATS:
            if dtype in FLOATS:
                return self.new(f"{'fpext' if dtype == 'float64' else 'fptrunc'} {source} {name} to {target}")
            return self.new(f"fptosi {source} {name} to {target}")
        is_unsigned = have in ("bool", "uint8")
        if dtype in FLOATS:
            return self.new(f"{'uitofp' if is_unsigned else 'sitofp'} {source} {name} to {target}")
        if source == target:
            return name
        narrow = np.dtype(dtype).itemsize < np.dtype(have).itemsize
        return self.new(f"{'trunc' if narrow else 'zext' if is_unsigned else 'sext'} {source} {name} to {target}")

    def truth(self, value: Value) -> str:
        """Whether a value is not zero; NaN is true."""
        name, dtype = value
        if dtype == "bool":
            return name
        if dtype in FLOATS:
            return self.new(f"fcmp une {LLVM[dtype]} {name}, {literal(0, dtype)}")
        return self.new(f"icmp ne {LLVM[dtype]} {name}, 0")

    def emit(self, code: str, operands: list[Value], working: str) -> Value:
        """The value of a piece of scalar code."""
        return self.walk(parse(code), dict(zip("abcd", operands, strict=False)), working)

    def walk(self, node: ast.expr, names: dict[str, Value], working: str) -> Value:
        match node:
            case ast.Name(id=name):
                return names[name]
            case ast.Constant(value=value):
                return (literal(value, working), working)
            case ast.UnaryOp(op=ast.USub(), operand=x):
                value = self.convert(self.walk(x, names, working), working)
                if working in FLOATS:
                    return (self.new(f"fneg {LLVM[working]} {value}"), working)
                return (self.new(f"sub {LLVM[working]} 0, {value}"), working)
            case ast.UnaryOp(op=ast.Not(), operand=x):
                return (self.new(f"xor i1 {self.truth(self.walk(x, names, working))}, true"), "bool")
            case ast.BinOp(left=x, op=op, right=y):
                return self.arithmetic(op, self.walk(x, names, working), self.walk(y, names, working), working)
            case ast.Compare(left=x, ops=[op], comparators=[y]):
                return self.compare(op, self.walk(x, names, working), self.walk(y, names, working), working)
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                result = self.truth(self.walk(values[0], names, working))
                for value in values[1:]:
                    result = self.new(f"{word} i1 {result}, {self.truth(self.walk(value, names, working))}")
                return (result, "bool")
            case ast.IfExp(test=p, body=x, orelse=y):
                chosen = self.truth(self.walk(p, names, working))
                first, second = (self.convert(self.walk(v, names, working), working) for v in (x, y))
                kind = LLVM[working]
                return (self.new(f"select i1 {chosen}, {kind} {first}, {kind} {second}"), working)
            case ast.Call(func=ast.Name(id=name), args=args):
                values = [self.convert(self.walk(x, names, working), working) for x in args]
                return (self.call(name, values, working), working)
            case ast.NamedExpr(target=ast.Name(id=name), value=x):
                names[name] = self.walk(x, names, working)
                return names[name]
        msg = f"scalar code has no {ast.unparse(node)!r}"
        raise NotImplementedError(msg)

    def arithmetic(self, op: ast.operator, x: Value, y: Value, working: str) -> Value:
        words = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
        a, b = self.convert(x, working), self.convert(y, working)
        word = words[type(op)]
        if working in FLOATS:
            return (self.new(f"f{word} {LLVM[working]} {a}, {b}"), working)
        if word == "div":
            msg = "whole numbers are not divided by /"
            raise NotImplementedError(msg)
        return (self.new(f"{word} {LLVM[working]} {a}, {b}"), working)

    def compare(self, op: ast.cmpop, x: Value, y: Value, working: str) -> Value:
        a, b = self.convert(x, working), self.convert(y, working)
        kinds = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
        word = kinds[type(op)]
        if working in FLOATS:
            return (self.new(f"fcmp {'une' if word == 'ne' else 'o' + word} {LLVM[working]} {a}, {b}"), "bool")
        sign = "" if word in ("eq", "ne") else "u" if working in ("bool", "uint8") else "s"
        return (self.new(f"icmp {sign}{word} {LLVM[working]} {a}, {b}"), "bool")

    def call(self, name: str, values: list[str], working: str) -> str:
        kind = LLVM[working]
        if name in INTRINSICS:
            arguments = ", ".join(f"{kind} {v}" for v in values)
            return self.new(f"call {kind} @llvm.{name}.{'f64' if working == 'float64' else 'f32'}({arguments})")
        return self.new(self.math(name, working, values))
