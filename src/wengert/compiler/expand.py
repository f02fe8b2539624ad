"""Larger operations said by smaller ones, which fuse: sums of products, triangles, and the reductions of their own room.

::

    c = contract a b {sentence="ij,jk->ik"}   ->   p = multiply (spread a) (spread (permute b)); c = sum p over j

A product of matrices with enough work in it stays one, for the kernel that multiplies.
"""

from __future__ import annotations

import math

import numpy as np

from wengert.compiler.builder import Builder, Shape, constant
from wengert.compiler.decompositions import DECOMPOSITIONS
from wengert.compiler.gauges import GAUGES
from wengert.compiler.general import GENERAL
from wengert.compiler.loops import dtype_name
from wengert.compiler.narrow import narrowed
from wengert.compiler.products import is_large_product, pays
from wengert.compiler.reductions import REDUCTIONS
from wengert.compiler.selections import selected
from wengert.compiler.spectra import SPECTRA
from wengert.compiler.spelled import spelled
from wengert.compiler.structure import Rewrite
from wengert.compiler.windows import overlap, part_of_overlap
from wengert.core.graph import Atom, Const, Node
from wengert.core.primitive import Primitive
from wengert.core.types import ArrayType

FLOATS = ("float64", "float32")


def matmul(node: Node, builder: Builder) -> Atom | None:
    """`a @ b  ->  sum over j of a[..., i, j] b[..., j, k]` where the matrices are small."""
    a, b = node.operands
    out = node.outputs[0].type
    if is_large_product(node) or dtype_name(out.dtype) not in FLOATS or a.type.dtype != b.type.dtype or 0 in (*a.type.shape, *b.type.shape):
        return None
    rank = len(out.shape)
    letters = [chr(ord("a") + k) for k in range(rank - 2)]
    left = letters[rank - len(a.type.shape) :] + ["i", "j"]
    right = letters[rank - len(b.type.shape) :] + ["j", "k"]
    name = "scale" if node.primitive.name == "matmul_of_derivatives" else "multiply"
    return summed(builder, [(a, left), (b, right)], [*letters, "i", "k"], tuple(out.shape), name)


def unit_matrix(node: Node, builder: Builder) -> Atom | None:
    """`1 @ a  ->  a` and `a @ 1  ->  a`, of derivatives, where zeros absorb."""
    for unit, other in (node.operands, node.operands[::-1]):
        if not isinstance(unit, Const) or other.type != node.outputs[0].type or np.ndim(unit.value) != 2:
            continue
        n, m = np.shape(unit.value)
        if n == m and np.array_equal(unit.value, np.eye(n)):
            return other
    return None


def contract(node: Node, builder: Builder) -> Atom | None:
    """An index sentence: a product of matrices if it is one and large; else a sum of products."""
    out = node.outputs[0].type
    left, right = node.params["sentence"].split("->")
    words = left.split(",")
    shapes = [a.type.shape for a in node.operands]
    if dtype_name(out.dtype) not in FLOATS or any(a.type.dtype != out.dtype for a in node.operands) or any(0 in s for s in shapes):
        return None
    if any(len(set(word)) != len(word) for word in words) or len(set(right)) != len(right):
        return None
    strong = node.primitive.name == "contract" and len(words) > 1
    terms = list(zip(node.operands, map(list, words), strict=True))
    while len(terms) > 2:
        terms = paired(builder, terms, right, strong)
    if len(terms) == 2:
        large = as_matrices(builder, terms, right, strong)
        if large is not None:
            return large
    return summed(builder, terms, list(right), tuple(out.shape), "scale" if strong else "multiply")


def paired(builder: Builder, terms: list[tuple[Atom, list[str]]], right: str, strong: bool) -> list[tuple[Atom, list[str]]]:
    """Two of the factors multiplied, those whose product costs least."""
    sizes = {c: n for atom, word in terms for c, n in zip(word, atom.type.shape, strict=True)}
    pairs = [(i, j) for j in range(len(terms)) for i in range(j)]

    def cost(pair: tuple[int, int]) -> int:
        return math.prod(sizes[c] for c in {*terms[pair[0]][1], *terms[pair[1]][1]})

    i, j = min(pairs, key=cost)
    rest = [term for k, term in enumerate(terms) if k not in (i, j)]
    needed = {*right, *[c for _, word in rest for c in word]}
    kept = [c for c in dict.fromkeys([*terms[i][1], *terms[j][1]]) if c in needed]
    two = [terms[i], terms[j]]
    product = as_matrices(builder, two, "".join(kept), strong)
    if product is None:
        shape = tuple([sizes[c] for c in kept])
        product = summed(builder, two, kept, shape, "scale" if strong else "multiply")
    return [(product, kept), *rest]


