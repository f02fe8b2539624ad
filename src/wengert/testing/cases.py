"""On what the laws are tried: for every card a list of operands and params, made from what the card says.

An elementwise card says a `domain`; shapes, dtypes and layouts in memory are laid over it.  Every other card lists
cases, `laws=lambda make: [((make(2, 3), ...), {param: ...}), ...]`, and their dtypes and layouts are varied.
`make(*shape, kind="f")` gives standard normal numbers, complex ones for the kind `"c"`.  Two more entries may follow:
`observe`, a function of the results to look at in their place, where those are determined up to a choice only (the
phase of an eigenvector); and `prepare`, a function from free variables to the tuple of operands, where those are not
free (a symmetric matrix).
"""

from __future__ import annotations

import inspect
import itertools
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wengert.core.primitive import Primitive
from wengert.errors import CheckError, page
from wengert.testing.differences import directional, widen

Make = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """One application of a card, and what it shows: `label` is for messages."""

    operands: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    observe: Callable[..., Sequence[Any]] | None = None
    prepare: Callable[..., tuple[Any, ...]] | None = None
    label: str = ""

    @property
    def active(self) -> list[int]:
        """The slots of floating and complex operands."""
        return [k for k, x in enumerate(self.operands) if is_inexact(x)]

    def settled(self) -> Case:
        """The same case with the operands themselves in place of the free variables."""
        if self.prepare is None:
            return self
        return replace(self, operands=tuple(self.prepare(*self.operands)), prepare=None)

    def vary(self, change: Callable[[Any], Any], label: str) -> Case:
        """The same case with every floating or complex operand changed."""
        operands = tuple(change(x) if is_inexact(x) else x for x in self.operands)
        return replace(self, operands=operands, label=f"{self.label} {label}")

    def __str__(self) -> str:
        shown = ", ".join(map(_shown, self.operands))
        return " ".join(f"({shown}) {self.params or ''} {self.label}".split())


def _shown(x: Any) -> str:
    return f"{x.dtype}{list(x.shape)}" if getattr(x, "ndim", 0) else repr(x)


def is_inexact(x: Any) -> bool:
    """Whether `x` is an array, or a scalar of NumPy's, of floating or complex numbers."""
    return getattr(getattr(x, "dtype", None), "kind", "") in ("f", "c")


def generator(card: Primitive) -> np.random.Generator:
    """Random numbers that depend on the card's name alone."""
    return np.random.default_rng(zlib.crc32(card.name.encode()))


# --- layouts in memory ------------------------------------------------------------------------------------------


def _reversed(x: Any) -> Any:
    backwards = (slice(None, None, -1),) * x.ndim
    return x[backwards].copy()[backwards]


def _with_gaps(x: Any) -> Any:
    wide = np.full(tuple(2 * n for n in x.shape), 7, x.dtype)
    gaps = (slice(None, None, 2),) * x.ndim
    wide[gaps] = x
    return wide[gaps]


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "in Fortran order": np.asfortranarray,
    "with negative strides": _reversed,
    "with gaps": _with_gaps,
}


def _single(x: Any) -> Any:
    return x.astype(np.complex64 if x.dtype.kind == "c" else np.float32)


def _complex(x: Any) -> Any:
    return x + 0.5j * np.flip(x)


# --- elementwise cards --------------------------------------------------------------------------------------------

_SHAPES: dict[int, list[tuple[tuple[int, ...], ...]]] = {
    1: [((3,),), ((),), ((2, 3),), ((0,),), ((2, 0, 3),)],
    2: [((3,), (3,)), ((), ()), ((2, 1), (3,)), ((), (2, 3)), ((2, 3), ()), ((0,), (1,)), ((1, 3), (2, 1, 1))],
    3: [((3,), (3,), (3,)), ((), (), ()), ((2, 1), (3,), ()), ((), (2, 3), (3,)), ((1,), (0,), (1,))],
    4: [((3,), (3,), (3,), (3,)), ((), (), (), ()), ((2, 1), (3,), (), (1, 3)), ((1,), (0,), (1,), ())],
}
_MIXED: dict[int, list[str]] = {
    1: ["f", "F", "D", "e"],
    2: ["ff", "dl", "ld", "d?", "fd", "Dd", "fD", "FD", "DD", "ee", "bf"],
    3: ["fff", "dfd", "DDd", "dld", "FFF"],
    4: ["ffff", "DDDD", "dfdf"],
}
DTYPES = "?bBlefdFD"


