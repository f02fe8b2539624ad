"""Sums of products of derivatives: what is the same for all terms is taken out of the sum.

::

    sum over i of (ct[i] @ w)            ->   (sum over i of ct[i]) @ w
    sum over i of scale(ct[i, j], b[j])  ->   scale(sum over i of ct[i, j], b[j])

through signs, sums of two, and moves.  A gradient with respect to what is repeated along rows (a bias, the centres of a mixture) is such a
sum, and the product of all rows need not be taken at all.  Products of the program itself stay as they are: a sum of large numbers may
overflow where that of their products with small ones does not.
"""

from __future__ import annotations

from wengert.compiler.builder import Builder
from wengert.core.graph import Atom, Node
from wengert.core.types import ArrayType

Axes = tuple[int, ...]

DEEP = 8  # sums, signs and moves that a sum looks through
FEWEST = 4  # rows and columns of a product that is worth it
SAME_SHAPE = frozenset({"negative", "add", "subtract", "scale"})


def sum_of_product(node: Node, builder: Builder) -> Atom | None:
    """See the module."""
    x, out = node.operands[0], node.outputs[0].type
    rank = len(x.type.shape)
    if x.type.dtype != out.dtype or out.dtype.kind != "f" or 0 in x.type.shape:
        return None
    found = summed(x, tuple(sorted(k % rank for k in node.params["axis"])), builder, DEEP)
    return None if found is None else builder.reshape(found, tuple(out.shape))


def summed(x: Atom, axes: Axes, builder: Builder, deep: int) -> Atom | None:
    """The sum of `x` along axes, if there is a product below that is smaller for it; `None` if there is none."""
    maker = builder.maker.get(x)
    if maker is None or not deep:
        return None
    name, operands = maker.primitive.name, maker.operands
    if name in SAME_SHAPE and any(a.type != x.type for a in operands):
        return None
    if name == "negative":
        found = summed(operands[0], axes, builder, deep - 1)
        return found and builder.elementwise("negative", found)
    if name in ("add", "subtract"):
        parts = [summed(a, axes, builder, deep - 1) for a in operands]
        if parts == [None, None]:
            return None
        left, right = (part or total(a, axes, builder) for part, a in zip(parts, operands, strict=True))
        return builder.elementwise(name, left, right)
    if name == "scale":
        return _scaled(maker, axes, builder)
    if name == "permute":
        return _permuted(maker, axes, builder, deep)
    if name == "sum":
        return _sum_of_sum(maker, axes, builder, deep)
    if name == "matmul_of_derivatives" and len(axes) == 1:
        return _product_of_sum(maker, axes[0], builder)
    return None


def _permuted(maker: Node, axes: Axes, builder: Builder, deep: int) -> Atom | None:
    """The sum below another order of axes."""
    order = tuple(maker.params["axes"])
    found = summed(maker.operands[0], tuple(sorted(order[k] for k in axes)), builder, deep - 1)
    kept = [k for k in order if k not in {order[j] for j in axes}]
    return found and builder.permute(found, tuple([sorted(kept).index(k) for k in kept]))


def _sum_of_sum(maker: Node, axes: Axes, builder: Builder, deep: int) -> Atom | None:
    """The sum below a sum along other axes."""
    (x,) = maker.operands
    rank = len(x.type.shape)
    inner = {k % rank for k in maker.params["axis"]}
    if maker.params["keepdims"] or x.type.dtype != maker.outputs[0].type.dtype:
        return None
    kept = [k for k in range(rank) if k not in inner]
    outer = tuple([kept[k] for k in axes])
    found = summed(x, outer, builder, deep - 1)
    if found is None:
        return None
    left = [k for k in range(rank) if k not in outer]
    return builder.sum(found, tuple([left.index(k) for k in sorted(inner)]))


def _scaled(maker: Node, axes: Axes, builder: Builder) -> Atom | None:
    """A factor that is the same along all axes is taken out."""
    for which, (factor, terms) in enumerate((maker.operands, maker.operands[::-1])):
        same = _repeated(factor, axes, builder)
        if same is not None:
            pair = (same, total(terms, axes, builder))
            return builder.elementwise("scale", *(pair if not which else pair[::-1]))
    return None


def _source(x: Atom, builder: Builder) -> tuple[Atom, tuple[int, ...]] | None:
    """What `x` repeats, and its lengths along the axes of `x`."""
    maker = builder.maker.get(x)
    if maker is None or maker.primitive.name != "spread":
        return None
    source = maker.operands[0]
    return source, (1,) * (len(x.type.shape) - len(source.type.shape)) + tuple(source.type.shape)


def _repeated(x: Atom, axes: Axes, builder: Builder) -> Atom | None:
    """`x` without axes, if it is the same along them."""
    found = _source(x, builder)
    if found is None or any(found[1][k] != 1 for k in axes):
        return None
    source, lengths = found
    rest = [k for k in range(len(lengths)) if k not in axes]
    small = builder.reshape(source, tuple([lengths[k] for k in rest]))
    return builder.spread(small, tuple([x.type.shape[k] for k in rest]))


def total(x: Atom, axes: Axes, builder: Builder) -> Atom:
    """The sum of `x` along axes; what is repeated along others is summed before."""
    shape = tuple(x.type.shape)
    rest = tuple([n for k, n in enumerate(shape) if k not in axes])
    found, maker = _source(x, builder), builder.maker.get(x)
    if found is not None and all(found[1][k] == shape[k] for k in axes):
        small = total(builder.reshape(found[0], found[1]), axes, builder)
        return builder.spread(small, rest)
    if maker is not None and maker.primitive.name == "reshape" and all(shape[k] != 1 for k in axes):
        source = maker.operands[0]
        long = [k for k, n in enumerate(source.type.shape) if n != 1]
        mine = [k for k, n in enumerate(shape) if n != 1]
        if [source.type.shape[k] for k in long] == [shape[k] for k in mine]:
            return builder.reshape(total(source, tuple([long[mine.index(k)] for k in axes]), builder), rest)
    return builder.sum(x, axes)


def _product_of_sum(maker: Node, axis: int, builder: Builder) -> Atom | None:
    """The sum of the rows or columns of a product."""
    (a, b), shape = maker.operands, tuple(maker.outputs[0].type.shape)
    which = axis - len(shape) + 2  # 0 for rows, 1 for columns
    if which < 0 or min(shape[-2:]) < FEWEST or tuple(maker.operands[which].type.shape[:-2]) != shape[:-2]:
        return None
    factors = [a, b]
    factors[which] = builder.sum(factors[which], (axis,), keepdims=True)
    small = tuple([1 if k == axis else n for k, n in enumerate(shape)])
    found = builder.emit(maker.primitive.name, tuple(factors), dict(maker.params), ArrayType(small, maker.outputs[0].type.dtype))
    return builder.reshape(found, tuple([n for k, n in enumerate(shape) if k != axis]))
