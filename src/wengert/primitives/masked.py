"""`x[mask]` where each member of a batch has a mask of its own.

The members would choose different numbers of entries, so what is chosen has no shape.  It is kept as the whole
array together with its mask: elementwise functions are computed everywhere and used where the mask holds, which
is all that `x[mask] += 1`, `x[mask] = np.sqrt(x[mask])` or `np.sum(x[mask])` need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from wengert.core.trace import Tracer, beneath, peek
from wengert.errors import BatchError, page

_REDUCTIONS = (np.sum, np.mean, np.prod, np.any, np.all, np.std, np.var)


def is_batch_of(x: Any, kinds: str) -> bool:
    """Whether `x` is traced, of a dtype of these kinds, and different for each member of a batch."""
    return isinstance(x, Tracer) and x.dtype.kind in kinds and beneath(x).ndim != len(x.shape)


def refuse(what: str) -> NoReturn:
    """Raise the error of a shape that members of a batch do not share."""
    raise BatchError(
        page(
            f"{what} depends on the values of a batch.",
            "Each member of the batch could need a shape of its own, and all are computed together.",
            "np.where(mask, a, b)   # keeps the shape\n"
            "x[mask] = v   # or x[mask] += v, with a number v\n"
            "[f(x) for x in batch]   # instead of vmap",
            "batch",
        )
    )


def spread_mask(mask: Any, rank: int) -> Any:
    """A mask of the leading axes, with axes of length 1 for the rest."""
    missing = rank - len(mask.shape)
    return mask if missing == 0 else np.reshape(mask, (*mask.shape, *(1,) * missing))


class Masked(NDArrayOperatorsMixin):
    """The entries of `values` where `mask` holds, for every member of a batch."""

    __slots__ = ("mask", "values")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Any, mask: Any) -> None:
        self.values = values
        self.mask = mask

    @property
    def is_whole(self) -> bool:
        """Whether single entries were chosen, and not rows."""
        return len(self.mask.shape) == len(self.values.shape)

    def full(self, x: Any) -> Any:
        """An operand that goes with every entry: a number, a row, or what the same mask chooses from an array."""
        if isinstance(x, Masked):
            if x.mask is not self.mask and not peek(np.array_equal, x.mask, self.mask):
                refuse("putting together what two masks choose")
            if len(x.values.shape) != len(self.values.shape):
                refuse("putting together entries and rows that a mask chooses")
            return x.values
        if np.ndim(x) > len(self.values.shape) - len(self.mask.shape):
            refuse("x[mask] with an array that has an entry for each chosen one")
        return x

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        (target,) = kwargs.pop("out", (None,))
        if method != "__call__" or kwargs:
            refuse(f"np.{ufunc.__name__}.{method} of x[mask]")
        if ufunc.signature is not None:
            return self._product(ufunc, *inputs)
        with np.errstate(all="ignore"):  # what is not chosen may lie outside the domain
            result = ufunc(*map(self.full, inputs))
        if isinstance(target, Masked):
            target.values = result
            return target
        if isinstance(result, tuple):
            return tuple([Masked(part, self.mask) for part in result])
        return Masked(result, self.mask)

    def _product(self, ufunc: Any, *inputs: Any) -> Any:
        """`v @ w` of two vectors that the same mask chooses."""
        left, right = map(self.full, inputs)
        if ufunc not in (np.matmul, np.vecdot) or not self.is_whole or not all(isinstance(x, Masked) for x in inputs):
            refuse(f"np.{ufunc.__name__} of x[mask]")
        return np.sum((np.conj(left) if ufunc is np.vecdot else left) * right, where=self.mask)

    def __array_function__(self, function: Any, types: Any, args: Sequence[Any], kwargs: Any) -> Any:
        if function in (np.dot, np.inner, np.vdot) and len(args) == 2 and not kwargs:
            return self._product(np.vecdot if function is np.vdot else np.matmul, *args)
        if function not in _REDUCTIONS or len(args) != 1:
            refuse(f"np.{function.__name__} of x[mask]")
        return self._reduced(function, **kwargs)

    def _reduced(self, function: Callable[..., Any], axis: Any = None, **kwargs: Any) -> Any:
        """A sum, or another reduction, of what is chosen; `axis` counts as in `x[mask]`, where what the mask chooses is one axis."""
        if kwargs or (axis not in (None, 0) and not (self.is_whole and axis == -1)):
            refuse(f"np.{function.__name__} of x[mask] with settings")
        along = None if axis is None else tuple(range(len(self.mask.shape)))
        return function(self.values, axis=along, where=spread_mask(self.mask, len(self.values.shape)))

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("the array x[mask]")

    @property
    def shape(self) -> NoReturn:
        refuse("the shape of x[mask]")

    @property
    def size(self) -> NoReturn:
        refuse("the size of x[mask]")

    def __len__(self) -> int:  # noqa: PLE0303 - it has no length to return
        refuse("the length of x[mask]")

    def __getattr__(self, name: str) -> NoReturn:
        if not hasattr(np.ndarray, name) or name.startswith("__"):
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg)
        refuse(f"x[mask].{name}")

    def __getitem__(self, index: Any) -> NoReturn:
        refuse("an entry of x[mask]")

    def __iter__(self) -> NoReturn:
        refuse("going through the entries of x[mask]")


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._reduced(function, *args, **kwargs)

    return call


for _function in _REDUCTIONS:
    setattr(Masked, _function.__name__, _method(_function))
