"""One objective, many libraries: a function written with NumPy, read again with another library's names."""

from __future__ import annotations

import functools
import statistics
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from timing import Clock, Step, installed, times_in_turn

Arrays = tuple[Any, ...]
PAUSE = 0.25  # seconds before a turn, in which threads of the one before fall asleep


def has(*modules: str) -> bool:
    """Whether a peer is installed here."""
    return installed(*modules)


def read_with(function: Callable[..., Any], library: Any, **others: Any) -> Callable[..., Any]:
    """The same function, and those of its module that it calls, with `library` in the place of `np`, and others under their names."""
    names = dict(function.__globals__)
    names.update(np=library, **others)
    del names["__name__"]  # or torch.compile would find the first names under it
    for name, value in function.__globals__.items():
        if isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
            names[name] = again(value, names)
    return names[function.__name__]


def again(function: types.FunctionType, names: dict[str, Any]) -> types.FunctionType:
    """A function with other globals."""
    twin = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


# --- jax -------------------------------------------------------------------------------------------------------------


@functools.cache
def jax() -> Any:
    """JAX with float64, as NumPy has it."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def jax_step(make: Callable[[Any], Callable[..., Any]], objective: Callable[..., Any], arguments: Arrays) -> Step:
    """`jit(make(objective))` on arrays of JAX's own; the step waits for its results.  A global `scan` is read as JAX's."""
    library = jax()
    compiled = library.jit(make(read_with(objective, library.numpy, scan=library.lax.scan)))
    placed = library.device_put(arguments)
    return lambda: library.block_until_ready(compiled(*placed))


def jax_step_on_numpy(make: Callable[[Any], Callable[..., Any]], objective: Callable[..., Any], arguments: Arrays) -> Step:
    """The same with NumPy's arrays in and out."""
    library = jax()
    compiled = library.jit(make(read_with(objective, library.numpy)))
    return lambda: library.tree_util.tree_map(np.asarray, compiled(*arguments))


# --- torch -----------------------------------------------------------------------------------------------------------


class TorchNames:
    """PyTorch under NumPy's names, where these differ."""

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.float32, self.float64, self.newaxis, self.pi = torch.float32, torch.float64, None, np.pi

    def __getattr__(self, name: str) -> Any:
        return getattr(self.torch, name)

    def maximum(self, a: Any, b: Any) -> Any:
        return self.torch.clamp(a, min=b) if isinstance(b, (int, float)) else self.torch.maximum(a, b)

    def log(self, a: Any) -> Any:
        return float(np.log(a)) if isinstance(a, (int, float)) else self.torch.log(a)

    def arange(self, *args: Any) -> Any:
        return self.torch.arange(*args)


@functools.cache
def torch_names() -> TorchNames:
    """One for all."""
    return TorchNames()


