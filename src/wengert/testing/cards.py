"""`check_card`: every law, on a card of your own."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from wengert.core.primitive import Primitive
from wengert.errors import CheckError, DerivativeError, page
from wengert.testing.cases import Case, cases_of
from wengert.testing.comparing import Broken
from wengert.testing.laws import LAWS


def check_law(card: Primitive, law: str, cases: Sequence[Case] | None = None) -> int:
    """Try one law, by name, on a card; returns the number of checks, and raises `CheckError` where it is broken."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        cases_of(card)  # a card without cases is an error, whatever the law
        return sum(_check_case(card, law, case) for case in (LAWS[law].cases(card) if cases is None else cases))


def _check_case(card: Primitive, law: str, case: Case) -> int:
    try:
        return LAWS[law].check(card, case)
    except Broken as broken:
        raise _broken(card, law, case, str(broken)) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, DerivativeError) as error:
        raise _broken(card, law, case, f"{type(error).__name__}: {error}") from error


def _broken(card: Primitive, law: str, case: Case, found: str) -> CheckError:
    return CheckError(
        page(
            f"the card {card.name!r} breaks the law of {law} on {case}.",
            found,
            f"wg.testing.check_card({card.name}) again, after correcting the card;\n"
            "what the laws say stands in help(wengert.testing.laws)",
            "check",
        )
    )


def check_card(card: Primitive, laws: Sequence[str] = tuple(LAWS)) -> dict[str, int]:
    """The laws that a primitive's readings obey: `J` is the limit of differences, `Jᴴ` its adjoint, and nine more.

    Args:
        card: a primitive, made by one of the families; its `domain=` or `laws=` says on what it is tried.
        laws: the names of the laws to try, all of them unless said otherwise (see `wengert.testing.laws`).

    Returns:
        How many checks each law made.

    Raises:
        CheckError: a law is broken; the message says on which operands, and what was found there.

    Example:
        >>> import numpy as np
        >>> from wengert.primitives.elementwise import elementwise
        >>> from wengert.testing import check_card
        >>> softsign = elementwise("softsign", lambda x: x / (1 + abs(x)), lambda y, x: np.square(1 - abs(y)))
        >>> check_card(softsign, laws=["forward", "transpose"])["transpose"] > 0
        True

    Source: the dot-product test is J. F. Claerbout's, Earth Soundings Analysis (1992).
    """
    return {law: check_law(card, law) for law in laws}
