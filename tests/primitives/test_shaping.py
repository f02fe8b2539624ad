"""Shapes, axes, parts and order along axes."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

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
