"""`Function`: an operation whose derivative the user states, as PyTorch spells it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.core.record import is_absent
from wengert.core.tape import Node, is_recording
from wengert.core.trace import Tracer
from wengert.errors import BackwardError, page
from wengert.tensor.traced import TAPE, Tensor, plain


class Context:
    """What `forward` leaves for `backward`: tensors, and any attributes.

    `needs_input_grad` says for each argument whether its gradient is asked for.
    """

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Any, ...] = ()
    _saved_forward: tuple[Any, ...] | None = None
    _dirty: tuple[Any, ...] = ()
    _discrete: tuple[Any, ...] = ()
    _materializes = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors: arguments, results, or others."""
        self._saved = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for `jvp`, which finds them in `saved_tensors`."""
        self._saved_forward = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors that were kept, with their history."""
        return self._saved

    def mark_dirty(self, *tensors: Any) -> None:
        """These arguments were written into, and are returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """No gradient goes through these results."""
        self._discrete = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether a gradient that is not there is given as zeros, and not as `None`."""
        self._materializes = value


class Function:
    """An operation with a derivative of your own.

    Subclass it with two static methods, `forward(ctx, *args)` and `backward(ctx, *grads)`, which returns a gradient for each
    argument of `forward`, and call it by `apply`.  A third one, `jvp(ctx, *tangents)`, gives the tangent of each result for those of the
    arguments; without it products `J v` (`autograd.functional.jvp`) are computed by two walks back.

    Example:
        >>> import wengert as wg
        >>> class Cube(wg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x**3
        ...
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return 3 * x**2 * grad
        >>> x = wg.tensor(2.0, requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """`forward(ctx, *args)`, or `forward(*args)` beside a `setup_context(ctx, inputs, output)`."""
        msg = "a Function needs a static method forward(ctx, *args)"
        raise NotImplementedError(msg)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The gradient of each argument of `forward`, `None` where there is none."""
        msg = "a Function needs a static method backward(ctx, *grads), if it is to be differentiated"
        raise NotImplementedError(msg)

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The tangent of each result of `forward`, for a tangent of each argument, `None` for what is no tensor."""
        msg = "a Function needs a static method jvp(ctx, *grad_inputs), if tangents are to be pushed through it"
        raise NotImplementedError(msg)

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and remember `backward` for the walk back."""
        ctx = Context()
        active = [isinstance(x, Tensor) and x.extra is not None for x in args]
        ctx.needs_input_grad = tuple(active)
        records = is_recording.get() and any(active)
        token = is_recording.set(False)
        try:
            output = _forward(cls, ctx, args, kwargs)
        finally:
            is_recording.reset(token)
        if not records:
            return output
        return _recorded(cls, ctx, args, output)


