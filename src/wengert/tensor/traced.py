"""`Tensor`: a traced array of a tape that never ends.

It is a tracer as any other: `bind` performs its operations through the same cards, and `extra` is its node in the tape.
Its methods are registered by the modules of this room, each beside the function of the same name.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wengert.core.array import Array
from wengert.core.tape import Node, Tape, is_recording
from wengert.core.trace import Tracer
from wengert.errors import AssignmentError, BackwardError, LostDerivativeError, NotDifferentiableError, page, warn_user
from wengert.primitives.align import DIRECT, contains_tracer
from wengert.primitives.index import as_view, replace
from wengert.primitives.structure import cast, real
from wengert.tensor.dtypes import of_number

RETAINS = -1  # the key of the hook that keeps a gradient: it comes last, whatever is registered later


class Size(int):
    """The number of entries for NumPy (`x.size`), and for PyTorch a function of the axis that gives the shape."""

    shape: tuple[int, ...]

    def __call__(self, dim: int | None = None) -> Any:
        """The shape, or one length of it."""
        return self.shape if dim is None else self.shape[dim]


class Tensor(Array):
    """An array that remembers how it was made, so that `backward` can find its derivatives.

    Make one by `wg.tensor(data)`.  All that NumPy does with arrays works on it (`np.sin(t)`), and so do PyTorch's methods.
    Writing into a tensor lets its name, and all views of it, stand for new values; what has been computed keeps the old ones.

    Example:
        >>> import wengert as wg
        >>> x = wg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    __slots__ = ("_after", "_grad")
    __hash__ = object.__hash__  # type: ignore[assignment]

    # --- what it is --------------------------------------------------------------------------------------------

    @property
    def size(self) -> Any:
        found = Size(self.value.size)
        found.shape = tuple(self.value.shape)
        return found

    @property
    def is_scalar(self) -> bool:
        return False  # a tensor without axes is an array, and can be written into

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self.extra is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted == (self.extra is not None):
            return
        if not self.is_leaf:
            raise BackwardError(
                page(
                    "requires_grad of a result of an operation cannot be switched off.",
                    "It has a history, which only `detach` leaves behind.",
                    "y = y.detach()",
                    "backward",
                )
            )
        if wanted and self.value.dtype.kind not in "fc":
            raise NotDifferentiableError.of_input("a tensor with requires_grad=True", self.value)
        self.extra = None
        if wanted:
            node = self.extra = Node(None)
            node.variable = weakref.ref(self)
            if not hasattr(self, "_after"):
                self._after = None

    @property
    def is_leaf(self) -> bool:
        """Whether no operation on differentiable values made it."""
        return self.extra is None or self.extra.is_input

    @property
    def grad(self) -> Any:
        """What `backward` has summed up so far; `None` before."""
        found = getattr(self, "_grad", None)
        if found is None and not self.is_leaf:
            warn_no_leaf(self)
        return found

    @grad.setter
    def grad(self, value: Any) -> None:
        self._grad = value

    @property
    def data(self) -> Any:
        """The same values without the history: writing into it writes into this tensor unseen."""
        return detach(self)

    @data.setter
    def data(self, value: Any) -> None:
        self.value = value.value if isinstance(value, Tensor) else np.array(value)

    # --- leaving ------------------------------------------------------------------------------------------------

    def numpy(self, *, force: bool = False) -> Any:
        """The values as an array, which cannot be written into: write into the tensor."""
        if self.extra is not None and not force:
            raise LostDerivativeError(
                page(
                    "numpy() of a tensor that requires grad.",
                    "NumPy's array has no memory of how it was made, and the derivative would be lost.",
                    "t.detach().numpy()",
                    "lost-derivative",
                )
            )
        return read_only(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        plain = self.numpy()
        return plain if dtype in (None, plain.dtype) and not copy else np.array(plain, dtype)

    def item(self) -> Any:
        """The only entry, as a number of Python's."""
        if self.value.size != 1:
            raise BackwardError(
                page(
                    f"a tensor with {self.value.size} entries cannot become one number.",
                    "`item` is for tensors of one entry.",
                    "t[0].item()   # one of them\nt.tolist()     # all",
                    "backward",
                )
            )
        return self.value.item()

    def tolist(self) -> Any:
        """Nested lists of Python's numbers."""
        return self.value.tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.value.dtype.kind not in "iub":
            msg = "only integer tensors of a single element can be converted to an index"
            raise TypeError(msg)
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.value.ndim == 0 else str(self)

    def __iter__(self) -> Iterator[Any]:
        if not self.value.ndim:
            msg = "iteration over a 0-d tensor"
            raise TypeError(msg)
        return (self[k] for k in range(len(self.value)))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return rebuilt, (np.array(self.value), self.extra is not None)

    def __copy__(self) -> Tensor:
        return rebuilt(self.value, self.extra is not None)

    def __deepcopy__(self, memo: Any) -> Tensor:
        if not self.is_leaf:
            raise BackwardError(
                page(
                    "a result of an operation cannot be copied with all that led to it.",
                    "`deepcopy` copies tensors that the program made itself: leaves.",
                    "t.detach().clone()",
                    "backward",
                )
            )
        new = memo[id(self)] = rebuilt(self.value, self.extra is not None)
        if self.grad is not None:
            new.grad = rebuilt(self.grad.value, requires_grad=False)
        return new

    # --- writing --------------------------------------------------------------------------------------------------

    def _replace(self, new: Any) -> Any:
        """Let this tensor, what it is a view of, and all views of it stand for `new`."""
        refuse_traced(new)
        x, y = self.value, new.value
        is_alone = not hasattr(self, "_views") and not hasattr(self, "_base")
        if is_alone and x.dtype is y.dtype and x.shape == y.shape and type(new) is Tensor:
            if is_recording.get():
                self.extra = TAPE.written(self, new)
            self.value = y
            return self
        if x.shape != y.shape and np.broadcast_shapes(x.shape, y.shape) != x.shape:
            msg = f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(y.shape)}"
            raise BackwardError(page(msg, "What is written in place keeps its shape.", "y = x + ...   # a new tensor", "backward"))
        return replace(self, new)


