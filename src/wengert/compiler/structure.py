"""Rules about shapes and dtypes: moves of moves, sums of repeated values, casts of casts.

Each takes a node and a builder, and returns what stands for the node's result, or `None` where it does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from wengert.compiler.builder import Builder, constant, repeated_number
from wengert.compiler.factors import sum_of_product
from wengert.core.graph import Atom, Const, Node

Rewrite = Callable[[Node, Builder], Atom | tuple[Atom, ...] | None]


def _maker(node: Node, builder: Builder) -> Node | None:
    """What made the only operand of a move."""
    maker = builder.maker.get(node.operands[0])
    return maker if maker is not None and len(maker.operands) == 1 else None


def same_shape(node: Node, builder: Builder) -> Atom | None:
    """`reshape x` to its own shape, `spread x` to its own shape: `x`."""
    x = node.operands[0]
    return x if x.type == node.outputs[0].type else None


def same_order(node: Node, builder: Builder) -> Atom | None:
    """`permute x` by the identity: `x`."""
    axes = tuple(node.params["axes"])
    return node.operands[0] if axes == tuple(range(len(axes))) else None


def reshape_of_reshape(node: Node, builder: Builder) -> Atom | None:
    """`reshape (reshape x)  ->  reshape x`."""
    maker = _maker(node, builder)
    if maker is None or maker.primitive.name != "reshape":
        return None
    return builder.reshape(maker.operands[0], tuple(node.outputs[0].type.shape))


def permute_of_permute(node: Node, builder: Builder) -> Atom | None:
    """`permute (permute x)  ->  permute x`, one order after the other."""
    maker = _maker(node, builder)
    if maker is None or maker.primitive.name != "permute":
        return None
    first = maker.params["axes"]
    return builder.permute(maker.operands[0], tuple([first[k] for k in node.params["axes"]]))


def spread_of_spread(node: Node, builder: Builder) -> Atom | None:
    """`spread (spread x)  ->  spread x`."""
    maker = _maker(node, builder)
    if maker is None or maker.primitive.name != "spread":
        return None
    x, shape = maker.operands[0], tuple(node.outputs[0].type.shape)
    return builder.spread(x, shape) if np.broadcast_shapes(x.type.shape, shape) == shape else None


def all_of_it(node: Node, builder: Builder) -> Atom | None:
    """`x[...]`, `x[:, :]`: `x`."""
    x, layout = node.operands[0], node.params["layout"]
    if len(node.operands) > 1 or x.type != node.outputs[0].type:
        return None
    slices = [part for part in layout if part is not Ellipsis]
    if not all(isinstance(part, slice) and part.step in (None, 1) and part.start in (None, 0) for part in slices):
        return None
    return x


def part_of_repeated(node: Node, builder: Builder) -> Atom | None:
    """`(spread x)[i]  ->  spread x`, for a number `x`."""
    maker = builder.maker.get(node.operands[0])
    if len(node.operands) > 1 or maker is None or maker.primitive.name != "spread" or maker.operands[0].type.shape:
        return None
    return builder.spread(maker.operands[0], tuple(node.outputs[0].type.shape))


def move_of_number(node: Node, builder: Builder) -> Atom | None:
    """A move of a constant that repeats one number is that constant under another shape."""
    x = node.operands[0]
    if not isinstance(x, Const) or len(node.operands) > 1 or not isinstance(x.value, (np.ndarray, np.generic)):
        return None
    number = repeated_number(x.value)
    return None if number is None else constant(np.broadcast_to(number, node.outputs[0].type.shape))


def sum_of_spread(node: Node, builder: Builder) -> Atom | None:
    """`sum (spread x)  ->  n x` where the axes that are summed are those along which `x` was repeated, to rounding."""
    maker, out = _maker(node, builder), node.outputs[0].type
    if maker is None or maker.primitive.name != "spread" or maker.operands[0].type.dtype != out.dtype or out.dtype.kind != "f":
        return None
    x, shape = maker.operands[0], tuple(maker.outputs[0].type.shape)
    lengths = (1,) * (len(shape) - len(x.type.shape)) + tuple(x.type.shape)
    axes = sorted(k % len(shape) for k in node.params["axis"])
    if not axes or any(lengths[k] != 1 for k in axes) or 0 in shape:
        return None
    count = constant(np.asarray(math.prod(shape[k] for k in axes), out.dtype)[()])
    total = builder.elementwise("multiply", x, count)
    kept = tuple([1 if k in axes else n for k, n in enumerate(lengths)])
    rest = tuple([1 if k in axes else n for k, n in enumerate(shape)])
    return builder.reshape(builder.spread(builder.reshape(total, kept), rest), tuple(out.shape))


def sum_along_nothing(node: Node, builder: Builder) -> Atom | None:
    """A sum along no axis, or along axes of length 1, only moves."""
    x, out = node.operands[0], node.outputs[0].type
    shape = x.type.shape
    if x.type.dtype != out.dtype or any(shape[k] != 1 for k in node.params["axis"]):
        return None
    return builder.reshape(x, tuple(out.shape))


def same_dtype(node: Node, builder: Builder) -> Atom | None:
    """`cast x` to its own dtype, the real part of a real number, and its conjugate: `x`."""
    x = node.operands[0]
    return x if x.type == node.outputs[0].type and x.type.dtype.kind != "c" else None


def no_imaginary_part(node: Node, builder: Builder) -> Atom | None:
    """The imaginary part of a real number is 0."""
    out = node.outputs[0].type
    return constant(np.broadcast_to(out.dtype.type(0), out.shape)[()]) if node.operands[0].type.dtype.kind != "c" else None


def cast_of_cast(node: Node, builder: Builder) -> Atom | None:
    """`cast (cast x)  ->  cast x` where the first loses nothing."""
    maker = _maker(node, builder)
    if maker is None or maker.primitive.name != "cast":
        return None
    x, out = maker.operands[0], node.outputs[0].type
    between = maker.outputs[0].type.dtype
    if x.type.dtype.kind != between.kind or not np.can_cast(x.type.dtype, between, "safe"):
        return None
    return x if x.type.dtype == out.dtype else builder.emit("cast", (x,), {"dtype": out.dtype}, out)


def deposit_of_zero(node: Node, builder: Builder) -> Atom | None:
    """Zeros put into zeros are zeros."""
    x, out = node.operands[0], node.outputs[0].type
    number = repeated_number(x.value) if isinstance(x, Const) else None
    if number is None or number != 0 or np.signbit(np.real(number)) or out.dtype.kind not in "fc":
        return None
    return constant(np.broadcast_to(out.dtype.type(0), out.shape))


def scale_by_number(node: Node, builder: Builder) -> Atom | None:
    """`scale x c  ->  multiply x c` for a number that is neither 0 nor infinite nor NaN: no zero meets an infinity."""
    out = node.outputs[0].type
    for atom in node.operands:
        number = repeated_number(atom.value) if isinstance(atom, Const) else None
        if number is not None and out.dtype.kind == "f" and np.isfinite(number) and np.isfinite(1 / out.dtype.type(number or 1)) and number != 0:
            return builder.emit("multiply", node.operands, {}, out)
    return None


def quotient_of_truth(node: Node, builder: Builder) -> Atom | None:
    """`divide p (spread x)  ->  where p (1 / x) (0 / x)` for truth values `p`: one quotient for each entry of `x`."""
    (p, x), out = node.operands, node.outputs[0].type
    maker = builder.maker.get(x)
    if p.type.dtype.kind != "b" or maker is None or maker.primitive.name != "spread" or p.type.shape != x.type.shape:
        return None
    one, zero = (builder.elementwise("divide", constant(out.dtype.type(number)), x) for number in (1, 0))
    return builder.elementwise("where", p, one, zero, dtype=out.dtype) if one.type == zero.type == out else None


STRUCTURE: dict[str, tuple[tuple[str, Rewrite], ...]] = {
    "reshape": (("the same shape", same_shape), ("a number moved", move_of_number), ("reshape of reshape", reshape_of_reshape)),
    "spread": (("the same shape", same_shape), ("spread of spread", spread_of_spread)),
    "permute": (("the same order", same_order), ("a number moved", move_of_number), ("permute of permute", permute_of_permute)),
    "index": (("all of it", all_of_it), ("a number moved", move_of_number), ("a part of what repeats", part_of_repeated)),
    "sum": (("a sum along nothing", sum_along_nothing), ("a sum of what repeats", sum_of_spread), ("a sum of a product", sum_of_product)),
    "cast": (("the same dtype", same_dtype), ("cast of cast", cast_of_cast)),
    "real": (("the same dtype", same_dtype),),
    "conjugate": (("the same dtype", same_dtype),),
    "imag": (("no imaginary part", no_imaginary_part),),
    "scale": (("scale by a number", scale_by_number),),
    "divide": (("a quotient of a truth value", quotient_of_truth),),
    "deposit": (("zeros into zeros", deposit_of_zero),),
}
