"""About how long a program takes: enough to know whether the GIL is worth releasing."""

from __future__ import annotations

import math

from wengert.compiler.loops import (
    Band,
    Control,
    Fill,
    HostCall,
    LoopNest,
    MatrixProduct,
    NativeCall,
    Program,
    Sorting,
    Step,
)

PER_OP = 0.4e-9  # seconds for one scalar instruction of a loop, some of them calls of the vector library
PER_PRODUCT = 0.02e-9  # for one multiplication and addition of a matrix product
PER_BYTE = 0.05e-9
PER_SORTED = 30e-9  # for one entry of a sorted line
PER_FUNCTION = 0.3e-6  # for a call of LAPACK
PER_FLOP = 0.2e-9  # in there
PER_CALL = 100e-6  # of a step in Python, which other threads of Python wait for less readily than for their own


def seconds_of(program: Program) -> float:
    """The sum over all steps."""
    return sum(map(seconds_of_step, program.steps))


def seconds_of_step(step: Step) -> float:
    """One step."""
    if isinstance(step, LoopNest):
        return len(step.ops) * math.prod(step.space) * PER_OP
    if isinstance(step, MatrixProduct):
        return step.work * PER_PRODUCT
    if isinstance(step, NativeCall):
        return math.prod(step.batch) * (PER_FUNCTION + step.flops * PER_FLOP)
    if isinstance(step, Control):
        return step.n_steps * sum(map(seconds_of, step.programs.values()))
    if isinstance(step, Band):
        return sum(map(seconds_of_step, step.steps))
    if isinstance(step, Sorting):
        return step.result.size * PER_SORTED
    if isinstance(step, Fill):
        return step.buffer.n_bytes * PER_BYTE
    return PER_CALL if isinstance(step, HostCall) and step.doubt is None else 0.0
