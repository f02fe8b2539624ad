"""Is a graph well formed?  `check` runs after every transformation of graphs in the tests."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.primitive import Params, Primitive
from wengert.core.text import name_atoms
from wengert.core.types import ArrayType, type_of
from wengert.errors import DegenerateError, GraphError


def check(graph: Graph) -> Graph:
    """The same graph, if it is well formed; raises `GraphError` naming the first node that is not.

    Every variable is assigned once, and before it is used; a constant has the type that it is declared with;
    and each node's outputs have the types that its primitive gives to operands of those types.
    """
    names = name_atoms(graph)
    defined: set[Var] = set()

    def define(var: Var, where: str) -> None:
        if var in defined:
            msg = f"{where} assigns `{names[var]}`, which is assigned already"
            raise GraphError(msg)
        defined.add(var)

    def use(atom: Atom, where: str) -> None:
        if isinstance(atom, Const):
            if type_of(atom.value) != atom.type:
                msg = f"{where} uses the constant `{names[atom]}`:{atom.type}, whose value is {type_of(atom.value)}"
                raise GraphError(msg)
        elif atom not in defined:
            msg = f"{where} uses `{names[atom]}` before it is defined"
            raise GraphError(msg)

    for var in graph.inputs:
        define(var, "the list of inputs")
    for inner in inner_graphs(graph):
        check(inner)
    for k, node in enumerate(graph.nodes):
        where = _describe(k, node, names)
        for atom in node.operands:
            use(atom, where)
        _check_types(node, where, names)
        for var in node.outputs:
            define(var, where)
    for atom in graph.outputs:
        use(atom, "`return`")
    return graph


def _describe(k: int, node: Node, names: dict[Any, str]) -> str:
    outputs = ", ".join(names[var] for var in node.outputs)
    place = f" ({node.location})" if node.location else ""
    return f"node {k}, `{outputs} = {node.primitive.name}`{place},"


def _check_types(node: Node, where: str, names: dict[Any, str]) -> None:
    recorded = tuple(var.type for var in node.outputs)
    try:
        derived = result_types(node.primitive, node.operands, node.params, fill=0)
        if derived != recorded:
            again = result_types(node.primitive, node.operands, node.params, fill=1)
            if [t.shape for t in again] != [t.shape for t in derived]:  # the values decide on the shape
                derived = tuple(ArrayType(r.shape, t.dtype) for r, t in zip(recorded, derived, strict=True))
    except Exception as error:
        types = ", ".join(f"{names[a]}:{a.type}" for a in node.operands)
        msg = f"{where} cannot be applied to ({types}): {error}"
        raise GraphError(msg) from error
    if derived != recorded:
        said, true = (", ".join(map(str, types)) for types in (recorded, derived))
        msg = f"{where} has the type {said}, and its primitive gives {true}"
        raise GraphError(msg)


def result_types(
    primitive: Primitive, operands: Sequence[Any], params: Params, fill: int = 0
) -> tuple[ArrayType, ...]:
    """The types of a primitive's results, found by running it on harmless arrays of the operands' types.

    Integers are `fill`, so that they are valid positions; matrices of floats are the identity, so that they have
    inverses and factors.  An elementwise primitive runs on single elements.
    """
    if primitive.types is not None:
        return primitive.types([atom.type for atom in operands], params)
    is_single = primitive.family == "elementwise"
    examples = [a.value if isinstance(a, Const) and not is_single else _example(a, is_single, fill) for a in operands]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = primitive.eval(*examples, **params)
        except DegenerateError:  # a judgement on the operands, which zeros do not offend
            result = primitive.eval(*map(np.zeros_like, examples), **params)
    types = tuple(map(type_of, (result,) if primitive.n_outputs is None else result))
    if is_single:
        shape = np.broadcast_shapes(*[atom.type.shape for atom in operands])
        types = tuple(ArrayType(shape, t.dtype) for t in types)
    return types


def inner_graphs(graph: Graph) -> list[Graph]:
    """The programs that the nodes of a graph own."""
    return [value for node in graph.nodes for value in node.params.values() if isinstance(value, Graph)]


def output_types(graph: Graph, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
    """The types of a graph's outputs for inputs of other types than those that it was recorded with."""
    if [var.type for var in graph.inputs] == list(types):
        return tuple(atom.type for atom in graph.outputs)
    atoms: dict[Atom, Atom] = {old: Var(new) for old, new in zip(graph.inputs, types, strict=True)}
    for node in graph.nodes:
        found = result_types(node.primitive, [atoms.get(atom, atom) for atom in node.operands], node.params)
        atoms.update((old, Var(new)) for old, new in zip(node.outputs, found, strict=True))
    return tuple(atoms.get(atom, atom).type for atom in graph.outputs)


def _example(atom: Atom, is_single: bool, fill: int) -> Any:
    if isinstance(atom, Const):
        if type(atom.value) in (int, float, complex):  # weak in promotion
            return atom.value
        return np.ones((1,) * len(atom.type.shape), atom.type.dtype)
    shape, dtype = atom.type.shape, atom.type.dtype
    if is_single:
        return np.ones((1,) * len(shape), dtype) if shape else np.ones((), dtype)[()]
    if not shape:
        return np.array(fill if dtype.kind in "iub" else 1, dtype)[()]
    if dtype.kind not in "fc" or len(shape) < 2:
        return np.broadcast_to(np.array(fill if dtype.kind in "iub" else 1, dtype), shape)
    return np.broadcast_to(np.eye(*shape[-2:], dtype=dtype), shape)
