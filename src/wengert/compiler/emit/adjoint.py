"""`loop_adjoint` as native code: there, with states on a stack, and back.

A *record* is the state before one step, its parts one after the other.  Functions share a table of addresses, `%env`:

| function                                    | does                                                                              |
|---------------------------------------------|-----------------------------------------------------------------------------------|
| `ahead(env, from, to, k)`                   | step `k`, from one record to another                                              |
| `home(env, state, k)`                       | step `k` back: cotangents and totals change their places                          |
| `through(env, first, last, state, stride)`  | back through steps, with a record at every `stride`-th; 0: as the recursion wants |
| `open(env)`                                 | to where the test ends the loop, with a stack that grows, and back                |

The schedules are described in `wengert.transforms.journeys`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from wengert.compiler.emit.control import ControlWriter, entry_bytes
from wengert.compiler.emit.text import Text
from wengert.compiler.loops import Buffer, Control, View
from wengert.compiler.memory import rounded
from wengert.primitives.schedules import BRANCHES

FIRST = 64  # records of a stack that grows, to begin with
NO_MEMORY = -1  # the status of a program that could not have it
NEAR = 4096  # bytes of a record that lies on the stack of the processor

_THROUGH = """\
define internal i32 @{name}.through(ptr %env, i64 %first, i64 %last, ptr %state, i64 %wanted) #2 {{
entry:
  %n = sub i64 %last, %first
  %none = icmp sle i64 %n, 0
  br i1 %none, label %nothing, label %measure
nothing:
  ret i32 0
measure:
  %open = icmp eq i64 %wanted, 0
  br i1 %open, label %widen, label %take
widen:
  %w = phi i64 [1, %measure], [%w_next, %widen]
  %w_next = mul i64 %w, {branches}
  %short = icmp slt i64 %w_next, %n
  br i1 %short, label %widen, label %take
take:
  %stride = phi i64 [%wanted, %measure], [%w, %widen]
  %n1 = sub i64 %n, 1
  %final = udiv i64 %n1, %stride
  %kept = add i64 %final, 1
  %records = add i64 %kept, 2
  %bytes = mul i64 %records, {record}
  %block = call ptr @wg_take(i64 %bytes)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %no_memory, label %begin
no_memory:
  ret i32 -1
begin:
  %at_spare = mul i64 %kept, {record}
  %spare0 = getelementptr inbounds i8, ptr %block, i64 %at_spare
  %spare1 = getelementptr inbounds i8, ptr %spare0, i64 {record}
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %block, ptr align 8 %state, i64 {record}, i1 false)
  br label %stretch
stretch:
  %j = phi i64 [0, %begin], [%j_next, %reached]
  %more = icmp slt i64 %j, %final
  br i1 %more, label %set_out, label %turn
set_out:
  %at_j = mul i64 %j, {record}
  %from = getelementptr inbounds i8, ptr %block, i64 %at_j
  %goal = getelementptr inbounds i8, ptr %from, i64 {record}
  %k_j = mul i64 %j, %stride
  %k0 = add i64 %first, %k_j
  %stride1 = sub i64 %stride, 1
  br label %walk
walk:
  %i = phi i64 [0, %set_out], [%i_next, %walked]
  %here = phi ptr [%from, %set_out], [%there, %walked]
  %is_last = icmp eq i64 %i, %stride1
  %was_spare = icmp eq ptr %here, %spare0
  %spare = select i1 %was_spare, ptr %spare1, ptr %spare0
  %there = select i1 %is_last, ptr %goal, ptr %spare
  %k = add i64 %k0, %i
  %walk_status = call i32 @{name}.ahead(ptr %env, ptr %here, ptr %there, i64 %k)
  %walk_fine = icmp eq i32 %walk_status, 0
  br i1 %walk_fine, label %walked, label %stop
walked:
  %i_next = add i64 %i, 1
  br i1 %is_last, label %reached, label %walk
reached:
  %j_next = add i64 %j, 1
  br label %stretch
turn:
  %single = icmp eq i64 %stride, 1
  br label %back
