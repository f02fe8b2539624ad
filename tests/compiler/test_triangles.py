"""Products of which half is enough: a factor that is 0 beyond its diagonal, or a result of which a triangle is kept."""

import numpy as np
import pytest
from test_fuse import agree
from test_products import close, matrices, multiply, products_of

import wengert as wg
from wengert.compiler.emit.context import KEPT, LOOKS, SHARED, STRONG, TRIANGLES
from wengert.compiler.runtime.threads import get_threads, set_threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
CUT = {"lower": np.tril, "upper": np.triu}


def factors(triangle, n, others, dtype):
    """A product of a triangle and another matrix, the former on the side that is asked for."""
    side, half = triangle.split()
    rng = np.random.default_rng(n)
    one = CUT[half](rng.normal(size=(n, n))).astype(dtype)
    two = rng.normal(size=(n, others) if side == "left" else (others, n)).astype(dtype)
    return (one, two) if side == "left" else (two, one)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n, others", [(1, 1), (15, 20), (64, 100), (100, 33), (280, 17)])
@pytest.mark.parametrize("triangle", TRIANGLES)
def test_triangular_factors(triangle, n, others, dtype):
    """In every layout; nothing beyond the diagonal is read where nothing looks."""
    a, b = factors(triangle, n, others, dtype)
    side, half = triangle.split()
    beyond = ~CUT[half](np.ones((n, n), bool))
    far = beyond & ~CUT[half](np.ones((n, n), bool), 64 if half == "lower" else -64)
    for turn in (np.ascontiguousarray, np.asfortranarray):
        for result in (np.ascontiguousarray, np.asfortranarray):
            left, right, c = turn(a.copy()), turn(b.copy()), result(np.full((len(a), b.shape[1]), np.nan, dtype))
            close(multiply(matrices(left, right, c), left, right, c, flags=TRIANGLES[triangle]), a, b, dtype)
            (left if side == "left" else right)[far] = np.nan
            wanted = c.copy()
            np.testing.assert_array_equal(multiply(matrices(left, right, c), left, right, c, flags=TRIANGLES[triangle]), wanted)


@pytest.mark.parametrize("triangle", TRIANGLES)
def test_onto_something(triangle):
    a, b = factors(triangle, 300, 50, float)
    base = np.random.default_rng(1).normal(size=(len(a), b.shape[1]))
    c = np.empty_like(base)
    multiply(matrices(a, b, c), a, b, c, flags=TRIANGLES[triangle], base=base, alpha=-0.5)
    np.testing.assert_allclose(c, base - 0.5 * (a @ b), rtol=0, atol=1e-12)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize("turn", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("triangle", TRIANGLES)
def test_what_is_not_finite_meets_every_zero(triangle, turn, bad):
    """Given that the kernel looks: NumPy's NaN, wherever in the other factor an entry is not finite."""
    a, b = factors(triangle, 70, 40, float)
    other = b if triangle.startswith("left") else a
    for place in ((0, 0), (-1, -1), (30, 3), (3, 30)):
        before, other[place] = other[place], bad
        left, right, c = turn(a), turn(b), np.empty((len(a), b.shape[1]))
        multiply(matrices(left, right, c), left, right, c, flags=TRIANGLES[triangle] | LOOKS)
        np.testing.assert_array_equal(np.isnan(c), np.isnan(a @ b))
        strong = multiply(matrices(left, right, c), left, right, c, flags=TRIANGLES[triangle] | STRONG)
        with np.errstate(invalid="ignore"):
            terms = np.where((a[:, :, None] == 0) | (b == 0), 0, a[:, :, None] * b)
        np.testing.assert_allclose(strong, terms.sum(1), atol=1e-12)
        other[place] = before


@pytest.mark.parametrize("shape", [(64, 64), (100, 300), (300, 100), (1, 40), (33, 31)])
@pytest.mark.parametrize("half", KEPT)
def test_half_of_a_result(half, shape):
    m, n = shape
    rng = np.random.default_rng(m)
    a, b = rng.normal(size=(m, 270)), rng.normal(size=(270, n))
    for result in (np.ascontiguousarray, np.asfortranarray):
        for flags in (0, STRONG):
            c = result(np.full((m, n), np.nan))
            multiply(matrices(a, b, c), a, b, c, flags=KEPT[half] | flags)
            np.testing.assert_allclose(c, CUT[half](a @ b), rtol=0, atol=1e-12)


@pytest.mark.parametrize("flags", [*TRIANGLES.values(), *KEPT.values()])
def test_the_same_bits_for_any_number_of_threads(flags):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 300)), rng.normal(size=(300, 300))
    for name, flag in TRIANGLES.items():
        if flag == flags:
            side, half = name.split()
            (a if side == "left" else b)[...] = CUT[half](a if side == "left" else b)
    before, results = get_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            set_threads(threads)
            results.append(multiply(matrices(a, b, c := np.full((300, 300), np.nan)), a, b, c, flags=flags | SHARED | LOOKS))
    finally:
        set_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result.view(np.int64), results[0].view(np.int64))


