"""What becomes of the body of a loop or of a branch under a transformation: graphs made from graphs, once for each use.

A body is a graph of some *groups* of inputs (constants, state, entry of a sequence).  A transformation puts further inputs behind
those of each group: their tangents, say.  Everything is derived from what the primitives in the body say of themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.core.check import output_types
from wengert.core.graph import Atom, Const, Graph, Node, Var
from wengert.core.rewrite import remove_dead
from wengert.core.types import ArrayType
from wengert.primitives.structure import spread
from wengert.transforms.batch import batch_outputs
from wengert.transforms.forward import push_forward
from wengert.transforms.inner_programs import apply, derive, reached
from wengert.transforms.linearize import Linearization, finish

Groups = tuple[int, ...]
Flags = tuple[bool, ...]
Types = tuple[ArrayType, ...]
KEPT = 512  # derived programs, of those used last


def interleave(groups: Groups, values: Sequence[Any], further: Sequence[Any]) -> list[Any]:
    """The values of each group, then those further ones that belong to it and are not `None`."""
    found, start = [], 0
    for n in groups:
        part = slice(start, start + n)
        found += [*values[part], *(x for x in further[part] if x is not None)]
        start += n
    return found


def separate(groups: Groups, flags: Flags, values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What `interleave` was given, with `None` where there is no flag."""
    rest, first, further, start = iter(values), [], [], 0
    for n in groups:
        first += [next(rest) for _ in range(n)]
        further += [next(rest) if flag else None for flag in flags[start : start + n]]
        start += n
    return first, further


