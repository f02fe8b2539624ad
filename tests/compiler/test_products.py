"""Products by the kernel that multiplies: any strides, any number of axes, the same bits for any number of threads."""

import ctypes
import math
from functools import cache

import numpy as np
import pytest
from test_fuse import agree

import wengert as wg
from wengert.compiler.emit.context import SHARED, STRONG, SYMMETRIC
from wengert.compiler.emit.products import Axes, axes_of, specification, tidy
from wengert.compiler.engine import vector_bits
from wengert.compiler.kernels import load_products
from wengert.compiler.loops import Buffer, MatrixProduct, View
from wengert.compiler.runtime.threads import get_threads, set_threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SUFFIX = {np.float64: "f64", np.float32: "f32"}


@cache
def kernel(dtype, bits):
    module = load_products(np.dtype(dtype).name, bits)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, ctypes.c_int64, ctypes.c_int64)(module.address(f"wg_product_{SUFFIX[dtype]}"))


def multiply(axes, a, b, c, *, flags=0, rows="", bounds=(0, 0), base=None, alpha=1.0, bits=None):
    """The native function on arrays, whose data begin where the axes begin."""
    spec = np.array(specification(axes, flags, rows, alpha), np.int64)
    function = kernel(c.dtype.type, bits or max(vector_bits(), 128))
    function(spec.ctypes.data, a.ctypes.data, b.ctypes.data, c.ctypes.data, None if base is None else base.ctypes.data, *bounds)
    return c


