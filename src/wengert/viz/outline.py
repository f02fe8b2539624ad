"""The outline of a program: its operations in boxes that open, by function, module, loop and pass.

A box of one operation, or with nothing in it but another box, is left out; one with very many things in it gets boxes for ranges of
them, so that whatever is opened is small enough to be read.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from wengert.core.graph import Graph
from wengert.viz.scopes import Scope

MOST_CHILDREN = 40
_REVERSE = Scope(("reverse",), "reverse", "reverse walk")


@dataclass
class Group:
    """A box; `children` are the numbers of operations, and other boxes, in the order of the program."""

    kind: str
    label: str
    location: str = ""
    children: list[int | Group] = field(default_factory=list)

    def numbers(self) -> list[int]:
        """All operations inside, in order."""
        found: list[int] = []
        for child in self.children:
            found += child.numbers() if isinstance(child, Group) else [child]
        return found


def outline(paths: Sequence[tuple[Scope, ...]]) -> Group:
    """The boxes around operations, whose scopes are `paths`."""
    root = Group("program", "")
    known: dict[Hashable, Group] = {}
    for number, path in enumerate(paths):
        here, key = root, ()
        for scope in path:
            key = (*key, scope.key)
            group = known.get(key)
            if group is None:
                group = known[key] = Group(scope.kind, scope.label, scope.location)
                here.children.append(group)
            here = group
        here.children.append(number)
    return chunked(simplified(root))


def simplified(group: Group) -> Group:
    """Without boxes of one thing: their content takes their place, and a box in a box keeps both names."""
    children: list[int | Group] = []
    for child in group.children:
        if not isinstance(child, Group):
            children.append(child)
            continue
        child = simplified(child)
        only = child.children[0] if len(child.children) == 1 else None
        if only is None:
            children.append(child)
        elif isinstance(only, Group):
            label = _together(child, only)
            children.append(Group(only.kind if child.kind != "loop" else "loop", label, child.location or only.location, only.children))
        else:
            children.append(only)
    group.children = children
    return group


def _together(outer: Group, inner: Group) -> str:
    """The name of a box with only one in it: a loop that runs once has no passes, and `layers[0]` needs no number of its pass."""
    if inner.kind == "pass":
        return outer.label
    return inner.label if outer.kind == "pass" and inner.kind == "module" and "]" in inner.label else f"{outer.label} › {inner.label}"


def chunked(group: Group) -> Group:
    """With boxes for ranges, where one has too many children."""
    for child in group.children:
        if isinstance(child, Group) and child.kind != "range":
            chunked(child)
    n = len(group.children)
    if n > MOST_CHILDREN:
        levels = math.ceil(math.log(n) / math.log(MOST_CHILDREN))
        size = math.ceil(n / math.ceil(n ** (1 / levels)))
        parts = [group.children[k : k + size] for k in range(0, n, size)]
        group.children = [_range(list(part)) for part in parts]
    return group


def _range(part: list[int | Group]) -> Group:
    if len(part) <= MOST_CHILDREN:
        return Group("range", _range_label(part), "", part)
    return chunked(Group("range", _range_label(part), "", part))


def _range_label(part: Sequence[int | Group]) -> str:
    groups = [child for child in part if isinstance(child, Group)]
    if len(groups) == len(part) > 1 and groups[0].kind == "pass":
        return f"{groups[0].label} … {groups[-1].label.removeprefix('pass ')}"
    return ""


def mirrored(paths: Sequence[tuple[Scope, ...]], graph: Graph) -> list[tuple[Scope, ...]]:
    """Operations of a walk back in boxes like those of the operations that they walk back along.

    What they read of the walk forward tells where that was; those that read nothing belong with the one before.
    """
    made = {var: number for number, node in enumerate(graph.nodes) for var in node.outputs}
    found: list[tuple[Scope, ...]] = []
    last: tuple[Scope, ...] = ()
    for path, node in zip(paths, graph.nodes, strict=True):
        if not path or path[-1] != _REVERSE:
            found.append(path)
            continue
        sources = [made[atom] for atom in node.operands if atom in made]
        forward = [paths[k] for k in sources if _REVERSE not in paths[k]]
        if forward:
            last = max(forward, key=len)
        found.append((*path, *last[_common(path, last) :]))
    return found


def _common(left: Sequence[Scope], right: Sequence[Scope]) -> int:
    n = 0
    while n < min(len(left), len(right)) and left[n] == right[n]:
        n += 1
    return n


def by_argument(names: Sequence[str], least: int = 5) -> list[tuple[Scope, ...]]:
    """The paths of inputs: those of one argument are together, if there are many."""
    if len(names) < least:
        return [() for _ in names]
    found = []
    for name in names:
        parts = name.replace("]", "").replace(".", "[").split("[")
        path = [Scope((part,), "inputs", name[: _end(name, k)]) for k, part in enumerate(parts[:-1])]
        found.append(tuple(path))
    return found


def _end(name: str, parts: int) -> int:
    """Where the first `parts + 1` parts of `layers[0].weight` end."""
    seen = 0
    for place, letter in enumerate(name):
        if letter in "[.":
            if seen == parts:
                return place
            seen += 1
    return len(name)
