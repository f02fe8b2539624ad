"""The facts about clusters of equal eigenvalues (`wengert.primitives.gauge`), said by comparisons.

Where values do not meet, which is nearly always, a cluster is a value alone and nothing depends on a gauge; where it may be otherwise the
card itself is asked, and raises what it raises.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.compiler.builder import Builder, Shape, constant
from wengert.compiler.decompositions import BOOL, FLOATS, anywhere, swapped
from wengert.compiler.loops import dtype_name
from wengert.compiler.placed import doubted, judged
from wengert.compiler.reductions import extreme
from wengert.compiler.structure import Rewrite
from wengert.core.graph import Atom, Node
from wengert.core.types import ArrayType


def is_real(*atoms: Atom) -> bool:
    """Whether arrays are real, of one dtype, with something in them."""
    dtypes = {a.type.dtype for a in atoms}
    return len(dtypes) == 1 and dtype_name(dtypes.pop()) in FLOATS and all(0 not in a.type.shape for a in atoms)


def spread_to(builder: Builder, x: Atom, shape: Shape) -> Atom:
    """An array beside others that have more axes."""
    own = (1,) * (len(shape) - len(x.type.shape)) + tuple(x.type.shape)
    return builder.spread(builder.reshape(x, own), shape)


def read_triangle(node: Node, builder: Builder) -> Atom | None:
    """`where(below, a, aᵀ)`."""
    (a,) = node.operands
    if not is_real(a):
        return None
    below = np.tri(a.type.shape[-1], dtype=bool)
    mask = constant(below if node.params["uplo"] == "L" else below.T.copy())
    return builder.elementwise("where", builder.spread(mask, tuple(a.type.shape)), a, swapped(builder, a), dtype=a.type.dtype)


def itself(node: Node, builder: Builder) -> Atom | None:
    """What is only kept from a further derivative: the first operand."""
    return node.operands[0]


def largest(node: Node, builder: Builder) -> Atom | None:
    """`max |x|` of each matrix."""
    (x,) = node.operands
    if not is_real(x):
        return None
    rank = len(x.type.shape)
    return extreme(builder, "max", builder.elementwise("absolute", x), (rank - 2, rank - 1), keepdims=True)


def lengths_of_columns(builder: Builder, x: Atom) -> Atom:
    """The length of each column, as a row."""
    size = builder.elementwise("absolute", x)
    total = builder.sum(builder.elementwise("multiply", size, size), (len(x.type.shape) - 2,), keepdims=True)
    return builder.elementwise("sqrt", total)


def column_length(node: Node, builder: Builder) -> Atom | None:
    """The lengths of the columns."""
    return lengths_of_columns(builder, node.operands[0]) if is_real(node.operands[0]) else None


def column_scale(node: Node, builder: Builder) -> Atom | None:
    """The larger length of an entry's column and that of its transposed one."""
    (x,) = node.operands
    if not is_real(x):
        return None
    lengths, shape = lengths_of_columns(builder, x), tuple(x.type.shape)
    return builder.elementwise("maximum", builder.spread(lengths, shape), builder.spread(swapped(builder, lengths), shape))


def is_null(node: Node, builder: Builder) -> Atom | None:
    """Singular values that are 0 up to rounding."""
    (s,) = node.operands
    if not is_real(s):
        return None
    dtype, shape = s.type.dtype, tuple(s.type.shape)
    first = builder.index(s, (*[slice(None)] * (len(shape) - 1), slice(0, 1)))
    share = constant(dtype.type(node.params["size"] * np.finfo(dtype).eps))
    limit = builder.spread(builder.elementwise("multiply", share, first, dtype=dtype), shape)
    return truth_as_number(builder, builder.elementwise("less_equal", s, limit, dtype=BOOL), dtype)


def truth_as_number(builder: Builder, truth: Atom, dtype: np.dtype[Any]) -> Atom:
    """1 where something is true, and else 0."""
    return builder.elementwise("where", truth, constant(dtype.type(1)), constant(dtype.type(0)), dtype=dtype)


