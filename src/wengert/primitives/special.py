"""SciPy's special functions: cards for the ufuncs of a package that may not be loaded.

The cards are here whether SciPy is loaded or not.  A value loads it when first computed; and a ufunc of SciPy is met when
a traced array is first given to one, for by then the user has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert._optional import load
from wengert.core.array import FRONT
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import align_elementwise, align_to_loop, common_dtype, inexact_dtype
from wengert.primitives.elementwise import Slope, elementwise

SPECIAL: dict[str, Primitive] = {}  # by the name that the ufunc has in scipy.special


def of_scipy(name: str) -> Callable[..., Any]:
    """`scipy.special.<name>`, which is looked up at each call."""
    return lambda *xs, **keywords: getattr(load("scipy.special", "a special function", "scipy"), name)(*xs, **keywords)


def promoted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The value of a card from operands that have been given their common dtype."""

    def evaluate(*operands: Any) -> Any:
        dtype = common_dtype(operands)
        return np.asarray(function(*[np.asarray(x, dtype) for x in operands]), dtype)[()]

    return evaluate


def in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """The value of a real card from operands in double precision, rounded to their common dtype."""

    def evaluate(*operands: Any) -> Any:
        dtype = common_dtype(operands)
        if dtype.kind == "c":
            msg = "a complex operand of a function of real numbers"
            raise TypeError(msg)
        return np.asarray(function(*[np.asarray(x, np.float64) for x in operands]), dtype)[()]

    return evaluate


def of_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a card whose last operand is a whole number, or an array of them: a value for each order at once."""

    def evaluate(*operands: Any) -> Any:
        *xs, n = operands
        dtype = np.result_type(inexact_dtype(xs), np.float16)
        values = [np.asarray(x, np.result_type(dtype, np.float64)) for x in xs]
        orders = np.unique(n)
        results = [np.where(n == order, function(*values, int(order)), 0) for order in orders]
        shape = np.broadcast_shapes(*[x.shape for x in values], np.shape(n))
        return np.broadcast_to(sum(results), shape).astype(dtype)[()]

    return evaluate


def in_wide(x: Any) -> Any:
    """An array or a number in double precision."""
    return x.astype(np.float64) if hasattr(x, "astype") else np.float64(x)


def only_order(n: Any) -> int | None:
    """The whole number that an operand repeats; `None` where it is traced, or several."""
    found = set() if isinstance(n, Tracer) else set(np.unique(n).tolist())
    return int(found.pop()) if len(found) == 1 else None


def special(name: str, *slopes: Slope, **facts: Any) -> Primitive:
    """The elementwise card of `scipy.special.<name>`."""
    ufunc = of_scipy(name)

    def align(operands: tuple[Any, ...]) -> tuple[Any, ...]:
        if any(isinstance(x, Tracer) and x.dtype.char == "e" for x in operands):  # SciPy has no loops of half precision
            return align_to_loop(getattr(sys.modules["scipy.special"], name), operands)
        return align_elementwise(operands) if len(operands) > 1 else operands

    card = SPECIAL[name] = elementwise(name, ufunc, *slopes, align=align, **facts)
    return card


def meet(ufunc: Any) -> Callable[..., Any] | None:
    """What a ufunc means that NumPy does not have: those of SciPy become known when the first of them arrives."""
    module = sys.modules.get("scipy.special")
    if module is None:
        return None
    FRONT.update({getattr(module, name): card for name, card in SPECIAL.items() if hasattr(module, name)})
    return FRONT.get(ufunc)