back:
  %b = phi i64 [%final, %turn], [%b_next, %done]
  %at_b = mul i64 %b, {record}
  %record_b = getelementptr inbounds i8, ptr %block, i64 %at_b
  %k_b = mul i64 %b, %stride
  %start = add i64 %first, %k_b
  br i1 %single, label %one, label %many
one:
  %one_status = call i32 @{name}.home(ptr %env, ptr %record_b, i64 %start)
  br label %judge
many:
  %past = add i64 %start, %stride
  %is_over = icmp sgt i64 %past, %last
  %end = select i1 %is_over, i64 %last, i64 %past
  %many_status = call i32 @{name}.through(ptr %env, i64 %start, i64 %end, ptr %record_b, i64 {inner})
  br label %judge
judge:
  %back_status = phi i32 [%one_status, %one], [%many_status, %many]
  %back_fine = icmp eq i32 %back_status, 0
  br i1 %back_fine, label %done, label %stop
done:
  %b_next = sub i64 %b, 1
  %again = icmp sge i64 %b_next, 0
  br i1 %again, label %back, label %stop
stop:
  %status = phi i32 [%walk_status, %walk], [%back_status, %judge], [0, %done]
  call void @wg_give(ptr %block)
  ret i32 %status
}}"""

_COUNT = """\
define internal i32 @{name}.count(ptr %env, ptr %state, ptr %result) #2 {{
entry:
  %block = call ptr @wg_take(i64 {twice})
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %no_memory, label %begin
no_memory:
  ret i32 -1
begin:
  %flag = alloca i8
  %other0 = getelementptr inbounds i8, ptr %block, i64 {record}
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %block, ptr align 8 %state, i64 {record}, i1 false)
  br label %ask
ask:
  %n = phi i64 [0, %begin], [%n_next, %stepped]
  %here = phi ptr [%block, %begin], [%there, %stepped]
  %there = phi ptr [%other0, %begin], [%here, %stepped]
  %ask_status = call i32 @{name}.asks(ptr %env, ptr %here, ptr %flag)
  %ask_fine = icmp eq i32 %ask_status, 0
  br i1 %ask_fine, label %answer, label %stop
answer:
  %said = load i8, ptr %flag
  %goes = icmp ne i8 %said, 0
  br i1 %goes, label %step, label %stop
step:
  %step_status = call i32 @{name}.ahead(ptr %env, ptr %here, ptr %there, i64 %n)
  %step_fine = icmp eq i32 %step_status, 0
  br i1 %step_fine, label %stepped, label %stop
stepped:
  %n_next = add i64 %n, 1
  br label %ask
stop:
  %status = phi i32 [%ask_status, %ask], [0, %answer], [%step_status, %step]
  store i64 %n, ptr %result
  call void @wg_give(ptr %block)
  ret i32 %status
}}"""

_OPEN = """\
define internal i32 @{name}.open(ptr %env, ptr %state) #2 {{
entry:
  %flag = alloca i8
  %block0 = call ptr @wg_take(i64 {first_bytes})
  %failed = icmp eq ptr %block0, null
  br i1 %failed, label %no_memory, label %begin
begin:
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %block0, ptr align 8 %state, i64 {record}, i1 false)
  br label %ask
ask:
  %n = phi i64 [0, %begin], [%n_next, %stepped]
  %block = phi ptr [%block0, %begin], [%block_now, %stepped]
  %room = phi i64 [{first}, %begin], [%room_now, %stepped]
  %at = mul i64 %n, {record}
  %here = getelementptr inbounds i8, ptr %block, i64 %at
  %ask_status = call i32 @{name}.asks(ptr %env, ptr %here, ptr %flag)
  %ask_fine = icmp eq i32 %ask_status, 0
  br i1 %ask_fine, label %answer, label %stop
answer:
  %said = load i8, ptr %flag
  %goes = icmp ne i8 %said, 0
  br i1 %goes, label %fits, label %back
fits:
  %n_next = add i64 %n, 1
  %full = icmp eq i64 %n_next, %room
  br i1 %full, label %grow, label %step