def n_operands(card: Primitive) -> int:
    """How many operands an elementwise card takes."""
    if card.slopes:
        return len(card.slopes)
    nin = getattr(card.eval, "nin", None)
    return len(inspect.signature(card.eval).parameters) if nin is None else int(nin)


def domains(card: Primitive) -> list[tuple[Any, Any]]:
    """One interval for each operand."""
    if isinstance(card.domain[0], tuple):
        return list(card.domain)
    return [tuple(card.domain)] * n_operands(card)


def sample(rng: np.random.Generator, interval: tuple[Any, Any], shape: tuple[int, ...], char: str) -> Any:
    """Random numbers of a dtype in an interval; complex ones keep away from the real axis, where branches are cut."""
    low, high = interval
    dtype = np.dtype(char)
    if dtype.kind == "b":
        return np.asarray((rng.random(shape) < 0.5) | (low > 0))
    if dtype.kind in "iu":
        first = int(np.ceil(max(low, 0) if dtype.kind == "u" else low))
        return np.asarray(rng.integers(first, max(first, int(np.floor(high))), shape, endpoint=True), dtype)
    x = rng.uniform(low, high, shape)
    if dtype.kind == "c":
        x = x + 1j * rng.uniform(0.2, 0.9, shape) * np.where(rng.random(shape) < 0.5, -1, 1)
    return np.asarray(x, dtype)


def own_chars(card: Primitive) -> str:
    """The dtype that each operand has by nature: double, or an integer where its domain says so."""
    slopes = card.slopes or (None,) * n_operands(card)
    is_whole = [
        slope is None and type(interval[0]) is int and bool(card.slopes)
        for slope, interval in zip(slopes, domains(card), strict=True)
    ]
    return "".join("l" if whole else "d" for whole in is_whole)


