"""Tensors out of data, of sizes, and of chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.trace import Tracer
from wengert.tensor.dtypes import get_default_dtype, int64, result_type
from wengert.tensor.traced import Tensor, leaf, method, operand, plain


def _of(data: Any, dtype: Any) -> Any:
    """Plain values of data, in PyTorch's dtype for them, as memory of their own."""
    if isinstance(data, Tensor):
        return np.array(data.value, None if dtype is None else np.dtype(dtype))
    if isinstance(data, Tracer):
        return np.array(data, dtype)  # raises, with advice
    if dtype is None and not isinstance(data, (np.ndarray, np.generic)):
        data = _nested(data)
        found = np.array(data)
        kind = found.dtype.kind
        if kind in "fc" and not _has_dtype(data):
            dtype = result_type((found.flat[0].item() if found.size else 1.0,))
        return found if dtype is None else found.astype(dtype)
    return np.array(_nested(data), None if dtype is None else np.dtype(dtype))


def _nested(data: Any) -> Any:
    """Nested lists with the values of tensors in them."""
    if isinstance(data, Tensor):
        return data.value
    return [_nested(part) for part in data] if isinstance(data, (list, tuple)) else data


def _has_dtype(data: Any) -> bool:
    if isinstance(data, (list, tuple)):
        return any(map(_has_dtype, data))
    return hasattr(data, "dtype")


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of a copy of `data`: numbers, nested lists, arrays, tensors.

    Args:
        data: Python's floats become the default dtype (float32 at first); arrays keep theirs.
        dtype: another one.
        device: `"cpu"`, the only one.
        requires_grad: whether `backward` finds its gradient.

    Example:
        >>> import wengert as wg
        >>> x = wg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> loss = (x**2).sum()
        >>> loss.backward()
        >>> x.grad
        tensor([2., 4., 6.])
    """
    return _made(_of(data, dtype), requires_grad)


def _made(value: Any, requires_grad: bool) -> Tensor:
    if not requires_grad:
        return plain(value)
    if value.dtype.kind in "fc":
        return leaf(value)
    new = plain(value)
    new.requires_grad = True  # raises, with advice
    return new


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor; a tensor of that dtype is itself."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return tensor(data, dtype=dtype)


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor of the values that an array has now."""
    return plain(np.array(ndarray))


def _size(size: tuple[Any, ...]) -> tuple[int, ...]:
    first = size[0] if len(size) == 1 else None
    return tuple(first) if isinstance(first, (tuple, list)) else tuple(map(int, size))


