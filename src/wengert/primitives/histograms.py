"""Counting and weighing entries by bins.

A histogram is linear in its weights.  As a function of the entries it is constant but for its jumps; the edges that
NumPy lays between the smallest and the largest entry move with these two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer, beneath, lowest, peek
from wengert.primitives.align import as_array
from wengert.primitives.families import discrete, linear
from wengert.primitives.index import ARRAY, deposit, index
from wengert.primitives.ordering import bisected, by_member
from wengert.primitives.rearranging import concrete
from wengert.primitives.reductions import amax, amin
from wengert.primitives.shaping import flatten, to_dtype
from wengert.primitives.structure import reshape

# --- bincount --------------------------------------------------------------------------------------------------------------


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number occurs in `x`, or how much its occurrences weigh together."""
    x = as_array(x)
    if isinstance(x, Tracer) and peek(lambda value: np.all((value >= 0) & (value < minlength)), x):
        n = minlength  # under `vmap` too: the members agree on the length
    else:
        n = len(np.bincount(concrete(x, "np.bincount"), minlength=minlength))
    if weights is None:
        return deposit(np.ones(tuple(x.shape), int), x, layout=(ARRAY,), shape=(n,))
    weights = as_array(weights)
    if tuple(weights.shape) != tuple(x.shape):
        msg = "The weights and list don't have the same length."
        raise ValueError(msg)
    if weights.dtype.kind == "c":
        msg = "Cannot cast array data from dtype('complex128') to dtype('float64') according to the rule 'safe'"
        raise TypeError(msg)
    if not _size(x):
        return np.zeros(n, int)  # NumPy counts nothing in whole numbers, whatever it weighs
    return deposit(to_dtype(weights, float), x, layout=(ARRAY,), shape=(n,))


# --- cards -----------------------------------------------------------------------------------------------------------------


def _weigh(w: Any, a: Any, *edges: Any, bins: int, limits: Any) -> Any:
    return np.histogram(a, edges[0] if edges else bins, limits, weights=w)[0]


def _bins_of(a: Any, edges: Any) -> Any:
    """The bin of each entry, and the number of bins for those outside; the last bin has both its edges."""
    n = len(edges) - 1
    found = np.searchsorted(edges, a, side="right") - 1
    found = np.where(a == edges[-1], n - 1, found)
    return np.where((found < 0) | (found > n), n, found)


def _read_bins(ct: Any, where: Any) -> Any:
    """The cotangent of the bin of each entry, 0 for those outside."""
    padded = np.concatenate([ct, np.zeros(1, ct.dtype)])
    return index(padded, where, layout=(ARRAY,))


def _edges_inside(a: Any, edges: Sequence[Any], bins: int, limits: Any) -> Any:
    return edges[0] if edges else np.histogram_bin_edges(a, bins, limits)


bin_of: Primitive = discrete(
    "bin_of",
    lambda a, *edges, bins, limits: _bins_of(a, _edges_inside(a, edges, bins, limits)),
    batch=by_member(lambda: bin_of, slice(0, None)),
    laws=lambda make: [((make(5),), {"bins": 3, "limits": None})],
)
@bin_of.spell
def _spell_bin_of(a: Any, *edges: Any, bins: int, limits: Any) -> Any:
    if not edges:
        return NotImplemented
    return _spelled_bins(a, edges[0])


def _spelled_bins(a: Any, edges: Any) -> Any:
    """What `_bins_of` says, in the words of primitives."""
    n = edges.shape[0] - 1
    found = bisected(edges, a, "right") - 1
    found = np.where(np.equal(a, edges[n]), n - 1, found)
    return np.where(np.logical_or(np.less(found, 0), np.greater(found, n)), n, found)


