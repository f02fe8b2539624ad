"""Series in six bases and their classes."""

import pytest

import wengert.numpy as np
from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal
P = np.polynomial


for fam, w in (
    ("polynomial", "poly"),
    ("chebyshev", "cheb"),
    ("legendre", "leg"),
    ("hermite", "herm"),
    ("hermite_e", "herme"),
    ("laguerre", "lag"),
):
    m = getattr(P, fam)
    g = lambda n, m=m, w=w: getattr(m, w + n)
    case(f"{w}val", lambda x, c, f=g("val"): f(x, c), r(2, 3), r(4))
    case(f"{w}val1", lambda x, c, f=g("val"): f(x, c), r(3), r(1))
    case(f"{w}val2", lambda x, c, f=g("val"): f(x, c), r(3), r(2))
    case(f"{w}val t", lambda x, c, f=g("val"): f(x, c), r(3), r(4, 2))
    case(f"{w}val nt", lambda x, c, f=g("val"): f(x, c, tensor=False), r(2), r(4, 2))
    case(f"{w}val s", lambda x, c, f=g("val"): f(x, c), r(), r(5))
    case(f"{w}val int", lambda x, f=g("val"): f(x, [1, 2, 3]), r(2))
    case(f"{w}vander", lambda x, f=g("vander"): f(x, 3), r(2, 3))
    case(f"{w}vander0", lambda x, f=g("vander"): f(x, 0), r(3))
    case(f"{w}der", lambda c, f=g("der"): f(c), r(5))
    case(f"{w}der2", lambda c, f=g("der"): f(c, 2, scl=3.0), r(5))
    case(f"{w}der ax", lambda c, f=g("der"): f(c, axis=1), r(2, 5))
    case(f"{w}int", lambda c, f=g("int"): f(c), r(3))
    case(f"{w}int2", lambda c, f=g("int"): f(c, 2, k=[1.0, 2.0], lbnd=0.5, scl=2.0), r(3))
    case(f"{w}fit", lambda x, y, f=g("fit"): f(x, y, 2), np.linspace(-1, 1, 7) + 0.03 * r(7), r(7))
    case(
        f"{w}fit m",
        lambda x, y, f=g("fit"): f(x, y, [0, 2], w=np.arange(1.0, 8)),
        np.linspace(-1, 1, 7) + 0.03 * r(7),
        r(7, 2),
    )
    case(f"{w}add", lambda a, b, f=g("add"): f(a, b), r(3), r(2))
    case(f"{w}sub", lambda a, b, f=g("sub"): f(a, b), r(3), r(5))
    case(f"{w}val2d", lambda x, y, c, f=g("val2d"): f(x, y, c), r(3), r(3), r(3, 4))
    case(f"{w}val3d", lambda x, c, f=g("val3d"): f(x, x * 2, x * x, c), r(2), r(2, 3, 2))
    case(f"{w}grid2d", lambda x, y, c, f=g("grid2d"): f(x, y, c), r(3), r(2), r(3, 4))
    case(f"{w}grid3d", lambda x, y, c, f=g("grid3d"): f(x, y, x, c), r(2), r(3), r(2, 3, 2))
    case(f"{w}vander2d", lambda x, y, f=g("vander2d"): f(x, y, [2, 1]), r(3), r(3))
    case(f"{w}vander3d", lambda x, y, f=g("vander3d"): f(x, y, x, [1, 2, 1]), r(3), r(3))
    case(f"{w}mul", lambda a, b, f=g("mul"): f(a, b), r(3), r(2))
    case(f"{w}mulx", lambda a, f=g("mulx"): f(a), r(3))
    case(f"{w}div", lambda a, b, f=g("div"): f(a, b), r(5), r(3))
    case(f"{w}pow", lambda a, f=g("pow"): f(a, 3), r(3))
    case(f"{w}fromroots", lambda a, f=g("fromroots"): f(a), r(3))
    case(f"{w}roots", lambda a, f=g("roots"): f(a), np.array([-2.0, 0.3, 1.0, 0.7]))
    case(f"{w}line", lambda a, f=g("line"): f(a, a * 2), r())
    case(f"{w}trim", lambda a, f=g("trim"): f(a), r(3))
    case(f"{w}companion", lambda a, f=g("companion"): f(a), r(4))
m = P.polynomial
case("polyvalfromroots", lambda x, q: m.polyvalfromroots(x, q), r(2), r(3))
case("Polynomial call x", lambda x: P.Polynomial([1.0, 2, 3])(x), r(3))
case("Chebyshev call x", lambda x: P.Chebyshev([1.0, 2, 3])(x), r(3))
case("Polynomial call dom", lambda x: P.Polynomial([1.0, 2, 3], domain=[0, 2])(x), r(3))
case("Polynomial c", lambda c: P.Polynomial(c)(0.5), r(3))
case("Polynomial deriv", lambda c, x: P.Polynomial(c).deriv()(x), r(3), r(2))
case("Polynomial mul", lambda c, x: (P.Polynomial(c) * P.Polynomial([1.0, 2]))(x), r(3), r(2))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
