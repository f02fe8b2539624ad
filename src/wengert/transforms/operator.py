"""The derivative at a point as a linear operator, with the interface of SciPy's `LinearOperator`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from wengert import trees
from wengert.core.graph import Graph
from wengert.errors import TreeError, page
from wengert.primitives.structure import cast, move_axis, reshape
from wengert.transforms.batch import batch_call
from wengert.transforms.differentiate import tangents_like
from wengert.transforms.jacobian import flat_size, matrix_action, require_holomorphic, size_of
from wengert.transforms.linearize import Linearization, as_array, finish_all, zeros_like
from wengert.transforms.record_graph import trace
from wengert.transforms.selection import Selection


class Operator:
    """A matrix that is known by what it does to vectors.

    `A @ v`, `A @ V`, `A.T`, `A.H`, `A + B`, `A - B`, `2 * A`, `A / 2`, `-A`, `A @ B`, `A**3` and `A.toarray()` mean what
    they mean for matrices; `B` is another operator, an array, a sparse matrix, or an operator of SciPy's.  `shape`, `dtype`, `matvec`, `rmatvec`, `matmat`, `rmatmat` and the rest are those of
    `scipy.sparse.linalg.LinearOperator`, so SciPy's solvers take it as it is.
    """

    ndim = 2
    __array_ufunc__ = None  # `2 * A` and `V @ A` are ours to answer, not NumPy's

    def __init__(self, shape: tuple[int, int], dtype: Any) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)

    def _vector(self, vector: Any) -> Any:
        """`A v` for a vector of shape `[shape[1]]`."""
        raise NotImplementedError

    def conj(self) -> Operator:
        """The matrix of conjugate entries."""
        raise NotImplementedError

    @property
    def H(self) -> Operator:
        """The adjoint, the conjugate transpose."""
        raise NotImplementedError

    @property
    def T(self) -> Operator:
        """The transpose, without conjugation."""
        return self.H.conj()

    def adjoint(self) -> Operator:
        """The same as `.H`."""
        return self.H

    def transpose(self) -> Operator:
        """The same as `.T`."""
        return self.T

    def matvec(self, vector: Any) -> Any:
        """`A v` for a vector of length `shape[1]`, or a column of it."""
        vector = vector if hasattr(vector, "shape") else np.asarray(vector)
        if tuple(vector.shape) not in ((self.shape[1],), (self.shape[1], 1)):
            raise self._misfit(vector)
        result = self._vector(reshape(vector, shape=(self.shape[1],)))
        return reshape(result, shape=(self.shape[0], *tuple(vector.shape)[1:]))

    def rmatvec(self, vector: Any) -> Any:
        """`Aᴴ v` for a vector of length `shape[0]`."""
        return self.H.matvec(vector)

    def matmat(self, matrix: Any) -> Any:
        """`A V`, all columns at once."""
        if len(matrix.shape) != 2 or matrix.shape[0] != self.shape[1]:
            raise self._misfit(matrix)
        return self._columns(matrix)

    def _columns(self, matrix: Any) -> Any:
        """`A V` for a matrix of shape `[shape[1], n]`."""
        columns = batch_call(lambda v: [self._vector(v)], [matrix], [1], matrix.shape[1])[0]
        return move_axis(columns, 0, 1)

    def rmatmat(self, matrix: Any) -> Any:
        """`Aᴴ V`, all columns at once."""
        return self.H.matmat(matrix)

    def _misfit(self, other: Any) -> TreeError:
        return TreeError(
            page(
                f"the operator has shape {self.shape}, and what it is applied to {tuple(other.shape)}.",
                "A matrix times a vector needs as many entries as the matrix has columns.",
                f"operator @ v   # with a vector v of length {self.shape[1]}\noperator(dx)   # with dx like the input",
                "tree",
            )
        )

    def dot(self, other: Any) -> Any:
        """`A @ other` for a vector, a matrix or another operator; `other * A` for a number."""
        if not is_array(other):
            return Product(self, as_operator(other))
        if np.ndim(other) == 0:
            return Scaled(self, other)
        other = other if hasattr(other, "shape") else np.asarray(other)
        return self.matvec(other) if len(other.shape) == 1 else self.matmat(other)

    def __matmul__(self, other: Any) -> Any:
        if is_array(other) and np.ndim(other) == 0:
            msg = "a number has no axes for @; use * instead"
            raise ValueError(msg)
        return self.dot(other)

    def __rmatmul__(self, other: Any) -> Any:
        if not is_array(other):
            return Product(as_operator(other), self)
        other = other if hasattr(other, "shape") else np.asarray(other)
        return self.T.matvec(other) if len(other.shape) == 1 else move_axis(self.T.matmat(move_axis(other, 0, 1)), 0, 1)

    def __mul__(self, other: Any) -> Any:
        return self.dot(other)

    def __rmul__(self, factor: Any) -> Any:
        return Scaled(self, factor) if is_array(factor) and np.ndim(factor) == 0 else self.__rmatmul__(factor)

    def __truediv__(self, divisor: Any) -> Any:
        return Scaled(self, 1 / divisor) if is_array(divisor) and np.ndim(divisor) == 0 else NotImplemented

    def __neg__(self) -> Operator:
        return Scaled(self, -1)

    def __add__(self, other: Any) -> Any:
        return Sum(self, as_operator(other)) if len(np.shape(other)) == 2 else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return Sum(as_operator(other), self) if len(np.shape(other)) == 2 else NotImplemented

    def __sub__(self, other: Any) -> Any:
        return Sum(self, -as_operator(other)) if len(np.shape(other)) == 2 else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return Sum(as_operator(other), -self) if len(np.shape(other)) == 2 else NotImplemented

    def __pow__(self, n: int) -> Operator:
        result: Operator = self
        if n < 1 or int(n) != n:
            msg = f"a power of an operator needs a positive whole number, not {n}"
            raise ValueError(msg)
        for _ in range(int(n) - 1):
            result = Product(result, self)
        return result

    def toarray(self) -> Any:
        """The matrix, of shape `shape`."""
        return self.matmat(np.eye(self.shape[1], dtype=self.dtype))

    def __repr__(self) -> str:
        return f"<{self.shape[0]}x{self.shape[1]} {type(self).__name__} of dtype {self.dtype}>"


def is_array(x: Any) -> bool:
    """Whether `x` is a number or an array (a traced one, perhaps), and not a matrix of another kind."""
    return hasattr(x, "__array_function__") or isinstance(x, (list, tuple)) or np.ndim(x) != 2


def as_operator(matrix: Any) -> Operator:
    """A matrix of any kind as an operator."""
    return matrix if isinstance(matrix, Operator) else Given(matrix)


class Given(Operator):
    """A matrix that is there: an array, a sparse matrix, or an operator of SciPy's."""

    def __init__(self, matrix: Any) -> None:
        self.matrix: Any = matrix if hasattr(matrix, "shape") else np.asarray(matrix)
        rows, columns = self.matrix.shape
        super().__init__((rows, columns), self.matrix.dtype)

    def _vector(self, vector: Any) -> Any:
        return self.matrix @ vector

    def _columns(self, matrix: Any) -> Any:
        return self.matrix @ matrix

    def conj(self) -> Operator:
        """The matrix of conjugate entries."""
        return self.H.T if not hasattr(self.matrix, "conj") else Given(self.matrix.conj())

    @property
    def H(self) -> Operator:
        """The adjoint, in the same form."""
        return Given(self.matrix.H if not hasattr(self.matrix, "conj") else self.matrix.conj().T)

    @property
    def T(self) -> Operator:
        """The transpose, in the same form."""
        return Given(self.matrix.T)


