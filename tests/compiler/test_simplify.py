"""Every rule holds: both sides, on random and special values; and what each does to a graph."""

import ast

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.expand import EXPANSIONS
from wengert.compiler.rules import RULES, name_of, number_of
from wengert.compiler.simplify import Simplifier, simplify
from wengert.compiler.structure import STRUCTURE
from wengert.core.check import check
from wengert.core.primitive import REGISTRY

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -3.25, 1e-300, 5e-324, 1e300, np.inf, -np.inf, np.nan, 0.1]


def letters(tree):
    return sorted({part.id for part in ast.walk(tree) if isinstance(part, ast.Name)} - {c for c in REGISTRY if len(c) > 1})


def value(tree, env):
    number = number_of(tree)
    if number is not None:
        return number
    if isinstance(tree, ast.Name):
        return env[tree.id]
    return REGISTRY[name_of(tree)].eval(*[value(part, env) for part in tree.args])


def points(rule):
    """All special values for each letter, and random ones."""
    names = letters(rule.left)
    boolean = {n for n in names if n == "c" or rule.name == "not not"}
    grids = np.meshgrid(*[[False, True] if n in boolean else SPECIAL for n in names], indexing="ij")
    rng = np.random.default_rng(0)
    found = {}
    for name, grid in zip(names, grids, strict=True):
        more = rng.uniform(size=50) < 0.5 if name in boolean else rng.normal(size=50) * 10.0 ** rng.integers(-8, 9, 50)
        found[name] = np.concatenate([np.asarray(grid).ravel(), more])
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}: {rule.pattern}")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_sides_agree(rule, dtype):
    with np.errstate(all="ignore"):
        env = {k: v if v.dtype == bool else v.astype(dtype) for k, v in points(rule).items()}
        rows = [dict(zip(env, row, strict=True)) for row in zip(*env.values(), strict=True)]  # one point at a time, as a nest does
        left, right = (np.array([value(side, row) for row in rows]) for side in (rule.left, rule.right))
    if left.dtype == bool:
        np.testing.assert_array_equal(left, right)
        return
    same = (left == right) & (np.signbit(left) == np.signbit(right)) | (np.isnan(left) & np.isnan(right))
    if rule.ulps:
        with np.errstate(all="ignore"):
            same |= np.abs(left - right) <= rule.ulps * np.spacing(np.abs(left))
    assert same.all(), [{k: v[~same][:3] for k, v in env.items()}, left[~same][:3], right[~same][:3]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}: {rule.pattern}")
def test_a_rule_is_found_and_used(rule):
    """The pattern as a program becomes the replacement."""
    names = letters(rule.left)
    boolean = {n for n in names if n == "c" or rule.name == "not not"}
    xs = [np.array([True, False]) if n in boolean else np.array([0.5, -1.5]) for n in names]

    def build(tree, env):
        number = number_of(tree)
        if number is not None:
            return np.full(2, number)
        if isinstance(tree, ast.Name):
            return env[tree.id]
        return REGISTRY[name_of(tree)](*[build(part, env) for part in tree.args])

    graph = wg.trace(lambda *xs: build(rule.left, dict(zip(names, xs, strict=True))))(*xs)
    simplifier = Simplifier(graph)
    found = check(simplifier.run())
    assert simplifier.applied
    assert len(found.nodes) < max(len(graph.nodes), 1) or rule.name not in ("one is neutral", "double negation")
    np.testing.assert_array_equal(found(*xs)[0], graph(*xs)[0])