def beside(builder: Builder, w: Atom) -> tuple[Atom, Atom]:
    """Each value beside each other one."""
    n, head = w.type.shape[-1], tuple(w.type.shape[:-1])
    down, along = (builder.spread(builder.reshape(w, (*head, *part)), (*head, n, n)) for part in ((n, 1), (1, n)))
    return down, along


def elsewhere(builder: Builder, truth: Atom) -> Atom:
    """Whether something is true away from the diagonal."""
    apart = builder.spread(constant(~np.eye(truth.type.shape[-1], dtype=bool)), tuple(truth.type.shape))
    return anywhere(builder, builder.elementwise("logical_and", truth, apart, dtype=BOOL))


def same_cluster(node: Node, builder: Builder) -> Atom | None:
    """The unit matrix, unless two values are so close that the card has to look who belongs together."""
    w, scale = node.operands
    if not is_real(w, scale):
        return None
    dtype, n, shape = w.type.dtype, w.type.shape[-1], tuple(node.outputs[0].type.shape)
    one, other = (spread_to(builder, x, shape) for x in beside(builder, w))
    gaps = builder.elementwise("absolute", builder.elementwise("subtract", one, other))
    limit = builder.elementwise("multiply", constant(dtype.type(10 * n * np.finfo(dtype).eps)), scale, dtype=dtype)
    close = builder.elementwise("less_equal", gaps, spread_to(builder, limit, shape), dtype=BOOL)
    if node.primitive.name == "near_cluster":
        size = builder.elementwise("maximum", builder.elementwise("absolute", one), builder.elementwise("absolute", other))
        share = builder.elementwise("multiply", constant(dtype.type(np.finfo(dtype).eps ** (2 / 3))), size, dtype=dtype)
        close = builder.elementwise("logical_or", close, builder.elementwise("less_equal", gaps, share, dtype=BOOL), dtype=BOOL)
    doubt = elsewhere(builder, close)
    alone = builder.spread(constant(np.eye(n, dtype=dtype)), shape)
    return builder.emit(doubted(node.primitive), (doubt, alone, w, scale), {}, node.outputs[0].type)


def defect(node: Node, builder: Builder) -> Atom | None:
    """0, unless values belong together."""
    v, same = node.operands
    out = node.outputs[0].type
    if not is_real(v, same):
        return None
    together = builder.elementwise("not_equal", same, constant(same.type.dtype.type(0)), dtype=BOOL)
    none = builder.spread(constant(out.dtype.type(0)), tuple(out.shape))
    return builder.emit(doubted(node.primitive), (elsewhere(builder, together), none, v, same), {}, out)


def without_gauge(node: Node, builder: Builder) -> Atom | None:
    """`x`, unless something offends, which the card explains."""
    x, *judges = node.operands[:-1]
    if not all(map(is_real, node.operands)):
        return None
    dtype = np.result_type(*[a.type.dtype for a in judges])
    shape = np.broadcast_shapes(*[a.type.shape for a in judges])
    offence, scale, same = [spread_to(builder, in_dtype(builder, a, dtype), shape) for a in judges]
    tolerance = constant(dtype.type(np.sqrt(np.finfo(x.type.dtype).eps)))
    limit = builder.elementwise("multiply", tolerance, scale, dtype=dtype)
    large = builder.elementwise("greater", builder.elementwise("absolute", offence), limit, dtype=BOOL)
    inside = builder.elementwise("greater", same, constant(dtype.type(0)), dtype=BOOL)
    doubt = anywhere(builder, builder.elementwise("logical_and", large, inside, dtype=BOOL))
    return builder.emit(judged(node.primitive), (doubt, *node.operands), node.params, x.type)


def in_dtype(builder: Builder, x: Atom, dtype: np.dtype[Any]) -> Atom:
    """An array in a dtype."""
    return x if x.type.dtype == dtype else builder.emit("cast", (x,), {"dtype": dtype}, ArrayType(x.type.shape, dtype))


