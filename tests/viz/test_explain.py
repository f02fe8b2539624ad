"""The two walks: their numbers, and how they read."""

import sys
import types
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import wengert as wg
from wengert.core.primitive import REGISTRY
from wengert.viz.notation import bar, brief, compact, formula, number, terse, width
from wengert.viz.polynomial import Polynomial, closed_forms


def f(x, y):
    return (x + y) * (x - y)


def test_the_textbook_example():
    e = wg.explain(f)(3, 2)
    steps = {s.name: s for s in e.steps}
    assert list(steps) == ["x", "y", "a", "b", "f"]
    assert {n: s.value for n, s in steps.items()} == {"x": 3, "y": 2, "a": 5, "b": 1, "f": 5}
    assert {n: s.formula for n, s in steps.items() if not s.is_input} == {"a": "x + y", "b": "x - y", "f": "a·b"}
    assert {n: [float(t or 0) for t in s.tangents] for n, s in steps.items()} == {
        "x": [1, 0], "y": [0, 1], "a": [1, 1], "b": [1, -1], "f": [6, -4],
    }  # fmt: skip
    assert {n: s.adjoint for n, s in steps.items()} == {"x": 6, "y": -4, "a": 1, "b": 5, "f": 1}
    assert [(c.operand, c.partial, c.value) for c in steps["f"].contributions] == [("a", 1, 1), ("b", 5, 5)]
    assert [(c.operand, c.partial, c.value, c.total) for c in steps["a"].contributions] == [("x", 1, 1, 6), ("y", 1, 1, -4)]
    assert e.gradients == {"x": 6, "y": -4}
    assert e.summary() == ["df/dx = 2x = 6", "df/dy = -2y = -4"]
    assert e.title == "f(x, y) = (x + y)·(x - y)"
    assert e.disagreement() == 0


def test_plain_text():
    assert [line.rstrip() for line in str(wg.explain(f)(3.0, 2.0)).splitlines() if "test_" not in line] == [
        "f(x, y) = (x + y)·(x - y)",
        "at x = 3, y = 2",
        "",
        "Forward walk: the value of each step, and how fast it changes with each input",
        "",
        "  step   formula   value   d/dx   d/dy   line",
        "  x      input         3      1      0",
        "  y      input         2      0      1",
        "",
        "Reverse walk: how fast the output changes with each step, from last to first",
        "",
        "  step   adjoint by the chain rule   with the slopes   in numbers       adjoint",
        f"  f      {bar('f')} = 1                                                                1",
        f"  b      {bar('b')} = {bar('f')}·∂f/∂b                 = {bar('f')}·a             = 1·5                  5",
        f"  a      {bar('a')} = {bar('f')}·∂f/∂a                 = {bar('f')}·b             = 1·1                  1",
        f"  y      {bar('y')} = {bar('b')}·∂b/∂y + {bar('a')}·∂a/∂y                         = 5·(-1) + 1·1        -4",
        f"  x      {bar('x')} = {bar('b')}·∂b/∂x + {bar('a')}·∂a/∂x                         = 5·1 + 1·1            6",
        "",
        "Both walks give",
        "  df/dx = 2x = 6",
        "  df/dy = -2y = -4",
    ]


def loss(params, x, n=2):
    h = np.tanh(x @ params["w"] + params["b"])
    for _ in range(n):
        h = 0.5 * h + np.sin(h) * np.hypot(h, 1.0)
    return np.exp(-h[0, 0]) * (h[:, 1] @ h[:, 0])


def test_gradients_of_a_network_against_central_differences():
    params = {"w": np.linspace(-1, 1, 6).reshape(3, 2), "b": np.array([0.1, -0.2])}
    x = np.arange(6.0).reshape(2, 3) / 5
    e = wg.explain(loss)(params, x)
    assert list(e.gradients) == ["params['b']", "params['w']", "x"]
    assert e.disagreement() < 1e-13
    step = 1e-6
    for key in params:
        for place in np.ndindex(*params[key].shape):
            up, down = ({k: v.copy() for k, v in params.items()} for _ in range(2))
            up[key][place] += step
            down[key][place] -= step
            slope = (loss(up, x) - loss(down, x)) / (2 * step)
            np.testing.assert_allclose(e.gradients[f"params[{key!r}]"][place], slope, rtol=1e-7, atol=1e-9)


