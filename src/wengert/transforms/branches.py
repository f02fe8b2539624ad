"""`cond`: one of two programs, as one operation.

Its derivative is `cond` of the derivatives, forward and reverse; the adjoint computes again what it needs of the branch that was
taken.  In a batch whose members take different branches both are computed, and each member has the results of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from wengert.core.check import output_types
from wengert.core.graph import Graph
from wengert.core.parse import parse
from wengert.core.primitive import Params
from wengert.core.trace import bind
from wengert.core.types import ArrayType, type_of
from wengert.transforms.derived_programs import KEPT, Flags, Types, batched, chosen, pushed
from wengert.transforms.inner_programs import apply, derive, reached
from wengert.transforms.journeys import goes_on
from wengert.transforms.linearize import Linearization, finish
from wengert.transforms.loop import control, of_member, own, runner_of, where_member

Branches = tuple[Graph, Graph]


def branches_of(params: Params) -> Branches:
    """The program for a true and the one for a false predicate."""
    return params["true"], params["false"]


def run_cond(predicate: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
    """The results of one branch."""
    chosen_branch = params["true" if goes_on(predicate) else "false"]
    return tuple([own(y, operands) for y in runner_of(chosen_branch)(operands)])


def cond_types(types: Sequence[ArrayType], params: Params) -> tuple[ArrayType, ...]:
    """The types of the results, which both branches share."""
    return output_types(params["true"], types[1:])


def flags_of(branches: Branches, flags: Flags) -> Flags:
    """The outputs that depend on the flagged operands in one branch or the other."""
    return tuple([a or b for a, b in zip(*[reached(graph, flags) for graph in branches], strict=True)])


def push(dxs: Sequence[Any], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
    """`cond` of the branches with tangents."""
    branches = branches_of(params)
    flags = tuple(dx is not None and x.dtype.kind in "fc" for dx, x in zip(dxs[1:], xs[1:], strict=True))
    wanted = flags_of(branches, flags)
    types = tuple(map(type_of, xs[1:]))
    both = [pushed(graph, types, (len(types),), (len(wanted),), flags, wanted) for graph in branches]
    found = bind(cond, [*xs, *chosen(dxs[1:], flags)], {"true": both[0], "false": both[1]})
    tangents = iter(found[len(wanted) :])
    return [next(tangents) if want else None for want in wanted]


@lru_cache(maxsize=KEPT)
def pulled(graph: Graph, types: Types, flags: Flags, wanted: Flags) -> Graph:
    """`(x, ct_y) -> ct_x`, where there are flags."""
    n, results = len(types), output_types(graph, types)

    def run(*values: Any) -> list[Any]:
        xs, cts = values[:n], iter(values[n:])

        def of_active(*active: Any) -> list[Any]:
            rest = iter(active)
            return apply(graph, [next(rest) if flag else x for x, flag in zip(xs, flags, strict=True)])

        linear = Linearization(of_active, chosen(xs, flags))
        pieces = linear.pull([next(cts) if want else None for want in wanted], consume=True)
        return [finish(ct, x) for ct, x in zip(pieces, chosen(xs, flags), strict=True)]

    return derive(run, [*types, *chosen(results, wanted)], "pulled")


def pull(cts: Any, slots: Sequence[int], y: Any, xs: Sequence[Any], params: Params) -> list[Any]:
    """`cond` of the adjoints of the branches."""
    branches = branches_of(params)
    flags = tuple(k + 1 in slots for k in range(len(xs) - 1))
    wanted = flags_of(branches, flags)
    types = tuple(map(type_of, xs[1:]))
    both = [pulled(graph, types, flags, wanted) for graph in branches]
    given = [
        ct if ct.dtype == part.dtype else finish(ct, part)
        for ct, part, want in zip(cts, y, wanted, strict=True)
        if want
    ]
    found = iter(bind(cond, [*xs, *given], {"true": both[0], "false": both[1]}))
    pieces = [None, *(next(found) if flag else None for flag in flags)]
    return [pieces[slot] for slot in slots]


def batch(xs: Sequence[Any], is_batched: Sequence[bool], params: Params) -> tuple[Any, ...]:
    """One branch for the whole batch; or both, where members differ in their predicates."""
    predicate, operands, flags = xs[0], xs[1:], tuple(is_batched[1:])
    n = next(x.shape[0] for x, flag in zip(xs, is_batched, strict=True) if flag)
    types = tuple(of_member(type_of(x)) if flag else type_of(x) for x, flag in zip(operands, flags, strict=True))
    every = (True,) * len(params["true"].outputs)
    both = [batched(graph, types, flags, every, n) for graph in branches_of(params)]
    if not is_batched[0]:
        return tuple(bind(cond, xs, {"true": both[0], "false": both[1]}))
    results = [apply(graph, operands) for graph in both]
    return tuple([where_member(predicate, a, b) for a, b in zip(*results, strict=True)])


def laws_of_cond(make: Any) -> list[Any]:
    """Cases: either branch, and results that depend on an operand in one branch alone."""
    true = parse("""graph(x:float64[2], y:float64[]) {
      a:float64[2] = sin x
      b:float64[] = multiply y y
      return a b
    }""")
    false = parse("""graph(x:float64[2], y:float64[]) {
      a:float64[2] = multiply x x
      b:float64[] = sum a {axis=(-1,), keepdims=False}
      return x b
    }""")
    operands, params = (make(2), make()), {"true": true, "false": false}
    return [((np.bool_(flag), *operands), params) for flag in (True, False)]


cond = control("cond", run_cond, (push, pull, batch), cond_types, laws_of_cond)
cond.kept = lambda xs, params, y: (xs, params, tuple(map(type_of, y)))
