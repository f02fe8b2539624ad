"""Rewriting a graph before it is fused.

One walk over the nodes: the operands of each are simple already, its constants are computed, rules are tried until none applies, and a
node that was seen before is not written again.  Then what nobody needs is left out.

::

    graph(x) { a = multiply x 1; b = sin a; c = sin x; d = add b c; return d }   ->   graph(x) { b = sin x; d = add b b; return d }
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, is_weak, repeated_number
from wengert.compiler.expand import expansions_of
from wengert.compiler.rules import RULES, Pattern, Rule, name_of, number_of
from wengert.compiler.structure import STRUCTURE
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.primitive import primitive_named
from wengert.core.rewrite import remove_dead
from wengert.core.types import ArrayType, type_of

FOLDED = 4096  # entries of a constant that is computed beforehand
RULES_OF: dict[str, list[Rule]] = {}
for _rule in RULES:
    RULES_OF.setdefault(_rule.primitive, []).append(_rule)
NUMBERS = list({repr(n): n for rule in RULES for part in rule.left.args if (n := number_of(part)) is not None}.values())  # type: ignore[attr-defined]


class Simplifier:
    """See the module."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = Builder()
        self.same: dict[Atom, Atom] = {}
        self.seen: dict[Any, tuple[Atom, ...]] = {}
        self.numbers: dict[Const, Any] = {}
        self.kinds: dict[Const, str] = {}
        self.structures: dict[Any, tuple[tuple[str, Any], ...]] = {}  # of each primitive, its rules about shapes and its expansions
        self.keys: dict[Any, Any] = {}  # what stands for constants and types in the keys of nodes
        self.applied: dict[str, int] = {}  # how often each rule was

    def run(self) -> Graph:
        """The simplified graph."""
        for node in self.graph.nodes:
            self.builder.location = node.location
            operands = tuple([self.same.get(atom, atom) for atom in node.operands])
            if operands != node.operands:
                node = Node(node.primitive, operands, node.params, node.outputs, node.location)
            results = self.simple(node)
            if results is not node.outputs:
                self.same.update(zip(node.outputs, results, strict=True))
        outputs = tuple([self.same.get(atom, atom) for atom in self.graph.outputs])
        return remove_dead(replace(self.graph, nodes=tuple(self.builder.nodes), outputs=outputs))

    def simple(self, node: Node) -> tuple[Atom, ...]:
        """What stands for the results of a node whose operands are simple; it is written if it is new."""
        key = self.key_of(node)
        try:
            known = self.seen.get(key)
        except TypeError:  # a setting without a hash
            key = known = None
        if known is not None:
            self.count("common subexpression")
            return known
        results = self.folded(node) or self.ruled(node) or self.structured(node)
        if results is None:
            self.builder.append(node)
            results = node.outputs
        if key is not None:
            self.seen[key] = results
        return results

    def key_of(self, node: Node) -> Any:
        """Equal for nodes that compute the same."""
        keys = self.keys
        parts = tuple([keys.get(a) or self.remember(a) if type(a) is Const else id(a) for a in node.operands])
        types = [(keys.get(id(var.type)) or self.remember(var.type))[0] for var in node.outputs]
        return (node.primitive, parts, _frozen(node.params) if node.params else (), *types)

    def remember(self, part: Const | ArrayType) -> Any:
        """What stands for a constant, or for a type: found once for an object, which is kept so that its `id` stays its own."""
        if isinstance(part, Const):
            found = self.keys[part] = _constant_key(part)
            return found
        number = self.keys.setdefault(part, len(self.keys) + 1)
        found = self.keys[id(part)] = (number, part)
        return found

    def count(self, name: str) -> None:
        """One more use of a rule."""
        self.applied[name] = self.applied.get(name, 0) + 1

    # --- constants --------------------------------------------------------------------------------------------------

    def folded(self, node: Node) -> tuple[Atom, ...] | None:
        """A node of constants alone is a constant."""
        for atom in node.operands:
            if type(atom) is not Const:
                return None
        if not node.operands:
            return None
        if node.primitive.family == "control" or any(var.type.dtype.kind not in "biufc" for var in node.outputs):
            return None
        large = max([var.type.shape for var in node.outputs], key=lambda shape: int(np.prod(shape, dtype=int)))
        if int(np.prod(large, dtype=int)) > FOLDED and node.primitive.name != "spread":
            return None
        with np.errstate(all="ignore"):
            found = node.primitive.eval(*[constant_for(node, a) for a in node.operands], **node.params)
        values = [found] if node.primitive.n_outputs is None else list(found)
        if [type_of(v) for v in values] != [var.type for var in node.outputs]:
            return None
        self.count("constants are computed")
        return tuple([Const(v, var.type) for v, var in zip(values, node.outputs, strict=True)])

    def number(self, atom: Atom) -> Any:
        """The number that a constant is throughout; `None` for anything else."""
        if not isinstance(atom, Const):
            return None
        if atom not in self.numbers:
            self.numbers[atom] = repeated_number(atom.value)
        return self.numbers[atom]

    # --- rules --------------------------------------------------------------------------------------------------------

    def ruled(self, node: Node) -> tuple[Atom, ...] | None:
        """The first rule that applies."""
        if node.primitive.name not in RULES_OF:
            return None
        for rule in candidates(node.primitive.name, tuple(map(self.kind, node.operands))):
            found: dict[str, Atom] = {}
            if not self.fits_node(node, rule.left, found):
                continue
            dtype = node.outputs[0].type.dtype
            if isinstance(rule.right, ast.Call) and any(a.type.dtype != dtype for name, a in found.items() if name != "c"):
                continue
            result = self.built(rule.right, found, node.outputs[0].type)
            if result is not None:
                self.count(rule.name)
                return (result,)
        return None

    def kind(self, atom: Atom) -> str:
        """What rules can know of an operand at first sight: which of their numbers it is, or the primitive that made it."""
        if type(atom) is not Const:
            maker = self.builder.maker.get(atom)
            return "" if maker is None else maker.primitive.name
        found = self.kinds.get(atom)
        if found is None:
            value = self.number(atom)
            found = self.kinds[atom] = next((repr(n) for n in NUMBERS if is_number(value, n)), "constant")
        return found

    def fits_node(self, node: Node, pattern: Any, found: dict[str, Atom]) -> bool:
        """Whether a node has the form of a call in a pattern; `found` is what the letters stand for."""
        if node.primitive.name != name_of(pattern) or len(node.operands) != len(pattern.args):
            return False
        return all(self.fits(atom, part, found) for atom, part in zip(node.operands, pattern.args, strict=True))

    def fits(self, atom: Atom, pattern: Pattern, found: dict[str, Atom]) -> bool:
        """Whether a value has the form of a part of a pattern."""
        if isinstance(pattern, ast.Name):
            return found.setdefault(pattern.id, atom) is atom
        number = number_of(pattern)
        if number is not None:
            return isinstance(atom, Const) and is_number(self.number(atom), number)
        maker = self.builder.maker.get(atom)
        return maker is not None and self.fits_node(maker, pattern, found)

    def built(self, pattern: Pattern, found: Mapping[str, Atom], type_: ArrayType) -> Atom | None:
        """The value that a replacement stands for; `None` if it would be of another dtype."""
        if isinstance(pattern, ast.Name):
            atom = found[pattern.id]
            if atom.type == type_:
                return atom
            if atom.type.dtype != type_.dtype or is_weak(atom):
                return None
            (result,) = self.simple(Node(primitive_named("spread"), (atom,), {"shape": type_.shape}, (Var(type_),), self.builder.location))
            return result
        assert isinstance(pattern, ast.Call)
        operands = tuple([found[part.id] for part in pattern.args if isinstance(part, ast.Name)])
        (result,) = self.simple(Node(primitive_named(name_of(pattern)), operands, {}, (Var(type_),), self.builder.location))
        return result

    def structured(self, node: Node) -> tuple[Atom, ...] | None:
        """Rules about shapes, and larger operations said by smaller ones."""
        rules = self.structures.get(node.primitive)
        if rules is None:
            rules = self.structures[node.primitive] = (*STRUCTURE.get(node.primitive.name, ()), *expansions_of(node.primitive))
        inner = None
        for name, rule in rules:
            if inner is None or inner.nodes:
                inner = Builder()
                inner.maker, inner.known, inner.location = self.builder.maker, self.builder.known, self.builder.location
            result = rule(node, inner)
            if result is None:
                continue
            self.count(name)
            same: dict[Atom, Atom] = {}
            for new in inner.nodes:
                operands = tuple([same.get(a, a) for a in new.operands])
                same.update(zip(new.outputs, self.simple(replace(new, operands=operands)), strict=True))
            self.builder.known.update({same.get(atom, atom): note for atom, note in inner.notes.items()})
            return tuple([same.get(part, part) for part in (result if isinstance(result, tuple) else (result,))])
        return None


