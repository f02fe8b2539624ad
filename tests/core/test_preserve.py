import numpy as np
import pytest

import wengert as wg
from wengert.core.preserve import LARGE, Preserved, fingerprint
from wengert.errors import AssignmentError

X = np.array([1.0, 2.0, 3.0])


def test_a_buffer_that_is_refilled():
    def f(y):
        buffer = np.zeros(3)
        for k in range(1, 4):
            buffer[:] = k
            y = y * buffer
        return np.sum(y)

    np.testing.assert_array_equal(wg.grad(f)(X), [6.0, 6.0, 6.0])
    np.testing.assert_array_equal(wg.jacobian(f, mode="forward")(X), [6.0, 6.0, 6.0])
    np.testing.assert_array_equal(wg.hessian(lambda x: f(x * x))(X), 12 * np.eye(3))


@pytest.mark.parametrize("n", [5, 2000, 200_000])
def test_any_size_either_keeps_the_old_values_or_says_so(n):
    def f(x):
        buffer = np.ones(n)
        y = x * buffer
        buffer[n // 2] = 5.0
        return y @ buffer

    expected = np.ones(n)
    expected[n // 2] = 5.0
    if 8 * n > LARGE:
        with pytest.raises(AssignmentError, match="written into after"):
            wg.grad(f)(np.ones(n))
    else:
        np.testing.assert_array_equal(wg.grad(f)(np.ones(n)), expected)


def test_indices_and_masks_that_change():
    def f(x):
        at, mask = np.zeros(2, int), np.zeros(3, bool)
        total = 0.0
        for k in range(3):
            at[:] = k
            mask[k] = True
            total = total + x[at] @ np.array([1.0, 2.0]) + np.sum(np.where(mask, x, 0.0)) + np.sum(x[mask])
        return total

    np.testing.assert_allclose(wg.grad(f)(X), 3 + 2 * np.array([3, 2, 1]))


def test_read_only_views_of_a_buffer_that_changes():
    def f(x):
        buffer = np.zeros(3)
        total = 0.0
        for k in range(1, 4):
            buffer[:] = k
            total = total + np.sum(x * np.broadcast_to(buffer, (2, 3)) ** 1 * np.broadcast_to(buffer, (2, 3)))
        return total

    np.testing.assert_array_equal(wg.grad(f)(X), [28.0] * 3)
    kept = Preserved()
    buffer = np.arange(3.0)
    view = np.broadcast_to(buffer, (1000, 3))
    copy = kept.keep(view)
    buffer[:] = 7.0
    np.testing.assert_array_equal(copy, np.broadcast_to(np.arange(3.0), (1000, 3)))
    assert copy.strides == view.strides


def test_an_outer_tracer_that_is_written_into():
    def f(x):
        y = x * 1.0
        _, pull = wg.vjp(lambda z: z * y, x)
        y[0] = 100.0
        return np.sum(pull(np.ones(3))[0])

    np.testing.assert_array_equal(wg.grad(f)(X), [1, 1, 1])


def test_large_arrays_are_kept_as_they_are():
    kept = Preserved()
    large, small = np.zeros(LARGE), np.ones(600)
    assert kept.keep(large) is large
    copy = kept.keep(small)
    assert copy is not small and kept.keep(small) is copy
    small[0] = 2.0
    assert kept.keep(small)[0] == 2.0 and copy[0] == 1.0
    small.flags.writeable = False
    assert kept.keep(small) is small
    kept.verify()
    large[-1] = 1e-300
    with pytest.raises(AssignmentError):
        kept.verify()


def test_fingerprints_tell_exchanged_entries_and_ignore_nan():
    x = np.random.default_rng(0).standard_normal(5000)
    x[3] = np.nan
    before = fingerprint(x)
    assert fingerprint(x) == before
    x[[4500, 4501]] = x[[4501, 4500]]
    assert fingerprint(x) != before