def chosen(values: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The values that have a flag."""
    return [x for x, flag in zip(values, flags, strict=True) if flag]


def closed(body: Graph, n_consts: int, n_carry: int, flags: Flags, *, discrete: bool = False) -> tuple[Flags, Flags]:
    """The least flags of inputs, containing these, for which an output of the state with a flag has one as an input, too.

    Also the flags of all outputs.
    """
    found = list(flags)
    while True:
        outputs = reached(body, found, discrete=discrete)
        state = [a or b for a, b in zip(found[n_consts : n_consts + n_carry], outputs[:n_carry], strict=True)]
        if state == found[n_consts : n_consts + n_carry]:
            return tuple(found), (*state, *outputs[n_carry:])
        found[n_consts : n_consts + n_carry] = state


# --- forward, and in batches ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=KEPT)
def pushed(body: Graph, types: Types, inputs: Groups, outputs: Groups, flags: Flags, wanted: Flags) -> Graph:
    """The body together with its derivative: `(x, dx) -> (y, dy)`, tangents where there are flags.

    ::

        body(c, s) { a = multiply c s; return a }   ->   body(c, s, ds) { a = multiply c s; da = scale c ds; return a da }
    """

    def run(*values: Any) -> list[Any]:
        xs, dxs = separate(inputs, flags, values)
        ys, dys, _ = push_forward(lambda *primals: apply(body, primals), xs, dxs)
        return interleave(outputs, ys, [finish(dy, y) if want else None for y, dy, want in zip(ys, dys, wanted, strict=True)])

    tangents = [t if flag else None for t, flag in zip(types, flags, strict=True)]
    return derive(run, interleave(inputs, types, tangents), "pushed")


@lru_cache(maxsize=KEPT)
def batched(body: Graph, types: Types, flags: Flags, wanted: Flags, n: int) -> Graph:
    """The body of a whole batch of `n`, whose members lie along the first axis where there are flags."""

    def run(*values: Any) -> list[Any]:
        axes = [0 if flag else None for flag in flags]
        found = batch_outputs(lambda *members: apply(body, members), values, axes)
        return [y if is_batched or not want else spread(y, shape=(n, *y.shape))
                for (y, is_batched), want in zip(found, wanted, strict=True)]  # fmt: skip

    return derive(run, [of_batch(t, n) if flag else t for t, flag in zip(types, flags, strict=True)], "batched")


def of_batch(type_: ArrayType, n: int) -> ArrayType:
    """The type of a batch."""
    return ArrayType((n, *type_.shape), type_.dtype)


# --- back -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reversal:
    """A body and its adjoint.

    `there` is the body, whose further outputs `kept` are what the way back needs; `back` takes the constants, the cotangents of the
    state and the totals of those of the constants, then entries of the sequences: `x`, what was kept, cotangents of `y`.  It
    returns the cotangents of the state before, the totals, and cotangents of `x`.
    """

    there: Graph
    back: Graph
    flags: Flags  # of constants, state and entries that have cotangents
    wanted: Flags  # of the outputs that have


@lru_cache(maxsize=KEPT)
def joint(body: Graph, types: Types, n_consts: int, n_carry: int, flags: Flags) -> tuple[Graph, Flags, Flags]:
    """The body and its adjoint in one graph, of `(constants, state, x; ct_state, totals, ct_y)`."""
    flags, wanted = closed(body, n_consts, n_carry, flags)
    n, results = len(types), output_types(body, types)
    state = slice(n_consts, n_consts + n_carry)
    out_types = [*types[state], *results[n_carry:]]
    groups = [chosen(out_types[:n_carry], wanted[:n_carry]), chosen(types[:n_consts], flags[:n_consts]),
              chosen(out_types[n_carry:], wanted[n_carry:])]  # fmt: skip

    def run(*values: Any) -> list[Any]:
        xs, rest = values[:n], iter(values[n:])
        ct_state, totals, ct_ys = ([next(rest) for _ in group] for group in groups)

        def of_active(*active: Any) -> list[Any]:
            following = iter(active)
            return apply(body, [next(following) if flag else x for x, flag in zip(xs, flags, strict=True)])

        linear = Linearization(of_active, chosen(xs, flags))
        given = iter([*ct_state, *ct_ys])
        cts = [next(given) if want else None for want in wanted]
        pieces = linear.pull(cts, consume=True)
        pulled = iter([finish(ct, x) for ct, x in zip(pieces, chosen(xs, flags), strict=True)])
        sums = [FRONT[np.add](total, next(pulled)) for total in totals]
        before = [next(pulled) for _ in chosen(types[state], flags[state])]
        return [*linear.values, *before, *sums, *pulled]

    graph = derive(run, [*types, *(t for group in groups for t in group)], "joint")
    return graph, flags, wanted


@lru_cache(maxsize=KEPT)
def recomputing(body: Graph, types: Types, n_consts: int, n_carry: int, flags: Flags) -> tuple[Graph, Flags, Flags]:
    """The way back that computes again what it needs: of `(constants, state, x; ct_state, totals, ct_y)`."""
    graph, flags, wanted = joint(body, types, n_consts, n_carry, flags)
    back = remove_dead(replace(graph, outputs=graph.outputs[len(body.outputs) :], name="back"))
    return back, flags, wanted


@lru_cache(maxsize=KEPT)
def keeping(body: Graph, types: Types, n_consts: int, n_carry: int, flags: Flags) -> Reversal:
    """The way there that keeps what the way back needs."""
    graph, flags, wanted = joint(body, types, n_consts, n_carry, flags)
    n, m = len(types), len(body.outputs)
    primal, cotangents = graph.inputs[:n], graph.inputs[n:]
    part = Partition(graph, primal[:n_consts], (*primal[:n_consts], *primal[n_consts + n_carry :]), cotangents)
    kept = part.kept(graph.outputs[m:])
    there = remove_dead(Graph(primal, graph.nodes, (*graph.outputs[:m], *kept), "there"))
    n_state = sum(wanted[:n_carry]) + sum(flags[:n_consts])
    inputs = (*primal[:n_consts], *cotangents[:n_state], *primal[n_consts + n_carry :], *kept, *cotangents[n_state:])
    back = remove_dead(Graph(inputs, part.without(kept), graph.outputs[m:], "back"))
    fresh = {var: Var(var.type, var.hint) for var in kept}  # an input of the way back is no result of the way there
    return Reversal(there, renamed(back, fresh), flags, wanted)


def renamed(graph: Graph, names: dict[Any, Any]) -> Graph:
    """The graph with other variables in the place of these."""
    nodes = tuple([replace(node, operands=tuple([names.get(a, a) for a in node.operands])) for node in graph.nodes])
    pick = names.get
    return replace(graph, inputs=tuple([pick(v, v) for v in graph.inputs]), nodes=nodes, outputs=tuple([pick(v, v) for v in graph.outputs]))


CALLS = re.compile(r"\w\(")
DEEPEST = 100  # operations that are computed again to have one value


class Partition:
    """Which values of the way there the way back needs, and which of them it had better compute again.

    What depends on the constants alone, and what sums, products, comparisons and moves make of things at hand, is not kept.
    """

    def __init__(self, graph: Graph, consts: Sequence[Var], at_hand: Sequence[Var], cotangents: Sequence[Var]) -> None:
        self.graph = graph
        self.maker: dict[Atom, Node] = {var: node for node in graph.nodes for var in node.outputs}
        self.at_hand: set[Atom] = set(at_hand)
        self.fixed: set[Atom] = set(consts)
        self.behind: set[Atom] = set(cotangents)
        for node in graph.nodes:
            if not self.behind.isdisjoint(node.operands):
                self.behind.update(node.outputs)
            elif all(isinstance(a, Const) or a in self.fixed for a in node.operands):
                self.fixed.update(node.outputs)

    def kept(self, outputs: Sequence[Atom]) -> tuple[Var, ...]:
        """The values to keep, in the order in which they are made."""
        used = {a for node in self.graph.nodes if node.outputs[0] in self.behind for a in node.operands} | set(outputs)
        needed = [var for var in self.graph.vars() if var in used and not self.is_free(var)]
        state = [var for var in self.graph.inputs if not self.is_free(var) and var not in needed]
        choices = [self.fewest(needed), self.fewest([*state, *needed])]  # the state may make others superfluous
        return tuple(min(choices, key=size_of_all))

    def fewest(self, needed: Sequence[Var]) -> list[Var]:
        """Those that are not cheaply made of the rest."""
        rest = dict.fromkeys(needed)
        for var in reversed(needed):
            del rest[var]
            if not self.is_cheap(var, rest):
                rest[var] = None
        return [var for var in needed if var in rest]

    def is_free(self, atom: Atom) -> bool:
        """Whether a value is at hand on the way back."""
        return isinstance(atom, Const) or atom in self.at_hand or atom in self.fixed or atom in self.behind

    def is_cheap(self, var: Atom, known: Any) -> bool:
        """Whether a value is made of what is known by a few simple operations."""
        todo, seen = [var], {var}
        while todo:
            node = self.maker.get(todo.pop())
            if node is None or not is_simple(node) or len(seen) > DEEPEST:
                return False
            fresh = [a for a in node.operands if a not in known and a not in seen and not self.is_free(a)]
            seen.update(fresh)
            todo += fresh
        return True

    def without(self, kept: Sequence[Var]) -> tuple[Node, ...]:
        """The nodes that make other things than what is kept."""
        return tuple([node for node in self.graph.nodes if set(kept).isdisjoint(node.outputs)])


def size_of_all(variables: Iterable[Var]) -> int:
    """The memory that values take."""
    return sum(math.prod(var.type.shape) * var.type.dtype.itemsize for var in variables)


def is_simple(node: Node) -> bool:
    """Whether an operation costs no more than reading its result from memory."""
    primitive = node.primitive
    if len(node.outputs) > 1:
        return False
    if primitive.family in ("elementwise", "discrete"):
        return bool(primitive.code) and CALLS.search(primitive.code) is None and "/" not in primitive.code
    return primitive.family == "selection"


def with_room(graph: Graph, n_own: int, before: Sequence[ArrayType], behind: Sequence[ArrayType]) -> Graph:
    """A graph with further constants, which it does not use, before and behind its own."""
    own, inputs = graph.inputs[:n_own], graph.inputs[n_own:]
    return replace(graph, inputs=(*map(Var, before), *own, *map(Var, behind), *inputs))
