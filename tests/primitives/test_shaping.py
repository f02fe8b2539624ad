"""Shapes, axes, parts and order along axes."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs, check_derivatives, check_value

case = Programs(seed=3)
r = case.normal

for k in range(-1, 5):
    case(f"rot90 {k}", lambda a, k=k: np.rot90(a, k), r(2, 3))
case("rot90 ax", lambda a: np.rot90(a, 1, (2, 0)), r(2, 3, 4))
case("flip", np.flip, r(2, 3))
case("flip ax", lambda a: np.flip(a, (0,)), r(2, 3))
case("fliplr", np.fliplr, r(2, 3))
case("flipud", np.flipud, r(3))
case("reshape", lambda a: np.reshape(a, (3, -1)), r(2, 3))
case("reshape F", lambda a: np.reshape(a, (3, 2), order="F"), r(2, 3))
case("ravel F", lambda a: np.ravel(a, "F"), r(2, 3))
case("ravel", np.ravel, r(2, 3))
case("expand", lambda a: np.expand_dims(a, (0, 2)), r(2, 3))
case("squeeze", np.squeeze, r(1, 3, 1))
case("squeeze ax", lambda a: np.squeeze(a, 0), r(1, 3, 1))
case("al1", np.atleast_1d, r())
case("al2", np.atleast_2d, r(3))
case("al3", lambda a, b: np.atleast_3d(a, b), r(3), r(2, 2))
case("bt", lambda a: np.broadcast_to(a, (2, 3)), r(3))
case("ba", lambda a, b: np.broadcast_arrays(a, b), r(3), r(2, 1))
case("transpose", lambda a: np.transpose(a, (2, 0, 1)), r(2, 3, 4))
case("moveaxis", lambda a: np.moveaxis(a, [0, 1], [-1, 0]), r(2, 3, 4))
case("rollaxis", lambda a: np.rollaxis(a, 2, 1), r(2, 3, 4))
case("rollaxis2", lambda a: np.rollaxis(a, 0, 3), r(2, 3, 4))
case("swapaxes", lambda a: np.swapaxes(a, 0, 2), r(2, 3, 4))
case("mt", np.matrix_transpose, r(2, 3, 4))
case("split", lambda a: np.split(a, 2), r(4, 2))
case("split i", lambda a: np.split(a, [1, 3], axis=1), r(2, 4))
case("array_split", lambda a: np.array_split(a, 3), r(5))
case("hsplit", lambda a: np.hsplit(a, 2), r(2, 4))
case("hsplit1", lambda a: np.hsplit(a, 2), r(4))
case("vsplit", lambda a: np.vsplit(a, [1]), r(3, 2))
case("dsplit", lambda a: np.dsplit(a, 2), r(2, 1, 4))
case("unstack", lambda a: np.unstack(a, axis=1), r(2, 3))
case("copy", np.copy, r(2))
case("astype", lambda a: np.astype(a, np.complex128), r(2))
case("split uneven", lambda a: np.split(a, [2, 9, 12]), r(4))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- views: what is written into one is seen through the others ----------------------------------------------------------------

VIEWS = {
    "reshape": lambda y: np.reshape(y, (3, 4)),
    "reshape in Fortran order": lambda y: np.reshape(y, (6, 2), order="F"),
    "ravel": np.ravel,
    "transpose": np.transpose,
    "swapaxes": lambda y: np.swapaxes(y, 0, 1),
    "moveaxis": lambda y: np.moveaxis(y, 0, -1),
    "rollaxis": lambda y: np.rollaxis(y, 1),
    "flip": np.flip,
    "fliplr": np.fliplr,
    "rot90": np.rot90,
    "rot90 twice": lambda y: np.rot90(y, 2),
    "rot90 not at all": lambda y: np.rot90(y, 0),
    "expand_dims": lambda y: np.expand_dims(y, 1),
    "squeeze": lambda y: np.squeeze(np.reshape(y, (2, 1, 6))),
    "split": lambda y: np.split(y, 3, axis=1)[1],
    "array_split": lambda y: np.array_split(y, 4, axis=1)[0],
    "unstack": lambda y: np.unstack(y)[1],
    "atleast_3d": np.atleast_3d,
    "matrix_transpose": np.matrix_transpose,
    "part of a part": lambda y: np.reshape(y[:, ::2], -1)[1:],
    "view of a view": lambda y: np.transpose(np.flip(y))[1:],
    "permute and reshape": lambda y: np.reshape(np.transpose(y), (3, 4)),
    "copy": np.copy,
    "ravel of a transpose": lambda y: np.ravel(np.transpose(y)),
    "diagonal": np.diagonal,
    "broadcast_to": lambda y: np.broadcast_to(y, (2, 2, 6)),
    "broadcast_arrays": lambda y: np.broadcast_arrays(y, np.zeros((2, 6)))[0],
    "astype": lambda y: np.astype(y, y.dtype),
    "astype without a copy": lambda y: np.astype(y, y.dtype, copy=False),
    "sliding windows": lambda y: np.lib.stride_tricks.sliding_window_view(y, 3, axis=1),
}


@pytest.mark.parametrize("name", VIEWS)
def test_writing_through_views(name):
    take = VIEWS[name]

    def write_view(x):
        y = x * 1.0
        v = take(y)
        try:
            v *= 3.0
        except ValueError as error:
            assert "read-only" in str(error)  # noqa: PT017 - NumPy decides which views may be written into
        return y * y, v * 1.0

    def write_base(x):
        y = x * 1.0
        v = take(y)
        y[0] = x[1] * x[1]
        y[:, 1] *= 2.0
        return v * 1.0, y * 1.0

    x = r(2, 6)
    for program in (write_view, write_base):
        check_value(program, x)
        check_derivatives(program, x, order=1)


def test_reshape_that_must_copy_is_refused_as_in_numpy():
    with pytest.raises(ValueError, match="copy"):
        wg.grad(lambda x: np.sum(np.reshape(np.transpose(x), 6, copy=False)))(r(2, 3))