def summed(builder: Builder, terms: list[tuple[Atom, list[str]]], kept: list[str], shape: Shape, name: str) -> Atom:
    """The product of factors along all their letters, summed along those that are not kept."""
    sizes = dict(zip(kept, shape, strict=True))
    for atom, word in terms:
        for c, n in zip(word, atom.type.shape, strict=True):
            sizes[c] = max(sizes.get(c, 1), n)
    inner = [c for c in sizes if c not in kept]
    order = [*kept, *inner]
    whole = tuple([sizes[c] for c in order])
    total: Atom | None = None
    for atom, word in terms:
        factor = laid_out(builder, atom, word, order, whole)
        total = factor if total is None else builder.elementwise(name, total, factor)
    assert total is not None
    return builder.sum(total, tuple(range(len(kept), len(order))))


def laid_out(builder: Builder, atom: Atom, word: list[str], order: list[str], whole: Shape) -> Atom:
    """An array along more letters, in their order."""
    axes = sorted(range(len(word)), key=lambda k: order.index(word[k]))
    turned = builder.permute(atom, tuple(axes))
    lengths = dict(zip([word[k] for k in axes], turned.type.shape, strict=True))
    return builder.spread(builder.reshape(turned, tuple([lengths.get(c, 1) for c in order])), whole)


def as_matrices(builder: Builder, terms: list[tuple[Atom, list[str]]], right: str, strong: bool) -> Atom | None:
    """Two factors as stacks of matrices, multiplied; `None` where that is not what they are, or does not pay."""
    (a, first), (b, second) = terms
    if right and right[-1] in first and right[-1] not in second:  # the last letter of the result counts columns
        (a, first), (b, second) = (b, second), (a, first)
    sizes = dict(zip([*first, *second], [*a.type.shape, *b.type.shape], strict=True))
    of_windows = {*letters_of_windows(builder, a, first), *letters_of_windows(builder, b, second)}
    batch = [c for c in first if c in second and c in right]
    inner = sorted([c for c in first if c in second and c not in right], key=lambda c: c not in of_windows)
    rows = sorted([c for c in first if c not in second], key=lambda c: c not in of_windows)
    columns = sorted([c for c in second if c not in first], key=lambda c: c not in of_windows)
    if not inner or not rows or not columns or any(c not in right for c in rows + columns):
        return None
    m, k, n = (math.prod(sizes[c] for c in part) for part in (rows, inner, columns))
    if not pays(m, k, n):
        return None
    head = tuple([sizes[c] for c in batch])
    left = matrices(builder, a, first, (batch, rows, inner))
    other = matrices(builder, b, second, (batch, inner, columns))
    name = "matmul_of_derivatives" if strong else "matmul"
    product = builder.emit(name, (left, other), {}, ArrayType((*head, m, n), a.type.dtype))
    order = batch + rows + columns
    whole = builder.reshape(product, tuple([sizes[c] for c in order]))
    return builder.permute(whole, order_of(order, list(right)))


def letters_of_windows(builder: Builder, atom: Atom, word: list[str]) -> list[str]:
    """The letters that count places in windows, if the array consists of windows."""
    maker = builder.maker.get(atom)
    if maker is None or maker.primitive.name != "windows":
        return []
    return word[len(word) - len(maker.params["axis"]) :]


