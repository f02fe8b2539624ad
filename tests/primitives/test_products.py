"""Products of vectors, matrices and tensors; convolutions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wengert as wg
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg
S = r(2, 3, 3) + 3 * np.eye(3)

for ka in "fc":
    for sa, sb in (
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((2, 2, 3), (3, 2)),
        ((2, 3), (2, 3, 2)),
        ((), (2, 3)),
        ((2, 3), ()),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 2)),
    ):
        case(f"dot {ka}{sa}{sb}", np.dot, r(*sa, kind=ka), r(*sb))
    for sa, sb in (
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 2)),
        ((2, 3), (4, 3, 2)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 2)),
        ((0,), (0,)),
    ):
        case(f"matmul {ka}{sa}{sb}", np.matmul, r(*sa, kind=ka), r(*sb, kind="c"))
    case(f"vdot {ka}", np.vdot, r(2, 3, kind=ka), r(2, 3, kind="c"))
    case(f"vdot2 {ka}", np.vdot, r(2, 3, kind="c"), r(2, 3, kind=ka))
    for sa, sb in (((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), (4, 3)), ((2, 2, 3), (4, 3)), ((), (2,))):
        case(f"inner {ka}{sa}{sb}", np.inner, r(*sa, kind=ka), r(*sb))
    for sa, sb in (((3,), (2,)), ((2, 3), (2,)), ((), (2,)), ((0,), (2,))):
        case(f"outer {ka}{sa}{sb}", np.outer, r(*sa, kind=ka), r(*sb))
    case(f"vecdot {ka}", np.vecdot, r(2, 3, kind=ka), r(3, kind="c"))
    case(f"vecdot ax {ka}", lambda a, b: np.vecdot(a, b, axis=0), r(3, 2, kind=ka), r(3, 1))
    case(f"matvec {ka}", np.matvec, r(5, 2, 3, kind=ka), r(3))
    case(f"vecmat {ka}", np.vecmat, r(3, kind=ka), r(2, 3, 4))
    for n in (2, 1, 0):
        case(
            f"tensordot {n} {ka}",
            lambda a, b, n=n: np.tensordot(a, b, n),
            r(2, 3, 4, kind=ka)[:, :, :] if n != 2 else r(4, 2, 3, kind=ka),
            r(4, 2) if n == 1 else r(2, 3, 4),
        )
    case(f"tensordot ax {ka}", lambda a, b: np.tensordot(a, b, ([0, -1], [1, 0])), r(2, 3, 4, kind=ka), r(4, 2, 5))
    case(f"tensordot int ax {ka}", lambda a, b: np.tensordot(a, b, (0, 1)), r(2, 3, kind=ka), r(4, 2))
    for sa, sb in (((2,), (3,)), ((2, 2), (3,)), ((2,), (2, 3)), ((2, 3), (3, 2)), ((), (2,)), ((2, 1, 2), (3, 2))):
        case(f"kron {ka}{sa}{sb}", np.kron, r(*sa, kind=ka), r(*sb))
    case(f"trace {ka}", np.trace, r(3, 4, kind=ka))
    case(f"trace2 {ka}", lambda a: np.trace(a, 1, 2, 0), r(3, 2, 4, kind=ka))
for s, sh in (
    ("ij,jk->ik", ((2, 3), (3, 4))),
    ("ij,jk", ((2, 3), (3, 4))),
    ("ii->i", ((3, 3),)),
    ("ii", ((3, 3),)),
    ("ij->ji", ((2, 3),)),
    ("ij->", ((2, 3),)),
    ("...ij,...jk->...ik", ((5, 2, 3), (3, 4))),
    ("i,i,i->i", ((3,), (3,), (3,))),
    ("i,ij,j", ((2,), (2, 3), (3,))),
    ("iij,j->i", ((3, 3, 2), (2,))),
    ("ij,kj->ik", ((2, 3), (1, 3))),
    ("i...->...", ((2, 3, 4),)),
    ("ij,j->ij", ((2, 1), (3,))),
    ("iji->j", ((3, 2, 3),)),
    ("...,...", ((2, 3), (3,))),
    ("b...c,cd->b...d", ((2, 3, 4), (4, 2))),
    ("ij,ij,ij->ij", ((2, 3),) * 3),
    ("i,j,k->ijk", ((2,), (3,), (2,))),
    ("ba,bc", ((2, 3), (2, 4))),
    ("ij,jk->ik", ((0, 3), (3, 4))),
    ("ij,jk->ik", ((2, 0), (0, 4))),
):
    case(f"einsum {s} {sh}", lambda *a, s=s: np.einsum(s, *a), *[r(*q) for q in sh])
case("einsum c", lambda a, b: np.einsum("ij,jk->k", a, b), r(2, 3, kind="c"), r(3, 2))
case("einsum list", lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [0, 2]), r(2, 3), r(3, 2))
case("einsum list2", lambda a, b: np.einsum(a, [Ellipsis, 0, 1], b, [1, 2]), r(2, 2, 3), r(3, 2))
case("einsum opt", lambda a, b, c: np.einsum("ij,jk,kl->il", a, b, c, optimize=True), r(2, 3), r(3, 2), r(2, 2))
case("einsum const", lambda a: np.einsum("ij,j->i", np.ones((2, 3)), a), r(3))
case("cross", np.cross, r(2, 3), r(3))
case("cross c", np.cross, r(2, 1, 3, kind="c"), r(4, 3))
case("cross ax", lambda a, b: np.cross(a, b, axis=0), r(3, 2), r(3, 2))
case("cross axs", lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), r(3, 2), r(2, 3))
for n, m in ((5, 3), (3, 5), (4, 4), (4, 2), (1, 3)):
    for mode in ("full", "same", "valid"):
        for ka, kb in ("ff", "cf"):
            case(
                f"convolve {n}{m}{mode}{ka}{kb}",
                lambda a, b, mode=mode: np.convolve(a, b, mode),
                r(n, kind=ka),
                r(m, kind=kb),
            )
            case(
                f"correlate {n}{m}{mode}{ka}{kb}",
                lambda a, b, mode=mode: np.correlate(a, b, mode),
                r(n, kind=ka),
                r(m, kind=kb),
            )
case("vecdot kw", lambda a, b: np.vecdot(a, b, axis=0, keepdims=True), r(3, 2), r(3, 2))
case("matvec dtype", lambda a, b: np.matvec(a, b, dtype=complex), r(2, 3), r(3))
case("matmul axes", lambda a, b: np.matmul(a, b, axes=[(1, 0), (-2, -1), (0, 1)]), r(3, 2), r(3, 4))
for n in (-3, -1, 0, 1, 2, 3, 5, 8):
    case(f"power {n}", lambda a, n=n: L.matrix_power(a, n), S)
case("multi_dot", lambda a, b, c: L.multi_dot([a, b, c]), r(2, 3), r(3, 4), r(4, 1))
case("multi_dot v", lambda a, b, c, d: L.multi_dot([a, b, c, d]), r(3), r(3, 4), r(4, 2), r(2))
case("multi_dot 2", lambda a, b: L.multi_dot([a, b]), r(3), r(3, 4))
case("linalg cross", L.cross, r(2, 3), r(3))
case("ldiag", lambda a: L.diagonal(a, offset=1), r(2, 3, 3))
case("ltrace", lambda a: L.trace(a, offset=-1), r(2, 3, 3))
case("louter", L.outer, r(2), r(3, kind="c"))
case("lmatmul", L.matmul, r(2, 3), r(3, 2))
case("ltensordot", lambda a, b: L.tensordot(a, b, axes=1), r(2, 3), r(3, 2))
case("lvecdot", L.vecdot, r(2, 3, kind="c"), r(3, kind="c"))
case("lmt", L.matrix_transpose, r(2, 3, 4))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)


# --- any sentence ---------------------------------------------------------------------------------------------------------------


@st.composite
def sentences(draw):
    """A sentence of one to three operands, with repeated letters, letters of one operand alone, and axes of length 1."""
    sizes = {c: draw(st.integers(0, 3)) for c in "ijkl"}
    ins = draw(st.lists(st.text("ijkl", max_size=3), min_size=1, max_size=3))
    known = sorted(set("".join(ins)))
    out = "".join(draw(st.lists(st.sampled_from(known), unique=True))) if known else ""
    thin = [[draw(st.booleans()) and letters.count(c) == 1 for c in letters] for letters in ins]
    shapes = [
        tuple(1 if t else sizes[c] for c, t in zip(letters, flags, strict=True))
        for letters, flags in zip(ins, thin, strict=True)
    ]
    return f"{','.join(ins)}->{out}", shapes


@given(sentences(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_einsum_of_any_sentence(sentence_and_shapes, seed):
    check_sentence(*sentence_and_shapes, seed)


@pytest.mark.parametrize(
    "sentence",
    ["ab,bc->ac", "ab,ac->ba", "abc,dbc->da", "ab,ca->", "ab,bc,cd->ad", "ab,cd,ef->ace", "abi,bcj,ij->ac", "ab,bc,cd,da->",
     "ab,ac,ad->bcd", "ab,bc,ab->c", "ab,bc,cd,de,ef->af"],
)  # fmt: skip
def test_einsum_of_larger_arrays(sentence):
    """These are put together two at a time; small ones in one loop."""
    sizes = dict(zip("abcdefij", (7, 8, 9, 6, 4, 5, 3, 6), strict=True))
    shapes = [tuple(sizes[c] for c in letters) for letters in sentence.split("->")[0].split(",")]
    check_sentence(sentence, shapes, seed=0)
    transposed = [tuple(reversed(shape)) for shape in shapes]  # other shapes of the same sentence have another order
    ins, out = sentence.split("->")
    check_sentence(f"{','.join(letters[::-1] for letters in ins.split(','))}->{out}", transposed, seed=1)


def check_sentence(sentence, shapes, seed):
    rng = np.random.default_rng(seed)
    xs = [np.asarray(rng.standard_normal(shape)) for shape in shapes]
    dxs = [np.asarray(rng.standard_normal(shape)) for shape in shapes]
    y, dy = wg.jvp(lambda *xs: np.einsum(sentence, *xs), xs, dxs)
    np.testing.assert_allclose(y, np.einsum(sentence, *xs), rtol=1e-12, atol=1e-12)
    terms = [np.einsum(sentence, *xs[:k], dxs[k], *xs[k + 1 :]) for k in range(len(xs))]  # the product rule
    np.testing.assert_allclose(dy, sum(terms), rtol=1e-12, atol=1e-12)
    ct = np.asarray(rng.standard_normal(np.shape(y)))
    pulled = wg.vjp(lambda *xs: np.einsum(sentence, *xs), *xs)[1](ct)
    work = sum(np.sum(p * d) for p, d in zip(pulled, dxs, strict=True))
    np.testing.assert_allclose(work, np.sum(ct * dy), rtol=1e-11, atol=1e-11)


def test_products_keep_every_nan_of_the_value_and_strong_zeros_in_derivatives():
    a, b = np.array([[np.inf, 1.0]]), np.array([[0.0], [2.0]])
    with np.errstate(invalid="ignore"):
        y, dy = wg.jvp(lambda b: np.matmul(a, b), (b,), (np.array([[0.0], [1.0]]),))
        assert np.isnan(y).all()
        np.testing.assert_array_equal(dy, [[1.0]])
        chosen = np.arange(2) > 0
        g = wg.grad(lambda b: np.sum(np.where(chosen, np.matmul(np.transpose(a), b)[:, 0], 0.0)))(np.zeros((1, 1)))
    np.testing.assert_array_equal(g, [[1.0]])


def test_the_derivative_of_a_vector_product_has_strong_zeros():
    a, b = np.array([np.inf, 1.0, 2.0]), np.zeros(3)
    with np.errstate(invalid="ignore"):
        _, dy = wg.jvp(lambda b: np.cross(a, b), (b,), (np.array([1.0, 0.0, 0.0]),))
        g = wg.grad(lambda b: np.cross(a, b)[0])(b)
    np.testing.assert_array_equal(dy, [0.0, 2.0, -1.0])
    np.testing.assert_array_equal(g, [0.0, -2.0, 1.0])


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 3), (3, 2)])
def test_the_vector_product_of_a_vector_in_the_plane_has_a_third_entry_of_zero(n, m):
    a, b = r(4, n), r(m)
    y, (da, db) = wg.value_and_grad(lambda a, b: np.sum(np.cross(a, b) ** 2), argnums=(0, 1))(a, b)
    in_space = np.pad(a, ((0, 0), (0, 3 - n))), np.pad(b, (0, 3 - m))
    expected, (da_in_space, db_in_space) = wg.value_and_grad(lambda a, b: np.sum(np.cross(a, b) ** 2), argnums=(0, 1))(*in_space)
    np.testing.assert_allclose(y, expected, rtol=1e-13)
    np.testing.assert_allclose(da, da_in_space[:, :n], rtol=1e-12)
    np.testing.assert_allclose(db, db_in_space[:m], rtol=1e-12)


def test_a_vector_product_depends_on_the_other_two_entries():
    a = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(wg.sparsity(lambda b: np.cross(a, b))(a).toarray(), 1 - np.eye(3))
    with pytest.raises(np.exceptions.AxisError):
        wg.grad(lambda b: np.cross(a, b, axisc=1)[0])(a)


def test_matrix_power_and_multi_dot_at_the_edges():
    a = r(3, 3)
    y, dy = wg.jvp(lambda a: L.matrix_power(a, 0), (a,), (a,))
    np.testing.assert_array_equal(y, np.eye(3))
    np.testing.assert_array_equal(dy, np.zeros((3, 3)))
    chain = [r(10, 2), r(2, 10), r(10, 2)]
    np.testing.assert_allclose(
        wg.jvp(lambda x: L.multi_dot([x, *chain[1:]]), (chain[0],), (chain[0],))[1], L.multi_dot(chain), rtol=1e-12
    )
