"""`jit`: a function, or any derivative of one, as native code.

A call is laid end to end: its arrays and floating-point numbers are operands, and so are the arrays that the function
reaches besides; everything else belongs to the signature.  Each signature has a flat program (`wengert.programs`).
"""

from __future__ import annotations

import functools
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
_VALUES = (bool, int, str, bytes, type(None), np.dtype, type, range)
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
        self.program = Program(self._flat, name_of(function), self._hints)

    def _hints(self) -> list[str]:
        marks = self.call.arguments([0.0] * len(self.call.operands))
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


class SplitCall:
    """The arguments of one call: the operands among them, and the key of the rest."""

    def __init__(self, args: Any, kwargs: Any, names: set[str]) -> None:
        self.leaves, self.structure = trees.flatten((args, kwargs))
        self.is_operand = [is_operand(x) for x in self.leaves]
        self.operands = [x for x, flag in zip(self.leaves, self.is_operand, strict=True) if flag]
        others = [x for x, flag in zip(self.leaves, self.is_operand, strict=True) if not flag]
        self.settings = [x if isinstance(x, _VALUES) else None for x in others]
        self.reach = Reach([x for x in others if not isinstance(x, _VALUES)], names)
        self.operands += self.reach.arrays
        settings = tuple([(type(x), x) for x in self.settings])
        self.key = (self.structure, tuple(self.is_operand), settings, self.reach.key)

    def arguments(self, operands: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """`(args, kwargs)` with these operands."""
        rest = iter(operands)
        found: list[Any] = [next(rest) if flag else None for flag in self.is_operand]
        objects = iter(Twin(self.reach, list(rest)).roots)
        settings = iter(self.settings)
        for k, flag in enumerate(self.is_operand):
            if not flag:
                setting = next(settings)
                found[k] = self.leaves[k] if isinstance(self.leaves[k], _VALUES) else next(objects)
                assert setting is None or found[k] is setting
        args, kwargs = trees.unflatten(self.structure, found)
        return tuple(args), kwargs

    def forget(self) -> None:
        """Let go of the values, which belong to one call."""
        self.operands = [None] * len(self.operands)
        self.leaves = [None if flag else x for x, flag in zip(self.leaves, self.is_operand, strict=True)]


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
        self._static = (
            (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums),
            (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames),
        )
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
        return Jitted(parts[0], *self._static)

    def _call(self, args: Any, kwargs: Any) -> Any:
        call = SplitCall(args, kwargs, self._names)
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
        call = SplitCall(args, kwargs, self._names)
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
