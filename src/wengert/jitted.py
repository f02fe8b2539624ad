"""`jit`: a function, or any derivative of one, as native code.

A call is laid end to end: its arrays and floating-point numbers are operands, and so are the arrays that the function
reaches besides; everything else belongs to the signature.  Each signature has a flat program (`wengert.programs`).
"""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import operator
import sys
import types
import weakref
from collections.abc import Awaitable, Callable, Iterator, MappingView, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.compiler.export import Interface, export, function_name
from wengert.compiler.lower_callable import LowerCallable, lower_callable
from wengert.compiler.pipeline import Compiled
from wengert.compiler.runtime.containers import Node, NotNative, is_simple, result_nodes, shape_of
from wengert.compiler.runtime.launcher import Input, Launch, Output, Watch, dispatcher
from wengert.compiler.runtime.library import library_behind
from wengert.core.array import FRONT
from wengert.core.quiet import quiet
from wengert.core.trace import Tracer, beneath
from wengert.errors import CompileError, reveal
from wengert.programs import CompiledPath, Program, is_recorded
from wengert.stages import Report, Stages, passing_result, report_of, unknown_static, warn_changes, warn_many_signatures
from wengert.transforms.blame import is_bad
from wengert.transforms.checkpoint import RandomState
from wengert.transforms.diagnose import diagnosed
from wengert.transforms.findings import anomaly_lost, anomaly_of
from wengert.transforms.reach import Reach, Twin
from wengert.transforms.record_graph import leaf_names, name_of
from wengert.transforms.record_path import PathNumber, is_array
from wengert.transforms.watch import WATCHED, is_expanded, is_watching

_NUMERIC = "biufc"
MANY_SIGNATURES = 64  # are worth a warning
MANY_CHANGES = 8  # by a function, of what it reaches: a few may be what it keeps for later calls
MOST_LAUNCHES = 8  # are tried in turn before a call takes the long way
MOST_LESSONS = 64  # after which a path that is forgotten again and again takes the long way
ARRAY, NUMBER = object(), object()  # in the place of an output's leaf that is an array, or a Python number


_PASSING = (Iterator, MappingView, Awaitable)  # what gives its values later, or once only


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

    def is_plain(self) -> tuple[bool, bool]:
        """Whether the output is a tuple of arrays and numbers; and whether it is one alone, which needs no tuple."""
        if not all(kind is ARRAY or kind is NUMBER for kind in self.leaves):
            return False, False
        n = len(self.leaves)
        is_single = n == 1 and self.structure == trees.flatten(0.0)[1]
        return is_single or self.structure == trees.flatten((0.0,) * n)[1], is_single

    def nodes(self) -> Sequence[Node] | None:
        """What the launcher needs to know to make the output, if it can."""
        marks = [np.empty(0) for y in self.leaves if y is ARRAY or y is NUMBER]
        rest = iter(marks)
        leaves = [next(rest) if y is ARRAY or y is NUMBER else y for y in self.leaves]
        try:
            return result_nodes(trees.unflatten(self.structure, leaves), marks)
        except NotNative:
            return None

    @staticmethod
    def _leaf(y: Any, kind: Any) -> Any:
        return y.item() if kind is NUMBER and isinstance(y, np.generic) else y


class Signature:
    """All of a call that is not an operand, and the program for it."""

    def __init__(self, function: Any, captured: Reach, call: SplitCall, *, cache: bool) -> None:
        self.function, self.captured, self.call = function, captured, call
        call.operands = []  # they belong to one call
        self.program = Program(self._flat, name_of(function), self._hints, cache=cache)

    def _hints(self) -> list[str]:
        args, kwargs = trees.unflatten(self.call.structure, [0.0] * len(self.call.is_operand))
        names = leaf_names(self.function, (tuple(args), kwargs))
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
        except Exception as error:
            reveal(error)
            raise
        if chance.has_moved():
            raise CompileError.of_random(name_of(self.function))
        bound = twin.rebound()
        if bound is not None:
            raise CompileError.of_binding(name_of(self.function), bound)
        leaves, structure = trees.flatten(out)
        for y in leaves:
            if isinstance(y, _PASSING):
                raise passing_result(name_of(self.function), y)
        written = [k for k, (x, b) in enumerate(zip(operands, before, strict=True))
                   if b is not None and not (x.value is b[0] and x.extra is b[1])]  # fmt: skip
        arrays = [y for y in leaves if is_array(y)] + [operands[k] for k in written]
        kinds = [NUMBER if type(y) is PathNumber else ARRAY if is_array(y) else y for y in leaves]
        return arrays, Outline(kinds, structure, written)


