"""Containers for the launcher: how arguments are taken apart, and a result is put together, without a line of Python.

A container is a list of nodes, each before its parts; `containers.ll` walks them.  Tuples, lists, dictionaries whose keys are texts
or whole numbers, named tuples and dataclasses have nodes; what only Python can take apart raises `NotNative`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wengert import trees

KINDS = {"leaf": 0, "tuple": 1, "list": 2, "dict": 3, "object": 4, "very": 5, "equal": 6, "called": 7}
SIMPLE = (bool, int, str, bytes)


class NotNative(Exception):
    """A container that only Python can take apart."""


@dataclass(frozen=True)
class Node:
    """What stands at one place: of a leaf of a result, `n` says which; `what` is a type, an object, or a callable."""

    kind: str
    what: Any = None
    n: int = 0
    names: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Shape:
    """The containers of a call: how many arguments by position, the names of the others, the nodes of all."""

    n_positional: int
    names: tuple[str, ...]
    nodes: tuple[Node, ...]


def is_simple(x: Any) -> bool:
    """Whether equality says all of a setting, and runs no Python."""
    return type(x) in SIMPLE or type(x) is tuple and all(map(is_simple, x))


def shape_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Shape, list[Any]]:
    """The containers of a call, and its leaves in order."""
    walk = _Walk()
    names = tuple(sorted(kwargs))
    for x in (*args, *(kwargs[name] for name in names)):
        walk.take(x)
    return Shape(len(args), names, tuple(walk.nodes)), walk.leaves


def result_nodes(template: Any, marks: Sequence[Any]) -> tuple[Node, ...]:
    """The nodes of a result like `template`, in which `marks` stand where its arrays and numbers come."""
    walk = _Walk({id(mark): k for k, mark in enumerate(marks)})
    walk.take(template)
    return tuple(walk.nodes)


class _Walk:
    """One walk through a container.  Of a result, what is not marked is the same object each time."""

    def __init__(self, marks: dict[int, int] | None = None) -> None:
        self.nodes: list[Node] = []
        self.leaves: list[Any] = []
        self.marks = marks

    def take(self, x: Any) -> None:
        kind = type(x)
        if x is None:
            self.nodes.append(Node("very"))
        elif kind in (tuple, list):
            self._parts(Node("tuple" if kind is tuple else "list", kind, len(x)), x)
        elif kind is dict:
            self._dictionary(x)
        elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
            self._parts(Node("tuple", kind, len(x)) if self.marks is None else Node("called", kind._make, len(x)), x)
        elif (fields := trees.fields_of(x)) is not None:
            self._object(kind, fields)
        else:
            self._leaf(x)

    def _leaf(self, x: Any) -> None:
        leaves = trees.flatten(x)[0]
        if not (len(leaves) == 1 and leaves[0] is x):
            raise NotNative
        if self.marks is None:
            self.nodes.append(Node("leaf"))
            self.leaves.append(x)
        else:
            self.nodes.append(Node("leaf", n=self.marks[id(x)]) if id(x) in self.marks else Node("very", x))

    def _parts(self, node: Node, parts: Any) -> None:
        self.nodes.append(node)
        for part in parts:
            self.take(part)

    def _dictionary(self, x: dict[Any, Any]) -> None:
        if {*map(type, x)} - {str} and {*map(type, x)} - {int}:
            raise NotNative
        keys = tuple(sorted(x) if self.marks is None else x)  # leaves of arguments are taken in the order of the keys
        self._parts(Node("dict", dict, len(x), keys), [x[key] for key in keys])

    def _object(self, kind: type, fields: Sequence[tuple[str, Any, bool]]) -> None:
        if not has_plain_attributes(kind, [name for name, _, _ in fields]):
            raise NotNative
        self.nodes.append(Node("object", kind, len(fields), tuple(name for name, _, _ in fields)))
        for _, part, is_setting in fields:
            if is_setting:
                self.nodes.append(Node("equal" if self.marks is None and is_simple(part) else "very", part))
            else:
                self.take(part)


def has_plain_attributes(kind: type, names: Sequence[str]) -> bool:
    """Whether getting and setting these attributes runs no Python."""
    if kind.__getattribute__ is not object.__getattribute__ or hasattr(kind, "__getattr__"):
        return False
    found = [inspect.getattr_static(kind, name, None) for name in names]
    return all(isinstance(x, types.MemberDescriptorType) or not hasattr(type(x), "__set__") for x in found)
