"""Programs inside of steps: the bodies of loops and branches, in the notation of their formulas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wengert.core.graph import Const, Graph, Node
from wengert.viz.notation import constant, expression, formula

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WIDTH = 72
SAYS = {
    "test": "goes on while", "body": "each step", "true": "if it is true", "false": "if it is false", "back": "each step back",
}  # fmt: skip


def programs_of(node: Node) -> dict[str, Graph]:
    """The programs that a node owns, by what they are for."""
    return {key: node.params[key] for key in SAYS if isinstance(node.params.get(key), Graph)}


def kind_of(node: Node) -> str:
    """What a node with programs is."""
    names = {"scan": "a scan", "while": "a while loop", "cond": "a branch", "loop_adjoint": "a way back through a loop"}
    steps = f" of {node.params['length']:,} steps" if node.params.get("length", -1) >= 0 else ""
    if node.primitive.family == "call":
        return "a checkpointed call" if node.primitive.name == "checkpoint" else "a call with a rule of its own"
    return f"{names.get(node.primitive.name, node.primitive.name)}{steps}"


def written(says: str, program: Graph) -> Iterator[str]:
    """One line, if what comes out are short formulas; else a line for each operation."""
    names = names_of(program)

    def text(atom: Any) -> str:
        return constant(atom) if isinstance(atom, Const) else names[atom]

    head = f"{says}, of ({', '.join(map(text, program.inputs))}):"
    makers = {var: node for node in program.nodes for var in node.outputs}
    formulas = [text(y) if y not in makers else short(program, y, text) for y in program.outputs]
    if all(formulas) and sum(map(len, formulas)) <= WIDTH:
        yield f"{head}  {', '.join(formulas)}"
        return
    yield head
    for node in program.nodes:
        yield f"  {', '.join(map(text, node.outputs))} = {formula(node, list(map(text, node.operands)))}"
    yield f"  gives {', '.join(map(text, program.outputs))}"
    for node in program.nodes:
        for key, inner in programs_of(node).items():
            yield f"  inside {', '.join(map(text, node.outputs))}, {kind_of(node)}:"
            yield from (f"    {line}" for line in written(SAYS[key], inner))


def short(program: Graph, output: Any, text: Any) -> str:
    """An output as one formula of the inputs; empty if that is long."""
    needed, producers = {output}, {}
    for node in reversed(program.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.operands)
            producers.update(dict.fromkeys(node.outputs, node))
    return expression([output], dict(reversed(producers.items())), text, WIDTH)


def names_of(program: Graph) -> dict[Any, str]:
    """The users' names where they are told, letters for the rest."""
    found: dict[Any, str] = {}
    for var in [*program.inputs, *(v for node in program.nodes for v in node.outputs)]:
        hint = var.hint if var.hint.isidentifier() and var.hint not in found.values() else ""
        free = (letter + digit for digit in ("", *map(str, range(1, 1000))) for letter in LETTERS)
        found[var] = hint or next(name for name in free if name not in found.values())
    return found
