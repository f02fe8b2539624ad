"""Jacobians, Hessians and products with them, of functions of tensors: `torch.autograd.functional`.

The function runs once on the tape.  Rows of a Jacobian are one walk back for a whole batch of cotangents; products with
tangents are one walk forward along the same list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import api
from wengert.core.array import Array
from wengert.core.record import walk_forward
from wengert.core.tape import is_recording
from wengert.core.walk import Walk
from wengert.tensor.backward import grad
from wengert.tensor.traced import as_dtype, leaf, operand, plain


def _tuple(inputs: Any) -> tuple[Any, ...]:
    return tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)


def _like(inputs: Any, results: Sequence[Any]) -> Any:
    return tuple(results) if isinstance(inputs, (tuple, list)) else results[0]


def _leaves(inputs: Any, create_graph: bool) -> tuple[Any, ...]:
    """What to differentiate with respect to: with `create_graph` the inputs as they came, with their history."""
    xs = tuple(map(operand, _tuple(inputs)))
    if create_graph:
        return tuple([x.view_as(x) if x.extra is not None else leaf(x.value) for x in xs])
    return tuple([leaf(x.value) for x in xs])


def _detached(y: Any, create_graph: bool) -> Any:
    if create_graph:
        return y
    return tuple([part.detach() for part in y]) if isinstance(y, (tuple, list)) else y.detach()


def _rows(y: Any, xs: Sequence[Any], create_graph: bool) -> list[Any]:
    """The Jacobian of one output with respect to each input."""
    shapes = [(*y.shape, *x.shape) for x in xs]
    if y.extra is None:
        return [plain(np.zeros(shape, x.dtype)) for shape, x in zip(shapes, xs, strict=True)]
    units = np.eye(y.value.size, dtype=y.dtype).reshape(y.value.size, *y.shape)
    if create_graph:
        found: Any = grad(y, xs, plain(units), create_graph=True, is_grads_batched=True, materialize_grads=True)
        return [rows.reshape(shape) for rows, shape in zip(found, shapes, strict=True)]
    wanted = [x.extra for x in xs]
    walk = Walk([y.extra], wanted, [node for node in wanted if not node.is_input])

    def pull(ct: Any) -> tuple[Any, ...]:
        cts = walk.back([y.extra], [ct], wanted, consume=False)
        return tuple([np.zeros(x.shape, x.dtype) if ct is None else ct for ct, x in zip(cts, xs, strict=True)])

    token = is_recording.set(False)
    try:
        found = api.vmap(pull)(units)
    finally:
        is_recording.reset(token)
    return [as_dtype(plain(rows.reshape(shape)), x.dtype) for rows, shape, x in zip(found, shapes, xs, strict=True)]


def _pushed(ys: Sequence[Any], xs: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    """`J v` for each output, by one walk forward; by two walks back, where a user's function says only how to go back."""
    wanted = [x.extra for x in xs]
    roots = [y.extra for y in ys if y.extra is not None]
    walk = Walk(roots, wanted)
    if any(entry is not None and entry[0].push is None for entry in walk.entries):
        return [dy.detach() for dy in _pushed_back(ys, xs, directions)]
    record = walk.record()
    tangents: list[Any] = [None] * walk.n_inputs
    for node, v in zip(wanted, directions, strict=True):
        place = walk.places.get(node)
        if place is not None:
            tangents[place] = v.value
    outputs = [Array(y.value, record, None if y.extra is None else walk.place_of(y.extra)) for y in ys]
    with np.errstate(all="ignore"):
        found = walk_forward(record, outputs, tangents)
    return [plain(np.zeros(y.shape, y.dtype) if dy is None else dy) for y, dy in zip(ys, found, strict=True)]


def jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = True) -> Any:
    """`J[i, j] = ∂f_i/∂x_j`, of shape `output.shape + input.shape`; tuples for tuples.

    Example:
        >>> import wengert as wg
        >>> wg.autograd.functional.jacobian(lambda x: x**2, wg.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    xs = _leaves(inputs, create_graph)
    outputs = func(*xs)
    return _like(outputs, [_like(inputs, _rows(y, xs, create_graph)) for y in _tuple(outputs)])


def hessian(func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = True) -> Any:
    """`H[i, j] = ∂²f/∂x_i∂x_j` of a function of one number; tuples of tuples for tuples."""
    xs = _leaves(inputs, create_graph)
    gradients = grad(func(*xs), xs, create_graph=True, materialize_grads=True)
    return _like(inputs, [_like(inputs, _rows(g, xs, create_graph)) for g in gradients])


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`(f(x), Jᴴ v)`."""
    xs = _leaves(inputs, create_graph)
    y = func(*xs)
    found = grad(y, xs, v, create_graph=create_graph, materialize_grads=True)
    return _detached(y, create_graph), _like(inputs, found)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`(f(x), J v)`, by one walk forward; with `create_graph` by two walks back, which can be differentiated."""
    xs = _leaves(inputs, create_graph)
    y = func(*xs)
    ys = _tuple(y)
    vs = [plain(np.ones(x.shape, x.dtype)) for x in xs] if v is None else list(map(operand, _tuple(v)))
    if create_graph:
        return y, _like(y, _pushed_back(ys, xs, vs))
    return _detached(y, create_graph), _like(y, _pushed(ys, xs, vs))


def _pushed_back(ys: Sequence[Any], xs: Sequence[Any], vs: Sequence[Any]) -> tuple[Any, ...]:
    """`J v` as the transpose of `ct ↦ Jᵀ ct`, which is linear in `ct`."""
    cts = [leaf(np.zeros(y.shape, y.dtype)) for y in ys]
    known = [(y, ct) for y, ct in zip(ys, cts, strict=True) if y.extra is not None]
    if not known:
        return tuple([plain(np.zeros(y.shape, y.dtype)) for y in ys])
    pulled = grad([y for y, _ in known], xs, [ct for _, ct in known], create_graph=True, materialize_grads=True)
    return grad([g for g in pulled if g.extra is not None], cts, [w for g, w in zip(pulled, vs, strict=True) if g.extra is not None],
                create_graph=True, materialize_grads=True)  # fmt: skip


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """`(f(x), H v)` without forming the Hessian: one walk forward along the walk back."""
    xs = _leaves(inputs, create_graph)
    y = func(*xs)
    gradients = grad(y, xs, create_graph=True, materialize_grads=True)
    vs = [plain(np.ones(x.shape, x.dtype)) for x in xs] if v is None else list(map(operand, _tuple(v)))
    if create_graph:
        return y, _like(inputs, _pushed_back(gradients, xs, vs))
    return _detached(y, create_graph), _like(inputs, _pushed(gradients, xs, vs))


vhp = hvp  # the Hessian is symmetric
