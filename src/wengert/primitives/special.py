"""SciPy's special functions: cards for the ufuncs of a package that may not be loaded.

The cards are here whether SciPy is loaded or not.  A value loads it when first computed; and a ufunc of SciPy is met when
a traced array is first given to one, for by then the user has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from wengert._optional import load
from wengert.core.array import FRONT
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import align_elementwise, align_to_loop
from wengert.primitives.elementwise import Slope, elementwise

SPECIAL: dict[str, Primitive] = {}  # by the name that the ufunc has in scipy.special


def of_scipy(name: str) -> Callable[..., Any]:
    """`scipy.special.<name>`, which is looked up at each call."""
    return lambda *xs: getattr(load("scipy.special", "a special function", "scipy"), name)(*xs)


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
