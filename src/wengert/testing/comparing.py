"""A case as a function, random directions, and when two arrays are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.testing.cases import Case
from wengert.testing.differences import widen
from wengert.transforms.linearize import zeros_like

TOLERANCE = {"e": 2e-2, "f": 1e-3, "F": 1e-3, "d": 1e-7, "D": 1e-7}


class Broken(Exception):
    """A law that does not hold: what was found, in words."""


def outputs(card: Primitive, case: Case, operands: Sequence[Any]) -> list[Any]:
    """The results of a card as a list; or what the case observes of them."""
    if case.prepare is not None:
        operands = case.prepare(*operands)
    y = card(*operands, **case.params)
    parts = [y] if card.n_outputs is None else list(y)
    return parts if case.observe is None else list(case.observe(*parts))


def program(card: Primitive, case: Case) -> Callable[..., list[Any]]:
    """The case as a flat function of its active operands, for its floating and complex outputs."""

    def flat(*values: Any) -> list[Any]:
        operands = list(case.operands)
        for slot, value in zip(case.active, values, strict=True):
            operands[slot] = value
        return [y for y in outputs(card, case, operands) if y.dtype.kind in "fc"]

    return flat


def point(case: Case) -> list[Any]:
    """The active operands."""
    return [case.operands[k] for k in case.active]


def direction(rng: np.random.Generator, like: Any) -> Any:
    """A random array of the shape and dtype of `like`."""
    x = rng.uniform(-1, 1, like.shape)
    if like.dtype.kind == "c":
        x = x + 1j * rng.uniform(-1, 1, like.shape)
    return np.asarray(x, like.dtype)


def directions(rng: np.random.Generator, likes: Sequence[Any]) -> list[Any]:
    """One random array for each."""
    return [direction(rng, like) for like in likes]


def inner(left: Sequence[Any], right: Sequence[Any]) -> tuple[float, float]:
    """The real inner product `Re⟨left, right⟩`, and the size of what was added up."""
    terms = [np.real(np.conjugate(widen(a)) * widen(b)) for a, b in zip(left, right, strict=True)]
    return sum(float(np.sum(t)) for t in terms), sum(float(np.sum(np.abs(t))) for t in terms)


def tolerance(*groups: Sequence[Any]) -> float:
    """That of the least precise array."""
    return max((TOLERANCE.get(np.asarray(x).dtype.char, 0.0) for group in groups for x in group), default=1e-7)


def require(holds: Any, message: str) -> None:
    if not holds:
        raise Broken(message)


def close(found: Any, wanted: Any, error: Any, rtol: float, what: str) -> None:
    """Whether `found` is `wanted` to `rtol` of its largest entry and to its own `error`."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    require(found.shape == wanted.shape, f"{what} has shape {found.shape}, and should have {wanted.shape}")
    if wanted.dtype.kind not in "fc":
        require(np.array_equal(found, wanted), f"{what} is {found!r}, and should be {wanted!r}")
        return
    scale = np.max(np.abs(wanted), initial=0, where=np.isfinite(wanted))
    limit = rtol * (scale + 1e-2) + 20 * np.asarray(error)
    require(
        np.all(20 * np.asarray(error) <= max(1e-4, 10 * rtol) * (1 + scale)), f"{what}: the differences do not converge"
    )
    bad = ~(np.abs(widen(found) - widen(wanted)) <= limit) & ~((found == wanted) | (np.isnan(found) & np.isnan(wanted)))
    if np.any(bad):
        place = tuple(int(k) for k in np.argwhere(bad)[0])
        require(False, f"{what} at {place} is {found[place]!r}, and should be {wanted[place]!r}")


def same_bits(found: Any, wanted: Any, what: str) -> None:
    """Whether two arrays agree in shape, dtype and every bit, the sign of zero included."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    require(found.dtype == wanted.dtype, f"{what} has dtype {found.dtype}, and should have {wanted.dtype}")
    require(found.shape == wanted.shape, f"{what} has shape {found.shape}, and should have {wanted.shape}")
    equal = (found == wanted) | ((found != found) & (wanted != wanted))
    if found.dtype.kind == "f":
        equal &= (np.signbit(found) == np.signbit(wanted)) | np.isnan(found)
    require(np.all(equal), f"{what} is {found!r}, and should be {wanted!r}")


def filled(values: Sequence[Any], likes: Sequence[Any]) -> list[Any]:
    return [zeros_like(x) if v is None else v for v, x in zip(values, likes, strict=True)]


def parts_of(y: Any) -> list[Any]:
    return list(y) if isinstance(y, tuple) else [y]


def widened(case: Case) -> Case:
    return case.vary(widen, "")


def subsets(case: Case) -> Iterator[list[bool]]:
    """Every active operand alone, then all together."""
    n = len(case.active)
    for k in range(n if n > 1 else 0):
        yield [slot == k for slot in range(n)]
    yield [True] * n
