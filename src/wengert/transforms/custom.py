"""Functions whose derivative the user states, and the test of what is stated."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.primitive import Params, Primitive
from wengert.core.record import Record
from wengert.core.trace import Tracer, bind, lowest
from wengert.errors import BatchError, DerivativeError, RuleError, describe, page
from wengert.primitives.pattern import dense_pattern
from wengert.transforms.batch import Batch, BatchArray
from wengert.transforms.calls import FlatCall, call
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import as_array, finish, is_inexact, snapshot
from wengert.transforms.record_graph import positional_names
from wengert.transforms.selection import location_of

checking: ContextVar[bool] = ContextVar("checking", default=False)


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

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    @property
    def rule_name(self) -> str:
        """The function's name, for messages."""
        return str(getattr(self, "__name__", type(self._function).__name__))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward is None and self._reverse is None:
            return self._function(*args, **kwargs)
        args, kwargs = self._positional(args, kwargs)
        inner = FlatCall(functools.partial(self._function, **kwargs) if kwargs else self._function, args, {})
        rules = FlatRules(self, inner, kwargs)
        if inner.is_plain:
            if checking.get():
                inner = FlatCall(inner.function, trees.map_leaves(_as_float, args), {})
                check_rule(FlatRules(self, inner, kwargs), inner.operands)
            return self._function(*args, **kwargs)
        return inner.finish(call(f"custom_{self.rule_name}", rules.value, rules.push, rules.pull, inner.operands))

    def _positional(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The call with positional arguments as far as the signature allows."""
        if not kwargs:
            return args, kwargs
        try:
            bound = inspect.signature(self._function).bind(*args, **kwargs)
        except ValueError:  # a function without a signature
            return args, kwargs
        if any(isinstance(leaf, Tracer) for leaf in trees.flatten(bound.kwargs)[0]):
            raise RuleError(
                page(
                    f"{self.rule_name} got a traced value for a keyword-only argument.",
                    "A rule states derivatives with respect to positional arguments.",
                    f"def {self.rule_name}(x, y): ...   # without the * that makes y keyword-only",
                    "rule",
                )
            )
        return bound.args, bound.kwargs


class FlatRules:
    """The user's rules as push and pull of flat operands; the missing one is derived by transposing the other."""

    def __init__(self, custom: CustomRule, inner: FlatCall, kwargs: dict[str, Any]) -> None:
        self.custom, self.inner, self.kwargs = custom, inner, kwargs

    def value(self, *xs: Any) -> list[Any]:
        """The function's own value.  A body that can only take plain arrays is run member by member."""
        if checking.get():
            check_rule(self, [_first_member(x) for x in xs])
        try:
            return self.inner.plain_flat(*map(snapshot, xs))  # the body may write into what it gets
        except (DerivativeError, BatchError):
            batches = [x.watcher for x in xs if isinstance(x, BatchArray) and isinstance(x.watcher, Batch)]
            if batches:
                return self._member_by_member(xs, batches[0])
            if not any(isinstance(x, Tracer) and x.watcher.is_guarded for x in xs):
                raise
            return self._as_operation(xs)

    def _as_operation(self, xs: Sequence[Any]) -> list[Any]:
        """A program is being recorded: a body that can only take plain arrays is one operation of it."""

        def evaluate(*ys: Any) -> tuple[Any, ...]:
            results = tuple(self.inner.plain_flat(*map(snapshot, ys)))
            primitive.n_outputs = len(results)  # known once the function has run
            return results

        def batch(ys: Sequence[Any], is_batched: Sequence[bool], params: Params) -> tuple[Any, ...]:
            raise AssertionError  # batches are above recordings, and have been taken apart

        primitive = Primitive(
            f"custom_{self.custom.rule_name}", evaluate, family="smooth", push=self.push, pull=self.pull, batch=batch,
            pattern=dense_pattern, n_outputs=1, register=False,
        )  # fmt: skip
        return list(bind(primitive, xs))

    def _member_by_member(self, xs: Sequence[Any], batch: Batch) -> list[Any]:
        n = next(x.value.shape[0] for x in xs if isinstance(x, BatchArray))
        plain = [x.value if isinstance(x, Tracer) else x for x in xs]
        is_batched = [isinstance(x, BatchArray) for x in xs]
        rows = [self.value(*[x[k] if b else x for x, b in zip(plain, is_batched, strict=True)]) for k in range(n)]
        return [batch.member(np.stack(column)) for column in zip(*rows, strict=True)]

    def push(self, dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        full = [finish(None, x) if dx is None else dx for x, dx in zip(xs, dxs, strict=True)]
        if self.custom._forward is not None:
            return self._push_stated(full, y, xs)
        # the pullback is linear in its cotangent; transposing it once more gives the pushforward
        record = Record()
        cts = [record.input(finish(None, part)) for part in y]
        pieces = self._pull_all(cts, xs)
        used = [(piece, dx) for piece, dx in zip(pieces, full, strict=True) if piece is not None]
        outputs, directions = zip(*used, strict=True) if used else ((), ())
        pulled = record.pull_back(outputs, directions, consume=True)
        return [finish(dy, part) for dy, part in zip(pulled, y, strict=True)]

    def _push_stated(self, dxs: Sequence[Any], y: Any, xs: Sequence[Any]) -> list[Any]:
        args, _ = self.inner.arguments(xs)
        tangents, _ = self.inner.arguments(dxs, fill=_tangent_of_setting)
        found = self.custom._forward(args, tangents, **self.kwargs)
        is_pair = isinstance(found, tuple) and len(found) == 2
        dys = [as_array(leaf) for leaf in trees.flatten(found[1])[0]] if is_pair else []
        if not is_pair or [tuple(dy.shape) for dy in dys] != [tuple(part.shape) for part in y]:
            raise RuleError(
                page(
                    f"the forward rule {location_of(self.custom._forward)} must return (y, dy), with dy shaped like y.",
                    f"It returned {_outline(found)}, where y is {_outline(y[0] if len(y) == 1 else tuple(y))}.",
                    "return y, dy",
                    "rule",
                )
            )
        return dys

    def pull(self, cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
        if self.custom._reverse is not None:
            pieces = self._pull_all(cts, xs)
            return [pieces[slot] for slot in slots]
        record = Record()
        dxs: list[Any] = [None] * len(xs)
        for slot in slots:
            dxs[slot] = record.input(finish(None, xs[slot]))
        try:
            return record.pull_back(tuple(self.push(dxs, y, xs, params)), tuple(cts), consume=True)
        except RecursionError:
            raise RuleError(
                page(
                    f"the reverse rule of {location_of(self.custom._function)} cannot be found from its forward rule.",
                    "The forward rule applies the function itself to a tangent, so each transpose asks for the next one.",
                    f"@{self.custom.rule_name}.reverse   # state it too: y, and lambda ct: (the transposed map of ct,)",
                    "rule",
                )
            ) from None

    def _pull_all(self, cts: Sequence[Any], xs: Sequence[Any]) -> list[Any]:
        """The user's cotangent for every operand, `None` where none was given."""
        args, _ = self.inner.arguments(xs)
        found = self.custom._reverse(*args, **self.kwargs)
        if not isinstance(found, tuple) or len(found) != 2 or not callable(found[1]):
            raise RuleError(
                page(
                    f"the reverse rule {location_of(self.custom._reverse)} must return (y, pullback).",
                    f"It returned {_outline(found)}; the pullback is a function of the cotangent of y.",
                    "return y, lambda ct: (ct * slope,)",
                    "rule",
                )
            )
        value, pullback = found
        pieces = pullback(trees.unflatten(trees.flatten(value)[1], list(cts)))
        if not isinstance(pieces, tuple) or len(pieces) != len(args):
            raise RuleError(
                page(
                    f"the pullback of {location_of(self.custom._reverse)} must return a tuple of {len(args)} cotangents.",
                    f"It returned {_outline(pieces)}; there is one for each argument, None where it has no derivative.",
                    f"return {self._cotangents(len(args))}   # a tuple, even for one argument",
                    "rule",
                )
            )
        leaves = [leaf for arg, piece in zip(args, pieces, strict=True) for leaf in self._leaves_like(arg, piece)]
        kept = [leaf for leaf, flag in zip(leaves, self.inner.is_array, strict=True) if flag]
        return [None] * len(self.inner.captured) + kept

    def _cotangents(self, n: int) -> str:
        """How to write what a pullback returns: `(ct_x, ct_y)`."""
        names = [f"ct_{name}" for name in positional_names(self.custom._function, n)]
        return f"({names[0]},)" if n == 1 else f"({', '.join(names)})"

    def _leaves_like(self, arg: Any, piece: Any) -> list[Any]:
        """The cotangents of one argument's leaves; `None` stands for a whole argument, or for a leaf of it."""
        leaves, structure = trees.flatten(arg)
        if piece is None:
            return [None] * len(leaves)
        try:
            found = trees.flatten_up_to(structure, piece)
        except ValueError:
            found = []
        given = [None if leaf is None else snapshot(as_array(leaf)) for leaf in found]
        pairs = zip(given, leaves, strict=len(given) == len(leaves))
        is_fitting = len(given) == len(leaves) and all(
            ct is None or not hasattr(x, "shape") or tuple(ct.shape) == tuple(x.shape) for ct, x in pairs
        )
        if not is_fitting:
            raise RuleError(
                page(
                    f"the pullback of {location_of(self.custom._reverse)} returned {_outline(piece)} for an argument {_outline(arg)}.",
                    "A cotangent has the containers and shapes of its argument.",
                    "np.sum(ct * slope, axis=...) where the argument was broadcast",
                    "rule",
                )
            )
        return given


def _as_float(leaf: Any) -> Any:
    return as_array(leaf) if isinstance(leaf, (float, complex)) else leaf


def _tangent_of_setting(leaf: Any) -> Any:
    """A number that is no array cannot change; anything else has no tangent at all."""
    return 0.0 if isinstance(leaf, (int, float, complex)) else None


def _outline(value: Any) -> str:
    leaves, _ = trees.flatten(value)
    types = ", ".join(map(describe, leaves))
    return f"a {type(value).__name__} of ({types})" if isinstance(value, (tuple, list, dict)) else types or "None"


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(np.array2string(np.asarray(value), precision=6, threshold=6, edgeitems=2) for value in values)


def _first_member(x: Any) -> Any:
    """A plain value: of a batch, its first member."""
    while isinstance(x, Tracer):
        is_batch = isinstance(x, BatchArray)
        x = x.value
        if is_batch:
            x = x[0] if not isinstance(x, Tracer) else np.asarray(lowest(x))[0]
    return x


def check_rule(rules: FlatRules, operands: Sequence[Any]) -> None:
    """Compare the rules with the derivative of the function's own body on a random direction; raises `RuleError`."""
    token = checking.set(False)  # the rule may call the function itself
    try:
        _check_rule(rules, operands)
    finally:
        checking.reset(token)


def _check_rule(rules: FlatRules, operands: Sequence[Any]) -> None:
    random = np.random.default_rng(0)
    dxs = [_random_like(random, x) if is_inexact(x) else None for x in operands]
    ys, true, accuracy = _derivative_of_body(rules.inner, operands, dxs)
    chosen = [k for k, y in enumerate(ys) if is_inexact(y)]
    pushed = rules.push(dxs, ys, operands, {})
    cts = [_random_like(random, y) if is_inexact(y) else finish(None, y) for y in ys]
    slots = [k for k, x in enumerate(operands) if is_inexact(x)]
    pulled = rules.pull(cts, slots, ys, operands, {})
    work = sum(np.vdot(cts[k], true[k]) for k in chosen)
    back = sum(np.vdot(ct, dxs[slot]) for ct, slot in zip(pulled, slots, strict=True) if ct is not None)
    scale = sum(np.linalg.norm(np.ravel(cts[k])) * np.linalg.norm(np.ravel(true[k])) for k in chosen)
    agree = all(np.allclose(pushed[k], true[k], rtol=accuracy, atol=accuracy * 1e-2) for k in chosen)
    if not agree or abs(np.real(work) - np.real(back)) > accuracy * (scale + 1e-2):
        raise RuleError(
            page(
                f"the rule of {rules.custom.rule_name} disagrees with the derivative of its body.",
                f"Along a random direction the body gives {_shown(true)} and the rule {_shown(pushed)};\n"
                f"against a random cotangent the pullback gives {_shown([back])} where {_shown([work])} is right.",
                "with wg.check_rules():   # around the call again, when the rule has been corrected",
                "rule",
            )
        )


def _random_like(random: np.random.Generator, x: Any) -> Any:
    v = random.standard_normal(np.shape(x))
    return np.asarray(v + 1j * random.standard_normal(np.shape(x)) if x.dtype.kind == "c" else v, x.dtype)[()]


def _derivative_of_body(inner: FlatCall, operands: Sequence[Any], dxs: Sequence[Any]) -> tuple[list[Any], list[Any], float]:
    """Value and derivative of the body, and how far they may be trusted: by forward mode, or else by differences."""
    try:
        ys, dys, _ = push_forward(inner.plain_flat, operands, dxs)
    except DerivativeError:  # a body that takes plain arrays only
        ys = inner.plain_flat(*operands)
        coarse = max(np.finfo(x.dtype).eps for x in operands if is_inexact(x))
        h = float(coarse) ** (1 / 3)
        ahead, behind = (inner.plain_flat(*[x if dx is None else x + np.asarray(s * h, x.dtype) * dx
                                            for x, dx in zip(operands, dxs, strict=True)]) for s in (1, -1))  # fmt: skip
        dys = [(a - b) / (2 * h) if is_inexact(a) else None for a, b in zip(ahead, behind, strict=True)]
    return ys, [finish(dy, y) for dy, y in zip(dys, ys, strict=True)], 1e-3 if _is_single(operands) else 1e-4


def _is_single(operands: Sequence[Any]) -> bool:
    return any(is_inexact(x) and np.finfo(x.dtype).eps > 1e-10 for x in operands)