class Product(Operator):
    """`(A B) v = A (B v)`."""

    def __init__(self, left: Operator, right: Operator) -> None:
        if left.shape[1] != right.shape[0]:
            raise left._misfit(right)
        super().__init__((left.shape[0], right.shape[1]), np.result_type(left.dtype, right.dtype))
        self.left, self.right = left, right

    def _vector(self, vector: Any) -> Any:
        return self.left._vector(self.right._vector(vector))

    def _columns(self, matrix: Any) -> Any:
        return self.left._columns(self.right._columns(matrix))

    def conj(self) -> Operator:
        """Factor by factor."""
        return Product(self.left.conj(), self.right.conj())

    @property
    def H(self) -> Operator:
        """`Bᴴ Aᴴ`."""
        return Product(self.right.H, self.left.H)


class Sum(Operator):
    """`(A + B) v = A v + B v`."""

    def __init__(self, left: Operator, right: Operator) -> None:
        if left.shape != right.shape:
            raise left._misfit(right)
        super().__init__(left.shape, np.result_type(left.dtype, right.dtype))
        self.left, self.right = left, right

    def _vector(self, vector: Any) -> Any:
        return self.left._vector(vector) + self.right._vector(vector)

    def _columns(self, matrix: Any) -> Any:
        return self.left._columns(matrix) + self.right._columns(matrix)

    def conj(self) -> Operator:
        """Term by term."""
        return Sum(self.left.conj(), self.right.conj())

    @property
    def H(self) -> Operator:
        """`Aᴴ + Bᴴ`."""
        return Sum(self.left.H, self.right.H)


class Scaled(Operator):
    """`(c A) v = c (A v)`."""

    def __init__(self, operator: Operator, factor: Any) -> None:
        super().__init__(operator.shape, np.result_type(operator.dtype, as_array(factor).dtype))
        self.operator, self.factor = operator, factor

    def _vector(self, vector: Any) -> Any:
        return self.factor * self.operator._vector(vector)

    def _columns(self, matrix: Any) -> Any:
        return self.factor * self.operator._columns(matrix)

    def conj(self) -> Operator:
        """The factor and the matrix."""
        return Scaled(self.operator.conj(), np.conjugate(self.factor))

    @property
    def H(self) -> Operator:
        """`conj(c) Aᴴ`."""
        return Scaled(self.operator.H, np.conjugate(self.factor))


