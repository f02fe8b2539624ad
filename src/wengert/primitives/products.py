"""Products of vectors, matrices and tensors: each is an index sentence, a matrix product, or a convolution."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from wengert.core.array import implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import as_operand, common_dtype, equalize_ranks
from wengert.primitives.blank import blank_of_vectors
from wengert.primitives.contraction import einsum_of, matmul
from wengert.primitives.elementwise import scaled
from wengert.primitives.families import multilinear
from wengert.primitives.index import get_item
from wengert.primitives.pattern import dense_pattern
from wengert.primitives.rearranging import diagonal
from wengert.primitives.shaping import boxed, flatten, into, named, reshape_to, to_dtype
from wengert.primitives.solving import assert_square
from wengert.primitives.strong import strong_contraction, strong_product
from wengert.primitives.structure import sum_to

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def operands(*xs: Any) -> list[Any]:
    """Arrays, the traced ones under the common dtype."""
    arrays = [as_operand(x) for x in xs]
    arrays = [x if hasattr(x, "shape") else np.asarray(x) for x in arrays]
    dtype = common_dtype(arrays)
    return [to_dtype(x, dtype) if isinstance(x, Tracer) else x for x in arrays]


def contracted(a: Any, b: Any, axes_a: Sequence[int], axes_b: Sequence[int]) -> Any:
    """The sum over pairs of axes; what is left of `a` comes before what is left of `b`."""
    names = list(LETTERS[: len(a.shape)])
    others = list(LETTERS[len(a.shape) : len(a.shape) + len(b.shape)])
    for i, j in zip(axes_a, axes_b, strict=True):
        others[j] = names[i]
    shared = {names[i] for i in axes_a}
    left = "".join(c for c in names + others if c not in shared)
    return einsum_of(a, b, sentence=f"{''.join(names)},{''.join(others)}->{left}")


# --- vectors and matrices -----------------------------------------------------------------------------------------


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """The last axis of `a` against the last but one of `b`."""
    a, b = operands(a, b)
    if not a.shape or not b.shape:
        return into(out, np.multiply(a, b))
    i, j = len(a.shape) - 1, max(len(b.shape) - 2, 0)
    if len(b.shape) <= 2 and a.shape[i] == b.shape[j]:
        return into(out, matmul(a, b))
    _same_length(a, b, i, j)
    return into(out, contracted(a, b, [i], [j]))


def _same_length(a: Any, b: Any, i: int, j: int) -> None:
    if a.shape[i] != b.shape[j]:
        msg = f"shapes {tuple(a.shape)} and {tuple(b.shape)} not aligned: {a.shape[i]} (dim {i}) != {b.shape[j]} (dim {j})"
        raise ValueError(msg)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """`conj(a) · b` of all entries."""
    a, b = operands(a, b)
    return dot(flatten(np.conjugate(a) if a.dtype.kind == "c" else a), flatten(b))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """The last axes against one another."""
    a, b = operands(a, b)
    if not a.shape or not b.shape:
        return np.multiply(a, b)
    _same_length(a, b, len(a.shape) - 1, len(b.shape) - 1)
    return contracted(a, b, [len(a.shape) - 1], [len(b.shape) - 1])


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Every entry of `a` times every entry of `b`."""
    a, b = operands(a, b)
    return into(out, einsum_of(flatten(a), flatten(b), sentence="i,j->ij"))


