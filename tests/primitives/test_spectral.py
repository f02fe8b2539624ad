"""Eigenvalues and eigenvectors, also where they are degenerate."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
L = np.linalg
A = r(3, 3) + 3 * np.eye(3)
AC = r(3, 3, kind="c") + 3 * np.eye(3)
S = r(2, 3, 3) + 3 * np.eye(3)


def sym(a):
    return a + np.conj(np.swapaxes(a, -1, -2))


case("eigh", lambda a: (lambda w, v: (w, v * v))(*L.eigh(sym(a))), r(3, 3))
case("eigh real", lambda a: L.eigh(sym(a)), r(2, 3, 3))
case("eigh U", lambda a: L.eigh(sym(a), "U"), r(3, 3))
case(
    "eigh c",
    lambda a: (lambda w, v: (w, np.abs(v), v * np.exp(w)[..., None, :] @ np.conj(v).swapaxes(-1, -2)))(*L.eigh(sym(a))),
    r(2, 3, 3, kind="c"),
)
case("eigvalsh", lambda a: L.eigvalsh(sym(a)), r(2, 3, 3))
case("eigvalsh c U", lambda a: L.eigvalsh(sym(a), "u"), r(3, 3, kind="c"))
case("eigh 0", lambda a: L.eigh(a), r(0, 0))
case("eigvalsh 0", lambda a: L.eigvalsh(a), r(0, 0))
case("eigvalsh 0s", lambda a: L.eigvalsh(a), r(0, 2, 2))
case("eigvals", L.eigvals, A + np.diag([0, 5, 9.0]))
case("eigvals cplx", L.eigvals, np.array([[1.0, 2, 0], [-2, 1, 0.5], [0.1, 0.3, 4]]))
case("eigvals c", L.eigvals, r(2, 3, 3, kind="c"))
case("eig", lambda a: L.eig(a), A + np.diag([0, 5, 9.0]))
case("eig c", lambda a: (lambda w, v: (w, np.abs(v), v * np.exp(w) @ L.inv(v)))(*L.eig(a)), r(3, 3, kind="c"))
case(
    "eig cplx pair",
    lambda a: (lambda w, v: (w, np.abs(v), np.real(v * np.exp(w) @ L.inv(v))))(*L.eig(a)),
    np.array([[1.0, 2, 0], [-2, 1, 0.5], [0.1, 0.3, 4]]),
)
case("eig 0", L.eigvals, r(0, 0))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
