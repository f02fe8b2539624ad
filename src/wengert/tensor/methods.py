"""Methods that are no functions: other dtypes, copies, and everything that ends in an underscore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.tensor import arithmetic, reductions, selecting, shapes
from wengert.tensor.arithmetic import write
from wengert.tensor.creation import default_generator
from wengert.tensor.dtypes import (
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from wengert.tensor.traced import Tensor, as_dtype, method, operand, plain

# --- other dtypes and copies ------------------------------------------------------------------------------------------------


@method()
def to(self: Any, *targets: Any, dtype: Any = None, device: Any = None, copy: bool = False, **ignored: Any) -> Any:
    """Under another dtype, or that of another tensor; there is one device."""
    for target in targets:
        if isinstance(target, Tensor):
            dtype = target.dtype
        elif not isinstance(target, (str, bool)) or target not in ("cpu", True, False):
            dtype = target
    result = self if dtype is None else as_dtype(self, np.dtype(dtype))
    return clone(result) if copy and result is self else result


@method("type")
def type_(self: Any, dtype: Any = None) -> Any:
    """Under another dtype; without one, the name of the dtype."""
    return str(self.dtype) if dtype is None else as_dtype(self, np.dtype(dtype))


@method()
def type_as(self: Any, other: Any) -> Any:
    """Under the dtype of another tensor."""
    return as_dtype(self, other.dtype)


for _name, _dtype in (
    ("half", float16), ("float", float32), ("double", float64), ("cfloat", complex64), ("cdouble", complex128),
    ("byte", uint8), ("char", int8), ("short", int16), ("int", int32), ("long", int64), ("bool", bool_),
):  # fmt: skip
    method(_name)(lambda self, _dtype=_dtype: as_dtype(self, _dtype))


def clone(input: Any) -> Any:
    """A copy, through which derivatives go."""
    return FRONT[np.positive](input) if input.dtype.kind != "b" else plain(input.value.copy())


method()(clone)


@method()
def contiguous(self: Any) -> Any:
    """The tensor: how it lies in memory is NumPy's business."""
    return self


@method()
def is_contiguous(self: Any) -> bool:
    """Whether its rows lie one behind the other."""
    return bool(np.asarray(self.value).flags.c_contiguous)


@method()
def cpu(self: Any) -> Any:
    """The tensor: it is there."""
    return self


@method()
def stride(self: Any, dim: int | None = None) -> Any:
    """How many entries lie between neighbours of each axis."""
    steps = tuple(k // self.value.itemsize for k in self.value.strides)
    return steps if dim is None else steps[dim]


method("dim", "ndimension")(lambda self: self.value.ndim)
method("nelement")(lambda self: self.value.size)
method("element_size")(lambda self: self.value.itemsize)
method("device")(property(lambda self: "cpu"))
method("is_cuda")(property(lambda self: False))


# --- in place -------------------------------------------------------------------------------------------------------------------


def _written(function: Callable[..., Any]) -> Callable[..., Any]:
    def in_place(self: Any, *args: Any, **kwargs: Any) -> Any:
        return write(self, function(self, *args, **kwargs))

    in_place.__doc__ = f"`{getattr(function, '__name__', 'f')}`, written into the tensor."
    return in_place


for _room, _names in (
    (arithmetic, "add sub mul div divide true_divide multiply subtract pow floor_divide remainder fmod atan2 exp exp2 expm1 log log2 log10 "
     "log1p sqrt sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh reciprocal neg negative square abs absolute floor ceil trunc "
     "round sign frac rsqrt sigmoid logit relu clamp clip lerp addcmul addcdiv eq ne lt le gt ge bitwise_and bitwise_or bitwise_xor "
     "logical_and logical_or logical_xor logical_not"),
    (reductions, "cumsum cumprod"),
    (selecting, "masked_fill masked_scatter scatter scatter_add index_add index_copy index_fill index_put"),
    (shapes, "tril triu"),
):  # fmt: skip
    for _name in _names.split():
        method(f"{_name}_")(_written(getattr(_room, _name)))


@method()
def clamp_min(self: Any, min: Any) -> Any:
    """Not below a bound."""
    return arithmetic.clamp(self, min)


@method()
def clamp_max(self: Any, max: Any) -> Any:
    """Not above a bound."""
    return arithmetic.clamp(self, None, max)


method("clamp_min_")(_written(clamp_min))
method("clamp_max_")(_written(clamp_max))


@method()
def copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """The values of another tensor, through which derivatives go."""
    return self._replace(np.broadcast_to(as_dtype(operand(src), self.dtype), self.shape))


@method()
def fill_(self: Any, value: Any) -> Any:
    """One number everywhere."""
    return copy_(self, value)


@method()
def zero_(self: Any) -> Any:
    """Zero everywhere."""
    return self._replace(plain(np.zeros(self.shape, self.dtype)))


@method()
def fill_diagonal_(self: Any, fill_value: Any) -> Any:
    """A number on the diagonal."""
    n = min(self.shape)
    self[tuple(np.arange(n) for _ in self.shape)] = fill_value
    return self


@method()
def requires_grad_(self: Any, requires_grad: bool = True) -> Any:
    """`requires_grad`, set; the tensor itself."""
    self.requires_grad = requires_grad
    return self


@method()
def detach_(self: Any) -> Any:
    """The tensor, which forgets its history."""
    self.extra = None
    return self


@method()
def set_(self: Any, source: Any) -> Any:
    """The values of another tensor, of any shape."""
    self.value = source.value
    return self


def _drawn(draw: Callable[..., Any]) -> Callable[..., Any]:
    def in_place(self: Any, *args: Any, generator: Any = None, **kwargs: Any) -> Any:
        stream = (generator or default_generator).stream
        return self._replace(plain(np.asarray(draw(stream, self.shape, *args, **kwargs), self.dtype)))

    return in_place


# `from` is a word of Python's, and so PyTorch's first argument can be given by position only
method("uniform_")(_drawn(lambda stream, shape, low=0.0, to=1.0: stream.uniform(low, to, shape)))
method("normal_")(_drawn(lambda stream, shape, mean=0.0, std=1.0: stream.normal(mean, std, shape)))
method("exponential_")(_drawn(lambda stream, shape, lambd=1.0: stream.exponential(1 / lambd, shape)))
method("bernoulli_")(_drawn(lambda stream, shape, p=0.5: stream.random(shape) < p))


@method()
def share_memory_(self: Any) -> Any:
    """The tensor."""
    return self


@method()
def is_set_to(self: Any, tensor: Any) -> bool:
    """Whether both stand for the same values in memory."""
    return self.value is tensor.value