def tensors(tree: Any) -> Any:
    """The same containers with tensors."""
    if isinstance(tree, dict):
        return {name: tensors(x) for name, x in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(tensors(x) for x in tree)
    return torch_names().torch.tensor(tree) if isinstance(tree, np.ndarray) else tree


def torch_gradient(objective: Callable[..., Any], arguments: Arrays, n: int = 1) -> Step:
    """Value and gradients with respect to the first `n` arguments, eagerly; the tensors are made once."""
    torch = torch_names().torch
    function = read_with(objective, torch_names())
    placed = tensors(arguments)
    wanted = [x.requires_grad_() for x in placed[:n]]

    def step() -> Any:
        value = function(*placed)
        return value.detach(), torch.autograd.grad(value, wanted)

    return step


def torch_compiled_gradient(objective: Callable[..., Any], arguments: Arrays, n: int = 1) -> Step:
    """The same by `torch.compile` of the function."""
    torch = torch_names().torch
    placed = tensors(arguments)
    wanted = [x.requires_grad_() for x in placed[:n]]
    function = torch.compile(read_with(objective, torch_names()), dynamic=False)

    def step() -> Any:
        value = function(*placed)
        return value.detach(), torch.autograd.grad(value, wanted)

    return step


# --- autograd --------------------------------------------------------------------------------------------------------


def autograd_step(make: Callable[[Any], Callable[..., Any]], objective: Callable[..., Any], arguments: Arrays) -> Step:
    """`make(objective)` by HIPS autograd; `make` is given its module."""
    import autograd
    import autograd.numpy

    function = make(autograd)(read_with(objective, autograd.numpy))
    return lambda: function(*arguments)


# --- casadi ----------------------------------------------------------------------------------------------------------


class CasadiNames:
    """CasADi under NumPy's names; small arrays are lists of scalars."""

    def __init__(self) -> None:
        import casadi

        self.casadi, self.pi = casadi, np.pi

    def __getattr__(self, name: str) -> Any:
        return getattr(self.casadi, name)

    def stack(self, parts: Any) -> Any:
        return self.casadi.vertcat(*[part.T if hasattr(part, "T") and part.shape[0] > 1 else part for part in parts])

    def array(self, values: Any) -> Any:
        return self.casadi.DM(values)

    def eye(self, n: int) -> Any:
        return self.casadi.DM.eye(n)


def casadi_functions(derivative: str, objective: Callable[..., Any], x: np.ndarray) -> dict[str, Step]:
    """A derivative (`gradient` or `jacobian`) by CasADi: on NumPy's arrays, and between fixed buffers."""
    import casadi

    symbol = casadi.SX.sym("x", x.size)
    value = read_with(objective, CasadiNames())(symbol)
    function = casadi.Function("f", [symbol], [getattr(casadi, derivative)(value, symbol)])
    result = np.zeros(function.size_out(0)[::-1])
    buffer, call = function.buffer()
    buffer.set_arg(0, memoryview(x))
    buffer.set_res(0, memoryview(result.reshape(-1)))

    def on_buffers(alive: Any = (function, buffer, x)) -> Any:  # CasADi's call holds none of these
        call()
        return result

    return {"casadi": lambda: function(x).full(), "casadi, fixed buffers": on_buffers}


# --- cases -----------------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """One row: the same work by several libraries, and what its results are compared by."""

    title: str
    steps: dict[str, Step]
    seconds: float = 2.0  # what measuring it may take
    tolerance: float = 1e-6
    unit: str = "µs"
    notes: list[str] = field(default_factory=list)
    unlike: frozenset[str] = frozenset()  # steps that compute something else, for comparison

    def measured(self, clock: Clock) -> dict[str, float]:
        """The median time of each step, in microseconds."""
        once = {name: min(found) for name, found in times_in_turn(self.steps, rounds=1, repeats=1).items()}
        total, least = sum(once.values()) * 1e-6, min(once.values()) * 1e-6
        repeats = max(3, min(2_000, int(5e-3 / max(least, 1e-7))))
        rounds = max(3, min(15, int(self.seconds / max(total * repeats, 1e-9))))
        found = times_in_turn(self.steps, rounds, repeats, clock, PAUSE)
        return {name: statistics.median(values) for name, values in found.items()}

    def disagreements(self) -> list[str]:
        """The steps whose numbers are not those of the first."""
        names = [name for name in self.steps if name not in self.unlike]
        expected = numbers(self.steps[names[0]]())
        found = []
        for name in names[1:]:
            other = numbers(self.steps[name]())
            scale = max(np.max(np.abs(expected)), 1e-300)
            if other.size != expected.size or not np.max(np.abs(other - expected)) <= self.tolerance * scale:
                found.append(name)
        return found


def numbers(tree: Any) -> np.ndarray:
    """All numbers of a result in a row, the order of axes apart, which libraries choose differently: sorted."""
    return np.sort(np.concatenate([np.ravel(np.asarray(x, dtype=float)) for x in leaves(tree)]))


def leaves(tree: Any) -> list[Any]:
    """The arrays of nested containers."""
    if isinstance(tree, dict):
        return [leaf for name in sorted(tree) for leaf in leaves(tree[name])]
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [tree.detach() if hasattr(tree, "detach") else tree]
