"""Batches whose operands have batch axes of different levels, for every card that has several operands.

An operand of two nested batches may have the outer axis, the inner one, both or none.  Values equal those of two
loops; so do tangents that pass through the batches from outside; and cotangents are their adjoints.
"""

import itertools
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.core.primitive import REGISTRY
from wengert.testing.cases import cases_of
from wengert.testing.comparing import direction, outputs

OUTER, INNER = (1.0, 0.96875), (1.0, 1.03125, 0.984375)
LEVELS = ("none", "outer", "inner", "both")


def several_operands(card):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a card tries its cases with complex numbers
        cases = cases_of(card)
    return [case for case in cases if len(case.active) > 1 and all(np.size(case.operands[k]) for k in case.active)][:2]


CARDS = [name for name, card in REGISTRY.items() if several_operands(card)]


def spread_out(x, level):
    """An operand with its batch axes: small multiples, so that members stay in the domain."""
    factors = np.ones(())
    if level in ("outer", "both"):
        factors = np.multiply.outer(OUTER, factors)
    if level in ("inner", "both"):
        factors = factors[..., None] * INNER if level == "both" else np.array(INNER)
    return np.multiply.outer(factors, x).astype(x.dtype)


def axes_of(levels):
    outer = tuple(0 if level in ("outer", "both") else None for level in levels)
    inner = tuple(0 if level in ("inner", "both") else None for level in levels)
    return outer, inner


def member(x, level, i, j):
    return x[i, j] if level == "both" else x[i] if level == "outer" else x[j] if level == "inner" else x


@pytest.mark.parametrize("name", CARDS)
def test_levels_of_batches(name):
    card = REGISTRY[name]
    for case in several_operands(card):
        slots = case.active[:2]

        def flat(*values, case=case, slots=slots):
            operands = list(case.operands)
            for slot, value in zip(slots, values, strict=True):
                operands[slot] = value
            return [y for y in outputs(card, case, operands) if y.dtype.kind in "fc"]

        for levels in itertools.product(LEVELS, repeat=2):
            outer, inner = axes_of(levels)
            if set(outer) == {None} or set(inner) == {None}:
                continue
            xs = [spread_out(np.asarray(case.operands[slot]), level) for slot, level in zip(slots, levels, strict=True)]
            compare(flat, xs, levels, wg.vmap(wg.vmap(flat, in_axes=inner), in_axes=outer), card.is_discrete)


def compare(flat, xs, levels, batched, is_discrete):
    single = any(x.dtype.char in "fF" for x in xs)
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if single else {"rtol": 1e-9, "atol": 1e-10}
    at = [[[member(x, level, i, j) for x, level in zip(xs, levels, strict=True)] for j in range(len(INNER))] for i in range(len(OUTER))]
    found = batched(*xs)
    loop = [[flat(*values) for values in row] for row in at]
    for k, y in enumerate(found):
        np.testing.assert_allclose(y, [[values[k] for values in row] for row in loop], err_msg=f"value, {levels}", **tolerance)
    if is_discrete:
        return
    rng = np.random.default_rng(0)
    dxs = [direction(rng, x) for x in xs]
    _, dys = wg.jvp(batched, tuple(xs), tuple(dxs))
    for i, j in itertools.product(range(len(OUTER)), range(len(INNER))):
        local = tuple(member(dx, level, i, j) for dx, level in zip(dxs, levels, strict=True))
        _, expected = wg.jvp(flat, tuple(at[i][j]), local)
        for dy, e in zip(dys, expected, strict=True):
            np.testing.assert_allclose(dy[i, j], e, err_msg=f"tangent, {levels}", **tolerance)
    ys, pull = wg.vjp(batched, *xs)
    cts = [direction(rng, y) for y in ys]
    pulled = pull(cts)
    assert [ct.shape for ct in pulled] == [x.shape for x in xs]
    left = sum(np.real(np.vdot(ct, dy)) for ct, dy in zip(cts, dys, strict=True))
    right = sum(np.real(np.vdot(ct, dx)) for ct, dx in zip(pulled, dxs, strict=True))
    np.testing.assert_allclose(left, right, err_msg=f"cotangent, {levels}", rtol=1e-3 if single else 1e-8, atol=1e-4 if single else 1e-9)
