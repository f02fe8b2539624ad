"""Windows that overlap are added up: by a product of windows of their own, or axis by axis.

The gradient of a convolution is one: each entry gathers what the windows that it lies in have for it, instead of each window being
written down and scattered::

    y = matmul g w, [rows, o] @ [o, c windows]; x = overlap y   ->   x = matmul (windows (g among zeros)) (w reversed), [rows, windows o] @ [windows o, c]

Of entries that only a part of is read (`x[1:-1]`, for a convolution with a margin), that part alone is computed.  Other windows are slices put into zeros::

    x = overlap y {axis=(-1,), lengths=(2,)}   ->   z = permute y, windows first
                                                    a = deposit (z[0]) at [:-1]; b = deposit (z[1]) at [1:]; x = add a b

So neighbours in `x` are neighbours in what is added.  Where a product makes the windows, its columns are put in that order: those of the
gradient of a convolution are `[place in the window, channel]`, and not `[channel, place]`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wengert.compiler.bodies import is_native
from wengert.compiler.builder import Builder, Shape
from wengert.compiler.indices import basic_parts, is_basic
from wengert.compiler.products import pays
from wengert.core.graph import Atom, Node
from wengert.core.types import ArrayType

PRODUCTS = ("matmul", "matmul_of_derivatives")
NARROW = 8  # columns from which on a product fills its vectors well enough
SPARED = 64  # multiplications that take as long as writing down an entry of a window, and adding it up


@dataclass(frozen=True, eq=False)
class Gathered:
    """`x[.., i + u, .., c] = sum over o of g[.., i, .., o] w[o, c, u]`, and how its axes are ordered."""

    product: Node  # of `g` and `w` as matrices
    rows: Shape  # `g` is [*rows, o]
    columns: Shape  # `w` is [o, *columns], windows among them
    places: Shape  # the rows that windows move along
    windows: Shape  # the columns that are places in a window, in the same order
    order: Shape  # the axes of the result, from those of [*rows, *columns without windows]

    @property
    def lengths(self) -> Shape:
        """The lengths of windows."""
        return tuple([self.columns[k] for k in self.windows])

    @property
    def others(self) -> Shape:
        """The columns that stay."""
        return tuple([k for k in range(len(self.columns)) if k not in self.windows])

    @property
    def depth(self) -> int:
        """How many terms a sum has for each place in a window."""
        return self.product.operands[0].type.shape[1]

    def whole(self) -> list[range]:
        """Every place of the result along the rows."""
        found = list(map(range, self.rows))
        for k, n in zip(self.places, self.lengths, strict=True):
            found[k] = range(self.rows[k] + n - 1)
        return found

    def pays(self, parts: list[range]) -> bool:
        """Whether a product of windows is better than adding windows up."""
        before, m = math.prod(self.rows), math.prod(map(len, parts))
        n, window = math.prod([self.columns[k] for k in self.others]), math.prod(self.lengths)
        return n >= NARROW and pays(m, self.depth * window, n) and (m - before) * self.depth < SPARED * before

    def part(self, builder: Builder, parts: list[range]) -> Atom:
        """The result at some places along the rows."""
        m, n = math.prod(map(len, parts)), math.prod([self.columns[k] for k in self.others])
        k = self.depth * math.prod(self.lengths)
        left = builder.reshape(self.seen(builder, parts), (m, k))
        right = builder.reshape(self.reversed(builder), (k, n))
        product = builder.emit(self.product.primitive, (left, right), self.product.params, ArrayType((m, n), left.type.dtype))
        apart = builder.reshape(product, (*map(len, parts), *[self.columns[k] for k in self.others]))
        return builder.permute(apart, self.order)

    def seen(self, builder: Builder, parts: list[range]) -> Atom:
        """`[*parts, *windows, o]`: what these places see of `g`, zeros around it."""
        taken, target, shape = [], [], []
        reach = dict(zip(self.places, self.lengths, strict=True))
        for k, part in enumerate(parts):
            n = reach.get(k, 1)
            low, high = part.start - n + 1, part.stop  # the rows that add to it
            taken.append(slice(max(low, 0), min(high, self.rows[k])))
            start = max(-low, 0)
            target.append(slice(start, start + taken[k].stop - taken[k].start))
            shape.append(len(part) + n - 1)
        o, rank, n_windows = self.depth, len(parts), len(self.lengths)
        g = builder.index(builder.reshape(self.product.operands[0], (*self.rows, o)), (*taken, slice(0, o)))
        g = builder.deposit(g, (*target, slice(0, o)), (*shape, o))
        params = {"axis": tuple([k - rank - 1 for k in self.places]), "lengths": self.lengths}
        found = builder.emit("windows", (g,), params, ArrayType((*map(len, parts), o, *self.lengths), g.type.dtype))
        return builder.permute(found, (*range(rank), *range(rank + 1, rank + 1 + n_windows), rank))

    def reversed(self, builder: Builder) -> Atom:
        """`[*windows, o, *others]`: the other factor, the last place of a window first."""
        w = builder.reshape(self.product.operands[1], (self.depth, *self.columns))
        turned = [slice(None, None, -1) if k in self.windows else slice(None) for k in range(len(self.columns))]
        axes = (*[k + 1 for k in self.windows], 0, *[k + 1 for k in self.others])
        return builder.permute(builder.index(w, (slice(None), *turned)), axes)


def gathered(node: Node, builder: Builder) -> Gathered | None:
    """The sum of windows that a product of derivatives makes, one factor of which knows the places and the other one the windows."""
    (y,), axis = node.operands, node.params["axis"]
    rank, n = len(node.outputs[0].type.shape), len(axis)
    maker, axes = builder.maker.get(y), tuple(range(rank + n))
    if maker is not None and maker.primitive.name == "permute":
        axes, y = tuple(maker.params["axes"]), maker.operands[0]
        maker = builder.maker.get(y)
    product = builder.maker.get(maker.operands[0]) if maker is not None and maker.primitive.name == "reshape" else None
    if product is None or product.primitive.name != "matmul_of_derivatives" or len(product.outputs[0].type.shape) != 2:
        return None
    shape = tuple(y.type.shape)
    m, columns = product.outputs[0].type.shape
    cut = next((k for k in range(len(shape)) if math.prod(shape[:k]) == m and math.prod(shape[k:]) == columns), None)
    places, windows = tuple([axes[k % rank] for k in axis]), axes[rank:]
    if cut is None or any(k >= cut for k in places) or any(k < cut for k in windows):
        return None
    kept = [*range(cut), *[k for k in range(cut, len(shape)) if k not in windows]]
    return Gathered(product, shape[:cut], shape[cut:], places, tuple([k - cut for k in windows]), tuple([kept.index(k) for k in axes[:rank]]))


def overlap(node: Node, builder: Builder) -> Atom | None:
    """A product of windows, or the last axis of a window first."""
    (y,), out = node.operands, node.outputs[0].type
    if 0 in (*y.type.shape, *out.shape) or not is_native(out.dtype):
        return None
    found = gathered(node, builder)
    if found is not None and found.pays(found.whole()):
        x = found.part(builder, found.whole())
    else:
        axis, lengths = node.params["axis"], node.params["lengths"]
        rank, n = len(out.shape), len(axis)
        x = windows_first(builder, y, n)
        for j in reversed(range(n)):
            x = added(builder, x, j + axis[j] % rank, lengths[j])
    if found is not None:
        builder.notes[x] = found
    return x


def part_of_overlap(node: Node, builder: Builder) -> Atom | None:
    """`(overlap y)[1:-1]` is computed there alone, if a product makes it."""
    x, layout = node.operands[0], node.params["layout"]
    found = builder.known.get(x)
    if not isinstance(found, Gathered) or len(node.operands) > 1 or not is_basic(layout):
        return None
    chosen = basic_parts(layout, len(x.type.shape))
    if not all(isinstance(part, slice) for part in chosen):
        return None
    ranges = [range(*part.indices(n)) for part, n in zip(chosen, x.type.shape, strict=True)]
    parts, n_rows = found.whole(), len(found.whole())
    for axis, part in zip(found.order, ranges, strict=True):
        if part.step != 1 or not part or (axis >= n_rows and len(part) < x.type.shape[found.order.index(axis)]):
            return None
        if axis < n_rows:
            parts[axis] = part
    return found.part(builder, parts) if found.pays(parts) else None


def windows_first(builder: Builder, y: Atom, n: int) -> Atom:
    """The last `n` axes come first, the last of them foremost."""
    rank = len(y.type.shape)
    order = (*reversed(range(rank - n, rank)), *range(rank - n))
    maker = builder.maker.get(y)
    product = builder.maker.get(maker.operands[0]) if maker is not None and maker.primitive.name == "reshape" else None
    if product is None or product.primitive.name not in PRODUCTS or len(product.outputs[0].type.shape) != 2:
        return builder.permute(y, order)
    left, right = product.operands
    columns = product.outputs[0].type.shape[1]
    first = next((k for k in range(rank - n) if math.prod(y.type.shape[k:]) == columns), None)
    if first is None:
        return builder.permute(y, order)
    # The columns are [others..., windows...]; now they are [windows..., others...].
    others, windows = y.type.shape[first : rank - n], y.type.shape[rank - n :]
    k, m = right.type.shape[0], len(others)
    apart = builder.reshape(right, (k, *others, *windows))
    turned = builder.reshape(builder.permute(apart, (0, *range(m + 1, m + n + 1), *range(1, m + 1))), (k, columns))
    whole = builder.emit(product.primitive, (left, turned), product.params, ArrayType((left.type.shape[0], columns), y.type.dtype))
    parts = builder.reshape(whole, (*y.type.shape[:first], *windows, *others))
    return builder.permute(parts, (*reversed(range(first, first + n)), *range(first), *range(first + n, rank)))


def added(builder: Builder, y: Atom, axis: int, n: int) -> Atom:
    """The windows along the first axis of `y`, which lie along another one of those behind it, added up."""
    _, *kept = y.type.shape
    size = kept[axis]
    shape = list(kept)
    shape[axis] += n - 1
    total: Atom | None = None
    for u in range(n):
        part = builder.index(y, (u, *[slice(None)] * len(kept)))
        where = tuple([slice(u, u + size) if k == axis else slice(0, m) for k, m in enumerate(kept)])
        term = builder.deposit(part, where, tuple(shape))
        total = term if total is None else builder.elementwise("add", total, term)
    assert total is not None
    return total
