"""`trace`: a Python call as a `Graph`, with the user's own names and lines."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np

from wengert import trees
from wengert._source import user_frame
from wengert.core.array import Array
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.primitive import Primitive
from wengert.core.trace import Trace, Tracer, bind, lowest
from wengert.core.types import ArrayType, type_of
from wengert.errors import ArgumentError, LeakError, reveal


class GraphArray(Array):
    """A value with its place in a graph.  Integers and booleans may become Python's: they have no derivative."""

    __slots__ = ()

    def __index__(self) -> int:
        return int(lowest(self)) if self.dtype.kind in "iub" else super().__index__()

    def __int__(self) -> int:
        return int(lowest(self)) if self.dtype.kind in "iub" else super().__int__()

    def __float__(self) -> float:
        return float(lowest(self)) if self.dtype.kind in "iub" else super().__float__()


class Draft:
    """A node that is being recorded: the names of its outputs are found later."""

    __slots__ = ("location", "operands", "outputs", "params", "primitive")

    def __init__(
        self, primitive: Any, operands: list[Any], params: Mapping[str, Any], outputs: list[Place], location: str = ""
    ) -> None:
        self.primitive, self.operands, self.params, self.outputs = primitive, operands, params, outputs
        self.location = location


class Place:
    """A variable that is being recorded."""

    __slots__ = ("hint", "is_discrete", "type")

    def __init__(self, type_: ArrayType, hint: str = "", *, is_discrete: bool = False) -> None:
        self.type, self.hint = type_, hint
        self.is_discrete = is_discrete  # made by an operation without derivative


class GraphTrace(Trace):
    """Write down every operation on this trace's tracers, discrete ones too.

    Values are concrete, so Python's control flow works, and the graph is the path that was taken.  A variable
    is named when the next operation finds it bound to a name in the user's frame.
    """

    __slots__ = ("constants", "drafts", "on_draft", "pending", "values")

    def __init__(self) -> None:
        super().__init__()
        self.on_draft: Callable[[], None] | None = None  # called after each operation, while the user's frames are there to be read
        self.drafts: list[Draft] = []
        self.values: dict[Place, Any] = {}
        self.constants: dict[Any, Const] = {}
        self.pending: tuple[FrameType, list[Place]] | None = None

    def input(self, value: Any, hint: str) -> GraphArray:
        """A new input of the recorded program."""
        place = Place(type_of(value), hint)
        self.values[place] = value
        return GraphArray(value, self, place)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        frame = user_frame()
        self.name_pending()
        values = [x.value if self.owns(x) else x for x in operands]
        atoms = [self.atom_of(x) for x in operands]
        unnamed = [a for a in atoms if isinstance(a, Place) and not a.hint]
        if frame is not None and unnamed:
            self.name_in(frame, unnamed)
        result = bind(primitive, values, params)
        results = [result] if primitive.n_outputs is None else list(result)
        outputs = [Place(type_of(y), is_discrete=primitive.is_discrete) for y in results]
        draft = Draft(primitive, atoms, params, outputs)
        self.drafts.append(draft)
        self.values.update(zip(outputs, results, strict=True))
        if frame is not None:
            draft.location = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            self.pending = (frame, outputs)
        if self.on_draft is not None:
            self.on_draft()
        arrays = [GraphArray(y, self, place) for y, place in zip(results, outputs, strict=True)]
        return arrays[0] if primitive.n_outputs is None else tuple(arrays)

    def constant(self, value: Any, like: Any) -> Any:
        return GraphArray(value, self, None)

    def is_constant(self, tracer: Tracer) -> bool:
        """Whether no derivative flows through `tracer`; the graph is the path that this value takes."""
        return tracer.extra is None or tracer.extra.is_discrete

    def owns(self, x: Any) -> bool:
        """Whether `x` is a tracer of this trace."""
        return isinstance(x, Tracer) and x.watcher is self

    def atom_of(self, x: Any) -> Place | Const:
        """The place of a tracer of this trace; a constant for anything else."""
        if self.owns(x):
            if x.extra is not None:
                return x.extra  # type: ignore[no-any-return]
            x = x.value
        key = (type(x), repr(x)) if isinstance(x, (int, float, complex)) else id(x)
        known = self.constants.get(key)
        if known is None or not _is_same(known.value, x):
            value = x.copy() if isinstance(x, np.ndarray) else x  # the user may write into it later
            known = self.constants[key] = Const(value, type_of(value))
        return known

    def name_pending(self) -> None:
        """Name the outputs of the last node, if the user's frame has bound them to names since."""
        if self.pending is not None:
            frame, outputs = self.pending
            self.pending = None
            self.name_in(frame, [place for place in outputs if not place.hint])

    def name_in(self, frame: FrameType, places: list[Place]) -> None:
        """Give places the names of the local variables that hold them."""
        for name, value in list(frame.f_locals.items()):
            found = value
            while isinstance(found, Tracer):
                if found.watcher is self:
                    if found.extra in places and not found.extra.hint and name.isidentifier():
                        found.extra.hint = name
                    break
                found = found.value