def constant_for(node: Node, atom: Atom) -> Any:
    """The value of a constant as a primitive takes it: only elementwise ones know Python's numbers, which promote weakly."""
    assert isinstance(atom, Const)
    return np.asarray(atom.value)[()] if is_weak(atom) and node.primitive.family != "elementwise" else atom.value


@cache
def needs(rule: Rule) -> tuple[str | None, ...]:
    """The kinds that the operands of a rule's pattern have; `None` for a letter, which any operand fits."""
    found = []
    for part in rule.left.args:  # type: ignore[attr-defined]
        number = number_of(part)
        found.append(repr(number) if number is not None else None if isinstance(part, ast.Name) else name_of(part))
    return tuple(found)


@cache
def candidates(primitive: str, kinds: tuple[str, ...]) -> tuple[Rule, ...]:
    """The rules that operands of these kinds may fit."""
    return tuple([
        rule for rule in RULES_OF[primitive]
        if len(needs(rule)) == len(kinds) and all(need in (None, kind) for need, kind in zip(needs(rule), kinds, strict=True))
    ])  # fmt: skip


def is_number(value: Any, wanted: Any) -> bool:
    """Whether a constant is a number of a pattern: to the sign of its zero."""
    if value is None or isinstance(value, complex) or getattr(value, "dtype", None) is not None and value.dtype.kind == "c":
        return False
    if isinstance(wanted, bool) != isinstance(value, (bool, np.bool_)):
        return False
    return bool(value == wanted) and (wanted != 0 or isinstance(wanted, bool) or bool(np.signbit(value)) == bool(np.signbit(wanted)))


def _constant_key(atom: Const) -> Any:
    value = atom.value
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes()) if value.size <= 64 else id(value)
    return (type(value), repr(value))


def _frozen(params: Mapping[str, Any]) -> Any:
    if not params:
        return ()
    return tuple([(key, id(params[key]) if isinstance(params[key], Graph) else repr(params[key])) for key in sorted(params)])


def simplify(graph: Graph) -> Graph:
    """See the module."""
    return Simplifier(graph).run()
