"""Discrete Fourier transforms of every length, axis and scaling."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
F = np.fft


def with_out(f, shape, dt):

    def g(x):
        out = np.zeros_like(
            x,
            shape=shape,
            dtype=dt
            if x.dtype in (np.float64, np.complex128)
            else np.complex64
            if np.dtype(dt).kind == "c"
            else np.float32,
        )
        f(x, out=out)
        return out * 2

    return g


for nm in ("fft", "ifft"):
    f = getattr(F, nm)
    for k in "fc":
        for n, norm in (
            (None, None),
            (None, "ortho"),
            (None, "forward"),
            (6, "ortho"),
            (3, "forward"),
            (8, None),
            (1, None),
        ):
            case(f"{nm} {k} {n} {norm}", lambda x, f=f, n=n, norm=norm: f(x, n, -1, norm), r(2, 5, kind=k))
        case(f"{nm} ax0 {k}", lambda x, f=f: f(x, axis=0), r(4, 2, kind=k))
for length in (5, 6):
    for n, norm in (
        (None, None),
        (None, "ortho"),
        (None, "forward"),
        (5, "backward"),
        (8, "ortho"),
        (3, "forward"),
        (2, None),
        (1, None),
    ):
        case(f"rfft {n} {norm} {length}", lambda x, n=n, norm=norm: F.rfft(x, n, norm=norm), r(2, length))
        case(f"ihfft {n} {norm} {length}", lambda x, n=n, norm=norm: F.ihfft(x, n, norm=norm), r(2, length))
        for k in "fc":
            case(
                f"irfft {n} {norm} {length} {k}",
                lambda x, n=n, norm=norm: F.irfft(x, n, norm=norm),
                r(2, length, kind=k),
            )
            case(
                f"hfft {n} {norm} {length} {k}", lambda x, n=n, norm=norm: F.hfft(x, n, norm=norm), r(2, length, kind=k)
            )
for nm in ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"):
    f = getattr(F, nm)
    for k in "f" if nm.startswith("rfft") else "fc":
        case(f"{nm} {k}", f, r(2, 3, 4, kind=k))
        case(f"{nm} {k} s", lambda x, f=f: f(x, s=(4, 3), axes=(0, 2)), r(2, 3, 4, kind=k))
        case(f"{nm} {k} axes", lambda x, f=f: f(x, axes=(2, 0), norm="ortho"), r(2, 3, 4, kind=k))
        if nm.endswith("n"):
            case(f"{nm} {k} one", lambda x, f=f: f(x, axes=(1,)), r(2, 3, 4, kind=k))
            case(f"{nm} {k} rep", lambda x, f=f: f(x, axes=(1, 1)), r(2, 3, 4, kind=k))
            case(f"{nm} {k} s-1", lambda x, f=f: f(x, s=(-1, 3), axes=(0, 1)), r(2, 3, 4, kind=k))
for nm in ("fftshift", "ifftshift"):
    f = getattr(F, nm)
    case(nm, f, r(3, 4))
    case(nm + "ax", lambda x, f=f: f(x, 0), r(3, 4))
    case(nm + "axs", lambda x, f=f: f(x, (0, -1)), r(3, 4))
case("fft out", with_out(F.fft, (2, 4), complex), r(2, 4))
case("irfft out", with_out(F.irfft, (2, 6), float), r(2, 4, kind="c"))
case("rfft out", with_out(F.rfft, (2, 3), complex), r(2, 4))
case("fftn out", with_out(F.fftn, (2, 4), complex), r(2, 4))
case("irfftn out", with_out(F.irfftn, (2, 6), float), r(2, 4))
case("ihfft out", with_out(F.ihfft, (2, 3), complex), r(2, 4))
case("rfftn out", with_out(F.rfftn, (2, 3), complex), r(2, 4))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


def test_out_of_hfft_is_written():
    x = r(2, 4)

    def program(x):
        out = np.zeros_like(x, shape=(2, 6))
        assert np.fft.hfft(x, out=out) is out
        return out

    y, dy = wg.jvp(program, (x,), (x,))
    np.testing.assert_allclose(y, np.fft.hfft(x), rtol=1e-14)
    np.testing.assert_allclose(dy, y, rtol=1e-14)


@pytest.mark.parametrize("transform", [np.fft.fft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.fftn, np.fft.rfft2])
def test_bad_input_raises_as_in_numpy(transform):
    x = r(3, 4)
    along = {"axes": (0, 5)} if transform in (np.fft.fftn, np.fft.rfft2) else {"axis": 5}
    length = {"s": (0, 1), "axes": (0, 1)} if transform in (np.fft.fftn, np.fft.rfft2) else {"n": 0}
    for options in (along, length, {"norm": "other"}):
        errors = []
        for watch in (lambda f: f(x), lambda f: wg.jvp(f, (x,), (x,))):
            with pytest.raises((ValueError, IndexError)) as caught:
                watch(lambda x, options=options: transform(x, **options))
            errors.append(caught.type)
        assert issubclass(errors[1], errors[0]), options


def test_gradient_of_a_real_signal_is_real_and_of_its_dtype():
    for dtype in (np.float32, np.float64):
        x = r(6).astype(dtype)
        g = wg.grad(lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2))(x)
        assert g.dtype == dtype
        np.testing.assert_allclose(g, 2 * 6 * x, rtol=1e-5)  # Parseval


def test_rfft_of_complex_input_is_refused_as_in_numpy():
    with pytest.raises(TypeError):
        wg.jvp(np.fft.rfft, (r(3, kind="c"),), (r(3, kind="c"),))