grow:
  %wider = mul i64 %room, 2
  %wide_bytes = mul i64 %wider, {record}
  %wide = call ptr @wg_take(i64 %wide_bytes)
  %grow_failed = icmp eq ptr %wide, null
  br i1 %grow_failed, label %give_up, label %move
give_up:
  call void @wg_give(ptr %block)
  br label %no_memory
no_memory:
  ret i32 -1
move:
  %used = mul i64 %n_next, {record}
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %wide, ptr align 8 %block, i64 %used, i1 false)
  call void @wg_give(ptr %block)
  br label %step
step:
  %block_now = phi ptr [%block, %fits], [%wide, %move]
  %room_now = phi i64 [%room, %fits], [%wider, %move]
  %from = getelementptr inbounds i8, ptr %block_now, i64 %at
  %to = getelementptr inbounds i8, ptr %from, i64 {record}
  %step_status = call i32 @{name}.ahead(ptr %env, ptr %from, ptr %to, i64 %n)
  %step_fine = icmp eq i32 %step_status, 0
  br i1 %step_fine, label %stepped, label %stop
stepped:
  br label %ask
back:
  %m = phi i64 [%n, %answer], [%m1, %returned]
  %any = icmp sgt i64 %m, 0
  br i1 %any, label %return, label %stop
return:
  %m1 = sub i64 %m, 1
  %at_m = mul i64 %m1, {record}
  %record_m = getelementptr inbounds i8, ptr %block, i64 %at_m
  %home_status = call i32 @{name}.home(ptr %env, ptr %record_m, i64 %m1)
  %home_fine = icmp eq i32 %home_status, 0
  br i1 %home_fine, label %returned, label %stop
returned:
  br label %back
