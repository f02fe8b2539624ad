"""Both walks inside of loops, branches and calls, with numbers: one pass of a body after another, as they were run.

The walk of a pass begins with what the one before has given; the walk back begins with what the one after has asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wengert.core.graph import Graph, Node, Var
from wengert.transforms.inner_programs import outputs_of, values_along
from wengert.transforms.journeys import goes_on
from wengert.transforms.loop import Loop
from wengert.transforms.record_graph import Recording
from wengert.viz.inside import SAYS, kind_of, names_of, programs_of, written
from wengert.viz.notation import bar
from wengert.viz.walks import GraphWalks, Step

MOST_RUNS = 3  # of more, the first and the last are shown
MOST_WORK = 3000  # operations of all passes together; a longer loop is shown by its formulas alone
_TOO_LONG = f"its passes have more than {MOST_WORK:,} operations: too many to be walked here"
Given = tuple[Any, str]  # an adjoint, and how it is written


class TooLong(Exception):
    """A loop has more operations than are walked here."""


@dataclass
class Run:
    """One run of a body: `says` is `pass 2 of 5`."""

    says: str
    walks: GraphWalks

    @property
    def steps(self) -> list[Step]:
        """A step for each variable of the body."""
        return self.walks.steps

    @cached_property
    def inner(self) -> list[InnerProgram]:
        """The programs inside of this one."""
        return inner_programs(self.walks, self.walks.graph.nodes)


@dataclass
class InnerProgram:
    """What is inside of one step: `title` says where, `lines` say what it is in formulas, `runs` have the numbers of some passes."""

    title: str
    lines: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    n_hidden: int = 0  # passes between the first one and the last
    why: str = ""  # there are no numbers
    is_rule: bool = False  # its derivative is a rule of the user's, so that nobody walks back inside


def inner_programs(walks: GraphWalks, nodes: Sequence[Node]) -> list[InnerProgram]:
    """The programs inside of these nodes of a graph that was walked."""
    return [found for node in nodes if (found := _program(walks, node)) is not None]


def _program(walks: GraphWalks, node: Node) -> InnerProgram | None:
    graphs = programs_of(node)
    if not graphs and node.primitive.family != "call":
        return None
    found = InnerProgram(f"Inside {', '.join(map(walks.text, node.outputs))}, {kind_of(node)}")
    run = _RUNS.get(node.primitive.name) or (None if graphs else _call)
    runs: list[Run] = []
    try:
        runs = [] if run is None else run(walks, node)
    except TooLong:
        found.why = _TOO_LONG
    found.runs = runs if len(runs) <= MOST_RUNS else [runs[0], runs[-1]]
    found.n_hidden = len(runs) - len(found.runs)
    found.is_rule = node.primitive.family == "call" and node.primitive.name != "checkpoint"
    walked = runs[0].walks.graph if runs else None
    for key, graph in graphs.items():
        lines = list(written(SAYS[key], graph))
        is_listed = graph is walked and len(lines) > 1  # in the tables
        found.lines += [lines[0].rstrip(":")] if is_listed else lines
    return found if found.lines or found.runs else None


# --- running -----------------------------------------------------------------------------------------------------------------


def _evaluated(graph: Graph, inputs: Sequence[Any]) -> dict[Any, Any]:
    """The value of every variable."""
    with np.errstate(all="ignore"):
        return values_along(graph, [np.asarray(x)[()] for x in inputs])


def _walked(graph: Graph, inputs: Sequence[Any], tangents: Sequence[Sequence[Any]], said: Sequence[str]) -> GraphWalks:
    """A walk forwards through a body."""
    walks = GraphWalks(graph, _evaluated(graph, inputs), {**names_of(graph)})
    walks.walk_forward(dict(zip(graph.inputs, tangents, strict=True)), dict(zip(graph.inputs, said, strict=True)))
    return walks


def _back(walks: GraphWalks, given: Sequence[Sequence[Given]]) -> None:
    """A walk back, from what is asked of each output."""
    seeds = []
    for atom, parts in zip(walks.graph.outputs, given, strict=True):
        if isinstance(atom, Var) and atom.type.is_inexact:
            seeds += [(atom, np.asarray(ct)[()], says) for ct, says in parts]
    walks.walk_back(seeds)


def _asked(walks: GraphWalks, var: Var, where: str = "outside") -> list[Given]:
    """The adjoint of a variable, and its name in the body that it is given to."""
    adjoint = walks.by_var[var].adjoint
    return [] if adjoint is None else [(adjoint, f"{bar(walks.names[var])} {where}")]


def _names(walks: GraphWalks, atoms: Sequence[Any]) -> list[str]:
    """What stands outside for the inputs of a body."""
    return [f"{walks.text(a)} outside" if isinstance(a, Var) else walks.text(a) for a in atoms]


def _columns(walks: GraphWalks) -> int:
    return max((len(step.tangents) for step in walks.steps), default=0)


# --- loops -------------------------------------------------------------------------------------------------------------------


def _loop(walks: GraphWalks, node: Node) -> list[Run]:
    """All passes of a loop."""
    loop = Loop.of(node.params)
    tests, consts, carry, entries = loop.parts([walks.value(a) for a in node.operands])
    n_columns = _columns(walks)
    _, dconsts, dcarry, dentries = loop.parts([walks.tangents(a, n_columns) for a in node.operands])
    _, names, first, rows_said = loop.parts(_names(walks, node.operands))
    found: list[GraphWalks] = []
    order = iter(range(loop.length)[:: -1 if loop.reverse else 1])
    taken: list[int] = []
    while _goes_on(loop, tests, carry, len(found)):
        if (len(found) + 1) * max(1, len(loop.body.nodes)) > MOST_WORK:
            raise TooLong
        k = next(order) if loop.test is None else len(found)
        taken.append(k)
        rows = [[None if dx is None else dx[k] for dx in dxs] for dxs in dentries]
        state = ["from the pass before"] * loop.n_carry if found else first
        said = [*names, *state, *(f"entry {k} of {name}" for name in rows_said)]
        one = _walked(loop.body, [*consts, *carry, *(x[k] for x in entries)], [*dconsts, *dcarry, *rows], said)
        carry = outputs_of(loop.body, one.values)[: loop.n_carry]
        dcarry = [one.tangents(a, n_columns) for a in loop.body.outputs[: loop.n_carry]]
        found.append(one)
    _loop_back(walks, node, loop, found, taken)
    return [Run(f"pass {k + 1} of {len(found)}", one) for k, one in enumerate(found)]


def _goes_on(loop: Loop, tests: Sequence[Any], carry: Sequence[Any], n: int) -> bool:
    if loop.test is None:
        return n < loop.length
    return bool(goes_on(outputs_of(loop.test, _evaluated(loop.test, [*tests, *carry]))[0]))


def _loop_back(walks: GraphWalks, node: Node, loop: Loop, found: Sequence[GraphWalks], taken: Sequence[int]) -> None:
    """From the last pass to the first; the state's adjoint is what the pass after asks for."""
    given = [_asked(walks, y) for y in node.outputs[: loop.n_carry]]
    for one, k in zip(reversed(found), reversed(taken), strict=True):
        rows = [[(ct[k], f"entry {k} of {says}") for ct, says in _asked(walks, y)] for y in node.outputs[loop.n_carry :]]
        _back(one, [*given, *rows])
        state = loop.body.inputs[loop.n_consts : loop.n_consts + loop.n_carry]
        given = [_asked(one, var, "of the next pass") for var in state]


