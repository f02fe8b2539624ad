"""The facts about eigenvalues and vectors (`wengert.compiler.gauges`) where numbers are complex: they ask for absolute values only."""

from __future__ import annotations

import numpy as np

from wengert.compiler.builder import constant
from wengert.compiler.complex_matrices import PART, doubtful, give, is_native
from wengert.compiler.decompositions import BOOL, anywhere, swapped
from wengert.compiler.gauges import beside, elsewhere, in_dtype, spread_to
from wengert.compiler.pairs import Pairing, called, flags_of, is_complex
from wengert.compiler.placed import judged
from wengert.core.graph import Atom, Node


def modulus(pairing: Pairing, x: Atom) -> Atom:
    """`|x|`."""
    if not is_complex(x):
        return pairing.builder.elementwise("absolute", pairing.same.get(x, x))
    return pairing.builder.elementwise("hypot", *pairing.pair(x))


def read_triangle(pairing: Pairing, node: Node) -> bool:
    """`where(below, a, aᴴ)`, with a real diagonal."""
    if not is_native(node):
        return False
    (a,), builder = node.operands, pairing.builder
    n, shape, (re, im) = a.type.shape[-1], tuple(a.type.shape), pairing.pair(a)
    below = np.tri(n, dtype=bool)
    mask = builder.spread(constant(below if node.params["uplo"] == "L" else below.T.copy()), shape)
    symmetric = builder.elementwise("where", mask, re, swapped(builder, re), dtype=re.type.dtype)
    skew = builder.elementwise("where", mask, im, builder.elementwise("negative", swapped(builder, im)), dtype=im.type.dtype)
    none = constant(im.type.dtype.type(0))
    on_diagonal = builder.spread(constant(np.eye(n, dtype=bool)), shape)
    return pairing.give(node, symmetric, builder.elementwise("where", on_diagonal, none, skew, dtype=im.type.dtype))


def of_modulus(pairing: Pairing, node: Node) -> bool:
    """What is the same of the absolute values."""
    (x,), out = node.operands, node.outputs[0].type
    if not is_native(node):
        return False
    return pairing.give(node, pairing.builder.emit(node.primitive, (modulus(pairing, x),), node.params, out))


def distances(pairing: Pairing, one: Atom, other: Atom) -> Atom:
    """How far each of some values is from each of others: `|one[j] - other[k]|`."""
    builder = pairing.builder
    parts = [
        builder.elementwise("subtract", beside(builder, x)[0], beside(builder, y)[1])
        for x, y in zip(pairing.pair(one), pairing.pair(other), strict=True)
    ]
    return builder.elementwise("hypot", *parts)


def same_cluster(pairing: Pairing, node: Node) -> bool:
    """The unit matrix, unless two values are so close that the card has to look who belongs together."""
    w, scale = node.operands
    if not is_native(node) or is_complex(scale):
        return False
    builder, out, n = pairing.builder, node.outputs[0].type, w.type.shape[-1]
    dtype, shape = PART[w.type.dtype], tuple(node.outputs[0].type.shape)
    limit = builder.elementwise("multiply", constant(dtype.type(10 * n * np.finfo(dtype).eps)), pairing.same.get(scale, scale), dtype=dtype)
    gaps = spread_to(builder, distances(pairing, w, w), shape)
    close = builder.elementwise("less_equal", gaps, spread_to(builder, limit, shape), dtype=BOOL)
    alone = builder.spread(constant(np.eye(n, dtype=out.dtype)), shape)
    return doubtful(pairing, node, elsewhere(builder, close), alone)


def matching(pairing: Pairing, node: Node) -> bool:
    """The unit matrix, unless some value is as near to another place as to its own."""
    wanted, found = node.operands
    if not is_native(node) or wanted.type.shape != found.type.shape:
        return False
    builder, out, n = pairing.builder, node.outputs[0].type, wanted.type.shape[-1]
    shape = tuple(out.shape)
    gaps = distances(pairing, found, wanted)
    own = modulus_of_difference(pairing, found, wanted)
    row = builder.spread(builder.reshape(own, (*shape[:-2], 1, n)), shape)
    nearer = builder.elementwise("less_equal", gaps, row, dtype=BOOL)
    return doubtful(pairing, node, elsewhere(builder, nearer), builder.spread(constant(np.eye(n, dtype=out.dtype)), shape))


def modulus_of_difference(pairing: Pairing, x: Atom, y: Atom) -> Atom:
    """`|x - y|`."""
    builder = pairing.builder
    parts = [builder.elementwise("subtract", a, b) for a, b in zip(pairing.pair(x), pairing.pair(y), strict=True)]
    return builder.elementwise("hypot", *parts)


def defect(pairing: Pairing, node: Node) -> bool:
    """0, unless values belong together."""
    _, same = node.operands
    if is_complex(same) or not is_native(node):
        return False
    builder, out = pairing.builder, node.outputs[0].type
    together = builder.elementwise("not_equal", pairing.same.get(same, same), constant(same.type.dtype.type(0)), dtype=BOOL)
    none = builder.spread(constant(out.dtype.type(0)), tuple(out.shape))
    return doubtful(pairing, node, elsewhere(builder, together), none)


def without_gauge(pairing: Pairing, node: Node) -> bool:
    """`x`, unless something offends, which the card explains."""
    if not is_native(node):
        return False
    builder, (x, *judges) = pairing.builder, node.operands[:-1]
    dtype = PART.get(x.type.dtype, x.type.dtype)
    shape = np.broadcast_shapes(*[a.type.shape for a in judges])
    sizes = [modulus(pairing, a) if is_complex(a) else pairing.same.get(a, a) for a in judges]
    offence, scale, same = [spread_to(builder, in_dtype(builder, a, dtype), shape) for a in sizes]
    limit = builder.elementwise("multiply", constant(dtype.type(np.sqrt(np.finfo(dtype).eps))), scale, dtype=dtype)
    large = builder.elementwise("greater", builder.elementwise("absolute", offence), limit, dtype=BOOL)
    inside = builder.elementwise("greater", same, constant(dtype.type(0)), dtype=BOOL)
    doubt = anywhere(builder, builder.elementwise("logical_and", large, inside, dtype=BOOL))
    (_, *others), found = flags_of(node)
    flags = (is_complex(x), *others)  # even a constant is an array of parts, as the result is it
    operands = pairing.given(node, flags)
    return give(pairing, node, builder.emit(judged(called(node.primitive, flags, found)), (doubt, *operands), node.params, operands[0].type))


COMPLEX_GAUGES = {
    "read_triangle": read_triangle, "largest_modulus": of_modulus, "column_length": of_modulus, "column_scale": of_modulus,
    "same_cluster": same_cluster, "matching": matching, "defect": defect, "without_gauge": without_gauge,
}  # fmt: skip
