"""Transformations inside transformations, two and three deep, against closed forms.

A function is `p(x) exp(x)` with a polynomial `p`.  Each transformation here takes such a function to another one, and
what it does to the coefficients of `p` is known; so whatever the order of nesting, the right value is known too.
Transformations that close over the outer variable would show any confusion of perturbations.
"""

import itertools

import numpy as np
import pytest
from numpy.polynomial import Polynomial

import wengert as wg

WEIGHTS = np.array([0.25, 0.75])


def function_of(p):
    def f(x):
        total = 0.0
        for c in reversed(p.coef):
            total = total * x + c
        return total * np.exp(x)

    return f


def same(p):
    return p


def derivative(p):
    return p + p.deriv()


def twice(p):
    return derivative(derivative(p))


def times_x(p):
    return p * Polynomial([0.0, 1.0])


def by_custom_forward(f):
    rule = wg.custom_rule(f)
    rule.forward(lambda primals, tangents: wg.jvp(f, primals, tangents))
    return rule


def by_custom_reverse(f):
    rule = wg.custom_rule(f)
    rule.reverse(lambda x: wg.vjp(f, x))
    return rule


def by_assignment(f):
    def g(x):
        y = np.zeros_like(x, shape=3)
        y[1] = x
        view = y[1:]
        view += 0.0
        return f(view[0])

    return g


# name: (the function transformed, what becomes of p)
OPERATORS = {
    "grad": (lambda f: wg.grad(f), derivative),
    "jvp": (lambda f: lambda x: wg.jvp(f, (x,), (1.0,))[1], derivative),
    "vjp": (lambda f: lambda x: wg.vjp(f, x)[1](1.0)[0], derivative),
    "forward_jacobian": (lambda f: wg.jacobian(f, mode="forward"), derivative),
    "reverse_jacobian": (lambda f: wg.jacobian(f, mode="reverse"), derivative),
    "hessian": (lambda f: wg.hessian(f), twice),
    "hvp": (lambda f: lambda x: wg.hvp(f, x, 1.0), twice),
    "linearize": (lambda f: lambda x: wg.linearize(f, x)[1](1.0), derivative),
    "adjoint": (lambda f: lambda x: (wg.linearize(f, x)[1].H @ np.ones(1))[0], derivative),
    "vmap": (lambda f: lambda x: WEIGHTS @ wg.vmap(f)(np.stack([x, x])), same),
    "checkpoint": (lambda f: wg.checkpoint(f), same),
    "custom_forward": (by_custom_forward, same),
    "custom_reverse": (by_custom_reverse, same),
    "assignment": (by_assignment, same),
    "grad_closing_over": (lambda f: lambda x: wg.grad(lambda y: x * f(y))(x), lambda p: times_x(derivative(p))),
    "jvp_closing_over": (lambda f: lambda x: wg.jvp(lambda y: x * f(y), (x,), (1.0,))[1], lambda p: times_x(derivative(p))),
    "vmap_closing_over": (lambda f: lambda x: WEIGHTS @ wg.vmap(lambda y: x * f(y))(np.stack([x, x])), times_x),
    "checkpoint_closing_over": (lambda f: lambda x: wg.checkpoint(lambda y: x * f(y))(x), times_x),
    "traced_tangent": (lambda f: lambda x: wg.jvp(f, (x,), (x,))[1], lambda p: times_x(derivative(p))),
}


def check(names):
    p = Polynomial([0.5, -1.0, 0.25])
    f = function_of(p)
    for name in names:
        transform, effect = OPERATORS[name]
        f, p = transform(f), effect(p)
    x = 0.7
    np.testing.assert_allclose(f(x), p(x) * np.exp(x), rtol=1e-12)


@pytest.mark.parametrize("outer", OPERATORS)
def test_two_deep(outer):
    for inner in OPERATORS:
        check([inner, outer])


@pytest.mark.parametrize("outer", OPERATORS)
def test_three_deep(outer):
    # every fourth pair, so that each of the 19 inner and middle transformations meets all kinds
    for k, (inner, middle) in enumerate(itertools.product(OPERATORS, repeat=2)):
        if k % 4 == 0:
            check([inner, middle, outer])


def test_the_classical_perturbation_confusion():
    # d/dx (x d/dy (x + y)) = 1, by Siskind and Pearlmutter
    assert wg.grad(lambda x: x * wg.grad(lambda y: x + y)(2.0))(1.0) == 1.0
    assert wg.jvp(lambda x: x * wg.jvp(lambda y: x + y, (2.0,), (1.0,))[1], (1.0,), (1.0,))[1] == 1.0
    assert wg.jvp(lambda x: x * wg.grad(lambda y: x + y)(2.0), (1.0,), (1.0,))[1] == 1.0
    assert wg.grad(lambda x: x * wg.jvp(lambda y: x + y, (2.0,), (1.0,))[1])(1.0) == 1.0


def test_a_function_that_differentiates_another_one_it_returns():
    # the curried confusion of Manzyuk et al.: an inner derivative that is taken later, inside another one
    def shifted(f):
        return lambda u: lambda x: f(x + u)

    def d(f):
        return lambda x: wg.jvp(f, (x,), (1.0,))[1]

    twice = d(lambda u: d(shifted(np.sin)(u))(0.3))(0.4)
    np.testing.assert_allclose(twice, -np.sin(0.7), rtol=1e-14)


def test_ten_levels():
    f = np.sin
    for _ in range(6):
        f = wg.grad(f)
    np.testing.assert_allclose(f(0.4), -np.sin(0.4), rtol=1e-13)
    g = np.sin
    for _ in range(10):
        g = (lambda h: lambda x: wg.jvp(h, (x,), (1.0,))[1])(g)
    np.testing.assert_allclose(g(0.4), -np.sin(0.4), rtol=1e-13)
