"""`jvp`, `vjp`, `grad`: the readings of a linearization, for functions of any containers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert._source import quoted
from wengert.core.trace import Tracer
from wengert.errors import (
    DisconnectedError,
    HolomorphicError,
    NotDifferentiableError,
    NotScalarError,
    TreeError,
    describe,
    page,
    warn_disconnected,
)
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import Linearization, as_array, finish_all, is_inexact, snapshot
from wengert.transforms.record_graph import name_of
from wengert.transforms.selection import ArgNums, Selection, location_of
from wengert.transforms.watch import is_watching


def report_disconnected(selection: Selection, missing: Sequence[int], linear: Linearization, policy: str) -> None:
    """Say which inputs the output does not depend on, and where the dependence ended if it did."""
    names = ", ".join(selection.leaf_name(k) for k in missing)
    cut = linear.record.cut
    if cut is not None:
        primitive, instruction, _ = cut
        why = (
            f"A dependence ends in `{primitive.name}`, whose derivative is zero everywhere:\n"
            f"  {quoted(*instruction)}"
        )
    else:
        why = "No operation leads from it to the output."
    message = page(
        f"the output of {location_of(selection.function)} does not depend on {names}; its gradient is zero.",
        why,
        f'wg.grad({name_of(selection.function)}, on_disconnected="zero")   # where that is meant\n'
        f'wg.grad({name_of(selection.function)}, on_disconnected="raise")   # to stop here',
        "disconnected",
    )
    if policy == "raise":
        raise DisconnectedError(message)
    warn_disconnected(message)


def gradient(
    function: Callable[..., Any],
    argnums: ArgNums,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    has_aux: bool,
    holomorphic: bool,
    on_disconnected: str,
) -> tuple[Any, Any, Any]:
    """Value, auxiliary output and gradient at a point."""
    selection = Selection(function, argnums, args, kwargs, has_aux)
    linear = Linearization(selection.flat, selection.primals, selection.label)
    y = _only_scalar(selection, linear, holomorphic)
    one = np.ones((), y.dtype)[()]
    cts = linear.pull([one], consume=True)
    missing = [k for k, ct in enumerate(cts) if ct is None and k not in linear.record.differentiated]
    if missing and on_disconnected != "zero":
        report_disconnected(selection, missing, linear, on_disconnected)
    cts = finish_all(cts, selection.primals)
    if holomorphic:
        cts = [np.conjugate(ct) for ct in cts]
    aux = selection.strip_aux(linear.record.strip) if has_aux else None
    return trees.unflatten(selection.out_structure, linear.values), aux, selection.container(cts)


def _only_scalar(selection: Selection, linear: Linearization, holomorphic: bool) -> Any:
    if len(linear.values) == 1:
        y = linear.values[0]
        if tuple(y.shape) == () and y.dtype.kind in "fciub":
            if (y.dtype.kind == "f" and not holomorphic) or (y.dtype.kind == "c" and holomorphic):
                return y
            if y.dtype.kind == "c":
                raise HolomorphicError(
                    page(
                        f"grad needs a real output, and {location_of(selection.function)} returned {describe(y)}.",
                        "The gradient of a complex value is not one vector.",
                        "return np.abs(y) ** 2   # a real loss, where y is what it returns now\n"
                        f"wg.grad({name_of(selection.function)}, holomorphic=True)   # the complex derivative\n"
                        f"wg.wirtinger({name_of(selection.function)})   # both of Wirtinger's derivatives",
                        "holomorphic",
                    )
                )
            if holomorphic:
                raise HolomorphicError(
                    page(
                        f"holomorphic=True, but {location_of(selection.function)} returned {describe(y)}.",
                        "A real function that is not constant has no complex derivative.",
                        f"wg.grad({name_of(selection.function)})   # without holomorphic=True",
                        "holomorphic",
                    )
                )
            return zero_if_discrete(y)
    out = trees.unflatten(selection.out_structure, linear.values)
    raise NotScalarError.of_output(location_of(selection.function), name_of(selection.function), out)


def zero_if_discrete(y: Any) -> Any:
    """An integer or boolean output has the derivative zero; its cotangent is a float."""
    return np.zeros((), float)[()] if y.dtype.kind in "iub" else y


def tangents_like(structure: Any, tree: Any, primals: Sequence[Any], what: str) -> list[Any]:
    """The leaves of a container of tangents (or cotangents), checked against the primals and cast to their dtype.

    `None` in the place of a leaf is a zero.
    """
    try:
        leaves = trees.flatten_up_to(structure, tree)
    except ValueError as error:
        raise TreeError(
            page(
                f"the {what} have the structure {trees.written(trees.flatten(tree)[1], '*')}, where {trees.written(structure, '*')} is needed.",
                "There is one for each leaf of the primals, or of the output, in the same containers with the same keys.",
                f"{trees.written(structure, 'dx' if what == 'tangents' else 'ct')}   # with a {what[:-1]} in each place",
                "tree",
            )
        ) from error
    return [_match(leaf, x, what) for leaf, x in zip(leaves, primals, strict=True)]


def _match(leaf: Any, x: Any, what: str) -> Any:
    if leaf is None or not is_inexact(x):
        return _of_constant(leaf, x, what)
    leaf, x = as_array(leaf), as_array(x)
    if tuple(leaf.shape) != tuple(x.shape) or leaf.dtype.kind not in "fciub" or leaf.dtype.kind == "c" != x.dtype.kind:
        raise TreeError(
            page(
                f"a {what.rstrip('s')} has type {describe(leaf)}, and its primal {describe(x)}.",
                "A tangent has the shape of its primal, a cotangent that of its output, and both are real where it is real.",
                "v.real   # of a complex v" if leaf.shape == x.shape else f"np.broadcast_to(v, {tuple(x.shape)})",
                "tree",
            )
        )
    return leaf if leaf.dtype == x.dtype else leaf.astype(x.dtype)


def _of_constant(leaf: Any, x: Any, what: str) -> None:
    """An integer or a text has no partner but zero; an output of that kind takes any cotangent, and ignores it."""
    if leaf is None or what == "cotangents":
        return
    if isinstance(leaf, Tracer) or not isinstance(as_array(leaf), (np.ndarray, np.generic)) or np.any(as_array(leaf) != 0):
        raise NotDifferentiableError(
            page(
                f"a tangent that is not zero was given for a primal of type {describe(as_array(x))}.",
                "An integer cannot change by an infinitesimal amount; text and other objects cannot either.",
                "None   # as its tangent; or a floating-point primal",
                "not-differentiable",
            )
        )


def pushforward(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool
) -> tuple[Any, Any, Any]:
    """`(y, J dx, aux)` in one forward pass."""
    selection = Selection(function, tuple(range(len(primals))), primals, {}, has_aux, "jvp", constants=True)
    given = tangents_like(selection.structure, tuple(tangents), selection.leaves, "tangents")
    dxs = [given[k] for k in selection.active]
    if is_watching.get():
        linear = Linearization(selection.flat, selection.primals, selection.label)
        strip: Callable[[Any], Any] = linear.record.strip
        ys, dys = linear.values, linear.push(dxs)
    else:
        ys, dys, strip = push_forward(selection.flat, selection.primals, dxs)
    dys = finish_all(dys, ys, (*dxs, *ys))
    aux = selection.strip_aux(strip) if has_aux else None
    return trees.unflatten(selection.out_structure, ys), trees.unflatten(selection.out_structure, dys), aux


def pullback(function: Callable[..., Any], primals: Sequence[Any], has_aux: bool) -> tuple[Any, Any, Any]:
    """`(y, ct ↦ Jᴴ ct, aux)`; the pullback can be called any number of times."""
    selection = Selection(function, tuple(range(len(primals))), primals, {}, has_aux, "vjp", constants=True)
    selection.primals = list(map(snapshot, selection.primals))  # the caller may write into them before the pullback runs
    linear = Linearization(selection.flat, selection.primals, selection.label)
    structure = selection.out_structure

    def pull(ct: Any) -> Any:
        """`ct_y ↦ ct_x`, one for each primal."""
        given = tangents_like(structure, ct, linear.values, "cotangents")
        return selection.container(finish_all(linear.pull(given), selection.primals, given))

    aux = trees.map_leaves(snapshot, selection.strip_aux(linear.record.strip)) if has_aux else None
    return trees.unflatten(structure, list(map(snapshot, linear.values))), pull, aux
