"""The laws that every card obeys; each is a function of a card and a case, and returns how many checks it made.

| law       | says                                                                                            |
|-----------|-------------------------------------------------------------------------------------------------|
| value     | value and dtype are NumPy's, bit for bit, whoever is watching                                   |
| forward   | `J dx` is the limit of differences; a discrete card is constant around the point                |
| transpose | `Re⟨ct, J dx⟩ = Re⟨Jᴴ ct, dx⟩`, and a cotangent has the shape and dtype of its operand           |
| second    | the derivatives of `J dx` and of `Jᴴ ct`, forward and reverse, are the limits of their differences |
| batch     | a batch of operands gives the batch of results, whichever operands are batched, nested and anywhere |
| pattern   | an output that moves with an input is in the declared sparsity pattern; selections declare no more |
| type      | types and text form: `result_types` is right, and the graph's text reads back as the same program |
| zeros     | a zero tangent or cotangent contributes exactly zero, also where slopes are infinite or NaN      |
| linear    | `push` and `pull` are linear; what is inactive stays `None`                                      |
| kinks     | at ties and zeros the derivative is the mean of the one-sided ones                               |
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from wengert.core.check import check, result_types
from wengert.core.parse import parse
from wengert.core.primitive import Primitive
from wengert.core.trace import lowest
from wengert.core.types import type_of
from wengert.testing.cases import Case, cases_of, central_cases, domains, dtype_cases, generator, is_inexact
from wengert.testing.differences import directional, one_sided, widen
from wengert.transforms.batch import batch_call
from wengert.transforms.forward import push_forward
from wengert.transforms.linearize import Linearization, zeros_like
from wengert.transforms.record_graph import trace
from wengert.transforms.vectorize import vectorized

TOLERANCE = {"e": 2e-2, "f": 1e-3, "F": 1e-3, "d": 1e-7, "D": 1e-7}


class Law(NamedTuple):
    """A law, and the cases on which it is tried."""

    check: Callable[[Primitive, Case], int]
    cases: Callable[[Primitive], list[Case]]


class Broken(Exception):  # noqa: N818 - becomes a CheckError where card and law are known
    """A law that does not hold: what was found, in words."""


# --- a case as a function, and comparing ---------------------------------------------------------------------------


def outputs(card: Primitive, case: Case, operands: Sequence[Any]) -> list[Any]:
    """The results of a card as a list; or what the case observes of them."""
    if case.prepare is not None:
        operands = case.prepare(*operands)
    y = card(*operands, **case.params)
    parts = [y] if card.n_outputs is None else list(y)
    return parts if case.observe is None else list(case.observe(*parts))


def program(card: Primitive, case: Case) -> Callable[..., list[Any]]:
    """The case as a flat function of its active operands, for its floating and complex outputs."""

    def flat(*values: Any) -> list[Any]:
        operands = list(case.operands)
        for slot, value in zip(case.active, values, strict=True):
            operands[slot] = value
        return [y for y in outputs(card, case, operands) if y.dtype.kind in "fc"]

    return flat


def point(case: Case) -> list[Any]:
    """The active operands."""
    return [case.operands[k] for k in case.active]


def direction(rng: np.random.Generator, like: Any) -> Any:
    """A random array of the shape and dtype of `like`."""
    x = rng.uniform(-1, 1, like.shape)
    if like.dtype.kind == "c":
        x = x + 1j * rng.uniform(-1, 1, like.shape)
    return np.asarray(x, like.dtype)


def directions(rng: np.random.Generator, likes: Sequence[Any]) -> list[Any]:
    """One random array for each."""
    return [direction(rng, like) for like in likes]


def inner(left: Sequence[Any], right: Sequence[Any]) -> tuple[float, float]:
    """The real inner product `Re⟨left, right⟩`, and the size of what was added up."""
    terms = [np.real(np.conjugate(widen(a)) * widen(b)) for a, b in zip(left, right, strict=True)]
    return sum(float(np.sum(t)) for t in terms), sum(float(np.sum(np.abs(t))) for t in terms)


def tolerance(*groups: Sequence[Any]) -> float:
    """That of the least precise array."""
    return max((TOLERANCE.get(np.asarray(x).dtype.char, 0.0) for group in groups for x in group), default=1e-7)


def require(holds: Any, message: str) -> None:
    if not holds:
        raise Broken(message)


def close(found: Any, wanted: Any, error: Any, rtol: float, what: str) -> None:
    """Whether `found` is `wanted` to `rtol` of its largest entry and to its own `error`."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    require(found.shape == wanted.shape, f"{what} has shape {found.shape}, and should have {wanted.shape}")
    if wanted.dtype.kind not in "fc":
        require(np.array_equal(found, wanted), f"{what} is {found!r}, and should be {wanted!r}")
        return
    scale = np.max(np.abs(wanted), initial=0, where=np.isfinite(wanted))
    limit = rtol * (scale + 1e-3) + 20 * np.asarray(error)
    require(np.all(20 * np.asarray(error) <= max(1e-4, 10 * rtol) * (1 + scale)), f"{what}: the differences do not converge")
    bad = ~(np.abs(widen(found) - widen(wanted)) <= limit) & ~((found == wanted) | (np.isnan(found) & np.isnan(wanted)))
    if np.any(bad):
        place = tuple(int(k) for k in np.argwhere(bad)[0])
        require(False, f"{what} at {place} is {found[place]!r}, and should be {wanted[place]!r}")