weighed: Primitive = linear(
    "histogram",
    _weigh,
    lambda ct, w, a, *edges, bins, limits: _read_bins(ct, bin_of(a, *edges, bins=bins, limits=limits)),
    batch=by_member(lambda: weighed, slice(0, None)),
    laws=lambda make: [
        ((make(5), np.array([1, 20, 3, 4, 10])), {"bins": 3, "limits": None}),
        ((make(4), np.array([-1, 0.2, 0.9, 7]), np.array([0, 0.5, 1])), {"bins": 2, "limits": None}),
    ],
)
@weighed.spell
def _spell_histogram(w: Any, a: Any, *edges: Any, bins: int, limits: Any) -> Any:
    if not edges or w.dtype.kind != "f":
        return NotImplemented
    return deposit(np.ravel(w), _spelled_bins(np.ravel(a), edges[0]), layout=(ARRAY,), shape=(edges[0].shape[0],))[:-1]


counted: Primitive = discrete(
    "histogram_counts",
    lambda a, *edges, bins, limits: np.histogram(a, edges[0] if edges else bins, limits)[0],
    batch=by_member(lambda: counted, slice(0, None)),
    laws=lambda make: [((make(5),), {"bins": 3, "limits": None})],
)


def _cells_of(sample: Any, *edges: Any) -> Any:
    """The cell of each point in a grid of bins laid end to end; the number of cells for those outside."""
    lengths = [len(e) - 1 for e in edges]
    places = [_bins_of(sample[:, k], e) for k, e in enumerate(edges)]
    is_inside = np.logical_and.reduce([place < n for place, n in zip(places, lengths, strict=True)])
    cells = np.ravel_multi_index([np.where(is_inside, place, 0) for place in places], lengths)
    return np.where(is_inside, cells, int(np.prod(lengths)))


def _grid_adjoint(ct: Any, w: Any, sample: Any, *edges: Any) -> Any:
    cells = reshape(ct, shape=(_size(ct),))
    return to_dtype(_read_bins(cells, cell_of(sample, *edges)), w.dtype)


def _grid_cases(make: Any) -> list[Any]:
    return [((make(5), make(5, 2), np.array([-1.0, 0, 1]), np.array([-2.0, 0, 0.5, 2])), {})]


cell_of: Primitive = discrete(
    "cell_of",
    _cells_of,
    batch=by_member(lambda: cell_of, slice(0, None)),
    laws=lambda make: [(operands[1:], params) for operands, params in _grid_cases(make)],
)
grid_weighed: Primitive = linear(
    "histogramdd",
    lambda w, sample, *edges: np.histogramdd(sample, edges, weights=w)[0],
    _grid_adjoint,
    batch=by_member(lambda: grid_weighed, slice(0, None)),
    laws=_grid_cases,
)
grid_counted: Primitive = discrete(
    "histogramdd_counts",
    lambda sample, *edges: np.histogramdd(sample, edges)[0],
    batch=by_member(lambda: grid_counted, slice(0, None)),
    laws=lambda make: [(operands[1:], params) for operands, params in _grid_cases(make)],
)

# --- edges -----------------------------------------------------------------------------------------------------------------


def _plain_range(range: Any) -> Any:
    return None if range is None else tuple([lowest(end) for end in range])


def _number_of_bins(a: Any, bins: Any, range: Any, weights: Any) -> int:
    """How many equal bins; NumPy chooses by the values if a method of choosing is named, and raises what it raises."""
    if isinstance(bins, str):
        weights = None if weights is None else concrete(weights, "weights")
        return len(np.histogram_bin_edges(concrete(a, f"bins={bins!r}"), bins, range, weights)) - 1
    values: Any = np.zeros(0) if range is not None or isinstance(a, Tracer) else a
    return len(np.histogram_bin_edges(values, bins, range)) - 1


