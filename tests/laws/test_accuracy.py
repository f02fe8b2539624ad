"""Every elementwise card has full relative precision: a part of the points of `docs/generate/accuracy.py`, and the page.

The page is written from all points; here each card is measured at every tenth, and the page is read.
"""

import re
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

import wengert as wg
from wengert.core.primitive import REGISTRY

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "generate"))
from accuracy import complex_points, measure, single_points  # noqa: E402
from references import REFERENCES, exact  # noqa: E402

CARDS = [name for name, card in REGISTRY.items() if card.family == "elementwise" and not card.is_discrete]
KINDS = ("value", "slope", "second")
COMPLEX = [name for name, reference in REFERENCES.items() if reference.complex_points]
ENTRIES = re.compile(r"^\| `(?P<name>\w+)` \|.*\| (?P<value>\S+) \| (?P<slope>\S+) \| (?P<second>\S+) \|$", re.MULTILINE)


def some(points, name, step):
    """Every so many of the points, from a place that depends on the card."""
    return points[zlib.crc32(name.encode()) % step :: step]


def bounds(name, dtype=float):
    reference = REFERENCES[name]
    if dtype is not complex:
        return reference.bounds
    return reference.complex_bounds if reference.bounds[2] < np.inf else (np.inf, 16, np.inf)


def check(name, points, dtype=float):
    for kind, worst, bound in zip(KINDS, measure(name, points, dtype), bounds(name, dtype)):
        assert worst.error <= bound, f"{name}: the {kind} is {worst.error:.3g} eps off: {worst}"


def test_every_card_has_a_reference():
    assert set(CARDS) == set(REFERENCES)


@pytest.mark.parametrize("name", CARDS)
def test_double(name):
    check(name, some(REFERENCES[name].points(), name, 10))


@pytest.mark.parametrize("name", CARDS)
def test_single(name):
    check(name, some(single_points(name), name, 25), np.float32)


@pytest.mark.parametrize("name", COMPLEX)
def test_complex(name):
    check(name, some(complex_points(name), name, 12), complex)


# On a cut, the sign of a zero says which side is meant, for the slope as for the value.
CUTS = {
    "sqrt": (-2.0, -1e-9), "log": (-2.0, -1e-9), "log2": (-3.0,), "log10": (-3.0,), "log1p": (-2.0, -3.5),
    "arcsin": (2.0, -1.5), "arccos": (2.0, -1.5), "arctanh": (2.0, -1.5), "arccosh": (-2.0, 0.5, -0.3),
    "arcsinh": (2j, -1.5j), "arctan": (2j, -1.5j),
}  # fmt: skip


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("name", CUTS)
def test_sides_of_a_cut(name, side):
    """Compared with the derivative as near to the cut as mpmath can be asked to go."""
    for point in CUTS[name]:
        on_imaginary_axis = isinstance(point, complex)
        z = complex(side * 0.0, point.imag) if on_imaginary_axis else complex(point, side * 0.0)
        with mp.workdps(200):
            near = mp.mpc(mp.mpf(10) ** -30 * side, z.imag) if on_imaginary_axis else mp.mpc(z.real, mp.mpf(10) ** -30 * side)
            true = exact(REFERENCES[name], [near])
        card = REGISTRY[name]
        slope = wg.grad(card, holomorphic=True)(z)
        second = wg.grad(wg.grad(card, holomorphic=True), holomorphic=True)(z)
        for got, slots in ((card(np.array(z))[()], ()), (slope, (0,)), (second, (0, 0))):
            assert abs(mp.mpmathify(complex(got)) - true[slots]) <= 1e-14 * abs(true[slots]), (name, z, slots)


def test_the_page_lists_every_card_within_its_bounds():
    sections = (DOCS / "accuracy.md").read_text(encoding="utf-8").split("\n## ")[1:]
    double, planar, single = ({m["name"]: m for m in ENTRIES.finditer(section)} for section in sections)
    assert set(double) == set(single) == set(CARDS)
    assert set(planar) == set(COMPLEX)
    for found, dtype in ((double, float), (planar, complex), (single, np.float32)):
        for name, entry in found.items():
            for kind, bound in zip(KINDS, bounds(name, dtype)):
                error = entry[kind]
                assert bound == np.inf if error == "-" else float(error) <= bound, f"{name}, {kind}: {entry[0]}"


def test_the_instrument_sees_a_lost_digit():
    """`1 / (1 + x²)` differentiates into products that underflow: a slope of 1e-300 becomes 0."""
    points = [(1e100,)]
    assert measure("arctan", points)[2].error < 8
    card = REGISTRY["arctan"]
    naive = wg.grad(wg.grad(lambda x: card(x) * 1.0))(1e100)
    assert naive != 0
    assert wg.grad(lambda x: 1 / (1 + x**2))(1e100) == 0
