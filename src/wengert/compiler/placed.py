"""Primitives of the compiler's own, which say themselves what steps they become.

Rules write them in place of cards; no user's program has any, so they have no derivative and are not registered.

    x  = checked x bad {reason}            x; the program stops where `bad` is true
    ys = doubted_svd doubt ys a {...}      ys, found by native code; where `doubt` is true, what the card itself makes of a
    x  = judged_held doubt x a {...}       x, which the card returns; it is asked where `doubt` is true, and may raise
    l  = lower_triangular l                l; whoever solves with it need not look above its diagonal
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from wengert.compiler.homes import Homes, is_move
from wengert.compiler.loops import REASONS, Check, HostCall, View
from wengert.core.graph import Atom, Node
from wengert.core.primitive import Primitive


def _never(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError


class Placed(Primitive):
    """A primitive of the compiler's own; the result of some is one of their operands, under a second name."""

    __slots__ = ("same",)

    def __init__(self, name: str, evaluate: Any, *, n_outputs: int | None = None, code: str = "") -> None:
        self.same: int | None = None  # which operand
        super().__init__(
            name, evaluate, family="compiler", push=None, pull=None, batch=_never, pattern=_never, n_outputs=n_outputs, code=code,
            register=False,
        )  # fmt: skip

    def place(self, homes: Homes, node: Node) -> None:
        """Write the steps of a node."""
        if self.same is not None:
            homes.values[node.outputs[0]] = homes.value(node.operands[self.same])


def same_as(node: Node) -> Atom | None:
    """The operand that a node's result is, if it is one."""
    primitive = node.primitive
    return node.operands[primitive.same] if isinstance(primitive, Placed) and primitive.same is not None else None


# --- checks -----------------------------------------------------------------------------------------------------------


class Checked(Placed):
    """The first operand, provided that the second is false."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("checked", _checked, code="a")
        self.same = 0

    def place(self, homes: Homes, node: Node) -> None:
        view, ready = homes.in_memory(node.operands[1])
        homes.steps.append(Check(view.buffer, ready, node.location, node.params["reason"]))
        super().place(homes, node)


def _checked(x: Any, bad: Any, reason: str) -> Any:
    if bad:
        exception, what = REASONS[reason]
        raise exception(what)
    return x


class Marked(Placed):
    """The operand, of which something is known."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, lambda x: x, code="a")
        self.same = 0


CHECKED, LOWER = Checked(), Marked("lower_triangular")


# --- doubts -----------------------------------------------------------------------------------------------------------


class Doubted(Placed):
    """Results of native code for a card; where there is a doubt, those of the card itself."""

    __slots__ = ("card",)

    def __init__(self, card: Primitive) -> None:
        self.card = card
        super().__init__(f"doubted_{card.name}", self.chosen, n_outputs=card.n_outputs)

    @property
    def n_results(self) -> int:
        """How many arrays the card returns."""
        return self.n_outputs or 1

    def chosen(self, doubt: Any, *operands: Any, **params: Any) -> Any:
        """The value."""
        results, rest = operands[: self.n_results], operands[self.n_results :]
        if doubt:
            return self.card.eval(*rest, **params)
        return results[0] if self.n_outputs is None else tuple(results)

    def place(self, homes: Homes, node: Node) -> None:
        doubt, *operands = node.operands
        results = [self.own(homes, atom) for atom in operands[: self.n_results]]
        call, ready = host_call(homes, self.card, doubt, operands[self.n_results :], node)
        call.results = [view for view, _ in results]
        call.level = max([ready, *[level for _, level in results]])
        homes.steps.append(call)
        for var, (view, _) in zip(node.outputs, results, strict=True):
            homes.in_buffer(var, view.buffer, call.level + 1).view = view

    @staticmethod
    def own(homes: Homes, atom: Atom) -> tuple[View, int]:
        """A result in memory that nobody else reads."""
        value = homes.realised(atom)
        view, ready = homes.in_memory(atom)
        is_own = homes.uses.get(atom) == 1 and not is_move(value.node) and view.buffer.kind == "temporary"
        return (view, ready) if is_own else homes.copied(view, ready)


class Judged(Placed):
    """The first operand of a card that returns it, after a look at the others; without a doubt there is no need of one."""

    __slots__ = ("card",)

    def __init__(self, card: Primitive) -> None:
        self.card = card
        super().__init__(f"judged_{card.name}", self.chosen, code="b")
        self.same = 1

    def chosen(self, doubt: Any, x: Any, *rest: Any, **params: Any) -> Any:
        """The value."""
        return self.card.eval(x, *rest, **params) if doubt else x

    def place(self, homes: Homes, node: Node) -> None:
        doubt, *operands = node.operands
        call, call.level = host_call(homes, self.card, doubt, operands, node)
        homes.steps.append(call)
        super().place(homes, node)


def host_call(homes: Homes, card: Primitive, doubt: Atom, operands: Sequence[Atom], node: Node) -> tuple[HostCall, int]:
    """A card that is asked where there is a doubt, and the level from which on it can be."""
    view, ready = homes.in_memory(doubt)
    values, level = homes.for_python(operands)
    ready = max(ready, level)
    return HostCall(card, values, node.params, [], ready, node.location, view.buffer), ready


@cache
def doubted(card: Primitive) -> Doubted:
    """See `Doubted`."""
    return Doubted(card)


@cache
def judged(card: Primitive) -> Judged:
    """See `Judged`."""
    return Judged(card)
