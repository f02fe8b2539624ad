"""The explorer's own logic (folding, layout, search, walks), run by a JavaScript engine without a browser."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
from py_mini_racer import JSEvalException, MiniRacer

import wengert as wg
from wengert.viz.contents import contents
from wengert.viz.page import SCRIPTS, script, shipped

spec = importlib.util.spec_from_file_location("page_tools", Path(__file__).parent / "page_tools.py")
tools = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tools)


@pytest.fixture(scope="module")
def engine():
    return tools.logic(MiniRacer())


@pytest.fixture(scope="module")
def training():
    return contents(wg.explain(tools.long_training)(*tools.network_arguments()))


def load(engine, data):
    engine.eval(f"globalThis.data = JSON.parse({json.dumps(json.dumps(data))}); globalThis.fold = new Fold(data.views[0]); 0")


def value(engine, text):
    return json.loads(engine.eval(f"JSON.stringify({text})"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_parses(engine, name):
    engine.eval(f"new Function({json.dumps(shipped(f'static/{name}.js'))}); 0")


def test_the_whole_script_parses(engine):
    engine.eval(f"new Function({json.dumps(script())}); 0")
    with pytest.raises(JSEvalException):
        engine.eval("new Function('const = 1')")


def test_a_long_program_opens_as_a_short_outline(engine, training):
    load(engine, training)
    assert len(training["views"][0]["nodes"]) > 5000
    seen = value(engine, "fold.openFirst(44)")
    assert seen == value(engine, "fold.visible().boxes.length")
    assert 3 <= seen <= 44
    labels = value(engine, "fold.groups.map((g) => g.label)")
    assert any("pass 90" in label for label in labels)
    assert any("reverse walk" in label for label in labels)
    assert max(value(engine, "fold.groups.map((g) => fold.childCount(g))")) <= 80


def test_every_box_can_be_reached_by_opening(engine, training):
    load(engine, training)
    n = len(training["views"][0]["nodes"])
    assert value(engine, "fold.groups.filter((g) => g.parent < 0).reduce((sum, g) => sum + g.size, fold.root.nodes.length)") == n
    assert value(engine, "(fold.groups.forEach((g) => fold.open.add(g.id)), fold.visible().boxes.length)") == n
    assert value(engine, "(fold.open.clear(), fold.reveal(3000), fold.boxOf(3000))") == "n3000"


def test_edges_between_boxes_stand_for_all_that_are_folded(engine, training):
    load(engine, training)
    engine.eval("fold.openFirst(44); globalThis.seen = fold.visible(); 0")
    edges = training["views"][0]["edges"]
    inside = value(engine, "data.views[0].edges.filter((e) => seen.boxOf[e.s] === seen.boxOf[e.t]).length")
    lists = value(engine, "seen.edges.map((e) => e.list)")
    assert sorted(k for found in lists for k in found) == sorted(set(k for found in lists for k in found))
    assert inside + sum(map(len, lists)) == len(edges)


@pytest.mark.parametrize("name", [*tools.EXAMPLES, "training"])
def test_boxes_do_not_overlap_and_stand_in_their_frames(engine, training, name):
    load(engine, training if name == "training" else contents(wg.explain(tools.EXAMPLES[name][0])(*tools.EXAMPLES[name][1])))
    engine.eval("fold.openFirst(60); globalThis.picture = placed(fold); 0")
    boxes = value(engine, "picture.boxes")
    for k, a in enumerate(boxes):
        assert 0 <= a["x"] - a["width"] / 2
        for b in boxes[:k]:
            assert abs(a["x"] - b["x"]) >= (a["width"] + b["width"]) / 2 - 1e-6 or abs(a["y"] - b["y"]) >= (a["height"] + b["height"]) / 2 - 1e-6
    frames = {frame["id"]: frame for frame in value(engine, "picture.frames")}
    for box in boxes:
        if box["parent"] >= 0:
            frame = frames[box["parent"]]
            assert abs(box["x"] - frame["x"]) + box["width"] / 2 <= frame["width"] / 2 + 1e-6
            assert abs(box["y"] - frame["y"]) + box["height"] / 2 <= frame["height"] / 2 + 1e-6


def test_inputs_stand_in_the_order_of_the_arguments(engine):
    load(engine, contents(wg.explain(tools.product)(3, 2)))
    boxes = {box["key"]: box for box in value(engine, "placed(fold).boxes")}
    assert boxes["n0"]["x"] < boxes["n1"]["x"]
    assert all(boxes[k]["y"] < boxes["n4"]["y"] for k in ("n0", "n1", "n2", "n3"))


def test_search(engine, training):
    load(engine, training)
    view = training["views"][0]

    def found(text):
        return [view["nodes"][k] for k in value(engine, f"matches(data.views[0], data.sources, {json.dumps(text)})")]

    assert found("x")[0]["name"] == "x"
    assert {node["op"] for node in found("tanh")} >= {"tanh"}
    by_line = found("np.tanh(h @ w)")
    assert by_line
    assert {node["op"] for node in by_line} >= {"tanh", "einsum"}
    assert len(found("layer tanh")) >= 160
    assert found("no such thing") == []
    assert value(engine, "matches(data.views[0], data.sources, '  ')") == []


def words(engine, mode, one=0):
    """Every moment of a walk in words."""
    engine.eval(f"globalThis.walked = data.{mode}[{one}]; globalThis.moments = momentsOf(data.views[0], walked, '{mode}'); 0")
    return value(engine, f"moments.map((_, at) => wordsOf(data.views[0], walked, '{mode}', moments, at))")


def test_the_reverse_walk_in_words(engine):
    load(engine, contents(wg.explain(lambda x, y: tools.product(x, y))(3, 2)))
    found = words(engine, "reverse")
    titles = [moment["title"] for moment in found]
    assert titles[0].endswith(" = 1")
    assert titles[-1] == "ȳ += ā·∂a/∂y = ā = 1·1 = 1" or "x̄" in titles[-1] or "ȳ" in titles[-1]
    last = {moment["name"]: moment for moment in found[1:]}
    assert last["x̄"]["total"] == "6.0"
    assert last["ȳ"]["total"] == "-4.0"
    assert [term["numbers"] for term in last["x̄"]["sum"]] == ["5·1", "1·1"]
    assert [term["numbers"] for term in last["ȳ"]["sum"]] == ["5·(-1)", "1·1"]
    assert all(term["done"] for term in last["x̄"]["sum"])


def test_the_forward_walk_in_words(engine):
    load(engine, contents(wg.explain(tools.product)(3, 2)))
    found = words(engine, "forward")
    assert found[0]["title"] == "ẋ = 1"
    assert found[1]["title"] == "ȧ += ∂a/∂x·ẋ = 1·1 = 1"
    assert found[-1]["total"] == "6.0"
    assert found[-1]["name"] == "d(product)"
    assert words(engine, "forward", 1)[-1]["total"] == "-4.0"


def test_sums_grow_along_the_walk(engine):
    load(engine, contents(wg.explain(tools.product)(3, 2)))
    words(engine, "reverse")
    sums = value(engine, "moments.map((_, at) => [...sumsAt(moments, at)])")
    assert dict(map(tuple, [(k, v["text"]) for k, v in sums[-1]]))[0] == "6.0"
    halfway = [dict((k, v) for k, v in found) for found in sums]
    assert any(found.get(0, {}).get("partial") for found in halfway)
    assert not any(v["partial"] for _, v in sums[-1])


def test_walks_of_a_long_program_have_a_moment_for_every_term_or_step(engine, training):
    load(engine, training)
    assert len(words(engine, "reverse")) == 1 + len(training["reverse"][0]["events"]) > 5000
    assert len(words(engine, "forward")) > 1000


def test_numbers_of_the_words_are_products(engine):
    """What stands before and after the last equals sign is equal."""
    load(engine, contents(wg.explain(lambda x, y: np.sin(x) * np.exp(y) / (1 + x * y))(0.7, -1.3)))
    for mode, one in (("reverse", 0), ("forward", 0), ("forward", 1)):
        for moment in words(engine, mode, one):
            parts = moment["title"].split(" = ")
            factors = parts[-2].split("·")
            if " += " in moment["title"] and all(re.fullmatch(r"\(?-?[\d.e-]+\)?", factor) for factor in factors):
                assert np.isclose(np.prod([float(factor.strip("()")) for factor in factors]), float(parts[-1]), rtol=2e-5), "to the six digits that are shown"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("6.0", "6"), ("-0.8291835446087895", "-0.829184"), ("1e-12", "1e-12"), ("nan", "nan"), ("(1+2j)", "(1+2j)"), ("True", "True"), ("", ""),
        ("float64[20] -0.596 … 1, mean 0.371", "[20] -0.596 … 1"), ("float32[32] all 0.03125", "[32] all 0.03125"), ("[0.5, -1]", "[0.5, -1]"),
    ],
)  # fmt: skip
def test_boxes_and_sums_have_values_in_brief(engine, text, said):
    assert value(engine, f"inBrief({text!r})") == said


def test_an_infinity_that_came_in_is_no_alarm_and_one_that_was_made_is():
    mask = np.array([0.0, -np.inf])
    with np.errstate(all="ignore"):
        nodes = contents(wg.explain(lambda x: np.sum(np.exp(x + mask)))(np.ones(2)))["views"][0]["nodes"]
        assert [node["op"] for node in nodes if node["value"].get("given")] == ["add"]
        nodes = contents(wg.explain(lambda x: np.log(x) * 2)(np.zeros(2)))["views"][0]["nodes"]
        bad = [node["op"] for node in nodes if node["value"].get("inf") and not node["value"].get("given")]
        assert bad == ["log"]
        nodes = contents(wg.explain(lambda x: (x + mask) - mask)(np.ones(2)))["views"][0]["nodes"]
        assert nodes[-1]["value"]["nan"] == 1
        assert "given" not in nodes[-1]["value"]
