"""The functions of one step."""

from __future__ import annotations

from collections.abc import Mapping

from wengert.compiler.emit.adjoint import write_adjoint
from wengert.compiler.emit.band import write_band
from wengert.compiler.emit.control import write_cond, write_scan, write_while
from wengert.compiler.emit.entry import write_inner
from wengert.compiler.emit.native import write_native
from wengert.compiler.emit.nest import write_nest
from wengert.compiler.emit.products import write_product
from wengert.compiler.emit.sorting import write_sorting
from wengert.compiler.loops import Band, Check, Control, HostCall, LoopNest, MatrixProduct, NativeCall, Sorting, Step
from wengert.compiler.vector_math import VectorMath

CONTROLS = {"scan": write_scan, "while": write_while, "cond": write_cond, "loop_adjoint": write_adjoint}


def write_step(
    step: Step, name: str, library: VectorMath, numbers: Mapping[HostCall | Check, int], *, is_repeated: bool = False
) -> list[str]:
    """The functions of a step, which may be one that a loop repeats."""
    if isinstance(step, LoopNest):
        return [write_nest(step, name, library, is_repeated=is_repeated)]
    if isinstance(step, MatrixProduct):
        return [write_product(step, name, is_shared=True)]
    if isinstance(step, NativeCall):
        return [write_native(step, name)]
    if isinstance(step, Band):
        return write_band(step, name, library)
    if isinstance(step, Sorting):
        return [write_sorting(step, name)]
    return write_controlled(step, name, library, numbers) if isinstance(step, Control) else []


def write_controlled(step: Control, name: str, library: VectorMath, numbers: Mapping[HostCall | Check, int]) -> list[str]:
    """A loop or a branch: the programs inside, and what runs them."""
    found: list[str] = []
    for key, inner in step.programs.items():
        for k, part in enumerate(inner.steps):
            found += write_step(part, f"{name}.{key}.{k}", library, numbers, is_repeated=True)
        found.append(write_inner(inner, step.plans[key], f"{name}.{key}", numbers))
    return [*found, CONTROLS[step.kind](step, name)]
