"""Random bits: of NumPy's generators for new weights, and of keys for what is drawn while a model runs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

Seed = int | np.random.Generator | None
_default: ContextVar[np.random.Generator | None] = ContextVar("_default", default=None)
_STEP, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def manual_seed(seed: int) -> None:
    """Let layers that are made without `rng` draw their weights from the stream of this seed, in the order in which they are made.

    Example:
        >>> from wengert import nn
        >>> nn.manual_seed(0)
        >>> a = nn.Linear(2, 1)
        >>> nn.manual_seed(0)
        >>> bool((nn.Linear(2, 1).weight == a.weight).all())
        True
    """
    _default.set(np.random.default_rng(seed))


def generator(rng: Seed) -> np.random.Generator:
    """The generator given, that of a seed, or the one of `manual_seed`."""
    if rng is None:
        rng = _default.get()
    return np.random.default_rng(rng)


def new_key(rng: Seed) -> Any:
    """A key of 64 bits, an array without axes."""
    return np.array(generator(rng).integers(2**64, dtype=np.uint64))


def bits(key: Any, n: int) -> tuple[Any, Any]:
    """`(n random integers of 64 bits, the key of the next ones)`: integer arithmetic, the same compiled.

    Source: G. L. Steele, D. Lea and C. H. Flood, Fast splittable pseudorandom number generators (OOPSLA 2014).
    """
    z = np.arange(1, n + 2, dtype=np.uint64) * _STEP + key
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    z = z ^ (z >> np.uint64(31))
    return z[:-1], z[-1]


def uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """Numbers of `[0, 1)` with all the bits that the dtype can hold, and the next key."""
    n_bits = np.finfo(dtype).nmant + 1
    drawn, key = bits(key, int(np.prod(shape, dtype=int)))
    return ((drawn >> np.uint64(64 - n_bits)).astype(dtype) * np.asarray(0.5**n_bits, dtype)).reshape(shape), key
