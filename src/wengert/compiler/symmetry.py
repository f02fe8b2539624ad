"""Products that equal their transposes: `A.T @ A`, and `A.T @ (w * A)` with a weight for each term of the sum, as in Hessians.

The left factor is followed back to the right one, through moves, weights, sums and signs; half of such a product is enough.
"""

from __future__ import annotations

from collections.abc import Mapping

from wengert.compiler.builder import repeated_number
from wengert.core.graph import Atom, Const, Node

DEEPEST = 20  # operations that are looked through
Axes = tuple[int, int]  # which axis of an array counts entries of the result, and which terms of the sum


def is_symmetric(makers: Mapping[Atom, Node], left: Atom, right: Atom) -> bool:
    """Whether `left @ right` is symmetric, up to rounding."""
    if len(left.type.shape) != 2 or left.type.shape != right.type.shape[::-1] or left.type.dtype != right.type.dtype:
        return False
    source, axes = moved(makers, right, (1, 0))
    return is_weighted(makers, left, (0, 1), (source, axes), DEEPEST)


def moved(makers: Mapping[Atom, Node], atom: Atom, axes: Axes) -> tuple[Atom, Axes]:
    """The array of which an atom is another view, and its axes."""
    node = makers.get(atom)
    if node is None or node.primitive.name not in ("permute", "reshape"):
        return atom, axes
    source = node.operands[0]
    if node.primitive.name == "permute":
        order = node.params["axes"]
        return moved(makers, source, (order[axes[0]], order[axes[1]]))
    found = same_axes(tuple(source.type.shape), tuple(atom.type.shape), axes)
    return (atom, axes) if found is None else moved(makers, source, found)


def same_axes(source: tuple[int, ...], shape: tuple[int, ...], axes: Axes) -> Axes | None:
    """The axes before a reshape that only leaves out and puts in axes of length 1."""
    long, before = ([k for k, n in enumerate(s) if n != 1] for s in (shape, source))
    if [shape[k] for k in long] != [source[k] for k in before] or not set(axes) <= set(long):
        return None
    return before[long.index(axes[0])], before[long.index(axes[1])]


def is_weighted(makers: Mapping[Atom, Node], atom: Atom, axes: Axes, target: tuple[Atom, Axes], depth: int) -> bool:
    """Whether an array is another one times weights that depend on the terms of the sum alone."""
    atom, axes = moved(makers, atom, axes)
    if (atom, axes) == target:
        return True
    node = makers.get(atom)
    if node is None or not depth or len(node.outputs) != 1 or node.outputs[0].type.dtype != target[0].type.dtype:
        return False
    name, operands = node.primitive.name, node.operands

    def is_like(x: Atom) -> bool:
        return x.type.shape == atom.type.shape and is_weighted(makers, x, axes, target, depth - 1)

    if name == "negative":
        return is_like(operands[0])
    if name in ("add", "subtract"):
        return all(is_like(x) for x in operands)
    if name == "divide":
        return is_weight(makers, operands[1], axes[0], len(atom.type.shape)) and is_like(operands[0])
    if name in ("multiply", "scale"):
        return any(
            is_weight(makers, weight, axes[0], len(atom.type.shape)) and is_like(x) for x, weight in (operands, operands[::-1])
        )
    return False


def is_weight(makers: Mapping[Atom, Node], atom: Atom, axis: int, rank: int) -> bool:
    """Whether an array is the same all along an axis."""
    if isinstance(atom, Const) and repeated_number(atom.value) is not None:
        return True
    if not atom.type.shape:
        return True
    node = makers.get(atom)
    if node is None or node.primitive.name != "spread" or len(atom.type.shape) != rank:
        return False
    source = node.operands[0].type.shape
    place = axis - (rank - len(source))
    return place < 0 or source[place] == 1
