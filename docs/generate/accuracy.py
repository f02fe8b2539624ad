"""Measure the elementwise cards against mpmath, and write `docs/accuracy.md`.

    python docs/generate/accuracy.py             # all cards: some minutes
    python docs/generate/accuracy.py tanh power  # some cards, on the terminal, with the worst points

The unit is eps, the distance from 1 to the next number, relative to the exact derivative at the exact operand.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp
from references import REFERENCES, Reference, exact

import wengert as wg
from wengert.core.primitive import REGISTRY

Point = tuple[Any, ...]


@dataclass(frozen=True)
class Worst:
    """The largest error of one kind, in eps, and where it is: how it was got, which partial, and the operands."""

    error: float
    way: str
    slots: tuple[int, ...]
    point: list[Any]


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


def error(got: Any, true: Any, scale: Any, info: Any) -> float:
    """In eps of `scale`; where that is below the smallest normal number, absolute; beyond the largest, infinity is right."""
    largest = float(info.max)
    if abs(true) >= largest:
        return 0.0 if abs(complex(got)) >= largest * (1 - 16 * float(info.eps)) else np.inf
    if got != got or np.isinf(got):
        return np.inf
    difference = abs(mp.mpmathify(complex(got) if np.iscomplexobj(got) else float(got)) - true)
    if scale < float(info.smallest_normal):
        return 0.0 if difference <= 2 * float(info.smallest_normal) else np.inf
    return float(difference / (scale * float(info.eps)))


def measure(name: str, points: Sequence[Point], dtype: Any = float) -> list[Worst]:
    """The largest errors of the value, of the slopes, and of the second derivatives."""
    reference, info = REFERENCES[name], np.finfo(dtype)
    operands = [np.array(column, dtype) for column in zip(*points, strict=True)]
    for slot, kind in reference.kinds.items():
        operands[slot] = operands[slot].astype(kind)
    with np.errstate(all="ignore"):
        found = partials(name, reference, operands)
    worst = [Worst(0.0, "", (), [])] * 3
    for k in range(len(points)):
        point = [x[k].item() for x in operands]
        y = found["reverse"][()][k]
        if not is_representable(y, info):
            continue
        true = exact(reference, point)
        if y == 0 and abs(true[()]) > 0:
            continue
        for way, table in found.items():
            for slots, got in table.items():
                terms = reference.terms.get(slots)
                scale = max(abs(true[slots]), terms(*map(mp.mpmathify, point)) if terms else 0)
                size = error(got[k], true[slots], scale, info)
                if size > worst[len(slots)].error or not worst[len(slots)].way:
                    worst[len(slots)] = Worst(size, way, slots, point)
    return worst


def is_representable(y: Any, info: Any) -> bool:
    """Whether the value of the function itself has full precision: slopes are written with it."""
    return y == 0 or bool(info.smallest_normal <= abs(y) <= info.max)


def single_points(name: str) -> list[Point]:
    """Those points that float32 can hold apart, normal numbers that are not at a kink or an end of the domain."""
    info = np.finfo(np.float32)

    def is_held(point: Point) -> bool:
        with np.errstate(over="ignore"):
            rounded = [float(np.float32(v)) for v in point]
        normal = all(info.smallest_normal <= abs(v) <= info.max or v == 0 for v in rounded)
        apart = len(set(map(abs, rounded))) == len(set(map(abs, point)))
        return normal and apart and all(v == w or w not in {0.0, 1.0, -1.0, 2.0} for v, w in zip(point, rounded, strict=True))

    return [point for point in REFERENCES[name].points() if is_held(point)]


def complex_points(name: str) -> list[Point]:
    """Points of the complex plane of many sizes, off the axes, and near the points 1, -1, i, -i."""
    reference, rng = REFERENCES[name], np.random.default_rng(3)
    sizes = 10.0 ** np.concatenate([np.arange(-12, 13, 3.0), np.linspace(-1, 1, 12)])
    around = [(c, 10.0**-k) for c in (1, -1, 1j, -1j) for k in range(1, 13)]
    centers = [(0, s) for s in sizes for _ in range(4)] + around
    plane = [c + s * np.exp(1j * rng.uniform(0.1, 1.4)) * 1j ** rng.integers(4) for c, s in centers]
    plane = [complex(z) for z in plane if abs(z) <= reference.complex_size]
    n, arity = len(plane), len(reference.points()[0])
    return [tuple(plane[(k + 7 * j * (k + 1)) % n] for j in range(arity)) for k in range(n)]


# --- the page -------------------------------------------------------------------------------------------------------------

INTRODUCTION = """\
# Accuracy

