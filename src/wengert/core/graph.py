"""The program as a value: Wengert's list of elementary operations.

Grammar of the text form (`print(graph)` obeys it and `wengert.core.parse.parse` reads it back)::

    graph    = "graph(" [var {", " var}] ") {" {constant} {node} "return" {name} "}"      one to a line
    constant = "const" var "=" literal
    node     = var {", " var} "=" primitive {name} ["{" param {", " param} "}"] ["#" location]
    param    = identifier "=" literal
    var      = name ":" type                      x:float64[3,4]
    type     = dtype "[" [size {"," size}] "]"
    name     = identifier {"." identifier | "[" integer "]" | "[" string "]"}       params['w']
    literal  = number | string | None | True | False | nan | inf | "..." | tuple | list | dict
             | "slice(" literal "," literal "," literal ")" | "complex(" number "," number ")"
             | "array(" literal "," dtype ["," shape] ")"         an array; `shape` where it has no elements
             | dtype "(" literal ")"                               a NumPy scalar
             | "dtype(" dtype ")" | "type(" dtype ")"
             | graph                                               the body of a loop; its names are its own

A Python number among the constants stays one, so that it promotes weakly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wengert.core.immutable import immutable
from wengert.core.primitive import Primitive
from wengert.core.text import LONGEST, format_graph
from wengert.core.trace import bind
from wengert.core.types import ArrayType


@immutable(frozen=True, eq=False, slots=True)
class Var:
    """A place that a graph's input or node writes once."""

    type: ArrayType
    hint: str = ""


@immutable(frozen=True, eq=False, slots=True)
class Const:
    """An array that the program uses and that no input influences."""

    value: Any
    type: ArrayType


Atom = Var | Const


@immutable(frozen=True, eq=False, slots=True)
class Node:
    """One use of a primitive: `outputs = primitive(*operands, **params)`, written at `location` by the user."""

    primitive: Primitive
    operands: tuple[Atom, ...]
    params: Mapping[str, Any]
    outputs: tuple[Var, ...]
    location: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Graph:
    """A program: inputs, nodes in the order in which they run, outputs.  Immutable."""

    inputs: tuple[Var, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Atom, ...]
    name: str = "f"
    in_structure: Any = None  # of the containers that the user's function took and returned, if it is known
    out_structure: Any = None

    def __call__(self, *values: Any) -> tuple[Any, ...]:
        """Run the program on arrays (or traced arrays); returns the tuple of its outputs."""
        if len(values) != len(self.inputs):
            msg = f"this graph takes {len(self.inputs)} inputs, and {len(values)} were given"
            raise TypeError(msg)
        places: dict[Var, Any] = dict(zip(self.inputs, values, strict=True))

        def read(atom: Atom) -> Any:
            return atom.value if isinstance(atom, Const) else places[atom]

        for node in self.nodes:
            result = bind(node.primitive, [read(atom) for atom in node.operands], node.params)
            results = (result,) if node.primitive.n_outputs is None else result
            places.update(zip(node.outputs, results, strict=True))
        return tuple(read(atom) for atom in self.outputs)

    def vars(self) -> Iterator[Var]:
        """Inputs and node outputs, in order."""
        yield from self.inputs
        for node in self.nodes:
            yield from node.outputs

    def text(self) -> str:
        """The text form, every constant in full, as `wengert.core.parse` reads it back."""
        return format_graph(self)

    def __str__(self) -> str:
        return format_graph(self, LONGEST)

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))
