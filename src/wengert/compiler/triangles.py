"""Products with triangles: factors that are 0 beyond their diagonal, and results of which only a triangle is kept.

::

    l = where(mask, a, 0); c = matmul l b          ->   one product, of half the multiplications
    g = matmul d bᵀ; y = where(mask, g, 0)         ->   one product, of which a triangle is computed

NumPy's zeros beyond the diagonal meet infinities and make NaN of them: the first is done by half only where `b` is finite, and the kernel looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wengert.compiler.builder import repeated_number
from wengert.core.graph import Atom, Const, Node

SMALLEST = 64  # rows from which on a triangle pays
TURNED = {"lower": "upper", "upper": "lower", "": ""}


def triangle_of(makers: Mapping[Atom, Node], atom: Atom) -> str:
    """Where a square matrix may have entries that are not 0: "lower", "upper", or anywhere ("")."""
    shape = atom.type.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < SMALLEST:
        return ""
    node = makers.get(atom)
    name = "" if node is None else node.primitive.name
    if node is None or name not in ("permute", "negative", "checked", "lower_triangular", "where"):
        return ""
    if name == "lower_triangular":
        return "lower"
    if name == "where":
        return next((side for side, cut in CUTS.items() if is_zero(node.operands[2]) and is_within(node.operands[0], cut)), "")
    found = triangle_of(makers, node.operands[0])
    return TURNED[found] if name == "permute" and tuple(node.params["axes"]) == (1, 0) else found


def kept_of(node: Node, slot: int) -> str:
    """Which triangle of its operand a node keeps, all else being 0."""
    shape = node.outputs[0].type.shape
    if node.primitive.name != "where" or slot != 1 or len(shape) != 2 or min(shape) < SMALLEST or not is_zero(node.operands[2]):
        return ""
    return next((side for side, cut in CUTS.items() if is_within(node.operands[0], cut, whole=True)), "")


CUTS = {"lower": np.tril, "upper": np.triu}


def is_zero(atom: Atom) -> bool:
    """Whether an array is 0 throughout, not -0."""
    number = repeated_number(atom.value) if isinstance(atom, Const) else None
    return number is not None and number == 0 and not np.signbit(np.real(number))


def is_within(mask: Atom, cut: Any, *, whole: bool = False) -> bool:
    """Whether a mask of a matrix is true within a triangle only; and throughout."""
    if not isinstance(mask, Const) or np.ndim(mask.value) != 2 or np.asarray(mask.value).dtype != np.bool_:
        return False
    value = np.asarray(mask.value)
    return np.array_equal(value, cut(np.ones(value.shape, bool)) if whole else cut(value))