def same_bits(found: Any, wanted: Any, what: str) -> None:
    """Whether two arrays agree in shape, dtype and every bit, the sign of zero included."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    require(found.dtype == wanted.dtype, f"{what} has dtype {found.dtype}, and should have {wanted.dtype}")
    require(found.shape == wanted.shape, f"{what} has shape {found.shape}, and should have {wanted.shape}")
    equal = (found == wanted) | ((found != found) & (wanted != wanted))
    if found.dtype.kind == "f":
        equal &= (np.signbit(found) == np.signbit(wanted)) | np.isnan(found)
    require(np.all(equal), f"{what} is {found!r}, and should be {wanted!r}")


def _filled(values: Sequence[Any], likes: Sequence[Any]) -> list[Any]:
    return [zeros_like(x) if v is None else v for v, x in zip(values, likes, strict=True)]


# --- value ------------------------------------------------------------------------------------------------------------


def value(card: Primitive, case: Case) -> int:
    """The traced value is the plain one, and both are those of the NumPy function that the card stands for."""
    case = case.settled()
    wanted = _attempt(card.eval, case)
    n = 0
    for function in (card, *card.numpy):
        ways: dict[str, Any] = {"plain": lambda *xs: function(*xs, **case.params)}
        if case.active:
            ways["differentiated"] = lambda *xs: _watched_record(function, case)
        if not isinstance(wanted, type):
            ways["traced as a graph"] = lambda *xs: _watched_graph(function, case)
        for name, way in ways.items():
            found = _attempt(way, case, {})
            what = f"the value of {getattr(function, '__name__', function)}, {name},"
            if isinstance(wanted, type):
                require(isinstance(found, type) and issubclass(found, (TypeError, ValueError, OverflowError)),
                        f"{what} is {found!r}, and NumPy raises {wanted.__name__}")  # fmt: skip
            else:
                require(not isinstance(found, type), f"{what} raises {getattr(found, '__name__', '')}, and NumPy does not")
                for a, b in zip(_parts(found), _parts(wanted), strict=True):
                    same_bits(a, b, what)
            n += 1
    return n


def _attempt(function: Callable[..., Any], case: Case, params: Any = None) -> Any:
    """The value; or the class of the exception, where NumPy refuses these operands."""
    try:
        return function(*case.operands, **(case.params if params is None else params))
    except (TypeError, ValueError, OverflowError) as error:
        return type(error)


def _watched_record(function: Any, case: Case) -> Any:
    def flat(*values: Any) -> list[Any]:
        operands = list(case.operands)
        for slot, x in zip(case.active, values, strict=True):
            operands[slot] = x
        return _parts(function(*operands, **case.params))

    return tuple(map(lowest, Linearization(flat, point(case)).values))


def _watched_graph(function: Any, case: Case) -> Any:
    arrays = [k for k, x in enumerate(case.operands) if hasattr(x, "dtype")]

    def flat(*values: Any) -> Any:
        operands = list(case.operands)
        for slot, x in zip(arrays, values, strict=True):
            operands[slot] = x
        return function(*operands, **case.params)

    return trace(flat)(*[case.operands[k] for k in arrays])(*[case.operands[k] for k in arrays])


def _parts(y: Any) -> list[Any]:
    return list(y) if isinstance(y, tuple) else [y]


# --- first order --------------------------------------------------------------------------------------------------------


def _wide(case: Case) -> Case:
    return case.vary(widen, "")


def _subsets(case: Case) -> Iterator[list[bool]]:
    """Every active operand alone, then all together."""
    n = len(case.active)
    for k in range(n if n > 1 else 0):
        yield [slot == k for slot in range(n)]
    yield [True] * n


def forward(card: Primitive, case: Case) -> int:
    """`J dx` is what central differences of the plain function tend to, along several directions."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    wide_flat, wide_xs = program(card, _wide(case)), list(map(widen, xs))
    n = 0
    for chosen in _subsets(case):
        dxs = [dx if c else None for dx, c in zip(directions(rng, xs), chosen, strict=True)]
        ys = wide_flat(*wide_xs)
        if card.is_discrete:
            n += _is_constant(card, case, dxs)
        if card.is_discrete or not xs or not ys:
            continue
        slopes, errors = directional(wide_flat, wide_xs, [None if dx is None else widen(dx) for dx in dxs])
        found = _filled(push_forward(flat, xs, dxs)[1], slopes)
        values = flat(*xs)
        for y, dy, slope, error in zip(values, found, slopes, errors, strict=True):
            require(dy.dtype == y.dtype or not np.any(dy), f"the tangent has dtype {dy.dtype}, and the value {y.dtype}")
            close(dy, slope, error, tolerance(xs, values, ys), "J dx")
            n += 1
    return n + _nothing_flows(card, case)


