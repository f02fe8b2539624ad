"""Recording for the compiler: one path through a program as a graph, with the questions that chose it as guards.

The program runs, so Python's control flow works.  Wherever it looks at a value (a truth value, a count, an index), the
answer becomes a guard: a further output of the graph, which says whether other inputs give the same answer.

Loops and large arrays are not computed while they are recorded, unless somebody looks (`wengert.transforms.unseen`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

import numpy as np

from wengert._source import user_frame
from wengert.core.array import FRONT
from wengert.core.graph import Const, Graph
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer, beneath, bind
from wengert.core.types import ArrayType, in_native_order, type_of
from wengert.errors import LeakError
from wengert.primitives.align import DIRECT
from wengert.primitives.blank import is_large
from wengert.primitives.structure import cast
from wengert.transforms.record_graph import Draft, GraphArray, GraphTrace, Place, graph_of
from wengert.transforms.repeats import Repeats, warn_unrolled
from wengert.transforms.unseen import Unseen

LARGE = 2**12  # elements: in a constant of more, one number repeated is looked for


class PathArray(GraphArray):
    """A value on the path that is being recorded."""

    __slots__ = ()


class PathNumber(PathArray):
    """A Python number, which is weak in NumPy's promotion, as are its sums and products with others of its kind."""

    __slots__ = ()

    @property
    def weak(self) -> type:
        """The type that it promotes as."""
        return complex if self.dtype.kind == "c" else float


def _weakly(function: Any, *, is_reflected: bool = False) -> Callable[..., Any]:
    """An operator of `PathNumber` whose result is weak, too, where both operands are."""

    def operate(self: PathNumber, *others: Any) -> Any:
        name = function.__name__
        if not all(type(x) is PathNumber or type(x) in (int, float, complex, bool) for x in others):
            return getattr(PathArray, f"__{'r' if is_reflected else ''}{OPERATORS[function]}__")(self, *others)
        result = FRONT[function](*others, self) if is_reflected else FRONT[function](self, *others)
        assert isinstance(result, Tracer), name
        return PathNumber(result.value, result.watcher, result.extra)

    return operate


OPERATORS = {
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.true_divide: "truediv", np.power: "pow",
    np.floor_divide: "floordiv", np.remainder: "mod", np.negative: "neg", np.positive: "pos", np.absolute: "abs",
}  # fmt: skip
DIRECT.add(PathArray)
for _function, _name in OPERATORS.items():
    setattr(PathNumber, f"__{_name}__", _weakly(_function))
    if _function.nin == 2:
        setattr(PathNumber, f"__r{_name}__", _weakly(_function, is_reflected=True))


class GuessedError(Exception):
    """Something went wrong where values were not computed: with all of them, the error is the one of eager code."""


def example_of(type_: ArrayType) -> Any:
    """Something of a type that takes no memory; its numbers mean nothing."""
    one = np.ones((), type_.dtype)
    return np.broadcast_to(one, type_.shape) if type_.shape else one[()]


