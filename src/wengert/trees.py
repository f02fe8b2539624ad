"""Containers of arrays as flat lists and back: any pytree, through optree.

Dataclasses are containers too: a dataclass type is registered when it is first met.  Its fields that are settings
belong to the structure and not to the leaves: those marked `field(metadata={"static": True})`, and those that
hold an integer, a truth value, a text, a function or any other object that is neither number, array nor container.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import optree

_NAMESPACE = "wengert"
_registered: set[type] = set()
_automatic: set[type] = set()
_met: set[type] = set()  # kinds of leaves that were looked at
_leaf_kinds: set[type] = set()  # kinds that are no containers: a bare array is the usual case
_LEAF: Any = optree.tree_structure(0, namespace=_NAMESPACE)  # type: ignore[arg-type]


def _is_new_dataclass(kind: type) -> bool:
    is_leaf = kind.__module__ == "optree" or kind.__module__.startswith("wengert.core.")  # programs and their parts are no containers
    return dataclasses.is_dataclass(kind) and kind not in _registered and not is_leaf


def _is_static(field: dataclasses.Field[Any]) -> bool:
    return bool(field.metadata.get("static", False)) or field.metadata.get("pytree_node") is False


def _is_setting(value: Any) -> bool:
    """Whether a field holds neither a floating-point number, nor an array, nor a container of such."""
    if isinstance(value, (float, complex)) or hasattr(value, "dtype") or _is_new_dataclass(type(value)):
        return False
    return optree.tree_is_leaf(value, namespace=_NAMESPACE)


def exactly(value: Any) -> Any:
    """What tells a setting from every other: 1, 1.0 and True are equal in Python, and so are 0.0 and -0.0, alone or in tuples."""
    kind = type(value)
    if kind is tuple:
        return (tuple, *map(exactly, value))
    if kind is slice:  # has no hash before Python 3.12
        return (slice, *map(exactly, (value.start, value.stop, value.step)))
    return kind, repr(value) if kind in (float, complex) else value


def _register(kind: type) -> None:
    fields = dataclasses.fields(kind)
    static = {field.name for field in fields if _is_static(field)}

    def take(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[str, ...]]:
        held = [(field.name, getattr(value, field.name)) for field in fields if hasattr(value, field.name)]
        settings = tuple((name, v) for name, v in held if name in static or _is_setting(v))
        chosen = {name for name, _ in settings}
        children = [(name, v) for name, v in held if name not in chosen]
        names = tuple(name for name, _ in children)
        return tuple(v for _, v in children), (names, settings, exactly(tuple(v for _, v in settings))), names

    def build(metadata: Any, children: Any) -> Any:
        names, settings, _ = metadata
        new: Any = object.__new__(kind)
        for name, child in [*zip(names, children, strict=True), *settings]:
            object.__setattr__(new, name, child)
        return new

    with contextlib.suppress(ValueError):  # another thread was quicker
        optree.register_pytree_node(kind, take, build, namespace=_NAMESPACE)
        _automatic.add(kind)
    _registered.add(kind)


def register(kind: type, flatten: Callable[[Any], Any], unflatten: Callable[[Any, Any], Any]) -> None:
    """Make `kind` a container: `flatten(x) -> (children, metadata)`, `unflatten(metadata, children) -> x`."""
    _leaf_kinds.discard(kind)
    if kind in _automatic:
        optree.unregister_pytree_node(kind, namespace=_NAMESPACE)
        _automatic.discard(kind)
    optree.register_pytree_node(kind, flatten, unflatten, namespace=_NAMESPACE)
    _registered.add(kind)


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a container, in order, and its structure; `None` is a container without leaves."""
    if type(tree) in _leaf_kinds:
        return [tree], _LEAF
    leaves, structure = optree.tree_flatten(tree, namespace=_NAMESPACE)
    fresh = {*map(type, leaves)} - _met
    if not fresh:
        return leaves, structure
    dataclass_kinds = [kind for kind in fresh if _is_new_dataclass(kind)]
    for kind in dataclass_kinds:
        _register(kind)
    _met.update(fresh)
    if len(leaves) == 1 and leaves[0] is tree and not dataclass_kinds:
        _leaf_kinds.add(type(tree))
    return flatten(tree) if dataclass_kinds else (leaves, structure)


def unflatten(structure: Any, leaves: Any) -> Any:
    """The container of that structure with these leaves."""
    return leaves[0] if structure is _LEAF else optree.tree_unflatten(structure, leaves)


