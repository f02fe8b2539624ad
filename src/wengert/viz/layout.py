"""A layered layout after Sugiyama, Tagawa and Toda (1981): layers, few crossings, then coordinates.

Sizes differ, and each edge carries a label that must not overlap anything; so a label is a vertex of its own, in a layer
between those of the nodes.  (The layout packages that a permissive licence and `pip` offer know vertices
of one size only.)
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GAP = 26.0  # between neighbours in a layer
LAYER_GAP = 22.0
LONGEST = 8  # an edge across more layers of nodes is cut: its source is named again next to its target
WIDEST_FAN = 6  # and so are the edges from one node to more nodes than this of one layer
_ORDER_SWEEPS, _COORDINATE_SWEEPS = 16, 24
Key = str


@dataclass(slots=True)
class Vertex:
    """A node, an edge's label, or a bend of an edge."""

    width: float
    height: float
    layer: int
    x: float = 0.0
    y: float = 0.0
    above: list[Vertex] = field(default_factory=list)
    below: list[Vertex] = field(default_factory=list)
    position: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """From a node to a node, with a label of this size."""

    source: Key
    target: Key
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where an edge runs: its points from top to bottom, and the middle of its label.

    `is_cut` says that it starts at a second mention of its source.
    """

    points: tuple[tuple[float, float], ...]
    label: tuple[float, float]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The middle of each node, a route for each edge, and the size of the whole."""

    positions: dict[Key, tuple[float, float]]
    routes: list[Route]
    width: float
    height: float


def place(
    sizes: Mapping[Key, tuple[float, float]],
    edges: Sequence[Edge],
    mention: Mapping[Key, tuple[float, float]] | None = None,
) -> Layout:
    """Lay out a graph whose `sizes` come in an order in which edges run forwards.

    `mention` is the size of a second mention of each node.
    """
    layers = layers_of(sizes, edges)
    fans = Counter((edge.source, layers[edge.target]) for edge in edges)
    vertices = {key: Vertex(*size, layer=2 * layers[key]) for key, size in sizes.items()}
    everything = list(vertices.values())
    chains: list[list[Vertex]] = []
    cuts: list[bool] = []
    for edge in edges:
        source, target = vertices[edge.source], vertices[edge.target]
        is_far = target.layer - source.layer > 2 * LONGEST or fans[edge.source, layers[edge.target]] > WIDEST_FAN
        is_cut = mention is not None and is_far
        if mention is not None and is_far:
            source = Vertex(*mention[edge.source], layer=target.layer - 2)
            everything.append(source)
        bends = [Vertex(4.0, 0.0, layer) for layer in range(source.layer + 1, target.layer)]
        bends[-1].width, bends[-1].height = edge.width, edge.height
        everything += bends
        chain = [source, *bends, target]
        for upper, lower in zip(chain, chain[1:], strict=False):
            upper.below.append(lower)
            lower.above.append(upper)
        chains.append(chain)
        cuts.append(is_cut)
    rows = order(everything)
    coordinate(rows)
    routes = [_route(chain, is_cut) for chain, is_cut in zip(chains, cuts, strict=True)]
    right = max((v.x + v.width / 2 for v in everything), default=0.0)
    bottom = max((v.y + v.height / 2 for v in everything), default=0.0)
    return Layout({key: (v.x, v.y) for key, v in vertices.items()}, routes, right, bottom)


def layers_of(sizes: Mapping[Key, tuple[float, float]], edges: Sequence[Edge]) -> dict[Key, int]:
    """The layer of each node: below all its predecessors, sources on top, and the rest just above its first use."""
    layers = dict.fromkeys(sizes, 0)
    sources: dict[Key, list[Key]] = {key: [] for key in sizes}
    targets: dict[Key, list[Key]] = {key: [] for key in sizes}
    for edge in edges:
        sources[edge.target].append(edge.source)
        targets[edge.source].append(edge.target)
    for key in sizes:
        layers[key] = max((layers[source] + 1 for source in sources[key]), default=0)
    for key in reversed(list(sizes)):
        if sources[key] and targets[key]:
            layers[key] = min(layers[target] for target in targets[key]) - 1
    return layers


def order(vertices: Sequence[Vertex]) -> list[list[Vertex]]:
    """The vertices layer by layer, ordered by barycentres so that few edges cross."""
    rows: list[list[Vertex]] = [[] for _ in range(1 + max((v.layer for v in vertices), default=0))]
    for vertex in vertices:
        rows[vertex.layer].append(vertex)
    _number(rows)
    best, fewest = [list(row) for row in rows], crossings(rows)
    for sweep in range(_ORDER_SWEEPS):
        if fewest == 0:
            break
        downwards = sweep % 2 == 0
        for row in rows if downwards else reversed(rows):
            row.sort(key=lambda v: _mean_position(v, v.above if downwards else v.below))
            _number([row])
        found = crossings(rows)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    _number(best)
    _switch(best)
    return best


