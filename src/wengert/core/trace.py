"""Watching a program run: tracers, the traces that own them, and `bind`, the one door to every operation.

Each transformation opens a trace with a level of its own; an inner transformation has the higher level.
An operation belongs to the highest level among its operands; that trace unwraps its own tracers and binds
again one level down.  So nested derivatives cannot be confused with one another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

_levels = count(2)
NO_PARAMS: Mapping[str, Any] = {}


class Trace:
    """One transformation watching one call of a function."""

    __slots__ = ("level",)
    is_closed = False  # whether the call has ended, so that nothing can be watched any more
    lowest_level = 1  # that of a trace which is no call of a function, and goes on below all of them
    is_guarded = False  # whether what is recorded holds only for values that give the same answers to `peek`

    def __init__(self) -> None:
        self.level = next(_levels)

    def process(self, primitive: Any, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        """Perform the operation for this transformation; the result may be one of its tracers."""
        raise NotImplementedError

    def constant(self, value: Any, like: Any) -> Any:
        """`value` as a value of this trace that depends on nothing, so that traced values can be written into it.

        `like` is the tracer of this trace that it accompanies.
        """
        raise NotImplementedError

    def is_constant(self, tracer: Tracer) -> bool:
        """Whether this tracer of ours stands for one value that depends on nothing."""
        return False

    def as_python(self, tracer: Tracer) -> Any:
        """The same number as one of Python's own, where this trace tells them from NumPy's."""
        return tracer

    def look(self, tracer: Tracer) -> None:
        """Somebody looks at the plain value of this tracer of ours, and the program may go on accordingly."""

    def written(self, x: Any, new: Any) -> Any:
        """What is known (`extra`) about `x` from now on, once `new`, a tracer of ours, was written into it; may refuse."""
        return new.extra

    def show(self, tracer: Tracer) -> None:
        """A person is shown the plain value of this tracer of ours."""

    def origins(self, tracer: Tracer) -> list[str]:
        """The inputs that this tracer of ours depends on, in words; nothing where the trace does not know."""
        return []


class Tracer:
    """A value that watches what is done with it.

    `value` is what it stands for (an array, or a tracer of a lower level), `watcher` the transformation
    that watches, and `extra` what that transformation knows about it: a tangent, or a place in a list.
    """

    __slots__ = ("__weakref__", "extra", "value", "watcher")
    weak: Any = None  # the type of Python's numbers that it promotes as, if it does

    if TYPE_CHECKING:  # every kind of tracer is an array
        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def dtype(self) -> Any: ...

    def __init__(self, value: Any, watcher: Trace, extra: Any) -> None:
        self.value = value
        self.watcher = watcher
        self.extra = extra


def bind(primitive: Any, operands: Sequence[Any], params: Mapping[str, Any] = NO_PARAMS) -> Any:
    """Perform `primitive` on `operands`, whoever is watching."""
    top = None
    level = 0
    for operand in operands:
        if isinstance(operand, Tracer):
            trace = operand.watcher
            if trace.level > level:
                top = trace
                level = trace.level
    if top is None:
        return primitive.eval(*operands, **params)
    return top.process(primitive, operands, params)


def constant_like(value: Any, like: Any) -> Any:
    """`value` watched by every transformation that watches `like`, and depending on nothing."""
    if not isinstance(like, Tracer):
        return value
    return like.watcher.constant(constant_like(value, like.value), like)


def is_constant(value: Any) -> bool:
    """Whether `value` depends on nothing that anybody watches, so that its plain value says all."""
    while isinstance(value, Tracer):
        if not value.watcher.is_constant(value):
            return False
        value = value.value
    return True


def lowest(value: Any) -> Any:
    """The plain array underneath any number of tracers, whose watchers are told that its value was looked at."""
    while isinstance(value, Tracer):
        value.watcher.look(value)
        value = value.value
    return value


def shown(value: Any) -> Any:
    """The plain array underneath any number of tracers, to be read by a person: the program does not depend on it."""
    while isinstance(value, Tracer):
        value.watcher.show(value)
        value = value.value
    return value


def beneath(value: Any) -> Any:
    """The plain array underneath any number of tracers, for its shape, its dtype and its memory alone."""
    while isinstance(value, Tracer):
        value = value.value
    return value


def peek(question: Callable[..., Any], *values: Any) -> Any:
    """`question(*values)` of the plain values: an answer on which the rest of the program depends.

    A program that is being recorded holds for the same answer; so ask for a truth value or a count, not for an array.
    """
    return lowest(question(*map(_guarded, values)))


def is_guarded(value: Any) -> bool:
    """Whether a program is being recorded that would depend on a `peek` at `value`."""
    return isinstance(_guarded(value), Tracer)


def _guarded(value: Any) -> Any:
    """The value as the nearest trace with guards sees it; the plain value where there is none."""
    while isinstance(value, Tracer) and not value.watcher.is_guarded:
        value = value.value
    return value
