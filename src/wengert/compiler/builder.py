"""Writing new nodes while a graph is rewritten, with their types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wengert.core.graph import Atom, Const, Node, Var
from wengert.core.primitive import Primitive, primitive_named
from wengert.core.types import ArrayType, type_of

Shape = tuple[int, ...]


def is_weak(atom: Atom) -> bool:
    """Whether a value is a number of Python's, which takes the dtype of its company."""
    return isinstance(atom, Const) and type(atom.value) in (bool, int, float, complex)


class Builder:
    """A list of nodes that grows, and the node that made each variable."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.maker: dict[Atom, Node] = {}
        self.notes: dict[Atom, Any] = {}  # how new values came about, for rules about their readers
        self.known: dict[Atom, Any] = {}  # the notes about what was there before
        self.location = ""

    def append(self, node: Node) -> None:
        """One node more."""
        self.nodes.append(node)
        for var in node.outputs:
            self.maker[var] = node

    def emit(self, primitive: Primitive | str, operands: tuple[Atom, ...], params: Mapping[str, Any], type_: ArrayType) -> Var:
        """The result of a new node."""
        if isinstance(primitive, str):
            primitive = primitive_named(primitive)
        out = Var(type_)
        self.append(Node(primitive, operands, params, (out,), self.location))
        return out

    def emit_several(self, primitive: Primitive, operands: tuple[Atom, ...], params: Mapping[str, Any], types: Sequence[ArrayType]) -> tuple[Var, ...]:
        """The results of a new node that has several."""
        outs = tuple([Var(type_) for type_ in types])
        self.append(Node(primitive, operands, params, outs, self.location))
        return outs

    def elementwise(self, name: str, *operands: Atom, dtype: Any = None) -> Var:
        """An elementwise function of values of one shape, or numbers."""
        shape = np.broadcast_shapes(*[a.type.shape for a in operands])
        return self.emit(name, operands, {}, ArrayType(shape, np.dtype(dtype or operands[0].type.dtype)))

    # --- moves ------------------------------------------------------------------------------------------------------

    def reshape(self, x: Atom, shape: Shape) -> Atom:
        """`x` under another shape."""
        if tuple(x.type.shape) == shape:
            return x
        return self.emit("reshape", (x,), {"shape": shape}, ArrayType(shape, x.type.dtype))

    def spread(self, x: Atom, shape: Shape) -> Atom:
        """`x` repeated along axes."""
        if tuple(x.type.shape) == shape:
            return x
        return self.emit("spread", (x,), {"shape": shape}, ArrayType(shape, x.type.dtype))

    def permute(self, x: Atom, axes: Shape) -> Atom:
        """`x` with its axes in another order."""
        if axes == tuple(range(len(axes))):
            return x
        shape = tuple([x.type.shape[k] for k in axes])
        return self.emit("permute", (x,), {"axes": axes}, ArrayType(shape, x.type.dtype))

    def index(self, x: Atom, parts: tuple[Any, ...]) -> Atom:
        """The part of `x` that numbers and slices take, one for each axis."""
        chosen = [range(*part.indices(n)) if isinstance(part, slice) else part for part, n in zip(parts, x.type.shape, strict=True)]
        if all(part == range(n) for part, n in zip(chosen, x.type.shape, strict=True)):
            return x
        layout = tuple([slice(p.start, p.stop if p.stop >= 0 else None, p.step) if isinstance(p, range) else int(p) for p in chosen])
        shape = tuple([len(part) for part in chosen if isinstance(part, range)])
        return self.emit("index", (x,), {"layout": layout}, ArrayType(shape, x.type.dtype))

    def deposit(self, x: Atom, parts: tuple[Any, ...], shape: Shape) -> Atom:
        """`x` at a part of zeros."""
        if tuple(x.type.shape) == shape:
            return x
        return self.emit("deposit", (x,), {"layout": parts, "shape": shape}, ArrayType(shape, x.type.dtype))

    def sum(self, x: Atom, axes: Shape, dtype: Any = None, *, keepdims: bool = False) -> Atom:
        """`x` summed along axes counted from the front."""
        if not axes and not dtype:
            return x
        rank = len(x.type.shape)
        kept = tuple([1 if k in axes else n for k, n in enumerate(x.type.shape) if keepdims or k not in axes])
        params: dict[str, Any] = {"axis": tuple([k - rank for k in axes]), "keepdims": keepdims}
        if dtype is not None:
            params["dtype"] = np.dtype(dtype)
        return self.emit("sum", (x,), params, ArrayType(kept, np.dtype(dtype or x.type.dtype)))


def constant(value: Any) -> Const:
    """A constant of a rewritten graph."""
    return Const(value, type_of(value))


def size_of(atom: Atom) -> int:
    """How many entries an atom has."""
    return math.prod(atom.type.shape)


def repeated_number(value: Any) -> Any:
    """The number that a constant consists of, bit for bit; `None` if there are several."""
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    array = np.asarray(value)
    if array.size == 0 or array.dtype.kind not in "biufc":
        return None
    if array.size == 1:
        return array.reshape(-1)[0]
    first, last = array[(0,) * array.ndim], array[(-1,) * array.ndim]
    if first.tobytes() != last.tobytes():
        return None
    if not any(array.strides):
        return first
    if array.dtype.kind in "biu":
        return first if bool((array == first).all()) else None
    parts = array.view(array.real.dtype) if array.dtype.kind == "c" else array
    if array.dtype.kind == "c" or not np.isfinite(first) or first == 0:
        flat = np.ascontiguousarray(parts).reshape(-1).view(np.uint8).reshape(array.size, -1)
        return first if bool((flat == flat[0]).all()) else None
    return first if bool((array == first).all()) else None