X = np.arange(24.0).reshape(2, 3, 4) - 11.5
STRUCTURES = {
    "the same shape": lambda x: REGISTRY["reshape"](x, shape=(2, 3, 4)),
    "reshape of reshape": lambda x: x.reshape(6, 4).reshape(3, 8),
    "the same order": lambda x: REGISTRY["permute"](x, axes=(0, 1, 2)),
    "permute of permute": lambda x: np.transpose(np.transpose(x, (1, 2, 0)), (1, 0, 2)),
    "spread of spread": lambda x: np.broadcast_to(np.broadcast_to(x, (5, 2, 3, 4)), (6, 5, 2, 3, 4)),
    "all of it": lambda x: REGISTRY["index"](x, layout=(slice(None), Ellipsis, slice(0, None))),
    "a number moved": lambda x: x[0] + np.where(np.zeros(x.shape, bool), x, np.full(x.shape, 2.0))[0],
    "a part of what repeats": lambda x: np.broadcast_to(x[0, 0, 0], (7, 3))[2:5],
    "a sum along nothing": lambda x: np.sum(x[:, None], axis=1),
    "a sum of what repeats": lambda x: np.sum(np.broadcast_to(x, (5, 2, 3, 4)), axis=0),
    "a sum of a product": lambda x: np.sum(-np.swapaxes(REGISTRY["matmul_of_derivatives"](np.outer(x, x), np.outer(x, x) + np.eye(24)), 0, 1), axis=1),
    "a quotient of a truth value": lambda x: (x > 2) / np.sum(x, axis=1, keepdims=True),
    "the same dtype": lambda x: REGISTRY["cast"](x, dtype=np.dtype(float)),
    "no imaginary part": lambda x: REGISTRY["imag"](x) + x,
    "cast of cast": lambda x: x.astype(np.float32).astype(np.float64).astype(np.float32),
    "scale by a number": lambda x: REGISTRY["scale"](x, np.full(x.shape, 2.5)) + REGISTRY["scale"](0.5, x),
    "zeros into zeros": lambda x: x + REGISTRY["deposit"](
        np.where(np.zeros((2, 4), bool), x[:, 0], np.zeros((2, 4))), layout=(slice(None), 1), shape=(2, 3, 4)
    ),
    "a mean is a sum": lambda x: np.mean(x, axis=1),
    "a variance is a mean of squares": lambda x: np.var(x, axis=0, ddof=1) + np.std(x, axis=(0, 2))[:, None],
    "a length is a sum of squares": lambda x: np.linalg.norm(x, axis=1),
    "shares of exponentials": lambda x: REGISTRY["softmax"](x, axis=(-1,)),
    "a sum of exponentials": lambda x: REGISTRY["logsumexp"](np.where(x > 3, 3, x * 9), axis=(-2, -1)),
    "any is the largest": lambda x: np.any(x > 3, axis=1) * 1.0 + np.any(x),
    "all is the smallest": lambda x: np.all(x < 3, axis=1, keepdims=True) * 1.0 + np.all(x),
    "a small product of matrices": lambda x: x @ np.swapaxes(x, 1, 2),
    "a sum of products": lambda x: np.einsum("ijk,ijl,i->kl", x, x, x[:, 0, 0]),
    "a triangle": lambda x: np.tril(x, 1),
    "a vector product": lambda x: np.cross(x[..., :3], x[..., 1:]),
    "windows that overlap": lambda x: wg.grad(lambda x: np.sum(np.sin(np.lib.stride_tricks.sliding_window_view(x, 2, -1))))(x),
    "a part of windows that overlap": lambda x: wg.grad(lambda x: np.sum(np.sin(convolved(np.pad(x, ((0, 0), (2, 2), (0, 0)))))))(np.ones(8) * x.reshape(1, 24, 1)),
    "single precision is enough": lambda x: (1.5 * np.float32(1) * x.astype(np.float32).astype(np.float64)).astype(np.float32),
    "a unit matrix": lambda x: wg.jvp(lambda e: x @ e, (np.zeros((x.shape[-1],) * 2),), (np.eye(x.shape[-1]),))[1],
    "a system of equations": lambda x: np.linalg.solve(square(x), x),
    "an inverse": lambda x: np.linalg.inv(square(x)),
    "a determinant": lambda x: np.linalg.det(square(x)) + np.linalg.slogdet(square(x))[1],
    "an adjugate": lambda x: wg.jvp(np.linalg.det, (square(x),), (square(x),))[1],
    "a Cholesky factor": lambda x: np.linalg.cholesky(symmetric(x) @ symmetric(x)),
    "orthogonal and triangular factors": lambda x: np.abs(np.linalg.qr(square(x))[1]),
    "eigenvalues": lambda x: np.linalg.eigvalsh(symmetric(x)),
    "real eigenvalues": lambda x: np.linalg.eigvals(symmetric(x)),
    "singular values": lambda x: np.linalg.svd(x, compute_uv=False),
    "a pseudoinverse": lambda x: np.linalg.pinv(square(x)),
    "least squares": lambda x: np.linalg.lstsq(square(x)[0], x[0], rcond=None)[0],
    "a triangle and its mirror image": lambda x: wg.jvp(np.linalg.eigvalsh, (symmetric(x),), (symmetric(x),))[1],
    "no further derivative is taken": lambda x: wg.grad(lambda x: np.sum(np.linalg.svd(x)[0][:, 0, 0] ** 2))(x),
    "nothing offends": lambda x: REGISTRY["without_gauge"](
        symmetric(x), 0 * symmetric(x), REGISTRY["largest_modulus"](x), np.eye(3), x[:, 0, :3], what="values"
    ),
    "values that do not meet": lambda x: wg.jvp(lambda x: np.linalg.eigh(x)[1] ** 2, (symmetric(x),), (symmetric(x**2),))[1],
    "the largest size": lambda x: REGISTRY["largest_modulus"](x),
    "values by size": lambda x: REGISTRY["descending"](x[0]),
    "values that are 0": lambda x: REGISTRY["is_null"](x[0], size=3),
    "values that count": lambda x: np.linalg.matrix_rank(x) * 1.0,
    "columns that depend on others": lambda x: wg.grad(lambda x: np.sum(np.linalg.qr(square(x))[1] ** 2))(x),
    "minors by singular values": lambda x: wg.grad(lambda x: np.sum(wg.grad(lambda y: np.sum(np.linalg.det(y)))(square(x)) ** 2))(x),
}