class LinearMap(Operator):
    """`dx ↦ J dx` for the Jacobian `J` of a function at a point; `J` itself is never formed.

    Call it on a container like the function's input, or use `@` on vectors of length `shape[1]` (containers
    are laid end to end).  `.T` and `.H` are the transpose and the adjoint, `.toarray()` the matrix, and
    `.graph` the linear program itself.

    `@` is the product with the matrix that `jacobian` gives, so a real operator takes complex vectors too.  A call
    is the pushforward (or, of `.H`, the pullback), which is real where the function's values are.
    """

    def __init__(self, linear: Linearization, selection: Selection, kind: str = "J") -> None:
        self._linear, self._selection, self._kind = linear, selection, kind
        rows, columns = flat_size(linear.values), flat_size(linear.inputs)
        kinds = [v.dtype for v in [*linear.inputs, *linear.values] if v.dtype.kind in "fc"]
        super().__init__((rows, columns) if self._is_straight else (columns, rows), np.result_type(*kinds, np.float16))

    @property
    def _is_straight(self) -> bool:
        return self._kind in ("J", "conj J")

    @property
    def _domain(self) -> list[Any]:
        return self._linear.inputs if self._is_straight else self._linear.values

    @property
    def _target(self) -> list[Any]:
        return self._linear.values if self._is_straight else self._linear.inputs

    def _conjugated(self, apply: Any, vectors: Sequence[Any]) -> list[Any]:
        """`conj(K) v = conj(K conj(v))`, and the same for the transpose."""
        if self._kind in ("J", "Jᴴ") or self.dtype.kind != "c":
            return apply(vectors)  # type: ignore[no-any-return]
        results = apply([None if v is None else np.conjugate(v) for v in vectors])
        return [None if y is None else np.conjugate(y) for y in results]

    def _apply(self, vectors: Sequence[Any]) -> list[Any]:
        """The map itself, on arrays like those of the domain."""
        apply = self._linear.push if self._is_straight else self._linear.pull
        return finish_all(self._conjugated(apply, vectors), self._target, vectors)

    def __call__(self, vector: Any) -> Any:
        """Apply to a container of arrays with the structure of the domain."""
        selection = self._selection
        if self._is_straight:
            given = tangents_like(selection.structure, vector, selection.leaves, "tangents")
            results = self._apply([given[k] for k in selection.active])
            return trees.unflatten(selection.out_structure, results)
        given = tangents_like(selection.out_structure, vector, self._linear.values, "cotangents")
        return selection.container(self._apply(given))

    def _vector(self, vector: Any) -> Any:
        parts, offset = [], 0
        for like in self._domain:
            part = reshape(vector[offset : offset + size_of(like)], shape=tuple(like.shape))
            offset += size_of(like)
            parts.append(_of_precision(part, like.dtype))
        action = matrix_action(self._linear.push if self._is_straight else self._linear.pull, self._domain, self._target)
        pieces = [reshape(y, shape=(size_of(y),)) for y in self._conjugated(action, parts)]
        if not pieces:
            return np.zeros(0, self.dtype)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _as(self, kinds: dict[str, str]) -> Self:
        return type(self)(self._linear, self._selection, kinds[self._kind])

    def conj(self) -> LinearMap:
        """The matrix of conjugate entries."""
        return self._as({"J": "conj J", "conj J": "J", "Jᴴ": "Jᵀ", "Jᵀ": "Jᴴ"})

    @property
    def H(self) -> LinearMap:
        """The adjoint, the conjugate transpose."""
        return self._as({"J": "Jᴴ", "Jᴴ": "J", "conj J": "Jᵀ", "Jᵀ": "conj J"})

    @property
    def T(self) -> LinearMap:
        """The transpose, without conjugation."""
        return self._as({"J": "Jᵀ", "Jᵀ": "J", "conj J": "Jᴴ", "Jᴴ": "conj J"})

    def toarray(self) -> Any:
        """The matrix, of shape `shape`; raises `HolomorphicError` where one complex matrix does not say it all."""
        require_holomorphic(self._linear, self._selection.function)
        return super().toarray()

    @property
    def graph(self) -> Graph:
        """The linear program: `print(op.graph)` shows what `J` does, `print(op.T.graph)` its transpose."""
        vectors = [zeros_like(x) for x in self._domain]
        if self._is_straight:
            return trace(lambda *dx: tuple(self._apply(dx)))(*vectors)
        return trace(lambda *ct: tuple(self._apply(ct)))(*vectors)

    def __repr__(self) -> str:
        return f"<{self.shape[0]}x{self.shape[1]} LinearMap {self._kind} of dtype {self.dtype}>"


def _of_precision(part: Any, dtype: Any) -> Any:
    """A part of a flat vector with the precision of its primal; it may be complex where the primal is real."""
    wanted = np.result_type(dtype, np.complex64) if part.dtype.kind == "c" else dtype
    if dtype.kind not in "fc" or part.dtype == wanted:
        return part
    return cast(part, dtype=wanted)
