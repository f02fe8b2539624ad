"""Properties of whole programs, on shapes, dtypes and programs that Hypothesis makes up.

Each program is a few NumPy functions of one or two arrays, broadcast against each other, empty or 0-dimensional as it
happens.  Whatever the program: the traced value is NumPy's; a gradient has the shape and dtype of its input; forward
and reverse are transposes of each other; both are the limit of central differences of plain NumPy; and a batch gives
what a loop gives.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import wengert as wg
from wengert.testing.differences import directional

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
PLAN = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

REAL = st.sampled_from([np.float64, np.float32])
INEXACT = st.sampled_from([np.float64, np.complex128, np.float32, np.complex64])
TOLERANCE = {"f": 2e-3, "F": 2e-3, "d": 1e-6, "D": 1e-6}

# smooth on all of the strip |Re x| < 1, |Im x| < 1/2, with values of moderate size
UNARY = [np.sin, np.cos, np.exp, np.tanh, np.arctan, np.sinh, np.square, np.negative, np.expm1, np.cosh, np.conjugate,
         lambda x: 1 / (2 + x), lambda x: np.sqrt(3 + x), lambda x: np.log(3 + x), lambda x: x**3, np.real, np.imag, np.abs]  # fmt: skip
BINARY = [np.add, np.subtract, np.multiply, lambda a, b: a / (3 + b), lambda a, b: (3 + a) ** b, lambda a, b: np.where(np.real(a) > 2, a, b)]


def random_array(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.1, 1, shape) * rng.choice([-1, 1], shape)
    if np.dtype(dtype).kind == "c":
        x = x + 0.5j * rng.uniform(0.1, 1, shape)
    return np.asarray(x, dtype)


def arranged(x, order):
    """The same array in another layout in memory."""
    if order == "F":
        return np.array(x, order="F")
    if order == "reversed":
        turned = (slice(None, None, -1),) * x.ndim
        return x[turned].copy()[turned]
    if order == "gaps":
        wide = np.repeat(x[..., None], 2, -1)
        return wide[..., 0]
    return x


def parts(y):
    return [p if hasattr(p, "dtype") else np.asarray(p)[()] for p in (y if isinstance(y, (tuple, list)) else [y])]


def check(program, xs, seed=0):
    """All of the properties, of one program at one point."""
    rng = np.random.default_rng(seed)

    def flat(*at):
        return parts(program(*at))

    def like(x):
        d = rng.uniform(-1, 1, x.shape) + (1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else 0)
        return np.asarray(d, x.dtype)

    plain = flat(*xs)
    least = max(np.finfo(a.dtype).eps for a in [*xs, *plain])
    values, pullback = wg.vjp(flat, *xs)
    for y, wanted in zip(values, plain, strict=True):
        assert (y.shape, y.dtype) == (wanted.shape, wanted.dtype)
        # a scalar and an array, with strides or without, go through different loops of NumPy's own
        np.testing.assert_allclose(y, wanted, rtol=32 * least, atol=8 * least)
    dxs, cts = [like(x) for x in xs], [like(y) for y in plain]
    pulled = pullback(cts)
    for x, ct in zip(xs, pulled, strict=True):
        assert type(ct) in (np.ndarray, x.dtype.type) and (ct.shape, ct.dtype) == (x.shape, x.dtype)
    dys = wg.jvp(flat, tuple(xs), tuple(dxs))[1]
    for y, dy in zip(plain, dys, strict=True):
        assert (dy.shape, dy.dtype) == (y.shape, y.dtype)

    rtol = max(TOLERANCE[a.dtype.char] for a in [*xs, *plain])
    wide = [x.astype(np.result_type(x, np.float64)) for x in xs]
    slopes, _ = directional(flat, wide, dxs, step=2.0**-9, sharpen=False)
    for dy, slope in zip(dys, slopes, strict=True):
        np.testing.assert_allclose(dy, slope, rtol=0, atol=rtol * (1 + np.max(np.abs(slope), initial=0)))
    left = sum(np.sum(np.real(np.conj(ct) * dy)) for ct, dy in zip(cts, dys, strict=True))
    right = sum(np.sum(np.real(np.conj(ct) * dx)) for ct, dx in zip(pulled, dxs, strict=True))
    size = 1 + sum(np.sum(np.abs(ct * dy)) for ct, dy in zip(cts, dys, strict=True))
    assert abs(left - right) <= rtol * size

    stacked = [np.stack([x, -x, x / 2]) for x in xs]
    batch = wg.vmap(flat)(*stacked)
    loop = [flat(*[s[k] for s in stacked]) for k in range(3)]
    for found, wanted in zip(batch, zip(*loop, strict=True), strict=True):
        assert found.dtype == wanted[0].dtype
        np.testing.assert_allclose(found, np.stack(wanted), rtol=rtol, atol=rtol)


LAYOUT = st.sampled_from(["C", "F", "reversed", "gaps"])
SEED = st.integers(0, 10**6)


@PLAN
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3),
    dtypes=st.tuples(INEXACT, INEXACT),
    inner=st.tuples(st.sampled_from(UNARY), st.sampled_from(UNARY)),
    outer=st.sampled_from(BINARY),
    last=st.sampled_from(UNARY),
    layout=LAYOUT,
    seed=SEED,
)
def test_elementwise_programs(shapes, dtypes, inner, outer, last, layout, seed):
    a, b = (arranged(random_array(seed + k, s, d), layout) for k, (s, d) in enumerate(zip(shapes.input_shapes, dtypes, strict=True)))
    check(lambda a, b: last(np.tanh(np.real(outer(inner[0](a), inner[1](b))) / 4)), [a, b], seed)


@PLAN
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3), dtype=INEXACT,
       other=st.sampled_from([np.int64, np.bool_, np.int8, np.float32, np.complex64]), first=st.booleans(), seed=SEED)  # fmt: skip
def test_operands_that_are_not_differentiated(shapes, dtype, other, first, seed):
    x = random_array(seed, shapes.input_shapes[0], dtype)
    k = np.asarray(np.real(random_array(seed + 1, shapes.input_shapes[1], np.float64) * 3), other)
    check((lambda x: (k + x) * k) if first else (lambda x: (x - k) * k + 2 * x), [x], seed)


@PLAN
@given(data=st.data(), dtypes=st.tuples(INEXACT, INEXACT), layout=LAYOUT, seed=SEED)
def test_contractions(data, dtypes, layout, seed):
    """Sentences of up to four letters, each letter of a length from 0 to 3; letters may be summed or kept."""
    letters = "ijkl"
    lengths = {c: data.draw(st.integers(0, 3)) for c in letters}
    words = [data.draw(st.lists(st.sampled_from(letters), unique=True, max_size=3)) for _ in range(2)]
    known = sorted(set(words[0]) | set(words[1]))
    out = data.draw(st.lists(st.sampled_from(known), unique=True, max_size=3)) if known else []
    sentence = f"{''.join(words[0])},{''.join(words[1])}->{''.join(out)}"
    a, b = (arranged(random_array(seed + k, tuple(lengths[c] for c in word), dtype), layout) for k, (word, dtype) in enumerate(zip(words, dtypes, strict=True)))
    check(lambda a, b: np.einsum(sentence, a, b), [a, b], seed)


@PLAN
@given(data=st.data(), dtype=INEXACT, layout=LAYOUT, seed=SEED)
def test_matrix_products(data, dtype, layout, seed):
    n, m, k = (data.draw(st.integers(0, 3)) for _ in range(3))
    stacks = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=2, max_dims=2)).input_shapes
    left = (m,) if data.draw(st.booleans()) else (*stacks[0], n, m)
    right = (m,) if data.draw(st.booleans()) else (*stacks[1], m, k)
    a, b = arranged(random_array(seed, left, dtype), layout), arranged(random_array(seed + 1, right, dtype), layout)
    check(lambda a, b: a @ b, [a, b], seed)


@PLAN
@given(data=st.data(), dtype=INEXACT, layout=LAYOUT, seed=SEED)
def test_indexing(data, dtype, layout, seed):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    x = arranged(random_array(seed, shape, dtype), layout)
    if data.draw(st.booleans()):
        key = data.draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    else:
        key = data.draw(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)))
    check(lambda x: x[key] * 2, [x], seed)


@PLAN
@given(data=st.data(), dtype=INEXACT, seed=SEED)
def test_masks(data, dtype, seed):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4))
    mask = data.draw(hnp.arrays(bool, shape))
    x = random_array(seed, shape, dtype)

    def program(x):
        y = np.zeros_like(x)
        y[mask] = np.sin(x[mask])
        y[~mask] += 3 * x[~mask]
        return y

    check(program, [x], seed)


def test_a_mask_of_nothing_leaves_the_rest_alone():
    """Found by the property above: NumPy's bincount of nothing is an array of integers, which kept no gradient."""
    full, empty = np.array([True, True]), np.array([False, False])

    def program(x):
        y = np.zeros_like(x)
        y[full] = np.sin(x[full])
        y[empty] = 3 * x[empty]
        return np.sum(y)

    x = np.array([0.5, 1.0])
    np.testing.assert_allclose(wg.grad(program)(x), np.cos(x))


