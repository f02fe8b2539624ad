"""Pains 1 to 3 where several entries meet: masked reductions, lengths at 0, kinks and ties, powers, products of zeros.

Conventions (docs/conventions.md): an exactly zero derivative times an infinite slope is 0, a kink has the mean of its one-sided derivatives,
ties share equally, a length has the gradient 0 at 0.
"""

import numpy as np
import pytest

import wengert as wg

MODES = {
    "grad": wg.grad,
    "forward": lambda f: wg.jacobian(f, mode="forward"),
    "reverse": lambda f: wg.jacobian(f, mode="reverse"),
    "linearize": lambda f: lambda x: (wg.linearize(f, x)[1].T @ np.ones(1)).reshape(np.shape(x)),
    "vmap": lambda f: lambda x: wg.vmap(wg.grad(f))(np.stack([x, x]))[1],
    "checkpoint": lambda f: wg.grad(wg.checkpoint(f)),
}
SECOND = {
    "hessian": wg.hessian,
    "reverse over reverse": lambda f: wg.jacobian(wg.grad(f), mode="reverse"),
    "forward over forward": lambda f: wg.jacobian(wg.jacobian(f, mode="forward"), mode="forward"),
    "reverse over forward": lambda f: wg.jacobian(wg.jacobian(f, mode="forward"), mode="reverse"),
}


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def check_gradient(f, x, expected, **tolerance):
    for name, mode in MODES.items():
        np.testing.assert_allclose(mode(f)(x), expected, err_msg=name, **({"rtol": 1e-12, "atol": 1e-13} | tolerance))


def check_hessian(f, x, expected, **tolerance):
    for name, mode in SECOND.items():
        np.testing.assert_allclose(mode(f)(x), expected, err_msg=name, **({"rtol": 1e-12, "atol": 1e-13} | tolerance))


# --- 1: masks and reductions ------------------------------------------------------------------------------------------------

X = np.array([0.0, -1.0, 2.0])
MASKED_LOGS = {
    "where in the sum": lambda x: np.sum(np.where(x > 0, np.log(x), 0)),
    "where=": lambda x: np.sum(np.log(x), where=x > 0),
    "where= of the ufunc": lambda x: np.sum(np.log(x, where=x > 0, out=np.zeros_like(x))),
    "boolean index": lambda x: np.sum(np.log(x[x > 0])),
    "dot with a mask": lambda x: np.where(x > 0, np.log(x), 0) @ np.ones(3),
    "mean": lambda x: np.mean(np.where(x > 0, np.log(x), 0)) * 3,
    "einsum": lambda x: np.einsum("i,i->", np.where(x > 0, np.log(x), 0), np.ones(3)),
    "nan_to_num": lambda x: np.sum(np.nan_to_num(np.where(x == 0, np.nan, np.log(x)))),
    "nansum": lambda x: np.nansum(np.where(x == 0, np.nan, np.log(x))),
    "where of sums": lambda x: np.sum(np.where(x > 0, np.log(x) + np.where(x < 0, np.sqrt(-x), 0.0), 0)),
    "maximum of -inf": lambda x: np.sum(np.maximum(np.where(x > 0, np.log(x), -np.inf), -5.0)),
}


@pytest.mark.parametrize("name", MASKED_LOGS)
def test_1_masked_sums(name):
    check_gradient(MASKED_LOGS[name], X, [0, 0, 0.5])
    check_hessian(MASKED_LOGS[name], X, np.diag([0, 0, -0.25]))


def test_1_jax_347():
    x = np.array([[1.0, 2], [3, 4], [0, 0]])

    def f(x):
        r = np.sqrt(np.sum(x**2, axis=1))
        return np.sum(np.where(r > 0.5, r, np.ones_like(r)))

    unit = x / np.array([[np.sqrt(5)], [5], [1]])
    check_gradient(f, x, unit)
    hessian = np.zeros((3, 2, 3, 2))
    for k, r in ((0, np.sqrt(5)), (1, 5.0)):
        hessian[k, :, k, :] = (np.eye(2) - np.outer(unit[k], unit[k])) / r
    check_hessian(f, x, hessian)


def test_1_normalising_rows_of_which_some_are_zero():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    w = np.array([[1.0, 2.0], [3.0, 4.0]])
    for length in (lambda x: np.sqrt(np.sum(x**2, axis=1, keepdims=True)), lambda x: np.linalg.norm(x, axis=1, keepdims=True)):
        f = lambda x, length=length: np.sum(np.where(length(x) > 0, x / length(x), 0.0) * w)
        unit = np.array([0.6, 0.8])
        expected = np.stack([(np.eye(2) - np.outer(unit, unit)) @ w[0] / 5, np.zeros(2)])
        check_gradient(f, x, expected)
        assert np.isfinite(wg.hessian(f)(x)).all()


