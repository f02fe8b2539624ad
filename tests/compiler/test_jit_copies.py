"""Compiled functions that are pickled, copied, and sent to other processes."""

import copy
import functools
import multiprocessing
import pickle

import numpy as np
import pytest

import wengert as wg

X = np.array([1.0, 2.0])


def cubes(x):
    return np.sum(x**3)


class Model:
    def __init__(self):
        self.w = np.ones(2)
        self.compiled = wg.jit(self.scaled)

    @wg.jit
    def total(self, x):
        return self.w @ x

    def scaled(self, x):
        return self.w * x


gradient = wg.jit(wg.grad(cubes))
power = functools.partial(wg.jit, static_argnames="n")(lambda x, n: x**n)


@wg.jit
def doubled(x):
    return 2 * x


@pytest.mark.parametrize("function", [gradient, power, doubled, Model.total])
def test_those_that_a_module_has_a_name_for_are_themselves(function):
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function
    assert copy.copy(function) is function


def test_others_are_made_again():
    compiled = wg.jit(cubes)
    again = pickle.loads(pickle.dumps(compiled))
    assert again is not compiled
    assert again(X) == compiled(X) == 9.0
    tripled = wg.jit(functools.partial(np.multiply, 3.0), cache=False)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(tripled))(X), 3 * X)
    static = wg.jit(power.__wrapped__, static_argnums=1)
    assert static.__reduce__()[1][1:] == ((1, ()), True)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copied_object_has_methods_of_its_own(again):
    model = Model()
    model.compiled(X)
    other = again(model)
    other.w[:] = 5.0
    np.testing.assert_array_equal(other.compiled(X), 5 * X)
    np.testing.assert_array_equal(model.compiled(X), X)
    assert (other.total(X), model.total(X)) == (15.0, 3.0)


def test_they_go_to_other_processes():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        np.testing.assert_array_equal(pool.map(gradient, [X, 2 * X]), [3 * X**2, 12 * X**2])
