"""Primitives that own an inner program: `checkpoint` and custom rules.

Each call makes a primitive of its own, because what it does is the user's function.  Traced values that the
function closes over become operands, so that their derivatives are not lost.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.primitive import Params, Primitive
from wengert.core.record import Record
from wengert.core.trace import Tracer, bind
from wengert.errors import LostDerivativeError, RuleError, page
from wengert.primitives.families import discrete
from wengert.primitives.pattern import dense_pattern
from wengert.primitives.structure import sum_
from wengert.transforms.batch import batch_call
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import Linearization, zeros_like

Flat = Callable[..., list[Any]]
checking: ContextVar[bool] = ContextVar("checking", default=False)


def call(name: str, function: Flat, push: Any, pull: Any, operands: Sequence[Any]) -> list[Any]:
    """Perform a flat function as one operation with these readings of its derivative."""

    def evaluate(*xs: Any) -> tuple[Any, ...]:
        results = tuple(function(*xs))
        primitive.n_outputs = len(results)  # known once the function has run
        if any(isinstance(y, Tracer) for y in results) and not any(isinstance(x, Tracer) for x in xs):
            raise LostDerivativeError(
                page(
                    f"{name}: the function uses a traced value that is not among its arguments.",
                    "It was reached through an object or a global, where its derivative cannot be followed.",
                    "pass that value to the function as an argument",
                    "lost-derivative",
                )
            )
        return results

    def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> tuple[Any, ...]:
        results = call(name, *_batched_readings(function, push, pull, xs, is_batched))
        primitive.n_outputs = len(results)
        return tuple(results)

    primitive = Primitive(
        name, evaluate, family="call", push=push, pull=pull, batch=batch, pattern=dense_pattern,
        n_outputs=1, register=False,
    )  # fmt: skip
    return list(bind(primitive, operands))


def _batched_readings(
    function: Flat, push: Any, pull: Any, xs: Sequence[Any], is_batched: Sequence[bool]
) -> tuple[Flat, Any, Any, Sequence[Any]]:
    """The function and its two readings for a whole batch: the rule of one member, applied to every member."""
    n = next(x.shape[0] for x, b in zip(xs, is_batched, strict=True) if b)
    axes = [0 if b else None for b in is_batched]

    def batched_function(*operands: Any) -> list[Any]:
        return batch_call(function, operands, axes, n)

    def batched_push(dxs: Sequence[Any], y: Any, operands: Sequence[Any], params: Params) -> list[Any]:
        active = [k for k, dx in enumerate(dxs) if dx is not None]

        def member(*values: Any) -> list[Any]:
            inner_xs, inner_dxs = values[: len(xs)], dict(zip(active, values[len(xs) :], strict=True))
            ys = function(*inner_xs)
            dys = push([inner_dxs.get(k) for k in range(len(xs))], ys, inner_xs, params)
            return [zeros_like(part) if dy is None else dy for dy, part in zip(dys, ys, strict=True)]

        return batch_call(member, [*operands, *(dxs[k] for k in active)], axes + [axes[k] for k in active], n)

    def batched_pull(cts: Any, slots: Sequence[int], y: Any, operands: Sequence[Any], params: Params) -> list[Any]:
        def member(*values: Any) -> list[Any]:
            inner_xs, inner_cts = values[: len(xs)], values[len(xs) :]
            pieces = pull(inner_cts, slots, function(*inner_xs), inner_xs, params)
            return [zeros_like(inner_xs[s]) if c is None else c for c, s in zip(pieces, slots, strict=True)]

        pieces = batch_call(member, [*operands, *cts], axes + [0] * len(cts), n)
        return [piece if is_batched[slot] else sum_(piece, axis=(-len(piece.shape),), keepdims=False)
                for piece, slot in zip(pieces, slots, strict=True)]  # fmt: skip

    return batched_function, batched_push, batched_pull, xs


# --- closures ----------------------------------------------------------------------------------------------------


def captured_tracers(function: Any) -> list[Tracer]:
    """The traced values that a function reaches through its closure, defaults, partial arguments or `self`."""
    found: dict[int, Tracer] = {}
    _collect(function, found, set())
    return list(found.values())


def _collect(value: Any, found: dict[int, Tracer], seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tracer):
        found[id(value)] = value
    elif isinstance(value, types.FunctionType):
        for part in _function_parts(value):
            _collect(part, found, seen)
    elif isinstance(value, types.MethodType):
        _collect(value.__self__, found, seen)
        _collect(value.__func__, found, seen)
    elif isinstance(value, functools.partial):
        _collect((value.func, value.args, value.keywords), found, seen)
    elif not isinstance(value, (type, types.ModuleType, np.ndarray, str, bytes)):
        leaves, _ = trees.flatten(value)
        if not (len(leaves) == 1 and leaves[0] is value):
            for leaf in leaves:
                _collect(leaf, found, seen)


def _function_parts(function: types.FunctionType) -> list[Any]:
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # a name that is not bound yet
            continue
    return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def substitute(value: Any, new: dict[int, Any]) -> Any:
    """The same function or container with the captured tracers (by `id`) replaced by other values."""
    if isinstance(value, Tracer):
        return new.get(id(value), value)
    if isinstance(value, types.FunctionType):
        cells = tuple(types.CellType(substitute(c.cell_contents, new)) for c in value.__closure__ or ())
        defaults = tuple(substitute(d, new) for d in value.__defaults__ or ()) or None
        copy = types.FunctionType(value.__code__, value.__globals__, value.__name__, defaults, cells)
        copy.__kwdefaults__ = {k: substitute(d, new) for k, d in (value.__kwdefaults__ or {}).items()} or None
        return copy
    if isinstance(value, types.MethodType):
        return types.MethodType(substitute(value.__func__, new), substitute(value.__self__, new))
    if isinstance(value, functools.partial):
        keywords = {k: substitute(v, new) for k, v in value.keywords.items()}
        return functools.partial(substitute(value.func, new), *[substitute(a, new) for a in value.args], **keywords)
    leaves, structure = trees.flatten(value)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return trees.unflatten(structure, [substitute(leaf, new) for leaf in leaves])
    return value


# --- checkpoint ---------------------------------------------------------------------------------------------------


def checkpointed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose inner values the reverse walk computes again instead of keeping."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        inner = FlatCall(function, args, kwargs)

        def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
            return push_forward(inner.flat, xs, dxs)[1]

        def pull(cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
            found = pull_through(inner.flat, xs, slots, cts)
            return [found[slot] for slot in slots]

        return inner.finish(call("checkpoint", inner.flat, push, pull, inner.operands))

    return run


def pull_through(flat: Flat, xs: Sequence[Any], slots: Sequence[int], cts: Sequence[Any]) -> dict[int, Any]:
    """Linearize `flat` in the operands `slots` at `xs`, and pull the cotangents of its outputs back."""

    def of_active(*active: Any) -> list[Any]:
        full = list(xs)
        for slot, value in zip(slots, active, strict=True):
            full[slot] = value
        return flat(*full)

    linear = Linearization(of_active, [xs[slot] for slot in slots])
    return dict(zip(slots, linear.pull(cts, consume=True), strict=True))


class FlatCall:
    """One call of a function as a flat function of its array leaves; captured tracers come first."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.function = function
        self.captured = captured_tracers(function)
        self.leaves, self.structure = trees.flatten((args, kwargs))
        self.leaves = [np.asarray(x)[()] if isinstance(x, (float, complex)) else x for x in self.leaves]
        self.is_array = [isinstance(x, Tracer) or hasattr(x, "dtype") for x in self.leaves]
        self.operands = [*self.captured, *(x for x, flag in zip(self.leaves, self.is_array, strict=True) if flag)]
        self.out_structure: Any = None

    def arguments(self, operands: Sequence[Any], fill: Callable[[Any], Any] = lambda leaf: leaf) -> tuple[Any, Any]:
        """`(args, kwargs)` with these operands; `fill` gives the leaves that are not arrays."""
        rest = iter(operands[len(self.captured) :])
        leaves = [next(rest) if flag else fill(x) for x, flag in zip(self.leaves, self.is_array, strict=True)]
        args, kwargs = trees.unflatten(self.structure, leaves)
        return tuple(args), kwargs

    def flat(self, *operands: Any) -> list[Any]:
        """The outputs' leaves."""
        function = self.function
        if self.captured:
            function = substitute(function, dict(zip(map(id, self.captured), operands, strict=False)))
        args, kwargs = self.arguments(operands)
        ys, self.out_structure = trees.flatten(function(*args, **kwargs))
        return [as_array(y) for y in ys]

    def finish(self, ys: list[Any]) -> Any:
        """The output container."""
        return trees.unflatten(self.out_structure, ys)


