"""The law of batches: a batch gives what a loop gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.testing.cases import Case, generator, is_inexact
from wengert.testing.comparing import close, directions, filled, outputs, point, program, require
from wengert.transforms.batch import batch_call
from wengert.transforms.linearize import Linearization
from wengert.transforms.vectorize import vectorized


def batch(card: Primitive, case: Case) -> int:
    """A batch gives what a loop over its members gives: values, tangents, cotangents; nested; along any axis."""
    arrays = [k for k, x in enumerate(case.operands) if hasattr(x, "shape")]
    n = 0
    for flags in _flag_sets(len(arrays)):
        if any(flags):
            batched = dict(zip(arrays, flags, strict=True))
            members = [_member(case, batched, k) for k in range(3)]
            n += _batched_values(card, case, batched, members)
            n += _batched_derivatives(card, case, batched, members)
    return n


def _flag_sets(n: int) -> Iterator[tuple[bool, ...]]:
    if n <= 3:
        yield from itertools.product((False, True), repeat=n)
        return
    yield from (tuple(k == slot for k in range(n)) for slot in range(n))
    yield (True,) * n


def _member(case: Case, batched: dict[int, bool], k: int) -> Case:
    """The k-th member of a batch: floats are scaled a little, so that they stay in any domain, other arrays flipped."""

    def change(x: Any) -> Any:
        if is_inexact(x):
            return np.asarray(x * x.dtype.type((1, 0.96875, 1.03125)[k]))
        return np.flip(x) if k == 1 else np.asarray(x)

    operands = [change(x) if batched.get(slot) else x for slot, x in enumerate(case.operands)]
    return replace(case, operands=tuple(operands))


def _stacked(case: Case, batched: dict[int, bool], members: Sequence[Case]) -> list[Any]:
    return [
        np.stack([m.operands[slot] for m in members]) if batched.get(slot) else x
        for slot, x in enumerate(case.operands)
    ]


def _batched_values(card: Primitive, case: Case, batched: dict[int, bool], members: Sequence[Case]) -> int:
    def flat(*operands: Any) -> list[Any]:
        return outputs(card, case, operands)

    stacked = _stacked(case, batched, members)
    axes = [0 if batched.get(slot) else None for slot in range(len(stacked))]
    wanted = [np.stack(parts) for parts in zip(*[flat(*m.operands) for m in members], strict=True)]
    found = batch_call(flat, stacked, axes, len(members))
    _compare_batch(found, wanted, axes, "the batched value")
    last = tuple(axis if axis is None else -1 for axis in axes)
    turned = [x if axis is None else np.moveaxis(x, 0, -1) for x, axis in zip(stacked, axes, strict=True)]
    _compare_batch(vectorized(flat, last, 0)(*turned), wanted, axes, "the value batched along the last axis")
    for inner_axes in {tuple(axes), tuple(a if slot == axes.index(0) else None for slot, a in enumerate(axes))}:
        outer = [a if a is None else 0 for a in axes]
        rest = [o if i is None else None for o, i in zip(outer, inner_axes, strict=True)]
        both = [0 if i is not None else None for i in inner_axes]
        twice = [np.stack([x, x[::-1]]) if axis is not None else x for x, axis in zip(stacked, both, strict=True)]
        _nested(flat, twice, both, rest, axes)
    empty = [x[:0] if axis is not None else x for x, axis in zip(stacked, axes, strict=True)]
    _compare_batch(batch_call(flat, empty, axes, 0), [y[:0] for y in wanted], axes, "the value of a batch of nobody")
    return 4


def _nested(flat: Any, operands: list[Any], both: list[Any], rest: list[Any], axes: Sequence[Any]) -> None:
    """`vmap` within `vmap`, against two loops: `both` are the operands that have two batch axes, `rest` only the inner one."""
    inner_axes = tuple(0 if b is not None or r is not None else None for b, r in zip(both, rest, strict=True))
    found = vectorized(vectorized(flat, inner_axes, 0), tuple(both), 0)(*operands)
    n_outer = next(len(x) for x, b in zip(operands, both, strict=True) if b is not None)
    rows = []
    for k in range(n_outer):
        row = [x if b is None else x[k] for x, b in zip(operands, both, strict=True)]
        loop = [flat(*[x if a is None else x[m] for x, a in zip(row, inner_axes, strict=True)]) for m in range(3)]
        rows.append([np.stack(parts) for parts in zip(*loop, strict=True)])
    _compare_batch(found, [np.stack(parts) for parts in zip(*rows, strict=True)], axes, "the value of nested batches")


def _compare_batch(found: Sequence[Any], wanted: Sequence[Any], axes: Sequence[Any], what: str) -> None:
    for a, b in zip(found, wanted, strict=True):
        require(
            np.asarray(a).dtype == b.dtype,
            f"{what} (axes {axes}) has dtype {np.asarray(a).dtype}, and a loop's {b.dtype}",
        )
        rtol = {"e": 1e-2, "f": 1e-5, "F": 1e-5}.get(b.dtype.char, 1e-11)
        close(a, b, 0.0, rtol if b.dtype.kind in "fc" else 0.0, f"{what} (axes {axes})")


def _batched_derivatives(card: Primitive, case: Case, batched: dict[int, bool], members: Sequence[Case]) -> int:
    """Tangents and cotangents of a batch, with a batch of directions."""
    if card.is_discrete or not case.active:
        return 0
    rng, flat = generator(card), program(card, case)
    likes = flat(*point(case))
    dxs = [directions(rng, point(case)) for _ in members]
    cts = [directions(rng, likes) for _ in members]
    whole = _stacked(case, batched, members)

    def readings(*values: Any) -> list[Any]:
        operands = values[: len(whole)]
        rest = values[len(whole) :]
        n = len(case.active)
        local = program(card, replace(case, operands=tuple(operands)))
        xs = [operands[k] for k in case.active]
        linear = Linearization(local, xs)
        return [*filled(linear.push(rest[:n]), linear.values), *filled(linear.pull(rest[n:]), xs)]

    extra = [np.stack(parts) for parts in zip(*[[*d, *c] for d, c in zip(dxs, cts, strict=True)], strict=True)]
    axes = [0 if batched.get(slot) else None for slot in range(len(whole))] + [0] * len(extra)
    found = batch_call(readings, [*whole, *extra], axes, len(members))
    loop = [readings(*m.operands, *d, *c) for m, d, c in zip(members, dxs, cts, strict=True)]
    _compare_batch(
        found, [np.stack(parts) for parts in zip(*loop, strict=True)], axes, "a batched tangent or cotangent"
    )
    return 1
