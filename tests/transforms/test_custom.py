import math

import numpy as np
import pytest

import wengert as wg
from wengert.errors import RuleError

X = np.array([0.3, -1.2, 2.0])


def cube_with(kind):
    """A rule for a body that takes plain arrays only."""

    @wg.custom_rule
    def cube(x):
        if np.ndim(x) == 0:
            return math.pow(float(x), 3)
        return np.array([math.pow(float(t), 3) for t in x])

    if kind in ("forward", "both"):

        @cube.forward
        def _(primals, tangents):
            (x,), (dx,) = primals, tangents
            return cube(x), 3 * x**2 * dx

    if kind in ("reverse", "both"):

        @cube.reverse
        def _(x):
            return cube(x), lambda ct: (3 * x**2 * ct,)

    return cube


@pytest.mark.parametrize("kind", ["forward", "reverse", "both"])
class TestOneRuleGivesAll:
    def test_modes_and_orders(self, kind):
        cube = cube_with(kind)
        assert cube(2.0) == 8.0 and type(cube(2.0)) is float
        assert wg.grad(cube)(2.0) == 12.0
        assert wg.jvp(cube, (2.0,), (10.0,)) == (8.0, 120.0)
        assert wg.grad(wg.grad(cube))(2.0) == 12.0
        assert wg.hessian(cube)(2.0) == 12.0
        assert wg.grad(wg.grad(wg.grad(cube)))(2.0) == 6.0
        for mode in ("forward", "reverse"):
            np.testing.assert_allclose(wg.jacobian(cube, mode=mode)(X), np.diag(3 * X**2))

    def test_batches_of_a_body_that_takes_plain_arrays_only(self, kind):
        cube = cube_with(kind)
        np.testing.assert_allclose(wg.vmap(cube)(X), X**3)
        np.testing.assert_allclose(wg.vmap(wg.grad(cube))(X), 3 * X**2)
        np.testing.assert_allclose(wg.vmap(wg.vmap(cube))(np.stack([X, 2 * X])), np.stack([X, 2 * X]) ** 3)
        np.testing.assert_allclose(wg.grad(lambda x: wg.vmap(cube)(x) @ X)(X), 3 * X**3)
        np.testing.assert_allclose(wg.hessian(lambda x: wg.vmap(cube)(x) @ X)(X), np.diag(6 * X**2))

    def test_it_passes_the_check(self, kind):
        cube = cube_with(kind)
        with wg.check_rules():
            assert wg.grad(cube)(2.0) == 12.0
            np.testing.assert_allclose(wg.vmap(cube)(X), X**3)
            np.testing.assert_allclose(cube(X), X**3)


def test_complex_rules_in_both_directions():
    z = 1 + 2j
    forward = wg.custom_rule(lambda z: z**2 * 1j, forward=lambda p, t: (p[0] ** 2 * 1j, 2j * p[0] * t[0]))
    reverse = wg.custom_rule(lambda z: z**2 * 1j, reverse=lambda z: (z**2 * 1j, lambda ct: (np.conj(2j * z) * ct,)))
    for f in (forward, reverse):
        np.testing.assert_allclose(wg.jvp(f, (z,), (1 - 1j,))[1], 2j * z * (1 - 1j))
        np.testing.assert_allclose(wg.vjp(f, z)[1](1 - 1j)[0], np.conj(2j * z) * (1 - 1j))
        np.testing.assert_allclose(wg.grad(f, holomorphic=True)(z), 2j * z)
        with wg.check_rules():
            f(z)


def test_settings_and_arguments_without_derivative():
    @wg.custom_rule
    def power(x, n, mode="plain"):
        assert mode == "plain"
        return x**n

    @power.reverse
    def _(x, n, mode):
        return x**n, lambda ct: (ct * n * x ** (n - 1), None, None)

    assert wg.grad(power)(2.0, 3, "plain") == 12.0
    assert wg.grad(power)(x=2.0, n=3, mode="plain") == 12.0
    assert wg.jvp(lambda x: power(x, 3, mode="plain"), (2.0,), (1.0,))[1] == 12.0
    np.testing.assert_allclose(wg.grad(lambda x: power(x, np.array([1, 2, 3]), "plain") @ X)(X), [X[0], 2 * X[1] ** 2, 3 * X[2] ** 3])


def test_keyword_only_settings_reach_the_rule():
    @wg.custom_rule
    def scaled(x, *, factor):
        return x * factor

    @scaled.forward
    def _(primals, tangents, factor):
        return primals[0] * factor, tangents[0] * factor

    assert wg.grad(lambda x: scaled(x, factor=5.0))(2.0) == 5.0
    with pytest.raises(RuleError, match="keyword-only"):
        wg.grad(lambda k: scaled(1.0, factor=k))(2.0)


def test_containers():
    @wg.custom_rule
    def f(d):
        return {"u": d["a"] * d["b"], "v": (d["a"],)}

    @f.reverse
    def _(d):
        def pullback(ct):
            return ({"a": ct["u"] * d["b"] + ct["v"][0], "b": ct["u"] * d["a"]},)

        return f(d), pullback

    point = {"a": 2.0, "b": 3.0}
    found = wg.grad(lambda d: f(d)["u"] * f(d)["v"][0])(point)
    assert found == {"a": 12.0, "b": 4.0}
    forward = wg.jacobian(f, mode="forward")(point)
    assert forward["u"] == {"a": 3.0, "b": 2.0} and forward["v"][0] == {"a": 1.0, "b": 0.0}


