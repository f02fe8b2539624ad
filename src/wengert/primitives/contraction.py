"""The contraction family: sums of products, said by an index sentence; transposing swaps letters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.array import implements
from wengert.core.pattern import Pattern
from wengert.core.primitive import Params, Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import as_operand, common_dtype, equalize_ranks
from wengert.primitives.blank import blank_of_matrices, blank_of_sentence
from wengert.primitives.families import multilinear
from wengert.primitives.index import get_item
from wengert.primitives.strong import strong_contraction
from wengert.primitives.structure import cast, conjugate, reshape, spread, sum_to, swap_last


@lru_cache(maxsize=4096)
def parts_of(sentence: str) -> tuple[tuple[str, ...], str]:
    """`"ij,jk->ik"` as its operands' letters and its result's."""
    left, right = sentence.split("->")
    return tuple(left.split(",")), right


@lru_cache(maxsize=4096)
def _matmul_plan(sentence: str) -> tuple[Any, ...] | None:
    """How to say a two-operand sentence as one `matmul`; `None` where einsum is as good."""
    (a, b), out = parts_of(sentence)
    shared = [c for c in a if c in b]
    batch = [c for c in shared if c in out]
    inner = [c for c in shared if c not in out]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]
    if not inner or any(c not in out for c in rows + columns):
        return None
    order = [*batch, *rows, *columns]
    return (
        tuple(a.index(c) for c in [*batch, *rows, *inner]),
        tuple(b.index(c) for c in [*batch, *inner, *columns]),
        len(batch), len(rows), len(inner), tuple(order.index(c) for c in out),
    )  # fmt: skip


_DIRECT: dict[str, Any] = {  # vectors and matrices are frequent and small: no planning for them
    "i,i->": np.dot,
    ",i->i": np.multiply,
    "ij,j->i": np.matmul,
    "i,ij->j": np.matmul,
    "i,j->ij": np.multiply.outer,
    "ij,jk->ik": np.matmul,
}


@lru_cache(maxsize=4096)
def _renamed(sentence: str) -> str:
    """The same sentence in the letters i, j, k, ... in the order in which they appear."""
    letters = dict.fromkeys(c for c in sentence if c.isalpha())
    if len(letters) > 18:
        return sentence
    return sentence.translate({ord(c): ord("i") + k for k, c in enumerate(letters)})


@lru_cache(maxsize=4096)
def _steps(sentence: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[tuple[tuple[int, ...], str], ...]:
    """Which operands to put together, by which sentence, one pair after another; nothing where one loop is as quick.

    NumPy's own search for a good order takes longer than most products, so what it found is remembered.
    """
    ins, out = parts_of(sentence)
    sizes = {c: n for letters, shape in zip(ins, shapes, strict=True) for c, n in zip(letters, shape, strict=True)}
    if len(ins) == 1 or math.prod(sizes.values()) <= _ONE_LOOP:
        return ()
    if len(ins) == 2:
        return (((1, 0), sentence),)
    path = np.einsum_path(sentence, *[np.broadcast_to(0.0, shape) for shape in shapes], optimize="greedy")[0][1:]
    left, steps = list(ins), []
    for chosen in path if len(path) > 1 else []:
        places = tuple(sorted(chosen, reverse=True))
        taken = [left.pop(k) for k in places]
        needed = set(out).union(*left)
        result = "".join(dict.fromkeys(c for c in "".join(taken) if c in needed)) if left else out
        steps.append((places, _renamed(f"{','.join(taken)}->{result}")))
        left.append(result)
    return tuple(steps)


_ONE_LOOP = 1000  # products in all; fewer are computed before anything has been planned


def _evaluate(*xs: Any, sentence: str) -> Any:
    direct = _DIRECT.get(sentence)
    if direct is not None:
        return direct(*xs)
    if not all(type(x) is np.ndarray for x in xs):
        return np.einsum(sentence, *xs, optimize=len(xs) > 2)
    steps = _steps(sentence, tuple([x.shape for x in xs]))
    if not steps:
        return np.einsum(sentence, *xs)
    if len(xs) == 2:
        return _by_matmul(*xs, sentence=sentence)
    left = list(xs)
    for places, step in steps:
        left.append(_evaluate(*[left.pop(k) for k in places], sentence=step))
    return left[0]


def _by_matmul(a: Any, b: Any, sentence: str) -> Any:
    plan = _matmul_plan(sentence)
    if plan is None:
        return np.einsum(sentence, a, b)
    order_a, order_b, n_batch, n_rows, n_inner, order_out = plan
    a, b = a.transpose(order_a), b.transpose(order_b)
    head, rows, inner = a.shape[:n_batch], a.shape[n_batch : n_batch + n_rows], a.shape[n_batch + n_rows :]
    columns = b.shape[n_batch + n_inner :]
    size = math.prod(inner)
    left = a.reshape(*head, math.prod(rows), size)
    right = b.reshape(*head, size, math.prod(columns))
    return np.matmul(left, right).reshape((*head, *rows, *columns)).transpose(order_out)[()]


def _contract(*xs: Any, sentence: str) -> Any:
    return strong_contraction(lambda *args: _evaluate(*args, sentence=sentence), xs)


@lru_cache(maxsize=4096)
def _adjoint_sentence(slot: int, sentence: str) -> tuple[str, tuple[bool, ...]]:
    """The sentence of the adjoint, and which letters of the operand somebody else has as well."""
    ins, out = parts_of(sentence)
    others = [letters for k, letters in enumerate(ins) if k != slot]
    known = set(out).union(*others)
    kept = "".join(c for c in ins[slot] if c in known)
    return _renamed(f"{','.join([out, *others])}->{kept}"), tuple(c in known for c in ins[slot])


def _contract_adjoint(slot: int, ct: Any, *xs: Any, sentence: str) -> Any:
    adjoint, is_known = _adjoint_sentence(slot, sentence)
    factors = [x if x.dtype.kind != "c" else conjugate(x) for k, x in enumerate(xs) if k != slot]
    piece = contract(ct, *factors, sentence=adjoint)
    if not all(is_known):  # a letter that only this operand had was summed: its cotangent is the same all along it
        shape = tuple(xs[slot].shape)
        piece = reshape(piece, shape=tuple(n if known else 1 for n, known in zip(shape, is_known, strict=True)))
        piece = spread(piece, shape=shape)
    return piece


def _contract_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    return contract(*xs, sentence=_batched_sentence(is_batched, params))


def _einsum_batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> Any:
    return einsum_of(*xs, sentence=_batched_sentence(is_batched, params))


def _batched_sentence(is_batched: Sequence[bool], params: Params) -> str:
    ins, out = parts_of(params["sentence"])
    letter = next(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in params["sentence"])
    named = [letter + letters if b else letters for letters, b in zip(ins, is_batched, strict=True)]
    return f"{','.join(named)}->{letter}{out}"


def _contract_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    ins, out = parts_of(params["sentence"])
    sizes = {c: n for letters, x in zip(ins, xs, strict=True) for c, n in zip(letters, np.shape(x), strict=True)}
    both = "".join(dict.fromkeys(out + ins[slot]))
    n = math.prod([sizes[c] for c in both])
    grid = dict(zip(both, np.indices([sizes[c] for c in both]).reshape(len(both), n), strict=True))

    def flat(letters: str) -> Any:
        if not letters or not n:
            return np.zeros(n, int)
        return np.ravel_multi_index([grid[c] for c in letters], [sizes[c] for c in letters])

    return Pattern(flat(out), flat(ins[slot]), (np.size(y), np.size(xs[slot])))


contract = multilinear(
    "contract",
    _contract,
    _contract_adjoint,
    batch=_contract_batch,
    pattern=_contract_pattern,
    laws=lambda make: [
        ((make(2, 3), make(3, 4)), {"sentence": "ij,jk->ik"}),
        ((make(2, 3), make(2, 3)), {"sentence": "ij,ij->j"}),
        ((make(2, 3),), {"sentence": "ij->i"}),
        ((make(2), make(3), make(2, 3)), {"sentence": "i,j,ij->j"}),
    ],
)

einsum_of = multilinear(
    "einsum",
    _evaluate,
    _contract_adjoint,
    batch=_einsum_batch,
    pattern=_contract_pattern,
    derivative=contract,  # a value shows every NaN; only derivatives have strong zeros
    laws=lambda make: [
        ((make(2, 3), make(4, 3)), {"sentence": "ij,kj->ki"}),
        ((make(3), make(3)), {"sentence": "i,i->"}),
        ((make(2, 3), make(3, 2), make(2)), {"sentence": "ij,jk,k->i"}),
    ],
)


contract.blank = einsum_of.blank = lambda xs, params: blank_of_sentence(
    parts_of(params["sentence"]), _matmul_plan(params["sentence"]) if len(xs) == 2 else None, xs
)


def _matmul_adjoint(slot: int, ct: Any, a: Any, b: Any) -> Any:
    if type(ct) is type(a) is type(b) is np.ndarray and ct.ndim == a.ndim == b.ndim == 2 and ct.dtype.kind == "f":
        pair = (ct, b.T) if slot == 0 else (a.T, ct)  # the usual case, without the calls that would find it out
        return strong_contraction(np.matmul, pair)
    if slot == 0:
        return sum_to(strong_matmul(ct, adjoint_matrix(b)), a.shape)
    return sum_to(strong_matmul(adjoint_matrix(a), ct), b.shape)


def adjoint_matrix(x: Any) -> Any:
    """The conjugate transpose of the last two axes."""
    turned = x.swapaxes(-1, -2) if type(x) is np.ndarray else swap_last(x)  # half of a small product's cost otherwise
    return conjugate(turned) if turned.dtype.kind == "c" else turned


def _matmul_pattern(slot: int, y: Any, xs: Sequence[Any], params: Params) -> Pattern:
    x = xs[slot]
    here = np.arange(np.size(x)).reshape(np.shape(x))  # row, inner or inner, column
    outputs = np.arange(np.size(y)).reshape(np.shape(y))[..., None]  # row, column, inner
    inputs = here[..., :, None, :] if slot == 0 else np.swapaxes(here, -1, -2)[..., None, :, :]
    outputs, inputs = np.broadcast_arrays(outputs, inputs)
    return Pattern(outputs, inputs, (np.size(y), np.size(x)))


_MATMUL_LAWS: dict[str, Any] = {
    "pattern": _matmul_pattern,
    "laws": lambda make: [((make(2, 3), make(3, 4)), {}), ((make(5, 2, 3), make(3, 2)), {}), ((make(0, 3), make(3, 2)), {})],
}
matrix_product: Primitive = multilinear(
    "matmul", np.matmul, _matmul_adjoint, derivative=lambda a, b: strong_matmul(a, b), formula="a @ b",
    batch=lambda xs, is_batched, params: matrix_product(*equalize_ranks(xs, is_batched)), **_MATMUL_LAWS,
)
strong_matmul: Primitive = multilinear(
    "matmul_of_derivatives",
    lambda a, b: strong_contraction(np.matmul, (a, b)),
    _matmul_adjoint,
    formula="a @ b",
    batch=lambda xs, is_batched, params: strong_matmul(*equalize_ranks(xs, is_batched)),
    **_MATMUL_LAWS,
)


matrix_product.blank = strong_matmul.blank = blank_of_matrices

_VECTOR_SENTENCES = {(1, 1): "i,i->", (2, 1): "ij,j->i", (1, 2): "i,ij->j"}


@implements(np.matmul)
def matmul(a: Any, b: Any) -> Any:
    """`a @ b` with NumPy's rules for vectors and stacks of matrices."""
    a, b = as_operand(a), as_operand(b)
    if len(a.shape) == 0 or len(b.shape) == 0:
        msg = "matmul: Input operand does not have enough dimensions (a scalar); use * instead"
        raise ValueError(msg)
    if a.dtype is not b.dtype:
        dtype = common_dtype((a, b))
        a, b = (cast(x, dtype=dtype) if isinstance(x, Tracer) and x.dtype != dtype else x for x in (a, b))
    sentence = _VECTOR_SENTENCES.get((len(a.shape), len(b.shape)))
    if sentence is not None:
        if a.shape[-1] != b.shape[0]:
            msg = f"matmul: the last axis of the first operand has length {a.shape[-1]}, the first of the second {b.shape[0]}"
            raise ValueError(msg)
        return einsum_of(a, b, sentence=sentence)
    row, column = len(a.shape) == 1, len(b.shape) == 1
    a = reshape(a, shape=(1, a.shape[0])) if row else a
    b = reshape(b, shape=(b.shape[0], 1)) if column else b
    product = matrix_product(a, b)
    if row:
        product = get_item(product, (Ellipsis, 0, slice(None)))
    return get_item(product, (Ellipsis, 0)) if column else product