stop:
  %status = phi i32 [%ask_status, %ask], [%step_status, %step], [0, %back], [%home_status, %return]
  %last = phi ptr [%block, %ask], [%block_now, %step], [%block, %back], [%block, %return]
  call void @wg_give(ptr %last)
  ret i32 %status
}}"""


class AdjointWriter(ControlWriter):
    """Fills the table, writes the functions that use it, and runs them."""

    def __init__(self, step: Control, name: str) -> None:
        super().__init__(step, name)
        params = step.params
        self.n_test, n_consts, n_carry = params.get("n_test", 0), params["n_consts"], params["n_carry"]
        self.flags = params["flags"]
        self.length, self.schedule = params.get("length", -1), params["checkpoint"]
        first = self.n_test + n_consts
        n_back = len(step.programs["back"].inputs)
        n_xs = len(self.flags) - n_consts - n_carry
        n_state = sum(self.flags[n_consts : n_consts + n_carry])
        n_totals = sum(self.flags[:n_consts])
        self.carry = step.operands[first : first + n_carry]
        self.xs = step.operands[first + n_carry : first + n_carry + n_xs]
        rest = step.operands[first + n_carry + n_xs :]
        self.cts, self.ct_ys = rest[:n_state], rest[n_state:]
        assert n_back == n_consts + n_carry + n_xs + n_state + n_totals + len(self.ct_ys)
        self.moving = step.results[: n_state + n_totals]
        self.stacks = step.results[n_state + n_totals :]
        self.offsets, self.record = record_of([view.buffer for view in self.carry])
        self.table: list[str] = []  # the addresses in `%env`
        self.tests = self.enter(list(map(self.operand, step.operands[: self.n_test])))
        self.consts = self.enter(list(map(self.operand, step.operands[self.n_test : first])))
        self.sequences = self.enter(list(map(self.operand, self.xs)))
        self.ct_sequences = self.enter(list(map(self.operand, self.ct_ys)))
        self.results = self.enter([self.pointers[buffer] for buffer in self.stacks])
        self.here = self.enter([self.piece("moving", k) for k in range(len(self.moving))])
        self.there = self.enter([self.pointers[buffer] for buffer in self.moving])
        self.constant = dict(zip(step.constants(), self.enter([self.pointers[b] for b in step.constants()]), strict=True))
        self.workspace = {key: self.enter([self.piece("workspace", key)])[0] for key in step.programs}

    def enter(self, pointers: Sequence[str]) -> list[int]:
        """The places of addresses in the table."""
        start = len(self.table)
        self.table += pointers
        return list(range(start, len(self.table)))

    # --- the functions that use the table ---------------------------------------------------------------------------

    def inner(self, name: str, arguments: str) -> Inner:
        """A function that uses the table."""
        return Inner(self, f"internal i32 @{self.name}.{name}(ptr %env, {arguments}) #0")

    def parts(self, writer: Inner, record: str) -> list[str]:
        """The states in a record."""
        return [writer.behind(record, offset) for offset in self.offsets]

    def entries(self, writer: Inner, table: list[int], shapes: Sequence[tuple[tuple[int, ...], int]]) -> list[str]:
        """The entries of sequences at step `%k`."""
        if not table:
            return []
        place = writer.new(f"sub nsw i64 {self.length - 1}, %k") if self.step.params["reverse"] else "%k"
        return [writer.behind(writer.entry(k), writer.new(f"mul nsw i64 {place}, {entry_bytes(*shape)}"))
                for k, shape in zip(table, shapes, strict=True)]  # fmt: skip

    def ahead(self) -> str:
        """One step there."""
        writer = self.inner("ahead", "ptr %from, ptr %to, i64 %k")
        xs = self.entries(writer, self.sequences, list(map(of_view, self.xs)))
        inputs = [*map(writer.entry, self.consts), *self.parts(writer, "%from"), *xs]
        return writer.finish("body", inputs, self.parts(writer, "%to"))

    def asks(self) -> str:
        """The test."""
        writer = self.inner("asks", "ptr %state, ptr %flag")
        return writer.finish("test", [*map(writer.entry, self.tests), *self.parts(writer, "%state")], ["%flag"])

    def home(self) -> str:
        """One step back; what was written is read next."""
        writer = self.inner("home", "ptr %state, i64 %k")
        xs = self.entries(writer, self.sequences, list(map(of_view, self.xs)))
        ct_ys = self.entries(writer, self.ct_sequences, list(map(of_view, self.ct_ys)))
        ct_xs = self.entries(writer, self.results, [(b.shape, b.dtype.itemsize) for b in self.stacks])
        read, written = [writer.entry(k) for k in self.here], [writer.entry(k) for k in self.there]
        for k, j, old, new in zip(self.here, self.there, read, written, strict=True):
            writer.put(k, new)
            writer.put(j, old)
        inputs = [*map(writer.entry, self.consts), *self.parts(writer, "%state"), *xs, *read, *ct_ys]
        return writer.finish("back", inputs, [*written, *ct_xs])

    # --- all of it --------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Every function."""
        words = {
            "name": self.name, "record": self.record, "twice": 2 * self.record, "branches": BRANCHES, "first": FIRST,
            "first_bytes": FIRST * self.record, "inner": 0 if self.schedule == "recursive" else 1,
        }  # fmt: skip
        functions = [self.ahead(), self.home()]
        is_open = self.length < 0
        if is_open:
            functions.append(self.asks())
        if is_open and self.schedule in (None, 1):
            functions.append(_OPEN.format(**words))
        else:
            functions.append(_THROUGH.format(**words))
            if is_open:
                functions.append(_COUNT.format(**words))
        self.main()
        return "\n".join([*functions, self.function()])

    def main(self) -> None:
        """The table, the first record, the way there and back, and the results."""
        is_near = self.record <= NEAR
        near = [f"  %start = alloca [{self.record} x i8], align 64"] if is_near else []
        self.lines[2:2] = [*near, f"  %env = alloca [{len(self.table)} x ptr]"]  # before whatever is written there
        if not is_near:
            self.do(f"%start = call ptr @wg_take(i64 {self.record})")
            self.do("%no_start = icmp eq ptr %start, null")
            self.do("br i1 %no_start, label %stop, label %started")
            self.stops.append(f"[{NO_MEMORY}, %{self.block}]")
            self.begin("started")
        for k, pointer in enumerate(self.table):
            self.do(f"store ptr {pointer}, ptr {self.behind('%env', 8 * k)}")
        for offset, view in zip(self.offsets, self.carry, strict=True):
            self.copy(self.behind("%start", offset), self.operand(view), view.buffer.dtype.itemsize * math.prod(view.shape))
        for k, buffer in enumerate(self.moving):
            if k < len(self.cts):
                self.copy(self.table[self.here[k]], self.operand(self.cts[k]), buffer.n_bytes)
            else:
                self.do(f"call void @llvm.memset.p0.i64(ptr {self.table[self.here[k]]}, i8 0, i64 {buffer.n_bytes}, i1 false)")
        status = self.travel()
        if not is_near:
            self.do("call void @wg_give(ptr %start)")
        fine = self.new(f"icmp eq i32 {status}, 0")
        self.do(f"br i1 {fine}, label %settle, label %stop")
        self.stops.append(f"[{status}, %{self.block}]")
        self.begin("settle")
        for k, buffer in zip(self.here, self.moving, strict=True):
            found = self.new(f"load ptr, ptr {self.behind('%env', 8 * k)}")
            self.do(f"call void @llvm.memmove.p0.p0.i64(ptr {self.pointers[buffer]}, ptr {found}, i64 {buffer.n_bytes}, i1 false)")
        self.do("ret i32 0")

    def travel(self) -> str:
        """The status of the way there and back."""
        stride = 0 if self.schedule == "recursive" else self.schedule or 1
        if self.length >= 0:
            return self.new(f"call i32 @{self.name}.through(ptr %env, i64 0, i64 {self.length}, ptr %start, i64 {stride})")
        if self.schedule in (None, 1):
            return self.new(f"call i32 @{self.name}.open(ptr %env, ptr %start)")
        self.do("%n = alloca i64")
        counted = self.new(f"call i32 @{self.name}.count(ptr %env, ptr %start, ptr %n)")
        fine = self.new(f"icmp eq i32 {counted}, 0")
        n = self.new("load i64, ptr %n")
        past = self.new(f"select i1 {fine}, i64 {n}, i64 0")  # nothing to go through, if counting has failed
        status = self.new(f"call i32 @{self.name}.through(ptr %env, i64 0, i64 {past}, ptr %start, i64 {stride})")
        return self.new(f"select i1 {fine}, i32 {status}, i32 {counted}")