def as_array(leaf: Any) -> Any:
    """A number as a NumPy scalar; arrays and traced arrays as they are."""
    return leaf if isinstance(leaf, Tracer) or hasattr(leaf, "dtype") else np.asarray(leaf)[()]


# --- custom rules ---------------------------------------------------------------------------------------------------


class CustomRule:
    """A function whose derivative the user states; see `wengert.custom_rule`."""

    def __init__(self, function: Callable[..., Any], forward: Any = None, reverse: Any = None) -> None:
        functools.update_wrapper(self, function)
        self._function, self._forward, self._reverse = function, forward, reverse

    def forward(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate `rule(primals, tangents) -> (y, dy)`."""
        self._forward = rule
        return rule

    def reverse(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate `rule(*primals) -> (y, pullback)`, with `pullback(ct) -> (ct_x, ...)`."""
        self._reverse = rule
        return rule

    def __call__(self, *args: Any) -> Any:
        if self._forward is None and self._reverse is None:
            return self._function(*args)
        inner = FlatCall(self._function, args, {})
        if checking.get() and not any(isinstance(x, Tracer) for x in inner.operands):
            token = checking.set(False)  # the rule may call the function itself
            try:
                check_rule(self, inner)
            finally:
                checking.reset(token)
        rules = _FlatRules(self, inner)
        name = f"custom_{self.__name__}"  # type: ignore[attr-defined]
        return inner.finish(call(name, inner.flat, rules.push, rules.pull, inner.operands))


class _FlatRules:
    """The user's rules as push and pull of flat operands; the missing one is derived by transposing the other."""

    def __init__(self, custom: CustomRule, inner: FlatCall) -> None:
        self.custom, self.inner = custom, inner

    def push(self, dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        full = [zeros_like(x) if dx is None else dx for x, dx in zip(xs, dxs, strict=True)]
        if self.custom._forward is not None:
            args, _ = self.inner.arguments(xs)
            tangents, _ = self.inner.arguments(full, fill=lambda leaf: 0.0)
            _, dy = self.custom._forward(args, tangents)
            return [as_array(leaf) for leaf in trees.flatten(dy)[0]]
        # the pullback is linear in its cotangent; transposing it once more gives the pushforward
        record = Record()
        cts = [record.input(zeros_like(part)) for part in y]
        pieces = self._pull_all(cts, xs)
        used = [(piece, dx) for piece, dx in zip(pieces, full, strict=True) if piece is not None]
        outputs, directions = zip(*used, strict=True) if used else ((), ())
        pulled = record.pull_back(outputs, directions, consume=True)
        return [zeros_like(part) if dy is None else dy for dy, part in zip(pulled, y, strict=True)]

    def pull(self, cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        if self.custom._reverse is not None:
            pieces = self._pull_all(cts, xs)
            return [pieces[slot] for slot in slots]
        record = Record()
        dxs: list[Any] = [None] * len(xs)
        for slot in slots:
            dxs[slot] = record.input(zeros_like(xs[slot]))
        return record.pull_back(tuple(self.push(dxs, y, xs, params)), tuple(cts), consume=True)

    def _pull_all(self, cts: Sequence[Any], xs: Sequence[Any]) -> list[Any]:
        """The user's cotangent for every operand, `None` where none was given."""
        args, _ = self.inner.arguments(xs)
        value, pullback = self.custom._reverse(*args)
        _, out_structure = trees.flatten(value)
        pieces = pullback(trees.unflatten(out_structure, list(cts)))
        if not isinstance(pieces, tuple) or len(pieces) != len(args):
            raise RuleError(
                page(
                    f"the pullback of {self.custom.__name__} must return a tuple of {len(args)} cotangents.",  # type: ignore[attr-defined]
                    "One for each argument of the function, None for an argument without a derivative.",
                    "return (ct_x,)   # a tuple, even for one argument",
                    "rule",
                )
            )
        leaves: list[Any] = []
        for arg, piece in zip(args, pieces, strict=True):
            n = len(trees.flatten(arg)[0])
            leaves += [None] * n if piece is None else [as_array(leaf) for leaf in trees.flatten(piece)[0]]
        kept = [leaf for leaf, flag in zip(leaves, self.inner.is_array, strict=True) if flag]
        return [None] * len(self.inner.captured) + kept


def check_rule(custom: CustomRule, inner: FlatCall) -> None:
    """Compare the rules with the derivative of the function's own body on a random direction; raises `RuleError`."""
    flat, operands = inner.flat, inner.operands
    random = np.random.default_rng(0)
    dxs = [random.standard_normal(x.shape).astype(x.dtype)[()] for x in operands]
    ys, true, _ = push_forward(flat, operands, dxs)
    true = [zeros_like(y) if dy is None else dy for y, dy in zip(ys, true, strict=True)]
    rules = _FlatRules(custom, inner)
    pushed = rules.push(dxs, ys, operands, {})
    cts = [random.standard_normal(y.shape).astype(y.dtype)[()] for y in ys]
    pulled = rules.pull(cts, list(range(len(operands))), ys, operands, {})
    work = sum(np.vdot(ct, dy) for ct, dy in zip(cts, true, strict=True))
    back = sum(np.vdot(ct, dx) for ct, dx in zip(pulled, dxs, strict=True) if ct is not None)
    agree = all(np.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(pushed, true, strict=True))
    if not agree or not np.isclose(np.real(work), np.real(back), rtol=1e-4, atol=1e-6):
        raise RuleError(
            page(
                f"the rule of {custom.__name__} disagrees with the derivative of its body.",  # type: ignore[attr-defined]
                f"Along a random direction the body gives {true} and the rule {pushed};\n"
                f"the pullback gives {back} where {work} is right.",
                "the rule again, term by term; without checking(), the rule is trusted",
                "rule",
            )
        )


stop = discrete("stop_gradient", lambda x: x, laws=lambda make: [((make(3),), {})], is_held=True)
