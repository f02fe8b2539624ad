"""Compiled graphs against the same graphs run eagerly: shapes, dtypes, layouts, aliases, and programs made up at random."""

import re

import numpy as np
import pytest
from random_programs import random_program

import wengert as wg
from wengert.compiler.engine import optimised, vector_bits
from wengert.compiler.loops import Fill, HostCall
from wengert.compiler.pipeline import Compiled
from wengert.compiler.verify import verify, verify_plan
from wengert.core.check import check

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::wengert.errors.DisconnectedWarning")
SHAPES = [(), (1,), (3,), (4,), (0,), (2, 3), (3, 3), (5, 2), (20,), (30, 3), (3, 40), (17, 20), (2, 3, 4), (40, 2, 2), (0, 3)]


def compiled(program, *args):
    """A program compiled, every stage of it checked."""
    graph = wg.trace(program)(*args)
    found = Compiled(graph)
    check(found.graph)
    verify(found.program)
    verify_plan(found.program, found.plan)
    return graph, found


def agree(program, *args, rtol=1e-11):
    """The compiled program gives what the graph gives, in arrays of its own; returns the compiled one."""
    graph, found = compiled(program, *args)
    right, results = graph(*args), found(args)
    assert len(right) == len(results)
    for y, z in zip(results, right, strict=True):
        y, z = np.asarray(y), np.asarray(z)
        assert (y.dtype, y.shape) == (z.dtype, z.shape)
        if z.dtype.kind not in "fc":
            np.testing.assert_array_equal(y, z)
            continue
        bound = max(rtol, 1000 * float(np.finfo(z.dtype).eps) if z.dtype.itemsize <= 4 or z.dtype == np.complex64 else 0)
        size = np.max(np.abs(z[np.isfinite(z)]), initial=1.0)
        np.testing.assert_allclose(y, z, rtol=bound, atol=bound * size)
    arrays = [y for y in results if isinstance(y, np.ndarray)]
    for k, y in enumerate(arrays):
        assert y.flags.c_contiguous
        assert not any(np.shares_memory(y, x) for x in [*args, *arrays[:k]] if isinstance(x, np.ndarray))
    return found


def total(program):
    """A number made of all outputs of a program."""

    def scalar(*args):
        outputs = program(*args)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return sum(np.sum(np.sin(y)) for y in outputs)

    return scalar


def arguments(seed):
    rng = np.random.default_rng(seed)
    dtype = np.float32 if seed % 5 == 0 else np.float64
    shapes = [SHAPES[int(rng.integers(len(SHAPES)))] for _ in range(2)]
    return [np.asarray(rng.normal(size=shape), dtype) for shape in shapes], int(rng.integers(2, 14)), int(rng.integers(1, 4))


def applies(program, args):
    """Whether NumPy and wengert can run a program that was made up."""
    try:
        program(*args)
    except (ValueError, TypeError, IndexError):
        return False
    return True


@pytest.mark.parametrize("seed", range(80))
def test_random_programs_and_their_gradients(seed):
    args, n_steps, n_outputs = arguments(seed)
    program = random_program(seed, n_steps, n_outputs)
    for made in (program, wg.grad(total(program), (0, 1))):
        if applies(made, args):
            loose = args[0].dtype == np.float32
            agree(made, *args, rtol=3e-3 if loose else 1e-8)


@pytest.mark.parametrize("seed", range(100, 130))
def test_second_derivatives_of_random_programs(seed):
    args, n_steps, _ = arguments(seed)
    args = [x.astype(float) for x in args]
    program = total(random_program(seed, min(n_steps, 6)))
    second = wg.grad(lambda a, b: np.sum(0.5 * wg.grad(program)(a, b)), 1)
    if applies(second, args):
        agree(second, *args, rtol=1e-7)


