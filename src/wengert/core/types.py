"""The type of an array value: its shape and its dtype, written `float64[3,4]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

_PATTERN = re.compile(r"(?P<dtype>[a-zA-Z]\w*)\[(?P<shape>[0-9, ]*)\]")


@dataclass(frozen=True, slots=True)
class ArrayType:
    """The set of arrays with one shape and one dtype.

    >>> str(ArrayType((3, 4), np.dtype("float64")))
    'float64[3,4]'
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return _written(self.shape, self.dtype)

    @classmethod
    def parse(cls, text: str) -> ArrayType:
        """Read the text form back; raises `ValueError` when `text` is not a type."""
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            msg = f"not an array type: {text!r}; write for example float64[3,4]"
            raise ValueError(msg)
        sizes = [part for part in match["shape"].replace(" ", "").split(",") if part]
        return cls(tuple(map(int, sizes)), np.dtype(match["dtype"]))

    @property
    def is_inexact(self) -> bool:
        """Whether values of this type can be differentiated: floating or complex."""
        return self.dtype.kind in "fc"


@lru_cache(1000)
def _written(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    return f"{dtype}[{','.join(map(str, shape))}]"


def type_of(value: Any) -> ArrayType:
    """The type of an array, a traced array, or a number."""
    if type(value) is np.ndarray:
        return _known(value.shape, value.dtype)
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        value = np.asarray(value)
        dtype = value.dtype
    return ArrayType(tuple(value.shape), np.dtype(dtype))


def in_native_order(x: Any) -> Any:
    """`x` in the byte order of this machine: files of other ones (FITS, netCDF) hold numbers the other way round."""
    dtype = getattr(x, "dtype", None)
    return x if dtype is None or dtype.isnative else x.astype(dtype.newbyteorder("="))


_known = lru_cache(4096)(ArrayType)  # types are few, and asked for by every operation