def _is_constant(card: Primitive, case: Case, dxs: Sequence[Any]) -> int:
    """Around a point that is no jump, the value of a discrete card does not move at all."""
    rng = generator(card)
    aside = _wide(case.settled()).vary(lambda x: x + 1e-6 * direction(rng, x), "")  # a tie or a zero is a jump: next to it there is none
    operands = list(aside.operands)
    for slot, dx in zip(aside.active, dxs, strict=True):
        operands[slot] = operands[slot] if dx is None else operands[slot] + 2.0**-36 * dx
    before, after = (_parts(card.eval(*xs, **case.params)) for xs in (aside.operands, operands))
    is_same = all(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(before, after, strict=True))
    require(card.is_held or is_same, "the value moves, and the card says that it is discrete")
    return 1


def _nothing_flows(card: Primitive, case: Case) -> int:
    """A discrete card has neither reading, and its results are no tracers of an inactive kind that lead anywhere."""
    if not card.is_discrete or not case.active:
        return 0
    require(card.push is None and card.pull is None, "a discrete card has a derivative")
    linear = Linearization(program(card, case), point(case))
    require(all(ct is None for ct in linear.pull([np.ones_like(y) for y in linear.values])), "a cotangent passes a discrete card")
    return 1


def transpose(card: Primitive, case: Case) -> int:
    """The dot-product test, for each active operand and for all together."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    linear = Linearization(flat, xs)
    n = 0
    for chosen in _subsets(case):
        dxs = directions(rng, xs)
        cts = directions(rng, linear.values)
        masked = [dx if c else np.zeros_like(dx) for dx, c in zip(dxs, chosen, strict=True)]
        pulled = linear.pull(cts)
        for ct, x in zip(pulled, xs, strict=True):
            require(ct is None or (ct.shape, ct.dtype) == (x.shape, x.dtype),
                    f"a cotangent is {None if ct is None else type_of(ct)}, and its operand {type_of(x)}")  # fmt: skip
        left, size = inner(cts, _filled(linear.push(masked), linear.values))
        again, _ = inner(cts, _filled(push_forward(flat, xs, masked)[1], linear.values))
        right, other = inner(_filled(pulled, xs), masked)
        limit = tolerance(xs, linear.values) * (size + other + 1e-3)
        require(abs(left - right) <= limit, f"⟨ct, J dx⟩ is {left!r}, and ⟨Jᴴ ct, dx⟩ is {right!r}")
        require(abs(left - again) <= limit, f"⟨ct, J dx⟩ is {left!r} by the record, and {again!r} by forward mode")
        n += 2
    return n


# --- second order ---------------------------------------------------------------------------------------------------------


def second(card: Primitive, case: Case) -> int:
    """Forward and reverse over forward and reverse."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    dxs, cts = directions(rng, xs), directions(rng, flat(*xs))

    def pushed(*values: Any) -> list[Any]:
        ys, dys, strip = push_forward(flat, values, dxs)
        return _filled(dys, ys)

    def pulled(*values: Any) -> list[Any]:
        return _filled(Linearization(flat, values).pull(cts), values)

    n = 0
    for name, first in (("J dx", pushed), ("Jᴴ ct", pulled)):
        for chosen in _subsets(case):
            d2s = [d if c else None for d, c in zip(directions(rng, xs), chosen, strict=True)]
            slopes, errors = directional(first, xs, d2s)
            linear = Linearization(first, xs)
            found = _filled(push_forward(first, xs, d2s)[1], linear.values)
            for a, b, error in zip(found, slopes, errors, strict=True):
                close(a, b, error, 10 * tolerance(xs, found), f"the forward derivative of {name}")
            weights = directions(rng, linear.values)
            left, size = inner(weights, slopes)
            right, other = inner(_filled(linear.pull(weights), xs), [np.zeros_like(x) if d is None else d for x, d in zip(xs, d2s, strict=True)])
            limit = 10 * tolerance(xs, found) * (size + other + 1e-2) + 20 * sum(float(np.sum(e)) for e in errors)
            require(abs(left - right) <= limit, f"the reverse derivative of {name} gives {right!r}, and differences {left!r}")
            n += 2
    return n