@implements(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    """The outer product of two vectors."""
    x1, x2 = operands(x1, x2)
    if len(x1.shape) != 1 or len(x2.shape) != 1:
        msg = f"Input arrays must be one-dimensional, but they are {len(x1.shape)}-D and {len(x2.shape)}-D"
        raise ValueError(msg)
    return outer(x1, x2)


implements(np.linalg.matmul)(matmul)


def _conjugated(x: Any) -> Any:
    return np.conjugate(x) if x.dtype.kind == "c" else x


@implements(*named("vecdot"), np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """`Σ conj(x1) x2` along an axis."""
    x1, x2 = operands(x1, x2)
    x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    return _broadcast_sentence(_conjugated(x1), x2, 1, 1, "i,i->")


@implements(*named("matvec"))
def matvec(x1: Any, x2: Any, /) -> Any:
    """Matrices times vectors, in the last axes."""
    x1, x2 = operands(x1, x2)
    return _broadcast_sentence(x1, x2, 2, 1, "ij,j->i")


@implements(*named("vecmat"))
def vecmat(x1: Any, x2: Any, /) -> Any:
    """Conjugated vectors times matrices, in the last axes."""
    x1, x2 = operands(x1, x2)
    return _broadcast_sentence(_conjugated(x1), x2, 1, 2, "i,ij->j")


def _broadcast_sentence(a: Any, b: Any, rank_a: int, rank_b: int, sentence: str) -> Any:
    """A sentence about the last axes, the ones before broadcast."""
    if len(a.shape) < rank_a or len(b.shape) < rank_b:
        msg = "Input operand does not have enough dimensions"
        raise ValueError(msg)
    (left, right), out = sentence.split("->")[0].split(","), sentence.split("->")[1]
    return np.einsum(f"...{left},...{right}->...{out}", a, b)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """The matrix multiplied by itself `n` times, by squaring; a negative `n` inverts first."""
    assert_square(a)
    n = operator.index(n)
    if n < 0:
        return matrix_power(np.linalg.inv(a), -n)
    if n == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype)
    square, result = a, None
    while True:
        n, odd = divmod(n, 2)
        if odd:
            result = square if result is None else matmul(result, square)
        if not n:
            return result
        square = matmul(square, square)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """A chain of matrix products, in the order that needs the fewest multiplications."""
    parts = list(arrays)
    if len(parts) < 2:
        msg = "Expecting at least two arrays."
        raise ValueError(msg)
    if len(parts) > 2 and any(len(x.shape) != 2 for x in parts[1:-1]) or any(len(x.shape) not in {1, 2} for x in parts):
        msg = "multi_dot takes matrices, and vectors at its ends"
        raise np.linalg.LinAlgError(msg)
    sizes = [1 if len(parts[0].shape) == 1 else parts[0].shape[0], *[x.shape[-1] for x in parts[:-1]]]
    sizes.append(1 if len(parts[-1].shape) == 1 else parts[-1].shape[1])
    n = len(parts)
    cost = [[0] * n for _ in range(n)]
    cut = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i][j], cut[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def product(i: int, j: int) -> Any:
        return parts[i] if i == j else dot(product(i, cut[i][j]), product(cut[i][j] + 1, j))

    return into(out, product(0, n - 1))


# --- tensors ----------------------------------------------------------------------------------------------------------


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum over the last `axes` axes of `a` and the first of `b`, or over two lists of axes."""
    a, b = operands(a, b)
    if np.ndim(axes) == 0:
        count = int(axes)
        axes_a, axes_b = list(range(len(a.shape) - count, len(a.shape))), list(range(count))
    else:
        axes_a, axes_b = ([int(k) for k in np.atleast_1d(part)] for part in axes)
    axes_a, axes_b = [k % len(a.shape) for k in axes_a], [k % len(b.shape) for k in axes_b]
    if len(axes_a) != len(axes_b) or any(a.shape[i] != b.shape[j] for i, j in zip(axes_a, axes_b, strict=True)):
        msg = "shape-mismatch for sum"
        raise ValueError(msg)
    return boxed(contracted(a, b, axes_a, axes_b))


@implements(np.linalg.tensordot)
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """The sum over pairs of axes."""
    return tensordot(x1, x2, axes)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Each entry of `a` replaced by itself times `b`."""
    a, b = operands(a, b)
    rank = max(len(a.shape), len(b.shape))
    shape_a = (1,) * (rank - len(a.shape)) + tuple(a.shape)
    shape_b = (1,) * (rank - len(b.shape)) + tuple(b.shape)
    spread_a = np.reshape(a, tuple(n for pair in zip(shape_a, (1,) * rank, strict=True) for n in pair))
    spread_b = np.reshape(b, tuple(n for pair in zip((1,) * rank, shape_b, strict=True) for n in pair))
    return reshape_to(np.multiply(spread_a, spread_b), tuple(m * n for m, n in zip(shape_a, shape_b, strict=True)))


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """The sum along a diagonal."""
    return into(out, np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype))