def test_columns_for_elements_of_few_and_one_for_each_larger_input():
    def labels(f, *args):
        return [c.label for c in wg.explain(f)(*args).columns]

    assert labels(lambda x, v: x * v @ v, 1.0, np.ones(2)) == ["d/dx", "d/dv[0]", "d/dv[1]"]
    assert labels(lambda x, v, w: x * v @ v + w @ w, 1.0, np.ones(2), np.ones(50)) == ["d/dx", "d/dv·1", "d/dw·1"]
    e = wg.explain(lambda *args: args[0] * args[9])(*np.arange(10.0))
    assert len(e.columns) == 6
    assert "The first 6 of 10 directions are shown." in str(e)
    assert e.gradients["args[9]"] == 0.0
    assert e.gradients["args[0]"] == 9.0


def test_slopes_are_formulas_in_the_names_of_the_user():
    def f(x, rate):
        h = np.tanh(rate * x)
        w = np.exp(-h) / x
        return w * np.sin(x) + x**3

    steps = {s.name: s for s in wg.explain(f)(0.5, 2.0).steps}
    slopes = {(c.source[0], c.operand): c.slope for s in steps.values() for c in s.contributions}
    assert slopes["h", "a"] == "sech(a)²"
    assert slopes["w", "x"] == "(-w) / x"
    assert {"cos(x)", "3·x²", "rate", "w"} <= set(slopes.values())


def test_the_sum_over_many_uses_is_shortened():
    def f(x):
        s = 0.0
        for k in range(20):
            s = s + np.sin(x * k)
        return s

    e = wg.explain(f)(0.3)
    np.testing.assert_allclose(e.gradients["x"], sum(k * np.cos(0.3 * k) for k in range(20)), rtol=1e-13)
    assert "… 17 more terms" in str(e)


def test_several_outputs_of_one_step():
    def f(a):
        w, v = np.linalg.eigh(a)
        return w[0] * v[0, 0] ** 2

    e = wg.explain(f)(np.array([[2.0, 1.0], [1.0, 3.0]]))
    assert "eigh(" in str(e)
    assert f"({bar('w')}, {bar('v')})" in str(e)


def test_vector_output_says_that_the_walk_starts_from_ones():
    e = wg.explain(lambda x: np.sin(x) * x)(np.array([0.5, 1.0, 2.0, 3.0, 4.0]))
    x = e.inputs["x"]
    np.testing.assert_allclose(e.gradients["x"], np.sin(x) + x * np.cos(x), rtol=1e-15)
    assert "starts from ones" in str(e)
    assert "float64[5]" in str(e)
    assert e.summary()[0].startswith("dsum/dx = ")


def test_a_value_used_several_times_accumulates():
    e = wg.explain(lambda x: x * x * x)(2.0)
    assert e.gradients["x"] == 12
    assert e.summary() == ["df/dx = 3x² = 12"]


def test_discrete_steps_and_unused_inputs():
    e = wg.explain(lambda x, y: np.where(x > 1, x * x, -x))(2.0, 1.0)
    assert e.gradients == {"x": 4.0, "y": 0.0}
    assert next(s for s in e.steps if s.formula == "x > 1").adjoint is None
    assert e.disagreement() == 0


def test_several_outputs_and_plain_outputs():
    e = wg.explain(lambda x: {"a": x * 2, "b": np.sin(x), "c": 3.0})(0.5)
    np.testing.assert_allclose(e.gradients["x"], 2 + np.cos(0.5), rtol=1e-15)
    assert wg.explain(lambda x: 1.0)(2.0).gradients == {"x": 0.0}
    str(e)


