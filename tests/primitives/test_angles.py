"""Angles and their turns."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import BatchError
from wengert.testing.programs import check_program

Z = np.array([0.3 + 0.4j, -1.2 - 0.5j, 0.7j + 1e-3, -2.0 + 1.0j])


def test_angle():
    check_program(lambda z: np.angle(z), Z)
    check_program(lambda z: np.angle(z, deg=True), Z, rtol=1e-5)
    check_program(lambda x: np.angle(x) * x, np.array([0.3, -1.2, 2.0]))
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(np.angle(x)), on_disconnected="zero")(Z.real), np.zeros(4))


def test_angle_turns_across_the_radius():
    np.testing.assert_allclose(wg.grad(lambda z: np.angle(z))(2.0 + 0j), 0.5j)


JUMPS = np.array([0.5, 1.9, -2.9, 3.0, 9.5, 2.1, -7.0])


@pytest.mark.parametrize(
    "program",
    [
        lambda p: np.unwrap(p),
        lambda p: np.unwrap(p, period=4.0),
        lambda p: np.unwrap(p, discont=5.0),
        lambda p: np.unwrap(np.stack([p, p[::-1] ** 2]), axis=0),
        lambda p: np.unwrap(np.stack([p, p[::-1] * 2])),
        lambda p: np.unwrap(np.angle(np.exp(3j * p))),
    ],
)
def test_unwrap(program):
    check_program(program, JUMPS)


def test_unwrap_with_a_traced_period():
    check_program(lambda p, period: np.unwrap(p, period=period), JUMPS, np.array(4.1), batch=False)


def test_real_if_close():
    def f(x):
        close, far = np.real_if_close(x + 1e-15j * x), np.real_if_close(x + 1j * x)
        assert close.dtype == float
        assert far.dtype == complex
        assert np.real_if_close(x) is x
        assert np.real_if_close(x + 0.1j * x, tol=0.5).dtype == float
        return np.sum(close**2) + np.sum(np.abs(far) ** 2)

    np.testing.assert_allclose(wg.grad(f)(np.array([1.0, 2.0])), [6.0, 12.0])
    with pytest.raises(BatchError):
        wg.vmap(np.real_if_close)(Z.reshape(2, 2))