class Static:
    """An argument that belongs to the signature as a whole, by its types, its hash and its equality."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.key = trees.exactly(value)
        try:
            hash(value)
        except TypeError:
            raise CompileError.of_static(value) from None

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
            self._check(function)
            known = dict(enumerate(parameter_names(function)))
            by_position = {known[k] for k in self.positions if k in known}
            self.positions |= {k for k, name in known.items() if name in self.names}
            self.names |= by_position

    def _check(self, function: Any) -> None:
        """Refuse names and positions that no call of the function can have, as far as Python knows its parameters."""
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            return
        kinds = {p.kind for p in parameters.values()}
        unknown = [name for name in self.names if name not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds]
        beyond = [k for k in self.positions if k >= len(parameters) and inspect.Parameter.VAR_POSITIONAL not in kinds]
        for wrong in (*unknown, *beyond):
            raise unknown_static(name_of(function), wrong, list(parameters))

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


NOTHING = Reach((), set())


class SplitCall:
    """The arguments of one call: the operands among them, and the key of the rest."""

    def __init__(self, args: Any, kwargs: Any, names: set[str]) -> None:
        leaves, self.structure = trees.flatten((args, kwargs))
        self.has_no_containers = not kwargs and len(leaves) == len(args) and all(map(operator.is_, leaves, args))
        self.is_operand = [is_operand(x) for x in leaves]
        self.operands = [x for x, flag in zip(leaves, self.is_operand, strict=True) if flag]
        self.others = [x for x, flag in zip(leaves, self.is_operand, strict=True) if not flag]
        objects = [x for x in self.others if not isinstance(x, _VALUES)]
        self.reach = Reach(objects, names) if objects else NOTHING
        self.operands += self.reach.arrays
        settings = tuple([trees.exactly(x) for x in self.others if isinstance(x, _VALUES)])
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
    if isinstance(x, (float, complex, Tracer, np.generic)):
        return not isinstance(x, np.generic) or x.dtype.kind in _NUMERIC
    if type(x) in (np.ndarray, np.memmap):
        return x.dtype.kind in _NUMERIC
    if isinstance(x, np.ndarray) or (hasattr(x, "dtype") and hasattr(x, "shape") and not isinstance(x, type)):
        raise CompileError.of_operand(x)
    return False


def lies_in_rows(x: Any) -> bool:
    """Whether an operand lies as the launcher takes arrays; what a path for another order copies may be a view here, and written into."""
    return not isinstance(x, np.ndarray) or x.flags.c_contiguous


def is_shared(operands: Sequence[Any], written: Sequence[int]) -> bool:
    """Whether an operand that is written into may lie where another one does; recorded, they are apart."""
    arrays = [(k, x) for k, x in enumerate(operands) if isinstance(x, np.ndarray)]
    return any(j != k and np.may_share_memory(operands[k], x) for k in written for j, x in arrays)


def is_native(x: Any) -> bool:
    """Whether a captured array has this machine's byte order; compiled code gets a copy of others at each call."""
    return not isinstance(x, np.ndarray) or x.dtype.isnative