MATRIX = np.random.default_rng(0).normal(size=(6, 5))
VECTOR = np.random.default_rng(1).normal(size=5)
PROGRAMS = {
    "an input": lambda a, v: a,
    "an input twice": lambda a, v: (a, a, v),
    "views": lambda a, v: (a.T, a[::2], a[:, ::-1], a[1], a[..., None], v[1:], v.reshape(5, 1)),
    "overlapping views": lambda a, v: a[1:] * a[:-1] - a[::-1][1:],
    "constants": lambda a, v: (np.ones(3) + 0 * v[:3], np.broadcast_to(v, (2, 5)), a * 0 + 2),
    "duplicates": lambda a, v: (np.sin(a), np.sin(a), np.sin(a).T),
    "an unused input": lambda a, v: np.exp(v),
    "numbers": lambda a, v: (v[0], np.sum(v), a[2, 3] * 2, np.max(a)),
    "bools": lambda a, v: (a > v, (a > 0) & (v < 0), np.where(a > v, a, v), np.sum(a > 0, axis=0)),
    "integers": lambda a, v: (np.sum(a > 0), np.argmax(v), np.floor(v).astype(int) * 3, (v > 0).astype(int) - 2),
    "complex": lambda a, v: (np.exp(1j * v), np.abs(1j * v + 1), np.fft.fft(v), (1j * v)[::-1]),
    "float32 and float64": lambda a, v: (a.astype(np.float32) * v, np.sum(a.astype(np.float32), axis=1)),
    "sums along every axis": lambda a, v: (np.sum(a, 0), np.sum(a, 1), np.sum(a), np.sum(a * v, 0, keepdims=True), np.mean(a, 1)),
    "extremes": lambda a, v: (np.max(a, 0), np.min(a, 1), np.max(a - v, keepdims=True), np.min(a * 1.0)),
    "multiplied up": lambda a, v: (np.prod(a, 0), np.prod(a, axis=1, keepdims=True), np.prod(v), np.prod(np.stack([v, v + 1]), 0)),
    "windows": lambda a, v: (np.concatenate([a, a[:2]], 0), np.concatenate([v, v[::-1], v[:0]]), np.stack([v, 2 * v], 1)),
    "gathers": lambda a, v: (a[[0, -1, 2]], a[[0, 1], [2, -2]], a[:, [3, 3]], a[1, [0, 2]], v[np.array([[0, 1], [-1, -1]])]),
    "triangles": lambda a, v: (np.tril(a), np.triu(a, 1), np.tril(a @ a.T)),
    "products": lambda a, v: (a @ v, v @ a.T, a @ a.T, np.outer(v, v), np.einsum("ij,j,kj->ik", a, v, a), np.einsum("ij->j", a)),
    "softmax": lambda a, v: np.exp(a - np.max(a, 1, keepdims=True)) / np.sum(np.exp(a - np.max(a, 1, keepdims=True)), 1, keepdims=True),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    agree(PROGRAMS[name], MATRIX, VECTOR)


@pytest.mark.parametrize("name", [n for n in PROGRAMS if n not in ("bools", "integers", "complex", "an input twice")])
def test_gradients_of_programs(name):
    agree(wg.grad(total(PROGRAMS[name]), (0, 1)), MATRIX, VECTOR, rtol=1e-5 if "float32" in name else 1e-11)


@pytest.mark.parametrize("shape", [(3, 3), (7, 3, 3), (2, 4, 4), (100, 2)])
def test_short_axes_are_unrolled(shape):
    """A batch of small matrices is one loop over the batch without any array in between."""
    x = np.random.default_rng(2).normal(size=shape)

    def program(x):
        y = np.sin(x) @ np.swapaxes(x, -1, -2) if x.ndim > 2 else x * 2
        return np.sum(y * y, axis=-1) / (1 + np.sum(y, axis=-1) ** 2)

    found = agree(program, x)
    temporaries = [b for step in found.program.steps for b in step.buffers() if b.kind == "temporary"]
    assert not temporaries
    agree(wg.grad(lambda x: np.sum(program(x))), x)


def test_an_elementwise_chain_and_its_gradient_are_one_loop():
    def program(x):
        return np.sum(np.tanh(x) * np.exp(-x * x) + np.log1p(x * x))

    found = agree(wg.value_and_grad(program), np.linspace(-2, 2, 1000))
    assert len(found.program.steps) == 1
    assert len(found.program.steps[0].stores) == len(found.program.steps[0].reductions) == 1
    assert not any(isinstance(step, HostCall) for step in found.program.steps)


@pytest.mark.skipif(vector_bits() == 0, reason="this machine has no vector functions")
@pytest.mark.parametrize("shape", [(1000,), (300, 3), (50, 40)])
def test_functions_are_called_on_vectors(shape):
    """Also where short axes are unrolled, and where totals run along."""
    x = np.random.default_rng(0).normal(size=shape)
    found = agree(wg.value_and_grad(lambda x: np.sum(np.log(np.sum(np.exp(x), axis=-1)))), x)
    assert re.search(r"call <\d+ x double> @_ZGV\w+_exp", optimised(found.text))


@pytest.mark.parametrize("n", [1, 7, 63, 1024, 1025, 100_003])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_are_as_accurate_as_by_pairs(n, dtype):
    x = np.random.default_rng(n).normal(size=n).astype(dtype) + dtype(1)
    _, found = compiled(lambda x: np.sum(x), x)
    exact = np.sum(x.astype(np.longdouble))
    assert abs(found([x])[0] - exact) <= max(abs(np.sum(x) - exact), np.finfo(dtype).eps * np.sum(np.abs(x)))


@pytest.mark.parametrize("values", [[-0.0, -0.0], [np.inf, 1.0], [np.inf, -np.inf], [np.nan, 1.0], [1e308, 1e308, -1e308], [-0.0, 0.0]])
def test_special_values_in_reductions(values):
    x = np.array(values)
    _, found = compiled(lambda x: (np.sum(x), np.max(x), np.min(x), np.sum(x[None] * np.ones((3, 1)), 0)), x)
    with np.errstate(all="ignore"):
        right = (np.sum(x), np.max(x), np.min(x), np.sum(x[None] * np.ones((3, 1)), 0))
    for y, z in zip(found([x]), right, strict=True):
        np.testing.assert_array_equal(y, z)
    assert np.signbit(found([np.array([-0.0, -0.0])])[0]) if len(values) == 2 else True


def test_strong_zeros():
    """A branch that is not taken contributes nothing, compiled too."""
    x = np.array([0.0, 1.0, 4.0, -1.0])
    agree(wg.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0))), x)
    w = np.array([[np.inf, 1.0], [np.nan, 2.0], [3.0, 4.0], [0.0, np.inf]] * 20)
    agree(wg.grad(lambda x: np.sum(np.where(x > 0, (x @ w)[..., :1], 0.0) * 0)), np.tile(np.abs(x), (30, 20)))
    agree(wg.grad(lambda a: np.sum((a @ w.T)[:, 2])), np.ones((60, 2)))


