"""Singular values and vectors, also where they are degenerate."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg


def sym(a):
    return a + np.conj(np.swapaxes(a, -1, -2))


for m, n in ((4, 3), (3, 3), (2, 4)):
    for k in "fc":
        case(f"svdvals {m}{n}{k}", L.svdvals, r(m, n, kind=k))
        case(f"svd no uv {m}{n}{k}", lambda a: L.svd(a, compute_uv=False), r(m, n, kind=k))
        case(
            f"svd thin rec {m}{n}{k}",
            lambda a: (lambda u, s, vh: (u * np.exp(s) @ vh, s))(*L.svd(a, full_matrices=False)),
            r(m, n, kind=k),
        )
        case(
            f"svd full {m}{n}{k}",
            lambda a: (
                lambda u, s, vh: (
                    u[:, : len(s)] * np.exp(s) @ vh[: len(s)],
                    s,
                    u[:, len(s) :] @ np.conj(u[:, len(s) :]).T,
                    np.conj(vh[len(s) :]).T @ vh[len(s) :],
                    np.abs(u[:, 0]),
                )
            )(*L.svd(a)),
            r(m, n, kind=k),
        )
case("svd real u", lambda a: L.svd(a, full_matrices=False), r(3, 2))
case("svd stack", lambda a: L.svd(a, full_matrices=False), r(2, 2, 3))
case("svd herm", lambda a: L.svd(sym(a), hermitian=True), r(3, 3))
case("svd herm vals", lambda a: L.svd(sym(a), hermitian=True, compute_uv=False), r(2, 3, 3))
case("svdvals empty", L.svdvals, r(0, 3))
case("svdvals 0st", L.svdvals, r(0, 2, 3))
case("svd empty", lambda a: L.svd(a, full_matrices=False), r(0, 3))
case("svd 0st", lambda a: L.svd(a, full_matrices=False), r(0, 2, 3))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
