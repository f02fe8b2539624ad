"""A call of a function of containers as a flat function of the arrays in some of its arguments."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert._source import is_user_code
from wengert.core.record import Record
from wengert.core.trace import Tracer
from wengert.errors import ArgumentError, NotDifferentiableError, TreeError, describe, page, reveal
from wengert.transforms.linearize import as_array, as_primal, is_inexact

ArgNums = int | str | Sequence[int | str]


class Selection:
    """A call `f(*args, **kwargs)` as a flat function of the leaves of some of its arguments.

    With `constants`, leaves that cannot change (integers, texts) keep their values; without, they are an error.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        argnums: ArgNums,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        has_aux: bool = False,
        name: str = "grad",
        *,
        constants: bool = False,
    ) -> None:
        self.function, self.args, self.kwargs, self.has_aux = function, list(args), dict(kwargs), has_aux
        self.name = name
        self.is_single = isinstance(argnums, (int, str)) or not isinstance(argnums, Sequence)
        wanted: list[Any] = [argnums] if self.is_single else list(argnums)  # type: ignore[arg-type]
        self.keys = [find_argument(function, key, args, self.kwargs) for key in wanted]
        if len(set(self.keys)) < len(self.keys):
            raise _argument_error(f"argnums={argnums!r} names an argument twice.", function)
        chosen = [self.args[k] if isinstance(k, int) else self.kwargs[k] for k in self.keys]
        self.tree = chosen[0] if self.is_single else tuple(chosen)
        self.leaves, self.structure = trees.flatten(self.tree)
        n = len(self.leaves)
        self.active = [k for k in range(n) if is_inexact(self.leaves[k])] if constants else range(n)
        if self.is_single and self.tree is None and not constants:
            raise NotDifferentiableError.of_input(f"argument {argument_name(function, self.keys[0])}", self.tree)
        self.primals = [self._primal(k) for k in self.active]
        self.out_structure: Any = None
        self.aux: Any = None

    def _primal(self, k: int) -> Any:
        leaf = self.leaves[k]
        if type(leaf) is np.ndarray and leaf.dtype.kind == "f" and leaf.dtype.isnative:
            return leaf
        leaf = as_primal(leaf, lambda: f"argument {self.leaf_name(k)}")
        for tracer in layers(leaf):
            if isinstance(tracer.watcher, Record) and tracer.extra is not None:
                tracer.watcher.differentiated.add(tracer.extra)
        return leaf

    def leaf_name(self, k: int) -> str:
        """How the user would write the k-th leaf: `params['w']`."""
        path = trees.paths(self.tree)[k]
        key = self.keys[0] if self.is_single else self.keys[int(path[1 : path.index("]")])]
        name = argument_name(self.function, key)
        return name + (path if self.is_single else path[path.index("]") + 1 :])

    def label(self, k: int) -> str:
        """What messages call the k-th primal."""
        return f"input `{self.leaf_name(self.active[k])}` of {self.name}"

    def container(self, values: Sequence[Any]) -> Any:
        """A container like the selected arguments, with a value for each primal and `None` for each constant."""
        if len(values) == len(self.leaves):
            return trees.unflatten(self.structure, values)
        full: list[Any] = [None] * len(self.leaves)
        for k, value in zip(self.active, values, strict=True):
            full[k] = value
        return trees.unflatten(self.structure, full)

    def flat(self, *primals: Any) -> list[Any]:
        """The function of the primals alone; remembers the structure of its output, and its auxiliary output."""
        leaves: Sequence[Any] = primals
        if len(primals) < len(self.leaves):
            leaves = list(self.leaves)
            for k, value in zip(self.active, primals, strict=True):
                leaves[k] = value
        chosen = trees.unflatten(self.structure, leaves)
        args, kwargs = list(self.args), dict(self.kwargs)
        for key, value in zip(self.keys, [chosen] if self.is_single else chosen, strict=True):
            if isinstance(key, int):
                args[key] = value
            else:
                kwargs[key] = value
        try:
            out = self.function(*args, **kwargs)
        except Exception as error:
            reveal(error)
            raise
        if self.has_aux:
            out, self.aux = _output_and_aux(out)
        ys, self.out_structure = trees.flatten(out)
        return [as_array(y) for y in ys]

    def strip_aux(self, strip: Callable[[Any], Any]) -> Any:
        """The auxiliary output with this transformation's tracers taken off."""
        return trees.map_leaves(strip, self.aux)


