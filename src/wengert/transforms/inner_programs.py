"""The programs inside of loops and branches: functions recorded as graphs, on types alone.

A body runs any number of times, so it is recorded without values: nothing in it may look at one.  What it reaches besides its
arguments (traced values and arrays of floating-point numbers) becomes its first inputs, the *constants* of the loop.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.check import result_types
from wengert.core.graph import Atom, Const, Graph, Node
from wengert.core.primitive import Primitive
from wengert.core.trace import NO_PARAMS, Tracer, bind
from wengert.core.types import ArrayType, type_of
from wengert.errors import ControlFlowError, LeakError, LostDerivativeError
from wengert.transforms.reach import Reach, Twin
from wengert.transforms.record_graph import Draft, Place, graph_of
from wengert.transforms.record_path import PathArray, PathNumber, PathTrace, example_of, same

_NUMBERS = {bool: np.dtype(bool), int: np.dtype(int), float: np.dtype(float), complex: np.dtype(complex)}


class InnerNumber(PathNumber):
    """A Python number of a loop's state."""

    __slots__ = ()


class InnerTrace(PathTrace):
    """Write down operations on types; `construct` is the function of the public interface that asked for it."""

    __slots__ = ("captured", "construct", "inlines", "is_derived", "location")

    def __init__(self, construct: str, *, is_derived: bool = False) -> None:
        super().__init__()
        self.construct, self.is_derived = construct, is_derived
        self.inlines = False  # whether calls of functions become a part of the program
        self.captured: dict[int, tuple[Any, Place]] = {}
        self.location: str | None = None  # of the node that is being transformed; else the user's line is looked up

    def input_of(self, type_: ArrayType, hint: str = "", *, is_weak: bool = False) -> PathArray:
        """A new input, of a type; a weak one promotes as a Python number does."""
        kind = PathNumber if is_weak and type_.dtype.kind in "fc" else PathArray
        return kind(example_of(type_), self, Place(type_, hint))

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        if self.inlines and primitive.family == "call":
            return primitive.eval(*operands, **params)
        atoms = [self.atom_of(x) for x in operands]
        types = result_types(primitive, atoms, params)
        is_still = primitive.is_discrete or not any(type(a) is Place and not a.is_discrete for a in atoms)
        outputs = [Place(type_, is_discrete=is_still) for type_ in types]
        location = self._location() if self.location is None else self.location
        self.drafts.append(Draft(primitive, atoms, params, outputs, location))
        arrays = [PathArray(example_of(place.type), self, place) for place in outputs]
        return arrays[0] if primitive.n_outputs is None else tuple(arrays)

    def atom_of(self, x: Any) -> Place | Const:
        """The place of a tracer of this trace or of anybody else's; numbers are constants."""
        if isinstance(x, Tracer):
            if x.watcher is not self:
                return self._capture(x)
            if x.extra is not None:
                return x.extra  # type: ignore[no-any-return]
            x = x.value
        if isinstance(x, np.ndarray) and x.ndim and x.dtype.kind in "fc" and not self.is_derived:
            return self._capture(x)
        return super().atom_of(x)

    def _capture(self, x: Any) -> Place:
        """A further input; an array that the user has written into since it was met before is another one."""
        known = self.captured.get(id(x))
        if known is not None and (isinstance(x, Tracer) or same(known[0], x)):
            return known[1]
        value = type(x)(x.value, x.watcher, x.extra) if isinstance(x, Tracer) else x.copy()
        place = Place(ArrayType(tuple(x.shape), np.dtype(x.dtype)))
        self.kept[id(x)] = x
        self.captured[id(x)] = (value, place)
        return place

    def watched(self, x: Any) -> Any:
        """A plain array as a constant of the loop, so that it can be asked for its entry at a traced place."""
        if type(x) is not np.ndarray:
            return x
        place = self._capture(x)
        return PathArray(example_of(place.type), self, place)

    def is_constant(self, tracer: Tracer) -> bool:
        """Whether no derivative flows through this; but its value is not there to be looked at, unless it is a plain one."""
        return tracer.extra is None or tracer.dtype.kind not in "fc"

    def look(self, tracer: Tracer) -> None:
        if tracer.extra is not None:
            raise ControlFlowError.of_look(self.construct, tracer)


