"""For tests: are these derivatives right?

`check_grads` compares the derivatives of any function with differences of its values; `check_card` tries every law
on a primitive of your own, `check_law` one of them, and `LAWS` says which there are.
"""

from wengert.testing.cards import check_card, check_law
from wengert.testing.gradients import check_grads
from wengert.testing.laws import LAWS

__all__ = ["LAWS", "check_card", "check_grads", "check_law"]