class ClosedGraphTrace(GraphTrace):
    """A trace whose call has ended; a tracer that got out says so when it is used."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


def _is_same(kept: Any, value: Any) -> bool:
    """Whether a constant seen before, under the same `id`, still has the value that was kept."""
    if not isinstance(kept, np.ndarray) or not isinstance(value, np.ndarray):
        return kept is value or type(kept) is type(value) and repr(kept) == repr(value)
    same_type = kept.shape == value.shape and kept.dtype == value.dtype
    return same_type and np.array_equal(kept, value, equal_nan=kept.dtype.kind in "fc")


class Recording:
    """A graph together with the values that its variables had, and the call that it came from.

    `on_draft` is called after each operation.
    """

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], on_draft: Callable[[], None] | None = None
    ) -> None:
        trace = GraphTrace()
        trace.on_draft = on_draft
        tree = (tuple(args), dict(kwargs))
        leaves, structure = trees.flatten(tree)
        chosen = choose_inputs(leaves)
        names = leaf_names(function, tree)
        tracers = [trace.input(as_value(leaf), name) if is_input else leaf
                   for leaf, name, is_input in zip(leaves, names, chosen, strict=True)]  # fmt: skip
        inputs = [x.extra for x, is_input in zip(tracers, chosen, strict=True) if is_input]
        new_args, new_kwargs = trees.unflatten(structure, tracers)
        out = watched_call(trace, function, new_args, new_kwargs)
        ys, out_structure = trees.flatten(out)
        outputs = [trace.atom_of(y if isinstance(y, Tracer) or hasattr(y, "dtype") else np.asarray(y)) for y in ys]
        self._name_output(outputs, inputs, function)
        self.graph, self.values = freeze(trace, inputs, outputs, structure, out_structure, name_of(function))

    @staticmethod
    def _name_output(outputs: list[Place | Const], inputs: list[Place], function: Callable[..., Any]) -> None:
        """A result without a name is named after the function."""
        if len(outputs) == 1 and isinstance(outputs[0], Place) and not outputs[0].hint:
            name = name_of(function)
            taken = {place.hint for place in inputs}
            outputs[0].hint = name if name not in taken else ""


def watched_call(trace: GraphTrace, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call a function whose arguments `trace` watches, up to the end of the call."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        reveal(error)
        raise
    finally:
        trace.name_pending()
        trace.__class__ = ClosedGraphTrace


def freeze(
    trace: GraphTrace, inputs: list[Place], outputs: list[Any], in_structure: Any, out_structure: Any, name: str
) -> tuple[Graph, dict[Var, Any]]:
    """The graph that a trace has recorded, and the value of each variable."""
    variables = {place: Var(place.type, place.hint) for place in trace.values}
    graph = graph_of(trace, inputs, outputs, name, variables)
    graph = replace(graph, in_structure=in_structure, out_structure=out_structure)
    return graph, {variables[place]: value for place, value in trace.values.items()}


def graph_of(
    trace: GraphTrace, inputs: Sequence[Place], outputs: Sequence[Any], name: str, variables: dict[Place, Var] | None = None
) -> Graph:
    """The graph that a trace has recorded, with these variables for its places or with new ones."""
    if variables is None:
        places = [*inputs, *(place for draft in trace.drafts for place in draft.outputs)]
        variables = {place: Var(place.type, place.hint) for place in places}

    atoms: dict[Any, Atom] = dict(variables)
    atoms.update((constant, constant) for constant in constants_in(trace, outputs))
    read = atoms.__getitem__
    nodes = tuple([
        Node(d.primitive, tuple(map(read, d.operands)), d.params, tuple(map(variables.__getitem__, d.outputs)), d.location)
        for d in trace.drafts
    ])  # fmt: skip
    return Graph(tuple(variables[x] for x in inputs), nodes, tuple(map(read, outputs)), name)


def constants_in(trace: GraphTrace, outputs: Sequence[Any]) -> list[Const]:
    """The constants that a recorded program uses or returns."""
    used = [x for draft in trace.drafts for x in draft.operands if type(x) is Const]
    return [*used, *(x for x in outputs if type(x) is Const)]


def choose_inputs(leaves: Sequence[Any]) -> list[bool]:
    """Arrays and floating-point numbers are inputs; Python integers are settings, unless there is nothing else."""
    strong = [isinstance(x, (float, complex, Tracer)) or hasattr(x, "dtype") for x in leaves]
    return strong if any(strong) else [type(x) is int for x in leaves]


def as_value(leaf: Any) -> Any:
    """A number as a NumPy scalar; arrays and traced arrays as they are."""
    return leaf if isinstance(leaf, Tracer) or hasattr(leaf, "dtype") else np.asarray(leaf)[()]


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function, and `f` for one that has none."""
    name = getattr(function, "__name__", "f")
    return name if name.isidentifier() else "f"


