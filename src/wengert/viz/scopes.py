"""Where in the user's program each operation was performed: in which calls of functions and modules, in which pass of which loop.

The frames that are running say it.  They are kept while the program runs, so that no frame takes the place of another one.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FrameType
from typing import Any

from wengert._source import COMPREHENSIONS, is_user_code, location, loops_around
from wengert.transforms.record_graph import watched_call

_ROOMS_WITH_MODULES = tuple(f"{os.sep}wengert{os.sep}{room}{os.sep}" for room in ("nn",))
_FUNCTIONS = ("losses.py", "ctc.py", "attention.py")  # in those rooms: of functions that users call by themselves
_WALKS_BACK = frozenset({"walk_back", "walk_entries", "pull_back"})
LoopSpan = tuple[int, int, int, str, bool]  # first line, column, last line, header, whether it is a comprehension


@dataclass(frozen=True, slots=True)
class Scope:
    """One level of where an operation is: a call, a loop, or a pass of a loop; `key` tells it from its siblings."""

    key: tuple[Any, ...]
    kind: str  # "function", "module", "loop", "pass", "reverse"
    label: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """A running frame, and the instruction that it is at; `callee` is the frame that this instruction has called."""

    frame: FrameType
    line: int
    instruction: int
    callee: FrameType | None


@dataclass
class Scopes:
    """Call it after each operation; `paths` then has the scopes around each, from the outside to the inside."""

    paths: list[tuple[Scope, ...]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # their full names
    _passes: dict[tuple[Any, ...], int] = field(default_factory=dict)  # of each loop, in all that is around it
    _last: dict[FrameType, Level] = field(default_factory=dict)  # where each frame was last seen

    def __call__(self) -> None:
        levels, is_back = running_levels()
        found: list[Scope] = []
        names = [level.frame.f_code.co_name for level in levels[1:]] + [""]
        for k, level in enumerate(levels):
            if k and not names[k - 1].startswith("<"):
                found.append(_call_scope(levels[k - 1], level))
            self.files[os.path.basename(level.frame.f_code.co_filename)] = level.frame.f_code.co_filename
            self._add_loops(found, level, is_before_comprehension=names[k].startswith("<"))
        if is_back:
            found.append(Scope(("reverse",), "reverse", "reverse walk"))
        self.paths.append(tuple(found))

    def release(self) -> None:
        """Let go of the frames."""
        self._passes.clear()
        self._last.clear()

    def _add_loops(self, found: list[Scope], level: Level, *, is_before_comprehension: bool) -> None:
        code = level.frame.f_code
        around = [s for s in spans_around(code, level.line) if not (s[4] and is_before_comprehension)]
        turned = self._turned(level, around)
        for span in around:
            first, column, _, header, _ = span
            key = (*(scope.key for scope in found), id(level.frame), first, column)
            self._passes[key] = self._passes.get(key, 0) + (key not in self._passes or span == turned)
            where = location(code.co_filename, first)
            found.append(Scope(("loop", id(level.frame), first, column), "loop", header, where))
            found.append(Scope(("pass", self._passes[key]), "pass", f"pass {self._passes[key]}", where))
        self._last[level.frame] = level

    def _turned(self, level: Level, around: Sequence[LoopSpan]) -> LoopSpan | None:
        """The loop that has gone round since the last operation in this frame: the innermost one around both, if the program jumped back."""
        before = self._last.get(level.frame)
        if before is None:
            return None
        is_back = level.instruction < before.instruction or (
            level.instruction == before.instruction and level.callee is not before.callee
        )
        return next((s for s in reversed(around) if s[0] <= before.line <= s[2]), None) if is_back else None


def running_levels() -> tuple[list[Level], bool]:
    """The frames of the user's code inside the watched call, outermost first; whether a walk back is what runs in the last one."""
    levels: list[Level] = []
    is_back = False
    callee: FrameType | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not watched_call.__code__:
        if _is_shown(frame.f_code):
            levels.append(Level(frame, frame.f_lineno, frame.f_lasti, callee))
        elif not levels and frame.f_code.co_name in _WALKS_BACK:
            is_back = True
        callee, frame = frame, frame.f_back
    return levels[::-1], is_back


@cache
def _is_shown(code: CodeType) -> bool:
    """The user's functions, and of networks what modules do when they are called, and functions as `cross_entropy`."""
    if any(room in code.co_filename for room in _ROOMS_WITH_MODULES):
        is_module = code.co_name in {"__call__", "forward"} and code.co_varnames[:1] == ("self",)
        is_function = os.path.basename(code.co_filename) in _FUNCTIONS and code.co_qualname.isidentifier() and code.co_name[0] not in "_<"
        return is_module or is_function
    return is_user_code(code.co_filename)


def _call_scope(caller: Level, level: Level) -> Scope:
    code = level.frame.f_code
    where = location(caller.frame.f_code.co_filename, caller.line)
    if code.co_name in {"__call__", "forward"} and code.co_varnames[:1] == ("self",):
        owner = level.frame.f_locals.get("self")
        name = attribute_of(caller.frame.f_locals.get("self"), owner)
        return Scope(("call", id(level.frame)), "module", f"{name}: {type(owner).__name__}" if name else type(owner).__name__, where)
    name = code.co_qualname.rpartition("<locals>.")[2]
    return Scope(("call", id(level.frame)), "function", name, where)


def attribute_of(owner: Any, part: Any) -> str:
    """`layers[0]` for a part of an object; empty if it is none."""
    for name, value in getattr(owner, "__dict__", {}).items():
        if value is part:
            return name
        if isinstance(value, (list, tuple)):
            found = next((k for k, one in enumerate(value) if one is part), None)
            if found is not None:
                return f"{name}[{found}]"
    return ""


@cache
def spans_around(code: CodeType, line: int) -> tuple[LoopSpan, ...]:
    """The loops of a function around a line, outermost first."""
    return tuple(map(_span, loops_around(code, line)))


def _span(loop: Any) -> LoopSpan:
    header = ast.unparse(loop).partition("\n")[0].rstrip(":")
    return loop.lineno, loop.col_offset, loop.end_lineno or loop.lineno, header[:60], isinstance(loop, COMPREHENSIONS)
