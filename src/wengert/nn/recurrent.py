"""Recurrent layers: a state carried along a sequence by `wg.scan`, in layers and both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

import wengert as wg
from wengert.nn import init
from wengert.nn.activations import relu, sigmoid
from wengert.nn.basic import dropout, linear
from wengert.nn.module import Module
from wengert.nn.streams import Seed, generator, new_key

State = tuple[Any, ...]


def rnn_step(state: State, gates: Any, weight: Any, bias: Any, activation: Callable[[Any], Any] = np.tanh) -> State:
    """`h' = f(W_ih x + b_ih + W_hh h + b_hh)`, where `gates` is the part of `x`."""
    return (activation(gates + linear(state[0], weight, bias)),)


def gru_step(state: State, gates: Any, weight: Any, bias: Any) -> State:
    """`h' = (1 - z) n + z h` with `r, z = sigmoid(..)` and `n = tanh(x_n + r h_n)`."""
    (h,) = state
    x_r, x_z, x_n = np.split(gates, 3, axis=-1)
    h_r, h_z, h_n = np.split(linear(h, weight, bias), 3, axis=-1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return (n + z * (h - n),)


def lstm_step(state: State, gates: Any, weight: Any, bias: Any) -> State:
    """`c' = sigmoid(f) c + sigmoid(i) tanh(g)`, `h' = sigmoid(o) tanh(c')`."""
    h, c = state
    i, f, g, o = np.split(gates + linear(h, weight, bias), 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


class _Recurrent(Module):
    """Weights of PyTorch's names: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, those of the way back with `_reverse`."""

    buffers: ClassVar[tuple[str, ...]] = ("key",)
    n_gates: ClassVar[int]
    n_states: ClassVar[int] = 1

    def __init__(
        self, n_in: int, n_hidden: int, n_layers: int = 1, bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False, *, rng: Seed = None, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        rng = generator(rng)
        self.n_in, self.n_hidden, self.n_layers = n_in, n_hidden, n_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        for layer in range(n_layers):
            for suffix in self._suffixes(layer):
                width = n_in if layer == 0 else n_hidden * (1 + bidirectional)
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (self.n_gates * n_hidden, width), "weight_hh": (self.n_gates * n_hidden, n_hidden)}
                if bias:
                    shapes |= {"bias_ih": (self.n_gates * n_hidden,), "bias_hh": (self.n_gates * n_hidden,)}
                for name, shape in shapes.items():
                    setattr(self, name + suffix, init.of_inputs(shape, n_hidden, rng, dtype))
        self.key = new_key(rng) if dropout else None

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def _weights(self, suffix: str) -> list[Any]:
        return [getattr(self, name + suffix, None) for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")]

    def _step(self, state: State, gates: Any, weight: Any, bias: Any) -> State:
        raise NotImplementedError

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        """`(outputs of the last layer, last states)`.

        Args:
            x: `[length, n, in]`, `[n, length, in]` with `batch_first`, or `[length, in]`.
            state: `[layers directions, n, hidden]`, for an LSTM a pair of such; zeros if left out.
        """
        if x.shape[-1] != self.n_in:
            msg = f"{type(self).__name__} takes {self.n_in} numbers at each place, and the input has shape {list(x.shape)}"
            raise ValueError(msg)
        is_swapped = self.batch_first and x.ndim == 3
        x = np.swapaxes(x, 0, 1) if is_swapped else x
        first = None if state is None else state if isinstance(state, tuple) else (state,)
        y, last = self._layers(x, first)
        return (np.swapaxes(y, 0, 1) if is_swapped else y), (last if self.n_states > 1 else last[0])

    def _layers(self, x: Any, first: Any) -> tuple[Any, State]:
        ends: list[State] = []
        for layer in range(self.n_layers):
            if layer and self.dropout and self.training:
                x, key = dropout(x, self.dropout, self.key)
                self.update(key=key)
            outputs = []
            for suffix in self._suffixes(layer):
                begin = None if first is None else tuple([part[len(ends)] for part in first])
                y, end = self._along(x, begin, suffix)
                outputs.append(y)
                ends.append(end)
            x = np.concatenate(outputs, axis=-1) if self.bidirectional else outputs[0]
        return x, tuple([np.stack([end[k] for end in ends]) for k in range(self.n_states)])

    def _along(self, x: Any, begin: State | None, suffix: str) -> tuple[Any, State]:
        """One layer in one direction; the part of the inputs is computed for all places at once."""
        weight_in, bias_in, weight, bias = self._weights(suffix)
        gates = linear(x, weight_in, bias_in)
        if begin is None:
            begin = (np.zeros((*x.shape[1:-1], self.n_hidden), gates.dtype),) * self.n_states

        def step(state: State, gates: Any) -> tuple[State, Any]:
            state = self._step(state, gates, weight, bias)
            return state, state[0]

        end, y = wg.scan(step, begin, gates, reverse=suffix.endswith("_reverse"))
        return y, end


class RNN(_Recurrent):
    """`h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)` along a sequence.

    Args:
        n_in, n_hidden: how many numbers come in at each place, and how many the state has.
        n_layers: layers one after another.
        bias: whether there are `b_ih` and `b_hh`.
        batch_first: whether the input is `[n, length, in]`, and not `[length, n, in]`.
        dropout: the probability of `nn.Dropout` between layers.
        bidirectional: whether a second state runs from the end; outputs are `[..., 2 hidden]`.
        activation: `"tanh"` or `"relu"`.
        rng, dtype: as for `nn.Linear`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> y, h = nn.RNN(3, 5, rng=0)(np.zeros((7, 2, 3), np.float32))
        >>> y.shape, h.shape
        ((7, 2, 5), (1, 2, 5))

    Source: J. L. Elman, Finding structure in time (1990).
    """

    n_gates: ClassVar[int] = 1

    def __init__(self, *args: Any, activation: str = "tanh", **kwargs: Any) -> None:
        if activation not in ("tanh", "relu"):
            msg = f"activation={activation!r} is neither 'tanh' nor 'relu'"
            raise ValueError(msg)
        super().__init__(*args, **kwargs)
        self.activation = activation

    def _step(self, state: State, gates: Any, weight: Any, bias: Any) -> State:
        return rnn_step(state, gates, weight, bias, np.tanh if self.activation == "tanh" else relu)


class GRU(_Recurrent):
    """`h_t = (1 - z) n + z h_{t-1}` with gates `r, z = sigmoid(W x + U h + b)` and `n = tanh(W_n x + b_n + r (U_n h + c_n))`; see `nn.RNN`.

    Source: K. Cho et al., Learning phrase representations using RNN encoder-decoder (EMNLP 2014).
    """

    n_gates: ClassVar[int] = 3

    def _step(self, state: State, gates: Any, weight: Any, bias: Any) -> State:
        return gru_step(state, gates, weight, bias)


class LSTM(_Recurrent):
    """`c_t = f c_{t-1} + i g`, `h_t = o tanh(c_t)` with `i, f, o = sigmoid(..)`, `g = tanh(..)` of `W x + U h + b`; see `nn.RNN`.

    The state is a pair `(h, c)`.

    Source: S. Hochreiter and J. Schmidhuber, Long short-term memory (1997).
    """

    n_gates: ClassVar[int] = 4
    n_states: ClassVar[int] = 2

    def _step(self, state: State, gates: Any, weight: Any, bias: Any) -> State:
        return lstm_step(state, gates, weight, bias)


class _Cell(Module):
    weight_ih: Any
    weight_hh: Any
    bias_ih: Any
    bias_hh: Any
    n_gates: ClassVar[int]

    def __init__(self, n_in: int, n_hidden: int, bias: bool = True, *, rng: Seed = None, dtype: Any = np.float32) -> None:
        rng, n = generator(rng), self.n_gates * n_hidden
        self.weight_ih, self.weight_hh = (init.of_inputs((n, width), n_hidden, rng, dtype) for width in (n_in, n_hidden))
        self.bias_ih, self.bias_hh = (init.of_inputs((n,), n_hidden, rng, dtype) if bias else None for _ in range(2))

    def _next(self, step: Callable[..., State], x: Any, state: State | None, n_states: int = 1) -> State:
        gates = linear(x, self.weight_ih, self.bias_ih)
        if state is None:
            state = (np.zeros((*x.shape[:-1], self.weight_hh.shape[1]), gates.dtype),) * n_states
        return step(state, gates, self.weight_hh, self.bias_hh)


class RNNCell(_Cell):
    """One step of `nn.RNN` with `tanh`: `(x, h) ↦ h'`."""

    n_gates: ClassVar[int] = 1

    def __call__(self, x: Any, h: Any = None) -> Any:
        return self._next(rnn_step, x, None if h is None else (h,))[0]


class GRUCell(_Cell):
    """One step of `nn.GRU`: `(x, h) ↦ h'`."""

    n_gates: ClassVar[int] = 3

    def __call__(self, x: Any, h: Any = None) -> Any:
        return self._next(gru_step, x, None if h is None else (h,))[0]


class LSTMCell(_Cell):
    """One step of `nn.LSTM`: `(x, (h, c)) ↦ (h', c')`."""

    n_gates: ClassVar[int] = 4

    def __call__(self, x: Any, state: State | None = None) -> State:
        return self._next(lstm_step, x, state, n_states=2)
