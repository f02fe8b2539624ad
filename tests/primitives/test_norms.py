"""Norms and condition numbers."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg
A = r(3, 3) + 3 * np.eye(3)
AC = r(3, 3, kind="c") + 3 * np.eye(3)
S = r(2, 3, 3) + 3 * np.eye(3)

for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"):
    case(f"cond {p}", lambda a, p=p: L.cond(a, p), S)
    case(f"norm m {p}", lambda a, p=p: L.norm(a, p), r(3, 4))
    case(f"norm m st {p}", lambda a, p=p: L.norm(a, p, axis=(0, 2), keepdims=True), r(3, 2, 4))
    case(f"norm m c {p}", lambda a, p=p: L.norm(a, p), r(3, 2, kind="c"))
    case(f"matrix_norm {p}", lambda a, p=p: L.matrix_norm(a, ord=p if p is not None else "fro"), r(2, 3, 4))
for p in (None, 2, -2, 1, -1, 0, 3, -1.5, 0.5, np.inf, -np.inf):
    case(f"norm v {p}", lambda a, p=p: L.norm(a, p), r(4))
    case(f"norm v ax {p}", lambda a, p=p: L.norm(a, p, axis=1, keepdims=True), r(2, 3, 2))
    case(f"norm v c {p}", lambda a, p=p: L.norm(a, p, 0), r(4, 2, kind="c"))
    if p is not None:
        case(f"vector_norm {p}", lambda a, p=p: L.vector_norm(a, ord=p, axis=(0, 2)), r(2, 3, 2))
        case(f"vector_norm all {p}", lambda a, p=p: L.vector_norm(a, ord=p, keepdims=True), r(2, 3))
case("norm all", L.norm, r(2, 3, 2))
case("norm empty", L.norm, r(0))
case("norm 0d", L.norm, r())


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
