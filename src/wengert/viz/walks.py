"""The two walks of a textbook along Wengert's list: values and tangents forwards, adjoints backwards.

Every number comes from the primitives' own `push` and `pull`; nothing here knows a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.graph import Const, Graph, Node, Var
from wengert.core.text import name_atoms
from wengert.transforms.record_graph import Recording
from wengert.viz.notation import constant, formula
from wengert.viz.scopes import Scopes
from wengert.viz.slopes import slope_text

MOST_COLUMNS = 6
MOST_WORK = 20_000_000  # elements of all tangents together; a larger program is walked in fewer directions
_FEW_DIRECTIONS = 4  # if all inputs together have so few elements, each gets a column
_SMALL_JACOBIAN = 64


@dataclass(frozen=True, slots=True)
class Column:
    """One direction of the forward walk: a unit change of an input, or of all its elements together."""

    label: str
    input: str
    seed: Any


@dataclass(frozen=True)
class Contribution:
    """What one step adds to the adjoint of one of its operands: one term of the chain rule's sum."""

    source: tuple[str, ...]  # the results of the step
    adjoint: Any  # of the first of them
    operand: str
    slot: int
    value: Any
    total: Any  # the operand's adjoint after this
    is_elementwise: bool
    use: tuple[Node, Any, Sequence[Any], Sequence[str]] = field(repr=False)  # node, result, operands, names of both

    @cached_property
    def slope(self) -> str:
        """The local partial derivative as a formula; empty if there is no short one."""
        node, y, xs, names = self.use
        return slope_text(node, self.slot, y, xs, names)

    @cached_property
    def partial(self) -> Any:
        """The local partial derivative as a number, slopes, or a small Jacobian; `None` for a large one."""
        node, y, xs, _ = self.use
        return local_partial(node, self.slot, y, xs)


@dataclass(slots=True)
class Step:
    """One variable of the program: an input, or a result of a node."""

    name: str
    formula: str
    value: Any
    tangents: list[Any]
    node: Node | None = None
    operands: tuple[str, ...] = ()
    adjoint: Any = None
    contributions: list[Contribution] = field(default_factory=list)  # to the adjoints of its operands
    received: list[Contribution] = field(default_factory=list)  # by its own adjoint
    location: str = ""
    is_output: bool = False

    @property
    def is_input(self) -> bool:
        return self.node is None


