"""Is a program well formed?  `verify` runs after every pass on programs in the tests."""

from __future__ import annotations

from wengert.compiler.loops import (
    Band,
    Buffer,
    Check,
    Control,
    Fill,
    HostCall,
    LoopNest,
    MatrixProduct,
    NativeCall,
    Place,
    Program,
    Shape,
    Sorting,
    View,
)
from wengert.compiler.memory import Plan


class ProgramError(Exception):
    """A program that must not be run."""


def require(holds: bool, what: str) -> None:
    """Raise `ProgramError` unless something holds."""
    if not holds:
        raise ProgramError(what)


def verify(program: Program) -> Program:
    """The same program, if it is well formed.

    Every buffer is written before it is read, and only by the steps; ops come after their operands; every place lies inside its
    buffer for all letters; products and outputs have the shapes of their parts; and no two outputs share a buffer.
    """
    written: set[Buffer] = set(program.inputs)
    for number, step in enumerate(program.steps):
        where = f"step {number}"
        for buffer in step.reads():
            require(buffer in written or buffer.kind == "constant" or not buffer.size, f"{where} reads a buffer that nobody has written")
        for buffer in step.updates():
            require(buffer in written, f"{where} adds to a buffer that nobody has written")
        for buffer in step.writes():
            require(buffer.kind in ("temporary", "output"), f"{where} writes to the {buffer.kind}s")
        written.update(step.writes())
        if isinstance(step, Band):
            others = {buffer for other in program.steps if other is not step for buffer in other.buffers()}
            require(not others.intersection(step.inner), f"{where} keeps rows to itself that others touch")
        for part in step.steps if isinstance(step, Band) else ():
            if isinstance(part, LoopNest):
                verify_nest(part, where)
            else:
                verify_product(part, where)
        if isinstance(step, LoopNest):
            verify_nest(step, where)
        elif isinstance(step, MatrixProduct):
            verify_product(step, where)
        elif isinstance(step, (HostCall, NativeCall)):
            for operand in [*step.operands, *step.results] if isinstance(step, HostCall) else step.arguments:
                if isinstance(operand, View):
                    require(is_inside(Place(operand.buffer, operand.strides, operand.offset), operand.shape), f"{where} reads outside")
        elif isinstance(step, Sorting):
            require(is_inside(Place(step.source.buffer, step.source.strides, step.source.offset), step.source.shape), f"{where} reads outside")
            require(step.result.shape == step.source.shape, f"{where}: an order has another shape than its lines")
        else:
            require(isinstance(step, (Fill, Band, Check, Control)), f"{where} is of no known kind")
    for view in program.outputs:
        require(view.is_whole and view.buffer.kind == "output", "an output is not a buffer of its own")
        require(view.buffer in written or not view.buffer.size, "an output is never written")
    require(len({view.buffer for view in program.outputs}) == len(program.outputs), "two outputs share a buffer")
    return program


def verify_nest(nest: LoopNest, where: str) -> None:
    """See `verify`."""
    require(all(n > 0 for n in nest.space), f"{where} runs over nothing")
    n = len(nest.space)
    for number, op in enumerate(nest.ops):
        require(all(0 <= p < number for p in op.operands), f"{where}: op {number} uses a later one")
        if op.place is not None:
            verify_place(op.place, nest.space, f"{where}: load {number}")
    for store in nest.stores:
        require(0 <= store.op < len(nest.ops), f"{where} stores no op")
        verify_place(store.place, nest.space, f"{where}: a store")
    for total in nest.reductions:
        require(all(0 <= k < n for k in total.letters), f"{where} reduces along no letter")
        require(not any(total.place.strides[k] for k in total.letters), f"{where}: a total moves along its letters")
        verify_place(total.place, nest.space, f"{where}: a total")


def verify_place(place: Place, space: Shape, where: str) -> None:
    """Every letter has a stride, and no access leaves the buffer, as far as letters decide."""
    require(len(place.strides) == len(space), f"{where} has {len(place.strides)} strides in {len(space)} loops")
    require(bool(place.steps) or is_inside(place, space), f"{where} leaves its buffer")


def is_inside(place: Place, space: Shape) -> bool:
    """Whether an access stays in its buffer for all letters."""
    if 0 in space:
        return True
    ends = [s * (n - 1) for s, n in zip(place.strides, space, strict=True)]
    low, high = place.offset + sum(min(e, 0) for e in ends), place.offset + sum(max(e, 0) for e in ends)
    return low >= 0 and high < place.buffer.size


def verify_product(step: MatrixProduct, where: str) -> None:
    """The shapes of a product fit, and every matrix lies inside its buffer."""
    batch = step.left.shape[: step.n_batch]
    require(step.n_batch >= 0 and len(step.columns) == step.counts[2], f"{where}: axes of a product are missing")
    require(step.right.shape == (*batch, *step.inner, *step.columns), f"{where}: shapes of a product do not fit")
    require(step.into.shape == (*batch, *step.rows, *step.columns), f"{where}: the result of a product has another shape")
    require(step.into.buffer is step.result, f"{where}: a product is written elsewhere")
    if step.base is not None:
        require((step.base.shape, step.base.strides) == (step.into.shape, step.into.strides), f"{where}: a product is added to another shape")
    for view in (step.left, step.right, step.into, *([] if step.base is None else [step.base])):
        require(is_inside(Place(view.buffer, view.strides, view.offset), view.shape), f"{where}: a matrix leaves its buffer")


def verify_plan(program: Program, plan: Plan) -> Plan:
    """The same plan, if no two temporaries that live at the same time share memory."""
    temporaries = [(b, at, b.n_bytes) for b, (where, at) in plan.places.items() if where == "workspace" and b.n_bytes]
    for k, (one, at, size) in enumerate(temporaries):
        require(at + size <= plan.workspace, "a temporary leaves the workspace")
        for other, there, length in temporaries[:k]:
            meet = plan.lives[one][0] <= plan.lives[other][1] and plan.lives[other][0] <= plan.lives[one][1]
            require(not meet or at + size <= there or there + length <= at, "two temporaries share memory")
    require(set(plan.lives) <= set(plan.places), "a buffer has no place")
    return plan
