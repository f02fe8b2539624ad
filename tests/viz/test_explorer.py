"""The explorer's page without a browser: it is well-formed, it needs no network, and its data are the graph's.

`python tests/viz/click_through.py` clicks through it in Chromium.
"""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert.viz.contents import contents, statistics, value_text
from wengert.viz.matrices import FINEST, coarse
from wengert.viz.page import SCRIPTS, embedded, shipped
from wengert.viz.programs import linear_program

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("page_tools", HERE / "page_tools.py")
tools = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tools)
ROOM = Path(importlib.util.find_spec("wengert.viz").origin).parent


@pytest.mark.parametrize("name", tools.EXAMPLES)
def test_the_page_is_well_formed_and_needs_no_network(name):
    function, args = tools.EXAMPLES[name]
    text = wg.draw(function)(*args).html
    page = tools.Page(text)
    assert len(page.scripts) == 4, "nothing in the data may end its script"
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "img", "object", "embed", "base"}
        assert not {"src", "href", "onload", "onclick"} & set(attributes)
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert set(re.findall(r"https?://[^\"'` )]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\((?!#)|\bfetch\(|XMLHttpRequest|importScripts|\bimport\(", text)


def test_every_part_of_the_page_has_a_name_for_readers_of_screens():
    page = tools.page_of("product")
    ids = set(page.ids)
    for tag, attributes in page.tags:
        if tag in {"input", "select", "canvas"}:
            assert {"aria-label", "role"} & set(attributes), (tag, attributes)
        for reference in ("aria-controls", "aria-labelledby", "for"):
            assert attributes.get(reference, next(iter(ids))) in ids
    for identity in re.findall(r'find\("#([\w-]+)"\)', "".join(shipped(f"static/{name}.js") for name in SCRIPTS)):
        assert identity in ids, f"a script looks for #{identity}"


@pytest.mark.parametrize("name", tools.EXAMPLES)
def test_the_data_are_the_graph(name):
    function, args = tools.EXAMPLES[name]
    explanation = wg.explain(function)(*args)
    view = contents(explanation)["views"][0]
    graph, walks = explanation.graph, explanation.walks
    shown = [node for node in view["nodes"] if not node.get("inner")]
    assert [node["name"] for node in shown] == [walks.names[v] for v in graph.vars()]
    for var, node in zip(graph.vars(), shown, strict=True):
        assert node["type"] == str(var.type)
        assert node["value"]["text"] == value_text(walks.values[var])
    variables = set(graph.vars())
    uses = [(walks.names[a], walks.names[y], slot) for n in graph.nodes for y in n.outputs for slot, a in enumerate(n.operands) if a in variables]
    edges = [(view["nodes"][e["s"]]["name"], view["nodes"][e["t"]]["name"], e["slot"]) for e in view["edges"] if not view["nodes"][e["t"]].get("inner")]
    assert edges == uses
    assert all(-1 <= group["parent"] < len(view["groups"]) for group in view["groups"])
    assert {var: node.get("loc", "") for var, node in zip(graph.vars(), shown, strict=True)} == {
        **dict.fromkeys(graph.inputs, ""), **{y: n.location for n in graph.nodes for y in n.outputs}}


def test_numbers_are_exact():
    data = tools.page_of("product").data
    nodes = {node["name"]: node for node in data["views"][0]["nodes"]}
    assert [nodes[k]["adjoint"]["text"] for k in (*"xyab", "product")] == ["6.0", "-4.0", "1.0", "5.0", "1.0"]
    assert data["n"] == 2
    assert data["m"] == 1
    assert data["jacobian"] == {"rows": ["product"], "columns": ["x", "y"], "entries": [["6", "-4"]]}
    third = wg.explain(lambda x: x / 3.0)(1.0)
    assert contents(third)["views"][0]["nodes"][1]["value"]["text"] == "0.3333333333333333"


def test_events_add_up_along_every_walk():
    for name in ("product", "several outputs", "network"):
        function, args = tools.EXAMPLES[name]
        data = contents(wg.explain(function)(*args))
        view = data["views"][0]
        for mode in ("forward", "reverse"):
            for one in data[mode]:
                last = {}
                for edge, _, total in one["events"]:
                    last[view["edges"][edge]["t" if mode == "forward" else "s"]] = total
                assert all(one["values"][k] == total for k, total in last.items())


def test_one_reverse_walk_for_each_output_and_one_forward_walk_for_each_input():
    data = contents(wg.explain(tools.EXAMPLES["several outputs"][0])(np.array([0.5, 2.0])))
    assert [p["label"] for p in data["forward"]] == ["d/dx[0]", "d/dx[1]"]
    expected = np.array([[2 * np.cos(0.5), np.sin(0.5)], [1.0, 1.0]])
    assert np.allclose([[float(t) for t in row] for row in data["jacobian"]["entries"]], expected, rtol=1e-4)
    rows = [np.array(p["values"][0].strip("[]").split(", "), float) for p in data["reverse"]]
    assert np.allclose(rows, expected, rtol=1e-3)


def test_the_linear_program_is_the_derivative():
    for name in ("product", "network", "oscillator", "complex"):
        function, args = tools.EXAMPLES[name]
        explanation = wg.explain(function)(*args)
        derived = linear_program(explanation.walks)
        rng = np.random.default_rng(1)
        tangents = [rng.standard_normal(v.type.shape).astype(v.type.dtype)[()] for v in derived.graph.inputs]
        found = derived.graph(*tangents)
        h = 1e-6
        inputs = explanation.graph.inputs
        moved = [[explanation.walks.values[v] + s * h * t for v, t in zip(inputs, tangents, strict=True)] for s in (1, -1)]
        for k, output in enumerate(explanation.graph.outputs):
            up, down = (explanation.graph(*values)[k] for values in moved)
            assert np.allclose(found[k], (up - down) / (2 * h), rtol=1e-5, atol=1e-8), output
        assert len(derived.sources) == len(derived.graph.nodes)


def test_every_node_of_the_compiled_program_has_an_origin_and_work_has_a_kernel():
    data = contents(wg.explain(tools.network)(*tools.network_arguments()))
    primal, _, compiled = data["views"]
    names = {node["name"] for node in primal["nodes"]}
    steps = [node for node in compiled["nodes"] if node["kind"] != "input"]
    assert all(node["from"] and set(node["from"]) <= names for node in steps)
    assert all("kernels" in node for node in steps if node["op"] in {"tanh", "multiply", "sum"})
    kernels = [group for group in compiled["groups"] if group["kind"] == "kernel"]
    assert all(group["text"] for group in kernels)
    ops = {op for group in kernels for op in re.findall(r"float64: (\w+)\(", group["text"])}
    assert "tanh" in ops


def sorted_totals(x):
    return np.sort(x)[::-1].cumsum()


def test_programs_of_every_kind_of_step():
    """Sorting, sums along an axis, LAPACK, control flow: the other programs are there for all of them."""
    calls = [
        (sorted_totals, np.array([3.0, 1.0, 2.0])), (lambda a: np.linalg.svd(a)[1].sum(), np.eye(3, 2) + np.ones((3, 2))),
        (lambda x: wg.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, s[1] * x), (0, 1.0))[1], 1.3),
        (lambda x: wg.cond(x > 0, np.sin, np.cos, x), 1.3), (wg.jit(lambda x: np.sum(np.sin(x))), np.arange(3.0)),
        (wg.grad(lambda x: wg.scan(lambda c, t: (c * np.sin(x * t), c), x, np.arange(5.0))[0]), 1.1),
        (lambda x: np.argmax(x), np.arange(3.0)), (lambda x: (x, x), 1.0), (lambda x: np.sum(x), np.zeros((0, 3))),
    ]  # fmt: skip
    for function, x in calls:
        data = contents(wg.explain(function)(x))
        assert [view.get("error", "") for view in data["views"]] == ["", "", ""]
        assert "why" not in data["pattern"]


