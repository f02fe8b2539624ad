"""Solvers whose compiled code goes on after an error: they say what happened, and not something else."""

import numpy as np
import pytest
from scipy import optimize, special

import wengert as wg
from wengert.errors import LostDerivativeError, UnsupportedFunctionError

P = np.array([0.5, 2.0])


def cubic(p):
    return lambda x: x**3 + p[0] * x - p[1]


SOLVERS = {
    "brentq": lambda p: optimize.brentq(cubic(p), 0, 3),
    "brenth": lambda p: optimize.brenth(cubic(p), 0, 3),
    "bisect": lambda p: optimize.bisect(cubic(p), 0, 3),
    "ridder": lambda p: optimize.ridder(cubic(p), 0, 3),
    "root_scalar": lambda p: optimize.root_scalar(cubic(p), bracket=(0, 3)).root,
    "fsolve": lambda p: optimize.fsolve(cubic(p), 1.0)[0],
    "leastsq": lambda p: optimize.leastsq(lambda x: x * p - 1, [1.0, 1.0])[0][0],
    "curve_fit": lambda p: optimize.curve_fit(lambda x, a: a * x * p[0], np.arange(3.0), np.arange(3.0))[0][0],
}


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("transformation", [wg.grad, wg.jit])
def test_a_solver_inside_is_told_to_be_one(name, transformation, capfd):
    right = SOLVERS[name](P)
    for _ in range(2):  # an error that is left over would show in the second one
        with pytest.raises(LostDerivativeError, match=rf"optimize\.{name} would turn a traced value into a plain array"):
            transformation(SOLVERS[name])(P)
    assert SOLVERS[name](P) == right
    assert capfd.readouterr() == ("", "")


def test_what_is_held_constant_is_a_number():
    def shifted(p):
        return p[0] * SOLVERS["brentq"](wg.stop_gradient(p))

    np.testing.assert_allclose(wg.grad(shifted)(P), [SOLVERS["brentq"](P), 0.0], rtol=1e-14)


@pytest.mark.parametrize(("function", "name"), [(special.lambertw, "lambertw"), (special.zeta, "zeta")])
def test_functions_are_named_as_users_know_them(function, name):
    with pytest.raises(UnsupportedFunctionError, match=rf"^scipy\.special\.{name} has no derivative"):
        wg.grad(lambda x: np.real(function(x)))(2.0)
