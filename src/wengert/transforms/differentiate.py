"""`jvp`, `vjp`, `grad`: the readings of a linearization, for functions of any containers."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.trace import Tracer
from wengert.errors import (
    DisconnectedError,
    DisconnectedWarning,
    HolomorphicError,
    NotScalarError,
    TreeError,
    describe,
    page,
)
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import Linearization, as_primal, zeros_like

ArgNums = int | str | Sequence[int | str]


class Selection:
    """A call `f(*args, **kwargs)` as a flat function of the leaves of some of its arguments."""

    def __init__(
        self, function: Callable[..., Any], argnums: ArgNums, args: Sequence[Any], kwargs: dict[str, Any], has_aux: bool
    ) -> None:
        self.function, self.args, self.kwargs, self.has_aux = function, list(args), dict(kwargs), has_aux
        self.is_single = isinstance(argnums, (int, str))
        wanted = [argnums] if isinstance(argnums, (int, str)) else list(argnums)
        self.keys = [find_argument(function, key, args, kwargs) for key in wanted]
        chosen = [self.args[k] if isinstance(k, int) else self.kwargs[k] for k in self.keys]
        self.tree = chosen[0] if self.is_single else tuple(chosen)
        leaves, self.structure = trees.flatten(self.tree)
        self.primals = [
            as_primal(leaf, f"argument {self.leaf_name(k)}") if type(leaf) is not np.ndarray or leaf.dtype.kind not in "fc" else leaf
            for k, leaf in enumerate(leaves)
        ]
        self.out_structure: Any = None
        self.aux: Any = None

    def leaf_name(self, k: int) -> str:
        """How the user would write the k-th leaf: `params['w']`."""
        path = trees.paths(self.tree)[k]
        key = self.keys[0] if self.is_single else self.keys[int(path[1 : path.index("]")])]
        name = argument_name(self.function, key)
        return name + (path if self.is_single else path[path.index("]") + 1 :])

    def flat(self, *leaves: Any) -> list[Any]:
        """The function of the leaves alone; remembers the structure of its output, and its auxiliary output."""
        chosen = trees.unflatten(self.structure, leaves)
        args, kwargs = list(self.args), dict(self.kwargs)
        for key, value in zip(self.keys, [chosen] if self.is_single else chosen, strict=True):
            if isinstance(key, int):
                args[key] = value
            else:
                kwargs[key] = value
        out = self.function(*args, **kwargs)
        if self.has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise TreeError(
                    page(
                        f"with has_aux=True the function must return (output, aux), not {type(out).__name__}.",
                        "The second part is handed back untouched.",
                        "return loss, extra",
                        "tree",
                    )
                )
            out, self.aux = out
        ys, self.out_structure = trees.flatten(out)
        return [y if isinstance(y, Tracer) or hasattr(y, "dtype") else np.asarray(y)[()] for y in ys]

    def strip_aux(self, strip: Callable[[Any], Any]) -> Any:
        """The auxiliary output with this transformation's tracers taken off."""
        return trees.map_leaves(strip, self.aux)


def find_argument(function: Callable[..., Any], key: int | str, args: Sequence[Any], kwargs: dict[str, Any]) -> int | str:
    """Where an argument stands in this call, given its position or its name."""
    if isinstance(key, int):
        position = key + len(args) if key < 0 else key
        if 0 <= position < len(args):
            return position
        names = _parameter_names(function)
        if position < len(names) and names[position] in kwargs:
            return names[position]
        msg = f"argnums={key}, but the function was called with {len(args)} positional arguments"
        raise TypeError(msg)
    if key in kwargs:
        return key
    names = _parameter_names(function)
    if key in names and names.index(key) < len(args):
        return names.index(key)
    msg = f"argnums={key!r}, but the call has no argument of that name; its arguments are {', '.join(names)}"
    raise TypeError(msg)


