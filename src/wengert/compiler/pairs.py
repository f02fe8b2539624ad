"""Complex numbers are pairs of real ones: a graph without them.

::

    graph(z:complex128[9], x) { a = multiply z x; b = exp a; return b }
 -> graph(z:float64[9,2], x)  { z' = part z {k=0}; z" = part z {k=1}; a' = multiply.re z' z" x; a" = multiply.im z' z" x;
                                b' = exp.re a' a"; b" = exp.im a' a"; b = pair b' b"; return b }

An input is read, and an output written, as the array of its parts that it is in memory; in between the parts are arrays of their own, so
that loops run over vectors of real parts and vectors of imaginary parts.  Linear maps with real coefficients act on each part, products of
several factors on all combinations; elementwise cards have the code of `wengert.compiler.plane`.  What has none of these is a call of
Python on complex arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, Shape, constant, is_weak, repeated_number
from wengert.compiler.native import code_of
from wengert.compiler.plane import plane_code, power_code
from wengert.compiler.runtime.host import TypeChangedError
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.primitive import Primitive, primitive_named
from wengert.core.types import ArrayType

PART: dict[np.dtype[Any], np.dtype[Any]] = {np.dtype(np.complex64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.float64)}
# Linear maps with real coefficients, and the operands that they act on; the others say where, or which.
LINEAR: dict[str, int | None] = {
    "sum": 1, "mean": 1, "spread": 1, "permute": 1, "reshape": 1, "index": 1, "windows": 1, "overlap": 1, "deposit": 1,
    "assign": 2, "concatenate": None, "stack": None, "tril": 1, "triu": 1,
    "add": None, "subtract": None, "negative": None, "positive": None, "stop_gradient": None,
}  # fmt: skip
MULTILINEAR = frozenset(["matmul", "matmul_of_derivatives", "contract", "einsum", "cross", "cross_of_derivatives"])
MOST_FACTORS = 3
FOLDS = {"prod": "multiply", "max": "maximum", "min": "minimum"}

Pair = tuple[Atom, Atom]
Rule = Callable[["Pairing", Node], bool]


def is_complex(atom: Atom) -> bool:
    """Whether a value is a pair."""
    return atom.type.dtype in PART


def in_pairs(graph: Graph, rules: Mapping[str, Rule] | None = None) -> Graph:
    """See the module; `rules` are those of other rooms for cards by name."""
    every = [*graph.inputs, *graph.outputs, *[a for node in graph.nodes for a in (*node.operands, *node.outputs)]]
    return Pairing(graph, {**RULES, **(rules or {})}).run() if any(map(is_complex, every)) else graph


class Pairing:
    """Writes the graph of parts."""

    def __init__(self, graph: Graph, rules: Mapping[str, Rule]) -> None:
        self.graph, self.builder, self.rules = graph, Builder(), rules
        self.parts: dict[Atom, Pair] = {}
        self.joined: dict[Atom, Atom] = {}  # the arrays of parts, where those lie side by side
        self.same: dict[Atom, Atom] = {}

    def run(self) -> Graph:
        """The graph."""
        inputs = [self.in_memory(var) if is_complex(var) else var for var in self.graph.inputs]
        for node in self.graph.nodes:
            self.builder.location = node.location
            self.place(node)
        outputs = tuple([self.together(atom) if is_complex(atom) else self.same.get(atom, atom) for atom in self.graph.outputs])
        return replace(self.graph, inputs=tuple(inputs), nodes=tuple(self.builder.nodes), outputs=outputs)

    def place(self, node: Node) -> None:
        """What stands for a node."""
        if not any(map(is_complex, (*node.operands, *node.outputs))):
            operands = tuple([self.same.get(atom, atom) for atom in node.operands])
            self.builder.append(replace(node, operands=operands))
            return
        name = node.primitive.name
        for rule in (self.rules.get(name), act_on_parts, multiplied, folded, elementwise):
            if rule is not None and rule(self, node):
                return
        on_pairs(self, node)

    # --- values -------------------------------------------------------------------------------------------------------

    def in_memory(self, var: Var) -> Var:
        """A complex variable that is an array of parts."""
        pair = Var(ArrayType((*var.type.shape, 2), PART[var.type.dtype]), var.hint)
        self.joined[var] = pair
        return pair

    def pair(self, atom: Atom, dtype: Any = None) -> Pair:
        """The parts of a value, in the precision of a complex dtype."""
        if is_complex(atom):
            found = self.parts.get(atom) or self.split(atom)
        else:
            found = (self.same.get(atom, atom), zero(atom.type.shape, dtype or np.dtype(complex)))
        if dtype is None:
            return found
        return self.cast(found[0], PART[dtype]), self.cast(found[1], PART[dtype])

    def split(self, atom: Atom) -> Pair:
        """The parts of a constant, or of what lies in memory."""
        if isinstance(atom, Const):
            value = atom.value
            if isinstance(value, complex) and is_weak(atom):
                found: Pair = (constant(value.real), constant(value.imag))
            else:
                found = (constant(np.array(value.real)[()]), constant(np.array(value.imag)[()]))
        else:
            whole, type_ = self.joined[atom], ArrayType(atom.type.shape, PART[atom.type.dtype])
            re, im = (self.builder.emit(TAKEN, (whole,), {"k": k}, type_) for k in range(2))
            found = (re, im)
        self.parts[atom] = found
        return found

    def together(self, atom: Atom) -> Atom:
        """The array of parts of a complex value."""
        if atom not in self.joined:
            if isinstance(atom, Const):
                value = np.asarray(atom.value, atom.type.dtype)
                self.joined[atom] = constant(np.stack([value.real, value.imag], -1))
            else:
                self.joined[atom] = self.side_by_side(self.parts[atom])
        return self.joined[atom]

    def side_by_side(self, parts: Pair) -> Atom:
        """Two parts as an array of parts."""
        type_ = parts[0].type
        return self.builder.emit(JOINED, parts, {}, ArrayType((*type_.shape, 2), type_.dtype))

    def given(self, node: Node, flags: Sequence[bool]) -> list[Atom]:
        """The operands of a node, those with a flag as arrays of parts."""
        return [self.together(atom) if flag else self.same.get(atom, atom) for atom, flag in zip(node.operands, flags, strict=True)]

    def cast(self, x: Atom, dtype: Any) -> Atom:
        """A real value in a dtype; numbers of Python's take it."""
        if is_weak(x) and isinstance(x, Const):
            return constant(dtype.type(x.value))
        if x.type.dtype == dtype:
            return x
        return self.builder.emit("cast", (x,), {"dtype": dtype}, ArrayType(x.type.shape, dtype))

    def give(self, node: Node, *values: Atom) -> bool:
        """The only result of a node, or its two parts."""
        (out,) = node.outputs
        if len(values) == 2:
            self.parts[out] = (values[0], values[1])
        else:
            self.same[out] = values[0]
        return True

    def emit(self, primitive: Primitive | str, operands: tuple[Atom, ...], params: Mapping[str, Any], out: ArrayType) -> Var:
        """One part of a value of a type, which may be complex."""
        return self.builder.emit(primitive, operands, params, ArrayType(out.shape, PART.get(out.dtype, out.dtype)))


