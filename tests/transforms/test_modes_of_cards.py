"""Second derivatives of every card by all four pairs of modes: they must be the same matrices.

Each pair pushes and pulls a different nest of batches, tangents and records through the card and through the
primitives that its derivative is written in.
"""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest

import wengert as wg
from wengert.core.primitive import REGISTRY
from wengert.testing.cases import cases_of
from wengert.testing.comparing import program

MODES = ("forward", "reverse")


def small_real_cases(card):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a card tries its cases with complex numbers
        cases = [case.settled() if case.observe is None else case for case in cases_of(card)]
    chosen = [case for case in cases if case.active and all(_is_small_double(case.operands[k]) for k in case.active)]
    return chosen[:2] + chosen[-1:]


def _is_small_double(x):
    return x.dtype == np.float64 and 0 < x.size <= 9


CARDS = [name for name, card in REGISTRY.items() if not card.is_discrete]


@pytest.mark.parametrize("name", CARDS)
def test_pairs_of_modes_agree(name):
    card = REGISTRY[name]
    for case in small_real_cases(card):
        case = replace(case, operands=tuple(x.copy() if hasattr(x, "copy") else x for x in case.operands))
        flat = program(card, case)
        xs = tuple(case.operands[k] for k in case.active)
        argnums = tuple(range(len(xs)))[:2]
        found = {}
        for inner, outer in itertools.product(MODES, repeat=2):
            derivative = wg.jacobian(wg.jacobian(flat, argnums, mode=inner), argnums, mode=outer)
            found[inner, outer] = wg.trees.flatten(derivative(*xs))[0]
        wanted = found["reverse", "forward"]
        for pair, parts in found.items():
            for part, other in zip(parts, wanted, strict=True):
                scale = 1 + np.max(np.abs(other[np.isfinite(other)]), initial=0)
                np.testing.assert_allclose(part, other, rtol=1e-8, atol=1e-9 * scale, err_msg=f"{pair} {case}")
