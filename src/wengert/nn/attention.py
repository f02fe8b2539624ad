"""Attention, with masks and several heads, and the places of words as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.nn import init
from wengert.nn.activations import softmax
from wengert.nn.basic import Dropout, Linear, linear
from wengert.nn.module import Module
from wengert.nn.streams import Seed, generator


def causal_mask(length: int, n_keys: int | None = None) -> Any:
    """`m[i, j]`: whether place `i` may look at place `j`, which is so for `j <= i`.

    Example:
        >>> from wengert import nn
        >>> nn.causal_mask(3).astype(int)
        array([[1, 0, 0],
               [1, 1, 0],
               [1, 1, 1]])
    """
    return np.tri(length, n_keys, dtype=bool)


def _scores(q: Any, k: Any, mask: Any, is_causal: bool, scale: float | None) -> Any:
    scores = (q * (q.shape[-1] ** -0.5 if scale is None else scale)) @ np.swapaxes(k, -1, -2)
    if is_causal:
        scores = np.where(causal_mask(q.shape[-2], k.shape[-2]), scores, -np.inf)
    if mask is None:
        return scores
    return np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask


def scaled_dot_product_attention(q: Any, k: Any, v: Any, mask: Any = None, is_causal: bool = False, scale: float | None = None) -> Any:
    """`softmax(q kᵀ / sqrt(d) + mask) v`, from `[..., length, d]`, `[..., n, d]` and `[..., n, e]`.

    Args:
        q, k, v: queries, keys and values.
        mask: truth values, true where a key takes part; or numbers that are added to the scores.
        is_causal: whether a place sees no later ones.
        scale: what the scores are multiplied by, in the place of `1/sqrt(d)`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> x = np.arange(6.0).reshape(3, 2)
        >>> nn.scaled_dot_product_attention(x, x, x, is_causal=True)[0]
        array([0., 1.])

    Source: A. Vaswani et al., Attention is all you need (NeurIPS 2017).
    """
    return softmax(_scores(q, k, mask, is_causal, scale)) @ v


class MultiheadAttention(Module):
    """`concat_h(softmax(q_h k_hᵀ / sqrt(d)) v_h) W_oᵀ + b_o`, where `q`, `k`, `v` are affine maps of the inputs, in `n_heads` parts each.

    Args:
        width: that of queries and outputs, `n_heads d`.
        n_heads: how many parts look on their own.
        dropout: the probability that a weight of attention is 0 in training.
        bias: whether the maps have one.
        key_width, value_width: those of keys and values, if they are others.
        batch_first: whether inputs are `[n, length, width]`, and not `[length, n, width]`.
        rng, dtype: as for `nn.Linear`.

    Example:
        >>> import numpy as np
        >>> from wengert import nn
        >>> attention = nn.MultiheadAttention(8, 2, batch_first=True, rng=0)
        >>> attention(np.zeros((3, 5, 8), np.float32), is_causal=True).shape
        (3, 5, 8)
    """

    in_proj_weight: Any
    q_proj_weight: Any
    k_proj_weight: Any
    v_proj_weight: Any
    in_proj_bias: Any
    out_proj: Linear
    drop: Dropout

    def __init__(
        self, width: int, n_heads: int, dropout: float = 0.0, bias: bool = True, key_width: int | None = None, value_width: int | None = None,
        batch_first: bool = False, *, rng: Seed = None, dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        if width % n_heads:
            msg = f"a width of {width} does not make {n_heads} heads of equal size"
            raise ValueError(msg)
        rng = generator(rng)
        self.n_heads, self.batch_first = n_heads, batch_first
        widths = (width, width if key_width is None else key_width, width if value_width is None else value_width)
        is_one = all(w == width for w in widths)
        self.in_proj_weight = init.xavier_uniform((3 * width, width), rng=rng, dtype=dtype) if is_one else None
        apart = [None if is_one else init.xavier_uniform((width, w), rng=rng, dtype=dtype) for w in widths]
        self.q_proj_weight, self.k_proj_weight, self.v_proj_weight = apart
        self.in_proj_bias = np.zeros(3 * width, dtype) if bias else None
        self.out_proj = Linear(width, width, bias, rng=rng, dtype=dtype)
        if bias:
            self.out_proj.bias = np.zeros(width, dtype)
        self.drop = Dropout(dropout, rng=rng)

    def __call__(
        self, query: Any, key: Any = None, value: Any = None, *, key_padding_mask: Any = None, attn_mask: Any = None,
        is_causal: bool = False, need_weights: bool = False,
    ) -> Any:  # fmt: skip
        """Outputs like the queries; with `need_weights` also the mean weights of the heads, `[n, length, keys]`.

        Args:
            query: `[length, n, width]`, `[n, length, width]` with `batch_first`, or `[length, width]`.
            key, value: what is looked at; the query, and the key, if left out.
            key_padding_mask: `[n, keys]`, true where a key is none, or numbers that are added to its scores.
            attn_mask: `[length, keys]` or `[n heads, length, keys]`, true where a place must not look, or numbers that are added.
            is_causal: whether a place sees no later ones.
            need_weights: whether the weights are wanted.
        """
        key = query if key is None else key
        value = key if value is None else value
        is_swapped = not self.batch_first and query.ndim == 3
        inputs = [np.swapaxes(x, 0, 1) if is_swapped else x for x in (query, key, value)]
        q, k, v = (self._heads(part) for part in self._projected(*inputs))
        scores = _scores(q, k, None, is_causal, None)
        for mask in self._masks(key_padding_mask, attn_mask, scores):
            scores = np.where(mask, -np.inf, scores) if mask.dtype == bool else scores + mask
        weights = self.drop(softmax(scores))
        y = np.swapaxes(weights @ v, -2, -3)
        y = self.out_proj(y.reshape((*y.shape[:-2], y.shape[-2] * y.shape[-1])))
        y = np.swapaxes(y, 0, 1) if is_swapped else y
        return (y, np.mean(weights, axis=-3)) if need_weights else y

    def _projected(self, query: Any, key: Any, value: Any) -> list[Any]:
        biases = [None] * 3 if self.in_proj_bias is None else np.split(self.in_proj_bias, 3)
        if self.in_proj_weight is None:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        elif query is key and key is value:
            return list(np.split(linear(query, self.in_proj_weight, self.in_proj_bias), 3, axis=-1))
        else:
            weights = list(np.split(self.in_proj_weight, 3))
        return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def _heads(self, x: Any) -> Any:
        """`[..., length, width]` as `[..., head, length, d]`."""
        return np.swapaxes(x.reshape((*x.shape[:-1], self.n_heads, x.shape[-1] // self.n_heads)), -2, -3)

    def _masks(self, key_padding_mask: Any, attn_mask: Any, scores: Any) -> list[Any]:
        found = []
        if key_padding_mask is not None:
            found.append(key_padding_mask[..., None, None, :])
        if attn_mask is not None:
            found.append(attn_mask.reshape(scores.shape) if attn_mask.ndim == 3 else attn_mask)
        return found


def sinusoidal_positions(length: int, width: int, base: float = 10000.0, dtype: Any = np.float32) -> Any:
    """`[length, width]`: `sin(t / base^(2 k / width))` in column `2 k`, and the cosine in the next.

    Source: A. Vaswani et al., Attention is all you need (NeurIPS 2017).
    """
    angles = np.arange(length)[:, None] * base ** (-np.arange(0, width, 2) / width)
    both = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return both.reshape(length, -1)[:, :width].astype(dtype)


def rotary(x: Any, base: float = 10000.0, start: int = 0) -> Any:
    """`[..., length, d]`, where the pair of columns `2 k`, `2 k + 1` at place `t` is turned by the angle `t / base^(2 k / d)`.

    A product of two rows that were turned depends on how far apart they stand, and not on where.

    Args:
        x: queries or keys; `d` is even.
        base: the slowest wave is about `2 π base` places long.
        start: the place of the first row.

    Source: J. Su et al., RoFormer: enhanced transformer with rotary position embedding (2021).
    """
    length, width = x.shape[-2:]
    angles = np.arange(start, start + length)[:, None] * base ** (-np.arange(0, width, 2) / width)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1).reshape(x.shape)


class PositionalEncoding(Module):
    """`y = dropout(x + p)` with the waves of `nn.sinusoidal_positions`, for `[..., length, width]`."""

    drop: Dropout

    def __init__(self, dropout: float = 0.0, base: float = 10000.0, *, rng: Seed = None) -> None:
        self.base, self.drop = base, Dropout(dropout, rng=rng)

    def __call__(self, x: Any) -> Any:
        return self.drop(x + sinusoidal_positions(x.shape[-2], x.shape[-1], self.base, x.dtype))
