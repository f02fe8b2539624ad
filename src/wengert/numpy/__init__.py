"""NumPy's whole namespace, and traced values everywhere: `import wengert.numpy as np`.

A function that NumPy passes on to a traced array is NumPy's own object here.  The ones defined here are those that
NumPy cannot pass on, because they take nested lists, numbers, or functions: `np.array([x[0], x[1]])`.
"""

from __future__ import annotations

from typing import Any

import numpy as _numpy

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
    frompyfunc,
    fromfunction,
    fromiter,
    full,
    kaiser,
    mgrid,
    ogrid,
    r_,
    require,
    row_stack,
    vectorize,
)

__all__ = sorted({  # noqa: PLE0605 - NumPy's public names are ours
    *_numpy.__all__,
    "arange", "array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "c_",
    "fromfunction", "fromiter", "frompyfunc", "full", "kaiser", "lib", "mgrid", "ogrid", "polynomial", "r_", "random",
    "require", "row_stack", "vectorize",
})  # fmt: skip


def __getattr__(name: str) -> Any:
    return getattr(_numpy, name)


def __dir__() -> list[str]:
    return sorted({*dir(_numpy), *__all__})
