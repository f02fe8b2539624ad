"""Products in which an exactly zero derivative absorbs: `0 * inf = 0 * nan = 0`.

A branch that is not taken contributes nothing.  Its cotangent is exactly zero, and so is its contribution,
however singular its slope.  The ordinary product is computed first; only where a NaN turns up (one dot product
of the result with itself tells) are the zeros looked for, so the usual case costs next to nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def has_nan(value: Any) -> bool:
    """Whether any entry of a NumPy array or scalar is NaN: the squares of the others cannot cancel."""
    if type(value) is np.ndarray:
        flat = value.ravel()
        kind = flat.dtype.kind
        if kind == "c":
            return bool(np.isnan(flat).any())
        total = flat.dot(flat)
        return bool(total != total)
    if isinstance(value, np.generic):
        return bool(value != value)
    return bool(np.any(value != value))


def strong_product(slope: Any, tangent: Any) -> Any:
    """`slope * tangent`, with 0 where either factor is exactly 0."""
    product = slope * tangent
    if isinstance(product, (np.ndarray, np.generic)):
        if has_nan(product):
            return np.where((slope == 0) | (tangent == 0), product.dtype.type(0), product)[()]
        return product
    return np.where((slope == 0) | (tangent == 0), 0, product)


def strong_contraction(evaluate: Any, operands: tuple[Any, ...]) -> Any:
    """`evaluate(*operands)` for a multilinear `evaluate`, with `0 * inf = 0 * nan = 0` inside its sums.

    A sum of products is recomputed only when it shows a NaN: finite parts first, then, entry by entry,
    whether a non-finite factor really met non-zero partners.
    """
    result = evaluate(*operands)
    if len(operands) < 2 or not isinstance(result, (np.ndarray, np.generic)) or not has_nan(result):
        return result
    arrays = [np.asarray(x) for x in operands]
    finite = evaluate(*[np.where(np.isfinite(x), x, 0) for x in arrays])
    used = np.zeros(np.shape(finite), bool)
    for k, x in enumerate(arrays):
        others = [(y != 0).astype(float) for y in arrays]
        others[k] = (~np.isfinite(x)).astype(float)
        used |= evaluate(*others) > 0
    return np.where(used, result, finite)[()]
