"""Cards: discrete Fourier transforms.  They are linear, and each adjoint is the transform the other way.

The adjoint of a transform scaled by `norm="backward"` is the inverse one scaled by `"forward"`, and so on; the
adjoint of padding is cropping.  `rfft` stores half of a symmetric spectrum, so that in its adjoint the entries that
stand for two are halved, and in that of `irfft` doubled.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.primitive import Primitive
from wengert.primitives.align import as_operand
from wengert.primitives.families import linear
from wengert.primitives.index import assign, index, replace, selection
from wengert.primitives.structure import real

_ADJOINT_NORM = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def _fitted(ct: Any, n: int, axis: int) -> Any:
    """`ct` cropped or padded with zeros to length `n`: the adjoint of what the transform did to its operand."""
    length = ct.shape[axis]
    if length == n:
        return ct
    layout = (Ellipsis, slice(min(n, length)), *[slice(None)] * (-axis - 1))
    if n < length:
        return index(ct, layout=layout)
    shape = list(ct.shape)
    shape[axis] = n
    return assign(np.zeros(shape, ct.dtype), ct, layout=layout)


def _projected(ct: Any, x: Any, n: int, axis: int) -> Any:
    ct = _fitted(ct, n, axis)
    return ct if x.dtype.kind == "c" else real(ct)


def _twice(n: int, axis: int, dtype: Any, factor: float) -> Any:
    """`factor` for the entries of half a spectrum that stand for two, 1 for the first and, if `n` is even, the last."""
    weights = np.full(n // 2 + 1, factor, dtype)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    return weights.reshape(-1, *(1,) * (-axis - 1))


def _fft_adjoint(ct: Any, x: Any, n: int, axis: int, norm: str) -> Any:
    return _projected(ifft_card(ct, n=n, axis=axis, norm=_ADJOINT_NORM[norm]), x, x.shape[axis], axis)


def _ifft_adjoint(ct: Any, x: Any, n: int, axis: int, norm: str) -> Any:
    return _projected(fft_card(ct, n=n, axis=axis, norm=_ADJOINT_NORM[norm]), x, x.shape[axis], axis)


def _rfft_adjoint(ct: Any, x: Any, n: int, axis: int, norm: str) -> Any:
    halved = ct * _twice(n, axis, x.dtype, 0.5)
    return _fitted(irfft_card(halved, n=n, axis=axis, norm=_ADJOINT_NORM[norm]), x.shape[axis], axis)


def _irfft_adjoint(ct: Any, x: Any, n: int, axis: int, norm: str) -> Any:
    spectrum = rfft_card(ct, n=n, axis=axis, norm=_ADJOINT_NORM[norm])
    return _projected(spectrum * _twice(n, axis, ct.dtype, 2.0), x, x.shape[axis], axis)


def _laws(complex_operand: bool, length: int) -> Any:
    kind = "c" if complex_operand else "f"
    return lambda make: [
        ((make(2, length, kind=kind),), {"n": n, "axis": -1, "norm": norm})
        for n, norm in ((5, "backward"), (6, "forward"), (8, "ortho"), (3, "backward"), (2, "ortho"), (1, "backward"))
    ] + [((make(length, 2, kind=kind),), {"n": 4, "axis": -2, "norm": "backward"})]


def _transform(name: str, function: Any, adjoint: Any, laws: Any) -> Primitive:
    return linear(
        name, lambda x, n, axis, norm: function(x, n, axis, norm), adjoint, laws=laws, formula=f"{name} a"
    )


fft_card = _transform("fft", np.fft.fft, _fft_adjoint, _laws(complex_operand=True, length=5))
ifft_card = _transform("ifft", np.fft.ifft, _ifft_adjoint, _laws(complex_operand=True, length=5))
rfft_card = _transform("rfft", np.fft.rfft, _rfft_adjoint, _laws(complex_operand=False, length=5))
irfft_card = _transform("irfft", np.fft.irfft, _irfft_adjoint, _laws(complex_operand=True, length=4))


# --- along one axis -----------------------------------------------------------------------------------------------------


def _apply(card: Primitive, a: Any, n: int, axis: Any, norm: str | None, out: Any) -> Any:
    n = operator.index(n)
    if n < 1:
        msg = f"Invalid number of FFT data points ({n}) specified."
        raise ValueError(msg)
    norm = "backward" if norm is None else norm
    if norm not in _ADJOINT_NORM:
        msg = f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".'
        raise ValueError(msg)
    if not -a.ndim <= axis < a.ndim:
        raise np.exceptions.AxisError(axis, a.ndim)
    result = card(a, n=n, axis=int(axis) - a.ndim * (axis >= 0), norm=norm)
    return result if out is None else replace(out, result)


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """`y_k = Σ_t a_t e^(-2πi k t / n)`."""
    a = as_operand(a)
    return _apply(fft_card, a, a.shape[axis] if n is None else n, axis, norm, out)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """`y_t = Σ_k a_k e^(2πi k t / n) / n`."""
    a = as_operand(a)
    return _apply(ifft_card, a, a.shape[axis] if n is None else n, axis, norm, out)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The first half of the spectrum of a real signal."""
    a = as_operand(a)
    if a.dtype.kind == "c":
        msg = "rfft takes real input; use fft, or a.real"
        raise TypeError(msg)
    return _apply(rfft_card, a, a.shape[axis] if n is None else n, axis, norm, out)


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The real signal of length `n` whose spectrum begins with `a`."""
    a = as_operand(a)
    return _apply(irfft_card, a, 2 * (a.shape[axis] - 1) if n is None else n, axis, norm, out)


def _swapped(norm: str | None) -> str:
    try:
        return _ADJOINT_NORM["backward" if norm is None else norm]
    except KeyError:
        msg = f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".'
        raise ValueError(msg) from None


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The real spectrum of a signal with Hermitian symmetry."""
    a = as_operand(a)
    n = 2 * (a.shape[axis] - 1) if n is None else n
    return irfft(np.conjugate(a), n, axis, _swapped(norm), out)


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """The inverse of `hfft`."""
    result = np.conjugate(rfft(a, n, axis, _swapped(norm)))
    return result if out is None else replace(out, result)