def _forward(cls: type[Function], ctx: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    setup = getattr(cls, "setup_context", None)
    if setup is None:
        return cls.forward(ctx, *args, **kwargs)
    output = cls.forward(*args, **kwargs)
    setup(ctx, args, output)
    return output


def _recorded(cls: type[Function], ctx: Context, args: tuple[Any, ...], output: Any) -> Any:
    """The results of `forward` with a node behind them, whose primitive is the user's."""
    is_single = not isinstance(output, tuple)
    outputs = (output,) if is_single else output
    slots = tuple([k for k, x in enumerate(args) if ctx.needs_input_grad[k]])
    values = tuple([x.value if isinstance(x, Tensor) else None for x in args])
    pull = functools.partial(_pull, cls, ctx, outputs, len(args))
    push = None if cls.jvp is Function.jvp else functools.partial(_push, cls, ctx, args, len(outputs))
    primitive = Primitive(
        cls.__name__, lambda *xs: None, family="smooth", push=push, pull=pull, batch=_no_reading, pattern=_no_reading,
        n_outputs=None if is_single else len(outputs), register=False,
    )  # fmt: skip
    parents = tuple([args[k].extra for k in slots])
    results = tuple([y.value if isinstance(y, Tensor) else np.zeros(()) for y in outputs])
    node = Node((primitive, values, {}, results[0] if is_single else results, slots, parents))
    made = [TAPE.kind(results[0], TAPE, node)] if is_single else list(TAPE.results(node, results))
    for k, y in enumerate(outputs):
        is_cut = any(y is x for x in ctx._discrete) or isinstance(y, Tensor) and y.value.dtype.kind not in "fc"
        if is_cut or not isinstance(y, Tensor):
            made[k] = y
        elif any(y is x for x in ctx._dirty):
            y.value, y.extra = made[k].value, made[k].extra
            made[k] = y
    ctx._saved = tuple([_with_history(x, outputs, made) for x in ctx._saved])
    return made[0] if is_single else tuple(made)


def _with_history(x: Any, outputs: Sequence[Any], made: Sequence[Any]) -> Any:
    """A result that `forward` saved, as the result that it has become."""
    for before, after in zip(outputs, made, strict=True):
        if x is before and x is not after and isinstance(after, Tensor):
            return Tensor(after.value, TAPE, after.extra)
    return x


def _no_reading(*args: Any) -> Any:
    raise AssertionError


def _pull(
    cls: type[Function], ctx: Context, outputs: Sequence[Any], n: int, ct: Any, slots: Sequence[int], y: Any, xs: Any, params: Any
) -> list[Any]:
    """The user's `backward`, with tensors for arrays."""
    cts = ct if isinstance(ct, tuple) else (ct,)
    traced = any(isinstance(part, Tracer) for part in cts) or is_recording.get()
    given = [part if isinstance(part, Tracer) else plain(part) for part in cts]
    if not ctx._materializes:
        given = [None if is_absent(part) else g for part, g in zip(cts, given, strict=True)]
    found = cls.backward(ctx, *given)
    found = found if isinstance(found, tuple) else (found,)
    if len(found) < n or any(g is not None for g in found[n:]):
        raise BackwardError(
            page(
                f"{cls.__name__}.backward returned {len(found)} gradients, and forward has {n} arguments.",
                "There is one gradient for each argument, in their order.",
                "return grad_x, None   # for an argument without one",
                "backward",
            )
        )
    return [g if g is None or traced else g.value for g in (found[slot] for slot in slots)]


def _push(
    cls: type[Function], ctx: Context, args: Sequence[Any], n: int, dxs: Sequence[Any], y: Any, xs: Any, params: Any
) -> Any:
    """The user's `jvp`, with tensors for arrays."""
    given = [
        plain(dx) if dx is not None else plain(np.zeros(x.shape, x.dtype)) if isinstance(x, Tensor) and ctx._materializes else None
        for dx, x in zip(dxs, args, strict=True)
    ]
    before, token = ctx._saved, is_recording.set(False)
    ctx._saved = before if ctx._saved_forward is None else ctx._saved_forward
    try:
        found = cls.jvp(ctx, *given)
    finally:
        ctx._saved = before
        is_recording.reset(token)
    many = found if isinstance(found, tuple) else (found,)
    if len(many) != n:
        raise BackwardError(
            page(
                f"{cls.__name__}.jvp returned {len(many)} tangents, and forward has {n} results.",
                "There is one tangent for each result, in their order.",
                "return tangent, None   # for a result that does not move",
                "backward",
            )
        )
    parts = [None if part is None else part.value for part in many]
    return tuple(parts) if isinstance(y, tuple) else parts[0]


def is_users(primitive: Primitive) -> bool:
    """Whether a primitive is a `Function` of the user's."""
    return primitive.batch is _no_reading


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `backward` that cannot be differentiated again: doing so is an error, and not a wrong number."""

    @functools.wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        token = is_recording.set(False)
        try:
            found = backward(ctx, *grads)
        finally:
            is_recording.reset(token)
        if not (is_recording.get() and any(isinstance(g, Tensor) and g.extra is not None for g in grads)):
            return found
        many = found if isinstance(found, tuple) else (found,)
        return tuple([g if g is None else _Once.apply(g, *grads) for g in many])

    return once


class _Once(Function):
    """The first argument, whose derivative nobody knows."""

    @staticmethod
    def forward(ctx: Any, value: Any, *origins: Any) -> Any:  # noqa: ARG004  (the context is always the first)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:  # noqa: ARG004  (as forward)
        raise BackwardError(
            page(
                "differentiating twice a function that is marked `once_differentiable`.",
                "Its backward is not written in operations that can be differentiated.",
                "@staticmethod\ndef backward(ctx, grad): ...   # without @once_differentiable, in tensor operations",
                "backward",
            )
        )