def dependent(node: Node, builder: Builder) -> Atom | None:
    """1 in the columns of a triangular matrix whose diagonal is 0 up to rounding."""
    (r,) = node.operands
    if not is_real(r):
        return None
    dtype, shape = r.type.dtype, tuple(r.type.shape)
    rank, n = len(shape), shape[-1]
    size = builder.elementwise("absolute", r)
    on_diagonal = builder.spread(constant(np.eye(*shape[-2:], dtype=bool)), shape)
    zero = constant(dtype.type(0))
    line = builder.sum(builder.elementwise("where", on_diagonal, size, zero, dtype=dtype), (rank - 2,), keepdims=True)
    top = extreme(builder, "max", size, (rank - 2, rank - 1), keepdims=True)
    limit = builder.elementwise("multiply", constant(dtype.type(n * np.finfo(dtype).eps)), top, dtype=dtype)
    small = builder.elementwise("less_equal", line, builder.spread(limit, tuple(line.type.shape)), dtype=BOOL)
    return truth_as_number(builder, small, dtype)


def rank_of(node: Node, builder: Builder) -> Atom | None:
    """How many singular values are above a share of the first."""
    (s,), out = node.operands, node.outputs[0].type
    return count_above(builder, s, node.params["rcond"], out.dtype) if is_real(s) else None


def matrix_rank(node: Node, builder: Builder) -> Atom | None:
    """The same of a matrix; the first singular value is the largest."""
    (a,), out = node.operands, node.outputs[0].type
    tolerance, hermitian, share = (node.params[key] for key in ("tol", "hermitian", "rtol"))
    if not is_real(a) or hermitian or tolerance is not None or np.ndim(share):
        return None
    shape, dtype = tuple(a.type.shape), a.type.dtype
    share = max(shape[-2:]) * np.finfo(dtype).eps if share is None else share
    values = builder.emit("svdvals", (a,), {}, ArrayType((*shape[:-2], min(shape[-2:])), dtype))
    return count_above(builder, values, share, out.dtype)


def count_above(builder: Builder, s: Atom, share: float, dtype: np.dtype[Any]) -> Atom:
    """How many values in descending order are above a share of the first."""
    shape = tuple(s.type.shape)
    first = builder.index(s, (*[slice(None)] * (len(shape) - 1), slice(0, 1)))
    limit = builder.elementwise("multiply", constant(s.type.dtype.type(share)), first, dtype=s.type.dtype)
    truth = builder.elementwise("greater", s, builder.spread(limit, shape), dtype=BOOL)
    return builder.sum(truth, (len(shape) - 1,), dtype=dtype)


def descending(node: Node, builder: Builder) -> Atom | None:
    """The permutation matrix that puts values by size, the largest first; the card decides about equal ones.

    The column of a value is the number of those that are larger.
    """
    (w,), out = node.operands, node.outputs[0].type
    if not is_real(w):
        return None
    n, shape = w.type.shape[-1], tuple(out.shape)
    one, other = beside(builder, builder.elementwise("absolute", w))
    larger = builder.elementwise("less", one, other, dtype=BOOL)
    equal = builder.elementwise("equal", one, other, dtype=BOOL)
    doubt = elsewhere(builder, equal)
    place = builder.sum(larger, (len(shape) - 1,), dtype=np.int64)
    places = builder.spread(builder.reshape(place, (*shape[:-1], 1)), shape)
    columns = builder.spread(constant(np.arange(n)), shape)
    chosen = truth_as_number(builder, builder.elementwise("equal", places, columns, dtype=BOOL), out.dtype)
    return builder.emit(doubted(node.primitive), (doubt, chosen, w), {}, out)


GAUGES: dict[str, tuple[tuple[str, Rewrite], ...]] = {
    "read_triangle": (("a triangle and its mirror image", read_triangle),),
    "held": (("no further derivative is taken", itself),),
    "still": (("no further derivative is taken", itself),),
    "largest_modulus": (("the largest size", largest),),
    "column_length": (("a length is a sum of squares", column_length),),
    "column_scale": (("a length is a sum of squares", column_scale),),
    "is_null": (("values that are 0", is_null),),
    "same_cluster": (("values that do not meet", same_cluster),),
    "near_cluster": (("values that do not meet", same_cluster),),
    "defect": (("values that do not meet", defect),),
    "without_gauge": (("nothing offends", without_gauge),),
    "dependent": (("columns that depend on others", dependent),),
    "rank_of": (("values that count", rank_of),),
    "matrix_rank": (("values that count", matrix_rank),),
    "descending": (("values by size", descending),),
}
