"""For tests: are these derivatives right?

`check_grads` compares the derivatives of any function with differences; `check_card` tries every law on a
primitive of your own.
"""

from wengert.testing.cards import check_card, check_law
from wengert.testing.laws import LAWS

__all__ = ["LAWS", "check_card", "check_law"]