def leaf_names(function: Callable[..., Any], tree: tuple[tuple[Any, ...], dict[str, Any]]) -> list[str]:
    """How the user would write each leaf of `(args, kwargs)` inside the function: `x`, `params['w']`."""
    args, kwargs = tree
    names = positional_names(function, len(args))
    found: list[str] = []
    for name, value in [*zip(names, args, strict=True), *((k, kwargs[k]) for k in sorted(kwargs))]:
        found += [name + path for path in trees.paths(value)]
    return found


def positional_names(function: Callable[..., Any], n: int) -> list[str]:
    """The names of the first `n` positional arguments; those of `*args` are `args[0]`, `args[1]`."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{k}]" for k in range(n - len(names))]
        elif parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            names.append(parameter.name)
    return (names + [f"args[{k}]" for k in range(len(names), n)])[:n]


def trace(f: Callable[..., Any]) -> Callable[..., Graph]:
    """The program that `f` runs, as a `Graph`: `trace(f)(*args)` calls `f` and writes down what it does.

    The inputs of the graph are the arrays and floating-point numbers among the arguments, containers laid end
    to end.  The graph is the path that this call took through the Python code.

    >>> print(trace(lambda x, y: (x + y) * (x - y))(3.0, 2.0))  # doctest: +ELLIPSIS
    graph(x:float64[], y:float64[]) {
      a:float64[] = add x y  # ...
      b:float64[] = subtract x y  # ...
      f:float64[] = multiply a b  # ...
      return f
    }
    """
    if not callable(f):
        raise ArgumentError.of_function("trace", f)

    def traced(*args: Any, **kwargs: Any) -> Graph:
        return Recording(f, args, kwargs).graph

    return traced