# --- batch ------------------------------------------------------------------------------------------------------------------


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
    return [np.stack([m.operands[slot] for m in members]) if batched.get(slot) else x for slot, x in enumerate(case.operands)]


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
    return 3


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
        require(np.asarray(a).dtype == b.dtype, f"{what} (axes {axes}) has dtype {np.asarray(a).dtype}, and a loop's {b.dtype}")
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
        return [*_filled(linear.push(rest[:n]), linear.values), *_filled(linear.pull(rest[n:]), xs)]

    extra = [np.stack(parts) for parts in zip(*[[*d, *c] for d, c in zip(dxs, cts, strict=True)], strict=True)]
    axes = [0 if batched.get(slot) else None for slot in range(len(whole))] + [0] * len(extra)
    found = batch_call(readings, [*whole, *extra], axes, len(members))
    loop = [readings(*m.operands, *d, *c) for m, d, c in zip(members, dxs, cts, strict=True)]
    _compare_batch(found, [np.stack(parts) for parts in zip(*loop, strict=True)], axes, "a batched tangent or cotangent")
    return 1


# --- pattern --------------------------------------------------------------------------------------------------------------------


def pattern(card: Primitive, case: Case) -> int:
    """Every entry of every active operand is moved in turn, and the outputs that move must be in its column."""
    free, case = case.operands, case.settled()
    y = card.eval(*case.operands, **case.params)
    wide = _wide(case)
    before = np.concatenate([np.ravel(part) for part in _parts(card.eval(*wide.operands, **case.params))])
    n = 0
    for slot in case.active:
        said = np.asarray(card.pattern(slot, y, case.operands, case.params))
        x = wide.operands[slot]
        if not any(case.operands[slot] is z for z in free):
            continue  # made from the free variables: it cannot move alone
        require(said.shape == (before.size, x.size) and said.dtype == bool, f"the pattern of operand {slot} is {said.dtype}{list(said.shape)}")
        if card.is_discrete:
            require(not said.any(), f"a discrete card has a pattern of operand {slot}")
            n += 1
            continue
        moves = np.zeros(said.shape, bool)
        for k in range(x.size):
            moves[:, k] = _tangent_of_entry(card, wide, slot, k)
        require(not (moves & ~said).any(), f"outputs move with operand {slot} outside its pattern")
        if card.family == "selection" and card.slopes == () and x.dtype.kind == "f" and before.dtype.kind == "f" and _copies(before, x):
            require((moves == said).all(), f"the pattern of operand {slot} holds outputs that never move")
        if card.family == "elementwise":
            require((said.sum(1) == said.any()).all(), f"an output has several inputs in the pattern of operand {slot}")
        n += 1
    return n