def matrices(builder: Builder, atom: Atom, word: list[str], groups: tuple[list[str], list[str], list[str]]) -> Atom:
    """A stack of matrices: letters of a batch, of rows, and of columns.

    If the entries have to be laid out anew, it is in the order in which neighbours are read one after the other, for all readers.
    """
    batch, rows, columns = groups
    sizes = dict(zip(word, atom.type.shape, strict=True))
    outer = letters_of_windows(builder, atom, word)
    fastest = next((c for c in reversed(word) if sizes[c] > 1 and c not in outer), None)
    if fastest in rows:
        n = len(batch)
        return builder.permute(matrices(builder, atom, word, (batch, columns, rows)), (*range(n), n + 1, n))
    lengths = [math.prod(sizes[c] for c in part) for part in (rows, columns)]
    return builder.reshape(builder.permute(atom, order_of(word, batch + rows + columns)), (*[sizes[c] for c in batch], *lengths))


def order_of(have: list[str], want: list[str]) -> Shape:
    """The permutation that brings letters into an order."""
    return tuple([have.index(c) for c in want])


def triangle(node: Node, builder: Builder) -> Atom | None:
    """`tril x  ->  where(mask, x, 0)`."""
    (x,) = node.operands
    if dtype_name(x.type.dtype) not in FLOATS:
        return None
    cut = np.tril if node.primitive.name == "tril" else np.triu
    mask = cut(np.ones(x.type.shape[-2:], bool), node.params["k"])
    chosen = builder.spread(constant(mask), tuple(x.type.shape))
    return builder.elementwise("where", chosen, x, constant(x.type.dtype.type(0)), dtype=x.type.dtype)


def cross(node: Node, builder: Builder) -> Atom | None:
    """`a x b  ->  a' b" - a" b'`, where `x'` is `x` turned by one entry and `x"` by two."""
    a, b = node.operands
    out = node.outputs[0].type
    if dtype_name(out.dtype) not in FLOATS or a.type.dtype != out.dtype or b.type.dtype != out.dtype or 0 in out.shape:
        return None
    name = "scale" if node.primitive.name == "cross_of_derivatives" else "multiply"
    rank, shape = len(out.shape), tuple(out.shape)
    a, b = (builder.reshape(x, (1,) * (rank - len(x.type.shape)) + tuple(x.type.shape)) for x in (a, b))
    forwards = builder.elementwise(name, turned(builder, a, 1, shape), turned(builder, b, 2, shape))
    backwards = builder.elementwise(name, turned(builder, a, 2, shape), turned(builder, b, 1, shape))
    return builder.elementwise("subtract", forwards, backwards)


def turned(builder: Builder, x: Atom, k: int, shape: Shape) -> Atom:
    """`x` with entry `(i + k) % 3` in the place of entry `i` of its last axis, repeated to a shape."""
    *head, n = x.type.shape
    parts = []
    for part, length in ((slice(k, None), n - k), (slice(None, k), k)):
        type_ = ArrayType((*head, length), x.type.dtype)
        parts.append(builder.emit("index", (x,), {"layout": (Ellipsis, part)}, type_))
    whole = builder.emit("concatenate", tuple(parts), {"axis": -1}, ArrayType((*head, n), x.type.dtype))
    return builder.spread(whole, shape)


def expansions_of(primitive: Primitive) -> tuple[tuple[str, Rewrite], ...]:
    """The rules for a card: those under its name, and what it knows itself."""
    found = EXPANSIONS.get(primitive.name, ())
    if not isinstance(primitive, Primitive):  # of the compiler's own
        return found
    if primitive.spelled is not None:
        found = (*found, ("spelled out", spelled))
    return found if primitive.sources is None else (*found, ("a selection", selected))


EXPANSIONS: dict[str, tuple[tuple[str, Rewrite], ...]] = {
    **REDUCTIONS,
    **DECOMPOSITIONS,
    **GENERAL,
    **GAUGES,
    **SPECTRA,
    "matmul": (("a small product of matrices", matmul),),
    "matmul_of_derivatives": (("a unit matrix", unit_matrix), ("a small product of matrices", matmul)),
    "contract": (("a sum of products", contract),),
    "cross": (("a vector product", cross),),
    "cross_of_derivatives": (("a vector product", cross),),
    "einsum": (("a sum of products", contract),),
    "tril": (("a triangle", triangle),),
    "triu": (("a triangle", triangle),),
    "overlap": (("windows that overlap", overlap),),
    "index": (("a part of windows that overlap", part_of_overlap),),
    "cast": (("single precision is enough", narrowed),),
}