# --- along several axes -------------------------------------------------------------------------------------------------


def _lengths(a: Any, s: Any, axes: Any, *, halved: bool = False) -> tuple[list[int], list[int]]:
    """The length and the axis of each transform."""
    is_free = s is None
    if axes is None:
        axes = list(range(-(a.ndim if is_free else len(s)), 0))
    s = [a.shape[k] for k in axes] if is_free else list(s)
    if len(s) != len(axes):
        msg = "Shape and axes have different lengths."
        raise ValueError(msg)
    if halved and is_free:
        s[-1] = 2 * (a.shape[axes[-1]] - 1)
    return [a.shape[k] if n == -1 else n for n, k in zip(s, axes, strict=True)], list(axes)


def _every(function: Any, a: Any, s: Any, axes: Any, norm: str | None, out: Any) -> Any:
    a = as_operand(a)
    for n, axis in reversed(list(zip(*_lengths(a, s, axes), strict=True))):
        a = function(a, n, axis, norm)
    return a if out is None else replace(out, a)


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """`fft` along each of the axes."""
    return _every(fft, a, s, axes, norm, out)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """`ifft` along each of the axes."""
    return _every(ifft, a, s, axes, norm, out)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """`fft` along two axes."""
    return _every(fft, a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """`ifft` along two axes."""
    return _every(ifft, a, s, axes, norm, out)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """`rfft` along the last of the axes and `fft` along the others."""
    a = as_operand(a)
    s, axes = _lengths(a, s, axes)
    return _every(fft, rfft(a, s[-1], axes[-1], norm), s[:-1], axes[:-1], norm, out)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """`ifft` along all axes but the last, and `irfft` along that."""
    a = as_operand(a)
    s, axes = _lengths(a, s, axes, halved=True)
    for n, axis in zip(s[:-1], axes[:-1], strict=True):
        a = ifft(a, n, axis, norm)
    return irfft(a, s[-1], axes[-1], norm, out)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """`rfftn` along two axes."""
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """`irfftn` along two axes."""
    return irfftn(a, s, axes, norm, out)


# --- shifts -------------------------------------------------------------------------------------------------------------

_SHIFT_LAWS = [((2, 5), (-1,)), ((4, 3), (-2, -1))]
fftshift_card = selection(
    "fftshift", np.fft.fftshift, laws=lambda make: [((make(*shape),), {"axes": axes}) for shape, axes in _SHIFT_LAWS]
)
ifftshift_card = selection(
    "ifftshift", np.fft.ifftshift, laws=lambda make: [((make(*shape),), {"axes": axes}) for shape, axes in _SHIFT_LAWS]
)


def _shift_axes(x: Any, axes: Any) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(-x.ndim, 0))
    axes = tuple(axes) if isinstance(axes, (tuple, list)) else (int(axes),)
    for axis in axes:
        if not -x.ndim <= axis < x.ndim:
            raise np.exceptions.AxisError(axis, x.ndim)
    return tuple(k - x.ndim * (k >= 0) for k in axes)


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Move the zero frequency to the middle of the axes."""
    x = as_operand(x)
    return fftshift_card(x, axes=_shift_axes(x, axes))


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of `fftshift`."""
    x = as_operand(x)
    return ifftshift_card(x, axes=_shift_axes(x, axes))
