"""Loops and branches whose programs are native: `Control` steps.

The programs inside are lowered by the same pipeline; here is decided which they are, and what memory their states need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from wengert.compiler.bodies import is_native
from wengert.compiler.homes import Homes
from wengert.compiler.loops import Buffer, Control, Program, View
from wengert.compiler.memory import plan_memory, rounded
from wengert.compiler.tidy import PROGRAMS
from wengert.core.graph import Graph, Node
from wengert.core.rewrite import remove_dead

REGISTERS = 8  # entries of an array that is kept in registers, if all goes well
Inner = Mapping[Node, Mapping[str, Program]]


def graphs_of(node: Node) -> dict[str, Graph]:
    """The programs inside of a node that run natively; none if Python is to run it."""
    names = PROGRAMS.get(node.primitive.name)
    if names is None:
        return {}
    atoms = [*node.operands, *node.outputs]
    if not all(is_native(a.type.dtype) and 0 not in a.type.shape for a in atoms) or not fits(node):
        return {}
    found = {name: node.params[name] for name in names if node.params.get(name) is not None}
    if node.primitive.name == "loop_adjoint":  # on the way there, the states are all that is needed
        found["body"] = remove_dead(replace(found["body"], outputs=found["body"].outputs[: node.params["n_carry"]]))
    return found


def fits(node: Node) -> bool:
    """Whether the operands have the types that the programs inside were recorded with."""
    types = [a.type for a in node.operands]
    params = node.params
    if node.primitive.name == "cond":
        return all([var.type for var in params[name].inputs] == types[1:] for name in ("true", "false"))
    n_test, first = params.get("n_test", 0), params["n_consts"] + params["n_carry"]
    found = types[n_test : n_test + len(params["body"].inputs)]
    found = [t if k < first else type(t)(t.shape[1:], t.dtype) for k, t in enumerate(found)]
    return params.get("length") != 0 and [var.type for var in params["body"].inputs] == found


class Controls(Homes):
    """Homes for the results of loops and branches."""

    inner: Inner

    def as_control(self, node: Node) -> bool:
        """All operands are in memory, and so are the results."""
        programs = self.inner.get(node)
        if not programs:
            return False
        views, level = [], 0
        for atom in node.operands:
            view, ready = self.in_memory(atom)
            if not view.is_contiguous:
                view, ready = self.copied(view, ready)
            views.append(view)
            level = max(level, ready)
        results = [Buffer(tuple(var.type.shape), var.type.dtype, "temporary") for var in node.outputs]
        self.steps.append(control(node, dict(programs), views, results, level))
        for var, buffer in zip(node.outputs, results, strict=True):
            self.in_buffer(var, buffer, level + 1)
        return True


def control(node: Node, programs: dict[str, Program], views: list[View], results: list[Buffer], level: int) -> Control:
    """The step, with the scratch memory that it needs."""
    plans = {key: plan_memory(program) for key, program in programs.items()}
    sizes: dict[Any, int] = {("workspace", key): plan.workspace for key, plan in plans.items() if plan.workspace}
    if node.primitive.name == "loop_adjoint":
        n_consts, flags = node.params["n_consts"], node.params["flags"]
        n_moving = sum(flags[: n_consts + node.params["n_carry"]])
        sizes.update({("moving", k): buffer.n_bytes for k, buffer in enumerate(results[:n_moving])})
    else:
        states = results[: node.params.get("n_carry", 0)]
        sizes.update({("state", k): buffer.n_bytes for k, buffer in enumerate(states) if buffer.size > REGISTERS})
    pieces, total = {}, 0
    for key, size in sizes.items():
        pieces[key] = total
        total += rounded(size)
    scratch = Buffer((total,), np.dtype(np.uint8), "temporary")
    return Control(node.primitive.name, node.params, programs, plans, views, results, scratch, pieces, level, node.location)
