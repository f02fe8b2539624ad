"""The simplest layers: affine maps, tables of vectors, dropout, and layers one after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from wengert import stop_gradient
from wengert.nn import init
from wengert.nn.module import Module
from wengert.nn.streams import Seed, generator, new_key, uniform


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """`x Wᵀ + b` with weights `[out, in]`."""
    y = x @ weight.T
    return y if bias is None else y + bias


class Linear(Module):
    """`y = x Wᵀ + b`, from `[..., in]` to `[..., out]`.

    Args:
        n_in, n_out: how many numbers come in and go out.
        bias: whether there is a `b`.
        rng: a seed or a `numpy.random.Generator`; weights are uniform in `±1/sqrt(n_in)`.
        dtype: that of the weights.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.Linear(3, 2, rng=0)(np.ones((5, 3), np.float32)).shape
        (5, 2)
    """

    weight: Any
    bias: Any

    def __init__(self, n_in: int, n_out: int, bias: bool = True, *, rng: Seed = None, dtype: Any = np.float32) -> None:
        rng = generator(rng)
        self.weight = init.of_inputs((n_out, n_in), n_in, rng, dtype)
        self.bias = init.of_inputs((n_out,), n_in, rng, dtype) if bias else None

    def __call__(self, x: Any) -> Any:
        return linear(x, self.weight, self.bias)


class Bilinear(Module):
    """`y_o = x1ᵀ W_o x2 + b_o` with weights `[out, in1, in2]`."""

    weight: Any
    bias: Any

    def __init__(self, n_in1: int, n_in2: int, n_out: int, bias: bool = True, *, rng: Seed = None, dtype: Any = np.float32) -> None:
        rng = generator(rng)
        self.weight = init.of_inputs((n_out, n_in1, n_in2), n_in1, rng, dtype)
        self.bias = init.of_inputs((n_out,), n_in1, rng, dtype) if bias else None

    def __call__(self, x1: Any, x2: Any) -> Any:
        y = np.einsum("...i,oij,...j->...o", x1, self.weight, x2)
        return y if self.bias is None else y + self.bias


class Identity(Module):
    """`y = x`."""

    def __call__(self, x: Any) -> Any:
        return x


class Flatten(Module):
    """`[n, a, b, ...]` as `[n, a b ...]`: the axes from `start` to `end` as one."""

    def __init__(self, start: int = 1, end: int = -1) -> None:
        self.start, self.end = start, end

    def __call__(self, x: Any) -> Any:
        first, last = self.start % x.ndim, self.end % x.ndim
        return x.reshape((*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


class Sequential(Module):
    """`y = f_n(... f_2(f_1(x)))`: modules and other functions one after another.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> model = nn.Sequential(nn.Linear(4, 8, rng=0), np.tanh, nn.Linear(8, 1, rng=1))
        >>> model(np.zeros((5, 4))).shape, len(model), nn.count_parameters(model[0])
        ((5, 1), 3, 40)
    """

    transparent: ClassVar[str] = "layers"
    layers: tuple[Callable[..., Any], ...]

    def __init__(self, *layers: Callable[..., Any]) -> None:
        self.layers = tuple([layer if isinstance(layer, Module) else Function(layer) for layer in layers])

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter(self.layers)

    def __getitem__(self, k: Any) -> Any:
        return Sequential(*self.layers[k]) if isinstance(k, slice) else self.layers[k]


class Function(Module):
    """`y = f(x)`: a function without arrays as a layer."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f

    def __call__(self, x: Any) -> Any:
        return self.f(x)


def dropout(x: Any, p: float, key: Any) -> tuple[Any, Any]:
    """`(x m / (1 - p), next key)`, where each `m` is 0 with probability `p`, and 1 otherwise; keys come from `nn.new_key`.

    Source: N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting (JMLR 15, 2014).
    """
    drawn, key = uniform(key, x.shape, x.dtype)
    return np.where(drawn >= p, x * (1 / (1 - p) if p < 1 else 0.0), 0.0), key


class Dropout(Module):
    """In training each number is 0 with probability `p`, and the others are divided by `1 - p`; otherwise `y = x`.

    Which ones is decided by `key`, a buffer: the same model drops the same numbers, and `nn.with_updates` moves it on.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> layer = nn.Dropout(0.5, rng=0)
        >>> y, layer = nn.with_updates(layer)(np.ones(8))
        >>> sorted(set(y.tolist())), layer.eval()(np.ones(2))
        ([0.0, 2.0], array([1., 1.]))
    """

    buffers: ClassVar[tuple[str, ...]] = ("key",)

    def __init__(self, p: float = 0.5, *, rng: Seed = None) -> None:
        if not 0 <= p <= 1:
            msg = f"p={p} is no probability: Dropout(p) takes a number from 0 to 1"
            raise ValueError(msg)
        self.p, self.key = p, new_key(rng)

    def __call__(self, x: Any) -> Any:
        if not self.training or self.p == 0:
            return x
        y, key = dropout(x, self.p, self.key)
        self.update(key=key)
        return y


class Embedding(Module):
    """`y = W[k]`: a vector for each of `n` words, from integers `[...]` to `[..., width]`.

    Args:
        n, width: how many words, and how long their vectors are.
        padding_idx: a word whose vector is 0 and gets no gradient.
        rng, dtype: as for `Linear`; vectors are drawn from a standard normal distribution.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> nn.Embedding(10, 4, rng=0)(np.array([[1, 2, 3]])).shape
        (1, 3, 4)
    """

    weight: Any

    def __init__(self, n: int, width: int, padding_idx: int | None = None, *, rng: Seed = None, dtype: Any = np.float32) -> None:
        self.weight = init.normal((n, width), rng=rng, dtype=dtype)
        self.padding_idx = None if padding_idx is None else padding_idx % n
        if padding_idx is not None:
            self.weight[padding_idx] = 0

    def __call__(self, k: Any) -> Any:
        return embedding(k, self.weight, self.padding_idx)


def embedding(k: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """`W[k]`, where the vector of `padding_idx` gets no gradient."""
    vectors = weight[k]
    if padding_idx is None:
        return vectors
    return np.where(np.equal(k, padding_idx)[..., None], stop_gradient(vectors), vectors)