def _edges(a: Any, bins: Any, range: Any, weights: Any) -> tuple[Any, int]:
    """The edges, as moving as the entries that they are laid between, and the number of equal bins; 0 for given edges."""
    if not isinstance(bins, str) and np.ndim(bins):
        edges = as_array(bins)
        is_shared = len(edges.shape) == beneath(edges).ndim
        if is_shared and (len(edges.shape) != 1 or not peek(lambda e: np.all(e[:-1] <= e[1:]), edges)):
            np.histogram_bin_edges(np.zeros(0), lowest(edges))  # raises NumPy's errors
        return edges, 0
    n = _number_of_bins(a, bins, range, weights)
    if range is not None or not isinstance(a, Tracer) or a.dtype.kind not in "fc" or not _size(a):
        values = concrete(a, "the range of np.histogram") if range is None else np.zeros(0, a.dtype)
        return np.histogram_bin_edges(values, n, range), n
    first, last = amin(a), amax(a)
    if not peek(lambda a, b: np.all(np.isfinite(a) & np.isfinite(b)), first, last):
        ends: Any = (lowest(first), lowest(last))
        msg = f"autodetected range of [{ends[0]}, {ends[1]}] is not finite"
        raise ValueError(msg)
    is_one = first == last
    first, last = np.where(is_one, first - 0.5, first), np.where(is_one, last + 0.5, last)
    return np.linspace(first, last, n + 1, dtype=a.dtype), n


def _size(a: Any) -> int:
    return int(np.prod(a.shape, dtype=int))


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """The edges of the bins of `np.histogram`."""
    return _edges(flatten(as_array(a)), bins, _plain_range(range), weights)[0]


# --- histograms --------------------------------------------------------------------------------------------------------------


@implements(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Any, Any]:
    """How many entries fall into each bin, or how much they weigh together; and the edges of the bins."""
    a, w, range = as_array(a), None if weights is None else as_array(weights), _plain_range(range)
    if w is not None and tuple(w.shape) != tuple(a.shape):
        msg = "weights should have the same shape as a."
        raise ValueError(msg)
    a = flatten(a)
    edges, n = _edges(a, bins, range, weights)
    given = () if n else (edges,)
    if w is None:
        counts = counted(a, *given, bins=n, limits=range)
    else:
        counts = weighed(flatten(w), a, *given, bins=n, limits=range)
    if not density:
        return counts, edges
    width = to_dtype(np.diff(edges), float)
    return counts / width / np.sum(counts), edges


def _has_length(bins: Any) -> bool:
    """Whether `bins` is a sequence, and not one number for all dimensions."""
    return isinstance(bins, (list, tuple, str)) or bool(getattr(bins, "shape", ()))


@implements(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Any, list[Any]]:
    """The same for points in several dimensions: a row of `sample` is a point."""
    if not hasattr(sample, "shape") or len(sample.shape) != 2:
        columns = [as_array(x) for x in sample] if isinstance(sample, (list, tuple)) else sample
        sample = np.transpose(np.atleast_2d(np.stack(columns) if isinstance(columns, list) else columns))
    n_axes = sample.shape[1]
    several = list(bins) if _has_length(bins) else [bins] * n_axes
    if len(several) != n_axes:
        msg = "The dimension of bins must be equal to the dimension of the sample x."
        raise ValueError(msg)
    ranges = [None] * n_axes if range is None else [_plain_range(r) for r in range]
    if len(ranges) != n_axes:
        msg = "range argument must have one entry per dimension"
        raise ValueError(msg)
    columns = [sample[:, k] for k in np.arange(n_axes).tolist()]
    columns = [x if r is None else np.zeros(0) for x, r in zip(columns, ranges, strict=True)]  # their dtype has no say
    edges = [_edges(x, b, r, None)[0] for x, b, r in zip(columns, several, ranges, strict=True)]
    counts = grid_counted(sample, *edges) if weights is None else grid_weighed(to_dtype(as_array(weights), float), sample, *edges)
    if density:
        all_of_it = np.sum(counts)
        for k, e in enumerate(edges):
            counts = counts / np.reshape(np.diff(e), tuple([-1 if j == k else 1 for j in np.arange(n_axes)]))
        counts = counts / all_of_it
    return counts, edges


@implements(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Any, Any, Any]:
    """The same for points in the plane."""
    x, y = as_array(x), as_array(y)
    if x.shape[0] != y.shape[0]:
        msg = "x and y must have the same length."
        raise ValueError(msg)
    if _has_length(bins) and len(bins) not in {1, 2}:
        bins = [as_array(bins)] * 2
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]