def _parameter_names(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def argument_name(function: Callable[..., Any], key: int | str) -> str:
    """The name of an argument, for messages."""
    if isinstance(key, str):
        return key
    names = _parameter_names(function)
    return names[key] if key < len(names) else f"argument {key}"


def location_of(function: Callable[..., Any]) -> str:
    """`model.py:12 loss` for a Python function."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__name__", type(function).__name__)
    return name if code is None else f"{os.path.basename(code.co_filename)}:{code.co_firstlineno} {name}"


def report_disconnected(selection: Selection, missing: Sequence[int], linear: Linearization, policy: str) -> None:
    """Say which inputs the output does not depend on, and where the dependence ended if it did."""
    names = ", ".join(selection.leaf_name(k) for k in missing)
    cut = linear.record.cut
    if cut is not None:
        primitive, place = cut
        why = (
            f"A dependence ends in `{primitive.name}` at {place}, which is constant almost everywhere,\n"
            "so its derivative is zero."
        )
    else:
        why = "No operation leads from it to the output."
    message = page(
        f"the output of {location_of(selection.function)} does not depend on {names}; its gradient is zero.",
        why,
        'on_disconnected="zero" if that is meant, on_disconnected="raise" to stop here',
        "disconnected",
    )
    if policy == "raise":
        raise DisconnectedError(message)
    warnings.warn(DisconnectedWarning(message), stacklevel=4)


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
    linear = Linearization(selection.flat, selection.primals)
    y = _only_scalar(selection, linear, holomorphic)
    one = np.ones((), y.dtype)[()]
    cts = linear.pull([one], consume=True)
    missing = [k for k, ct in enumerate(cts) if ct is None]
    if missing and on_disconnected != "zero":
        report_disconnected(selection, missing, linear, on_disconnected)
    cts = [finish(ct, x) for ct, x in zip(cts, selection.primals, strict=True)]
    if holomorphic:
        cts = [np.conjugate(ct) for ct in cts]
    aux = selection.strip_aux(linear.record.strip) if has_aux else None
    return trees.unflatten(selection.out_structure, linear.values), aux, trees.unflatten(selection.structure, cts)


def finish(ct: Any, x: Any) -> Any:
    """A cotangent as the caller gets it: of the input's dtype, zeros if nothing arrived, and the caller's own."""
    if ct is None:
        return zeros_like(x)
    if isinstance(ct, np.ndarray) and (ct.base is not None or not ct.flags.writeable):
        ct = ct.copy()
    if ct.dtype != x.dtype:
        ct = (np.real(ct) if x.dtype.kind != "c" and ct.dtype.kind == "c" else ct).astype(x.dtype)
    if isinstance(x, np.ndarray) and isinstance(ct, np.generic):
        return np.asarray(ct)
    return ct


def _only_scalar(selection: Selection, linear: Linearization, holomorphic: bool) -> Any:
    if len(linear.values) == 1:
        y = linear.values[0]
        if tuple(y.shape) == ():
            if (y.dtype.kind == "f" and not holomorphic) or (y.dtype.kind == "c" and holomorphic):
                return y
            if y.dtype.kind == "c":
                raise HolomorphicError(
                    page(
                        f"grad needs a real output, and {location_of(selection.function)} returned {describe(y)}.",
                        "The gradient of a complex value is not one vector.",
                        "np.abs(z) ** 2 or z.real for a real loss; holomorphic=True for the complex derivative;\n"
                        "wg.wirtinger(f) for both Wirtinger derivatives",
                        "holomorphic",
                    )
                )
            if holomorphic:
                raise HolomorphicError(
                    page(
                        f"holomorphic=True, but {location_of(selection.function)} returned {describe(y)}.",
                        "A real function that is not constant has no complex derivative.",
                        "grad(f) without holomorphic",
                        "holomorphic",
                    )
                )
            return zero_if_discrete(y)
    shapes = ", ".join(describe(y) for y in linear.values)
    raise NotScalarError(
        page(
            f"grad needs one scalar output, and {location_of(selection.function)} returned ({shapes}).",
            "The gradient is the vector of partial derivatives of one number.",
            "loss.sum() or loss.mean() for a total; wg.jacobian(f) for all outputs; has_aux=True to return extras",
            "not-scalar",
        )
    )


def zero_if_discrete(y: Any) -> Any:
    """An integer or boolean output has the derivative zero; its cotangent is a float."""
    return np.zeros((), float)[()] if y.dtype.kind in "iub" else y


def tangents_like(structure: Any, tree: Any, primals: Sequence[Any], what: str) -> list[Any]:
    """The leaves of a container of tangents (or cotangents), checked against the primals and cast to their dtype."""
    leaves, found = trees.flatten(tree)
    if found != structure:
        raise TreeError(
            page(
                f"the {what} have the structure {found}, and the primals {structure}.",
                "Each primal needs a partner of the same shape.",
                "the same containers with the same keys for both",
                "tree",
            )
        )
    return [_match(leaf, x, what) for leaf, x in zip(leaves, primals, strict=True)]


def _match(leaf: Any, x: Any, what: str) -> Any:
    leaf = leaf if isinstance(leaf, Tracer) or hasattr(leaf, "dtype") else np.asarray(leaf)[()]
    if tuple(leaf.shape) != tuple(x.shape):
        raise TreeError(
            page(
                f"a {what.rstrip('s')} has type {describe(leaf)}, and its primal {describe(x)}.",
                "A tangent has the shape of its primal, a cotangent that of its output.",
                f"np.broadcast_to(v, {tuple(x.shape)})",
                "tree",
            )
        )
    if leaf.dtype != x.dtype and x.dtype.kind in "fc":
        leaf = (np.real(leaf) if leaf.dtype.kind == "c" and x.dtype.kind != "c" else leaf).astype(x.dtype)
    return leaf


def pushforward(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool
) -> tuple[Any, Any, Any]:
    """`(y, J dx, aux)` in one forward pass."""
    selection = Selection(function, tuple(range(len(primals))), primals, {}, has_aux)
    dxs = tangents_like(selection.structure, tuple(tangents), selection.primals, "tangents")
    ys, dys, strip = push_forward(selection.flat, selection.primals, dxs)
    dys = [zeros_like(y) if dy is None else dy for y, dy in zip(ys, dys, strict=True)]
    aux = selection.strip_aux(strip) if has_aux else None
    return trees.unflatten(selection.out_structure, ys), trees.unflatten(selection.out_structure, dys), aux


def pullback(function: Callable[..., Any], primals: Sequence[Any], has_aux: bool) -> tuple[Any, Any, Any]:
    """`(y, ct ↦ Jᴴ ct, aux)`; the pullback can be called any number of times."""
    selection = Selection(function, tuple(range(len(primals))), primals, {}, has_aux)
    linear = Linearization(selection.flat, selection.primals)
    structure = selection.out_structure

    def pull(ct: Any) -> Any:
        """`ct_y ↦ ct_x`, one for each primal."""
        cts = linear.pull(tangents_like(structure, ct, linear.values, "cotangents"))
        cts = [finish(c, x) for c, x in zip(cts, selection.primals, strict=True)]
        return trees.unflatten(selection.structure, cts)

    aux = selection.strip_aux(linear.record.strip) if has_aux else None
    return trees.unflatten(structure, linear.values), pull, aux
