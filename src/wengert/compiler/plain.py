"""Strong products that may be plain ones.

A strong product is 0 where one factor is 0, whatever the other is; the plain product differs only where that other one is NaN or
infinite.  What is known of the factors often shows that this cannot be: `exp` of something negative is at most 1, and a NaN in
`tanh x` and in `exp(-x²)` comes from a NaN in `x`, so that where one of them is NaN the other one is too, and is not 0.

::

    graph(x) { a = tanh x; b = sech x; c = scale a b; return c }   ->   graph(x) { a = tanh x; b = sech x; c = multiply a b; return c }

Facts are derived from the scalar code of cards, for real arrays of enough entries to be worth it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, constant
from wengert.compiler.native import code_of
from wengert.compiler.scalar import CONSTANTS, FLOATS, parse
from wengert.core.graph import Atom, Const, Graph, Node

WORTH = 64  # entries of a product
DEPTH = 30  # operations that are looked at before a value
MOVES = frozenset(["spread", "permute", "reshape", "index", "windows"])
LARGE = 300.0  # up to here bounds of functions are computed
HUGE, SMALL = 1e30, 1e-30  # beyond these a bound may be infinite, or 0, in single precision

Roots = frozenset[Any]


@dataclass(eq=False, slots=True)
class Fact:
    """What is known of a number: if it is not NaN, it lies between two bounds.

    It is NaN only if one of `suspects` is (`None`: who knows), and it is certainly NaN if one of `culprits` is.  Numbers of one `stem`
    have the same absolute value, and are that times their `sign`; a sign of 0 is that of the absolute value itself.
    """

    low: float
    high: float
    suspects: Roots | None
    culprits: Roots
    stem: Any = None
    sign: int = 1

    @property
    def may_be_infinite(self) -> bool:
        return self.low < -HUGE or self.high > HUGE

    @property
    def may_be_zero(self) -> bool:
        return self.low < SMALL and self.high > -SMALL


NONE: Roots = frozenset()
ANYTHING = Fact(-math.inf, math.inf, None, NONE)
TRUTH = Fact(0, 1, NONE, NONE)


def plain_products(graph: Graph) -> Graph:
    """See the module."""
    if not any(is_worth_it(node) for node in graph.nodes):
        return graph
    facts = Facts(graph)
    builder = Builder()
    same: dict[Atom, Atom] = {}
    for node in graph.nodes:
        operands = tuple([same.get(atom, atom) for atom in node.operands])
        new = replace(node, operands=operands) if operands != node.operands else node
        if not is_worth_it(node):
            builder.append(new)
            continue
        builder.location = node.location
        first, second = (facts.of(atom) for atom in node.operands)
        tested = [atom for atom, absorbs in zip(new.operands, absorbing(first, second), strict=True) if absorbs]
        same[node.outputs[0]] = product(builder, new, tested)
    outputs = tuple([same.get(atom, atom) for atom in graph.outputs])
    return replace(graph, nodes=tuple(builder.nodes), outputs=outputs)


def is_worth_it(node: Node) -> bool:
    """Whether a node is a strong product of real arrays."""
    if node.primitive.name != "scale":
        return False
    out = node.outputs[0].type
    return out.dtype.name in FLOATS and math.prod(out.shape) >= WORTH


def absorbing(a: Fact, b: Fact) -> tuple[bool, bool]:
    """Whether a zero of `a`, and one of `b`, may meet a factor that it has to absorb."""
    return a.may_be_zero and may_be_bad(b, a), b.may_be_zero and may_be_bad(a, b)


def may_be_bad(factor: Fact, other: Fact) -> bool:
    """Whether a factor may be infinite, or NaN where the other one is a number."""
    return factor.may_be_infinite or factor.suspects is None or not factor.suspects <= other.culprits


def product(builder: Builder, node: Node, tested: list[Atom]) -> Atom:
    """The strong product with tests for zeros of these factors alone."""
    if len(tested) == 2:
        builder.append(node)
        return node.outputs[0]
    dtype = node.outputs[0].type.dtype
    plain = builder.elementwise("multiply", *node.operands, dtype=dtype)
    if not tested:
        return plain
    zero = constant(dtype.type(0))
    return builder.elementwise("where", builder.elementwise("equal", tested[0], zero, dtype=bool), zero, plain, dtype=dtype)


class Facts:
    """What is known of the values of a graph, found out when asked for."""

    def __init__(self, graph: Graph) -> None:
        self.maker = {node.outputs[0]: node for node in graph.nodes if len(node.outputs) == 1}
        self.known: dict[Atom, Fact] = {}

    def of(self, atom: Atom, depth: int = DEPTH) -> Fact:
        """The fact about an atom."""
        fact = self.known.get(atom)
        if fact is None:
            fact = self.known[atom] = self.found(atom, depth)
        return fact

    def found(self, atom: Atom, depth: int) -> Fact:
        kind = atom.type.dtype.kind
        if isinstance(atom, Const):
            return fact_of_constant(atom)
        if kind != "f":
            return whole(atom) if kind in "biu" else ANYTHING
        root = Fact(-math.inf, math.inf, frozenset([atom]), frozenset([atom]), atom)
        node = self.maker.get(atom)
        if node is None or not depth:
            return root
        if node.primitive.name in MOVES:  # entries in other places: the same bounds
            inner = self.of(node.operands[0], depth - 1)
            suspects = NONE if inner.suspects == NONE else root.suspects
            return replace(root, low=inner.low, high=inner.high, suspects=suspects)
        code = code_of(node.primitive)
        if not code or any(operand.type.dtype.kind not in "biuf" for operand in node.operands):
            return root
        operands = [self.of(operand, depth - 1) for operand in node.operands]
        fact = Evaluation(operands).run(code)
        suspects = root.suspects if fact.suspects is None else fact.suspects  # who knows where a NaN comes from: from here
        is_same = fact.stem is not None and all(a.type.dtype == atom.type.dtype for a in node.operands)
        stem, sign = (fact.stem, fact.sign) if is_same else (atom, 1)
        return Fact(fact.low, fact.high, suspects, fact.culprits | root.culprits, stem, sign)


def fact_of_constant(atom: Const) -> Fact:
    """Bounds of a constant that has no NaN."""
    array = np.asarray(atom.value)
    if array.dtype.kind not in "biuf" or not array.size:
        return ANYTHING
    low, high = float(array.min()), float(array.max())
    return ANYTHING if math.isnan(low) else Fact(low, high, NONE, NONE, atom)


def whole(atom: Atom) -> Fact:
    """Bounds of whole numbers and truth values."""
    dtype = atom.type.dtype
    if dtype.kind == "b":
        return replace(TRUTH, stem=atom)
    limits = np.iinfo(dtype)
    return Fact(float(limits.min), float(limits.max), NONE, NONE, atom)


class Evaluation:
    """Scalar code evaluated on facts."""

    def __init__(self, operands: list[Fact]) -> None:
        self.names = dict(zip("abcd", operands, strict=False))

    def run(self, code: str) -> Fact:
        """The fact about the value of a piece of code."""
        assignments, result = parse(code)
        for name, value in assignments:
            fact = self.walk(value)
            if fact.stem is None:
                fact = Fact(fact.low, fact.high, fact.suspects, fact.culprits, object())
            self.names[name] = fact
        return self.walk(result)

    def walk(self, node: ast.expr) -> Fact:
        """The fact about an expression."""
        match node:
            case ast.Name(id=name):
                return self.names[name] if name in self.names else number(CONSTANTS.get(name, math.nan))
            case ast.Constant(value=int() | float() as known):
                return number(float(known))
            case ast.UnaryOp(op=ast.USub(), operand=x):
                return negated(self.walk(x))
            case ast.BinOp(left=x, op=op, right=y) if type(op) in ARITHMETIC:
                return ARITHMETIC[type(op)](self.walk(x), self.walk(y))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return TRUTH
            case ast.IfExp(body=x, orelse=y):
                return either(self.walk(x), self.walk(y))
            case ast.Call(func=ast.Name(id=name), args=[x, *_]) if name in RANGES:
                return RANGES[name](self.walk(x))
        return ANYTHING


# --- arithmetic -------------------------------------------------------------------------------------------------------


def number(value: float) -> Fact:
    """A number that is known."""
    return ANYTHING if math.isnan(value) else Fact(value, value, NONE, NONE)


def joined(*facts: Fact) -> Roots | None:
    """Whose NaN may be that of a result, when no new one arises."""
    found: Roots = NONE
    for fact in facts:
        if fact.suspects is None:
            return None
        found |= fact.suspects
    return found


def negated(x: Fact) -> Fact:
    return Fact(-x.high, -x.low, x.suspects, x.culprits, x.stem if x.sign else None, -x.sign)


def either(x: Fact, y: Fact) -> Fact:
    """One or the other."""
    return Fact(min(x.low, y.low), max(x.high, y.high), joined(x, y), x.culprits & y.culprits)


def added(x: Fact, y: Fact) -> Fact:
    clash = (x.high > HUGE and y.low < -HUGE) or (x.low < -HUGE and y.high > HUGE)
    low, high = x.low + y.low, x.high + y.high  # of opposite infinities: no bound
    return Fact(-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high,
                None if clash else joined(x, y), x.culprits | y.culprits)  # fmt: skip


def multiplied(x: Fact, y: Fact) -> Fact:
    if x.stem is not None and x.stem is y.stem:  # a square, or minus a square
        size = max(abs(x.low), abs(x.high)) ** 2 if x.low > -HUGE and x.high < HUGE else math.inf
        low, high = (0.0, size) if x.sign == y.sign else (-size, 0.0) if x.sign == -y.sign else (-size, size)
        return Fact(low, high, joined(x, y), x.culprits)
    clash = (x.may_be_infinite and y.may_be_zero) or (y.may_be_infinite and x.may_be_zero)
    corners = [0.0 if p == 0 or q == 0 else p * q for p in (x.low, x.high) for q in (y.low, y.high)]
    return Fact(min(corners), max(corners), None if clash else joined(x, y), x.culprits | y.culprits)


def divided(x: Fact, y: Fact) -> Fact:
    if y.may_be_zero:
        clash = x.may_be_zero or (x.may_be_infinite and y.may_be_infinite)
        return Fact(-math.inf, math.inf, None if clash else joined(x, y), x.culprits | y.culprits)
    inverse = Fact(1 / y.high, 1 / y.low, y.suspects, y.culprits)
    found = multiplied(x, inverse)
    clash = x.may_be_infinite and y.may_be_infinite
    return replace(found, suspects=None if clash else joined(x, y))


ARITHMETIC: dict[type[ast.operator], Callable[[Fact, Fact], Fact]] = {
    ast.Add: added, ast.Sub: lambda x, y: added(x, negated(y)), ast.Mult: multiplied, ast.Div: divided,
}  # fmt: skip


# --- functions --------------------------------------------------------------------------------------------------------


def within(low: float, high: float) -> Callable[[Fact], Fact]:
    """A function that is NaN at NaN only, and has these bounds."""
    return lambda x: Fact(low, high, x.suspects, x.culprits)


def waving(x: Fact) -> Fact:
    """Sine and cosine, which are NaN at infinity too."""
    return Fact(-1.0, 1.0, None if x.may_be_infinite else x.suspects, x.culprits)


def rising(function: Callable[[float], float], low: float, at_zero: float, start: float = -math.inf) -> Callable[[Fact], Fact]:
    """An increasing function above `low`, and above `at_zero` for what is not negative; below `start` it may be NaN."""

    def fact(x: Fact) -> Fact:
        high = math.inf if x.high > LARGE else function(max(x.high, start, -LARGE))
        return Fact(at_zero if x.low >= 0 else low, high, None if x.low < start else x.suspects, x.culprits)

    return fact


def absolute(x: Fact) -> Fact:
    size = max(abs(x.low), abs(x.high))
    return Fact(max(x.low, -x.high, 0.0), size, x.suspects, x.culprits, x.stem, 0)


def rounded(x: Fact) -> Fact:
    return Fact(x.low - 1, x.high + 1, x.suspects, x.culprits)


RANGES: dict[str, Callable[[Fact], Fact]] = {
    "exp": rising(lambda t: 1.01 * math.exp(t), 0.0, 0.99), "exp2": rising(lambda t: 1.01 * 2.0**t, 0.0, 0.99),
    "expm1": within(-1.0, math.inf), "tanh": within(-1.0, 1.0), "erf": within(-1.0, 1.0), "erfc": within(0.0, 2.0),
    "ndtr": within(0.0, 1.0), "atan": within(-1.6, 1.6), "sin": waving, "cos": waving, "cosh": within(1.0, math.inf),
    "sinh": within(-math.inf, math.inf), "asinh": within(-math.inf, math.inf), "cbrt": within(-math.inf, math.inf),
    "sqrt": rising(lambda t: 1.01 * math.sqrt(t), 0.0, 0.0, 0.0), "log1p": rising(lambda t: 1.01 * abs(math.log1p(t)), -math.inf, 0.0, -0.9),
    "abs": absolute, "fabs": absolute, "floor": rounded, "ceil": rounded, "trunc": rounded, "rint": rounded,
}  # fmt: skip