def _filled(make: Callable[..., Any]) -> Callable[..., Tensor]:
    def create(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Tensor:
        return _made(make(_size(size), get_default_dtype() if dtype is None else np.dtype(dtype)), requires_grad)

    return create


def _like(make: Callable[..., Any]) -> Callable[..., Tensor]:
    def create(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **layout: Any) -> Tensor:
        return _made(make(input.shape, input.dtype if dtype is None else np.dtype(dtype)), requires_grad)

    return create


zeros, ones, empty = _filled(np.zeros), _filled(np.ones), _filled(np.zeros)
zeros_like, ones_like, empty_like = _like(np.zeros), _like(np.ones), _like(np.zeros)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One number everywhere."""
    kind = result_type((fill_value,)) if dtype is None else np.dtype(dtype)
    return _made(np.full(_size((size,)), fill_value, kind), requires_grad)


def full_like(input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One number everywhere, in the shape of another tensor."""
    return _made(np.full(input.shape, fill_value, input.dtype if dtype is None else np.dtype(dtype)), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal."""
    return _made(np.eye(n, m, dtype=get_default_dtype() if dtype is None else np.dtype(dtype)), requires_grad)


def arange(*bounds: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`start, start + step, ...` below `end`: whole numbers unless a bound is not."""
    if dtype is None:
        dtype = get_default_dtype() if any(isinstance(b, float) for b in bounds) else int64
    return _made(np.arange(*bounds).astype(dtype), requires_grad)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers at equal distances."""
    return _made(np.linspace(start, end, steps).astype(get_default_dtype() if dtype is None else dtype), requires_grad)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Powers of the base at equal distances of the exponent."""
    return _made(np.logspace(start, end, steps, base=base).astype(get_default_dtype() if dtype is None else dtype), requires_grad)


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Rows with a 1 at these places (`torch.nn.functional.one_hot`)."""
    places = operand(tensor).value
    n = int(places.max()) + 1 if num_classes == -1 else num_classes
    return plain((places[..., None] == np.arange(n)).astype(int64))


# --- chance: NumPy's generators, so other numbers than PyTorch's for the same seed --------------------------------------------


class Generator:
    """A stream of random numbers: `Generator().manual_seed(0)`."""

    def __init__(self, device: Any = "cpu") -> None:
        self.stream = np.random.default_rng()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to this seed."""
        self.stream = np.random.default_rng(seed)
        return self


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the stream that belongs to this seed, for all functions that are not given one."""
    return default_generator.manual_seed(seed)


def _stream(generator: Generator | None) -> np.random.Generator:
    return (generator or default_generator).stream


def _drawn(draw: Callable[[np.random.Generator, tuple[int, ...]], Any]) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """A function of a size, and one of a tensor of that size."""

    def create(*size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        value = np.asarray(draw(_stream(generator), _size(size)))
        return _made(value.astype(get_default_dtype() if dtype is None else dtype), requires_grad)

    def create_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        value = np.asarray(draw(_stream(None), input.shape))
        return _made(value.astype(input.dtype if dtype is None else dtype), requires_grad)

    return create, create_like


rand, rand_like = _drawn(lambda stream, size: stream.random(size))
randn, randn_like = _drawn(lambda stream, size: stream.standard_normal(size))


def randint(*bounds: Any, generator: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Whole numbers: `randint(high, size)` or `randint(low, high, size)`."""
    *ends, size = bounds
    return plain(_stream(generator).integers(*ends, size=size).astype(int64 if dtype is None else dtype))


def randperm(n: int, *, generator: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The numbers below `n` in random order."""
    return plain(_stream(generator).permutation(n).astype(int64 if dtype is None else dtype))


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None) -> Tensor:
    """Normal numbers of given means and deviations."""
    means, deviations = operand(mean).value, operand(std).value
    shape = np.broadcast_shapes(means.shape, deviations.shape) if size is None else _size((size,))
    return plain((means + deviations * _stream(generator).standard_normal(shape)).astype(get_default_dtype()))


def bernoulli(input: Any, *, generator: Any = None) -> Tensor:
    """1 with these probabilities, else 0."""
    p = operand(input).value
    return plain((_stream(generator).random(p.shape) < p).astype(p.dtype))


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """Places drawn with these weights, for each row."""
    weights = np.asarray(operand(input).value, float)
    rows = weights.reshape(-1, weights.shape[-1])
    stream = _stream(generator)
    drawn = [stream.choice(len(row), num_samples, replacement, row / row.sum()) for row in rows]
    return plain(np.array(drawn, int64).reshape(*weights.shape[:-1], num_samples))


def _new(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def create(self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        return make(*size, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad)

    return create


method("new_zeros")(_new(zeros))
method("new_ones")(_new(ones))
method("new_empty")(_new(empty))
method("new_full")(_new(full))
method("new_tensor")(_new(tensor))


# --- other dtypes ---------------------------------------------------------------------------------------------------------------


def is_tensor(obj: Any) -> bool:
    """Whether it is a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Any) -> bool:
    """Whether its dtype is a floating one."""
    return input.dtype.kind == "f"


def is_complex(input: Any) -> bool:
    """Whether its dtype is a complex one."""
    return input.dtype.kind == "c"


def numel(input: Any) -> int:
    """The number of entries."""
    return int(input.value.size)


for _function in (is_floating_point, is_complex, numel):
    method()(_function)
