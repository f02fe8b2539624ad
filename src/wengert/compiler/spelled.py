"""Primitives that their cards spell out in others: the same NumPy, watched by the compiler.

::

    k = argmax x {axis=(-1)}   ->   m = max x; b = equal x (spread m); c = where b places n; k = min c

The function on the card is called with stand-ins, arrays of the right types, and what it does is written down.  It may return a second
array, which is true where this does not hold: then the card is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wengert.compiler.bodies import is_native
from wengert.compiler.builder import Builder, constant
from wengert.compiler.decompositions import anywhere
from wengert.compiler.placed import doubted
from wengert.core.array import Array
from wengert.core.graph import Atom, Const, Node, Var
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer, bind, lowest
from wengert.core.types import ArrayType, type_of


class Spelling(Trace):
    """Writes every operation on its tracers into a builder."""

    __slots__ = ("builder",)

    def __init__(self, builder: Builder) -> None:
        super().__init__()
        self.builder = builder

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        values = [x.value if isinstance(x, Tracer) and x.watcher is self else x for x in operands]
        result = bind(primitive, values, params)
        results = [result] if primitive.n_outputs is None else list(result)
        outputs = tuple([Var(type_of(y)) for y in results])
        self.builder.append(Node(primitive, tuple(map(self.atom_of, operands)), params, outputs, self.builder.location))
        arrays = [Array(stand_in(var.type), self, var) for var in outputs]
        return arrays[0] if primitive.n_outputs is None else tuple(arrays)

    def constant(self, value: Any, like: Any) -> Any:
        return Array(value, self, constant(value))

    def is_constant(self, tracer: Tracer) -> bool:
        """Nothing is differentiated here."""
        return True

    def atom_of(self, x: Any) -> Atom:
        """What a value is in the graph."""
        if isinstance(x, Tracer) and x.watcher is self:
            return x.extra  # type: ignore[no-any-return]
        return constant(lowest(x))

    def look(self, tracer: Tracer) -> None:
        msg = "a card spells out its primitive by looking at values"
        raise AssertionError(msg)


def stand_in(type_: ArrayType) -> Any:
    """A value of a type, in no memory: zeros, which are places in any array."""
    return np.broadcast_to(np.zeros((), type_.dtype), type_.shape) if type_.shape else type_.dtype.type(0)


def spelled(node: Node, builder: Builder) -> Atom | None:
    """See the module."""
    function, out = node.primitive.spelled, node.outputs[0].type
    types = [*(atom.type for atom in node.operands), *(var.type for var in node.outputs)]
    if function is None or len(node.outputs) > 1 or any(0 in t.shape or not is_native(t.dtype) for t in types):
        return None
    spelling = Spelling(builder)
    operands = [atom.value if isinstance(atom, Const) else Array(stand_in(atom.type), spelling, atom) for atom in node.operands]
    with np.errstate(all="ignore"):
        result = function(*operands, **node.params)
    if result is NotImplemented:
        return None
    result, *doubts = result if isinstance(result, tuple) else (result,)
    found = spelling.atom_of(result)
    assert found.type == out, (node.primitive.name, found.type, out)
    if not doubts:
        return found
    doubt = anywhere(builder, spelling.atom_of(doubts[0]))
    return builder.emit(doubted(node.primitive), (doubt, found, *node.operands), node.params, out)