def zero(shape: Shape, dtype: Any) -> Const:
    """A part that is 0."""
    return constant(np.broadcast_to(PART[dtype].type(0), shape)[()])


def is_zero(atom: Atom) -> bool:
    """Whether a part is known to be 0."""
    return isinstance(atom, Const) and repeated_number(atom.value) == 0


# --- rules ------------------------------------------------------------------------------------------------------------


def act_on_parts(self: Pairing, node: Node) -> bool:
    """A linear map with real coefficients."""
    name, out = node.primitive.name, node.outputs[0].type
    if (name not in LINEAR and node.primitive.sources is None) or out.dtype not in PART:
        return False
    n = LINEAR.get(name, 1)
    pairs = [self.pair(atom, out.dtype) for atom in node.operands[:n]]
    rest = [self.same.get(atom, atom) for atom in node.operands[len(pairs) :]]
    params = dict(node.params)
    if params.get("dtype") is not None:
        params["dtype"] = PART[out.dtype]
    parts = [self.emit(node.primitive, (*[pair[k] for pair in pairs], *rest), params, out) for k in range(2)]
    return self.give(node, *parts)


def multiplied(self: Pairing, node: Node) -> bool:
    """A product is the sum over all combinations of parts: with `i` once it is imaginary, with `i` twice it is negative."""
    name, out = node.primitive.name, node.outputs[0].type
    if name not in MULTILINEAR or len(node.operands) > MOST_FACTORS or out.dtype not in PART:
        return False
    pairs = [self.pair(atom, out.dtype) for atom in node.operands]
    choices = [(0,) if is_zero(pair[1]) else (0, 1) for pair in pairs]
    totals: list[Atom | None] = [None, None]
    for chosen in product(*choices):
        k, is_negative = sum(chosen) % 2, sum(chosen) in (2, 3)
        term = self.emit(node.primitive, tuple([pair[c] for pair, c in zip(pairs, chosen, strict=True)]), node.params, out)
        total = totals[k]
        if total is None:
            totals[k] = term
        else:
            totals[k] = self.builder.elementwise("subtract" if is_negative else "add", total, term)
    parts = [zero(out.shape, out.dtype) if total is None else total for total in totals]
    return self.give(node, *parts)


