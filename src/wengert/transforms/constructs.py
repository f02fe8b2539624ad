"""`scan`, `while_loop`, `fori_loop` and `cond` for functions of any containers: recorded, settled in their types, and bound."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.array import FRONT
from wengert.core.trace import Tracer, bind
from wengert.core.types import ArrayType
from wengert.errors import ControlFlowError, describe, page
from wengert.primitives.structure import cast
from wengert.transforms.branches import cond as cond_
from wengert.transforms.derived_programs import with_room
from wengert.transforms.inner_programs import (
    Inner,
    is_number_or_array,
    is_python_number,
    record_users,
    strong,
    type_of_leaf,
)
from wengert.transforms.loop import ENDLESS, Loop
from wengert.transforms.loops import scan as scan_
from wengert.transforms.loops import while_
from wengert.transforms.record_graph import leaf_names
from wengert.transforms.selection import location_of

MOST_ROUNDS = 6  # of settling the types of a state
Function = Callable[..., Any]


def failure(what: str, why: str, write: str) -> ControlFlowError:
    """The error for a loop that is none."""
    return ControlFlowError(page(what, why, write, "control-flow"))


# --- the state -------------------------------------------------------------------------------------------------------------


class State:
    """The leaves of a loop's state, and the types that they have in the loop.

    A Python number takes the type that the loop makes of it, as it would in a Python loop.
    """

    def __init__(self, init: Any, construct: str) -> None:
        self.tree, self.construct = init, construct
        self.leaves, self.structure = trees.flatten(init)
        for k, leaf in enumerate(self.leaves):
            if not is_number_or_array(leaf):
                raise failure(
                    f"the state of {construct} holds a {type(leaf).__name__} at {self.path(k)}.",
                    "What goes from step to step are arrays and numbers, in any containers.",
                    "lambda state: step(state, settings)   # what does not change is reached by the function itself",
                )
        self.types = list(map(type_of_leaf, self.leaves))
        self.weak = list(map(is_python_number, self.leaves))
        self.may_change = list(self.weak)

    def path(self, k: int) -> str:
        """How to write the k-th leaf."""
        path = trees.paths(self.tree)[k]
        return "state" + (path.removeprefix("[1]") if self.construct == "wg.fori_loop" else path)  # whose count comes first

    def settle(self, record: Callable[[], Inner]) -> Inner:
        """Record until what comes out has the types that go in."""
        for _ in range(MOST_ROUNDS):
            inner = record()
            found = [atom.type for atom in inner.graph.outputs[: len(self.types)]]
            if found == self.types:
                return inner
            for k, new in enumerate(found):
                if new != self.types[k]:
                    self.change(k, new)
        msg = "the types of a loop's state do not settle"
        raise AssertionError(msg)

    def change(self, k: int, new: ArrayType) -> None:
        """A Python number becomes what the loop makes of it; nothing else may change."""
        old = self.types[k]
        if not self.may_change[k] or new.shape != old.shape:
            self.refuse(k, old, new)
        if old.dtype.kind in "bi" and new.dtype.kind in "fc":  # whole numbers are weak beside all others
            self.types[k] = ArrayType((), np.dtype(complex if new.dtype.kind == "c" else float))
            return
        self.types[k], self.weak[k], self.may_change[k] = new, False, False

    def refuse(self, k: int, old: ArrayType, new: ArrayType) -> None:
        """Raise the error for a state that changes its type."""
        name = "state" if self.path(k) == "state" else f"state, at {self.path(k)},"
        shape, dtype = new.shape, new.dtype
        is_shape = new.shape != old.shape
        write = f"np.zeros({shape}, np.{dtype})   # to begin with" if is_shape else f"np.asarray(init, np.{dtype})   # to begin with"
        grows = "\nreturn new, new   # in wg.scan, which stacks what each step puts out: for a state that would grow"
        also = grows if is_shape else f"\nnew.astype(np.{old.dtype})   # in the function"
        raise failure(
            f"the {name} of {self.construct} changes from {old} to {new}.".replace(", of", " of"),
            "A loop's state keeps its shape and dtype from step to step; a Python number alone takes the dtype that the loop makes of it.",
            write + also,
        )

    def require_structure(self, structure: Any, function: Function) -> None:
        """What comes out has the containers of what goes in."""
        if structure != self.structure:
            raise failure(
                f"{location_of(function)} returned the state {trees.written(structure, '*')}, and got {trees.written(self.structure, '*')}.",
                f"In {self.construct} the state has the same containers, with the same keys, before and after each step.",
                f"return {trees.written(self.structure, 's')}   # with a new value in each place",
            )

    def values(self) -> list[Any]:
        """The operands: numbers of the settled types, arrays as they are."""
        return [leaf if hasattr(leaf, "dtype") else np.asarray(leaf, t.dtype)[()] for leaf, t in zip(self.leaves, self.types, strict=True)]

    def new(self, leaves: Sequence[Any]) -> Any:
        """The container with other leaves."""
        return trees.unflatten(self.structure, list(leaves))


# --- loops -----------------------------------------------------------------------------------------------------------------


@dataclass
class Output:
    """The containers of what a body returned besides the state."""

    structure: Any = None


def scan(function: Function, init: Any, xs: Any, length: Any, reverse: bool, checkpoint: Any, construct: str = "wg.scan") -> tuple[Any, Any]:
    """See `wengert.scan`."""
    state, out = State(init, construct), Output()
    entries, x_structure = trees.flatten(xs)
    sequences = [as_sequence(x, construct) for x in entries]
    n = length_of(sequences, length, construct)
    x_types = [ArrayType(tuple(x.shape[1:]), np.dtype(x.dtype)) for x in sequences]
    n_state = len(state.leaves)
    sample = trees.unflatten(x_structure, entries)
    hints = leaf_names(function, ((init, sample), {}))

    def flat(user: Function, *values: Any) -> list[Any]:
        result = user(state.new(values[:n_state]), trees.unflatten(x_structure, list(values[n_state:])))
        if not isinstance(result, tuple) or len(result) != 2:
            raise failure(
                f"{location_of(function)} returned {written(result)}.",
                f"The function given to {construct} returns a pair: the new state, and what it puts out at this step.",
                "return state, None   # where nothing is put out",
            )
        leaves, structure = trees.flatten(result[0])
        state.require_structure(structure, function)
        ys, out.structure = trees.flatten(result[1])
        return [*leaves, *ys]

    def record() -> Inner:
        weak = [*state.weak, *[False] * len(x_types)]
        return record_users(function, flat, [*state.types, *x_types], construct, weak=weak, hints=hints)

    inner = state.settle(record)
    loop = Loop(inner.graph, len(inner.constants), n_state, n, bool(reverse), schedule_of(checkpoint))
    results = bind(scan_, [*inner.constants, *state.values(), *sequences], loop.params())
    return state.new(results[:n_state]), trees.unflatten(out.structure, list(results[n_state:]))


def written(result: Any) -> str:
    """What a function has returned, in words."""
    return f"a tuple of {len(result)}" if isinstance(result, tuple) else describe(result)


def as_sequence(x: Any, construct: str) -> Any:
    """A leaf of `xs`: an array with a first axis to walk along."""
    if is_number_or_array(x) and len(getattr(x, "shape", ())):
        return x
    raise failure(
        f"xs of {construct} holds {describe(x)}, which has no axis to walk along.",
        "Each array in xs gives one entry of its first axis to each step; a list or tuple is a container of such arrays.",
        "np.array([1.0, 2.0, 3.0])   # for the list of these numbers",
    )


def length_of(sequences: Sequence[Any], length: Any, construct: str) -> int:
    """The number of steps, on which all sequences and `length` agree."""
    found = {int(x.shape[0]) for x in sequences}
    if length is not None:
        found.add(operator.index(length))
    if len(found) == 1:
        (n,) = found
        if n >= 0:
            return n
    sizes = ", ".join(str(n) for n in sorted(found)) or "none"
    raise failure(
        f"the number of steps of {construct} is not clear: {sizes}.",
        "All arrays in xs have the same length along their first axis, which is also `length` if that is given.",
        "wg.scan(f, init, xs)   # or wg.scan(f, init, length=100)",
    )


def schedule_of(checkpoint: Any) -> int | str | None:
    """The schedule in the form in which it is kept."""
    if checkpoint is None or checkpoint is False:
        return None
    if checkpoint is True or checkpoint == "every step":
        return 1
    if checkpoint == "recursive" or isinstance(checkpoint, (int, np.integer)) and checkpoint > 0:
        return checkpoint if isinstance(checkpoint, str) else int(checkpoint)
    raise failure(
        f"checkpoint={checkpoint!r} is no schedule.",
        "It says which states are kept for the way back; all else is computed again.",
        'checkpoint=1   # the state before every step\ncheckpoint=100   # every 100th state\ncheckpoint="recursive"   # a number that grows with the logarithm of the number of steps',
    )


def while_loop(test: Function, function: Function, init: Any, checkpoint: Any, construct: str = "wg.while_loop") -> Any:
    """See `wengert.while_loop`."""
    state = State(init, construct)
    hints = leaf_names(function, ((init,), {}))

    def flat(user: Function, *values: Any) -> list[Any]:
        leaves, structure = trees.flatten(user(state.new(values)))
        state.require_structure(structure, function)
        return leaves

    body = state.settle(lambda: record_users(function, flat, state.types, construct, weak=state.weak, hints=hints))

    def ask(user: Function, *values: Any) -> Any:
        return truth_of(user(state.new(values)), test)

    asked = record_users(test, ask, state.types, construct, weak=state.weak, hints=hints, name="test")
    loop = Loop(body.graph, len(body.constants), len(state.leaves), ENDLESS, False, schedule_of(checkpoint), asked.graph, len(asked.constants))
    return state.new(bind(while_, [*asked.constants, *body.constants, *state.values()], loop.params()))


def truth_of(answer: Any, test: Function) -> Any:
    """What a test has returned, as one truth value."""
    if not is_one_number(answer):
        raise failure(
            f"{location_of(test)} returned {describe(answer)}.",
            "It decides, so it returns one truth value.",
            "np.any(x > 0)   # or np.all, of several",
        )
    return as_truth(answer)


def is_one_number(x: Any) -> bool:
    """Whether something is a number, or an array without axes."""
    return is_number_or_array(x) and not tuple(getattr(x, "shape", ()))


def as_truth(x: Any) -> Any:
    """A number as a truth value."""
    x = strong(x)
    return x if x.dtype.kind == "b" else FRONT[np.not_equal](x, 0)


def fori_loop(lower: Any, upper: Any, function: Function, init: Any, checkpoint: Any) -> Any:
    """See `wengert.fori_loop`."""
    construct = "wg.fori_loop"
    lower, upper = (as_bound(bound, construct) for bound in (lower, upper))
    if isinstance(lower, Tracer) or isinstance(upper, Tracer):
        start = FRONT[np.add](lower, np.int64(0))

        def step(state: Any) -> Any:
            k, value = state
            return k + 1, function(k, value)

        return while_loop(lambda state: state[0] < upper, named(step, function), (start, init), checkpoint, construct)[1]

    def step_of_scan(state: Any, _: Any) -> Any:
        k, value = state
        return (k + 1, function(k, value)), None

    n = max(int(upper) - int(lower), 0)
    return scan(named(step_of_scan, function), (np.int64(lower), init), None, n, False, checkpoint, construct)[0][1]


def named(step: Function, function: Function) -> Function:
    """A step that messages call by the name of the user's function."""
    step.__wrapped__ = function  # type: ignore[attr-defined]
    step.__name__ = getattr(function, "__name__", "step")
    return step