def test_large_products_are_steps():
    a, b = (np.random.default_rng(k).normal(size=(3, 40, 40)) for k in range(2))
    for program in (
        lambda a, b: a @ b,
        lambda a, b: a @ np.swapaxes(b, -1, -2),
        lambda a, b: np.swapaxes(a, 0, 2) @ b[0, :3],
        lambda a, b: a[:, ::2] @ b[1],
        lambda a, b: np.einsum("bij,bkj->bik", a, b),
        lambda a, b: a[0][:, ::-1] @ b[0],
        lambda a, b: np.broadcast_to(a[0, :1], (40, 40)) @ b,
    ):
        agree(program, a, b)
        agree(wg.grad(total(program), (0, 1)), a, b)
    agree(lambda a, b: a @ b, a.astype(np.float32), b.astype(np.float32))


def test_strong_zeros_of_large_products():
    rng = np.random.default_rng(0)
    a = np.where(rng.uniform(size=(40, 40)) < 0.5, 0.0, rng.normal(size=(40, 40)))
    b = rng.normal(size=(40, 40))
    b[3, 5], b[7, 8], b[9, 9] = np.inf, np.nan, -np.inf
    agree(wg.grad(lambda x: np.sum(np.where(x > 0, x, 0.0) @ b)), a)
    agree(lambda x: wg.jvp(lambda y: y @ b, (x,), (x,))[1], a)


def test_deposits_with_duplicates_add_up():
    places = np.array([0, 2, 2, -1, 0])
    agree(wg.grad(lambda x: np.sum(np.sin(x[places]) * np.arange(5.0))), np.linspace(0, 1, 6))
    agree(wg.grad(lambda x: np.sum(x[places, 1] ** 2) + np.sum(x[1:] * x[:-1]) + x[0, 0]), np.linspace(0, 1, 12).reshape(6, 2))