class Jitted:
    """A function compiled for each signature that it is called with; see `wengert.jit`.

    How an instance is called stands in its slot `__call__`: at first the long way, later a builtin that knows the latest programs.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__")
    __call__: Callable[..., Any]

    def __init__(
        self, function: Callable[..., Any], static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = (),
        *, cache: bool = True,
    ) -> None:  # fmt: skip
        functools.update_wrapper(self, function)
        self._function, self._cache = function, cache
        self._static = Statics(function, static_argnums, static_argnames)
        self._names: set[str] = set()
        self._captured = Reach((function,), self._names)
        self._signatures: dict[Any, Signature] = {}
        self._launches: list[tuple[CompiledPath, Reach, Launch]] = []
        self._learnt: dict[CompiledPath, int] = {}
        self._n_changes = 0
        self._quick: Callable[..., Any] = self._call_at_length
        self._choose()
        _ALIVE.add(self)

    def __repr__(self) -> str:
        return f"<wg.jit of {name_of(self._function)}, {len(self._signatures)} signatures compiled>"

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __parts__(self) -> tuple[Any]:
        return (self._function,)

    def __rebuild__(self, parts: Sequence[Any]) -> Jitted:
        return Jitted(parts[0], *self._static.given, cache=self._cache)

    def __reduce__(self) -> Any:
        """Under the name that a module has for it, as functions are; made anew from its function if there is none."""
        for module in dict.fromkeys((str(self.__module__), "__main__")):
            space = getattr(sys.modules.get(module), "__dict__", {})
            for name in (getattr(self, "__qualname__", ""), *(key for key, value in list(space.items()) if value is self)):
                if found_under(module, name) is self:
                    return found_under, (module, name)
        return made_again, (self._function, self._static.given, self._cache)

    def __deepcopy__(self, memo: dict[int, Any]) -> Jitted:
        """Functions are not copied, but the object that a method belongs to is."""
        function = copy.deepcopy(self._function, memo)
        return self if function is self._function else made_again(function, self._static.given, self._cache)

    def jit_as_well(self, transformed: Callable[..., Any]) -> Jitted:
        """A transformation of this function as one compiled program, with the same static arguments."""
        return Jitted(transformed, *self._static.given, cache=self._cache)

    def _call_at_length(self, *args: Any, **kwargs: Any) -> Any:
        """A call of which nothing is known."""
        marked = self._static(args, kwargs)
        call = SplitCall(*marked, self._names)
        captured = self._reached()
        operands = [*captured.arrays, *call.operands]
        if any(map(is_recorded, operands)) or is_expanded.get():
            return self._function(*args, **kwargs)
        n_signatures = len(self._signatures)
        program = self._signature(captured, call).program
        if any(isinstance(x, Tracer) for x in operands):
            results, outline = program(*operands)
        else:
            results, path = program.run(operands)
            outline = path.path.outline
            if len(self._signatures) != n_signatures:
                self._look_for_changes(captured)
            if outline.written and is_shared(operands, outline.written):
                return self._function(*args, **kwargs)  # what it writes into one of them it reads in another
            is_lasting = call.reach.is_fixed and not outline.written and not captured.is_volatile
            if is_lasting and all(map(lies_in_rows, operands[len(captured.arrays) :])) and all(map(is_native, captured.arrays)):
                self._learn(path, captured, call, *marked)
        return outline.finish(results, operands)

    def _look_for_changes(self, captured: Reach) -> None:
        """Warn of a function that has changed what it reaches, once more, while it was recorded: no compiled version of it is used twice."""
        what = captured.changed()
        self._n_changes += what is not None
        if what is not None and self._n_changes == MANY_CHANGES:
            warn_changes(name_of(self._function), what)

    def _learn(self, path: CompiledPath, captured: Reach, call: SplitCall, args: Any, kwargs: Any) -> None:
        """From now on calls like this one go straight to the launcher."""
        if not library_behind():  # then the next call may
            return
        if any(known is path and then is captured for known, then, _ in self._launches):
            return
        self._learnt[path] = self._learnt.get(path, 0) + 1
        if self._learnt[path] > MOST_LESSONS:
            return
        try:
            launch = direct_launch(path, captured, call, args, kwargs)
        except NotNative:
            self._learnt[path] = MOST_LESSONS
            return
        others = [entry for entry in self._launches if entry[0] is not path]
        self._launches = [(path, captured, launch), *others[: MOST_LAUNCHES - 1]]
        self._quick = dispatcher([launch for _, _, launch in self._launches], self._call_at_length)
        self._choose()

    def _choose(self) -> None:
        """How an instance is called: within `wengert.anomaly`, with a look at the result."""
        self.__call__ = self._watched() if WATCHED.n_open else self._quick

    def _watched(self) -> Callable[..., Any]:
        """A call whose result is looked at: one that costs less than the rest of a small call, in the usual case."""
        quick, array, reals, infinity = self._quick, np.ndarray, {np.float64, np.float32}, np.inf

        def call(*args: Any, **kwargs: Any) -> Any:
            result = quick(*args, **kwargs) if kwargs else quick(*args)
            if type(result) is array:
                flat = result if result.ndim == 1 else result.ravel()
                try:
                    total = flat.dot(flat)
                    if type(total) in reals and total < infinity:  # a finite sum of squares is one of finite numbers
                        return result
                except (RuntimeWarning, FloatingPointError):  # that squares are too large says nothing
                    pass
            return self._judged(result, args, kwargs)

        return call

    def _judged(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result, if it is finite; where it is not, the function runs once more, operation by operation."""
        if is_watching.get() and not is_expanded.get():
            leaves = [result] if type(result) is np.ndarray else [y for y in trees.flatten(result)[0] if hasattr(y, "dtype")]
            with quiet():
                is_wrong = any(map(is_bad, leaves))
            if is_wrong and not any(isinstance(y, Tracer) for y in leaves):
                diagnosis = diagnosed(self._function, (), args, kwargs)
                raise anomaly_of(diagnosis.bad) if diagnosis.bad else anomaly_lost(name_of(self._function))
        return result

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

    def lower_callable(self, *args: Any, signature: str = "double (int, double *)", **kwargs: Any) -> LowerCallable:
        """A C function in this process that does what this one does, for arguments like these: for SciPy, ctypes, Numba.

        `signature` is one of those of `wengert.compiler.lower_callable`.  What goes wrong inside gives NaN, or a status.

        Example:
            >>> import numpy as np, wengert as wg
            >>> from scipy import integrate
            >>> f = wg.jit(lambda x, a: np.exp(-a * x * x)).lower_callable(0.0, 1.0)
            >>> round(integrate.quad(f.for_scipy(), 0.0, 1.0, args=(1.0,))[0], 6)
            0.746824
        """
        compiled, bound = self._alone(args, kwargs)
        types = [var.type for var in compiled.graph.inputs], [output.type for output in compiled.outputs]
        program = compiled.module.address("entry"), compiled.plan.workspace
        return lower_callable(program, *types, signature, bound=bound, name=compiled.name, keep=compiled)

    def export(self, path: str, *args: Any, target: str | None = None, cpu: str = "", **kwargs: Any) -> tuple[str, str]:
        """Write `path`.o and `path`.h: this function for arguments like these, for C programs on any target of LLVM.

        `target` is a triple ("aarch64-unknown-linux-gnu"), this machine's if left out; `cpu` one of its processors, or
        "native".  Arrays that the function has captured are written into the file as they are now.
        """
        compiled, bound = self._alone(args, kwargs)
        types = [var.type for var in compiled.graph.inputs], [output.type for output in compiled.outputs]
        names = [var.hint for var in compiled.graph.inputs]
        interface = Interface(function_name(path), *types, names, bound=bound)
        return export(compiled.program, compiled.plan, interface, path, target=target, cpu=cpu)

    def _alone(self, args: Any, kwargs: Any) -> tuple[Compiled, dict[int, Any]]:
        """The program for these arguments, which must not ask for values, and the arrays that the function has captured."""
        path, _ = self._path_of(args, kwargs)
        if path.keys:
            raise CompileError.of_questions(name_of(self._function))
        return path.compiled, dict(enumerate(map(beneath, self._reached().arrays)))

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
            found = self._signatures.setdefault(key, Signature(self._function, captured, call, cache=self._cache))
            if len(self._signatures) % MANY_SIGNATURES == 0:
                warn_many_signatures(name_of(self._function), len(self._signatures))
        return found


