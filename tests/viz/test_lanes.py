"""The graph in the letters of a terminal."""

import numpy as np

import wengert as wg
from wengert.viz.lanes import lanes


def f(x, y):
    a = x + y
    b = x - y
    return a * b


def test_the_example():
    lines = str(wg.draw(f)(3, 2)).splitlines()
    assert lines[0] == "f(x, y) = (x + y)·(x - y)"
    assert lines[1] == "at x = 3, y = 2"
    assert [line.split("  ")[0] for line in lines[3:]] == ["●", "│ ●", "├─┼─●", "●─╯ │", "●───╯"]
    assert lines[5] == "├─┼─●  a = x + y  5  ā = 1"


def test_a_lane_ends_where_its_value_is_read_last():
    assert lanes([("x", ()), ("y", ()), ("z", ("y",)), ("w", ("x", "z"))]) == ["●", "│ ●", "│ ●", "●─╯"]


def test_a_branch_passes_a_lane_that_it_does_not_read():
    assert lanes([("x", ()), ("y", ()), ("z", ("x",)), ("w", ("y", "z", "x"))])[2] == "├─│─●"


def test_wide_graphs_have_no_lanes():
    steps = [(f"x{k}", ()) for k in range(20)]
    assert set(lanes([*steps, ("s", [name for name, _ in steps])])) == {"·"}


def test_long_programs_are_shortened():
    def long(x):
        for _ in range(200):
            x = np.sin(x)
        return x

    text = str(wg.draw(long)(0.3))
    assert "… 141 more steps" in text
    assert len(text.splitlines()) < 70


def test_nothing():
    assert str(wg.draw(lambda: 1.0)()).startswith("f()")
