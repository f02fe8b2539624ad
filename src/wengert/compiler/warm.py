"""A second process starts warm: a graph is recognised before it is lowered, and what has to be known to run it comes from disk.

Lowering is most of what a long program's first call costs.  Beside the object file lies a record of `Facts`, under a name that
follows from the graph, the sources of this package, the versions of what computes for it, and the processor.  Passes that are not run
are run when somebody wants to see them (`stages`, `report`, `export`).

A graph with anything in it that only this process knows (a call of Python, a card of the user's own) has no name.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import numpy as np

from wengert.compiler.cache import Cache
from wengert.compiler.engine import key_of
from wengert.core.graph import Atom, Const, Graph
from wengert.core.primitive import REGISTRY, Primitive
from wengert.core.text import format_literal
from wengert.core.types import ArrayType

LARGEST = 2**20  # bytes of constants that are kept beside the code
_OURS = ("wengert", "numpy", "scipy")
_LITERALS = (bool, int, float, complex, str, bytes, type(None), np.dtype, np.generic, np.ndarray, slice, type(...), type)


@dataclass
class Facts:
    """What running a program takes, besides its object file."""

    code: str  # the name of the object file
    workspace: int
    seconds: float
    products: list[str]
    specials: list[str]
    natives: list[str]
    has_half: bool
    needs_runtime: bool  # whether it calls for threads or memory
    checks: list[tuple[str, str]]  # reason and place of each, in the order of their statuses
    constants: list[Any] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """As a record: a line of JSON, then the constants."""
        rest = b"".join([np.ascontiguousarray(x).tobytes() for x in self.constants])
        plain = asdict(self) | {"constants": [(x.dtype.str, x.shape) for x in self.constants]}
        return json.dumps(plain).encode() + b"\n" + rest

    @classmethod
    def from_bytes(cls, data: bytes) -> Facts:
        """The facts of a record."""
        head, _, rest = data.partition(b"\n")
        plain = json.loads(head)
        constants, at = [], 0
        for dtype, shape in plain.pop("constants"):
            n_bytes = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
            constants.append(np.frombuffer(rest[at : at + n_bytes], dtype).reshape(shape).copy())
            at += n_bytes
        checks = [(reason, place) for reason, place in plain.pop("checks")]
        return cls(**plain, checks=checks, constants=constants)


def remember(store: Cache, name: str, facts: Facts) -> None:
    """Keep the facts of a program under its name."""
    if sum(x.nbytes for x in facts.constants) <= LARGEST:
        store.put(name, facts.to_bytes())


def recall(store: Cache, name: str) -> tuple[Facts, bytes] | None:
    """The facts under a name, and the object file, if both are there."""
    found = store.get(name)
    if found is None:
        return None
    facts = Facts.from_bytes(found)
    code = store.get(facts.code)
    return None if code is None else (facts, code)


# --- names -----------------------------------------------------------------------------------------------------------------


class NamelessError(Exception):
    """A graph that another process cannot recognise."""


def name_of_graph(graph: Graph) -> str | None:
    """What facts are kept under; `None` where only this process can know what the graph does."""
    try:
        text = "\n".join(Words(graph).lines)
    except NamelessError:
        return None
    return key_of(hashlib.sha256(text.encode()).hexdigest(), sources(), np.__version__)


class Words:
    """All that a graph says, in an order that is always the same.  What is the same object is written out once."""

    def __init__(self, graph: Graph) -> None:
        self.lines: list[str] = []
        self.numbers: dict[Atom, str] = {}
        self.types: dict[int, str] = {}  # by `id`: the graph holds on to them
        self.ours: set[Primitive] = set()
        self.read(graph)

    def read(self, graph: Graph) -> None:
        """Write down a graph; variables are numbered as they come."""
        lines = self.lines
        self.places(graph.inputs)
        for node in graph.nodes:
            primitive = node.primitive
            if primitive not in self.ours:
                check(primitive)
                self.ours.add(primitive)
            lines.append(f"{primitive.name}({self.places(node.operands)};{self.places(node.outputs)}) {node.location}")
            for key, value in node.params.items():
                if isinstance(value, Graph):
                    lines.append(f"{key}:")
                    inner = Words(value)
                    lines += [*inner.lines, f":{key}"]
                else:
                    lines.append(f"{key}={literal(value)}")
        lines.append(f"return {self.places(graph.outputs)} {graph.name}")

    def places(self, atoms: tuple[Atom, ...]) -> str:
        """The numbers of variables and constants."""
        numbers = self.numbers
        found = []
        for atom in atoms:
            number = numbers.get(atom)
            if number is None:
                number = numbers[atom] = str(len(numbers))
                self.lines.append(f"{number}={literal(atom.value)}" if isinstance(atom, Const) else f"{number}:{self.type(atom.type)}")
            found.append(number)
        return ",".join(found)

    def type(self, type_: ArrayType) -> str:
        """A type as text."""
        found = self.types.get(id(type_))
        if found is None:
            found = self.types[id(type_)] = str(type_)
        return found


def check(primitive: Primitive) -> None:
    """Refuse what is not this package's own."""
    functions = (primitive.eval, primitive.spelled)
    homes = [getattr(f, "__module__", None) or "numpy" for f in functions if f is not None]
    if REGISTRY.get(primitive.name) is not primitive or not all(home.split(".")[0] in _OURS for home in homes):
        raise NamelessError


def literal(value: Any) -> str:
    """A value in full; arrays by their content."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise NamelessError
        strides = None if all(value.strides) else value.strides
        content = np.ascontiguousarray(value if strides is None else value[tuple([slice(1 if s == 0 else None) for s in value.strides])])
        return f"array {value.dtype.str} {value.shape} {strides} {hashlib.sha256(content.tobytes()).hexdigest()}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__}({','.join(map(literal, value))})"
    if isinstance(value, dict):
        return f"dict({','.join([f'{literal(key)}:{literal(part)}' for key, part in value.items()])})"
    if isinstance(value, type) and not issubclass(value, np.generic):
        raise NamelessError
    if not isinstance(value, _LITERALS):
        raise NamelessError
    return f"{type(value).__name__} {format_literal(value)}"


@cache
def sources() -> str:
    """The state of this package: what a pass makes of a graph is known by the text of the pass."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = []
    for room in ("core", "primitives", "transforms", "compiler"):
        for folder, _, files in os.walk(os.path.join(root, room)):
            for name in files:
                if name.endswith((".py", ".ll")):
                    state = os.stat(os.path.join(folder, name))
                    found.append(f"{os.path.relpath(folder, root)}/{name} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()