def found_under(module: str, name: str) -> Any:
    """What a module has under a dotted name; `None` if it has nothing."""
    try:
        return functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except (AttributeError, ImportError):
        return None


def made_again(function: Callable[..., Any], static: tuple[Any, Any], cache: bool) -> Jitted:
    """A function as it was compiled elsewhere, or in another process."""
    return Jitted(function, *static, cache=cache)


# --- the short way ---------------------------------------------------------------------------------------------------


def direct_launch(path: CompiledPath, captured: Reach, call: SplitCall, args: Any, kwargs: Any) -> Launch:
    """How calls like this one run a compiled path, as long as the function reaches the same objects.

    What goes wrong on a path with guards may come from its being the wrong one: the long way finds out.
    """
    outline = path.path.outline
    kinds = [kind for kind in outline.leaves if kind is ARRAY or kind is NUMBER]
    results = [Output(y.type, "number") if kind is NUMBER else y for y, kind in zip(path.outputs, kinds, strict=False)]
    is_plain, is_single = outline.is_plain()
    n = len(captured.arrays)
    shape, leaves = shape_of(args, kwargs)
    if any(map(operator.is_not, leaves, trees.flatten((args, kwargs))[0])):
        raise NotNative
    operands = iter(path.inputs[n:])
    given = [next(operands) if flag else setting_of(x) for x, flag in zip(leaves, call.is_operand, strict=True)]
    return path.compiled.launch_of(
        [*path.inputs[:n], *given], [*results, *path.outputs[len(kinds) :]], is_single=is_single,
        bound=captured.arrays, watches=watches_of(captured), doubts=bool(path.keys or path.types), shape=None if call.has_no_containers else shape,
        finish=None if is_plain else lambda results: outline.finish(results, ()), result=None if is_plain else outline.nodes(),
    )  # fmt: skip


def setting_of(x: Any) -> Input:
    """What the launcher is to expect in the place of a leaf that is no operand."""
    value = x.value if type(x) is Static else x
    return Input(None, "equal" if is_simple(value) else "object", value)


def watches_of(captured: Reach) -> list[Watch]:
    """The places that a function reaches things through, and that may come to hold something else."""
    lists: dict[int, tuple[Any, list[Any]]] = {}
    items = []
    for owner, key, value in captured.items:
        if isinstance(owner, list):
            lists.setdefault(id(owner), (owner, []))[1].append(value)
        elif not isinstance(owner, tuple):
            items.append(Watch.item(owner, key, value))
    return [
        *items,
        *(Watch.cell(cell, value) for cell, value in captured.cells),
        *(Watch.content(owner, values) for owner, values in lists.values()),
        *(Watch.length(owner, n) for owner, n in captured.lengths if not isinstance(owner, tuple) and id(owner) not in lists),
    ]


_ALIVE: weakref.WeakSet[Jitted] = weakref.WeakSet()


def _choose_all() -> None:
    for jitted in list(_ALIVE):
        jitted._choose()


WATCHED.listeners.append(_choose_all)