class ClosedInnerTrace(InnerTrace):
    """A recording that has ended; a tracer that got out says so when it is used."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


@dataclass(frozen=True)
class Inner:
    """A recorded body: `graph(*constants, *inputs)`, and the container that the function returned."""

    graph: Graph
    constants: list[Any]
    leaves: list[Any]  # of what was returned
    structure: Any
    is_weak: list[bool]  # whether an output is a Python number


def record_inner(
    function: Callable[..., Any], types: Sequence[ArrayType], construct: str, *, weak: Sequence[bool] = (), hints: Sequence[str] = (),
    name: str = "body", is_derived: bool = False, inlines: bool = False, reach: Reach | None = None,
) -> Inner:  # fmt: skip
    """Call a function of flat arrays of these types, which returns a container; write down what it does.

    With `reach`, its first argument is the user's function, rebuilt so that the plain arrays that it reaches are watched.
    """
    trace = InnerTrace(construct, is_derived=is_derived)
    trace.inlines = inlines
    weak = list(weak) or [False] * len(types)
    hints = list(hints) or [""] * len(types)
    inputs = [trace.input_of(t, hint, is_weak=w) for t, hint, w in zip(types, hints, weak, strict=True)]
    places = [x.extra for x in inputs]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            users = () if reach is None else Twin(reach, list(map(trace.watched, reach.arrays))).roots
            leaves, structure = trees.flatten(function(*users, *inputs))
        if not all(is_number_or_array(y) for y in leaves):
            raise ControlFlowError.of_output(construct, next(y for y in leaves if not is_number_or_array(y)))
        outputs = [trace.atom_of(strong(y)) for y in leaves]
    finally:
        trace.__class__ = ClosedInnerTrace
    captured = list(trace.captured.values())
    graph = graph_of(trace, [*(place for _, place in captured), *places], outputs, name)
    return Inner(graph, [x for x, _ in captured], leaves, structure, list(map(is_python_number, leaves)))


def record_users(function: Callable[..., Any], flat: Callable[..., Any], types: Sequence[ArrayType], construct: str, **how: Any) -> Inner:
    """Record `flat(function, *arrays)`, where `function` is the user's.

    Where it asks a plain array for the entry at a traced place, which NumPy cannot find, the array is watched, too.
    """
    try:
        return record_inner(functools.partial(flat, function), types, construct, **how)
    except (ControlFlowError, LostDerivativeError, IndexError, TypeError) as error:
        reach = Reach((function,), set())
        if not any(type(x) is np.ndarray for x in reach.arrays):
            raise
        try:
            return record_inner(flat, types, construct, reach=reach, **how)
        except Exception:
            raise error from None


def strong(y: Any) -> Any:
    """A number as an operand of NumPy's; arrays as they are."""
    return y if isinstance(y, Tracer) or hasattr(y, "dtype") else np.asarray(y)[()]


def is_number_or_array(y: Any) -> bool:
    """Whether a leaf may be a loop's state, input or output."""
    return (
        isinstance(y, (Tracer, bool, int, float, complex, np.generic))
        or isinstance(y, np.ndarray)
        and y.dtype.kind in "biufc"
    )


def is_python_number(y: Any) -> bool:
    """Whether a leaf promotes weakly."""
    return type(y) in _NUMBERS or isinstance(y, PathNumber)


def type_of_leaf(y: Any) -> ArrayType:
    """The type of a leaf, as NumPy has it for a Python number."""
    return ArrayType((), _NUMBERS[type(y)]) if type(y) in _NUMBERS else type_of(y)


# --- graphs made from graphs ----------------------------------------------------------------------------------------------


def derive(function: Callable[..., Sequence[Any]], types: Sequence[ArrayType], name: str) -> Graph:
    """The graph of what a function of arrays, made from other graphs, does; it reaches nothing besides its arguments."""
    inner = record_inner(lambda *xs: list(function(*xs)), types, name, name=name, is_derived=True)
    assert not inner.constants, "a derived program has no inputs of its own"
    return inner.graph