def folded(self: Pairing, node: Node) -> bool:
    """Products and extremes of many: the first half with the second, until one is left."""
    name, x, out = node.primitive.name, node.operands[0], node.outputs[0].type
    if name not in FOLDS or len(node.operands) > 1 or not is_complex(x) or x.type.dtype != out.dtype or 0 in x.type.shape:
        return False
    rank = len(x.type.shape)
    axes = [k % rank for k in node.params["axis"]]
    kept = [k for k in range(rank) if k not in axes]
    head = tuple([x.type.shape[k] for k in kept])
    n = math.prod(x.type.shape) // max(1, math.prod(head))
    values = [self.builder.reshape(self.builder.permute(part, (*kept, *axes)), (*head, n)) for part in self.pair(x)]
    while n > 1:
        half = (n + 1) // 2
        first, last, middle = (
            [self.builder.index(part, (*[slice(None)] * len(head), taken)) for part in values]
            for taken in (slice(0, n - half), slice(half, n), slice(n - half, half))
        )
        values = list(combined(self, FOLDS[name], first, last, ArrayType((*head, n - half), out.dtype)))
        if half > n - half:
            type_ = ArrayType((*head, half), out.dtype)
            values = [self.emit("concatenate", pair, {"axis": -1}, type_) for pair in zip(values, middle, strict=True)]
        n = half
    return self.give(node, *[self.builder.reshape(part, tuple(out.shape)) for part in values])


def combined(self: Pairing, name: str, left: Sequence[Atom], right: Sequence[Atom], type_: ArrayType) -> Pair:
    """A card of two complex values."""
    x, y, out = Var(type_), Var(type_), Var(type_)
    self.parts[x], self.parts[y] = (left[0], left[1]), (right[0], right[1])
    self.place(Node(primitive_named(name), (x, y), {}, (out,), self.builder.location))
    return self.parts[out]


def elementwise(self: Pairing, node: Node) -> bool:
    """A card with scalar code."""
    code, out = code_of(node.primitive), node.outputs[0].type
    flags = tuple([is_complex(atom) for atom in node.operands])
    if not code or not any(flags) or len(node.outputs) > 1:
        return False
    rounds = all(atom.type.dtype == np.complex64 or is_weak(atom) for atom, flag in zip(node.operands, flags, strict=True) if flag)
    code = power_code(repeated_number(node.operands[1].value)) if is_power(node) else code  # type: ignore[union-attr]
    codes = plane_code(node.primitive.name, code, flags, rounds=rounds)
    if codes is None or len(codes) != (2 if out.dtype in PART else 1):
        return False
    operands: list[Atom] = []
    for atom, flag in zip(node.operands, flags, strict=True):
        operands += self.pair(atom) if flag else [self.same.get(atom, atom)]
    parts = [self.emit(component(node.primitive, codes, flags, k), tuple(operands), {}, out) for k in range(len(codes))]
    return self.give(node, *parts)


def is_power(node: Node) -> bool:
    """Whether a node is a power by one number that is known."""
    exponent = node.operands[-1]
    return node.primitive.name in ("power", "float_power") and isinstance(exponent, Const) and repeated_number(exponent.value) is not None


def on_pairs(self: Pairing, node: Node) -> None:
    """A call of Python, which is given complex arrays."""
    flags, found = flags_of(node)
    operands = self.given(node, flags)
    outputs = tuple([self.in_memory(var) if flag else var for var, flag in zip(node.outputs, found, strict=True)])
    self.builder.append(Node(called(node.primitive, flags, found), tuple(operands), node.params, outputs, node.location))


