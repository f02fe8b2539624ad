"""Loops and branches without what nobody needs, and without what is the same at every step.

| rewriting                     | before, after                                                                                     |
|-------------------------------|---------------------------------------------------------------------------------------------------|
| nobody reads it               | results, states and operands of a loop that lead nowhere are left out                              |
| the same at every step        | what depends on the constants of a loop alone is computed once, before it                          |
| functions of single numbers   | are taken for all steps at once, where no step waits for them (`wengert.compiler.spread_out`)         |
| a state that stays            | a state that the body hands on unchanged is a constant                                            |

::

    scan c s {body=body(c, s, x) { a = exp c; b = multiply a x; d = add s b; return d b }}
    ->   a = exp c; scan a s {body=body(a, s, x) { b = multiply a x; d = add s b; return d }}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from wengert.compiler.indices import MOVES
from wengert.compiler.spread_out import spread_out
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.rewrite import remove_dead, substitute

Improve = Callable[[Graph], Graph]
PROGRAMS = {"scan": ("body",), "while": ("test", "body"), "cond": ("true", "false"), "loop_adjoint": ("test", "body", "back")}


def is_control(node: Node) -> bool:
    """Whether a node owns inner programs."""
    return node.primitive.family == "control"


def tidy(graph: Graph, improve: Improve) -> Graph:
    """See the module; `improve` is what every graph goes through before, those inside too."""
    graph = improve(graph)
    if not any(map(is_control, graph.nodes)):
        return graph
    nodes = [improved(node, improve) if is_control(node) else node for node in graph.nodes]
    graph = pruned(without_still_states(replace(graph, nodes=tuple(nodes))))
    return improve(remove_dead(spread_out(hoisted(graph))))


def improved(node: Node, improve: Improve) -> Node:
    """The programs inside, tidied."""
    names = [name for name in PROGRAMS.get(node.primitive.name, ()) if isinstance(node.params.get(name), Graph)]
    return replace(node, params={**node.params, **{name: tidy(node.params[name], improve) for name in names}})


# --- nobody reads it --------------------------------------------------------------------------------------------------------


def pruned(graph: Graph) -> Graph:
    """From the last node to the first, so that what is read is known."""
    read: set[Atom] = set(graph.outputs)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if read.isdisjoint(node.outputs):
            continue
        if node.primitive.name in PRUNERS:
            node = PRUNERS[node.primitive.name](node, [var in read for var in node.outputs])
        read.update(node.operands)
        nodes.append(node)
    return replace(graph, nodes=tuple(reversed(nodes)))


def needed_inputs(graphs: Sequence[Graph]) -> list[bool]:
    """Which inputs of graphs that share their inputs are read in one of them."""
    used = [{a for node in graph.nodes for a in node.operands} | set(graph.outputs) for graph in graphs]
    return [any(graph.inputs[k] in atoms for graph, atoms in zip(graphs, used, strict=True)) for k in range(len(graphs[0].inputs))]


def chosen(values: Sequence[Any], flags: Sequence[bool]) -> tuple[Any, ...]:
    """The values with a flag."""
    return tuple([x for x, flag in zip(values, flags, strict=True) if flag])


def with_outputs(graph: Graph, flags: Sequence[bool]) -> Graph:
    """The graph that returns some of its outputs."""
    return remove_dead(replace(graph, outputs=chosen(graph.outputs, flags)))


def prune_cond(node: Node, read: list[bool]) -> Node:
    """Results, and operands that no branch needs for those that are left."""
    branches = {key: with_outputs(node.params[key], read) for key in ("true", "false")}
    needed = needed_inputs(list(branches.values()))
    branches = {key: replace(graph, inputs=chosen(graph.inputs, needed)) for key, graph in branches.items()}
    operands = (node.operands[0], *chosen(node.operands[1:], needed))
    return replace(node, params={**node.params, **branches}, operands=operands, outputs=chosen(node.outputs, read))


def prune_loop(node: Node, read: list[bool]) -> Node:
    """A state is needed if it is read, or needed by a state or result that is, or by the test."""
    params = node.params
    n_test, n_consts, n_carry = params.get("n_test", 0), params["n_consts"], params["n_carry"]
    test: Graph | None = params.get("test")
    state = slice(n_consts, n_consts + n_carry)
    live = list(read[:n_carry])
    if test is not None:
        live = [a or b for a, b in zip(live, needed_inputs([test])[n_test:], strict=True)]
    while True:
        body = with_outputs(params["body"], [*live, *read[n_carry:]])
        needed = needed_inputs([body])
        wider = [a or b for a, b in zip(live, needed[state], strict=True)]
        if wider == live:
            break
        live = wider
    kept = [*needed[:n_consts], *live, *needed[state.stop :]]
    new: dict[str, Any] = {
        "body": replace(body, inputs=chosen(body.inputs, kept)), "n_consts": sum(kept[:n_consts]), "n_carry": sum(live),
    }  # fmt: skip
    if test is not None:
        new["test"] = replace(test, inputs=(*test.inputs[:n_test], *chosen(test.inputs[n_test:], live)))
    operands = (*node.operands[:n_test], *chosen(node.operands[n_test:], kept))
    return replace(node, params={**params, **new}, operands=operands, outputs=chosen(node.outputs, [*live, *read[n_carry:]]))


PRUNERS = {"cond": prune_cond, "scan": prune_loop, "while": prune_loop}


# --- a state that stays ------------------------------------------------------------------------------------------------------


def without_still_states(graph: Graph) -> Graph:
    """States that the body hands on unchanged become constants."""
    same: dict[Var, Atom] = {}
    nodes = []
    for node in graph.nodes:
        operands = tuple([same.get(a, a) if isinstance(a, Var) else a for a in node.operands])
        node = replace(node, operands=operands)
        if node.primitive.name in ("scan", "while"):
            node = still(node, same)
        nodes.append(node)
    return substitute(replace(graph, nodes=tuple(nodes)), same)


def still(node: Node, same: dict[Var, Atom]) -> Node:
    """One loop; `same` learns what its results are."""
    params = node.params
    n_test, n_consts, n_carry = params.get("n_test", 0), params["n_consts"], params["n_carry"]
    body: Graph = params["body"]
    state = slice(n_consts, n_consts + n_carry)
    stays = [a is b for a, b in zip(body.inputs[state], body.outputs[:n_carry], strict=True)]
    if not any(stays):
        return node
    moves = [not flag for flag in stays]
    start = node.operands[n_test + n_consts : n_test + n_consts + n_carry]
    same.update((var, atom) for var, atom, flag in zip(node.outputs, start, stays, strict=False) if flag)
    inputs = (*body.inputs[:n_consts], *chosen(body.inputs[state], stays), *chosen(body.inputs[state], moves), *body.inputs[state.stop :])
    new: dict[str, Any] = {
        "body": replace(body, inputs=inputs, outputs=(*chosen(body.outputs[:n_carry], moves), *body.outputs[n_carry:])),
        "n_consts": n_consts + sum(stays), "n_carry": sum(moves),
    }  # fmt: skip
    tests = node.operands[:n_test]
    if params.get("test") is not None:
        test: Graph = params["test"]
        own, of_state = test.inputs[:n_test], test.inputs[n_test:]
        new["test"] = replace(test, inputs=(*own, *chosen(of_state, stays), *chosen(of_state, moves)))
        new["n_test"] = n_test + sum(stays)
        tests = (*tests, *chosen(start, stays))
    first = n_test + n_consts
    operands = (*tests, *node.operands[n_test:first], *chosen(start, stays), *chosen(start, moves), *node.operands[first + n_carry :])
    outputs = (*chosen(node.outputs[:n_carry], moves), *node.outputs[n_carry:])
    return replace(node, params={**params, **new}, operands=operands, outputs=outputs)


# --- the same at every step --------------------------------------------------------------------------------------------------


def hoisted(graph: Graph) -> Graph:
    """What depends on the constants of a loop alone is computed before the loop."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.primitive.name == "scan" and node.params["length"] or node.primitive.name == "while":
            before, node = hoist(node)
            nodes += before
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def hoist(node: Node) -> tuple[list[Node], Node]:
    """Nodes for before the loop, and the loop without them.  Moves alone stay: inside they cost nothing."""
    params = node.params
    body, n_test, n_consts = params["body"], params.get("n_test", 0), params["n_consts"]
    outside: dict[Atom, Atom] = dict(zip(body.inputs[:n_consts], node.operands[n_test : n_test + n_consts], strict=True))
    fixed = [part for part in fixed_nodes(body, set(outside)) if part.primitive.name != "loop_adjoint"]
    worth = {part for part in fixed if part.primitive.name not in MOVES}
    wanted: set[Atom] = {a for part in worth for a in part.operands}
    for part in reversed(fixed):
        if part in worth or not wanted.isdisjoint(part.outputs):
            worth.add(part)
            wanted.update(part.operands)
    before = []
    for part in fixed:
        if part in worth:
            fresh = tuple([Var(var.type, var.hint) for var in part.outputs])
            before.append(replace(part, operands=tuple([outside.get(a, a) for a in part.operands]), outputs=fresh))
            outside.update(zip(part.outputs, fresh, strict=True))
    if not before:
        return [], node
    left = tuple([part for part in body.nodes if part not in worth])
    read = {a for part in left for a in part.operands} | set(body.outputs)
    made = [var for part in fixed if part in worth for var in part.outputs if var in read]
    inner = replace(body, inputs=(*body.inputs[:n_consts], *made, *body.inputs[n_consts:]), nodes=left)
    first = n_test + n_consts
    operands = (*node.operands[:first], *(outside[var] for var in made), *node.operands[first:])
    return before, replace(node, params={**params, "body": inner, "n_consts": n_consts + len(made)}, operands=operands)


def fixed_nodes(body: Graph, known: set[Atom]) -> list[Node]:
    """Nodes that depend on what is known alone, and that nothing can go wrong in."""
    found = []
    for node in body.nodes:
        safe = node.primitive.family in ("elementwise", "discrete", "selection", "contraction")
        if safe and known.issuperset(a for a in node.operands if not isinstance(a, Const)) and not all(isinstance(a, Const) for a in node.operands):
            known.update(node.outputs)
            found.append(node)
    return found
