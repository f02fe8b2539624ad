"""The walk back from tensors: `backward` adds up gradients at leaves, `grad` hands them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert import api
from wengert.core.tape import Node, is_recording
from wengert.core.trace import Tracer
from wengert.core.walk import Walk, free, pull_to_inputs
from wengert.errors import BackwardError, describe, page
from wengert.primitives.structure import real
from wengert.tensor.blame import examine_walk
from wengert.tensor.functions import is_users
from wengert.tensor.modes import recording
from wengert.tensor.traced import TAPE, Tensor, as_dtype, method, operand, plain
from wengert.transforms.watch import is_watching


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """`grad += Jᴴ gradient` at every leaf that the tensors depend on; see `Tensor.backward`."""
    outputs = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    cts = _starts(outputs, grad_tensors, create_graph)
    roots = [y.extra for y in outputs]
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is not None:
        wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        found = pulled(roots, cts, [x.extra for x in wanted], keep=keep, traced=create_graph)
        _add_up(wanted, found, create_graph)
        return
    walk = Walk(roots, tape=TAPE if create_graph else None)
    leaves = walk.nodes[: walk.n_inputs]
    found = _walked(walk, roots, cts, leaves, keep=keep, traced=create_graph)
    _add_up([node.variable() for node in leaves], found, create_graph)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """`Jᴴ v`: the gradients of the outputs, weighted by `grad_outputs`, one for each input; `.grad` stays as it is.

    Args:
        outputs: a tensor, or several.
        inputs: a tensor, or several; results of operations may be among them.
        grad_outputs: a weight for each output, of its shape; left out, 1 for outputs of one entry.
        retain_graph: keep what the walk needs, so that it can be walked again; as `create_graph` if left out.
        create_graph: record the walk, so that its result can be differentiated.
        allow_unused: give `None` for an input that the outputs do not depend on; else that is an error.
        is_grads_batched: `grad_outputs` have one more axis in front, and so have the results: one walk for all (one for each with
            `create_graph`, and where it calls hooks, or the `backward` of a user's `Function`).
        materialize_grads: give zeros and not `None`.

    Raises:
        BackwardError: an output has no history, its gradient is no number, or an input is not used.

    Example:
        >>> import wengert as wg
        >>> x = wg.tensor(3.0, requires_grad=True)
        >>> (slope,) = wg.autograd.grad(x**3, x, create_graph=True)
        >>> wg.autograd.grad(slope, x)
        (tensor(18.),)
    """
    ys = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    xs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for k, x in enumerate(xs):
        if x.extra is None:
            raise _without_history(k, "inputs")
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        return _batched(ys, xs, grad_outputs, keep, create_graph, allow_unused, materialize_grads)
    cts = _starts(ys, grad_outputs, create_graph)
    found = pulled([y.extra for y in ys], cts, [x.extra for x in xs], keep=keep, traced=create_graph)
    results = [None if ct is None else fitted(ct, x, create_graph) for ct, x in zip(found, xs, strict=True)]
    return _all_there(results, xs, allow_unused, materialize_grads)


def _all_there(results: list[Any], xs: Sequence[Any], unused: bool | None, zeros: bool, n: tuple[int, ...] = ()) -> tuple[Any, ...]:
    """The gradients, where some may be missing; with `n` axes in front of those of the inputs."""
    for k, ct in enumerate(results):
        if ct is None and zeros:
            results[k] = plain(np.zeros((*n, *xs[k].shape), xs[k].dtype))
        elif ct is None and not unused:
            raise BackwardError(
                page(
                    f"the outputs do not depend on input {k}, of type {describe(xs[k])}.",
                    "No operation leads from it to them, so there is no gradient.",
                    "wg.autograd.grad(outputs, inputs, allow_unused=True)        # None in its place\n"
                    "wg.autograd.grad(outputs, inputs, materialize_grads=True)   # zeros",
                    "backward",
                )
            )
    return tuple(results)


def _batched(ys: Any, xs: Any, weights: Any, keep: bool, traced: bool, unused: Any, zeros: bool) -> tuple[Any, ...]:
    """One walk for all members; one for each where the walk is recorded, or calls what the user wrote for one member."""
    weights = list(map(operand, [weights] if isinstance(weights, (Tensor, np.ndarray)) else weights))
    n = weights[0].shape[0]
    for k in range(min(n, 1)):
        _starts(ys, [w[k] for w in weights], traced)  # which says what is wrong
    roots, wanted = [y.extra for y in ys], [x.extra for x in xs]
    walk = Walk(roots, wanted, [node for node in wanted if not node.is_input])
    if not traced and not is_watching.get() and not any(node.hooks or node.entry and is_users(node.entry[0]) for node in walk.nodes):
        return _all_there(_of_members(walk, roots, ys, xs, weights, keep), xs, unused, zeros, (n,))
    rows = [
        grad(ys, xs, [w[k] for w in weights], keep or k < n - 1, traced, unused, materialize_grads=zeros) for k in range(n)
    ]
    return tuple([None if column[0] is None else np.stack(column) for column in zip(*rows, strict=True)])


def _of_members(walk: Walk, roots: Any, ys: Any, xs: Any, weights: Any, keep: bool) -> list[Any]:
    """The cotangents of the inputs for a batch of those of the outputs; `None` where nothing arrives."""
    reached: list[bool] = []
    wanted = [x.extra for x in xs]

    def pull(*cts: Any) -> tuple[Any, ...]:
        found = walk.back(roots, cts, wanted, consume=False)
        reached[:] = [ct is not None for ct in found]
        return tuple([np.zeros(x.shape, x.dtype) if ct is None else ct for ct, x in zip(found, xs, strict=True)])

    if not keep:
        free(walk.nodes)
    token = is_recording.set(False)
    try:
        found = api.vmap(pull)(*[as_dtype(w, y.dtype).value for w, y in zip(weights, ys, strict=True)])
    finally:
        is_recording.reset(token)
    return [fitted(ct, x, traced=False) if there else None for ct, x, there in zip(found, xs, reached, strict=True)]


# --- where the walk starts ---------------------------------------------------------------------------------------------


def _starts(outputs: Sequence[Any], gradients: Any, traced: bool) -> list[Any]:
    """The cotangents of the outputs: plain arrays, or tensors where the walk is recorded."""
    if gradients is None or isinstance(gradients, (Tensor, np.ndarray)):
        gradients = [gradients] if gradients is not None else [None] * len(outputs)
    if len(gradients) != len(outputs):
        msg = f"{len(outputs)} outputs and {len(gradients)} gradients"
        raise BackwardError(page(f"{msg} were given.", "There is one gradient for each output.", "[v1, v2]", "backward"))
    return [_start(k, y, ct, traced) for k, (y, ct) in enumerate(zip(outputs, gradients, strict=True))]


def _start(k: int, y: Any, ct: Any, traced: bool) -> Any:
    if y.extra is None:
        raise _without_history(k, "tensors")
    value = y.value
    if ct is not None:
        ct = as_dtype(operand(ct), y.dtype)
        if ct.shape != y.shape:
            raise BackwardError(
                page(
                    f"a gradient of type {describe(ct)} was given for an output of type {describe(y)}.",
                    "It has the shape of its output.",
                    f"v.reshape({list(y.shape)})",
                    "backward",
                )
            )
        return ct if traced else ct.value
    if value.size != 1 or value.dtype.kind == "c":
        what = "many entries" if value.size != 1 else "one complex number"
        raise BackwardError(
            page(
                f"backward from {what} ({describe(y)}) without a gradient.",
                "The gradient of one real number is a vector; for anything else say what each entry counts.",
                "loss.sum().backward()        # of the sum\nloss.backward(wg.tensor.ones_like(loss))   # the same",
                "backward",
            )
        )
    one = np.ones(value.shape, value.dtype) if value.ndim else value.dtype.type(1)
    return plain(one) if traced else one


def _without_history(k: int, what: str) -> BackwardError:
    return BackwardError(
        page(
            f"element {k} of {what} does not require grad and has no history.",
            "Nothing that was differentiable led to it, or it was computed inside `no_grad`, or from `detach`ed values.",
            "x = wg.tensor(data, requires_grad=True)   # before the computation",
            "backward",
        )
    )


# --- the walk ------------------------------------------------------------------------------------------------------------


def pulled(roots: Sequence[Node], cts: Sequence[Any], wanted: Sequence[Node | None], *, keep: bool, traced: bool) -> list[Any]:
    """The cotangents of some nodes, of leaves and of results; `None` where nothing arrives."""
    nodes = [node for node in wanted if node is not None]
    captured = [node for node in nodes if not node.is_input]
    walk = Walk(roots, nodes, captured, TAPE if traced else None)
    found = iter(_walked(walk, roots, cts, nodes, keep=keep, traced=traced))
    return [None if node is None else next(found) for node in wanted]


def _walked(
    walk: Walk, roots: Sequence[Node], cts: Sequence[Any], wanted: Sequence[Node], *, keep: bool, traced: bool
) -> list[Any]:
    watched = Walk(roots) if is_watching.get() else None
    if not keep:
        free(walk.nodes)
    token = is_recording.set(recording(traced))
    try:
        found = walk.back(roots, cts, wanted)
    finally:
        is_recording.reset(token)
    if watched is not None:
        examine_walk(watched, roots, cts, found)
    return found


def fitted(ct: Any, x: Any, traced: bool) -> Any:
    """A cotangent as the gradient of `x`: a tensor of its shape and dtype."""
    if not isinstance(ct, Tracer):
        if ct.dtype is x.value.dtype:  # the usual case first
            return Tensor(ct, TAPE, None)
        ct = Tensor(ct, TAPE, None)
    result = ct
    if result.dtype is not x.value.dtype and result.dtype != x.value.dtype:
        result = as_dtype(real(result) if result.dtype.kind == "c" != x.dtype.kind else result, x.dtype)
    return result if traced or type(result) is not Tensor else Tensor(result.value, TAPE, None)


def _add_up(leaves: Sequence[Any], cts: Sequence[Any], traced: bool) -> None:
    for x, ct in zip(leaves, cts, strict=True):
        if x is None or ct is None:
            continue
        is_usual = type(ct) is np.ndarray and ct.dtype is x.value.dtype
        new = Tensor(ct, TAPE, None) if is_usual else fitted(ct, x, traced)
        before = getattr(x, "_grad", None)
        if before is None:
            x._grad = new
        elif traced:
            x._grad = before + new
        else:  # the tensor that the user may hold goes on being the gradient
            before.value = before.value + new.value
        after = getattr(x, "_after", None)
        if after:
            for hook in tuple(after.values()):
                hook(x)


@method("backward")
def _backward(
    self: Any, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """`x.grad += Jᴴ gradient` for every leaf `x` that this tensor depends on.

    Args:
        gradient: of the shape of this tensor; left out, 1 for a tensor of one entry.
        retain_graph: keep what the walk needs, so that it can be walked again; as `create_graph` if left out.
        create_graph: record the walk, so that gradients can be differentiated.
        inputs: add up at these only.

    Raises:
        BackwardError: the tensor has no history, has many entries and no gradient was given, or was walked before.

    Example:
        >>> import wengert as wg
        >>> x = wg.tensor([1.0, 2.0], requires_grad=True)
        >>> x.exp().sum().backward()
        >>> x.grad
        tensor([2.7183, 7.3891])
    """
    value = self.value
    if gradient is None and inputs is None and not create_graph and value.size == 1 and value.dtype.kind == "f" and self.extra is not None and not is_watching.get():
        one = np.ones(value.shape, value.dtype) if value.ndim else value.dtype.type(1)
        token = is_recording.set(False)
        try:
            leaves, found = pull_to_inputs(self.extra, one, keep=bool(retain_graph))
        finally:
            is_recording.reset(token)
        _add_up([node.variable() for node in leaves], found, traced=False)
        return
    gradients = None if gradient is None else [gradient]
    backward([self], gradients, retain_graph, create_graph, inputs)