@PLAN
@given(data=st.data(), dtype=INEXACT, seed=SEED)
def test_assignment(data, dtype, seed):
    """A part of an array is overwritten, through a view of a view."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    key = data.draw(hnp.basic_indices(shape, allow_ellipsis=True))
    target = np.zeros(shape)[key]
    x, v = random_array(seed, shape, dtype), random_array(seed + 1, target.shape, dtype)

    def program(x, v):
        y = x * 2
        y[key] = v
        y[...][key] *= 3
        return y, x

    check(program, [x, v], seed)


@PLAN
@given(data=st.data(), dtype=INEXACT, layout=LAYOUT, seed=SEED)
def test_reductions(data, dtype, layout, seed):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3))
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape)))
    keepdims = data.draw(st.booleans())
    function = data.draw(st.sampled_from([np.sum, np.mean, np.prod, np.var]))
    x = arranged(random_array(seed, shape, dtype), layout)
    check(lambda x: function(x, axis=axis, keepdims=keepdims), [x], seed)


@PLAN
@given(data=st.data(), dtype=INEXACT, layout=LAYOUT, seed=SEED)
def test_shapes(data, dtype, layout, seed):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    order = data.draw(st.permutations(range(len(shape))))
    shift = data.draw(st.integers(-3, 3))
    x = arranged(random_array(seed, shape, dtype), layout)
    check(lambda x: np.stack([np.roll(np.transpose(x, order), shift).reshape(-1), np.flip(x).ravel(), x.T.flatten()]), [x], seed)


@PLAN
@given(shape=hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3), dtype=REAL, seed=SEED)
def test_second_order(shape, dtype, seed):
    """Reverse over reverse and forward over reverse give the Hessian of differences."""
    x, d = random_array(seed, shape, np.float64), random_array(seed + 1, shape, np.float64)

    def loss(x):
        return np.sum(np.sin(x) * np.exp(x)) + np.prod(1 + x / 4)

    (wanted,), _ = directional(lambda x: [wg.grad(loss)(x)], [x], [d], sharpen=False)
    over_reverse = wg.jvp(wg.grad(loss), (x,), (d,))[1]
    reverse_twice = wg.grad(lambda x: np.sum(wg.grad(loss)(x) * d))(x)
    np.testing.assert_allclose(over_reverse, wanted, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(reverse_twice, wanted, rtol=1e-6, atol=1e-8)
    (bend,) = wg.hvp(loss, (x.astype(dtype),), (d.astype(dtype),))
    assert bend.dtype == dtype
    np.testing.assert_allclose(bend, wanted, rtol=1e-3 if dtype == np.float32 else 1e-6, atol=1e-4 if dtype == np.float32 else 1e-8)