def test_1_logsumexp_with_minus_infinity():
    x = np.array([0.0, -np.inf, 1.0])
    p = np.exp(x) / np.sum(np.exp(x))
    stable = lambda x: (lambda m: m + np.log(np.sum(np.exp(x - m))))(np.max(x))
    frozen = lambda x: (lambda m: m + np.log(np.sum(np.exp(x - m))))(wg.stop_gradient(np.max(x)))
    for f in (stable, frozen, lambda x: np.logaddexp.reduce(x), lambda x: np.logaddexp(np.logaddexp(x[0], x[1]), x[2])):
        check_gradient(f, x, p)
        check_hessian(f, x, np.diag(p) - np.outer(p, p))


def test_1_masked_attention():
    scores = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    mask = np.array([[True, True, False], [True, False, False]])

    def f(s):
        s = np.where(mask, s, -np.inf)
        e = np.exp(s - np.max(s, axis=1, keepdims=True))
        return np.sum(e / np.sum(e, axis=1, keepdims=True) * np.arange(6.0).reshape(2, 3))

    p = 1 / (1 + np.exp(1.0))
    check_gradient(f, scores, [[-p * (1 - p), p * (1 - p), 0], [0, 0, 0]])


def test_1_a_nan_that_is_used_still_shows():
    gradient = wg.grad(lambda x: np.sum(np.sqrt(x)))(np.array([-1.0, 4.0]))
    assert np.isnan(gradient[0]) and gradient[1] == 0.25
    assert np.isnan(wg.grad(lambda x: np.sum(x * np.array([np.nan, 1.0])))(np.ones(2))[0])
    assert np.isnan(wg.grad(lambda x: np.where(x > 0, x, np.sqrt(x)))(-1.0))
    assert wg.grad(np.sqrt)(0.0) == np.inf  # a one-sided slope that is infinite stays so
    assert wg.grad(lambda x: np.sum(x) * np.nan)(np.ones(2)).tolist() != [0, 0]


# --- 2: lengths ---------------------------------------------------------------------------------------------------------------