def as_bound(bound: Any, construct: str) -> Any:
    """A whole number, traced or not."""
    if isinstance(bound, Tracer) and bound.dtype.kind in "iu" and not tuple(bound.shape):
        return bound
    try:
        return operator.index(bound)
    except TypeError:
        raise failure(
            f"{construct} got the bound {describe(bound)}.", "It counts in whole numbers.", "wg.fori_loop(0, 10, body, init)"
        ) from None


# --- branches --------------------------------------------------------------------------------------------------------------


def cond(predicate: Any, true: Function, false: Function, operands: Sequence[Any]) -> Any:
    """See `wengert.cond`."""
    construct = "wg.cond"
    predicate = predicate_of(predicate)
    leaves, structure = trees.flatten(tuple(operands))
    flags = list(map(is_number_or_array, leaves))
    given = [leaf for leaf, flag in zip(leaves, flags, strict=True) if flag]
    types = list(map(type_of_leaf, given))
    weak = list(map(is_python_number, given))

    def recorded(function: Function, results: Sequence[ArrayType] = ()) -> Inner:
        names = [n for n, flag in zip(leaf_names(function, (tuple(operands), {})), flags, strict=True) if flag]

        def flat(user: Function, *values: Any) -> Any:
            rest = iter(values)
            args = trees.unflatten(structure, [next(rest) if flag else leaf for leaf, flag in zip(leaves, flags, strict=True)])
            out = user(*args)
            return conformed(out, results) if results else out

        return record_users(function, flat, types, construct, weak=weak, hints=names, name=getattr(function, "__name__", "branch"))

    both = [recorded(true), recorded(false)]
    results = common_results(both, (true, false))
    if any([atom.type for atom in inner.graph.outputs] != results for inner in both):
        both = [recorded(true, results), recorded(false, results)]
    of_true, of_false = ([var.type for var in inner.graph.inputs[: len(inner.constants)]] for inner in both)
    graphs = [
        with_room(both[0].graph, len(of_true), (), of_false),
        with_room(both[1].graph, len(of_false), of_true, ()),
    ]
    values = [strong(x) for x in given]
    found = bind(cond_, [predicate, *both[0].constants, *both[1].constants, *values], {"true": graphs[0], "false": graphs[1]})
    return trees.unflatten(both[0].structure, list(found))


