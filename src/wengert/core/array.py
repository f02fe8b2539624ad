"""The traced array: a tracer that speaks NumPy's protocols.

It knows no operation itself.  `FRONT` says which function stands for each NumPy function, and the rooms above
fill it: a card names the NumPy function that it is, and a composite function registers with `implements`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from wengert.core.trace import Tracer, lowest
from wengert.errors import (
    LostDerivativeError,
    UnsupportedFunctionError,
)

FRONT: dict[Any, Callable[..., Any]] = {}
UFUNC_METHODS: dict[tuple[str, Any], Callable[..., Any]] = {}  # (method, ufunc), or (method, None) for any ufunc


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say that the decorated function is what these NumPy functions mean on a traced array."""

    def register(front: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FRONT[function] = front
        return front

    return register


def _binary(function: Any) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        if isinstance(other, _DEFER):
            return NotImplemented
        return FRONT[function](self, other)

    return operate


def _reflected(function: Any) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        return FRONT[function](other, self)

    return operate


def _unary(function: Any) -> Callable[..., Any]:
    def operate(self: Any) -> Any:
        return FRONT[function](self)

    return operate


def _in_place(function: Any) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        return self._replace(FRONT[function](self, other))

    return operate


def _method(function: Any) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return FRONT[function](self, *args, **kwargs)

    return call


_DEFER = (str, bytes)


class Array(Tracer):
    """A NumPy array that a transformation watches; use it as you would use the array."""

    __slots__ = ("_base", "_views")
    __hash__ = None  # type: ignore[assignment]

    # --- what NumPy asks -------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "__call__":
            front = FRONT.get(ufunc)
            if front is not None and not kwargs:
                return front(*args)
        out = kwargs.pop("out", None)
        result = UFUNC_METHODS["__call__", None](ufunc, method, *args, out=out, **kwargs)
        return result

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        front = FRONT.get(function)
        if front is None:
            raise UnsupportedFunctionError.of_function(function)
        return front(*args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise LostDerivativeError.of_conversion("np.asarray(x)", self)

    # --- what it looks like ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape  # type: ignore[no-any-return]


    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        n = 1
        for length in self.shape:
            n *= length
        return n

    def __len__(self) -> int:
        if not self.shape:
            msg = "len() of unsized object"
            raise TypeError(msg)
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Array({lowest(self)!r})"

    def __str__(self) -> str:
        return str(lowest(self))

    def __format__(self, spec: str) -> str:
        return format(lowest(self), spec)

    # --- numbers: control flow may look, derivatives may not be lost ---------------------------------------

    def __bool__(self) -> bool:
        return bool(lowest(self))

    def __float__(self) -> float:
        raise LostDerivativeError.of_conversion("float(x)", self)

    def __int__(self) -> int:
        raise LostDerivativeError.of_conversion("int(x)", self)

    def __complex__(self) -> complex:
        raise LostDerivativeError.of_conversion("complex(x)", self)

    def __index__(self) -> int:
        raise LostDerivativeError.of_conversion("using x as an index", self)

    # --- parts and assignment --------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        return FRONT[operator.getitem](self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        FRONT[operator.setitem](self, index, value)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            msg = "iteration over a 0-d array"
            raise TypeError(msg)
        return (self[k] for k in range(self.shape[0]))

    def _replace(self, new: Any) -> Array:
        """Take the value of `new`, of the same shape: what assignment does to this array and all its views."""
        return FRONT[operator.iadd](self, new)  # type: ignore[no-any-return]

    def __copy__(self) -> Any:
        return FRONT[np.copy](self)

    def __deepcopy__(self, memo: Any) -> Any:
        return FRONT[np.copy](self)

    # --- operators ---------------------------------------------------------------------------------------------

    __add__, __radd__, __iadd__ = _binary(np.add), _reflected(np.add), _in_place(np.add)
    __sub__, __rsub__, __isub__ = _binary(np.subtract), _reflected(np.subtract), _in_place(np.subtract)
    __mul__, __rmul__, __imul__ = _binary(np.multiply), _reflected(np.multiply), _in_place(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.true_divide), _reflected(np.true_divide)
    __itruediv__ = _in_place(np.true_divide)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide), _reflected(np.floor_divide)
    __ifloordiv__ = _in_place(np.floor_divide)
    __mod__, __rmod__, __imod__ = _binary(np.remainder), _reflected(np.remainder), _in_place(np.remainder)
    __pow__, __rpow__, __ipow__ = _binary(np.power), _reflected(np.power), _in_place(np.power)
    __matmul__, __rmatmul__ = _binary(np.matmul), _reflected(np.matmul)
    __imatmul__ = _in_place(np.matmul)
    __divmod__, __rdivmod__ = _binary(np.divmod), _reflected(np.divmod)
    __and__, __rand__ = _binary(np.bitwise_and), _reflected(np.bitwise_and)
    __or__, __ror__ = _binary(np.bitwise_or), _reflected(np.bitwise_or)
    __xor__, __rxor__ = _binary(np.bitwise_xor), _reflected(np.bitwise_xor)
    __neg__, __pos__, __abs__ = _unary(np.negative), _unary(np.positive), _unary(np.absolute)
    __invert__ = _unary(np.invert)
    __lt__, __le__, __gt__, __ge__ = map(_binary, (np.less, np.less_equal, np.greater, np.greater_equal))
    __eq__, __ne__ = _binary(np.equal), _binary(np.not_equal)  # type: ignore[assignment]
