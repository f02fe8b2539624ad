"""`diagnose` and `anomaly`: runs of a function that are watched on purpose."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from wengert import trees
from wengert.core.tape import NOTED, is_recording
from wengert.errors import DisconnectedWarning
from wengert.transforms.findings import Diagnosis, Finding, value_of
from wengert.transforms.linearize import is_inexact, snapshot
from wengert.transforms.provenance import Collection, Report, collected, findings_of
from wengert.transforms.selection import ArgNums, Selection, argument_name, find_argument, location_of
from wengert.transforms.watch import WATCHED, Watch, is_expanded, is_watching


@contextmanager
def setting(*pairs: tuple[ContextVar[Any], Any]) -> Iterator[None]:
    """Within this context the variables have these values."""
    tokens = [(variable, variable.set(value)) for variable, value in pairs]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


def diagnosed(function: Callable[..., Any], argnums: ArgNums, args: Sequence[Any], kwargs: dict[str, Any]) -> Diagnosis:
    """See `wengert.diagnose`; without `argnums` the function's own gradient is left alone."""
    kwargs = dict(kwargs)
    asked = [argnums] if isinstance(argnums, (int, str)) else argnums
    chosen = [find_argument(function, key, args, kwargs) for key in asked]
    keys = [*range(len(args)), *kwargs]
    selection = Selection(function, keys, args, kwargs, name="diagnose", constants=True)
    names = names_of(selection)
    wanted = [k for k, key in enumerate(keys_of_leaves(selection)) if key in chosen]
    inner = Collection()
    watch = Watch(selection.label)
    with setting((is_watching, True), (is_expanded, True), (collected, inner)), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DisconnectedWarning)  # it is among the findings
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            outputs = selection.flat(*[watch.input(snapshot(x)) for x in selection.primals])
        finally:
            watch.close()
        report = Report(watch, outputs, names)
        findings = _found(report, [] if inner.n_walks else wanted, inner.findings)
    gradients = tuple(value_of(names[k], report.totals[k]) for k in wanted if k in report.totals)
    return Diagnosis(location_of(function), tuple(value_of("value", y) for y in report.values), gradients, tuple(findings))


def _found(report: Report, wanted: Sequence[int], inner: Sequence[Finding]) -> list[Finding]:
    """The findings in the derivatives that the function takes, and then its own: its values, and the gradient of their sum."""
    if any(finding.kind in ("nan", "infinity") for finding in inner):
        return list(inner)
    if not wanted:
        return [*inner, *report.primal()]
    cts = [np.ones(np.shape(y), y.dtype) if is_inexact(y) else None for y in report.values]
    return [*inner, *findings_of(report, cts, wanted)]


def names_of(selection: Selection) -> list[str]:
    """How the user would write each primal of a selection of several arguments."""
    paths = trees.paths(selection.tree)
    owners = keys_of_leaves(selection)
    return [argument_name(selection.function, key) + paths[k].partition("]")[2] for k, key in zip(selection.active, owners, strict=True)]


def keys_of_leaves(selection: Selection) -> list[int | str]:
    """The argument that each primal is in."""
    owners = [key for key, part in zip(selection.keys, selection.tree, strict=True) for _ in trees.flatten(part)[0]]
    return [owners[k] for k in selection.active]


@contextmanager
def anomalies() -> Iterator[None]:
    """See `wengert.anomaly`."""
    WATCHED.change(1)
    try:
        with setting((is_watching, True), (is_recording, NOTED if is_recording.get() else False)):
            yield
    finally:
        WATCHED.change(-1)