def _switch(rows: Sequence[list[Vertex]]) -> None:
    """Let neighbours change places wherever that leaves fewer crossings, until none does."""
    improved = True
    while improved:
        improved = False
        for row in rows:
            for k in range(len(row) - 1):
                left, right = row[k], row[k + 1]
                if _pair_crossings(left, right) > _pair_crossings(right, left):
                    row[k], row[k + 1] = right, left
                    left.position, right.position = k + 1, k
                    improved = True


def _pair_crossings(left: Vertex, right: Vertex) -> int:
    """How many edges of two neighbours cross while they stand in this order."""
    return sum(
        a.position > b.position
        for mine, other in ((left.above, right.above), (left.below, right.below))
        for a in mine
        for b in other
    )


def _number(rows: Sequence[Sequence[Vertex]]) -> None:
    for row in rows:
        for position, vertex in enumerate(row):
            vertex.position = position


def _mean_position(vertex: Vertex, neighbours: Sequence[Vertex]) -> float:
    if not neighbours:
        return vertex.position
    return sum(v.position for v in neighbours) / len(neighbours)


def crossings(rows: Sequence[Sequence[Vertex]]) -> int:
    """How many pairs of edges cross."""
    total = 0
    for row in rows:
        ends: list[int] = []
        for vertex in row:
            targets = sorted(v.position for v in vertex.below)
            total += sum(len(ends) - bisect_right(ends, target) for target in targets)
            for target in targets:
                insort(ends, target)
    return total


def coordinate(rows: Sequence[Sequence[Vertex]]) -> None:
    """Give each vertex its place: near its neighbours, in the row's order, without overlap."""
    y = 0.0
    for row in rows:
        height = max((v.height for v in row), default=0.0)
        x = 0.0
        for vertex in row:
            vertex.x, vertex.y = x + vertex.width / 2, y + height / 2
            x += vertex.width + GAP
        y += height + LAYER_GAP
    for sweep in range(_COORDINATE_SWEEPS):
        is_last = sweep >= _COORDINATE_SWEEPS - 2
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for v in row:
                near = v.above + v.below if is_last else (v.above if sweep % 2 == 0 else v.below) or v.above + v.below
                wanted.append(sum(n.x for n in near) / len(near) if near else v.x)
            for vertex, x in zip(row, spaced(row, wanted), strict=True):
                vertex.x = x
    left = min((v.x - v.width / 2 for row in rows for v in row), default=0.0)
    for row in rows:
        for vertex in row:
            vertex.x -= left


def spaced(row: Sequence[Vertex], wanted: Sequence[float]) -> list[float]:
    """The places nearest to `wanted`, in least squares, that leave a gap between neighbours.

    Measured from the tightest packing this is a monotone regression, solved by pooling adjacent violators.
    """
    packed = [0.0]
    for left, right in zip(row, row[1:], strict=False):
        packed.append(packed[-1] + (left.width + right.width) / 2 + GAP)
    pools: list[tuple[float, int]] = []
    for place_, tight in zip(wanted, packed, strict=False):
        total, n = place_ - tight, 1
        while pools and pools[-1][0] / pools[-1][1] >= total / n:
            more, k = pools.pop()
            total, n = total + more, n + k
        pools.append((total, n))
    offsets = [total / n for total, n in pools for _ in range(n)]
    return [tight + offset for tight, offset in zip(packed, offsets, strict=False)]


def _route(chain: Sequence[Vertex], is_cut: bool) -> Route:
    source, *bends, target = chain
    start = (source.x + _port(source, source.below, bends[0]), source.y + source.height / 2)
    end = (target.x + _port(target, target.above, bends[-1]), target.y - target.height / 2)
    label = bends[-1]
    points = [start, *((v.x, v.y) for v in bends), end]
    return Route(tuple(points), (label.x, label.y), is_cut)


def _port(vertex: Vertex, neighbours: Sequence[Vertex], neighbour: Vertex) -> float:
    """Edges leave and reach a node side by side, in the order of their other ends."""
    ends = sorted(neighbours, key=lambda v: v.x)
    place_ = next(k for k, v in enumerate(ends) if v is neighbour)
    step = min(22.0, 0.8 * vertex.width / max(1, len(ends)))
    return (place_ - (len(ends) - 1) / 2) * step