def _copies(before: Any, x: Any) -> bool:
    return bool(np.all((before == 0) | np.isin(before, x)))


def _tangent_of_entry(card: Primitive, case: Case, slot: int, k: int) -> Any:
    """Which outputs move when one entry does, by a finite amount; never by the card's own derivative."""
    x = case.operands[slot]
    shifted = np.array(x, order="C")
    shifted.reshape(-1)[k] += 2.0**-10
    operands = [shifted if s == slot else z for s, z in enumerate(case.operands)]
    before, after = (
        np.concatenate([np.ravel(part) for part in _parts(card.eval(*zs, **case.params))])
        for zs in (case.operands, operands)
    )
    return np.abs(after - before) > 1e-9 * (1 + np.abs(before))


# --- type -----------------------------------------------------------------------------------------------------------------------


def type_(card: Primitive, case: Case) -> int:
    """Types follow from types, and a graph is its text."""
    case = case.settled()
    arrays = [x for x in case.operands if hasattr(x, "dtype")]
    slots = [k for k, x in enumerate(case.operands) if hasattr(x, "dtype")]

    def flat(*values: Any) -> Any:
        operands = list(case.operands)
        for slot, x in zip(slots, values, strict=True):
            operands[slot] = x
        return card(*operands, **case.params)

    graph = check(trace(flat)(*arrays))
    last = graph.nodes[-1]
    require(last.primitive is card, f"the last node of its graph is {last.primitive.name}")
    wanted = _parts(card.eval(*case.operands, **case.params))
    found = result_types(card, last.operands, last.params)
    require(found == tuple(map(type_of, wanted)), f"result_types says {found}, and the values are {tuple(map(type_of, wanted))}")
    text = graph.text()
    again = check(parse(text))
    require(again.text() == text, f"the text form reads back as another one:\n{text}\n{again.text()}")
    for a, b in zip(again(*arrays), wanted, strict=True):
        same_bits(a, b, "the value of the graph read back from its text")
    return 3


# --- strong zeros ---------------------------------------------------------------------------------------------------------------


_HARD = (0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-300, 1e300)


def hard_cases(card: Primitive) -> list[Case]:
    """The regular cases; and with zeros, infinities and NaN where operands may have them."""
    cases = central_cases(card)
    if card.family == "elementwise":
        n = len(card.slopes)
        grid = np.array(list(itertools.product(_HARD, repeat=min(n, 2)))).T.copy()
        intervals = domains(card)
        wanted = [grid[k % 2] if type(low) is not int or card.slopes[k] is not None else np.ones(grid.shape[1], int)
                  for k, (low, _) in zip(range(n), intervals, strict=True)]  # fmt: skip
        cases.append(Case(tuple(wanted), label="at zeros, infinities and NaN"))
    elif card.family in ("contraction", "selection"):
        rng = generator(card)
        for case in list(cases):
            cases.append(case.vary(lambda x: _spoiled(rng, x), "with infinities and NaN"))
    return cases


def _spoiled(rng: np.random.Generator, x: Any) -> Any:
    bad = rng.choice(np.array([np.inf, -np.inf, np.nan, 0.0]), x.shape)
    return np.where(rng.random(x.shape) < 0.4, bad, x)


