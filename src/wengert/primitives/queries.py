"""Questions about values, whose answers carry no derivative: predicates, counts, places, types, printed forms.

Where the answer has a shape of its own, a batch is asked member by member.  Where the shape depends on the values
(`np.nonzero`), a batch has no answer, and is told so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer, beneath, lowest, peek, shown
from wengert.errors import UnsupportedFunctionError
from wengert.primitives.align import NOT_GIVEN, as_array, as_operand, equalize_ranks
from wengert.primitives.families import discrete
from wengert.primitives.rearranging import concrete, from_end
from wengert.primitives.reductions import reduction_params
from wengert.primitives.shaping import flatten, into
from wengert.primitives.structure import reshape

# --- predicates of each entry ------------------------------------------------------------------------------------------


def _predicate(name: str, function: Callable[..., Any], formula: str) -> Primitive:
    return discrete(name, function, formula=formula, laws=lambda make: [((make(3),), {}), ((make(2, 3, kind="c"),), {})])


are_complex = _predicate("iscomplex", np.iscomplex, "imag a != 0")
are_real = _predicate("isreal", np.isreal, "imag a == 0")
implements(np.iscomplex)(are_complex)
implements(np.isreal)(are_real)


def _infinite(function: Callable[..., Any]) -> Callable[..., Any]:
    code = f"a == {'-' if function is np.isneginf else ''}inf"
    card = discrete(function.__name__, function, code=code, laws=lambda make: [((make(3),), {}), ((np.array([np.inf, -np.inf]),), {})])

    def front(x: Any, out: Any = None) -> Any:
        x = as_array(x)
        if x.dtype.kind == "c":
            msg = f"This operation is not supported for {x.dtype} values because it would be ambiguous."
            raise TypeError(msg)
        return into(out, card(x))

    return front


implements(np.isneginf)(_infinite(np.isneginf))
implements(np.isposinf)(_infinite(np.isposinf))


def _close_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    return close(*equalize_ranks(xs, is_batched), **params)


close = discrete(
    "isclose",
    lambda a, b, rtol, atol, equal_nan: np.isclose(a, b, rtol, atol, equal_nan),
    batch=_close_batch,
    formula="|a - b| <= d + c |b|",
    laws=lambda make: [((make(2, 3), make(3), 0.5, 0.1), {"equal_nan": False})],
)


@close.spell
def _spell_close(a: Any, b: Any, rtol: Any, atol: Any, equal_nan: bool) -> Any:
    near = np.less_equal(np.abs(np.subtract(a, b)), np.add(atol, np.multiply(rtol, np.abs(b))))
    found = np.logical_or(np.logical_and(near, np.isfinite(b)), np.equal(a, b))
    return np.logical_or(found, np.logical_and(np.isnan(a), np.isnan(b))) if equal_nan else found


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether `|a - b| <= atol + rtol |b|`."""
    return close(*map(as_operand, (a, b, rtol, atol)), equal_nan=bool(equal_nan))


# --- all, any, how many ---------------------------------------------------------------------------------------------------


def _quantifier(name: str, function: Callable[..., Any], neutral: bool, formula: str) -> Callable[..., Any]:
    card = discrete(
        name,
        lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims),
        formula=formula,
        laws=lambda make: [
            ((make(3, 4) > 0,), {"axis": (-1,), "keepdims": False}),
            ((make(2, 3),), {"axis": (-2, -1), "keepdims": True}),
        ],
    )

    def front(a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT_GIVEN, *, where: Any = NOT_GIVEN) -> Any:
        a = as_array(a)
        if where is not NOT_GIVEN:
            a = np.where(where, np.not_equal(a, 0), neutral)
        return into(out, card(a, **reduction_params(axis, len(a.shape), keepdims)))

    return front


