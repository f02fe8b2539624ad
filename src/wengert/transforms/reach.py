"""What a function reaches besides its arguments, so that a compiled version can take it as input.

Closures, defaults, `functools.partial`, the globals that the code names, the object that a method belongs to and the
attributes that the code names: the arrays found there are inputs of the compiled program, and the numbers and texts
belong to its signature.  For recording, the function is rebuilt as a twin that reaches tracers in their place.

What the code does not name is not found: `getattr(self, name)`, `globals()[name]`, the methods of foreign libraries.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import functools
import inspect
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert._source import is_installed, is_user_code
from wengert.core.trace import Tracer

_VALUES = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.dtype, range, slice)
_OPAQUE = (
    type, types.ModuleType, types.BuiltinFunctionType, np.ufunc, enum.Enum, np.random.Generator, np.random.RandomState,
)  # fmt: skip
_NUMERIC = "biufc"
_MISSING = object()


class Same:
    """Stands for one object in a signature, whatever the object thinks of equality."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


class Reach:
    """One walk from some roots: the arrays on the way, and a key that says all the rest.

    `names` are those that the code of the functions on the way mentions; they grow while the walk finds functions.
    `is_current` says whether every place that the walk passed still holds what it held then.
    """

    def __init__(self, roots: Any, names: set[str]) -> None:
        self.names = set(names)  # our own: other threads walk, too
        self.roots = tuple(roots)
        self.territory = Territory(self.roots)
        while True:
            known = len(self.names)
            self.arrays: list[Any] = []
            self.generators: list[Any] = []
            self.tokens: list[Any] = []
            self.seen: dict[int, tuple[int, Any]] = {}  # keeps what was seen, so that no `id` is used twice
            self.edges: list[tuple[int, int]] = []
            self.cells: list[tuple[types.CellType, Any]] = []
            self.items: list[tuple[Any, Any, Any]] = []  # a dictionary or list, a key, and what stands there
            self.lengths: list[tuple[Any, int]] = []
            self.is_volatile = False  # whether something was passed whose changes cannot be noticed
            for root in self.roots:
                self._visit(root, 0)
            if len(self.names) == known:
                break
        names.update(self.names)

    @property
    def key(self) -> Any:
        """Equal for two walks that a compiled program need not tell apart, but for the values in the arrays."""
        return tuple(self.tokens)

    @property
    def is_fixed(self) -> bool:
        """Whether nothing that was found can ever change: no array, and no place that could hold something else."""
        return not (self.arrays or self.cells or self.items or self.lengths or self.is_volatile)

    def is_current(self) -> bool:
        """Whether another walk would find the same."""
        if self.is_volatile:
            return False
        try:
            for owner, key, value in self.items:
                if owner[key] is not value:
                    return False
            for cell, value in self.cells:
                if cell.cell_contents is not value:
                    return False
        except (KeyError, IndexError, ValueError):  # not there any more
            return False
        return not self.lengths or all(len(owner) == n for owner, n in self.lengths)

    def changed(self) -> str | None:
        """What holds something else, or more, than it did when the walk passed, in words; `None` where that cannot be noticed."""
        for owner, key, value in self.items:
            found = owner.get(key, _MISSING) if isinstance(owner, dict) else owner[key] if key < len(owner) else _MISSING
            if found is not value:
                return f"`{key}`" if isinstance(key, str) else "a list"
        for cell, value in self.cells:
            if contents(cell) is not value:
                return "a variable of an enclosing function"
        grown = (type(owner).__name__ for owner, n in self.lengths if len(owner) != n)
        return next((f"a {kind}" for kind in grown), None)

    # --- the walk -----------------------------------------------------------------------------------------------------

    def _visit(self, value: Any, parent: int) -> None:
        kind = type(value)
        if kind is not np.ndarray and isinstance(value, _VALUES):
            self.tokens.append((kind, value.tobytes()) if isinstance(value, np.generic) else trees.exactly(value))
            return
        here = id(value)
        self.edges.append((parent, here))
        if here in self.seen:
            self.tokens.append(self.seen[here][0])
            return
        self.seen[here] = (len(self.seen), value)
        if (kind is np.ndarray and value.dtype.kind in _NUMERIC) or isinstance(value, Tracer):
            self.tokens.append("array")
            self.arrays.append(value)
        elif kind is np.ndarray and value.dtype.kind in "SUMm":  # texts and dates, by what they say
            self.tokens.append((str(value.dtype), value.shape, value.tobytes()))
            self.is_volatile = True
        elif isinstance(value, types.ModuleType) and self.territory.has_module(value):
            self._visit_named(value)
        elif isinstance(value, _OPAQUE):
            self._opaque(value)
        elif kind is types.FunctionType:
            self._visit_function(value)
        elif isinstance(value, types.MethodType):
            self._visit_all(value, [value.__func__, value.__self__])
        elif isinstance(value, functools.partial):
            self._visit_all(value, [value.func, *value.args, *value.keywords.values()], tuple(value.keywords))
        elif hasattr(kind, "__parts__"):
            self._visit_all(value, value.__parts__())
        else:
            self._visit_container(value)

    def _opaque(self, value: Any) -> None:
        self.tokens.append(Same(value))
        if isinstance(value, (np.random.Generator, np.random.RandomState)):
            self.generators.append(value)

    def _visit_all(self, owner: Any, parts: Any, *more: Any) -> None:
        parts = list(parts)
        self.tokens.append((type(owner), len(parts), *more))
        for part in parts:
            self._visit(part, id(owner))

    def _visit_function(self, function: types.FunctionType) -> None:
        code = function.__code__
        is_user = self.territory.has_function(function)
        is_ours = str(function.__globals__.get("__name__")).partition(".")[0] == "wengert"
        self.tokens.append(Same(code))
        if not (is_user or is_ours):
            return
        here = id(function)
        for cell in function.__closure__ or ():
            self._visit_cell(cell, here, is_ours=is_ours)
        for part in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            if not isinstance(part, _VALUES):  # nobody changes the numbers there
                self._visit(part, here)
        if is_user:
            mentioned = list(names_in(code))
            self.names.update(mentioned)
            for name, part in self.territory.named_globals(function, mentioned):
                self.items.append((function.__globals__, name, part))
                self._visit(part, here)

    def _visit_cell(self, cell: types.CellType, parent: int, *, is_ours: bool) -> None:
        content = contents(cell)
        if content is _MISSING or is_ours and isinstance(content, _VALUES):  # nobody changes what is in our closures
            self.tokens.append(None)
            return
        if not is_ours:
            self.cells.append((cell, content))
        self.edges.append((parent, id(cell)))
        if id(cell) not in self.seen:
            self.seen[id(cell)] = (len(self.seen), cell)
            self._visit(content, id(cell))

    def _visit_container(self, value: Any) -> None:
        kind = type(value)
        if kind in (dict, list, tuple):
            keys = self._note(value)
            self._visit_all(value, [value[key] for key in keys], tuple(keys) if kind is dict else None)
            return
        leaves, structure = trees.flatten(value)
        if not (len(leaves) == 1 and leaves[0] is value):
            self.is_volatile = not self._watch(value) or self.is_volatile
            self.tokens.append(structure)
            for leaf in leaves:
                self._visit(leaf, id(value))
        elif self.territory.has_kind(kind):
            self._visit_named(value)
        else:
            self._opaque(value)

    def _note(self, held: Any) -> Sequence[Any]:
        """Note what stands where in a dictionary, a list or a tuple; the keys."""
        keys: Sequence[Any] = list(held) if isinstance(held, dict) else range(len(held))
        self.lengths.append((held, len(held)))
        self.items += [(held, key, held[key]) for key in keys]
        return keys

    def _watch(self, value: Any) -> bool:
        """Note every place inside of a container; whether that was possible: a dataclass keeps its parts in a dictionary of its own."""
        held = value
        if type(value) not in (dict, list, tuple):
            leaves = trees.flatten(value)[0]
            if value is None or (len(leaves) == 1 and leaves[0] is value):
                return True
            held = getattr(value, "__dict__", None)
            if not dataclasses.is_dataclass(value) or held is None or not {field.name for field in dataclasses.fields(value)} <= set(held):
                return False
        seen = [self._watch(held[key]) for key in self._note(held)]  # every one, also behind one that cannot be watched
        return all(seen)

    def _visit_named(self, value: Any) -> None:
        held = getattr(value, "__dict__", None)
        found = list(named_attributes(value, self.names))
        self.tokens.append((type(value), tuple(name for name, _ in found)))
        for name, part in found:
            if held is not None and name in held:
                self.items.append((held, name, part))
            elif not isinstance(part, types.FunctionType):
                self.is_volatile = True
            self._visit(part, id(value))

    def reaching(self) -> set[int]:
        """Everything (by `id`) from which an array is reached."""
        back: dict[int, list[int]] = {}
        for parent, child in self.edges:
            back.setdefault(child, []).append(parent)
        found: set[int] = set()
        todo = [id(x) for x in self.arrays]
        while todo:
            here = todo.pop()
            if here not in found:
                found.add(here)
                todo += back.get(here, ())
        return found


