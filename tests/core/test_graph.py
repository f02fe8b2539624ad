"""Graphs: recorded, printed, read back, checked, rewritten."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wengert as wg
from wengert.core.check import check
from wengert.core.graph import Const, Graph, Node, Var
from wengert.core.parse import parse
from wengert.core.primitive import REGISTRY
from wengert.core.rewrite import inline, remove_dead, substitute
from wengert.core.text import format_literal
from wengert.core.types import ArrayType
from wengert.errors import GraphError


def f(x, y):
    return (x + y) * (x - y)


def roundtrip(graph):
    again = parse(graph.text())
    assert again.text() == graph.text()
    return again


def test_text_of_the_example():
    lines = [line.partition("  #")[0] for line in str(wg.trace(f)(3.0, 2.0)).splitlines()]
    assert lines == [
        "graph(x:float64[], y:float64[]) {",
        "  a:float64[] = add x y",
        "  b:float64[] = subtract x y",
        "  f:float64[] = multiply a b",
        "  return f",
        "}",
    ]


def test_nodes_know_the_users_line():
    graph = wg.trace(f)(3.0, 2.0)
    line = f.__code__.co_firstlineno + 1
    assert [node.location for node in graph.nodes] == [f"test_graph.py:{line}"] * 3


def test_names_are_the_users():
    def model(params, x):
        h = np.tanh(x @ params["w"])
        for _ in range(2):
            h = 2.0 * np.sin(h)
        top = h[0, 0]
        return top * top

    graph = wg.trace(model)({"w": np.ones((3, 2))}, np.ones((2, 3)))
    names = [part.split(":")[0].strip() for part in str(graph).splitlines() if " = " in part and "const" not in part]
    assert [v.hint for v in graph.inputs] == ["params['w']", "x"]
    assert [n for n in names if n.startswith("h")] == ["h", "h1", "h2"]
    assert names[-2:] == ["top", "model"]


def test_names_of_args_and_kwargs():
    graph = wg.trace(lambda *rows, scale: rows[0] * rows[1] * scale)(1.0, 2.0, scale=3.0)
    assert [v.hint for v in graph.inputs] == ["rows[0]", "rows[1]", "scale"]
    check(roundtrip(graph))


def test_control_flow_takes_the_path_of_the_values():
    def branch(x, n):
        return x * x if x > 1 else np.sin(x) ** n

    assert [n.primitive.name for n in wg.trace(branch)(2.0, 3).nodes] == ["greater", "multiply"]
    assert "sin" in [n.primitive.name for n in wg.trace(branch)(0.5, 3).nodes]


def test_assignment_and_views():
    def fill(x):
        y = x * 0.0
        top = y[1:]
        y[0] = x[1]
        top += 2 * x[0]
        y[...] = y + 1
        return y

    graph = wg.trace(fill)(np.array([1.0, 2.0]))
    x = np.array([5.0, 7.0])
    np.testing.assert_array_equal(roundtrip(graph)(x)[0], [8.0, 11.0])
    check(graph)


def test_later_mutation_of_a_constant_does_not_reach_the_graph():
    table = np.ones(2)

    def uses(x):
        y = x * table
        table[:] = 5.0
        return y * table

    graph = wg.trace(uses)(np.ones(2))
    table[:] = 9.0
    np.testing.assert_array_equal(graph(np.ones(2))[0], [5.0, 5.0])


def test_graph_of_a_gradient_and_of_second_order():
    graph = wg.trace(wg.grad(f, argnums=(0, 1)))(3.0, 2.0)
    assert [float(y) for y in check(roundtrip(graph))(3.0, 2.0)] == [6.0, -4.0]
    assert [float(y) for y in graph(1.0, 5.0)] == [2.0, -10.0]
    third = wg.trace(wg.grad(wg.grad(wg.grad(np.sin))))(0.3)
    np.testing.assert_allclose(third(0.7)[0], -np.cos(0.7), rtol=1e-15)


def test_a_graph_can_be_differentiated():
    graph = wg.trace(lambda x: np.sin(x) * x)(1.0)
    np.testing.assert_allclose(wg.grad(lambda x: graph(x)[0])(0.5), np.cos(0.5) * 0.5 + np.sin(0.5), rtol=1e-15)


def test_trace_inside_a_derivative():
    assert wg.grad(lambda x: wg.trace(lambda u: u * x)(x)(x)[0])(3.0) == 6.0


def test_integers_are_settings_unless_there_is_nothing_else():
    assert [str(v.type) for v in wg.trace(lambda x, n: x * n)(2.0, 3).inputs] == ["float64[]"]
    assert [v.type.dtype.kind for v in wg.trace(lambda n, m: n * m)(2, 3).inputs] == ["i", "i"]
    assert wg.trace(lambda k: np.arange(6)[k] * k)(np.int64(2))(np.int64(2))[0] == 4


def test_float32_stays_with_python_numbers():
    graph = wg.trace(lambda x: 2.0 * x + 1)(np.ones(3, np.float32))
    assert {str(n.outputs[0].type) for n in graph.nodes} == {"float32[3]"}
    assert roundtrip(graph)(np.ones(3, np.float32))[0].dtype == np.float32


# --- literals ------------------------------------------------------------------------------------------------------

LITERALS = [
    0, -3, True, None, Ellipsis, 1.5, -0.0, float("inf"), float("-inf"), 1 + 2j, complex(-0.0, -1.0), "a'b{}#\"\n", b"x",
    (), (1,), (1, (2.0, None)), [1, [2]], {"a": (1,), 2: "b"}, slice(None), slice(1, None, -2), slice(None, 3),
    (slice(1, 3), Ellipsis, None, "array", -1), np.dtype("float32"), np.dtype(">f8"), np.float64, np.bool_,
    np.float32(0.1), np.int8(-3), np.complex64(1 - 2j), np.bool_(True), np.str_("ab"), np.longdouble("0.1"),
    np.array(2.0), np.arange(3), np.zeros((0, 3)), np.zeros((3, 0), np.float32), np.array([[np.nan, np.inf], [-0.0, 1e-320]]),
    np.array([1 + 2j, complex(np.nan, -0.0)]), np.array([True, False]), np.array(["a", "bc"]), np.array([0.1], np.float16),
]  # fmt: skip


@pytest.mark.parametrize("value", LITERALS, ids=repr)
def test_every_literal_comes_back(value):
    node = Node(REGISTRY["sin"], (x := Var(ArrayType((), np.dtype(float)), "x"),), {"p": value}, (y := Var(x.type, "y"),))
    graph = Graph((x,), (node,), (y,))
    found = roundtrip(graph).nodes[0].params["p"]
    assert type(found) is type(value) or isinstance(value, np.str_)
    assert format_literal(found) == format_literal(value)
    if isinstance(value, np.ndarray):
        assert (found.shape, found.dtype) == (value.shape, value.dtype)
        assert found.tobytes() == value.tobytes()
    elif not isinstance(value, (float, np.ndarray)):
        assert found == value


def test_large_constants_are_left_out_of_str_only():
    graph = wg.trace(lambda x: x * np.arange(2000.0))(1.0)
    assert "array(...)" in str(graph)
    assert len(str(graph)) < 500
    roundtrip(graph)
    with pytest.raises(GraphError, match=r"graph.text\(\)"):
        parse(str(graph))


# --- random programs -----------------------------------------------------------------------------------------------

UNARY = [np.sin, np.tanh, np.exp, np.negative, np.square, lambda a: a[::-1], lambda a: a[..., None, :1] * 2 + a, np.floor]
BINARY = [np.add, np.multiply, np.subtract, np.maximum, np.hypot, lambda a, b: np.where(a > b, a, b), lambda a, b: a / (2 + b * b)]


@st.composite
def programs(draw):
    steps = draw(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12))
    constant = draw(st.sampled_from([0.5, 3, np.float32(2), np.arange(3.0), np.ones(3, np.float32)]))
    dtype = draw(st.sampled_from([np.float64, np.float32]))

    def program(x, y):
        pool = [x, y, x * constant]
        for choice, i, j in steps:
            a, b = pool[i % len(pool)], pool[j % len(pool)]
            if choice < len(UNARY):
                new = UNARY[choice](a)
                pool.append(new if new.ndim < 3 else new[0])
            else:
                pool.append(BINARY[choice - len(UNARY)](a, b))
        return {"last": pool[-1], "rest": [pool[2], pool[len(pool) // 2]]}

    return program, np.linspace(-1, 1, 3).astype(dtype), np.array([0.3, -2.0, 0.7], dtype)


@given(programs())
@settings(max_examples=60, deadline=None)
def test_random_programs_print_parse_and_run_the_same(case):
    program, x, y = case
    with np.errstate(all="ignore"):
        true = program(x, y)
        graph = wg.trace(program)(x, y)
        again = roundtrip(graph)
        check(again)
        for one, two in zip(again(x, y), [true["last"], *true["rest"]], strict=True):
            assert np.asarray(one).dtype == np.asarray(two).dtype
            np.testing.assert_array_equal(one, two)


# --- what is not well formed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with"),
        ("graph(x:float64[]) {\n  return x", "ends with"),
        ("graph(x:float64[]) {\n  return y\n}", "line 2.*`y` is used before"),
        ("graph(x:float64[]) {\n  x:float64[] = sin x\n  return x\n}", "`x` is assigned twice"),
        ("graph(x:float64[]) {\n  y:float64[] = sine x\n  return y\n}", "no primitive is named 'sine'"),
        ("graph(x:float64) {\n  return x\n}", "variables are written"),
        ("graph(x:float63[]) {\n  return x\n}", "line 1"),
        ("graph(x:float64[]) {\n  y:float64[] = sin x {p=open('f')}\n  return y\n}", "makes no literal|no dtype|not a"),
        ("graph(x:float64[]) {\n  y:float64[] = sin x {p=1\n  return y\n}", "without its"),
        ("graph(x:float64[]) {\n  const _0:float64[] = x\n  return x\n}", "is not a literal"),
    ],
)
def test_text_that_is_not_a_graph(text, said):
    with pytest.raises(GraphError, match=said):
        parse(text)


def test_check_names_the_node():
    with pytest.raises(GraphError, match=r"node 0, `y = sin`, has the type float32\[3\], and its primitive gives float64\[3\]"):
        check(parse("graph(x:float64[3]) {\n  y:float32[3] = sin x\n  return y\n}"))
    with pytest.raises(GraphError, match=r"node 0, `y = add`.*cannot be applied to \(x:float64\[3\], z:float64\[4\]\)"):
        check(parse("graph(x:float64[3], z:float64[4]) {\n  y:float64[3] = add x z\n  return y\n}"))
    with pytest.raises(GraphError, match="whose value is float64"):
        check(parse("graph() {\n  const _0:float32[] = 1.0\n  return _0\n}"))


def test_check_finds_bad_order_and_double_assignment():
    kind = ArrayType((), np.dtype(float))
    x, y = Var(kind, "x"), Var(kind, "y")
    sin = Node(REGISTRY["sin"], (x,), {}, (y,))
    with pytest.raises(GraphError, match="`y`, which is assigned already"):
        check(Graph((x,), (sin, sin), (y,)))
    with pytest.raises(GraphError, match="node 0, `x = cos`, uses `y` before"):
        check(Graph((), (Node(REGISTRY["cos"], (y,), {}, (x,)),), (x,)))


def test_a_graph_says_how_many_inputs_it_takes():
    with pytest.raises(TypeError, match="takes 2 inputs, and 1"):
        wg.trace(f)(3.0, 2.0)(1.0)


# --- rewriting -----------------------------------------------------------------------------------------------------------


def test_remove_dead():
    def wasteful(x):
        np.cos(np.exp(x))
        return np.sin(x)

    graph = wg.trace(wasteful)(1.0)
    lean = check(remove_dead(graph))
    assert [n.primitive.name for n in lean.nodes] == ["sin"]
    assert lean(0.3) == graph(0.3)


def test_substitute():
    graph = wg.trace(lambda x: np.exp(np.sin(x)))(1.0)
    short = remove_dead(substitute(graph, {graph.nodes[0].outputs[0]: graph.inputs[0]}))
    assert check(short)(0.3)[0] == np.exp(0.3)
    fixed = substitute(graph, {graph.inputs[0]: Const(2.0, ArrayType((), np.dtype(float)))})
    assert fixed(0.0)[0] == np.exp(np.sin(2.0))


def test_inline():
    graph = wg.trace(lambda x: np.exp(np.sin(x)))(1.0)
    nodes, outputs = inline(graph, graph.outputs)
    twice = check(Graph(graph.inputs, graph.nodes + nodes, outputs))
    assert twice(0.3)[0] == np.exp(np.sin(np.exp(np.sin(0.3))))
