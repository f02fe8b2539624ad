"""What a model is made of: parameters, which a gradient moves, and buffers, which a call moves on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import wengert as wg
from wengert import trees
from wengert.nn.module import Module, _updating, is_floating, modules

Function = Callable[..., Any]


@functools.lru_cache(maxsize=256)
def _is_in_buffer(structure: Any) -> tuple[bool, ...]:
    ways = trees.ways(structure)
    return tuple([any(issubclass(kind, Module) and name in kind.buffers for kind, name in way) for way in ways])


def parameter_flags(model: Any) -> list[bool]:
    """Whether each leaf of a container, in order, is a parameter."""
    leaves, structure = trees.flatten(model)
    return [is_floating(leaf) and not kept for leaf, kept in zip(leaves, _is_in_buffer(structure), strict=True)]


def _named(model: Any, *, trained: bool) -> dict[str, Any]:
    leaves, flags = trees.flatten(model)[0], parameter_flags(model)
    found = zip(trees.paths(model), leaves, flags, strict=True)
    return {path.removeprefix("."): leaf for path, leaf, flag in found if flag is trained}


def parameters(model: Any) -> dict[str, Any]:
    """The parameters of a model by the way to each.

    Example:
        >>> from wengert import nn
        >>> list(nn.parameters(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))))
        ['layers[0].weight', 'layers[0].bias', 'layers[1].weight', 'layers[1].bias']
    """
    return _named(model, trained=True)


def buffers(model: Any) -> dict[str, Any]:
    """The buffers of a model by the way to each: running statistics, keys of random streams.

    Example:
        >>> from wengert import nn
        >>> list(nn.buffers(nn.BatchNorm1d(2)))
        ['running_mean', 'running_var', 'num_batches_tracked']
    """
    return _named(model, trained=False)


def count_parameters(model: Any) -> int:
    """How many numbers a model learns.

    Example:
        >>> from wengert import nn
        >>> nn.count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(leaf.size for leaf in parameters(model).values())


def split(model: Any) -> tuple[Any, Any]:
    """`(parameters, the rest)`: two models of the same class, each with `None` where the other one has its leaf.

    Example:
        >>> from wengert import nn
        >>> params, rest = nn.split(nn.BatchNorm1d(2))
        >>> params.running_mean, rest.weight
        (None, None)
    """
    leaves, structure = trees.flatten(model)
    flags = parameter_flags(model)
    pairs = list(zip(leaves, flags, strict=True))
    halves = ([leaf if flag is side else None for leaf, flag in pairs] for side in (True, False))
    first, second = (trees.unflatten(structure, half) for half in halves)
    return first, second


def join(params: Any, rest: Any) -> Any:
    """The model of two halves that `split` made.

    Raises `ValueError` where both halves have a leaf in the same place, or their containers differ.

    Example:
        >>> from wengert import nn
        >>> params, rest = nn.split({"norm": nn.BatchNorm1d(2)})
        >>> nn.join(params, rest)["norm"].running_var
        array([1., 1.], dtype=float32)
    """
    return trees.joined(params, rest)


def stack(models: Sequence[Any]) -> Any:
    """One model of several of the same structure: each leaf has a new first axis, for `wg.vmap`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> from wengert import nn
        >>> members = nn.stack([nn.Linear(2, 1, rng=k) for k in range(5)])
        >>> wg.vmap(lambda model, x: model(x), in_axes=(0, None))(members, np.ones((3, 2))).shape
        (5, 3, 1)
    """
    return trees.map_leaves(lambda *leaves: np.stack(leaves), *models)


def value_and_grad(f: Function, has_aux: bool = False) -> Function:
    """`(f, ∇f)` with respect to the parameters of the first argument, and to nothing else in it.

    As `wg.value_and_grad`, for models with buffers: the gradient is a model of the same class with `None` in their places.

    Args:
        f: a function of a model, and whatever else, that returns a real scalar; with `has_aux` a pair of it and anything.
        has_aux: the value is the pair.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> model = nn.Sequential(nn.Linear(2, 1, rng=0), nn.Dropout(0.0))
        >>> value, gradient = nn.value_and_grad(lambda model, x: np.sum(model(x)))(model, np.ones((3, 2)))
        >>> gradient.layers[0].bias, gradient.layers[1].key
        (array([3.], dtype=float32), None)
    """

    @functools.wraps(f)
    def value_and_gradient(model: Any, *args: Any, **kwargs: Any) -> Any:
        params, rest = split(model)

        @functools.wraps(f)
        def of_parameters(params: Any, *args: Any, **kwargs: Any) -> Any:
            return f(join(params, rest), *args, **kwargs)

        return wg.value_and_grad(of_parameters, has_aux=has_aux)(params, *args, **kwargs)

    return value_and_gradient


def grad(f: Function, has_aux: bool = False) -> Function:
    """`∇f` with respect to the parameters of the first argument; see `nn.value_and_grad`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.grad(lambda model, x: np.sum(model(x)))(nn.Linear(2, 1), np.ones((3, 2))).weight
        array([[3., 3.]], dtype=float32)
    """
    both = value_and_grad(f, has_aux)

    @functools.wraps(f)
    def gradient(model: Any, *args: Any, **kwargs: Any) -> Any:
        value, found = both(model, *args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def with_updates(f: Function) -> Function:
    """`(model, ...) ↦ (f(model, ...), the model with its new buffers)`: running statistics, and keys that have moved on.

    The model that is given stays as it is.  `nn.value_and_grad(nn.with_updates(loss), has_aux=True)` is what a step of training calls.

    Args:
        f: a function whose first argument is a model, or holds models; or a model.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> model = nn.BatchNorm1d(1)
        >>> y, new = nn.with_updates(model)(np.array([[1.0], [3.0]]))
        >>> new.running_mean, model.running_mean
        (array([0.2], dtype=float32), array([0.], dtype=float32))
    """
    if isinstance(f, Module):
        return functools.partial(with_updates(type(f).__call__), f)

    @functools.wraps(f)
    def call(model: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        new = trees.map_leaves(lambda leaf: leaf, model)
        token = _updating.set(frozenset(map(id, modules(new))))
        try:
            out = f(new, *args, **kwargs)
        finally:
            _updating.reset(token)
        return out, new

    return call