@implements(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sum along the diagonals of the matrices in the last two axes."""
    return trace(x, offset, -2, -1, dtype)


# --- einsum -----------------------------------------------------------------------------------------------------------


@implements(np.einsum)
def einsum(
    *words: Any, out: Any = None, optimize: Any = False, dtype: Any = None, order: str = "K", casting: str = "safe"
) -> Any:
    """The sum of products that an index sentence says."""
    subscripts, xs = _as_sentence(words)
    xs = operands(*xs)
    if dtype is not None:
        xs = [to_dtype(x, dtype) for x in xs]
    ins, result = _complete(subscripts, tuple([len(x.shape) for x in xs]))
    sizes: dict[str, int] = {}
    for letters, x in zip(ins, xs, strict=True):
        for c, n in zip(letters, x.shape, strict=True):
            if sizes.setdefault(c, n) in {n, 1}:
                sizes[c] = n
            elif n != 1:
                msg = f"einsum: the axes named {c!r} have lengths {sizes[c]} and {n}"
                raise ValueError(msg)
    plain = [_without_repeats(letters, x, sizes) for letters, x in zip(ins, xs, strict=True)]
    sentence = f"{','.join(letters for letters, _ in plain)}->{result}"
    if len(plain) == 1 and sorted(plain[0][0]) == sorted(result):
        return into(out, np.transpose(plain[0][1], [plain[0][0].index(c) for c in result]))
    return into(out, einsum_of(*[x for _, x in plain], sentence=sentence))


def _as_sentence(words: Sequence[Any]) -> tuple[str, list[Any]]:
    """Both ways of writing: a string and arrays, or arrays each with a list of numbers."""
    if isinstance(words[0], str):
        return words[0].replace(" ", ""), list(words[1:])
    pairs = [(words[k], words[k + 1]) for k in range(0, len(words) - 1, 2)]
    spell = {k: LETTERS[26:][k] if k < 26 else LETTERS[k - 26] for k in range(52)}  # order of numbers, of letters
    texts = ["".join("..." if c is Ellipsis else spell[int(c)] for c in letters) for _, letters in pairs]
    sentence = ",".join(texts)
    if len(words) % 2:
        sentence += "->" + "".join("..." if c is Ellipsis else spell[int(c)] for c in words[-1])
    return sentence, [x for x, _ in pairs]


@lru_cache(maxsize=4096)
def _complete(subscripts: str, ranks: tuple[int, ...]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, ellipses and the implicit result written out."""
    left, arrow, right = subscripts.partition("->")
    ins = left.split(",")
    if len(ins) != len(ranks):
        msg = f"einsum: the sentence {subscripts!r} names {len(ins)} operands, and {len(ranks)} were given"
        raise ValueError(msg)
    free = [c for c in reversed(LETTERS) if c not in subscripts]
    hidden = [
        rank - len(letters.replace("...", "")) if "..." in letters else 0
        for letters, rank in zip(ins, ranks, strict=True)
    ]
    dots = "".join(free[: max(hidden)])
    for letters, rank, n in zip(ins, ranks, hidden, strict=True):
        if n < 0 or "..." not in letters and len(letters) != rank:
            msg = f"einsum: the operand named {letters!r} has {rank} axes"
            raise ValueError(msg)
    full = [letters.replace("...", dots[len(dots) - n :]) for letters, n in zip(ins, hidden, strict=True)]
    if arrow:
        return full, right.replace("...", dots)
    once = sorted(c for c in set(left) - set(".,") if left.count(c) == 1)
    return full, dots + "".join(once)


def _without_repeats(letters: str, x: Any, sizes: dict[str, int]) -> tuple[str, Any]:
    """One operand with each letter once, by diagonals, and without the axes of length 1 that broadcast."""
    for c in dict.fromkeys(letters):
        while letters.count(c) > 1:
            i, j = letters.index(c), letters.rindex(c)
            x = np.diagonal(x, 0, i, j)
            letters = letters[:i] + letters[i + 1 : j] + letters[j + 1 :] + c
    thin = [k for k, c in enumerate(letters) if x.shape[k] == 1 and sizes[c] != 1]
    if thin:
        x = np.squeeze(x, tuple(thin))
        letters = "".join(c for k, c in enumerate(letters) if k not in thin)
    return letters, x


# --- cross ------------------------------------------------------------------------------------------------------------

_NEXT, _LAST = [1, 2, 0], [2, 0, 1]  # the other two of three entries, in order


def _strong_cross(a: Any, b: Any) -> Any:
    return strong_product(a[..., _NEXT], b[..., _LAST]) - strong_product(a[..., _LAST], b[..., _NEXT])


def _cross_adjoint(slot: int, ct: Any, a: Any, b: Any) -> Any:
    """`ct · (da × b) = (b × ct) · da`, and `ct · (a × db) = (ct × a) · db`."""
    if slot == 0:
        return sum_to(strong_cross(_conjugated(b), ct), tuple(a.shape))
    return sum_to(strong_cross(ct, _conjugated(a)), tuple(b.shape))


def _cross_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    x = xs[slot]
    here = np.broadcast_to(np.arange(np.size(x)).reshape(np.shape(x)), np.shape(y))
    outputs = np.arange(np.size(y)).reshape(np.shape(y))
    both = np.stack([outputs, outputs]), np.stack([here[..., _NEXT], here[..., _LAST]])
    return Pattern(*both, (np.size(y), np.size(x)))


_CROSS: dict[str, Any] = {
    "pattern": _cross_pattern,
    "formula": "a × b",
    "laws": lambda make: [((make(3), make(3)), {}), ((make(2, 3), make(3)), {}), ((make(2, 1, 3), make(4, 3)), {})],
}
vector_product: Primitive = multilinear(
    "cross", np.cross, _cross_adjoint, derivative=lambda a, b: strong_cross(a, b),
    batch=lambda xs, is_batched, params: vector_product(*equalize_ranks(xs, is_batched)), **_CROSS,
)  # fmt: skip
strong_cross: Primitive = multilinear(
    "cross_of_derivatives", _strong_cross, _cross_adjoint,
    batch=lambda xs, is_batched, params: strong_cross(*equalize_ranks(xs, is_batched)), **_CROSS,
)  # fmt: skip
vector_product.blank, strong_cross.blank = blank_of_vectors(np.cross), blank_of_vectors(_strong_cross)


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product in three dimensions; its last entry for vectors in the plane."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = operands(a, b)
    a = a if axisa == -1 and len(a.shape) else np.moveaxis(a, axisa, -1)
    b = b if axisb == -1 and len(b.shape) else np.moveaxis(b, axisb, -1)
    if a.shape[-1] not in {2, 3} or b.shape[-1] not in {2, 3}:
        msg = "incompatible dimensions for cross product\n(dimension must be 2 or 3)"
        raise ValueError(msg)
    if a.shape[-1] == b.shape[-1] == 3:
        product = vector_product(a, b)
        place, last_place = normalize_axis_index(axisc, len(product.shape)), len(product.shape) - 1
        return product if place == last_place else np.moveaxis(product, last_place, place)
    a0, a1, *a_rest = (a[..., k] for k in range(a.shape[-1]))
    b0, b1, *b_rest = (b[..., k] for k in range(b.shape[-1]))
    last = a0 * b1 - a1 * b0
    if not a_rest and not b_rest:
        return last
    # a missing third entry is 0, and is left out rather than multiplied
    parts = [-(a_rest[0] * b1), a_rest[0] * b0] if a_rest else [a1 * b_rest[0], -(a0 * b_rest[0])]
    return np.stack([*parts, last], normalize_axis_index(axisc, len(last.shape) + 1))


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """The vector product in three dimensions."""
    x1, x2 = operands(x1, x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        msg = f"Both input arrays must be (arrays of) 3-dimensional vectors, but they are {x1.shape[axis]} and {x2.shape[axis]} dimensional instead."
        raise ValueError(msg)
    return cross(x1, x2, axis=axis)


# --- convolution ------------------------------------------------------------------------------------------------------


def _convolve_last(a: Any, v: Any) -> Any:
    """`Σ_m a[m] v[k - m]` along the last axes, the ones before broadcast."""
    if np.ndim(a) == 1 and np.ndim(v) == 1:
        return np.convolve(a, v)
    head = np.broadcast_shapes(np.shape(a)[:-1], np.shape(v)[:-1])
    a, v = np.broadcast_to(a, (*head, a.shape[-1])), np.broadcast_to(v, (*head, v.shape[-1]))
    out = np.zeros((*head, a.shape[-1] + v.shape[-1] - 1), np.result_type(a, v))
    short, long = (a, v) if a.shape[-1] < v.shape[-1] else (v, a)
    for k in range(short.shape[-1]):
        out[..., k : k + long.shape[-1]] += short[..., k : k + 1] * long
    return out


def _convolve_adjoint(slot: int, ct: Any, a: Any, v: Any) -> Any:
    mine, other = (a, v) if slot == 0 else (v, a)
    n, m = mine.shape[-1], other.shape[-1]
    turned = np.flip(_conjugated(other), -1)
    return sum_to(get_item(strong_convolution(ct, turned), (Ellipsis, slice(m - 1, m - 1 + n))), tuple(mine.shape))


def _convolve_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    return convolution(*equalize_ranks(xs, is_batched))


convolution = multilinear(
    "convolve",
    _convolve_last,
    _convolve_adjoint,
    batch=_convolve_batch,
    pattern=dense_pattern,
    derivative=lambda a, v: strong_convolution(a, v),
    laws=lambda make: [((make(4), make(2)), {}), ((make(1), make(3)), {})],
)
strong_convolution: Primitive = multilinear(
    "convolve_of_derivatives",
    lambda a, v: strong_contraction(_convolve_last, (a, v)),
    _convolve_adjoint,
    batch=lambda xs, is_batched, params: strong_convolution(*equalize_ranks(xs, is_batched)),
    pattern=dense_pattern,
    laws=lambda make: [((make(4), make(2)), {})],
)


def _spell_convolution(times: Callable[..., Any]) -> Callable[..., Any]:
    """Windows of the longer factor times the shorter one backwards, summed; beyond the ends nothing is multiplied."""

    def value(a: Any, v: Any) -> Any:
        long, short = (a, v) if a.shape[-1] >= v.shape[-1] else (v, a)
        n, m = long.shape[-1], short.shape[-1]
        around = ((0, 0),) * (len(long.shape) - 1) + ((m - 1, m - 1),)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(long, around), m, axis=-1)
        places = np.arange(n + m - 1)[:, None] + np.arange(1 - m, 1)
        terms = times(windows, np.flip(short, -1)[..., None, :])
        return np.sum(np.where((places >= 0) & (places < n), terms, terms.dtype.type(0)), axis=-1)

    return value


convolution.spell(_spell_convolution(np.multiply))
strong_convolution.spell(_spell_convolution(scaled))


def _window(full: Any, n: int, m: int, mode: Any, start: int) -> Any:
    """The part of a full convolution of lengths `n` and `m` that a mode keeps."""
    modes = {0: "valid", 1: "same", 2: "full"}
    mode = modes.get(mode, mode)
    if mode == "full":
        return full
    if mode == "same":
        return get_item(full, slice(start, start + max(n, m)))
    if mode == "valid":
        return get_item(full, slice(min(n, m) - 1, max(n, m)))
    msg = f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})"
    raise ValueError(msg)


def _two_vectors(a: Any, v: Any) -> tuple[Any, Any, int, int]:
    a, v = operands(*[np.atleast_1d(as_operand(x)) for x in (a, v)])
    if len(a.shape) != 1 or len(v.shape) != 1 or not a.shape[0] or not v.shape[0]:
        msg = "object too deep for desired array" if a.shape[0] and v.shape[0] else "a cannot be empty"
        raise ValueError(msg)
    return a, v, a.shape[0], v.shape[0]


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """`Σ_m a[m] v[k - m]`."""
    a, v, n, m = _two_vectors(a, v)
    return _window(convolution(a, v), n, m, mode, (min(n, m) - 1) // 2)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """`Σ_m a[k + m] conj(v[m])`."""
    a, v, n, m = _two_vectors(a, v)
    full = convolution(a, np.flip(_conjugated(v)))
    return _window(full, n, m, mode, (m - 1) // 2 if n >= m else n // 2)
