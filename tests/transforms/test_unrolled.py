"""Loops and branches as plain Python mean the same as those that are recorded."""

import numpy as np
import pytest

import wengert as wg
from wengert.errors import ControlFlowError
from wengert.transforms.diagnose import setting
from wengert.transforms.watch import is_expanded

PROGRAMS = {
    "scan": lambda x: wg.scan(lambda s, x: ({"a": s["a"] * np.sin(x)}, (s["a"], x * x)), {"a": 1.0}, x),
    "scan in reverse": lambda x: wg.scan(lambda s, x: (s + x, s), 0.0, x, reverse=True),
    "scan without sequences": lambda x: wg.scan(lambda s, _: (np.sin(s), None), x, None, 3),
    "scan of nothing": lambda x: wg.scan(lambda s, x: (s + x, s), 0.0, x[:0]),
    "fori_loop": lambda x: wg.fori_loop(1, 4, lambda k, s: s * k + x, x),
    "fori_loop, empty": lambda x: wg.fori_loop(4, 1, lambda k, s: s * k, x),
    "while_loop": lambda x: wg.while_loop(lambda s: np.sum(s) < 100.0, lambda s: s * 2.0, x),
    "cond": lambda x: wg.cond(np.sum(x) > 0, lambda x: x * 2.0, lambda x: x - 1.0, x),
    "members": lambda x: wg.vmap(lambda x: wg.cond(x > 1.0, np.sqrt, np.sin, x))(x),
    "loops of members": lambda x: wg.vmap(lambda x: wg.while_loop(lambda s: s < 10.0, lambda s: s * 3.0, x))(x),
    "counts of members": lambda x: wg.vmap(lambda n: wg.fori_loop(0, n, lambda k, s: s + 1.0, 0.0))(np.array([1, 3])),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_meaning(name):
    f, x = PROGRAMS[name], np.array([0.5, 1.5, 2.0])
    expected = f(x)
    with setting((is_expanded, True)):
        found = f(x)
        slopes = wg.jacobian(f)(x) if name != "counts of members" else None
    for a, b in zip(wg.trees.flatten(found)[0], wg.trees.flatten(expected)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    if slopes is not None:
        for a, b in zip(wg.trees.flatten(slopes)[0], wg.trees.flatten(wg.jacobian(f)(x))[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_lengths_must_agree():
    with setting((is_expanded, True)), pytest.raises(ControlFlowError, match="number of steps"):
        wg.scan(lambda s, x: (s, None), 0.0, (np.ones(2), np.ones(3)))