@pytest.mark.parametrize("shape", [(40,), (40, 30), (30, 5, 6)])
def test_stencils_are_added_box_by_box(shape):
    x = np.random.default_rng(0).normal(size=shape)

    def program(x):
        y = np.sum((x[1:] - x[:-1]) ** 2) + np.sum(x[2:] * x[1:-1] * np.sin(x[:-2]))
        if x.ndim > 1:
            y = y + np.sum(np.exp(x[1:-1, 1:-1] - x[2:, :-2])) + np.sum(x[3] * x[:, 2:3][4])
        return y

    found = agree(wg.grad(program), x)
    assert len(shape) > 1 or not any(isinstance(step, Fill) for step in found.program.steps)
    agree(wg.grad(lambda x: np.sum(x[2:-2] ** 2)), x)
    agree(wg.grad(lambda x: np.sum(np.sin(x[::2]) * x[::2]) + np.sum(x[1:] ** 3)), x)


def test_indices_that_are_inputs():
    x, k = np.linspace(0, 1, 12).reshape(6, 2), np.array([0, 5, -1, 2, 2])
    for index in (k, k.astype(np.int32), k.reshape(1, 5), np.array(3)):
        found = agree(lambda x, k: (np.sin(x)[k] * 2, x[k, 1], x[::-1][k]), x, index)
        assert not any(isinstance(step, HostCall) for step in found.program.steps)
        agree(wg.grad(lambda x, k: np.sum(np.sin(x[k]) ** 2), 0), x, index)
        for bad in (6, -7):
            with pytest.raises(IndexError, match=r"out of bounds.*test_fuse\.py"):
                found([x, np.full_like(index, bad)])
    for y, z in zip(found([x, np.array(1)]), (np.sin(x)[1] * 2, x[1, 1], x[::-1][1]), strict=True):
        np.testing.assert_allclose(y, z, rtol=1e-14)


def test_one_constant_counts_along_axes_of_different_lengths():
    k = np.array([0, -1])
    agree(lambda a, v: (a[k], a[:, k], v[k], a[k] * k[:, None], np.sum(a[k, k])), MATRIX, VECTOR)


def test_many_moves_and_many_deposits():
    """Neither the depth of recursion nor the square of the length counts."""

    def program(x):
        y = x
        for _ in range(300):
            y = y[::-1][1:]
        return np.sum(y * 2) + sum(x[k] * x[k + 1] for k in range(0, 800, 2))

    agree(wg.value_and_grad(program), np.linspace(-1, 1, 1000))


def test_long_programs_are_cut():
    def program(x):
        values = [x[k] for k in range(4)]
        for k in range(900):
            a, b = values[-1], values[-3]
            values.append(a * b + 0.1 if k % 3 else np.sin(a) - b)
        return values[-1]

    x = np.array([0.3, 0.2, -0.4, 0.9])
    found = agree(wg.grad(program), x, rtol=1e-9)
    assert len(found.program.steps) > 3


@pytest.mark.parametrize("transform", [wg.hessian, wg.jacobian, lambda f: wg.vmap(wg.grad(f))])
def test_derivatives_of_many_kinds(transform):
    def program(x):
        return np.sum(np.exp(x[1:] * x[:-1]) / (1 + x[0] ** 2)) + np.log(np.sum(np.exp(x)))

    x = np.random.default_rng(0).normal(size=(5, 6)) if transform not in (wg.hessian, wg.jacobian) else np.linspace(-1, 1, 6)
    agree(transform(program), x)


@pytest.mark.parametrize("special", [None, np.nan, np.inf])
@pytest.mark.parametrize(("n", "k", "d"), [(600, 40, 16), (300, 30, 8), (50, 7, 16)])
def test_long_rows_of_terms_are_added_up_once_for_all_that_read_them(n, k, d, special):
    rng = np.random.default_rng(d)
    points, centres = rng.normal(size=(n, d)), rng.normal(size=(k, d))
    centres[3] = centres[1]  # the first of two nearest ones counts
    points[5] = centres[1]
    if special is not None:
        points[2, 3] = centres[4, 0] = special

    def nearest(points, centres):
        return np.argmin(np.sum((points[:, None, :] - centres) ** 2, axis=-1), axis=1)

    found = agree(nearest, points, centres)
    np.testing.assert_array_equal(found([points, centres])[0], nearest(points, centres))
    assert wg.jit(nearest).report(points, centres).flops < 1.5 * 3 * n * k * d
