"""`jit`: a function, or any derivative of one, as native code.

A call is laid end to end: its arrays and floating-point numbers are operands, and so are the arrays that the function
reaches besides; everything else belongs to the signature.  Each signature has a flat program (`wengert.programs`).
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.array import FRONT
from wengert.core.trace import Tracer, beneath
from wengert.errors import ArgumentError, page, reveal
from wengert.programs import CompiledPath, Program, is_recorded
from wengert.stages import Report, Stages, report_of
from wengert.transforms.checkpoint import RandomState
from wengert.transforms.reach import Reach, Twin
from wengert.transforms.record_graph import leaf_names, name_of
from wengert.transforms.record_path import PathNumber, is_array

_NUMERIC = "biufc"
ARRAY, NUMBER = object(), object()  # in the place of an output's leaf that is an array, or a Python number


class Outline:
    """What a call returned besides arrays: its containers, its other leaves, and which operands it has written into."""

    __slots__ = ("leaves", "structure", "written")

    def __init__(self, leaves: list[Any], structure: Any, written: list[int]) -> None:
        self.leaves, self.structure, self.written = leaves, structure, written

    def finish(self, results: Sequence[Any], operands: Sequence[Any]) -> Any:
        """The output of the call; what the function has written into its operands is written there."""
        rest = iter(results)
        leaves = [self._leaf(next(rest), y) if y is ARRAY or y is NUMBER else y for y in self.leaves]
        for k, new in zip(self.written, rest, strict=True):
            if isinstance(operands[k], Tracer):
                FRONT[operator.iadd](operands[k], new)
            else:
                operands[k][...] = new
        return trees.unflatten(self.structure, leaves)

    @staticmethod
    def _leaf(y: Any, kind: Any) -> Any:
        return y.item() if kind is NUMBER and not isinstance(y, Tracer) else y


class Signature:
    """All of a call that is not an operand, and the program for it."""

    def __init__(self, function: Any, captured: Reach, call: SplitCall) -> None:
        self.function, self.captured, self.call = function, captured, call
        self.n_operands = len(call.operands)
        call.operands = []  # they belong to one call
        self.program = Program(self._flat, name_of(function), self._hints)

    def _hints(self) -> list[str]:
        marks = self.call.arguments([0.0] * self.n_operands)
        names = leaf_names(self.function, marks)
        found = [name for name, flag in zip(names, self.call.is_operand, strict=True) if flag]
        return [""] * len(self.captured.arrays) + found + [""] * len(self.call.reach.arrays)

    def _flat(self, *operands: Any) -> tuple[list[Any], Outline]:
        """Call the function with these operands, which are traced."""
        before = [(x.value, x.extra) if isinstance(x, Tracer) else None for x in operands]
        n = len(self.captured.arrays)
        twin = Twin(self.captured, operands[:n])
        args, kwargs = self.call.arguments(operands[n:])
        chance = RandomState([*self.captured.generators, *self.call.reach.generators])
        try:
            out = twin.roots[0](*args, **kwargs)
        except ValueError as error:
            reveal(error)
            raise
        if chance.has_moved():
            raise drawn_inside(name_of(self.function))
        bound = twin.rebound()
        if bound is not None:
            raise rebound_inside(name_of(self.function), bound)
        leaves, structure = trees.flatten(out)
        written = [k for k, (x, b) in enumerate(zip(operands, before, strict=True))
                   if b is not None and not (x.value is b[0] and x.extra is b[1])]  # fmt: skip
        arrays = [y for y in leaves if is_array(y)] + [operands[k] for k in written]
        kinds = [NUMBER if type(y) is PathNumber else ARRAY if is_array(y) else y for y in leaves]
        return arrays, Outline(kinds, structure, written)


class Static:
    """An argument that belongs to the signature as a whole, by its type, its hash and its equality."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.key = (type(value), value)
        try:
            hash(value)
        except TypeError:
            raise ArgumentError(
                page(
                    f"a static argument of jit must be hashable, and {type(value).__name__} is not.",
                    "It is a part of the signature by which compiled versions are found again.",
                    "a tuple instead of a list   # or leave the argument out of static_argnums",
                    "argument",
                )
            ) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class Statics:
    """Which arguments are static, however a call passes them."""

    def __init__(self, function: Any, argnums: int | Sequence[int], argnames: str | Sequence[str]) -> None:
        self.given = (argnums, argnames)
        self.positions = {argnums} if isinstance(argnums, int) else set(argnums)
        self.names = {argnames} if isinstance(argnames, str) else set(argnames)
        if self.positions or self.names:
            known = dict(enumerate(parameter_names(function)))
            by_position = {known[k] for k in self.positions if k in known}
            self.positions |= {k for k, name in known.items() if name in self.names}
            self.names |= by_position

    def __call__(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The same call with its static arguments marked."""
        if not self.positions and not self.names:
            return args, kwargs
        marked = {k % len(args) for k in self.positions if -len(args) <= k < len(args)}
        args = tuple([Static(x) if k in marked else x for k, x in enumerate(args)])
        return args, {name: Static(x) if name in self.names else x for name, x in kwargs.items()}


def parameter_names(function: Any) -> list[str]:
    """The names of the positional parameters, as far as Python knows them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


_VALUES = (bool, int, str, bytes, type(None), np.dtype, type, range, Static)


class SplitCall:
    """The arguments of one call: the operands among them, and the key of the rest."""

    def __init__(self, args: Any, kwargs: Any, names: set[str]) -> None:
        leaves, self.structure = trees.flatten((args, kwargs))
        self.is_operand = [is_operand(x) for x in leaves]
        self.operands = [x for x, flag in zip(leaves, self.is_operand, strict=True) if flag]
        self.others = [x for x, flag in zip(leaves, self.is_operand, strict=True) if not flag]
        self.reach = Reach([x for x in self.others if not isinstance(x, _VALUES)], names)
        self.operands += self.reach.arrays
        settings = tuple([(type(x), x) for x in self.others if isinstance(x, _VALUES)])
        self.key = (self.structure, tuple(self.is_operand), settings, self.reach.key)

    def arguments(self, operands: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """`(args, kwargs)` with these operands."""
        rest, others = iter(operands), iter(self.others)
        leaves = [next(rest) if flag else next(others) for flag in self.is_operand]
        twins = iter(Twin(self.reach, list(rest)).roots)
        leaves = [x if flag else x.value if type(x) is Static else x if isinstance(x, _VALUES) else next(twins)
                  for x, flag in zip(leaves, self.is_operand, strict=True)]  # fmt: skip
        args, kwargs = trees.unflatten(self.structure, leaves)
        return tuple(args), kwargs


def is_operand(x: Any) -> bool:
    """Whether a leaf is an array or a floating-point number."""
    if isinstance(x, (np.ndarray, np.generic)):
        return x.dtype.kind in _NUMERIC
    return isinstance(x, (float, complex, Tracer))


class Jitted:
    """A function compiled for each signature that it is called with; see `wengert.jit`."""

    def __init__(
        self, function: Callable[..., Any], static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = ()
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._static = Statics(function, static_argnums, static_argnames)
        self._names: set[str] = set()
        self._captured = Reach((function,), self._names)
        self._signatures: dict[Any, Signature] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __parts__(self) -> tuple[Any]:
        return (self._function,)

    def __rebuild__(self, parts: Sequence[Any]) -> Jitted:
        return Jitted(parts[0], *self._static.given)

    def _call(self, args: Any, kwargs: Any) -> Any:
        call = SplitCall(*self._static(args, kwargs), self._names)
        captured = self._reached()
        operands = [*captured.arrays, *call.operands]
        if any(map(is_recorded, operands)):
            return self._function(*args, **kwargs)
        signature = self._signature(captured, call)
        results, outline = signature.program(*operands)
        return outline.finish(results, operands)

    def stages(self, *args: Any, **kwargs: Any) -> Stages:
        """Every stage of the compilation for these arguments: graphs, loop nests, LLVM text, assembly."""
        return Stages(self._path_of(args, kwargs)[0])

    def llvm(self, *args: Any, **kwargs: Any) -> str:
        """The LLVM text that is compiled for these arguments."""
        return str(self.stages(*args, **kwargs)["llvm"])

    def asm(self, *args: Any, **kwargs: Any) -> str:
        """The instructions of this processor for these arguments."""
        return str(self.stages(*args, **kwargs)["asm"])

    def report(self, *args: Any, **kwargs: Any) -> Report:
        """What a call with these arguments does: steps, calls of Python, bytes, flops, memory."""
        path, n_paths = self._path_of(args, kwargs)
        return report_of(path, name_of(self._function), n_paths)

    def _path_of(self, args: Any, kwargs: Any) -> tuple[CompiledPath, int]:
        """The compiled path that a call takes, and how many there are for its types; arguments are not written into."""
        call = SplitCall(*self._static(args, kwargs), self._names)
        captured = self._reached()
        values = [beneath(x) for x in (*captured.arrays, *call.operands)]
        program = self._signature(captured, call).program
        path = program.run(values)[1]
        return path, len(program.version(values).paths)

    def _reached(self) -> Reach:
        """What the function reaches now."""
        captured = self._captured
        if not captured.is_current():
            captured = self._captured = Reach((self._function,), self._names)
        return captured

    def _signature(self, captured: Reach, call: SplitCall) -> Signature:
        key = (call.key, captured.key)
        found = self._signatures.get(key)
        if found is None:
            found = self._signatures.setdefault(key, Signature(self._function, captured, call))
        return found


def drawn_inside(name: str) -> ArgumentError:
    """A compiled program would return the same numbers again."""
    return ArgumentError(
        page(
            f"jit({name}) draws random numbers.",
            "A compiled program would use the numbers of the call that was recorded again and again.",
            "noise = rng.normal(size=n)   # outside, and then pass it as an argument",
            "argument",
        )
    )


def rebound_inside(name: str, what: str) -> ArgumentError:
    """A compiled program computes; it does not bind names."""
    return ArgumentError(
        page(
            f"jit({name}) assigns to {what}.",
            "A compiled program returns what it computes, and nobody else would see the assignment.",
            "return value, new_state   # and assign outside",
            "argument",
        )
    )
