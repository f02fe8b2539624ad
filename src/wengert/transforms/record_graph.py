"""`trace`: the program that a function performs, as a `Graph`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.array import Array
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer, bind, lowest
from wengert.core.types import type_of
from wengert.errors import caller_location


class GraphTrace(Trace):
    """Write down every operation, with its place in the user's code; a tracer's `extra` is its variable."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []

    def atom(self, value: Any) -> Atom:
        """The variable that a tracer stands for, or a constant."""
        if isinstance(value, Tracer) and value.trace is self:
            var: Var = value.extra
            return var
        return Const(value, type_of(lowest(value)))

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        values = [x.value if isinstance(x, Tracer) and x.trace is self else x for x in operands]
        result = bind(primitive, values, params)
        parts = (result,) if primitive.n_outputs is None else result
        variables = tuple([Var(type_of(lowest(part))) for part in parts])
        atoms = tuple([self.atom(x) for x in operands])
        self.nodes.append(Node(primitive, atoms, dict(params), variables, caller_location()))
        made = tuple([Array(part, self, var) for part, var in zip(parts, variables, strict=True)])
        return made[0] if primitive.n_outputs is None else made


def trace(function: Callable[..., Any]) -> Callable[..., Graph]:
    """`f ↦ (x ↦ the Graph of f at x)`: the operations that `f` performs on these arguments, in order."""

    def run(*args: Any, **kwargs: Any) -> Graph:
        leaves, structure = trees.flatten((args, kwargs))
        hints = _hints(function, args, kwargs)
        record = GraphTrace()
        leaves = [x if isinstance(x, Tracer) or hasattr(x, "dtype") else np.asarray(x)[()] for x in leaves]
        inputs = [Var(type_of(x), hint) for x, hint in zip(leaves, hints, strict=True)]
        traced = [Array(x, record, var) for x, var in zip(leaves, inputs, strict=True)]
        new_args, new_kwargs = trees.unflatten(structure, traced)
        outputs, _ = trees.flatten(function(*new_args, **new_kwargs))
        name = getattr(function, "__name__", "f")
        return Graph(tuple(inputs), tuple(record.nodes), tuple(map(record.atom, outputs)), name)

    return run


def _hints(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """The user's names of the inputs: the parameter, and the path into a container."""
    try:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        names = []
    names += [f"x{k}" for k in range(len(names), len(args))]
    hints = [name + path for name, arg in zip(names, args, strict=False) for path in trees.paths(arg)]
    return hints + [name + path for name in sorted(kwargs) for path in trees.paths(kwargs[name])]
