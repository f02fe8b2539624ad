"""The methods and attributes of `np.ndarray` on traced arrays, with NumPy's signatures.

Most methods are a NumPy function of the same name.  What would hand out bare numbers or memory raises, with advice;
what only looks at the value answers as NumPy does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import FRONT, implements, member
from wengert.core.trace import Tracer, beneath
from wengert.errors import UnsupportedFunctionError
from wengert.primitives.align import as_array
from wengert.primitives.index import adopt, as_view, hand_over, replace, set_item
from wengert.primitives.rearranging import read_view
from wengert.primitives.shaping import (
    complete_shape,
    duplicate,
    flatten,
    matrix_transpose,
    reshape_to,
    shares_memory,
    size_of,
    to_dtype,
    transpose,
    viewed,
)
from wengert.primitives.structure import imag, real, reshape

# --- methods that are functions of the same name -------------------------------------------------------------------------


def _named(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return FRONT[function](self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"`np.{name}(self, ...)`."
    return method


for _name in (
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "choose", "copy", "cumprod",
    "cumsum", "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "put", "ravel", "repeat", "round",
    "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
):  # fmt: skip
    member(_name)(_named(_name))


# --- methods with a signature of their own --------------------------------------------------------------------------------


def _lengths(shape: tuple[Any, ...]) -> Any:
    """`x.reshape(2, 3)` and `x.reshape((2, 3))` mean the same."""
    return shape[0] if len(shape) == 1 else shape


def conjugated(self: Any, *out: Any) -> Any:
    """The complex conjugate; of a real array this very array, as of NumPy's."""
    return self if self.dtype.kind != "c" and not out else np.conjugate(self, *out)


member("conj")(conjugated)
member("conjugate")(conjugated)


