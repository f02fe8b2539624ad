"""Half precision is single precision that is rounded after every operation: a graph without it.

::

    graph(x:float16[9], y:float16[9]) { a = multiply x y; b = exp a; return b }
 -> graph(x:float16[9], y:float16[9]) { x' = cast x; y' = cast y; a' = multiply x' y'; a" = half a'; b' = exp a"; b" = half b';
                                        b = cast b" {dtype=float16}; return b }

NumPy does the same with single numbers.  Rounding once more is innocuous for `+ - * / sqrt`: 24 bits are 2 more than twice 11
(S. A. Figueroa, SIGNUM Newsletter 30, 1995), so these have the very bits of NumPy's.  Sums, products of matrices and the like are
taken in single precision and rounded in the end, as NumPy takes most of them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, constant, is_weak
from wengert.compiler.native import code_of
from wengert.compiler.pairs import LINEAR, card_of
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.primitive import Primitive
from wengert.core.types import ArrayType

HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)
MOVES = frozenset(LINEAR) - {"sum", "mean", "overlap", "add", "subtract"}
EXACT = MOVES | {  # whose values are among their operands' or whole numbers
    "absolute", "fabs", "where", "maximum", "minimum", "fmax", "fmin", "copysign", "floor", "ceil", "trunc", "rint", "sign", "heaviside",
    "real", "conjugate", "max", "min", "sort",
}  # fmt: skip
# What is neither elementwise nor exact, and may be taken in single precision as a whole.
WHOLE = frozenset([
    "sum", "mean", "prod", "var", "std", "overlap", "cumsum", "cumprod", "matmul", "matmul_of_derivatives", "contract", "einsum",
    "cross", "cross_of_derivatives", "two_norm", "softmax", "logsumexp", "any", "all", "argmax", "argmin", "argsort", "imag",
])  # fmt: skip
OF_NEIGHBOURS = frozenset(["nextafter", "spacing"])  # which know how far numbers of half precision are apart


def in_single(graph: Graph) -> Graph:
    """See the module."""
    every = [*graph.inputs, *graph.outputs, *[a for node in graph.nodes for a in (*node.operands, *node.outputs)]]
    return Widening(graph).run() if any(map(is_half, every)) else graph


def is_half(atom: Atom) -> bool:
    """Whether a value is of half precision."""
    return atom.type.dtype == HALF


class Widening:
    """Writes the graph in single precision."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.builder = graph, Builder()
        self.wide: dict[Atom, Atom] = {}

    def run(self) -> Graph:
        """The graph."""
        for node in self.graph.nodes:
            self.builder.location = node.location
            if any(map(is_half, (*node.operands, *node.outputs))):
                self.place(node)
            else:
                self.builder.append(node)
        outputs = tuple([self.narrow(atom) if is_half(atom) else atom for atom in self.graph.outputs])
        return replace(self.graph, nodes=tuple(self.builder.nodes), outputs=outputs)

    def of(self, atom: Atom) -> Atom:
        """A value in single precision, or as it is if it was of another one."""
        if not is_half(atom):
            return atom
        if atom not in self.wide:
            if isinstance(atom, Const):
                self.wide[atom] = constant(np.asarray(atom.value).astype(SINGLE)[()])
            else:
                self.wide[atom] = self.cast(atom, SINGLE)
        return self.wide[atom]

    def narrow(self, atom: Atom) -> Atom:
        """A value as it is handed over; numbers and inputs are."""
        return self.cast(self.wide[atom], HALF) if atom in self.wide and not isinstance(atom, Const) else atom

    def cast(self, atom: Atom, dtype: Any) -> Var:
        return self.builder.emit("cast", (atom,), {"dtype": dtype}, ArrayType(atom.type.shape, dtype))

    def rounded(self, x: Atom) -> Atom:
        """The nearest numbers of half precision, kept in single precision."""
        return self.builder.emit(ROUNDED, (x,), {}, ArrayType(x.type.shape, SINGLE))

    def place(self, node: Node) -> None:
        """What stands for a node."""
        name, params = node.primitive.name, dict(node.params)
        is_elementwise = bool(code_of(node.primitive)) and name not in OF_NEIGHBOURS
        if not (is_elementwise or name in EXACT or name in WHOLE or node.primitive.sources is not None):
            self.call(node)
            return
        if name == "cast" and is_half(node.outputs[0]):
            self.narrowed(node)
            return
        if params.get("dtype") == HALF:
            params["dtype"] = SINGLE
        operands = tuple([self.beside(node, atom) if is_elementwise else self.of(atom) for atom in node.operands])
        outputs = tuple([Var(ArrayType(var.type.shape, SINGLE), var.hint) if is_half(var) else var for var in node.outputs])
        self.builder.append(Node(node.primitive, operands, params, outputs, node.location))
        is_exact = name in EXACT or node.primitive.sources is not None
        for var, new in zip(node.outputs, outputs, strict=True):
            if new is not var:
                self.wide[var] = new if is_exact else self.rounded(new)

    def beside(self, node: Node, atom: Atom) -> Atom:
        """An operand of an elementwise node; a number of Python's is one of half precision beside those."""
        if is_weak(atom) and isinstance(atom, Const) and not isinstance(atom.value, complex):
            others = [a.type.dtype for a in node.operands if not is_weak(a) and (a.type.dtype.kind != "b" or node.primitive.name != "where")]
            if np.result_type(*others, 1.0) == HALF:
                return constant(HALF.type(atom.value).astype(SINGLE))
        return self.of(atom)

    def narrowed(self, node: Node) -> None:
        """A cast to half precision: from double precision at once, so that nothing is rounded twice."""
        (x,) = node.operands
        if is_half(x):
            self.wide[node.outputs[0]] = self.of(x)
            return
        if x.type.dtype.kind == "c":
            x = self.cast(x, x.type.dtype.type().real.dtype)
        wide = x if x.type.dtype in (np.float64, SINGLE) else self.cast(x, SINGLE)
        self.wide[node.outputs[0]] = self.rounded(wide)

    def call(self, node: Node) -> None:
        """A card that is called on arrays of half precision."""
        flags, found = tuple(map(is_half, node.operands)), tuple(map(is_half, node.outputs))
        outputs = tuple([Var(ArrayType(var.type.shape, SINGLE), var.hint) if flag else var for var, flag in zip(node.outputs, found, strict=True)])
        operands = tuple([atom if isinstance(atom, Const) else self.of(atom) for atom in node.operands])
        flags = tuple([flag and not isinstance(atom, Const) for flag, atom in zip(flags, node.operands, strict=True)])
        self.builder.append(Node(called(node.primitive, flags, found), operands, node.params, outputs, node.location))
        self.wide.update({var: new for var, new in zip(node.outputs, outputs, strict=True) if new is not var})


ROUNDED = card_of("half", lambda x: np.asarray(x).astype(HALF).astype(SINGLE)[()], code="half(a)")


@lru_cache(maxsize=4096)
def called(primitive: Primitive, flags: tuple[bool, ...], outputs: tuple[bool, ...]) -> Primitive:
    """A card whose operands and results of half precision are given in single precision."""

    def evaluate(*xs: Any, **params: Any) -> Any:
        operands = [x.astype(HALF) if flag else x for x, flag in zip(xs, flags, strict=True)]
        found = primitive.eval(*operands, **params)
        values = [found] if primitive.n_outputs is None else list(found)
        results = [np.asarray(y).astype(SINGLE)[()] if flag else y for y, flag in zip(values, outputs, strict=True)]
        return results[0] if primitive.n_outputs is None else tuple(results)

    return card_of(f"half {primitive.name}", evaluate, n_outputs=primitive.n_outputs)