def test_bodies_of_loops_are_boxes_of_their_own():
    data = contents(wg.explain(tools.oscillator)(1.3, np.array([1.0, 0.0])))
    view = data["views"][0]
    labels = [group["label"] for group in view["groups"]]
    assert labels == ["scan, 20 steps", "scan, 20 steps: body"]
    inside = [node for node in view["nodes"] if node.get("inner")]
    assert {node["op"] for node in inside} >= {"sin", "stack", "multiply"}
    owner = view["nodes"][view["groups"][0]["owner"]]
    assert owner["op"] == "scan"
    assert "graph(" not in owner["formula"]


def test_nan_is_counted_and_statistics_are_of_the_rest():
    view = contents(wg.explain(tools.unhappy)(np.array([1.0, 2.0, -1.0])))["views"][0]
    first = next(node for node in view["nodes"] if node["value"].get("nan"))
    assert (first["op"], first["value"]["nan"]) == ("log", 1)
    assert statistics(np.array([1.0, np.nan, 3.0, np.inf])) == ["min 1", "max 3", "mean 2", "1 NaN", "1 infinite"]
    assert statistics(np.array([], float)) == []
    assert statistics(np.array([True, False])) == ["1 of 2 true"]


def test_source_lines_are_there():
    data = contents(wg.explain(tools.product)(3, 2))
    assert "a = x + y" in data["sources"].values()