class TensorTape(Tape):
    """The tape of all tensors, with PyTorch's rules for leaves."""

    __slots__ = ()

    def written(self, x: Any, new: Any) -> Any:
        extra = super().written(x, new)
        if x.extra is None or extra is x.extra:
            return extra
        if x.extra.hooks and RETAINS in x.extra.hooks and extra is not None:  # the wish to see the gradient moves on
            extra.hooks = {**(extra.hooks or {}), RETAINS: x.extra.hooks.pop(RETAINS)}
        if x.extra.is_input:
            raise BackwardError(
                page(
                    "a leaf tensor that requires grad was written into.",
                    "Its gradient is that of the values it had: with a history of its own it would be a leaf no more.",
                    "with wg.no_grad():\n    x += 1          # its values change, and nothing is recorded\ny = x + 1           # or a new tensor",
                    "backward",
                )
            )
        return extra


TAPE = TensorTape(Tensor)
DIRECT.add(Tensor)


def method(*names: str) -> Callable[[Any], Any]:
    """Make the decorated function (or property) a method of tensors, under these names or its own."""

    def register(function: Any) -> Any:
        for name in names or (function.__name__,):
            setattr(Tensor, name, function)
        return function

    return register


def warn_no_leaf(x: Any) -> None:
    """Say that only leaves, and results that were asked to, keep their gradients."""
    warn_user(
        page(
            "`.grad` of a tensor that is not a leaf is not kept.",
            "`backward` adds up the gradients of leaves only.",
            "y.retain_grad()   # before backward",
            "backward",
        )
    )


def refuse_traced(new: Any) -> None:
    """A tensor outlives every transformation of a function, so it cannot hold what one of them watches."""
    if isinstance(new, Tracer) and type(new) is not Tensor:
        raise AssignmentError(
            page(
                "cannot write a traced value into a tensor.",
                "The tensor was made outside of the function that is differentiated, and would keep the value when that has ended.",
                "y = np.zeros_like(x, shape=3)   # inside the function, of its own argument x: a traced array",
                "assignment",
            )
        )


# --- in and out ---------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Tensor:
    """A tensor of these values without a history."""
    return Tensor(value, TAPE, None)


def leaf(value: Any) -> Tensor:
    """A tensor of these values that requires grad."""
    node = Node(None)
    new = Tensor(value, TAPE, node)
    node.variable = weakref.ref(new)
    new._after = None
    return new


def rebuilt(value: Any, requires_grad: bool) -> Tensor:
    """What `pickle` and `copy` make."""
    return leaf(np.array(value)) if requires_grad else plain(np.array(value))


def read_only(value: Any) -> Any:
    """A view of plain values that nobody can write into."""
    view = np.asarray(value)[...]
    view.flags.writeable = False
    return view


def operand(x: Any) -> Any:
    """Anything as a tensor; a value that another transformation watches stays as it is."""
    if isinstance(x, Tracer):
        return x
    if type(x) in (bool, int, float, complex):
        return plain(np.asarray(x, of_number(type(x))))
    if isinstance(x, np.ndarray):
        return plain(x.copy() if x.flags.writeable else x)
    if contains_tracer(x):
        return np.stack([operand(part) for part in x])
    return plain(np.array(x))


def as_dtype(x: Any, dtype: np.dtype[Any]) -> Any:
    """`x` under another dtype; the derivative goes on through floating and complex ones."""
    if x.dtype is dtype or x.dtype == dtype:
        return x
    if x.dtype.kind in "fc" and dtype.kind in "fc":
        return cast(real(x) if x.dtype.kind == "c" and dtype.kind == "f" else x, dtype=dtype)
    return plain(x.value.astype(dtype)) if type(x) is Tensor else x.astype(dtype)


@method()
def detach(self: Any) -> Any:
    """The same values without the history; whatever is written into one shows in the other."""
    return as_view(
        Tensor(self.value, TAPE, None), self,
        lambda base: Tensor(base.value, TAPE, None),
        lambda base, new: Tensor(new.value, TAPE, base.extra),
    )  # fmt: skip