def zeros(card: Primitive, case: Case) -> int:
    """Zero in gives exactly zero out; and what lies outside the pattern is not spoilt by what lies inside."""
    xs, flat = point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    linear = Linearization(flat, xs)
    nothing = [np.zeros_like(x) for x in xs]
    for way, dys in (("record", linear.push(nothing)), ("forward mode", push_forward(flat, xs, nothing)[1])):
        require(all(dy is None or not np.any(dy != 0) for dy in dys), f"a zero tangent gives {dys} by {way}")
    cts = linear.pull([np.zeros_like(y) for y in linear.values])
    require(all(ct is None or not np.any(ct != 0) for ct in cts), f"a zero cotangent gives {cts}")
    if card.n_outputs is not None or case.observe or case.prepare or not linear.values:
        return 3
    return 3 + sum(_zeros_outside(card, case, linear, place) for place in range(len(xs)))


def _zeros_outside(card: Primitive, case: Case, linear: Linearization, place: int) -> int:
    y, slot = linear.values[0], case.active[place]
    x = case.operands[slot]
    said = card.pattern(slot, y, case.operands, case.params)
    for k in range(min(x.size, 24)):
        unit = np.zeros_like(x, order="C")
        unit.reshape(-1)[k] = 1
        dy = linear.push([unit if p == place else None for p in range(len(linear.inputs))])[0]
        if dy is not None:
            require(not np.any(np.ravel(dy)[~said[:, k]] != 0), f"the tangent of entry {k} of operand {slot} spoils others: {dy}")
    for k in range(min(y.size, 24)):
        unit = np.zeros_like(y, shape=y.shape, order="C") if y.shape else np.zeros((1,), y.dtype)
        unit.reshape(-1)[k] = 1
        ct = linear.pull([unit.reshape(y.shape)])[place]
        if ct is not None:
            require(not np.any(np.ravel(ct)[~said[k]] != 0), f"the cotangent of output {k} spoils others of operand {slot}: {ct}")
    return 2


# --- linearity --------------------------------------------------------------------------------------------------------------------


def linear(card: Primitive, case: Case) -> int:
    """`J(a u + b v) = a J u + b J v`, the same for `Jᴴ`; and nothing comes of nothing."""
    rng, xs, flat = generator(card), point(case), program(card, case)
    if card.is_discrete or not xs:
        return 0
    at = Linearization(flat, xs)
    limit = 1e-3 * tolerance(xs, at.values) if tolerance(xs, at.values) < 1e-6 else tolerance(xs, at.values)
    for name, apply, ends, likes in (("push", at.push, xs, at.values), ("pull", at.pull, at.values, xs)):
        u, v = directions(rng, ends), directions(rng, ends)
        mixed = [np.asarray(x.dtype.type(0.5) * a - x.dtype.type(2) * b) for a, b, x in zip(u, v, ends, strict=True)]
        left = _filled(apply(mixed), likes)
        of_u, of_v = _filled(apply(u), likes), _filled(apply(v), likes)
        for a, b, c in zip(left, of_u, of_v, strict=True):
            close(a, 0.5 * widen(b) - 2 * widen(c), 0.0, limit + 1e-9, f"{name}(u/2 - 2v)")
    return 2 + _inactive(card, case)


def _inactive(card: Primitive, case: Case) -> int:
    """An operand without a derivative gives `None`, and cotangents come in the order of the slots asked for."""
    case = case.settled()
    y = card.eval(*case.operands, **case.params)
    if card.n_outputs is not None or card.pull is None or case.observe is not None:
        return 0
    ct = np.ones_like(y)
    slots = list(range(len(case.operands))) if card.family == "elementwise" else case.active
    one_way = card.pull(ct, slots, y, case.operands, case.params)
    other = card.pull(ct, slots[::-1], y, case.operands, case.params)
    require(len(one_way) == len(slots), f"pull gives {len(one_way)} cotangents for {len(slots)} slots")
    for a, b in zip(one_way, other[::-1], strict=True):
        require((a is None) == (b is None), "pull gives the cotangents in another order than asked")
        if a is not None:
            close(a, b, 0.0, 1e-12, "pull in another order")
    for slot, slope in enumerate(card.slopes):
        if slope is None:
            require(one_way[slot] is None, f"operand {slot} has no slope, and pull gives {one_way[slot]}")
            alone = [np.ones_like(y) if k == slot else None for k in range(len(card.slopes))]
            require(card.push(alone, y, case.operands, case.params) is None, f"operand {slot} has no slope, and push gives one")
    return 1


