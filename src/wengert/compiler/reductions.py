"""Reductions said by sums and extremes, which are native: variances, lengths, quantifiers, sums of exponentials."""

from __future__ import annotations

import math

import numpy as np

from wengert.compiler.builder import Builder, Shape, constant
from wengert.compiler.loops import dtype_name
from wengert.compiler.structure import Rewrite
from wengert.core.graph import Atom, Node

FLOATS = ("float64", "float32")


def is_plain(node: Node) -> bool:
    """Whether one array of floats with something in it becomes an array of the same floats."""
    (x, *rest), out = node.operands, node.outputs[0].type
    return not rest and dtype_name(out.dtype) in FLOATS and x.type.dtype == out.dtype and 0 not in x.type.shape


def axes_in(node: Node) -> Shape:
    """The reduced axes, from the front."""
    rank = len(node.operands[0].type.shape)
    return tuple(sorted({k % rank for k in node.params["axis"]})) if rank else ()


def mean(node: Node, builder: Builder) -> Atom | None:
    """`mean x  ->  (sum x) / n`."""
    if not is_plain(node):
        return None
    return mean_of(builder, node.operands[0], axes_in(node), keepdims=node.params["keepdims"])


def mean_of(builder: Builder, x: Atom, axes: Shape, *, keepdims: bool) -> Atom:
    """The sum along axes over their lengths."""
    count = math.prod(x.type.shape[k] for k in axes)
    return builder.elementwise("divide", builder.sum(x, axes, keepdims=keepdims), constant(x.type.dtype.type(count)))


def variance(node: Node, builder: Builder) -> Atom | None:
    """`var x  ->  sum (x - mean x)² / (n - ddof)`, and `std x` its square root."""
    x, axes, keepdims = node.operands[0], axes_in(node), node.params["keepdims"]
    count = math.prod(x.type.shape[k] for k in axes) - node.params["ddof"]
    if not is_plain(node) or count <= 0:
        return None
    centre = builder.spread(mean_of(builder, x, axes, keepdims=True), tuple(x.type.shape))
    deviation = builder.elementwise("subtract", x, centre)
    total = builder.sum(builder.elementwise("multiply", deviation, deviation), axes, keepdims=keepdims)
    found = builder.elementwise("divide", total, constant(x.type.dtype.type(count)))
    return builder.elementwise("sqrt", found) if node.primitive.name == "std" else found


def two_norm(node: Node, builder: Builder) -> Atom | None:
    """`‖x‖  ->  √(sum x²)`."""
    if not is_plain(node):
        return None
    x = node.operands[0]
    return builder.elementwise("sqrt", builder.sum(builder.elementwise("multiply", x, x), axes_in(node)))


def extreme(builder: Builder, name: str, x: Atom, axes: Shape, *, keepdims: bool) -> Atom:
    """The largest or smallest entry along axes."""
    rank = len(x.type.shape)
    kept = tuple([1 if k in axes else n for k, n in enumerate(x.type.shape) if keepdims or k not in axes])
    params = {"axis": tuple([k - rank for k in axes]), "keepdims": keepdims}
    return builder.emit(name, (x,), params, type(x.type)(kept, x.type.dtype))


def softmax(node: Node, builder: Builder) -> Atom | None:
    """`softmax x  ->  e / sum e` with `e = exp(x - max x)`."""
    axes = axes_in(node)
    if not is_plain(node) or not axes:
        return None
    x = node.operands[0]
    shape = tuple(x.type.shape)
    top = builder.spread(extreme(builder, "max", x, axes, keepdims=True), shape)
    e = builder.elementwise("exp", builder.elementwise("subtract", x, top))
    return builder.elementwise("divide", e, builder.spread(builder.sum(e, axes, keepdims=True), shape))


def logsumexp(node: Node, builder: Builder) -> Atom | None:
    """`log Σ exp x  ->  log1p(s / m) + log m + top`.

    The largest entry `top` stands `m` times, and `s` is the sum of `exp(x - top)` over the others, which are not lost beside 1.
    """
    axes = axes_in(node)
    if not is_plain(node) or not axes:
        return None
    x, dtype = node.operands[0], node.outputs[0].type.dtype
    shape, zero = tuple(x.type.shape), constant(dtype.type(0))
    top = extreme(builder, "max", x, axes, keepdims=True)
    shift = builder.elementwise("where", builder.elementwise("isfinite", top, dtype=bool), top, zero, dtype=dtype)
    is_top = builder.elementwise("equal", x, builder.spread(top, shape), dtype=bool)
    e = builder.elementwise("exp", builder.elementwise("subtract", x, builder.spread(shift, shape)))
    rest = builder.sum(builder.elementwise("where", is_top, zero, e, dtype=dtype), axes)
    one = builder.elementwise("where", is_top, constant(dtype.type(1)), zero, dtype=dtype)
    times = builder.sum(one, axes)
    small = builder.elementwise("log1p", builder.elementwise("divide", rest, times))
    found = builder.elementwise("add", small, builder.elementwise("log", times))
    return builder.elementwise("add", found, builder.reshape(top, tuple(node.outputs[0].type.shape)))


def quantifier(node: Node, builder: Builder) -> Atom | None:
    """`any x  ->  max (x ≠ 0)`, `all x  ->  min (x ≠ 0)`."""
    x, axes = node.operands[0], axes_in(node)
    if len(node.operands) > 1 or 0 in x.type.shape or x.type.dtype.kind not in "biuf" or (x.type.shape and not axes):
        return None
    truth = x if x.type.dtype == bool else builder.elementwise("not_equal", x, constant(x.type.dtype.type(0)), dtype=np.dtype(bool))
    if not axes:
        return truth
    name = "max" if node.primitive.name == "any" else "min"
    return extreme(builder, name, truth, axes, keepdims=node.params["keepdims"])


REDUCTIONS: dict[str, tuple[tuple[str, Rewrite], ...]] = {
    "mean": (("a mean is a sum", mean),),
    "var": (("a variance is a mean of squares", variance),),
    "std": (("a variance is a mean of squares", variance),),
    "two_norm": (("a length is a sum of squares", two_norm),),
    "softmax": (("shares of exponentials", softmax),),
    "logsumexp": (("a sum of exponentials", logsumexp),),
    "any": (("any is the largest", quantifier),),
    "all": (("all is the smallest", quantifier),),
}
