"""The picture: what is in it, and that nothing overlaps."""

import itertools
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import wengert as wg
from wengert.viz.layout import Edge, Vertex, crossings, layers_of, order, place, spaced
from wengert.viz.svg import bezier


def f(x, y):
    return (x + y) * (x - y)


def network(w, x):
    h = np.tanh(x @ w)
    for _ in range(3):
        h = h * 2.0 + np.sin(h) - np.hypot(h, 3.0)
    s = h[0] * h[1]
    return np.where(s > 0, s, -s) / np.exp(h[1])


def drawings():
    yield wg.draw(f)(3, 2)
    yield wg.draw(network)(np.ones((3, 2)), np.arange(3.0))


def test_the_example_has_values_partials_and_adjoints():
    svg = wg.draw(f)(3, 2).svg
    texts = ["".join(e.itertext()) for e in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    shown = " ".join(texts)
    for word in ("a = x + y", "b = x - y", "f = a·b", "∂a/∂x = 1", "∂b/∂y = -1", "∂f/∂a = b = 1", "∂f/∂b = a = 5", "x = 6", "y = -4"):
        assert word in shown
    assert "prefers-color-scheme: dark" in svg


def test_svg_is_well_formed_and_nothing_is_clipped():
    for drawing in drawings():
        root = ET.fromstring(drawing.svg)
        width, height = (float(root.attrib[k]) for k in ("width", "height"))
        scene = drawing.scene
        assert all(box.x - box.width / 2 >= -1e-9 and box.x + box.width / 2 <= scene.width + 1e-9 for box in scene.boxes)
        assert scene.width <= width
        assert scene.height <= height


def test_boxes_and_labels_do_not_overlap():
    for drawing in drawings():
        scene = drawing.scene
        areas = [(b.x, b.y, b.width, b.height) for b in scene.boxes]
        areas += [(*a.at, 6.63 * len(a.label), 16) for a in scene.arrows if a.label]
        for (x, y, w, h), (u, v, p, q) in itertools.combinations(areas, 2):
            assert abs(x - u) >= (w + p) / 2 - 1e-6 or abs(y - v) >= (h + q) / 2 - 1e-6


def sampled(points):
    """Points along an arrow's curve."""
    t = np.linspace(0, 1, 24)[:, None]
    start, pieces = points[0], []
    for first, second, end in bezier(points):
        a, b, c, d = map(np.array, (start, first, second, end))
        pieces.append((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d)
        start = end
    return np.concatenate(pieces)


def fan(x):
    s = 0.0
    for k in range(40):
        y = np.sin(x * k)
        s = s + y * np.exp(-s)
    return s


def test_edges_cross_neither_labels_nor_boxes():
    for drawing in [*drawings(), wg.draw(fan)(0.3)]:
        scene = drawing.scene
        areas = [(b.x, b.y, b.width - 4, b.height - 4, ()) for b in scene.boxes]
        areas += [(*a.at, 6.63 * len(a.label) - 2, 14, a) for a in scene.arrows if a.label]
        for arrow in scene.arrows:
            curve = sampled(arrow.points)
            for x, y, w, h, owner in areas:
                if owner is not arrow:
                    assert not np.any((abs(curve[:, 0] - x) < w / 2) & (abs(curve[:, 1] - y) < h / 2)), (arrow, x, y)


def test_a_step_stands_just_above_its_first_use():
    layers = layers_of(dict.fromkeys("xabcd", (1, 1)), [Edge(*pair) for pair in ("xa", "ab", "bc", "xd", "dc")])
    assert layers == {"x": 0, "a": 1, "b": 2, "d": 2, "c": 3}


def test_wide_fans_are_cut():
    def wide(x):
        return np.prod(np.stack([x * k for k in range(1, 12)]))

    scene = wg.draw(wide)(0.3).scene
    assert sum(box.kind == "mention" for box in scene.boxes) == 11


def test_inputs_are_on_top_and_edges_run_downwards():
    for drawing in drawings():
        scene = drawing.scene
        top = min(box.y for box in scene.boxes)
        assert all(abs(box.y - top) < 40 for box in scene.boxes if box.kind == "input")
        for arrow in scene.arrows:
            heights = [y for _, y in arrow.points]
            assert heights == sorted(heights)


def test_long_edges_are_cut_and_long_programs_are_shortened():
    def long(x, y):
        for _ in range(300):
            x = np.sin(x) * y
        return x

    scene = wg.draw(long)(0.3, 1.1).scene  # 602 steps
    assert any(box.kind == "mention" and box.name == "y" for box in scene.boxes)
    assert any("more steps" in box.lines[0][0] for box in scene.boxes)
    assert len(scene.boxes) < 500


STRING = r'"(?:[^"\\]|\\.)*"'


def parse_dot(text):
    """Nodes and edges of the part of Graphviz's language that we write; raises where a line is anything else."""
    lines = text.strip().splitlines()
    assert re.fullmatch(rf"digraph {STRING} {{", lines[0])
    assert lines[-1] == "}"
    nodes, edges = {}, []
    value = rf"(?:{STRING}|\w+)"
    attributes = rf"\[\w+={value}(?:, \w+={value})*\]"
    for line in lines[1:-1]:
        match = re.fullmatch(rf"\s*(?:(graph|node|edge)|({STRING})(?: -> ({STRING}))?) ({attributes});", line)
        assert match, line
        label = re.search(rf"label=({STRING})", match[4])
        if match[3]:
            edges.append((json.loads(match[2]), json.loads(match[3]), json.loads(label[1])))
        elif match[2]:
            nodes[json.loads(match[2])] = json.loads(label[1])
    return nodes, edges


def test_dot_parses_and_has_every_node_and_edge():
    for drawing in drawings():
        nodes, edges = parse_dot(drawing.dot)
        assert {end for edge in edges for end in edge[:2]} <= set(nodes)
        assert len(edges) == len(drawing.scene.arrows)
    nodes, edges = parse_dot(wg.draw(f)(3, 2).dot)
    assert nodes["a"].splitlines()[:2] == ["a = x + y", "5"]
    assert ("y", "b", "∂b/∂y = -1") in edges


def test_dot():
    dot = wg.draw(f)(3, 2).dot
    assert dot.startswith("digraph")
    assert re.search(r'"a" -> "f" \[label="∂f/∂a = b = 1"\]', dot)
    assert dot.count("->") == 6


@pytest.mark.parametrize(("ending", "magic"), [("svg", b"<svg"), ("dot", b"digraph"), ("html", b"<!doctype"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_save(tmp_path, ending, magic):
    if ending in {"png", "pdf"}:
        pytest.importorskip("matplotlib")
    path = tmp_path / f"graph.{ending}"
    wg.draw(f)(3, 2).save(path)
    assert path.read_bytes().startswith(magic)


def test_save_names_the_endings(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg \.dot \.html \.png \.pdf"):
        wg.draw(f)(3, 2).save(tmp_path / "graph.xyz")


def test_notebooks():
    drawing = wg.draw(f)(3, 2)
    assert drawing._repr_svg_() in drawing._repr_html_()
    assert repr(drawing) == "<Drawing of f(x, y) = (x + y)·(x - y): 5 boxes, 6 edges>"


# --- layout --------------------------------------------------------------------------------------------------------


def test_spacing_is_the_nearest_without_overlap():
    row = [Vertex(10, 1, 0), Vertex(10, 1, 0), Vertex(10, 1, 0)]
    assert spaced(row, [0, 100, 200]) == [0, 100, 200]
    assert spaced(row, [50, 50, 50]) == [50 - 36, 50, 50 + 36]


def test_crossings_are_removed():
    rows = [[Vertex(1, 1, 0) for _ in range(4)], [Vertex(1, 1, 1) for _ in range(4)]]
    for k, upper in enumerate(rows[0]):
        upper.below.append(rows[1][3 - k])
        rows[1][3 - k].above.append(upper)
    assert crossings(order([v for row in rows for v in row])) == 0


def test_random_graphs_have_room():
    random = np.random.default_rng(0)
    names = [f"v{k}" for k in range(30)]
    edges = [Edge(names[int(random.integers(k))], names[k], 40, 14) for k in range(1, 30) for _ in range(2)]
    layout = place({n: (60.0, 40.0) for n in names}, edges, {n: (30.0, 20.0) for n in names})
    for (x, y), (u, v) in itertools.combinations(layout.positions.values(), 2):
        assert abs(x - u) >= 60 or abs(y - v) >= 40
    assert len(layout.routes) == len(edges)


def test_nothing_to_draw():
    assert "<svg" in wg.draw(lambda: 1.0)().svg
    assert "<svg" in wg.draw(lambda x: x)(2.0).svg


def test_every_word_of_a_picture_is_inside_of_it(monkeypatch, tmp_path):
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path: figures.append(self))
    for function, args in ((lambda x: x * x, (3.0,)), (lambda x, y: np.sum(np.sin(x) * y), (np.ones(5), np.arange(5.0)))):
        wg.draw(function)(*args).save(tmp_path / "graph.png")
    for figure in figures:
        canvas = figure.bbox
        for text in figure.axes[0].texts:
            box = text.get_window_extent()
            assert canvas.x0 <= box.x0, text.get_text()
            assert box.x1 <= canvas.x1, text.get_text()