def contents(cell: types.CellType) -> Any:
    """What a cell holds; a mark where its name is not bound yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def names_in(code: types.CodeType) -> Iterator[str]:
    """The global names and attributes that a function's code mentions, those of functions inside it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)


class Territory:
    """Whose code is walked: the user's own, and that of the packages that the roots come from."""

    def __init__(self, roots: Any) -> None:
        owners = [getattr(root, "__self__", root) for root in map(inspect.unwrap, filter(callable, roots))]
        modules = [str(getattr(x, "__module__", None) or type(x).__module__) for x in owners]
        self.homes = {name.partition(".")[0] for name in modules} - {"wengert", "numpy", "builtins"}
        self.kinds: dict[type, bool] = {}

    def has(self, file: str | None, module: str) -> bool:
        """Whether a file with the code of a module is on it."""
        if file is None:
            return module == "__main__"
        return is_user_code(file) and (not is_installed(file) or module.partition(".")[0] in self.homes)

    def has_module(self, module: types.ModuleType) -> bool:
        """Whether the names in a module are looked at."""
        return self.has(getattr(module, "__file__", None), module.__name__)

    def has_function(self, function: types.FunctionType) -> bool:
        """Whether the globals that a function's code names are looked at."""
        return self.has(function.__code__.co_filename, str(function.__globals__.get("__name__")))

    def has_kind(self, kind: type) -> bool:
        """Whether the attributes of objects of a class are looked at; those of custom rules are, too."""
        known = self.kinds.get(kind)
        if known is None:
            module = sys.modules.get(kind.__module__)
            is_made = module is None or kind.__name__ == "CustomRule"
            known = self.kinds[kind] = is_made or self.has(getattr(module, "__file__", None), kind.__module__)
        return known

    def named_globals(self, function: types.FunctionType, names: list[str]) -> Iterator[tuple[str, Any]]:
        """The globals among `names`, apart from classes and other people's modules."""
        for name in dict.fromkeys(names):
            value = function.__globals__.get(name, _MISSING)
            is_foreign = isinstance(value, types.ModuleType) and not self.has_module(value)
            if value is not _MISSING and name != "__builtins__" and not isinstance(value, type) and not is_foreign:
                yield name, value


