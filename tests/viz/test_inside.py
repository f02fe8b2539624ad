"""Loops and branches in `explain`: their programs as formulas."""

import numpy as np

import wengert as wg


def root(a):
    return wg.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)


def test_a_while_loop_is_two_formulas():
    text = str(wg.explain(root)(4.0))
    assert "while(a, a, a)" in text
    assert "goes on while, of (a, x):  |(x·x) - a| > 1e-12" in text
    assert "each step, of (a, x):  0.5·(x + (a / x))" in text
    assert "graph(" not in text
    assert "n_carry" not in text


def test_a_branch_is_two_formulas():
    text = str(wg.explain(lambda x: wg.cond(x > 0, np.sqrt, np.sin, x))(4.0))
    assert "if it is true, of (x):  √x" in text
    assert "if it is false, of (x):  sin(x)" in text


def test_a_long_body_is_a_list_and_has_a_branch_inside():
    def step(s, x):
        t = wg.cond(x > 0, lambda s: s * 2, np.sin, s)
        return t * x + np.tanh(t) * np.exp(-x) * np.cos(x + t) * np.sin(s) * np.cos(s) * np.arctan(s * x), t

    text = str(wg.explain(lambda x: np.sum(wg.scan(step, 1.0, x)[1]))(np.ones(3)))
    assert "a scan of 3 steps:" in text
    assert text.index("each step, of (") < text.index("a branch:") < text.index("if it is true, of (s):") < text.index("Reverse walk")