class PathTrace(GraphTrace):
    """Write down every operation, and every look at a value.

    Values are let go as the program lets them go; nothing is named, as that would cost more than all else.  With `guesses`, loops are
    not run, and large arrays not computed: examples stand for them, and all that is made of those, until somebody looks.
    """

    __slots__ = ("guarded", "guards", "guesses", "kept", "locations", "repeats", "types", "unseen")
    is_guarded = True

    def __init__(self, *, guesses: bool = False) -> None:
        super().__init__()
        self.guesses = guesses  # for as long as little is looked at
        self.unseen = Unseen(self.drafts)
        self.guarded: dict[Place, Any] = {}
        self.guards: list[tuple[Place, Any]] = []  # what was looked at, and what was seen
        self.kept: dict[int, Any] = {}  # constants by `id`, so that no `id` is used twice
        self.types: dict[Any, ArrayType] = {}
        self.locations: dict[tuple[CodeType, int], str] = {}
        self.repeats = Repeats()

    def input(self, value: Any, hint: str) -> GraphArray:
        """A new input; a Python number is a weak one."""
        place = Place(type_of(value), hint)
        is_weak = isinstance(value, (float, complex)) and not isinstance(value, np.generic)
        self.unseen.sources[place] = value = np.asarray(value)[()] if is_weak else value
        return PathNumber(value, self, place) if is_weak else PathArray(value, self, place)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        if primitive.family == "call":  # its inner program becomes a part of this one
            return primitive.eval(*operands, **params)
        values, atoms = [], []
        unseen = self.unseen.values
        is_still = True  # whether no derivative flows into it
        for x in operands:
            if isinstance(x, Tracer) and x.watcher is self:
                place = x.extra
                if unseen and place in unseen and not (self.guesses and self.unseen.is_unknown(place)):
                    x.value = self.value_of(place)
                x = x.value
                atoms.append(self.atom_of(x) if place is None else place)
                is_still = is_still and (place is None or place.is_discrete)
            else:
                atoms.append(self.atom_of(x))
            values.append(x)
        result = self.guess(primitive, values, atoms, params) if self.guesses else None
        is_guess = result is not None
        if result is None:
            result = bind(primitive, values, params)
        is_still = is_still or primitive.is_discrete
        if primitive.n_outputs is None:
            place = Place(self._type(result), is_discrete=is_still)
            self.drafts.append(Draft(primitive, atoms, params, [place], self._location()))
            array = PathArray(result, self, place)
            self._keep(primitive, (array,), is_guess=is_guess)
            return array
        outputs = [Place(self._type(y), is_discrete=is_still) for y in result]
        self.drafts.append(Draft(primitive, atoms, params, outputs, self._location()))
        arrays = tuple([PathArray(y, self, place) for y, place in zip(result, outputs, strict=True)])
        self._keep(primitive, arrays, is_guess=is_guess)
        return arrays

    def guess(self, primitive: Primitive, values: list[Any], atoms: Sequence[Any], params: Mapping[str, Any]) -> Any:
        """Examples of the results of a loop, of a large array, of what is made of examples; `None` for what is to be computed."""
        if primitive.types is not None and not any(isinstance(x, Tracer) for x in values):
            return tuple([example_of(type_) for type_ in primitive.types(list(map(type_of, values)), params)])
        example = primitive.blank(values, params) if primitive.blank is not None and is_large(values) else None
        if example is not None or not self.unseen.values:
            return example
        unknown = [k for k, atom in enumerate(atoms) if self.unseen.is_unknown(atom)]
        for k in list(unknown):
            if not primitive.is_shaped:
                values[k] = self.value_of(atoms[k])
                unknown.remove(k)
            elif k > 0 and values[k].dtype.kind in "iu" and primitive.family != "elementwise":  # places, and there is one at 0
                values[k] = np.zeros_like(values[k]) if isinstance(values[k], np.ndarray) else values[k].dtype.type(0)
        if unknown:
            try:
                with np.errstate(all="ignore"):
                    return bind(primitive, values, params)
            except Exception:  # it may come of numbers that mean nothing
                for k in unknown:
                    values[k] = self.value_of(atoms[k])
        return None

    def _keep(self, primitive: Primitive, arrays: Sequence[PathArray], *, is_guess: bool) -> None:
        """Note which values are examples, and which are not to be computed again."""
        if is_guess:
            self.unseen.add(arrays)
        elif self.guesses and not primitive.is_shaped:
            self.unseen.sources.update((x.extra, x.value) for x in arrays)

    def value_of(self, place: Place) -> Any:
        """The value of a place, computed if it was not; where that is asked for often, everything is from then on."""
        if self.guesses and self.unseen.is_too_much():
            self.guesses = False
            self.unseen.compute_all()
        return self.unseen.value_of(place)

    def _type(self, value: Any) -> ArrayType:
        """The type of a result, one object for each type."""
        key = (value.shape, value.dtype)
        known = self.types.get(key)
        if known is None:
            known = self.types[key] = type_of(value)
        return known

    def _location(self) -> str:
        frame = user_frame()
        if frame is None:
            return ""
        key = (frame.f_code, frame.f_lineno)
        self.repeats.see(frame, key)
        known = self.locations.get(key)
        if known is None:
            known = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            self.locations[key] = known
        return known

    def constant(self, value: Any, like: Any) -> Any:
        return PathArray(value, self, None)

    def as_python(self, tracer: Tracer) -> Any:
        """A floating-point number, which is double and promotes weakly."""
        kind = tracer.dtype.kind
        if kind not in "fc":
            return tracer
        wide = np.dtype(complex if kind == "c" else float)
        double = tracer if tracer.dtype == wide else cast(tracer, dtype=wide)
        return PathNumber(np.asarray(double.value)[()], self, double.extra)

    def is_constant(self, tracer: Tracer) -> bool:
        """Whether no derivative flows through `tracer`; its value may be looked at."""
        return tracer.extra is None or tracer.extra.is_discrete or tracer.dtype.kind not in "fc"

    def look(self, tracer: Tracer) -> None:
        """What is seen of this value is what the path depends on."""
        self.show(tracer)
        place = tracer.extra
        if place is not None and place not in self.guarded:
            seen = beneath(tracer)
            self.guarded[place] = seen
            self.guards.append((place, seen.copy() if isinstance(seen, np.ndarray) else seen))

    def show(self, tracer: Tracer) -> None:
        """What is shown has to be there."""
        if tracer.extra in self.unseen.values:
            tracer.value = self.value_of(tracer.extra)

    def name_pending(self) -> None:
        """Nothing is named."""

    def atom_of(self, x: Any) -> Place | Const:
        """The place of a tracer of this trace; a constant for anything else."""
        if isinstance(x, Tracer) and x.watcher is self:
            if x.extra is not None:
                return x.extra  # type: ignore[no-any-return]
            x = x.value
        if isinstance(x, (list, tuple)):
            x = np.asarray(x)
        if isinstance(x, np.ndarray) and x.ndim:
            return self._array_constant(x)
        x = in_native_order(x)
        if not isinstance(x, (int, float, complex, np.generic, np.ndarray)):
            return Const(x, type_of(x))
        key = (type(x), str(x.dtype), x.tobytes()) if isinstance(x, (np.generic, np.ndarray)) else (type(x), repr(x))
        known = self.constants.get(key)
        if known is None:
            known = self.constants[key] = Const(x.copy() if isinstance(x, np.ndarray) else x, type_of(x))
        return known

    def _array_constant(self, x: Any) -> Const:
        """The user may write into `x` later, so it is copied, and compared when it is met again."""
        known = self.constants.get(id(x))
        if known is not None and same(known.value, x):
            return known
        uniform = uniform_value(x)
        value = in_native_order(x.copy() if uniform is None else np.broadcast_to(uniform, x.shape))
        self.kept[id(x)] = x
        constant = self.constants[id(x)] = Const(value, type_of(value))
        return constant

    def outcome(self, guard: tuple[Place, Any]) -> Any:
        """The truth value that says whether a guard holds, recorded like everything else."""
        place, seen = guard
        x = PathArray(seen, self, place)
        if place.type.dtype.kind == "b" and not place.type.shape:
            return x if seen else FRONT[np.logical_not](x)
        agrees = FRONT[np.equal](x, seen)
        if place.type.dtype.kind in "fc":
            agrees = agrees | ((x != x) & (seen != seen))
        return FRONT[np.all](agrees) if place.type.shape else agrees


