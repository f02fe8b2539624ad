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
    seeds: list[tuple[str, Any]] = field(default_factory=list)  # what its adjoint has besides: 1 for an output

    @property
    def is_input(self) -> bool:
        return self.node is None


class GraphWalks:
    """Both walks along a graph whose values are known."""

    def __init__(self, graph: Graph, values: Mapping[Var, Any], names: Mapping[Any, str]) -> None:
        self.graph, self.values, self.names = graph, values, names
        self.by_var: dict[Var, Step] = {}

    @property
    def steps(self) -> list[Step]:
        """A step for each variable, in order."""
        return list(self.by_var.values())

    def text(self, atom: Any) -> str:
        """A variable's name, or a constant's value."""
        return constant(atom) if isinstance(atom, Const) else self.names[atom]

    def tangents(self, atom: Any, n_columns: int) -> list[Any]:
        """How fast a value moves in each direction; `None` where it does not."""
        return self.by_var[atom].tangents if isinstance(atom, Var) else [None] * n_columns

    def walk_forward(self, tangents: Mapping[Var, Sequence[Any]], said: Mapping[Var, str] | None = None) -> None:
        """From inputs that move so fast; `said` are words for them, in place of a formula."""
        for var in self.graph.inputs:
            self.by_var[var] = Step(self.names[var], (said or {}).get(var, "input"), self.values[var], list(tangents[var]))
        n_columns = max(map(len, tangents.values()), default=0)
        for node in self.graph.nodes:
            xs = [self.value(a) for a in node.operands]
            results = [self.values[y] for y in node.outputs]
            y = results[0] if node.primitive.n_outputs is None else tuple(results)
            moving = [self.tangents(a, n_columns) for a in node.operands]
            pushed = [push(node, [dxs[k] for dxs in moving], y, xs) for k in range(n_columns)]
            said_here = formula(node, [self.text(a) for a in node.operands])
            for k, var in enumerate(node.outputs):
                self.by_var[var] = Step(
                    self.names[var], said_here if len(results) == 1 else f"{said_here}[{k}]", results[k],
                    [None if dy is None else dy[k] for dy in pushed], node,
                    tuple(self.text(a) for a in node.operands), location=node.location,
                )  # fmt: skip

    def walk_back(self, seeds: Sequence[tuple[Var, Any, str]]) -> None:
        """From adjoints of outputs, `(output, adjoint, words for it)`."""
        adjoints: dict[Var, Any] = {}
        for output, seed, says in seeds:
            adjoints[output] = seed if output not in adjoints else adjoints[output] + seed
            self.by_var[output].seeds.append((says, seed))
        for node, slot, piece in self.pull_back(adjoints):
            operand = self.by_var[node.operands[slot]]  # type: ignore[index]  # slots that are pulled are variables
            step = self.by_var[node.outputs[0]]
            names = tuple(self.names[y] for y in node.outputs)
            total, ct = adjoints[node.operands[slot]], adjoints.get(node.outputs[0])  # type: ignore[index]  # as above
            results = [self.values[y] for y in node.outputs]
            y = results[0] if node.primitive.n_outputs is None else tuple(results)
            use = (node, y, [self.value(a) for a in node.operands], [names[0], *step.operands])
            is_elementwise = node.primitive.family == "elementwise"
            found = Contribution(names, ct, operand.name, slot, piece, total, is_elementwise, use)
            step.contributions.append(found)
            operand.received.append(found)
        for var, adjoint in adjoints.items():
            self.by_var[var].adjoint = adjoint

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


class Walks(GraphWalks):
    """Both walks of one call of a function."""

    def __init__(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        args, kwargs = as_floats(tuple(args), dict(kwargs))
        scopes = Scopes()
        recording = Recording(function, args, kwargs, scopes)
        scopes.release()
        self.scopes, self.files = scopes.paths, scopes.files  # around each node; where source lines can be read
        super().__init__(recording.graph, recording.values, name_atoms(recording.graph))
        inputs = self.graph.inputs
        columns = make_columns([(self.names[v], self.values[v]) for v in inputs])
        work = sum(map(np.size, self.values.values()))
        self.most_columns = max(1, min(MOST_COLUMNS, MOST_WORK // max(1, work)))
        self.columns, self.n_directions = columns[: self.most_columns], len(columns)
        self.walk_forward({v: [c.seed if c.input == self.names[v] else None for c in self.columns] for v in inputs})
        outputs = [a for a in self.graph.outputs if isinstance(a, Var) and a.type.is_inexact]
        self.walk_back([(y, np.ones(y.type.shape, y.type.dtype)[()], "1") for y in outputs])


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
