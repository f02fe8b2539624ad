"""Laws of the derivative: forward, reverse, of first and second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.types import type_of
from wengert.testing.cases import Case, generator
from wengert.testing.comparing import (
    close,
    direction,
    directions,
    filled,
    inner,
    parts_of,
    point,
    program,
    require,
    subsets,
    tolerance,
    widened,
)
from wengert.testing.differences import directional, widen
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import Linearization


def forward(card: Primitive, case: Case) -> int:
    """`J dx` is what central differences of the plain function tend to, along several directions."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    wide_flat, wide_xs = program(card, widened(case)), list(map(widen, xs))
    n = 0
    for chosen in subsets(case):
        dxs = [dx if c else None for dx, c in zip(directions(rng, xs), chosen, strict=True)]
        ys = wide_flat(*wide_xs)
        if card.is_discrete:
            n += _is_constant(card, case, dxs)
        if card.is_discrete or not xs or not ys:
            continue
        slopes, errors = directional(wide_flat, wide_xs, [None if dx is None else widen(dx) for dx in dxs])
        found = filled(push_forward(flat, xs, dxs)[1], slopes)
        values = flat(*xs)
        for y, dy, slope, error in zip(values, found, slopes, errors, strict=True):
            require(dy.dtype == y.dtype or not np.any(dy), f"the tangent has dtype {dy.dtype}, and the value {y.dtype}")
            close(dy, slope, error, tolerance(xs, values, ys), "J dx")
            n += 1
    return n + _nothing_flows(card, case)


def _is_constant(card: Primitive, case: Case, dxs: Sequence[Any]) -> int:
    """Around a point that is no jump, the value of a discrete card does not move at all."""
    rng = generator(card)
    aside = widened(case.settled()).vary(
        lambda x: x + 1e-6 * direction(rng, x), ""
    )  # a tie or a zero is a jump: next to it there is none
    operands = list(aside.operands)
    for slot, dx in zip(aside.active, dxs, strict=True):
        operands[slot] = operands[slot] if dx is None else operands[slot] + 2.0**-36 * dx
    before, after = (parts_of(card.eval(*xs, **case.params)) for xs in (aside.operands, operands))
    is_same = all(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(before, after, strict=True))
    require(card.is_held or is_same, "the value moves, and the card says that it is discrete")
    return 1


def _nothing_flows(card: Primitive, case: Case) -> int:
    """A discrete card has neither reading, and its results are no tracers of an inactive kind that lead anywhere."""
    if not card.is_discrete or not case.active:
        return 0
    require(card.push is None and card.pull is None, "a discrete card has a derivative")
    linear = Linearization(program(card, case), point(case))
    require(
        all(ct is None for ct in linear.pull([np.ones_like(y) for y in linear.values])),
        "a cotangent passes a discrete card",
    )
    return 1


def transpose(card: Primitive, case: Case) -> int:
    """The dot-product test, for each active operand and for all together."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    linear = Linearization(flat, xs)
    n = 0
    for chosen in subsets(case):
        dxs = directions(rng, xs)
        cts = directions(rng, linear.values)
        masked = [dx if c else np.zeros_like(dx) for dx, c in zip(dxs, chosen, strict=True)]
        pulled = linear.pull(cts)
        for ct, x in zip(pulled, xs, strict=True):
            require(ct is None or (ct.shape, ct.dtype) == (x.shape, x.dtype),
                    f"a cotangent is {None if ct is None else type_of(ct)}, and its operand {type_of(x)}")  # fmt: skip
        left, size = inner(cts, filled(linear.push(masked), linear.values))
        again, _ = inner(cts, filled(push_forward(flat, xs, masked)[1], linear.values))
        right, other = inner(filled(pulled, xs), masked)
        limit = tolerance(xs, linear.values) * (size + other + 1e-3)
        require(abs(left - right) <= limit, f"⟨ct, J dx⟩ is {left!r}, and ⟨Jᴴ ct, dx⟩ is {right!r}")
        require(abs(left - again) <= limit, f"⟨ct, J dx⟩ is {left!r} by the record, and {again!r} by forward mode")
        n += 2
    return n


def second(card: Primitive, case: Case) -> int:
    """Forward and reverse over forward and reverse."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    dxs, cts = directions(rng, xs), directions(rng, flat(*xs))

    def pushed(*values: Any) -> list[Any]:
        ys, dys, strip = push_forward(flat, values, dxs)
        return filled(dys, ys)

    def pulled(*values: Any) -> list[Any]:
        return filled(Linearization(flat, values).pull(cts), values)

    n = 0
    for name, first in (("J dx", pushed), ("Jᴴ ct", pulled)):
        for chosen in subsets(case):
            d2s = [d if c else None for d, c in zip(directions(rng, xs), chosen, strict=True)]
            slopes, errors = directional(first, xs, d2s)
            linear = Linearization(first, xs)
            found = filled(push_forward(first, xs, d2s)[1], linear.values)
            for a, b, error in zip(found, slopes, errors, strict=True):
                close(a, b, error, 10 * tolerance(xs, found), f"the forward derivative of {name}")
            weights = directions(rng, linear.values)
            left, size = inner(weights, slopes)
            right, other = inner(
                filled(linear.pull(weights), xs),
                [np.zeros_like(x) if d is None else d for x, d in zip(xs, d2s, strict=True)],
            )
            limit = 10 * tolerance(xs, found) * (size + other + 1e-2) + 20 * sum(float(np.sum(e)) for e in errors)
            require(
                abs(left - right) <= limit,
                f"the reverse derivative of {name} gives {right!r}, and differences {left!r}",
            )
            n += 2
    return n


