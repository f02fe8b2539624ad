"""`vmap`: a function of one member as a function of a whole batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.trace import Tracer
from wengert.errors import BatchError, describe, page, reveal
from wengert.primitives.structure import move_axis, spread
from wengert.transforms.batch import batch_outputs, is_weak
from wengert.transforms.linearize import as_array

Axes = Any
SHARED = "in_axes=(0, None)   # one for each argument, None for one that all members share"


def spread_axes(axes: Axes, tree: Any, what: str) -> list[int | None]:
    """An axis for each leaf, from one axis, or a container of them whose leaves stand for whole branches."""
    try:
        return trees.spread_prefix(axes, tree)
    except ValueError as error:
        raise BatchError(
            page(
                f"{what}={axes!r} does not fit {trees.written(trees.flatten(tree)[1], '*')}.",
                "An axis belongs to each argument (or output), or to each branch of one.",
                f"{what}=0   # for all\n{what}=(0, None)   # one for each, None for those without a batch axis",
                "batch",
            )
        ) from error


def batch_length(leaves: list[Any], axes: list[int | None]) -> int:
    """The one length that all batch axes have."""
    lengths = set()
    for leaf, axis in zip(leaves, axes, strict=True):
        if axis is None:
            continue
        if not -len(leaf.shape) <= axis < len(leaf.shape):
            raise BatchError(
                page(
                    f"an argument of type {describe(leaf)} has no axis {axis} to batch over.",
                    "Every batched argument needs the batch axis that in_axes names.",
                    SHARED,
                    "batch",
                )
            )
        lengths.add(leaf.shape[axis])
    if len(lengths) == 1:
        return int(lengths.pop())
    if not lengths:
        what, why = "vmap has nothing to batch over: every axis is None.", "At least one argument must have a batch axis."
    else:
        batched = [f"{leaf.shape[axis]} in {describe(leaf)}" for leaf, axis in zip(leaves, axes, strict=True) if axis is not None]
        what = f"the batch axes have different lengths: {', '.join(batched)}."
        why = "A member of the batch takes one entry of each."
    raise BatchError(page(what, why, SHARED, "batch"))


def vectorized(function: Callable[..., Any], in_axes: Axes, out_axes: Axes) -> Callable[..., Any]:
    """See `wengert.vmap`."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = trees.flatten((args, kwargs))
        axes = spread_axes(tuple(in_axes) if isinstance(in_axes, list) else in_axes, args, "in_axes")
        axes += [0 if (isinstance(x, Tracer) or hasattr(x, "shape")) and not is_weak(x) else None for x in leaves[len(axes) :]]
        leaves = [x if axis is None else as_array(x) for x, axis in zip(leaves, axes, strict=True)]
        n = batch_length(leaves, axes)
        out: list[Any] = []

        def flat(*values: Any) -> list[Any]:
            new_args, new_kwargs = trees.unflatten(structure, values)
            try:
                result = function(*new_args, **new_kwargs)
            except Exception as error:
                reveal(error)
                raise
            ys, out_structure = trees.flatten(result)
            out[:] = [out_structure]
            return list(map(as_array, ys))

        found = batch_outputs(flat, leaves, axes)
        places = spread_axes(out_axes, trees.unflatten(out[0], [y for y, _ in found]), "out_axes")
        ys = [put_axis(y, is_batched, axis, n) for (y, is_batched), axis in zip(found, places, strict=True)]
        return trees.unflatten(out[0], ys)

    return run


def put_axis(y: Any, is_batched: bool, axis: int | None, n: int) -> Any:
    """An output with its batch axis where `out_axes` wants it, in memory of its own."""
    if axis is None:
        if is_batched:
            raise BatchError(
                page(
                    f"out_axes is None for an output of shape {tuple(y.shape[1:])} that differs between members.",
                    "None means that all members return the same value, which is then returned once.",
                    "out_axes=0, or a mean over the batch axis of the result",
                    "batch",
                )
            )
        return y
    if not is_batched:
        y = spread(y, shape=(n, *y.shape))
    if not -len(y.shape) <= axis < len(y.shape):
        raise BatchError(
            page(
                f"out_axes={axis}, but an output of a member has shape {tuple(y.shape[1:])}.",
                "With the batch axis the output has one axis more; counted from 0, or back from -1.",
                "out_axes=0   # in front\nout_axes=-1   # at the end",
                "batch",
            )
        )
    moved = move_axis(y, 0, axis)
    is_borrowed = isinstance(moved, np.ndarray) and (moved.base is not None or not moved.flags.writeable)
    return moved.copy() if is_borrowed else moved