LENGTHS = {
    "norm": np.linalg.norm,
    "sum of squares": lambda x: np.sqrt(np.sum(x**2)),
    "sum of products": lambda x: np.sqrt(np.sum(x * x)),
    "square": lambda x: np.sqrt(np.sum(np.square(x))),
    "dot": lambda x: np.sqrt(x @ x),
    "power one half": lambda x: np.sum(x**2) ** 0.5,
    "abs squared": lambda x: np.sqrt(np.sum(np.abs(x) ** 2)),
    "einsum": lambda x: np.sqrt(np.einsum("i,i->", x, x)),
    "hypot": lambda x: np.hypot(np.hypot(x[0], x[1]), x[2]),
    "vector_norm": np.linalg.vector_norm,
    "norm of a matrix": lambda x: np.linalg.norm(np.stack([x, x])) / np.sqrt(2),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_2_a_length_has_the_gradient_0_at_0(name):
    check_gradient(LENGTHS[name], np.zeros(3), np.zeros(3))
    x = np.array([2.0, -1.0, 2.0])
    check_gradient(LENGTHS[name], x, x / 3)
    check_hessian(LENGTHS[name], x, (np.eye(3) - np.outer(x, x) / 9) / 3)


def test_2_second_order_at_0():
    # the norms are primitives, whose curvature at the kink is the mean of those on its sides: 0
    for name in ("norm", "hypot", "vector_norm"):
        check_hessian(LENGTHS[name], np.zeros(3), np.zeros((3, 3)))
    # a square root of a sum of squares shows the infinite curvature of the root, along the axes only, and no NaN
    for name in ("sum of squares", "sum of products", "dot"):
        check_hessian(LENGTHS[name], np.zeros(3), np.diag([np.inf] * 3))
    assert wg.hessian(np.abs)(0.0) == 0.0


def test_2_distances_with_a_zero_diagonal():
    x = np.random.default_rng(0).standard_normal((4, 2))
    w = np.arange(16.0).reshape(4, 4)
    with_root = lambda x: np.sum(np.sqrt(np.sum((x[:, None] - x[None]) ** 2, axis=-1)) * w)
    with_norm = lambda x: np.sum(np.linalg.norm(x[:, None] - x[None], axis=-1) * w)
    difference = x[:, None] - x[None]
    r = np.sqrt((difference**2).sum(-1)) + np.eye(4)
    expected = np.sum((w + w.T)[..., None] * difference / r[..., None], axis=1)
    check_gradient(with_root, x, expected)
    check_gradient(with_norm, x, expected)
    assert np.isfinite(wg.hessian(with_norm)(x)).all()


def test_2_spread_of_equal_numbers():
    check_gradient(np.std, np.ones(3), np.zeros(3))
    check_gradient(lambda x: np.sqrt(np.var(x)), np.ones(3), np.zeros(3))


# --- 3: kinks and ties -----------------------------------------------------------------------------------------------------------

RAMPS = {
    "maximum": lambda x: np.maximum(x, 0),
    "maximum, other way round": lambda x: np.maximum(0.0, x),
    "fmax": lambda x: np.fmax(x, 0),
    "clip": lambda x: np.clip(x, 0, None),
    "mean with |x|": lambda x: (x + np.abs(x)) / 2,
    "minimum": lambda x: -np.minimum(-x, 0),
    "x H(x)": lambda x: x * np.heaviside(x, 0.5),
    "max of two": lambda x: np.max(np.stack([x, 0 * x]), axis=0),
    "sqrt of the square": lambda x: (x + np.sqrt(x**2)) / 2,
}


@pytest.mark.parametrize("name", RAMPS)
def test_3_equivalent_ramps_agree(name):
    ramp = RAMPS[name]
    x = np.array([-1.0, 0.0, 2.0])
    check_gradient(lambda x: np.sum(ramp(x)), x, [0, 0.5, 1])


def test_3_a_choice_takes_the_side_that_it_chooses():
    # `where` is no kink: at 0 the condition x > 0 is false, and the derivative is that of the other branch
    x = np.array([-1.0, 0.0, 2.0])
    check_gradient(lambda x: np.sum(np.where(x > 0, x, 0)), x, [0, 0, 1])
    check_gradient(lambda x: np.sum(np.where(x >= 0, x, 0)), x, [0, 1, 1])
    check_gradient(lambda x: np.sum(x * (x > 0)), x, [0, 0, 1])


def test_3_absolute_values_agree():
    x = np.array([-2.0, 0.0, 3.0])
    for f in (np.abs, np.fabs, lambda x: np.maximum(x, -x), lambda x: np.sqrt(x**2), lambda x: x * np.sign(x), lambda x: np.hypot(x, 0)):
        check_gradient(lambda x, f=f: np.sum(f(x)), x, [-1, 0, 1])


def test_3_pytorch_184572_clamp_at_both_ends():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    expected = [0, 0.5, 1, 0.5, 0]
    check_gradient(lambda x: np.sum(np.clip(x, 0, 1)), x, expected)
    check_gradient(lambda x: np.sum(np.minimum(np.maximum(x, 0), 1)), x, expected)


def test_3_ties_share_equally():
    x = np.array([1.0, 3.0, 3.0, 2.0, 3.0])
    third = np.array([0, 1, 1, 0, 1]) / 3
    check_gradient(np.max, x, third)
    check_gradient(lambda x: -np.min(-x), x, third)
    check_gradient(lambda x: np.maximum.reduce(x), x, third)
    check_gradient(lambda x: np.sum(np.max(np.stack([x, x]), axis=0)), x, np.ones(5))
    check_gradient(lambda x: np.linalg.norm(x, np.inf), x, third)


def test_3_smooth_functions_stay_smooth_where_their_formulas_have_kinks():
    # jax 2140: the slope of log sigmoid at 0 is one half, and its curvature -1/4
    log_sigmoid = lambda x: -np.logaddexp(0.0, -x)
    by_hand = lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))
    assert wg.grad(log_sigmoid)(0.0) == 0.5
    assert wg.hessian(log_sigmoid)(0.0) == -0.25
    assert wg.grad(by_hand)(0.0) == 0.5
    assert wg.grad(lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))(0.0) == 0.5


def test_3_subnormal_numbers_are_not_zero():
    tiny = 5e-324
    assert wg.grad(lambda x: np.maximum(x, 0))(tiny) == 1.0
    assert wg.grad(np.abs)(-tiny) == -1.0


