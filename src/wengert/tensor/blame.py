"""Walks back within `wengert.anomaly`: which operation on tensors made a value or a gradient NaN or infinite.

Nodes made within the context remember their operands, results and lines; from them the program is written down as a watched call of a
function of its leaves, which is examined as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wengert._source import user_frame
from wengert.core.array import Array
from wengert.core.tape import Node, Part, is_recording
from wengert.core.trace import beneath
from wengert.core.walk import Walk
from wengert.errors import describe
from wengert.transforms.blame import is_bad
from wengert.transforms.findings import Finding, anomaly_of, value_of
from wengert.transforms.provenance import examine, kind_of
from wengert.transforms.watch import Step, Watch


def examine_walk(walk: Walk, roots: Sequence[Node], cts: Sequence[Any], found: Sequence[Any]) -> None:
    """Raise `AnomalyError` where the values of the roots, or what was found at some nodes, are not finite."""
    values = [_value_of(node) for node in roots]
    results = [beneath(x) for x in [*values, *found] if x is not None]
    if not any(map(is_bad, results)):
        return
    token = is_recording.set(False)
    try:
        watch = _watch_of(walk)
        outputs = [Array(y, watch, walk.place_of(node)) for node, y in zip(roots, values, strict=True) if y is not None]
        given = [beneath(ct) for ct, y in zip(cts, values, strict=True) if y is not None]
        findings = examine(watch, outputs, given, results)
    finally:
        is_recording.reset(token)
    bad = next(x for x in results if is_bad(x))
    why = "The operations that lead to it were performed before the context was entered, so that nothing is known of them."
    raise anomaly_of(findings or [Finding(kind_of(bad), "gradient", "", "", "", "", why, result=value_of("gradient", bad))])


def _value_of(node: Node) -> Any:
    """The value that a node stands for; `None` where it is known no more."""
    owner, k = node.owner if type(node) is Part else (node, 0)
    if owner.is_input:
        leaf = owner.variable()
        return None if leaf is None else leaf.value
    return owner.note[3][k] if hasattr(owner, "note") else None


def _watch_of(walk: Walk) -> Watch:
    leaves = walk.nodes[: walk.n_inputs]
    watch = Watch(_names(leaves))
    watch.entries, watch.n_inputs = walk.entries, walk.n_inputs
    known = {parent: node.note[1][slot] for node in walk.nodes if hasattr(node, "note") and node.entry
             for slot, parent in zip(node.entry[4], node.entry[5], strict=True)}  # fmt: skip
    watch.given = [known.get(node, _value_of(node)) for node in leaves]
    # hooks stand behind the operation at whose result they are
    operations = {walk.places[node] - bool(node.hooks): node for node in walk.nodes[walk.n_inputs :] if hasattr(node, "note")}  # type: ignore[operator]  # operations have places
    for place, entry in enumerate(walk.entries):
        if entry is not None:
            primitive, operands, params, made, line = operations[place].note if place in operations else (entry[0], (), {}, (), (None, 0))
            watch.steps.append(Step(primitive, operands, params, made, place, line, ()))
    return watch


def _names(leaves: Sequence[Node]) -> Callable[[int], str]:
    """What the user's code calls the leaves, where it has names for them."""
    frame = user_frame()
    scopes = () if frame is None else (frame.f_globals, frame.f_locals)
    names = {id(x): name for scope in scopes for name, x in list(scope.items())}

    def name(k: int) -> str:
        leaf = leaves[k].variable()
        return f"`{names[id(leaf)]}`" if id(leaf) in names else f"`leaf {k}, {describe(leaf)}`" if leaf is not None else f"`leaf {k}`"

    return name
