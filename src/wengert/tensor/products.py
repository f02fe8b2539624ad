"""Products of matrices and their relatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.errors import ShapeError, page
from wengert.primitives.contraction import matrix_product
from wengert.tensor import arithmetic
from wengert.tensor.dtypes import promoted
from wengert.tensor.reductions import norm, sum
from wengert.tensor.shapes import transpose
from wengert.tensor.traced import TAPE, Tensor, as_dtype, method, operand


def _product(ufunc: Any, ranks: tuple[int, int] | None = None) -> Callable[[Any, Any], Any]:
    """A product of two tensors; PyTorch has a name for each pair of ranks, and refuses others."""
    front, is_matmul = FRONT[ufunc], ufunc is np.matmul

    def product(input: Any, other: Any) -> Any:
        a = input if type(input) is Tensor else operand(input)
        b = other if type(other) is Tensor else operand(other)
        if a.dtype is not b.dtype:
            dtype = promoted(a.dtype, b.dtype)
            a, b = as_dtype(a, dtype), as_dtype(b, dtype)
        if ranks is not None and (len(a.shape), len(b.shape)) != ranks:
            raise ShapeError(
                page(
                    f"a product of tensors with {len(a.shape)} and {len(b.shape)} axes, where {ranks[0]} and {ranks[1]} are needed.",
                    "This product is for one pair of ranks.",
                    "a @ b   # for any",
                    "shape",
                )
            )
        if is_matmul and type(a) is Tensor is type(b) and len(a.value.shape) > 1 < len(b.value.shape):
            return TAPE.two(matrix_product, a.value, b.value, a.extra, b.extra)
        return front(a, b)

    return product


matmul = _product(np.matmul)
mm, bmm, mv = _product(np.matmul, (2, 2)), _product(np.matmul, (3, 3)), _product(np.matmul, (2, 1))
dot, vdot = _product(np.matmul, (1, 1)), _product(np.vdot, (1, 1))
outer, kron = _product(np.outer, (1, 1)), _product(np.kron)
inner = _product(np.inner)
ger = outer
Tensor.__matmul__ = matmul  # type: ignore[method-assign]
Tensor.__rmatmul__ = lambda self, other: matmul(other, self)  # type: ignore[method-assign]


def einsum(equation: str, *operands: Any) -> Any:
    """Sums of products of entries, as the letters say."""
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    return FRONT[np.einsum](equation, *map(operand, tensors))


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sums of products over pairs of axes."""
    return FRONT[np.tensordot](a, b, dims)


def cross(input: Any, other: Any, dim: int = -1) -> Any:
    """The vector product."""
    return FRONT[np.cross](input, other, axis=dim)


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`β input + α mat1 @ mat2`."""
    return arithmetic.add(_times(input, beta), _times(mm(mat1, mat2), alpha))


def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`β input + α mat @ vec`."""
    return arithmetic.add(_times(input, beta), _times(mv(mat, vec), alpha))


def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """`β input + α batch1 @ batch2`, matrix by matrix."""
    return arithmetic.add(_times(input, beta), _times(bmm(batch1, batch2), alpha))


def _times(x: Any, factor: Any) -> Any:
    return x if factor == 1 else arithmetic.mul(x, factor)


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """`x Wᵀ + b`, as `torch.nn.functional.linear`."""
    y = matmul(input, transpose(weight, -1, -2))
    return y if bias is None else arithmetic.add(y, bias)


def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    return FRONT[np.trace](input)


def det(input: Any) -> Any:
    """The determinant of each matrix."""
    return FRONT[np.linalg.det](input)


def logdet(input: Any) -> Any:
    """The logarithm of the determinant of each matrix; NaN where that is negative."""
    sign, logarithm = FRONT[np.linalg.slogdet](input)
    return np.where(arithmetic.lt(sign, 0), np.nan, logarithm)


def inverse(input: Any) -> Any:
    """The inverse of each matrix."""
    return FRONT[np.linalg.inv](input)


def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The norm of the difference."""
    return norm(arithmetic.sub(input, other), p)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between vectors along an axis."""
    lengths = arithmetic.mul(arithmetic.clamp(norm(x1, 2, dim), eps), arithmetic.clamp(norm(x2, 2, dim), eps))
    return arithmetic.true_divide(sum(arithmetic.mul(x1, x2), dim), lengths)


for _name in ["matmul", "mm", "bmm", "mv", "dot", "vdot", "outer", "ger", "inner", "kron", "addmm", "addmv", "baddbmm", "cross", "trace", "det", "logdet", "inverse", "dist"]:
    method(_name)(globals()[_name])
