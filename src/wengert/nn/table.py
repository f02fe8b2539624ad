"""A model as a table: its layers, their arrays with shapes, and how many numbers they learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wengert import trees
from wengert._optional import load
from wengert.nn.module import Module, modules, parts
from wengert.nn.parts import parameter_flags

_HEAD = ("layer", "kind", "arrays", "parameters")


def _located(value: Any, path: str = "") -> Iterator[tuple[str, Module]]:
    """A module and those inside, with the way to each."""
    if isinstance(value, Module):
        yield path, value
        inside = [(f"{path}.{name}".removeprefix("."), part) for name, part in parts(value).items()]
    elif isinstance(value, dict):
        inside = [(f"{path}[{key!r}]", part) for key, part in value.items()]
    else:
        inside = [(f"{path}[{k}]", part) for k, part in enumerate(value)] if isinstance(value, (list, tuple)) else []
    for name, part in inside:
        yield from _located(part, name)


def _own(module: Module) -> dict[str, Any]:
    """The arrays that stand in a module itself, and in none that is part of it."""
    held = {}
    for name, part in parts(module).items():
        if not any(True for _ in modules(part)):
            leaves = trees.flatten(part)[0]
            held.update({name + path: leaf for path, leaf in zip(trees.paths(part), leaves, strict=True)})
    return held


def rows(model: Any) -> tuple[list[tuple[str, str, str, str]], int]:
    """A row for each module that holds arrays or does something by itself, and how many numbers are learned in all."""
    table, total = [], 0
    for path, module in _located(model):
        held = _own(module)
        if not held and any(inside is not module for inside in modules(module)):
            continue
        named = {name: leaf for name, leaf in held.items() if hasattr(leaf, "dtype")}
        shapes = ", ".join(f"{name} {leaf.dtype}{list(leaf.shape)}" for name, leaf in named.items())
        flags = dict(zip(_paths(module), parameter_flags(module), strict=True))
        count = sum(leaf.size for name, leaf in named.items() if flags[name])
        total += count
        table.append((path or "(model)", type(module).__name__, shapes, f"{count:,}"))
    return table, total


def _paths(module: Module) -> list[str]:
    return [path.removeprefix(".") for path in trees.paths(module)]


def summary(model: Any) -> str:
    """The table of a model as text.

    Example:
        >>> from wengert import nn
        >>> print(nn.summary(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))))
        layer      kind    arrays                                 parameters
        layers[0]  Linear  weight float32[2, 3], bias float32[2]           8
        layers[1]  ReLU                                                    0
        layers[2]  Linear  weight float32[1, 2], bias float32[1]           3
        in all                                                            11
    """
    table, total = rows(model)
    lines = [_HEAD, *table, ("in all", "", "", f"{total:,}")]
    widths = [max(len(line[k]) for line in lines) for k in range(4)]
    return "\n".join(
        "  ".join([*[cell.ljust(width) for cell, width in zip(line[:3], widths[:3], strict=True)], line[3].rjust(widths[3])]) for line in lines
    )


def rich_table(model: Any) -> Any:
    """The table for a terminal, by rich."""
    table, total = rows(model)
    made = load("rich.table", "a model as a table", "viz").Table(title=type(model).__name__, show_footer=True)
    for name, foot in zip(_HEAD, ("in all", "", "", f"{total:,}"), strict=True):
        made.add_column(name, footer=foot, justify="right" if name == "parameters" else "left")
    for row in table:
        made.add_row(*row)
    return made
