"""Every registered card obeys every law (`wengert.testing.laws` says what they are).

A card is found in the registry, and its cases are made from what it says about itself; no list of cards stands here.
"""

import numpy as np
import pytest

import wengert  # noqa: F401 - registers every card
from wengert.core.primitive import REGISTRY
from wengert.testing import LAWS, check_law
from wengert.testing.cases import cases_of

CARDS = dict(REGISTRY)
ALWAYS = ("value", "batch", "type")
DERIVATIVES = ("forward", "transpose", "second", "third", "pattern", "zeros", "linear")


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", CARDS)
def test_law(name, law, record_property):
    checks = check_law(CARDS[name], law)
    if law in ALWAYS or (law in DERIVATIVES and not CARDS[name].is_discrete):
        assert checks > 0, "nothing was tried"
    record_property("card", name)
    record_property("law", law)
    record_property("checks", checks)


@pytest.mark.parametrize("name", CARDS)
def test_card_has_cases(name):
    """A card that says neither `domain` nor `laws` fails here, and under every law."""
    cases = cases_of(CARDS[name])
    assert any(np.size(x) for case in cases for x in case.operands), "every case is empty"
