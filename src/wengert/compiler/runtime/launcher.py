"""The way into a compiled program: a builtin that checks its arguments, makes the outputs, and runs.

A **program** is a native function

    i32 entry(ptr inputs, ptr outputs, ptr workspace)

`inputs[k]` and `outputs[k]` are the addresses of the data of input and output `k`, C-contiguous and aligned to the size of an
element; outputs share memory with nothing.  `workspace` is memory of this call's own, aligned to 64 bytes, its content
undefined.  It returns 0, or another number when it stopped (-1 means: no memory), which `on_error(number)` then turns into
an exception.  It may be run by several threads at once.

`launcher(Launch(...))` gives a function of the arguments:

    launch(*arguments)  ->  None            the arguments are not exactly of these types: convert them (`conform`), or record anew
                            an int k        guard k does not hold; no results
                            the result      `is_single`: the only one itself
                            (results...)

An argument fits an `Input` if it is

    of kind "array"     exactly an ndarray, of that very dtype and shape, C-contiguous and aligned
    of kind "number"    exactly of the Python type: float, complex, np.float64, np.int32 ...
    of kind "object"    the very object (a function, None); the program is not given it, and it has no number there
    of kind "equal"     of the type of an object, and equal to it (a setting), parts of tuples included; the program is not given it, either

A result is what its `Output` says

    of kind "array"     a fresh ndarray, which owns its memory
    of kind "scalar"    a NumPy scalar
    of kind "number"    a Python float or complex
    of kind "guard"     one byte that must not be 0; guards stand at the end and are not returned

The first inputs may be `bound` to objects, which are then no arguments; and a launch may `watch` places outside (items of
dictionaries and lists, cells, lengths): where one holds another object than it did, the answer is None.  With a `shape` (`containers`) the
inputs are the leaves of the containers that a call is given, keywords included.  `finish` makes of the result, or of the tuple of
results, what is returned; `result` are nodes that say the same, for the builtin.

`dispatcher(launches, otherwise)` gives a function that runs the first launch that fits and whose guards hold, and hands all other
calls to `otherwise(*args, **kwargs)`.  An exception of a launch that `doubts` counts as a misfit.  As the value of a slot `__call__` of a class of Python it makes
instances whose calls run no line of Python:

    class Jitted:
        __slots__ = ("__call__", "__dict__", "__weakref__")

Nothing else is looked at, so launchers may be called from any thread, while they run, and from inside themselves.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from wengert import trees
from wengert.compiler.runtime import python
from wengert.compiler.runtime.containers import KINDS as NODE_KINDS
from wengert.compiler.runtime.containers import Node, Shape, result_nodes, shape_of
from wengert.compiler.runtime.library import is_loaded, library, library_behind
from wengert.core.types import ArrayType

FREELY = 20e-6  # seconds: programs that take longer run without the GIL
POOLED = 2**16  # bytes: outputs from this size on come from the pool
INPUT_KINDS = {"array": 0, "number": 1, "object": 2, "equal": 3}
OUTPUT_KINDS = {"array": 0, "pooled": 1, "scalar": 2, "float": 3, "complex": 4, "guard": 5}
_ENTRY = (ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_FASTCALL, _KEYWORDS = 0x80, 0x02
WATCH_KINDS = {"item": 0, "cell": 1, "list": 2, "length": 3, "content": 4}


@dataclass(frozen=True)
class Input:
    """What an argument has to be."""

    type: ArrayType | None
    kind: str = "array"
    exactly: Any = None  # the Python type of a number; the object itself

    @property
    def is_given(self) -> bool:
        """Whether the program sees it."""
        return self.kind in ("array", "number")

    def accepts(self, x: Any) -> bool:
        """Whether an argument fits."""
        if self.kind == "object":
            return x is self.exactly
        if self.kind == "equal":
            return type(x) is type(self.exactly) and bool(trees.exactly(x) == trees.exactly(self.exactly))
        if self.kind == "number":
            return type(x) is self.exactly
        assert self.type is not None
        tidy = type(x) is np.ndarray and x.flags.carray | x.flags.c_contiguous & x.flags.aligned
        return bool(tidy) and x.dtype is self.type.dtype and x.shape == self.type.shape


@dataclass(frozen=True)
class Output:
    """What a result will be."""

    type: ArrayType
    kind: str = "array"

    @property
    def n_bytes(self) -> int:
        """The size of the data."""
        return math.prod(self.type.shape) * self.type.dtype.itemsize


@dataclass(frozen=True)
class Watch:
    """A place that has to hold what it held: `owner[key]` of a dictionary or a list, a cell's or a list's content, or a length."""

    owner: Any
    key: Any
    value: Any
    kind: str

    @classmethod
    def item(cls, owner: Any, key: Any, value: Any) -> Watch:
        """`owner[key] is value`."""
        return cls(owner, key, value, "list" if isinstance(owner, list) else "item")

    @classmethod
    def cell(cls, owner: Any, value: Any) -> Watch:
        """`owner.cell_contents is value`."""
        return cls(owner, None, value, "cell")

    @classmethod
    def length(cls, owner: Any, n: int) -> Watch:
        """`len(owner) == n`."""
        return cls(owner, None, n, "length")

    @classmethod
    def content(cls, owner: list[Any], values: Sequence[Any]) -> Watch:
        """A list holds these very objects and no others."""
        return cls(owner, None, tuple(values), "content")

    def holds(self) -> bool:
        """Whether it does."""
        if self.kind == "content":
            return len(self.owner) == len(self.value) and all(x is y for x, y in zip(self.owner, self.value, strict=False))
        if self.kind == "length":
            return bool(len(self.owner) == self.value)
        try:
            return (self.owner.cell_contents if self.kind == "cell" else self.owner[self.key]) is self.value
        except (KeyError, IndexError, ValueError):  # not there any more
            return False


@dataclass(frozen=True)
class Launch:
    """All that a launcher has to know; `keep` is whatever must live as long as it may be called."""

    entry: int
    inputs: Sequence[Input]
    outputs: Sequence[Output]
    workspace: int = 0  # bytes
    seconds: float = 0.0  # about how long a call takes
    is_single: bool = False
    on_error: Callable[[int], Any] | None = None
    name: str = "program"
    bound: Sequence[Any] = ()
    watches: Sequence[Watch] = ()
    finish: Callable[[Any], Any] | None = None
    doubts: bool = False
    shape: Shape | None = None
    result: Sequence[Node] | None = None
    keep: Any = field(default=None, repr=False)

    @property
    def n_results(self) -> int:
        """The outputs that are returned."""
        return sum(output.kind != "guard" for output in self.outputs)


def launcher(launch: Launch) -> Callable[..., Any]:
    """The fastest way into a program that this Python allows."""
    kinds = [output.kind for output in launch.outputs]
    assert kinds == sorted(kinds, key=lambda kind: kind == "guard"), "guards stand at the end"
    assert not launch.is_single or launch.n_results == 1, "one result, or a tuple"
    return builtin(launch) if is_builtin_possible() else PlainLauncher(launch)


class Meanwhile:
    """The plain way into a program, until the runtime is there for a faster one: it is made behind the first call."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.way: Callable[..., Any] = PlainLauncher(launch)
        self.is_final = False

    def __call__(self, *values: Any) -> Any:
        if not self.is_final and is_loaded():
            self.way, self.is_final = launcher(self.launch), True
        result = self.way(*values)
        if not self.is_final:
            library_behind()
        return result