def test_methods():
    class Layer:
        scale = 2.0

        @wg.custom_rule
        def apply(self, x):
            """Scale."""
            return self.scale * x

        @apply.reverse
        def _(self, x):
            return self.scale * x, lambda ct: (None, ct * self.scale)

    layer = Layer()
    assert layer.apply(3.0) == 6.0
    assert wg.grad(layer.apply)(3.0) == 2.0
    assert wg.grad(layer.apply)(x=3.0) == 2.0
    assert Layer.apply.__doc__ == "Scale."
    assert wg.grad(wg.checkpoint(layer.apply))(3.0) == 2.0


def test_a_rule_may_deviate_from_the_body():
    clipped = wg.custom_rule(lambda x: x, reverse=lambda x: (x, lambda ct: (np.clip(ct, -1, 1),)))
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(5 * clipped(x)))(X), np.ones(3))
    straight_through = wg.custom_rule(np.round, forward=lambda p, t: (np.round(p[0]), t[0]))
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(straight_through(x) * X))(X), X)


def test_what_a_pullback_returns_is_copied():
    fixed = np.array([1.0, 2.0, 3.0])
    f = wg.custom_rule(lambda x: x @ fixed, reverse=lambda x: (x @ fixed, lambda ct: (fixed,)))
    found = wg.grad(f)(X)
    found += 1
    np.testing.assert_array_equal(fixed, [1, 2, 3])


def test_a_body_that_writes_into_its_argument_leaves_the_caller_alone():
    def body(x):
        x *= 2
        return x

    f = wg.custom_rule(body, forward=lambda p, t: (2 * p[0], 2 * t[0]))
    x = X.copy()
    np.testing.assert_allclose(wg.grad(lambda x: f(x) @ x)(x), 4 * X)
    np.testing.assert_allclose(wg.vmap(f)(np.stack([x, x])), np.stack([2 * X, 2 * X]))
    np.testing.assert_array_equal(x, X)


def test_a_function_without_rules_is_differentiated_itself():
    assert wg.grad(wg.custom_rule(np.sin))(0.0) == 1.0


WRONG = {
    "factor missing": ({"forward": lambda p, t: (p[0] ** 2, p[0] * t[0])}, "disagrees"),
    "wrong sign": ({"reverse": lambda x: (x**2, lambda ct: (-2 * x * ct,))}, "disagrees"),
    "one of two wrong": (
        {"forward": lambda p, t: (p[0] ** 2, 2 * p[0] * t[0]), "reverse": lambda x: (x**2, lambda ct: (x * ct,))},
        "disagrees",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rules_are_found_by_the_check(name):
    rules, message = WRONG[name]
    f = wg.custom_rule(lambda x: x**2, **rules)
    f(2.0)  # without the check the rule is trusted
    with wg.check_rules():
        for use in (lambda: f(2.0), lambda: f(X), lambda: wg.grad(f)(2.0), lambda: wg.vmap(wg.grad(f))(X), lambda: wg.jvp(f, (X,), (X,))):
            with pytest.raises(RuleError, match=message):
                use()
    f(2.0)


MALFORMED = {
    "no tuple": ({"reverse": lambda x: (x @ x, lambda ct: 2 * x * ct)}, "tuple of 1"),
    "no pullback": ({"reverse": lambda x: x @ x}, "pullback"),
    "shape": ({"reverse": lambda x: (x @ x, lambda ct: (ct,))}, r"float64\[\] for an argument"),
    "container": ({"reverse": lambda x: (x @ x, lambda ct: ([ct, ct],))}, "for an argument"),
    "no pair": ({"forward": lambda p, t: 2 * p[0] @ t[0]}, r"\(y, dy\)"),
    "tangent's shape": ({"forward": lambda p, t: (p[0] @ p[0], 2 * p[0] * t[0])}, r"\(y, dy\)"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_rules(name):
    rules, message = MALFORMED[name]
    with pytest.raises(RuleError, match=message):
        wg.grad(wg.custom_rule(lambda x: x @ x, **rules))(X)


def test_a_linear_function_that_is_its_own_forward_rule_needs_a_reverse_rule():
    matrix = np.arange(9.0).reshape(3, 3)

    def times(matrix, *, has_reverse):
        f = wg.custom_rule(lambda x: np.array([[float(v) for v in row] for row in matrix]) @ np.array([float(t) for t in x]))
        f.forward(lambda p, t: (f(p[0]), f(t[0])))
        if has_reverse:
            f.reverse(lambda x: (f(x), lambda ct: (times(matrix.T, has_reverse=True)(ct),)))
        return f

    with pytest.raises(RuleError, match="cannot be found from its forward rule"):
        wg.grad(lambda x: np.sum(times(matrix, has_reverse=False)(x)))(X)
    np.testing.assert_array_equal(wg.jvp(times(matrix, has_reverse=False), (X,), (X,))[1], matrix @ X)
    f = times(matrix, has_reverse=True)
    np.testing.assert_allclose(wg.grad(lambda x: np.sum(f(x)))(X), matrix.sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(wg.hessian(lambda x: np.sum(f(x) ** 2))(X), 2 * matrix.T @ matrix, rtol=1e-14)


def test_tutorial_log1pexp():
    f = wg.custom_rule(lambda x: np.logaddexp(0.0, x))
    f.forward(lambda p, t: (f(p[0]), t[0] / (1 + np.exp(-p[0]))))
    assert wg.grad(f)(0.0) == 0.5
    np.testing.assert_allclose(wg.grad(wg.grad(f))(0.0), 0.25)
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(X), 1 / (1 + np.exp(-X)))
