"""What `wengert.diagnose` tells: findings, each with its operation, its line and the values that met there."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from wengert.core.trace import beneath
from wengert.core.types import type_of
from wengert.errors import AnomalyError, page

Kind = Literal["nan", "infinity", "zero", "disconnected"]
_TITLES = {"nan": "NaN", "infinity": "infinity", "zero": "exact zero", "disconnected": "disconnected"}
MOST_SHOWN = 4  # operands of one operation, and inputs


@dataclass(frozen=True)
class Value:
    """An array in numbers: its type, the range of its finite entries, how many are odd, and one entry.

    `name` is its letter in the formula, `at` the entry at the finding's index, `source` where it was made.
    """

    name: str
    type: str
    size: int
    least: float | None
    greatest: float | None
    n_nan: int
    n_infinite: int
    n_zero: int
    at: Any = None
    source: str = ""

    def __str__(self) -> str:
        parts = [self.type]
        if self.least is not None:
            parts.append(f"{self.least:.6g}" if self.least == self.greatest else f"{self.least:.6g} to {self.greatest:.6g}")
        counts = ((self.n_nan, "NaN"), (self.n_infinite, "infinite"), (self.n_zero, "zero"))
        parts += [f"{n} {word}" if self.size > 1 else word for n, word in counts if n and (self.size > 1 or self.least is None)]
        return f"{self.name}: {', '.join(parts)}" + (f"   from {self.source}" if self.source else "")


def value_of(name: str, x: Any, index: tuple[int, ...] | None = None, source: str = "") -> Value:
    """The numbers of an array, whoever watches it."""
    x = np.asarray(beneath(x))
    type_, size = str(type_of(x)), int(x.size)
    if x.dtype.kind not in "biufc":
        return Value(name, type_, size, None, None, 0, 0, 0, None, source)
    number = x.dtype.kind in "fc"
    fine = x[np.isfinite(x)] if number else x
    size_of = np.abs(fine) if x.dtype.kind == "c" else fine
    least, greatest = (float(np.min(size_of)), float(np.max(size_of))) if fine.size else (None, None)
    n_nan, n_infinite = (int(np.sum(np.isnan(x))), int(np.sum(np.isinf(x)))) if number else (0, 0)
    return Value(name, type_, size, least, greatest, n_nan, n_infinite, size - int(np.count_nonzero(x)), entry_of(x, index), source)


def entry_of(x: Any, index: tuple[int, ...] | None) -> Any:
    """The entry at an index of an array that may be broadcast against the one that the index is of; `None` where it is not."""
    x = np.asarray(beneath(x))
    if index is None or x.ndim > len(index):
        return x[()].item() if x.ndim == 0 else None
    own = tuple(0 if n == 1 else i for n, i in zip(x.shape, index[len(index) - x.ndim :], strict=True))
    return x[own].item() if all(i < n for i, n in zip(own, x.shape, strict=True)) else None


@dataclass(frozen=True)
class Finding:
    """One operation that made a NaN, an infinity or an exact zero, or that ended a dependence.

    `kind` is `"nan"`, `"infinity"`, `"zero"` or `"disconnected"`; `where` is `"primal"`, `"gradient"` or (forward) `"tangent"`; `formula` has the
    operands `a`, `b`, `c` in order; `index` is that of the first such entry of `result` (in the gradient: of the cotangent that left);
    `inputs` are those that it concerns: that lead to it, or whose gradient it spoils; `step` is that of the loops around.
    """

    kind: Kind
    where: Literal["primal", "gradient", "tangent"]
    primitive: str
    formula: str
    location: str
    line: str
    why: str
    inputs: tuple[str, ...] = ()
    index: tuple[int, ...] | None = None
    operands: tuple[Value, ...] = ()
    result: Value | None = None
    step: str = ""
    is_closed: bool = False  # whether the operation owns a program: a loop, a compiled function

    @property
    def title(self) -> str:
        """`NaN in the primal, by log`."""
        if self.kind == "disconnected":
            return "disconnected" + (f", by {self.primitive}" if self.primitive else "")
        return f"{_TITLES[self.kind]} in the {self.where}" + (f", by {self.primitive}" if self.primitive else "")

    def lines(self) -> list[str]:
        """The finding as text, without its title."""
        place = f"{self.location}   {self.line}".rstrip() if self.location else ""
        values = [*self.operands[:MOST_SHOWN], *([self.result] if self.result is not None else [])]
        concerns = f"{'concerns' if self.where == 'gradient' else 'leads from'} {_listed(self.inputs)}" if self.inputs else ""
        return [x for x in (place, self.step and f"in {self.step}", self.why, *map(str, values), concerns) if x]

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  {line}" for line in self.lines())])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


@dataclass(frozen=True)
class Diagnosis:
    """What one run of a function and of its gradient has shown: the findings, in the order in which they happened.

    `value` and `gradients` are the results in numbers, `bad` the findings of NaN and infinity; a diagnosis is true if there are any
    findings at all.
    """

    function: str
    value: tuple[Value, ...]
    gradients: tuple[Value, ...]
    findings: tuple[Finding, ...]

    @property
    def bad(self) -> tuple[Finding, ...]:
        """The findings that make results wrong: NaN and infinity."""
        return tuple(finding for finding in self.findings if finding.kind in ("nan", "infinity"))

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __str__(self) -> str:
        n = len(self.findings)
        head = f"{self.function}: " + ("nothing found" if not n else f"{n} finding{'s' if n > 1 else ''}")
        lines = [head, *(f"  {value}" for value in self.value)]
        for k, finding in enumerate(self.findings, 1):
            title, *rest = str(finding).splitlines()
            lines += ["", f"{k}. {title}", *(f"  {line}" for line in rest)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = str(self).partition("\n\n")[0].splitlines()
        rows = [f"<p><b>{html.escape(head[0])}</b>{''.join(f'<br><code>{html.escape(x.strip())}</code>' for x in head[1:])}</p>"]
        for finding in self.findings:
            parts = "".join(f"<div><code>{html.escape(line)}</code></div>" for line in finding.lines())
            rows.append(f'<li style="margin-bottom:.6em"><b>{html.escape(finding.title)}</b>{parts}</li>')
        return f"<div>{rows[0]}<ol>{''.join(rows[1:])}</ol></div>"


def anomaly_of(findings: Sequence[Finding]) -> AnomalyError:
    """The error for these findings, of NaN or infinity."""
    first = findings[0]
    where = "primal" if first.where == "primal" else "gradient"
    texts = [finding.lines() for finding in findings[:1]] + [str(finding).splitlines() for finding in findings[1:3]]
    advice = {
        ("primal", "nan"): "np.where(x > 0, np.log(x), 0.0)   # for an operation with a domain: what is not chosen contributes nothing",
        ("primal", "infinity"): "np.logaddexp.reduce(x)   # for log(sum(exp(x))); and x - np.max(x) before np.exp",
        ("gradient", "infinity"): "np.where(x > 0, np.sqrt(x), 0.0)   # where a slope is infinite; or np.sqrt(x + 1e-12)",
        ("gradient", "nan"): "np.where(x > 0, f(x), 0.0)   # around the operation: what is not chosen contributes nothing",
    }[where, first.kind]
    why = "\n\n".join("\n".join(lines) for lines in texts)
    return AnomalyError(page(f"{first.title}.", why, f"{advice}\nwg.diagnose(f)(...)   # for all that there is to know", "anomaly"))


def anomaly_lost(name: str) -> AnomalyError:
    """The error for a compiled function whose result is not finite, and which, run once more in Python, was."""
    return AnomalyError(
        page(
            f"the result of the compiled {name} is not finite.",
            "Run again, operation by operation, it was finite: it has changed its own arguments, or draws random numbers.",
            "wg.diagnose(f)(...)   # of the same function, with the arguments as they were",
            "anomaly",
        )
    )