def launcher_behind(launch: Launch) -> Callable[..., Any]:
    """As `launcher`, without waiting for the runtime."""
    return launcher(launch) if is_loaded() else Meanwhile(launch)


def conform(inputs: Sequence[Input], values: Sequence[Any]) -> list[Any]:
    """Arguments of the right shapes, as a launcher takes them: laid out in C order, aligned, of the very dtype."""
    found = []
    for spec, x in zip(inputs, values, strict=True):
        if spec.kind == "array" and not spec.accepts(x):
            assert spec.type is not None
            x = np.require(x, spec.type.dtype, ("C", "A")).reshape(spec.type.shape)
            x = x.view(np.ndarray) if x.dtype is spec.type.dtype else np.array(x).view(spec.type.dtype)
        elif spec.kind == "number" and type(x) is not spec.exactly:
            x = spec.exactly(x)
        found.append(x)
    return found


def dispatcher(launches: Sequence[Launch], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """The first launch that fits, or `otherwise`."""
    if is_builtin_possible():
        return dispatcher_of(launches, otherwise)
    plain = [PlainLauncher(launch) for launch in launches if launch.shape is None]  # other calls take the long way

    def dispatch(*args: Any, **kwargs: Any) -> Any:
        for launch in plain if not kwargs else ():
            try:
                result = launch(*args)
            except Exception:
                if not launch.launch.doubts:
                    raise
                continue
            if result is not None and type(result) is not int:
                return result
        return otherwise(*args, **kwargs)

    return dispatch


# --- as a builtin --------------------------------------------------------------------------------------------------


class Record(np.ndarray):
    """The memory of a %Launch or %Dispatch, and all that it points to."""

    kept: Any


def dispatcher_of(launches: Sequence[Launch], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """A builtin that chooses among launches."""
    return _builtin("wg_dispatch", _FASTCALL | _KEYWORDS, _pack_dispatch(launches, otherwise))


def builtin(launch: Launch) -> Callable[..., Any]:
    """A builtin of Python; it keeps the record, which keeps everything else."""
    return _builtin("wg_launch", _FASTCALL, pack(launch))


def _builtin(function: str, flags: int, record: Record) -> Callable[..., Any]:
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return make(python.address_of(ctypes.pythonapi.PyCFunction_NewEx))(_method(function, flags), record, None)  # type: ignore[no-any-return]


class _MethodDef(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


@cache
def _method(function: str, flags: int) -> int:
    """The definition that all builtins of a kind share; they know its address only, so it stays for ever."""
    method = _MethodDef(b"compiled", library().module.address(function), flags, b"A compiled program.")
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(method))
    return ctypes.addressof(method)


def _record(words: Sequence[Any], kept: list[Any]) -> Record:
    record = np.array(words, np.int64).view(Record)
    record.kept = kept
    return record


def _pack_dispatch(launches: Sequence[Launch], otherwise: Callable[..., Any]) -> Record:
    records = [pack(launch) for launch in launches]
    kept: list[Any] = [records, otherwise]
    return _record([len(records), _memory([record.ctypes.data for record in records], kept), id(otherwise)], kept)


def pack(launch: Launch) -> Record:
    """A launch as the launcher reads it."""
    kept: list[Any] = [launch]
    slots = iter(range(len(launch.inputs)))
    inputs = [word for spec in launch.inputs for word in _input_words(spec, next(slots) if spec.is_given else -1, kept)]
    outputs = [word for output in launch.outputs for word in _output_words(output, kept)]
    watches = [word for watch in launch.watches for word in _watch_words(watch, kept)]
    words = [
        launch.entry, len(launch.inputs), _memory(inputs, kept), len(launch.outputs), _memory(outputs, kept),
        launch.workspace, launch.seconds > FREELY, launch.n_results, launch.is_single, id(_raiser(launch, kept)),
        len(launch.bound), _memory([id(x) for x in launch.bound], kept), len(launch.watches), _memory(watches, kept),
        0 if launch.finish is None else id(launch.finish), launch.doubts,
        _shape_memory(launch.shape, kept), 0 if launch.result is None else _node_memory(launch.result, kept),
    ]  # fmt: skip
    return _record(words, kept)


def _memory(words: Sequence[int], kept: list[Any]) -> int:
    array = np.array(words, np.int64)
    kept.append(array)
    return int(array.ctypes.data)


def _shape_memory(shape: Shape | None, kept: list[Any]) -> int:
    if shape is None:
        return 0
    names = [id(name) for name in shape.names]
    return _memory([shape.n_positional, _node_memory(shape.nodes, kept), _memory(names, kept), len(names)], kept)


def _node_memory(nodes: Sequence[Node], kept: list[Any]) -> int:
    words = [w for x in nodes for w in (NODE_KINDS[x.kind], id(x.what), x.n, _memory([id(name) for name in x.names], kept))]
    return _memory(words, kept)


def _raiser(launch: Launch, kept: list[Any]) -> Any:
    def stopped(status: int) -> Any:
        msg = f"{launch.name} stopped with status {status}"
        raise RuntimeError(msg)

    raiser = launch.on_error or stopped
    kept.append(raiser)
    return raiser


def _input_words(spec: Input, slot: int, kept: list[Any]) -> list[int]:
    if spec.kind != "array":
        return [INPUT_KINDS[spec.kind], id(spec.exactly), 0, 0, 0, slot]
    assert spec.type is not None
    shape = spec.type.shape
    kept.append(spec.type.dtype)
    return [0, 0, id(spec.type.dtype), len(shape), _memory(shape, kept), slot]


def _watch_words(watch: Watch, kept: list[Any]) -> list[int]:
    if watch.kind == "content":
        return [WATCH_KINDS["content"], id(watch.owner), 0, len(watch.value), _memory([id(x) for x in watch.value], kept)]
    if watch.kind == "length":
        return [WATCH_KINDS["length"], id(watch.owner), 0, watch.value, 0]
    index = watch.key if watch.kind == "list" else 0
    return [WATCH_KINDS[watch.kind], id(watch.owner), id(watch.key), index, id(watch.value)]


def _output_words(output: Output, kept: list[Any]) -> list[int]:
    kind, dtype, shape = output.kind, output.type.dtype, output.type.shape
    if kind == "array" and output.n_bytes >= POOLED:
        kind = "pooled"
    elif kind == "number":
        kind = "complex" if dtype.kind == "c" else "float"
    kept.append(dtype)
    return [OUTPUT_KINDS[kind], id(dtype), len(shape), _memory(shape, kept), output.n_bytes]


# --- for interpreters of another build -----------------------------------------------------------------------------


class PlainLauncher:
    """The same contract through ctypes, which knows no layouts."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        kind = ctypes.CFUNCTYPE if launch.seconds > FREELY else ctypes.PYFUNCTYPE
        self.entry = kind(*_ENTRY)(launch.entry)
        self.on_error = _raiser(launch, [])

    def __call__(self, *values: Any) -> Any:
        launch = self.launch
        values = (*launch.bound, *values)
        if len(values) != len(launch.inputs) or not all(watch.holds() for watch in launch.watches):
            return None
        if not all(spec.accepts(x) for spec, x in zip(launch.inputs, values, strict=True)):
            return None
        inputs = [np.asarray(x) for spec, x in zip(launch.inputs, values, strict=True) if spec.is_given]
        outputs = [np.empty(output.type.shape, output.type.dtype) for output in launch.outputs]
        workspace = np.empty(launch.workspace + 64, np.uint8)
        start = -workspace.ctypes.data % 64
        status = self.entry(_pointers(inputs), _pointers(outputs), workspace.ctypes.data + start)
        if status != 0:
            return self._stopped(status)
        for k, guard in enumerate(outputs[launch.n_results :]):
            if not guard:
                return k
        results = tuple(_result(y, output.kind) for y, output in zip(outputs, launch.outputs, strict=True) if output.kind != "guard")
        result = results[0] if launch.is_single else results
        return result if launch.finish is None else launch.finish(result)

    def _stopped(self, status: int) -> Any:
        if status == -1:
            raise MemoryError
        return self.on_error(status)


def _pointers(arrays: Sequence[Any]) -> Any:
    addresses = [x.ctypes.data for x in arrays]
    return (ctypes.c_void_p * max(1, len(addresses)))(*addresses)


def _result(y: Any, kind: str) -> Any:
    return y.item() if kind == "number" else y[()] if kind == "scalar" else y


# --- the self-test -------------------------------------------------------------------------------------------------

_POSSIBLE: list[bool] = []


def is_builtin_possible() -> bool:
    """Whether objects lie in memory as the launcher expects; tried out once."""
    if not _POSSIBLE:
        _POSSIBLE.append(python.is_array_as_expected() and python.is_number_as_expected() and python.is_list_as_expected() and probe())
    return _POSSIBLE[0]


def probe() -> bool:
    """A small program through the builtin, with everything that it may return compared."""
    entry = library().module.address("wg_probe")
    f64 = np.dtype(float)
    large = Output(ArrayType((POOLED // 8,), f64))
    outputs = [Output(ArrayType((2, 3), f64)), large, *(Output(ArrayType((), f64), kind) for kind in ("scalar", "number"))]
    guard = Output(ArrayType((), np.dtype(bool)), "guard")
    inputs = [Input(ArrayType((2, 3), f64)), Input(None, "number", float), Input(None, "object", probe)]
    launch = builtin(Launch(entry, inputs, [*outputs, guard], 100))
    x = np.full((2, 3), 2.5)
    if launch(x) is not None or launch(x, 1, probe) is not None or launch(x[:, ::2], 1.0, probe) is not None:
        return False
    results = launch(x, 2.5, probe)
    y, large_y, scalar, number = results
    return _takes_containers(entry, inputs[:2], [*outputs, guard]) and (
        (y.shape, y.dtype, y.base, y.flags.owndata) == ((2, 3), f64, None, True)
        and y[0, 0] == 2.5
        and large_y.flags.owndata
        and large_y[0] == 2.5
        and type(scalar) is np.float64
        and type(number) is float
        and scalar == number == 2.5
        and launch(np.zeros((2, 3)), 0.0, probe) == 0
    )


def _takes_containers(entry: int, inputs: Sequence[Input], outputs: Sequence[Output]) -> bool:
    """Whether containers and keywords are taken apart, and put together, as they should be."""
    x, marks = np.full((2, 3), 2.5), [np.empty(0) for _ in outputs[:-1]]
    shape, _ = shape_of(({"b": [x]},), {"c": 2.5})
    nodes = result_nodes({"b": marks[2], "a": [marks[0], ("text", marks[3])]}, marks)
    calls = dispatcher_of([Launch(entry, inputs, outputs, 100, shape=shape, result=nodes)], lambda *args, **kwargs: "otherwise")
    found = calls({"b": [x]}, c=2.5)
    others = calls({"b": [x]}, d=2.5), calls({"b": (x,)}, c=2.5), calls({"b": [x], "e": x}, c=2.5)
    return (
        list(found) == ["b", "a"]
        and found["b"] == 2.5
        and (found["a"][0][0, 0], *found["a"][1]) == (2.5, "text", 2.5)
        and others == ("otherwise",) * 3
    )