def test_complex():
    z = 1.5 - 0.5j
    e = wg.explain(lambda z: np.real(z * z))(z)
    np.testing.assert_allclose(e.gradients["z"], np.conj(2 * z), rtol=1e-15)
    assert e.disagreement() < 1e-15
    assert wg.explain(lambda z: z**2)(1 + 2j).disagreement() < 1e-15
    str(e)


@wg.custom_rule
def softplus(x):
    return np.logaddexp(0.0, x)


@softplus.forward
def softplus_rule(primals, tangents):
    (x,), (dx,) = primals, tangents
    return softplus(x), dx / (1 + np.exp(-x))


def in_place(x):
    y = np.zeros_like(x, shape=5)
    y[1:4] = x * 2
    y[y > 3] *= 0.5
    np.add(y, 1.0, out=y)
    view = y[::2]
    view += np.sum(x)
    return np.sum(y**2)


ANYTHING = {
    "a derivative inside": (lambda x: wg.grad(lambda y: np.sin(y) * x * y)(x * 2), 1.5),
    "a batch inside": (lambda x: np.sum(wg.vmap(lambda r: np.sum(r**2) * r[0])(x)), np.arange(6.0).reshape(2, 3)),
    "a checkpoint": (lambda x: wg.checkpoint(lambda y: np.sin(np.sin(y)))(x) * x, 0.3),
    "a custom rule": (lambda x: softplus(x) ** 2, 0.3),
    "assignment": (in_place, np.array([1.0, 2.0, 3.0])),
    "singular values": (lambda x: np.linalg.svd(x, compute_uv=False)[0], np.arange(6.0).reshape(2, 3)),
    "linear systems": (lambda x: np.sum(np.linalg.solve(x, np.ones(2))), np.array([[3.0, 1.0], [1.0, 2.0]])),
    "a Fourier transform": (lambda x: np.abs(np.fft.rfft(x)[1]) ** 2, np.array([1.0, 3.0, -2.0, 0.5])),
    "sorting": (lambda x: np.prod(np.sort(x)[::-1][:2]), np.array([1.0, 3.0, 2.0])),
    "a branch not taken": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.0),
    "float32": (lambda x: np.mean(x) ** 2, np.ones(3, np.float32)),
    "nothing at all": (lambda x: np.ones(3), 2.0),
    "an empty array": (lambda x: np.sum(x), np.zeros(0)),
}


@pytest.mark.parametrize("name", ANYTHING)
def test_any_function_is_explained_and_drawn(name):
    function, x = ANYTHING[name]
    e, drawing = wg.explain(function)(x), wg.draw(function)(x)
    assert e.disagreement() < 1e-6 if np.asarray(x).dtype == np.float32 else e.disagreement() < 1e-12
    if np.size(x) and name not in {"nothing at all", "a branch not taken"}:
        direct = wg.grad(function)(x)
        assert e.gradients["x"].dtype == direct.dtype
        np.testing.assert_allclose(e.gradients["x"], direct, rtol=1e-12)
    ET.fromstring(drawing.svg)
    assert e.title in str(e)
    assert drawing.html.startswith("<!doctype html>")


def test_long_programs_stay_readable():
    def long(x):
        for _ in range(500):
            x = np.sin(x) + x
        return x

    e = wg.explain(long)(0.1)
    assert len(e.steps) == 1001
    assert len(str(e).splitlines()) < 200
    assert "941 more steps" in str(e)


