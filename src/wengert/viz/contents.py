"""What the page of the explorer knows: a call's graphs, boxes, walks and patterns as plain values, ready for JSON.

Boxes and edges are those of the pictures (`wengert.viz.scene`): the same texts, before anything has a place.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wengert.core.graph import Const, Graph, Node, Var
from wengert.core.text import name_atoms
from wengert.viz.chain import product_in_symbols, product_with_slope
from wengert.viz.explanation import Explanation
from wengert.viz.matrices import jacobian_numbers, jacobian_pattern
from wengert.viz.notation import bar, brief, constant, cut, formula
from wengert.viz.outline import Group, by_argument, mirrored, outline
from wengert.viz.passes import LONGEST, forward_passes, reverse_passes
from wengert.viz.programs import Derived, Kernel, compiled_program, linear_program
from wengert.viz.scene import WIDEST, label_of, lines_of
from wengert.viz.walks import Contribution, Step

FULL = 64  # an array of so many elements is shown in full
Json = dict[str, Any]


def contents(explanation: Explanation) -> Json:
    """Everything: three programs, two walks, the Jacobian."""
    walks = explanation.walks
    primal = primal_view(explanation)
    place = {step.name: k for k, step in enumerate(explanation.steps)}
    forward, reverse = forward_passes(explanation), reverse_passes(explanation)
    n = sum(int(np.size(v)) for v in explanation.inputs.values() if v.dtype.kind in "fc")
    m = sum(int(np.prod(a.type.shape, dtype=int)) for a in explanation.graph.outputs if a.type.is_inexact)
    edge_of = {(edge["t"], edge["slot"]): k for k, edge in enumerate(primal["edges"])}
    return {
        "name": explanation.graph.name, "n": n, "m": m,
        "summary": [cut(line, 70) for line in explanation.summary()[:3]],
        "views": [primal, *(attempted(walks, name, make) for name, make in OTHERS.items())],
        "forward": [as_json(p, place, edge_of) for p in forward],
        "reverse": [as_json(p, place, edge_of) for p in reverse],
        "jacobian": jacobian_numbers(explanation, forward, n, m),
        "pattern": jacobian_pattern(walks),
        "sources": source_lines(walks.files, [node["loc"] for node in primal["nodes"] if "loc" in node]),
    }  # fmt: skip


OTHERS: dict[str, Callable[[Any], Derived]] = {"linear": linear_program, "compiled": compiled_program}
SAYS = {
    "primal": "the operations that the function performed, in its own names",
    "linear": "the derivative as a program: each operation's own linear map, its slopes as numbers; values for inputs that all move at rate 1",
    "compiled": "the graph after the compiler's rules; boxes are the loop nests, products and calls that it becomes",
}


def primal_view(explanation: Explanation) -> Json:
    """The graph of the function, with values, adjoints and local derivatives."""
    graph, walks, steps = explanation.graph, explanation.walks, explanation.steps
    names = {var: walks.names[var] for var in graph.vars()}
    paths = [*by_argument([names[v] for v in graph.inputs]), *mirrored(walks.scopes, graph)]
    view = View("primal", graph, names, walks.values)
    view.add_outline(outline(paths), view.items())
    ends = set(explanation.outputs)
    for step, node in zip(steps, view.nodes, strict=True):
        node["lines"] = [list(line) for line in lines_of(step)]
        node["bar"] = bar(step.name)
        if step.name in ends:
            node["kind"] = "output"
        if step.adjoint is not None:
            node["adjoint"] = shown(step.adjoint, FULL if len(steps) <= LONGEST else 0)
    found = {step.name: {c.slot: c for c in step.contributions} for step in steps}
    full = FULL if len(steps) <= LONGEST else 0
    for edge in view.edges:
        step = steps[edge["t"]]
        first = names[step.node.outputs[0]] if step.node else step.name
        edge.update(edge_facts(step, found[first].get(edge["slot"]), edge["slot"], full))
    view.add_inner_programs()
    return view.json()


def edge_facts(step: Step, contribution: Contribution | None, slot: int, full: int = FULL) -> Json:
    """The local partial derivative on an edge, and the term that it makes."""
    label = label_of(step, slot)
    facts: Json = {"label": label} if label else {}
    if contribution is not None:
        symbols, with_slope = product_in_symbols(contribution), product_with_slope(contribution)
        facts |= {"symbols": symbols}
        if with_slope != symbols:
            facts["withSlope"] = with_slope
        if full and contribution.partial is not None:
            facts["partial"] = shown(contribution.partial, full)
    return facts


def as_json(found: Any, place: Mapping[str, int], edge_of: Mapping[tuple[int, int], int]) -> Json:
    """A pass: the tangent or adjoint at each box, and events in their order: `[edge, term, sum after it]`."""
    return {
        "label": found.label, "seed": found.seed, "isSum": found.is_sum,
        "values": {place[name]: value_text(value) for name, value in found.values.items() if value is not None},
        "events": [
            [edge_of[place[name], slot], value_text(term), value_text(total)]
            for name, slot, term, total in found.events if (place[name], slot) in edge_of
        ],
    }  # fmt: skip


def value_text(value: Any) -> str:
    """A scalar exactly, a small array in full, a large one by type and statistics."""
    array = np.asarray(value)
    return str(array[()]) if array.ndim == 0 else brief(array)


def shown(value: Any, full: int = FULL) -> Json:
    """A value for the details: exactly, or in full where it has no more than `full` elements, and its statistics."""
    array = np.asarray(value)
    facts: Json = {"text": value_text(array)}
    if array.ndim:
        facts["stats"] = statistics(array)
        if array.size <= full:
            facts["full"] = np.array2string(array, precision=8, separator=", ", max_line_width=90)
    if array.dtype.kind in "fc":
        n_nan, n_inf = bad_numbers(array)
        if n_nan or n_inf:
            facts["nan"], facts["inf"] = n_nan, n_inf
    return facts


def bad_numbers(array: Any) -> tuple[int, int]:
    """How many NaN and how many infinities an array has."""
    if np.isfinite(array).all():
        return 0, 0
    return int(np.isnan(array).sum()), int(np.isinf(array).sum())


def statistics(array: Any) -> list[str]:
    """Min, max and mean of the finite elements (of a complex array, of their absolute values), and how many NaN and infinities there are."""
    if array.dtype.kind == "b":
        return [f"{int(array.sum())} of {array.size} true"]
    if array.dtype.kind not in "iufc" or not array.size:
        return []
    bad = bad_numbers(array) if array.dtype.kind in "fc" else (0, 0)
    finite = array[np.isfinite(array)] if any(bad) else array
    finite = np.abs(finite) if array.dtype.kind == "c" else finite
    found = [] if not finite.size else [f"min {finite.min():.6g}", f"max {finite.max():.6g}", f"mean {np.mean(finite, dtype=float):.6g}"]
    if array.dtype.kind not in "fc":
        return found
    return [*found, f"{bad[0]} NaN", f"{bad[1]} infinite"] if any(bad) else [*found, "no NaN or infinity"]


def attempted(walks: Any, name: str, make: Callable[[Any], Derived]) -> Json:
    """Another program of the call; where it cannot be had, the page says why."""
    try:
        derived = make(walks)
    except Exception as error:  # the graph itself is there to be looked at all the same
        return {"id": name, "says": SAYS[name], "error": f"{type(error).__name__}: {error}", "nodes": [], "edges": [], "groups": []}
    graph = derived.graph
    names = {var: text for var, text in name_atoms(graph).items() if isinstance(var, Var)}
    view = View(name, graph, names, derived.values)
    n = len(graph.inputs)
    scopes = mirrored(walks.scopes, walks.graph)
    items, firsts = kernel_items(view, derived) if derived.kernels else (view.items(), range(len(graph.nodes)))
    paths = [scopes[derived.sources[k][0]] if derived.sources[k] else () for k in firsts]
    view.add_outline(outline([*by_argument([names[v] for v in graph.inputs]), *paths]), items)
    outputs = {a for a in graph.outputs if isinstance(a, Var)}
    origin = {k: walks.names[node.outputs[0]] for k, node in enumerate(walks.graph.nodes)}
    for var, node in zip(graph.vars(), view.nodes, strict=True):
        maker = view.maker.get(var)
        sources = derived.sources[maker] if maker is not None else ()
        node["from"] = [origin[k] for k in sources] or ([] if maker is not None else [names[var].removeprefix("d" if name == "linear" else "")])
        node["kind"] = "output" if var in outputs else node["kind"]
    view.add_inner_programs()
    return {**view.json(), "n_inputs": n}


@dataclass(frozen=True)
class Item:
    """What an outline counts: the results of an operation, or a step of the compiled program with all that it computes."""

    variables: Sequence[Var]
    kernel: Kernel | None = None


def kernel_items(view: View, derived: Derived) -> tuple[list[Item], list[int]]:
    """Inputs, then kernels and the nodes that are in none, in order; and the first node of each of the latter.

    A node that several kernels compute is in the first.
    """
    nodes = derived.graph.nodes
    owner: dict[int, int] = {}
    for number, kernel in enumerate(derived.kernels):
        for k in kernel.nodes:
            owner.setdefault(k, number)
            for var in nodes[k].outputs:
                view.nodes[view.number[var]].setdefault("kernels", []).append(kernel.number)
    inside: dict[int, list[Var]] = {}
    for k, number in sorted(owner.items()):
        inside.setdefault(number, []).extend(nodes[k].outputs)
    items, firsts, done = [Item((var,)) for var in view.graph.inputs], [], set()
    for k, node in enumerate(nodes):
        number = owner.get(k, -1)
        if number not in done:
            items.append(Item(node.outputs) if number < 0 else Item(inside[number], derived.kernels[number]))
            firsts.append(k)
            done.update({number} - {-1})
    return items, firsts


class View:
    """One program as boxes: a box for each variable, an edge for each use, groups that open."""

    def __init__(self, name: str, graph: Graph, names: Mapping[Any, str], values: Mapping[Any, Any]) -> None:
        self.name, self.graph, self.names, self.values = name, graph, names, values
        self.maker = {var: k for k, node in enumerate(graph.nodes) for var in node.outputs}
        self.number: dict[Var, int] = {}
        self.nodes: list[Json] = []
        self.edges: list[Json] = []
        self.groups: list[Json] = []
        for var in graph.inputs:
            self._add(var, None)
        for node in graph.nodes:
            for var in node.outputs:
                self._add(var, node)

    def json(self) -> Json:
        """Ready for JSON."""
        return {"id": self.name, "says": SAYS[self.name], "nodes": self.nodes, "edges": self.edges, "groups": self.groups}

    def _text(self, atom: Any) -> str:
        return constant(atom) if isinstance(atom, Const) else self.names[atom]

    def _add(self, var: Var, node: Node | None, group: int = -1) -> None:
        said = "input" if node is None else formula(node, [self._text(a) for a in node.operands])
        if node is not None and len(node.outputs) > 1:
            said += f"[{node.outputs.index(var)}]"
        number = self.number[var] = len(self.nodes)
        found: Json = {
            "name": self.names[var], "kind": "input" if node is None else "step", "formula": said,
            "op": "" if node is None else node.primitive.name, "type": str(var.type), "group": group,
        }  # fmt: skip
        if var in self.values:
            is_long = len(self.graph.nodes) > LONGEST
            value = self.values[var]
            if not is_long or self.name == "primal":
                found["value"] = shown(value, 0 if is_long else FULL)
            elif np.ndim(value) == 0:
                found["value"] = {"text": value_text(value)}
            if found.get("value", {}).get("inf") and not found["value"]["nan"] and node is not None and any(map(self._is_infinite, node.operands)):
                found["value"]["given"] = True
        if node is not None and node.location:
            found["loc"] = node.location
        self.nodes.append(found)
        for slot, atom in enumerate(() if node is None else node.operands):
            if atom in self.number:
                self.edges.append({"s": self.number[atom], "t": number, "slot": slot})

    def _is_infinite(self, atom: Any) -> bool:
        """Whether an operand has infinities, as that of a mask."""
        if isinstance(atom, Const):
            return np.asarray(atom.value).dtype.kind in "fc" and bool(np.isinf(atom.value).any())
        return bool(self.nodes[self.number[atom]].get("value", {}).get("inf"))

    def items(self) -> list[Item]:
        """What an outline counts: inputs, then nodes."""
        return [Item((var,)) for var in self.graph.inputs] + [Item(node.outputs) for node in self.graph.nodes]

    def add_outline(self, root: Group, items: Sequence[Item]) -> None:
        """Put every box into its group."""
        self._place(root, -1, items)

    def _place(self, group: Group, number: int, items: Sequence[Item]) -> None:
        for child in group.children:
            if isinstance(child, Group):
                inner = self._group(child.kind, child.label or self._span(child, items), number, child.location)
                self._place(child, inner, items)
                continue
            item, inside = items[child], number
            if item.kernel is not None:
                inside = self._group("kernel", cut(item.kernel.title, WIDEST), number, text=item.kernel.text, step=item.kernel.number)
            for var in item.variables:
                self.nodes[self.number[var]]["group"] = inside

    def _span(self, group: Group, items: Sequence[Item]) -> str:
        """`a … k` for steps in a row."""
        found = [var for number in group.numbers() for var in items[number].variables]
        return f"{self.names[found[0]]} … {self.names[found[-1]]}" if found else ""

    def _group(self, kind: str, label: str, parent: int, location: str = "", **more: Any) -> int:
        self.groups.append({"kind": kind, "label": label, "parent": parent, "loc": location, **more})
        return len(self.groups) - 1

    def add_inner_programs(self) -> None:
        """The bodies of loops and branches, as groups around the operation that runs them."""
        for node in self.graph.nodes:
            graphs = {key: value for key, value in node.params.items() if isinstance(value, Graph)}
            if graphs:
                self._add_inner(node, graphs)

    def _add_inner(self, node: Node, graphs: Mapping[str, Graph]) -> None:
        owner = self.number[node.outputs[0]]
        box = self.nodes[owner]
        times = f", {node.params['length']:,} steps" if node.params.get("length", -1) >= 0 else ""
        label = f"{node.primitive.name.rstrip(chr(95))}{times}"
        number = self._group("inner", label, box["group"], node.location, owner=owner)
        for var in node.outputs:
            self.nodes[self.number[var]]["group"] = number
        for key, graph in graphs.items():
            inner = self._group("inner", f"{label}: {key}", number, node.location)
            view = View(self.name, graph, {v: t for v, t in name_atoms(graph).items() if isinstance(v, Var)}, {})
            view.add_outline(outline([() for _ in [*graph.inputs, *graph.nodes]]), view.items())
            view.add_inner_programs()
            first_node, first_group = len(self.nodes), len(self.groups)
            for group in view.groups:
                parent = group["parent"]
                more = {"owner": group["owner"] + first_node} if "owner" in group else {}
                self.groups.append({**group, "parent": inner if parent < 0 else parent + first_group, **more})
            for inside in view.nodes:
                parent = inside["group"]
                self.nodes.append({**inside, "group": inner if parent < 0 else parent + first_group, "inner": True})
            self.edges += [{**e, "s": e["s"] + first_node, "t": e["t"] + first_node} for e in view.edges]


def source_lines(files: Mapping[str, str], locations: Sequence[str]) -> dict[str, str]:
    """The text of each source line, `model.py:31` -> `h = np.tanh(x @ w)`; `files` are the full names of files."""
    found = {}
    for location in dict.fromkeys(locations):
        name, _, line = location.rpartition(":")
        if name in files and (text := linecache.getline(files[name], int(line)).strip()):
            found[location] = text
    return found
