"""Modules: Python objects whose arrays are the leaves of a container, and whose other attributes are its structure."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, Self, dataclass_transform

import wengert as wg
from wengert import trees

_HIDDEN = ("training", "_parts")
_updating: ContextVar[frozenset[int]] = ContextVar("_updating", default=frozenset())  # the modules that may write new buffers to themselves


@dataclass_transform(eq_default=False)
class Module:
    """`y = model(x)`: a function with the arrays that it has learned.

    A subclass names its parts, and computes in `__call__`.  It either annotates fields, and then has the constructor of
    a dataclass, or writes an `__init__` of its own that assigns attributes, as in PyTorch; there is nothing to call or to register.

    Whatever has a dtype is a leaf, in attributes and in lists, tuples, dicts and modules that are attributes: `wg.grad`, `wg.jit` and
    `wg.vmap` take modules as they take any container of arrays.  All else (sizes, rates, texts, functions, `None`) is structure, and
    part of the signature of a compiled program.

    Floating-point leaves are parameters, apart from those whose attribute is named in `buffers`; integers are buffers as well.
    A call never changes a module: new values of buffers come from `nn.with_updates`.

    Example:
        >>> import numpy as np, wengert as wg
        >>> from wengert import nn
        >>> class Net(nn.Module):
        ...     first: nn.Linear
        ...     second: nn.Linear
        ...     def __call__(self, x):
        ...         return self.second(np.tanh(self.first(x)))
        >>> net = Net(nn.Linear(3, 4, rng=0), nn.Linear(4, 1, rng=1))
        >>> wg.grad(lambda net, x: np.sum(net(x)))(net, np.ones((2, 3))).second.bias
        array([2.], dtype=float32)
    """

    buffers: ClassVar[tuple[str, ...]] = ()
    training: ClassVar[bool] = True
    transparent: ClassVar[str] = ""  # an attribute that `state_dict` does not name

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own_fields = [note for note in inspect.get_annotations(cls).values() if "ClassVar" not in str(note)]
        dataclasses.dataclass(init="__init__" not in vars(cls) and bool(own_fields), repr=False, eq=False)(cls)
        wg.register_container(cls, _take, functools.partial(_build, cls))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        msg = f"{type(self).__name__} has no __call__: write   def __call__(self, x): ..."
        raise NotImplementedError(msg)

    def train(self, mode: bool = True) -> Self:
        """The same model in training mode: `Dropout` drops, `BatchNorm` takes the statistics of the batch."""
        new: Self = trees.map_leaves(lambda leaf: leaf, self)
        for module in modules(new):
            vars(module).pop("training", None)
            if not mode:
                vars(module)["training"] = False
        return new

    def eval(self) -> Self:
        """The same model as it is used: `Dropout` passes everything, `BatchNorm` takes its running statistics."""
        return self.train(mode=False)

    def astype(self, dtype: Any) -> Self:
        """The same model with floating-point numbers of another dtype.

        Example:
            >>> import numpy as np
            >>> from wengert import nn
            >>> nn.Linear(2, 1).astype(np.float64).weight.dtype
            dtype('float64')
        """
        new: Self = trees.map_leaves(lambda leaf: leaf.astype(dtype) if is_floating(leaf) else leaf, self)
        return new

    def update(self, **buffers: Any) -> None:
        """New values of this module's buffers, for a module's author to call in `__call__`; without effect outside of `nn.with_updates`."""
        if id(self) in _updating.get():
            for name, value in buffers.items():
                setattr(self, name, wg.stop_gradient(value))

    def __str__(self) -> str:
        return str(wg.nn.summary(self))

    def __rich__(self) -> Any:
        return importlib.import_module("wengert.nn.table").rich_table(self)

    def __repr__(self) -> str:
        held = {name: value for name, value in (settings(self) | parts(self)).items() if value is not None}
        return f"{type(self).__name__}({', '.join(f'{name}={_short(value)}' for name, value in held.items())})"


def _short(value: Any) -> str:
    if hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(map(_short, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_short(part)}" for key, part in value.items()) + "}"
    return getattr(value, "__name__", None) or repr(value)


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is an array of floating or complex numbers."""
    return getattr(getattr(leaf, "dtype", None), "kind", "") in ("f", "c")


def _is_part(value: Any) -> bool:
    """Whether an attribute holds arrays, or may come to hold some."""
    if isinstance(value, tuple):
        return any(map(_is_part, value))
    return hasattr(value, "dtype") or isinstance(value, (Module, list, dict)) or dataclasses.is_dataclass(value)


def parts(module: Module) -> dict[str, Any]:
    """The attributes that are no structure."""
    known = vars(module).get("_parts", ())
    return {name: v for name, v in vars(module).items() if name not in _HIDDEN and (name in known or _is_part(v))}


def settings(module: Module) -> dict[str, Any]:
    """The attributes that are structure, apart from the mode."""
    held = parts(module)
    return {name: value for name, value in vars(module).items() if name not in held and name not in _HIDDEN}


def _take(module: Module) -> Any:
    """`(parts, what is structure, names of the parts)`, as a container is registered."""
    held, fixed = parts(module), tuple(settings(module).items())
    told = tuple([trees.exactly(value) for _, value in fixed])
    return tuple(held.values()), (tuple(held), fixed, module.training, told), tuple(held)


def _build(kind: type[Module], metadata: Any, children: Any) -> Module:
    names, fixed, training, _ = metadata
    new = object.__new__(kind)
    held = vars(new)
    held.update(zip(names, children, strict=True))
    held.update(fixed)
    held["_parts"] = names  # `None` or a number in the place of an array stays a part
    if not training:
        held["training"] = False
    return new


def modules(value: Any) -> Iterator[Module]:
    """A module and those inside, or the modules in a container."""
    if isinstance(value, Module):
        yield value
        inside = list(vars(value).values())
    elif isinstance(value, dict):
        inside = list(value.values())
    else:
        inside = list(value) if isinstance(value, (list, tuple)) else []
    for part in inside:
        yield from modules(part)
