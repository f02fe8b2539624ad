"""NumPy's whole namespace, and traced values everywhere: `import wengert.numpy as np`.

A function that NumPy passes on to a traced array is NumPy's own object here.  The ones defined here are those that
NumPy cannot pass on, because they take nested lists, numbers, or functions: `np.array([x[0], x[1]])`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.numpy import lib, polynomial, random
from wengert.numpy.creation import (
    arange,
    array,
    asanyarray,
    asarray,
    asarray_chkfinite,
    ascontiguousarray,
    asfortranarray,
    c_,
    fromfunction,
    fromiter,
    frompyfunc,
    full,
    kaiser,
    mgrid,
    ogrid,
    r_,
    require,
    row_stack,
    vectorize,
)

__all__ = [
    "arange", "array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "c_",
    "fromfunction", "fromiter", "frompyfunc", "full", "kaiser", "lib", "mgrid", "ogrid", "polynomial", "r_", "random",
    "require", "row_stack", "vectorize",
]  # fmt: skip
__all__ += [name for name in np.__all__ if name not in __all__]


def __getattr__(name: str) -> Any:
    return getattr(np, name)


def __dir__() -> list[str]:
    return sorted({*dir(np), *__all__})
