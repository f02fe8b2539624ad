"""The check of programs finds what is wrong."""

import numpy as np
import pytest

import wengert as wg
from wengert.testing.programs import Programs, check_batch, check_derivatives, check_error, check_program, check_value

x = np.array([0.5, 1.5])


def cube_with(forward, reverse):
    return wg.custom_rule(lambda x: x * x * x, forward=forward, reverse=reverse)


RIGHT = {
    "forward": lambda xs, dxs: (xs[0] ** 3, 3 * xs[0] ** 2 * dxs[0]),
    "reverse": lambda x: (x**3, lambda ct: (3 * x**2 * ct,)),
}
WRONG = {
    "forward derivative": RIGHT | {"forward": lambda xs, dxs: (xs[0] ** 3, 2 * xs[0] ** 2 * dxs[0])},
    "reverse against forward": RIGHT | {"reverse": lambda x: (x**3, lambda ct: (2 * x**2 * ct,))},
    "forward over reverse": RIGHT | {"reverse": lambda x: (x**3, lambda ct: (3 * wg.stop_gradient(x) ** 2 * ct,))},
    "forward over forward": RIGHT
    | {"forward": lambda xs, dxs: (xs[0] ** 3, 3 * wg.stop_gradient(xs[0]) ** 2 * dxs[0])},
}


def test_right_rules_pass():
    check_program(cube_with(**RIGHT), x)


@pytest.mark.parametrize("what", WRONG)
def test_wrong_rules_are_found(what):
    with pytest.raises(AssertionError, match=what):
        check_derivatives(cube_with(**WRONG[what]), x)


def test_wrong_values_dtypes_and_batches_are_found():
    def differs(y):
        return isinstance(y, np.ndarray)

    with pytest.raises(AssertionError, match="value of output 0"):
        check_value(lambda x: x * 2.0 if differs(x) else x * 3.0, x)
    with pytest.raises(AssertionError, match="dtype float32"):
        check_value(lambda x: x if differs(x) else np.astype(x, np.float32), x)
    with pytest.raises(AssertionError, match="outputs"):
        check_value(lambda x: x if differs(x) else (x, x), x)
    with pytest.raises(AssertionError, match="batch"):
        check_batch(lambda x: x * (2.0 if type(x).__name__ == "BatchArray" else 1.0), x)


def test_missing_and_other_errors_are_found():
    check_error(lambda x: np.reshape(x, 3), x)
    with pytest.raises(AssertionError, match="raises nothing"):
        check_error(lambda x: x, x)
    with pytest.raises(AssertionError, match="traced program nothing"):
        check_error(lambda x: np.reshape(x, 3) if isinstance(x, np.ndarray) else x, x)


def test_names_are_unique():
    case = Programs()
    case("square", lambda x: x * x, case.normal(3))
    case.check("square")
    with pytest.raises(ValueError, match="two programs"):
        case("square", lambda x: x, case.normal(3))
