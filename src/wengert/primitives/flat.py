"""`x.flat`: the entries of an array one after another, to read, to write and to go through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wengert.core.array import member
from wengert.primitives.index import get_item, replace, set_item
from wengert.primitives.placing import put
from wengert.primitives.shaping import duplicate, flatten, size_of


class Flat:
    """An iterator over the entries of a traced array; NumPy's functions take it as a vector."""

    __slots__ = ("base", "index")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, base: Any) -> None:
        self.base = base
        self.index = 0  # of the entry that comes next

    @property
    def coords(self) -> tuple[int, ...]:
        """The place of the entry that comes next, on each axis."""
        return tuple(map(int, np.unravel_index(self.index, tuple(self.base.shape))))

    def copy(self) -> Any:
        """The entries as a vector of their own."""
        return duplicate(flatten(self.base))

    def __len__(self) -> int:
        return size_of(self.base)

    def __iter__(self) -> Flat:
        return self

    def __next__(self) -> Any:
        if self.index >= len(self):
            raise StopIteration
        self.index += 1
        return get_item(flatten(self.base), self.index - 1)

    def __getitem__(self, index: Any) -> Any:
        return duplicate(get_item(self.copy(), index))

    def __setitem__(self, index: Any, value: Any) -> None:
        vector = self.copy()
        set_item(vector, index, value)
        replace(self.base, np.reshape(vector, self.base.shape))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.copy().__array__(*args, **kwargs)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*map(_as_vector, inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return function(*map(_as_vector, args), **{key: _as_vector(x) for key, x in kwargs.items()})

    def __eq__(self, other: object) -> Any:
        return self.copy() == other

    def __ne__(self, other: object) -> Any:
        return self.copy() != other

    def __lt__(self, other: Any) -> Any:
        return self.copy() < other

    def __le__(self, other: Any) -> Any:
        return self.copy() <= other

    def __gt__(self, other: Any) -> Any:
        return self.copy() > other

    def __ge__(self, other: Any) -> Any:
        return self.copy() >= other


def _as_vector(x: Any) -> Any:
    return x.copy() if isinstance(x, Flat) else x


def _fill_in_order(self: Any, values: Any) -> None:
    """`x.flat = values`, taken in order and over again."""
    put(self, np.arange(size_of(self)), values)


member("flat")(property(Flat, _fill_in_order, doc="The entries one after another."))
