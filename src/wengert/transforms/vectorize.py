"""`vmap`: a function of one member as a function of a whole batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.trace import Tracer
from wengert.errors import BatchError, page
from wengert.primitives.structure import move_axis
from wengert.transforms.batch import batch_call

Axes = Any


def spread_axes(axes: Axes, tree: Any, what: str) -> list[int | None]:
    """An axis for each leaf, from one axis, or a container of them whose leaves stand for whole branches."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(trees.flatten(tree)[0])
    if isinstance(axes, (list, tuple)) and isinstance(tree, (list, tuple)) and len(axes) == len(tree):
        return [a for axis, part in zip(axes, tree, strict=True) for a in spread_axes(axis, part, what)]
    if isinstance(axes, dict) and isinstance(tree, dict) and axes.keys() == tree.keys():
        return [a for key in sorted(tree) for a in spread_axes(axes[key], tree[key], what)]
    raise BatchError(
        page(
            f"{what}={axes!r} does not fit arguments of the structure {trees.flatten(tree)[1]}.",
            "An axis belongs to each argument, or to each branch of an argument.",
            f"{what}=0 for all, or a tuple with one axis for each argument, None for those without a batch axis",
            "batch",
        )
    )


def batch_length(leaves: list[Any], axes: list[int | None]) -> int:
    """The one length that all batch axes have."""
    lengths = set()
    for leaf, axis in zip(leaves, axes, strict=True):
        if axis is None:
            continue
        if not -len(leaf.shape) <= axis < len(leaf.shape):
            raise BatchError(
                page(
                    f"an argument of shape {tuple(leaf.shape)} has no axis {axis} to batch over.",
                    "Every batched argument needs the batch axis that in_axes names.",
                    "in_axes with None for this argument",
                    "batch",
                )
            )
        lengths.add(leaf.shape[axis])
    if len(lengths) == 1:
        return int(lengths.pop())
    if not lengths:
        what, why = "vmap has nothing to batch over: every axis is None.", "At least one argument must have a batch axis."
    else:
        what, why = f"the batch axes have different lengths: {sorted(lengths)}.", "All members are taken together."
    raise BatchError(page(what, why, "in_axes=(0, None, ...), with None for arguments shared by all members", "batch"))


def vectorized(function: Callable[..., Any], in_axes: Axes, out_axes: Axes) -> Callable[..., Any]:
    """See `wengert.vmap`."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = trees.flatten((args, kwargs))
        leaves = [x if isinstance(x, Tracer) or hasattr(x, "shape") else np.asarray(x) for x in leaves]
        axes = spread_axes(list(in_axes) if isinstance(in_axes, tuple) else in_axes, list(args), "in_axes")
        axes += [0] * (len(leaves) - len(axes))
        n = batch_length(leaves, axes)
        out: list[Any] = []

        def flat(*values: Any) -> list[Any]:
            new_args, new_kwargs = trees.unflatten(structure, values)
            result = function(*new_args, **new_kwargs)
            ys, out_structure = trees.flatten(result)
            out[:] = [out_structure]
            return [y if isinstance(y, Tracer) or hasattr(y, "dtype") else np.asarray(y) for y in ys]

        ys = batch_call(flat, leaves, axes, n)
        tree = trees.unflatten(out[0], ys)
        places = spread_axes(out_axes, tree, "out_axes")
        moved = [y if axis == 0 else y[0] if axis is None else move_axis(y, 0, axis)
                 for y, axis in zip(ys, places, strict=True)]  # fmt: skip
        return trees.unflatten(out[0], moved)

    return run