# --- powers -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "x", "first", "second"),
    [
        (0, 0.0, 0, 0), (0, -2.0, 0, 0), (1, 0.0, 1, 0), (1, -2.0, 1, 0), (2, 0.0, 0, 2), (2, -3.0, -6, 2), (3, -2.0, 12, -12),
        (3, 0.0, 0, 0), (4, 0.0, 0, 0), (-1, -2.0, -0.25, -0.25), (-2, 1.0, -2, 6), (0.5, 4.0, 0.25, -1 / 32), (1.5, 0.0, 0, np.inf),
        (0.5, 0.0, np.inf, -np.inf), (2.5, 0.0, 0, 0),
    ],
)  # fmt: skip
def test_powers_of_every_spelling(p, x, first, second):
    spellings = [lambda x: x**p, lambda x: np.power(x, p), lambda x: x ** float(p), lambda x: x ** np.array(float(p)), lambda x: np.float_power(x, p)]
    for f in spellings:
        np.testing.assert_allclose(wg.grad(f, on_disconnected="zero")(x), first, rtol=1e-14)
        np.testing.assert_allclose(wg.jvp(f, (x,), (1.0,))[1], first, rtol=1e-14)
        np.testing.assert_allclose(wg.hessian(f)(x), second, rtol=1e-14)
        np.testing.assert_allclose(wg.vmap(wg.grad(f, on_disconnected="zero"))(np.array([x, x])), [first] * 2, rtol=1e-14)


def test_powers_in_the_exponent():
    power = np.power
    assert wg.grad(power, 1)(2.0, 3.0) == pytest.approx(8 * np.log(2), rel=1e-15)
    assert wg.grad(power, 1)(0.0, 2.0) == 0  # pytorch 27134: 0^p stays 0 for every p > 0
    assert wg.grad(power, 1)(0.0, 1.0) == 0
    assert np.isnan(wg.grad(power, 1)(-2.0, 3.0))  # not a real function of p
    by_base, by_exponent = wg.grad(power, (0, 1))(np.array(0.0), np.array(2.0))
    assert by_base == 0 and by_exponent == 0
    # the base's derivative is untouched by the exponent's, where nobody asks for that
    assert wg.grad(power)(-2.0, 3.0) == 12.0
    check_gradient(lambda x: np.sum(x ** np.arange(4.0)), np.zeros(4), [0, 1, 0, 0])


def test_mixed_second_derivatives_of_powers_are_symmetric_at_0():
    f = lambda v: v[0] ** v[1]
    check_hessian(f, np.array([0.0, 2.0]), [[2, 0], [0, 0]])
    check_hessian(f, np.array([0.0, 3.0]), np.zeros((2, 2)))
    check_hessian(f, np.array([0.0, 1.0]), [[0, -np.inf], [-np.inf, 0]])  # d/dx (x log x)
    a, p = 2.0, 3.0
    mixed = a ** (p - 1) * (1 + p * np.log(a))
    check_hessian(f, np.array([a, p]), [[p * (p - 1) * a ** (p - 2), mixed], [mixed, a**p * np.log(a) ** 2]])


def test_polynomials_at_0():
    coefficients = np.array([1.0, 2.0, 3.0, 4.0])
    f = lambda x: np.sum(coefficients * x ** np.arange(4))
    assert wg.grad(f)(0.0) == 2.0
    assert wg.hessian(f)(0.0) == 6.0
    assert wg.grad(wg.grad(wg.grad(f)))(0.0) == 24.0


# --- 19: products ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [2.0, -1.0, 3.0]])
def test_19_products_with_zeros(x):
    x = np.array(x)
    a, b, c = x
    third = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        third[i, j, k] = 1
    for f in (np.prod, lambda x: np.cumprod(x)[-1], lambda x: np.multiply.reduce(x), lambda x: x[0] * x[1] * x[2]):
        check_gradient(f, x, [b * c, a * c, a * b])
        check_hessian(f, x, [[0, c, b], [c, 0, a], [b, a, 0]])
        np.testing.assert_allclose(wg.jacobian(wg.hessian(f))(x), third, atol=1e-14)


def test_19_a_determinant_of_a_singular_matrix():
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    check_gradient(np.linalg.det, a, [[4, -2], [-2, 1]], rtol=1e-12, atol=1e-12)
    hessian = np.zeros((2, 2, 2, 2))
    hessian[0, 0, 1, 1] = hessian[1, 1, 0, 0] = 1
    hessian[0, 1, 1, 0] = hessian[1, 0, 0, 1] = -1
    check_hessian(np.linalg.det, a, hessian, atol=1e-12)
