"""Containers of arrays as flat lists and back: any pytree, through optree.

Dataclasses are containers too: a dataclass type is registered when it is first met.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import optree

_NAMESPACE = "wengert"
_registered: set[type] = set()


def _is_new_dataclass(value: Any) -> bool:
    kind = type(value)
    return dataclasses.is_dataclass(kind) and kind not in _registered and kind.__module__ != "optree"


def _register(kind: type) -> None:
    names = tuple(field.name for field in dataclasses.fields(kind))

    def take(value: Any) -> tuple[tuple[Any, ...], tuple[str, ...], tuple[str, ...]]:
        return tuple(getattr(value, name) for name in names), names, names

    def build(_: Any, children: Any) -> Any:
        new = object.__new__(kind)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(new, name, child)
        return new

    with contextlib.suppress(ValueError):  # the user registered it already
        optree.register_pytree_node(kind, take, build, namespace=_NAMESPACE)
    _registered.add(kind)


def register(kind: type, flatten: Callable[[Any], Any], unflatten: Callable[[Any, Any], Any]) -> None:
    """Make `kind` a container: `flatten(x) -> (children, metadata)`, `unflatten(metadata, children) -> x`."""
    optree.register_pytree_node(kind, flatten, unflatten, namespace=_NAMESPACE)
    _registered.add(kind)


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a container, in order, and its structure; `None` is a container without leaves."""
    leaves, structure = optree.tree_flatten(tree, namespace=_NAMESPACE)
    fresh = {type(leaf) for leaf in leaves if _is_new_dataclass(leaf)}
    if fresh:
        for kind in fresh:
            _register(kind)
        return flatten(tree)
    return leaves, structure


def unflatten(structure: Any, leaves: Any) -> Any:
    """The container of that structure with these leaves."""
    return optree.tree_unflatten(structure, leaves)


def map_leaves(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """The container of `function(leaf, ...)` for each leaf."""
    leaves, structure = flatten(tree)
    others = [structure.flatten_up_to(other) for other in rest]
    return unflatten(structure, [function(*group) for group in zip(leaves, *others, strict=True)])


def paths(tree: Any) -> list[str]:
    """How to write each leaf: `['w']`, `[0]`, `.bias`."""
    flatten(tree)
    accessors = optree.tree_accessors(tree, namespace=_NAMESPACE)
    return [accessor.codify("") for accessor in accessors]
