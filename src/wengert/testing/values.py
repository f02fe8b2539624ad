"""Laws of the value: what it is, what it depends on, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.check import check, result_types
from wengert.core.parse import parse
from wengert.core.primitive import Primitive
from wengert.core.trace import lowest
from wengert.core.types import type_of
from wengert.testing.cases import Case
from wengert.testing.comparing import parts_of, point, require, same_bits, widened
from wengert.transforms.linearize import Linearization
from wengert.transforms.record_graph import trace


def value(card: Primitive, case: Case) -> int:
    """The traced value is the plain one, and both are those of the NumPy function that the card stands for."""
    case = case.settled()
    wanted = _attempt(card.eval, case)
    n = 0
    for function in (card, *card.numpy):
        ways: dict[str, Any] = {"plain": lambda *xs: function(*xs, **case.params)}
        if case.active:
            ways["differentiated"] = lambda *xs: _watched_record(function, case)
        if not isinstance(wanted, type):
            ways["traced as a graph"] = lambda *xs: _watched_graph(function, case)
        for name, way in ways.items():
            found = _attempt(way, case, {})
            what = f"the value of {getattr(function, '__name__', function)}, {name},"
            if isinstance(wanted, type):
                require(isinstance(found, type) and issubclass(found, (TypeError, ValueError, OverflowError)),
                        f"{what} is {found!r}, and NumPy raises {wanted.__name__}")  # fmt: skip
            else:
                require(
                    not isinstance(found, type), f"{what} raises {getattr(found, '__name__', '')}, and NumPy does not"
                )
                for a, b in zip(parts_of(found), parts_of(wanted), strict=True):
                    same_bits(a, b, what)
            n += 1
    return n


def _attempt(function: Callable[..., Any], case: Case, params: Any = None) -> Any:
    """The value; or the class of the exception, where NumPy refuses these operands."""
    try:
        return function(*case.operands, **(case.params if params is None else params))
    except (TypeError, ValueError, OverflowError) as error:
        return type(error)


def _watched_record(function: Any, case: Case) -> Any:
    def flat(*values: Any) -> list[Any]:
        operands = list(case.operands)
        for slot, x in zip(case.active, values, strict=True):
            operands[slot] = x
        return parts_of(function(*operands, **case.params))

    return tuple(map(lowest, Linearization(flat, point(case)).values))


def _watched_graph(function: Any, case: Case) -> Any:
    arrays = [k for k, x in enumerate(case.operands) if hasattr(x, "dtype")]

    def flat(*values: Any) -> Any:
        operands = list(case.operands)
        for slot, x in zip(arrays, values, strict=True):
            operands[slot] = x
        return function(*operands, **case.params)

    return trace(flat)(*[case.operands[k] for k in arrays])(*[case.operands[k] for k in arrays])


def pattern(card: Primitive, case: Case) -> int:
    """Every entry of every active operand is moved in turn, and the outputs that move must be in its column."""
    free, case = case.operands, case.settled()
    y = card.eval(*case.operands, **case.params)
    wide = widened(case)
    before = np.concatenate([np.ravel(part) for part in parts_of(card.eval(*wide.operands, **case.params))])
    n = 0
    for slot in case.active:
        said = card.pattern(slot, y, case.operands, case.params).toarray()
        x = wide.operands[slot]
        require(
            said.shape == (before.size, x.size) and said.dtype == bool,
            f"the pattern of operand {slot} is {said.dtype}{list(said.shape)}",
        )
        n += 1
        if card.is_discrete:
            require(not said.any(), f"a discrete card has a pattern of operand {slot}")
            continue
        if not any(case.operands[slot] is z for z in free):
            continue  # made from the free variables: it cannot move alone
        moves = np.zeros(said.shape, bool)
        for k in range(x.size):
            moves[:, k] = _tangent_of_entry(card, wide, slot, k)
        require(not (moves & ~said).any(), f"outputs move with operand {slot} outside its pattern")
        if (
            card.family == "selection"
            and card.slopes == ()
            and x.dtype.kind == "f"
            and before.dtype.kind == "f"
            and _copies(before, x)
        ):
            require((moves == said).all(), f"the pattern of operand {slot} holds outputs that never move")
        if card.family == "elementwise":
            require((said.sum(1) == said.any()).all(), f"an output has several inputs in the pattern of operand {slot}")
    return n


def _copies(before: Any, x: Any) -> bool:
    return bool(np.all((before == 0) | np.isin(before, x)))


def _tangent_of_entry(card: Primitive, case: Case, slot: int, k: int) -> Any:
    """Which outputs move when one entry does, by a finite amount; never by the card's own derivative."""
    x = case.operands[slot]
    shifted = np.array(x, order="C")
    shifted.reshape(-1)[k] += 2.0**-10 * (1 + 1j if x.dtype.kind == "c" else 1)
    operands = [shifted if s == slot else z for s, z in enumerate(case.operands)]
    before, after = (
        np.concatenate([np.ravel(part) for part in parts_of(card.eval(*zs, **case.params))])
        for zs in (case.operands, operands)
    )
    return np.abs(after - before) > 1e-9 * (1 + np.abs(before))


def type_(card: Primitive, case: Case) -> int:
    """Types follow from types, and a graph is its text."""
    case = case.settled()
    arrays = [x for x in case.operands if hasattr(x, "dtype")]
    slots = [k for k, x in enumerate(case.operands) if hasattr(x, "dtype")]

    def flat(*values: Any) -> Any:
        operands = list(case.operands)
        for slot, x in zip(slots, values, strict=True):
            operands[slot] = x
        return card(*operands, **case.params)

    graph = check(trace(flat)(*arrays))
    last = graph.nodes[-1]
    require(last.primitive is card, f"the last node of its graph is {last.primitive.name}")
    wanted = parts_of(card.eval(*case.operands, **case.params))
    found = result_types(card, last.operands, last.params)
    require(
        found == tuple(map(type_of, wanted)),
        f"result_types says {found}, and the values are {tuple(map(type_of, wanted))}",
    )
    text = graph.text()
    again = check(parse(text))
    require(again.text() == text, f"the text form reads back as another one:\n{text}\n{again.text()}")
    for a, b in zip(again(*arrays), wanted, strict=True):
        same_bits(a, b, "the value of the graph read back from its text")
    return 3
