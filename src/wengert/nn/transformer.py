"""Transformer layers: attention and a perceptron, each added to its input and normalised before or after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.nn.activations import gelu, relu
from wengert.nn.attention import MultiheadAttention
from wengert.nn.basic import Dropout, Linear
from wengert.nn.module import Module
from wengert.nn.normalisation import LayerNorm
from wengert.nn.streams import Seed, generator

Activation = str | Callable[[Any], Any]
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"relu": relu, "gelu": gelu}


class _Layer(Module):
    linear1: Linear
    linear2: Linear
    dropout: Dropout
    norm_first: bool

    def _perceptron_parts(self, width: int, hidden: int, dropout: float, activation: Activation, bias: bool, rng: Any, dtype: Any) -> None:
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            msg = f"activation={activation!r} is none of {', '.join(map(repr, _ACTIVATIONS))}, and no function"
            raise ValueError(msg)
        self.linear1, self.linear2 = Linear(width, hidden, bias, rng=rng, dtype=dtype), Linear(hidden, width, bias, rng=rng, dtype=dtype)
        self.dropout, self.activation = Dropout(dropout, rng=rng), activation

    def _perceptron(self, x: Any) -> Any:
        f = self.activation if callable(self.activation) else _ACTIVATIONS[self.activation]
        return self.linear2(self.dropout(f(self.linear1(x))))

    def _added(self, x: Any, norm: LayerNorm, part: Callable[[Any], Any], drop: Dropout) -> Any:
        """`x + part(norm(x))`, or `norm(x + part(x))`."""
        return x + drop(part(norm(x))) if self.norm_first else norm(x + drop(part(x)))


class TransformerEncoderLayer(_Layer):
    """`x ← x + attention(norm(x))`, `x ← x + W₂ f(W₁ norm(x))`; without `norm_first` `x ← norm(x + ...)`.

    Args:
        width: that of inputs and outputs.
        n_heads: see `nn.MultiheadAttention`.
        hidden: how many numbers there are between `W₁` and `W₂`.
        dropout: the probability of `nn.Dropout` on all parts.
        activation: `"relu"`, `"gelu"` or a function.
        eps: that of the norms.
        batch_first: whether inputs are `[n, length, width]`, and not `[length, n, width]`.
        norm_first: whether parts see normalised inputs.
        bias: whether maps and norms have one.
        rng, dtype: as for `nn.Linear`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> layer = nn.TransformerEncoderLayer(8, 2, hidden=16, batch_first=True, norm_first=True, rng=0).eval()
        >>> layer(np.zeros((3, 5, 8), np.float32), is_causal=True).shape
        (3, 5, 8)

    Source: A. Vaswani et al., Attention is all you need (NeurIPS 2017).
    """

    def __init__(
        self, width: int, n_heads: int, hidden: int = 2048, dropout: float = 0.1, activation: Activation = "relu", eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True, *, rng: Seed = None, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        rng = generator(rng)
        self.norm_first = norm_first
        self.self_attn = MultiheadAttention(width, n_heads, dropout, bias, batch_first=batch_first, rng=rng, dtype=dtype)
        self._perceptron_parts(width, hidden, dropout, activation, bias, rng, dtype)
        self.norm1, self.norm2 = (LayerNorm(width, eps, bias=bias, dtype=dtype) for _ in range(2))
        self.dropout1, self.dropout2 = (Dropout(dropout, rng=rng) for _ in range(2))

    def __call__(self, x: Any, mask: Any = None, key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        look = lambda x: self.self_attn(x, attn_mask=mask, key_padding_mask=key_padding_mask, is_causal=is_causal)
        x = self._added(x, self.norm1, look, self.dropout1)
        return self._added(x, self.norm2, self._perceptron, self.dropout2)


class TransformerDecoderLayer(_Layer):
    """The layers of `nn.TransformerEncoderLayer` with attention to a memory between them.

    The arguments are the same; it is called with the outputs so far, and what an encoder made.
    """

    def __init__(
        self, width: int, n_heads: int, hidden: int = 2048, dropout: float = 0.1, activation: Activation = "relu", eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True, *, rng: Seed = None, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        rng = generator(rng)
        self.norm_first = norm_first
        self.self_attn, self.multihead_attn = (
            MultiheadAttention(width, n_heads, dropout, bias, batch_first=batch_first, rng=rng, dtype=dtype) for _ in range(2)
        )
        self._perceptron_parts(width, hidden, dropout, activation, bias, rng, dtype)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(width, eps, bias=bias, dtype=dtype) for _ in range(3))
        self.dropout1, self.dropout2, self.dropout3 = (Dropout(dropout, rng=rng) for _ in range(3))

    def __call__(
        self, x: Any, memory: Any, mask: Any = None, memory_mask: Any = None, key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        look = lambda x: self.self_attn(x, attn_mask=mask, key_padding_mask=key_padding_mask, is_causal=is_causal)
        remember = lambda x: self.multihead_attn(
            x, memory, memory, attn_mask=memory_mask, key_padding_mask=memory_key_padding_mask, is_causal=memory_is_causal
        )
        x = self._added(x, self.norm1, look, self.dropout1)
        x = self._added(x, self.norm2, remember, self.dropout2)
        return self._added(x, self.norm3, self._perceptron, self.dropout3)


class TransformerEncoder(Module):
    """`norm(f_n(... f_1(x)))`: encoder layers one after another, all with the same masks."""

    layers: list[TransformerEncoderLayer]
    norm: LayerNorm | None

    def __init__(self, layers: Sequence[TransformerEncoderLayer], norm: LayerNorm | None = None) -> None:
        self.layers, self.norm = list(layers), norm

    def __call__(self, x: Any, mask: Any = None, key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        for layer in self.layers:
            x = layer(x, mask, key_padding_mask, is_causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """`norm(f_n(... f_1(x, memory)))`: decoder layers one after another, all with the same memory and masks."""

    layers: list[TransformerDecoderLayer]
    norm: LayerNorm | None

    def __init__(self, layers: Sequence[TransformerDecoderLayer], norm: LayerNorm | None = None) -> None:
        self.layers, self.norm = list(layers), norm

    def __call__(self, x: Any, memory: Any, **masks: Any) -> Any:
        for layer in self.layers:
            x = layer(x, memory, **masks)
        return x if self.norm is None else self.norm(x)