def layers(value: Any) -> Iterator[Tracer]:
    """The tracers around a value, the outermost first."""
    while isinstance(value, Tracer):
        yield value
        value = value.value


def _output_and_aux(out: Any) -> tuple[Any, Any]:
    if isinstance(out, tuple) and len(out) == 2:
        return out
    raise TreeError(
        page(
            f"with has_aux=True the function must return a pair (output, extra), and it returned {_described(out)}.",
            "The gradient is that of the first part; the second is handed back as it is.",
            "return loss, extra   # a tuple of two",
            "tree",
        )
    )


def _described(out: Any) -> str:
    return f"a tuple of {len(out)}" if isinstance(out, tuple) else describe(out)


def find_argument(function: Callable[..., Any], key: int | str, args: Sequence[Any], kwargs: dict[str, Any]) -> int | str:
    """Where an argument stands in this call, given its position or its name.

    An argument that the call left out, and that has a default, is added to `kwargs`.
    """
    if not isinstance(key, (int, str)) or isinstance(key, bool):
        raise _argument_error(f"argnums={key!r} is neither a position nor a name.", function)
    if isinstance(key, int):
        position = key + len(args) if key < 0 else key
        if 0 <= position < len(args):
            return position
        names = _parameter_names(function, only_positional=True)
        name = names[position] if 0 <= position < len(names) else None
        if name is not None and (name in kwargs or _add_default(function, name, kwargs)):
            return name
        raise _argument_error(f"argnums={key}, but the call has {len(args)} positional arguments.", function)
    if key in kwargs:
        return key
    names = _parameter_names(function)
    if key in names and names.index(key) < len(args):
        return names.index(key)
    if _add_default(function, key, kwargs):
        return key
    raise _argument_error(f"argnums={key!r}, but the call has no argument of that name.", function)


def _argument_error(what: str, function: Callable[..., Any]) -> ArgumentError:
    names = _parameter_names(function)
    return ArgumentError(
        page(
            what,
            "argnums counts the arguments of the call from 0, or names one; a sequence of such gives a tuple."
            + (f"\nThe arguments of {location_of(function)} are {', '.join(names)}." if names else ""),
            f"argnums={names[0]!r}   # or argnums=0" if names else "argnums=0",
            "argument",
        )
    )


def _add_default(function: Callable[..., Any], name: str, kwargs: dict[str, Any]) -> bool:
    try:
        parameter = inspect.signature(function).parameters.get(name)
    except (TypeError, ValueError):
        return False
    if parameter is None or parameter.default is parameter.empty or parameter.kind is parameter.POSITIONAL_ONLY:
        return False
    kwargs[name] = parameter.default
    return True


def _parameter_names(function: Callable[..., Any], *, only_positional: bool = False) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if not only_positional or p.kind is not p.KEYWORD_ONLY]


def argument_name(function: Callable[..., Any], key: int | str) -> str:
    """The name of an argument, for messages."""
    if isinstance(key, str):
        return key
    names = _parameter_names(function)
    return names[key] if key < len(names) else f"argument {key}"


def location_of(function: Callable[..., Any]) -> str:
    """`loss (model.py:12)` for a Python function."""
    own = getattr(function, "__code__", None)
    if own is None and hasattr(function, "__wrapped__"):  # a compiled function
        return location_of(function.__wrapped__)
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__name__", type(function).__name__)
    if hasattr(function, "__wrapped__") and own is not None and not is_user_code(own.co_filename):
        name = f"the transformed {name}"
    return name if code is None else f"{name} ({os.path.basename(code.co_filename)}:{code.co_firstlineno})"