# --- kinks ------------------------------------------------------------------------------------------------------------------------


_CORNERS = (-1.0, 0.0, 0.5, 1.0, 2.0)


def corner_cases(card: Primitive) -> list[Case]:
    """For elementwise cards: zeros, ones and ties, one point in each case."""
    if card.family != "elementwise" or card.is_discrete or any(type(low) is int for low, _ in domains(card)):
        return []
    points = itertools.product(_CORNERS, repeat=len(card.slopes))
    return [Case(tuple(np.float64(v) for v in values), label="at a corner") for values in points]


def kinks(card: Primitive, case: Case) -> int:
    """The slope along each operand is the mean of the one-sided derivatives, infinite where one of them is."""
    return sum(_kink(card, case, slot) + _kink_of_slope(card, case, slot) for slot in range(len(case.operands)))


def _slope_along(card: Primitive, case: Case, slot: int, values: Sequence[Any]) -> Any:
    dxs = [np.float64(1) if k == slot else None for k in range(len(values))]
    ys, dys, strip = push_forward(lambda *xs: [card(*xs, **case.params)], values, dxs)
    return _filled(dys, ys)[0]


def _kink(card: Primitive, case: Case, slot: int) -> int:
    def along(t: float) -> Any:
        return card.eval(*[np.float64(t) if k == slot else x for k, x in enumerate(case.operands)], **case.params)

    return _mean_of_sides(along, float(case.operands[slot]), _slope_along(card, case, slot, case.operands), f"the slope along operand {slot}")


def _kink_of_slope(card: Primitive, case: Case, slot: int) -> int:
    """The same for the second derivative, where the slope itself does not jump."""
    def at(t: Any) -> list[Any]:
        return [t if k == slot else x for k, x in enumerate(case.operands)]

    def along(t: Any) -> Any:
        return _slope_along(card, case, slot, at(np.float64(t)))

    x = case.operands[slot]
    ys, dys, strip = push_forward(lambda t: [_slope_along(card, case, slot, at(t))], [x], [np.float64(1)])
    return _mean_of_sides(along, float(x), _filled(dys, ys)[0], f"the second derivative along operand {slot}")


def _mean_of_sides(along: Callable[[float], Any], x: float, found: Any, what: str) -> int:
    if not np.isfinite(along(x)):
        return 0
    sides = [side for sign in (-1, 1) if not np.isnan(side := one_sided(along, x, sign))]
    if not sides or sides in ([np.inf, -np.inf], [-np.inf, np.inf]):
        return 0
    if len(sides) == 1 and np.isfinite(along(x + 1e-3)) and np.isfinite(along(x - 1e-3)):
        return 0  # a jump on one side
    wanted = sum(sides) / len(sides)
    agrees = found == wanted if np.isinf(wanted) else abs(found - wanted) <= 1e-6 * (1 + abs(wanted))
    require(agrees, f"{what} is {float(found)!r}, and the one-sided derivatives are {sides}")
    return 1


LAWS: dict[str, Law] = {
    "value": Law(value, dtype_cases),
    "forward": Law(forward, cases_of),
    "transpose": Law(transpose, cases_of),
    "second": Law(second, central_cases),
    "batch": Law(batch, cases_of),
    "pattern": Law(pattern, cases_of),
    "type": Law(type_, cases_of),
    "zeros": Law(zeros, hard_cases),
    "linear": Law(linear, cases_of),
    "kinks": Law(kinks, corner_cases),
}
