"""The laws that every card obeys; each is a function of a card and a case, and returns how many checks it made.

| law       | says                                                                                            |
|-----------|-------------------------------------------------------------------------------------------------|
| value     | value and dtype are NumPy's, bit for bit, whoever is watching                                   |
| forward   | `J dx` is the limit of differences; a discrete card is constant around the point                |
| transpose | `Re⟨ct, J dx⟩ = Re⟨Jᴴ ct, dx⟩`, and a cotangent has the shape and dtype of its operand           |
| second    | the derivatives of `J dx` and of `Jᴴ ct`, forward and reverse, are the limits of their differences |
| third     | and those of `d² y` and of the reverse derivative of `J dx`: a rule that holds here holds at any order   |
| batch     | a batch of operands gives the batch of results, whichever operands are batched, nested and anywhere |
| pattern   | an output that moves with an input is in the declared sparsity pattern; selections declare no more |
| type      | types and text form: `result_types` is right, and the graph's text reads back as the same program |
| zeros     | a zero tangent or cotangent contributes exactly zero, also where slopes are infinite or NaN      |
| linear    | `push` and `pull` are linear; what is inactive stays `None`                                      |
| kinks     | at ties and zeros the derivative is the mean of the one-sided ones                               |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wengert.core.primitive import Primitive
from wengert.testing.batches import batch
from wengert.testing.cases import Case, cases_of, central_cases, dtype_cases
from wengert.testing.corners import corner_cases, hard_cases, kinks, zeros
from wengert.testing.derivatives import forward, linear, second, third, transpose
from wengert.testing.values import pattern, type_, value


class Law(NamedTuple):
    """A law, and the cases on which it is tried."""

    check: Callable[[Primitive, Case], int]
    cases: Callable[[Primitive], list[Case]]


LAWS: dict[str, Law] = {
    "value": Law(value, dtype_cases),
    "forward": Law(forward, cases_of),
    "transpose": Law(transpose, cases_of),
    "second": Law(second, central_cases),
    "third": Law(third, lambda card: central_cases(card)[:3]),
    "batch": Law(batch, cases_of),
    "pattern": Law(pattern, cases_of),
    "type": Law(type_, cases_of),
    "zeros": Law(zeros, hard_cases),
    "linear": Law(linear, cases_of),
    "kinks": Law(kinks, corner_cases),
}
