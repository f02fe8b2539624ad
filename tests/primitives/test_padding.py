"""Borders of every mode."""

import numpy as np
import pytest

from wengert.testing.programs import Programs

case = Programs(seed=3)
r = case.normal


def filler(v, w, ax, kw):
    v[: w[0]] = kw.get("k", 1.0) * v[w[0]]
    v[-w[1] :] = 10.0


for mode in (
    "constant",
    "edge",
    "reflect",
    "symmetric",
    "wrap",
    "empty",
    "linear_ramp",
    "maximum",
    "minimum",
    "mean",
    "median",
):
    if mode != "empty":
        case(f"pad {mode}", lambda x, mode=mode: np.pad(x, ((1, 2), (0, 3)), mode=mode), r(3, 4))
        case(f"pad1 {mode}", lambda x, mode=mode: np.pad(x, 2, mode=mode), r(5))
        case(
            f"pad c {mode}",
            lambda x, mode=mode: np.pad(x, (1, 2), mode=mode),
            r(4, kind="c") if mode not in ("maximum", "minimum", "median") else r(4),
        )
        case(f"pad big {mode}", lambda x, mode=mode: np.pad(x, (7, 5), mode=mode), r(3))
        case(f"pad dict {mode}", lambda x, mode=mode: np.pad(x, {1: (1, 2)}, mode=mode), r(2, 3))
for mode in ("reflect", "symmetric"):
    case(f"pad odd {mode}", lambda x, mode=mode: np.pad(x, ((1, 2), (5, 3)), mode=mode, reflect_type="odd"), r(3, 4))
    case(f"pad odd1 {mode}", lambda x, mode=mode: np.pad(x, 3, mode=mode, reflect_type="odd"), r(1))
for mode in ("maximum", "minimum", "mean", "median"):
    case(
        f"pad stat {mode}",
        lambda x, mode=mode: np.pad(x, ((1, 2), (2, 1)), mode=mode, stat_length=((2, 2), (1, 3))),
        r(3, 4),
    )
    case(f"pad stat2 {mode}", lambda x, mode=mode: np.pad(x, 2, mode=mode, stat_length=2), r(4))
case("pad cv", lambda x: np.pad(x, 2, constant_values=3.5), r(3))
case("pad cv tr", lambda x, v: np.pad(x, 2, constant_values=(v, 2 * v)), r(3), r())
case("pad cv4", lambda x, v: np.pad(x, 1, constant_values=((v, 2.0), (1.0, v))), r(2, 3), r())
case("pad ramp", lambda x, v: np.pad(x, 2, "linear_ramp", end_values=v), r(2, 3), r())
case("pad fn", lambda x: np.pad(x, 2, filler, k=2.0), r(3))
case("pad fn2", lambda x: np.pad(x, ((1, 1), (2, 1)), filler), r(2, 3))
case("pad 0", lambda x: np.pad(x, 0), r(2, 3))
case("pad empty", lambda x: np.pad(x, 1), r(0, 3))


@pytest.mark.parametrize("name", case)
def test_value_derivatives_of_two_orders_and_batches(name):
    case.check(name)