def flatten_up_to(structure: Any, tree: Any) -> list[Any]:
    """What `tree` has at each leaf of `structure`, `None` included; raises `ValueError` where the containers differ."""
    flatten(tree)  # meets its dataclasses
    return structure.flatten_up_to(tree)  # type: ignore[no-any-return]


def fields_of(value: Any) -> list[tuple[str, Any, bool]] | None:
    """`(name, part, whether it is a setting)` of each field of a dataclass that is a container; `None` for anything else."""
    kind = type(value)
    if kind not in _automatic:
        return None
    fields = dataclasses.fields(kind)
    if not all(hasattr(value, field.name) for field in fields):
        return None
    held = [(field, getattr(value, field.name)) for field in fields]
    return [(field.name, part, _is_static(field) or _is_setting(part)) for field, part in held]


def spread_prefix(prefix: Any, tree: Any) -> list[Any]:
    """A number (or `None`) for every leaf of `tree`, from a container of them: one may stand for a whole branch.

    Raises `ValueError` where the containers of `prefix` are not those of `tree`.
    """
    leaves, _ = flatten(tree)
    if prefix is None or isinstance(prefix, int):
        return [prefix] * len(leaves)
    if len(leaves) == 1 and leaves[0] is tree:
        msg = f"{prefix!r} is a container, where {type(tree).__name__} is none"
        raise ValueError(msg)
    children, _, names, _ = optree.tree_flatten_one_level(tree, namespace=_NAMESPACE)
    found = _children_named(prefix, tree, list(names))
    return [value for part, child in zip(found, children, strict=True) for value in spread_prefix(part, child)]


def _children_named(container: Any, like: Any, names: list[Any]) -> list[Any]:
    """The children of a container of the same kind as `like`, in the order of `names`."""
    if isinstance(container, Mapping) and isinstance(like, Mapping) and container.keys() == like.keys():
        return [container[name] for name in names]
    is_sequence = isinstance(container, (list, tuple)) and isinstance(like, (list, tuple, deque))
    if is_sequence and len(container) == len(names):
        return list(container)
    if type(container) is type(like) and dataclasses.is_dataclass(container):
        return [getattr(container, name) for name in names]
    msg = f"{container!r} does not fit a {type(like).__name__} of {len(names)} parts"
    raise ValueError(msg)


def map_leaves(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The container of `function(leaf, ...)` for each leaf."""
    leaves, structure = flatten(tree)
    others = [structure.flatten_up_to(other) for other in rest]
    return unflatten(structure, [function(*group) for group in zip(leaves, *others, strict=True)])


def joined(first: Any, second: Any) -> Any:
    """The container that has the leaves of both: where either has `None`, what the other one has.

    Raises `ValueError` where both have a leaf, or their containers differ.
    """
    if first is None or second is None:
        return second if first is None else first
    flatten((first, second))  # meets their dataclasses
    if optree.tree_is_leaf(first, namespace=_NAMESPACE) or type(first) is not type(second):
        msg = f"a {type(first).__name__} and a {type(second).__name__} are in the same place: one of the two has to be None there"
        raise ValueError(msg)
    children, metadata, names, build = optree.tree_flatten_one_level(first, namespace=_NAMESPACE)
    others, _, other_names, _ = optree.tree_flatten_one_level(second, namespace=_NAMESPACE)
    if list(names) != list(other_names):
        msg = f"the parts of the two {type(first).__name__}s differ: {list(names)} and {list(other_names)}"
        raise ValueError(msg)
    return build(metadata, [joined(*pair) for pair in zip(children, others, strict=True)])


def paths(tree: Any) -> list[str]:
    """How to write each leaf: `['w']`, `[0]`, `.bias`."""
    return paths_in(flatten(tree)[1])


def paths_in(structure: Any) -> list[str]:
    """How to write each leaf of a structure."""
    return [accessor.codify("") for accessor in structure.accessors()]


def ways(structure: Any) -> list[list[tuple[type, Any]]]:
    """The way to each leaf of a structure: the kinds of the containers, with the name or the position taken in each."""
    return [[(entry.type, entry.entry) for entry in accessor] for accessor in structure.accessors()]


def written(structure: Any, leaf: str) -> str:
    """A structure as the user would write it, with `leaf` in the place of each leaf: `({'w': dx},)`."""
    text = str(structure).removeprefix("PyTreeSpec(").removesuffix(")").removesuffix(f", namespace={_NAMESPACE!r}")
    return text.replace("*", leaf)