def test_assignment_is_explained():
    def fill(x):
        y = x * 1.0
        y[1:3] = x[0] ** 2
        return y @ y

    e = wg.explain(fill)(np.array([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_allclose(e.gradients["x"], [2 + 8, 0, 0, 8])
    assert "x[0]" in [s.formula for s in e.steps]


def test_rich_tables(capsys):
    console = pytest.importorskip("rich.console")
    c = console.Console(width=200, record=True, file=types.SimpleNamespace(write=lambda text: None, flush=lambda: None))
    c.print(wg.explain(f)(3, 2))
    text = c.export_text()
    assert "Forward walk" in text
    assert "df/dx = 2x = 6" in text
    wg.explain(f)(3, 2).show()
    assert "df/dy = -2y = -4" in capsys.readouterr().out


def test_show_without_rich(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("wengert._optional.load", lambda *a: (_ for _ in ()).throw(ImportError("no rich")))
    wg.explain(f)(3, 2).show()
    assert "df/dy = -2y = -4" in capsys.readouterr().out


def test_html_is_escaped_and_whole():
    html = wg.explain(lambda x: np.where(x < 1, x, x * x))(2.0)._repr_html_()
    assert "x &lt; 1" in html
    assert html.count("<table>") == html.count("</table>") == 2


def test_a_page_draws_one_bar_over_a_name():
    def f(x):
        total = np.sin(x)
        return total * total

    page = wg.explain(f)(0.5).html
    assert "\u0305" not in page
    assert "= <span class='bar'>total</span>·∂total/∂x" in page


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x, y: x + y, "x + y"), (lambda x, y: x * -2.0, "x·(-2)"), (lambda x, y: np.sin(x), "sin(x)"),
        (lambda x, y: x**y, "xʸ"), (lambda x, y: x**0.5, "x^0.5"), (lambda x, y: np.hypot(x, y), "√(x² + y²)"),
        (lambda x, y: np.maximum(x, y), "max(x, y)"), (lambda x, y: abs(x), "|x|"), (lambda x, y: np.square(x), "x²"),
        (lambda x, y: -x, "-x"), (lambda x, y: np.log2(x), "log₂(x)"), (lambda x, y: np.exp2(y), "2ʸ"),
        (lambda x, y: np.logaddexp(x, y), "log(eˣ+eʸ)"), (lambda x, y: np.sqrt(x + y), "√(x + y)"),
        (lambda x, y: (x + y) ** 2, "(x + y)²"), (lambda x, y: np.exp(x * y) / (x - y), "exp(x·y) / (x - y)"),
        (lambda x, y: np.sin(np.exp(x)) * y, "sin(exp(x))·y"), (lambda x, y: np.remainder(x, y), "x mod y"),
    ],
)  # fmt: skip
def test_formulas_read_like_mathematics(function, said):
    assert wg.explain(function)(1.5, 2.5).expression == said


def test_every_card_has_a_readable_formula():
    for primitive in REGISTRY.values():
        node = types.SimpleNamespace(primitive=primitive, params={})
        for n in (1, 2, 3):
            assert formula(node, ["x", "y", "z"][:n])


def test_numbers():
    assert [number(v) for v in (5.0, 1 / 3, -0.0, 1e-12, np.float32(2), True, 1 - 2j)] == ["5", "0.333333", "0", "1e-12", "2", "True", "1-2j"]
    assert brief(np.ones((2, 3))) == "float64[2,3] all 1"
    assert brief(np.arange(6.0)) == "float64[6] 0 … 5, mean 2.5"
    assert brief(np.array([[1.0, 2.0]])) == "[[1, 2]]"
    assert brief(np.array(2.5)) == "2.5"
    assert brief(np.zeros((0, 3))) == "float64[0,3]"
    assert brief(np.arange(10) > 3) == "bool[10] 6 true"
    assert compact(np.arange(6.0)) == "[6] 0 … 5"
    assert [terse(v) for v in (None, 2.0, np.arange(3.0), np.full((2, 3), 4.0), np.array([[3.0, 4.0], [0, 0]]))] == [
        "0", "2", "[0, 1, 2]", "4 everywhere", "norm 5",
    ]  # fmt: skip
    assert width(bar("loss")) == 4
    assert bar("params['w']").endswith("['w']")


def test_closed_forms_of_polynomials_only():
    assert closed_forms(wg.trace(lambda x, y: 3 * x**2 * y - y / 2 + 1)(1.0, 2.0), ["x", "y"]) == ["3x²y - 0.5y + 1"]
    assert closed_forms(wg.trace(lambda x: np.sin(x))(1.0), ["x"]) is None
    assert str(Polynomial({})) == "0"
    assert wg.explain(lambda x: np.sin(x))(0.0).summary() == ["df/dx = 1"]
