"""Between which bounds the whole numbers of a graph lie, as far as what made them says: an index that is inside needs no check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wengert.core.graph import Atom, Const, Node

Bounds = tuple[int, int]
DEPTH = 60  # operations that are looked at before a value
WIDEST = 2**62
KEPT = frozenset(["reshape", "spread", "permute", "index", "windows", "cast", "concatenate", "stack", "max", "min", "truncated"])


class Ranges:
    """Bounds of atoms, each found once; `makers` is who made a variable."""

    def __init__(self, makers: Mapping[Atom, Node]) -> None:
        self.makers = makers
        self.known: dict[Atom, Bounds | None] = {}

    def of(self, atom: Atom, depth: int = DEPTH) -> Bounds | None:
        """The lowest and the largest number that an entry may be; `None` for anything."""
        if atom not in self.known:
            found = self.fresh(atom, depth)
            if found is None and depth < DEPTH // 2:
                return None  # perhaps only too far away
            self.known[atom] = found if found is not None and -WIDEST < found[0] <= found[1] < WIDEST else None
        return self.known[atom]

    def fresh(self, atom: Atom, depth: int) -> Bounds | None:
        if isinstance(atom, Const):
            return of_constant(atom.value)
        if atom.type.dtype.kind == "b":
            return 0, 1
        node = self.makers.get(atom)
        if atom.type.dtype.kind not in "iu" or node is None or not depth:
            return None
        name = node.primitive.name
        if name in ("stable_order", "argsort"):
            return 0, max(node.operands[0].type.shape[node.params["axis"]] - 1, 0)
        operands = node.operands[:1] if name == "index" else node.operands[1:] if name == "where" else node.operands
        parts = [self.of(operand, depth - 1) for operand in operands]
        if name == "remainder" and parts[1] is not None and parts[1][0] > 0:
            return 0, parts[1][1] - 1
        found = combined(name, [part for part in parts if part is not None], len(parts))
        limits = np.iinfo(atom.type.dtype)
        return found if found is not None and limits.min <= found[0] and found[1] <= limits.max else None


def of_constant(value: Any) -> Bounds | None:
    """The bounds of a constant."""
    array = np.asarray(value)
    if array.dtype.kind not in "biu" or not array.size:
        return None
    return int(array.min()), int(array.max())


def combined(name: str, known: list[Bounds], n: int) -> Bounds | None:
    """The bounds of a result from those of the operands that have any."""
    if name in ("minimum", "maximum") and n == 2 and known:
        lows, highs = zip(*known, strict=True)
        if len(known) == 2:
            choose = min if name == "minimum" else max
            return choose(lows), choose(highs)
        return (-WIDEST + 1, highs[0]) if name == "minimum" else (lows[0], WIDEST - 1)
    if len(known) < n or not known:
        return None
    if name in KEPT or name == "where":
        return min(low for low, _ in known), max(high for _, high in known)
    if len(known) != 2:
        return None
    (a, b), (c, d) = known
    if name == "add":
        return a + c, b + d
    if name == "subtract":
        return a - d, b - c
    if name == "multiply":
        ends = [x * y for x in (a, b) for y in (c, d)]
        return min(ends), max(ends)
    if name == "floor_divide" and c > 0:
        return min(a // c, a // d), max(b // c, b // d)
    return None