class ClosedPathTrace(PathTrace):
    """A trace whose call has ended; a tracer that got out says so when it is used."""

    __slots__ = ()
    is_closed = True

    def process(self, primitive: Primitive, operands: Sequence[Any], params: Mapping[str, Any]) -> Any:
        raise LeakError.of_primitive(primitive.name)


def uniform_value(x: Any) -> Any:
    """The number that an array repeats, if it is large and repeats one."""
    if not x.size:
        return None
    first = x[(0,) * x.ndim]
    if not any(x.strides):
        return first
    is_uniform = x.size > LARGE and x[(-1,) * x.ndim] == first and bool((x == first).all())
    return first if is_uniform and (first != 0 or not np.signbit(x.real).any()) else None


def same(kept: Any, value: Any) -> bool:
    """Whether an array met before still has the value that was kept."""
    if kept.shape != value.shape or kept.dtype != value.dtype:
        return False
    return np.array_equal(kept, value, equal_nan=kept.dtype.kind in "fc")


class Path:
    """What one call of a flat function recorded.

    `graph` returns the arrays that the function returned, then one truth value for each guard.  `seen` is what each
    guard saw, in the order in which the program asked.  `outline` is what the function said besides.
    """

    __slots__ = ("graph", "is_guessed", "is_number", "outline", "present", "results", "seen")

    def __init__(self, graph: Graph, outline: Any, arrays: Sequence[Any], seen: list[Any]) -> None:
        self.graph, self.outline, self.seen = graph, outline, seen
        self.present = [y is not None for y in arrays]
        self.is_number = [is_number(y) for y in arrays]
        self.is_guessed = False  # whether the results mean nothing
        self.results: list[Any] | None = [beneath(y) for y in arrays]  # of the call that was recorded

    def finish(self, outputs: Sequence[Any]) -> list[Any]:
        """The outputs of the graph, and `None` where there is none."""
        if all(self.present):
            return list(outputs)
        rest = iter(outputs)
        return [next(rest) if flag else None for flag in self.present]


