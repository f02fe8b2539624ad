"""Sets of values: each result is an entry of the arrays, and has the derivative of the first entry equal to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import as_array
from wengert.primitives.families import discrete
from wengert.primitives.index import ARRAY, index
from wengert.primitives.ordering import by_member, sort
from wengert.primitives.rearranging import concrete, take
from wengert.primitives.shaping import flatten, named


@implements(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, **more: Any,
) -> Any:  # fmt: skip
    """The different entries in ascending order; on request where they first are, which are which, and how many."""
    ar = as_array(ar)
    value = concrete(ar, "np.unique")
    _, first, inverse, counts = np.unique(value, True, True, True, axis, equal_nan=equal_nan, **more)
    values = take(ar, first, axis) if axis is not None else index(flatten(ar), first, layout=(ARRAY,))
    parts = [values]
    parts += [part for part, wanted in ((first, return_index), (inverse, return_inverse), (counts, return_counts)) if wanted]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _all_of(function: Any) -> Any:
    def front(x: Any, /) -> Any:
        x = as_array(x)
        value = concrete(x, "np.unique")
        return function(value)._replace(values=unique(x, equal_nan=False))

    return front


for _name in ("unique_all", "unique_counts", "unique_inverse"):
    for _function in named(_name):
        implements(_function)(_all_of(_function))


@implements(*named("unique_values"))
def unique_values(x: Any, /) -> Any:
    """The different entries in ascending order."""
    return unique(x, equal_nan=False)


def _two(ar1: Any, ar2: Any) -> tuple[Any, Any]:
    return flatten(as_array(ar1)), flatten(as_array(ar2))


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The entries of `ar1` that are in `ar2`, too."""
    ar1, ar2 = _two(ar1, ar2)
    first_value, second_value = (concrete(ar, "np.intersect1d") for ar in (ar1, ar2))
    common, first, second = np.intersect1d(first_value, second_value, assume_unique, return_indices=True)
    values = index(ar1, first, layout=(ARRAY,))
    values = values if values.dtype == common.dtype else np.astype(values, common.dtype)
    return (values, first, second) if return_indices else values


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """The different entries of both."""
    return unique(np.concatenate(_two(ar1, ar2)))


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The entries of `ar1` that are not in `ar2`."""
    ar1 = flatten(as_array(ar1)) if assume_unique else unique(ar1)
    return ar1[concrete(isin(ar1, ar2, assume_unique=True, invert=True), "np.setdiff1d")]


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The entries that are in one of both only."""
    both = np.concatenate(_two(ar1, ar2) if assume_unique else (unique(ar1), unique(ar2)))
    both = sort(both)
    value = concrete(both, "np.setxor1d")
    is_new = np.concatenate([[True], value[1:] != value[:-1], [True]])
    return both[is_new[1:] & is_new[:-1]]


def _isin_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    return by_member(lambda: contained, slice(1, None))(xs, is_batched, params)


contained: Primitive = discrete(
    "isin",
    lambda element, test_elements, **params: np.isin(element, test_elements, **params),
    batch=_isin_batch,
    laws=lambda make: [((np.array([1.0, 2, 3]), np.array([3.0, 1])), {"invert": False})],
)


@implements(np.isin, *named("in1d"))
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    """Which entries are among the others."""
    element, test_elements = as_array(element), as_array(test_elements)
    if not isinstance(element, Tracer) and not isinstance(test_elements, Tracer):
        return np.isin(element, test_elements, assume_unique, invert, kind=kind)
    return contained(element, test_elements, assume_unique=assume_unique, invert=invert, kind=kind)
