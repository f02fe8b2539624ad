"""The traced array: a tracer that speaks NumPy's protocols.

It knows no operation itself.  `FRONT` says which function stands for each NumPy function, and the rooms above
fill it: a card names the NumPy function that it is, and a composite function registers with `implements`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from wengert.core.trace import Tracer, constant_like, is_constant, lowest, peek, shown
from wengert.errors import (
    LostDerivativeError,
    NotDifferentiableError,
    UnsupportedFunctionError,
)

FRONT: dict[Any, Callable[..., Any]] = {}
UFUNC_METHODS: dict[str, Callable[..., Any]] = {}  # "__call__" with keywords, "reduce", "at" ... of any ufunc
CREATORS: set[Any] = set()  # functions with NumPy's `like=`: what they make is watched by whoever watches that array
_SILENT = object()
_USUAL: set[type] = {float, int, complex, np.ndarray, np.float64}  # operands that operators need not ask


def implements(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say that the decorated function is what these NumPy functions mean on a traced array."""

    def register(front: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FRONT[function] = front
        return front

    return register


def member(name: str) -> Callable[[Any], Any]:
    """Make the decorated function (or property) a method (an attribute) of every traced array."""

    def register(attribute: Any) -> Any:
        setattr(Array, name, attribute)
        return attribute

    return register


def _defers(other: Any) -> bool:
    """Whether an operator leaves the work to the other operand, as `np.ndarray` would."""
    if isinstance(other, (Tracer, list, tuple, str, bytes)):
        return isinstance(other, (str, bytes))
    if isinstance(other, np.ndarray) and other.__array_priority__ > 0.0:
        raise NotDifferentiableError.of_subclass("an operand", other)
    theirs = getattr(other, "__array_ufunc__", _SILENT)
    return theirs is None or theirs is _SILENT and getattr(other, "__array_priority__", -1.0) > 0.0


def _binary(function: Any) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        if type(other) not in _USUAL and _defers(other):
            return NotImplemented
        return FRONT[function](self, other)

    return operate


def _equality(function: Any) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        if type(other) not in _USUAL and _defers(other):
            if not isinstance(other, (str, bytes)):
                return NotImplemented
            other = np.asarray(other, object)
        return FRONT[function](self, other)

    return operate


def _reflected(function: Any) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        if type(other) not in _USUAL:
            _defers(other)  # may refuse
        return FRONT[function](other, self)

    return operate


def _unary(function: Any) -> Callable[..., Any]:
    def operate(self: Any) -> Any:
        return FRONT[function](self)

    return operate


def _in_place(function: Any) -> Callable[..., Any]:
    def operate(self: Any, other: Any) -> Any:
        if type(other) not in _USUAL and _defers(other):
            return NotImplemented
        new = FRONT[function](self, other)
        return new if self.is_scalar and not hasattr(self, "_base") else self._replace(new)

    return operate


def _truth(x: Any) -> Any:
    return x if x.dtype.kind == "b" else x != 0


class Array(Tracer):
    """A NumPy array that a transformation watches; use it as you would use the array."""

    __slots__ = ("_base", "_views")
    __hash__ = None  # type: ignore[assignment]

    if TYPE_CHECKING:  # the methods of `np.ndarray`, which `member` adds

        def __getattr__(self, name: str) -> Any: ...

    # --- what NumPy asks -------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            front = FRONT.get(ufunc)
            if front is not None:
                return front(*args)
        return UFUNC_METHODS[method](ufunc, *args, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        front = FRONT.get(function)
        if front is None:
            raise UnsupportedFunctionError.of_function(function)
        result = front(*args, **kwargs)
        return constant_like(result, self) if type(result) is np.ndarray and function in CREATORS else result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            msg = "a traced array has no plain memory to share: it cannot be converted with copy=False"
            raise ValueError(msg)
        return np.array(self._plain("array"), dtype)

    # --- what it looks like ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape  # type: ignore[no-any-return]

    @shape.setter
    def shape(self, shape: Any) -> None:
        FRONT[np.ndarray.shape](self, shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_scalar(self) -> bool:
        """Whether NumPy's value is a number and not an array: `x[0]`, `np.sum(x)`.  Numbers do not change in place."""
        return isinstance(self.value, np.generic) or isinstance(self.value, Array) and self.value.is_scalar

    def __len__(self) -> int:
        if not self.shape:
            msg = "len() of unsized object"
            raise TypeError(msg)
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Array({shown(self)!r})"

    def __str__(self) -> str:
        return str(shown(self))

    def __format__(self, spec: str) -> str:
        return format(shown(self), spec)

    # --- numbers: control flow may look, derivatives may not be lost ---------------------------------------

    def __bool__(self) -> bool:
        return bool(peek(_truth, self))

    def _plain(self, wanted: str) -> Any:
        """The plain value, where it depends on nothing (`stop_gradient` says so); else the derivative would be lost."""
        if is_constant(self):
            return lowest(self)
        raise LostDerivativeError.of_conversion(wanted, self)

    def __float__(self) -> float:
        return float(self._plain("float"))

    def __int__(self) -> int:
        return int(self._plain("int"))

    def __complex__(self) -> complex:
        return complex(self._plain("complex"))

    def __index__(self) -> int:
        return operator.index(self._plain("index"))

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

    def __contains__(self, item: Any) -> bool:
        return bool(FRONT[np.any](self == item))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._plain("pickle").__reduce_ex__(protocol)

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
    __and__, __rand__, __iand__ = _binary(np.bitwise_and), _reflected(np.bitwise_and), _in_place(np.bitwise_and)
    __or__, __ror__, __ior__ = _binary(np.bitwise_or), _reflected(np.bitwise_or), _in_place(np.bitwise_or)
    __xor__, __rxor__, __ixor__ = _binary(np.bitwise_xor), _reflected(np.bitwise_xor), _in_place(np.bitwise_xor)
    __lshift__, __rlshift__, __ilshift__ = _binary(np.left_shift), _reflected(np.left_shift), _in_place(np.left_shift)
    __rshift__, __rrshift__ = _binary(np.right_shift), _reflected(np.right_shift)
    __irshift__ = _in_place(np.right_shift)
    __neg__, __pos__, __abs__ = _unary(np.negative), _unary(np.positive), _unary(np.absolute)
    __invert__ = _unary(np.invert)
    __lt__, __le__, __gt__, __ge__ = map(_binary, (np.less, np.less_equal, np.greater, np.greater_equal))
    __eq__, __ne__ = _equality(np.equal), _equality(np.not_equal)  # type: ignore[assignment]


_USUAL.add(Array)