def convolved(x):
    seen = np.lib.stride_tricks.sliding_window_view(x, 3, 1)
    return np.tensordot(seen, np.cos(np.arange(768.0)).reshape(8, 3, 32), 2)


def square(x):
    return x[:, :, :3] + 5 * np.eye(3)


def symmetric(x):
    return square(x) + np.swapaxes(square(x), 1, 2)


def test_every_rule_about_structure_is_tried():
    names = {name for table in (STRUCTURE, EXPANSIONS) for rules in table.values() for name, _ in rules}
    assert names == set(STRUCTURES)


@pytest.mark.parametrize("name", STRUCTURES)
def test_rules_about_structure(name):
    graph = wg.trace(STRUCTURES[name])(X)
    simplifier = Simplifier(graph)
    found = check(simplifier.run())
    folded = name in ("a number moved", "zeros into zeros") and "constants are computed" in simplifier.applied
    assert name in simplifier.applied or folded
    np.testing.assert_allclose(found(X)[0], graph(X)[0], rtol=1e-13, atol=2e-13 if "windows" in name else 1e-14)


def test_equal_nodes_are_computed_once_and_dead_ones_not_at_all():
    def program(x):
        np.cos(x)
        return np.sin(x) + np.sin(x) * np.exp(np.ones(3) * 2)

    graph = wg.trace(program)(np.arange(3.0))
    found = simplify(graph)
    assert sorted(node.primitive.name for node in found.nodes) == ["add", "multiply", "sin"]


def test_constants_that_differ_in_sign_or_type_are_not_shared():
    graph = wg.trace(lambda x: (x + 0.0, x + -0.0, x * np.float32(2), x * 2.0))(np.float32([1, -0.0]))
    found = simplify(graph)
    for y, z in zip(found(np.float32([1, -0.0])), graph(np.float32([1, -0.0])), strict=True):
        np.testing.assert_array_equal(y, z)
        assert np.array_equal(np.signbit(y), np.signbit(z))


def test_contractions_are_taken_in_the_cheapest_order():
    a, b, v = np.ones((200, 100)), np.ones((100, 300)), np.ones(300)
    found = simplify(wg.trace(lambda a, b, v: np.einsum("ij,jk,k->i", a, b, v))(a, b, v))
    largest = max(np.prod(node.outputs[0].type.shape) for node in found.nodes)
    assert largest <= 100 * 300