def flags_of(node: Node) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Which operands and results are arrays of parts."""
    return tuple([is_complex(atom) and not isinstance(atom, Const) for atom in node.operands]), tuple(map(is_complex, node.outputs))


def cast(self: Pairing, node: Node) -> bool:
    (x,), out = node.operands, node.outputs[0].type
    re, im = self.pair(x)
    if out.dtype in PART:
        return self.give(node, self.cast(re, PART[out.dtype]), self.cast(im, PART[out.dtype]))
    if out.dtype == bool:
        parts = [self.builder.elementwise("not_equal", part, constant(part.type.dtype.type(0)), dtype=bool) for part in (re, im)]
        return self.give(node, self.builder.elementwise("logical_or", *parts, dtype=bool))
    return self.give(node, self.cast(re, out.dtype))


def real(self: Pairing, node: Node) -> bool:
    return self.give(node, self.pair(node.operands[0])[0])


def imag(self: Pairing, node: Node) -> bool:
    return self.give(node, self.pair(node.operands[0])[1])


def conjugate(self: Pairing, node: Node) -> bool:
    re, im = self.pair(node.operands[0])
    return self.give(node, re, self.builder.elementwise("negative", im))


def where(self: Pairing, node: Node) -> bool:
    """`x if c else y` for each part."""
    c, x, y = node.operands
    out = node.outputs[0].type
    if is_complex(c):
        return False
    pairs = [self.pair(x, out.dtype), self.pair(y, out.dtype)]
    c = self.same.get(c, c)
    return self.give(node, *[self.emit("where", (c, first, second), {}, out) for first, second in zip(*pairs, strict=True)])


def spread_out(self: Pairing, node: Node) -> bool:
    """`var z = var z' + var z"`, `std z = ‖(std z', std z")‖`, `‖z‖ = ‖(‖z'‖, ‖z"‖)‖`."""
    if len(node.operands) > 1:
        return False
    parts = [self.emit(node.primitive, (part,), node.params, node.outputs[0].type) for part in self.pair(node.operands[0])]
    return self.give(node, self.builder.elementwise("add" if node.primitive.name == "var" else "hypot", *parts))


def quantifier(self: Pairing, node: Node) -> bool:
    """`any z`, `all z` of `z ≠ 0`."""
    if len(node.operands) > 1:
        return False
    parts = [self.builder.elementwise("not_equal", part, constant(part.type.dtype.type(0)), dtype=bool) for part in self.pair(node.operands[0])]
    truth = self.builder.elementwise("logical_or", *parts, dtype=bool)
    return self.give(node, self.emit(node.primitive, (truth,), node.params, node.outputs[0].type))


RULES: dict[str, Rule] = {
    "cast": cast, "real": real, "imag": imag, "conjugate": conjugate, "where": where,
    "var": spread_out, "std": spread_out, "two_norm": spread_out, "any": quantifier, "all": quantifier,
}  # fmt: skip


# --- cards of parts ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def component(primitive: Primitive, codes: tuple[str, ...], flags: tuple[bool, ...], k: int) -> Primitive:
    """One part of the value of a card, as a card of parts."""

    def evaluate(*parts: Any) -> Any:
        rest = iter(parts)
        value = np.asarray(primitive.eval(*[number(next(rest), next(rest)) if flag else next(rest) for flag in flags]))
        return (value if len(codes) == 1 else value.imag.copy() if k else value.real.copy())[()]

    name = primitive.name if len(codes) == 1 else f"{primitive.name}.{('re', 'im')[k]}"
    return card_of(f"complex {name}", evaluate, code=codes[k])


def number(re: Any, im: Any) -> Any:
    """The complex numbers of two parts."""
    if not isinstance(re, (np.ndarray, np.generic)):
        return complex(re, im)
    whole = np.empty(np.broadcast_shapes(np.shape(re), np.shape(im)), np.result_type(re.dtype, np.complex64))
    whole.real, whole.imag = re, im
    return whole[()]


@lru_cache(maxsize=4096)
def called(primitive: Primitive, flags: tuple[bool, ...], outputs: tuple[bool, ...]) -> Primitive:
    """A card without native code for complex numbers: it takes and gives arrays of parts for those operands and results that are complex."""

    def evaluate(*xs: Any, **params: Any) -> Any:
        operands = [number(x[..., 0], x[..., 1]) if flag else x for x, flag in zip(xs, flags, strict=True)]
        found = primitive.eval(*operands, **params)
        values = [found] if primitive.n_outputs is None else list(found)
        if any(flag and not np.iscomplexobj(y) for y, flag in zip(values, outputs, strict=True)):
            msg = f"{primitive.name} gave real numbers where complex ones were recorded"
            raise TypeChangedError(msg)
        results = [np.stack([np.real(y), np.imag(y)], -1) if flag else y for y, flag in zip(values, outputs, strict=True)]
        return results[0] if primitive.n_outputs is None else tuple(results)

    return card_of(f"complex {primitive.name}", evaluate, n_outputs=primitive.n_outputs)


def card_of(name: str, evaluate: Callable[..., Any], **facts: Any) -> Primitive:
    """A card that only compiled programs have; with scalar code it is elementwise."""
    family = "elementwise" if facts.get("code") else "discrete"
    return Primitive(name, evaluate, family=family, push=None, pull=None, batch=evaluate, pattern=evaluate, register=False, **facts)


TAKEN = card_of("part", lambda x, k: x[..., k])
JOINED = card_of("pair", lambda *parts: np.stack(parts, -1))