def _accepts(card: Primitive, case: Case) -> bool:
    """Whether the card is made for these dtypes: NumPy takes them, and complex operands have a complex result."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = card.eval(*case.operands, **case.params)
    except (TypeError, ValueError):
        return False
    if not card.slopes:
        return True
    is_complex = any(np.iscomplexobj(x) for x in case.operands)
    if np.asarray(y).dtype.kind != ("c" if is_complex else "f"):
        return False
    if card.numpy:
        return True  # a function of NumPy's obliges it to take what NumPy takes
    is_half = any(x.dtype.char == "e" for x in case.operands)
    return not (is_half and np.asarray(y).dtype.char != "e") and not (is_complex and not _is_analytic(card, case))


def _is_analytic(card: Primitive, case: Case) -> bool:
    """The Cauchy-Riemann equations: along `i dx` the function changes `i` times as much as along `dx`."""

    def f(*xs: Any) -> list[Any]:
        return [card.eval(*xs, **case.params)]

    xs = [widen(x) for x in case.operands]
    for slot in (k for k, x in enumerate(xs) if np.iscomplexobj(x)):
        along, across = (
            directional(f, xs, [np.full_like(x, unit) if k == slot else None for k, x in enumerate(xs)])[0][0]
            for unit in (1, 1j)
        )
        if not np.allclose(1j * along, across, rtol=1e-5, atol=1e-7):
            return False
    return True


def _meets(card: Primitive, chars: Sequence[str]) -> bool:
    """Whether operands of these dtypes come to the card: to one of our own they come at one dtype, but for whole ones."""
    free = {char for char, own in zip(chars, own_chars(card), strict=True) if own == "d"}
    return bool(card.numpy) or not card.slopes or (len(free) == 1 and free <= set("efdFD"))


def _elementwise_cases(card: Primitive) -> Iterator[Case]:
    rng, intervals, own = generator(card), domains(card), own_chars(card)
    n = len(own)

    def case(shapes: Sequence[tuple[int, ...]], chars: str, label: str) -> Case:
        return Case(tuple(sample(rng, i, s, c) for i, s, c in zip(intervals, shapes, chars, strict=True)), label=label)

    usual = own if _accepts(card, case(_SHAPES[n][0], own, "")) else "l" * n
    for shapes in _SHAPES[n]:
        yield case(shapes, usual, "")
    matrix = case(((3, 4),) * n, usual, "")
    for label, layout in LAYOUTS.items():
        yield matrix.vary(layout, label)
    repeated = case(((1, 4),) * n, usual, "")
    yield repeated.vary(lambda x: np.broadcast_to(x, (3, 4)), "repeated")
    for chars in _MIXED[n]:
        whole = "l" if card.numpy else "b"  # an order or a count, which widens no single precision
        mixed = "".join(c if o == "d" else whole for c, o in zip(chars, usual, strict=True))
        found = case(_SHAPES[n][0], mixed, "")
        if usual == own and _meets(card, mixed) and _accepts(card, found):
            yield found


# --- cards with cases of their own ----------------------------------------------------------------------------------


def _make_with(rng: np.random.Generator) -> Make:
    def make(*shape: int, kind: str = "f") -> Any:
        x = rng.standard_normal(shape)
        return np.asarray(x + 1j * rng.standard_normal(shape) if kind == "c" else x)

    return make


def _listed_cases(card: Primitive) -> Iterator[Case]:
    listed = [Case(tuple(entry[0]), dict(entry[1]), *entry[2:]) for entry in card.laws(_make_with(generator(card)))]
    if not listed:
        raise _no_cases(card)
    yield from listed
    for label, layout in LAYOUTS.items():
        yield listed[0].vary(lambda x, layout=layout: layout(x) if x.ndim else x, label)
    yield from (case.vary(_single, "") for case in listed if case.active)
    if card.family in ("contraction", "selection"):
        for case in listed:
            is_real = not any(np.iscomplexobj(x) for x in case.operands)
            if is_real and _accepts(card, complex_case := case.vary(_complex, "")):
                yield complex_case


def _no_cases(card: Primitive) -> CheckError:
    return CheckError(
        page(
            f"the card {card.name!r} has no cases.",
            "Every law is tried on the cases of a card, so a card without any would be tried on nothing.",
            'laws=lambda make: [((make(2, 3),), {"axis": (-1,)})]   # or domain=(0.1, 4.0), for the elementwise family',
            "check",
        )
    )


def cases_of(card: Primitive) -> list[Case]:
    """The cases on which derivatives are tried; raises `CheckError` for a card that says none."""
    cases = list(_elementwise_cases(card)) if card.domain is not None else []
    if card.laws is not None:
        cases += _listed_cases(card)
    if not cases:
        raise _no_cases(card)
    return cases


def central_cases(card: Primitive) -> list[Case]:
    """Those of double precision that are neither empty nor in an unusual layout: for the costlier laws."""
    return [
        case for case in cases_of(card)
        if not any(word in case.label for word in ("order", "strides", "gaps", "repeated"))
        and all(x.dtype.char in "dD" for x in case.operands if is_inexact(x))
    ]  # fmt: skip


def dtype_cases(card: Primitive) -> list[Case]:
    """Every combination of dtypes, and of Python's numbers, whether NumPy accepts it or not; then all other cases."""
    cases = cases_of(card)
    rng = generator(card)
    if card.domain is not None:
        intervals, own = domains(card), own_chars(card)
        n = len(intervals)
        every = DTYPES if n < 3 else "?lfD"
        for chars in itertools.product(*[every if card.numpy or char == "d" else char for char in own]):
            if _meets(card, chars) and (card.numpy or "e" not in chars):
                cases.append(Case(tuple(sample(rng, i, (2,), c) for i, c in zip(intervals, chars, strict=True))))
        if n == 2 and card.numpy:
            for char, number in itertools.product("efdFDl", (True, 2, 1.5, 1 + 0.5j)):
                first, second = (sample(rng, interval, (2,), char) for interval in intervals)
                cases += [Case((first, number)), Case((number, second))]
    elif card.family in ("contraction", "selection"):
        for char in "?bl":
            cases += [case.vary(lambda x, char=char: np.real(x * 3).astype(char), "") for case in list(cases[:1])]
    return cases