class Inner(Text):
    """One function that uses the table."""

    def __init__(self, owner: AdjointWriter, header: str) -> None:
        super().__init__(header)
        self.owner = owner

    def entry(self, k: int) -> str:
        """An address in the table."""
        return self.new(f"load ptr, ptr {self.behind('%env', 8 * k)}")

    def put(self, k: int, pointer: str) -> None:
        """Another address in the table."""
        self.do(f"store ptr {pointer}, ptr {self.behind('%env', 8 * k)}")

    def finish(self, key: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
        """The program inside runs, and its status is returned."""
        owner = self.owner
        constants = [self.entry(owner.constant[buffer]) for buffer in owner.step.plans[key].constants]
        pointers = [*inputs, *outputs, *constants, self.entry(owner.workspace[key])]
        status = self.new(f"call i32 @{owner.name}.{key}({', '.join(f'ptr {p}' for p in pointers)})")
        return self.finished(f"i32 {status}")


def record_of(states: Sequence[Buffer]) -> tuple[list[int], int]:
    """Where the states begin in a record, and its size; small ones lie close to one another."""
    offsets, total = [], 0
    for buffer in states:
        unit = 64 if buffer.n_bytes >= 64 else 8
        total = -(-total // unit) * unit
        offsets.append(total)
        total += -(-max(buffer.n_bytes, 1) // 8) * 8
    return offsets, rounded(total) if total >= 64 else max(total, 8)


def of_view(view: View) -> tuple[tuple[int, ...], int]:
    """The shape of a sequence, and the size of an element."""
    return view.shape, view.buffer.dtype.itemsize


def write_adjoint(step: Control, name: str) -> str:
    """The functions of one way there and back."""
    return AdjointWriter(step, name).text()
