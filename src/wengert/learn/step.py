"""One step of training and one of evaluation, each a compiled program.

A model is laid end to end once: the programs take and give tuples of arrays, so that a step costs no walk through
containers, and nothing but the numbers changes from step to step.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import wengert as wg
from wengert import trees
from wengert.errors import DisconnectedError
from wengert.learn import mistakes

Leaves = tuple[Any, ...]
_OF_OUTPUTS = ("wengert.nn", "wengert.learn")


def of_model(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loss or metric as `(model, *batch) -> number`: those of `nn` and `learn` are functions of output and target."""
    owner = function if hasattr(function, "__qualname__") else type(function)
    home = str(getattr(owner, "__module__", ""))
    if not home.startswith(_OF_OUTPUTS) or getattr(sys.modules.get(home), getattr(owner, "__name__", ""), None) is not owner:
        return function  # a user's, also one that is typed into an example of ours

    def applied(model: Any, x: Any, *rest: Any) -> Any:
        return function(model(x), *rest)

    applied.__name__ = getattr(function, "__name__", type(function).__name__)
    return applied


def in_mode(model: Any, mode: str) -> Any:
    """The model for training (`train`) or for use (`eval`), where it tells them apart."""
    change = getattr(model, mode, None)
    return change() if callable(change) and hasattr(model, "training") else model


def as_arrays(model: Any) -> Any:
    """The model with arrays in the place of Python's floating-point numbers."""
    return trees.map_leaves(lambda x: np.asarray(x) if isinstance(x, (float, complex)) else x, model)


def dtype_of(model: Any) -> np.dtype[Any] | None:
    """The one floating dtype of the parameters; `None` where there are several."""
    found = {x.dtype for x in trees.flatten(model)[0] if hasattr(x, "dtype") and x.dtype.kind == "f"}
    return found.pop() if len(found) == 1 else None


def as_results(arrays: Sequence[Any]) -> Leaves:
    """Arrays as a compiled program returns them: without axes they are numbers of NumPy's, for which it is compiled apart."""
    return tuple([x[()] for x in arrays])


class Layout:
    """A container as a tuple of its arrays, and back; what is no array belongs to the layout."""

    def __init__(self, tree: Any) -> None:
        self.leaves, self.structure = trees.flatten(tree)
        self.is_array = [hasattr(x, "dtype") for x in self.leaves]
        self.is_parameter = wg.nn.parameter_flags(tree)
        self.names = [name for name, flag in zip(trees.paths(tree), self.is_array, strict=True) if flag]

    def take(self, tree: Any) -> Leaves:
        """The arrays of a container of this layout."""
        return tuple([x for x, flag in zip(trees.flatten(tree)[0], self.is_array, strict=True) if flag])

    def build(self, arrays: Sequence[Any]) -> Any:
        """The container with these arrays."""
        rest = iter(arrays)
        leaves = [next(rest) if flag else x for x, flag in zip(self.leaves, self.is_array, strict=True)]
        return trees.unflatten(self.structure, leaves)

    def only_parameters(self, tree: Any) -> Any:
        """The container with `None` in the place of what is no parameter."""
        pairs = zip(trees.flatten(tree)[0], self.is_parameter, strict=True)
        return trees.unflatten(self.structure, [x if flag else None for x, flag in pairs])

    def with_parameters(self, tree: Any, parameters: Any) -> Any:
        """The container with the parameters of another one."""
        pairs = zip(trees.flatten(tree)[0], trees.flatten_up_to(self.structure, parameters), strict=True)
        return trees.unflatten(self.structure, [x if new is None else new for x, new in pairs])


def check_loss(loss: Callable[..., Any], layout: Layout, model: Any, batch: Sequence[Any], policy: Any) -> None:
    """Run the loss and its gradient once, interpreted, so that what is wrong is said about the user's own lines."""

    @functools.wraps(loss)
    def checked(parameters: Any) -> Any:
        out = loss(layout.with_parameters(model, parameters), *batch)
        if np.shape(out) != () or getattr(out, "dtype", np.dtype(type(out))).kind != "f":
            raise mistakes.no_loss(out)
        return out

    try:
        with np.errstate(all="ignore"):  # as in the compiled program; what is not finite has a page of its own
            wg.value_and_grad(checked, on_disconnected=policy)(layout.only_parameters(model))
    except DisconnectedError as error:
        raise mistakes.disconnected(error) from None


class Step:
    """`(model, state, batch) -> (loss, model, state)` on tuples of arrays."""

    def __init__(self, loss: Callable[..., Any], optimiser: Any, model: Any, *, compiled: bool) -> None:
        state = optimiser.init(model)
        self.loss, self.optimiser = loss, optimiser
        self.model, self.state = Layout(model), Layout(state)
        if not any(self.model.is_parameter):
            raise mistakes.no_parameters()
        self.start = as_results(self.model.take(model)), as_results(self.state.take(state))
        self.run = wg.jit(self.program()) if compiled else self.program()

    def program(self) -> Callable[..., Any]:
        """The step as a plain function.

        Of what it reaches, `jit` looks at the loss alone, which may hold arrays that change; layouts and optimiser stand
        behind `self`, and stay what they are as long as this step is used.
        """
        moving = wg.nn.with_updates(self.loss)

        def step(leaves: Leaves, state: Leaves, batch: tuple[Any, ...]) -> tuple[Any, Leaves, Leaves]:
            model = self.model.build(leaves)

            def of_parameters(parameters: Any) -> Any:
                return moving(self.model.with_parameters(model, parameters), *batch)

            compute = wg.value_and_grad(of_parameters, has_aux=True, on_disconnected="zero")
            (value, moved), gradient = compute(self.model.only_parameters(model))
            moved, new = self.optimiser.update(moved, gradient, self.state.build(state))
            return value, self.model.take(moved), self.state.take(new)

        return step


class Evaluation:
    """Means of the loss and the metrics over a whole source, by batches."""

    def __init__(self, loss: Callable[..., Any], metrics: dict[str, Callable[..., Any]], *, compiled: bool) -> None:
        functions = [loss, *map(of_model, metrics.values())]
        self.names = ["loss", *metrics]

        def measure(model: Any, batch: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(function(model, *batch) for function in functions)

        self.measure = wg.jit(measure) if compiled else measure

    def __call__(self, model: Any, batches: Any) -> dict[str, float]:
        """`name -> mean`, each batch weighted by its rows."""
        total, n_rows = np.zeros(len(self.names)), 0
        for batch in batches:
            leaves = trees.flatten(batch)[0]
            n = len(leaves[0]) if leaves and np.ndim(leaves[0]) else 1
            total += n * np.asarray([float(value) for value in self.measure(model, batch)])
            n_rows += n
        if n_rows == 0:
            raise mistakes.empty_data()
        return dict(zip(self.names, (total / n_rows).tolist(), strict=True))