def found_in(program, *arguments, **options):
    return [(step.triangle, step.kept) for step in products_of(agree(program, *arguments, **options))]


def test_triangles_are_found():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(70, 70)), rng.normal(size=(70, 90))
    mask = np.tri(70, dtype=bool)
    for program, wanted in (
        (lambda a, b: np.tril(a) @ b, "left lower"),
        (lambda a, b: np.triu(a) @ b, "left upper"),
        (lambda a, b: np.tril(a, -3).T @ b, "left upper"),
        (lambda a, b: -np.tril(a) @ b, "left lower"),
        (lambda a, b: b.T @ np.triu(a), "right upper"),
        (lambda a, b: b.T @ np.triu(a).T, "right lower"),
        (lambda a, b: np.where(mask, a, 0.0) @ b, "left lower"),
        (lambda a, b: np.linalg.cholesky(a @ a.T + 70 * np.eye(70)) @ b, "left lower"),
    ):
        assert found_in(program, a, b, rtol=1e-9)[-1] == (wanted, "")
    for program in (
        lambda a, b: np.tril(a, 1) @ b,
        lambda a, b: np.tril(a)[::-1] @ b,
        lambda a, b: np.tril(b)[:, :70] @ b,
        lambda a, b: np.where(mask, a, 1.0) @ b,
        lambda a, b: (np.tril(a) + a) @ b,
        lambda a, b: np.tril(a[:40, :40]) @ b[:40],  # too small
    ):
        assert [step.triangle for step in products_of(agree(program, a, b))] == [""]
    assert found_in(lambda a, b: np.tril(a @ b), a, b) == [("", "lower")]
    assert found_in(lambda a, b: 2.0 * np.triu(a @ b), a, b) == [("", "upper")]
    assert found_in(lambda a, b: np.tril(a @ b, 1), a, b) == [("", "")]
    assert found_in(lambda a, b: np.tril(a @ b) + a @ b, a, b)[0] == ("", "")


def test_derivatives_of_triangular_products():
    """The cotangent of a triangle is a triangle of a product, that of the other factor a product with a triangle."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(70, 70)), rng.normal(size=(70, 90))
    gradient = wg.grad(lambda a, b: np.sum(np.sin(np.tril(a) @ b)), (0, 1))
    found = found_in(gradient, a, b, rtol=1e-9)
    assert sorted(found) == [("", "lower"), ("left lower", ""), ("left upper", "")]
    da, db = wg.jit(gradient)(a, b)
    ct = np.cos(np.tril(a) @ b)
    np.testing.assert_allclose(da, np.tril(ct @ b.T), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(db, np.tril(a).T @ ct, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_special_values_of_programs(bad):
    """Zeros beyond the diagonal meet them in the value, as in NumPy, and absorb them in the derivative, as they do eagerly."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(70, 70)), rng.normal(size=(70, 90))
    b[5, 7] = bad
    product = lambda a, b: np.tril(a) @ b
    for program in (product, lambda a, b: b.T @ np.triu(a), lambda a, b: np.tril(a @ b), lambda a, b: np.triu(b.T @ a)):
        np.testing.assert_array_equal(np.isnan(wg.jit(program)(a, b)), np.isnan(program(a, b)))
        agree(program, a, b)
    seed = rng.normal(size=(70, 90))
    seed[:, 3], seed[69, 4] = 0.0, bad
    pullback = lambda a, b, seed: wg.vjp(product, a, b)[1](seed)
    agree(pullback, a, b, seed, rtol=1e-9)
