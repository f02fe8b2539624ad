"""The walks inside of loops, branches and calls: their numbers against closed forms, and how text, terminals and pages show them."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

import wengert as wg
from wengert.viz import inner_walks


def squares(x, n=3):
    """`x^(2^n)`."""
    return wg.fori_loop(0, n, lambda k, s: s * s, x)


def program_of(function, *args):
    (found,) = wg.explain(function)(*args).inner
    return found


def step(run, name):
    return next(one for one in run.steps if one.name == name)


def test_each_pass_has_its_values_tangents_and_adjoints():
    x = 1.1
    found = program_of(squares, x)
    assert [run.says for run in found.runs] == ["pass 1 of 3", "pass 2 of 3", "pass 3 of 3"]
    for k, run in enumerate(found.runs):
        power = 2**k
        state = next(one for one in run.steps if one.formula in ("x outside", "from the pass before") and one.adjoint is not None)
        after = next(one for one in run.steps if one.seeds)
        np.testing.assert_allclose(state.value, x**power, rtol=1e-14)
        np.testing.assert_allclose(state.tangents, [power * x ** (power - 1)], rtol=1e-14)
        np.testing.assert_allclose(state.adjoint, 8 / power * x ** (8 - power), rtol=1e-14)  # the output is state^(8/power)
        np.testing.assert_allclose(after.value, x ** (2 * power), rtol=1e-14)
        np.testing.assert_allclose(after.adjoint, 4 / power * x ** (8 - 2 * power), rtol=1e-14)
        assert after.seeds[0][0] == ("f̄ outside" if k == 2 else "b̄ of the next pass") or k == 2


def test_sequences_give_an_entry_to_each_pass_and_take_back_its_adjoint():
    weights, xs = np.array([2.0, -1.0, 0.5]), np.array([0.3, 0.7, 1.1])

    def weighted(xs):
        return np.sum(wg.scan(lambda s, x: (s + x, x * x), 0.0, xs)[1] * weights)

    found = program_of(weighted, xs)
    for k, run in enumerate(found.runs):
        x = step(run, "x")
        assert x.formula == f"entry {k} of xs outside"
        assert x.value == xs[k]
        np.testing.assert_allclose(x.adjoint, 2 * xs[k] * weights[k])
        seeds = [says for one in run.steps for says, _ in one.seeds]
        assert len(seeds) == 1
        assert seeds[0].startswith(f"entry {k} of ")


def test_a_loop_from_the_end_to_the_beginning():
    xs = np.array([0.5, 2.0, 3.0])
    found = program_of(lambda xs: wg.scan(lambda s, x: (s * x + x, None), 1.0, xs, reverse=True)[0], xs)
    assert [step(run, "x").value for run in found.runs] == [3.0, 2.0, 0.5]
    whole = wg.grad(lambda xs: ((((1.0 * xs[2] + xs[2]) * xs[1]) + xs[1]) * xs[0]) + xs[0])(xs)
    np.testing.assert_allclose([step(run, "x").adjoint for run in found.runs], whole[::-1])


def test_a_while_loop_runs_as_often_as_its_test_says_and_the_first_and_last_pass_are_shown():
    def root(a):
        return wg.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)

    found = program_of(root, 4.0)
    assert [run.says for run in found.runs] == ["pass 1 of 5", "pass 5 of 5"]
    assert found.n_hidden == 3
    text = str(wg.explain(root)(4.0))
    assert text.count("… 3 more passes") == 2
    forward, reverse = text.split("Reverse walk")
    assert forward.index("pass 1 of 5") < forward.index("pass 5 of 5")
    assert reverse.index("pass 5 of 5") < reverse.index("pass 1 of 5")


@pytest.mark.parametrize(("x", "taken", "slope"), [(4.0, "if it is true", 0.25), (-2.0, "if it is false", np.cos(-2.0))])
def test_the_branch_that_was_taken(x, taken, slope):
    found = program_of(lambda x: wg.cond(x > 0, np.sqrt, np.sin, x), x)
    (run,) = found.runs
    assert run.says == taken
    np.testing.assert_allclose(run.steps[0].adjoint, slope)


def test_a_checkpointed_call():
    found = program_of(lambda x: wg.checkpoint(lambda x: np.exp(x) * x)(x), 2.0)
    assert "a checkpointed call" in found.title
    (run,) = found.runs
    np.testing.assert_allclose(run.steps[0].adjoint, 3 * np.exp(2.0))


def test_random_draws_that_are_made_again_are_not_shown_as_others():
    rng = np.random.default_rng(0)
    explanation = wg.explain(lambda x: wg.checkpoint(lambda x: x * rng.normal())(x))(2.0)
    for program in explanation.inner:
        for run in program.runs:
            assert run.steps[-1].value == explanation.steps[-1].value


def test_a_rule_of_the_users_is_not_walked_back():
    @wg.custom_rule
    def doubled(x):
        return 2.0 * x

    @doubled.forward
    def _(args, tangents):
        return 2.0 * args[0], 2.0 * tangents[0]

    text = str(wg.explain(lambda x: doubled(x) + 1.0)(3.0))
    assert "a call with a rule of its own" in text
    assert "the rule gives the derivative: nothing is walked back inside" in text


def test_what_is_inside_of_what_is_inside():
    def outer(s, a):
        t = wg.scan(lambda u, b: (u * b, u), s, a)[0]
        return wg.cond(t > 0.5, lambda t: t * 2, lambda t: t / 2, t), t

    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    explanation = wg.explain(lambda s: wg.scan(outer, s, a)[0])(1.5)
    (found,) = explanation.inner
    loop, branch = found.runs[1].inner
    assert loop.title.endswith("a scan of 2 steps")
    np.testing.assert_allclose([step(run, "b").value for run in loop.runs], [3.0, 4.0])
    np.testing.assert_allclose(step(loop.runs[0], "u").adjoint, 2 * 3 * 4)  # of the last pass alone
    np.testing.assert_allclose(found.runs[0].steps[0].adjoint, 2 * 2 * 1 * 2 * 3 * 4)
    assert branch.runs[0].says == "if it is true"
    depth = [re.match(" *", line).end() for line in str(explanation).splitlines() if "Inside" in line]
    assert depth[:3] == [0, 4, 4]


def test_a_batch_of_loops():
    explanation = wg.explain(lambda x: wg.vmap(lambda a: wg.while_loop(lambda s: s < a * 10, lambda s: s * 2, a))(x))(np.array([1.0, 2.0]))
    (found,) = explanation.inner
    assert found.runs[-1].says == "pass 4 of 4"
    np.testing.assert_allclose(explanation.gradients["x"], [16.0, 16.0])


def test_a_long_loop_has_its_formulas_alone(monkeypatch):
    monkeypatch.setattr(inner_walks, "MOST_WORK", 10)
    for function in (lambda x: squares(x, 20), lambda x: wg.while_loop(lambda s: s < 1e9, lambda s: s * 1.5, x)):
        found = program_of(function, 1.0)
        assert not found.runs
        assert "too many to be walked here" in found.why
        assert any("each step, of (" in line for line in found.lines)
        assert found.why in str(wg.explain(function)(1.0))


def test_a_page_has_it_folded():
    page = wg.explain(squares)(1.1).html
    assert page.count("<details class='inside'>") == 2
    assert page.count("<summary>pass 2 of 3</summary>") == 2
    assert page.count("<details") == page.count("</details>")
    outer = page.split("<details")[0]
    assert outer.count("data-step") == 3
    assert "data-step" not in page.split("<details class='inside'>")[1].split("<h3>")[0], "rows of a body answer to no box of the graph"


def test_a_terminal_has_it_further_to_the_right():
    stream = io.StringIO()
    Console(file=stream, width=120, force_terminal=True).print(wg.explain(squares)(1.1).__rich__())
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()
    assert sum(line.startswith("  Inside ") for line in lines) == 2
    assert sum(line.startswith("    pass 2 of 3") for line in lines) == 2
    assert any(line.startswith(("     step ", "    step ")) for line in lines)


def test_programs_without_any_are_as_they_were():
    explanation = wg.explain(lambda x, y: (x + y) * (x - y))(3, 2)
    assert explanation.inner == []
    assert "details" not in explanation.html.replace("details.inside", "").replace("details {", "")