def is_number(y: Any) -> bool:
    """Whether eager evaluation makes of this a NumPy scalar, and not an array."""
    return isinstance(beneath(y), (np.generic, int, float, complex))


def is_array(x: Any) -> bool:
    """Whether `x` is an array, traced or plain, or a NumPy scalar."""
    return isinstance(x, Tracer) or (hasattr(x, "dtype") and not isinstance(x, type))


def record_path(function: Callable[..., Any], values: Sequence[Any], hints: Sequence[str], name: str, *, guesses: bool = True) -> Path:
    """Call a function of arrays, which returns a list of arrays (or `None`) and an outline; write down its path.

    With `guesses` loops are run, and large arrays computed, only where the program looks at what comes of them.
    """
    try:
        return _record_path(PathTrace(guesses=guesses), function, values, hints, name)
    except GuessedError:
        return _record_path(PathTrace(), function, values, hints, name)


def _record_path(trace: PathTrace, function: Callable[..., Any], values: Sequence[Any], hints: Sequence[str], name: str) -> Path:
    inputs = [trace.input(value, hint) for value, hint in zip(values, hints, strict=True)]
    places = [x.extra for x in inputs]
    trace.repeats.begin()
    try:
        arrays, outline = function(*inputs)
        outputs = [trace.atom_of(y) for y in arrays if y is not None]
        guards = list(trace.guards)
        outputs += [trace.atom_of(trace.outcome(guard)) for guard in guards]
    except Exception as error:
        if trace.unseen.values:  # it may come of numbers that mean nothing
            raise GuessedError from error
        raise
    finally:
        trace.__class__ = ClosedPathTrace
        trace.repeats.close()
    loop = trace.repeats.largest(len(trace.drafts))
    if loop is not None:
        warn_unrolled(name, len(trace.drafts), loop)
    path = Path(graph_of(trace, places, outputs, name), outline, arrays, [seen for _, seen in guards])
    path.is_guessed = bool(trace.unseen.values)
    return path
