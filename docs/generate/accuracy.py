"""Measure the elementwise cards against mpmath, and write `docs/accuracy.md`.

    python docs/generate/accuracy.py

The unit is eps, the distance from 1 to the next number, relative to the exact derivative at the exact operand.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp

sys.path.insert(0, str(Path(__file__).parent))
from references import REFERENCES, Reference, exact  # noqa: E402 - beside this file

import wengert as wg  # noqa: E402
from wengert.core.primitive import REGISTRY  # noqa: E402


def partials(name: str, reference: Reference, operands: Sequence[Any]) -> dict[str, dict[tuple[int, ...], Any]]:
    """Value, slopes and second partials at many points, for each way of getting them."""
    card = REGISTRY[name]
    slots = [k for k in range(len(operands)) if k not in reference.constant]
    active = [operands[k] for k in slots]

    def function(*xs: Any) -> Any:
        full = list(operands)
        for slot, x in zip(slots, xs, strict=True):
            full[slot] = x
        return card(*full)

    y = function(*active)
    one, zero = np.ones(y.shape, y.dtype), np.zeros(y.shape, y.dtype)

    def reverse(k: int) -> Any:
        return lambda *xs: np.conjugate(wg.vjp(function, *xs)[1](one)[k])

    def forward(f: Any, k: int) -> Any:
        return lambda *xs: wg.jvp(f, xs, tuple(one if j == k else zero for j in range(len(xs))))[1]

    found: dict[str, dict[tuple[int, ...], Any]] = {"reverse": {(): y}, "forward": {}}
    for i, slot in enumerate(slots):
        found["reverse"][slot,] = reverse(i)(*active)
        found["forward"][slot,] = forward(function, i)(*active)
        for j, other in enumerate(slots):
            found["reverse"][slot, other] = np.conjugate(wg.vjp(reverse(i), *active)[1](one)[j])
            found["forward"][slot, other] = forward(forward(function, i), j)(*active)
    return found


def error(got: Any, true: Any, scale: Any, eps: float, info: Any) -> float:
    """In eps relative to `scale`; below the smallest normal number, absolute; beyond the largest, infinity is right."""
    if mp.isnan(true):
        return 0.0 if got != got else np.inf
    if abs(true) >= info.max:
        return 0.0 if abs(complex(got)) >= info.max * (1 - 16 * eps) else np.inf
    if got != got or np.isinf(got):
        return np.inf
    difference = abs(mp.mpmathify(complex(got) if np.iscomplexobj(got) else float(got)) - true)
    if abs(true) < info.smallest_normal:
        return 0.0 if difference <= 2 * info.smallest_normal else float("inf")
    return float(difference / (scale * eps))


def measure(name: str, points: Sequence[tuple[Any, ...]] | None = None, dtype: Any = float) -> list[list[tuple[float, Any]]]:
    """For value, slopes, and second derivatives: the errors in eps, each with its place, the largest first."""
    reference = REFERENCES[name]
    points = reference.points() if points is None else list(points)
    info = np.finfo(dtype)
    eps = float(info.eps)
    operands = [np.array(column, dtype) for column in zip(*points, strict=True)]
    for slot, kind in reference.kinds.items():
        operands[slot] = operands[slot].astype(kind)
    with np.errstate(all="ignore"):
        found = partials(name, reference, operands)
    errors: list[list[tuple[float, Any]]] = [[], [], []]
    for k in range(len(points)):
        point = [x[k].item() for x in operands]
        if not is_representable(found["reverse"][()][k], info):
            continue
        true = exact(reference, point)
        for way, table in found.items():
            for key, got in table.items():
                terms = reference.terms.get(key)
                scale = abs(true[key]) if terms is None else max(abs(true[key]), terms(*map(mp.mpmathify, point)))
                errors[len(key)].append((error(got[k], true[key], scale, eps, info), (way, key, point)))
    return [sorted(rows, key=lambda row: -row[0]) for rows in errors]


def is_representable(y: Any, info: Any) -> bool:
    """Whether the value of the function itself has full precision: slopes are written with it."""
    return y == 0 or bool(info.smallest_normal <= abs(y) <= info.max)


if __name__ == "__main__":
    for name in sys.argv[1:] or REFERENCES:
        print(name, len(REFERENCES[name].points()), [(f"{rows[0][0]:.4g}", *rows[0][1]) for rows in measure(name)], flush=True)
