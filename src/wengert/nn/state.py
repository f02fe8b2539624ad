"""The arrays of a model under PyTorch's dotted names, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wengert import trees
from wengert.nn.module import Module


def _names(structure: Any) -> list[str]:
    ways = trees.ways(structure)
    return [".".join([str(name) for kind, name in way if not (issubclass(kind, Module) and name == kind.transparent)]) for way in ways]


def state_dict(model: Any) -> dict[str, Any]:
    """Every array of a model by its name in PyTorch: `layers.0.weight`; those of `nn.Sequential` without `layers`.

    Example:
        >>> from wengert import nn
        >>> list(nn.state_dict(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))))
        ['0.weight', '0.bias', '2.weight', '2.bias']
    """
    leaves, structure = trees.flatten(model)
    return dict(zip(_names(structure), leaves, strict=True))


def load_state_dict(model: Any, arrays: Mapping[str, Any], strict: bool = True) -> Any:
    """The model with other arrays, in the dtypes that it has: from `nn.state_dict`, or from a PyTorch model.

    Keys of random streams are kept where `arrays` has none: PyTorch's models have no such thing.

    Args:
        model: a model of the same layers.
        arrays: by name; for a PyTorch model `{name: t.numpy() for name, t in torch_model.state_dict().items()}`.
        strict: whether each name must be there, and no other.

    Raises:
        KeyError: names are missing, or belong to nothing.
        ValueError: a shape is another one.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.load_state_dict(nn.Linear(2, 1), {"weight": np.ones((1, 2)), "bias": np.zeros(1)}).weight
        array([[1., 1.]], dtype=float32)
    """
    leaves, structure = trees.flatten(model)
    names = _names(structure)
    needed = {name for name, leaf in zip(names, leaves, strict=True) if leaf.dtype != np.uint64}
    missing, foreign = sorted(needed - set(arrays)), sorted(set(arrays) - set(names))
    if strict and (missing or foreign):
        parts = [f"{what}: {', '.join(found)}" for what, found in (("missing", missing), ("not in the model", foreign)) if found]
        raise KeyError("; ".join(parts) + ". The model has " + ", ".join(names) + ". Write load_state_dict(..., strict=False) to load what fits")
    return trees.unflatten(structure, [_loaded(name, leaf, arrays.get(name)) for name, leaf in zip(names, leaves, strict=True)])


def _loaded(name: str, leaf: Any, value: Any) -> Any:
    if value is None:
        return leaf
    value = np.array(value, dtype=leaf.dtype)
    if value.shape != leaf.shape:
        msg = f"{name} has shape {list(leaf.shape)} in the model, and {list(value.shape)} in what is loaded"
        raise ValueError(msg)
    return value