# --- branches and calls ------------------------------------------------------------------------------------------------------


def _branch(walks: GraphWalks, node: Node) -> list[Run]:
    """The branch that was taken; none in a batch that goes both ways."""
    predicate, *operands = node.operands
    answer = np.asarray(walks.value(predicate))
    if answer.ndim:
        return []
    key = "true" if answer else "false"
    return [_once(walks, node, node.params[key], operands, SAYS[key])]


def _once(walks: GraphWalks, node: Node, graph: Graph, operands: Sequence[Any], says: str) -> Run:
    if len(graph.nodes) > MOST_WORK:
        raise TooLong
    tangents = [walks.tangents(a, _columns(walks)) for a in operands]
    one = _walked(graph, [walks.value(a) for a in operands], tangents, _names(walks, operands))
    _back(one, [_asked(walks, y) for y in node.outputs])
    return Run(says, one)


def _call(walks: GraphWalks, node: Node) -> list[Run]:
    """A function of the user's that is one operation; none if it does something else when it is called again."""
    def result(*operands: Any) -> Any:
        return node.primitive.eval(*operands)

    try:
        recording = Recording(result, [walks.value(a) for a in node.operands], {})
    except Exception:  # it is shown as one operation all the same
        return []
    graph, results = recording.graph, outputs_of(recording.graph, recording.values)
    is_same = len(results) == len(node.outputs) and len(graph.inputs) == len(node.operands)
    if is_same and all(np.array_equal(y, walks.values[var], equal_nan=True) for y, var in zip(results, node.outputs, strict=True)):
        return [_once(walks, node, graph, node.operands, "the call")]
    return []


_RUNS: dict[str, Callable[[GraphWalks, Node], list[Run]]] = {"scan": _loop, "while": _loop, "cond": _branch}