class Walks:
    """Both walks of one call of a function."""

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        args, kwargs = as_floats(tuple(args), dict(kwargs))
        scopes = Scopes()
        recording = Recording(function, args, kwargs, scopes)
        scopes.release()
        self.scopes, self.files = scopes.paths, scopes.files  # around each node; where source lines can be read
        self.graph: Graph = recording.graph
        self.values = recording.values
        self.names = name_atoms(self.graph)
        columns = make_columns([(self.names[v], self.values[v]) for v in self.graph.inputs])
        work = sum(map(np.size, self.values.values()))
        self.most_columns = max(1, min(MOST_COLUMNS, MOST_WORK // max(1, work)))
        self.columns, self.n_directions = columns[: self.most_columns], len(columns)
        self._by_var: dict[Var, Step] = {}
        self._walk_forward()
        self._walk_back()
        self.steps = list(self._by_var.values())

    def text(self, atom: Any) -> str:
        """A variable's name, or a constant's value."""
        return constant(atom) if isinstance(atom, Const) else self.names[atom]

    def tangent(self, atom: Any, column: int) -> Any:
        """How fast an operand moves in one direction; `None` if it does not."""
        return self._by_var[atom].tangents[column] if isinstance(atom, Var) else None

    def _walk_forward(self) -> None:
        for var in self.graph.inputs:
            name = self.names[var]
            tangents = [column.seed if column.input == name else None for column in self.columns]
            self._by_var[var] = Step(name, "input", self.values[var], tangents)
        for node in self.graph.nodes:
            xs = [self.value(a) for a in node.operands]
            results = [self.values[y] for y in node.outputs]
            y = results[0] if node.primitive.n_outputs is None else tuple(results)
            tangents = [
                push(node, [self.tangent(a, k) for a in node.operands], y, xs)
                for k in range(len(self.columns))
            ]
            said = formula(node, [self.text(a) for a in node.operands])
            for k, var in enumerate(node.outputs):
                self._by_var[var] = Step(
                    self.names[var], said if len(results) == 1 else f"{said}[{k}]", results[k],
                    [None if dy is None else dy[k] for dy in tangents], node,
                    tuple(self.text(a) for a in node.operands), location=node.location,
                )  # fmt: skip

    def _walk_back(self) -> None:
        adjoints: dict[Var, Any] = {}
        for output in self.graph.outputs:
            if isinstance(output, Var) and output.type.is_inexact:
                ones = np.ones(output.type.shape, output.type.dtype)[()]
                adjoints[output] = ones if output not in adjoints else adjoints[output] + ones
                self._by_var[output].is_output = True
        for node, slot, piece in self.pull_back(adjoints):
            operand = self._by_var[node.operands[slot]]  # type: ignore[index]
            step = self._by_var[node.outputs[0]]
            names = tuple(self.names[y] for y in node.outputs)
            total, ct = adjoints[node.operands[slot]], adjoints.get(node.outputs[0])  # type: ignore[index]
            results = [self.values[y] for y in node.outputs]
            y = results[0] if node.primitive.n_outputs is None else tuple(results)
            use = (node, y, [self.value(a) for a in node.operands], [names[0], *step.operands])
            is_elementwise = node.primitive.family == "elementwise"
            found = Contribution(names, ct, operand.name, slot, piece, total, is_elementwise, use)
            step.contributions.append(found)
            operand.received.append(found)
        for var, adjoint in adjoints.items():
            self._by_var[var].adjoint = adjoint

    def pull_back(self, adjoints: dict[Var, Any]) -> Iterator[tuple[Node, int, Any]]:
        """One walk back: completes the adjoints of the outputs, and gives each term that a node adds to an operand's adjoint."""
        for node in reversed(self.graph.nodes):
            found = [adjoints.get(y) for y in node.outputs]
            if node.primitive.pull is None or all(ct is None for ct in found):
                continue
            results = [self.values[y] for y in node.outputs]
            cts = [np.zeros_like(y) if ct is None else ct for ct, y in zip(found, results, strict=True)]
            is_single = node.primitive.n_outputs is None
            slots = [k for k, a in enumerate(node.operands) if isinstance(a, Var) and a.type.is_inexact]
            xs = [self.value(a) for a in node.operands]
            y, ct = (results[0], cts[0]) if is_single else (tuple(results), tuple(cts))
            with np.errstate(all="ignore"):
                pieces = node.primitive.pull(ct, slots, y, xs, node.params)
            for slot, piece in zip(slots, pieces, strict=True):
                if piece is not None:
                    operand = node.operands[slot]
                    adjoints[operand] = piece if operand not in adjoints else adjoints[operand] + piece
                    yield node, slot, piece

    def value(self, atom: Any) -> Any:
        """What an operand was."""
        return atom.value if isinstance(atom, Const) else self.values[atom]


def push(node: Node, dxs: Sequence[Any], y: Any, xs: Sequence[Any]) -> Sequence[Any] | None:
    """The tangents of a node's results; `None` where nothing moves."""
    if node.primitive.push is None or all(dx is None for dx in dxs):
        return None
    with np.errstate(all="ignore"):
        dy = node.primitive.push(dxs, y, xs, node.params)
    return (dy,) if node.primitive.n_outputs is None else dy  # type: ignore[no-any-return]


def local_partial(node: Node, slot: int, y: Any, xs: Sequence[Any]) -> Any:
    """`∂y/∂x` at one node: slopes for an elementwise one, a Jacobian for others if it is small, else `None`."""
    primitive, x = node.primitive, xs[slot]
    shape, dtype = np.shape(x), x.dtype

    def push(dx: Any) -> Any:
        dxs = [None] * len(xs)
        dxs[slot] = dx
        with np.errstate(all="ignore"):
            return primitive.push(dxs, y, xs, node.params) if primitive.push else None

    if primitive.family == "elementwise" or (shape == () and primitive.n_outputs is None):
        return push(np.ones(shape, dtype)[()])
    if primitive.n_outputs is not None or np.size(x) * np.size(y) > _SMALL_JACOBIAN or not np.size(x):
        return None
    units = np.eye(np.size(x), dtype=dtype).reshape(-1, *shape)
    return np.stack([np.asarray(push(unit)) for unit in units], -1).reshape(*np.shape(y), *shape)


def make_columns(inputs: Sequence[tuple[str, Any]], few: int = _FEW_DIRECTIONS) -> list[Column]:
    """A column for each input, or for each element where there are few: one for all elements of an array otherwise."""
    inputs = [(name, value) for name, value in inputs if value.dtype.kind in "fc"]
    is_small = sum(int(np.prod(value.shape, dtype=int)) for _, value in inputs) <= few
    columns: list[Column] = []
    for name, value in inputs:
        if value.shape == ():
            columns.append(Column(f"d/d{name}", name, np.ones((), value.dtype)[()]))
        elif is_small:
            for position in np.ndindex(*value.shape):
                seed = np.zeros(value.shape, value.dtype)
                seed[position] = 1
                columns.append(Column(f"d/d{name}[{','.join(map(str, position))}]", name, seed))
        else:
            columns.append(Column(f"d/d{name}·1", name, np.ones(value.shape, value.dtype)))
    return columns


def as_floats(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with integers as floats, if there is nothing else that has a derivative."""
    leaves, structure = trees.flatten((args, kwargs))
    if any(isinstance(x, (float, complex)) or getattr(x, "dtype", np.dtype(int)).kind in "fc" for x in leaves):
        return args, kwargs
    floats = [np.asarray(x, float)[()] if type(x) is int or hasattr(x, "dtype") else x for x in leaves]
    return trees.unflatten(structure, floats)  # type: ignore[no-any-return]