def third(card: Primitive, case: Case) -> int:
    """One derivative more of the second derivatives, forward and reverse: what holds for it holds for every order."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    d1, d2, d3 = (directions(rng, xs) for _ in range(3))
    cts = directions(rng, flat(*xs))

    def once(*values: Any) -> list[Any]:
        ys, dys, _ = push_forward(flat, values, d1)
        return filled(dys, ys)

    def forward_twice(*values: Any) -> list[Any]:
        ys, dys, _ = push_forward(once, values, d2)
        return filled(dys, ys)

    def reverse_over_forward(*values: Any) -> list[Any]:
        return filled(Linearization(once, values).pull(cts), values)

    for name, twice in (("d² y", forward_twice), ("Jᴴ ct of J dx", reverse_over_forward)):
        slopes, errors = directional(twice, xs, d3)
        linear = Linearization(twice, xs)
        for a, b, error in zip(filled(push_forward(twice, xs, d3)[1], linear.values), slopes, errors, strict=True):
            close(a, b, error, 1e-5, f"the forward derivative of {name}")
        weights = directions(rng, linear.values)
        left, size = inner(weights, slopes)
        right, other = inner(filled(linear.pull(weights), xs), d3)
        limit = 1e-5 * (size + other + 1e-2) + 20 * sum(float(np.sum(e)) for e in errors)
        require(abs(left - right) <= limit, f"the reverse derivative of {name} gives {right!r}, and differences {left!r}")
    return 4


def linear(card: Primitive, case: Case) -> int:
    """`J(a u + b v) = a J u + b J v`, the same for `Jᴴ`; and nothing comes of nothing."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    at = Linearization(flat, xs)
    limit = 1e-3 * tolerance(xs, at.values) if tolerance(xs, at.values) < 1e-6 else tolerance(xs, at.values)
    for name, apply, ends, likes in (("push", at.push, xs, at.values), ("pull", at.pull, at.values, xs)):
        u, v = directions(rng, ends), directions(rng, ends)
        mixed = [np.asarray(x.dtype.type(0.5) * a - x.dtype.type(2) * b) for a, b, x in zip(u, v, ends, strict=True)]
        left = filled(apply(mixed), likes)
        of_u, of_v = filled(apply(u), likes), filled(apply(v), likes)
        for a, b, c in zip(left, of_u, of_v, strict=True):
            close(a, 0.5 * widen(b) - 2 * widen(c), 0.0, limit + 1e-9, f"{name}(u/2 - 2v)")
    return 2 + _inactive(card, case)


def _inactive(card: Primitive, case: Case) -> int:
    """An operand without a derivative gives `None`, and cotangents come in the order of the slots asked for."""
    case = case.settled()
    y = card.eval(*case.operands, **case.params)
    if card.n_outputs is not None or card.pull is None or case.observe is not None:
        return 0
    ct = np.ones_like(y)
    slots = list(range(len(case.operands))) if card.family == "elementwise" else case.active
    one_way = card.pull(ct, slots, y, case.operands, case.params)
    other = card.pull(ct, slots[::-1], y, case.operands, case.params)
    require(len(one_way) == len(slots), f"pull gives {len(one_way)} cotangents for {len(slots)} slots")
    for a, b in zip(one_way, other[::-1], strict=True):
        require((a is None) == (b is None), "pull gives the cotangents in another order than asked")
        if a is not None:
            close(a, b, 0.0, 1e-12, "pull in another order")
    for slot, slope in enumerate(card.slopes):
        if slope is None:
            require(one_way[slot] is None, f"operand {slot} has no slope, and pull gives {one_way[slot]}")
            alone = [np.ones_like(y) if k == slot else None for k in range(len(card.slopes))]
            require(
                card.push(alone, y, case.operands, case.params) is None,
                f"operand {slot} has no slope, and push gives one",
            )
    return 1
