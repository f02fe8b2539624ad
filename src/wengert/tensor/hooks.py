"""Functions that are called when a gradient arrives, and the history of a tensor as PyTorch shows it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any, Self

from wengert.core.tape import Node
from wengert.core.trace import Tracer
from wengert.errors import BackwardError, page
from wengert.tensor.traced import RETAINS, TAPE, Tensor, method

_ids = count()


class RemovableHandle:
    """What registering a hook returns: `handle.remove()` takes it away again."""

    def __init__(self, hooks: dict[int, Any], key: int) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """The hook is called no more."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.remove()


@method()
def register_hook(self: Any, hook: Callable[[Any], Any]) -> RemovableHandle:
    """Call `hook(grad)` when the gradient of this tensor is known; what it returns takes its place.

    Example:
        >>> import wengert as wg
        >>> x = wg.tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
        >>> handle.remove()
    """
    hooks = _hooks_of(self, "register_hook")

    def call(ct: Any) -> Any:
        new = hook(ct if isinstance(ct, Tracer) else Tensor(ct, TAPE, None))
        return new if new is None or isinstance(ct, Tracer) else new.value

    key = next(_ids)
    hooks[key] = call
    if RETAINS in hooks:
        hooks[RETAINS] = hooks.pop(RETAINS)
    return RemovableHandle(hooks, key)


def _hooks_of(x: Any, name: str) -> dict[int, Any]:
    if x.extra is None:
        raise BackwardError(
            page(
                f"{name} of a tensor that does not require grad.",
                "No gradient will arrive there.",
                "x = wg.tensor(data, requires_grad=True)",
                "backward",
            )
        )
    if x.extra.hooks is None:
        x.extra.hooks = {}
    return x.extra.hooks  # type: ignore[no-any-return]


@method()
def retain_grad(self: Any) -> None:
    """Let `backward` keep the gradient of this result in `.grad`, as it does for leaves."""
    hooks = _hooks_of(self, "retain_grad")
    if self.is_leaf:
        return
    owner = weakref.ref(self)

    def keep(ct: Any) -> None:
        x = owner()
        if x is not None:
            new = ct if isinstance(ct, Tracer) else Tensor(ct, TAPE, None)
            x.grad = new if getattr(x, "_grad", None) is None else x.grad + new

    hooks[RETAINS] = keep


@method("retains_grad")
@property
def _retains_grad(self: Any) -> bool:
    return self.extra is not None and not self.is_leaf and RETAINS in (self.extra.hooks or ())


@method()
def register_post_accumulate_grad_hook(self: Any, hook: Callable[[Any], None]) -> RemovableHandle:
    """Call `hook(tensor)` after `backward` has added to the `.grad` of this leaf."""
    if self.extra is None or not self.is_leaf:
        raise BackwardError(
            page(
                "register_post_accumulate_grad_hook of a tensor that is no leaf, or does not require grad.",
                "Gradients are added up at leaves.",
                "y.register_hook(...)   # for a result",
                "backward",
            )
        )
    if self._after is None:
        self._after = {}
    key = next(_ids)
    self._after[key] = hook
    return RemovableHandle(self._after, key)


# --- history -----------------------------------------------------------------------------------------------------------------


class GradFn:
    """One operation in the history of a tensor, under the name of its primitive."""

    __slots__ = ("_node", "_place")

    def __init__(self, node: Node, place: int = 0) -> None:
        self._node, self._place = node, place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other._node is self._node

    def __hash__(self) -> int:
        return hash(self._node)

    def name(self) -> str:
        """`MulBackward` for `mul`; `AccumulateGrad` for a leaf."""
        if self._node.entry is None:
            return "AccumulateGrad"
        words = self._node.entry[0].name.strip("_").split("_")
        return "".join(word[:1].upper() + word[1:] for word in words) + "Backward"

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Where the operands came from, and which result of that; `(None, 0)` for an operand without a history."""
        entry = self._node.entry
        if not entry:
            return ()
        made = dict(zip(entry[4], entry[5], strict=True))
        n = len(entry[1]) if entry[1] is not None else 1 + entry[4][-1]  # operands behind the last active one are forgotten
        return tuple([_function_of(made.get(slot)) for slot in range(n)])

    @property
    def variable(self) -> Any:
        """The leaf at which `AccumulateGrad` adds up."""
        return self._node.variable()


def _function_of(node: Node | None) -> tuple[Any, int]:
    if node is None:
        return None, 0
    if hasattr(node, "owner"):
        return GradFn(node.owner[0]), node.owner[1]
    return GradFn(node), 0


@method("grad_fn")
@property
def _grad_fn(self: Any) -> Any:
    """The operation that made this tensor; `None` for a leaf."""
    return None if self.is_leaf else _function_of(self.extra)[0]


@method("output_nr")
@property
def _output_nr(self: Any) -> int:
    """Which result of that operation it is."""
    return 0 if self.is_leaf else _function_of(self.extra)[1]
