"""What a large result looks like, without computing it: its shape, its dtype, and how it lies in memory.

A program that is recorded to be compiled needs no values until it looks at one.  Memory that is asked for and never written to costs
nothing, so a blank array stands in for a result of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Params
from wengert.core.trace import Tracer

LARGE = 2**16  # elements of a result from which on it is worth while


def is_large(xs: Sequence[Any]) -> bool:
    """Whether one of the operands has many elements, and all are plain arrays or numbers."""
    for x in xs:  # every operation that is recorded comes by here
        if type(x) is np.ndarray and x.size >= LARGE:
            return not any(isinstance(y, Tracer) for y in xs)
    return False


def blank_of_elements(evaluate: Callable[..., Any]) -> Callable[[Sequence[Any], Params], Any]:
    """Of an elementwise function: NumPy allocates its result in the order of the operands."""

    def blank(xs: Sequence[Any], params: Params) -> Any:
        ones = [np.ones(1, x.dtype) if isinstance(x, np.ndarray) else x for x in xs]
        with np.errstate(all="ignore"):
            y = evaluate(*ones, **params)
        if type(y) is not np.ndarray or any(np.may_share_memory(y, one) for one in ones if isinstance(one, np.ndarray)):
            return None
        flags: Any = [["readonly"]] * len(xs) + [["writeonly", "allocate"]]
        return np.nditer([*xs, None], [], flags, op_dtypes=[None] * len(xs) + [y.dtype], order="K").operands[-1]

    return blank


def blank_of_joined(evaluate: Callable[..., Any]) -> Callable[[Sequence[Any], Params], Any]:
    """Of arrays one after another, or side by side along a new axis."""

    def blank(xs: Sequence[Any], params: Params) -> Any:
        axis, (first, *rest) = params["axis"], xs
        known = [k for k in range(first.ndim) if k - first.ndim != axis] if evaluate is np.concatenate else range(first.ndim)
        if any(x.ndim != first.ndim or any(x.shape[k] != first.shape[k] for k in known) for x in rest):
            return None
        if evaluate is np.concatenate:
            lengths = list(first.shape)
            lengths[axis] = sum(x.shape[axis] for x in xs)
        else:
            lengths = [*first.shape]
            lengths.insert(first.ndim + 1 + axis, len(xs))
        few = [x[(slice(2),) * x.ndim] for x in xs]
        return _laid_out_as(evaluate(few, axis), lengths)

    return blank


def blank_of_vectors(evaluate: Callable[..., Any]) -> Callable[[Sequence[Any], Params], Any]:
    """Of a product of vectors along the last axis."""

    def blank(xs: Sequence[Any], params: Params) -> Any:
        a, b = xs
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError:  # which is for NumPy to say
            return None
        with np.errstate(all="ignore"):
            return _laid_out_as(evaluate(*[x[(slice(2),) * (x.ndim - 1)] for x in xs]), shape)

    return blank


def blank_of_reduced(evaluate: Callable[..., Any]) -> Callable[[Sequence[Any], Params], Any]:
    """Of a reduction along axes that are counted from the end."""

    def blank(xs: Sequence[Any], params: Params) -> Any:
        x, *others = xs
        if others:
            return None
        with np.errstate(all="ignore"):
            y = evaluate(x[(slice(2),) * x.ndim], **params)
        if type(y) is not np.ndarray:  # one number, which means nothing
            return y
        axes, keepdims = params["axis"], params["keepdims"]
        return _laid_out_as(y, [1 if k - x.ndim in axes else n for k, n in enumerate(x.shape) if keepdims or k - x.ndim not in axes])

    return blank


def blank_of_deposit(xs: Sequence[Any], params: Params) -> Any:
    """Of what is added up in an array of zeros."""
    return np.empty(params["shape"], xs[0].dtype) if math.prod(params["shape"]) >= LARGE else None


def _laid_out_as(example: Any, shape: Sequence[int]) -> Any:
    """An array of a shape whose axes follow one another in memory as those of an example do."""
    order = sorted(range(example.ndim), key=lambda k: -example.strides[k])
    return np.empty([shape[k] for k in order], example.dtype).transpose(np.argsort(order))


def blank_of_matrices(xs: Sequence[Any], params: Params) -> Any:
    """Of `a @ b` for matrices and stacks of them."""
    a, b = xs
    if min(a.ndim, b.ndim) < 2 or a.shape[-1] != b.shape[-2] or a.dtype != b.dtype:
        return None
    head = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return np.empty((*head, a.shape[-2], b.shape[-1]), a.dtype)


def blank_of_sentence(parts: tuple[tuple[str, ...], str], plan: tuple[Any, ...] | None, xs: Sequence[Any]) -> Any:
    """Of a product of two operands; with a plan it is a product of matrices, whose axes are then put in order."""
    letters, out = parts
    if len(xs) != 2 or len({x.dtype for x in xs}) > 1:
        return None
    sizes = {c: n for word, x in zip(letters, xs, strict=True) for c, n in zip(word, x.shape, strict=True)}
    if math.prod(sizes[c] for c in out) < LARGE:
        return None
    if plan is None:
        return _of_nest(letters, out, sizes, xs)
    order = plan[-1]
    lengths = [0] * len(out)
    for c, k in zip(out, order, strict=True):
        lengths[k] = sizes[c]
    return np.empty(lengths, xs[0].dtype).transpose(order)


def _of_nest(letters: Sequence[str], out: str, sizes: dict[str, int], xs: Sequence[Any]) -> Any:
    """As `np.einsum` allocates it: in the order of the operands, as far as that can be."""
    inner = [c for c in sizes if c not in out]
    if any(len(set(word)) < len(word) for word in letters):
        return None
    axes = [[word.index(c) if c in word else -1 for c in [*out, *inner]] for word in letters]
    axes.append([*range(len(out)), *[-1 for _ in inner]])
    flags: Any = [["readonly"], ["readonly"], ["readwrite", "allocate"]]
    settings: Any = ["reduce_ok", "buffered", "delay_bufalloc", "external_loop", "grow_inner"]
    return np.nditer([*xs, None], settings, flags, op_axes=axes, order="K").operands[-1]
