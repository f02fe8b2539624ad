"""Which elementwise nodes have native code, and in which dtype it is evaluated.

A card's scalar code has one meaning for every dtype that the language knows; `working_dtype` is the loop that NumPy would choose.
"""

from __future__ import annotations

import ast
from functools import cache, lru_cache
from typing import Any

import numpy as np

from wengert.compiler.loops import dtype_name
from wengert.compiler.scalar import FLOAT_ONLY, FLOATS, IN_DOUBLE, INTRINSICS, LLVM, ScalarCodeError, Scalars, parse
from wengert.compiler.vector_math import ARITY, FUNCTIONS
from wengert.core.graph import Const, Node
from wengert.core.primitive import Primitive

UNREGISTERED = {"cast": "a", "conjugate": "a", "real": "a"}  # elementwise in real arithmetic, of other families
COST_OF_ROOT, COST_OF_FUNCTION = 8, 40  # in simple instructions
OWN = {"abs": 1, "count_bits": 1}
TAKES = {**{name: ARITY.get(name, 1) for name in FUNCTIONS}, **INTRINSICS, **FLOAT_ONLY, **OWN}  # how many numbers each function takes


def code_of(primitive: Primitive) -> str:
    """The scalar code of a card; empty where it has none."""
    return primitive.code or UNREGISTERED.get(primitive.name, "")


def scalar_code(node: Node) -> tuple[str, str] | None:
    """The dtype in which a node is evaluated for one entry, and the code; `None` where that is left to NumPy."""
    code = code_of(node.primitive)
    if not code or any(dtype_name(o.type.dtype) not in LLVM for o in (*node.operands, *node.outputs)):
        return None
    working = working_dtype(node)
    if working is None or not has_meaning(node.primitive.name, code, working, len(node.operands)):
        return None
    return working, code


def working_dtype(node: Node) -> str | None:
    """The dtype of NumPy's own loop for the operands of a node."""
    out = dtype_name(node.outputs[0].type.dtype)
    if out in FLOATS:
        return out
    values = [atom.value for atom in _measured(node) if is_weak(atom)]
    dtypes = [atom.type.dtype for atom in _measured(node) if not is_weak(atom)]
    common = np.result_type(*dtypes, *[type(value)(1) for value in values])  # a weak 1 promotes as any weak number does
    if common.kind in "iu":
        limits = np.iinfo(common)
        if any(not limits.min <= value <= limits.max for value in values):
            return None  # NumPy compares such a number exactly, and refuses to compute with it
    if common.kind == "f" and {dtype.kind for dtype in dtypes} == {"i", "u"}:
        return None  # int64 beside uint64: NumPy compares them exactly
    return dtype_name(common) if dtype_name(common) in LLVM else None


def _measured(node: Node) -> tuple[Any, ...]:
    """The operands that have a part in the dtype: a condition has none."""
    return node.operands[1:] if node.primitive.name == "where" else node.operands


def is_weak(atom: Any) -> bool:
    """Whether an operand is a Python number, which takes the dtype of its company."""
    return isinstance(atom, Const) and type(atom.value) in (int, float)


@lru_cache(maxsize=4096)
def has_meaning(name: str, code: str, working: str, n: int) -> bool:
    """Whether code is defined for a dtype: whole numbers have no `/`, no `sqrt`, and no infinity.

    Code that is defined neither for floats nor for whole numbers is a mistake on its card.
    """
    reasons = [_objection(code, dtype, n) for dtype in (working, "float64", "int64")]
    if all(reasons):
        msg = f"the card {name!r} is wrong: {reasons[0]}"
        raise ScalarCodeError(msg)
    return reasons[0] is None


def _objection(code: str, working: str, n: int) -> str | None:
    """Why code is not defined for a dtype."""
    try:
        assignments, result = parse(code)
        for expression in (*[value for _, value in assignments], result):
            for call in ast.walk(expression):
                if isinstance(call, ast.Call):
                    _check_call(call)
        Scalars([], lambda function, dtype, values: "").emit(code, [(f"%{k}", working) for k in range(n)], working)
    except ScalarCodeError as error:
        return str(error)
    return None


def _check_call(call: ast.Call) -> None:
    name = ast.unparse(call.func)
    if name not in TAKES:
        msg = f"scalar code has no function {name!r}"
        raise ScalarCodeError(msg)
    if len(call.args) != TAKES[name]:
        msg = f"{name} takes {TAKES[name]} numbers, not {len(call.args)}"
        raise ScalarCodeError(msg)


def cost_of(primitive: Primitive) -> int:
    """About how many simple instructions a card's code takes."""
    return cost_of_code(code_of(primitive))


@cache
def cost_of_code(code: str) -> int:
    """About how many simple instructions code takes."""
    total = 1
    for part in ast.walk(ast.parse(code.removeprefix(IN_DOUBLE))):
        if isinstance(part, ast.Call):
            name = ast.unparse(part.func)
            total += COST_OF_FUNCTION if name in FUNCTIONS else COST_OF_ROOT if name == "sqrt" else 1
        elif isinstance(part, ast.BinOp):
            total += COST_OF_ROOT if isinstance(part.op, ast.Div | ast.FloorDiv | ast.Mod) else 1
        elif isinstance(part, ast.Compare | ast.IfExp | ast.UnaryOp | ast.BoolOp):
            total += 1
    return total
