"""Rules of algebra: a pattern, and what may stand in its place, under a mathematical name.

Letters stand for any value, and numbers for constants that are this number throughout.  A rule holds to the bit, for infinities, NaN
and signed zeros too (`-0.0` is the neutral element of addition, and not `0.0`); the few that hold to rounding say so.  A rule applies
where the type of the result stays as it is.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

Pattern = ast.expr


@dataclass(frozen=True)
class Rule:
    """`pattern -> replacement`, to so many units in the last place."""

    name: str
    pattern: str
    replacement: str
    ulps: int = 0

    @cached_property
    def left(self) -> Pattern:
        """The pattern as a tree."""
        return _tree(self.pattern)

    @cached_property
    def right(self) -> Pattern:
        """The replacement as a tree."""
        return _tree(self.replacement)

    @property
    def primitive(self) -> str:
        """The outermost primitive of the pattern."""
        return name_of(self.left)


def _tree(text: str) -> Pattern:
    return ast.parse(text, mode="eval").body


@cache
def name_of(call: Any) -> str:
    """The primitive of a call in a pattern."""
    return str(call.func.id)


@cache
def number_of(tree: Pattern) -> Any:
    """The number that a part of a pattern is; `None` if it is none."""
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Constant):
        return -tree.operand.value  # type: ignore[operator]
    return None


# fmt: off - a table: name, pattern, replacement
RULES = (
    Rule("one is neutral",                  "multiply(x, 1)",               "x"),
    Rule("one is neutral",                  "multiply(1, x)",               "x"),
    Rule("scale by one",                    "scale(x, 1)",                  "x"),
    Rule("scale by one",                    "scale(1, x)",                  "x"),
    Rule("divide by one",                   "divide(x, 1)",                 "x"),
    Rule("first power",                     "power(x, 1)",                  "x"),
    Rule("minus zero is neutral",           "add(x, -0.0)",                 "x"),
    Rule("minus zero is neutral",           "add(-0.0, x)",                 "x"),
    Rule("zero is neutral on the right",    "subtract(x, 0.0)",             "x"),
    Rule("times minus one",                 "multiply(x, -1)",              "negative(x)"),
    Rule("times minus one",                 "multiply(-1, x)",              "negative(x)"),
    Rule("scale by minus one",              "scale(x, -1)",                 "negative(x)"),
    Rule("scale by minus one",              "scale(-1, x)",                 "negative(x)"),
    Rule("double negation",                 "negative(negative(x))",        "x"),
    Rule("nothing to do",                   "positive(x)",                  "x"),
    Rule("minus of a minus",                "subtract(x, negative(y))",     "add(x, y)"),
    Rule("plus a minus",                    "add(x, negative(y))",          "subtract(x, y)"),
    Rule("plus a minus",                    "add(negative(x), y)",          "subtract(y, x)"),
    Rule("minus of a difference's parts",   "multiply(negative(x), negative(y))", "multiply(x, y)"),
    Rule("square",                          "power(x, 2)",                  "square(x)", ulps=1),
    Rule("square",                          "multiply(x, x)",               "square(x)"),
    Rule("reciprocal",                      "power(x, -1)",                 "reciprocal(x)", ulps=1),
    Rule("even functions",                  "square(negative(x))",          "square(x)"),
    Rule("even functions",                  "absolute(negative(x))",        "absolute(x)"),
    Rule("even functions",                  "cos(negative(x))",             "cos(x)"),
    Rule("even functions",                  "cosh(negative(x))",            "cosh(x)"),
    Rule("a length has no sign",            "absolute(absolute(x))",        "absolute(x)"),
    Rule("a square has no sign",            "square(absolute(x))",          "square(x)"),
    Rule("the largest of one",              "maximum(x, x)",                "x"),
    Rule("the smallest of one",             "minimum(x, x)",                "x"),
    Rule("chosen for certain",              "where(True, x, y)",            "x"),
    Rule("chosen for certain",              "where(False, x, y)",           "y"),
    Rule("nothing to choose",               "where(c, x, x)",               "x"),
    Rule("a choice turned round",           "where(logical_not(c), x, y)",  "where(c, y, x)"),
    Rule("not not",                         "logical_not(logical_not(x))",  "x"),
)
# fmt: on
