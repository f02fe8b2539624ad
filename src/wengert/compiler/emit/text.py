"""LLVM text written by hand: values with names, loops and conditions as blocks of Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Text:
    """One function that grows; numbers are `i64` unless their instruction says otherwise."""

    def __init__(self, header: str) -> None:
        self.lines = [f"define {header} {{", "entry:"]
        self.block = "entry"
        self.count = 0

    def behind(self, pointer: str, offset: str | int) -> str:
        """So many bytes behind a pointer."""
        return pointer if offset == 0 else self.new(f"getelementptr inbounds i8, ptr {pointer}, i64 {offset}")

    def finished(self, result: str = "void") -> str:
        """The whole function."""
        return "\n".join([*self.lines, f"  ret {result}", "}"])

    def new(self, instruction: str) -> str:
        """The name of a new value."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {instruction}")
        return f"%v{self.count}"

    def named(self, name: str, instruction: str) -> str:
        """A value with a name of its own, which is used before it is there."""
        self.do(f"{name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        """An instruction without a value."""
        self.lines.append(f"  {instruction}")

    def begin(self, label: str) -> None:
        """A new basic block."""
        self.lines.append(f"{label}:")
        self.block = label

    # --- whole numbers and memory -------------------------------------------------------------------------------------

    def add(self, a: str, b: str | int) -> str:
        return self.new(f"add i64 {a}, {b}")

    def sub(self, a: str, b: str | int) -> str:
        return self.new(f"sub i64 {a}, {b}")

    def mul(self, a: str, b: str | int) -> str:
        return self.new(f"mul i64 {a}, {b}")

    def div(self, a: str, b: str | int) -> str:
        return self.new(f"udiv i64 {a}, {b}")

    def rest(self, a: str, b: str | int) -> str:
        return self.new(f"urem i64 {a}, {b}")

    def parts(self, a: str, b: str | int) -> str:
        """How many parts of length `b` cover `a`."""
        return self.div(self.sub(self.add(a, b), 1), b)

    def smaller(self, a: str, b: str | int) -> str:
        return self.new(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    def larger(self, a: str, b: str | int) -> str:
        return self.new(f"call i64 @llvm.smax.i64(i64 {a}, i64 {b})")

    def test(self, relation: str, a: str, b: str | int) -> str:
        return self.new(f"icmp {relation} i64 {a}, {b}")

    def both(self, p: str, q: str) -> str:
        return self.new(f"and i1 {p}, {q}")

    def choose(self, p: str, a: str, b: str, kind: str = "i64") -> str:
        return self.new(f"select i1 {p}, {kind} {a}, {kind} {b}")

    def at(self, pointer: str, index: str | int, kind: str = "i64") -> str:
        """The address of an entry."""
        return self.new(f"getelementptr {kind}, ptr {pointer}, i64 {index}")

    def load(self, pointer: str, index: str | int = 0, kind: str = "i64", of: str = "") -> str:
        """An entry of an array of `of`, read as `kind`."""
        align = f", align {4 if kind.endswith('float>') else 8}" if kind.startswith("<") else ""
        return self.new(f"load {kind}, ptr {self.at(pointer, index, of or kind)}{align}")

    def store(self, value: str, pointer: str, index: str | int = 0, kind: str = "i64", of: str = "") -> None:
        """An entry is written."""
        align = f", align {4 if kind.endswith('float>') else 8}" if kind.startswith("<") else ""
        self.do(f"store {kind} {value}, ptr {self.at(pointer, index, of or kind)}{align}")

    # --- blocks -------------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(self, start: str | int, stop: str | int, step: int = 1) -> Iterator[str]:
        """From `start` on while below `stop`; the counter."""
        self.count += 1
        name = f"loop{self.count}"
        before = self.block
        self.do(f"br label %{name}")
        self.begin(name)
        self.lines.append(f"  %{name}.i = phi i64 [{start}, %{before}], [%{name}.next, %{name}.end]")
        more = self.test("slt", f"%{name}.i", stop)
        self.do(f"br i1 {more}, label %{name}.body, label %{name}.exit")
        self.begin(f"{name}.body")
        yield f"%{name}.i"
        self.do(f"br label %{name}.end")
        self.begin(f"{name}.end")
        self.lines.append(f"  %{name}.next = add nsw i64 %{name}.i, {step}")
        self.do(f"br label %{name}")
        self.begin(f"{name}.exit")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Only if a condition holds."""
        self.count += 1
        name = f"when{self.count}"
        self.do(f"br i1 {condition}, label %{name}, label %{name}.not")
        self.begin(name)
        yield
        self.do(f"br label %{name}.not")
        self.begin(f"{name}.not")

    def leave(self, result: str = "void") -> None:
        """The function ends here; what follows is reached by nobody."""
        self.count += 1
        self.do(f"ret {result}")
        self.begin(f"after{self.count}")