@member("reshape")
def reshaped(self: Any, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
    """The same entries under another shape."""
    return reshape_to(self, _lengths(shape), order, copy=copy)


@member("transpose")
def transposed(self: Any, *axes: Any) -> Any:
    """The axes in another order; reversed by default."""
    return transpose(self, _lengths(axes) if axes else None)


@member("flatten")
def flattened(self: Any, order: Any = "C") -> Any:
    """A copy as a vector."""
    return duplicate(np.ravel(self, order))


@member("astype")
def as_dtype(
    self: Any, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
) -> Any:
    """The value under another dtype; a derivative goes on through floating and complex ones."""
    dtype = np.dtype(dtype)
    if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
        msg = f"Cannot cast array data from {self.dtype!r} to {dtype!r} according to the rule {casting!r}"
        raise TypeError(msg)
    result = to_dtype(self, dtype)
    return duplicate(result) if copy and result is self else result


@member("clip")
def clipped(self: Any, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Any:
    """`self` kept between two bounds."""
    return FRONT[np.clip](self, min, max, out, **kwargs)


@member("compress")
def compressed(self: Any, condition: Any, axis: int | None = None, out: Any = None) -> Any:
    """The slices along an axis where the condition holds."""
    return FRONT[np.compress](condition, self, axis, out)


@member("item")
def entry(self: Any, *place: Any) -> Any:
    """One entry, which keeps its derivative: a traced number where NumPy gives a Python number."""
    if place:
        where = place[0] if len(place) == 1 else place
        return _python_number(self[where] if isinstance(where, tuple) else np.ravel(self)[where])
    if size_of(self) != 1:
        msg = "can only convert an array of size 1 to a Python scalar"
        raise ValueError(msg)
    return _python_number(np.ravel(self)[0])


@member("tolist")
def nested_list(self: Any) -> Any:
    """Nested lists of traced numbers."""
    return [nested_list(row) for row in self] if self.shape else _python_number(self)


def _python_number(x: Any) -> Any:
    return x.watcher.as_python(x) if isinstance(x, Tracer) else x


# --- methods that write -----------------------------------------------------------------------------------------------------


@member("fill")
def fill_with(self: Any, value: Any) -> None:
    """Every entry becomes `value`."""
    if np.ndim(value):
        msg = "setting an array element with a sequence."
        raise ValueError(msg)
    set_item(self, Ellipsis, value)


@member("sort")
def sort_in_place(self: Any, axis: int = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> None:
    """The entries in ascending order along an axis."""
    replace(self, FRONT[np.sort](self, axis, kind, order, stable=stable))


@member("partition")
def partition_in_place(self: Any, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
    """The entries so that those at `kth` are where sorting would put them."""
    replace(self, FRONT[np.partition](self, kth, axis, kind, order))


@member("resize")
def resize_in_place(self: Any, *new_shape: Any, refcheck: bool = True) -> None:
    """Another shape, with zeros at the end if it is larger."""
    if not new_shape or new_shape == (None,):
        return
    if hasattr(self, "_base") or any(view() is not None for view, _ in getattr(self, "_views", ())):
        msg = "cannot resize this array: it does not own its data, or views of it exist"
        raise ValueError(msg)
    shape = complete_shape(_lengths(new_shape), -1)
    n = int(np.prod(shape, dtype=int))
    kept = duplicate(flatten(self))[:n]
    padding = np.zeros_like(kept, shape=(max(n - size_of(self), 0),))
    adopt(self, reshape(np.concatenate([kept, padding]), shape=shape))


@implements(np.ndarray.shape)
def set_shape(self: Any, shape: Any) -> None:
    """`x.shape = shape`: from now on `x` is a reshaped view of what it was, for its own views and its base."""
    old = duplicate(self)
    new = reshape_to(old, shape)
    if not shares_memory(new, old) and size_of(self):
        msg = "incompatible shape for in-place modification: use `reshape`, which may copy"
        raise AttributeError(msg)
    hand_over(self, old)
    adopt(self, new)
    as_view(self, old, lambda base: reshape_to(base, shape), lambda base, value: reshape_to(value, tuple(base.shape)))


# --- attributes -----------------------------------------------------------------------------------------------------------------


def _with_real(base: Any, value: Any) -> Any:
    return value + 1j * imag(base) if base.dtype.kind == "c" else value


def _with_imag(base: Any, value: Any) -> Any:
    return real(base) + 1j * value


@implements(np.real)
def real_part(self: Any) -> Any:
    """The real part, a view."""
    return viewed(self, real, _with_real) if self.dtype.kind == "c" else viewed(self, duplicate, _with_real)


@implements(np.imag)
def imaginary_part(self: Any) -> Any:
    """The imaginary part, a view; zeros that nobody may write into for a real array."""
    return viewed(self, imag, _with_imag) if self.dtype.kind == "c" else read_view(self, imag)


def _set_real(self: Any, value: Any) -> None:
    replace(self, to_dtype(_with_real(self, real(as_array(value))), self.dtype))


def _set_imag(self: Any, value: Any) -> None:
    if self.dtype.kind != "c":
        msg = "array does not have imaginary part to set"
        raise TypeError(msg)
    replace(self, to_dtype(_with_imag(self, real(as_array(value))), self.dtype))


def _strides(self: Any) -> tuple[int, ...]:
    strides = beneath(self).strides
    return tuple(strides[len(strides) - len(self.shape) :])  # without those of batches


def _base(self: Any) -> Any:
    owner = getattr(self, "_base", None)
    return None if owner is None else owner[0]


for _name, _get, _set in (
    ("T", transpose, None),
    ("mT", matrix_transpose, None),
    ("real", real_part, _set_real),
    ("imag", imaginary_part, _set_imag),
    ("itemsize", lambda self: self.dtype.itemsize, None),
    ("nbytes", lambda self: size_of(self) * self.dtype.itemsize, None),
    ("strides", _strides, None),
    ("flags", lambda self: beneath(self)[...].flags, None),  # of a view: the memory of inputs stays writeable
    ("base", _base, None),
    ("device", lambda self: "cpu", None),
):
    member(_name)(property(_get, _set))


@member("__array_namespace__")
def array_namespace(self: Any, *, api_version: Any = None) -> Any:
    """NumPy itself: its functions take traced arrays."""
    return np.empty(0).__array_namespace__(api_version=api_version)


@member("to_device")
def to_device(self: Any, device: Any, /, *, stream: Any = None) -> Any:
    """The array itself: there is one device."""
    np.empty(0).to_device(device, stream=stream)  # raises NumPy's errors
    return self


@member("__round__")
def rounded(self: Any, ndigits: int | None = None) -> Any:
    """`round(x)`, whose derivative is zero."""
    return FRONT[np.round](self, ndigits or 0)


# --- views of the same memory under another dtype ------------------------------------------------------------------------------


def _as_pairs(z: Any) -> Any:
    """Complex numbers as real and imaginary parts in turn along the last axis."""
    pairs = np.stack([real(z), imag(z)], -1)
    return reshape(pairs, shape=(*z.shape[:-1], 2 * z.shape[-1]))


def _from_pairs(x: Any) -> Any:
    return x[..., 0::2] + 1j * x[..., 1::2]


@member("view")
def view(self: Any, dtype: Any = None, type: Any = None) -> Any:
    """The same memory: complex numbers as pairs of real ones, pairs as complex numbers, or the same dtype."""
    is_class = np.ndarray in getattr(dtype, "__mro__", ())
    kind = self.dtype if dtype is None or is_class else np.dtype(dtype)
    if kind == self.dtype:
        return as_view(duplicate(self), self, duplicate, lambda base, new: new)
    take, put = (_as_pairs, _from_pairs) if kind.kind == "f" else (_from_pairs, _as_pairs)
    if {kind.char, self.dtype.char} not in ({"f", "F"}, {"d", "D"}, {"g", "G"}):
        return self._plain("array").view(kind)
    beneath(self).view(kind)  # raises NumPy's errors of layout
    return as_view(take(self), self, take, lambda base, new: put(new))


# --- bare numbers and bare memory: only of what depends on nothing ---------------------------------------------------------------


def _bare(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._plain("array"), name)(*args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"`np.ndarray.{name}` of a value without a derivative; raises `LostDerivativeError` for any other."
    return method


for _name in ("tobytes", "tofile", "dump", "dumps", "byteswap", "getfield", "__dlpack__", "__dlpack_device__"):
    member(_name)(_bare(_name))
member("data")(property(lambda self: self._plain("array").data))
member("ctypes")(property(lambda self: self._plain("array").ctypes))


@member("setfield")
def set_field(self: Any, val: Any, dtype: Any, offset: int = 0) -> None:
    """`val` written into every entry; into parts of entries only where no derivative would be lost."""
    if np.dtype(dtype) != self.dtype or offset:
        self._plain("array")
    set_item(self, Ellipsis, val)


@member("setflags")
def set_flags(self: Any, write: Any = None, align: Any = None, uic: Any = None) -> None:
    """Nothing to set: what can be written into is up to NumPy's rules of views."""
    if write is not None and not write:
        raise UnsupportedFunctionError.of_function(np.ndarray.setflags)