def named_attributes(value: Any, names: set[str]) -> Iterator[tuple[str, Any]]:
    """The attributes of an object that the code mentions; methods are functions here."""
    kind = type(value)
    if kind is types.ModuleType:
        yield from ((name, vars(value)[name]) for name in sorted(names) if name in vars(value))
        return
    wanted = ("_function", "_forward", "_reverse") if kind.__name__ == "CustomRule" else sorted(names)
    held = getattr(value, "__dict__", {})
    for name in (*wanted, "__call__"):
        found = held.get(name, _MISSING)
        if found is _MISSING:
            found = next((vars(c)[name] for c in kind.__mro__ if name in vars(c) and c is not object), _MISSING)
            if isinstance(found, types.MemberDescriptorType):
                found = getattr(value, name, _MISSING)
            if isinstance(found, property):
                found = found.fget
        if found is not _MISSING and found is not None:
            yield name, found


class Twin:
    """The roots of a walk rebuilt so that they reach other arrays; what reaches none stays the same object."""

    def __init__(self, reach: Reach, arrays: Any) -> None:
        self.territory = reach.territory
        self.reaching = reach.reaching()
        self.done: dict[int, Any] = {id(old): new for old, new in zip(reach.arrays, arrays, strict=True)}
        self.names = reach.names
        self.twins: list[tuple[Any, Any, dict[str, Any]]] = []  # original, twin, and what the twin was given
        self.spaces: dict[int, dict[str, Any]] = {}
        self.roots = tuple(map(self, reach.roots))
        self.filled = [(space, dict(space)) for space in self.spaces.values()]

    def __call__(self, value: Any) -> Any:
        here = id(value)
        if here in self.done:
            return self.done[here]
        if here not in self.reaching:
            return value
        kind = type(value)
        if kind is types.FunctionType:
            return self._function(value)
        if isinstance(value, types.MethodType):
            return types.MethodType(self(value.__func__), self(value.__self__))
        if isinstance(value, functools.partial):
            keywords = {name: self(part) for name, part in value.keywords.items()}
            return functools.partial(self(value.func), *map(self, value.args), **keywords)
        if hasattr(kind, "__parts__"):
            return value.__rebuild__([self(part) for part in value.__parts__()])
        leaves, structure = trees.flatten(value)
        if len(leaves) == 1 and leaves[0] is value:
            return self._object(value)
        self.done[here] = new = trees.unflatten(structure, [self(leaf) for leaf in leaves])
        return new

    def _function(self, function: types.FunctionType) -> Any:
        cells = tuple(map(self._cell, function.__closure__ or ())) or None
        space = self._globals(function)
        twin = types.FunctionType(function.__code__, space, function.__name__, None, cells)
        self.done[id(function)] = twin
        twin.__defaults__ = tuple(map(self, function.__defaults__ or ())) or None
        twin.__kwdefaults__ = {name: self(part) for name, part in (function.__kwdefaults__ or {}).items()} or None
        twin.__dict__.update(function.__dict__)
        twin.__qualname__, twin.__module__ = function.__qualname__, function.__module__
        self._fill_globals(function, space)
        return twin

    def _cell(self, cell: types.CellType) -> types.CellType:
        if id(cell) not in self.reaching:
            return cell
        if id(cell) not in self.done:
            self.done[id(cell)] = twin = types.CellType()
            twin.cell_contents = new = self(cell.cell_contents)
            self.twins.append((cell, twin, {"cell_contents": new}))
        return self.done[id(cell)]  # type: ignore[no-any-return]

    def _globals(self, function: types.FunctionType) -> dict[str, Any]:
        """The globals of the function's module, copied if an array is reached through one of them."""
        space = function.__globals__
        if not self.territory.has_function(function):
            return space
        found = self.territory.named_globals(function, list(names_in(function.__code__)))
        if not any(id(part) in self.reaching for _, part in found):
            return space
        return self.spaces.setdefault(id(space), dict(space))

    def _fill_globals(self, function: types.FunctionType, space: dict[str, Any]) -> None:
        if space is not function.__globals__:
            for name, part in self.territory.named_globals(function, list(names_in(function.__code__))):
                space[name] = self(part)

    def _object(self, value: Any) -> Any:
        kind = type(value)
        if kind is types.ModuleType:
            self.done[id(value)] = module = types.ModuleType(value.__name__)
            vars(module).update(vars(value))
            vars(module).update({name: self(part) for name, part in named_attributes(value, self.names)})
            return module
        self.done[id(value)] = twin = copy.copy(value)
        given: dict[str, Any] = {}
        methods: dict[str, Any] = {}
        for name, part in named_attributes(value, self.names):
            new = self(part)
            if new is part:
                continue
            is_method = isinstance(part, types.FunctionType) and name not in getattr(value, "__dict__", {})
            if not is_method:
                object.__setattr__(twin, name, new)
                given[name] = new
            else:
                is_property = isinstance(getattr(kind, name, None), property)
                methods[name] = property(new) if is_property else new
        if methods:
            twin.__class__ = type(kind.__name__, (kind,), methods)
        self.twins.append((value, twin, given))
        return twin

    def rebound(self) -> str | None:
        """What the function has bound anew on a twin, where the original would not see it; `None` if nothing."""
        for original, twin, given in self.twins:
            if isinstance(twin, types.CellType):
                if contents(twin) is not given["cell_contents"]:
                    return "a variable of an enclosing function (nonlocal)"
                continue
            before, after = getattr(original, "__dict__", {}), getattr(twin, "__dict__", {})
            for name, new in after.items():
                if new is not given.get(name, before.get(name, _MISSING)):
                    return f"the attribute `{name}` of an object"
        for space, given in self.filled:
            for name, new in space.items():
                if new is not given.get(name, _MISSING):
                    return f"the global variable `{name}`"
        return None
