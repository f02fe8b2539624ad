"""The derivative at a point as a linear operator, with the interface of SciPy's `LinearOperator`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.graph import Graph
from wengert.errors import TreeError, page
from wengert.primitives.structure import move_axis, reshape
from wengert.transforms.batch import batch_call
from wengert.transforms.differentiate import tangents_like
from wengert.transforms.jacobian import flat_size
from wengert.transforms.linearize import Linearization, finish, zeros_like
from wengert.transforms.record_graph import trace
from wengert.transforms.selection import Selection


class LinearMap:
    """`dx ↦ J dx` for the Jacobian `J` of a function at a point; `J` itself is never formed.

    Call it on a container like the function's input, or use `@` on vectors of length `shape[1]` (containers
    are laid end to end).  `.T` and `.H` are the transpose and the adjoint, `.toarray()` the matrix, and
    `.graph` the linear program itself.  `shape`, `dtype`, `matvec`, `rmatvec`, `matmat` and `rmatmat` are those of
    `scipy.sparse.linalg.LinearOperator`, so SciPy's solvers take it as it is.
    """

    def __init__(self, linear: Linearization, selection: Selection, kind: str = "J") -> None:
        self._linear, self._selection, self._kind = linear, selection, kind
        rows, columns = flat_size(linear.values), flat_size(linear.inputs)
        self.shape = (rows, columns) if kind in ("J", "conj J") else (columns, rows)
        self.dtype = np.result_type(*[v.dtype for v in [*linear.inputs, *linear.values]])
        self.ndim = 2

    def _ends(self) -> tuple[Any, Any, Any, Any]:
        """Primals and structure of the domain, then of the range."""
        here = (self._linear.inputs, self._selection.structure)
        there = (self._linear.values, self._selection.out_structure)
        return (*here, *there) if self._kind in ("J", "conj J") else (*there, *here)

    def _apply(self, vectors: Sequence[Any]) -> list[Any]:
        _, _, target, _ = self._ends()
        if self._kind in ("conj J", "Jᵀ"):  # conj(J) v = conj(J conj(v)), and the same for the transpose
            vectors = [np.conjugate(v) for v in vectors]
        results = self._linear.push(vectors) if self._kind in ("J", "conj J") else self._linear.pull(vectors)
        results = [finish(y, like) for y, like in zip(results, target, strict=True)]
        return [np.conjugate(y) for y in results] if self._kind in ("conj J", "Jᵀ") else results

    def __call__(self, vector: Any) -> Any:
        """Apply to a container of arrays with the structure of the domain."""
        domain, structure, _, out_structure = self._ends()
        return trees.unflatten(out_structure, self._apply(tangents_like(structure, vector, domain, "tangents")))

    def matvec(self, vector: Any) -> Any:
        """`J v` for a flat vector of length `shape[1]`."""
        vector = vector if hasattr(vector, "shape") else np.asarray(vector)
        if tuple(vector.shape) not in ((self.shape[1],), (self.shape[1], 1)):
            raise TreeError(
                page(
                    f"the operator has shape {self.shape} and the vector {tuple(vector.shape)}.",
                    "A matrix times a vector needs as many entries as the matrix has columns.",
                    f"a vector of length {self.shape[1]}, or call the operator on a container of arrays",
                    "tree",
                )
            )
        flat = reshape(vector, shape=(self.shape[1],))
        parts, offset = [], 0
        domain, *_ = self._ends()
        for like in domain:
            size = int(np.prod(like.shape, dtype=int))
            part = reshape(flat[offset : offset + size], shape=tuple(like.shape))
            parts.append(part if part.dtype == like.dtype else _as_dtype(part, like.dtype))
            offset += size
        pieces = [reshape(y, shape=(int(np.prod(y.shape, dtype=int)),)) for y in self._apply(parts)]
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return reshape(joined, shape=(self.shape[0], *tuple(vector.shape)[1:]))

    def rmatvec(self, vector: Any) -> Any:
        """`Jᴴ v` for a flat vector of length `shape[0]`."""
        return self.H.matvec(vector)

    def matmat(self, matrix: Any) -> Any:
        """`J V`, all columns at once."""
        columns = batch_call(lambda v: [self.matvec(v)], [matrix], [1], matrix.shape[1])[0]
        return move_axis(columns, 0, 1)

    def rmatmat(self, matrix: Any) -> Any:
        """`Jᴴ V`, all columns at once."""
        return self.H.matmat(matrix)

    def dot(self, other: Any) -> Any:
        """`J @ other` for a vector or a matrix."""
        return self.matvec(other) if len(np.shape(other)) == 1 else self.matmat(other)

    __matmul__ = dot

    def _as(self, kind: str) -> LinearMap:
        return LinearMap(self._linear, self._selection, kind)

    @property
    def H(self) -> LinearMap:
        """The adjoint, the conjugate transpose."""
        return self._as({"J": "Jᴴ", "Jᴴ": "J", "conj J": "Jᵀ", "Jᵀ": "conj J"}[self._kind])

    @property
    def T(self) -> LinearMap:
        """The transpose, without conjugation."""
        return self._as({"J": "Jᵀ", "Jᵀ": "J", "conj J": "Jᴴ", "Jᴴ": "conj J"}[self._kind])

    def adjoint(self) -> LinearMap:
        """The same as `.H`."""
        return self.H

    def transpose(self) -> LinearMap:
        """The same as `.T`."""
        return self.T

    def toarray(self) -> Any:
        """The matrix, of shape `shape`."""
        return self.matmat(np.eye(self.shape[1], dtype=self.dtype))

    @property
    def graph(self) -> Graph:
        """The linear program: `print(op.graph)` shows what `J` does, `print(op.T.graph)` its transpose."""
        domain, *_ = self._ends()
        return trace(lambda *vectors: tuple(self._apply(vectors)))(*[zeros_like(x) for x in domain])

    def __repr__(self) -> str:
        return f"<{self.shape[0]}x{self.shape[1]} LinearMap {self._kind} of dtype {self.dtype}>"


def _as_dtype(part: Any, dtype: Any) -> Any:
    return (np.real(part) if part.dtype.kind == "c" and dtype.kind != "c" else part).astype(dtype)