def strides(x):
    return [s // x.itemsize for s in x.strides]


def matrices(a, b, c):
    """The axes of `c = a @ b` for views of any strides."""
    (ar, ac), (br, bc), (cr, cc) = map(strides, (a, b, c))
    return Axes([], [(a.shape[0], ar, 0, cr)], [(a.shape[1], ac, br, 0)], [(b.shape[1], 0, bc, cc)])


def close(c, a, b, dtype):
    """Within the error of a sum of products, added up in blocks."""
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    bound = (a.shape[-1] ** 0.5 + 4) * np.finfo(dtype).eps * (np.abs(a).astype(np.longdouble) @ np.abs(b).astype(np.longdouble))
    assert (np.abs(c - exact) <= bound).all()


SIZES = [
    (1, 1, 1), (2, 3, 1), (3, 5, 7), (14, 32, 32), (13, 17, 33), (15, 256, 16), (28, 300, 48), (29, 257, 31), (1, 500, 100), (100, 500, 1),
    (128, 10, 256), (30, 300, 70), (200, 3, 10),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", SIZES)
def test_matrices_of_any_layout(size, dtype):
    m, k, n = size
    rng = np.random.default_rng(m + k + n)
    layouts = (lambda x: x, lambda x: np.asfortranarray(x), lambda x: np.repeat(np.repeat(x, 3, 0), 2, 1)[::3, ::2])
    for left in layouts:
        for right in layouts:
            for result in layouts:
                a, b = left(rng.normal(size=(m, k)).astype(dtype)), right(rng.normal(size=(k, n)).astype(dtype))
                c = result(np.full((m, n), np.nan, dtype))
                close(multiply(matrices(a, b, c), a, b, c), a, b, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [(28, 200, 40), (29, 200, 40), (40, 300, 150), (30, 512, 20), (30, 1024, 70)])
def test_bits_do_not_depend_on_how_factors_lie(size, dtype):
    """Read where they lie, by rows or by columns, or laid out: the sums are the same; the rows of the last ones begin a page apart."""
    m, k, n = size
    rng = np.random.default_rng(m + k + n)
    a, b, c = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype), np.empty((m, n), dtype)
    wanted = multiply(matrices(a, b, c), a, b, c).copy()
    close(wanted, a, b, dtype)
    rows, wide = np.zeros((m, 2 * k), dtype), np.zeros((2 * m, k), dtype)
    rows[:, ::2], wide[::2] = a, a
    for left in (np.asfortranarray(a), rows[:, ::2], wide[::2], a[::-1].copy()[::-1]):
        for right in (b, np.asfortranarray(b)):
            np.testing.assert_array_equal(multiply(matrices(left, right, c), left, right, c), wanted)


@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_narrow_vectors(dtype, bits):
    """For processors without AVX-512, whose vectors this one has too."""
    rng = np.random.default_rng(bits)
    for m, k, n in SIZES:
        for turn in (lambda x: x, np.asfortranarray):
            a, b, c = turn(rng.normal(size=(m, k)).astype(dtype)), turn(rng.normal(size=(k, n)).astype(dtype)), np.empty((m, n), dtype)
            close(multiply(matrices(a, b, c), a, b, c, bits=bits), a, b, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_as_accurate_as_numpy(dtype):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(64, 5000)).astype(dtype), rng.normal(size=(5000, 64)).astype(dtype)
    c = np.empty((64, 64), dtype)
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    error = np.abs(multiply(matrices(a, b, c), a, b, c) - exact)
    assert np.sqrt(np.mean(error**2)) <= 1.2 * np.sqrt(np.mean(np.abs(a @ b - exact) ** 2))


def test_onto_something():
    rng = np.random.default_rng(0)
    a, b, base = (rng.normal(size=shape) for shape in ((50, 600), (600, 70), (50, 70)))
    c = np.empty((50, 70))
    multiply(matrices(a, b, c), a, b, c, base=base, alpha=-0.25)
    np.testing.assert_allclose(c, base - 0.25 * (a @ b), rtol=0, atol=1e-12)


@pytest.mark.parametrize("letter", ["m", "k", "n"])
def test_ranges(letter):
    """The rows of a tile of a band: those of the product, or those that it sums over."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 50)), rng.normal(size=(50, 60))
    c = np.zeros((40, 60))
    multiply(matrices(a, b, c), a, b, c, rows=letter, bounds=(7, 29))
    part = slice(7, 29)
    wanted = np.zeros((40, 60))
    if letter == "m":
        wanted[part] = a[part] @ b
    elif letter == "n":
        wanted[:, part] = a @ b[:, part]
    else:
        wanted = a[:, part] @ b[part]
    np.testing.assert_allclose(c, wanted, atol=1e-13)


@pytest.mark.parametrize("sentence", ["bmk,bkn->bmn", "bmk,bkn->mn", "abmk,kbn->amnb", "mkab,knab->nm", "abk,kcd->cbad", "mk,bkn->bmn", "bmk,kn->bmn"])
def test_any_number_of_axes(sentence):
    """Each letter of a sentence is an axis of a product; sums over stacks are longer sums."""
    rng = np.random.default_rng(0)
    words, out = sentence.split("->")[0].split(","), sentence.split("->")[1]
    sizes = {"a": 3, "b": 5, "c": 4, "d": 6, "m": 17, "n": 19, "k": 23}
    a, b = (rng.normal(size=[sizes[c] for c in word]) for word in words)
    result = np.empty([sizes[c] for c in out])

    def axis(letter):
        found = [dict(zip(word, strides(x), strict=True)).get(letter, 0) for word, x in ((words[0], a), (words[1], b), (out, result))]
        return (sizes[letter], *found)

    groups = [[], [], [], []]
    for letter in dict.fromkeys("".join(words)):
        inside = (letter in words[0], letter in words[1], letter in out)
        groups[[(True, True, True), (True, False, True), (True, True, False), (False, True, True)].index(inside)].append(axis(letter))
    np.testing.assert_allclose(multiply(Axes(*groups), a, b, result), np.einsum(sentence, a, b), atol=1e-12)
    result[...] = np.nan
    np.testing.assert_allclose(multiply(tidy(Axes(*groups), ""), a, b, result), np.einsum(sentence, a, b), atol=1e-12)


def test_a_symmetric_result_is_mirrored():
    a = np.random.default_rng(0).normal(size=(70, 300))
    c = np.full((70, 70), np.nan)
    multiply(matrices(a, a.T, c), a, a.T, c, flags=SYMMETRIC)
    close(c, a, a.T, float)
    np.testing.assert_array_equal(c, c.T)


def test_zeros_absorb():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 40)), rng.normal(size=(40, 50))
    a[3], b[7, 5], b[9, 11] = 0, np.inf, np.nan
    a[4, 7] = 0
    c = np.empty((30, 50))
    multiply(matrices(a, b, c), a, b, c, flags=STRONG)
    with np.errstate(invalid="ignore"):
        wanted = np.sum(np.where((a[:, :, None] == 0) | (b == 0), 0, a[:, :, None] * b), 1)
    np.testing.assert_allclose(c, wanted, atol=1e-12)


@pytest.mark.parametrize("shape", [(150, 700, 130), (30, 300, 700), (700, 90, 60)])
@pytest.mark.parametrize("flags", [SHARED, SHARED | STRONG])
def test_the_same_bits_for_any_number_of_threads(shape, flags):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    before, results = get_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            set_threads(threads)
            c = np.full((m, n), np.nan)
            results.append(multiply(matrices(a, b, c), a, b, c, flags=flags))
    finally:
        set_threads(before)
    close(results[0], a, b, float)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_axes_of_a_step():
    """A stack along which the right factor repeats is more rows, and rows that follow one another are one axis."""
    shapes = ((8, 128, 64), (8, 64, 32), (8, 128, 32))
    views = [View(Buffer(s, np.dtype(float), "temporary"), s, tuple(np.cumprod((1, *s[:0:-1]))[::-1].tolist())) for s in shapes]
    right = View(views[1].buffer, shapes[1], (0, 32, 1))
    step = MatrixProduct(views[0], right, views[2].buffer, views[2], False, 0)
    found = tidy(axes_of(step), "")
    assert (found.batch, found.rows) == ([], [(1024, 64, 0, 32)])
    assert math.prod(axis[0] for axis in found.inner) == 64
    assert tidy(axes_of(step), "m").rows == [(128, 64, 0, 32), (8, 8192, 0, 4096)]


def products_of(found):
    return [step for step in found.program.steps if isinstance(step, MatrixProduct)]


def test_sums_over_a_stack_are_longer_sums():
    """The gradient of weights that all members of a batch share, and an update."""
    rng = np.random.default_rng(0)
    x, w, y = rng.normal(size=(6, 30, 40)), rng.normal(size=(40, 50)), rng.normal(size=(6, 30, 50))

    def step(w, x, y):
        return w - 0.1 * wg.grad(lambda w: np.sum((x @ w - y) ** 2))(w)

    found = agree(step, w, x, y)
    last = products_of(found)[-1]
    assert (last.counts, last.alpha, last.base.buffer) == ((1, 2, 1), -0.1, found.program.inputs[0])
    assert len(products_of(found)) == 2
    x[2, 3, 4], y[1, 2, 3] = 0.0, np.inf
    agree(step, w, x, y)


def logistic(w, x, y):
    return np.sum(np.log(1.0 + np.exp(-y * (x @ w))))


def test_symmetric_products_are_found():
    rng = np.random.default_rng(0)
    a, w, y = rng.normal(size=(90, 40)), rng.normal(size=90), rng.normal(size=40)
    symmetric = (
        lambda a, w, y: a.T @ a,
        lambda a, w, y: a @ a.T,
        lambda a, w, y: (a * w[:, None]).T @ a,
        lambda a, w, y: (-a * w[:, None] / np.exp(w)[:, None] + 2 * a).T @ a,
        lambda a, w, y: (a * y) @ a.T,
    )
    others = (
        lambda a, w, y: (a * y).T @ a,
        lambda a, w, y: (a * np.abs(a)).T @ a,
        lambda a, w, y: (a + w[:, None]).T @ a,
        lambda a, w, y: (a[::-1]).T @ a,
        lambda a, w, y: a[:40] @ a[:40],
    )
    for programs, expected in ((symmetric, True), (others, False)):
        for program in programs:
            (product,) = products_of(agree(program, a, w, y))
            assert product.is_symmetric is expected
    found = agree(wg.hessian(logistic), 0.1 * y, a, np.sign(w), rtol=1e-9)
    assert [product.is_symmetric for product in products_of(found)] == [True]


def test_what_a_product_takes_in():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(5, 30, 40)), rng.normal(size=(5, 40, 50)), rng.normal(size=(5, 30, 50))
    for program in (
        lambda a, b, c: c + -(a @ b),
        lambda a, b, c: 2.0 * (a @ b) + c,
        lambda a, b, c: c - np.sum(a @ b, 0) * 3.0,
        lambda a, b, c: np.sum(a @ b, 0) @ np.ones((50, 30)) + c[0, :, :30],
    ):
        found = agree(program, a, b, c)
        (product, *_) = products_of(found)
        assert product.base is not None or product.counts == (1, 2, 1)
    for program in (
        lambda a, b, c: (c - a @ b, a @ b),  # is an output too
        lambda a, b, c: (a @ b) - c,
        lambda a, b, c: np.sum(a @ b, (0, 1)),
        lambda a, b, c: np.sum(a @ b, 0, keepdims=True) + c,
        lambda a, b, c: np.inf * (a @ b),
        lambda a, b, c: (a @ b) * (a @ b),
        lambda a, b, c: np.sin(c) - (a @ b),
        lambda a, b, c: c[::-1] - (a @ b),
    ):
        agree(program, a, b, c)


def test_products_with_transposes_and_slices_need_no_copies():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 30, 40, 3)), rng.normal(size=(50, 40))
    found = agree(lambda a, b: a[:, :, ::2, 1] @ b.T[::2], a, b)
    assert found.plan.workspace == 0
    agree(wg.grad(lambda a, b: np.sum(np.tanh(a[:, :, ::2, 1] @ b.T[::2])), (0, 1)), a, b, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m", [1, 3, 13, 14, 29, 100])
@pytest.mark.parametrize("k", [1, 9, 288, 700])
def test_left_factors_give_the_same_bits_laid_out_and_read_where_they_lie(m, k, dtype):
    """Few columns: it is read where it lies; many: it is laid out.  What surrounds it is never read into the result."""
    rng = np.random.default_rng(m * k)
    big = np.full((3 * m + 2, 2 * k + 2), np.nan, dtype)
    layouts = (lambda x: x, np.asfortranarray, lambda x: np.lib.stride_tricks.as_strided(place(big, x), x.shape, (3 * big.strides[0], 2 * big.strides[1])))
    b = rng.normal(size=(k, 320)).astype(dtype)
    for layout in layouts:
        a = layout(rng.normal(size=(m, k)).astype(dtype))
        wide = multiply(matrices(a, b, c := np.empty((m, 320), dtype)), a, b, c)
        close(wide, a, b, dtype)
        for n in (16, 32, 48):
            few = np.ascontiguousarray(b[:, :n])
            found = multiply(matrices(a, few, c := np.empty((m, n), dtype)), a, few, c)
            assert np.array_equal(found, wide[:, :n])


def place(big, x):
    """A view of `big` whose entries at every third row and every second column are those of `x`."""
    big[: 3 * x.shape[0] : 3, : 2 * x.shape[1] : 2] = x
    return big


def test_results_are_written_as_their_only_reader_wants_them():
    """Rows and columns may change places, and stacks go anywhere; with deep sums, and with short ones."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3, 40, 50)), rng.normal(size=(4, 3, 50, 32))
    for cut in (50, 20):
        for program in (
            lambda a, b: np.swapaxes(a[..., :cut] @ b[..., :cut, :], 2, 3) + 0.0 * a[0, 0, 0, 0],
            lambda a, b: np.transpose(a[..., :cut] @ b[..., :cut, :], (0, 3, 1, 2)).reshape(4, 32, 120),
            lambda a, b: np.transpose(a[..., :cut] @ b[..., :cut, :], (0, 2, 1, 3)).reshape(4, 40, 96),
            lambda a, b: (a[0, 0, :, :cut] @ b[0, 0, :cut]).T,
            lambda a, b: (a[0, 0].T @ a[0, 0]).T,
        ):
            agree(program, a, b)
        found = agree(lambda a, b: np.transpose(a[..., :cut] @ b[..., :cut, :], (0, 3, 1, 2)).reshape(4, 32, 120) @ np.ones((120, 40)), a, b)
        assert len(found.program.steps) == len(products_of(found)) == 2
