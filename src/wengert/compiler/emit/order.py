"""In which order the loops of a nest run, and which neighbours are one loop."""

from __future__ import annotations

from dataclasses import dataclass

from wengert.compiler.loops import LoopNest, Place, Shape

NEIGHBOUR = 1 / 8  # of an access, where a vector of them is one

@dataclass(frozen=True)
class Loops:
    """The loops of a nest from the outermost to the innermost: for each its length, and the letters of the nest that it runs."""

    lengths: Shape
    last: tuple[int, ...]  # the letter that counts single steps of the loop
    ranged: int = -1  # the loop of which a range of rows is run
    scale: int = 1  # how many of its steps are one row

    def strides(self, place: Place) -> Shape:
        """How far a step of each loop moves in a buffer."""
        return tuple([place.strides[k] for k in self.last])

    def letters(self, letters: tuple[int, ...]) -> tuple[int, ...]:
        """The loops that run these letters."""
        return tuple([j for j, k in enumerate(self.last) if k in letters])


def places_of(nest: LoopNest) -> list[Place]:
    """Every place that the nest touches."""
    found = [op.place for op in nest.ops if op.place is not None]
    return [*found, *[s.place for s in nest.stores], *[r.place for r in nest.reductions]]


def order_loops(nest: LoopNest, rows: int | None = None, lanes: bool = False, *, is_kept: bool = False) -> Loops:
    """The loops of a nest; of the letter `rows` only a range is run, and with `is_kept` the letters keep their order.

    The innermost is the one that takes the fewest accesses; the others keep their order, reduced ones last.
    With `lanes` the rows are the innermost.  Letters of length 1 are no loops, and two neighbours that every access walks as one are one.
    """
    letters = [k for k, n in enumerate(nest.space) if n > 1]
    if len(letters) > 1 and not is_kept and not is_in_order(nest):
        inner = min(letters, key=lambda k: (not (lanes and k == rows), _effort(nest, k), -k))
        letters = [*[k for k in letters if k != inner], inner]
    return _collapse(nest, letters, rows)


def is_in_order(nest: LoopNest) -> bool:
    """Whether values are written to places that are computed, where the last one stays."""
    return any(store.place.steps and not store.adds for store in nest.stores)


def _effort(nest: LoopNest, k: int) -> float:
    """How many accesses a step along a letter takes as the innermost: neighbours are read and written at once, anything else one by one,
    and what stays where it is once for all.
    """
    total = sum(0.0 if place.strides[k] == 0 else NEIGHBOUR if place.strides[k] == 1 else 1.0 for place in places_of(nest))
    return total if nest.space[k] >= 4 else total + 100


def _collapse(nest: LoopNest, letters: list[int], rows: int | None) -> Loops:
    places = places_of(nest)
    lengths: list[int] = []
    last: list[int] = []
    ranged, scale = -1, 1
    for k in letters:
        n = nest.space[k]
        if k == rows:
            ranged = len(lengths)
        elif last and _is_one(nest, places, last[-1], k, n):
            lengths[-1] *= n
            last[-1] = k
            scale *= n if ranged == len(lengths) - 1 else 1
            continue
        lengths.append(n)
        last.append(k)
    return Loops(tuple(lengths), tuple(last), ranged, scale)


def _is_one(nest: LoopNest, places: list[Place], outer: int, inner: int, n: int) -> bool:
    """Whether every access and every reduction walks two letters as one."""
    if any((outer in r.letters) != (inner in r.letters) for r in nest.reductions):
        return False
    return all(place.strides[outer] == place.strides[inner] * n for place in places)
