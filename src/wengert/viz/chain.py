"""The chain rule as a reader would write it: each adjoint as the sum over the uses of its variable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wengert.viz.notation import bar, brief, is_atomic, number, terse
from wengert.viz.walks import Contribution, Step

_MOST_TERMS = 4  # of a sum


def chain_rule(step: Step) -> tuple[str, str, str]:
    """The adjoint of a step as a sum: `ā·∂a/∂x + b̄·∂b/∂x`, the same with slopes as formulas, and as numbers."""
    terms = step.received
    seeds = list(dict.fromkeys(says for says, _ in step.seeds))
    symbols = _sum([*seeds, *map(product_in_symbols, terms)])
    slopes = _sum([*seeds, *map(product_with_slope, terms)]) if any(c.slope for c in terms) else ""
    is_scalar = np.ndim(step.value) == 0 and all(np.ndim(c.adjoint) == 0 and c.partial is not None for c in terms)
    numbers = _sum([*(terse(value) for _, value in step.seeds), *(_product(terse(c.adjoint), terse(c.partial)) for c in terms)]) if terms and is_scalar else ""
    return f"{bar(step.name)} = {symbols}", f"= {slopes}" if slopes else "", f"= {numbers}" if numbers else ""


def product_in_symbols(c: Contribution) -> str:
    """`ā·∂a/∂x`, or `(∂a/∂x)ᵀ ā` where the derivative is a matrix."""
    names, bars = ", ".join(c.source), ", ".join(map(bar, c.source))
    if len(c.source) > 1:
        return f"(∂({names})/∂{c.operand})ᵀ ({bars})"
    if c.is_elementwise or np.ndim(c.adjoint) == np.ndim(c.value) == 0:
        return f"{bars}·∂{names}/∂{c.operand}"
    return f"(∂{names}/∂{c.operand})ᵀ {bars}"


def product_with_slope(c: Contribution) -> str:
    """`ā·cos(x)`."""
    if c.slope:
        return _product(bar(c.source[0]), c.slope)
    partial = np.asarray(c.partial)
    if c.partial is None or not c.is_elementwise or partial.size == 0 or np.any(partial != partial.flat[0]):
        return product_in_symbols(c)
    one = number(partial.flat[0], 4)
    return bar(c.source[0]) if one == "1" else f"-{bar(c.source[0])}" if one == "-1" else _product(bar(c.source[0]), one)


def describe_contribution(c: Contribution) -> str:
    """`x̄ += ā·∂a/∂x = 1·1 = 1`."""
    work = f"{bar(c.operand)} += {product_in_symbols(c)}"
    if c.slope:
        work += f" = {product_with_slope(c)}"
    if c.partial is not None and np.ndim(c.adjoint) == np.ndim(c.value) == 0:
        work += f" = {_product(terse(c.adjoint), terse(c.partial))}"
    return f"{work} = {brief(c.value)}"


def _product(left: str, right: str) -> str:
    left = left if is_atomic(left) or left[:1] == "-" else f"({left})"
    return f"{left}·{right if is_atomic(right) else f'({right})'}"


def _sum(terms: Sequence[str]) -> str:
    if len(terms) > _MOST_TERMS:
        terms = [*terms[: _MOST_TERMS - 1], f"… {len(terms) - _MOST_TERMS + 1} more terms"]
    return " + ".join(terms).replace("+ -", "- ")