Every elementwise card, measured against [mpmath](https://mpmath.org): its value, its slopes, and its second derivatives (of
two operands, the mixed ones too), by the forward and the reverse mode.  Only the function itself is written in mpmath;
its exact derivatives are central differences in arithmetic of 500 to 1,100 digits.

The points cover the whole domain: magnitudes from the smallest subnormal number to the largest, both signs, and the
neighbourhoods of singularities, removable singularities and ends of the domain, down to the next floating-point number.
An error is the largest found there, in units of eps (2.2e-16) relative to the exact result *at the exact operand*, however
ill-conditioned the function is.  A result below the smallest normal number is held to that number absolutely, and one
beyond the largest must be infinite.  Where the function's own value has underflowed or overflowed nothing is asked.

The bounds are 4 eps for a value, 8 for a slope and 16 for a second derivative.  There is none for the values that are
SciPy's, or NumPy's `sinc` and complex functions: those are as they are.  A card that is the slope of another (`sech`, and those
that are not functions of NumPy or SciPy) is held to 8 and 16 for its value and slope; its second derivative, `-`, is a third one.

This page is written by `python docs/generate/accuracy.py`.
"""


def number(error: float) -> str:
    """Three digits, or in powers of ten."""
    return f"{error:.2f}" if error < 1000 else f"{error:.0e}"


def row(name: str, points: Sequence[Point], dtype: Any = float) -> str:
    """One line of a table: what was measured."""
    worst = measure(name, points, dtype)
    reference = REFERENCES[name]
    cells = [name, REGISTRY[name].formula, reference.domain, str(len(points))]
    cells = [f"`{cell}`" if k < 2 else cell for k, cell in enumerate(cells)]
    has_second = reference.bounds[2] < np.inf
    cells += [number(w.error) for w in worst[: 2 + has_second]] + ["-"] * (not has_second)
    return "| " + " | ".join([cell.replace("|", "\\|") for cell in cells]) + " |"


def table(rows: Sequence[str]) -> str:
    """The rows under their heading."""
    heading = "| card | function | domain | points | value | slope | second |\n|---|---|---|---|---|---|---|"
    return "\n".join([heading, *rows])


def page() -> str:
    """The whole page."""
    double = [row(name, REFERENCES[name].points()) for name in REFERENCES]
    planar = [row(name, complex_points(name), complex) for name, r in REFERENCES.items() if r.complex_points]
    single = [row(name, single_points(name), np.float32) for name in REFERENCES]
    wider = [f"* `{name}`: {r.reason}." for name, r in REFERENCES.items() if r.reason]
    parts = [
        INTRODUCTION,
        "Wider bounds:\n\n" + "\n".join(wider),
        "## Double precision\n\n" + table(double),
        "## Complex numbers\n\nOff the axes, of sizes from 1e-12 to 1e12, and near 1, -1, i and -i.\n\n" + table(planar),
        "## Single precision\n\nIn units of the eps of float32, 1.2e-7.\n\n" + table(single),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, *measure(name, REFERENCES[name].points()), sep="\n  ")
    if not sys.argv[1:]:
        (Path(__file__).parents[1] / "accuracy.md").write_text(page(), encoding="utf-8")
