"""Functions that turn complex where the real ones end."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal

for nm, x in (
    ("sqrt", [-1.3, 2.0]),
    ("log", [-1.3, 2.0]),
    ("log2", [-1.3, 2.0]),
    ("log10", [-1.3, 2.0]),
    ("arccos", [0.3, 2.0]),
    ("arcsin", [0.3, -2.0]),
    ("arctanh", [0.3, 2.0]),
    ("sqrt", [1.0, 2.0]),
):
    case(f"emath {nm} {x}", getattr(np.emath, nm), np.array(x))
case("logn", lambda x: np.emath.logn(3.0, x), np.array([-2.0, 3.0]))
case("logn n", lambda n, x: np.emath.logn(n, x), np.array(2.5), np.array([-2.0, 3.0]))
case("epow", lambda x: np.emath.power(x, 2.5), np.array([-2.0, 3.0]))
case("epow2", lambda x, p: np.emath.power(x, p), np.array([-2.0, 3.0]), np.array(1.5))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