def without_calls(graph: Graph) -> Graph:
    """The graph whose loops and branches call no function of the user's (a custom rule, a checkpoint): they consist of operations."""
    return replace(graph, nodes=tuple([_without_calls(node) for node in graph.nodes]))


def _without_calls(node: Node) -> Node:
    found = {key: _inlined(value) for key, value in node.params.items() if isinstance(value, Graph)}
    return replace(node, params={**node.params, **found}) if found else node


def _inlined(graph: Graph) -> Graph:
    graph = without_calls(graph)
    if all(node.primitive.family != "call" for node in graph.nodes):
        return graph
    types = [var.type for var in graph.inputs]
    return record_inner(lambda *xs: apply(graph, xs), types, "jit", name=graph.name, is_derived=True, inlines=True).graph


def apply(graph: Graph, values: Sequence[Any]) -> list[Any]:
    """The outputs of a graph that is run on traced values."""
    return outputs_of(graph, values_along(graph, values))


def outputs_of(graph: Graph, places: Mapping[Any, Any]) -> list[Any]:
    """What a graph returns, of the values that its variables have."""
    return [a.value if isinstance(a, Const) else places[a] for a in graph.outputs]


def values_along(graph: Graph, values: Sequence[Any]) -> dict[Atom, Any]:
    """The values of all variables of a graph; where a recording is among those who watch, it is told the nodes' locations."""
    trace = next(filter(None, map(recording_of, values)), None)
    before = None if trace is None else trace.location
    places: dict[Atom, Any] = dict(zip(graph.inputs, values, strict=True))
    for node in graph.nodes:
        if trace is not None:
            trace.location = node.location
        operands = [a.value if isinstance(a, Const) else places[a] for a in node.operands]
        result = bind(node.primitive, operands, node.params or NO_PARAMS)
        places.update(zip(node.outputs, (result,) if node.primitive.n_outputs is None else result, strict=True))
    if trace is not None:
        trace.location = before
    return places


def recording_of(x: Any) -> InnerTrace | None:
    """The innermost recording of an inner program that watches a value."""
    while isinstance(x, Tracer):
        if isinstance(x.watcher, InnerTrace):
            return x.watcher
        x = x.value
    return None


def reached(graph: Graph, flags: Sequence[bool], *, discrete: bool = False) -> list[bool]:
    """Which outputs depend on the inputs with a flag; along operations that have derivatives, or along all."""
    found: set[Any] = {var for var, flag in zip(graph.inputs, flags, strict=True) if flag}
    for node in graph.nodes:
        if (discrete or not node.primitive.is_discrete) and not found.isdisjoint(node.operands):
            found.update(var for var in node.outputs if discrete or var.type.is_inexact)
    return [atom in found for atom in graph.outputs]


class Runner:
    """A graph ready to be run many times on plain arrays: what is looked up is looked up once."""

    __slots__ = ("constants", "inputs", "outputs", "size", "steps")

    def __init__(self, graph: Graph) -> None:
        number: dict[Atom, int] = {}
        self.constants: list[tuple[int, Any]] = []

        def place(atom: Atom) -> int:
            if atom not in number:
                number[atom] = len(number)
                if isinstance(atom, Const):
                    self.constants.append((number[atom], atom.value))
            return number[atom]

        self.inputs = len(list(map(place, graph.inputs)))
        self.steps = [
            (node.primitive, tuple(map(place, node.operands)), node.params, tuple(map(place, node.outputs)))
            for node in graph.nodes
        ]
        self.outputs = list(map(place, graph.outputs))
        self.size = len(number)

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """The outputs at these inputs, traced or not."""
        places: list[Any] = [*values, *[None] * (self.size - self.inputs)]
        for k, value in self.constants:
            places[k] = value
        for primitive, operands, params, outputs in self.steps:
            result = bind(primitive, [places[k] for k in operands], params)
            if primitive.n_outputs is None:
                places[outputs[0]] = result
            else:
                for k, y in zip(outputs, result, strict=True):
                    places[k] = y
        return [places[k] for k in self.outputs]
