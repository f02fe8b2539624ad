"""Arrays side by side, nested lists, functions of slices."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal

for nm, sh in (
    ("hstack", ((2, 3), (2, 2))),
    ("hstack", ((3,), (2,))),
    ("vstack", ((3,), (2, 3))),
    ("dstack", ((2, 3), (2, 3))),
    ("column_stack", ((3,), (3, 2))),
    ("concatenate", ((2, 3), (1, 3))),
    ("stack", ((2, 3), (2, 3))),
    ("hstack", ((), ())),
    ("dstack", ((3,), (3,))),
    ("concatenate", ((0, 3), (2, 3))),
):
    case(f"{nm} {sh}", lambda *a, f=getattr(np, nm): f(a), *[r(*q) for q in sh])
    case(f"{nm} fc {sh}", lambda *a, f=getattr(np, nm): f(a), r(*sh[0]), r(*sh[1], kind="c"))
case("conc ax", lambda a, b: np.concatenate((a, b), axis=1), r(2, 3), r(2, 1))
case("conc none", lambda a, b: np.concatenate((a, b), axis=None), r(2, 3), r(2))
case("conc int", lambda a: np.concatenate((a, np.arange(3))), r(2))
case("conc list", lambda a: np.concatenate([a, [1, 2]]), r(2))
case("stack ax", lambda a, b: np.stack((a, b), axis=-1), r(2, 3), r(2, 3))
case("stack sc", lambda a, b: np.stack([a, b, 1.0]), r(), r())
case("conc dtype", lambda a: np.concatenate([a, a], dtype=np.complex128), r(2))
case("append", np.append, r(2, 2), r(3))
case("append ax", lambda a, b: np.append(a, b, axis=0), r(2, 2), r(1, 2))
case(
    "block",
    lambda a, b: np.block([[a, b], [b.swapaxes(0, 1) if False else np.transpose(b), np.eye(1)]]),
    r(2, 2),
    r(2, 1),
)
case("block1", lambda a, b: np.block([a, b]), r(2), r(3))
case("block s", lambda a: np.block([[a[0], a[1]], [2.0, 3.0]]), r(2))
case("block 0", lambda a: np.block(a), r(2))
case("conc f32", lambda a: np.concatenate([a, np.ones(2, np.float32)]), r(2))
case("alo", lambda a: np.apply_along_axis(lambda v: v[0] * v, 1, a), r(2, 3))
case("alo2", lambda a: np.apply_along_axis(lambda v: np.sum(v * v), 0, a), r(2, 3))
case("alo3", lambda a: np.apply_along_axis(lambda v: np.outer(v, v), 0, a), r(2, 3))
case("aoa", lambda a: np.apply_over_axes(np.sum, a * a, [0, 2]), r(2, 3, 2))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