def test_the_pattern_is_that_of_the_jacobian():
    pattern = tools.page_of("sums over neighbours").data["pattern"]
    assert pattern["shape"] == pattern["grid"] == [39, 40]
    assert {(i, j) for i, j, _ in pattern["cells"]} == {(i, j) for i in range(39) for j in (i, i + 1)}
    assert pattern["columns"] == [["x", 0, 40]]


def test_a_large_pattern_is_coarsened_without_losing_an_entry():
    rng = np.random.default_rng(0)
    dense = rng.random((301, 517)) < 0.01
    rows, columns = np.nonzero(dense)
    found = coarse(wg.Pattern(rows, columns, dense.shape))
    assert found["grid"] == [FINEST, FINEST]
    expected = np.zeros((FINEST, FINEST))
    area = np.zeros((FINEST, FINEST))
    for i in range(301):
        for j in range(517):
            area[i * FINEST // 301, j * FINEST // 517] += 1
            expected[i * FINEST // 301, j * FINEST // 517] += dense[i, j]
    cells = np.zeros((FINEST, FINEST))
    for i, j, share in found["cells"]:
        cells[i, j] = share
    assert np.allclose(cells, expected / area, atol=6e-4)


def test_embedded_json_cannot_end_its_script():
    assert "<" not in embedded({"</script>": "<!-- \u2028"})
    with pytest.raises(ValueError, match="JSON"):
        embedded({"x": float("nan")})


def test_the_layout_library_has_its_licence_and_its_version():
    assert "Permission is hereby granted, free of charge" in shipped("vendor/LICENSE")
    version = re.search(r"version (\d+\.\d+\.\d+)", shipped("vendor/README.md"))[1]
    assert f'"{version}"' in shipped("vendor/dagre.min.js")


def test_scripts_are_small_and_all_of_them_are_in_the_page():
    files = {path.stem for path in (ROOM / "static").glob("*.js")}
    assert files == set(SCRIPTS)
    assert all(len(path.read_text().splitlines()) < 400 for path in (ROOM / "static").iterdir())


def test_the_wheel_has_the_files_of_the_page():
    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["src/wengert"]
    ignored = subprocess.run(["git", "check-ignore", *map(str, [*(ROOM / "static").iterdir(), *(ROOM / "vendor").iterdir()])],
                             capture_output=True, text=True, cwd=HERE, check=False).stdout
    assert not ignored, "hatch leaves out what git ignores"


def test_the_command_line_writes_the_page(tmp_path):
    path = tmp_path / "page.html"
    subprocess.run([sys.executable, "-m", "wengert", "explain", "lambda x, y: (x + y) * (x - y)", "3", "2", "--html", str(path)], check=True, capture_output=True)
    assert tools.Page(path.read_text(encoding="utf-8")).data["summary"][0] == "df/dx = 2x = 6"


def test_what_a_line_becomes_belongs_to_the_pass_that_ran_it():
    def centred(x):
        for k in range(3):
            x = np.exp(x - np.mean(x)) * (k + 2.0)
        return x

    data = contents(wg.explain(centred)(np.arange(4.0)))
    primal, _, compiled = data["views"]
    means = [node["name"] for node in primal["nodes"] if node["op"] == "mean"]
    sums = [node["from"] for node in compiled["nodes"] if node["op"] == "sum"]
    assert sums == [[name] for name in means]


def test_a_pattern_says_how_many_passes_a_sparse_jacobian_needs():
    pattern = tools.page_of("sums over neighbours").data["pattern"]
    assert pattern["colours"] == {"columns": 2, "rows": 2}


def test_passes_of_large_functions_are_sums_of_columns_and_rows():
    data = contents(wg.explain(lambda x: np.sin(x))(np.ones(30)))
    assert [one["isSum"] for one in (*data["forward"], *data["reverse"])] == [True, True]
    data = contents(wg.explain(tools.product)(3, 2))
    assert not any(one["isSum"] for one in (*data["forward"], *data["reverse"]))


def test_losses_of_networks_are_boxes():
    from_logits = wg.nn.cross_entropy
    view = contents(wg.explain(lambda x: from_logits(x * 2.0, np.array([0, 2])))(np.ones((2, 3))))["views"][0]
    assert "cross_entropy" in {group["label"] for group in view["groups"]}