def predicate_of(predicate: Any) -> Any:
    """One truth value."""
    if not is_one_number(predicate):
        raise failure(
            f"wg.cond got the predicate {describe(predicate)}.",
            "It chooses one of two functions, so it is one truth value.",
            "np.where(p, a, b)   # entry by entry\nwg.cond(np.all(p), f, g, x)   # one for all",
        )
    return as_truth(predicate)


def conformed(out: Any, results: Sequence[ArrayType]) -> Any:
    """The results of a branch in the dtypes that both have in common."""
    leaves, structure = trees.flatten(out)
    found = [x if x.dtype == t.dtype else cast(x, dtype=t.dtype) if isinstance(x, Tracer) else x.astype(t.dtype)
             for x, t in zip(map(strong, leaves), results, strict=True)]  # fmt: skip
    return trees.unflatten(structure, found)


def common_results(both: Sequence[Inner], functions: Sequence[Function]) -> list[ArrayType]:
    """The types in which two branches agree: NumPy's promotion of their dtypes."""
    true, false = both
    if true.structure != false.structure:
        raise failure(
            f"{location_of(functions[0])} returned {trees.written(true.structure, '*')}, and {location_of(functions[1])} {trees.written(false.structure, '*')}.",
            "Both branches of wg.cond return the same containers, whichever is taken.",
            f"return {trees.written(true.structure, 'y')}   # in both",
        )
    results = []
    for a, b, weak_a, weak_b in zip(true.graph.outputs, false.graph.outputs, true.is_weak, false.is_weak, strict=True):
        if a.type.shape != b.type.shape:
            raise failure(
                f"{location_of(functions[0])} returned {a.type}, and {location_of(functions[1])} {b.type}.",
                "Both branches of wg.cond return arrays of the same shapes, whichever is taken.",
                f"np.broadcast_to(y, {a.type.shape or b.type.shape})   # in the other branch",
            )
        kinds = [t.dtype.type(0).item() if weak and not other else t.dtype
                 for t, weak, other in ((a.type, weak_a, weak_b), (b.type, weak_b, weak_a))]  # fmt: skip
        results.append(ArrayType(a.type.shape, np.result_type(*kinds)))
    return results
