"""Closed forms of derivatives that are polynomials: the gradient's own graph, run on polynomials instead of numbers.

NumPy's arithmetic accepts any object that can add and multiply, so no table of operations is needed: what is not
a polynomial raises, and has no closed form here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wengert.core.graph import Const, Graph
from wengert.viz.notation import _SUPERSCRIPTS, number

_LONGEST = 40
_MOST_NODES = 60
Monomial = tuple[tuple[str, int], ...]


class Polynomial:
    """A sum of coefficients times monomials; a monomial is the sorted tuple of its `(name, power)`."""

    __array_priority__ = 1000

    def __init__(self, terms: Mapping[Monomial, Any]) -> None:
        self.terms = {monomial: c for monomial, c in terms.items() if c != 0}

    def __add__(self, other: Any) -> Polynomial:
        terms = dict(self.terms)
        for monomial, c in as_polynomial(other).terms.items():
            terms[monomial] = terms.get(monomial, 0) + c
        return Polynomial(terms)

    def __mul__(self, other: Any) -> Polynomial:
        terms: dict[Monomial, Any] = {}
        for left, c in self.terms.items():
            for right, d in as_polynomial(other).terms.items():
                powers = dict(left)
                for name, power in right:
                    powers[name] = powers.get(name, 0) + power
                monomial = tuple(sorted(powers.items()))
                terms[monomial] = terms.get(monomial, 0) + c * d
        return Polynomial(terms)

    def __pow__(self, power: Any) -> Polynomial:
        if float(power) != int(power) or not 0 <= power <= 16:
            msg = "not a polynomial"
            raise TypeError(msg)
        result = as_polynomial(1.0)
        for _ in range(int(power)):
            result = result * self
        return result

    def __neg__(self) -> Polynomial:
        return self * -1.0

    def __sub__(self, other: Any) -> Polynomial:
        return self + as_polynomial(other) * -1.0

    def __rsub__(self, other: Any) -> Polynomial:
        return as_polynomial(other) - self

    def __truediv__(self, other: Any) -> Polynomial:
        return self * (1 / float(other))

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other: object) -> bool:
        return self.terms == as_polynomial(other).terms

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        """`2x - 3y² + 1`, higher powers first."""
        text = ""
        for monomial, c in sorted(self.terms.items(), key=lambda item: (-sum(p for _, p in item[0]), item[0])):
            factors = [name + ("".join(_SUPERSCRIPTS[d] for d in str(p)) if p > 1 else "") for name, p in monomial]
            size = "" if abs(c) == 1 and factors else number(abs(c))
            sign = ("-" if c < 0 else "") if not text else (" - " if c < 0 else " + ")
            separator = "·" if any(len(name) > 1 for name, _ in monomial) else ""
            text += sign + separator.join([*([size] if size else []), *factors])
        return text or "0"


def as_polynomial(value: Any) -> Polynomial:
    """A number, or an array of one, as a polynomial."""
    if isinstance(value, np.ndarray):
        value = value.item()
    return value if isinstance(value, Polynomial) else Polynomial({(): float(value)})


def closed_forms(graph: Graph, names: Sequence[str]) -> list[str] | None:
    """What the outputs of a graph of scalars are as polynomials in its inputs; `None` if they are none."""
    if len(graph.nodes) > _MOST_NODES or any(v.type.shape or v.type.dtype.kind != "f" for v in graph.inputs):
        return None
    places: dict[Any, Any] = {v: Polynomial({((n, 1),): 1.0}) for v, n in zip(graph.inputs, names, strict=True)}
    try:
        for node in graph.nodes:
            operands = [a.value if isinstance(a, Const) else places[a] for a in node.operands]
            places[node.outputs[0]] = node.primitive.eval(*operands, **node.params)
        outputs = [as_polynomial(a.value if isinstance(a, Const) else places[a]) for a in graph.outputs]
    except Exception:
        return None
    texts = [str(p) for p in outputs]
    return texts if all(len(text) <= _LONGEST for text in texts) else None