all_of = implements(np.all)(_quantifier("all", np.all, True, "all a"))
any_of = implements(np.any)(_quantifier("any", np.any, False, "any a"))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """How many entries are not zero."""
    found = np.not_equal(as_array(a), 0)
    count = np.sum if isinstance(found, Tracer) else np.count_nonzero
    return count(found, axis=axis, keepdims=keepdims)


def _truth(answer: Any) -> Any:
    return answer if isinstance(answer, Tracer) else bool(answer)


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all entries are close."""
    return _truth(np.all(isclose(a, b, rtol, atol, equal_nan)))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two arrays have the same shape and the same entries."""
    a, b = as_array(a1), as_array(a2)
    return tuple(a.shape) == tuple(b.shape) and _truth(np.all(_same(a, b, equal_nan)))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether two arrays have the same entries, once one is repeated to the shape of the other."""
    a, b = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(tuple(a.shape), tuple(b.shape))
    except ValueError:
        return False
    return _truth(np.all(np.equal(a, b)))


def _same(a: Any, b: Any, equal_nan: bool) -> Any:
    same = np.equal(a, b)
    return np.logical_or(same, np.logical_and(np.isnan(a), np.isnan(b))) if equal_nan else same


# --- places ------------------------------------------------------------------------------------------------------------------


def _on_value(function: Callable[..., Any]) -> Callable[..., Any]:
    def front(*args: Any, **kwargs: Any) -> Any:
        name = f"np.{function.__name__}"
        plain = [concrete(x, name) if isinstance(x, Tracer) else x for x in args]
        return function(*plain, **{k: concrete(x, name) if isinstance(x, Tracer) else x for k, x in kwargs.items()})

    return front


_function: Any
for _function in (np.nonzero, np.flatnonzero, np.argwhere):
    implements(_function)(_on_value(_function))


@implements(np.ix_)
def open_mesh(*args: Any) -> tuple[Any, ...]:
    """Index arrays that choose rows and columns independently."""
    rank = len(args)
    arrays = [as_array(x) for x in args]
    if any(len(x.shape) != 1 for x in arrays):
        msg = "Cross index must be 1 dimensional"
        raise ValueError(msg)
    places = [np.flatnonzero(x) if x.dtype.kind == "b" else x.astype(int) if x.size == 0 else x for x in arrays]
    return tuple([reshape(x, shape=(1,) * k + (x.shape[0],) + (1,) * (rank - k - 1)) for k, x in enumerate(places)])


def _of_shape(function: Callable[..., Any]) -> Callable[..., Any]:
    def front(arr: Any, *args: Any, **kwargs: Any) -> Any:
        return function(np.broadcast_to(np.empty((), arr.dtype), arr.shape), *args, **kwargs)

    return front


for _function in (np.diag_indices_from, np.tril_indices_from, np.triu_indices_from):
    implements(_function)(_of_shape(_function))


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: Any = "C") -> tuple[Any, ...]:
    """The place on each axis of a position in the array laid end to end."""
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    size = math.prod(lengths)
    if peek(lambda value: np.any((value < 0) | (value >= size)), indices):
        np.unravel_index(lowest(indices), lengths, order)  # raises NumPy's errors
    places = []
    for n in lengths[::-1] if order == "C" else lengths:
        places.append(indices % n)
        indices = indices // n
    return tuple(places[::-1] if order == "C" else places)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    """The position in the array laid end to end of a place on each axis."""
    lengths = tuple(dims) if isinstance(dims, (tuple, list)) else (dims,)
    modes = mode if isinstance(mode, tuple) else (mode,) * len(lengths)
    indices = tuple(multi_index)
    for index, n, how in zip(indices, lengths, modes, strict=True):
        if how == "raise" and peek(lambda value, n=n: np.any((value < 0) | (value >= n)), index):
            np.ravel_multi_index((lowest(index),), (n,), how)  # raises NumPy's errors
    total: Any = 0
    stride = 1
    columns = list(zip(indices, lengths, modes, strict=True))
    for index, n, how in columns[::-1] if order == "C" else columns:
        inside = index % n if how == "wrap" else np.clip(index, 0, n - 1) if how == "clip" else index
        total = total + inside * stride
        stride *= n
    return total


# --- bits ----------------------------------------------------------------------------------------------------------------------------


def _bits(function: Any, example: Any) -> Callable[..., Any]:
    """`packbits` and `unpackbits` of the integers of a batch; real numbers have no bits to look at, as in NumPy."""
    name = function.__name__
    card = discrete(
        name,
        lambda x, axis, bitorder, **count: function(x, axis=axis, bitorder=bitorder, **count),
        laws=lambda make: [((example,), {"axis": -1, "bitorder": "big"})],
    )

    def front(a: Any, /, axis: int | None = None, *args: Any, bitorder: str = "big", **kwargs: Any) -> Any:
        if a.dtype.kind not in "iub":
            raise UnsupportedFunctionError.of_function(function)
        names = ("bitorder",) if name == "packbits" else ("count", "bitorder")
        params = {"bitorder": bitorder, **kwargs, **dict(zip(names, args, strict=False))}
        flat, axis = (flatten(a), -1) if axis is None else (a, from_end(axis, len(a.shape)))
        return card(flat, axis=axis, **params)

    return front


implements(np.packbits)(_bits(np.packbits, np.array([[0, 1, 1], [1, 0, 0]])))
implements(np.unpackbits)(_bits(np.unpackbits, np.array([[3, 200]], np.uint8)))


# --- types and memory -----------------------------------------------------------------------------------------------------------


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex."""
    return bool(x.dtype.kind == "c")


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex."""
    return bool(x.dtype.kind != "c")


def _of_dtypes(function: Callable[..., Any], stand_in: Callable[[Any], Any]) -> Callable[..., Any]:
    def front(*args: Any, **kwargs: Any) -> Any:
        return function(*[stand_in(x) if isinstance(x, Tracer) else x for x in args], **kwargs)

    return front


implements(np.result_type)(_of_dtypes(np.result_type, lambda x: x.dtype))
implements(np.can_cast)(_of_dtypes(np.can_cast, lambda x: x.dtype))
implements(np.common_type)(_of_dtypes(np.common_type, lambda x: np.empty(0, x.dtype)))


def _without_memory(x: Any) -> Any:
    return np.broadcast_to(np.empty((), x.dtype), x.shape)


implements(np.einsum_path)(_of_dtypes(np.einsum_path, _without_memory))


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> Any:
    """The smallest dtype that holds a number; that of an array is its own."""
    return a.dtype if a.shape or beneath(a).ndim else np.min_scalar_type(lowest(a))


def _owner(x: Any) -> Any:
    while getattr(x, "_base", None) is not None:
        x = x._base[0]
    return x


def _sharing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Traced arrays share memory if one is a view of the other, or both of a third; with plain arrays they never do."""

    def front(a: Any, b: Any, /, *args: Any, **kwargs: Any) -> bool:
        return _owner(a) is _owner(b) and bool(function(beneath(a), beneath(b), *args, **kwargs))

    return front


implements(np.may_share_memory)(_sharing(np.may_share_memory))
implements(np.shares_memory)(_sharing(np.shares_memory))


# --- looking at values, and keeping them in files: nothing is computed from what is written -----------------------------------------


def _shown(function: Callable[..., Any], plain: Callable[[Any], Any]) -> Callable[..., Any]:
    def front(*args: Any, **kwargs: Any) -> Any:
        return function(*map(plain, args), **{key: plain(x) for key, x in kwargs.items()})

    return front


for _function in (np.array2string, np.array_repr, np.array_str):
    implements(_function)(_shown(_function, lowest))  # a program may go on with the text
for _function in (np.save, np.savez, np.savez_compressed, np.savetxt):
    implements(_function)(_shown(_function, shown))
