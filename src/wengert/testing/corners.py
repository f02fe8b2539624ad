"""Laws of the hard points: zeros, infinities, ties."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.testing.cases import Case, central_cases, domains, generator
from wengert.testing.comparing import filled, point, program, require
from wengert.testing.differences import one_sided
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import Linearization

_HARD = (0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-300, 1e300)
_CORNERS = (-1.0, 0.0, 0.5, 1.0, 2.0)


def hard_cases(card: Primitive) -> list[Case]:
    """The regular cases; and with zeros, infinities and NaN where operands may have them."""
    cases = central_cases(card)
    if card.family == "elementwise":
        n = len(card.slopes)
        grid = np.array(list(itertools.product(_HARD, repeat=min(n, 2)))).T.copy()
        intervals = domains(card)
        wanted = [grid[k % 2] if type(low) is not int or card.slopes[k] is not None else np.ones(grid.shape[1], int)
                  for k, (low, _) in zip(range(n), intervals, strict=True)]  # fmt: skip
        cases.append(Case(tuple(wanted), label="at zeros, infinities and NaN"))
    elif card.family in ("contraction", "selection"):
        rng = generator(card)
        for case in list(cases):
            cases.append(case.vary(lambda x: _spoiled(rng, x), "with infinities and NaN"))
    return cases


def _spoiled(rng: np.random.Generator, x: Any) -> Any:
    bad = rng.choice(np.array([np.inf, -np.inf, np.nan, 0.0]), x.shape)
    return np.where(rng.random(x.shape) < 0.4, bad, x)


def zeros(card: Primitive, case: Case) -> int:
    """Zero in gives exactly zero out; and what lies outside the pattern is not spoilt by what lies inside."""
    xs, flat = point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    linear = Linearization(flat, xs)
    nothing = [np.zeros_like(x) for x in xs]
    for way, dys in (("record", linear.push(nothing)), ("forward mode", push_forward(flat, xs, nothing)[1])):
        require(all(dy is None or not np.any(dy != 0) for dy in dys), f"a zero tangent gives {dys} by {way}")
    cts = linear.pull([np.zeros_like(y) for y in linear.values])
    require(all(ct is None or not np.any(ct != 0) for ct in cts), f"a zero cotangent gives {cts}")
    if card.n_outputs is not None or case.observe or case.prepare or not linear.values:
        return 3
    return 3 + sum(_zeros_outside(card, case, linear, place) for place in range(len(xs)))


def _zeros_outside(card: Primitive, case: Case, linear: Linearization, place: int) -> int:
    y, slot = linear.values[0], case.active[place]
    x = case.operands[slot]
    said = card.pattern(slot, y, case.operands, case.params).toarray()
    for k in range(min(x.size, 24)):
        unit = np.zeros_like(x, order="C")
        unit.reshape(-1)[k] = 1
        dy = linear.push([unit if p == place else None for p in range(len(linear.inputs))])[0]
        if dy is not None:
            require(
                not np.any(np.ravel(dy)[~said[:, k]] != 0),
                f"the tangent of entry {k} of operand {slot} spoils others: {dy}",
            )
    for k in range(min(y.size, 24)):
        unit = np.zeros_like(y, shape=y.shape, order="C") if y.shape else np.zeros((1,), y.dtype)
        unit.reshape(-1)[k] = 1
        ct = linear.pull([unit.reshape(y.shape)])[place]
        if ct is not None:
            require(
                not np.any(np.ravel(ct)[~said[k]] != 0),
                f"the cotangent of output {k} spoils others of operand {slot}: {ct}",
            )
    return 2


def corner_cases(card: Primitive) -> list[Case]:
    """For elementwise cards: zeros, ones and ties, one point in each case."""
    if card.family != "elementwise" or card.is_discrete or any(type(low) is int for low, _ in domains(card)):
        return []
    points = itertools.product(_CORNERS, repeat=len(card.slopes))
    return [Case(tuple(np.float64(v) for v in values), label="at a corner") for values in points]


def kinks(card: Primitive, case: Case) -> int:
    """The slope along each operand is the mean of the one-sided derivatives, infinite where one of them is."""
    return sum(_kink(card, case, slot) + _kink_of_slope(card, case, slot) for slot in range(len(case.operands)))


def _slope_along(card: Primitive, case: Case, slot: int, values: Sequence[Any]) -> Any:
    dxs = [np.float64(1) if k == slot else None for k in range(len(values))]
    ys, dys, strip = push_forward(lambda *xs: [card(*xs, **case.params)], values, dxs)
    return filled(dys, ys)[0]


def _kink(card: Primitive, case: Case, slot: int) -> int:
    def along(t: float) -> Any:
        return card.eval(*[np.float64(t) if k == slot else x for k, x in enumerate(case.operands)], **case.params)

    return _mean_of_sides(
        along,
        float(case.operands[slot]),
        _slope_along(card, case, slot, case.operands),
        f"the slope along operand {slot}",
    )


def _kink_of_slope(card: Primitive, case: Case, slot: int) -> int:
    """The same for the second derivative, where the slope itself does not jump."""

    def at(t: Any) -> list[Any]:
        return [t if k == slot else x for k, x in enumerate(case.operands)]

    def along(t: Any) -> Any:
        return _slope_along(card, case, slot, at(np.float64(t)))

    x = case.operands[slot]
    ys, dys, strip = push_forward(lambda t: [_slope_along(card, case, slot, at(t))], [x], [np.float64(1)])
    return _mean_of_sides(along, float(x), filled(dys, ys)[0], f"the second derivative along operand {slot}")


def _mean_of_sides(along: Callable[[float], Any], x: float, found: Any, what: str) -> int:
    if not np.isfinite(along(x)):
        return 0
    sides = [side for sign in (-1, 1) if not np.isnan(side := one_sided(along, x, sign))]
    if not sides or sides in ([np.inf, -np.inf], [-np.inf, np.inf]):
        return 0
    if len(sides) == 1 and np.isfinite(along(x + 1e-3)) and np.isfinite(along(x - 1e-3)):
        return 0  # a jump on one side
    wanted = sum(sides) / len(sides)
    agrees = found == wanted if np.isinf(wanted) else abs(found - wanted) <= 1e-6 * (1 + abs(wanted))
    require(agrees, f"{what} is {float(found)!r}, and the one-sided derivatives are {sides}")
    return 1
