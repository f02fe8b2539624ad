"""What a function reaches besides its arguments: traced values and random generators in closures, defaults and `self`."""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.trace import Tracer

_OPAQUE = (type, types.ModuleType, np.ndarray, str, bytes)


class Captured:
    """The traced values and the random generators that a function reaches."""

    def __init__(self, function: Callable[..., Any]) -> None:
        found: dict[int, Any] = {}
        seen: dict[int, Any] = {}  # keeps what it has seen, so that no `id` is used twice
        for part in [*parts_of_callable(function), function]:
            _collect(part, found, seen)
        self.tracers = [x for x in found.values() if isinstance(x, Tracer)]
        self.generators = [x for x in found.values() if isinstance(x, (np.random.Generator, np.random.RandomState))]


def parts_of_callable(function: Any) -> list[Any]:
    """What a callable object, or the object that a method belongs to, keeps in its attributes."""
    owner = getattr(function, "__self__", None) if isinstance(function, types.MethodType) else function
    if owner is None or isinstance(owner, (*_OPAQUE, types.FunctionType, types.BuiltinFunctionType, functools.partial, np.ufunc)):
        return []
    return list(getattr(owner, "__dict__", {}).values())


def _collect(value: Any, found: dict[int, Any], seen: dict[int, Any]) -> None:
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, (Tracer, np.random.Generator, np.random.RandomState)):
        found[id(value)] = value
        return
    if isinstance(value, _OPAQUE):
        return
    for part in _parts(value):
        _collect(part, found, seen)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # a name that is not bound yet
                continue
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
        for name in value.__code__.co_names:
            known = value.__globals__.get(name)
            if isinstance(known, (np.random.Generator, np.random.RandomState)):
                yield known
    elif isinstance(value, types.MethodType):
        yield value.__self__
        yield value.__func__
    elif isinstance(value, functools.partial):
        yield value.func
        yield from value.args
        yield from value.keywords.values()
    elif hasattr(value, "__wrapped__"):  # a custom rule, and what functools.wraps has wrapped
        yield from getattr(value, "__dict__", {}).values()
    else:
        leaves, _ = trees.flatten(value)
        if not (len(leaves) == 1 and leaves[0] is value):
            yield from leaves


class Substitution:
    """Functions and containers with captured tracers (by `id`) replaced by other values.

    What reaches none of them stays the same object, so that `nonlocal` names and caches go on working.
    """

    def __init__(self, new: dict[int, Any]) -> None:
        self.new = new
        self.done: dict[int, Any] = {}

    def of_callable(self, function: Any) -> Any:
        """A function, method or callable object, the attributes of the object included."""
        if isinstance(function, types.MethodType):
            return types.MethodType(self(function.__func__), self._of_object(function.__self__))
        return self._of_object(function) if parts_of_callable(function) else self(function)

    def _of_object(self, value: Any) -> Any:
        attributes = getattr(value, "__dict__", {})
        changed = {name: new for name, old in attributes.items() if (new := self(old)) is not old}
        if not changed:
            return self(value)
        twin = copy.copy(value)
        for name, new in changed.items():
            object.__setattr__(twin, name, new)
        return twin

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Tracer):
            return self.new.get(id(value), value)
        if id(value) in self.done:
            return self.done[id(value)]
        if not self._is_reached(value):
            return value
        if isinstance(value, types.FunctionType):
            return self._of_function(value)
        if isinstance(value, types.MethodType):
            return types.MethodType(self(value.__func__), self(value.__self__))
        if isinstance(value, functools.partial):
            keywords = {k: self(v) for k, v in value.keywords.items()}
            return functools.partial(self(value.func), *map(self, value.args), **keywords)
        if hasattr(value, "__wrapped__"):
            return self._of_object(value)
        leaves, structure = trees.flatten(value)
        return trees.unflatten(structure, list(map(self, leaves)))

    def _of_function(self, function: types.FunctionType) -> types.FunctionType:
        old = function.__closure__ or ()
        cells = tuple(types.CellType() if self._is_reached_cell(cell) else cell for cell in old)
        defaults = tuple(map(self, function.__defaults__ or ())) or None
        twin = types.FunctionType(function.__code__, function.__globals__, function.__name__, defaults, cells)
        self.done[id(function)] = twin  # before its cells are filled: a function may reach itself
        twin.__kwdefaults__ = {k: self(v) for k, v in (function.__kwdefaults__ or {}).items()} or None
        for cell, original in zip(cells, old, strict=True):
            if cell is not original:
                cell.cell_contents = self(original.cell_contents)
        return twin

    def _is_reached_cell(self, cell: types.CellType) -> bool:
        try:
            return self._is_reached(cell.cell_contents)
        except ValueError:  # a name that is not bound yet
            return False

    def _is_reached(self, value: Any) -> bool:
        """Whether `value` leads to a tracer that is to be replaced."""
        found: dict[int, Any] = {}
        _collect(value, found, {})
        return any(key in self.new for key in found)
